// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Received records with holes, of AES-GCM. Its tag is a sum (XOR) over the
 * ciphertext's blocks, each times a constant that depends on its place. So what
 * is missing is taken for zero, and what comes late is added: the difference
 * between the tag of a message that is zero but for the late piece, and the one
 * of a message that is all zero. A record's ciphertext is never kept.
 */
#include <string.h>

#include "tls_priv.h"
#include "../drivers/net/ethernet/vktls/vktls_abi.h"

static void add_to(uint8_t *sum, const uint8_t *p, size_t len)
{
    while (len--) {
        *sum++ ^= *p++;
    }
}

/* Let the AEAD pass over @n bytes of zero; what comes of it is a key stream. */
void vkdev_tls_hole_pass(const VkdevTlsCtx *c, VkdevAeadState *aead, uint32_t n)
{
    static const uint8_t zeros[2048];
    uint8_t junk[sizeof(zeros)];
    uint32_t part;

    for (; n; n -= part) {
        part = n < sizeof(zeros) ? n : sizeof(zeros);
        vkdev_aead_decrypt(vkdev_tls_key(c), aead, junk, zeros, part);
    }
    vkdev_aead_wipe(junk, sizeof(junk));
}

/* What the engine holds of the record at the cursor. */
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
 * The next @n bytes of the record at the cursor are missing, and it goes on
 * behind them or ends. False when that cannot be remembered.
 */
bool vkdev_tls_hole_open(VkdevTlsCtx *c, uint32_t n)
{
    const VkdevRecord *rec = &c->s.at.rec;
    uint32_t tag = rec->len - VKDEV_RECORD_TAG_LEN;
    VkdevTlsHeld *h;

    if (vkdev_tls_forgets(c) ||
        c->suite->alg == VKDEV_AEAD_CHACHA20_POLY1305) {
        return false;
    }
    if (c->rx.held) {
        h = vkdev_tls_hole_here(c);
        return h && hole_add(h, rec->pos, rec->pos + n);
    }
    h = vkdev_tls_held_new(c, c->tcp_seq - rec->pos);
    h->rec_no = c->s.at.rec_no;
    memcpy(h->head, rec->head, sizeof(h->head));
    for (uint32_t i = rec->pos; i > tag && i < rec->len; i++) {
        h->diff[i - tag] = c->s.tag[i - tag]; /* the bytes before were right */
    }
    return hole_add(h, rec->pos, rec->pos + n);
}

/* Is all of the record there, and wrong? One that is complete is forgotten. */
static bool hole_verdict(VkdevTlsHeld *h, bool *complete)
{
    uint8_t any = 0;

    *complete = h->passed && !h->holes;
    if (!*complete) {
        return true;
    }
    for (size_t i = 0; i < sizeof(h->diff); i++) {
        any |= h->diff[i];
    }
    vkdev_aead_wipe(h, sizeof(*h));
    return !any;
}

/*
 * The cursor has passed the record's last byte. False: nothing is missing, and
 * the tag is wrong.
 */
bool vkdev_tls_hole_end(VkdevTlsHeld *h, bool *complete)
{
    h->passed = true;
    return hole_verdict(h, complete);
}

/* Nothing of the record at the cursor is wanted any more. */
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

/* What is left of @hole without the bytes from @from to @to. */
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

/* Are these bytes all missing, and is there room for what is left around? */
bool vkdev_tls_hole_fits(const VkdevTlsHeld *h, uint32_t tcp_seq, size_t len)
{
    uint32_t from = tcp_seq - h->tcp_seq, to = from + len;
    const VkdevTlsHole *hole = hole_around((VkdevTlsHeld *)h, from, to);

    return hole && (h->holes < VKDEV_TLS_HOLES || hole->from == from ||
                    hole->to == to);
}

/* Decrypt @n bytes at @pos of the payload, and add them to the tag. */
static void hole_decrypt(const VkdevTlsCtx *c, VkdevTlsHeld *h, uint32_t pos,
                         const uint8_t *from, uint8_t *to, uint32_t n)
{
    VkdevTlsStream s = { .at = { .rec_no = h->rec_no } };
    uint8_t tag[VKDEV_AEAD_TAG_LEN];
    uint32_t all;

    memcpy(s.at.rec.head, h->head, sizeof(s.at.rec.head));
    all = vkdev_record_payload_len(&s.at.rec, &c->suite->shape);
    for (int with = 0; with < 2; with++) {
        vkdev_tls_record_start(c, &s);
        vkdev_tls_hole_pass(c, &s.aead, pos);
        if (with) {
            vkdev_aead_decrypt(vkdev_tls_key(c), &s.aead, to, from, n);
        } else {
            vkdev_tls_hole_pass(c, &s.aead, n);
        }
        vkdev_tls_hole_pass(c, &s.aead, all - pos - n);
        vkdev_aead_finish(vkdev_tls_key(c), &s.aead, tag);
        add_to(h->diff, tag, sizeof(tag));
    }
    vkdev_aead_wipe(tag, sizeof(tag));
}

/*
 * Bytes that fit have come. False when that made the record complete and its
 * tag is wrong.
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
        add_to(h->diff + (pos + text - tag), from + text, len - text);
    }
    hole_cut(h, hole_around(h, pos, end), pos, end);
    return hole_verdict(h, complete);
}
