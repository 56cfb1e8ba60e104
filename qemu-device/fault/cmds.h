/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults of commands, applied to the DMA of the embedded core. No QEMU header.
 */
#ifndef VKDEV_FAULT_CMDS_H
#define VKDEV_FAULT_CMDS_H

#include <stdbool.h>
#include <stdint.h>

#include "vktls_abi.h"
#include "rule.h"

typedef struct VkdevFaultCmds {
    VkdevFaultRule fail;        /* opcode, status */
    VkdevFaultRule delay;       /* opcode, milliseconds */
    VkdevFaultRule lose;        /* opcode */
    VkdevFaultRule lie;         /* opcode, first word of the answer's payload */
    VkdevFaultRule twice;       /* opcode */

    bool busy;          /* true while the answer to a hit command is awaited */
    bool refused;
    bool lost;
    bool lied;
    bool again;         /* write the awaited answer twice */
    uint32_t word;      /* false first word of the answer; valid with lied */
    uint32_t late_ms;
    uint64_t addr;      /* host address of the awaited answer */
    uint16_t opcode;
    uint16_t status;
    /* The answer, as far as firmware has written it. */
    uint8_t answer[sizeof(struct vktls_cmd_cpl)];
} VkdevFaultCmds;

typedef enum VkdevFaultVerdict {
    VKDEV_FAULT_PASS,   /* no fault: the caller does the write */
    VKDEV_FAULT_KEPT,   /* write consumed; more of the answer will come */
    VKDEV_FAULT_WRITE,  /* answer complete: write cmds->answer to cmds->addr */
    VKDEV_FAULT_DEFER,  /* the same as VKDEV_FAULT_WRITE, cmds->late_ms later */
    VKDEV_FAULT_LOST,   /* answer complete, and dropped */
} VkdevFaultVerdict;

/**
 * vkdev_fault_cmd_fetched() - decide the faults of a command that was fetched
 * @cmd: the command; becomes a NOP if it is to fail, so that nothing is done
 * @addr: host address of the command's answer
 *
 * Return: true if any fault hits the command.
 */
bool vkdev_fault_cmd_fetched(VkdevFaultCmds *cmds, struct vktls_cmd *cmd,
                             uint64_t addr);

/*
 * Decide about a DMA write by firmware of @len bytes at @buf to host address
 * @addr.
 */
VkdevFaultVerdict vkdev_fault_cmd_answered(VkdevFaultCmds *cmds, uint64_t addr,
                                           const void *buf, uint32_t len);

void vkdev_fault_cmd_reset(VkdevFaultCmds *cmds);

#endif
