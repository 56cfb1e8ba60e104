// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connects the embedded core (soc/) to the device: runs the core in slices
 * from a bottom half, and implements the core's operations. The data path
 * never waits for the core.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "trace.h"
#include "vkdev.h"

/* Instructions in one slice, which takes the host well under a millisecond. */
#define SLICE 20000

static bool op_dma_read(void *dev, uint64_t host, void *buf, uint32_t len)
{
    bool ok = vkdev_dma_read(dev, host, buf, len);

    if (ok) {
        vkdev_fault_fetched(dev, host, buf, len);
    }
    return ok;
}

static bool op_dma_write(void *dev, uint64_t host, const void *buf,
                         uint32_t len)
{
    bool ok;

    return vkdev_fault_answered(dev, host, buf, len, &ok) ? ok :
           vkdev_dma_write(dev, host, buf, len);
}

static uint64_t op_now_ns(void *dev)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static void op_kick(void *dev)
{
    VkdevState *s = dev;

    qemu_bh_schedule(s->core_bh);
}

static void op_status_changed(void *dev)
{
    VkdevState *s = dev;

    trace_vkdev_fw_state(vkdev_core_fw_state(s->core),
                         vkdev_core_fw_code(s->core));
}

static void op_irq_raise(void *dev, uint32_t vector)
{
    vkdev_irq_raise(dev, vector);
}

static void op_trace_char(void *dev, char c)
{
    trace_vkdev_fw_char(c);
}

static void op_port_set(void *dev, uint32_t flags)
{
    VkdevState *s = dev;

    trace_vkdev_port_set(flags);
    s->port.flags = flags;
    vkdev_rx_kick(s);
}

static void op_mtu_set(void *dev, uint32_t mtu)
{
    VkdevState *s = dev;

    s->port.mtu = MIN(mtu, VKTLS_MTU_MAX);
}

static void op_mac_set(void *dev, const uint8_t addr[6])
{
    VkdevState *s = dev;

    memcpy(s->port.mac, addr, 6);
    qemu_format_nic_info_str(qemu_get_queue(s->nic), s->port.mac);
}

static void op_filters_set(void *dev, const uint8_t (*addr)[6], uint32_t count)
{
    VkdevPort *port = &((VkdevState *)dev)->port;

    port->filter_count = MIN(count, VKTLS_MAC_FILTERS);
    memcpy(port->filters, addr, port->filter_count * sizeof(*addr));
    trace_vkdev_filters_set(port->filter_count);
}

static bool op_link_up(void *dev)
{
    return vkdev_port_link(dev);
}

static uint16_t op_rss_set(void *dev, uint32_t ctx,
                           const struct vktls_rss_ctx *rss)
{
    return vkdev_port_rss_set(dev, ctx, rss);
}

static uint16_t op_rss_del(void *dev, uint32_t ctx)
{
    return vkdev_port_rss_del(dev, ctx);
}

static uint16_t op_flow_set(void *dev, uint32_t place,
                            const struct vktls_flow_filter *flow)
{
    return vkdev_port_flow_set(dev, place, flow);
}

static uint16_t op_flow_del(void *dev, uint32_t place)
{
    return vkdev_port_flow_del(dev, place);
}

static uint16_t op_queue_create(void *dev, const VkdevCoreQueue *queue)
{
    return vkdev_queue_create(dev, queue);
}

static uint16_t op_queue_destroy(void *dev, uint32_t type, uint32_t id)
{
    return vkdev_queue_destroy(dev, type, id);
}

static uint32_t op_tls_place(void *dev)
{
    return vkdev_ctx_place(dev);
}

static uint16_t op_tls_add(void *dev, uint32_t ctx, const VkdevCoreTls *tls)
{
    return vkdev_ctx_add(dev, ctx, tls);
}

static uint16_t op_tls_del(void *dev, uint32_t ctx)
{
    return vkdev_ctx_del(dev, ctx);
}

static uint16_t op_tls_resync(void *dev, uint32_t ctx, const VkdevCoreTls *tls)
{
    return vkdev_ctx_resync(dev, ctx, tls);
}

static uint16_t op_tls_resync_key(void *dev, uint32_t ctx,
                                  const VkdevCoreTls *tls)
{
    return vkdev_ctx_resync_key(dev, ctx, tls);
}

static uint16_t op_tls_next(void *dev, uint32_t ctx, const VkdevCoreTls *tls)
{
    return vkdev_ctx_next(dev, ctx, tls);
}

static uint16_t op_tls_next_tx(void *dev, uint32_t ctx,
                               const VkdevCoreTls *tls)
{
    return vkdev_ctx_next_tx(dev, ctx, tls);
}

static uint16_t op_tls_key_done(void *dev, uint32_t ctx, uint32_t key_no)
{
    return vkdev_ctx_key_done(dev, ctx, key_no);
}

static uint16_t op_tls_query(void *dev, uint32_t ctx, VkdevCoreTlsState *state)
{
    return vkdev_ctx_query(dev, ctx, state);
}

static uint64_t op_stat_get(void *dev, uint32_t stat)
{
    VkdevState *s = dev;

    switch (stat) {
    case VKTLS_STAT_TLS_CTX_LIVE:
        return s->ctx_live;
    case VKTLS_STAT_EVENTS_LOST:
        return vkdev_core_events_lost(s->core);
    default:
        return stat < VKTLS_STAT_NUM ? s->stats[stat] : 0;
    }
}

static bool op_store_read(void *dev, uint32_t at, void *buf, uint32_t len)
{
    return vkdev_store_read(dev, at, buf, len);
}

static bool op_store_write(void *dev, uint32_t at, const void *buf,
                           uint32_t len)
{
    return vkdev_store_write(dev, at, buf, len);
}

static const VkdevCoreOps soc_ops = {
    .dma_read = op_dma_read,
    .dma_write = op_dma_write,
    .now_ns = op_now_ns,
    .kick = op_kick,
    .status_changed = op_status_changed,
    .irq_raise = op_irq_raise,
    .trace_char = op_trace_char,
    .port_set = op_port_set,
    .mtu_set = op_mtu_set,
    .mac_set = op_mac_set,
    .filters_set = op_filters_set,
    .link_up = op_link_up,
    .rss_set = op_rss_set,
    .rss_del = op_rss_del,
    .flow_set = op_flow_set,
    .flow_del = op_flow_del,
    .queue_create = op_queue_create,
    .queue_destroy = op_queue_destroy,
    .tls_place = op_tls_place,
    .tls_add = op_tls_add,
    .tls_del = op_tls_del,
    .tls_resync = op_tls_resync,
    .tls_resync_key = op_tls_resync_key,
    .tls_next = op_tls_next,
    .tls_next_tx = op_tls_next_tx,
    .tls_key_done = op_tls_key_done,
    .tls_query = op_tls_query,
    .stat_get = op_stat_get,
    .store_read = op_store_read,
    .store_write = op_store_write,
};

bool vkdev_soc_slice(VkdevState *s)
{
    /*
     * Firmware may change port settings, so open packets are completed first.
     */
    vkdev_rx_settle(s);
    return vkdev_core_run(s->core, SLICE);
}

static void soc_run(void *opaque)
{
    VkdevState *s = opaque;
    uint64_t deadline;

    if (s->asleep) {
        return;
    }
    if (vkdev_soc_slice(s)) {
        qemu_bh_schedule(s->core_bh);
        return;
    }
    deadline = vkdev_core_deadline(s->core);
    if (deadline > INT64_MAX) {
        timer_del(s->core_timer);
    } else {
        timer_mod(s->core_timer, deadline);
    }
}

static void soc_timer(void *opaque)
{
    VkdevState *s = opaque;

    qemu_bh_schedule(s->core_bh);
}

static void soc_config(VkdevState *s, VkdevCoreConfig *config)
{
    *config = (VkdevCoreConfig) {
        .abi_minor = s->abi_minor,
        .queues = s->queues,
        .features = VKTLS_CAP_TX_CSUM | VKTLS_CAP_TSO | VKTLS_CAP_VLAN |
                    VKTLS_CAP_RX_CSUM | VKTLS_CAP_RSS |
                    VKTLS_CAP_RSS_CTX | VKTLS_CAP_FLOW_FILTER |
                    VKTLS_CAP_USO | VKTLS_CAP_TSO_TUNNEL |
                    (s->rx_gro ? VKTLS_CAP_RX_GRO | VKTLS_CAP_RX_GRO_MORE : 0),
        .mbps = VKDEV_MBPS,
        .tls_contexts = s->contexts,
        .fw_signed = s->fw_key,
    };
    memcpy(config->fw_key, s->fw_key_bytes, sizeof(config->fw_key));
    memcpy(config->mac, s->conf.macaddr.a, sizeof(config->mac));
    if (s->contexts) {
        config->features |= VKTLS_CAP_TLS_TX | VKTLS_CAP_TLS_TX_NEXT |
                            (s->tls_rx ? VKTLS_CAP_TLS_RX |
                                         VKTLS_CAP_TLS_RX_NEXT : 0) |
                            (s->tls_replay ? VKTLS_CAP_TLS_REPLAY : 0);
        config->tls_ciphers = vkdev_tls_ciphers();
        config->tls_versions = vkdev_tls_versions();
    }
}

bool vkdev_soc_init(VkdevState *s)
{
    VkdevCoreConfig config;

    soc_config(s, &config);
    s->core = vkdev_core_alloc(&soc_ops, s, &config);
    if (!s->core) {
        return false;
    }
    s->core_bh = qemu_bh_new_guarded(soc_run, s,
                                     &DEVICE(s)->mem_reentrancy_guard);
    s->core_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, soc_timer, s);
    return true;
}

void vkdev_soc_fini(VkdevState *s)
{
    timer_free(s->core_timer);
    s->core_timer = NULL;
    qemu_bh_delete(s->core_bh);
    s->core_bh = NULL;
}

void vkdev_soc_free(VkdevState *s)
{
    vkdev_core_free(s->core);
    s->core = NULL;
}

void vkdev_soc_wake(VkdevState *s)
{
    qemu_bh_schedule(s->core_bh);
}

void vkdev_soc_reset(VkdevState *s)
{
    timer_del(s->core_timer);
    qemu_bh_cancel(s->core_bh);
    vkdev_core_reset(s->core);
}
