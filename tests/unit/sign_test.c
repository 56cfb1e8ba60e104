// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signatures of firmware images: the examples of RFC 8032, anything that differs from them,
 * and the file of the public key.
 */
#include "ktap.h"
#include "soc/sign.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* RFC 8032 section 7.1, tests 1 to 3 */
static const struct example {
	const char *name, *key, *msg, *sign;
} examples[] = {
	{ "rfc 8032, no byte",
	  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
	  "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
	{ "rfc 8032, 1 byte",
	  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	  "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
	{ "rfc 8032, 2 bytes",
	  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	  "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
	  "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
};

static size_t unhex(const char *hex, uint8_t *out)
{
	char byte[3] = "";
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		memcpy(byte, hex + 2 * i, 2);
		out[i] = strtoul(byte, NULL, 16);
	}
	return n;
}

static void test_example(const void *row)
{
	const struct example *e = row;
	uint8_t key[VKDEV_SIGN_KEY_LEN], sign[VKDEV_SIGN_LEN], msg[8];
	size_t len = unhex(e->msg, msg);

	unhex(e->key, key);
	unhex(e->sign, sign);
	ktap_expect(vkdev_sign_verify(key, msg, len, sign));
	for (size_t bit = 0; bit < sizeof(sign) * 8; bit++) {
		sign[bit / 8] ^= 1 << bit % 8;
		ktap_expect(!vkdev_sign_verify(key, msg, len, sign));
		sign[bit / 8] ^= 1 << bit % 8;
	}
	for (size_t bit = 0; bit < len * 8; bit++) {
		msg[bit / 8] ^= 1 << bit % 8;
		ktap_expect(!vkdev_sign_verify(key, msg, len, sign));
		msg[bit / 8] ^= 1 << bit % 8;
	}
	key[0] ^= 1;
	ktap_expect(!vkdev_sign_verify(key, msg, len, sign));
}

/* The same signature with the group's order added to its second half (RFC 8032, 5.1.7). */
static void test_second_form_of_a_signature(void)
{
	static const uint8_t order[32] = {
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde,
		0xf9, 0xde, 0x14, [31] = 0x10,
	};
	uint8_t key[VKDEV_SIGN_KEY_LEN], sign[VKDEV_SIGN_LEN];
	unsigned int carry = 0;

	unhex(examples[0].key, key);
	unhex(examples[0].sign, sign);
	for (int i = 0; i < 32; i++) {
		carry += sign[32 + i] + order[i];
		sign[32 + i] = carry;
		carry >>= 8;
	}
	ktap_expect(!vkdev_sign_verify(key, "", 0, sign));
}

static void test_zeros_are_no_signature(void)
{
	static const uint8_t zero[VKDEV_SIGN_LEN];
	uint8_t key[VKDEV_SIGN_KEY_LEN];

	unhex(examples[0].key, key);
	ktap_expect(!vkdev_sign_verify(key, "", 0, zero));
}

#define BEGIN	"-----BEGIN PUBLIC KEY-----\n"
#define END	"-----END PUBLIC KEY-----\n"
#define GOOD	"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

/* Files, most of them with no key. The key is that of the first example. */
static const struct file {
	const char *name, *text;
	bool good;
} files[] = {
	{ "key file", BEGIN GOOD "\n" END, true },
	{ "key file with words before it", "my key\n" BEGIN GOOD "\n" END, true },
	{ "key file: empty", "", false },
	{ "key file: no end", BEGIN GOOD "\n", false },
	{ "key file: end before the beginning", END GOOD "\n" BEGIN, false },
	{ "key file: nothing in it", BEGIN END, false },
	{ "key file: cut", BEGIN "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIa\n" END,
	  false },
	{ "key file: not base64",
	  BEGIN "MCow!QYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	  "\n" END, false },
	{ "key file: X25519", BEGIN "MCowBQYDK2VuAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	  "\n" END, false },
	{ "key file: two keys in one", BEGIN GOOD GOOD "\n" END, false },
	{ "key file: too long", BEGIN GOOD GOOD GOOD GOOD GOOD GOOD GOOD GOOD "\n" END, false },
	{ "key file: private key", "-----BEGIN PRIVATE KEY-----\n" GOOD
	  "\n-----END PRIVATE KEY-----\n", false },
};

static void test_file(const void *row)
{
	const struct file *f = row;
	uint8_t want[VKDEV_SIGN_KEY_LEN], key[VKDEV_SIGN_KEY_LEN];

	unhex(examples[0].key, want);
	ktap_expect_eq(vkdev_sign_key_read(f->text, key), f->good);
	if (f->good)
		ktap_expect_mem(key, want, sizeof(want));
}

int main(void)
{
	ktap_start();
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		ktap_case(examples[i].name, test_example, &examples[i]);
	KTAP_RUN(test_second_form_of_a_signature);
	KTAP_RUN(test_zeros_are_no_signature);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		ktap_case(files[i].name, test_file, &files[i]);
	return ktap_finish();
}
