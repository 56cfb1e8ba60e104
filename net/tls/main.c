// SPDX-License-Identifier: GPL-2.0-only
/*
 * The "tls" upper-layer protocol of TCP: registration, the beginning of a
 * socket's context at setsockopt(TCP_ULP), and its diagnostics for ss. The end of
 * a context is in proto.c (close) and ctx.c.
 */

#include <linux/module.h>
#include <net/inet_connection_sock.h>
#include <linux/inet_diag.h>
#include <net/tcp.h>
#include <compat/tls.h>

#include "offload.h"
#include "proto.h"
#include "sysctl.h"
#include "work.h"

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
	ctx->max_payload = TLS_MAX_PAYLOAD_SIZE;

	err = tls_proto_attach(sk, ctx);
	if (err) {
		mutex_destroy(&ctx->ctx.tx_lock);
		kfree(ctx);
	}
	return err;
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

/* Returns the value for inet_diag; @lost: the device is gone, software encrypts. */
static u16 tls_conf_info(u8 conf, bool lost)
{
	switch (conf) {
	case TLS_SW:
		return TLS_CONF_SW;
	case TLS_HW:
		return lost ? TLS_CONF_SW : TLS_CONF_HW;
	default:
		return TLS_CONF_BASE;
	}
}

static int tls_get_info_put(const struct tls_context *ctx, struct sk_buff *skb)
{
	const struct tls_priv *priv = container_of(ctx, struct tls_priv, ctx);
	const bool *lost = priv->lost;
	u16 version = ctx->prot_info.version;
	int err = 0;

	if (version)
		err = nla_put_u16(skb, TLS_INFO_VERSION, version) ?:
		      nla_put_u16(skb, TLS_INFO_CIPHER,
				  ctx->prot_info.cipher_type);
	if (!err)
		err = nla_put_u16(skb, TLS_INFO_TXCONF,
				  tls_conf_info(ctx->tx_conf,
						READ_ONCE(lost[TLS_OFFLOAD_CTX_DIR_TX]))) ?:
		      nla_put_u16(skb, TLS_INFO_RXCONF,
				  tls_conf_info(ctx->rx_conf,
						READ_ONCE(lost[TLS_OFFLOAD_CTX_DIR_RX])));
	if (!err && ctx->tx_conf == TLS_HW && ctx->zerocopy_sendfile)
		err = nla_put_flag(skb, TLS_INFO_ZC_RO_TX);
	if (!err && ctx->rx_no_pad)
		err = nla_put_flag(skb, TLS_INFO_RX_NO_PAD);
	return err ?: nla_put_u16(skb, TLS_INFO_TX_MAX_PAYLOAD_LEN,
				  READ_ONCE(priv->max_payload));
}

static int tls_get_info(struct sock *sk, struct sk_buff *skb
			COMPAT_ARG_NET_ADMIN)
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

static size_t tls_get_info_size(const struct sock *sk COMPAT_ARG_NET_ADMIN)
{
	return nla_total_size(0) +		/* INET_ULP_INFO_TLS */
	       5 * nla_total_size(sizeof(u16)) +
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

	err = tls_proto_init();
	if (err)
		return err;

	err = register_pernet_subsys(&tls_pernet_ops);
	if (err)
		return err;

	err = tls_sysctl_init();
	if (err)
		goto unregister_pernet;

	err = tls_work_init();
	if (err)
		goto fini_sysctl;

	err = tls_offload_init();
	if (err)
		goto fini_work;

	tcp_register_ulp(&tls_ulp_ops);
	return 0;

fini_work:
	tls_work_fini();
fini_sysctl:
	tls_sysctl_fini();
unregister_pernet:
	unregister_pernet_subsys(&tls_pernet_ops);
	return err;
}

static void __exit tls_module_exit(void)
{
	tcp_unregister_ulp(&tls_ulp_ops);
	tls_offload_fini();
	/* Runs the works of closed sockets, see tls_sock_destruct(). */
	tls_work_fini();
	tls_sysctl_fini();
	unregister_pernet_subsys(&tls_pernet_ops);
}

module_init(tls_module_init);
module_exit(tls_module_exit);

MODULE_DESCRIPTION("Transport Layer Security for TCP sockets");
MODULE_LICENSE("GPL");
MODULE_ALIAS_TCP_ULP("tls");
