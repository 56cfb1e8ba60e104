// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cost of many contexts in the device model: bytes of memory for each, and
 * nanoseconds for a packet when packets use the contexts in an order that no cache
 * can predict. A packet is one record of 1448 bytes. For comparison: the time of a
 * query of a context in the same order, which is one or two accesses to memory that
 * is in no cache. Output lines:
 *
 *	LIBRARY CONTEXTS BYTES_PER_CONTEXT NS_PER_PACKET NS_PER_LOOK
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "raw.h"
#include "stream.h"
#include "vktls_abi.h"

#define PACKET		1448
#define PAYLOAD		(PACKET - STREAM_OVERHEAD)
#define LEAST_ROUNDS	6
#define ALL_PACKETS	2000000	/* in all rounds; enough to meet a quiet moment */
#define LEAST_PACKETS	20000
#define AHEAD		(VKDEV_TLS_AHEAD + 1)
#define STRIDE		611953	/* a prime, so that a round visits each context */

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

/*
 * Time in which each of @n contexts sends @each packets, one in each round
 * over all of them. As in the card, the memory of a context is prefetched
 * while packets before its own are sent.
 */
static uint64_t round_ns(size_t n, uint64_t rec_no, size_t each)
{
	uint64_t start = clock_cpu_ns();
	size_t i, which[AHEAD + 1], ahead;

	for (i = 0; i <= AHEAD; i++)
		which[i] = i * STRIDE % n;
	for (; each; each--, rec_no++) {
		for (i = 0; i < n; i++) {
			__builtin_prefetch(&contexts[which[AHEAD]]);
			for (ahead = AHEAD - 1; ahead; ahead--)
				vkdev_tls_prefetch(contexts[which[ahead]], ahead);
			send_one(which[0], rec_no);
			memmove(which, which + 1, AHEAD * sizeof(*which));
			which[AHEAD] = (which[AHEAD] + STRIDE) % n;
		}
	}
	return clock_cpu_ns() - start;
}

/*
 * Time to query @n contexts, @each times. The next context depends on the
 * result of the query, so that queries cannot overlap in the CPU.
 */
static uint64_t look_ns(size_t n, size_t each)
{
	uint64_t start = clock_cpu_ns();
	VkdevTlsState state = { 0 };
	size_t i, which = 0;

	for (i = 0; i < n * each; i++) {
		vkdev_tls_query(contexts[which], &state);
		which = (which + STRIDE + (state.rec_pos != 0)) % n;
	}
	return clock_cpu_ns() - start;
}

static void make_all(size_t n)
{
	size_t i;

	contexts = calloc(n, sizeof(*contexts));
	if (!contexts)
		stream_die("no memory");
	stream_engine(n);
	for (i = 0; i < n; i++)
		contexts[i] = stream_ctx(VKTLS_DIR_TX, 0);
}

static void delete_all(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		vkdev_tls_del(contexts[i]);
	free(contexts);
}

static void measure(size_t n)
{
	size_t each = n < LEAST_PACKETS ? LEAST_PACKETS / n : 1, shared, i;
	size_t rounds = ALL_PACKETS / (n * each), bytes;
	uint64_t packet = 0, look = 0;

	if (rounds < LEAST_ROUNDS)
		rounds = LEAST_ROUNDS;
	stream_engine(0);
	shared = in_use();
	make_all(n);
	bytes = in_use() - shared - n * sizeof(*contexts);
	for (i = 0; i < rounds; i++) {
		clock_best(&packet, round_ns(n, i * each, each));
		clock_best(&look, look_ns(n, each));
	}
	printf("%s %zu %.1f %.1f %.1f\n", raw_name, n, (double)bytes / n,
	       (double)packet / each / n, (double)look / each / n);
	fflush(stdout);
	delete_all(n);
}

int main(int argc, char **argv)
{
	int i;

	/*
	 * Let the crypto library allocate its own tables before memory is
	 * measured.
	 */
	vkdev_tls_del(stream_ctx(VKTLS_DIR_TX, 0));
	for (i = 1; i < argc; i++)
		measure(strtoul(argv[i], NULL, 0));
	return 0;
}
