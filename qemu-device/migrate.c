// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Migration and snapshots. When the virtual machine stops, the device comes to
 * rest: open packets are completed, firmware ends its command, and nothing
 * moves until the machine runs again. Then queues, rings, filters, RSS
 * contexts, settings, counters and firmware are saved, and no keys. The device
 * at the target has no TLS context; for the host it is a device that has
 * forgotten all contexts. The host finds that out as it does for a single lost
 * context, and adds new contexts. A firmware store in memory is saved; a store
 * on a drive (property flash) is QEMU's to migrate, like any drive.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "migration/blocker.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "system/runstate.h"
#include "compat.h"
#include "migrate.h"
#include "trace.h"
#include "vkdev.h"

/* Number of slices within which firmware ends its command. */
#define REST_SLICES 256

typedef struct SavedQueue {
    bool created;
    bool live;
    uint64_t ring, cq;  /* guest addresses */
    uint32_t log2;
    uint32_t head, tail, cq_head, cq_tail;
    uint32_t mod, frames;
    uint16_t vector;
    uint8_t gen;
    bool armed;
} SavedQueue;

/* Everything that is saved beside the state of the PCI function. */
typedef struct Saved {
    VkdevState *parent;     /* required by VMSTATE_WITH_TMP() */

    /*
     * Properties of the source's device, compared with those of the target's.
     */
    uint32_t abi_minor;
    bool tls_rx;
    bool tls_replay;
    bool rx_gro;

    uint32_t regs[sizeof(VkdevRegs) / sizeof(uint32_t)];
    uint64_t irq_pending;
    uint64_t stats[VKTLS_STAT_NUM];
    uint32_t port_flags;
    uint32_t mtu;
    uint8_t mac[6];
    uint32_t mac_filters;
    uint8_t mac_filter[VKTLS_MAC_FILTERS * 6];
    uint32_t ctx_next;      /* place for the next TLS context */
    uint64_t rss_exists;    /* bit n: RSS context n exists */
    uint8_t rss[VKTLS_RSS_CONTEXTS * sizeof(struct vktls_rss_ctx)];
    uint8_t flow_exists[VKTLS_FLOW_FILTERS];
    uint8_t flow[VKTLS_FLOW_FILTERS * sizeof(struct vktls_flow_filter)];
    SavedQueue tx[VKTLS_MAX_QUEUES];
    SavedQueue rx[VKTLS_MAX_QUEUES];
    uint8_t core[VKDEV_CORE_SAVED];
} Saved;

QEMU_BUILD_BUG_ON(VKTLS_RSS_CONTEXTS > 64);

/* Saving */

static void save_queue(SavedQueue *to, const VkdevQueue *q)
{
    *to = (SavedQueue) {
        .created = q->created,
        .live = q->live,
        .ring = q->ring.addr,
        .cq = q->cq.ring.addr,
        .log2 = q->ring.size ? ctz32(q->ring.size) : 0,
        .head = q->ring.head,
        .tail = q->ring.tail,
        .cq_head = q->cq.ring.head,
        .cq_tail = q->cq.ring.tail,
        .mod = q->cq.mod,
        .frames = q->cq.frames,
        .vector = q->cq.vector,
        .gen = q->cq.gen,
        .armed = q->cq.armed,
    };
}

static void save_steering(Saved *saved, const VkdevState *s)
{
    struct vktls_flow_filter flow;
    struct vktls_rss_ctx rss;

    saved->rss_exists = 0;
    memset(saved->rss, 0, sizeof(saved->rss));
    for (unsigned i = 0; i < VKTLS_RSS_CONTEXTS; i++) {
        if (s->rss[i]) {
            saved->rss_exists |= BIT_ULL(i);
            vkdev_rss_get(s->rss[i], &rss);
            memcpy(saved->rss + i * sizeof(rss), &rss, sizeof(rss));
        }
    }
    memset(saved->flow, 0, sizeof(saved->flow));
    for (unsigned i = 0; i < VKTLS_FLOW_FILTERS; i++) {
        saved->flow_exists[i] = vkdev_filter_get(&s->port.flows, i, &flow);
        if (saved->flow_exists[i]) {
            memcpy(saved->flow + i * sizeof(flow), &flow, sizeof(flow));
        }
    }
}

static int saved_pre_save(void *opaque)
{
    Saved *saved = opaque;
    const VkdevState *s = saved->parent;

    saved->abi_minor = s->abi_minor;
    saved->tls_rx = s->tls_rx;
    saved->tls_replay = s->tls_replay;
    saved->rx_gro = s->rx_gro;
    memcpy(saved->regs, &s->regs, sizeof(saved->regs));
    saved->irq_pending = s->irq_pending;
    memcpy(saved->stats, s->stats, sizeof(saved->stats));
    saved->port_flags = s->port.flags;
    saved->mtu = s->port.mtu;
    memcpy(saved->mac, s->port.mac, sizeof(saved->mac));
    saved->mac_filters = s->port.filter_count;
    memcpy(saved->mac_filter, s->port.filters, sizeof(saved->mac_filter));
    saved->ctx_next = s->ctx_next;
    save_steering(saved, s);
    for (unsigned i = 0; i < VKTLS_MAX_QUEUES; i++) {
        save_queue(&saved->tx[i], &s->tx[i].q);
        save_queue(&saved->rx[i], &s->rx[i].q);
    }
    vkdev_core_save(s->core, saved->core);
    trace_vkdev_saved(s->ctx_live);
    return 0;
}

/* Restoring. The source may be wrong or hostile: each value is checked. */

static bool differs(const char *property, uint32_t source, uint32_t here)
{
    error_report("vktls: the source has %s=%" PRIu32 ", this device has %"
                 PRIu32, property, source, here);
    return true;
}

/* True if this device lacks something that the driver at the source may use. */
static bool lacks(const VkdevState *s, const Saved *saved)
{
    return (saved->abi_minor > s->abi_minor &&
            differs("abi-minor", saved->abi_minor, s->abi_minor)) ||
           (saved->tls_rx && !s->tls_rx && differs("tls-rx", 1, 0)) ||
           (saved->tls_replay && !s->tls_replay &&
            differs("tls-replay", 1, 0)) ||
           (saved->rx_gro && !s->rx_gro && differs("rx-gro", 1, 0));
}

static bool restore_ring(VkdevRing *ring, uint32_t head, uint32_t tail)
{
    ring->head = head;
    ring->tail = tail;
    return head < ring->size && tail < ring->size;
}

static bool restore_queue(VkdevState *s, VkdevQueue *q, const SavedQueue *from)
{
    const VkdevCoreQueue cfg = {
        .type = q->type,
        .id = q->id,
        .log2 = from->log2,
        .vector = from->vector,
        .ring = from->ring,
        .cq = from->cq,
    };

    q->cq.mod = from->mod;
    if (!from->created) {
        return true;
    }
    if (vkdev_queue_create(s, &cfg) != VKTLS_ST_OK) {
        return false;
    }
    q->live = from->live;
    q->cq.gen = from->gen & VKTLS_GEN;
    q->cq.frames = from->frames;
    q->cq.armed = from->armed;
    if (!restore_ring(&q->ring, from->head, from->tail) ||
        !restore_ring(&q->cq.ring, from->cq_head, from->cq_tail)) {
        return false;
    }
    vkdev_cq_resume(&q->cq);
    return true;
}

static bool restore_queues(VkdevState *s, const Saved *saved)
{
    for (unsigned i = 0; i < s->queues; i++) {
        if (!restore_queue(s, &s->tx[i].q, &saved->tx[i]) ||
            !restore_queue(s, &s->rx[i].q, &saved->rx[i])) {
            return false;
        }
    }
    return true;
}

static bool restore_steering(VkdevState *s, const Saved *saved)
{
    struct vktls_flow_filter flow;
    struct vktls_rss_ctx rss;

    for (unsigned i = 0; i < VKTLS_RSS_CONTEXTS; i++) {
        memcpy(&rss, saved->rss + i * sizeof(rss), sizeof(rss));
        if ((saved->rss_exists & BIT_ULL(i)) &&
            vkdev_port_rss_set(s, i, &rss) != VKTLS_ST_OK) {
            return false;
        }
    }
    for (unsigned i = 0; i < VKTLS_FLOW_FILTERS; i++) {
        memcpy(&flow, saved->flow + i * sizeof(flow), sizeof(flow));
        if (saved->flow_exists[i] &&
            vkdev_port_flow_set(s, i, &flow) != VKTLS_ST_OK) {
            return false;
        }
    }
    return true;
}

static bool restore_port(VkdevState *s, const Saved *saved)
{
    VkdevPort *port = &s->port;

    port->flags = saved->port_flags;
    port->mtu = MIN(saved->mtu, VKTLS_MTU_MAX);
    memcpy(port->mac, saved->mac, sizeof(port->mac));
    port->filter_count = MIN(saved->mac_filters, VKTLS_MAC_FILTERS);
    memcpy(port->filters, saved->mac_filter, sizeof(port->filters));
    qemu_format_nic_info_str(qemu_get_queue(s->nic), port->mac);
    return restore_steering(s, saved);
}

/*
 * Only lengths of rings are checked here; other registers are checked on use.
 */
static bool restore_regs(VkdevState *s, const Saved *saved)
{
    memcpy(&s->regs, saved->regs, sizeof(s->regs));
    return s->regs.cmdq_log2 <= VKTLS_CMDQ_MAX_LOG2 &&
           s->regs.evtq_log2 <= VKTLS_EVTQ_MAX_LOG2;
}

static int saved_post_load(void *opaque, int version)
{
    Saved *saved = opaque;
    VkdevState *s = saved->parent;

    if (lacks(s, saved)) {
        return -EINVAL;
    }
    vkdev_reset(s);
    if (!restore_regs(s, saved) || !restore_port(s, saved) ||
        !restore_queues(s, saved) ||
        !vkdev_core_restore(s->core, saved->core)) {
        error_report("vktls: the saved state is damaged");
        vkdev_reset(s);
        return -EINVAL;
    }
    memcpy(s->stats, saved->stats, sizeof(s->stats));
    s->ctx_next = saved->ctx_next;
    s->irq_pending = saved->irq_pending & MAKE_64BIT_MASK(0, s->vectors);
    /*
     * The carrier here may differ from the source's. The event also makes the
     * host compare its list of contexts with the device's.
     */
    vkdev_event(s, VKTLS_EVT_LINK, VKTLS_ST_OK, 0, vkdev_port_link(s));
    trace_vkdev_restored();
    return 0;
}

/*
 * QEMU reads a state of VMSTATE_WITH_TMP() as version 0, so fields that are
 * added with a later version number would be skipped without an error.
 */
static const VMStateDescription queue_vmstate = {
    .name = TYPE_VKDEV "/queue",
    .fields = (const VMStateField[]) {
        VMSTATE_BOOL(created, SavedQueue),
        VMSTATE_BOOL(live, SavedQueue),
        VMSTATE_UINT64(ring, SavedQueue),
        VMSTATE_UINT64(cq, SavedQueue),
        VMSTATE_UINT32(log2, SavedQueue),
        VMSTATE_UINT32(head, SavedQueue),
        VMSTATE_UINT32(tail, SavedQueue),
        VMSTATE_UINT32(cq_head, SavedQueue),
        VMSTATE_UINT32(cq_tail, SavedQueue),
        VMSTATE_UINT32(mod, SavedQueue),
        VMSTATE_UINT32(frames, SavedQueue),
        VMSTATE_UINT16(vector, SavedQueue),
        VMSTATE_UINT8(gen, SavedQueue),
        VMSTATE_BOOL(armed, SavedQueue),
        VMSTATE_END_OF_LIST()
    },
};

static const VMStateDescription saved_vmstate = {
    .name = TYPE_VKDEV "/card",
    .pre_save = saved_pre_save,
    .post_load = saved_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT32(abi_minor, Saved),
        VMSTATE_BOOL(tls_rx, Saved),
        VMSTATE_BOOL(tls_replay, Saved),
        VMSTATE_BOOL(rx_gro, Saved),
        VMSTATE_UINT32_ARRAY(regs, Saved, sizeof(VkdevRegs) / 4),
        VMSTATE_UINT64(irq_pending, Saved),
        VMSTATE_UINT64_ARRAY(stats, Saved, VKTLS_STAT_NUM),
        VMSTATE_UINT32(port_flags, Saved),
        VMSTATE_UINT32(mtu, Saved),
        VMSTATE_BUFFER(mac, Saved),
        VMSTATE_UINT32(mac_filters, Saved),
        VMSTATE_BUFFER(mac_filter, Saved),
        VMSTATE_UINT32(ctx_next, Saved),
        VMSTATE_UINT64(rss_exists, Saved),
        VMSTATE_BUFFER(rss, Saved),
        VMSTATE_BUFFER(flow_exists, Saved),
        VMSTATE_BUFFER(flow, Saved),
        VMSTATE_STRUCT_ARRAY(tx, Saved, VKTLS_MAX_QUEUES, 0, queue_vmstate,
                             SavedQueue),
        VMSTATE_STRUCT_ARRAY(rx, Saved, VKTLS_MAX_QUEUES, 0, queue_vmstate,
                             SavedQueue),
        VMSTATE_BUFFER(core, Saved),
        VMSTATE_END_OF_LIST()
    },
};

const VMStateDescription vkdev_vmstate = {
    .name = TYPE_VKDEV,
    .version_id = 2,
    .minimum_version_id = 2,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT32_EQUAL(queues, VkdevState,
                             "vktls: the property queues must be equal"),
        VMSTATE_UINT32_EQUAL(contexts, VkdevState,
                             "vktls: the property tls-contexts must be equal"),
        VMSTATE_UINT32_EQUAL(store_len, VkdevState,
                             "vktls: the property flash must be set at both "
                             "ends or at none"),
        VMSTATE_VBUFFER_UINT32(store, VkdevState, 0, NULL, store_len),
        VMSTATE_PCI_DEVICE(parent_obj, VkdevState),
        VMSTATE_MSIX(parent_obj, VkdevState),
        VMSTATE_WITH_TMP(VkdevState, Saved, saved_vmstate),
        VMSTATE_END_OF_LIST()
    },
};

/*
 * Bring the device to rest. This writes to the guest's memory, so it is done as
 * soon as the machine stops, before the last memory is sent to the target.
 */
static void rest(VkdevState *s)
{
    vkdev_rx_settle(s);
    for (unsigned i = 0; i < s->queues; i++) {
        vkdev_tx_abandon(&s->tx[i]);
    }
    for (unsigned i = 0; i < REST_SLICES; i++) {
        if (!vkdev_soc_slice(s)) {
            break;
        }
    }
}

static void vm_changed(void *opaque, bool running, RunState state)
{
    VkdevState *s = opaque;

    if (!running && !s->asleep) {
        rest(s);
    }
    s->stopped = !running;
    vkdev_sleep_update(s);
}

bool vkdev_migrate_init(VkdevState *s, Error **errp)
{
    s->stopped = !runstate_is_running();
    s->vm_changed = qemu_add_vm_change_state_handler(vm_changed, s);
    if (!s->vfio_user) {
        return true;
    }
    error_setg(&s->migrate_blocker, "vktls: a card that serves a vfio-user "
               "client cannot migrate: the client has a part of its state");
    return !migrate_add_blocker(&s->migrate_blocker, errp);
}

void vkdev_migrate_fini(VkdevState *s)
{
    qemu_del_vm_change_state_handler(s->vm_changed);
    migrate_del_blocker(&s->migrate_blocker);
}
