// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * The port: capabilities, addresses, modes, receive-side scaling, queues and
 * counters. Each handler checks its payload, then writes the hardware's registers;
 * settings are kept by the hardware alone.
 */
#include "fw.h"

#define PORT_FLAGS_ALL	(VKTLS_PORT_UP | VKTLS_PORT_PROMISC | VKTLS_PORT_ALLMULTI | \
			 VKTLS_PORT_BROADCAST | VKTLS_PORT_RX_CSUM | \
			 VKTLS_PORT_VLAN_STRIP | VKTLS_PORT_RSS | \
			 VKTLS_PORT_RX_GRO | (FW_ABI_MINOR < 9 ? 0 : PORT_FLAGS_1_9))
#define PORT_FLAGS_1_9	(VKTLS_PORT_RX_GRO_HOLD | VKTLS_PORT_RX_GRO_IP | \
			 VKTLS_PORT_RX_GRO_CWR)
/* The capabilities that this firmware can serve; newer hardware may have more. */
#define PORT_CAPS_ALL	(VKTLS_CAP_TX_CSUM | VKTLS_CAP_TSO | VKTLS_CAP_VLAN | \
			 VKTLS_CAP_RX_CSUM | VKTLS_CAP_RSS | VKTLS_CAP_TLS_TX | \
			 VKTLS_CAP_TLS_RX | VKTLS_CAP_TLS_REPLAY | \
			 VKTLS_CAP_RX_GRO | (FW_ABI_MINOR < 7 ? 0 : PORT_CAPS_1_7) | \
			 (FW_ABI_MINOR < 8 ? 0 : VKTLS_CAP_TLS_RX_NEXT) | \
			 (FW_ABI_MINOR < 9 ? 0 : PORT_CAPS_1_9))
#define PORT_CAPS_1_7	(VKTLS_CAP_RSS_CTX | VKTLS_CAP_FLOW_FILTER)
#define PORT_CAPS_1_9	(VKTLS_CAP_RX_GRO_MORE | VKTLS_CAP_USO | \
			 VKTLS_CAP_TSO_TUNNEL | VKTLS_CAP_TLS_TX_NEXT)
#define PORT_RSS_ALL	(VKTLS_RSS_IPV4 | VKTLS_RSS_TCP4 | VKTLS_RSS_IPV6 | \
			 VKTLS_RSS_TCP6 | VKTLS_RSS_UDP4 | VKTLS_RSS_UDP6)

/* Number of counters in the ABI version that this image follows. */
#define PORT_STATS	(FW_ABI_MINOR <= 6 ? 47 : VKTLS_STAT_NUM)

/* Copies of host buffers; one command runs at a time. */
static struct vktls_mac port_filters[VKTLS_MAC_FILTERS];
static union {
	struct vktls_rss rss;
	u32 align;	/* alignment for io_write_words() */
} port_rss;
static u64 port_counters[VKTLS_STAT_NUM];

static u32 port_mac_lo(const u8 *addr)
{
	return addr[0] | addr[1] << 8 | addr[2] << 16 | (u32)addr[3] << 24;
}

static u32 port_mac_hi(const u8 *addr)
{
	return addr[4] | addr[5] << 8;
}

/**
 * port_caps() - handle VKTLS_CMD_CAPS
 */
u16 port_caps(const void *payload, void *answer)
{
	struct vktls_caps *caps = answer;
	u32 lo = io_read(SOC_PORT + PORT_PERM_MAC_LO);
	u32 hi = io_read(SOC_PORT + PORT_PERM_MAC_HI);

	caps->features = io_read(SOC_SYS + SYS_FEATURES) & PORT_CAPS_ALL;
	caps->queues = io_read(SOC_SYS + SYS_QUEUES);
	caps->mtu_max = VKTLS_MTU_MAX;
	caps->tls_contexts = io_read(SOC_TLS + TLS_CAPACITY);
	caps->tls_ciphers = io_read(SOC_TLS + TLS_CIPHERS);
	caps->tls_versions = io_read(SOC_TLS + TLS_VERSIONS);
	caps->fw_version = io_read(SOC_SYS + SYS_FW_VERSION);
	caps->abi_minor = FW_ABI_MINOR >= 6 ? FW_ABI_MINOR : 0;
	memcpy(caps->mac, &lo, 4);
	memcpy(caps->mac + 4, &hi, 2);
	memcpy(caps->fw_name, FW_NAME, sizeof(FW_NAME) - 1);
	return VKTLS_ST_OK;
}

/* The modes that this hardware has no capability for. */
static u32 port_flags_lacking(void)
{
	static const struct {
		u32 flag;
		u32 cap;
	} need[] = {
		{ VKTLS_PORT_RX_CSUM, VKTLS_CAP_RX_CSUM },
		{ VKTLS_PORT_VLAN_STRIP, VKTLS_CAP_VLAN },
		{ VKTLS_PORT_RSS, VKTLS_CAP_RSS },
		{ VKTLS_PORT_RX_GRO, VKTLS_CAP_RX_GRO },
		{ PORT_FLAGS_1_9, VKTLS_CAP_RX_GRO_MORE },
	};
	u32 caps = io_read(SOC_SYS + SYS_FEATURES);
	u32 lacking = 0;

	for (u32 i = 0; i < ARRAY_SIZE(need); i++) {
		if (!(caps & need[i].cap))
			lacking |= need[i].flag;
	}
	return lacking;
}

/**
 * port_set() - handle VKTLS_CMD_PORT_SET
 */
u16 port_set(const void *payload, void *answer)
{
	const struct vktls_port_cfg *cfg = payload;

	if (cfg->flags & ~PORT_FLAGS_ALL)
		return VKTLS_ST_PARAM;
	if (cfg->mtu < VKTLS_MTU_MIN || cfg->mtu > VKTLS_MTU_MAX)
		return VKTLS_ST_PARAM;
	if (cfg->flags & port_flags_lacking())
		return VKTLS_ST_UNSUPPORTED;
	io_write(SOC_PORT + PORT_MTU, cfg->mtu);
	io_write(SOC_PORT + PORT_FLAGS, cfg->flags);
	return VKTLS_ST_OK;
}

/**
 * port_mac_set() - handle VKTLS_CMD_MAC_SET
 */
u16 port_mac_set(const void *payload, void *answer)
{
	const struct vktls_mac *mac = payload;

	if (!is_zero(mac->reserved, sizeof(mac->reserved)))
		return VKTLS_ST_RESERVED;
	if (is_zero(mac->addr, sizeof(mac->addr)) || mac->addr[0] & 1)
		return VKTLS_ST_PARAM;
	io_write(SOC_PORT + PORT_MAC_LO, port_mac_lo(mac->addr));
	io_write(SOC_PORT + PORT_MAC_HI, port_mac_hi(mac->addr));
	return VKTLS_ST_OK;
}

static u16 port_filter_fetch(const struct vktls_buf *buf)
{
	u32 n = buf->len / sizeof(port_filters[0]);
	u16 status;

	if (buf->arg)
		return VKTLS_ST_RESERVED;
	if (buf->len % sizeof(port_filters[0]) || n > VKTLS_MAC_FILTERS)
		return VKTLS_ST_LENGTH;
	if (!n)
		return VKTLS_ST_OK;
	status = mbox_host_read(port_filters, buf->addr, buf->len);
	while (!status && n--) {
		if (!is_zero(port_filters[n].reserved, 2))
			status = VKTLS_ST_RESERVED;
	}
	return status;
}

/**
 * port_filter_set() - handle VKTLS_CMD_FILTER_SET
 */
u16 port_filter_set(const void *payload, void *answer)
{
	const struct vktls_buf *buf = payload;
	u32 n = buf->len / sizeof(port_filters[0]);
	u16 status;

	status = port_filter_fetch(buf);
	if (status)
		return status;
	for (u32 i = 0; i < n; i++) {
		io_write(SOC_PORT + PORT_FILTER_SEL, i);
		io_write(SOC_PORT + PORT_FILTER_LO, port_mac_lo(port_filters[i].addr));
		io_write(SOC_PORT + PORT_FILTER_HI, port_mac_hi(port_filters[i].addr));
	}
	io_write(SOC_PORT + PORT_FILTER_COUNT, n);
	return VKTLS_ST_OK;
}

/**
 * port_link_get() - handle VKTLS_CMD_LINK_GET
 */
u16 port_link_get(const void *payload, void *answer)
{
	struct vktls_link *link = answer;

	link->up = io_read(SOC_PORT + PORT_LINK);
	link->mbps = io_read(SOC_PORT + PORT_MBPS);
	return VKTLS_ST_OK;
}

static u16 port_rss_fetch(const struct vktls_buf *buf)
{
	u32 queues = io_read(SOC_SYS + SYS_QUEUES);
	u16 status;

	if (buf->arg)
		return VKTLS_ST_RESERVED;
	if (buf->len != sizeof(port_rss.rss))
		return VKTLS_ST_LENGTH;
	status = mbox_host_read(&port_rss, buf->addr, buf->len);
	if (status)
		return status;
	if (!is_zero(port_rss.rss.reserved, sizeof(port_rss.rss.reserved)))
		return VKTLS_ST_RESERVED;
	if (port_rss.rss.types & ~PORT_RSS_ALL)
		return VKTLS_ST_PARAM;
	for (u32 i = 0; i < VKTLS_RSS_ENTRIES; i++) {
		if (port_rss.rss.table[i] >= queues)
			return VKTLS_ST_PARAM;
	}
	return VKTLS_ST_OK;
}

/**
 * port_rss_set() - handle VKTLS_CMD_RSS_SET
 */
u16 port_rss_set(const void *payload, void *answer)
{
	u16 status = port_rss_fetch(payload);

	if (status)
		return status;
	io_write_words(SOC_RSS + RSS_KEY, port_rss.rss.key, sizeof(port_rss.rss.key));
	io_write_words(SOC_RSS + RSS_TABLE, port_rss.rss.table, sizeof(port_rss.rss.table));
	io_write(SOC_RSS + RSS_TYPES, port_rss.rss.types);
	io_write(SOC_RSS + RSS_COMMIT, 1);
	return VKTLS_ST_OK;
}

static bool port_queue_named(const struct vktls_queue_ref *ref)
{
	return ref->type <= VKTLS_QUEUE_RX && ref->queue < io_read(SOC_SYS + SYS_QUEUES);
}

static u16 port_queue_start(const struct vktls_queue_ref *ref, u32 cmd)
{
	io_write(SOC_QUEUE + QUEUE_TYPE, ref->type);
	io_write(SOC_QUEUE + QUEUE_ID, ref->queue);
	io_write(SOC_QUEUE + QUEUE_CMD, cmd);
	return io_read(SOC_QUEUE + QUEUE_STATUS);
}

/**
 * port_queue_create() - handle VKTLS_CMD_QUEUE_CREATE
 */
u16 port_queue_create(const void *payload, void *answer)
{
	const struct vktls_queue_cfg *cfg = payload;

	if (!port_queue_named(&cfg->ref))
		return VKTLS_ST_PARAM;
	if (cfg->log2 < VKTLS_RING_MIN_LOG2 || cfg->log2 > VKTLS_RING_MAX_LOG2)
		return VKTLS_ST_PARAM;
	if (cfg->vector > io_read(SOC_SYS + SYS_QUEUES))
		return VKTLS_ST_PARAM;
	if (cfg->ring % VKTLS_RING_ALIGN || cfg->cq % VKTLS_RING_ALIGN)
		return VKTLS_ST_PARAM;
	io_write(SOC_QUEUE + QUEUE_RING_LO, cfg->ring);
	io_write(SOC_QUEUE + QUEUE_RING_HI, cfg->ring >> 32);
	io_write(SOC_QUEUE + QUEUE_CQ_LO, cfg->cq);
	io_write(SOC_QUEUE + QUEUE_CQ_HI, cfg->cq >> 32);
	io_write(SOC_QUEUE + QUEUE_LOG2, cfg->log2);
	io_write(SOC_QUEUE + QUEUE_VECTOR, cfg->vector);
	return port_queue_start(&cfg->ref, QUEUE_CREATE);
}

/**
 * port_queue_destroy() - handle VKTLS_CMD_QUEUE_DESTROY
 */
u16 port_queue_destroy(const void *payload, void *answer)
{
	const struct vktls_queue_ref *ref = payload;

	if (!port_queue_named(ref))
		return VKTLS_ST_PARAM;
	return port_queue_start(ref, QUEUE_DESTROY);
}

/**
 * port_stats() - handle VKTLS_CMD_STATS
 */
u16 port_stats(const void *payload, void *answer)
{
	const struct vktls_buf *buf = payload;
	struct vktls_stats *stats = answer;
	u32 n = buf->len / sizeof(u64);

	if (buf->arg)
		return VKTLS_ST_RESERVED;
	if (!buf->len || buf->len % sizeof(u64))
		return VKTLS_ST_LENGTH;
	if (n > PORT_STATS)
		n = PORT_STATS;
	for (u32 i = 0; i < n; i++) {
		io_write(SOC_STAT + STAT_SEL, i);
		port_counters[i] = io_read64(SOC_STAT + STAT_LO);
	}
	stats->num = n;
	return mbox_host_write(buf->addr, port_counters, n * sizeof(u64));
}
