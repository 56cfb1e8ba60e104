// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports that drivers of the distribution's kernel were linked against. Their
 * versions are digests of the types that are visible here, so these includes,
 * not the functions' own files, make them what those drivers expect.
 */

#include <crypto/aead.h>
#include <linux/highmem.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/skbuff_ref.h>
#include <linux/skmsg.h>
#include <linux/tracepoint.h>
#include <linux/unaligned.h>
#include <net/dst.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>
#include <net/tls.h>
#include <net/tls_prot.h>

EXPORT_SYMBOL_GPL(tls_device_sk_destruct);
EXPORT_SYMBOL_GPL(tls_offload_tx_resync_request);
EXPORT_SYMBOL(tls_get_record);
