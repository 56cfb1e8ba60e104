// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walks through a byte stream of TLS records that may be cut at any byte.
 * Every step consumes at least one byte, so a walk ends. This file uses no key,
 * no nonce value and no TCP sequence number.
 */
#include <string.h>

#include "record.h"
#include "vktls_abi.h"

static uint32_t field_len(const uint8_t *header)
{
    return (uint32_t)header[3] << 8 | header[4];
}

uint32_t vkdev_record_full_len(const uint8_t *header)
{
    return VKDEV_RECORD_HEADER_LEN + field_len(header);
}

bool vkdev_record_header_ok(const VkdevRecordShape *shape,
                            const uint8_t *header)
{
    uint32_t extra = shape->nonce_len + VKDEV_RECORD_TAG_LEN;
    uint32_t len = field_len(header);

    return header[0] >= shape->type_min && header[0] <= shape->type_max &&
           header[1] == 3 && header[2] == 3 &&
           len >= shape->payload_min + extra &&
           len <= shape->payload_max + extra;
}

/*
 * Return the part of the record at the current position. The part begins at
 * offset *@from, and *@to is the offset after its end.
 */
static VkdevRecordPart part_at(const VkdevRecord *r,
                               const VkdevRecordShape *shape,
                               uint32_t *from, uint32_t *to)
{
    uint32_t head = VKDEV_RECORD_HEADER_LEN + shape->nonce_len;
    uint32_t tag = r->len - VKDEV_RECORD_TAG_LEN;

    if (r->pos < VKDEV_RECORD_HEADER_LEN) {
        *from = 0;
        *to = VKDEV_RECORD_HEADER_LEN;
        return VKDEV_RECORD_HEADER;
    }
    if (r->pos < head) {
        *from = VKDEV_RECORD_HEADER_LEN;
        *to = head;
        return VKDEV_RECORD_NONCE;
    }
    *from = r->pos < tag ? head : tag;
    *to = r->pos < tag ? tag : r->len;
    return r->pos < tag ? VKDEV_RECORD_PAYLOAD : VKDEV_RECORD_TAG;
}

uint32_t vkdev_record_head_left(const VkdevRecord *r,
                                const VkdevRecordShape *shape)
{
    uint32_t from, to;

    return part_at(r, shape, &from, &to) <= VKDEV_RECORD_NONCE ?
           to - r->pos : 0;
}

static void record_end(VkdevRecord *r)
{
    if (r->pos == r->len) {
        r->pos = 0;
        r->len = 0;
    }
}

/*
 * Copy bytes of the header or nonce. The two usual lengths are constants here,
 * because compilers copy a constant length faster.
 */
static void head_copy(uint8_t *to, const uint8_t *p, uint32_t len)
{
    if (len == VKDEV_RECORD_NONCE_LEN) {
        memcpy(to, p, VKDEV_RECORD_NONCE_LEN);
    } else if (len == VKDEV_RECORD_HEADER_LEN) {
        memcpy(to, p, VKDEV_RECORD_HEADER_LEN);
    } else {
        memcpy(to, p, len);
    }
}

unsigned vkdev_record_step(VkdevRecord *r, const VkdevRecordShape *shape,
                           const uint8_t *p, size_t len,
                           VkdevRecordPiece *piece)
{
    uint32_t head = VKDEV_RECORD_HEADER_LEN + shape->nonce_len;
    uint32_t from, to;

    piece->part = part_at(r, shape, &from, &to);
    piece->offset = r->pos - from;
    piece->len = to - r->pos < len ? to - r->pos : len;
    if (r->pos < head) {
        head_copy(r->head + r->pos, p, piece->len);
    }
    r->pos += piece->len;
    piece->part_ends = r->pos == to;
    piece->head_ends = r->pos == head;
    if (piece->part == VKDEV_RECORD_HEADER && piece->part_ends) {
        if (!vkdev_record_header_ok(shape, r->head)) {
            return VKTLS_ST_TLS_HEADER;
        }
        r->len = vkdev_record_full_len(r->head);
    }
    record_end(r);
    return VKTLS_ST_OK;
}

bool vkdev_record_skip(VkdevRecord *r, uint32_t n)
{
    if (r->pos < VKDEV_RECORD_HEADER_LEN || n > r->len - r->pos) {
        return false;
    }
    r->pos += n;
    record_end(r);
    return true;
}

uint32_t vkdev_record_payload_len(const VkdevRecord *r,
                                  const VkdevRecordShape *shape)
{
    return field_len(r->head) - shape->nonce_len - VKDEV_RECORD_TAG_LEN;
}
