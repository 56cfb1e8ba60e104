// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the contexts of a device share, so that one is small: the expanded keys
 * of those that were used lately, the tags of the records that were sent
 * lately, and records that were received with holes. An expanded key is several
 * times as large as a context, and made again faster than it is fetched from
 * memory that is not in a cache.
 */
#include <stdlib.h>
#include <string.h>

#include "tls_priv.h"

#define WAYS 4
#define HELD_WAYS 16

/*
 * The numbers are cut, which can make one record look like another: then the
 * tags differ, and nothing but equal tags ever lets a replay pass.
 */
typedef struct SentRecord {
    uint32_t serial;
    uint32_t rec_no;
    uint8_t tag[VKDEV_AEAD_TAG_LEN];
} SentRecord;

/* Records of one set, the latest first. */
typedef struct SentSet {
    SentRecord way[WAYS];
} SentSet;

/* A context's records with holes are all in one set, whoever shares it. */
typedef struct HeldSet {
    VkdevTlsHeld way[HELD_WAYS];
    uint32_t next; /* gives way when there is no room */
} HeldSet;

struct VkdevTlsEngine {
    uint64_t serial;        /* of the last context, from 1 */
    uint32_t key_mask;      /* expanded keys - 1 */
    uint32_t set_mask;      /* sets of sent records - 1 */
    size_t key_size;
    uint64_t *owner;        /* serial that each expanded key belongs to, or 0 */
    uint8_t *keys;
    SentSet *sets;
    uint32_t held_mask;     /* sets of records with holes - 1 */
    HeldSet *held;
    bool forgetful;
};

static uint32_t round_up(uint32_t n)
{
    uint32_t size = 1;

    while (size < n) {
        size *= 2;
    }
    return size;
}

VkdevTlsEngine *vkdev_tls_engine_alloc(uint32_t keys, uint32_t records,
                                       uint32_t held)
{
    VkdevTlsEngine *e = calloc(1, sizeof(*e));
    uint32_t sets = round_up((records + WAYS - 1) / WAYS);

    if (!e) {
        return NULL;
    }
    keys = round_up(keys);
    held = round_up((held + HELD_WAYS - 1) / HELD_WAYS);
    e->key_mask = keys - 1;
    e->set_mask = sets - 1;
    e->held_mask = held - 1;
    e->key_size = vkdev_aead_key_size();
    e->owner = calloc(keys, sizeof(*e->owner));
    e->keys = aligned_alloc(VKDEV_AEAD_KEY_ALIGN, keys * e->key_size);
    e->sets = calloc(sets, sizeof(*e->sets));
    e->held = calloc(held, sizeof(*e->held));
    if (!e->owner || !e->keys || !e->sets || !e->held) {
        vkdev_tls_engine_free(e);
        return NULL;
    }
    return e;
}

/* Its contexts are gone, and what they had here was wiped with them. */
void vkdev_tls_engine_free(VkdevTlsEngine *e)
{
    if (e) {
        free(e->owner);
        free(e->keys);
        free(e->sets);
        free(e->held);
        free(e);
    }
}

uint64_t vkdev_tls_engine_serial(VkdevTlsEngine *e)
{
    return ++e->serial;
}

static uint32_t key_slot(const VkdevTlsCtx *c, VkdevAeadKey **key)
{
    const VkdevTlsEngine *e = c->engine;
    uint32_t slot = c->serial & e->key_mask;

    *key = (VkdevAeadKey *)(e->keys + slot * e->key_size);
    return slot;
}

/* The expanded key of @c, good until another context's is asked for. */
const VkdevAeadKey *vkdev_tls_key(const VkdevTlsCtx *c)
{
    VkdevAeadKey *key;
    uint32_t slot = key_slot(c, &key);

    if (c->engine->owner[slot] != c->serial) {
        vkdev_aead_wipe(key, c->engine->key_size);
        vkdev_aead_key_set(key, c->suite->alg, c->key);
        c->engine->owner[slot] = c->serial;
    }
    return key;
}

void vkdev_tls_key_forget(const VkdevTlsCtx *c)
{
    VkdevAeadKey *key;
    uint32_t slot = key_slot(c, &key);

    if (c->engine->owner[slot] == c->serial) {
        vkdev_aead_wipe(key, c->engine->key_size);
        c->engine->owner[slot] = 0;
    }
}

/* A context's records lie side by side, each context's somewhere else. */
static SentSet *sent_set(const VkdevTlsCtx *c, uint64_t rec_no)
{
    uint32_t at = (uint32_t)c->serial * 0x9e3779b1u + (uint32_t)rec_no;

    return &c->engine->sets[at & c->engine->set_mask];
}

void vkdev_tls_sent_add(const VkdevTlsCtx *c, uint64_t rec_no,
                        const uint8_t *tag)
{
    SentSet *set = sent_set(c, rec_no);

    memmove(&set->way[1], &set->way[0], sizeof(*set) - sizeof(set->way[0]));
    set->way[0].serial = c->serial;
    set->way[0].rec_no = rec_no;
    memcpy(set->way[0].tag, tag, sizeof(set->way[0].tag));
}

/* The tag of that record, NULL when it was not sent or is forgotten. */
const uint8_t *vkdev_tls_sent_find(const VkdevTlsCtx *c, uint64_t rec_no)
{
    const SentSet *set = sent_set(c, rec_no);

    for (int i = 0; i < WAYS; i++) {
        if (set->way[i].serial == (uint32_t)c->serial &&
            set->way[i].rec_no == (uint32_t)rec_no) {
            return set->way[i].tag;
        }
    }
    return NULL;
}

void vkdev_tls_engine_forgetful(VkdevTlsEngine *e, bool forgetful)
{
    e->forgetful = forgetful;
}

bool vkdev_tls_forgets(const VkdevTlsCtx *c)
{
    return c->engine->forgetful;
}

static HeldSet *held_set(const VkdevTlsCtx *c)
{
    return &c->engine->held[c->serial & c->engine->held_mask];
}

/* Room for a record of @c that begins at @tcp_seq; another may give way. */
VkdevTlsHeld *vkdev_tls_held_new(const VkdevTlsCtx *c, uint32_t tcp_seq)
{
    HeldSet *set = held_set(c);
    VkdevTlsHeld *h = NULL;

    for (int i = 0; i < HELD_WAYS && !h; i++) {
        if (!set->way[i].serial) {
            h = &set->way[i];
        }
    }
    if (!h) {
        h = &set->way[set->next++ % HELD_WAYS];
    }
    *h = (VkdevTlsHeld) { .serial = c->serial, .tcp_seq = tcp_seq };
    return h;
}

/* The record of @c with the byte at @tcp_seq, NULL when it is not held. */
VkdevTlsHeld *vkdev_tls_held_find(const VkdevTlsCtx *c, uint32_t tcp_seq)
{
    HeldSet *set = held_set(c);

    for (int i = 0; i < HELD_WAYS; i++) {
        VkdevTlsHeld *h = &set->way[i];

        if (h->serial == c->serial &&
            tcp_seq - h->tcp_seq < vkdev_record_full_len(h->head)) {
            return h;
        }
    }
    return NULL;
}

void vkdev_tls_held_forget(const VkdevTlsCtx *c)
{
    HeldSet *set = held_set(c);

    for (int i = 0; i < HELD_WAYS; i++) {
        if (set->way[i].serial == c->serial) {
            vkdev_aead_wipe(&set->way[i], sizeof(set->way[i]));
        }
    }
}
