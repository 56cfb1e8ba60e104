/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * The firmware's functions by owner, and access to the block registers. The core
 * is little-endian like the ABI, so ABI structures need no conversion.
 */
#ifndef FW_H
#define FW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "soc.h"
#include "vktls_abi.h"

/* The minor version that this image follows: the Makefile can choose an older one. */
#ifndef FW_ABI_MINOR
#define FW_ABI_MINOR	VKTLS_ABI_MINOR
#endif
#if FW_ABI_MINOR < 5 || FW_ABI_MINOR > VKTLS_ABI_MINOR
#error "ABI_MINOR is no version that this firmware can follow"
#endif

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

/*
 * Write a block register. The memory clobber has the compiler store variables to SRAM
 * before, and read them again after, because the block may access SRAM.
 */
static inline void io_write(u32 reg, u32 value)
{
	asm volatile("sw %0, 0(%1)" : : "r"(value), "r"(reg) : "memory");
}

/* Read a pair of registers. The low word is read first, which latches a clock's high word. */
static inline u64 io_read64(u32 reg)
{
	u64 lo = io_read(reg);

	return lo | (u64)io_read(reg + 4) << 32;
}

/* Copy @n bytes, a multiple of 4 and aligned to 4, to a window of words. */
static inline void io_write_words(u32 reg, const void *bytes, u32 n)
{
	const u32 *word = bytes;

	for (u32 i = 0; i < n; i += 4)
		io_write(reg + i, *word++);
}

static inline bool is_zero(const u8 *bytes, u32 n)
{
	u8 any = 0;

	while (n--)
		any |= bytes[n];
	return !any;
}

/* link.ld: symbols; their addresses are the values */
extern const u8 fw_body_len[], fw_entry[];

/* Functions of main.c: start of the image, placed by link.ld */
extern const struct vktls_fw_header fw_header;

/* Functions of start.S */
void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);

/* Functions of mbox.c: the host's rings, and host memory */
void mbox_init(void);
void mbox_poll(void);
u16 mbox_host_read(void *dst, u64 host, u32 len);
u16 mbox_host_write(u64 host, const void *src, u32 len);

/* Functions of cmd.c: checks and dispatch */
void cmd_run(const struct vktls_cmd *cmd, struct vktls_cmd_cpl *cpl);

/*
 * Handlers. @payload has the length of the command's table entry, is aligned to 8
 * bytes, and is followed by zeros. @answer is zero, has room for the entry's answer,
 * and is sent to the host with VKTLS_ST_OK only. Return: VKTLS_ST_*.
 */

/* Functions of ctx.c: TLS contexts */
u16 ctx_add(const void *payload, void *answer);
u16 ctx_add_rx(const void *payload, void *answer);
u16 ctx_del(const void *payload, void *answer);
u16 ctx_resync(const void *payload, void *answer);
u16 ctx_resync_key(const void *payload, void *answer);
u16 ctx_next_key_tx(const void *payload, void *answer);
u16 ctx_key_done(const void *payload, void *answer);
u16 ctx_next_key(const void *payload, void *answer);
u16 ctx_query(const void *payload, void *answer);

/* Functions of port.c: identity, port, queues, counters */
u16 port_caps(const void *payload, void *answer);
u16 port_set(const void *payload, void *answer);
u16 port_mac_set(const void *payload, void *answer);
u16 port_filter_set(const void *payload, void *answer);
u16 port_link_get(const void *payload, void *answer);
u16 port_rss_set(const void *payload, void *answer);
u16 port_queue_create(const void *payload, void *answer);
u16 port_queue_destroy(const void *payload, void *answer);
u16 port_stats(const void *payload, void *answer);

/* Functions of steer.c: RSS contexts, flow filters */
u16 steer_rss_set(const void *payload, void *answer);
u16 steer_rss_del(const void *payload, void *answer);
u16 steer_flow_set(const void *payload, void *answer);
u16 steer_flow_del(const void *payload, void *answer);

/* Functions of log.c: text for the host and the trace; never part of a payload */
void log_value(const char *text, u32 value);
void log_fatal(u32 cause, u32 pc, u32 tval);
u16 log_read(const void *payload, void *answer);

#endif /* FW_H */
