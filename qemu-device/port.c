// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The port: link, addresses, RSS contexts, flow filters, and the connection to
 * QEMU's network layer. Firmware writes the port's settings; the data path
 * reads them.
 */
#include "qemu/osdep.h"
#include "net/eth.h"
#include "trace.h"
#include "vkdev.h"

bool vkdev_port_link(const VkdevState *s)
{
    return !qemu_get_queue(s->nic)->link_down;
}

static bool port_filter_has(const VkdevPort *port, const uint8_t *addr)
{
    for (uint32_t i = 0; i < port->filter_count; i++) {
        if (!memcmp(port->filters[i], addr, 6)) {
            return true;
        }
    }
    return false;
}

bool vkdev_port_accepts(const VkdevState *s, const uint8_t *frame)
{
    const VkdevPort *port = &s->port;

    if (port->flags & VKTLS_PORT_PROMISC) {
        return true;
    }
    if (is_broadcast_ether_addr(frame)) {
        return port->flags & VKTLS_PORT_BROADCAST;
    }
    if (is_multicast_ether_addr(frame)) {
        return (port->flags & VKTLS_PORT_ALLMULTI) ||
               port_filter_has(port, frame);
    }
    return !memcmp(port->mac, frame, 6) || port_filter_has(port, frame);
}

/*
 * Count a frame of @len bytes in one of the counters by frame size; @sizes is
 * the counter of the smallest size.
 */
static void port_count_size(VkdevState *s, unsigned sizes, size_t len)
{
    uint32_t wire = MAX(len, VKDEV_ETH_MIN) + 4;    /* incl. FCS */
    unsigned range;

    if (wire > 1023) {
        range = wire > 1518 ? 6 : 5;
    } else {
        range = wire > 64 ? 26 - clz32(wire) : 0; /* range 1: 65 to 127 bytes */
    }
    s->stats[sizes + range]++;
}

/*
 * If the frame is a MAC control frame, add one to the counter @control, and if
 * it is a pause frame, to the counter @pause as well.
 */
static void port_count_control(VkdevState *s, unsigned control, unsigned pause,
                               const uint8_t *frame, size_t len)
{
    if (vkdev_get_be16(frame + 12) != 0x8808) {
        return;
    }
    s->stats[control]++;
    s->stats[pause] += len >= 16 && vkdev_get_be16(frame + 14) == 1;
}

void vkdev_port_count_tx(VkdevState *s, const struct iovec *iov, size_t len)
{
    const uint8_t *frame = iov->iov_base;

    port_count_size(s, VKTLS_STAT_TX_SIZE_64, len);
    port_count_control(s, VKTLS_STAT_TX_CONTROL, VKTLS_STAT_TX_PAUSE, frame,
                       iov->iov_len);
    if (is_multicast_ether_addr(frame)) {
        s->stats[is_broadcast_ether_addr(frame) ? VKTLS_STAT_TX_BROADCAST :
                                                  VKTLS_STAT_TX_MULTICAST]++;
    }
}

void vkdev_port_count_rx(VkdevState *s, const uint8_t *frame, size_t len)
{
    port_count_size(s, VKTLS_STAT_RX_SIZE_64, len);
    port_count_control(s, VKTLS_STAT_RX_CONTROL, VKTLS_STAT_RX_PAUSE, frame,
                       len);
}

uint16_t vkdev_port_rss_set(VkdevState *s, uint32_t ctx,
                            const struct vktls_rss_ctx *cfg)
{
    VkdevRss *rss;

    if (ctx >= VKTLS_RSS_CONTEXTS) {
        return VKTLS_ST_PARAM;
    }
    rss = s->rss[ctx] ? s->rss[ctx] : g_new0(VkdevRss, 1);
    if (!vkdev_rss_set(rss, cfg)) {
        if (!s->rss[ctx]) {
            g_free(rss);
        }
        return VKTLS_ST_PARAM;
    }
    s->rss[ctx] = rss;
    trace_vkdev_rss_set(ctx);
    return VKTLS_ST_OK;
}

uint16_t vkdev_port_rss_del(VkdevState *s, uint32_t ctx)
{
    if (!ctx || ctx >= VKTLS_RSS_CONTEXTS || !s->rss[ctx]) {
        return VKTLS_ST_NOENT;
    }
    if (vkdev_filter_uses(&s->port.flows, ctx)) {
        return VKTLS_ST_STATE;
    }
    g_free(s->rss[ctx]);
    s->rss[ctx] = NULL;
    trace_vkdev_rss_del(ctx);
    return VKTLS_ST_OK;
}

uint16_t vkdev_port_flow_set(VkdevState *s, uint32_t place,
                             const struct vktls_flow_filter *flow)
{
    if (flow->action == VKTLS_FLOW_RSS &&
        (flow->rss_ctx >= VKTLS_RSS_CONTEXTS || !s->rss[flow->rss_ctx])) {
        return VKTLS_ST_NOENT;
    }
    trace_vkdev_flow_set(place, flow->action, flow->rss_ctx, flow->queue);
    return vkdev_filter_set(&s->port.flows, place, flow) ? VKTLS_ST_OK :
                                                           VKTLS_ST_PARAM;
}

uint16_t vkdev_port_flow_del(VkdevState *s, uint32_t place)
{
    trace_vkdev_flow_del(place);
    return vkdev_filter_del(&s->port.flows, place) ? VKTLS_ST_OK :
                                                     VKTLS_ST_NOENT;
}

static void port_link_changed(NetClientState *nc)
{
    VkdevState *s = qemu_get_nic_opaque(nc);

    trace_vkdev_link(!nc->link_down);
    vkdev_event(s, VKTLS_EVT_LINK, VKTLS_ST_OK, 0, !nc->link_down);
}

static NetClientInfo port_net_info = {
    .type = NET_CLIENT_DRIVER_NIC,
    .size = sizeof(NICState),
    .can_receive = vkdev_rx_can_receive,
    .receive_iov = vkdev_rx_receive,
    .link_status_changed = port_link_changed,
};

void vkdev_port_init(VkdevState *s)
{
    s->nic = qemu_new_nic(&port_net_info, &s->conf,
                          object_get_typename(OBJECT(s)), DEVICE(s)->id,
                          &DEVICE(s)->mem_reentrancy_guard, s);
    qemu_format_nic_info_str(qemu_get_queue(s->nic), s->conf.macaddr.a);
    s->rss[0] = g_new0(VkdevRss, 1);
    vkdev_port_reset(s);
}

void vkdev_port_fini(VkdevState *s)
{
    qemu_del_nic(s->nic);
    s->nic = NULL;
}

/*
 * Reset the port. Frames that wait in the peer's queue are dropped: their
 * completion callback must not run after the device is gone.
 */
void vkdev_port_reset(VkdevState *s)
{
    qemu_purge_queued_packets(qemu_get_queue(s->nic));
    memset(&s->port, 0, sizeof(s->port));
    s->port.mtu = 1500;
    memcpy(s->port.mac, s->conf.macaddr.a, 6);
    memset(s->rss[0], 0, sizeof(*s->rss[0]));
    for (unsigned i = 1; i < VKTLS_RSS_CONTEXTS; i++) {
        g_free(s->rss[i]);
        s->rss[i] = NULL;
    }
}

void vkdev_port_free(VkdevState *s)
{
    for (unsigned i = 0; i < VKTLS_RSS_CONTEXTS; i++) {
        g_free(s->rss[i]);
    }
}
