/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings of 16-byte entries in host memory. The callers define the format of an
 * entry.
 */
#ifndef VKDEV_RING_H
#define VKDEV_RING_H

#include "qemu/timer.h"

#define VKDEV_ENTRY_BYTES 16

typedef struct VkdevState VkdevState;

/*
 * A ring of descriptors: the host moves the tail, the device moves the head.
 */
typedef struct VkdevRing {
    uint64_t addr;
    uint32_t size;      /* entries, a power of two; 0 = no ring */
    uint32_t head;
    uint32_t tail;
} VkdevRing;

/*
 * A ring of completions: the device moves the tail, the host moves the head.
 */
typedef struct VkdevCq {
    VkdevState *dev;
    VkdevRing ring;
    QEMUTimer *timer;   /* interrupt moderation; pending = interrupt due then */
    uint32_t mod;       /* VKTLS_MOD_* */
    uint32_t frames;    /* completions since the last interrupt or arming */
    uint16_t vector;
    uint8_t gen;        /* generation bit of the next entry */
    bool armed;
} VkdevCq;

void vkdev_ring_start(VkdevRing *ring, uint64_t addr, unsigned log2);
void vkdev_ring_stop(VkdevRing *ring);

/**
 * Set the tail to an index that the host wrote. False when it is outside the
 * ring.
 */
bool vkdev_ring_set_tail(VkdevRing *ring, uint32_t tail);

/** Number of entries between head and tail. */
uint32_t vkdev_ring_used(const VkdevRing *ring);

/** Index of the entry @n places after the head. */
uint32_t vkdev_ring_index(const VkdevRing *ring, uint32_t n);

/**
 * Read @count entries without moving the head; the first is @n places after
 * the head, and the range must not wrap around the ring's end. False when DMA
 * failed.
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

/** Number of completions that can be written before the ring is full. */
uint32_t vkdev_cq_room(const VkdevCq *cq);

/**
 * Write a completion; the generation is put into its last byte. The caller has
 * checked vkdev_cq_room(). False when DMA failed.
 */
bool vkdev_cq_push(VkdevCq *cq, void *entry);

/**
 * Report that a frame or packet was completed, which may raise the interrupt
 * now or start the moderation timer.
 */
void vkdev_cq_signal(VkdevCq *cq);

/**
 * Continue after a migration has set cq->armed and the ring: raise the
 * interrupt or start the moderation timer, if one is due.
 */
void vkdev_cq_resume(VkdevCq *cq);

/**
 * Handle the consumer index and arming bit that the host wrote. False when
 * the index is out of range.
 */
bool vkdev_cq_set_head(VkdevCq *cq, uint32_t value);

#endif
