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
	[KTLS_ENCRYPTED_PACKETS] = "tx_tls_encrypted_packets",
	[KTLS_ENCRYPTED_BYTES] = "tx_tls_encrypted_bytes",
	[KTLS_CTX] = "tx_tls_ctx",
	[KTLS_OOO] = "tx_tls_ooo",
	[KTLS_SKIP_NO_SYNC] = "tx_tls_skip_no_sync_data",
	[KTLS_DROP_NO_SYNC] = "tx_tls_drop_no_sync_data",
	[KTLS_DROP_BYPASS] = "tx_tls_drop_bypass_req",
	[KTLS_DROP_TUNNEL] = "tx_tls_drop_tunnel",
	[KTLS_DROP_FRAGMENT] = "tx_tls_drop_fragment",
	[KTLS_PLAIN_UNMARKED] = "tx_tls_plain_unmarked",
	[KTLS_SKIP_ENCRYPTED] = "tx_tls_skip_encrypted",
	[KTLS_DEL] = "tx_tls_del",
	[KTLS_DEL_FAILED] = "tx_tls_del_failed",
	[KTLS_NO_SPACE] = "tx_tls_no_space",
	[KTLS_ADD_FAILED] = "tx_tls_add_failed",
	[KTLS_REFUSED_VERSION] = "tx_tls_refused_version",
	[KTLS_REFUSED_CIPHER] = "tx_tls_refused_cipher",
	[KTLS_REFUSED_ROUTE] = "tx_tls_refused_route",
	[KTLS_REFUSED_SIGNED] = "tx_tls_refused_signed",
	[KTLS_RESYNC_REQ] = "tx_tls_resync_req",
	[KTLS_RESYNC_OK] = "tx_tls_resync_ok",
	[KTLS_RESYNC_FAILED] = "tx_tls_resync_failed",
	[KTLS_READD] = "tx_tls_readd",
	[KTLS_FALLBACK_RETRANSMIT] = "tx_tls_fallback_retransmit",
	[KTLS_FALLBACK_GAP] = "tx_tls_fallback_gap",
	[KTLS_FALLBACK_LOST] = "tx_tls_fallback_lost",
	[KTLS_FALLBACK_BYTES] = "tx_tls_fallback_bytes",
	[KTLS_FALLBACK_FAILED] = "tx_tls_fallback_failed",
	[KTLS_LOST_RESET] = "tx_tls_lost_reset",
	[KTLS_LOST_DEVICE] = "tx_tls_lost_device",
	[KTLS_LOST_FORGOTTEN] = "tx_tls_lost_forgotten",
	[KTLS_LOST_UNSENT] = "tx_tls_lost_unsent",
	[KTLS_REPLAY_PACKETS] = "tx_tls_replay_packets",
	[KTLS_REPLAY_BYTES] = "tx_tls_replay_bytes",
	[KTLS_REPLAY_REFUSED] = "tx_tls_replay_refused",
	[KTLS_REPLAY_UNSENT] = "tx_tls_replay_unsent",
	[KTLS_REPLAY_NO_MODE] = "tx_tls_replay_no_mode",
	[KTLS_REPLAY_NO_CTX] = "tx_tls_replay_no_ctx",
	[KTLS_REPLAY_NO_RATE] = "tx_tls_replay_no_rate",
	[KTLS_REPLAY_NO_PAUSE] = "tx_tls_replay_no_pause",
	[KTLS_REPLAY_NO_OLD] = "tx_tls_replay_no_old",
	[KTLS_REPLAY_NO_OPEN] = "tx_tls_replay_no_open",
	[KTLS_REPLAY_NO_RECORD] = "tx_tls_replay_no_record",
	[KTLS_REPLAY_NO_ROOM] = "tx_tls_replay_no_room",
	[KTLS_POLICY_SOFTWARE] = "tx_tls_policy_software",
	[KTLS_POLICY_REPLAY] = "tx_tls_policy_replay",
	[KTLS_RX_DECRYPTED_PACKETS] = "rx_tls_decrypted_packets",
	[KTLS_RX_DECRYPTED_BYTES] = "rx_tls_decrypted_bytes",
	[KTLS_RX_CTX] = "rx_tls_ctx",
	[KTLS_RX_DEL] = "rx_tls_del",
	[KTLS_RX_DEL_FAILED] = "rx_tls_del_failed",
	[KTLS_RX_REQ_PKT] = "rx_tls_resync_req_pkt",
	[KTLS_RX_REQ_START] = "rx_tls_resync_req_start",
	[KTLS_RX_REQ_END] = "rx_tls_resync_req_end",
	[KTLS_RX_REQ_SKIP] = "rx_tls_resync_req_skip",
	[KTLS_RX_RES_OK] = "rx_tls_resync_res_ok",
	[KTLS_RX_RES_SKIP] = "rx_tls_resync_res_skip",
	[KTLS_RX_ERR] = "rx_tls_err",
	[KTLS_RX_BYPASSED] = "rx_tls_bypassed",
	[KTLS_RX_DROP_STRAY] = "rx_tls_drop_stray",
	[KTLS_RX_REQ_DIRECT] = "rx_tls_resync_req_direct",
	[KTLS_RX_LOST_GAP] = "rx_tls_lost_gap",
	[KTLS_RX_LOST_HEADER] = "rx_tls_lost_header",
	[KTLS_RX_LOST_AUTH] = "rx_tls_lost_auth",
	[KTLS_RX_LOST_RESET] = "rx_tls_lost_reset",
	[KTLS_RX_LOST_FORGOTTEN] = "rx_tls_lost_forgotten",
	[KTLS_RX_READD] = "rx_tls_readd",
	[KTLS_RX_NO_SPACE] = "rx_tls_no_space",
	[KTLS_RX_ADD_FAILED] = "rx_tls_add_failed",
	[KTLS_RX_REFUSED_VERSION] = "rx_tls_refused_version",
	[KTLS_RX_REFUSED_CIPHER] = "rx_tls_refused_cipher",
	[KTLS_RX_REFUSED_ROUTE] = "rx_tls_refused_route",
	[KTLS_RX_REFUSED_SIGNED] = "rx_tls_refused_signed",
	[KTLS_RX_LOST_KEY] = "rx_tls_lost_key",
	[KTLS_RX_KEYS] = "rx_tls_keys_given",
	[KTLS_RX_KEYS_REFUSED] = "rx_tls_keys_refused",
	[KTLS_KEYS] = "tx_tls_keys_given",
	[KTLS_KEYS_REFUSED] = "tx_tls_keys_refused",
	[KTLS_KEYS_KEPT] = "tx_tls_keys_kept",
	[KTLS_DEL_LATER] = "tls_del_later",
	[KTLS_DEL_RESET] = "tls_del_reset",
};

static_assert(ARRAY_SIZE(vktls_ktls_stat_names) == KTLS_STATS_NUM);

/* Returns the name of a counter, for trace points. */
const char *vktls_ktls_stat_name(enum vktls_ktls_stat stat)
{
	return vktls_ktls_stat_names[stat];
}

unsigned int vktls_ktls_stats_num(void)
{
	return KTLS_STATS_NUM;
}

void vktls_ktls_stats_names(u8 **data)
{
	unsigned int i;

	for (i = 0; i < KTLS_STATS_NUM; i++)
		ethtool_puts(data, vktls_ktls_stat_names[i]);
}

void vktls_ktls_stats_get(struct vktls_dev *vd, u64 *data)
{
	unsigned int i;
	int cpu;

	memset(data, 0, KTLS_STATS_NUM * sizeof(*data));
	for_each_possible_cpu(cpu) {
		const u64 *stats = per_cpu_ptr(vd->ktls->stats, cpu);

		for (i = 0; i < KTLS_STATS_NUM; i++)
			data[i] += READ_ONCE(stats[i]);
	}
}
