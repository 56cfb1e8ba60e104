// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * The commands on TLS contexts. The hardware has the table and chooses the places. Keys
 * go from the command straight to the hardware; no copy stays here.
 */
#include "fw.h"

/* Run @cmd on a context, or on the place for a new one. Return: a VKTLS_ST_* code. */
static u16 ctx_work(u32 ctx, u32 cmd)
{
	io_write(SOC_TLS + TLS_CTX, ctx);
	io_write(SOC_TLS + TLS_CMD, cmd);
	return io_read(SOC_TLS + TLS_STATUS);
}

static u32 ctx_key_bytes(u8 cipher)
{
	return cipher == VKTLS_CIPHER_AES_128_GCM ? 16 : 32;
}

static u16 ctx_check(const struct vktls_tls_add *add, u8 direction)
{
	u32 used = ctx_key_bytes(add->cipher);
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

/* True if the hardware has one of these capabilities for more than one key. */
static bool ctx_can_follow(u32 caps)
{
	return io_read(SOC_SYS + SYS_FEATURES) & caps;
}

/* Give version, place and key to the hardware; for receive, the caller has set the flow. */
static u16 ctx_take(const struct vktls_tls_add *add, struct vktls_tls_ref *ref)
{
	u32 place = io_read(SOC_TLS + TLS_PLACE);

	if (place == TLS_NO_PLACE)
		return VKTLS_ST_FULL;
	io_write(SOC_TLS + TLS_VERSION, add->version);
	io_write(SOC_TLS + TLS_CIPHER, add->cipher);
	io_write(SOC_TLS + TLS_DIRECTION, add->direction);
	io_write(SOC_TLS + TLS_TCP_SEQ, add->tcp_seq);
	io_write_words(SOC_TLS + TLS_REC_NO, add->rec_no, sizeof(add->rec_no));
	io_write_words(SOC_TLS + TLS_IV, add->iv, sizeof(add->iv));
	io_write_words(SOC_TLS + TLS_KEY, add->key, sizeof(add->key));
	ref->ctx = place;
	return ctx_work(place, TLS_ADD);
}

/**
 * ctx_add() - handle VKTLS_CMD_TLS_ADD
 */
u16 ctx_add(const void *payload, void *answer)
{
	u16 status = ctx_check(payload, VKTLS_DIR_TX);

	return status ? status : ctx_take(payload, answer);
}

static u16 ctx_check_flow(const struct vktls_tls_flow *flow)
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
 * ctx_add_rx() - handle VKTLS_CMD_TLS_ADD_RX
 */
u16 ctx_add_rx(const void *payload, void *answer)
{
	const struct vktls_tls_add_rx *req = payload;
	u16 status;

	if (!(io_read(SOC_SYS + SYS_FEATURES) & VKTLS_CAP_TLS_RX))
		return VKTLS_ST_UNSUPPORTED;
	status = ctx_check(&req->add, VKTLS_DIR_RX);
	if (!status)
		status = ctx_check_flow(&req->flow);
	if (status)
		return status;
	io_write_words(SOC_TLS + TLS_FLOW, &req->flow, sizeof(req->flow));
	return ctx_take(&req->add, answer);
}

/**
 * ctx_del() - handle VKTLS_CMD_TLS_DEL
 */
u16 ctx_del(const void *payload, void *answer)
{
	const struct vktls_tls_ref *ref = payload;

	return ctx_work(ref->ctx, TLS_DEL);
}

static u16 ctx_move(const struct vktls_tls_resync *resync, u32 cmd)
{
	io_write(SOC_TLS + TLS_TCP_SEQ, resync->tcp_seq);
	io_write_words(SOC_TLS + TLS_REC_NO, resync->rec_no, sizeof(resync->rec_no));
	return ctx_work(resync->ctx, cmd);
}

/**
 * ctx_resync() - handle VKTLS_CMD_TLS_RESYNC
 */
u16 ctx_resync(const void *payload, void *answer)
{
	return ctx_move(payload, TLS_RESYNC);
}

/**
 * ctx_resync_key() - handle VKTLS_CMD_TLS_RESYNC_KEY
 */
u16 ctx_resync_key(const void *payload, void *answer)
{
	const struct vktls_tls_resync_key *req = payload;

	if (req->reserved)
		return VKTLS_ST_RESERVED;
	if (!ctx_can_follow(VKTLS_CAP_TLS_RX_NEXT | VKTLS_CAP_TLS_TX_NEXT))
		return VKTLS_ST_UNSUPPORTED;
	io_write(SOC_TLS + TLS_KEY_NO, req->key_no);
	return ctx_move(&req->resync, TLS_RESYNC_KEY);
}

static u16 ctx_give_key(const struct vktls_tls_next *next, u32 cap, u32 cmd)
{
	if (!ctx_can_follow(cap))
		return VKTLS_ST_UNSUPPORTED;
	io_write(SOC_TLS + TLS_KEY_NO, next->key_no);
	io_write_words(SOC_TLS + TLS_IV, next->iv, sizeof(next->iv));
	io_write_words(SOC_TLS + TLS_KEY, next->key, sizeof(next->key));
	return ctx_work(next->ctx, cmd);
}

/**
 * ctx_next_key() - handle VKTLS_CMD_TLS_NEXT
 */
u16 ctx_next_key(const void *payload, void *answer)
{
	return ctx_give_key(payload, VKTLS_CAP_TLS_RX_NEXT, TLS_NEXT);
}

/**
 * ctx_next_key_tx() - handle VKTLS_CMD_TLS_NEXT_TX
 */
u16 ctx_next_key_tx(const void *payload, void *answer)
{
	const struct vktls_tls_next_tx *req = payload;

	io_write(SOC_TLS + TLS_TCP_SEQ, req->tcp_seq);
	return ctx_give_key(&req->next, VKTLS_CAP_TLS_TX_NEXT, TLS_NEXT_TX);
}

/**
 * ctx_key_done() - handle VKTLS_CMD_TLS_KEY_DONE
 */
u16 ctx_key_done(const void *payload, void *answer)
{
	const struct vktls_tls_key_ref *ref = payload;

	if (!ctx_can_follow(VKTLS_CAP_TLS_TX_NEXT))
		return VKTLS_ST_UNSUPPORTED;
	io_write(SOC_TLS + TLS_KEY_NO, ref->key_no);
	return ctx_work(ref->ctx, TLS_KEY_DONE);
}

/**
 * ctx_query() - handle VKTLS_CMD_TLS_QUERY
 */
u16 ctx_query(const void *payload, void *answer)
{
	const struct vktls_tls_ref *ref = payload;
	struct vktls_tls_state *state = answer;
	u64 rec_no;
	u16 status;

	status = ctx_work(ref->ctx, TLS_QUERY);
	if (status)
		return status;
	state->state = io_read(SOC_TLS + TLS_STATE);
	state->tcp_seq = io_read(SOC_TLS + TLS_TCP_SEQ);
	rec_no = io_read64(SOC_TLS + TLS_REC_NO);
	memcpy(state->rec_no, &rec_no, sizeof(rec_no));
	state->packets = io_read64(SOC_TLS + TLS_PACKETS_LO);
	state->bytes = io_read64(SOC_TLS + TLS_BYTES_LO);
	return VKTLS_ST_OK;
}
