/* SPDX-License-Identifier: GPL-2.0-only */
/* Random numbers from a seed, so that a failing run can be repeated. */
#ifndef PRNG_H
#define PRNG_H

#include <stddef.h>
#include <stdint.h>

struct prng {
	uint64_t state;
};

/* splitmix64; any seed is good. */
static inline uint64_t prng_next(struct prng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Return a number from 0 to @limit - 1. */
static inline size_t prng_below(struct prng *r, size_t limit)
{
	return prng_next(r) % limit;
}

static inline void prng_fill(struct prng *r, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len--)
		*p++ = prng_next(r);
}

#endif
