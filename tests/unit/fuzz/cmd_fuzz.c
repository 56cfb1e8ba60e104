// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target for the firmware's command handling, on the interpreted core. Each input
 * is a series of commands. Each command must be answered once, in order, with its own tag;
 * the firmware must neither crash nor run for long, and must be ready afterwards.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fw_rig.h"
#include "soc/core_priv.h"

#define STEP	16	/* bytes of input for the fixed part of one command */

static struct rig booted;
static VkdevCore core_booted;

/*
 * Restore the core to the state after boot. Firmware boots only once, before the first
 * input.
 */
static void begin(void)
{
	if (!booted.core) {
		rig_init(&rig_config);
		if (!rig_boot()) {
			fprintf(stderr, "cmd_fuzz: the firmware does not boot\n");
			abort();
		}
		booted = rig;
		core_booted = *rig.core;
	}
	rig = booted;
	*rig.core = core_booted;
}

/*
 * True if any eight bytes of the payload are an address inside the rings. Such a command is
 * not sent: it could overwrite its own completion.
 */
static bool hits_rings(const uint8_t *payload, size_t len)
{
	uint64_t addr;

	for (size_t at = 0; at + sizeof(addr) <= len; at++) {
		memcpy(&addr, payload + at, sizeof(addr));
		if (addr >= RIG_HOST_BASE && addr < RIG_BUF)
			return true;
	}
	return false;
}

/*
 * Send one command. Input: opcode, number of further payload bytes, length to state, flags
 * (one byte each), 12 bytes of payload, further payload. Return: bytes used.
 */
static size_t command(const uint8_t *in, size_t len)
{
	uint8_t payload[sizeof(((struct vktls_cmd *)0)->payload)] = { 0 };
	size_t more = in[1] % (sizeof(payload) - 12);
	uint64_t buf = RIG_BUF + in[2] * 64;
	uint16_t told;

	more = more < len - STEP ? more : len - STEP;
	memcpy(payload, in + 4, 12);
	memcpy(payload + 12, in + STEP, more);
	if (in[3] & 1)
		memcpy(payload, &buf, sizeof(buf));
	told = in[3] & 2 ? in[2] : 12 + more;
	rig.refuse = in[3] & 0x80 ? in[3] & 0x3f : 0;
	rig.link = in[3] & 4;
	rig.now += (uint64_t)(in[3] & 8) * 1000000000;
	if (!hits_rings(payload, sizeof(payload)) &&
	    !rig_cmd(in[0] % (VKTLS_CMD_NUM + 2), payload, told)) {
		fprintf(stderr, "cmd_fuzz: opcode %u was not answered\n", in[0]);
		abort();
	}
	return STEP + more;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t n;

	begin();
	for (; len >= STEP; data += n, len -= n)
		n = command(data, len);
	if (vkdev_core_fw_state(rig.core) != VKTLS_FW_READY) {
		fprintf(stderr, "cmd_fuzz: firmware is not ready any more\n");
		abort();
	}
	return 0;
}
