// SPDX-License-Identifier: GPL-2.0
/*
 * AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439), to check records on the
 * wire. The code is independent of the NIC, of the kernel's TLS, and of the kernel's
 * crypto API, which a machine may not have. It is simple, and not for real
 * secrets: its run time depends on key and data.
 */
#include <endian.h>
#include <string.h>

#include "tls_peer.h"

#define BLOCK		16
#define LIMB		26	/* bits in each of the five words of a Poly1305 number */
#define LIMB_MASK	((1u << LIMB) - 1)

static unsigned char sbox[256];
static __u32 table[256];	/* SubBytes and MixColumns for the first byte of a column */

static __u32 rotl(__u32 x, int n)
{
	return x << n | x >> (32 - n);
}

static __u32 get_be32(const unsigned char *in)
{
	return (__u32)in[0] << 24 | in[1] << 16 | in[2] << 8 | in[3];
}

static void put_be32(unsigned char *out, __u32 value)
{
	out[0] = value >> 24;
	out[1] = value >> 16;
	out[2] = value >> 8;
	out[3] = value;
}

static __u64 get_be64(const unsigned char *in)
{
	return (__u64)get_be32(in) << 32 | get_be32(in + 4);
}

static __u64 get_le64(const unsigned char *in)
{
	__u64 value;

	memcpy(&value, in, sizeof(value));
	return le64toh(value);
}

static unsigned char times2(unsigned char x)
{
	return x << 1 ^ (x & 0x80 ? 0x1b : 0);
}

/*
 * Fill in the tables of FIPS 197, 5.1.1. Powers of 3 give each element of the field and its
 * inverse.
 */
static void aes_tables(void)
{
	unsigned char power[256], x = 1, inverse, s;
	int i;

	for (i = 0; i < 255; i++) {
		power[i] = x;
		x ^= times2(x);
	}
	for (i = 0; i < 256; i++) {
		x = i < 255 ? power[i] : 0;
		inverse = i < 255 ? power[(255 - i) % 255] : 0;
		s = inverse * 0x101u >> 4 ^ inverse * 0x101u >> 5 ^
		    inverse * 0x101u >> 6 ^ inverse * 0x101u >> 7 ^ inverse ^ 0x63;
		sbox[x] = s;
		table[x] = (__u32)times2(s) << 24 | s << 16 | s << 8 | (times2(s) ^ s);
	}
}

static __u32 aes_sub(__u32 x)
{
	return (__u32)sbox[x >> 24] << 24 | sbox[x >> 16 & 255] << 16 |
	       sbox[x >> 8 & 255] << 8 | sbox[x & 255];
}

static void aes_key(struct aead *a, const unsigned char *key, int words)
{
	unsigned char rcon = 1;
	__u32 x;
	int i;

	a->rounds = words + 6;
	for (i = 0; i < 4 * (a->rounds + 1); i++) {
		if (i < words) {
			a->round_key[i] = get_be32(key + 4 * i);
			continue;
		}
		x = a->round_key[i - 1];
		if (i % words == 0) {
			x = aes_sub(rotl(x, 8)) ^ (__u32)rcon << 24;
			rcon = times2(rcon);
		} else if (words > 6 && i % words == 4) {
			x = aes_sub(x);
		}
		a->round_key[i] = a->round_key[i - words] ^ x;
	}
}

static void aes_block(const struct aead *a, const unsigned char *in, unsigned char *out)
{
	const __u32 *key = a->round_key;
	__u32 s[4], t[4];
	int round, i;

	for (i = 0; i < 4; i++)
		s[i] = get_be32(in + 4 * i) ^ *key++;
	for (round = 1; round < a->rounds; round++) {
		for (i = 0; i < 4; i++)
			t[i] = table[s[i] >> 24] ^
			       rotl(table[s[(i + 1) % 4] >> 16 & 255], 24) ^
			       rotl(table[s[(i + 2) % 4] >> 8 & 255], 16) ^
			       rotl(table[s[(i + 3) % 4] & 255], 8) ^ *key++;
		memcpy(s, t, sizeof(s));
	}
	for (i = 0; i < 4; i++)
		put_be32(out + 4 * i, *key++ ^
			 aes_sub((s[i] & 0xff000000) | (s[(i + 1) % 4] & 0xff0000) |
				 (s[(i + 2) % 4] & 0xff00) | (s[(i + 3) % 4] & 0xff)));
}

/* Add the block to @sum, then multiply by the hash key. */
static void ghash_block(const struct aead *a, __u64 sum[2], const unsigned char *block)
{
	__u64 x[2] = { sum[0] ^ get_be64(block), sum[1] ^ get_be64(block + 8) };
	__u64 v[2] = { a->hash_key[0], a->hash_key[1] }, carry;
	int i;

	sum[0] = 0;
	sum[1] = 0;
	for (i = 0; i < 128; i++) {
		if (x[i / 64] >> (63 - i % 64) & 1) {
			sum[0] ^= v[0];
			sum[1] ^= v[1];
		}
		carry = v[1] & 1 ? 0xe1ull << 56 : 0;
		v[1] = v[1] >> 1 | v[0] << 63;
		v[0] = v[0] >> 1 ^ carry;
	}
}

/* Split a number of 128 bits into five words of LIMB bits. */
static void limbs(__u64 out[5], __u64 low, __u64 high)
{
	out[0] = low & LIMB_MASK;
	out[1] = low >> 26 & LIMB_MASK;
	out[2] = (low >> 52 | high << 12) & LIMB_MASK;
	out[3] = high >> 14 & LIMB_MASK;
	out[4] = high >> 40;
}

/* Propagate carries; a carry out of bit 130 is added to word 0 times 5. */
static void limbs_carry(__u64 h[5])
{
	__u64 carry = 0;
	int i;

	for (i = 0; i < 6; i++) {
		h[i % 5] += i == 5 ? 5 * carry : carry;
		carry = h[i % 5] >> LIMB;
		h[i % 5] &= LIMB_MASK;
	}
	h[1] += carry;
}

static void poly_block(__u64 h[5], const __u64 r[5], const unsigned char *block)
{
	__u64 d[5] = { 0 }, m[5];
	int i, j;

	limbs(m, get_le64(block), get_le64(block + 8));
	m[4] |= 1 << 24;
	for (j = 0; j < 5; j++)
		for (i = 0; i < 5; i++)
			d[(i + j) % 5] += (h[j] + m[j]) * r[i] * (i + j < 5 ? 1 : 5);
	memcpy(h, d, sizeof(d));
	limbs_carry(h);
}

/* Write the tag: @h modulo 2^130 - 5, plus the second half of the one-time key. */
static void poly_tag(__u64 h[5], const unsigned char *s, unsigned char *tag)
{
	__u64 g[5], low, high, carry = 5;
	int i;

	limbs_carry(h);
	limbs_carry(h);
	for (i = 0; i < 5; i++) {
		g[i] = h[i] + carry;
		carry = g[i] >> LIMB;
		g[i] &= LIMB_MASK;
	}
	if (carry)
		memcpy(h, g, sizeof(g));
	low = h[0] | h[1] << 26 | h[2] << 52;
	high = h[2] >> 12 | h[3] << 14 | h[4] << 40;
	low += get_le64(s);
	high += get_le64(s + 8) + (low < get_le64(s));
	low = htole64(low);
	high = htole64(high);
	memcpy(tag, &low, 8);
	memcpy(tag + 8, &high, 8);
}

static void quarter(__u32 *a, __u32 *b, __u32 *c, __u32 *d)
{
	*a += *b;
	*d = rotl(*d ^ *a, 16);
	*c += *d;
	*b = rotl(*b ^ *c, 12);
	*a += *b;
	*d = rotl(*d ^ *a, 8);
	*c += *d;
	*b = rotl(*b ^ *c, 7);
}

static void chacha_block(const struct aead *a, __u32 count, const unsigned char *nonce,
			 unsigned char *out)
{
	__u32 in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, x[16];
	int i;

	memcpy(in + 4, a->chacha_key, 32);
	in[12] = htole32(count);
	memcpy(in + 13, nonce, RECORD_NONCE);
	for (i = 4; i < 16; i++)
		in[i] = le32toh(in[i]);
	memcpy(x, in, sizeof(x));
	for (i = 0; i < 80; i++) {
		int col = i % 4, turn = i % 8 / 4;	/* columns, then diagonals */

		quarter(&x[col], &x[4 + (col + turn) % 4], &x[8 + (col + 2 * turn) % 4],
			&x[12 + (col + 3 * turn) % 4]);
	}
	for (i = 0; i < 16; i++) {
		x[i] = htole32(x[i] + in[i]);
		memcpy(out + 4 * i, &x[i], 4);
	}
}

void aead_init(struct aead *a, const struct cipher *cipher, const unsigned char *key)
{
	unsigned char zero[BLOCK] = { 0 };

	memset(a, 0, sizeof(*a));
	a->chacha = cipher->number == TLS_CIPHER_CHACHA20_POLY1305;
	if (a->chacha) {
		memcpy(a->chacha_key, key, cipher->key);
		return;
	}
	if (!table[0])
		aes_tables();
	aes_key(a, key, cipher->key / 4);
	aes_block(a, zero, zero);
	a->hash_key[0] = get_be64(zero);
	a->hash_key[1] = get_be64(zero + 8);
}

/* State of the authentication of one message: additional data, ciphertext, lengths. */
struct sum {
	const struct aead *a;
	__u64 h[5];
	__u64 r[5];
};

static void sum_block(struct sum *sum, const unsigned char *block)
{
	if (sum->a->chacha)
		poly_block(sum->h, sum->r, block);
	else
		ghash_block(sum->a, sum->h, block);
}

static void sum_padded(struct sum *sum, const unsigned char *data, size_t len)
{
	unsigned char last[BLOCK] = { 0 };

	for (; len >= BLOCK; len -= BLOCK, data += BLOCK)
		sum_block(sum, data);
	if (!len)
		return;
	memcpy(last, data, len);
	sum_block(sum, last);
}

/* Add the lengths: in bits, big-endian, for GCM; in bytes, little-endian, for Poly1305. */
static void sum_lengths(struct sum *sum, __u64 aad, __u64 len)
{
	__u64 lengths[2] = { htole64(aad), htole64(len) };

	if (!sum->a->chacha) {
		lengths[0] = htobe64(8 * aad);
		lengths[1] = htobe64(8 * len);
	}
	sum_block(sum, (unsigned char *)lengths);
}

/*
 * Make block @count of the key stream. Block 0 is for the tag; GCM numbers it 1, ChaCha20
 * 0.
 */
static size_t stream(const struct aead *a, const unsigned char *nonce, __u32 count,
		     unsigned char *out)
{
	unsigned char block[BLOCK];

	if (a->chacha) {
		chacha_block(a, count, nonce, out);
		return 4 * BLOCK;
	}
	memcpy(block, nonce, RECORD_NONCE);
	put_be32(block + RECORD_NONCE, count + 1);
	aes_block(a, block, out);
	return BLOCK;
}

/* Finish the tag; @first is block 0 of the key stream. */
static void sum_tag(struct sum *sum, const unsigned char *first, unsigned char *tag)
{
	int i;

	if (sum->a->chacha) {
		poly_tag(sum->h, first + BLOCK, tag);
		return;
	}
	for (i = 0; i < BLOCK; i++)
		tag[i] = first[i] ^ sum->h[i / 8] >> (56 - 8 * (i % 8));
}

bool aead_open(const struct aead *a, const unsigned char *nonce, const unsigned char *aad,
	       size_t aad_len, unsigned char *data, size_t len)
{
	unsigned char key[4 * BLOCK], tag[RECORD_TAG];
	struct sum sum = { .a = a };
	size_t at, i, n;
	__u32 count = 0;

	len -= RECORD_TAG;
	stream(a, nonce, count++, key);
	if (a->chacha)
		limbs(sum.r, get_le64(key) & 0x0ffffffc0fffffffull,
		      get_le64(key + 8) & 0x0ffffffc0ffffffcull);
	sum_padded(&sum, aad, aad_len);
	sum_padded(&sum, data, len);
	sum_lengths(&sum, aad_len, len);
	sum_tag(&sum, key, tag);
	if (memcmp(tag, data + len, RECORD_TAG))
		return false;
	for (at = 0; at < len; at += n) {
		n = stream(a, nonce, count++, key);
		for (i = 0; i < n && at + i < len; i++)
			data[at + i] ^= key[i];
	}
	return true;
}
