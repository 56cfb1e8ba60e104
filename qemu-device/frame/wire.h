/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The format of frames: Ethernet, VLAN, IPv4, IPv6, TCP and UDP headers, their
 * checksums and the RSS hash.
 *
 * Pure C: no QEMU and no kernel header, no allocation. Every offset that these
 * functions return is inside the frame.
 */
#ifndef VKDEV_WIRE_H
#define VKDEV_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rss.h"

#define VKDEV_ETH_HDR 14
#define VKDEV_VLAN_HDR 4
#define VKDEV_ETH_MIN 60

#define VKDEV_IPPROTO_TCP 6
#define VKDEV_IPPROTO_UDP 17

/* Offsets of the headers of a frame. An incomplete header counts as absent. */
typedef struct VkdevWire {
    uint8_t version;    /* IP version: 4, 6, or 0 for none */
    uint8_t proto;      /* IP protocol after all extension headers */
    bool fragment;      /* a fragment of an IP packet */
    bool routed;        /* routing header with hops left: address not final */
    uint16_t l3;        /* offset of the IP header */
    uint16_t outer;     /* offset of the IP header around it; 0 = none */
    uint16_t outer_udp; /* offset of a tunnel's UDP header; 0 = none */
    uint16_t l4;        /* offset of the TCP or UDP header, 0 for none */
    uint16_t payload;   /* offset of the bytes after the TCP or UDP header */
    uint32_t ip_len;    /* length of the IP packet from its header */
} VkdevWire;

typedef enum VkdevWireSum {
    VKDEV_WIRE_SUM_NONE, /* no checksum, or one that this code does not check */
    VKDEV_WIRE_SUM_OK,
    VKDEV_WIRE_SUM_BAD,
} VkdevWireSum;

static inline uint16_t vkdev_get_be16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static inline void vkdev_put_be16(uint8_t *p, uint16_t v)
{
    p[0] = v >> 8;
    p[1] = v;
}

static inline uint32_t vkdev_get_be32(const uint8_t *p)
{
    return (uint32_t)vkdev_get_be16(p) << 16 | vkdev_get_be16(p + 2);
}

static inline void vkdev_put_be32(uint8_t *p, uint32_t v)
{
    vkdev_put_be16(p, v >> 16);
    vkdev_put_be16(p + 2, v);
}

/* Sequence number of a frame that has a TCP header. */
static inline uint32_t vkdev_wire_tcp_seq(const uint8_t *frame,
                                          const VkdevWire *w)
{
    return vkdev_get_be32(frame + w->l4 + 4);
}

/** Find the headers in the @len bytes of a frame at @frame. */
void vkdev_wire_parse(const uint8_t *frame, size_t len, VkdevWire *w);

/** Find the headers of the IP packet that begins at @l3. */
void vkdev_wire_parse_ip(const uint8_t *frame, size_t len, size_t l3,
                         VkdevWire *w);

/**
 * If the parsed frame is TCP or UDP in IP in IP, and nothing but the IP headers
 * is before that, replace @w by the headers of the inner packet.
 */
bool vkdev_wire_look_inside(const uint8_t *frame, size_t len, VkdevWire *w);

/** True if the frame has a complete TCP header and its final IP addresses. */
bool vkdev_wire_is_tcp(const VkdevWire *w);

/** Return the sum of the pseudo header for @l4_len bytes after an IP header. */
uint64_t vkdev_wire_pseudo_sum(const uint8_t *ip, unsigned version,
                               uint8_t proto, uint32_t l4_len);

/**
 * Store at @field (the TCP checksum) the sum of the pseudo header for @tcp_len
 * bytes of TCP after the IP header at @ip, as vkdev_wire_sum_fill() needs it.
 */
void vkdev_wire_pseudo_store(uint8_t *field, const uint8_t *ip,
                             unsigned version, uint32_t tcp_len);

/**
 * Sum the frame from @start to its end, with the current content of the
 * checksum field, and store the complement in that field, @offset bytes after
 * @start. False if the field or @start is outside the @len bytes of the frame.
 */
bool vkdev_wire_sum_fill(uint8_t *frame, size_t len, size_t start,
                         size_t offset);

/**
 * Check the IPv4 header checksum and the TCP or UDP checksum of a parsed frame
 * of @len bytes. @sum is the sum of the bytes after the Ethernet header (see
 * sum.h).
 */
VkdevWireSum vkdev_wire_sum_check(const uint8_t *frame, const VkdevWire *w,
                                  size_t len, uint64_t sum);

/**
 * Compute the Toeplitz hash of a parsed frame over the fields that @rss
 * selects for the frame's type.
 *
 * Return: VKTLS_RXC_HASH_L3 or _L4, 0 if @rss selects no field.
 */
unsigned vkdev_wire_hash(const uint8_t *frame, const VkdevWire *w,
                         const VkdevRss *rss, uint32_t *hash);

/** Insert a VLAN tag. The MAC addresses move to @frame - VKDEV_VLAN_HDR. */
void vkdev_wire_vlan_insert(uint8_t *frame, uint16_t tci);

#endif
