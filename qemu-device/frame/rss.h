/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Toeplitz hash that spreads received frames over queues. Pure C. */
#ifndef VKDEV_RSS_H
#define VKDEV_RSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vktls_abi.h"

#define VKDEV_RSS_INPUT_MAX 36  /* two IPv6 addresses and two ports */

/* The contribution of each input byte to the hash, by place and value. */
typedef struct VkdevRssKey {
    uint32_t part[VKDEV_RSS_INPUT_MAX][256];
} VkdevRssKey;

/* An RSS context: the fields that are hashed, and where a hash leads. */
typedef struct VkdevRss {
    VkdevRssKey key;
    uint8_t fields[VKTLS_RSS_TYPES];    /* VKTLS_RSS_SRC...; 0 = no hash */
    uint8_t input;      /* VKTLS_RSS_PLAIN, _XOR, _OR_XOR */
    uint8_t odd;        /* types, by bit, for vkdev_rss_hash_odd() */
    uint8_t table[VKTLS_RSS_ENTRIES];   /* queues */
} VkdevRss;

/** Make @rss what @cfg says. False, and no change: undefined bits or values. */
bool vkdev_rss_set(VkdevRss *rss, const struct vktls_rss_ctx *cfg);

/** Prepare @key, VKTLS_RSS_KEY_BYTES long. */
void vkdev_rss_key_set(VkdevRssKey *k, const uint8_t *key);

/**
 * The contribution of @len bytes at @in, a multiple of 4, to the hash. @place
 * is their offset in its input, which is at most VKDEV_RSS_INPUT_MAX long.
 */
uint32_t vkdev_rss_hash(const VkdevRssKey *k, size_t place, const uint8_t *in,
                        size_t len);

/**
 * The hash of a packet of which not both addresses, and both ports or none, are
 * hashed as they are: @fields of its addresses, @len bytes at @addr, and of its
 * ports, which are not read unless @fields has one of them.
 */
uint32_t vkdev_rss_hash_odd(const VkdevRss *rss, unsigned fields,
                            const uint8_t *addr, size_t len,
                            const uint8_t *ports);

#endif
