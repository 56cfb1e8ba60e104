// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The block registers of firmware/soc.h, read and written through the core's
 * bus. An access with an address, width or direction that soc.h does not
 * define raises an access fault in the core.
 */
#include <string.h>

#include "core_priv.h"

typedef bool (*BlockRead)(VkdevCore *core, uint32_t reg, uint32_t *value);
typedef bool (*BlockWrite)(VkdevCore *core, uint32_t reg, uint32_t value);

/* System block */

static bool sys_read(VkdevCore *core, uint32_t reg, uint32_t *value)
{
    switch (reg) {
    case SYS_IRQ:
        *value = core->irq;
        return true;
    case SYS_FW_VERSION:
        *value = core->fw_version;
        return true;
    case SYS_QUEUES:
        *value = core->config.queues;
        return true;
    case SYS_FEATURES:
        *value = core->config.features;
        return true;
    default:
        return false;
    }
}

static bool sys_write(VkdevCore *core, uint32_t reg, uint32_t value)
{
    switch (reg) {
    case SYS_READY:
        vkdev_core_set_state(core, value & 1 ? VKTLS_FW_READY :
                             VKTLS_FW_BOOTING, VKTLS_ST_OK);
        return true;
    case SYS_HEARTBEAT:
        core->heartbeat = value;
        return true;
    case SYS_IRQ:
        vkdev_core_irq_ack(core, value);
        return true;
    case SYS_RAISE:
        vkdev_rv32_charge(&core->cpu, COST_CALL);
        core->ops->irq_raise(core->dev, value);
        return true;
    case SYS_PUTC:
        core->ops->trace_char(core->dev, value);
        return true;
    default:
        return false;
    }
}

/* Timer block */

static bool timer_read(VkdevCore *core, uint32_t reg, uint32_t *value)
{
    uint64_t now;

    switch (reg) {
    case TIMER_NOW_LO:
        now = core->ops->now_ns(core->dev);
        core->regs.now_hi = now >> 32;
        *value = now;
        return true;
    case TIMER_NOW_HI:
        *value = core->regs.now_hi;
        return true;
    default:
        return false;
    }
}

static bool timer_write(VkdevCore *core, uint32_t reg, uint32_t value)
{
    switch (reg) {
    case TIMER_CMP_LO:
        core->regs.timer_lo = value;
        return true;
    case TIMER_CMP_HI:
        vkdev_core_timer_arm(core, pair(value, core->regs.timer_lo));
        return true;
    default:
        return false;
    }
}

/* Mailbox block */

static bool mbox_read(VkdevCore *core, uint32_t reg, uint32_t *value)
{
    const VkdevCoreMbox *m = &core->mbox;
    const uint32_t view[] = {
        [MBOX_CMDQ_LO / 4] = m->cmdq, [MBOX_CMDQ_HI / 4] = m->cmdq >> 32,
        [MBOX_CPLQ_LO / 4] = m->cplq, [MBOX_CPLQ_HI / 4] = m->cplq >> 32,
        [MBOX_CMDQ_LOG2 / 4] = m->cmdq_log2,
        [MBOX_CMDQ_TAIL / 4] = m->cmdq_tail,
        [MBOX_EVTQ_LO / 4] = m->evtq, [MBOX_EVTQ_HI / 4] = m->evtq >> 32,
        [MBOX_EVTQ_LOG2 / 4] = m->evtq_log2,
        [MBOX_EVTQ_HEAD / 4] = m->evtq_head,
    };

    if (reg > MBOX_EVTQ_HEAD) {
        return false;
    }
    *value = view[reg / 4];
    return true;
}

/* DMA block */

static uint32_t dma_start(VkdevCore *core, uint32_t cmd)
{
    const uint32_t *r = core->regs.dma;
    uint64_t host = pair(r[DMA_HOST_HI / 4], r[DMA_HOST_LO / 4]);
    uint32_t at = r[DMA_LOCAL / 4] - SOC_SRAM_BASE;
    uint32_t len = r[DMA_LEN / 4];
    bool ok;

    if (at >= SOC_SRAM_SIZE) {
        return VKTLS_ST_PARAM;
    }
    if (!len || len > SOC_SRAM_SIZE - at) {
        return VKTLS_ST_LENGTH;
    }
    vkdev_rv32_charge(&core->cpu, COST_CALL + len / COST_DMA_BYTES);
    switch (cmd) {
    case DMA_FROM_HOST:
        ok = core->ops->dma_read(core->dev, host, core->sram + at, len);
        break;
    case DMA_TO_HOST:
        ok = core->ops->dma_write(core->dev, host, core->sram + at, len);
        break;
    default:
        return VKTLS_ST_PARAM;
    }
    return ok ? VKTLS_ST_OK : VKTLS_ST_DMA;
}

static bool dma_read(VkdevCore *core, uint32_t reg, uint32_t *value)
{
    *value = core->regs.dma[DMA_STATUS / 4];
    return reg == DMA_STATUS;
}

static bool dma_write(VkdevCore *core, uint32_t reg, uint32_t value)
{
    if (reg < DMA_CMD) {
        core->regs.dma[reg / 4] = value;
    } else if (reg == DMA_CMD) {
        core->regs.dma[DMA_STATUS / 4] = dma_start(core, value);
    }
    return reg <= DMA_CMD;
}

/* Port block */

static bool port_read(VkdevCore *core, uint32_t reg, uint32_t *value)
{
    const VkdevCoreRegs *r = &core->regs;
    const uint8_t *perm = core->config.mac;

    switch (reg) {
    case PORT_MAC_LO:
    case PORT_MAC_HI:
        *value = r->mac[(reg - PORT_MAC_LO) / 4];
        return true;
    case PORT_FLAGS:
        *value = r->port_flags;
        return true;
    case PORT_MTU:
        *value = r->mtu;
        return true;
    case PORT_LINK:
        *value = core->ops->link_up(core->dev);
        return true;
    case PORT_MBPS:
        *value = core->config.mbps;
        return true;
    case PORT_PERM_MAC_LO:
        *value = pack(perm, 4);
        return true;
    case PORT_PERM_MAC_HI:
        *value = pack(perm + 4, 2);
        return true;
    default:
        return false;
    }
}

static void mac_commit(VkdevCore *core)
{
    uint8_t addr[6];

    vkdev_rv32_charge(&core->cpu, COST_CALL);
    unpack(addr, core->regs.mac, sizeof(addr));
    core->ops->mac_set(core->dev, addr);
}

static bool filter_store(VkdevCoreRegs *r, uint32_t hi)
{
    const uint32_t words[2] = { r->filter_lo, hi };

    if (r->filter_sel >= VKTLS_MAC_FILTERS) {
        return false;
    }
    unpack(r->filter[r->filter_sel], words, sizeof(r->filter[0]));
    return true;
}

static bool filter_commit(VkdevCore *core, uint32_t count)
{
    if (count > VKTLS_MAC_FILTERS) {
        return false;
    }
    vkdev_rv32_charge(&core->cpu, COST_CALL);
    core->ops->filters_set(core->dev, (const uint8_t (*)[6])core->regs.filter,
                           count);
    return true;
}

static bool port_write(VkdevCore *core, uint32_t reg, uint32_t value)
{
    VkdevCoreRegs *r = &core->regs;

    switch (reg) {
    case PORT_MAC_LO:
        r->mac[0] = value;
        return true;
    case PORT_MAC_HI:
        r->mac[1] = value & 0xffff;
        mac_commit(core);
        return true;
    case PORT_FLAGS:
        r->port_flags = value;
        vkdev_rv32_charge(&core->cpu, COST_CALL);
        core->ops->port_set(core->dev, value);
        return true;
    case PORT_MTU:
        r->mtu = value;
        core->ops->mtu_set(core->dev, value);
        return true;
    case PORT_FILTER_COUNT:
        return filter_commit(core, value);
    case PORT_FILTER_SEL:
        r->filter_sel = value;
        return true;
    case PORT_FILTER_LO:
        r->filter_lo = value;
        return true;
    case PORT_FILTER_HI:
        return filter_store(r, value);
    default:
        return false;
    }
}

/* Queue block */

static uint32_t queue_start(VkdevCore *core, uint32_t cmd)
{
    const uint32_t *r = core->regs.queue;
    VkdevCoreQueue queue = {
        .type = r[QUEUE_TYPE / 4],
        .id = r[QUEUE_ID / 4],
        .log2 = r[QUEUE_LOG2 / 4],
        .vector = r[QUEUE_VECTOR / 4],
        .ring = pair(r[QUEUE_RING_HI / 4], r[QUEUE_RING_LO / 4]),
        .cq = pair(r[QUEUE_CQ_HI / 4], r[QUEUE_CQ_LO / 4]),
    };

    vkdev_rv32_charge(&core->cpu, COST_CALL);
    switch (cmd) {
    case QUEUE_CREATE:
        return core->ops->queue_create(core->dev, &queue);
    case QUEUE_DESTROY:
        return core->ops->queue_destroy(core->dev, queue.type, queue.id);
    default:
        return VKTLS_ST_PARAM;
    }
}

static bool queue_read(VkdevCore *core, uint32_t reg, uint32_t *value)
{
    *value = core->regs.queue[QUEUE_STATUS / 4];
    return reg == QUEUE_STATUS;
}

static bool queue_write(VkdevCore *core, uint32_t reg, uint32_t value)
{
    if (reg < QUEUE_CMD) {
        core->regs.queue[reg / 4] = value;
    } else if (reg == QUEUE_CMD) {
        core->regs.queue[QUEUE_STATUS / 4] = queue_start(core, value);
    }
    return reg <= QUEUE_CMD;
}

/* TLS block: the table of TLS contexts */

static void tls_params_get(const uint32_t *r, VkdevCoreTls *tls)
{
    tls->version = r[TLS_VERSION / 4];
    tls->cipher = r[TLS_CIPHER / 4];
    tls->direction = r[TLS_DIRECTION / 4];
    tls->tcp_seq = r[TLS_TCP_SEQ / 4];
    unpack(tls->rec_no, r + TLS_REC_NO / 4, sizeof(tls->rec_no));
    unpack(tls->iv, r + TLS_IV / 4, sizeof(tls->iv));
    unpack(tls->key, r + TLS_KEY / 4, sizeof(tls->key));
}

static uint32_t tls_add(VkdevCore *core, uint32_t ctx)
{
    VkdevCoreTls tls;
    uint32_t status;

    tls_params_get(core->regs.tls, &tls);
    unpack((uint8_t *)&tls.flow, core->regs.tls_flow, sizeof(tls.flow));
    status = core->ops->tls_add(core->dev, ctx, &tls);
    explicit_bzero(&tls, sizeof(tls));
    return status;
}

static uint32_t tls_resync(VkdevCore *core, uint32_t ctx, bool key)
{
    VkdevCoreTls tls = {
        .tcp_seq = core->regs.tls[TLS_TCP_SEQ / 4],
        .key_no = core->regs.tls[TLS_KEY_NO / 4],
    };

    unpack(tls.rec_no, core->regs.tls + TLS_REC_NO / 4, sizeof(tls.rec_no));
    return key ? core->ops->tls_resync_key(core->dev, ctx, &tls) :
                 core->ops->tls_resync(core->dev, ctx, &tls);
}

static uint32_t tls_next(VkdevCore *core, uint32_t ctx, bool tx)
{
    VkdevCoreTls tls = {
        .tcp_seq = core->regs.tls[TLS_TCP_SEQ / 4],
        .key_no = core->regs.tls[TLS_KEY_NO / 4],
    };
    uint32_t status;

    unpack(tls.iv, core->regs.tls + TLS_IV / 4, sizeof(tls.iv));
    unpack(tls.key, core->regs.tls + TLS_KEY / 4, sizeof(tls.key));
    status = tx ? core->ops->tls_next_tx(core->dev, ctx, &tls) :
                  core->ops->tls_next(core->dev, ctx, &tls);
    explicit_bzero(&tls, sizeof(tls));
    return status;
}

static uint32_t tls_query(VkdevCore *core, uint32_t ctx)
{
    VkdevCoreTlsState state = { 0 };
    uint32_t *r = core->regs.tls;
    uint32_t status = core->ops->tls_query(core->dev, ctx, &state);

    r[TLS_STATE / 4] = state.state;
    r[TLS_TCP_SEQ / 4] = state.tcp_seq;
    r[TLS_REC_NO / 4] = pack(state.rec_no, 4);
    r[TLS_REC_NO / 4 + 1] = pack(state.rec_no + 4, 4);
    r[TLS_PACKETS_LO / 4] = state.packets;
    r[TLS_PACKETS_HI / 4] = state.packets >> 32;
    r[TLS_BYTES_LO / 4] = state.bytes;
    r[TLS_BYTES_HI / 4] = state.bytes >> 32;
    return status;
}

static uint32_t tls_start(VkdevCore *core, uint32_t cmd)
{
    uint32_t ctx = core->regs.tls[TLS_CTX / 4];

    if (ctx >= core->config.tls_contexts) {
        return VKTLS_ST_NOENT;
    }
    vkdev_rv32_charge(&core->cpu, COST_TABLE);
    switch (cmd) {
    case TLS_ADD:
        return tls_add(core, ctx);
    case TLS_DEL:
        return core->ops->tls_del(core->dev, ctx);
    case TLS_RESYNC:
        return tls_resync(core, ctx, false);
    case TLS_RESYNC_KEY:
        return tls_resync(core, ctx, true);
    case TLS_NEXT:
        return tls_next(core, ctx, false);
    case TLS_NEXT_TX:
        return tls_next(core, ctx, true);
    case TLS_KEY_DONE:
        return core->ops->tls_key_done(core->dev, ctx,
                                       core->regs.tls[TLS_KEY_NO / 4]);
    case TLS_QUERY:
        return tls_query(core, ctx);
    default:
        return VKTLS_ST_PARAM;
    }
}

static bool tls_read(VkdevCore *core, uint32_t reg, uint32_t *value)
{
    switch (reg) {
    case TLS_CAPACITY:
        *value = core->config.tls_contexts;
        return true;
    case TLS_CIPHERS:
        *value = core->config.tls_ciphers;
        return true;
    case TLS_VERSIONS:
        *value = core->config.tls_versions;
        return true;
    case TLS_PLACE:
        vkdev_rv32_charge(&core->cpu, COST_TABLE);
        *value = core->ops->tls_place(core->dev);
        return true;
    default:
        if (reg > TLS_BYTES_HI) {
            return false;
        }
        *value = reg >= TLS_IV && reg < TLS_CMD ? 0 : core->regs.tls[reg / 4];
        return true;
    }
}

static bool tls_write(VkdevCore *core, uint32_t reg, uint32_t value)
{
    uint32_t flow = (reg - TLS_FLOW) / 4;

    if (reg >= TLS_CTX && reg < TLS_CMD) {
        core->regs.tls[reg / 4] = value;
        return true;
    }
    if (reg == TLS_CMD) {
        core->regs.tls[TLS_STATUS / 4] = tls_start(core, value);
        /*
         * The key and the IV are wiped from the registers, even after an
         * error.
         */
        explicit_bzero(core->regs.tls + TLS_IV / 4, TLS_CMD - TLS_IV);
        return true;
    }
    if (reg >= TLS_FLOW && flow < sizeof(core->regs.tls_flow) / 4) {
        core->regs.tls_flow[flow] = value;
        return true;
    }
    return false;
}

/* Statistics block */

static bool stat_read(VkdevCore *core, uint32_t reg, uint32_t *value)
{
    switch (reg) {
    case STAT_LO:
        *value = core->regs.stat;
        return true;
    case STAT_HI:
        *value = core->regs.stat >> 32;
        return true;
    default:
        return false;
    }
}

static bool stat_write(VkdevCore *core, uint32_t reg, uint32_t value)
{
    if (reg != STAT_SEL || value >= VKTLS_STAT_NUM) {
        return false;
    }
    core->regs.stat = core->ops->stat_get(core->dev, value);
    return true;
}

/* Event block */

static bool hwev_read(VkdevCore *core, uint32_t reg, uint32_t *value)
{
    const VkdevCoreEvent *event = vkdev_core_event_peek(core);

    switch (reg) {
    case HWEV_TYPE:
        *value = event ? event->type : 0;
        return true;
    case HWEV_STATUS:
        *value = event ? event->status : 0;
        return true;
    case HWEV_ID:
        *value = event ? event->id : 0;
        return true;
    case HWEV_ARG:
        *value = event ? event->arg : 0;
        return true;
    default:
        return false;
    }
}

static bool hwev_write(VkdevCore *core, uint32_t reg, uint32_t value)
{
    (void)value;
    if (reg == HWEV_POP) {
        vkdev_core_event_pop(core);
    }
    return reg == HWEV_POP;
}

/* Bus: the table of all blocks */

static const struct {
    BlockRead read;
    BlockWrite write;
} blocks[SOC_BLOCKS] = {
    { sys_read, sys_write },
    { timer_read, timer_write },
    { mbox_read, NULL },
    { dma_read, dma_write },
    { port_read, port_write },
    { vkdev_core_rss_read, vkdev_core_rss_write },
    { queue_read, queue_write },
    { tls_read, tls_write },
    { stat_read, stat_write },
    { hwev_read, hwev_write },
    { vkdev_core_flow_read, vkdev_core_flow_write },
};

#define BLOCK_SIZE (SOC_BLOCK(1) - SOC_BLOCK(0))

static bool bus_load(void *opaque, uint32_t addr, unsigned width,
                     uint32_t *value)
{
    uint32_t block = (addr - SOC_BLOCK(0)) / BLOCK_SIZE;

    return width == 4 && block < SOC_BLOCKS && blocks[block].read &&
           blocks[block].read(opaque, addr % BLOCK_SIZE, value);
}

static bool bus_store(void *opaque, uint32_t addr, unsigned width,
                      uint32_t value)
{
    uint32_t block = (addr - SOC_BLOCK(0)) / BLOCK_SIZE;

    return width == 4 && block < SOC_BLOCKS && blocks[block].write &&
           blocks[block].write(opaque, addr % BLOCK_SIZE, value);
}

const VkdevRv32Bus vkdev_core_bus = { .load = bus_load, .store = bus_store };

void vkdev_core_blocks_reset(VkdevCore *core)
{
    VkdevCoreRegs *r = &core->regs;

    explicit_bzero(r, sizeof(*r));
    r->mac[0] = pack(core->config.mac, 4);
    r->mac[1] = pack(core->config.mac + 4, 2);
}
