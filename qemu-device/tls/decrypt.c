// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Receive side of the TLS engine. A packet is reported as decrypted only if
 * the engine was in sync at each of its bytes, none was decrypted before, and
 * no record that became complete with the packet had a wrong tag. All other
 * packets go to the host unchanged. The bytes of one record may arrive in any
 * order (holes.c). After a gap that contains a record header, the position of
 * the next record must be found again (resync.c). The engine starts each
 * record number once, so there is one verdict about a record, which comes with
 * its last packet.
 */
#include <string.h>

#include "priv.h"
#include "vktls_abi.h"

/*
 * Maximum distance, in records, of a held record behind the newest one. It is
 * less than 4 GiB of data, so TCP sequence numbers are not ambiguous.
 */
#define LATE_MAX 65536

void vkdev_tls_rx_init(VkdevTlsCtx *c)
{
    c->rx.mode = VKDEV_TLS_RX_SYNC;
    c->rx.floor = c->s.at.rec_no;
}

static bool tag_part_differs(const uint8_t *a, const uint8_t *b, size_t len)
{
    uint8_t diff = 0;

    while (len--) {
        diff |= *a++ ^ *b++;
    }
    return diff;
}

static void rx_payload(VkdevTlsCtx *c, const uint8_t *from, uint8_t *to,
                       uint32_t len)
{
    if (!from) {
        vkdev_tls_hole_pass(vkdev_tls_key(c), &c->s.aead, len);
        c->scan.unsure = true;
        return;
    }
    vkdev_aead_decrypt(vkdev_tls_key(c), &c->s.aead, to, from, len);
    if (c->keys) {
        vkdev_tls_scan(&c->scan, to, len);
    }
}

/*
 * Decrypt a piece of the payload, or check a piece of the tag. @from is NULL
 * for a missing piece. The record's AEAD has been started. False: wrong tag.
 */
bool vkdev_tls_rx_open(VkdevTlsCtx *c, const VkdevRecordPiece *piece,
                       const uint8_t *from, uint8_t *to)
{
    VkdevTlsStream *s = &c->s;

    if (piece->part == VKDEV_RECORD_PAYLOAD) {
        rx_payload(c, from, to, piece->len);
        return true;
    }
    if (from) {
        memcpy(to, from, piece->len);
    }
    if (c->rx.held) {
        vkdev_tls_hole_tag(c, piece, from);
        return true;
    }
    if (!piece->offset) {
        vkdev_aead_finish(vkdev_tls_key(c), &s->aead, s->tag);
    }
    return !tag_part_differs(from, s->tag + piece->offset, piece->len);
}

/* Give up decryption of the record at the cursor; its rest is passed over. */
static void rx_break(VkdevTlsCtx *c)
{
    if (c->rx.held) {
        vkdev_tls_hole_drop(c);
    }
    vkdev_aead_wipe(&c->s.aead, sizeof(c->s.aead));
    c->rx.held = false;
    vkdev_tls_trial_stop(c);
    c->rx.broken = true;
}

/*
 * Handle the end of the record that began at @start. False: the record is
 * complete and its tag is wrong. *@complete is false if bytes are missing.
 */
static bool rx_record_end(VkdevTlsCtx *c, uint32_t start, bool *complete)
{
    bool held = c->rx.held;

    *complete = !c->rx.broken;
    c->rx.held = c->rx.broken = false;
    return !held || vkdev_tls_hole_end(c, vkdev_tls_held_find(c, start),
                                       complete);
}

/* Move the cursor over @n bytes of a record that is broken or only tracked. */
static void rx_pass_broken(VkdevTlsCtx *c, uint32_t n)
{
    VkdevTlsCursor *at = &c->s.at;
    uint32_t len = at->rec.len;

    vkdev_record_skip(&at->rec, n);
    c->tcp_seq += n;
    if (!at->rec.pos) {
        at->rec_no++;
        at->used_up = !at->rec_no;
        c->rx.broken = false;
        if (c->rx.mode == VKDEV_TLS_RX_TRACK) {
            vkdev_tls_resync_passed(c, len);
        }
    }
}

/* Move the cursor over @n missing bytes of a held record. */
static void rx_pass_held(VkdevTlsCtx *c, uint32_t n)
{
    uint32_t start = c->tcp_seq - c->s.at.rec.pos;
    VkdevRecordPiece piece;
    bool complete;

    for (; n; n -= piece.len) {
        /*
         * Behind the head, vkdev_tls_step() reads no byte, so NULL is allowed.
         */
        vkdev_tls_step(c, &c->s.at, NULL, n, &piece);
        vkdev_tls_rx_open(c, &piece, NULL, NULL);
        c->tcp_seq += piece.len;
    }
    if (!c->s.at.rec.pos) {
        rx_record_end(c, start, &complete);
    }
}

/*
 * Skip @n missing bytes, which end inside or at the end of the record at the
 * cursor.
 */
static void rx_gap_within(VkdevTlsCtx *c, uint32_t n, VkdevTlsRxResult *res)
{
    uint32_t head = VKDEV_RECORD_HEADER_LEN + c->suite->shape.nonce_len;
    uint32_t len = c->s.at.rec.len;

    if (c->rx.mode != VKDEV_TLS_RX_SYNC || c->rx.broken ||
        c->s.at.rec.pos < head || !vkdev_tls_hole_open(c, n)) {
        rx_break(c);
        rx_pass_broken(c, n);
    } else {
        c->rx.held = true;
        rx_pass_held(c, n);
    }
    if (!c->s.at.rec.pos && c->rx.mode == VKDEV_TLS_RX_SYNC) {
        vkdev_tls_resync_doubt(c, len, res);
    }
}

/* Skip @n missing bytes between the cursor and the packet. */
static void rx_gap(VkdevTlsCtx *c, uint32_t n, VkdevTlsRxResult *res)
{
    const VkdevRecord *rec = &c->s.at.rec;
    uint32_t left = rec->len - rec->pos;

    if (rec->len) {
        left = left < n ? left : n;
        rx_gap_within(c, left, res);
        n -= left;
    }
    if (!n || c->s.at.used_up) {
        c->tcp_seq += n;
        return;
    }
    if (c->rx.mode == VKDEV_TLS_RX_SYNC || c->rx.exact) {
        vkdev_tls_resync_missing(c);
    }
    c->tcp_seq += n;
    vkdev_tls_resync_start(c, VKTLS_ST_TLS_GAP, res);
}

/* Return the records that were started since that of @h, at least. */
static uint64_t rx_since(const VkdevTlsCtx *c, const VkdevTlsHeld *h)
{
    if (h->serial == c->use.serial) {
        return c->rx.floor - h->rec_no;
    }
    return c->keys->old_records - h->rec_no + c->rx.floor;
}

/*
 * Handle a packet that lies completely before the cursor. True if it filled a
 * hole and was decrypted.
 */
static bool rx_late(VkdevTlsCtx *c, uint32_t tcp_seq, const uint8_t *from,
                    uint8_t *to, size_t len, VkdevTlsRxResult *res)
{
    VkdevTlsHeld *h = vkdev_tls_held_find(c, tcp_seq);
    bool complete;

    if (!h || rx_since(c, h) > LATE_MAX ||
        !vkdev_tls_hole_fits(h, tcp_seq, len)) {
        return false;
    }
    res->auth = !vkdev_tls_hole_fill(c, h, tcp_seq, from, to, len, &complete);
    res->records = complete && !res->auth;
    res->late = !res->auth;
    return res->late;
}

/*
 * Handle the part of a packet that lies before the cursor. @missed: the part
 * contained the lost header. Return: its number of bytes.
 */
static size_t rx_behind(VkdevTlsCtx *c, uint32_t tcp_seq, const uint8_t *from,
                        uint8_t *to, size_t len, bool missed,
                        VkdevTlsRxResult *res)
{
    uint32_t behind = c->tcp_seq - tcp_seq;

    if (behind >= len && rx_late(c, tcp_seq, from, to, len, res)) {
        res->decrypted = true;
    } else if (c->rx.mode == VKDEV_TLS_RX_SEARCH && !res->auth && !missed) {
        c->rx.window_len = 0;
        c->tcp_seq = tcp_seq; /* search again, in this packet */
        return 0;
    }
    return behind < len ? behind : len;
}

/*
 * Begin a packet: skip a gap before it, or handle the part of it that lies
 * before the cursor. Return: number of bytes in that part.
 */
static size_t rx_enter(VkdevTlsCtx *c, uint32_t tcp_seq, const uint8_t *from,
                       uint8_t *to, size_t len, VkdevTlsRxResult *res)
{
    bool missed = vkdev_tls_resync_late(c, tcp_seq, from, len, res);
    int32_t ahead = tcp_seq - c->tcp_seq;

    if (c->rx.held && !vkdev_tls_hole_here(c)) {
        rx_break(c); /* its VkdevTlsHeld was reused for another record */
    }
    if (ahead < 0) {
        return rx_behind(c, tcp_seq, from, to, len, missed, res);
    }
    if (ahead && c->rx.mode == VKDEV_TLS_RX_SEARCH) {
        c->rx.window_len = 0;
        c->tcp_seq = tcp_seq;
    } else if (ahead) {
        rx_gap(c, ahead, res);
    }
    return 0;
}

/*
 * Begin the record at the cursor, with its header and explicit nonce complete.
 * False, and the record is broken, if its number was started before.
 */
static bool rx_begin(VkdevTlsCtx *c)
{
    if (c->s.at.rec_no < c->rx.floor) {
        c->rx.broken = true;
        return false;
    }
    c->rx.floor = c->s.at.rec_no + 1; /* becomes 0 after the last number */
    vkdev_tls_record_start(c, &c->use, &c->s);
    vkdev_tls_scan_start(c);
    return true;
}

/*
 * The record of @len bytes ends with the last piece, of @n bytes, as the cursor
 * has it. Tell whether it is proved.
 */
static void rx_ended(VkdevTlsCtx *c, uint32_t len, uint32_t n, bool proved,
                     VkdevTlsRxResult *res)
{
    uint32_t seq = c->tcp_seq;

    if (proved) {
        vkdev_tls_rx_proved(c, n, res);
        return;
    }
    c->tcp_seq += n;
    vkdev_tls_resync_doubt(c, len, res);
    c->tcp_seq = seq;
}

/*
 * A wrong tag. After an earlier KeyUpdate that was not seen, the next record
 * has the next key, which is tried first; else the stream is searched.
 */
static void rx_wrong(VkdevTlsCtx *c, const VkdevRecordPiece *piece,
                     VkdevTlsRxResult *res)
{
    uint64_t rec_no = c->s.at.rec_no;
    uint32_t seq = c->tcp_seq;

    res->auth = true;
    vkdev_tls_resync_start(c, VKTLS_ST_TLS_AUTH, res);
    if (c->keys && piece->part_ends) {
        c->tcp_seq += piece->len;
        vkdev_tls_resync_exact(c, rec_no, 1);
        c->tcp_seq = seq;
    }
}

/*
 * Handle the next bytes of a packet in sync, at least one. *@whole becomes
 * false if any of them was not decrypted.
 */
static size_t rx_follow(VkdevTlsCtx *c, const uint8_t *from, uint8_t *to,
                        size_t len, bool *whole, VkdevTlsRxResult *res)
{
    uint32_t start = c->tcp_seq - c->s.at.rec.pos, record = c->s.at.rec.len;
    bool sync = !c->rx.broken, right = true, complete;
    VkdevRecordPiece piece;

    if (vkdev_tls_step(c, &c->s.at, from, len, &piece) != VKTLS_ST_OK) {
        vkdev_tls_resync_bad_header(c, res);
        *whole = false;
        return piece.len;
    }
    if (piece.part < VKDEV_RECORD_PAYLOAD) {
        memcpy(to, from, piece.len);
        sync = sync && (!piece.head_ends || rx_begin(c));
    } else if (sync) {
        right = vkdev_tls_rx_open(c, &piece, from, to);
    }
    if (right && piece.part == VKDEV_RECORD_TAG && piece.part_ends) {
        right = rx_record_end(c, start, &complete);
        res->records += right && complete;
        if (right) {
            rx_ended(c, record, piece.len, complete, res);
        }
    }
    if (!right) {
        rx_wrong(c, &piece, res);
    }
    *whole &= sync && right;
    return piece.len;
}

/*
 * True for the most frequent packet: the next one in sequence, inside the
 * payload of a record without holes.
 */
static bool rx_inside(const VkdevTlsCtx *c, uint32_t tcp_seq, size_t len)
{
    const VkdevTlsRx *rx = &c->rx;

    return tcp_seq == c->tcp_seq && rx->mode == VKDEV_TLS_RX_SYNC &&
           !rx->broken && !rx->held && !rx->missing &&
           vkdev_tls_inside(c, len);
}

static void rx_decrypt_inside(VkdevTlsCtx *c, const uint8_t *from,
                              uint8_t *to, size_t len, VkdevTlsRxResult *res)
{
    vkdev_aead_decrypt(vkdev_tls_key(c), &c->s.aead, to, from, len);
    if (c->keys) {
        vkdev_tls_scan(&c->scan, to, len);
    }
    c->s.at.rec.pos += len;
    c->tcp_seq += len;
    res->decrypted = true;
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
    if (rx_inside(c, tcp_seq, len)) {
        rx_decrypt_inside(c, from, to, len, res);
        return VKTLS_ST_OK;
    }
    n = rx_enter(c, tcp_seq, from, to, len, res);
    whole = !n;
    for (from += n, to += n, len -= n; len && !c->s.at.used_up;
         from += n, to += n, len -= n) {
        if (c->rx.mode == VKDEV_TLS_RX_SYNC) {
            n = rx_follow(c, from, to, len, &whole, res);
        } else if (c->rx.mode == VKDEV_TLS_RX_TRACK) {
            n = vkdev_tls_resync_track(c, from, to, len, res);
            whole = false;
        } else {
            n = vkdev_tls_resync_search(c, from, len, res);
            whole = false;
        }
        c->tcp_seq += n;
    }
    res->decrypted |= whole && !len;
    return VKTLS_ST_OK;
}
