/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flow filters: they send received frames to a queue or an RSS context, or drop
 * them. Pure C: no QEMU header.
 */
#ifndef VKDEV_FILTER_H
#define VKDEV_FILTER_H

#include "vktls_abi.h"
#include "wire.h"

#define VKDEV_FILTER_WORDS (sizeof(struct vktls_flow_key) / sizeof(uint32_t))

/* A place of the table; ip_version 0 = free. */
typedef struct VkdevFilter {
    uint32_t value[VKDEV_FILTER_WORDS];     /* struct vktls_flow_key */
    uint32_t mask[VKDEV_FILTER_WORDS];
    uint8_t ip_version;
    uint8_t proto;      /* 0 = any */
    uint8_t action;     /* VKTLS_FLOW_* */
    uint8_t rss_ctx;    /* 0 unless action is VKTLS_FLOW_RSS */
    uint8_t queue;
} VkdevFilter;

typedef struct VkdevFilterTable {
    unsigned end;       /* no filter at this place or behind it */
    VkdevFilter filter[VKTLS_FLOW_FILTERS];
} VkdevFilterTable;

/** Put a filter in a place. False, and no change: no such place or action. */
bool vkdev_filter_set(VkdevFilterTable *t, unsigned place,
                      const struct vktls_flow_filter *flow);

/** Empty a place. False: it is free, or there is no such place. */
bool vkdev_filter_del(VkdevFilterTable *t, unsigned place);

/** True when a filter leads to the RSS context @ctx, which is not 0. */
bool vkdev_filter_uses(const VkdevFilterTable *t, unsigned ctx);

/** The filter in the lowest place that matches a parsed frame, or NULL. */
const VkdevFilter *vkdev_filter_find(const VkdevFilterTable *t,
                                     const uint8_t *frame, const VkdevWire *w);

#endif
