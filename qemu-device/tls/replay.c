// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Replay: encrypt whole records again that were sent before, each with its own
 * key. The context's position in the stream does not change. A replay is sent
 * only if the tags are the same as before, which proves that the plaintext is
 * the same, too.
 */
#include "priv.h"
#include "vktls_abi.h"

/* What is left of a replay, or the part of it under one key. */
typedef struct Replay {
    const VkdevTlsKey *key; /* of the first byte */
    uint32_t tcp_seq;
    uint64_t rec_no;
    uint8_t *p;
    size_t len;
} Replay;

/* Take the part under one key off the beginning of @r. */
static Replay replay_part(const VkdevTlsCtx *c, Replay *r)
{
    Replay part = *r;

    part.key = vkdev_tls_tx_key_at(c, r->tcp_seq, &part.len);
    r->tcp_seq += part.len;
    r->rec_no = 0;
    r->p += part.len;
    r->len -= part.len;
    return part;
}

/*
 * Check that the bytes of one part are whole records, and that all of them were
 * sent before.
 */
static unsigned part_check(const VkdevTlsCtx *c, const Replay *r)
{
    const struct iovec from = { r->p, r->len };
    VkdevTlsCursor at = { .rec_no = r->rec_no };
    VkdevTlsSource src = { &from, 0 };
    unsigned st = vkdev_tls_tx_check(c, &at, src, r->p, r->len);

    if (st == VKTLS_ST_TLS_WRAP) {
        return VKTLS_ST_TLS_REUSE; /* beyond the last record number */
    }
    if (st == VKTLS_ST_OK && (!r->len || at.rec.pos)) {
        return VKTLS_ST_TLS_HEADER;
    }
    for (uint64_t n = r->rec_no; st == VKTLS_ST_OK && n != at.rec_no; n++) {
        if (!vkdev_tls_sent_find(c, r->key, n)) {
            st = VKTLS_ST_TLS_REUSE;
        }
    }
    return st;
}

static unsigned replay_check(const VkdevTlsCtx *c, Replay r)
{
    unsigned st;

    do {
        Replay part = replay_part(c, &r);

        st = part_check(c, &part);
    } while (st == VKTLS_ST_OK && r.len);
    return st;
}

/*
 * Encrypt one part in place, with a state apart from the context's. False if a
 * tag differs from the one sent before.
 */
static bool part_encrypt(const VkdevTlsCtx *c, const Replay *r)
{
    const struct iovec from = { r->p, r->len };
    VkdevTlsSource src = { &from, 0 };
    VkdevTlsStream s = { .at.rec_no = r->rec_no };
    VkdevRecordPiece piece;
    size_t len = r->len;
    uint8_t *p = r->p;
    bool same = true;

    for (; len && same; p += piece.len, len -= piece.len) {
        vkdev_tls_tx_step(c, &s.at, p, len, &piece);
        vkdev_tls_tx_piece(c, r->key, &s, &piece, &src, p);
        if (piece.part == VKDEV_RECORD_TAG) {
            same = !vkdev_aead_tag_differs(
                s.tag, vkdev_tls_sent_find(c, r->key, s.at.rec_no - 1));
        }
    }
    vkdev_aead_wipe(&s, sizeof(s));
    return same;
}

static bool replay_encrypt(const VkdevTlsCtx *c, Replay r)
{
    while (r.len) {
        Replay part = replay_part(c, &r);

        if (!part_encrypt(c, &part)) {
            return false;
        }
        vkdev_tls_cache_put(c, part.key, part.rec_no, part.p, part.len);
    }
    return true;
}

unsigned vkdev_tls_replay(VkdevTlsCtx *c, uint32_t tcp_seq, uint64_t rec_no,
                          uint8_t *buf, size_t len, VkdevTlsCount *count)
{
    Replay r = { NULL, tcp_seq, rec_no, buf, len };
    unsigned st = VKTLS_ST_NOENT;

    *count = (VkdevTlsCount) { 0 };
    if (c->direction == VKTLS_DIR_TX) {
        st = replay_check(c, r);
    }
    if (st == VKTLS_ST_OK && !replay_encrypt(c, r)) {
        vkdev_aead_wipe(buf, len);
        st = VKTLS_ST_TLS_REUSE;
    }
    if (st == VKTLS_ST_OK) {
        count->replays = 1;
    } else {
        vkdev_tls_tx_count_drop(st, count);
    }
    return st;
}
