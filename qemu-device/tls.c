// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The TLS engine: keys, nonces and place in the stream of each context. A
 * record number starts AEAD at most once in a context's life, so that no
 * (key, nonce) pair ever sees two plaintexts, whatever the host does. It knows
 * neither packets' headers nor queues.
 */
#include <stdlib.h>
#include <string.h>

#include "aead.h"
#include "record.h"
#include "tls.h"
#include "../drivers/net/ethernet/vktls/vktls_abi.h"

#define SALT_LEN 4
#define AAD_MAX 13

typedef struct Suite {
    uint8_t version;
    uint8_t cipher;
    VkdevAeadAlg alg;
    VkdevRecordShape shape;
} Suite;

#define SHAPE_TLS12_GCM \
    { VKDEV_RECORD_NONCE_LEN, 20, 24, 0, VKDEV_RECORD_DATA_MAX }

static const Suite suites[] = {
    { VKTLS_VERSION_TLS12, VKTLS_CIPHER_AES_128_GCM,
      VKDEV_AEAD_AES_128_GCM, SHAPE_TLS12_GCM },
    { VKTLS_VERSION_TLS12, VKTLS_CIPHER_AES_256_GCM,
      VKDEV_AEAD_AES_256_GCM, SHAPE_TLS12_GCM },
};

#define SUITES (sizeof(suites) / sizeof(suites[0]))

/* Place in the stream, at byte precision; copied to look ahead. */
typedef struct Cursor {
    VkdevRecord rec;
    uint64_t rec_no;
    bool used_up; /* the last record number was completed */
} Cursor;

struct VkdevTlsCtx {
    const Suite *suite;
    VkdevAeadKey *key;
    uint8_t iv[VKDEV_AEAD_NONCE_LEN];
    uint64_t nonce_base; /* explicit nonce - record number, constant */
    bool lost;
    uint32_t tcp_seq;    /* of the byte at the cursor */
    Cursor at;
    uint64_t floor;      /* lowest record number that was never started */
    bool floor_wrapped;  /* there is no such number */
    VkdevAeadState aead; /* of the record in progress */
    uint8_t tag[VKDEV_AEAD_TAG_LEN];
};

static uint64_t get_be64(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

static void put_be64(uint8_t *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8) {
        p[i] = v;
    }
}

uint32_t vkdev_tls_ciphers(void)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < SUITES; i++) {
        bits |= 1u << suites[i].cipher;
    }
    return bits;
}

uint32_t vkdev_tls_versions(void)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < SUITES; i++) {
        bits |= 1u << suites[i].version;
    }
    return bits;
}

static const Suite *suite_find(const VkdevTlsParams *p)
{
    if (p->direction != VKTLS_DIR_TX) {
        return NULL;
    }
    for (size_t i = 0; i < SUITES; i++) {
        if (suites[i].version == p->version && suites[i].cipher == p->cipher) {
            return &suites[i];
        }
    }
    return NULL;
}

static bool key_tail_zero(const VkdevTlsParams *p, VkdevAeadAlg alg)
{
    uint8_t any = 0;

    for (size_t i = vkdev_aead_key_len(alg); i < sizeof(p->key); i++) {
        any |= p->key[i];
    }
    return !any;
}

unsigned vkdev_tls_add(const VkdevTlsParams *p, VkdevTlsCtx **ctx)
{
    const Suite *suite = suite_find(p);
    VkdevTlsCtx *c;

    if (!suite) {
        return VKTLS_ST_UNSUPPORTED;
    }
    if (!key_tail_zero(p, suite->alg)) {
        return VKTLS_ST_RESERVED;
    }
    c = calloc(1, sizeof(*c));
    if (!c) {
        return VKTLS_ST_TLS_CRYPTO;
    }
    c->key = vkdev_aead_key_alloc(suite->alg, p->key);
    if (!c->key) {
        free(c);
        return VKTLS_ST_TLS_CRYPTO;
    }
    c->suite = suite;
    memcpy(c->iv, p->iv, sizeof(c->iv));
    c->nonce_base = get_be64(p->iv + SALT_LEN) - p->rec_no;
    c->tcp_seq = p->tcp_seq;
    c->at.rec_no = p->rec_no;
    c->floor = p->rec_no;
    *ctx = c;
    return VKTLS_ST_OK;
}

void vkdev_tls_del(VkdevTlsCtx *c)
{
    if (c) {
        vkdev_aead_key_free(c->key);
        vkdev_aead_wipe(c, sizeof(*c));
        free(c);
    }
}

/* One step of the walk, with the checks that need the record number. */
static unsigned cursor_step(const VkdevTlsCtx *c, Cursor *at,
                            const uint8_t *p, size_t len,
                            VkdevRecordPiece *piece)
{
    unsigned st;

    if (at->used_up) {
        return VKTLS_ST_TLS_WRAP;
    }
    st = vkdev_record_step(&at->rec, &c->suite->shape, p, len, piece);
    if (st != VKTLS_ST_OK) {
        return st;
    }
    if (piece->part == VKDEV_RECORD_NONCE && piece->part_ends &&
        get_be64(at->rec.head + VKDEV_RECORD_HEADER_LEN) !=
        at->rec_no + c->nonce_base) {
        return VKTLS_ST_TLS_NONCE;
    }
    if (piece->part == VKDEV_RECORD_TAG && piece->part_ends) {
        at->rec_no++;
        at->used_up = !at->rec_no;
    }
    return VKTLS_ST_OK;
}

static unsigned tx_check(const VkdevTlsCtx *c, const uint8_t *p, size_t len)
{
    VkdevRecordPiece piece;
    Cursor at = c->at;
    unsigned st;

    for (; len; p += piece.len, len -= piece.len) {
        st = cursor_step(c, &at, p, len, &piece);
        if (st != VKTLS_ST_OK) {
            return st;
        }
    }
    return VKTLS_ST_OK;
}

/* TLS 1.2: record number and header with the length of the plaintext. */
static size_t record_aad(const VkdevTlsCtx *c, uint8_t *aad)
{
    uint32_t len = vkdev_record_payload_len(&c->at.rec, &c->suite->shape);

    put_be64(aad, c->at.rec_no);
    memcpy(aad + 8, c->at.rec.head, 3);
    aad[11] = len >> 8;
    aad[12] = len;
    return 13;
}

static void record_start(VkdevTlsCtx *c)
{
    uint8_t nonce[VKDEV_AEAD_NONCE_LEN];
    uint8_t aad[AAD_MAX];
    size_t aad_len = record_aad(c, aad);

    memcpy(nonce, c->iv, SALT_LEN);
    memcpy(nonce + SALT_LEN, c->at.rec.head + VKDEV_RECORD_HEADER_LEN,
           VKDEV_RECORD_NONCE_LEN);
    c->floor = c->at.rec_no + 1;
    c->floor_wrapped = !c->floor;
    vkdev_aead_start(c->key, &c->aead, nonce, aad, aad_len);
    vkdev_aead_wipe(nonce, sizeof(nonce)); /* the salt is in it */
}

static void tx_piece(VkdevTlsCtx *c, const VkdevRecordPiece *piece, uint8_t *p)
{
    if (piece->head_ends) {
        record_start(c);
    }
    if (piece->part == VKDEV_RECORD_PAYLOAD) {
        vkdev_aead_encrypt(c->key, &c->aead, p, p, piece->len);
    } else if (piece->part == VKDEV_RECORD_TAG) {
        if (!piece->offset) {
            vkdev_aead_finish(c->key, &c->aead, c->tag);
        }
        memcpy(p, c->tag + piece->offset, piece->len);
    }
}

/* The second pass, over bytes that tx_check() has accepted. */
static void tx_encrypt(VkdevTlsCtx *c, uint8_t *p, size_t len,
                       VkdevTlsCount *count)
{
    VkdevRecordPiece piece;

    c->tcp_seq += len;
    count->packets = 1;
    count->bytes = len;
    for (; len; p += piece.len, len -= piece.len) {
        cursor_step(c, &c->at, p, len, &piece);
        tx_piece(c, &piece, p);
        count->records += piece.part == VKDEV_RECORD_TAG && piece.part_ends;
    }
}

static void count_drop(unsigned st, VkdevTlsCount *count)
{
    switch (st) {
    case VKTLS_ST_TLS_SEQ:
        count->drop_seq = 1;
        break;
    case VKTLS_ST_TLS_HEADER:
        count->drop_header = 1;
        break;
    case VKTLS_ST_TLS_NONCE:
    case VKTLS_ST_TLS_WRAP:
        count->drop_nonce = 1;
        break;
    default:
        count->drop_other = 1;
    }
}

unsigned vkdev_tls_tx(VkdevTlsCtx *c, uint32_t tcp_seq, uint8_t *buf,
                      size_t len, VkdevTlsCount *count)
{
    unsigned st;

    *count = (VkdevTlsCount) { 0 };
    if (c->lost) {
        st = VKTLS_ST_TLS_LOST;
    } else if (tcp_seq != c->tcp_seq) {
        st = VKTLS_ST_TLS_SEQ;
    } else {
        st = tx_check(c, buf, len);
        c->lost = count->lost = st != VKTLS_ST_OK;
    }
    if (st == VKTLS_ST_OK) {
        tx_encrypt(c, buf, len, count);
    } else {
        count_drop(st, count);
    }
    return st;
}

unsigned vkdev_tls_resync(VkdevTlsCtx *c, uint32_t tcp_seq, uint64_t rec_no)
{
    if (c->floor_wrapped) {
        return VKTLS_ST_TLS_WRAP;
    }
    if (rec_no < c->floor) {
        return VKTLS_ST_TLS_REUSE;
    }
    vkdev_aead_wipe(&c->aead, sizeof(c->aead));
    c->at = (Cursor) { .rec_no = rec_no };
    c->tcp_seq = tcp_seq;
    c->lost = false;
    return VKTLS_ST_OK;
}

void vkdev_tls_query(const VkdevTlsCtx *c, VkdevTlsState *state)
{
    *state = (VkdevTlsState) {
        .state = c->lost ? VKTLS_TLS_LOST : VKTLS_TLS_IN_SYNC,
        .tcp_seq = c->tcp_seq,
        .rec_no = c->at.rec_no,
        .rec_pos = c->at.rec.pos,
    };
}
