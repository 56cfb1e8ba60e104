// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of a network namespace and /proc/net/tls_stat. The array is longer
 * than that of the kernel's tls.ko, but uses the same pointer of the namespace,
 * net->mib.tls_statistics.
 */

#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/ip.h>

#include "stats.h"

/* Names of enum tls_why and enum tls_left, as parts of counter names. */
static const char *const tls_reasons[] = {
	"NoDevice", "FeatureOff", "DeviceDown", "NotThisVersion",
	"NotThisCipher", "RouteWraps", "TcpSigns", "NotWanted", "NotYet",
	"DeviceFull", "DeviceNoMemory", "DeviceRefused",
	"LeftDevice", "LeftRekey", "LeftRoute", "LeftProgram",
};

static_assert(ARRAY_SIZE(tls_reasons) == TLS_MIB_RX_WHY - TLS_MIB_TX_WHY);

static const struct snmp_mib tls_mib_list[] = {
	SNMP_MIB_ITEM("TlsCurrTxSw", LINUX_MIB_TLSCURRTXSW),
	SNMP_MIB_ITEM("TlsCurrRxSw", LINUX_MIB_TLSCURRRXSW),
	SNMP_MIB_ITEM("TlsCurrTxDevice", LINUX_MIB_TLSCURRTXDEVICE),
	SNMP_MIB_ITEM("TlsCurrRxDevice", LINUX_MIB_TLSCURRRXDEVICE),
	SNMP_MIB_ITEM("TlsTxSw", LINUX_MIB_TLSTXSW),
	SNMP_MIB_ITEM("TlsRxSw", LINUX_MIB_TLSRXSW),
	SNMP_MIB_ITEM("TlsTxDevice", LINUX_MIB_TLSTXDEVICE),
	SNMP_MIB_ITEM("TlsRxDevice", LINUX_MIB_TLSRXDEVICE),
	SNMP_MIB_ITEM("TlsDecryptError", LINUX_MIB_TLSDECRYPTERROR),
	SNMP_MIB_ITEM("TlsRxDeviceResync", LINUX_MIB_TLSRXDEVICERESYNC),
	SNMP_MIB_ITEM("TlsDecryptRetry", LINUX_MIB_TLSDECRYPTRETRY),
	SNMP_MIB_ITEM("TlsRxNoPadViolation", LINUX_MIB_TLSRXNOPADVIOL),
	SNMP_MIB_ITEM("TlsRxRekeyOk", TLS_MIB_RX_REKEY_OK),
	SNMP_MIB_ITEM("TlsRxRekeyError", TLS_MIB_RX_REKEY_ERROR),
	SNMP_MIB_ITEM("TlsTxRekeyOk", TLS_MIB_TX_REKEY_OK),
	SNMP_MIB_ITEM("TlsTxRekeyError", TLS_MIB_TX_REKEY_ERROR),
	SNMP_MIB_ITEM("TlsRxRekeyReceived", TLS_MIB_RX_REKEY_RECEIVED),
	SNMP_MIB_ITEM("TlsCurrTxRekey", TLS_MIB_CURR_TX_REKEY),
	SNMP_MIB_ITEM("TlsCurrRxRekey", TLS_MIB_CURR_RX_REKEY),
	SNMP_MIB_ITEM("TlsTxRekeyFallback", TLS_MIB_TX_REKEY_FALLBACK),
	SNMP_MIB_ITEM("TlsRxRekeyFallback", TLS_MIB_RX_REKEY_FALLBACK),
	SNMP_MIB_ITEM("TlsTxRekeyAborted", TLS_MIB_TX_REKEY_ABORTED),
	SNMP_MIB_ITEM("TlsRxRekeyAborted", TLS_MIB_RX_REKEY_ABORTED),
	SNMP_MIB_ITEM("TlsTxKeyUpdate", TLS_MIB_TX_KEY_UPDATE),
	SNMP_MIB_ITEM("TlsRxKeyUpdate", TLS_MIB_RX_KEY_UPDATE),
	SNMP_MIB_ITEM("TlsRxKeyUpdateRefused", TLS_MIB_RX_KEY_UPDATE_REFUSED),
	SNMP_MIB_ITEM("TlsTxKeyNearLimit", TLS_MIB_TX_KEY_NEAR_LIMIT),
	SNMP_MIB_ITEM("TlsRxKeyNearLimit", TLS_MIB_RX_KEY_NEAR_LIMIT),
	SNMP_MIB_ITEM("TlsTxKeyLimit", TLS_MIB_TX_KEY_LIMIT),
	SNMP_MIB_ITEM("TlsRxKeyLimit", TLS_MIB_RX_KEY_LIMIT),
	SNMP_MIB_ITEM("TlsRxCopy", TLS_MIB_RX_COPY),
	SNMP_MIB_ITEM("TlsTxPushLater", TLS_MIB_TX_PUSH_LATER),
	SNMP_MIB_ITEM("TlsTxSealLater", TLS_MIB_TX_SEAL_LATER),
	SNMP_MIB_ITEM("TlsTxFallback", TLS_MIB_TX_FALLBACK),
	SNMP_MIB_ITEM("TlsTxFallbackDriver", TLS_MIB_TX_FALLBACK_DRIVER),
	SNMP_MIB_ITEM("TlsTxFallbackRoute", TLS_MIB_TX_FALLBACK_ROUTE),
	SNMP_MIB_ITEM("TlsTxFallbackLost", TLS_MIB_TX_FALLBACK_LOST),
	SNMP_MIB_ITEM("TlsTxFallbackWrapped", TLS_MIB_TX_FALLBACK_WRAPPED),
	SNMP_MIB_ITEM("TlsTxFallbackAcked", TLS_MIB_TX_FALLBACK_ACKED),
	SNMP_MIB_ITEM("TlsTxFallbackError", TLS_MIB_TX_FALLBACK_ERROR),
	SNMP_MIB_ITEM("TlsTxDropFragment", TLS_MIB_TX_DROP_FRAGMENT),
	SNMP_MIB_ITEM("TlsTxDropWrapped", TLS_MIB_TX_DROP_WRAPPED),
	SNMP_MIB_ITEM("TlsTxSegmented", TLS_MIB_TX_SEGMENTED),
	SNMP_MIB_ITEM("TlsTxDeviceResync", TLS_MIB_TX_RESYNC),
	SNMP_MIB_ITEM("TlsTxDeviceAgain", TLS_MIB_TX_DEVICE_AGAIN),
	SNMP_MIB_ITEM("TlsRxDeviceAgain", TLS_MIB_RX_DEVICE_AGAIN),
	SNMP_MIB_ITEM("TlsRxDeviceMended", TLS_MIB_RX_DEVICE_MENDED),
	SNMP_MIB_ITEM("TlsRxDeviceKeyUpdate", TLS_MIB_RX_DEVICE_KEY_UPDATE),
	SNMP_MIB_ITEM("TlsTxDeviceKeyUpdate", TLS_MIB_TX_DEVICE_KEY_UPDATE),
};

static unsigned long tls_stats_fold(struct net *net, int entry)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += snmp_get_cpu_field(net->mib.tls_statistics, cpu, entry);
	return sum;
}

static void tls_stats_show_reasons(struct seq_file *seq, const char *dir,
				   int first)
{
	char name[32];
	int i;

	for (i = 0; i < ARRAY_SIZE(tls_reasons); i++) {
		scnprintf(name, sizeof(name), "Tls%s%s", dir, tls_reasons[i]);
		seq_printf(seq, "%-32s\t%lu\n", name,
			   tls_stats_fold(seq->private, first + i));
	}
}

static int tls_stats_show(struct seq_file *seq, void *v)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(tls_mib_list); i++)
		seq_printf(seq, "%-32s\t%lu\n", tls_mib_list[i].name,
			   tls_stats_fold(seq->private,
					  tls_mib_list[i].entry));
	tls_stats_show_reasons(seq, "Tx", TLS_MIB_TX_WHY);
	tls_stats_show_reasons(seq, "Rx", TLS_MIB_RX_WHY);
	return 0;
}

/**
 * tls_stats_count_device() - keep count of sockets by place
 * @net:	namespace
 * @tx:		direction
 * @dev:	1 when a device took over, -1 when software did
 */
void tls_stats_count_device(struct net *net, bool tx, int dev)
{
	int sw = tx ? LINUX_MIB_TLSCURRTXSW : LINUX_MIB_TLSCURRRXSW;
	int hw = tx ? LINUX_MIB_TLSCURRTXDEVICE : LINUX_MIB_TLSCURRRXDEVICE;

	this_cpu_add(TLS_STATS(net)->mibs[hw], dev);
	this_cpu_add(TLS_STATS(net)->mibs[sw], -dev);
}

/**
 * tls_stats_init() - make the counters of a namespace
 * @net:	the namespace
 *
 * Return: 0 or -ENOMEM.
 */
int tls_stats_init(struct net *net)
{
	struct tls_mib_all __percpu *all = alloc_percpu(struct tls_mib_all);

	if (!all)
		return -ENOMEM;
	net->mib.tls_statistics = (struct linux_tls_mib __percpu *)all;

	if (proc_create_net_single("tls_stat", 0444, net->proc_net,
				   tls_stats_show, NULL))
		return 0;

	free_percpu(net->mib.tls_statistics);
	net->mib.tls_statistics = NULL;
	return -ENOMEM;
}

/**
 * tls_stats_fini() - undo tls_stats_init()
 * @net:	the namespace
 */
void tls_stats_fini(struct net *net)
{
	remove_proc_entry("tls_stat", net->proc_net);
	free_percpu(net->mib.tls_statistics);
	net->mib.tls_statistics = NULL;
}
