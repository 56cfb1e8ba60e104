// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults of frames: seeded random choices, and delayed frames in order of their
 * arrival. This file does not depend on QEMU: timers are in hooks.c,
 * properties in props.c.
 */
#include <stdlib.h>
#include <string.h>

#include "line.h"

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
