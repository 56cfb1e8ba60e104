/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults of commands, events and interrupts: the choice by number, and the text
 * of a rule. No QEMU header.
 */
#ifndef VKDEV_FAULT_RULE_H
#define VKDEV_FAULT_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct VkdevFaultRule {
    bool armed;
    uint32_t what;      /* opcode, event type, vector or queue */
    uint32_t first;
    uint32_t last;
    uint32_t seen;      /* matches since the rule was set */
    uint32_t value;
    uint64_t count;     /* hits since the device was created */
} VkdevFaultRule;

typedef struct VkdevFaultSyntax {
    const char *what;   /* name of the first number, for error messages */
    uint32_t what_max;
    const char *value;  /* name of the last number; NULL = the rule has none */
    uint32_t value_max;
} VkdevFaultSyntax;

/**
 * vkdev_fault_rule_parse() - parse "WHAT:FIRST[-LAST][:VALUE]"; "" disarms
 * @rule: changed on success only
 *
 * Return: NULL, or an error text that the caller appends to the rule's text.
 */
const char *vkdev_fault_rule_parse(const VkdevFaultSyntax *syntax,
                                   const char *text, VkdevFaultRule *rule);

/*
 * Write the text form of the part of @rule that has not happened yet, "" when
 * nothing is left. @size is at least 64.
 */
void vkdev_fault_rule_format(const VkdevFaultSyntax *syntax,
                             const VkdevFaultRule *rule, char *text,
                             size_t size);

/*
 * Count one command, event or interrupt of the kind @what. True when the rule
 * hits it.
 */
bool vkdev_fault_rule_hits(VkdevFaultRule *rule, uint32_t what);

/*
 * Parse exactly @count numbers with colons between them. Return NULL, or the
 * text of an error, as vkdev_fault_rule_parse() does.
 */
const char *vkdev_fault_numbers_parse(const char *text, uint32_t *numbers,
                                      unsigned count);

#endif
