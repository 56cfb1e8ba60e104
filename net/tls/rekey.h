/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_REKEY_H
#define _TLS_REKEY_H

#include "newkey.h"

int tls_rekey(struct sock *sk, bool tx, const struct tls_newkey *key,
	      struct tls_aead *aead);

#endif /* _TLS_REKEY_H */
