/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_OFFLOAD_LINK_H
#define _TLS_OFFLOAD_LINK_H

#include <linux/workqueue.h>

#include "offload_policy.h"
#include "tls_priv.h"

/**
 * struct tls_link - one direction of a socket on one device
 * @refs:	references: one of the list, one of the socket's direction
 * @list:	entry of tls_links or tls_links_leaving
 * @leave:	work that calls tls_dev_del after the link has left tls_links
 * @sk:		the socket, NULL once it is being freed
 * @ctx:	the socket's context, with a reference
 * @dev:	held until tls_dev_del; not to be read by code that saw @lost set
 * @tracker:	for @dev
 * @dir:	direction
 * @lost:	the device must not get any more work; never cleared
 * @listed:	in tls_links; the code that takes it off calls tls_dev_del
 * @counted:	counted as offloaded in the statistics
 * @gone:	tls_dev_del has returned
 */
struct tls_link {
	refcount_t refs;
	struct list_head list;
	struct rcu_work leave;
	struct sock *sk;
	struct tls_context *ctx;
	struct net_device *dev;
	netdevice_tracker tracker;
	enum tls_offload_ctx_dir dir;
	bool lost;
	bool listed;
	bool counted;
	bool gone;
};

struct tls_link *tls_link_add(struct sock *sk, enum tls_offload_ctx_dir dir,
			      u32 seq, int *err);
void tls_link_del(struct tls_link *link);
void tls_link_put(struct tls_link *link);
bool tls_link_gone(const struct tls_link *link);
void tls_link_orphan(struct tls_link *link);
void tls_link_retire(struct tls_link *link, enum tls_left reason);
void tls_link_drop(struct tls_link *link, enum tls_left reason);
void tls_link_uncount(struct tls_link *link);
void tls_link_drain(struct tls_link *link, enum tls_left reason);
int tls_link_resync(struct tls_link *link, struct sock *sk, u32 seq, u8 *sn);
void tls_links_retire_dev(const struct net_device *dev);
void tls_links_retire_strays(void);

#endif /* _TLS_OFFLOAD_LINK_H */
