/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_CTX_H
#define _TLS_CTX_H

#include "tls_priv.h"

void tls_tx_free(struct tls_tx *tx);
void tls_rx_free(struct tls_rx *rx);
void tls_ctx_put(struct tls_context *ctx);

#endif /* _TLS_CTX_H */
