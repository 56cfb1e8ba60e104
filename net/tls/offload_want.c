// SPDX-License-Identifier: GPL-2.0-only
/*
 * The options TLS_EXT_TX_OFFLOAD and TLS_EXT_RX_OFFLOAD: whether a program wants a NIC
 * for a direction. A wish takes effect at once if the direction has a key. Reading the
 * option tells why there is no NIC.
 */

#include <linux/uaccess.h>
#include <net/sock.h>

#include "offload.h"
#include "offload_link.h"
#include "offload_tx.h"
#include "offload_want.h"
#include "tx.h"

static_assert(TLS_EXT_WHY_NO_DEVICE == (int)TLS_WHY_NO_DEVICE);
static_assert(TLS_EXT_WHY_FEATURE == (int)TLS_WHY_FEATURE);
static_assert(TLS_EXT_WHY_DOWN == (int)TLS_WHY_DOWN);
static_assert(TLS_EXT_WHY_VERSION == (int)TLS_WHY_VERSION);
static_assert(TLS_EXT_WHY_CIPHER == (int)TLS_WHY_CIPHER);
static_assert(TLS_EXT_WHY_WRAPS == (int)TLS_WHY_WRAPS);
static_assert(TLS_EXT_WHY_SIGNS == (int)TLS_WHY_SIGNS);
static_assert(TLS_EXT_WHY_NOT_WANTED == (int)TLS_WHY_NOT_WANTED);
static_assert(TLS_EXT_WHY_NOT_YET == (int)TLS_WHY_NOT_YET);
static_assert(TLS_EXT_WHY_FULL == (int)TLS_WHY_FULL);
static_assert(TLS_EXT_WHY_MEMORY == (int)TLS_WHY_MEMORY);
static_assert(TLS_EXT_WHY_REFUSED == (int)TLS_WHY_REFUSED);

/* Returns the errno for a direction that must be on a NIC and is not. */
static int tls_want_error(u8 why)
{
	switch (why) {
	case TLS_WHY_NO_DEVICE:
		return -ENODEV;
	case TLS_WHY_DOWN:
		return -ENETDOWN;
	case TLS_WHY_FULL:
		return -ENOSPC;
	case TLS_WHY_MEMORY:
		return -ENOMEM;
	case TLS_WHY_REFUSED:
		return -EIO;
	default:
		return -EOPNOTSUPP;
	}
}

/* Looks for a NIC now, for a direction that is between two records. */
static int tls_want_tx_now(struct sock *sk, struct tls_tx *tx)
{
	int err;

	if (tls_offload_tx_on(tx))
		return 0;
	err = tls_tx_flush(sk, tx);
	if (err)
		return err == -ENOMEM ? err : -EAGAIN;
	tls_ask_again(&tx->ask);
	tx->ask.lazy = false;
	if (tls_offload_tx_next(sk, tx))
		return 0;
	return tx->off && tx->off->link ? -EAGAIN : tls_want_error(tx->ask.why);
}

static int tls_want_rx_now(struct sock *sk, struct tls_rx *rx)
{
	if (rx->link && !READ_ONCE(rx->link->lost))
		return 0;
	if (rx->reader || rx->copy || rx->key_pending || rx->old)
		return -EAGAIN;
	tls_ask_again(&rx->ask);
	rx->ask.lazy = false;
	tls_offload_rx_check(sk, rx);
	if (rx->link && !READ_ONCE(rx->link->lost))
		return 0;
	return rx->link ? -EAGAIN : tls_want_error(rx->ask.why);
}

static void tls_want_leave(struct tls_tx *tx, struct tls_rx *rx)
{
	if (tx && tx->off && tx->off->link)
		tls_link_retire(tx->off->link, TLS_LEFT_PROGRAM);
	if (rx && rx->link && !READ_ONCE(rx->link->lost)) {
		tls_offload_next_stop(rx);
		tls_link_drop(rx->link, TLS_LEFT_PROGRAM);
	}
}

static int tls_want_do(struct sock *sk, enum tls_offload_ctx_dir dir, u32 want)
{
	bool dir_tx = dir == TLS_OFFLOAD_CTX_DIR_TX;
	struct tls_tx *tx = dir_tx ? tls_tx(sk) : NULL;
	struct tls_rx *rx = dir_tx ? NULL : tls_rx(sk);
	struct tls_ask *ask;

	if (want == TLS_EXT_OFFLOAD_REQUIRE && !tx && !rx)
		return -ENOKEY;
	if (want == TLS_EXT_OFFLOAD_REQUIRE)
		return tx ? tls_want_tx_now(sk, tx) : tls_want_rx_now(sk, rx);
	if (want == TLS_EXT_OFFLOAD_NEVER)
		tls_want_leave(tx, rx);
	ask = tx ? &tx->ask : rx ? &rx->ask : NULL;
	if (ask) {
		/* The number of bytes to wait for may have changed. */
		ask->lazy = false;
		tls_ask_again(ask);
	}
	return 0;
}

static int tls_want_change(struct sock *sk, enum tls_offload_ctx_dir dir,
			   const struct tls_ext_offload *want)
{
	struct tls_priv *priv = tls_priv(sk);
	u8 before = priv->want[dir];
	int err;

	priv->want[dir] = want->want;
	err = tls_want_do(sk, dir, want->want);
	if (err)
		priv->want[dir] = before;
	else
		priv->lazy_bytes[dir] = want->lazy_bytes;
	return err;
}

/**
 * tls_offload_want_set() - setsockopt() of TLS_EXT_TX_OFFLOAD and TLS_EXT_RX_OFFLOAD
 * @sk:		the socket, not locked
 * @tx:		direction
 * @optval:	struct tls_ext_offload
 * @optlen:	its bytes
 *
 * Return: 0; -EINVAL; of REQUIRE also -ENOKEY without a key, -EAGAIN while TCP is full,
 * a reader is at work, or an old key or context is not gone, and the reason why no NIC
 * takes the direction, as an errno. After an error the wish is as before.
 */
int tls_offload_want_set(struct sock *sk, bool tx, sockptr_t optval,
			 unsigned int optlen)
{
	struct tls_ext_offload want;
	int err;

	if (sockptr_is_null(optval) || optlen != sizeof(want))
		return -EINVAL;
	if (copy_from_sockptr(&want, optval, sizeof(want)))
		return -EFAULT;
	if (want.want > TLS_EXT_OFFLOAD_REQUIRE ||
	    (want.lazy_bytes > TLS_EXT_LAZY_MAX &&
	     want.lazy_bytes != TLS_EXT_LAZY_AUTO) ||
	    (want.lazy_bytes && want.want != TLS_EXT_OFFLOAD_DEFAULT))
		return -EINVAL;
	mutex_lock(&tls_get_ctx(sk)->tx_lock);
	lock_sock(sk);
	err = tls_want_change(sk, tx ? TLS_OFFLOAD_CTX_DIR_TX :
				       TLS_OFFLOAD_CTX_DIR_RX, &want);
	release_sock(sk);
	mutex_unlock(&tls_get_ctx(sk)->tx_lock);
	return err;
}

/**
 * tls_offload_want_get() - getsockopt() of TLS_EXT_TX_OFFLOAD and TLS_EXT_RX_OFFLOAD
 * @sk:		the socket, locked
 * @tx:		direction
 * @state:	filled in
 */
void tls_offload_want_get(struct sock *sk, bool tx,
			  struct tls_ext_offload_state *state)
{
	const struct tls_priv *priv = tls_priv(sk);
	const struct tls_tx *out = tx ? tls_tx(sk) : NULL;
	const struct tls_rx *in = tx ? NULL : tls_rx(sk);
	int dir = tx ? TLS_OFFLOAD_CTX_DIR_TX : TLS_OFFLOAD_CTX_DIR_RX;

	memset(state, 0, sizeof(*state));
	state->want = priv->want[dir];
	state->lazy_bytes = priv->lazy_bytes[dir];
	if (out) {
		state->on_nic = tls_offload_tx_on(out);
		state->why = out->ask.why;
	} else if (in) {
		state->on_nic = in->link && !READ_ONCE(in->link->lost);
		state->why = in->ask.why;
	}
}
