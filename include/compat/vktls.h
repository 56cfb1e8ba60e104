/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Older kernels than the driver is written for, see probes.mk. In the order of
 * the kernel's changes; each block goes when no supported kernel needs it.
 */
#ifndef COMPAT_VKTLS_H
#define COMPAT_VKTLS_H

#include <linux/dim.h>
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <net/devlink.h>
#include <net/xdp.h>

/* 6.13: net_dim() takes the sample by reference. */
#ifdef COMPAT_NET_DIM
#define net_dim(dim, sample)	net_dim(dim, *(sample))
#endif

/* 6.14: a helper adds a buffer to an XDP frame. */
#ifdef COMPAT_XDP_ADD_FRAG
static inline bool xdp_buff_add_frag(struct xdp_buff *xdp, netmem_ref netmem,
				     u32 offset, u32 size, u32 truesize)
{
	struct skb_shared_info *info = xdp_get_shared_info_from_buff(xdp);

	if (!xdp_buff_has_frags(xdp)) {
		xdp_buff_set_frags_flag(xdp);
		info->nr_frags = 0;
		info->xdp_frags_size = 0;
	}
	if (info->nr_frags == MAX_SKB_FRAGS)
		return false;
	skb_frag_fill_netmem_desc(&info->frags[info->nr_frags++], netmem,
				  offset, size);
	info->xdp_frags_size += size;
	if (page_is_pfmemalloc(netmem_to_page(netmem)))
		xdp_buff_set_frag_pfmemalloc(xdp);
	return true;
}

static inline u32 xdp_buff_get_skb_flags(const struct xdp_buff *xdp)
{
	return xdp->flags;
}

#define xdp_update_skb_frags_info(skb, frags, size, truesize, flags)	\
	xdp_update_skb_shared_info(skb, frags, size, truesize,		\
				   (flags) & XDP_FLAGS_FRAGS_PF_MEMALLOC)
#endif

/* 6.15: GSO can repeat CWR in each frame. */
#ifdef COMPAT_ACCECN
#define SKB_GSO_TCP_ACCECN	0
#endif

/* 6.16: dev_set_mac_address() takes room for any address. */
#ifdef COMPAT_MAC_STORAGE
#define dev_set_mac_address(dev, ss, extack) \
	dev_set_mac_address(dev, (struct sockaddr *)(ss), extack)
#endif

/* 6.17: the fields of the receive hash are ethtool operations of their own. */
#ifdef COMPAT_RXFH_FIELDS
struct ethtool_rxfh_fields {
	u32 data;
	u32 flow_type;
	u32 rss_context;
};

#define COMPAT_GET_RXFH(get, netdev, nfc) ({				\
	struct ethtool_rxfh_fields _fields = {				\
		.flow_type = (nfc)->flow_type & ~FLOW_RSS,		\
		.rss_context = (nfc)->flow_type & FLOW_RSS ?		\
			       (nfc)->rss_context : 0,			\
	};								\
	int _err = get(netdev, &_fields);				\
									\
	(nfc)->data = _fields.data;					\
	_err;								\
})

/* COMPAT_SET_RXNFC() - define NAME as set_rxnfc over set_rxfh_fields and REST */
#define COMPAT_SET_RXNFC(name, set, rest)				\
static int name(struct net_device *netdev, struct ethtool_rxnfc *nfc)	\
{									\
	struct ethtool_rxfh_fields fields = {				\
		.data = nfc->data,					\
		.flow_type = nfc->flow_type & ~FLOW_RSS,		\
		.rss_context = nfc->flow_type & FLOW_RSS ?		\
			       nfc->rss_context : 0,			\
	};								\
									\
	if (nfc->cmd != ETHTOOL_SRXFH)					\
		return rest(netdev, nfc);				\
	return set(netdev, &fields, NULL);				\
}
#else
#define COMPAT_GET_RXFH(get, netdev, nfc)	(-EOPNOTSUPP)
#endif

/* 6.18: outer and inner IPv4 headers may each keep their identification. */
#ifdef COMPAT_FIXEDID_INNER
#define SKB_GSO_TCP_FIXEDID_INNER	SKB_GSO_TCP_FIXEDID
#define COMPAT_GSO_FIXEDID_OUTER	0
#else
#define COMPAT_GSO_FIXEDID_OUTER	SKB_GSO_TCP_FIXEDID
#endif

/* 6.18: the reporter's operations carry its graceful period. */
#ifdef COMPAT_HEALTH_PERIOD
#define devlink_health_reporter_create(devlink, ops, priv) \
	devlink_health_reporter_create(devlink, ops, 0, priv)
#endif

/* 7.0: a value of a devlink parameter is handed over by reference. */
#ifdef COMPAT_PARAM_VALUE
#define devl_param_driverinit_value_set(devlink, id, val) \
	devl_param_driverinit_value_set(devlink, id, *(val))

/* COMPAT_PARAM_VALIDATE() - define NAME as a parameter's validate over VALIDATE */
#define COMPAT_PARAM_VALIDATE(name, validate)				\
static int name(struct devlink *devlink, u32 id,			\
		union devlink_param_value val,				\
		struct netlink_ext_ack *extack)				\
{									\
	return validate(devlink, id, &val, extack);			\
}
#endif

/* 7.0: the number of receive rings is an ethtool operation, too. */
#ifdef COMPAT_RX_RING_COUNT
/* COMPAT_GET_RXNFC() - define NAME as get_rxnfc over the two operations and REST */
#define COMPAT_GET_RXNFC(name, ring_count, get, rest)			\
static int name(struct net_device *netdev, struct ethtool_rxnfc *nfc,	\
		u32 *rules)						\
{									\
	switch (nfc->cmd) {						\
	case ETHTOOL_GRXRINGS:						\
		nfc->data = ring_count(netdev);				\
		return 0;						\
	case ETHTOOL_GRXFH:						\
		return COMPAT_GET_RXFH(get, netdev, nfc);		\
	default:							\
		return rest(netdev, nfc, rules);			\
	}								\
}
#endif

#endif /* COMPAT_VKTLS_H */
