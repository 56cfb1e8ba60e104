/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walker of a byte stream of TLS records. It says which part of which record
 * the next bytes are, and refuses a header that no peer may send. It keeps
 * the clear head of one record and nothing else: neither keys nor payload.
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

/* The order on the wire. NONCE is there in TLS 1.2 with GCM only. */
typedef enum VkdevRecordPart {
    VKDEV_RECORD_HEADER,
    VKDEV_RECORD_NONCE,
    VKDEV_RECORD_PAYLOAD,
    VKDEV_RECORD_TAG,
} VkdevRecordPart;

/* Constants of all records of one direction of one connection. */
typedef struct VkdevRecordShape {
    uint8_t nonce_len;    /* explicit nonce in each record: 8 or 0 */
    uint8_t type_min;     /* content types that the header may carry */
    uint8_t type_max;
    uint16_t payload_min; /* bytes between nonce and tag */
    uint16_t payload_max;
} VkdevRecordShape;

/* Position in the stream; all zero is the first byte of a record. */
typedef struct VkdevRecord {
    uint8_t head[VKDEV_RECORD_HEADER_LEN + VKDEV_RECORD_NONCE_LEN];
    uint32_t pos; /* bytes of the record walked so far */
    uint32_t len; /* length of the record; 0 until its header is complete */
} VkdevRecord;

typedef struct VkdevRecordPiece {
    VkdevRecordPart part;
    uint32_t offset; /* offset of the piece in its part */
    uint32_t len;    /* at least 1 */
    bool head_ends;  /* the piece completes header and nonce */
    bool part_ends;  /* the piece completes its part */
} VkdevRecordPiece;

/**
 * Walk over the bytes at @p up to the end of the present part, at most @len
 * (which is not 0), and describe them in @piece. After the last byte of a tag
 * @r stands at the next record.
 *
 * Returns VKTLS_ST_OK, or VKTLS_ST_TLS_HEADER for an impossible header; @r is
 * then of no further use.
 */
unsigned vkdev_record_step(VkdevRecord *r, const VkdevRecordShape *shape,
                           const uint8_t *p, size_t len,
                           VkdevRecordPiece *piece);

/**
 * Bytes that are left of the present part when that is header or nonce, which a
 * step reads; 0 when it is one that a step only passes over.
 */
uint32_t vkdev_record_head_left(const VkdevRecord *r,
                                const VkdevRecordShape *shape);

/**
 * Pass over @n bytes that nobody has seen. False, and no change, when they
 * reach beyond the present record or its length is not known.
 */
bool vkdev_record_skip(VkdevRecord *r, uint32_t n);

/** Payload bytes of the record at @r, behind its header. */
uint32_t vkdev_record_payload_len(const VkdevRecord *r,
                                  const VkdevRecordShape *shape);

/** Bytes of a whole record, by its valid @header (5 bytes). */
uint32_t vkdev_record_full_len(const uint8_t *header);

/** True when @header (5 bytes) is valid for a record of @shape. */
bool vkdev_record_header_ok(const VkdevRecordShape *shape,
                            const uint8_t *header);

#endif
