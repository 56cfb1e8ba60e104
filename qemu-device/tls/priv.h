/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the TLS engine; included by no other file. */
#ifndef VKDEV_TLS_PRIV_H
#define VKDEV_TLS_PRIV_H

#include "aead.h"
#include "record.h"
#include "engine.h"

#define VKDEV_SALT_LEN 4
#define VKDEV_TLS_RX_LOG 8 /* questions to the host, remembered at each end */
#define VKDEV_TLS_HOLES 6  /* in one record */

typedef struct VkdevTlsSuite {
    uint8_t version; /* VKTLS_VERSION_* */
    uint8_t cipher;  /* VKTLS_CIPHER_* */
    VkdevAeadAlg alg;
    VkdevRecordShape shape;
} VkdevTlsSuite;

/* Position in the stream, to the byte; a copy of it serves to look ahead. */
typedef struct VkdevTlsCursor {
    VkdevRecord rec;
    uint64_t rec_no;
    bool used_up; /* the last possible record number is complete */
} VkdevTlsCursor;

typedef struct VkdevTlsStream {
    VkdevTlsCursor at;
    uint8_t tag[VKDEV_AEAD_TAG_LEN]; /* valid while the cursor is in the tag */
    VkdevAeadState aead; /* valid from the end of a record's head to its tag */
} VkdevTlsStream;

/* A walk over the pieces of the plaintext. */
typedef struct VkdevTlsSource {
    const struct iovec *piece;
    size_t done;    /* bytes walked of that piece */
} VkdevTlsSource;

typedef struct VkdevTlsTx {
    uint64_t nonce_base; /* explicit nonce - record number, constant */
    uint64_t floor;      /* lowest record number never started */
    bool floor_wrapped;  /* all record numbers are started */
} VkdevTlsTx;

typedef enum VkdevTlsRxMode {
    VKDEV_TLS_RX_SYNC,   /* position and record number are known */
    VKDEV_TLS_RX_TRACK,  /* position assumed; record numbers count from 0 */
    VKDEV_TLS_RX_SEARCH, /* no position: each byte may begin a header */
} VkdevTlsRxMode;

/* TRACK follows a candidate: a place that looks like a record header. */
typedef struct VkdevTlsRx {
    uint8_t mode;    /* VkdevTlsRxMode */
    bool broken;     /* the record at the cursor is not decrypted any more */
    bool held;       /* a VkdevTlsHeld has the record at the cursor */
    bool missing;    /* @missed is valid: a lost header may come late */
    bool trial;      /* TRACK: the record is decrypted with a guessed number */
    uint8_t tries:7;   /* wrong guesses since the candidate */
    uint8_t walked:1;  /* @missed has moved past the lost header */
    uint8_t window_len;
    uint8_t window[VKDEV_RECORD_HEADER_LEN]; /* SEARCH: newest bytes */
    uint32_t missed_seq;   /* TCP sequence number of the byte at @missed */
    VkdevTlsCursor missed; /* position of the lost header */
    uint64_t trial_no; /* guessed record number */
    uint64_t passed; /* records tracked, and one for each gap, since @missed */
    uint64_t floor;  /* lowest record number never started */
    uint64_t headers; /* TRACK: headers seen, the candidate included */
    uint32_t candidate; /* TCP sequence number of the candidate */
    uint32_t asked;   /* headers that the host was asked about */
    uint32_t first[VKDEV_TLS_RX_LOG]; /* first sequence numbers asked about */
    uint32_t last[VKDEV_TLS_RX_LOG];  /* the last ones asked about; a ring */
} VkdevTlsRx;

typedef struct VkdevTlsHole {
    uint16_t from, to; /* bytes of the record, its header's first being 0 */
} VkdevTlsHole;

/* A record with bytes missing behind its head. */
typedef struct VkdevTlsHeld {
    uint64_t serial;  /* serial of the context; 0 = free */
    uint64_t rec_no;
    uint32_t tcp_seq; /* TCP sequence number of the first byte */
    uint8_t holes;
    bool passed;      /* the cursor is behind the record */
    VkdevTlsHole hole[VKDEV_TLS_HOLES]; /* in any order */
    uint8_t head[VKDEV_RECORD_HEADER_LEN + VKDEV_RECORD_NONCE_LEN];
    uint8_t tag[VKDEV_AEAD_TAG_LEN]; /* bytes received so far */
    VkdevAeadSum sum;                /* sum of the ciphertext received so far */
} VkdevTlsHeld;

typedef struct VkdevTlsCache VkdevTlsCache;

/*
 * Fields that each packet needs come first: with many contexts each cache line
 * costs a wait for memory.
 */
struct VkdevTlsCtx {
    union {
        VkdevTlsEngine *engine;
        VkdevTlsCtx *next; /* in a free place: the next free one */
    };
    const VkdevTlsSuite *suite;
    uint64_t serial; /* unique in the life of the engine */
    uint8_t direction;
    bool lost;
    uint32_t tcp_seq; /* TCP sequence number of the byte at the cursor */
    uint8_t iv[VKDEV_AEAD_NONCE_LEN];
    uint8_t key[VKDEV_AEAD_KEY_MAX];
    VkdevTlsStream s;
    union {
        VkdevTlsTx tx;
        VkdevTlsRx rx;
    };
};

/*
 * True for the most frequent packet: its bytes all lie inside the payload of
 * the record at the cursor.
 */
static inline bool vkdev_tls_inside(const VkdevTlsCtx *c, size_t len)
{
    const VkdevRecord *r = &c->s.at.rec;
    uint32_t head = VKDEV_RECORD_HEADER_LEN + c->suite->shape.nonce_len;

    return r->pos >= head && r->pos + len + VKDEV_RECORD_TAG_LEN < r->len;
}

/* ctx.c */
unsigned vkdev_tls_step(const VkdevTlsCtx *c, VkdevTlsCursor *at,
                        const uint8_t *p, size_t len, VkdevRecordPiece *piece);
void vkdev_tls_record_start(const VkdevTlsCtx *c, VkdevTlsStream *s);
void vkdev_tls_stream_move(VkdevTlsCtx *c, uint32_t tcp_seq, uint64_t rec_no);
uint64_t vkdev_tls_explicit(const uint8_t *nonce);

/* engine.c */
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

/* replay_cache.c */
VkdevTlsCache *vkdev_tls_cache_alloc(uint32_t records);
void vkdev_tls_cache_free(VkdevTlsCache *k);
void vkdev_tls_cache_put(const VkdevTlsCtx *c, uint64_t rec_no,
                        const uint8_t *p, size_t len);
void vkdev_tls_cache_forget(const VkdevTlsCtx *c);

/* encrypt.c */
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

/* holes.c */
bool vkdev_tls_hole_open(VkdevTlsCtx *c, uint32_t n);
void vkdev_tls_hole_pass(const VkdevTlsCtx *c, VkdevAeadState *aead,
                         uint32_t n);
VkdevTlsHeld *vkdev_tls_hole_here(const VkdevTlsCtx *c);
void vkdev_tls_hole_tag(VkdevTlsCtx *c, const VkdevRecordPiece *piece,
                        const uint8_t *from);
bool vkdev_tls_hole_end(const VkdevTlsCtx *c, VkdevTlsHeld *h,
                        bool *complete);
void vkdev_tls_hole_drop(const VkdevTlsCtx *c);
bool vkdev_tls_hole_fits(const VkdevTlsHeld *h, uint32_t tcp_seq, size_t len);
bool vkdev_tls_hole_fill(const VkdevTlsCtx *c, VkdevTlsHeld *h,
                         uint32_t tcp_seq, const uint8_t *from, uint8_t *to,
                         size_t len, bool *complete);

/* resync.c */
void vkdev_tls_resync_start(VkdevTlsCtx *c, unsigned why,
                            VkdevTlsRxResult *res);
size_t vkdev_tls_resync_search(VkdevTlsCtx *c, const uint8_t *p, size_t len,
                               VkdevTlsRxResult *res);
size_t vkdev_tls_resync_track(VkdevTlsCtx *c, const uint8_t *from, uint8_t *to,
                              size_t len, VkdevTlsRxResult *res);
void vkdev_tls_resync_bad_header(VkdevTlsCtx *c, VkdevTlsRxResult *res);
void vkdev_tls_resync_missing(VkdevTlsCtx *c);
bool vkdev_tls_resync_late(VkdevTlsCtx *c, uint32_t tcp_seq,
                           const uint8_t *from, size_t len,
                           VkdevTlsRxResult *res);

unsigned vkdev_tls_rx_resync(VkdevTlsCtx *c, uint32_t tcp_seq,
                             uint64_t rec_no);

/* decrypt.c */
void vkdev_tls_rx_init(VkdevTlsCtx *c);
bool vkdev_tls_rx_open(VkdevTlsCtx *c, const VkdevRecordPiece *piece,
                       const uint8_t *from, uint8_t *to);

#endif
