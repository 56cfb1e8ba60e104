// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of an offloaded socket's context after close: packets still need
 * it, so it goes with the socket itself. The module stays until then too.
 */

#include <linux/module.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "export.h"
#include "offload.h"
#include "tls_main.h"

/**
 * tls_ctx_put() - let go of a context
 * @ctx:	the context
 */
void tls_ctx_put(struct tls_context *ctx)
{
	if (refcount_dec_and_test(&ctx->refcount))
		tls_ctx_free(container_of(ctx, struct tls_priv, ctx));
}

static void tls_sock_destroy(struct work_struct *work)
{
	struct tls_priv *ctx = container_of(work, struct tls_priv, destroy);

	tls_offload_tx_destroy(ctx->ctx.priv_ctx_tx);
	tls_ctx_put(&ctx->ctx);
	module_put(THIS_MODULE);
}

/* See tls_device_sk_destruct(). */
void tls_sock_destruct(struct sock *sk)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_tx *tx = ctx->priv_ctx_tx;

	ctx->sk_destruct(sk);
	if (!tx || !tx->off) {
		tls_ctx_put(ctx);
		module_put(THIS_MODULE);
		return;
	}
	if (tx->off->link)
		tls_link_orphan(tx->off->link);
	if (tx->off->hooked)
		clean_acked_data_disable(inet_csk(sk));
	tls_work_queue_any(&container_of(ctx, struct tls_priv, ctx)->destroy);
}

/**
 * tls_offload_hook() - the context is the socket's until it is destroyed
 * @sk:		the socket, locked
 *
 * Drivers know an offloaded socket by its destructor.
 */
void tls_offload_hook(struct sock *sk)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	if (ctx->sk_destruct)
		return;
	__module_get(THIS_MODULE);
	INIT_WORK(&tls_priv(sk)->destroy, tls_sock_destroy);
	ctx->sk_destruct = sk->sk_destruct;
	/* Pairs with the acquire in tls_is_sk_rx_device_offloaded(). */
	smp_store_release(&sk->sk_destruct, tls_device_sk_destruct);
}
