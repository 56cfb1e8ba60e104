// SPDX-License-Identifier: GPL-2.0-or-later
/* AEAD with nettle. No other file uses this library. */
#include <nettle/chacha-poly1305.h>
#include <nettle/gcm.h>
#include <stddef.h>
#include <string.h>

#include "aead_priv.h"

#define NT_BLOCK_MAX CHACHA_POLY1305_BLOCK_SIZE

/*
 * Part of nettle's ChaCha20-Poly1305 state that is saved for each message. The
 * first part, constants and key, is not saved, as the expanded key has it.
 */
#define NT_CHACHA_KEY offsetof(struct chacha_ctx, state[12])
#define NT_CHACHA_REST (sizeof(struct chacha_poly1305_ctx) - NT_CHACHA_KEY)

/*
 * State of a message. Nettle accepts a partial block only at the end of a
 * message. So the bytes of a partial block are XORed in this file with the
 * keystream of the block; when the block is complete, its ciphertext is given
 * to nettle to update the authentication.
 */
typedef struct NtState {
    union {
        struct gcm_ctx gcm;
        uint8_t chacha[NT_CHACHA_REST];
    };
    uint8_t block[NT_BLOCK_MAX]; /* ciphertext, then unused keystream */
    uint32_t fill; /* bytes used in block; less than a whole block */
} __attribute__((__may_alias__)) NtState;

_Static_assert(sizeof(NtState) <= sizeof(VkdevAeadState),
               "a running message must fit in VkdevAeadState");
_Static_assert(offsetof(struct chacha_poly1305_ctx, chacha) == 0,
               "the key comes first");

struct VkdevAeadKey {
    union {
        struct gcm_aes128_ctx aes128;
        struct gcm_aes256_ctx aes256;
        struct chacha_poly1305_ctx chacha;
    };
    VkdevAeadAlg alg;
};

const char *vkdev_aead_backend(void)
{
    return "nettle";
}

bool vkdev_aead_works(void)
{
    return true;
}

void vkdev_aead_key_set(VkdevAeadKey *k, VkdevAeadAlg alg, const uint8_t *key)
{
    k->alg = alg;
    if (alg == VKDEV_AEAD_AES_128_GCM) {
        gcm_aes128_set_key(&k->aes128, key);
    } else if (alg == VKDEV_AEAD_AES_256_GCM) {
        gcm_aes256_set_key(&k->aes256, key);
    } else {
        chacha_poly1305_set_key(&k->chacha, key);
    }
}

static size_t nt_block(const VkdevAeadKey *k)
{
    return k->alg == VKDEV_AEAD_CHACHA20_POLY1305 ?
           CHACHA_POLY1305_BLOCK_SIZE : GCM_BLOCK_SIZE;
}

static const struct gcm_key *nt_gcm_key(const VkdevAeadKey *k)
{
    return k->alg == VKDEV_AEAD_AES_128_GCM ? &k->aes128.key : &k->aes256.key;
}

static const void *nt_aes(const VkdevAeadKey *k, nettle_cipher_func **f)
{
    if (k->alg == VKDEV_AEAD_AES_128_GCM) {
        *f = (nettle_cipher_func *)aes128_encrypt;
        return &k->aes128.cipher;
    }
    *f = (nettle_cipher_func *)aes256_encrypt;
    return &k->aes256.cipher;
}

static void nt_chacha_load(const VkdevAeadKey *k, const NtState *s,
                           struct chacha_poly1305_ctx *c)
{
    memcpy(c, &k->chacha, NT_CHACHA_KEY);
    memcpy((uint8_t *)c + NT_CHACHA_KEY, s->chacha, sizeof(s->chacha));
}

/* Save the state of a message, and wipe @c, which contains the key as well. */
static void nt_chacha_save(NtState *s, struct chacha_poly1305_ctx *c)
{
    memcpy(s->chacha, (uint8_t *)c + NT_CHACHA_KEY, sizeof(s->chacha));
    vkdev_aead_wipe(c, sizeof(*c));
}

void vkdev_aead_start(const VkdevAeadKey *k, VkdevAeadState *st,
                      const uint8_t *nonce, const void *aad, size_t aad_len)
{
    NtState *s = (NtState *)st->opaque;
    struct chacha_poly1305_ctx c;

    s->fill = 0;
    if (k->alg == VKDEV_AEAD_CHACHA20_POLY1305) {
        c = k->chacha;
        chacha_poly1305_set_nonce(&c, nonce);
        chacha_poly1305_update(&c, aad_len, aad);
        nt_chacha_save(s, &c);
    } else {
        gcm_set_iv(&s->gcm, nt_gcm_key(k), VKDEV_AEAD_NONCE_LEN, nonce);
        gcm_update(&s->gcm, nt_gcm_key(k), aad_len, aad);
    }
}

static void nt_chacha(const VkdevAeadKey *k, NtState *s, uint8_t *dst,
                      const uint8_t *src, size_t len, bool decrypt)
{
    struct chacha_poly1305_ctx c;

    nt_chacha_load(k, s, &c);
    if (decrypt) {
        chacha_poly1305_decrypt(&c, len, dst, src);
    } else {
        chacha_poly1305_encrypt(&c, len, dst, src);
    }
    nt_chacha_save(s, &c);
}

static void nt_crypt(const VkdevAeadKey *k, NtState *s, uint8_t *dst,
                     const uint8_t *src, size_t len, bool decrypt)
{
    nettle_cipher_func *f;
    const void *aes;

    if (k->alg == VKDEV_AEAD_CHACHA20_POLY1305) {
        nt_chacha(k, s, dst, src, len, decrypt);
        return;
    }
    aes = nt_aes(k, &f);
    if (decrypt) {
        gcm_decrypt(&s->gcm, nt_gcm_key(k), aes, f, len, dst, src);
    } else {
        gcm_encrypt(&s->gcm, nt_gcm_key(k), aes, f, len, dst, src);
    }
}

/* Begin a partial block: compute its keystream by encrypting zeros. */
static void nt_open_block(const VkdevAeadKey *k, NtState *s)
{
    static const uint8_t zeros[NT_BLOCK_MAX];
    NtState scratch = *s;

    nt_crypt(k, &scratch, s->block, zeros, nt_block(k), false);
    vkdev_aead_wipe(&scratch, sizeof(scratch));
}

/*
 * End a partial block: give its ciphertext to nettle for the authentication.
 */
static void nt_close_block(const VkdevAeadKey *k, NtState *s)
{
    uint8_t plain[NT_BLOCK_MAX];

    nt_crypt(k, s, plain, s->block, s->fill, true);
    vkdev_aead_wipe(plain, sizeof(plain));
    vkdev_aead_wipe(s->block, sizeof(s->block));
    s->fill = 0;
}

/* Process bytes of a partial block. Return: the number of bytes processed. */
static size_t nt_partial(const VkdevAeadKey *k, NtState *s, uint8_t *dst,
                         const uint8_t *src, size_t len, bool decrypt)
{
    size_t room = nt_block(k) - s->fill;

    if (len > room) {
        len = room;
    }
    if (!s->fill) {
        nt_open_block(k, s);
    }
    for (size_t i = 0; i < len; i++) {
        uint8_t in = src[i], out = in ^ s->block[s->fill];

        dst[i] = out;
        s->block[s->fill++] = decrypt ? in : out;
    }
    if (s->fill == nt_block(k)) {
        nt_close_block(k, s);
    }
    return len;
}

static void nt_update(const VkdevAeadKey *k, VkdevAeadState *st,
                      uint8_t *dst, const uint8_t *src, size_t len,
                      bool decrypt)
{
    NtState *s = (NtState *)st->opaque;
    size_t n = 0;

    if (s->fill && len) {
        n = nt_partial(k, s, dst, src, len, decrypt);
    }
    dst += n;
    src += n;
    len -= n;
    n = len - len % nt_block(k);
    if (n) {
        nt_crypt(k, s, dst, src, n, decrypt);
    }
    if (len > n) {
        nt_partial(k, s, dst + n, src + n, len - n, decrypt);
    }
}

void vkdev_aead_encrypt(const VkdevAeadKey *k, VkdevAeadState *st,
                        void *dst, const void *src, size_t len)
{
    nt_update(k, st, dst, src, len, false);
}

void vkdev_aead_decrypt(const VkdevAeadKey *k, VkdevAeadState *st,
                        void *dst, const void *src, size_t len)
{
    nt_update(k, st, dst, src, len, true);
}

void vkdev_aead_finish(const VkdevAeadKey *k, VkdevAeadState *st, uint8_t *tag)
{
    NtState *s = (NtState *)st->opaque;
    struct chacha_poly1305_ctx c;
    nettle_cipher_func *f;
    const void *aes;

    if (s->fill) {
        nt_close_block(k, s);
    }
    if (k->alg == VKDEV_AEAD_CHACHA20_POLY1305) {
        nt_chacha_load(k, s, &c);
        chacha_poly1305_digest(&c, VKDEV_AEAD_TAG_LEN, tag);
        vkdev_aead_wipe(&c, sizeof(c));
    } else {
        aes = nt_aes(k, &f);
        gcm_digest(&s->gcm, nt_gcm_key(k), aes, f, VKDEV_AEAD_TAG_LEN, tag);
    }
    vkdev_aead_wipe(s, sizeof(*s));
}

/* Nettle has no interface to the sum inside Poly1305. */
bool vkdev_aead_sums(VkdevAeadAlg alg)
{
    return alg != VKDEV_AEAD_CHACHA20_POLY1305;
}

bool vkdev_aead_is_gcm(const VkdevAeadKey *k)
{
    return k->alg != VKDEV_AEAD_CHACHA20_POLY1305;
}

void vkdev_aead_poly_sum(VkdevAeadState *st, VkdevPoly *sum)
{
    (void)st;
    *sum = (VkdevPoly) { 0 };
}

const uint8_t *vkdev_aead_poly_s(const VkdevAeadState *st)
{
    return (const uint8_t *)st->opaque;
}

size_t vkdev_aead_key_size(void)
{
    size_t align = VKDEV_AEAD_KEY_ALIGN;

    return (sizeof(VkdevAeadKey) + align - 1) / align * align;
}
