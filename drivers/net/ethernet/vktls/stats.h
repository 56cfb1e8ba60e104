/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of the interface, without those of TLS.
 */
#ifndef VKTLS_STATS_H
#define VKTLS_STATS_H

#include "vktls.h"

struct ethtool_eth_ctrl_stats;
struct ethtool_eth_mac_stats;
struct ethtool_eth_phy_stats;
struct ethtool_pause_stats;
struct ethtool_pauseparam;
struct ethtool_rmon_hist_range;
struct ethtool_rmon_stats;

/* Objects and functions of stats.c */
extern const struct netdev_stat_ops vktls_stat_ops;
void vktls_stats_keep(struct vktls_dev *vd);
unsigned int vktls_stats_num(struct vktls_dev *vd);
void vktls_stats_names(struct vktls_dev *vd, u8 *data);
void vktls_stats_values(struct vktls_dev *vd, u64 *data);
u64 vktls_stats_hw(struct vktls_dev *vd, unsigned int stat);
void vktls_stats_get64(struct net_device *netdev,
		       struct rtnl_link_stats64 *stats);

/* stats_std.c: operations of ethtool, under RTNL */
void vktls_std_pauseparam(struct net_device *netdev,
			  struct ethtool_pauseparam *pause);
int vktls_std_set_pauseparam(struct net_device *netdev,
			     struct ethtool_pauseparam *pause);
void vktls_std_pause(struct net_device *netdev,
		     struct ethtool_pause_stats *stats);
void vktls_std_mac(struct net_device *netdev,
		   struct ethtool_eth_mac_stats *stats);
void vktls_std_phy(struct net_device *netdev,
		   struct ethtool_eth_phy_stats *stats);
void vktls_std_ctrl(struct net_device *netdev,
		    struct ethtool_eth_ctrl_stats *stats);
void vktls_std_rmon(struct net_device *netdev, struct ethtool_rmon_stats *stats,
		    const struct ethtool_rmon_hist_range **ranges);

#endif /* VKTLS_STATS_H */
