/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The choice of the frame, command, event or interrupt that a fault hits, and
 * the delayed ones that wait. No QEMU header: the device is behind callbacks.
 * All of it is bounded; where a fault has no room to wait, it does not happen.
 */
#ifndef VKDEV_FAULT_H
#define VKDEV_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "soc/core.h"

#define VKDEV_FAULT_PPM 1000000u
#define VKDEV_FAULT_HELD 64             /* frames in each direction */
#define VKDEV_FAULT_LATE 16             /* answers and events together */
#define VKDEV_FAULT_REORDER_NS 100000000 /* longest wait to be overtaken */

/* ---- Frames: one line for each direction ---- */

typedef enum VkdevFaultKind {
    VKDEV_FAULT_DROP,
    VKDEV_FAULT_DELAY,
    VKDEV_FAULT_CORRUPT,        /* one byte behind the addresses */
    VKDEV_FAULT_REORDER,
    VKDEV_FAULT_DUPLICATE,
    VKDEV_FAULT_KINDS,
} VkdevFaultKind;

/* The generator, never 0, is its kind's own: no fault moves another's hits. */
typedef struct VkdevFaultChance {
    uint32_t nth;       /* frames up to and including the next hit; 0 = off */
    uint32_t ppm;
    uint64_t random;
    uint64_t count;     /* frames hit so far */
} VkdevFaultChance;

typedef struct VkdevFaultHeld {
    uint8_t *frame;
    uint32_t len;
    uint32_t after;     /* with counted: number of the frame that it follows */
    bool counted;
    uint64_t due;       /* time at which it is emitted at the latest, ns */
} VkdevFaultHeld;

typedef struct VkdevFaultLine {
    VkdevFaultChance chance[VKDEV_FAULT_KINDS];
    uint32_t delay_us;
    uint32_t reorder_by;        /* frames that overtake */
    uint32_t passed;            /* frames so far, modulo 2^32 */
    unsigned holds;
    VkdevFaultHeld held[VKDEV_FAULT_HELD];      /* oldest first */
} VkdevFaultLine;

/* Pass a frame on to its receiver; the memory stays the caller's. */
typedef void (*VkdevFaultEmit)(void *opaque, uint8_t *frame, uint32_t len);

/* Seed the random numbers; @tx gives the two directions different ones. */
void vkdev_fault_line_seed(VkdevFaultLine *line, uint32_t seed, bool tx);

/**
 * vkdev_fault_line_judge() - draw for the next frame
 *
 * Return: bits by VkdevFaultKind. With 0, and nothing held, the frame needs no
 * vkdev_fault_line_pass().
 */
unsigned vkdev_fault_line_judge(VkdevFaultLine *line);

/**
 * vkdev_fault_line_pass() - apply the faults of @hits to a frame
 * @frame: changed where it is corrupted
 *
 * Return: the hits that took effect.
 */
unsigned vkdev_fault_line_pass(VkdevFaultLine *line, unsigned hits,
                               uint8_t *frame, uint32_t len, uint64_t now,
                               VkdevFaultEmit emit, void *opaque);

/* Emit the frames that are due. */
void vkdev_fault_line_release(VkdevFaultLine *line, uint64_t now,
                              VkdevFaultEmit emit, void *opaque);

/* The time of the next frame that is due; UINT64_MAX for none. */
uint64_t vkdev_fault_line_due(const VkdevFaultLine *line);

/* Drop the held frames. */
void vkdev_fault_line_reset(VkdevFaultLine *line);

/* ---- Commands, events, interrupts: the Nth of a kind is hit ---- */

typedef struct VkdevFaultRule {
    bool armed;
    uint32_t what;      /* opcode, event type, vector */
    uint32_t first;
    uint32_t last;
    uint32_t seen;      /* matches so far, while armed */
    uint32_t value;
    uint64_t count;     /* hits, ever */
} VkdevFaultRule;

typedef struct VkdevFaultSyntax {
    const char *what;   /* for messages */
    uint32_t what_max;
    const char *value;  /* NULL = takes none */
    uint32_t value_max;
} VkdevFaultSyntax;

/**
 * vkdev_fault_rule_parse() - "WHAT:FIRST[-LAST][:VALUE]", or "" for none
 * @rule: changed on success only
 *
 * Return: NULL, or the text of an error, to be put behind the rule's text.
 */
const char *vkdev_fault_rule_parse(const VkdevFaultSyntax *syntax,
                                   const char *text, VkdevFaultRule *rule);

/* The text that would set the rest of the rule; @size at least 64. */
void vkdev_fault_rule_format(const VkdevFaultSyntax *syntax,
                             const VkdevFaultRule *rule, char *text,
                             size_t size);

/* Count one more of the kind @what; true when the rule hits it. */
bool vkdev_fault_rule_hits(VkdevFaultRule *rule, uint32_t what);

/*
 * Parse exactly @count numbers with colons between them. Return NULL, or the
 * text of an error, as vkdev_fault_rule_parse() does.
 */
const char *vkdev_fault_numbers_parse(const char *text, uint32_t *numbers,
                                      unsigned count);

/* ---- Delayed answers and events ---- */

typedef struct VkdevFaultLate {
    uint64_t due;
    bool is_event;
    VkdevCoreEvent event;
    uint64_t addr;      /* of an answer (not is_event): host address */
    uint8_t answer[sizeof(struct vktls_cmd_cpl)];
} VkdevFaultLate;

typedef struct VkdevFaultLates {
    unsigned count;
    VkdevFaultLate late[VKDEV_FAULT_LATE];      /* oldest first */
} VkdevFaultLates;

bool vkdev_fault_late_put(VkdevFaultLates *lates, const VkdevFaultLate *late);
bool vkdev_fault_late_take(VkdevFaultLates *lates, uint64_t now,
                           VkdevFaultLate *late);
uint64_t vkdev_fault_late_due(const VkdevFaultLates *lates);

/* ---- Commands, as they pass the embedded core's DMA engine ---- */

typedef struct VkdevFaultCmds {
    VkdevFaultRule fail;        /* opcode, status */
    VkdevFaultRule delay;       /* opcode, milliseconds */
    VkdevFaultRule lose;        /* opcode */
    VkdevFaultRule lie;         /* opcode, first word of the answer's payload */
    VkdevFaultRule twice;       /* opcode */

    bool busy;          /* the answer to a command is awaited, to be changed */
    bool refused;
    bool lost;
    bool lied;
    bool again;         /* the awaited answer is to be written twice */
    uint32_t word;      /* with lied */
    uint32_t late_ms;
    uint64_t addr;      /* host address of the awaited answer */
    uint16_t opcode;
    uint16_t status;
    uint8_t answer[sizeof(struct vktls_cmd_cpl)];       /* so far */
} VkdevFaultCmds;

typedef enum VkdevFaultVerdict {
    VKDEV_FAULT_PASS,   /* write it yourself */
    VKDEV_FAULT_KEPT,   /* a part of an answer; the rest is still to come */
    VKDEV_FAULT_WRITE,  /* write cmds->answer to cmds->addr */
    VKDEV_FAULT_DEFER,  /* the same, cmds->late_ms later */
    VKDEV_FAULT_LOST,   /* never */
} VkdevFaultVerdict;

/**
 * vkdev_fault_cmd_fetched() - firmware has a command before it
 * @addr: where its answer will go
 *
 * One that is to fail becomes a NOP: nothing is done.
 * Return: whether there is a fault.
 */
bool vkdev_fault_cmd_fetched(VkdevFaultCmds *cmds, struct vktls_cmd *cmd,
                             uint64_t addr);

/* Firmware writes to the host. */
VkdevFaultVerdict vkdev_fault_cmd_answered(VkdevFaultCmds *cmds, uint64_t addr,
                                           const void *buf, uint32_t len);

void vkdev_fault_cmd_reset(VkdevFaultCmds *cmds);

#endif
