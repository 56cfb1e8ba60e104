// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queue pairs as a whole: their memory, vector, NAPI instance, moderation and
 * counters. A completion queue interrupts once for each time it is armed, and
 * both are armed together when NAPI has nothing left to do.
 */
#include <linux/interrupt.h>
#include <linux/slab.h>
#include <compat/vktls.h>

#include "qp.h"
#include "vktls.h"
#include "xdp.h"

/*
 * net_dim decides once in DIM_NEVENTS interrupts. Four samples in that time find
 * the end of a measurement soon enough; more samples are not worth the clock reads.
 */
#define QP_DIM_EVENTS	(DIM_NEVENTS / 4)

static void vktls_qp_write(struct vktls_qp *qp, u32 reg, u32 val)
{
	vktls_write(qp->vd, VKTLS_REG_QP(qp->index) + reg, val);
}

/*
 * Arms both completion queues. The NIC interrupts at once if there are completions
 * behind the given indices.
 */
static void vktls_qp_arm(struct vktls_qp *qp)
{
	struct vktls_ring *tx = &qp->tx.ring, *rx = &qp->rx.ring;

	vktls_qp_write(qp, VKTLS_QP_TX_CQ,
		       (tx->cpl_head & tx->mask) | VKTLS_CQ_ARM);
	vktls_qp_write(qp, VKTLS_QP_RX_CQ,
		       (rx->cpl_head & rx->mask) | VKTLS_CQ_ARM);
}

static irqreturn_t vktls_qp_irq(int irq, void *data)
{
	struct vktls_qp *qp = data;

	WRITE_ONCE(qp->events, qp->events + 1);
	u64_stats_update_begin(&qp->irq_sync);
	u64_stats_inc(&qp->irqs);
	u64_stats_update_end(&qp->irq_sync);
	napi_schedule_irqoff(&qp->napi);
	return IRQ_HANDLED;
}

static void vktls_qp_dim_sample(struct dim *dim, u16 events,
				const u64_stats_t *packets,
				const u64_stats_t *bytes)
{
	struct dim_sample sample = {};

	dim_update_sample(events, u64_stats_read(packets),
			  u64_stats_read(bytes), &sample);
	net_dim(dim, &sample);
}

/* Gives net_dim a sample of the totals. */
static noinline void vktls_qp_dim(struct vktls_qp *qp, u16 events)
{
	qp->dim_events = events;
	if (READ_ONCE(qp->vd->rx_mod.adaptive))
		vktls_qp_dim_sample(&qp->rx_dim, events,
				    &qp->rx.stats[RXS_PACKETS],
				    &qp->rx.stats[RXS_BYTES]);
	if (READ_ONCE(qp->vd->tx_mod.adaptive))
		vktls_qp_dim_sample(&qp->tx_dim, events,
				    &qp->tx.stats[TXS_PACKETS],
				    &qp->tx.stats[TXS_BYTES]);
}

/* Takes received frames, and posts buffers for them. */
static int vktls_qp_receive(struct vktls_rx_ring *rx, int budget)
{
	int frames = unlikely(rx->xdp) ? vktls_xdp_poll(rx, budget) :
					 vktls_rx_take(rx, budget);

	return vktls_rx_refill(rx, frames, budget);
}

static int vktls_qp_poll(struct napi_struct *napi, int budget)
{
	struct vktls_qp *qp = container_of(napi, struct vktls_qp, napi);
	u16 events = READ_ONCE(qp->events);
	int done = 0;

	if (likely(!qp->broken))
		vktls_tx_poll(&qp->tx, budget);
	if (likely(!qp->broken) && budget)
		done = vktls_qp_receive(&qp->rx, budget);
	if (unlikely(qp->broken)) {
		if (budget)
			napi_complete(napi);
		return 0;
	}
	if ((u16)(events - qp->dim_events) >= QP_DIM_EVENTS)
		vktls_qp_dim(qp, events);
	if (done < budget && napi_complete_done(napi, done)) {
		vktls_qp_arm(qp);
	} else {
		vktls_qp_write(qp, VKTLS_QP_TX_CQ,
			       qp->tx.ring.cpl_head & qp->tx.ring.mask);
		vktls_qp_write(qp, VKTLS_QP_RX_CQ,
			       qp->rx.ring.cpl_head & qp->rx.ring.mask);
	}
	return done;
}

/**
 * vktls_qp_watch() - handle completions whose interrupt was lost
 * @qp: queue pair, started or not
 *
 * A queue interrupts once each time it is armed. If the message is lost and the
 * other queue of the pair is silent, no poll will arm either queue again. So
 * completions that wait from one call to the next are polled.
 *
 * Context: stats_lock held, bottom halves off; about once a second.
 */
void vktls_qp_watch(struct vktls_qp *qp)
{
	u32 seen = READ_ONCE(qp->tx.ring.cpl_head) +
		   READ_ONCE(qp->rx.ring.cpl_head);
	bool waits = !READ_ONCE(qp->broken) &&
		     (vktls_ring_peek(&qp->tx.ring) ||
		      vktls_ring_peek(&qp->rx.ring));

	/* napi_schedule() does nothing if NAPI is disabled or already runs. */
	if (waits && qp->waited && seen == qp->watched &&
	    napi_schedule(&qp->napi))
		atomic_long_inc(&qp->vd->irqs_lost);
	qp->watched = seen;
	qp->waited = waits;
}

static u32 vktls_qp_mod_value(unsigned int usecs, unsigned int frames)
{
	usecs = min_t(unsigned int, usecs, VKTLS_MOD_USECS_MAX);
	frames = min_t(unsigned int, frames, U8_MAX);
	return usecs | frames << VKTLS_MOD_FRAMES_SHIFT;
}

/*
 * NAPI may have asked net_dim just before the user switched adaptive moderation off:
 * such a decision must not overwrite the user's values.
 */
static void vktls_qp_dim_apply(struct vktls_qp *qp, struct dim *dim, u32 reg,
			       struct dim_cq_moder mod, const bool *adaptive)
{
	if (READ_ONCE(*adaptive))
		vktls_qp_write(qp, reg, vktls_qp_mod_value(mod.usec, mod.pkts));
	dim->state = DIM_START_MEASURE;
}

static void vktls_qp_rx_dim_work(struct work_struct *work)
{
	struct dim *dim = container_of(work, struct dim, work);
	struct vktls_qp *qp = container_of(dim, struct vktls_qp, rx_dim);

	vktls_qp_dim_apply(qp, dim, VKTLS_QP_RX_MOD,
			   net_dim_get_rx_moderation(dim->mode,
						     dim->profile_ix),
			   &qp->vd->rx_mod.adaptive);
}

static void vktls_qp_tx_dim_work(struct work_struct *work)
{
	struct dim *dim = container_of(work, struct dim, work);
	struct vktls_qp *qp = container_of(dim, struct vktls_qp, tx_dim);

	vktls_qp_dim_apply(qp, dim, VKTLS_QP_TX_MOD,
			   net_dim_get_tx_moderation(dim->mode,
						     dim->profile_ix),
			   &qp->vd->tx_mod.adaptive);
}

/**
 * vktls_qp_moderate() - give the NIC the moderation that the user chose
 * @qp: queue pair, started
 *
 * Adaptive moderation continues from the given values.
 *
 * Context: RTNL.
 */
void vktls_qp_moderate(struct vktls_qp *qp)
{
	const struct vktls_moderation *rx = &qp->vd->rx_mod;
	const struct vktls_moderation *tx = &qp->vd->tx_mod;

	/* A running work must not overwrite the values below. */
	cancel_work_sync(&qp->rx_dim.work);
	cancel_work_sync(&qp->tx_dim.work);
	qp->rx_dim.state = DIM_START_MEASURE;
	qp->tx_dim.state = DIM_START_MEASURE;
	vktls_qp_write(qp, VKTLS_QP_RX_MOD,
		       vktls_qp_mod_value(rx->usecs, rx->frames));
	vktls_qp_write(qp, VKTLS_QP_TX_MOD,
		       vktls_qp_mod_value(tx->usecs, tx->frames));
}

#define QP_STATS_MAX	MAX((int)RXS_NUM, (int)TXS_NUM)

static void vktls_qp_sum(u64 *sum, const u64_stats_t *stats, unsigned int first,
			 unsigned int end, const struct u64_stats_sync *sync)
{
	u64 copy[QP_STATS_MAX];
	unsigned int i, start;

	do {
		start = u64_stats_fetch_begin(sync);
		for (i = first; i < end; i++)
			copy[i] = u64_stats_read(&stats[i]);
	} while (u64_stats_fetch_retry(sync, start));
	for (i = first; i < end; i++)
		sum[i] += copy[i];
}

/**
 * vktls_qp_totals() - add the counters of a queue pair to a sum
 * @qp: queue pair
 * @sum: to add to
 *
 * Context: any; the caller keeps @qp alive.
 */
void vktls_qp_totals(struct vktls_qp *qp, struct vktls_totals *sum)
{
	vktls_qp_sum(sum->tx, qp->tx.stats, 0, TXS_WAKE,
		     &qp->tx.xmit_sync);
	vktls_qp_sum(sum->tx, qp->tx.stats, TXS_WAKE, TXS_NUM,
		     &qp->tx.poll_sync);
	vktls_qp_sum(sum->rx, qp->rx.stats, 0, RXS_NUM, &qp->rx.sync);
	vktls_qp_sum(&sum->irqs, &qp->irqs, 0, 1, &qp->irq_sync);
}

static struct vktls_qp *vktls_qp_alloc(struct vktls_dev *vd, unsigned int index,
				       const struct vktls_config *cfg)
{
	struct vktls_qp *qp;
	int err;

	qp = kvzalloc(sizeof(*qp), GFP_KERNEL);
	if (!qp)
		return ERR_PTR(-ENOMEM);
	qp->vd = vd;
	qp->index = index;
	u64_stats_init(&qp->irq_sync);
	/* The page pool needs the NAPI instance, so that comes first. */
	netif_napi_add(vd->netdev, &qp->napi, vktls_qp_poll);
	err = vktls_tx_alloc(qp, cfg->tx_log2);
	if (err)
		goto del_napi;
	err = vktls_rx_alloc(qp, cfg->rx_log2);
	if (err)
		goto free_tx;
	return qp;

free_tx:
	vktls_tx_free(qp);
del_napi:
	netif_napi_del(&qp->napi);
	kvfree(qp);
	return ERR_PTR(err);
}

static void vktls_qp_free(struct vktls_qp *qp)
{
	vktls_rx_free(qp);
	vktls_tx_free(qp);
	netif_napi_del(&qp->napi);
	kvfree(qp);
}

/**
 * vktls_qps_alloc() - allocate queue pairs, stopped
 * @vd: device
 * @cfg: how many, and how large; the interface's MTU and features count too
 *
 * Context: RTNL. Other queue pairs may run: new ones share nothing with them.
 * Return: array of cfg->qps, or ERR_PTR.
 */
struct vktls_qp **vktls_qps_alloc(struct vktls_dev *vd,
				  const struct vktls_config *cfg)
{
	struct vktls_qp **qp;
	unsigned int i;
	int err;

	qp = kcalloc(cfg->qps, sizeof(*qp), GFP_KERNEL);
	if (!qp)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < cfg->qps; i++) {
		qp[i] = vktls_qp_alloc(vd, i, cfg);
		if (IS_ERR(qp[i])) {
			err = PTR_ERR(qp[i]);
			vktls_qps_free(qp, i);
			return ERR_PTR(err);
		}
	}
	return qp;
}

/**
 * vktls_qps_free() - undo vktls_qps_alloc()
 * @qp: array
 * @num: its length
 */
void vktls_qps_free(struct vktls_qp **qp, unsigned int num)
{
	while (num--)
		vktls_qp_free(qp[num]);
	kfree(qp);
}

static void vktls_qp_set_napi(struct vktls_qp *qp, struct napi_struct *napi)
{
	struct net_device *netdev = qp->vd->netdev;

	netif_queue_set_napi(netdev, qp->index, NETDEV_QUEUE_TYPE_RX, napi);
	netif_queue_set_napi(netdev, qp->index, NETDEV_QUEUE_TYPE_TX, napi);
}

static void vktls_qp_dim_init(struct dim *dim, work_func_t func)
{
	memset(dim, 0, sizeof(*dim));
	dim->mode = DIM_CQ_PERIOD_MODE_START_FROM_EQE;
	INIT_WORK(&dim->work, func);
}

static const struct cpumask *vktls_qp_cpu(const struct vktls_qp *qp)
{
	int node = dev_to_node(&qp->vd->pdev->dev);

	return cpumask_of(cpumask_local_spread(qp->index, node));
}

/*
 * Moves the interrupt to the CPU of the queue pair, the first time only: later the
 * user may have moved it, and the kernel keeps the user's choice over free_irq().
 */
static void vktls_qp_place(struct vktls_qp *qp, int irq)
{
	if (__test_and_set_bit(qp->index, &qp->vd->placed))
		irq_update_affinity_hint(irq, vktls_qp_cpu(qp));
	else
		irq_set_affinity_and_hint(irq, vktls_qp_cpu(qp));
}

/*
 * XPS: lets the CPU of a queue pair send to that pair. Set only once for a queue,
 * because the user may change it. If a queue is removed, the kernel forgets its
 * setting.
 */
static void vktls_qps_set_xps(struct vktls_qp **qp, unsigned int num)
{
	struct vktls_dev *vd = qp[0]->vd;
	unsigned int i;

	for (i = vd->xps_qps; i < num; i++)
		netif_set_xps_queue(vd->netdev, vktls_qp_cpu(qp[i]), i);
	vd->xps_qps = num;
}

/*
 * Polls once, which arms both queues. If there was no memory for receive buffers,
 * polling goes on until there is some: no interrupt would come.
 */
static void vktls_qp_first_poll(struct vktls_qp *qp)
{
	local_bh_disable();
	napi_schedule(&qp->napi);
	local_bh_enable();
}

static int vktls_qp_start(struct vktls_qp *qp)
{
	int irq = vktls_irq_vector(qp->vd, VKTLS_VEC_QUEUE(qp->index));
	int err;

	vktls_qp_dim_init(&qp->rx_dim, vktls_qp_rx_dim_work);
	vktls_qp_dim_init(&qp->tx_dim, vktls_qp_tx_dim_work);
	err = vktls_ring_add(qp, &qp->tx.ring, VKTLS_QUEUE_TX);
	if (err)
		return err;
	err = vktls_ring_add(qp, &qp->rx.ring, VKTLS_QUEUE_RX);
	if (err)
		goto del_tx_ring;
	snprintf(qp->name, sizeof(qp->name), "%s-%u", qp->vd->netdev->name,
		 qp->index);
	err = request_irq(irq, vktls_qp_irq, 0, qp->name, qp);
	if (err)
		goto del_rx_ring;
	qp->broken = false;
	vktls_qp_place(qp, irq);
	netif_napi_set_irq(&qp->napi, irq);
	vktls_rx_start(&qp->rx);
	vktls_qp_moderate(qp);
	napi_enable(&qp->napi);
	vktls_qp_set_napi(qp, &qp->napi);
	vktls_qp_first_poll(qp);
	return 0;

del_rx_ring:
	vktls_ring_del(qp, VKTLS_QUEUE_RX);
del_tx_ring:
	vktls_ring_del(qp, VKTLS_QUEUE_TX);
	return err;
}

static void vktls_qp_stop_napi(struct vktls_qp *qp)
{
	int irq = vktls_irq_vector(qp->vd, VKTLS_VEC_QUEUE(qp->index));

	vktls_qp_set_napi(qp, NULL);
	napi_disable(&qp->napi);
	cancel_work_sync(&qp->rx_dim.work);
	cancel_work_sync(&qp->tx_dim.work);
	irq_update_affinity_hint(irq, NULL);
	free_irq(irq, qp);
}

static void vktls_qp_stop_rings(struct vktls_qp *qp)
{
	vktls_ring_del(qp, VKTLS_QUEUE_RX);
	vktls_ring_del(qp, VKTLS_QUEUE_TX);
	vktls_rx_reset(&qp->rx);
	vktls_tx_reset(&qp->tx);
}

/**
 * vktls_qps_stop() - undo vktls_qps_start(), and stop transmission
 * @qp: array
 * @num: its length
 *
 * Context: RTNL; sleeps. Works without a living NIC too.
 */
void vktls_qps_stop(struct vktls_qp **qp, unsigned int num)
{
	unsigned int i;

	for (i = num; i--;)
		vktls_qp_stop_napi(qp[i]);
	/* NAPI wakes transmit queues, so they can be stopped for good only now. */
	if (num)
		netif_tx_disable(qp[0]->vd->netdev);
	for (i = num; i--;)
		vktls_qp_stop_rings(qp[i]);
}

/**
 * vktls_qps_start() - let queue pairs run
 * @qp: array, stopped
 * @num: its length
 *
 * Context: RTNL; sleeps.
 * Return: 0, or errno with all of them stopped.
 */
int vktls_qps_start(struct vktls_qp **qp, unsigned int num)
{
	unsigned int i;
	int err;

	for (i = 0; i < num; i++) {
		err = vktls_qp_start(qp[i]);
		if (err) {
			netdev_err(qp[i]->vd->netdev,
				   "queue %u does not start: error %d\n", i,
				   err);
			vktls_qps_stop(qp, i);
			return err;
		}
	}
	vktls_qps_set_xps(qp, num);
	return 0;
}
