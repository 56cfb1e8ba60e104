/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults of the device: state, and the places where one may happen. */
#ifndef VKDEV_FAULT_HOOKS_H
#define VKDEV_FAULT_HOOKS_H

#include "qemu/timer.h"
#include "cmds.h"
#include "late.h"
#include "line.h"
#include "rule.h"

typedef struct VkdevState VkdevState;

/* Faults that happen at once when a property is written. */
typedef enum VkdevFaultAct {
    VKDEV_FAULT_EVENT_SEND,
    VKDEV_FAULT_IRQ_SPURIOUS,
    VKDEV_FAULT_CTX_FORGET,
    VKDEV_FAULT_FW_HANG,
    VKDEV_FAULT_FW_CRASH,
    VKDEV_FAULT_GONE,
    VKDEV_FAULT_ACTS,
} VkdevFaultAct;

/*
 * State of fault injection. Rules, settings and counts survive a reset;
 * delayed frames and answers do not.
 */
typedef struct VkdevFaults {
    uint32_t seed;
    VkdevFaultLine tx, rx;
    VkdevFaultCmds cmds;
    VkdevFaultRule event_lose, event_delay, event_alter;
    VkdevFaultRule event_flood;
    VkdevFaultRule irq_lose;
    VkdevFaultRule tx_cpl_lie, rx_cpl_lie, rx_cpl_long, cpl_twice;
    VkdevFaultLates lates;
    QEMUTimer timer;    /* time of the next delayed frame, answer or event */
    bool gone;          /* reads give all ones, as if pulled out */
    uint32_t forgetful; /* see vkdev_tls_engine_forgetful() */
    uint64_t acts[VKDEV_FAULT_ACTS];
} VkdevFaults;

/*
 * Functions of fault/hooks.c; those that return bool return true if a fault
 * has taken over the frame, interrupt, event or DMA.
 */
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

/* Functions of fault/props.c */
void vkdev_fault_class_init(ObjectClass *klass);

#endif
