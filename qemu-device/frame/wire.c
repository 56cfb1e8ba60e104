// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Headers, checksums, RSS hash and segmentation of a frame in one buffer. Each
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

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

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

/*
 * Return @v in the form in which sums read it from a packet: network byte
 * order.
 */
static uint32_t sum_be32(uint32_t v)
{
    uint8_t bytes[4];

    vkdev_put_be32(bytes, v);
    memcpy(&v, bytes, sizeof(v));
    return v;
}

static uint64_t sum_pseudo(const uint8_t *ip, unsigned version, uint8_t proto,
                           uint32_t l4_len)
{
    uint64_t acc = version == 4 ? vkdev_sum_words(ip + 12, 2)
                                : vkdev_sum_words(ip + 8, 8);

    return acc + sum_be32(proto) + sum_be32(l4_len);
}

void vkdev_wire_pseudo_store(uint8_t *field, const uint8_t *ip,
                             unsigned version, uint32_t tcp_len)
{
    vkdev_sum_store(field, vkdev_sum_minus(sum_pseudo(ip, version,
                                                      VKDEV_IPPROTO_TCP,
                                                      tcp_len)));
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
          sum_pseudo(ip, w->version, w->proto, size);
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

/*
 * Sum the header fields that are equal in all frames of the packet; the fields
 * that differ are set to zero and added for each frame later.
 */
static void tso_sum_fixed(VkdevTso *tso)
{
    uint8_t *ip = tso->hdr + tso->l3;
    uint8_t *tcp = tso->hdr + tso->l4;

    if (tso->version == 4) {
        memset(ip + 2, 0, 4);
        memset(ip + 10, 0, 2);
        tso->ip_sum = vkdev_sum_words(ip, ip[0] & 15);
    }
    memset(tcp + 4, 0, 4);
    memset(tcp + 12, 0, 2);
    memset(tcp + 16, 0, 2);
    tso->tcp_sum = sum_pseudo(ip, tso->version, VKDEV_IPPROTO_TCP, 0);
    tso->tcp_sum += vkdev_sum_words(tcp, (tso->hdr_len - tso->l4) / 4);
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
    tso->ip_id = vkdev_get_be16(frame + w->l3 + 4);
    tso->tcp_seq = vkdev_wire_tcp_seq(frame, w);
    tso->tcp_off = frame[w->l4 + 12];
    tso->tcp_flags = frame[w->l4 + 13];
    tso->first = true;
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
    vkdev_sum_store(ip + 10, tso->ip_sum + sum_be32(ip_len & UINT16_MAX) +
                             sum_be32(tso->ip_id));
    tso->ip_id++;
}

static void tso_fill_tcp(VkdevTso *tso, const uint8_t *data, uint32_t chunk)
{
    uint8_t *tcp = tso->hdr + tso->l4;
    uint32_t len = tso->hdr_len - tso->l4 + chunk;
    uint64_t acc = vkdev_sum_add(tso->tcp_sum, data, chunk);

    acc += sum_be32(len);
    acc += sum_be32(tso->tcp_seq);
    acc += sum_be32(tso->tcp_off << 8 | tcp[13]);
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

bool vkdev_tso_next(VkdevTso *tso, const uint8_t **data, uint32_t *chunk)
{
    if (!tso->first && !tso->left) {
        return false;
    }
    *chunk = tso->left < tso->mss ? tso->left : tso->mss;
    *data = tso->payload;
    tso->payload += *chunk;
    tso->left -= *chunk;
    vkdev_put_be32(tso->hdr + tso->l4 + 4, tso->tcp_seq);
    tso_fill_flags(tso, !tso->left);
    tso_fill_ip(tso, *chunk);
    tso_fill_tcp(tso, *data, *chunk);
    tso->tcp_seq += *chunk;
    tso->first = false;
    return true;
}
