// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exercises the NIC's test block: registers, DMA both ways, each interrupt. It
 * needs no firmware, so a failure here is the bus, the platform or the NIC.
 */
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>

#include "vktls.h"

#define TEST_BYTES	8192
#define TEST_SEED	0x5eed1e55
#define TEST_WORDS	(TEST_BYTES / sizeof(__le32))

static int vktls_selftest_fail(struct vktls_dev *vd, const char *what, u32 got,
			       u32 want)
{
	dev_err(&vd->pdev->dev, "self-test: %s: %#x instead of %#x\n", what,
		got, want);
	return -EIO;
}

/**
 * vktls_selftest_scratch() - write and read back every bit of a register
 * @vd: device
 *
 * Context: process.
 * Return: 0 or -EIO.
 */
int vktls_selftest_scratch(struct vktls_dev *vd)
{
	static const u32 patterns[] = { 0, 0x55555555, 0xaaaaaaaa, 0x01234567 };
	unsigned int i;
	u32 got;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		vktls_write(vd, VKTLS_REG_TEST_SCRATCH, patterns[i]);
		got = vktls_read(vd, VKTLS_REG_TEST_SCRATCH);
		if (got != patterns[i])
			return vktls_selftest_fail(vd, "scratch register", got,
						   patterns[i]);
	}
	return 0;
}

static int vktls_selftest_run(struct vktls_dev *vd, u32 op)
{
	vktls_write(vd, VKTLS_REG_TEST_OP, op);
	return vktls_read(vd, VKTLS_REG_TEST_RESULT);
}

/* Has the NIC write the pattern, and checks that it arrives. */
static int vktls_selftest_fill(struct vktls_dev *vd, const __le32 *buf)
{
	u32 status = vktls_selftest_run(vd, VKTLS_TEST_FILL);
	u32 n, want;

	if (status)
		return vktls_selftest_fail(vd, "DMA write status", status,
					   VKTLS_ST_OK);
	for (n = 0; n < TEST_WORDS; n++) {
		want = VKTLS_TEST_WORD(TEST_SEED, n);
		if (le32_to_cpu(buf[n]) != want)
			return vktls_selftest_fail(vd, "DMA write",
						   le32_to_cpu(buf[n]), want);
	}
	return 0;
}

/* Has the NIC check the pattern, first right, then with one wrong word. */
static int vktls_selftest_check(struct vktls_dev *vd, __le32 *buf)
{
	u32 last = (TEST_WORDS - 1) * sizeof(*buf);
	u32 status = vktls_selftest_run(vd, VKTLS_TEST_CHECK);
	u32 where;

	if (status)
		return vktls_selftest_fail(vd, "DMA read status", status,
					   VKTLS_ST_OK);
	buf[TEST_WORDS - 1] ^= cpu_to_le32(1);
	status = vktls_selftest_run(vd, VKTLS_TEST_CHECK);
	where = vktls_read(vd, VKTLS_REG_TEST_WHERE);
	if (status != VKTLS_ST_PARAM)
		return vktls_selftest_fail(vd, "DMA read of a wrong word",
					   status, VKTLS_ST_PARAM);
	if (where != last)
		return vktls_selftest_fail(vd, "place of the wrong word", where,
					   last);
	return 0;
}

/**
 * vktls_selftest_dma() - have the NIC write and read a buffer
 * @vd: device; may master the bus
 *
 * Context: process.
 * Return: 0, -EIO or -ENOMEM.
 */
int vktls_selftest_dma(struct vktls_dev *vd)
{
	struct device *dev = &vd->pdev->dev;
	dma_addr_t addr;
	__le32 *buf;
	int err;

	buf = dma_alloc_coherent(dev, TEST_BYTES, &addr, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	vktls_write(vd, VKTLS_REG_TEST_ADDR_LO, lower_32_bits(addr));
	vktls_write(vd, VKTLS_REG_TEST_ADDR_HI, upper_32_bits(addr));
	vktls_write(vd, VKTLS_REG_TEST_LEN, TEST_BYTES);
	vktls_write(vd, VKTLS_REG_TEST_SEED, TEST_SEED);
	err = vktls_selftest_fill(vd, buf);
	if (!err)
		err = vktls_selftest_check(vd, buf);
	dma_free_coherent(dev, TEST_BYTES, buf, addr);
	return err;
}

static irqreturn_t vktls_selftest_handler(int irq, void *data)
{
	complete(data);
	return IRQ_HANDLED;
}

/**
 * vktls_selftest_irq() - raise an interrupt and see it arrive
 * @vd: device
 * @vector: MSI-X vector that nobody uses now
 *
 * Context: process; sleeps.
 * Return: 0 or errno.
 */
int vktls_selftest_irq(struct vktls_dev *vd, unsigned int vector)
{
	DECLARE_COMPLETION_ONSTACK(done);
	int irq = vktls_irq_vector(vd, vector);
	int err;

	err = request_irq(irq, vktls_selftest_handler, 0, "vktls-selftest",
			  &done);
	if (err)
		return err;
	vktls_write(vd, VKTLS_REG_TEST_OP,
		    VKTLS_TEST_IRQ | vector << VKTLS_TEST_VECTOR_SHIFT);
	if (!wait_for_completion_timeout(&done, 2 * HZ))
		err = vktls_selftest_fail(vd,
					  "interrupt does not arrive, vector",
					  vector, vector);
	free_irq(irq, &done);
	return err;
}
