// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters, for ethtool -S, rtnetlink and the queue statistics of netdev-genl. Queue
 * pairs come and go: vd->past keeps their counts, and vd->hw_stats_past the NIC's
 * own from before the last reset.
 */
#include <linux/ethtool.h>
#include <net/netdev_queues.h>

#include "cmd.h"
#include "ktls.h"
#include "qp.h"
#include "stats.h"
#include "vktls.h"

static const char *const vktls_tx_names[TXS_NUM] = {
	[TXS_PACKETS] = "packets",
	[TXS_BYTES] = "bytes",
	[TXS_GSO_PACKETS] = "gso_packets",
	[TXS_GSO_BYTES] = "gso_bytes",
	[TXS_CSUM] = "csum_partial",
	[TXS_TLS] = "tls_packets",
	[TXS_DOORBELLS] = "doorbells",
	[TXS_STOP] = "stop",
	[TXS_DROPPED] = "dropped",
	[TXS_XDP] = "xdp_packets",
	[TXS_XDP_DROPPED] = "xdp_dropped",
	[TXS_WAKE] = "wake",
	[TXS_ERRORS] = "errors",
};

static const char *const vktls_rx_names[RXS_NUM] = {
	[RXS_PACKETS] = "packets",
	[RXS_BYTES] = "bytes",
	[RXS_GRO_PACKETS] = "gro_packets",
	[RXS_GRO_BYTES] = "gro_bytes",
	[RXS_GRO_WIRE_PACKETS] = "gro_wire_packets",
	[RXS_GRO_WIRE_BYTES] = "gro_wire_bytes",
	[RXS_CSUM_OK] = "csum_unnecessary",
	[RXS_CSUM_NONE] = "csum_none",
	[RXS_CSUM_BAD] = "csum_bad",
	[RXS_ALLOC_FAIL] = "alloc_fail",
	[RXS_DROPPED] = "dropped",
	[RXS_XDP_PASS] = "xdp_pass",
	[RXS_XDP_DROP] = "xdp_drop",
	[RXS_XDP_TX] = "xdp_tx",
	[RXS_XDP_REDIRECT] = "xdp_redirect",
	[RXS_XDP_ABORTED] = "xdp_aborted",
	[RXS_XDP_ERRORS] = "xdp_errors",
	[RXS_XDP_TLS_DROP] = "xdp_tls_drop",
};

static const char *const vktls_hw_names[VKTLS_STAT_NUM] = {
	[VKTLS_STAT_TX_FRAMES] = "tx_frames",
	[VKTLS_STAT_TX_BYTES] = "tx_bytes",
	[VKTLS_STAT_TX_TSO_PACKETS] = "tx_tso_packets",
	[VKTLS_STAT_TX_ERRORS] = "tx_errors",
	[VKTLS_STAT_RX_FRAMES] = "rx_frames",
	[VKTLS_STAT_RX_BYTES] = "rx_bytes",
	[VKTLS_STAT_RX_FILTERED] = "rx_filtered",
	[VKTLS_STAT_RX_NO_BUFFER] = "rx_no_buffer",
	[VKTLS_STAT_RX_CSUM_ERRORS] = "rx_csum_errors",
	[VKTLS_STAT_RX_LENGTH_ERRORS] = "rx_length_errors",
	[VKTLS_STAT_RX_MULTICAST] = "rx_multicast",
	[VKTLS_STAT_DMA_READ_BYTES] = "dma_read_bytes",
	[VKTLS_STAT_DMA_WRITE_BYTES] = "dma_write_bytes",
	[VKTLS_STAT_DMA_ERRORS] = "dma_errors",
	[VKTLS_STAT_INTERRUPTS] = "interrupts",
	[VKTLS_STAT_DOORBELLS] = "doorbells",
	[VKTLS_STAT_TLS_TX_PACKETS] = "tls_tx_packets",
	[VKTLS_STAT_TLS_TX_BYTES] = "tls_tx_bytes",
	[VKTLS_STAT_TLS_TX_RECORDS] = "tls_tx_records",
	[VKTLS_STAT_TLS_TX_DROP_SEQ] = "tls_tx_drop_seq",
	[VKTLS_STAT_TLS_TX_DROP_HEADER] = "tls_tx_drop_header",
	[VKTLS_STAT_TLS_TX_DROP_NONCE] = "tls_tx_drop_nonce",
	[VKTLS_STAT_TLS_TX_DROP_OTHER] = "tls_tx_drop_other",
	[VKTLS_STAT_TLS_CTX_LIVE] = "tls_ctx_live",
	[VKTLS_STAT_TLS_CTX_ADDS] = "tls_ctx_adds",
	[VKTLS_STAT_TLS_CTX_DELS] = "tls_ctx_dels",
	[VKTLS_STAT_TLS_RESYNCS] = "tls_resyncs",
	[VKTLS_STAT_FAULTS_INJECTED] = "faults_injected",
	[VKTLS_STAT_EVENTS_LOST] = "events_lost",
	[VKTLS_STAT_TLS_RX_PACKETS] = "tls_rx_packets",
	[VKTLS_STAT_TLS_RX_BYTES] = "tls_rx_bytes",
	[VKTLS_STAT_TLS_RX_RECORDS] = "tls_rx_records",
	[VKTLS_STAT_TLS_RX_BYPASSED] = "tls_rx_bypassed",
	[VKTLS_STAT_TLS_RX_AUTH_ERRORS] = "tls_rx_auth_errors",
	[VKTLS_STAT_TLS_RX_LOST] = "tls_rx_lost",
	[VKTLS_STAT_TLS_RX_ASKED] = "tls_rx_asked",
	[VKTLS_STAT_TLS_TX_REPLAYS] = "tls_tx_replays",
	[VKTLS_STAT_TLS_TX_REPLAY_BYTES] = "tls_tx_replay_bytes",
	[VKTLS_STAT_TLS_TX_REPLAY_READ] = "tls_tx_replay_read",
	[VKTLS_STAT_TLS_TX_DROP_REPLAY] = "tls_tx_drop_replay",
	[VKTLS_STAT_TLS_RX_LATE] = "tls_rx_late",
	[VKTLS_STAT_TLS_RX_FOUND] = "tls_rx_found",
	[VKTLS_STAT_TLS_RX_REKEYS] = "tls_rx_rekeys",
	[VKTLS_STAT_TLS_TX_REKEYS] = "tls_tx_rekeys",
	[VKTLS_STAT_TX_DESCS] = "tx_descs",
	[VKTLS_STAT_RX_DESCS] = "rx_descs",
	[VKTLS_STAT_RX_GRO_PACKETS] = "rx_gro_packets",
	[VKTLS_STAT_RX_GRO_FRAMES] = "rx_gro_frames",
	[VKTLS_STAT_TLS_TX_REPLAY_KEPT] = "tls_tx_replay_kept",
	[VKTLS_STAT_RX_FLOW_HITS] = "rx_flow_hits",
	[VKTLS_STAT_RX_FLOW_DROPS] = "rx_flow_drops",
	[VKTLS_STAT_TX_BROADCAST] = "tx_broadcast",
	[VKTLS_STAT_TX_MULTICAST] = "tx_multicast",
	[VKTLS_STAT_TX_CONTROL] = "tx_control",
	[VKTLS_STAT_TX_PAUSE] = "tx_pause",
	[VKTLS_STAT_RX_BROADCAST] = "rx_broadcast",
	[VKTLS_STAT_RX_CONTROL] = "rx_control",
	[VKTLS_STAT_RX_PAUSE] = "rx_pause",
	[VKTLS_STAT_TX_SIZE_64] = "tx_size_64",
	[VKTLS_STAT_TX_SIZE_127] = "tx_size_127",
	[VKTLS_STAT_TX_SIZE_255] = "tx_size_255",
	[VKTLS_STAT_TX_SIZE_511] = "tx_size_511",
	[VKTLS_STAT_TX_SIZE_1023] = "tx_size_1023",
	[VKTLS_STAT_TX_SIZE_1518] = "tx_size_1518",
	[VKTLS_STAT_TX_SIZE_MAX] = "tx_size_max",
	[VKTLS_STAT_RX_SIZE_64] = "rx_size_64",
	[VKTLS_STAT_RX_SIZE_127] = "rx_size_127",
	[VKTLS_STAT_RX_SIZE_255] = "rx_size_255",
	[VKTLS_STAT_RX_SIZE_511] = "rx_size_511",
	[VKTLS_STAT_RX_SIZE_1023] = "rx_size_1023",
	[VKTLS_STAT_RX_SIZE_1518] = "rx_size_1518",
	[VKTLS_STAT_RX_SIZE_MAX] = "rx_size_max",
};

/* Totals over queue pairs, then the NIC, TLS, and each queue pair. */
#define QP_NAMES	(TXS_NUM + RXS_NUM + 1)

/**
 * vktls_stats_keep() - add the counters of vd->qp to those of past ones
 * @vd: device, its queue pairs about to go
 *
 * Context: RTNL, stats_lock held.
 */
void vktls_stats_keep(struct vktls_dev *vd)
{
	unsigned int i;

	for (i = 0; i < vd->nqps; i++)
		vktls_qp_totals(vd->qp[i], vd->past);
}

static void vktls_stats_sum(struct vktls_dev *vd, struct vktls_totals *sum)
{
	unsigned int i;

	spin_lock_bh(&vd->stats_lock);
	*sum = *vd->past;
	for (i = 0; i < vd->nqps; i++)
		vktls_qp_totals(vd->qp[i], sum);
	spin_unlock_bh(&vd->stats_lock);
}

/**
 * vktls_stats_hw() - a counter of the NIC, summed over its resets
 * @vd: device
 * @stat: VKTLS_STAT_*
 *
 * Context: stats_lock held.
 * Return: the counter, as of the last vktls_port_stats_sync().
 */
u64 vktls_stats_hw(struct vktls_dev *vd, unsigned int stat)
{
	return vd->hw_stats[stat] + vd->hw_stats_past[stat];
}

/**
 * vktls_stats_num() - how many counters ethtool -S shows
 * @vd: device
 *
 * Context: RTNL.
 * Return: number of names and of values.
 */
unsigned int vktls_stats_num(struct vktls_dev *vd)
{
	return QP_NAMES * (1 + vd->cfg.qps) + 2 + VKTLS_STAT_NUM +
	       vktls_ktls_stats_num();
}

static void vktls_stats_names_qp(u8 **data, const char *suffix)
{
	unsigned int i;

	for (i = 0; i < TXS_NUM; i++)
		ethtool_sprintf(data, "tx%s_%s", suffix, vktls_tx_names[i]);
	for (i = 0; i < RXS_NUM; i++)
		ethtool_sprintf(data, "rx%s_%s", suffix, vktls_rx_names[i]);
	ethtool_sprintf(data, "irq%s", suffix);
}

/**
 * vktls_stats_names() - names for ethtool -S
 * @vd: device
 * @data: vktls_stats_num() times ETH_GSTRING_LEN bytes
 *
 * Context: RTNL.
 */
void vktls_stats_names(struct vktls_dev *vd, u8 *data)
{
	char suffix[12];
	unsigned int i;

	vktls_stats_names_qp(&data, "");
	for (i = 0; i < VKTLS_STAT_NUM; i++)
		ethtool_sprintf(&data, "dev_%s", vktls_hw_names[i]);
	ethtool_puts(&data, "resets");
	ethtool_puts(&data, "irq_lost");
	vktls_ktls_stats_names(&data);
	for (i = 0; i < vd->cfg.qps; i++) {
		snprintf(suffix, sizeof(suffix), "%u", i);
		vktls_stats_names_qp(&data, suffix);
	}
}

static u64 *vktls_stats_values_qp(u64 *data, const struct vktls_totals *sum)
{
	memcpy(data, sum->tx, sizeof(sum->tx));
	data += TXS_NUM;
	memcpy(data, sum->rx, sizeof(sum->rx));
	data += RXS_NUM;
	*data++ = sum->irqs;
	return data;
}

/**
 * vktls_stats_values() - values for ethtool -S; reads the NIC's counters
 * @vd: device
 * @data: vktls_stats_num() values
 *
 * Context: RTNL; sleeps.
 */
void vktls_stats_values(struct vktls_dev *vd, u64 *data)
{
	struct vktls_totals sum;
	unsigned int i;

	if (test_bit(DEV_FW_UP, &vd->state))
		vktls_port_stats_sync(vd);
	vktls_stats_sum(vd, &sum);
	data = vktls_stats_values_qp(data, &sum);
	spin_lock_bh(&vd->stats_lock);
	for (i = 0; i < VKTLS_STAT_NUM; i++)
		*data++ = vktls_stats_hw(vd, i);
	spin_unlock_bh(&vd->stats_lock);
	*data++ = vd->resets;
	*data++ = atomic_long_read(&vd->irqs_lost);
	vktls_ktls_stats_get(vd, data);
	data += vktls_ktls_stats_num();
	for (i = 0; i < vd->cfg.qps; i++) {
		memset(&sum, 0, sizeof(sum));
		if (vd->qp)
			vktls_qp_totals(vd->qp[i], &sum);
		data = vktls_stats_values_qp(data, &sum);
	}
}

/**
 * vktls_stats_get64() - ndo_get_stats64
 * @netdev: interface
 * @stats: to fill in
 *
 * The NIC's counters may be a second old: this function must not wait for a command.
 *
 * Context: any but hard interrupt.
 */
void vktls_stats_get64(struct net_device *netdev,
		       struct rtnl_link_stats64 *stats)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_totals sum;

	vktls_stats_sum(vd, &sum);
	stats->tx_packets = sum.tx[TXS_PACKETS];
	stats->tx_bytes = sum.tx[TXS_BYTES];
	stats->tx_dropped = sum.tx[TXS_DROPPED];
	stats->tx_errors = sum.tx[TXS_ERRORS];
	stats->rx_packets = sum.rx[RXS_PACKETS];
	stats->rx_bytes = sum.rx[RXS_BYTES];
	stats->rx_dropped = sum.rx[RXS_DROPPED];
	spin_lock_bh(&vd->stats_lock);
	stats->multicast = vktls_stats_hw(vd, VKTLS_STAT_RX_MULTICAST);
	stats->rx_missed_errors = vktls_stats_hw(vd, VKTLS_STAT_RX_NO_BUFFER);
	stats->rx_length_errors =
		vktls_stats_hw(vd, VKTLS_STAT_RX_LENGTH_ERRORS);
	stats->rx_errors = stats->rx_length_errors;
	spin_unlock_bh(&vd->stats_lock);
}

static void vktls_stats_genl_rx(const struct vktls_totals *sum,
				struct netdev_queue_stats_rx *rx)
{
	rx->packets = sum->rx[RXS_PACKETS];
	rx->bytes = sum->rx[RXS_BYTES];
	rx->hw_gro_packets = sum->rx[RXS_GRO_PACKETS];
	rx->hw_gro_bytes = sum->rx[RXS_GRO_BYTES];
	rx->hw_gro_wire_packets = sum->rx[RXS_GRO_WIRE_PACKETS];
	rx->hw_gro_wire_bytes = sum->rx[RXS_GRO_WIRE_BYTES];
	rx->alloc_fail = sum->rx[RXS_ALLOC_FAIL];
	rx->csum_unnecessary = sum->rx[RXS_CSUM_OK];
	rx->csum_none = sum->rx[RXS_CSUM_NONE];
	rx->csum_bad = sum->rx[RXS_CSUM_BAD];
}

static void vktls_stats_genl_tx(const struct vktls_totals *sum,
				struct netdev_queue_stats_tx *tx)
{
	tx->packets = sum->tx[TXS_PACKETS];
	tx->bytes = sum->tx[TXS_BYTES];
	tx->needs_csum = sum->tx[TXS_CSUM];
	tx->hw_gso_packets = sum->tx[TXS_GSO_PACKETS];
	tx->hw_gso_bytes = sum->tx[TXS_GSO_BYTES];
	tx->stop = sum->tx[TXS_STOP];
	tx->wake = sum->tx[TXS_WAKE];
}

static void vktls_stats_queue_rx(struct net_device *netdev, int idx,
				 struct netdev_queue_stats_rx *rx)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_totals sum = {};

	if (vd->qp)
		vktls_qp_totals(vd->qp[idx], &sum);
	vktls_stats_genl_rx(&sum, rx);
}

static void vktls_stats_queue_tx(struct net_device *netdev, int idx,
				 struct netdev_queue_stats_tx *tx)
{
	struct vktls_dev *vd = netdev_priv(netdev);
	struct vktls_totals sum = {};

	if (vd->qp)
		vktls_qp_totals(vd->qp[idx], &sum);
	vktls_stats_genl_tx(&sum, tx);
}

static void vktls_stats_base(struct net_device *netdev,
			     struct netdev_queue_stats_rx *rx,
			     struct netdev_queue_stats_tx *tx)
{
	struct vktls_dev *vd = netdev_priv(netdev);

	vktls_stats_genl_rx(vd->past, rx);
	vktls_stats_genl_tx(vd->past, tx);
}

/* Operations of the queue statistics; called under RTNL. */
const struct netdev_stat_ops vktls_stat_ops = {
	.get_queue_stats_rx = vktls_stats_queue_rx,
	.get_queue_stats_tx = vktls_stats_queue_tx,
	.get_base_stats = vktls_stats_base,
};
