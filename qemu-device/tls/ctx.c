// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Contexts of the TLS engine, for both directions: keys, and the nonce and
 * additional data of each record. A context stores its key; the engine caches
 * it in expanded form. This file knows neither packet headers nor queues.
 */
#include <stddef.h>
#include <string.h>

#include "priv.h"
#include "vktls_abi.h"

#define AAD_MAX 13
#define LINE 64 /* bytes of a CPU's cache line */

#define SHAPE_TLS12_GCM \
    { VKDEV_RECORD_NONCE_LEN, 20, 24, 0, VKDEV_RECORD_DATA_MAX }
#define SHAPE_TLS12_CHACHA { 0, 20, 24, 0, VKDEV_RECORD_DATA_MAX }
#define SHAPE_TLS13 { 0, 23, 23, 1, VKDEV_RECORD_DATA_MAX + 1 }

static const VkdevTlsSuite suites[] = {
    { VKTLS_VERSION_TLS12, VKTLS_CIPHER_AES_128_GCM,
      VKDEV_AEAD_AES_128_GCM, SHAPE_TLS12_GCM },
    { VKTLS_VERSION_TLS12, VKTLS_CIPHER_AES_256_GCM,
      VKDEV_AEAD_AES_256_GCM, SHAPE_TLS12_GCM },
    { VKTLS_VERSION_TLS12, VKTLS_CIPHER_CHACHA20_POLY1305,
      VKDEV_AEAD_CHACHA20_POLY1305, SHAPE_TLS12_CHACHA },
    { VKTLS_VERSION_TLS13, VKTLS_CIPHER_AES_128_GCM,
      VKDEV_AEAD_AES_128_GCM, SHAPE_TLS13 },
    { VKTLS_VERSION_TLS13, VKTLS_CIPHER_AES_256_GCM,
      VKDEV_AEAD_AES_256_GCM, SHAPE_TLS13 },
    { VKTLS_VERSION_TLS13, VKTLS_CIPHER_CHACHA20_POLY1305,
      VKDEV_AEAD_CHACHA20_POLY1305, SHAPE_TLS13 },
};

#define SUITES (sizeof(suites) / sizeof(suites[0]))

/* Byte order helpers. In this form compilers make one instruction of each. */
static void put_be32(uint8_t *p, uint32_t v)
{
    p[0] = v >> 24;
    p[1] = v >> 16;
    p[2] = v >> 8;
    p[3] = v;
}

static void put_be64(uint8_t *p, uint64_t v)
{
    put_be32(p, v >> 32);
    put_be32(p + 4, v);
}

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* Return the value of an 8-byte explicit nonce. */
uint64_t vkdev_tls_explicit(const uint8_t *nonce)
{
    return (uint64_t)get_be32(nonce) << 32 | get_be32(nonce + 4);
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

static const VkdevTlsSuite *suite_find(const VkdevTlsParams *p)
{
    if (p->direction != VKTLS_DIR_TX && p->direction != VKTLS_DIR_RX) {
        return NULL;
    }
    for (size_t i = 0; i < SUITES; i++) {
        if (suites[i].version == p->version && suites[i].cipher == p->cipher) {
            return &suites[i];
        }
    }
    return NULL;
}

/* True if VKDEV_AEAD_KEY_MAX bytes at @key end in zeros after a short key. */
bool vkdev_tls_key_tail_zero(const uint8_t *key, VkdevAeadAlg alg)
{
    uint8_t any = 0;

    for (size_t i = vkdev_aead_key_len(alg); i < VKDEV_AEAD_KEY_MAX; i++) {
        any |= key[i];
    }
    return !any;
}

unsigned vkdev_tls_add(VkdevTlsEngine *engine, const VkdevTlsParams *p,
                       VkdevTlsCtx **ctx)
{
    const VkdevTlsSuite *suite = suite_find(p);
    VkdevTlsCtx *c;

    if (!suite) {
        return VKTLS_ST_UNSUPPORTED;
    }
    if (!vkdev_tls_key_tail_zero(p->key, suite->alg)) {
        return VKTLS_ST_RESERVED;
    }
    c = vkdev_aead_works() ? vkdev_tls_place_take(engine) : NULL;
    if (!c) {
        return VKTLS_ST_TLS_CRYPTO;
    }
    c->suite = suite;
    c->use.serial = vkdev_tls_engine_serial(engine);
    c->direction = p->direction;
    memcpy(c->use.key, p->key, sizeof(c->use.key));
    memcpy(c->use.iv, p->iv, sizeof(c->use.iv));
    vkdev_tls_stream_move(c, p->tcp_seq, p->rec_no);
    if (c->direction == VKTLS_DIR_TX) {
        vkdev_tls_tx_init(c);
    } else {
        vkdev_tls_rx_init(c);
    }
    *ctx = c;
    return VKTLS_ST_OK;
}

void vkdev_tls_del(VkdevTlsCtx *c)
{
    if (c) {
        vkdev_tls_key_forget(c, &c->use);
        vkdev_tls_held_forget(c, &c->use);
        vkdev_tls_cache_forget(c, &c->use);
        vkdev_tls_keys_free(c);
        if (c->direction == VKTLS_DIR_TX) {
            vkdev_tls_tx_keys_free(c);
        }
        vkdev_tls_place_free(c);
    }
}

static void prefetch(const void *what, size_t len)
{
    const char *p = what;

    for (size_t at = 0; at < len; at += LINE) {
        __builtin_prefetch(p + at, 1);
    }
    __builtin_prefetch(p + len - 1, 1);
}

void vkdev_tls_prefetch(const VkdevTlsCtx *c, unsigned ahead)
{
    if (ahead < VKDEV_TLS_AHEAD) {
        vkdev_tls_key_prefetch(c, ahead);
        if (ahead == 2 && c->s.at.rec.pos) {
            prefetch(&c->s.aead, sizeof(c->s.aead));
        }
        return;
    }
    prefetch(c, offsetof(VkdevTlsCtx, s.tag));
    prefetch(&c->tx, sizeof(c->tx));
}

/*
 * Give up the current record: the next byte, @tcp_seq, is the first of record
 * @rec_no.
 */
void vkdev_tls_stream_move(VkdevTlsCtx *c, uint32_t tcp_seq, uint64_t rec_no)
{
    vkdev_aead_wipe(&c->s.aead, sizeof(c->s.aead));
    c->s.at = (VkdevTlsCursor) { .rec_no = rec_no };
    c->tcp_seq = tcp_seq;
    c->lost = false;
}

/*
 * One step of the walk through the stream. The record number advances after
 * the last byte of a tag.
 */
unsigned vkdev_tls_step(const VkdevTlsCtx *c, VkdevTlsCursor *at,
                        const uint8_t *p, size_t len, VkdevRecordPiece *piece)
{
    unsigned st;

    if (at->used_up) {
        return VKTLS_ST_TLS_WRAP;
    }
    st = vkdev_record_step(&at->rec, &c->suite->shape, p, len, piece);
    if (st == VKTLS_ST_OK && piece->part == VKDEV_RECORD_TAG &&
        piece->part_ends) {
        at->rec_no++;
        at->used_up = !at->rec_no;
    }
    return st;
}

/*
 * Build the additional data. TLS 1.3: the record header. TLS 1.2: the record
 * number, and the header with the length of the plaintext. Return: its length.
 */
static size_t record_aad(const VkdevTlsCtx *c, const VkdevTlsCursor *at,
                         uint8_t *aad)
{
    uint32_t len = vkdev_record_payload_len(&at->rec, &c->suite->shape);

    if (c->suite->version == VKTLS_VERSION_TLS13) {
        memcpy(aad, at->rec.head, VKDEV_RECORD_HEADER_LEN);
        return VKDEV_RECORD_HEADER_LEN;
    }
    put_be64(aad, at->rec_no);
    memcpy(aad + 8, at->rec.head, 3);
    aad[11] = len >> 8;
    aad[12] = len;
    return 13;
}

/*
 * Build the nonce. Suites with an explicit nonce: salt and explicit nonce.
 * Others: the IV, with its last 8 bytes XORed with the record number.
 */
static void record_nonce(const VkdevTlsCtx *c, const uint8_t *iv,
                         const VkdevTlsCursor *at, uint8_t *nonce)
{
    memcpy(nonce, iv, VKDEV_AEAD_NONCE_LEN);
    if (c->suite->shape.nonce_len) {
        memcpy(nonce + VKDEV_SALT_LEN,
               at->rec.head + VKDEV_RECORD_HEADER_LEN,
               VKDEV_RECORD_NONCE_LEN);
        return;
    }
    put_be64(nonce + VKDEV_SALT_LEN,
             vkdev_tls_explicit(nonce + VKDEV_SALT_LEN) ^ at->rec_no);
}

/*
 * Start the AEAD of the record at the cursor of @s with the key @k, after the
 * last byte of its header and explicit nonce.
 */
void vkdev_tls_record_start(const VkdevTlsCtx *c, const VkdevTlsKey *k,
                            VkdevTlsStream *s)
{
    uint8_t nonce[VKDEV_AEAD_NONCE_LEN];
    uint8_t aad[AAD_MAX];
    size_t aad_len = record_aad(c, &s->at, aad);

    record_nonce(c, k->iv, &s->at, nonce);
    vkdev_aead_start(vkdev_tls_key_of(c, k), &s->aead, nonce, aad, aad_len);
    vkdev_aead_wipe(nonce, sizeof(nonce)); /* it reveals the IV or the salt */
}

unsigned vkdev_tls_resync(VkdevTlsCtx *c, uint32_t tcp_seq, uint64_t rec_no)
{
    return c->direction == VKTLS_DIR_TX ?
           vkdev_tls_tx_resync(c, tcp_seq, rec_no, c->tx.key_no) :
           vkdev_tls_rx_resync(c, tcp_seq, rec_no,
                               c->keys ? c->keys->number : 0);
}

unsigned vkdev_tls_resync_key(VkdevTlsCtx *c, uint32_t tcp_seq,
                              uint64_t rec_no, uint32_t key_no)
{
    return c->direction == VKTLS_DIR_TX ?
           vkdev_tls_tx_resync(c, tcp_seq, rec_no, key_no) :
           vkdev_tls_rx_resync(c, tcp_seq, rec_no, key_no);
}

void vkdev_tls_query(const VkdevTlsCtx *c, VkdevTlsState *state)
{
    *state = (VkdevTlsState) {
        .state = c->lost ? VKTLS_TLS_LOST : VKTLS_TLS_IN_SYNC,
        .tcp_seq = c->tcp_seq,
        .rec_no = c->s.at.rec_no,
        .rec_pos = c->s.at.rec.pos,
    };
}
