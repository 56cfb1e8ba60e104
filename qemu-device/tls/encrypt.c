// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Transmit side of the TLS engine. In the life of a context each record number
 * of a key is encrypted for the wire at most once, no key comes back into use
 * after the next one, and a replay is sent only if it has the same tag as the
 * record sent before. So no pair of key and nonce is used for two plaintexts,
 * in any order of packets, resyncs, keys and replays.
 */
#include <string.h>

#include "priv.h"
#include "vktls_abi.h"

void vkdev_tls_tx_init(VkdevTlsCtx *c)
{
    c->tx.nonce_base = vkdev_tls_explicit(c->use.iv + VKDEV_SALT_LEN) -
                       c->s.at.rec_no;
    c->tx.floor = c->s.at.rec_no;
}

/*
 * One step of the walk through the stream. Fails with VKTLS_ST_TLS_NONCE if an
 * explicit nonce does not match the record number.
 */
unsigned vkdev_tls_tx_step(const VkdevTlsCtx *c, VkdevTlsCursor *at,
                           const uint8_t *p, size_t len,
                           VkdevRecordPiece *piece)
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

/*
 * Get bytes from the current piece: at most @max, at least one. Return: number
 * of bytes at *@p.
 */
static size_t source_take(VkdevTlsSource *src, size_t max, const uint8_t **p)
{
    size_t left;

    while (!(left = src->piece->iov_len - src->done)) {
        src->piece++;
        src->done = 0;
    }
    *p = (const uint8_t *)src->piece->iov_base + src->done;
    left = left < max ? left : max;
    src->done += left;
    return left;
}

static void source_skip(VkdevTlsSource *src, size_t len)
{
    const uint8_t *p;

    while (len) {
        len -= source_take(src, len, &p);
    }
}

static void source_copy(VkdevTlsSource *src, uint8_t *to, size_t len)
{
    const uint8_t *p;
    size_t n;

    for (; len; to += n, len -= n) {
        n = source_take(src, len, &p);
        if (p != to) {
            memcpy(to, p, n);
        }
    }
}

/*
 * Move the cursor over the rest of the record, at most @len bytes. Return:
 * number of bytes.
 */
static uint32_t tx_check_rest(VkdevTlsCursor *at, VkdevTlsSource *src,
                              size_t len)
{
    uint32_t left = at->rec.len - at->rec.pos;
    uint32_t n = left < len ? left : len;

    source_skip(src, n);
    vkdev_record_skip(&at->rec, n);
    if (n == left) {
        at->rec_no++;
        at->used_up = !at->rec_no;
    }
    return n;
}

/*
 * Check @len bytes, and move the cursor @at over them. Record headers and
 * explicit nonces are copied to @to before the check; later code uses only the
 * copy, because the host may change the source.
 */
unsigned vkdev_tls_tx_check(const VkdevTlsCtx *c, VkdevTlsCursor *at,
                            VkdevTlsSource src, uint8_t *to, size_t len)
{
    VkdevRecordPiece piece;
    uint32_t head;
    unsigned st;

    for (; len; to += piece.len, len -= piece.len) {
        head = vkdev_record_head_left(&at->rec, &c->suite->shape);
        if (!head) {
            piece.len = tx_check_rest(at, &src, len);
            continue;
        }
        source_copy(&src, to, head < len ? head : len);
        st = vkdev_tls_tx_step(c, at, to, len, &piece);
        if (st != VKTLS_ST_OK) {
            return st;
        }
    }
    return VKTLS_ST_OK;
}

static void tx_payload(const VkdevTlsCtx *c, const VkdevTlsKey *k,
                       VkdevTlsStream *s, VkdevTlsSource *src, uint8_t *to,
                       size_t len)
{
    const VkdevAeadKey *key = vkdev_tls_key_of(c, k);
    const uint8_t *p;
    size_t n;

    for (; len; to += n, len -= n) {
        n = source_take(src, len, &p);
        vkdev_aead_encrypt(key, &s->aead, to, p, n);
    }
}

/* Encrypt a piece of a record of the key @k. */
void vkdev_tls_tx_piece(const VkdevTlsCtx *c, const VkdevTlsKey *k,
                        VkdevTlsStream *s, const VkdevRecordPiece *piece,
                        VkdevTlsSource *src, uint8_t *to)
{
    if (piece->head_ends) {
        vkdev_tls_record_start(c, k, s);
    }
    if (piece->part == VKDEV_RECORD_PAYLOAD) {
        tx_payload(c, k, s, src, to, piece->len);
        return;
    }
    source_skip(src, piece->len);
    if (piece->part == VKDEV_RECORD_TAG) {
        if (!piece->offset) {
            vkdev_aead_finish(vkdev_tls_key_of(c, k), &s->aead, s->tag);
        }
        memcpy(to, s->tag + piece->offset, piece->len);
    }
}

static void tx_encrypt_inside(VkdevTlsCtx *c, VkdevTlsSource src, uint8_t *to,
                              size_t len, VkdevTlsCount *count)
{
    tx_payload(c, &c->use, &c->s, &src, to, len);
    c->s.at.rec.pos += len;
    c->tcp_seq += len;
    count->packets = 1;
    count->bytes = len;
}

/* Mark record number @rec_no as used. */
static void tx_floor_raise(VkdevTlsCtx *c, uint64_t rec_no)
{
    c->tx.floor = rec_no + 1;
    c->tx.floor_wrapped = !c->tx.floor;
}

/* Encrypt @len bytes that vkdev_tls_tx_check() has accepted. */
static void tx_encrypt(VkdevTlsCtx *c, VkdevTlsStream *s, VkdevTlsSource src,
                       uint8_t *to, size_t len, VkdevTlsCount *count)
{
    VkdevRecordPiece piece;

    c->tcp_seq += len;
    count->packets = 1;
    count->bytes += len;
    for (; len; to += piece.len, len -= piece.len) {
        vkdev_tls_tx_step(c, &s->at, to, len, &piece);
        vkdev_tls_tx_piece(c, &c->use, s, &piece, &src, to);
        if (piece.head_ends) {
            vkdev_tls_sent_expect(c, s->at.rec_no);
            tx_floor_raise(c, s->at.rec_no);
        }
        if (piece.part == VKDEV_RECORD_TAG && piece.part_ends) {
            /* the cursor is at the next record */
            vkdev_tls_sent_add(c, s->at.rec_no - 1, s->tag);
            count->records++;
        }
    }
}

/*
 * Like tx_encrypt(), for a packet of whole records. The AEAD state is on the
 * stack, as none is needed after the packet; this leaves most of the context's
 * cache lines untouched.
 */
static void tx_encrypt_whole(VkdevTlsCtx *c, VkdevTlsSource src, uint8_t *to,
                             size_t len, VkdevTlsCount *count)
{
    VkdevTlsStream s;

    s.at = c->s.at;
    tx_encrypt(c, &s, src, to, len, count);
    c->s.at = s.at;
}

/*
 * Like vkdev_tls_tx_check(), for a packet in which the next key begins, and
 * maybe others after it: each with the header of record 0.
 */
static unsigned tx_check_keys(const VkdevTlsCtx *c, VkdevTlsSource src,
                              uint8_t *to, size_t len)
{
    const VkdevTlsTxKeys *k = c->tx.keys;
    VkdevTlsCursor at = c->s.at;
    uint32_t seq = c->tcp_seq;
    unsigned st;
    size_t n;

    for (int next = k->now + 1; ; next++) {
        n = len;
        if (next < k->count && k->at[next].tcp_seq - seq < len) {
            n = k->at[next].tcp_seq - seq;
        }
        st = vkdev_tls_tx_check(c, &at, src, to, n);
        if (st != VKTLS_ST_OK || n == len) {
            return st;
        }
        if (at.rec.pos) {
            return VKTLS_ST_TLS_HEADER;
        }
        at = (VkdevTlsCursor) { 0 };
        source_skip(&src, n);
        to += n;
        seq += n;
        len -= n;
    }
}

/* Encrypt a packet that tx_check_keys() has accepted. */
static void tx_encrypt_keys(VkdevTlsCtx *c, VkdevTlsSource src, uint8_t *to,
                            size_t len, VkdevTlsCount *count)
{
    uint32_t n;

    while ((n = vkdev_tls_tx_key_left(c)) < len) {
        tx_encrypt(c, &c->s, src, to, n, count);
        vkdev_tls_tx_key_step(c);
        count->rekeys++;
        source_skip(&src, n);
        to += n;
        len -= n;
    }
    tx_encrypt(c, &c->s, src, to, len, count);
}

void vkdev_tls_tx_count_drop(unsigned st, VkdevTlsCount *count)
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

/* Check and encrypt a packet that is in order, and in which a key begins. */
static unsigned tx_packet_keys(VkdevTlsCtx *c, VkdevTlsSource src, uint8_t *to,
                               size_t len, VkdevTlsCount *count)
{
    unsigned st = tx_check_keys(c, src, to, len);

    if (st == VKTLS_ST_OK) {
        tx_encrypt_keys(c, src, to, len, count);
    } else {
        c->lost = count->lost = true;
    }
    return st;
}

/* The same for a packet under the key in use. */
static unsigned tx_packet(VkdevTlsCtx *c, VkdevTlsSource src, uint8_t *to,
                          size_t len, VkdevTlsCount *count)
{
    VkdevTlsCursor at;
    unsigned st;

    if (vkdev_tls_inside(c, len)) {
        tx_encrypt_inside(c, src, to, len, count);
        return VKTLS_ST_OK;
    }
    at = c->s.at;
    st = vkdev_tls_tx_check(c, &at, src, to, len);
    if (st != VKTLS_ST_OK) {
        c->lost = count->lost = true;
    } else if (c->s.at.rec.pos || at.rec.pos) {
        tx_encrypt(c, &c->s, src, to, len, count);
    } else {
        tx_encrypt_whole(c, src, to, len, count);
    }
    return st;
}

unsigned vkdev_tls_tx_from(VkdevTlsCtx *c, uint32_t tcp_seq,
                           const struct iovec *from, uint8_t *to, size_t len,
                           VkdevTlsCount *count)
{
    unsigned st;

    *count = (VkdevTlsCount) { 0 };
    if (c->direction != VKTLS_DIR_TX) {
        st = VKTLS_ST_NOENT;
    } else if (c->lost) {
        st = VKTLS_ST_TLS_LOST;
    } else if (tcp_seq != c->tcp_seq) {
        st = VKTLS_ST_TLS_SEQ;
    } else if (vkdev_tls_tx_key_left(c) < len) {
        st = tx_packet_keys(c, (VkdevTlsSource) { from, 0 }, to, len, count);
    } else {
        st = tx_packet(c, (VkdevTlsSource) { from, 0 }, to, len, count);
    }
    if (st != VKTLS_ST_OK) {
        vkdev_tls_tx_count_drop(st, count);
    }
    return st;
}

unsigned vkdev_tls_tx(VkdevTlsCtx *c, uint32_t tcp_seq, uint8_t *buf,
                      size_t len, VkdevTlsCount *count)
{
    const struct iovec from = { buf, len };

    return vkdev_tls_tx_from(c, tcp_seq, &from, buf, len, count);
}

/* Check that record @rec_no was never started under the key in use. */
static unsigned tx_number_may(const VkdevTlsCtx *c, uint64_t rec_no)
{
    if (c->tx.floor_wrapped) {
        return VKTLS_ST_TLS_WRAP;
    }
    return rec_no < c->tx.floor ? VKTLS_ST_TLS_REUSE : VKTLS_ST_OK;
}

unsigned vkdev_tls_tx_resync(VkdevTlsCtx *c, uint32_t tcp_seq,
                             uint64_t rec_no, uint32_t key_no)
{
    uint32_t steps = key_no - c->tx.key_no;
    unsigned st = vkdev_tls_tx_key_may(c, tcp_seq, steps);

    if (st == VKTLS_ST_OK && !steps) {
        st = tx_number_may(c, rec_no);
    }
    if (st == VKTLS_ST_OK) {
        for (; steps; steps--) {
            vkdev_tls_tx_key_step(c);
        }
        vkdev_tls_stream_move(c, tcp_seq, rec_no);
    }
    return st;
}
