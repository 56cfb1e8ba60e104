// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The AEAD of the TLS engine: the part that does not depend on the crypto
 * library. The part for each library is in aead_ipsec_mb.c or aead_nettle.c.
 * No AEAD file knows records or TLS.
 */
#include <string.h>

#include "aead_priv.h"

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

void vkdev_aead_sum(const VkdevAeadKey *k, VkdevAeadState *st,
                    VkdevAeadSum *sum)
{
    memset(sum, 0, sizeof(*sum));
    if (vkdev_aead_is_gcm(k)) {
        vkdev_aead_finish(k, st, sum->gcm);
    } else {
        vkdev_aead_poly_sum(st, &sum->poly);
        vkdev_aead_wipe(st, sizeof(*st));
    }
}

void vkdev_aead_sum_add(const VkdevAeadKey *k, VkdevAeadSum *sum,
                        const VkdevAeadSum *part, bool minus)
{
    if (vkdev_aead_is_gcm(k)) {
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
    if (vkdev_aead_is_gcm(k)) {
        memcpy(tag, sum->gcm, VKDEV_AEAD_TAG_LEN);
    } else {
        vkdev_poly_tag(&sum->poly, vkdev_aead_poly_s(st), tag);
    }
    vkdev_aead_wipe(st, sizeof(*st));
}
