/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct vktls_dev, register access, and what each file offers to the others,
 * by owner. Commands are in cmd.h, rings in ring.h, the ABI in vktls_abi.h.
 *
 * Lock order: devlink instance lock, RTNL, port_lock, cmd buffer lock, cmd lock.
 */
#ifndef VKTLS_H
#define VKTLS_H

#include <linux/io.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <net/devlink.h>

#include "vktls_abi.h"

#define VKTLS_NO_CTX		(~0u)	/* packet that the TLS engine leaves alone */

struct vktls_cmdq;
struct vktls_ktls;
struct vktls_qp;
struct vktls_totals;

/* vktls_dev::state, atomic bits */
enum vktls_state_bit {
	VKTLS_GONE,		/* for good; registers are not read any more */
	VKTLS_FW_UP,		/* firmware takes commands; changes under RTNL */
};

enum vktls_reset_reason {
	VKTLS_RESET_TX,		/* a queue hangs or was stopped by the NIC */
	VKTLS_RESET_FW,		/* firmware crashed or is silent */
	VKTLS_RESET_TLS,	/* contexts stay in the NIC that should be gone */
};

/* What the user chose; kept over reset. RTNL. */
struct vktls_config {
	unsigned int qps;	/* queue pairs in use */
	u8 tx_log2;		/* descriptors in a ring */
	u8 rx_log2;
};

struct vktls_moderation {
	u16 usecs;
	u8 frames;		/* 0 = no limit */
	bool adaptive;
};

struct vktls_dev {
	void __iomem *regs;
	struct net_device *netdev;
	struct pci_dev *pdev;
	struct devlink *devlink;
	unsigned long state;	/* enum vktls_state_bit */
	unsigned int max_qps;	/* hardware and vectors allow this many */
	struct vktls_cmdq *cmdq;
	struct vktls_caps caps;	/* RTNL; valid since the first VKTLS_FW_UP */
	char fw_status[64];	/* RTNL; outcome of the last load */

	/* Queue pairs while the interface is up. RTNL and stats_lock to change. */
	struct vktls_qp **qp;
	unsigned int nqps;
	bool active;		/* RTNL; they run */
	struct vktls_config cfg;	/* RTNL */
	struct vktls_moderation tx_mod, rx_mod;	/* RTNL */
	struct vktls_rss rss;	/* RTNL */

	struct mutex port_lock;	/* port modes and filters in the NIC */
	bool port_up;		/* port_lock */
	struct work_struct rx_mode_work;

	struct delayed_work service;	/* heartbeat, counters */
	u32 heartbeat;		/* service; last value */
	unsigned int heartbeat_same;	/* service; periods without a step */
	struct work_struct reset_work;
	unsigned long reset_reason;	/* bits of enum vktls_reset_reason */
	struct devlink_health_reporter *fw_health, *tx_health;
	u64 resets;		/* RTNL */
	atomic_long_t irqs_lost;	/* what they were for was found without */

	spinlock_t stats_lock;	/* the three below, and qp */
	u64 hw_stats[VKTLS_STAT_NUM];	/* last copy of the NIC's counters */
	u64 hw_stats_past[VKTLS_STAT_NUM];	/* up to the last reset */
	struct vktls_totals *past;	/* of queue pairs that are gone */

	struct vktls_ktls *ktls;	/* owned by ktls.c */
};

/* dev.c */
bool vktls_dev_check(struct vktls_dev *vd);
int vktls_dev_reset(struct vktls_dev *vd);
void vktls_reset_request(struct vktls_dev *vd, enum vktls_reset_reason reason);

/* Linux interrupt number of a VKTLS_VEC_*, for request_irq() */
static inline int vktls_irq_vector(struct vktls_dev *vd, unsigned int vector)
{
	return pci_irq_vector(vd->pdev, vector);
}

static inline u32 vktls_read(struct vktls_dev *vd, u32 reg)
{
	u32 val;

	if (unlikely(test_bit(VKTLS_GONE, &vd->state)))
		return ~0u;
	val = readl(vd->regs + reg);
	if (unlikely(val == ~0u))
		vktls_dev_check(vd);
	return val;
}

/* writel() orders earlier stores to coherent memory before the register. */
static inline void vktls_write(struct vktls_dev *vd, u32 reg, u32 val)
{
	writel(val, vd->regs + reg);
}

/* selftest.c: the test block, at probe and for ethtool -t */
int vktls_selftest_scratch(struct vktls_dev *vd);
int vktls_selftest_dma(struct vktls_dev *vd);
int vktls_selftest_irq(struct vktls_dev *vd, unsigned int vector);

/* reset.c */
int vktls_hw_start(struct vktls_dev *vd);
void vktls_hw_stop(struct vktls_dev *vd);
void vktls_hw_suspend(struct vktls_dev *vd);
int vktls_hw_resume(struct vktls_dev *vd);
void vktls_reset_init(struct vktls_dev *vd);
void vktls_reset_start(struct vktls_dev *vd);
void vktls_reset_stop(struct vktls_dev *vd);

/* netdev.c */
void vktls_netdev_init(struct vktls_dev *vd);
void vktls_netdev_adopt_caps(struct vktls_dev *vd);
void vktls_netdev_halt(struct vktls_dev *vd);
int vktls_netdev_resume(struct vktls_dev *vd);
int vktls_netdev_reconfigure(struct vktls_dev *vd,
			     const struct vktls_config *cfg);

/* stats.c */
extern const struct netdev_stat_ops vktls_stat_ops;
void vktls_stats_keep(struct vktls_dev *vd);
unsigned int vktls_stats_num(struct vktls_dev *vd);
void vktls_stats_names(struct vktls_dev *vd, u8 *data);
void vktls_stats_values(struct vktls_dev *vd, u64 *data);
void vktls_stats_get64(struct net_device *netdev,
		       struct rtnl_link_stats64 *stats);

/* ethtool.c, devlink.c */
extern const struct ethtool_ops vktls_ethtool_ops;
int vktls_devlink_init(struct vktls_dev *vd);
void vktls_devlink_fini(struct vktls_dev *vd);
void vktls_devlink_register(struct vktls_dev *vd);
void vktls_devlink_unregister(struct vktls_dev *vd);

#endif /* VKTLS_H */
