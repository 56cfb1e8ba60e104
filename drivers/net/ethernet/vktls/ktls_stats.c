// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names and sums of the TLS counters. Counters that the kernel's document on TLS
 * offload names have those names; docs/tls.rst explains all.
 */
#include <linux/ethtool.h>
#include <linux/percpu.h>
#include <linux/string.h>

#include "ktls_priv.h"
#include "vktls.h"

static const char vktls_ktls_stat_names[][ETH_GSTRING_LEN] = {
	[VKTLS_KTLS_ENCRYPTED_PACKETS] = "tx_tls_encrypted_packets",
	[VKTLS_KTLS_ENCRYPTED_BYTES] = "tx_tls_encrypted_bytes",
	[VKTLS_KTLS_CTX] = "tx_tls_ctx",
	[VKTLS_KTLS_OOO] = "tx_tls_ooo",
	[VKTLS_KTLS_SKIP_NO_SYNC] = "tx_tls_skip_no_sync_data",
	[VKTLS_KTLS_DROP_NO_SYNC] = "tx_tls_drop_no_sync_data",
	[VKTLS_KTLS_DROP_BYPASS] = "tx_tls_drop_bypass_req",
	[VKTLS_KTLS_DROP_TUNNEL] = "tx_tls_drop_tunnel",
	[VKTLS_KTLS_DROP_FRAGMENT] = "tx_tls_drop_fragment",
	[VKTLS_KTLS_PLAIN_UNMARKED] = "tx_tls_plain_unmarked",
	[VKTLS_KTLS_SKIP_ENCRYPTED] = "tx_tls_skip_encrypted",
	[VKTLS_KTLS_DEL] = "tx_tls_del",
	[VKTLS_KTLS_DEL_FAILED] = "tx_tls_del_failed",
	[VKTLS_KTLS_NO_SPACE] = "tx_tls_no_space",
	[VKTLS_KTLS_ADD_FAILED] = "tx_tls_add_failed",
	[VKTLS_KTLS_REFUSED_VERSION] = "tx_tls_refused_version",
	[VKTLS_KTLS_REFUSED_CIPHER] = "tx_tls_refused_cipher",
	[VKTLS_KTLS_REFUSED_ROUTE] = "tx_tls_refused_route",
	[VKTLS_KTLS_REFUSED_SIGNED] = "tx_tls_refused_signed",
	[VKTLS_KTLS_RESYNC_REQ] = "tx_tls_resync_req",
	[VKTLS_KTLS_RESYNC_OK] = "tx_tls_resync_ok",
	[VKTLS_KTLS_RESYNC_FAILED] = "tx_tls_resync_failed",
	[VKTLS_KTLS_READD] = "tx_tls_readd",
	[VKTLS_KTLS_FALLBACK_RETRANSMIT] = "tx_tls_fallback_retransmit",
	[VKTLS_KTLS_FALLBACK_GAP] = "tx_tls_fallback_gap",
	[VKTLS_KTLS_FALLBACK_LOST] = "tx_tls_fallback_lost",
	[VKTLS_KTLS_FALLBACK_BYTES] = "tx_tls_fallback_bytes",
	[VKTLS_KTLS_FALLBACK_FAILED] = "tx_tls_fallback_failed",
	[VKTLS_KTLS_LOST_RESET] = "tx_tls_lost_reset",
	[VKTLS_KTLS_LOST_DEVICE] = "tx_tls_lost_device",
	[VKTLS_KTLS_LOST_FORGOTTEN] = "tx_tls_lost_forgotten",
	[VKTLS_KTLS_LOST_UNSENT] = "tx_tls_lost_unsent",
	[VKTLS_KTLS_REPLAY_PACKETS] = "tx_tls_replay_packets",
	[VKTLS_KTLS_REPLAY_BYTES] = "tx_tls_replay_bytes",
	[VKTLS_KTLS_REPLAY_REFUSED] = "tx_tls_replay_refused",
	[VKTLS_KTLS_REPLAY_UNSENT] = "tx_tls_replay_unsent",
	[VKTLS_KTLS_REPLAY_NO_MODE] = "tx_tls_replay_no_mode",
	[VKTLS_KTLS_REPLAY_NO_CTX] = "tx_tls_replay_no_ctx",
	[VKTLS_KTLS_REPLAY_NO_RATE] = "tx_tls_replay_no_rate",
	[VKTLS_KTLS_REPLAY_NO_PAUSE] = "tx_tls_replay_no_pause",
	[VKTLS_KTLS_REPLAY_NO_OLD] = "tx_tls_replay_no_old",
	[VKTLS_KTLS_REPLAY_NO_OPEN] = "tx_tls_replay_no_open",
	[VKTLS_KTLS_REPLAY_NO_RECORD] = "tx_tls_replay_no_record",
	[VKTLS_KTLS_REPLAY_NO_ROOM] = "tx_tls_replay_no_room",
	[VKTLS_KTLS_POLICY_SOFTWARE] = "tx_tls_policy_software",
	[VKTLS_KTLS_POLICY_REPLAY] = "tx_tls_policy_replay",
	[VKTLS_KTLS_RX_DECRYPTED_PACKETS] = "rx_tls_decrypted_packets",
	[VKTLS_KTLS_RX_DECRYPTED_BYTES] = "rx_tls_decrypted_bytes",
	[VKTLS_KTLS_RX_CTX] = "rx_tls_ctx",
	[VKTLS_KTLS_RX_DEL] = "rx_tls_del",
	[VKTLS_KTLS_RX_DEL_FAILED] = "rx_tls_del_failed",
	[VKTLS_KTLS_RX_REQ_PKT] = "rx_tls_resync_req_pkt",
	[VKTLS_KTLS_RX_REQ_START] = "rx_tls_resync_req_start",
	[VKTLS_KTLS_RX_REQ_END] = "rx_tls_resync_req_end",
	[VKTLS_KTLS_RX_REQ_SKIP] = "rx_tls_resync_req_skip",
	[VKTLS_KTLS_RX_RES_OK] = "rx_tls_resync_res_ok",
	[VKTLS_KTLS_RX_RES_SKIP] = "rx_tls_resync_res_skip",
	[VKTLS_KTLS_RX_ERR] = "rx_tls_err",
	[VKTLS_KTLS_RX_BYPASSED] = "rx_tls_bypassed",
	[VKTLS_KTLS_RX_DROP_STRAY] = "rx_tls_drop_stray",
	[VKTLS_KTLS_RX_REQ_DIRECT] = "rx_tls_resync_req_direct",
	[VKTLS_KTLS_RX_LOST_GAP] = "rx_tls_lost_gap",
	[VKTLS_KTLS_RX_LOST_HEADER] = "rx_tls_lost_header",
	[VKTLS_KTLS_RX_LOST_AUTH] = "rx_tls_lost_auth",
	[VKTLS_KTLS_RX_LOST_RESET] = "rx_tls_lost_reset",
	[VKTLS_KTLS_RX_LOST_FORGOTTEN] = "rx_tls_lost_forgotten",
	[VKTLS_KTLS_RX_READD] = "rx_tls_readd",
	[VKTLS_KTLS_RX_NO_SPACE] = "rx_tls_no_space",
	[VKTLS_KTLS_RX_ADD_FAILED] = "rx_tls_add_failed",
	[VKTLS_KTLS_RX_REFUSED_VERSION] = "rx_tls_refused_version",
	[VKTLS_KTLS_RX_REFUSED_CIPHER] = "rx_tls_refused_cipher",
	[VKTLS_KTLS_RX_REFUSED_ROUTE] = "rx_tls_refused_route",
	[VKTLS_KTLS_RX_REFUSED_SIGNED] = "rx_tls_refused_signed",
	[VKTLS_KTLS_DEL_LATER] = "tls_del_later",
	[VKTLS_KTLS_DEL_RESET] = "tls_del_reset",
};

static_assert(ARRAY_SIZE(vktls_ktls_stat_names) == VKTLS_KTLS_STATS_NUM);

/* Returns the name of a counter, for trace points. */
const char *vktls_ktls_stat_name(enum vktls_ktls_stat stat)
{
	return vktls_ktls_stat_names[stat];
}

unsigned int vktls_ktls_stats_num(void)
{
	return VKTLS_KTLS_STATS_NUM;
}

void vktls_ktls_stats_names(u8 **data)
{
	unsigned int i;

	for (i = 0; i < VKTLS_KTLS_STATS_NUM; i++)
		ethtool_puts(data, vktls_ktls_stat_names[i]);
}

void vktls_ktls_stats_get(struct vktls_dev *vd, u64 *data)
{
	unsigned int i;
	int cpu;

	memset(data, 0, VKTLS_KTLS_STATS_NUM * sizeof(*data));
	for_each_possible_cpu(cpu) {
		const u64 *stats = per_cpu_ptr(vd->ktls->stats, cpu);

		for (i = 0; i < VKTLS_KTLS_STATS_NUM; i++)
			data[i] += READ_ONCE(stats[i]);
	}
}
