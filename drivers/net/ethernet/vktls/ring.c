// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of one descriptor ring with its completion ring, and their creation and
 * deletion in the NIC. Does not know the content of entries, except for the
 * generation bit at the end of a completion.
 */
#include <linux/dma-mapping.h>

#include "cmd.h"
#include "qp.h"
#include "vktls.h"

static_assert(sizeof(struct vktls_tx_desc) == ENTRY_BYTES);
static_assert(sizeof(struct vktls_tx_offload) == ENTRY_BYTES);
static_assert(sizeof(struct vktls_tx_cpl) == ENTRY_BYTES);
static_assert(sizeof(struct vktls_rx_desc) == ENTRY_BYTES);
static_assert(sizeof(struct vktls_rx_cpl) == ENTRY_BYTES);

/**
 * vktls_ring_alloc() - allocate a ring, empty and zeroed
 * @vd: device
 * @ring: to fill in
 * @log2: entries, as a power of two
 *
 * Return: 0 or -ENOMEM.
 */
int vktls_ring_alloc(struct vktls_dev *vd, struct vktls_ring *ring, u8 log2)
{
	size_t bytes = (size_t)ENTRY_BYTES << log2;

	ring->desc = dma_alloc_coherent(&vd->pdev->dev, bytes, &ring->desc_dma,
					GFP_KERNEL);
	if (!ring->desc)
		return -ENOMEM;
	ring->cpl = dma_alloc_coherent(&vd->pdev->dev, bytes, &ring->cpl_dma,
				       GFP_KERNEL);
	if (!ring->cpl) {
		dma_free_coherent(&vd->pdev->dev, bytes, ring->desc,
				  ring->desc_dma);
		return -ENOMEM;
	}
	ring->log2 = log2;
	ring->mask = BIT(log2) - 1;
	ring->cpl_head = 0;
	return 0;
}

/**
 * vktls_ring_free() - undo vktls_ring_alloc()
 * @vd: device
 * @ring: ring, deleted in the NIC
 */
void vktls_ring_free(struct vktls_dev *vd, struct vktls_ring *ring)
{
	size_t bytes = (size_t)ENTRY_BYTES << ring->log2;

	dma_free_coherent(&vd->pdev->dev, bytes, ring->cpl, ring->cpl_dma);
	dma_free_coherent(&vd->pdev->dev, bytes, ring->desc, ring->desc_dma);
}

/**
 * vktls_ring_add() - create a ring in the NIC
 * @qp: queue pair it belongs to
 * @ring: empty ring; indices start from zero again
 * @type: VKTLS_QUEUE_*
 *
 * Context: process; sleeps.
 * Return: 0 or errno of the command.
 */
int vktls_ring_add(struct vktls_qp *qp, struct vktls_ring *ring, u16 type)
{
	struct vktls_queue_cfg cfg = {
		.ref.type = cpu_to_le16(type),
		.ref.queue = cpu_to_le16(qp->index),
		.log2 = cpu_to_le16(ring->log2),
		.vector = cpu_to_le16(VKTLS_VEC_QUEUE(qp->index)),
		.ring = cpu_to_le64(ring->desc_dma),
		.cq = cpu_to_le64(ring->cpl_dma),
	};

	memset(ring->cpl, 0, (size_t)ENTRY_BYTES << ring->log2);
	ring->cpl_head = 0;
	return vktls_cmd_exec(qp->vd, VKTLS_CMD_QUEUE_CREATE, &cfg, sizeof(cfg),
			      NULL, 0);
}

/**
 * vktls_ring_del() - delete a ring in the NIC
 * @qp: queue pair it belongs to
 * @type: VKTLS_QUEUE_*
 *
 * The NIC does not touch the ring after this: if the command fails, the NIC is
 * reset, further commands fail, and recovery is requested if firmware was running.
 *
 * Context: process; sleeps.
 */
void vktls_ring_del(struct vktls_qp *qp, u16 type)
{
	struct vktls_queue_ref ref = {
		.type = cpu_to_le16(type),
		.queue = cpu_to_le16(qp->index),
	};

	if (!vktls_cmd_exec(qp->vd, VKTLS_CMD_QUEUE_DESTROY, &ref, sizeof(ref),
			    NULL, 0))
		return;
	vktls_cmdq_abort(qp->vd, -EIO);
	vktls_dev_reset(qp->vd);
	if (test_bit(DEV_FW_UP, &qp->vd->state))
		vktls_reset_request(qp->vd, RESET_FW);
}

/**
 * vktls_ring_break() - stop a queue pair after a completion that cannot be true
 * @qp: queue pair
 *
 * The pair is neither polled nor armed until the reset that is requested here, so
 * the caller logs the fault only once.
 *
 * Context: NAPI of the queue pair.
 */
void vktls_ring_break(struct vktls_qp *qp)
{
	WRITE_ONCE(qp->broken, true);
	vktls_reset_request(qp->vd, RESET_TX);
}
