// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loader of firmware images. An image is fetched whole, verified, and only
 * then copied to the core's memory. After a refused image the core stays
 * stopped, and another image can be loaded. Images of the store pass the same
 * checks.
 */
#include <stdlib.h>
#include <string.h>

#include "core_priv.h"
#include "sha256.h"
#include "sign.h"

static uint32_t get_le32(const uint8_t *p)
{
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t get_le16(const uint8_t *p)
{
    return p[0] | p[1] << 8;
}

#define FIELD32(image, field) \
    get_le32((image) + offsetof(struct vktls_fw_header, field))
#define FIELD16(image, field) \
    get_le16((image) + offsetof(struct vktls_fw_header, field))

#define SIGN_BYTES sizeof(struct vktls_fw_sign)
#define SIGN_FIELD(sign, field) ((sign) + offsetof(struct vktls_fw_sign, field))

/*
 * Find the signature of an image of @len bytes, a struct vktls_fw_sign: *@sign
 * is NULL if the image has none. Return: false if the lengths do not fit.
 */
static bool find_sign(const VkdevCore *core, const uint8_t *image, uint32_t len,
                      const uint8_t **sign)
{
    uint32_t rest = len - sizeof(struct vktls_fw_header);
    uint32_t body = FIELD32(image, body_len);

    *sign = NULL;
    if (FIELD32(image, header_len) != sizeof(struct vktls_fw_header)) {
        return false;
    }
    if (body == rest) {
        return true;
    }
    if (!vkdev_core_has_store(core) || rest < SIGN_BYTES ||
        body != rest - SIGN_BYTES) {
        return false;
    }
    *sign = image + len - SIGN_BYTES;
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
    uint8_t any = 0;

    while (n--) {
        any |= bytes[n];
    }
    return !any;
}

static bool reserved_is_zero(const uint8_t *image, const uint8_t *sign)
{
    return is_zero(image + offsetof(struct vktls_fw_header, reserved),
                   sizeof(((struct vktls_fw_header *)0)->reserved)) &&
           (!sign || is_zero(SIGN_FIELD(sign, reserved), 4));
}

/*
 * Compare the image's digest with one computed while the digest field is zero.
 */
static bool digest_fits(uint8_t *image, uint32_t len)
{
    uint8_t *field = image + offsetof(struct vktls_fw_header, digest);
    uint8_t stated[VKDEV_SHA256_LEN];
    uint8_t computed[VKDEV_SHA256_LEN];

    memcpy(stated, field, sizeof(stated));
    memset(field, 0, sizeof(stated));
    vkdev_sha256(image, len, computed);
    memcpy(field, stated, sizeof(stated));
    return !memcmp(stated, computed, sizeof(stated));
}

static uint16_t verify_sign(const VkdevCore *core, const uint8_t *image,
                            uint32_t len, const uint8_t *sign)
{
    if (!core->config.fw_signed) {
        return VKTLS_ST_OK;
    }
    if (!sign) {
        return VKTLS_ST_FW_UNSIGNED;
    }
    return vkdev_sign_verify(core->config.fw_key, image, len,
                             SIGN_FIELD(sign, signature)) ?
           VKTLS_ST_OK : VKTLS_ST_FW_SIGNATURE;
}

uint16_t vkdev_core_verify(const VkdevCore *core, uint8_t *image, uint32_t len)
{
    const uint8_t *sign;

    if (FIELD32(image, magic) != VKTLS_FW_MAGIC) {
        return VKTLS_ST_FW_MAGIC;
    }
    if (FIELD16(image, abi_major) != VKTLS_ABI_MAJOR ||
        FIELD16(image, abi_minor) > core->config.abi_minor) {
        return VKTLS_ST_FW_ABI;
    }
    if (!find_sign(core, image, len, &sign)) {
        return VKTLS_ST_FW_LENGTH;
    }
    if (sign && get_le32(SIGN_FIELD(sign, magic)) != VKTLS_FW_SIGN_MAGIC) {
        return VKTLS_ST_FW_MAGIC;
    }
    if (!reserved_is_zero(image, sign)) {
        return VKTLS_ST_RESERVED;
    }
    len -= sign ? SIGN_BYTES : 0;
    if (!digest_fits(image, len)) {
        return VKTLS_ST_FW_DIGEST;
    }
    if (FIELD32(image, entry) % 4 ||
        FIELD32(image, entry) >= FIELD32(image, body_len)) {
        return VKTLS_ST_FW_ENTRY;
    }
    return verify_sign(core, image, len, sign);
}

uint32_t vkdev_core_image_version(const uint8_t *image)
{
    return FIELD32(image, version);
}

void vkdev_core_start(VkdevCore *core, const uint8_t *image)
{
    memcpy(core->sram, image + sizeof(struct vktls_fw_header),
           FIELD32(image, body_len));
    core->fw_version = FIELD32(image, version);
    core->abi_minor = FIELD16(image, abi_minor); /* not newer, see verify */
    vkdev_rv32_reset(&core->cpu, SOC_SRAM_BASE + FIELD32(image, entry));
    vkdev_core_set_state(core, VKTLS_FW_BOOTING, VKTLS_ST_OK);
    vkdev_core_irq(core, 0); /* delivers interrupts raised before the start */
}

static uint16_t fetch_and_start(VkdevCore *core, uint64_t addr, uint32_t len)
{
    uint16_t status = VKTLS_ST_DMA;
    uint8_t *image;

    if (len <= sizeof(struct vktls_fw_header) || len > VKTLS_FW_MAX_BYTES) {
        return VKTLS_ST_FW_LENGTH;
    }
    image = malloc(len);
    if (image && core->ops->dma_read(core->dev, addr, image, len)) {
        status = vkdev_core_verify(core, image, len);
    }
    if (status == VKTLS_ST_OK) {
        vkdev_core_start(core, image);
    }
    free(image);
    return status;
}

bool vkdev_core_may_load(const VkdevCore *core)
{
    return core->fw_state == VKTLS_FW_NONE ||
           core->fw_state == VKTLS_FW_REFUSED;
}

uint16_t vkdev_core_load(VkdevCore *core, uint64_t addr, uint32_t len)
{
    uint16_t status;

    if (!vkdev_core_may_load(core)) {
        return VKTLS_ST_STATE;
    }
    status = fetch_and_start(core, addr, len);
    if (status != VKTLS_ST_OK) {
        vkdev_core_set_state(core, VKTLS_FW_REFUSED, status);
    }
    return status;
}

_Static_assert(VKTLS_FW_MAX_BYTES - sizeof(struct vktls_fw_header) <=
               SOC_SRAM_SIZE, "the largest image fits the core's memory");
