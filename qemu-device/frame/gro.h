/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Joining received frames of a TCP connection to one packet. vkdev_tso_next()
 * cuts a joined packet into the received frames again, byte for byte.
 *
 * Pure C, and only about headers: payload is where the caller put it.
 */
#ifndef VKDEV_GRO_H
#define VKDEV_GRO_H

#include "wire.h"

/* Ethernet, IPv6 and the longest TCP header. */
#define VKDEV_GRO_HDR_MAX (VKDEV_ETH_HDR + 40 + 60)

/* A packet that may grow. */
typedef struct VkdevGro {
    uint8_t hdr[VKDEV_GRO_HDR_MAX];     /* headers of the first frame */
    uint16_t hdr_len;
    uint16_t l4;        /* offset of the TCP header */
    uint16_t seg_len;   /* payload of the first frame */
    uint16_t segs;      /* frames, 0 = there is no packet */
    uint32_t payload;   /* payload bytes of all frames */
    uint8_t version;    /* IP version */
    bool same_id;       /* all frames have one IPv4 identification */
    bool last;          /* the last frame is there */
} VkdevGro;

/**
 * True when a parsed frame of @len bytes may be joined with others. The caller
 * has checked its checksums.
 */
bool vkdev_gro_able(const uint8_t *frame, const VkdevWire *w, size_t len);

/** Begin a packet with a frame that vkdev_gro_able() accepted. */
void vkdev_gro_begin(VkdevGro *gro, const uint8_t *frame, const VkdevWire *w,
                     size_t len);

/** True when such a frame is the next of the packet; false without one. */
bool vkdev_gro_fits(const VkdevGro *gro, const uint8_t *frame,
                    const VkdevWire *w, size_t len);

/** Append a frame that vkdev_gro_fits() accepted. */
void vkdev_gro_add(VkdevGro *gro, const uint8_t *frame, const VkdevWire *w,
                   size_t len);

/** Make @gro->hdr the headers of the packet; nothing may be joined after. */
void vkdev_gro_finish(VkdevGro *gro);

#endif
