/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults of the frames of one direction: the choice of the frame that a fault
 * hits, and the storage of delayed ones. Storage is bounded: a fault that would
 * delay more than fits does not happen. Frames are emitted by callbacks. No
 * QEMU header.
 */
#ifndef VKDEV_FAULT_LINE_H
#define VKDEV_FAULT_LINE_H

#include <stdbool.h>
#include <stdint.h>

#define VKDEV_FAULT_PPM 1000000u
#define VKDEV_FAULT_HELD 64             /* delayed frames in each direction */
#define VKDEV_FAULT_REORDER_NS 100000000 /* limit of a reordering */

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

#endif
