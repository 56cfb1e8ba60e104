// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Replay: encrypt whole records again that were sent before. The context's
 * position in the stream does not change. A replay is sent only if the tags
 * are the same as before, which proves that the plaintext is the same, too.
 */
#include "priv.h"
#include "vktls_abi.h"

/*
 * Check that the bytes are whole records from @rec_no on, and that all of them
 * were sent before.
 */
static unsigned replay_check(const VkdevTlsCtx *c, uint64_t rec_no,
                             uint8_t *buf, size_t len)
{
    const struct iovec from = { buf, len };
    VkdevTlsCursor at = { .rec_no = rec_no };
    VkdevTlsSource src = { &from, 0 };
    unsigned st = vkdev_tls_tx_check(c, &at, src, buf, len);

    if (st == VKTLS_ST_TLS_WRAP) {
        return VKTLS_ST_TLS_REUSE; /* beyond the last record number */
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

/*
 * Encrypt @len bytes in place, with a state apart from the context's. False if
 * a tag differs from the one sent before.
 */
static bool replay_encrypt(const VkdevTlsCtx *c, uint64_t rec_no,
                           uint8_t *p, size_t len)
{
    const struct iovec from = { p, len };
    VkdevTlsSource src = { &from, 0 };
    VkdevTlsStream s = { .at.rec_no = rec_no };
    VkdevRecordPiece piece;
    bool same = true;

    for (; len && same; p += piece.len, len -= piece.len) {
        vkdev_tls_tx_step(c, &s.at, p, len, &piece);
        vkdev_tls_tx_piece(c, &s, &piece, &src, p);
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
        vkdev_tls_cache_put(c, rec_no, buf, len);
        count->replays = 1;
    } else {
        vkdev_tls_tx_count_drop(st, count);
    }
    return st;
}
