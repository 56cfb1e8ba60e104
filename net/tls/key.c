// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys as user space sets them: read, checked, made ready and put in force. A key
 * is usable before a sender or reader can see it, and an old key stays in force
 * until its successor is.
 */

#include <linux/tcp.h>
#include <linux/uaccess.h>
#include <net/sock.h>

#include "aead.h"
#include "ctx.h"
#include "key.h"
#include "key_life.h"
#include "offload.h"
#include "rekey.h"
#include "renew.h"
#include "rx.h"
#include "rx_control.h"
#include "tx.h"
#include "tx_control.h"

static bool tls_version_known(u16 version)
{
	return version == TLS_1_2_VERSION || version == TLS_1_3_VERSION;
}

static int tls_newkey_read(struct tls_newkey *key, sockptr_t optval,
			   unsigned int optlen)
{
	struct tls_crypto_info *info = &key->info.info;

	if (sockptr_is_null(optval) || optlen < sizeof(*info))
		return -EINVAL;
	if (copy_from_sockptr(info, optval, sizeof(*info)))
		return -EFAULT;
	if (!tls_version_known(info->version))
		return -EINVAL;
	key->cipher = tls_cipher_get(info->cipher_type);
	if (!key->cipher || optlen != tls_cipher_info_len(key->cipher))
		return -EINVAL;
	if (key->cipher->only_12 && info->version != TLS_1_2_VERSION)
		return -EINVAL;
	return copy_from_sockptr_offset(info + 1, optval, sizeof(*info),
					optlen - sizeof(*info)) ? -EFAULT : 0;
}

static bool tls_same_kind(const union tls_crypto_context *a,
			  const union tls_crypto_context *b)
{
	return a->info.version == b->info.version &&
	       a->info.cipher_type == b->info.cipher_type;
}

/*
 * Checks a new key against @old, the key in use of its direction, and @other, the
 * key of the other direction: version and cipher must be equal. Returns 1 when @old
 * is to be replaced, which is possible with TLS 1.3 only.
 */
static int tls_newkey_check(const struct tls_newkey *key,
			    const union tls_crypto_context *old,
			    const union tls_crypto_context *other)
{
	if (TLS_CRYPTO_INFO_READY(&old->info)) {
		if (old->info.version != TLS_1_3_VERSION)
			return -EBUSY;
		return tls_same_kind(&key->info, old) ? 1 : -EINVAL;
	}
	if (TLS_CRYPTO_INFO_READY(&other->info) &&
	    !tls_same_kind(&key->info, other))
		return -EINVAL;
	return 0;
}

static void tls_prot_info_set(struct tls_prot_info *prot,
			      const struct tls_newkey *key,
			      const struct tls_rec_fmt *fmt)
{
	prot->version = key->info.info.version;
	prot->cipher_type = key->info.info.cipher_type;
	prot->prepend_size = fmt->prepend_len;
	prot->tag_size = fmt->tag_len;
	prot->tail_size = fmt->tail_len;
	prot->overhead_size = fmt->prepend_len + fmt->tag_len + fmt->tail_len;
	prot->iv_size = key->cipher->iv_len;
	prot->salt_size = key->cipher->salt_len;
	prot->rec_seq_size = TLS_REC_SEQ_LEN;
	prot->aad_size = fmt->is_13 ? TLS_REC_HDR_LEN : TLS_REC_AAD12_LEN;
}

/* Makes the sending side visible to senders, once it has its key. */
static void tls_tx_publish(struct sock *sk, struct tls_context *ctx,
			   struct tls_tx *tx)
{
	ctx->tx_conf = TLS_SW;
	TLS_STAT_INC(sock_net(sk), LINUX_MIB_TLSCURRTXSW);
	/* Pairs with tls_tx(). */
	smp_store_release(&ctx->priv_ctx_tx, tx);
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_write_space = tls_tx_write_space;
	write_unlock_bh(&sk->sk_callback_lock);
}

static void tls_rx_publish(struct sock *sk, struct tls_context *ctx,
			   struct tls_rx *rx)
{
	ctx->rx_conf = TLS_SW;
	TLS_STAT_INC(sock_net(sk), LINUX_MIB_TLSCURRRXSW);
	/* Pairs with tls_rx(). */
	smp_store_release(&ctx->priv_ctx_rx, rx);
}

static void tls_key_count_first(struct sock *sk, bool tx, bool device)
{
	if (tx)
		TLS_STAT_INC(sock_net(sk), device ? LINUX_MIB_TLSTXDEVICE :
						    LINUX_MIB_TLSTXSW);
	else
		TLS_STAT_INC(sock_net(sk), device ? LINUX_MIB_TLSRXDEVICE :
						    LINUX_MIB_TLSRXSW);
}

/*
 * Sets the first key of a direction. If a device is likely to take it, the cipher of the
 * crypto API is allocated only when it is needed.
 */
static int tls_key_first(struct sock *sk, struct tls_priv *ctx, bool is_tx,
			 const struct tls_newkey *key)
{
	struct tls_tx *tx = is_tx ? tls_tx_alloc(ctx) : NULL;
	struct tls_rx *rx = is_tx ? NULL : tls_rx_alloc(ctx);
	struct tls_aead *aead;
	int err = 0, why;

	if (!tx && !rx)
		return -ENOMEM;
	why = tls_offload_look(sk, tx ? &tx->ask : &rx->ask,
			       tx ? TLS_OFFLOAD_CTX_DIR_TX :
				    TLS_OFFLOAD_CTX_DIR_RX, &key->info.info);
	aead = tx ? &tx->aead : &rx->aead;
	tls_aead_prepare(aead, key->cipher, &key->info);
	if (why)
		err = tls_aead_make(aead, 0);
	if (err) {
		tls_tx_free(tx);
		tls_rx_free(rx);
		return err;
	}

	tls_prot_info_set(&ctx->ctx.prot_info, key, &aead->fmt);
	tls_key_store(&ctx->ctx, is_tx, key);
	if (tx)
		tls_tx_count_from(tx);
	else
		tls_rx_count_from(rx);
	if (tx)
		tls_tx_publish(sk, &ctx->ctx, tx);
	else
		tls_rx_publish(sk, &ctx->ctx, rx);
	tls_key_count_first(sk, is_tx, tls_offload_start(sk, is_tx, why));
	if (rx)
		tls_rx_start(sk, rx);
	return 0;
}

/*
 * Judges a key that the program sets after the first one. If the kernel renews the
 * keys, it may have put this key in force already, which is no error. Any other key
 * is refused once the kernel has renewed: it may be an older key, and its record
 * numbers would be used twice.
 *
 * Return: 0 for a key to put in force, 1 when it is in force, or -EKEYREJECTED.
 */
static int tls_key_judge(struct sock *sk, bool tx, const struct tls_newkey *key)
{
	const struct tls_renew *renew = tx ? tls_tx(sk)->renew :
					     tls_rx(sk)->renew;
	const struct tls_context *ctx = tls_get_ctx(sk);

	if (!tls_renew_owns(renew))
		return 0;
	if (tls_newkey_same(tx ? &ctx->crypto_send : &ctx->crypto_recv, key))
		return 1;
	return renew->updates ? -EKEYREJECTED : 0;
}

static int tls_key_next(struct sock *sk, bool tx, const struct tls_newkey *key)
{
	struct tls_aead aead = {};
	int err = tls_key_judge(sk, tx, key);

	if (err)
		return err < 0 ? err : 0;
	err = tls_newkey_prepare(&aead, key);
	/* The payload of an open record was written before the key changed. */
	if (!err && tx)
		err = tls_tx_finish(sk, tls_tx(sk));
	/* The device must not go on with a key that was derived. */
	if (!err && !tx)
		tls_offload_next_stop(tls_rx(sk));
	if (!err)
		err = tls_rekey(sk, tx, key, &aead);
	if (err) {
		tls_aead_fini(&aead);
		return err;
	}
	tls_secrets_forget(sk, tx);
	if (tx) {
		tls_tx_count_from(tls_tx(sk));
	} else {
		tls_rx_count_from(tls_rx(sk));
		tls_rx_rekeyed(sk, tls_rx(sk));
	}
	return 0;
}

static void tls_key_count_next(struct sock *sk, bool tx, bool error)
{
	if (tx)
		TLS_STAT_INC(sock_net(sk), error ? TLS_MIB_TX_REKEY_ERROR :
						   TLS_MIB_TX_REKEY_OK);
	else
		TLS_STAT_INC(sock_net(sk), error ? TLS_MIB_RX_REKEY_ERROR :
						   TLS_MIB_RX_REKEY_OK);
}

static int tls_key_put(struct sock *sk, struct tls_priv *ctx, bool tx,
		       const struct tls_newkey *key)
{
	struct tls_context *c = &ctx->ctx;
	int err;

	err = tls_newkey_check(key, tx ? &c->crypto_send : &c->crypto_recv,
			       tx ? &c->crypto_recv : &c->crypto_send);
	if (!err)
		return tls_key_first(sk, ctx, tx, key);
	if (!(tx ? c->priv_ctx_tx : c->priv_ctx_rx))
		return err;
	if (err > 0)
		err = tls_key_next(sk, tx, key);
	tls_key_count_next(sk, tx, err);
	return err;
}

/**
 * tls_key_set() - handle setsockopt() of TLS_TX and TLS_RX
 * @sk:		the socket, not locked
 * @tx:		direction
 * @optval:	struct tls12_crypto_info_*
 * @optlen:	its bytes
 *
 * The first key of a direction, or the next one after a KeyUpdate of TLS 1.3.
 *
 * Return: 0 or an error; after an error nothing has changed.
 */
int tls_key_set(struct sock *sk, bool tx, sockptr_t optval, unsigned int optlen)
{
	struct tls_priv *ctx = tls_priv(sk);
	struct tls_newkey key = {};
	int err;

	err = tls_newkey_read(&key, optval, optlen);
	if (!err) {
		if (tx)
			mutex_lock(&ctx->ctx.tx_lock);
		lock_sock(sk);
		err = tls_key_put(sk, ctx, tx, &key);
		release_sock(sk);
		if (tx)
			mutex_unlock(&ctx->ctx.tx_lock);
	}
	memzero_explicit(&key, sizeof(key));
	return err;
}
