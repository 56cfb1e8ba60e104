/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ones' complement sums, as in Internet checksums (RFC 1071). Pure C.
 *
 * A sum does not depend on the byte order of the machine: words are added as
 * they are in memory, and the result is stored as it is. Partial sums can be
 * added to each other.
 */
#ifndef VKDEV_SUM_H
#define VKDEV_SUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * Return @acc plus the sum of @len bytes at @p. The first byte must have an
 * even offset in the summed data.
 */
uint64_t vkdev_sum_add(uint64_t acc, const uint8_t *p, size_t len);

/**
 * Copy @len bytes from @p to @to and return @acc plus their sum. The ranges
 * must not overlap.
 */
uint64_t vkdev_sum_copy(uint64_t acc, uint8_t *to, const uint8_t *p,
                        size_t len);

/** Return the sum of a few 32-bit words, for example of a header. */
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

/**
 * Return @v in the form in which sums read it from a packet: network byte
 * order.
 */
static inline uint32_t vkdev_sum_be32(uint32_t v)
{
    const uint8_t bytes[] = { v >> 24, v >> 16, v >> 8, v };

    memcpy(&v, bytes, sizeof(v));
    return v;
}

/** Fold a sum to 16 bits. */
static inline uint16_t vkdev_sum_fold(uint64_t acc)
{
    acc = (acc & UINT32_MAX) + (acc >> 32);
    acc = (acc & UINT32_MAX) + (acc >> 32);
    acc = (acc & UINT16_MAX) + (acc >> 16);
    acc = (acc & UINT16_MAX) + (acc >> 16);
    return acc;
}

/** Return the number that subtracts @acc when it is added to another sum. */
static inline uint64_t vkdev_sum_minus(uint64_t acc)
{
    return UINT16_MAX - vkdev_sum_fold(acc);
}

/** Return the sum of the same bytes moved to an odd offset. */
static inline uint64_t vkdev_sum_odd(uint64_t acc)
{
    uint16_t sum = vkdev_sum_fold(acc);

    return (uint16_t)(sum << 8 | sum >> 8);
}

/**
 * Store the complement of @acc in two bytes at @field, which were zero when
 * the sum was computed.
 */
void vkdev_sum_store(uint8_t *field, uint64_t acc);

#endif
