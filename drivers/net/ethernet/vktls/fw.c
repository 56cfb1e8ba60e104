// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads the firmware, and keeps a text on its state for devlink. Knows the registers of
 * the loader, but no command.
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

/* Runs the image at @addr. The NIC may read the image until this returns. */
static int vktls_fw_boot(struct vktls_dev *vd, dma_addr_t addr, size_t len)
{
	unsigned int code;
	u32 status;
	int err;

	vktls_write(vd, VKTLS_REG_FW_ADDR_LO, lower_32_bits(addr));
	vktls_write(vd, VKTLS_REG_FW_ADDR_HI, upper_32_bits(addr));
	vktls_write(vd, VKTLS_REG_FW_LEN, len);
	vktls_write(vd, VKTLS_REG_CTRL, VKTLS_CTRL_FW_LOAD);
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
	err = vktls_fw_boot(vd, addr, fw->len);
	/* A loader that did not come to its end may still read. */
	if (err)
		vktls_dev_reset(vd);
	dma_free_coherent(dev, fw->len, image, addr);
	return err;
}

/**
 * vktls_fw_read() - read the firmware's file, for the next start
 * @vd: device
 *
 * The image stays in memory, because recovery cannot read the file if the root file
 * system is reached over this NIC.
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
		dev_err(&vd->pdev->dev, "no file /lib/firmware/%s (error %d)\n",
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

/* Tries the new image if there is one, else the image that started last. */
static int vktls_fw_start(struct vktls_dev *vd)
{
	int err;

	if (!vd->fw_new && !vd->fw) {
		vktls_fw_note(vd, "no file /lib/firmware/%s", FW_FILE);
		return -ENOENT;
	}
	err = vktls_fw_hand_over(vd, vd->fw_new ? vd->fw_new : vd->fw);
	if (!err && vd->fw_new) {
		kvfree(vd->fw);
		vd->fw = vd->fw_new;
		vd->fw_new = NULL;
	}
	return err;
}

/**
 * vktls_fw_load() - load the firmware into a NIC that was reset, and start it
 * @vd: device; its fw_status then says how it went
 *
 * Context: process; RTNL or probe. Sleeps.
 * Return: 0 or errno: -ENOENT when there is no image, -ENOEXEC when the NIC
 * refused it or it is too old for the driver.
 */
int vktls_fw_load(struct vktls_dev *vd)
{
	int err = vktls_fw_start(vd);

	if (err)
		dev_err(&vd->pdev->dev,
			"firmware %s: %s (error %d); the interface stays down, mend the file and run: devlink dev reload pci/%s\n",
			FW_FILE, vd->fw_status, err, pci_name(vd->pdev));
	return err;
}

MODULE_FIRMWARE(FW_FILE);
