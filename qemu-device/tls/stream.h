/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A position in a stream of records, to the byte. */
#ifndef VKDEV_TLS_STREAM_H
#define VKDEV_TLS_STREAM_H

#include "aead.h"
#include "record.h"

typedef struct VkdevTlsSuite {
    uint8_t version; /* VKTLS_VERSION_* */
    uint8_t cipher;  /* VKTLS_CIPHER_* */
    VkdevAeadAlg alg;
    VkdevRecordShape shape;
} VkdevTlsSuite;

/* A position in the stream: record number and place in the record. */
typedef struct VkdevTlsCursor {
    VkdevRecord rec;
    uint64_t rec_no;
    bool used_up; /* the record with the last possible number has ended */
} VkdevTlsCursor;

typedef struct VkdevTlsStream {
    VkdevTlsCursor at;
    uint8_t tag[VKDEV_AEAD_TAG_LEN]; /* valid while the cursor is in the tag */
    VkdevAeadState aead; /* valid from the end of a record's head to its tag */
} VkdevTlsStream;

#endif
