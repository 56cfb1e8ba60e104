/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turns any byte string into a life of one TLS context and follows it with the
 * model: in-order packets, damaged ones, wrong sequence numbers, resyncs, replays. Used
 * with random strings by engine_test and with libFuzzer's by fuzz/.
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
	struct place host;	/* where the host's stream stands */
	uint8_t packet[DRIVE_PACKET], sent[REC_MAX];
	uint8_t want[REC_MAX];
	uint64_t last_no;	/* the last record that left whole, if last_len is not 0 */
	unsigned int last_len;
	bool kept;		/* it was replayed */
	uint8_t last_in[REC_MAX], last_out[REC_MAX];
	const char *bad;	/* the first thing that was wrong */
};

/* NULL, or what was wrong. */
const char *drive_run(struct drive *d, const uint8_t *data, size_t len);

#endif
