// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters in the names of IEEE 802.3 and RMON, for ethtool -S --groups and -I -a. They
 * are the NIC's own; a NIC of an ABI before 1.7 does not have them all, and none is shown.
 */
#include <linux/ethtool.h>

#include "cmd.h"
#include "stats.h"
#include "vktls.h"

#define STD_ABI_MINOR	7	/* first ABI minor version with all these counters */

/* The longest frame of the last range: MTU, Ethernet header, two tags, FCS. */
#define STD_MAX		(VKTLS_MTU_MAX + ETH_HLEN + 2 * 4 + ETH_FCS_LEN)

static const struct ethtool_rmon_hist_range std_ranges[] = {
	{ 0, 64 },	{ 65, 127 },	 { 128, 255 },	    { 256, 511 },
	{ 512, 1023 },	{ 1024, 1518 },	 { 1519, STD_MAX }, {}
};

#define STD_SIZES	(ARRAY_SIZE(std_ranges) - 1)
static_assert(VKTLS_STAT_TX_SIZE_MAX - VKTLS_STAT_TX_SIZE_64 + 1 == STD_SIZES);
static_assert(VKTLS_STAT_RX_SIZE_MAX - VKTLS_STAT_RX_SIZE_64 + 1 == STD_SIZES);

/*
 * Reads the counters from the NIC if it runs. Returns false if the NIC lacks some
 * of them.
 */
static bool vktls_std_sync(struct vktls_dev *vd)
{
	if (le16_to_cpu(vd->caps.abi_minor) < STD_ABI_MINOR)
		return false;
	if (test_bit(DEV_FW_UP, &vd->state))
		vktls_port_stats_sync(vd);
	return true;
}

/* The NIC neither sends pause frames nor obeys them; it counts those that it sees. */
void vktls_std_pauseparam(struct net_device *netdev,
			  struct ethtool_pauseparam *pause)
{
	pause->autoneg = AUTONEG_DISABLE;
	pause->rx_pause = 0;
	pause->tx_pause = 0;
}

int vktls_std_set_pauseparam(struct net_device *netdev,
			     struct ethtool_pauseparam *pause)
{
	if (pause->autoneg || pause->rx_pause || pause->tx_pause)
		return -EOPNOTSUPP;
	return 0;
}

void vktls_std_pause(struct net_device *netdev,
		     struct ethtool_pause_stats *stats)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	if (!vktls_std_sync(vd))
		return;
	spin_lock_bh(&vd->stats_lock);
	stats->tx_pause_frames = vktls_stats_hw(vd, VKTLS_STAT_TX_PAUSE);
	stats->rx_pause_frames = vktls_stats_hw(vd, VKTLS_STAT_RX_PAUSE);
	spin_unlock_bh(&vd->stats_lock);
}

/* Returns bytes with the frame check sequence, which the NIC's counts leave out. */
static u64 vktls_std_octets(struct vktls_dev *vd, unsigned int bytes,
			    unsigned int frames)
{
	return vktls_stats_hw(vd, bytes) +
	       ETH_FCS_LEN * vktls_stats_hw(vd, frames);
}

static void vktls_std_mac_sent(struct vktls_dev *vd,
			       struct ethtool_eth_mac_stats *stats)
{
	stats->FramesTransmittedOK = vktls_stats_hw(vd, VKTLS_STAT_TX_FRAMES);
	stats->OctetsTransmittedOK = vktls_std_octets(vd, VKTLS_STAT_TX_BYTES,
						      VKTLS_STAT_TX_FRAMES);
	stats->MulticastFramesXmittedOK =
		vktls_stats_hw(vd, VKTLS_STAT_TX_MULTICAST);
	stats->BroadcastFramesXmittedOK =
		vktls_stats_hw(vd, VKTLS_STAT_TX_BROADCAST);
}

static void vktls_std_mac_received(struct vktls_dev *vd,
				   struct ethtool_eth_mac_stats *stats)
{
	stats->FramesReceivedOK = vktls_stats_hw(vd, VKTLS_STAT_RX_FRAMES);
	stats->OctetsReceivedOK = vktls_std_octets(vd, VKTLS_STAT_RX_BYTES,
						   VKTLS_STAT_RX_FRAMES);
	stats->MulticastFramesReceivedOK =
		vktls_stats_hw(vd, VKTLS_STAT_RX_MULTICAST);
	stats->BroadcastFramesReceivedOK =
		vktls_stats_hw(vd, VKTLS_STAT_RX_BROADCAST);
	stats->FrameTooLongErrors =
		vktls_stats_hw(vd, VKTLS_STAT_RX_LENGTH_ERRORS);
}

/* Sets counters of events that cannot happen: collisions and bit errors of the link. */
static void vktls_std_mac_never(struct ethtool_eth_mac_stats *stats)
{
	stats->SingleCollisionFrames = 0;
	stats->MultipleCollisionFrames = 0;
	stats->FramesWithDeferredXmissions = 0;
	stats->LateCollisions = 0;
	stats->FramesAbortedDueToXSColls = 0;
	stats->FramesWithExcessiveDeferral = 0;
	stats->CarrierSenseErrors = 0;
	stats->FrameCheckSequenceErrors = 0;
	stats->AlignmentErrors = 0;
	stats->FramesLostDueToIntMACXmitError = 0;
	stats->FramesLostDueToIntMACRcvError = 0;
	stats->InRangeLengthErrors = 0;
	stats->OutOfRangeLengthField = 0;
}

void vktls_std_mac(struct net_device *netdev,
		   struct ethtool_eth_mac_stats *stats)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	if (!vktls_std_sync(vd))
		return;
	spin_lock_bh(&vd->stats_lock);
	vktls_std_mac_sent(vd, stats);
	vktls_std_mac_received(vd, stats);
	spin_unlock_bh(&vd->stats_lock);
	vktls_std_mac_never(stats);
}

void vktls_std_phy(struct net_device *netdev,
		   struct ethtool_eth_phy_stats *stats)
{
	stats->SymbolErrorDuringCarrier = 0;
}

void vktls_std_ctrl(struct net_device *netdev,
		    struct ethtool_eth_ctrl_stats *stats)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	if (!vktls_std_sync(vd))
		return;
	spin_lock_bh(&vd->stats_lock);
	stats->MACControlFramesTransmitted =
		vktls_stats_hw(vd, VKTLS_STAT_TX_CONTROL);
	stats->MACControlFramesReceived =
		vktls_stats_hw(vd, VKTLS_STAT_RX_CONTROL);
	stats->UnsupportedOpcodesReceived = stats->MACControlFramesReceived -
		vktls_stats_hw(vd, VKTLS_STAT_RX_PAUSE);
	spin_unlock_bh(&vd->stats_lock);
}

void vktls_std_rmon(struct net_device *netdev, struct ethtool_rmon_stats *stats,
		    const struct ethtool_rmon_hist_range **ranges)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	unsigned int i;

	*ranges = std_ranges;
	if (!vktls_std_sync(vd))
		return;
	spin_lock_bh(&vd->stats_lock);
	for (i = 0; i < STD_SIZES; i++) {
		stats->hist[i] = vktls_stats_hw(vd, VKTLS_STAT_RX_SIZE_64 + i);
		stats->hist_tx[i] =
			vktls_stats_hw(vd, VKTLS_STAT_TX_SIZE_64 + i);
	}
	spin_unlock_bh(&vd->stats_lock);
}
