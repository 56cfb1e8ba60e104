// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SHA-256 as in FIPS 180-4, one message at a time. The code is neither fast
 * nor constant-time, as it only checks a firmware image at boot.
 */
#include <string.h>

#include "sha256.h"

#define BLOCK 64

static const uint32_t round_constant[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
    0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
    0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t ror(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}

static inline uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
    p[0] = v >> 24;
    p[1] = v >> 16;
    p[2] = v >> 8;
    p[3] = v;
}

static void schedule(uint32_t w[64], const uint8_t *block)
{
    for (int t = 0; t < 16; t++) {
        w[t] = get_be32(block + 4 * t);
    }
    for (int t = 16; t < 64; t++) {
        uint32_t a = w[t - 15];
        uint32_t b = w[t - 2];

        w[t] = w[t - 16] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) +
               w[t - 7] + (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
    }
}

/*
 * Process one block of 64 bytes. v[0..7] are the working variables a..h of the
 * standard.
 */
static void compress(uint32_t h[8], const uint8_t *block)
{
    uint32_t w[64];
    uint32_t v[8];

    schedule(w, block);
    memcpy(v, h, sizeof(v));
    for (int t = 0; t < 64; t++) {
        uint32_t s1 = ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25);
        uint32_t s0 = ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22);
        uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        uint32_t t1 = v[7] + s1 + choice + round_constant[t] + w[t];

        memmove(v + 1, v, 7 * sizeof(v[0]));
        v[4] += t1;
        v[0] = t1 + s0 + majority;
    }
    for (int i = 0; i < 8; i++) {
        h[i] += v[i];
    }
}

/*
 * Process the rest of the message, with the padding: a one bit, zeros, and the
 * message's length in bits.
 */
static void finish(uint32_t h[8], const uint8_t *rest, size_t n, uint64_t len)
{
    uint8_t tail[2 * BLOCK] = { 0 };
    size_t end = n + 9 <= BLOCK ? BLOCK : 2 * BLOCK;

    memcpy(tail, rest, n);
    tail[n] = 0x80;
    put_be32(tail + end - 8, len >> 29);
    put_be32(tail + end - 4, len << 3);
    for (size_t at = 0; at < end; at += BLOCK) {
        compress(h, tail + at);
    }
}

void vkdev_sha256(const void *data, size_t len,
                  uint8_t digest[VKDEV_SHA256_LEN])
{
    uint32_t h[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };
    const uint8_t *p = data;
    size_t at;

    for (at = 0; len - at >= BLOCK; at += BLOCK) {
        compress(h, p + at);
    }
    finish(h, p + at, len - at, len);
    for (int i = 0; i < 8; i++) {
        put_be32(digest + 4 * i, h[i]);
    }
}
