// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frees the context of an offloaded socket. After close, packets of the socket
 * still need the context, so it is freed by the socket's destructor. Until then the
 * context holds a reference to the module.
 */

#include <linux/llist.h>
#include <linux/module.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>
#include <net/tls.h>
#include <compat/tls.h>

#include "ctx.h"
#include "export.h"
#include "offload_link.h"
#include "offload_tx.h"
#include "work.h"

/**
 * tls_offload_tx_free() - free the offload state of a sending side
 * @tx:		sending side without a link and without packets
 */
void tls_offload_tx_free(struct tls_tx *tx)
{
	struct tls_off_tx *off = tx->off;

	if (!off)
		return;
	tls_offload_rec_drop(tx);
	kfree(off);
	tx->off = NULL;
}

/* Deletes the device's context, if there still is one, after the last packet. */
static void tls_offload_tx_destroy(struct tls_tx *tx)
{
	if (tx->off && tx->off->link) {
		tls_link_del(tx->off->link);
		tls_link_put(tx->off->link);
	}
	tls_offload_tx_free(tx);
}

/* Contexts of freed sockets; tls_dev_del is still to be called for them. */
static LLIST_HEAD(tls_orphans);

static void tls_orphans_destroy(struct work_struct *work)
{
	struct llist_node *orphans = llist_del_all(&tls_orphans);
	struct tls_priv *ctx, *next;

	llist_for_each_entry_safe(ctx, next, orphans, orphan) {
		tls_offload_tx_destroy(ctx->ctx.priv_ctx_tx);
		tls_ctx_put(&ctx->ctx);
		module_put(THIS_MODULE);
	}
}

static DECLARE_DELAYED_WORK(tls_orphans_work, tls_orphans_destroy);

/* See tls_device_sk_destruct(). */
void tls_sock_destruct(struct sock *sk)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_tx *tx = ctx->priv_ctx_tx;

	/* tls_link_stray() reads the socket's route, which is freed below. */
	if (tx && tx->off && tx->off->link)
		tls_link_orphan(tx->off->link);
	ctx->sk_destruct(sk);
	if (!tx || !tx->off) {
		tls_ctx_put(ctx);
		module_put(THIS_MODULE);
		return;
	}
	tls_output_unhook(sk);
	if (tx->off->hooked)
		clean_acked_data_disable(tcp_sk(sk));
	/* A jiffy later, so that one wakeup serves all sockets closed now. */
	if (llist_add(&container_of(ctx, struct tls_priv, ctx)->orphan,
		      &tls_orphans))
		tls_work_queue(&tls_orphans_work, 1);
}
