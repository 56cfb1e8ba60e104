/* SPDX-License-Identifier: GPL-2.0-only */
/* The devlink instance, and prototypes of the files that add to it. */
#ifndef VKTLS_DEVLINK_H
#define VKTLS_DEVLINK_H

#include <net/devlink.h>

#include "vktls.h"

static inline struct vktls_dev *vktls_devlink_dev(struct devlink *devlink)
{
	return *(struct vktls_dev **)devlink_priv(devlink);
}

/* Functions of flash.c */
void vktls_version_print(char *text, size_t size, u32 version);
int vktls_flash_info(struct vktls_dev *vd, struct devlink_info_req *req);
int vktls_flash_update(struct devlink *devlink,
		       struct devlink_flash_update_params *params,
		       struct netlink_ext_ack *extack);
int vktls_flash_add(struct vktls_dev *vd);
void vktls_flash_del(struct vktls_dev *vd);
void vktls_flash_apply(struct vktls_dev *vd);

/* Functions of region.c */
unsigned int vktls_regs_num(const struct vktls_dev *vd);
u32 vktls_regs_at(unsigned int i);
int vktls_region_add(struct vktls_dev *vd);
void vktls_region_del(struct vktls_dev *vd);
void vktls_region_crash(struct vktls_dev *vd);

/* Functions of resource.c */
void vktls_resource_add(struct vktls_dev *vd);
void vktls_resource_del(struct vktls_dev *vd);
void vktls_resource_apply(struct vktls_dev *vd);

#endif /* VKTLS_DEVLINK_H */
