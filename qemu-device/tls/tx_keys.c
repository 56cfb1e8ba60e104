// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keys of a context that transmits. A context of TLS 1.3 may hold the keys
 * after the one in use, each with the place in the stream where it begins, and
 * the keys before, for replays, until the host gives them up. A key never comes
 * back into use. This file knows no packet.
 */
#include <stdlib.h>
#include <string.h>

#include "priv.h"

#define ROOM_FIRST 4 /* keys; doubles up to VKTLS_TLS_TX_KEYS */

/* Number of the last key given. */
static uint32_t last_no(const VkdevTlsCtx *c)
{
    const VkdevTlsTxKeys *k = c->tx.keys;

    return c->tx.key_no + (k ? k->count - 1 - k->now : 0);
}

static void key_wipe(const VkdevTlsCtx *c, VkdevTlsKey *k)
{
    vkdev_tls_key_forget(c, k);
    vkdev_tls_cache_forget(c, k);
    vkdev_aead_wipe(k, sizeof(*k));
}

/* Put the next key in use, which must be there, with record number 0. */
void vkdev_tls_tx_key_step(VkdevTlsCtx *c)
{
    VkdevTlsTxKeys *k = c->tx.keys;

    k->now++;
    c->use = k->at[k->now].key;
    c->tx.key_no++;
    c->tx.floor = 0;
    c->tx.floor_wrapped = false;
    vkdev_tls_stream_move(c, c->tcp_seq, 0);
}

static size_t keys_size(uint8_t room)
{
    return sizeof(VkdevTlsTxKeys) +
           room * sizeof(((VkdevTlsTxKeys *)NULL)->at[0]);
}

static void keys_free(VkdevTlsEngine *e, VkdevTlsTxKeys *k)
{
    vkdev_tls_spare_keys_give(e, k->room);
    vkdev_aead_wipe(k, keys_size(k->room));
    free(k);
}

/* Wipe and free all keys; that in use remains in the context. */
void vkdev_tls_tx_keys_free(VkdevTlsCtx *c)
{
    VkdevTlsTxKeys *k = c->tx.keys;

    if (!k) {
        return;
    }
    for (int i = 0; i < k->count; i++) {
        if (i != k->now) {
            key_wipe(c, &k->at[i].key);
        }
    }
    keys_free(c->engine, k);
    c->tx.keys = NULL;
}

/* True if the key at this place begins after the byte at @tcp_seq. */
static bool begins_after(const VkdevTlsTxKeys *k, uint32_t place,
                         uint32_t tcp_seq)
{
    return (int32_t)(k->at[place].tcp_seq - tcp_seq) > 0;
}

/*
 * Check that a record at @tcp_seq may have the key @steps after the one in use:
 * that key is there, and the place is between its beginning and the next key's.
 */
unsigned vkdev_tls_tx_key_may(const VkdevTlsCtx *c, uint32_t tcp_seq,
                              uint32_t steps)
{
    const VkdevTlsTxKeys *k = c->tx.keys;
    uint32_t place;

    if (!k) {
        return steps ? VKTLS_ST_TLS_KEY : VKTLS_ST_OK;
    }
    if (steps >= (uint32_t)(k->count - k->now)) {
        return VKTLS_ST_TLS_KEY;
    }
    place = k->now + steps;
    if (steps && begins_after(k, place, tcp_seq)) {
        return VKTLS_ST_TLS_KEY;
    }
    return place + 1 < k->count &&
           (int32_t)(k->at[place + 1].tcp_seq - tcp_seq) < 0 ?
           VKTLS_ST_TLS_KEY : VKTLS_ST_OK;
}

/*
 * Return the key of the byte at @tcp_seq. *@len bytes from there on are wanted;
 * it is set to how many of them come before the next key.
 */
const VkdevTlsKey *vkdev_tls_tx_key_at(const VkdevTlsCtx *c, uint32_t tcp_seq,
                                       size_t *len)
{
    const VkdevTlsTxKeys *k = c->tx.keys;
    int i;

    if (!k) {
        return &c->use;
    }
    for (i = k->count - 1; i; i--) {
        if (!begins_after(k, i, tcp_seq)) {
            break;
        }
        if (k->at[i].tcp_seq - tcp_seq < *len) {
            *len = k->at[i].tcp_seq - tcp_seq;
        }
    }
    return &k->at[i].key;
}

static bool has_key(const VkdevTlsCtx *c, const uint8_t *key)
{
    const VkdevTlsTxKeys *k = c->tx.keys;

    for (int i = 0; k && i < k->count; i++) {
        if (!memcmp(k->at[i].key.key, key, sizeof(k->at[i].key.key))) {
            return true;
        }
    }
    return !memcmp(c->use.key, key, sizeof(c->use.key));
}

static unsigned next_check(const VkdevTlsCtx *c, uint32_t key_no,
                           const uint8_t *key, uint32_t tcp_seq)
{
    const VkdevTlsTxKeys *k;

    if (c->direction != VKTLS_DIR_TX ||
        c->suite->version != VKTLS_VERSION_TLS13) {
        return VKTLS_ST_UNSUPPORTED;
    }
    k = c->tx.keys;
    if (!vkdev_tls_key_tail_zero(key, c->suite->alg)) {
        return VKTLS_ST_RESERVED;
    }
    if (key_no != last_no(c) + 1) {
        return VKTLS_ST_PARAM;
    }
    if ((int32_t)(tcp_seq - c->tcp_seq) < 0 ||
        (k && k->now + 1 < k->count &&
         begins_after(k, k->count - 1, tcp_seq))) {
        return VKTLS_ST_TLS_SEQ;
    }
    if (has_key(c, key)) {
        return VKTLS_ST_TLS_REUSE;
    }
    return k && k->count == VKTLS_TLS_TX_KEYS ? VKTLS_ST_FULL : VKTLS_ST_OK;
}

/* Make room for one more key. */
static bool keys_grow(VkdevTlsCtx *c)
{
    VkdevTlsTxKeys *old = c->tx.keys, *k;
    uint8_t room = old ? 2 * old->room : ROOM_FIRST;

    if (old && old->count < old->room) {
        return true;
    }
    if (!vkdev_tls_spare_keys_take(c->engine, room)) {
        return false;
    }
    k = calloc(1, keys_size(room));
    if (!k) {
        vkdev_tls_spare_keys_give(c->engine, room);
        return false;
    }
    if (old) {
        memcpy(k, old, keys_size(old->room));
        keys_free(c->engine, old);
    } else {
        k->at[0].key = c->use;
        k->count = 1;
    }
    k->room = room;
    c->tx.keys = k;
    return true;
}

unsigned vkdev_tls_next_tx(VkdevTlsCtx *c, uint32_t key_no, const uint8_t *iv,
                           const uint8_t *key, uint32_t tcp_seq)
{
    unsigned st = next_check(c, key_no, key, tcp_seq);
    VkdevTlsTxKeys *k;
    VkdevTlsKey *to;

    if (st != VKTLS_ST_OK) {
        return st;
    }
    if (!keys_grow(c)) {
        return VKTLS_ST_FULL;
    }
    k = c->tx.keys;
    k->at[k->count].tcp_seq = tcp_seq;
    to = &k->at[k->count++].key;
    to->serial = vkdev_tls_engine_serial(c->engine);
    memcpy(to->iv, iv, sizeof(to->iv));
    memcpy(to->key, key, sizeof(to->key));
    return VKTLS_ST_OK;
}

/* Wipe the first @n keys, all of them before the one in use. */
static void keys_drop(VkdevTlsCtx *c, uint32_t n)
{
    VkdevTlsTxKeys *k = c->tx.keys;
    uint32_t left = k->count - n;

    for (uint32_t i = 0; i < n; i++) {
        key_wipe(c, &k->at[i].key);
    }
    memmove(k->at, k->at + n, left * sizeof(k->at[0]));
    vkdev_aead_wipe(k->at + left, n * sizeof(k->at[0]));
    k->count = left;
    k->now -= n;
    if (left == 1) {
        vkdev_tls_tx_keys_free(c);
    }
}

unsigned vkdev_tls_key_done(VkdevTlsCtx *c, uint32_t key_no)
{
    VkdevTlsTxKeys *k;
    uint32_t n;
    bool lost;

    if (c->direction != VKTLS_DIR_TX) {
        return VKTLS_ST_UNSUPPORTED;
    }
    k = c->tx.keys;
    if (!k) {
        return key_no == c->tx.key_no ? VKTLS_ST_OK : VKTLS_ST_TLS_KEY;
    }
    n = key_no - (c->tx.key_no - k->now);
    if (n >= k->count) {
        return VKTLS_ST_TLS_KEY;
    }
    while (k->now < n) {
        lost = c->lost || c->s.at.rec.pos || vkdev_tls_tx_key_left(c);
        vkdev_tls_tx_key_step(c);
        c->lost = lost;
    }
    keys_drop(c, n);
    return VKTLS_ST_OK;
}
