/* SPDX-License-Identifier: GPL-2.0-only */
/* A valid payload for each command, and a rig with booted firmware. */
#ifndef FW_GOOD_H
#define FW_GOOD_H

#include <string.h>

#include "fw_rig.h"
#include "ktap.h"

static const uint8_t key[32] = {
	0xc5, 0x1e, 0x9b, 0x70, 0x3f, 0xd2, 0xa6, 0x84, 0x5b, 0xe9, 0x17, 0x62, 0xf8, 0x4d, 0x33,
	0xac, 0x91, 0x0e, 0x7a, 0xd5, 0x26, 0xbf, 0x48, 0xc3, 0x6d, 0x12, 0xf4, 0x89, 0x5e, 0xa0,
	0x37, 0xdb,
};

static inline struct vktls_tls_add tls_add(uint8_t cipher)
{
	struct vktls_tls_add add = {
		.version = VKTLS_VERSION_TLS12,
		.cipher = cipher,
		.direction = VKTLS_DIR_TX,
		.tcp_seq = 0x89abcdef,
		.rec_no = { 1, 2, 3, 4, 5, 6, 7, 8 },
		.iv = { 0xa0, 0xa1, 0xa2, 0xa3, 0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7 },
	};

	memcpy(add.key, key, cipher == VKTLS_CIPHER_AES_128_GCM ? 16 : 32);
	return add;
}

static inline struct vktls_tls_add_rx tls_add_rx(uint8_t cipher)
{
	struct vktls_tls_add_rx req = {
		.add = tls_add(cipher),
		.flow = {
			.ip_version = 6,
			.src_port = { 0x01, 0xbb },
			.dst_port = { 0xc3, 0x50 },
			.src = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0xf2 },
			.dst = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0xf1 },
		},
	};

	req.add.direction = VKTLS_DIR_RX;
	return req;
}

/* Add a context. Return its number, or UINT32_MAX. */
static inline uint32_t add_context(void)
{
	struct vktls_tls_add add = tls_add(VKTLS_CIPHER_AES_256_GCM);

	if (rig_status(VKTLS_CMD_TLS_ADD, &add, sizeof(add)))
		return UINT32_MAX;
	return ((struct vktls_tls_ref *)rig.cpl.payload)->ctx;
}

static inline struct vktls_rss rss_good(void)
{
	struct vktls_rss rss = { .types = 0x3f };

	for (int i = 0; i < VKTLS_RSS_KEY_BYTES; i++)
		rss.key[i] = 0xf0 - i;
	for (int i = 0; i < VKTLS_RSS_ENTRIES; i++)
		rss.table[i] = i % RIG_QUEUES;
	return rss;
}

static inline struct vktls_rss_ctx rss_ctx_good(void)
{
	struct vktls_rss_ctx rss = { .fields = { 3, 15, 3, 15, 3, 0 }, .input = VKTLS_RSS_XOR };

	for (int i = 0; i < VKTLS_RSS_KEY_BYTES; i++)
		rss.key[i] = 0x11 + i;
	for (int i = 0; i < VKTLS_RSS_ENTRIES; i++)
		rss.table[i] = i * 3 % RIG_QUEUES;
	return rss;
}

static inline struct vktls_flow_filter flow_good(void)
{
	return (struct vktls_flow_filter){
		.place = VKTLS_FLOW_FILTERS - 1,
		.action = VKTLS_FLOW_RSS,
		.rss_ctx = VKTLS_RSS_CONTEXTS - 1,
		.queue = RIG_QUEUES - 1,
		.ip_version = 4,
		.proto = 17,
		.value = { .dst_port = { 0, 53 }, .src = { 192, 0, 2, 0 } },
		.mask = { .dst_port = { 0xff, 0xff }, .src = { 255, 255, 255, 0 } },
	};
}

static inline struct vktls_queue_cfg queue_good(void)
{
	return (struct vktls_queue_cfg){
		.ref = { .type = VKTLS_QUEUE_RX, .queue = 3 },
		.log2 = 12,
		.vector = RIG_QUEUES,
		.ring = 0xfedcba9876543240ull,
		.cq = 0x0123456789abcdc0ull,
	};
}

/*
 * Write a valid payload for @opcode and return its length. Context 0 exists, queue 3 does
 * not.
 */
static inline uint16_t good_payload(uint16_t opcode, uint8_t payload[120])
{
	struct vktls_port_cfg port = { .flags = VKTLS_PORT_UP, .mtu = 1500 };
	struct vktls_mac mac = { .addr = { 2, 0, 0, 0, 0, 1 } };
	struct vktls_buf buf = { .addr = RIG_BUF, .len = 176 };
	struct vktls_queue_cfg queue = queue_good();
	struct vktls_tls_add add = tls_add(VKTLS_CIPHER_AES_128_GCM);
	struct vktls_tls_add_rx add_rx = tls_add_rx(VKTLS_CIPHER_AES_128_GCM);
	struct vktls_tls_resync resync = { .ctx = 0 };
	struct vktls_tls_resync_key resync_key = { .key_no = 1 };
	struct vktls_tls_next next = { .key_no = 1 };
	struct vktls_tls_next_tx next_tx = { .next.key_no = 1 };
	struct vktls_tls_key_ref key_ref = { .key_no = 1 };
	struct vktls_rss rss = rss_good();
	struct vktls_rss_ctx rss_ctx = rss_ctx_good();
	struct vktls_buf ctx_buf = { .addr = RIG_BUF, .len = 176, .arg = 5 };
	struct vktls_rss_ref rss_ref = { .ctx = 5 };
	struct vktls_flow_filter flow = flow_good();
	struct vktls_flow_ref flow_ref = { .place = 7 };
	const struct {
		const void *payload;
		uint16_t len;
	} good[VKTLS_CMD_NUM] = {
		[VKTLS_CMD_PORT_SET] = { &port, sizeof(port) },
		[VKTLS_CMD_MAC_SET] = { &mac, sizeof(mac) },
		[VKTLS_CMD_FILTER_SET] = { &buf, sizeof(buf) },
		[VKTLS_CMD_RSS_SET] = { &buf, sizeof(buf) },
		[VKTLS_CMD_QUEUE_CREATE] = { &queue, sizeof(queue) },
		[VKTLS_CMD_QUEUE_DESTROY] = { &queue.ref, sizeof(queue.ref) },
		[VKTLS_CMD_TLS_ADD] = { &add, sizeof(add) },
		[VKTLS_CMD_TLS_ADD_RX] = { &add_rx, sizeof(add_rx) },
		[VKTLS_CMD_TLS_DEL] = { &resync, 4 },
		[VKTLS_CMD_TLS_RESYNC] = { &resync, sizeof(resync) },
		[VKTLS_CMD_TLS_RESYNC_KEY] = { &resync_key, sizeof(resync_key) },
		[VKTLS_CMD_TLS_NEXT] = { &next, sizeof(next) },
		[VKTLS_CMD_TLS_NEXT_TX] = { &next_tx, sizeof(next_tx) },
		[VKTLS_CMD_TLS_KEY_DONE] = { &key_ref, sizeof(key_ref) },
		[VKTLS_CMD_TLS_QUERY] = { &resync, 4 },
		[VKTLS_CMD_STATS] = { &buf, sizeof(buf) },
		[VKTLS_CMD_LOG_READ] = { &buf, sizeof(buf) },
		[VKTLS_CMD_RSS_CTX_SET] = { &ctx_buf, sizeof(ctx_buf) },
		[VKTLS_CMD_RSS_CTX_DEL] = { &rss_ref, sizeof(rss_ref) },
		[VKTLS_CMD_FLOW_SET] = { &flow, sizeof(flow) },
		[VKTLS_CMD_FLOW_DEL] = { &flow_ref, sizeof(flow_ref) },
	};

	memset(payload, 0, 120);
	memset(rig_at(RIG_BUF), 0, 0x1000);
	if (opcode == VKTLS_CMD_RSS_SET)
		memcpy(rig_at(RIG_BUF), &rss, sizeof(rss));
	if (opcode == VKTLS_CMD_RSS_CTX_SET)
		memcpy(rig_at(RIG_BUF), &rss_ctx, sizeof(rss_ctx));
	if (good[opcode].len)
		memcpy(payload, good[opcode].payload, good[opcode].len);
	return good[opcode].len;
}

static inline void fresh(void)
{
	rig_init(&rig_config);
	ktap_expect(rig_boot());
	rig.irqs[VKTLS_VEC_ASYNC] = 0;
	rig.calls = 0;
}

#define RUN(fn) do {		\
	fresh();		\
	KTAP_RUN(fn);		\
} while (0)

#endif
