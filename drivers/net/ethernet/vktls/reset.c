// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of the function: start, stop, watch, and the one path of recovery, for hung
 * queues, dead firmware, devlink reload, resets by the PCI core and sleep alike. All
 * settings are given to the NIC again; its TLS contexts are declared lost.
 */
#include <linux/rtnetlink.h>

#include "cmd.h"
#include "devlink.h"
#include "ktls.h"
#include "netdev.h"
#include "qp.h"
#include "reset.h"
#include "steer.h"
#include "trace.h"
#include "vktls.h"

#define SERVICE_PERIOD		(1 * HZ)
/* Periods without a step of the heartbeat before firmware is asked. */
#define HEARTBEAT_PATIENCE	5
/* Attempts to start the NIC before it is given up. */
#define RESUME_TRIES		3

/**
 * vktls_hw_start() - reset and start the function, so that it takes commands
 * @vd: device, stopped; its registers may be in any state
 *
 * Context: RTNL or probe; sleeps.
 * Return: 0 or errno; vd->fw_status describes a failure of the firmware.
 */
int vktls_hw_start(struct vktls_dev *vd)
{
	int err;

	/*
	 * An earlier kernel (kdump, kexec) may have left the NIC writing to memory.
	 */
	err = vktls_dev_reset(vd);
	if (err)
		return err;
	pci_set_master(vd->pdev);
	err = vktls_fw_load(vd);
	if (err)
		goto reset;
	err = vktls_cmdq_start(vd);
	if (err)
		goto reset;
	err = vktls_cmd_exec(vd, VKTLS_CMD_CAPS, NULL, 0, &vd->caps,
			     sizeof(vd->caps));
	if (err) {
		vktls_fw_note(vd, "does not answer (error %d)", err);
		goto stop_cmdq;
	}
	vd->heartbeat_same = 0;
	set_bit(DEV_FW_UP, &vd->state);
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
	if (!test_and_clear_bit(DEV_FW_UP, &vd->state))
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
 * vktls_hw_suspend() - stop interface and function, but keep the user's settings
 * @vd: device; may be suspended already
 *
 * Each call is undone by one of vktls_hw_resume(): recovery, reload, PCI reset and
 * sleep of the host may overlap, and the last one to end starts the function.
 *
 * Context: RTNL; sleeps.
 */
void vktls_hw_suspend(struct vktls_dev *vd)
{
	ASSERT_RTNL();
	if (vd->suspends++)
		return;
	netif_device_detach(vd->netdev);
	vktls_netdev_halt(vd);
	vktls_hw_stop(vd);
}

/*
 * RSS contexts and filters are in the NIC whenever its firmware runs, also while the
 * interface is down.
 */
static int vktls_hw_resume_once(struct vktls_dev *vd)
{
	int err;

	/* This start serves all requests for a reset made so far. */
	WRITE_ONCE(vd->reset_reason, 0);
	err = vktls_hw_start(vd);
	if (err)
		return err;
	if (netif_running(vd->netdev))
		return vktls_netdev_resume(vd);
	return vktls_rss_sync(vd) ?: vktls_filter_sync(vd);
}

/* A retry does not help a missing file, a refused image or a missing NIC. */
static bool vktls_hw_is_worth_a_try(int err)
{
	return err != -ENOENT && err != -ENOEXEC && err != -ENODEV;
}

/**
 * vktls_hw_resume() - undo vktls_hw_suspend()
 * @vd: device
 *
 * An interface that is up runs again. If the NIC does not start, the interface is
 * closed, and can be opened once the NIC works again. It is closed before it is
 * attached, so that no packet comes into a ring that no NIC reads.
 *
 * Context: RTNL; sleeps.
 * Return: 0 or errno; also 0 while another vktls_hw_suspend() is still to be undone.
 */
int vktls_hw_resume(struct vktls_dev *vd)
{
	int tries = RESUME_TRIES;
	int err;

	ASSERT_RTNL();
	if (--vd->suspends)
		return 0;
	clear_bit(DEV_OFFLINE, &vd->state);
	vd->resets++;
	err = vktls_hw_resume_once(vd);
	while (err && vktls_hw_is_worth_a_try(err) && --tries) {
		netdev_warn(vd->netdev, "does not start (error %d), once more\n",
			    err);
		vktls_hw_stop(vd);
		err = vktls_hw_resume_once(vd);
	}
	vktls_fw_forget_new(vd);
	if (err && netif_running(vd->netdev))
		dev_close(vd->netdev);
	netif_device_attach(vd->netdev);
	if (!err)
		vktls_netdev_adopt_caps(vd);
	return err;
}

/**
 * vktls_hw_offline() - leave the function to the PCI core
 * @vd: device, which will be reset or powered down
 * @dead: it does not answer any more
 *
 * After this the driver does not touch the function until vktls_hw_online().
 *
 * Context: process, neither RTNL nor the devlink lock held; sleeps.
 */
void vktls_hw_offline(struct vktls_dev *vd, bool dead)
{
	if (dead) {
		set_bit(DEV_OFFLINE, &vd->state);
		vktls_cmdq_abort(vd, -EIO);
	}
	disable_delayed_work_sync(&vd->service);
	disable_work_sync(&vd->reset_work);
	rtnl_lock();
	vktls_hw_suspend(vd);
	set_bit(DEV_OFFLINE, &vd->state);
	rtnl_unlock();
}

/**
 * vktls_hw_online() - undo vktls_hw_offline(); the function is in reset state
 * @vd: device
 *
 * Context: process, neither RTNL nor the devlink lock held; sleeps.
 * Return: 0 or errno.
 */
int vktls_hw_online(struct vktls_dev *vd)
{
	int err;

	rtnl_lock();
	err = vktls_hw_resume(vd);
	rtnl_unlock();
	vktls_reset_start(vd);
	return err;
}

/*
 * Fails all commands with @err, and switches the carrier off, so that the stack
 * stops sending.
 */
static void vktls_reset_cut_off(struct vktls_dev *vd, int err)
{
	vktls_cmdq_abort(vd, err);
	netif_carrier_off(vd->netdev);
}

static void vktls_reset_work(struct work_struct *work)
{
	struct vktls_dev *vd = container_of(work, struct vktls_dev, reset_work);

	if (test_bit(DEV_GONE, &vd->state)) {
		vktls_reset_cut_off(vd, -ENODEV);
		return;
	}
	/* The service work requests the reset again once the registers answer. */
	if (!vktls_dev_answers(vd))
		return;
	if (test_and_clear_bit(RESET_FW, &vd->reset_reason)) {
		clear_bit(RESET_TX, &vd->reset_reason);
		vktls_region_crash(vd);
		devlink_health_report(vd->fw_health, "firmware is silent",
				      NULL);
	}
	if (test_and_clear_bit(RESET_TLS, &vd->reset_reason))
		devlink_health_report(vd->fw_health,
				      "TLS contexts cannot be deleted", NULL);
	if (test_and_clear_bit(RESET_TX, &vd->reset_reason))
		devlink_health_report(vd->tx_health, "a queue hangs", NULL);
}

/*
 * Sends a command if the heartbeat stands still. That may only mean that the host
 * is slow, but a command without an answer proves that firmware is dead.
 */
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
	/* If no answer comes, the command queue requests the reset. */
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

/* Returns whether the registers answer; recovery waits until they do. */
static bool vktls_service_answers(struct vktls_dev *vd)
{
	bool silent = !vktls_dev_answers(vd);

	if (silent && !vd->silent) {
		dev_err(&vd->pdev->dev, "registers do not answer\n");
		vktls_reset_cut_off(vd, -EIO);
	} else if (!silent && vd->silent) {
		vktls_reset_request(vd, RESET_FW);
	}
	vd->silent = silent;
	return !silent;
}

static void vktls_service_look(struct vktls_dev *vd)
{
	u32 status = vktls_read(vd, VKTLS_REG_STATUS);

	if ((status & VKTLS_STATUS_FW_STATE) == VKTLS_FW_CRASHED) {
		vktls_cmdq_abort(vd, -EIO);
		vktls_reset_request(vd, RESET_FW);
		return;
	}
	vktls_service_queues(vd);
	vktls_cmdq_watch(vd);
	vktls_service_heartbeat(vd);
	if (!vktls_port_stats_sync(vd))
		vktls_ktls_audit(vd);
}

static void vktls_service_work(struct work_struct *work)
{
	struct vktls_dev *vd = container_of(to_delayed_work(work),
					    struct vktls_dev, service);

	if (!vktls_dev_check(vd))
		return;
	if (vktls_service_answers(vd) && test_bit(DEV_FW_UP, &vd->state))
		vktls_service_look(vd);
	schedule_delayed_work(&vd->service, SERVICE_PERIOD);
}

/**
 * vktls_reset_init() - prepare to watch the function; nothing is done yet
 * @vd: device
 */
void vktls_reset_init(struct vktls_dev *vd)
{
	INIT_WORK(&vd->reset_work, vktls_reset_work);
	INIT_DELAYED_WORK(&vd->service, vktls_service_work);
	disable_work(&vd->reset_work);
	disable_delayed_work(&vd->service);
}

/**
 * vktls_reset_start() - watch and recover the function from now on
 * @vd: device that is registered everywhere
 *
 * Requests that came before are served now.
 */
void vktls_reset_start(struct vktls_dev *vd)
{
	enable_delayed_work(&vd->service);
	enable_work(&vd->reset_work);
	schedule_delayed_work(&vd->service, SERVICE_PERIOD);
	if (READ_ONCE(vd->reset_reason))
		schedule_work(&vd->reset_work);
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
	/* If the NIC was removed: reset_work should cut it off, but may have been cancelled. */
	if (test_bit(DEV_GONE, &vd->state))
		vktls_reset_cut_off(vd, -ENODEV);
}
