/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the whole device, and the functions that its files call in each
 * other, sorted by file; those of TLS contexts and of faults have headers of
 * their own. All of them run under QEMU's big lock.
 */
#ifndef VKDEV_H
#define VKDEV_H

#include "hw/pci/msix.h"
#include "hw/pci/pci_device.h"
#include "net/net.h"
#include "qemu/typedefs.h"
#include "context.h"
#include "dma.h"
#include "fault/hooks.h"
#include "frame/filter.h"
#include "frame/flow.h"
#include "queue.h"
#include "soc/core.h"
#include "tls/engine.h"

#define TYPE_VKDEV "vktls"
OBJECT_DECLARE_SIMPLE_TYPE(VkdevState, VKDEV)

#define VKDEV_MBPS 10000

/* Settings that firmware makes; see the port block in firmware/soc.h. */
typedef struct VkdevPort {
    uint32_t flags;     /* VKTLS_PORT_* */
    uint32_t mtu;
    uint8_t mac[6];
    uint8_t filters[VKTLS_MAC_FILTERS][6];
    uint32_t filter_count;
    VkdevFilterTable flows;
} VkdevPort;

/* Registers that only store a value, for a later action of the host. */
typedef struct VkdevRegs {
    uint32_t fw_lo, fw_hi, fw_len;
    uint32_t scratch;
    uint32_t test_lo, test_hi, test_len, test_seed;
    uint32_t test_result, test_where;
    uint32_t cmdq_lo, cmdq_hi, cplq_lo, cplq_hi, cmdq_log2;
    uint32_t evtq_lo, evtq_hi, evtq_log2;
} VkdevRegs;

struct VkdevState {
    PCIDevice parent_obj;
    MemoryRegion bar;
    NICConf conf;
    NICState *nic;
    uint32_t queues;    /* number of queue pairs (property) */
    uint32_t contexts;  /* places in the table ctx (property) */
    uint16_t abi_minor; /* the hardware's ABI minor version (property) */
    unsigned vectors;
    uint64_t irq_pending;   /* vectors to be sent, one bit each */
    QEMUBH *irq_bh;
    uint32_t epoch;     /* number of resets so far */
    bool stopped;       /* the virtual machine stands still */
    bool asleep;        /* true in D3hot, and while stopped is */
    bool tls_rx;        /* features that the device offers (properties) */
    bool tls_replay;
    bool rx_gro;
    bool vfio_user;     /* the host is a vfio-user client (property) */
    BlockBackend *flash;    /* drive of the firmware store (property) */
    char *fw_key;       /* file with the images' public key (property) */

    VkdevRegs regs;
    VkdevTxQueue tx[VKTLS_MAX_QUEUES];
    VkdevRxQueue rx[VKTLS_MAX_QUEUES];
    VkdevPort port;
    VkdevRss *rss[VKTLS_RSS_CONTEXTS];  /* NULL = none; entry 0 is always set */
    QEMUBH *rx_bh;      /* asks the peer for frames that wait there */
    QEMUBH *rx_end_bh;  /* completes packets that wait for more frames */
    QEMUTimer *hold_timer;  /* ends their wait */
    unsigned hold_num;  /* packets that wait in all queues */
    unsigned hold_periods;  /* periods of hold_timer since packets wait */
    bool hold_busy;     /* a frame was joined in this period */
    bool tx_blocked;    /* a frame waits in the peer's queue */
    uint8_t rx_buf[VKDEV_FRAME_MAX];
    uint8_t rx_plain[VKDEV_FRAME_MAX];

    VkdevContext *ctx;
    unsigned long *ctx_used;    /* bit of each place that has a context */
    uint32_t ctx_next;  /* place where the search of a free one begins */
    VkdevTlsEngine *tls;
    uint32_t ctx_live;
    VkdevFlowTable *flows;  /* TCP flow -> receive context */

    VkdevCore *core;
    QEMUBH *core_bh;
    QEMUTimer *core_timer;
    uint8_t fw_key_bytes[32];   /* contents of the file fw_key */
    uint8_t *store;     /* firmware store, store_len bytes; NULL with flash */
    uint32_t store_len;

    VMChangeStateEntry *vm_changed;
    Error *migrate_blocker; /* NULL if the device may migrate */

    VkdevFaults faults;
    uint64_t stats[VKTLS_STAT_NUM];
};

/* Functions of pci.c */

/**
 * Reset the device to its state after power on. A reset may happen inside a
 * call of QEMU's network layer, so no memory is freed; s->epoch changes, which
 * tells the caller that its current packet is gone.
 */
void vkdev_reset(VkdevState *s);

/** To be called when a condition of s->asleep may have changed. */
void vkdev_sleep_update(VkdevState *s);

/* Functions of mmio.c */
void vkdev_mmio_init(VkdevState *s);
void vkdev_mmio_reset(VkdevState *s);

/* Functions of notify.c */
void vkdev_irq_init(VkdevState *s);
void vkdev_irq_fini(VkdevState *s);
void vkdev_irq_reset(VkdevState *s);
void vkdev_irq_wake(VkdevState *s);

/**
 * Mark a vector as pending. The interrupt is sent later, from the main loop.
 */
void vkdev_irq_raise(VkdevState *s, unsigned vector);
void vkdev_event(VkdevState *s, uint16_t type, uint16_t status, uint32_t id,
                 uint32_t arg);

/* Functions of port.c */
void vkdev_port_init(VkdevState *s);
void vkdev_port_fini(VkdevState *s);
void vkdev_port_reset(VkdevState *s);
bool vkdev_port_link(const VkdevState *s);
void vkdev_port_free(VkdevState *s);

/**
 * Count a frame of @len bytes that is sent; @iov[0] has its Ethernet header.
 */
void vkdev_port_count_tx(VkdevState *s, const struct iovec *iov, size_t len);

/** Count a received frame of at least an Ethernet header, accepted or not. */
void vkdev_port_count_rx(VkdevState *s, const uint8_t *frame, size_t len);
uint16_t vkdev_port_rss_set(VkdevState *s, uint32_t ctx,
                            const struct vktls_rss_ctx *cfg);
uint16_t vkdev_port_rss_del(VkdevState *s, uint32_t ctx);
uint16_t vkdev_port_flow_set(VkdevState *s, uint32_t place,
                             const struct vktls_flow_filter *flow);
uint16_t vkdev_port_flow_del(VkdevState *s, uint32_t place);
bool vkdev_port_accepts(const VkdevState *s, const uint8_t *frame);

/* Functions of store.c */
bool vkdev_store_init(VkdevState *s, Error **errp);
void vkdev_store_free(VkdevState *s);
bool vkdev_store_read(VkdevState *s, uint32_t at, void *buf, uint32_t len);
bool vkdev_store_write(VkdevState *s, uint32_t at, const void *buf,
                       uint32_t len);

/* Functions of soc_glue.c */
bool vkdev_soc_init(VkdevState *s);
void vkdev_soc_fini(VkdevState *s);
void vkdev_soc_free(VkdevState *s);
void vkdev_soc_reset(VkdevState *s);
void vkdev_soc_wake(VkdevState *s);

/**
 * Run the embedded core for a slice. False when it waits for something.
 */
bool vkdev_soc_slice(VkdevState *s);

#endif
