/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_WORK_H
#define _TLS_WORK_H

#include <linux/workqueue.h>

/* Jiffies until work that lacked memory is tried again. */
#define TLS_WORK_RETRY	(HZ / 50 ?: 1)

int tls_work_init(void);
void tls_work_fini(void);
void tls_work_queue_rcu(struct rcu_work *work);
void tls_work_queue(struct delayed_work *work, unsigned long delay);

#endif /* _TLS_WORK_H */
