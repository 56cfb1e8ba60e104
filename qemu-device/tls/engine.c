// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of the TLS engine. To keep a context small, all contexts share three
 * tables: expanded keys of recent use, tags of records sent lately, and
 * received records with holes. An expanded key is several times as large as a
 * context, and expanding it again is faster than a fetch from memory outside
 * the CPU's caches.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "priv.h"

#define LARGE_PAGE (2u << 20)
#define WAYS 4
#define HELD_WAYS 16
#define SPARE_KEYS_MIN 1024 /* for an engine of few contexts */

/*
 * A record that was sent. To save memory only the low 32 bits of both numbers
 * are stored, so an entry may belong to another record. A replay is then
 * refused, because the tags differ.
 */
typedef struct SentRecord {
    uint32_t serial;
    uint32_t rec_no;
    uint8_t tag[VKDEV_AEAD_TAG_LEN];
} SentRecord;

/* A set of the table of sent records; the newest record is first. */
typedef struct SentSet {
    SentRecord way[WAYS];
} SentSet;

/*
 * A set of the table of records with holes. All such records of a context are
 * in one set, which several contexts share.
 */
typedef struct HeldSet {
    VkdevTlsHeld way[HELD_WAYS];
    uint32_t next; /* entry to replace next when all are used */
} HeldSet;

/*
 * State of one slot for an expanded key. A context that does not find its key
 * in its slot expands it into the spare slot, which follows all others. Only
 * if it is the same context that misses twice in a row, the key goes into the
 * slot. So with more contexts than slots, rarely used contexts do not evict
 * keys in use, and most writes go to the spare slot, which stays in the CPU's
 * cache.
 */
typedef struct KeySlot {
    uint64_t owner;         /* serial of this key, or 0 */
    uint64_t missed;        /* serial of the key that last missed, or 0 */
    VkdevAeadAlg alg;       /* algorithm of the key */
} KeySlot;

struct VkdevTlsEngine {
    VkdevTlsCtx *places;    /* array of contexts, in large pages */
    uint32_t contexts;      /* size of the array */
    uint32_t touched;       /* entries used so far, from the first on */
    VkdevTlsCtx *free;      /* list of contexts that were deleted */
    uint64_t serial;        /* serial of the newest key; the first is 1 */
    uint32_t key_mask;      /* key slots - 1; the spare slot is not counted */
    uint32_t set_mask;      /* sets of sent records - 1 */
    size_t key_size;
    KeySlot *slots;
    uint8_t *keys;
    SentSet *sets;
    uint32_t held_mask;     /* sets of records with holes - 1 */
    HeldSet *held;
    VkdevTlsCache *cache;
    uint32_t spare_keys;    /* entries that contexts may have beside their own */
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
 * Allocate the array of contexts, in large pages if it fills one: with many
 * contexts a TLB miss costs more than the cache miss that follows.
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
        madvise(p, size, MADV_HUGEPAGE);    /* failure is no error */
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
    e->spare_keys = contexts > SPARE_KEYS_MIN ? contexts : SPARE_KEYS_MIN;
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

/*
 * Free the engine. No wipe is needed: each context's data was wiped when the
 * context was deleted.
 */
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

/*
 * Allocate a context; all fields but engine are zero. NULL if all are in use.
 */
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

/*
 * Take @n entries for keys in advance out of those that all contexts share, or
 * give them back. False if there are fewer.
 */
bool vkdev_tls_spare_keys_take(VkdevTlsEngine *e, uint32_t n)
{
    if (e->spare_keys < n) {
        return false;
    }
    e->spare_keys -= n;
    return true;
}

void vkdev_tls_spare_keys_give(VkdevTlsEngine *e, uint32_t n)
{
    e->spare_keys += n;
}

/* Wipe a context and add it to the list of free ones. */
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

/* Wipe the expanded form of @k. */
void vkdev_tls_key_forget(const VkdevTlsCtx *c, const VkdevTlsKey *k)
{
    const uint32_t slots[] = { k->serial & c->engine->key_mask,
                               key_spare(c->engine) };

    for (int i = 0; i < 2; i++) {
        if (c->engine->slots[slots[i]].owner == k->serial) {
            slot_clear(c->engine, slots[i]);
        }
    }
}

uint64_t vkdev_tls_engine_serial(VkdevTlsEngine *e)
{
    return ++e->serial;
}

/*
 * Choose the slot for the key @serial, which missed in @slot:
 * @slot itself or the spare slot.
 */
static uint32_t key_miss(VkdevTlsEngine *e, uint64_t serial, uint32_t slot)
{
    KeySlot *s = &e->slots[slot];
    bool take = !s->owner || s->missed == serial;

    s->missed = serial;
    return take ? slot : key_spare(e);
}

/*
 * Expand @k into a slot. A key of another algorithm in the slot is wiped first,
 * as the new key may not cover it.
 */
static void slot_fill(const VkdevTlsCtx *c, const VkdevTlsKey *k,
                      uint32_t slot)
{
    KeySlot *s = &c->engine->slots[slot];

    if (s->owner && s->alg != c->suite->alg) {
        slot_clear(c->engine, slot);
    }
    vkdev_aead_key_set(slot_key(c->engine, slot), c->suite->alg, k->key);
    s->owner = k->serial;
    s->alg = c->suite->alg;
}

/*
 * Return the expanded form of @k, a key of @c; valid until the next call for
 * another key.
 */
const VkdevAeadKey *vkdev_tls_key_of(const VkdevTlsCtx *c,
                                     const VkdevTlsKey *k)
{
    VkdevTlsEngine *e = c->engine;
    uint32_t slot = k->serial & e->key_mask;

    if (e->slots[slot].owner == k->serial) {
        return slot_key(e, slot);
    }
    slot = key_spare(e);
    if (e->slots[slot].owner != k->serial) {
        slot = key_miss(e, k->serial, k->serial & e->key_mask);
        slot_fill(c, k, slot);
    }
    return slot_key(e, slot);
}

/* Return the expanded key of the record at the cursor. */
const VkdevAeadKey *vkdev_tls_key(const VkdevTlsCtx *c)
{
    return vkdev_tls_key_of(c, vkdev_tls_key_now(c));
}

/* Prefetch the slot's state if @ahead > 1, otherwise the expanded key. */
void vkdev_tls_key_prefetch(const VkdevTlsCtx *c, unsigned ahead)
{
    const VkdevTlsEngine *e = c->engine;
    uint32_t slot = c->use.serial & e->key_mask;
    const char *key = (const char *)slot_key(e, slot);

    if (ahead > 1) {
        __builtin_prefetch(&e->slots[slot]);
    } else if (e->slots[slot].owner == c->use.serial) {
        for (size_t at = 0; at < e->key_size; at += VKDEV_AEAD_KEY_ALIGN) {
            __builtin_prefetch(key + at);
        }
    }
}

/*
 * Return the set for a record of the key @k. Records of one key follow each
 * other in neighbouring sets.
 */
static SentSet *sent_set(const VkdevTlsCtx *c, const VkdevTlsKey *k,
                         uint64_t rec_no)
{
    uint32_t at = (uint32_t)k->serial * 0x9e3779b1u + (uint32_t)rec_no;

    return &c->engine->sets[at & c->engine->set_mask];
}

/* Prefetch the set for the tag of a record, when the record begins. */
void vkdev_tls_sent_expect(const VkdevTlsCtx *c, uint64_t rec_no)
{
    SentSet *set = sent_set(c, &c->use, rec_no);

    __builtin_prefetch(&set->way[0], 1);
    __builtin_prefetch(&set->way[WAYS - 1], 1);
}

void vkdev_tls_sent_add(const VkdevTlsCtx *c, uint64_t rec_no,
                        const uint8_t *tag)
{
    SentSet *set = sent_set(c, &c->use, rec_no);

    memmove(&set->way[1], &set->way[0], sizeof(*set) - sizeof(set->way[0]));
    set->way[0].serial = c->use.serial;
    set->way[0].rec_no = rec_no;
    memcpy(set->way[0].tag, tag, sizeof(set->way[0].tag));
}

/*
 * Return the tag of record @rec_no of the key @k, NULL if it was not sent or is
 * forgotten.
 */
const uint8_t *vkdev_tls_sent_find(const VkdevTlsCtx *c, const VkdevTlsKey *k,
                                   uint64_t rec_no)
{
    const SentSet *set = sent_set(c, k, rec_no);

    for (int i = 0; i < WAYS; i++) {
        if (set->way[i].serial == (uint32_t)k->serial &&
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

static HeldSet *held_set(const VkdevTlsCtx *c, const VkdevTlsKey *k)
{
    return &c->engine->held[k->serial & c->engine->held_mask];
}

/*
 * Allocate an entry for a record with holes that begins at @tcp_seq. If the
 * set is full, another record loses its entry.
 */
VkdevTlsHeld *vkdev_tls_held_new(const VkdevTlsCtx *c, uint32_t tcp_seq)
{
    HeldSet *set = held_set(c, &c->use);
    VkdevTlsHeld *h = NULL;

    for (int i = 0; i < HELD_WAYS && !h; i++) {
        if (!set->way[i].serial) {
            h = &set->way[i];
        }
    }
    if (!h) {
        h = &set->way[set->next++ % HELD_WAYS];
    }
    *h = (VkdevTlsHeld) { .serial = c->use.serial, .tcp_seq = tcp_seq };
    return h;
}

static VkdevTlsHeld *held_find_by(const VkdevTlsCtx *c, const VkdevTlsKey *k,
                                  uint32_t tcp_seq)
{
    HeldSet *set = held_set(c, k);

    for (int i = 0; i < HELD_WAYS; i++) {
        VkdevTlsHeld *h = &set->way[i];

        if (h->serial == k->serial &&
            tcp_seq - h->tcp_seq < vkdev_record_full_len(h->head)) {
            return h;
        }
    }
    return NULL;
}

static bool has_old_key(const VkdevTlsCtx *c)
{
    return c->keys && c->keys->old.serial;
}

/* Return the entry of the record that contains the byte @tcp_seq, or NULL. */
VkdevTlsHeld *vkdev_tls_held_find(const VkdevTlsCtx *c, uint32_t tcp_seq)
{
    VkdevTlsHeld *h = held_find_by(c, &c->use, tcp_seq);

    return h || !has_old_key(c) ? h :
           held_find_by(c, &c->keys->old, tcp_seq);
}

/* Return the key of the record of @h. */
const VkdevTlsKey *vkdev_tls_held_key(const VkdevTlsCtx *c,
                                      const VkdevTlsHeld *h)
{
    return h->serial == c->use.serial ? &c->use : &c->keys->old;
}

/* Wipe the entries of all records of the key @k. */
void vkdev_tls_held_forget(const VkdevTlsCtx *c, const VkdevTlsKey *k)
{
    HeldSet *set = held_set(c, k);

    for (int i = 0; i < HELD_WAYS; i++) {
        if (set->way[i].serial == k->serial) {
            vkdev_aead_wipe(&set->way[i], sizeof(set->way[i]));
        }
    }
}
