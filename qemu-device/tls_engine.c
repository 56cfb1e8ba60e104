// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the contexts of a device share, so that one is small: the expanded keys
 * of those that were used lately, and the tags of the records that were sent
 * lately. An expanded key is several times as large as a context, and made
 * again faster than it is fetched from memory that is not in a cache.
 */
#include <stdlib.h>
#include <string.h>

#include "tls_priv.h"

#define WAYS 4

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

struct VkdevTlsEngine {
    uint64_t serial;        /* of the last context, from 1 */
    uint32_t key_mask;      /* expanded keys - 1 */
    uint32_t set_mask;      /* sets of sent records - 1 */
    size_t key_size;
    uint64_t *owner;        /* serial that each expanded key belongs to, or 0 */
    uint8_t *keys;
    SentSet *sets;
};

static uint32_t round_up(uint32_t n)
{
    uint32_t size = 1;

    while (size < n) {
        size *= 2;
    }
    return size;
}

VkdevTlsEngine *vkdev_tls_engine_alloc(uint32_t keys, uint32_t records)
{
    VkdevTlsEngine *e = calloc(1, sizeof(*e));
    uint32_t sets = round_up((records + WAYS - 1) / WAYS);

    if (!e) {
        return NULL;
    }
    keys = round_up(keys);
    e->key_mask = keys - 1;
    e->set_mask = sets - 1;
    e->key_size = vkdev_aead_key_size();
    e->owner = calloc(keys, sizeof(*e->owner));
    e->keys = aligned_alloc(VKDEV_AEAD_KEY_ALIGN, keys * e->key_size);
    e->sets = calloc(sets, sizeof(*e->sets));
    if (!e->owner || !e->keys || !e->sets) {
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
