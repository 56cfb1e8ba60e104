/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the TLS engine share; nobody else includes it. */
#ifndef VKDEV_TLS_PRIV_H
#define VKDEV_TLS_PRIV_H

#include "aead.h"
#include "record.h"
#include "engine.h"

#define VKDEV_SALT_LEN 4
#define VKDEV_TLS_RX_LOG 8 /* see VkdevTlsRx */
#define VKDEV_TLS_HOLES 6   /* in one record */

typedef struct VkdevTlsSuite {
    uint8_t version; /* VKTLS_VERSION_* */
    uint8_t cipher;  /* VKTLS_CIPHER_* */
    VkdevAeadAlg alg;
    VkdevRecordShape shape;
} VkdevTlsSuite;

/* Place in the stream, at byte precision; copied to look ahead. */
typedef struct VkdevTlsCursor {
    VkdevRecord rec;
    uint64_t rec_no;
    bool used_up; /* the last record number was completed */
} VkdevTlsCursor;

typedef struct VkdevTlsStream {
    VkdevTlsCursor at;
    uint8_t tag[VKDEV_AEAD_TAG_LEN]; /* from its first byte to its last */
    VkdevAeadState aead; /* from the end of a record's head to its tag */
} VkdevTlsStream;

/* Where the plaintext is; a walk of its own for each pass. */
typedef struct VkdevTlsSource {
    const struct iovec *piece;
    size_t done;    /* bytes of that piece */
} VkdevTlsSource;

typedef struct VkdevTlsTx {
    uint64_t nonce_base; /* explicit nonce - record number, constant */
    uint64_t floor;      /* lowest record number that was never started */
    bool floor_wrapped;  /* there is no such number */
} VkdevTlsTx;

typedef enum VkdevTlsRxMode {
    VKDEV_TLS_RX_SYNC,   /* place and record number are known */
    VKDEV_TLS_RX_TRACK,  /* follows a candidate; numbers count from it */
    VKDEV_TLS_RX_SEARCH, /* looks for a candidate */
} VkdevTlsRxMode;

typedef struct VkdevTlsRx {
    uint8_t mode;    /* VkdevTlsRxMode */
    bool broken;     /* not all of the record at the cursor came in sync */
    bool held;       /* the record at the cursor has holes, but is not broken */
    bool missing;    /* a header was lost, and @missed waits for it */
    bool trial;      /* TRACK: the record at the cursor is opened on a guess */
    uint8_t tries:7;   /* wrong guesses since the candidate */
    uint8_t walked:1;  /* @missed may be where a header was tracked */
    uint8_t window_len;
    uint8_t window[VKDEV_RECORD_HEADER_LEN]; /* SEARCH: last bytes, in order */
    uint32_t missed_seq;                     /* of the byte at @missed */
    VkdevTlsCursor missed; /* where the header is that was lost */
    uint64_t trial_no; /* the record's number, if the guess is right */
    uint64_t passed; /* records that were tracked, and one for each gap since */
    uint64_t floor;  /* lowest record number that was never started */
    uint64_t headers; /* TRACK: seen since and with the candidate */
    uint32_t candidate; /* where the first of them begins */
    uint32_t asked;   /* of them, questions to the host */
    uint32_t first[VKDEV_TLS_RX_LOG]; /* where the first of those began */
    uint32_t last[VKDEV_TLS_RX_LOG];  /* and the last ones; a ring */
} VkdevTlsRx;

typedef struct VkdevTlsHole {
    uint16_t from, to; /* bytes of the record, its header's first being 0 */
} VkdevTlsHole;

/* A record of which bytes behind its head have not come yet. */
typedef struct VkdevTlsHeld {
    uint64_t serial;  /* of its context; 0 when this place is free */
    uint64_t rec_no;
    uint32_t tcp_seq; /* of its first byte */
    uint8_t holes;
    bool passed;      /* the place in the stream is behind it */
    VkdevTlsHole hole[VKDEV_TLS_HOLES]; /* in any order */
    uint8_t head[VKDEV_RECORD_HEADER_LEN + VKDEV_RECORD_NONCE_LEN];
    uint8_t tag[VKDEV_AEAD_TAG_LEN]; /* as far as it has come */
    VkdevAeadSum sum;                /* of the ciphertext that has come */
} VkdevTlsHeld;

typedef struct VkdevTlsCache VkdevTlsCache;

/*
 * What every packet needs comes first: with many contexts each line of memory
 * that it is in has to be waited for.
 */
struct VkdevTlsCtx {
    union {
        VkdevTlsEngine *engine;
        VkdevTlsCtx *next; /* place that is free */
    };
    const VkdevTlsSuite *suite;
    uint64_t serial; /* no other context of the engine has or had it */
    uint8_t direction;
    bool lost;
    uint32_t tcp_seq; /* of the byte at the cursor */
    uint8_t iv[VKDEV_AEAD_NONCE_LEN];
    uint8_t key[VKDEV_AEAD_KEY_MAX];
    VkdevTlsStream s;
    union {
        VkdevTlsTx tx;
        VkdevTlsRx rx;
    };
};

/*
 * Most packets are some of one record's payload, of which nothing is to be
 * judged and nothing ends.
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
