// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Transmit path: descriptors. Several descriptors are fetched by one DMA read,
 * and all descriptors of a packet are checked before any payload is read.
 */
#include "qemu/osdep.h"
#include "trace.h"
#include "tx.h"

#define TXO_FLAGS (VKTLS_TXD_OFFLOAD | VKTLS_TXO_CSUM | VKTLS_TXO_TSO | \
                   VKTLS_TXO_VLAN | VKTLS_TXO_TLS | VKTLS_TXO_REPLAY)
#define TXD_FLAGS (VKTLS_TXD_EOP | VKTLS_TXD_CPL)

/* Minor version of the ABI from which on tunnels and UDP are cut. */
#define TSO_MORE_SINCE 9

/* Cost of examining a descriptor, in bytes of the budget of tx_run(). */
#define TX_DESC_COST 64

static struct vktls_tx_desc *tx_fetched(VkdevTxQueue *txq, uint32_t n)
{
    return &txq->desc[vkdev_ring_index(&txq->q.ring, n) % VKDEV_TX_FETCH];
}

/*
 * Fill txq->desc with descriptors from the ring, at most VKDEV_TX_FETCH. False
 * when DMA failed.
 */
static bool tx_fetch(VkdevTxQueue *txq, uint32_t used)
{
    VkdevQueue *q = &txq->q;
    uint32_t want = MIN(used, VKDEV_TX_FETCH);

    while (txq->fetched < want) {
        uint32_t first = vkdev_ring_index(&q->ring, txq->fetched);
        uint32_t n = MIN(want - txq->fetched,
                         VKDEV_TX_FETCH - first % VKDEV_TX_FETCH);

        if (!vkdev_ring_peek(q->dev, &q->ring, txq->fetched, n,
                             tx_fetched(txq, txq->fetched))) {
            return false;
        }
        txq->fetched += n;
    }
    return true;
}

/*
 * Prefetch the TLS contexts of the packets that begin at descriptor @n and
 * later. With many contexts they are rarely in the CPU's caches.
 */
static void tx_look_ahead(VkdevTxQueue *txq, uint32_t n)
{
    for (unsigned ahead = 1; ahead <= VKDEV_CTX_AHEAD; ahead++) {
        struct vktls_tx_offload off;
        uint16_t flags;

        if (n >= txq->fetched) {
            return;
        }
        memcpy(&off, tx_fetched(txq, n), sizeof(off));
        flags = le16_to_cpu(off.flags);
        if ((flags & VKTLS_TXD_OFFLOAD) && (flags & VKTLS_TXO_TLS)) {
            vkdev_ctx_expect(txq->q.dev, le32_to_cpu(off.tls_ctx), ahead);
        }
        while (n < txq->fetched && !(le16_to_cpu(tx_fetched(txq, n)->flags) &
                                     VKTLS_TXD_EOP)) {
            n++;
        }
        n++;
    }
}

/* Get the descriptor @n places after the head. False when DMA failed. */
static bool tx_desc(VkdevTxQueue *txq, uint32_t n, uint32_t used,
                    struct vktls_tx_desc *desc)
{
    if (n >= VKDEV_TX_FETCH) {
        return vkdev_ring_peek(txq->q.dev, &txq->q.ring, n, 1, desc);
    }
    if ((n >= txq->fetched || (!n && txq->fetched < VKDEV_TX_FETCH / 2)) &&
        !tx_fetch(txq, used)) {
        return false;
    }
    *desc = *tx_fetched(txq, n);
    return true;
}

bool vkdev_tx_scan(VkdevTxQueue *txq, VkdevTxDescs *d, int *budget)
{
    VkdevQueue *q = &txq->q;
    uint32_t used = vkdev_ring_used(&q->ring);
    struct vktls_tx_desc desc;

    for (uint32_t n = 0; n < used; n++) {
        *budget -= TX_DESC_COST;
        if (!tx_desc(txq, n, used, &desc)) {
            vkdev_queue_stop(q, VKTLS_ST_DMA);
            return false;
        }
        if (n < VKTLS_TX_REPLAY_DESCS) {
            d->desc[n] = desc;
        }
        if (le16_to_cpu(desc.flags) & VKTLS_TXD_EOP) {
            d->count = n + 1;
            tx_look_ahead(txq, n + 1);
            return true;
        }
    }
    if (used == q->ring.size - 1) {
        vkdev_queue_stop(q, VKTLS_ST_TX_DESC);
    }
    return false;
}

bool vkdev_tx_more_tso(const VkdevState *s)
{
    return (vkdev_core_abi(s->core) & UINT16_MAX) >= TSO_MORE_SINCE;
}

static bool tx_take_offload(const VkdevState *s, VkdevTxPacket *pkt,
                            const struct vktls_tx_desc *desc)
{
    struct vktls_tx_offload *off = &pkt->off;

    memcpy(off, desc, sizeof(*off));
    off->tls_ctx = le32_to_cpu(off->tls_ctx);
    off->mss = le16_to_cpu(off->mss);
    off->vlan_tci = le16_to_cpu(off->vlan_tci);
    off->csum_start = le16_to_cpu(off->csum_start);
    off->hdr_len = le16_to_cpu(off->hdr_len);
    off->flags = le16_to_cpu(off->flags);
    if ((off->flags & VKTLS_TXO_REPLAY) &&
        !(s->tls_replay && (off->flags & VKTLS_TXO_TLS))) {
        return false;
    }
    if (off->inner &&
        ((off->flags & VKTLS_TXO_TLS) || !vkdev_tx_more_tso(s))) {
        return false;
    }
    return !(off->flags & ~TXO_FLAGS);
}

static bool tx_take_replay(VkdevTxPacket *pkt,
                           const struct vktls_tx_desc *desc)
{
    struct vktls_tx_replay replay;

    memcpy(&replay, desc, sizeof(replay));
    pkt->rec_no = ldq_be_p(replay.rec_no);
    pkt->before = le16_to_cpu(replay.before);
    pkt->after = le16_to_cpu(replay.after);
    return !replay.reserved &&
           le16_to_cpu(replay.flags) == VKTLS_TXD_REPLAY;
}

static bool tx_take_data(VkdevTxPacket *pkt, const struct vktls_tx_desc *desc)
{
    uint32_t len = le32_to_cpu(desc->len);

    if (desc->reserved || (le16_to_cpu(desc->flags) & ~TXD_FLAGS) || !len ||
        len > VKTLS_TX_MAX_BYTES) {
        return false;
    }
    pkt->len += len;
    return true;
}

/*
 * Parse the packet's offload and replay descriptors, if present. False when
 * one is invalid or the packet has too many descriptors.
 */
static bool tx_take_head(const VkdevState *s, VkdevTxPacket *pkt,
                         const VkdevTxDescs *d)
{
    unsigned max = VKTLS_TX_MAX_DESCS;

    if (le16_to_cpu(d->desc[0].flags) & VKTLS_TXD_OFFLOAD) {
        if (!tx_take_offload(s, pkt, &d->desc[0])) {
            return false;
        }
        pkt->data = 1;
    }
    if (pkt->off.flags & VKTLS_TXO_REPLAY) {
        if (!tx_take_replay(pkt, &d->desc[1])) {
            return false;
        }
        pkt->data = 2;
        max = VKTLS_TX_REPLAY_DESCS;
    }
    return d->count <= max;
}

uint16_t vkdev_tx_take_descs(const VkdevState *s, VkdevTxPacket *pkt,
                             const VkdevTxDescs *d)
{
    uint32_t around;

    if (!tx_take_head(s, pkt, d)) {
        return VKTLS_ST_TX_DESC;
    }
    for (unsigned i = pkt->data; i < d->count; i++) {
        if (!tx_take_data(pkt, &d->desc[i])) {
            return VKTLS_ST_TX_DESC;
        }
    }
    around = pkt->before + pkt->after;
    if (pkt->before > VKTLS_TX_REPLAY_MAX ||
        pkt->after > VKTLS_TX_REPLAY_MAX || pkt->len < around) {
        return VKTLS_ST_TX_LENGTH;
    }
    pkt->len -= around;
    if (pkt->len < VKDEV_ETH_HDR || pkt->len > VKTLS_TX_MAX_BYTES) {
        return VKTLS_ST_TX_LENGTH;
    }
    return VKTLS_ST_OK;
}
