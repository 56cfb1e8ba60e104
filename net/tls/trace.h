/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tls

#if !defined(_TLS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TLS_TRACE_H

#include <linux/sock_diag.h>
#include <linux/tracepoint.h>
#include <linux/unaligned.h>

#ifndef _TLS_TRACE_COOKIE
#define _TLS_TRACE_COOKIE
/* The socket's number in "ss -e", which names it to user space. */
static inline u64 tls_trace_cookie(struct sock *sk)
{
	u32 half[2];

	sock_diag_save_cookie(sk, half);
	return half[0] | (u64)half[1] << 32;
}
#endif

/* The names and arguments of the kernel's own tls.ko; rec_no is big-endian. */
TRACE_EVENT(tls_device_offload_set,
	    TP_PROTO(struct sock *sk, int dir, u32 tcp_seq, u8 *rec_no, int ret),
	    TP_ARGS(sk, dir, tcp_seq, rec_no, ret),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u64, cookie)
			     __field(u64, rec_no)
			     __field(int, dir)
			     __field(u32, tcp_seq)
			     __field(int, ret)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->cookie = tls_trace_cookie(sk);
			   __entry->rec_no = get_unaligned_be64(rec_no);
			   __entry->dir = dir;
			   __entry->tcp_seq = tcp_seq;
			   __entry->ret = ret;),
	    TP_printk("sk=%p direction=%d tcp_seq=%u rec_no=%llu ret=%d cookie=%llx",
		      __entry->sk, __entry->dir, __entry->tcp_seq,
		      __entry->rec_no, __entry->ret, __entry->cookie)
);

TRACE_EVENT(tls_device_decrypted,
	    TP_PROTO(struct sock *sk, u32 tcp_seq, u8 *rec_no, u32 rec_len,
		     bool encrypted, bool decrypted),
	    TP_ARGS(sk, tcp_seq, rec_no, rec_len, encrypted, decrypted),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u64, rec_no)
			     __field(u32, tcp_seq)
			     __field(u32, rec_len)
			     __field(bool, encrypted)
			     __field(bool, decrypted)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->rec_no = get_unaligned_be64(rec_no);
			   __entry->tcp_seq = tcp_seq;
			   __entry->rec_len = rec_len;
			   __entry->encrypted = encrypted;
			   __entry->decrypted = decrypted;),
	    TP_printk("sk=%p tcp_seq=%u rec_no=%llu len=%u encrypted=%d decrypted=%d",
		      __entry->sk, __entry->tcp_seq, __entry->rec_no,
		      __entry->rec_len, __entry->encrypted, __entry->decrypted)
);

TRACE_EVENT(tls_device_rx_resync_send,
	    TP_PROTO(struct sock *sk, u32 tcp_seq, u8 *rec_no, int sync_type),
	    TP_ARGS(sk, tcp_seq, rec_no, sync_type),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u64, rec_no)
			     __field(u32, tcp_seq)
			     __field(int, sync_type)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->rec_no = get_unaligned_be64(rec_no);
			   __entry->tcp_seq = tcp_seq;
			   __entry->sync_type = sync_type;),
	    TP_printk("sk=%p tcp_seq=%u rec_no=%llu sync_type=%d",
		      __entry->sk, __entry->tcp_seq, __entry->rec_no,
		      __entry->sync_type)
);

TRACE_EVENT(tls_device_rx_resync_nh_schedule,
	    TP_PROTO(struct sock *sk),
	    TP_ARGS(sk),
	    TP_STRUCT__entry(__field(struct sock *, sk)),
	    TP_fast_assign(__entry->sk = sk;),
	    TP_printk("sk=%p", __entry->sk)
);

TRACE_EVENT(tls_device_rx_resync_nh_delay,
	    TP_PROTO(struct sock *sk, u32 sock_data, u32 rec_len),
	    TP_ARGS(sk, sock_data, rec_len),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u32, sock_data)
			     __field(u32, rec_len)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->sock_data = sock_data;
			   __entry->rec_len = rec_len;),
	    TP_printk("sk=%p sock_data=%u rec_len=%u",
		      __entry->sk, __entry->sock_data, __entry->rec_len)
);

TRACE_EVENT(tls_device_tx_resync_req,
	    TP_PROTO(struct sock *sk, u32 tcp_seq, u32 exp_tcp_seq),
	    TP_ARGS(sk, tcp_seq, exp_tcp_seq),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u32, tcp_seq)
			     __field(u32, exp_tcp_seq)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->tcp_seq = tcp_seq;
			   __entry->exp_tcp_seq = exp_tcp_seq;),
	    TP_printk("sk=%p tcp_seq=%u exp_tcp_seq=%u",
		      __entry->sk, __entry->tcp_seq, __entry->exp_tcp_seq)
);

TRACE_EVENT(tls_device_tx_resync_send,
	    TP_PROTO(struct sock *sk, u32 tcp_seq, u8 *rec_no),
	    TP_ARGS(sk, tcp_seq, rec_no),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u64, rec_no)
			     __field(u32, tcp_seq)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->rec_no = get_unaligned_be64(rec_no);
			   __entry->tcp_seq = tcp_seq;),
	    TP_printk("sk=%p tcp_seq=%u rec_no=%llu",
		      __entry->sk, __entry->tcp_seq, __entry->rec_no)
);

/* Events of this module alone, beyond those of the kernel's own tls.ko. */
TRACE_EVENT(tls_device_left,
	    TP_PROTO(struct sock *sk, int dir, int reason),
	    TP_ARGS(sk, dir, reason),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u64, cookie)
			     __field(int, dir)
			     __field(int, reason)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->cookie = tls_trace_cookie(sk);
			   __entry->dir = dir;
			   __entry->reason = reason;),
	    TP_printk("sk=%p direction=%d reason=%s cookie=%llx",
		      __entry->sk, __entry->dir,
		      __print_symbolic(__entry->reason,
				       { TLS_LEFT_DEVICE, "device" },
				       { TLS_LEFT_REKEY, "rekey" },
				       { TLS_LEFT_ROUTE, "route" },
				       { TLS_LEFT_PROGRAM, "program" }),
		      __entry->cookie)
);

TRACE_EVENT(tls_device_none,
	    TP_PROTO(struct sock *sk, int dir, int why, int err),
	    TP_ARGS(sk, dir, why, err),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u64, cookie)
			     __field(int, dir)
			     __field(int, why)
			     __field(int, err)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->cookie = tls_trace_cookie(sk);
			   __entry->dir = dir;
			   __entry->why = why;
			   __entry->err = err;),
	    TP_printk("sk=%p direction=%d why=%s err=%d cookie=%llx",
		      __entry->sk, __entry->dir,
		      __print_symbolic(__entry->why,
				       { TLS_WHY_NO_DEVICE, "no device" },
				       { TLS_WHY_FEATURE, "feature off" },
				       { TLS_WHY_DOWN, "down" },
				       { TLS_WHY_VERSION, "version" },
				       { TLS_WHY_CIPHER, "cipher" },
				       { TLS_WHY_WRAPS, "route wraps" },
				       { TLS_WHY_SIGNS, "tcp signs" },
				       { TLS_WHY_NOT_WANTED, "not wanted" },
				       { TLS_WHY_NOT_YET, "not yet" },
				       { TLS_WHY_FULL, "full" },
				       { TLS_WHY_MEMORY, "memory" },
				       { TLS_WHY_REFUSED, "refused" }),
		      __entry->err, __entry->cookie)
);

TRACE_EVENT(tls_fallback,
	    TP_PROTO(struct sock *sk, u32 tcp_seq, u32 len, int why, int err),
	    TP_ARGS(sk, tcp_seq, len, why, err),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u32, tcp_seq)
			     __field(u32, len)
			     __field(int, why)
			     __field(int, err)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->tcp_seq = tcp_seq;
			   __entry->len = len;
			   __entry->why = why;
			   __entry->err = err;),
	    TP_printk("sk=%p tcp_seq=%u len=%u why=%s err=%d",
		      __entry->sk, __entry->tcp_seq, __entry->len,
		      __print_symbolic(__entry->why,
				       { TLS_MIB_TX_FALLBACK_DRIVER, "driver" },
				       { TLS_MIB_TX_FALLBACK_ROUTE, "route" },
				       { TLS_MIB_TX_FALLBACK_LOST, "lost" },
				       { TLS_MIB_TX_FALLBACK_WRAPPED,
					 "wrapped" }),
		      __entry->err)
);

TRACE_EVENT(tls_drop,
	    TP_PROTO(struct sock *sk, u32 len, int why),
	    TP_ARGS(sk, len, why),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u32, len)
			     __field(int, why)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->len = len;
			   __entry->why = why;),
	    TP_printk("sk=%p len=%u why=%s", __entry->sk, __entry->len,
		      __print_symbolic(__entry->why,
				       { TLS_MIB_TX_DROP_FRAGMENT, "fragment" },
				       { TLS_MIB_TX_DROP_WRAPPED, "wrapped" }))
);

TRACE_EVENT(tls_key_update,
	    TP_PROTO(struct sock *sk, int dir, u32 updates, bool request),
	    TP_ARGS(sk, dir, updates, request),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u64, cookie)
			     __field(int, dir)
			     __field(u32, updates)
			     __field(bool, request)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->cookie = tls_trace_cookie(sk);
			   __entry->dir = dir;
			   __entry->updates = updates;
			   __entry->request = request;),
	    TP_printk("sk=%p direction=%d updates=%u request=%d cookie=%llx",
		      __entry->sk, __entry->dir, __entry->updates,
		      __entry->request, __entry->cookie)
);

TRACE_EVENT(tls_key_limit,
	    TP_PROTO(struct sock *sk, int dir, u64 limit, bool reached),
	    TP_ARGS(sk, dir, limit, reached),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u64, cookie)
			     __field(u64, limit)
			     __field(int, dir)
			     __field(bool, reached)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->cookie = tls_trace_cookie(sk);
			   __entry->limit = limit;
			   __entry->dir = dir;
			   __entry->reached = reached;),
	    TP_printk("sk=%p direction=%d limit=%llu reached=%d cookie=%llx",
		      __entry->sk, __entry->dir, __entry->limit,
		      __entry->reached, __entry->cookie)
);

TRACE_EVENT(tls_key_refused,
	    TP_PROTO(struct sock *sk, u8 alert),
	    TP_ARGS(sk, alert),
	    TP_STRUCT__entry(__field(struct sock *, sk)
			     __field(u64, cookie)
			     __field(u8, alert)),
	    TP_fast_assign(__entry->sk = sk;
			   __entry->cookie = tls_trace_cookie(sk);
			   __entry->alert = alert;),
	    TP_printk("sk=%p alert=%u cookie=%llx", __entry->sk,
		      __entry->alert, __entry->cookie)
);

#endif /* _TLS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
