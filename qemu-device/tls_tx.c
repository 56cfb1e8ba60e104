// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Transmit side of the TLS engine. A record number starts AEAD for the wire at
 * most once in a context's life, and a replay leaves only if it gives the tag
 * that was sent before: no (key, nonce) pair serves two plaintexts, whatever
 * the host does.
 */
#include <string.h>

#include "tls_priv.h"
#include "../drivers/net/ethernet/vktls/vktls_abi.h"

void vkdev_tls_tx_init(VkdevTlsCtx *c)
{
    c->tx.nonce_base = vkdev_tls_explicit(c->iv + VKDEV_SALT_LEN) -
                       c->s.at.rec_no;
    c->tx.floor = c->s.at.rec_no;
}

/* One step of the walk, and the explicit nonce must be the record number's. */
static unsigned tx_step(const VkdevTlsCtx *c, VkdevTlsCursor *at,
                        const uint8_t *p, size_t len, VkdevRecordPiece *piece)
{
    unsigned st = vkdev_tls_step(c, at, p, len, piece);

    if (st == VKTLS_ST_OK && piece->part == VKDEV_RECORD_NONCE &&
        piece->part_ends &&
        vkdev_tls_explicit(at->rec.head + VKDEV_RECORD_HEADER_LEN) !=
        at->rec_no + c->tx.nonce_base) {
        return VKTLS_ST_TLS_NONCE;
    }
    return st;
}

/* Walk over all of @len bytes; @at ends behind them. */
static unsigned tx_check(const VkdevTlsCtx *c, VkdevTlsCursor *at,
                         const uint8_t *p, size_t len)
{
    VkdevRecordPiece piece;
    unsigned st;

    for (; len; p += piece.len, len -= piece.len) {
        st = tx_step(c, at, p, len, &piece);
        if (st != VKTLS_ST_OK) {
            return st;
        }
    }
    return VKTLS_ST_OK;
}

static void tx_piece(const VkdevTlsCtx *c, VkdevTlsStream *s,
                     const VkdevRecordPiece *piece, uint8_t *p)
{
    if (piece->head_ends) {
        vkdev_tls_record_start(c, s);
    }
    if (piece->part == VKDEV_RECORD_PAYLOAD) {
        vkdev_aead_encrypt(vkdev_tls_key(c), &s->aead, p, p, piece->len);
    } else if (piece->part == VKDEV_RECORD_TAG) {
        if (!piece->offset) {
            vkdev_aead_finish(vkdev_tls_key(c), &s->aead, s->tag);
        }
        memcpy(p, s->tag + piece->offset, piece->len);
    }
}

/* The number of the record at the cursor is used now. */
static void tx_floor_raise(VkdevTlsCtx *c)
{
    c->tx.floor = c->s.at.rec_no + 1;
    c->tx.floor_wrapped = !c->tx.floor;
}

/* The second pass, over bytes that tx_check() has accepted. */
static void tx_encrypt(VkdevTlsCtx *c, uint8_t *p, size_t len,
                       VkdevTlsCount *count)
{
    VkdevRecordPiece piece;

    c->tcp_seq += len;
    count->packets = 1;
    count->bytes = len;
    for (; len; p += piece.len, len -= piece.len) {
        tx_step(c, &c->s.at, p, len, &piece);
        tx_piece(c, &c->s, &piece, p);
        if (piece.head_ends) {
            tx_floor_raise(c);
        }
        if (piece.part == VKDEV_RECORD_TAG && piece.part_ends) {
            /* the cursor is behind it */
            vkdev_tls_sent_add(c, c->s.at.rec_no - 1, c->s.tag);
            count->records++;
        }
    }
}

static void count_drop(unsigned st, VkdevTlsCount *count)
{
    switch (st) {
    case VKTLS_ST_TLS_SEQ:
        count->drop_seq = 1;
        break;
    case VKTLS_ST_TLS_HEADER:
        count->drop_header = 1;
        break;
    case VKTLS_ST_TLS_NONCE:
    case VKTLS_ST_TLS_WRAP:
    case VKTLS_ST_TLS_REUSE:
        count->drop_nonce = 1;
        break;
    default:
        count->drop_other = 1;
    }
}

unsigned vkdev_tls_tx(VkdevTlsCtx *c, uint32_t tcp_seq, uint8_t *buf,
                      size_t len, VkdevTlsCount *count)
{
    VkdevTlsCursor at = c->s.at;
    unsigned st;

    *count = (VkdevTlsCount) { 0 };
    if (c->direction != VKTLS_DIR_TX) {
        st = VKTLS_ST_NOENT;
    } else if (c->lost) {
        st = VKTLS_ST_TLS_LOST;
    } else if (tcp_seq != c->tcp_seq) {
        st = VKTLS_ST_TLS_SEQ;
    } else {
        st = tx_check(c, &at, buf, len);
        c->lost = count->lost = st != VKTLS_ST_OK;
    }
    if (st == VKTLS_ST_OK) {
        tx_encrypt(c, buf, len, count);
    } else {
        count_drop(st, count);
    }
    return st;
}

unsigned vkdev_tls_tx_resync(VkdevTlsCtx *c, uint32_t tcp_seq,
                             uint64_t rec_no)
{
    if (c->tx.floor_wrapped) {
        return VKTLS_ST_TLS_WRAP;
    }
    if (rec_no < c->tx.floor) {
        return VKTLS_ST_TLS_REUSE;
    }
    vkdev_tls_stream_move(c, tcp_seq, rec_no);
    return VKTLS_ST_OK;
}

/* Records that follow each other from @rec_no on, and were all sent? */
static unsigned replay_check(const VkdevTlsCtx *c, uint64_t rec_no,
                             const uint8_t *buf, size_t len)
{
    VkdevTlsCursor at = { .rec_no = rec_no };
    unsigned st = tx_check(c, &at, buf, len);

    if (st == VKTLS_ST_TLS_WRAP) {
        return VKTLS_ST_TLS_REUSE; /* it goes past the last number */
    }
    if (st == VKTLS_ST_OK && (!len || at.rec.pos)) {
        return VKTLS_ST_TLS_HEADER;
    }
    for (; st == VKTLS_ST_OK && rec_no != at.rec_no; rec_no++) {
        if (!vkdev_tls_sent_find(c, rec_no)) {
            st = VKTLS_ST_TLS_REUSE;
        }
    }
    return st;
}

/* Encrypt apart from the stream; is each tag the one of then? */
static bool replay_encrypt(const VkdevTlsCtx *c, uint64_t rec_no,
                           uint8_t *p, size_t len)
{
    VkdevTlsStream s = { .at.rec_no = rec_no };
    VkdevRecordPiece piece;
    bool same = true;

    for (; len && same; p += piece.len, len -= piece.len) {
        tx_step(c, &s.at, p, len, &piece);
        tx_piece(c, &s, &piece, p);
        if (piece.part == VKDEV_RECORD_TAG) {
            same = !vkdev_aead_tag_differs(
                s.tag, vkdev_tls_sent_find(c, s.at.rec_no - 1));
        }
    }
    vkdev_aead_wipe(&s, sizeof(s));
    return same;
}

unsigned vkdev_tls_replay(VkdevTlsCtx *c, uint64_t rec_no, uint8_t *buf,
                          size_t len, VkdevTlsCount *count)
{
    unsigned st = VKTLS_ST_NOENT;

    *count = (VkdevTlsCount) { 0 };
    if (c->direction == VKTLS_DIR_TX) {
        st = replay_check(c, rec_no, buf, len);
    }
    if (st == VKTLS_ST_OK && !replay_encrypt(c, rec_no, buf, len)) {
        vkdev_aead_wipe(buf, len);
        st = VKTLS_ST_TLS_REUSE;
    }
    if (st == VKTLS_ST_OK) {
        count->replays = 1;
    } else {
        count_drop(st, count);
    }
    return st;
}
