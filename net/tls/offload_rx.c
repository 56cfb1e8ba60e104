// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decides whether a socket is offered to a device for receiving. The answer changes
 * when the reader is between two records. The device works on later bytes than the
 * reader; offload_rx_decrypted.c finds out which of them it decrypted.
 */

#include <linux/module.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "aead.h"
#include "epoch.h"
#include "export.h"
#include "offload_link.h"
#include "offload_next.h"
#include "offload_rx.h"
#include "reasm.h"
#include "trace.h"

static void tls_off_rx_hw_init(struct tls_offload_context_rx *hw)
{
	hw->resync_type = TLS_OFFLOAD_SYNC_TYPE_DRIVER_REQ;
	hw->resync_nh_reset = 1;
	hw->resync_nh_do_now = 0;
	/* All members of the union begin with zero. */
	atomic64_set(&hw->resync_req, 0);
	memset(hw->driver_state, 0, sizeof(hw->driver_state));
}

/* Copies the header at @seq, if all of it has come; sets @skb to its first packet. */
static bool tls_off_rx_peek(struct sock *sk, struct sk_buff **skb, u32 seq,
			    u8 *hdr)
{
	struct sk_buff *from = *skb;
	u32 left = TLS_REC_HDR_LEN, skip, n;

	for (; left; left -= n, hdr += n, seq += n) {
		from = tls_reasm_next(sk, from, seq, &skip);
		if (!from)
			return false;
		if (left == TLS_REC_HDR_LEN)
			*skb = from;
		n = min(left, from->len - skip);
		if (skb_copy_bits(from, skip, hdr, n))
			return false;
	}
	return true;
}

/*
 * Returns the sequence number at which a device begins, and in @records the number
 * of records before it. The device does not see bytes that have been received
 * already, so it begins at the first record with a header still to come. Often that
 * is the second one: in TLS 1.2 the key is set at the peer's ChangeCipherSpec, and
 * its Finished comes in the same segment.
 */
static u32 tls_off_rx_place(struct sock *sk, const struct tls_rx *rx,
			    u32 *records)
{
	u32 seq = tcp_sk(sk)->copied_seq;
	struct sk_buff *skb = NULL;
	u8 hdr[TLS_REC_HDR_LEN];
	struct tls_rec_hdr rec;

	*records = 0;
	while (tls_off_rx_peek(sk, &skb, seq, hdr) &&
	       !tls_rec_hdr_parse(&rec, &rx->aead.fmt, hdr)) {
		seq += rec.full_len;
		++*records;
	}
	return seq;
}

static int tls_off_rx_ask(struct sock *sk, struct tls_rx *rx,
			  struct tls_link **link)
{
	struct tls_context *ctx = tls_get_ctx(sk);
	u32 seq, records;
	int err;

	seq = tls_off_rx_place(sk, rx, &records);
	tls_key_refresh(ctx, false, records);
	tls_off_rx_hw_init(&rx->hw);
	*link = tls_link_add(sk, TLS_OFFLOAD_CTX_DIR_RX, seq, &err);
	if (err <= 0)
		trace_tls_device_offload_set(sk, TLS_OFFLOAD_CTX_DIR_RX, seq,
					     ctx->rx.rec_seq, err);
	return err;
}

/*
 * Asks for a device, between two records. @why is the result of tls_offload_look(),
 * which has just run.
 */
static bool tls_off_rx_try(struct sock *sk, struct tls_rx *rx, int why)
{
	struct tls_link *link;
	int err;

	err = why ?: tls_off_rx_ask(sk, rx, &link);
	if (err) {
		tls_ask_failed(sk, &rx->ask, TLS_OFFLOAD_CTX_DIR_RX, err);
		return false;
	}
	tls_ask_done(&rx->ask);
	rx->link = link;
	rx->offloaded = true;
	rx->met = true;
	tls_get_ctx(sk)->rx_conf = TLS_HW;
	tls_offload_hook(sk);
	tls_offload_next_start(rx);
	return true;
}

/**
 * tls_offload_rx_start() - offer a receiving side with its first key to a device
 * @sk:		the socket, locked
 * @rx:		its receiving side
 * @why:	result of tls_offload_look()
 *
 * Return: true when a device took it.
 */
bool tls_offload_rx_start(struct sock *sk, struct tls_rx *rx, int why)
{
	return tls_off_rx_try(sk, rx, why);
}

static bool tls_off_rx_again(struct sock *sk, struct tls_rx *rx)
{
	unsigned int noio = tls_noio_save(sk->sk_allocation);
	bool got = tls_off_rx_try(sk, rx,
			 tls_offload_look(sk, &rx->ask,
					  TLS_OFFLOAD_CTX_DIR_RX,
					  &tls_get_ctx(sk)->crypto_recv.info));

	memalloc_noio_restore(noio);
	return got;
}

/*
 * Stores the end of the receive window in met_end, when a device is left: it can have
 * seen no byte behind that.
 */
static void tls_off_rx_left(const struct sock *sk, struct tls_rx *rx)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	rx->met_end = tp->rcv_nxt + tcp_receive_window(tp);
}

/* Counts sockets that have a new key and wait for a device. */
static void tls_off_rx_rekeyed(struct sock *sk, struct tls_rx *rx, bool waits)
{
	if (waits && !rx->rekeyed)
		TLS_STAT_INC(sock_net(sk), TLS_MIB_CURR_RX_REKEY);
	else if (!waits && rx->rekeyed)
		TLS_STAT_DEC(sock_net(sk), TLS_MIB_CURR_RX_REKEY);
	rx->rekeyed = waits;
}

/* Takes the side from its device; no key is on its way there any more. */
static void tls_off_rx_drop(struct tls_rx *rx, enum tls_left reason)
{
	tls_offload_next_stop(rx);
	tls_link_drop(rx->link, reason);
}

static void tls_off_rx_unlink(struct sock *sk, struct tls_rx *rx)
{
	tls_offload_next_free(rx);
	tls_link_put(rx->link);
	rx->link = NULL;
	tls_get_ctx(sk)->rx_conf = TLS_SW;
	tls_ask_again(&rx->ask);
}

/* Drops a lost link, if tls_dev_del has returned. */
static bool tls_off_rx_parted(struct sock *sk, struct tls_rx *rx)
{
	if (!READ_ONCE(rx->link->lost) || !tls_link_gone(rx->link))
		return false;
	tls_off_rx_left(sk, rx);
	tls_off_rx_unlink(sk, rx);
	return true;
}

/**
 * tls_offload_rx_close() - take a socket that is not read any more from its device
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side
 */
void tls_offload_rx_close(struct sock *sk, struct tls_rx *rx)
{
	if (rx->rekeyed) {
		TLS_STAT_DEC(sock_net(sk), TLS_MIB_RX_REKEY_OK);
		TLS_STAT_INC(sock_net(sk), TLS_MIB_RX_REKEY_ABORTED);
	}
	tls_off_rx_rekeyed(sk, rx, false);
	if (!rx->link)
		return;
	set_bit(TLS_RX_DEV_CLOSED, &tls_get_ctx(sk)->flags);
	tls_link_uncount(rx->link);
	tls_off_rx_drop(rx, TLS_LEFT_DEVICE);
	tls_off_rx_unlink(sk, rx);
}

/**
 * tls_offload_rx_check() - look for a device, or leave one, between two records
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side
 */
void tls_offload_rx_check(struct sock *sk, struct tls_rx *rx)
{
	struct tls_link *link = rx->link;

	if (link && !READ_ONCE(link->lost)) {
		if (tls_offload_left(sk, link->dev))
			tls_off_rx_drop(rx, TLS_LEFT_ROUTE);
		else if (tls_offload_next_forgotten(rx))
			tls_off_rx_drop(rx, TLS_LEFT_DEVICE);
	}
	if (link && tls_off_rx_parted(sk, rx))
		link = NULL;
	/*
	 * With rx->old still in use no device is asked: the key in force would be the
	 * next old key, and a socket can keep only one.
	 */
	if (link || rx->copy || rx->key_pending || rx->old ||
	    !tls_ask_due(sk, &rx->ask, TLS_OFFLOAD_CTX_DIR_RX))
		return;
	if (tls_off_rx_again(sk, rx))
		TLS_STAT_INC(sock_net(sk), TLS_MIB_RX_DEVICE_AGAIN);
	else if (rx->rekeyed)
		TLS_STAT_INC(sock_net(sk), TLS_MIB_RX_REKEY_FALLBACK);
	tls_off_rx_rekeyed(sk, rx, false);
}

/**
 * tls_offload_rx_expired() - stop the device, as the next record has another key
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side
 *
 * Otherwise the device would decrypt records with the wrong key, and software would
 * have to restore the ciphertext of each. A device that has the next key goes on.
 */
void tls_offload_rx_expired(struct sock *sk, struct tls_rx *rx)
{
	if (!rx->link || tls_offload_next_follows(rx))
		return;
	if (!READ_ONCE(rx->link->lost))
		tls_off_rx_drop(rx, TLS_LEFT_REKEY);
	if (!tls_off_rx_parted(sk, rx))
		tls_off_rx_left(sk, rx);
}

/*
 * The device goes on with the next key. The old key is kept as long as if it did not:
 * if it has not recognised the KeyUpdate, it has "decrypted" the next records with the
 * old key, until the first wrong tag.
 */
static int tls_off_rx_follow(struct sock *sk, struct tls_rx *rx)
{
	struct tls_rx_old *older = rx->old;

	tls_off_rx_left(sk, rx);
	if (tls_offload_rx_keep_key(sk, rx))
		return -ENOMEM;
	kfree_sensitive(older);
	tls_offload_next_step(rx);
	TLS_STAT_INC(sock_net(sk), TLS_MIB_RX_DEVICE_KEY_UPDATE);
	return 0;
}

/**
 * tls_offload_rx_rekey() - prepare the receiving side for a change of its key
 * @sk:		the socket, locked by its owner
 * @rx:		its receiving side, with the old key
 *
 * Return: 0 or -ENOMEM, with the old key in force.
 */
int tls_offload_rx_rekey(struct sock *sk, struct tls_rx *rx)
{
	if (rx->link && tls_offload_next_follows(rx))
		return tls_off_rx_follow(sk, rx);
	tls_offload_rx_expired(sk, rx);
	if (rx->met && before(tcp_sk(sk)->copied_seq, rx->met_end) &&
	    tls_offload_rx_keep_key(sk, rx))
		return -ENOMEM;
	if (rx->met)
		tls_off_rx_rekeyed(sk, rx, true);
	rx->met = false;
	return 0;
}
