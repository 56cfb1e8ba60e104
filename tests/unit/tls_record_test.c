// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arithmetic of TLS records in net/tls: the records of RFC 8448 are built and opened
 * with it, and each limit is tested from both sides.
 */
#include <errno.h>

#include <nettle/gcm.h>

#include "../../net/tls/record.h"
#include "../vectors/tls13_records.h"
#include "ktap.h"

#define VERSION_12	0x0303
#define VERSION_13	0x0304
#define TAG		16
#define NONCE_12	8	/* bytes of explicit nonce of AES-GCM in TLS 1.2 */

static struct tls_rec_fmt fmt_gcm12, fmt_gcm13, fmt_chacha12;

static void formats(void)
{
	tls_rec_fmt_init(&fmt_gcm12, VERSION_12, false, NONCE_12, TAG);
	tls_rec_fmt_init(&fmt_gcm13, VERSION_13, false, NONCE_12, TAG);
	tls_rec_fmt_init(&fmt_chacha12, VERSION_12, true, 12, TAG);

	ktap_expect_eq(fmt_gcm12.prepend_len, 13);
	ktap_expect_eq(fmt_gcm12.tail_len, 0);
	ktap_expect_eq(fmt_gcm13.prepend_len, 5);
	ktap_expect_eq(fmt_gcm13.tail_len, 1);
	ktap_expect_eq(fmt_chacha12.prepend_len, 5);
	ktap_expect_eq(fmt_chacha12.tail_len, 0);
	ktap_expect(!fmt_gcm12.xor_nonce);
	ktap_expect(fmt_gcm13.xor_nonce);
	ktap_expect(fmt_chacha12.xor_nonce);
}

static const uint8_t *rfc8448_open(const uint8_t *wire, uint8_t *seq,
				   uint8_t *plain, struct tls_rec_hdr *rec)
{
	uint8_t nonce[TLS_REC_NONCE_LEN], aad[TLS_REC_AAD12_LEN], tag[TAG];
	struct gcm_aes128_ctx gcm;
	uint32_t n;

	ktap_expect_eq(tls_rec_hdr_parse(rec, &fmt_gcm13, wire), 0);
	tls_rec_nonce(nonce, &fmt_gcm13, rfc8448_iv, seq);
	n = tls_rec_aad(aad, &fmt_gcm13, rec->type, rec->body_len, seq);
	ktap_expect_eq(n, 5);
	ktap_expect_mem(aad, wire, 5);

	gcm_aes128_set_key(&gcm, rfc8448_key);
	gcm_aes128_set_iv(&gcm, sizeof(nonce), nonce);
	gcm_aes128_update(&gcm, n, aad);
	gcm_aes128_decrypt(&gcm, rec->body_len, plain, wire + 5);
	gcm_aes128_digest(&gcm, TAG, tag);
	ktap_expect_mem(tag, wire + 5 + rec->body_len, TAG);
	return wire + rec->full_len;
}

/* Open both records of the RFC, one after the other. */
static void rfc8448_opens(void)
{
	uint8_t seq[TLS_REC_SEQ_LEN] = {}, plain[64], want[50];
	const uint8_t *at = rfc8448_wire;
	struct tls_rec_hdr rec;
	unsigned int i;

	for (i = 0; i < sizeof(want); i++)
		want[i] = i;
	at = rfc8448_open(at, seq, plain, &rec);
	ktap_expect_mem(plain, want, sizeof(want));
	ktap_expect_eq(tls_rec_content_end(plain, rec.body_len), 51);
	ktap_expect_eq(plain[50], TLS_REC_DATA);

	ktap_expect(!tls_rec_counter_inc(seq, sizeof(seq)));
	at = rfc8448_open(at, seq, plain, &rec);
	ktap_expect_eq(rec.body_len, 3);
	ktap_expect_eq(plain[2], TLS_REC_ALERT);
	ktap_expect(at == rfc8448_wire + sizeof(rfc8448_wire));
}

static void headers_built(void)
{
	uint8_t explicit[NONCE_12] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[13];
	const uint8_t gcm12[] = { 22, 3, 3, 0, 34, 1, 2, 3, 4, 5, 6, 7, 8 };
	const uint8_t gcm13[] = { 23, 3, 3, 0, 27 };
	const uint8_t chacha12[] = { 22, 3, 3, 0, 26 };

	tls_rec_hdr_build(out, &fmt_gcm12, TLS_REC_HANDSHAKE, 10, explicit);
	ktap_expect_mem(out, gcm12, sizeof(gcm12));
	tls_rec_hdr_build(out, &fmt_gcm13, TLS_REC_HANDSHAKE, 10, explicit);
	ktap_expect_mem(out, gcm13, sizeof(gcm13));
	tls_rec_hdr_build(out, &fmt_chacha12, TLS_REC_HANDSHAKE, 10, explicit);
	ktap_expect_mem(out, chacha12, sizeof(chacha12));
}

struct limit_row {
	const char *name;
	const struct tls_rec_fmt *fmt;
	uint16_t version, len;
	int want;
};

static const struct limit_row limits[] = {
	{ "1.2 largest record", &fmt_gcm12, VERSION_12, 16384 + 24, 0 },
	{ "1.2 record too large", &fmt_gcm12, VERSION_12, 16384 + 25, -EMSGSIZE },
	{ "1.2 empty record", &fmt_gcm12, VERSION_12, 24, 0 },
	{ "1.2 record without room", &fmt_gcm12, VERSION_12, 23, -EBADMSG },
	{ "1.3 largest record", &fmt_gcm13, VERSION_12, 16384 + 17, 0 },
	{ "1.3 record too large", &fmt_gcm13, VERSION_12, 16384 + 18, -EMSGSIZE },
	{ "1.3 empty record", &fmt_gcm13, VERSION_12, 17, 0 },
	{ "1.3 record without type", &fmt_gcm13, VERSION_12, 16, -EBADMSG },
	{ "1.3 inner version outside", &fmt_gcm13, VERSION_13, 100, -EINVAL },
	{ "SSL 3 version", &fmt_gcm12, 0x0300, 100, -EINVAL },
	{ "ChaCha largest record", &fmt_chacha12, VERSION_12, 16384 + 16, 0 },
	{ "ChaCha record too large", &fmt_chacha12, VERSION_12, 16384 + 17,
	  -EMSGSIZE },
	{ "length is judged before version", &fmt_gcm12, 0x5555, 0x5555,
	  -EMSGSIZE },
};

static void limit(const void *arg)
{
	const struct limit_row *row = arg;
	uint8_t hdr[5] = { 23, row->version >> 8, row->version & 0xff,
			   row->len >> 8, row->len & 0xff };
	struct tls_rec_hdr rec = {};

	ktap_expect_eq(tls_rec_hdr_parse(&rec, row->fmt, hdr), row->want);
	ktap_expect_eq(rec.full_len, row->want ? 0U : 5U + row->len);
}

static void aad_of_12(void)
{
	uint8_t seq[8] = { 0, 0, 0, 0, 0, 0, 1, 2 }, aad[TLS_REC_AAD12_LEN];
	const uint8_t want[] = { 0, 0, 0, 0, 0, 0, 1, 2, 23, 3, 3, 0x12, 0x34 };

	ktap_expect_eq(tls_rec_aad(aad, &fmt_gcm12, TLS_REC_DATA, 0x1234, seq),
		       13);
	ktap_expect_mem(aad, want, sizeof(want));
}

static void nonces(void)
{
	uint8_t iv[12] = { 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2 }, out[12];
	uint8_t seq[8] = { 0, 0, 0, 0, 0, 0, 0, 3 };
	const uint8_t xored[12] = { 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 1 };

	tls_rec_nonce(out, &fmt_gcm12, iv, seq);
	ktap_expect_mem(out, iv, sizeof(iv));
	tls_rec_nonce(out, &fmt_gcm13, iv, seq);
	ktap_expect_mem(out, xored, sizeof(xored));
	tls_rec_nonce(out, &fmt_chacha12, iv, seq);
	ktap_expect_mem(out, xored, sizeof(xored));
}

static void counters(void)
{
	uint8_t last[8], zero[8] = {}, carry[8] = { 0, 0, 0, 0, 0, 0xff, 0xff, 0xff };
	const uint8_t carried[8] = { 0, 0, 0, 0, 1 };

	memset(last, 0xff, sizeof(last));
	ktap_expect(tls_rec_counter_inc(last, sizeof(last)));
	ktap_expect_mem(last, zero, sizeof(zero));
	ktap_expect(!tls_rec_counter_inc(carry, sizeof(carry)));
	ktap_expect_mem(carry, carried, sizeof(carried));
	tls_rec_counter_add(carry, (uint64_t)-0x1000000LL);
	ktap_expect_mem(carry, zero, sizeof(zero));
}

static void padding(void)
{
	const uint8_t rec[] = { 'a', 0, 'b', TLS_REC_DATA, 0, 0, 0 };

	ktap_expect_eq(tls_rec_content_end(rec, sizeof(rec)), 4);
	ktap_expect_eq(tls_rec_content_end(rec, 4), 4);
	ktap_expect_eq(tls_rec_content_end(rec + 4, 3), 0);
	ktap_expect_eq(tls_rec_content_end(rec, 0), 0);
}

static void key_update_alone(void)
{
	const uint8_t msg[] = { TLS_HS_KEY_UPDATE, 0, 0, 1, 0 };
	struct tls_hs_scan scan = {};

	ktap_expect(tls_hs_scan_key_update(&scan, msg, sizeof(msg)));
	ktap_expect(tls_hs_scan_key_update(&scan, msg, sizeof(msg)));
}

/* A ticket with content that looks like a KeyUpdate, then a real KeyUpdate. */
static void key_update_behind_ticket(void)
{
	const uint8_t ticket[] = { 4, 0, 0, 5, 24, 0, 0, 1, 0 };
	const uint8_t both[] = { 4, 0, 0, 2, 24, 24, 24, 0, 0, 1, 1 };
	struct tls_hs_scan scan = {};

	ktap_expect(!tls_hs_scan_key_update(&scan, ticket, sizeof(ticket)));
	ktap_expect(tls_hs_scan_key_update(&scan, both, sizeof(both)));
}

static void key_update_cut(void)
{
	const uint8_t msgs[] = { 4, 0, 0, 1, 24, 24, 0, 0, 1, 0, 4, 0, 0, 0 };
	unsigned int i, j, found;

	for (i = 0; i <= sizeof(msgs); i++) {
		for (j = i; j <= sizeof(msgs); j++) {
			struct tls_hs_scan scan = {};

			found = tls_hs_scan_key_update(&scan, msgs, i);
			ktap_expect_eq(found, i >= 6);
			found += tls_hs_scan_key_update(&scan, msgs + i, j - i);
			found += tls_hs_scan_key_update(&scan, msgs + j,
							sizeof(msgs) - j);
			ktap_expect_eq(found, 1);
		}
	}
}

int main(void)
{
	unsigned int i;

	ktap_start();
	KTAP_RUN(formats);
	KTAP_RUN(rfc8448_opens);
	KTAP_RUN(headers_built);
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		ktap_case(limits[i].name, limit, &limits[i]);
	KTAP_RUN(aad_of_12);
	KTAP_RUN(nonces);
	KTAP_RUN(counters);
	KTAP_RUN(padding);
	KTAP_RUN(key_update_alone);
	KTAP_RUN(key_update_behind_ticket);
	KTAP_RUN(key_update_cut);
	return ktap_finish();
}
