/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of a receive queue that wait for more frames.
 */
#ifndef VKDEV_HOLD_H
#define VKDEV_HOLD_H

#include "frame/gro.h"
#include "vktls_abi.h"

/* Connections of a queue that can send by turns and still have frames joined. */
#define VKDEV_RX_HELD 64

typedef struct VkdevState VkdevState;
typedef struct VkdevRxQueue VkdevRxQueue;

/* A packet that waits, in the device's memory. */
typedef struct VkdevRxHeld {
    VkdevGro gro;
    uint32_t bytes;     /* bytes of all frames, as received */
    uint32_t hash;      /* copied to the completions, as flags and vlan_tci are */
    uint16_t flags;
    uint16_t vlan_tci;
    uint8_t payload[VKTLS_RX_GRO_BYTES];
} VkdevRxHeld;

void vkdev_hold_init(VkdevState *s);
void vkdev_hold_fini(VkdevState *s);
void vkdev_hold_free(VkdevRxQueue *rxq);

/** The packet of the frame's connection, or NULL. */
VkdevRxHeld *vkdev_hold_find(const VkdevRxQueue *rxq, const uint8_t *frame,
                             const VkdevWire *w);

/**
 * True if the ring has buffers for all packets that wait, and for @len more
 * bytes in a packet of their own; and if @held, unless it is NULL, may have
 * @payload more bytes.
 */
bool vkdev_hold_room(VkdevRxQueue *rxq, const VkdevRxHeld *held, uint32_t len,
                     uint32_t payload);

/**
 * Complete all packets that wait, if a packet of @len bytes would take buffers
 * that are for them.
 */
void vkdev_hold_make_room(VkdevRxQueue *rxq, uint32_t len);

/**
 * Begin a packet with a frame for which vkdev_gro_able() is true, after
 * vkdev_hold_room(). @len is without padding. The caller sets flags, vlan_tci
 * and hash. NULL, with nothing done, if the queue stops.
 */
VkdevRxHeld *vkdev_hold_begin(VkdevRxQueue *rxq, const uint8_t *frame,
                              const VkdevWire *w, uint32_t len);

/**
 * Add a frame for which vkdev_gro_fits() is true, after vkdev_hold_room(). @len
 * is without padding.
 */
void vkdev_hold_add(VkdevRxQueue *rxq, VkdevRxHeld *held, const uint8_t *frame,
                    const VkdevWire *w, uint32_t len);

/** Complete a packet. */
void vkdev_hold_end(VkdevRxQueue *rxq, VkdevRxHeld *held);

/** Complete all packets of the queue. */
void vkdev_hold_end_all(VkdevRxQueue *rxq);

/** Drop all packets of the queue. */
void vkdev_hold_forget(VkdevRxQueue *rxq);

#endif
