// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules for joining received frames. Frames are joined only if the originals
 * can be rebuilt byte for byte; see "Joined frames" in docs/abi.rst. This file
 * knows neither buffers nor QEMU.
 */
#include <string.h>

#include "gro.h"
#include "sum.h"
#include "vktls_abi.h"

#define IPV4_HDR 20
#define IPV6_HDR 40
#define IPV4_DF 0x40    /* "don't fragment", in byte 6 of the header */

#define TCP_PSH 0x08
#define TCP_ACK 0x10

/* True if bytes @from to @to - 1 of two headers are equal. */
static bool same(const uint8_t *a, const uint8_t *b, size_t from, size_t to)
{
    return !memcmp(a + from, b + from, to - from);
}

bool vkdev_gro_able(const uint8_t *frame, const VkdevWire *w, size_t len)
{
    const uint8_t *tcp = frame + w->l4;

    return vkdev_wire_is_tcp(w) && w->l3 == VKDEV_ETH_HDR &&
           w->l4 == w->l3 + (w->version == 4 ? IPV4_HDR : IPV6_HDR) &&
           w->l3 + w->ip_len == len && w->payload < len && !(frame[0] & 1) &&
           !(tcp[12] & 15) && (tcp[13] & ~TCP_PSH) == TCP_ACK;
}

static void gro_take(VkdevGro *gro, const uint8_t *frame, const VkdevWire *w,
                     uint32_t payload)
{
    uint8_t push = frame[w->l4 + 13] & TCP_PSH;

    gro->segs++;
    gro->payload += payload;
    gro->hdr[gro->l4 + 13] |= push;
    gro->last = push || payload < gro->seg_len;
}

void vkdev_gro_begin(VkdevGro *gro, const uint8_t *frame, const VkdevWire *w,
                     size_t len)
{
    memcpy(gro->hdr, frame, w->payload);
    gro->hdr_len = w->payload;
    gro->l4 = w->l4;
    gro->seg_len = len - w->payload;
    gro->segs = 0;
    gro->payload = 0;
    gro->version = w->version;
    gro->same_id = false;
    gro_take(gro, frame, w, gro->seg_len);
}

/*
 * Check the IPv4 identification. The second frame decides whether all frames
 * have the same one, or each frame one more than the frame before.
 */
static bool gro_fits_id(const VkdevGro *gro, const uint8_t *ip)
{
    const uint8_t *first = gro->hdr + VKDEV_ETH_HDR;
    uint16_t step = vkdev_get_be16(ip + 4) - vkdev_get_be16(first + 4);

    if (gro->segs == 1 && !step) {
        return ip[6] & IPV4_DF;
    }
    return step == (gro->same_id ? 0 : gro->segs);
}

static bool gro_fits_ip(const VkdevGro *gro, const uint8_t *ip)
{
    const uint8_t *first = gro->hdr + VKDEV_ETH_HDR;

    if (gro->version == 6) {
        return same(first, ip, 0, 4) && same(first, ip, 6, IPV6_HDR);
    }
    return same(first, ip, 0, 2) && same(first, ip, 6, 10) &&
           same(first, ip, 12, IPV4_HDR) && gro_fits_id(gro, ip);
}

static bool gro_fits_tcp(const VkdevGro *gro, const uint8_t *tcp)
{
    const uint8_t *first = gro->hdr + gro->l4;

    return vkdev_get_be32(tcp + 4) - vkdev_get_be32(first + 4) ==
           gro->payload && same(first, tcp, 0, 4) && same(first, tcp, 8, 13) &&
           same(first, tcp, 14, 16) &&
           same(first, tcp, 18, gro->hdr_len - gro->l4);
}

bool vkdev_gro_fits(const VkdevGro *gro, const uint8_t *frame,
                    const VkdevWire *w, size_t len)
{
    size_t payload = len - w->payload;

    return gro->segs && !gro->last && gro->segs < VKTLS_RX_GRO_SEGS &&
           w->version == gro->version && w->payload == gro->hdr_len &&
           payload <= gro->seg_len &&
           gro->hdr_len + gro->payload + payload <= VKTLS_RX_GRO_BYTES &&
           same(gro->hdr, frame, 0, VKDEV_ETH_HDR) &&
           gro_fits_ip(gro, frame + w->l3) && gro_fits_tcp(gro, frame + w->l4);
}

void vkdev_gro_add(VkdevGro *gro, const uint8_t *frame, const VkdevWire *w,
                   size_t len)
{
    if (gro->segs == 1 && gro->version == 4) {
        gro->same_id = same(gro->hdr, frame, w->l3 + 4, w->l3 + 6);
    }
    gro_take(gro, frame, w, len - w->payload);
}

void vkdev_gro_finish(VkdevGro *gro)
{
    uint32_t l4_len = gro->hdr_len - gro->l4 + gro->payload;
    uint32_t ip_len = l4_len + gro->l4 - VKDEV_ETH_HDR;
    uint8_t *ip = gro->hdr + VKDEV_ETH_HDR;
    uint8_t *tcp = gro->hdr + gro->l4;

    if (gro->version == 4) {
        vkdev_put_be16(ip + 2, ip_len);
        memset(ip + 10, 0, 2);
        vkdev_sum_store(ip + 10, vkdev_sum_words(ip, IPV4_HDR / 4));
    } else {
        vkdev_put_be16(ip + 4, ip_len - IPV6_HDR);
    }
    vkdev_wire_pseudo_store(tcp + 16, ip, gro->version, l4_len);
}
