/* SPDX-License-Identifier: GPL-2.0-only */
/* The crypto library without TLS: one call for each message. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <stddef.h>
#include <stdint.h>

struct raw;

extern const char raw_name[];

struct raw *raw_alloc(const uint8_t *key);

/*
 * Encrypt @len bytes in place, with 13 bytes of additional data; the tag is
 * written behind them.
 */
void raw_seal(struct raw *raw, const uint8_t *nonce, const uint8_t *aad, uint8_t *p, size_t len);

/*
 * Decrypt @len bytes from one buffer to another; the computed tag is written
 * to @tag.
 */
void raw_open(struct raw *raw, const uint8_t *nonce, const uint8_t *aad, const uint8_t *from,
	      uint8_t *to, size_t len, uint8_t *tag);

#endif /* BENCH_RAW_H */
