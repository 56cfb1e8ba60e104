/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the TLS engine; no other file includes it. */
#ifndef VKDEV_TLS_PRIV_H
#define VKDEV_TLS_PRIV_H

#include "engine.h"
#include "rx_priv.h"
#include "stream.h"
#include "vktls_abi.h"

#define VKDEV_SALT_LEN 4
#define VKDEV_TYPE_HANDSHAKE 22

/* A key with its IV, as the host gave it. */
typedef struct VkdevTlsKey {
    uint64_t serial; /* unique number, never used again */
    uint8_t iv[VKDEV_AEAD_NONCE_LEN];
    uint8_t key[VKDEV_AEAD_KEY_MAX];
} VkdevTlsKey;

/*
 * Other keys of a context: those that follow the key in use, and the one
 * before it, which late packets need.
 */
typedef struct VkdevTlsKeys {
    VkdevTlsKey next[VKTLS_TLS_NEXT_KEYS];
    VkdevTlsKey old;      /* serial 0: there is none */
    uint64_t old_records; /* records under @old */
    uint32_t number; /* of the key in use; that of vkdev_tls_add() is 0 */
    uint8_t count;   /* entries of @next in use */
    bool missing;    /* the key @number has not been given yet */
} VkdevTlsKeys;

/*
 * A look at the plaintext of the record at the cursor, in contexts with
 * VkdevTlsKeys.
 */
typedef struct VkdevTlsScan {
    uint8_t matched; /* bytes of a KeyUpdate with its content type */
    bool differs;    /* the record is not a KeyUpdate alone */
    bool unsure;     /* bytes of the record were not seen */
    uint8_t type;    /* last byte but zeros: at the end the content type */
} VkdevTlsScan;

/* A position in the pieces of plaintext. */
typedef struct VkdevTlsSource {
    const struct iovec *piece;
    size_t done;    /* bytes of *piece already used */
} VkdevTlsSource;

/*
 * All keys of a context that transmits, in order, if there is more than one:
 * those before the key in use, for replays, that key itself, and the next ones.
 */
typedef struct VkdevTlsTxKeys {
    uint8_t room; /* entries of @at that are allocated */
    uint8_t count; /* entries in use */
    uint8_t now; /* entry of the key in use; VkdevTlsCtx.use is its copy */
    struct {
        VkdevTlsKey key;
        uint32_t tcp_seq; /* of the key's first byte; not of the first key's */
    } at[];
} VkdevTlsTxKeys;

typedef struct VkdevTlsTx {
    uint64_t nonce_base; /* explicit nonce minus record number (constant) */
    uint64_t floor;      /* lowest number never started under the key in use */
    bool floor_wrapped;  /* all record numbers of that key were started */
    uint32_t key_no;     /* of the key in use; that of vkdev_tls_add() is 0 */
    VkdevTlsTxKeys *keys; /* NULL while there is one key only */
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
    VkdevTlsKey use; /* key in use */
    uint8_t direction;
    bool lost;
    uint8_t ahead;   /* key of the record at the cursor: @use, or next[n - 1] */
    VkdevTlsScan scan;
    uint32_t tcp_seq; /* sequence number of the byte at the cursor */
    VkdevTlsStream s;
    VkdevTlsKeys *keys; /* NULL until the first call of vkdev_tls_next() */
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

/* Return the key of the record at the cursor. */
static inline const VkdevTlsKey *vkdev_tls_key_now(const VkdevTlsCtx *c)
{
    return c->ahead ? &c->keys->next[c->ahead - 1] : &c->use;
}

/* Bytes of the stream up to the one at which the next key begins. */
static inline uint32_t vkdev_tls_tx_key_left(const VkdevTlsCtx *c)
{
    const VkdevTlsTxKeys *k = c->tx.keys;

    return !k || k->now + 1 == k->count ? UINT32_MAX :
           k->at[k->now + 1].tcp_seq - c->tcp_seq;
}

/* End the decryption of a record with a guessed number and key. */
static inline void vkdev_tls_trial_stop(VkdevTlsCtx *c)
{
    c->rx.trial = false;
    c->ahead = 0;
}

/* Functions of ctx.c */
unsigned vkdev_tls_step(const VkdevTlsCtx *c, VkdevTlsCursor *at,
                        const uint8_t *p, size_t len, VkdevRecordPiece *piece);
void vkdev_tls_record_start(const VkdevTlsCtx *c, const VkdevTlsKey *k,
                            VkdevTlsStream *s);
bool vkdev_tls_key_tail_zero(const uint8_t *key, VkdevAeadAlg alg);
void vkdev_tls_stream_move(VkdevTlsCtx *c, uint32_t tcp_seq, uint64_t rec_no);
uint64_t vkdev_tls_explicit(const uint8_t *nonce);

/* Functions of engine.c */
VkdevTlsCtx *vkdev_tls_place_take(VkdevTlsEngine *e);
void vkdev_tls_place_free(VkdevTlsCtx *c);
bool vkdev_tls_spare_keys_take(VkdevTlsEngine *e, uint32_t n);
void vkdev_tls_spare_keys_give(VkdevTlsEngine *e, uint32_t n);
uint64_t vkdev_tls_engine_serial(VkdevTlsEngine *e);
const VkdevAeadKey *vkdev_tls_key(const VkdevTlsCtx *c);
void vkdev_tls_key_prefetch(const VkdevTlsCtx *c, unsigned ahead);
const VkdevAeadKey *vkdev_tls_key_of(const VkdevTlsCtx *c,
                                     const VkdevTlsKey *k);
void vkdev_tls_key_forget(const VkdevTlsCtx *c, const VkdevTlsKey *k);
void vkdev_tls_sent_expect(const VkdevTlsCtx *c, uint64_t rec_no);
void vkdev_tls_sent_add(const VkdevTlsCtx *c, uint64_t rec_no,
                        const uint8_t *tag);
const uint8_t *vkdev_tls_sent_find(const VkdevTlsCtx *c, const VkdevTlsKey *k,
                                   uint64_t rec_no);
bool vkdev_tls_forgets(const VkdevTlsCtx *c);
VkdevTlsHeld *vkdev_tls_held_new(const VkdevTlsCtx *c, uint32_t tcp_seq);
VkdevTlsHeld *vkdev_tls_held_find(const VkdevTlsCtx *c, uint32_t tcp_seq);
const VkdevTlsKey *vkdev_tls_held_key(const VkdevTlsCtx *c,
                                      const VkdevTlsHeld *h);
void vkdev_tls_held_forget(const VkdevTlsCtx *c, const VkdevTlsKey *k);

VkdevTlsCache *vkdev_tls_engine_cache(const VkdevTlsCtx *c);

/* Functions of keys.c */
void vkdev_tls_keys_free(VkdevTlsCtx *c);
void vkdev_tls_scan_start(VkdevTlsCtx *c);
void vkdev_tls_scan(VkdevTlsScan *scan, const uint8_t *p, size_t len);
bool vkdev_tls_scan_update(const VkdevTlsScan *scan);
bool vkdev_tls_key_there(const VkdevTlsCtx *c, uint32_t ahead);
void vkdev_tls_key_step(VkdevTlsCtx *c, uint64_t records);

/* Functions of replay_cache.c */
VkdevTlsCache *vkdev_tls_cache_alloc(uint32_t records);
void vkdev_tls_cache_free(VkdevTlsCache *k);
void vkdev_tls_cache_put(const VkdevTlsCtx *c, const VkdevTlsKey *k,
                         uint64_t rec_no, const uint8_t *p, size_t len);
void vkdev_tls_cache_forget(const VkdevTlsCtx *c, const VkdevTlsKey *k);

/* Functions of tx_keys.c */
void vkdev_tls_tx_keys_free(VkdevTlsCtx *c);
void vkdev_tls_tx_key_step(VkdevTlsCtx *c);
unsigned vkdev_tls_tx_key_may(const VkdevTlsCtx *c, uint32_t tcp_seq,
                              uint32_t steps);
const VkdevTlsKey *vkdev_tls_tx_key_at(const VkdevTlsCtx *c, uint32_t tcp_seq,
                                       size_t *len);

/* Functions of encrypt.c */
unsigned vkdev_tls_tx_step(const VkdevTlsCtx *c, VkdevTlsCursor *at,
                           const uint8_t *p, size_t len,
                           VkdevRecordPiece *piece);
unsigned vkdev_tls_tx_check(const VkdevTlsCtx *c, VkdevTlsCursor *at,
                            VkdevTlsSource src, uint8_t *to, size_t len);
void vkdev_tls_tx_piece(const VkdevTlsCtx *c, const VkdevTlsKey *k,
                        VkdevTlsStream *s, const VkdevRecordPiece *piece,
                        VkdevTlsSource *src, uint8_t *to);
void vkdev_tls_tx_count_drop(unsigned st, VkdevTlsCount *count);
void vkdev_tls_tx_init(VkdevTlsCtx *c);
unsigned vkdev_tls_tx_resync(VkdevTlsCtx *c, uint32_t tcp_seq,
                             uint64_t rec_no, uint32_t key_no);

#endif
