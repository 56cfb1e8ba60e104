// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user-level instructions of the interpreter against the ISA manual: one table for each
 * kind, with description, instruction, inputs and expected result. Expected values come
 * from the manual, never from the interpreter.
 */
#include "ktap.h"
#include "rv32_asm.h"
#include "rv32_rig.h"

static const struct alu_case {
	const char *name;
	uint32_t insn;
	uint32_t a, b;
	uint32_t want;
} alu_cases[] = {
	{ "add", ADD(3, 1, 2), 5, 7, 12 },
	{ "add wraps", ADD(3, 1, 2), 0xffffffff, 1, 0 },
	{ "sub", SUB(3, 1, 2), 5, 7, 0xfffffffe },
	{ "sub wraps below the minimum", SUB(3, 1, 2), 0x80000000, 1, 0x7fffffff },
	{ "sll", SLL(3, 1, 2), 1, 31, 0x80000000 },
	{ "sll by 32 uses five bits", SLL(3, 1, 2), 0x1234, 32, 0x1234 },
	{ "sll by 33 shifts by one", SLL(3, 1, 2), 0x1234, 33, 0x2468 },
	{ "slt negative below positive", SLT(3, 1, 2), 0xffffffff, 1, 1 },
	{ "slt equal", SLT(3, 1, 2), 4, 4, 0 },
	{ "slt extremes", SLT(3, 1, 2), 0x7fffffff, 0x80000000, 0 },
	{ "sltu sees a large number", SLTU(3, 1, 2), 0xffffffff, 1, 0 },
	{ "sltu below", SLTU(3, 1, 2), 1, 0x80000000, 1 },
	{ "snez by sltu from x0", SLTU(3, 0, 2), 0, 9, 1 },
	{ "xor", XOR(3, 1, 2), 0xff00ff00, 0x0ff00ff0, 0xf0f0f0f0 },
	{ "srl fills with zero", SRL(3, 1, 2), 0x80000000, 31, 1 },
	{ "srl by 32 uses five bits", SRL(3, 1, 2), 0x80000000, 32, 0x80000000 },
	{ "sra fills with sign", SRA(3, 1, 2), 0x80000000, 31, 0xffffffff },
	{ "sra of a positive", SRA(3, 1, 2), 0x40000000, 30, 1 },
	{ "sra by 0xffffffe4 shifts by four", SRA(3, 1, 2), 0x80000000, 0xffffffe4, 0xf8000000 },
	{ "or", OR(3, 1, 2), 0xf0, 0x0f, 0xff },
	{ "and", AND(3, 1, 2), 0xf0, 0x3c, 0x30 },

	{ "mul low half", MUL(3, 1, 2), 0xffffffff, 0xffffffff, 1 },
	{ "mul drops the high half", MUL(3, 1, 2), 0x10000, 0x10000, 0 },
	{ "mulh of two negatives", MULH(3, 1, 2), 0xffffffff, 0xffffffff, 0 },
	{ "mulh minimum squared", MULH(3, 1, 2), 0x80000000, 0x80000000, 0x40000000 },
	{ "mulh negative by positive", MULH(3, 1, 2), 0xffffffff, 2, 0xffffffff },
	{ "mulhsu negative by largest", MULHSU(3, 1, 2), 0xffffffff, 0xffffffff, 0xffffffff },
	{ "mulhsu minimum by largest", MULHSU(3, 1, 2), 0x80000000, 0xffffffff, 0x80000000 },
	{ "mulhsu positive by 2^31", MULHSU(3, 1, 2), 4, 0x80000000, 2 },
	{ "mulhu largest squared", MULHU(3, 1, 2), 0xffffffff, 0xffffffff, 0xfffffffe },
	{ "mulhu", MULHU(3, 1, 2), 0x80000000, 2, 1 },
	{ "div rounds towards zero", DIV(3, 1, 2), (uint32_t)-7, 2, (uint32_t)-3 },
	{ "div by zero is -1", DIV(3, 1, 2), 7, 0, 0xffffffff },
	{ "div overflow is the dividend", DIV(3, 1, 2), 0x80000000, 0xffffffff, 0x80000000 },
	{ "divu", DIVU(3, 1, 2), 0xfffffff9, 2, 0x7ffffffc },
	{ "divu by zero is 2^32-1", DIVU(3, 1, 2), 7, 0, 0xffffffff },
	{ "divu has no overflow", DIVU(3, 1, 2), 0x80000000, 0xffffffff, 0 },
	{ "rem takes the dividend's sign", REM(3, 1, 2), (uint32_t)-7, 2, (uint32_t)-1 },
	{ "rem by a negative", REM(3, 1, 2), 7, (uint32_t)-2, 1 },
	{ "rem by zero is the dividend", REM(3, 1, 2), (uint32_t)-7, 0, (uint32_t)-7 },
	{ "rem overflow is zero", REM(3, 1, 2), 0x80000000, 0xffffffff, 0 },
	{ "remu", REMU(3, 1, 2), 0xfffffff9, 2, 1 },
	{ "remu by zero is the dividend", REMU(3, 1, 2), 7, 0, 7 },

	{ "addi", ADDI(3, 1, 2047), 1, 0, 2048 },
	{ "addi sign-extends", ADDI(3, 1, -2048), 0, 0, 0xfffff800 },
	{ "slti sign-extends", SLTI(3, 1, -1), 0xfffffffe, 0, 1 },
	{ "slti not below", SLTI(3, 1, -1), 0, 0, 0 },
	{ "sltiu compares with the extended immediate", SLTIU(3, 1, -1), 5, 0, 1 },
	{ "sltiu 1 is seqz", SLTIU(3, 1, 1), 0, 0, 1 },
	{ "xori -1 inverts", XORI(3, 1, -1), 0x0f0f0f0f, 0, 0xf0f0f0f0 },
	{ "ori sign-extends", ORI(3, 1, -2048), 1, 0, 0xfffff801 },
	{ "andi sign-extends", ANDI(3, 1, -16), 0xffffffff, 0, 0xfffffff0 },
	{ "slli by 31", SLLI(3, 1, 31), 3, 0, 0x80000000 },
	{ "slli by 0", SLLI(3, 1, 0), 3, 0, 3 },
	{ "srli by 31", SRLI(3, 1, 31), 0x80000000, 0, 1 },
	{ "srai by 31", SRAI(3, 1, 31), 0x80000000, 0, 0xffffffff },
	{ "srai by 4", SRAI(3, 1, 4), 0x80000010, 0, 0xf8000001 },

	{ "lui", LUI(3, 0xfffff), 0, 0, 0xfffff000 },
	{ "auipc", AUIPC(3, 0x1), 0, 0, CODE + 0x1000 },
	{ "auipc wraps", AUIPC(3, 0xfffff), 0, 0, CODE - 0x1000 },

	{ "fence orders nothing here", FENCE(0x0ff), 0, 0, 0xdeadbeef },
	{ "fence.tso", FENCE(0x833), 0, 0, 0xdeadbeef },
	{ "fence ignores reserved fields", FENCE(0xfff) | RD(3) | RS1(1), 0, 0, 0xdeadbeef },
	{ "fence.i", FENCE_I, 0, 0, 0xdeadbeef },
	{ "fence.i ignores reserved fields", FENCE_I | RD(3) | RS1(1), 0, 0, 0xdeadbeef },
};

static void test_alu(void)
{
	const struct alu_case *c;

	for (size_t i = 0; i < ARRAY_SIZE(alu_cases); i++) {
		c = &alu_cases[i];
		setup(c->insn, c->a, c->b);
		vkdev_rv32_run(&cpu, 1);
		ktap_check(cpu.x[3] == c->want && cpu.pc == CODE + 4 && retired(), c->name);
	}
}

/* No instruction that writes rd may change x0. */
static void test_x0(void)
{
	static const uint32_t words[] = {
		ADD(0, 1, 2), MUL(0, 1, 2), ADDI(0, 1, 5), LUI(0, 5), AUIPC(0, 5),
		LW(0, 4, 0), JAL(0, 8), JALR(0, 4, 0), CSRRW(0, CSR_MSCRATCH, 1),
	};
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		setup(words[i], 6, 7);
		cpu.x[4] = DATA;
		poke(DATA, 0x55555555);
		vkdev_rv32_run(&cpu, 1);
		ok = ok && cpu.x[0] == 0 && retired();
	}
	ktap_check(ok, "x0 stays zero");
}

static const struct branch_case {
	const char *name;
	uint32_t insn;
	uint32_t a, b;
	uint32_t want_pc;
} branch_cases[] = {
	{ "beq taken", BEQ(1, 2, 16), 3, 3, CODE + 16 },
	{ "beq not taken", BEQ(1, 2, 16), 3, 4, CODE + 4 },
	{ "bne taken backwards", BNE(1, 2, -16), 3, 4, CODE - 16 },
	{ "bne not taken", BNE(1, 2, 16), 3, 3, CODE + 4 },
	{ "blt signed", BLT(1, 2, 2048), 0x80000000, 0, CODE + 2048 },
	{ "blt equal", BLT(1, 2, 2048), 1, 1, CODE + 4 },
	{ "bge signed", BGE(1, 2, 16), 0, 0x80000000, CODE + 16 },
	{ "bge equal", BGE(1, 2, 16), 5, 5, CODE + 16 },
	{ "bge below", BGE(1, 2, 16), 0x80000000, 0, CODE + 4 },
	{ "bltu unsigned", BLTU(1, 2, 16), 0, 0x80000000, CODE + 16 },
	{ "bltu not below", BLTU(1, 2, 16), 0x80000000, 0, CODE + 4 },
	{ "bgeu unsigned", BGEU(1, 2, 16), 0x80000000, 0, CODE + 16 },
	{ "bgeu below", BGEU(1, 2, 16), 0, 1, CODE + 4 },
	{ "branch to the far end", BEQ(0, 0, 4092), 0, 0, CODE + 4092 },
	{ "branch to the far start", BEQ(0, 0, -4096), 0, 0, CODE - 4096 },
	{ "misaligned branch not taken", BEQ(1, 2, 6), 1, 2, CODE + 4 },
};

static void test_branch(void)
{
	const struct branch_case *c;

	for (size_t i = 0; i < ARRAY_SIZE(branch_cases); i++) {
		c = &branch_cases[i];
		setup(c->insn, c->a, c->b);
		vkdev_rv32_run(&cpu, 1);
		ktap_check(cpu.pc == c->want_pc && retired(), c->name);
	}
}

static const struct jump_case {
	const char *name;
	uint32_t insn;
	uint32_t a;
	uint32_t want_pc;
	unsigned int link;	/* link register */
	uint32_t want_link;
} jump_cases[] = {
	{ "jal forwards", JAL(3, 0x7fc), 0, CODE + 0x7fc, 3, CODE + 4 },
	{ "jal backwards", JAL(3, -4), 0, CODE - 4, 3, CODE + 4 },
	{ "jal to the far end", JAL(3, 0xffffc), 0, CODE + 0xffffc, 3, CODE + 4 },
	{ "jal to the far start", JAL(3, -0x100000), 0, CODE - 0x100000, 3, CODE + 4 },
	{ "jalr", JALR(3, 1, 8), CODE + 0x100, CODE + 0x108, 3, CODE + 4 },
	{ "jalr negative offset", JALR(3, 1, -4), CODE + 0x100, CODE + 0xfc, 3, CODE + 4 },
	{ "jalr clears bit 0", JALR(3, 1, 0), CODE + 0x101, CODE + 0x100, 3, CODE + 4 },
	{ "jalr clears it after the sum", JALR(3, 1, 1), CODE + 0x103, CODE + 0x104, 3, CODE + 4 },
	{ "jalr with rd = rs1", JALR(1, 1, 0), CODE + 0x100, CODE + 0x100, 1, CODE + 4 },
};

static void test_jump(void)
{
	const struct jump_case *c;

	for (size_t i = 0; i < ARRAY_SIZE(jump_cases); i++) {
		c = &jump_cases[i];
		setup(c->insn, c->a, 0);
		vkdev_rv32_run(&cpu, 1);
		ktap_check(cpu.pc == c->want_pc && cpu.x[c->link] == c->want_link && retired(),
			   c->name);
	}
}

/* The memory at DATA is 0x8182f3f4, at DATA + 4 it is 0x11223344. */
static const struct load_case {
	const char *name;
	uint32_t insn;
	uint32_t a;
	uint32_t want;
} load_cases[] = {
	{ "lw", LW(3, 1, 0), DATA, 0x8182f3f4 },
	{ "lw negative offset", LW(3, 1, -4), DATA + 8, 0x11223344 },
	{ "lh sign-extends", LH(3, 1, 2), DATA, 0xffff8182 },
	{ "lh positive", LH(3, 1, 4), DATA, 0x3344 },
	{ "lhu zero-extends", LHU(3, 1, 0), DATA, 0xf3f4 },
	{ "lb sign-extends", LB(3, 1, 0), DATA, 0xfffffff4 },
	{ "lb positive", LB(3, 1, 7), DATA, 0x11 },
	{ "lb odd address", LB(3, 1, 3), DATA, 0xffffff81 },
	{ "lbu zero-extends", LBU(3, 1, 1), DATA, 0xf3 },
	{ "load address wraps", LW(3, 1, 2047), DATA - 2047, 0x8182f3f4 },
	{ "last word of the window", LW(3, 1, 0), RAM_BASE + RAM_SIZE - 4, 0xcafef00d },
};

static void test_load(void)
{
	const struct load_case *c;

	for (size_t i = 0; i < ARRAY_SIZE(load_cases); i++) {
		c = &load_cases[i];
		setup(c->insn, c->a, 0);
		poke(DATA, 0x8182f3f4);
		poke(DATA + 4, 0x11223344);
		poke(RAM_BASE + RAM_SIZE - 4, 0xcafef00d);
		vkdev_rv32_run(&cpu, 1);
		ktap_check(cpu.x[3] == c->want && cpu.pc == CODE + 4 && retired(), c->name);
	}
}

/* x1 = DATA and x2 = 0xaabbccdd; the memory before the store is 0x11223344 0x55667788. */
static const struct store_case {
	const char *name;
	uint32_t insn;
	uint32_t want0, want4;
} store_cases[] = {
	{ "sw", SW(2, 1, 0), 0xaabbccdd, 0x55667788 },
	{ "sw offset", SW(2, 1, 4), 0x11223344, 0xaabbccdd },
	{ "sh keeps its neighbours", SH(2, 1, 2), 0xccdd3344, 0x55667788 },
	{ "sh low half", SH(2, 1, 0), 0x1122ccdd, 0x55667788 },
	{ "sb keeps its neighbours", SB(2, 1, 1), 0x1122dd44, 0x55667788 },
	{ "sb odd address", SB(2, 1, 7), 0x11223344, 0xdd667788 },
};

static void test_store(void)
{
	const struct store_case *c;

	for (size_t i = 0; i < ARRAY_SIZE(store_cases); i++) {
		c = &store_cases[i];
		setup(c->insn, DATA, 0xaabbccdd);
		poke(DATA, 0x11223344);
		poke(DATA + 4, 0x55667788);
		vkdev_rv32_run(&cpu, 1);
		ktap_check(peek(DATA) == c->want0 && peek(DATA + 4) == c->want4 && retired(),
			   c->name);
	}
	setup(SW(2, 1, -2048), DATA, 0xaabbccdd);
	vkdev_rv32_run(&cpu, 1);
	ktap_check(peek(DATA - 2048) == 0xaabbccdd, "sw negative offset");
}

static void test_bus(void)
{
	static const struct {
		const char *name;
		uint32_t insn;
		unsigned int width;
		uint32_t addr;
	} cases[] = {
		{ "bus sw", SW(2, 1, 4), 4, MMIO + 4 }, { "bus sh", SH(2, 1, 2), 2, MMIO + 2 },
		{ "bus sb", SB(2, 1, 3), 1, MMIO + 3 }, { "bus lw", LW(3, 1, 8), 4, MMIO + 8 },
		{ "bus lhu", LHU(3, 1, 6), 2, MMIO + 6 }, { "bus lb", LB(3, 1, 1), 1, MMIO + 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		setup(cases[i].insn, MMIO, 0x12345678);
		vkdev_rv32_run(&cpu, 1);
		ktap_check(mmio.addr == cases[i].addr && mmio.width == cases[i].width &&
			   mmio.loads + mmio.stores == 1 && retired(), cases[i].name);
	}
	setup(LB(3, 1, 0), MMIO, 0);
	mmio.value = 0xffffff80;
	vkdev_rv32_run(&cpu, 1);
	ktap_check(cpu.x[3] == 0xffffff80, "bus lb sign-extends the low byte");
	setup(LHU(3, 1, 0), MMIO, 0);
	mmio.value = 0xffff8001;
	vkdev_rv32_run(&cpu, 1);
	ktap_check(cpu.x[3] == 0x8001, "bus lhu ignores bits beyond the width");
	setup(LBU(3, 1, 0), MMIO, 0);
	mmio.value = 0xffffff81;
	vkdev_rv32_run(&cpu, 1);
	ktap_check(cpu.x[3] == 0x81, "bus lbu ignores bits beyond the width");
}

int main(void)
{
	ktap_start();
	test_alu();
	test_x0();
	test_branch();
	test_jump();
	test_load();
	test_store();
	test_bus();
	return ktap_finish();
}
