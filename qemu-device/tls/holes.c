// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Received records with holes. The tag of a record depends on a sum over the
 * blocks of its ciphertext (see aead.h), and such sums can be added: missing
 * bytes are summed as zeros first. When missing bytes arrive, a message that
 * has them and zeros elsewhere is summed and added, and a message of zeros
 * alone is subtracted. So no ciphertext need be stored.
 */
#include <string.h>

#include "priv.h"
#include "vktls_abi.h"

/*
 * Advance the AEAD with @key over @n zero bytes. The output is key stream, so
 * it is wiped.
 */
void vkdev_tls_hole_pass(const VkdevAeadKey *key, VkdevAeadState *aead,
                         uint32_t n)
{
    static const uint8_t zeros[2048];
    uint8_t junk[sizeof(zeros)];
    uint32_t part;

    for (; n; n -= part) {
        part = n < sizeof(zeros) ? n : sizeof(zeros);
        vkdev_aead_decrypt(key, aead, junk, zeros, part);
    }
    vkdev_aead_wipe(junk, sizeof(junk));
}

/* Return the entry of the record at the cursor, NULL if it is not held. */
VkdevTlsHeld *vkdev_tls_hole_here(const VkdevTlsCtx *c)
{
    return vkdev_tls_held_find(c, c->tcp_seq - c->s.at.rec.pos);
}

static bool hole_add(VkdevTlsHeld *h, uint32_t from, uint32_t to)
{
    if (h->holes == VKDEV_TLS_HOLES) {
        return false;
    }
    h->hole[h->holes++] = (VkdevTlsHole) { from, to };
    return true;
}

static void hole_remove(VkdevTlsHeld *h, VkdevTlsHole *hole)
{
    *hole = h->hole[--h->holes];
}

/*
 * Record a hole: the next @n bytes of the record at the cursor are missing.
 * False if no entry is free, or the library cannot sum in parts.
 */
bool vkdev_tls_hole_open(VkdevTlsCtx *c, uint32_t n)
{
    const VkdevRecord *rec = &c->s.at.rec;
    uint32_t tag = rec->len - VKDEV_RECORD_TAG_LEN;
    VkdevTlsHeld *h;

    if (vkdev_tls_forgets(c) || !vkdev_aead_sums(c->suite->alg)) {
        return false;
    }
    if (c->rx.held) {
        h = vkdev_tls_hole_here(c);
        return h && hole_add(h, rec->pos, rec->pos + n);
    }
    if (rec->pos > tag) {
        return false; /* the AEAD is finished already */
    }
    h = vkdev_tls_held_new(c, c->tcp_seq - rec->pos);
    h->rec_no = c->s.at.rec_no;
    memcpy(h->head, rec->head, sizeof(h->head));
    return hole_add(h, rec->pos, rec->pos + n);
}

/* Start the AEAD of a held record with its stored header and number. */
static void hole_start(const VkdevTlsCtx *c, const VkdevTlsHeld *h,
                       VkdevTlsStream *s)
{
    s->at.rec_no = h->rec_no;
    memcpy(s->at.rec.head, h->head, sizeof(h->head));
    vkdev_tls_record_start(c, vkdev_tls_held_key(c, h), s);
}

static const VkdevAeadKey *hole_key(const VkdevTlsCtx *c, const VkdevTlsHeld *h)
{
    return vkdev_tls_key_of(c, vkdev_tls_held_key(c, h));
}

/* Finish @aead, and add its sum to the record's sum or subtract it. */
static void hole_sum(const VkdevTlsCtx *c, VkdevTlsHeld *h,
                     VkdevAeadState *aead, bool minus)
{
    VkdevAeadSum sum;

    vkdev_aead_sum(hole_key(c, h), aead, &sum);
    vkdev_aead_sum_add(hole_key(c, h), &h->sum, &sum, minus);
    vkdev_aead_wipe(&sum, sizeof(sum));
}

/* Store a piece of the tag. @from is NULL if the piece is missing. */
void vkdev_tls_hole_tag(VkdevTlsCtx *c, const VkdevRecordPiece *piece,
                        const uint8_t *from)
{
    VkdevTlsHeld *h = vkdev_tls_held_find(c, c->tcp_seq);

    if (!piece->offset) {
        hole_sum(c, h, &c->s.aead, false);
    }
    if (from) {
        memcpy(h->tag + piece->offset, from, piece->len);
    }
}

/*
 * Check the tag if the record is complete, and free its entry. False: wrong
 * tag. True: right tag, or not complete.
 */
static bool hole_verdict(const VkdevTlsCtx *c, VkdevTlsHeld *h, bool *complete)
{
    VkdevTlsStream s = { 0 };
    uint8_t tag[VKDEV_AEAD_TAG_LEN];
    bool wrong;

    *complete = h->passed && !h->holes;
    if (!*complete) {
        return true;
    }
    hole_start(c, h, &s);
    vkdev_aead_sum_tag(hole_key(c, h), &s.aead, &h->sum, tag);
    wrong = vkdev_aead_tag_differs(tag, h->tag);
    vkdev_aead_wipe(tag, sizeof(tag));
    vkdev_aead_wipe(h, sizeof(*h));
    return !wrong;
}

/* The cursor has passed the record. False: it is complete with a wrong tag. */
bool vkdev_tls_hole_end(const VkdevTlsCtx *c, VkdevTlsHeld *h, bool *complete)
{
    h->passed = true;
    return hole_verdict(c, h, complete);
}

/* Free the entry of the record at the cursor. */
void vkdev_tls_hole_drop(const VkdevTlsCtx *c)
{
    VkdevTlsHeld *h = vkdev_tls_hole_here(c);

    if (h) {
        vkdev_aead_wipe(h, sizeof(*h));
    }
}

static VkdevTlsHole *hole_around(VkdevTlsHeld *h, uint32_t from, uint32_t to)
{
    for (int i = 0; i < h->holes; i++) {
        if (h->hole[i].from <= from && to <= h->hole[i].to) {
            return &h->hole[i];
        }
    }
    return NULL;
}

/*
 * Remove bytes @from to @to - 1 of the record from @hole: it shrinks, vanishes
 * or splits.
 */
static void hole_cut(VkdevTlsHeld *h, VkdevTlsHole *hole, uint32_t from,
                     uint32_t to)
{
    VkdevTlsHole was = *hole;

    hole_remove(h, hole);
    if (was.from < from) {
        hole_add(h, was.from, from);
    }
    if (to < was.to) {
        hole_add(h, to, was.to);
    }
}

/*
 * True if all @len bytes are inside one hole, and filling them needs no hole
 * more than VKDEV_TLS_HOLES.
 */
bool vkdev_tls_hole_fits(const VkdevTlsHeld *h, uint32_t tcp_seq, size_t len)
{
    uint32_t from = tcp_seq - h->tcp_seq, to = from + len;
    const VkdevTlsHole *hole = hole_around((VkdevTlsHeld *)h, from, to);

    return hole && (h->holes < VKDEV_TLS_HOLES || hole->from == from ||
                    hole->to == to);
}

/*
 * Decrypt @n bytes at offset @pos of the payload, and add them to the record's
 * sum.
 */
static void hole_decrypt(const VkdevTlsCtx *c, VkdevTlsHeld *h, uint32_t pos,
                         const uint8_t *from, uint8_t *to, uint32_t n)
{
    VkdevTlsStream s = { 0 };
    uint32_t all;

    for (int zero = 0; zero < 2; zero++) {
        hole_start(c, h, &s);
        all = vkdev_record_payload_len(&s.at.rec, &c->suite->shape);
        vkdev_tls_hole_pass(hole_key(c, h), &s.aead, pos);
        if (zero) {
            vkdev_tls_hole_pass(hole_key(c, h), &s.aead, n);
        } else {
            vkdev_aead_decrypt(hole_key(c, h), &s.aead, to, from, n);
        }
        vkdev_tls_hole_pass(hole_key(c, h), &s.aead, all - pos - n);
        hole_sum(c, h, &s.aead, zero);
    }
}

/*
 * Decrypt bytes that fill a hole, after vkdev_tls_hole_fits(). False: the
 * record is now complete, with a wrong tag.
 */
bool vkdev_tls_hole_fill(const VkdevTlsCtx *c, VkdevTlsHeld *h,
                         uint32_t tcp_seq, const uint8_t *from, uint8_t *to,
                         size_t len, bool *complete)
{
    uint32_t head = VKDEV_RECORD_HEADER_LEN + c->suite->shape.nonce_len;
    uint32_t tag = vkdev_record_full_len(h->head) - VKDEV_RECORD_TAG_LEN;
    uint32_t pos = tcp_seq - h->tcp_seq, end = pos + len, text = 0;

    if (pos < tag) {
        text = (end < tag ? end : tag) - pos;
        hole_decrypt(c, h, pos - head, from, to, text);
    }
    if (end > tag) {
        memcpy(to + text, from + text, len - text);
        memcpy(h->tag + (pos + text - tag), from + text, len - text);
    }
    hole_cut(h, hole_around(h, pos, end), pos, end);
    return hole_verdict(c, h, complete);
}
