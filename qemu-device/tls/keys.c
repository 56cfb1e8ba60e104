// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Successive keys of a context. A receiving context of TLS 1.3 may hold the
 * keys that follow the key in use. A KeyUpdate with a right tag puts the next
 * key in use. The replaced key is kept for late packets, until the next
 * replacement. This file does not know packets.
 */
#include <stdlib.h>
#include <string.h>

#include "priv.h"

#define TYPE_KEY_UPDATE 24

/* A KeyUpdate (RFC 8446 section 4.6.3) and the content type of its record. */
static const uint8_t update[] = {
    TYPE_KEY_UPDATE, 0, 0, 1, 0, VKDEV_TYPE_HANDSHAKE
};

#define UPDATE_REQUEST 4 /* place in update[] of a byte that may be 0 or 1 */

/*
 * Start a scan for the record at the cursor; the record's header is complete.
 */
void vkdev_tls_scan_start(VkdevTlsCtx *c)
{
    c->scan = (VkdevTlsScan) { 0 };
}

/*
 * Compare the next @len bytes of a record's plaintext with a KeyUpdate. Also
 * note the last byte so far that is not zero, which is the content type at the
 * end.
 */
void vkdev_tls_scan(VkdevTlsScan *scan, const uint8_t *p, size_t len)
{
    uint8_t want, bits;

    for (size_t end = len; end; end--) {
        if (p[end - 1]) {
            scan->type = p[end - 1];
            break;
        }
    }
    for (; len && !scan->differs; p++, len--) {
        want = scan->matched < sizeof(update) ? update[scan->matched] : 0;
        bits = scan->matched == UPDATE_REQUEST ? 0xfe : 0xff;
        scan->differs = (*p & bits) != want;
        scan->matched += scan->matched < sizeof(update);
    }
}

/* True if the record that has ended is a KeyUpdate, with or without padding. */
bool vkdev_tls_scan_update(const VkdevTlsScan *scan)
{
    return scan->matched == sizeof(update) && !scan->differs && !scan->unsure;
}

/*
 * True if the context has the key @ahead places after the key in use. For 0:
 * true if it has the key in use itself.
 */
bool vkdev_tls_key_there(const VkdevTlsCtx *c, uint32_t ahead)
{
    if (!c->keys) {
        return !ahead;
    }
    return ahead ? ahead <= c->keys->count : !c->keys->missing;
}

static void key_wipe(const VkdevTlsCtx *c, VkdevTlsKey *k)
{
    vkdev_tls_key_forget(c, k);
    vkdev_tls_held_forget(c, k);
    vkdev_aead_wipe(k, sizeof(*k));
}

/*
 * Put the next key in use. The replaced key protected @records records. If the
 * context has no next key, it is without a key until vkdev_tls_next().
 */
void vkdev_tls_key_step(VkdevTlsCtx *c, uint64_t records)
{
    VkdevTlsKeys *k = c->keys;

    if (k->old.serial) {
        key_wipe(c, &k->old);
    }
    k->old = c->use;
    k->old_records = records;
    vkdev_aead_wipe(&c->use, sizeof(c->use));
    k->number++;
    k->missing = !k->count;
    if (!k->missing) {
        c->use = k->next[0];
        k->count--;
        memmove(&k->next[0], &k->next[1], k->count * sizeof(k->next[0]));
        vkdev_aead_wipe(&k->next[k->count], sizeof(k->next[0]));
    }
}

/* Wipe and free all keys except the key in use. */
void vkdev_tls_keys_free(VkdevTlsCtx *c)
{
    VkdevTlsKeys *k = c->keys;

    if (!k) {
        return;
    }
    for (int i = 0; i < k->count; i++) {
        key_wipe(c, &k->next[i]);
    }
    if (k->old.serial) {
        key_wipe(c, &k->old);
    }
    vkdev_aead_wipe(k, sizeof(*k));
    free(k);
    c->keys = NULL;
}

static unsigned next_check(const VkdevTlsCtx *c, uint32_t key_no,
                           const uint8_t *key)
{
    const VkdevTlsKeys *k = c->keys;
    uint32_t last = k ? k->number + k->count - k->missing : 0;

    if (c->direction != VKTLS_DIR_RX ||
        c->suite->version != VKTLS_VERSION_TLS13) {
        return VKTLS_ST_UNSUPPORTED;
    }
    if (!vkdev_tls_key_tail_zero(key, c->suite->alg)) {
        return VKTLS_ST_RESERVED;
    }
    if (key_no != last + 1) {
        return VKTLS_ST_PARAM;
    }
    return k && k->count == VKTLS_TLS_NEXT_KEYS ? VKTLS_ST_FULL : VKTLS_ST_OK;
}

static bool keys_alloc(VkdevTlsCtx *c)
{
    c->keys = calloc(1, sizeof(*c->keys));
    c->scan.unsure = true; /* the record at the cursor was not scanned so far */
    return c->keys;
}

unsigned vkdev_tls_next(VkdevTlsCtx *c, uint32_t key_no, const uint8_t *iv,
                        const uint8_t *key)
{
    unsigned st = next_check(c, key_no, key);
    VkdevTlsKey *to;

    if (st != VKTLS_ST_OK) {
        return st;
    }
    if (!c->keys && !keys_alloc(c)) {
        return VKTLS_ST_FULL;
    }
    to = c->keys->missing ? &c->use : &c->keys->next[c->keys->count++];
    to->serial = vkdev_tls_engine_serial(c->engine);
    memcpy(to->iv, iv, sizeof(to->iv));
    memcpy(to->key, key, sizeof(to->key));
    if (c->keys->missing) {
        c->keys->missing = false;
        vkdev_tls_rx_key_came(c);
    }
    return VKTLS_ST_OK;
}
