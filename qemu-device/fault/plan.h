/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault injection without QEMU: the choice of the frame, command, event or
 * interrupt that a fault hits, and the storage of delayed ones. Storage is
 * bounded: a fault that would delay more than fits does not happen. Frames are
 * emitted by callbacks, so this part includes no QEMU header.
 */
#ifndef VKDEV_FAULT_H
#define VKDEV_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "soc/core.h"

#define VKDEV_FAULT_PPM 1000000u
#define VKDEV_FAULT_HELD 64             /* delayed frames in each direction */
#define VKDEV_FAULT_LATE 16 /* delayed answers and events together */
#define VKDEV_FAULT_REORDER_NS 100000000 /* limit of a reordering */

/* ---- Faults of frames: one VkdevFaultLine for each direction ---- */

typedef enum VkdevFaultKind {
    VKDEV_FAULT_DROP,
    VKDEV_FAULT_DELAY,
    VKDEV_FAULT_CORRUPT,        /* change one byte behind the MAC addresses */
    VKDEV_FAULT_REORDER,
    VKDEV_FAULT_DUPLICATE,
    VKDEV_FAULT_KINDS,
} VkdevFaultKind;

/*
 * Choice of the frames that one kind of fault hits. Each kind has a random
 * generator of its own (never 0), so that enabling one kind of fault does not
 * change the frames that another kind hits.
 */
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
    uint64_t due;       /* latest time at which it is emitted, ns */
} VkdevFaultHeld;

typedef struct VkdevFaultLine {
    VkdevFaultChance chance[VKDEV_FAULT_KINDS];
    uint32_t delay_us;
    uint32_t reorder_by;        /* frames that overtake a reordered frame */
    uint32_t passed;            /* frames passed so far, modulo 2^32 */
    unsigned holds;
    VkdevFaultHeld held[VKDEV_FAULT_HELD];      /* oldest first */
} VkdevFaultLine;

/*
 * Callback that sends or receives a frame. @frame stays the caller's memory.
 */
typedef void (*VkdevFaultEmit)(void *opaque, uint8_t *frame, uint32_t len);

/*
 * Seed the random generators of @line; the two directions (@tx or not) get
 * different numbers from one seed.
 */
void vkdev_fault_line_seed(VkdevFaultLine *line, uint32_t seed, bool tx);

/**
 * vkdev_fault_line_judge() - choose the faults that hit the next frame
 *
 * Return: a bit mask indexed by VkdevFaultKind. If it is 0 and @line holds no
 * frame, vkdev_fault_line_pass() need not be called.
 */
unsigned vkdev_fault_line_judge(VkdevFaultLine *line);

/**
 * vkdev_fault_line_pass() - apply the faults of @hits to a frame
 * @frame: the frame, which VKDEV_FAULT_CORRUPT changes in place
 *
 * Return: the bits of @hits that took effect.
 */
unsigned vkdev_fault_line_pass(VkdevFaultLine *line, unsigned hits,
                               uint8_t *frame, uint32_t len, uint64_t now,
                               VkdevFaultEmit emit, void *opaque);

/* Emit the held frames that are due at @now. */
void vkdev_fault_line_release(VkdevFaultLine *line, uint64_t now,
                              VkdevFaultEmit emit, void *opaque);

/* Time at which the next held frame is due; UINT64_MAX when none is held. */
uint64_t vkdev_fault_line_due(const VkdevFaultLine *line);

/* Free all held frames without emitting them. */
void vkdev_fault_line_reset(VkdevFaultLine *line);

/* ---- Faults of commands, events and interrupts, chosen by number ---- */

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

/* ---- Delayed answers and events ---- */

typedef struct VkdevFaultLate {
    uint64_t due;
    bool is_event;
    VkdevCoreEvent event;
    uint64_t addr;      /* host address of an answer; unused for an event */
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

/* ---- Faults of commands: applied to the DMA of the embedded core ---- */

typedef struct VkdevFaultCmds {
    VkdevFaultRule fail;        /* opcode, status */
    VkdevFaultRule delay;       /* opcode, milliseconds */
    VkdevFaultRule lose;        /* opcode */
    VkdevFaultRule lie;         /* opcode, first word of the answer's payload */
    VkdevFaultRule twice;       /* opcode */

    bool busy;          /* true while the answer to a hit command is awaited */
    bool refused;
    bool lost;
    bool lied;
    bool again;         /* write the awaited answer twice */
    uint32_t word;      /* false first word of the answer; valid with lied */
    uint32_t late_ms;
    uint64_t addr;      /* host address of the awaited answer */
    uint16_t opcode;
    uint16_t status;
    /* The answer, as far as firmware has written it. */
    uint8_t answer[sizeof(struct vktls_cmd_cpl)];
} VkdevFaultCmds;

typedef enum VkdevFaultVerdict {
    VKDEV_FAULT_PASS,   /* no fault: the caller does the write */
    VKDEV_FAULT_KEPT,   /* write consumed; more of the answer will come */
    VKDEV_FAULT_WRITE,  /* answer complete: write cmds->answer to cmds->addr */
    VKDEV_FAULT_DEFER,  /* the same as VKDEV_FAULT_WRITE, cmds->late_ms later */
    VKDEV_FAULT_LOST,   /* answer complete, and dropped */
} VkdevFaultVerdict;

/**
 * vkdev_fault_cmd_fetched() - decide the faults of a command that was fetched
 * @cmd: the command; becomes a NOP if it is to fail, so that nothing is done
 * @addr: host address of the command's answer
 *
 * Return: true if any fault hits the command.
 */
bool vkdev_fault_cmd_fetched(VkdevFaultCmds *cmds, struct vktls_cmd *cmd,
                             uint64_t addr);

/*
 * Decide about a DMA write by firmware of @len bytes at @buf to host address
 * @addr.
 */
VkdevFaultVerdict vkdev_fault_cmd_answered(VkdevFaultCmds *cmds, uint64_t addr,
                                           const void *buf, uint32_t len);

void vkdev_fault_cmd_reset(VkdevFaultCmds *cmds);

#endif
