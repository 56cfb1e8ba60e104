/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TLS engine. A context is one direction of one connection. The engine
 * neither logs nor counts: each call returns increments for the caller's
 * counters. Functions that return unsigned return a VKTLS_ST_* status. An
 * engine and its contexts must be used by one thread at a time.
 */
#ifndef VKDEV_TLS_H
#define VKDEV_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct VkdevTlsEngine VkdevTlsEngine;
typedef struct VkdevTlsCtx VkdevTlsCtx;

/* Parameters of a context, as in struct vktls_tls_add. The caller wipes it. */
typedef struct VkdevTlsParams {
    uint8_t version;   /* VKTLS_VERSION_* */
    uint8_t cipher;    /* VKTLS_CIPHER_* */
    uint8_t direction; /* VKTLS_DIR_* */
    uint32_t tcp_seq;  /* sequence number of a record header's first byte */
    uint64_t rec_no;   /* number of the record at tcp_seq */
    uint8_t iv[12];    /* TLS 1.2 GCM: 4 bytes salt, 8 explicit nonce */
    uint8_t key[32];   /* a short key is followed by zeros */
} VkdevTlsParams;

/* Increments of the caller's counters after one call. */
typedef struct VkdevTlsCount {
    uint32_t packets;     /* encrypted: 0 or 1 */
    uint32_t bytes;       /* TCP payload encrypted */
    uint32_t records;     /* records completed with a tag */
    uint32_t replays;     /* packets encrypted again: 0 or 1 */
    uint32_t rekeys;      /* keys that gave way to the next one */
    uint32_t drop_seq;    /* drop_*: packets refused, by reason */
    uint32_t drop_header;
    uint32_t drop_nonce;  /* bad nonce, or record number used or exhausted */
    uint32_t drop_other;
    bool lost;            /* the context left sync in this call */
} VkdevTlsCount;

/* The result for a received packet. */
typedef struct VkdevTlsRxResult {
    bool decrypted;      /* whole packet decrypted; else nothing of it */
    bool auth;           /* a record that ended in the packet had a wrong tag */
    bool late;           /* decrypted, and filled a hole */
    bool found;          /* sync was found again without the host */
    uint16_t lost;       /* reason if sync was lost, else VKTLS_ST_OK */
    bool resync_req;     /* ask the host if a record begins at resync_seq */
    uint32_t resync_seq; /* TCP sequence number of a possible header */
    uint32_t records;    /* records completed with a right tag */
    uint32_t rekeys;     /* keys that gave way to the next one */
    uint32_t key_no;     /* with @rekeys: number of the key in use */
} VkdevTlsRxResult;

typedef struct VkdevTlsState {
    uint32_t state;   /* VKTLS_TLS_IN_SYNC or VKTLS_TLS_LOST */
    uint32_t tcp_seq; /* next sequence number expected */
    uint64_t rec_no;  /* number of the current or next record */
    uint32_t rec_pos; /* bytes of the current record so far */
} VkdevTlsState;

/**
 * Bit masks 1 << VKTLS_CIPHER_* and 1 << VKTLS_VERSION_* of supported suites.
 */
uint32_t vkdev_tls_ciphers(void);
uint32_t vkdev_tls_versions(void);

/**
 * Allocate an engine for up to @contexts contexts. All contexts share @keys
 * expanded keys, the tags of the last @records records sent, entries for @held
 * received records with holes (@keys, @records and @held are rounded up to
 * powers of two), and the ciphertext of the last @kept records replayed.
 * Return: NULL when memory is short.
 */
VkdevTlsEngine *vkdev_tls_engine_alloc(uint32_t contexts, uint32_t keys,
                                       uint32_t records, uint32_t held,
                                       uint32_t kept);

/**
 * For tests: if @forgetful, the engine does not remember holes and lost
 * headers of received streams, so that each lost header needs a resync by the
 * host.
 */
void vkdev_tls_engine_forgetful(VkdevTlsEngine *engine, bool forgetful);

/** Free an engine without contexts; NULL is allowed. */
void vkdev_tls_engine_free(VkdevTlsEngine *engine);

/**
 * Add a context, which starts in sync. *@ctx is set on success only. Errors:
 * - VKTLS_ST_UNSUPPORTED: unknown version, cipher or direction.
 * - VKTLS_ST_RESERVED: bytes after a short key are not zero.
 * - VKTLS_ST_TLS_CRYPTO: the library does not run on this CPU, or all contexts
 *   are in use.
 */
unsigned vkdev_tls_add(VkdevTlsEngine *engine, const VkdevTlsParams *params,
                       VkdevTlsCtx **ctx);

/** Delete @ctx and wipe all that the engine stored for it; NULL is allowed. */
void vkdev_tls_del(VkdevTlsCtx *ctx);

#define VKDEV_TLS_AHEAD 3

/**
 * Prefetch memory for a packet of @ctx that will be sent after @ahead other
 * packets. To be called for each value of @ahead from VKDEV_TLS_AHEAD down to
 * 1: each call uses an address that the previous call has fetched.
 */
void vkdev_tls_prefetch(const VkdevTlsCtx *ctx, unsigned ahead);

/**
 * Encrypt the TCP payload of a packet (before TSO) in place: @len bytes at
 * @buf, with @tcp_seq the sequence number of the first. The placeholder of
 * each tag is overwritten by the tag.
 *
 * On VKTLS_ST_OK the payload is ready for the wire, and the context expects
 * the byte after it. On any other status the payload is unchanged and must not
 * be sent:
 * - VKTLS_ST_TLS_SEQ: @tcp_seq is not the expected one; the context is
 *   unchanged.
 * - VKTLS_ST_TLS_HEADER, _NONCE, _WRAP: the payload is invalid; the context is
 *   lost until a resync.
 * - VKTLS_ST_TLS_LOST: the context waits for a resync.
 * - VKTLS_ST_NOENT: @ctx is a receive context.
 */
unsigned vkdev_tls_tx(VkdevTlsCtx *ctx, uint32_t tcp_seq, uint8_t *buf,
                      size_t len, VkdevTlsCount *count);

/**
 * Like vkdev_tls_tx(), but encrypt from the pieces at @from, @len bytes in
 * all, to @to. The host may change the pieces during the call, because each
 * byte is read at most once. A piece may overlap @to only at the place of its
 * own bytes. After an error the content of @to is undefined.
 */
unsigned vkdev_tls_tx_from(VkdevTlsCtx *ctx, uint32_t tcp_seq,
                           const struct iovec *from, uint8_t *to, size_t len,
                           VkdevTlsCount *count);

/**
 * Encrypt whole records again: @len bytes at @buf, from record @rec_no at
 * @tcp_seq on, in the layout of vkdev_tls_tx(), with headers and placeholders.
 * Any part of the result may be sent again. The context's position in the
 * stream does not change. Each record is encrypted with its own key, as long as
 * that was not given up by vkdev_tls_key_done(). Errors:
 * - VKTLS_ST_TLS_HEADER, _NONCE: the bytes are not whole records that begin
 *   with record @rec_no, or a key begins inside of one.
 * - VKTLS_ST_TLS_REUSE: a record was not sent before, or its tag is forgotten,
 *   or the new tag differs, which means that the plaintext has changed; in
 *   this last case @buf is wiped.
 * - VKTLS_ST_NOENT: @ctx is a receive context.
 */
unsigned vkdev_tls_replay(VkdevTlsCtx *ctx, uint32_t tcp_seq, uint64_t rec_no,
                          uint8_t *buf, size_t len, VkdevTlsCount *count);

/**
 * Copy ciphertext of an earlier replay to @to, without reading plaintext. The
 * records from @rec_no on, which is at @tcp_seq, are @before + @len + @after
 * bytes long; the @len bytes in the middle are copied. False, without a change,
 * unless these bytes are whole records of one key that are all in the cache of
 * replayed records.
 */
bool vkdev_tls_resend(const VkdevTlsCtx *ctx, uint32_t tcp_seq, uint64_t rec_no,
                      size_t before, uint8_t *to, size_t len, size_t after);

/**
 * Handle a received packet: @len bytes of TCP payload at @from, with @tcp_seq
 * the sequence number of the first. Packets may come in any order, with gaps
 * and repetitions. If result->decrypted is set, @to has all of the packet with
 * payloads decrypted and headers, nonces and tags unchanged, and each record
 * that became complete had a right tag. Otherwise the content of @to is
 * undefined. @from and @to do not overlap.
 */
unsigned vkdev_tls_rx(VkdevTlsCtx *ctx, uint32_t tcp_seq, const uint8_t *from,
                      uint8_t *to, size_t len, VkdevTlsRxResult *result);

/**
 * Transmit context: continue with record @rec_no; its header is at @tcp_seq.
 * VKTLS_ST_TLS_REUSE: the record was started before, or the context began with
 * a later one. VKTLS_ST_TLS_WRAP: the last record number was started. The
 * record has the key in use; VKTLS_ST_TLS_KEY: the next key begins before
 * @tcp_seq.
 *
 * Receive context: record @rec_no begins at @tcp_seq. This answers a request
 * of the engine, or tells it about a record to come. VKTLS_ST_STATE: the
 * context is in sync. VKTLS_ST_TLS_SEQ: the stream is past @tcp_seq already.
 * VKTLS_ST_PARAM: @rec_no plus the records received since is too large.
 *
 * After an error the context is unchanged.
 */
unsigned vkdev_tls_resync(VkdevTlsCtx *ctx, uint32_t tcp_seq, uint64_t rec_no);

/**
 * Give a context of TLS 1.3 that receives its next key, with the number
 * @key_no: the key of vkdev_tls_add() has the number 0, the first key of this
 * function 1. After a record that is a KeyUpdate the context goes on with the
 * next key, at record 0. Errors:
 * - VKTLS_ST_UNSUPPORTED: not TLS 1.3, or @ctx transmits.
 * - VKTLS_ST_PARAM: @key_no is not the number after the last key given.
 * - VKTLS_ST_RESERVED: bytes after a short key are not zero.
 * - VKTLS_ST_FULL: VKTLS_TLS_NEXT_KEYS keys wait already, or no memory.
 */
unsigned vkdev_tls_next(VkdevTlsCtx *ctx, uint32_t key_no, const uint8_t *iv,
                        const uint8_t *key);

/**
 * Give a context of TLS 1.3 that transmits its next key, with the number
 * @key_no: as for vkdev_tls_next(). Record 0 of the key begins at @tcp_seq. The
 * context goes on with the key when it comes to that byte. Errors:
 * - VKTLS_ST_UNSUPPORTED: not TLS 1.3, or @ctx receives.
 * - VKTLS_ST_PARAM: @key_no is not the number after the last key given.
 * - VKTLS_ST_RESERVED: bytes after a short key are not zero.
 * - VKTLS_ST_TLS_SEQ: the context, or a key before, is past @tcp_seq.
 * - VKTLS_ST_TLS_REUSE: the context has this key already.
 * - VKTLS_ST_FULL: the context has VKTLS_TLS_TX_KEYS keys, or no memory.
 */
unsigned vkdev_tls_next_tx(VkdevTlsCtx *ctx, uint32_t key_no, const uint8_t *iv,
                           const uint8_t *key, uint32_t tcp_seq);

/**
 * Wipe the keys before @key_no of a context that transmits. If the key in use
 * is one of them, @key_no takes its place, and the context is lost until a
 * resync, unless the next byte is the first one of @key_no. VKTLS_ST_TLS_KEY:
 * @key_no was not given, or was wiped. VKTLS_ST_UNSUPPORTED: @ctx receives.
 */
unsigned vkdev_tls_key_done(VkdevTlsCtx *ctx, uint32_t key_no);

/**
 * As vkdev_tls_resync(); the record has the key @key_no. VKTLS_ST_TLS_KEY: that
 * key is before the one in use, or was not given, or, in a context that
 * transmits, the key after it begins before @tcp_seq.
 */
unsigned vkdev_tls_resync_key(VkdevTlsCtx *ctx, uint32_t tcp_seq,
                              uint64_t rec_no, uint32_t key_no);

/** Return the position of the context in the stream; no key material. */
void vkdev_tls_query(const VkdevTlsCtx *ctx, VkdevTlsState *state);

#endif
