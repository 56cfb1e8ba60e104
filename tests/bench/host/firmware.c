// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cost of each command in instructions of the embedded core, counted by the
 * core while it runs the real image, and the number of commands per second
 * that the interpreter executes. Output lines:
 *
 *	COMMAND INSTRUCTIONS COMMANDS_PER_SECOND
 */
#include "../../unit/fw_good.h"
#include "clock.h"

#define REPEATS	2000

static const char * const names[VKTLS_CMD_NUM] = {
	[VKTLS_CMD_NOP] = "nop",
	[VKTLS_CMD_CAPS] = "caps",
	[VKTLS_CMD_PORT_SET] = "port_set",
	[VKTLS_CMD_MAC_SET] = "mac_set",
	[VKTLS_CMD_FILTER_SET] = "filter_set",
	[VKTLS_CMD_LINK_GET] = "link_get",
	[VKTLS_CMD_RSS_SET] = "rss_set",
	[VKTLS_CMD_QUEUE_CREATE] = "queue_create",
	[VKTLS_CMD_QUEUE_DESTROY] = "queue_destroy",
	[VKTLS_CMD_TLS_ADD] = "tls_add",
	[VKTLS_CMD_TLS_DEL] = "tls_del",
	[VKTLS_CMD_TLS_RESYNC] = "tls_resync",
	[VKTLS_CMD_TLS_QUERY] = "tls_query",
	[VKTLS_CMD_STATS] = "stats",
	[VKTLS_CMD_LOG_READ] = "log_read",
	[VKTLS_CMD_TLS_ADD_RX] = "tls_add_rx",
};

static uint32_t last_ctx;	/* context made by the last TLS_ADD */

/*
 * Command that undoes @opcode, so that @opcode can be sent again;
 * VKTLS_CMD_NUM if none is needed.
 */
static uint16_t undo_of(uint16_t opcode)
{
	switch (opcode) {
	case VKTLS_CMD_QUEUE_CREATE:
		return VKTLS_CMD_QUEUE_DESTROY;
	case VKTLS_CMD_QUEUE_DESTROY:
		return VKTLS_CMD_QUEUE_CREATE;
	case VKTLS_CMD_TLS_ADD:
	case VKTLS_CMD_TLS_ADD_RX:
		return VKTLS_CMD_TLS_DEL;
	case VKTLS_CMD_TLS_DEL:
		return VKTLS_CMD_TLS_ADD;
	default:
		return VKTLS_CMD_NUM;
	}
}

static bool run(uint16_t opcode)
{
	uint8_t payload[120];
	uint16_t len = good_payload(opcode, payload);
	uint16_t status;

	if (opcode >= VKTLS_CMD_TLS_DEL && opcode <= VKTLS_CMD_TLS_QUERY)
		memcpy(payload, &last_ctx, sizeof(last_ctx));
	status = rig_status(opcode, payload, len);
	if (opcode == VKTLS_CMD_TLS_ADD || opcode == VKTLS_CMD_TLS_ADD_RX)
		memcpy(&last_ctx, rig.cpl.payload, sizeof(last_ctx));
	return status == VKTLS_ST_OK;
}

static bool measure(uint16_t opcode)
{
	uint16_t undo = undo_of(opcode);
	uint64_t start, best = 0, cost = 0;
	unsigned int i;

	rig_init(&rig_config);
	if (!rig_boot())
		return false;
	/* Create the queue or context that the command is about. */
	if (opcode == VKTLS_CMD_QUEUE_DESTROY)
		run(VKTLS_CMD_QUEUE_CREATE);
	else if (opcode != VKTLS_CMD_TLS_ADD)
		run(VKTLS_CMD_TLS_ADD);
	for (i = 0; i < REPEATS; i++) {
		start = clock_ns();
		if (!run(opcode))
			return false;
		clock_best(&best, clock_ns() - start);
		if (rig.cost > cost)
			cost = rig.cost;
		if (undo < VKTLS_CMD_NUM && !run(undo))
			return false;
	}
	printf("%s %llu %.0f\n", names[opcode], (unsigned long long)cost, 1e9 / best);
	return true;
}

int main(void)
{
	uint16_t opcode;

	for (opcode = 0; opcode < VKTLS_CMD_NUM; opcode++) {
		if (names[opcode] && !measure(opcode)) {
			fprintf(stderr, "bench: %s failed: status %u\n", names[opcode],
				rig.cpl.status);
			return 1;
		}
	}
	return 0;
}
