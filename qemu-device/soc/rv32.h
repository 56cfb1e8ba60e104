/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RV32IM interpreter, machine mode only: the CPU of the embedded core.
 *
 * Pure C: no QEMU and no kernel header, no allocation, no global state, so
 * that host unit tests run the same code as the device.
 */
#ifndef VKDEV_RV32_H
#define VKDEV_RV32_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Interrupt lines. The value is the bit number in mip and mie, and the code in
 * mcause.
 */
typedef enum VkdevRv32Irq {
    VKDEV_RV32_IRQ_TIMER    = 7,
    VKDEV_RV32_IRQ_EXTERNAL = 11,
} VkdevRv32Irq;

/* Synchronous exceptions. The value is the code in mcause. */
typedef enum VkdevRv32Cause {
    VKDEV_RV32_FETCH_MISALIGNED = 0,
    VKDEV_RV32_FETCH_FAULT      = 1,
    VKDEV_RV32_ILLEGAL          = 2,
    VKDEV_RV32_BREAKPOINT       = 3,
    VKDEV_RV32_LOAD_MISALIGNED  = 4,
    VKDEV_RV32_LOAD_FAULT       = 5,
    VKDEV_RV32_STORE_MISALIGNED = 6,
    VKDEV_RV32_STORE_FAULT      = 7,
    VKDEV_RV32_ECALL_M          = 11,
} VkdevRv32Cause;

typedef enum VkdevRv32State {
    VKDEV_RV32_RUNNING,
    VKDEV_RV32_WAITING,     /* waits in wfi for an enabled interrupt */
    VKDEV_RV32_CRASHED,     /* a trap could not be handled; a reset is needed */
} VkdevRv32State;

/*
 * The core's bus: everything outside the memory window. load and store get
 * naturally aligned addresses and a width of 1, 2 or 4 bytes, and return false
 * for an access fault. They may raise and lower interrupt lines.
 */
typedef struct VkdevRv32Bus {
    bool (*load)(void *opaque, uint32_t addr, unsigned width, uint32_t *value);
    bool (*store)(void *opaque, uint32_t addr, unsigned width, uint32_t value);
} VkdevRv32Bus;

typedef struct VkdevRv32 {
    uint32_t x[32];
    uint32_t pc;
    VkdevRv32State state;

    /* Machine-mode CSRs. CSRs that are constant are not stored. */
    bool mie_global;        /* mstatus.MIE */
    bool mpie;              /* mstatus.MPIE */
    bool in_trap;           /* true from trap entry to mret */
    uint32_t mie;
    uint32_t mip;
    uint32_t mtvec;
    uint32_t mscratch;
    uint32_t mepc;
    uint32_t mcause;
    uint32_t mtval;
    uint64_t mcycle;
    uint64_t minstret;

    /* Reason of a crash; valid while state is VKDEV_RV32_CRASHED. */
    uint32_t crash_pc;
    uint32_t crash_cause;
    uint32_t crash_tval;

    /* The memory window. Instructions are fetched only from it. */
    uint8_t *ram;
    uint32_t ram_base;
    uint32_t ram_size;

    const VkdevRv32Bus *bus;
    void *opaque;

    uint64_t charged;   /* instructions added by vkdev_rv32_charge() */
} VkdevRv32;

/**
 * vkdev_rv32_init() - connect a core to its memory and bus, in reset
 * @cpu: the core; its former content is ignored
 * @ram: backing store of the memory window, little-endian, at least @ram_size
 * bytes; must stay valid as long as the core runs
 * @ram_base: address of the window as the core sees it, multiple of 4
 * @ram_size: bytes, multiple of 4
 * @bus: callbacks for everything outside the window
 * @opaque: passed to the callbacks
 */
void vkdev_rv32_init(VkdevRv32 *cpu, uint8_t *ram, uint32_t ram_base,
                     uint32_t ram_size, const VkdevRv32Bus *bus, void *opaque);

/**
 * vkdev_rv32_reset() - clear registers and CSRs, and start at @pc
 */
void vkdev_rv32_reset(VkdevRv32 *cpu, uint32_t pc);

/**
 * vkdev_rv32_set_irq() - set the level of an interrupt line
 */
void vkdev_rv32_set_irq(VkdevRv32 *cpu, VkdevRv32Irq irq, bool level);

/**
 * vkdev_rv32_run() - execute one slice
 * @budget: maximum of instructions, trapping ones included
 *
 * Stops early in wfi with nothing pending, and when the core crashes. The core
 * crashes on a trap while the base in mtvec is 0, and on an exception between
 * trap entry and mret, because firmware that faults in its trap handler would
 * loop for ever. Between trap entry and mret no interrupt is taken either,
 * even if mstatus.MIE is set.
 *
 * Return: number of instructions executed; at most @budget minus the
 * instructions charged.
 */
uint32_t vkdev_rv32_run(VkdevRv32 *cpu, uint32_t budget);

/**
 * vkdev_rv32_charge() - shorten the current slice by @count instructions
 *
 * For a bus access that takes the host longer than one instruction. The charge
 * does not appear in the core's counters.
 */
void vkdev_rv32_charge(VkdevRv32 *cpu, uint32_t count);

/**
 * vkdev_rv32_csr_read() - read a CSR by its number
 *
 * Return: false if the core has no such CSR.
 */
bool vkdev_rv32_csr_read(const VkdevRv32 *cpu, uint32_t csr, uint32_t *value);

/**
 * vkdev_rv32_csr_write() - write a CSR as the csrrw instruction does
 *
 * Only legal values are kept (WARL). A write to a constant CSR is ignored.
 */
void vkdev_rv32_csr_write(VkdevRv32 *cpu, uint32_t csr, uint32_t value);

#endif
