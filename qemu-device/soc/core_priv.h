/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core's state, and the functions its files call of each other. */
#ifndef VKDEV_CORE_PRIV_H
#define VKDEV_CORE_PRIV_H

#include "core.h"

#define VKDEV_CORE_EVENTS 64

typedef struct VkdevCoreMbox {
    uint64_t cmdq;
    uint64_t cplq;
    uint64_t evtq;
    uint32_t cmdq_log2;     /* 0 = not set up */
    uint32_t cmdq_tail;
    uint32_t evtq_log2;     /* 0 = not set up */
    uint32_t evtq_head;
} VkdevCoreMbox;

/* Events that firmware has not taken yet, oldest first. */
typedef struct VkdevCoreFifo {
    VkdevCoreEvent event[VKDEV_CORE_EVENTS];
    uint32_t first;
    uint32_t count;
    uint32_t missed;        /* since the last one that found a place */
    uint64_t lost;          /* events lost since reset */
} VkdevCoreFifo;

/* Block registers that hold values from firmware; index = offset / 4. */
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

struct VkdevCore {
    const VkdevCoreOps *ops;
    void *dev;
    VkdevCoreConfig config;

    VkdevRv32 cpu;
    uint32_t fw_state;      /* VKTLS_FW_* */
    uint32_t fw_code;       /* VKTLS_ST_* */
    uint32_t fw_version;
    uint16_t abi_minor;     /* in force: the hardware's, or older firmware's */
    uint32_t heartbeat;
    uint32_t irq;           /* SYS_IRQ_* */
    uint64_t timer_cmp;     /* ns; UINT64_MAX = not armed */
    bool hung;              /* set by vkdev_core_hang() */

    VkdevCoreMbox mbox;
    VkdevCoreFifo fifo;
    VkdevCoreRegs regs;
    uint8_t sram[SOC_SRAM_SIZE];
};

/* core.c */
void vkdev_core_set_state(VkdevCore *core, uint32_t state, uint32_t code);
void vkdev_core_irq(VkdevCore *core, uint32_t bits);
void vkdev_core_irq_ack(VkdevCore *core, uint32_t bits);
void vkdev_core_timer_arm(VkdevCore *core, uint64_t ns);
const VkdevCoreEvent *vkdev_core_event_peek(const VkdevCore *core);
void vkdev_core_event_pop(VkdevCore *core);

/*
 * The price of work outside of the core, in instructions: it bounds the time
 * that a slice of any firmware takes the host.
 */
#define COST_CALL 200
#define COST_TABLE 2000         /* hash tables, expanded keys, wiping */
#define COST_DMA_BYTES 16       /* bytes of DMA for one instruction */

/* A register pair; also a word of bytes in memory order, and back. */

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

/* core_steer.c */
bool vkdev_core_rss_read(VkdevCore *core, uint32_t reg, uint32_t *value);
bool vkdev_core_rss_write(VkdevCore *core, uint32_t reg, uint32_t value);
bool vkdev_core_flow_read(VkdevCore *core, uint32_t reg, uint32_t *value);
bool vkdev_core_flow_write(VkdevCore *core, uint32_t reg, uint32_t value);

/* core_blocks.c */
extern const VkdevRv32Bus vkdev_core_bus;
void vkdev_core_blocks_reset(VkdevCore *core);

#endif
