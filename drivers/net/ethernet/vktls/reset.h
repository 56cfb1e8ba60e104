/* SPDX-License-Identifier: GPL-2.0-only */
/* Start, stop and reset of the NIC as a whole. */
#ifndef VKTLS_RESET_H
#define VKTLS_RESET_H

#include "vktls.h"

/* Functions of reset.c */
int vktls_hw_start(struct vktls_dev *vd);
void vktls_hw_stop(struct vktls_dev *vd);
void vktls_hw_suspend(struct vktls_dev *vd);
int vktls_hw_resume(struct vktls_dev *vd);
void vktls_hw_offline(struct vktls_dev *vd, bool dead);
int vktls_hw_online(struct vktls_dev *vd);
void vktls_reset_init(struct vktls_dev *vd);
void vktls_reset_start(struct vktls_dev *vd);
void vktls_reset_stop(struct vktls_dev *vd);

#endif /* VKTLS_RESET_H */
