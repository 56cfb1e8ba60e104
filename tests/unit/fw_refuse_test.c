// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each reason for which the real firmware refuses a command, with its own status. A refused
 * command must not reach the NIC.
 */
#include "fw_good.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PLACE(type, field)	offsetof(struct type, field)

/* A command with one wrong field. */
static const struct refusal {
	const char *name;
	uint16_t opcode;
	uint16_t at;		/* offset of the field in the payload */
	uint8_t size;		/* size of the field */
	uint64_t value;
	uint16_t want;
} refusals[] = {
#define FIELD(type, field) \
	offsetof(struct type, field), sizeof(((struct type *)0)->field)
	{ "port: undefined flag", VKTLS_CMD_PORT_SET, FIELD(vktls_port_cfg, flags), 0x800,
	  VKTLS_ST_PARAM },
	{ "port: undefined high flag", VKTLS_CMD_PORT_SET, FIELD(vktls_port_cfg, flags),
	  0x80000000, VKTLS_ST_PARAM },
	{ "port: mtu too small", VKTLS_CMD_PORT_SET, FIELD(vktls_port_cfg, mtu), 67,
	  VKTLS_ST_PARAM },
	{ "port: mtu too large", VKTLS_CMD_PORT_SET, FIELD(vktls_port_cfg, mtu), 9001,
	  VKTLS_ST_PARAM },
	{ "mac: group address", VKTLS_CMD_MAC_SET, PLACE(vktls_mac, addr), 1, 0x03,
	  VKTLS_ST_PARAM },
	{ "mac: zero", VKTLS_CMD_MAC_SET, PLACE(vktls_mac, addr), 6, 0, VKTLS_ST_PARAM },
	{ "mac: reserved", VKTLS_CMD_MAC_SET, FIELD(vktls_mac, reserved), 0x100,
	  VKTLS_ST_RESERVED },
	{ "filter: not a multiple of 8", VKTLS_CMD_FILTER_SET, FIELD(vktls_buf, len), 12,
	  VKTLS_ST_LENGTH },
	{ "filter: one too many", VKTLS_CMD_FILTER_SET, FIELD(vktls_buf, len), 33 * 8,
	  VKTLS_ST_LENGTH },
	{ "filter: far too many", VKTLS_CMD_FILTER_SET, FIELD(vktls_buf, len), 0xfffffff8,
	  VKTLS_ST_LENGTH },
	{ "filter: arg", VKTLS_CMD_FILTER_SET, FIELD(vktls_buf, arg), 1, VKTLS_ST_RESERVED },
	{ "filter: not host memory", VKTLS_CMD_FILTER_SET, FIELD(vktls_buf, addr), 0x1000,
	  VKTLS_ST_DMA },
	{ "filter: end of the address space", VKTLS_CMD_FILTER_SET, FIELD(vktls_buf, addr),
	  0xfffffffffffffffcull, VKTLS_ST_DMA },
	{ "rss: short", VKTLS_CMD_RSS_SET, FIELD(vktls_buf, len), 175, VKTLS_ST_LENGTH },
	{ "rss: long", VKTLS_CMD_RSS_SET, FIELD(vktls_buf, len), 177, VKTLS_ST_LENGTH },
	{ "rss: arg", VKTLS_CMD_RSS_SET, FIELD(vktls_buf, arg), 1, VKTLS_ST_RESERVED },
	{ "rss: not host memory", VKTLS_CMD_RSS_SET, FIELD(vktls_buf, addr), 0, VKTLS_ST_DMA },
	{ "queue: type", VKTLS_CMD_QUEUE_CREATE, FIELD(vktls_queue_cfg, ref.type), 2,
	  VKTLS_ST_PARAM },
	{ "queue: number", VKTLS_CMD_QUEUE_CREATE, FIELD(vktls_queue_cfg, ref.queue), RIG_QUEUES,
	  VKTLS_ST_PARAM },
	{ "queue: too small", VKTLS_CMD_QUEUE_CREATE, FIELD(vktls_queue_cfg, log2), 5,
	  VKTLS_ST_PARAM },
	{ "queue: too large", VKTLS_CMD_QUEUE_CREATE, FIELD(vktls_queue_cfg, log2), 13,
	  VKTLS_ST_PARAM },
	{ "queue: vector", VKTLS_CMD_QUEUE_CREATE, FIELD(vktls_queue_cfg, vector), RIG_QUEUES + 1,
	  VKTLS_ST_PARAM },
	{ "queue: ring misaligned", VKTLS_CMD_QUEUE_CREATE, FIELD(vktls_queue_cfg, ring), 0x1020,
	  VKTLS_ST_PARAM },
	{ "queue: completions misaligned", VKTLS_CMD_QUEUE_CREATE, FIELD(vktls_queue_cfg, cq),
	  0x1001, VKTLS_ST_PARAM },
	{ "destroy: type", VKTLS_CMD_QUEUE_DESTROY, FIELD(vktls_queue_ref, type), 0xffff,
	  VKTLS_ST_PARAM },
	{ "destroy: number", VKTLS_CMD_QUEUE_DESTROY, FIELD(vktls_queue_ref, queue), RIG_QUEUES,
	  VKTLS_ST_PARAM },
	{ "tls add: version", VKTLS_CMD_TLS_ADD, FIELD(vktls_tls_add, version), 1,
	  VKTLS_ST_UNSUPPORTED },
	{ "tls add: version beyond the mask", VKTLS_CMD_TLS_ADD, FIELD(vktls_tls_add, version), 32,
	  VKTLS_ST_UNSUPPORTED },
	{ "tls add: cipher", VKTLS_CMD_TLS_ADD, FIELD(vktls_tls_add, cipher), 2,
	  VKTLS_ST_UNSUPPORTED },
	{ "tls add: cipher beyond the mask", VKTLS_CMD_TLS_ADD, FIELD(vktls_tls_add, cipher), 33,
	  VKTLS_ST_UNSUPPORTED },
	{ "tls add: reserved", VKTLS_CMD_TLS_ADD, FIELD(vktls_tls_add, reserved), 1,
	  VKTLS_ST_RESERVED },
	{ "tls add: byte after a short key", VKTLS_CMD_TLS_ADD, PLACE(vktls_tls_add, key[16]), 1,
	  1, VKTLS_ST_RESERVED },
	{ "tls add: last byte after a short key", VKTLS_CMD_TLS_ADD, PLACE(vktls_tls_add, key[31]),
	  1, 1, VKTLS_ST_RESERVED },
	{ "tls add: a context that receives", VKTLS_CMD_TLS_ADD, FIELD(vktls_tls_add, direction),
	  VKTLS_DIR_RX, VKTLS_ST_UNSUPPORTED },
	{ "tls add rx: a context that transmits", VKTLS_CMD_TLS_ADD_RX,
	  FIELD(vktls_tls_add_rx, add.direction), VKTLS_DIR_TX, VKTLS_ST_UNSUPPORTED },
	{ "tls add rx: version", VKTLS_CMD_TLS_ADD_RX, FIELD(vktls_tls_add_rx, add.version), 1,
	  VKTLS_ST_UNSUPPORTED },
	{ "tls add rx: cipher", VKTLS_CMD_TLS_ADD_RX, FIELD(vktls_tls_add_rx, add.cipher), 2,
	  VKTLS_ST_UNSUPPORTED },
	{ "tls add rx: reserved", VKTLS_CMD_TLS_ADD_RX, FIELD(vktls_tls_add_rx, add.reserved), 1,
	  VKTLS_ST_RESERVED },
	{ "tls add rx: byte after a short key", VKTLS_CMD_TLS_ADD_RX,
	  PLACE(vktls_tls_add_rx, add.key[16]), 1, 1, VKTLS_ST_RESERVED },
	{ "tls add rx: flow of no ip", VKTLS_CMD_TLS_ADD_RX,
	  FIELD(vktls_tls_add_rx, flow.ip_version), 0, VKTLS_ST_PARAM },
	{ "tls add rx: flow of ip 5", VKTLS_CMD_TLS_ADD_RX,
	  FIELD(vktls_tls_add_rx, flow.ip_version), 5, VKTLS_ST_PARAM },
	{ "tls add rx: bytes after an ipv4 address", VKTLS_CMD_TLS_ADD_RX,
	  FIELD(vktls_tls_add_rx, flow.ip_version), 4, VKTLS_ST_PARAM },
	{ "tls add rx: first reserved byte", VKTLS_CMD_TLS_ADD_RX,
	  PLACE(vktls_tls_add_rx, flow.reserved[0]), 1, 1, VKTLS_ST_RESERVED },
	{ "tls add rx: last reserved byte", VKTLS_CMD_TLS_ADD_RX,
	  PLACE(vktls_tls_add_rx, flow.reserved[2]), 1, 0x80, VKTLS_ST_RESERVED },
	{ "tls del: free place", VKTLS_CMD_TLS_DEL, FIELD(vktls_tls_ref, ctx), 1, VKTLS_ST_NOENT },
	{ "tls del: no place", VKTLS_CMD_TLS_DEL, FIELD(vktls_tls_ref, ctx), RIG_CONTEXTS,
	  VKTLS_ST_NOENT },
	{ "tls del: far away", VKTLS_CMD_TLS_DEL, FIELD(vktls_tls_ref, ctx), 0xffffffff,
	  VKTLS_ST_NOENT },
	{ "tls resync: free place", VKTLS_CMD_TLS_RESYNC, FIELD(vktls_tls_resync, ctx), 1,
	  VKTLS_ST_NOENT },
	{ "tls resync key: free place", VKTLS_CMD_TLS_RESYNC_KEY,
	  FIELD(vktls_tls_resync_key, resync.ctx), 1, VKTLS_ST_NOENT },
	{ "tls resync key: reserved", VKTLS_CMD_TLS_RESYNC_KEY,
	  FIELD(vktls_tls_resync_key, reserved), 1, VKTLS_ST_RESERVED },
	{ "tls next: free place", VKTLS_CMD_TLS_NEXT, FIELD(vktls_tls_next, ctx), 1,
	  VKTLS_ST_NOENT },
	{ "tls next tx: free place", VKTLS_CMD_TLS_NEXT_TX, FIELD(vktls_tls_next_tx, next.ctx), 1,
	  VKTLS_ST_NOENT },
	{ "tls key done: free place", VKTLS_CMD_TLS_KEY_DONE, FIELD(vktls_tls_key_ref, ctx), 1,
	  VKTLS_ST_NOENT },
	{ "tls query: free place", VKTLS_CMD_TLS_QUERY, FIELD(vktls_tls_ref, ctx), 5,
	  VKTLS_ST_NOENT },
	{ "stats: empty", VKTLS_CMD_STATS, FIELD(vktls_buf, len), 0, VKTLS_ST_LENGTH },
	{ "stats: not a multiple of 8", VKTLS_CMD_STATS, FIELD(vktls_buf, len), 20,
	  VKTLS_ST_LENGTH },
	{ "stats: arg", VKTLS_CMD_STATS, FIELD(vktls_buf, arg), 1, VKTLS_ST_RESERVED },
	{ "stats: not host memory", VKTLS_CMD_STATS, FIELD(vktls_buf, addr), 1, VKTLS_ST_DMA },
	{ "rss ctx: no such", VKTLS_CMD_RSS_CTX_SET, FIELD(vktls_buf, arg), VKTLS_RSS_CONTEXTS,
	  VKTLS_ST_PARAM },
	{ "rss ctx: short", VKTLS_CMD_RSS_CTX_SET, FIELD(vktls_buf, len), 175, VKTLS_ST_LENGTH },
	{ "rss ctx: not host memory", VKTLS_CMD_RSS_CTX_SET, FIELD(vktls_buf, addr), 0,
	  VKTLS_ST_DMA },
	{ "rss ctx del: the port's own", VKTLS_CMD_RSS_CTX_DEL, FIELD(vktls_rss_ref, ctx), 0,
	  VKTLS_ST_PARAM },
	{ "flow: no such place", VKTLS_CMD_FLOW_SET, FIELD(vktls_flow_filter, place),
	  VKTLS_FLOW_FILTERS, VKTLS_ST_PARAM },
	{ "flow: action", VKTLS_CMD_FLOW_SET, FIELD(vktls_flow_filter, action), 3,
	  VKTLS_ST_PARAM },
	{ "flow: dropped to a queue", VKTLS_CMD_FLOW_SET, FIELD(vktls_flow_filter, action),
	  VKTLS_FLOW_DROP, VKTLS_ST_PARAM },
	{ "flow: to a queue by an rss context", VKTLS_CMD_FLOW_SET,
	  FIELD(vktls_flow_filter, action), VKTLS_FLOW_QUEUE, VKTLS_ST_PARAM },
	{ "flow: no such rss context", VKTLS_CMD_FLOW_SET, FIELD(vktls_flow_filter, rss_ctx),
	  VKTLS_RSS_CONTEXTS, VKTLS_ST_PARAM },
	{ "flow: no such queue", VKTLS_CMD_FLOW_SET, FIELD(vktls_flow_filter, queue), RIG_QUEUES,
	  VKTLS_ST_PARAM },
	{ "flow: ip 5", VKTLS_CMD_FLOW_SET, FIELD(vktls_flow_filter, ip_version), 5,
	  VKTLS_ST_PARAM },
	{ "flow: neither tcp nor udp", VKTLS_CMD_FLOW_SET, FIELD(vktls_flow_filter, proto), 1,
	  VKTLS_ST_PARAM },
	{ "flow: ports of any protocol", VKTLS_CMD_FLOW_SET, FIELD(vktls_flow_filter, proto), 0,
	  VKTLS_ST_PARAM },
	{ "flow: reserved", VKTLS_CMD_FLOW_SET, FIELD(vktls_flow_filter, reserved), 1,
	  VKTLS_ST_RESERVED },
	{ "flow: value outside of the mask", VKTLS_CMD_FLOW_SET,
	  PLACE(vktls_flow_filter, value.src_port), 1, 1, VKTLS_ST_PARAM },
	{ "flow: bytes after an ipv4 address", VKTLS_CMD_FLOW_SET,
	  PLACE(vktls_flow_filter, mask.dst[15]), 1, 1, VKTLS_ST_PARAM },
	{ "flow del: no such place", VKTLS_CMD_FLOW_DEL, FIELD(vktls_flow_ref, place),
	  VKTLS_FLOW_FILTERS, VKTLS_ST_PARAM },
	{ "flow del: far away", VKTLS_CMD_FLOW_DEL, FIELD(vktls_flow_ref, place), 0x10007,
	  VKTLS_ST_PARAM },
	{ "log: not host memory", VKTLS_CMD_LOG_READ, FIELD(vktls_buf, addr), 1, VKTLS_ST_DMA },
};

static void test_refusal(const void *row)
{
	const struct refusal *r = row;
	uint8_t payload[120];
	uint16_t len;

	fresh();
	ktap_expect_eq(add_context(), 0);
	rig.calls = 0;
	len = good_payload(r->opcode, payload);
	rig_put(payload + r->at, r->value, r->size);
	ktap_expect_eq(rig_status(r->opcode, payload, len), r->want);
	ktap_expect_eq(rig.calls, 0);
	ktap_expect_eq(rig.cpl.len, 0);
}

/* Checks that all commands share, made for each command. */
static void test_envelope(void)
{
	uint8_t payload[121] = { 0 };
	uint16_t len;

	for (uint16_t opcode = 0; opcode < VKTLS_CMD_NUM; opcode++) {
		len = good_payload(opcode, payload);
		if (len)
			ktap_expect_eq(rig_status(opcode, payload, len - 1), VKTLS_ST_LENGTH);
		ktap_expect_eq(rig_status(opcode, payload, len + 1), VKTLS_ST_LENGTH);
		ktap_expect_eq(rig_status(opcode, payload, 121), VKTLS_ST_LENGTH);
		ktap_expect_eq(rig_status(opcode, payload, 0xffff), VKTLS_ST_LENGTH);
	}
	for (uint16_t opcode = VKTLS_CMD_NUM; opcode; opcode = opcode * 2 & 0xffff)
		ktap_expect_eq(rig_status(opcode, NULL, 0), VKTLS_ST_OPCODE);
	ktap_expect_eq(rig.calls, 0);
}

/* Set the first byte after the payload, then the last byte of the command. */
static void test_rest_not_zero(void)
{
	uint8_t payload[120];
	uint16_t len;

	for (uint16_t opcode = 0; opcode < VKTLS_CMD_NUM; opcode++) {
		len = good_payload(opcode, payload);
		ktap_expect_eq(rig_status_tail(opcode, payload, len, len), VKTLS_ST_RESERVED);
		ktap_expect_eq(rig_status_tail(opcode, payload, len, 119), VKTLS_ST_RESERVED);
	}
	ktap_expect_eq(rig.calls, 0);
}

/* Hardware without certain modes and ciphers. */
static void test_lesser_hardware(void)
{
	VkdevCoreConfig config = rig_config;
	struct vktls_tls_add_rx add_rx = tls_add_rx(VKTLS_CIPHER_AES_128_GCM);
	struct vktls_tls_add add = tls_add(VKTLS_CIPHER_AES_128_GCM);
	struct vktls_port_cfg cfg = { .mtu = 1500 };
	uint8_t payload[120];
	uint16_t len;

	config.features = VKTLS_CAP_TX_CSUM;
	config.tls_contexts = 0;
	config.tls_ciphers = 0;
	config.tls_versions = 0;
	rig_init(&config);
	ktap_expect(rig_boot());
	for (uint32_t flag = VKTLS_PORT_RX_CSUM; flag <= VKTLS_PORT_RX_GRO_CWR; flag *= 2) {
		cfg.flags = flag;
		ktap_expect_eq(rig_status(VKTLS_CMD_PORT_SET, &cfg, sizeof(cfg)),
			       VKTLS_ST_UNSUPPORTED);
	}
	cfg.flags = VKTLS_PORT_UP | VKTLS_PORT_BROADCAST;
	ktap_expect_eq(rig_status(VKTLS_CMD_PORT_SET, &cfg, sizeof(cfg)), VKTLS_ST_OK);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD, &add, sizeof(add)), VKTLS_ST_UNSUPPORTED);
	for (uint16_t op = VKTLS_CMD_RSS_CTX_SET; op <= VKTLS_CMD_FLOW_DEL; op++) {
		len = good_payload(op, payload);
		ktap_expect_eq(rig_status(op, payload, len), VKTLS_ST_UNSUPPORTED);
	}
	config.tls_ciphers = 1;
	config.tls_versions = 1;
	rig_init(&config);
	ktap_expect(rig_boot());
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD, &add, sizeof(add)), VKTLS_ST_FULL);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD_RX, &add_rx, sizeof(add_rx)),
		       VKTLS_ST_UNSUPPORTED);
	config.features |= VKTLS_CAP_TLS_RX;
	rig_init(&config);
	ktap_expect(rig_boot());
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD_RX, &add_rx, sizeof(add_rx)), VKTLS_ST_FULL);
}

/* A capability that the image does not know is not offered. */
static void test_newer_hardware(void)
{
	const struct vktls_caps *caps = (void *)rig.cpl.payload;
	VkdevCoreConfig config = rig_config;

	config.features |= 1u << 31;
	rig_init(&config);
	ktap_expect(rig_boot());
	ktap_expect_eq(rig_status(VKTLS_CMD_CAPS, NULL, 0), VKTLS_ST_OK);
	ktap_expect_eq(caps->features, rig_config.features);
}

int main(void)
{
	ktap_start();
	RUN(test_envelope);
	RUN(test_rest_not_zero);
	RUN(test_lesser_hardware);
	RUN(test_newer_hardware);
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		ktap_case(refusals[i].name, test_refusal, &refusals[i]);
	rig_fini();
	return ktap_finish();
}
