// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer's entrance to the firmware's command parser, on the interpreted core: each
 * input is a series of commands. Each is answered once, in order, with its own tag; the
 * firmware neither crashes nor runs for long, and is ready afterwards.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fw_rig.h"
#include "soc/core_priv.h"

#define STEP	16	/* bytes of input for the head of one command */

static struct rig booted;
static VkdevCore core_booted;

/* The firmware boots once; each input begins with its memory of then. */
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

/* No buffer may lie over the rings, of which nothing could be told then. */
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
 * in: 1 opcode, 1 bytes of payload in the input, 1 length that is told, 1 what else,
 * 12 the beginning of the payload, then the rest of it. Return: bytes taken.
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
