// SPDX-License-Identifier: GPL-2.0-only
/*
 * The saved state of the core: firmware continues from it, whenever it was saved, as if it had not
 * been interrupted; the state holds no key; any bytes in its place do no harm.
 */
#define _GNU_SOURCE	/* memmem() */
#include "fw_good.h"
#include "prng.h"

static uint8_t saved[VKDEV_CORE_SAVED], again[VKDEV_CORE_SAVED];

static bool has(const uint8_t *bytes, const uint8_t *what, size_t n)
{
	return memmem(bytes, sizeof(saved), what, n);
}

/* Save the core, overwrite it with other values, and restore it. */
static bool there_and_back(void)
{
	vkdev_core_save(rig.core, saved);
	vkdev_core_reset(rig.core);
	return vkdev_core_restore(rig.core, saved);
}

static void test_same_bytes(void)
{
	ktap_expect(there_and_back());
	vkdev_core_save(rig.core, again);
	ktap_expect_mem(again, saved, sizeof(saved));
}

static void test_goes_on(void)
{
	uint32_t beat = vkdev_core_heartbeat(rig.core), ctx = add_context();
	struct vktls_tls_ref ref = { .ctx = ctx };

	ktap_expect(there_and_back());
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_READY);
	ktap_expect(vkdev_core_heartbeat(rig.core) >= beat);
	ktap_expect_eq(rig_status(VKTLS_CMD_NOP, NULL, 0), VKTLS_ST_OK);
	ktap_expect_eq(rig_status(VKTLS_CMD_TLS_DEL, &ref, sizeof(ref)), VKTLS_ST_OK);
}

static void test_events_go_along(void)
{
	const VkdevCoreEvent event = { VKTLS_EVT_TLS_LOST, VKTLS_ST_OK, 7, 1 };
	const struct vktls_event *got;

	vkdev_core_event(rig.core, &event);
	ktap_expect(there_and_back());
	ktap_expect(rig_run());
	got = rig_event();
	ktap_expect(got && got->id == 7);
}

static void test_no_key(void)
{
	ktap_expect(add_context() != UINT32_MAX);
	vkdev_core_save(rig.core, saved);
	ktap_expect(!has(saved, key, 8));
}

/*
 * The core is saved after each number of instructions of a command with a key: the key is not in
 * the state.
 */
static void test_key_in_the_middle_of_work(void)
{
	struct vktls_tls_add add = tls_add(VKTLS_CIPHER_AES_256_GCM);
	struct vktls_cmd *cmd = (void *)rig_at(RIG_CMDQ);
	unsigned int busy = 0;

	*cmd = (struct vktls_cmd){ .opcode = VKTLS_CMD_TLS_ADD, .len = sizeof(add) };
	memcpy(cmd->payload, &add, sizeof(add));
	ktap_expect(vkdev_core_cmdq_doorbell(rig.core, 1));
	while (vkdev_core_run(rig.core, 1) && busy < RIG_BUDGET) {
		busy += rig_sram_has(key, 8);
		vkdev_core_save(rig.core, saved);
		if (has(saved, key, 8))
			break;
	}
	ktap_expect(!has(saved, key, 8));
	ktap_expect(busy > 0);	/* the key was in the core at times, and was left out */
}

/* Firmware crashes while it handles a command with a key: the key is not in the state. */
static void test_key_of_crashed_firmware(void)
{
	struct vktls_tls_add add = tls_add(VKTLS_CIPHER_AES_256_GCM);
	struct vktls_cmd *cmd = (void *)rig_at(RIG_CMDQ);

	*cmd = (struct vktls_cmd){ .opcode = VKTLS_CMD_TLS_ADD, .len = sizeof(add) };
	memcpy(cmd->payload, &add, sizeof(add));
	ktap_expect(vkdev_core_cmdq_doorbell(rig.core, 1));
	while (!rig_sram_has(key, 8) && vkdev_core_run(rig.core, 1))
		;
	ktap_expect(rig_sram_has(key, 8));
	ktap_expect(vkdev_core_crash(rig.core));
	ktap_expect(rig_run());
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_CRASHED);
	vkdev_core_save(rig.core, saved);
	ktap_expect(!has(saved, key, 8));
	ktap_expect(there_and_back());
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_CRASHED);
}

static void test_busy_core_has_crashed(void)
{
	ktap_expect(vkdev_core_cmdq_doorbell(rig.core, 1));
	vkdev_core_run(rig.core, 1);
	ktap_expect(there_and_back());
	ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_CRASHED);
	ktap_expect(!vkdev_core_run(rig.core, 100));
}

/* With any bytes as the saved state, the core is in reset or runs within its bounds. */
static void test_any_bytes(void)
{
	struct prng r = { .state = 2026 };

	vkdev_core_save(rig.core, saved);
	for (int i = 0; i < 3000; i++) {
		memcpy(again, saved, sizeof(again));
		for (size_t n = 1 + prng_below(&r, 8); n; n--)
			again[prng_below(&r, n % 2 ? 4096 : sizeof(again))] = prng_next(&r);
		if (!vkdev_core_restore(rig.core, again))
			ktap_expect_eq(vkdev_core_fw_state(rig.core), VKTLS_FW_NONE);
		vkdev_core_run(rig.core, 2000);
		vkdev_core_cmdq_doorbell(rig.core, 1);
		vkdev_core_run(rig.core, 2000);
	}
}

int main(void)
{
	RUN(test_same_bytes);
	RUN(test_goes_on);
	RUN(test_events_go_along);
	RUN(test_no_key);
	RUN(test_key_in_the_middle_of_work);
	RUN(test_key_of_crashed_firmware);
	RUN(test_busy_core_has_crashed);
	RUN(test_any_bytes);
	rig_fini();
	return ktap_finish();
}
