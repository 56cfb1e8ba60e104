/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of each library's file on which aead.c builds sums of messages.
 */
#ifndef VKDEV_AEAD_PRIV_H
#define VKDEV_AEAD_PRIV_H

#include "aead.h"

bool vkdev_aead_is_gcm(const VkdevAeadKey *k);

/** End a message of ChaCha20-Poly1305: its sum. The caller wipes @st. */
void vkdev_aead_poly_sum(VkdevAeadState *st, VkdevPoly *sum);

/** The 16 bytes of a message's key that are added to its sum at the end. */
const uint8_t *vkdev_aead_poly_s(const VkdevAeadState *st);

#endif
