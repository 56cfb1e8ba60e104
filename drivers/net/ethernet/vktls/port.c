// SPDX-License-Identifier: GPL-2.0-only
/*
 * Meaning of commands and events, except those of TLS, RSS and filters: port modes,
 * addresses, link and counters. All settings of the NIC follow from struct net_device and
 * struct vktls_dev, so that they can be repeated after a reset.
 */
#include <linux/etherdevice.h>
#include <linux/slab.h>
#include <compat/vktls.h>

#include "cmd.h"
#include "ktls.h"
#include "qp.h"
#include "trace.h"
#include "vktls.h"

/* Collects up to VKTLS_MAC_FILTERS addresses; returns their number. */
static unsigned int vktls_port_filters_collect(struct net_device *netdev,
					       struct vktls_mac *macs,
					       u32 *flags)
{
	struct netdev_hw_addr *ha;
	unsigned int num = 0;

	netif_addr_lock_bh(netdev);
	if (netdev->flags & IFF_PROMISC)
		*flags |= VKTLS_PORT_PROMISC;
	if (netdev->flags & IFF_ALLMULTI)
		*flags |= VKTLS_PORT_ALLMULTI;
	if (netdev_uc_count(netdev) > VKTLS_MAC_FILTERS)
		*flags |= VKTLS_PORT_PROMISC;
	else
		netdev_for_each_uc_addr(ha, netdev)
			ether_addr_copy(macs[num++].addr, ha->addr);
	if (netdev_mc_count(netdev) > VKTLS_MAC_FILTERS - num)
		*flags |= VKTLS_PORT_ALLMULTI;
	else
		netdev_for_each_mc_addr(ha, netdev)
			ether_addr_copy(macs[num++].addr, ha->addr);
	netif_addr_unlock_bh(netdev);
	return num;
}

/* Rings with XDP, which may outlive their program, take no joined frames. */
static bool vktls_port_joins(const struct vktls_dev *vd)
{
	return vd->netdev->features & NETIF_F_GRO_HW && vd->qp &&
	       !vd->qp[0]->rx.xdp;
}

static u32 vktls_port_join_flags(u32 caps)
{
	u32 flags = VKTLS_PORT_RX_GRO;

	if (!(caps & VKTLS_CAP_RX_GRO_MORE))
		return flags;
	flags |= VKTLS_PORT_RX_GRO_HOLD | VKTLS_PORT_RX_GRO_IP;
	return SKB_GSO_TCP_ACCECN ? flags | VKTLS_PORT_RX_GRO_CWR : flags;
}

static u32 vktls_port_flags(const struct vktls_dev *vd)
{
	u32 caps = le32_to_cpu(vd->caps.features);
	u32 flags = VKTLS_PORT_BROADCAST;

	if (vd->port_up)
		flags |= VKTLS_PORT_UP;
	if (vd->netdev->features & NETIF_F_RXCSUM)
		flags |= VKTLS_PORT_RX_CSUM;
	if (vd->netdev->features & NETIF_F_HW_VLAN_CTAG_RX)
		flags |= VKTLS_PORT_VLAN_STRIP;
	if (vktls_port_joins(vd))
		flags |= vktls_port_join_flags(caps);
	if (caps & VKTLS_CAP_RSS)
		flags |= VKTLS_PORT_RSS;
	return flags;
}

static int vktls_port_sync_locked(struct vktls_dev *vd)
{
	struct vktls_mac macs[VKTLS_MAC_FILTERS] = {};
	struct vktls_port_cfg cfg = {};
	u32 flags = vktls_port_flags(vd);
	unsigned int num;
	int err;

	num = vktls_port_filters_collect(vd->netdev, macs, &flags);
	err = vktls_cmd_exec_buf(vd, VKTLS_CMD_FILTER_SET, 0, macs,
				 num * sizeof(*macs), NULL, 0);
	if (err)
		return err;
	cfg.flags = cpu_to_le32(flags);
	cfg.mtu = cpu_to_le32(vd->netdev->mtu);
	return vktls_cmd_exec(vd, VKTLS_CMD_PORT_SET, &cfg, sizeof(cfg), NULL,
			      0);
}

/**
 * vktls_port_sync() - give the NIC modes, filters and MTU of the interface
 * @vd: device
 *
 * Context: process; sleeps. Takes port_lock.
 * Return: 0 or errno of the commands.
 */
int vktls_port_sync(struct vktls_dev *vd)
{
	int err;

	mutex_lock(&vd->port_lock);
	err = vktls_port_sync_locked(vd);
	mutex_unlock(&vd->port_lock);
	return err;
}

/**
 * vktls_port_set_up() - start or stop the flow of frames
 * @vd: device
 * @up: true to start, false to stop
 *
 * Context: RTNL; sleeps.
 * Return: 0 or errno of the commands.
 */
int vktls_port_set_up(struct vktls_dev *vd, bool up)
{
	int err;

	mutex_lock(&vd->port_lock);
	vd->port_up = up;
	err = vktls_port_sync_locked(vd);
	mutex_unlock(&vd->port_lock);
	return err;
}

/**
 * vktls_port_mac_set() - set the address of the port
 * @vd: device
 * @addr: six bytes
 *
 * Context: process; sleeps.
 * Return: 0 or errno of the command.
 */
int vktls_port_mac_set(struct vktls_dev *vd, const u8 *addr)
{
	struct vktls_mac mac = {};

	ether_addr_copy(mac.addr, addr);
	return vktls_cmd_exec(vd, VKTLS_CMD_MAC_SET, &mac, sizeof(mac), NULL,
			      0);
}

/**
 * vktls_port_link_get() - ask for the state of the link
 * @vd: device
 * @link: answer
 *
 * Context: process; sleeps.
 * Return: 0 or errno of the command.
 */
int vktls_port_link_get(struct vktls_dev *vd, struct vktls_link *link)
{
	return vktls_cmd_exec(vd, VKTLS_CMD_LINK_GET, NULL, 0, link,
			      sizeof(*link));
}

/**
 * vktls_port_link_sync() - set the carrier by the status register
 * @vd: device
 *
 * Needed at the start and after lost events: otherwise events report each change.
 *
 * Context: process.
 */
void vktls_port_link_sync(struct vktls_dev *vd)
{
	u32 status = vktls_read(vd, VKTLS_REG_STATUS);

	if (status != ~0u && (status & VKTLS_STATUS_LINK))
		netif_carrier_on(vd->netdev);
	else
		netif_carrier_off(vd->netdev);
}

/**
 * vktls_port_stats_sync() - copy the NIC's counters to vd->hw_stats
 * @vd: device
 *
 * An older NIC writes fewer counters; those that it does not have stay zero. Of two
 * callers, the later one's counters are kept.
 *
 * Context: process; sleeps. Takes stats_sync and stats_lock.
 * Return: 0 or errno of the command.
 */
int vktls_port_stats_sync(struct vktls_dev *vd)
{
	__le64 *stats;
	unsigned int i;
	int err;

	stats = kcalloc(VKTLS_STAT_NUM, sizeof(*stats), GFP_KERNEL);
	if (!stats)
		return -ENOMEM;
	mutex_lock(&vd->stats_sync);
	err = vktls_cmd_exec_buf(vd, VKTLS_CMD_STATS, 0, stats,
				 VKTLS_STAT_NUM * sizeof(*stats), NULL, 0);
	if (!err) {
		spin_lock_bh(&vd->stats_lock);
		for (i = 0; i < VKTLS_STAT_NUM; i++)
			vd->hw_stats[i] = le64_to_cpu(stats[i]);
		spin_unlock_bh(&vd->stats_lock);
	}
	mutex_unlock(&vd->stats_sync);
	kfree(stats);
	return err;
}

/**
 * vktls_port_stats_keep() - save the counts of the NIC before a reset clears them
 * @vd: device that was reset; no command is answered any more
 *
 * Context: RTNL; sleeps. Takes stats_sync and stats_lock.
 */
void vktls_port_stats_keep(struct vktls_dev *vd)
{
	unsigned int i;

	mutex_lock(&vd->stats_sync);
	spin_lock_bh(&vd->stats_lock);
	for (i = 0; i < VKTLS_STAT_NUM; i++) {
		/*
		 * The number of contexts is a level, not a count: it is 0 after the
		 * reset.
		 */
		if (i != VKTLS_STAT_TLS_CTX_LIVE)
			vd->hw_stats_past[i] += vd->hw_stats[i];
		vd->hw_stats[i] = 0;
	}
	spin_unlock_bh(&vd->stats_lock);
	mutex_unlock(&vd->stats_sync);
}

/**
 * vktls_port_event() - act on an event
 * @vd: device
 * @event: as the NIC wrote it
 *
 * Context: threaded interrupt.
 */
void vktls_port_event(struct vktls_dev *vd, const struct vktls_event *event)
{
	u32 id = le32_to_cpu(event->id), arg = le32_to_cpu(event->arg);
	u16 type = le16_to_cpu(event->type);
	u16 status = le16_to_cpu(event->status);

	trace_vktls_event(vd, type, status, id, arg);
	switch (type) {
	case VKTLS_EVT_LINK:
		vktls_port_link_sync(vd);
		/* A virtual machine that has migrated: the NIC lacks its contexts. */
		vktls_service_soon(vd);
		break;
	case VKTLS_EVT_QUEUE_ERROR:
		if (net_ratelimit())
			netdev_err(vd->netdev, "%s queue %u stopped: %s\n",
				   id >> 8 == VKTLS_QUEUE_TX ? "transmit" :
							       "receive",
				   id & 0xff, vktls_status_name(status));
		vktls_reset_request(vd, RESET_TX);
		break;
	case VKTLS_EVT_TLS_LOST:
		vktls_ktls_lost(vd, id, status, arg);
		break;
	case VKTLS_EVT_TLS_RESYNC:
		vktls_ktls_asked(vd, id, arg);
		break;
	case VKTLS_EVT_TLS_KEY:
		vktls_ktls_key_used(vd, id, arg);
		break;
	case VKTLS_EVT_OVERFLOW:
		/*
		 * Lost TX_ERROR and TLS_LOST do no harm: completions report both,
		 * too.
		 */
		if (net_ratelimit())
			netdev_warn(vd->netdev, "%u events were lost\n", arg);
		vktls_port_link_sync(vd);
		vktls_ktls_events_missed(vd);
		break;
	case VKTLS_EVT_TX_ERROR:
		/* The error is counted when the packet's completion comes. */
		break;
	default:
		/*
		 * A newer NIC may send events that this driver does not know:
		 * ignore them.
		 */
		netdev_dbg(vd->netdev, "unknown event %u\n", type);
	}
}
