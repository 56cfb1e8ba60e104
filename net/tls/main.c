// SPDX-License-Identifier: GPL-2.0-only
/*
 * The "tls" upper-layer protocol of TCP: registration, and the life of a
 * socket's context from setsockopt(TCP_ULP) to close. What it holds after
 * close is what unacknowledged packets still need (see offload_tx.c).
 */

#include <linux/module.h>
#include <net/inet_connection_sock.h>
#include <linux/inet_diag.h>
#include <net/tcp.h>

#include "aead.h"
#include "idle.h"
#include "offload.h"
#include "reasm.h"
#include "rx.h"
#include "tls_main.h"
#include "tx.h"

static struct workqueue_struct *tls_wq;

/**
 * tls_work_queue() - run a work on the module's own queue
 * @work:	the work, finished when the module's exit has run
 * @delay:	jiffies
 */
void tls_work_queue(struct delayed_work *work, unsigned long delay)
{
	queue_delayed_work(tls_wq, work, delay);
}

/**
 * tls_work_queue_rx() - have a record gathered by a worker
 * @rx:		the receiving side
 */
void tls_work_queue_rx(struct tls_rx *rx)
{
	queue_work(tls_wq, &rx->work);
}

/**
 * tls_ctx_free() - wipe and free a context, after any diagnostics reader
 * @ctx:	not reachable from its socket any more
 */
void tls_ctx_free(struct tls_priv *ctx)
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

static int tls_init(struct sock *sk)
{
	struct tls_priv *ctx;
	int err;

	if (sk->sk_state != TCP_ESTABLISHED)
		return -ENOTCONN;

	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	mutex_init(&ctx->ctx.tx_lock);
	refcount_set(&ctx->ctx.refcount, 1);
	INIT_LIST_HEAD(&ctx->ctx.list);
	ctx->ctx.sk = sk;

	err = tls_proto_attach(sk, ctx);
	if (err) {
		mutex_destroy(&ctx->ctx.tx_lock);
		kfree(ctx);
	}
	return err;
}

static void tls_close_tx(struct sock *sk, struct tls_tx *tx)
{
	tls_tx_drain(sk, tx);
	tls_tx_drop(sk, tx);
	tls_offload_tx_close(sk, tx);
	tls_aead_retire(&tx->aead);
	TLS_STAT_DEC(sock_net(sk), LINUX_MIB_TLSCURRTXSW);
}

static void tls_close_rx(struct sock *sk, struct tls_rx *rx)
{
	tls_rx_detach(sk, rx);
	tls_offload_rx_close(sk, rx);
	tls_rx_drop(rx);
	tls_aead_retire(&rx->aead);
	TLS_STAT_DEC(sock_net(sk), LINUX_MIB_TLSCURRRXSW);
}

static void tls_close_detach(struct sock *sk, struct tls_priv *ctx, bool keep)
{
	write_lock_bh(&sk->sk_callback_lock);
	if (!keep)
		rcu_assign_pointer(inet_csk(sk)->icsk_ulp_data, NULL);
	WRITE_ONCE(sk->sk_prot, ctx->ctx.sk_proto);
	if (sk->sk_write_space == tls_tx_write_space)
		sk->sk_write_space = ctx->ctx.sk_write_space;
	write_unlock_bh(&sk->sk_callback_lock);
}

/**
 * tls_close() - the last user of the socket let go
 * @sk:		the socket
 * @timeout:	for TCP
 */
void tls_close(struct sock *sk, long timeout)
{
	struct tls_priv *ctx = tls_priv(sk);
	struct proto *base = ctx->ctx.sk_proto;
	struct tls_tx *tx = tls_tx(sk);
	struct tls_rx *rx = tls_rx(sk);
	bool keep;

	/* The works take the socket lock. */
	if (tx)
		tls_tx_stop(tx);
	if (rx)
		disable_work_sync(&rx->work);

	lock_sock(sk);
	if (tx)
		tls_close_tx(sk, tx);
	if (rx)
		tls_close_rx(sk, rx);
	keep = ctx->ctx.sk_destruct;
	tls_close_detach(sk, ctx, keep);
	release_sock(sk);

	base->close(sk, timeout);
	/* A device's context goes with the last packet, see the destructor. */
	if (!keep)
		tls_ctx_put(&ctx->ctx);
}

static void tls_update(struct sock *sk, struct proto *p,
		       void (*write_space)(struct sock *sk))
{
	struct tls_context *ctx = tls_get_ctx(sk);

	if (ctx) {
		ctx->sk_write_space = write_space;
		ctx->sk_proto = p;
	} else {
		/* Pairs with lockless reads of sk->sk_prot. */
		WRITE_ONCE(sk->sk_prot, p);
		sk->sk_write_space = write_space;
	}
}

/* A device that is gone has left the socket to software already. */
static u16 tls_conf_info(u8 conf, bool lost)
{
	switch (conf) {
	case TLS_SW:
		return TLS_CONF_SW;
	case TLS_HW:
		return lost ? TLS_CONF_SW : TLS_CONF_HW;
	case TLS_HW_RECORD:
		return TLS_CONF_HW_RECORD;
	default:
		return TLS_CONF_BASE;
	}
}

static int tls_get_info_put(const struct tls_context *ctx, struct sk_buff *skb)
{
	const bool *lost = container_of(ctx, struct tls_priv, ctx)->lost;
	u16 version = ctx->prot_info.version;
	int err = 0;

	if (version)
		err = nla_put_u16(skb, TLS_INFO_VERSION, version) ?:
		      nla_put_u16(skb, TLS_INFO_CIPHER,
				  ctx->prot_info.cipher_type);
	if (!err)
		err = nla_put_u16(skb, TLS_INFO_TXCONF,
				  tls_conf_info(ctx->tx_conf,
						lost[TLS_OFFLOAD_CTX_DIR_TX])) ?:
		      nla_put_u16(skb, TLS_INFO_RXCONF,
				  tls_conf_info(ctx->rx_conf,
						lost[TLS_OFFLOAD_CTX_DIR_RX]));
	if (!err && ctx->tx_conf == TLS_HW && ctx->zerocopy_sendfile)
		err = nla_put_flag(skb, TLS_INFO_ZC_RO_TX);
	if (!err && ctx->rx_no_pad)
		err = nla_put_flag(skb, TLS_INFO_RX_NO_PAD);
	return err;
}

static int tls_get_info(struct sock *sk, struct sk_buff *skb)
{
	const struct tls_context *ctx;
	struct nlattr *start;
	int err = 0;

	start = nla_nest_start_noflag(skb, INET_ULP_INFO_TLS);
	if (!start)
		return -EMSGSIZE;

	rcu_read_lock();
	ctx = rcu_dereference(inet_csk(sk)->icsk_ulp_data);
	if (ctx)
		err = tls_get_info_put(ctx, skb);
	rcu_read_unlock();

	if (err)
		nla_nest_cancel(skb, start);
	else
		nla_nest_end(skb, start);
	return err;
}

static size_t tls_get_info_size(const struct sock *sk)
{
	return nla_total_size(0) +		/* INET_ULP_INFO_TLS */
	       4 * nla_total_size(sizeof(u16)) +
	       2 * nla_total_size(0);		/* flags */
}

static struct tcp_ulp_ops tls_ulp_ops __read_mostly = {
	.name		= "tls",
	.owner		= THIS_MODULE,
	.init		= tls_init,
	.update		= tls_update,
	.get_info	= tls_get_info,
	.get_info_size	= tls_get_info_size,
};

static struct pernet_operations tls_pernet_ops = {
	.init = tls_stats_init,
	.exit = tls_stats_fini,
};

static int __init tls_module_init(void)
{
	int err;

	err = register_pernet_subsys(&tls_pernet_ops);
	if (err)
		return err;

	tls_wq = alloc_workqueue("ktls", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!tls_wq) {
		err = -ENOMEM;
		goto unregister_pernet;
	}

	err = tls_idle_init();
	if (err)
		goto destroy_wq;

	err = tls_offload_init();
	if (err)
		goto stop_idle;

	tcp_register_ulp(&tls_ulp_ops);
	return 0;

stop_idle:
	tls_idle_fini();
destroy_wq:
	destroy_workqueue(tls_wq);
unregister_pernet:
	unregister_pernet_subsys(&tls_pernet_ops);
	return err;
}

static void __exit tls_module_exit(void)
{
	tcp_unregister_ulp(&tls_ulp_ops);
	tls_offload_fini();
	/* Runs what closed sockets left, which may leave a cipher. */
	flush_workqueue(tls_wq);
	tls_idle_fini();
	destroy_workqueue(tls_wq);
	tls_proto_fini();
	unregister_pernet_subsys(&tls_pernet_ops);
}

module_init(tls_module_init);
module_exit(tls_module_exit);

MODULE_DESCRIPTION("Transport Layer Security for TCP sockets");
MODULE_LICENSE("GPL");
MODULE_ALIAS_TCP_ULP("tls");
