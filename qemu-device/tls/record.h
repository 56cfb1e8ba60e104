/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walk through a byte stream of TLS records. It tells to which part of which
 * record the next bytes belong, and refuses a record header that is invalid.
 * It stores the unencrypted header and nonce of the current record, neither
 * keys nor payload.
 */
#ifndef VKDEV_RECORD_H
#define VKDEV_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VKDEV_RECORD_HEADER_LEN 5
#define VKDEV_RECORD_NONCE_LEN 8
#define VKDEV_RECORD_TAG_LEN 16
#define VKDEV_RECORD_DATA_MAX 16384

/*
 * Parts of a record, in the order on the wire. Only TLS 1.2 with GCM has a
 * NONCE part.
 */
typedef enum VkdevRecordPart {
    VKDEV_RECORD_HEADER,
    VKDEV_RECORD_NONCE,
    VKDEV_RECORD_PAYLOAD,
    VKDEV_RECORD_TAG,
} VkdevRecordPart;

/* Constants of all records in one direction of a connection. */
typedef struct VkdevRecordShape {
    uint8_t nonce_len;    /* bytes of explicit nonce in a record: 8 or 0 */
    uint8_t type_min;     /* valid content types in the header: min to max */
    uint8_t type_max;
    uint16_t payload_min; /* bytes between nonce and tag */
    uint16_t payload_max;
} VkdevRecordShape;

/* Position in the stream. All zero: the first byte of a record. */
typedef struct VkdevRecord {
    uint8_t head[VKDEV_RECORD_HEADER_LEN + VKDEV_RECORD_NONCE_LEN];
    uint32_t pos; /* bytes of the record passed so far */
    uint32_t len; /* length of the record; 0 until its header is complete */
} VkdevRecord;

typedef struct VkdevRecordPiece {
    VkdevRecordPart part;
    uint32_t offset; /* offset of the piece in the part */
    uint32_t len;    /* at least 1 */
    bool head_ends;  /* the piece completes header and nonce */
    bool part_ends;  /* the piece completes its part */
} VkdevRecordPiece;

/**
 * Advance @r over the bytes at @p, to the end of the current part at most, and
 * describe these bytes in @piece. At most @len bytes are used; @len is not 0.
 * After the last byte of a tag @r is at the next record.
 *
 * Return: VKTLS_ST_OK, or VKTLS_ST_TLS_HEADER for an invalid header; @r must
 * not be used any more after that.
 */
unsigned vkdev_record_step(VkdevRecord *r, const VkdevRecordShape *shape,
                           const uint8_t *p, size_t len,
                           VkdevRecordPiece *piece);

/**
 * Return the bytes left in the current part if it is HEADER or NONCE; 0 if it
 * is PAYLOAD or TAG: vkdev_record_step() does not read those bytes.
 */
uint32_t vkdev_record_head_left(const VkdevRecord *r,
                                const VkdevRecordShape *shape);

/**
 * Advance @r over @n bytes without reading them. False, without a change, if
 * they reach beyond the current record, or if its length is not known yet.
 */
bool vkdev_record_skip(VkdevRecord *r, uint32_t n);

/**
 * Return the length of the payload of the record at @r; its header is known.
 */
uint32_t vkdev_record_payload_len(const VkdevRecord *r,
                                  const VkdevRecordShape *shape);

/** Return the length of a whole record with the valid @header (5 bytes). */
uint32_t vkdev_record_full_len(const uint8_t *header);

/** True if @header (5 bytes) is valid for a record of @shape. */
bool vkdev_record_header_ok(const VkdevRecordShape *shape,
                            const uint8_t *header);

#endif
