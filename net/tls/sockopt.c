// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SOL_TLS options: keys handed on to key.c and read back, and the switches.
 */

#include <linux/tcp.h>
#include <linux/uaccess.h>
#include <net/sock.h>
#include <compat/tls.h>

#include "cipher.h"
#include "epoch.h"
#include "key.h"
#include "key_life.h"
#include "offload_want.h"
#include "sockopt.h"
#include "tls_priv.h"

#define TLS_TX_MIN_PAYLOAD	64	/* RFC 8449, with the type byte */

static int tls_set_zerocopy(struct sock *sk, sockptr_t optval,
			    unsigned int optlen)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	unsigned int value;

	if (sockptr_is_null(optval) || optlen != sizeof(value))
		return -EINVAL;
	if (copy_from_sockptr(&value, optval, sizeof(value)))
		return -EFAULT;
	if (value > 1)
		return -EINVAL;
	lock_sock(sk);
	ctx->zerocopy_sendfile = value;
	release_sock(sk);
	return 0;
}

static int tls_set_no_pad(struct sock *sk, sockptr_t optval,
			  unsigned int optlen)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	int err = -EINVAL;
	u32 value;

	if (sockptr_is_null(optval) || optlen < sizeof(value))
		return -EINVAL;
	err = copy_struct_from_sockptr(&value, sizeof(value), optval, optlen);
	if (err)
		return err == -E2BIG ? -EINVAL : err;
	if (value > 1)
		return -EINVAL;

	lock_sock(sk);
	err = -EINVAL;
	if (ctx->prot_info.version == TLS_1_3_VERSION && tls_rx(sk) &&
	    sk->sk_state == TCP_ESTABLISHED) {
		ctx->rx_no_pad = value;
		err = 0;
	}
	release_sock(sk);
	return err;
}

static int tls_set_max_payload(struct sock *sk, sockptr_t optval,
			       unsigned int optlen)
{
	struct tls_priv *ctx = tls_priv(sk);
	u16 value, min = TLS_TX_MIN_PAYLOAD;
	struct tls_tx *tx;
	int err = 0;

	if (sockptr_is_null(optval) || optlen != sizeof(value))
		return -EINVAL;
	if (copy_from_sockptr(&value, optval, sizeof(value)))
		return -EFAULT;

	mutex_lock(&ctx->ctx.tx_lock);
	lock_sock(sk);
	tx = tls_tx(sk);
	if (ctx->ctx.prot_info.version == TLS_1_3_VERSION)
		min--;
	if (tx && tx->open)
		err = -EBUSY;
	else if (value < min || value > TLS_MAX_PAYLOAD_SIZE)
		err = -EINVAL;
	if (!err) {
		/* Read without a lock for inet_diag. */
		WRITE_ONCE(ctx->max_payload, value);
		if (tx)
			tx->max_payload = value;
	}
	release_sock(sk);
	mutex_unlock(&ctx->ctx.tx_lock);
	return err;
}

/**
 * tls_sockopt_set() - setsockopt(SOL_TLS)
 * @sk:		the socket, not locked
 * @optname:	TLS_*
 * @optval:	value
 * @optlen:	its bytes
 *
 * Return: 0 or an error; after an error nothing has changed.
 */
int tls_sockopt_set(struct sock *sk, int optname, sockptr_t optval,
		    unsigned int optlen)
{
	switch (optname) {
	case TLS_TX:
	case TLS_RX:
		return tls_key_set(sk, optname == TLS_TX, optval, optlen);
	case TLS_TX_ZEROCOPY_RO:
		return tls_set_zerocopy(sk, optval, optlen);
	case TLS_RX_EXPECT_NO_PAD:
		return tls_set_no_pad(sk, optval, optlen);
	case TLS_TX_MAX_PAYLOAD_LEN:
		return tls_set_max_payload(sk, optval, optlen);
	case TLS_EXT_TX_SECRET:
	case TLS_EXT_RX_SECRET:
		return tls_secret_set(sk, optname == TLS_EXT_TX_SECRET, optval,
				      optlen);
	case TLS_EXT_TX_LIMITS:
	case TLS_EXT_RX_LIMITS:
		return tls_key_limits_set(sk, optname == TLS_EXT_TX_LIMITS,
					  optval, optlen);
	case TLS_EXT_TX_OFFLOAD:
	case TLS_EXT_RX_OFFLOAD:
		return tls_offload_want_set(sk, optname == TLS_EXT_TX_OFFLOAD,
					    optval, optlen);
	case TLS_EXT_KEY_UPDATE:
		return tls_key_update_set(sk, optval, optlen);
	default:
		return -ENOPROTOOPT;
	}
}

static int tls_get_key(struct tls_priv *ctx, bool tx,
		       union tls_crypto_context *out, int len)
{
	const union tls_crypto_context *key = tx ? &ctx->ctx.crypto_send :
						   &ctx->ctx.crypto_recv;
	const struct tls_cipher *cipher;

	if (len < (int)sizeof(key->info))
		return -EINVAL;
	if (!TLS_CRYPTO_INFO_READY(&key->info))
		return -EBUSY;
	cipher = tls_cipher_get(key->info.cipher_type);
	if (len != sizeof(key->info) && len != tls_cipher_info_len(cipher))
		return -EINVAL;

	tls_key_refresh(&ctx->ctx, tx, 0);
	memcpy(out, key, len);
	return len;
}

static int tls_get_state(struct sock *sk, bool tx, void *out, int len)
{
	struct tls_ext_key_state state;
	int err = tls_key_state_get(sk, tx, &state);

	if (len < (int)sizeof(state))
		return -EINVAL;
	if (err)
		return err;
	memcpy(out, &state, sizeof(state));
	return sizeof(state);
}

static int tls_get_offload(struct sock *sk, bool tx, void *out, int len)
{
	struct tls_ext_offload_state state;

	if (len < (int)sizeof(state))
		return -EINVAL;
	tls_offload_want_get(sk, tx, &state);
	memcpy(out, &state, sizeof(state));
	return sizeof(state);
}

static int tls_get_value(struct sock *sk, struct tls_priv *ctx, int optname,
			 union tls_crypto_context *out, int len)
{
	u32 value;
	u16 max;

	switch (optname) {
	case TLS_TX:
	case TLS_RX:
		return tls_get_key(ctx, optname == TLS_TX, out, len);
	case TLS_EXT_TX_SECRET:
	case TLS_EXT_RX_SECRET:
		return tls_get_state(sk, optname == TLS_EXT_TX_SECRET, out,
				     len);
	case TLS_EXT_TX_OFFLOAD:
	case TLS_EXT_RX_OFFLOAD:
		return tls_get_offload(sk, optname == TLS_EXT_TX_OFFLOAD, out,
				       len);
	case TLS_TX_ZEROCOPY_RO:
		value = ctx->ctx.zerocopy_sendfile;
		break;
	case TLS_RX_EXPECT_NO_PAD:
		if (ctx->ctx.prot_info.version != TLS_1_3_VERSION)
			return -EINVAL;
		value = ctx->ctx.rx_no_pad;
		break;
	case TLS_TX_MAX_PAYLOAD_LEN:
		if (len < (int)sizeof(max))
			return -EINVAL;
		max = ctx->max_payload;
		memcpy(out, &max, sizeof(max));
		return sizeof(max);
	default:
		return -ENOPROTOOPT;
	}
	if (len < (int)sizeof(value))
		return -EINVAL;
	memcpy(out, &value, sizeof(value));
	return sizeof(value);
}

/**
 * tls_sockopt_get() - getsockopt(SOL_TLS)
 * @sk:		the socket, not locked
 * @optname:	TLS_*
 * @optval:	destination
 * @optlen:	its room; out: bytes written
 *
 * A key is read with the number that its next record takes.
 *
 * Return: 0 or an error.
 */
int tls_sockopt_get(struct sock *sk, int optname, char __user *optval,
		    int __user *optlen)
{
	union tls_crypto_context out = {};
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (!optval)
		return -EINVAL;

	lock_sock(sk);
	len = tls_get_value(sk, tls_priv(sk), optname, &out, len);
	release_sock(sk);

	if (len >= 0 && (copy_to_user(optval, &out, len) ||
			 put_user(len, optlen)))
		len = -EFAULT;
	memzero_explicit(&out, sizeof(out));
	return len < 0 ? len : 0;
}
