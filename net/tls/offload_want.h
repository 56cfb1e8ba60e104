/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_OFFLOAD_WANT_H
#define _TLS_OFFLOAD_WANT_H

#include <linux/sockptr.h>
#include <uapi/linux/tls_ext.h>

struct sock;

int tls_offload_want_set(struct sock *sk, bool tx, sockptr_t optval,
			 unsigned int optlen);
void tls_offload_want_get(struct sock *sk, bool tx,
			  struct tls_ext_offload_state *state);

#endif /* _TLS_OFFLOAD_WANT_H */
