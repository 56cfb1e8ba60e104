/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queue pairs.
 */
#ifndef VKTLS_QP_H
#define VKTLS_QP_H

#include <linux/dim.h>
#include <linux/netdevice.h>

#include "rx_ring.h"
#include "tx_ring.h"

struct vktls_config;

/* A queue pair: one vector, one NAPI instance, one ring each way. */
struct vktls_qp {
	struct vktls_dev *vd;
	unsigned int index;
	struct napi_struct napi;
	struct vktls_rx_ring rx;
	struct vktls_tx_ring tx;
	struct dim rx_dim, tx_dim;
	u16 events;		/* interrupts; written by the handler */
	u16 dim_events;		/* events at the last sample of net_dim; NAPI */
	struct u64_stats_sync irq_sync;
	u64_stats_t irqs;
	bool broken;		/* neither polled nor armed up to a reset; NAPI */
	u32 watched;		/* completions taken at the last vktls_qp_watch() */
	bool waited;		/* completions were waiting then */
	char name[IFNAMSIZ + 8];
};

struct vktls_totals {
	u64 tx[TXS_NUM];
	u64 rx[RXS_NUM];
	u64 irqs;
};

/* Functions of napi.c */
struct vktls_qp **vktls_qps_alloc(struct vktls_dev *vd,
				  const struct vktls_config *cfg);
void vktls_qps_free(struct vktls_qp **qp, unsigned int num);
int vktls_qps_start(struct vktls_qp **qp, unsigned int num);
void vktls_qps_stop(struct vktls_qp **qp, unsigned int num);
void vktls_qp_moderate(struct vktls_qp *qp);
void vktls_qp_watch(struct vktls_qp *qp);
void vktls_qp_totals(struct vktls_qp *qp, struct vktls_totals *sum);

#endif /* VKTLS_QP_H */
