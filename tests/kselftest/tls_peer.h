/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keys and data that both ends of a test compute for themselves, so that none of them is
 * sent; lib/py/peer.py is the other end.
 */
#ifndef TLS_PEER_H
#define TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/tls.h>
#include <linux/types.h>

#define PLAIN_MARK	"TLSPLAIN"	/* begin of each unit of data */
#define PLAIN_UNIT	16
#define MD5_KEY		"secret"
#define RECORD_HEADER	5
#define RECORD_TAG	16
#define RECORD_NONCE	12
#define TYPE_HANDSHAKE	22
#define TYPE_DATA	23
#define KEY_UPDATE	24		/* type of the handshake message */

/* Sizes of one cipher of linux/tls.h. */
struct cipher {
	const char *name;
	unsigned short number;
	unsigned char key;
	unsigned char salt;
	unsigned char iv;
};

/* The traffic key of one direction; @up: from the system under test to the peer. */
struct traffic_key {
	const struct cipher *cipher;
	unsigned short version;
	bool up;
	unsigned int gen;	/* KeyUpdates so far */
	__u64 seq;		/* number of the next record */
};

/* The structures tls12_crypto_info_*: the fields differ in length, but not in order. */
struct key_bytes {
	struct tls_crypto_info info;
	unsigned char rest[64];
};

/* AES-GCM or ChaCha20-Poly1305 (@chacha) with one key. */
struct aead {
	bool chacha;
	unsigned char chacha_key[32];
	int rounds;
	__u32 round_key[60];
	__u64 hash_key[2];
};

const struct cipher *cipher_find(const char *name);
size_t key_derive(const struct traffic_key *key, struct key_bytes *out);
void pattern_fill(unsigned char *out, __u64 pos, size_t len);
bool pattern_is(const unsigned char *data, __u64 pos, size_t len);

void aead_init(struct aead *a, const struct cipher *cipher, const unsigned char *key);
/*
 * Decrypt @len bytes, of which the last are the tag, in place. False: wrong tag, nothing
 * changed.
 */
bool aead_open(const struct aead *a, const unsigned char *nonce, const unsigned char *aad,
	       size_t aad_len, unsigned char *data, size_t len);

int wire_start(const char *ifname, unsigned short port);
int wire_fd(void);
void wire_take(void);
int wire_report(char *out, size_t len);
int wire_open(const struct traffic_key *first, __u64 clear, char *out, size_t len);

#endif /* TLS_PEER_H */
