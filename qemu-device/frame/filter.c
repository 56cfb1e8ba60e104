// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flow filters. They are compared one after another, in the order of their
 * places in the table, where hardware would compare all at once. A frame costs
 * at most VKTLS_FLOW_FILTERS comparisons, and none while the table is empty,
 * because the caller then skips it.
 */
#include <string.h>

#include "filter.h"

bool vkdev_filter_set(VkdevFilterTable *t, unsigned place,
                      const struct vktls_flow_filter *flow)
{
    VkdevFilter *f;

    if (place >= VKTLS_FLOW_FILTERS || flow->action > VKTLS_FLOW_RSS ||
        (flow->ip_version != 4 && flow->ip_version != 6)) {
        return false;
    }
    f = &t->filter[place];
    memcpy(f->value, &flow->value, sizeof(f->value));
    memcpy(f->mask, &flow->mask, sizeof(f->mask));
    f->ip_version = flow->ip_version;
    f->proto = flow->proto;
    f->action = flow->action;
    f->rss_ctx = flow->action == VKTLS_FLOW_RSS ? flow->rss_ctx : 0;
    f->queue = flow->queue;
    if (place >= t->end) {
        t->end = place + 1;
    }
    return true;
}

bool vkdev_filter_get(const VkdevFilterTable *t, unsigned place,
                      struct vktls_flow_filter *flow)
{
    const VkdevFilter *f = &t->filter[place];

    if (place >= t->end || !f->ip_version) {
        return false;
    }
    *flow = (struct vktls_flow_filter) {
        .action = f->action,
        .rss_ctx = f->rss_ctx,
        .queue = f->queue,
        .ip_version = f->ip_version,
        .proto = f->proto,
    };
    memcpy(&flow->value, f->value, sizeof(f->value));
    memcpy(&flow->mask, f->mask, sizeof(f->mask));
    return true;
}

bool vkdev_filter_del(VkdevFilterTable *t, unsigned place)
{
    if (place >= VKTLS_FLOW_FILTERS || !t->filter[place].ip_version) {
        return false;
    }
    memset(&t->filter[place], 0, sizeof(t->filter[place]));
    while (t->end && !t->filter[t->end - 1].ip_version) {
        t->end--;
    }
    return true;
}

bool vkdev_filter_uses(const VkdevFilterTable *t, unsigned ctx)
{
    for (unsigned i = 0; i < t->end; i++) {
        if (t->filter[i].rss_ctx == ctx) {
            return true;
        }
    }
    return false;
}

/*
 * Build the key of a frame, for comparison with the filters. The ports in the
 * key are zero if the frame has no transport header.
 */
static void filter_key(const uint8_t *frame, const VkdevWire *w,
                       uint32_t *words)
{
    const uint8_t *ip = frame + w->l3;
    struct vktls_flow_key key = { .src = { 0 } };

    if (w->l4) {
        memcpy(key.src_port, frame + w->l4, 2);
        memcpy(key.dst_port, frame + w->l4 + 2, 2);
    }
    if (w->version == 4) {
        memcpy(key.src, ip + 12, 4);
        memcpy(key.dst, ip + 16, 4);
    } else {
        memcpy(key.src, ip + 8, 16);
        memcpy(key.dst, ip + 24, 16);
    }
    memcpy(words, &key, sizeof(key));
}

static bool filter_matches(const VkdevFilter *f, const VkdevWire *w,
                           const uint32_t *key)
{
    uint32_t differ = 0;

    if (f->ip_version != w->version ||
        (f->proto && (f->proto != w->proto || !w->l4))) {
        return false;
    }
    for (unsigned i = 0; i < VKDEV_FILTER_WORDS; i++) {
        differ |= (key[i] ^ f->value[i]) & f->mask[i];
    }
    return !differ;
}

const VkdevFilter *vkdev_filter_find(const VkdevFilterTable *t,
                                     const uint8_t *frame, const VkdevWire *w)
{
    uint32_t key[VKDEV_FILTER_WORDS];

    if (!w->version) {
        return NULL;
    }
    filter_key(frame, w, key);
    for (unsigned i = 0; i < t->end; i++) {
        if (filter_matches(&t->filter[i], w, key)) {
            return &t->filter[i];
        }
    }
    return NULL;
}
