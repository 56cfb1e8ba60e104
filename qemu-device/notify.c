// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two ways in which the device notifies the host: MSI-X interrupts, and
 * events, which are passed to firmware, which writes them to the host's event
 * ring.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "trace.h"
#include "vkdev.h"

static void irq_send(VkdevState *s, unsigned vector)
{
    PCIDevice *pci = PCI_DEVICE(s);

    if (!msix_enabled(pci)) {
        trace_vkdev_irq_unable(vector);
        return;
    }
    s->stats[VKTLS_STAT_INTERRUPTS]++;
    trace_vkdev_irq(vector);
    msix_notify(pci, vector);
}

/*
 * Bottom half that sends the pending interrupts, each vector once. An MSI-X
 * message is a write to any address that the guest chose, even to this
 * device's configuration space, so sending it can reset or unplug this device.
 * Therefore messages are sent only from this bottom half, where no other code
 * of the device is on the stack; a reset clears s->irq_pending, which ends the
 * loop.
 */
static void irq_deliver(void *opaque)
{
    VkdevState *s = opaque;

    for (unsigned vector = 0; vector < s->vectors && !s->asleep; vector++) {
        if (s->irq_pending & BIT_ULL(vector)) {
            s->irq_pending &= ~BIT_ULL(vector);
            irq_send(s, vector);
        }
    }
}

void vkdev_irq_raise(VkdevState *s, unsigned vector)
{
    if (vector >= s->vectors || !msix_enabled(PCI_DEVICE(s))) {
        trace_vkdev_irq_unable(vector);
        return;
    }
    if (!vkdev_fault_irq(s, vector)) {
        s->irq_pending |= BIT_ULL(vector);
        qemu_bh_schedule(s->irq_bh);
    }
}

void vkdev_irq_init(VkdevState *s)
{
    QEMU_BUILD_BUG_ON(VKTLS_VEC_QUEUE(VKTLS_MAX_QUEUES) > 64);

    s->irq_bh = qemu_bh_new_guarded(irq_deliver, s,
                                    &DEVICE(s)->mem_reentrancy_guard);
}

void vkdev_irq_fini(VkdevState *s)
{
    qemu_bh_delete(s->irq_bh);
    s->irq_bh = NULL;
}

void vkdev_irq_reset(VkdevState *s)
{
    s->irq_pending = 0;
    qemu_bh_cancel(s->irq_bh);
}

void vkdev_irq_wake(VkdevState *s)
{
    qemu_bh_schedule(s->irq_bh);
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
