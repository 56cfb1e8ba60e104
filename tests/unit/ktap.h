/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KTAP for host tests, in one header.
 *
 *	static void adds(void)
 *	{
 *		ktap_expect(1 + 1 == 2);
 *		ktap_expect_eq(sum(2, 3), 5);
 *		ktap_expect_mem(got, wanted, sizeof(wanted));
 *	}
 *
 *	int main(void)
 *	{
 *		ktap_start();
 *		KTAP_RUN(adds);
 *		return ktap_finish();
 *	}
 *
 * A case is a function; it fails when one of its expectations does, and goes
 * on. A table-driven test may call ktap_case("description", function, &row)
 * for each row, or ktap_check(condition, "description") where one condition is
 * the whole case. The plan is printed at the end, as TAP allows. The status of
 * ktap_finish() is zero only when at least one case ran and none failed.
 */
#ifndef VKTLS_TESTS_KTAP_H
#define VKTLS_TESTS_KTAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct ktap_state {
	unsigned int run;
	unsigned int failed;
	const char *skipped;	/* why the case at hand could not run */
	bool bad;		/* an expectation of the case at hand failed */
};

static struct ktap_state ktap;

static inline void ktap_start(void)
{
	puts("KTAP version 1");
}

static inline void ktap_begin(void)
{
	ktap.run++;
	ktap.bad = false;
	ktap.skipped = NULL;
}

static inline void ktap_end(const char *name)
{
	ktap.failed += ktap.bad;
	printf("%sok %u %s%s%s\n", ktap.bad ? "not " : "", ktap.run, name,
	       ktap.skipped && !ktap.bad ? " # SKIP " : "",
	       ktap.skipped && !ktap.bad ? ktap.skipped : "");
	fflush(stdout);
}

/* Run one case that takes a pointer to its row of a table. */
static inline void ktap_case(const char *name, void (*fn)(const void *row),
			     const void *row)
{
	ktap_begin();
	fn(row);
	ktap_end(name);
}

/* One case that is one condition. */
static inline bool ktap_check(bool ok, const char *name)
{
	ktap_begin();
	ktap.bad = !ok;
	ktap_end(name);
	return ok;
}

#define KTAP_RUN(fn) do {						\
	ktap_begin();							\
	fn();								\
	ktap_end(#fn);							\
} while (0)

/* Mark the case at hand as skipped; the caller returns afterwards. */
static inline void ktap_skip(const char *why)
{
	ktap.skipped = why;
}

static inline bool ktap_want(bool ok, const char *file, int line,
			     const char *what)
{
	if (!ok) {
		printf("# %s:%d: expected %s\n", file, line, what);
		ktap.bad = true;
	}
	return ok;
}

static inline bool ktap_want_eq(uint64_t got, uint64_t wanted, const char *file,
				int line, const char *what)
{
	if (got != wanted)
		printf("# %s:%d: %s is 0x%llx, expected 0x%llx\n", file, line,
		       what, (unsigned long long)got,
		       (unsigned long long)wanted);
	ktap.bad |= got != wanted;
	return got == wanted;
}

static inline bool ktap_want_mem(const void *got, const void *wanted,
				 size_t len, const char *file, int line)
{
	const unsigned char *g = got, *w = wanted;
	size_t i;

	for (i = 0; i < len; i++) {
		if (g[i] == w[i])
			continue;
		printf("# %s:%d: byte %zu of %zu is %02x, expected %02x\n",
		       file, line, i, len, g[i], w[i]);
		ktap.bad = true;
		return false;
	}
	return true;
}

/* Expectations: true when they hold, so that a case can stop early. */
#define ktap_expect(cond) \
	ktap_want((cond), __FILE__, __LINE__, #cond)
#define ktap_expect_eq(got, wanted) \
	ktap_want_eq((uint64_t)(got), (uint64_t)(wanted), __FILE__, __LINE__, #got)
#define ktap_expect_mem(got, wanted, len) \
	ktap_want_mem(got, wanted, len, __FILE__, __LINE__)

/* Print the plan; the return value is main's. */
static inline int ktap_finish(void)
{
	printf("1..%u\n", ktap.run);
	return !ktap.run || ktap.failed;
}

#endif /* VKTLS_TESTS_KTAP_H */
