/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segmentation: a packet of TCP or UDP, which may be in a tunnel, is cut into
 * frames.
 *
 * Pure C, no allocation; payload is not copied.
 */
#ifndef VKDEV_TSO_H
#define VKDEV_TSO_H

#include "wire.h"

#define VKDEV_TSO_HDR_MAX 512

/* A packet that is being cut into frames of at most mss bytes of payload. */
typedef struct VkdevTso {
    const uint8_t *payload;
    uint32_t left;      /* payload bytes not yet cut */
    uint32_t mss;
    uint16_t l3;
    uint16_t l4;
    uint16_t hdr_len;
    uint16_t ip_id;     /* IP identification of the next frame */
    uint32_t tcp_seq;
    uint64_t ip_sum;    /* sums of the fields that are equal in all frames */
    uint64_t l4_sum;
    uint8_t version;
    uint8_t proto;      /* VKDEV_IPPROTO_TCP or _UDP */
    uint8_t tcp_off;
    uint8_t tcp_flags;  /* TCP flags of the packet */
    bool first;
    bool outer_sum;     /* the tunnel's UDP header has a checksum */
    uint16_t outer;     /* offset of the tunnel's IP header; 0 = no tunnel */
    uint16_t outer_udp; /* offset of the tunnel's UDP header; 0 = none */
    uint16_t outer_id;  /* the tunnel's IP identification of the next frame */
    uint8_t hdr[VKDEV_TSO_HDR_MAX];     /* headers of the current frame */
} VkdevTso;

/**
 * Replace the headers of a tunnel, @w, by those of the IP packet at @inner.
 *
 * Return: false if the frame is not a packet of TCP in a tunnel of IP, UDP or
 * GRE, or has a field that vkdev_tso_next() could not make up for.
 */
bool vkdev_tso_enter(const uint8_t *frame, size_t len, size_t inner,
                     VkdevWire *w);

/**
 * Begin to cut a packet of TCP or UDP, with its final IP addresses. @frame must
 * stay valid until vkdev_tso_next() has returned the last frame.
 *
 * Return: false if the headers are longer than VKDEV_TSO_HDR_MAX.
 */
bool vkdev_tso_init(VkdevTso *tso, const uint8_t *frame, size_t len,
                    const VkdevWire *w, uint16_t mss);

/**
 * Get the next frame: its headers in @tso->hdr (@tso->hdr_len bytes), and
 * @chunk bytes of payload at @data. False after the last frame.
 */
bool vkdev_tso_next(VkdevTso *tso, const uint8_t **data, uint32_t *chunk);

#endif
