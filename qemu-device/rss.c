// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Toeplitz: each bit of the input that is set adds the 32 bits of the key that
 * begin at the bit's place. Sums of four neighbours are made once for each key.
 */
#include "rss.h"
#include "vktls_abi.h"

_Static_assert(VKDEV_RSS_INPUT_MAX + 4 <= VKTLS_RSS_KEY_BYTES,
               "each bit of the input has 32 bits of the key behind it");

/* 32 bits of the key, from bit @bit on. */
static uint32_t key_window(const uint8_t *key, unsigned bit)
{
    const uint8_t *p = key + bit / 8;
    uint64_t five = 0;

    for (int i = 0; i < 5; i++) {
        five = five << 8 | (bit % 8 || i < 4 ? p[i] : 0);
    }
    return five >> (8 - bit % 8);
}

void vkdev_rss_key_set(VkdevRssKey *k, const uint8_t *key)
{
    for (unsigned at = 0; at < 2 * VKDEV_RSS_INPUT_MAX; at++) {
        for (unsigned value = 0; value < 16; value++) {
            uint32_t sum = 0;

            for (unsigned bit = 0; bit < 4; bit++) {
                if (value & (8 >> bit)) {
                    sum ^= key_window(key, 4 * at + bit);
                }
            }
            k->part[at][value] = sum;
        }
    }
}

uint32_t vkdev_rss_hash(const VkdevRssKey *k, const uint8_t *in, size_t len)
{
    uint32_t hash = 0;

    for (size_t i = 0; i < len; i++) {
        hash ^= k->part[2 * i][in[i] >> 4] ^ k->part[2 * i + 1][in[i] & 15];
    }
    return hash;
}
