// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets that wait for more frames (GRO), one for each connection, in the device's own
 * memory: so frames of several connections may come by turns, and a packet takes
 * buffers of the ring only when it is completed. gro.c decides which frames are
 * joined; rx.c, when a packet must go.
 */
#include "qemu/osdep.h"
#include "trace.h"
#include "vkdev.h"

/*
 * The packets are completed when no frame was joined for one or two periods, and at the
 * latest after HOLD_PERIODS.
 */
#define HOLD_PERIODS 4
#define HOLD_PERIOD_NS (VKTLS_RX_GRO_HOLD_USECS * SCALE_US / HOLD_PERIODS)

static void hold_set_timer(VkdevState *s)
{
    timer_mod(s->hold_timer,
              qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + HOLD_PERIOD_NS);
}

/* The timer only schedules, as DMA is for bottom halves, which are guarded. */
static void hold_tick(void *opaque)
{
    VkdevState *s = opaque;

    if (!s->hold_num) {
        return;
    }
    if (s->hold_busy && ++s->hold_periods < HOLD_PERIODS) {
        s->hold_busy = false;
        hold_set_timer(s);
    } else {
        qemu_bh_schedule(s->rx_end_bh);
    }
}

void vkdev_hold_init(VkdevState *s)
{
    s->hold_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, hold_tick, s);
}

void vkdev_hold_fini(VkdevState *s)
{
    timer_free(s->hold_timer);
    s->hold_timer = NULL;
}

void vkdev_hold_free(VkdevRxQueue *rxq)
{
    for (unsigned i = 0; i < VKDEV_RX_HELD; i++) {
        g_free(rxq->held[i]);
        rxq->held[i] = NULL;
    }
}

/* A frame waits for others, the first of all if @first, or was joined. */
static void hold_note(VkdevState *s, bool first)
{
    s->hold_busy = true;
    if (!(s->port.flags & VKTLS_PORT_RX_GRO_HOLD)) {
        qemu_bh_schedule(s->rx_end_bh);
    } else if (first) {
        s->hold_periods = 0;
        hold_set_timer(s);
    }
}

static uint32_t hold_len(const VkdevRxHeld *held)
{
    return held->gro.hdr_len + held->gro.payload;
}

/* Buffers for a packet, if all buffers of the ring are like the next one. */
static uint32_t hold_bufs(const VkdevRxQueue *rxq, uint32_t len)
{
    return DIV_ROUND_UP(len, rxq->hold_size);
}

VkdevRxHeld *vkdev_hold_find(const VkdevRxQueue *rxq, const uint8_t *frame,
                             const VkdevWire *w)
{
    for (unsigned i = 0; i < rxq->held_num; i++) {
        if (vkdev_gro_same_flow(&rxq->held[i]->gro, frame, w)) {
            return rxq->held[i];
        }
    }
    return NULL;
}

bool vkdev_hold_room(VkdevRxQueue *rxq, const VkdevRxHeld *held,
                     uint32_t len, uint32_t payload)
{
    uint32_t total;

    if (!rxq->held_num) {
        rxq->hold_size = vkdev_rxq_next_size(rxq);
    }
    if (!rxq->q.live || !rxq->hold_size) {
        return false;
    }
    total = held ? hold_len(held) + payload : len;
    return hold_bufs(rxq, total) <= VKTLS_RX_GRO_BUFS &&
           rxq->held_bufs + hold_bufs(rxq, len) <= vkdev_rxq_free(rxq);
}

void vkdev_hold_make_room(VkdevRxQueue *rxq, uint32_t len)
{
    if (rxq->held_num &&
        rxq->held_bufs + hold_bufs(rxq, len) > vkdev_rxq_free(rxq)) {
        vkdev_hold_end_all(rxq);
    }
}

VkdevRxHeld *vkdev_hold_begin(VkdevRxQueue *rxq, const uint8_t *frame,
                              const VkdevWire *w, uint32_t len)
{
    VkdevRxHeld *held;

    if (rxq->held_num == VKDEV_RX_HELD) {
        vkdev_hold_end(rxq, rxq->held[0]);
        if (!rxq->q.live) {
            return NULL;
        }
    }
    if (!rxq->held[rxq->held_num]) {
        rxq->held[rxq->held_num] = g_new(VkdevRxHeld, 1);
    }
    held = rxq->held[rxq->held_num++];
    vkdev_gro_begin(&held->gro, frame, w, rxq->q.dev->port.flags);
    memcpy(held->payload, frame + w->payload, held->gro.payload);
    held->bytes = len;
    rxq->held_bufs += hold_bufs(rxq, len);
    hold_note(rxq->q.dev, !rxq->q.dev->hold_num++);
    return held;
}

void vkdev_hold_add(VkdevRxQueue *rxq, VkdevRxHeld *held, const uint8_t *frame,
                    const VkdevWire *w, uint32_t len)
{
    uint32_t at = held->gro.payload;

    rxq->held_bufs -= hold_bufs(rxq, hold_len(held));
    vkdev_gro_add(&held->gro, frame, w);
    memcpy(held->payload + at, frame + w->payload, held->gro.payload - at);
    held->bytes += len;
    rxq->held_bufs += hold_bufs(rxq, hold_len(held));
    trace_vkdev_rx_join(rxq->q.id, len, held->gro.segs);
    hold_note(rxq->q.dev, false);
}

/* Takes the packet off the list; its memory is used again. */
static void hold_remove(VkdevRxQueue *rxq, VkdevRxHeld *held)
{
    unsigned i = 0;

    while (rxq->held[i] != held) {
        i++;
    }
    rxq->held_num--;
    rxq->q.dev->hold_num--;
    rxq->held_bufs -= hold_bufs(rxq, hold_len(held));
    memmove(&rxq->held[i], &rxq->held[i + 1],
            (rxq->held_num - i) * sizeof(rxq->held[0]));
    rxq->held[rxq->held_num] = held;
}

static void hold_describe(VkdevRxPacket *pkt, const VkdevRxHeld *held)
{
    pkt->flags = held->flags;
    pkt->vlan_tci = held->vlan_tci;
    pkt->hash = held->hash;
    pkt->multicast = false;
    pkt->broadcast = false;
    pkt->frames = held->gro.segs;
    pkt->bytes = held->bytes;
    if (held->gro.segs > 1) {
        pkt->flags |= VKTLS_RXC_GRO;
        pkt->flags |= held->gro.same_id ? VKTLS_RXC_GRO_ID : 0;
        pkt->flags |= held->gro.same_outer_id ? VKTLS_RXC_GRO_OUTER_ID : 0;
        pkt->seg_len = held->gro.seg_len;
    }
}

void vkdev_hold_end(VkdevRxQueue *rxq, VkdevRxHeld *held)
{
    VkdevGro *gro = &held->gro;

    hold_remove(rxq, held);
    if (!vkdev_rxq_find(rxq, hold_len(held))) {
        /* The buffers are not alike. */
        rxq->q.dev->stats[VKTLS_STAT_RX_NO_BUFFER] += gro->segs;
        trace_vkdev_rx_no_buffer(rxq->q.id, hold_len(held));
        return;
    }
    if (gro->segs > 1) {
        vkdev_gro_finish(gro);
    }
    hold_describe(&rxq->pkt, held);
    if (vkdev_rxq_put(rxq, gro->hdr, gro->hdr_len) &&
        vkdev_rxq_put(rxq, held->payload, gro->payload)) {
        vkdev_rxq_end(rxq);
    }
}

void vkdev_hold_end_all(VkdevRxQueue *rxq)
{
    while (rxq->held_num) {
        vkdev_hold_end(rxq, rxq->held[0]);
    }
}

void vkdev_hold_forget(VkdevRxQueue *rxq)
{
    rxq->q.dev->hold_num -= rxq->held_num;
    rxq->held_num = 0;
    rxq->held_bufs = 0;
}
