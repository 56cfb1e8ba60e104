/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ones' complement sums, as the internet's checksums have them. Pure C.
 *
 * Such sums work in any byte order: words are added as they lie in memory, and
 * the result is stored back so. A sum in progress may be added to another.
 */
#ifndef VKDEV_SUM_H
#define VKDEV_SUM_H

#include <stddef.h>
#include <stdint.h>

/** Add @len bytes at @p, the first of which has an even place, to @acc. */
uint64_t vkdev_sum_add(uint64_t acc, const uint8_t *p, size_t len);

/** The 16 bits that a sum comes to. */
static inline uint16_t vkdev_sum_fold(uint64_t acc)
{
    acc = (acc & UINT32_MAX) + (acc >> 32);
    acc = (acc & UINT32_MAX) + (acc >> 32);
    acc = (acc & UINT16_MAX) + (acc >> 16);
    acc = (acc & UINT16_MAX) + (acc >> 16);
    return acc;
}

/** Store the complement in two bytes at @field, where they were zero. */
void vkdev_sum_store(uint8_t *field, uint64_t acc);

#endif
