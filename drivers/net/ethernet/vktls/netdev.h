/* SPDX-License-Identifier: GPL-2.0-only */
/* The network interface, as the NIC's life needs it. */
#ifndef VKTLS_NETDEV_H
#define VKTLS_NETDEV_H

#include "vktls.h"

/* Functions of netdev.c */
void vktls_netdev_init(struct vktls_dev *vd);
void vktls_netdev_adopt_caps(struct vktls_dev *vd);
void vktls_netdev_halt(struct vktls_dev *vd);
int vktls_netdev_resume(struct vktls_dev *vd);
int vktls_netdev_reconfigure(struct vktls_dev *vd,
			     const struct vktls_config *cfg);

/* Objects of ethtool.c */
extern const struct ethtool_ops vktls_ethtool_ops;

#endif /* VKTLS_NETDEV_H */
