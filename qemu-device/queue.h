/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transmit and receive queues, created by firmware, and the packets that move
 * through them. All of it runs under QEMU's big lock.
 */
#ifndef VKDEV_QUEUE_H
#define VKDEV_QUEUE_H

#include "net/net.h"
#include "soc/core.h"
#include "frame/gro.h"
#include "ring.h"
#include "frame/wire.h"

/* A packet and, for a replay, the rest of its records. */
#define VKDEV_GATHER_MAX (VKTLS_TX_MAX_BYTES + 2 * VKTLS_TX_REPLAY_MAX)

/* Descriptors that are read before their turn, no more than any ring has. */
#define VKDEV_TX_FETCH (1 << VKTLS_RING_MIN_LOG2)

#define VKDEV_FRAME_MAX (VKTLS_MTU_MAX + VKDEV_ETH_HDR + 2 * VKDEV_VLAN_HDR)

typedef struct VkdevQueue {
    VkdevState *dev;
    VkdevRing ring;
    VkdevCq cq;
    uint8_t type;       /* VKTLS_QUEUE_* */
    uint8_t id;
    bool live;          /* created, and not stopped by an error */
    bool created;
} VkdevQueue;

/* A packet on its way from the ring to the wire. */
typedef struct VkdevTxPacket {
    struct vktls_tx_offload off;    /* in the host's byte order */
    uint64_t rec_no;    /* with VKTLS_TXO_REPLAY, as the next two */
    uint32_t before;    /* bytes of records around the payload: not sent */
    uint32_t after;
    bool report;        /* VKTLS_TXD_CPL: completion also without an error */
    bool busy;          /* frames still to be sent */
    uint16_t descs;     /* ring entries, those without data included */
    uint16_t data;      /* index of the first one with data */
    uint32_t len;       /* bytes that leave, before segmentation */
    uint8_t *frame;     /* in the queue's buffer */
    uint32_t tcp_seq;   /* expected by the context, with a TLS status */
    VkdevWire wire;
    VkdevTso tso;
} VkdevTxPacket;

typedef struct VkdevTxQueue {
    VkdevQueue q;
    QEMUBH *bh;
    uint8_t *buf;       /* VLAN tag, VKDEV_GATHER_MAX; lives as the device */
    VkdevTxPacket pkt;
    uint32_t fetched;   /* valid entries of @desc, from the head on */
    struct vktls_tx_desc desc[VKDEV_TX_FETCH];  /* a ring */
} VkdevTxQueue;

#define VKDEV_RX_BUFS DIV_ROUND_UP(VKDEV_FRAME_MAX, VKTLS_RX_BUF_MIN)
QEMU_BUILD_BUG_ON(VKDEV_RX_BUFS < VKTLS_RX_GRO_BUFS);

/* The open packet of a receive queue: in buffers, not completed yet. */
typedef struct VkdevRxPacket {
    uint64_t addr[VKDEV_RX_BUFS];
    uint32_t size[VKDEV_RX_BUFS];
    unsigned count;     /* buffers, from the ring's head on; 0 = no packet */
    unsigned at;        /* index of the buffer being filled */
    uint32_t used;      /* bytes in it */
    uint32_t frames;
    uint32_t bytes;     /* bytes of the frames, as received */
    uint16_t flags;     /* flags, vlan_tci, hash: for the completions */
    uint16_t vlan_tci;
    uint32_t hash;
    bool multicast;
    bool broadcast;
    VkdevGro gro;       /* segs == 0: no frame may be joined */
} VkdevRxPacket;

typedef struct VkdevRxQueue {
    VkdevQueue q;
    VkdevRxPacket pkt;
} VkdevRxQueue;

/* queue.c */
void vkdev_queue_init(VkdevState *s);
void vkdev_queue_fini(VkdevState *s);
void vkdev_queue_free(VkdevState *s);
void vkdev_queue_reset(VkdevState *s);
uint16_t vkdev_queue_create(VkdevState *s, const VkdevCoreQueue *cfg);
uint16_t vkdev_queue_destroy(VkdevState *s, uint32_t type, uint32_t id);
void vkdev_queue_stop(VkdevQueue *q, uint16_t status);

/* tx.c */
void vkdev_tx_init(VkdevTxQueue *txq);
void vkdev_tx_fini(VkdevTxQueue *txq);
void vkdev_tx_free(VkdevTxQueue *txq);
void vkdev_tx_start(VkdevTxQueue *txq);
void vkdev_tx_stop(VkdevTxQueue *txq);
void vkdev_tx_kick(VkdevTxQueue *txq);
void vkdev_tx_frame(VkdevState *s, struct iovec *iov, int iovcnt);

/* rx.c */
void vkdev_rx_init(VkdevState *s);
void vkdev_rx_fini(VkdevState *s);
void vkdev_rx_kick(VkdevState *s);
void vkdev_rx_wake(VkdevState *s);
void vkdev_rx_settle(VkdevState *s);
void vkdev_rx_frame(VkdevState *s, const uint8_t *frame, size_t len);
bool vkdev_rx_can_receive(NetClientState *nc);
ssize_t vkdev_rx_receive(NetClientState *nc, const struct iovec *iov,
                         int iovcnt);

/* rxq.c */

/** True when a buffer is free beside those of the open packet. */
bool vkdev_rxq_ready(const VkdevRxQueue *rxq);

/** True when free buffers of the least size would hold @len bytes. */
bool vkdev_rxq_sure(const VkdevRxQueue *rxq, uint32_t len);

/**
 * Find room for @len bytes more in the packet, which is begun if there is none.
 * False, and nothing has changed, when that takes more than @most buffers, or
 * more than there are; one that is not valid stops the queue.
 */
bool vkdev_rxq_find(VkdevRxQueue *rxq, uint32_t len, unsigned most);

/** Write @len bytes, for which there is room. False: the queue has stopped. */
bool vkdev_rxq_put(VkdevRxQueue *rxq, const uint8_t *p, uint32_t len);

/** Complete the packet, if there is one. */
void vkdev_rxq_end(VkdevRxQueue *rxq);

/** Drop the packet, if there is one. */
void vkdev_rxq_forget(VkdevRxQueue *rxq);

#endif
