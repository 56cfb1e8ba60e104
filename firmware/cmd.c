// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Commands: the table from opcode to handler, and the checks that all commands
 * share. A command that fails a check reaches no handler and changes nothing.
 */
#include "fw.h"

struct cmd_entry {
	u16 (*run)(const void *payload, void *answer);
	const char *name;	/* text for the log */
	u8 len;			/* payload, bytes */
	u8 answer_len;		/* answer, bytes */
};

static u16 cmd_nop(const void *payload, void *answer)
{
	return VKTLS_ST_OK;
}

#define CMD(fn, text, in, out) { .run = (fn), .name = (text), .len = (in), .answer_len = (out) }

/* Number of commands in the ABI version that this image follows. */
#define CMD_NUM		(FW_ABI_MINOR < 7 ? VKTLS_CMD_TLS_ADD_RX + 1 : \
			 FW_ABI_MINOR < 8 ? VKTLS_CMD_FLOW_DEL + 1 : \
			 FW_ABI_MINOR < 9 ? VKTLS_CMD_TLS_RESYNC_KEY + 1 : VKTLS_CMD_NUM)

static const struct cmd_entry cmd_table[VKTLS_CMD_NUM] = {
	[VKTLS_CMD_NOP] = CMD(cmd_nop, "nop", 0, 0),
	[VKTLS_CMD_CAPS] = CMD(port_caps, "caps", 0, sizeof(struct vktls_caps)),
	[VKTLS_CMD_PORT_SET] = CMD(port_set, "port set", sizeof(struct vktls_port_cfg), 0),
	[VKTLS_CMD_MAC_SET] = CMD(port_mac_set, "mac set", sizeof(struct vktls_mac), 0),
	[VKTLS_CMD_FILTER_SET] = CMD(port_filter_set, "filter set", sizeof(struct vktls_buf), 0),
	[VKTLS_CMD_LINK_GET] = CMD(port_link_get, "link get", 0, sizeof(struct vktls_link)),
	[VKTLS_CMD_RSS_SET] = CMD(port_rss_set, "rss set", sizeof(struct vktls_buf), 0),
	[VKTLS_CMD_QUEUE_CREATE] = CMD(port_queue_create, "queue create",
				       sizeof(struct vktls_queue_cfg), 0),
	[VKTLS_CMD_QUEUE_DESTROY] = CMD(port_queue_destroy, "queue destroy",
					sizeof(struct vktls_queue_ref), 0),
	[VKTLS_CMD_TLS_ADD] = CMD(ctx_add, "tls add", sizeof(struct vktls_tls_add),
				  sizeof(struct vktls_tls_ref)),
	[VKTLS_CMD_TLS_ADD_RX] = CMD(ctx_add_rx, "tls add rx", sizeof(struct vktls_tls_add_rx),
				     sizeof(struct vktls_tls_ref)),
	[VKTLS_CMD_TLS_DEL] = CMD(ctx_del, "tls del", sizeof(struct vktls_tls_ref), 0),
	[VKTLS_CMD_TLS_RESYNC] = CMD(ctx_resync, "tls resync",
				     sizeof(struct vktls_tls_resync), 0),
	[VKTLS_CMD_TLS_NEXT] = CMD(ctx_next_key, "tls next", sizeof(struct vktls_tls_next), 0),
	[VKTLS_CMD_TLS_RESYNC_KEY] = CMD(ctx_resync_key, "tls resync key",
					 sizeof(struct vktls_tls_resync_key), 0),
	[VKTLS_CMD_TLS_NEXT_TX] = CMD(ctx_next_key_tx, "tls next tx",
				      sizeof(struct vktls_tls_next_tx), 0),
	[VKTLS_CMD_TLS_KEY_DONE] = CMD(ctx_key_done, "tls key done",
				       sizeof(struct vktls_tls_key_ref), 0),
	[VKTLS_CMD_TLS_QUERY] = CMD(ctx_query, "tls query", sizeof(struct vktls_tls_ref),
				    sizeof(struct vktls_tls_state)),
	[VKTLS_CMD_STATS] = CMD(port_stats, "stats", sizeof(struct vktls_buf),
				FW_ABI_MINOR >= 6 ? sizeof(struct vktls_stats) : 0),
	[VKTLS_CMD_RSS_CTX_SET] = CMD(steer_rss_set, "rss ctx set", sizeof(struct vktls_buf), 0),
	[VKTLS_CMD_RSS_CTX_DEL] = CMD(steer_rss_del, "rss ctx del",
				      sizeof(struct vktls_rss_ref), 0),
	[VKTLS_CMD_FLOW_SET] = CMD(steer_flow_set, "flow set",
				   sizeof(struct vktls_flow_filter), 0),
	[VKTLS_CMD_FLOW_DEL] = CMD(steer_flow_del, "flow del", sizeof(struct vktls_flow_ref), 0),
	[VKTLS_CMD_LOG_READ] = CMD(log_read, "log read", sizeof(struct vktls_buf),
				   sizeof(struct vktls_log)),
};

/* True if all is zero after cmd->len bytes of payload; each length is a multiple of 4. */
static bool cmd_rest_is_zero(const struct vktls_cmd *cmd)
{
	const u32 *word = (const u32 *)(cmd->payload + cmd->len);
	const u32 *end = (const u32 *)(cmd->payload + sizeof(cmd->payload));

	while (word < end) {
		if (*word++)
			return false;
	}
	return true;
}

static u16 cmd_check(const struct vktls_cmd *cmd)
{
	if (cmd->opcode >= CMD_NUM)
		return VKTLS_ST_OPCODE;
	if (cmd->len != cmd_table[cmd->opcode].len)
		return VKTLS_ST_LENGTH;
	if (!cmd_rest_is_zero(cmd))
		return VKTLS_ST_RESERVED;
	return VKTLS_ST_OK;
}

/**
 * cmd_run() - check and execute one command
 * @cmd: copy of the host's command, not checked yet
 * @cpl: zeros; everything but head and gen is filled in
 */
void cmd_run(const struct vktls_cmd *cmd, struct vktls_cmd_cpl *cpl)
{
	u64 answer[sizeof(cpl->payload) / sizeof(u64)] = { 0 };
	const struct cmd_entry *entry;

	cpl->opcode = cmd->opcode;
	cpl->tag = cmd->tag;
	cpl->status = cmd_check(cmd);
	if (cpl->status) {
		log_value("cmd: refused, opcode", cmd->opcode);
		return;
	}
	entry = &cmd_table[cmd->opcode];
	cpl->status = entry->run(cmd->payload, answer);
	if (cpl->status) {
		log_value(entry->name, cpl->status);
		return;
	}
	cpl->len = entry->answer_len;
	memcpy(cpl->payload, answer, entry->answer_len);
}
