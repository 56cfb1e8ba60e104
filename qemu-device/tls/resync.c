// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Receive resync. If a gap contains a record header, the context searches for
 * bytes that may be a header (mode SEARCH) and follows them from record to
 * record (mode TRACK). It is in sync again as soon as the record number is
 * known, in one of three ways: the lost header arrives late, and from it the
 * walk leads to a tracked header; or a guessed record number gives the right
 * tag; or the host answers a question about a header.
 */
#include <string.h>

#include "priv.h"
#include "vktls_abi.h"

#define GUESSES 8    /* guesses for the number of lost records */
#define TRIES_MAX 64
#define ASK_EVERY 16 /* headers between two questions, after the first */

/*
 * Go to mode SEARCH for the reason @why. A question that this packet would ask
 * is withdrawn.
 */
void vkdev_tls_resync_start(VkdevTlsCtx *c, unsigned why, VkdevTlsRxResult *res)
{
    VkdevTlsRx *rx = &c->rx;

    if (rx->mode == VKDEV_TLS_RX_SYNC) {
        res->lost = why;
    }
    if (why != VKTLS_ST_TLS_GAP && rx->mode == VKDEV_TLS_RX_SYNC) {
        rx->missing = false; /* the known position may have been wrong */
        vkdev_tls_held_forget(c);
    }
    if (why == VKTLS_ST_TLS_GAP && rx->mode == VKDEV_TLS_RX_TRACK) {
        rx->walked &= rx->passed > 0; /* else the gap is before the candidate */
        rx->passed += c->s.at.rec_no + 1; /* + 1 for the lost record */
        rx->tries = 0;
    }
    res->resync_req = false;
    vkdev_tls_stream_move(c, c->tcp_seq, 0);
    c->lost = true;
    rx->mode = VKDEV_TLS_RX_SEARCH;
    rx->broken = rx->held = rx->trial = false;
    rx->window_len = 0;
    rx->headers = rx->asked = 0;
}

/*
 * Store the position of the header at the cursor, which is lost, while still
 * in sync.
 */
void vkdev_tls_resync_missing(VkdevTlsCtx *c)
{
    c->rx.missing = !vkdev_tls_forgets(c);
    c->rx.missed = c->s.at;
    c->rx.missed_seq = c->tcp_seq;
    c->rx.passed = 0;
    c->rx.walked = false;
    c->rx.tries = 0;
}

/*
 * Return the number of headers from the candidate to the header that the
 * question with the number @question is about.
 */
static uint64_t asked_number(uint32_t question)
{
    if (question < 5) {
        return 1u << question >> 1; /* 0, 1, 2, 4, 8 */
    }
    return ASK_EVERY * (question - 4ull);
}

static uint32_t *asked_place(VkdevTlsRx *rx, uint32_t question)
{
    return question < VKDEV_TLS_RX_LOG ? &rx->first[question] :
           &rx->last[question % VKDEV_TLS_RX_LOG];
}

/*
 * Count a tracked header that ends at @end, and decide whether to ask the host
 * about it. The host may read past a header before it handles the question, so
 * it is asked about later headers as well, ever more rarely.
 */
static void resync_log(VkdevTlsCtx *c, uint32_t end, VkdevTlsRxResult *res)
{
    VkdevTlsRx *rx = &c->rx;

    if (!rx->headers) {
        rx->candidate = end - VKDEV_RECORD_HEADER_LEN;
    }
    if (rx->headers++ == asked_number(rx->asked)) {
        res->resync_req = true;
        res->resync_seq = end - VKDEV_RECORD_HEADER_LEN;
        *asked_place(rx, rx->asked++) = res->resync_seq;
    }
}

/*
 * Guess the number of records from the lost header to the candidate. If the
 * distance is a multiple of the length of the record at the cursor, perhaps
 * all have this length. Otherwise try the lowest number possible for the
 * distance, then the next ones.
 */
static uint64_t guess(const VkdevTlsCtx *c)
{
    const VkdevRecordShape *shape = &c->suite->shape;
    uint32_t most = VKDEV_RECORD_HEADER_LEN + shape->nonce_len +
                    shape->payload_max + VKDEV_RECORD_TAG_LEN;
    const VkdevTlsRx *rx = &c->rx;
    uint32_t distance = rx->candidate - rx->missed_seq + rx->missed.rec.pos;
    uint64_t least = (distance + most - 1) / most;
    uint64_t known = rx->passed + !(rx->passed && rx->walked);

    if (least < known) {
        least = known;
    }
    if (!rx->tries && distance % c->s.at.rec.len == 0 &&
        distance / c->s.at.rec.len >= least) {
        return distance / c->s.at.rec.len;
    }
    return least + rx->tries % GUESSES;
}

/*
 * Begin to decrypt a tracked record with a guessed number, at the end of its
 * header and nonce.
 */
static void trial_start(VkdevTlsCtx *c)
{
    uint64_t counted = c->s.at.rec_no;
    VkdevTlsRx *rx = &c->rx;

    rx->trial = rx->missing && rx->tries < TRIES_MAX;
    if (rx->trial) {
        rx->trial_no = rx->missed.rec_no + guess(c) + counted;
        c->s.at.rec_no = rx->trial_no;
        vkdev_tls_record_start(c, &c->s);
        c->s.at.rec_no = counted;
    }
}

/*
 * Return to mode SYNC. A record of which payload has passed is not decrypted.
 */
static void resync_end(VkdevTlsCtx *c, uint64_t rec_no)
{
    uint32_t head = VKDEV_RECORD_HEADER_LEN + c->suite->shape.nonce_len;

    vkdev_aead_wipe(&c->s.aead, sizeof(c->s.aead));
    c->s.at.rec_no = rec_no;
    c->rx.broken = c->s.at.rec.pos >= head;
    c->rx.mode = VKDEV_TLS_RX_SYNC;
    c->rx.missing = c->rx.trial = false;
    c->lost = false;
}

/*
 * Decrypt a piece of a tracked record with the guessed number. If the tag is
 * right, the context is in sync.
 */
static void trial_piece(VkdevTlsCtx *c, const VkdevRecordPiece *piece,
                        const uint8_t *from, uint8_t *to,
                        VkdevTlsRxResult *res)
{
    uint64_t next = c->rx.trial_no + 1;

    if (!vkdev_tls_rx_open(c, piece, from, to)) {
        c->rx.trial = false;
        c->rx.tries++;
    } else if (piece->part == VKDEV_RECORD_TAG && piece->part_ends) {
        resync_end(c, next);
        c->s.at.used_up = !next;
        res->found = true;
        res->resync_req = false;
    }
}

/*
 * Search for a header (mode SEARCH). Return: bytes consumed, up to the end of
 * the header if one was found.
 */
size_t vkdev_tls_resync_search(VkdevTlsCtx *c, const uint8_t *p, size_t len,
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
            resync_log(c, c->tcp_seq + i + 1, res);
            if (piece.head_ends) {
                trial_start(c);
            }
            return i + 1;
        }
    }
    return len;
}

/*
 * No valid header follows a record: search again, from the second byte of the
 * invalid header on.
 */
void vkdev_tls_resync_bad_header(VkdevTlsCtx *c, VkdevTlsRxResult *res)
{
    uint8_t head[VKDEV_RECORD_HEADER_LEN];

    memcpy(head, c->s.at.rec.head, sizeof(head));
    vkdev_tls_resync_start(c, VKTLS_ST_TLS_HEADER, res);
    c->rx.window_len = sizeof(head) - 1;
    memcpy(c->rx.window, head + 1, sizeof(head) - 1);
}

/*
 * Follow records from the candidate (mode TRACK). Return: bytes consumed, at
 * least one.
 */
size_t vkdev_tls_resync_track(VkdevTlsCtx *c, const uint8_t *from, uint8_t *to,
                              size_t len, VkdevTlsRxResult *res)
{
    VkdevRecordPiece piece;

    if (vkdev_tls_step(c, &c->s.at, from, len, &piece) != VKTLS_ST_OK) {
        vkdev_tls_resync_bad_header(c, res);
        return piece.len;
    }
    if (piece.part == VKDEV_RECORD_HEADER && piece.part_ends) {
        resync_log(c, c->tcp_seq + piece.len, res);
    }
    if (piece.head_ends) {
        trial_start(c);
    } else if (c->rx.trial) {
        trial_piece(c, &piece, from, to, res);
    }
    return piece.len;
}

/*
 * True, and in sync again, if the walk from the lost header has reached a
 * tracked header.
 */
static bool late_meets(VkdevTlsCtx *c)
{
    VkdevTlsRx *rx = &c->rx;

    return !rx->missed.rec.pos && !rx->missed.used_up &&
           vkdev_tls_rx_resync(c, rx->missed_seq, rx->missed.rec_no) ==
           VKTLS_ST_OK;
}

/* Move @missed over the rest of its record, to the next header. */
static void late_jump(VkdevTlsRx *rx)
{
    VkdevRecord *rec = &rx->missed.rec;
    uint32_t n = rec->len - rec->pos;

    if (vkdev_record_skip(rec, n)) {
        rx->missed_seq += n;
        rx->missed.rec_no++;
        rx->missed.used_up = !rx->missed.rec_no;
    }
}

/*
 * Walk from the lost header, which has arrived, over the packet's bytes. True:
 * in sync again.
 */
static bool late_walk(VkdevTlsCtx *c, const uint8_t *p, size_t len)
{
    VkdevTlsRx *rx = &c->rx;
    VkdevRecordPiece piece;

    for (; len; p += piece.len, len -= piece.len) {
        if (vkdev_tls_step(c, &rx->missed, p, len, &piece) != VKTLS_ST_OK) {
            rx->missing = false;
            return false;
        }
        rx->missed_seq += piece.len;
        if (late_meets(c)) {
            return true;
        }
    }
    late_jump(rx);
    rx->walked = true;
    rx->tries = 0;
    return late_meets(c);
}

/*
 * True if the packet contains the lost header; then res->found tells if the
 * context is in sync again.
 */
bool vkdev_tls_resync_late(VkdevTlsCtx *c, uint32_t tcp_seq,
                           const uint8_t *from, size_t len,
                           VkdevTlsRxResult *res)
{
    uint32_t skip = c->rx.missed_seq - tcp_seq;

    if (!c->rx.missing || skip >= len) {
        return false;
    }
    res->found = late_walk(c, from + skip, len - skip);
    return true;
}

/*
 * Find the question that was asked about @tcp_seq. *@n is set to the number of
 * headers from the candidate to that header. The host answers hundreds of
 * records later, usually one of the first questions.
 */
static bool resync_asked(VkdevTlsRx *rx, uint32_t tcp_seq, uint64_t *n)
{
    for (uint32_t question = 0; question < rx->asked; question++) {
        if (question == VKDEV_TLS_RX_LOG && rx->asked > 2 * VKDEV_TLS_RX_LOG) {
            question = rx->asked - VKDEV_TLS_RX_LOG;
        }
        if (*asked_place(rx, question) == tcp_seq) {
            *n = asked_number(question);
            return true;
        }
    }
    return false;
}

unsigned vkdev_tls_rx_resync(VkdevTlsCtx *c, uint32_t tcp_seq,
                             uint64_t rec_no)
{
    VkdevTlsCursor *at = &c->s.at;
    uint64_t n;

    if (c->rx.mode == VKDEV_TLS_RX_SYNC) {
        return VKTLS_ST_STATE;
    }
    if (c->rx.mode == VKDEV_TLS_RX_TRACK && resync_asked(&c->rx, tcp_seq, &n)) {
        if (rec_no > UINT64_MAX - (at->rec_no - n)) {
            return VKTLS_ST_PARAM;
        }
        resync_end(c, at->rec_no + (rec_no - n));
    } else if ((int32_t)(tcp_seq - c->tcp_seq) >= 0) {
        vkdev_tls_stream_move(c, tcp_seq, rec_no);
        resync_end(c, rec_no);
    } else {
        return VKTLS_ST_TLS_SEQ;
    }
    return VKTLS_ST_OK;
}
