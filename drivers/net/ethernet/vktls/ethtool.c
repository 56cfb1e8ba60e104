// SPDX-License-Identifier: GPL-2.0-only
/*
 * ethtool: shows and changes the settings in struct vktls_dev. Counters are in
 * stats.c, RSS in rss.c, flow filters in filter.c; netdev.c makes the changes that
 * need new rings.
 */
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <compat/vktls.h>

#include "cmd.h"
#include "devlink.h"
#include "ktls.h"
#include "netdev.h"
#include "qp.h"
#include "reset.h"
#include "stats.h"
#include "steer.h"
#include "vktls.h"

enum { TEST_REGISTERS, TEST_COMMAND, TEST_LINK, TEST_DMA, TEST_IRQ, TEST_NUM };

static const char vktls_test_names[TEST_NUM][ETH_GSTRING_LEN] = {
	[TEST_REGISTERS] = "registers (online)",
	[TEST_COMMAND] = "command (online)",
	[TEST_LINK] = "link (online)",
	[TEST_DMA] = "DMA (offline)",
	[TEST_IRQ] = "interrupts (offline)",
};

static void vktls_ethtool_get_drvinfo(struct net_device *netdev,
				      struct ethtool_drvinfo *info)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	u32 version = le32_to_cpu(vd->caps.fw_version);

	strscpy(info->driver, KBUILD_MODNAME, sizeof(info->driver));
	strscpy(info->bus_info, pci_name(vd->pdev), sizeof(info->bus_info));
	if (test_bit(DEV_FW_UP, &vd->state))
		vktls_version_print(info->fw_version, sizeof(info->fw_version),
				    version);
	else
		strscpy(info->fw_version, "none", sizeof(info->fw_version));
}

static int vktls_ethtool_get_regs_len(struct net_device *netdev)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	return vktls_regs_num(vd) * 2 * sizeof(u32);
}

/* Writes the dump: for each register its offset, then its value. */
static void vktls_ethtool_get_regs(struct net_device *netdev,
				   struct ethtool_regs *regs, void *data)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	unsigned int i;
	u32 *out = data;

	regs->version = 1;
	for (i = 0; i < vktls_regs_num(vd); i++) {
		*out++ = vktls_regs_at(i);
		*out++ = vktls_read(vd, vktls_regs_at(i));
	}
}

static int vktls_ethtool_get_link_ksettings(struct net_device *netdev,
					    struct ethtool_link_ksettings *ks)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_link link;

	ethtool_link_ksettings_zero_link_mode(ks, supported);
	ethtool_link_ksettings_zero_link_mode(ks, advertising);
	ks->base.port = PORT_NONE;
	ks->base.autoneg = AUTONEG_DISABLE;
	ks->base.speed = SPEED_UNKNOWN;
	ks->base.duplex = DUPLEX_UNKNOWN;
	if (!netif_carrier_ok(netdev) || vktls_port_link_get(vd, &link))
		return 0;
	ks->base.speed = le32_to_cpu(link.mbps);
	ks->base.duplex = DUPLEX_FULL;
	return 0;
}

static void
vktls_ethtool_get_ringparam(struct net_device *netdev,
			    struct ethtool_ringparam *ring,
			    struct kernel_ethtool_ringparam *kernel_ring,
			    struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	ring->rx_max_pending = BIT(VKTLS_RING_MAX_LOG2);
	ring->tx_max_pending = BIT(VKTLS_RING_MAX_LOG2);
	ring->rx_pending = BIT(vd->cfg.rx_log2);
	ring->tx_pending = BIT(vd->cfg.tx_log2);
}

static bool vktls_ethtool_ring_valid(u32 pending)
{
	return pending >= BIT(VKTLS_RING_MIN_LOG2) && is_power_of_2(pending);
}

static int
vktls_ethtool_set_ringparam(struct net_device *netdev,
			    struct ethtool_ringparam *ring,
			    struct kernel_ethtool_ringparam *kernel_ring,
			    struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_config cfg = vd->cfg;

	if (ring->rx_mini_pending || ring->rx_jumbo_pending)
		return -EINVAL;
	if (!vktls_ethtool_ring_valid(ring->rx_pending) ||
	    !vktls_ethtool_ring_valid(ring->tx_pending)) {
		NL_SET_ERR_MSG_FMT(extack,
				   "rings have %lu to %lu entries, a power of two",
				   BIT(VKTLS_RING_MIN_LOG2),
				   BIT(VKTLS_RING_MAX_LOG2));
		return -EINVAL;
	}
	cfg.rx_log2 = ilog2(ring->rx_pending);
	cfg.tx_log2 = ilog2(ring->tx_pending);
	return vktls_netdev_reconfigure(vd, &cfg);
}

static void vktls_ethtool_get_channels(struct net_device *netdev,
				       struct ethtool_channels *channels)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	channels->max_combined = vd->max_qps;
	channels->combined_count = vd->cfg.qps;
}

static int vktls_ethtool_set_channels(struct net_device *netdev,
				      struct ethtool_channels *channels)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_config cfg = vd->cfg;

	if (!channels->combined_count)
		return -EINVAL;
	cfg.qps = channels->combined_count;
	return vktls_netdev_reconfigure(vd, &cfg);
}

static int
vktls_ethtool_get_coalesce(struct net_device *netdev,
			   struct ethtool_coalesce *coal,
			   struct kernel_ethtool_coalesce *kernel_coal,
			   struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	coal->rx_coalesce_usecs = vd->rx_mod.usecs;
	coal->rx_max_coalesced_frames = vd->rx_mod.frames;
	coal->use_adaptive_rx_coalesce = vd->rx_mod.adaptive;
	coal->tx_coalesce_usecs = vd->tx_mod.usecs;
	coal->tx_max_coalesced_frames = vd->tx_mod.frames;
	coal->use_adaptive_tx_coalesce = vd->tx_mod.adaptive;
	return 0;
}

static int
vktls_ethtool_set_coalesce(struct net_device *netdev,
			   struct ethtool_coalesce *coal,
			   struct kernel_ethtool_coalesce *kernel_coal,
			   struct netlink_ext_ack *extack)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	unsigned int i;

	if (max(coal->rx_coalesce_usecs, coal->tx_coalesce_usecs) >
	    VKTLS_MOD_USECS_MAX ||
	    max(coal->rx_max_coalesced_frames, coal->tx_max_coalesced_frames) >
	    U8_MAX) {
		NL_SET_ERR_MSG_FMT(extack, "at most %u usecs and %u frames",
				   VKTLS_MOD_USECS_MAX, U8_MAX);
		return -ERANGE;
	}
	vd->rx_mod.usecs = coal->rx_coalesce_usecs;
	vd->rx_mod.frames = coal->rx_max_coalesced_frames;
	WRITE_ONCE(vd->rx_mod.adaptive, coal->use_adaptive_rx_coalesce);
	vd->tx_mod.usecs = coal->tx_coalesce_usecs;
	vd->tx_mod.frames = coal->tx_max_coalesced_frames;
	WRITE_ONCE(vd->tx_mod.adaptive, coal->use_adaptive_tx_coalesce);
	for (i = 0; vd->active && i < vd->nqps; i++)
		vktls_qp_moderate(vd->qp[i]);
	return 0;
}

static u32 vktls_ethtool_get_rx_ring_count(struct net_device *netdev)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	return vd->cfg.qps;
}

#ifdef COMPAT_RX_RING_COUNT
COMPAT_GET_RXNFC(vktls_ethtool_get_rxnfc, vktls_ethtool_get_rx_ring_count,
		 vktls_rss_get_fields, vktls_filter_get_rxnfc)
#endif
#ifdef COMPAT_RXFH_FIELDS
COMPAT_SET_RXNFC(vktls_ethtool_set_rxnfc, vktls_rss_set_fields,
		 vktls_filter_set_rxnfc)
#endif

static int vktls_ethtool_get_sset_count(struct net_device *netdev, int sset)
{
	switch (sset) {
	case ETH_SS_STATS:
		return vktls_stats_num(netdev_priv(netdev));
	case ETH_SS_TEST:
		return TEST_NUM;
	case ETH_SS_PRIV_FLAGS:
		return KTLS_FLAGS;
	default:
		return -EOPNOTSUPP;
	}
}

static void vktls_ethtool_get_strings(struct net_device *netdev, u32 sset,
				      u8 *data)
{
	if (sset == ETH_SS_STATS)
		vktls_stats_names(netdev_priv(netdev), data);
	else if (sset == ETH_SS_TEST)
		memcpy(data, vktls_test_names, sizeof(vktls_test_names));
	else if (sset == ETH_SS_PRIV_FLAGS)
		memcpy(data, vktls_ktls_flag_names,
		       sizeof(vktls_ktls_flag_names));
}

static u32 vktls_ethtool_get_priv_flags(struct net_device *netdev)
{
	return vktls_ktls_flags_get(netdev_priv(netdev));
}

static int vktls_ethtool_set_priv_flags(struct net_device *netdev, u32 flags)
{
	return vktls_ktls_flags_set(netdev_priv(netdev), flags);
}

static void vktls_ethtool_get_ethtool_stats(struct net_device *netdev,
					    struct ethtool_stats *stats,
					    u64 *data)
{
	vktls_stats_values(netdev_priv(netdev), data);
}

static int vktls_ethtool_test_irqs(struct vktls_dev *vd)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < vd->max_qps; i++)
		err = vktls_selftest_irq(vd, VKTLS_VEC_QUEUE(i));
	return err;
}

/*
 * Runs the tests that need a reset of the function. Software encrypts the TLS
 * connections until their resync.
 */
static void vktls_ethtool_test_offline(struct vktls_dev *vd, u64 *result)
{
	vktls_hw_suspend(vd);
	result[TEST_DMA] = vktls_selftest_dma(vd) ? 1 : 0;
	result[TEST_IRQ] = vktls_ethtool_test_irqs(vd) ? 1 : 0;
	vktls_hw_resume(vd);
}

static void vktls_ethtool_self_test(struct net_device *netdev,
				    struct ethtool_test *test, u64 *result)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	unsigned int i;

	memset(result, 0, TEST_NUM * sizeof(*result));
	result[TEST_REGISTERS] = vktls_selftest_scratch(vd) ? 1 : 0;
	result[TEST_COMMAND] = vktls_cmd_exec(vd, VKTLS_CMD_NOP, NULL, 0, NULL,
					      0) ? 1 : 0;
	result[TEST_LINK] = !(vktls_read(vd, VKTLS_REG_STATUS) &
			      VKTLS_STATUS_LINK);
	if (test->flags & ETH_TEST_FL_OFFLINE)
		vktls_ethtool_test_offline(vd, result);
	for (i = 0; i < TEST_NUM; i++)
		if (result[i])
			test->flags |= ETH_TEST_FL_FAILED;
}

const struct ethtool_ops vktls_ethtool_ops = {
	.supported_input_xfrm = RXH_XFRM_SYM_XOR | RXH_XFRM_SYM_OR_XOR,
	.rxfh_per_ctx_fields = true,
	.rxfh_per_ctx_key = true,
	.cap_rss_rxnfc_adds = true,
	.rxfh_max_num_contexts = VKTLS_RSS_CONTEXTS,
	.supported_coalesce_params = ETHTOOL_COALESCE_USECS |
				     ETHTOOL_COALESCE_MAX_FRAMES |
				     ETHTOOL_COALESCE_USE_ADAPTIVE,
	.get_drvinfo = vktls_ethtool_get_drvinfo,
	.get_regs_len = vktls_ethtool_get_regs_len,
	.get_regs = vktls_ethtool_get_regs,
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = vktls_ethtool_get_link_ksettings,
	.get_ringparam = vktls_ethtool_get_ringparam,
	.set_ringparam = vktls_ethtool_set_ringparam,
	.get_channels = vktls_ethtool_get_channels,
	.set_channels = vktls_ethtool_set_channels,
	.get_coalesce = vktls_ethtool_get_coalesce,
	.set_coalesce = vktls_ethtool_set_coalesce,
	.get_rxfh_indir_size = vktls_rss_indir_size,
	.get_rxfh_key_size = vktls_rss_key_size,
	.get_rxfh = vktls_rss_get,
	.set_rxfh = vktls_rss_set,
	.create_rxfh_context = vktls_rss_ctx_create,
	.modify_rxfh_context = vktls_rss_ctx_modify,
	.remove_rxfh_context = vktls_rss_ctx_remove,
#ifdef COMPAT_RX_RING_COUNT
	.get_rxnfc = vktls_ethtool_get_rxnfc,
#else
	.get_rxnfc = vktls_filter_get_rxnfc,
	.get_rx_ring_count = vktls_ethtool_get_rx_ring_count,
#endif
#ifdef COMPAT_RXFH_FIELDS
	.set_rxnfc = vktls_ethtool_set_rxnfc,
#else
	.set_rxnfc = vktls_filter_set_rxnfc,
	.get_rxfh_fields = vktls_rss_get_fields,
	.set_rxfh_fields = vktls_rss_set_fields,
#endif
	.get_sset_count = vktls_ethtool_get_sset_count,
	.get_strings = vktls_ethtool_get_strings,
	.get_ethtool_stats = vktls_ethtool_get_ethtool_stats,
	.get_pauseparam = vktls_std_pauseparam,
	.set_pauseparam = vktls_std_set_pauseparam,
	.get_pause_stats = vktls_std_pause,
	.get_eth_mac_stats = vktls_std_mac,
	.get_eth_phy_stats = vktls_std_phy,
	.get_eth_ctrl_stats = vktls_std_ctrl,
	.get_rmon_stats = vktls_std_rmon,
	.get_priv_flags = vktls_ethtool_get_priv_flags,
	.set_priv_flags = vktls_ethtool_set_priv_flags,
	.self_test = vktls_ethtool_self_test,
	.get_ts_info = ethtool_op_get_ts_info,
};
