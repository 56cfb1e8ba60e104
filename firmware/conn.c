// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * The table of TLS contexts: which places are free, and the commands on those
 * that are not. A place that was freed is the last to be taken again. Keys go
 * from the command straight to the hardware; no copy stays here.
 */
#include "fw.h"

#define CONN_USED	0xffff	/* place holds a context */
#define CONN_END	0xfffe	/* last free place */
#define CONN_MAX	0xfffe	/* as many numbers are left for places */

/*
 * Next free place, or CONN_USED. Too large to clear: link.ld puts it apart, and
 * conn_init() writes as much of it as there are places.
 */
static u16 conn_next[CONN_MAX];
static u16 conn_first;		/* free place to take, or CONN_END */
static u16 conn_last;		/* free place that was added last */

/**
 * conn_capacity() - places of the table that firmware can manage
 */
u32 conn_capacity(void)
{
	u32 places = io_read(SOC_TLS + TLS_CAPACITY);

	return places < CONN_MAX ? places : CONN_MAX;
}

/**
 * conn_init() - all places are free
 */
void conn_init(void)
{
	u32 places = conn_capacity();

	for (u32 i = 0; i < places; i++)
		conn_next[i] = i + 1;
	conn_first = places ? 0 : CONN_END;
	conn_last = places - 1;
	if (places)
		conn_next[conn_last] = CONN_END;
}

static void conn_take_first(void)
{
	u16 ctx = conn_first;

	conn_first = conn_next[ctx];
	conn_next[ctx] = CONN_USED;
}

static void conn_give_back(u16 ctx)
{
	conn_next[ctx] = CONN_END;
	if (conn_first == CONN_END)
		conn_first = ctx;
	else
		conn_next[conn_last] = ctx;
	conn_last = ctx;
}

static bool conn_exists(u32 ctx)
{
	return ctx < conn_capacity() && conn_next[ctx] == CONN_USED;
}

static u16 conn_start(u32 ctx, u32 cmd)
{
	io_write(SOC_TLS + TLS_CTX, ctx);
	io_write(SOC_TLS + TLS_CMD, cmd);
	return io_read(SOC_TLS + TLS_STATUS);
}

/*
 * The same for a context that the host named and that there was, as far as is
 * known here. If the hardware has lost it, its place is free from now on.
 */
static u16 conn_work(u32 ctx, u32 cmd)
{
	u16 status = conn_start(ctx, cmd);

	if (status == VKTLS_ST_NOENT)
		conn_give_back(ctx);
	return status;
}

/* Bytes of a payload, at a multiple of 4, to a window of words. */
static void conn_words(u32 reg, const u8 *bytes, u32 n)
{
	const u32 *word = (const u32 *)bytes;

	for (u32 i = 0; i < n; i += 4)
		io_write(SOC_TLS + reg + i, *word++);
}

static u32 conn_key_bytes(u8 cipher)
{
	return cipher == VKTLS_CIPHER_AES_128_GCM ? 16 : 32;
}

static u16 conn_check(const struct vktls_tls_add *add, u8 direction)
{
	u32 used = conn_key_bytes(add->cipher);
	u32 rest = 0;

	if (add->reserved)
		return VKTLS_ST_RESERVED;
	if (add->version > 31 || add->cipher > 31 || add->direction != direction ||
	    !(io_read(SOC_TLS + TLS_VERSIONS) >> add->version & 1) ||
	    !(io_read(SOC_TLS + TLS_CIPHERS) >> add->cipher & 1))
		return VKTLS_ST_UNSUPPORTED;
	while (used < sizeof(add->key))
		rest |= add->key[used++];
	return rest ? VKTLS_ST_RESERVED : VKTLS_ST_OK;
}

/* The hardware has what belongs to the direction; it takes the key from here. */
static u16 conn_take(const struct vktls_tls_add *add, struct vktls_tls_ref *ref)
{
	u16 status;

	if (conn_first == CONN_END)
		return VKTLS_ST_FULL;
	io_write(SOC_TLS + TLS_VERSION, add->version);
	io_write(SOC_TLS + TLS_CIPHER, add->cipher);
	io_write(SOC_TLS + TLS_DIRECTION, add->direction);
	io_write(SOC_TLS + TLS_TCP_SEQ, add->tcp_seq);
	conn_words(TLS_REC_NO, add->rec_no, sizeof(add->rec_no));
	conn_words(TLS_IV, add->iv, sizeof(add->iv));
	conn_words(TLS_KEY, add->key, sizeof(add->key));
	ref->ctx = conn_first;
	status = conn_start(conn_first, TLS_ADD);
	if (status == VKTLS_ST_OK)
		conn_take_first();
	return status;
}

/**
 * conn_add() - VKTLS_CMD_TLS_ADD
 */
u16 conn_add(const void *payload, void *answer)
{
	u16 status = conn_check(payload, VKTLS_DIR_TX);

	return status ? status : conn_take(payload, answer);
}

static u16 conn_check_flow(const struct vktls_tls_flow *flow)
{
	u32 used = flow->ip_version == 4 ? 4 : 16;
	u32 rest = 0;

	if (flow->reserved[0] | flow->reserved[1] | flow->reserved[2])
		return VKTLS_ST_RESERVED;
	if (flow->ip_version != 4 && flow->ip_version != 6)
		return VKTLS_ST_PARAM;
	for (; used < sizeof(flow->src); used++)
		rest |= flow->src[used] | flow->dst[used];
	return rest ? VKTLS_ST_PARAM : VKTLS_ST_OK;
}

/**
 * conn_add_rx() - VKTLS_CMD_TLS_ADD_RX
 */
u16 conn_add_rx(const void *payload, void *answer)
{
	const struct vktls_tls_add_rx *req = payload;
	u16 status;

	if (!(io_read(SOC_SYS + SYS_FEATURES) & VKTLS_CAP_TLS_RX))
		return VKTLS_ST_UNSUPPORTED;
	status = conn_check(&req->add, VKTLS_DIR_RX);
	if (!status)
		status = conn_check_flow(&req->flow);
	if (status)
		return status;
	conn_words(TLS_FLOW, (const u8 *)&req->flow, sizeof(req->flow));
	return conn_take(&req->add, answer);
}

/**
 * conn_del() - VKTLS_CMD_TLS_DEL
 */
u16 conn_del(const void *payload, void *answer)
{
	const struct vktls_tls_ref *ref = payload;
	u16 status;

	if (!conn_exists(ref->ctx))
		return VKTLS_ST_NOENT;
	status = conn_work(ref->ctx, TLS_DEL);
	if (status == VKTLS_ST_OK)
		conn_give_back(ref->ctx);
	return status;
}

/**
 * conn_resync() - VKTLS_CMD_TLS_RESYNC
 */
u16 conn_resync(const void *payload, void *answer)
{
	const struct vktls_tls_resync *resync = payload;

	if (!conn_exists(resync->ctx))
		return VKTLS_ST_NOENT;
	io_write(SOC_TLS + TLS_TCP_SEQ, resync->tcp_seq);
	conn_words(TLS_REC_NO, resync->rec_no, sizeof(resync->rec_no));
	return conn_work(resync->ctx, TLS_RESYNC);
}

static u64 conn_reg64(u32 reg)
{
	return io_read(SOC_TLS + reg) | (u64)io_read(SOC_TLS + reg + 4) << 32;
}

/**
 * conn_query() - VKTLS_CMD_TLS_QUERY
 */
u16 conn_query(const void *payload, void *answer)
{
	const struct vktls_tls_ref *ref = payload;
	struct vktls_tls_state *state = answer;
	u64 rec_no;
	u16 status;

	if (!conn_exists(ref->ctx))
		return VKTLS_ST_NOENT;
	status = conn_work(ref->ctx, TLS_QUERY);
	if (status)
		return status;
	state->state = io_read(SOC_TLS + TLS_STATE);
	state->tcp_seq = io_read(SOC_TLS + TLS_TCP_SEQ);
	rec_no = conn_reg64(TLS_REC_NO);
	memcpy(state->rec_no, &rec_no, sizeof(rec_no));
	state->packets = conn_reg64(TLS_PACKETS_LO);
	state->bytes = conn_reg64(TLS_BYTES_LO);
	return VKTLS_ST_OK;
}
