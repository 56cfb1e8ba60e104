/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_STATS_H
#define _TLS_STATS_H

#include <net/net_namespace.h>
#include <net/snmp.h>
#include <linux/snmp.h>

/* Counters beyond those of the kernel's own table, in the order shown. */
enum {
	TLS_MIB_RX_REKEY_OK = LINUX_MIB_TLSMAX,
	TLS_MIB_RX_REKEY_ERROR,
	TLS_MIB_TX_REKEY_OK,
	TLS_MIB_TX_REKEY_ERROR,
	TLS_MIB_RX_REKEY_RECEIVED,
	TLS_MIB_CURR_TX_REKEY,		/* directions that wait for a device after a new key */
	TLS_MIB_CURR_RX_REKEY,
	TLS_MIB_TX_REKEY_FALLBACK,	/* directions that stayed in software then */
	TLS_MIB_RX_REKEY_FALLBACK,
	TLS_MIB_TX_REKEY_ABORTED,	/* directions closed before a device had the key */
	TLS_MIB_RX_REKEY_ABORTED,
	TLS_MIB_TX_KEY_UPDATE,		/* KeyUpdates that the kernel sent */
	TLS_MIB_RX_KEY_UPDATE,		/* received ones after which it derived the key */
	TLS_MIB_RX_KEY_UPDATE_REFUSED,
	TLS_MIB_TX_KEY_NEAR_LIMIT,	/* keys at three quarters of their limit */
	TLS_MIB_RX_KEY_NEAR_LIMIT,
	TLS_MIB_TX_KEY_LIMIT,		/* calls refused at the limit */
	TLS_MIB_RX_KEY_LIMIT,
	TLS_MIB_RX_COPY,		/* records gathered, TCP window too small */
	TLS_MIB_TX_PUSH_LATER,		/* records that waited for TCP */
	TLS_MIB_TX_SEAL_LATER,		/* records left open by lack of memory */
	TLS_MIB_TX_FALLBACK,		/* packets encrypted on their way, sum */
	TLS_MIB_TX_FALLBACK_DRIVER,	/* packets that the driver gave back */
	TLS_MIB_TX_FALLBACK_ROUTE,	/* packets routed to another device */
	TLS_MIB_TX_FALLBACK_LOST,	/* packets for a device that was lost */
	TLS_MIB_TX_FALLBACK_WRAPPED,	/* packets that IP would have wrapped */
	TLS_MIB_TX_FALLBACK_ACKED,	/* dropped packets: already acknowledged */
	TLS_MIB_TX_FALLBACK_ERROR,	/* dropped packets: no memory or cipher */
	TLS_MIB_TX_DROP_FRAGMENT,	/* dropped fragments */
	TLS_MIB_TX_DROP_WRAPPED,	/* dropped packets: plaintext, wrapped */
	TLS_MIB_TX_SEGMENTED,		/* packets cut anew for a smaller MTU */
	TLS_MIB_TX_RESYNC,		/* devices told of a record's start */
	TLS_MIB_TX_DEVICE_AGAIN,	/* offloads that began later than the key */
	TLS_MIB_RX_DEVICE_AGAIN,
	TLS_MIB_RX_DEVICE_MENDED,	/* records decrypted in part */
	TLS_MIB_RX_DEVICE_KEY_UPDATE,	/* received ones after which a device went on */
	TLS_MIB_TX_DEVICE_KEY_UPDATE,	/* new keys with which a device went on */
	TLS_MIB_TX_WHY,			/* by enum tls_why, which begins at 1 */
	TLS_MIB_TX_LEFT = TLS_MIB_TX_WHY + 12,	/* by enum tls_left */
	TLS_MIB_RX_WHY = TLS_MIB_TX_LEFT + 4,
	TLS_MIB_RX_LEFT = TLS_MIB_RX_WHY + 12,
	TLS_MIB_MAX = TLS_MIB_RX_LEFT + 4,
};

/* Target of net->mib.tls_statistics, a pointer that this module owns. */
struct tls_mib_all {
	unsigned long mibs[TLS_MIB_MAX];
};

#define TLS_STATS(net) \
	((struct tls_mib_all __percpu *)(net)->mib.tls_statistics)
#define TLS_STAT_INC(net, field)	this_cpu_inc(TLS_STATS(net)->mibs[field])
#define TLS_STAT_DEC(net, field)	this_cpu_dec(TLS_STATS(net)->mibs[field])

int tls_stats_init(struct net *net);
void tls_stats_fini(struct net *net);
void tls_stats_count_device(struct net *net, bool tx, int dev);

#endif /* _TLS_STATS_H */
