// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device's table of TLS contexts: it maps a context id to a context of the
 * TLS engine (tls/), and turns the engine's results into counters and events.
 * Keys are handed to the engine and then wiped from this file's memory; the
 * table stores no key.
 */
#include "qemu/osdep.h"
#include "qemu/bitmap.h"
#include "qemu/bswap.h"
#include "qemu/guest-random.h"
#include "tls/aead.h"
#include "trace.h"
#include "vkdev.h"

/*
 * Memory shared by all contexts: 1 MiB of expanded keys, 768 KiB of tags, 256
 * KiB of ciphertext.
 */
#define SHARED_KEYS 1024
#define SHARED_RECORDS 32768
#define SHARED_HELD 2048
#define SHARED_KEPT 16

static VkdevContext *ctx_find(VkdevState *s, uint32_t id)
{
    return id < s->contexts && s->ctx[id].tls ? &s->ctx[id] : NULL;
}

/*
 * Find context @id of an outgoing packet; NULL, with a trace event, if there
 * is no such context.
 */
static VkdevContext *ctx_find_tx(VkdevState *s, uint32_t id, uint32_t tcp_seq)
{
    VkdevContext *ctx = ctx_find(s, id);

    if (!ctx) {
        trace_vkdev_ctx_unknown(id, tcp_seq);
    }
    return ctx;
}

void vkdev_ctx_free(VkdevState *s)
{
    g_free(s->ctx);
    s->ctx = NULL;
    g_free(s->ctx_used);
    s->ctx_used = NULL;
    vkdev_tls_engine_free(s->tls);
    s->tls = NULL;
    vkdev_flow_free(s->flows);
    s->flows = NULL;
}

bool vkdev_ctx_init(VkdevState *s)
{
    uint8_t secret[VKDEV_FLOW_SECRET];

    qemu_guest_getrandom_nofail(secret, sizeof(secret));
    s->flows = vkdev_flow_alloc(s->contexts, secret);
    s->tls = vkdev_tls_engine_alloc(s->contexts, SHARED_KEYS, SHARED_RECORDS,
                                    SHARED_HELD, SHARED_KEPT);
    s->ctx = g_try_new0(VkdevContext, s->contexts);
    s->ctx_used = bitmap_try_new(s->contexts);
    if (!s->flows || !s->tls ||
        (s->contexts && (!s->ctx || !s->ctx_used))) {
        vkdev_ctx_free(s);
        return false;
    }
    return true;
}

static void ctx_clear(VkdevState *s, uint32_t id)
{
    vkdev_flow_del(s->flows, id);
    vkdev_tls_del(s->ctx[id].tls);
    s->ctx[id] = (VkdevContext) { 0 };
    clear_bit(id, s->ctx_used);
    s->ctx_live--;
}

void vkdev_ctx_reset(VkdevState *s)
{
    unsigned long id = find_first_bit(s->ctx_used, s->contexts);

    while (id < s->contexts) {
        ctx_clear(s, id);
        id = find_next_bit(s->ctx_used, s->contexts, id);
    }
    s->ctx_next = 0;
}

/*
 * Return a free place, or TLS_NO_PLACE. The search begins behind the newest
 * context, so that a number comes back as late as possible: packets of a
 * deleted context may still be on their way.
 */
uint32_t vkdev_ctx_place(const VkdevState *s)
{
    unsigned long id;

    if (s->ctx_live == s->contexts) {
        return TLS_NO_PLACE;
    }
    id = find_next_zero_bit(s->ctx_used, s->contexts, s->ctx_next);
    if (id >= s->contexts) {
        id = find_first_zero_bit(s->ctx_used, s->contexts);
    }
    return id;
}

static uint16_t ctx_add(VkdevState *s, VkdevContext *ctx,
                        const VkdevCoreTls *tls)
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
    status = vkdev_tls_add(s->tls, &p, &ctx->tls);
    vkdev_aead_wipe(&p, sizeof(p));
    return status;
}

/*
 * Check the flow of a new receive context: valid fields, and not used by
 * another context.
 */
static uint16_t ctx_check_rx(const VkdevState *s,
                             const struct vktls_tls_flow *flow)
{
    if (!s->tls_rx) {
        return VKTLS_ST_UNSUPPORTED;
    }
    if (flow->ip_version != 4 && flow->ip_version != 6) {
        return VKTLS_ST_PARAM;
    }
    return vkdev_flow_find(s->flows, flow) == VKDEV_FLOW_NONE ?
           VKTLS_ST_OK : VKTLS_ST_EXIST;
}

uint16_t vkdev_ctx_add(VkdevState *s, uint32_t id, const VkdevCoreTls *tls)
{
    bool rx = tls->direction == VKTLS_DIR_RX;
    uint16_t status = VKTLS_ST_OK;

    if (id >= s->contexts) {
        return VKTLS_ST_NOENT;
    }
    if (s->ctx[id].tls) {
        return VKTLS_ST_EXIST;
    }
    if (rx) {
        status = ctx_check_rx(s, &tls->flow);
    }
    if (status == VKTLS_ST_OK) {
        status = ctx_add(s, &s->ctx[id], tls);
    }
    trace_vkdev_ctx_add(id, tls->version, tls->cipher, tls->direction,
                        tls->tcp_seq, status);
    if (status == VKTLS_ST_OK) {
        if (rx) {
            vkdev_flow_add(s->flows, id, &tls->flow);
        }
        set_bit(id, s->ctx_used);
        s->ctx_next = id + 1;
        s->ctx_live++;
        s->stats[VKTLS_STAT_TLS_CTX_ADDS]++;
    }
    return status;
}

/*
 * Delete context @id without sending an event. False if there is no such
 * context.
 */
bool vkdev_ctx_forget(VkdevState *s, uint32_t id)
{
    if (!ctx_find(s, id)) {
        return false;
    }
    ctx_clear(s, id);
    return true;
}

uint16_t vkdev_ctx_del(VkdevState *s, uint32_t id)
{
    if (!vkdev_ctx_forget(s, id)) {
        return VKTLS_ST_NOENT;
    }
    s->stats[VKTLS_STAT_TLS_CTX_DELS]++;
    trace_vkdev_ctx_del(id);
    return VKTLS_ST_OK;
}

static uint16_t ctx_resynced(VkdevState *s, uint32_t id,
                             const VkdevCoreTls *tls, uint16_t status)
{
    trace_vkdev_ctx_resync(id, tls->tcp_seq, ldq_be_p(tls->rec_no),
                           tls->key_no, status);
    if (status == VKTLS_ST_OK) {
        s->stats[VKTLS_STAT_TLS_RESYNCS]++;
    }
    return status;
}

uint16_t vkdev_ctx_resync(VkdevState *s, uint32_t id, const VkdevCoreTls *tls)
{
    VkdevContext *ctx = ctx_find(s, id);

    if (!ctx) {
        return VKTLS_ST_NOENT;
    }
    return ctx_resynced(s, id, tls,
                        vkdev_tls_resync(ctx->tls, tls->tcp_seq,
                                         ldq_be_p(tls->rec_no)));
}

uint16_t vkdev_ctx_resync_key(VkdevState *s, uint32_t id,
                              const VkdevCoreTls *tls)
{
    VkdevContext *ctx = ctx_find(s, id);

    if (!ctx) {
        return VKTLS_ST_NOENT;
    }
    return ctx_resynced(s, id, tls,
                        vkdev_tls_resync_key(ctx->tls, tls->tcp_seq,
                                             ldq_be_p(tls->rec_no),
                                             tls->key_no));
}

/* Give context @id its next key. The caller wipes @tls. */
uint16_t vkdev_ctx_next(VkdevState *s, uint32_t id, const VkdevCoreTls *tls)
{
    VkdevContext *ctx = ctx_find(s, id);
    uint16_t status;

    if (!ctx) {
        return VKTLS_ST_NOENT;
    }
    status = vkdev_tls_next(ctx->tls, tls->key_no, tls->iv, tls->key);
    trace_vkdev_ctx_next(id, tls->key_no, status);
    return status;
}

/* Give context @id the key from @tls->tcp_seq on. The caller wipes @tls. */
uint16_t vkdev_ctx_next_tx(VkdevState *s, uint32_t id, const VkdevCoreTls *tls)
{
    VkdevContext *ctx = ctx_find(s, id);
    uint16_t status;

    if (!ctx) {
        return VKTLS_ST_NOENT;
    }
    status = vkdev_tls_next_tx(ctx->tls, tls->key_no, tls->iv, tls->key,
                               tls->tcp_seq);
    trace_vkdev_ctx_next_tx(id, tls->key_no, tls->tcp_seq, status);
    return status;
}

uint16_t vkdev_ctx_key_done(VkdevState *s, uint32_t id, uint32_t key_no)
{
    VkdevContext *ctx = ctx_find(s, id);
    uint16_t status;

    if (!ctx) {
        return VKTLS_ST_NOENT;
    }
    status = vkdev_tls_key_done(ctx->tls, key_no);
    trace_vkdev_ctx_key_done(id, key_no, status);
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
    s->stats[VKTLS_STAT_TLS_TX_REKEYS] += count->rekeys;
}

/*
 * Prefetch memory of context @id, whose packet will be sent after @ahead other
 * packets. To be called for each value of @ahead from VKDEV_CTX_AHEAD down to
 * 1. An @id without a context is ignored.
 */
void vkdev_ctx_expect(VkdevState *s, uint32_t id, unsigned ahead)
{
    if (id >= s->contexts) {
        return;
    }
    if (ahead == VKDEV_CTX_AHEAD) {
        __builtin_prefetch(&s->ctx[id]);
    } else if (s->ctx[id].tls) {
        vkdev_tls_prefetch(s->ctx[id].tls, ahead);
    }
}

/*
 * Encrypt @len bytes of payload from the pieces at @from to @to, or in place.
 * @tcp_seq is the sequence number of the first byte. Return: VKTLS_ST_OK, or
 * another status with which the content of @to must not be sent. *@expected is
 * set to the sequence number that the context expects next.
 */
uint16_t vkdev_ctx_encrypt(VkdevState *s, uint32_t id, uint32_t tcp_seq,
                           const struct iovec *from, uint8_t *to, uint32_t len,
                           uint32_t *expected)
{
    VkdevContext *ctx = ctx_find_tx(s, id, tcp_seq);
    VkdevTlsCount count;
    VkdevTlsState state;
    uint16_t status;

    if (!ctx) {
        s->stats[VKTLS_STAT_TLS_TX_DROP_OTHER]++;
        return VKTLS_ST_NOENT;
    }
    status = vkdev_tls_tx_from(ctx->tls, tcp_seq, from, to, len, &count);
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

/*
 * Encrypt again, in place, @len bytes of whole records at @records, the first
 * of which is record @rec_no, at @tcp_seq. Return and *@expected as in
 * vkdev_ctx_encrypt(), but no counter is changed here: the caller counts.
 */
uint16_t vkdev_ctx_replay(VkdevState *s, uint32_t id, uint32_t tcp_seq,
                          uint64_t rec_no, uint8_t *records, uint32_t len,
                          uint32_t *expected)
{
    VkdevContext *ctx = ctx_find_tx(s, id, tcp_seq);
    VkdevTlsCount count;
    VkdevTlsState state;
    uint16_t status;

    if (!ctx) {
        return VKTLS_ST_NOENT;
    }
    status = vkdev_tls_replay(ctx->tls, tcp_seq, rec_no, records, len, &count);
    vkdev_tls_query(ctx->tls, &state);
    *expected = state.tcp_seq;
    trace_vkdev_ctx_replay(id, tcp_seq, rec_no, len, status);
    return status;
}

/*
 * Copy ciphertext of an earlier replay to @to, if the cache of replayed
 * records still has it. The records from @rec_no on, at @tcp_seq, are
 * @before + @len + @after bytes long; the @len bytes in the middle are copied.
 * False if the cache lacks any of the records.
 */
bool vkdev_ctx_resend(VkdevState *s, uint32_t id, uint32_t tcp_seq,
                      uint64_t rec_no, uint32_t before, uint8_t *to,
                      uint32_t len, uint32_t after)
{
    const VkdevContext *ctx = ctx_find(s, id);

    if (!ctx ||
        !vkdev_tls_resend(ctx->tls, tcp_seq, rec_no, before, to, len,
                          after)) {
        return false;
    }
    trace_vkdev_ctx_resend(id, rec_no, before, len);
    return true;
}

/*
 * Count a received packet and send the host the events in @res. Return: the
 * VKTLS_RXC_TLS* flags of the packet's completion.
 */
static uint16_t ctx_received(VkdevState *s, uint32_t id, uint32_t len,
                             const VkdevTlsRxResult *res)
{
    VkdevContext *ctx = &s->ctx[id];
    uint16_t flags = VKTLS_RXC_TLS;
    VkdevTlsState state;

    if (res->decrypted) {
        flags |= VKTLS_RXC_TLS_DECRYPTED;
        ctx->packets++;
        ctx->bytes += len;
        s->stats[VKTLS_STAT_TLS_RX_PACKETS]++;
        s->stats[VKTLS_STAT_TLS_RX_BYTES] += len;
        s->stats[VKTLS_STAT_TLS_RX_RECORDS] += res->records;
        s->stats[VKTLS_STAT_TLS_RX_LATE] += res->late;
    } else {
        s->stats[VKTLS_STAT_TLS_RX_BYPASSED]++;
    }
    if (res->auth) {
        flags |= VKTLS_RXC_TLS_AUTH;
        s->stats[VKTLS_STAT_TLS_RX_AUTH_ERRORS]++;
    }
    s->stats[VKTLS_STAT_TLS_RX_FOUND] += res->found;
    if (res->rekeys) {
        s->stats[VKTLS_STAT_TLS_RX_REKEYS] += res->rekeys;
        vkdev_event(s, VKTLS_EVT_TLS_KEY, VKTLS_ST_OK, id, res->key_no);
    }
    if (res->lost) {
        vkdev_tls_query(ctx->tls, &state);
        s->stats[VKTLS_STAT_TLS_RX_LOST]++;
        vkdev_event(s, VKTLS_EVT_TLS_LOST, res->lost, id, state.tcp_seq);
    }
    if (res->resync_req) {
        flags |= VKTLS_RXC_TLS_ASK;
        s->stats[VKTLS_STAT_TLS_RX_ASKED]++;
        vkdev_event(s, VKTLS_EVT_TLS_RESYNC, VKTLS_ST_OK, id,
                    res->resync_seq);
    }
    return flags;
}

/*
 * Pass @len bytes of received TCP payload at @from to the receive context @id.
 * Return: VKTLS_RXC_TLS* flags. With VKTLS_RXC_TLS_DECRYPTED among them the
 * plaintext is at @to; otherwise the content of @to is undefined. @from and
 * @to do not overlap.
 */
uint16_t vkdev_ctx_decrypt(VkdevState *s, uint32_t id, uint32_t tcp_seq,
                           const uint8_t *from, uint8_t *to, uint32_t len)
{
    VkdevTlsRxResult res;
    uint16_t flags;

    vkdev_tls_engine_forgetful(s->tls, s->faults.forgetful);
    vkdev_tls_rx(s->ctx[id].tls, tcp_seq, from, to, len, &res);
    flags = ctx_received(s, id, len, &res);
    trace_vkdev_ctx_decrypt(id, tcp_seq, len, flags, res.lost);
    return flags;
}
