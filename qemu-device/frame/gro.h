/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Joining of received frames of a TCP connection into one packet (GRO).
 * vkdev_tso_next() cuts a joined packet of plain IP into the original frames,
 * byte for byte.
 *
 * Pure C. Only headers are handled here; the caller stores the payload.
 */
#ifndef VKDEV_GRO_H
#define VKDEV_GRO_H

#include "vktls_abi.h"
#include "wire.h"

/* Longest headers, so that they are in the first buffer of the packet. */
#define VKDEV_GRO_HDR_MAX VKTLS_RX_BUF_MIN

/* Headers of a packet to which more frames can be joined. */
typedef struct VkdevGro {
    uint8_t hdr[VKDEV_GRO_HDR_MAX];     /* headers of the first frame */
    uint16_t hdr_len;
    uint16_t l3;        /* offset of the last IP header; with IP in IP the
                           first one is behind the Ethernet header */
    uint16_t l4;        /* offset of the TCP header */
    uint16_t seg_len;   /* payload of the first frame */
    uint16_t segs;      /* number of frames; 0 = no packet */
    uint32_t payload;   /* payload bytes of all frames */
    uint32_t most;      /* limit of hdr_len + payload */
    uint8_t version;    /* IP version of the header at l3 */
    bool same_id;       /* all frames have the same IPv4 identification */
    bool same_outer_id; /* the same of the first header of IP in IP */
    bool last;          /* the last frame was added: no more may follow */
} VkdevGro;

/**
 * True if a parsed frame of @len bytes may be joined with others. The caller
 * has checked the frame's checksums, and has looked inside IP in IP if that is
 * to be joined. @modes are the VKTLS_PORT_RX_GRO_* in force.
 */
bool vkdev_gro_able(const uint8_t *frame, const VkdevWire *w, size_t len,
                    uint32_t modes);

/** True if such a frame ends a packet: no other may follow in it. */
bool vkdev_gro_is_last(const uint8_t *frame, const VkdevWire *w);

/** Begin a packet with a frame for which vkdev_gro_able() is true. */
void vkdev_gro_begin(VkdevGro *gro, const uint8_t *frame, const VkdevWire *w,
                     uint32_t modes);

/** True if the parsed frame is of the packet's connection, joined or not. */
bool vkdev_gro_same_flow(const VkdevGro *gro, const uint8_t *frame,
                         const VkdevWire *w);

/**
 * True if the frame, for which vkdev_gro_able() is true, is the next one of
 * the packet; false if there is no packet.
 */
bool vkdev_gro_fits(const VkdevGro *gro, const uint8_t *frame,
                    const VkdevWire *w);

/** Add a frame for which vkdev_gro_fits() is true. */
void vkdev_gro_add(VkdevGro *gro, const uint8_t *frame, const VkdevWire *w);

/**
 * Write the final headers of the packet to @gro->hdr. No frame may be added
 * afterwards.
 */
void vkdev_gro_finish(VkdevGro *gro);

#endif
