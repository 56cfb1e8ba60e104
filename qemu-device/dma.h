/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host memory, as the device reaches it. */
#ifndef VKDEV_DMA_H
#define VKDEV_DMA_H

#include "compat.h"
#include "system/dma.h"

typedef struct VkdevState VkdevState;

/**
 * Read or write host memory. Fails, with a count and a log line, when any byte
 * of it is not RAM: no access reaches another device's registers or our own.
 */
bool vkdev_dma_read(VkdevState *s, uint64_t addr, void *buf, uint32_t len);
bool vkdev_dma_write(VkdevState *s, uint64_t addr, const void *buf,
                     uint32_t len);

#define VKDEV_MAP_PIECES 32

/* Pieces of host memory that are used where they lie. */
typedef struct VkdevMap {
    unsigned count;
    struct iovec iov[VKDEV_MAP_PIECES];
    MemoryRegionCache cache[VKDEV_MAP_PIECES];
} VkdevMap;

/**
 * Map @len bytes of host memory, not 0, as one more piece. False when they are
 * not RAM in one place: use vkdev_dma_read() or _write() then, which also
 * report a bad address. The host may write to mapped memory at any time.
 */
bool vkdev_dma_map(VkdevState *s, VkdevMap *map, uint64_t addr, uint32_t len,
                   DMADirection dir);

/** Unmap all pieces; with @used they count as read or written to their end. */
void vkdev_dma_unmap(VkdevState *s, VkdevMap *map, bool used);

#endif
