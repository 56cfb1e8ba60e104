// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resync of a device that does not know the boundaries of records any more. For a
 * sending side, the device is told where the next record begins. For a receiving
 * side, the device asks whether a record begins at a sequence number, which may have
 * been read already; or it is told where the next record will begin.
 */

#include <linux/module.h>
#include <linux/unaligned.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "export.h"
#include "offload_link.h"
#include "offload_next.h"
#include "offload_rx.h"
#include "offload_tx.h"
#include "trace.h"

#define TLS_UPDATE_REC_MAX	64	/* bytes of a record that may be a KeyUpdate */

/* See tls_offload_tx_resync_request(). */
void tls_off_resync_later(struct sock *sk, u32 got_seq, u32 exp_seq)
{
	struct tls_context *ctx = tls_get_ctx(sk);

	trace_tls_device_tx_resync_req(sk, got_seq, exp_seq);
	set_bit(TLS_TX_SYNC_SCHED, &ctx->flags);
}

/**
 * tls_offload_tx_resync() - tell the device where the next record begins
 * @sk:		the socket, locked; TCP has all earlier records
 * @tx:		its sending side, with a device that asked for it
 */
void tls_offload_tx_resync(struct sock *sk, struct tls_tx *tx)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	u32 seq = tcp_sk(sk)->write_seq;
	int err;

	/* The device must not find this record in one segment with earlier bytes. */
	tcp_write_collapse_fence(sk);
	err = tls_link_resync(tx->off->link, sk, seq, ctx->tx.rec_seq);
	trace_tls_device_tx_resync_send(sk, seq, ctx->tx.rec_seq);
	if (err)
		return;
	TLS_STAT_INC(sock_net(sk), TLS_MIB_TX_RESYNC);
	/* Pairs with the barrier in tls_offload_tx_resync_pending(). */
	smp_mb__before_atomic();
	clear_bit_unlock(TLS_TX_SYNC_SCHED, &ctx->flags);
}

/*
 * Returns whether the device asked about the header that begins at @seq; moves @seq
 * to the last byte of that header.
 */
static bool tls_off_rx_asked(struct tls_rx *rx, u32 *seq)
{
	s64 req = atomic64_read(&rx->hw.resync_req);

	*seq += TLS_REC_HDR_LEN - 1;
	return req & RESYNC_REQ && (u32)(req >> 32) == *seq &&
	       atomic64_try_cmpxchg(&rx->hw.resync_req, &req,
				    req & ~(s64)RESYNC_REQ);
}

/* Notes a header that lies in the range where the device searches. */
static void tls_off_rx_note(struct tls_offload_resync_async *async, s64 req,
			    u32 seq)
{
	u32 start = req >> 32;
	u32 end = start + ((req >> 16) & 0xffff);

	/* The search took too many records: end it, the device may ask again. */
	if (async->rcd_delta == U16_MAX) {
		atomic64_try_cmpxchg(&async->req, &req, 0);
		return;
	}
	if (!before(seq, start) && !after(seq, end) &&
	    async->loglen < TLS_DEVICE_RESYNC_ASYNC_LOGMAX &&
	    async->loglen == async->rcd_delta)
		async->log[async->loglen++] = seq;
	if (async->loglen)
		async->rcd_delta++;
}

/*
 * The device found a header and asks about its sequence number. Returns how many
 * records before the front one that header is; negative if no record begins there.
 */
static int tls_off_rx_answer(struct tls_offload_resync_async *async, s64 req,
			     u32 seq)
{
	u32 want = req >> 32;
	int ago = -1;
	u16 i;

	for (i = 0; i < async->loglen; i++)
		if (async->log[i] == want)
			ago = async->rcd_delta - i;
	if (ago < 0 && want == seq)
		ago = 0;
	async->loglen = 0;
	async->rcd_delta = 0;
	if (ago >= 0 && !atomic64_try_cmpxchg(&async->req, &req, 0))
		ago = -1;
	return ago;
}

static bool tls_off_rx_searched(struct tls_rx *rx, u32 *seq, u8 *sn)
{
	struct tls_offload_resync_async *async = rx->hw.resync_async;
	s64 req;
	int ago;

	if (!async)
		return false;
	req = atomic64_read(&async->req);
	if (likely(!(req & RESYNC_REQ)))
		return false;
	if (req & RESYNC_REQ_ASYNC) {
		tls_off_rx_note(async, req, *seq);
		return false;
	}
	ago = tls_off_rx_answer(async, req, *seq);
	/* Records of an earlier key have numbers that are known no more. */
	if (ago < 0 || ago > get_unaligned_be64(sn))
		return false;
	*seq = req >> 32;
	tls_rec_counter_add(sn, -(u64)ago);
	return true;
}

/*
 * Tells the device where the next record's header will be, if it has not arrived
 * yet.
 */
static bool tls_off_rx_foretell(struct sock *sk, struct tls_rx *rx, u32 *seq,
				u8 *sn)
{
	u32 have = tcp_inq(sk);

	if (!rx->hw.resync_nh_do_now)
		return false;
	/* The front record may be a KeyUpdate, after which numbers begin again. */
	if (rx->next && rx->rec.full_len <= TLS_UPDATE_REC_MAX)
		return false;
	if (have > rx->rec.full_len) {
		trace_tls_device_rx_resync_nh_delay(sk, have,
						    rx->rec.full_len);
		return false;
	}
	rx->hw.resync_nh_do_now = 0;
	*seq += rx->rec.full_len;
	tls_rec_counter_add(sn, 1);
	return true;
}

/*
 * Returns whether the device must be told about the front record, or the next one.
 * If so, sets @seq and @sn for tls_dev_resync; both begin as those of the front
 * record.
 */
static bool tls_off_rx_wanted(struct sock *sk, struct tls_rx *rx, u32 *seq,
			      u8 *sn)
{
	switch (rx->hw.resync_type) {
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ:
		return tls_off_rx_asked(rx, seq);
	case TLS_OFFLOAD_SYNC_TYPE_CORE_NEXT_HINT:
		return tls_off_rx_foretell(sk, rx, seq, sn);
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ_ASYNC:
		return tls_off_rx_searched(rx, seq, sn);
	}
	return false;
}

/**
 * tls_offload_rx_header() - serve a resync once the front header is parsed
 * @sk:		the socket, locked by its owner or in softirq
 * @rx:		its receiving side
 */
void tls_offload_rx_header(struct sock *sk, struct tls_rx *rx)
{
	struct tls_link *link = rx->link;
	u32 seq = tcp_sk(sk)->copied_seq;
	u8 sn[TLS_REC_SEQ_LEN];

	if (!link || rx->copy)
		return;
	/* After a KeyUpdate the front record is the first one of the next key. */
	if (rx->key_pending)
		memset(sn, 0, sizeof(sn));
	else
		memcpy(sn, tls_get_ctx(sk)->rx.rec_seq, sizeof(sn));
	rcu_read_lock();
	/*
	 * tls_dev_del comes a grace period after @lost is set, so a driver's
	 * pointers in @rx->hw stay valid here.
	 */
	if (!READ_ONCE(link->lost) && tls_off_rx_wanted(sk, rx, &seq, sn)) {
		trace_tls_device_rx_resync_send(sk, seq, sn,
						rx->hw.resync_type);
		if (!tls_offload_next_resync(rx, sk, seq, sn, rx->key_pending))
			link->dev->tlsdev_ops->tls_dev_resync(link->dev, sk,
							      seq, sn,
							      link->dir);
		TLS_STAT_INC(sock_net(sk), LINUX_MIB_TLSRXDEVICERESYNC);
	}
	rcu_read_unlock();
}

static void tls_off_rx_hint(struct sock *sk, struct tls_rx *rx)
{
	if (rx->hw.resync_nh_do_now)
		return;
	if (rx->hw.resync_nh_reset) {
		rx->hw.resync_nh_reset = 0;
		rx->hw.resync_nh.decrypted_failed = 1;
		rx->hw.resync_nh.decrypted_tgt = TLS_DEVICE_RESYNC_NH_START_IVAL;
		return;
	}
	if (++rx->hw.resync_nh.decrypted_failed <=
	    rx->hw.resync_nh.decrypted_tgt)
		return;
	if (rx->hw.resync_nh.decrypted_tgt < TLS_DEVICE_RESYNC_NH_MAX_IVAL)
		rx->hw.resync_nh.decrypted_tgt *= 2;
	else
		rx->hw.resync_nh.decrypted_tgt += TLS_DEVICE_RESYNC_NH_MAX_IVAL;
	rx->hw.resync_nh_do_now = 1;
	trace_tls_device_rx_resync_nh_schedule(sk);
	tls_offload_rx_header(sk, rx);
}

/**
 * tls_offload_rx_lags() - help a device that did not decrypt the front record
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side
 *
 * By the resync method of the driver: the device is told where the next record
 * begins, less and less often; or gets the answer to a question about the front
 * record that came after its header was parsed; or nothing is done here.
 */
void tls_offload_rx_lags(struct sock *sk, struct tls_rx *rx)
{
	switch (rx->hw.resync_type) {
	case TLS_OFFLOAD_SYNC_TYPE_CORE_NEXT_HINT:
		tls_off_rx_hint(sk, rx);
		break;
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ:
		tls_offload_rx_header(sk, rx);
		break;
	case TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ_ASYNC:
		break;
	}
}
