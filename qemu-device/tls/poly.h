/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers modulo p = 2^130 - 5, for Poly1305. Pure C. */
#ifndef VKDEV_POLY_H
#define VKDEV_POLY_H

#include <stddef.h>
#include <stdint.h>

/*
 * A number modulo p, little-endian words. It is less than 2^131, so it need
 * not be fully reduced.
 */
typedef struct VkdevPoly {
    uint64_t w[3];
} VkdevPoly;

/** a += b */
void vkdev_poly_add(VkdevPoly *a, const VkdevPoly *b);

/** a -= b */
void vkdev_poly_sub(VkdevPoly *a, const VkdevPoly *b);

/**
 * a = (a + block) * r; @r is 16 bytes of the key, @block 16 bytes of a
 * message.
 */
void vkdev_poly_block(VkdevPoly *a, const uint8_t *r, const uint8_t *block);

/** Write the tag: @a fully reduced, plus the 16 bytes at @s, modulo 2^128. */
void vkdev_poly_tag(const VkdevPoly *a, const uint8_t *s, uint8_t *tag);

#endif
