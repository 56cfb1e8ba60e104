/* SPDX-License-Identifier: GPL-2.0-only */
/* The crypto library alone: one call for each message, no TLS around it. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <stddef.h>
#include <stdint.h>

struct raw;

extern const char raw_name[];

struct raw *raw_alloc(const uint8_t *key);

/* @len bytes in place, 13 of additional data, the tag behind them. */
void raw_seal(struct raw *raw, const uint8_t *nonce, const uint8_t *aad, uint8_t *p, size_t len);

/* From one place to another; the tag is written to @tag. */
void raw_open(struct raw *raw, const uint8_t *nonce, const uint8_t *aad, const uint8_t *from,
	      uint8_t *to, size_t len, uint8_t *tag);

#endif /* BENCH_RAW_H */
