/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device as a whole: its state, and the functions that its files call of
 * each other, by owner. All of it runs under QEMU's big lock.
 */
#ifndef VKDEV_H
#define VKDEV_H

#include "hw/pci/msix.h"
#include "hw/pci/pci_device.h"
#include "net/net.h"
#include "dma.h"
#include "fault/plan.h"
#include "frame/filter.h"
#include "frame/flow.h"
#include "queue.h"
#include "soc/core.h"
#include "tls/engine.h"

#define TYPE_VKDEV "vktls"
OBJECT_DECLARE_SIMPLE_TYPE(VkdevState, VKDEV)

#define VKDEV_MBPS 10000

/* Settings by firmware; see the port block of soc.h. */
typedef struct VkdevPort {
    uint32_t flags;     /* VKTLS_PORT_* */
    uint32_t mtu;
    uint8_t mac[6];
    uint8_t filters[VKTLS_MAC_FILTERS][6];
    uint32_t filter_count;
    VkdevFilterTable flows;
} VkdevPort;

/* Packets ahead at which the prefetch of a context begins. */
#define VKDEV_CTX_AHEAD (VKDEV_TLS_AHEAD + 1)

/* A place in the table of TLS contexts. */
typedef struct VkdevContext {
    VkdevTlsCtx *tls;   /* NULL = free */
    uint64_t packets;
    uint64_t bytes;
} VkdevContext;

/* Faults that happen once, when a property is written. */
typedef enum VkdevFaultAct {
    VKDEV_FAULT_EVENT_SEND,
    VKDEV_FAULT_IRQ_SPURIOUS,
    VKDEV_FAULT_CTX_FORGET,
    VKDEV_FAULT_FW_HANG,
    VKDEV_FAULT_FW_CRASH,
    VKDEV_FAULT_GONE,
    VKDEV_FAULT_ACTS,
} VkdevFaultAct;

/* Plans and counts outlive a reset, delayed frames and answers do not. */
typedef struct VkdevFaults {
    uint32_t seed;
    VkdevFaultLine tx, rx;
    VkdevFaultCmds cmds;
    VkdevFaultRule event_lose, event_delay, event_alter;
    VkdevFaultRule event_flood;
    VkdevFaultRule irq_lose;
    VkdevFaultRule tx_cpl_lie, rx_cpl_lie, rx_cpl_long, cpl_twice;
    VkdevFaultLates lates;
    QEMUTimer timer;    /* next delayed frame, answer or event */
    bool gone;          /* nothing answers, as if pulled out */
    uint32_t forgetful; /* see vkdev_tls_engine_forgetful() */
    uint64_t acts[VKDEV_FAULT_ACTS];
} VkdevFaults;

/* Registers that hold a value until the host starts something. */
typedef struct VkdevRegs {
    uint32_t fw_lo, fw_hi, fw_len;
    uint32_t scratch;
    uint32_t test_lo, test_hi, test_len, test_seed;
    uint32_t test_result, test_where;
    uint32_t cmdq_lo, cmdq_hi, cplq_lo, cplq_hi, cmdq_log2, cmdq_tail;
    uint32_t evtq_lo, evtq_hi, evtq_log2, evtq_head;
} VkdevRegs;

struct VkdevState {
    PCIDevice parent_obj;
    MemoryRegion bar;
    NICConf conf;
    NICState *nic;
    uint32_t queues;    /* pairs, a property */
    uint32_t contexts;  /* places in the table, a property */
    uint16_t abi_minor; /* the hardware's minor version, a property */
    unsigned vectors;
    uint64_t irq_pending;   /* vectors to be sent, by bit */
    QEMUBH *irq_bh;
    uint32_t epoch;     /* resets so far */
    bool asleep;        /* in D3hot */
    bool tls_rx;        /* offers: three properties */
    bool tls_replay;
    bool rx_gro;
    bool vfio_user;     /* the host is a vfio-user client, a property */

    VkdevRegs regs;
    VkdevTxQueue tx[VKTLS_MAX_QUEUES];
    VkdevRxQueue rx[VKTLS_MAX_QUEUES];
    VkdevPort port;
    VkdevRss *rss[VKTLS_RSS_CONTEXTS];  /* NULL = none; 0 is always there */
    QEMUBH *rx_bh;      /* asks the peer for frames that it held back */
    QEMUBH *rx_end_bh;  /* completes open packets */
    bool tx_blocked;    /* a frame waits in the peer's queue */
    uint8_t rx_buf[VKDEV_FRAME_MAX];
    uint8_t rx_plain[VKDEV_FRAME_MAX];

    VkdevContext *ctx;
    VkdevTlsEngine *tls;
    uint32_t ctx_live;
    VkdevFlowTable *flows;  /* flows of the contexts that receive */

    VkdevCore *core;
    QEMUBH *core_bh;
    QEMUTimer *core_timer;

    VkdevFaults faults;
    uint64_t stats[VKTLS_STAT_NUM];
};

/* pci.c */

/**
 * Forget everything, as after power on. May be called in the middle of a call
 * to QEMU's network layer: memory stays, and s->epoch tells the caller that a
 * packet in hand is none any more.
 */
void vkdev_reset(VkdevState *s);

/* mmio.c */
void vkdev_mmio_init(VkdevState *s);
void vkdev_mmio_reset(VkdevState *s);

/* notify.c */
void vkdev_irq_init(VkdevState *s);
void vkdev_irq_fini(VkdevState *s);
void vkdev_irq_reset(VkdevState *s);
void vkdev_irq_wake(VkdevState *s);

/** Have a message sent by the main loop, not from here. */
void vkdev_irq_raise(VkdevState *s, unsigned vector);
void vkdev_event(VkdevState *s, uint16_t type, uint16_t status, uint32_t id,
                 uint32_t arg);

/* port.c */
void vkdev_port_init(VkdevState *s);
void vkdev_port_fini(VkdevState *s);
void vkdev_port_reset(VkdevState *s);
bool vkdev_port_link(const VkdevState *s);
void vkdev_port_free(VkdevState *s);

/** Count a frame of @len bytes that leaves, its headers in the first @iov. */
void vkdev_port_count_tx(VkdevState *s, const struct iovec *iov, size_t len);

/** Count a frame that came, at least an Ethernet header, accepted or not. */
void vkdev_port_count_rx(VkdevState *s, const uint8_t *frame, size_t len);
uint16_t vkdev_port_rss_set(VkdevState *s, uint32_t ctx,
                            const struct vktls_rss_ctx *cfg);
uint16_t vkdev_port_rss_del(VkdevState *s, uint32_t ctx);
uint16_t vkdev_port_flow_set(VkdevState *s, uint32_t place,
                             const struct vktls_flow_filter *flow);
uint16_t vkdev_port_flow_del(VkdevState *s, uint32_t place);
bool vkdev_port_accepts(const VkdevState *s, const uint8_t *frame);

/* context.c */
bool vkdev_ctx_init(VkdevState *s);
void vkdev_ctx_free(VkdevState *s);
void vkdev_ctx_reset(VkdevState *s);
uint16_t vkdev_ctx_add(VkdevState *s, uint32_t id, const VkdevCoreTls *tls);
uint16_t vkdev_ctx_del(VkdevState *s, uint32_t id);
bool vkdev_ctx_forget(VkdevState *s, uint32_t id);
uint16_t vkdev_ctx_resync(VkdevState *s, uint32_t id, const VkdevCoreTls *tls);
uint16_t vkdev_ctx_query(VkdevState *s, uint32_t id, VkdevCoreTlsState *state);
void vkdev_ctx_expect(VkdevState *s, uint32_t id, unsigned ahead);
uint16_t vkdev_ctx_encrypt(VkdevState *s, uint32_t id, uint32_t tcp_seq,
                           const struct iovec *from, uint8_t *to, uint32_t len,
                           uint32_t *expected);
uint16_t vkdev_ctx_replay(VkdevState *s, uint32_t id, uint32_t tcp_seq,
                          uint64_t rec_no, uint8_t *records, uint32_t len,
                          uint32_t *expected);
bool vkdev_ctx_resend(VkdevState *s, uint32_t id, uint64_t rec_no,
                      uint32_t before, uint8_t *to, uint32_t len,
                      uint32_t after);
uint16_t vkdev_ctx_decrypt(VkdevState *s, uint32_t id, uint32_t tcp_seq,
                           const uint8_t *from, uint8_t *to, uint32_t len);

/* soc_glue.c */
bool vkdev_soc_init(VkdevState *s);
void vkdev_soc_fini(VkdevState *s);
void vkdev_soc_free(VkdevState *s);
void vkdev_soc_reset(VkdevState *s);
void vkdev_soc_wake(VkdevState *s);

/* fault/hooks.c; true means that the fault took it over */
void vkdev_fault_init(VkdevState *s);
void vkdev_fault_reset(VkdevState *s);
void vkdev_fault_wake(VkdevState *s);
void vkdev_fault_note(VkdevState *s, const char *kind, uint32_t what,
                      uint32_t value);
bool vkdev_fault_tx(VkdevState *s, const struct iovec *iov, int iovcnt);
bool vkdev_fault_rx(VkdevState *s, const uint8_t *frame, size_t len);
bool vkdev_fault_irq(VkdevState *s, unsigned vector);
bool vkdev_fault_event(VkdevState *s, VkdevCoreEvent *event);
void vkdev_fault_event_taken(VkdevState *s);
void vkdev_fault_tx_cpl(VkdevState *s, unsigned queue,
                        struct vktls_tx_cpl *cpl);
void vkdev_fault_rx_cpl(VkdevState *s, unsigned queue,
                        struct vktls_rx_cpl *cpl);
bool vkdev_fault_cpl_twice(VkdevState *s, unsigned vector);
void vkdev_fault_fetched(VkdevState *s, uint64_t host, void *buf,
                         uint32_t len);
bool vkdev_fault_answered(VkdevState *s, uint64_t host, const void *buf,
                          uint32_t len, bool *ok);

/* fault/props.c */
void vkdev_fault_class_init(ObjectClass *klass);

#endif
