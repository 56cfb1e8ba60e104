/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * What the firmware's files call of each other, by owner, and the one way to
 * the block registers. The core is little-endian like the ABI, so that ABI
 * structures are read and written as they are.
 */
#ifndef FW_H
#define FW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "soc.h"
#include "vktls_abi.h"

typedef __UINT8_TYPE__ u8;
typedef __UINT16_TYPE__ u16;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BIT(n)		(1u << (n))

static inline u32 io_read(u32 reg)
{
	u32 value;

	asm volatile("lw %0, 0(%1)" : "=r"(value) : "r"(reg) : "memory");
	return value;
}

/* The memory clobber: SRAM that the block reads or writes is up to date. */
static inline void io_write(u32 reg, u32 value)
{
	asm volatile("sw %0, 0(%1)" : : "r"(value), "r"(reg) : "memory");
}

/* link.ld: the addresses of these are the numbers */
extern const u8 fw_body_len[], fw_entry[];

/* main.c: link.ld puts it before everything else */
extern const struct vktls_fw_header fw_header;

/* start.S */
void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);

/* mbox.c: the host's rings, and all access to host memory */
void mbox_init(void);
void mbox_poll(void);
u16 mbox_host_read(void *dst, u64 host, u32 len);
u16 mbox_host_write(u64 host, const void *src, u32 len);

/* cmd.c: opcode to handler */
void cmd_run(const struct vktls_cmd *cmd, struct vktls_cmd_cpl *cpl);

/*
 * Handlers. @payload has the length that the command's table entry states, is
 * aligned to 8 bytes, and bytes after it are known to be zero. @answer is zero
 * and has room for the entry's answer; it leaves only with VKTLS_ST_OK.
 */

/* conn.c: TLS contexts */
void conn_init(void);
u32 conn_capacity(void);
u16 conn_add(const void *payload, void *answer);
u16 conn_add_rx(const void *payload, void *answer);
u16 conn_del(const void *payload, void *answer);
u16 conn_resync(const void *payload, void *answer);
u16 conn_query(const void *payload, void *answer);

/* port.c: identity, port, queues, counters */
u16 port_caps(const void *payload, void *answer);
u16 port_set(const void *payload, void *answer);
u16 port_mac_set(const void *payload, void *answer);
u16 port_filter_set(const void *payload, void *answer);
u16 port_link_get(const void *payload, void *answer);
u16 port_rss_set(const void *payload, void *answer);
u16 port_queue_create(const void *payload, void *answer);
u16 port_queue_destroy(const void *payload, void *answer);
u16 port_stats(const void *payload, void *answer);

/* log.c: text that outlives the moment; never of a payload */
void log_value(const char *what, u32 value);
void log_fatal(u32 cause, u32 pc, u32 tval);
u16 log_read(const void *payload, void *answer);

#endif /* FW_H */
