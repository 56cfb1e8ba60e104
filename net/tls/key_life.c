// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options for the life of keys: secrets from user space, limits, a KeyUpdate on
 * request, and the state. A receiving side may have its secret only while the
 * sending side has one: the kernel must be able to answer a KeyUpdate.
 */

#include <linux/uaccess.h>
#include <net/sock.h>

#include "key_life.h"
#include "offload.h"
#include "renew.h"
#include "rx_control.h"
#include "tx.h"
#include "tx_control.h"

static void tls_life_lock(struct sock *sk)
{
	mutex_lock(&tls_get_ctx(sk)->tx_lock);
	lock_sock(sk);
}

static void tls_life_unlock(struct sock *sk)
{
	release_sock(sk);
	mutex_unlock(&tls_get_ctx(sk)->tx_lock);
}

static int tls_life_read(void *to, size_t size, sockptr_t optval,
			 unsigned int optlen)
{
	if (sockptr_is_null(optval) || optlen != size)
		return -EINVAL;
	return copy_from_sockptr(to, optval, size) ? -EFAULT : 0;
}

/*
 * Returns the direction's tls_renew, allocated if it is not there; NULL without
 * memory.
 */
static struct tls_renew *tls_life_get(struct tls_renew **renew,
				      struct tls_tx *tx)
{
	if (!*renew)
		WRITE_ONCE(*renew, tls_renew_alloc(tx));
	return *renew;
}

static int tls_life_give(struct tls_renew **renew, struct tls_tx *tx,
			 const union tls_crypto_context *info,
			 const struct tls_cipher *cipher,
			 const struct tls_ext_secret *secret)
{
	struct tls_newkey now = { .info = *info, .cipher = cipher };
	int err = -ENOMEM;

	if (tls_life_get(renew, tx))
		err = tls_renew_secret(*renew, &now, secret);
	memzero_explicit(&now, sizeof(now));
	return err;
}

/**
 * tls_secrets_forget() - wipe the secret, as the program renews the keys itself
 * @sk:		the socket, locked
 * @tx:		direction; with the sending side's secret that of the receiving side
 *		is wiped, too, since KeyUpdates could not be answered
 */
void tls_secrets_forget(struct sock *sk, bool tx)
{
	struct tls_rx *rx = tls_rx(sk);

	if (tx && tls_tx(sk)) {
		tls_renew_forget(tls_tx(sk)->renew);
		clear_bit(TLS_TX_AGED, &tls_tx(sk)->control);
		tls_tx_unask_updates(tls_tx(sk));
	}
	if (rx) {
		tls_offload_next_stop(rx);
		tls_renew_forget(rx->renew);
	}
}

static int tls_tx_secret(struct sock *sk, struct tls_tx *tx,
			 const struct tls_ext_secret *secret)
{
	int err = 0;

	if (secret->hash == TLS_EXT_HASH_NONE)
		tls_secrets_forget(sk, true);
	else
		err = tls_life_give(&tx->renew, tx, &tx->ctx->ctx.crypto_send,
				    tx->aead.cipher, secret);
	if (!err)
		tls_tx_count_from(tx);
	return err;
}

static int tls_rx_secret(struct sock *sk, struct tls_rx *rx,
			 const struct tls_ext_secret *secret)
{
	struct tls_tx *tx = tls_tx(sk);
	int err;

	if (secret->hash == TLS_EXT_HASH_NONE) {
		tls_secrets_forget(sk, false);
		tls_rx_count_from(rx);
		return 0;
	}
	if (rx->key_pending)
		return -EKEYEXPIRED;
	if (!tx || !tls_renew_owns(tx->renew))
		return -ENOKEY;
	err = tls_life_give(&rx->renew, NULL, &rx->ctx->ctx.crypto_recv,
			    rx->aead.cipher, secret);
	if (err)
		return err;
	rx->renew->scan = (struct tls_ku_scan) {
		.skip = rx->hs.skip,
		.hdr_len = rx->hs.hdr_len,
	};
	memcpy(rx->renew->scan.hdr, rx->hs.hdr, sizeof(rx->hs.hdr));
	tls_rx_count_from(rx);
	tls_offload_next_start(rx);
	return 0;
}

static int tls_secret_give(struct sock *sk, bool dir_tx,
			   const struct tls_ext_secret *secret)
{
	struct tls_tx *tx = tls_tx(sk);
	struct tls_rx *rx = tls_rx(sk);

	if (dir_tx ? !tx : !rx)
		return -ENOKEY;
	if (tls_get_ctx(sk)->prot_info.version != TLS_1_3_VERSION)
		return -EINVAL;
	return dir_tx ? tls_tx_secret(sk, tx, secret) :
			tls_rx_secret(sk, rx, secret);
}

/**
 * tls_secret_set() - setsockopt() of TLS_EXT_TX_SECRET and TLS_EXT_RX_SECRET
 * @sk:		the socket, not locked
 * @tx:		direction
 * @optval:	struct tls_ext_secret
 * @optlen:	its bytes
 *
 * Return: 0; -ENOKEY without a key of this direction, or without the secret of the
 * sending one; or an error of tls_renew_secret().
 */
int tls_secret_set(struct sock *sk, bool tx, sockptr_t optval,
		   unsigned int optlen)
{
	struct tls_ext_secret secret;
	int err = tls_life_read(&secret, sizeof(secret), optval, optlen);

	if (!err) {
		tls_life_lock(sk);
		err = tls_secret_give(sk, tx, &secret);
		tls_life_unlock(sk);
	}
	memzero_explicit(&secret, sizeof(secret));
	return err;
}

static int tls_limits_give(struct sock *sk, bool dir_tx,
			   const struct tls_ext_key_limits *limits)
{
	struct tls_tx *tx = tls_tx(sk);
	struct tls_rx *rx = tls_rx(sk);
	struct tls_renew *renew;
	int err;

	if (dir_tx ? !tx : !rx)
		return -ENOKEY;
	renew = dir_tx ? tls_life_get(&tx->renew, tx) :
			 tls_life_get(&rx->renew, NULL);
	err = renew ? tls_renew_limits(renew, limits) : -ENOMEM;
	if (!err && dir_tx)
		tls_tx_count_from(tx);
	else if (!err)
		tls_rx_count_from(rx);
	return err;
}

/**
 * tls_key_limits_set() - setsockopt() of TLS_EXT_TX_LIMITS and TLS_EXT_RX_LIMITS
 * @sk:		the socket, not locked
 * @tx:		direction
 * @optval:	struct tls_ext_key_limits
 * @optlen:	its bytes
 *
 * Return: 0, -ENOKEY without a key of this direction, -EINVAL, or -ENOMEM.
 */
int tls_key_limits_set(struct sock *sk, bool tx, sockptr_t optval,
		       unsigned int optlen)
{
	struct tls_ext_key_limits limits;
	int err = tls_life_read(&limits, sizeof(limits), optval, optlen);

	if (err)
		return err;
	tls_life_lock(sk);
	err = tls_limits_give(sk, tx, &limits);
	tls_life_unlock(sk);
	return err;
}

static int tls_key_update_now(struct sock *sk, bool request)
{
	struct tls_tx *tx = tls_tx(sk);
	int err;

	if (!tx || !tls_renew_owns(tx->renew))
		return -ENOKEY;
	set_bit(request ? TLS_TX_REQUEST : TLS_TX_UPDATE, &tx->control);
	err = tls_tx_messages(sk, tx, 0);
	return err == -EAGAIN || err == -ENOMEM ? 0 : err;
}

/**
 * tls_key_update_set() - setsockopt() of TLS_EXT_KEY_UPDATE
 * @sk:		the socket, not locked
 * @optval:	__u32, TLS_EXT_UPDATE_*
 * @optlen:	its bytes
 *
 * If TCP is full or memory is short, the KeyUpdate is sent later.
 *
 * Return: 0, -ENOKEY without a secret to send with, -EINVAL, or the error that broke
 * the stream.
 */
int tls_key_update_set(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	u32 request;
	int err = tls_life_read(&request, sizeof(request), optval, optlen);

	if (!err && request > TLS_EXT_UPDATE_REQUESTED)
		err = -EINVAL;
	if (err)
		return err;
	tls_life_lock(sk);
	err = tls_key_update_now(sk, request);
	tls_life_unlock(sk);
	return err;
}

/**
 * tls_key_state_get() - getsockopt() of TLS_EXT_TX_SECRET and TLS_EXT_RX_SECRET
 * @sk:		the socket, locked
 * @tx:		direction
 * @state:	filled in; no secret is in it
 *
 * Return: 0 or -ENOKEY without a key of this direction.
 */
int tls_key_state_get(struct sock *sk, bool tx, struct tls_ext_key_state *state)
{
	const struct tls_context *ctx = tls_get_ctx(sk);
	const struct tls_renew *renew;
	const struct tls_cipher *cipher;

	if (tx ? !tls_tx(sk) : !tls_rx(sk))
		return -ENOKEY;
	renew = tx ? tls_tx(sk)->renew : tls_rx(sk)->renew;
	cipher = tx ? tls_tx(sk)->aead.cipher : tls_rx(sk)->aead.cipher;
	memset(state, 0, sizeof(*state));
	state->records = get_unaligned_be64(tx ? ctx->tx.rec_seq :
						 ctx->rx.rec_seq);
	state->limit = tls_renew_limit(renew, cipher);
	if (!renew)
		return 0;
	state->hash = renew->hash;
	state->updates = renew->updates;
	state->age_ms = jiffies_to_msecs(jiffies - renew->born);
	return 0;
}
