/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rings. Indices run freely and are masked when they touch memory or the NIC; one
 * descriptor always stays free, so head == tail is empty.
 */
#ifndef VKTLS_RING_H
#define VKTLS_RING_H

#include <linux/types.h>

#include "vktls_abi.h"

struct vktls_dev;
struct vktls_qp;

#define ENTRY_BYTES		16

/*
 * A descriptor ring and its completion ring, of one size. In this header, tx_ring.h,
 * rx_ring.h and qp.h, a semicolon in the comment of a field is followed by the lock or
 * context that guards the field.
 */
struct vktls_ring {
	void *desc;
	void *cpl;
	u32 mask;
	u32 cpl_head;		/* next completion to look at; NAPI */
	u8 log2;
	dma_addr_t desc_dma;
	dma_addr_t cpl_dma;
};

/* Functions of ring.c */
int vktls_ring_alloc(struct vktls_dev *vd, struct vktls_ring *ring, u8 log2);
void vktls_ring_free(struct vktls_dev *vd, struct vktls_ring *ring);
int vktls_ring_add(struct vktls_qp *qp, struct vktls_ring *ring, u16 type);
void vktls_ring_del(struct vktls_qp *qp, u16 type);
void vktls_ring_break(struct vktls_qp *qp);

/**
 * vktls_ring_peek() - next completion that the NIC has written
 * @ring: ring to look at; the caller moves cpl_head when done with it
 *
 * Context: NAPI.
 * Return: the completion, all of it valid, or NULL.
 */
static inline void *vktls_ring_peek(const struct vktls_ring *ring)
{
	u8 *cpl = ring->cpl + (ring->cpl_head & ring->mask) * ENTRY_BYTES;
	u8 gen = ring->cpl_head & (ring->mask + 1) ? 0 : VKTLS_GEN;

	if ((READ_ONCE(cpl[ENTRY_BYTES - 1]) & VKTLS_GEN) != gen)
		return NULL;
	/* The NIC writes the generation after the rest of the completion. */
	dma_rmb();
	return cpl;
}

/**
 * vktls_ring_take() - copy of the next completion that the NIC has written
 * @ring: ring to look at; the caller moves cpl_head when done with it
 * @copy: ENTRY_BYTES. Each byte is read once: a NIC that goes on writing
 *	cannot change a completion after its check
 *
 * Context: NAPI.
 * Return: true if there is one.
 */
static inline bool vktls_ring_take(const struct vktls_ring *ring, void *copy)
{
	const u64 *cpl = vktls_ring_peek(ring);
	u64 words[2];

	static_assert(sizeof(words) == ENTRY_BYTES);
	if (!cpl)
		return false;
	words[0] = READ_ONCE(cpl[0]);
	words[1] = READ_ONCE(cpl[1]);
	memcpy(copy, words, sizeof(words));
	return true;
}

#endif /* VKTLS_RING_H */
