/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Migration of the device, and rest while its virtual machine stands still. */
#ifndef VKDEV_MIGRATE_H
#define VKDEV_MIGRATE_H

#include "migration/vmstate.h"

typedef struct VkdevState VkdevState;

extern const VMStateDescription vkdev_vmstate;

/**
 * Watch whether the virtual machine runs. False, with an error, if migration
 * cannot be refused for a device that must not migrate.
 */
bool vkdev_migrate_init(VkdevState *s, Error **errp);
void vkdev_migrate_fini(VkdevState *s);

#endif
