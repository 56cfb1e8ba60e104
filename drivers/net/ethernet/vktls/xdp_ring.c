// SPDX-License-Identifier: GPL-2.0-only
/*
 * Setting up and freeing XDP on a receive ring. This file does not know
 * programs.
 */
#include <linux/slab.h>
#include <net/page_pool/helpers.h>
#include <net/xdp.h>

#include "qp.h"
#include "xdp.h"

/**
 * vktls_xdp_ring_alloc() - set up XDP on a ring that is being allocated
 * @rx: ring, with its page pool
 *
 * Return: 0 or errno.
 */
int vktls_xdp_ring_alloc(struct vktls_rx_ring *rx)
{
	struct vktls_qp *qp = rx->qp;
	struct vktls_xdp *xdp = kzalloc(sizeof(*xdp), GFP_KERNEL);
	int err;

	if (!xdp)
		return -ENOMEM;
	err = __xdp_rxq_info_reg(&xdp->rxq, qp->vd->netdev, qp->index,
				 qp->napi.napi_id, rx->buf_size);
	if (err)
		goto free_xdp;
	err = xdp_rxq_info_reg_mem_model(&xdp->rxq, MEM_TYPE_PAGE_POOL,
					 rx->pool);
	if (err)
		goto unreg;
	rx->xdp = xdp;
	return 0;

unreg:
	xdp_rxq_info_unreg(&xdp->rxq);
free_xdp:
	kfree(xdp);
	return err;
}

/**
 * vktls_xdp_ring_reset() - drop a frame that is not complete
 * @rx: ring with XDP
 *
 * xdp_return_buff() frees a frame only in NAPI, so buffers are freed one by one.
 *
 * Context: NAPI, or NAPI is disabled.
 */
void vktls_xdp_ring_reset(struct vktls_rx_ring *rx)
{
	const struct xdp_buff *buff = &rx->xdp->buff;
	const struct skb_shared_info *info;
	unsigned int i;

	if (rx->xdp->open && xdp_buff_has_frags(buff)) {
		info = xdp_get_shared_info_from_buff(buff);
		for (i = 0; i < info->nr_frags; i++)
			page_pool_put_full_page(rx->pool,
						skb_frag_page(&info->frags[i]),
						false);
	}
	if (rx->xdp->open)
		page_pool_put_full_page(rx->pool, virt_to_page(buff->data),
					false);
	rx->xdp->open = false;
	rx->xdp->drop = false;
}

/**
 * vktls_xdp_ring_free() - undo vktls_xdp_ring_alloc()
 * @rx: ring, without buffers
 */
void vktls_xdp_ring_free(struct vktls_rx_ring *rx)
{
	xdp_rxq_info_unreg(&rx->xdp->rxq);
	kfree(rx->xdp);
}
