/* SPDX-License-Identifier: GPL-2.0-only */
/* The command and event queues, for who runs commands and who owns the queues. */
#ifndef VKTLS_CMDQ_H
#define VKTLS_CMDQ_H

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "cmd.h"

#define CMDQ_LOG2		6
#define CMDQ_SIZE		BIT(CMDQ_LOG2)
#define CMDQ_MASK		(CMDQ_SIZE - 1)
#define EVTQ_LOG2		8
#define EVTQ_MASK		(BIT(EVTQ_LOG2) - 1)

/* One command on its way; index is that of its place in the ring. */
struct vktls_cmd_slot {
	struct completion done;
	u32 tag;
	u16 status;		/* VKTLS_ST_*, once answered */
	u16 rsp_len;		/* bytes that the caller wants */
	void *rsp;
	int err;		/* given up: why */
	bool pending;		/* the NIC owes an answer */
	bool busy;		/* pending, or the caller has yet to look */
	vktls_cmd_done_t call;	/* nobody waits: whom to tell */
	u32 arg;		/* for call */
	unsigned long since;	/* jiffies; with call */
};

struct vktls_cmdq {
	struct vktls_dev *vd;
	struct vktls_cmd *cmds;
	struct vktls_cmd_cpl *cpls;
	struct vktls_event *events;
	dma_addr_t cmds_dma;
	dma_addr_t cpls_dma;
	dma_addr_t events_dma;

	spinlock_t lock;	/* all below but buf; also in hard interrupt */
	u32 head;		/* oldest slot that may be busy */
	u32 tail;
	u32 rung;		/* tail that the NIC knows */
	u32 cpl_head;
	int err;		/* not 0: takes no commands, and why */
	struct vktls_cmd_slot slots[CMDQ_SIZE];
	wait_queue_head_t wait;	/* for head to move, or err */

	u32 evt_head;		/* written by the threaded interrupt alone */

	struct mutex buf_lock;	/* buf, while a command that uses it lives */
	void *buf;
	dma_addr_t buf_dma;
};

/* Is there an event that the handler has not seen? */
static inline bool vktls_cmdq_event_peek(const struct vktls_cmdq *q)
{
	u32 head = READ_ONCE(q->evt_head);
	u8 gen = (head & BIT(EVTQ_LOG2)) ? 0 : VKTLS_GEN;

	return (READ_ONCE(q->events[head & EVTQ_MASK].gen) & VKTLS_GEN) == gen;
}

void vktls_cmdq_poll(struct vktls_cmdq *q);

#endif /* VKTLS_CMDQ_H */
