// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arithmetic modulo p = 2^130 - 5, for partial sums of Poly1305, which crypto
 * libraries do not offer. 2^130 = 5 modulo p, so the part of a number above
 * bit 130 is multiplied by 5 and added to the low part.
 */
#include "poly.h"

typedef unsigned __int128 u128;

static uint64_t get_le64(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 7; i >= 0; i--) {
        v = v << 8 | p[i];
    }
    return v;
}

static void put_le64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++, v >>= 8) {
        p[i] = v;
    }
}

static void add_words(VkdevPoly *a, uint64_t w0, uint64_t w1, uint64_t w2)
{
    u128 sum = (u128)a->w[0] + w0;

    a->w[0] = sum;
    sum = (u128)a->w[1] + w1 + (uint64_t)(sum >> 64);
    a->w[1] = sum;
    a->w[2] += w2 + (uint64_t)(sum >> 64);
}

/* Reduce to slightly more than 2^130 at most. */
static void fold(VkdevPoly *a)
{
    uint64_t over = a->w[2] >> 2;

    a->w[2] &= 3;
    add_words(a, over * 5, 0, 0);
}

void vkdev_poly_add(VkdevPoly *a, const VkdevPoly *b)
{
    add_words(a, b->w[0], b->w[1], b->w[2]);
    fold(a);
}

/* Compute a + 4p - b; 4p = 2^132 - 20 is larger than any b. */
void vkdev_poly_sub(VkdevPoly *a, const VkdevPoly *b)
{
    add_words(a, -20ull, ~0ull, 15);
    add_words(a, ~b->w[0], ~b->w[1], ~b->w[2]);
    add_words(a, 1, 0, 0);
    fold(a);
}

static void multiply(VkdevPoly *a, uint64_t r0, uint64_t r1)
{
    u128 d0 = (u128)a->w[0] * r0;
    u128 mid = (u128)a->w[0] * r1, mid2 = (u128)a->w[1] * r0;
    u128 d2 = (u128)a->w[1] * r1 + a->w[2] * r0;
    uint64_t w1, w2, w3, over0, over1;
    u128 sum = (d0 >> 64) + (uint64_t)mid + (uint64_t)mid2;

    w1 = sum;
    sum = (sum >> 64) + (mid >> 64) + (mid2 >> 64) + (uint64_t)d2;
    w2 = sum;
    w3 = (uint64_t)(sum >> 64) + (uint64_t)(d2 >> 64) + a->w[2] * r1;
    *a = (VkdevPoly) { { d0, w1, w2 & 3 } };
    /*
     * Add 5 times the part above bit 130: once as it is shifted down (over),
     * and four times, which is the unshifted part with the low two bits
     * cleared.
     */
    over0 = w2 >> 2 | w3 << 62;
    over1 = w3 >> 2;
    add_words(a, over0, over1, 0);
    add_words(a, w2 & ~3ull, w3, 0);
    fold(a);
}

void vkdev_poly_block(VkdevPoly *a, const uint8_t *r, const uint8_t *block)
{
    add_words(a, get_le64(block), get_le64(block + 8), 1);
    fold(a);
    multiply(a, get_le64(r) & 0x0ffffffc0fffffffull,
             get_le64(r + 8) & 0x0ffffffc0ffffffcull);
}

void vkdev_poly_tag(const VkdevPoly *a, const uint8_t *s, uint8_t *tag)
{
    VkdevPoly n = *a, more;

    fold(&n);
    more = n; /* n + 5 reaches 2^130 if n is p or more */
    add_words(&more, 5, 0, 0);
    if (more.w[2] >> 2) {
        n = more;
    }
    add_words(&n, get_le64(s), get_le64(s + 8), 0);
    put_le64(tag, n.w[0]);
    put_le64(tag + 8, n.w[1]);
}
