// SPDX-License-Identifier: GPL-2.0-only
/*
 * The NIC's own store of firmware images: devlink dev flash writes an image into it, and
 * the parameter fw_load_policy chooses between store and file. The NIC checks the image
 * before it becomes the one to start, and keeps the one before. fw.c starts it.
 */
#include <linux/dma-mapping.h>
#include <linux/firmware.h>
#include <linux/iopoll.h>
#include <linux/rtnetlink.h>
#include <compat/vktls.h>

#include "cmd.h"
#include "devlink.h"
#include "reset.h"
#include "vktls.h"

#define STORE_USECS	(VKTLS_TIME_STORE_MS * USEC_PER_MSEC)

/* An image on its way into the store, piece by piece. */
struct vktls_flash {
	struct vktls_dev *vd;
	struct netlink_ext_ack *extack;
	void *piece;		/* VKTLS_STORE_PIECE bytes that the NIC reads */
	dma_addr_t addr;	/* of piece, for the NIC */
};

/**
 * vktls_version_print() - a firmware's version as text
 * @text: room for the text
 * @size: bytes of that room
 * @version: as in VKTLS_REG_FW_VERSION
 */
void vktls_version_print(char *text, size_t size, u32 version)
{
	snprintf(text, size, "%u.%u.%u", version >> 16, version >> 8 & 0xff,
		 version & 0xff);
}

/**
 * vktls_flash_info() - what devlink dev info says of firmware and store
 * @vd: device
 * @req: request of devlink
 *
 * Context: process, RTNL.
 * Return: 0 or errno.
 */
int vktls_flash_info(struct vktls_dev *vd, struct devlink_info_req *req)
{
	u32 info = vktls_fw_store_info(vd);
	unsigned int slot = (info & VKTLS_STORE_RUNNING) >>
			    VKTLS_STORE_RUNNING_SHIFT;
	unsigned int next = vktls_fw_store_next(vd);
	char text[24];
	int err;

	if (!info)
		return 0;
	err = devlink_info_version_fixed_put(req, "fw.signature",
					     info & VKTLS_STORE_SIGNED ?
					     "required" : "not required");
	if (!err && test_bit(DEV_FW_UP, &vd->state)) {
		snprintf(text, sizeof(text), slot ? "slot %u" : "file", slot);
		err = devlink_info_version_running_put(req, "fw.source", text);
	}
	if (err || !next)
		return err;
	vktls_version_print(text, sizeof(text),
			    vktls_read(vd, next == 1 ? VKTLS_REG_STORE_VERSION_1 :
						       VKTLS_REG_STORE_VERSION_2));
	return devlink_info_version_stored_put(req,
					       DEVLINK_INFO_VERSION_GENERIC_FW,
					       text);
}

static int vktls_flash_fail(struct vktls_flash *flash, int err,
			    const char *step, const char *why)
{
	NL_SET_ERR_MSG_FMT(flash->extack,
			   "%s: %s; the old image stays", step, why);
	return err;
}

static int vktls_flash_outcome(struct vktls_flash *flash, const char *step,
			       u32 result)
{
	unsigned int code = result & VKTLS_STORE_CODE;

	switch (code) {
	case VKTLS_ST_OK:
		return 0;
	case VKTLS_ST_STATE:
		return vktls_flash_fail(flash, -EAGAIN, step,
					"the NIC was reset meanwhile, try again");
	case VKTLS_ST_FW_STORE:
		return vktls_flash_fail(flash, -EIO, step,
					vktls_status_name(code));
	default:
		return vktls_flash_fail(flash, -EINVAL, step,
					vktls_status_name(code));
	}
}

/* Caller holds RTNL, so that the NIC is not reset, and its loader not used, meanwhile. */
static int vktls_flash_run_locked(struct vktls_flash *flash, u32 op,
				  const char *step, size_t len)
{
	struct vktls_dev *vd = flash->vd;
	u32 result;
	int err;

	if (!vktls_fw_store_info(vd))
		return vktls_flash_fail(flash, -EAGAIN, step,
					"the NIC does not answer, try again");
	vktls_write(vd, VKTLS_REG_FW_ADDR_LO, lower_32_bits(flash->addr));
	vktls_write(vd, VKTLS_REG_FW_ADDR_HI, upper_32_bits(flash->addr));
	vktls_write(vd, VKTLS_REG_FW_LEN, len);
	vktls_write(vd, VKTLS_REG_STORE_OP, op);
	err = read_poll_timeout(vktls_read, result,
				result == ~0u || !(result & VKTLS_STORE_BUSY),
				1000, STORE_USECS, false, vd,
				VKTLS_REG_STORE_RESULT);
	if (!err && result != ~0u)
		return vktls_flash_outcome(flash, step, result);
	/* Only a reset keeps the NIC from reading the piece after this. */
	vktls_hw_suspend(vd);
	vktls_hw_resume(vd);
	return vktls_flash_fail(flash, -EIO, step,
				"the store did not answer in time");
}

static int vktls_flash_run(struct vktls_flash *flash, u32 op, const char *step,
			   size_t len)
{
	int err;

	rtnl_lock();
	err = vktls_flash_run_locked(flash, op, step, len);
	rtnl_unlock();
	return err;
}

static int vktls_flash_write(struct vktls_flash *flash,
			     const struct firmware *fw)
{
	size_t done, len;
	int err;

	for (done = 0; done < fw->size; done += len) {
		len = min_t(size_t, fw->size - done, VKTLS_STORE_PIECE);
		devlink_flash_update_status_notify(flash->vd->devlink,
						   "Writing", NULL, done,
						   fw->size);
		memcpy(flash->piece, fw->data + done, len);
		err = vktls_flash_run(flash, VKTLS_STORE_WRITE, "writing", len);
		if (err)
			return err;
	}
	devlink_flash_update_status_notify(flash->vd->devlink, "Writing", NULL,
					   done, fw->size);
	return 0;
}

static int vktls_flash_image(struct vktls_flash *flash,
			     const struct firmware *fw)
{
	struct devlink *devlink = flash->vd->devlink;
	int err;

	devlink_flash_update_status_notify(devlink, "Erasing", NULL, 0, 0);
	err = vktls_flash_run(flash, VKTLS_STORE_ERASE, "erasing", 0);
	if (!err)
		err = vktls_flash_write(flash, fw);
	if (err)
		return err;
	devlink_flash_update_status_notify(devlink, "Checking", NULL, 0, 0);
	return vktls_flash_run(flash, VKTLS_STORE_COMMIT, "image refused", 0);
}

/**
 * vktls_flash_update() - devlink dev flash: write an image into the NIC's store
 * @devlink: of the device
 * @params: image
 * @extack: text on a failure
 *
 * Works without running firmware, so that a NIC with bad firmware can be mended. The
 * image runs after the next reset of the NIC: devlink dev reload, or a recovery.
 *
 * Context: process, devlink lock held; sleeps.
 * Return: 0 or errno.
 */
int vktls_flash_update(struct devlink *devlink,
		       struct devlink_flash_update_params *params,
		       struct netlink_ext_ack *extack)
{
	struct vktls_flash flash = {
		.vd = vktls_devlink_dev(devlink),
		.extack = extack,
	};
	struct device *dev = &flash.vd->pdev->dev;
	u32 info = vktls_read(flash.vd, VKTLS_REG_STORE);
	int err;

	if (info == ~0u)
		return vktls_flash_fail(&flash, -EAGAIN, "begin",
					"the NIC does not answer, try again");
	if (!(info & VKTLS_STORE_PRESENT)) {
		NL_SET_ERR_MSG(extack,
			       "the NIC has no store; a reload takes /lib/firmware/" FW_FILE);
		return -EOPNOTSUPP;
	}
	if (params->fw->size > VKTLS_FW_MAX_BYTES)
		return vktls_flash_fail(&flash, -EFBIG, "image refused",
					"too many bytes");
	flash.piece = dma_alloc_coherent(dev, VKTLS_STORE_PIECE, &flash.addr,
					 GFP_KERNEL);
	if (!flash.piece)
		return -ENOMEM;
	err = vktls_flash_image(&flash, params->fw);
	dma_free_coherent(dev, VKTLS_STORE_PIECE, flash.piece, flash.addr);
	return err;
}

/* A policy under which the NIC would surely not start is refused. */
static int vktls_policy_validate(struct devlink *devlink, u32 id,
				 union devlink_param_value *val,
				 struct netlink_ext_ack *extack)
{
	switch (val->vu8) {
	case DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_DRIVER:
	case DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_DISK:
		return 0;
	case DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_FLASH:
		if (vktls_fw_store_next(vktls_devlink_dev(devlink)))
			return 0;
		NL_SET_ERR_MSG(extack, "the NIC's store is empty; devlink dev flash first");
		return -ENOENT;
	default:
		NL_SET_ERR_MSG(extack, "the policy is driver, flash or disk");
		return -EINVAL;
	}
}

#ifdef COMPAT_PARAM_VALUE
COMPAT_PARAM_VALIDATE(vktls_policy_validate_value, vktls_policy_validate)
#define vktls_policy_validate	vktls_policy_validate_value
#endif

static const struct devlink_param vktls_params[] = {
	DEVLINK_PARAM_GENERIC(FW_LOAD_POLICY,
			      BIT(DEVLINK_PARAM_CMODE_DRIVERINIT), NULL, NULL,
			      vktls_policy_validate),
};

/**
 * vktls_flash_add() - register the parameters
 * @vd: device
 *
 * Context: process, devlink lock held.
 * Return: 0 or errno.
 */
int vktls_flash_add(struct vktls_dev *vd)
{
	union devlink_param_value policy = { .vu8 = vd->fw_policy };
	int err;

	err = devl_params_register(vd->devlink, vktls_params,
				   ARRAY_SIZE(vktls_params));
	if (!err)
		devl_param_driverinit_value_set(vd->devlink,
						DEVLINK_PARAM_GENERIC_ID_FW_LOAD_POLICY,
						&policy);
	return err;
}

/**
 * vktls_flash_del() - undo vktls_flash_add()
 * @vd: device
 *
 * Context: process, devlink lock held.
 */
void vktls_flash_del(struct vktls_dev *vd)
{
	devl_params_unregister(vd->devlink, vktls_params,
			       ARRAY_SIZE(vktls_params));
}

/**
 * vktls_flash_apply() - let the parameters that the user set take effect
 * @vd: device
 *
 * Context: process, devlink lock and RTNL held.
 */
void vktls_flash_apply(struct vktls_dev *vd)
{
	union devlink_param_value policy;

	if (!devl_param_driverinit_value_get(vd->devlink,
					     DEVLINK_PARAM_GENERIC_ID_FW_LOAD_POLICY,
					     &policy))
		vd->fw_policy = policy.vu8;
}
