/* SPDX-License-Identifier: GPL-2.0-only */
/* The command and event queues, shared by cmd.c (commands) and cmdq.c (life). */
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

/* A command on its way; slots[i] belongs to place i of the ring. */
struct vktls_cmd_slot {
	struct completion done;
	u32 tag;
	u16 status;		/* VKTLS_ST_*, once answered */
	u16 rsp_len;		/* size of rsp, bytes */
	void *rsp;
	int err;		/* errno of a command given up */
	bool pending;		/* answer still to come */
	bool busy;		/* pending, or answer not yet read by the caller */
	vktls_cmd_done_t call;	/* callback of a posted command, else NULL */
	u32 arg;		/* argument of call */
	unsigned long since;	/* jiffies at submission, if call is set */
};

struct vktls_cmdq {
	struct vktls_dev *vd;
	struct vktls_cmd *cmds;
	struct vktls_cmd_cpl *cpls;
	struct vktls_event *events;
	dma_addr_t cmds_dma;
	dma_addr_t cpls_dma;
	dma_addr_t events_dma;

	spinlock_t lock;	/* fields below except buf; taken in hard interrupts, too */
	u32 head;		/* oldest slot that may be busy */
	u32 tail;
	u32 rung;		/* tail in the last doorbell */
	u32 cpl_head;
	int err;		/* result of each new command, or 0 while the queue works */
	struct vktls_cmd_slot slots[CMDQ_SIZE];
	wait_queue_head_t wait;	/* callers that wait until head moves or err is set */

	/* written by the threaded interrupt only */
	u32 evt_head;
	unsigned long evt_since;	/* start of the event period, jiffies */
	unsigned int evt_taken;	/* events since evt_since */

	struct mutex buf_lock;	/* held from the first to the last use of buf by a command */
	void *buf;
	dma_addr_t buf_dma;
};

/* Returns whether there is an event that the handler has not taken. */
static inline bool vktls_cmdq_event_peek(const struct vktls_cmdq *q)
{
	u32 head = READ_ONCE(q->evt_head);
	u8 gen = (head & BIT(EVTQ_LOG2)) ? 0 : VKTLS_GEN;

	return (READ_ONCE(q->events[head & EVTQ_MASK].gen) & VKTLS_GEN) == gen;
}

void vktls_cmdq_poll(struct vktls_cmdq *q);

#endif /* VKTLS_CMDQ_H */
