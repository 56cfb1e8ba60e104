/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct vktls_dev, register access, and prototypes by file. Commands are in cmd.h,
 * queue pairs in qp.h, reset in reset.h, the interface in netdev.h, the choice of a queue in
 * steer.h, counters in stats.h, the ABI in vktls_abi.h.
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

#define NO_CTX			(~0u)	/* no TLS context; packet sent unchanged */

/* vktls_dev::state, atomic bits */
enum vktls_state_bit {
	DEV_GONE,		/* NIC removed for good; registers are not read */
	DEV_OFFLINE,		/* function left to the PCI core; registers are not read */
	DEV_BUS_ERROR,		/* offline since the PCI core reported an error */
	DEV_FW_UP,		/* firmware takes commands; changes under RTNL */
};

enum vktls_reset_reason {
	RESET_TX,		/* queue that hangs, broke, or was stopped by the NIC */
	RESET_FW,		/* crashed or silent firmware */
	RESET_TLS,		/* contexts that the NIC does not delete */
};

/* Settings of the user, kept over resets. RTNL. */
struct vktls_config {
	unsigned int qps;	/* queue pairs in use */
	u8 tx_log2;		/* descriptors in a ring, as a power of two */
	u8 rx_log2;
};

struct vktls_moderation {
	u16 usecs;
	u8 frames;		/* 0 = no limit */
	bool adaptive;
};

/*
 * A NIC. A semicolon in the comment of a field is followed by the lock or context that
 * guards the field.
 */
struct vktls_dev {
	void __iomem *regs;
	struct net_device *netdev;
	struct pci_dev *pdev;
	struct devlink *devlink;
	unsigned long state;	/* enum vktls_state_bit */
	unsigned int max_qps;	/* limit of hardware and vectors */
	struct vktls_cmdq *cmdq;
	struct vktls_caps caps;	/* valid since the first DEV_FW_UP; RTNL */
	char fw_status[64];	/* outcome of the last load; RTNL */
	struct vktls_fw_image *fw;	/* image of the file, kept for later starts; RTNL */
	struct vktls_fw_image *fw_new;	/* image of the file, not yet tried; RTNL */
	u8 fw_policy;		/* DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_*; RTNL */

	/* Queue pairs while the interface is up. RTNL and stats_lock to change. */
	struct vktls_qp **qp;
	unsigned int nqps;
	bool active;		/* queue pairs run; RTNL */
	struct bpf_prog *xdp_prog;	/* XDP program, read by NAPI; RTNL to change */
	unsigned long placed;	/* queue pairs whose interrupt once got a CPU; RTNL */
	unsigned int xps_qps;	/* queue pairs that the kernel has in XPS; RTNL */
	struct vktls_config cfg;	/* RTNL */
	struct vktls_moderation tx_mod, rx_mod;	/* RTNL */
	struct vktls_rss_ctx rss;	/* of the port, RSS context 0; RTNL */
	/* RSS contexts by number, from 1, and filters by place; NULL = none. RTNL */
	struct vktls_rss_ctx *rss_ctx[VKTLS_RSS_CONTEXTS];
	struct vktls_filter *filters[VKTLS_FLOW_FILTERS];

	struct mutex port_lock;	/* guards modes and filters in the NIC */
	bool port_up;		/* port_lock */
	struct work_struct rx_mode_work;

	unsigned int suspends;	/* calls of vktls_hw_suspend() to undo; RTNL */
	struct delayed_work service;	/* heartbeat, counters */
	bool silent;		/* registers do not answer; service work only */
	u32 heartbeat;		/* last value; service work only */
	unsigned int heartbeat_same;	/* periods without a step; service work only */
	struct work_struct reset_work;
	unsigned long reset_reason;	/* bits of enum vktls_reset_reason */
	struct devlink_health_reporter *fw_health, *tx_health;
	struct devlink_region *region;	/* registers, see region.c */
	bool resources;		/* devlink has the resources; devlink lock */
	u64 resets;		/* RTNL */
	atomic_long_t irqs_lost;	/* interrupts whose work was found by polling */

	struct mutex stats_sync; /* held from VKTLS_CMD_STATS until its answer is kept */
	spinlock_t stats_lock;	/* guards hw_stats, hw_stats_past, past and qp[] */
	u64 hw_stats[VKTLS_STAT_NUM];	/* last copy of the NIC's counters */
	u64 hw_stats_past[VKTLS_STAT_NUM];	/* up to the last reset */
	struct vktls_totals *past;	/* counts of queue pairs that are gone */

	struct vktls_ktls *ktls;	/* owned by ktls.c */
};

/* Functions of dev.c */
bool vktls_dev_answers(struct vktls_dev *vd);
bool vktls_dev_check(struct vktls_dev *vd);
int vktls_dev_reset(struct vktls_dev *vd);
void vktls_service_soon(struct vktls_dev *vd);
void vktls_reset_request(struct vktls_dev *vd, enum vktls_reset_reason reason);

/* Linux interrupt number of a VKTLS_VEC_*, for request_irq() */
static inline int vktls_irq_vector(struct vktls_dev *vd, unsigned int vector)
{
	return pci_irq_vector(vd->pdev, vector);
}

static inline u32 vktls_read(struct vktls_dev *vd, u32 reg)
{
	u32 val;

	if (unlikely(READ_ONCE(vd->state) &
		     (BIT(DEV_GONE) | BIT(DEV_OFFLINE))))
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

/* Functions of devlink.c */
int vktls_devlink_init(struct vktls_dev *vd);
void vktls_devlink_fini(struct vktls_dev *vd);
void vktls_devlink_register(struct vktls_dev *vd);
void vktls_devlink_unregister(struct vktls_dev *vd);
void vktls_devlink_healthy(struct vktls_dev *vd);

#endif /* VKTLS_H */
