/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The embedded core and the parts around it: memory, mailbox, DMA engine,
 * timer, image loader, and the block registers of firmware/soc.h, which call
 * the device through VkdevCoreOps. No QEMU header.
 *
 * The owner runs the core in slices. It calls vkdev_core_run() some time after
 * the kick() operation, again at once while vkdev_core_run() returns true, and
 * again at the time of vkdev_core_deadline(). Operations are called from
 * within vkdev_core_run() and vkdev_core_load(), and must call neither of the
 * two.
 */
#ifndef VKDEV_CORE_H
#define VKDEV_CORE_H

#include "vktls_abi.h"
#include "soc.h"
#include "rv32.h"

typedef struct VkdevCoreQueue {
    uint32_t type;          /* VKTLS_QUEUE_* */
    uint32_t id;
    uint32_t log2;
    uint32_t vector;
    uint64_t ring;
    uint64_t cq;
} VkdevCoreQueue;

/*
 * Parameters of a TLS context. Adding uses all fields but key_no; resync uses
 * tcp_seq and rec_no only, tls_next and tls_next_tx use iv, key and key_no,
 * tls_next_tx also tcp_seq.
 */
typedef struct VkdevCoreTls {
    uint32_t version;       /* VKTLS_VERSION_* */
    uint32_t cipher;        /* VKTLS_CIPHER_* */
    uint32_t direction;     /* VKTLS_DIR_* */
    uint32_t tcp_seq;
    uint8_t rec_no[8];      /* wire order */
    uint8_t iv[12];
    uint8_t key[32];
    uint32_t key_no;        /* not for tls_add and tls_resync */
    struct vktls_tls_flow flow; /* only with VKTLS_DIR_RX */
} VkdevCoreTls;

typedef struct VkdevCoreTlsState {
    uint32_t state;         /* VKTLS_TLS_* */
    uint32_t tcp_seq;
    uint8_t rec_no[8];      /* wire order */
    uint64_t packets;
    uint64_t bytes;
} VkdevCoreTlsState;

typedef struct VkdevCoreEvent {
    uint16_t type;          /* VKTLS_EVT_* */
    uint16_t status;        /* VKTLS_ST_* */
    uint32_t id;
    uint32_t arg;
} VkdevCoreEvent;

/*
 * Operations of the device, called by the core. Operations that return
 * uint16_t return a VKTLS_ST_* status. An operation must check ids, addresses
 * and modes itself: firmware may be wrong, and the registers limit only the
 * width of a number.
 */
typedef struct VkdevCoreOps {
    /*
     * Access to host memory. False if any byte is not memory, or the range
     * wraps.
     */
    bool (*dma_read)(void *dev, uint64_t host, void *buf, uint32_t len);
    bool (*dma_write)(void *dev, uint64_t host, const void *buf, uint32_t len);
    uint64_t (*now_ns)(void *dev);
    void (*kick)(void *dev);            /* request a call of vkdev_core_run() */
    void (*status_changed)(void *dev);  /* fw_state or fw_code changed */
    void (*irq_raise)(void *dev, uint32_t vector);
    void (*trace_char)(void *dev, char c);

    void (*port_set)(void *dev, uint32_t flags);
    void (*mtu_set)(void *dev, uint32_t mtu);
    void (*mac_set)(void *dev, const uint8_t addr[6]);
    void (*filters_set)(void *dev, const uint8_t (*addr)[6], uint32_t count);
    bool (*link_up)(void *dev);
    uint16_t (*rss_set)(void *dev, uint32_t ctx,
                        const struct vktls_rss_ctx *rss);
    uint16_t (*rss_del)(void *dev, uint32_t ctx);
    uint16_t (*flow_set)(void *dev, uint32_t place,
                         const struct vktls_flow_filter *flow);
    uint16_t (*flow_del)(void *dev, uint32_t place);

    uint16_t (*queue_create)(void *dev, const VkdevCoreQueue *queue);
    uint16_t (*queue_destroy)(void *dev, uint32_t type, uint32_t id);

    uint32_t (*tls_place)(void *dev);   /* a free place, or TLS_NO_PLACE */
    uint16_t (*tls_add)(void *dev, uint32_t ctx, const VkdevCoreTls *tls);
    uint16_t (*tls_del)(void *dev, uint32_t ctx);
    uint16_t (*tls_resync)(void *dev, uint32_t ctx, const VkdevCoreTls *tls);
    uint16_t (*tls_resync_key)(void *dev, uint32_t ctx,
                               const VkdevCoreTls *tls);
    uint16_t (*tls_next)(void *dev, uint32_t ctx, const VkdevCoreTls *tls);
    uint16_t (*tls_next_tx)(void *dev, uint32_t ctx, const VkdevCoreTls *tls);
    uint16_t (*tls_key_done)(void *dev, uint32_t ctx, uint32_t key_no);
    uint16_t (*tls_query)(void *dev, uint32_t ctx, VkdevCoreTlsState *state);

    uint64_t (*stat_get)(void *dev, uint32_t stat);     /* VKTLS_STAT_* */

    /*
     * Access to the VKDEV_CORE_STORE bytes of the firmware store; NULL if there
     * is none. What was written stays when power is lost. False after an error.
     */
    bool (*store_read)(void *dev, uint32_t at, void *buf, uint32_t len);
    bool (*store_write)(void *dev, uint32_t at, const void *buf, uint32_t len);
} VkdevCoreOps;

#define VKDEV_CORE_STORE 0x80000    /* bytes of the firmware store */
#define VKDEV_CORE_STORE_MINOR 9    /* ABI minor version that brought it */

/* Properties of the hardware, constant after vkdev_core_alloc(). */
typedef struct VkdevCoreConfig {
    uint16_t abi_minor;     /* the hardware's minor version */
    uint32_t queues;
    uint32_t features;      /* VKTLS_CAP_* */
    uint32_t mbps;
    uint8_t mac[6];
    uint32_t tls_contexts;
    uint32_t tls_ciphers;   /* 1 << VKTLS_CIPHER_* */
    uint32_t tls_versions;  /* 1 << VKTLS_VERSION_* */
    bool fw_signed;         /* images must be signed by fw_key's owner */
    uint8_t fw_key[32];     /* public key, Ed25519 */
} VkdevCoreConfig;

typedef struct VkdevCore VkdevCore;

/**
 * vkdev_core_alloc() - create a core in reset; @config is copied, @ops is not
 */
VkdevCore *vkdev_core_alloc(const VkdevCoreOps *ops, void *dev,
                            const VkdevCoreConfig *config);

/** vkdev_core_free() - wipe and free the core; NULL is allowed */
void vkdev_core_free(VkdevCore *core);

/**
 * vkdev_core_reset() - reset the core: firmware, queues and secrets are gone
 */
void vkdev_core_reset(VkdevCore *core);

/**
 * vkdev_core_load() - fetch an image from host memory, verify and start it
 *
 * Return: VKTLS_ST_OK; _STATE if the core runs or ran firmware since the
 * reset; _DMA or _FW_* if the image was refused, after which another may be
 * loaded.
 */
uint16_t vkdev_core_load(VkdevCore *core, uint64_t addr, uint32_t len);

/**
 * vkdev_core_boot() - start the next image of the store, or else the other one
 *
 * Return: as of vkdev_core_load(); VKTLS_ST_NOENT if the store is empty;
 * _UNSUPPORTED, with nothing changed, if there is no store.
 */
uint16_t vkdev_core_boot(VkdevCore *core);

/**
 * vkdev_core_store_op() - run an operation of the store
 * @op: VKTLS_STORE_*, or a wrong one
 * @addr, @len: piece in host memory, for VKTLS_STORE_WRITE
 *
 * Return: VKTLS_ST_*, which vkdev_core_store_result() keeps; _UNSUPPORTED if
 * there is no store.
 */
uint16_t vkdev_core_store_op(VkdevCore *core, uint32_t op, uint64_t addr,
                             uint32_t len);

/* Registers of the store; 0 if there is none. @slot is 1 or 2. */
uint32_t vkdev_core_store_info(VkdevCore *core);        /* VKTLS_REG_STORE */
uint32_t vkdev_core_store_result(const VkdevCore *core);
uint32_t vkdev_core_store_version(VkdevCore *core, unsigned slot);

/*
 * Write the registers of the command queue or event queue. Return false if a
 * value is refused: out of range, or badly aligned.
 */
bool vkdev_core_cmdq_set(VkdevCore *core, uint64_t cmdq, uint64_t cplq,
                         uint32_t log2);
bool vkdev_core_cmdq_doorbell(VkdevCore *core, uint32_t tail);
bool vkdev_core_evtq_set(VkdevCore *core, uint64_t evtq, uint32_t log2);
bool vkdev_core_evtq_head(VkdevCore *core, uint32_t head);

/* Tail and head as they were taken last. */
uint32_t vkdev_core_cmdq_tail_get(const VkdevCore *core);
uint32_t vkdev_core_evtq_head_get(const VkdevCore *core);

/** vkdev_core_event() - queue an event for firmware; counted if it is lost */
void vkdev_core_event(VkdevCore *core, const VkdevCoreEvent *event);

/**
 * vkdev_core_hang() - make firmware stop executing, until a reset
 * vkdev_core_crash() - make firmware jump to an invalid address and crash
 *
 * Return: true if firmware was running.
 */
bool vkdev_core_hang(VkdevCore *core);
bool vkdev_core_crash(VkdevCore *core);

/**
 * vkdev_core_run() - execute a slice; returns true if more is to be executed
 */
bool vkdev_core_run(VkdevCore *core, uint32_t budget);

/* Bytes of a saved core. */
#define VKDEV_CORE_SAVED (SOC_SRAM_SIZE + 8192)

/**
 * vkdev_core_save() - write the core's state to @to, VKDEV_CORE_SAVED bytes
 *
 * The bytes contain no key. A core that has not come to rest (it does so when
 * vkdev_core_run() has returned false) is saved as crashed.
 */
void vkdev_core_save(const VkdevCore *core, uint8_t *to);

/**
 * vkdev_core_restore() - read the state that vkdev_core_save() wrote
 *
 * Return: false, with the core in reset, if the bytes are no state of a core.
 */
bool vkdev_core_restore(VkdevCore *core, const uint8_t *from);

/** vkdev_core_deadline() - time to run next, in ns; UINT64_MAX = never */
uint64_t vkdev_core_deadline(const VkdevCore *core);

/* State of the core, for the host's registers, for traces and for tests. */
uint32_t vkdev_core_fw_state(const VkdevCore *core);    /* VKTLS_FW_* */
uint32_t vkdev_core_fw_code(const VkdevCore *core);     /* VKTLS_ST_* */
uint32_t vkdev_core_fw_version(const VkdevCore *core);
uint32_t vkdev_core_abi(const VkdevCore *core);         /* VKTLS_REG_ABI */
uint32_t vkdev_core_heartbeat(const VkdevCore *core);
uint64_t vkdev_core_events_lost(const VkdevCore *core);

/* The trap for which the core stopped, for the host's registers; else zeros. */
typedef struct VkdevCoreCrash {
    uint32_t pc, cause, value;
} VkdevCoreCrash;

VkdevCoreCrash vkdev_core_crash_get(const VkdevCore *core);
const VkdevRv32 *vkdev_core_cpu(const VkdevCore *core);

#endif
