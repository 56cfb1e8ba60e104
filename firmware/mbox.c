// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * The mailbox: fetches commands, completes them in order, passes events on, and
 * owns the DMA engine. No command and no event is skipped: an entry that cannot be
 * written waits, with all later ones, and is tried again at the next interrupt, at
 * the latest at the next heartbeat. cmd.c has the meaning of commands. A command is
 * wiped from SRAM as soon as it has run, since it may hold a key.
 */
#include "fw.h"

struct mbox_ring {
	u64 addr;
	u32 size;	/* entries, 0 = not set up */
	u32 index;	/* next entry to fetch or to write */
	u8 gen;		/* generation bit of this lap */
	bool stuck;	/* the last write failed; its entry waits for the next try */
};

/*
 * The rings of commands and of completions, which have one index. stuck: the command at
 * the index has run, and its completion waits in mbox_cpl.
 */
static struct mbox_ring mbox_cmdq;
static u64 mbox_cplq;		/* address of mbox_cmdq.size completions */
static struct vktls_cmd_cpl mbox_cpl;
static struct mbox_ring mbox_evtq;
static union {
	struct vktls_cmd cmd;
	u64 align;		/* handlers rely on a payload aligned to 8 */
} mbox_slot;

static u16 mbox_dma(u32 cmd, u64 host, const void *local, u32 len)
{
	io_write(SOC_DMA + DMA_HOST_LO, host);
	io_write(SOC_DMA + DMA_HOST_HI, host >> 32);
	io_write(SOC_DMA + DMA_LOCAL, (uintptr_t)local);
	io_write(SOC_DMA + DMA_LEN, len);
	io_write(SOC_DMA + DMA_CMD, cmd);
	return io_read(SOC_DMA + DMA_STATUS);
}

/**
 * mbox_host_read() - copy @len bytes, at least one, from host memory
 * @dst: in SRAM
 * @host: address in the host's memory
 * @len: bytes
 *
 * Return: VKTLS_ST_OK or VKTLS_ST_DMA; in the latter case @dst may have changed.
 */
u16 mbox_host_read(void *dst, u64 host, u32 len)
{
	return mbox_dma(DMA_FROM_HOST, host, dst, len);
}

/**
 * mbox_host_write() - copy @len bytes, at least one, to host memory
 * @host: address in the host's memory
 * @src: in SRAM
 * @len: bytes
 *
 * Return: VKTLS_ST_OK or VKTLS_ST_DMA; in the latter case a part may have been written.
 */
u16 mbox_host_write(u64 host, const void *src, u32 len)
{
	return mbox_dma(DMA_TO_HOST, host, src, len);
}

static void mbox_ring_set(struct mbox_ring *ring, u32 addr_reg, u32 log2)
{
	ring->addr = io_read64(SOC_MBOX + addr_reg);
	ring->size = log2 ? 1u << log2 : 0;
	ring->index = 0;
	ring->gen = VKTLS_GEN;
	ring->stuck = false;
}

static void mbox_ring_advance(struct mbox_ring *ring)
{
	ring->index++;
	if (ring->index == ring->size) {
		ring->index = 0;
		ring->gen ^= VKTLS_GEN;
	}
}

/*
 * Write a completion or an event to @base at the ring's index. The last word goes on its
 * own, after the rest, because it holds the generation, which the host reads first.
 * Return: whether it is written; the ring has then advanced.
 */
static bool mbox_entry_write(struct mbox_ring *ring, u64 base, const void *entry, u32 len)
{
	u64 host = base + ring->index * len;
	u32 rest = len - sizeof(u32);
	u16 status = mbox_host_write(host, entry, rest);

	if (!status)
		status = mbox_host_write(host + rest, (const u8 *)entry + rest, sizeof(u32));
	if (status && !ring->stuck)
		log_value("mbox: ring cannot be written, slot", ring->index);
	ring->stuck = status;
	if (!status)
		mbox_ring_advance(ring);
	return !status;
}

static void mbox_cmdq_set(void)
{
	mbox_ring_set(&mbox_cmdq, MBOX_CMDQ_LO, io_read(SOC_MBOX + MBOX_CMDQ_LOG2));
	mbox_cplq = io_read64(SOC_MBOX + MBOX_CPLQ_LO);
	log_value("mbox: command ring, entries", mbox_cmdq.size);
}

static void mbox_evtq_set(void)
{
	mbox_ring_set(&mbox_evtq, MBOX_EVTQ_LO, io_read(SOC_MBOX + MBOX_EVTQ_LOG2));
	log_value("mbox: event ring, entries", mbox_evtq.size);
}

/* Fetch, run and complete one command. Return: false when its completion must wait. */
static bool mbox_cmd_one(void)
{
	struct vktls_cmd_cpl cpl = { .gen = mbox_cmdq.gen };
	u64 host = mbox_cmdq.addr + mbox_cmdq.index * sizeof(mbox_slot);
	u16 status;

	status = mbox_host_read(&mbox_slot, host, sizeof(mbox_slot));
	if (status == VKTLS_ST_OK)
		cmd_run(&mbox_slot.cmd, &cpl);
	else
		cpl.status = status;
	memset(&mbox_slot, 0, sizeof(mbox_slot));
	cpl.head = (mbox_cmdq.index + 1) & (mbox_cmdq.size - 1);
	if (mbox_entry_write(&mbox_cmdq, mbox_cplq, &cpl, sizeof(cpl)))
		return true;
	mbox_cpl = cpl;
	return false;
}

/* Try again to write the completion that waits. Return: whether it is written. */
static bool mbox_cpl_again(void)
{
	return mbox_entry_write(&mbox_cmdq, mbox_cplq, &mbox_cpl, sizeof(mbox_cpl));
}

/*
 * Run the commands up to the last doorbell's tail, as long as they can be completed.
 * The tail is masked because the host may have set up a larger ring since
 * mbox_cmdq_set(). Return: whether a completion was written.
 */
static bool mbox_cmds(void)
{
	u32 tail = io_read(SOC_MBOX + MBOX_CMDQ_TAIL) & (mbox_cmdq.size - 1);
	bool any = false;

	while (mbox_cmdq.size && mbox_cmdq.index != tail) {
		if (!(mbox_cmdq.stuck ? mbox_cpl_again() : mbox_cmd_one()))
			break;
		any = true;
	}
	return any;
}

static bool mbox_evtq_has_room(void)
{
	u32 head = io_read(SOC_MBOX + MBOX_EVTQ_HEAD);

	return mbox_evtq.size &&
	       ((mbox_evtq.index + 1) & (mbox_evtq.size - 1)) != head;
}

/* Pass the oldest event on; it leaves the hardware's queue when it is written. */
static bool mbox_event_one(u32 type)
{
	struct vktls_event event = {
		.type = type,
		.status = io_read(SOC_HWEV + HWEV_STATUS),
		.id = io_read(SOC_HWEV + HWEV_ID),
		.arg = io_read(SOC_HWEV + HWEV_ARG),
		.gen = mbox_evtq.gen,
	};

	if (!mbox_entry_write(&mbox_evtq, mbox_evtq.addr, &event, sizeof(event)))
		return false;
	io_write(SOC_HWEV + HWEV_POP, 1);
	return true;
}

/*
 * Events wait in hardware while the host's ring has no room or cannot be written.
 * Return: whether an event was written.
 */
static bool mbox_events(void)
{
	bool any = false;
	u32 type;

	while (mbox_evtq_has_room()) {
		type = io_read(SOC_HWEV + HWEV_TYPE);
		if (!type || !mbox_event_one(type))
			break;
		any = true;
	}
	return any;
}

/**
 * mbox_init() - take the rings that the host set up before the start
 */
void mbox_init(void)
{
	mbox_cmdq_set();
	mbox_evtq_set();
}

/**
 * mbox_poll() - run commands and pass events on until none is left
 *
 * An interrupt is acknowledged before the rings are looked at: a request that arrives
 * after the look raises the line again.
 */
void mbox_poll(void)
{
	u32 irq = io_read(SOC_SYS + SYS_IRQ);
	bool cmds, events;

	io_write(SOC_SYS + SYS_IRQ, irq);
	if (irq & SYS_IRQ_CMDQ)
		mbox_cmdq_set();
	if (irq & SYS_IRQ_EVTQ)
		mbox_evtq_set();
	cmds = mbox_cmds();
	events = mbox_events();
	if (cmds || events)
		io_write(SOC_SYS + SYS_RAISE, VKTLS_VEC_ASYNC);
}
