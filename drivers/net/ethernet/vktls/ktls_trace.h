/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace points of the TLS path: where a context stands and why a segment was
 * not encrypted by the NIC. Sequence numbers are TCP's, in host byte order. Key
 * material is never traced.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vktls

#if !defined(VKTLS_KTLS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VKTLS_KTLS_TRACE_H

#include <linux/tracepoint.h>

#include "ktls.h"
#include "vktls.h"

TRACE_EVENT(vktls_tls_add,
	    TP_PROTO(const struct vktls_dev *vd, u16 cipher, u32 id, u32 seq,
		     int err),
	    TP_ARGS(vd, cipher, id, seq, err),
	    TP_STRUCT__entry(__string(dev, vd->netdev->name)
			     __field(u16, cipher)
			     __field(u32, id)
			     __field(u32, seq)
			     __field(int, err)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->cipher = cipher;
			   __entry->id = id;
			   __entry->seq = seq;
			   __entry->err = err;),
	    TP_printk("%s cipher=%u ctx=%u seq=%u err=%d", __get_str(dev),
		      __entry->cipher, __entry->id, __entry->seq, __entry->err)
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

#endif /* VKTLS_KTLS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE ktls_trace
#include <trace/define_trace.h>
