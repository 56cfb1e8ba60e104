/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Toeplitz hash that spreads received frames over queues. Pure C. */
#ifndef VKDEV_RSS_H
#define VKDEV_RSS_H

#include <stddef.h>
#include <stdint.h>

#define VKDEV_RSS_INPUT_MAX 36  /* two IPv6 addresses and two ports */

/* The contribution of each input byte to the hash, by place and value. */
typedef struct VkdevRssKey {
    uint32_t part[VKDEV_RSS_INPUT_MAX][256];
} VkdevRssKey;

/** Prepare @key, VKTLS_RSS_KEY_BYTES long. */
void vkdev_rss_key_set(VkdevRssKey *k, const uint8_t *key);

/**
 * The contribution of @len bytes at @in, a multiple of 4, to the hash. @place
 * is their offset in its input, which is at most VKDEV_RSS_INPUT_MAX long.
 */
uint32_t vkdev_rss_hash(const VkdevRssKey *k, size_t place, const uint8_t *in,
                        size_t len);

#endif
