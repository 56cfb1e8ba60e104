// SPDX-License-Identifier: GPL-2.0-only
/*
 * The function as its registers show it: presence, reset, and requests for
 * recovery, which reset.c carries out. Knows no queue and no interface, so that
 * every other file may call it.
 */
#include <linux/iopoll.h>
#include <linux/workqueue.h>

#include "vktls.h"

#define RESET_USECS (1 * USEC_PER_SEC)

/**
 * vktls_dev_check() - find out whether the NIC is still there
 * @vd: device
 *
 * The register accessor asks after a read of all ones; callers that miss an
 * answer ask too, because not every platform reads ones where nothing is. A NIC
 * that is gone stays so: its commands fail with -ENODEV, its carrier is off.
 * Context: any.
 * Return: true if it is there.
 */
bool vktls_dev_check(struct vktls_dev *vd)
{
	if (test_bit(VKTLS_GONE, &vd->state))
		return false;
	if (readl(vd->regs + VKTLS_REG_MAGIC) == VKTLS_MAGIC)
		return true;
	if (test_and_set_bit(VKTLS_GONE, &vd->state))
		return false;
	dev_err(&vd->pdev->dev, "device is gone\n");
	schedule_work(&vd->reset_work);
	return false;
}

/**
 * vktls_dev_reset() - reset the function, so that it touches no memory
 * @vd: device
 *
 * Context: process; sleeps up to a second.
 * Return: 0, -ETIMEDOUT, or -ENODEV if the NIC is gone.
 */
int vktls_dev_reset(struct vktls_dev *vd)
{
	u32 status;
	int err;

	vktls_write(vd, VKTLS_REG_CTRL, VKTLS_CTRL_RESET);
	err = read_poll_timeout(vktls_read, status,
				(status & VKTLS_STATUS_FW_STATE) ==
						VKTLS_FW_NONE ||
					!vktls_dev_check(vd),
				100, RESET_USECS, false, vd, VKTLS_REG_STATUS);
	return vktls_dev_check(vd) ? err : -ENODEV;
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
	if (test_bit(VKTLS_GONE, &vd->state))
		return;
	set_bit(reason, &vd->reset_reason);
	schedule_work(&vd->reset_work);
}
