// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Headers, checksums and RSS hash of a frame in one buffer. Each
 * length and offset in a packet is checked against the packet's size before it
 * is used. This file knows neither rings nor QEMU.
 */
#include <string.h>

#include "sum.h"
#include "vktls_abi.h"
#include "wire.h"

#define ETH_P_IPV4 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8

#define IPV4_HDR 20
#define IPV6_HDR 40
#define IPPROTO_IPV4 4
#define IPPROTO_IPV6 41
#define TCP_HDR 20
#define UDP_HDR 8

#define IPV6_EXT_MAX 8
#define IPV6_HOP_BY_HOP 0
#define IPV6_ROUTING 43
#define IPV6_FRAGMENT 44
#define IPV6_AUTH 51
#define IPV6_DEST 60

static void parse_l4(const uint8_t *frame, size_t end, size_t off,
                     VkdevWire *w)
{
    size_t hdr = UDP_HDR;

    if (w->fragment || off > UINT16_MAX - 64) {
        return;
    }
    if (w->proto == VKDEV_IPPROTO_TCP) {
        if (off + TCP_HDR > end) {
            return;
        }
        hdr = (frame[off + 12] >> 4) * 4;
        if (hdr < TCP_HDR) {
            return;
        }
    } else if (w->proto != VKDEV_IPPROTO_UDP) {
        return;
    }
    if (off + hdr <= end) {
        w->l4 = off;
        w->payload = off + hdr;
    }
}

/*
 * Return the end of the IP packet. If the IP length reaches past the frame,
 * this is the end of the frame; @w->ip_len stays as it is, so that the receive
 * path can refuse the frame.
 */
static size_t ip_end(size_t l3, uint32_t ip_len, size_t len)
{
    return ip_len && l3 + ip_len < len ? l3 + ip_len : len;
}

static void parse_ipv4(const uint8_t *frame, size_t len, size_t l3,
                       VkdevWire *w)
{
    const uint8_t *ip = frame + l3;
    size_t ihl;

    if (l3 + IPV4_HDR > len || ip[0] >> 4 != 4) {
        return;
    }
    ihl = (ip[0] & 15) * 4;
    if (ihl < IPV4_HDR || l3 + ihl > len) {
        return;
    }
    w->version = 4;
    w->l3 = l3;
    w->ip_len = vkdev_get_be16(ip + 2);
    w->proto = ip[9];
    w->fragment = vkdev_get_be16(ip + 6) & 0x3fff;
    parse_l4(frame, ip_end(l3, w->ip_len, len), l3 + ihl, w);
}

/*
 * Parse one IPv6 extension header at @off. Return its length, or 0 if there is
 * none.
 */
static size_t parse_ipv6_ext(const uint8_t *frame, size_t end, size_t off,
                             VkdevWire *w)
{
    const uint8_t *ext = frame + off;
    size_t hdr;

    if (off + 8 > end) {
        return 0;
    }
    switch (w->proto) {
    case IPV6_FRAGMENT:
        w->fragment |= vkdev_get_be16(ext + 2) & 0xfff9;
        hdr = 8;
        break;
    case IPV6_AUTH:
        hdr = (ext[1] + 2) * 4;
        break;
    case IPV6_ROUTING:
        w->routed |= ext[3];
        /* fall through */
    case IPV6_HOP_BY_HOP:
    case IPV6_DEST:
        hdr = (ext[1] + 1) * 8;
        break;
    default:
        return 0;
    }
    if (off + hdr > end) {
        return 0;
    }
    w->proto = ext[0];
    return hdr;
}

static void parse_ipv6(const uint8_t *frame, size_t len, size_t l3,
                       VkdevWire *w)
{
    const uint8_t *ip = frame + l3;
    size_t end, hdr, off = l3 + IPV6_HDR;

    if (off > len || ip[0] >> 4 != 6) {
        return;
    }
    w->version = 6;
    w->l3 = l3;
    w->proto = ip[6];
    w->ip_len = vkdev_get_be16(ip + 4);
    w->ip_len += w->ip_len ? IPV6_HDR : 0;
    end = ip_end(l3, w->ip_len, len);
    for (int i = 0; i < IPV6_EXT_MAX; i++) {
        hdr = parse_ipv6_ext(frame, end, off, w);
        if (!hdr) {
            break;
        }
        off += hdr;
    }
    parse_l4(frame, end, off, w);
}

void vkdev_wire_parse_ip(const uint8_t *frame, size_t len, size_t l3,
                         VkdevWire *w)
{
    memset(w, 0, sizeof(*w));
    if (l3 < len && frame[l3] >> 4 == 4) {
        parse_ipv4(frame, len, l3, w);
    } else if (l3 < len) {
        parse_ipv6(frame, len, l3, w);
    }
}

void vkdev_wire_parse(const uint8_t *frame, size_t len, VkdevWire *w)
{
    size_t l3 = VKDEV_ETH_HDR;
    uint16_t type;

    memset(w, 0, sizeof(*w));
    if (len < l3) {
        return;
    }
    type = vkdev_get_be16(frame + 12);
    for (int tags = 0; tags < 2; tags++) {
        if ((type != ETH_P_8021Q && type != ETH_P_8021AD) ||
            l3 + VKDEV_VLAN_HDR > len) {
            break;
        }
        type = vkdev_get_be16(frame + l3 + 2);
        l3 += VKDEV_VLAN_HDR;
    }
    if (type == ETH_P_IPV4) {
        parse_ipv4(frame, len, l3, w);
    } else if (type == ETH_P_IPV6) {
        parse_ipv6(frame, len, l3, w);
    }
}

/*
 * Return the offset of the IP packet inside the parsed one, 0 if there is none
 * directly behind its IP header.
 */
static size_t inner_offset(const uint8_t *frame, size_t len,
                           const VkdevWire *w)
{
    const uint8_t *ip = frame + w->l3;

    if ((w->proto != IPPROTO_IPV4 && w->proto != IPPROTO_IPV6) ||
        w->fragment || w->l3 + w->ip_len > len) {
        return 0;
    }
    if (w->version == 4) {
        return ip[0] == 0x45 ? w->l3 + IPV4_HDR : 0;
    }
    return w->version == 6 && ip[6] == w->proto ? w->l3 + IPV6_HDR : 0;
}

bool vkdev_wire_look_inside(const uint8_t *frame, size_t len, VkdevWire *w)
{
    size_t l3 = inner_offset(frame, len, w), end = w->l3 + w->ip_len;
    VkdevWire in = { .outer = w->l3 };

    if (!l3) {
        return false;
    }
    if (w->proto == IPPROTO_IPV4) {
        parse_ipv4(frame, end, l3, &in);
    } else {
        parse_ipv6(frame, end, l3, &in);
    }
    if (!in.l4 || in.l3 + in.ip_len != end) {
        return false;
    }
    *w = in;
    return true;
}

bool vkdev_wire_is_tcp(const VkdevWire *w)
{
    return w->l4 && w->proto == VKDEV_IPPROTO_TCP && !w->routed;
}

uint64_t vkdev_wire_pseudo_sum(const uint8_t *ip, unsigned version,
                               uint8_t proto, uint32_t l4_len)
{
    uint64_t acc = version == 4 ? vkdev_sum_words(ip + 12, 2)
                                : vkdev_sum_words(ip + 8, 8);

    return acc + vkdev_sum_be32(proto) + vkdev_sum_be32(l4_len);
}

void vkdev_wire_pseudo_store(uint8_t *field, const uint8_t *ip,
                             unsigned version, uint32_t tcp_len)
{
    uint64_t sum = vkdev_wire_pseudo_sum(ip, version, VKDEV_IPPROTO_TCP,
                                         tcp_len);

    vkdev_sum_store(field, vkdev_sum_minus(sum));
}

bool vkdev_wire_sum_fill(uint8_t *frame, size_t len, size_t start,
                         size_t offset)
{
    if (start + offset + 2 > len) {
        return false;
    }
    vkdev_sum_store(frame + start + offset,
                    vkdev_sum_add(0, frame + start, len - start));
    return true;
}

/*
 * Return the length of the TCP or UDP header and payload, 0 if the length
 * fields of IP and UDP contradict each other.
 */
static uint32_t l4_len(const uint8_t *frame, const VkdevWire *w)
{
    uint32_t room = w->l3 + w->ip_len - w->l4;
    uint32_t len = room;

    if (w->proto == VKDEV_IPPROTO_UDP) {
        len = vkdev_get_be16(frame + w->l4 + 4);
        if (len < UDP_HDR || len > room) {
            return 0;
        }
    }
    return len;
}

/* Sum of the bytes between the Ethernet header and the TCP or UDP header. */
static uint64_t between_sum(const uint8_t *frame, const VkdevWire *w)
{
    const uint8_t *p = frame + VKDEV_ETH_HDR;
    /* An IPv4 header sums to 0, so it is left out. */
    uint16_t end = w->version == 4 ? w->l3 : w->l4;

    return vkdev_sum_words(p, (end - VKDEV_ETH_HDR) / 4);
}

/*
 * Sum of @size bytes beginning at the TCP or UDP header. Usually computed from
 * @sum, the sum of the whole frame, minus the headers.
 */
static uint64_t l4_sum(const uint8_t *frame, const VkdevWire *w, uint32_t size,
                       size_t len, uint64_t sum)
{
    if (w->l4 + size < len) {
        return vkdev_sum_add(0, frame + w->l4, size);
    }
    return sum + vkdev_sum_minus(between_sum(frame, w));
}

VkdevWireSum vkdev_wire_sum_check(const uint8_t *frame, const VkdevWire *w,
                                  size_t len, uint64_t sum)
{
    const uint8_t *ip = frame + w->l3;
    uint32_t size;

    if (w->version == 4 &&
        vkdev_sum_fold(vkdev_sum_words(ip, ip[0] & 15)) != 0xffff) {
        return VKDEV_WIRE_SUM_BAD;
    }
    if (!w->l4 || w->routed || !w->ip_len || w->l3 + w->ip_len > len) {
        return VKDEV_WIRE_SUM_NONE;
    }
    if (w->proto == VKDEV_IPPROTO_UDP &&
        !vkdev_get_be16(frame + w->l4 + 6)) {
        return VKDEV_WIRE_SUM_NONE;
    }
    size = l4_len(frame, w);
    if (!size) {
        return VKDEV_WIRE_SUM_NONE;
    }
    sum = l4_sum(frame, w, size, len, sum) +
          vkdev_wire_pseudo_sum(ip, w->version, w->proto, size);
    return vkdev_sum_fold(sum) == 0xffff ? VKDEV_WIRE_SUM_OK :
                                           VKDEV_WIRE_SUM_BAD;
}

/*
 * Return the number n of the frame's packet type; 1 << n is its VKTLS_RSS_*
 * bit.
 */
static unsigned hash_type(const VkdevWire *w)
{
    static const uint8_t type[2][3] = { { 0, 1, 4 }, { 2, 3, 5 } };
    unsigned l4 = !w->l4 ? 0 : w->proto == VKDEV_IPPROTO_TCP ? 1 : 2;

    return type[w->version == 6][l4];
}

unsigned vkdev_wire_hash(const uint8_t *frame, const VkdevWire *w,
                         const VkdevRss *rss, uint32_t *hash)
{
    const uint8_t *addr = frame + w->l3 + (w->version == 4 ? 12 : 8);
    size_t len = w->version == 4 ? 8 : 32;
    unsigned type = hash_type(w);
    unsigned fields = w->version ? rss->fields[type] : 0;
    bool ports = fields & (VKTLS_RSS_SRC_PORT | VKTLS_RSS_DST_PORT);

    *hash = 0;
    if (!fields) {
        return 0;
    }
    if (rss->odd & 1 << type) {
        *hash = vkdev_rss_hash_odd(rss, fields, addr, len, frame + w->l4);
    } else {
        *hash = vkdev_rss_hash(&rss->key, 0, addr, len);
        if (ports) {
            *hash ^= vkdev_rss_hash(&rss->key, len, frame + w->l4, 4);
        }
    }
    return ports ? VKTLS_RXC_HASH_L4 : VKTLS_RXC_HASH_L3;
}

void vkdev_wire_vlan_insert(uint8_t *frame, uint16_t tci)
{
    memmove(frame - VKDEV_VLAN_HDR, frame, 12);
    vkdev_put_be16(frame + 8, ETH_P_8021Q);
    vkdev_put_be16(frame + 10, tci);
}
