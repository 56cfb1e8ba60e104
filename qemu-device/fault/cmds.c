// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults of commands: what firmware fetches and writes by DMA is changed on the
 * way. This file does not depend on QEMU.
 */
#include <string.h>

#include "cmds.h"

static uint32_t get_le16(const void *p)
{
    const uint8_t *bytes = p;

    return bytes[0] | bytes[1] << 8;
}

static void put_le16(void *p, uint16_t value)
{
    uint8_t *bytes = p;

    bytes[0] = value;
    bytes[1] = value >> 8;
}

bool vkdev_fault_cmd_fetched(VkdevFaultCmds *cmds, struct vktls_cmd *cmd,
                             uint64_t addr)
{
    uint16_t opcode = get_le16(&cmd->opcode);
    bool fail = vkdev_fault_rule_hits(&cmds->fail, opcode);
    bool delay = vkdev_fault_rule_hits(&cmds->delay, opcode);
    bool lose = vkdev_fault_rule_hits(&cmds->lose, opcode);
    bool lie = vkdev_fault_rule_hits(&cmds->lie, opcode);
    bool twice = vkdev_fault_rule_hits(&cmds->twice, opcode);

    if (!fail && !delay && !lose && !lie && !twice) {
        return false;
    }
    vkdev_fault_cmd_reset(cmds);
    cmds->busy = true;
    cmds->addr = addr;
    cmds->opcode = opcode;
    cmds->refused = fail;
    cmds->status = cmds->fail.value;
    cmds->late_ms = delay ? cmds->delay.value : 0;
    cmds->lost = lose;
    cmds->lied = lie;
    cmds->word = cmds->lie.value;
    cmds->again = twice;
    if (fail) {
        put_le16(&cmd->opcode, VKTLS_CMD_NOP);
        put_le16(&cmd->len, 0);
        explicit_bzero(cmd->payload, sizeof(cmd->payload));
    }
    return true;
}

VkdevFaultVerdict vkdev_fault_cmd_answered(VkdevFaultCmds *cmds, uint64_t addr,
                                           const void *buf, uint32_t len)
{
    struct vktls_cmd_cpl *cpl = (void *)cmds->answer;
    uint64_t at = addr - cmds->addr;

    if (!cmds->busy || at >= sizeof(*cpl) || len > sizeof(*cpl) - at) {
        return VKDEV_FAULT_PASS;
    }
    memcpy(cmds->answer + at, buf, len);
    if (at + len < sizeof(*cpl)) {
        return VKDEV_FAULT_KEPT;
    }
    cmds->busy = false;
    if (cmds->refused) {
        put_le16(&cpl->opcode, cmds->opcode);
        put_le16(&cpl->status, cmds->status);
    }
    if (cmds->lied) {
        put_le16(cpl->payload, cmds->word);
        put_le16(cpl->payload + 2, cmds->word >> 16);
    }
    if (cmds->lost) {
        return VKDEV_FAULT_LOST;
    }
    return cmds->late_ms ? VKDEV_FAULT_DEFER : VKDEV_FAULT_WRITE;
}

void vkdev_fault_cmd_reset(VkdevFaultCmds *cmds)
{
    cmds->busy = false;
    memset(cmds->answer, 0, sizeof(cmds->answer));
}
