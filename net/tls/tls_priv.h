/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_PRIV_H
#define _TLS_PRIV_H

#include <linux/sched/mm.h>
#include <net/tls.h>

#include "rx_side.h"
#include "stats.h"
#include "tx_side.h"

/* The socket's context; first the kernel's own, see <net/tls.h>. */
struct tls_priv {
	struct tls_context ctx;
	const struct proto_ops *ops;	/* sk_socket->ops before ours */
	bool lost[2];			/* device lost, by direction */
	u16 max_payload;		/* largest payload of a data record */
	u8 want[2];			/* TLS_EXT_OFFLOAD_*, by direction; socket lock */
	u32 lazy_bytes[2];		/* see struct tls_ext_offload; socket lock */
	struct llist_node orphan;	/* entry of tls_orphans, once the last packet is freed */
};

static inline struct tls_priv *tls_priv(const struct sock *sk)
{
	return container_of(tls_get_ctx(sk), struct tls_priv, ctx);
}

/*
 * Forbids I/O for allocations, up to memalloc_noio_restore(), unless @gfp allows it. For
 * calls of code that takes no gfp flags (drivers, the crypto API): the kernel may write
 * memory out through this very socket, which must not wait for that.
 */
static inline unsigned int tls_noio_save(gfp_t gfp)
{
	return memalloc_flags_save(gfp & __GFP_IO ? 0 : PF_MEMALLOC_NOIO);
}

#endif /* _TLS_PRIV_H */
