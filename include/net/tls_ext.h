/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_EXT_H
#define _TLS_EXT_H

#include <linux/bits.h>
#include <linux/types.h>

struct net_device;
struct tlsdev_ops;

/*
 * Functions that this tls.ko exports beyond the kernel's own. A driver must also
 * work without this tls.ko, so it looks the functions up with symbol_get().
 */

#define TLS_OFFLOAD_CAP_13	BIT(0)	/* checks the version, takes TLS 1.3 */
#define TLS_OFFLOAD_CAP_CHACHA	BIT(1)	/* checks the cipher, takes ChaCha20 */

int tls_offload_caps_set(const struct tlsdev_ops *ops, u32 caps);
void tls_offload_device_lost(struct net_device *dev);
void tls_offload_device_ready(struct net_device *dev);

#endif /* _TLS_EXT_H */
