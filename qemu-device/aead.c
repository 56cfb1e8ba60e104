// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The AEAD behind the TLS engine, and the only file that knows the crypto
 * library: Intel IPsec-MB when built with VKDEV_AEAD_IPSEC_MB, nettle when
 * built with VKDEV_AEAD_NETTLE. It knows neither records nor TLS.
 */
#include <stddef.h>
#include <string.h>

#include "aead.h"

#if defined(VKDEV_AEAD_IPSEC_MB) == defined(VKDEV_AEAD_NETTLE)
#error "choose one of VKDEV_AEAD_IPSEC_MB and VKDEV_AEAD_NETTLE"
#endif

void vkdev_aead_wipe(void *p, size_t len)
{
    memset(p, 0, len);
    /* Makes the stores visible to something the compiler cannot see into. */
    __asm__ __volatile__("" : : "r"(p) : "memory");
}

int vkdev_aead_tag_differs(const uint8_t *a, const uint8_t *b)
{
    uint8_t diff = 0;

    for (int i = 0; i < VKDEV_AEAD_TAG_LEN; i++) {
        diff |= a[i] ^ b[i];
    }
    return diff;
}

size_t vkdev_aead_key_len(VkdevAeadAlg alg)
{
    switch (alg) {
    case VKDEV_AEAD_AES_128_GCM:
        return 16;
    case VKDEV_AEAD_AES_256_GCM:
    case VKDEV_AEAD_CHACHA20_POLY1305:
        return 32;
    default:
        return 0;
    }
}

#ifdef VKDEV_AEAD_IPSEC_MB
#include <intel-ipsec-mb.h>
#include <pthread.h>

/* One table of routines for the process; no message state lives in it. */
static IMB_MGR *mb_mgr;
static pthread_once_t mb_once = PTHREAD_ONCE_INIT;

typedef struct MbGcm {
    aes_gcm_pre_t expand;
    aes_gcm_init_t start;
    aes_gcm_enc_dec_update_t encrypt;
    aes_gcm_enc_dec_update_t decrypt;
    aes_gcm_enc_dec_finalize_t finish;
} MbGcm;

struct VkdevAeadKey {
    union {
        struct gcm_key_data gcm; /* wants VKDEV_AEAD_KEY_ALIGN */
        uint8_t chacha[32];
    };
    bool is_gcm;
    MbGcm ops;
};

typedef union MbState {
    struct gcm_context_data gcm;
    struct chacha20_poly1305_context_data chacha;
} __attribute__((__may_alias__)) MbState;

_Static_assert(sizeof(MbState) <= sizeof(VkdevAeadState),
               "a running message must fit in VkdevAeadState");

const char *vkdev_aead_backend(void)
{
    return "ipsec-mb";
}

static bool mb_poly_sums; /* the library keeps sums as expected */

/* The sum of a message that ends: its last blocks are not in the library's. */
static void mb_poly_sum(struct chacha20_poly1305_context_data *c,
                        VkdevPoly *sum)
{
    uint8_t block[16] = { 0 };
    size_t rest = c->remain_ct_bytes;

    memcpy(sum->w, c->hash, sizeof(sum->w));
    if (rest) {
        memcpy(block, c->poly_scratch, rest);
        vkdev_poly_block(sum, c->poly_key, block);
    }
    for (int i = 0; i < 8; i++) {
        block[i] = c->aad_len >> 8 * i;
        block[8 + i] = c->hash_len >> 8 * i;
    }
    vkdev_poly_block(sum, c->poly_key, block);
}

/* Does that give the library's tag, wherever in a block a message ends? */
static bool mb_poly_sum_works(void)
{
    static const uint8_t nonce[12], key[32] = { 1, 2, 3 };
    struct chacha20_poly1305_context_data c;
    uint8_t text[80] = { 5, 6, 7 }, tag[16], want[16];
    VkdevPoly sum;

    for (size_t len = 0; len <= sizeof(text); len++) {
        mb_mgr->chacha20_poly1305_init(key, &c, nonce, text, 13);
        mb_mgr->chacha20_poly1305_dec_update(key, &c, text, text, len / 2);
        mb_mgr->chacha20_poly1305_dec_update(key, &c, text, text,
                                             len - len / 2);
        mb_poly_sum(&c, &sum);
        vkdev_poly_tag(&sum, c.poly_key + 16, tag);
        mb_mgr->chacha20_poly1305_finalize(&c, want, sizeof(want));
        if (memcmp(tag, want, sizeof(want))) {
            return false;
        }
    }
    return true;
}

static void mb_init(void)
{
    IMB_ARCH arch = IMB_ARCH_NONE;

    mb_mgr = alloc_mb_mgr(0);
    if (!mb_mgr) {
        return;
    }
    init_mb_mgr_auto(mb_mgr, &arch);
    if (arch == IMB_ARCH_NONE || imb_get_errno(mb_mgr)) {
        free_mb_mgr(mb_mgr);
        mb_mgr = NULL;
        return;
    }
    mb_poly_sums = mb_poly_sum_works();
}

static MbGcm mb_gcm_ops(VkdevAeadAlg alg)
{
    if (alg == VKDEV_AEAD_AES_128_GCM) {
        return (MbGcm) {
            mb_mgr->gcm128_pre, mb_mgr->gcm128_init,
            mb_mgr->gcm128_enc_update, mb_mgr->gcm128_dec_update,
            mb_mgr->gcm128_enc_finalize,
        };
    }
    return (MbGcm) {
        mb_mgr->gcm256_pre, mb_mgr->gcm256_init,
        mb_mgr->gcm256_enc_update, mb_mgr->gcm256_dec_update,
        mb_mgr->gcm256_enc_finalize,
    };
}

bool vkdev_aead_works(void)
{
    pthread_once(&mb_once, mb_init);
    return mb_mgr;
}

void vkdev_aead_key_set(VkdevAeadKey *k, VkdevAeadAlg alg, const uint8_t *key)
{
    k->is_gcm = alg != VKDEV_AEAD_CHACHA20_POLY1305;
    if (k->is_gcm) {
        k->ops = mb_gcm_ops(alg);
        k->ops.expand(key, &k->gcm);
    } else {
        memcpy(k->chacha, key, sizeof(k->chacha));
    }
}

void vkdev_aead_start(const VkdevAeadKey *k, VkdevAeadState *st,
                      const uint8_t *nonce, const void *aad, size_t aad_len)
{
    MbState *s = (MbState *)st->opaque;

    if (k->is_gcm) {
        k->ops.start(&k->gcm, &s->gcm, nonce, aad, aad_len);
    } else {
        mb_mgr->chacha20_poly1305_init(k->chacha, &s->chacha, nonce, aad,
                                       aad_len);
    }
}

void vkdev_aead_encrypt(const VkdevAeadKey *k, VkdevAeadState *st,
                        void *dst, const void *src, size_t len)
{
    MbState *s = (MbState *)st->opaque;

    if (!len) {
        return;
    }
    if (k->is_gcm) {
        k->ops.encrypt(&k->gcm, &s->gcm, dst, src, len);
    } else {
        mb_mgr->chacha20_poly1305_enc_update(k->chacha, &s->chacha, dst, src,
                                             len);
    }
}

void vkdev_aead_decrypt(const VkdevAeadKey *k, VkdevAeadState *st,
                        void *dst, const void *src, size_t len)
{
    MbState *s = (MbState *)st->opaque;

    if (!len) {
        return;
    }
    if (k->is_gcm) {
        k->ops.decrypt(&k->gcm, &s->gcm, dst, src, len);
    } else {
        mb_mgr->chacha20_poly1305_dec_update(k->chacha, &s->chacha, dst, src,
                                             len);
    }
}

void vkdev_aead_finish(const VkdevAeadKey *k, VkdevAeadState *st, uint8_t *tag)
{
    MbState *s = (MbState *)st->opaque;

    if (k->is_gcm) {
        k->ops.finish(&k->gcm, &s->gcm, tag, VKDEV_AEAD_TAG_LEN);
        vkdev_aead_wipe(s, sizeof(s->gcm)); /* nobody wrote behind it */
    } else {
        mb_mgr->chacha20_poly1305_finalize(&s->chacha, tag,
                                           VKDEV_AEAD_TAG_LEN);
        vkdev_aead_wipe(s, sizeof(s->chacha));
    }
}

bool vkdev_aead_sums(VkdevAeadAlg alg)
{
    return alg != VKDEV_AEAD_CHACHA20_POLY1305 || mb_poly_sums;
}

static bool aead_is_gcm(const VkdevAeadKey *k)
{
    return k->is_gcm;
}

static void aead_poly_sum(VkdevAeadState *st, VkdevPoly *sum)
{
    MbState *s = (MbState *)st->opaque;

    mb_poly_sum(&s->chacha, sum);
}

static const uint8_t *aead_poly_s(const VkdevAeadState *st)
{
    const MbState *s = (const MbState *)st->opaque;

    return s->chacha.poly_key + 16;
}
#endif /* VKDEV_AEAD_IPSEC_MB */

#ifdef VKDEV_AEAD_NETTLE
#include <nettle/chacha-poly1305.h>
#include <nettle/gcm.h>

#define NT_BLOCK_MAX CHACHA_POLY1305_BLOCK_SIZE

/*
 * What nettle keeps of ChaCha20-Poly1305, but for the constants and the key,
 * which it keeps first: they are in the expanded key.
 */
#define NT_CHACHA_KEY offsetof(struct chacha_ctx, state[12])
#define NT_CHACHA_REST (sizeof(struct chacha_poly1305_ctx) - NT_CHACHA_KEY)

/*
 * Nettle takes whole blocks in every call but the last of a message. The
 * bytes of a block that arrives in pieces are therefore XORed here with that
 * block's keystream, and the block's ciphertext is fed to nettle once it is
 * complete.
 */
typedef struct NtState {
    union {
        struct gcm_ctx gcm;
        uint8_t chacha[NT_CHACHA_REST];
    };
    uint8_t block[NT_BLOCK_MAX]; /* ciphertext, then keystream that is left */
    uint32_t fill; /* bytes of the open block, less than a block */
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

/* @c holds the key, too, and is gone then. */
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

/* Keystream of the block that opens: what encrypting zeros gives. */
static void nt_open_block(const VkdevAeadKey *k, NtState *s)
{
    static const uint8_t zeros[NT_BLOCK_MAX];
    NtState scratch = *s;

    nt_crypt(k, &scratch, s->block, zeros, nt_block(k), false);
    vkdev_aead_wipe(&scratch, sizeof(scratch));
}

/* Feed the ciphertext of the open block, whole or the message's last part. */
static void nt_close_block(const VkdevAeadKey *k, NtState *s)
{
    uint8_t plain[NT_BLOCK_MAX];

    nt_crypt(k, s, plain, s->block, s->fill, true);
    vkdev_aead_wipe(plain, sizeof(plain));
    vkdev_aead_wipe(s->block, sizeof(s->block));
    s->fill = 0;
}

/* Bytes into the open block; returns how many it took. */
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

/* Nettle does not show what Poly1305 has summed. */
bool vkdev_aead_sums(VkdevAeadAlg alg)
{
    return alg != VKDEV_AEAD_CHACHA20_POLY1305;
}

static bool aead_is_gcm(const VkdevAeadKey *k)
{
    return k->alg != VKDEV_AEAD_CHACHA20_POLY1305;
}

static void aead_poly_sum(VkdevAeadState *st, VkdevPoly *sum)
{
    (void)st;
    *sum = (VkdevPoly) { 0 };
}

static const uint8_t *aead_poly_s(const VkdevAeadState *st)
{
    return (const uint8_t *)st->opaque;
}
#endif /* VKDEV_AEAD_NETTLE */

void vkdev_aead_sum(const VkdevAeadKey *k, VkdevAeadState *st,
                    VkdevAeadSum *sum)
{
    memset(sum, 0, sizeof(*sum));
    if (aead_is_gcm(k)) {
        vkdev_aead_finish(k, st, sum->gcm);
    } else {
        aead_poly_sum(st, &sum->poly);
        vkdev_aead_wipe(st, sizeof(*st));
    }
}

void vkdev_aead_sum_add(const VkdevAeadKey *k, VkdevAeadSum *sum,
                        const VkdevAeadSum *part, bool minus)
{
    if (aead_is_gcm(k)) {
        for (int i = 0; i < VKDEV_AEAD_TAG_LEN; i++) {
            sum->gcm[i] ^= part->gcm[i];
        }
    } else if (minus) {
        vkdev_poly_sub(&sum->poly, &part->poly);
    } else {
        vkdev_poly_add(&sum->poly, &part->poly);
    }
}

void vkdev_aead_sum_tag(const VkdevAeadKey *k, VkdevAeadState *st,
                        const VkdevAeadSum *sum, uint8_t *tag)
{
    if (aead_is_gcm(k)) {
        memcpy(tag, sum->gcm, VKDEV_AEAD_TAG_LEN);
    } else {
        vkdev_poly_tag(&sum->poly, aead_poly_s(st), tag);
    }
    vkdev_aead_wipe(st, sizeof(*st));
}

size_t vkdev_aead_key_size(void)
{
    size_t align = VKDEV_AEAD_KEY_ALIGN;

    return (sizeof(VkdevAeadKey) + align - 1) / align * align;
}
