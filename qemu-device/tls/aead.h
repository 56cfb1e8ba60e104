/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Incremental AEAD: one key schedule, any number of running messages.
 *
 * The state of a running message is a plain value: assigning it saves or
 * clones it. It holds key material: wipe it before it goes out of use.
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

/* Large enough for the library, as its file asserts. */
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
 * The sum behind a tag: over the blocks of the ciphertext, each times a
 * constant of its place and the key. Sums add up, so a message can be summed in
 * parts, each part with zeros in place of the others.
 */
typedef union VkdevAeadSum {
    uint8_t gcm[VKDEV_AEAD_TAG_LEN]; /* the tag: its sums are XOR */
    VkdevPoly poly;
} VkdevAeadSum;

/** Name of the library behind this build, for the log and for tests. */
const char *vkdev_aead_backend(void);

/** Length of a key of @alg in bytes; 0 for an @alg that does not exist. */
size_t vkdev_aead_key_len(VkdevAeadAlg alg);

/** True when the library runs on this processor; the rest requires it. */
bool vkdev_aead_works(void);

/** Bytes of an expanded key, a multiple of VKDEV_AEAD_KEY_ALIGN. */
size_t vkdev_aead_key_size(void);

/**
 * Expand @key (vkdev_aead_key_len() bytes) into vkdev_aead_key_size() bytes of
 * memory at @k, aligned to VKDEV_AEAD_KEY_ALIGN, and wiped by the caller. All
 * that another key of the same @alg left there is overwritten.
 */
void vkdev_aead_key_set(VkdevAeadKey *k, VkdevAeadAlg alg,
                        const uint8_t *key);

/** Begin a message: 12 bytes of @nonce and @aad_len bytes at @aad. */
void vkdev_aead_start(const VkdevAeadKey *k, VkdevAeadState *st,
                      const uint8_t *nonce, const void *aad, size_t aad_len);

/**
 * Encrypt the next @len bytes of the message from @src to @dst, which are the
 * same or do not overlap. Any split of a message gives the same result.
 */
void vkdev_aead_encrypt(const VkdevAeadKey *k, VkdevAeadState *st,
                        void *dst, const void *src, size_t len);

/** Decrypt the next @len bytes; nothing is authenticated before the tag. */
void vkdev_aead_decrypt(const VkdevAeadKey *k, VkdevAeadState *st,
                        void *dst, const void *src, size_t len);

/** End the message: write its 16-byte @tag and wipe @st. */
void vkdev_aead_finish(const VkdevAeadKey *k, VkdevAeadState *st,
                       uint8_t *tag);

/** True when the library lets messages of @alg be summed in parts. */
bool vkdev_aead_sums(VkdevAeadAlg alg);

/** End the message as vkdev_aead_finish() does, but give its @sum. */
void vkdev_aead_sum(const VkdevAeadKey *k, VkdevAeadState *st,
                    VkdevAeadSum *sum);

/** sum += part, or sum -= part */
void vkdev_aead_sum_add(const VkdevAeadKey *k, VkdevAeadSum *sum,
                        const VkdevAeadSum *part, bool minus);

/**
 * The @tag of a message with that @sum; @st is a message with its nonce and
 * additional data that has just begun, and is wiped.
 */
void vkdev_aead_sum_tag(const VkdevAeadKey *k, VkdevAeadState *st,
                        const VkdevAeadSum *sum, uint8_t *tag);

/** Compare two tags in a time that does not depend on where they differ. */
int vkdev_aead_tag_differs(const uint8_t *a, const uint8_t *b);

/** Overwrite @len bytes at @p; the compiler cannot leave it out. */
static inline void vkdev_aead_wipe(void *p, size_t len)
{
    memset(p, 0, len);
    /* Makes the stores visible to something the compiler cannot see into. */
    __asm__ __volatile__("" : : "r"(p) : "memory");
}

#endif
