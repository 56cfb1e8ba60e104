// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads the firmware and says in words why it would not. Knows the loader's
 * registers, not what firmware does once it runs.
 */
#include <linux/dma-mapping.h>
#include <linux/firmware.h>
#include <linux/iopoll.h>

#include "cmd.h"
#include "vktls.h"

#define FW_BOOT_USECS	(VKTLS_TIME_BOOT_MS * USEC_PER_MSEC)

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

static __printf(2, 3) void fw_note(struct vktls_dev *vd, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(vd->fw_status, sizeof(vd->fw_status), fmt, args);
	va_end(args);
}

/**
 * vktls_abi_known() - whether the driver can drive a version of the ABI
 * @abi: value of VKTLS_REG_ABI: the hardware's version or, once firmware runs,
 *	the lesser of both
 *
 * A newer minor version only adds; the driver goes by capabilities, and by the
 * length of answers.
 * Return: true if it can.
 */
bool vktls_abi_known(u32 abi)
{
	return abi >> 16 == VKTLS_ABI_MAJOR &&
	       (abi & 0xffff) >= VKTLS_ABI_MINOR_MIN;
}

static int vktls_fw_ready(struct vktls_dev *vd)
{
	u32 abi = vktls_read(vd, VKTLS_REG_ABI);

	if (!vktls_abi_known(abi)) {
		fw_note(vd, "refused: ABI %u.%u, the driver needs %u.%u",
			abi >> 16, abi & 0xffff, VKTLS_ABI_MAJOR,
			VKTLS_ABI_MINOR_MIN);
		return -ENOEXEC;
	}
	fw_note(vd, "running");
	return 0;
}

static bool vktls_fw_settled(u32 status)
{
	u32 state = status & VKTLS_STATUS_FW_STATE;

	return status == ~0u || state == VKTLS_FW_REFUSED ||
	       state == VKTLS_FW_READY || state == VKTLS_FW_CRASHED;
}

/* Runs the image at @addr; it is the NIC's until this returns. */
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
		fw_note(vd, "device is gone");
		return -ENODEV;
	}
	if (err) {
		fw_note(vd, "does not start");
		return err;
	}
	switch (status & VKTLS_STATUS_FW_STATE) {
	case VKTLS_FW_READY:
		return vktls_fw_ready(vd);
	case VKTLS_FW_REFUSED:
		code = (status & VKTLS_STATUS_FW_CODE) >>
		       VKTLS_STATUS_FW_CODE_SHIFT;
		fw_note(vd, "refused: %s (%u)", vktls_status_name(code), code);
		return -ENOEXEC;
	default:
		fw_note(vd, "crashed at start");
		return -EIO;
	}
}

static int vktls_fw_hand_over(struct vktls_dev *vd, const struct firmware *fw)
{
	struct device *dev = &vd->pdev->dev;
	dma_addr_t addr;
	void *image;
	int err;

	if (fw->size > VKTLS_FW_MAX_BYTES) {
		fw_note(vd, "refused: %zu bytes are too many", fw->size);
		return -EFBIG;
	}
	image = dma_alloc_coherent(dev, fw->size, &addr, GFP_KERNEL);
	if (!image) {
		fw_note(vd, "no memory for the image");
		return -ENOMEM;
	}
	memcpy(image, fw->data, fw->size);
	err = vktls_fw_boot(vd, addr, fw->size);
	dma_free_coherent(dev, fw->size, image, addr);
	return err;
}

/**
 * vktls_fw_load() - load the firmware into a NIC that was reset, and start it
 * @vd: device; its fw_status then says how it went
 *
 * Context: process; RTNL or probe. Sleeps.
 * Return: 0 or errno: -ENOENT when the file is missing, -ENOEXEC when the NIC
 * refused it or it is too old for the driver.
 */
int vktls_fw_load(struct vktls_dev *vd)
{
	const struct firmware *fw;
	int err;

	err = firmware_request_nowarn(&fw, VKTLS_FW_FILE, &vd->pdev->dev);
	if (err) {
		fw_note(vd, "no file /lib/firmware/%s", VKTLS_FW_FILE);
	} else {
		err = vktls_fw_hand_over(vd, fw);
		release_firmware(fw);
	}
	if (err)
		dev_err(&vd->pdev->dev,
			"firmware %s: %s (error %d); the interface stays down, mend the file and run: devlink dev reload pci/%s\n",
			VKTLS_FW_FILE, vd->fw_status, err, pci_name(vd->pdev));
	return err;
}

MODULE_FIRMWARE(VKTLS_FW_FILE);
