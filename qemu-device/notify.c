// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two ways in which the device calls the host: an interrupt, and an event,
 * which firmware writes to the host's ring.
 */
#include "qemu/osdep.h"
#include "trace.h"
#include "vkdev.h"

void vkdev_irq_raise(VkdevState *s, unsigned vector)
{
    PCIDevice *pci = PCI_DEVICE(s);

    if (vector >= s->vectors || !msix_enabled(pci)) {
        trace_vkdev_irq_unable(vector);
        return;
    }
    if (vkdev_fault_irq(s, vector)) {
        return;
    }
    s->stats[VKTLS_STAT_INTERRUPTS]++;
    trace_vkdev_irq(vector);
    msix_notify(pci, vector);
}

void vkdev_event(VkdevState *s, uint16_t type, uint16_t status, uint32_t id,
                 uint32_t arg)
{
    VkdevCoreEvent event = { type, status, id, arg };

    trace_vkdev_event(type, status, id, arg);
    if (!vkdev_fault_event(s, &event)) {
        vkdev_core_event(s->core, &event);
    }
}
