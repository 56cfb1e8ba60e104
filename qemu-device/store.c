// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of the firmware store: the drive of the property flash, or, without
 * one, memory of this process, which lives as long as the device. Here is the
 * key of the property fw-key, too. The slots are in soc/core_store.c.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "system/block-backend.h"
#include "soc/sign.h"
#include "trace.h"
#include "vkdev.h"

static bool flash_init(VkdevState *s, Error **errp)
{
    int64_t len;

    if (!blk_supports_write_perm(s->flash)) {
        error_setg(errp, "flash: the drive cannot be written");
        return false;
    }
    if (blk_set_perm(s->flash, BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE,
                     BLK_PERM_ALL, errp) < 0) {
        return false;
    }
    len = blk_getlength(s->flash);
    if (len < VKDEV_CORE_STORE) {
        error_setg(errp, "flash: the drive has %" PRId64 " bytes, %d are "
                   "needed (truncate -s %d FILE)", len, VKDEV_CORE_STORE,
                   VKDEV_CORE_STORE);
        return false;
    }
    return true;
}

static bool key_init(VkdevState *s, Error **errp)
{
    g_autofree char *pem = NULL;
    g_autoptr(GError) err = NULL;

    if (!g_file_get_contents(s->fw_key, &pem, NULL, &err)) {
        error_setg(errp, "fw-key: %s", err->message);
        return false;
    }
    if (!vkdev_sign_key_read(pem, s->fw_key_bytes)) {
        error_setg(errp, "fw-key: %s is no Ed25519 public key in PEM (openssl "
                   "pkey -in KEY -pubout)", s->fw_key);
        return false;
    }
    return true;
}

bool vkdev_store_init(VkdevState *s, Error **errp)
{
    if (s->abi_minor < VKDEV_CORE_STORE_MINOR && (s->flash || s->fw_key)) {
        error_setg(errp, "flash and fw-key need abi-minor=%d or more",
                   VKDEV_CORE_STORE_MINOR);
        return false;
    }
    if (s->fw_key && !key_init(s, errp)) {
        return false;
    }
    if (s->flash) {
        return flash_init(s, errp);
    }
    s->store_len = VKDEV_CORE_STORE;
    s->store = g_malloc0(s->store_len);
    return true;
}

void vkdev_store_free(VkdevState *s)
{
    g_free(s->store);
    s->store = NULL;
}

bool vkdev_store_read(VkdevState *s, uint32_t at, void *buf, uint32_t len)
{
    if (s->flash) {
        return blk_pread(s->flash, at, len, buf, 0) >= 0;
    }
    memcpy(buf, s->store + at, len);
    return true;
}

bool vkdev_store_write(VkdevState *s, uint32_t at, const void *buf,
                       uint32_t len)
{
    trace_vkdev_store_write(at, len);
    if (s->flash) {
        return blk_pwrite(s->flash, at, len, buf, BDRV_REQ_FUA) >= 0;
    }
    memcpy(s->store + at, buf, len);
    return true;
}
