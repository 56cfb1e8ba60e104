// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ones' complement sums; see sum.h. A payload is added in vectors of 64-bit
 * words, of which low and high halves are wanted apart, so that no carry is
 * lost. Adding whole words, which may wrap, and their high halves is enough:
 * the sum of the low halves is the first without the second.
 */
#include <string.h>

#include "sum.h"

/* What any 64-bit machine adds at once; more would be taken apart, badly. */
typedef uint64_t Words __attribute__((vector_size(16)));

typedef struct Sum {
    Words all, high;
} Sum;

static inline Sum sum_words(Sum s, const uint8_t *p)
{
    Words w;

    memcpy(&w, p, sizeof(w));
    s.all += w;
    s.high += w >> 32;
    return s;
}

#define STEP (4 * sizeof(Words))

/* Four sums at a time, none of which waits for another. */
static uint64_t sum_bulk(const uint8_t *p, size_t len)
{
    Sum a = { { 0 }, { 0 } }, b = a, c = a, d = a;
    uint64_t all, high;

    for (; len; p += STEP, len -= STEP) {
        a = sum_words(a, p);
        b = sum_words(b, p + sizeof(Words));
        c = sum_words(c, p + 2 * sizeof(Words));
        d = sum_words(d, p + 3 * sizeof(Words));
    }
    a.all += b.all + c.all + d.all;
    a.high += b.high + c.high + d.high;
    all = a.all[0] + a.all[1];
    high = a.high[0] + a.high[1];
    return all - (high << 32) + high;
}

/* Less than eight bytes. */
static uint64_t sum_tail(const uint8_t *p, size_t len)
{
    uint32_t word = 0;
    uint16_t half = 0, last = 0;

    if (len & 4) {
        memcpy(&word, p, 4);
        p += 4;
    }
    if (len & 2) {
        memcpy(&half, p, 2);
        p += 2;
    }
    if (len & 1) {
        memcpy(&last, p, 1);
    }
    return (uint64_t)word + half + last;
}

uint64_t vkdev_sum_add(uint64_t acc, const uint8_t *p, size_t len)
{
    size_t bulk = len & ~(STEP - 1);
    uint64_t two;

    if (bulk) {
        acc += sum_bulk(p, bulk);
        p += bulk;
        len -= bulk;
    }
    for (; len >= sizeof(two); p += sizeof(two), len -= sizeof(two)) {
        memcpy(&two, p, sizeof(two));
        acc += (two & UINT32_MAX) + (two >> 32);
    }
    return acc + sum_tail(p, len);
}

void vkdev_sum_store(uint8_t *field, uint64_t acc)
{
    uint16_t sum = ~vkdev_sum_fold(acc);

    if (!sum) {
        sum = 0xffff;   /* the same number, and not UDP's "no checksum" */
    }
    memcpy(field, &sum, sizeof(sum));
}
