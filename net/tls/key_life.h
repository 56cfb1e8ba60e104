/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_KEY_LIFE_H
#define _TLS_KEY_LIFE_H

#include <linux/sockptr.h>
#include <uapi/linux/tls_ext.h>

struct sock;

int tls_secret_set(struct sock *sk, bool tx, sockptr_t optval,
		   unsigned int optlen);
void tls_secrets_forget(struct sock *sk, bool tx);
int tls_key_limits_set(struct sock *sk, bool tx, sockptr_t optval,
		       unsigned int optlen);
int tls_key_update_set(struct sock *sk, sockptr_t optval, unsigned int optlen);
int tls_key_state_get(struct sock *sk, bool tx, struct tls_ext_key_state *state);

#endif /* _TLS_KEY_LIFE_H */
