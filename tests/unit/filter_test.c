// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flow filters: of all filters that match, the one in the lowest place counts.
 */
#include <stdlib.h>

#include "frame/filter.h"
#include "ktap.h"
#include "prng.h"

#define MACS "\x52\x54\0\1\2\3\x52\x54\0\xa\xb\xc"
#define V4(flags, proto) "\x45\0\0\x28\0\1" flags "\x40" proto "\0\0\xc0\0\2\1\xc0\0\2\2"
#define V6(next) "\x60\0\0\0\0\x14" next "\x40" \
	"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1" \
	"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
#define TCP_HDR "\1\xbb\xc3\x50\0\0\0\1\0\0\0\2\x50\x10\2\0\0\0\0\0"

static const struct kind {
	const char *what, *frame;
	size_t len;
	uint8_t version, proto;		/* proto 0 = no transport header */
} kinds[] = {
#define KIND(what, frame, ...) { what, frame, sizeof(frame) - 1, __VA_ARGS__ }
	KIND("TCP over IPv4", MACS "\x08\0" V4("\0\0", "\6") TCP_HDR, 4, 6),
	KIND("UDP over IPv4", MACS "\x08\0" V4("\0\0", "\x11") TCP_HDR, 4, 17),
	KIND("ICMP", MACS "\x08\0" V4("\0\0", "\1") TCP_HDR, 4, 0),
	KIND("fragment", MACS "\x08\0" V4("\x20\0", "\6") TCP_HDR, 4, 0),
	KIND("TCP over IPv6", MACS "\x86\xdd" V6("\6") TCP_HDR, 6, 6),
	KIND("no IP", MACS "\x88\xb5-bytes--", 0, 0),
};

static VkdevFilterTable table;

static struct vktls_flow_filter to_queue(uint8_t version, uint8_t proto, uint8_t queue)
{
	return (struct vktls_flow_filter){
		.action = VKTLS_FLOW_QUEUE, .queue = queue, .ip_version = version, .proto = proto,
	};
}

static const VkdevFilter *find(const struct kind *kind)
{
	uint8_t *frame = malloc(kind->len);
	const VkdevFilter *hit;
	VkdevWire w;

	memcpy(frame, kind->frame, kind->len);
	vkdev_wire_parse(frame, kind->len, &w);
	hit = vkdev_filter_find(&table, frame, &w);
	free(frame);
	return hit;
}

/*
 * A filter matches only its IP version and protocol, and a protocol only with
 * a transport header.
 */
static void kinds_are_told_apart(void)
{
	static const struct {
		uint8_t version, proto;
	} filter[] = { { 4, 0 }, { 4, 6 }, { 4, 17 }, { 6, 0 }, { 6, 6 }, { 6, 17 } };

	for (size_t f = 0; f < sizeof(filter) / sizeof(filter[0]); f++) {
		struct vktls_flow_filter flow = to_queue(filter[f].version, filter[f].proto, 3);

		memset(&table, 0, sizeof(table));
		ktap_expect(vkdev_filter_set(&table, 7, &flow));
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			bool want = kinds[k].version == flow.ip_version &&
				    (!flow.proto || flow.proto == kinds[k].proto);

			ktap_expect_eq(!!find(&kinds[k]), want);
		}
	}
}

/*
 * Each field alone: it matches if equal, does not match with one bit wrong, and
 * matches with that bit out of the mask.
 */
static void fields_are_compared(void)
{
	static const struct {
		size_t at, len;
		const char *bytes;
	} field[] = {
		{ offsetof(struct vktls_flow_key, src_port), 2, "\1\xbb" },
		{ offsetof(struct vktls_flow_key, dst_port), 2, "\xc3\x50" },
		{ offsetof(struct vktls_flow_key, src), 4, "\xc0\0\2\1" },
		{ offsetof(struct vktls_flow_key, dst), 4, "\xc0\0\2\2" },
	};

	for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
		struct vktls_flow_filter flow = to_queue(4, 6, 1);
		uint8_t *value = (uint8_t *)&flow.value + field[i].at;
		uint8_t *mask = (uint8_t *)&flow.mask + field[i].at;

		memset(&table, 0, sizeof(table));
		memcpy(value, field[i].bytes, field[i].len);
		memset(mask, 0xff, field[i].len);
		vkdev_filter_set(&table, 0, &flow);
		ktap_expect(find(&kinds[0]));
		value[field[i].len - 1] ^= 0x40;
		vkdev_filter_set(&table, 0, &flow);
		ktap_expect(!find(&kinds[0]));
		mask[field[i].len - 1] ^= 0x40;
		vkdev_filter_set(&table, 0, &flow);
		ktap_expect(find(&kinds[0]));
	}
}

static void lowest_place_counts(void)
{
	struct prng r = { 5 };
	uint8_t queue[VKTLS_FLOW_FILTERS] = { 0 };	/* 0 = place is free */

	memset(&table, 0, sizeof(table));
	for (int n = 0; n < 20000; n++) {
		unsigned int place = prng_below(&r, VKTLS_FLOW_FILTERS), first = 0;
		struct vktls_flow_filter flow = to_queue(4, 6, 1 + prng_below(&r, 15));

		if (prng_below(&r, 3)) {
			ktap_expect_eq(vkdev_filter_del(&table, place), queue[place] != 0);
			queue[place] = 0;
		} else {
			ktap_expect(vkdev_filter_set(&table, place, &flow));
			queue[place] = flow.queue;
		}
		while (first < VKTLS_FLOW_FILTERS && !queue[first])
			first++;
		if (first == VKTLS_FLOW_FILTERS)
			ktap_expect(!find(&kinds[0]));
		else
			ktap_expect_eq(find(&kinds[0])->queue, queue[first]);
	}
}

static void empty_table_has_no_end(void)
{
	struct vktls_flow_filter flow = to_queue(6, 6, 1);

	memset(&table, 0, sizeof(table));
	vkdev_filter_set(&table, 3, &flow);
	vkdev_filter_set(&table, 200, &flow);
	ktap_expect_eq(table.end, 201);
	vkdev_filter_del(&table, 3);
	vkdev_filter_del(&table, 200);
	ktap_expect_eq(table.end, 0);
	ktap_expect(!vkdev_filter_del(&table, VKTLS_FLOW_FILTERS));
}

static void bad_filters_are_refused(void)
{
	struct vktls_flow_filter flow = to_queue(4, 6, 1);

	memset(&table, 0, sizeof(table));
	ktap_expect(!vkdev_filter_set(&table, VKTLS_FLOW_FILTERS, &flow));
	flow.action = VKTLS_FLOW_RSS + 1;
	ktap_expect(!vkdev_filter_set(&table, 0, &flow));
	flow = to_queue(0, 6, 1);
	ktap_expect(!vkdev_filter_set(&table, 0, &flow));
	ktap_expect_eq(table.end, 0);
}

static void contexts_in_use(void)
{
	struct vktls_flow_filter flow = to_queue(4, 6, 1);

	memset(&table, 0, sizeof(table));
	flow.rss_ctx = 9;
	vkdev_filter_set(&table, 1, &flow);
	ktap_expect(!vkdev_filter_uses(&table, 9));
	flow.action = VKTLS_FLOW_RSS;
	vkdev_filter_set(&table, 1, &flow);
	ktap_expect(vkdev_filter_uses(&table, 9));
	vkdev_filter_del(&table, 1);
	ktap_expect(!vkdev_filter_uses(&table, 9));
}

int main(void)
{
	ktap_start();
	KTAP_RUN(kinds_are_told_apart);
	KTAP_RUN(fields_are_compared);
	KTAP_RUN(lowest_place_counts);
	KTAP_RUN(empty_table_has_no_end);
	KTAP_RUN(bad_filters_are_refused);
	KTAP_RUN(contexts_in_use);
	return ktap_finish();
}
