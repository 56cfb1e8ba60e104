// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target for the receive side of the TLS engine. Each input is an order in which
 * pieces of a stream arrive, some of them damaged, and the behaviour of a host. For each
 * byte the host takes the first copy that arrives. It finds records by the headers that it
 * has, and believes a record if the engine decrypted all of it; such a record must be one
 * that was sent.
 */
#include "../engine_rx_rig.h"

#define HEADER_LEN	5
#define STREAM	12000
#define STEP	6	/* bytes of input for one packet */

struct host {
	bool have[STREAM], ours[STREAM];
	uint8_t data[STREAM];
};

static struct host host;
static uint8_t sent[STREAM];

/*
 * Seal a stream, once for each suite, and start a new context for each input, with a key
 * that never comes in use if @next is set.
 */
static void begin(unsigned int suite, bool next)
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
	if (next)
		vkdev_tls_next(rig.ctx, 1, rig.m.p.iv, rig.m.p.key);
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

/*
 * Deliver one packet. Input: place (2 bytes), length and flags (2 bytes), place of a
 * changed byte, its change.
 */
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

/*
 * Return the number of the record that the sender made of bytes @from to @end - 1, or -1.
 */
static int record_at(size_t from, size_t end)
{
	for (unsigned int n = 0; n < rig.records; n++) {
		size_t next = n + 1 < rig.records ? rig.start[n + 1] : rig.len;

		if (rig.start[n] == from && next == end)
			return n;
	}
	return -1;
}

/*
 * True if bytes @from to @end - 1 are a record of the sender, and the host has the right
 * bytes.
 */
static bool is_as_sent(size_t from, size_t end)
{
	for (size_t i = from; i < end; i++) {
		if (host.data[i] != (host.ours[i] ? plain[i] : sent[i]))
			return false;
	}
	return record_at(from, end) >= 0;
}

static size_t count(const bool *flag, size_t from, size_t end)
{
	size_t n = 0;

	for (size_t i = from; i < end; i++)
		n += flag[i];
	return n;
}

/*
 * Check the records that the host has, by the lengths in the headers that it has, which may
 * be damaged. A record that was decrypted completely is believed and must be right. Any
 * other would be authenticated by the host, which ends the connection at the first wrong
 * one.
 */
static void judge(void)
{
	size_t from, end;

	for (from = 0; from + HEADER_LEN <= rig.len; from = end) {
		if (count(host.have, from, from + HEADER_LEN) < HEADER_LEN)
			return;
		end = from + HEADER_LEN + (host.data[from + 3] << 8 | host.data[from + 4]);
		if (end > rig.len || count(host.have, from, end) < end - from)
			return;
		if (is_as_sent(from, end))
			continue;
		if (count(host.ours, from, end) == end - from) {
			fprintf(stderr, "rx_fuzz: bytes %zu to %zu are no record\n", from, end);
			abort();
		}
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	begin(data[0] % suites_num, data[0] & 0x80);
	for (size_t i = 1; i + STEP <= len; i += STEP)
		packet(data + i);
	judge();
	return 0;
}
