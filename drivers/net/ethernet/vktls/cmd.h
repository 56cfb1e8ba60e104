/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prototypes of the files that load firmware, run commands, and give commands
 * their meaning, except those of TLS.
 */
#ifndef VKTLS_CMD_H
#define VKTLS_CMD_H

#include <linux/types.h>

#include "vktls_abi.h"

struct vktls_dev;

/* Functions of fw.c */
#define FW_FILE			"vktls/vktls.fw"
/* Lowest minor version of the ABI that the driver is tried with. */
#define ABI_MINOR_MIN		5
bool vktls_abi_known(u32 abi);
u32 vktls_fw_store_info(struct vktls_dev *vd);
unsigned int vktls_fw_store_next(struct vktls_dev *vd);
int vktls_fw_read(struct vktls_dev *vd);
int vktls_fw_load(struct vktls_dev *vd);
void vktls_fw_forget_new(struct vktls_dev *vd);
void vktls_fw_free(struct vktls_dev *vd);
__printf(2, 3) void vktls_fw_note(struct vktls_dev *vd, const char *fmt, ...);
const char *vktls_status_name(unsigned int status);

/* Functions of cmd.c */

/* Outcome of a posted command; @arg as given to vktls_cmd_post(). */
typedef void (*vktls_cmd_done_t)(struct vktls_dev *vd, u32 arg, int err);

#define CMD_BUF_BYTES		4096
void vktls_cmdq_watch(struct vktls_dev *vd);
void vktls_cmdq_abort(struct vktls_dev *vd, int err);
int vktls_cmd_exec(struct vktls_dev *vd, u16 opcode, const void *req,
		   size_t req_len, void *rsp, size_t rsp_len);
int vktls_cmd_post(struct vktls_dev *vd, u16 opcode, const void *req,
		   size_t req_len, vktls_cmd_done_t call, u32 arg);
int vktls_cmd_defer(struct vktls_dev *vd, u16 opcode, const void *req,
		    size_t req_len, vktls_cmd_done_t call, u32 arg);
int vktls_cmd_exec_buf(struct vktls_dev *vd, u16 opcode, u32 arg, void *buf,
		       size_t len, void *rsp, size_t rsp_len);

/* Functions of cmdq.c */
int vktls_cmdq_alloc(struct vktls_dev *vd);
void vktls_cmdq_free(struct vktls_dev *vd);
int vktls_cmdq_start(struct vktls_dev *vd);
void vktls_cmdq_stop(struct vktls_dev *vd);

/* port.c: the meaning of commands that are not TLS */
int vktls_port_sync(struct vktls_dev *vd);
int vktls_port_set_up(struct vktls_dev *vd, bool up);
int vktls_port_mac_set(struct vktls_dev *vd, const u8 *addr);
int vktls_port_link_get(struct vktls_dev *vd, struct vktls_link *link);
void vktls_port_link_sync(struct vktls_dev *vd);
int vktls_port_stats_sync(struct vktls_dev *vd);
void vktls_port_stats_keep(struct vktls_dev *vd);
void vktls_port_event(struct vktls_dev *vd, const struct vktls_event *event);

#endif /* VKTLS_CMD_H */
