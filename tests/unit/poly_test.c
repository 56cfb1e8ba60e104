// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic modulo 2^130 - 5: the test vectors about carries of RFC 8439 (A.3), and
 * subtraction of sums.
 */
#include "tls/poly.h"
#include "ktap.h"
#include "prng.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct answer {
	const char *name;
	uint8_t r, s;		/* r: first byte; s: all bytes */
	uint8_t blocks[3][2];	/* first byte of a block, all other bytes */
	unsigned int count;
	uint8_t tag[2];		/* first byte of the tag, all other bytes */
};

static const struct answer answers[] = {
	{ "modulo 2^130 - 5 at the end", 2, 0, { { 255, 255 } }, 1, { 3, 0 } },
	{ "the last carry", 2, 255, { { 2, 0 } }, 1, { 3, 0 } },
	{ "all ones in between", 1, 0, { { 255, 255 }, { 0xf0, 255 }, { 0x11, 0 } }, 3, { 5, 0 } },
	{ "nothing is left", 1, 0, { { 255, 255 }, { 0xfb, 0xfe }, { 1, 1 } }, 3, { 0, 0 } },
	{ "just below 2^130 - 5", 2, 0, { { 0xfd, 255 } }, 1, { 0xfa, 255 } },
};

static void fill(uint8_t *p, const uint8_t *two)
{
	memset(p, two[1], 16);
	p[0] = two[0];
}

static void known(const void *row)
{
	const struct answer *a = row;
	uint8_t r[16] = { a->r }, s[16], block[16], tag[16], want[16];
	VkdevPoly sum = { { 0 } };

	memset(s, a->s, sizeof(s));
	for (unsigned int i = 0; i < a->count; i++) {
		fill(block, a->blocks[i]);
		vkdev_poly_block(&sum, r, block);
	}
	vkdev_poly_tag(&sum, s, tag);
	fill(want, a->tag);
	ktap_expect_mem(tag, want, sizeof(want));
}

/* Make a random number; many of its words are all zeros or all ones. */
static void number(struct prng *rng, VkdevPoly *n)
{
	for (int i = 0; i < 3; i++) {
		n->w[i] = prng_next(rng);
		if (prng_below(rng, 3) == 0)
			n->w[i] = -(uint64_t)prng_below(rng, 2);
	}
	n->w[2] &= 7;
}

static void same(const VkdevPoly *a, const VkdevPoly *b)
{
	static const uint8_t s[16];
	uint8_t one[16], other[16];

	vkdev_poly_tag(a, s, one);
	vkdev_poly_tag(b, s, other);
	ktap_expect_mem(one, other, sizeof(one));
}

/* a + b - b = a. (a + b) r = a r + b r, minus the bit that is added to each block. */
static void comes_apart(void)
{
	static const uint8_t zero[16];
	struct prng rng = { 1 };
	uint8_t r[16];

	for (int i = 0; !ktap.bad && i < 100000; i++) {
		VkdevPoly a, b, sum, none = { { 0 } };

		prng_fill(&rng, r, sizeof(r));
		number(&rng, &a);
		number(&rng, &b);
		sum = a;
		vkdev_poly_add(&sum, &b);
		vkdev_poly_sub(&sum, &b);
		same(&sum, &a);
		vkdev_poly_add(&sum, &b);
		vkdev_poly_block(&sum, r, zero);
		vkdev_poly_block(&a, r, zero);
		vkdev_poly_block(&b, r, zero);
		vkdev_poly_block(&none, r, zero);
		vkdev_poly_add(&a, &b);
		vkdev_poly_sub(&a, &none);
		same(&sum, &a);
	}
}

int main(void)
{
	ktap_start();
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		ktap_case(answers[i].name, known, &answers[i]);
	KTAP_RUN(comes_apart);
	return ktap_finish();
}
