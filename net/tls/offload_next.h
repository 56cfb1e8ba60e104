/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_OFFLOAD_NEXT_H
#define _TLS_OFFLOAD_NEXT_H

#include "offload.h"

void tls_offload_next_free(struct tls_rx *rx);
bool tls_offload_next_follows(struct tls_rx *rx);
void tls_offload_next_step(struct tls_rx *rx);
bool tls_offload_next_forgotten(const struct tls_rx *rx);
bool tls_offload_next_resync(struct tls_rx *rx, struct sock *sk, u32 seq,
			     const u8 *sn, bool pending);

#endif /* _TLS_OFFLOAD_NEXT_H */
