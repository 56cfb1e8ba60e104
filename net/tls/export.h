/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_EXPORT_H
#define _TLS_EXPORT_H

#include <linux/types.h>

struct net_device;
struct sk_buff;
struct sock;
struct tls_offload_context_tx;
struct tls_record_info;

/*
 * The functions behind the exported ones, for export_dev.c and export_skb.c. This
 * header declares types without their content, since the versions of exports depend
 * on the definitions that the exporting file sees.
 */
void tls_sock_destruct(struct sock *sk);
void tls_off_resync_later(struct sock *sk, u32 got_seq, u32 exp_seq);
struct tls_record_info *tls_off_rec_find(struct tls_offload_context_tx *context,
					 u32 seq, u64 *p_record_sn);
struct sk_buff *tls_fallback(struct sock *sk, struct sk_buff *skb);
struct sk_buff *tls_fallback_unless(struct sock *sk, struct net_device *dev,
				    struct sk_buff *skb);

/* Function of export_dev.c */
void tls_offload_hook(struct sock *sk);

#endif /* _TLS_EXPORT_H */
