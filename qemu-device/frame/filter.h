/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flow filters: they send a received frame to a queue or an RSS context, or
 * drop it. Pure C: no QEMU header.
 */
#ifndef VKDEV_FILTER_H
#define VKDEV_FILTER_H

#include "vktls_abi.h"
#include "wire.h"

#define VKDEV_FILTER_WORDS (sizeof(struct vktls_flow_key) / sizeof(uint32_t))

/* One place in the table of filters; ip_version 0 = the place is free. */
typedef struct VkdevFilter {
    uint32_t value[VKDEV_FILTER_WORDS]; /* a struct vktls_flow_key, as words */
    uint32_t mask[VKDEV_FILTER_WORDS];
    uint8_t ip_version;
    uint8_t proto;      /* 0 = any */
    uint8_t action;     /* VKTLS_FLOW_* */
    uint8_t rss_ctx;    /* 0 unless action is VKTLS_FLOW_RSS */
    uint8_t queue;
} VkdevFilter;

typedef struct VkdevFilterTable {
    unsigned end;       /* first place behind the last filter */
    VkdevFilter filter[VKTLS_FLOW_FILTERS];
} VkdevFilterTable;

/**
 * Put a filter into @place. False, without a change, if the place or the
 * action does not exist.
 */
bool vkdev_filter_set(VkdevFilterTable *t, unsigned place,
                      const struct vktls_flow_filter *flow);

/** Set @flow to the filter in @place. False if there is none. */
bool vkdev_filter_get(const VkdevFilterTable *t, unsigned place,
                      struct vktls_flow_filter *flow);

/** Empty @place. False if it is already empty, or does not exist. */
bool vkdev_filter_del(VkdevFilterTable *t, unsigned place);

/** True if any filter sends frames to the RSS context @ctx; @ctx is not 0. */
bool vkdev_filter_uses(const VkdevFilterTable *t, unsigned ctx);

/**
 * Return the first filter in the table that matches a parsed frame, or NULL.
 */
const VkdevFilter *vkdev_filter_find(const VkdevFilterTable *t,
                                     const uint8_t *frame, const VkdevWire *w);

#endif
