// SPDX-License-Identifier: GPL-2.0-only
/*
 * RSS: hash and table of the port, and those of RSS contexts. The driver keeps the
 * user's settings, and the NIC gets them again after a reset. A NIC without
 * VKTLS_CAP_RSS_CTX has one context, and hashes both addresses, with both ports or none.
 */
#include <linux/ethtool.h>
#include <compat/vktls.h>

#include "cmd.h"
#include "steer.h"
#include "vktls.h"

#define RSS_ADDRS	(VKTLS_RSS_SRC | VKTLS_RSS_DST)
#define RSS_PORTS	(VKTLS_RSS_SRC_PORT | VKTLS_RSS_DST_PORT)
#define RSS_NO_PORTS	(VKTLS_RSS_IPV4 | VKTLS_RSS_IPV6) /* types without ports */

/* Shift from the NIC's hash fields to the RXH_* flags of ethtool. */
#define RSS_RXH_SHIFT	4
static_assert((VKTLS_RSS_SRC << RSS_RXH_SHIFT) == RXH_IP_SRC);
static_assert((VKTLS_RSS_DST << RSS_RXH_SHIFT) == RXH_IP_DST);
static_assert((VKTLS_RSS_SRC_PORT << RSS_RXH_SHIFT) == RXH_L4_B_0_1);
static_assert((VKTLS_RSS_DST_PORT << RSS_RXH_SHIFT) == RXH_L4_B_2_3);
/* Symmetric hashes have the same numbers in the NIC and in ethtool. */
static_assert(RXH_XFRM_SYM_XOR == VKTLS_RSS_XOR);
static_assert(RXH_XFRM_SYM_OR_XOR == VKTLS_RSS_OR_XOR);

static bool vktls_rss_many(const struct vktls_dev *vd)
{
	return le32_to_cpu(vd->caps.features) & VKTLS_CAP_RSS_CTX;
}

/* Sends the port's settings to a NIC that has no RSS contexts. */
static int vktls_rss_send_one(struct vktls_dev *vd,
			      const struct vktls_rss_ctx *ctx)
{
	struct vktls_rss rss = {};
	unsigned int i;

	for (i = 0; i < VKTLS_RSS_TYPES; i++)
		if (ctx->fields[i] & (BIT(i) & RSS_NO_PORTS ? RSS_ADDRS :
							      RSS_PORTS))
			rss.types |= BIT(i);
	memcpy(rss.key, ctx->key, sizeof(rss.key));
	memcpy(rss.table, ctx->table, sizeof(rss.table));
	return vktls_cmd_exec_buf(vd, VKTLS_CMD_RSS_SET, 0, &rss, sizeof(rss),
				  NULL, 0);
}

static int vktls_rss_send(struct vktls_dev *vd, u32 num,
			  const struct vktls_rss_ctx *ctx)
{
	struct vktls_rss_ctx copy = *ctx;

	if (!(le32_to_cpu(vd->caps.features) & VKTLS_CAP_RSS))
		return 0;
	if (!vktls_rss_many(vd))
		return num ? 0 : vktls_rss_send_one(vd, ctx);
	return vktls_cmd_exec_buf(vd, VKTLS_CMD_RSS_CTX_SET, num, &copy,
				  sizeof(copy), NULL, 0);
}

/* Changes the settings in the NIC, and in @ctx unless the NIC refuses. */
static int vktls_rss_change(struct vktls_dev *vd, u32 num,
			    struct vktls_rss_ctx *ctx,
			    const struct vktls_rss_ctx *new)
{
	int err;

	if (test_bit(DEV_FW_UP, &vd->state)) {
		err = vktls_rss_send(vd, num, new);
		if (err)
			return err;
	}
	*ctx = *new;
	return 0;
}

/**
 * vktls_rss_sync() - give the NIC all RSS settings
 * @vd: device
 *
 * Context: RTNL; sleeps.
 * Return: 0 or errno of the commands.
 */
int vktls_rss_sync(struct vktls_dev *vd)
{
	unsigned int num;
	int err;

	err = vktls_rss_send(vd, 0, &vd->rss);
	for (num = 1; !err && num < VKTLS_RSS_CONTEXTS; num++)
		if (vd->rss_ctx[num])
			err = vktls_rss_send(vd, num, vd->rss_ctx[num]);
	return err;
}

static void vktls_rss_spread_ctx(struct vktls_rss_ctx *ctx, unsigned int queues)
{
	unsigned int i;

	for (i = 0; i < VKTLS_RSS_ENTRIES; i++)
		ctx->table[i] = ethtool_rxfh_indir_default(i, queues);
}

/**
 * vktls_rss_spread() - point the table of the port at all queues in turn
 * @vd: device
 * @queues: number of receive queues
 *
 * The NIC is not told.
 *
 * Context: RTNL or probe.
 */
void vktls_rss_spread(struct vktls_dev *vd, unsigned int queues)
{
	vktls_rss_spread_ctx(&vd->rss, queues);
}

/**
 * vktls_rss_init() - set the defaults: hash of addresses and ports, all queues
 * @vd: device with vd->cfg
 */
void vktls_rss_init(struct vktls_dev *vd)
{
	unsigned int i;

	for (i = 0; i < VKTLS_RSS_TYPES; i++)
		vd->rss.fields[i] = RSS_ADDRS |
				    (BIT(i) & RSS_NO_PORTS ? 0 : RSS_PORTS);
	netdev_rss_key_fill(vd->rss.key, sizeof(vd->rss.key));
	vktls_rss_spread(vd, vd->cfg.qps);
}

/**
 * vktls_rss_free() - free the remaining RSS contexts
 * @vd: device, its interface unregistered
 */
void vktls_rss_free(struct vktls_dev *vd)
{
	unsigned int num;

	for (num = 1; num < VKTLS_RSS_CONTEXTS; num++)
		kfree(vd->rss_ctx[num]);
}

static bool vktls_rss_pairs(u8 fields)
{
	return (!(fields & RSS_ADDRS) || (fields & RSS_ADDRS) == RSS_ADDRS) &&
	       (!(fields & RSS_PORTS) || (fields & RSS_PORTS) == RSS_PORTS);
}

static int vktls_rss_check(struct vktls_dev *vd,
			   const struct vktls_rss_ctx *ctx,
			   struct netlink_ext_ack *extack)
{
	unsigned int i;

	if (ctx->input && !vktls_rss_many(vd)) {
		NL_SET_ERR_MSG(extack, "this NIC has no symmetric hash");
		return -EOPNOTSUPP;
	}
	for (i = 0; ctx->input && i < VKTLS_RSS_TYPES; i++) {
		if (!vktls_rss_pairs(ctx->fields[i])) {
			NL_SET_ERR_MSG(extack,
				       "a symmetric hash takes both addresses and both ports, or none");
			return -EINVAL;
		}
	}
	return 0;
}

/* Copies the settings that @rxfh changes to @ctx, and checks them. */
static int vktls_rss_take(struct vktls_dev *vd, u32 num,
			  struct vktls_rss_ctx *ctx,
			  const struct ethtool_rxfh_param *rxfh,
			  struct netlink_ext_ack *extack)
{
	unsigned int i, highest = 0;

	if (rxfh->hfunc != ETH_RSS_HASH_NO_CHANGE &&
	    rxfh->hfunc != ETH_RSS_HASH_TOP) {
		NL_SET_ERR_MSG(extack, "the only hash function is toeplitz");
		return -EOPNOTSUPP;
	}
	if (rxfh->input_xfrm != RXH_XFRM_NO_CHANGE)
		ctx->input = rxfh->input_xfrm;
	if (rxfh->key)
		memcpy(ctx->key, rxfh->key, VKTLS_RSS_KEY_BYTES);
	for (i = 0; rxfh->indir && i < VKTLS_RSS_ENTRIES; i++) {
		ctx->table[i] = rxfh->indir[i];
		highest = max(highest, rxfh->indir[i]);
	}
	if (rxfh->indir && !vktls_filter_fits(vd, num, highest)) {
		NL_SET_ERR_MSG_FMT(extack,
				   "a flow filter adds too much to queue %u",
				   highest);
		return -EINVAL;
	}
	return vktls_rss_check(vd, ctx, extack);
}

u32 vktls_rss_indir_size(struct net_device *netdev)
{
	return VKTLS_RSS_ENTRIES;
}

u32 vktls_rss_key_size(struct net_device *netdev)
{
	return VKTLS_RSS_KEY_BYTES;
}

/* Called for the port only: ethtool keeps its own copies of other RSS contexts. */
int vktls_rss_get(struct net_device *netdev, struct ethtool_rxfh_param *rxfh)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	unsigned int i;

	rxfh->hfunc = ETH_RSS_HASH_TOP;
	rxfh->input_xfrm = vd->rss.input;
	if (rxfh->key)
		memcpy(rxfh->key, vd->rss.key, VKTLS_RSS_KEY_BYTES);
	for (i = 0; rxfh->indir && i < VKTLS_RSS_ENTRIES; i++)
		rxfh->indir[i] = vd->rss.table[i];
	return 0;
}

int vktls_rss_set(struct net_device *netdev, struct ethtool_rxfh_param *rxfh,
		  struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_rss_ctx new = vd->rss;
	int err;

	err = vktls_rss_take(vd, 0, &new, rxfh, extack);
	if (err)
		return err;
	return vktls_rss_change(vd, 0, &vd->rss, &new);
}

/* Fills in ethtool's copy of a new context, including defaults. */
static void vktls_rss_show(struct ethtool_rxfh_context *to,
			   const struct vktls_rss_ctx *ctx)
{
	u32 *indir = ethtool_rxfh_context_indir(to);
	unsigned int i;

	to->hfunc = ETH_RSS_HASH_TOP;
	to->input_xfrm = ctx->input;
	memcpy(ethtool_rxfh_context_key(to), ctx->key, VKTLS_RSS_KEY_BYTES);
	for (i = 0; i < VKTLS_RSS_ENTRIES; i++)
		indir[i] = ctx->table[i];
}

/* A new context begins with key and fields of the port, and with all queues. */
int vktls_rss_ctx_create(struct net_device *netdev,
			 struct ethtool_rxfh_context *to,
			 const struct ethtool_rxfh_param *rxfh,
			 struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_rss_ctx *ctx;
	int err;

	if (!vktls_rss_many(vd)) {
		NL_SET_ERR_MSG(extack, "this NIC has no RSS contexts");
		return -EOPNOTSUPP;
	}
	ctx = kmemdup(&vd->rss, sizeof(vd->rss), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	vktls_rss_spread_ctx(ctx, vd->cfg.qps);
	err = vktls_rss_take(vd, rxfh->rss_context, ctx, rxfh, extack);
	if (!err)
		err = vktls_rss_change(vd, rxfh->rss_context, ctx, ctx);
	if (err) {
		kfree(ctx);
		return err;
	}
	vd->rss_ctx[rxfh->rss_context] = ctx;
	vktls_rss_show(to, ctx);
	return 0;
}

int vktls_rss_ctx_modify(struct net_device *netdev,
			 struct ethtool_rxfh_context *to,
			 const struct ethtool_rxfh_param *rxfh,
			 struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_rss_ctx *ctx = vktls_rss_ctx(vd, rxfh->rss_context);
	struct vktls_rss_ctx new = *ctx;
	int err;

	err = vktls_rss_take(vd, rxfh->rss_context, &new, rxfh, extack);
	if (err)
		return err;
	return vktls_rss_change(vd, rxfh->rss_context, ctx, &new);
}

/* If the NIC fails to delete the context, it is reset. */
int vktls_rss_ctx_remove(struct net_device *netdev,
			 struct ethtool_rxfh_context *to, u32 num,
			 struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_rss_ref ref = { .ctx = cpu_to_le32(num) };

	if (vktls_filter_uses(vd, num)) {
		NL_SET_ERR_MSG(extack, "a flow filter leads to this context");
		return -EBUSY;
	}
	if (test_bit(DEV_FW_UP, &vd->state) && vktls_rss_many(vd) &&
	    vktls_cmd_exec(vd, VKTLS_CMD_RSS_CTX_DEL, &ref, sizeof(ref), NULL,
			   0))
		vktls_reset_request(vd, RESET_FW);
	kfree(vd->rss_ctx[num]);
	vd->rss_ctx[num] = NULL;
	return 0;
}

/*
 * Returns the index of a flow type in fields[]. Protocols other than TCP and UDP
 * count as IP.
 */
static int vktls_rss_type(u32 flow)
{
	switch (flow) {
	case TCP_V4_FLOW:
		return ilog2(VKTLS_RSS_TCP4);
	case UDP_V4_FLOW:
		return ilog2(VKTLS_RSS_UDP4);
	case TCP_V6_FLOW:
		return ilog2(VKTLS_RSS_TCP6);
	case UDP_V6_FLOW:
		return ilog2(VKTLS_RSS_UDP6);
	case IPV4_FLOW:
	case SCTP_V4_FLOW:
	case AH_ESP_V4_FLOW:
		return ilog2(VKTLS_RSS_IPV4);
	case IPV6_FLOW:
	case SCTP_V6_FLOW:
	case AH_ESP_V6_FLOW:
		return ilog2(VKTLS_RSS_IPV6);
	default:
		return -EINVAL;
	}
}

int vktls_rss_get_fields(struct net_device *netdev,
			 struct ethtool_rxfh_fields *fields)
{
	const struct vktls_rss_ctx *ctx;
	int type = vktls_rss_type(fields->flow_type);

	ctx = vktls_rss_ctx(netdev_priv(netdev), fields->rss_context);
	if (type < 0 || !ctx)
		return -EINVAL;
	fields->data = ctx->fields[type] << RSS_RXH_SHIFT;
	return 0;
}

static int vktls_rss_check_fields(struct vktls_dev *vd, int type, u32 data,
				  struct netlink_ext_ack *extack)
{
	u32 able = RSS_ADDRS | (BIT(type) & RSS_NO_PORTS ? 0 : RSS_PORTS);
	u32 fields = data >> RSS_RXH_SHIFT;

	if (data & ~(able << RSS_RXH_SHIFT)) {
		NL_SET_ERR_MSG(extack,
			       "hashed are addresses, and ports of TCP and UDP");
		return -EINVAL;
	}
	if (!vktls_rss_many(vd) &&
	    (!(fields & RSS_ADDRS) || !vktls_rss_pairs(fields))) {
		NL_SET_ERR_MSG(extack,
			       "this NIC hashes both addresses, with both ports or none");
		return -EINVAL;
	}
	return 0;
}

int vktls_rss_set_fields(struct net_device *netdev,
			 const struct ethtool_rxfh_fields *fields,
			 struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_rss_ctx *ctx = vktls_rss_ctx(vd, fields->rss_context);
	int type = vktls_rss_type(fields->flow_type);
	struct vktls_rss_ctx new;
	int err;

	if (type < 0 || !ctx)
		return -EINVAL;
	err = vktls_rss_check_fields(vd, type, fields->data, extack);
	if (err)
		return err;
	new = *ctx;
	new.fields[type] = fields->data >> RSS_RXH_SHIFT;
	err = vktls_rss_check(vd, &new, extack);
	if (err)
		return err;
	return vktls_rss_change(vd, fields->rss_context, ctx, &new);
}
