/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hash table from the flow of a TCP connection to the number of its receive
 * context. The time of a look-up does not depend on the number of flows, and a
 * peer cannot make it longer by its choice of flows, because the hash has a
 * secret.
 *
 * Pure C: no QEMU header. A flow is a struct vktls_tls_flow; all of its bytes
 * are compared.
 */
#ifndef VKDEV_FLOW_H
#define VKDEV_FLOW_H

#include "vktls_abi.h"
#include "wire.h"

#define VKDEV_FLOW_NONE UINT32_MAX
#define VKDEV_FLOW_SECRET 88

typedef struct VkdevFlowTable VkdevFlowTable;

/**
 * Allocate a table for contexts 0 to @places - 1, with one flow for each.
 * @secret is VKDEV_FLOW_SECRET bytes that no peer can guess. NULL when memory
 * is short.
 */
VkdevFlowTable *vkdev_flow_alloc(uint32_t places, const uint8_t *secret);

/** Free the table; NULL is allowed. */
void vkdev_flow_free(VkdevFlowTable *t);

/**
 * Give @flow to context @id, which must not have a flow yet. False, without a
 * change, if another context has the flow.
 */
bool vkdev_flow_add(VkdevFlowTable *t, uint32_t id,
                    const struct vktls_tls_flow *flow);

/** Remove the flow of context @id, if the context has one. */
void vkdev_flow_del(VkdevFlowTable *t, uint32_t id);

/** Return the number of the context that has @flow, or VKDEV_FLOW_NONE. */
uint32_t vkdev_flow_find(const VkdevFlowTable *t,
                         const struct vktls_tls_flow *flow);

/** Fill in the flow of a frame for which vkdev_wire_is_tcp() is true. */
void vkdev_flow_of(const uint8_t *frame, const VkdevWire *w,
                   struct vktls_tls_flow *flow);

#endif
