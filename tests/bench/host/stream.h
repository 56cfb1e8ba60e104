/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stream of TLS 1.2 records with AES-128-GCM as a host lays them out, and the
 * contexts of the device's engine that go with it.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "tls/engine.h"

#define STREAM_HEAD	13	/* header and explicit nonce */
#define STREAM_TAG	16
#define STREAM_OVERHEAD	(STREAM_HEAD + STREAM_TAG)

extern const uint8_t stream_key[16];
extern const uint8_t stream_salt[4];

/* Write header and explicit nonce of a record of @len payload bytes at @p. */
void stream_head(uint8_t *p, uint16_t len, uint64_t rec_no);

/* Lay @records of @len payload bytes each; the first has @rec_no. */
void stream_lay(uint8_t *p, unsigned int records, uint16_t len, uint64_t rec_no);

/* The card's engine anew, with room for so many; all contexts are deleted. */
void stream_engine(uint32_t contexts);

/* A context that expects @rec_no at TCP sequence 0. Ends the program on error. */
VkdevTlsCtx *stream_ctx(unsigned int direction, uint64_t rec_no);

void stream_die(const char *what);

#endif /* BENCH_STREAM_H */
