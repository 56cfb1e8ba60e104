// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions of offload.h for a kernel without CONFIG_TLS_DEVICE: no direction is ever on a
 * device, and each is counted and reported with the reason "no device". offload_want.c calls a few
 * functions of the devices' side; their headers are included for these.
 */

#include <net/tls.h>

#include "offload.h"
#include "offload_link.h"
#include "offload_policy.h"
#include "stats.h"

bool tls_offload_start(struct sock *sk, bool tx, int why)
{
	struct tls_ask *ask = tx ? &tls_tx(sk)->ask : &tls_rx(sk)->ask;

	ask->why = why;
	TLS_STAT_INC(sock_net(sk), (tx ? TLS_MIB_TX_WHY : TLS_MIB_RX_WHY) + why - 1);
	return false;
}

void tls_offload_tx_rekey(struct sock *sk, struct tls_tx *tx)
{
}

int tls_offload_rx_rekey(struct sock *sk, struct tls_rx *rx)
{
	return 0;
}

void tls_offload_close(struct sock *sk, bool tx)
{
}

int tls_offload_init(void)
{
	return 0;
}

void tls_offload_fini(void)
{
}

int tls_offload_look(struct sock *sk, struct tls_ask *ask,
		     enum tls_offload_ctx_dir dir,
		     const struct tls_crypto_info *info)
{
	return TLS_WHY_NO_DEVICE;
}

void tls_ask_again(struct tls_ask *ask)
{
}

bool tls_offload_tx_on(const struct tls_tx *tx)
{
	return false;
}

bool tls_offload_tx_next(struct sock *sk, struct tls_tx *tx)
{
	return false;
}

int tls_offload_tx_note(struct sock *sk, struct tls_tx *tx,
			const struct tls_frags *wire)
{
	return -EOPNOTSUPP;
}

void tls_offload_rx_expired(struct sock *sk, struct tls_rx *rx)
{
}

void tls_offload_rx_check(struct sock *sk, struct tls_rx *rx)
{
}

void tls_offload_next_start(struct tls_rx *rx)
{
}

void tls_offload_next_stop(struct tls_rx *rx)
{
}

void tls_offload_rx_header(struct sock *sk, struct tls_rx *rx)
{
}

void tls_offload_rx_advance(struct sock *sk, struct tls_rx *rx)
{
}

void tls_offload_rx_drop(struct tls_rx *rx)
{
}

/* Return: 1, because no device has decrypted a byte of the record. */
int tls_offload_rx_to_skb(struct sock *sk, struct tls_rx *rx,
			  struct sk_buff *skb)
{
	return 1;
}

int tls_offload_rx_to_iter(struct sock *sk, struct tls_rx *rx,
			   struct iov_iter *iter, u32 len)
{
	return 1;
}

/* Never called, because no link is ever made; see tls_offload_want_set(). */
void tls_link_retire(struct tls_link *link, enum tls_left reason)
{
}

void tls_link_drop(struct tls_link *link, enum tls_left reason)
{
}
