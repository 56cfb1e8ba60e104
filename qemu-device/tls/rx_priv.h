/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The receiving side of a context: its place, found or searched, and holes. */
#ifndef VKDEV_TLS_RX_PRIV_H
#define VKDEV_TLS_RX_PRIV_H

#include "engine.h"
#include "stream.h"

#define VKDEV_TLS_RX_LOG 8 /* resync questions stored, first and last ones */
#define VKDEV_TLS_HOLES 6  /* maximum number of holes in a record */

/*
 * Longest record, in bytes, that may be a KeyUpdate if bytes of it are missing.
 */
#define VKDEV_TLS_UPDATE_MAX 64

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
    bool exact;      /* TRACK: missed.rec_no is the candidate's number, if no
                        KeyUpdate has passed */
    uint8_t tries:7;   /* wrong guesses since the candidate */
    uint8_t walked:1;  /* @missed has moved past the lost header */
    uint8_t updates; /* TRACK: records with the length of a KeyUpdate */
    uint8_t window_len;
    uint8_t window[VKDEV_RECORD_HEADER_LEN]; /* SEARCH: the last bytes seen */
    uint32_t missed_seq;   /* TCP sequence number of the byte at @missed */
    VkdevTlsCursor missed; /* position of the lost header */
    uint64_t trial_no; /* guessed number of the current record */
    uint64_t passed; /* records tracked since @missed, + 1 for each gap */
    uint64_t floor;  /* lowest record number that was never started */
    uint64_t headers; /* TRACK: headers seen, including the candidate */
    uint64_t update_at; /* TRACK: records up to the last one in @updates */
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
    uint64_t serial;  /* serial of the key; 0 = entry is free */
    uint64_t rec_no;
    uint32_t tcp_seq; /* sequence number of the record's first byte */
    uint8_t holes;
    bool passed;      /* the cursor has passed the record */
    VkdevTlsHole hole[VKDEV_TLS_HOLES]; /* in any order */
    uint8_t head[VKDEV_RECORD_HEADER_LEN + VKDEV_RECORD_NONCE_LEN];
    uint8_t tag[VKDEV_AEAD_TAG_LEN]; /* bytes of the tag received so far */
    VkdevAeadSum sum;                /* sum of the ciphertext received so far */
} VkdevTlsHeld;

/* Functions of holes.c */
bool vkdev_tls_hole_open(VkdevTlsCtx *c, uint32_t n);
void vkdev_tls_hole_pass(const VkdevAeadKey *key, VkdevAeadState *aead,
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
void vkdev_tls_resync_exact(VkdevTlsCtx *c, uint64_t rec_no, uint8_t updates);
void vkdev_tls_resync_passed(VkdevTlsCtx *c, uint32_t len);
void vkdev_tls_resync_doubt(VkdevTlsCtx *c, uint32_t len,
                            VkdevTlsRxResult *res);
void vkdev_tls_rx_key_came(VkdevTlsCtx *c);
void vkdev_tls_rx_keys(VkdevTlsCtx *c, uint32_t steps, VkdevTlsRxResult *res);
unsigned vkdev_tls_rx_resync(VkdevTlsCtx *c, uint32_t tcp_seq,
                             uint64_t rec_no, uint32_t key_no);

/* Functions of late.c */
bool vkdev_tls_resync_late(VkdevTlsCtx *c, uint32_t tcp_seq,
                           const uint8_t *from, size_t len,
                           VkdevTlsRxResult *res);

/* Functions of decrypt.c */
void vkdev_tls_rx_init(VkdevTlsCtx *c);
bool vkdev_tls_rx_open(VkdevTlsCtx *c, const VkdevRecordPiece *piece,
                       const uint8_t *from, uint8_t *to);
void vkdev_tls_rx_proved(VkdevTlsCtx *c, uint32_t n, VkdevTlsRxResult *res);

#endif
