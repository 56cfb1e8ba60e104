// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RV32IM in machine mode: decode, execute, trap. Each encoding that is
 * reserved in the unprivileged (20191213) and privileged (20211203) manuals
 * raises an illegal instruction exception. This file knows neither the devices
 * on the bus nor the caller.
 */
#include <stddef.h>
#include <string.h>

#include "rv32.h"

enum {
    OP_LOAD     = 0x03,
    OP_MISC_MEM = 0x0f,
    OP_IMM      = 0x13,
    OP_AUIPC    = 0x17,
    OP_STORE    = 0x23,
    OP_REG      = 0x33,
    OP_LUI      = 0x37,
    OP_BRANCH   = 0x63,
    OP_JALR     = 0x67,
    OP_JAL      = 0x6f,
    OP_SYSTEM   = 0x73,
};

#define MCAUSE_IRQ      (1u << 31)

#define INSN_ECALL      0x00000073u
#define INSN_EBREAK     0x00100073u
#define INSN_MRET       0x30200073u
#define INSN_WFI        0x10500073u

/* Fields of an instruction. */

static inline uint32_t rd(uint32_t insn)
{
    return (insn >> 7) & 31;
}

static inline uint32_t rs1(uint32_t insn)
{
    return (insn >> 15) & 31;
}

static inline uint32_t rs2(uint32_t insn)
{
    return (insn >> 20) & 31;
}

static inline uint32_t funct3(uint32_t insn)
{
    return (insn >> 12) & 7;
}

static inline uint32_t funct7(uint32_t insn)
{
    return insn >> 25;
}

/*
 * Arithmetic shift right; in C the result of >> on a negative number depends
 * on the compiler.
 */
static inline uint32_t asr(uint32_t v, unsigned n)
{
    return v >> 31 ? ~(~v >> n) : v >> n;
}

static inline uint32_t imm_i(uint32_t insn)
{
    return asr(insn, 20);
}

static inline uint32_t imm_s(uint32_t insn)
{
    return (asr(insn, 20) & ~31u) | rd(insn);
}

static inline uint32_t imm_b(uint32_t insn)
{
    return (asr(insn, 19) & ~0xfffu) | ((insn << 4) & 0x800) |
           ((insn >> 20) & 0x7e0) | ((insn >> 7) & 0x1e);
}

static inline uint32_t imm_j(uint32_t insn)
{
    return (asr(insn, 11) & ~0xfffffu) | (insn & 0xff000) |
           ((insn >> 9) & 0x800) | ((insn >> 20) & 0x7fe);
}

static inline void set_rd(VkdevRv32 *cpu, uint32_t insn, uint32_t value)
{
    if (rd(insn)) {
        cpu->x[rd(insn)] = value;
    }
}

/* Traps. */

static void crash(VkdevRv32 *cpu, uint32_t cause, uint32_t tval)
{
    cpu->state = VKDEV_RV32_CRASHED;
    cpu->crash_pc = cpu->pc;
    cpu->crash_cause = cause;
    cpu->crash_tval = tval;
}

static void trap_enter(VkdevRv32 *cpu, uint32_t cause, uint32_t tval)
{
    if (cpu->in_trap || cpu->mtvec < 4) {
        crash(cpu, cause, tval);
        return;
    }
    cpu->in_trap = true;
    cpu->mepc = cpu->pc;
    cpu->mcause = cause;
    cpu->mtval = tval;
    cpu->mpie = cpu->mie_global;
    cpu->mie_global = false;
    cpu->pc = cpu->mtvec & ~3u;
    if ((cpu->mtvec & 1) && (cause & MCAUSE_IRQ)) {
        cpu->pc += 4 * (cause & ~MCAUSE_IRQ);
    }
}

/* Raise an exception for the current instruction, which does not retire. */
static bool raise(VkdevRv32 *cpu, VkdevRv32Cause cause, uint32_t tval)
{
    trap_enter(cpu, cause, tval);
    return false;
}

static bool illegal(VkdevRv32 *cpu, uint32_t insn)
{
    return raise(cpu, VKDEV_RV32_ILLEGAL, insn);
}

/*
 * Wake the core from wfi, and take the pending interrupt with the highest
 * priority; external comes before timer.
 */
static void irq_poll(VkdevRv32 *cpu)
{
    uint32_t pending = cpu->mip & cpu->mie;
    uint32_t line;

    if (cpu->state == VKDEV_RV32_WAITING) {
        cpu->state = VKDEV_RV32_RUNNING;
    }
    if (!cpu->mie_global || cpu->in_trap) {
        return;
    }
    line = pending & (1u << VKDEV_RV32_IRQ_EXTERNAL) ?
           VKDEV_RV32_IRQ_EXTERNAL : VKDEV_RV32_IRQ_TIMER;
    trap_enter(cpu, MCAUSE_IRQ | line, 0);
}

/* Memory accesses. */

/*
 * Return the address of a byte in the core's memory window, or NULL. An
 * aligned access that begins in the window also ends in it, as the window's
 * size is a multiple of 4 bytes.
 */
static inline uint8_t *ram_at(VkdevRv32 *cpu, uint32_t addr)
{
    uint32_t off = addr - cpu->ram_base;

    return off < cpu->ram_size ? cpu->ram + off : NULL;
}

static inline uint32_t get_le(const uint8_t *p, unsigned width)
{
    uint32_t v = p[0];

    if (width >= 2) {
        v |= (uint32_t)p[1] << 8;
    }
    if (width == 4) {
        v |= (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    return v;
}

static inline void put_le(uint8_t *p, unsigned width, uint32_t v)
{
    p[0] = v;
    if (width >= 2) {
        p[1] = v >> 8;
    }
    if (width == 4) {
        p[2] = v >> 16;
        p[3] = v >> 24;
    }
}

static inline bool mem_load(VkdevRv32 *cpu, uint32_t addr, unsigned width,
                            uint32_t *value)
{
    const uint8_t *p;

    if (addr & (width - 1)) {
        return raise(cpu, VKDEV_RV32_LOAD_MISALIGNED, addr);
    }
    p = ram_at(cpu, addr);
    if (p) {
        *value = get_le(p, width);
        return true;
    }
    if (!cpu->bus->load(cpu->opaque, addr, width, value)) {
        return raise(cpu, VKDEV_RV32_LOAD_FAULT, addr);
    }
    return true;
}

static inline bool mem_store(VkdevRv32 *cpu, uint32_t addr, unsigned width,
                             uint32_t value)
{
    uint8_t *p;

    if (addr & (width - 1)) {
        return raise(cpu, VKDEV_RV32_STORE_MISALIGNED, addr);
    }
    p = ram_at(cpu, addr);
    if (p) {
        put_le(p, width, value);
        return true;
    }
    if (!cpu->bus->store(cpu->opaque, addr, width, value)) {
        return raise(cpu, VKDEV_RV32_STORE_FAULT, addr);
    }
    return true;
}

/*
 * Execution. Each exec function advances the pc and returns true if the
 * instruction retires.
 */

static inline bool next(VkdevRv32 *cpu)
{
    cpu->pc += 4;
    return true;
}

/*
 * Jump to @target, which must be a multiple of 4: the core has no compressed
 * instructions.
 */
static inline bool jump(VkdevRv32 *cpu, uint32_t target)
{
    if (target & 3) {
        return raise(cpu, VKDEV_RV32_FETCH_MISALIGNED, target);
    }
    cpu->pc = target;
    return true;
}

static inline bool exec_load(VkdevRv32 *cpu, uint32_t insn)
{
    uint32_t addr = cpu->x[rs1(insn)] + imm_i(insn);
    unsigned width = 1u << (funct3(insn) & 3);
    bool is_unsigned = funct3(insn) & 4;
    uint32_t value = 0;

    if (width == 8 || (is_unsigned && width == 4)) {
        return illegal(cpu, insn);
    }
    if (!mem_load(cpu, addr, width, &value)) {
        return false;
    }
    if (width == 1) {
        value &= 0xff;
    } else if (width == 2) {
        value &= 0xffff;
    }
    if (!is_unsigned && width < 4) {
        value = asr(value << (32 - 8 * width), 32 - 8 * width);
    }
    set_rd(cpu, insn, value);
    return next(cpu);
}

static inline bool exec_store(VkdevRv32 *cpu, uint32_t insn)
{
    uint32_t addr = cpu->x[rs1(insn)] + imm_s(insn);
    uint32_t value = cpu->x[rs2(insn)];

    if (funct3(insn) > 2) {
        return illegal(cpu, insn);
    }
    if (!mem_store(cpu, addr, 1u << funct3(insn), value)) {
        return false;
    }
    return next(cpu);
}

static inline bool exec_branch(VkdevRv32 *cpu, uint32_t insn)
{
    uint32_t a = cpu->x[rs1(insn)];
    uint32_t b = cpu->x[rs2(insn)];
    bool taken;

    switch (funct3(insn) >> 1) {
    case 0: /* beq, bne */
        taken = a == b;
        break;
    case 2: /* blt, bge */
        taken = (int32_t)a < (int32_t)b;
        break;
    case 3: /* bltu, bgeu */
        taken = a < b;
        break;
    default:
        return illegal(cpu, insn);
    }
    if (funct3(insn) & 1) {
        taken = !taken;
    }
    return taken ? jump(cpu, cpu->pc + imm_b(insn)) : next(cpu);
}

static inline bool exec_jump(VkdevRv32 *cpu, uint32_t insn, uint32_t target)
{
    uint32_t link = cpu->pc + 4;

    if (!jump(cpu, target)) {
        return false;
    }
    set_rd(cpu, insn, link);
    return true;
}

static inline bool exec_jalr(VkdevRv32 *cpu, uint32_t insn)
{
    if (funct3(insn)) {
        return illegal(cpu, insn);
    }
    return exec_jump(cpu, insn, (cpu->x[rs1(insn)] + imm_i(insn)) & ~1u);
}

/*
 * The eight integer operations. With @alt, add becomes sub and srl becomes
 * sra.
 */
static inline uint32_t alu(unsigned op, bool alt, uint32_t a, uint32_t b)
{
    switch (op) {
    case 0:
        return alt ? a - b : a + b;
    case 1:
        return a << (b & 31);
    case 2:
        return (int32_t)a < (int32_t)b;
    case 3:
        return a < b;
    case 4:
        return a ^ b;
    case 5:
        return alt ? asr(a, b & 31) : a >> (b & 31);
    case 6:
        return a | b;
    default:
        return a & b;
    }
}

static inline bool exec_op_imm(VkdevRv32 *cpu, uint32_t insn)
{
    unsigned op = funct3(insn);
    bool is_shift = op == 1 || op == 5;
    bool alt = op == 5 && funct7(insn) == 0x20;

    if (is_shift && !alt && funct7(insn)) {
        return illegal(cpu, insn);
    }
    set_rd(cpu, insn, alu(op, alt, cpu->x[rs1(insn)], imm_i(insn)));
    return next(cpu);
}

/*
 * Division and remainder. They never trap: division by zero and overflow have
 * results that the manual defines.
 */
static uint32_t divide(unsigned op, uint32_t a, uint32_t b)
{
    bool overflow = a == 0x80000000u && b == 0xffffffffu;

    switch (op) {
    case 4:
        return !b ? ~0u : overflow ? a : (uint32_t)((int32_t)a / (int32_t)b);
    case 5:
        return !b ? ~0u : a / b;
    case 6:
        return !b ? a : overflow ? 0 : (uint32_t)((int32_t)a % (int32_t)b);
    default:
        return !b ? a : a % b;
    }
}

static uint32_t muldiv(unsigned op, uint32_t a, uint32_t b)
{
    switch (op) {
    case 0:
        return a * b;
    case 1:
        return (uint64_t)((int64_t)(int32_t)a * (int32_t)b) >> 32;
    case 2:
        return (uint64_t)((int64_t)(int32_t)a * (int64_t)(uint64_t)b) >> 32;
    case 3:
        return ((uint64_t)a * b) >> 32;
    default:
        return divide(op, a, b);
    }
}

static inline bool exec_op_reg(VkdevRv32 *cpu, uint32_t insn)
{
    uint32_t a = cpu->x[rs1(insn)];
    uint32_t b = cpu->x[rs2(insn)];
    unsigned op = funct3(insn);
    uint32_t f7 = funct7(insn);

    if (f7 == 1) {
        set_rd(cpu, insn, muldiv(op, a, b));
    } else if (f7 == 0 || (f7 == 0x20 && (op == 0 || op == 5))) {
        set_rd(cpu, insn, alu(op, f7, a, b));
    } else {
        return illegal(cpu, insn);
    }
    return next(cpu);
}

/*
 * fence and fence.i do nothing: there is one hart and no cache. Their other
 * fields are reserved for finer fences and ignored, as the manual requires.
 */
static inline bool exec_misc_mem(VkdevRv32 *cpu, uint32_t insn)
{
    return funct3(insn) > 1 ? illegal(cpu, insn) : next(cpu);
}

static bool exec_csr(VkdevRv32 *cpu, uint32_t insn)
{
    uint32_t csr = insn >> 20;
    unsigned op = funct3(insn) & 3;
    uint32_t arg = funct3(insn) & 4 ? rs1(insn) : cpu->x[rs1(insn)];
    bool writes = op == 1 || rs1(insn);
    bool read_only = csr >> 10 == 3;
    uint32_t old;

    if (!op || !vkdev_rv32_csr_read(cpu, csr, &old) || (writes && read_only)) {
        return illegal(cpu, insn);
    }
    if (writes) {
        vkdev_rv32_csr_write(cpu, csr,
                             op == 1 ? arg : op == 2 ? old | arg : old & ~arg);
    }
    set_rd(cpu, insn, old);
    return next(cpu);
}

static bool exec_mret(VkdevRv32 *cpu)
{
    cpu->mie_global = cpu->mpie;
    cpu->mpie = true;
    cpu->in_trap = false;
    cpu->pc = cpu->mepc;
    return true;
}

static bool exec_wfi(VkdevRv32 *cpu)
{
    if (!(cpu->mip & cpu->mie)) {
        cpu->state = VKDEV_RV32_WAITING;
    }
    return next(cpu);
}

static bool exec_system(VkdevRv32 *cpu, uint32_t insn)
{
    if (funct3(insn)) {
        return exec_csr(cpu, insn);
    }
    switch (insn) {
    case INSN_ECALL:
        return raise(cpu, VKDEV_RV32_ECALL_M, 0);
    case INSN_EBREAK:
        return raise(cpu, VKDEV_RV32_BREAKPOINT, cpu->pc);
    case INSN_MRET:
        return exec_mret(cpu);
    case INSN_WFI:
        return exec_wfi(cpu);
    default:
        return illegal(cpu, insn);
    }
}

static inline bool exec(VkdevRv32 *cpu, uint32_t insn)
{
    switch (insn & 0x7f) {
    case OP_LOAD:
        return exec_load(cpu, insn);
    case OP_MISC_MEM:
        return exec_misc_mem(cpu, insn);
    case OP_IMM:
        return exec_op_imm(cpu, insn);
    case OP_AUIPC:
        set_rd(cpu, insn, cpu->pc + (insn & ~0xfffu));
        return next(cpu);
    case OP_STORE:
        return exec_store(cpu, insn);
    case OP_REG:
        return exec_op_reg(cpu, insn);
    case OP_LUI:
        set_rd(cpu, insn, insn & ~0xfffu);
        return next(cpu);
    case OP_BRANCH:
        return exec_branch(cpu, insn);
    case OP_JALR:
        return exec_jalr(cpu, insn);
    case OP_JAL:
        return exec_jump(cpu, insn, cpu->pc + imm_j(insn));
    case OP_SYSTEM:
        return exec_system(cpu, insn);
    default:
        return illegal(cpu, insn);
    }
}

static inline void step(VkdevRv32 *cpu)
{
    const uint8_t *p = ram_at(cpu, cpu->pc);
    bool retired;

    if (p) {
        retired = exec(cpu, get_le(p, 4));
    } else {
        retired = raise(cpu, VKDEV_RV32_FETCH_FAULT, cpu->pc);
    }
    cpu->mcycle++;
    cpu->minstret += retired;
}

void vkdev_rv32_init(VkdevRv32 *cpu, uint8_t *ram, uint32_t ram_base,
                     uint32_t ram_size, const VkdevRv32Bus *bus, void *opaque)
{
    cpu->ram = ram;
    cpu->ram_base = ram_base;
    cpu->ram_size = ram_size;
    cpu->bus = bus;
    cpu->opaque = opaque;
    vkdev_rv32_reset(cpu, ram_base);
}

void vkdev_rv32_reset(VkdevRv32 *cpu, uint32_t pc)
{
    memset(cpu, 0, offsetof(VkdevRv32, ram));
    cpu->pc = pc & ~3u;
    cpu->state = VKDEV_RV32_RUNNING;
}

void vkdev_rv32_set_irq(VkdevRv32 *cpu, VkdevRv32Irq irq, bool level)
{
    if (level) {
        cpu->mip |= 1u << irq;
    } else {
        cpu->mip &= ~(1u << irq);
    }
}

uint32_t vkdev_rv32_run(VkdevRv32 *cpu, uint32_t budget)
{
    uint32_t done = 0;

    cpu->charged = 0;
    while (done + cpu->charged < budget &&
           cpu->state != VKDEV_RV32_CRASHED) {
        if (cpu->mip & cpu->mie) {
            irq_poll(cpu);
        }
        if (cpu->state != VKDEV_RV32_RUNNING) {
            break;
        }
        step(cpu);
        done++;
    }
    return done;
}

void vkdev_rv32_charge(VkdevRv32 *cpu, uint32_t count)
{
    cpu->charged += count;
}
