// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frees a socket's context and wipes its keys. References are held by the socket
 * (until close; until its destructor if it was offloaded) and by each link to a
 * device.
 */

#include <net/tls.h>

#include "aead.h"
#include "ctx.h"
#include "renew.h"

/**
 * tls_tx_free() - undo tls_tx_alloc(), and wipe the key
 * @tx:		the sending side, drained or dropped; may be NULL
 */
void tls_tx_free(struct tls_tx *tx)
{
	if (!tx)
		return;
	tls_aead_fini(&tx->aead);
	tls_renew_free(tx->renew);
	if (tx->edges.page)
		put_page(tx->edges.page);
	kfree(tx);
}

/**
 * tls_rx_free() - undo tls_rx_alloc(), and wipe the key
 * @rx:		the receiving side, dropped; may be NULL
 */
void tls_rx_free(struct tls_rx *rx)
{
	if (!rx)
		return;
	tls_aead_fini(&rx->aead);
	tls_renew_free(rx->renew);
	kfree(rx);
}

/* Frees the context after a grace period, as inet_diag may still read it. */
static void tls_ctx_free(struct tls_priv *ctx)
{
	tls_tx_free(ctx->ctx.priv_ctx_tx);
	tls_rx_free(ctx->ctx.priv_ctx_rx);
	memzero_explicit(&ctx->ctx.crypto_send, sizeof(ctx->ctx.crypto_send));
	memzero_explicit(&ctx->ctx.crypto_recv, sizeof(ctx->ctx.crypto_recv));
	memzero_explicit(&ctx->ctx.tx, sizeof(ctx->ctx.tx));
	memzero_explicit(&ctx->ctx.rx, sizeof(ctx->ctx.rx));
	mutex_destroy(&ctx->ctx.tx_lock);
	kfree_rcu(ctx, ctx.rcu);
}

/**
 * tls_ctx_put() - drop a reference to a context
 * @ctx:	the context
 */
void tls_ctx_put(struct tls_context *ctx)
{
	if (refcount_dec_and_test(&ctx->refcount))
		tls_ctx_free(container_of(ctx, struct tls_priv, ctx));
}
