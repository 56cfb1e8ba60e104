/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 of a message (FIPS 180-4), for firmware images. */
#ifndef VKDEV_SHA256_H
#define VKDEV_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define VKDEV_SHA256_LEN 32

/** vkdev_sha256() - write the digest of @len bytes at @data to @digest */
void vkdev_sha256(const void *data, size_t len,
                  uint8_t digest[VKDEV_SHA256_LEN]);

#endif
