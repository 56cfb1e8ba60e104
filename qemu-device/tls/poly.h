/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers modulo 2^130 - 5, in which Poly1305 counts. Pure C. */
#ifndef VKDEV_POLY_H
#define VKDEV_POLY_H

#include <stddef.h>
#include <stdint.h>

/* Little-endian; less than 2^131, so not always the smallest form. */
typedef struct VkdevPoly {
    uint64_t w[3];
} VkdevPoly;

/** a += b */
void vkdev_poly_add(VkdevPoly *a, const VkdevPoly *b);

/** a -= b */
void vkdev_poly_sub(VkdevPoly *a, const VkdevPoly *b);

/** a = (a + block) * r; @r is 16 bytes of key, @block one of a message. */
void vkdev_poly_block(VkdevPoly *a, const uint8_t *r, const uint8_t *block);

/** The tag: 16 bytes of smallest form + @s, modulo 2^128. */
void vkdev_poly_tag(const VkdevPoly *a, const uint8_t *s, uint8_t *tag);

#endif
