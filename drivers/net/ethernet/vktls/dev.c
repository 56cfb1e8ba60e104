// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI function: whether it is present, its reset, and requests for recovery,
 * which reset.c carries out. Knows no queue and no interface, so that
 * every other file may call it.
 */
#include <linux/iopoll.h>
#include <linux/workqueue.h>

#include "vktls.h"

#define RESET_USECS (1 * USEC_PER_SEC)

/**
 * vktls_dev_answers() - check that the registers answer
 * @vd: device
 *
 * Context: any.
 * Return: true if the magic number can be read.
 */
bool vktls_dev_answers(struct vktls_dev *vd)
{
	return readl(vd->regs + VKTLS_REG_MAGIC) == VKTLS_MAGIC;
}

/*
 * Asks the PCI core whether the NIC was removed. Registers that do not answer do not
 * prove it: the function or a bridge above it may be in a reset or powered down.
 */
static bool vktls_dev_is_removed(struct vktls_dev *vd)
{
	if (pci_dev_is_disconnected(vd->pdev))
		return true;
	if (test_bit(DEV_OFFLINE, &vd->state) || vktls_dev_answers(vd))
		return false;
	return !pci_device_is_present(vd->pdev);
}

/**
 * vktls_dev_check() - find out whether the NIC was removed
 * @vd: device
 *
 * Called after each register read of all ones, and by callers that miss an answer,
 * because not every platform reads ones from a missing device. A removal is final:
 * all commands fail with -ENODEV, and the carrier is off.
 *
 * Context: any.
 * Return: false if it is gone.
 */
bool vktls_dev_check(struct vktls_dev *vd)
{
	if (test_bit(DEV_GONE, &vd->state))
		return false;
	if (!vktls_dev_is_removed(vd))
		return true;
	if (test_and_set_bit(DEV_GONE, &vd->state))
		return false;
	dev_err(&vd->pdev->dev, "device is gone\n");
	schedule_work(&vd->reset_work);
	return false;
}

static bool vktls_dev_is_reset(u32 status)
{
	return (status & VKTLS_STATUS_FW_STATE) == VKTLS_FW_NONE;
}

/**
 * vktls_dev_reset() - reset the function, so that it touches no memory
 * @vd: device
 *
 * If the NIC is there but the reset fails, the function switches off bus mastering;
 * vktls_hw_start() switches it on again.
 *
 * Context: process; sleeps up to a second.
 * Return: 0, -ETIMEDOUT, -EIO if the registers do not answer, or -ENODEV if the NIC
 * is gone.
 */
int vktls_dev_reset(struct vktls_dev *vd)
{
	u32 status;
	int err;

	if (test_bit(DEV_OFFLINE, &vd->state))
		return -EIO;
	vktls_write(vd, VKTLS_REG_CTRL, VKTLS_CTRL_RESET);
	err = read_poll_timeout(vktls_read, status,
				status == ~0u || vktls_dev_is_reset(status),
				100, RESET_USECS, false, vd, VKTLS_REG_STATUS);
	if (!vktls_dev_check(vd))
		return -ENODEV;
	if (status == ~0u)
		err = -EIO;
	if (err)
		pci_clear_master(vd->pdev);
	return err;
}

/**
 * vktls_service_soon() - have the service work look after the device now
 * @vd: device
 *
 * Otherwise it does so once a second. Does nothing while nobody watches the device.
 *
 * Context: any.
 */
void vktls_service_soon(struct vktls_dev *vd)
{
	cancel_delayed_work(&vd->service);
	schedule_delayed_work(&vd->service, 0);
}

/**
 * vktls_reset_request() - have a health reporter recover the device soon
 * @vd: device
 * @reason: cause, for the reporter
 *
 * Context: any.
 */
void vktls_reset_request(struct vktls_dev *vd, enum vktls_reset_reason reason)
{
	if (test_bit(DEV_GONE, &vd->state))
		return;
	set_bit(reason, &vd->reset_reason);
	/* Does nothing before vktls_reset_start(), which looks at the reasons. */
	schedule_work(&vd->reset_work);
}
