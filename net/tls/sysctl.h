/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_SYSCTL_H
#define _TLS_SYSCTL_H

#include <net/tls.h>

u32 tls_lazy_bytes(struct net *net, enum tls_offload_ctx_dir dir, u32 own);
int tls_sysctl_init(void);
void tls_sysctl_fini(void);

#endif /* _TLS_SYSCTL_H */
