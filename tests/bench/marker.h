/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The instruction that marks the start and end of a measurement for the
 * counting plugin: a seven-byte no-op, nopl disp32(%rax). The displacement has
 * a magic number in bits 31..16, the operation in bits 15..8, and the number
 * of the figure in bits 7..0.
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
