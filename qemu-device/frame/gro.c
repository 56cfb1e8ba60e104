// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules for joining received frames. Frames are joined only if the originals
 * can be rebuilt byte for byte; see "Joined frames" in docs/abi.rst. This file
 * knows neither buffers nor QEMU.
 */
#include <string.h>

#include "gro.h"
#include "sum.h"

#define IPV4_HDR 20
#define IPV6_HDR 40
#define IPV4_DF 0x40    /* "don't fragment", in byte 6 of the header */

#define IPV6_HOP_BY_HOP 0
#define IPV6_ROUTING 43
#define IPV6_DEST 60

#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_CWR 0x80

/* True if bytes @from to @to - 1 of two headers are equal. */
static bool same(const uint8_t *a, const uint8_t *b, size_t from, size_t to)
{
    return !memcmp(a + from, b + from, to - from);
}

static size_t ip_hdr(unsigned version)
{
    return version == 4 ? IPV4_HDR : IPV6_HDR;
}

/* True if all IPv6 extension headers of a parsed frame may be repeated. */
static bool gro_exts_able(const uint8_t *frame, const VkdevWire *w)
{
    size_t at = w->l3 + IPV6_HDR;
    uint8_t type = frame[w->l3 + 6];

    while (at < w->l4) {
        if (type != IPV6_HOP_BY_HOP && type != IPV6_ROUTING &&
            type != IPV6_DEST) {
            return false;
        }
        type = frame[at];
        at += (frame[at + 1] + 1) * 8;
    }
    return true;
}

static bool gro_ip_able(const uint8_t *frame, const VkdevWire *w, size_t len,
                        uint32_t modes)
{
    bool more = modes & VKTLS_PORT_RX_GRO_IP;
    size_t end = w->l3 + w->ip_len;

    if ((w->outer ? w->outer : w->l3) != VKDEV_ETH_HDR ||
        w->payload >= end || (more ? end > len : end != len)) {
        return false;
    }
    return w->l4 == w->l3 + ip_hdr(w->version) ||
           (more && w->version == 6 && w->payload <= VKDEV_GRO_HDR_MAX &&
            gro_exts_able(frame, w));
}

bool vkdev_gro_able(const uint8_t *frame, const VkdevWire *w, size_t len,
                    uint32_t modes)
{
    const uint8_t *tcp = frame + w->l4;
    uint8_t any = modes & VKTLS_PORT_RX_GRO_CWR ? TCP_PSH | TCP_CWR : TCP_PSH;

    return vkdev_wire_is_tcp(w) && gro_ip_able(frame, w, len, modes) &&
           !(frame[0] & 1) && !(tcp[12] & 15) && (tcp[13] & ~any) == TCP_ACK;
}

bool vkdev_gro_is_last(const uint8_t *frame, const VkdevWire *w)
{
    return frame[w->l4 + 13] & TCP_PSH;
}

static void gro_take(VkdevGro *gro, const uint8_t *frame, const VkdevWire *w)
{
    uint32_t payload = w->l3 + w->ip_len - w->payload;
    uint8_t push = frame[w->l4 + 13] & TCP_PSH;

    gro->segs++;
    gro->payload += payload;
    gro->hdr[gro->l4 + 13] |= push;
    gro->last = push || payload < gro->seg_len;
}

void vkdev_gro_begin(VkdevGro *gro, const uint8_t *frame, const VkdevWire *w,
                     uint32_t modes)
{
    memcpy(gro->hdr, frame, w->payload);
    gro->hdr_len = w->payload;
    gro->l3 = w->l3;
    gro->l4 = w->l4;
    gro->seg_len = w->l3 + w->ip_len - w->payload;
    gro->most = modes & VKTLS_PORT_RX_GRO_IP ? VKTLS_RX_GRO_IP_BYTES
                                             : VKTLS_RX_GRO_BYTES;
    gro->segs = 0;
    gro->payload = 0;
    gro->version = w->version;
    gro->same_id = false;
    gro->same_outer_id = false;
    gro_take(gro, frame, w);
}

bool vkdev_gro_same_flow(const VkdevGro *gro, const uint8_t *frame,
                         const VkdevWire *w)
{
    size_t from = gro->version == 4 ? 12 : 8;
    size_t to = gro->version == 4 ? 20 : 40;

    return vkdev_wire_is_tcp(w) && w->version == gro->version &&
           !memcmp(gro->hdr + gro->l4, frame + w->l4, 4) &&
           !memcmp(gro->hdr + gro->l3 + from, frame + w->l3 + from, to - from);
}

/*
 * Check the IPv4 identification at @id. The second frame decides whether all
 * frames have the same one, or each frame one more than the frame before.
 */
static bool gro_fits_id(const VkdevGro *gro, const uint8_t *ip, size_t at,
                        bool same_id)
{
    uint16_t step = vkdev_get_be16(ip + at + 4) -
                    vkdev_get_be16(gro->hdr + at + 4);

    if (gro->segs == 1 && !step) {
        return ip[at + 6] & IPV4_DF;
    }
    return step == (same_id ? 0 : gro->segs);
}

/* Check the IP header at @at, and all headers from it to @end. */
static bool gro_fits_ip(const VkdevGro *gro, const uint8_t *frame, size_t at,
                        size_t end, bool same_id)
{
    const uint8_t *first = gro->hdr;

    if (first[at] >> 4 == 6) {
        return same(first, frame, at, at + 4) &&
               same(first, frame, at + 6, end);
    }
    return same(first, frame, at, at + 2) &&
           same(first, frame, at + 6, at + 10) &&
           same(first, frame, at + 12, end) &&
           gro_fits_id(gro, frame, at, same_id);
}

static bool gro_fits_tcp(const VkdevGro *gro, const uint8_t *tcp)
{
    const uint8_t *first = gro->hdr + gro->l4;

    return vkdev_get_be32(tcp + 4) - vkdev_get_be32(first + 4) ==
           gro->payload && same(first, tcp, 0, 4) && same(first, tcp, 8, 13) &&
           !((first[13] ^ tcp[13]) & ~TCP_PSH) && same(first, tcp, 14, 16) &&
           same(first, tcp, 18, gro->hdr_len - gro->l4);
}

bool vkdev_gro_fits(const VkdevGro *gro, const uint8_t *frame,
                    const VkdevWire *w)
{
    size_t payload = w->l3 + w->ip_len - w->payload;

    return gro->segs && !gro->last && gro->segs < VKTLS_RX_GRO_SEGS &&
           w->version == gro->version && w->payload == gro->hdr_len &&
           w->l3 == gro->l3 && payload <= gro->seg_len &&
           gro->hdr_len + gro->payload + payload <= gro->most &&
           same(gro->hdr, frame, 0, VKDEV_ETH_HDR) &&
           (gro->l3 == VKDEV_ETH_HDR ||
            gro_fits_ip(gro, frame, VKDEV_ETH_HDR, gro->l3,
                        gro->same_outer_id)) &&
           gro_fits_ip(gro, frame, gro->l3, gro->l4, gro->same_id) &&
           gro_fits_tcp(gro, frame + w->l4);
}

/* True if the header at @at is of IPv4, with an identification like before. */
static bool gro_keeps_id(const VkdevGro *gro, const uint8_t *frame, size_t at)
{
    return gro->hdr[at] >> 4 == 4 && same(gro->hdr, frame, at + 4, at + 6);
}

void vkdev_gro_add(VkdevGro *gro, const uint8_t *frame, const VkdevWire *w)
{
    if (gro->segs == 1) {
        gro->same_id = gro_keeps_id(gro, frame, gro->l3);
        gro->same_outer_id = gro->l3 != VKDEV_ETH_HDR &&
                             gro_keeps_id(gro, frame, VKDEV_ETH_HDR);
    }
    gro_take(gro, frame, w);
}

/* Write the length of an IP packet of @len bytes to its header. */
static void gro_finish_ip(uint8_t *ip, uint32_t len)
{
    if (ip[0] >> 4 == 4) {
        vkdev_put_be16(ip + 2, len);
        memset(ip + 10, 0, 2);
        vkdev_sum_store(ip + 10, vkdev_sum_words(ip, IPV4_HDR / 4));
    } else {
        vkdev_put_be16(ip + 4, len - IPV6_HDR);
    }
}

void vkdev_gro_finish(VkdevGro *gro)
{
    uint32_t len = gro->hdr_len + gro->payload;
    uint8_t *ip = gro->hdr + gro->l3;

    if (gro->l3 != VKDEV_ETH_HDR) {
        gro_finish_ip(gro->hdr + VKDEV_ETH_HDR, len - VKDEV_ETH_HDR);
    }
    gro_finish_ip(ip, len - gro->l3);
    vkdev_wire_pseudo_store(gro->hdr + gro->l4 + 16, ip, gro->version,
                            len - gro->l4);
}
