/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * Reset entry, trap handler, and the two functions that the compiler calls by
 * itself: memcpy() and memset().
 */
	/* The loader has put the image at the start of SRAM and cleared the rest. */
	.section .text.start, "ax"
	.global start
start:
	la	sp, fw_stack_top
	la	t0, trap
	csrw	mtvec, t0
	la	t0, fw_bss_start
	la	t1, fw_bss_end
1:	bgeu	t0, t1, 2f
	sw	zero, 0(t0)
	addi	t0, t0, 4
	j	1b
2:	j	main

	/*
	 * Interrupts stay masked (a pending one only ends a wfi), so every trap is a
	 * bug. The handler logs it on a stack of its own, as the bug may be a stack
	 * overflow. The ebreak is a second trap, which stops the core for good.
	 */
	.text
	.balign	4
trap:
	la	sp, fw_trap_stack_top
	csrr	a0, mcause
	csrr	a1, mepc
	csrr	a2, mtval
	call	log_fatal
	ebreak

	/* void *memcpy(void *dst, const void *src, size_t n); by words where both are aligned */
	.global memcpy
memcpy:
	mv	t0, a0
	or	t1, a0, a1
	andi	t1, t1, 3
	bnez	t1, 2f
	li	t2, 4
1:	bltu	a2, t2, 2f
	lw	t1, 0(a1)
	sw	t1, 0(t0)
	addi	a1, a1, 4
	addi	t0, t0, 4
	addi	a2, a2, -4
	j	1b
2:	beqz	a2, 3f
	lbu	t1, 0(a1)
	sb	t1, 0(t0)
	addi	a1, a1, 1
	addi	t0, t0, 1
	addi	a2, a2, -1
	j	2b
3:	ret

	/* void *memset(void *dst, int c, size_t n); by words where @dst is aligned */
	.global memset
memset:
	mv	t0, a0
	andi	a1, a1, 0xff
	slli	t1, a1, 8
	or	a1, a1, t1
	slli	t1, a1, 16
	or	a1, a1, t1
	andi	t1, a0, 3
	bnez	t1, 2f
	li	t2, 4
1:	bltu	a2, t2, 2f
	sw	a1, 0(t0)
	addi	t0, t0, 4
	addi	a2, a2, -4
	j	1b
2:	beqz	a2, 3f
	sb	a1, 0(t0)
	addi	t0, t0, 1
	addi	a2, a2, -1
	j	2b
3:	ret
