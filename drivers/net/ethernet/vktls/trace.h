/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace points of commands, events, packets and the life of the function; those
 * of TLS are in ktls_trace.h. Payload of commands, which may hold keys, is never
 * traced.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vktls

#if !defined(VKTLS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VKTLS_TRACE_H

#include <linux/tracepoint.h>

#include "qp.h"
#include "vktls.h"

TRACE_EVENT(vktls_cmd,
	    TP_PROTO(const struct vktls_dev *vd, u16 opcode, u32 tag, int err,
		     s64 usecs),
	    TP_ARGS(vd, opcode, tag, err, usecs),
	    TP_STRUCT__entry(__string(dev, vd->netdev->name)
			     __field(u16, opcode)
			     __field(u32, tag)
			     __field(int, err)
			     __field(s64, usecs)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->opcode = opcode;
			   __entry->tag = tag;
			   __entry->err = err;
			   __entry->usecs = usecs;),
	    TP_printk("%s opcode=%u tag=%#x err=%d usecs=%lld", __get_str(dev),
		      __entry->opcode, __entry->tag, __entry->err,
		      __entry->usecs)
);

TRACE_EVENT(vktls_event,
	    TP_PROTO(const struct vktls_dev *vd, u16 type, u16 status, u32 id,
		     u32 arg),
	    TP_ARGS(vd, type, status, id, arg),
	    TP_STRUCT__entry(__string(dev, vd->netdev->name)
			     __field(u16, type)
			     __field(u16, status)
			     __field(u32, id)
			     __field(u32, arg)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->type = type;
			   __entry->status = status;
			   __entry->id = id;
			   __entry->arg = arg;),
	    TP_printk("%s type=%u status=%u id=%#x arg=%#x", __get_str(dev),
		      __entry->type, __entry->status, __entry->id,
		      __entry->arg)
);

TRACE_EVENT(vktls_hw,
	    TP_PROTO(const struct vktls_dev *vd, bool start),
	    TP_ARGS(vd, start),
	    TP_STRUCT__entry(__string(dev, vd->netdev->name)
			     __field(bool, start)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->start = start;),
	    TP_printk("%s %s", __get_str(dev),
		      __entry->start ? "start" : "stop")
);

TRACE_EVENT(vktls_tx_post,
	    TP_PROTO(const struct vktls_tx_ring *tx, const struct sk_buff *skb,
		     u32 descs, u16 flags),
	    TP_ARGS(tx, skb, descs, flags),
	    TP_STRUCT__entry(__string(dev, tx->qp->vd->netdev->name)
			     __field(unsigned int, queue)
			     __field(unsigned int, len)
			     __field(u32, descs)
			     __field(u16, flags)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = tx->qp->index;
			   __entry->len = skb->len;
			   __entry->descs = descs;
			   __entry->flags = flags;),
	    TP_printk("%s queue=%u len=%u descs=%u flags=%#x", __get_str(dev),
		      __entry->queue, __entry->len, __entry->descs,
		      __entry->flags)
);

TRACE_EVENT(vktls_tx_done,
	    TP_PROTO(const struct vktls_tx_ring *tx, u32 descs, u16 status),
	    TP_ARGS(tx, descs, status),
	    TP_STRUCT__entry(__string(dev, tx->qp->vd->netdev->name)
			     __field(unsigned int, queue)
			     __field(u32, descs)
			     __field(u16, status)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = tx->qp->index;
			   __entry->descs = descs;
			   __entry->status = status;),
	    TP_printk("%s queue=%u descs=%u status=%u", __get_str(dev),
		      __entry->queue, __entry->descs, __entry->status)
);

TRACE_EVENT(vktls_rx,
	    TP_PROTO(const struct vktls_rx_ring *rx, unsigned int len,
		     u16 flags),
	    TP_ARGS(rx, len, flags),
	    TP_STRUCT__entry(__string(dev, rx->qp->vd->netdev->name)
			     __field(unsigned int, queue)
			     __field(unsigned int, len)
			     __field(u16, flags)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = rx->qp->index;
			   __entry->len = len;
			   __entry->flags = flags;),
	    TP_printk("%s queue=%u len=%u flags=%#x", __get_str(dev),
		      __entry->queue, __entry->len, __entry->flags)
);

#endif /* VKTLS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
