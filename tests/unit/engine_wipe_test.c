// SPDX-License-Identifier: GPL-2.0-only
/*
 * After a context is deleted, its key and IV are nowhere in the process. The
 * test stores them masked, and searches all writable memory for them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine_model.h"
#include "ktap.h"
#include "prng.h"

#define MASK	0x5a
#define IV_LEN	12

struct secret {
	uint8_t masked[32];
	size_t len;
};

static unsigned int scan(const struct secret *s, const uint8_t *p, const uint8_t *end)
{
	unsigned int found = 0;
	size_t i;

	for (; p + s->len <= end; p++) {
		for (i = 0; i < s->len && (p[i] ^ MASK) == s->masked[i]; i++)
			;
		found += i == s->len;
	}
	return found;
}

/*
 * Count the copies of the secret in the memory of this process that is
 * readable and writable.
 */
static unsigned int scan_all(const struct secret *s)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned int found = 0;
	unsigned long from, to;
	char line[512], perm[5];

	if (!ktap_expect(f))
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %4s", &from, &to, perm) == 3 &&
		    perm[0] == 'r' && perm[1] == 'w')
			found += scan(s, (const uint8_t *)from, (const uint8_t *)to);
	}
	fclose(f);
	return found;
}

static void unmask(const struct secret *s, uint8_t *out)
{
	for (size_t i = 0; i < s->len; i++)
		out[i] = s->masked[i] ^ MASK;
}

static VkdevTlsCtx *add(const struct suite *s, const struct secret *key, const struct secret *iv)
{
	VkdevTlsParams p = {
		.version = s->version, .cipher = s->cipher, .direction = VKTLS_DIR_TX,
	};
	VkdevTlsCtx *ctx = NULL;

	unmask(key, p.key);
	unmask(iv, p.iv);
	vkdev_tls_add(engine(), &p, &ctx);
	vkdev_aead_wipe(&p, sizeof(p));
	return ctx;
}

/* Leave a record unfinished, after its header or in its payload. */
static unsigned int encrypt(VkdevTlsCtx *ctx, const struct suite *s, const struct secret *iv,
			    size_t payload)
{
	uint8_t packet[5 + 8 + 100] = { s->type_max, 3, 3, 0x20 };
	uint8_t nonce[IV_LEN];
	VkdevTlsCount count;
	unsigned int st;

	unmask(iv, nonce);
	memcpy(packet + 5, nonce + 4, s->nonce_len);
	st = vkdev_tls_tx(ctx, 0, packet, 5 + s->nonce_len + payload, &count);
	vkdev_aead_wipe(nonce, sizeof(nonce));
	vkdev_aead_wipe(packet, sizeof(packet));
	return st;
}

/*
 * Functions that handle the secret run deep in the stack, so that copies left
 * there are not overwritten before the search.
 */
struct life {
	const struct suite *s;
	const struct secret *key, *iv;
	size_t payload;
	VkdevTlsCtx *ctx;
	unsigned int status;
};

static __attribute__((noinline)) void deep_down(void (*fn)(struct life *), struct life *l)
{
	uint8_t room[65536];

	vkdev_aead_wipe(room, sizeof(room));
	fn(l);
	vkdev_aead_wipe(room, sizeof(room));
}

static void life_begin(struct life *l)
{
	l->ctx = add(l->s, l->key, l->iv);
	l->status = l->ctx ? encrypt(l->ctx, l->s, l->iv, l->payload) : VKTLS_ST_TLS_CRYPTO;
}

static void life_end(struct life *l)
{
	vkdev_tls_del(l->ctx);
}

static void nothing_is_left(const struct suite *s, size_t payload)
{
	struct prng rng = { 0xdead + s->cipher + payload };
	struct secret key = { .len = vkdev_aead_key_len(s->alg) };
	struct secret iv = { .len = IV_LEN };
	struct life life = { .s = s, .key = &key, .iv = &iv, .payload = payload };

	prng_fill(&rng, key.masked, key.len);
	prng_fill(&rng, iv.masked, iv.len);
	ktap_expect_eq(scan_all(&key), 0);
	deep_down(life_begin, &life);
	ktap_expect_eq(life.status, VKTLS_ST_OK);
	ktap_expect(scan_all(&key) >= 1);
	ktap_expect(scan_all(&iv) >= 1);
	deep_down(life_end, &life);
	ktap_expect_eq(scan_all(&key), 0);
	ktap_expect_eq(scan_all(&iv), 0);
}

static void deleted_context_leaves_nothing(const void *row)
{
	nothing_is_left(row, 0);
	nothing_is_left(row, 100);
}

/*
 * More contexts than slots for expanded keys take turns, so each key was
 * expanded and later replaced by keys of all ciphers.
 */
static void shared_places_leave_nothing(void)
{
	struct secret key[3 * ENGINE_KEYS], iv[3 * ENGINE_KEYS];
	struct life life[3 * ENGINE_KEYS];
	struct prng rng = { 0xbeef };
	const size_t n = 3 * ENGINE_KEYS;

	for (size_t i = 0; i < n; i++) {
		const struct suite *s = &suites[(i / ENGINE_KEYS + i) % suites_num];

		key[i].len = vkdev_aead_key_len(s->alg);
		iv[i].len = IV_LEN;
		prng_fill(&rng, key[i].masked, key[i].len);
		prng_fill(&rng, iv[i].masked, iv[i].len);
		life[i] = (struct life){ .s = s, .key = &key[i], .iv = &iv[i], .payload = 50 };
		deep_down(life_begin, &life[i]);
		ktap_expect_eq(life[i].status, VKTLS_ST_OK);
	}
	for (size_t i = 0; i < n; i += 2)
		deep_down(life_end, &life[i]);
	for (size_t i = 0; i < n; i++)
		ktap_expect(scan_all(&key[i]) ? i % 2 : !(i % 2));
	for (size_t i = 1; i < n; i += 2)
		deep_down(life_end, &life[i]);
	for (size_t i = 0; i < n; i++) {
		ktap_expect_eq(scan_all(&key[i]), 0);
		ktap_expect_eq(scan_all(&iv[i]), 0);
	}
}

static void life_next(struct life *l)
{
	uint8_t key[32] = { 0 }, iv[IV_LEN];

	unmask(l->key, key);
	unmask(l->iv, iv);
	l->status = vkdev_tls_next_tx(l->ctx, 1, iv, key, l->payload);
	vkdev_aead_wipe(key, sizeof(key));
	vkdev_aead_wipe(iv, sizeof(iv));
}

/* One record with each key, and the first one again. */
static void life_send(struct life *l)
{
	uint8_t packet[2][100] = { { 23, 3, 3, 0, 95 }, { 23, 3, 3, 0, 95 } };
	VkdevTlsCount count;

	l->status = vkdev_tls_tx(l->ctx, 0, packet[0], sizeof(packet), &count);
	memset(packet[0] + 5, 0, 95);
	if (l->status == VKTLS_ST_OK)
		l->status = vkdev_tls_replay(l->ctx, 0, 0, packet[0], 100, &count);
}

static void life_done(struct life *l)
{
	l->status = vkdev_tls_key_done(l->ctx, 1);
}

/*
 * Of two keys the first is nowhere once it is done, and both are nowhere when the
 * context is deleted, also if the second one was never in use, or the first one never
 * done.
 */
static void keys_leave_nothing(const struct suite *s, bool sent, bool done)
{
	struct prng rng = { 0xfeed + s->cipher };
	struct secret key[2], iv[2];
	struct life life[2];

	for (int i = 0; i < 2; i++) {
		key[i].len = vkdev_aead_key_len(s->alg);
		iv[i].len = IV_LEN;
		prng_fill(&rng, key[i].masked, key[i].len);
		prng_fill(&rng, iv[i].masked, iv[i].len);
		life[i] = (struct life){ .s = s, .key = &key[i], .iv = &iv[i], .payload = 100 };
	}
	life[0].ctx = add(s, &key[0], &iv[0]);
	life[1].ctx = life[0].ctx;
	deep_down(life_next, &life[1]);
	ktap_expect_eq(life[1].status, VKTLS_ST_OK);
	if (sent)
		deep_down(life_send, &life[0]);
	ktap_expect_eq(life[0].status, VKTLS_ST_OK);
	for (int i = 0; i < 2; i++)
		ktap_expect(scan_all(&key[i]) >= 1 && scan_all(&iv[i]) >= 1);
	if (done) {
		deep_down(life_done, &life[0]);
		ktap_expect_eq(life[0].status, VKTLS_ST_OK);
		ktap_expect(!scan_all(&key[0]) && !scan_all(&iv[0]));
		ktap_expect(scan_all(&key[1]) >= 1);
	}
	deep_down(life_end, &life[0]);
	for (int i = 0; i < 2; i++)
		ktap_expect(!scan_all(&key[i]) && !scan_all(&iv[i]));
}

static void followed_keys_leave_nothing(const void *row)
{
	const struct suite *s = row;

	for (int i = 0; s->version == VKTLS_VERSION_TLS13 && i < 4; i++)
		keys_leave_nothing(s, i & 1, i & 2);
}

int main(void)
{
	ktap_start();
	for (unsigned int i = 0; i < suites_num; i++)
		ktap_case(suites[i].name, deleted_context_leaves_nothing, &suites[i]);
	KTAP_RUN(shared_places_leave_nothing);
	ktap_case("keys that follow each other: AES-128", followed_keys_leave_nothing,
		  &suites[3]);
	ktap_case("keys that follow each other: AES-256", followed_keys_leave_nothing,
		  &suites[4]);
	ktap_case("keys that follow each other: ChaCha20", followed_keys_leave_nothing,
		  &suites[5]);
	return ktap_finish();
}
