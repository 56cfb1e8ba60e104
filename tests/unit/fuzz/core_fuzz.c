// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target for the embedded core with hostile firmware. Each input is a program,
 * and the host's actions between its slices. Errors are found by the sanitizers; besides,
 * no slice may be longer than its budget.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rv32_asm.h"
#include "soc/core.h"
#include "soc/sha256.h"

#define IMAGE	0x1000		/* place of the image in the host's memory */
#define MEMORY	0x50000
#define SLICES	16
#define BUDGET	2000
#define HEADER	sizeof(struct vktls_fw_header)
#define PROLOGUE	(SOC_BLOCKS + 1)

static uint8_t memory[MEMORY];

static bool op_dma_read(void *dev, uint64_t host, void *buf, uint32_t len)
{
	(void)dev;
	if (host > MEMORY || len > MEMORY - host)
		return false;
	memcpy(buf, memory + host, len);
	return true;
}

static bool op_dma_write(void *dev, uint64_t host, const void *buf, uint32_t len)
{
	(void)dev;
	if (host > MEMORY || len > MEMORY - host)
		return false;
	memcpy(memory + host, buf, len);
	return true;
}

static uint64_t op_now_ns(void *dev)
{
	static uint64_t now;

	(void)dev;
	return now += 1000;
}

static void op_nothing(void *dev)
{
	(void)dev;
}

static void op_word(void *dev, uint32_t word)
{
	(void)dev;
	(void)word;
}

static void op_char(void *dev, char c)
{
	(void)dev;
	(void)c;
}

static void op_mac_set(void *dev, const uint8_t addr[6])
{
	(void)dev;
	memcpy(memory, addr, 6);
}

static void op_filters_set(void *dev, const uint8_t (*addr)[6], uint32_t count)
{
	(void)dev;
	memcpy(memory, addr, count * sizeof(*addr));
}

static bool op_link_up(void *dev)
{
	(void)dev;
	return true;
}

static uint16_t op_rss_set(void *dev, uint32_t ctx, const struct vktls_rss_ctx *rss)
{
	(void)dev;
	memcpy(memory, rss, sizeof(*rss));
	return ctx;
}

static uint16_t op_flow_set(void *dev, uint32_t place, const struct vktls_flow_filter *flow)
{
	(void)dev;
	memcpy(memory, flow, sizeof(*flow));
	return place;
}

static uint16_t op_del(void *dev, uint32_t number)
{
	(void)dev;
	return number;
}

static uint16_t op_queue_create(void *dev, const VkdevCoreQueue *queue)
{
	(void)dev;
	return queue->id & 1 ? VKTLS_ST_OK : VKTLS_ST_PARAM;
}

static uint16_t op_queue_destroy(void *dev, uint32_t type, uint32_t id)
{
	(void)dev;
	return type + id;
}

static uint32_t op_tls_place(void *dev)
{
	(void)dev;
	return memory[0] % 7 ? memory[0] % 7 - 1 : TLS_NO_PLACE;
}

static uint16_t op_tls(void *dev, uint32_t ctx, const VkdevCoreTls *tls)
{
	(void)dev;
	memcpy(memory, tls, sizeof(*tls));
	return ctx;
}

static uint16_t op_tls_del(void *dev, uint32_t ctx)
{
	(void)dev;
	return ctx;
}

static uint16_t op_tls_query(void *dev, uint32_t ctx, VkdevCoreTlsState *state)
{
	(void)dev;
	state->tcp_seq = ctx;
	return VKTLS_ST_OK;
}

static uint64_t op_stat_get(void *dev, uint32_t stat)
{
	(void)dev;
	return stat;
}

static const VkdevCoreOps ops = {
	.dma_read = op_dma_read, .dma_write = op_dma_write, .now_ns = op_now_ns,
	.kick = op_nothing, .status_changed = op_nothing, .irq_raise = op_word,
	.trace_char = op_char, .port_set = op_word, .mtu_set = op_word,
	.mac_set = op_mac_set, .filters_set = op_filters_set, .link_up = op_link_up,
	.rss_set = op_rss_set, .rss_del = op_del,
	.flow_set = op_flow_set, .flow_del = op_del, .queue_create = op_queue_create,
	.queue_destroy = op_queue_destroy, .tls_place = op_tls_place, .tls_add = op_tls,
	.tls_del = op_tls_del,
	.tls_resync = op_tls, .tls_query = op_tls_query, .stat_get = op_stat_get,
};

static const VkdevCoreConfig config = {
	.queues = 4, .features = ~0u, .mbps = 1000, .tls_contexts = 6,
};

/*
 * Write the program's first instructions: x8 and up get the addresses of the blocks, x20
 * that of the program, which is entered again after a trap.
 */
static uint32_t prologue(uint32_t *insn)
{
	uint32_t n = 0;

	for (uint32_t block = 0; block < SOC_BLOCKS; block++)
		insn[n++] = LUI(8 + block, SOC_BLOCK(block) >> 12);
	insn[n++] = AUIPC(20, 0);
	return n;
}

/*
 * Convert 4 bytes of input to an instruction. Bytes that are not an instruction of full
 * length are converted to an access to a block register, or to one that loads a value for
 * it into x1 to x7.
 */
static uint32_t instruction(const uint8_t *in)
{
	uint32_t block = 8 + in[2] % SOC_BLOCKS, reg = in[3] % 128 * 4;

	switch (in[0] & 3) {
	case 0:
		return SW(in[1] & 7, block, reg);
	case 1:
		return LW(in[1] & 7, block, reg);
	case 2:
		return in[1] & 8 ? LUI(in[1] & 7, in[2] | in[3] << 8) :
				   ADDI(in[1] & 7, in[1] >> 4 & 7, in[2] | in[3] << 8);
	default:
		return in[0] | in[1] << 8 | in[2] << 16 | (uint32_t)in[3] << 24;
	}
}

static uint32_t make_image(const uint8_t *body, size_t len)
{
	struct vktls_fw_header h = {
		.magic = VKTLS_FW_MAGIC, .abi_major = VKTLS_ABI_MAJOR, .header_len = HEADER,
	};
	uint32_t insn[PROLOGUE];
	uint8_t *at = memory + IMAGE;
	uint32_t total;

	len -= len % 4;
	h.body_len = prologue(insn) * 4 + len;
	total = HEADER + h.body_len;
	memcpy(at, &h, HEADER);
	memcpy(at + HEADER, insn, sizeof(insn));
	for (size_t i = 0; i < len; i += 4) {
		uint32_t word = instruction(body + i);

		memcpy(at + HEADER + sizeof(insn) + i, &word, 4);
	}
	vkdev_sha256(at, total, h.digest);
	memcpy(at, &h, HEADER);
	return total;
}

static void host_acts(VkdevCore *core, uint8_t what, uint8_t value)
{
	VkdevCoreEvent event = { .type = value, .id = what };

	switch (what & 7) {
	case 0:
		vkdev_core_cmdq_set(core, 0x2000, 0x3000, value & 15);
		break;
	case 1:
		vkdev_core_cmdq_doorbell(core, value);
		break;
	case 2:
		vkdev_core_evtq_set(core, 0x4000, value & 15);
		break;
	case 3:
		vkdev_core_evtq_head(core, value);
		break;
	case 4:
		vkdev_core_event(core, &event);
		break;
	case 5:
		vkdev_core_crash(core);
		break;
	case 6:
		vkdev_core_load(core, IMAGE, value);
		break;
	default:
		break;
	}
}

/* Input: 2 bytes for each action of the host (one before each slice), then the program. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const VkdevRv32 *cpu;
	VkdevCore *core;

	if (len < 2 * SLICES)
		return 0;
	memset(memory, 0, sizeof(memory));
	core = vkdev_core_alloc(&ops, NULL, &config);
	cpu = vkdev_core_cpu(core);
	vkdev_core_load(core, IMAGE, make_image(data + 2 * SLICES, len - 2 * SLICES));
	for (int i = 0; i < SLICES; i++) {
		uint64_t before = cpu->minstret;

		host_acts(core, data[2 * i], data[2 * i + 1]);
		vkdev_core_run(core, BUDGET);
		/* A program can set the counter back, but not by a whole slice. */
		if (cpu->minstret - before > BUDGET && cpu->minstret - before < 2 * BUDGET) {
			fprintf(stderr, "core_fuzz: a slice of %llu instructions\n",
				(unsigned long long)(cpu->minstret - before));
			abort();
		}
		vkdev_core_deadline(core);
	}
	vkdev_core_free(core);
	return 0;
}
