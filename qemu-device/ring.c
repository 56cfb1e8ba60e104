// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Descriptor rings, and completion rings with their interrupts. This file
 * knows the size of an entry, but not its format.
 */
#include "qemu/osdep.h"
#include "vkdev.h"

void vkdev_ring_start(VkdevRing *ring, uint64_t addr, unsigned log2)
{
    *ring = (VkdevRing) { .addr = addr, .size = 1u << log2 };
}

void vkdev_ring_stop(VkdevRing *ring)
{
    *ring = (VkdevRing) { 0 };
}

bool vkdev_ring_set_tail(VkdevRing *ring, uint32_t tail)
{
    if (tail >= ring->size) {
        return false;
    }
    ring->tail = tail;
    return true;
}

uint32_t vkdev_ring_used(const VkdevRing *ring)
{
    return ring->size ? (ring->tail - ring->head) & (ring->size - 1) : 0;
}

uint32_t vkdev_ring_index(const VkdevRing *ring, uint32_t n)
{
    return (ring->head + n) & (ring->size - 1);
}

bool vkdev_ring_peek(VkdevState *s, const VkdevRing *ring, uint32_t n,
                     uint32_t count, void *entries)
{
    uint64_t offset = (uint64_t)vkdev_ring_index(ring, n) * VKDEV_ENTRY_BYTES;

    return vkdev_dma_read(s, ring->addr + offset, entries,
                          count * VKDEV_ENTRY_BYTES);
}

void vkdev_ring_consume(VkdevRing *ring, uint32_t n)
{
    ring->head = vkdev_ring_index(ring, n);
}

static void cq_fire(VkdevCq *cq)
{
    timer_del(cq->timer);
    cq->armed = false;
    cq->frames = 0;
    vkdev_irq_raise(cq->dev, cq->vector);
}

static void cq_timer(void *opaque)
{
    cq_fire(opaque);
}

void vkdev_cq_init(VkdevCq *cq, VkdevState *s)
{
    cq->dev = s;
    cq->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, cq_timer, cq);
}

void vkdev_cq_fini(VkdevCq *cq)
{
    timer_free(cq->timer);
    cq->timer = NULL;
}

void vkdev_cq_start(VkdevCq *cq, uint64_t addr, unsigned log2, uint16_t vector)
{
    vkdev_ring_start(&cq->ring, addr, log2);
    cq->vector = vector;
    cq->gen = VKTLS_GEN;
    cq->armed = false;
    cq->frames = 0;
}

void vkdev_cq_stop(VkdevCq *cq)
{
    timer_del(cq->timer);
    vkdev_ring_stop(&cq->ring);
    cq->armed = false;
}

uint32_t vkdev_cq_room(const VkdevCq *cq)
{
    return cq->ring.size ? cq->ring.size - 1 - vkdev_ring_used(&cq->ring) : 0;
}

/*
 * Write a completion in two DMA writes, the word with the generation bit last.
 * The DMA barrier before the second write pairs with the host's read barrier
 * between reading the generation and reading the rest of the entry.
 */
bool vkdev_cq_push(VkdevCq *cq, void *entry)
{
    uint32_t last = VKDEV_ENTRY_BYTES - sizeof(uint32_t);
    VkdevRing *ring = &cq->ring;
    uint64_t addr = ring->addr + (uint64_t)ring->tail * VKDEV_ENTRY_BYTES;
    uint8_t *bytes = entry;

    bytes[VKDEV_ENTRY_BYTES - 1] = cq->gen;
    if (!vkdev_dma_write(cq->dev, addr, bytes, last) ||
        !vkdev_dma_write(cq->dev, addr + last, bytes + last,
                         sizeof(uint32_t))) {
        return false;
    }
    ring->tail = (ring->tail + 1) & (ring->size - 1);
    if (!ring->tail) {
        cq->gen ^= VKTLS_GEN;
    }
    return true;
}

static void cq_schedule(VkdevCq *cq)
{
    uint32_t usecs = MIN(cq->mod & VKTLS_MOD_USECS, VKTLS_MOD_USECS_MAX);
    uint32_t limit = (cq->mod & VKTLS_MOD_FRAMES) >> VKTLS_MOD_FRAMES_SHIFT;

    if (!cq->armed || !vkdev_ring_used(&cq->ring)) {
        return;
    }
    if (!usecs || (limit && cq->frames >= limit)) {
        cq_fire(cq);
    } else if (!timer_pending(cq->timer)) {
        timer_mod(cq->timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
                             usecs * SCALE_US);
    }
}

void vkdev_cq_resume(VkdevCq *cq)
{
    cq_schedule(cq);
}

void vkdev_cq_signal(VkdevCq *cq)
{
    cq->frames++;
    cq_schedule(cq);
}

bool vkdev_cq_set_head(VkdevCq *cq, uint32_t value)
{
    uint32_t head = value & VKTLS_CQ_HEAD;
    uint32_t passed = (head - cq->ring.head) & (cq->ring.size - 1);

    if (head >= cq->ring.size || passed > vkdev_ring_used(&cq->ring)) {
        return false;
    }
    cq->ring.head = head;
    if (value & VKTLS_CQ_ARM) {
        timer_del(cq->timer);   /* of an earlier arming */
        cq->armed = true;
        cq->frames = vkdev_ring_used(&cq->ring);
        cq_schedule(cq);
    }
    return true;
}
