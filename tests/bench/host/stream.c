// SPDX-License-Identifier: GPL-2.0-only
/* Records and contexts for measurements on the host; see stream.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"
#include "vktls_abi.h"

/* Sizes of the engine's tables as in qemu-device/context.c. */
#define SHARED_KEYS	1024
#define SHARED_RECORDS	32768
#define SHARED_HELD	2048
#define SHARED_KEPT	16

const uint8_t stream_key[16] = "benchmark's key";
const uint8_t stream_salt[4] = { 's', 'a', 'l', 't' };

void stream_die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

static void put_be64(uint8_t *p, uint64_t v)
{
	int i;

	for (i = 7; i >= 0; i--, v >>= 8)
		p[i] = v;
}

void stream_head(uint8_t *p, uint16_t len, uint64_t rec_no)
{
	uint16_t field = len + 8 + STREAM_TAG;

	p[0] = 23;
	p[1] = 3;
	p[2] = 3;
	p[3] = field >> 8;
	p[4] = field;
	put_be64(p + 5, rec_no);
}

void stream_lay(uint8_t *p, unsigned int records, uint16_t len, uint64_t rec_no)
{
	for (; records; records--, rec_no++, p += len + STREAM_OVERHEAD)
		stream_head(p, len, rec_no);
}

static struct {
	VkdevTlsEngine *engine;
} card;

void stream_engine(uint32_t contexts)
{
	vkdev_tls_engine_free(card.engine);
	card.engine = vkdev_tls_engine_alloc(contexts, SHARED_KEYS, SHARED_RECORDS, SHARED_HELD,
					     SHARED_KEPT);
	if (!card.engine)
		stream_die("the engine does not start");
}

VkdevTlsCtx *stream_ctx(unsigned int direction, uint64_t rec_no)
{
	VkdevTlsParams params = {
		.version = VKTLS_VERSION_TLS12,
		.cipher = VKTLS_CIPHER_AES_128_GCM,
		.direction = direction,
		.rec_no = rec_no,
	};
	VkdevTlsCtx *ctx = NULL;

	memcpy(params.key, stream_key, sizeof(stream_key));
	memcpy(params.iv, stream_salt, sizeof(stream_salt));
	put_be64(params.iv + 4, rec_no);
	if (!card.engine)
		stream_engine(1);
	if (vkdev_tls_add(card.engine, &params, &ctx) != VKTLS_ST_OK)
		stream_die("the engine refused a context");
	return ctx;
}
