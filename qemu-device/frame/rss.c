// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Toeplitz: each bit of the input that is set adds the 32 bits of the key that
 * begin at the bit's place. Sums of eight neighbours are made once for a key.
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
    for (unsigned at = 0; at < VKDEV_RSS_INPUT_MAX; at++) {
        uint32_t *part = k->part[at];

        part[0] = 0;
        for (unsigned bit = 0; bit < 8; bit++) {
            uint32_t window = key_window(key, 8 * at + 7 - bit);

            for (unsigned low = 0; low < 1u << bit; low++) {
                part[(1u << bit) + low] = part[low] ^ window;
            }
        }
    }
}

uint32_t vkdev_rss_hash(const VkdevRssKey *k, size_t place, const uint8_t *in,
                        size_t len)
{
    const uint32_t (*part)[256] = &k->part[place];
    uint32_t hash = 0, other = 0;

    /* two sums, neither of which waits for the other */
    for (size_t i = 0; i < len; i += 4, part += 4, in += 4) {
        hash ^= part[0][in[0]] ^ part[2][in[2]];
        other ^= part[1][in[1]] ^ part[3][in[3]];
    }
    return hash ^ other;
}
