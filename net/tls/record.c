// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arithmetic of TLS records: header, nonce, additional data, sequence
 * number, padding. This file uses no socket, no key and no kernel function, and
 * the unit tests compile it unchanged.
 */

#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>

#include "record.h"

#define TLS_REC_VERSION_13	0x0304

/**
 * tls_rec_fmt_init() - describe the records of a version and cipher
 * @fmt:	filled in
 * @version:	0x0303 or 0x0304
 * @xor_nonce:	the cipher builds its nonce from the record number in TLS 1.2
 * @explicit_len: nonce bytes that TLS 1.2 puts on the wire
 * @tag_len:	bytes of tag
 */
void tls_rec_fmt_init(struct tls_rec_fmt *fmt, __u16 version, bool xor_nonce,
		      __u8 explicit_len, __u8 tag_len)
{
	fmt->is_13 = version == TLS_REC_VERSION_13;
	fmt->xor_nonce = fmt->is_13 || xor_nonce;
	fmt->explicit_len = fmt->xor_nonce ? 0 : explicit_len;
	fmt->prepend_len = TLS_REC_HDR_LEN + fmt->explicit_len;
	fmt->tag_len = tag_len;
	fmt->tail_len = fmt->is_13 ? 1 : 0;
}

/**
 * tls_rec_hdr_parse() - judge a record header
 * @rec:	filled in on success
 * @fmt:	record format
 * @in:		TLS_REC_HDR_LEN bytes
 *
 * The length is judged before the version, as the kernel always did.
 *
 * Return: 0; -EMSGSIZE when longer than the protocol allows, -EBADMSG when too
 * short to hold nonce, type and tag, -EINVAL for another version.
 */
int tls_rec_hdr_parse(struct tls_rec_hdr *rec, const struct tls_rec_fmt *fmt,
		      const __u8 *in)
{
	__u32 overhead = fmt->explicit_len + fmt->tag_len + fmt->tail_len;
	__u32 len = in[3] << 8 | in[4];

	if (len > TLS_REC_PAYLOAD_MAX + overhead)
		return -EMSGSIZE;
	if (len < overhead)
		return -EBADMSG;
	if (in[1] != TLS_REC_WIRE_VERSION >> 8 ||
	    in[2] != (TLS_REC_WIRE_VERSION & 0xff))
		return -EINVAL;

	rec->type = in[0];
	rec->full_len = TLS_REC_HDR_LEN + len;
	rec->body_len = len - fmt->explicit_len - fmt->tag_len;
	return 0;
}

/**
 * tls_rec_nonce() - build the AEAD nonce of a record
 * @nonce:	TLS_REC_NONCE_LEN bytes out
 * @fmt:	record format
 * @iv:		TLS_REC_NONCE_LEN bytes: the write IV, or salt and explicit part
 * @seq:	record number, big-endian
 */
void tls_rec_nonce(__u8 *nonce, const struct tls_rec_fmt *fmt, const __u8 *iv,
		   const __u8 *seq)
{
	int i;

	memcpy(nonce, iv, TLS_REC_NONCE_LEN);
	if (!fmt->xor_nonce)
		return;
	for (i = 0; i < TLS_REC_SEQ_LEN; i++)
		nonce[TLS_REC_NONCE_LEN - TLS_REC_SEQ_LEN + i] ^= seq[i];
}

/**
 * tls_rec_aad() - build the additional data of a record
 * @aad:	TLS_REC_AAD12_LEN bytes of room
 * @fmt:	record format
 * @type:	outer content type
 * @body_len:	bytes between nonce and tag, a TLS 1.3 type byte included
 * @seq:	record number, big-endian
 *
 * Return: the bytes written.
 */
__u32 tls_rec_aad(__u8 *aad, const struct tls_rec_fmt *fmt, __u8 type,
		  __u32 body_len, const __u8 *seq)
{
	__u32 n = 0;

	if (fmt->is_13) {
		body_len += fmt->tag_len;
		type = TLS_REC_DATA;
	} else {
		memcpy(aad, seq, TLS_REC_SEQ_LEN);
		n = TLS_REC_SEQ_LEN;
	}
	aad[n++] = type;
	aad[n++] = TLS_REC_WIRE_VERSION >> 8;
	aad[n++] = TLS_REC_WIRE_VERSION & 0xff;
	aad[n++] = body_len >> 8;
	aad[n++] = body_len & 0xff;
	return n;
}

/**
 * tls_rec_counter_add() - advance a record number
 * @counter:	TLS_REC_SEQ_LEN bytes, big-endian
 * @n:		how far
 */
void tls_rec_counter_add(__u8 *counter, __u64 n)
{
	__u64 value = 0;
	int i;

	for (i = 0; i < TLS_REC_SEQ_LEN; i++)
		value = value << 8 | counter[i];
	value += n;
	for (i = TLS_REC_SEQ_LEN - 1; i >= 0; i--) {
		counter[i] = value & 0xff;
		value >>= 8;
	}
}

/**
 * tls_rec_content_end() - find the begin of TLS 1.3 padding
 * @buf:	the end of a decrypted record, or a part of it
 * @len:	its bytes
 *
 * Return: bytes up to and with the last non-zero one, the content type; zero
 * when everything is padding.
 */
__u32 tls_rec_content_end(const __u8 *buf, __u32 len)
{
	while (len && !buf[len - 1])
		len--;
	return len;
}

static void tls_hs_scan_header(struct tls_hs_scan *scan, __u8 byte)
{
	scan->hdr[scan->hdr_len++] = byte;
	if (scan->hdr_len < sizeof(scan->hdr))
		return;
	scan->skip = scan->hdr[1] << 16 | scan->hdr[2] << 8 | scan->hdr[3];
	scan->hdr_len = 0;
}

/**
 * tls_hs_scan_key_update() - look for a KeyUpdate among handshake messages
 * @scan:	where the previous record stopped
 * @buf:	content of a handshake record
 * @len:	its bytes
 *
 * Messages may share a record and may be cut by records. A KeyUpdate is known by
 * its first byte: the peer's next record has the next key, and a record may hold
 * no more than that byte.
 *
 * Return: true when a KeyUpdate begins in this record.
 */
bool tls_hs_scan_key_update(struct tls_hs_scan *scan, const __u8 *buf,
			    __u32 len)
{
	bool found = false;
	__u32 n;

	while (len) {
		if (scan->skip) {
			n = scan->skip < len ? scan->skip : len;
			scan->skip -= n;
		} else {
			n = 1;
			found |= !scan->hdr_len && *buf == TLS_HS_KEY_UPDATE;
			tls_hs_scan_header(scan, *buf);
		}
		buf += n;
		len -= n;
	}
	return found;
}
