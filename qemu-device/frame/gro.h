/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Joining of received frames of a TCP connection into one packet (GRO).
 * vkdev_tso_next() cuts a joined packet into the original frames, byte for
 * byte.
 *
 * Pure C. Only headers are handled here; the caller stores the payload.
 */
#ifndef VKDEV_GRO_H
#define VKDEV_GRO_H

#include "wire.h"

/* Room for Ethernet, IPv6 and the longest TCP header. */
#define VKDEV_GRO_HDR_MAX (VKDEV_ETH_HDR + 40 + 60)

/* Headers of a packet to which more frames can be joined. */
typedef struct VkdevGro {
    uint8_t hdr[VKDEV_GRO_HDR_MAX];     /* headers of the first frame */
    uint16_t hdr_len;
    uint16_t l4;        /* offset of the TCP header */
    uint16_t seg_len;   /* payload of the first frame */
    uint16_t segs;      /* number of frames; 0 = no packet */
    uint32_t payload;   /* payload bytes of all frames */
    uint8_t version;    /* IP version */
    bool same_id;       /* all frames have the same IPv4 identification */
    bool last;          /* the last frame was added: no more may follow */
} VkdevGro;

/**
 * True if a parsed frame of @len bytes may be joined with others. The caller
 * has checked the frame's checksums.
 */
bool vkdev_gro_able(const uint8_t *frame, const VkdevWire *w, size_t len);

/** Begin a packet with a frame for which vkdev_gro_able() is true. */
void vkdev_gro_begin(VkdevGro *gro, const uint8_t *frame, const VkdevWire *w,
                     size_t len);

/**
 * True if the frame, for which vkdev_gro_able() is true, is the next one of
 * the packet; false if there is no packet.
 */
bool vkdev_gro_fits(const VkdevGro *gro, const uint8_t *frame,
                    const VkdevWire *w, size_t len);

/** Add a frame for which vkdev_gro_fits() is true. */
void vkdev_gro_add(VkdevGro *gro, const uint8_t *frame, const VkdevWire *w,
                   size_t len);

/**
 * Write the final headers of the packet to @gro->hdr. No frame may be added
 * afterwards.
 */
void vkdev_gro_finish(VkdevGro *gro);

#endif
