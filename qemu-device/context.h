/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of TLS contexts. */
#ifndef VKDEV_CONTEXT_H
#define VKDEV_CONTEXT_H

#include "soc/core.h"
#include "tls/engine.h"

typedef struct VkdevState VkdevState;

/* Number of packets ahead at which the prefetch of a context begins. */
#define VKDEV_CTX_AHEAD (VKDEV_TLS_AHEAD + 1)

/* One place in the table of TLS contexts. */
typedef struct VkdevContext {
    VkdevTlsCtx *tls;   /* NULL = free */
    uint64_t packets;
    uint64_t bytes;
} VkdevContext;

bool vkdev_ctx_init(VkdevState *s);
void vkdev_ctx_free(VkdevState *s);
void vkdev_ctx_reset(VkdevState *s);
uint32_t vkdev_ctx_place(const VkdevState *s);
uint16_t vkdev_ctx_add(VkdevState *s, uint32_t id, const VkdevCoreTls *tls);
uint16_t vkdev_ctx_del(VkdevState *s, uint32_t id);
bool vkdev_ctx_forget(VkdevState *s, uint32_t id);
uint16_t vkdev_ctx_resync(VkdevState *s, uint32_t id, const VkdevCoreTls *tls);
uint16_t vkdev_ctx_resync_key(VkdevState *s, uint32_t id,
                              const VkdevCoreTls *tls);
uint16_t vkdev_ctx_next(VkdevState *s, uint32_t id, const VkdevCoreTls *tls);
uint16_t vkdev_ctx_next_tx(VkdevState *s, uint32_t id,
                           const VkdevCoreTls *tls);
uint16_t vkdev_ctx_key_done(VkdevState *s, uint32_t id, uint32_t key_no);
uint16_t vkdev_ctx_query(VkdevState *s, uint32_t id, VkdevCoreTlsState *state);
void vkdev_ctx_expect(VkdevState *s, uint32_t id, unsigned ahead);
uint16_t vkdev_ctx_encrypt(VkdevState *s, uint32_t id, uint32_t tcp_seq,
                           const struct iovec *from, uint8_t *to, uint32_t len,
                           uint32_t *expected);
uint16_t vkdev_ctx_replay(VkdevState *s, uint32_t id, uint32_t tcp_seq,
                          uint64_t rec_no, uint8_t *records, uint32_t len,
                          uint32_t *expected);
bool vkdev_ctx_resend(VkdevState *s, uint32_t id, uint32_t tcp_seq,
                      uint64_t rec_no, uint32_t before, uint8_t *to,
                      uint32_t len, uint32_t after);
uint16_t vkdev_ctx_decrypt(VkdevState *s, uint32_t id, uint32_t tcp_seq,
                           const uint8_t *from, uint8_t *to, uint32_t len);

#endif
