// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A lost header that arrives late. A walk begins at this header, goes over the
 * packet's bytes and over KeyUpdates among them, and ends at a header that was
 * tracked in the meantime (resync.c): then position, record number and key are
 * known.
 */
#include <string.h>

#include "priv.h"
#include "vktls_abi.h"

/*
 * Return true if the walk has reached a tracked header; the context is then in
 * sync.
 */
static bool late_meets(VkdevTlsCtx *c)
{
    VkdevTlsRx *rx = &c->rx;

    return !rx->missed.rec.pos && !rx->missed.used_up &&
           vkdev_tls_rx_resync(c, rx->missed_seq, rx->missed.rec_no,
                               c->keys ? c->keys->number : 0) == VKTLS_ST_OK;
}

/*
 * Decrypt the whole record at @missed; its bytes are at @p. Return true if its
 * tag is right; @scan then describes its plaintext.
 */
static bool late_open(const VkdevTlsCtx *c, const uint8_t *p,
                      VkdevTlsScan *scan)
{
    uint32_t len = vkdev_record_full_len(p) - VKDEV_RECORD_HEADER_LEN -
                   VKDEV_RECORD_TAG_LEN;
    const VkdevAeadKey *key = vkdev_tls_key_of(c, &c->use);
    uint8_t text[VKDEV_TLS_UPDATE_MAX], tag[VKDEV_AEAD_TAG_LEN];
    VkdevTlsStream s = { .at.rec_no = c->rx.missed.rec_no };

    memcpy(s.at.rec.head, p, VKDEV_RECORD_HEADER_LEN);
    p += VKDEV_RECORD_HEADER_LEN;
    vkdev_tls_record_start(c, &c->use, &s);
    vkdev_aead_decrypt(key, &s.aead, text, p, len);
    vkdev_aead_finish(key, &s.aead, tag);
    vkdev_tls_scan(scan, text, len);
    vkdev_aead_wipe(text, sizeof(text));
    vkdev_aead_wipe(&s.aead, sizeof(s.aead));
    return !vkdev_aead_tag_differs(tag, p + len);
}

/*
 * The walk has reached a short record at @p, which may be a KeyUpdate. If it is
 * a KeyUpdate, put the next key in use, and set *@n to the length of the
 * record. Return false if it cannot be told, for instance because the record is
 * not complete in the packet; the walk then ends.
 */
static bool late_update(VkdevTlsCtx *c, const uint8_t *p, size_t len, size_t *n,
                        VkdevTlsRxResult *res)
{
    uint32_t record = vkdev_record_full_len(p);
    VkdevTlsScan scan = { 0 };

    if (record > len || !vkdev_tls_key_there(c, 0) ||
        !late_open(c, p, &scan)) {
        return false;
    }
    if (!vkdev_tls_scan_update(&scan)) {
        return scan.type != VKDEV_TYPE_HANDSHAKE;
    }
    vkdev_tls_trial_stop(c);
    vkdev_tls_rx_keys(c, 1, res);
    c->rx.missed = (VkdevTlsCursor) { 0 };
    c->rx.missed_seq += record;
    *n = record;
    return true;
}

/* True if @p is the header of a record that may be a KeyUpdate. */
static bool late_is_short(const VkdevTlsCtx *c, const uint8_t *p, size_t len)
{
    return c->keys && !c->rx.missed.rec.pos && len >= VKDEV_RECORD_HEADER_LEN &&
           vkdev_record_header_ok(&c->suite->shape, p) &&
           vkdev_record_full_len(p) <= VKDEV_TLS_UPDATE_MAX;
}

/*
 * Move @missed over the rest of its record, to the next header, unless the
 * record may be a KeyUpdate.
 */
static void late_jump(VkdevTlsCtx *c)
{
    VkdevTlsRx *rx = &c->rx;
    VkdevRecord *rec = &rx->missed.rec;
    uint32_t n = rec->len - rec->pos;

    if (c->keys && rec->len <= VKDEV_TLS_UPDATE_MAX) {
        return;
    }
    if (vkdev_record_skip(rec, n)) {
        rx->missed_seq += n;
        rx->missed.rec_no++;
        rx->missed.used_up = !rx->missed.rec_no;
    }
}

/*
 * Walk over the packet's bytes, from the lost header at @p. Return true if the
 * context is in sync.
 */
static bool late_walk(VkdevTlsCtx *c, const uint8_t *p, size_t len,
                      VkdevTlsRxResult *res)
{
    VkdevTlsRx *rx = &c->rx;
    VkdevRecordPiece piece;
    size_t n;

    for (; len; p += n, len -= n) {
        n = 0;
        if (late_is_short(c, p, len) && !late_update(c, p, len, &n, res)) {
            return false;
        }
        if (!n && vkdev_tls_step(c, &rx->missed, p, len, &piece) !=
            VKTLS_ST_OK) {
            rx->missing = false;
            return false;
        }
        if (!n) {
            n = piece.len;
            rx->missed_seq += n;
        }
        if (late_meets(c)) {
            return true;
        }
    }
    late_jump(c);
    rx->walked = true;
    rx->tries = 0;
    return late_meets(c);
}

/*
 * Return true if the packet contains the lost header; res->found then tells if
 * the context is in sync.
 */
bool vkdev_tls_resync_late(VkdevTlsCtx *c, uint32_t tcp_seq,
                           const uint8_t *from, size_t len,
                           VkdevTlsRxResult *res)
{
    uint32_t skip = c->rx.missed_seq - tcp_seq;

    if (!c->rx.missing || skip >= len) {
        return false;
    }
    res->found = late_walk(c, from + skip, len - skip, res);
    return true;
}
