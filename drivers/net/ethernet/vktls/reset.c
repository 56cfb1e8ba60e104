// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of the function: start, stop, watch, and the one way to recover that
 * serves hung queues, dead firmware and devlink reload alike. Everything that
 * the NIC held is given to it again; its TLS contexts are told to be lost.
 */
#include <linux/rtnetlink.h>

#include "cmd.h"
#include "ktls.h"
#include "ring.h"
#include "trace.h"
#include "vktls.h"

#define SERVICE_PERIOD		(1 * HZ)
/* Periods without a step of the heartbeat before firmware is asked. */
#define HEARTBEAT_PATIENCE	5
/* A NIC that has been reset may fail once more before it is given up. */
#define RESUME_TRIES		3

/**
 * vktls_hw_start() - from a function in any state to one that takes commands
 * @vd: device, stopped
 *
 * Context: RTNL or probe; sleeps.
 * Return: 0 or errno; vd->fw_status says what is wrong with the firmware.
 */
int vktls_hw_start(struct vktls_dev *vd)
{
	int err;

	pci_set_master(vd->pdev);
	err = vktls_dev_reset(vd);
	if (err)
		return err;
	err = vktls_fw_load(vd);
	if (err)
		goto reset;
	err = vktls_cmdq_start(vd);
	if (err)
		goto reset;
	err = vktls_cmd_exec(vd, VKTLS_CMD_CAPS, NULL, 0, &vd->caps,
			     sizeof(vd->caps));
	if (err)
		goto stop_cmdq;
	vd->heartbeat_same = 0;
	set_bit(VKTLS_FW_UP, &vd->state);
	vktls_ktls_start(vd);
	trace_vktls_hw(vd, true);
	return 0;

stop_cmdq:
	vktls_cmdq_abort(vd, -ENETDOWN);
	vktls_dev_reset(vd);
	vktls_cmdq_stop(vd);
	return err;
reset:
	vktls_dev_reset(vd);
	return err;
}

/**
 * vktls_hw_stop() - undo vktls_hw_start()
 * @vd: device; does nothing when it is stopped
 *
 * Context: RTNL or remove, transmission stopped; sleeps.
 */
void vktls_hw_stop(struct vktls_dev *vd)
{
	if (!test_and_clear_bit(VKTLS_FW_UP, &vd->state))
		return;
	trace_vktls_hw(vd, false);
	vktls_ktls_stop(vd);
	vktls_port_stats_sync(vd);
	vktls_cmdq_abort(vd, -ENETDOWN);
	vktls_dev_reset(vd);
	vktls_cmdq_stop(vd);
	vktls_port_stats_keep(vd);
}

/**
 * vktls_hw_suspend() - stop interface and function, keeping what the user chose
 * @vd: device; may be suspended already
 *
 * Context: RTNL; sleeps.
 */
void vktls_hw_suspend(struct vktls_dev *vd)
{
	netif_device_detach(vd->netdev);
	vktls_netdev_halt(vd);
	vktls_hw_stop(vd);
}

static int vktls_hw_resume_once(struct vktls_dev *vd)
{
	int err;

	/* What was asked for up to here is answered by what follows. */
	WRITE_ONCE(vd->reset_reason, 0);
	err = vktls_hw_start(vd);
	if (!err && netif_running(vd->netdev))
		err = vktls_netdev_resume(vd);
	return err;
}

/* Not a missing file, nor one that the NIC refuses, nor a missing NIC. */
static bool vktls_hw_is_worth_a_try(int err)
{
	return err != -ENOENT && err != -ENOEXEC && err != -ENODEV;
}

/**
 * vktls_hw_resume() - undo vktls_hw_suspend()
 * @vd: device
 *
 * An interface that is up runs again; if the NIC does not come back, it is
 * closed, so that it can be opened when the NIC is mended.
 * Context: RTNL; sleeps.
 * Return: 0 or errno.
 */
int vktls_hw_resume(struct vktls_dev *vd)
{
	int tries = RESUME_TRIES;
	int err;

	vd->resets++;
	err = vktls_hw_resume_once(vd);
	while (err && vktls_hw_is_worth_a_try(err) && --tries) {
		netdev_warn(vd->netdev, "does not start (error %d), once more\n",
			    err);
		vktls_hw_stop(vd);
		err = vktls_hw_resume_once(vd);
	}
	netif_device_attach(vd->netdev);
	if (!err)
		vktls_netdev_adopt_caps(vd);
	else if (netif_running(vd->netdev))
		dev_close(vd->netdev);
	return err;
}

static void vktls_reset_gone(struct vktls_dev *vd)
{
	vktls_cmdq_abort(vd, -ENODEV);
	netif_carrier_off(vd->netdev);
}

static void vktls_reset_work(struct work_struct *work)
{
	struct vktls_dev *vd = container_of(work, struct vktls_dev, reset_work);

	if (test_bit(VKTLS_GONE, &vd->state)) {
		vktls_reset_gone(vd);
		return;
	}
	if (test_and_clear_bit(VKTLS_RESET_FW, &vd->reset_reason)) {
		clear_bit(VKTLS_RESET_TX, &vd->reset_reason);
		devlink_health_report(vd->fw_health, "firmware is silent",
				      NULL);
	}
	if (test_and_clear_bit(VKTLS_RESET_TLS, &vd->reset_reason))
		devlink_health_report(vd->fw_health,
				      "TLS contexts cannot be deleted", NULL);
	if (test_and_clear_bit(VKTLS_RESET_TX, &vd->reset_reason))
		devlink_health_report(vd->tx_health, "a queue hangs", NULL);
}

/* A heartbeat that stands still may be a slow host: only silence is proof. */
static void vktls_service_heartbeat(struct vktls_dev *vd)
{
	u32 beat = vktls_read(vd, VKTLS_REG_HEARTBEAT);

	if (beat != vd->heartbeat) {
		vd->heartbeat = beat;
		vd->heartbeat_same = 0;
		return;
	}
	if (++vd->heartbeat_same < HEARTBEAT_PATIENCE)
		return;
	vd->heartbeat_same = 0;
	/* An overdue answer requests the reset. */
	vktls_cmd_exec(vd, VKTLS_CMD_NOP, NULL, 0, NULL, 0);
}

static void vktls_service_queues(struct vktls_dev *vd)
{
	unsigned int i;

	spin_lock_bh(&vd->stats_lock);
	for (i = 0; i < vd->nqps; i++)
		vktls_qp_watch(vd->qp[i]);
	spin_unlock_bh(&vd->stats_lock);
}

static void vktls_service_work(struct work_struct *work)
{
	struct vktls_dev *vd = container_of(to_delayed_work(work),
					    struct vktls_dev, service);
	u32 status = vktls_read(vd, VKTLS_REG_STATUS);

	if (!vktls_dev_check(vd))
		return;
	if (test_bit(VKTLS_FW_UP, &vd->state)) {
		if ((status & VKTLS_STATUS_FW_STATE) == VKTLS_FW_CRASHED) {
			vktls_cmdq_abort(vd, -EIO);
			vktls_reset_request(vd, VKTLS_RESET_FW);
		} else {
			vktls_service_queues(vd);
			vktls_cmdq_watch(vd);
			vktls_service_heartbeat(vd);
			if (!vktls_port_stats_sync(vd))
				vktls_ktls_audit(vd);
		}
	}
	schedule_delayed_work(&vd->service, SERVICE_PERIOD);
}

/**
 * vktls_reset_init() - prepare to watch the function
 * @vd: device
 */
void vktls_reset_init(struct vktls_dev *vd)
{
	INIT_WORK(&vd->reset_work, vktls_reset_work);
	INIT_DELAYED_WORK(&vd->service, vktls_service_work);
}

/**
 * vktls_reset_start() - watch the function from now on
 * @vd: device that is registered everywhere
 */
void vktls_reset_start(struct vktls_dev *vd)
{
	schedule_delayed_work(&vd->service, SERVICE_PERIOD);
}

/**
 * vktls_reset_stop() - end watching and recovering
 * @vd: device; requests that come later are not served
 *
 * Context: process, neither RTNL nor the devlink lock held.
 */
void vktls_reset_stop(struct vktls_dev *vd)
{
	disable_delayed_work_sync(&vd->service);
	disable_work_sync(&vd->reset_work);
	/* The work may have been cancelled before it told. */
	if (test_bit(VKTLS_GONE, &vd->state))
		vktls_reset_gone(vd);
}
