// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's work queue. It may be needed to write memory out (a file system
 * over TLS), so it has a rescuer. It does not depend on the works that it runs.
 */

#include "work.h"

static struct workqueue_struct *tls_wq;

/**
 * tls_work_queue() - run a work on the module's own queue
 * @work:	the work; the exit of the module waits for it
 * @delay:	jiffies
 */
void tls_work_queue(struct delayed_work *work, unsigned long delay)
{
	queue_delayed_work(tls_wq, work, delay);
}

/**
 * tls_work_queue_rcu() - run a work on the module's own queue after a grace period
 * @work:	the work; the module's exit waits for it
 */
void tls_work_queue_rcu(struct rcu_work *work)
{
	queue_rcu_work(tls_wq, work);
}

/**
 * tls_work_init() - make the queue
 *
 * Return: 0 or -ENOMEM.
 */
int tls_work_init(void)
{
	tls_wq = alloc_workqueue("ktls", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	return tls_wq ? 0 : -ENOMEM;
}

/**
 * tls_work_fini() - run all works that are queued, and undo tls_work_init()
 */
void tls_work_fini(void)
{
	/* Works that wait for a grace period are queued after it. */
	rcu_barrier();
	destroy_workqueue(tls_wq);
}
