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
#define UPDATE_LEN 27 /* bytes of a record that is a KeyUpdate, unpadded */

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
        vkdev_tls_held_forget(c, &c->use);
        if (c->keys) {
            vkdev_tls_held_forget(c, &c->keys->old);
        }
    }
    if (why == VKTLS_ST_TLS_GAP && rx->mode == VKDEV_TLS_RX_TRACK &&
        !rx->exact) {
        rx->walked &= rx->passed > 0; /* 0: the gap is before the candidate */
        rx->passed += c->s.at.rec_no + 1; /* + 1 for the lost record */
        rx->tries = 0;
    }
    res->resync_req = false;
    vkdev_tls_stream_move(c, c->tcp_seq, 0);
    c->lost = true;
    rx->mode = VKDEV_TLS_RX_SEARCH;
    rx->broken = rx->held = rx->exact = false;
    vkdev_tls_trial_stop(c);
    rx->window_len = 0;
    rx->headers = rx->asked = 0;
    rx->updates = 0;
}

/*
 * Store the position of the header at the cursor, which is lost, while the
 * number of its record is known.
 */
void vkdev_tls_resync_missing(VkdevTlsCtx *c)
{
    uint64_t base = c->rx.exact ? c->rx.missed.rec_no : 0;

    c->rx.missing = !vkdev_tls_forgets(c);
    c->rx.missed = c->s.at;
    c->rx.missed.rec_no += base;
    c->rx.missed_seq = c->tcp_seq;
    c->rx.passed = 0;
    c->rx.walked = false;
    c->rx.tries = 0;
}

/*
 * Follow records from the cursor, which is between two records, without
 * decrypting them for the host. If none of the records that passed was a
 * KeyUpdate, the next one has the number @rec_no; @updates of them may have
 * been. The tag of a record will tell.
 */
void vkdev_tls_resync_exact(VkdevTlsCtx *c, uint64_t rec_no, uint8_t updates)
{
    VkdevTlsRx *rx = &c->rx;

    vkdev_tls_stream_move(c, c->tcp_seq, 0);
    c->lost = true;
    vkdev_tls_trial_stop(c);
    rx->mode = VKDEV_TLS_RX_TRACK;
    rx->exact = true;
    rx->broken = rx->held = rx->missing = false;
    rx->missed = (VkdevTlsCursor) { .rec_no = rec_no };
    rx->headers = rx->asked = 0;
    rx->tries = 0;
    rx->updates = updates;
    rx->update_at = 0;
}

/*
 * A record of @len bytes was passed in mode TRACK; the cursor is behind it. It
 * may have been a KeyUpdate if it is as long as one.
 */
void vkdev_tls_resync_passed(VkdevTlsCtx *c, uint32_t len)
{
    VkdevTlsRx *rx = &c->rx;

    if (c->keys && len == UPDATE_LEN && rx->updates < UINT8_MAX) {
        rx->updates++;
        rx->update_at = c->s.at.rec_no;
    }
}

/*
 * A record of @len bytes ends at the cursor, of which the content type is not
 * known. If it may have been a KeyUpdate, let the next records tell.
 */
void vkdev_tls_resync_doubt(VkdevTlsCtx *c, uint32_t len, VkdevTlsRxResult *res)
{
    if (c->keys && len <= VKDEV_TLS_UPDATE_MAX) {
        vkdev_tls_resync_exact(c, c->s.at.rec_no, 1);
        res->lost = VKTLS_ST_TLS_KEY;
    }
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
 * distance, then the next ones. @turn counts the guesses.
 */
static uint64_t guess(const VkdevTlsCtx *c, uint32_t turn)
{
    const VkdevRecordShape *shape = &c->suite->shape;
    uint32_t most = VKDEV_RECORD_HEADER_LEN + shape->nonce_len +
                    shape->payload_max + VKDEV_RECORD_TAG_LEN;
    const VkdevTlsRx *rx = &c->rx;
    uint32_t distance = rx->candidate - rx->missed_seq + rx->missed.rec.pos;
    uint64_t least = (distance + most - 1) / most;
    uint64_t known = rx->passed + !(rx->passed && rx->walked);

    if (!distance) {
        return 0; /* the walk has led to the candidate */
    }
    if (least < known) {
        least = known;
    }
    if (!turn && distance % c->s.at.rec.len == 0 &&
        distance / c->s.at.rec.len >= least) {
        return distance / c->s.at.rec.len;
    }
    return least + turn % GUESSES;
}

/* Guess that no KeyUpdate has come: the number goes on from the lost header. */
static void try_same_key(VkdevTlsCtx *c, uint32_t turn)
{
    c->ahead = 0;
    c->rx.trial_no = c->rx.missed.rec_no + c->s.at.rec_no +
                     (c->rx.exact ? 0 : guess(c, turn));
}

/*
 * Guess that all records with the length of a KeyUpdate were one, the last of
 * them @update_at records after the candidate.
 */
static void try_updates(VkdevTlsCtx *c)
{
    c->ahead = c->rx.updates;
    c->rx.trial_no = c->s.at.rec_no - c->rx.update_at;
}

/* Guess that a KeyUpdate was lost, and few of the records after it. */
static void try_lost_update(VkdevTlsCtx *c, uint32_t turn)
{
    static const uint8_t lost[] = { 1, 0, 2, 3 };

    c->ahead = 1;
    c->rx.trial_no = c->s.at.rec_no + lost[turn % sizeof(lost)];
}

/* Choose a key and number for the tracked record, other ones at each try. */
static void trial_choose(VkdevTlsCtx *c)
{
    VkdevTlsRx *rx = &c->rx;
    uint32_t turn = c->keys ? rx->tries / 2 : rx->tries;
    bool odd = c->keys && rx->tries % 2;

    if (!odd && rx->updates) {
        try_updates(c);
    } else if (odd && !rx->exact && (!rx->updates || turn % 2)) {
        try_lost_update(c, turn);
    } else {
        try_same_key(c, turn);
    }
}

/*
 * Begin to decrypt a tracked record with a guessed number, at the end of its
 * header and nonce.
 */
static void trial_start(VkdevTlsCtx *c)
{
    uint64_t counted = c->s.at.rec_no;
    VkdevTlsRx *rx = &c->rx;

    if (!(rx->missing || rx->exact) || rx->tries >= TRIES_MAX) {
        return;
    }
    trial_choose(c);
    if (!vkdev_tls_key_there(c, c->ahead)) {
        c->ahead = 0;
        rx->tries++;
        return;
    }
    rx->trial = true;
    c->s.at.rec_no = rx->trial_no;
    vkdev_tls_record_start(c, vkdev_tls_key_now(c), &c->s);
    c->s.at.rec_no = counted;
    vkdev_tls_scan_start(c);
}

/*
 * Return to mode SYNC. If payload of the current record has passed already,
 * this record is not decrypted.
 */
static void resync_end(VkdevTlsCtx *c, uint64_t rec_no)
{
    uint32_t head = VKDEV_RECORD_HEADER_LEN + c->suite->shape.nonce_len;

    vkdev_aead_wipe(&c->s.aead, sizeof(c->s.aead));
    c->s.at.rec_no = rec_no;
    c->rx.broken = c->s.at.rec.pos >= head;
    c->rx.mode = VKDEV_TLS_RX_SYNC;
    c->rx.missing = c->rx.exact = false;
    c->rx.updates = 0;
    vkdev_tls_trial_stop(c);
    c->lost = false;
}

/*
 * Use the key that comes @steps keys after the present one; of the keys on the
 * way only the last may be missing. Count the changes in @res, if not NULL.
 */
void vkdev_tls_rx_keys(VkdevTlsCtx *c, uint32_t steps, VkdevTlsRxResult *res)
{
    for (uint32_t i = 0; i < steps; i++) {
        vkdev_tls_key_step(c, c->rx.floor);
        c->rx.floor = 0;
    }
    if (res && steps) {
        res->rekeys += steps;
        res->key_no = c->keys->number;
    }
}

/* The key that was missing when a KeyUpdate came is in use now. */
void vkdev_tls_rx_key_came(VkdevTlsCtx *c)
{
    VkdevTlsRx *rx = &c->rx;

    if (rx->mode == VKDEV_TLS_RX_TRACK && rx->exact && !rx->updates &&
        !c->s.at.rec_no && !c->s.at.rec.pos) {
        resync_end(c, rx->missed.rec_no);
    }
}

/*
 * The next key, after a KeyUpdate or a guess of one. If it is missing, records
 * are followed until it comes.
 */
static void key_next(VkdevTlsCtx *c, VkdevTlsRxResult *res)
{
    vkdev_tls_rx_keys(c, 1, res);
    c->s.at.rec_no = 0;
    c->s.at.used_up = false;
    if (c->keys->missing) {
        vkdev_tls_resync_exact(c, 0, 0);
        res->lost = VKTLS_ST_TLS_KEY;
    }
}

/*
 * A record that ends @n bytes after c->tcp_seq was proved by its tag; the
 * context is in sync. After a KeyUpdate go on with the next key. Another
 * handshake record may hide a KeyUpdate: try the current and the next key on
 * the records that follow.
 */
void vkdev_tls_rx_proved(VkdevTlsCtx *c, uint32_t n, VkdevTlsRxResult *res)
{
    uint32_t seq = c->tcp_seq;

    if (!c->keys) {
        return;
    }
    c->tcp_seq += n;
    if (vkdev_tls_scan_update(&c->scan)) {
        key_next(c, res);
    } else if (c->scan.type == VKDEV_TYPE_HANDSHAKE && !c->scan.unsure) {
        vkdev_tls_resync_exact(c, c->s.at.rec_no, 1);
        c->rx.tries = 1; /* most probably no KeyUpdate: same key first */
        res->lost = VKTLS_ST_TLS_KEY;
    }
    c->tcp_seq = seq;
}

/*
 * Decrypt a piece of a tracked record with the guessed number. True: the tag is
 * right, and the position known.
 */
static bool trial_piece(VkdevTlsCtx *c, const VkdevRecordPiece *piece,
                        const uint8_t *from, uint8_t *to,
                        VkdevTlsRxResult *res)
{
    uint64_t next = c->rx.trial_no + 1;
    uint32_t ahead = c->ahead;

    if (!vkdev_tls_rx_open(c, piece, from, to)) {
        vkdev_tls_trial_stop(c);
        c->rx.tries++;
        return false;
    }
    if (piece->part != VKDEV_RECORD_TAG || !piece->part_ends) {
        return false;
    }
    vkdev_tls_rx_keys(c, ahead, res);
    resync_end(c, next);
    c->s.at.used_up = !next;
    res->found = true;
    res->resync_req = false;
    vkdev_tls_rx_proved(c, piece->len, res);
    return true;
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
    uint32_t record = c->s.at.rec.len;
    VkdevRecordPiece piece;
    bool proved = false;

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
        proved = trial_piece(c, &piece, from, to, res);
    }
    if (piece.part == VKDEV_RECORD_TAG && piece.part_ends && !proved) {
        vkdev_tls_resync_passed(c, record);
    }
    return piece.len;
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

/*
 * The tracked header @n headers after the candidate is that of record @rec_no.
 * If no KeyUpdate can have come since, the context is in sync.
 */
static void resync_tracked(VkdevTlsCtx *c, uint64_t n, uint64_t rec_no)
{
    VkdevTlsRx *rx = &c->rx;

    if (!rx->updates || rx->update_at <= n) {
        resync_end(c, c->s.at.rec_no + (rec_no - n));
        return;
    }
    vkdev_tls_trial_stop(c);
    rx->exact = true;
    rx->missing = false;
    rx->missed.rec_no = rec_no - n;
    rx->tries = 0;
}

unsigned vkdev_tls_rx_resync(VkdevTlsCtx *c, uint32_t tcp_seq,
                             uint64_t rec_no, uint32_t key_no)
{
    uint32_t steps = key_no - (c->keys ? c->keys->number : 0);
    VkdevTlsCursor *at = &c->s.at;
    uint64_t n;

    if (c->rx.mode == VKDEV_TLS_RX_SYNC) {
        return VKTLS_ST_STATE;
    }
    if (!vkdev_tls_key_there(c, steps)) {
        return VKTLS_ST_TLS_KEY;
    }
    if (c->rx.mode == VKDEV_TLS_RX_TRACK && resync_asked(&c->rx, tcp_seq, &n)) {
        if (rec_no > UINT64_MAX - (at->rec_no - n)) {
            return VKTLS_ST_PARAM;
        }
        vkdev_tls_rx_keys(c, steps, NULL);
        resync_tracked(c, n, rec_no);
    } else if ((int32_t)(tcp_seq - c->tcp_seq) >= 0) {
        vkdev_tls_rx_keys(c, steps, NULL);
        vkdev_tls_stream_move(c, tcp_seq, rec_no);
        resync_end(c, rec_no);
    } else {
        return VKTLS_ST_TLS_SEQ;
    }
    return VKTLS_ST_OK;
}
