// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The port: link, addresses and filters, and the tie to QEMU's network layer.
 * Firmware sets it; the data path asks it.
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
    vkdev_port_reset(s);
}

void vkdev_port_fini(VkdevState *s)
{
    qemu_del_nic(s->nic);
    s->nic = NULL;
}

/*
 * A frame that the peer has not taken yet is lost with everything else: it
 * would call back into a device that may be gone by then.
 */
void vkdev_port_reset(VkdevState *s)
{
    qemu_purge_queued_packets(qemu_get_queue(s->nic));
    memset(&s->port, 0, sizeof(s->port));
    s->port.mtu = 1500;
    memcpy(s->port.mac, s->conf.macaddr.a, 6);
}
