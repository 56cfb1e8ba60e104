// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command and event queues: memory, start and stop with the firmware, and the
 * interrupt. Does not know the content of events, which is for port.c.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "cmdq.h"
#include "vktls.h"

/*
 * The driver takes at most one ring of events in this time, because a NIC that
 * sends events without end may not keep a processor busy. If the ring overflows,
 * the NIC loses events and reports how many.
 */
#define EVENTS_PERIOD		(HZ / 10)

static irqreturn_t vktls_cmdq_irq(int irq, void *data)
{
	struct vktls_cmdq *q = data;

	spin_lock(&q->lock);
	vktls_cmdq_poll(q);
	spin_unlock(&q->lock);
	return vktls_cmdq_event_peek(q) ? IRQ_WAKE_THREAD : IRQ_HANDLED;
}

static void vktls_cmdq_event_take(struct vktls_cmdq *q)
{
	struct vktls_event event;

	/* The NIC writes gen after the rest of the event. */
	dma_rmb();
	event = q->events[q->evt_head & EVTQ_MASK];
	WRITE_ONCE(q->evt_head, q->evt_head + 1);
	vktls_write(q->vd, VKTLS_REG_EVTQ_HEAD, q->evt_head & EVTQ_MASK);
	vktls_port_event(q->vd, &event);
}

static void vktls_cmdq_event_pace(struct vktls_cmdq *q)
{
	unsigned long end = q->evt_since + EVENTS_PERIOD;

	if (time_before(jiffies, end) && ++q->evt_taken < BIT(EVTQ_LOG2))
		return;
	/* msleep(): interrupts go on, and must not end the pause. */
	if (time_before(jiffies, end))
		msleep(jiffies_to_msecs(end - jiffies));
	q->evt_since = jiffies;
	q->evt_taken = 0;
}

static irqreturn_t vktls_cmdq_irq_thread(int irq, void *data)
{
	struct vktls_cmdq *q = data;

	while (vktls_cmdq_event_peek(q)) {
		vktls_cmdq_event_take(q);
		vktls_cmdq_event_pace(q);
	}
	return IRQ_HANDLED;
}

static void vktls_cmdq_write_addr(struct vktls_dev *vd, u32 reg,
				  dma_addr_t addr)
{
	vktls_write(vd, reg, lower_32_bits(addr));
	vktls_write(vd, reg + 4, upper_32_bits(addr));
}

static void vktls_cmdq_clear(struct vktls_cmdq *q)
{
	unsigned int i;

	memset(q->cmds, 0, sizeof(*q->cmds) << CMDQ_LOG2);
	memset(q->cpls, 0, sizeof(*q->cpls) << CMDQ_LOG2);
	memset(q->events, 0, sizeof(*q->events) << EVTQ_LOG2);
	q->head = 0;
	q->tail = 0;
	q->rung = 0;
	q->cpl_head = 0;
	q->evt_head = 0;
	for (i = 0; i < CMDQ_SIZE; i++)
		q->slots[i].tag = i;
}

/**
 * vktls_cmdq_start() - give the queues to a NIC that has just been reset
 * @vd: device, its firmware ready
 *
 * Context: process, RTNL or probe; the queues are stopped.
 * Return: 0 or errno; on failure the queues stay stopped.
 */
int vktls_cmdq_start(struct vktls_dev *vd)
{
	struct vktls_cmdq *q = vd->cmdq;
	int err;

	vktls_cmdq_clear(q);
	err = request_threaded_irq(vktls_irq_vector(vd, VKTLS_VEC_ASYNC),
				   vktls_cmdq_irq, vktls_cmdq_irq_thread, 0,
				   pci_name(vd->pdev), q);
	if (err)
		return err;

	vktls_cmdq_write_addr(vd, VKTLS_REG_CMDQ_ADDR_LO, q->cmds_dma);
	vktls_cmdq_write_addr(vd, VKTLS_REG_CPLQ_ADDR_LO, q->cpls_dma);
	vktls_write(vd, VKTLS_REG_CMDQ_LOG2, CMDQ_LOG2);
	vktls_cmdq_write_addr(vd, VKTLS_REG_EVTQ_ADDR_LO, q->events_dma);
	vktls_write(vd, VKTLS_REG_EVTQ_LOG2, EVTQ_LOG2);
	spin_lock_irq(&q->lock);
	q->err = 0;
	spin_unlock_irq(&q->lock);
	return 0;
}

/**
 * vktls_cmdq_stop() - end the use of the queues
 * @vd: device that was reset or is gone, after vktls_cmdq_abort()
 *
 * Returns when the last caller has left and no handler runs.
 * Context: process; not called twice without a start between.
 */
void vktls_cmdq_stop(struct vktls_dev *vd)
{
	struct vktls_cmdq *q = vd->cmdq;

	wait_event(q->wait, READ_ONCE(q->head) == READ_ONCE(q->tail));
	free_irq(vktls_irq_vector(vd, VKTLS_VEC_ASYNC), q);
}

static int vktls_cmdq_alloc_dma(struct device *dev, struct vktls_cmdq *q)
{
	q->cmds = dma_alloc_coherent(dev, sizeof(*q->cmds) << CMDQ_LOG2,
				     &q->cmds_dma, GFP_KERNEL);
	if (!q->cmds)
		return -ENOMEM;
	q->cpls = dma_alloc_coherent(dev, sizeof(*q->cpls) << CMDQ_LOG2,
				     &q->cpls_dma, GFP_KERNEL);
	if (!q->cpls)
		goto free_cmds;
	q->events = dma_alloc_coherent(dev, sizeof(*q->events) << EVTQ_LOG2,
				       &q->events_dma, GFP_KERNEL);
	if (!q->events)
		goto free_cpls;
	q->buf = dma_alloc_coherent(dev, CMD_BUF_BYTES, &q->buf_dma,
				    GFP_KERNEL);
	if (!q->buf)
		goto free_events;
	return 0;

free_events:
	dma_free_coherent(dev, sizeof(*q->events) << EVTQ_LOG2, q->events,
			  q->events_dma);
free_cpls:
	dma_free_coherent(dev, sizeof(*q->cpls) << CMDQ_LOG2, q->cpls,
			  q->cpls_dma);
free_cmds:
	dma_free_coherent(dev, sizeof(*q->cmds) << CMDQ_LOG2, q->cmds,
			  q->cmds_dma);
	return -ENOMEM;
}

/**
 * vktls_cmdq_alloc() - allocate the queues, stopped
 * @vd: device
 *
 * The queues live as long as the device, with or without firmware, so that callers
 * of commands need no check for them.
 * Return: 0 or -ENOMEM.
 */
int vktls_cmdq_alloc(struct vktls_dev *vd)
{
	struct vktls_cmdq *q;
	unsigned int i;
	int err;

	q = kvzalloc(sizeof(*q), GFP_KERNEL);
	if (!q)
		return -ENOMEM;
	q->vd = vd;
	q->err = -ENETDOWN;
	spin_lock_init(&q->lock);
	mutex_init(&q->buf_lock);
	init_waitqueue_head(&q->wait);
	for (i = 0; i < CMDQ_SIZE; i++)
		init_completion(&q->slots[i].done);
	err = vktls_cmdq_alloc_dma(&vd->pdev->dev, q);
	if (err) {
		kvfree(q);
		return err;
	}
	vd->cmdq = q;
	return 0;
}

/**
 * vktls_cmdq_free() - undo vktls_cmdq_alloc()
 * @vd: device, its queues stopped and without users
 */
void vktls_cmdq_free(struct vktls_dev *vd)
{
	struct device *dev = &vd->pdev->dev;
	struct vktls_cmdq *q = vd->cmdq;

	dma_free_coherent(dev, CMD_BUF_BYTES, q->buf, q->buf_dma);
	dma_free_coherent(dev, sizeof(*q->events) << EVTQ_LOG2, q->events,
			  q->events_dma);
	dma_free_coherent(dev, sizeof(*q->cpls) << CMDQ_LOG2, q->cpls,
			  q->cpls_dma);
	dma_free_coherent(dev, sizeof(*q->cmds) << CMDQ_LOG2, q->cmds,
			  q->cmds_dma);
	kvfree(q);
	vd->cmdq = NULL;
}
