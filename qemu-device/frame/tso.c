// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Segmentation. Each frame gets a copy of the packet's headers, in which a few
 * fields are written anew. This file knows neither rings nor QEMU.
 */
#include <string.h>

#include "sum.h"
#include "tso.h"

#define IPV6_HDR 40
#define IPPROTO_IPV4 4
#define IPPROTO_IPV6 41
#define IPPROTO_GRE 47

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

#define GRE_CSUM 0x80   /* in the first byte of the header */
#define GRE_SEQ 0x10

/*
 * True if a tunnel's headers can be repeated: nothing in them but IP and UDP
 * depends on the payload or counts packets.
 */
static bool tunnel_able(const uint8_t *frame, size_t len, const VkdevWire *w,
                        size_t inner)
{
    size_t end = w->l3 + (w->version == 4 ? (frame[w->l3] & 15) * 4
                                          : IPV6_HDR);

    if (!w->version || w->fragment || w->routed || inner < end ||
        inner >= len) {
        return false;
    }
    switch (w->proto) {
    case VKDEV_IPPROTO_UDP:
        return w->l4 && inner >= w->payload;
    case IPPROTO_GRE:
        return inner >= end + 4 && !(frame[end] & (GRE_CSUM | GRE_SEQ));
    case IPPROTO_IPV4:
    case IPPROTO_IPV6:
        return true;
    default:
        return false;
    }
}

bool vkdev_tso_enter(const uint8_t *frame, size_t len, size_t inner,
                     VkdevWire *w)
{
    VkdevWire in;

    if (!tunnel_able(frame, len, w, inner)) {
        return false;
    }
    vkdev_wire_parse_ip(frame, len, inner, &in);
    if (!vkdev_wire_is_tcp(&in)) {
        return false;
    }
    in.outer = w->l3;
    in.outer_udp = w->proto == VKDEV_IPPROTO_UDP ? w->l4 : 0;
    *w = in;
    return true;
}

/*
 * Sum the header fields that are equal in all frames of the packet; the fields
 * that differ are set to zero and added for each frame later.
 */
static void tso_sum_fixed(VkdevTso *tso)
{
    uint8_t *ip = tso->hdr + tso->l3;
    uint8_t *l4 = tso->hdr + tso->l4;

    if (tso->version == 4) {
        memset(ip + 2, 0, 4);
        memset(ip + 10, 0, 2);
        tso->ip_sum = vkdev_sum_words(ip, ip[0] & 15);
    }
    memset(l4 + 4, 0, 4);
    if (tso->proto == VKDEV_IPPROTO_TCP) {
        memset(l4 + 12, 0, 2);
        memset(l4 + 16, 0, 2);
    }
    tso->l4_sum = vkdev_wire_pseudo_sum(ip, tso->version, tso->proto, 0);
    tso->l4_sum += vkdev_sum_words(l4, (tso->hdr_len - tso->l4) / 4);
}

static void tso_take_tcp(VkdevTso *tso, const uint8_t *tcp)
{
    tso->tcp_seq = vkdev_get_be32(tcp + 4);
    tso->tcp_off = tcp[12];
    tso->tcp_flags = tcp[13];
}

static void tso_take_outer(VkdevTso *tso, const uint8_t *frame,
                           const VkdevWire *w)
{
    tso->outer = w->outer;
    tso->outer_udp = w->outer_udp;
    tso->outer_id = vkdev_get_be16(frame + w->outer + 4);
    tso->outer_sum = w->outer_udp && vkdev_get_be16(frame + w->outer_udp + 6);
}

bool vkdev_tso_init(VkdevTso *tso, const uint8_t *frame, size_t len,
                    const VkdevWire *w, uint16_t mss)
{
    if (w->payload > sizeof(tso->hdr)) {
        return false;
    }
    tso->payload = frame + w->payload;
    tso->left = len - w->payload;
    tso->mss = mss;
    tso->l3 = w->l3;
    tso->l4 = w->l4;
    tso->hdr_len = w->payload;
    tso->version = w->version;
    tso->proto = w->proto;
    tso->ip_id = vkdev_get_be16(frame + w->l3 + 4);
    tso->first = true;
    if (w->proto == VKDEV_IPPROTO_TCP) {
        tso_take_tcp(tso, frame + w->l4);
    }
    tso->outer = 0;
    if (w->outer) {
        tso_take_outer(tso, frame, w);
    }
    memcpy(tso->hdr, frame, w->payload);
    tso_sum_fixed(tso);
    return true;
}

static void tso_fill_ip(VkdevTso *tso, uint32_t chunk)
{
    uint8_t *ip = tso->hdr + tso->l3;
    uint32_t ip_len = tso->hdr_len - tso->l3 + chunk;

    if (tso->version == 6) {
        vkdev_put_be16(ip + 4, ip_len - IPV6_HDR);
        return;
    }
    vkdev_put_be16(ip + 2, ip_len);
    vkdev_put_be16(ip + 4, tso->ip_id);
    vkdev_sum_store(ip + 10,
                    tso->ip_sum + vkdev_sum_be32(ip_len & UINT16_MAX) +
                    vkdev_sum_be32(tso->ip_id));
    tso->ip_id++;
}

static void tso_fill_udp(VkdevTso *tso, const uint8_t *data, uint32_t chunk)
{
    uint8_t *udp = tso->hdr + tso->l4;
    uint32_t len = tso->hdr_len - tso->l4 + chunk;
    uint64_t acc = vkdev_sum_add(tso->l4_sum, data, chunk);

    vkdev_put_be16(udp + 4, len);
    /* The length is in the header, and in the pseudo header. */
    vkdev_sum_store(udp + 6, acc + 2 * (uint64_t)vkdev_sum_be32(len));
}

static void tso_fill_tcp(VkdevTso *tso, const uint8_t *data, uint32_t chunk)
{
    uint8_t *tcp = tso->hdr + tso->l4;
    uint32_t len = tso->hdr_len - tso->l4 + chunk;
    uint64_t acc = vkdev_sum_add(tso->l4_sum, data, chunk);

    acc += vkdev_sum_be32(len);
    acc += vkdev_sum_be32(tso->tcp_seq);
    acc += vkdev_sum_be32(tso->tcp_off << 8 | tcp[13]);
    vkdev_sum_store(tcp + 16, acc);
}

/*
 * Set the TCP flags of a frame: CWR only in the first frame, FIN and PSH only
 * in the last.
 */
static void tso_fill_flags(VkdevTso *tso, bool last)
{
    uint8_t *tcp = tso->hdr + tso->l4;
    uint8_t flags = tso->tcp_flags;

    if (!tso->first) {
        flags &= ~TCP_CWR;
    }
    if (!last) {
        flags &= ~(TCP_FIN | TCP_PSH);
    }
    tcp[12] = tso->tcp_off;
    tcp[13] = flags;
}

static void tso_fill_outer_ip(VkdevTso *tso, uint32_t len)
{
    uint8_t *ip = tso->hdr + tso->outer;

    if (ip[0] >> 4 == 6) {
        vkdev_put_be16(ip + 4, len - IPV6_HDR);
        return;
    }
    vkdev_put_be16(ip + 2, len);
    vkdev_put_be16(ip + 4, tso->outer_id++);
    memset(ip + 10, 0, 2);
    vkdev_sum_store(ip + 10, vkdev_sum_words(ip, ip[0] & 15));
}

/* Write the fields of a tunnel, after those of the packet in it. */
static void tso_fill_outer(VkdevTso *tso, const uint8_t *data, uint32_t chunk)
{
    uint8_t *udp = tso->hdr + tso->outer_udp;
    uint32_t hdr_len = tso->hdr_len - tso->outer_udp;
    uint32_t len = hdr_len + chunk;
    uint8_t *ip = tso->hdr + tso->outer;
    uint64_t sum;

    tso_fill_outer_ip(tso, tso->hdr_len - tso->outer + chunk);
    if (!tso->outer_udp) {
        return;
    }
    vkdev_put_be16(udp + 4, len);
    if (!tso->outer_sum) {
        return;
    }
    memset(udp + 6, 0, 2);
    sum = vkdev_sum_add(0, data, chunk);
    sum = hdr_len % 2 ? vkdev_sum_odd(sum) : sum;
    sum = vkdev_sum_add(sum, udp, hdr_len);
    vkdev_sum_store(udp + 6, sum + vkdev_wire_pseudo_sum(ip, ip[0] >> 4,
                                                         VKDEV_IPPROTO_UDP,
                                                         len));
}

static void tso_fill_l4(VkdevTso *tso, const uint8_t *data, uint32_t chunk)
{
    if (tso->proto == VKDEV_IPPROTO_UDP) {
        tso_fill_udp(tso, data, chunk);
        return;
    }
    vkdev_put_be32(tso->hdr + tso->l4 + 4, tso->tcp_seq);
    tso_fill_flags(tso, !tso->left);
    tso_fill_tcp(tso, data, chunk);
    tso->tcp_seq += chunk;
}

bool vkdev_tso_next(VkdevTso *tso, const uint8_t **data, uint32_t *chunk)
{
    if (!tso->first && !tso->left) {
        return false;
    }
    *chunk = tso->left < tso->mss ? tso->left : tso->mss;
    *data = tso->payload;
    tso->payload += *chunk;
    tso->left -= *chunk;
    tso_fill_ip(tso, *chunk);
    tso_fill_l4(tso, *data, *chunk);
    if (tso->outer) {
        tso_fill_outer(tso, *data, *chunk);
    }
    tso->first = false;
    return true;
}
