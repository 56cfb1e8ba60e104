// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hooks of fault injection in the device: the data path, the embedded core and
 * the interrupt code call them. line.c, rule.c and cmds.c choose the frame,
 * command, event or interrupt that a fault hits; props.c lets the user ask for
 * faults. One timer serves all delayed frames, answers and events.
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "trace.h"
#include "vkdev.h"

#define MS 1000000ull

static const char *const kind_names[VKDEV_FAULT_KINDS] = {
    "drop", "delay", "corrupt", "reorder", "duplicate",
};

static uint64_t fault_now(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

/* Count and trace a fault that takes effect. All faults call this function. */
void vkdev_fault_note(VkdevState *s, const char *kind, uint32_t what,
                      uint32_t value)
{
    s->stats[VKTLS_STAT_FAULTS_INJECTED]++;
    trace_vkdev_fault(kind, what, value);
}

static void fault_arm(VkdevState *s)
{
    VkdevFaults *f = &s->faults;
    uint64_t due = MIN(vkdev_fault_line_due(&f->tx),
                       vkdev_fault_line_due(&f->rx));

    due = MIN(due, vkdev_fault_late_due(&f->lates));
    if (due == UINT64_MAX) {
        timer_del(&f->timer);
    } else {
        timer_mod(&f->timer, due);
    }
}

/* Faults that hit frames, sent or received. */

/*
 * Frames emitted in one call. If the device is reset while one of them is
 * sent, dev->epoch differs from @epoch and the rest are not sent.
 */
typedef struct FaultBatch {
    VkdevState *dev;
    uint32_t epoch;
} FaultBatch;

static void fault_emit_tx(void *opaque, uint8_t *frame, uint32_t len)
{
    const FaultBatch *batch = opaque;
    struct iovec iov[2] = { { frame, len } };

    if (batch->epoch == batch->dev->epoch) {
        vkdev_tx_frame(batch->dev, iov, 1);
    }
}

static void fault_emit_rx(void *opaque, uint8_t *frame, uint32_t len)
{
    const FaultBatch *batch = opaque;

    vkdev_rx_frame(batch->dev, frame, len);
}

static bool fault_frame(VkdevState *s, VkdevFaultLine *line,
                        const struct iovec *iov, int iovcnt)
{
    FaultBatch batch = { s, s->epoch };
    bool tx = line == &s->faults.tx;
    unsigned hits = vkdev_fault_line_judge(line);
    g_autofree uint8_t *frame = NULL;
    size_t len;

    if (!hits && !line->holds) {
        return false;
    }
    len = iov_size(iov, iovcnt);
    if (len > VKDEV_FRAME_MAX) {
        return false;
    }
    frame = g_malloc(len);
    iov_to_buf(iov, iovcnt, 0, frame, len);
    hits = vkdev_fault_line_pass(line, hits, frame, len, fault_now(),
                                 tx ? fault_emit_tx : fault_emit_rx, &batch);
    for (unsigned i = 0; i < VKDEV_FAULT_KINDS; i++) {
        if (hits & 1u << i) {
            vkdev_fault_note(s, kind_names[i], tx, len);
        }
    }
    fault_arm(s);
    return true;
}

bool vkdev_fault_tx(VkdevState *s, const struct iovec *iov, int iovcnt)
{
    return fault_frame(s, &s->faults.tx, iov, iovcnt);
}

bool vkdev_fault_rx(VkdevState *s, const uint8_t *frame, size_t len)
{
    const struct iovec iov = { (void *)frame, len };

    return fault_frame(s, &s->faults.rx, &iov, 1);
}

/* Faults that hit interrupts and events. */

bool vkdev_fault_irq(VkdevState *s, unsigned vector)
{
    if (!vkdev_fault_rule_hits(&s->faults.irq_lose, vector)) {
        return false;
    }
    vkdev_fault_note(s, "irq-lose", vector, 0);
    return true;
}

/*
 * Delay the answer or event @late by @ms milliseconds. False, without a delay,
 * when VKDEV_FAULT_LATE of them are waiting already.
 */
static bool fault_defer(VkdevState *s, VkdevFaultLate *late, uint32_t ms)
{
    late->due = fault_now() + ms * MS;
    if (!vkdev_fault_late_put(&s->faults.lates, late)) {
        return false;
    }
    fault_arm(s);
    return true;
}

bool vkdev_fault_event(VkdevState *s, VkdevCoreEvent *event)
{
    VkdevFaults *f = &s->faults;
    VkdevFaultLate late = { .is_event = true };

    if (vkdev_fault_rule_hits(&f->event_lose, event->type)) {
        vkdev_fault_note(s, "event-lose", event->type, event->id);
        return true;
    }
    if (vkdev_fault_rule_hits(&f->event_alter, event->type)) {
        vkdev_fault_note(s, "event-alter", event->type, event->id);
        event->arg = f->event_alter.value;
    }
    if (!vkdev_fault_rule_hits(&f->event_delay, event->type)) {
        return false;
    }
    vkdev_fault_note(s, "event-delay", event->type, event->id);
    late.event = *event;
    return fault_defer(s, &late, f->event_delay.value);
}

/* Faults that hit commands and their answers. */

static uint64_t reg_pair(uint32_t lo, uint32_t hi)
{
    return (uint64_t)hi << 32 | lo;
}

/*
 * Called after each DMA read by firmware, of @len bytes into @buf. If the read
 * is of a whole command from the command queue, faults may change it.
 */
void vkdev_fault_fetched(VkdevState *s, uint64_t host, void *buf, uint32_t len)
{
    const VkdevRegs *r = &s->regs;
    struct vktls_cmd *cmd = buf;
    uint64_t at = host - reg_pair(r->cmdq_lo, r->cmdq_hi);
    uint64_t slot = at / sizeof(*cmd);

    if (!r->cmdq_log2 || len != sizeof(*cmd) || at % sizeof(*cmd) ||
        slot >> r->cmdq_log2) {
        return;
    }
    if (vkdev_fault_cmd_fetched(&s->faults.cmds, cmd,
                                reg_pair(r->cplq_lo, r->cplq_hi) +
                                slot * sizeof(struct vktls_cmd_cpl))) {
        vkdev_fault_note(s, "cmd", s->faults.cmds.opcode, slot);
    }
}

/*
 * Write an answer to host memory in the order that firmware uses: all but the
 * last word first, then the last word, which holds the generation.
 */
static bool fault_answer(VkdevState *s, uint64_t addr, const uint8_t *answer)
{
    uint32_t last = sizeof(struct vktls_cmd_cpl) - sizeof(uint32_t);

    return vkdev_dma_write(s, addr, answer, last) &&
           vkdev_dma_write(s, addr + last, answer + last, sizeof(uint32_t));
}

static bool fault_answer_later(VkdevState *s)
{
    VkdevFaultCmds *cmds = &s->faults.cmds;
    VkdevFaultLate late = { .addr = cmds->addr };

    memcpy(late.answer, cmds->answer, sizeof(late.answer));
    return fault_defer(s, &late, cmds->late_ms) ||
           fault_answer(s, cmds->addr, cmds->answer);
}

/*
 * Write the answer of a command a second time, to the next slot of the
 * completion queue. In slot 0 the generation bit is inverted, as the ring
 * begins a new lap.
 */
static bool fault_answer_again(VkdevState *s)
{
    const VkdevRegs *r = &s->regs;
    VkdevFaultCmds *cmds = &s->faults.cmds;
    struct vktls_cmd_cpl *cpl = (void *)cmds->answer;
    uint64_t ring = reg_pair(r->cplq_lo, r->cplq_hi);
    uint64_t slot = (cmds->addr - ring) / sizeof(*cpl) + 1;

    if (slot >> r->cmdq_log2) {
        cpl->gen ^= VKTLS_GEN;
        slot = 0;
    }
    return fault_answer(s, ring + slot * sizeof(*cpl), cmds->answer);
}

/*
 * Called before each DMA write by firmware. True when a fault has consumed the
 * write because it is (part of) an answer; *@ok then tells whether the DMA
 * succeeded. False: the caller does the write.
 */
bool vkdev_fault_answered(VkdevState *s, uint64_t host, const void *buf,
                          uint32_t len, bool *ok)
{
    VkdevFaultCmds *cmds = &s->faults.cmds;

    *ok = true;
    switch (vkdev_fault_cmd_answered(cmds, host, buf, len)) {
    case VKDEV_FAULT_PASS:
        return false;
    case VKDEV_FAULT_WRITE:
        *ok = fault_answer(s, cmds->addr, cmds->answer) &&
              (!cmds->again || fault_answer_again(s));
        return true;
    case VKDEV_FAULT_DEFER:
        *ok = fault_answer_later(s);
        return true;
    case VKDEV_FAULT_KEPT:
    case VKDEV_FAULT_LOST:
        return true;
    }
    g_assert_not_reached();
}

/* Faults that falsify completions of queues. */

void vkdev_fault_tx_cpl(VkdevState *s, unsigned queue, struct vktls_tx_cpl *cpl)
{
    VkdevFaultRule *rule = &s->faults.tx_cpl_lie;

    if (vkdev_fault_rule_hits(rule, queue)) {
        vkdev_fault_note(s, "tx-cpl-lie", queue, rule->value);
        cpl->head = cpu_to_le16(le16_to_cpu(cpl->head) + rule->value);
    }
}

void vkdev_fault_rx_cpl(VkdevState *s, unsigned queue, struct vktls_rx_cpl *cpl)
{
    VkdevFaultRule *lie = &s->faults.rx_cpl_lie;
    VkdevFaultRule *longer = &s->faults.rx_cpl_long;

    if (vkdev_fault_rule_hits(lie, queue)) {
        vkdev_fault_note(s, "rx-cpl-lie", queue, lie->value);
        cpl->index = cpu_to_le16(le16_to_cpu(cpl->index) + lie->value);
    }
    if (vkdev_fault_rule_hits(longer, queue)) {
        vkdev_fault_note(s, "rx-cpl-long", queue, longer->value);
        cpl->len = cpu_to_le16(longer->value);
    }
}

bool vkdev_fault_cpl_twice(VkdevState *s, unsigned vector)
{
    if (!vkdev_fault_rule_hits(&s->faults.cpl_twice, vector)) {
        return false;
    }
    vkdev_fault_note(s, "cpl-twice", vector, 0);
    return true;
}

/*
 * Called when the host has consumed an event: while the rule event_flood hits,
 * another event is sent.
 */
void vkdev_fault_event_taken(VkdevState *s)
{
    VkdevFaultRule *rule = &s->faults.event_flood;
    VkdevCoreEvent event = { .type = rule->what };

    if (vkdev_fault_rule_hits(rule, rule->what)) {
        vkdev_fault_note(s, "event-flood", rule->what, 0);
        vkdev_core_event(s->core, &event);
    }
}

/* Delayed frames, answers and events, and the timer that releases them. */

static void fault_tell(VkdevState *s, const VkdevFaultLate *late)
{
    if (late->is_event) {
        vkdev_core_event(s->core, &late->event);
        return;
    }
    fault_answer(s, late->addr, late->answer);
    vkdev_irq_raise(s, VKTLS_VEC_ASYNC);
}

static void fault_run(VkdevState *s)
{
    VkdevFaults *f = &s->faults;
    FaultBatch batch = { s, s->epoch };
    uint64_t now = fault_now();
    VkdevFaultLate late;

    if (s->asleep) {
        return;
    }
    vkdev_fault_line_release(&f->tx, now, fault_emit_tx, &batch);
    vkdev_fault_line_release(&f->rx, now, fault_emit_rx, &batch);
    while (vkdev_fault_late_take(&f->lates, now, &late)) {
        fault_tell(s, &late);
    }
    fault_arm(s);
}

/*
 * Timer callback. Frames are sent from here, so the device's re-entrancy guard
 * is engaged, as QEMU does around a bottom half.
 */
static void fault_timer(void *opaque)
{
    VkdevState *s = opaque;
    MemReentrancyGuard *guard = &DEVICE(s)->mem_reentrancy_guard;

    guard->engaged_in_io = true;
    fault_run(s);
    guard->engaged_in_io = false;
}

void vkdev_fault_init(VkdevState *s)
{
    VkdevFaults *f = &s->faults;

    timer_init_ns(&f->timer, QEMU_CLOCK_VIRTUAL, fault_timer, s);
    f->tx.delay_us = f->rx.delay_us = 10000;
    f->tx.reorder_by = f->rx.reorder_by = 1;
    vkdev_fault_line_seed(&f->tx, 0, true);
    vkdev_fault_line_seed(&f->rx, 0, false);
}

void vkdev_fault_reset(VkdevState *s)
{
    VkdevFaults *f = &s->faults;

    timer_del(&f->timer);
    vkdev_fault_line_reset(&f->tx);
    vkdev_fault_line_reset(&f->rx);
    vkdev_fault_cmd_reset(&f->cmds);
    f->lates.count = 0;
}

void vkdev_fault_wake(VkdevState *s)
{
    fault_arm(s);
}
