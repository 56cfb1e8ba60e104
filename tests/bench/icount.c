// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU plugin: counts guest instructions, and bytes that string instructions
 * copy or fill, between two marker instructions. All instructions of the processor
 * count, including the kernel's and interrupts, so the guest must have one
 * processor. QEMU executes a whole "rep movs" as one instruction; therefore the
 * bytes are counted as well.
 *
 * Arguments: out=FILE (one line for each measurement: id, instructions, bytes),
 * hist=FILE (id, address of a translated block, instructions executed in it; for
 * tests/bench/hist), tick=ADDRESS and tick_end=ADDRESS (begin and end of the clock
 * interrupt). Clock interrupts are not counted in out, since their number depends
 * on the host's load and not on the guest's work.
 */
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <qemu-plugin.h>

#include "marker.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define MARKER_BYTES	7
#define FIGURES		64	/* ids in markers; load.c uses no more */

struct counts {
	uint64_t insns;
	uint64_t copied;
};

/* A translated block. Blocks translated at the same address share an entry. */
struct block {
	uint64_t addr;
	struct qemu_plugin_scoreboard *score;
	uint64_t at_start;
	uint64_t measured[FIGURES];
};

static struct qemu_plugin_scoreboard *score;
static qemu_plugin_u64 insns, copied;
static struct counts started[FIGURES];
static struct counts tick_started, ticks;	/* ticks: sums over all clock interrupts so far */
static bool in_tick;
static uint64_t tick_addr, tick_end_addr;
static FILE *out;
static char *hist_path;
static GHashTable *blocks;
static GMutex lock; /* guards blocks; translation may run during execution */

static uint64_t block_count(struct block *block)
{
	return qemu_plugin_u64_sum(qemu_plugin_scoreboard_u64(block->score));
}

static void blocks_start(void)
{
	GHashTableIter it;
	gpointer block;

	g_mutex_lock(&lock);
	g_hash_table_iter_init(&it, blocks);
	while (g_hash_table_iter_next(&it, NULL, &block))
		((struct block *)block)->at_start = block_count(block);
	g_mutex_unlock(&lock);
}

static void blocks_stop(unsigned int figure)
{
	GHashTableIter it;
	gpointer value;

	g_mutex_lock(&lock);
	g_hash_table_iter_init(&it, blocks);
	while (g_hash_table_iter_next(&it, NULL, &value)) {
		struct block *block = value;

		block->measured[figure] += block_count(block) - block->at_start;
	}
	g_mutex_unlock(&lock);
}

static struct counts counts_get(unsigned int cpu)
{
	return (struct counts) {
		.insns = qemu_plugin_u64_get(insns, cpu),
		.copied = qemu_plugin_u64_get(copied, cpu),
	};
}

static void tick_begin(unsigned int cpu, void *data)
{
	(void)data;
	tick_started = counts_get(cpu);
	in_tick = true;
}

/*
 * End of a clock interrupt. The address is passed by other interrupts, too:
 * then in_tick is false.
 */
static void tick_end(unsigned int cpu, void *data)
{
	struct counts now = counts_get(cpu);

	(void)data;
	if (!in_tick)
		return;
	in_tick = false;
	ticks.insns += now.insns - tick_started.insns;
	ticks.copied += now.copied - tick_started.copied;
}

static void marker(unsigned int cpu, void *data)
{
	uint32_t code = GPOINTER_TO_UINT(data);
	unsigned int figure = code & 0xff;
	struct counts *from = &started[figure];
	struct counts now = counts_get(cpu);

	now.insns -= ticks.insns;
	now.copied -= ticks.copied;

	if ((code >> 8 & 0xff) == MARKER_START) {
		*from = now;
		if (hist_path)
			blocks_start();
		return;
	}
	if (hist_path)
		blocks_stop(figure);
	fprintf(out, "%u %" PRIu64 " %" PRIu64 "\n", figure,
		now.insns - from->insns, now.copied - from->copied);
	fflush(out);
}

static bool is_marker(const uint8_t *code, size_t len, uint32_t *value)
{
	static const uint8_t opcode[] = { 0x0f, 0x1f, 0x80 };

	if (len != MARKER_BYTES || memcmp(code, opcode, sizeof(opcode)))
		return false;
	memcpy(value, code + sizeof(opcode), sizeof(*value));
	return *value >> 16 == MARKER_MAGIC && (*value & 0xff) < FIGURES;
}

/*
 * Bytes in one step of a repeated movs or stos; 0 for any other instruction.
 */
static unsigned int string_width(const uint8_t *code, size_t len)
{
	bool repeated = false;
	unsigned int wide = 4;
	size_t i;

	for (i = 0; i + 1 < len; i++) {
		if (code[i] == 0xf3 || code[i] == 0xf2)
			repeated = true;
		else if (code[i] == 0x66)
			wide = 2;
		else if ((code[i] & 0xf8) == 0x48)
			wide = 8;
		else if ((code[i] & 0xf0) != 0x40)
			return 0;
	}
	if (!repeated)
		return 0;
	if (code[i] == 0xa4 || code[i] == 0xaa)
		return 1;
	return code[i] == 0xa5 || code[i] == 0xab ? wide : 0;
}

static void on_exec(struct qemu_plugin_insn *insn, qemu_plugin_vcpu_udata_cb_t call, void *data)
{
	qemu_plugin_register_vcpu_insn_exec_cb(insn, call, QEMU_PLUGIN_CB_NO_REGS, data);
}

static void instrument(struct qemu_plugin_insn *insn)
{
	uint8_t code[16];
	size_t len = qemu_plugin_insn_data(insn, code, sizeof(code));
	unsigned int width = string_width(code, len);
	uint32_t value;

	qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn,
							    QEMU_PLUGIN_INLINE_ADD_U64, insns, 1);
	if (width)
		qemu_plugin_register_vcpu_mem_inline_per_vcpu(insn,
							      QEMU_PLUGIN_MEM_W,
							      QEMU_PLUGIN_INLINE_ADD_U64, copied,
							      width);
	if (qemu_plugin_insn_vaddr(insn) == tick_addr)
		on_exec(insn, tick_begin, NULL);
	else if (qemu_plugin_insn_vaddr(insn) == tick_end_addr)
		on_exec(insn, tick_end, NULL);
	if (is_marker(code, len, &value))
		on_exec(insn, marker, GUINT_TO_POINTER(value));
}

static struct block *block_get(uint64_t addr)
{
	struct block *block;

	g_mutex_lock(&lock);
	block = g_hash_table_lookup(blocks, &addr);
	if (!block) {
		block = g_new0(struct block, 1);
		block->addr = addr;
		block->score = qemu_plugin_scoreboard_new(sizeof(uint64_t));
		g_hash_table_insert(blocks, &block->addr, block);
	}
	g_mutex_unlock(&lock);
	return block;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < n; i++)
		instrument(qemu_plugin_tb_get_insn(tb, i));
	if (hist_path) {
		struct block *block = block_get(qemu_plugin_tb_vaddr(tb));
		qemu_plugin_u64 count = qemu_plugin_scoreboard_u64(block->score);

		qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, QEMU_PLUGIN_INLINE_ADD_U64,
								  count, n);
	}
}

static void block_print(const struct block *block, FILE *hist)
{
	unsigned int i;

	for (i = 0; i < FIGURES; i++)
		if (block->measured[i])
			fprintf(hist, "%u %016" PRIx64 " %" PRIu64 "\n", i,
				block->addr, block->measured[i]);
}

static void finish(qemu_plugin_id_t id, void *data)
{
	GHashTableIter it;
	gpointer block;
	FILE *hist;

	(void)id;
	(void)data;
	fclose(out);
	hist = hist_path ? fopen(hist_path, "w") : NULL;
	if (!hist)
		return;
	g_hash_table_iter_init(&it, blocks);
	while (g_hash_table_iter_next(&it, NULL, &block))
		block_print(block, hist);
	fclose(hist);
}

static int parse(const char *arg)
{
	if (g_str_has_prefix(arg, "out=")) {
		out = fopen(arg + 4, "w");
		return out ? 0 : -1;
	}
	if (g_str_has_prefix(arg, "hist=")) {
		hist_path = g_strdup(arg + 5);
		return 0;
	}
	if (g_str_has_prefix(arg, "tick=")) {
		tick_addr = g_ascii_strtoull(arg + 5, NULL, 16);
		return 0;
	}
	if (g_str_has_prefix(arg, "tick_end=")) {
		tick_end_addr = g_ascii_strtoull(arg + 9, NULL, 16);
		return 0;
	}
	return -1;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
					   const qemu_info_t *info,
					   int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++) {
		if (parse(argv[i])) {
			fprintf(stderr, "icount: cannot use '%s'\n", argv[i]);
			return -1;
		}
	}
	if (!out || info->system.smp_vcpus != 1) {
		fprintf(stderr, "icount: needs out=FILE and -smp 1\n");
		return -1;
	}
	score = qemu_plugin_scoreboard_new(sizeof(struct counts));
	insns = qemu_plugin_scoreboard_u64_in_struct(score, struct counts, insns);
	copied = qemu_plugin_scoreboard_u64_in_struct(score, struct counts,
						      copied);
	blocks = g_hash_table_new(g_int64_hash, g_int64_equal);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
