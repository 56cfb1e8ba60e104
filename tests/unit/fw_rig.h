/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The real firmware image on the interpreted core, between a mock host and a mock NIC.
 * There is one rig at a time.
 */
#ifndef FW_RIG_H
#define FW_RIG_H

#include <stdio.h>

#include "le_abi.h"
#include "soc/core.h"

#define RIG_HOST_BASE	0x123456000000ull	/* not zero above bit 32 */
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
#define RIG_BUDGET	1000000 /* instructions after which firmware counts as hung */

struct rig_queue {
	bool live;
	VkdevCoreQueue cfg;
};

struct rig_tls {
	bool live;
	VkdevCoreTls tls;
};

/* Calls to the mock NIC, and its answers. */
struct rig {
	VkdevCore *core;
	uint8_t host[RIG_HOST_SIZE];
	uint64_t now;
	bool read_only;			/* host memory cannot be written */
	unsigned int kicks;
	unsigned int status_changes;
	unsigned int irqs[RIG_QUEUES + 1];
	unsigned int calls;		/* number of calls that change the NIC */
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
	struct vktls_flow_filter flow;	/* filter of the last FLOW_SET */
	uint32_t flow_place;		/* place of the last FLOW_SET or FLOW_DEL */
	struct rig_queue queues[2][RIG_QUEUES];
	struct rig_tls ctx[RIG_CONTEXTS];
	uint32_t places;		/* of the table of contexts */
	uint32_t place;			/* at which the search of a free one begins */
	uint16_t refuse;		/* status of the next call that returns one */
	VkdevCoreTlsState state;	/* answer to a query */
	uint8_t store[VKDEV_CORE_STORE];
	unsigned int store_writes;	/* number of writes to the store */
	unsigned int store_dies_at;	/* write of the store that only half succeeds, or 0 */
	bool store_unreadable;

	/* State of the rings on the host's side. */
	uint32_t cmd_index;
	uint8_t cmd_gen;
	uint32_t evt_index;
	uint8_t evt_gen;
	uint32_t tag;
	uint16_t dirty; /* 1 + offset of a byte to set in the next payload, or 0 */
	uint64_t cost;			/* instructions for the last command */
	struct vktls_cmd_cpl cpl;	/* completion of the last command */
};

extern struct rig rig;

/*
 * Start a new core without firmware, with the image from the build folder in host memory.
 */
void rig_init(const VkdevCoreConfig *config);
void rig_fini(void);
extern const VkdevCoreConfig rig_config;

/* Load firmware, wait until it is ready, and set up the rings. */
bool rig_boot(void);
uint32_t rig_image_len(void);
uint8_t *rig_at(uint64_t host);

/* Write the low @size bytes of @value in the device's byte order, little-endian. */
void rig_put(void *to, uint64_t value, size_t size);

/* Run until firmware sleeps. False if it does not within RIG_BUDGET instructions. */
bool rig_run(void);

/*
 * Send one command and take its completion, which is then in rig.cpl. False, with a
 * diagnosis, if there is no valid completion.
 */
bool rig_cmd(uint16_t opcode, const void *payload, uint16_t len);
uint16_t rig_status(uint16_t opcode, const void *payload, uint16_t len);

/* Like rig_status(), with byte @at of the payload set; @at may be beyond @len. */
uint16_t rig_status_tail(uint16_t opcode, const void *payload, uint16_t len, uint16_t at);

/* Take the next event from the ring; NULL if there is none. */
const struct vktls_event *rig_event(void);

/* Return whether @bytes are anywhere in the core's memory or registers. */
bool rig_sram_has(const void *bytes, size_t n);

#endif
