/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TLS engine: one context is one direction of one connection. The engine
 * neither logs nor counts; each call returns increments for the counters.
 * Functions that return unsigned return VKTLS_ST_* codes. An engine and its
 * contexts are used by one thread at a time.
 */
#ifndef VKDEV_TLS_H
#define VKDEV_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct VkdevTlsEngine VkdevTlsEngine;
typedef struct VkdevTlsCtx VkdevTlsCtx;

/* As in struct vktls_tls_add; the caller wipes it. */
typedef struct VkdevTlsParams {
    uint8_t version;   /* VKTLS_VERSION_* */
    uint8_t cipher;    /* VKTLS_CIPHER_* */
    uint8_t direction; /* VKTLS_DIR_* */
    uint32_t tcp_seq;  /* TCP number of the first byte of a header */
    uint64_t rec_no;   /* record number of that header */
    uint8_t iv[12];    /* TLS 1.2 GCM: 4 bytes salt, 8 first explicit nonce */
    uint8_t key[32];   /* shorter keys first, then zero */
} VkdevTlsParams;

/* Increments of the counters by one call. */
typedef struct VkdevTlsCount {
    uint32_t packets;     /* encrypted: 0 or 1 */
    uint32_t bytes;       /* TCP payload encrypted */
    uint32_t records;     /* completed with a tag */
    uint32_t replays;     /* packets encrypted again: 0 or 1 */
    uint32_t drop_seq;    /* refusals, by reason */
    uint32_t drop_header;
    uint32_t drop_nonce;  /* refused for nonce or record number */
    uint32_t drop_other;
    bool lost;            /* the context left sync in this call */
} VkdevTlsCount;

/* The outcome of a received packet. */
typedef struct VkdevTlsRxResult {
    bool decrypted;      /* the whole packet is; if not, it is unchanged */
    bool auth;           /* a record ended in the packet, with a wrong tag */
    bool late;           /* decrypted, and fills a hole */
    bool found;          /* in sync again, without the host */
    uint16_t lost;       /* reason for leaving sync, or VKTLS_ST_OK */
    bool resync_req;     /* ask the host: does a record begin at resync_seq? */
    uint32_t resync_seq; /* TCP sequence number of a possible header */
    uint32_t records;    /* records authenticated whole */
} VkdevTlsRxResult;

typedef struct VkdevTlsState {
    uint32_t state;   /* VKTLS_TLS_IN_SYNC or VKTLS_TLS_LOST */
    uint32_t tcp_seq; /* expected next */
    uint64_t rec_no;  /* record in progress or next */
    uint32_t rec_pos; /* bytes of the record in progress so far */
} VkdevTlsState;

/** The engine's abilities, as 1 << VKTLS_CIPHER_* and 1 << VKTLS_VERSION_*. */
uint32_t vkdev_tls_ciphers(void);
uint32_t vkdev_tls_versions(void);

/**
 * Allocate an engine with room for @contexts contexts. All contexts share @keys
 * expanded keys, the tags of the last @records records sent, @held received
 * records with holes (each rounded up to a power of two), and the ciphertext of
 * the last @kept records replayed. Return: NULL when memory is short.
 */
VkdevTlsEngine *vkdev_tls_engine_alloc(uint32_t contexts, uint32_t keys,
                                       uint32_t records, uint32_t held,
                                       uint32_t kept);

/**
 * For tests: with @forgetful, holes and lost headers in received streams are
 * not remembered, so that each lost header takes a resync by the host.
 */
void vkdev_tls_engine_forgetful(VkdevTlsEngine *engine, bool forgetful);

/** Release an engine after its last context; NULL is allowed. */
void vkdev_tls_engine_free(VkdevTlsEngine *engine);

/**
 * Make a context that starts in sync. VKTLS_ST_UNSUPPORTED: version, cipher or
 * direction is not one of the engine's; VKTLS_ST_RESERVED: bytes after a short
 * key are not zero; VKTLS_ST_TLS_CRYPTO: the library failed, or there is no
 * room. *@ctx is set on success only.
 */
unsigned vkdev_tls_add(VkdevTlsEngine *engine, const VkdevTlsParams *params,
                       VkdevTlsCtx **ctx);

/** Wipe everything that @ctx held and release it; NULL is allowed. */
void vkdev_tls_del(VkdevTlsCtx *ctx);

#define VKDEV_TLS_AHEAD 3

/**
 * Prefetch memory for a packet of @ctx that comes after @ahead others. To be
 * called for each @ahead from VKDEV_TLS_AHEAD down to 1: each call reads an
 * address that the one before has fetched.
 */
void vkdev_tls_prefetch(const VkdevTlsCtx *ctx, unsigned ahead);

/**
 * Encrypt the TCP payload of a packet (or of a packet before TSO) in place:
 * @len bytes at @buf, the first of which has the sequence number @tcp_seq.
 * The placeholder of each tag is overwritten.
 *
 * On VKTLS_ST_OK all of it is ready for the wire and the context expects the
 * byte after it. On any other status the payload was not touched and must not
 * be sent:
 * - VKTLS_ST_TLS_SEQ: not the expected sequence number; context as before.
 * - VKTLS_ST_TLS_HEADER, _NONCE, _WRAP: no in-order packet can follow; the
 *   context is lost until a resync.
 * - VKTLS_ST_TLS_LOST: the context waits for a resync.
 * - VKTLS_ST_NOENT: the context receives.
 */
unsigned vkdev_tls_tx(VkdevTlsCtx *ctx, uint32_t tcp_seq, uint8_t *buf,
                      size_t len, VkdevTlsCount *count);

/**
 * vkdev_tls_tx() from other memory: encrypt the pieces at @from, @len bytes in
 * all, to @to. The host may write to the pieces meanwhile: each byte is read
 * once, or is a placeholder. A piece may overlap @to only where its own bytes
 * go. After a refusal the content of @to is undefined.
 */
unsigned vkdev_tls_tx_from(VkdevTlsCtx *ctx, uint32_t tcp_seq,
                           const struct iovec *from, uint8_t *to, size_t len,
                           VkdevTlsCount *count);

/**
 * Encrypt once more, apart from the stream, whole records from @rec_no on:
 * @len bytes at @buf, laid out as for vkdev_tls_tx(), headers and placeholders
 * included. Any part of the result may be sent again. The context's place does
 * not change.
 *
 * VKTLS_ST_TLS_HEADER, _NONCE: not a whole number of records, or not those.
 * VKTLS_ST_TLS_REUSE: the engine did not send one of them, or does not remember
 * its tag any more, or the tag is another now, so that the plaintext must be
 * too; @buf is wiped then. VKTLS_ST_NOENT: the context receives.
 */
unsigned vkdev_tls_replay(VkdevTlsCtx *ctx, uint64_t rec_no, uint8_t *buf,
                          size_t len, VkdevTlsCount *count);

/**
 * Copy ciphertext of an earlier replay to @to, without the plaintext. The
 * records from @rec_no on are @before + @len + @after bytes long; the @len
 * bytes in the middle are copied. False, and no change, unless these are whole
 * records that are all in the cache of replayed records.
 */
bool vkdev_tls_resend(const VkdevTlsCtx *ctx, uint64_t rec_no, size_t before,
                      uint8_t *to, size_t len, size_t after);

/**
 * Follow a received packet: @len bytes of TCP payload at @from, the first of
 * which has the number @tcp_seq, in any order, with gaps and repetitions. When
 * result->decrypted, @to holds all of it with the payloads decrypted and the
 * framing as it was, and each record that was complete with it had a right tag;
 * otherwise the content of @to is undefined. @from and @to do not overlap.
 */
unsigned vkdev_tls_rx(VkdevTlsCtx *ctx, uint32_t tcp_seq, const uint8_t *from,
                      uint8_t *to, size_t len, VkdevTlsRxResult *result);

/**
 * Transmit: continue at the record @rec_no, with its header at @tcp_seq.
 * VKTLS_ST_TLS_REUSE: the engine has started that record, or the context began
 * after it; VKTLS_ST_TLS_WRAP: the last record number was started.
 *
 * Receive: the record @rec_no does start at @tcp_seq, as the answer to a
 * request or as a hint about one that is still to come. VKTLS_ST_STATE: the
 * context is in sync; VKTLS_ST_TLS_SEQ: that place has gone by;
 * VKTLS_ST_PARAM: the number does not fit the records since.
 *
 * After a refusal the context is as before.
 */
unsigned vkdev_tls_resync(VkdevTlsCtx *ctx, uint32_t tcp_seq, uint64_t rec_no);

/** Report the position of the context. No key material. */
void vkdev_tls_query(const VkdevTlsCtx *ctx, VkdevTlsState *state);

#endif
