/* SPDX-License-Identifier: GPL-2.0-only */
/* A core with a small memory, one register on its bus, and one instruction to test. */
#ifndef RV32_RIG_H
#define RV32_RIG_H

#include <stddef.h>
#include <string.h>

#include "soc/rv32.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define RAM_BASE	0x10000u
#define RAM_SIZE	0x1000u
#define CODE		RAM_BASE
#define HANDLER		(RAM_BASE + 0x400)
#define DATA		(RAM_BASE + 0x800)
#define MMIO		0x40000000u
#define NOWHERE		0x70000000u

/* The bus outside the window has one register, which records accesses. */
struct mmio {
	uint32_t addr;
	uint32_t value;
	unsigned int width;
	unsigned int stores;
	unsigned int loads;
};

static uint8_t ram[RAM_SIZE];
static struct mmio mmio;
static VkdevRv32 cpu;

static inline bool mmio_load(void *opaque, uint32_t addr, unsigned int width, uint32_t *value)
{
	struct mmio *m = opaque;

	if (addr < MMIO || addr >= MMIO + 16)
		return false;
	m->addr = addr;
	m->width = width;
	m->loads++;
	*value = m->value;
	return true;
}

static inline bool mmio_store(void *opaque, uint32_t addr, unsigned int width, uint32_t value)
{
	struct mmio *m = opaque;

	if (addr < MMIO || addr >= MMIO + 16)
		return false;
	m->addr = addr;
	m->width = width;
	m->value = value;
	m->stores++;
	return true;
}

static const VkdevRv32Bus bus = { .load = mmio_load, .store = mmio_store };

static inline void poke(uint32_t addr, uint32_t word)
{
	uint8_t *p = ram + (addr - RAM_BASE);

	p[0] = word;
	p[1] = word >> 8;
	p[2] = word >> 16;
	p[3] = word >> 24;
}

static inline uint32_t peek(uint32_t addr)
{
	const uint8_t *p = ram + (addr - RAM_BASE);

	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Prepare a core: @insn at CODE, x1 = @a, x2 = @b, trap handler at HANDLER. */
static inline void setup(uint32_t insn, uint32_t a, uint32_t b)
{
	memset(ram, 0, sizeof(ram));
	memset(&mmio, 0, sizeof(mmio));
	vkdev_rv32_init(&cpu, ram, RAM_BASE, RAM_SIZE, &bus, &mmio);
	vkdev_rv32_reset(&cpu, CODE);
	cpu.mtvec = HANDLER;
	cpu.x[1] = a;
	cpu.x[2] = b;
	cpu.x[3] = 0xdeadbeef;
	poke(CODE, insn);
}

static inline bool retired(void)
{
	return cpu.minstret == 1 && cpu.mcycle == 1 && cpu.state == VKDEV_RV32_RUNNING;
}

#endif
