/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_KEY_H
#define _TLS_KEY_H

#include <linux/sockptr.h>
#include <linux/types.h>

struct sock;

int tls_key_set(struct sock *sk, bool tx, sockptr_t optval,
		unsigned int optlen);

#endif /* _TLS_KEY_H */
