// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * RSS contexts and flow filters: checks, then the hardware's registers. The hardware
 * alone keeps both, and knows which RSS contexts exist and are in use.
 */
#include "fw.h"

#define STEER_TCP	6
#define STEER_UDP	17
#define STEER_PORTS	(VKTLS_RSS_SRC_PORT | VKTLS_RSS_DST_PORT)
#define STEER_ADDRS	(VKTLS_RSS_SRC | VKTLS_RSS_DST)
#define STEER_NO_PORTS	(VKTLS_RSS_IPV4 | VKTLS_RSS_IPV6)	/* packet types without ports */

/* Copy of the host's buffer; one command runs at a time. */
static union {
	struct vktls_rss_ctx rss;
	u32 align;	/* alignment for io_write_words() */
} steer_rss;

static bool steer_can(u32 cap)
{
	return io_read(SOC_SYS + SYS_FEATURES) & cap;
}

/* True if both addresses or none, and both ports or none, are hashed. */
static bool steer_symmetric(u8 fields)
{
	u8 addrs = fields & STEER_ADDRS, ports = fields & STEER_PORTS;

	return (!addrs || addrs == STEER_ADDRS) && (!ports || ports == STEER_PORTS);
}

static bool steer_fields_good(const struct vktls_rss_ctx *rss)
{
	for (u32 i = 0; i < VKTLS_RSS_TYPES; i++) {
		u8 all = STEER_ADDRS | (BIT(i) & STEER_NO_PORTS ? 0 : STEER_PORTS);

		if (rss->fields[i] & ~all)
			return false;
		if (rss->input && !steer_symmetric(rss->fields[i]))
			return false;
	}
	return rss->input <= VKTLS_RSS_OR_XOR;
}

static u16 steer_rss_check(const struct vktls_rss_ctx *rss)
{
	u32 queues = io_read(SOC_SYS + SYS_QUEUES);

	if (rss->reserved)
		return VKTLS_ST_RESERVED;
	if (!steer_fields_good(rss))
		return VKTLS_ST_PARAM;
	for (u32 i = 0; i < VKTLS_RSS_ENTRIES; i++) {
		if (rss->table[i] >= queues)
			return VKTLS_ST_PARAM;
	}
	return VKTLS_ST_OK;
}

static u16 steer_rss_start(u32 ctx, u32 cmd)
{
	io_write(SOC_RSS + RSS_CTX, ctx);
	io_write(SOC_RSS + RSS_CMD, cmd);
	return io_read(SOC_RSS + RSS_STATUS);
}

/**
 * steer_rss_set() - handle VKTLS_CMD_RSS_CTX_SET
 */
u16 steer_rss_set(const void *payload, void *answer)
{
	const struct vktls_buf *buf = payload;
	const struct vktls_rss_ctx *rss = &steer_rss.rss;
	u16 status;

	if (!steer_can(VKTLS_CAP_RSS_CTX))
		return VKTLS_ST_UNSUPPORTED;
	if (buf->arg >= VKTLS_RSS_CONTEXTS)
		return VKTLS_ST_PARAM;
	if (buf->len != sizeof(*rss))
		return VKTLS_ST_LENGTH;
	status = mbox_host_read(&steer_rss, buf->addr, buf->len);
	if (!status)
		status = steer_rss_check(rss);
	if (status)
		return status;
	io_write_words(SOC_RSS + RSS_KEY, rss->key, sizeof(rss->key));
	io_write_words(SOC_RSS + RSS_FIELDS, rss->fields,
		       offsetof(struct vktls_rss_ctx, table) -
		       offsetof(struct vktls_rss_ctx, fields));
	io_write_words(SOC_RSS + RSS_TABLE, rss->table, sizeof(rss->table));
	return steer_rss_start(buf->arg, RSS_SET);
}

/**
 * steer_rss_del() - handle VKTLS_CMD_RSS_CTX_DEL
 */
u16 steer_rss_del(const void *payload, void *answer)
{
	const struct vktls_rss_ref *ref = payload;

	if (!steer_can(VKTLS_CAP_RSS_CTX))
		return VKTLS_ST_UNSUPPORTED;
	if (!ref->ctx)
		return VKTLS_ST_PARAM;
	return steer_rss_start(ref->ctx, RSS_DEL);
}

/* True if the members that have no meaning for the action are zero, and the others are valid. */
static bool steer_action_good(const struct vktls_flow_filter *flow)
{
	if (flow->queue >= io_read(SOC_SYS + SYS_QUEUES))
		return false;
	switch (flow->action) {
	case VKTLS_FLOW_DROP:
		return !flow->queue && !flow->rss_ctx;
	case VKTLS_FLOW_QUEUE:
		return !flow->rss_ctx;
	case VKTLS_FLOW_RSS:
		return flow->rss_ctx < VKTLS_RSS_CONTEXTS;
	default:
		return false;
	}
}

/*
 * True when value has no bit outside mask, and mask no field that a packet of this
 * protocol and IP version lacks.
 */
static bool steer_match_good(const struct vktls_flow_filter *flow)
{
	const struct vktls_flow_key *mask = &flow->mask;
	const u8 *bits = (const u8 *)mask, *value = (const u8 *)&flow->value;

	for (u32 i = 0; i < sizeof(*mask); i++) {
		if (value[i] & ~bits[i])
			return false;
	}
	if (flow->proto && flow->proto != STEER_TCP && flow->proto != STEER_UDP)
		return false;
	if (!flow->proto && !(is_zero(mask->src_port, 2) && is_zero(mask->dst_port, 2)))
		return false;
	return flow->ip_version == 6 ||
	       (flow->ip_version == 4 && is_zero(mask->src + 4, 12) &&
		is_zero(mask->dst + 4, 12));
}

static u16 steer_flow_start(const struct vktls_flow_filter *flow, u32 cmd)
{
	io_write_words(SOC_FLOW + FLOW_FILTER, flow, sizeof(*flow));
	io_write(SOC_FLOW + FLOW_CMD, cmd);
	return io_read(SOC_FLOW + FLOW_STATUS);
}

/**
 * steer_flow_set() - handle VKTLS_CMD_FLOW_SET
 */
u16 steer_flow_set(const void *payload, void *answer)
{
	const struct vktls_flow_filter *flow = payload;

	if (!steer_can(VKTLS_CAP_FLOW_FILTER))
		return VKTLS_ST_UNSUPPORTED;
	if (flow->reserved)
		return VKTLS_ST_RESERVED;
	if (flow->place >= VKTLS_FLOW_FILTERS || !steer_action_good(flow) ||
	    !steer_match_good(flow))
		return VKTLS_ST_PARAM;
	return steer_flow_start(flow, FLOW_SET);
}

/**
 * steer_flow_del() - handle VKTLS_CMD_FLOW_DEL
 */
u16 steer_flow_del(const void *payload, void *answer)
{
	const struct vktls_flow_ref *ref = payload;
	struct vktls_flow_filter flow = { .place = ref->place };

	if (!steer_can(VKTLS_CAP_FLOW_FILTER))
		return VKTLS_ST_UNSUPPORTED;
	if (ref->place >= VKTLS_FLOW_FILTERS)
		return VKTLS_ST_PARAM;
	return steer_flow_start(&flow, FLOW_DEL);
}
