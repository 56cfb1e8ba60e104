// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cache of the ciphertext of records that were replayed last. If one TCP
 * segment of a record was lost, others of it often were, too; they are sent
 * again from this cache, without reading the host's memory again. The cached
 * ciphertext is the one sent before, as the equal tag proved, so sending it
 * again is safe even if the host has changed the plaintext since.
 */
#include <stdlib.h>
#include <string.h>

#include "priv.h"

#define RECORD_MAX (VKDEV_RECORD_HEADER_LEN + VKDEV_RECORD_NONCE_LEN + \
                    VKDEV_RECORD_DATA_MAX + VKDEV_RECORD_TAG_LEN)

typedef struct CachedRecord {
    uint64_t serial; /* serial of the key; 0 = entry is free */
    uint64_t rec_no;
    uint32_t len;
    uint8_t bytes[RECORD_MAX];
} CachedRecord;

struct VkdevTlsCache {
    uint32_t count;
    uint32_t next; /* entry to replace next */
    CachedRecord record[];
};

VkdevTlsCache *vkdev_tls_cache_alloc(uint32_t records)
{
    VkdevTlsCache *k = calloc(1, sizeof(*k) + records * sizeof(k->record[0]));

    if (k) {
        k->count = records;
    }
    return k;
}

void vkdev_tls_cache_free(VkdevTlsCache *k)
{
    free(k);
}

static CachedRecord *cache_find(VkdevTlsCache *k, uint64_t serial,
                                uint64_t rec_no)
{
    for (uint32_t i = 0; i < k->count; i++) {
        if (k->record[i].serial == serial && k->record[i].rec_no == rec_no) {
            return &k->record[i];
        }
    }
    return NULL;
}

static void cache_put(VkdevTlsCache *k, uint64_t serial, uint64_t rec_no,
                     const uint8_t *p, uint32_t len)
{
    CachedRecord *r = cache_find(k, serial, rec_no);

    if (!r) {
        r = &k->record[k->next++ % k->count];
    }
    r->serial = serial;
    r->rec_no = rec_no;
    r->len = len;
    memcpy(r->bytes, p, len);
}

/* Store whole records of the key @k, from @rec_no on, ciphertext with tags. */
void vkdev_tls_cache_put(const VkdevTlsCtx *c, const VkdevTlsKey *k,
                         uint64_t rec_no, const uint8_t *p, size_t len)
{
    VkdevTlsCache *cache = vkdev_tls_engine_cache(c);
    uint32_t n;

    for (; cache->count && len; p += n, len -= n, rec_no++) {
        n = vkdev_record_full_len(p);
        cache_put(cache, k->serial, rec_no, p, n);
    }
}

/* Wipe the records of the key @k. */
void vkdev_tls_cache_forget(const VkdevTlsCtx *c, const VkdevTlsKey *k)
{
    VkdevTlsCache *cache = vkdev_tls_engine_cache(c);

    for (uint32_t i = 0; i < cache->count; i++) {
        if (cache->record[i].serial == k->serial) {
            vkdev_aead_wipe(&cache->record[i], sizeof(cache->record[i]));
        }
    }
}

/*
 * True if the @len bytes from record @rec_no of the key @k on are whole
 * records, all in the cache.
 */
static bool cache_all(VkdevTlsCache *cache, const VkdevTlsKey *k,
                      uint64_t rec_no, size_t len)
{
    const CachedRecord *r;

    for (; len; len -= r->len, rec_no++) {
        r = cache_find(cache, k->serial, rec_no);
        if (!r || r->len > len) {
            return false;
        }
    }
    return true;
}

bool vkdev_tls_resend(const VkdevTlsCtx *c, uint32_t tcp_seq, uint64_t rec_no,
                      size_t before, uint8_t *to, size_t len, size_t after)
{
    size_t n = before + len + after;
    VkdevTlsCache *cache = vkdev_tls_engine_cache(c);
    const VkdevTlsKey *k;
    const CachedRecord *r;

    if (c->direction != VKTLS_DIR_TX) {
        return false;
    }
    k = vkdev_tls_tx_key_at(c, tcp_seq, &n);
    if (!n || n < before + len + after || !cache_all(cache, k, rec_no, n)) {
        return false;
    }
    for (; len; rec_no++) {
        r = cache_find(cache, k->serial, rec_no);
        if (before >= r->len) {
            before -= r->len;
            continue;
        }
        n = r->len - before < len ? r->len - before : len;
        memcpy(to, r->bytes + before, n);
        to += n;
        len -= n;
        before = 0;
    }
    return true;
}
