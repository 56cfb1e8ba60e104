/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct vktls_dev, register access, and what each file offers to the others,
 * by owner. Ring structures are in ring.h; what crosses to the NIC, vktls_abi.h.
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
	VKTLS_GONE,		/* reads are all ones; nobody touches registers */
	VKTLS_FW_UP,		/* firmware takes commands; changes under RTNL */
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

	/* Queue pairs while the interface runs. RTNL; readers: + stats_lock. */
	struct vktls_qp **qp;
	unsigned int nqps;
	struct vktls_config cfg;
	struct vktls_moderation tx_mod, rx_mod;	/* RTNL */

	struct vktls_cmdq *cmdq;	/* NULL while the device is stopped */
	struct vktls_caps caps;		/* valid since the first VKTLS_FW_UP */

	struct mutex port_lock;		/* port flags, filters, RSS in the NIC */
	bool port_up;			/* port_lock */
	struct vktls_rss rss;		/* RTNL; what the NIC has or will get */
	struct work_struct rx_mode_work;

	struct delayed_work service;	/* heartbeat, counters, lost interrupts */
	u32 heartbeat;			/* service: last value that was read */
	unsigned int heartbeat_same;	/* service: checks without a step */
	struct work_struct reset_work;	/* reports to tx_health or fw_health */
	unsigned long reset_reason;	/* bit 0: tx, bit 1: firmware */
	struct devlink_health_reporter *fw_health, *tx_health;
	u64 resets;			/* RTNL */
	char fw_status[64];		/* RTNL: outcome of the last load */

	spinlock_t stats_lock;		/* three below, and qp for its readers */
	u64 hw_stats[VKTLS_STAT_NUM];	/* last copy of the NIC's counters */
	u64 hw_stats_past[VKTLS_STAT_NUM];	/* up to the last function reset */
	struct vktls_totals *past;	/* of queue pairs that are gone */

	struct vktls_ktls *ktls;	/* owned by ktls.c */
};

/* pci.c */
void vktls_dev_lost(struct vktls_dev *vd);
int vktls_irq_vector(struct vktls_dev *vd, unsigned int vector);

static inline u32 vktls_read(struct vktls_dev *vd, u32 reg)
{
	u32 val;

	if (unlikely(test_bit(VKTLS_GONE, &vd->state)))
		return ~0u;
	val = readl(vd->regs + reg);
	if (unlikely(val == ~0u) && readl(vd->regs + VKTLS_REG_MAGIC) == ~0u)
		vktls_dev_lost(vd);
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
int vktls_selftest_cmd(struct vktls_dev *vd);

/* fw.c */
int vktls_fw_load(struct vktls_dev *vd);
const char *vktls_status_name(unsigned int status);

/* cmd.c */
int vktls_cmdq_start(struct vktls_dev *vd);
void vktls_cmdq_stop(struct vktls_dev *vd);
void vktls_cmdq_abort(struct vktls_dev *vd);
int vktls_cmd_exec(struct vktls_dev *vd, u16 opcode, const void *req,
		   size_t req_len, void *rsp, size_t rsp_len);
int vktls_cmd_exec_buf(struct vktls_dev *vd, u16 opcode, u32 arg, void *buf,
		       size_t len, void *rsp, size_t rsp_len);

/* port.c: the meaning of commands that are not TLS */
int vktls_port_start(struct vktls_dev *vd);
void vktls_port_stop(struct vktls_dev *vd);
int vktls_port_sync(struct vktls_dev *vd);
int vktls_port_mac_set(struct vktls_dev *vd, const u8 *addr);
int vktls_port_rss_sync(struct vktls_dev *vd);
void vktls_port_rss_default(struct vktls_dev *vd);
int vktls_port_link_get(struct vktls_dev *vd, struct vktls_link *link);
void vktls_port_link_sync(struct vktls_dev *vd);
int vktls_port_stats_sync(struct vktls_dev *vd);
void vktls_port_event(struct vktls_dev *vd, const struct vktls_event *event);

/* reset.c: life of the function: start, stop, recover */
int vktls_hw_start(struct vktls_dev *vd);
void vktls_hw_stop(struct vktls_dev *vd);
int vktls_hw_reset(struct vktls_dev *vd);
void vktls_reset_init(struct vktls_dev *vd);
void vktls_reset_fini(struct vktls_dev *vd);
void vktls_reset_request(struct vktls_dev *vd, bool firmware);

/* netdev.c */
extern const struct net_device_ops vktls_netdev_ops;
void vktls_netdev_setup(struct vktls_dev *vd);
void vktls_netdev_adopt_caps(struct vktls_dev *vd);
int vktls_netdev_reconfigure(struct vktls_dev *vd,
			     const struct vktls_config *cfg, unsigned int mtu);

/* ethtool.c, devlink.c */
extern const struct ethtool_ops vktls_ethtool_ops;
struct vktls_dev *vktls_devlink_alloc(struct pci_dev *pdev);
int vktls_devlink_init(struct vktls_dev *vd);
void vktls_devlink_fini(struct vktls_dev *vd);

#endif /* VKTLS_H */
