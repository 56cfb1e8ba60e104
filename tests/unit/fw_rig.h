/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The real firmware image on the interpreted core, between a host and a NIC
 * that are both made of plain memory. One rig at a time.
 */
#ifndef FW_RIG_H
#define FW_RIG_H

#include <stdio.h>

#include "le_abi.h"
#include "soc/core.h"

#define RIG_HOST_BASE	0x123456000000ull	/* needs the high words */
#define RIG_HOST_SIZE	0x100000u
#define RIG_CMDQ	(RIG_HOST_BASE + 0x1000)
#define RIG_CPLQ	(RIG_HOST_BASE + 0x2000)
#define RIG_EVTQ	(RIG_HOST_BASE + 0x3000)
#define RIG_BUF		(RIG_HOST_BASE + 0x8000)
#define RIG_IMAGE	(RIG_HOST_BASE + 0x20000)
#define RIG_CMDQ_LOG2	3
#define RIG_EVTQ_LOG2	4
#define RIG_QUEUES	4
#define RIG_CONTEXTS	6
#define RIG_MBPS	10000
#define RIG_BUDGET	1000000			/* instructions until "it hangs" */

struct rig_queue {
	bool live;
	VkdevCoreQueue cfg;
};

struct rig_tls {
	bool live;
	VkdevCoreTls tls;
};

/* What the mock NIC was told, and what it is to answer. */
struct rig {
	VkdevCore *core;
	uint8_t host[RIG_HOST_SIZE];
	uint64_t now;
	bool read_only;			/* host memory cannot be written */
	unsigned int kicks;
	unsigned int status_changes;
	unsigned int irqs[RIG_QUEUES + 1];
	unsigned int calls;		/* of operations that change the NIC */
	char trace[1 << 16];
	size_t trace_len;

	bool link;
	uint32_t port_flags;
	uint32_t mtu;
	uint8_t mac[6];
	uint8_t filters[VKTLS_MAC_FILTERS][6];
	uint32_t filter_count;
	struct vktls_rss_ctx rss[VKTLS_RSS_CONTEXTS];
	bool rss_live[VKTLS_RSS_CONTEXTS];
	struct vktls_flow_filter flow;	/* the last one that was set */
	uint32_t flow_place;		/* the last one that was set or deleted */
	struct rig_queue queues[2][RIG_QUEUES];
	struct rig_tls ctx[RIG_CONTEXTS];
	uint16_t refuse;		/* status of the next operation that has one */
	VkdevCoreTlsState state;	/* answer to a query */

	/* The host's side of the rings */
	uint32_t cmd_index;
	uint8_t cmd_gen;
	uint32_t evt_index;
	uint8_t evt_gen;
	uint32_t tag;
	uint16_t dirty;			/* 1 + byte to spoil in the next payload, or 0 */
	uint64_t cost;			/* instructions of the last command */
	struct vktls_cmd_cpl cpl;	/* of the last command */
};

extern struct rig rig;

/* A new core without firmware; the image from the build folder in memory. */
void rig_init(const VkdevCoreConfig *config);
void rig_fini(void);
extern const VkdevCoreConfig rig_config;

/* Firmware loaded and ready, rings set up. */
bool rig_boot(void);
uint32_t rig_image_len(void);
uint8_t *rig_at(uint64_t host);

/* Write the low size bytes of a value, little-endian, as all that the device reads is. */
void rig_put(void *to, uint64_t value, size_t size);

/* Run until firmware sleeps. False when it does not within the budget. */
bool rig_run(void);

/*
 * Post one command, run it, take its completion. False, with a diagnosis, when
 * there is no proper completion; else it is in rig.cpl.
 */
bool rig_cmd(uint16_t opcode, const void *payload, uint16_t len);
uint16_t rig_status(uint16_t opcode, const void *payload, uint16_t len);

/* The same with byte @at of the payload set, wherever it lies. */
uint16_t rig_status_tail(uint16_t opcode, const void *payload, uint16_t len, uint16_t at);

/* The next event that firmware delivered, or NULL; taken from the ring. */
const struct vktls_event *rig_event(void);

/* Whether the core's memory holds these bytes anywhere, or its registers do. */
bool rig_sram_has(const void *bytes, size_t n);

#endif
