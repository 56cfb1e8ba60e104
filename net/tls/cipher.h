/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_CIPHER_H
#define _TLS_CIPHER_H

#include <linux/tls.h>
#include <linux/types.h>

#define TLS_CIPHERS	(TLS_CIPHER_ARIA_GCM_256 - TLS_CIPHER_AES_GCM_128 + 1)

/**
 * struct tls_cipher - one cipher of <linux/tls.h>
 * @type:	TLS_CIPHER_*
 * @aead:	name in the crypto API
 * @iv_len:	bytes of the iv field; key_len, salt_len and tag_len likewise
 * @iv_off:	offset of the iv field in the crypto_info structure; key_off,
 *		salt_off and seq_off likewise
 * @ccm:	CCM: the crypto API wants a 16-byte nonce block (RFC 3610)
 * @xor_nonce:	in TLS 1.2, too, the nonce is not sent but made of IV and number
 * @only_12:	not defined for TLS 1.3
 * @hash:	TLS_EXT_HASH_* of its TLS 1.3 suite; 0: a hash not supported here
 * @limit:	records that one key may protect; 0: no limit but the record number
 */
struct tls_cipher {
	u16 type;
	const char *aead;
	u8 iv_len, key_len, salt_len, tag_len;
	u8 iv_off, key_off, salt_off, seq_off;
	bool ccm;
	bool xor_nonce;
	bool only_12;
	u8 hash;
	u64 limit;
};

const struct tls_cipher *tls_cipher_get(u16 type);
unsigned int tls_cipher_info_len(const struct tls_cipher *cipher);

#endif /* _TLS_CIPHER_H */
