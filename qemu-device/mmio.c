// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The registers of BAR 0: one table for the device, one for the registers of a
 * queue pair. A register stores a value, calls a function, or both. Every
 * access is answered; a bad one also gets a log line. The effect of a write is
 * complete when the access returns.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/log.h"
#include "trace.h"
#include "vkdev.h"

typedef struct Reg {
    const char *name;
    size_t field; /* offset in VkdevRegs + 1; 0 = register stores no value */
    uint32_t (*read)(VkdevState *s);
    void (*write)(VkdevState *s, uint32_t value);   /* after the store */
    bool read_only;     /* the host's writes are refused */
} Reg;

typedef struct QpReg {
    const char *name;
    uint32_t (*read)(VkdevState *s, unsigned qp);
    bool (*write)(VkdevState *s, unsigned qp, uint32_t value);
} QpReg;

static uint64_t pair(uint32_t lo, uint32_t hi)
{
    return (uint64_t)hi << 32 | lo;
}

static void bad_value(const char *name, uint32_t value)
{
    qemu_log_mask(LOG_GUEST_ERROR, "vktls: %s: 0x%" PRIx32 " is refused\n",
                  name, value);
}

static uint32_t magic_read(VkdevState *s)
{
    return VKTLS_MAGIC;
}

static uint32_t abi_read(VkdevState *s)
{
    return vkdev_core_abi(s->core);
}

static uint32_t status_read(VkdevState *s)
{
    return vkdev_core_fw_state(s->core) |
           (vkdev_port_link(s) ? VKTLS_STATUS_LINK : 0) |
           vkdev_core_fw_code(s->core) << VKTLS_STATUS_FW_CODE_SHIFT;
}

static void ctrl_write(VkdevState *s, uint32_t value)
{
    if (value & ~(VKTLS_CTRL_RESET | VKTLS_CTRL_FW_LOAD | VKTLS_CTRL_FW_BOOT)) {
        bad_value("CTRL", value);
    }
    if (value & VKTLS_CTRL_RESET) {
        vkdev_reset(s);
    } else if (value & VKTLS_CTRL_FW_LOAD) {
        trace_vkdev_fw_load(s->regs.fw_len);
        vkdev_core_load(s->core, pair(s->regs.fw_lo, s->regs.fw_hi),
                        s->regs.fw_len);
    } else if (value & VKTLS_CTRL_FW_BOOT) {
        trace_vkdev_fw_boot(vkdev_core_boot(s->core));
    }
}

static uint32_t queues_read(VkdevState *s)
{
    return s->queues;
}

static uint32_t heartbeat_read(VkdevState *s)
{
    return vkdev_core_heartbeat(s->core);
}

static uint32_t fw_version_read(VkdevState *s)
{
    return vkdev_core_fw_version(s->core);
}

static uint32_t store_read(VkdevState *s)
{
    return vkdev_core_store_info(s->core);
}

static void store_op_write(VkdevState *s, uint32_t value)
{
    const VkdevRegs *r = &s->regs;

    trace_vkdev_store_op(value, r->fw_len,
                         vkdev_core_store_op(s->core, value,
                                             pair(r->fw_lo, r->fw_hi),
                                             r->fw_len));
}

static uint32_t store_result_read(VkdevState *s)
{
    return vkdev_core_store_result(s->core);
}

static uint32_t store_version_1_read(VkdevState *s)
{
    return vkdev_core_store_version(s->core, 1);
}

static uint32_t store_version_2_read(VkdevState *s)
{
    return vkdev_core_store_version(s->core, 2);
}

static uint32_t crash_pc_read(VkdevState *s)
{
    return vkdev_core_crash_get(s->core).pc;
}

static uint32_t crash_cause_read(VkdevState *s)
{
    return vkdev_core_crash_get(s->core).cause;
}

static uint32_t crash_value_read(VkdevState *s)
{
    return vkdev_core_crash_get(s->core).value;
}

static uint32_t test_fill(VkdevState *s, uint32_t *buf)
{
    const VkdevRegs *r = &s->regs;

    for (uint32_t n = 0; n < r->test_len / 4; n++) {
        buf[n] = cpu_to_le32(VKTLS_TEST_WORD(r->test_seed, n));
    }
    return vkdev_dma_write(s, pair(r->test_lo, r->test_hi), buf, r->test_len)
        ? VKTLS_ST_OK : VKTLS_ST_DMA;
}

static uint32_t test_check(VkdevState *s, uint32_t *buf)
{
    VkdevRegs *r = &s->regs;

    if (!vkdev_dma_read(s, pair(r->test_lo, r->test_hi), buf, r->test_len)) {
        return VKTLS_ST_DMA;
    }
    for (uint32_t n = 0; n < r->test_len / 4; n++) {
        if (le32_to_cpu(buf[n]) != VKTLS_TEST_WORD(r->test_seed, n)) {
            r->test_where = n * 4;
            return VKTLS_ST_PARAM;
        }
    }
    return VKTLS_ST_OK;
}

static uint32_t test_irq(VkdevState *s, uint32_t vector)
{
    if (vector >= s->vectors) {
        return VKTLS_ST_PARAM;
    }
    vkdev_irq_raise(s, vector);
    return VKTLS_ST_OK;
}

static uint32_t test_dma(VkdevState *s, bool fill)
{
    uint32_t len = s->regs.test_len;
    g_autofree uint32_t *buf = NULL;

    if (len % 4 || len > VKTLS_TEST_MAX_LEN) {
        return VKTLS_ST_LENGTH;
    }
    buf = g_malloc(len);
    return fill ? test_fill(s, buf) : test_check(s, buf);
}

static uint32_t test_run(VkdevState *s, uint32_t value)
{
    if (value & ~(VKTLS_TEST_OP | VKTLS_TEST_VECTOR)) {
        return VKTLS_ST_RESERVED;
    }
    switch (value & VKTLS_TEST_OP) {
    case VKTLS_TEST_FILL:
        return test_dma(s, true);
    case VKTLS_TEST_CHECK:
        return test_dma(s, false);
    case VKTLS_TEST_IRQ:
        return test_irq(s, (value & VKTLS_TEST_VECTOR) >>
                           VKTLS_TEST_VECTOR_SHIFT);
    default:
        return VKTLS_ST_OPCODE;
    }
}

static void test_op_write(VkdevState *s, uint32_t value)
{
    s->regs.test_where = 0;
    s->regs.test_result = test_run(s, value);
    trace_vkdev_test(value, s->regs.test_len, s->regs.test_result);
}

static void cmdq_log2_write(VkdevState *s, uint32_t value)
{
    VkdevRegs *r = &s->regs;

    if (!vkdev_core_cmdq_set(s->core, pair(r->cmdq_lo, r->cmdq_hi),
                             pair(r->cplq_lo, r->cplq_hi), value)) {
        bad_value("CMDQ_LOG2", value);
        r->cmdq_log2 = 0;
    }
}

static uint32_t cmdq_tail_read(VkdevState *s)
{
    return vkdev_core_cmdq_tail_get(s->core);
}

static void cmdq_tail_write(VkdevState *s, uint32_t value)
{
    s->stats[VKTLS_STAT_DOORBELLS]++;
    if (!vkdev_core_cmdq_doorbell(s->core, value)) {
        bad_value("CMDQ_TAIL", value);
    }
}

static void evtq_log2_write(VkdevState *s, uint32_t value)
{
    VkdevRegs *r = &s->regs;

    if (!vkdev_core_evtq_set(s->core, pair(r->evtq_lo, r->evtq_hi), value)) {
        bad_value("EVTQ_LOG2", value);
        r->evtq_log2 = 0;
    }
}

static uint32_t evtq_head_read(VkdevState *s)
{
    return vkdev_core_evtq_head_get(s->core);
}

static void evtq_head_write(VkdevState *s, uint32_t value)
{
    if (!vkdev_core_evtq_head(s->core, value)) {
        bad_value("EVTQ_HEAD", value);
        return;
    }
    vkdev_fault_event_taken(s);
}

#define HOLDS(name) (offsetof(VkdevRegs, name) + 1)

static const Reg regs[] = {
    [VKTLS_REG_MAGIC / 4] = { "MAGIC", .read = magic_read },
    [VKTLS_REG_ABI / 4] = { "ABI", .read = abi_read },
    [VKTLS_REG_STATUS / 4] = { "STATUS", .read = status_read },
    [VKTLS_REG_CTRL / 4] = { "CTRL", .write = ctrl_write },
    [VKTLS_REG_QUEUES / 4] = { "QUEUES", .read = queues_read },
    [VKTLS_REG_HEARTBEAT / 4] = { "HEARTBEAT", .read = heartbeat_read },
    [VKTLS_REG_FW_VERSION / 4] = { "FW_VERSION", .read = fw_version_read },
    [VKTLS_REG_FW_ADDR_LO / 4] = { "FW_ADDR_LO", HOLDS(fw_lo) },
    [VKTLS_REG_FW_ADDR_HI / 4] = { "FW_ADDR_HI", HOLDS(fw_hi) },
    [VKTLS_REG_FW_LEN / 4] = { "FW_LEN", HOLDS(fw_len) },
    [VKTLS_REG_STORE / 4] = { "STORE", .read = store_read },
    [VKTLS_REG_STORE_OP / 4] = { "STORE_OP", .write = store_op_write },
    [VKTLS_REG_STORE_RESULT / 4] = { "STORE_RESULT",
                                     .read = store_result_read },
    [VKTLS_REG_STORE_VERSION_1 / 4] = { "STORE_VERSION_1",
                                        .read = store_version_1_read },
    [VKTLS_REG_STORE_VERSION_2 / 4] = { "STORE_VERSION_2",
                                        .read = store_version_2_read },
    [VKTLS_REG_CRASH_PC / 4] = { "CRASH_PC", .read = crash_pc_read },
    [VKTLS_REG_CRASH_CAUSE / 4] = { "CRASH_CAUSE", .read = crash_cause_read },
    [VKTLS_REG_CRASH_VALUE / 4] = { "CRASH_VALUE", .read = crash_value_read },
    [VKTLS_REG_TEST_SCRATCH / 4] = { "TEST_SCRATCH", HOLDS(scratch) },
    [VKTLS_REG_TEST_ADDR_LO / 4] = { "TEST_ADDR_LO", HOLDS(test_lo) },
    [VKTLS_REG_TEST_ADDR_HI / 4] = { "TEST_ADDR_HI", HOLDS(test_hi) },
    [VKTLS_REG_TEST_LEN / 4] = { "TEST_LEN", HOLDS(test_len) },
    [VKTLS_REG_TEST_SEED / 4] = { "TEST_SEED", HOLDS(test_seed) },
    [VKTLS_REG_TEST_OP / 4] = { "TEST_OP", .write = test_op_write },
    [VKTLS_REG_TEST_RESULT / 4] = { "TEST_RESULT", HOLDS(test_result),
                                    .read_only = true },
    [VKTLS_REG_TEST_WHERE / 4] = { "TEST_WHERE", HOLDS(test_where),
                                   .read_only = true },
    [VKTLS_REG_CMDQ_ADDR_LO / 4] = { "CMDQ_ADDR_LO", HOLDS(cmdq_lo) },
    [VKTLS_REG_CMDQ_ADDR_HI / 4] = { "CMDQ_ADDR_HI", HOLDS(cmdq_hi) },
    [VKTLS_REG_CPLQ_ADDR_LO / 4] = { "CPLQ_ADDR_LO", HOLDS(cplq_lo) },
    [VKTLS_REG_CPLQ_ADDR_HI / 4] = { "CPLQ_ADDR_HI", HOLDS(cplq_hi) },
    [VKTLS_REG_CMDQ_LOG2 / 4] = { "CMDQ_LOG2", HOLDS(cmdq_log2),
                                  .write = cmdq_log2_write },
    [VKTLS_REG_CMDQ_TAIL / 4] = { "CMDQ_TAIL", .read = cmdq_tail_read,
                                  .write = cmdq_tail_write },
    [VKTLS_REG_EVTQ_ADDR_LO / 4] = { "EVTQ_ADDR_LO", HOLDS(evtq_lo) },
    [VKTLS_REG_EVTQ_ADDR_HI / 4] = { "EVTQ_ADDR_HI", HOLDS(evtq_hi) },
    [VKTLS_REG_EVTQ_LOG2 / 4] = { "EVTQ_LOG2", HOLDS(evtq_log2),
                                  .write = evtq_log2_write },
    [VKTLS_REG_EVTQ_HEAD / 4] = { "EVTQ_HEAD", .read = evtq_head_read,
                                  .write = evtq_head_write },
};

static uint32_t tx_tail_read(VkdevState *s, unsigned qp)
{
    return s->tx[qp].q.ring.tail;
}

static bool tx_tail_write(VkdevState *s, unsigned qp, uint32_t value)
{
    s->stats[VKTLS_STAT_DOORBELLS]++;
    if (!vkdev_ring_set_tail(&s->tx[qp].q.ring, value)) {
        return false;
    }
    vkdev_tx_kick(&s->tx[qp]);
    return true;
}

static uint32_t rx_tail_read(VkdevState *s, unsigned qp)
{
    return s->rx[qp].q.ring.tail;
}

static bool rx_tail_write(VkdevState *s, unsigned qp, uint32_t value)
{
    s->stats[VKTLS_STAT_DOORBELLS]++;
    if (!vkdev_ring_set_tail(&s->rx[qp].q.ring, value)) {
        return false;
    }
    vkdev_rx_kick(s);
    return true;
}

static uint32_t cq_read(const VkdevCq *cq)
{
    return cq->ring.head | (cq->armed ? VKTLS_CQ_ARM : 0);
}

static uint32_t tx_cq_read(VkdevState *s, unsigned qp)
{
    return cq_read(&s->tx[qp].q.cq);
}

static bool tx_cq_write(VkdevState *s, unsigned qp, uint32_t value)
{
    bool ok = vkdev_cq_set_head(&s->tx[qp].q.cq, value);

    vkdev_tx_kick(&s->tx[qp]);
    return ok;
}

static uint32_t rx_cq_read(VkdevState *s, unsigned qp)
{
    return cq_read(&s->rx[qp].q.cq);
}

static bool rx_cq_write(VkdevState *s, unsigned qp, uint32_t value)
{
    bool ok = vkdev_cq_set_head(&s->rx[qp].q.cq, value);

    vkdev_rx_kick(s);
    return ok;
}

static bool mod_write(VkdevCq *cq, uint32_t value)
{
    if ((value & ~(VKTLS_MOD_USECS | VKTLS_MOD_FRAMES)) ||
        (value & VKTLS_MOD_USECS) > VKTLS_MOD_USECS_MAX) {
        return false;
    }
    cq->mod = value;
    return true;
}

static uint32_t tx_mod_read(VkdevState *s, unsigned qp)
{
    return s->tx[qp].q.cq.mod;
}

static bool tx_mod_write(VkdevState *s, unsigned qp, uint32_t value)
{
    return mod_write(&s->tx[qp].q.cq, value);
}

static uint32_t rx_mod_read(VkdevState *s, unsigned qp)
{
    return s->rx[qp].q.cq.mod;
}

static bool rx_mod_write(VkdevState *s, unsigned qp, uint32_t value)
{
    return mod_write(&s->rx[qp].q.cq, value);
}

static const QpReg qp_regs[] = {
    [VKTLS_QP_TX_TAIL / 4] = { "TX_TAIL", tx_tail_read, tx_tail_write },
    [VKTLS_QP_RX_TAIL / 4] = { "RX_TAIL", rx_tail_read, rx_tail_write },
    [VKTLS_QP_TX_CQ / 4] = { "TX_CQ", tx_cq_read, tx_cq_write },
    [VKTLS_QP_RX_CQ / 4] = { "RX_CQ", rx_cq_read, rx_cq_write },
    [VKTLS_QP_TX_MOD / 4] = { "TX_MOD", tx_mod_read, tx_mod_write },
    [VKTLS_QP_RX_MOD / 4] = { "RX_MOD", rx_mod_read, rx_mod_write },
};

#define QP_STRIDE (VKTLS_REG_QP(1) - VKTLS_REG_QP(0))

static const Reg *reg_find(hwaddr addr)
{
    const Reg *reg = addr / 4 < ARRAY_SIZE(regs) ? &regs[addr / 4] : NULL;

    return reg && reg->name ? reg : NULL;
}

static const QpReg *qp_reg_find(VkdevState *s, hwaddr addr, unsigned *qp)
{
    hwaddr offset = addr - VKTLS_REG_QP(0);

    if (addr < VKTLS_REG_QP(0) || offset / QP_STRIDE >= s->queues ||
        offset % QP_STRIDE / 4 >= ARRAY_SIZE(qp_regs)) {
        return NULL;
    }
    *qp = offset / QP_STRIDE;
    return &qp_regs[offset % QP_STRIDE / 4];
}

static uint32_t *reg_field(VkdevState *s, const Reg *reg)
{
    return reg->field ? (uint32_t *)((char *)&s->regs + reg->field - 1) : NULL;
}

static uint32_t reg_read(VkdevState *s, const Reg *reg)
{
    uint32_t *field = reg_field(s, reg);

    if (reg->read) {
        return reg->read(s);
    }
    return field ? *field : 0;
}

static void reg_write(VkdevState *s, const Reg *reg, uint32_t value)
{
    uint32_t *field = reg_field(s, reg);

    if (reg->read_only || (!field && !reg->write)) {
        qemu_log_mask(LOG_GUEST_ERROR, "vktls: %s is read-only\n", reg->name);
        return;
    }
    if (field) {
        *field = value;
    }
    if (reg->write) {
        reg->write(s, value);
    }
}

static uint64_t mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    VkdevState *s = opaque;
    const Reg *reg = reg_find(addr);
    const QpReg *qp_reg;
    uint32_t value = 0;
    unsigned qp = 0;

    if (s->faults.gone) {
        return UINT32_MAX;
    }
    if (reg) {
        value = reg_read(s, reg);
        trace_vkdev_reg_read(reg->name, value);
        return value;
    }
    qp_reg = qp_reg_find(s, addr, &qp);
    if (qp_reg) {
        value = qp_reg->read(s, qp);
        trace_vkdev_qp_read(qp, qp_reg->name, value);
        return value;
    }
    qemu_log_mask(LOG_GUEST_ERROR, "vktls: read of no register at 0x%"
                  HWADDR_PRIx "\n", addr);
    return 0;
}

static void mmio_write(void *opaque, hwaddr addr, uint64_t value,
                       unsigned size)
{
    VkdevState *s = opaque;
    const Reg *reg = reg_find(addr);
    const QpReg *qp_reg;
    unsigned qp = 0;

    if (s->faults.gone) {
        return;
    }
    if (reg) {
        trace_vkdev_reg_write(reg->name, value);
        reg_write(s, reg, value);
        return;
    }
    qp_reg = qp_reg_find(s, addr, &qp);
    if (!qp_reg) {
        qemu_log_mask(LOG_GUEST_ERROR, "vktls: write to no register at 0x%"
                      HWADDR_PRIx "\n", addr);
        return;
    }
    trace_vkdev_qp_write(qp, qp_reg->name, value);
    if (!qp_reg->write(s, qp, value)) {
        bad_value(qp_reg->name, value);
    }
}

static const MemoryRegionOps mmio_ops = {
    .read = mmio_read,
    .write = mmio_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

void vkdev_mmio_init(VkdevState *s)
{
    memory_region_init_io(&s->bar, OBJECT(s), &mmio_ops, s, "vktls-regs",
                          VKTLS_BAR_REGS_SIZE);
    pci_register_bar(PCI_DEVICE(s), VKTLS_BAR_REGS,
                     PCI_BASE_ADDRESS_SPACE_MEMORY, &s->bar);
}

void vkdev_mmio_reset(VkdevState *s)
{
    memset(&s->regs, 0, sizeof(s->regs));
}
