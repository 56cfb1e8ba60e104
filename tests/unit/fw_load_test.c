// SPDX-License-Identifier: GPL-2.0-only
/*
 * The firmware loader: each refusal has its own status, and a good image can be loaded
 * afterwards. Then the bus around the core, used as hostile firmware might use it: small
 * programs made here, sealed and loaded like an image.
 */
#include "fw_good.h"
#include "rv32_asm.h"
#include "soc/sha256.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define HEADER		sizeof(struct vktls_fw_header)
#define PLACE(field)	offsetof(struct vktls_fw_header, field)

static uint8_t *image(void)
{
	return rig_at(RIG_IMAGE);
}

static void seal(uint32_t len)
{
	uint8_t digest[VKDEV_SHA256_LEN];

	memset(image() + PLACE(digest), 0, sizeof(digest));
	vkdev_sha256(image(), len, digest);
	memcpy(image() + PLACE(digest), digest, sizeof(digest));
}

/*
 * Images with one wrong field. The digest is made anew unless the digest itself is tested.
 */
static const struct bad_image {
	const char *name;
	uint32_t at;
	uint8_t size;
	uint32_t value;
	bool sealed;
	uint16_t want;
} bad_images[] = {
	{ "magic", PLACE(magic), 4, 0x57464b57, true, VKTLS_ST_FW_MAGIC },
	{ "abi: older major", PLACE(abi_major), 2, VKTLS_ABI_MAJOR - 1, true, VKTLS_ST_FW_ABI },
	{ "abi: newer major", PLACE(abi_major), 2, VKTLS_ABI_MAJOR + 1, true, VKTLS_ST_FW_ABI },
	{ "abi: newer minor", PLACE(abi_minor), 2, VKTLS_ABI_MINOR + 1, true, VKTLS_ST_FW_ABI },
	{ "header length", PLACE(header_len), 4, 100, true, VKTLS_ST_FW_LENGTH },
	{ "body too short", PLACE(body_len), 4, 4, true, VKTLS_ST_FW_LENGTH },
	{ "body too long", PLACE(body_len), 4, 0xffffffff, true, VKTLS_ST_FW_LENGTH },
	{ "no body", PLACE(body_len), 4, 0, true, VKTLS_ST_FW_LENGTH },
	{ "reserved, first byte", PLACE(reserved), 1, 1, true, VKTLS_ST_RESERVED },
	{ "reserved, last byte", PLACE(reserved) + 23, 1, 1, true, VKTLS_ST_RESERVED },
	{ "digest", PLACE(digest) + 31, 1, 0x5a, false, VKTLS_ST_FW_DIGEST },
	{ "version under the digest", PLACE(version), 4, 0x123456, false, VKTLS_ST_FW_DIGEST },
	{ "name under the digest", PLACE(name), 1, 'V', false, VKTLS_ST_FW_DIGEST },
	{ "one byte of the body", HEADER + 100, 1, 0xa5, false, VKTLS_ST_FW_DIGEST },
	{ "entry misaligned", PLACE(entry), 4, 2, true, VKTLS_ST_FW_ENTRY },
	{ "entry outside", PLACE(entry), 4, 0x10000000, true, VKTLS_ST_FW_ENTRY },
};

static void test_bad_image(const void *row)
{
	const struct bad_image *b = row;
	static const uint8_t zero[SOC_SRAM_SIZE];
	uint8_t good[4];

	rig_init(&rig_config);
	memcpy(good, image() + b->at, b->size);
	rig_put(image() + b->at, b->value, b->size);
	if (b->sealed)
		seal(rig_image_len());
	ktap_expect_eq(vkdev_core_load(rig.core, RIG_IMAGE, rig_image_len()), b->want);
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_REFUSED);
	ktap_expect_eq(vkdev_core_fw_code(rig.core), b->want);
	ktap_expect(!vkdev_core_run(rig.core, 1000));
	ktap_expect_mem(vkdev_core_cpu(rig.core)->ram, zero, sizeof(zero));
	memcpy(image() + b->at, good, b->size);
	if (b->sealed)
		seal(rig_image_len());
	ktap_expect(rig_boot());
	ktap_expect_eq(vkdev_core_fw_code(rig.core), VKTLS_ST_OK);
}

static const struct bad_load {
	const char *name;
	uint64_t addr;
	uint32_t len;
	uint16_t want;
} bad_loads[] = {
	{ "nothing", RIG_IMAGE, 0, VKTLS_ST_FW_LENGTH },
	{ "a header alone", RIG_IMAGE, HEADER, VKTLS_ST_FW_LENGTH },
	{ "shorter than it says", RIG_IMAGE, HEADER + 1, VKTLS_ST_FW_LENGTH },
	{ "too large", RIG_IMAGE, VKTLS_FW_MAX_BYTES + 1, VKTLS_ST_FW_LENGTH },
	{ "far too large", RIG_IMAGE, 0xffffffff, VKTLS_ST_FW_LENGTH },
	{ "not host memory", 0x1000, 4096, VKTLS_ST_DMA },
	{ "only partly host memory", RIG_HOST_BASE + RIG_HOST_SIZE - 100, 4096, VKTLS_ST_DMA },
	{ "not an image", RIG_BUF, 4096, VKTLS_ST_FW_MAGIC },
};

static void test_bad_load(const void *row)
{
	const struct bad_load *b = row;

	rig_init(&rig_config);
	ktap_expect_eq(vkdev_core_load(rig.core, b->addr, b->len), b->want);
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_REFUSED);
	ktap_expect_eq(rig.status_changes, 1);
	ktap_expect(rig_boot());
}

/* The device copies the image, and a running core accepts no second one. */
static void test_load_twice(void)
{
	rig_init(&rig_config);
	ktap_expect_eq(vkdev_core_load(rig.core, RIG_IMAGE, rig_image_len()), VKTLS_ST_OK);
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_BOOTING);
	memset(image(), 0xff, rig_image_len());
	ktap_expect_eq(vkdev_core_load(rig.core, RIG_IMAGE, rig_image_len()), VKTLS_ST_STATE);
	ktap_expect(rig_run());
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_READY);
	ktap_expect_eq(vkdev_core_fw_code(rig.core), VKTLS_ST_OK);
	ktap_expect_eq(vkdev_core_fw_version(rig.core), 0x10000);
}

/*
 * The version in force is the lesser of the hardware's and firmware's, from the load until
 * reset.
 */
static void test_version_in_force(void)
{
	const uint32_t older = VKTLS_ABI_MAJOR << 16 | (VKTLS_ABI_MINOR - 1);
	const uint32_t newest = VKTLS_ABI_MAJOR << 16 | VKTLS_ABI_MINOR;
	VkdevCoreConfig config = rig_config;

	rig_init(&rig_config);
	ktap_expect_eq(vkdev_core_abi(rig.core), newest);
	image()[PLACE(abi_minor)]--;
	seal(rig_image_len());
	ktap_expect(rig_boot());
	ktap_expect_eq(vkdev_core_abi(rig.core), older);
	vkdev_core_reset(rig.core);
	ktap_expect_eq(vkdev_core_abi(rig.core), newest);

	config.abi_minor = VKTLS_ABI_MINOR - 1;
	rig_init(&config);
	ktap_expect_eq(vkdev_core_abi(rig.core), older);
	ktap_expect_eq(vkdev_core_load(rig.core, RIG_IMAGE, rig_image_len()), VKTLS_ST_FW_ABI);
	image()[PLACE(abi_minor)]--;
	seal(rig_image_len());
	ktap_expect(rig_boot());
	ktap_expect_eq(vkdev_core_abi(rig.core), older);
}

static void test_rings_before_load(void)
{
	rig_init(&rig_config);
	vkdev_core_cmdq_set(rig.core, RIG_CMDQ, RIG_CPLQ, RIG_CMDQ_LOG2);
	vkdev_core_evtq_set(rig.core, RIG_EVTQ, RIG_EVTQ_LOG2);
	ktap_expect_eq(rig.kicks, 0);
	ktap_expect_eq(vkdev_core_load(rig.core, RIG_IMAGE, rig_image_len()), VKTLS_ST_OK);
	ktap_expect(rig_run());
	ktap_expect_eq(rig_status(VKTLS_CMD_NOP, NULL, 0), VKTLS_ST_OK);
}

/* ---- Programs ---- */

static uint32_t program[128];
static uint32_t program_len;

static void emit(uint32_t insn)
{
	program[program_len++] = insn;
}

static void emit_li(unsigned int reg, uint32_t value)
{
	emit(LUI(reg, (value + 0x800) >> 12));
	emit(ADDI(reg, reg, value & 0xfff));
}

/* In programs, x1 is the address, x2 the value to store, x3 the value loaded. */
static void emit_store(uint32_t addr, uint32_t value)
{
	emit_li(1, addr);
	emit_li(2, value);
	emit(SW(2, 1, 0));
}

static void emit_load(uint32_t addr)
{
	emit_li(1, addr);
	emit(LW(3, 1, 0));
}

static void load_program(void)
{
	struct vktls_fw_header header = {
		.magic = VKTLS_FW_MAGIC,
		.abi_major = VKTLS_ABI_MAJOR,
		.header_len = HEADER,
		.body_len = program_len * 4,
	};
	uint32_t len = HEADER + header.body_len;

	memcpy(image(), &header, HEADER);
	for (uint32_t i = 0; i < program_len; i++)
		rig_put(image() + HEADER + i * 4, program[i], 4);
	seal(len);
	ktap_expect_eq(vkdev_core_load(rig.core, RIG_IMAGE, len), VKTLS_ST_OK);
	program_len = 0;
}

/* Run the program until its wfi, at which it stays. */
static const VkdevRv32 *run_program(void)
{
	emit(WFI);
	rig_init(&rig_config);
	load_program();
	ktap_expect(rig_run());
	return vkdev_core_cpu(rig.core);
}

/* Accesses that soc.h does not define: the core traps, the device works on. */
static const struct bad_access {
	const char *name;
	uint32_t addr;
	uint32_t insn;		/* with x1 = addr, x2 = 0x7fffffff */
	uint32_t cause;
} bad_accesses[] = {
	{ "null pointer", 0, LW(3, 1, 0), 5 },
	{ "before SRAM", SOC_SRAM_BASE - 4, SW(2, 1, 0), 7 },
	{ "after SRAM", SOC_SRAM_BASE + SOC_SRAM_SIZE, LW(3, 1, 0), 5 },
	{ "before the blocks", SOC_BLOCK(0) - 4, LW(3, 1, 0), 5 },
	{ "after the blocks", SOC_BLOCK(SOC_BLOCKS), SW(2, 1, 0), 7 },
	{ "byte of a register", SOC_SYS + SYS_IRQ, LB(3, 1, 0), 5 },
	{ "half of a register", SOC_SYS + SYS_HEARTBEAT, SH(2, 1, 0), 7 },
	{ "read of a write-only register", SOC_SYS + SYS_RAISE, LW(3, 1, 0), 5 },
	{ "write of a read-only register", SOC_SYS + SYS_QUEUES, SW(2, 1, 0), 7 },
	{ "system: past the end", SOC_SYS + 0x20, LW(3, 1, 0), 5 },
	{ "timer: past the end", SOC_TIMER + 0x10, SW(2, 1, 0), 7 },
	{ "timer: read of the compare", SOC_TIMER + TIMER_CMP_LO, LW(3, 1, 0), 5 },
	{ "mailbox: past the end", SOC_MBOX + 0x28, LW(3, 1, 0), 5 },
	{ "mailbox: write", SOC_MBOX + MBOX_CMDQ_TAIL, SW(2, 1, 0), 7 },
	{ "dma: past the end", SOC_DMA + 0x18, SW(2, 1, 0), 7 },
	{ "dma: read of an address", SOC_DMA + DMA_HOST_LO, LW(3, 1, 0), 5 },
	{ "port: past the end", SOC_PORT + 0x30, SW(2, 1, 0), 7 },
	{ "port: filter count", SOC_PORT + PORT_FILTER_COUNT, SW(2, 1, 0), 7 },
	{ "rss: between the windows", SOC_RSS + 0x28, SW(2, 1, 0), 7 },
	{ "rss: past the table", SOC_RSS + 0x180, SW(2, 1, 0), 7 },
	{ "rss: read", SOC_RSS + RSS_KEY, LW(3, 1, 0), 5 },
	{ "rss: past the status", SOC_RSS + 0x20c, SW(2, 1, 0), 7 },
	{ "rss: write of the status", SOC_RSS + RSS_STATUS, SW(2, 1, 0), 7 },
	{ "flow: past the filter", SOC_FLOW + 0x50, SW(2, 1, 0), 7 },
	{ "flow: past the end", SOC_FLOW + 0x88, LW(3, 1, 0), 5 },
	{ "flow: read of the filter", SOC_FLOW + FLOW_FILTER, LW(3, 1, 0), 5 },
	{ "queue: past the end", SOC_QUEUE + 0x28, SW(2, 1, 0), 7 },
	{ "tls: past the end", SOC_TLS + 0x7c, LW(3, 1, 0), 5 },
	{ "tls: write of a read-only register", SOC_TLS + TLS_CAPACITY, SW(2, 1, 0), 7 },
	{ "counters: no such", SOC_STAT + STAT_SEL, SW(2, 1, 0), 7 },
	{ "events: past the end", SOC_HWEV + 0x14, LW(3, 1, 0), 5 },
	{ "events: write", SOC_HWEV + HWEV_TYPE, SW(2, 1, 0), 7 },
};

static void test_bad_access(const void *row)
{
	const struct bad_access *b = row;
	const VkdevRv32 *cpu;

	emit_li(1, b->addr);
	emit_li(2, 0x7fffffff);
	emit(b->insn);
	cpu = run_program();
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_CRASHED);
	ktap_expect_eq(cpu->crash_cause, b->cause);
	ktap_expect_eq(cpu->crash_tval, b->addr);
	ktap_expect_eq(rig.irqs[VKTLS_VEC_ASYNC], 1);
}

static void test_no_such_filter(void)
{
	emit_store(SOC_PORT + PORT_FILTER_SEL, VKTLS_MAC_FILTERS);
	emit_store(SOC_PORT + PORT_FILTER_HI, 1);
	ktap_expect_eq(run_program()->crash_cause, VKDEV_RV32_STORE_FAULT);
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_CRASHED);
}

static const struct dma_case {
	const char *name;
	uint64_t host;
	uint32_t local, len, cmd;
	uint32_t want;
} dma_cases[] = {
	{ "dma: all of SRAM", RIG_BUF, SOC_SRAM_BASE, SOC_SRAM_SIZE, DMA_TO_HOST, VKTLS_ST_OK },
	{ "dma: last byte", RIG_BUF, SOC_SRAM_BASE + SOC_SRAM_SIZE - 1, 1, DMA_FROM_HOST,
	  VKTLS_ST_OK },
	{ "dma: one byte too many", RIG_BUF, SOC_SRAM_BASE + SOC_SRAM_SIZE - 1, 2, DMA_FROM_HOST,
	  VKTLS_ST_LENGTH },
	{ "dma: no byte", RIG_BUF, SOC_SRAM_BASE, 0, DMA_TO_HOST, VKTLS_ST_LENGTH },
	{ "dma: length wraps", RIG_BUF, SOC_SRAM_BASE + 4, 0xfffffffc, DMA_TO_HOST,
	  VKTLS_ST_LENGTH },
	{ "dma: local below SRAM", RIG_BUF, SOC_SRAM_BASE - 1, 4, DMA_TO_HOST, VKTLS_ST_PARAM },
	{ "dma: local is a register", RIG_BUF, SOC_TLS + TLS_KEY, 4, DMA_TO_HOST, VKTLS_ST_PARAM },
	{ "dma: no such command", RIG_BUF, SOC_SRAM_BASE, 4, 3, VKTLS_ST_PARAM },
	{ "dma: not host memory", 0x1000, SOC_SRAM_BASE, 4, DMA_TO_HOST, VKTLS_ST_DMA },
	{ "dma: host address wraps", UINT64_MAX - 1, SOC_SRAM_BASE, 4, DMA_FROM_HOST,
	  VKTLS_ST_DMA },
};

static void test_dma(const void *row)
{
	const struct dma_case *c = row;

	emit_store(SOC_DMA + DMA_HOST_LO, c->host);
	emit_store(SOC_DMA + DMA_HOST_HI, c->host >> 32);
	emit_store(SOC_DMA + DMA_LOCAL, c->local);
	emit_store(SOC_DMA + DMA_LEN, c->len);
	emit_store(SOC_DMA + DMA_CMD, c->cmd);
	emit_load(SOC_DMA + DMA_STATUS);
	ktap_expect_eq(run_program()->x[3], c->want);
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_BOOTING);
}

/* The key registers read as zero, and each command of the TLS block wipes them. */
static void test_key_window(void)
{
	emit_store(SOC_TLS + TLS_KEY, 0x11223344);
	emit_store(SOC_TLS + TLS_IV, 0x55667788);
	emit_load(SOC_TLS + TLS_KEY);
	emit(ADDI(4, 3, 0));
	emit_load(SOC_TLS + TLS_IV);
	emit(ADDI(5, 3, 0));
	emit_store(SOC_TLS + TLS_CTX, 0xffff);
	emit_store(SOC_TLS + TLS_CMD, TLS_ADD);
	emit_load(SOC_TLS + TLS_STATUS);
	emit(ADDI(6, 3, 0));
	emit_store(SOC_TLS + TLS_CTX, 0);
	emit_store(SOC_TLS + TLS_CMD, TLS_ADD);
	emit_load(SOC_TLS + TLS_STATUS);
	ktap_expect_eq(run_program()->x[3], VKTLS_ST_OK);
	ktap_expect_eq(vkdev_core_cpu(rig.core)->x[4], 0);
	ktap_expect_eq(vkdev_core_cpu(rig.core)->x[5], 0);
	ktap_expect_eq(vkdev_core_cpu(rig.core)->x[6], VKTLS_ST_NOENT);
	ktap_expect(rig.ctx[0].live);
	ktap_expect_eq(rig.ctx[0].tls.key[0], 0);
	ktap_expect_eq(rig.ctx[0].tls.iv[0], 0);
}

/* A reset wipes values of the old firmware, even a key that no command has used. */
static void test_reset_forgets(void)
{
	emit_store(SOC_TLS + TLS_KEY, 0x11223344);
	emit_store(SOC_PORT + PORT_FLAGS, VKTLS_PORT_UP);
	run_program();
	vkdev_core_reset(rig.core);
	emit_store(SOC_TLS + TLS_CMD, TLS_ADD);
	emit_load(SOC_PORT + PORT_FLAGS);
	emit(WFI);
	load_program();
	ktap_expect(rig_run());
	ktap_expect(rig.ctx[0].live);
	ktap_expect_eq(rig.ctx[0].tls.key[0], 0);
	ktap_expect_eq(vkdev_core_cpu(rig.core)->x[3], 0);
}

/* If the core never sleeps, vkdev_core_run() still returns after each slice. */
static void test_endless_loop(void)
{
	rig_init(&rig_config);
	emit(JAL(0, 0));
	load_program();
	for (int i = 1; i <= 3; i++) {
		ktap_expect(vkdev_core_run(rig.core, 500));
		ktap_expect_eq(vkdev_core_cpu(rig.core)->mcycle, 500 * i);
	}
	vkdev_core_reset(rig.core);
	ktap_expect(!vkdev_core_run(rig.core, 500));
}

/*
 * Work outside the core is charged as instructions, so that a slice cannot be filled with
 * it.
 */
static const struct long_work {
	const char *name;
	uint32_t reg;
	uint32_t value;
	uint32_t most;		/* maximum number of operations in a slice of 20000 */
} long_works[] = {
	{ "endless DMA of all memory", SOC_DMA + DMA_CMD, DMA_FROM_HOST, 2 },
	{ "endless hash keys", SOC_RSS + RSS_COMMIT, 1, 10 },
	{ "endless contexts", SOC_TLS + TLS_CMD, TLS_DEL, 10 },
	{ "endless queues", SOC_QUEUE + QUEUE_CMD, QUEUE_CREATE, 100 },
	{ "endless addresses", SOC_PORT + PORT_MAC_HI, 1, 100 },
	{ "endless interrupts", SOC_SYS + SYS_RAISE, 0, 100 },
};

static void test_long_work(const void *row)
{
	const struct long_work *c = row;
	uint32_t setup;

	rig_init(&rig_config);
	emit_store(SOC_DMA + DMA_HOST_LO, (uint32_t)RIG_HOST_BASE);
	emit_store(SOC_DMA + DMA_HOST_HI, RIG_HOST_BASE >> 32);
	emit_store(SOC_DMA + DMA_LOCAL, SOC_SRAM_BASE + 4096);
	emit_store(SOC_DMA + DMA_LEN, SOC_SRAM_SIZE - 4096);
	emit_store(c->reg, c->value);
	setup = program_len;
	emit(SW(2, 1, 0));
	emit(JAL(0, -4));
	load_program();
	ktap_expect(vkdev_core_run(rig.core, 20000));
	ktap_expect(vkdev_core_cpu(rig.core)->mcycle <= setup + 2 * c->most);
}

#define CASES(table, fn) do {						\
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)			\
		ktap_case((table)[i].name, fn, &(table)[i]);		\
} while (0)

int main(void)
{
	ktap_start();
	CASES(bad_images, test_bad_image);
	CASES(bad_loads, test_bad_load);
	KTAP_RUN(test_load_twice);
	KTAP_RUN(test_version_in_force);
	KTAP_RUN(test_rings_before_load);
	CASES(bad_accesses, test_bad_access);
	KTAP_RUN(test_no_such_filter);
	CASES(dma_cases, test_dma);
	KTAP_RUN(test_key_window);
	KTAP_RUN(test_reset_forgets);
	KTAP_RUN(test_endless_loop);
	CASES(long_works, test_long_work);
	rig_fini();
	return ktap_finish();
}
