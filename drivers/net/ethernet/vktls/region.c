// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers of the NIC for a look from outside: the list that ethtool -d shows, and
 * devlink's region "registers", of which a snapshot is taken when firmware has crashed.
 */
#include <linux/slab.h>

#include "devlink.h"
#include "vktls.h"

#define REGION_BYTES		VKTLS_REG_QP(VKTLS_MAX_QUEUES)
#define REGION_SNAPSHOTS	8

/* Registers without side effects; older hardware reads those that it lacks as 0. */
static const u16 vktls_regs[] = {
	VKTLS_REG_MAGIC, VKTLS_REG_ABI, VKTLS_REG_STATUS, VKTLS_REG_QUEUES,
	VKTLS_REG_HEARTBEAT, VKTLS_REG_FW_VERSION, VKTLS_REG_TEST_SCRATCH,
	VKTLS_REG_TEST_RESULT, VKTLS_REG_TEST_WHERE, VKTLS_REG_CMDQ_LOG2,
	VKTLS_REG_CMDQ_TAIL, VKTLS_REG_EVTQ_LOG2, VKTLS_REG_EVTQ_HEAD,
	VKTLS_REG_STORE, VKTLS_REG_STORE_RESULT, VKTLS_REG_STORE_VERSION_1,
	VKTLS_REG_STORE_VERSION_2, VKTLS_REG_CRASH_PC, VKTLS_REG_CRASH_CAUSE,
	VKTLS_REG_CRASH_VALUE,
};

static const u8 vktls_qp_regs[] = {
	VKTLS_QP_TX_TAIL, VKTLS_QP_RX_TAIL, VKTLS_QP_TX_CQ, VKTLS_QP_RX_CQ,
	VKTLS_QP_TX_MOD, VKTLS_QP_RX_MOD,
};

/**
 * vktls_regs_num() - number of registers that a dump has
 * @vd: device
 *
 * Return: that number.
 */
unsigned int vktls_regs_num(const struct vktls_dev *vd)
{
	return ARRAY_SIZE(vktls_regs) + ARRAY_SIZE(vktls_qp_regs) * vd->max_qps;
}

/**
 * vktls_regs_at() - a register of a dump
 * @i: its place, less than vktls_regs_num()
 *
 * Return: its offset in the BAR.
 */
u32 vktls_regs_at(unsigned int i)
{
	if (i < ARRAY_SIZE(vktls_regs))
		return vktls_regs[i];
	i -= ARRAY_SIZE(vktls_regs);
	return VKTLS_REG_QP(i / ARRAY_SIZE(vktls_qp_regs)) +
	       vktls_qp_regs[i % ARRAY_SIZE(vktls_qp_regs)];
}

/* Returns the registers, little-endian and at their offsets; zeros between them. */
static u8 *vktls_region_read(struct vktls_dev *vd)
{
	__le32 *data = kvzalloc(REGION_BYTES, GFP_KERNEL);
	unsigned int i;

	for (i = 0; data && i < vktls_regs_num(vd); i++)
		data[vktls_regs_at(i) / sizeof(*data)] =
			cpu_to_le32(vktls_read(vd, vktls_regs_at(i)));
	return (u8 *)data;
}

/* A snapshot that the user asked for: devlink region new. */
static int vktls_region_snapshot(struct devlink *devlink,
				 const struct devlink_region_ops *ops,
				 struct netlink_ext_ack *extack, u8 **data)
{
	*data = vktls_region_read(vktls_devlink_dev(devlink));
	return *data ? 0 : -ENOMEM;
}

static const struct devlink_region_ops vktls_region_ops = {
	.name = "registers",
	.destructor = kvfree,
	.snapshot = vktls_region_snapshot,
};

/**
 * vktls_region_crash() - take a snapshot of the registers before the NIC is reset
 * @vd: device whose firmware has crashed or is silent
 *
 * Context: process, neither RTNL nor the devlink lock held; sleeps.
 */
void vktls_region_crash(struct vktls_dev *vd)
{
	u8 *data = vktls_region_read(vd);
	u32 id;
	int err;

	if (!data)
		return;
	err = devlink_region_snapshot_id_get(vd->devlink, &id);
	if (!err) {
		err = devlink_region_snapshot_create(vd->region, data, id);
		devlink_region_snapshot_id_put(vd->devlink, id);
	}
	if (!err)
		return;
	kvfree(data);
	dev_info(&vd->pdev->dev,
		 "no snapshot of the registers (error %d); devlink region del makes room\n",
		 err);
}

/**
 * vktls_region_add() - create the region
 * @vd: device
 *
 * Context: process, devlink lock held.
 * Return: 0 or errno.
 */
int vktls_region_add(struct vktls_dev *vd)
{
	vd->region = devl_region_create(vd->devlink, &vktls_region_ops,
					REGION_SNAPSHOTS, REGION_BYTES);
	return PTR_ERR_OR_ZERO(vd->region);
}

/**
 * vktls_region_del() - undo vktls_region_add()
 * @vd: device
 *
 * Context: process, devlink lock held.
 */
void vktls_region_del(struct vktls_dev *vd)
{
	devl_region_destroy(vd->region);
}
