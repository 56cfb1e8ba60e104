// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's incremental AEAD is compared with published answers and, for
 * random messages cut at random places, with GnuTLS in one call. The test is
 * built once for each crypto library of the device; both must agree with
 * GnuTLS, and so with each other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aead_oracle.h"
#include "ktap.h"
#include "prng.h"
#include "../vectors/aead_kat.h"

#define MSG_MAX		20000
#define ROUNDS		2000
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const alg_name[VKDEV_AEAD_ALGS] = {
	"aes-128-gcm", "aes-256-gcm", "chacha20-poly1305",
};

/*
 * Process a message in pieces of @cut bytes, or of at most @cut bytes with a
 * random generator @r; @cut 0: in one piece.
 */
static void update(const VkdevAeadKey *k, VkdevAeadState *st, bool decrypt, uint8_t *dst,
		   const uint8_t *src, size_t len, size_t cut, struct prng *r)
{
	while (len) {
		size_t n = !cut ? len : r ? 1 + prng_below(r, cut) : cut;

		if (n > len)
			n = len;
		if (decrypt)
			vkdev_aead_decrypt(k, st, dst, src, n);
		else
			vkdev_aead_encrypt(k, st, dst, src, n);
		dst += n;
		src += n;
		len -= n;
	}
}

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		char byte[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		out[i] = strtoul(byte, NULL, 16);
	}
	return n;
}

static VkdevAeadKey *key_alloc(VkdevAeadAlg alg, const uint8_t *key)
{
	VkdevAeadKey *k = vkdev_aead_works() ?
			  aligned_alloc(VKDEV_AEAD_KEY_ALIGN, vkdev_aead_key_size()) : NULL;

	if (k)
		vkdev_aead_key_set(k, alg, key);
	return k;
}

static void key_free(VkdevAeadKey *k)
{
	free(k);
}

static bool kat_run(const struct aead_kat *t, bool decrypt, size_t cut)
{
	uint8_t key[32], nonce[12], aad[64], in[512], want[512], out[512], tag[16], got[16];
	size_t aad_len = unhex(t->aad, aad);
	size_t len = unhex(decrypt ? t->cipher : t->plain, in);
	VkdevAeadState st;
	VkdevAeadKey *k;

	unhex(t->key, key);
	unhex(t->nonce, nonce);
	unhex(decrypt ? t->plain : t->cipher, want);
	unhex(t->tag, tag);
	k = key_alloc(t->alg, key);
	if (!k)
		return false;
	vkdev_aead_start(k, &st, nonce, aad, aad_len);
	update(k, &st, decrypt, out, in, len, cut, NULL);
	vkdev_aead_finish(k, &st, got);
	key_free(k);
	return !memcmp(out, want, len) && !memcmp(got, tag, sizeof(tag));
}

static void test_kat(void)
{
	static const size_t cuts[] = { 0, 1, 3, 15, 16, 17, 63, 64, 65 };
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(aead_kats); i++) {
		bool ok = true;

		for (size_t j = 0; j < ARRAY_SIZE(cuts); j++)
			ok = ok && kat_run(&aead_kats[i], false, cuts[j]) &&
			     kat_run(&aead_kats[i], true, cuts[j]);
		snprintf(name, sizeof(name), "known answer: %s", aead_kats[i].name);
		ktap_check(ok, name);
	}
}

struct message {
	VkdevAeadAlg alg;
	uint8_t key[32], nonce[12], aad[16];
	size_t aad_len, len;
	uint8_t plain[MSG_MAX];
	uint8_t sealed[MSG_MAX + VKDEV_AEAD_TAG_LEN];
};

static bool message_make(struct message *m, VkdevAeadAlg alg, struct prng *r)
{
	m->alg = alg;
	m->aad_len = prng_below(r, sizeof(m->aad) + 1);
	m->len = prng_below(r, 4) ? prng_below(r, MSG_MAX) : prng_below(r, 80);
	prng_fill(r, m->key, sizeof(m->key));
	prng_fill(r, m->nonce, sizeof(m->nonce));
	prng_fill(r, m->aad, sizeof(m->aad));
	prng_fill(r, m->plain, m->len);
	return oracle_seal(alg, m->key, m->nonce, m->aad, m->aad_len, m->plain, m->len,
			   m->sealed);
}

/*
 * Encrypt in place at an odd address, and decrypt from there to another
 * buffer.
 */
static bool message_check(const struct message *m, size_t cut, struct prng *r)
{
	static uint8_t work[MSG_MAX + 64], back[MSG_MAX];
	uint8_t *p = work + prng_below(r, 64);
	VkdevAeadKey *k = key_alloc(m->alg, m->key);
	uint8_t tag[VKDEV_AEAD_TAG_LEN];
	VkdevAeadState st;
	bool ok;

	if (!k)
		return false;
	memcpy(p, m->plain, m->len);
	vkdev_aead_start(k, &st, m->nonce, m->aad, m->aad_len);
	update(k, &st, false, p, p, m->len, cut, r);
	vkdev_aead_finish(k, &st, tag);
	ok = !memcmp(p, m->sealed, m->len) && !memcmp(tag, m->sealed + m->len, sizeof(tag));

	vkdev_aead_start(k, &st, m->nonce, m->aad, m->aad_len);
	update(k, &st, true, back, p, m->len, cut, r);
	vkdev_aead_finish(k, &st, tag);
	ok = ok && !memcmp(back, m->plain, m->len) &&
	     !vkdev_aead_tag_differs(tag, m->sealed + m->len);
	key_free(k);
	return ok;
}

static void test_splits(VkdevAeadAlg alg)
{
	static const size_t cuts[] = { 0, 2, 20, 70, 200, 1500, 9000 };
	struct prng r = { 0x5eed + alg };
	static struct message m;
	char name[64];
	bool ok = true;

	for (int i = 0; i < ROUNDS && ok; i++) {
		ok = message_make(&m, alg, &r) &&
		     message_check(&m, cuts[i % ARRAY_SIZE(cuts)], &r);
		if (!ok)
			printf("# round %d, %zu bytes\n", i, m.len);
	}
	snprintf(name, sizeof(name), "random splits agree with GnuTLS: %s", alg_name[alg]);
	ktap_check(ok, name);
}

/*
 * A saved copy of the state gives the right result after the original has been
 * used further.
 */
static void test_clone(VkdevAeadAlg alg)
{
	static uint8_t out[MSG_MAX];
	struct prng r = { 0xc10e + alg };
	uint8_t tag[VKDEV_AEAD_TAG_LEN];
	static struct message m;
	VkdevAeadState st, saved;
	VkdevAeadKey *k;
	char name[64];
	bool ok;

	ok = message_make(&m, alg, &r);
	k = key_alloc(alg, m.key);
	for (size_t at = 0; ok && k && at < m.len; at += 1 + m.len / 37) {
		vkdev_aead_start(k, &st, m.nonce, m.aad, m.aad_len);
		update(k, &st, false, out, m.plain, at, 0, NULL);
		saved = st;
		update(k, &st, false, out, m.sealed, sizeof(out) / 2, 0, NULL);
		vkdev_aead_finish(k, &st, tag);
		update(k, &saved, false, out + at, m.plain + at, m.len - at, 0, NULL);
		vkdev_aead_finish(k, &saved, tag);
		ok = !memcmp(out + at, m.sealed + at, m.len - at) &&
		     !memcmp(tag, m.sealed + m.len, sizeof(tag));
	}
	snprintf(name, sizeof(name), "saved state goes on: %s", alg_name[alg]);
	ktap_check(ok && k, name);
	key_free(k);
}

static void test_finish_wipes(VkdevAeadAlg alg)
{
	uint8_t key[32] = { 1 }, nonce[12] = { 2 }, text[40] = { 3 }, tag[16];
	VkdevAeadKey *k = key_alloc(alg, key);
	const uint8_t *p;
	VkdevAeadState st;
	char name[64];
	bool ok = k;

	memset(&st, 0, sizeof(st));
	if (k) {
		vkdev_aead_start(k, &st, nonce, NULL, 0);
		vkdev_aead_encrypt(k, &st, text, text, sizeof(text));
		vkdev_aead_finish(k, &st, tag);
	}
	p = (const uint8_t *)&st;
	for (size_t i = 0; i < sizeof(st); i++)
		ok = ok && !p[i];
	snprintf(name, sizeof(name), "finish wipes the state: %s", alg_name[alg]);
	ktap_check(ok, name);
	key_free(k);
}

static void test_arguments(void)
{
	uint8_t a[16] = { 0 }, b[16] = { 0 };
	bool ok = !vkdev_aead_tag_differs(a, b);

	for (int bit = 0; bit < 128; bit++) {
		b[bit / 8] ^= 1 << bit % 8;
		ok = ok && vkdev_aead_tag_differs(a, b);
		b[bit / 8] ^= 1 << bit % 8;
	}
	ktap_check(ok, "one flipped bit makes tags differ");
	ktap_check(!vkdev_aead_key_len(VKDEV_AEAD_ALGS), "unknown algorithm has no key");
}

int main(void)
{
	ktap_start();
	test_kat();
	printf("# backend: %s\n", vkdev_aead_backend());
	for (int alg = 0; alg < VKDEV_AEAD_ALGS; alg++) {
		test_splits(alg);
		test_clone(alg);
		test_finish_wipes(alg);
	}
	test_arguments();
	return ktap_finish();
}
