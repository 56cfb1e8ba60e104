/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_SECRET_H
#define _TLS_SECRET_H

#include <linux/types.h>

#define TLS_SECRET_MAX	48	/* SHA-384 */
#define TLS_SECRET_IV	12

/**
 * struct tls_hkdf - HMAC with one hash, by the caller's library
 * @len:	bytes of the hash, and of a traffic secret
 * @hmac:	writes @len bytes to @out; returns 0 or an error
 * @arg:	first argument of @hmac
 */
struct tls_hkdf {
	__u8 len;
	int (*hmac)(void *arg, const __u8 *key, __u32 key_len, const __u8 *data,
		    __u32 data_len, __u8 *out);
	void *arg;
};

int tls_secret_expand(const struct tls_hkdf *hkdf, const __u8 *secret,
		      const char *label, __u8 *out, __u8 len);
int tls_secret_next(const struct tls_hkdf *hkdf, const __u8 *secret, __u8 *next);
int tls_secret_key(const struct tls_hkdf *hkdf, const __u8 *secret, __u8 *key,
		   __u8 key_len, __u8 *iv);

#endif /* _TLS_SECRET_H */
