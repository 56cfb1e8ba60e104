// SPDX-License-Identifier: GPL-2.0-only
/*
 * The traffic secrets of TLS 1.3: from a secret to its key, and to the next secret
 * (RFC 8446 section 7). Pure: the caller brings HMAC, and wipes the results. The
 * unit tests and tools/libtlskeys.so compile it as it is.
 */

#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>

#include "secret.h"

#define TLS_LABEL_MAX	12	/* bytes of a label, without "tls13 " */

static const char tls_label_prefix[] = "tls13 ";

/*
 * Writes a HkdfLabel (RFC 8446 section 7.1) with an empty context, and behind it the
 * number of the first block of HKDF-Expand. Returns the bytes.
 */
static __u32 tls_label_build(__u8 *out, const char *label, __u8 len)
{
	const __u32 prefix = sizeof(tls_label_prefix) - 1;
	__u32 n = strlen(label), at = 0;

	out[at++] = 0;
	out[at++] = len;
	out[at++] = prefix + n;
	memcpy(out + at, tls_label_prefix, prefix);
	at += prefix;
	memcpy(out + at, label, n);
	at += n;
	out[at++] = 0;
	out[at++] = 1;
	return at;
}

/*
 * A wipe that the compiler cannot remove; both the kernel and programs compile
 * this.
 */
static void tls_secret_wipe(void *p, __u32 len)
{
	memset(p, 0, len);
	__asm__ __volatile__("" : : "r"(p) : "memory");
}

/**
 * tls_secret_expand() - HKDF-Expand-Label with an empty context
 * @hkdf:	the hash
 * @secret:	@hkdf->len bytes
 * @label:	without the prefix "tls13 "; TLS_LABEL_MAX bytes at most
 * @out:	@len bytes
 * @len:	@hkdf->len at most, so one block is enough
 *
 * Return: 0, -EINVAL for an impossible length, or the error of HMAC.
 */
int tls_secret_expand(const struct tls_hkdf *hkdf, const __u8 *secret,
		      const char *label, __u8 *out, __u8 len)
{
	__u8 info[5 + sizeof(tls_label_prefix) + TLS_LABEL_MAX];
	__u8 block[TLS_SECRET_MAX];
	int err;

	if (len > hkdf->len || hkdf->len > TLS_SECRET_MAX ||
	    strlen(label) > TLS_LABEL_MAX)
		return -EINVAL;
	err = hkdf->hmac(hkdf->arg, secret, hkdf->len, info,
			 tls_label_build(info, label, len), block);
	if (!err)
		memcpy(out, block, len);
	tls_secret_wipe(block, sizeof(block));
	return err;
}

/**
 * tls_secret_next() - derive the secret after a KeyUpdate
 * @hkdf:	the hash
 * @secret:	the secret in force
 * @next:	@hkdf->len bytes; not @secret
 *
 * Return: 0 or the error of HMAC.
 */
int tls_secret_next(const struct tls_hkdf *hkdf, const __u8 *secret, __u8 *next)
{
	return tls_secret_expand(hkdf, secret, "traffic upd", next, hkdf->len);
}

/**
 * tls_secret_key() - derive the key and IV of a secret
 * @hkdf:	the hash
 * @secret:	the secret
 * @key:	@key_len bytes
 * @key_len:	bytes of the cipher's key
 * @iv:		TLS_SECRET_IV bytes
 *
 * Return: 0 or an error.
 */
int tls_secret_key(const struct tls_hkdf *hkdf, const __u8 *secret, __u8 *key,
		   __u8 key_len, __u8 *iv)
{
	int err = tls_secret_expand(hkdf, secret, "key", key, key_len);

	return err ? err : tls_secret_expand(hkdf, secret, "iv", iv,
					     TLS_SECRET_IV);
}
