// SPDX-License-Identifier: GPL-2.0-only
/*
 * devlink: version and state of the firmware, reload, and the two health reporters
 * through which all recovery goes. Flash and parameters are in flash.c, resources in
 * resource.c, the region in region.c. The devlink lock is taken before RTNL.
 */
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <compat/vktls.h>

#include "cmd.h"
#include "devlink.h"
#include "qp.h"
#include "reset.h"
#include "vktls.h"

#define LOG_MAX		(64 * 1024)

static int vktls_devlink_put_firmware(struct vktls_dev *vd,
				      struct devlink_info_req *req)
{
	char text[24];
	int err;

	vktls_version_print(text, sizeof(text),
			    le32_to_cpu(vd->caps.fw_version));
	err = devlink_info_version_running_put(req,
					       DEVLINK_INFO_VERSION_GENERIC_FW,
					       text);
	if (err)
		return err;
	snprintf(text, sizeof(text), "%.*s", (int)sizeof(vd->caps.fw_name),
		 vd->caps.fw_name);
	return devlink_info_version_running_put(req, "fw.name", text);
}

static int vktls_devlink_info_get(struct devlink *devlink,
				  struct devlink_info_req *req,
				  struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = vktls_devlink_dev(devlink);
	u32 abi = vktls_read(vd, VKTLS_REG_ABI);
	char text[24];
	int err;

	snprintf(text, sizeof(text), "%u.%u", abi >> 16, abi & 0xffff);
	err = devlink_info_version_running_put(req, "abi", text);
	if (err)
		return err;
	rtnl_lock();
	err = devlink_info_version_running_put(req, "fw.status",
					       vd->fw_status);
	if (!err && test_bit(DEV_FW_UP, &vd->state))
		err = vktls_devlink_put_firmware(vd, req);
	if (!err)
		err = vktls_flash_info(vd, req);
	rtnl_unlock();
	return err;
}

/**
 * vktls_devlink_healthy() - tell the reporters that the function is whole again
 * @vd: device
 *
 * One recovery mends the function for both reporters. A reporter that still showed an
 * error would not start a recovery for the next one.
 */
void vktls_devlink_healthy(struct vktls_dev *vd)
{
	devlink_health_reporter_state_update(vd->fw_health,
					     DEVLINK_HEALTH_REPORTER_STATE_HEALTHY);
	devlink_health_reporter_state_update(vd->tx_health,
					     DEVLINK_HEALTH_REPORTER_STATE_HEALTHY);
}

/* After a success under the devlink lock, perhaps the first one of this NIC. */
static void vktls_devlink_mended(struct vktls_dev *vd)
{
	vktls_devlink_healthy(vd);
	vktls_resource_add(vd);
}

static int vktls_devlink_reload_down(struct devlink *devlink, bool netns_change,
				     enum devlink_reload_action action,
				     enum devlink_reload_limit limit,
				     struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = vktls_devlink_dev(devlink);
	int err;

	if (netns_change) {
		NL_SET_ERR_MSG(extack, "change of namespace is not supported");
		return -EOPNOTSUPP;
	}
	/* Read the file now: the file system may be reached over this NIC. */
	err = vktls_fw_read(vd);
	if (err && (vd->fw_policy == DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_DISK ||
		    !vktls_fw_store_next(vd))) {
		NL_SET_ERR_MSG_FMT(extack,
				   "no file /lib/firmware/%s, nothing changed",
				   FW_FILE);
		return err;
	}
	rtnl_lock();
	vktls_hw_suspend(vd);
	rtnl_unlock();
	return 0;
}

static int vktls_devlink_reload_up(struct devlink *devlink,
				   enum devlink_reload_action action,
				   enum devlink_reload_limit limit,
				   u32 *actions_performed,
				   struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = vktls_devlink_dev(devlink);
	int err;

	if (action == DEVLINK_RELOAD_ACTION_DRIVER_REINIT)
		vktls_resource_apply(vd);
	rtnl_lock();
	vktls_flash_apply(vd);
	err = vktls_hw_resume(vd);
	if (err && vd->fw_policy == DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_FLASH)
		NL_SET_ERR_MSG_FMT(extack, "firmware of the NIC's store: %s",
				   vd->fw_status);
	else if (err)
		NL_SET_ERR_MSG_FMT(extack, "firmware %s: %s", FW_FILE,
				   vd->fw_status);
	rtnl_unlock();
	if (!err)
		vktls_devlink_mended(vd);
	/*
	 * A reload always does both: it restarts the function, with its firmware.
	 */
	*actions_performed = BIT(DEVLINK_RELOAD_ACTION_DRIVER_REINIT) |
			     BIT(DEVLINK_RELOAD_ACTION_FW_ACTIVATE);
	return err;
}

static const struct devlink_ops vktls_devlink_ops = {
	.info_get = vktls_devlink_info_get,
	.flash_update = vktls_flash_update,
	.reload_actions = BIT(DEVLINK_RELOAD_ACTION_DRIVER_REINIT) |
			  BIT(DEVLINK_RELOAD_ACTION_FW_ACTIVATE),
	.reload_down = vktls_devlink_reload_down,
	.reload_up = vktls_devlink_reload_up,
};

static int vktls_health_recover(struct devlink_health_reporter *reporter,
				void *ctx, struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = devlink_health_reporter_priv(reporter);
	int err;

	/*
	 * Recovery uses an image of the driver or of the NIC's store. Only if there is
	 * none, read the file: the file system may be reached over this NIC.
	 */
	if (!vd->fw && !vd->fw_new && !vktls_fw_store_next(vd))
		vktls_fw_read(vd);
	rtnl_lock();
	vktls_hw_suspend(vd);
	err = vktls_hw_resume(vd);
	rtnl_unlock();
	if (err)
		return err;
	vktls_devlink_mended(vd);
	netdev_info(vd->netdev, "recovered\n");
	return 0;
}

static int vktls_fw_diagnose(struct devlink_health_reporter *reporter,
			     struct devlink_fmsg *fmsg,
			     struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = devlink_health_reporter_priv(reporter);

	rtnl_lock();
	devlink_fmsg_string_pair_put(fmsg, "status", vd->fw_status);
	devlink_fmsg_bool_pair_put(fmsg, "running",
				   test_bit(DEV_FW_UP, &vd->state));
	devlink_fmsg_u32_pair_put(fmsg, "heartbeat",
				  vktls_read(vd, VKTLS_REG_HEARTBEAT));
	devlink_fmsg_u64_pair_put(fmsg, "resets", vd->resets);
	rtnl_unlock();
	return 0;
}

/* Firmware hands out its log in pieces; an empty piece is the end. */
static int vktls_fw_log_read(struct vktls_dev *vd, char *log, size_t *len)
{
	struct vktls_log part;
	size_t done = 0, got;
	u32 pos = 0;
	int err;

	while (done + CMD_BUF_BYTES <= LOG_MAX) {
		err = vktls_cmd_exec_buf(vd, VKTLS_CMD_LOG_READ, pos,
					 log + done, CMD_BUF_BYTES,
					 &part, sizeof(part));
		if (err)
			return err;
		got = le32_to_cpu(part.len);
		if (!got || got > CMD_BUF_BYTES)
			break;
		done += got;
		pos = le32_to_cpu(part.next);
	}
	*len = done;
	return 0;
}

/* Firmware that has crashed answers no command: the trap that ended it, from registers. */
static int vktls_fw_dump_crash(struct vktls_dev *vd, struct devlink_fmsg *fmsg)
{
	devlink_fmsg_pair_nest_start(fmsg, "crash");
	devlink_fmsg_obj_nest_start(fmsg);
	devlink_fmsg_u32_pair_put(fmsg, "pc",
				  vktls_read(vd, VKTLS_REG_CRASH_PC));
	devlink_fmsg_u32_pair_put(fmsg, "cause",
				  vktls_read(vd, VKTLS_REG_CRASH_CAUSE));
	devlink_fmsg_u32_pair_put(fmsg, "value",
				  vktls_read(vd, VKTLS_REG_CRASH_VALUE));
	devlink_fmsg_obj_nest_end(fmsg);
	devlink_fmsg_pair_nest_end(fmsg);
	return 0;
}

static int vktls_fw_dump(struct devlink_health_reporter *reporter,
			 struct devlink_fmsg *fmsg, void *ctx,
			 struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = devlink_health_reporter_priv(reporter);
	char *log, *rest, *line;
	size_t len;
	int err;

	if ((vktls_read(vd, VKTLS_REG_STATUS) & VKTLS_STATUS_FW_STATE) ==
	    VKTLS_FW_CRASHED)
		return vktls_fw_dump_crash(vd, fmsg);
	log = vzalloc(LOG_MAX + 1);
	if (!log)
		return -ENOMEM;
	err = vktls_fw_log_read(vd, log, &len);
	if (err)
		goto free_log;
	log[len] = '\0';
	devlink_fmsg_arr_pair_nest_start(fmsg, "log");
	for (rest = log; (line = strsep(&rest, "\n"));)
		if (*line)
			devlink_fmsg_string_put(fmsg, line);
	devlink_fmsg_arr_pair_nest_end(fmsg);

free_log:
	vfree(log);
	return err;
}

static void vktls_tx_diagnose_queue(struct devlink_fmsg *fmsg,
				    const struct vktls_tx_ring *tx)
{
	devlink_fmsg_obj_nest_start(fmsg);
	devlink_fmsg_u32_pair_put(fmsg, "queue", tx->qp->index);
	devlink_fmsg_u32_pair_put(fmsg, "head", READ_ONCE(tx->head));
	devlink_fmsg_u32_pair_put(fmsg, "tail", READ_ONCE(tx->tail));
	devlink_fmsg_u32_pair_put(fmsg, "rung", READ_ONCE(tx->rung));
	devlink_fmsg_u32_pair_put(fmsg, "completion",
				  READ_ONCE(tx->ring.cpl_head));
	devlink_fmsg_bool_pair_put(fmsg, "stopped",
				   netif_xmit_stopped(tx->txq));
	devlink_fmsg_obj_nest_end(fmsg);
}

static int vktls_tx_diagnose(struct devlink_health_reporter *reporter,
			     struct devlink_fmsg *fmsg,
			     struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = devlink_health_reporter_priv(reporter);
	unsigned int i;

	rtnl_lock();
	devlink_fmsg_arr_pair_nest_start(fmsg, "queues");
	for (i = 0; i < vd->nqps; i++)
		vktls_tx_diagnose_queue(fmsg, &vd->qp[i]->tx);
	devlink_fmsg_arr_pair_nest_end(fmsg);
	rtnl_unlock();
	return 0;
}

static const struct devlink_health_reporter_ops vktls_fw_health_ops = {
	.name = "fw",
	.recover = vktls_health_recover,
	.diagnose = vktls_fw_diagnose,
	.dump = vktls_fw_dump,
};

static const struct devlink_health_reporter_ops vktls_tx_health_ops = {
	.name = "tx",
	.recover = vktls_health_recover,
	.diagnose = vktls_tx_diagnose,
};

static int vktls_devlink_add_health(struct vktls_dev *vd)
{
	vd->fw_health = devlink_health_reporter_create(vd->devlink,
						       &vktls_fw_health_ops,
						       vd);
	if (IS_ERR(vd->fw_health))
		return PTR_ERR(vd->fw_health);
	vd->tx_health = devlink_health_reporter_create(vd->devlink,
						       &vktls_tx_health_ops,
						       vd);
	if (IS_ERR(vd->tx_health)) {
		devlink_health_reporter_destroy(vd->fw_health);
		return PTR_ERR(vd->tx_health);
	}
	return 0;
}

static void vktls_devlink_del_health(struct vktls_dev *vd)
{
	devlink_health_reporter_destroy(vd->tx_health);
	devlink_health_reporter_destroy(vd->fw_health);
}

/*
 * Parameters, the region and resources; no port, because a devlink_port and its netdev would
 * have to go for each reload. Caller holds the devlink lock.
 */
static int vktls_devlink_add_parts(struct vktls_dev *vd)
{
	int err;

	err = vktls_flash_add(vd);
	if (err)
		return err;
	err = vktls_region_add(vd);
	if (err)
		goto del_flash;
	vktls_resource_add(vd);
	return 0;

del_flash:
	vktls_flash_del(vd);
	return err;
}

static void vktls_devlink_del_parts(struct vktls_dev *vd)
{
	vktls_resource_del(vd);
	vktls_region_del(vd);
	vktls_flash_del(vd);
}

/**
 * vktls_devlink_init() - prepare devlink; nobody sees it yet
 * @vd: device
 *
 * Return: 0 or errno.
 */
int vktls_devlink_init(struct vktls_dev *vd)
{
	int err;

	vd->devlink = devlink_alloc(&vktls_devlink_ops,
				    sizeof(struct vktls_dev *), &vd->pdev->dev);
	if (!vd->devlink)
		return -ENOMEM;
	*(struct vktls_dev **)devlink_priv(vd->devlink) = vd;
	err = vktls_devlink_add_health(vd);
	if (err)
		goto free_devlink;
	devl_lock(vd->devlink);
	err = vktls_devlink_add_parts(vd);
	devl_unlock(vd->devlink);
	if (err)
		goto del_health;
	return 0;

del_health:
	vktls_devlink_del_health(vd);
free_devlink:
	devlink_free(vd->devlink);
	return err;
}

/**
 * vktls_devlink_fini() - undo vktls_devlink_init()
 * @vd: device; no reset is requested any more
 */
void vktls_devlink_fini(struct vktls_dev *vd)
{
	devl_lock(vd->devlink);
	vktls_devlink_del_parts(vd);
	devl_unlock(vd->devlink);
	vktls_devlink_del_health(vd);
	devlink_free(vd->devlink);
}

/**
 * vktls_devlink_register() - let users see devlink
 * @vd: device, in working order or waiting to be mended
 */
void vktls_devlink_register(struct vktls_dev *vd)
{
	devlink_register(vd->devlink);
}

/**
 * vktls_devlink_unregister() - undo vktls_devlink_register()
 * @vd: device
 *
 * Context: process; waits for running operations.
 */
void vktls_devlink_unregister(struct vktls_dev *vd)
{
	devlink_unregister(vd->devlink);
}
