// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The buffers of a receive queue, and the packet that is written to them: one
 * frame, or several frames that were joined. Buffers leave the ring when the
 * packet is completed, so a packet that is dropped has used none.
 */
#include "qemu/osdep.h"
#include "trace.h"
#include "vkdev.h"

uint32_t vkdev_rxq_free(const VkdevRxQueue *rxq)
{
    return MIN(vkdev_ring_used(&rxq->q.ring), vkdev_cq_room(&rxq->q.cq));
}

bool vkdev_rxq_ready(const VkdevRxQueue *rxq)
{
    return rxq->q.live && vkdev_rxq_free(rxq) > rxq->held_bufs;
}

static uint16_t rxq_take_desc(VkdevRxQueue *rxq, unsigned n)
{
    VkdevRxPacket *pkt = &rxq->pkt;
    struct vktls_rx_desc desc;

    if (!vkdev_ring_peek(rxq->q.dev, &rxq->q.ring, n, 1, &desc)) {
        return VKTLS_ST_DMA;
    }
    if (desc.reserved) {
        return VKTLS_ST_RESERVED;
    }
    pkt->addr[n] = le64_to_cpu(desc.addr);
    /* The length in a completion has 16 bits. */
    pkt->size[n] = MIN(le32_to_cpu(desc.len), UINT16_MAX);
    return pkt->size[n] < VKTLS_RX_BUF_MIN ? VKTLS_ST_LENGTH : VKTLS_ST_OK;
}

uint32_t vkdev_rxq_next_size(VkdevRxQueue *rxq)
{
    if (!vkdev_rxq_free(rxq) || rxq_take_desc(rxq, 0) != VKTLS_ST_OK) {
        return 0;
    }
    return rxq->pkt.size[0];
}

bool vkdev_rxq_find(VkdevRxQueue *rxq, uint32_t len)
{
    unsigned n, most = MIN(VKDEV_RX_BUFS, vkdev_rxq_free(rxq));
    VkdevRxPacket *pkt = &rxq->pkt;
    uint64_t got = 0;
    uint16_t status;

    for (n = 0; got < len; n++) {
        if (n >= most) {
            return false;
        }
        status = rxq_take_desc(rxq, n);
        if (status != VKTLS_ST_OK) {
            vkdev_queue_stop(&rxq->q, status);
            return false;
        }
        got += pkt->size[n];
    }
    pkt->count = n;
    return true;
}

bool vkdev_rxq_put(VkdevRxQueue *rxq, const uint8_t *p, uint32_t len)
{
    VkdevRxPacket *pkt = &rxq->pkt;
    uint32_t n;

    for (; len; len -= n, p += n) {
        if (pkt->used == pkt->size[pkt->at]) {
            pkt->at++;
            pkt->used = 0;
        }
        n = MIN(len, pkt->size[pkt->at] - pkt->used);
        if (!vkdev_dma_write(rxq->q.dev, pkt->addr[pkt->at] + pkt->used, p,
                             n)) {
            vkdev_queue_stop(&rxq->q, VKTLS_ST_DMA);
            return false;
        }
        pkt->used += n;
    }
    return true;
}

static bool rxq_write_cpls(VkdevRxQueue *rxq)
{
    const VkdevRxPacket *pkt = &rxq->pkt;
    bool joined = pkt->flags & VKTLS_RXC_GRO;

    for (unsigned i = 0; i < pkt->count; i++) {
        bool last = i + 1 == pkt->count;
        struct vktls_rx_cpl cpl = {
            .index = cpu_to_le16(vkdev_ring_index(&rxq->q.ring, i)),
            .flags = cpu_to_le16(pkt->flags | (last ? VKTLS_RXC_EOP : 0)),
            .len = cpu_to_le16(last ? pkt->used : pkt->size[i]),
            .seg_len = cpu_to_le16(joined ? pkt->seg_len : 0),
            .hash = cpu_to_le32(pkt->hash),
            .vlan_tci = cpu_to_le16(pkt->vlan_tci),
            .segs = joined ? pkt->frames : 0,
        };

        vkdev_fault_rx_cpl(rxq->q.dev, rxq->q.id, &cpl);
        if (!vkdev_cq_push(&rxq->q.cq, &cpl) ||
            (vkdev_fault_cpl_twice(rxq->q.dev, rxq->q.cq.vector) &&
             !vkdev_cq_push(&rxq->q.cq, &cpl))) {
            return false;
        }
    }
    vkdev_ring_consume(&rxq->q.ring, pkt->count);
    return true;
}

static void rxq_count(VkdevRxQueue *rxq)
{
    const VkdevRxPacket *pkt = &rxq->pkt;
    uint64_t *stats = rxq->q.dev->stats;

    stats[VKTLS_STAT_RX_DESCS] += pkt->count;
    stats[VKTLS_STAT_RX_FRAMES] += pkt->frames;
    stats[VKTLS_STAT_RX_BYTES] += pkt->bytes;
    stats[VKTLS_STAT_RX_MULTICAST] += pkt->multicast;
    stats[VKTLS_STAT_RX_BROADCAST] += pkt->broadcast;
    if (pkt->flags & VKTLS_RXC_GRO) {
        stats[VKTLS_STAT_RX_GRO_PACKETS]++;
        stats[VKTLS_STAT_RX_GRO_FRAMES] += pkt->frames;
    }
    trace_vkdev_rx_packet(rxq->q.id, pkt->frames, pkt->bytes, pkt->flags,
                          pkt->hash);
}

static void rxq_clear(VkdevRxPacket *pkt)
{
    pkt->count = 0;
    pkt->at = 0;
    pkt->used = 0;
    pkt->frames = 0;
    pkt->bytes = 0;
}

void vkdev_rxq_end(VkdevRxQueue *rxq)
{
    if (!rxq_write_cpls(rxq)) {
        vkdev_queue_stop(&rxq->q, VKTLS_ST_DMA);
        return;
    }
    rxq_count(rxq);
    rxq_clear(&rxq->pkt);
    vkdev_cq_signal(&rxq->q.cq);
}

void vkdev_rxq_forget(VkdevRxQueue *rxq)
{
    rxq_clear(&rxq->pkt);
    vkdev_hold_forget(rxq);
}
