// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Block registers of firmware/soc.h that decide the queue of a received frame:
 * RSS contexts and flow filters.
 */
#include "core_priv.h"

/* RSS block */

static void rss_get(const uint32_t *r, struct vktls_rss_ctx *rss)
{
    unpack(rss->key, r + RSS_KEY / 4, sizeof(rss->key));
    unpack(rss->table, r + RSS_TABLE / 4, sizeof(rss->table));
}

/*
 * Convert packet types to the fields that are hashed. A type with ports that
 * is not set uses the fields of the type without ports.
 */
static void rss_fields_of(uint32_t types, uint8_t *fields)
{
    static const struct {
        uint8_t type, fallback;
    } kind[VKTLS_RSS_TYPES] = {
        { VKTLS_RSS_IPV4, VKTLS_RSS_IPV4 }, { VKTLS_RSS_TCP4, VKTLS_RSS_IPV4 },
        { VKTLS_RSS_IPV6, VKTLS_RSS_IPV6 }, { VKTLS_RSS_TCP6, VKTLS_RSS_IPV6 },
        { VKTLS_RSS_UDP4, VKTLS_RSS_IPV4 }, { VKTLS_RSS_UDP6, VKTLS_RSS_IPV6 },
    };

    for (unsigned i = 0; i < VKTLS_RSS_TYPES; i++) {
        if (types & (kind[i].type | kind[i].fallback)) {
            fields[i] = VKTLS_RSS_SRC | VKTLS_RSS_DST;
        }
        if (types & kind[i].type & ~kind[i].fallback) {
            fields[i] |= VKTLS_RSS_SRC_PORT | VKTLS_RSS_DST_PORT;
        }
    }
}

static void rss_commit(VkdevCore *core)
{
    const uint32_t *r = core->regs.rss;
    struct vktls_rss_ctx rss = { .fields = { 0 } };

    vkdev_rv32_charge(&core->cpu, COST_TABLE);
    rss_get(r, &rss);
    rss_fields_of(r[RSS_TYPES / 4], rss.fields);
    core->ops->rss_set(core->dev, 0, &rss);
}

static uint32_t rss_start(VkdevCore *core, uint32_t cmd)
{
    const uint32_t *r = core->regs.rss;
    struct vktls_rss_ctx rss = { .fields = { 0 } };

    vkdev_rv32_charge(&core->cpu, COST_TABLE);
    switch (cmd) {
    case RSS_SET:
        rss_get(r, &rss);
        unpack(rss.fields, r + RSS_FIELDS / 4, sizeof(rss.fields));
        rss.input = r[RSS_FIELDS / 4 + 1] >> 16;
        return core->ops->rss_set(core->dev, r[RSS_CTX / 4], &rss);
    case RSS_DEL:
        return core->ops->rss_del(core->dev, r[RSS_CTX / 4]);
    default:
        return VKTLS_ST_PARAM;
    }
}

bool vkdev_core_rss_read(VkdevCore *core, uint32_t reg, uint32_t *value)
{
    *value = core->regs.rss[RSS_STATUS / 4];
    return reg == RSS_STATUS;
}

bool vkdev_core_rss_write(VkdevCore *core, uint32_t reg, uint32_t value)
{
    if (reg == RSS_COMMIT) {
        rss_commit(core);
        return true;
    }
    if (reg == RSS_CMD) {
        core->regs.rss[RSS_STATUS / 4] = rss_start(core, value);
        return true;
    }
    if (reg < RSS_KEY + VKTLS_RSS_KEY_BYTES ||
        (reg >= RSS_TYPES && reg <= RSS_CTX) ||
        (reg >= RSS_TABLE && reg < RSS_TABLE + VKTLS_RSS_ENTRIES)) {
        core->regs.rss[reg / 4] = value;
        return true;
    }
    return false;
}

/* Flow filter block */

static uint32_t flow_start(VkdevCore *core, uint32_t cmd)
{
    uint32_t place = core->regs.flow[0] & 0xffff;
    struct vktls_flow_filter flow;

    vkdev_rv32_charge(&core->cpu, COST_TABLE);
    unpack((uint8_t *)&flow, core->regs.flow, sizeof(flow));
    switch (cmd) {
    case FLOW_SET:
        return core->ops->flow_set(core->dev, place, &flow);
    case FLOW_DEL:
        return core->ops->flow_del(core->dev, place);
    default:
        return VKTLS_ST_PARAM;
    }
}

bool vkdev_core_flow_read(VkdevCore *core, uint32_t reg, uint32_t *value)
{
    *value = core->regs.flow[FLOW_STATUS / 4];
    return reg == FLOW_STATUS;
}

bool vkdev_core_flow_write(VkdevCore *core, uint32_t reg, uint32_t value)
{
    if (reg == FLOW_CMD) {
        core->regs.flow[FLOW_STATUS / 4] = flow_start(core, value);
        return true;
    }
    if (reg < sizeof(struct vktls_flow_filter)) {
        core->regs.flow[reg / 4] = value;
        return true;
    }
    return false;
}
