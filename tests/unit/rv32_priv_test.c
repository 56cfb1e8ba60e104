// SPDX-License-Identifier: GPL-2.0-only
/*
 * The privileged part of the interpreter against the manual: exceptions, illegal encodings,
 * CSRs, interrupts, wfi, and the traps at which the core crashes.
 */
#include "ktap.h"
#include "prng.h"
#include "rv32_asm.h"
#include "rv32_rig.h"

/* True if the instruction trapped to the handler, did not retire, and left rd unchanged. */
static bool trapped(uint32_t cause, uint32_t tval)
{
	return cpu.pc == HANDLER && cpu.mcause == cause && cpu.mtval == tval &&
	       cpu.mepc == CODE && cpu.minstret == 0 && cpu.x[3] == 0xdeadbeef;
}

static const struct trap_case {
	const char *name;
	uint32_t insn;
	uint32_t a;
	uint32_t cause, tval;
} trap_cases[] = {
	{ "ecall", ECALL, 0, 11, 0 },
	{ "ebreak", EBREAK, 0, 3, CODE },
	{ "jal misaligned", JAL(3, 2), 0, 0, CODE + 2 },
	{ "jalr misaligned", JALR(3, 1, 0), CODE + 2, 0, CODE + 2 },
	{ "branch misaligned when taken", BEQ(0, 0, 6), 0, 0, CODE + 6 },
	{ "lw misaligned by 1", LW(3, 1, 1), DATA, 4, DATA + 1 },
	{ "lw misaligned by 2", LW(3, 1, 2), DATA, 4, DATA + 2 },
	{ "lh misaligned", LH(3, 1, 1), DATA, 4, DATA + 1 },
	{ "lhu misaligned", LHU(3, 1, 3), DATA, 4, DATA + 3 },
	{ "sw misaligned", SW(2, 1, 2), DATA, 6, DATA + 2 },
	{ "sh misaligned", SH(2, 1, 1), DATA, 6, DATA + 1 },
	{ "misaligned before fault", LW(3, 1, 1), NOWHERE, 4, NOWHERE + 1 },
	{ "lw faults on the bus", LW(3, 1, 0), NOWHERE, 5, NOWHERE },
	{ "lb faults at address 0", LB(3, 0, 0), 0, 5, 0 },
	{ "lw faults past the window", LW(3, 1, 0), RAM_BASE + RAM_SIZE, 5, RAM_BASE + RAM_SIZE },
	{ "lw faults below the window", LW(3, 1, 0), RAM_BASE - 4, 5, RAM_BASE - 4 },
	{ "sw faults on the bus", SW(2, 1, 0), NOWHERE, 7, NOWHERE },
	{ "sb faults at the last address", SB(2, 0, -1), 0, 7, 0xffffffff },
	{ "load to x0 still faults", LW(0, 1, 0), NOWHERE, 5, NOWHERE },
};

static void test_trap(void)
{
	const struct trap_case *c;

	for (size_t i = 0; i < ARRAY_SIZE(trap_cases); i++) {
		c = &trap_cases[i];
		setup(c->insn, c->a, 0);
		vkdev_rv32_run(&cpu, 1);
		ktap_check(trapped(c->cause, c->tval), c->name);
	}
}

static void test_fetch_fault(void)
{
	setup(JALR(3, 1, 0), NOWHERE, 0);
	vkdev_rv32_run(&cpu, 2);
	ktap_check(cpu.pc == HANDLER && cpu.mcause == 1 && cpu.mtval == NOWHERE &&
		   cpu.mepc == NOWHERE && cpu.x[3] == CODE + 4, "fetch faults outside the window");
	setup(JALR(3, 1, 0), MMIO, 0);
	vkdev_rv32_run(&cpu, 2);
	ktap_check(cpu.mcause == 1 && mmio.loads == 0, "registers are not executable");
}

static void test_vectored_exception(void)
{
	setup(ECALL, 0, 0);
	cpu.mtvec = HANDLER | 1;
	vkdev_rv32_run(&cpu, 1);
	ktap_check(trapped(11, 0), "exceptions go to the base of a vectored mtvec");
}

static const struct {
	const char *name;
	uint32_t insn;
} illegal_cases[] = {
	{ "all zero", 0x00000000 },
	{ "all ones", 0xffffffff },
	{ "compressed encoding", ADDI(3, 1, 1) & ~3u },
	{ "48-bit encoding", 0x0000001f },
	{ "load of 8 bytes", LW(3, 1, 0) | F3(1) },
	{ "load lwu", LBU(3, 1, 0) | F3(2) },
	{ "load funct3 7", LBU(3, 1, 0) | F3(3) },
	{ "store of 8 bytes", SB(2, 1, 0) | F3(3) },
	{ "store funct3 4", SB(2, 1, 0) | F3(4) },
	{ "store funct3 7", SB(2, 1, 0) | F3(7) },
	{ "branch funct3 2", BEQ(1, 2, 8) | F3(2) },
	{ "branch funct3 3", BEQ(1, 2, 8) | F3(3) },
	{ "jalr funct3 1", JALR(3, 1, 0) | F3(1) },
	{ "slli of 32", SLLI(3, 1, 0) | F7(1) },
	{ "srai of 32", SRAI(3, 1, 0) | F7(1) },
	{ "slli with the arithmetic bit", SLLI(3, 1, 1) | F7(0x20) },
	{ "op funct7 2", ADD(3, 1, 2) | F7(2) },
	{ "arithmetic bit on and", AND(3, 1, 2) | F7(0x20) },
	{ "arithmetic bit on mul", MUL(3, 1, 2) | F7(0x20) },
	{ "misc-mem funct3 2", FENCE(0) | F3(2) },
	{ "opcode amo", 0x0000202f },
	{ "opcode load-fp", 0x00002007 },
	{ "opcode custom-0", 0x0000000b },
	{ "opcode op-32", 0x0000003b },
	{ "ecall with rd", ECALL | RD(1) },
	{ "ebreak with rs1", EBREAK | RS1(1) },
	{ "uret", 0x00200073 },
	{ "sret", 0x10200073 },
	{ "mret with rd", MRET | RD(1) },
	{ "wfi with rs1", WFI | RS1(1) },
	{ "sfence.vma", 0x12000073 },
	{ "system funct3 4", ECALL | F3(4) },
	{ "csr that is not there", CSRRS(3, 0x7c0, 0) },
	{ "csr of a supervisor", CSRRS(3, 0x100, 0) },
	{ "csr medeleg without modes to delegate to", CSRRS(3, 0x302, 0) },
	{ "csr pmpcfg0", CSRRS(3, 0x3a0, 0) },
	{ "csr cycle", CSRRS(3, 0xc00, 0) },
	{ "csrrw to a read-only csr", CSRRW(3, CSR_MHARTID, 1) },
	{ "csrrs with bits to a read-only csr", CSRRS(3, CSR_MHARTID, 1) },
	{ "csrrci with bits to a read-only csr", CSRRCI(3, CSR_MHARTID, 1) },
};

static void test_illegal(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(illegal_cases); i++) {
		setup(illegal_cases[i].insn, DATA, 0);
		vkdev_rv32_run(&cpu, 1);
		ktap_check(trapped(2, illegal_cases[i].insn), illegal_cases[i].name);
	}
}

/* Return whether an encoding is legal, by opcode, funct3 and funct7. */
static bool legal(unsigned int op, unsigned int f3, unsigned int f7)
{
	switch (op) {
	case 0x03:
		return 0x37 >> f3 & 1;
	case 0x0f:
		return f3 <= 1;
	case 0x13:
		return (f3 != 1 && f3 != 5) || f7 == 0 || (f3 == 5 && f7 == 0x20);
	case 0x23:
		return f3 <= 2;
	case 0x33:
		return f7 <= 1 || (f7 == 0x20 && (f3 == 0 || f3 == 5));
	case 0x63:
		return 0xf3 >> f3 & 1;
	case 0x67:
		return f3 == 0;
	default:
		return op == 0x17 || op == 0x37 || op == 0x6f;
	}
}

/* All opcodes but SYSTEM, which has cases of its own above. */
static void test_decode_sweep(void)
{
	unsigned int wrong = 0;
	uint32_t insn;

	for (uint32_t i = 0; i < 1u << 17; i++) {
		insn = (i & 0x7f) | F3(i >> 7 & 7) | F7(i >> 10) | RD(3) | RS1(1) | RS2(2);
		if ((i & 0x7f) == 0x73)
			continue;
		setup(insn, DATA, 1);
		vkdev_rv32_run(&cpu, 1);
		wrong += (cpu.pc == HANDLER && cpu.mcause == 2) ==
			 legal(i & 0x7f, i >> 7 & 7, i >> 10);
	}
	ktap_check(wrong == 0, "every opcode, funct3 and funct7: legal or illegal");
}

static const struct csr_case {
	const char *name;
	uint32_t insn;
	uint32_t before, a;
	uint32_t want_rd, want_csr;
} csr_cases[] = {
	{ "csrrw", CSRRW(3, CSR_MSCRATCH, 1), 0xf0, 0x0f, 0xf0, 0x0f },
	{ "csrrs", CSRRS(3, CSR_MSCRATCH, 1), 0xf0, 0x1f, 0xf0, 0xff },
	{ "csrrc", CSRRC(3, CSR_MSCRATCH, 1), 0xf0, 0x1f, 0xf0, 0xe0 },
	{ "csrrs x0 reads alone", CSRRS(3, CSR_MSCRATCH, 0), 0xf0, 1, 0xf0, 0xf0 },
	{ "csrrwi", CSRRWI(3, CSR_MSCRATCH, 31), 0xf0, 0, 0xf0, 31 },
	{ "csrrsi", CSRRSI(3, CSR_MSCRATCH, 1), 0xf0, 0, 0xf0, 0xf1 },
	{ "csrrci", CSRRCI(3, CSR_MSCRATCH, 16), 0xf0, 0, 0xf0, 0xe0 },
	{ "csrrwi 0 writes", CSRRWI(3, CSR_MSCRATCH, 0), 0xf0, 0, 0xf0, 0 },
};

static void test_csr(void)
{
	const struct csr_case *c;

	for (size_t i = 0; i < ARRAY_SIZE(csr_cases); i++) {
		c = &csr_cases[i];
		setup(c->insn, c->a, 0);
		cpu.mscratch = c->before;
		vkdev_rv32_run(&cpu, 1);
		ktap_check(cpu.x[3] == c->want_rd && cpu.mscratch == c->want_csr && retired(),
			   c->name);
	}
}

/* Values read back after a write: only legal bits are kept (WARL). */
static const struct warl_case {
	const char *name;
	uint32_t csr;
	uint32_t write, want;
} warl_cases[] = {
	{ "mstatus: MIE, MPIE; MPP is machine", 0x300, 0xffffffff, 0x1888 },
	{ "mstatus: MPP stays machine", 0x300, 0, 0x1800 },
	{ "misa: RV32IM, constant", 0x301, 0, 0x40001100 },
	{ "mie: timer and external", 0x304, 0xffffffff, 0x880 },
	{ "mtvec: direct", 0x305, 0x12345678, 0x12345678 },
	{ "mtvec: no reserved mode", 0x305, 0xffffffff, 0xfffffffd },
	{ "mstatush is zero", 0x310, 0xffffffff, 0 },
	{ "mhpmevent3 is zero", 0x323, 0xffffffff, 0 },
	{ "mepc: multiple of 4", 0x341, 0xffffffff, 0xfffffffc },
	{ "mcause", 0x342, 0x8000000b, 0x8000000b },
	{ "mtval", 0x343, 0xffffffff, 0xffffffff },
	{ "mip: lines alone set it", 0x344, 0xffffffff, 0 },
	{ "mhpmcounter31 is zero", 0xb1f, 0xffffffff, 0 },
	{ "mhpmcounter3h is zero", 0xb83, 0xffffffff, 0 },
	{ "minstret reads what was written", 0xb02, 0xffffffff, 0xffffffff },
	{ "minstreth reads what was written", 0xb82, 7, 7 },
	{ "mcycle reads what was written", 0xb00, 0, 0 },
	{ "mcycleh reads what was written", 0xb80, 9, 9 },
};

static void test_warl(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(warl_cases); i++) {
		setup(CSRRW(0, warl_cases[i].csr, 1), warl_cases[i].write, 0);
		poke(CODE + 4, CSRRS(3, warl_cases[i].csr, 0));
		vkdev_rv32_run(&cpu, 2);
		ktap_check(cpu.x[3] == warl_cases[i].want && cpu.pc == CODE + 8,
			   warl_cases[i].name);
	}
}

static void test_identity(void)
{
	bool ok = true;

	for (uint32_t csr = 0xf11; csr <= 0xf15; csr++) {
		setup(CSRRS(3, csr, 0), 0, 0);
		vkdev_rv32_run(&cpu, 1);
		ok = ok && cpu.x[3] == 0 && retired();
	}
	ktap_check(ok, "identification registers read zero");
}

static void test_counters(void)
{
	setup(ADDI(0, 0, 0), 0, 0);
	poke(CODE + 4, ECALL);
	poke(HANDLER, CSRRS(4, CSR_MINSTRET, 0));
	poke(HANDLER + 4, CSRRS(5, CSR_MCYCLE, 0));
	vkdev_rv32_run(&cpu, 4);
	ktap_check(cpu.x[4] == 1 && cpu.x[5] == 3, "ecall takes a cycle and does not retire");
	setup(ADDI(0, 0, 0), 0, 0);
	cpu.minstret = 0xffffffff;
	poke(CODE + 4, CSRRS(3, CSR_MINSTRETH, 0));
	vkdev_rv32_run(&cpu, 2);
	ktap_check(cpu.x[3] == 1, "minstret carries into minstreth");
}

static void test_mret(void)
{
	setup(ECALL, 0, 0);
	cpu.mie_global = true;
	poke(HANDLER, CSRRS(4, CSR_MSTATUS, 0));
	poke(HANDLER + 4, CSRRS(5, CSR_MEPC, 0));
	poke(HANDLER + 8, ADDI(5, 5, 4));
	poke(HANDLER + 12, CSRRW(0, CSR_MEPC, 5));
	poke(HANDLER + 16, MRET);
	poke(CODE + 4, CSRRS(6, CSR_MSTATUS, 0));
	vkdev_rv32_run(&cpu, 7);
	ktap_check(cpu.x[4] == 0x1880, "trap entry clears MIE and keeps it in MPIE");
	ktap_check(cpu.x[6] == 0x1888 && cpu.pc == CODE + 8, "mret restores MIE and the pc");

	setup(ECALL, 0, 0);
	poke(HANDLER, MRET);
	vkdev_rv32_run(&cpu, 6);
	ktap_check(cpu.state == VKDEV_RV32_RUNNING && cpu.minstret == 3, "mret ends the trap");
	ktap_check(!cpu.mie_global && cpu.mpie, "mret restores a clear MIE and sets MPIE");
}

static const struct irq_case {
	const char *name;
	uint32_t mtvec;
	uint32_t mie;
	bool global, timer, external;
	uint32_t want_pc, want_cause;
} irq_cases[] = {
	{ "timer", HANDLER, 0x880, true, true, false, HANDLER, 0x80000007 },
	{ "external", HANDLER, 0x880, true, false, true, HANDLER, 0x8000000b },
	{ "external goes first", HANDLER, 0x880, true, true, true, HANDLER, 0x8000000b },
	{ "external masked, timer taken", HANDLER, 0x080, true, true, true, HANDLER, 0x80000007 },
	{ "vectored timer", HANDLER | 1, 0x880, true, true, false, HANDLER + 28, 0x80000007 },
	{ "vectored external", HANDLER | 1, 0x880, true, false, true, HANDLER + 44, 0x8000000b },
	{ "masked by MIE", HANDLER, 0x880, false, true, true, CODE, 0 },
	{ "masked by mie", HANDLER, 0, true, true, true, CODE, 0 },
	{ "no line", HANDLER, 0x880, true, false, false, CODE, 0 },
};

static void test_irq(void)
{
	const struct irq_case *c;

	for (size_t i = 0; i < ARRAY_SIZE(irq_cases); i++) {
		c = &irq_cases[i];
		setup(JAL(0, 0), 0, 0);
		poke(c->want_pc, JAL(0, 0));
		cpu.mtvec = c->mtvec;
		cpu.mie = c->mie;
		cpu.mie_global = c->global;
		vkdev_rv32_set_irq(&cpu, VKDEV_RV32_IRQ_TIMER, c->timer);
		vkdev_rv32_set_irq(&cpu, VKDEV_RV32_IRQ_EXTERNAL, c->external);
		vkdev_rv32_run(&cpu, 3);
		ktap_check(cpu.pc == c->want_pc && cpu.mcause == c->want_cause &&
			   (!c->want_cause || (cpu.mepc == CODE && !cpu.mtval && !cpu.mie_global)),
			   c->name);
	}
}

static void test_irq_in_trap(void)
{
	setup(ECALL, 0, 0);
	cpu.mie = 0x880;
	poke(HANDLER, CSRRSI(0, CSR_MSTATUS, 8));
	poke(HANDLER + 4, JAL(0, 0));
	vkdev_rv32_set_irq(&cpu, VKDEV_RV32_IRQ_TIMER, true);
	vkdev_rv32_run(&cpu, 5);
	ktap_check(cpu.pc == HANDLER + 4 && cpu.mcause == 11 && cpu.state == VKDEV_RV32_RUNNING,
		   "no interrupt before mret");
	setup(JAL(0, 0), 0, 0);
	cpu.mie = 0x80;
	cpu.mie_global = true;
	poke(HANDLER, MRET);
	vkdev_rv32_set_irq(&cpu, VKDEV_RV32_IRQ_TIMER, true);
	vkdev_rv32_run(&cpu, 1);
	vkdev_rv32_set_irq(&cpu, VKDEV_RV32_IRQ_TIMER, false);
	vkdev_rv32_run(&cpu, 5);
	ktap_check(cpu.pc == CODE && cpu.mie_global, "a line that falls is forgotten");
}

static void test_wfi(void)
{
	setup(WFI, 0, 0);
	poke(CODE + 4, ADDI(3, 0, 1));
	cpu.mie = 0x80;
	ktap_check(vkdev_rv32_run(&cpu, 100) == 1 && cpu.state == VKDEV_RV32_WAITING &&
		   cpu.pc == CODE + 4, "wfi ends the slice");
	vkdev_rv32_set_irq(&cpu, VKDEV_RV32_IRQ_EXTERNAL, true);
	ktap_check(vkdev_rv32_run(&cpu, 100) == 0, "a line that mie masks does not wake");
	vkdev_rv32_set_irq(&cpu, VKDEV_RV32_IRQ_TIMER, true);
	ktap_check(vkdev_rv32_run(&cpu, 1) == 1 && cpu.x[3] == 1,
		   "wakes without a trap when MIE is clear");

	setup(WFI, 0, 0);
	cpu.mie = 0x80;
	cpu.mie_global = true;
	vkdev_rv32_run(&cpu, 1);
	vkdev_rv32_set_irq(&cpu, VKDEV_RV32_IRQ_TIMER, true);
	poke(HANDLER, ADDI(4, 0, 9));
	vkdev_rv32_run(&cpu, 1);
	ktap_check(cpu.mepc == CODE + 4 && cpu.x[4] == 9, "wakes into the handler, mepc past wfi");

	setup(WFI, 0, 0);
	cpu.mie = 0x80;
	vkdev_rv32_set_irq(&cpu, VKDEV_RV32_IRQ_TIMER, true);
	vkdev_rv32_run(&cpu, 1);
	ktap_check(cpu.state == VKDEV_RV32_RUNNING, "wfi with a pending line is a nop");
}

static void test_crash(void)
{
	setup(ECALL, 0, 0);
	cpu.mtvec = 0;
	ktap_check(vkdev_rv32_run(&cpu, 100) == 1 && cpu.state == VKDEV_RV32_CRASHED &&
		   cpu.crash_pc == CODE && cpu.crash_cause == 11,
		   "a trap without a handler crashes");
	ktap_check(vkdev_rv32_run(&cpu, 100) == 0, "a crashed core stays put");
	vkdev_rv32_set_irq(&cpu, VKDEV_RV32_IRQ_TIMER, true);
	cpu.mie = 0x80;
	vkdev_rv32_run(&cpu, 100);
	ktap_check(cpu.state == VKDEV_RV32_CRASHED && cpu.pc == CODE,
		   "interrupts do not revive it");

	setup(ECALL, 0, 0);
	poke(HANDLER, LW(3, 0, 0));
	vkdev_rv32_run(&cpu, 100);
	ktap_check(cpu.state == VKDEV_RV32_CRASHED && cpu.crash_pc == HANDLER &&
		   cpu.crash_cause == 5 && cpu.mepc == CODE && cpu.mcause == 11,
		   "an exception in the handler crashes, the first cause stands");

	setup(JAL(0, 0), 0, 0);
	cpu.mtvec = 1;
	cpu.mie = 0x80;
	cpu.mie_global = true;
	vkdev_rv32_set_irq(&cpu, VKDEV_RV32_IRQ_TIMER, true);
	vkdev_rv32_run(&cpu, 5);
	ktap_check(cpu.state == VKDEV_RV32_CRASHED && cpu.crash_cause == 0x80000007,
		   "an interrupt without a handler crashes");

	vkdev_rv32_reset(&cpu, CODE);
	ktap_check(vkdev_rv32_run(&cpu, 5) == 5 && cpu.pc == CODE && !cpu.mip && !cpu.mtvec,
		   "reset revives");
}

static void test_run(void)
{
	setup(JAL(0, 0), 0, 0);
	ktap_check(vkdev_rv32_run(&cpu, 1000) == 1000 && cpu.mcycle == 1000,
		   "the budget ends a loop");
	ktap_check(vkdev_rv32_run(&cpu, 0) == 0, "an empty budget runs nothing");
	setup(SW(2, 1, 4), CODE, ADDI(3, 0, 42));
	vkdev_rv32_run(&cpu, 2);
	ktap_check(cpu.x[3] == 42, "code that was just stored runs");
	setup(ADDI(3, 0, 1), 0, 0);
	vkdev_rv32_reset(&cpu, RAM_BASE + RAM_SIZE - 4);
	poke(RAM_BASE + RAM_SIZE - 4, ADDI(3, 0, 7));
	vkdev_rv32_run(&cpu, 2);
	ktap_check(cpu.x[3] == 7 && cpu.state == VKDEV_RV32_CRASHED && cpu.crash_cause == 1 &&
		   cpu.crash_pc == RAM_BASE + RAM_SIZE, "running off the window faults");
}

/*
 * Random instructions: x0 stays zero, the pc stays aligned, and no access leaves the
 * window.
 */
static void test_random_code(void)
{
	struct prng r = { .state = 42 };
	bool ok = true;

	for (int i = 0; i < 3000; i++) {
		setup(0, DATA, MMIO);
		prng_fill(&r, ram, sizeof(ram));
		for (uint32_t at = CODE; at < HANDLER; at += 4)
			poke(at, (peek(at) & ~0x7fu) | "\x03\x13\x17\x23\x33\x37\x63\x6f\x73"
							[prng_below(&r, 9)]);
		poke(HANDLER, MRET);
		vkdev_rv32_run(&cpu, 500);
		ok = ok && cpu.x[0] == 0 && !(cpu.pc & 3);
	}
	ktap_check(ok, "random code keeps the invariants");
}

int main(void)
{
	ktap_start();
	test_trap();
	test_fetch_fault();
	test_vectored_exception();
	test_illegal();
	test_decode_sweep();
	test_csr();
	test_warl();
	test_identity();
	test_counters();
	test_mret();
	test_irq();
	test_irq_in_trap();
	test_wfi();
	test_crash();
	test_run();
	test_random_code();
	return ktap_finish();
}
