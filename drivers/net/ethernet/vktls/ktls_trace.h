/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace points of the TLS path: the state of a context, and the reason why a segment
 * was not encrypted by the NIC. Sequence numbers are TCP's, in host byte order. Key
 * material is never traced.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vktls

#if !defined(VKTLS_KTLS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VKTLS_KTLS_TRACE_H

#include <linux/tracepoint.h>

#include "ktls_priv.h"
#include "vktls.h"

TRACE_EVENT(vktls_tls_add,
	    TP_PROTO(const struct vktls_dev *vd,
		     const struct vktls_tls_add *add, u32 id, int err),
	    TP_ARGS(vd, add, id, err),
	    TP_STRUCT__entry(__string(dev, vd->netdev->name)
			     __field(u8, direction)
			     __field(u8, version)
			     __field(u8, cipher)
			     __field(u32, id)
			     __field(u32, seq)
			     __field(int, err)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->direction = add->direction;
			   __entry->version = add->version;
			   __entry->cipher = add->cipher;
			   __entry->id = id;
			   __entry->seq = le32_to_cpu(add->tcp_seq);
			   __entry->err = err;),
	    TP_printk("%s %s version=%u cipher=%u ctx=%d seq=%u err=%d",
		      __get_str(dev),
		      __entry->direction == VKTLS_DIR_RX ? "rx" : "tx",
		      __entry->version, __entry->cipher, (int)__entry->id,
		      __entry->seq, __entry->err)
);

TRACE_EVENT(vktls_tls_del,
	    TP_PROTO(const struct vktls_dev *vd, u32 id, int err),
	    TP_ARGS(vd, id, err),
	    TP_STRUCT__entry(__string(dev, vd->netdev->name)
			     __field(u32, id)
			     __field(int, err)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->id = id;
			   __entry->err = err;),
	    TP_printk("%s ctx=%d err=%d", __get_str(dev), (int)__entry->id,
		      __entry->err)
);

TRACE_EVENT(vktls_tls_resync,
	    TP_PROTO(const struct vktls_dev *vd, u32 id, u32 seq, u64 rec_no,
		     int err),
	    TP_ARGS(vd, id, seq, rec_no, err),
	    TP_STRUCT__entry(__string(dev, vd->netdev->name)
			     __field(u32, id)
			     __field(u32, seq)
			     __field(u64, rec_no)
			     __field(int, err)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->id = id;
			   __entry->seq = seq;
			   __entry->rec_no = rec_no;
			   __entry->err = err;),
	    TP_printk("%s ctx=%d seq=%u record=%llu err=%d", __get_str(dev),
		      (int)__entry->id, __entry->seq, __entry->rec_no,
		      __entry->err)
);

/* A segment that is encrypted in software, or dropped, and why. */
TRACE_EVENT(vktls_tls_bypass,
	    TP_PROTO(const struct vktls_dev *vd, enum vktls_ktls_stat why,
		     u32 seq, u32 len),
	    TP_ARGS(vd, why, seq, len),
	    TP_STRUCT__entry(__string(dev, vd->netdev->name)
			     __string(why, vktls_ktls_stat_name(why))
			     __field(u32, seq)
			     __field(u32, len)),
	    TP_fast_assign(__assign_str(dev);
			   __assign_str(why);
			   __entry->seq = seq;
			   __entry->len = len;),
	    TP_printk("%s %s seq=%u len=%u", __get_str(dev),
		      __get_str(why), __entry->seq, __entry->len)
);

/* A context fell out of sync; status is the NIC's, VKTLS_ST_*, or 0. */
TRACE_EVENT(vktls_tls_lost,
	    TP_PROTO(const struct vktls_dev *vd, enum vktls_ktls_stat why,
		     u32 id, u16 status, u32 expected),
	    TP_ARGS(vd, why, id, status, expected),
	    TP_STRUCT__entry(__string(dev, vd->netdev->name)
			     __string(why, vktls_ktls_stat_name(why))
			     __field(u32, id)
			     __field(u16, status)
			     __field(u32, expected)),
	    TP_fast_assign(__assign_str(dev);
			   __assign_str(why);
			   __entry->id = id;
			   __entry->status = status;
			   __entry->expected = expected;),
	    TP_printk("%s %s ctx=%d status=%u expected=%u", __get_str(dev),
		      __get_str(why), (int)__entry->id,
		      __entry->status, __entry->expected)
);

/* A segment that the NIC encrypts again, with the records around it. */
TRACE_EVENT(vktls_tls_replay,
	    TP_PROTO(const struct vktls_dev *vd, u32 id, u32 seq, u32 len,
		     u64 rec_no, u32 before, u32 after),
	    TP_ARGS(vd, id, seq, len, rec_no, before, after),
	    TP_STRUCT__entry(__string(dev, vd->netdev->name)
			     __field(u32, id)
			     __field(u32, seq)
			     __field(u32, len)
			     __field(u64, rec_no)
			     __field(u32, before)
			     __field(u32, after)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->id = id;
			   __entry->seq = seq;
			   __entry->len = len;
			   __entry->rec_no = rec_no;
			   __entry->before = before;
			   __entry->after = after;),
	    TP_printk("%s ctx=%d seq=%u len=%u record=%llu before=%u after=%u",
		      __get_str(dev), (int)__entry->id, __entry->seq,
		      __entry->len, __entry->rec_no, __entry->before,
		      __entry->after)
);

/* Replay or software: a reason against the NIC, or a change of the flow's way. */
TRACE_EVENT(vktls_tls_policy,
	    TP_PROTO(const struct vktls_dev *vd, enum vktls_ktls_stat what,
		     u32 id, u32 seq),
	    TP_ARGS(vd, what, id, seq),
	    TP_STRUCT__entry(__string(dev, vd->netdev->name)
			     __string(what, vktls_ktls_stat_name(what))
			     __field(u32, id)
			     __field(u32, seq)),
	    TP_fast_assign(__assign_str(dev);
			   __assign_str(what);
			   __entry->id = id;
			   __entry->seq = seq;),
	    TP_printk("%s %s ctx=%d seq=%u", __get_str(dev),
		      __get_str(what), (int)__entry->id, __entry->seq)
);

/* Steps of a receive resync: questions, answers, and the NIC's outcome. */
TRACE_EVENT(vktls_tls_rx_resync,
	    TP_PROTO(const struct vktls_dev *vd, enum vktls_ktls_stat what,
		     u32 id, u32 seq, int err),
	    TP_ARGS(vd, what, id, seq, err),
	    TP_STRUCT__entry(__string(dev, vd->netdev->name)
			     __string(what, vktls_ktls_stat_name(what))
			     __field(u32, id)
			     __field(u32, seq)
			     __field(int, err)),
	    TP_fast_assign(__assign_str(dev);
			   __assign_str(what);
			   __entry->id = id;
			   __entry->seq = seq;
			   __entry->err = err;),
	    TP_printk("%s %s ctx=%d seq=%u err=%d", __get_str(dev),
		      __get_str(what), (int)__entry->id, __entry->seq,
		      __entry->err)
);

#endif /* VKTLS_KTLS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE ktls_trace
#include <trace/define_trace.h>
