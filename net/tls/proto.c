// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operations of a TLS socket: copies of TCP's with some replaced, close()
 * among them. Each looks for a key of its direction and leaves the call to TCP
 * when there is none, so that a socket's operations change once in its life.
 */

#include <net/inet_common.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include <compat/tls.h>

#include "aead.h"
#include "ctx.h"
#include "offload.h"
#include "proto.h"
#include "renew.h"
#include "rx.h"
#include "sockopt.h"
#include "tx.h"

/*
 * One address family: TCP's operations, which a socket must have to be attached, and
 * ours. Without @base the kernel has no such sockets.
 */
struct tls_family {
	const struct proto *base;
	const struct proto_ops *base_ops;
	struct proto proto;
	const struct proto_ops ops;	/* written once, at init */
};

static struct tls_family tls_families[2] __ro_after_init;	/* IPv4, IPv6 */

static int tls_setsockopt(struct sock *sk, int level, int optname,
			  sockptr_t optval, unsigned int optlen)
{
	if (level != SOL_TLS)
		return tls_get_ctx(sk)->sk_proto->setsockopt(sk, level, optname,
							     optval, optlen);
	return tls_sockopt_set(sk, optname, optval, optlen);
}

static int tls_getsockopt(struct sock *sk, int level, int optname,
			  char __user *optval, int __user *optlen)
{
	if (level != SOL_TLS)
		return tls_get_ctx(sk)->sk_proto->getsockopt(sk, level, optname,
							     optval, optlen);
	return tls_sockopt_get(sk, optname, optval, optlen);
}

static int tls_disconnect(struct sock *sk, int flags)
{
	return -EOPNOTSUPP;
}

static int tls_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	if (!tls_tx(sk))
		return tls_get_ctx(sk)->sk_proto->sendmsg(sk, msg, size);
	return tls_tx_sendmsg(sk, msg, size);
}

static void tls_splice_eof(struct socket *sock)
{
	const struct proto *base = tls_get_ctx(sock->sk)->sk_proto;

	if (tls_tx(sock->sk))
		tls_tx_splice_eof(sock);
	else if (base->splice_eof)
		base->splice_eof(sock);
}

static int tls_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
		       int flags COMPAT_ARG_ADDR_LEN)
{
	if (!tls_rx(sk))
		return tls_get_ctx(sk)->sk_proto->recvmsg(sk, msg, len, flags
							  COMPAT_PASS_ADDR_LEN);
	return tls_rx_recvmsg(sk, msg, len, flags);
}

static bool tls_sock_is_readable(struct sock *sk)
{
	const struct proto *base = tls_get_ctx(sk)->sk_proto;
	const struct tls_rx *rx = tls_rx(sk);

	if (rx)
		return tls_rx_readable(rx);
	return base->sock_is_readable && base->sock_is_readable(sk);
}

static ssize_t tls_splice_read(struct socket *sock, loff_t *ppos,
			       struct pipe_inode_info *pipe, size_t len,
			       unsigned int flags)
{
	if (!tls_rx(sock->sk))
		return tls_priv(sock->sk)->ops->splice_read(sock, ppos, pipe,
							    len, flags);
	return tls_rx_splice_read(sock, ppos, pipe, len, flags);
}

static int tls_read_sock(struct sock *sk, read_descriptor_t *desc,
			 sk_read_actor_t actor)
{
	if (!tls_rx(sk))
		return tls_priv(sk)->ops->read_sock(sk, desc, actor);
	return tls_rx_read_sock(sk, desc, actor);
}

/* Asks for whole records: TCP calls a socket readable when part of one has come. */
static __poll_t tls_poll(struct file *file, struct socket *sock,
			 struct poll_table_struct *wait)
{
	__poll_t mask = tcp_poll(file, sock, wait);
	struct sock *sk = sock->sk;
	const struct tls_rx *rx = tls_rx(sk);

	if (!rx || READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN)
		return mask;
	if (tls_rx_readable(rx))
		return mask | EPOLLIN | EPOLLRDNORM;
	return mask & ~(EPOLLIN | EPOLLRDNORM);
}

/* Sends data that was written before the end of the stream. */
static int tls_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	struct tls_context *ctx = tls_get_ctx(sk);
	struct tls_tx *tx = tls_tx(sk);

	if (tx && how != SHUT_RD) {
		mutex_lock(&ctx->tx_lock);
		lock_sock(sk);
		tls_tx_drain(sk, tx);
		release_sock(sk);
		mutex_unlock(&ctx->tx_lock);
	}
	return tls_priv(sk)->ops->shutdown(sock, how);
}

static void tls_close_tx(struct sock *sk, struct tls_tx *tx)
{
	tls_tx_drain(sk, tx);
	tls_tx_drop(sk, tx);
	tls_offload_close(sk, true);
	tls_aead_fini(&tx->aead);
	tls_renew_forget(tx->renew);
	TLS_STAT_DEC(sock_net(sk), LINUX_MIB_TLSCURRTXSW);
}

static void tls_close_rx(struct sock *sk, struct tls_rx *rx)
{
	tls_rx_detach(sk, rx);
	tls_offload_close(sk, false);
	tls_rx_drop(rx);
	tls_aead_fini(&rx->aead);
	tls_renew_forget(rx->renew);
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

static void tls_close(struct sock *sk, long timeout)
{
	struct tls_priv *ctx = tls_priv(sk);
	struct proto *base = ctx->ctx.sk_proto;
	struct tls_tx *tx = tls_tx(sk);
	struct tls_rx *rx = tls_rx(sk);
	bool keep;

	/* Works are stopped before lock_sock(), as they take the socket lock. */
	if (tx) {
		tls_renew_stop(tx->renew);
		tls_tx_stop(tx);
	}
	if (rx)
		disable_delayed_work_sync(&rx->work);

	lock_sock(sk);
	if (tx)
		tls_close_tx(sk, tx);
	if (rx)
		tls_close_rx(sk, rx);
	keep = ctx->ctx.sk_destruct;
	tls_close_detach(sk, ctx, keep);
	release_sock(sk);

	base->close(sk, timeout);
	/* An offloaded context is freed after the last packet, by tls_sock_destruct(). */
	if (!keep)
		tls_ctx_put(&ctx->ctx);
}

static void __init tls_proto_build(struct proto *proto, const struct proto *base)
{
	*proto = *base;
	proto->setsockopt = tls_setsockopt;
	proto->getsockopt = tls_getsockopt;
	proto->disconnect = tls_disconnect;
	proto->close = tls_close;
	proto->sendmsg = tls_sendmsg;
	proto->splice_eof = tls_splice_eof;
	proto->recvmsg = tls_recvmsg;
	proto->sock_is_readable = tls_sock_is_readable;
#ifdef CONFIG_BPF_SYSCALL
	proto->psock_update_sk_prot = NULL;	/* no sockmap for a TLS socket */
#endif
}

static void __init tls_ops_build(struct proto_ops *ops, const struct proto_ops *base)
{
	*ops = *base;
	ops->splice_read = tls_splice_read;
	ops->read_sock = tls_read_sock;
	ops->poll = tls_poll;
	ops->shutdown = tls_shutdown;
}

static bool tls_proto_is_tcp(const struct sock *sk)
{
	if (sk->sk_family == AF_INET)
		return sk->sk_prot == &tcp_prot;
	return sk->sk_family == AF_INET6 && sk->sk_prot->init &&
	       sk->sk_prot->sendmsg == tcp_prot.sendmsg &&
	       sk->sk_prot->recvmsg == tcp_prot.recvmsg &&
	       sk->sk_prot->close == tcp_prot.close;
}

/**
 * tls_proto_attach() - make a socket a TLS socket
 * @sk:		the socket, locked by its owner
 * @ctx:	its context, filled in as far as operations need it
 *
 * Return: 0, or -EOPNOTSUPP for a socket that something else took over.
 */
int tls_proto_attach(struct sock *sk, struct tls_priv *ctx)
{
	const struct tls_family *family;

	if (!sk->sk_socket || !tls_proto_is_tcp(sk))
		return -EOPNOTSUPP;
	family = &tls_families[sk->sk_family == AF_INET6];
	if (family->base != sk->sk_prot ||
	    family->base_ops != READ_ONCE(sk->sk_socket->ops))
		return -EOPNOTSUPP;

	ctx->ops = family->base_ops;
	ctx->ctx.sk_proto = sk->sk_prot;
	ctx->ctx.sk_write_space = sk->sk_write_space;

	write_lock_bh(&sk->sk_callback_lock);
	rcu_assign_pointer(inet_csk(sk)->icsk_ulp_data, &ctx->ctx);
	/* A lockless reader of the new operations also sees the context stored above. */
	smp_store_release(&sk->sk_prot, (struct proto *)&family->proto);
	/* Pairs with lockless reads of sock->ops. */
	smp_store_release(&sk->sk_socket->ops, &family->ops);
	write_unlock_bh(&sk->sk_callback_lock);
	return 0;
}

/*
 * Reads the operations of a family from a socket that is made for it, because some
 * of them are not exported.
 */
static int __init tls_family_init(struct tls_family *family, int number)
{
	struct socket *sock;
	int err;

	err = sock_create_kern(&init_net, number, SOCK_STREAM, IPPROTO_TCP,
			       &sock);
	if (err)
		return err;
	family->base = sock->sk->sk_prot;
	family->base_ops = sock->ops;
	tls_proto_build(&family->proto, family->base);
	tls_ops_build((void *)&family->ops, family->base_ops);
	sock_release(sock);
	return 0;
}

/**
 * tls_proto_init() - build the operations, which are read-only afterwards
 *
 * A kernel without IPv6 has no sockets of it to attach to.
 *
 * Return: 0 or an error.
 */
int __init tls_proto_init(void)
{
	int err = tls_family_init(&tls_families[1], AF_INET6);

	if (err && err != -EAFNOSUPPORT)
		return err;
	return tls_family_init(&tls_families[0], AF_INET);
}
