/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Incremental AEAD: one expanded key serves any number of messages in
 * progress.
 *
 * The state of a message in progress is a plain value: it can be saved or
 * cloned by assignment. It contains key material, so the caller wipes it after
 * use.
 */
#ifndef VKDEV_AEAD_H
#define VKDEV_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "poly.h"

#define VKDEV_AEAD_NONCE_LEN 12
#define VKDEV_AEAD_TAG_LEN 16
#define VKDEV_AEAD_KEY_MAX 32
#define VKDEV_AEAD_KEY_ALIGN 64

typedef enum VkdevAeadAlg {
    VKDEV_AEAD_AES_128_GCM,
    VKDEV_AEAD_AES_256_GCM,
    VKDEV_AEAD_CHACHA20_POLY1305,
    VKDEV_AEAD_ALGS,
} VkdevAeadAlg;

typedef struct VkdevAeadKey VkdevAeadKey;

/*
 * State of a message in progress. Each library's file asserts that its own
 * state fits.
 */
typedef struct VkdevAeadState {
#if defined(VKDEV_AEAD_IPSEC_MB) == defined(VKDEV_AEAD_NETTLE)
#error "choose one of VKDEV_AEAD_IPSEC_MB and VKDEV_AEAD_NETTLE"
#elif defined(VKDEV_AEAD_IPSEC_MB)
    uint64_t opaque[24];
#else
    uint64_t opaque[25];
#endif
} VkdevAeadState;

/*
 * The authentication sum of a message, from which its tag is computed: each
 * block of ciphertext is multiplied by a constant that depends on the block's
 * place and the key, and the products are added. Sums can be added. So a
 * message can be summed in parts: each part is summed as a whole message with
 * zeros in place of the other parts.
 */
typedef union VkdevAeadSum {
    uint8_t gcm[VKDEV_AEAD_TAG_LEN]; /* the tag; GCM adds by XOR */
    VkdevPoly poly;
} VkdevAeadSum;

/** Return the name of the crypto library, for the log and for tests. */
const char *vkdev_aead_backend(void);

/** Length of a key of @alg in bytes; 0 for an @alg that does not exist. */
size_t vkdev_aead_key_len(VkdevAeadAlg alg);

/**
 * True if the crypto library supports this CPU. If not, no other function here
 * may be called.
 */
bool vkdev_aead_works(void);

/** Bytes of an expanded key, a multiple of VKDEV_AEAD_KEY_ALIGN. */
size_t vkdev_aead_key_size(void);

/**
 * Expand @key (vkdev_aead_key_len() bytes) to vkdev_aead_key_size() bytes at
 * @k, which is aligned to VKDEV_AEAD_KEY_ALIGN. An earlier key of the same
 * @alg at @k is overwritten completely. The caller wipes @k after use.
 */
void vkdev_aead_key_set(VkdevAeadKey *k, VkdevAeadAlg alg,
                        const uint8_t *key);

/**
 * Begin a message with 12 bytes of @nonce and @aad_len bytes of additional
 * data at @aad.
 */
void vkdev_aead_start(const VkdevAeadKey *k, VkdevAeadState *st,
                      const uint8_t *nonce, const void *aad, size_t aad_len);

/**
 * Encrypt the next @len bytes of the message from @src to @dst, which are
 * equal or do not overlap. The result does not depend on how a message is
 * split into calls.
 */
void vkdev_aead_encrypt(const VkdevAeadKey *k, VkdevAeadState *st,
                        void *dst, const void *src, size_t len);

/**
 * Decrypt the next @len bytes. They are not authenticated until the caller has
 * compared the tag.
 */
void vkdev_aead_decrypt(const VkdevAeadKey *k, VkdevAeadState *st,
                        void *dst, const void *src, size_t len);

/** End the message: write its 16-byte @tag and wipe @st. */
void vkdev_aead_finish(const VkdevAeadKey *k, VkdevAeadState *st,
                       uint8_t *tag);

/** True if messages of @alg can be summed in parts with this library. */
bool vkdev_aead_sums(VkdevAeadAlg alg);

/**
 * End the message like vkdev_aead_finish(), but return its @sum instead of the
 * tag.
 */
void vkdev_aead_sum(const VkdevAeadKey *k, VkdevAeadState *st,
                    VkdevAeadSum *sum);

/** Add @part to @sum, or subtract it if @minus. */
void vkdev_aead_sum_add(const VkdevAeadKey *k, VkdevAeadSum *sum,
                        const VkdevAeadSum *part, bool minus);

/**
 * Compute the @tag of a message from its @sum. @st must be a message that has
 * just begun with the same nonce and additional data; it is wiped.
 */
void vkdev_aead_sum_tag(const VkdevAeadKey *k, VkdevAeadState *st,
                        const VkdevAeadSum *sum, uint8_t *tag);

/** Compare two tags in constant time. Return nonzero if they differ. */
int vkdev_aead_tag_differs(const uint8_t *a, const uint8_t *b);

/**
 * Overwrite @len bytes at @p with zeros, even if the compiler sees no later
 * use.
 */
static inline void vkdev_aead_wipe(void *p, size_t len)
{
    memset(p, 0, len);
    /* The asm may read *p as far as the compiler knows, so the stores stay. */
    __asm__ __volatile__("" : : "r"(p) : "memory");
}

#endif
