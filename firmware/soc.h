/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * The embedded core's view of the NIC: memory map, block registers, interrupts.
 * Shared by firmware and device model; the host's driver never includes it.
 * Plain numbers only, so that assembly and the linker script can use it too.
 *
 * The ABI's version is that of these registers, too: hardware of a newer minor has
 * all of them, hardware of an older one may lack some (FW_ABI_MINOR in fw.h).
 *
 * All block registers are 32 bits wide and take aligned word accesses; any other
 * access traps. A write to a block's command register does the work before the store
 * retires; the outcome, a VKTLS_ST_* code, is in the block's status register. In the
 * comments below, R: tells the meaning of a read, W: that of a write.
 */
#ifndef SOC_H
#define SOC_H

#define SOC_SRAM_BASE		0x80000000
#define SOC_SRAM_SIZE		0x00040000	/* 256 KiB */
#define SOC_BLOCK(n)		(0x10000000 + (n) * 0x1000)

/* System */
#define SOC_SYS			SOC_BLOCK(0)
#define   SYS_READY		0x00	/* W: 1 = firmware takes commands */
#define   SYS_HEARTBEAT		0x04	/* W: shown in VKTLS_REG_HEARTBEAT */
#define   SYS_IRQ		0x08	/* R: pending SYS_IRQ_*; W: acknowledge */
#define     SYS_IRQ_CMD		0x1	/* the command doorbell moved */
#define     SYS_IRQ_EVENT	0x2	/* SOC_HWEV holds an event, or its ring moved */
#define     SYS_IRQ_CMDQ	0x4	/* the host set up the command queue anew */
#define     SYS_IRQ_EVTQ	0x8	/* the host set up the event queue anew */
#define   SYS_RAISE		0x0c	/* W: MSI-X vector to send to the host */
#define   SYS_PUTC		0x10	/* W: character for the device's trace */
#define   SYS_FW_VERSION	0x14	/* R: from the image header */
#define   SYS_QUEUES		0x18	/* R: queue pairs in hardware */
#define   SYS_FEATURES		0x1c	/* R: VKTLS_CAP_* of the hardware */

/* Timer: nanoseconds of the device's clock; raises the core's timer interrupt */
#define SOC_TIMER		SOC_BLOCK(1)
#define   TIMER_NOW_LO		0x00	/* R: latches NOW_HI */
#define   TIMER_NOW_HI		0x04
#define   TIMER_CMP_LO		0x08	/* write-only */
#define   TIMER_CMP_HI		0x0c	/* W: arms; interrupt while NOW >= CMP */

/* Mailbox: the host's command and event queue registers */
#define SOC_MBOX		SOC_BLOCK(2)
#define   MBOX_CMDQ_LO		0x00	/* read-only */
#define   MBOX_CMDQ_HI		0x04
#define   MBOX_CPLQ_LO		0x08
#define   MBOX_CPLQ_HI		0x0c
#define   MBOX_CMDQ_LOG2	0x10	/* 0 = not set up */
#define   MBOX_CMDQ_TAIL	0x14
#define   MBOX_EVTQ_LO		0x18
#define   MBOX_EVTQ_HI		0x1c
#define   MBOX_EVTQ_LOG2	0x20	/* 0 = not set up */
#define   MBOX_EVTQ_HEAD	0x24

/* DMA between SRAM and host memory */
#define SOC_DMA			SOC_BLOCK(3)
#define   DMA_HOST_LO		0x00
#define   DMA_HOST_HI		0x04
#define   DMA_LOCAL		0x08	/* SRAM address */
#define   DMA_LEN		0x0c	/* bytes */
#define   DMA_CMD		0x10	/* W: DMA_FROM_HOST or DMA_TO_HOST */
#define     DMA_FROM_HOST	1
#define     DMA_TO_HOST		2
#define   DMA_STATUS		0x14	/* VKTLS_ST_OK, _DMA, _LENGTH or _PARAM */

/* Port: addresses, modes, link */
#define SOC_PORT		SOC_BLOCK(4)
#define   PORT_MAC_LO		0x00	/* address bytes 0..3, 0 lowest; permanent at reset */
#define   PORT_MAC_HI		0x04	/* bytes 4..5; W: new address in force */
#define   PORT_FLAGS		0x08	/* VKTLS_PORT_* */
#define   PORT_MTU		0x0c
#define   PORT_LINK		0x10	/* R: 1 = carrier */
#define   PORT_MBPS		0x14	/* read-only */
#define   PORT_PERM_MAC_LO	0x18	/* read-only */
#define   PORT_PERM_MAC_HI	0x1c
#define   PORT_FILTER_COUNT	0x20	/* W: number of valid places */
#define   PORT_FILTER_SEL	0x24	/* W: place, < VKTLS_MAC_FILTERS */
#define   PORT_FILTER_LO	0x28
#define   PORT_FILTER_HI	0x2c	/* W: stores the address */

/* Receive-side scaling; windows of words, bytes in memory order */
#define SOC_RSS			SOC_BLOCK(5)
#define   RSS_KEY		0x000	/* 10 words */
#define   RSS_TYPES		0x080	/* VKTLS_RSS_*, for RSS_COMMIT */
#define   RSS_FIELDS		0x084	/* 2 words, struct vktls_rss_ctx from fields on */
#define   RSS_CTX		0x08c	/* number of an RSS context, for RSS_CMD */
#define   RSS_TABLE		0x100	/* 32 words, 4 queues in each */
#define   RSS_COMMIT		0x200	/* W: key, types and table of context 0 take effect */
#define   RSS_CMD		0x204
#define     RSS_SET		1	/* key, fields and table of the context take effect */
#define     RSS_DEL		2
#define   RSS_STATUS		0x208	/* status of the last RSS_CMD */

/* Queue table */
#define SOC_QUEUE		SOC_BLOCK(6)
#define   QUEUE_TYPE		0x00	/* VKTLS_QUEUE_* */
#define   QUEUE_ID		0x04
#define   QUEUE_RING_LO		0x08
#define   QUEUE_RING_HI		0x0c
#define   QUEUE_CQ_LO		0x10
#define   QUEUE_CQ_HI		0x14
#define   QUEUE_LOG2		0x18
#define   QUEUE_VECTOR		0x1c
#define   QUEUE_CMD		0x20
#define     QUEUE_CREATE	1
#define     QUEUE_DESTROY	2
#define   QUEUE_STATUS		0x24

/* TLS context table. Key words read as zero. */
#define SOC_TLS			SOC_BLOCK(7)
#define   TLS_CAPACITY		0x00	/* R: places in the table */
#define   TLS_CIPHERS		0x04	/* R: 1 << VKTLS_CIPHER_* */
#define   TLS_VERSIONS		0x08	/* R: 1 << VKTLS_VERSION_* */
#define   TLS_CTX		0x0c	/* number of the context to work on */
#define   TLS_VERSION		0x10
#define   TLS_CIPHER		0x14
#define   TLS_DIRECTION		0x18
#define   TLS_TCP_SEQ		0x1c	/* W: add, resync; R: after query */
#define   TLS_REC_NO		0x20	/* 2 words, bytes in wire order; W and R as TCP_SEQ */
#define   TLS_IV		0x28	/* W: 3 words, bytes in wire order */
#define   TLS_KEY_NO		0x34	/* W: number of a key, for TLS_NEXT and those after it */
#define   TLS_PLACE		0x38	/* R: number for the next context, or TLS_NO_PLACE */
#define     TLS_NO_PLACE	0xffffffff	/* all places are in use */
#define   TLS_KEY		0x40	/* W: 8 words, bytes in wire order */
#define   TLS_CMD		0x60
#define     TLS_ADD		1	/* add a context; wipes TLS_KEY */
#define     TLS_DEL		2
#define     TLS_RESYNC		3
#define     TLS_QUERY		4
#define     TLS_NEXT		5	/* TLS_IV and TLS_KEY are the context's next key */
#define     TLS_RESYNC_KEY	6	/* TLS_RESYNC to a record of the key TLS_KEY_NO */
#define     TLS_NEXT_TX		7	/* TLS_NEXT, with TLS_TCP_SEQ */
#define     TLS_KEY_DONE	8	/* keys before TLS_KEY_NO are not needed any more */
#define   TLS_STATUS		0x64
#define   TLS_STATE		0x68	/* R: after query, VKTLS_TLS_* */
#define   TLS_PACKETS_LO	0x6c	/* R: after query */
#define   TLS_PACKETS_HI	0x70
#define   TLS_BYTES_LO		0x74
#define   TLS_BYTES_HI		0x78
#define   TLS_FLOW		0x80	/* W: 10 words, struct vktls_tls_flow; with DIR_RX */

/* Counters of the hardware, by VKTLS_STAT_* */
#define SOC_STAT		SOC_BLOCK(8)
#define   STAT_SEL		0x00	/* W: counter; latches both words */
#define   STAT_LO		0x04	/* read-only */
#define   STAT_HI		0x08

/* Events raised by the data path, oldest first */
#define SOC_HWEV		SOC_BLOCK(9)
#define   HWEV_TYPE		0x00	/* R: VKTLS_EVT_*, 0 = none left */
#define   HWEV_STATUS		0x04
#define   HWEV_ID		0x08
#define   HWEV_ARG		0x0c
#define   HWEV_POP		0x10	/* W: drop the oldest event */

/* Flow filters */
#define SOC_FLOW		SOC_BLOCK(10)
#define   FLOW_FILTER		0x00	/* W: 20 words, struct vktls_flow_filter */
#define   FLOW_CMD		0x80
#define     FLOW_SET		1
#define     FLOW_DEL		2	/* uses only FLOW_FILTER.place */
#define   FLOW_STATUS		0x84

#define SOC_BLOCKS		11

#endif /* SOC_H */
