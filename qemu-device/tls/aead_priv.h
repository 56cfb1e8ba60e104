/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions of aead_ipsec_mb.c and aead_nettle.c that aead.c uses for sums. */
#ifndef VKDEV_AEAD_PRIV_H
#define VKDEV_AEAD_PRIV_H

#include "aead.h"

bool vkdev_aead_is_gcm(const VkdevAeadKey *k);

/**
 * End a message of ChaCha20-Poly1305 and return its @sum. The caller wipes
 * @st.
 */
void vkdev_aead_poly_sum(VkdevAeadState *st, VkdevPoly *sum);

/**
 * Return the 16 bytes of the message's one-time key that Poly1305 adds to the
 * sum at the end.
 */
const uint8_t *vkdev_aead_poly_s(const VkdevAeadState *st);

#endif
