// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print the frequency of the host's time stamp counter in kHz. QEMU's interpreter gives
 * this counter to the guest. If a busy host interrupts the guest's own calibration, the
 * guest takes a frequency several times too low or high, and all its timeouts are wrong.
 * Here two readings count only if nothing interrupted them.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define SPAN_NS		50000000
#define BRACKET_NS	2000
#define TRIES		10000

struct reading {
	uint64_t ns;
	uint64_t ticks;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* Read the counter and the clock at the same moment. Returns 0 if that did not succeed. */
static int read_both(struct reading *r)
{
	uint64_t before, after;
	int tries;

	for (tries = 0; tries < TRIES; tries++) {
		before = now_ns();
		r->ticks = __rdtsc();
		after = now_ns();
		r->ns = before + (after - before) / 2;
		if (after - before < BRACKET_NS)
			return 1;
	}
	return 0;
}

int main(void)
{
	const struct timespec span = { .tv_nsec = SPAN_NS };
	struct reading a, b;

	if (!read_both(&a) || nanosleep(&span, NULL) || !read_both(&b))
		return 1;
	printf("%llu\n", (unsigned long long)((b.ticks - a.ticks) * 1000000 /
					      (b.ns - a.ns)));
	return 0;
}
