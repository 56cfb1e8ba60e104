// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Toeplitz hash: for each bit of the input that is set, the hash is XORed with
 * 32 bits of the key, beginning at the same bit. The contributions of all
 * values of an input byte are computed once for each key.
 */
#include <string.h>

#include "rss.h"

_Static_assert(VKDEV_RSS_INPUT_MAX + 4 <= VKTLS_RSS_KEY_BYTES,
               "each bit of the input has 32 bits of the key behind it");

/* Return 32 bits of the key, beginning at bit @bit. */
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

#define ADDRS (VKTLS_RSS_SRC | VKTLS_RSS_DST)
#define PORTS (VKTLS_RSS_SRC_PORT | VKTLS_RSS_DST_PORT)

/* Packet types of which no ports are hashed. */
#define NO_PORTS (VKTLS_RSS_IPV4 | VKTLS_RSS_IPV6)

static bool rss_is_odd(uint8_t fields, uint8_t input)
{
    return input || (fields & ADDRS) != ADDRS ||
           ((fields & PORTS) && (fields & PORTS) != PORTS);
}

bool vkdev_rss_set(VkdevRss *rss, const struct vktls_rss_ctx *cfg)
{
    uint8_t odd = 0;

    if (cfg->input > VKTLS_RSS_OR_XOR) {
        return false;
    }
    for (unsigned i = 0; i < VKTLS_RSS_TYPES; i++) {
        if (cfg->fields[i] & ~(ADDRS | (NO_PORTS & 1 << i ? 0 : PORTS))) {
            return false;
        }
        odd |= rss_is_odd(cfg->fields[i], cfg->input) << i;
    }
    memcpy(rss->fields, cfg->fields, sizeof(rss->fields));
    memcpy(rss->table, cfg->table, sizeof(rss->table));
    rss->input = cfg->input;
    rss->odd = odd;
    memcpy(rss->raw_key, cfg->key, sizeof(rss->raw_key));
    vkdev_rss_key_set(&rss->key, cfg->key);
    return true;
}

void vkdev_rss_get(const VkdevRss *rss, struct vktls_rss_ctx *cfg)
{
    *cfg = (struct vktls_rss_ctx) { .input = rss->input };
    memcpy(cfg->key, rss->raw_key, sizeof(cfg->key));
    memcpy(cfg->fields, rss->fields, sizeof(cfg->fields));
    memcpy(cfg->table, rss->table, sizeof(cfg->table));
}

uint32_t vkdev_rss_hash(const VkdevRssKey *k, size_t place, const uint8_t *in,
                        size_t len)
{
    const uint32_t (*part)[256] = &k->part[place];
    uint32_t hash = 0, other = 0;

    /* Two partial results, so that the CPU can compute them in parallel. */
    for (size_t i = 0; i < len; i += 4, part += 4, in += 4) {
        hash ^= part[0][in[0]] ^ part[2][in[2]];
        other ^= part[1][in[1]] ^ part[3][in[3]];
    }
    return hash ^ other;
}

/*
 * Make the hash equal for both directions of a connection. @pair is two
 * addresses or two ports, each @half bytes long.
 */
static void rss_fold(uint8_t *pair, size_t half, uint8_t input)
{
    for (size_t i = 0; i < half; i++) {
        uint8_t a = pair[i], b = pair[half + i];

        pair[i] = input == VKTLS_RSS_XOR ? a ^ b : a | b;
        pair[half + i] = a ^ b;
    }
}

/*
 * Copy the first half of @from if bit 0 of @fields is set, and the second half
 * if bit 1 is set. Each half has @half bytes.
 */
static void rss_choose(uint8_t *to, const uint8_t *from, size_t half,
                       unsigned fields)
{
    for (unsigned i = 0; i < 2; i++) {
        if (fields & 1 << i) {
            memcpy(to + i * half, from + i * half, half);
        }
    }
}

uint32_t vkdev_rss_hash_odd(const VkdevRss *rss, unsigned fields,
                            const uint8_t *addr, size_t len,
                            const uint8_t *ports)
{
    uint8_t in[VKDEV_RSS_INPUT_MAX] = { 0 };

    rss_choose(in, addr, len / 2, fields);
    rss_choose(in + len, ports, 2, fields / VKTLS_RSS_SRC_PORT);
    if (rss->input) {
        rss_fold(in, len / 2, rss->input);
        rss_fold(in + len, 2, rss->input);
    }
    return vkdev_rss_hash(&rss->key, 0, in, len + 4);
}
