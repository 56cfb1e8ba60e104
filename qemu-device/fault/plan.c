// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The part of fault injection that does not depend on QEMU: rules and their
 * syntax, seeded random choices, queues of delayed frames and answers.
 * Properties and timers are in props.c and hooks.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

#define ADDRESSES 12 /* bytes of MAC addresses, which are never corrupted */

/* Random choice of the frames to hit. */

void vkdev_fault_line_seed(VkdevFaultLine *line, uint32_t seed, bool tx)
{
    uint64_t base = tx ? 0x9e3779b97f4a7c15ull : 0xc2b2ae3d27d4eb4full;

    for (unsigned i = 0; i < VKDEV_FAULT_KINDS; i++) {
        line->chance[i].random = base ^ seed ^ (uint64_t)i << 40;
    }
}

/*
 * Pseudo-random number by xorshift64*; its upper 32 bits are the better ones.
 */
static uint32_t chance_random(VkdevFaultChance *chance)
{
    uint64_t x = chance->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    chance->random = x;
    return x * 0x2545f4914f6cdd1dull >> 32;
}

/* Pseudo-random number from 0 to @limit - 1. */
static uint32_t chance_below(VkdevFaultChance *chance, uint32_t limit)
{
    return (uint64_t)chance_random(chance) * limit >> 32;
}

static bool chance_hits(VkdevFaultChance *chance)
{
    bool hit = chance->nth && !--chance->nth;

    if (chance->ppm) {
        hit |= chance_below(chance, VKDEV_FAULT_PPM) < chance->ppm;
    }
    return hit;
}

unsigned vkdev_fault_line_judge(VkdevFaultLine *line)
{
    unsigned hits = 0;

    for (unsigned i = 0; i < VKDEV_FAULT_KINDS; i++) {
        hits |= (unsigned)chance_hits(&line->chance[i]) << i;
    }
    line->passed++;
    return hits;
}

/*
 * Delayed and reordered frames: held until their time or until other frames
 * have overtaken them.
 */

static bool line_hold(VkdevFaultLine *line, unsigned hits,
                      const uint8_t *frame, uint32_t len, uint64_t now)
{
    VkdevFaultHeld *held = &line->held[line->holds];
    uint64_t delay = line->delay_us * 1000ull;

    if (line->holds == VKDEV_FAULT_HELD) {
        return false;
    }
    *held = (VkdevFaultHeld) {
        .frame = malloc(len),
        .len = len,
        .after = line->passed + line->reorder_by,
        .counted = !(hits & 1u << VKDEV_FAULT_DELAY),
    };
    if (!held->frame) {
        return false;
    }
    held->due = now + (held->counted ? VKDEV_FAULT_REORDER_NS : delay);
    memcpy(held->frame, frame, len);
    line->holds++;
    return true;
}

static bool line_is_due(const VkdevFaultLine *line, const VkdevFaultHeld *held,
                        uint64_t now)
{
    return held->due <= now ||
           (held->counted && (int32_t)(line->passed - held->after) >= 0);
}

void vkdev_fault_line_release(VkdevFaultLine *line, uint64_t now,
                              VkdevFaultEmit emit, void *opaque)
{
    unsigned i = 0;

    while (i < line->holds) {
        VkdevFaultHeld held = line->held[i];

        if (!line_is_due(line, &held, now)) {
            i++;
            continue;
        }
        line->holds--;
        memmove(&line->held[i], &line->held[i + 1],
                (line->holds - i) * sizeof(held));
        emit(opaque, held.frame, held.len);
        free(held.frame);
    }
}

uint64_t vkdev_fault_line_due(const VkdevFaultLine *line)
{
    uint64_t due = UINT64_MAX;

    for (unsigned i = 0; i < line->holds; i++) {
        due = line->held[i].due < due ? line->held[i].due : due;
    }
    return due;
}

void vkdev_fault_line_reset(VkdevFaultLine *line)
{
    while (line->holds) {
        free(line->held[--line->holds].frame);
    }
}

/*
 * Change one byte of the frame, at a random place behind the MAC addresses.
 * False when the frame is too short.
 */
static bool line_corrupt(VkdevFaultLine *line, uint8_t *frame, uint32_t len)
{
    VkdevFaultChance *chance = &line->chance[VKDEV_FAULT_CORRUPT];

    if (len <= ADDRESSES) {
        return false;
    }
    frame[ADDRESSES + chance_below(chance, len - ADDRESSES)] ^=
        1 + chance_below(chance, 255);
    return true;
}

static void line_count(VkdevFaultLine *line, unsigned hits)
{
    for (unsigned i = 0; i < VKDEV_FAULT_KINDS; i++) {
        line->chance[i].count += hits >> i & 1;
    }
}

/*
 * Apply the faults in @hits. A frame with both a duplicate and a delay is
 * emitted once now and once later.
 */
unsigned vkdev_fault_line_pass(VkdevFaultLine *line, unsigned hits,
                               uint8_t *frame, uint32_t len, uint64_t now,
                               VkdevFaultEmit emit, void *opaque)
{
    const unsigned corrupt = 1u << VKDEV_FAULT_CORRUPT;
    const unsigned twice = 1u << VKDEV_FAULT_DUPLICATE;
    const unsigned wait = 1u << VKDEV_FAULT_DELAY | 1u << VKDEV_FAULT_REORDER;

    if (hits & 1u << VKDEV_FAULT_DROP) {
        hits = 1u << VKDEV_FAULT_DROP;
    } else {
        if ((hits & corrupt) && !line_corrupt(line, frame, len)) {
            hits &= ~corrupt;
        }
        if ((hits & wait) && !line_hold(line, hits, frame, len, now)) {
            hits &= ~wait;
        }
        if (!(hits & wait) || (hits & twice)) {
            emit(opaque, frame, len);
        }
        if (!(hits & wait) && (hits & twice)) {
            emit(opaque, frame, len);
        }
    }
    line_count(line, hits);
    vkdev_fault_line_release(line, now, emit, opaque);
    return hits;
}

/* Rules of faults, and their text form. */

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 'a' ^ 'A';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/*
 * Parse a number that ends at a character of @ends or at the end of the text.
 * *@at moves to the character after the number. Return NULL, or the text of an
 * error.
 */
static const char *number_parse(const char **at, const char *ends,
                                uint32_t *number)
{
    const char *p = *at;
    bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
    int base = hex ? 16 : 10;
    uint64_t value = 0;

    p += hex ? 2 : 0;
    if (digit_value(*p) >= base) {
        return "a number is missing, decimal or with 0x";
    }
    for (; digit_value(*p) < base; p++) {
        value = value * base + digit_value(*p);
        if (value > UINT32_MAX) {
            return "a number is too large";
        }
    }
    if (!strchr(ends, *p)) {
        return "there is something behind a number";
    }
    *number = value;
    *at = p;
    return NULL;
}

const char *vkdev_fault_numbers_parse(const char *text, uint32_t *numbers,
                                      unsigned count)
{
    const char *why;

    for (unsigned i = 0; i < count; i++) {
        why = number_parse(&text, ":", &numbers[i]);
        if (why) {
            return why;
        }
        if (!*text != (i + 1 == count)) {
            return *text ? "there are too many numbers" :
                           "there are too few numbers";
        }
        text++;
    }
    return NULL;
}

static const char *rule_parse_range(const char **at, VkdevFaultRule *rule)
{
    const char *why = number_parse(at, "-:", &rule->first);

    rule->last = rule->first;
    if (!why && **at == '-') {
        ++*at;
        why = number_parse(at, ":", &rule->last);
    }
    if (!why && (!rule->first || rule->last < rule->first)) {
        why = "FIRST is at least 1, LAST at least FIRST";
    }
    return why;
}

static const char *rule_check(const VkdevFaultSyntax *syntax,
                              const VkdevFaultRule *rule)
{
    if (rule->what > syntax->what_max) {
        return "there is no such opcode, type or vector";
    }
    if (syntax->value && rule->value > syntax->value_max) {
        return "the last number is too large";
    }
    return NULL;
}

const char *vkdev_fault_rule_parse(const VkdevFaultSyntax *syntax,
                                   const char *text, VkdevFaultRule *rule)
{
    VkdevFaultRule new = { .armed = true, .count = rule->count };
    const char *why;

    if (!*text) {
        *rule = (VkdevFaultRule) { .count = rule->count };
        return NULL;
    }
    why = number_parse(&text, ":", &new.what);
    if (!why && !*text++) {
        why = "FIRST is missing";
    }
    if (!why) {
        why = rule_parse_range(&text, &new);
    }
    if (!why && !*text == !!syntax->value) {
        why = syntax->value ? "VALUE is missing" : "it takes no VALUE";
    }
    if (!why && syntax->value) {
        text++;
        why = number_parse(&text, "", &new.value);
    }
    if (!why) {
        why = rule_check(syntax, &new);
    }
    if (!why) {
        *rule = new;
    }
    return why;
}

void vkdev_fault_rule_format(const VkdevFaultSyntax *syntax,
                             const VkdevFaultRule *rule, char *text,
                             size_t size)
{
    uint32_t first = rule->first > rule->seen ? rule->first - rule->seen : 1;
    uint32_t last = rule->last - rule->seen;
    int n;

    text[0] = '\0';
    if (!rule->armed) {
        return;
    }
    n = snprintf(text, size, "%" PRIu32 ":%" PRIu32, rule->what, first);
    if (last != first) {
        n += snprintf(text + n, size - n, "-%" PRIu32, last);
    }
    if (syntax->value) {
        snprintf(text + n, size - n, ":%" PRIu32, rule->value);
    }
}

bool vkdev_fault_rule_hits(VkdevFaultRule *rule, uint32_t what)
{
    bool hit;

    if (!rule->armed || rule->what != what) {
        return false;
    }
    hit = ++rule->seen >= rule->first;
    rule->armed = rule->seen < rule->last;
    rule->count += hit;
    return hit;
}

/* Delayed answers and events. */

bool vkdev_fault_late_put(VkdevFaultLates *lates, const VkdevFaultLate *late)
{
    if (lates->count == VKDEV_FAULT_LATE) {
        return false;
    }
    lates->late[lates->count++] = *late;
    return true;
}

bool vkdev_fault_late_take(VkdevFaultLates *lates, uint64_t now,
                           VkdevFaultLate *late)
{
    for (unsigned i = 0; i < lates->count; i++) {
        if (lates->late[i].due > now) {
            continue;
        }
        *late = lates->late[i];
        lates->count--;
        memmove(&lates->late[i], &lates->late[i + 1],
                (lates->count - i) * sizeof(*late));
        return true;
    }
    return false;
}

uint64_t vkdev_fault_late_due(const VkdevFaultLates *lates)
{
    uint64_t due = UINT64_MAX;

    for (unsigned i = 0; i < lates->count; i++) {
        due = lates->late[i].due < due ? lates->late[i].due : due;
    }
    return due;
}

/* Faults that hit commands. */

static uint32_t get_le16(const void *p)
{
    const uint8_t *bytes = p;

    return bytes[0] | bytes[1] << 8;
}

static void put_le16(void *p, uint16_t value)
{
    uint8_t *bytes = p;

    bytes[0] = value;
    bytes[1] = value >> 8;
}

bool vkdev_fault_cmd_fetched(VkdevFaultCmds *cmds, struct vktls_cmd *cmd,
                             uint64_t addr)
{
    uint16_t opcode = get_le16(&cmd->opcode);
    bool fail = vkdev_fault_rule_hits(&cmds->fail, opcode);
    bool delay = vkdev_fault_rule_hits(&cmds->delay, opcode);
    bool lose = vkdev_fault_rule_hits(&cmds->lose, opcode);
    bool lie = vkdev_fault_rule_hits(&cmds->lie, opcode);
    bool twice = vkdev_fault_rule_hits(&cmds->twice, opcode);

    if (!fail && !delay && !lose && !lie && !twice) {
        return false;
    }
    vkdev_fault_cmd_reset(cmds);
    cmds->busy = true;
    cmds->addr = addr;
    cmds->opcode = opcode;
    cmds->refused = fail;
    cmds->status = cmds->fail.value;
    cmds->late_ms = delay ? cmds->delay.value : 0;
    cmds->lost = lose;
    cmds->lied = lie;
    cmds->word = cmds->lie.value;
    cmds->again = twice;
    if (fail) {
        put_le16(&cmd->opcode, VKTLS_CMD_NOP);
        put_le16(&cmd->len, 0);
        explicit_bzero(cmd->payload, sizeof(cmd->payload));
    }
    return true;
}

VkdevFaultVerdict vkdev_fault_cmd_answered(VkdevFaultCmds *cmds, uint64_t addr,
                                           const void *buf, uint32_t len)
{
    struct vktls_cmd_cpl *cpl = (void *)cmds->answer;
    uint64_t at = addr - cmds->addr;

    if (!cmds->busy || at >= sizeof(*cpl) || len > sizeof(*cpl) - at) {
        return VKDEV_FAULT_PASS;
    }
    memcpy(cmds->answer + at, buf, len);
    if (at + len < sizeof(*cpl)) {
        return VKDEV_FAULT_KEPT;
    }
    cmds->busy = false;
    if (cmds->refused) {
        put_le16(&cpl->opcode, cmds->opcode);
        put_le16(&cpl->status, cmds->status);
    }
    if (cmds->lied) {
        put_le16(cpl->payload, cmds->word);
        put_le16(cpl->payload + 2, cmds->word >> 16);
    }
    if (cmds->lost) {
        return VKDEV_FAULT_LOST;
    }
    return cmds->late_ms ? VKDEV_FAULT_DEFER : VKDEV_FAULT_WRITE;
}

void vkdev_fault_cmd_reset(VkdevFaultCmds *cmds)
{
    cmds->busy = false;
    memset(cmds->answer, 0, sizeof(cmds->answer));
}
