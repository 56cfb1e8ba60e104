// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The embedded core: creation, reset, execution in slices, interrupt lines,
 * the host's queue registers, and the queue of events for firmware. Firmware
 * runs only in slices, so the data path never waits for it.
 */
#include <stdlib.h>
#include <string.h>

#include "core_priv.h"

static bool is_active(const VkdevCore *core)
{
    return !core->hung && (core->fw_state == VKTLS_FW_BOOTING ||
                           core->fw_state == VKTLS_FW_READY);
}

void vkdev_core_set_state(VkdevCore *core, uint32_t state, uint32_t code)
{
    core->fw_state = state;
    core->fw_code = code;
    core->ops->status_changed(core->dev);
}

/* Interrupt lines of the core. */

static void external_update(VkdevCore *core)
{
    vkdev_rv32_set_irq(&core->cpu, VKDEV_RV32_IRQ_EXTERNAL, core->irq);
}

void vkdev_core_irq(VkdevCore *core, uint32_t bits)
{
    core->irq |= bits;
    external_update(core);
    if (is_active(core)) {
        core->ops->kick(core->dev);
    }
}

void vkdev_core_irq_ack(VkdevCore *core, uint32_t bits)
{
    core->irq &= ~bits;
    external_update(core);
}

static void timer_update(VkdevCore *core)
{
    vkdev_rv32_set_irq(&core->cpu, VKDEV_RV32_IRQ_TIMER,
                       core->ops->now_ns(core->dev) >= core->timer_cmp);
}

void vkdev_core_timer_arm(VkdevCore *core, uint64_t ns)
{
    core->timer_cmp = ns;
    timer_update(core);
}

/* Creation, reset and execution. */

VkdevCore *vkdev_core_alloc(const VkdevCoreOps *ops, void *dev,
                            const VkdevCoreConfig *config)
{
    VkdevCore *core = calloc(1, sizeof(*core));

    if (!core) {
        return NULL;
    }
    core->ops = ops;
    core->dev = dev;
    core->config = *config;
    vkdev_rv32_init(&core->cpu, core->sram, SOC_SRAM_BASE, SOC_SRAM_SIZE,
                    &vkdev_core_bus, core);
    vkdev_core_reset(core);
    return core;
}

void vkdev_core_free(VkdevCore *core)
{
    if (core) {
        explicit_bzero(core, sizeof(*core));
        free(core);
    }
}

void vkdev_core_reset(VkdevCore *core)
{
    explicit_bzero(core->sram, sizeof(core->sram));
    memset(&core->mbox, 0, sizeof(core->mbox));
    memset(&core->fifo, 0, sizeof(core->fifo));
    memset(&core->store, 0, sizeof(core->store));
    vkdev_core_blocks_reset(core);
    vkdev_rv32_reset(&core->cpu, SOC_SRAM_BASE);
    core->fw_state = VKTLS_FW_NONE;
    core->fw_code = VKTLS_ST_OK;
    core->fw_version = 0;
    core->abi_minor = core->config.abi_minor;
    core->heartbeat = 0;
    core->irq = 0;
    core->timer_cmp = UINT64_MAX;
    core->hung = false;
}

bool vkdev_core_hang(VkdevCore *core)
{
    if (!is_active(core)) {
        return false;
    }
    core->hung = true;
    return true;
}

bool vkdev_core_crash(VkdevCore *core)
{
    if (!is_active(core)) {
        return false;
    }
    core->cpu.pc = 0;
    core->cpu.state = VKDEV_RV32_RUNNING;
    core->ops->kick(core->dev);
    return true;
}

bool vkdev_core_run(VkdevCore *core, uint32_t budget)
{
    if (!is_active(core)) {
        return false;
    }
    timer_update(core);
    vkdev_rv32_run(&core->cpu, budget);
    if (core->cpu.state == VKDEV_RV32_CRASHED) {
        vkdev_core_set_state(core, VKTLS_FW_CRASHED, core->fw_code);
        core->ops->irq_raise(core->dev, VKTLS_VEC_ASYNC);
        return false;
    }
    timer_update(core);
    return core->cpu.state == VKDEV_RV32_RUNNING ||
           (core->cpu.mip & core->cpu.mie);
}

uint64_t vkdev_core_deadline(const VkdevCore *core)
{
    bool wanted = core->cpu.mie & (1u << VKDEV_RV32_IRQ_TIMER);

    return is_active(core) && wanted ? core->timer_cmp : UINT64_MAX;
}

/* Command queue and event queue registers, which the host writes. */

static bool ring_ok(uint64_t addr, uint32_t log2, uint32_t min, uint32_t max)
{
    return addr % VKTLS_RING_ALIGN == 0 && log2 >= min && log2 <= max;
}

bool vkdev_core_cmdq_set(VkdevCore *core, uint64_t cmdq, uint64_t cplq,
                         uint32_t log2)
{
    VkdevCoreMbox *mbox = &core->mbox;
    bool ok = ring_ok(cmdq, log2, VKTLS_CMDQ_MIN_LOG2, VKTLS_CMDQ_MAX_LOG2) &&
              ring_ok(cplq, log2, VKTLS_CMDQ_MIN_LOG2, VKTLS_CMDQ_MAX_LOG2);

    mbox->cmdq = cmdq;
    mbox->cplq = cplq;
    mbox->cmdq_log2 = ok ? log2 : 0;
    mbox->cmdq_tail = 0;
    vkdev_core_irq(core, SYS_IRQ_CMDQ);
    return ok || !log2;
}

bool vkdev_core_cmdq_doorbell(VkdevCore *core, uint32_t tail)
{
    if (!core->mbox.cmdq_log2 || tail >> core->mbox.cmdq_log2) {
        return false;
    }
    core->mbox.cmdq_tail = tail;
    vkdev_core_irq(core, SYS_IRQ_CMD);
    return true;
}

bool vkdev_core_evtq_set(VkdevCore *core, uint64_t evtq, uint32_t log2)
{
    VkdevCoreMbox *mbox = &core->mbox;
    bool ok = ring_ok(evtq, log2, VKTLS_EVTQ_MIN_LOG2, VKTLS_EVTQ_MAX_LOG2);

    mbox->evtq = evtq;
    mbox->evtq_log2 = ok ? log2 : 0;
    mbox->evtq_head = 0;
    vkdev_core_irq(core, SYS_IRQ_EVTQ);
    return ok || !log2;
}

bool vkdev_core_evtq_head(VkdevCore *core, uint32_t head)
{
    if (!core->mbox.evtq_log2 || head >> core->mbox.evtq_log2) {
        return false;
    }
    core->mbox.evtq_head = head;
    if (core->fifo.count) {
        vkdev_core_irq(core, SYS_IRQ_EVENT);
    }
    return true;
}

uint32_t vkdev_core_cmdq_tail_get(const VkdevCore *core)
{
    return core->mbox.cmdq_tail;
}

uint32_t vkdev_core_evtq_head_get(const VkdevCore *core)
{
    return core->mbox.evtq_head;
}

/* Events for firmware: a FIFO of limited size. */

static void fifo_push(VkdevCoreFifo *fifo, const VkdevCoreEvent *event)
{
    fifo->event[(fifo->first + fifo->count) % VKDEV_CORE_EVENTS] = *event;
    fifo->count++;
}

/*
 * If events were lost, append an OVERFLOW event with their number as soon as
 * the FIFO has a free place.
 */
static void fifo_tell_loss(VkdevCoreFifo *fifo)
{
    VkdevCoreEvent overflow = {
        .type = VKTLS_EVT_OVERFLOW,
        .arg = fifo->missed,
    };

    if (fifo->missed && fifo->count < VKDEV_CORE_EVENTS) {
        fifo->missed = 0;
        fifo_push(fifo, &overflow);
    }
}

void vkdev_core_event(VkdevCore *core, const VkdevCoreEvent *event)
{
    VkdevCoreFifo *fifo = &core->fifo;

    if (core->mbox.evtq_log2) {
        fifo_tell_loss(fifo);
    }
    if (!core->mbox.evtq_log2 || fifo->count == VKDEV_CORE_EVENTS) {
        fifo->missed++;
        fifo->lost++;
        return;
    }
    fifo_push(fifo, event);
    vkdev_core_irq(core, SYS_IRQ_EVENT);
}

const VkdevCoreEvent *vkdev_core_event_peek(const VkdevCore *core)
{
    const VkdevCoreFifo *fifo = &core->fifo;

    return fifo->count ? &fifo->event[fifo->first] : NULL;
}

void vkdev_core_event_pop(VkdevCore *core)
{
    VkdevCoreFifo *fifo = &core->fifo;

    if (fifo->count) {
        fifo->first = (fifo->first + 1) % VKDEV_CORE_EVENTS;
        fifo->count--;
        fifo_tell_loss(fifo);
    }
}

/* Read access to the core's state. */

uint32_t vkdev_core_fw_state(const VkdevCore *core)
{
    return core->fw_state;
}

uint32_t vkdev_core_fw_code(const VkdevCore *core)
{
    return core->fw_code;
}

uint32_t vkdev_core_fw_version(const VkdevCore *core)
{
    return core->fw_version;
}

uint32_t vkdev_core_abi(const VkdevCore *core)
{
    return VKTLS_ABI_MAJOR << 16 | core->abi_minor;
}

uint32_t vkdev_core_heartbeat(const VkdevCore *core)
{
    return core->heartbeat;
}

/* A trap handler that traps in turn hides the trap that it was called for. */
VkdevCoreCrash vkdev_core_crash_get(const VkdevCore *core)
{
    const VkdevRv32 *cpu = &core->cpu;

    if (core->fw_state != VKTLS_FW_CRASHED) {
        return (VkdevCoreCrash) { 0 };
    }
    if (cpu->in_trap) {
        return (VkdevCoreCrash) { cpu->mepc, cpu->mcause, cpu->mtval };
    }
    return (VkdevCoreCrash) { cpu->crash_pc, cpu->crash_cause,
                              cpu->crash_tval };
}

uint64_t vkdev_core_events_lost(const VkdevCore *core)
{
    return core->fifo.lost;
}

const VkdevRv32 *vkdev_core_cpu(const VkdevCore *core)
{
    return &core->cpu;
}
