// SPDX-License-Identifier: GPL-2.0
/*
 * Capture of the frames that one connection sends to a port, before the peer's own TCP and
 * queueing disciplines see them. For each byte of the stream the first copy is stored; any
 * later copy must be equal. tls_aead.c then opens the records, without the kernel.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#define __FAVOR_BSD
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "tls_peer.h"

#define STREAM_MAX	(32u << 20)
#define FRAME_MAX	0x20000
#define RECORD_MAX	(RECORD_HEADER + (1 << 14) + 256)

static struct {
	int fd;
	unsigned short port;
	bool begun;		/* @first is known */
	__u32 first;		/* TCP sequence number of the first byte */
	__u32 end;		/* bytes of the stream up to the highest one seen */
	unsigned char *bytes;
	unsigned char *have;
	unsigned long segments, repeated, differing, plain, fragments, lost;
} wire = { .fd = -1 };

int wire_fd(void)
{
	return wire.fd;
}

int wire_start(const char *ifname, unsigned short port)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(ifname),
	};
	int room = 64 << 20;

	if (wire.fd >= 0)
		close(wire.fd);
	free(wire.bytes);
	free(wire.have);
	memset(&wire, 0, sizeof(wire));
	wire.port = port;
	wire.bytes = calloc(1, STREAM_MAX);
	wire.have = calloc(1, STREAM_MAX);
	wire.fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (wire.fd < 0)
		return -errno;
	if (!wire.bytes || !wire.have)
		return -ENOMEM;
	if (setsockopt(wire.fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    bind(wire.fd, (struct sockaddr *)&at, sizeof(at)))
		return -errno;
	return 0;
}

static void wire_segment(__u32 seq, const unsigned char *data, size_t len)
{
	bool again = false, differs = false;
	__u32 at, i;

	if (!wire.begun) {
		wire.first = seq;
		wire.begun = true;
	}
	at = seq - wire.first;
	if (at >= STREAM_MAX || len > STREAM_MAX - at)
		return;
	wire.segments++;
	for (i = 0; i < len; i++) {
		if (!wire.have[at + i]) {
			wire.have[at + i] = 1;
			wire.bytes[at + i] = data[i];
			continue;
		}
		again = true;
		differs |= wire.bytes[at + i] != data[i];
	}
	wire.repeated += again;
	wire.differing += differs;
	if (at + len > wire.end)
		wire.end = at + len;
}

static void wire_tcp(const unsigned char *data, size_t len)
{
	const struct tcphdr *tcp = (const void *)data;
	__u32 seq;

	if (len < sizeof(*tcp) || ntohs(tcp->th_dport) != wire.port ||
	    len < tcp->th_off * 4u)
		return;
	seq = ntohl(tcp->th_seq);
	if (tcp->th_flags & TH_SYN) {
		wire.first = seq + 1;
		wire.begun = true;
	} else if (len > tcp->th_off * 4u) {
		wire_segment(seq, data + tcp->th_off * 4, len - tcp->th_off * 4);
	}
}

/*
 * Handle an IPv4 packet, without the frame's padding. Fragments are counted, not
 * reassembled.
 */
static void wire_ipv4(const unsigned char *data, size_t len)
{
	const struct ip *ip = (const void *)data;

	if (len < sizeof(*ip) || ip->ip_p != IPPROTO_TCP)
		return;
	if (ntohs(ip->ip_len) && ntohs(ip->ip_len) < len)
		len = ntohs(ip->ip_len);
	if (ntohs(ip->ip_off) & (IP_MF | IP_OFFMASK))
		wire.fragments++;
	else if (len > ip->ip_hl * 4u)
		wire_tcp(data + ip->ip_hl * 4, len - ip->ip_hl * 4);
}

static void wire_ipv6(const unsigned char *data, size_t len)
{
	const struct ip6_hdr *ip6 = (const void *)data;

	if (len < sizeof(*ip6))
		return;
	if (ntohs(ip6->ip6_plen) && ntohs(ip6->ip6_plen) + sizeof(*ip6) < len)
		len = ntohs(ip6->ip6_plen) + sizeof(*ip6);
	if (ip6->ip6_nxt == IPPROTO_FRAGMENT)
		wire.fragments++;
	else if (ip6->ip6_nxt == IPPROTO_TCP)
		wire_tcp(data + sizeof(*ip6), len - sizeof(*ip6));
}

/* Read all captured frames. Each is searched for plaintext, whatever its protocol. */
void wire_take(void)
{
	static unsigned char frame[FRAME_MAX];
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	ssize_t len;

	while ((len = recvfrom(wire.fd, frame, sizeof(frame), 0,
			       (struct sockaddr *)&from, &size)) > 0) {
		size = sizeof(from);
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (memmem(frame, len, PLAIN_MARK, strlen(PLAIN_MARK)))
			wire.plain++;
		if (from.sll_protocol == htons(ETH_P_IP))
			wire_ipv4(frame, len);
		else if (from.sll_protocol == htons(ETH_P_IPV6))
			wire_ipv6(frame, len);
	}
}

int wire_report(char *out, size_t len)
{
	struct tpacket_stats stats;
	socklen_t size = sizeof(stats);

	if (wire.fd < 0)
		return -EINVAL;
	wire_take();
	if (!getsockopt(wire.fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size))
		wire.lost += stats.tp_drops;
	snprintf(out, len,
		 "segments=%lu bytes=%u repeated=%lu differing=%lu plain=%lu fragments=%lu lost=%lu",
		 wire.segments, wire.end, wire.repeated, wire.differing, wire.plain,
		 wire.fragments, wire.lost);
	return 0;
}

static void put_be64(unsigned char *out, __u64 value)
{
	int i;

	for (i = 0; i < 8; i++)
		out[i] = value >> (56 - 8 * i);
}

/* The key in use, and values derived from it. */
struct opener {
	struct traffic_key key;
	struct key_bytes bytes;
	struct aead aead;
};

static void opener_start(struct opener *op)
{
	key_derive(&op->key, &op->bytes);
	aead_init(&op->aead, op->key.cipher, op->bytes.rest + op->key.cipher->iv);
}

/* Bytes of the nonce that are sent in front of the record's content. */
static size_t record_explicit(const struct traffic_key *key)
{
	return key->version == TLS_1_2_VERSION && key->cipher->salt ? 8 : 0;
}

/*
 * Build nonce and additional data of a record (RFC 5246 6.2.3.3, RFC 8446 5.2). Returns the
 * length of the additional data.
 */
static size_t record_seal(const struct traffic_key *key, const unsigned char *secret,
			  const unsigned char *record, size_t body, unsigned char *nonce,
			  unsigned char *aad)
{
	const struct cipher *c = key->cipher;
	unsigned char num[8];
	int i;

	put_be64(num, key->seq);
	memcpy(nonce, secret + c->iv + c->key, c->salt);
	memcpy(nonce + c->salt, secret, c->iv);
	if (record_explicit(key))
		memcpy(nonce + 4, record + RECORD_HEADER, 8);
	else
		for (i = 0; i < 8; i++)
			nonce[4 + i] ^= num[i];
	if (key->version != TLS_1_2_VERSION) {
		memcpy(aad, record, RECORD_HEADER);
		return RECORD_HEADER;
	}
	memcpy(aad, num, 8);
	memcpy(aad + 8, record, 3);
	aad[11] = (body - RECORD_TAG) >> 8;
	aad[12] = body - RECORD_TAG;
	return 13;
}

/*
 * Open one record. Returns the length of its content, with its type in @type and the
 * content at @data, or a negative errno.
 */
static int record_open(const struct opener *op, unsigned char *record, size_t len,
		       unsigned char **data, int *type)
{
	size_t explicit = record_explicit(&op->key), body, aad_len;
	unsigned char nonce[RECORD_NONCE], aad[13];
	int n;

	if (len < RECORD_HEADER + explicit + RECORD_TAG)
		return -EMSGSIZE;
	body = len - RECORD_HEADER - explicit;
	aad_len = record_seal(&op->key, op->bytes.rest, record, body, nonce, aad);
	*data = record + RECORD_HEADER + explicit;
	if (!aead_open(&op->aead, nonce, aad, aad_len, *data, body))
		return -EBADMSG;
	n = body - RECORD_TAG;
	*type = record[0];
	if (op->key.version == TLS_1_2_VERSION)
		return n;
	while (n > 0 && !(*data)[n - 1])
		n--;
	if (!n)
		return -EBADMSG;
	*type = (*data)[n - 1];
	return n - 1;
}

struct opened {
	unsigned long records, control, failed, wrong, gens;
	__u64 data;
};

/* Open the record at @at. After a KeyUpdate, go on with the next key. */
static void wire_record(struct opener *op, __u32 at, size_t len, struct opened *sum)
{
	unsigned char *data;
	int type, n;

	n = record_open(op, wire.bytes + at, len, &data, &type);
	sum->records++;
	op->key.seq++;
	if (n < 0) {
		sum->failed++;
	} else if (type == TYPE_DATA) {
		sum->wrong += !pattern_is(data, sum->data, n);
		sum->data += n;
	} else {
		sum->control++;
		if (type == TYPE_HANDSHAKE && n && data[0] == KEY_UPDATE) {
			sum->gens++;
			op->key.gen++;
			op->key.seq = 0;
			opener_start(op);
		}
	}
}

static bool wire_whole(__u32 at, size_t len)
{
	return len <= wire.end - at && !memchr(wire.have + at, 0, len);
}

/*
 * Open all records of the stream after @clear bytes of pattern. This changes the captured
 * bytes. "rest" is the number of bytes after the last whole record: an incomplete record,
 * or all bytes from a gap on.
 */
int wire_open(const struct traffic_key *first, __u64 clear, char *out, size_t len)
{
	struct opener op = { .key = *first };
	struct opened sum = { .data = clear };
	__u32 at = clear;
	size_t size;

	if (wire.fd < 0 || clear > wire.end)
		return -EINVAL;
	opener_start(&op);
	while (wire_whole(at, RECORD_HEADER)) {
		size = RECORD_HEADER + (wire.bytes[at + 3] << 8) + wire.bytes[at + 4];
		if (size > RECORD_MAX || !wire_whole(at, size))
			break;
		wire_record(&op, at, size, &sum);
		at += size;
	}
	snprintf(out, len,
		 "records=%lu data=%llu control=%lu failed=%lu wrong=%lu gens=%lu rest=%u",
		 sum.records, sum.data, sum.control, sum.failed, sum.wrong, sum.gens,
		 wire.end - at);
	return 0;
}
