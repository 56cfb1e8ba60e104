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
#include <string.h>

/** Add @len bytes at @p, the first of which has an even place, to @acc. */
uint64_t vkdev_sum_add(uint64_t acc, const uint8_t *p, size_t len);

/** Add up bytes while copying them from @p to @to, without overlap. */
uint64_t vkdev_sum_copy(uint64_t acc, uint8_t *to, const uint8_t *p,
                        size_t len);

/** The sum of few 32-bit words: of a header, or a part of one. */
static inline uint64_t vkdev_sum_words(const uint8_t *p, size_t words)
{
    uint64_t acc = 0;
    uint32_t word;

    for (; words; words--, p += sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        acc += word;
    }
    return acc;
}

/** The 16 bits that a sum comes to. */
static inline uint16_t vkdev_sum_fold(uint64_t acc)
{
    acc = (acc & UINT32_MAX) + (acc >> 32);
    acc = (acc & UINT32_MAX) + (acc >> 32);
    acc = (acc & UINT16_MAX) + (acc >> 16);
    acc = (acc & UINT16_MAX) + (acc >> 16);
    return acc;
}

/** The value that takes @acc away again when added. */
static inline uint64_t vkdev_sum_minus(uint64_t acc)
{
    return UINT16_MAX - vkdev_sum_fold(acc);
}

/** The sum of the same bytes when the first of them has an odd place. */
static inline uint64_t vkdev_sum_odd(uint64_t acc)
{
    uint16_t sum = vkdev_sum_fold(acc);

    return (uint16_t)(sum << 8 | sum >> 8);
}

/** Store the complement in two bytes at @field, where they were zero. */
void vkdev_sum_store(uint8_t *field, uint64_t acc);

#endif
