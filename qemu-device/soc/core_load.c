// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loader of firmware images. An image is fetched whole, verified, and only
 * then copied to the core's memory. After a refused image the core stays
 * stopped, and another image can be loaded.
 */
#include <stdlib.h>
#include <string.h>

#include "core_priv.h"
#include "sha256.h"

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

static bool lengths_fit(const uint8_t *image, uint32_t len)
{
    uint32_t body = FIELD32(image, body_len);

    return FIELD32(image, header_len) == sizeof(struct vktls_fw_header) &&
           body == len - sizeof(struct vktls_fw_header);
}

static bool reserved_is_zero(const uint8_t *image)
{
    static const uint8_t zero[sizeof(((struct vktls_fw_header *)0)->reserved)];

    return !memcmp(image + offsetof(struct vktls_fw_header, reserved), zero,
                   sizeof(zero));
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
    return !memcmp(stated, computed, sizeof(stated));
}

/* Verify an image of @len bytes; @len is more than the size of a header. */
static uint16_t verify(const VkdevCore *core, uint8_t *image, uint32_t len)
{
    if (FIELD32(image, magic) != VKTLS_FW_MAGIC) {
        return VKTLS_ST_FW_MAGIC;
    }
    if (FIELD16(image, abi_major) != VKTLS_ABI_MAJOR ||
        FIELD16(image, abi_minor) > core->config.abi_minor) {
        return VKTLS_ST_FW_ABI;
    }
    if (!lengths_fit(image, len)) {
        return VKTLS_ST_FW_LENGTH;
    }
    if (!reserved_is_zero(image)) {
        return VKTLS_ST_RESERVED;
    }
    if (!digest_fits(image, len)) {
        return VKTLS_ST_FW_DIGEST;
    }
    if (FIELD32(image, entry) % 4 ||
        FIELD32(image, entry) >= FIELD32(image, body_len)) {
        return VKTLS_ST_FW_ENTRY;
    }
    return VKTLS_ST_OK;
}

static void start(VkdevCore *core, const uint8_t *image)
{
    memcpy(core->sram, image + sizeof(struct vktls_fw_header),
           FIELD32(image, body_len));
    core->fw_version = FIELD32(image, version);
    core->abi_minor = FIELD16(image, abi_minor); /* verify(): not newer */
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
        status = verify(core, image, len);
    }
    if (status == VKTLS_ST_OK) {
        start(core, image);
    }
    free(image);
    return status;
}

uint16_t vkdev_core_load(VkdevCore *core, uint64_t addr, uint32_t len)
{
    uint16_t status;

    if (core->fw_state != VKTLS_FW_NONE &&
        core->fw_state != VKTLS_FW_REFUSED) {
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
