/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clocks for programs that measure the device model on the host. Other load on
 * the machine can only make a measurement longer, so the shortest of several
 * counts.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/*
 * CPU time of this thread: for measurements so long that they are always
 * interrupted.
 */
static inline uint64_t clock_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static inline void clock_best(uint64_t *best, uint64_t ns)
{
	if (!*best || ns < *best)
		*best = ns;
}

#endif /* BENCH_CLOCK_H */
