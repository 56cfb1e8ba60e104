// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Headers, checksums, RSS hash and segmentation of frames in one piece of
 * memory. No field of a packet is trusted before it was held against the
 * packet's length. Knows neither rings nor QEMU.
 */
#include <string.h>

#include "vktls_abi.h"
#include "wire.h"

#define ETH_P_IPV4 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8

#define IPV4_HDR 20
#define IPV6_HDR 40
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

/* An IP length past the frame is kept, for the receive side to refuse. */
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

/* One extension header at @off; returns its length, 0 when there is none. */
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

bool vkdev_wire_is_tcp(const VkdevWire *w)
{
    return w->l4 && w->proto == VKDEV_IPPROTO_TCP && !w->routed;
}

/* What any x86-64 adds at once; more would be taken apart, badly. */
typedef uint64_t SumVector __attribute__((vector_size(16)));

/* The bulk of a payload: halves of words in lanes that cannot overflow. */
static uint64_t sum_bulk(const uint8_t *p, size_t len)
{
    SumVector low = { 0 }, high = { 0 }, words;

    for (; len; p += sizeof(words), len -= sizeof(words)) {
        memcpy(&words, p, sizeof(words));
        low += words & UINT32_MAX;
        high += words >> 32;
    }
    low += high;
    return low[0] + low[1];
}

/*
 * Ones' complement sums work in any byte order: words are added as they lie
 * in memory, and stored back so.
 */
static uint64_t sum_add(uint64_t acc, const uint8_t *p, size_t len)
{
    size_t bulk = len - len % sizeof(SumVector);
    uint16_t half = 0;
    uint32_t word;

    acc += sum_bulk(p, bulk);
    p += bulk;
    len -= bulk;
    for (; len >= 4; p += 4, len -= 4) {
        memcpy(&word, p, 4);
        acc += word;
    }
    if (len >= 2) {
        memcpy(&half, p, 2);
        acc += half;
        p += 2;
        len -= 2;
    }
    if (len) {
        half = 0;
        memcpy(&half, p, 1);
        acc += half;
    }
    return acc;
}

static uint16_t sum_fold(uint64_t acc)
{
    while (acc >> 16) {
        acc = (acc & 0xffff) + (acc >> 16);
    }
    return acc;
}

static uint64_t sum_pseudo(const uint8_t *ip, unsigned version, uint8_t proto,
                           uint32_t l4_len)
{
    uint8_t tail[8] = { 0, 0, 0, proto };
    uint64_t acc = version == 4 ? sum_add(0, ip + 12, 8)
                                : sum_add(0, ip + 8, 32);

    vkdev_put_be32(tail + 4, l4_len);
    return sum_add(acc, tail, sizeof(tail));
}

static void sum_store(uint8_t *field, uint64_t acc)
{
    uint16_t sum = ~sum_fold(acc);

    if (!sum) {
        sum = 0xffff;   /* the same number, and not UDP's "no checksum" */
    }
    memcpy(field, &sum, 2);
}

bool vkdev_wire_sum_fill(uint8_t *frame, size_t len, size_t start,
                         size_t offset)
{
    if (start + offset + 2 > len) {
        return false;
    }
    sum_store(frame + start + offset, sum_add(0, frame + start, len - start));
    return true;
}

/* Length of the TCP or UDP packet, 0 when lengths contradict each other. */
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

VkdevWireSum vkdev_wire_sum_check(const uint8_t *frame, const VkdevWire *w,
                                  size_t len)
{
    const uint8_t *ip = frame + w->l3;
    uint64_t acc;
    uint32_t size;

    if (w->version == 4 &&
        sum_fold(sum_add(0, ip, (ip[0] & 15) * 4)) != 0xffff) {
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
    acc = sum_pseudo(ip, w->version, w->proto, size);
    acc = sum_add(acc, frame + w->l4, size);
    return sum_fold(acc) == 0xffff ? VKDEV_WIRE_SUM_OK : VKDEV_WIRE_SUM_BAD;
}

static uint32_t toeplitz(const uint8_t *key, const uint8_t *in, size_t len)
{
    uint32_t hash = 0, window = vkdev_get_be32(key);

    for (size_t i = 0; i < len; i++) {
        for (int bit = 7; bit >= 0; bit--) {
            if (in[i] >> bit & 1) {
                hash ^= window;
            }
            window = window << 1 | (key[i + 4] >> bit & 1);
        }
    }
    return hash;
}

static unsigned l4_hash_type(const VkdevWire *w)
{
    bool v4 = w->version == 4;

    if (!w->l4) {
        return 0;
    }
    if (w->proto == VKDEV_IPPROTO_TCP) {
        return v4 ? VKTLS_RSS_TCP4 : VKTLS_RSS_TCP6;
    }
    return v4 ? VKTLS_RSS_UDP4 : VKTLS_RSS_UDP6;
}

unsigned vkdev_wire_hash(const uint8_t *frame, const VkdevWire *w,
                         const uint8_t *key, unsigned types, uint32_t *hash)
{
    const uint8_t *ip = frame + w->l3;
    size_t len = w->version == 4 ? 8 : 32;
    unsigned flag = 0;
    uint8_t in[36];

    *hash = 0;
    if (types & l4_hash_type(w)) {
        flag = VKTLS_RXC_HASH_L4;
    } else if ((w->version == 4 && (types & VKTLS_RSS_IPV4)) ||
               (w->version == 6 && (types & VKTLS_RSS_IPV6))) {
        flag = VKTLS_RXC_HASH_L3;
    }
    if (!flag) {
        return 0;
    }
    memcpy(in, ip + (w->version == 4 ? 12 : 8), len);
    if (flag == VKTLS_RXC_HASH_L4) {
        memcpy(in + len, frame + w->l4, 4);
        len += 4;
    }
    *hash = toeplitz(key, in, len);
    return flag;
}

void vkdev_wire_vlan_insert(uint8_t *frame, uint16_t tci)
{
    memmove(frame - VKDEV_VLAN_HDR, frame, 12);
    vkdev_put_be16(frame + 8, ETH_P_8021Q);
    vkdev_put_be16(frame + 10, tci);
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
    tso->tcp_flags = frame[w->l4 + 13];
    tso->first = true;
    memcpy(tso->hdr, frame, w->payload);
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
    if (!tso->first) {
        vkdev_put_be16(ip + 4, vkdev_get_be16(ip + 4) + 1);
    }
    memset(ip + 10, 0, 2);
    sum_store(ip + 10, sum_add(0, ip, (ip[0] & 15) * 4));
}

static void tso_fill_tcp(VkdevTso *tso, const uint8_t *data, uint32_t chunk)
{
    uint32_t hdr_len = tso->hdr_len - tso->l4;
    uint8_t *tcp = tso->hdr + tso->l4;
    uint64_t acc;

    memset(tcp + 16, 0, 2);
    acc = sum_pseudo(tso->hdr + tso->l3, tso->version, VKDEV_IPPROTO_TCP,
                     hdr_len + chunk);
    acc = sum_add(acc, tcp, hdr_len);
    sum_store(tcp + 16, sum_add(acc, data, chunk));
}

/* CWR belongs to the first frame alone, FIN and PSH to the last. */
static void tso_fill_flags(VkdevTso *tso, bool last)
{
    uint8_t flags = tso->tcp_flags;

    if (!tso->first) {
        flags &= ~TCP_CWR;
    }
    if (!last) {
        flags &= ~(TCP_FIN | TCP_PSH);
    }
    tso->hdr[tso->l4 + 13] = flags;
}

bool vkdev_tso_next(VkdevTso *tso, const uint8_t **data, uint32_t *chunk)
{
    uint8_t *seq = tso->hdr + tso->l4 + 4;

    if (!tso->first) {
        if (!tso->left) {
            return false;
        }
        vkdev_put_be32(seq, vkdev_get_be32(seq) + tso->mss);
    }
    *chunk = tso->left < tso->mss ? tso->left : tso->mss;
    *data = tso->payload;
    tso->payload += *chunk;
    tso->left -= *chunk;
    tso_fill_flags(tso, !tso->left);
    tso_fill_ip(tso, *chunk);
    tso_fill_tcp(tso, *data, *chunk);
    tso->first = false;
    return true;
}
