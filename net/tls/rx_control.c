// SPDX-License-Identifier: GPL-2.0-only
/*
 * KeyUpdates that were received. Without a secret the program is told, and reading
 * stops until it has set the next key. With a secret the kernel takes the message
 * out of the stream, puts the next key in force, and answers.
 */

#include <net/sock.h>

#include "aead.h"
#include "offload.h"
#include "reasm.h"
#include "rekey.h"
#include "renew.h"
#include "rx_control.h"
#include "trace.h"

#define TLS_RX_CHUNK	128	/* bytes looked at a time on the stack */

static void tls_rx_expire(struct sock *sk, struct tls_rx *rx)
{
	WRITE_ONCE(rx->key_pending, true);
	tls_offload_rx_expired(sk, rx);
}

/* Notes a KeyUpdate: the next key is still to be set or derived. */
static void tls_rx_update_came(struct sock *sk, struct tls_rx *rx)
{
	tls_rx_expire(sk, rx);
	TLS_STAT_INC(sock_net(sk), TLS_MIB_RX_REKEY_RECEIVED);
}

static int tls_rx_look(struct sock *sk, struct tls_rx *rx, struct sk_buff *skb)
{
	u8 buf[TLS_RX_CHUNK];
	bool found = false;
	u32 off, n;

	for (off = 0; off < skb->len; off += n) {
		n = min_t(u32, skb->len - off, sizeof(buf));
		if (skb_copy_bits(skb, off, buf, n))
			break;
		found |= tls_hs_scan_key_update(&rx->hs, buf, n);
	}
	if (found)
		tls_rx_update_came(sk, rx);
	return 0;
}

/*
 * Ends the stream with an alert, which the sending side sends when it can. The record is
 * consumed: with unread data, close() would have TCP drop the alert and send a reset.
 */
static int tls_rx_refuse(struct sock *sk, struct tls_rx *rx, u8 alert)
{
	struct tls_tx *tx = tls_tx(sk);

	TLS_STAT_INC(sock_net(sk), TLS_MIB_RX_KEY_UPDATE_REFUSED);
	trace_tls_key_refused(sk, alert);
	WRITE_ONCE(rx->error, -EPROTO);
	if (tx) {
		tx->alert = alert;
		tls_tx_ask(tx, TLS_TX_ALERT);
	}
	tls_reasm_done(sk, rx);
	return -EPROTO;
}

static u8 tls_rx_scan(struct tls_rx *rx, const struct sk_buff *skb,
		      struct tls_ku_scan *scan)
{
	u8 buf[TLS_RX_CHUNK];
	u32 off, n;
	int alert = 0;

	tls_ku_scan_begin(scan);
	for (off = 0; off < skb->len && !alert; off += n) {
		n = min_t(u32, skb->len - off, sizeof(buf));
		alert = skb_copy_bits(skb, off, buf, n) ?
			TLS_ALERT_DECODE_ERROR : tls_ku_scan(scan, buf, n);
	}
	return alert;
}

static bool tls_rx_within_rate(struct tls_rx *rx)
{
	bool in_row = !get_unaligned_be64(rx->ctx->ctx.rx.rec_seq);

	return tls_ku_rate_take(&rx->renew->rate, in_row,
				div_u64(ktime_get_coarse_ns(), NSEC_PER_MSEC));
}

static int tls_rx_take(struct sock *sk, struct tls_rx *rx, struct sk_buff *skb)
{
	struct tls_ku_scan scan = rx->renew->scan;
	struct tls_tx *tx = tls_tx(sk);
	u8 alert = tls_rx_scan(rx, skb, &scan);
	int err;

	if (!alert && scan.found && !tls_rx_within_rate(rx))
		alert = TLS_ALERT_UNEXPECTED_MESSAGE;
	if (alert)
		return tls_rx_refuse(sk, rx, alert);
	err = scan.tail ? pskb_trim(skb, skb->len - scan.tail) : 0;
	if (err)
		return err;
	rx->renew->scan = scan;
	/* rx->hs is used instead, should the program take the secret back. */
	rx->hs.skip = scan.skip;
	rx->hs.hdr_len = scan.hdr_len % sizeof(scan.hdr);
	memcpy(rx->hs.hdr, scan.hdr, sizeof(scan.hdr));
	if (scan.found) {
		tls_rx_update_came(sk, rx);
		if (scan.request && tx)
			tls_tx_ask(tx, TLS_TX_UPDATE);
	}
	return scan.tail && !skb->len;
}

/**
 * tls_rx_handshake() - look for a KeyUpdate
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side; the record is decrypted, and not consumed
 * @skb:	content of a handshake record of TLS 1.3; a KeyUpdate that is the
 *		kernel's is cut off
 *
 * Return: 0; 1 when nothing of the record is the program's; -ENOMEM, with nothing
 * changed; -EPROTO for messages that must not be, which ends the stream.
 */
int tls_rx_handshake(struct sock *sk, struct tls_rx *rx, struct sk_buff *skb)
{
	return tls_renew_owns(rx->renew) ? tls_rx_take(sk, rx, skb) :
					   tls_rx_look(sk, rx, skb);
}

/**
 * tls_rx_count_from() - set the record number at which tls_rx_due() is called
 * @rx:		the receiving side: its key or its limits are new
 */
void tls_rx_count_from(struct tls_rx *rx)
{
	rx->sn_due = tls_renew_due(rx->renew, rx->aead.cipher);
}

/**
 * tls_rx_key_came() - go on with the next key, which is in force
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side
 */
void tls_rx_key_came(struct sock *sk, struct tls_rx *rx)
{
	/* The rest of a message of the old key never comes. */
	memset(&rx->hs, 0, sizeof(rx->hs));
	WRITE_ONCE(rx->key_pending, false);
	tls_offload_rx_check(sk, rx);
}

/**
 * tls_rx_renew() - put the next key in force after a KeyUpdate
 * @sk:		the socket, locked by its owner; tls_rx.key_pending is set
 * @rx:		its receiving side
 *
 * Return: 0; -EKEYEXPIRED when the next key is the program's to set; -ENOMEM.
 */
int tls_rx_renew(struct sock *sk, struct tls_rx *rx)
{
	struct tls_successor next;
	unsigned int noio;
	int err;

	if (!tls_renew_owns(rx->renew))
		return -EKEYEXPIRED;
	noio = tls_noio_save(sk->sk_allocation);
	err = tls_renew_derive(rx->renew, &next, &rx->ctx->ctx.crypto_recv,
			       rx->aead.cipher);
	memalloc_noio_restore(noio);
	if (err)
		return err;
	err = tls_rekey(sk, false, &next.key, &next.aead);
	if (err) {
		tls_successor_drop(&next);
		return err;
	}
	tls_renew_done(rx->renew, &next);
	tls_rx_count_from(rx);
	tls_rx_key_came(sk, rx);
	TLS_STAT_INC(sock_net(sk), TLS_MIB_RX_KEY_UPDATE);
	TLS_STAT_INC(sock_net(sk), TLS_MIB_RX_REKEY_OK);
	trace_tls_key_update(sk, TLS_OFFLOAD_CTX_DIR_RX, rx->renew->updates,
			     false);
	return 0;
}

/**
 * tls_rx_due() - act on a key that comes near its limit, or has reached it
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side
 *
 * If the kernel renews keys, it asks the peer for a new key; the peer may not obey.
 */
void tls_rx_due(struct sock *sk, struct tls_rx *rx)
{
	u64 sn = get_unaligned_be64(rx->ctx->ctx.rx.rec_seq);
	u64 limit = tls_renew_limit(rx->renew, rx->aead.cipher);
	bool end = rx->renew && rx->renew->strict && sn >= limit;
	struct tls_tx *tx = tls_tx(sk);

	TLS_STAT_INC(sock_net(sk), end ? TLS_MIB_RX_KEY_LIMIT :
					 TLS_MIB_RX_KEY_NEAR_LIMIT);
	trace_tls_key_limit(sk, TLS_OFFLOAD_CTX_DIR_RX, limit, end);
	rx->sn_due = !end && rx->renew && rx->renew->strict ? limit : U64_MAX;
	if (end && !tls_renew_owns(rx->renew))
		tls_rx_expire(sk, rx);
	else if (tls_renew_owns(rx->renew) && tx)
		tls_tx_ask(tx, TLS_TX_REQUEST);
}
