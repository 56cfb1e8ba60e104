// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Receive side of the TLS engine. A packet is reported as decrypted only when
 * every byte of it was followed in sync and every tag that ends in it is right;
 * anything else goes to the host as it came. After a gap that swallowed a
 * header it looks for another, follows it, and asks the host for its number.
 */
#include <string.h>

#include "tls_priv.h"
#include "../drivers/net/ethernet/vktls/vktls_abi.h"

void vkdev_tls_rx_init(VkdevTlsCtx *c)
{
    c->rx.mode = VKDEV_TLS_RX_SYNC;
}

/* Whatever the host was to be asked about, there is no header there. */
static void rx_search_start(VkdevTlsCtx *c, unsigned why,
                            VkdevTlsRxResult *res)
{
    if (c->rx.mode == VKDEV_TLS_RX_SYNC) {
        res->lost = why;
    }
    res->resync_req = false;
    vkdev_tls_stream_move(c, c->tcp_seq, 0);
    c->lost = true;
    c->rx = (VkdevTlsRx) { .mode = VKDEV_TLS_RX_SEARCH };
}

/* Bytes are missing before the packet: pass over them if that is possible. */
static void rx_gap(VkdevTlsCtx *c, uint32_t n, VkdevTlsRxResult *res)
{
    VkdevTlsCursor *at = &c->s.at;

    if (c->rx.mode != VKDEV_TLS_RX_SEARCH && vkdev_record_skip(&at->rec, n)) {
        vkdev_aead_wipe(&c->s.aead, sizeof(c->s.aead));
        c->rx.broken = at->rec.pos != 0;
        at->rec_no += !at->rec.pos;
        at->used_up = !at->rec.pos && !at->rec_no;
    } else {
        rx_search_start(c, VKTLS_ST_TLS_GAP, res);
    }
    c->tcp_seq += n;
}

/* How many bytes at the packet's beginning the stream has behind it. */
static size_t rx_enter(VkdevTlsCtx *c, uint32_t tcp_seq, size_t len,
                       VkdevTlsRxResult *res)
{
    int32_t ahead = tcp_seq - c->tcp_seq;
    uint32_t behind = c->tcp_seq - tcp_seq;

    if (ahead && c->rx.mode == VKDEV_TLS_RX_SEARCH) {
        c->rx.window_len = 0;
        c->tcp_seq = tcp_seq; /* any place is as good to search */
    } else if (ahead > 0) {
        rx_gap(c, ahead, res);
    } else if (ahead < 0) {
        return behind < len ? behind : len;
    }
    return 0;
}

/*
 * A header of a tracked record ends at @end. The host may have passed the ones
 * before when it heard of them, so it is asked again, ever more rarely.
 */
static void rx_log(VkdevTlsCtx *c, uint32_t end, VkdevTlsRxResult *res)
{
    uint64_t n = c->rx.logged++;
    uint32_t seq = end - VKDEV_RECORD_HEADER_LEN;

    c->rx.log[n % VKDEV_TLS_RX_LOG] = seq;
    if (!(n & (n - 1)) || n % VKDEV_TLS_RX_LOG == 0) {
        res->resync_req = true;
        res->resync_seq = seq;
    }
}

/* Look for a header; returns the bytes consumed, the header's included. */
static size_t rx_search(VkdevTlsCtx *c, const uint8_t *p, size_t len,
                        VkdevTlsRxResult *res)
{
    const VkdevRecordShape *shape = &c->suite->shape;
    VkdevTlsRx *rx = &c->rx;
    VkdevRecordPiece piece;

    for (size_t i = 0; i < len; i++) {
        if (rx->window_len == sizeof(rx->window)) {
            memmove(rx->window, rx->window + 1, --rx->window_len);
        }
        rx->window[rx->window_len++] = p[i];
        if (rx->window_len == sizeof(rx->window) &&
            vkdev_record_header_ok(shape, rx->window)) {
            rx->mode = VKDEV_TLS_RX_TRACK;
            vkdev_record_step(&c->s.at.rec, shape, rx->window,
                              sizeof(rx->window), &piece);
            rx_log(c, c->tcp_seq + i + 1, res);
            return i + 1;
        }
    }
    return len;
}

/* No header where the last record ended: search on, from its second byte. */
static void rx_bad_header(VkdevTlsCtx *c, VkdevTlsRxResult *res)
{
    uint8_t head[VKDEV_RECORD_HEADER_LEN];

    memcpy(head, c->s.at.rec.head, sizeof(head));
    rx_search_start(c, VKTLS_ST_TLS_HEADER, res);
    c->rx.window_len = sizeof(head) - 1;
    memcpy(c->rx.window, head + 1, sizeof(head) - 1);
}

static bool tag_part_differs(const uint8_t *a, const uint8_t *b, size_t len)
{
    uint8_t diff = 0;

    while (len--) {
        diff |= *a++ ^ *b++;
    }
    return diff;
}

/* A piece of a record that is in sync from its head on; false: wrong tag. */
static bool rx_decrypt(VkdevTlsCtx *c, const VkdevRecordPiece *piece,
                       const uint8_t *from, uint8_t *to)
{
    VkdevTlsStream *s = &c->s;

    if (piece->head_ends) {
        vkdev_tls_record_start(c, s);
    }
    if (piece->part == VKDEV_RECORD_PAYLOAD) {
        vkdev_aead_decrypt(vkdev_tls_key(c), &s->aead, to, from, piece->len);
        return true;
    }
    memcpy(to, from, piece->len);
    if (piece->part != VKDEV_RECORD_TAG) {
        return true;
    }
    if (!piece->offset) {
        vkdev_aead_finish(vkdev_tls_key(c), &s->aead, s->tag);
    }
    return !tag_part_differs(from, s->tag + piece->offset, piece->len);
}

/* Consumes at least one byte; @whole turns false when one was not decrypted. */
static size_t rx_follow(VkdevTlsCtx *c, const uint8_t *from, uint8_t *to,
                        size_t len, bool *whole, VkdevTlsRxResult *res)
{
    bool sync = c->rx.mode == VKDEV_TLS_RX_SYNC && !c->rx.broken;
    VkdevRecordPiece piece;
    bool record_ends;

    *whole &= sync;
    if (vkdev_tls_step(c, &c->s.at, from, len, &piece) != VKTLS_ST_OK) {
        rx_bad_header(c, res);
        *whole = false;
        return piece.len;
    }
    if (c->rx.mode == VKDEV_TLS_RX_TRACK && piece.part_ends &&
        piece.part == VKDEV_RECORD_HEADER) {
        rx_log(c, c->tcp_seq + piece.len, res);
    }
    record_ends = piece.part == VKDEV_RECORD_TAG && piece.part_ends;
    if (sync && !rx_decrypt(c, &piece, from, to)) {
        rx_search_start(c, VKTLS_ST_TLS_AUTH, res);
        *whole = false;
    } else if (record_ends) {
        res->records += sync;
        c->rx.broken = false;
    }
    return piece.len;
}

unsigned vkdev_tls_rx(VkdevTlsCtx *c, uint32_t tcp_seq, const uint8_t *from,
                      uint8_t *to, size_t len, VkdevTlsRxResult *res)
{
    bool whole;
    size_t n;

    *res = (VkdevTlsRxResult) { 0 };
    if (c->direction != VKTLS_DIR_RX) {
        return VKTLS_ST_NOENT;
    }
    if (!len) {
        return VKTLS_ST_OK;
    }
    n = rx_enter(c, tcp_seq, len, res);
    whole = !n;
    for (from += n, to += n, len -= n; len && !c->s.at.used_up;
         from += n, to += n, len -= n) {
        if (c->rx.mode == VKDEV_TLS_RX_SEARCH) {
            n = rx_search(c, from, len, res);
            whole = false;
        } else {
            n = rx_follow(c, from, to, len, &whole, res);
        }
        c->tcp_seq += n;
    }
    res->decrypted = whole && !len;
    return VKTLS_ST_OK;
}

/* Which of the tracked headers, counted from the candidate, is at @tcp_seq? */
static bool rx_log_find(const VkdevTlsRx *rx, uint32_t tcp_seq, uint64_t *n)
{
    for (uint64_t back = 1; back <= VKDEV_TLS_RX_LOG; back++) {
        if (back > rx->logged) {
            return false;
        }
        *n = rx->logged - back;
        if (rx->log[*n % VKDEV_TLS_RX_LOG] == tcp_seq) {
            return true;
        }
    }
    return false;
}

unsigned vkdev_tls_rx_resync(VkdevTlsCtx *c, uint32_t tcp_seq,
                             uint64_t rec_no)
{
    uint32_t head = VKDEV_RECORD_HEADER_LEN + c->suite->shape.nonce_len;
    VkdevTlsCursor *at = &c->s.at;
    uint64_t n;

    if (c->rx.mode == VKDEV_TLS_RX_SYNC) {
        return VKTLS_ST_STATE;
    }
    if (c->rx.mode == VKDEV_TLS_RX_TRACK &&
        rx_log_find(&c->rx, tcp_seq, &n)) {
        if (rec_no > UINT64_MAX - (at->rec_no - n)) {
            return VKTLS_ST_PARAM;
        }
        at->rec_no += rec_no - n;
        c->rx.broken = at->rec.pos >= head;
    } else if ((int32_t)(tcp_seq - c->tcp_seq) >= 0) {
        vkdev_tls_stream_move(c, tcp_seq, rec_no);
        c->rx.broken = false;
    } else {
        return VKTLS_ST_TLS_SEQ;
    }
    c->rx.mode = VKDEV_TLS_RX_SYNC;
    c->lost = false;
    return VKTLS_ST_OK;
}
