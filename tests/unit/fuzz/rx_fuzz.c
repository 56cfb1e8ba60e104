// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer's entrance to the TLS engine's receive side: each input is an order in
 * which pieces of a stream arrive, some of them damaged, and what a host does. That
 * takes, of each byte, the first that came, and believes what was decrypted: a
 * record of which all was must be the one that was sent.
 */
#include "../engine_rx_rig.h"

#define STREAM	12000
#define STEP	6	/* bytes of input for one packet */

struct host {
	bool have[STREAM], ours[STREAM];
	uint8_t data[STREAM];
};

static struct host host;
static uint8_t sent[STREAM];

/* The stream of a suite is sealed once; a context comes new with each input. */
static void begin(unsigned int suite)
{
	static unsigned int now = -1;

	if (suite != now) {
		rig_close(&rig);
		rx_open(&suites[suite], suite + 1);
		while (rig.len < STREAM - 1100)
			rx_record(1 + prng_below(&rig.rng, 1000));
		memcpy(sent, rig.want, rig.len);
		now = suite;
	}
	rig_again(&rig);
	memset(&host, 0, sizeof(host));
}

static void take(size_t from, const uint8_t *p, size_t len, bool ours)
{
	for (size_t i = from; i < from + len; i++, p++) {
		if (host.have[i])
			continue;
		host.have[i] = true;
		host.ours[i] = ours;
		host.data[i] = *p;
	}
}

/* in: 2 bytes where, 2 how many and what else, 1 which byte to flip, 1 how. */
static void packet(const uint8_t *in)
{
	size_t from = (in[0] | (size_t)in[1] << 8) % rig.len;
	size_t len = 1 + (in[2] | (size_t)(in[3] & 7) << 8);
	uint8_t p[2048];

	len = len < rig.len - from ? len : rig.len - from;
	memcpy(p, sent + from, len);
	if (in[3] & 0x80)
		p[in[4] * len / 256] ^= in[5];
	vkdev_tls_rx(rig.ctx, rig.m.p.tcp_seq + from, p, to, len, &res);
	if (!(in[3] & 0x40))
		take(from, res.decrypted ? to : p, len, res.decrypted);
	if (res.resync_req && (in[3] & 0x20))
		answer(res.resync_seq);
}

static void judge(void)
{
	for (unsigned int n = 0; n < rig.records; n++) {
		size_t end = n + 1 < rig.records ? rig.start[n + 1] : rig.len, i;

		for (i = rig.start[n]; i < end && host.ours[i]; i++)
			;
		if (i == end && memcmp(host.data + rig.start[n], plain + rig.start[n],
				       end - rig.start[n])) {
			fprintf(stderr, "rx_fuzz: record %u is another one\n", n);
			abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	begin(data[0] % suites_num);
	for (size_t i = 1; i + STEP <= len; i += STEP)
		packet(data + i);
	judge();
	return 0;
}
