/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings of 16-byte entries in host memory; their users know the formats. */
#ifndef VKDEV_RING_H
#define VKDEV_RING_H

#include "qemu/timer.h"

#define VKDEV_ENTRY_BYTES 16

typedef struct VkdevState VkdevState;

/* Descriptors: the host moves the tail, the device the head. */
typedef struct VkdevRing {
    uint64_t addr;
    uint32_t size;      /* entries, a power of two; 0 = no ring */
    uint32_t head;
    uint32_t tail;
} VkdevRing;

/* Completions: the device moves the tail, the host the head. */
typedef struct VkdevCq {
    VkdevState *dev;
    VkdevRing ring;
    QEMUTimer *timer;   /* moderation; running = an interrupt is due then */
    uint32_t mod;       /* VKTLS_MOD_* */
    uint32_t frames;    /* completed since the last interrupt or arming */
    uint16_t vector;
    uint8_t gen;        /* generation bit of the next entry */
    bool armed;
} VkdevCq;

void vkdev_ring_start(VkdevRing *ring, uint64_t addr, unsigned log2);
void vkdev_ring_stop(VkdevRing *ring);

/** Take the host's tail. False when there is no such index. */
bool vkdev_ring_set_tail(VkdevRing *ring, uint32_t tail);

/** Entries between head and tail. */
uint32_t vkdev_ring_used(const VkdevRing *ring);

/** Index of the entry @n places after the head. */
uint32_t vkdev_ring_index(const VkdevRing *ring, uint32_t n);

/**
 * Read @count entries, the first of which is @n places after the head and the
 * last one not behind the ring's end. False when DMA failed.
 */
bool vkdev_ring_peek(VkdevState *s, const VkdevRing *ring, uint32_t n,
                     uint32_t count, void *entries);

/** Move the head over @n entries. */
void vkdev_ring_consume(VkdevRing *ring, uint32_t n);

void vkdev_cq_init(VkdevCq *cq, VkdevState *s);
void vkdev_cq_fini(VkdevCq *cq);
void vkdev_cq_start(VkdevCq *cq, uint64_t addr, unsigned log2,
                    uint16_t vector);
void vkdev_cq_stop(VkdevCq *cq);

/** Entries that the host has not yet given back room for. */
uint32_t vkdev_cq_room(const VkdevCq *cq);

/**
 * Write an entry, its last byte being the generation. There is room for it.
 * False when DMA failed.
 */
bool vkdev_cq_push(VkdevCq *cq, void *entry);

/** A frame or packet was completed: interrupt now or later. */
void vkdev_cq_signal(VkdevCq *cq);

/** The host's consumer index and arming bit; false when out of range. */
bool vkdev_cq_set_head(VkdevCq *cq, uint32_t value);

#endif
