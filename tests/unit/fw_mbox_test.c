// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rings between host and firmware, events, heartbeat and the end of firmware:
 * wrap-around, batches, rings that are not in host memory, loss of events, reset and crash.
 * At the end, many random commands: each must be completed, and firmware must not stop.
 */
#include "fw_good.h"
#include "prng.h"

#define CMDS	(1u << RIG_CMDQ_LOG2)
#define EVENTS	(1u << RIG_EVTQ_LOG2)
#define FIFO	64	/* events that can wait in the device */

static void send_event(uint32_t n)
{
	VkdevCoreEvent event = { VKTLS_EVT_TX_ERROR, VKTLS_ST_TX_DESC, 0x80000000 + n, ~n };

	vkdev_core_event(rig.core, &event);
}

static bool event_is(const struct vktls_event *e, uint32_t n)
{
	return e && e->type == VKTLS_EVT_TX_ERROR && e->status == VKTLS_ST_TX_DESC &&
	       e->id == 0x80000000 + n && e->arg == ~n && !e->reserved[0] && !e->reserved[2];
}

/*
 * Over several laps of the ring, rig_cmd() checks slot, head, tag and generation of each
 * completion.
 */
static void test_laps(void)
{
	for (unsigned int i = 0; i < 5 * CMDS + 3; i++)
		ktap_expect_eq(rig_status(VKTLS_CMD_NOP, NULL, 0), VKTLS_ST_OK);
}

/* The largest number of outstanding commands: one doorbell and one interrupt. */
static void test_batch(void)
{
	struct vktls_cmd cmds[CMDS - 1] = { 0 };
	struct vktls_cmd_cpl cpl;

	for (unsigned int i = 0; i < CMDS - 1; i++)
		cmds[i].tag = 0x1000 + i;
	memcpy(rig_at(RIG_CMDQ), cmds, sizeof(cmds));
	ktap_expect(vkdev_core_cmdq_doorbell(rig.core, CMDS - 1) && rig_run());
	for (unsigned int i = 0; i < CMDS - 1; i++) {
		memcpy(&cpl, rig_at(RIG_CPLQ) + i * sizeof(cpl), sizeof(cpl));
		ktap_expect_eq(cpl.gen, VKTLS_GEN);
		ktap_expect_eq(cpl.tag, 0x1000 + i);
		ktap_expect_eq(cpl.head, i + 1);
	}
	ktap_expect_eq(rig.irqs[VKTLS_VEC_ASYNC], 1);
	ktap_expect(!rig_at(RIG_CPLQ)[(CMDS - 1) * sizeof(cpl) + sizeof(cpl) - 1]);
}

static void test_doorbell_range(void)
{
	ktap_expect(!vkdev_core_cmdq_doorbell(rig.core, CMDS));
	ktap_expect(!vkdev_core_cmdq_doorbell(rig.core, 0xffffffff));
	ktap_expect(!vkdev_core_evtq_head(rig.core, EVENTS));
	ktap_expect(rig_run());
	ktap_expect_eq(rig.irqs[VKTLS_VEC_ASYNC], 0);
	ktap_expect(vkdev_core_cmdq_set(rig.core, 0, 0, 0));
	ktap_expect(!vkdev_core_cmdq_doorbell(rig.core, 0));
	ktap_expect(vkdev_core_evtq_set(rig.core, 0, 0));
	ktap_expect(!vkdev_core_evtq_head(rig.core, 0));
}

static void test_ring_range(void)
{
	ktap_expect(!vkdev_core_cmdq_set(rig.core, RIG_CMDQ, RIG_CPLQ, VKTLS_CMDQ_MIN_LOG2 - 1));
	ktap_expect(!vkdev_core_cmdq_set(rig.core, RIG_CMDQ, RIG_CPLQ, VKTLS_CMDQ_MAX_LOG2 + 1));
	ktap_expect(!vkdev_core_cmdq_set(rig.core, RIG_CMDQ + 32, RIG_CPLQ, 3));
	ktap_expect(!vkdev_core_cmdq_set(rig.core, RIG_CMDQ, RIG_CPLQ + 1, 3));
	ktap_expect(!vkdev_core_cmdq_doorbell(rig.core, 1));
	ktap_expect(!vkdev_core_evtq_set(rig.core, RIG_EVTQ, VKTLS_EVTQ_MIN_LOG2 - 1));
	ktap_expect(!vkdev_core_evtq_set(rig.core, RIG_EVTQ, VKTLS_EVTQ_MAX_LOG2 + 1));
	ktap_expect(!vkdev_core_evtq_set(rig.core, RIG_EVTQ + 16, 4));
	ktap_expect(rig_run());
}

/* A ring that is set up again begins at index 0, with the generation of a first lap. */
static void test_ring_again(void)
{
	for (unsigned int i = 0; i < CMDS + 2; i++)
		rig_status(VKTLS_CMD_NOP, NULL, 0);
	memset(rig_at(RIG_CPLQ), 0, CMDS * sizeof(struct vktls_cmd_cpl));
	ktap_expect(vkdev_core_cmdq_set(rig.core, RIG_CMDQ, RIG_CPLQ, RIG_CMDQ_LOG2));
	ktap_expect(rig_run());
	ktap_expect(!rig_at(RIG_CPLQ)[sizeof(struct vktls_cmd_cpl) - 1]);
	rig.cmd_index = 0;
	rig.cmd_gen = VKTLS_GEN;
	ktap_expect_eq(rig_status(VKTLS_CMD_NOP, NULL, 0), VKTLS_ST_OK);
}

/* A command that cannot be fetched is completed with an error. */
static void test_command_not_in_memory(void)
{
	struct vktls_cmd_cpl cpl;

	ktap_expect(vkdev_core_cmdq_set(rig.core, 0x40, RIG_CPLQ, RIG_CMDQ_LOG2));
	ktap_expect(vkdev_core_cmdq_doorbell(rig.core, 1) && rig_run());
	memcpy(&cpl, rig_at(RIG_CPLQ), sizeof(cpl));
	ktap_expect_eq(cpl.status, VKTLS_ST_DMA);
	ktap_expect_eq(cpl.opcode, 0);
	ktap_expect_eq(cpl.tag, 0);
	ktap_expect_eq(cpl.head, 1);
	ktap_expect_eq(cpl.gen, VKTLS_GEN);
}

/* Advance the time to the next heartbeat, when firmware repeats writes that failed. */
static bool beat(void)
{
	rig.now = vkdev_core_deadline(rig.core);
	return rig_run();
}

/*
 * Completions cannot be written: this is logged once, and commands work again after a new
 * ring is set up.
 */
static void test_completion_not_in_memory(void)
{
	ktap_expect(vkdev_core_cmdq_set(rig.core, RIG_CMDQ, 0x40, RIG_CMDQ_LOG2));
	ktap_expect(vkdev_core_cmdq_doorbell(rig.core, 1) && rig_run());
	ktap_expect(strstr(rig.trace, "mbox: ring cannot be written, slot 0x0"));
	ktap_expect_eq(rig.irqs[VKTLS_VEC_ASYNC], 0);
	rig.trace_len = 0;
	memset(rig.trace, 0, sizeof(rig.trace));
	ktap_expect(beat());
	ktap_expect(!strstr(rig.trace, "mbox"));
	ktap_expect(vkdev_core_cmdq_set(rig.core, RIG_CMDQ, RIG_CPLQ, RIG_CMDQ_LOG2));
	ktap_expect_eq(rig_status(VKTLS_CMD_NOP, NULL, 0), VKTLS_ST_OK);
}

/*
 * Host memory cannot be written for a while: no completion is skipped, commands stay in
 * order, and none is executed twice.
 */
static void test_completion_waits(void)
{
	struct vktls_tls_add add = tls_add(VKTLS_CIPHER_AES_256_GCM);
	struct vktls_cmd cmds[3] = { 0 };
	struct vktls_cmd_cpl cpl;

	for (unsigned int i = 0; i < 3; i++) {
		cmds[i] = (struct vktls_cmd){ .opcode = VKTLS_CMD_TLS_ADD, .len = sizeof(add),
					      .tag = 0x1000 + i };
		memcpy(cmds[i].payload, &add, sizeof(add));
	}
	memcpy(rig_at(RIG_CMDQ), cmds, sizeof(cmds));
	rig.read_only = true;
	ktap_expect(vkdev_core_cmdq_doorbell(rig.core, 3) && rig_run());
	for (int i = 0; i < 3; i++)
		ktap_expect(beat());
	ktap_expect(rig.ctx[0].live && !rig.ctx[1].live);
	ktap_expect_eq(rig.irqs[VKTLS_VEC_ASYNC], 0);
	rig.read_only = false;
	ktap_expect(beat());
	for (unsigned int i = 0; i < 3; i++) {
		memcpy(&cpl, rig_at(RIG_CPLQ) + i * sizeof(cpl), sizeof(cpl));
		ktap_expect_eq(cpl.gen, VKTLS_GEN);
		ktap_expect_eq(cpl.tag, 0x1000 + i);
		ktap_expect_eq(cpl.head, i + 1);
		ktap_expect_eq(((struct vktls_tls_ref *)cpl.payload)->ctx, i);
	}
	ktap_expect(rig.ctx[2].live && !rig.ctx[3].live);
	ktap_expect_eq(rig.irqs[VKTLS_VEC_ASYNC], 1);
}

static void test_events(void)
{
	VkdevCoreEvent link = { .type = VKTLS_EVT_LINK, .arg = 1 };
	const struct vktls_event *e;

	vkdev_core_event(rig.core, &link);
	ktap_expect(rig_run());
	ktap_expect_eq(rig.irqs[VKTLS_VEC_ASYNC], 1);
	e = rig_event();
	if (ktap_expect(e))
		ktap_expect(e->type == VKTLS_EVT_LINK && e->arg == 1 && !e->id && !e->status);
	for (uint32_t n = 0; n < 5 * EVENTS; n++) {
		send_event(n);
		ktap_expect(rig_run());
		ktap_expect(event_is(rig_event(), n));
		ktap_expect(!rig_event());
		ktap_expect(vkdev_core_evtq_head(rig.core, rig.evt_index));
	}
}

/*
 * If the ring is full, events wait in the device, and follow when the host has read some.
 */
static void test_events_wait(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < EVENTS - 1 + 10; i++)
		send_event(i);
	ktap_expect(rig_run());
	while (event_is(rig_event(), n))
		n++;
	ktap_expect_eq(n, EVENTS - 1);
	ktap_expect(vkdev_core_evtq_head(rig.core, rig.evt_index) && rig_run());
	while (event_is(rig_event(), n))
		n++;
	ktap_expect_eq(n, EVENTS - 1 + 10);
	ktap_expect_eq(vkdev_core_events_lost(rig.core), 0);
}

/*
 * If the ring and the device are full, events are lost. Their number is counted, and
 * reported in the place of the lost events.
 */
static void test_events_lost(void)
{
	const struct vktls_event *e;
	uint32_t n = 0;

	for (uint32_t i = 0; i < EVENTS - 1; i++)
		send_event(i);
	ktap_expect(rig_run());
	for (uint32_t i = 0; i < FIFO + 7; i++)
		send_event(EVENTS - 1 + i);
	ktap_expect_eq(vkdev_core_events_lost(rig.core), 7);
	do {
		while (event_is(e = rig_event(), n))
			n++;
		if (e)
			break;
		if (!ktap_expect(vkdev_core_evtq_head(rig.core, rig.evt_index) && rig_run()))
			return;
	} while (n < EVENTS - 1 + FIFO);
	if (!e)
		e = rig_event();
	ktap_expect_eq(n, EVENTS - 1 + FIFO);
	ktap_expect(e && e->type == VKTLS_EVT_OVERFLOW && e->arg == 7);
	ktap_expect(vkdev_core_evtq_head(rig.core, rig.evt_index) && rig_run());
	send_event(1);
	ktap_expect(rig_run() && event_is(rig_event(), 1));
}

static void test_events_before_set_up(void)
{
	const struct vktls_event *e;

	ktap_expect(vkdev_core_evtq_set(rig.core, 0, 0));
	send_event(1);
	send_event(2);
	ktap_expect(rig_run());
	ktap_expect_eq(vkdev_core_events_lost(rig.core), 2);
	ktap_expect(vkdev_core_evtq_set(rig.core, RIG_EVTQ, RIG_EVTQ_LOG2) && rig_run());
	ktap_expect(!rig_event());
	send_event(3);
	ktap_expect(rig_run());
	e = rig_event();
	ktap_expect(e && e->type == VKTLS_EVT_OVERFLOW && e->arg == 2);
	ktap_expect(event_is(rig_event(), 3));
}

static void test_event_ring_not_in_memory(void)
{
	ktap_expect(vkdev_core_evtq_set(rig.core, 0x40, RIG_EVTQ_LOG2));
	send_event(1);
	ktap_expect(rig_run());
	ktap_expect(strstr(rig.trace, "mbox: ring cannot be written, slot 0x0"));
	ktap_expect_eq(rig_status(VKTLS_CMD_NOP, NULL, 0), VKTLS_ST_OK);
	ktap_expect(vkdev_core_evtq_set(rig.core, RIG_EVTQ, RIG_EVTQ_LOG2) && rig_run());
	ktap_expect(event_is(rig_event(), 1));
}

/*
 * Events wait in the device while the host's ring cannot be written, as they do while it is
 * full.
 */
static void test_events_wait_for_memory(void)
{
	const struct vktls_event *e;
	uint32_t n = 0;

	rig.read_only = true;
	for (uint32_t i = 0; i < FIFO + 3; i++)
		send_event(i);
	ktap_expect(rig_run() && beat());
	ktap_expect_eq(rig.irqs[VKTLS_VEC_ASYNC], 0);
	ktap_expect_eq(vkdev_core_events_lost(rig.core), 3);
	rig.read_only = false;
	ktap_expect(beat());
	ktap_expect_eq(rig.irqs[VKTLS_VEC_ASYNC], 1);
	for (unsigned int lap = 0; lap < FIFO; lap++) {
		while (event_is(e = rig_event(), n))
			n++;
		if (e)
			break;
		ktap_expect(vkdev_core_evtq_head(rig.core, rig.evt_index) && rig_run());
	}
	ktap_expect_eq(n, FIFO);
	ktap_expect(e && e->type == VKTLS_EVT_OVERFLOW && e->arg == 3);
}

/* Firmware sleeps until its timer, and the heartbeat steps at least once a second. */
static void test_heartbeat(void)
{
	uint32_t before = vkdev_core_heartbeat(rig.core);
	uint64_t start = rig.now;

	ktap_expect(before != 0);
	for (uint32_t i = 1; i <= 10; i++) {
		ktap_expect(vkdev_core_deadline(rig.core) > rig.now);
		ktap_expect(rig_run());
		ktap_expect_eq(vkdev_core_heartbeat(rig.core), before + i - 1);
		rig.now = vkdev_core_deadline(rig.core);
		ktap_expect(rig_run());
		ktap_expect_eq(vkdev_core_heartbeat(rig.core), before + i);
	}
	ktap_expect((rig.now - start) / 10 < 1000000000ull);
}

static void test_idle_is_idle(void)
{
	uint64_t cycles = vkdev_core_cpu(rig.core)->mcycle;
	unsigned int kicks = rig.kicks;

	ktap_expect(!vkdev_core_run(rig.core, 1000));
	ktap_expect_eq(vkdev_core_cpu(rig.core)->mcycle, cycles);
	send_event(1);
	ktap_expect_eq(rig.kicks, kicks + 1);
	ktap_expect(vkdev_core_cmdq_doorbell(rig.core, 0));
	ktap_expect_eq(rig.kicks, kicks + 2);
}

static void test_reset(void)
{
	uint8_t payload[120];
	uint16_t len = good_payload(VKTLS_CMD_TLS_ADD, payload);
	static const uint8_t zero[SOC_SRAM_SIZE];

	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD, payload, len), VKTLS_ST_OK);
	send_event(1);
	vkdev_core_reset(rig.core);
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_NONE);
	ktap_expect_eq(vkdev_core_fw_version(rig.core), 0);
	ktap_expect_eq(vkdev_core_heartbeat(rig.core), 0);
	ktap_expect_eq(vkdev_core_deadline(rig.core), UINT64_MAX);
	ktap_expect_mem(vkdev_core_cpu(rig.core)->ram, zero, sizeof(zero));
	ktap_expect(!vkdev_core_run(rig.core, 1000));
	ktap_expect(!vkdev_core_cmdq_doorbell(rig.core, 1));
	memset(rig_at(RIG_CPLQ), 0, CMDS * sizeof(struct vktls_cmd_cpl));
	rig.cmd_index = 0;
	rig.cmd_gen = VKTLS_GEN;
	rig.ctx[0].live = false;
	rig.place = 0;
	ktap_expect(rig_boot());
	ktap_expect(!rig_event());
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_ADD, payload, len), VKTLS_ST_OK);
	ktap_expect_eq(((struct vktls_tls_ref *)rig.cpl.payload)->ctx, 0);
}

/* An illegal instruction in firmware: it logs the trap and stops for good. */
static void test_crash(void)
{
	const VkdevRv32 *cpu = vkdev_core_cpu(rig.core);
	unsigned int changes = rig.status_changes;

	memset(cpu->ram + (cpu->pc - cpu->ram_base), 0, 4);
	send_event(1);
	ktap_expect(rig_run());
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_CRASHED);
	ktap_expect_eq(rig.status_changes, changes + 1);
	ktap_expect_eq(rig.irqs[VKTLS_VEC_ASYNC], 1);
	ktap_expect(strstr(rig.trace, "fatal: trap 0x2\n"));
	ktap_expect_eq(cpu->mcause, VKDEV_RV32_ILLEGAL);
	ktap_expect_eq(vkdev_core_load(rig.core, RIG_IMAGE, rig_image_len()), VKTLS_ST_STATE);
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_CRASHED);
	ktap_expect(vkdev_core_cmdq_doorbell(rig.core, 1) && !vkdev_core_run(rig.core, 1000));
	ktap_expect_eq(vkdev_core_deadline(rig.core), UINT64_MAX);
}

/* No command uses more than half of 8 KiB of stack. */
static void test_stack(void)
{
	const VkdevRv32 *cpu = vkdev_core_cpu(rig.core);
	const uint32_t top = SOC_SRAM_SIZE - 0x400, depth = 0x2000;

	for (uint16_t opcode = 0; opcode < VKTLS_CMD_NUM; opcode++) {
		uint8_t payload[120];
		uint16_t len = good_payload(opcode, payload);

		ktap_expect(rig_cmd(opcode, payload, len));
	}
	for (uint32_t i = top - depth; i < top - depth / 2; i++)
		ktap_expect_eq(cpu->ram[i], 0);
}

/* Random commands with right and wrong fields, over many laps of the ring. */
static void test_random(void)
{
	struct prng r = { .state = 20261123 };
	uint8_t payload[120];
	unsigned int ok = 0;
	uint16_t opcode, len;

	for (int i = 0; i < 30000; i++) {
		opcode = prng_below(&r, VKTLS_CMD_NUM + 1);
		len = opcode < VKTLS_CMD_NUM ? good_payload(opcode, payload) : 8;
		for (size_t n = prng_below(&r, 3); n && len; n--)
			payload[prng_below(&r, len)] = prng_below(&r, 2) ? prng_next(&r) : 0;
		rig.refuse = prng_below(&r, 16) ? VKTLS_ST_OK : VKTLS_ST_STATE;
		if (!rig_cmd(opcode, payload, len)) {
			ktap_expect(false);
			return;
		}
		ok += !rig.cpl.status;
	}
	ktap_expect(ok > 3000 && ok < 27000);
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_READY);
}

int main(void)
{
	ktap_start();
	RUN(test_laps);
	RUN(test_batch);
	RUN(test_doorbell_range);
	RUN(test_ring_range);
	RUN(test_ring_again);
	RUN(test_command_not_in_memory);
	RUN(test_completion_not_in_memory);
	RUN(test_completion_waits);
	RUN(test_events);
	RUN(test_events_wait);
	RUN(test_events_lost);
	RUN(test_events_before_set_up);
	RUN(test_event_ring_not_in_memory);
	RUN(test_events_wait_for_memory);
	RUN(test_heartbeat);
	RUN(test_idle_is_idle);
	RUN(test_reset);
	RUN(test_crash);
	RUN(test_stack);
	RUN(test_random);
	rig_fini();
	return ktap_finish();
}
