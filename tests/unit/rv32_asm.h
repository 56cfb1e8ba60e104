/* SPDX-License-Identifier: GPL-2.0-only */
/* RV32IM instructions as constant expressions, with operands in the order of assembler. */
#ifndef RV32_ASM_H
#define RV32_ASM_H

#include <stdint.h>

#define BITS(v, hi, lo)	(((uint32_t)(v) >> (lo)) & ((1u << ((hi) - (lo) + 1)) - 1))

#define RD(r)		((uint32_t)(r) << 7)
#define F3(f)		((uint32_t)(f) << 12)
#define RS1(r)		((uint32_t)(r) << 15)
#define RS2(r)		((uint32_t)(r) << 20)
#define F7(f)		((uint32_t)(f) << 25)

#define FMT_R(f7, f3, rd, a, b)	(0x33 | RD(rd) | F3(f3) | RS1(a) | RS2(b) | F7(f7))
#define FMT_I(op, f3, rd, a, imm) \
	((op) | RD(rd) | F3(f3) | RS1(a) | BITS(imm, 11, 0) << 20)
#define FMT_S(f3, b, a, imm) \
	(0x23 | BITS(imm, 4, 0) << 7 | F3(f3) | RS1(a) | RS2(b) | BITS(imm, 11, 5) << 25)
#define FMT_B(f3, a, b, imm) \
	(0x63 | BITS(imm, 11, 11) << 7 | BITS(imm, 4, 1) << 8 | F3(f3) | RS1(a) | RS2(b) | \
	 BITS(imm, 10, 5) << 25 | BITS(imm, 12, 12) << 31)

#define LUI(rd, imm)	(0x37 | RD(rd) | (uint32_t)(imm) << 12)
#define AUIPC(rd, imm)	(0x17 | RD(rd) | (uint32_t)(imm) << 12)
#define JAL(rd, imm) \
	(0x6f | RD(rd) | BITS(imm, 19, 12) << 12 | BITS(imm, 11, 11) << 20 | \
	 BITS(imm, 10, 1) << 21 | BITS(imm, 20, 20) << 31)
#define JALR(rd, a, imm)	FMT_I(0x67, 0, rd, a, imm)

#define BEQ(a, b, imm)	FMT_B(0, a, b, imm)
#define BNE(a, b, imm)	FMT_B(1, a, b, imm)
#define BLT(a, b, imm)	FMT_B(4, a, b, imm)
#define BGE(a, b, imm)	FMT_B(5, a, b, imm)
#define BLTU(a, b, imm)	FMT_B(6, a, b, imm)
#define BGEU(a, b, imm)	FMT_B(7, a, b, imm)

#define LB(rd, a, imm)	FMT_I(0x03, 0, rd, a, imm)
#define LH(rd, a, imm)	FMT_I(0x03, 1, rd, a, imm)
#define LW(rd, a, imm)	FMT_I(0x03, 2, rd, a, imm)
#define LBU(rd, a, imm)	FMT_I(0x03, 4, rd, a, imm)
#define LHU(rd, a, imm)	FMT_I(0x03, 5, rd, a, imm)
#define SB(b, a, imm)	FMT_S(0, b, a, imm)
#define SH(b, a, imm)	FMT_S(1, b, a, imm)
#define SW(b, a, imm)	FMT_S(2, b, a, imm)

#define ADDI(rd, a, imm)	FMT_I(0x13, 0, rd, a, imm)
#define SLLI(rd, a, n)		FMT_I(0x13, 1, rd, a, n)
#define SLTI(rd, a, imm)	FMT_I(0x13, 2, rd, a, imm)
#define SLTIU(rd, a, imm)	FMT_I(0x13, 3, rd, a, imm)
#define XORI(rd, a, imm)	FMT_I(0x13, 4, rd, a, imm)
#define SRLI(rd, a, n)		FMT_I(0x13, 5, rd, a, n)
#define SRAI(rd, a, n)		(FMT_I(0x13, 5, rd, a, n) | F7(0x20))
#define ORI(rd, a, imm)		FMT_I(0x13, 6, rd, a, imm)
#define ANDI(rd, a, imm)	FMT_I(0x13, 7, rd, a, imm)

#define ADD(rd, a, b)	FMT_R(0x00, 0, rd, a, b)
#define SUB(rd, a, b)	FMT_R(0x20, 0, rd, a, b)
#define SLL(rd, a, b)	FMT_R(0x00, 1, rd, a, b)
#define SLT(rd, a, b)	FMT_R(0x00, 2, rd, a, b)
#define SLTU(rd, a, b)	FMT_R(0x00, 3, rd, a, b)
#define XOR(rd, a, b)	FMT_R(0x00, 4, rd, a, b)
#define SRL(rd, a, b)	FMT_R(0x00, 5, rd, a, b)
#define SRA(rd, a, b)	FMT_R(0x20, 5, rd, a, b)
#define OR(rd, a, b)	FMT_R(0x00, 6, rd, a, b)
#define AND(rd, a, b)	FMT_R(0x00, 7, rd, a, b)
#define MUL(rd, a, b)	FMT_R(0x01, 0, rd, a, b)
#define MULH(rd, a, b)	FMT_R(0x01, 1, rd, a, b)
#define MULHSU(rd, a, b)	FMT_R(0x01, 2, rd, a, b)
#define MULHU(rd, a, b)	FMT_R(0x01, 3, rd, a, b)
#define DIV(rd, a, b)	FMT_R(0x01, 4, rd, a, b)
#define DIVU(rd, a, b)	FMT_R(0x01, 5, rd, a, b)
#define REM(rd, a, b)	FMT_R(0x01, 6, rd, a, b)
#define REMU(rd, a, b)	FMT_R(0x01, 7, rd, a, b)

#define FENCE(imm)	FMT_I(0x0f, 0, 0, 0, imm)
#define FENCE_I		FMT_I(0x0f, 1, 0, 0, 0)
#define ECALL		0x00000073u
#define EBREAK		0x00100073u
#define MRET		0x30200073u
#define WFI		0x10500073u

#define CSRRW(rd, csr, a)	FMT_I(0x73, 1, rd, a, csr)
#define CSRRS(rd, csr, a)	FMT_I(0x73, 2, rd, a, csr)
#define CSRRC(rd, csr, a)	FMT_I(0x73, 3, rd, a, csr)
#define CSRRWI(rd, csr, u)	FMT_I(0x73, 5, rd, u, csr)
#define CSRRSI(rd, csr, u)	FMT_I(0x73, 6, rd, u, csr)
#define CSRRCI(rd, csr, u)	FMT_I(0x73, 7, rd, u, csr)

#define CSR_MSTATUS	0x300
#define CSR_MSCRATCH	0x340
#define CSR_MEPC	0x341
#define CSR_MCYCLE	0xb00
#define CSR_MINSTRET	0xb02
#define CSR_MINSTRETH	0xb82
#define CSR_MHARTID	0xf14

#endif
