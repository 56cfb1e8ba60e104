// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running commands: transport only, no meaning. Any number of
 * callers may sleep on commands at once, or post one and be called back; a slot
 * holds its caller's answer, and a command is wiped from the ring as soon as it is
 * answered or given up, because it may have carried a key.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "cmd.h"
#include "cmdq.h"
#include "trace.h"
#include "vktls.h"

#define CMD_SPIN_POLLS 128 /* polls before a caller sleeps: some 40 us */
#define CMD_DEFER_MAX 16 /* most commands that wait for one doorbell */
#define CMD_POLL_PERIOD (1 * HZ) /* time between polls of a sleeping caller */
#define CMD_TIMEOUT_POLLS 10 /* polls until a command has failed */
#define CMD_DEAD_POLLS 4 /* polls until then while the heartbeat stands still */

static int vktls_cmd_errno(u16 status)
{
	switch (status) {
	case VKTLS_ST_OK:
		return 0;
	case VKTLS_ST_OPCODE:
	case VKTLS_ST_UNSUPPORTED:
		return -EOPNOTSUPP;
	case VKTLS_ST_LENGTH:
	case VKTLS_ST_PARAM:
	case VKTLS_ST_RESERVED:
		return -EINVAL;
	case VKTLS_ST_NOENT:
		return -ENOENT;
	case VKTLS_ST_EXIST:
		return -EEXIST;
	case VKTLS_ST_FULL:
		return -ENOSPC;
	case VKTLS_ST_DMA:
		return -EFAULT;
	case VKTLS_ST_STATE:
		return -EBUSY;
	default:
		return -EIO;
	}
}

/* Slots become free in any order; places in the ring are reused in ring order. */
static void vktls_cmdq_advance(struct vktls_cmdq *q)
{
	while (q->head != q->tail && !q->slots[q->head & CMDQ_MASK].busy)
		q->head++;
	if (wq_has_sleeper(&q->wait))
		wake_up_all(&q->wait);
}

static void vktls_cmd_finish(struct vktls_cmdq *q, unsigned int index)
{
	struct vktls_cmd_slot *slot = &q->slots[index];

	memzero_explicit(&q->cmds[index], sizeof(q->cmds[index]));
	slot->pending = false;
	if (slot->call) {
		slot->call(q->vd, slot->arg,
			   slot->err ? slot->err :
				       vktls_cmd_errno(slot->status));
		slot->busy = false;
	} else {
		complete(&slot->done);
	}
}

/* Fails all commands from now on, running ones included. Holds the lock. */
static void vktls_cmdq_fail(struct vktls_cmdq *q, int err)
{
	unsigned int i;

	lockdep_assert_held(&q->lock);
	if (!q->err)
		q->err = err;
	for (i = 0; i < CMDQ_SIZE; i++) {
		if (!q->slots[i].pending)
			continue;
		q->slots[i].err = q->err;
		vktls_cmd_finish(q, i);
	}
	vktls_cmdq_advance(q);
}

/* Returns whether the NIC was told of command @tag and has not answered it. */
static bool vktls_cmd_is_due(const struct vktls_cmdq *q, u32 tag)
{
	const struct vktls_cmd_slot *slot = &q->slots[tag & CMDQ_MASK];

	return slot->pending && slot->tag == tag &&
	       ((tag - q->head) & CMDQ_MASK) < q->rung - q->head;
}

/* Each field of @cpl is read once: the NIC may go on writing. */
static void vktls_cmd_answer(struct vktls_cmdq *q,
			     const struct vktls_cmd_cpl *cpl)
{
	u32 tag = le32_to_cpu(READ_ONCE(cpl->tag));
	struct vktls_cmd_slot *slot = &q->slots[tag & CMDQ_MASK];
	u16 len = le16_to_cpu(READ_ONCE(cpl->len));

	if (!vktls_cmd_is_due(q, tag)) {
		dev_err(&q->vd->pdev->dev, "answer to no command: tag %#x\n",
			tag);
		vktls_cmdq_fail(q, -EIO);
		vktls_reset_request(q->vd, RESET_FW);
		return;
	}
	len = min3(len, slot->rsp_len, (u16)sizeof(cpl->payload));
	if (slot->rsp) {
		memcpy(slot->rsp, cpl->payload, len);
		memset(slot->rsp + len, 0, slot->rsp_len - len);
	}
	slot->status = le16_to_cpu(READ_ONCE(cpl->status));
	vktls_cmd_finish(q, tag & CMDQ_MASK);
	if (slot->call)
		vktls_cmdq_advance(q);
}

/**
 * vktls_cmdq_poll() - take the answers that are there
 * @q: the queues; their lock is held
 *
 * Context: any.
 */
void vktls_cmdq_poll(struct vktls_cmdq *q)
{
	struct vktls_cmd_cpl *cpl;
	u8 gen;

	lockdep_assert_held(&q->lock);
	for (; !q->err; q->cpl_head++) {
		cpl = &q->cpls[q->cpl_head & CMDQ_MASK];
		gen = (q->cpl_head & CMDQ_SIZE) ? 0 : VKTLS_GEN;
		if ((READ_ONCE(cpl->gen) & VKTLS_GEN) != gen)
			break;
		/* The NIC writes gen after the rest of the completion. */
		dma_rmb();
		vktls_cmd_answer(q, cpl);
	}
}

/* Returns 0 if the queue takes commands, else the errno for each new command. */
static int vktls_cmdq_err(const struct vktls_cmdq *q)
{
	if (test_bit(DEV_GONE, &q->vd->state))
		return -ENODEV;
	return q->err;
}

static bool vktls_cmdq_has_room(struct vktls_cmdq *q)
{
	return q->err || q->tail - q->head < CMDQ_MASK;
}

static struct vktls_cmd_slot *vktls_cmd_submit(struct vktls_cmdq *q, u16 opcode,
					       const void *req, size_t req_len,
					       void *rsp, size_t rsp_len)
{
	unsigned int index = q->tail & CMDQ_MASK;
	struct vktls_cmd_slot *slot = &q->slots[index];
	struct vktls_cmd *cmd = &q->cmds[index];

	lockdep_assert_held(&q->lock);
	reinit_completion(&slot->done);
	slot->tag += CMDQ_SIZE;
	slot->rsp = rsp;
	slot->rsp_len = rsp_len;
	slot->err = 0;
	slot->call = NULL;
	slot->pending = true;
	slot->busy = true;
	memset(cmd, 0, sizeof(*cmd));
	cmd->opcode = cpu_to_le16(opcode);
	cmd->len = cpu_to_le16(req_len);
	cmd->tag = cpu_to_le32(slot->tag);
	memcpy(cmd->payload, req, req_len);
	q->tail++;
	return slot;
}

static void vktls_cmdq_ring_doorbell(struct vktls_cmdq *q)
{
	lockdep_assert_held(&q->lock);
	if (q->rung == q->tail)
		return;
	q->rung = q->tail;
	/* writel() inside orders the commands before the tail. */
	vktls_write(q->vd, VKTLS_REG_CMDQ_TAIL, q->tail & CMDQ_MASK);
}

/**
 * vktls_cmdq_abort() - fail all commands from now on, running ones included
 * @vd: device
 * @err: errno for their callers
 *
 * Context: any.
 */
void vktls_cmdq_abort(struct vktls_dev *vd, int err)
{
	struct vktls_cmdq *q = vd->cmdq;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	vktls_cmdq_fail(q, err);
	spin_unlock_irqrestore(&q->lock, flags);
}

static void vktls_cmd_look(struct vktls_cmdq *q)
{
	u32 head;

	spin_lock_irq(&q->lock);
	head = q->cpl_head;
	vktls_cmdq_poll(q);
	if (q->cpl_head != head)
		atomic_long_inc(&q->vd->irqs_lost);
	spin_unlock_irq(&q->lock);
}

/* Unrolled: the counter of a loop would cost more than the pauses. */
static void vktls_cmd_pause(void)
{
	cpu_relax();
	cpu_relax();
	cpu_relax();
	cpu_relax();
	cpu_relax();
	cpu_relax();
	cpu_relax();
	cpu_relax();
}

/*
 * Polls for a short time, because firmware answers most commands before this task
 * would have gone to sleep. Returns whether the answer is there.
 */
static bool vktls_cmd_spin(const struct vktls_cmd_slot *slot)
{
	int looks;

	for (looks = 0; looks < CMD_SPIN_POLLS; looks++) {
		if (!READ_ONCE(slot->pending))
			return true;
		if (need_resched())
			return false;
		vktls_cmd_pause();
	}
	return false;
}

/*
 * Waits for the answer of a command, for as long as CMD_TIMEOUT_POLLS if the
 * heartbeat moves, and CMD_DEAD_POLLS if it stands still.
 */
static void vktls_cmd_await(struct vktls_cmdq *q, struct vktls_cmd_slot *slot)
{
	int looks = 0, silent = 0;
	u32 beat = 0, last;

	if (vktls_cmd_spin(slot))
		return;
	while (looks++ < CMD_TIMEOUT_POLLS && silent < CMD_DEAD_POLLS) {
		if (wait_for_completion_timeout(&slot->done, CMD_POLL_PERIOD))
			return;
		vktls_cmd_look(q);
		last = beat;
		beat = vktls_read(q->vd, VKTLS_REG_HEARTBEAT);
		silent = beat == last ? silent + 1 : 0;
	}
}

/* Fails all commands because one got no answer, and requests a reset. */
static void vktls_cmd_overdue(struct vktls_cmdq *q, struct vktls_cmd_slot *slot)
{
	struct vktls_dev *vd = q->vd;
	int err = vktls_dev_check(vd) ? -ETIMEDOUT : -ENODEV;

	spin_lock_irq(&q->lock);
	if (slot->pending) {
		dev_err(&vd->pdev->dev, "no answer to command %#x\n",
			le16_to_cpu(q->cmds[slot->tag & CMDQ_MASK].opcode));
		vktls_cmdq_fail(q, err);
		vktls_reset_request(vd, RESET_FW);
	}
	spin_unlock_irq(&q->lock);
}

/* Returns the oldest command if it was posted more than @delay jiffies ago. */
static struct vktls_cmd_slot *vktls_cmdq_posted_late(struct vktls_cmdq *q,
						     unsigned long delay)
{
	struct vktls_cmd_slot *slot;
	bool late;

	spin_lock_irq(&q->lock);
	slot = &q->slots[q->head & CMDQ_MASK];
	late = q->head != q->tail && slot->pending && slot->call &&
	       time_after(jiffies, slot->since + delay);
	spin_unlock_irq(&q->lock);
	return late ? slot : NULL;
}

/**
 * vktls_cmdq_watch() - handle events and answers whose interrupt was lost
 * @vd: device; its queues may be stopped
 *
 * A caller that waits polls by itself; for posted commands, which have no waiting
 * caller, this function polls. It rings the doorbell for deferred commands that have
 * had none.
 *
 * Context: process; about once a second.
 */
void vktls_cmdq_watch(struct vktls_dev *vd)
{
	struct vktls_cmdq *q = vd->cmdq;
	struct vktls_cmd_slot *slot;

	spin_lock_irq(&q->lock);
	if (!q->err)
		vktls_cmdq_ring_doorbell(q);
	spin_unlock_irq(&q->lock);
	/* irq_wake_thread() does nothing while no handler is installed. */
	if (vktls_cmdq_event_peek(q))
		irq_wake_thread(vktls_irq_vector(vd, VKTLS_VEC_ASYNC), q);
	if (vktls_cmdq_posted_late(q, CMD_POLL_PERIOD))
		vktls_cmd_look(q);
	slot = vktls_cmdq_posted_late(q, CMD_TIMEOUT_POLLS * CMD_POLL_PERIOD);
	if (slot)
		vktls_cmd_overdue(q, slot);
}

/**
 * vktls_cmd_exec() - run one command and wait for its answer
 * @vd: device
 * @opcode: VKTLS_CMD_*
 * @req: payload in ABI byte order, at most 120 bytes; the caller wipes its own
 *	copy if that holds a key
 * @req_len: bytes in @req
 * @rsp: where the answer's payload goes, filled up with zeros
 * @rsp_len: bytes in @rsp, at most 48
 *
 * Context: process; sleeps up to ten seconds, five if the heartbeat stands
 * still. No lock is needed.
 * Return: 0, the errno for the NIC's status, -ENETDOWN when no firmware runs,
 * -ETIMEDOUT when it stopped answering, -ENODEV when the NIC is gone.
 */
int vktls_cmd_exec(struct vktls_dev *vd, u16 opcode, const void *req,
		   size_t req_len, void *rsp, size_t rsp_len)
{
	struct vktls_cmdq *q = vd->cmdq;
	ktime_t start = trace_vktls_cmd_enabled() ? ktime_get() : 0;
	struct vktls_cmd_slot *slot;
	int err;

	spin_lock_irq(&q->lock);
	wait_event_lock_irq(q->wait, vktls_cmdq_has_room(q), q->lock);
	err = vktls_cmdq_err(q);
	if (err) {
		spin_unlock_irq(&q->lock);
		return err;
	}
	slot = vktls_cmd_submit(q, opcode, req, req_len, rsp, rsp_len);
	vktls_cmdq_ring_doorbell(q);
	spin_unlock_irq(&q->lock);

	vktls_cmd_await(q, slot);
	if (READ_ONCE(slot->pending))
		vktls_cmd_overdue(q, slot);

	spin_lock_irq(&q->lock);
	err = slot->err ? slot->err : vktls_cmd_errno(slot->status);
	if (start)
		trace_vktls_cmd(vd, opcode, slot->tag, err,
				ktime_us_delta(ktime_get(), start));
	slot->busy = false;
	vktls_cmdq_advance(q);
	spin_unlock_irq(&q->lock);
	return err;
}

/* Returns the number of commands that wait for a doorbell, or an errno. */
static int vktls_cmd_enqueue(struct vktls_cmdq *q, u16 opcode, const void *req,
			     size_t req_len, vktls_cmd_done_t call, u32 arg)
{
	struct vktls_cmd_slot *slot;
	int err = vktls_cmdq_err(q);

	if (err)
		return err;
	if (!vktls_cmdq_has_room(q))
		return -EBUSY;
	slot = vktls_cmd_submit(q, opcode, req, req_len, NULL, 0);
	slot->call = call;
	slot->arg = arg;
	slot->since = jiffies;
	return q->tail - q->rung;
}

/* Rings the doorbell if @most or more commands wait for it. */
static int vktls_cmd_leave(struct vktls_cmdq *q, u16 opcode, const void *req,
			   size_t req_len, vktls_cmd_done_t call, u32 arg,
			   int most)
{
	unsigned long flags;
	int ret;

	spin_lock_irqsave(&q->lock, flags);
	ret = vktls_cmd_enqueue(q, opcode, req, req_len, call, arg);
	if (ret >= most)
		vktls_cmdq_ring_doorbell(q);
	spin_unlock_irqrestore(&q->lock, flags);
	return min(ret, 0);
}

/**
 * vktls_cmd_post() - run one command, and do not wait
 * @vd: device
 * @opcode: VKTLS_CMD_* with no answer but a status
 * @req: payload in ABI byte order, at most 120 bytes
 * @req_len: bytes in @req
 * @call: called once with the outcome, in any context, the queue's lock held
 * @arg: for @call
 *
 * Context: any.
 * Return: 0; otherwise @call is not called: -EBUSY when the ring is full, or why
 * no commands are taken.
 */
int vktls_cmd_post(struct vktls_dev *vd, u16 opcode, const void *req,
		   size_t req_len, vktls_cmd_done_t call, u32 arg)
{
	return vktls_cmd_leave(vd->cmdq, opcode, req, req_len, call, arg, 1);
}

/**
 * vktls_cmd_defer() - run one command within a second, and do not wait
 * @vd: device
 * @opcode: VKTLS_CMD_* with no answer but a status
 * @req: payload in ABI byte order without secrets, at most 120 bytes
 * @req_len: bytes in @req
 * @call: called once with the outcome, in any context, the queue's lock held
 * @arg: for @call
 *
 * The NIC gets the command before any later one. Doorbell and interrupt are shared
 * with later commands; if none comes, vktls_cmdq_watch() rings the doorbell.
 *
 * Context: any.
 * Return: as vktls_cmd_post().
 */
int vktls_cmd_defer(struct vktls_dev *vd, u16 opcode, const void *req,
		    size_t req_len, vktls_cmd_done_t call, u32 arg)
{
	return vktls_cmd_leave(vd->cmdq, opcode, req, req_len, call, arg,
			       CMD_DEFER_MAX);
}

/**
 * vktls_cmd_exec_buf() - run a command with data in a buffer of its own
 * @vd: device
 * @opcode: VKTLS_CMD_* that takes struct vktls_buf
 * @arg: its field arg
 * @buf: data, given to the NIC and read back from it
 * @len: bytes in @buf, at most CMD_BUF_BYTES
 * @rsp: where the answer's payload goes
 * @rsp_len: bytes in @rsp
 *
 * Context: process; sleeps. Takes the buffer lock.
 * Return: as vktls_cmd_exec(); @buf changes only on success.
 */
int vktls_cmd_exec_buf(struct vktls_dev *vd, u16 opcode, u32 arg, void *buf,
		       size_t len, void *rsp, size_t rsp_len)
{
	struct vktls_cmdq *q = vd->cmdq;
	struct vktls_buf req = {
		.addr = cpu_to_le64(q->buf_dma),
		.len = cpu_to_le32(len),
		.arg = cpu_to_le32(arg),
	};
	int err;

	mutex_lock(&q->buf_lock);
	memcpy(q->buf, buf, len);
	err = vktls_cmd_exec(vd, opcode, &req, sizeof(req), rsp, rsp_len);
	if (!err)
		memcpy(buf, q->buf, len);
	mutex_unlock(&q->buf_lock);
	return err;
}
