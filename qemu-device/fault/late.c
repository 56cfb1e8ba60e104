// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Delayed answers and events. This file does not depend on QEMU: the timer is
 * in hooks.c.
 */
#include <string.h>

#include "late.h"

bool vkdev_fault_late_put(VkdevFaultLates *lates, const VkdevFaultLate *late)
{
    if (lates->count == VKDEV_FAULT_LATE) {
        return false;
    }
    lates->late[lates->count++] = *late;
    return true;
}

bool vkdev_fault_late_take(VkdevFaultLates *lates, uint64_t now,
                           VkdevFaultLate *late)
{
    for (unsigned i = 0; i < lates->count; i++) {
        if (lates->late[i].due > now) {
            continue;
        }
        *late = lates->late[i];
        lates->count--;
        memmove(&lates->late[i], &lates->late[i + 1],
                (lates->count - i) * sizeof(*late));
        return true;
    }
    return false;
}

uint64_t vkdev_fault_late_due(const VkdevFaultLates *lates)
{
    uint64_t due = UINT64_MAX;

    for (unsigned i = 0; i < lates->count; i++) {
        due = lates->late[i].due < due ? lates->late[i].due : due;
    }
    return due;
}
