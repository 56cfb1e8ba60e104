/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transmit and receive queues, and the packet that each of them is working on.
 * All functions run under QEMU's big lock.
 */
#ifndef VKDEV_QUEUE_H
#define VKDEV_QUEUE_H

#include "net/net.h"
#include "soc/core.h"
#include "hold.h"
#include "ring.h"
#include "frame/tso.h"

/*
 * Largest packet that is gathered: a replay includes the bytes of its records
 * before and after the payload.
 */
#define VKDEV_GATHER_MAX (VKTLS_TX_MAX_BYTES + 2 * VKTLS_TX_REPLAY_MAX)

/* Number of descriptors that are fetched ahead; no ring is smaller. */
#define VKDEV_TX_FETCH (1 << VKTLS_RING_MIN_LOG2)

#define VKDEV_FRAME_MAX (VKTLS_MTU_MAX + VKDEV_ETH_HDR + 2 * VKDEV_VLAN_HDR)

typedef struct VkdevQueue {
    VkdevState *dev;
    VkdevRing ring;
    VkdevCq cq;
    uint8_t type;       /* VKTLS_QUEUE_* */
    uint8_t id;
    bool live;          /* true if created and not stopped by an error */
    bool created;
} VkdevQueue;

/* The packet of a transmit queue that is being prepared or sent. */
typedef struct VkdevTxPacket {
    struct vktls_tx_offload off;    /* in the host's byte order */
    uint64_t rec_no;    /* first record; with VKTLS_TXO_REPLAY only */
    uint32_t before; /* with REPLAY: bytes read before the payload, not sent */
    uint32_t after;
    bool report; /* VKTLS_TXD_CPL: complete the packet even without error */
    bool busy;          /* some frames of the packet are still to be sent */
    uint16_t descs; /* descriptors in the ring, those without data included */
    uint16_t data;      /* index of the first descriptor with data */
    uint32_t len;       /* bytes to send, before segmentation */
    uint8_t *frame;     /* start of the packet in the queue's buf */
    uint32_t tcp_seq;   /* sequence number for a completion with a TLS status */
    VkdevWire wire;
    VkdevTso tso;
} VkdevTxPacket;

typedef struct VkdevTxQueue {
    VkdevQueue q;
    QEMUBH *bh;
    uint8_t *buf;       /* VKDEV_VLAN_HDR + VKDEV_GATHER_MAX bytes */
    VkdevTxPacket pkt;
    uint32_t fetched;   /* valid entries of desc, from the head on */
    struct vktls_tx_desc desc[VKDEV_TX_FETCH];  /* cache of the ring */
} VkdevTxQueue;

#define VKDEV_RX_BUFS DIV_ROUND_UP(VKDEV_FRAME_MAX, VKTLS_RX_BUF_MIN)
QEMU_BUILD_BUG_ON(VKDEV_RX_BUFS < VKTLS_RX_GRO_BUFS);

/* The packet of a receive queue that is being written to buffers. */
typedef struct VkdevRxPacket {
    uint64_t addr[VKDEV_RX_BUFS];
    uint32_t size[VKDEV_RX_BUFS];
    unsigned count; /* buffers found, from the ring's head on; 0 = no packet */
    unsigned at;        /* index of the buffer that is being filled */
    uint32_t used;      /* bytes in the buffer that is being filled */
    uint32_t frames;
    uint32_t bytes;     /* bytes of all frames, as received */
    uint16_t flags; /* copied to the completions, as vlan_tci and hash are */
    uint16_t vlan_tci;
    uint32_t hash;
    bool multicast;
    bool broadcast;
    uint16_t seg_len;   /* with VKTLS_RXC_GRO in flags */
} VkdevRxPacket;

typedef struct VkdevRxQueue {
    VkdevQueue q;
    VkdevRxPacket pkt;
    /* Packets that wait, the oldest first; from held_num on, memory for more. */
    VkdevRxHeld *held[VKDEV_RX_HELD];
    unsigned held_num;
    uint32_t held_bufs; /* buffers that the packets in held need */
    uint32_t hold_size; /* bytes of the ring's next buffer when held was empty */
} VkdevRxQueue;

/* Functions of queue.c */
void vkdev_queue_init(VkdevState *s);
void vkdev_queue_fini(VkdevState *s);
void vkdev_queue_free(VkdevState *s);
void vkdev_queue_reset(VkdevState *s);
uint16_t vkdev_queue_create(VkdevState *s, const VkdevCoreQueue *cfg);
uint16_t vkdev_queue_destroy(VkdevState *s, uint32_t type, uint32_t id);
void vkdev_queue_stop(VkdevQueue *q, uint16_t status);

/* Functions of tx.c */
void vkdev_tx_init(VkdevTxQueue *txq);
void vkdev_tx_fini(VkdevTxQueue *txq);
void vkdev_tx_free(VkdevTxQueue *txq);
void vkdev_tx_start(VkdevTxQueue *txq);
void vkdev_tx_stop(VkdevTxQueue *txq);
void vkdev_tx_kick(VkdevTxQueue *txq);

/** Complete the current packet, if there is one; frames not sent are lost. */
void vkdev_tx_abandon(VkdevTxQueue *txq);
void vkdev_tx_frame(VkdevState *s, struct iovec *iov, int iovcnt);

/* Functions of rx.c */
void vkdev_rx_init(VkdevState *s);
void vkdev_rx_fini(VkdevState *s);
void vkdev_rx_kick(VkdevState *s);
void vkdev_rx_wake(VkdevState *s);
void vkdev_rx_settle(VkdevState *s);
void vkdev_rx_frame(VkdevState *s, const uint8_t *frame, size_t len);
bool vkdev_rx_can_receive(NetClientState *nc);
ssize_t vkdev_rx_receive(NetClientState *nc, const struct iovec *iov,
                         int iovcnt);

/* Functions of rxq.c */

/** Buffers in the ring that can be filled and completed. */
uint32_t vkdev_rxq_free(const VkdevRxQueue *rxq);

/**
 * True if the ring has a free buffer beyond those for the packets that wait.
 */
bool vkdev_rxq_ready(const VkdevRxQueue *rxq);

/** Bytes of the next buffer; 0 if there is none, or its descriptor is wrong. */
uint32_t vkdev_rxq_next_size(VkdevRxQueue *rxq);

/**
 * Find buffers for a packet of @len bytes. False, without a change, when the
 * packet would need more than VKDEV_RX_BUFS, or the ring has too few. An invalid
 * descriptor stops the queue.
 */
bool vkdev_rxq_find(VkdevRxQueue *rxq, uint32_t len);

/**
 * Write @len bytes to the packet, after vkdev_rxq_find() found buffers
 * for them. False when DMA failed, which stopped the queue.
 */
bool vkdev_rxq_put(VkdevRxQueue *rxq, const uint8_t *p, uint32_t len);

/** Complete the packet. */
void vkdev_rxq_end(VkdevRxQueue *rxq);

/** Drop the packet, if there is one, and those that wait; buffers stay in the ring. */
void vkdev_rxq_forget(VkdevRxQueue *rxq);

#endif
