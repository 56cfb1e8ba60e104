// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions that the distribution's drivers import. The version of an export is a digest of the
 * types that are visible in its file. The includes below make each version equal to the version
 * against which those drivers were built.
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

#include "export.h"

/**
 * tls_device_sk_destruct() - free an offloaded socket that has no packet left
 * @sk:		the socket
 *
 * Context: any, mostly softirq; steps that may sleep run in a work.
 */
void tls_device_sk_destruct(struct sock *sk)
{
	tls_sock_destruct(sk);
}
EXPORT_SYMBOL_GPL(tls_device_sk_destruct);

/**
 * tls_offload_hook() - replace the destructor of an offloaded socket
 * @sk:		the socket, locked
 *
 * The context is so kept until the last packet is freed. Drivers recognise an
 * offloaded socket by this destructor.
 */
void tls_offload_hook(struct sock *sk)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	if (ctx->sk_destruct)
		return;
	__module_get(THIS_MODULE);
	ctx->sk_destruct = sk->sk_destruct;
	/* Pairs with the acquire in tls_is_sk_rx_device_offloaded(). */
	smp_store_release(&sk->sk_destruct, tls_device_sk_destruct);
}

/**
 * tls_offload_tx_resync_request() - ask for a resync of the sending side
 * @sk:		the socket
 * @got_seq:	TCP sequence number of the packet that the driver got
 * @exp_seq:	TCP sequence number that the NIC expected
 *
 * A driver calls this when its NIC has lost its place in the stream. tls_dev_resync
 * then tells the NIC where the next record begins.
 *
 * Context: any.
 */
void tls_offload_tx_resync_request(struct sock *sk, u32 got_seq, u32 exp_seq)
{
	tls_off_resync_later(sk, got_seq, exp_seq);
}
EXPORT_SYMBOL_GPL(tls_offload_tx_resync_request);

/**
 * tls_get_record() - find the record that holds a TCP sequence number
 * @context:	the driver's view of the sending side; its lock is held
 * @seq:	TCP sequence number
 * @p_record_sn: out: record number, host byte order
 *
 * Return: the record; a record of length zero if the bytes are to be sent as they are;
 * NULL if the bytes were acknowledged, and need not be sent.
 */
struct tls_record_info *tls_get_record(struct tls_offload_context_tx *context,
				       u32 seq, u64 *p_record_sn)
{
	return tls_off_rec_find(context, seq, p_record_sn);
}
EXPORT_SYMBOL(tls_get_record);
