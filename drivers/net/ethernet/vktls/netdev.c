// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network interface: its operations, its features, and the exchange of
 * queue pairs while it runs. Transmission is stopped whenever vd->qp changes or
 * queue pairs do not run, so the transmit path needs no lock for either.
 */
#include <linux/bpf.h>
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <compat/vktls.h>

#include "cmd.h"
#include "gso.h"
#include "ktls.h"
#include "netdev.h"
#include "qp.h"
#include "stats.h"
#include "steer.h"
#include "vktls.h"
#include "xdp.h"

/* Features of the interface by capability of the NIC. */
static const struct {
	netdev_features_t features;
	u32 cap;
} netdev_caps[] = {
	{ NETIF_F_SG | NETIF_F_HW_CSUM, VKTLS_CAP_TX_CSUM },
	{ NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN, VKTLS_CAP_TSO },
	{ NETIF_F_GSO_UDP_L4, VKTLS_CAP_USO },
	{ GSO_TUNNEL_FEATURES, VKTLS_CAP_TSO_TUNNEL },
	{ NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_CTAG_RX, VKTLS_CAP_VLAN },
	{ NETIF_F_RXCSUM, VKTLS_CAP_RX_CSUM },
	{ NETIF_F_RXHASH, VKTLS_CAP_RSS },
	{ NETIF_F_GRO_HW, VKTLS_CAP_RX_GRO },
	{ NETIF_F_NTUPLE, VKTLS_CAP_FLOW_FILTER },
};

static void vktls_netdev_set_qps(struct vktls_dev *vd, struct vktls_qp **qp,
				 unsigned int num)
{
	spin_lock_bh(&vd->stats_lock);
	vktls_stats_keep(vd);
	vd->qp = qp;
	vd->nqps = num;
	spin_unlock_bh(&vd->stats_lock);
}

/**
 * vktls_netdev_halt() - stop transmission and queue pairs, which stay allocated
 * @vd: device; does nothing when they do not run
 *
 * Context: RTNL; sleeps. Works without a living NIC too.
 */
void vktls_netdev_halt(struct vktls_dev *vd)
{
	if (!vd->active)
		return;
	vd->active = false;
	cancel_work_sync(&vd->rx_mode_work);
	vktls_port_set_up(vd, false);
	vktls_qps_stop(vd->qp, vd->nqps);
}

/**
 * vktls_netdev_resume() - give the NIC all settings and let queue pairs run
 * @vd: device with vd->qp allocated; the caller wakes transmission
 *
 * Context: RTNL; sleeps.
 * Return: 0, or errno with everything stopped.
 */
int vktls_netdev_resume(struct vktls_dev *vd)
{
	int err;

	err = vktls_port_mac_set(vd, vd->netdev->dev_addr);
	if (err)
		return err;
	err = vktls_qps_start(vd->qp, vd->nqps);
	if (err)
		return err;
	err = vktls_rss_sync(vd);
	if (err)
		goto stop_qps;
	err = vktls_filter_sync(vd);
	if (err)
		goto stop_qps;
	err = vktls_port_set_up(vd, true);
	if (err)
		goto stop_qps;
	vd->active = true;
	vktls_port_link_sync(vd);
	return 0;

stop_qps:
	vktls_qps_stop(vd->qp, vd->nqps);
	return err;
}

static void vktls_netdev_adopt_config(struct vktls_dev *vd,
				      const struct vktls_config *cfg)
{
	vd->cfg = *cfg;
	if (!netif_is_rxfh_configured(vd->netdev))
		vktls_rss_spread(vd, cfg->qps);
}

/* Stops vd->qp, and runs with @qp in its place. */
static int vktls_netdev_exchange(struct vktls_dev *vd, struct vktls_qp **qp,
				 const struct vktls_config *cfg)
{
	vktls_netdev_halt(vd);
	vktls_netdev_set_qps(vd, qp, cfg->qps);
	vktls_netdev_adopt_config(vd, cfg);
	return vktls_netdev_resume(vd);
}

/*
 * Exchanges the queue pairs. The caller has detached the interface, so that no
 * packet comes for a queue that is not there.
 */
static int vktls_netdev_replace(struct vktls_dev *vd, struct vktls_qp **qp,
				const struct vktls_config *cfg)
{
	struct vktls_config old = vd->cfg;
	struct vktls_qp **old_qp = vd->qp;
	int err;

	err = netif_set_real_num_queues(vd->netdev, cfg->qps, cfg->qps);
	if (err)
		return err;
	err = vktls_netdev_exchange(vd, qp, cfg);
	if (!err)
		return 0;
	netdev_err(vd->netdev, "new rings do not start, going back\n");
	if (netif_set_real_num_queues(vd->netdev, old.qps, old.qps) ||
	    vktls_netdev_exchange(vd, old_qp, &old))
		vktls_reset_request(vd, RESET_FW);
	return err;
}

/**
 * vktls_netdev_reconfigure() - change number or size of rings
 * @vd: device
 * @cfg: wanted; the interface's MTU and features count too
 *
 * While the interface runs, the new rings are allocated first, and if they do
 * not start, the old ones run on. If neither start, the NIC is reset.
 *
 * Context: RTNL; sleeps.
 * Return: 0 or errno.
 */
int vktls_netdev_reconfigure(struct vktls_dev *vd,
			     const struct vktls_config *cfg)
{
	unsigned int num = cfg->qps, old_num = vd->nqps;
	struct vktls_qp **old_qp = vd->qp;
	struct vktls_qp **qp;
	int err;

	if (!vd->active) {
		vktls_netdev_adopt_config(vd, cfg);
		return 0;
	}
	qp = vktls_qps_alloc(vd, cfg);
	if (IS_ERR(qp))
		return PTR_ERR(qp);
	netif_device_detach(vd->netdev);
	err = vktls_netdev_replace(vd, qp, cfg);
	/* If no queue runs, the interface is attached by the reset. */
	if (vd->active)
		netif_device_attach(vd->netdev);
	if (vd->qp == qp)
		vktls_qps_free(old_qp, old_num);
	else
		vktls_qps_free(qp, num);
	return err;
}

static int vktls_netdev_open(struct net_device *netdev)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_qp **qp;
	int err;

	if (!test_bit(DEV_FW_UP, &vd->state)) {
		netdev_err(netdev, "no firmware runs: %s\n", vd->fw_status);
		return -ENETDOWN;
	}
	qp = vktls_qps_alloc(vd, &vd->cfg);
	if (IS_ERR(qp))
		return PTR_ERR(qp);
	err = netif_set_real_num_queues(netdev, vd->cfg.qps, vd->cfg.qps);
	if (err)
		goto free_qps;
	vktls_netdev_set_qps(vd, qp, vd->cfg.qps);
	err = vktls_netdev_resume(vd);
	if (err)
		goto unset_qps;
	netif_tx_start_all_queues(netdev);
	return 0;

unset_qps:
	vktls_netdev_set_qps(vd, NULL, 0);
free_qps:
	vktls_qps_free(qp, vd->cfg.qps);
	return err;
}

static int vktls_netdev_stop(struct net_device *netdev)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	unsigned int num = vd->nqps;
	struct vktls_qp **qp = vd->qp;

	vktls_netdev_halt(vd);
	netif_carrier_off(netdev);
	vktls_netdev_set_qps(vd, NULL, 0);
	vktls_qps_free(qp, num);
	return 0;
}

static void vktls_netdev_rx_mode_work(struct work_struct *work)
{
	struct vktls_dev *vd = container_of(work, struct vktls_dev,
					    rx_mode_work);
	int err = vktls_port_sync(vd);

	/* If the NIC does not run, the filters are set when it starts. */
	if (err && test_bit(DEV_FW_UP, &vd->state))
		netdev_err(vd->netdev, "receive filters not set: error %d\n",
			   err);
}

/* Leaves the change to a work: the address lock, a spinlock, is held here. */
static void vktls_netdev_set_rx_mode(struct net_device *netdev)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	schedule_work(&vd->rx_mode_work);
}

static int vktls_netdev_set_mac(struct net_device *netdev, void *addr)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	const struct sockaddr *sa = addr;
	int err;

	err = eth_prepare_mac_addr_change(netdev, addr);
	if (err)
		return err;
	if (test_bit(DEV_FW_UP, &vd->state)) {
		err = vktls_port_mac_set(vd, sa->sa_data);
		if (err)
			return err;
	}
	eth_commit_mac_addr_change(netdev, addr);
	return 0;
}

static int vktls_netdev_change_mtu(struct net_device *netdev, int mtu)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	unsigned int old = netdev->mtu;
	int err;

	if (!vktls_xdp_takes_mtu(vd, mtu)) {
		netdev_err(netdev, "MTU %d is too much for the XDP program\n",
			   mtu);
		return -EINVAL;
	}
	WRITE_ONCE(netdev->mtu, mtu);
	err = vktls_netdev_reconfigure(vd, &vd->cfg);
	if (!err)
		return 0;
	WRITE_ONCE(netdev->mtu, old);
	if (vd->active)
		vktls_port_sync(vd);
	return err;
}

static netdev_features_t vktls_netdev_cap_features(u32 caps)
{
	netdev_features_t features = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(netdev_caps); i++)
		if (caps & netdev_caps[i].cap)
			features |= netdev_caps[i].features;
	return features;
}

/* Features that depend on a capability, of any NIC. */
static netdev_features_t vktls_netdev_all_features(void)
{
	return vktls_netdev_cap_features(~0u) | NETIF_F_HW_TLS_TX |
	       NETIF_F_HW_TLS_RX;
}

/* Those of them that this NIC can do with its firmware. */
static netdev_features_t vktls_netdev_able_features(const struct vktls_dev *vd)
{
	return vktls_netdev_cap_features(le32_to_cpu(vd->caps.features)) |
	       vktls_ktls_features(vd);
}

/*
 * Switches off features that other firmware had, and joined frames while there is an XDP
 * program, which could not see them.
 */
static netdev_features_t
vktls_netdev_fix_features(struct net_device *netdev, netdev_features_t features)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	if (vd->xdp_prog)
		features &= ~NETIF_F_GRO_HW;
	return features & ~(vktls_netdev_all_features() &
			    ~vktls_netdev_able_features(vd));
}

/*
 * Tells the NIC about changed features. NETIF_F_GRO_HW changes the size of receive
 * buffers, and so needs new rings.
 */
static int vktls_netdev_apply_features(struct vktls_dev *vd,
				       netdev_features_t changed)
{
	int err = changed & NETIF_F_NTUPLE ? vktls_filter_sync(vd) : 0;

	if (err || !vd->active)
		return err;
	if (changed & NETIF_F_GRO_HW && !vktls_rx_fits(&vd->qp[0]->rx))
		return vktls_netdev_reconfigure(vd, &vd->cfg);
	return vktls_port_sync(vd);
}

static int vktls_netdev_set_features(struct net_device *netdev,
				     netdev_features_t features)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	netdev_features_t old = netdev->features;
	int err;

	netdev->features = features;
	err = vktls_netdev_apply_features(vd, features ^ old);
	if (err) {
		netdev->features = old;
		if (vd->active)
			vktls_port_sync(vd);
	}
	/* A change that failed may have given the NIC some filters. */
	if ((features ^ old) & NETIF_F_NTUPLE &&
	    !((err ? old : features) & NETIF_F_NTUPLE))
		vktls_filter_clear(vd);
	return err;
}

static void vktls_netdev_tx_timeout(struct net_device *netdev,
				    unsigned int queue)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	const struct vktls_tx_ring *tx;

	spin_lock(&vd->stats_lock);
	if (queue < vd->nqps) {
		tx = &vd->qp[queue]->tx;
		netdev_err(netdev, "queue %u: head %u, tail %u, completion %u\n",
			   queue, READ_ONCE(tx->head), READ_ONCE(tx->tail),
			   READ_ONCE(tx->ring.cpl_head));
	}
	spin_unlock(&vd->stats_lock);
	vktls_reset_request(vd, RESET_TX);
}

/* Leaves the segmentation that the NIC cannot do to the stack. */
static netdev_features_t
vktls_netdev_features_check(struct sk_buff *skb, struct net_device *netdev,
			    netdev_features_t features)
{
	if (unlikely(!vktls_gso_can_cut(skb)))
		features &= ~NETIF_F_GSO_MASK;
	return vlan_features_check(skb, features);
}

/*
 * Rings with XDP have other buffers. New rings are only needed for the first program, and
 * after the last one; the interface keeps its carrier.
 */
static int vktls_netdev_xdp_first(struct vktls_dev *vd, struct bpf_prog *prog,
				  struct netlink_ext_ack *extack)
{
	int err;

	WRITE_ONCE(vd->xdp_prog, prog);
	err = vktls_netdev_reconfigure(vd, &vd->cfg);
	if (err) {
		WRITE_ONCE(vd->xdp_prog, NULL);
		NL_SET_ERR_MSG_MOD(extack, "no new rings");
		return err;
	}
	/* The NIC does not join frames any more. */
	netdev_update_features(vd->netdev);
	return 0;
}

/* Succeeds always: if there are no new rings, frames pass through those with XDP. */
static void vktls_netdev_xdp_clear(struct vktls_dev *vd)
{
	WRITE_ONCE(vd->xdp_prog, NULL);
	if (vd->netdev->reg_state == NETREG_REGISTERED)
		netdev_update_features(vd->netdev);
	if (vd->active && !vktls_rx_fits(&vd->qp[0]->rx) &&
	    vktls_netdev_reconfigure(vd, &vd->cfg))
		netdev_warn(vd->netdev, "no new rings: buffers for XDP stay\n");
}

static int vktls_netdev_xdp_set(struct vktls_dev *vd, struct bpf_prog *prog,
				struct netlink_ext_ack *extack)
{
	struct bpf_prog *old = vd->xdp_prog;
	int err = prog ? vktls_xdp_check(vd, prog, extack) : 0;

	if (err)
		return err;
	if (old && prog) {
		WRITE_ONCE(vd->xdp_prog, prog);
	} else if (prog) {
		err = vktls_netdev_xdp_first(vd, prog, extack);
		if (err)
			return err;
	} else if (old) {
		vktls_netdev_xdp_clear(vd);
	}
	/* NAPI may still run the old program: it is freed after a grace period. */
	if (old)
		bpf_prog_put(old);
	return 0;
}

/* ndo_bpf: sets, replaces or removes the XDP program; a program is always removed. */
static int vktls_netdev_bpf(struct net_device *netdev, struct netdev_bpf *bpf)
{
	if (bpf->command != XDP_SETUP_PROG)
		return -EINVAL;
	return vktls_netdev_xdp_set(netdev_priv(netdev), bpf->prog, bpf->extack);
}

static const struct net_device_ops vktls_netdev_ops = {
	.ndo_open = vktls_netdev_open,
	.ndo_stop = vktls_netdev_stop,
	.ndo_start_xmit = vktls_tx_xmit,
	.ndo_features_check = vktls_netdev_features_check,
	.ndo_set_rx_mode = vktls_netdev_set_rx_mode,
	.ndo_set_mac_address = vktls_netdev_set_mac,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_change_mtu = vktls_netdev_change_mtu,
	.ndo_fix_features = vktls_netdev_fix_features,
	.ndo_set_features = vktls_netdev_set_features,
	.ndo_tx_timeout = vktls_netdev_tx_timeout,
	.ndo_get_stats64 = vktls_stats_get64,
	.ndo_bpf = vktls_netdev_bpf,
	.ndo_xdp_xmit = vktls_xdp_xmit,
};

static void vktls_netdev_adopt_mac(struct vktls_dev *vd)
{
	struct sockaddr_storage ss = { .ss_family = ARPHRD_ETHER };
	struct net_device *netdev = vd->netdev;

	ether_addr_copy(netdev->perm_addr, vd->caps.mac);
	if (netdev->addr_assign_type != NET_ADDR_RANDOM ||
	    !is_valid_ether_addr(vd->caps.mac))
		return;
	if (netdev->reg_state != NETREG_REGISTERED) {
		eth_hw_addr_set(netdev, vd->caps.mac);
		netdev->addr_assign_type = NET_ADDR_PERM;
		return;
	}
	ether_addr_copy(((struct sockaddr *)&ss)->sa_data, vd->caps.mac);
	if (!dev_set_mac_address(netdev, &ss, NULL))
		netdev->addr_assign_type = NET_ADDR_PERM;
}

/**
 * vktls_netdev_adopt_caps() - offer the features of the NIC, now known
 * @vd: device with valid vd->caps
 *
 * New features are switched on, except TLS, which the user switches on. The NIC is told
 * of them, as it may run with other firmware than before.
 *
 * Context: RTNL, or probe before registration.
 */
void vktls_netdev_adopt_caps(struct vktls_dev *vd)
{
	struct net_device *netdev = vd->netdev;
	u32 caps = le32_to_cpu(vd->caps.features);
	netdev_features_t features = vktls_netdev_cap_features(caps);
	netdev_features_t fresh = features & ~netdev->hw_features;

	/* Features that the networking core has added must stay. */
	netdev->hw_features &= ~vktls_netdev_all_features();
	netdev->hw_features |= vktls_netdev_able_features(vd);
	netdev->hw_enc_features = features & (NETIF_F_SG | NETIF_F_HW_CSUM |
					      NETIF_F_ALL_TSO | GSO_TUNNEL_FEATURES);
	netdev->vlan_features = netdev->hw_enc_features |
				(features & NETIF_F_GSO_UDP_L4);
	netdev->max_mtu = clamp_t(unsigned int, le16_to_cpu(vd->caps.mtu_max),
				  VKTLS_MTU_MIN, VKTLS_MTU_MAX);
	vktls_netdev_adopt_mac(vd);
	if (netdev->reg_state != NETREG_REGISTERED) {
		netdev->features |= fresh;
		return;
	}
	netdev->wanted_features |= fresh;
	netdev_update_features(netdev);
}

/**
 * vktls_netdev_init() - set up the interface, as far as firmware is not needed
 * @vd: device, not registered
 */
void vktls_netdev_init(struct vktls_dev *vd)
{
	struct net_device *netdev = vd->netdev;

	netdev->netdev_ops = &vktls_netdev_ops;
	netdev->stat_ops = &vktls_stat_ops;
	netdev->xdp_metadata_ops = &vktls_xdp_metadata_ops;
	netdev->xdp_features = XDP_FEATURES;
	netdev->watchdog_timeo = 5 * HZ;
	netdev->min_mtu = VKTLS_MTU_MIN;
	netdev->max_mtu = VKTLS_MTU_MAX;
	netdev->priv_flags |= IFF_UNICAST_FLT | IFF_LIVE_ADDR_CHANGE;
	eth_hw_addr_random(netdev);
	INIT_WORK(&vd->rx_mode_work, vktls_netdev_rx_mode_work);
	netif_carrier_off(netdev);
	/* ndo_xdp_xmit may be called without IFF_UP; a stopped queue tells it to send nothing. */
	netif_tx_stop_all_queues(netdev);

	vd->cfg.qps = min_t(unsigned int, vd->max_qps,
			    netif_get_num_default_rss_queues());
	vd->cfg.tx_log2 = 9;
	vd->cfg.rx_log2 = 9;
	vd->rx_mod = (struct vktls_moderation){ 16, 32, true };
	vd->tx_mod = (struct vktls_moderation){ 32, 64, true };
	vktls_rss_init(vd);
}
