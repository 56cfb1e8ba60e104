// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * The image's header, and the main loop: poll the mailbox, step the heartbeat, sleep.
 * Interrupts stay masked: a pending interrupt ends the sleep, and no handler runs.
 */
#include "fw.h"

#define MAIN_BEAT_NS	(VKTLS_TIME_BEAT_MS * 200000)	/* a fifth of the ABI's limit */
#define MAIN_MIE	(BIT(11) | BIT(7))	/* external, timer */
#define MAIN_MIP_TIMER	BIT(7)

/* The header at the start of the image; mkfw fills in the digest. */
const struct vktls_fw_header fw_header = {
	.magic = VKTLS_FW_MAGIC,
	.abi_major = VKTLS_ABI_MAJOR,
	.abi_minor = FW_ABI_MINOR,
	.header_len = sizeof(fw_header),
	.body_len = (uintptr_t)fw_body_len,
	.entry = (uintptr_t)fw_entry,
	.version = FW_VERSION,
	.name = FW_NAME,
};

/* Step the heartbeat, and set the timer for the next step. */
static void main_beat(void)
{
	static u32 beat;
	u64 next = io_read64(SOC_TIMER + TIMER_NOW_LO) + MAIN_BEAT_NS;

	io_write(SOC_TIMER + TIMER_CMP_LO, next);
	io_write(SOC_TIMER + TIMER_CMP_HI, next >> 32);
	io_write(SOC_SYS + SYS_HEARTBEAT, ++beat);
}

static bool main_beat_is_due(void)
{
	u32 mip;

	asm volatile("csrr %0, mip" : "=r"(mip));
	return mip & MAIN_MIP_TIMER;
}

/**
 * main() - called by start.S with memory initialised
 *
 * Return: never.
 */
int main(void)
{
	log_value("boot: version", io_read(SOC_SYS + SYS_FW_VERSION));
	mbox_init();
	asm volatile("csrw mie, %0" : : "r"(MAIN_MIE));
	main_beat();
	io_write(SOC_SYS + SYS_READY, 1);
	for (;;) {
		mbox_poll();
		if (main_beat_is_due())
			main_beat();
		asm volatile("wfi" : : : "memory");
	}
}
