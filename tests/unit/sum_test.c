// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ones' complement sums are compared with the definition, one 16-bit word at a time: all
 * lengths around the vector sizes, all alignments, and bytes with the most carries.
 */
#include <stdlib.h>

#include "frame/sum.h"
#include "ktap.h"
#include "prng.h"

#define MOST	400
#define ROOM	(MOST + 64)
#define EMPTY	0xee

static uint8_t bytes[ROOM], copy[ROOM];

/* The sum by the definition of RFC 1071, in the byte order of the host. */
static uint16_t sum_by_words(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	uint16_t word;

	for (; len; p += 2, len -= len > 1 ? 2 : 1) {
		word = 0;
		memcpy(&word, p, len > 1 ? 2 : 1);
		sum += word;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static void fill(int with)
{
	struct prng rng = { 7 };

	if (with < 0)
		prng_fill(&rng, bytes, sizeof(bytes));
	else
		memset(bytes, with, sizeof(bytes));
}

static void each_length(const void *with)
{
	size_t at, len;

	fill(*(const int *)with);
	for (at = 0; at < 33; at++)
		for (len = 0; len <= MOST; len++)
			ktap_expect_eq(vkdev_sum_fold(vkdev_sum_add(0, bytes + at, len)),
				       sum_by_words(bytes + at, len));
}

/* A copy has the same sum and the same bytes, and no byte around it is changed. */
static void each_copy(const void *with)
{
	size_t at, len;
	uint64_t sum;

	fill(*(const int *)with);
	for (at = 0; at < 33; at++) {
		for (len = 0; len <= MOST; len++) {
			memset(copy, EMPTY, sizeof(copy));
			sum = vkdev_sum_copy(0, copy + at, bytes + 33 - at, len);
			ktap_expect_eq(vkdev_sum_fold(sum),
				       sum_by_words(bytes + 33 - at, len));
			ktap_expect_mem(copy + at, bytes + 33 - at, len);
			ktap_expect(at == 0 || copy[at - 1] == EMPTY);
			ktap_expect_eq(copy[at + len], EMPTY);
		}
	}
}

static void in_progress(void)
{
	uint64_t sum;
	size_t cut;

	fill(-1);
	for (cut = 0; cut <= MOST; cut++) {
		sum = vkdev_sum_add(0, bytes, cut);
		if (cut % 2)
			sum += vkdev_sum_odd(vkdev_sum_add(0, bytes + cut, MOST - cut));
		else
			sum = vkdev_sum_add(sum, bytes + cut, MOST - cut);
		ktap_expect_eq(vkdev_sum_fold(sum), sum_by_words(bytes, MOST));
	}
}

static void taken_away(void)
{
	uint64_t whole, part;
	size_t cut;

	fill(-1);
	whole = vkdev_sum_add(0, bytes, MOST);
	for (cut = 0; cut < MOST; cut += 4) {
		part = vkdev_sum_words(bytes, cut / 4);
		ktap_expect_eq(vkdev_sum_fold(whole + vkdev_sum_minus(part)),
			       sum_by_words(bytes + cut, MOST - cut));
	}
}

/* The largest packet, of bytes with the most carries. */
static void longest(void)
{
	const size_t len = 65792;
	uint8_t *p = malloc(len), *to = malloc(len);

	memset(p, 0xff, len);
	p[0] = 0xfe;
	ktap_expect_eq(vkdev_sum_fold(vkdev_sum_add(0, p, len)), sum_by_words(p, len));
	ktap_expect_eq(vkdev_sum_fold(vkdev_sum_copy(0, to, p, len)), sum_by_words(p, len));
	ktap_expect_mem(to, p, len);
	free(to);
	free(p);
}

int main(void)
{
	static const int random = -1, zeros, ones = 0xff;

	ktap_start();
	ktap_case("each length, random bytes", each_length, &random);
	ktap_case("each length, zeros", each_length, &zeros);
	ktap_case("each length, ones", each_length, &ones);
	ktap_case("each copy, random bytes", each_copy, &random);
	ktap_case("each copy, ones", each_copy, &ones);
	KTAP_RUN(in_progress);
	KTAP_RUN(taken_away);
	KTAP_RUN(longest);
	return ktap_finish();
}
