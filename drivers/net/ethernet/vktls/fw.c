// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads the firmware, from the NIC's own store or from a file, and keeps a text on its
 * state for devlink. Knows the registers of the loader, but no command.
 */
#include <linux/dma-mapping.h>
#include <linux/firmware.h>
#include <linux/iopoll.h>
#include <linux/mm.h>
#include <linux/overflow.h>

#include "cmd.h"
#include "vktls.h"

#define FW_BOOT_USECS	(VKTLS_TIME_BOOT_MS * USEC_PER_MSEC)

struct vktls_fw_image {
	size_t len;		/* of data, bytes */
	u8 data[];
};

static const char *const vktls_status_names[] = {
	[VKTLS_ST_OK] = "ok",
	[VKTLS_ST_OPCODE] = "unknown command",
	[VKTLS_ST_LENGTH] = "bad length",
	[VKTLS_ST_PARAM] = "bad parameter",
	[VKTLS_ST_RESERVED] = "reserved field is not zero",
	[VKTLS_ST_NOENT] = "no such object",
	[VKTLS_ST_EXIST] = "exists already",
	[VKTLS_ST_FULL] = "table is full",
	[VKTLS_ST_DMA] = "address is not memory",
	[VKTLS_ST_UNSUPPORTED] = "not supported",
	[VKTLS_ST_STATE] = "not allowed now",
	[VKTLS_ST_FW_MAGIC] = "wrong magic",
	[VKTLS_ST_FW_ABI] = "wrong ABI version",
	[VKTLS_ST_FW_LENGTH] = "wrong length",
	[VKTLS_ST_FW_DIGEST] = "wrong digest",
	[VKTLS_ST_FW_ENTRY] = "wrong entry point",
	[VKTLS_ST_FW_UNSIGNED] = "not signed, and the NIC has a key",
	[VKTLS_ST_FW_SIGNATURE] = "not signed with the NIC's key",
	[VKTLS_ST_FW_STORE] = "the store cannot be read or written",
	[VKTLS_ST_TX_DESC] = "malformed descriptor",
	[VKTLS_ST_TX_LENGTH] = "packet length",
	[VKTLS_ST_TX_OFFLOAD] = "offload does not fit the packet",
	[VKTLS_ST_TX_LINK] = "link is down",
	[VKTLS_ST_TLS_NOT_TCP] = "TLS packet is not TCP",
	[VKTLS_ST_TLS_SEQ] = "TLS out of sequence",
	[VKTLS_ST_TLS_HEADER] = "TLS record header",
	[VKTLS_ST_TLS_NONCE] = "TLS nonce",
	[VKTLS_ST_TLS_WRAP] = "TLS record number used up",
	[VKTLS_ST_TLS_REUSE] = "TLS record number used before",
	[VKTLS_ST_TLS_LOST] = "TLS context lost",
	[VKTLS_ST_TLS_CRYPTO] = "TLS engine failed",
	[VKTLS_ST_TLS_AUTH] = "TLS tag is wrong",
	[VKTLS_ST_TLS_GAP] = "TLS record header was not received",
	[VKTLS_ST_TLS_KEY] = "TLS key of a record is not there, or not known",
};

/**
 * vktls_status_name() - a status of the NIC in words
 * @status: VKTLS_ST_*
 *
 * Return: text, never NULL.
 */
const char *vktls_status_name(unsigned int status)
{
	if (status >= ARRAY_SIZE(vktls_status_names) ||
	    !vktls_status_names[status])
		return "unknown status";
	return vktls_status_names[status];
}

/**
 * vktls_fw_note() - set the text on the state of the firmware, vd->fw_status
 * @vd: device
 * @fmt: as of printf()
 *
 * Context: RTNL or probe.
 */
void vktls_fw_note(struct vktls_dev *vd, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(vd->fw_status, sizeof(vd->fw_status), fmt, args);
	va_end(args);
}

/**
 * vktls_abi_known() - whether the driver can drive a version of the ABI
 * @abi: value of VKTLS_REG_ABI: the hardware's version until firmware runs, then
 *	the lesser of the hardware's and the firmware's
 *
 * A newer minor version only adds to an older one. The driver decides by capability and
 * by length of an answer whether an addition is there.
 *
 * Return: true if it can.
 */
bool vktls_abi_known(u32 abi)
{
	return abi >> 16 == VKTLS_ABI_MAJOR &&
	       (abi & 0xffff) >= ABI_MINOR_MIN;
}

static int vktls_fw_ready(struct vktls_dev *vd)
{
	u32 abi = vktls_read(vd, VKTLS_REG_ABI);

	if (!vktls_abi_known(abi)) {
		vktls_fw_note(vd, "refused: ABI %u.%u, the driver needs %u.%u",
			      abi >> 16, abi & 0xffff, VKTLS_ABI_MAJOR,
			      ABI_MINOR_MIN);
		return -ENOEXEC;
	}
	vktls_fw_note(vd, "running");
	return 0;
}

static bool vktls_fw_settled(u32 status)
{
	u32 state = status & VKTLS_STATUS_FW_STATE;

	return status == ~0u || state == VKTLS_FW_REFUSED ||
	       state == VKTLS_FW_READY || state == VKTLS_FW_CRASHED;
}

/*
 * Starts an image by VKTLS_CTRL_FW_*. The NIC may read memory of the loader until this
 * returns, and after a failure until it is reset.
 */
static int vktls_fw_boot(struct vktls_dev *vd, u32 ctrl)
{
	unsigned int code;
	u32 status;
	int err;

	vktls_write(vd, VKTLS_REG_CTRL, ctrl);
	err = read_poll_timeout(vktls_read, status, vktls_fw_settled(status),
				1000, FW_BOOT_USECS, false, vd,
				VKTLS_REG_STATUS);
	if (!vktls_dev_check(vd)) {
		vktls_fw_note(vd, "device is gone");
		return -ENODEV;
	}
	if (err) {
		vktls_fw_note(vd, "does not start");
		return err;
	}
	switch (status & VKTLS_STATUS_FW_STATE) {
	case VKTLS_FW_READY:
		return vktls_fw_ready(vd);
	case VKTLS_FW_REFUSED:
		code = (status & VKTLS_STATUS_FW_CODE) >>
		       VKTLS_STATUS_FW_CODE_SHIFT;
		vktls_fw_note(vd, "refused: %s (%u)", vktls_status_name(code), code);
		return -ENOEXEC;
	default:
		vktls_fw_note(vd, "crashed at start");
		return -EIO;
	}
}

static int vktls_fw_hand_over(struct vktls_dev *vd,
			      const struct vktls_fw_image *fw)
{
	struct device *dev = &vd->pdev->dev;
	dma_addr_t addr;
	void *image;
	int err;

	if (fw->len > VKTLS_FW_MAX_BYTES) {
		vktls_fw_note(vd, "refused: %zu bytes are too many", fw->len);
		return -EFBIG;
	}
	image = dma_alloc_coherent(dev, fw->len, &addr, GFP_KERNEL);
	if (!image) {
		vktls_fw_note(vd, "no memory for the image");
		return -ENOMEM;
	}
	memcpy(image, fw->data, fw->len);
	vktls_write(vd, VKTLS_REG_FW_ADDR_LO, lower_32_bits(addr));
	vktls_write(vd, VKTLS_REG_FW_ADDR_HI, upper_32_bits(addr));
	vktls_write(vd, VKTLS_REG_FW_LEN, fw->len);
	err = vktls_fw_boot(vd, VKTLS_CTRL_FW_LOAD);
	/* A loader that did not come to its end may still read. */
	if (err)
		vktls_dev_reset(vd);
	dma_free_coherent(dev, fw->len, image, addr);
	return err;
}

/**
 * vktls_fw_store_info() - state of the NIC's store of images
 * @vd: device
 *
 * Return: value of VKTLS_REG_STORE, 0 if the NIC has no store or does not answer.
 */
u32 vktls_fw_store_info(struct vktls_dev *vd)
{
	u32 info = vktls_read(vd, VKTLS_REG_STORE);

	return info != ~0u && (info & VKTLS_STORE_PRESENT) ? info : 0;
}

/**
 * vktls_fw_store_next() - slot of the store that the NIC would start
 * @vd: device
 *
 * Return: its number, 0 if there is none.
 */
unsigned int vktls_fw_store_next(struct vktls_dev *vd)
{
	return (vktls_fw_store_info(vd) & VKTLS_STORE_NEXT) >>
	       VKTLS_STORE_NEXT_SHIFT;
}

/**
 * vktls_fw_read() - read the firmware's file, for the next start
 * @vd: device
 *
 * The image stays in memory, because recovery cannot read the file if the root file
 * system is reached over this NIC. A missing file is no fault of a NIC that has an image
 * in its store.
 * Context: process, devlink lock or probe, without RTNL; sleeps.
 * Return: 0, or errno with nothing changed.
 */
int vktls_fw_read(struct vktls_dev *vd)
{
	struct vktls_fw_image *image;
	const struct firmware *fw;
	int err;

	err = firmware_request_nowarn(&fw, FW_FILE, &vd->pdev->dev);
	if (err) {
		if (!vktls_fw_store_next(vd))
			dev_err(&vd->pdev->dev,
				"no file /lib/firmware/%s (error %d)\n",
				FW_FILE, err);
		return err;
	}
	/*
	 * Copy, because the loader gives old data to later requests while @fw is
	 * held.
	 */
	image = kvmalloc(struct_size(image, data, fw->size), GFP_KERNEL);
	if (image) {
		image->len = fw->size;
		memcpy(image->data, fw->data, fw->size);
		vktls_fw_forget_new(vd);
		vd->fw_new = image;
	}
	release_firmware(fw);
	return image ? 0 : -ENOMEM;
}

/**
 * vktls_fw_forget_new() - forget an image that was read and not started
 * @vd: device
 */
void vktls_fw_forget_new(struct vktls_dev *vd)
{
	kvfree(vd->fw_new);
	vd->fw_new = NULL;
}

/**
 * vktls_fw_free() - forget all images
 * @vd: device, its function stopped for good
 */
void vktls_fw_free(struct vktls_dev *vd)
{
	vktls_fw_forget_new(vd);
	kvfree(vd->fw);
	vd->fw = NULL;
}

/* The new image takes the place of the one that is kept. */
static void vktls_fw_keep_new(struct vktls_dev *vd)
{
	kvfree(vd->fw);
	vd->fw = vd->fw_new;
	vd->fw_new = NULL;
}

/* Tries the new image if there is one, else the image that is kept. */
static int vktls_fw_start_image(struct vktls_dev *vd)
{
	int err;

	if (!vd->fw_new && !vd->fw) {
		vktls_fw_note(vd, "no file /lib/firmware/%s", FW_FILE);
		return -ENOENT;
	}
	err = vktls_fw_hand_over(vd, vd->fw_new ? vd->fw_new : vd->fw);
	if (!err && vd->fw_new)
		vktls_fw_keep_new(vd);
	return err;
}

static int vktls_fw_start_file(struct vktls_dev *vd)
{
	int err = vktls_fw_start_image(vd);

	if (err)
		dev_err(&vd->pdev->dev,
			"firmware %s: %s (error %d); the interface stays down, mend the file and run: devlink dev reload pci/%s\n",
			FW_FILE, vd->fw_status, err, pci_name(vd->pdev));
	return err;
}

static int vktls_fw_start_stored(struct vktls_dev *vd)
{
	int err = -ENOENT;

	if (vktls_fw_store_next(vd))
		err = vktls_fw_boot(vd, VKTLS_CTRL_FW_BOOT);
	else
		vktls_fw_note(vd, "the NIC's store is empty");
	if (err)
		dev_err(&vd->pdev->dev,
			"firmware of the NIC's store: %s (error %d); mend it: devlink dev flash pci/%s file %s\n",
			vd->fw_status, err, pci_name(vd->pdev), FW_FILE);
	return err;
}

/**
 * vktls_fw_load() - load the firmware into a NIC that was reset, and start it
 * @vd: device; its fw_status then says how it went
 *
 * The user's policy chooses between the NIC's store and the file. By default it is the
 * store, and the file if the store is empty or its image does not start.
 *
 * Context: process; RTNL or probe. Sleeps.
 * Return: 0 or errno: -ENOENT when there is no image, -ENOEXEC when the NIC
 * refused it or it is too old for the driver.
 */
int vktls_fw_load(struct vktls_dev *vd)
{
	int err;

	if (vd->fw_policy == DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_FLASH)
		return vktls_fw_start_stored(vd);
	if (vd->fw_policy == DEVLINK_PARAM_FW_LOAD_POLICY_VALUE_DISK ||
	    !vktls_fw_store_next(vd))
		return vktls_fw_start_file(vd);
	err = vktls_fw_start_stored(vd);
	/* The image of the file is for the day on which the store's does not start. */
	if (!err && !vd->fw)
		vktls_fw_keep_new(vd);
	if (!err || err == -ENODEV)
		return err;
	return vktls_dev_reset(vd) ?: vktls_fw_start_file(vd);
}

MODULE_FIRMWARE(FW_FILE);
