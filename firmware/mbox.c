// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Between firmware and host: fetches commands, completes them in order, passes
 * events on, and owns the DMA engine. A command is gone from SRAM as soon as
 * it is done, as it may have held a key. What a command means is not known here.
 */
#include "fw.h"

struct mbox_ring {
	u64 addr;
	u32 size;	/* entries, 0 = not set up */
	u32 index;	/* next to fetch or to write */
	u8 gen;		/* of what is written this lap */
};

static struct mbox_ring mbox_cmdq;
static u64 mbox_cplq;		/* ring of mbox_cmdq.size completions */
static struct mbox_ring mbox_evtq;
static union {
	struct vktls_cmd cmd;
	u64 align;		/* of the payload: handlers rely on it */
} mbox_slot;

static u64 mbox_reg64(u32 reg)
{
	return io_read(SOC_MBOX + reg) |
	       (u64)io_read(SOC_MBOX + reg + 4) << 32;
}

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
 *
 * Return: VKTLS_ST_OK or VKTLS_ST_DMA; in the latter case @dst may have changed.
 */
u16 mbox_host_read(void *dst, u64 host, u32 len)
{
	return mbox_dma(DMA_FROM_HOST, host, dst, len);
}

/**
 * mbox_host_write() - copy @len bytes, at least one, to host memory
 */
u16 mbox_host_write(u64 host, const void *src, u32 len)
{
	return mbox_dma(DMA_TO_HOST, host, src, len);
}

/*
 * Write a completion or an event. Its last word goes on its own, after the rest:
 * the generation in it is what the host looks at first.
 */
static u16 mbox_entry_write(u64 host, const void *entry, u32 len)
{
	u32 rest = len - sizeof(u32);
	u16 status = mbox_host_write(host, entry, rest);

	if (status)
		return status;
	return mbox_host_write(host + rest, (const u8 *)entry + rest, sizeof(u32));
}

static void mbox_ring_set(struct mbox_ring *ring, u32 addr_reg, u32 log2)
{
	ring->addr = mbox_reg64(addr_reg);
	ring->size = log2 ? 1u << log2 : 0;
	ring->index = 0;
	ring->gen = VKTLS_GEN;
}

static void mbox_ring_advance(struct mbox_ring *ring)
{
	ring->index++;
	if (ring->index == ring->size) {
		ring->index = 0;
		ring->gen ^= VKTLS_GEN;
	}
}

static void mbox_cmdq_set(void)
{
	mbox_ring_set(&mbox_cmdq, MBOX_CMDQ_LO, io_read(SOC_MBOX + MBOX_CMDQ_LOG2));
	mbox_cplq = mbox_reg64(MBOX_CPLQ_LO);
	log_value("mbox: command ring, entries", mbox_cmdq.size);
}

static void mbox_evtq_set(void)
{
	mbox_ring_set(&mbox_evtq, MBOX_EVTQ_LO, io_read(SOC_MBOX + MBOX_EVTQ_LOG2));
	log_value("mbox: event ring, entries", mbox_evtq.size);
}

/* Fetch, run and complete one command. */
static void mbox_cmd_one(void)
{
	struct vktls_cmd_cpl cpl = { .gen = mbox_cmdq.gen };
	u32 at = mbox_cmdq.index;
	u16 status;

	status = mbox_host_read(&mbox_slot, mbox_cmdq.addr + at * sizeof(mbox_slot),
				sizeof(mbox_slot));
	if (status == VKTLS_ST_OK)
		cmd_run(&mbox_slot.cmd, &cpl);
	else
		cpl.status = status;
	memset(&mbox_slot, 0, sizeof(mbox_slot));
	mbox_ring_advance(&mbox_cmdq);
	cpl.head = mbox_cmdq.index;
	status = mbox_entry_write(mbox_cplq + at * sizeof(cpl), &cpl, sizeof(cpl));
	if (status)
		log_value("mbox: completion lost, slot", at);
}

/*
 * The commands that the last doorbell told of. Return: whether there were any.
 * The ring may have been set up anew a moment ago, with a tail that the ring
 * known here does not have.
 */
static bool mbox_cmds(void)
{
	u32 tail = io_read(SOC_MBOX + MBOX_CMDQ_TAIL) & (mbox_cmdq.size - 1);
	bool any = mbox_cmdq.size && mbox_cmdq.index != tail;

	while (mbox_cmdq.size && mbox_cmdq.index != tail)
		mbox_cmd_one();
	return any;
}

static bool mbox_evtq_has_room(void)
{
	u32 head = io_read(SOC_MBOX + MBOX_EVTQ_HEAD);

	return mbox_evtq.size &&
	       ((mbox_evtq.index + 1) & (mbox_evtq.size - 1)) != head;
}

static void mbox_event_one(u32 type)
{
	struct vktls_event event = {
		.type = type,
		.status = io_read(SOC_HWEV + HWEV_STATUS),
		.id = io_read(SOC_HWEV + HWEV_ID),
		.arg = io_read(SOC_HWEV + HWEV_ARG),
		.gen = mbox_evtq.gen,
	};
	u64 to = mbox_evtq.addr + mbox_evtq.index * sizeof(event);

	io_write(SOC_HWEV + HWEV_POP, 1);
	if (mbox_entry_write(to, &event, sizeof(event)))
		log_value("mbox: event lost, slot", mbox_evtq.index);
	mbox_ring_advance(&mbox_evtq);
}

/* Events wait in hardware while the host's ring has no room for them. */
static bool mbox_events(void)
{
	bool any = false;
	u32 type;

	while (mbox_evtq_has_room()) {
		type = io_read(SOC_HWEV + HWEV_TYPE);
		if (!type)
			break;
		mbox_event_one(type);
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
 * mbox_poll() - do what the host and the data path left to do
 *
 * Requests are acknowledged before they are looked at: what comes in between
 * raises the line again.
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
