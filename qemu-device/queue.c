// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of queue pairs: firmware creates and destroys queues. A queue that
 * meets an error stops, sends the host a QUEUE_ERROR event, and stays in the
 * table until the host destroys it.
 */
#include "qemu/osdep.h"
#include "trace.h"
#include "vkdev.h"

static VkdevQueue *queue_find(VkdevState *s, uint32_t type, uint32_t id)
{
    if (id >= s->queues) {
        return NULL;
    }
    switch (type) {
    case VKTLS_QUEUE_TX:
        return &s->tx[id].q;
    case VKTLS_QUEUE_RX:
        return &s->rx[id].q;
    default:
        return NULL;
    }
}

static VkdevTxQueue *queue_tx(VkdevQueue *q)
{
    return q->type == VKTLS_QUEUE_TX ? container_of(q, VkdevTxQueue, q) : NULL;
}

static VkdevRxQueue *queue_rx(VkdevQueue *q)
{
    return q->type == VKTLS_QUEUE_RX ? container_of(q, VkdevRxQueue, q) : NULL;
}

static void queue_init(VkdevState *s, VkdevQueue *q, uint8_t type, uint8_t id)
{
    q->dev = s;
    q->type = type;
    q->id = id;
    vkdev_cq_init(&q->cq, s);
}

void vkdev_queue_init(VkdevState *s)
{
    for (unsigned i = 0; i < s->queues; i++) {
        queue_init(s, &s->tx[i].q, VKTLS_QUEUE_TX, i);
        queue_init(s, &s->rx[i].q, VKTLS_QUEUE_RX, i);
        vkdev_tx_init(&s->tx[i]);
    }
}

void vkdev_queue_fini(VkdevState *s)
{
    for (unsigned i = 0; i < s->queues; i++) {
        vkdev_tx_fini(&s->tx[i]);
        vkdev_cq_fini(&s->tx[i].q.cq);
        vkdev_cq_fini(&s->rx[i].q.cq);
    }
}

void vkdev_queue_free(VkdevState *s)
{
    for (unsigned i = 0; i < VKTLS_MAX_QUEUES; i++) {
        vkdev_tx_free(&s->tx[i]);
        vkdev_hold_free(&s->rx[i]);
    }
}

static void queue_destroy(VkdevQueue *q)
{
    q->live = false;
    q->created = false;
    if (queue_tx(q)) {
        vkdev_tx_stop(queue_tx(q));
    } else {
        vkdev_rxq_forget(queue_rx(q));
    }
    vkdev_cq_stop(&q->cq);
    vkdev_ring_stop(&q->ring);
}

void vkdev_queue_reset(VkdevState *s)
{
    for (unsigned i = 0; i < s->queues; i++) {
        queue_destroy(&s->tx[i].q);
        queue_destroy(&s->rx[i].q);
        s->tx[i].q.cq.mod = 0;
        s->rx[i].q.cq.mod = 0;
    }
}

static bool queue_cfg_ok(VkdevState *s, const VkdevCoreQueue *cfg)
{
    return cfg->log2 >= VKTLS_RING_MIN_LOG2 &&
           cfg->log2 <= VKTLS_RING_MAX_LOG2 && cfg->vector < s->vectors &&
           !(cfg->ring % VKTLS_RING_ALIGN) && !(cfg->cq % VKTLS_RING_ALIGN);
}

uint16_t vkdev_queue_create(VkdevState *s, const VkdevCoreQueue *cfg)
{
    VkdevQueue *q = queue_find(s, cfg->type, cfg->id);

    if (!q || !queue_cfg_ok(s, cfg)) {
        return VKTLS_ST_PARAM;
    }
    if (q->created) {
        return VKTLS_ST_EXIST;
    }
    vkdev_ring_start(&q->ring, cfg->ring, cfg->log2);
    vkdev_cq_start(&q->cq, cfg->cq, cfg->log2, cfg->vector);
    if (queue_tx(q)) {
        vkdev_tx_start(queue_tx(q));
    }
    q->created = true;
    q->live = true;
    trace_vkdev_queue_create(q->type, q->id, 1u << cfg->log2, cfg->ring);
    return VKTLS_ST_OK;
}

uint16_t vkdev_queue_destroy(VkdevState *s, uint32_t type, uint32_t id)
{
    VkdevQueue *q = queue_find(s, type, id);

    if (!q || !q->created) {
        return VKTLS_ST_NOENT;
    }
    queue_destroy(q);
    trace_vkdev_queue_destroy(type, id);
    return VKTLS_ST_OK;
}

void vkdev_queue_stop(VkdevQueue *q, uint16_t status)
{
    q->live = false;
    if (queue_rx(q)) {
        vkdev_rxq_forget(queue_rx(q));
    }
    trace_vkdev_queue_stop(q->type, q->id, status);
    vkdev_event(q->dev, VKTLS_EVT_QUEUE_ERROR, status, q->type << 8 | q->id,
                0);
}
