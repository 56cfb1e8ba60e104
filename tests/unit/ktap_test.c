// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test of ktap.h from outside: this program runs itself with an argument that selects a
 * failure, and reads the output.
 */
#include <assert.h>
#include <unistd.h>

#include "ktap.h"
#include "vktls_abi.h"

#define LINES	(KTAP_SHOWN + 10)

static char lines[LINES][256];
static unsigned int printed;	/* number of lines, also those not stored */
static int ended;		/* wait status of the run */

/* ---- Runs that fail ---- */

/* Return zero in a way that no compiler can know. */
static int never(void)
{
	return !getenv("PATH");
}

static void loops(void)
{
	while (!never())
		ktap_expect(never());
}

static void divides(void)
{
	ktap_expect(1 / never());
}

static void asserts(void)
{
	assert(never());
}

static void refuses(void)
{
	ktap_expect_eq(5 + never(), VKTLS_ST_OK);
}

static void runs_after(void)
{
}

static int wrong(const char *how)
{
	ktap_start();
	if (!strcmp(how, "loops"))
		KTAP_RUN(loops);
	else if (!strcmp(how, "divides"))
		KTAP_RUN(divides);
	else if (!strcmp(how, "asserts"))
		KTAP_RUN(asserts);
	else if (!strcmp(how, "refuses"))
		KTAP_RUN(refuses);
	else
		ktap_expect(never());	/* a failure in the set-up of a case */
	KTAP_RUN(runs_after);
	return ktap_finish();
}

/* ---- Cases that check the output of these runs ---- */

static void run(const char *how)
{
	char command[4096], line[256];
	FILE *out;

	snprintf(command, sizeof(command), "env -u CASE /proc/%d/exe %s 2>&1", getpid(), how);
	printed = 0;
	out = popen(command, "r");
	if (!ktap_expect(out))
		return;
	while (fgets(line, sizeof(line), out))
		snprintf(lines[printed++ % LINES], sizeof(lines[0]), "%s", line);
	ended = pclose(out);
}

static bool has(const char *text)
{
	for (unsigned int i = 0; i < printed && i < LINES; i++) {
		if (strstr(lines[i], text))
			return true;
	}
	return false;
}

static void endless_loop_of_failures_ends(void)
{
	run("loops");
	ktap_expect(printed < LINES);
	ktap_expect(has("# given up: 1000 expectations failed, 20 are shown"));
	ktap_expect(has("not ok 1 loops"));
	ktap_expect(has("ok 2 runs_after"));
	ktap_expect(ended);
}

static void sanitizer_names_the_case(void)
{
	run("divides");
	ktap_expect(has("runtime error: "));
	ktap_expect(has("not ok 1 divides"));
	ktap_expect(ended);
}

static void abort_names_the_case(void)
{
	run("asserts");
	ktap_expect(has("Assertion `never()' failed"));
	ktap_expect(has("not ok 1 asserts"));
	ktap_expect(ended);
}

static void statuses_have_names(void)
{
	run("refuses");
	ktap_expect(has("5 + never() is VKTLS_ST_NOENT, expected VKTLS_ST_OK"));
}

static void failed_set_up_fails_the_case(void)
{
	run("set-up");
	ktap_expect(has("not ok 1 runs_after"));
	ktap_expect(ended);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return wrong(argv[1]);
	ktap_start();
	KTAP_RUN(endless_loop_of_failures_ends);
	KTAP_RUN(sanitizer_names_the_case);
	KTAP_RUN(abort_names_the_case);
	KTAP_RUN(statuses_have_names);
	KTAP_RUN(failed_set_up_fails_the_case);
	return ktap_finish();
}
