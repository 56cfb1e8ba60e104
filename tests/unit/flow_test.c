// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of flows is compared with an array that is searched from end to
 * end; also with as many flows as a device can have.
 */
#include <stdlib.h>
#include <string.h>

#include "frame/flow.h"
#include "ktap.h"
#include "prng.h"

#define PLACES		200
#define MANY		(1u << 20)

static uint8_t secret[VKDEV_FLOW_SECRET];

static struct vktls_tls_flow flow_make(uint32_t n)
{
	struct vktls_tls_flow flow = { .ip_version = n & 1 ? 6 : 4 };

	flow.src_port[0] = n >> 9;
	flow.src_port[1] = n >> 1;
	flow.src[0] = 10;
	flow.src[3] = n >> 17;
	flow.dst[0] = 10;
	return flow;
}

static uint32_t model_find(const struct vktls_tls_flow *model, const struct vktls_tls_flow *flow)
{
	for (uint32_t id = 0; id < PLACES; id++)
		if (!memcmp(&model[id], flow, sizeof(*flow)))
			return id;
	return VKDEV_FLOW_NONE;
}

/*
 * Add, delete and look up at random, with the table empty, full and in
 * between.
 */
static void as_a_list(void)
{
	struct vktls_tls_flow model[PLACES] = { 0 };
	struct prng rng = { 3 };
	struct vktls_tls_flow flow;
	VkdevFlowTable *t = vkdev_flow_alloc(PLACES, secret);
	unsigned int live = 0, most = 0;
	uint32_t id;

	for (unsigned int n = 0; !ktap.bad && n < 200000; n++) {
		flow = flow_make(prng_below(&rng, 2 * PLACES));
		id = prng_below(&rng, PLACES);
		ktap_expect_eq(vkdev_flow_find(t, &flow), model_find(model, &flow));
		if (prng_below(&rng, n / 20000 % 2 ? 2 : 10) == 0) {
			live -= model[id].ip_version != 0;
			vkdev_flow_del(t, id);
			memset(&model[id], 0, sizeof(model[id]));
		} else if (!model[id].ip_version) {
			bool is_new = model_find(model, &flow) == VKDEV_FLOW_NONE;

			ktap_expect_eq(vkdev_flow_add(t, id, &flow), is_new);
			if (is_new)
				model[id] = flow;
			live += is_new;
		}
		most = live > most ? live : most;
	}
	ktap_expect(most > PLACES * 9 / 10);
	vkdev_flow_free(t);
}

/* A difference in any byte makes another flow. */
static void bytes_count(const uint8_t *numbers)
{
	VkdevFlowTable *t = vkdev_flow_alloc(1, numbers);
	struct vktls_tls_flow flow = flow_make(77);
	uint8_t *bytes = (uint8_t *)&flow;

	ktap_expect(vkdev_flow_add(t, 0, &flow));
	for (size_t i = 0; i < sizeof(flow); i++) {
		bytes[i] ^= 0x20;
		ktap_expect_eq(vkdev_flow_find(t, &flow), VKDEV_FLOW_NONE);
		bytes[i] ^= 0x20;
	}
	ktap_expect_eq(vkdev_flow_find(t, &flow), 0);
	vkdev_flow_free(t);
}

static void every_byte_counts(void)
{
	bytes_count(secret);
}

/*
 * Flows with equal hashes are told apart. With these secret numbers all hashes
 * are equal.
 */
static void equal_hashes_are_not_equal_flows(void)
{
	static const uint8_t zero[VKDEV_FLOW_SECRET];

	bytes_count(zero);
}

static void empty_tables(void)
{
	struct vktls_tls_flow flow = flow_make(1);
	VkdevFlowTable *t = vkdev_flow_alloc(0, secret);

	ktap_expect_eq(vkdev_flow_find(t, &flow), VKDEV_FLOW_NONE);
	vkdev_flow_free(t);
	t = vkdev_flow_alloc(1, secret);
	vkdev_flow_del(t, 0);
	ktap_expect(vkdev_flow_add(t, 0, &flow) && !vkdev_flow_add(t, 0, &flow));
	vkdev_flow_free(t);
	vkdev_flow_free(NULL);
}

static void a_million_flows(void)
{
	VkdevFlowTable *t = vkdev_flow_alloc(MANY, secret);
	struct vktls_tls_flow flow;
	uint32_t wrong = 0;

	for (uint32_t id = 0; id < MANY; id++) {
		flow = flow_make(id);
		wrong += !vkdev_flow_add(t, id, &flow);
	}
	for (uint32_t id = 0; id < MANY; id += 3)
		vkdev_flow_del(t, id);
	for (uint32_t id = 0; id < MANY; id++) {
		flow = flow_make(id);
		wrong += vkdev_flow_find(t, &flow) != (id % 3 ? id : VKDEV_FLOW_NONE);
	}
	ktap_expect_eq(wrong, 0);
	vkdev_flow_free(t);
}

/*
 * The flow of a frame has its addresses and ports, with zeros after IPv4
 * addresses.
 */
static void flow_of_frames(void)
{
	uint8_t frame[14 + 40 + 20] = { [12] = 0x08, 0x00, 0x45, [23] = 6 };
	struct vktls_tls_flow want = { .ip_version = 4, .src_port = { 0x12, 0x34 },
				       .dst_port = { 0x56, 0x78 } };
	struct vktls_tls_flow got;
	VkdevWire w;

	frame[17] = 40;
	for (int i = 0; i < 8; i++)
		frame[26 + i] = 0xa0 + i;
	memcpy(want.src, frame + 26, 4);
	memcpy(want.dst, frame + 30, 4);
	memcpy(frame + 34, "\x12\x34\x56\x78", 4);
	frame[46] = 0x50;
	vkdev_wire_parse(frame, 54, &w);
	ktap_expect(vkdev_wire_is_tcp(&w));
	memset(&got, 0xff, sizeof(got));
	vkdev_flow_of(frame, &w, &got);
	ktap_expect_mem(&got, &want, sizeof(want));

	memset(frame, 0, sizeof(frame));
	memcpy(frame + 12, "\x86\xdd\x60\0\0\0\0\x14\6\x40", 10);
	for (int i = 0; i < 32; i++)
		frame[22 + i] = 0xc0 + i;
	want.ip_version = 6;
	memcpy(want.src, frame + 22, 16);
	memcpy(want.dst, frame + 38, 16);
	memcpy(frame + 54, "\x12\x34\x56\x78", 4);
	frame[66] = 0x50;
	vkdev_wire_parse(frame, 74, &w);
	ktap_expect(vkdev_wire_is_tcp(&w));
	vkdev_flow_of(frame, &w, &got);
	ktap_expect_mem(&got, &want, sizeof(want));
}

int main(void)
{
	struct prng rng = { 88 };

	prng_fill(&rng, secret, sizeof(secret));
	ktap_start();
	KTAP_RUN(as_a_list);
	KTAP_RUN(every_byte_counts);
	KTAP_RUN(equal_hashes_are_not_equal_flows);
	KTAP_RUN(empty_tables);
	KTAP_RUN(a_million_flows);
	KTAP_RUN(flow_of_frames);
	return ktap_finish();
}
