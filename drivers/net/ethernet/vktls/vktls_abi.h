/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * The vktls device ABI: registers, descriptors, commands and events between host
 * and NIC. Driver, device model, firmware and tests include this file unedited;
 * docs/abi.rst specifies the same in prose, and tests/abi compares the two.
 *
 * Integers are little-endian; record numbers, nonces and keys are byte strings in
 * wire order. Reserved fields are written as zero and refused if they are not.
 * Registers are 32 bits wide and take aligned 32-bit accesses only. Ring indices
 * lie in 0..size-1; equal ones mean empty, so that one entry always stays free;
 * a write of an index out of range is ignored.
 */
#ifndef VKTLS_ABI_H
#define VKTLS_ABI_H

/*
 * Version. The minor grows with each addition that an older host cannot notice:
 * register, opcode, status, capability, flag or event that the host must ask for,
 * counter at the end, longer answer. The major grows when anything existing moves
 * or changes its meaning. A host drives a device of its own major and of any minor
 * from the lowest that it can work with, and uses additions by capability.
 */
#define VKTLS_ABI_MAJOR			1
#define VKTLS_ABI_MINOR			9

/* PCI identity. BAR 0 holds the registers below, BAR 1 the MSI-X table. */
#define VKTLS_PCI_VENDOR		0x1af4
#define VKTLS_PCI_DEVICE		0x10f0
#define VKTLS_BAR_REGS			0
#define VKTLS_BAR_MSIX			1
#define VKTLS_BAR_REGS_SIZE		0x10000

/* Limits of the architecture; struct vktls_caps has those of one device. */
#define VKTLS_MAX_QUEUES		16	/* queue pairs */
#define VKTLS_RING_MIN_LOG2		6	/* 64 descriptors */
#define VKTLS_RING_MAX_LOG2		12	/* 4096 descriptors */
#define VKTLS_RING_ALIGN		64	/* bytes, all rings */
#define VKTLS_TX_MAX_BYTES		65792	/* one packet before TSO */
#define VKTLS_TX_MAX_DESCS		32	/* one packet, offload one included */
#define VKTLS_TX_REPLAY_DESCS		60	/* one packet with TXO_REPLAY */
#define VKTLS_TX_REPLAY_MAX		16640	/* bytes before or after the payload */
#define VKTLS_MTU_MIN			68
#define VKTLS_MTU_MAX			9000
#define VKTLS_RX_BUF_MIN		256	/* bytes in one receive buffer */
#define VKTLS_RX_GRO_BUFS		18	/* buffers of a packet with RXC_GRO */
#define VKTLS_RX_GRO_BYTES		65535	/* bytes of a packet with RXC_GRO */
#define VKTLS_RX_GRO_SEGS		255	/* frames in a packet with RXC_GRO */
#define VKTLS_RX_GRO_IP_BYTES		65549	/* the same with PORT_RX_GRO_IP */
#define VKTLS_RX_GRO_HOLD_USECS		4000	/* longest wait with PORT_RX_GRO_HOLD */
#define VKTLS_RSS_KEY_BYTES		40
#define VKTLS_RSS_ENTRIES		128
#define VKTLS_RSS_CONTEXTS		64	/* number 0 is the port's own */
#define VKTLS_RSS_TYPES			6	/* VKTLS_RSS_IPV4 to _UDP6 */
#define VKTLS_FLOW_FILTERS		256
#define VKTLS_MAC_FILTERS		32	/* exact addresses beside the port's own */
#define VKTLS_TLS_NEXT_KEYS		8	/* keys of a context after the one in use */
#define VKTLS_TLS_TX_KEYS		128	/* keys of a transmit context, all together */
#define VKTLS_FW_MAX_BYTES		0x30000	/* image, with header and signature */
#define VKTLS_STORE_SLOTS		2	/* places for an image in the store */
#define VKTLS_STORE_PIECE		4096	/* bytes of one STORE_WRITE at most */

/* Longest times, in milliseconds */
#define VKTLS_TIME_OP_MS		10	/* RESET, FW_LOAD, TEST_OP: answer to next read */
#define VKTLS_TIME_BOOT_MS		10000	/* FW_BOOTING, until FW_READY */
#define VKTLS_TIME_CMD_MS		1000	/* oldest command, until its completion */
#define VKTLS_TIME_BEAT_MS		1000	/* between two steps of REG_HEARTBEAT */
#define VKTLS_TIME_STORE_MS		10000	/* STORE_OP, until STORE_BUSY is clear */

/* MSI-X: vector 0 = command completions and events, 1 + n = queue pair n. */
#define VKTLS_VEC_ASYNC			0
#define VKTLS_VEC_QUEUE(n)		(1 + (n))

/* Status codes, of commands, packets, events, loader and test block alike */
#define VKTLS_ST_OK			0
#define VKTLS_ST_OPCODE			1	/* unknown command */
#define VKTLS_ST_LENGTH			2	/* a length field is out of range */
#define VKTLS_ST_PARAM			3	/* value of a field is out of range */
#define VKTLS_ST_RESERVED		4	/* a reserved field is not zero */
#define VKTLS_ST_NOENT			5	/* no such queue or context */
#define VKTLS_ST_EXIST			6	/* queue is already there */
#define VKTLS_ST_FULL			7	/* table has no free entry */
#define VKTLS_ST_DMA			8	/* address is not host memory */
#define VKTLS_ST_UNSUPPORTED		9	/* not in the capabilities */
#define VKTLS_ST_STATE			10	/* not allowed in this state */
#define VKTLS_ST_FW_MAGIC		16	/* firmware image: magic */
#define VKTLS_ST_FW_ABI			17	/* firmware image: ABI version */
#define VKTLS_ST_FW_LENGTH		18	/* firmware image: length, load range */
#define VKTLS_ST_FW_DIGEST		19	/* firmware image: SHA-256 */
#define VKTLS_ST_FW_ENTRY		20	/* firmware image: entry point */
#define VKTLS_ST_FW_UNSIGNED		21	/* firmware image: not signed, and must be */
#define VKTLS_ST_FW_SIGNATURE		22	/* firmware image: not signed with the NIC's key */
#define VKTLS_ST_FW_STORE		23	/* the store cannot be read or written */
#define VKTLS_ST_TX_DESC		32	/* descriptor is malformed */
#define VKTLS_ST_TX_LENGTH		33	/* packet too long or too short */
#define VKTLS_ST_TX_OFFLOAD		34	/* offload does not fit the packet */
#define VKTLS_ST_TX_LINK		35	/* no carrier */
#define VKTLS_ST_TLS_NOT_TCP		48	/* marked packet is not TCP */
#define VKTLS_ST_TLS_SEQ		49	/* not the expected TCP sequence */
#define VKTLS_ST_TLS_HEADER		50	/* record header is impossible */
#define VKTLS_ST_TLS_NONCE		51	/* explicit nonce is not the next */
#define VKTLS_ST_TLS_WRAP		52	/* record number is used up */
#define VKTLS_ST_TLS_REUSE		53	/* would encrypt a record number again */
#define VKTLS_ST_TLS_LOST		54	/* context waits for resync */
#define VKTLS_ST_TLS_CRYPTO		55	/* the engine failed */
#define VKTLS_ST_TLS_AUTH		56	/* received tag is wrong */
#define VKTLS_ST_TLS_GAP		57	/* a record header was not received */
#define VKTLS_ST_TLS_KEY		58	/* key of a record is not there, or not known */

/* ---- Registers, BAR 0 ---- */

/* Identity block */
#define VKTLS_REG_MAGIC			0x0000	/* RO */
#define   VKTLS_MAGIC			0x4c544b56u	/* "VKTL" in memory order */
#define VKTLS_REG_ABI			0x0004	/* RO, major << 16 | minor, see docs */
#define VKTLS_REG_STATUS		0x0008	/* RO */
#define   VKTLS_STATUS_FW_STATE		0x0000000fu
#define     VKTLS_FW_NONE		0	/* after reset */
#define     VKTLS_FW_REFUSED		1	/* see STATUS_FW_CODE */
#define     VKTLS_FW_BOOTING		2	/* accepted, core runs */
#define     VKTLS_FW_READY		3	/* takes commands */
#define     VKTLS_FW_CRASHED		4	/* core stopped by a fatal trap */
#define   VKTLS_STATUS_LINK		0x00000010u	/* carrier */
#define   VKTLS_STATUS_FW_CODE		0x00ff0000u	/* VKTLS_ST_* of loading */
#define   VKTLS_STATUS_FW_CODE_SHIFT	16
#define VKTLS_REG_CTRL			0x000c	/* WO, self-clearing */
#define   VKTLS_CTRL_RESET		0x00000001u	/* function reset */
#define   VKTLS_CTRL_FW_LOAD		0x00000002u	/* fetch and start the image */
#define   VKTLS_CTRL_FW_BOOT		0x00000004u	/* start an image of the store */
#define VKTLS_REG_QUEUES		0x0010	/* RO, queue pairs in hardware */
#define VKTLS_REG_HEARTBEAT		0x0014	/* RO, steps while firmware lives */
#define VKTLS_REG_FW_VERSION		0x0018	/* RO, major << 16 | minor << 8 | patch */

/* Firmware loader: image, or piece of it, in host memory, physically contiguous */
#define VKTLS_REG_FW_ADDR_LO		0x0040
#define VKTLS_REG_FW_ADDR_HI		0x0044
#define VKTLS_REG_FW_LEN		0x0048	/* bytes */

/* Store of firmware images, with slots 1 and 2: works without firmware */
#define VKTLS_REG_STORE			0x0050	/* RO; 0 = no store */
#define   VKTLS_STORE_PRESENT		0x00000001u
#define   VKTLS_STORE_SIGNED		0x00000002u	/* the NIC starts signed images only */
#define   VKTLS_STORE_NEXT		0x000000f0u	/* slot that FW_BOOT starts, 0 = none */
#define   VKTLS_STORE_NEXT_SHIFT	4
#define   VKTLS_STORE_RUNNING		0x00000f00u	/* slot of the running image, 0 = none */
#define   VKTLS_STORE_RUNNING_SHIFT	8
#define VKTLS_REG_STORE_OP		0x0054	/* WO, starts */
#define   VKTLS_STORE_ERASE		1	/* empty the slot that is not in use */
#define   VKTLS_STORE_WRITE		2	/* append FW_LEN bytes at FW_ADDR to it */
#define   VKTLS_STORE_COMMIT		3	/* check the image; it is the next to start */
#define VKTLS_REG_STORE_RESULT		0x0058	/* RO, of the last STORE_OP */
#define   VKTLS_STORE_CODE		0x000000ffu	/* VKTLS_ST_* */
#define   VKTLS_STORE_BUSY		0x80000000u	/* not done yet */
#define VKTLS_REG_STORE_VERSION_1	0x0060	/* RO, of slot 1, as FW_VERSION; 0 = empty */
#define VKTLS_REG_STORE_VERSION_2	0x0064

/* State of the core at its fatal trap, 0 before */
#define VKTLS_REG_CRASH_PC		0x0068	/* RO, address of the instruction */
#define VKTLS_REG_CRASH_CAUSE		0x006c	/* RO, as RISC-V's mcause */
#define VKTLS_REG_CRASH_VALUE		0x0070	/* RO, as RISC-V's mtval */

/* Test block: works without firmware */
#define VKTLS_REG_TEST_SCRATCH		0x0080	/* any value, no effect */
#define VKTLS_REG_TEST_ADDR_LO		0x0084
#define VKTLS_REG_TEST_ADDR_HI		0x0088
#define VKTLS_REG_TEST_LEN		0x008c	/* bytes, multiple of 4, <= 64 KiB */
#define   VKTLS_TEST_MAX_LEN		0x10000
#define VKTLS_REG_TEST_SEED		0x0090
#define VKTLS_REG_TEST_OP		0x0094	/* WO, starts; done with the next read */
#define   VKTLS_TEST_OP			0x000000ffu
#define     VKTLS_TEST_FILL		1	/* device writes the pattern */
#define     VKTLS_TEST_CHECK		2	/* device reads and compares */
#define     VKTLS_TEST_IRQ		3	/* raise vector TEST_VECTOR */
#define   VKTLS_TEST_VECTOR		0x0000ff00u
#define   VKTLS_TEST_VECTOR_SHIFT	8
#define VKTLS_REG_TEST_RESULT		0x0098	/* RO, VKTLS_ST_*; PARAM = mismatch */
#define VKTLS_REG_TEST_WHERE		0x009c	/* RO, byte offset of first mismatch */
/* 32-bit little-endian word n of the pattern */
#define VKTLS_TEST_WORD(seed, n)	((seed) + (n) * 0x9e3779b9u)

/* Command and event queues; addresses are latched by the write to *_LOG2 */
#define VKTLS_REG_CMDQ_ADDR_LO		0x00c0	/* ring of struct vktls_cmd */
#define VKTLS_REG_CMDQ_ADDR_HI		0x00c4
#define VKTLS_REG_CPLQ_ADDR_LO		0x00c8	/* ring of struct vktls_cmd_cpl */
#define VKTLS_REG_CPLQ_ADDR_HI		0x00cc
#define VKTLS_REG_CMDQ_LOG2		0x00d0	/* entries of both, 2..8 */
#define VKTLS_REG_CMDQ_TAIL		0x00d4	/* doorbell: index after the last */
#define VKTLS_REG_EVTQ_ADDR_LO		0x00d8	/* ring of struct vktls_event */
#define VKTLS_REG_EVTQ_ADDR_HI		0x00dc
#define VKTLS_REG_EVTQ_LOG2		0x00e0	/* entries, 4..10 */
#define VKTLS_REG_EVTQ_HEAD		0x00e4	/* host's consumer index */
#define   VKTLS_CMDQ_MIN_LOG2		2
#define   VKTLS_CMDQ_MAX_LOG2		8
#define   VKTLS_EVTQ_MIN_LOG2		4
#define   VKTLS_EVTQ_MAX_LOG2		10

/* Queue pair n: doorbells and interrupt moderation */
#define VKTLS_REG_QP(n)			(0x1000 + (n) * 0x40)
#define VKTLS_QP_TX_TAIL		0x00	/* doorbell: index after the last */
#define VKTLS_QP_RX_TAIL		0x04
#define VKTLS_QP_TX_CQ			0x08	/* VKTLS_CQ_* */
#define VKTLS_QP_RX_CQ			0x0c
#define   VKTLS_CQ_HEAD			0x0000ffffu	/* host's consumer index */
#define   VKTLS_CQ_ARM			0x80000000u	/* one interrupt wanted */
#define VKTLS_QP_TX_MOD			0x10	/* VKTLS_MOD_* */
#define VKTLS_QP_RX_MOD			0x14
#define   VKTLS_MOD_USECS		0x0000ffffu	/* wait after first completion */
#define   VKTLS_MOD_FRAMES		0x00ff0000u	/* or this many; 0 = no limit */
#define   VKTLS_MOD_FRAMES_SHIFT	16
#define   VKTLS_MOD_USECS_MAX		10000

/* ---- Capability bits (struct vktls_caps) ---- */
#define VKTLS_CAP_TX_CSUM		0x00000001u
#define VKTLS_CAP_TSO			0x00000002u
#define VKTLS_CAP_VLAN			0x00000004u	/* insert and strip */
#define VKTLS_CAP_RX_CSUM		0x00000008u
#define VKTLS_CAP_RSS			0x00000010u
#define VKTLS_CAP_TLS_TX		0x00000020u
#define VKTLS_CAP_TLS_RX		0x00000040u
#define VKTLS_CAP_TLS_REPLAY		0x00000080u	/* with TLS_TX */
#define VKTLS_CAP_RX_GRO		0x00000100u	/* with RX_CSUM */
#define VKTLS_CAP_RSS_CTX		0x00000200u	/* with RSS */
#define VKTLS_CAP_FLOW_FILTER		0x00000400u	/* with RSS_CTX */
#define VKTLS_CAP_TLS_RX_NEXT		0x00000800u	/* with TLS_RX */
#define VKTLS_CAP_RX_GRO_MORE		0x00001000u	/* with RX_GRO: its modes */
#define VKTLS_CAP_USO			0x00002000u	/* TSO of UDP */
#define VKTLS_CAP_TSO_TUNNEL		0x00004000u	/* TSO of TCP in a tunnel */
#define VKTLS_CAP_TLS_TX_NEXT		0x00008000u	/* with TLS_TX */

/* Ciphers and versions: capability bit = 1 << value */
#define VKTLS_CIPHER_AES_128_GCM	0
#define VKTLS_CIPHER_AES_256_GCM	1
#define VKTLS_CIPHER_CHACHA20_POLY1305	2
#define VKTLS_VERSION_TLS12		0
#define VKTLS_VERSION_TLS13		1
/* Direction of a context */
#define VKTLS_DIR_TX			0
#define VKTLS_DIR_RX			1

/* ---- Descriptor flags ---- */
#define VKTLS_TXD_EOP			0x0001	/* last descriptor of the packet */
#define VKTLS_TXD_CPL			0x0002	/* with EOP: report completion */
#define VKTLS_TXD_REPLAY		0x4000	/* struct vktls_tx_replay */
#define VKTLS_TXD_OFFLOAD		0x8000	/* struct vktls_tx_offload */
#define VKTLS_TXO_CSUM			0x0010	/* sum from csum_start to the end */
#define VKTLS_TXO_TSO			0x0020	/* cut TCP or UDP payload at mss */
#define VKTLS_TXO_VLAN			0x0040	/* insert vlan_tci */
#define VKTLS_TXO_TLS			0x0080	/* encrypt with tls_ctx */
#define VKTLS_TXO_REPLAY		0x0100	/* with TLS: replay of sent records */

/* Receive completion flags */
#define VKTLS_RXC_EOP			0x0001	/* last buffer of the frame */
#define VKTLS_RXC_L4_OK			0x0002	/* TCP/UDP checksum is right */
#define VKTLS_RXC_CSUM_BAD		0x0004	/* a checksum was checked and is wrong */
#define VKTLS_RXC_VLAN			0x0008	/* tag removed, in vlan_tci */
#define VKTLS_RXC_HASH_L3		0x0010	/* hash over addresses */
#define VKTLS_RXC_HASH_L4		0x0020	/* hash over addresses and ports */
#define VKTLS_RXC_TLS			0x0040	/* payload for a context */
#define VKTLS_RXC_TLS_DECRYPTED		0x0080	/* with TLS: all of it is plaintext */
#define VKTLS_RXC_TLS_AUTH		0x0100	/* with TLS: a tag in it was wrong */
#define VKTLS_RXC_TLS_ASK		0x0200	/* with TLS: EVT_TLS_RESYNC is about it */
#define VKTLS_RXC_GRO			0x0400	/* several frames in one packet */
#define VKTLS_RXC_GRO_ID		0x0800	/* with GRO: all had one IPv4 identification */
#define VKTLS_RXC_GRO_OUTER_ID		0x1000	/* with GRO: so had their outer IPv4 headers */

/* Last byte of each completion and event: 1 on the first lap, then 0, 1, and so on */
#define VKTLS_GEN			0x01

/* ---- Commands ---- */
#define VKTLS_CMD_NOP			0	/* round trip */
#define VKTLS_CMD_CAPS			1	/* cpl: struct vktls_caps */
#define VKTLS_CMD_PORT_SET		2	/* struct vktls_port_cfg */
#define VKTLS_CMD_MAC_SET		3	/* struct vktls_mac */
#define VKTLS_CMD_FILTER_SET		4	/* struct vktls_buf: count * vktls_mac */
#define VKTLS_CMD_LINK_GET		5	/* cpl: struct vktls_link */
#define VKTLS_CMD_RSS_SET		6	/* struct vktls_buf: struct vktls_rss */
#define VKTLS_CMD_QUEUE_CREATE		7	/* struct vktls_queue_cfg */
#define VKTLS_CMD_QUEUE_DESTROY		8	/* struct vktls_queue_ref */
#define VKTLS_CMD_TLS_ADD		9	/* transmit: tls_add; cpl: tls_ref */
#define VKTLS_CMD_TLS_DEL		10	/* struct vktls_tls_ref */
#define VKTLS_CMD_TLS_RESYNC		11	/* struct vktls_tls_resync */
#define VKTLS_CMD_TLS_QUERY		12	/* struct vktls_tls_ref; cpl: tls_state */
#define VKTLS_CMD_STATS			13	/* struct vktls_buf: le64[]; cpl: vktls_stats */
#define VKTLS_CMD_LOG_READ		14	/* struct vktls_buf; cpl: vktls_log */
#define VKTLS_CMD_TLS_ADD_RX		15	/* struct vktls_tls_add_rx; cpl: tls_ref */
#define VKTLS_CMD_RSS_CTX_SET		16	/* struct vktls_buf: struct vktls_rss_ctx */
#define VKTLS_CMD_RSS_CTX_DEL		17	/* struct vktls_rss_ref */
#define VKTLS_CMD_FLOW_SET		18	/* struct vktls_flow_filter */
#define VKTLS_CMD_FLOW_DEL		19	/* struct vktls_flow_ref */
#define VKTLS_CMD_TLS_NEXT		20	/* struct vktls_tls_next */
#define VKTLS_CMD_TLS_RESYNC_KEY	21	/* struct vktls_tls_resync_key */
#define VKTLS_CMD_TLS_NEXT_TX		22	/* struct vktls_tls_next_tx */
#define VKTLS_CMD_TLS_KEY_DONE		23	/* struct vktls_tls_key_ref */
#define VKTLS_CMD_NUM			24

/* Queue types */
#define VKTLS_QUEUE_TX			0
#define VKTLS_QUEUE_RX			1

/* Port modes and features (struct vktls_port_cfg) */
#define VKTLS_PORT_UP			0x00000001u	/* send and receive frames */
#define VKTLS_PORT_PROMISC		0x00000002u
#define VKTLS_PORT_ALLMULTI		0x00000004u
#define VKTLS_PORT_BROADCAST		0x00000008u
#define VKTLS_PORT_RX_CSUM		0x00000010u
#define VKTLS_PORT_VLAN_STRIP		0x00000020u
#define VKTLS_PORT_RSS			0x00000040u	/* spread, and report the hash */
#define VKTLS_PORT_RX_GRO		0x00000080u	/* join frames with right checksums */
/* With RX_GRO: */
#define VKTLS_PORT_RX_GRO_HOLD		0x00000100u	/* frames wait for the next ones */
#define VKTLS_PORT_RX_GRO_IP		0x00000200u	/* IP in IP, IPv6 options, padding */
#define VKTLS_PORT_RX_GRO_CWR		0x00000400u	/* join frames that have CWR */

/* RSS hash types */
#define VKTLS_RSS_IPV4			0x01
#define VKTLS_RSS_TCP4			0x02
#define VKTLS_RSS_IPV6			0x04
#define VKTLS_RSS_TCP6			0x08
#define VKTLS_RSS_UDP4			0x10
#define VKTLS_RSS_UDP6			0x20

/* Fields of a packet in the hash (struct vktls_rss_ctx) */
#define VKTLS_RSS_SRC			0x01	/* addresses */
#define VKTLS_RSS_DST			0x02
#define VKTLS_RSS_SRC_PORT		0x04
#define VKTLS_RSS_DST_PORT		0x08
/* Change of the fields before they are hashed */
#define VKTLS_RSS_PLAIN			0
#define VKTLS_RSS_XOR			1	/* a ^ b in place of a and of b */
#define VKTLS_RSS_OR_XOR		2	/* a | b in place of a, a ^ b in place of b */

/* Actions of a flow filter */
#define VKTLS_FLOW_DROP			0
#define VKTLS_FLOW_QUEUE		1	/* to that queue */
#define VKTLS_FLOW_RSS			2	/* by an RSS context */

/* TLS context states (struct vktls_tls_state) */
#define VKTLS_TLS_IN_SYNC		0
#define VKTLS_TLS_LOST			1

/* Events */
#define VKTLS_EVT_LINK			1	/* arg = 1 up, 0 down */
#define VKTLS_EVT_QUEUE_ERROR		2	/* id = type << 8 | queue; it stopped */
#define VKTLS_EVT_TX_ERROR		3	/* id = queue, status; packet dropped */
#define VKTLS_EVT_TLS_LOST		4	/* id = context, arg = expected sequence */
#define VKTLS_EVT_OVERFLOW		5	/* arg = events lost before this one */
#define VKTLS_EVT_TLS_RESYNC		6	/* id = context, arg = where a header is */
#define VKTLS_EVT_TLS_KEY		7	/* id = context, arg = number of the key in use */

/* Counters, in the order of VKTLS_CMD_STATS */
#define VKTLS_STAT_TX_FRAMES		0	/* on the wire, after TSO */
#define VKTLS_STAT_TX_BYTES		1	/* bytes of frames sent */
#define VKTLS_STAT_TX_TSO_PACKETS	2	/* packets that were cut */
#define VKTLS_STAT_TX_ERRORS		3	/* packets refused, any status */
#define VKTLS_STAT_RX_FRAMES		4
#define VKTLS_STAT_RX_BYTES		5
#define VKTLS_STAT_RX_FILTERED		6	/* not for this port */
#define VKTLS_STAT_RX_NO_BUFFER		7	/* ring was empty */
#define VKTLS_STAT_RX_CSUM_ERRORS	8
#define VKTLS_STAT_RX_LENGTH_ERRORS	9
#define VKTLS_STAT_RX_MULTICAST		10
#define VKTLS_STAT_DMA_READ_BYTES	11	/* all host memory read by the device */
#define VKTLS_STAT_DMA_WRITE_BYTES	12
#define VKTLS_STAT_DMA_ERRORS		13
#define VKTLS_STAT_INTERRUPTS		14
#define VKTLS_STAT_DOORBELLS		15
#define VKTLS_STAT_TLS_TX_PACKETS	16	/* encrypted, before TSO */
#define VKTLS_STAT_TLS_TX_BYTES		17	/* TCP payload encrypted */
#define VKTLS_STAT_TLS_TX_RECORDS	18	/* completed with a tag */
#define VKTLS_STAT_TLS_TX_DROP_SEQ	19
#define VKTLS_STAT_TLS_TX_DROP_HEADER	20
#define VKTLS_STAT_TLS_TX_DROP_NONCE	21	/* refused for nonce or record number */
#define VKTLS_STAT_TLS_TX_DROP_OTHER	22	/* refused: no context, lost, not TCP */
#define VKTLS_STAT_TLS_CTX_LIVE		23	/* contexts now: a level, not a count */
#define VKTLS_STAT_TLS_CTX_ADDS		24
#define VKTLS_STAT_TLS_CTX_DELS		25
#define VKTLS_STAT_TLS_RESYNCS		26
#define VKTLS_STAT_FAULTS_INJECTED	27	/* faults of a model; 0 in silicon */
#define VKTLS_STAT_EVENTS_LOST		28
#define VKTLS_STAT_TLS_RX_PACKETS	29	/* decrypted */
#define VKTLS_STAT_TLS_RX_BYTES		30	/* TCP payload decrypted */
#define VKTLS_STAT_TLS_RX_RECORDS	31	/* authenticated from end to end */
#define VKTLS_STAT_TLS_RX_BYPASSED	32	/* packets delivered as they came */
#define VKTLS_STAT_TLS_RX_AUTH_ERRORS	33	/* of RX_BYPASSED: wrong tag */
#define VKTLS_STAT_TLS_RX_LOST		34	/* times a context lost its place */
#define VKTLS_STAT_TLS_RX_ASKED		35	/* VKTLS_EVT_TLS_RESYNC raised */
#define VKTLS_STAT_TLS_TX_REPLAYS	36	/* packets encrypted again */
#define VKTLS_STAT_TLS_TX_REPLAY_BYTES	37	/* TCP payload of REPLAYS */
#define VKTLS_STAT_TLS_TX_REPLAY_READ	38	/* bytes read beside the payload */
#define VKTLS_STAT_TLS_TX_DROP_REPLAY	39	/* replays refused */
#define VKTLS_STAT_TLS_RX_LATE		40	/* of RX_PACKETS: came after later ones */
#define VKTLS_STAT_TLS_RX_FOUND		41	/* places found again without the host */
#define VKTLS_STAT_TX_DESCS		42	/* ring entries that were used up */
#define VKTLS_STAT_RX_DESCS		43
#define VKTLS_STAT_RX_GRO_PACKETS	44	/* packets made of several frames */
#define VKTLS_STAT_RX_GRO_FRAMES	45	/* of RX_FRAMES: joined to GRO_PACKETS */
#define VKTLS_STAT_TLS_TX_REPLAY_KEPT	46	/* of REPLAYS: sent without reading */
#define VKTLS_STAT_RX_FLOW_HITS		47	/* frames that a flow filter matched */
#define VKTLS_STAT_RX_FLOW_DROPS	48	/* of FLOW_HITS: dropped by the filter */
#define VKTLS_STAT_TX_BROADCAST		49	/* broadcast frames sent */
#define VKTLS_STAT_TX_MULTICAST		50	/* multicast frames sent */
#define VKTLS_STAT_TX_CONTROL		51	/* frames of MAC control sent */
#define VKTLS_STAT_TX_PAUSE		52	/* of TX_CONTROL: pause frames */
#define VKTLS_STAT_RX_BROADCAST		53	/* broadcast frames delivered */
#define VKTLS_STAT_RX_CONTROL		54	/* frames of MAC control that came */
#define VKTLS_STAT_RX_PAUSE		55	/* of RX_CONTROL: pause frames */
#define VKTLS_STAT_TX_SIZE_64		56	/* frames sent, of 64 bytes with FCS */
#define VKTLS_STAT_TX_SIZE_127		57	/* frames sent, of 65 to 127 bytes */
#define VKTLS_STAT_TX_SIZE_255		58	/* frames sent, of 128 to 255 bytes */
#define VKTLS_STAT_TX_SIZE_511		59	/* frames sent, of 256 to 511 bytes */
#define VKTLS_STAT_TX_SIZE_1023		60	/* frames sent, of 512 to 1023 bytes */
#define VKTLS_STAT_TX_SIZE_1518		61	/* frames sent, of 1024 to 1518 bytes */
#define VKTLS_STAT_TX_SIZE_MAX		62	/* frames sent, longer */
#define VKTLS_STAT_RX_SIZE_64		63	/* received frames of 64 bytes with FCS */
#define VKTLS_STAT_RX_SIZE_127		64	/* received frames of 65 to 127 bytes */
#define VKTLS_STAT_RX_SIZE_255		65	/* received frames of 128 to 255 bytes */
#define VKTLS_STAT_RX_SIZE_511		66	/* received frames of 256 to 511 bytes */
#define VKTLS_STAT_RX_SIZE_1023		67	/* received frames of 512 to 1023 bytes */
#define VKTLS_STAT_RX_SIZE_1518		68	/* received frames of 1024 to 1518 bytes */
#define VKTLS_STAT_RX_SIZE_MAX		69	/* received frames, longer */
#define VKTLS_STAT_TLS_RX_REKEYS	70	/* keys that gave way to the next one */
#define VKTLS_STAT_TLS_TX_REKEYS	71	/* the same of contexts that transmit */
#define VKTLS_STAT_NUM			72

#define VKTLS_FW_MAGIC			0x57464b56u	/* "VKFW" in memory order */
#define VKTLS_FW_SIGN_MAGIC		0x47534b56u	/* "VKSG" in memory order */

#if !defined(__ASSEMBLER__) && !defined(VKTLS_ABI_NO_TYPES)

#if defined(__KERNEL__) || defined(__linux__)
#include <linux/types.h>
#else
#include <stdint.h>
#define __u8	uint8_t
#define __le16	uint16_t
#define __le32	uint32_t
#define __le64	uint64_t
#endif

#define VKTLS_ABI_SIZE(type, bytes)	\
	_Static_assert(sizeof(struct type) == (bytes), #type " has changed size")

/*
 * Transmit: an optional offload descriptor, with TXO_REPLAY a replay descriptor,
 * then data descriptors up to EOP.
 */
struct vktls_tx_desc {
	__le64 addr;
	__le32 len;		/* bytes, 1..VKTLS_TX_MAX_BYTES */
	__le16 reserved;
	__le16 flags;		/* VKTLS_TXD_EOP, _CPL */
};
VKTLS_ABI_SIZE(vktls_tx_desc, 16);

struct vktls_tx_offload {
	__le32 tls_ctx;		/* TXO_TLS: number of the context */
	__le16 mss;		/* TXO_TSO: payload bytes in one frame */
	__le16 vlan_tci;	/* TXO_VLAN */
	__le16 csum_start;	/* TXO_CSUM: bytes from the frame's start */
	__le16 hdr_len;		/* TXO_TSO, TXO_TLS: Ethernet to TCP or UDP header */
	__u8 csum_offset;	/* TXO_CSUM: from csum_start */
	__u8 inner;		/* TXO_TSO: IP header in the tunnel; 0 = no tunnel */
	__le16 flags;		/* VKTLS_TXD_OFFLOAD | VKTLS_TXO_* */
};
VKTLS_ABI_SIZE(vktls_tx_offload, 16);

/*
 * Second descriptor of a replay. The data is hdr_len bytes of headers, then whole
 * records: before, payload, after. Headers and payload leave, the rest is read only.
 */
struct vktls_tx_replay {
	__u8 rec_no[8];		/* number of the first record, big-endian */
	__le16 before;		/* bytes of the first record before the payload */
	__le16 after;		/* bytes of the last record after the payload */
	__le16 reserved;
	__le16 flags;		/* VKTLS_TXD_REPLAY */
};
VKTLS_ABI_SIZE(vktls_tx_replay, 16);

/* One for each packet with TXD_CPL and for each packet that was refused. */
struct vktls_tx_cpl {
	__le16 head;		/* index after the last descriptor that is done */
	__le16 status;		/* VKTLS_ST_*, of the last packet before head */
	__le32 tls_ctx;		/* with VKTLS_ST_TLS_*: context of the packet */
	__le32 tcp_seq;		/* with VKTLS_ST_TLS_*: place that the context expects */
	__u8 reserved[3];
	__u8 gen;
};
VKTLS_ABI_SIZE(vktls_tx_cpl, 16);

/* Receive: buffers are filled in ring order, a frame takes as many as it needs. */
struct vktls_rx_desc {
	__le64 addr;
	__le32 len;		/* bytes, at least VKTLS_RX_BUF_MIN */
	__le32 reserved;
};
VKTLS_ABI_SIZE(vktls_rx_desc, 16);

/* One for each buffer; all but index, len and EOP are equal in one packet. */
struct vktls_rx_cpl {
	__le16 index;		/* descriptor of the buffer */
	__le16 flags;		/* VKTLS_RXC_* */
	__le16 len;		/* bytes in this buffer */
	__le16 seg_len;		/* RXC_GRO: TCP payload of all frames but the last */
	__le32 hash;		/* Toeplitz, with RXC_HASH_* */
	__le16 vlan_tci;
	__u8 segs;		/* RXC_GRO: frames, 2 or more */
	__u8 gen;
};
VKTLS_ABI_SIZE(vktls_rx_cpl, 16);

struct vktls_cmd {
	__le16 opcode;		/* VKTLS_CMD_* */
	__le16 len;		/* bytes of payload in use */
	__le32 tag;		/* any value; returned in the completion */
	__u8 payload[120];	/* zero after len bytes */
};
VKTLS_ABI_SIZE(vktls_cmd, 128);

struct vktls_cmd_cpl {
	__le16 opcode;
	__le16 status;		/* VKTLS_ST_* */
	__le32 tag;
	__le16 head;		/* index after the last command that was fetched */
	__le16 len;		/* bytes of payload; may be more than the host knows */
	__u8 payload[48];
	__u8 reserved[3];
	__u8 gen;
};
VKTLS_ABI_SIZE(vktls_cmd_cpl, 64);

struct vktls_event {
	__le16 type;		/* VKTLS_EVT_* */
	__le16 status;		/* VKTLS_ST_* */
	__le32 id;		/* queue or context, see VKTLS_EVT_* */
	__le32 arg;		/* see VKTLS_EVT_* */
	__u8 reserved[3];
	__u8 gen;
};
VKTLS_ABI_SIZE(vktls_event, 16);

/* Command payloads */
struct vktls_caps {
	__le32 features;	/* VKTLS_CAP_* */
	__le16 queues;		/* queue pairs */
	__le16 mtu_max;
	__le32 tls_contexts;	/* places in the table */
	__le16 tls_ciphers;	/* 1 << VKTLS_CIPHER_* */
	__le16 tls_versions;	/* 1 << VKTLS_VERSION_* */
	__le32 fw_version;	/* as VKTLS_REG_FW_VERSION */
	__u8 mac[6];		/* permanent address */
	__le16 abi_minor;	/* minor version in force; 0 from firmware before 1.6 */
	__u8 fw_name[16];	/* NUL-padded text */
};
VKTLS_ABI_SIZE(vktls_caps, 44);

struct vktls_port_cfg {
	__le32 flags;		/* VKTLS_PORT_* */
	__le32 mtu;
};
VKTLS_ABI_SIZE(vktls_port_cfg, 8);

struct vktls_mac {
	__u8 addr[6];
	__u8 reserved[2];
};
VKTLS_ABI_SIZE(vktls_mac, 8);

/* Buffer in host memory, for data that is longer than a command. */
struct vktls_buf {
	__le64 addr;
	__le32 len;		/* bytes */
	__le32 arg;		/* LOG_READ: position to read from; RSS_CTX_SET: its number */
};
VKTLS_ABI_SIZE(vktls_buf, 16);

struct vktls_link {
	__le32 up;
	__le32 mbps;
};
VKTLS_ABI_SIZE(vktls_link, 8);

struct vktls_rss {
	__u8 key[VKTLS_RSS_KEY_BYTES];
	__u8 types;		/* VKTLS_RSS_* */
	__u8 reserved[7];
	__u8 table[VKTLS_RSS_ENTRIES];	/* receive queues */
};
VKTLS_ABI_SIZE(vktls_rss, 176);

/* Element n of fields is for packets of the type 1 << n of VKTLS_RSS_IPV4 to _UDP6. */
struct vktls_rss_ctx {
	__u8 key[VKTLS_RSS_KEY_BYTES];
	__u8 fields[VKTLS_RSS_TYPES];	/* VKTLS_RSS_SRC, _DST, ... */
	__u8 input;		/* VKTLS_RSS_PLAIN, _XOR, _OR_XOR */
	__u8 reserved;
	__u8 table[VKTLS_RSS_ENTRIES];	/* receive queues */
};
VKTLS_ABI_SIZE(vktls_rss_ctx, 176);

struct vktls_rss_ref {
	__le32 ctx;		/* number of the RSS context */
};
VKTLS_ABI_SIZE(vktls_rss_ref, 4);

/* Bytes of a packet, in wire order. */
struct vktls_flow_key {
	__u8 src_port[2];
	__u8 dst_port[2];
	__u8 src[16];		/* IPv4: 4 bytes, then zeros */
	__u8 dst[16];
};
VKTLS_ABI_SIZE(vktls_flow_key, 36);

/* Matches packets that are equal to value in the bits of mask. */
struct vktls_flow_filter {
	__le16 place;		/* the matching filter with the lowest place acts */
	__u8 action;		/* VKTLS_FLOW_* */
	__u8 rss_ctx;		/* FLOW_RSS: number of the RSS context */
	__u8 queue;		/* FLOW_QUEUE: queue; FLOW_RSS: added to the table's */
	__u8 ip_version;	/* 4 or 6 */
	__u8 proto;		/* 6 TCP, 17 UDP, 0 any */
	__u8 reserved;
	struct vktls_flow_key value;
	struct vktls_flow_key mask;
};
VKTLS_ABI_SIZE(vktls_flow_filter, 80);

struct vktls_flow_ref {
	__le32 place;
};
VKTLS_ABI_SIZE(vktls_flow_ref, 4);

struct vktls_queue_ref {
	__le16 type;		/* VKTLS_QUEUE_* */
	__le16 queue;
};
VKTLS_ABI_SIZE(vktls_queue_ref, 4);

struct vktls_queue_cfg {
	struct vktls_queue_ref ref;
	__le16 log2;		/* descriptors; the completion ring has as many */
	__le16 vector;
	__le64 ring;		/* address of the descriptors */
	__le64 cq;		/* address of the completions, zeroed by the host */
};
VKTLS_ABI_SIZE(vktls_queue_cfg, 24);

struct vktls_tls_ref {
	__le32 ctx;
};
VKTLS_ABI_SIZE(vktls_tls_ref, 4);

/* A context begins with the first byte of a record header. */
struct vktls_tls_add {
	__u8 version;		/* VKTLS_VERSION_* */
	__u8 cipher;		/* VKTLS_CIPHER_* */
	__u8 direction;		/* VKTLS_DIR_* */
	__u8 reserved;
	__le32 tcp_seq;		/* sequence number of that byte */
	__u8 rec_no[8];		/* number of that record, big-endian */
	__u8 iv[12];		/* TLS 1.2 GCM: 4 bytes salt, 8 first explicit nonce */
	__u8 key[32];		/* key, zeros after a shorter one */
};
VKTLS_ABI_SIZE(vktls_tls_add, 60);

/* Addresses and ports of received packets, in wire order: the peer is the source. */
struct vktls_tls_flow {
	__u8 ip_version;	/* 4 or 6 */
	__u8 reserved[3];
	__u8 src_port[2];
	__u8 dst_port[2];
	__u8 src[16];		/* IPv4: 4 bytes, then zeros */
	__u8 dst[16];
};
VKTLS_ABI_SIZE(vktls_tls_flow, 40);

struct vktls_tls_add_rx {
	struct vktls_tls_add add;
	struct vktls_tls_flow flow;
};
VKTLS_ABI_SIZE(vktls_tls_add_rx, 100);

struct vktls_tls_resync {
	__le32 ctx;
	__le32 tcp_seq;		/* sequence number of the record's first byte */
	__u8 rec_no[8];		/* big-endian */
};
VKTLS_ABI_SIZE(vktls_tls_resync, 16);

/* The same for a context that holds several keys. */
struct vktls_tls_resync_key {
	struct vktls_tls_resync resync;
	__le32 key_no;		/* number of the record's key: 0 = that of tls_add */
	__le32 reserved;
};
VKTLS_ABI_SIZE(vktls_tls_resync_key, 24);

struct vktls_tls_next {
	__le32 ctx;
	__le32 key_no;		/* one more than that of the key given before */
	__u8 iv[12];
	__u8 key[32];		/* key, zeros after a shorter one */
};
VKTLS_ABI_SIZE(vktls_tls_next, 52);

/* The key of all bytes from tcp_seq on, where record 0 of the key begins. */
struct vktls_tls_next_tx {
	struct vktls_tls_next next;
	__le32 tcp_seq;
};
VKTLS_ABI_SIZE(vktls_tls_next_tx, 56);

struct vktls_tls_key_ref {
	__le32 ctx;
	__le32 key_no;
};
VKTLS_ABI_SIZE(vktls_tls_key_ref, 8);

struct vktls_tls_state {
	__le32 state;		/* VKTLS_TLS_* */
	__le32 tcp_seq;		/* expected next */
	__u8 rec_no[8];		/* record in progress or next, big-endian */
	__le64 packets;		/* packets encrypted or decrypted */
	__le64 bytes;		/* TCP payload in them */
};
VKTLS_ABI_SIZE(vktls_tls_state, 32);

struct vktls_stats {
	__le32 num;		/* counters written; firmware before 1.6 does not answer */
};
VKTLS_ABI_SIZE(vktls_stats, 4);

struct vktls_log {
	__le32 next;		/* position for the next read */
	__le32 len;		/* bytes written to the buffer */
};
VKTLS_ABI_SIZE(vktls_log, 8);

/*
 * Firmware image: this header, then the body, which is loaded at the start of the
 * core's memory. The digest is SHA-256 over header (digest as zeros) and body.
 */
struct vktls_fw_header {
	__le32 magic;		/* VKTLS_FW_MAGIC */
	__le16 abi_major;
	__le16 abi_minor;	/* at most the hardware's */
	__le32 header_len;	/* bytes of this structure */
	__le32 body_len;	/* bytes after it */
	__le32 entry;		/* offset into the body, multiple of 4 */
	__le32 version;		/* as VKTLS_REG_FW_VERSION */
	__u8 name[16];		/* NUL-padded text */
	__u8 reserved[24];
	__u8 digest[32];
};
VKTLS_ABI_SIZE(vktls_fw_header, 96);

/* Follows the body of a signed image. */
struct vktls_fw_sign {
	__le32 magic;		/* VKTLS_FW_SIGN_MAGIC */
	__u8 reserved[4];
	__u8 signature[64];	/* Ed25519 (RFC 8032) over header and body */
};
VKTLS_ABI_SIZE(vktls_fw_sign, 72);

#endif /* types */
#endif /* VKTLS_ABI_H */
