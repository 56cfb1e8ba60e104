/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delayed answers and events. Storage is bounded: a fault that would delay more
 * than fits does not happen. No QEMU header.
 */
#ifndef VKDEV_FAULT_LATE_H
#define VKDEV_FAULT_LATE_H

#include <stdbool.h>
#include <stdint.h>

#include "soc/core.h"

#define VKDEV_FAULT_LATE 16 /* delayed answers and events together */

typedef struct VkdevFaultLate {
    uint64_t due;
    bool is_event;
    VkdevCoreEvent event;
    uint64_t addr;      /* host address of an answer; unused for an event */
    uint8_t answer[sizeof(struct vktls_cmd_cpl)];
} VkdevFaultLate;

typedef struct VkdevFaultLates {
    unsigned count;
    VkdevFaultLate late[VKDEV_FAULT_LATE];      /* oldest first */
} VkdevFaultLates;

bool vkdev_fault_late_put(VkdevFaultLates *lates, const VkdevFaultLate *late);
bool vkdev_fault_late_take(VkdevFaultLates *lates, uint64_t now,
                           VkdevFaultLate *late);
uint64_t vkdev_fault_late_due(const VkdevFaultLates *lates);

#endif
