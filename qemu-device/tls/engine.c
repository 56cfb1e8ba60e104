// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of all contexts of a device. To keep a context small, contexts share
 * the expanded keys of recent use, the tags of records sent lately, and the
 * state of received records with holes. An expanded key is several times as
 * large as a context; expanding it again is faster than fetching it from memory
 * outside the caches.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "priv.h"

#define LARGE_PAGE (2u << 20)
#define WAYS 4
#define HELD_WAYS 16

/*
 * Numbers are cut to save memory, so two records may look alike. Then their
 * tags differ, and only equal tags let a replay pass.
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

/* All records with holes of a context are in one set; contexts share sets. */
typedef struct HeldSet {
    VkdevTlsHeld way[HELD_WAYS];
    uint32_t next; /* gives way when there is no room */
} HeldSet;

/*
 * State of a place for an expanded key. A context takes the place when it
 * misses twice in a row. After a first miss its key is expanded in the spare
 * place behind all others: so with more contexts than places, rarely used
 * contexts do not evict keys in use, and writes stay in one cached place.
 */
typedef struct KeySlot {
    uint64_t owner;         /* serial of the key's context, or 0 */
    uint64_t missed;        /* serial of the context that missed last, or 0 */
    VkdevAeadAlg alg;       /* algorithm of the key */
} KeySlot;

struct VkdevTlsEngine {
    VkdevTlsCtx *places;    /* side by side, in large pages */
    uint32_t contexts;      /* number of places */
    uint32_t touched;       /* places ever used, from the first on */
    VkdevTlsCtx *free;      /* free ones among them, a list */
    uint64_t serial;        /* serial of the last context, from 1 */
    uint32_t key_mask;      /* expanded keys - 1, without the spare one */
    uint32_t set_mask;      /* sets of sent records - 1 */
    size_t key_size;
    KeySlot *slots;
    uint8_t *keys;
    SentSet *sets;
    uint32_t held_mask;     /* sets of records with holes - 1 */
    HeldSet *held;
    VkdevTlsCache *cache;
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

/*
 * Contexts are allocated in large pages when they fill one: with many contexts
 * a TLB miss costs more than the cache miss behind it.
 */
static VkdevTlsCtx *places_alloc(uint32_t contexts)
{
    size_t size = (contexts + 1ull) * sizeof(VkdevTlsCtx);
    void *p;

    if (size < LARGE_PAGE) {
        return malloc(size);
    }
    size = (size + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    p = aligned_alloc(LARGE_PAGE, size);
    if (p) {
        madvise(p, size, MADV_HUGEPAGE);    /* may fail */
    }
    return p;
}

VkdevTlsEngine *vkdev_tls_engine_alloc(uint32_t contexts, uint32_t keys,
                                       uint32_t records, uint32_t held,
                                       uint32_t kept)
{
    VkdevTlsEngine *e = calloc(1, sizeof(*e));
    uint32_t sets = round_up((records + WAYS - 1) / WAYS);

    if (!e) {
        return NULL;
    }
    keys = round_up(keys);
    held = round_up((held + HELD_WAYS - 1) / HELD_WAYS);
    e->contexts = contexts;
    e->places = places_alloc(contexts);
    e->key_mask = keys - 1;
    e->set_mask = sets - 1;
    e->held_mask = held - 1;
    e->key_size = vkdev_aead_key_size();
    e->slots = calloc(keys + 1, sizeof(*e->slots));
    e->keys = aligned_alloc(VKDEV_AEAD_KEY_ALIGN, (keys + 1) * e->key_size);
    e->sets = calloc(sets, sizeof(*e->sets));
    e->held = calloc(held, sizeof(*e->held));
    e->cache = vkdev_tls_cache_alloc(kept);
    if (!e->places || !e->slots || !e->keys || !e->sets || !e->held ||
        !e->cache) {
        vkdev_tls_engine_free(e);
        return NULL;
    }
    return e;
}

/* The deletion of each context has wiped its share. */
void vkdev_tls_engine_free(VkdevTlsEngine *e)
{
    if (e) {
        free(e->places);
        free(e->slots);
        free(e->keys);
        free(e->sets);
        free(e->held);
        vkdev_tls_cache_free(e->cache);
        free(e);
    }
}

/* A place for one context, all zero but for its engine; NULL: there is none. */
VkdevTlsCtx *vkdev_tls_place_take(VkdevTlsEngine *e)
{
    VkdevTlsCtx *c = e->free;

    if (c) {
        e->free = c->next;
    } else if (e->touched < e->contexts) {
        c = &e->places[e->touched++];
    } else {
        return NULL;
    }
    memset(c, 0, sizeof(*c));
    c->engine = e;
    return c;
}

/* Wipe the context that is in this place. */
void vkdev_tls_place_free(VkdevTlsCtx *c)
{
    VkdevTlsEngine *e = c->engine;

    vkdev_aead_wipe(c, sizeof(*c));
    c->next = e->free;
    e->free = c;
}

static VkdevAeadKey *slot_key(const VkdevTlsEngine *e, uint32_t slot)
{
    return (VkdevAeadKey *)(e->keys + slot * e->key_size);
}

static void slot_clear(VkdevTlsEngine *e, uint32_t slot)
{
    vkdev_aead_wipe(slot_key(e, slot), e->key_size);
    e->slots[slot].owner = 0;
}

static uint32_t key_spare(const VkdevTlsEngine *e)
{
    return e->key_mask + 1;
}

void vkdev_tls_key_forget(const VkdevTlsCtx *c)
{
    const uint32_t slots[] = { c->serial & c->engine->key_mask,
                               key_spare(c->engine) };

    for (int i = 0; i < 2; i++) {
        if (c->engine->slots[slots[i]].owner == c->serial) {
            slot_clear(c->engine, slots[i]);
        }
    }
}

uint64_t vkdev_tls_engine_serial(VkdevTlsEngine *e)
{
    return ++e->serial;
}

/* Choose the place for the key of a context that missed in @slot. */
static uint32_t key_miss(VkdevTlsEngine *e, uint64_t serial, uint32_t slot)
{
    KeySlot *s = &e->slots[slot];
    bool take = !s->owner || s->missed == serial;

    s->missed = serial;
    return take ? slot : key_spare(e);
}

/* Put the key of @c in a slot. A key of another algorithm is wiped before. */
static void slot_fill(const VkdevTlsCtx *c, uint32_t slot)
{
    KeySlot *s = &c->engine->slots[slot];

    if (s->owner && s->alg != c->suite->alg) {
        slot_clear(c->engine, slot);
    }
    vkdev_aead_key_set(slot_key(c->engine, slot), c->suite->alg, c->key);
    s->owner = c->serial;
    s->alg = c->suite->alg;
}

/* The expanded key of @c, good until another context's is asked for. */
const VkdevAeadKey *vkdev_tls_key(const VkdevTlsCtx *c)
{
    VkdevTlsEngine *e = c->engine;
    uint32_t slot = c->serial & e->key_mask;

    if (e->slots[slot].owner == c->serial) {
        return slot_key(e, slot);
    }
    slot = key_spare(e);
    if (e->slots[slot].owner != c->serial) {
        slot = key_miss(e, c->serial, c->serial & e->key_mask);
        slot_fill(c, slot);
    }
    return slot_key(e, slot);
}

/* Prefetch the key's slot in an early call, the key itself in a later one. */
void vkdev_tls_key_prefetch(const VkdevTlsCtx *c, unsigned ahead)
{
    const VkdevTlsEngine *e = c->engine;
    uint32_t slot = c->serial & e->key_mask;
    const char *key = (const char *)slot_key(e, slot);

    if (ahead > 1) {
        __builtin_prefetch(&e->slots[slot]);
    } else if (e->slots[slot].owner == c->serial) {
        for (size_t at = 0; at < e->key_size; at += VKDEV_AEAD_KEY_ALIGN) {
            __builtin_prefetch(key + at);
        }
    }
}

/* The set for a record: sets of one context's records lie side by side. */
static SentSet *sent_set(const VkdevTlsCtx *c, uint64_t rec_no)
{
    uint32_t at = (uint32_t)c->serial * 0x9e3779b1u + (uint32_t)rec_no;

    return &c->engine->sets[at & c->engine->set_mask];
}

/* Prefetch the place for the tag of a record that begins. */
void vkdev_tls_sent_expect(const VkdevTlsCtx *c, uint64_t rec_no)
{
    SentSet *set = sent_set(c, rec_no);

    __builtin_prefetch(&set->way[0], 1);
    __builtin_prefetch(&set->way[WAYS - 1], 1);
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

VkdevTlsCache *vkdev_tls_engine_cache(const VkdevTlsCtx *c)
{
    return c->engine->cache;
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

/*
 * Get room for a record of @c that begins at @tcp_seq; another record may
 * lose its room.
 */
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
