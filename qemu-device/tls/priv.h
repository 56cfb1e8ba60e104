/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the TLS engine; no other file includes it. */
#ifndef VKDEV_TLS_PRIV_H
#define VKDEV_TLS_PRIV_H

#include "aead.h"
#include "record.h"
#include "engine.h"

#define VKDEV_SALT_LEN 4
#define VKDEV_TLS_RX_LOG 8 /* resync questions stored, first and last ones */
#define VKDEV_TLS_HOLES 6  /* maximum number of holes in a record */

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

typedef enum VkdevTlsRxMode {
    VKDEV_TLS_RX_SYNC,   /* position and record number are known */
    VKDEV_TLS_RX_TRACK,  /* position assumed; records counted from 0 */
    VKDEV_TLS_RX_SEARCH, /* position unknown: any byte may begin a header */
} VkdevTlsRxMode;

/*
 * Receive state. "Candidate" is the first byte sequence that looked like a
 * record header in mode SEARCH; mode TRACK follows the records from there.
 */
typedef struct VkdevTlsRx {
    uint8_t mode;    /* VkdevTlsRxMode */
    bool broken;     /* record at the cursor is not decrypted */
    bool held;       /* record at the cursor has a VkdevTlsHeld */
    bool missing;    /* @missed is valid; the lost header may still come */
    bool trial;      /* TRACK: record is decrypted with a guessed number */
    uint8_t tries:7;   /* wrong guesses since the candidate */
    uint8_t walked:1;  /* @missed has moved past the lost header */
    uint8_t window_len;
    uint8_t window[VKDEV_RECORD_HEADER_LEN]; /* SEARCH: the last bytes seen */
    uint32_t missed_seq;   /* TCP sequence number of the byte at @missed */
    VkdevTlsCursor missed; /* position of the lost header */
    uint64_t trial_no; /* guessed number of the current record */
    uint64_t passed; /* records tracked since @missed, + 1 for each gap */
    uint64_t floor;  /* lowest record number that was never started */
    uint64_t headers; /* TRACK: headers seen, including the candidate */
    uint32_t candidate; /* TCP sequence number of the candidate */
    uint32_t asked;   /* number of questions sent to the host */
    uint32_t first[VKDEV_TLS_RX_LOG]; /* TCP seq of first questions */
    uint32_t last[VKDEV_TLS_RX_LOG];  /* TCP seq of last ones; ring */
} VkdevTlsRx;

typedef struct VkdevTlsHole {
    uint16_t from, to; /* hole from byte @from to byte @to - 1 of the record */
} VkdevTlsHole;

/* A received record in which bytes after the header are missing. */
typedef struct VkdevTlsHeld {
    uint64_t serial;  /* serial of the context; 0 = entry is free */
    uint64_t rec_no;
    uint32_t tcp_seq; /* sequence number of the record's first byte */
    uint8_t holes;
    bool passed;      /* the cursor has passed the record */
    VkdevTlsHole hole[VKDEV_TLS_HOLES]; /* in any order */
    uint8_t head[VKDEV_RECORD_HEADER_LEN + VKDEV_RECORD_NONCE_LEN];
    uint8_t tag[VKDEV_AEAD_TAG_LEN]; /* bytes of the tag received so far */
    VkdevAeadSum sum;                /* sum of the ciphertext received so far */
} VkdevTlsHeld;

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

/* Functions of holes.c */
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

/* Functions of resync.c */
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

/* Functions of decrypt.c */
void vkdev_tls_rx_init(VkdevTlsCtx *c);
bool vkdev_tls_rx_open(VkdevTlsCtx *c, const VkdevRecordPiece *piece,
                       const uint8_t *from, uint8_t *to);

#endif
