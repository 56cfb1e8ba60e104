// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open addressing with linear probing, at most half full, so that a look-up
 * ends after one or two steps. Invariant: between the slot where a flow's hash
 * points and the one that holds it no slot is free; removal moves entries back
 * to keep it so.
 */
#include <stdlib.h>
#include <string.h>

#include "flow.h"

#define SLOTS_MIN 16

/* A slot knows the hash, so that a step past it costs no look at the flow. */
typedef struct FlowSlot {
    uint32_t hash;
    uint32_t id;    /* VKDEV_FLOW_NONE = free */
} FlowSlot;

struct VkdevFlowTable {
    uint64_t secret[2];
    uint32_t mask;  /* slots - 1, a power of two */
    uint32_t used;
    FlowSlot *slot;
    struct vktls_tls_flow *flow;    /* by context; ip_version 0 = none */
};

static inline uint64_t rotate(uint64_t v, unsigned bits)
{
    return v << bits | v >> (64 - bits);
}

/* Eight of these for each frame: they must stay in registers. */
__attribute__((always_inline))
static inline void sip_round(uint64_t *v)
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 of five words; a host's byte order makes no difference. */
static uint32_t flow_hash(const VkdevFlowTable *t,
                          const struct vktls_tls_flow *flow)
{
    uint64_t v[4] = {
        t->secret[0] ^ 0x736f6d6570736575, t->secret[1] ^ 0x646f72616e646f6d,
        t->secret[0] ^ 0x6c7967656e657261, t->secret[1] ^ 0x7465646279746573,
    };
    uint64_t word[sizeof(*flow) / 8];

    memcpy(word, flow, sizeof(word));
    for (unsigned i = 0; i < sizeof(word) / sizeof(word[0]); i++) {
        v[3] ^= word[i];
        sip_round(v);
        v[0] ^= word[i];
    }
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    v[0] ^= v[1] ^ v[2] ^ v[3];
    return v[0] ^ v[0] >> 32;
}

VkdevFlowTable *vkdev_flow_alloc(uint32_t places, const uint8_t *secret)
{
    VkdevFlowTable *t = calloc(1, sizeof(*t));
    uint64_t slots = SLOTS_MIN;

    if (!t) {
        return NULL;
    }
    while (slots < 2 * (uint64_t)places) {
        slots *= 2;
    }
    memcpy(t->secret, secret, sizeof(t->secret));
    t->mask = slots - 1;
    t->slot = malloc(slots * sizeof(*t->slot));
    t->flow = calloc(places ? places : 1, sizeof(*t->flow));
    if (!t->slot || !t->flow) {
        vkdev_flow_free(t);
        return NULL;
    }
    memset(t->slot, 0xff, slots * sizeof(*t->slot));
    return t;
}

void vkdev_flow_free(VkdevFlowTable *t)
{
    if (t) {
        free(t->slot);
        free(t->flow);
        free(t);
    }
}

/* The slot that holds @flow, or the free one where it would go. */
static uint32_t flow_probe(const VkdevFlowTable *t, uint32_t hash,
                           const struct vktls_tls_flow *flow)
{
    uint32_t at = hash & t->mask;

    while (t->slot[at].id != VKDEV_FLOW_NONE &&
           (t->slot[at].hash != hash ||
            memcmp(&t->flow[t->slot[at].id], flow, sizeof(*flow)))) {
        at = (at + 1) & t->mask;
    }
    return at;
}

bool vkdev_flow_add(VkdevFlowTable *t, uint32_t id,
                    const struct vktls_tls_flow *flow)
{
    uint32_t hash = flow_hash(t, flow);
    FlowSlot *slot = &t->slot[flow_probe(t, hash, flow)];

    if (slot->id != VKDEV_FLOW_NONE) {
        return false;
    }
    *slot = (FlowSlot) { hash, id };
    t->flow[id] = *flow;
    t->used++;
    return true;
}

/* Empty the slot @at, and move back what only stood behind because of it. */
static void flow_close(VkdevFlowTable *t, uint32_t at)
{
    uint32_t next = at;

    for (;;) {
        next = (next + 1) & t->mask;
        if (t->slot[next].id == VKDEV_FLOW_NONE) {
            break;
        }
        if (((next - t->slot[next].hash) & t->mask) >=
            ((next - at) & t->mask)) {
            t->slot[at] = t->slot[next];
            at = next;
        }
    }
    t->slot[at].id = VKDEV_FLOW_NONE;
}

void vkdev_flow_del(VkdevFlowTable *t, uint32_t id)
{
    struct vktls_tls_flow *flow = &t->flow[id];

    if (flow->ip_version) {
        flow_close(t, flow_probe(t, flow_hash(t, flow), flow));
        memset(flow, 0, sizeof(*flow));
        t->used--;
    }
}

uint32_t vkdev_flow_find(const VkdevFlowTable *t,
                         const struct vktls_tls_flow *flow)
{
    if (!t->used) {
        return VKDEV_FLOW_NONE;
    }
    return t->slot[flow_probe(t, flow_hash(t, flow), flow)].id;
}

void vkdev_flow_of(const uint8_t *frame, const VkdevWire *w,
                   struct vktls_tls_flow *flow)
{
    const uint8_t *src = frame + w->l3 + (w->version == 4 ? 12 : 8);
    size_t len = w->version == 4 ? 4 : 16;

    memset(flow, 0, sizeof(*flow));
    flow->ip_version = w->version;
    memcpy(flow->src_port, frame + w->l4, 2);
    memcpy(flow->dst_port, frame + w->l4 + 2, 2);
    memcpy(flow->src, src, len);
    memcpy(flow->dst, src + len, len);
}
