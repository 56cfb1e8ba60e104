// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages that the kernel sends by itself between two records of the program:
 * KeyUpdates and alerts. A message waits until TCP has all earlier records, so that
 * requests of a peer that does not read are joined into one answer.
 */

#include <net/sock.h>

#include "aead.h"
#include "offload.h"
#include "rekey.h"
#include "renew.h"
#include "trace.h"
#include "tx_control.h"
#include "tx_push.h"
#include "tx_rec.h"

#define TLS_ALERT_LEN	2
#define TLS_ALERT_FATAL	2

/*
 * Sends one message in a record of its own. If a device encrypts the direction, this
 * record is its own, too: it must not miss bytes.
 */
static int tls_tx_message(struct sock *sk, struct tls_tx *tx, u8 type,
			  const void *data, u32 len)
{
	struct kvec vec = { .iov_base = (void *)data, .iov_len = len };
	bool plain = tls_offload_tx_next(sk, tx);
	struct tls_tx_rec *rec;
	struct msghdr msg = {};
	int err;

	err = plain ? 0 : tls_aead_ready(&tx->aead, sk->sk_allocation);
	if (err)
		return err;
	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1, len);
	rec = tls_tx_rec_alloc(sk, tx);
	if (!rec)
		return -ENOMEM;
	rec->type = type;
	rec->plain = plain;
	err = tls_tx_rec_copy(sk, tx, rec, &msg, len, true);
	err = err == len ? tls_tx_seal_rec(sk, tx, rec) : -ENOMEM;
	if (err)
		tls_tx_rec_free(sk, tx, rec);
	return err;
}

/**
 * tls_tx_count_from() - set the record number at which TLS_TX_DUE is set
 * @tx:		the sending side: its key or its limits are new
 */
void tls_tx_count_from(struct tls_tx *tx)
{
	u64 due = tls_renew_due(tx->renew, tx->aead.cipher);
	bool now = get_unaligned_be64(tx->ctx->ctx.tx.rec_seq) >= due;

	assign_bit(TLS_TX_DUE, &tx->control, now);
	tx->sn_due = now ? U64_MAX : due;
}

/**
 * tls_tx_key_lasts() - tell whether a key may protect more records
 * @tx:		the sending side
 * @records:	how many more
 *
 * Return: true when the limit of the key allows them.
 */
bool tls_tx_key_lasts(const struct tls_tx *tx, u32 records)
{
	return get_unaligned_be64(tx->ctx->ctx.tx.rec_seq) <=
	       tls_renew_limit(tx->renew, tx->aead.cipher) - records;
}

/*
 * Refuses data at the limit: the last records are for a KeyUpdate of the program.
 */
static int tls_tx_limit(struct sock *sk, struct tls_tx *tx, u64 limit)
{
	TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_KEY_LIMIT);
	trace_tls_key_limit(sk, TLS_OFFLOAD_CTX_DIR_TX, limit, true);
	set_bit(TLS_TX_DUE, &tx->control);
	return -EKEYEXPIRED;
}

static int tls_tx_due(struct sock *sk, struct tls_tx *tx)
{
	u64 sn = get_unaligned_be64(tx->ctx->ctx.tx.rec_seq);
	u64 limit = tls_renew_limit(tx->renew, tx->aead.cipher);

	if (tls_renew_owns(tx->renew)) {
		set_bit(TLS_TX_UPDATE, &tx->control);
		return 0;
	}
	if (tx->renew && tx->renew->strict && sn >= tls_key_end_at(limit))
		return tls_tx_limit(sk, tx, limit);
	TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_KEY_NEAR_LIMIT);
	trace_tls_key_limit(sk, TLS_OFFLOAD_CTX_DIR_TX, limit, false);
	tx->sn_due = tx->renew && tx->renew->strict ? tls_key_end_at(limit) :
						      U64_MAX;
	return 0;
}

/* Sends a KeyUpdate with the old key; the next record has the new one. */
static int tls_tx_update(struct sock *sk, struct tls_tx *tx)
{
	bool request = READ_ONCE(tx->control) &
		       (BIT(TLS_TX_REQUEST) | BIT(TLS_TX_OWN_REQUEST));
	u8 message[TLS_KEY_UPDATE_LEN];
	struct tls_successor next;
	unsigned int noio;
	int err;

	noio = tls_noio_save(sk->sk_allocation);
	err = tls_renew_derive(tx->renew, &next, &tx->ctx->ctx.crypto_send,
			       tx->aead.cipher);
	memalloc_noio_restore(noio);
	if (err)
		return err;
	tls_ku_build(message, request);
	err = tls_tx_message(sk, tx, TLS_REC_HANDSHAKE, message,
			     sizeof(message));
	if (err) {
		tls_successor_drop(&next);
		return err;
	}
	/* tls_rekey() cannot fail for a direction that sends. */
	tls_rekey(sk, true, &next.key, &next.aead);
	tls_tx_unask_updates(tx);
	tls_renew_done(tx->renew, &next);
	tls_tx_count_from(tx);
	TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_KEY_UPDATE);
	TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_REKEY_OK);
	trace_tls_key_update(sk, TLS_OFFLOAD_CTX_DIR_TX, tx->renew->updates,
			     request);
	return 0;
}

/* Sends an alert, after which nothing is sent. */
static int tls_tx_alert(struct sock *sk, struct tls_tx *tx)
{
	u8 message[TLS_ALERT_LEN] = { TLS_ALERT_FATAL, tx->alert };
	int err = tls_tx_message(sk, tx, TLS_REC_ALERT, message,
				 sizeof(message));

	if (err)
		return err;
	clear_bit(TLS_TX_ALERT, &tx->control);
	tls_tx_push(sk, tx, 0);
	tx->error = -EPROTO;
	return tx->error;
}

/* A key that protected no record does not age. */
static void tls_tx_aged(struct tls_tx *tx)
{
	/* The secret may have been taken back meanwhile. */
	if (!tls_renew_owns(tx->renew))
		return;
	if (get_unaligned_be64(tx->ctx->ctx.tx.rec_seq))
		set_bit(TLS_TX_UPDATE, &tx->control);
	else
		tls_renew_age_start(tx->renew);
}

static bool tls_tx_update_due(const struct tls_tx *tx)
{
	return tls_renew_owns(tx->renew) &&
	       READ_ONCE(tx->control) & TLS_TX_UPDATES;
}

/**
 * tls_tx_control() - send the messages that tls_tx_ask() asked for
 * @sk:		the socket, locked, with tx_lock; no record is open
 * @tx:		its sending side
 * @flags:	MSG_MORE when more follows at once
 *
 * Return: 0; -EAGAIN or -ENOMEM, to be tried again; -EKEYEXPIRED at the limit of a
 * key that the kernel does not renew; another error broke the stream.
 */
int tls_tx_control(struct sock *sk, struct tls_tx *tx, int flags)
{
	int err = tls_tx_push(sk, tx, flags);

	if (!err && test_and_clear_bit(TLS_TX_DUE, &tx->control))
		err = tls_tx_due(sk, tx);
	if (!err && test_and_clear_bit(TLS_TX_AGED, &tx->control))
		tls_tx_aged(tx);
	if (!err && tls_tx_update_due(tx))
		err = tls_tx_update(sk, tx);
	if (!err && test_bit(TLS_TX_ALERT, &tx->control))
		err = tls_tx_alert(sk, tx);
	return err ?: tls_tx_push(sk, tx, flags);
}

/*
 * Returns true if one of a call's messages is a KeyUpdate. The call is taken to begin
 * with a message; a part of one must not be refused for a byte that looks like the type.
 */
static bool tls_tx_has_update(struct iov_iter *messages)
{
	size_t left = iov_iter_count(messages), taken = 0, len;
	bool found = false;
	u8 hdr[4];

	while (!found && left - taken >= sizeof(hdr) &&
	       copy_from_iter_full(hdr, sizeof(hdr), messages)) {
		taken += sizeof(hdr);
		len = hdr[1] << 16 | hdr[2] << 8 | hdr[3];
		found = hdr[0] == TLS_HS_KEY_UPDATE && len == 1;
		len = min(len, left - taken);
		iov_iter_advance(messages, len);
		taken += len;
	}
	iov_iter_revert(messages, taken);
	return found;
}

/**
 * tls_tx_own_update() - handle a KeyUpdate that the program sends
 * @sk:		the socket, locked, with tx_lock; no record is open
 * @tx:		its sending side
 * @message:	handshake messages; advanced by the bytes taken
 *
 * If the kernel renews the keys of this direction, it takes the message, sends a
 * KeyUpdate of its own, and goes on with the next key.
 *
 * Return: bytes taken; 0 for any other message, or if the program renews the keys;
 * -EINVAL for a KeyUpdate among other messages, or one with another value; or an error
 * of tls_tx_control().
 */
int tls_tx_own_update(struct sock *sk, struct tls_tx *tx,
		      struct iov_iter *message)
{
	u8 bytes[TLS_KEY_UPDATE_LEN];
	struct tls_ku_scan scan = {};
	int bit, err;

	if (!tls_renew_owns(tx->renew))
		return 0;
	if (iov_iter_count(message) != sizeof(bytes))
		return tls_tx_has_update(message) ? -EINVAL : 0;
	if (!copy_from_iter_full(bytes, sizeof(bytes), message))
		return -EFAULT;
	if (tls_ku_scan(&scan, bytes, sizeof(bytes)) || !scan.found) {
		iov_iter_revert(message, sizeof(bytes));
		return tls_tx_has_update(message) ? -EINVAL : 0;
	}
	/* Not the bits of the kernel's own requests, which outlive this call. */
	bit = scan.request ? TLS_TX_OWN_REQUEST : TLS_TX_OWN_UPDATE;
	set_bit(bit, &tx->control);
	err = tls_tx_control(sk, tx, 0);
	if (!err || !test_bit(bit, &tx->control))
		return sizeof(bytes);
	clear_bit(bit, &tx->control);
	iov_iter_revert(message, sizeof(bytes));
	return err;
}
