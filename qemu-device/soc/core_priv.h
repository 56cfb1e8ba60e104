/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the core, and functions shared by the core_*.c files. */
#ifndef VKDEV_CORE_PRIV_H
#define VKDEV_CORE_PRIV_H

#include "core.h"

#define VKDEV_CORE_EVENTS 64

typedef struct VkdevCoreMbox {
    uint64_t cmdq;
    uint64_t cplq;
    uint64_t evtq;
    uint32_t cmdq_log2;     /* log2 of the entries; 0 = queue not set up */
    uint32_t cmdq_tail;
    uint32_t evtq_log2;     /* log2 of the entries; 0 = queue not set up */
    uint32_t evtq_head;
} VkdevCoreMbox;

/* Events that firmware has not read yet, oldest first. */
typedef struct VkdevCoreFifo {
    VkdevCoreEvent event[VKDEV_CORE_EVENTS];
    uint32_t first;
    uint32_t count;
    uint32_t missed;        /* events lost since the last OVERFLOW event */
    uint64_t lost;          /* events lost since reset */
} VkdevCoreFifo;

/*
 * Block registers that store values written by firmware; index = offset / 4.
 */
typedef struct VkdevCoreRegs {
    uint32_t dma[DMA_STATUS / 4 + 1];
    uint32_t queue[QUEUE_STATUS / 4 + 1];
    uint32_t tls[TLS_BYTES_HI / 4 + 1];
    uint32_t tls_flow[sizeof(struct vktls_tls_flow) / 4];
    uint32_t rss[RSS_STATUS / 4 + 1];
    uint32_t flow[FLOW_STATUS / 4 + 1];
    uint32_t mac[2];
    uint32_t port_flags;
    uint32_t mtu;
    uint32_t filter_sel;
    uint32_t filter_lo;
    uint8_t filter[VKTLS_MAC_FILTERS][6];
    uint32_t filter_count;
    uint64_t stat;
    uint32_t now_hi;
    uint32_t timer_lo;
} VkdevCoreRegs;

/* The firmware store, beside what it has in the device's memory. */
typedef struct VkdevCoreStore {
    uint32_t running;       /* slot of the running image; 0 = none */
    uint32_t slot;          /* slot that is being updated; 0 = none */
    uint32_t len;           /* bytes of the new image so far */
    uint32_t result;        /* VKTLS_ST_* of the last operation */
} VkdevCoreStore;

struct VkdevCore {
    const VkdevCoreOps *ops;
    void *dev;
    VkdevCoreConfig config;

    VkdevRv32 cpu;
    uint32_t fw_state;      /* VKTLS_FW_* */
    uint32_t fw_code;       /* VKTLS_ST_* */
    uint32_t fw_version;
    uint16_t abi_minor; /* ABI minor in force: the hardware's or firmware's */
    uint32_t heartbeat;
    uint32_t irq;           /* SYS_IRQ_* */
    uint64_t timer_cmp;     /* ns; UINT64_MAX = not armed */
    bool hung;              /* set by vkdev_core_hang() */

    VkdevCoreMbox mbox;
    VkdevCoreFifo fifo;
    VkdevCoreStore store;
    VkdevCoreRegs regs;
    uint8_t sram[SOC_SRAM_SIZE];
};

/* Functions of core.c */
void vkdev_core_set_state(VkdevCore *core, uint32_t state, uint32_t code);
void vkdev_core_irq(VkdevCore *core, uint32_t bits);
void vkdev_core_irq_ack(VkdevCore *core, uint32_t bits);
void vkdev_core_timer_arm(VkdevCore *core, uint64_t ns);
const VkdevCoreEvent *vkdev_core_event_peek(const VkdevCore *core);
void vkdev_core_event_pop(VkdevCore *core);

/*
 * Cost of work outside the core, in instructions. It limits the time for which
 * a slice of any firmware can occupy the host.
 */
#define COST_CALL 200
#define COST_TABLE 2000         /* changes of hash tables and keys */
#define COST_DMA_BYTES 16       /* bytes of DMA that cost one instruction */

/* Conversions: two 32-bit registers to 64 bits; bytes to words, and back. */

static inline uint64_t pair(uint32_t hi, uint32_t lo)
{
    return (uint64_t)hi << 32 | lo;
}

static inline uint32_t pack(const uint8_t *bytes, unsigned n)
{
    uint32_t word = 0;

    while (n--) {
        word = word << 8 | bytes[n];
    }
    return word;
}

static inline void unpack(uint8_t *bytes, const uint32_t *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bytes[i] = words[i / 4] >> (i % 4 * 8);
    }
}

/*
 * Functions of core_load.c. An image to be verified has more bytes than a
 * header; one to be started was verified.
 */
bool vkdev_core_may_load(const VkdevCore *core);
uint16_t vkdev_core_verify(const VkdevCore *core, uint8_t *image, uint32_t len);
uint32_t vkdev_core_image_version(const uint8_t *image);
void vkdev_core_start(VkdevCore *core, const uint8_t *image);

/* Functions of core_store.c */
bool vkdev_core_has_store(const VkdevCore *core);

/* Functions of core_steer.c */
bool vkdev_core_rss_read(VkdevCore *core, uint32_t reg, uint32_t *value);
bool vkdev_core_rss_write(VkdevCore *core, uint32_t reg, uint32_t value);
bool vkdev_core_flow_read(VkdevCore *core, uint32_t reg, uint32_t *value);
bool vkdev_core_flow_write(VkdevCore *core, uint32_t reg, uint32_t value);

/* Functions of core_blocks.c */
extern const VkdevRv32Bus vkdev_core_bus;
void vkdev_core_blocks_reset(VkdevCore *core);

#endif
