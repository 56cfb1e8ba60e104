/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stream of TLS 1.2 records with AES-128-GCM, as a host gives it to the
 * device, and contexts of the device's TLS engine for it.
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

/*
 * Write the header and explicit nonce of a record with @len bytes of payload
 * to @p.
 */
void stream_head(uint8_t *p, uint16_t len, uint64_t rec_no);

/*
 * Write @records plaintext records of @len payload bytes each; the first has
 * number @rec_no.
 */
void stream_lay(uint8_t *p, unsigned int records, uint16_t len, uint64_t rec_no);

/*
 * Start a new engine with room for @contexts contexts; all contexts of the old
 * one are deleted.
 */
void stream_engine(uint32_t contexts);

/*
 * Add a context that expects record @rec_no at TCP sequence number 0. An error
 * ends the program.
 */
VkdevTlsCtx *stream_ctx(unsigned int direction, uint64_t rec_no);

void stream_die(const char *what);

#endif /* BENCH_STREAM_H */
