// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer's entrance to the TLS engine's receive side: each input is an order in
 * which pieces of a stream arrive, some of them damaged, and what a host does. That
 * takes, of each byte, the first that came, cuts records where the headers it has say,
 * and believes a record of which all was decrypted: it must be one that was sent.
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

/* The record of the sender that is at @from and ends at @end, -1 for none. */
static int record_at(size_t from, size_t end)
{
	for (unsigned int n = 0; n < rig.records; n++) {
		size_t next = n + 1 < rig.records ? rig.start[n + 1] : rig.len;

		if (rig.start[n] == from && next == end)
			return n;
	}
	return -1;
}

/* The bytes that the host has of a record: true when they are the sender's. */
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
 * The host's framing decides: a record is as long as its header says, as the host has
 * it, which somebody on the way may have changed. One that is decrypted from its first
 * byte to its last is believed; any other is authenticated, and the first that fails
 * ends the connection.
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
	begin(data[0] % suites_num);
	for (size_t i = 1; i + STEP <= len; i += STEP)
		packet(data + i);
	judge();
	return 0;
}
