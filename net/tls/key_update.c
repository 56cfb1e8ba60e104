// SPDX-License-Identifier: GPL-2.0-only
/*
 * KeyUpdate messages of TLS 1.3 (RFC 8446 section 4.6.3) and the arithmetic of the
 * limits of a key. This file uses no socket and no key, and the unit tests compile
 * it unchanged.
 */

#include <linux/string.h>
#include <linux/types.h>

#include "key_update.h"
#include "record.h"

/**
 * tls_ku_scan_begin() - begin a record of handshake messages
 * @scan:	zeroed at the first record, else as the last record left it
 */
void tls_ku_scan_begin(struct tls_ku_scan *scan)
{
	scan->tail = 0;
	scan->found = false;
}

static bool tls_ku_scan_in_update(const struct tls_ku_scan *scan)
{
	return scan->hdr_len && scan->hdr[0] == TLS_HS_KEY_UPDATE;
}

/* Judges the byte behind the header of a KeyUpdate, its only content. */
static int tls_ku_scan_content(struct tls_ku_scan *scan, __u8 byte)
{
	if (byte > 1)
		return TLS_ALERT_ILLEGAL_PARAMETER;
	scan->tail++;
	scan->hdr_len = 0;
	scan->found = true;
	scan->request = byte;
	return 0;
}

static int tls_ku_scan_header(struct tls_ku_scan *scan, __u8 byte)
{
	__u32 len;

	scan->hdr[scan->hdr_len++] = byte;
	if (tls_ku_scan_in_update(scan))
		scan->tail++;
	if (scan->hdr_len < sizeof(scan->hdr))
		return 0;
	len = scan->hdr[1] << 16 | scan->hdr[2] << 8 | scan->hdr[3];
	if (tls_ku_scan_in_update(scan))
		return len == 1 ? 0 : TLS_ALERT_DECODE_ERROR;
	scan->skip = len;
	scan->hdr_len = 0;
	return 0;
}

/**
 * tls_ku_scan() - read handshake messages up to a KeyUpdate
 * @scan:	tls_ku_scan_begin() was called at the record's begin
 * @buf:	content of the record, or its next piece
 * @len:	its bytes
 *
 * Messages may share a record and may be cut by records. Behind a KeyUpdate, the
 * record must end: the next bytes have another key.
 *
 * Return: 0, with the result in @scan; or the alert for a record that must not be.
 */
int tls_ku_scan(struct tls_ku_scan *scan, const __u8 *buf, __u32 len)
{
	__u32 n;
	int alert;

	for (; len; buf += n, len -= n) {
		if (scan->found)
			return TLS_ALERT_UNEXPECTED_MESSAGE;
		if (scan->skip) {
			n = scan->skip < len ? scan->skip : len;
			scan->skip -= n;
			continue;
		}
		n = 1;
		if (scan->hdr_len == sizeof(scan->hdr))
			alert = tls_ku_scan_content(scan, *buf);
		else
			alert = tls_ku_scan_header(scan, *buf);
		if (alert)
			return alert;
	}
	return 0;
}

/**
 * tls_ku_build() - write a KeyUpdate
 * @out:	TLS_KEY_UPDATE_LEN bytes
 * @request:	the peer is to send one, too
 */
void tls_ku_build(__u8 *out, bool request)
{
	out[0] = TLS_HS_KEY_UPDATE;
	out[1] = 0;
	out[2] = 0;
	out[3] = 1;
	out[4] = request;
}

/**
 * tls_ku_rate_take() - count a KeyUpdate
 * @rate:	limits and counts of the peer
 * @in_row:	no other record came since the last KeyUpdate
 * @now_ms:	a clock in milliseconds
 *
 * Return: true when it is within the rate.
 */
bool tls_ku_rate_take(struct tls_ku_rate *rate, bool in_row, __u64 now_ms)
{
	if (now_ms - rate->since >= 1000) {
		rate->since = now_ms;
		rate->in_second = 0;
	}
	if (!in_row)
		rate->in_row = 0;
	rate->in_row++;
	rate->in_second++;
	return rate->in_row <= rate->row && rate->in_second <= rate->per_second;
}

/**
 * tls_key_warn_at() - get the record number at which a key comes near its limit
 * @limit:	records that it may protect, TLS_KEY_LIMIT_MIN or more
 *
 * Return: number of the first record of the last quarter.
 */
__u64 tls_key_warn_at(__u64 limit)
{
	return limit - limit / 4;
}

/**
 * tls_key_end_at() - get the first record number that is not for data
 * @limit:	records that it may protect, TLS_KEY_LIMIT_MIN or more
 *
 * Return: number of the first record that is reserved for a KeyUpdate or an alert.
 */
__u64 tls_key_end_at(__u64 limit)
{
	return limit - TLS_KEY_RESERVE;
}
