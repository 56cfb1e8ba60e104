// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state of the core as a string of bytes, for migration and snapshots. A
 * core that waits, or does not run, is saved with its memory, but without the
 * registers of the TLS block, which may hold a key. A core in the middle of
 * work, or with crashed firmware, may have a key anywhere in its memory: only
 * the state "firmware has crashed" is saved for it.
 */
#include <string.h>

#include "core_priv.h"

/*
 * A walk over the saved bytes, which writes or reads them. One function so
 * determines the order of fields for both.
 */
typedef struct Walk {
    uint8_t *at;
    bool reads;
} Walk;

/*
 * Write @value as @bytes bytes, the lowest first, or read such bytes. Return
 * the value.
 */
static uint64_t walk_int(Walk *w, uint64_t value, unsigned bytes)
{
    uint64_t read = 0;

    for (unsigned i = 0; i < bytes; i++) {
        if (w->reads) {
            read |= (uint64_t)w->at[i] << i * 8;
        } else {
            w->at[i] = value >> i * 8;
        }
    }
    w->at += bytes;
    return w->reads ? read : value;
}

static void walk_u64(Walk *w, uint64_t *value)
{
    *value = walk_int(w, *value, 8);
}

static void walk_u32(Walk *w, uint32_t *value)
{
    *value = walk_int(w, *value, 4);
}

static void walk_u16(Walk *w, uint16_t *value)
{
    *value = walk_int(w, *value, 2);
}

static void walk_bool(Walk *w, bool *value)
{
    *value = walk_int(w, *value, 1);
}

static void walk_words(Walk *w, uint32_t *words, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof(*words); i++) {
        walk_u32(w, &words[i]);
    }
}

static void walk_bytes(Walk *w, uint8_t *bytes, size_t len)
{
    if (w->reads) {
        memcpy(bytes, w->at, len);
    } else {
        memcpy(w->at, bytes, len);
    }
    w->at += len;
}

static void walk_cpu(Walk *w, VkdevRv32 *cpu)
{
    uint32_t state = cpu->state;

    walk_words(w, cpu->x, sizeof(cpu->x));
    walk_u32(w, &cpu->pc);
    walk_u32(w, &state);
    cpu->state = state;
    walk_bool(w, &cpu->mie_global);
    walk_bool(w, &cpu->mpie);
    walk_bool(w, &cpu->in_trap);
    walk_u32(w, &cpu->mie);
    walk_u32(w, &cpu->mip);
    walk_u32(w, &cpu->mtvec);
    walk_u32(w, &cpu->mscratch);
    walk_u32(w, &cpu->mepc);
    walk_u32(w, &cpu->mcause);
    walk_u32(w, &cpu->mtval);
    walk_u64(w, &cpu->mcycle);
    walk_u64(w, &cpu->minstret);
    walk_u32(w, &cpu->crash_pc);
    walk_u32(w, &cpu->crash_cause);
    walk_u32(w, &cpu->crash_tval);
}

static void walk_mbox(Walk *w, VkdevCoreMbox *mbox)
{
    walk_u64(w, &mbox->cmdq);
    walk_u64(w, &mbox->cplq);
    walk_u64(w, &mbox->evtq);
    walk_u32(w, &mbox->cmdq_log2);
    walk_u32(w, &mbox->cmdq_tail);
    walk_u32(w, &mbox->evtq_log2);
    walk_u32(w, &mbox->evtq_head);
}

static void walk_fifo(Walk *w, VkdevCoreFifo *fifo)
{
    for (unsigned i = 0; i < VKDEV_CORE_EVENTS; i++) {
        VkdevCoreEvent *event = &fifo->event[i];

        walk_u16(w, &event->type);
        walk_u16(w, &event->status);
        walk_u32(w, &event->id);
        walk_u32(w, &event->arg);
    }
    walk_u32(w, &fifo->first);
    walk_u32(w, &fifo->count);
    walk_u32(w, &fifo->missed);
    walk_u64(w, &fifo->lost);
}

static void walk_store(Walk *w, VkdevCoreStore *store)
{
    walk_u32(w, &store->running);
    walk_u32(w, &store->slot);
    walk_u32(w, &store->len);
    walk_u32(w, &store->result);
}

/* The block registers without those of the TLS block. */
static void walk_regs(Walk *w, VkdevCoreRegs *r)
{
    walk_words(w, r->dma, sizeof(r->dma));
    walk_words(w, r->queue, sizeof(r->queue));
    walk_words(w, r->rss, sizeof(r->rss));
    walk_words(w, r->flow, sizeof(r->flow));
    walk_words(w, r->mac, sizeof(r->mac));
    walk_u32(w, &r->port_flags);
    walk_u32(w, &r->mtu);
    walk_u32(w, &r->filter_sel);
    walk_u32(w, &r->filter_lo);
    walk_bytes(w, r->filter[0], sizeof(r->filter));
    walk_u32(w, &r->filter_count);
    walk_u64(w, &r->stat);
    walk_u32(w, &r->now_hi);
    walk_u32(w, &r->timer_lo);
}

static void walk_core(Walk *w, VkdevCore *core)
{
    walk_u32(w, &core->fw_state);
    walk_u32(w, &core->fw_code);
    walk_u32(w, &core->fw_version);
    walk_u16(w, &core->abi_minor);
    walk_u32(w, &core->heartbeat);
    walk_u32(w, &core->irq);
    walk_u64(w, &core->timer_cmp);
    walk_bool(w, &core->hung);
    walk_cpu(w, &core->cpu);
    walk_mbox(w, &core->mbox);
    walk_fifo(w, &core->fifo);
    walk_store(w, &core->store);
    walk_regs(w, &core->regs);
    walk_bytes(w, core->sram, sizeof(core->sram));
}

/* False if the memory may hold a key: firmware works, or crashed at work. */
static bool at_rest(const VkdevCore *core)
{
    switch (core->fw_state) {
    case VKTLS_FW_CRASHED:
        return false;
    case VKTLS_FW_BOOTING:
    case VKTLS_FW_READY:
        return core->cpu.state == VKDEV_RV32_WAITING;
    default:
        return true;
    }
}

/* No field takes more bytes when saved than in memory. */
_Static_assert(sizeof(struct VkdevCore) <= VKDEV_CORE_SAVED,
               "the saved state has room for all fields");

void vkdev_core_save(const VkdevCore *core, uint8_t *to)
{
    uint32_t crashed = VKTLS_FW_CRASHED;
    Walk w = { .at = to };

    memset(to, 0, VKDEV_CORE_SAVED);
    if (at_rest(core)) {
        walk_core(&w, (VkdevCore *)core); /* writing does not change the core */
    } else {
        walk_u32(&w, &crashed);     /* the first field; all others are 0 */
    }
}

static bool cpu_is_sound(const VkdevRv32 *cpu)
{
    uint32_t lines = 1u << VKDEV_RV32_IRQ_TIMER | 1u << VKDEV_RV32_IRQ_EXTERNAL;

    return cpu->state <= VKDEV_RV32_CRASHED && !cpu->x[0] &&
           !(cpu->pc % 4) && !(cpu->mtvec & 2) && !(cpu->mepc % 4) &&
           !((cpu->mie | cpu->mip) & ~lines);
}

static bool store_is_sound(const VkdevCoreStore *store)
{
    return store->running <= VKTLS_STORE_SLOTS &&
           store->slot <= VKTLS_STORE_SLOTS &&
           (!store->slot || store->slot != store->running) &&
           store->len <= VKTLS_FW_MAX_BYTES && store->result <= UINT8_MAX;
}

static bool is_sound(const VkdevCore *core)
{
    const VkdevCoreMbox *mbox = &core->mbox;
    const VkdevCoreFifo *fifo = &core->fifo;

    return core->fw_state <= VKTLS_FW_CRASHED && core->fw_code <= UINT8_MAX &&
           core->abi_minor <= core->config.abi_minor &&
           cpu_is_sound(&core->cpu) && store_is_sound(&core->store) &&
           mbox->cmdq_log2 <= VKTLS_CMDQ_MAX_LOG2 &&
           mbox->evtq_log2 <= VKTLS_EVTQ_MAX_LOG2 &&
           !(mbox->cmdq_tail >> mbox->cmdq_log2) &&
           !(mbox->evtq_head >> mbox->evtq_log2) &&
           fifo->first < VKDEV_CORE_EVENTS && fifo->count <= VKDEV_CORE_EVENTS;
}

bool vkdev_core_restore(VkdevCore *core, const uint8_t *from)
{
    Walk w = { .at = (uint8_t *)from, .reads = true };

    vkdev_core_reset(core);
    walk_core(&w, core);
    if (!is_sound(core)) {
        vkdev_core_reset(core);
        return false;
    }
    return true;
}
