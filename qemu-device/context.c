// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of TLS contexts: which place holds which context of the engine,
 * and what the engine did, in counters and events. Keys pass through to the
 * engine and are wiped behind it; none stays here.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "aead.h"
#include "trace.h"
#include "vkdev.h"

static VkdevContext *ctx_find(VkdevState *s, uint32_t id)
{
    return id < s->contexts && s->ctx[id].tls ? &s->ctx[id] : NULL;
}

void vkdev_ctx_init(VkdevState *s)
{
    s->ctx = g_new0(VkdevContext, s->contexts);
}

void vkdev_ctx_reset(VkdevState *s)
{
    for (uint32_t id = 0; id < s->contexts; id++) {
        vkdev_tls_del(s->ctx[id].tls);
        s->ctx[id] = (VkdevContext) { 0 };
    }
    s->ctx_live = 0;
}

void vkdev_ctx_fini(VkdevState *s)
{
    vkdev_ctx_reset(s);
    g_free(s->ctx);
    s->ctx = NULL;
}

static uint16_t ctx_add(VkdevContext *ctx, const VkdevCoreTls *tls)
{
    VkdevTlsParams p = {
        .version = tls->version,
        .cipher = tls->cipher,
        .direction = tls->direction,
        .tcp_seq = tls->tcp_seq,
        .rec_no = ldq_be_p(tls->rec_no),
    };
    uint16_t status;

    if (tls->version > UINT8_MAX || tls->cipher > UINT8_MAX ||
        tls->direction > UINT8_MAX) {
        return VKTLS_ST_UNSUPPORTED;
    }
    memcpy(p.iv, tls->iv, sizeof(p.iv));
    memcpy(p.key, tls->key, sizeof(p.key));
    status = vkdev_tls_add(&p, &ctx->tls);
    vkdev_aead_wipe(&p, sizeof(p));
    return status;
}

uint16_t vkdev_ctx_add(VkdevState *s, uint32_t id, const VkdevCoreTls *tls)
{
    uint16_t status;

    if (id >= s->contexts) {
        return VKTLS_ST_NOENT;
    }
    if (s->ctx[id].tls) {
        return VKTLS_ST_EXIST;
    }
    status = ctx_add(&s->ctx[id], tls);
    trace_vkdev_ctx_add(id, tls->version, tls->cipher, tls->tcp_seq, status);
    if (status == VKTLS_ST_OK) {
        s->ctx_live++;
        s->stats[VKTLS_STAT_TLS_CTX_ADDS]++;
    }
    return status;
}

uint16_t vkdev_ctx_del(VkdevState *s, uint32_t id)
{
    VkdevContext *ctx = ctx_find(s, id);

    if (!ctx) {
        return VKTLS_ST_NOENT;
    }
    vkdev_tls_del(ctx->tls);
    *ctx = (VkdevContext) { 0 };
    s->ctx_live--;
    s->stats[VKTLS_STAT_TLS_CTX_DELS]++;
    trace_vkdev_ctx_del(id);
    return VKTLS_ST_OK;
}

uint16_t vkdev_ctx_resync(VkdevState *s, uint32_t id, const VkdevCoreTls *tls)
{
    VkdevContext *ctx = ctx_find(s, id);
    uint64_t rec_no = ldq_be_p(tls->rec_no);
    uint16_t status;

    if (!ctx) {
        return VKTLS_ST_NOENT;
    }
    status = vkdev_tls_resync(ctx->tls, tls->tcp_seq, rec_no);
    trace_vkdev_ctx_resync(id, tls->tcp_seq, rec_no, status);
    if (status == VKTLS_ST_OK) {
        s->stats[VKTLS_STAT_TLS_RESYNCS]++;
    }
    return status;
}

uint16_t vkdev_ctx_query(VkdevState *s, uint32_t id, VkdevCoreTlsState *state)
{
    VkdevContext *ctx = ctx_find(s, id);
    VkdevTlsState tls;

    if (!ctx) {
        return VKTLS_ST_NOENT;
    }
    vkdev_tls_query(ctx->tls, &tls);
    state->state = tls.state;
    state->tcp_seq = tls.tcp_seq;
    stq_be_p(state->rec_no, tls.rec_no);
    state->packets = ctx->packets;
    state->bytes = ctx->bytes;
    return VKTLS_ST_OK;
}

static void ctx_count(VkdevState *s, VkdevContext *ctx,
                      const VkdevTlsCount *count)
{
    ctx->packets += count->packets;
    ctx->bytes += count->bytes;
    s->stats[VKTLS_STAT_TLS_TX_PACKETS] += count->packets;
    s->stats[VKTLS_STAT_TLS_TX_BYTES] += count->bytes;
    s->stats[VKTLS_STAT_TLS_TX_RECORDS] += count->records;
    s->stats[VKTLS_STAT_TLS_TX_DROP_SEQ] += count->drop_seq;
    s->stats[VKTLS_STAT_TLS_TX_DROP_HEADER] += count->drop_header;
    s->stats[VKTLS_STAT_TLS_TX_DROP_NONCE] += count->drop_nonce;
    s->stats[VKTLS_STAT_TLS_TX_DROP_OTHER] += count->drop_other;
}

/*
 * Encrypt @len bytes at @payload in place, of which the first has the number
 * @tcp_seq. On any status but OK the bytes must not leave; *@expected is then
 * the number that the context waits for.
 */
uint16_t vkdev_ctx_encrypt(VkdevState *s, uint32_t id, uint32_t tcp_seq,
                           uint8_t *payload, uint32_t len, uint32_t *expected)
{
    VkdevContext *ctx = ctx_find(s, id);
    VkdevTlsCount count;
    VkdevTlsState state;
    uint16_t status;

    if (!ctx) {
        s->stats[VKTLS_STAT_TLS_TX_DROP_OTHER]++;
        trace_vkdev_ctx_unknown(id, tcp_seq);
        return VKTLS_ST_NOENT;
    }
    status = vkdev_tls_tx(ctx->tls, tcp_seq, payload, len, &count);
    ctx_count(s, ctx, &count);
    vkdev_tls_query(ctx->tls, &state);
    *expected = state.tcp_seq;
    trace_vkdev_ctx_encrypt(id, tcp_seq, len, state.rec_no, state.tcp_seq,
                            status);
    if (count.lost) {
        vkdev_event(s, VKTLS_EVT_TLS_LOST, status, id, state.tcp_seq);
    }
    return status;
}
