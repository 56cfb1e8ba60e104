/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The instruction that tells the counting plugin where a measurement starts and
 * ends: a seven-byte no-op, nopl disp32(%rax), with a displacement of our own.
 * Bits 31..16 are the magic, 15..8 the operation, 7..0 the figure's number.
 */
#ifndef BENCH_MARKER_H
#define BENCH_MARKER_H

#define MARKER_MAGIC	0x564b
#define MARKER_START	0
#define MARKER_STOP	1

#define MARKER(op, id)						\
	asm volatile(".byte 0x0f, 0x1f, 0x80; .long %c0"	\
		     :: "i" (MARKER_MAGIC << 16 | (op) << 8 | (id)) : "memory")

#endif /* BENCH_MARKER_H */
