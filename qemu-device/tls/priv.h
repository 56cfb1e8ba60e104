/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the TLS engine; no other file includes it. */
#ifndef VKDEV_TLS_PRIV_H
#define VKDEV_TLS_PRIV_H

#include "engine.h"
#include "rx_priv.h"
#include "stream.h"

#define VKDEV_SALT_LEN 4

/* A position in the pieces of plaintext. */
typedef struct VkdevTlsSource {
    const struct iovec *piece;
    size_t done;    /* bytes of *piece already used */
} VkdevTlsSource;

typedef struct VkdevTlsTx {
    uint64_t nonce_base; /* explicit nonce minus record number (constant) */
    uint64_t floor;      /* lowest record number that was never started */
    bool floor_wrapped;  /* all record numbers were started */
} VkdevTlsTx;

typedef struct VkdevTlsCache VkdevTlsCache;

/*
 * A context. Fields that every packet needs are first: with many contexts each
 * cache line that is touched costs a wait for memory.
 */
struct VkdevTlsCtx {
    union {
        VkdevTlsEngine *engine;
        VkdevTlsCtx *next; /* next free context, in the free list */
    };
    const VkdevTlsSuite *suite;
    uint64_t serial; /* unique number, never used again */
    uint8_t direction;
    bool lost;
    uint32_t tcp_seq; /* sequence number of the byte at the cursor */
    uint8_t iv[VKDEV_AEAD_NONCE_LEN];
    uint8_t key[VKDEV_AEAD_KEY_MAX];
    VkdevTlsStream s;
    union {
        VkdevTlsTx tx;
        VkdevTlsRx rx;
    };
};

/*
 * True for the most frequent packet: @len bytes that are all inside the
 * payload of the record at the cursor.
 */
static inline bool vkdev_tls_inside(const VkdevTlsCtx *c, size_t len)
{
    const VkdevRecord *r = &c->s.at.rec;
    uint32_t head = VKDEV_RECORD_HEADER_LEN + c->suite->shape.nonce_len;

    return r->pos >= head && r->pos + len + VKDEV_RECORD_TAG_LEN < r->len;
}

/* Functions of ctx.c */
unsigned vkdev_tls_step(const VkdevTlsCtx *c, VkdevTlsCursor *at,
                        const uint8_t *p, size_t len, VkdevRecordPiece *piece);
void vkdev_tls_record_start(const VkdevTlsCtx *c, VkdevTlsStream *s);
void vkdev_tls_stream_move(VkdevTlsCtx *c, uint32_t tcp_seq, uint64_t rec_no);
uint64_t vkdev_tls_explicit(const uint8_t *nonce);

/* Functions of engine.c */
VkdevTlsCtx *vkdev_tls_place_take(VkdevTlsEngine *e);
void vkdev_tls_place_free(VkdevTlsCtx *c);
uint64_t vkdev_tls_engine_serial(VkdevTlsEngine *e);
const VkdevAeadKey *vkdev_tls_key(const VkdevTlsCtx *c);
void vkdev_tls_key_prefetch(const VkdevTlsCtx *c, unsigned ahead);
void vkdev_tls_key_forget(const VkdevTlsCtx *c);
void vkdev_tls_sent_expect(const VkdevTlsCtx *c, uint64_t rec_no);
void vkdev_tls_sent_add(const VkdevTlsCtx *c, uint64_t rec_no,
                        const uint8_t *tag);
const uint8_t *vkdev_tls_sent_find(const VkdevTlsCtx *c, uint64_t rec_no);
bool vkdev_tls_forgets(const VkdevTlsCtx *c);
VkdevTlsHeld *vkdev_tls_held_new(const VkdevTlsCtx *c, uint32_t tcp_seq);
VkdevTlsHeld *vkdev_tls_held_find(const VkdevTlsCtx *c, uint32_t tcp_seq);
void vkdev_tls_held_forget(const VkdevTlsCtx *c);

VkdevTlsCache *vkdev_tls_engine_cache(const VkdevTlsCtx *c);

/* Functions of replay_cache.c */
VkdevTlsCache *vkdev_tls_cache_alloc(uint32_t records);
void vkdev_tls_cache_free(VkdevTlsCache *k);
void vkdev_tls_cache_put(const VkdevTlsCtx *c, uint64_t rec_no,
                        const uint8_t *p, size_t len);
void vkdev_tls_cache_forget(const VkdevTlsCtx *c);

/* Functions of encrypt.c */
unsigned vkdev_tls_tx_step(const VkdevTlsCtx *c, VkdevTlsCursor *at,
                           const uint8_t *p, size_t len,
                           VkdevRecordPiece *piece);
unsigned vkdev_tls_tx_check(const VkdevTlsCtx *c, VkdevTlsCursor *at,
                            VkdevTlsSource src, uint8_t *to, size_t len);
void vkdev_tls_tx_piece(const VkdevTlsCtx *c, VkdevTlsStream *s,
                        const VkdevRecordPiece *piece, VkdevTlsSource *src,
                        uint8_t *to);
void vkdev_tls_tx_count_drop(unsigned st, VkdevTlsCount *count);
void vkdev_tls_tx_init(VkdevTlsCtx *c);
unsigned vkdev_tls_tx_resync(VkdevTlsCtx *c, uint32_t tcp_seq,
                             uint64_t rec_no);

#endif
