/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors of transmit packets, for tx.c. */
#ifndef VKDEV_TX_H
#define VKDEV_TX_H

#include "vkdev.h"

typedef struct VkdevTxDescs {
    struct vktls_tx_desc desc[VKTLS_TX_REPLAY_DESCS];
    unsigned count;     /* descriptors of the packet; can exceed @desc */
} VkdevTxDescs;

/*
 * Look for the end of the packet at the head. False when it is not there yet,
 * or when the queue had to be stopped.
 */
bool vkdev_tx_scan(VkdevTxQueue *txq, VkdevTxDescs *d, int *budget);

/* Fill in @pkt from the packet's descriptors; returns a status. */
uint16_t vkdev_tx_take_descs(const VkdevState *s, VkdevTxPacket *pkt,
                             const VkdevTxDescs *d);

#endif
