// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hash table of flows, with open addressing and linear probing. At most half
 * of the slots are used, so a look-up ends after one or two steps on average.
 * Invariant: no slot is free between the slot that a flow's hash selects and
 * the slot where the flow is. Removal moves entries back to keep the
 * invariant.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"

#define SLOTS_MIN 16
#define FLOW_WORDS (sizeof(struct vktls_tls_flow) / sizeof(uint32_t))

/* Offset of the two ports, which have the same layout as in a packet. */
#define FLOW_PORTS offsetof(struct vktls_tls_flow, src_port)

_Static_assert(offsetof(struct vktls_tls_flow, dst_port) == FLOW_PORTS + 2,
               "ports are copied together");
_Static_assert((FLOW_WORDS + 1) * sizeof(uint64_t) == VKDEV_FLOW_SECRET,
               "a secret number for each word, and one more");

/*
 * One slot. The hash is stored too, so that a look-up reads the flow itself
 * only if the hashes are equal.
 */
typedef struct FlowSlot {
    uint32_t hash;
    uint32_t id;    /* VKDEV_FLOW_NONE = free */
} FlowSlot;

struct VkdevFlowTable {
    uint64_t secret[FLOW_WORDS + 1];
    uint32_t mask;  /* slots - 1, a power of two */
    uint32_t used;
    FlowSlot *slot;
    struct vktls_tls_flow *flow;    /* by context; ip_version 0 = none */
};

/*
 * Read word @i of a flow. Words have the size in which the flow was written,
 * because a load that spans two stores must wait for both. The result does not
 * depend on the host's byte order.
 */
static inline uint32_t flow_word(const struct vktls_tls_flow *flow, unsigned i)
{
    uint32_t word;

    memcpy(&word, (const uint8_t *)flow + i * sizeof(word), sizeof(word));
    return word;
}

static bool flow_equal(const struct vktls_tls_flow *a,
                       const struct vktls_tls_flow *b)
{
    uint32_t differ = 0;

    for (unsigned i = 0; i < FLOW_WORDS; i++) {
        differ |= flow_word(a, i) ^ flow_word(b, i);
    }
    return !differ;
}

/*
 * Multilinear hash: the upper half of the sum of each word times its own
 * secret number. Without the secret a peer cannot choose flows with equal
 * hashes: hashes of different flows are independent and uniform. The hash is
 * never shown, and a collision costs only one step, so the peer cannot learn
 * the secret. A pseudorandom function, which stays safe even if hashes are
 * shown, would take three times as long.
 */
static uint32_t flow_hash(const VkdevFlowTable *t,
                          const struct vktls_tls_flow *flow)
{
    uint64_t sum = t->secret[FLOW_WORDS];

    for (unsigned i = 0; i < FLOW_WORDS; i++) {
        sum += t->secret[i] * flow_word(flow, i);
    }
    return sum >> 32;
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

/* Return the slot of @flow, or the free slot where it would be inserted. */
static uint32_t flow_probe(const VkdevFlowTable *t, uint32_t hash,
                           const struct vktls_tls_flow *flow)
{
    uint32_t at = hash & t->mask;

    while (t->slot[at].id != VKDEV_FLOW_NONE &&
           (t->slot[at].hash != hash ||
            !flow_equal(&t->flow[t->slot[at].id], flow))) {
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

/* Empty the slot @at, and move later flows back to keep the invariant. */
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
    const uint8_t *ip = frame + w->l3;

    *flow = (struct vktls_tls_flow) { .ip_version = w->version };
    memcpy((uint8_t *)flow + FLOW_PORTS, frame + w->l4, 4);
    if (w->version == 4) {
        memcpy(flow->src, ip + 12, 4);
        memcpy(flow->dst, ip + 16, 4);
    } else {
        memcpy(flow->src, ip + 8, 16);
        memcpy(flow->dst, ip + 24, 16);
    }
}
