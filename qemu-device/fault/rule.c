// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of faults: their text form, and the choice of the command, event or
 * interrupt to hit. This file does not depend on QEMU.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rule.h"

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
