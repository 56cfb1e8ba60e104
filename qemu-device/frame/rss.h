/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Toeplitz hash, which spreads received frames over queues. Pure C. */
#ifndef VKDEV_RSS_H
#define VKDEV_RSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vktls_abi.h"

#define VKDEV_RSS_INPUT_MAX 36  /* two IPv6 addresses and two ports */

/* Contributions to the hash: part[place][value] for an input byte. */
typedef struct VkdevRssKey {
    uint32_t part[VKDEV_RSS_INPUT_MAX][256];
} VkdevRssKey;

/*
 * An RSS context: the packet fields that are hashed, and the table that maps a
 * hash to a queue.
 */
typedef struct VkdevRss {
    VkdevRssKey key;
    uint8_t raw_key[VKTLS_RSS_KEY_BYTES];
    uint8_t fields[VKTLS_RSS_TYPES];    /* VKTLS_RSS_SRC etc.; 0 = no hash */
    uint8_t input;      /* VKTLS_RSS_PLAIN, _XOR or _OR_XOR */
    uint8_t odd;        /* bit mask of types that need vkdev_rss_hash_odd() */
    uint8_t table[VKTLS_RSS_ENTRIES];   /* queue numbers */
} VkdevRss;

/**
 * Set @rss from @cfg. False, without a change, if @cfg has undefined bits or
 * values.
 */
bool vkdev_rss_set(VkdevRss *rss, const struct vktls_rss_ctx *cfg);

/** Set @cfg to the values that @rss was set from last; zeros if never. */
void vkdev_rss_get(const VkdevRss *rss, struct vktls_rss_ctx *cfg);

/** Compute the tables of @k for @key, which is VKTLS_RSS_KEY_BYTES long. */
void vkdev_rss_key_set(VkdevRssKey *k, const uint8_t *key);

/**
 * Return the contribution of @len bytes (a multiple of 4) at @in to the hash.
 * @place is the offset of these bytes in the hash's input, which has at most
 * VKDEV_RSS_INPUT_MAX bytes.
 */
uint32_t vkdev_rss_hash(const VkdevRssKey *k, size_t place, const uint8_t *in,
                        size_t len);

/**
 * Hash of a packet type for which vkdev_rss_hash() is not enough: only one
 * address or one port is hashed, or the fields are combined by XOR or OR.
 * @addr is both addresses, @len bytes in all; @ports is both ports, and is not
 * read unless @fields has a port.
 */
uint32_t vkdev_rss_hash_odd(const VkdevRss *rss, unsigned fields,
                            const uint8_t *addr, size_t len,
                            const uint8_t *ports);

#endif
