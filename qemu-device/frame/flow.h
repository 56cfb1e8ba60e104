/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The receive context of a TCP connection: a hash table. The cost of a look-up
 * depends neither on the number of flows nor, as the hash has a secret, on the
 * choice of flows by a peer.
 *
 * Pure C: no QEMU header. A flow is struct vktls_tls_flow, all of its bytes.
 */
#ifndef VKDEV_FLOW_H
#define VKDEV_FLOW_H

#include "vktls_abi.h"
#include "wire.h"

#define VKDEV_FLOW_NONE UINT32_MAX
#define VKDEV_FLOW_SECRET 88

typedef struct VkdevFlowTable VkdevFlowTable;

/**
 * A table for contexts with the numbers 0 to @places - 1, one flow for each.
 * NULL when memory is short. @secret is VKDEV_FLOW_SECRET bytes that no peer
 * can guess.
 */
VkdevFlowTable *vkdev_flow_alloc(uint32_t places, const uint8_t *secret);

/** NULL is allowed. */
void vkdev_flow_free(VkdevFlowTable *t);

/**
 * Give @flow to context @id, which has no flow yet. False, and no change, when
 * another context has it.
 */
bool vkdev_flow_add(VkdevFlowTable *t, uint32_t id,
                    const struct vktls_tls_flow *flow);

/** Remove the flow of context @id, if the context has one. */
void vkdev_flow_del(VkdevFlowTable *t, uint32_t id);

/** The context that has @flow, VKDEV_FLOW_NONE when there is none. */
uint32_t vkdev_flow_find(const VkdevFlowTable *t,
                         const struct vktls_tls_flow *flow);

/** The flow of a frame that vkdev_wire_is_tcp(). */
void vkdev_flow_of(const uint8_t *frame, const VkdevWire *w,
                   struct vktls_tls_flow *flow);

#endif
