// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Transmit path: from a packet's descriptors to frames on the wire. The packet
 * is gathered in the queue's own buffer and checked whole before any byte of
 * it is encrypted or sent. A refused packet is completed with an error status
 * and nothing of it is sent. A packet with VKTLS_TXO_TLS is sent only after
 * vkdev_ctx_encrypt() or a replay succeeded. Where possible the payload is
 * encrypted straight from host memory into the buffer; all checks look at the
 * copy in the buffer.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "qemu/main-loop.h"
#include "trace.h"
#include "tx.h"

/*
 * Work limit of one run of the bottom half, in bytes; each frame costs
 * TX_FRAME_COST in addition.
 */
#define TX_BUDGET (1 << 20)
#define TX_FRAME_COST 512

#define TCP_SUM 16

/* Bytes gathered first when the payload is mapped: most headers fit. */
#define TX_HEAD 128

/*
 * Read bytes @from to @to of the packet from host memory into the queue's
 * buffer. vkdev_tx_take_descs() has checked that the packet fits
 * VKDEV_GATHER_MAX.
 */
static uint16_t tx_gather(VkdevTxQueue *txq, const VkdevTxDescs *d,
                          uint32_t from, uint32_t to)
{
    VkdevTxPacket *pkt = &txq->pkt;
    uint32_t at = 0;

    for (unsigned i = pkt->data; i < d->count; i++) {
        uint32_t len = le32_to_cpu(d->desc[i].len);
        uint32_t begin = MAX(at, from), end = MIN(at + len, to);

        if (begin < end &&
            !vkdev_dma_read(txq->q.dev,
                            le64_to_cpu(d->desc[i].addr) + begin - at,
                            pkt->frame + begin, end - begin)) {
            return VKTLS_ST_DMA;
        }
        at += len;
    }
    return VKTLS_ST_OK;
}

/*
 * Map the packet's descriptors for encryption from host memory. @m stays empty
 * for a packet without TLS, for a replay, and if any byte is not RAM.
 */
static void tx_map(VkdevState *s, const VkdevTxPacket *pkt,
                   const VkdevTxDescs *d, VkdevMap *m)
{
    QEMU_BUILD_BUG_ON(VKDEV_MAP_PIECES < VKTLS_TX_MAX_DESCS);

    if (!(pkt->off.flags & VKTLS_TXO_TLS) ||
        (pkt->off.flags & VKTLS_TXO_REPLAY)) {
        return;
    }
    for (unsigned i = pkt->data; i < d->count; i++) {
        if (!vkdev_dma_map(s, m, le64_to_cpu(d->desc[i].addr),
                           le32_to_cpu(d->desc[i].len),
                           DMA_DIRECTION_TO_DEVICE)) {
            vkdev_dma_unmap(s, m, false);
            return;
        }
    }
}

/* Number of bytes at the packet's start that may be headers. */
static uint32_t tx_head_len(const VkdevTxPacket *pkt)
{
    return MIN(pkt->len, MAX(pkt->off.hdr_len, TX_HEAD));
}

/*
 * Gather the packet and parse its headers. Only the headers are gathered if
 * the payload is mapped in @m, or if the packet is a replay, whose ciphertext
 * may be in the cache of replayed records.
 */
static uint16_t tx_gather_head(VkdevTxQueue *txq, const VkdevTxDescs *d,
                               const VkdevMap *m)
{
    VkdevTxPacket *pkt = &txq->pkt;
    uint16_t status = VKTLS_ST_OK;
    uint32_t len = pkt->len;

    if (m->count || (pkt->off.flags & VKTLS_TXO_REPLAY)) {
        len = tx_head_len(pkt);
    }
    if (m->count) {
        iov_to_buf(m->iov, m->count, 0, pkt->frame, len);
    } else {
        status = tx_gather(txq, d, 0, len);
    }
    if (status == VKTLS_ST_OK) {
        vkdev_wire_parse(pkt->frame, len, &pkt->wire);
    }
    return status;
}

/* True if each frame of the packet fits the port's MTU. */
static bool tx_fits(const VkdevState *s, const VkdevTxPacket *pkt)
{
    uint32_t len = pkt->len;

    if (pkt->off.flags & VKTLS_TXO_TSO) {
        len = MIN(len, pkt->wire.payload + (uint32_t)pkt->off.mss);
    }
    return len <= s->port.mtu + VKDEV_ETH_HDR + 2 * VKDEV_VLAN_HDR;
}

/* True if the packet is UDP that may be cut: with firmware from 1.9 on. */
static bool tx_is_udp(const VkdevState *s, const VkdevWire *w)
{
    return w->l4 && w->proto == VKDEV_IPPROTO_UDP && !w->routed &&
           vkdev_tx_more_tso(s);
}

/*
 * Check a packet with TSO; of a tunnel, go on with the headers of the packet in
 * it. vkdev_tso_init() needs headers that fit
 * VKDEV_TSO_HDR_MAX, with space for a VLAN tag.
 */
static uint16_t tx_check_tso(const VkdevState *s, VkdevTxPacket *pkt)
{
    uint8_t inner = pkt->off.inner;
    VkdevWire *w = &pkt->wire;

    if (inner && !vkdev_tso_enter(pkt->frame, pkt->len, inner, w)) {
        return VKTLS_ST_TX_OFFLOAD;
    }
    if (!(vkdev_wire_is_tcp(w) || tx_is_udp(s, w)) ||
        pkt->off.hdr_len != w->payload || !pkt->off.mss ||
        w->payload > VKDEV_TSO_HDR_MAX - VKDEV_VLAN_HDR) {
        return VKTLS_ST_TX_OFFLOAD;
    }
    return VKTLS_ST_OK;
}

/*
 * Check a packet with TLS. The engine encrypts all bytes after the TCP header,
 * so the packet must end where its IP header says; and the device must compute
 * the TCP checksum, after encryption.
 */
static uint16_t tx_check_tls(const VkdevTxPacket *pkt)
{
    const struct vktls_tx_offload *off = &pkt->off;
    const VkdevWire *w = &pkt->wire;

    if (!vkdev_wire_is_tcp(w)) {
        return VKTLS_ST_TLS_NOT_TCP;
    }
    if (off->hdr_len != w->payload) {
        return VKTLS_ST_TX_OFFLOAD;
    }
    if (off->flags & VKTLS_TXO_TSO) {
        return VKTLS_ST_OK;
    }
    if (!(off->flags & VKTLS_TXO_CSUM) || off->csum_start != w->l4 ||
        off->csum_offset != TCP_SUM) {
        return VKTLS_ST_TX_OFFLOAD;
    }
    return w->l3 + w->ip_len == pkt->len ? VKTLS_ST_OK : VKTLS_ST_TX_LENGTH;
}

static uint16_t tx_check(const VkdevState *s, VkdevTxPacket *pkt)
{
    const struct vktls_tx_offload *off = &pkt->off;
    uint16_t status = VKTLS_ST_OK;

    if (!(s->port.flags & VKTLS_PORT_UP)) {
        return VKTLS_ST_STATE;
    }
    if (!vkdev_port_link(s)) {
        return VKTLS_ST_TX_LINK;
    }
    if (off->flags & VKTLS_TXO_TLS) {
        status = tx_check_tls(pkt);
    }
    if (status == VKTLS_ST_OK && (off->flags & VKTLS_TXO_TSO)) {
        status = tx_check_tso(s, pkt);
    }
    if (status == VKTLS_ST_OK && (off->flags & VKTLS_TXO_CSUM) &&
        off->csum_start + off->csum_offset + 2 > pkt->len) {
        status = VKTLS_ST_TX_OFFLOAD;
    }
    if (status == VKTLS_ST_OK && !tx_fits(s, pkt)) {
        status = VKTLS_ST_TX_LENGTH;
    }
    return status;
}

static void tx_count_replay(VkdevState *s, uint32_t len)
{
    s->stats[VKTLS_STAT_TLS_TX_REPLAYS]++;
    s->stats[VKTLS_STAT_TLS_TX_REPLAY_BYTES] += len;
}

/*
 * Send a replay. Ciphertext is taken from the cache of replayed records if
 * that has all of it. Otherwise whole records are read and encrypted, and the
 * headers are moved to directly before the bytes to send, over pkt->before
 * bytes that are not sent.
 */
static uint16_t tx_replay(VkdevTxQueue *txq, const VkdevTxDescs *d)
{
    VkdevTxPacket *pkt = &txq->pkt;
    VkdevState *s = txq->q.dev;
    uint8_t *payload = pkt->frame + pkt->wire.payload;
    uint32_t around = pkt->before + pkt->after;
    uint32_t len = pkt->len - pkt->wire.payload;
    uint32_t first = vkdev_wire_tcp_seq(pkt->frame, &pkt->wire) - pkt->before;
    uint16_t status;

    if (vkdev_ctx_resend(s, pkt->off.tls_ctx, first, pkt->rec_no, pkt->before,
                         payload, len, pkt->after)) {
        s->stats[VKTLS_STAT_TLS_TX_REPLAY_KEPT]++;
        tx_count_replay(s, len);
        return VKTLS_ST_OK;
    }
    status = tx_gather(txq, d, tx_head_len(pkt), pkt->len + around);
    if (status == VKTLS_ST_OK) {
        status = vkdev_ctx_replay(s, pkt->off.tls_ctx, first, pkt->rec_no,
                                  payload, len + around, &pkt->tcp_seq);
    }
    if (status == VKTLS_ST_OK) {
        memmove(pkt->frame + pkt->before, pkt->frame, pkt->wire.payload);
        pkt->frame += pkt->before;
        s->stats[VKTLS_STAT_TLS_TX_REPLAY_READ] += around;
        tx_count_replay(s, len);
    }
    return status;
}

static uint16_t tx_encrypt(VkdevTxQueue *txq, const VkdevTxDescs *d,
                           VkdevMap *m)
{
    VkdevTxPacket *pkt = &txq->pkt;
    const VkdevWire *w = &pkt->wire;
    uint8_t *to = pkt->frame + w->payload;
    uint32_t len = pkt->len - w->payload;
    struct iovec gathered = { to, len };
    struct iovec *from = &gathered;
    unsigned count = m->count;

    if (pkt->off.flags & VKTLS_TXO_REPLAY) {
        return tx_replay(txq, d);
    }
    if (count) {
        from = m->iov;
        iov_discard_front(&from, &count, w->payload);
    }
    return vkdev_ctx_encrypt(txq->q.dev, pkt->off.tls_ctx,
                             vkdev_wire_tcp_seq(pkt->frame, w), from, to, len,
                             &pkt->tcp_seq);
}

static void tx_insert_vlan(VkdevTxPacket *pkt)
{
    VkdevWire *w = &pkt->wire;

    vkdev_wire_vlan_insert(pkt->frame, pkt->off.vlan_tci);
    pkt->frame -= VKDEV_VLAN_HDR;
    pkt->len += VKDEV_VLAN_HDR;
    w->l3 += VKDEV_VLAN_HDR;
    w->outer += w->outer ? VKDEV_VLAN_HDR : 0;
    w->outer_udp += w->outer_udp ? VKDEV_VLAN_HDR : 0;
    w->l4 += VKDEV_VLAN_HDR;
    w->payload += VKDEV_VLAN_HDR;
}

/*
 * Compute the checksum, insert the VLAN tag or begin TSO for a packet that is
 * checked and encrypted. This cannot fail.
 */
static void tx_apply_offloads(VkdevState *s, VkdevTxPacket *pkt)
{
    const struct vktls_tx_offload *off = &pkt->off;
    bool tso = off->flags & VKTLS_TXO_TSO;

    if (!tso && (off->flags & VKTLS_TXO_CSUM)) {
        vkdev_wire_sum_fill(pkt->frame, pkt->len, off->csum_start,
                            off->csum_offset);
    }
    if (off->flags & VKTLS_TXO_VLAN) {
        tx_insert_vlan(pkt);
    }
    if (tso) {
        s->stats[VKTLS_STAT_TX_TSO_PACKETS]++;
        vkdev_tso_init(&pkt->tso, pkt->frame, pkt->len, &pkt->wire, off->mss);
    }
}

static uint16_t tx_prepare(VkdevTxQueue *txq, const VkdevTxDescs *d)
{
    VkdevTxPacket *pkt = &txq->pkt;
    VkdevState *s = txq->q.dev;
    uint16_t status = vkdev_tx_take_descs(s, pkt, d);
    VkdevMap m;

    m.count = 0;
    if (status == VKTLS_ST_OK) {
        tx_map(s, pkt, d, &m);
        status = tx_gather_head(txq, d, &m);
    }
    if (status == VKTLS_ST_OK) {
        status = tx_check(s, pkt);
    }
    if (status == VKTLS_ST_OK && (pkt->off.flags & VKTLS_TXO_TLS)) {
        status = tx_encrypt(txq, d, &m);
    }
    vkdev_dma_unmap(s, &m, true);
    if (status == VKTLS_ST_OK) {
        tx_apply_offloads(s, pkt);
    }
    return status;
}

static bool tx_status_is_tls(uint16_t status)
{
    return status >= VKTLS_ST_TLS_NOT_TCP && status <= VKTLS_ST_TLS_CRYPTO;
}

static void tx_complete(VkdevTxQueue *txq, uint16_t status)
{
    VkdevTxPacket *pkt = &txq->pkt;
    VkdevQueue *q = &txq->q;
    struct vktls_tx_cpl cpl = { .status = cpu_to_le16(status) };

    pkt->busy = false;
    vkdev_ring_consume(&q->ring, pkt->descs);
    txq->fetched -= MIN(txq->fetched, pkt->descs);
    q->dev->stats[VKTLS_STAT_TX_DESCS] += pkt->descs;
    if (status == VKTLS_ST_OK && !pkt->report) {
        return;
    }
    cpl.head = cpu_to_le16(q->ring.head);
    if (tx_status_is_tls(status)) {
        cpl.tls_ctx = cpu_to_le32(pkt->off.tls_ctx);
        cpl.tcp_seq = cpu_to_le32(pkt->tcp_seq);
    }
    vkdev_fault_tx_cpl(q->dev, q->id, &cpl);
    if (!vkdev_cq_push(&q->cq, &cpl) ||
        (vkdev_fault_cpl_twice(q->dev, q->cq.vector) &&
         !vkdev_cq_push(&q->cq, &cpl))) {
        vkdev_queue_stop(q, VKTLS_ST_DMA);
        return;
    }
    vkdev_cq_signal(&q->cq);
}

/*
 * Count a refused replay, or a refused TLS packet that is not TCP.
 * vkdev_ctx_encrypt() counts refusals by a TLS context.
 */
static void tx_count_tls_drop(VkdevState *s, const VkdevTxPacket *pkt,
                              uint16_t status)
{
    if (pkt->off.flags & VKTLS_TXO_REPLAY) {
        s->stats[VKTLS_STAT_TLS_TX_DROP_REPLAY]++;
    } else if (status == VKTLS_ST_TLS_NOT_TCP) {
        s->stats[VKTLS_STAT_TLS_TX_DROP_OTHER]++;
    }
}

static void tx_refuse(VkdevTxQueue *txq, uint16_t status)
{
    VkdevState *s = txq->q.dev;

    s->stats[VKTLS_STAT_TX_ERRORS]++;
    tx_count_tls_drop(s, &txq->pkt, status);
    trace_vkdev_tx_refuse(txq->q.id, txq->pkt.len, status);
    vkdev_event(s, VKTLS_EVT_TX_ERROR, status, txq->q.id, 0);
    tx_complete(txq, status);
}

/*
 * Take the next packet off the ring and prepare it. False when the ring has no
 * whole packet, or the completion ring is full.
 */
static bool tx_next(VkdevTxQueue *txq, int *budget)
{
    VkdevTxPacket *pkt = &txq->pkt;
    VkdevTxDescs d = { .count = 0 };
    uint16_t status;

    if (!vkdev_cq_room(&txq->q.cq) || !vkdev_tx_scan(txq, &d, budget)) {
        return false;
    }
    memset(pkt, 0, offsetof(VkdevTxPacket, tso));
    pkt->frame = txq->buf + VKDEV_VLAN_HDR;
    pkt->descs = d.count;
    pkt->report = d.count <= VKTLS_TX_REPLAY_DESCS &&
        (le16_to_cpu(d.desc[d.count - 1].flags) & VKTLS_TXD_CPL);
    status = tx_prepare(txq, &d);
    *budget -= pkt->len + pkt->before + pkt->after;
    if (status != VKTLS_ST_OK) {
        tx_refuse(txq, status);
        return true;
    }
    trace_vkdev_tx_packet(txq->q.id, pkt->len, pkt->off.flags, pkt->off.mss);
    pkt->busy = true;
    return true;
}

static void tx_sent(NetClientState *nc, ssize_t ret)
{
    VkdevState *s = qemu_get_nic_opaque(nc);

    s->tx_blocked = false;
    for (unsigned i = 0; i < s->queues; i++) {
        vkdev_tx_kick(&s->tx[i]);
    }
}

/*
 * Send one frame to QEMU's network layer, which copies it if the peer cannot
 * take it at once. @iov must have one spare entry for padding. A NIC that
 * receives the frame may send an interrupt that resets or unplugs this device:
 * callers compare s->epoch before and after.
 */
void vkdev_tx_frame(VkdevState *s, struct iovec *iov, int iovcnt)
{
    static const uint8_t zeros[VKDEV_ETH_MIN];
    size_t len = iov_size(iov, iovcnt);

    s->stats[VKTLS_STAT_TX_FRAMES]++;
    s->stats[VKTLS_STAT_TX_BYTES] += len;
    vkdev_port_count_tx(s, iov, len);
    if (len < VKDEV_ETH_MIN) {
        iov[iovcnt].iov_base = (void *)zeros;
        iov[iovcnt].iov_len = VKDEV_ETH_MIN - len;
        iovcnt++;
    }
    if (!qemu_sendv_packet_async(qemu_get_queue(s->nic), iov, iovcnt,
                                 tx_sent) && s->nic) {
        trace_vkdev_tx_blocked();
        s->tx_blocked = true;
    }
}

/* Send one frame of the queue's current packet. */
static void tx_send(VkdevTxQueue *txq)
{
    VkdevTxPacket *pkt = &txq->pkt;
    struct iovec iov[3] = { { pkt->frame, pkt->len } };
    VkdevState *s = txq->q.dev;
    uint32_t epoch = s->epoch;
    const uint8_t *data;
    uint32_t chunk;
    int iovcnt = 1;

    if (pkt->off.flags & VKTLS_TXO_TSO) {
        vkdev_tso_next(&pkt->tso, &data, &chunk);
        iov[0] = (struct iovec) { pkt->tso.hdr, pkt->tso.hdr_len };
        iov[1] = (struct iovec) { (void *)data, chunk };
        iovcnt = 2;
    }
    if (!vkdev_fault_tx(s, iov, iovcnt)) {
        vkdev_tx_frame(s, iov, iovcnt);
    }
    if (s->epoch == epoch && (iovcnt == 1 || !pkt->tso.left)) {
        tx_complete(txq, VKTLS_ST_OK);
    }
}

static void tx_run(void *opaque)
{
    VkdevTxQueue *txq = opaque;
    VkdevState *s = txq->q.dev;
    int budget = TX_BUDGET;

    while (txq->q.live && !s->tx_blocked && !s->asleep) {
        if (budget <= 0) {
            vkdev_tx_kick(txq);
            return;
        }
        if (!txq->pkt.busy && !tx_next(txq, &budget)) {
            return;
        }
        if (txq->pkt.busy) {
            budget -= TX_FRAME_COST;
            tx_send(txq);
        }
    }
}

void vkdev_tx_init(VkdevTxQueue *txq)
{
    txq->bh = qemu_bh_new_guarded(tx_run, txq,
                                  &DEVICE(txq->q.dev)->mem_reentrancy_guard);
}

void vkdev_tx_fini(VkdevTxQueue *txq)
{
    vkdev_tx_stop(txq);
    qemu_bh_delete(txq->bh);
    txq->bh = NULL;
}

void vkdev_tx_free(VkdevTxQueue *txq)
{
    g_free(txq->buf);
    txq->buf = NULL;
}

void vkdev_tx_start(VkdevTxQueue *txq)
{
    txq->fetched = 0;
    if (!txq->buf) {
        txq->buf = g_malloc(VKDEV_VLAN_HDR + VKDEV_GATHER_MAX);
    }
}

void vkdev_tx_stop(VkdevTxQueue *txq)
{
    qemu_bh_cancel(txq->bh);
    txq->pkt.busy = false;
}

void vkdev_tx_abandon(VkdevTxQueue *txq)
{
    if (txq->pkt.busy) {
        tx_complete(txq, VKTLS_ST_OK);
    }
}

void vkdev_tx_kick(VkdevTxQueue *txq)
{
    if (txq->q.live) {
        qemu_bh_schedule(txq->bh);
    }
}
