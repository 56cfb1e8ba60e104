// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Receive path: frames from the wire become packets in the host's buffers. A
 * frame is delivered whole, or dropped and counted. Frames of a connection that
 * may be joined (GRO) wait in hold.c for the next ones.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "qemu/main-loop.h"
#include "net/eth.h"
#include "frame/sum.h"
#include "trace.h"
#include "vkdev.h"

#define RX_DROPPED UINT_MAX     /* result of rx_steer(): no queue */

/* A received frame, with the values for its completions. */
typedef struct RxFrame {
    uint8_t *data;
    uint32_t len;
    uint64_t sum;       /* of the bytes after the Ethernet header */
    uint16_t flags;     /* VKTLS_RXC_* */
    uint16_t vlan_tci;
    uint32_t hash;
    uint32_t ctx;       /* context for decryption, or VKDEV_FLOW_NONE */
    VkdevWire wire;
} RxFrame;

/*
 * Tell QEMU whether the device takes a frame now. False while receive queues
 * exist but none has a free buffer: frames then wait at the sender, like pause
 * frames on a wire. Without any queue, frames are accepted and lost.
 */
bool vkdev_rx_can_receive(NetClientState *nc)
{
    VkdevState *s = qemu_get_nic_opaque(nc);
    bool any = false;

    if (s->asleep || !(s->port.flags & VKTLS_PORT_UP)) {
        return true;
    }
    for (unsigned i = 0; i < s->queues; i++) {
        if (vkdev_rxq_ready(&s->rx[i])) {
            return true;
        }
        any |= s->rx[i].q.live;
    }
    return !any;
}

static void rx_strip_vlan(RxFrame *f)
{
    if (f->len < VKDEV_ETH_HDR + VKDEV_VLAN_HDR ||
        vkdev_get_be16(f->data + 12) != 0x8100) {
        return;
    }
    f->vlan_tci = vkdev_get_be16(f->data + 14);
    f->flags |= VKTLS_RXC_VLAN;
    f->sum += vkdev_sum_minus(vkdev_sum_add(0, f->data + VKDEV_ETH_HDR,
                                            VKDEV_VLAN_HDR));
    memmove(f->data + VKDEV_VLAN_HDR, f->data, 12);
    f->data += VKDEV_VLAN_HDR;
    f->len -= VKDEV_VLAN_HDR;
}

static void rx_check_sum(VkdevState *s, RxFrame *f)
{
    switch (vkdev_wire_sum_check(f->data, &f->wire, f->len, f->sum)) {
    case VKDEV_WIRE_SUM_OK:
        f->flags |= VKTLS_RXC_L4_OK;
        break;
    case VKDEV_WIRE_SUM_BAD:
        f->flags |= VKTLS_RXC_CSUM_BAD;
        s->stats[VKTLS_STAT_RX_CSUM_ERRORS]++;
        break;
    case VKDEV_WIRE_SUM_NONE:
        break;
    }
}

/*
 * Choose a queue by the RSS context @ctx. A frame that has no hash goes to
 * queue 0.
 */
static unsigned rx_spread(const VkdevState *s, RxFrame *f, unsigned ctx)
{
    const VkdevRss *rss = s->rss[ctx];
    unsigned kind;

    if (!(s->port.flags & VKTLS_PORT_RSS)) {
        return 0;
    }
    kind = vkdev_wire_hash(f->data, &f->wire, rss, &f->hash);
    f->flags |= kind;
    return kind ? rss->table[f->hash % VKTLS_RSS_ENTRIES] : 0;
}

/*
 * Choose a queue by the flow filters; without a matching filter, by RSS.
 * RX_DROPPED if the filter drops the frame.
 */
static unsigned rx_steer(VkdevState *s, RxFrame *f)
{
    const VkdevFilter *hit = vkdev_filter_find(&s->port.flows, f->data,
                                               &f->wire);
    unsigned queue;

    if (!hit) {
        return rx_spread(s, f, 0);
    }
    s->stats[VKTLS_STAT_RX_FLOW_HITS]++;
    if (hit->action == VKTLS_FLOW_DROP) {
        s->stats[VKTLS_STAT_RX_FLOW_DROPS]++;
        trace_vkdev_rx_flow_drop(f->len);
        return RX_DROPPED;
    }
    queue = rx_spread(s, f, hit->rss_ctx);
    return hit->action == VKTLS_FLOW_RSS ? queue + hit->queue : hit->queue;
}

/*
 * Find the receive context of the frame's TCP connection, or VKDEV_FLOW_NONE.
 * The caller checks the checksums.
 */
static uint32_t rx_find_ctx(const VkdevState *s, const RxFrame *f)
{
    const VkdevWire *w = &f->wire;
    struct vktls_tls_flow flow;

    if (!vkdev_wire_is_tcp(w) || w->l3 + w->ip_len > f->len ||
        w->l3 + w->ip_len <= w->payload) {
        return VKDEV_FLOW_NONE;
    }
    vkdev_flow_of(f->data, w, &flow);
    return vkdev_flow_find(s->flows, &flow);
}

/*
 * Parse the frame, strip the VLAN tag and check checksums as far as the port
 * is set to do so. Return: the number of its queue, which need not exist, or
 * RX_DROPPED.
 */
static unsigned rx_classify(VkdevState *s, RxFrame *f)
{
    if (s->port.flags & VKTLS_PORT_VLAN_STRIP) {
        rx_strip_vlan(f);
    }
    vkdev_wire_parse(f->data, f->len, &f->wire);
    f->ctx = rx_find_ctx(s, f);
    if ((s->port.flags & VKTLS_PORT_RX_CSUM) || f->ctx != VKDEV_FLOW_NONE) {
        rx_check_sum(s, f);
    }
    return s->port.flows.end ? rx_steer(s, f) : rx_spread(s, f, 0);
}

/*
 * Decrypt the frame to @to. False when the frame was not decrypted; the
 * content of @to is then undefined.
 */
static bool rx_decrypt_to(VkdevState *s, RxFrame *f, uint8_t *to)
{
    const VkdevWire *w = &f->wire;
    uint32_t end = w->l3 + w->ip_len;

    f->flags |= vkdev_ctx_decrypt(s, f->ctx, vkdev_wire_tcp_seq(f->data, w),
                                  f->data + w->payload, to + w->payload,
                                  end - w->payload);
    if (!(f->flags & VKTLS_RXC_TLS_DECRYPTED)) {
        return false;
    }
    memcpy(to, f->data, w->payload);
    memcpy(to + end, f->data + end, f->len - end);
    return true;
}

/*
 * Decrypt the frame straight into the host's buffer. If the context does not
 * decrypt it (a wrong tag is found only at the end), the frame is written to
 * the buffer as received. False, with nothing done, when the buffer cannot be
 * mapped in one piece.
 */
static bool rx_decrypt_into(VkdevRxQueue *rxq, RxFrame *f)
{
    VkdevRxPacket *pkt = &rxq->pkt;
    VkdevMap map;

    map.count = 0;
    if (pkt->count > 1 || !vkdev_dma_map(rxq->q.dev, &map, pkt->addr[0],
                                         f->len, DMA_DIRECTION_FROM_DEVICE)) {
        return false;
    }
    if (!rx_decrypt_to(rxq->q.dev, f, map.iov[0].iov_base)) {
        memcpy(map.iov[0].iov_base, f->data, f->len);
    }
    vkdev_dma_unmap(rxq->q.dev, &map, true);
    pkt->used = f->len;
    return true;
}

static void rx_decrypt_aside(VkdevState *s, RxFrame *f)
{
    if (rx_decrypt_to(s, f, s->rx_plain)) {
        f->data = s->rx_plain;
    }
}

/*
 * Write the frame to buffers, decrypted if it has a receive context and good
 * checksums.
 */
static bool rx_write(VkdevRxQueue *rxq, RxFrame *f)
{
    if (f->ctx != VKDEV_FLOW_NONE && (f->flags & VKTLS_RXC_L4_OK)) {
        if (rx_decrypt_into(rxq, f)) {
            return true;
        }
        rx_decrypt_aside(rxq->q.dev, f);
    }
    return vkdev_rxq_put(rxq, f->data, f->len);
}

/*
 * Look for a TCP header inside IP in IP, after steering, which goes by the outer
 * header. From here on the frame is treated as one of the inner connection.
 */
static void rx_look_inside(VkdevState *s, RxFrame *f)
{
    const uint32_t modes = VKTLS_PORT_RX_GRO | VKTLS_PORT_RX_GRO_IP |
                           VKTLS_PORT_RX_CSUM;

    if ((s->port.flags & modes) == modes &&
        !(f->flags & VKTLS_RXC_CSUM_BAD) &&
        vkdev_wire_look_inside(f->data, f->len, &f->wire)) {
        rx_check_sum(s, f);
    }
}

static bool rx_may_join(const VkdevState *s, const RxFrame *f)
{
    return (s->port.flags & VKTLS_PORT_RX_GRO) &&
           (f->flags & VKTLS_RXC_L4_OK) &&
           vkdev_gro_able(f->data, &f->wire, f->len, s->port.flags);
}

/* Bytes of a frame that may be joined, without padding behind its IP packet. */
static uint32_t rx_joined_len(const RxFrame *f)
{
    return f->wire.l3 + f->wire.ip_len;
}

/*
 * Deliver the frame as a packet of its own. vkdev_rxq_find() comes before
 * decryption: if the frame is dropped for lack of buffers, TCP sends it again, and
 * the TLS context must not have seen it before.
 */
static void rx_alone(VkdevRxQueue *rxq, RxFrame *f)
{
    VkdevState *s = rxq->q.dev;
    VkdevRxPacket *pkt = &rxq->pkt;

    vkdev_hold_make_room(rxq, f->len);
    if (!rxq->q.live || !vkdev_rxq_find(rxq, f->len)) {
        s->stats[VKTLS_STAT_RX_NO_BUFFER]++;
        trace_vkdev_rx_no_buffer(rxq->q.id, f->len);
        return;
    }
    if (!rx_write(rxq, f)) {
        return;
    }
    pkt->flags = f->flags;
    pkt->vlan_tci = f->vlan_tci;
    pkt->hash = f->hash;
    pkt->broadcast = is_broadcast_ether_addr(f->data);
    pkt->multicast = is_multicast_ether_addr(f->data) && !pkt->broadcast;
    pkt->frames = 1;
    pkt->bytes = f->len;
    vkdev_rxq_end(rxq);
}

/* Decrypt a frame of a TLS context, as only its flags tell whether it is joined. */
static void rx_decrypt_first(VkdevRxQueue *rxq, RxFrame *f)
{
    if (f->ctx != VKDEV_FLOW_NONE) {
        rx_decrypt_aside(rxq->q.dev, f);
        f->ctx = VKDEV_FLOW_NONE;
    }
}

/*
 * Join the frame to the packet of its connection. False: the packet must go, and
 * there is room for the frame as a packet of its own if it was decrypted.
 */
static bool rx_join(VkdevRxQueue *rxq, VkdevRxHeld *held, RxFrame *f)
{
    if (!rx_may_join(rxq->q.dev, f) ||
        !vkdev_gro_fits(&held->gro, f->data, &f->wire) ||
        !vkdev_hold_room(rxq, held, f->len,
                         rx_joined_len(f) - f->wire.payload)) {
        return false;
    }
    rx_decrypt_first(rxq, f);
    if (f->flags != held->flags || f->vlan_tci != held->vlan_tci) {
        return false;
    }
    vkdev_hold_add(rxq, held, f->data, &f->wire, rx_joined_len(f));
    if (held->gro.last) {
        vkdev_hold_end(rxq, held);
    }
    return true;
}

/* Have the frame wait for the next ones of its connection, if that is of use. */
static bool rx_hold(VkdevRxQueue *rxq, RxFrame *f)
{
    const uint16_t alone = VKTLS_RXC_TLS_AUTH | VKTLS_RXC_TLS_ASK;
    VkdevRxHeld *held;

    if (!rx_may_join(rxq->q.dev, f) || vkdev_gro_is_last(f->data, &f->wire) ||
        !vkdev_hold_room(rxq, NULL, f->len, 0)) {
        return false;
    }
    rx_decrypt_first(rxq, f);
    if (f->flags & alone) {
        return false;
    }
    held = vkdev_hold_begin(rxq, f->data, &f->wire, rx_joined_len(f));
    if (!held) {
        return false;
    }
    held->flags = f->flags;
    held->vlan_tci = f->vlan_tci;
    held->hash = f->hash;
    return true;
}

static void rx_deliver(VkdevRxQueue *rxq, RxFrame *f)
{
    VkdevRxHeld *held;

    if (!f->wire.l4) {
        rx_look_inside(rxq->q.dev, f);
    }
    held = vkdev_hold_find(rxq, f->data, &f->wire);
    if (held) {
        if (rx_join(rxq, held, f)) {
            return;
        }
        vkdev_hold_end(rxq, held);
    }
    if (!rx_hold(rxq, f)) {
        rx_alone(rxq, f);
    }
}

/*
 * True if the port accepts the frame's length and destination address;
 * otherwise the frame is counted.
 */
static bool rx_accept(VkdevState *s, const uint8_t *frame, size_t len)
{
    size_t max = s->port.mtu + VKDEV_ETH_HDR + 2 * VKDEV_VLAN_HDR;

    if (len < VKDEV_ETH_HDR || len > MIN(max, VKDEV_FRAME_MAX)) {
        s->stats[VKTLS_STAT_RX_LENGTH_ERRORS]++;
        trace_vkdev_rx_length(len);
        return false;
    }
    vkdev_port_count_rx(s, frame, len);
    if (!vkdev_port_accepts(s, frame)) {
        s->stats[VKTLS_STAT_RX_FILTERED]++;
        trace_vkdev_rx_filtered(len);
        return false;
    }
    return true;
}

static void rx_frame(VkdevState *s, size_t len, uint64_t sum)
{
    RxFrame f = { .data = s->rx_buf, .len = len, .sum = sum };
    unsigned queue = rx_classify(s, &f);

    if (queue == RX_DROPPED) {
        return;
    }
    if (queue >= s->queues) {
        s->stats[VKTLS_STAT_RX_NO_BUFFER]++;
        trace_vkdev_rx_no_buffer(queue, f.len);
        return;
    }
    rx_deliver(&s->rx[queue], &f);
}

/*
 * Copy a frame to s->rx_buf; only the copy is examined, as the sender may
 * still change the original. The Ethernet header is copied by a separate call:
 * later code reads headers in words, and a load that spans two earlier stores
 * stalls the processor. Return: the checksum of the bytes after the Ethernet
 * header.
 */
static uint64_t rx_copy(VkdevState *s, const struct iovec *iov, int iovcnt)
{
    size_t at = iov_to_buf(iov, iovcnt, 0, s->rx_buf, VKDEV_ETH_HDR);
    size_t skip = at, n;
    uint64_t sum = 0, part;

    for (int i = 0; i < iovcnt; i++) {
        if (iov[i].iov_len <= skip) {
            skip -= iov[i].iov_len;
            continue;
        }
        n = MIN(iov[i].iov_len - skip, sizeof(s->rx_buf) - at);
        part = vkdev_sum_copy(0, s->rx_buf + at,
                              (uint8_t *)iov[i].iov_base + skip, n);
        sum += at % 2 ? vkdev_sum_odd(part) : part;
        at += n;
        skip = 0;
    }
    return sum;
}

ssize_t vkdev_rx_receive(NetClientState *nc, const struct iovec *iov,
                         int iovcnt)
{
    VkdevState *s = qemu_get_nic_opaque(nc);
    size_t len = iov_size(iov, iovcnt);
    uint64_t sum;

    if (s->asleep || !(s->port.flags & VKTLS_PORT_UP)) {
        trace_vkdev_rx_port_down(len);
        return len;
    }
    if (!vkdev_rx_can_receive(nc)) {
        return 0;
    }
    sum = rx_copy(s, iov, iovcnt);
    if (!vkdev_fault_rx(s, s->rx_buf, len) && rx_accept(s, s->rx_buf, len)) {
        rx_frame(s, len, sum);
    }
    return len;
}

/* Receive a frame that fault injection has delayed, changed or duplicated. */
void vkdev_rx_frame(VkdevState *s, const uint8_t *frame, size_t len)
{
    const struct iovec iov = { (void *)frame, len };
    uint64_t sum = rx_copy(s, &iov, 1);

    if ((s->port.flags & VKTLS_PORT_UP) && rx_accept(s, s->rx_buf, len)) {
        rx_frame(s, len, sum);
    }
}

static void rx_flush(void *opaque)
{
    VkdevState *s = opaque;

    if (!s->asleep) {
        qemu_flush_queued_packets(qemu_get_queue(s->nic));
    }
}

/* Complete the packets that wait, in all queues. */
void vkdev_rx_settle(VkdevState *s)
{
    for (unsigned i = 0; i < s->queues; i++) {
        vkdev_hold_end_all(&s->rx[i]);
    }
}

static void rx_end(void *opaque)
{
    VkdevState *s = opaque;

    if (!s->asleep) {
        vkdev_rx_settle(s);
        vkdev_rx_kick(s);
    }
}

void vkdev_rx_init(VkdevState *s)
{
    s->rx_end_bh = qemu_bh_new_guarded(rx_end, s,
                                       &DEVICE(s)->mem_reentrancy_guard);
    s->rx_bh = qemu_bh_new_guarded(rx_flush, s,
                                   &DEVICE(s)->mem_reentrancy_guard);
    vkdev_hold_init(s);
}

void vkdev_rx_fini(VkdevState *s)
{
    vkdev_hold_fini(s);
    qemu_bh_delete(s->rx_bh);
    qemu_bh_delete(s->rx_end_bh);
    s->rx_bh = NULL;
    s->rx_end_bh = NULL;
}

void vkdev_rx_kick(VkdevState *s)
{
    qemu_bh_schedule(s->rx_bh);
}

void vkdev_rx_wake(VkdevState *s)
{
    qemu_bh_schedule(s->rx_end_bh);
    qemu_bh_schedule(s->rx_bh);
}
