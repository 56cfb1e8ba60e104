// SPDX-License-Identifier: GPL-2.0-only
/*
 * Key derivation and KeyUpdate messages in net/tls: the secrets of RFC 8448 give its keys,
 * GnuTLS derives the same next secrets, and KeyUpdates are found, in one or several
 * records, or refused, as RFC 8446 says.
 */
#include <errno.h>

#include <gnutls/crypto.h>
#include <nettle/hmac.h>

#include "../../net/tls/key_update.h"
#include "../../net/tls/record.h"
#include "../../net/tls/secret.h"
#include "../vectors/tls13_records.h"
#include "ktap.h"

static int hmac_256(void *arg, const uint8_t *key, uint32_t key_len,
		    const uint8_t *data, uint32_t len, uint8_t *out)
{
	struct hmac_sha256_ctx ctx;

	(void)arg;
	hmac_sha256_set_key(&ctx, key_len, key);
	hmac_sha256_update(&ctx, len, data);
	hmac_sha256_digest(&ctx, 32, out);
	return 0;
}

static int hmac_384(void *arg, const uint8_t *key, uint32_t key_len,
		    const uint8_t *data, uint32_t len, uint8_t *out)
{
	struct hmac_sha384_ctx ctx;

	(void)arg;
	hmac_sha384_set_key(&ctx, key_len, key);
	hmac_sha384_update(&ctx, len, data);
	hmac_sha384_digest(&ctx, 48, out);
	return 0;
}

static int hmac_fails(void *arg, const uint8_t *key, uint32_t key_len,
		      const uint8_t *data, uint32_t len, uint8_t *out)
{
	(void)arg, (void)key, (void)key_len, (void)data, (void)len, (void)out;
	return -ENOMEM;
}

static const struct tls_hkdf sha256 = { .len = 32, .hmac = hmac_256 };
static const struct tls_hkdf sha384 = { .len = 48, .hmac = hmac_384 };

/* The keys of both directions in RFC 8448, section 3. */
static void rfc8448_keys(void)
{
	uint8_t key[16], iv[12];

	ktap_expect_eq(tls_secret_key(&sha256, rfc8448_client_secret, key,
				      sizeof(key), iv), 0);
	ktap_expect_mem(key, rfc8448_key, sizeof(key));
	ktap_expect_mem(iv, rfc8448_iv, sizeof(iv));
	ktap_expect_eq(tls_secret_key(&sha256, rfc8448_server_secret, key,
				      sizeof(key), iv), 0);
	ktap_expect_mem(key, rfc8448_server_key, sizeof(key));
	ktap_expect_mem(iv, rfc8448_server_iv, sizeof(iv));
}

/* The HkdfLabel of RFC 8446 section 7.1, built here, with HKDF-Expand of GnuTLS. */
static void oracle(gnutls_mac_algorithm_t mac, const uint8_t *secret,
		   unsigned int len, const char *label, uint8_t *out,
		   uint16_t out_len)
{
	uint8_t info[64] = { out_len >> 8, out_len, 6 + strlen(label) };
	gnutls_datum_t key = { (uint8_t *)secret, len };
	gnutls_datum_t text = { info, 10 + strlen(label) };

	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, strlen(label));
	ktap_expect_eq(gnutls_hkdf_expand(mac, &key, &text, out, out_len), 0);
}

static void agree(const struct tls_hkdf *hkdf, gnutls_mac_algorithm_t mac,
		  unsigned int key_len)
{
	uint8_t secret[48], next[48], wanted[48], key[32], iv[12];
	int i;

	for (i = 0; i < 48; i++)
		secret[i] = 7 * i + 1;
	for (i = 0; i < 50; i++) {
		ktap_expect_eq(tls_secret_next(hkdf, secret, next), 0);
		oracle(mac, secret, hkdf->len, "traffic upd", wanted, hkdf->len);
		ktap_expect_mem(next, wanted, hkdf->len);
		ktap_expect_eq(tls_secret_key(hkdf, next, key, key_len, iv), 0);
		oracle(mac, next, hkdf->len, "key", wanted, key_len);
		ktap_expect_mem(key, wanted, key_len);
		oracle(mac, next, hkdf->len, "iv", wanted, sizeof(iv));
		ktap_expect_mem(iv, wanted, sizeof(iv));
		memcpy(secret, next, hkdf->len);
	}
}

static void fifty_updates_sha256(void)
{
	agree(&sha256, GNUTLS_MAC_SHA256, 16);
	agree(&sha256, GNUTLS_MAC_SHA256, 32);
}

static void fifty_updates_sha384(void)
{
	agree(&sha384, GNUTLS_MAC_SHA384, 32);
}

static void impossible_lengths(void)
{
	const struct tls_hkdf broken = { .len = 32, .hmac = hmac_fails };
	uint8_t out[48];

	ktap_expect_eq(tls_secret_expand(&sha256, rfc8448_client_secret, "key",
					 out, 33), -EINVAL);
	ktap_expect_eq(tls_secret_expand(&sha256, rfc8448_client_secret,
					 "thirteen byte", out, 16), -EINVAL);
	ktap_expect_eq(tls_secret_next(&broken, rfc8448_client_secret, out),
		       -ENOMEM);
}

#define TICKET	4, 0, 0, 5, 24, 0, 0, 1, 0	/* content looks like a KeyUpdate */
#define UPDATE	24, 0, 0, 1, 0
#define ASKS	24, 0, 0, 1, 1

/* Handshake records, and the KeyUpdate that is found in the last one. */
static const struct scan_row {
	const char *name;
	uint8_t bytes[24];
	uint8_t ends[4];	/* ends of the records; 0 behind the last */
	int alert;
	bool found, request;
	uint8_t tail;
} rows[] = {
	{ "alone", { UPDATE }, { 5 }, 0, true, false, 5 },
	{ "asks for one", { ASKS }, { 5 }, 0, true, true, 5 },
	{ "behind a ticket", { TICKET, UPDATE }, { 14 }, 0, true, false, 5 },
	{ "within a ticket", { TICKET }, { 9 }, 0, false, false, 0 },
	{ "byte by byte", { 24, 0, 0, 1 }, { 1, 2, 3, 4 }, 0, false, false, 1 },
	{ "cut in its header", { UPDATE }, { 2, 5 }, 0, true, false, 3 },
	{ "cut before its content", { ASKS }, { 4, 5 }, 0, true, true, 1 },
	{ "behind a cut ticket", { TICKET, ASKS }, { 3, 14 }, 0, true, true, 5 },
	{ "ticket cut in its header", { TICKET, UPDATE }, { 2, 9, 14 }, 0, true,
	  false, 5 },
	{ "two in a record", { UPDATE, UPDATE }, { 10 },
	  TLS_ALERT_UNEXPECTED_MESSAGE, true, false, 5 },
	{ "ticket behind it", { UPDATE, TICKET }, { 14 },
	  TLS_ALERT_UNEXPECTED_MESSAGE, true, false, 5 },
	{ "one byte behind it", { UPDATE, 0 }, { 6 },
	  TLS_ALERT_UNEXPECTED_MESSAGE, true, false, 5 },
	{ "another value", { 24, 0, 0, 1, 2 }, { 5 },
	  TLS_ALERT_ILLEGAL_PARAMETER, false, false, 4 },
	{ "no content", { 24, 0, 0, 0 }, { 4 }, TLS_ALERT_DECODE_ERROR, false,
	  false, 4 },
	{ "two bytes of content", { 24, 0, 0, 2, 0, 0 }, { 6 },
	  TLS_ALERT_DECODE_ERROR, false, false, 4 },
	{ "a long one", { 24, 1, 0, 1, 0 }, { 5 }, TLS_ALERT_DECODE_ERROR, false,
	  false, 4 },
};

/* Scan the records of a row in pieces of @step bytes. */
static int scan_rows(const struct scan_row *row, struct tls_ku_scan *scan,
		     unsigned int step)
{
	unsigned int at = 0, i, n;
	int alert = 0;

	for (i = 0; i < 4 && row->ends[i] && !alert; i++) {
		tls_ku_scan_begin(scan);
		for (; at < row->ends[i] && !alert; at += n) {
			n = row->ends[i] - at < step ? row->ends[i] - at : step;
			alert = tls_ku_scan(scan, row->bytes + at, n);
		}
	}
	return alert;
}

static void scanned(const void *arg)
{
	const struct scan_row *row = arg;
	unsigned int step;

	for (step = 1; step < 24; step++) {
		struct tls_ku_scan scan = {};

		ktap_expect_eq(scan_rows(row, &scan, step), row->alert);
		ktap_expect_eq(scan.found, row->found);
		ktap_expect_eq(scan.found && scan.request, row->request);
		ktap_expect_eq(scan.tail, row->tail);
	}
}

/* A message of tls_ku_build() is found by tls_ku_scan(). */
static void built(void)
{
	uint8_t message[TLS_KEY_UPDATE_LEN];
	struct tls_ku_scan scan = {};
	int request;

	for (request = 0; request < 2; request++) {
		tls_ku_build(message, request);
		tls_ku_scan_begin(&scan);
		ktap_expect_eq(tls_ku_scan(&scan, message, sizeof(message)), 0);
		ktap_expect(scan.found);
		ktap_expect_eq(scan.request, request);
	}
}

static void rate_in_a_row(void)
{
	struct tls_ku_rate rate = { .row = 32, .per_second = 1000 };
	int i;

	for (i = 0; i < 32; i++)
		ktap_expect(tls_ku_rate_take(&rate, true, 5000));
	ktap_expect(!tls_ku_rate_take(&rate, true, 5000));
	ktap_expect(tls_ku_rate_take(&rate, false, 5000));
	ktap_expect(tls_ku_rate_take(&rate, true, 5000));
}

static void rate_per_second(void)
{
	struct tls_ku_rate rate = { .row = 32, .per_second = 8 };
	int i;

	for (i = 0; i < 8; i++)
		ktap_expect(tls_ku_rate_take(&rate, false, 7000 + i));
	ktap_expect(!tls_ku_rate_take(&rate, false, 7999));
	ktap_expect(tls_ku_rate_take(&rate, false, 8000));
}

static void limits(void)
{
	ktap_expect_eq(tls_key_warn_at(64), 48);
	ktap_expect_eq(tls_key_end_at(64), 48);
	ktap_expect_eq(tls_key_warn_at(23726566), 17794925);
	ktap_expect_eq(tls_key_end_at(23726566), 23726550);
	ktap_expect(tls_key_warn_at(TLS_KEY_LIMIT_MIN) <=
		    tls_key_end_at(TLS_KEY_LIMIT_MIN));
}

int main(void)
{
	unsigned int i;

	ktap_start();
	KTAP_RUN(rfc8448_keys);
	KTAP_RUN(fifty_updates_sha256);
	KTAP_RUN(fifty_updates_sha384);
	KTAP_RUN(impossible_lengths);
	KTAP_RUN(built);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ktap_case(rows[i].name, scanned, &rows[i]);
	KTAP_RUN(rate_in_a_row);
	KTAP_RUN(rate_per_second);
	KTAP_RUN(limits);
	return ktap_finish();
}
