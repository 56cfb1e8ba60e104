// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys as kernel TLS has them, and as the NIC takes them. Keeps none.
 */
#include <linux/string.h>
#include <linux/unaligned.h>
#include <net/tls.h>

#include "ktls_priv.h"
#include "vktls.h"

/* Layout of one kind of kernel key structure. */
struct vktls_ktls_cipher {
	u16 type;			/* cipher_type in struct tls_crypto_info */
	u8 abi;				/* VKTLS_CIPHER_* */
	bool explicit;			/* part of the nonce is sent with each record */
	u8 key_len, salt_len, iv_len;
	u8 key, salt, iv, rec_seq;	/* offsets in the structure */
};

#define KTLS_SIZES(TYPE)						\
	.type = TLS_CIPHER_ ## TYPE,					\
	.key_len = TLS_CIPHER_ ## TYPE ## _KEY_SIZE,			\
	.salt_len = TLS_CIPHER_ ## TYPE ## _SALT_SIZE,			\
	.iv_len = TLS_CIPHER_ ## TYPE ## _IV_SIZE

static const struct vktls_ktls_cipher vktls_ktls_ciphers[] = {
	{
		KTLS_SIZES(AES_GCM_128),
		.abi = VKTLS_CIPHER_AES_128_GCM,
		.explicit = true,
		.key = offsetof(struct tls12_crypto_info_aes_gcm_128, key),
		.salt = offsetof(struct tls12_crypto_info_aes_gcm_128, salt),
		.iv = offsetof(struct tls12_crypto_info_aes_gcm_128, iv),
		.rec_seq =
			offsetof(struct tls12_crypto_info_aes_gcm_128, rec_seq),
	},
	{
		KTLS_SIZES(AES_GCM_256),
		.abi = VKTLS_CIPHER_AES_256_GCM,
		.explicit = true,
		.key = offsetof(struct tls12_crypto_info_aes_gcm_256, key),
		.salt = offsetof(struct tls12_crypto_info_aes_gcm_256, salt),
		.iv = offsetof(struct tls12_crypto_info_aes_gcm_256, iv),
		.rec_seq =
			offsetof(struct tls12_crypto_info_aes_gcm_256, rec_seq),
	},
	{
		KTLS_SIZES(CHACHA20_POLY1305),
		.abi = VKTLS_CIPHER_CHACHA20_POLY1305,
		.key = offsetof(struct tls12_crypto_info_chacha20_poly1305,
				key),
		.salt = offsetof(struct tls12_crypto_info_chacha20_poly1305,
				 salt),
		.iv = offsetof(struct tls12_crypto_info_chacha20_poly1305, iv),
		.rec_seq = offsetof(struct tls12_crypto_info_chacha20_poly1305,
				    rec_seq),
	},
};

static const struct vktls_ktls_cipher *vktls_ktls_cipher_find(u16 type)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vktls_ktls_ciphers); i++) {
		if (vktls_ktls_ciphers[i].type == type)
			return &vktls_ktls_ciphers[i];
	}
	return NULL;
}

static bool vktls_ktls_version_ok(const struct vktls_dev *vd, u16 version)
{
	u16 versions = le16_to_cpu(vd->caps.tls_versions);

	switch (version) {
	case TLS_1_2_VERSION:
		return versions & BIT(VKTLS_VERSION_TLS12);
	case TLS_1_3_VERSION:
		return versions & BIT(VKTLS_VERSION_TLS13);
	default:
		return false;
	}
}

/**
 * vktls_ktls_key_check() - check that the NIC takes keys of this kind
 * @vd: device
 * @info: version and cipher
 *
 * Return: 0, -EPROTO for the version or -ENOKEY for the cipher.
 */
int vktls_ktls_key_check(const struct vktls_dev *vd,
			 const struct tls_crypto_info *info)
{
	const struct vktls_ktls_cipher *c =
		vktls_ktls_cipher_find(info->cipher_type);

	if (!vktls_ktls_version_ok(vd, info->version))
		return -EPROTO;
	if (!c || !(le16_to_cpu(vd->caps.tls_ciphers) & BIT(c->abi)))
		return -ENOKEY;
	/*
	 * The tls.ko of Linux 6.12 would have the NIC decrypt this cipher, too, but
	 * fails on records of which the NIC decrypted a part.
	 */
	if (c->abi == VKTLS_CIPHER_CHACHA20_POLY1305 && !vktls_ktls_ext())
		return -ENOKEY;
	return 0;
}

/**
 * vktls_ktls_key_rec_no() - number of the first record under a key
 * @info: key, of a cipher that the NIC takes
 *
 * Return: the number.
 */
u64 vktls_ktls_key_rec_no(const struct tls_crypto_info *info)
{
	const struct vktls_ktls_cipher *c =
		vktls_ktls_cipher_find(info->cipher_type);

	return get_unaligned_be64((const u8 *)info + c->rec_seq);
}

/**
 * vktls_ktls_key_fill() - fill in the NIC's form of a context
 * @req: to fill in; the caller wipes it after use
 * @info: key, of a cipher that the NIC takes
 * @direction: VKTLS_DIR_*
 * @seq: TCP sequence number of a record's first byte
 * @rec_no: number of that record
 *
 * @info holds nonce and number of the first record. An explicit nonce grows by one
 * with each record, so the nonce of @rec_no is computed from the difference.
 */
void vktls_ktls_key_fill(struct vktls_tls_add *req,
			 const struct tls_crypto_info *info, u8 direction,
			 u32 seq, u64 rec_no)
{
	const struct vktls_ktls_cipher *c =
		vktls_ktls_cipher_find(info->cipher_type);
	bool tls13 = info->version == TLS_1_3_VERSION;
	const u8 *from = (const u8 *)info;
	u64 nonce;

	memset(req, 0, sizeof(*req));
	req->version = tls13 ? VKTLS_VERSION_TLS13 : VKTLS_VERSION_TLS12;
	req->cipher = c->abi;
	req->direction = direction;
	req->tcp_seq = cpu_to_le32(seq);
	put_unaligned_be64(rec_no, req->rec_no);
	memcpy(req->iv, from + c->salt, c->salt_len);
	memcpy(req->iv + c->salt_len, from + c->iv, c->iv_len);
	if (c->explicit && !tls13) {
		nonce = get_unaligned_be64(from + c->iv) -
			get_unaligned_be64(from + c->rec_seq) + rec_no;
		put_unaligned_be64(nonce, req->iv + c->salt_len);
	}
	memcpy(req->key, from + c->key, c->key_len);
}

/**
 * vktls_ktls_key_fill_next() - fill in the NIC's form of a key in advance
 * @req: key and IV are filled in; the caller wipes it after use
 * @info: key of TLS 1.3, of a cipher that the NIC takes
 */
void vktls_ktls_key_fill_next(struct vktls_tls_next *req,
			      const struct tls_crypto_info *info)
{
	const struct vktls_ktls_cipher *c =
		vktls_ktls_cipher_find(info->cipher_type);
	const u8 *from = (const u8 *)info;

	memcpy(req->iv, from + c->salt, c->salt_len);
	memcpy(req->iv + c->salt_len, from + c->iv, c->iv_len);
	memcpy(req->key, from + c->key, c->key_len);
}
