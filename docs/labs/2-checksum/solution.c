// SPDX-License-Identifier: GPL-2.0-or-later
/* Lab 2: ones' complement sums. */
#include "sum.h"

uint64_t vkdev_sum_add(uint64_t acc, const uint8_t *p, size_t len)
{
    uint16_t word;

    /* 64 bits have room for the carries of 2^48 words: fold at the end */
    for (; len > 1; p += 2, len -= 2) {
        memcpy(&word, p, 2);
        acc += word;
    }
    if (len) {
        word = 0;
        memcpy(&word, p, 1);    /* followed by a zero, whatever the byte order */
        acc += word;
    }
    return acc;
}

uint64_t vkdev_sum_copy(uint64_t acc, uint8_t *to, const uint8_t *p,
                        size_t len)
{
    /* the sum is that of the copy: @p may change meanwhile, @to does not */
    memcpy(to, p, len);
    return vkdev_sum_add(acc, to, len);
}

void vkdev_sum_store(uint8_t *field, uint64_t acc)
{
    uint16_t sum = ~vkdev_sum_fold(acc);

    if (!sum) {
        sum = 0xffff;           /* zero would mean "no checksum" in UDP */
    }
    memcpy(field, &sum, sizeof(sum));
}
