// SPDX-License-Identifier: GPL-2.0-or-later
/* Signatures of firmware images, over nettle. Knows no image. */
#include <string.h>

#include <nettle/base64.h>
#include <nettle/eddsa.h>

#include "sign.h"

#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"
#define PEM_END "-----END PUBLIC KEY-----"

/* SubjectPublicKeyInfo of an Ed25519 key (RFC 8410), before the key itself. */
static const uint8_t der_head[] = {
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
};

#define DER_LEN (sizeof(der_head) + VKDEV_SIGN_KEY_LEN)
#define BASE64_MAX 128  /* characters of that in base64, with line breaks */

_Static_assert(ED25519_KEY_SIZE == VKDEV_SIGN_KEY_LEN, "size of a key");
_Static_assert(ED25519_SIGNATURE_SIZE == VKDEV_SIGN_LEN, "size of a signature");

bool vkdev_sign_verify(const uint8_t key[VKDEV_SIGN_KEY_LEN], const void *msg,
                       size_t len, const uint8_t sign[VKDEV_SIGN_LEN])
{
    return ed25519_sha512_verify(key, len, msg, sign);
}

static bool base64_read(const char *text, size_t len, uint8_t *der)
{
    uint8_t bytes[BASE64_DECODE_LENGTH(BASE64_MAX)];
    struct base64_decode_ctx ctx;
    size_t n = 0;

    if (len > BASE64_MAX) {
        return false;
    }
    base64_decode_init(&ctx);
    if (!base64_decode_update(&ctx, &n, bytes, len, text) ||
        !base64_decode_final(&ctx) || n != DER_LEN) {
        return false;
    }
    memcpy(der, bytes, DER_LEN);
    return true;
}

bool vkdev_sign_key_read(const char *pem, uint8_t key[VKDEV_SIGN_KEY_LEN])
{
    const char *text = strstr(pem, PEM_BEGIN);
    const char *end = text ? strstr(text, PEM_END) : NULL;
    uint8_t der[DER_LEN];

    if (!end) {
        return false;
    }
    text += strlen(PEM_BEGIN);
    if (!base64_read(text, end - text, der) ||
        memcmp(der, der_head, sizeof(der_head))) {
        return false;
    }
    memcpy(key, der + sizeof(der_head), VKDEV_SIGN_KEY_LEN);
    return true;
}
