/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turns a byte string into the life of a TLS context, and compares the context
 * with the model: packets in order, damaged packets, wrong sequence numbers,
 * resyncs, new keys, replays. engine_test uses it with random strings, fuzz/ with
 * strings from libFuzzer.
 */
#ifndef ENGINE_DRIVE_H
#define ENGINE_DRIVE_H

#include "engine_model.h"

#define DRIVE_PACKET	1200

struct drive {
	const uint8_t *data;
	size_t left;
	VkdevTlsCtx *ctx;
	struct model m;
	struct place host;	/* position in the host's stream */
	uint8_t packet[DRIVE_PACKET], sent[REC_MAX];
	uint8_t want[REC_MAX];
	struct place last;	/* of the last whole record, if last_len is not 0 */
	unsigned int oldest;	/* number of the oldest key that the context has */
	unsigned int last_len;
	bool kept; /* the last record was replayed, so it is in the cache */
	uint8_t last_in[REC_MAX], last_out[REC_MAX];
	const char *bad;	/* first difference found, or NULL */
};

/* Run one life. Return NULL, or a text about the first difference. */
const char *drive_run(struct drive *d, const uint8_t *data, size_t len);

#endif
