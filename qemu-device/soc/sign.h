/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signatures of firmware images, Ed25519 (RFC 8032); the public key's file. */
#ifndef VKDEV_SIGN_H
#define VKDEV_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VKDEV_SIGN_KEY_LEN 32
#define VKDEV_SIGN_LEN 64

/**
 * vkdev_sign_verify() - whether @sign is the key owner's signature of a message
 */
bool vkdev_sign_verify(const uint8_t key[VKDEV_SIGN_KEY_LEN], const void *msg,
                       size_t len, const uint8_t sign[VKDEV_SIGN_LEN]);

/**
 * vkdev_sign_key_read() - take an Ed25519 public key from the text of a file
 * @pem: "-----BEGIN PUBLIC KEY-----" and so on, as openssl pkey -pubout writes
 *
 * Return: false if the text is anything else; @key is then undefined.
 */
bool vkdev_sign_key_read(const char *pem, uint8_t key[VKDEV_SIGN_KEY_LEN]);

#endif
