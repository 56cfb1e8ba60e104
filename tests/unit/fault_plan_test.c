// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection without the device: rules and their error texts, hits by
 * number, seeds, delayed frames and their limit, changed answers.
 */
#include <stdlib.h>

#include "le_abi.h"
#include "ktap.h"
#include "fault/cmds.h"
#include "fault/late.h"
#include "fault/line.h"
#include "fault/rule.h"

#define MS 1000000ull

static const VkdevFaultSyntax plain = { "VECTOR", 16, NULL, 0 };
static const VkdevFaultSyntax valued = { "OPCODE", 0xffff, "STATUS", 255 };

/* ---- Text form of rules ---- */

static const struct text_row {
	const char *text;
	const char *back; /* text of the rule as read back; NULL = refused */
	bool valued;
} texts[] = {
	{ "", "", false },
	{ "3:1", "3:1", false },
	{ "0x3:1-4", "3:1-4", false },
	{ "3:2-2", "3:2", false },
	{ "9:1:7", "9:1:7", true },
	{ "9:1-0xffffffff:0", "9:1-4294967295:0", true },
	{ "0xffff:1:255", "65535:1:255", true },
	{ "0X0aF:010:0", "175:10:0", true },
	{ "9:1:256", NULL, true },
	{ "9:1:0xg", NULL, true },
	{ "a:1:1", NULL, true },
	{ "0x10000:1:1", NULL, true },
	{ "9:1", NULL, true },
	{ "9:1:", NULL, true },
	{ "9:1:7:", NULL, true },
	{ "9:1:7 ", NULL, true },
	{ " 9:1:7", NULL, true },
	{ "9::7", NULL, true },
	{ "-1:1:7", NULL, true },
	{ "+9:1:7", NULL, true },
	{ "9:1-:7", NULL, true },
	{ "9:-1:7", NULL, true },
	{ "9:2-1:7", NULL, true },
	{ "9:0:7", NULL, true },
	{ "9:1:0x", NULL, true },
	{ "9:4294967296:7", NULL, true },
	{ "9:99999999999999999999:7", NULL, true },
	{ "tls-add:1:7", NULL, true },
	{ "3:1:7", NULL, false },
	{ "3:1:", NULL, false },
	{ "17:1", NULL, false },
	{ "3", NULL, false },
	{ "3:", NULL, false },
	{ ":", NULL, false },
};

static void test_text(const void *row)
{
	const struct text_row *t = row;
	const VkdevFaultSyntax *syntax = t->valued ? &valued : &plain;
	VkdevFaultRule rule = { .armed = true, .what = 1, .first = 5, .last = 6, .value = 1,
				.count = 42 };
	const char *why = vkdev_fault_rule_parse(syntax, t->text, &rule);
	char back[64];

	vkdev_fault_rule_format(syntax, &rule, back, sizeof(back));
	ktap_expect_eq(rule.count, 42);
	if (t->back) {
		ktap_expect(!why);
		ktap_expect(!strcmp(back, t->back));
	} else {
		ktap_expect(why && strlen(why) > 10);
		ktap_expect(!strcmp(back, t->valued ? "1:5-6:1" : "1:5-6"));
	}
}

static void numbers(void)
{
	uint32_t n[3];

	ktap_expect(!vkdev_fault_numbers_parse("6:0x10:4294967295", n, 3));
	ktap_expect(n[0] == 6 && n[1] == 16 && n[2] == 0xffffffff);
	ktap_expect(!!vkdev_fault_numbers_parse("6:1", n, 3));
	ktap_expect(!!vkdev_fault_numbers_parse("6:1:2:3", n, 3));
	ktap_expect(!!vkdev_fault_numbers_parse("6:1:2:", n, 3));
	ktap_expect(!!vkdev_fault_numbers_parse("", n, 3));
	ktap_expect(!!vkdev_fault_numbers_parse("6:1:x", n, 3));
}

static void nth_of_its_kind(void)
{
	VkdevFaultRule rule = { 0 };
	char text[64];

	ktap_expect(!vkdev_fault_rule_parse(&plain, "3:2-3", &rule));
	ktap_expect(!vkdev_fault_rule_hits(&rule, 3));
	ktap_expect(!vkdev_fault_rule_hits(&rule, 4));
	vkdev_fault_rule_format(&plain, &rule, text, sizeof(text));
	ktap_expect(!strcmp(text, "3:1-2"));
	ktap_expect(vkdev_fault_rule_hits(&rule, 3));
	vkdev_fault_rule_format(&plain, &rule, text, sizeof(text));
	ktap_expect(!strcmp(text, "3:1"));
	ktap_expect(vkdev_fault_rule_hits(&rule, 3));
	ktap_expect(!vkdev_fault_rule_hits(&rule, 3));
	vkdev_fault_rule_format(&plain, &rule, text, sizeof(text));
	ktap_expect(!*text);
	ktap_expect_eq(rule.count, 2);
}

/*
 * ---- Frames: the output is a string with the first byte of each after the
 * addresses ----
 */

struct out {
	char seen[256];
	unsigned int n;
	uint8_t last[64];
};

static void emit(void *opaque, uint8_t *frame, uint32_t len)
{
	struct out *out = opaque;

	out->seen[out->n++] = len > 12 ? frame[12] : '-';
	memcpy(out->last, frame, len);
}

static VkdevFaultLine line;
static struct out out;

static void line_init(void)
{
	vkdev_fault_line_reset(&line);
	memset(&line, 0, sizeof(line));
	memset(&out, 0, sizeof(out));
	line.delay_us = 10000;
	line.reorder_by = 2;
	vkdev_fault_line_seed(&line, 1, true);
}

static unsigned int pass(char name, uint64_t now)
{
	unsigned int hits = vkdev_fault_line_judge(&line);
	uint8_t frame[64] = { [12] = name };

	if (!hits && !line.holds) {
		emit(&out, frame, sizeof(frame));
		return 0;
	}
	return vkdev_fault_line_pass(&line, hits, frame, sizeof(frame), now, emit, &out);
}

static void pass_all(const char *names)
{
	while (*names)
		pass(*names++, 0);
}

static void nth(VkdevFaultKind kind, uint32_t n)
{
	line.chance[kind].nth = n;
}

static void frame_dropped(void)
{
	line_init();
	nth(VKDEV_FAULT_DROP, 2);
	pass_all("abc");
	ktap_expect(!strcmp(out.seen, "ac"));
	ktap_expect_eq(line.chance[VKDEV_FAULT_DROP].count, 1);
}

static void frame_duplicated(void)
{
	line_init();
	nth(VKDEV_FAULT_DUPLICATE, 2);
	pass_all("abc");
	ktap_expect(!strcmp(out.seen, "abbc"));
}

static void frame_overtaken(void)
{
	line_init();
	nth(VKDEV_FAULT_REORDER, 2);
	pass_all("abcde");
	ktap_expect(!strcmp(out.seen, "acdbe"));
	ktap_expect_eq(vkdev_fault_line_due(&line), UINT64_MAX);
}

/* A reordered frame is sent in the end even if no frame follows. */
static void frame_overtaken_by_none(void)
{
	line_init();
	nth(VKDEV_FAULT_REORDER, 1);
	pass_all("ab");
	ktap_expect(!strcmp(out.seen, "b"));
	ktap_expect_eq(vkdev_fault_line_due(&line), VKDEV_FAULT_REORDER_NS);
	vkdev_fault_line_release(&line, VKDEV_FAULT_REORDER_NS, emit, &out);
	ktap_expect(!strcmp(out.seen, "ba"));
}

static void frame_delayed(void)
{
	line_init();
	nth(VKDEV_FAULT_DELAY, 1);
	pass('a', 5);
	pass('b', 6);
	ktap_expect_eq(vkdev_fault_line_due(&line), 5 + 10 * MS);
	vkdev_fault_line_release(&line, 4 + 10 * MS, emit, &out);
	ktap_expect(!strcmp(out.seen, "b"));
	pass('c', 5 + 10 * MS);
	ktap_expect(!strcmp(out.seen, "bca"));
}

static void frame_late_and_double(void)
{
	line_init();
	nth(VKDEV_FAULT_DUPLICATE, 1);
	nth(VKDEV_FAULT_DELAY, 1);
	pass_all("ab");
	vkdev_fault_line_release(&line, 10 * MS, emit, &out);
	ktap_expect(!strcmp(out.seen, "aba"));
}

static void frame_corrupted(void)
{
	uint8_t same[64] = { [12] = 'a' };
	unsigned int at, different;

	for (int i = 0; i < 200; i++) {
		line_init();
		vkdev_fault_line_seed(&line, i, true);
		nth(VKDEV_FAULT_CORRUPT, 1);
		pass('a', 0);
		different = 0;
		for (at = 0; at < sizeof(same); at++)
			different += out.last[at] != same[at] && at >= 12;
		ktap_expect_eq(different, 1);
		ktap_expect_mem(out.last, same, 12);
	}
}

static void frame_too_short_to_corrupt(void)
{
	uint8_t frame[64] = { 0 };

	line_init();
	nth(VKDEV_FAULT_CORRUPT, 1);
	ktap_expect_eq(vkdev_fault_line_pass(&line, vkdev_fault_line_judge(&line), frame, 12, 0,
					     emit, &out), 0);
	ktap_expect_eq(out.n, 1);
	ktap_expect_eq(line.chance[VKDEV_FAULT_CORRUPT].count, 0);
}

/*
 * If no more frames can be held, the frame is sent at once and not counted as
 * delayed.
 */
static void no_more_than_there_is_room(void)
{
	line_init();
	line.chance[VKDEV_FAULT_DELAY].ppm = VKDEV_FAULT_PPM;
	for (int i = 0; i < VKDEV_FAULT_HELD + 3; i++)
		pass('a' + i % 26, 0);
	ktap_expect_eq(out.n, 3);
	ktap_expect_eq(line.chance[VKDEV_FAULT_DELAY].count, VKDEV_FAULT_HELD);
	vkdev_fault_line_release(&line, 10 * MS, emit, &out);
	ktap_expect_eq(out.n, VKDEV_FAULT_HELD + 3);
	ktap_expect_eq(out.seen[3], 'a');
	ktap_expect_eq(out.seen[4], 'b');
}

static void reset_loses_what_waits(void)
{
	line_init();
	line.chance[VKDEV_FAULT_REORDER].ppm = VKDEV_FAULT_PPM;
	line.reorder_by = 64;
	pass_all("abc");
	vkdev_fault_line_reset(&line);
	vkdev_fault_line_release(&line, UINT64_MAX, emit, &out);
	ktap_expect_eq(out.n, 0);
	ktap_expect_eq(line.chance[VKDEV_FAULT_REORDER].ppm, VKDEV_FAULT_PPM);
}

static void hits_of(uint8_t *hits, size_t n, VkdevFaultKind kind)
{
	for (size_t i = 0; i < n; i++)
		hits[i] = vkdev_fault_line_judge(&line) >> kind & 1;
}

/* The same seed gives the same hits, whatever other faults are enabled. */
static void seeded(void)
{
	static uint8_t first[5000], second[5000];
	unsigned int sum = 0;

	line_init();
	line.chance[VKDEV_FAULT_DROP].ppm = 100000;
	hits_of(first, sizeof(first), VKDEV_FAULT_DROP);
	line_init();
	line.chance[VKDEV_FAULT_DROP].ppm = 100000;
	line.chance[VKDEV_FAULT_DELAY].ppm = 500000;
	line.chance[VKDEV_FAULT_CORRUPT].ppm = 10;
	hits_of(second, sizeof(second), VKDEV_FAULT_DROP);
	ktap_expect_mem(second, first, sizeof(first));
	for (size_t i = 0; i < sizeof(first); i++)
		sum += first[i];
	ktap_expect(sum > 400 && sum < 600);
	vkdev_fault_line_seed(&line, 2, true);
	hits_of(second, sizeof(second), VKDEV_FAULT_DROP);
	ktap_expect(memcmp(first, second, sizeof(first)));
	vkdev_fault_line_seed(&line, 1, false);
	hits_of(second, sizeof(second), VKDEV_FAULT_DROP);
	ktap_expect(memcmp(first, second, sizeof(first)));
}

/* ---- Delayed answers and events ---- */

static void late(void)
{
	VkdevFaultLates lates = { 0 };
	VkdevFaultLate one = { .is_event = true };

	for (uint32_t i = 0; i < VKDEV_FAULT_LATE; i++) {
		one.due = 100 - i;
		one.event.id = i;
		ktap_expect(vkdev_fault_late_put(&lates, &one));
	}
	ktap_expect(!vkdev_fault_late_put(&lates, &one));
	ktap_expect_eq(vkdev_fault_late_due(&lates), 101 - VKDEV_FAULT_LATE);
	ktap_expect(!vkdev_fault_late_take(&lates, 100 - VKDEV_FAULT_LATE, &one));
	ktap_expect(vkdev_fault_late_take(&lates, 100, &one));
	ktap_expect_eq(one.event.id, 0);
	ktap_expect(vkdev_fault_late_take(&lates, 98, &one));
	ktap_expect_eq(one.event.id, 2);
	while (vkdev_fault_late_take(&lates, 100, &one))
		;
	ktap_expect_eq(lates.count, 0);
	ktap_expect_eq(vkdev_fault_late_due(&lates), UINT64_MAX);
}

/* ---- Commands ---- */

#define CPL_AT 0x10000

static VkdevFaultCmds cmds;
static struct vktls_cmd cmd;

static bool fetched(uint16_t opcode)
{
	memset(&cmd, 0x55, sizeof(cmd));
	cmd.opcode = opcode;
	return vkdev_fault_cmd_fetched(&cmds, &cmd, CPL_AT);
}

static VkdevFaultVerdict answered(uint16_t opcode)
{
	struct vktls_cmd_cpl cpl = { .opcode = opcode, .tag = 77, .gen = 1 };
	VkdevFaultVerdict verdict;

	verdict = vkdev_fault_cmd_answered(&cmds, CPL_AT, &cpl, 60);
	if (verdict != VKDEV_FAULT_KEPT)
		return verdict;
	return vkdev_fault_cmd_answered(&cmds, CPL_AT + 60, (uint8_t *)&cpl + 60, 4);
}

static void cmds_init(const char *fail, const char *delay, const char *lose)
{
	memset(&cmds, 0, sizeof(cmds));
	ktap_expect(!vkdev_fault_rule_parse(&valued, fail, &cmds.fail));
	ktap_expect(!vkdev_fault_rule_parse(&valued, delay, &cmds.delay));
	ktap_expect(!vkdev_fault_rule_parse(&plain, lose, &cmds.lose));
}

static void command_fails(void)
{
	struct vktls_cmd_cpl *cpl = (void *)cmds.answer;
	static const uint8_t zeros[120];

	cmds_init("9:2:7", "", "");
	ktap_expect(!fetched(9));
	ktap_expect_eq(cmd.opcode, 9);
	ktap_expect_eq(answered(9), VKDEV_FAULT_PASS);
	ktap_expect(fetched(9));
	ktap_expect_eq(cmd.opcode, VKTLS_CMD_NOP);
	ktap_expect_eq(cmd.len, 0);
	ktap_expect_mem(cmd.payload, zeros, sizeof(zeros));
	ktap_expect_eq(answered(VKTLS_CMD_NOP), VKDEV_FAULT_WRITE);
	ktap_expect_eq(cmds.addr, CPL_AT);
	ktap_expect_eq(cpl->opcode, 9);
	ktap_expect_eq(cpl->status, 7);
	ktap_expect_eq(cpl->tag, 77);
	ktap_expect_eq(cpl->gen, 1);
	ktap_expect(!fetched(9));
}

static void command_delayed_or_lost(void)
{
	cmds_init("", "9:1:50", "");
	ktap_expect(fetched(9));
	ktap_expect_eq(cmd.opcode, 9);
	ktap_expect_eq(answered(9), VKDEV_FAULT_DEFER);
	ktap_expect_eq(cmds.late_ms, 50);
	cmds_init("", "", "9:1");
	ktap_expect(fetched(9));
	ktap_expect_eq(answered(9), VKDEV_FAULT_LOST);
	ktap_expect_eq(answered(9), VKDEV_FAULT_PASS);
}

/* A write to another address, or beyond the answer, passes unchanged. */
static void other_writes_pass(void)
{
	uint8_t data[128] = { 0 };

	cmds_init("9:1:7", "", "");
	ktap_expect(fetched(9));
	ktap_expect_eq(vkdev_fault_cmd_answered(&cmds, CPL_AT - 4, data, 4), VKDEV_FAULT_PASS);
	ktap_expect_eq(vkdev_fault_cmd_answered(&cmds, CPL_AT + 64, data, 4), VKDEV_FAULT_PASS);
	ktap_expect_eq(vkdev_fault_cmd_answered(&cmds, CPL_AT, data, 65), VKDEV_FAULT_PASS);
	ktap_expect_eq(vkdev_fault_cmd_answered(&cmds, CPL_AT + 63, data, 2), VKDEV_FAULT_PASS);
	ktap_expect_eq(vkdev_fault_cmd_answered(&cmds, CPL_AT, data, 64), VKDEV_FAULT_WRITE);
	ktap_expect_eq(vkdev_fault_cmd_answered(&cmds, CPL_AT, data, 64), VKDEV_FAULT_PASS);
}

static void reset_forgets_the_command(void)
{
	cmds_init("9:1-2:7", "", "");
	ktap_expect(fetched(9));
	vkdev_fault_cmd_reset(&cmds);
	ktap_expect_eq(answered(9), VKDEV_FAULT_PASS);
	ktap_expect(fetched(9));
}

int main(void)
{
	char name[80];

	ktap_start();
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		snprintf(name, sizeof(name), "text \"%s\" %s", texts[i].text,
			 texts[i].back ? "is taken" : "is refused");
		ktap_case(name, test_text, &texts[i]);
	}
	KTAP_RUN(numbers);
	KTAP_RUN(nth_of_its_kind);
	KTAP_RUN(frame_dropped);
	KTAP_RUN(frame_duplicated);
	KTAP_RUN(frame_overtaken);
	KTAP_RUN(frame_overtaken_by_none);
	KTAP_RUN(frame_delayed);
	KTAP_RUN(frame_late_and_double);
	KTAP_RUN(frame_corrupted);
	KTAP_RUN(frame_too_short_to_corrupt);
	KTAP_RUN(no_more_than_there_is_room);
	KTAP_RUN(reset_loses_what_waits);
	KTAP_RUN(seeded);
	KTAP_RUN(late);
	KTAP_RUN(command_fails);
	KTAP_RUN(command_delayed_or_lost);
	KTAP_RUN(other_writes_pass);
	KTAP_RUN(reset_forgets_the_command);
	return ktap_finish();
}
