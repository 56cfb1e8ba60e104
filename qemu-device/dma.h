/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DMA between the device and host memory. */
#ifndef VKDEV_DMA_H
#define VKDEV_DMA_H

#include "compat.h"
#include "system/dma.h"

typedef struct VkdevState VkdevState;

/**
 * Read or write host memory. If any byte of the range is not RAM, both
 * functions fail, count an error and log it: DMA never reaches the registers
 * of this or another device.
 */
bool vkdev_dma_read(VkdevState *s, uint64_t addr, void *buf, uint32_t len);
bool vkdev_dma_write(VkdevState *s, uint64_t addr, const void *buf,
                     uint32_t len);

#define VKDEV_MAP_PIECES 32

/*
 * A list of ranges of host memory that are mapped, so that they are used
 * without a copy.
 */
typedef struct VkdevMap {
    unsigned count;
    struct iovec iov[VKDEV_MAP_PIECES];
    MemoryRegionCache cache[VKDEV_MAP_PIECES];
} VkdevMap;

/**
 * Map @len bytes of host memory (@len is not 0) and append the range to @map.
 * False when the bytes are not RAM in one contiguous piece, or @map is full:
 * the caller then uses vkdev_dma_read() or vkdev_dma_write(), which also
 * report a bad address. The host may write to mapped memory at any time.
 */
bool vkdev_dma_map(VkdevState *s, VkdevMap *map, uint64_t addr, uint32_t len,
                   DMADirection dir);

/**
 * Unmap all ranges of @map. With @used all their bytes are counted as DMA, and
 * ranges mapped for writing as changed.
 */
void vkdev_dma_unmap(VkdevState *s, VkdevMap *map, bool used);

#endif
