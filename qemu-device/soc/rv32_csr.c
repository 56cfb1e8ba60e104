// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The core's machine-mode CSRs: which of them exist, their values, and their
 * writable bits. rv32.c checks access rights.
 */
#include "rv32.h"

enum {
    CSR_MSTATUS       = 0x300,
    CSR_MISA          = 0x301,
    CSR_MIE           = 0x304,
    CSR_MTVEC         = 0x305,
    CSR_MSTATUSH      = 0x310,
    CSR_MHPMEVENT3    = 0x323,
    CSR_MHPMEVENT31   = 0x33f,
    CSR_MSCRATCH      = 0x340,
    CSR_MEPC          = 0x341,
    CSR_MCAUSE        = 0x342,
    CSR_MTVAL         = 0x343,
    CSR_MIP           = 0x344,
    CSR_MCYCLE        = 0xb00,
    CSR_MINSTRET      = 0xb02,
    CSR_MHPMCOUNT3    = 0xb03,
    CSR_MHPMCOUNT31   = 0xb1f,
    CSR_MCYCLEH       = 0xb80,
    CSR_MINSTRETH     = 0xb82,
    CSR_MHPMCOUNT3H   = 0xb83,
    CSR_MHPMCOUNT31H  = 0xb9f,
    CSR_MVENDORID     = 0xf11,
    CSR_MCONFIGPTR    = 0xf15,
};

#define MSTATUS_MIE     (1u << 3)
#define MSTATUS_MPIE    (1u << 7)
#define MSTATUS_MPP_M   (3u << 11)
#define MISA_RV32IM     ((1u << 30) | (1u << ('I' - 'A')) | (1u << ('M' - 'A')))
#define IRQ_MASK        ((1u << VKDEV_RV32_IRQ_TIMER) | \
                         (1u << VKDEV_RV32_IRQ_EXTERNAL))

static bool csr_reads_zero(uint32_t csr)
{
    return csr == CSR_MSTATUSH ||
           (csr >= CSR_MHPMEVENT3 && csr <= CSR_MHPMEVENT31) ||
           (csr >= CSR_MHPMCOUNT3 && csr <= CSR_MHPMCOUNT31) ||
           (csr >= CSR_MHPMCOUNT3H && csr <= CSR_MHPMCOUNT31H) ||
           (csr >= CSR_MVENDORID && csr <= CSR_MCONFIGPTR);
}

static uint32_t mstatus_get(const VkdevRv32 *cpu)
{
    return MSTATUS_MPP_M | (cpu->mie_global ? MSTATUS_MIE : 0) |
           (cpu->mpie ? MSTATUS_MPIE : 0);
}

bool vkdev_rv32_csr_read(const VkdevRv32 *cpu, uint32_t csr, uint32_t *value)
{
    switch (csr) {
    case CSR_MSTATUS:
        *value = mstatus_get(cpu);
        return true;
    case CSR_MISA:
        *value = MISA_RV32IM;
        return true;
    case CSR_MIE:
        *value = cpu->mie;
        return true;
    case CSR_MTVEC:
        *value = cpu->mtvec;
        return true;
    case CSR_MSCRATCH:
        *value = cpu->mscratch;
        return true;
    case CSR_MEPC:
        *value = cpu->mepc;
        return true;
    case CSR_MCAUSE:
        *value = cpu->mcause;
        return true;
    case CSR_MTVAL:
        *value = cpu->mtval;
        return true;
    case CSR_MIP:
        *value = cpu->mip;
        return true;
    case CSR_MCYCLE:
        *value = cpu->mcycle;
        return true;
    case CSR_MINSTRET:
        *value = cpu->minstret;
        return true;
    case CSR_MCYCLEH:
        *value = cpu->mcycle >> 32;
        return true;
    case CSR_MINSTRETH:
        *value = cpu->minstret >> 32;
        return true;
    default:
        *value = 0;
        return csr_reads_zero(csr);
    }
}

/*
 * Write half of a counter. The counter is incremented after this write, by the
 * writing instruction itself, but the next instruction must read the written
 * value. So one less is stored.
 */
static void counter_write(uint64_t *counter, bool high, uint32_t value)
{
    uint64_t low = high ? (uint32_t)*counter : value;
    uint64_t top = high ? value : *counter >> 32;

    *counter = (top << 32 | low) - 1;
}

void vkdev_rv32_csr_write(VkdevRv32 *cpu, uint32_t csr, uint32_t value)
{
    switch (csr) {
    case CSR_MSTATUS:
        cpu->mie_global = value & MSTATUS_MIE;
        cpu->mpie = value & MSTATUS_MPIE;
        break;
    case CSR_MIE:
        cpu->mie = value & IRQ_MASK;
        break;
    case CSR_MTVEC:
        cpu->mtvec = value & ~2u;
        break;
    case CSR_MSCRATCH:
        cpu->mscratch = value;
        break;
    case CSR_MEPC:
        cpu->mepc = value & ~3u;
        break;
    case CSR_MCAUSE:
        cpu->mcause = value;
        break;
    case CSR_MTVAL:
        cpu->mtval = value;
        break;
    case CSR_MCYCLE:
    case CSR_MCYCLEH:
        counter_write(&cpu->mcycle, csr == CSR_MCYCLEH, value);
        break;
    case CSR_MINSTRET:
    case CSR_MINSTRETH:
        counter_write(&cpu->minstret, csr == CSR_MINSTRETH, value);
        break;
    }
}
