// SPDX-License-Identifier: GPL-2.0-or-later
/* AEAD with Intel's IPsec-MB. No other file uses this library. */
#include <intel-ipsec-mb.h>
#include <pthread.h>
#include <string.h>

#include "aead_priv.h"

/*
 * The library's table of functions, shared by all threads. It has no state of
 * any message.
 */
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
        struct gcm_key_data gcm; /* alignment VKDEV_AEAD_KEY_ALIGN */
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

static bool mb_poly_sums; /* true if mb_poly_sum_works() */

/*
 * Read the sum of a message from the library's state at the end of the
 * message. The last partial block and the block of lengths, which the library
 * has not added yet, are added here.
 */
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

/*
 * Test mb_poly_sum(), which depends on internals of the library: true if it
 * leads to the same tags as the library, for messages that end at any place in
 * a block.
 */
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
        vkdev_aead_wipe(s, sizeof(s->gcm)); /* GCM uses no more */
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

bool vkdev_aead_is_gcm(const VkdevAeadKey *k)
{
    return k->is_gcm;
}

void vkdev_aead_poly_sum(VkdevAeadState *st, VkdevPoly *sum)
{
    MbState *s = (MbState *)st->opaque;

    mb_poly_sum(&s->chacha, sum);
}

const uint8_t *vkdev_aead_poly_s(const VkdevAeadState *st)
{
    const MbState *s = (const MbState *)st->opaque;

    return s->chacha.poly_key + 16;
}

size_t vkdev_aead_key_size(void)
{
    size_t align = VKDEV_AEAD_KEY_ALIGN;

    return (sizeof(VkdevAeadKey) + align - 1) / align * align;
}
