// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The PCI Express function: properties, capabilities, creation, reset and
 * removal. Reset, function-level reset and unplug each leave no key, no queue
 * and no firmware in the device.
 */
#include "qemu/osdep.h"
#include "qemu/units.h"
#include "hw/pci/pcie.h"
#include "compat.h"
#include "block/aio.h"
#include "qemu/main-loop.h"
#include "qapi/error.h"
#include "qemu/module.h"
#include "migrate.h"
#include "trace.h"
#include "vkdev.h"

#define CAP_PM 0x40
#define PM_VERSION 3    /* version field of the PM capability: spec 1.2 */
#define CAP_EXPRESS 0x80

#define CONTEXTS_MAX (1 * MiB)

void vkdev_reset(VkdevState *s)
{
    trace_vkdev_reset();
    s->epoch++;
    s->asleep = s->stopped;
    vkdev_irq_reset(s);
    vkdev_soc_reset(s);
    vkdev_queue_reset(s);
    vkdev_ctx_reset(s);
    vkdev_port_reset(s);
    vkdev_mmio_reset(s);
    vkdev_fault_reset(s);
    memset(s->stats, 0, sizeof(s->stats));
}

static void pci_reset_hold(Object *obj, ResetType type)
{
    vkdev_reset(VKDEV(obj));
}

/*
 * Apply a change of the power state or of the virtual machine's. In D3hot, and
 * while the machine stands still, the device reads and writes no memory, sends
 * no interrupt and loses all frames. Afterwards the packets, commands and
 * interrupts that were pending continue.
 */
void vkdev_sleep_update(VkdevState *s)
{
    uint16_t ctrl = pci_get_word(PCI_DEVICE(s)->config + CAP_PM + PCI_PM_CTRL);
    bool asleep = s->stopped || (ctrl & PCI_PM_CTRL_STATE_MASK);

    if (asleep == s->asleep) {
        return;
    }
    trace_vkdev_asleep(asleep);
    s->asleep = asleep;
    if (asleep) {
        return;
    }
    for (unsigned i = 0; i < s->queues; i++) {
        vkdev_tx_kick(&s->tx[i]);
    }
    vkdev_rx_wake(s);
    vkdev_soc_wake(s);
    vkdev_fault_wake(s);
    vkdev_irq_wake(s);
}

/*
 * Unmask all MSI-X vectors of this device when its host is a vfio-user client:
 * the client has a vector table of its own and masks by that, while the guest
 * never writes the table here, which a reset leaves fully masked.
 */
static void pci_unmask_vectors(VkdevState *s)
{
    PCIDevice *pci = PCI_DEVICE(s);

    if (!s->vfio_user || !msix_enabled(pci)) {
        return;
    }
    for (unsigned i = 0; i < s->vectors; i++) {
        msix_set_mask(pci, i, false);
    }
}

/*
 * Handle a write that may start a function-level reset. A vfio-user client
 * shows its guest emulated BARs, which keep their addresses over the reset;
 * the guest does not write them again. So for such a client the BARs of this
 * device are restored after the reset.
 */
static void pci_flr_write_config(VkdevState *s, uint32_t addr, uint32_t value,
                                 int len)
{
    PCIDevice *pci = PCI_DEVICE(s);
    const unsigned bars = PCI_NUM_REGIONS - 1;
    uint32_t kept[PCI_NUM_REGIONS - 1];

    for (unsigned i = 0; i < bars; i++) {
        kept[i] = pci_get_long(pci->config + PCI_BASE_ADDRESS_0 + i * 4);
    }
    pcie_cap_flr_write_config(pci, addr, value, len);
    for (unsigned i = 0; i < bars && s->vfio_user; i++) {
        pci_default_write_config(pci, PCI_BASE_ADDRESS_0 + i * 4, kept[i], 4);
    }
}

static uint32_t pci_config_read(PCIDevice *pci, uint32_t addr, int len)
{
    return VKDEV(pci)->faults.gone ? UINT32_MAX :
                                     pci_default_read_config(pci, addr, len);
}

/*
 * Write the configuration space. A device that is gone (fault injection)
 * ignores writes, unless its host is a vfio-user client: the client has
 * applied the write to its own MSI-X and power state, and both sides must
 * agree.
 */
static void pci_config_write(PCIDevice *pci, uint32_t addr, uint32_t value,
                             int len)
{
    if (VKDEV(pci)->faults.gone && !VKDEV(pci)->vfio_user) {
        return;
    }
    pci_default_write_config(pci, addr, value, len);
    pci_flr_write_config(VKDEV(pci), addr, value, len);
    pci_unmask_vectors(VKDEV(pci));
    vkdev_sleep_update(VKDEV(pci));
}

static bool pci_check_properties(VkdevState *s, Error **errp)
{
    if (!s->queues || s->queues > VKTLS_MAX_QUEUES) {
        error_setg(errp, "queues must be 1 to %d", VKTLS_MAX_QUEUES);
        return false;
    }
    if (s->abi_minor > VKTLS_ABI_MINOR) {
        error_setg(errp, "abi-minor is at most %d", VKTLS_ABI_MINOR);
        return false;
    }
    if (s->contexts > CONTEXTS_MAX) {
        error_setg(errp, "tls-contexts is at most %d", (int)CONTEXTS_MAX);
        return false;
    }
    return true;
}

/*
 * Add the power management capability. Going to D3hot and back does not reset
 * the device (No_Soft_Reset), so registers keep their values.
 */
static bool pci_init_pm(PCIDevice *pci, Error **errp)
{
    if (pci_pm_init(pci, CAP_PM, errp) < 0) {
        return false;
    }
    pci_set_word(pci->config + CAP_PM + PCI_PM_PMC, PM_VERSION);
    pci_set_word(pci->config + CAP_PM + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
    pci_set_word(pci->wmask + CAP_PM + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
    return true;
}

static bool pci_init_capabilities(VkdevState *s, Error **errp)
{
    PCIDevice *pci = PCI_DEVICE(s);

    s->vectors = VKTLS_VEC_QUEUE(s->queues);
    if (!pci_init_pm(pci, errp)) {
        return false;
    }
    if (pcie_endpoint_cap_init(pci, CAP_EXPRESS) < 0) {
        error_setg(errp, "no room for the PCI Express capability");
        return false;
    }
    if (msix_init_exclusive_bar(pci, s->vectors, VKTLS_BAR_MSIX, errp) < 0) {
        pcie_cap_exit(pci);
        return false;
    }
    for (unsigned i = 0; i < s->vectors; i++) {
        msix_vector_use(pci, i);
    }
    pcie_cap_flr_init(pci);
    return true;
}

static void pci_fini_capabilities(PCIDevice *pci)
{
    pcie_cap_exit(pci);
    msix_unuse_all_vectors(pci);
    msix_uninit_exclusive_bar(pci);
}

static bool pci_init_memory(VkdevState *s, Error **errp)
{
    if (!vkdev_ctx_init(s)) {
        error_setg(errp, "no memory for %" PRIu32 " TLS contexts",
                   s->contexts);
        return false;
    }
    if (!vkdev_soc_init(s)) {
        error_setg(errp, "no memory for the embedded core");
        vkdev_ctx_free(s);
        return false;
    }
    return true;
}

static void pci_realize(PCIDevice *pci, Error **errp)
{
    VkdevState *s = VKDEV(pci);

    if (!pci_check_properties(s, errp) || !vkdev_store_init(s, errp)) {
        return;
    }
    vkdev_mmio_init(s);
    if (!pci_init_capabilities(s, errp)) {
        return;
    }
    qemu_macaddr_default_if_unset(&s->conf.macaddr);
    if (!pci_init_memory(s, errp)) {
        pci_fini_capabilities(pci);
        return;
    }
    if (!vkdev_migrate_init(s, errp)) {
        vkdev_migrate_fini(s);
        pci_fini_capabilities(pci);
        return;
    }
    vkdev_irq_init(s);
    vkdev_rx_init(s);
    vkdev_port_init(s);
    vkdev_queue_init(s);
    object_ref(OBJECT(s));
}

static void pci_unref(void *opaque)
{
    object_unref(OBJECT(opaque));
}

/*
 * Unplug. The unplug can come from an interrupt of this device or from another
 * NIC that handles one of its frames, so functions of this file may still be
 * on the stack. Therefore the state is freed by a bottom half, which the main
 * loop runs after they have returned.
 */
static void pci_exit(PCIDevice *pci)
{
    VkdevState *s = VKDEV(pci);

    vkdev_migrate_fini(s);
    vkdev_reset(s);
    vkdev_queue_fini(s);
    vkdev_port_fini(s);
    vkdev_rx_fini(s);
    vkdev_soc_fini(s);
    vkdev_irq_fini(s);
    pci_fini_capabilities(pci);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), pci_unref, s);
}

static void pci_instance_finalize(Object *obj)
{
    VkdevState *s = VKDEV(obj);

    vkdev_queue_free(s);
    vkdev_port_free(s);
    vkdev_ctx_free(s);
    vkdev_soc_free(s);
    vkdev_store_free(s);
}

static void pci_instance_init(Object *obj)
{
    VkdevState *s = VKDEV(obj);

    vkdev_fault_init(s);
    PCI_DEVICE(obj)->cap_present |= QEMU_PCI_CAP_EXPRESS;
}

static const Property pci_properties[] = {
    DEFINE_NIC_PROPERTIES(VkdevState, conf),
    DEFINE_PROP_UINT32("queues", VkdevState, queues, 4),
    DEFINE_PROP_UINT16("abi-minor", VkdevState, abi_minor, VKTLS_ABI_MINOR),
    DEFINE_PROP_UINT32("tls-contexts", VkdevState, contexts, 1024),
    DEFINE_PROP_BOOL("tls-rx", VkdevState, tls_rx, true),
    DEFINE_PROP_BOOL("tls-replay", VkdevState, tls_replay, true),
    DEFINE_PROP_BOOL("rx-gro", VkdevState, rx_gro, true),
    DEFINE_PROP_BOOL("vfio-user", VkdevState, vfio_user, false),
    DEFINE_PROP_DRIVE("flash", VkdevState, flash),
    DEFINE_PROP_STRING("fw-key", VkdevState, fw_key),
};

static void pci_class_init(ObjectClass *klass, VkdevClassData data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

    pc->realize = pci_realize;
    pc->exit = pci_exit;
    pc->config_read = pci_config_read;
    pc->config_write = pci_config_write;
    pc->vendor_id = VKTLS_PCI_VENDOR;
    pc->device_id = VKTLS_PCI_DEVICE;
    pc->revision = VKTLS_ABI_MAJOR;
    pc->class_id = PCI_CLASS_NETWORK_ETHERNET;
    RESETTABLE_CLASS(klass)->phases.hold = pci_reset_hold;
    dc->desc = "NIC with inline TLS";
    dc->vmsd = &vkdev_vmstate;
    device_class_set_props(dc, pci_properties);
    set_bit(DEVICE_CATEGORY_NETWORK, dc->categories);
    vkdev_fault_class_init(klass);
}

static const TypeInfo pci_type = {
    .name = TYPE_VKDEV,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(VkdevState),
    .instance_init = pci_instance_init,
    .instance_finalize = pci_instance_finalize,
    .class_init = pci_class_init,
    .interfaces = (InterfaceInfo[]) { { INTERFACE_PCIE_DEVICE }, { } },
};

static void pci_register(void)
{
    type_register_static(&pci_type);
}

type_init(pci_register)
