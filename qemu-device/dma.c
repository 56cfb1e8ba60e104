// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Access to host memory. All DMA of the device goes through vkdev_dma() or
 * vkdev_dma_map(), which count the bytes and reach RAM only.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/log.h"
#include "trace.h"
#include "vkdev.h"

static void dma_count(VkdevState *s, bool from_host, uint32_t len)
{
    s->stats[from_host ? VKTLS_STAT_DMA_READ_BYTES
                       : VKTLS_STAT_DMA_WRITE_BYTES] += len;
}

/*
 * Log an error, once, when a DMA access fails because the vfio-user client
 * does not share its memory with this process.
 */
static void dma_tell_unshared(VkdevState *s)
{
    AddressSpace *as = pci_device_iommu_address_space(PCI_DEVICE(s));

    if (s->vfio_user && QTAILQ_EMPTY(&as->root->subregions)) {
        error_report_once("vktls: the client shares no memory; start it with "
                          "-object memory-backend-memfd,id=ram,size=SIZE,"
                          "share=on -machine memory-backend=ram");
    }
}

static bool vkdev_dma(VkdevState *s, uint64_t addr, void *buf, uint32_t len,
                      DMADirection dir)
{
    bool from_host = dir == DMA_DIRECTION_TO_DEVICE;
    const MemTxAttrs ram_only = { .memory = true };

    if (!len) {
        return true;
    }
    if (addr + len < addr ||
        pci_dma_rw(PCI_DEVICE(s), addr, buf, len, dir, ram_only) != MEMTX_OK) {
        s->stats[VKTLS_STAT_DMA_ERRORS]++;
        trace_vkdev_dma_error(addr, len, from_host);
        dma_tell_unshared(s);
        qemu_log_mask(LOG_GUEST_ERROR, "vktls: DMA %s of %" PRIu32
                      " bytes at 0x%" PRIx64 " is not to memory\n",
                      from_host ? "read" : "write", len, addr);
        return false;
    }
    dma_count(s, from_host, len);
    return true;
}

bool vkdev_dma_read(VkdevState *s, uint64_t addr, void *buf, uint32_t len)
{
    return vkdev_dma(s, addr, buf, len, DMA_DIRECTION_TO_DEVICE);
}

bool vkdev_dma_write(VkdevState *s, uint64_t addr, const void *buf,
                     uint32_t len)
{
    return vkdev_dma(s, addr, (void *)buf, len, DMA_DIRECTION_FROM_DEVICE);
}

bool vkdev_dma_map(VkdevState *s, VkdevMap *map, uint64_t addr, uint32_t len,
                   DMADirection dir)
{
    AddressSpace *as = pci_get_address_space(PCI_DEVICE(s));
    MemoryRegionCache *cache = &map->cache[map->count];
    int64_t got;

    if (map->count == VKDEV_MAP_PIECES || addr + len < addr) {
        return false;
    }
    dma_barrier(as, dir);
    got = address_space_cache_init(cache, as, addr, len,
                                   dir == DMA_DIRECTION_FROM_DEVICE);
    if (got < len || !cache->ptr) {
        address_space_cache_destroy(cache);
        return false;
    }
    map->iov[map->count++] = (struct iovec) { cache->ptr, len };
    return true;
}

void vkdev_dma_unmap(VkdevState *s, VkdevMap *map, bool used)
{
    while (map->count) {
        MemoryRegionCache *cache = &map->cache[--map->count];

        if (used && cache->is_write) {
            address_space_cache_invalidate(cache, 0, cache->len);
        }
        if (used) {
            dma_count(s, !cache->is_write, cache->len);
        }
        address_space_cache_destroy(cache);
    }
}
