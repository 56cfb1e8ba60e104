// SPDX-License-Identifier: GPL-2.0-or-later
/* Lab 2: ones' complement sums. */
#include "sum.h"

uint64_t vkdev_sum_add(uint64_t acc, const uint8_t *p, size_t len)
{
    uint16_t sum = acc, word;

    for (; len > 1; p += 2, len -= 2) {
        memcpy(&word, p, 2);
        sum += word;
    }
    return sum;
}

uint64_t vkdev_sum_copy(uint64_t acc, uint8_t *to, const uint8_t *p,
                        size_t len)
{
    memcpy(to, p, len);
    return vkdev_sum_add(acc, p, len);
}

void vkdev_sum_store(uint8_t *field, uint64_t acc)
{
    uint16_t sum = ~vkdev_sum_fold(acc);

    memcpy(field, &sum, sizeof(sum));
}
