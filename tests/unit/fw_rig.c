// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock host and the mock NIC around the firmware under test. The NIC accepts the same
 * calls as the real one, records them, and refuses if it is told to.
 */
#define _GNU_SOURCE	/* for memmem() */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "fw_rig.h"

struct rig rig;
static uint8_t *image;
static uint32_t image_len;

const VkdevCoreConfig rig_config = {
	.abi_minor = VKTLS_ABI_MINOR,
	.queues = RIG_QUEUES,
	.features = VKTLS_CAP_TX_CSUM | VKTLS_CAP_TSO | VKTLS_CAP_VLAN | VKTLS_CAP_RX_CSUM |
		    VKTLS_CAP_RSS | VKTLS_CAP_TLS_TX | VKTLS_CAP_TLS_RX |
		    VKTLS_CAP_RSS_CTX | VKTLS_CAP_FLOW_FILTER | VKTLS_CAP_TLS_RX_NEXT |
		    VKTLS_CAP_TLS_TX_NEXT,
	.mbps = RIG_MBPS,
	.mac = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x85 },
	.tls_contexts = RIG_CONTEXTS,
	.tls_ciphers = 1 << VKTLS_CIPHER_AES_128_GCM | 1 << VKTLS_CIPHER_AES_256_GCM,
	.tls_versions = 1 << VKTLS_VERSION_TLS12,
};

/* ---- The NIC ---- */

static bool host_has(uint64_t host, uint32_t len)
{
	return host >= RIG_HOST_BASE && len <= RIG_HOST_SIZE &&
	       host - RIG_HOST_BASE <= RIG_HOST_SIZE - len;
}

static bool op_dma_read(void *dev, uint64_t host, void *buf, uint32_t len)
{
	(void)dev;
	if (!host_has(host, len))
		return false;
	memcpy(buf, rig_at(host), len);
	return true;
}

static bool op_dma_write(void *dev, uint64_t host, const void *buf, uint32_t len)
{
	(void)dev;
	if (rig.read_only || !host_has(host, len))
		return false;
	memcpy(rig_at(host), buf, len);
	return true;
}

static uint64_t op_now_ns(void *dev)
{
	(void)dev;
	return rig.now;
}

static void op_kick(void *dev)
{
	(void)dev;
	rig.kicks++;
}

static void op_status_changed(void *dev)
{
	(void)dev;
	rig.status_changes++;
}

static void op_irq_raise(void *dev, uint32_t vector)
{
	(void)dev;
	rig.irqs[vector]++;
}

static void op_trace_char(void *dev, char c)
{
	(void)dev;
	if (rig.trace_len < sizeof(rig.trace) - 1)
		rig.trace[rig.trace_len++] = c;
}

static void op_port_set(void *dev, uint32_t flags)
{
	(void)dev;
	rig.calls++;
	rig.port_flags = flags;
}

static void op_mtu_set(void *dev, uint32_t mtu)
{
	(void)dev;
	rig.calls++;
	rig.mtu = mtu;
}

static void op_mac_set(void *dev, const uint8_t addr[6])
{
	(void)dev;
	rig.calls++;
	memcpy(rig.mac, addr, 6);
}

static void op_filters_set(void *dev, const uint8_t (*addr)[6], uint32_t count)
{
	(void)dev;
	rig.calls++;
	memcpy(rig.filters, addr, count * sizeof(*addr));
	rig.filter_count = count;
}

static bool op_link_up(void *dev)
{
	(void)dev;
	return rig.link;
}

static uint16_t refusal(void)
{
	uint16_t status = rig.refuse;

	rig.calls++;
	rig.refuse = VKTLS_ST_OK;
	return status;
}

static uint16_t op_rss_set(void *dev, uint32_t ctx, const struct vktls_rss_ctx *rss)
{
	uint16_t status = refusal();

	(void)dev;
	if (!status) {
		rig.rss[ctx] = *rss;
		rig.rss_live[ctx] = true;
	}
	return status;
}

static uint16_t op_rss_del(void *dev, uint32_t ctx)
{
	uint16_t status = refusal();

	(void)dev;
	if (!status && (ctx >= VKTLS_RSS_CONTEXTS || !rig.rss_live[ctx]))
		status = VKTLS_ST_NOENT;
	if (!status)
		rig.rss_live[ctx] = false;
	return status;
}

static uint16_t op_flow_set(void *dev, uint32_t place, const struct vktls_flow_filter *flow)
{
	uint16_t status = refusal();

	(void)dev;
	if (!status) {
		rig.flow_place = place;
		rig.flow = *flow;
	}
	return status;
}

static uint16_t op_flow_del(void *dev, uint32_t place)
{
	(void)dev;
	rig.flow_place = place;
	return refusal();
}

static uint16_t op_queue_create(void *dev, const VkdevCoreQueue *queue)
{
	struct rig_queue *q = &rig.queues[queue->type][queue->id];
	uint16_t status = refusal();

	(void)dev;
	if (!status && q->live)
		status = VKTLS_ST_EXIST;
	if (!status)
		*q = (struct rig_queue){ true, *queue };
	return status;
}

static uint16_t op_queue_destroy(void *dev, uint32_t type, uint32_t id)
{
	struct rig_queue *q = &rig.queues[type][id];
	uint16_t status = refusal();

	(void)dev;
	if (!status && !q->live)
		status = VKTLS_ST_NOENT;
	if (!status)
		q->live = false;
	return status;
}

/* The status of a command on a context that should exist. */
static uint16_t tls_status(uint32_t ctx)
{
	return rig.ctx[ctx].live ? refusal() : VKTLS_ST_NOENT;
}

static uint32_t op_tls_place(void *dev)
{
	uint32_t ctx;

	(void)dev;
	for (uint32_t i = 0; i < rig.places; i++) {
		ctx = (rig.place + i) % rig.places;
		if (!rig.ctx[ctx].live)
			return ctx;
	}
	return TLS_NO_PLACE;
}

static uint16_t op_tls_add(void *dev, uint32_t ctx, const VkdevCoreTls *tls)
{
	uint16_t status = refusal();

	(void)dev;
	if (!status && rig.ctx[ctx].live)
		status = VKTLS_ST_EXIST;
	if (!status) {
		rig.ctx[ctx] = (struct rig_tls){ true, *tls };
		rig.place = ctx + 1;
	}
	return status;
}

static uint16_t op_tls_del(void *dev, uint32_t ctx)
{
	uint16_t status = tls_status(ctx);

	(void)dev;
	if (!status)
		rig.ctx[ctx].live = false;
	return status;
}

static uint16_t op_tls_resync(void *dev, uint32_t ctx, const VkdevCoreTls *tls)
{
	uint16_t status = tls_status(ctx);

	(void)dev;
	if (!status) {
		rig.ctx[ctx].tls.tcp_seq = tls->tcp_seq;
		memcpy(rig.ctx[ctx].tls.rec_no, tls->rec_no, 8);
	}
	return status;
}

static uint16_t op_tls_resync_key(void *dev, uint32_t ctx, const VkdevCoreTls *tls)
{
	uint16_t status = op_tls_resync(dev, ctx, tls);

	if (!status)
		rig.ctx[ctx].tls.key_no = tls->key_no;
	return status;
}

static uint16_t op_tls_next(void *dev, uint32_t ctx, const VkdevCoreTls *tls)
{
	uint16_t status = tls_status(ctx);

	(void)dev;
	if (!status) {
		rig.ctx[ctx].tls.key_no = tls->key_no;
		memcpy(rig.ctx[ctx].tls.iv, tls->iv, sizeof(tls->iv));
		memcpy(rig.ctx[ctx].tls.key, tls->key, sizeof(tls->key));
	}
	return status;
}

static uint16_t op_tls_next_tx(void *dev, uint32_t ctx, const VkdevCoreTls *tls)
{
	uint16_t status = op_tls_next(dev, ctx, tls);

	if (!status)
		rig.ctx[ctx].tls.tcp_seq = tls->tcp_seq;
	return status;
}

static uint16_t op_tls_key_done(void *dev, uint32_t ctx, uint32_t key_no)
{
	uint16_t status = tls_status(ctx);

	(void)dev;
	if (!status)
		rig.ctx[ctx].tls.key_no = key_no;
	return status;
}

static uint16_t op_tls_query(void *dev, uint32_t ctx, VkdevCoreTlsState *state)
{
	(void)dev;
	*state = rig.state;
	return tls_status(ctx);
}

static uint64_t op_stat_get(void *dev, uint32_t stat)
{
	(void)dev;
	return 0x1100000000ull * (stat + 1) + stat;
}

static bool op_store_read(void *dev, uint32_t at, void *buf, uint32_t len)
{
	(void)dev;
	if (rig.store_unreadable || at > sizeof(rig.store) || len > sizeof(rig.store) - at)
		return false;
	memcpy(buf, rig.store + at, len);
	return true;
}

/* With store_dies_at, power is lost in the middle of a write: no later write succeeds. */
static bool op_store_write(void *dev, uint32_t at, const void *buf, uint32_t len)
{
	unsigned int n = ++rig.store_writes, dies_at = rig.store_dies_at;

	(void)dev;
	if (at > sizeof(rig.store) || len > sizeof(rig.store) - at || (dies_at && n > dies_at))
		return false;
	memcpy(rig.store + at, buf, n == dies_at ? len / 2 : len);
	return n != dies_at;
}

static const VkdevCoreOps ops = {
	.dma_read = op_dma_read,
	.dma_write = op_dma_write,
	.now_ns = op_now_ns,
	.kick = op_kick,
	.status_changed = op_status_changed,
	.irq_raise = op_irq_raise,
	.trace_char = op_trace_char,
	.port_set = op_port_set,
	.mtu_set = op_mtu_set,
	.mac_set = op_mac_set,
	.filters_set = op_filters_set,
	.link_up = op_link_up,
	.rss_set = op_rss_set,
	.rss_del = op_rss_del,
	.flow_set = op_flow_set,
	.flow_del = op_flow_del,
	.queue_create = op_queue_create,
	.queue_destroy = op_queue_destroy,
	.tls_place = op_tls_place,
	.tls_add = op_tls_add,
	.tls_del = op_tls_del,
	.tls_resync = op_tls_resync,
	.tls_resync_key = op_tls_resync_key,
	.tls_next = op_tls_next,
	.tls_next_tx = op_tls_next_tx,
	.tls_key_done = op_tls_key_done,
	.tls_query = op_tls_query,
	.stat_get = op_stat_get,
	.store_read = op_store_read,
	.store_write = op_store_write,
};

/* ---- The host ---- */

static void image_open(void)
{
	const char *build = getenv("BUILD");
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/firmware/vktls.fw", build ? build : "build");
	image = malloc(VKTLS_FW_MAX_BYTES);
	f = fopen(path, "rb");
	if (!f || !image) {
		printf("Bail out! %s: build the firmware first (make firmware)\n", path);
		exit(1);
	}
	image_len = fread(image, 1, VKTLS_FW_MAX_BYTES, f);
	fclose(f);
}

uint8_t *rig_at(uint64_t host)
{
	return rig.host + (host - RIG_HOST_BASE);
}

void rig_put(void *to, uint64_t value, size_t size)
{
	value = htole64(value);
	memcpy(to, &value, size);
}

uint32_t rig_image_len(void)
{
	return image_len;
}

void rig_init(const VkdevCoreConfig *config)
{
	rig_fini();
	if (!image)
		image_open();
	memset(&rig, 0, sizeof(rig));
	rig.places = config->tls_contexts;
	rig.core = vkdev_core_alloc(&ops, &rig, config);
	memcpy(rig_at(RIG_IMAGE), image, image_len);
	rig.now = 5000000000ull;
	rig.cmd_gen = VKTLS_GEN;
	rig.evt_gen = VKTLS_GEN;
}

void rig_fini(void)
{
	vkdev_core_free(rig.core);
	rig.core = NULL;
}

bool rig_run(void)
{
	uint64_t start = vkdev_core_cpu(rig.core)->mcycle;

	while (vkdev_core_run(rig.core, 1000)) {
		if (vkdev_core_cpu(rig.core)->mcycle - start > RIG_BUDGET)
			return false;
	}
	return true;
}

bool rig_boot(void)
{
	return vkdev_core_load(rig.core, RIG_IMAGE, image_len) == VKTLS_ST_OK && rig_run() &&
	       vkdev_core_fw_state(rig.core) == VKTLS_FW_READY &&
	       vkdev_core_cmdq_set(rig.core, RIG_CMDQ, RIG_CPLQ, RIG_CMDQ_LOG2) &&
	       vkdev_core_evtq_set(rig.core, RIG_EVTQ, RIG_EVTQ_LOG2) && rig_run();
}

static void post(uint16_t opcode, const void *payload, uint16_t len)
{
	struct vktls_cmd cmd = { .opcode = opcode, .len = len, .tag = ++rig.tag };

	if (payload)
		memcpy(cmd.payload, payload, len < sizeof(cmd.payload) ? len : sizeof(cmd.payload));
	if (rig.dirty)
		cmd.payload[rig.dirty - 1] = 1;
	memcpy(rig_at(RIG_CMDQ) + rig.cmd_index * sizeof(cmd), &cmd, sizeof(cmd));
}

/*
 * Read the completion of the command at @slot, and check the fields that are equal in all
 * completions.
 */
static bool take(uint32_t slot, uint16_t opcode)
{
	uint32_t next = (slot + 1) % (1 << RIG_CMDQ_LOG2);
	struct vktls_cmd_cpl *cpl = &rig.cpl;
	bool ok;

	memcpy(cpl, rig_at(RIG_CPLQ) + slot * sizeof(*cpl), sizeof(*cpl));
	ok = cpl->gen == rig.cmd_gen && cpl->opcode == opcode && cpl->tag == rig.tag &&
	     cpl->head == next && (!cpl->status || !cpl->len);
	if (!ok)
		printf("# slot %u: no proper completion of opcode %u\n", slot, opcode);
	return ok;
}

bool rig_cmd(uint16_t opcode, const void *payload, uint16_t len)
{
	uint32_t slot = rig.cmd_index;
	bool ok;

	post(opcode, payload, len);
	rig.cmd_index = (slot + 1) % (1 << RIG_CMDQ_LOG2);
	rig.cost = vkdev_core_cpu(rig.core)->mcycle;
	ok = vkdev_core_cmdq_doorbell(rig.core, rig.cmd_index) && rig_run() && take(slot, opcode);
	rig.cost = vkdev_core_cpu(rig.core)->mcycle - rig.cost;
	if (!rig.cmd_index)
		rig.cmd_gen ^= VKTLS_GEN;
	return ok;
}

uint16_t rig_status(uint16_t opcode, const void *payload, uint16_t len)
{
	return rig_cmd(opcode, payload, len) ? rig.cpl.status : UINT16_MAX;
}

uint16_t rig_status_tail(uint16_t opcode, const void *payload, uint16_t len, uint16_t at)
{
	uint16_t status;

	rig.dirty = at + 1;
	status = rig_status(opcode, payload, len);
	rig.dirty = 0;
	return status;
}

const struct vktls_event *rig_event(void)
{
	struct vktls_event *event = (void *)(rig_at(RIG_EVTQ) + rig.evt_index * sizeof(*event));

	if (event->gen != rig.evt_gen)
		return NULL;
	rig.evt_index = (rig.evt_index + 1) % (1 << RIG_EVTQ_LOG2);
	if (!rig.evt_index)
		rig.evt_gen ^= VKTLS_GEN;
	return event;
}

bool rig_sram_has(const void *bytes, size_t n)
{
	const VkdevRv32 *cpu = vkdev_core_cpu(rig.core);

	return memmem(cpu->ram, cpu->ram_size, bytes, n) ||
	       memmem(cpu->x, sizeof(cpu->x), bytes, n);
}
