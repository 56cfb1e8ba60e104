// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store of firmware images: two slots, each with an image and, in a block
 * of its own, a label. A slot without a right label is empty. An update takes
 * the label away first and writes it last, after the image has been read back
 * and checked, so an update that ends anywhere leaves the slot empty or whole.
 * The other slot is never written. The device's memory holds the bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "core_priv.h"
#include "sha256.h"

#define SLOT_BYTES (VKDEV_CORE_STORE / VKTLS_STORE_SLOTS)
#define LABEL_BYTES 512     /* written at once */
#define LABEL_AT (SLOT_BYTES - 4096)
#define LABEL_MAGIC 0x4c534b56u     /* "VKSL" in memory order */

_Static_assert(VKTLS_FW_MAX_BYTES <= LABEL_AT, "a slot has room for an image");
_Static_assert(VKTLS_STORE_SLOTS == 2, "the slots are 1 and 2");

/* Words of a label; the digest of them follows. */
enum { MAGIC, SEQ, LEN, VERSION, LABEL_WORDS };

typedef struct Label {
    uint32_t seq;       /* the slot with the later number is the next */
    uint32_t len;       /* bytes of the image */
    uint32_t version;
} Label;

static uint32_t slot_at(unsigned slot)
{
    return (slot - 1) * SLOT_BYTES;
}

static unsigned other(unsigned slot)
{
    return VKTLS_STORE_SLOTS + 1 - slot;
}

bool vkdev_core_has_store(const VkdevCore *core)
{
    return core->ops->store_read &&
           core->config.abi_minor >= VKDEV_CORE_STORE_MINOR;
}

static void label_pack(uint8_t *block, const Label *label)
{
    const uint32_t words[LABEL_WORDS] = {
        [MAGIC] = LABEL_MAGIC,
        [SEQ] = label->seq,
        [LEN] = label->len,
        [VERSION] = label->version,
    };

    memset(block, 0, LABEL_BYTES);
    unpack(block, words, sizeof(words));
    vkdev_sha256(block, sizeof(words), block + sizeof(words));
}

/* Return: false if the slot is empty, or cannot be read. */
static bool label_read(VkdevCore *core, unsigned slot, Label *label)
{
    uint8_t block[LABEL_BYTES], again[LABEL_BYTES];

    if (!core->ops->store_read(core->dev, slot_at(slot) + LABEL_AT, block,
                               sizeof(block))) {
        return false;
    }
    *label = (Label) {
        .seq = pack(block + SEQ * 4, 4),
        .len = pack(block + LEN * 4, 4),
        .version = pack(block + VERSION * 4, 4),
    };
    label_pack(again, label);
    return !memcmp(block, again, sizeof(block)) &&
           label->len <= VKTLS_FW_MAX_BYTES;
}

/* The number may have wrapped, so the two are not far apart. */
static bool is_later(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

static unsigned next_slot(VkdevCore *core)
{
    Label one, two;
    bool first = label_read(core, 1, &one);

    if (!label_read(core, 2, &two)) {
        return first;
    }
    return first && is_later(one.seq, two.seq) ? 1 : 2;
}

/* Read an image to *@image, which the caller frees, and check it. */
static uint16_t fetch(VkdevCore *core, unsigned slot, uint32_t len,
                      uint8_t **image)
{
    uint16_t status = VKTLS_ST_FW_STORE;
    uint8_t *bytes;

    if (len <= sizeof(struct vktls_fw_header) || len > VKTLS_FW_MAX_BYTES) {
        return VKTLS_ST_FW_LENGTH;
    }
    bytes = malloc(len);
    if (bytes && core->ops->store_read(core->dev, slot_at(slot), bytes, len)) {
        status = vkdev_core_verify(core, bytes, len);
    }
    if (status != VKTLS_ST_OK) {
        free(bytes);
        return status;
    }
    *image = bytes;
    return VKTLS_ST_OK;
}

/* Operations of the host. */

static bool label_write(VkdevCore *core, unsigned slot, const uint8_t *block)
{
    return core->ops->store_write(core->dev, slot_at(slot) + LABEL_AT, block,
                                  LABEL_BYTES);
}

static uint16_t erase(VkdevCore *core)
{
    unsigned kept = core->store.running ? core->store.running : next_slot(core);
    unsigned slot = kept ? other(kept) : 1;
    uint8_t block[LABEL_BYTES];

    memset(block, 0xff, sizeof(block));
    core->store.slot = 0;
    core->store.len = 0;
    if (!label_write(core, slot, block)) {
        return VKTLS_ST_FW_STORE;
    }
    core->store.slot = slot;
    return VKTLS_ST_OK;
}

static uint16_t append(VkdevCore *core, uint64_t addr, uint32_t len)
{
    VkdevCoreStore *store = &core->store;
    uint8_t piece[VKTLS_STORE_PIECE];

    if (!store->slot) {
        return VKTLS_ST_STATE;
    }
    if (!len || len > sizeof(piece) || len > VKTLS_FW_MAX_BYTES - store->len) {
        return VKTLS_ST_LENGTH;
    }
    if (!core->ops->dma_read(core->dev, addr, piece, len)) {
        return VKTLS_ST_DMA;
    }
    if (!core->ops->store_write(core->dev, slot_at(store->slot) + store->len,
                                piece, len)) {
        store->slot = 0;
        return VKTLS_ST_FW_STORE;
    }
    store->len += len;
    return VKTLS_ST_OK;
}

static uint16_t commit(VkdevCore *core)
{
    unsigned slot = core->store.slot;
    uint8_t block[LABEL_BYTES], *image;
    Label label, old = { 0 };
    uint16_t status;

    if (!slot) {
        return VKTLS_ST_STATE;
    }
    core->store.slot = 0;
    status = fetch(core, slot, core->store.len, &image);
    if (status != VKTLS_ST_OK) {
        return status;
    }
    label = (Label) {
        .seq = label_read(core, other(slot), &old) ? old.seq + 1 : 1,
        .len = core->store.len,
        .version = vkdev_core_image_version(image),
    };
    free(image);
    label_pack(block, &label);
    return label_write(core, slot, block) ? VKTLS_ST_OK : VKTLS_ST_FW_STORE;
}

static uint16_t run_op(VkdevCore *core, uint32_t op, uint64_t addr,
                       uint32_t len)
{
    switch (op) {
    case VKTLS_STORE_ERASE:
        return erase(core);
    case VKTLS_STORE_WRITE:
        return append(core, addr, len);
    case VKTLS_STORE_COMMIT:
        return commit(core);
    default:
        return VKTLS_ST_OPCODE;
    }
}

uint16_t vkdev_core_store_op(VkdevCore *core, uint32_t op, uint64_t addr,
                             uint32_t len)
{
    if (!vkdev_core_has_store(core)) {
        return VKTLS_ST_UNSUPPORTED;
    }
    core->store.result = run_op(core, op, addr, len);
    return core->store.result;
}

static uint16_t boot_slot(VkdevCore *core, unsigned slot)
{
    uint16_t status = VKTLS_ST_NOENT;
    uint8_t *image;
    Label label;

    if (label_read(core, slot, &label)) {
        status = fetch(core, slot, label.len, &image);
    }
    if (status == VKTLS_ST_OK) {
        vkdev_core_start(core, image);
        core->store.running = slot;
        free(image);
    }
    return status;
}

uint16_t vkdev_core_boot(VkdevCore *core)
{
    unsigned slot;
    uint16_t status;

    if (!vkdev_core_has_store(core)) {
        return VKTLS_ST_UNSUPPORTED;
    }
    if (!vkdev_core_may_load(core)) {
        return VKTLS_ST_STATE;
    }
    slot = next_slot(core);
    status = slot ? boot_slot(core, slot) : VKTLS_ST_NOENT;
    if (slot && status != VKTLS_ST_OK &&
        boot_slot(core, other(slot)) == VKTLS_ST_OK) {
        status = VKTLS_ST_OK;
    }
    if (status != VKTLS_ST_OK) {
        vkdev_core_set_state(core, VKTLS_FW_REFUSED, status);
    }
    return status;
}

/* The host's registers. */

uint32_t vkdev_core_store_info(VkdevCore *core)
{
    if (!vkdev_core_has_store(core)) {
        return 0;
    }
    return VKTLS_STORE_PRESENT |
           (core->config.fw_signed ? VKTLS_STORE_SIGNED : 0) |
           next_slot(core) << VKTLS_STORE_NEXT_SHIFT |
           core->store.running << VKTLS_STORE_RUNNING_SHIFT;
}

uint32_t vkdev_core_store_result(const VkdevCore *core)
{
    return core->store.result;
}

uint32_t vkdev_core_store_version(VkdevCore *core, unsigned slot)
{
    Label label;

    return vkdev_core_has_store(core) && label_read(core, slot, &label) ?
           label.version : 0;
}
