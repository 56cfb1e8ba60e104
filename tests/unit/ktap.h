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
 * A case is a function. It fails if one of its expectations fails, and continues, up to
 * KTAP_GIVE_UP failures, so that a loop that waits for something that never comes ends there.
 * KTAP_SHOWN lines are printed per case. With CASE in the environment only the case of that name
 * runs.
 *
 * A table-driven test may call ktap_case("description", function, &row) for each row, or
 * ktap_check(condition, "description") if one condition is the whole case. A case in which the
 * program dies, by a signal or by a sanitizer, is printed as failed. The plan is printed at the
 * end, as TAP allows. The status of ktap_finish() is zero only if at least one case ran and none
 * failed.
 */
#ifndef VKTLS_TESTS_KTAP_H
#define VKTLS_TESTS_KTAP_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KTAP_SHOWN	20
#define KTAP_GIVE_UP	1000

struct ktap_state {
	unsigned int run;
	unsigned int failed;
	const char *skipped;	/* reason why the current case was skipped */
	const char *name;	/* name of the current case */
	unsigned int bad;	/* failed expectations of the current case */
	jmp_buf give_up;	/* end of the current case */
};

static struct ktap_state ktap;

/* Options for the sanitizers: an error raises SIGABRT, as assert() does. */
__attribute__((weak)) const char *__asan_default_options(void)
{
	return "abort_on_error=1";
}

__attribute__((weak)) const char *__ubsan_default_options(void)
{
	return "abort_on_error=1";
}

/* SIGABRT during a case: report the case as failed, and end the program. */
static void ktap_aborted(int signo)
{
	if (ktap.name)
		printf("not ok %u %s\n", ktap.run + 1, ktap.name);
	fflush(stdout);
	signal(signo, SIG_DFL);
	raise(signo);
}

static inline void ktap_start(void)
{
	signal(SIGABRT, ktap_aborted);
	puts("KTAP version 1");
}

/* Report the case. If an expectation failed before it, in its set-up, the case fails. */
static inline void ktap_end(const char *name)
{
	ktap.run++;
	ktap.failed += !!ktap.bad;
	if (ktap.bad > KTAP_SHOWN)
		printf("# %s%u expectations failed, %u are shown\n",
		       ktap.bad < KTAP_GIVE_UP ? "" : "given up: ", ktap.bad,
		       KTAP_SHOWN);
	printf("%sok %u %s%s%s\n", ktap.bad ? "not " : "", ktap.run, name,
	       ktap.skipped && !ktap.bad ? " # SKIP " : "",
	       ktap.skipped && !ktap.bad ? ktap.skipped : "");
	fflush(stdout);
	ktap.bad = 0;
	ktap.skipped = NULL;
	ktap.name = NULL;
}

static inline bool ktap_wanted(const char *name)
{
	const char *one = getenv("CASE");

	return !one || !strcmp(one, name);
}

/* Run one case with a pointer to its row of a table. */
static inline void ktap_case(const char *name, void (*fn)(const void *row),
			     const void *row)
{
	if (!ktap_wanted(name))
		return;
	ktap.name = name;
	if (!setjmp(ktap.give_up))
		fn(row);
	ktap_end(name);
}

static inline void ktap_run(const char *name, void (*fn)(void))
{
	if (!ktap_wanted(name))
		return;
	ktap.name = name;
	if (!setjmp(ktap.give_up))
		fn();
	ktap_end(name);
}

/* Report one case that is only a condition. */
static inline bool ktap_check(bool ok, const char *name)
{
	ktap.bad += !ok;
	if (ktap_wanted(name))
		ktap_end(name);
	return ok;
}

#define KTAP_RUN(fn)	ktap_run(#fn, fn)

/* Mark the current case as skipped; the caller then returns. */
static inline void ktap_skip(const char *why)
{
	ktap.skipped = why;
}

/*
 * Count a failed expectation. Return whether to print it; the KTAP_GIVE_UPth ends the case.
 */
static inline bool ktap_bad(void)
{
	if (++ktap.bad == KTAP_GIVE_UP)
		longjmp(ktap.give_up, 1);
	return ktap.bad <= KTAP_SHOWN;
}

static inline bool ktap_want(bool ok, const char *file, int line,
			     const char *what)
{
	if (!ok && ktap_bad())
		printf("# %s:%d: expected %s\n", file, line, what);
	return ok;
}

/* Return the name of a status if a status is expected, else NULL. */
static inline const char *ktap_status(uint64_t value, const char *wanted)
{
	static const char * const names[] = {
#include "status_names.h"
	};

	if (!strstr(wanted, "VKTLS_ST_") || value >= sizeof(names) / sizeof(names[0]))
		return NULL;
	return names[value];
}

static inline bool ktap_want_eq(uint64_t got, uint64_t wanted, const char *file,
				int line, const char *what, const char *name)
{
	const char *status = ktap_status(got, name);

	if (got == wanted || !ktap_bad())
		return got == wanted;
	if (status)
		printf("# %s:%d: %s is %s, expected %s\n", file, line, what,
		       status, ktap_status(wanted, name) ?: name);
	else
		printf("# %s:%d: %s is 0x%llx, expected 0x%llx\n", file, line,
		       what, (unsigned long long)got,
		       (unsigned long long)wanted);
	return false;
}

static inline bool ktap_want_mem(const void *got, const void *wanted,
				 size_t len, const char *file, int line)
{
	const unsigned char *g = got, *w = wanted;
	size_t i;

	for (i = 0; i < len; i++) {
		if (g[i] == w[i])
			continue;
		if (ktap_bad())
			printf("# %s:%d: byte %zu of %zu is %02x, expected %02x\n",
			       file, line, i, len, g[i], w[i]);
		return false;
	}
	return true;
}

/* Expectations. They return true if they hold, so that a case can end early. */
#define ktap_expect(cond) \
	ktap_want((cond), __FILE__, __LINE__, #cond)
#define ktap_expect_eq(got, wanted) \
	ktap_want_eq((uint64_t)(got), (uint64_t)(wanted), __FILE__, __LINE__, #got, #wanted)
#define ktap_expect_mem(got, wanted, len) \
	ktap_want_mem(got, wanted, len, __FILE__, __LINE__)

/* Print the plan. Return the exit status for main(). */
static inline int ktap_finish(void)
{
	printf("1..%u\n", ktap.run);
	return !ktap.run || ktap.failed;
}

#endif /* VKTLS_TESTS_KTAP_H */
