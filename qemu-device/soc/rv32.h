/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RV32IM interpreter, machine mode only: the core inside the vktls device.
 *
 * Pure C: no QEMU and no kernel header, no allocation, no global state, so
 * that it runs in host unit tests as it runs in the device.
 */
#ifndef VKDEV_RV32_H
#define VKDEV_RV32_H

#include <stdbool.h>
#include <stdint.h>

/* Interrupt lines; the value is the bit in mip and mie, and the mcause code. */
typedef enum VkdevRv32Irq {
    VKDEV_RV32_IRQ_TIMER    = 7,
    VKDEV_RV32_IRQ_EXTERNAL = 11,
} VkdevRv32Irq;

/* Synchronous exceptions: the mcause codes of the privileged architecture. */
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
    VKDEV_RV32_WAITING,     /* in wfi, until an enabled line is pending */
    VKDEV_RV32_CRASHED,     /* a trap that nothing handles; only reset leaves */
} VkdevRv32State;

/*
 * The core's bus: everything outside its memory window. Both callbacks get
 * naturally aligned addresses and a width of 1, 2 or 4 bytes, and return
 * false for an access fault. They may raise and lower interrupt lines.
 */
typedef struct VkdevRv32Bus {
    bool (*load)(void *opaque, uint32_t addr, unsigned width, uint32_t *value);
    bool (*store)(void *opaque, uint32_t addr, unsigned width, uint32_t value);
} VkdevRv32Bus;

typedef struct VkdevRv32 {
    uint32_t x[32];
    uint32_t pc;
    VkdevRv32State state;

    /* Machine CSRs; the read-only ones are not stored. */
    bool mie_global;        /* mstatus.MIE */
    bool mpie;              /* mstatus.MPIE */
    bool in_trap;           /* from trap entry to mret; see vkdev_rv32_run() */
    uint32_t mie;
    uint32_t mip;
    uint32_t mtvec;
    uint32_t mscratch;
    uint32_t mepc;
    uint32_t mcause;
    uint32_t mtval;
    uint64_t mcycle;
    uint64_t minstret;

    /* Why it crashed: valid while state is VKDEV_RV32_CRASHED. */
    uint32_t crash_pc;
    uint32_t crash_cause;
    uint32_t crash_tval;

    /* Memory window: the only place instructions are fetched from. */
    uint8_t *ram;
    uint32_t ram_base;
    uint32_t ram_size;

    const VkdevRv32Bus *bus;
    void *opaque;

    uint64_t charged;   /* instructions charged in this slice */
} VkdevRv32;

/**
 * vkdev_rv32_init() - tie a core to its memory and bus, leave it in reset
 * @cpu: the core; its former content is ignored
 * @ram: backing store of the memory window, little-endian, at least
 *       @ram_size bytes, alive as long as the core runs
 * @ram_base: address of the window on the core's side, multiple of 4
 * @ram_size: bytes, multiple of 4
 * @bus: everything outside the window
 * @opaque: passed to the callbacks
 */
void vkdev_rv32_init(VkdevRv32 *cpu, uint8_t *ram, uint32_t ram_base,
                     uint32_t ram_size, const VkdevRv32Bus *bus, void *opaque);

/**
 * vkdev_rv32_reset() - registers and CSRs to zero, lines low, running at @pc
 */
void vkdev_rv32_reset(VkdevRv32 *cpu, uint32_t pc);

/**
 * vkdev_rv32_set_irq() - level of one interrupt line
 */
void vkdev_rv32_set_irq(VkdevRv32 *cpu, VkdevRv32Irq irq, bool level);

/**
 * vkdev_rv32_run() - execute one slice
 * @budget: at most this many instructions, trapping ones included
 *
 * Stops early in wfi with nothing pending, and when the core crashes. It
 * crashes on a trap while mtvec's base is 0 and on an exception between trap
 * entry and mret: firmware that faults in its fault handler would loop for
 * ever. No interrupt is taken in between either, even with mstatus.MIE set.
 *
 * Return: instructions executed, fewer by those that were charged.
 */
uint32_t vkdev_rv32_run(VkdevRv32 *cpu, uint32_t budget);

/**
 * vkdev_rv32_charge() - shorten the slice under way by @count instructions
 *
 * For a bus access that takes the host longer than an instruction. The core's
 * counters do not show the charge.
 */
void vkdev_rv32_charge(VkdevRv32 *cpu, uint32_t count);

/**
 * vkdev_rv32_csr_read() - a CSR by its number, as the core sees it
 *
 * Return: false when the core has no such CSR.
 */
bool vkdev_rv32_csr_read(const VkdevRv32 *cpu, uint32_t csr, uint32_t *value);

/**
 * vkdev_rv32_csr_write() - write a CSR as the csrrw instruction does
 *
 * Keeps legal values only (WARL); a CSR that is a constant ignores it.
 */
void vkdev_rv32_csr_write(VkdevRv32 *cpu, uint32_t csr, uint32_t value);

#endif
