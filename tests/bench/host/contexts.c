// SPDX-License-Identifier: GPL-2.0-only
/*
 * What many contexts cost the device model: bytes of memory for each, and
 * nanoseconds for a packet when so many are live and packets go to them in an
 * order that no cache foresees. A packet is one record of 1448 bytes. Lines:
 *
 *	LIBRARY CONTEXTS BYTES_PER_CONTEXT NS_PER_PACKET
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "raw.h"
#include "stream.h"
#include "../../../drivers/net/ethernet/vktls/vktls_abi.h"

#define PACKET		1448
#define PAYLOAD		(PACKET - STREAM_OVERHEAD)
#define ROUNDS		6
#define LEAST_PACKETS	20000
#define STRIDE		611953	/* prime, so that a round meets each context */

static VkdevTlsCtx **contexts;

static size_t in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void send_one(size_t which, uint64_t rec_no)
{
	static uint8_t packet[PACKET];
	VkdevTlsCount count;

	stream_head(packet, PAYLOAD, rec_no);
	if (vkdev_tls_tx(contexts[which], rec_no * PACKET, packet, PACKET, &count) != VKTLS_ST_OK)
		stream_die("the engine refused a packet");
}

/* Each context sends @each packets, one in each pass over all of them. */
static uint64_t round_ns(size_t n, uint64_t rec_no, size_t each)
{
	uint64_t start = clock_cpu_ns();
	size_t i, which = 0;

	for (; each; each--, rec_no++) {
		for (i = 0; i < n; i++) {
			send_one(which, rec_no);
			which = (which + STRIDE) % n;
		}
	}
	return clock_cpu_ns() - start;
}

static void measure(size_t n)
{
	size_t each = n < LEAST_PACKETS ? LEAST_PACKETS / n : 1, i, before;
	uint64_t best = 0;

	contexts = calloc(n, sizeof(*contexts));
	if (!contexts)
		stream_die("no memory");
	before = in_use();
	for (i = 0; i < n; i++)
		contexts[i] = stream_ctx(VKTLS_DIR_TX, 0);
	before = in_use() - before;
	for (i = 0; i < ROUNDS; i++)
		clock_best(&best, round_ns(n, i * each, each));
	printf("%s %zu %.1f %.1f\n", raw_name, n, (double)before / n, (double)best / each / n);
	fflush(stdout);
	for (i = 0; i < n; i++)
		vkdev_tls_del(contexts[i]);
	free(contexts);
}

int main(int argc, char **argv)
{
	int i;

	/* the library's own tables, once for all contexts */
	vkdev_tls_del(stream_ctx(VKTLS_DIR_TX, 0));
	for (i = 1; i < argc; i++)
		measure(strtoul(argv[i], NULL, 0));
	return 0;
}
