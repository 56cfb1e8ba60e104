// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flow filters (ethtool -N): a filter sends received packets to a queue or to an
 * RSS context, or drops them. The driver keeps all filters, also while the
 * interface is down, in resets, and while NETIF_F_NTUPLE is off; the NIC has them
 * only while NETIF_F_NTUPLE is on.
 */
#include <linux/ethtool.h>
#include <compat/vktls.h>

#include "cmd.h"
#include "steer.h"
#include "vktls.h"

/* A filter, in the form of ethtool and in that of the NIC. */
struct vktls_filter {
	struct ethtool_rx_flow_spec spec;
	u32 rss_context;	/* with FLOW_RSS */
	struct vktls_flow_filter flow;
};

static int vktls_filter_send(struct vktls_dev *vd,
			     const struct vktls_filter *filter)
{
	return vktls_cmd_exec(vd, VKTLS_CMD_FLOW_SET, &filter->flow,
			      sizeof(filter->flow), NULL, 0);
}

static int vktls_filter_withdraw(struct vktls_dev *vd, u32 place)
{
	struct vktls_flow_ref ref = { .place = cpu_to_le32(place) };

	return vktls_cmd_exec(vd, VKTLS_CMD_FLOW_DEL, &ref, sizeof(ref), NULL,
			      0);
}

/* Returns whether firmware runs that takes filters: older firmware does not. */
static bool vktls_filter_able(const struct vktls_dev *vd)
{
	return test_bit(DEV_FW_UP, &vd->state) &&
	       (le32_to_cpu(vd->caps.features) & VKTLS_CAP_FLOW_FILTER);
}

/* Returns whether filters are in the NIC: it takes them, and NETIF_F_NTUPLE is on. */
static bool vktls_filter_live(const struct vktls_dev *vd)
{
	return vktls_filter_able(vd) &&
	       (vd->netdev->features & NETIF_F_NTUPLE);
}

/**
 * vktls_filter_sync() - give the NIC all filters
 * @vd: device; its RSS contexts are in the NIC
 *
 * Context: RTNL; sleeps.
 * Return: 0 or errno of the commands.
 */
int vktls_filter_sync(struct vktls_dev *vd)
{
	unsigned int i;
	int err = 0;

	if (!vktls_filter_live(vd))
		return 0;
	for (i = 0; !err && i < VKTLS_FLOW_FILTERS; i++)
		if (vd->filters[i])
			err = vktls_filter_send(vd, vd->filters[i]);
	return err;
}

/**
 * vktls_filter_clear() - take all filters from the NIC; the driver keeps them
 * @vd: device
 *
 * If the NIC fails to delete a filter, it is reset.
 *
 * Context: RTNL; sleeps.
 */
void vktls_filter_clear(struct vktls_dev *vd)
{
	unsigned int i;
	int err = 0;

	if (!vktls_filter_able(vd))
		return;
	for (i = 0; i < VKTLS_FLOW_FILTERS && !err; i++) {
		if (vd->filters[i])
			err = vktls_filter_withdraw(vd, i);
		if (err == -ENOENT)
			err = 0;
	}
	if (err)
		vktls_reset_request(vd, RESET_FW);
}

/**
 * vktls_filter_free() - free all filters
 * @vd: device, its interface unregistered
 */
void vktls_filter_free(struct vktls_dev *vd)
{
	unsigned int i;

	for (i = 0; i < VKTLS_FLOW_FILTERS; i++)
		kfree(vd->filters[i]);
}

static bool vktls_filter_leads_to(const struct vktls_filter *filter, u32 ctx)
{
	return filter && filter->flow.action == VKTLS_FLOW_RSS &&
	       filter->flow.rss_ctx == ctx;
}

/**
 * vktls_filter_uses() - whether any filter sends packets to an RSS context
 * @vd: device
 * @ctx: number of the context
 *
 * Context: RTNL.
 * Return: true if there is one.
 */
bool vktls_filter_uses(struct vktls_dev *vd, u32 ctx)
{
	unsigned int i;

	for (i = 0; i < VKTLS_FLOW_FILTERS; i++)
		if (vktls_filter_leads_to(vd->filters[i], ctx))
			return true;
	return false;
}

/**
 * vktls_filter_fits() - whether the table of an RSS context may name a queue
 * @vd: device
 * @ctx: number of the context
 * @queue: highest queue of the table
 *
 * A filter that sends packets to the context adds a number to each queue of its table.
 *
 * Context: RTNL.
 * Return: false if @queue plus that number is no queue in use.
 */
bool vktls_filter_fits(struct vktls_dev *vd, u32 ctx, unsigned int queue)
{
	unsigned int i;

	for (i = 0; i < VKTLS_FLOW_FILTERS; i++)
		if (vktls_filter_leads_to(vd->filters[i], ctx) &&
		    vd->filters[i]->flow.queue + queue >= vd->cfg.qps)
			return false;
	return true;
}

static void vktls_filter_ports(struct vktls_flow_key *key, __be16 src,
			       __be16 dst)
{
	memcpy(key->src_port, &src, sizeof(src));
	memcpy(key->dst_port, &dst, sizeof(dst));
}

static void vktls_filter_addrs(struct vktls_flow_key *key, const void *src,
			       const void *dst, size_t len)
{
	memcpy(key->src, src, len);
	memcpy(key->dst, dst, len);
}

/*
 * Fills in addresses and ports of a value or a mask. Returns false if @u has other
 * fields, too.
 */
static bool vktls_filter_key(struct vktls_flow_key *key, u32 type,
			     const union ethtool_flow_union *u)
{
	switch (type) {
	case TCP_V4_FLOW:
	case UDP_V4_FLOW:
		vktls_filter_ports(key, u->tcp_ip4_spec.psrc,
				   u->tcp_ip4_spec.pdst);
		vktls_filter_addrs(key, &u->tcp_ip4_spec.ip4src,
				   &u->tcp_ip4_spec.ip4dst, 4);
		return !u->tcp_ip4_spec.tos;
	case TCP_V6_FLOW:
	case UDP_V6_FLOW:
		vktls_filter_ports(key, u->tcp_ip6_spec.psrc,
				   u->tcp_ip6_spec.pdst);
		vktls_filter_addrs(key, u->tcp_ip6_spec.ip6src,
				   u->tcp_ip6_spec.ip6dst, 16);
		return !u->tcp_ip6_spec.tclass;
	case IPV4_USER_FLOW:
		vktls_filter_addrs(key, &u->usr_ip4_spec.ip4src,
				   &u->usr_ip4_spec.ip4dst, 4);
		return !u->usr_ip4_spec.l4_4_bytes && !u->usr_ip4_spec.tos &&
		       !u->usr_ip4_spec.proto;
	case IPV6_USER_FLOW:
		vktls_filter_addrs(key, u->usr_ip6_spec.ip6src,
				   u->usr_ip6_spec.ip6dst, 16);
		return !u->usr_ip6_spec.l4_4_bytes &&
		       !u->usr_ip6_spec.tclass && !u->usr_ip6_spec.l4_proto;
	default:
		return false;
	}
}

/*
 * Refuses matches on VLAN, user data or Ethernet addresses, which the NIC cannot
 * do.
 */
static int vktls_filter_match(const struct ethtool_rx_flow_spec *spec,
			      struct vktls_flow_filter *flow)
{
	u8 *value = (u8 *)&flow->value, *mask = (u8 *)&flow->mask;
	u32 type = spec->flow_type & ~FLOW_RSS;
	unsigned int i;

	if (!vktls_filter_key(&flow->mask, type, &spec->m_u))
		return -EOPNOTSUPP;
	vktls_filter_key(&flow->value, type, &spec->h_u);
	for (i = 0; i < sizeof(flow->mask); i++)
		value[i] &= mask[i];
	flow->ip_version = type == TCP_V4_FLOW || type == UDP_V4_FLOW ||
			   type == IPV4_USER_FLOW ? 4 : 6;
	if (type == TCP_V4_FLOW || type == TCP_V6_FLOW)
		flow->proto = IPPROTO_TCP;
	else if (type == UDP_V4_FLOW || type == UDP_V6_FLOW)
		flow->proto = IPPROTO_UDP;
	return 0;
}

/*
 * Returns the highest queue in the table of RSS context @num, or -ENOENT if there
 * is no such context.
 */
static int vktls_filter_highest(struct vktls_dev *vd, u32 num)
{
	const struct vktls_rss_ctx *ctx = vktls_rss_ctx(vd, num);
	unsigned int i;
	int queue = 0;

	if (!ctx)
		return -ENOENT;
	for (i = 0; i < VKTLS_RSS_ENTRIES; i++)
		queue = max_t(int, queue, ctx->table[i]);
	return queue;
}

/*
 * Sets the filter's action. Refuses one that could choose a queue that is not in
 * use.
 */
static int vktls_filter_action(struct vktls_dev *vd,
			       const struct vktls_filter *filter,
			       struct vktls_flow_filter *flow)
{
	u64 cookie = filter->spec.ring_cookie;
	int highest = 0;

	if (cookie == RX_CLS_FLOW_DISC) {
		flow->action = VKTLS_FLOW_DROP;
		return 0;
	}
	flow->action = VKTLS_FLOW_QUEUE;
	if (filter->spec.flow_type & FLOW_RSS) {
		flow->action = VKTLS_FLOW_RSS;
		flow->rss_ctx = filter->rss_context;
		highest = vktls_filter_highest(vd, filter->rss_context);
	}
	if (highest < 0 || cookie >= vd->cfg.qps - highest)
		return -EINVAL;
	flow->queue = cookie;
	return 0;
}

static int vktls_filter_parse(struct vktls_dev *vd, struct vktls_filter *filter)
{
	int err;

	err = vktls_filter_match(&filter->spec, &filter->flow);
	if (err)
		return err;
	return vktls_filter_action(vd, filter, &filter->flow);
}

static bool vktls_filter_same(const struct vktls_filter *a,
			      const struct vktls_filter *b)
{
	return a->flow.ip_version == b->flow.ip_version &&
	       a->flow.proto == b->flow.proto &&
	       !memcmp(&a->flow.value, &b->flow.value, sizeof(a->flow.value)) &&
	       !memcmp(&a->flow.mask, &b->flow.mask, sizeof(a->flow.mask));
}

/*
 * Returns a place for a filter without a location of its own: that of a filter
 * which matches the same packets and is replaced, else the last free one, so that
 * filters with a location are tried first.
 */
static int vktls_filter_any_place(struct vktls_dev *vd,
				  const struct vktls_filter *filter)
{
	int i, place = -ENOSPC;

	for (i = 0; i < VKTLS_FLOW_FILTERS; i++) {
		if (!vd->filters[i])
			place = i;
		else if (vktls_filter_same(vd->filters[i], filter))
			return i;
	}
	return place;
}

static int vktls_filter_place(struct vktls_dev *vd,
			      const struct vktls_filter *filter)
{
	u32 location = filter->spec.location;
	int i;

	if (location == RX_CLS_LOC_FIRST) {
		for (i = 0; i < VKTLS_FLOW_FILTERS; i++)
			if (!vd->filters[i])
				return i;
		return -ENOSPC;
	}
	if (location == RX_CLS_LOC_ANY || location == RX_CLS_LOC_LAST)
		return vktls_filter_any_place(vd, filter);
	return location < VKTLS_FLOW_FILTERS ? (int)location : -EINVAL;
}

/*
 * Puts the filter in its place, in the NIC and then in the driver. Both replace an
 * older filter there in one step.
 */
static int vktls_filter_install(struct vktls_dev *vd,
				struct vktls_filter *filter)
{
	int err, place;

	err = vktls_filter_parse(vd, filter);
	if (err)
		return err;
	place = vktls_filter_place(vd, filter);
	if (place < 0)
		return place;
	filter->spec.location = place;
	filter->flow.place = cpu_to_le16(place);
	if (vktls_filter_live(vd)) {
		err = vktls_filter_send(vd, filter);
		if (err)
			return err;
	}
	kfree(vd->filters[place]);
	vd->filters[place] = filter;
	return 0;
}

static int vktls_filter_add(struct vktls_dev *vd, struct ethtool_rxnfc *nfc)
{
	struct vktls_filter *filter;
	int err;

	if (!(vd->netdev->features & NETIF_F_NTUPLE))
		return -EOPNOTSUPP;
	filter = kzalloc(sizeof(*filter), GFP_KERNEL);
	if (!filter)
		return -ENOMEM;
	filter->spec = nfc->fs;
	if (nfc->fs.flow_type & FLOW_RSS)
		filter->rss_context = nfc->rss_context;
	err = vktls_filter_install(vd, filter);
	if (err)
		kfree(filter);
	else
		nfc->fs.location = filter->spec.location;
	return err;
}

static int vktls_filter_del(struct vktls_dev *vd, u32 place)
{
	int err;

	if (place >= VKTLS_FLOW_FILTERS || !vd->filters[place])
		return -ENOENT;
	if (vktls_filter_live(vd)) {
		err = vktls_filter_withdraw(vd, place);
		if (err)
			return err;
	}
	kfree(vd->filters[place]);
	vd->filters[place] = NULL;
	return 0;
}

static int vktls_filter_show(struct vktls_dev *vd, struct ethtool_rxnfc *nfc)
{
	const struct vktls_filter *filter;

	if (nfc->fs.location >= VKTLS_FLOW_FILTERS)
		return -EINVAL;
	filter = vd->filters[nfc->fs.location];
	if (!filter)
		return -ENOENT;
	nfc->fs = filter->spec;
	nfc->rss_context = filter->rss_context;
	return 0;
}

/* Counts all filters, and lists their places unless @locs is NULL. */
static int vktls_filter_list(struct vktls_dev *vd, struct ethtool_rxnfc *nfc,
			     u32 *locs)
{
	unsigned int i, num = 0;

	for (i = 0; i < VKTLS_FLOW_FILTERS; i++) {
		if (!vd->filters[i])
			continue;
		if (locs && num == nfc->rule_cnt)
			return -EMSGSIZE;
		if (locs)
			locs[num] = i;
		num++;
	}
	nfc->rule_cnt = num;
	nfc->data = VKTLS_FLOW_FILTERS;
	return 0;
}

int vktls_filter_get_rxnfc(struct net_device *netdev, struct ethtool_rxnfc *nfc,
			   u32 *locs)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	switch (nfc->cmd) {
	case ETHTOOL_GRXCLSRLCNT:
		vktls_filter_list(vd, nfc, NULL);
		nfc->data |= RX_CLS_LOC_SPECIAL;
		return 0;
	case ETHTOOL_GRXCLSRULE:
		return vktls_filter_show(vd, nfc);
	case ETHTOOL_GRXCLSRLALL:
		return vktls_filter_list(vd, nfc, locs);
	default:
		return -EOPNOTSUPP;
	}
}

int vktls_filter_set_rxnfc(struct net_device *netdev, struct ethtool_rxnfc *nfc)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	switch (nfc->cmd) {
	case ETHTOOL_SRXCLSRLINS:
		return vktls_filter_add(vd, nfc);
	case ETHTOOL_SRXCLSRLDEL:
		return vktls_filter_del(vd, nfc->fs.location);
	default:
		return -EOPNOTSUPP;
	}
}
