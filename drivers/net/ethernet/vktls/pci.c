// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI function: probe in order, remove in the exact reverse, resets and errors of
 * the PCI core, sleep. A NIC that fails its self-test is not bound; a NIC without
 * firmware is, so that devlink can mend it.
 */
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "cmd.h"
#include "ktls.h"
#include "netdev.h"
#include "qp.h"
#include "reset.h"
#include "steer.h"
#include "vktls.h"

static int vktls_pci_identify(struct vktls_dev *vd)
{
	struct device *dev = &vd->pdev->dev;
	u32 magic = readl(vd->regs + VKTLS_REG_MAGIC);
	u32 abi = readl(vd->regs + VKTLS_REG_ABI);

	if (magic != VKTLS_MAGIC) {
		dev_err(dev, "magic is %#x, not %#x\n", magic, VKTLS_MAGIC);
		return -ENODEV;
	}
	if (!vktls_abi_known(abi)) {
		dev_err(dev, "NIC has ABI %u.%u, this driver needs %u.%u or a newer minor\n",
			abi >> 16, abi & 0xffff, VKTLS_ABI_MAJOR,
			ABI_MINOR_MIN);
		return -ENODEV;
	}
	return 0;
}

static int vktls_pci_map(struct vktls_dev *vd)
{
	struct pci_dev *pdev = vd->pdev;
	int err;

	err = pci_enable_device_mem(pdev);
	if (err)
		return err;
	err = pci_request_mem_regions(pdev, KBUILD_MODNAME);
	if (err)
		goto disable_device;
	vd->regs = pci_iomap(pdev, VKTLS_BAR_REGS, VKTLS_BAR_REGS_SIZE);
	if (!vd->regs) {
		err = -ENOMEM;
		goto release_regions;
	}
	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		goto unmap;
	return 0;

unmap:
	pci_iounmap(pdev, vd->regs);
release_regions:
	pci_release_mem_regions(pdev);
disable_device:
	pci_disable_device(pdev);
	return err;
}

static void vktls_pci_unmap(struct vktls_dev *vd)
{
	pci_iounmap(vd->pdev, vd->regs);
	pci_release_mem_regions(vd->pdev);
	pci_disable_device(vd->pdev);
}

static int vktls_pci_vectors_alloc(struct vktls_dev *vd)
{
	unsigned int queues = vktls_read(vd, VKTLS_REG_QUEUES);
	int num;

	queues = clamp(queues, 1U, (unsigned int)VKTLS_MAX_QUEUES);
	num = pci_alloc_irq_vectors(vd->pdev, VKTLS_VEC_QUEUE(1),
				    VKTLS_VEC_QUEUE(queues), PCI_IRQ_MSIX);
	if (num < 0) {
		dev_err(&vd->pdev->dev, "no MSI-X vectors: error %d\n", num);
		return num;
	}
	vd->max_qps = num - VKTLS_VEC_QUEUE(0);
	return 0;
}

static int vktls_pci_selftest(struct vktls_dev *vd)
{
	unsigned int vector;
	int err;

	err = vktls_selftest_scratch(vd);
	if (!err)
		err = vktls_selftest_dma(vd);
	for (vector = 0; !err && vector < VKTLS_VEC_QUEUE(vd->max_qps); vector++)
		err = vktls_selftest_irq(vd, vector);
	return err;
}

static struct vktls_dev *vktls_pci_dev_alloc(struct pci_dev *pdev)
{
	struct net_device *netdev;
	struct vktls_dev *vd;

	netdev = alloc_etherdev_mqs(sizeof(*vd), VKTLS_MAX_QUEUES,
				    VKTLS_MAX_QUEUES);
	if (!netdev)
		return NULL;
	SET_NETDEV_DEV(netdev, &pdev->dev);
	vd = netdev_priv(netdev);
	vd->netdev = netdev;
	vd->pdev = pdev;
	mutex_init(&vd->port_lock);
	mutex_init(&vd->stats_sync);
	spin_lock_init(&vd->stats_lock);
	vd->past = kzalloc(sizeof(*vd->past), GFP_KERNEL);
	if (!vd->past) {
		free_netdev(netdev);
		return NULL;
	}
	pci_set_drvdata(pdev, vd);
	return vd;
}

static void vktls_pci_dev_free(struct vktls_dev *vd)
{
	kfree(vd->past);
	free_netdev(vd->netdev);
}

/* Resets and tests the NIC, and allocates interrupt vectors and command queues. */
static int vktls_pci_setup(struct vktls_dev *vd)
{
	int err;

	err = vktls_pci_map(vd);
	if (err)
		return err;
	err = vktls_pci_identify(vd);
	if (err)
		goto unmap;
	/* After a crash (kdump) the NIC may still write to the old kernel's memory. */
	err = vktls_dev_reset(vd);
	if (err)
		goto unmap;
	pci_set_master(vd->pdev);
	err = vktls_cmdq_alloc(vd);
	if (err)
		goto unmap;
	err = vktls_pci_vectors_alloc(vd);
	if (err)
		goto free_cmdq;
	err = vktls_pci_selftest(vd);
	if (err)
		goto free_vectors;
	/* Saves the configuration space for vktls_pci_slot_reset(). */
	pci_save_state(vd->pdev);
	return 0;

free_vectors:
	pci_free_irq_vectors(vd->pdev);
free_cmdq:
	vktls_cmdq_free(vd);
unmap:
	vktls_pci_unmap(vd);
	return err;
}

static void vktls_pci_teardown(struct vktls_dev *vd)
{
	pci_free_irq_vectors(vd->pdev);
	vktls_cmdq_free(vd);
	vktls_pci_unmap(vd);
}

static int vktls_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vktls_dev *vd;
	int err;

	vd = vktls_pci_dev_alloc(pdev);
	if (!vd)
		return -ENOMEM;
	vktls_reset_init(vd);
	err = vktls_pci_setup(vd);
	if (err)
		goto free_dev;
	vktls_netdev_init(vd);
	vd->netdev->ethtool_ops = &vktls_ethtool_ops;
	err = vktls_ktls_init(vd);
	if (err)
		goto teardown;
	vktls_fw_read(vd);
	if (!vktls_hw_start(vd))
		vktls_netdev_adopt_caps(vd);
	err = vktls_devlink_init(vd);
	if (err)
		goto stop_hw;
	err = register_netdev(vd->netdev);
	if (err)
		goto fini_devlink;
	vktls_devlink_register(vd);
	vktls_reset_start(vd);
	return 0;

fini_devlink:
	vktls_reset_stop(vd);
	vktls_devlink_fini(vd);
stop_hw:
	vktls_hw_stop(vd);
	vktls_fw_free(vd);
	vktls_ktls_fini(vd);
teardown:
	vktls_pci_teardown(vd);
free_dev:
	vktls_pci_dev_free(vd);
	return err;
}

static void vktls_pci_remove(struct pci_dev *pdev)
{
	struct vktls_dev *vd = pci_get_drvdata(pdev);

	/* Notice a removed NIC before any command waits for it. */
	vktls_dev_check(vd);
	vktls_devlink_unregister(vd);
	vktls_reset_stop(vd);
	unregister_netdev(vd->netdev);
	cancel_work_sync(&vd->rx_mode_work);
	vktls_devlink_fini(vd);
	vktls_hw_stop(vd);
	vktls_fw_free(vd);
	vktls_ktls_fini(vd);
	vktls_filter_free(vd);
	vktls_rss_free(vd);
	vktls_pci_teardown(vd);
	vktls_pci_dev_free(vd);
}

/* The NIC must not write to memory once another kernel runs (kexec). */
static void vktls_pci_shutdown(struct pci_dev *pdev)
{
	vktls_hw_offline(pci_get_drvdata(pdev), false);
	pci_disable_device(pdev);
}

static void vktls_pci_online(struct vktls_dev *vd)
{
	if (!vktls_hw_online(vd))
		vktls_devlink_healthy(vd);
}

/* The PCI core resets the function and restores its configuration space. */
static void vktls_pci_reset_prepare(struct pci_dev *pdev)
{
	vktls_hw_offline(pci_get_drvdata(pdev), false);
}

static void vktls_pci_error_over(struct vktls_dev *vd)
{
	if (test_and_clear_bit(DEV_BUS_ERROR, &vd->state))
		vktls_pci_online(vd);
}

static void vktls_pci_reset_done(struct pci_dev *pdev)
{
	struct vktls_dev *vd = pci_get_drvdata(pdev);

	vktls_pci_online(vd);
	/* The reset also ends an error from which the kernel did not recover. */
	vktls_pci_error_over(vd);
}

/*
 * Any error leads to a reset, whatever its severity. If the kernel does not recover,
 * no callback says so, and the next error comes while the function is offline.
 */
static pci_ers_result_t vktls_pci_error_detected(struct pci_dev *pdev,
						 pci_channel_state_t state)
{
	struct vktls_dev *vd = pci_get_drvdata(pdev);

	/*
	 * The NIC may still be alive: stop DMA, because buffers are freed before
	 * the reset.
	 */
	pci_clear_master(pdev);
	if (!test_and_set_bit(DEV_BUS_ERROR, &vd->state))
		vktls_hw_offline(vd, true);
	return state == pci_channel_io_perm_failure ?
	       PCI_ERS_RESULT_DISCONNECT : PCI_ERS_RESULT_NEED_RESET;
}

static pci_ers_result_t vktls_pci_slot_reset(struct pci_dev *pdev)
{
	pci_restore_state(pdev);
	pci_save_state(pdev);
	return vktls_dev_answers(pci_get_drvdata(pdev)) ?
	       PCI_ERS_RESULT_RECOVERED : PCI_ERS_RESULT_DISCONNECT;
}

static void vktls_pci_error_resume(struct pci_dev *pdev)
{
	vktls_pci_error_over(pci_get_drvdata(pdev));
}

static const struct pci_error_handlers vktls_pci_errors = {
	.reset_prepare = vktls_pci_reset_prepare,
	.reset_done = vktls_pci_reset_done,
	.error_detected = vktls_pci_error_detected,
	.slot_reset = vktls_pci_slot_reset,
	.resume = vktls_pci_error_resume,
};

/* The PCI core saves the configuration space and switches the power. */
static int vktls_pci_suspend(struct device *dev)
{
	vktls_hw_offline(dev_get_drvdata(dev), false);
	return 0;
}

/* A NIC that does not come back is reported, but does not fail the host's resume. */
static int vktls_pci_resume(struct device *dev)
{
	vktls_pci_online(dev_get_drvdata(dev));
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(vktls_pci_pm, vktls_pci_suspend,
				vktls_pci_resume);

static const struct pci_device_id vktls_pci_ids[] = {
	{ PCI_DEVICE(VKTLS_PCI_VENDOR, VKTLS_PCI_DEVICE) },
	{}
};
MODULE_DEVICE_TABLE(pci, vktls_pci_ids);

static struct pci_driver vktls_pci_driver = {
	.name = KBUILD_MODNAME,
	.id_table = vktls_pci_ids,
	.probe = vktls_pci_probe,
	.remove = vktls_pci_remove,
	.shutdown = vktls_pci_shutdown,
	.err_handler = &vktls_pci_errors,
	.driver.pm = pm_sleep_ptr(&vktls_pci_pm),
};

static int __init vktls_pci_init(void)
{
	int err;

	vktls_ktls_register();
	err = pci_register_driver(&vktls_pci_driver);
	if (err)
		vktls_ktls_unregister();
	return err;
}
module_init(vktls_pci_init);

static void __exit vktls_pci_exit(void)
{
	pci_unregister_driver(&vktls_pci_driver);
	vktls_ktls_unregister();
}
module_exit(vktls_pci_exit);

MODULE_DESCRIPTION("vktls NIC with inline TLS");
MODULE_LICENSE("GPL");
