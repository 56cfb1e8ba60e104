// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each command of the ABI, executed by the real firmware: the calls that reach the NIC, the
 * answer, the cost, and that no key is left behind.
 */
#include <endian.h>

#include "fw_good.h"

static void test_nop(void)
{
	ktap_expect_eq(rig_status(VKTLS_CMD_NOP, NULL, 0), VKTLS_ST_OK);
	ktap_expect_eq(rig.cpl.len, 0);
	ktap_expect_eq(rig.irqs[VKTLS_VEC_ASYNC], 1);
	ktap_expect_eq(rig.calls, 0);
}

static void test_caps(void)
{
	const struct vktls_caps *caps = (void *)rig.cpl.payload;

	ktap_expect_eq(rig_status(VKTLS_CMD_CAPS, NULL, 0), VKTLS_ST_OK);
	ktap_expect_eq(rig.cpl.len, sizeof(*caps));
	ktap_expect_eq(caps->features, rig_config.features);
	ktap_expect_eq(caps->queues, RIG_QUEUES);
	ktap_expect_eq(caps->mtu_max, VKTLS_MTU_MAX);
	ktap_expect_eq(caps->tls_contexts, RIG_CONTEXTS);
	ktap_expect_eq(caps->tls_ciphers, rig_config.tls_ciphers);
	ktap_expect_eq(caps->tls_versions, rig_config.tls_versions);
	ktap_expect_eq(caps->fw_version, vkdev_core_fw_version(rig.core));
	ktap_expect_mem(caps->mac, rig_config.mac, 6);
	ktap_expect_eq(caps->abi_minor, VKTLS_ABI_MINOR);
	ktap_expect_mem(caps->fw_name, "vktls\0\0\0\0\0\0\0\0\0\0", 16);
}

static void test_port_set(void)
{
	struct vktls_port_cfg cfg = { .flags = 0x7f, .mtu = 9000 };

	ktap_expect_eq(rig_status(VKTLS_CMD_PORT_SET, &cfg, sizeof(cfg)), VKTLS_ST_OK);
	ktap_expect_eq(rig.port_flags, 0x7f);
	ktap_expect_eq(rig.mtu, 9000);
	cfg = (struct vktls_port_cfg){ .flags = 0, .mtu = 68 };
	ktap_expect_eq(rig_status(VKTLS_CMD_PORT_SET, &cfg, sizeof(cfg)), VKTLS_ST_OK);
	ktap_expect_eq(rig.port_flags, 0);
	ktap_expect_eq(rig.mtu, 68);
}

static void test_mac_set(void)
{
	struct vktls_mac mac = { .addr = { 0x52, 0x54, 0x00, 0xff, 0x81, 0x02 } };

	ktap_expect_eq(rig_status(VKTLS_CMD_MAC_SET, &mac, sizeof(mac)), VKTLS_ST_OK);
	ktap_expect_mem(rig.mac, mac.addr, 6);
}

static uint16_t filter_set(const struct vktls_mac *macs, uint32_t n)
{
	struct vktls_buf buf = { .addr = RIG_BUF, .len = n * sizeof(*macs) };

	memcpy(rig_at(RIG_BUF), macs, n * sizeof(*macs));
	return rig_status(VKTLS_CMD_FILTER_SET, &buf, sizeof(buf));
}

static void test_filter_set(void)
{
	struct vktls_mac macs[VKTLS_MAC_FILTERS] = { 0 };
	struct vktls_buf none = { .addr = 0, .len = 0 };

	for (int i = 0; i < VKTLS_MAC_FILTERS; i++)
		memcpy(macs[i].addr, (uint8_t []){ 0x33, 0x33, i, 0x80, 0xff, i + 7 }, 6);
	ktap_expect_eq(filter_set(macs, VKTLS_MAC_FILTERS), VKTLS_ST_OK);
	ktap_expect_eq(rig.filter_count, VKTLS_MAC_FILTERS);
	for (int i = 0; i < VKTLS_MAC_FILTERS; i++)
		ktap_expect_mem(rig.filters[i], macs[i].addr, 6);
	ktap_expect_eq(filter_set(macs + 3, 1), VKTLS_ST_OK);
	ktap_expect_eq(rig.filter_count, 1);
	ktap_expect_mem(rig.filters[0], macs[3].addr, 6);
	ktap_expect_eq(rig_status(VKTLS_CMD_FILTER_SET, &none, sizeof(none)), VKTLS_ST_OK);
	ktap_expect_eq(rig.filter_count, 0);
	rig.calls = 0;
	macs[1].reserved[1] = 1;
	ktap_expect_eq(filter_set(macs, 2), VKTLS_ST_RESERVED);
	ktap_expect_eq(rig.calls, 0);
}

static void test_link_get(void)
{
	const struct vktls_link *link = (void *)rig.cpl.payload;

	for (int up = 0; up < 2; up++) {
		rig.link = up;
		ktap_expect_eq(rig_status(VKTLS_CMD_LINK_GET, NULL, 0), VKTLS_ST_OK);
		ktap_expect_eq(rig.cpl.len, sizeof(*link));
		ktap_expect_eq(link->up, up);
		ktap_expect_eq(link->mbps, RIG_MBPS);
	}
}

static uint16_t rss_set(const struct vktls_rss *rss)
{
	struct vktls_buf buf = { .addr = RIG_BUF, .len = sizeof(*rss) };

	memcpy(rig_at(RIG_BUF), rss, sizeof(*rss));
	return rig_status(VKTLS_CMD_RSS_SET, &buf, sizeof(buf));
}

/*
 * RSS types and the fields that they stand for. A type with ports that is not set uses the
 * fields of the type without ports.
 */
static const struct {
	uint8_t types;
	uint8_t fields[VKTLS_RSS_TYPES];	/* for IPv4, TCP4, IPv6, TCP6, UDP4, UDP6 */
} rss_types[] = {
	{ 0, { 0, 0, 0, 0, 0, 0 } },
	{ VKTLS_RSS_IPV4, { 3, 3, 0, 0, 3, 0 } },
	{ VKTLS_RSS_TCP6 | VKTLS_RSS_UDP4, { 0, 0, 0, 15, 15, 0 } },
	{ 0x3f, { 3, 15, 3, 15, 15, 15 } },
};

static void test_rss_set(void)
{
	struct vktls_rss rss = rss_good();

	for (size_t i = 0; i < sizeof(rss_types) / sizeof(rss_types[0]); i++) {
		rss.types = rss_types[i].types;
		ktap_expect_eq(rss_set(&rss), VKTLS_ST_OK);
		ktap_expect_mem(rig.rss[0].fields, rss_types[i].fields, VKTLS_RSS_TYPES);
		ktap_expect_mem(rig.rss[0].key, rss.key, sizeof(rss.key));
		ktap_expect_mem(rig.rss[0].table, rss.table, sizeof(rss.table));
		ktap_expect_eq(rig.rss[0].input, VKTLS_RSS_PLAIN);
	}
	rig.calls = 0;
	rss.types = 0x40;
	ktap_expect_eq(rss_set(&rss), VKTLS_ST_PARAM);
	rss = rss_good();
	rss.reserved[6] = 1;
	ktap_expect_eq(rss_set(&rss), VKTLS_ST_RESERVED);
	rss = rss_good();
	rss.table[127] = RIG_QUEUES;
	ktap_expect_eq(rss_set(&rss), VKTLS_ST_PARAM);
	ktap_expect_eq(rig.calls, 0);
}

static uint16_t rss_ctx_set(uint32_t ctx, const struct vktls_rss_ctx *rss)
{
	struct vktls_buf buf = { .addr = RIG_BUF, .len = sizeof(*rss), .arg = ctx };

	memcpy(rig_at(RIG_BUF), rss, sizeof(*rss));
	return rig_status(VKTLS_CMD_RSS_CTX_SET, &buf, sizeof(buf));
}

static void test_rss_ctx(void)
{
	const uint32_t last = VKTLS_RSS_CONTEXTS - 1;
	struct vktls_rss_ctx rss = rss_ctx_good();
	struct vktls_rss_ref ref = { .ctx = last };

	ktap_expect_eq(rss_ctx_set(last, &rss), VKTLS_ST_OK);
	ktap_expect_mem(&rig.rss[last], &rss, sizeof(rss));
	ktap_expect_eq(rss_ctx_set(0, &rss), VKTLS_ST_OK);
	ktap_expect_mem(&rig.rss[0], &rss, sizeof(rss));
	ktap_expect_eq(rig_status(VKTLS_CMD_RSS_CTX_DEL, &ref, sizeof(ref)), VKTLS_ST_OK);
	ktap_expect(!rig.rss_live[last]);
	ktap_expect_eq(rig_status(VKTLS_CMD_RSS_CTX_DEL, &ref, sizeof(ref)), VKTLS_ST_NOENT);
	rig.refuse = VKTLS_ST_STATE;
	ktap_expect_eq(rig_status(VKTLS_CMD_RSS_CTX_DEL, &ref, sizeof(ref)), VKTLS_ST_STATE);
}

/* RSS contexts with one wrong byte each. */
static void test_rss_ctx_bad(void)
{
	static const struct {
		uint8_t at, value;
		uint16_t want;
	} bad[] = {
		{ offsetof(struct vktls_rss_ctx, fields[1]), 0x10, VKTLS_ST_PARAM },
		{ offsetof(struct vktls_rss_ctx, fields[0]), 0x07, VKTLS_ST_PARAM },
		{ offsetof(struct vktls_rss_ctx, fields[2]), 0x0f, VKTLS_ST_PARAM },
		{ offsetof(struct vktls_rss_ctx, fields[3]), 0x01, VKTLS_ST_PARAM },
		{ offsetof(struct vktls_rss_ctx, fields[4]), 0x07, VKTLS_ST_PARAM },
		{ offsetof(struct vktls_rss_ctx, input), 3, VKTLS_ST_PARAM },
		{ offsetof(struct vktls_rss_ctx, reserved), 1, VKTLS_ST_RESERVED },
		{ offsetof(struct vktls_rss_ctx, table[127]), RIG_QUEUES, VKTLS_ST_PARAM },
	};
	struct vktls_rss_ctx rss;

	rig.calls = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rss = rss_ctx_good();
		((uint8_t *)&rss)[bad[i].at] = bad[i].value;
		ktap_expect_eq(rss_ctx_set(1, &rss), bad[i].want);
	}
	ktap_expect_eq(rig.calls, 0);
	rss = rss_ctx_good();
	rss.input = VKTLS_RSS_PLAIN;
	rss.fields[3] = VKTLS_RSS_DST;
	ktap_expect_eq(rss_ctx_set(1, &rss), VKTLS_ST_OK);
}

static void test_flow(void)
{
	struct vktls_flow_filter flow = flow_good();
	struct vktls_flow_ref ref = { .place = 9 };

	ktap_expect_eq(rig_status(VKTLS_CMD_FLOW_SET, &flow, sizeof(flow)), VKTLS_ST_OK);
	ktap_expect_eq(rig.flow_place, VKTLS_FLOW_FILTERS - 1);
	ktap_expect_mem(&rig.flow, &flow, sizeof(flow));
	ktap_expect_eq(rig_status(VKTLS_CMD_FLOW_DEL, &ref, sizeof(ref)), VKTLS_ST_OK);
	ktap_expect_eq(rig.flow_place, 9);
	rig.refuse = VKTLS_ST_NOENT;
	ktap_expect_eq(rig_status(VKTLS_CMD_FLOW_SET, &flow, sizeof(flow)), VKTLS_ST_NOENT);
	rig.refuse = VKTLS_ST_NOENT;
	ktap_expect_eq(rig_status(VKTLS_CMD_FLOW_DEL, &ref, sizeof(ref)), VKTLS_ST_NOENT);
	flow = (struct vktls_flow_filter){ .ip_version = 6 };
	ktap_expect_eq(rig_status(VKTLS_CMD_FLOW_SET, &flow, sizeof(flow)), VKTLS_ST_OK);
}

static void test_queue(void)
{
	struct vktls_queue_cfg cfg = queue_good();
	const VkdevCoreQueue *got = &rig.queues[VKTLS_QUEUE_RX][3].cfg;

	ktap_expect_eq(rig_status(VKTLS_CMD_QUEUE_CREATE, &cfg, sizeof(cfg)), VKTLS_ST_OK);
	ktap_expect(rig.queues[VKTLS_QUEUE_RX][3].live);
	ktap_expect_eq(got->log2, 12);
	ktap_expect_eq(got->vector, RIG_QUEUES);
	ktap_expect_eq(got->ring, cfg.ring);
	ktap_expect_eq(got->cq, cfg.cq);
	ktap_expect_eq(rig_status(VKTLS_CMD_QUEUE_CREATE, &cfg, sizeof(cfg)), VKTLS_ST_EXIST);
	ktap_expect_eq(rig_status(VKTLS_CMD_QUEUE_DESTROY, &cfg.ref, sizeof(cfg.ref)), VKTLS_ST_OK);
	ktap_expect(!rig.queues[VKTLS_QUEUE_RX][3].live);
	ktap_expect_eq(rig_status(VKTLS_CMD_QUEUE_DESTROY, &cfg.ref, sizeof(cfg.ref)),
		       VKTLS_ST_NOENT);
	cfg.ref.type = VKTLS_QUEUE_TX;
	cfg.log2 = 6;
	cfg.vector = 0;
	ktap_expect_eq(rig_status(VKTLS_CMD_QUEUE_CREATE, &cfg, sizeof(cfg)), VKTLS_ST_OK);
	ktap_expect(rig.queues[VKTLS_QUEUE_TX][3].live);
}

static void test_tls_add(void)
{
	struct vktls_tls_add add = tls_add(VKTLS_CIPHER_AES_256_GCM);
	const VkdevCoreTls *got = &rig.ctx[0].tls;

	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD, &add, sizeof(add)), VKTLS_ST_OK);
	ktap_expect_eq(rig.cpl.len, sizeof(struct vktls_tls_ref));
	ktap_expect_eq(((struct vktls_tls_ref *)rig.cpl.payload)->ctx, 0);
	ktap_expect(rig.ctx[0].live);
	ktap_expect_eq(got->version, VKTLS_VERSION_TLS12);
	ktap_expect_eq(got->cipher, VKTLS_CIPHER_AES_256_GCM);
	ktap_expect_eq(got->direction, VKTLS_DIR_TX);
	ktap_expect_eq(got->tcp_seq, add.tcp_seq);
	ktap_expect_mem(got->rec_no, add.rec_no, 8);
	ktap_expect_mem(got->iv, add.iv, 12);
	ktap_expect_mem(got->key, add.key, 32);
	add = tls_add(VKTLS_CIPHER_AES_128_GCM);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD, &add, sizeof(add)), VKTLS_ST_OK);
	ktap_expect_mem(rig.ctx[1].tls.key, add.key, 32);
}

/*
 * The flow reaches the hardware byte for byte, for IPv6 and IPv4, and is not left in the
 * core's memory.
 */
static void test_tls_add_rx(void)
{
	struct vktls_tls_add_rx req = tls_add_rx(VKTLS_CIPHER_AES_256_GCM);
	const VkdevCoreTls *got = &rig.ctx[0].tls;

	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD_RX, &req, sizeof(req)), VKTLS_ST_OK);
	ktap_expect_eq(rig.cpl.len, sizeof(struct vktls_tls_ref));
	ktap_expect_eq(got->direction, VKTLS_DIR_RX);
	ktap_expect_eq(got->tcp_seq, req.add.tcp_seq);
	ktap_expect_mem(got->rec_no, req.add.rec_no, 8);
	ktap_expect_mem(got->iv, req.add.iv, 12);
	ktap_expect_mem(got->key, req.add.key, 32);
	ktap_expect_mem(&got->flow, &req.flow, sizeof(req.flow));
	req.flow.ip_version = 4;
	memset(req.flow.src + 4, 0, 12);
	memset(req.flow.dst + 4, 0, 12);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD_RX, &req, sizeof(req)), VKTLS_ST_OK);
	ktap_expect_eq(((struct vktls_tls_ref *)rig.cpl.payload)->ctx, 1);
	ktap_expect_mem(&rig.ctx[1].tls.flow, &req.flow, sizeof(req.flow));
	rig.refuse = VKTLS_ST_EXIST;
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD_RX, &req, sizeof(req)), VKTLS_ST_EXIST);
	ktap_expect_eq(add_context(), 2);
}

static void test_tls_places(void)
{
	struct vktls_tls_ref ref = { .ctx = 2 };
	bool used[RIG_CONTEXTS] = { 0 };
	uint32_t ctx;

	for (int i = 0; i < RIG_CONTEXTS; i++) {
		ctx = add_context();
		if (!ktap_expect(ctx < RIG_CONTEXTS && !used[ctx]))
			return;
		used[ctx] = true;
	}
	ktap_expect_eq(add_context(), UINT32_MAX);
	ktap_expect_eq(rig.cpl.status, VKTLS_ST_FULL);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_DEL, &ref, sizeof(ref)), VKTLS_ST_OK);
	ktap_expect(!rig.ctx[2].live);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_DEL, &ref, sizeof(ref)), VKTLS_ST_NOENT);
	ktap_expect_eq(add_context(), 2);
	ktap_expect_eq(add_context(), UINT32_MAX);
}

/*
 * The number of a deleted context is not used again at once, since packets of the old
 * context may still be on their way.
 */
static void test_tls_reuse_order(void)
{
	struct vktls_tls_ref ref = { .ctx = add_context() };

	ktap_expect_eq(ref.ctx, 0);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_DEL, &ref, sizeof(ref)), VKTLS_ST_OK);
	for (uint32_t i = 1; i < RIG_CONTEXTS; i++)
		ktap_expect_eq(add_context(), i);
	ktap_expect_eq(add_context(), 0);
}

static void test_tls_resync(void)
{
	struct vktls_tls_resync resync = {
		.ctx = add_context(),
		.tcp_seq = 0xfffffff0,
		.rec_no = { 0xff, 0xee, 0, 0, 0, 0, 0x11, 0x22 },
	};

	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_RESYNC, &resync, sizeof(resync)), VKTLS_ST_OK);
	ktap_expect_eq(rig.ctx[resync.ctx].tls.tcp_seq, 0xfffffff0);
	ktap_expect_mem(rig.ctx[resync.ctx].tls.rec_no, resync.rec_no, 8);
}

static void test_tls_resync_key(void)
{
	struct vktls_tls_resync_key req = {
		.resync = {
			.ctx = add_context(),
			.tcp_seq = 0xfffffff0,
			.rec_no = { 0xff, 0xee, 0, 0, 0, 0, 0x11, 0x22 },
		},
		.key_no = 0x12345678,
	};
	const VkdevCoreTls *tls = &rig.ctx[req.resync.ctx].tls;

	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_RESYNC_KEY, &req, sizeof(req)), VKTLS_ST_OK);
	ktap_expect_eq(tls->tcp_seq, 0xfffffff0);
	ktap_expect_eq(tls->key_no, 0x12345678);
	ktap_expect_mem(tls->rec_no, req.resync.rec_no, 8);
}

static void test_tls_next(void)
{
	struct vktls_tls_next next = { .ctx = add_context(), .key_no = 0x12345678 };
	const VkdevCoreTls *tls = &rig.ctx[next.ctx].tls;

	memcpy(next.iv, key + 3, sizeof(next.iv));
	memcpy(next.key, key, sizeof(next.key));
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_NEXT, &next, sizeof(next)), VKTLS_ST_OK);
	ktap_expect_eq(tls->key_no, 0x12345678);
	ktap_expect_mem(tls->iv, next.iv, sizeof(next.iv));
	ktap_expect_mem(tls->key, next.key, sizeof(next.key));
}

static void test_tls_next_tx(void)
{
	struct vktls_tls_next_tx req = {
		.next = { .ctx = add_context(), .key_no = 0x12345678 },
		.tcp_seq = 0xfffffff0,
	};
	const VkdevCoreTls *tls = &rig.ctx[req.next.ctx].tls;

	memcpy(req.next.iv, key + 3, sizeof(req.next.iv));
	memcpy(req.next.key, key, sizeof(req.next.key));
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_NEXT_TX, &req, sizeof(req)), VKTLS_ST_OK);
	ktap_expect_eq(tls->key_no, 0x12345678);
	ktap_expect_eq(tls->tcp_seq, 0xfffffff0);
	ktap_expect_mem(tls->iv, req.next.iv, sizeof(req.next.iv));
	ktap_expect_mem(tls->key, req.next.key, sizeof(req.next.key));
}

static void test_tls_key_done(void)
{
	struct vktls_tls_key_ref ref = { .ctx = add_context(), .key_no = 0x12345678 };

	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_KEY_DONE, &ref, sizeof(ref)), VKTLS_ST_OK);
	ktap_expect_eq(rig.ctx[ref.ctx].tls.key_no, 0x12345678);
}

static void test_tls_query(void)
{
	const VkdevCoreTlsState lost = {
		.state = VKTLS_TLS_LOST,
		.tcp_seq = 0x80000001,
		.rec_no = { 9, 8, 7, 6, 5, 4, 3, 0xf2 },
		.packets = 0x8000000100000002ull,
		.bytes = 0x9000000300000004ull,
	};
	struct vktls_tls_state state;
	struct vktls_tls_ref ref = { .ctx = add_context() };

	rig.state = lost;
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_QUERY, &ref, sizeof(ref)), VKTLS_ST_OK);
	ktap_expect_eq(rig.cpl.len, sizeof(state));
	memcpy(&state, rig.cpl.payload, sizeof(state));
	ktap_expect_eq(state.state, VKTLS_TLS_LOST);
	ktap_expect_eq(state.tcp_seq, rig.state.tcp_seq);
	ktap_expect_mem(state.rec_no, rig.state.rec_no, 8);
	ktap_expect_eq(state.packets, rig.state.packets);
	ktap_expect_eq(state.bytes, rig.state.bytes);
}

/* If the NIC refuses, the host gets the same status, and no place in the table is used. */
static void test_nic_refuses(void)
{
	struct vktls_tls_add add = tls_add(VKTLS_CIPHER_AES_128_GCM);
	struct vktls_tls_resync resync = { .ctx = add_context() };
	struct vktls_tls_ref ref = { .ctx = resync.ctx };
	struct vktls_queue_cfg cfg = queue_good();

	rig.refuse = VKTLS_ST_TLS_CRYPTO;
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD, &add, sizeof(add)), VKTLS_ST_TLS_CRYPTO);
	ktap_expect_eq(add_context(), resync.ctx + 1);
	rig.refuse = VKTLS_ST_TLS_REUSE;
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_RESYNC, &resync, sizeof(resync)),
		       VKTLS_ST_TLS_REUSE);
	rig.refuse = VKTLS_ST_STATE;
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_DEL, &ref, sizeof(ref)), VKTLS_ST_STATE);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_DEL, &ref, sizeof(ref)), VKTLS_ST_OK);
	rig.refuse = VKTLS_ST_DMA;
	ktap_expect_eq(rig_status(VKTLS_CMD_QUEUE_CREATE, &cfg, sizeof(cfg)), VKTLS_ST_DMA);
}

/*
 * If the hardware has lost a context, each command for it is refused, and the place is
 * free for the next context.
 */
static void test_nic_lost_context(void)
{
	struct vktls_tls_resync resync = { 0 };
	uint32_t ids[RIG_CONTEXTS], ctx;
	struct {
		uint16_t opcode, len;
	} finder[] = {
		{ VKTLS_CMD_TLS_DEL, sizeof(struct vktls_tls_ref) },
		{ VKTLS_CMD_TLS_QUERY, sizeof(struct vktls_tls_ref) },
		{ VKTLS_CMD_TLS_RESYNC, sizeof(resync) },
		{ VKTLS_CMD_TLS_RESYNC_KEY, sizeof(struct vktls_tls_resync_key) },
		{ VKTLS_CMD_TLS_NEXT, sizeof(struct vktls_tls_next) },
		{ VKTLS_CMD_TLS_NEXT_TX, sizeof(struct vktls_tls_next_tx) },
		{ VKTLS_CMD_TLS_KEY_DONE, sizeof(struct vktls_tls_key_ref) },
	};
	uint8_t payload[sizeof(struct vktls_tls_next_tx)] = { 0 };

	for (int i = 0; i < RIG_CONTEXTS; i++)
		ids[i] = add_context();
	ktap_expect_eq(add_context(), UINT32_MAX);
	for (int i = 0; i < 7; i++) {
		ctx = ids[i % RIG_CONTEXTS];
		resync.ctx = ctx;
		memcpy(payload, &resync, sizeof(resync));
		rig.ctx[ctx].live = false;
		ktap_expect_eq(rig_status(finder[i].opcode, payload, finder[i].len),
			       VKTLS_ST_NOENT);
		ktap_expect_eq(add_context(), ctx);
		ktap_expect_eq(add_context(), UINT32_MAX);
	}
}

/* The mock NIC answers 0x11 * (n + 1) in the high word and n in the low one. */
static void test_stats(void)
{
	const struct vktls_stats *stats = (void *)rig.cpl.payload;
	struct vktls_buf buf = { .addr = RIG_BUF, .len = 1000 };
	uint64_t got[VKTLS_STAT_NUM + 1];
	bool ok = true;

	memset(rig_at(RIG_BUF), 0xee, sizeof(got));
	ktap_expect_eq(rig_status(VKTLS_CMD_STATS, &buf, sizeof(buf)), VKTLS_ST_OK);
	memcpy(got, rig_at(RIG_BUF), sizeof(got));
	for (uint64_t i = 0; i < VKTLS_STAT_NUM; i++)
		ok = ok && le64toh(got[i]) == (0x11 * (i + 1) << 32 | i);
	ktap_expect(ok);
	ktap_expect_eq(got[VKTLS_STAT_NUM], 0xeeeeeeeeeeeeeeeeull);
	ktap_expect_eq(rig.cpl.len, sizeof(*stats));
	ktap_expect_eq(stats->num, VKTLS_STAT_NUM);
	buf.len = 16;
	memset(rig_at(RIG_BUF), 0xee, sizeof(got));
	ktap_expect_eq(rig_status(VKTLS_CMD_STATS, &buf, sizeof(buf)), VKTLS_ST_OK);
	memcpy(got, rig_at(RIG_BUF), sizeof(got));
	ktap_expect_eq(le64toh(got[1]), 0x2200000001ull);
	ktap_expect_eq(got[2], 0xeeeeeeeeeeeeeeeeull);
	ktap_expect_eq(stats->num, 2);
}

static void test_log_read(void)
{
	const struct vktls_log *log = (void *)rig.cpl.payload;
	struct vktls_buf buf = { .addr = RIG_BUF, .len = 4096 };
	uint32_t first;

	ktap_expect_eq(rig_status(VKTLS_CMD_LOG_READ, &buf, sizeof(buf)), VKTLS_ST_OK);
	ktap_expect_eq(rig.cpl.len, sizeof(*log));
	ktap_expect_eq(log->next, log->len);
	ktap_expect_eq(log->len, rig.trace_len);
	ktap_expect_mem(rig_at(RIG_BUF), rig.trace, log->len);
	ktap_expect(strstr(rig.trace, "   5000ms boot: version 0x10000\n"));
	first = log->next;
	rig_status(VKTLS_CMD_NUM, NULL, 0);
	buf.arg = first;
	ktap_expect_eq(rig_status(VKTLS_CMD_LOG_READ, &buf, sizeof(buf)), VKTLS_ST_OK);
	ktap_expect(log->next > first && log->len == log->next - first);
	ktap_expect_mem(rig_at(RIG_BUF), rig.trace + first, log->len);
	buf.arg = log->next;
	ktap_expect_eq(rig_status(VKTLS_CMD_LOG_READ, &buf, sizeof(buf)), VKTLS_ST_OK);
	ktap_expect_eq(log->len, 0);
}

/*
 * When the log is longer than its buffer, the oldest text is lost; the rest can be read in
 * pieces.
 */
static void test_log_wraps(void)
{
	const struct vktls_log *log = (void *)rig.cpl.payload;
	struct vktls_buf buf = { .addr = RIG_BUF, .len = 1000 };
	char text[8192];
	uint32_t n = 0;

	while (rig.trace_len < 20000)
		rig_status(VKTLS_CMD_NUM, NULL, 0);
	do {
		if (!ktap_expect_eq(rig_status(VKTLS_CMD_LOG_READ, &buf, sizeof(buf)), VKTLS_ST_OK))
			return;
		if (!ktap_expect(n + log->len <= sizeof(text)))
			return;
		memcpy(text + n, rig_at(RIG_BUF), log->len);
		n += log->len;
		buf.arg = log->next;
	} while (log->len);
	ktap_expect_eq(n, sizeof(text));
	ktap_expect_mem(text, rig.trace + rig.trace_len - n, n);
	buf.arg += 5;
	ktap_expect_eq(rig_status(VKTLS_CMD_LOG_READ, &buf, sizeof(buf)), VKTLS_ST_OK);
	ktap_expect_eq(log->len, 1000);
}

/* No 4 bytes of the key are anywhere in the core. */
static void expect_no_key(void)
{
	for (size_t i = 0; i < sizeof(key); i += 4)
		ktap_expect(!rig_sram_has(key + i, 4));
}

static void test_key_wiped(void)
{
	struct vktls_tls_add_rx add_rx = tls_add_rx(VKTLS_CIPHER_AES_256_GCM);
	struct vktls_tls_add add = tls_add(VKTLS_CIPHER_AES_256_GCM);
	uint8_t odd[sizeof(add) + 1] = { 0 };

	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD, &add, sizeof(add)), VKTLS_ST_OK);
	expect_no_key();
	rig.refuse = VKTLS_ST_TLS_CRYPTO;
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD, &add, sizeof(add)), VKTLS_ST_TLS_CRYPTO);
	expect_no_key();
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD_RX, &add_rx, sizeof(add_rx)), VKTLS_ST_OK);
	expect_no_key();
	add.cipher = 7;
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD, &add, sizeof(add)), VKTLS_ST_UNSUPPORTED);
	expect_no_key();
	memcpy(odd, &add, sizeof(add));
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD, odd, sizeof(odd)), VKTLS_ST_LENGTH);
	expect_no_key();
	ktap_expect_eq(rig_status(VKTLS_CMD_NUM, &add, sizeof(add)), VKTLS_ST_OPCODE);
	expect_no_key();
	ktap_expect(!strstr(rig.trace, "c51e9b70") && !strstr(rig.trace, "709b1ec5"));
}

/* Cost of commands; the design's goal is at most 2000 instructions for adding a context. */
static void test_cost(void)
{
	struct vktls_tls_add_rx add_rx = tls_add_rx(VKTLS_CIPHER_AES_256_GCM);
	struct vktls_tls_add add = tls_add(VKTLS_CIPHER_AES_256_GCM);
	struct vktls_tls_resync resync = { .ctx = 0 };
	struct vktls_tls_ref ref = { .ctx = 0 };

	rig_status(VKTLS_CMD_NOP, NULL, 0);
	printf("# instructions: nop %llu", (unsigned long long)rig.cost);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD, &add, sizeof(add)), VKTLS_ST_OK);
	printf(", tls add %llu", (unsigned long long)rig.cost);
	ktap_expect(rig.cost <= 2000);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD_RX, &add_rx, sizeof(add_rx)), VKTLS_ST_OK);
	printf(", tls add rx %llu", (unsigned long long)rig.cost);
	ktap_expect(rig.cost <= 2000);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_RESYNC, &resync, sizeof(resync)), VKTLS_ST_OK);
	printf(", resync %llu", (unsigned long long)rig.cost);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_QUERY, &ref, sizeof(ref)), VKTLS_ST_OK);
	printf(", query %llu", (unsigned long long)rig.cost);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_DEL, &ref, sizeof(ref)), VKTLS_ST_OK);
	printf(", del %llu\n", (unsigned long long)rig.cost);
}

int main(void)
{
	ktap_start();
	RUN(test_nop);
	RUN(test_caps);
	RUN(test_port_set);
	RUN(test_mac_set);
	RUN(test_filter_set);
	RUN(test_link_get);
	RUN(test_rss_set);
	RUN(test_rss_ctx);
	RUN(test_rss_ctx_bad);
	RUN(test_flow);
	RUN(test_queue);
	RUN(test_tls_add);
	RUN(test_tls_add_rx);
	RUN(test_tls_places);
	RUN(test_tls_reuse_order);
	RUN(test_tls_resync);
	RUN(test_tls_resync_key);
	RUN(test_tls_next_tx);
	RUN(test_tls_key_done);
	RUN(test_tls_next);
	RUN(test_tls_query);
	RUN(test_nic_refuses);
	RUN(test_nic_lost_context);
	RUN(test_stats);
	RUN(test_log_read);
	RUN(test_log_wraps);
	RUN(test_key_wiped);
	RUN(test_cost);
	rig_fini();
	return ktap_finish();
}
