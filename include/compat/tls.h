/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Older kernels than net/tls is written for, see probes.mk. In the order of the
 * kernel's changes; each block goes when no supported kernel needs it.
 */
#ifndef COMPAT_TLS_H
#define COMPAT_TLS_H

#include <linux/tls.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>

/* 6.15: clean_acked_data_enable() and its opposite take the TCP socket. */
#ifdef COMPAT_CLEAN_ACKED
#define clean_acked_data_enable(tp, cad) \
	clean_acked_data_enable(inet_csk((struct sock *)(tp)), cad)
#define clean_acked_data_disable(tp) \
	clean_acked_data_disable(inet_csk((struct sock *)(tp)))
#endif

/*
 * 6.15: get_info and get_info_size of the ULP get net_admin, the caller's
 * capability.
 */
#ifdef COMPAT_NET_ADMIN
#define COMPAT_ARG_NET_ADMIN
#else
#define COMPAT_ARG_NET_ADMIN	, bool net_admin
#endif

/*
 * 6.19: TLS_TX_MAX_PAYLOAD_LEN, and its value for ss; the numbers are the same on
 * all kernels.
 */
#ifdef COMPAT_MAX_PAYLOAD_LEN
#define TLS_TX_MAX_PAYLOAD_LEN		5
#define TLS_INFO_TX_MAX_PAYLOAD_LEN	__TLS_INFO_MAX
#endif

/* 7.1: recvmsg has no addr_len. */
#ifdef COMPAT_ADDR_LEN
#define COMPAT_ARG_ADDR_LEN	, int *addr_len
#define COMPAT_PASS_ADDR_LEN	, addr_len
#else
#define COMPAT_ARG_ADDR_LEN
#define COMPAT_PASS_ADDR_LEN
#endif

#endif /* COMPAT_TLS_H */
