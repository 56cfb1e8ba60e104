/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The choice of the queue that a received packet goes to: RSS contexts and filters.
 */
#ifndef VKTLS_STEER_H
#define VKTLS_STEER_H

#include "vktls.h"

struct ethtool_rxfh_context;
struct ethtool_rxfh_fields;
struct ethtool_rxfh_param;
struct ethtool_rxnfc;

/* RSS context of that number, or NULL. RTNL. */
static inline struct vktls_rss_ctx *vktls_rss_ctx(struct vktls_dev *vd, u32 num)
{
	if (!num)
		return &vd->rss;
	return num < VKTLS_RSS_CONTEXTS ? vd->rss_ctx[num] : NULL;
}

/* rss.c; from vktls_rss_indir_size() on: operations of ethtool, under RTNL */
int vktls_rss_sync(struct vktls_dev *vd);
void vktls_rss_spread(struct vktls_dev *vd, unsigned int queues);
void vktls_rss_init(struct vktls_dev *vd);
void vktls_rss_free(struct vktls_dev *vd);
u32 vktls_rss_indir_size(struct net_device *netdev);
u32 vktls_rss_key_size(struct net_device *netdev);
int vktls_rss_get(struct net_device *netdev, struct ethtool_rxfh_param *rxfh);
int vktls_rss_set(struct net_device *netdev, struct ethtool_rxfh_param *rxfh,
		  struct netlink_ext_ack *extack);
int vktls_rss_ctx_create(struct net_device *netdev,
			 struct ethtool_rxfh_context *to,
			 const struct ethtool_rxfh_param *rxfh,
			 struct netlink_ext_ack *extack);
int vktls_rss_ctx_modify(struct net_device *netdev,
			 struct ethtool_rxfh_context *to,
			 const struct ethtool_rxfh_param *rxfh,
			 struct netlink_ext_ack *extack);
int vktls_rss_ctx_remove(struct net_device *netdev,
			 struct ethtool_rxfh_context *to, u32 num,
			 struct netlink_ext_ack *extack);
int vktls_rss_get_fields(struct net_device *netdev,
			 struct ethtool_rxfh_fields *fields);
int vktls_rss_set_fields(struct net_device *netdev,
			 const struct ethtool_rxfh_fields *fields,
			 struct netlink_ext_ack *extack);

/* filter.c; the last two are operations of ethtool, under RTNL */
int vktls_filter_sync(struct vktls_dev *vd);
void vktls_filter_clear(struct vktls_dev *vd);
void vktls_filter_free(struct vktls_dev *vd);
bool vktls_filter_uses(struct vktls_dev *vd, u32 ctx);
bool vktls_filter_fits(struct vktls_dev *vd, u32 ctx, unsigned int queue);
int vktls_filter_get_rxnfc(struct net_device *netdev, struct ethtool_rxnfc *nfc,
			   u32 *locs);
int vktls_filter_set_rxnfc(struct net_device *netdev,
			   struct ethtool_rxnfc *nfc);

#endif /* VKTLS_STEER_H */
