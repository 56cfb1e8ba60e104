// SPDX-License-Identifier: GPL-2.0-only
/*
 * Now and then: does the NIC hold the contexts that it should, no more and no less?
 * It may have forgotten some, which then get their way back; and some that were to
 * be deleted, with their keys, may still be there, because the command failed or
 * only seemed to work. Those are looked for and deleted, and if they resist, the
 * function is reset. The NIC's own count tells; no list of suspects is kept.
 */
#include <linux/jiffies.h>

#include "cmd.h"
#include "ktls_priv.h"
#include "ktls_trace.h"
#include "vktls.h"

/* Places that are looked at in a row; commands of connections wait meanwhile. */
#define SWEEP_PLACES	256
#define BACKOFF_LOG2	6
/* Attempts that failed before the reset. There is no second reset. */
#define SWEEP_TRIES	5

static bool vktls_ktls_backoff_waits(const struct vktls_ktls_backoff *b)
{
	return b->tries && time_before(jiffies, b->at);
}

static void vktls_ktls_backoff_failed(struct vktls_ktls_backoff *b)
{
	b->at = jiffies + (HZ << min(b->tries, BACKOFF_LOG2));
	b->tries++;
}

/* As of the last VKTLS_CMD_STATS. */
static u32 vktls_ktls_audit_held(struct vktls_dev *vd)
{
	u32 held;

	spin_lock_bh(&vd->stats_lock);
	held = vd->hw_stats[VKTLS_STAT_TLS_CTX_LIVE];
	spin_unlock_bh(&vd->stats_lock);
	return held;
}

static bool vktls_ktls_audit_agrees(struct vktls_ktls *ktls)
{
	u32 surplus = atomic_read(&ktls->surplus);

	return vktls_ktls_audit_held(ktls->vd) ==
	       atomic_read(&ktls->live) + surplus;
}

/* Holds ktls->life for writing, so nobody adds or deletes. */
static int vktls_ktls_audit_one(struct vktls_ktls *ktls,
				struct vktls_ktls_ctx *ctx)
{
	struct vktls_tls_ref ref = { .ctx = cpu_to_le32(ctx->id) };
	struct vktls_tls_state state;
	int err;

	err = vktls_cmd_exec(ktls->vd, VKTLS_CMD_TLS_QUERY, &ref, sizeof(ref),
			     &state, sizeof(state));
	if (err != -ENOENT)
		return err;
	vktls_ktls_gone(ktls, ctx, false);
	return 0;
}

/*
 * Which of ours does it not know? What it holds beyond the others is surplus,
 * whatever was known of that.
 */
static int vktls_ktls_audit_ours(struct vktls_ktls *ktls)
{
	u32 held = vktls_ktls_audit_held(ktls->vd), live;
	struct vktls_ktls_ctx *ctx;
	unsigned long id;
	int err;

	xa_for_each(&ktls->ids, id, ctx) {
		err = vktls_ktls_audit_one(ktls, ctx);
		if (err)
			return err;
	}
	live = atomic_read(&ktls->live);
	atomic_set(&ktls->surplus, held > live ? held - live : 0);
	return 0;
}

/* One place of the NIC's table; not one that the driver knows of. */
static int vktls_ktls_sweep_one(struct vktls_ktls *ktls, u32 id)
{
	int err;

	if (xa_load(&ktls->ids, id))
		return 0;
	err = vktls_ktls_cmd_del(ktls, id);
	if (err == -ENOENT)
		return 0;
	if (!err) {
		atomic_dec(&ktls->surplus);
		vktls_ktls_count(ktls, VKTLS_KTLS_DEL_LATER, 1);
	}
	return err;
}

/* Goes on where it ended, or where a context was not deleted last. */
static int vktls_ktls_sweep(struct vktls_ktls *ktls)
{
	u32 places = le32_to_cpu(ktls->vd->caps.tls_contexts);
	unsigned int i;
	int err;

	for (i = 0; i < min(places, SWEEP_PLACES); i++) {
		if (!atomic_read(&ktls->surplus))
			return 0;
		err = vktls_ktls_sweep_one(ktls, ktls->sweep_at % places);
		if (err)
			return err;
		ktls->sweep_at++;
		ktls->swept++;
	}
	if (ktls->swept < places)
		return 0;
	ktls->swept = 0;
	return atomic_read(&ktls->surplus) ? -EBUSY : 0;
}

static void vktls_ktls_sweep_failed(struct vktls_ktls *ktls, int err)
{
	struct vktls_dev *vd = ktls->vd;

	vktls_ktls_backoff_failed(&ktls->sweep);
	if (ktls->sweep.tries != SWEEP_TRIES)
		return;
	netdev_err(vd->netdev,
		   "%d TLS contexts cannot be deleted (error %d), reset\n",
		   atomic_read(&ktls->surplus), err);
	vktls_ktls_count(ktls, VKTLS_KTLS_DEL_RESET, 1);
	vktls_reset_request(vd, VKTLS_RESET_TLS);
}

/* Holds ktls->life for writing, which is up. */
static void vktls_ktls_audit_locked(struct vktls_ktls *ktls)
{
	int err = vktls_port_stats_sync(ktls->vd);

	if (!err && !vktls_ktls_audit_agrees(ktls))
		err = vktls_ktls_audit_ours(ktls);
	if (err || !atomic_read(&ktls->surplus) ||
	    vktls_ktls_backoff_waits(&ktls->sweep))
		return;
	err = vktls_ktls_sweep(ktls);
	if (err)
		vktls_ktls_sweep_failed(ktls, err);
}

/* What receives gets its context here, what sends at its next record. */
static void vktls_ktls_audit_restore(struct vktls_ktls *ktls)
{
	if (!READ_ONCE(ktls->rx_missing)) {
		ktls->restore.tries = 0;
		return;
	}
	if (vktls_ktls_backoff_waits(&ktls->restore))
		return;
	vktls_ktls_backoff_failed(&ktls->restore);
	down_read(&ktls->life);
	if (ktls->up)
		vktls_ktls_rx_restore(ktls);
	up_read(&ktls->life);
}

/**
 * vktls_ktls_audit() - compare the NIC's contexts with ours, and mend
 * @vd: device, with fresh counters of the NIC
 *
 * Numbers that differ at first sight may be those of different moments; the second
 * look is behind a lock.
 *
 * Context: process, once a second; sleeps.
 */
void vktls_ktls_audit(struct vktls_dev *vd)
{
	struct vktls_ktls *ktls = vd->ktls;

	if (vktls_ktls_audit_agrees(ktls) && !atomic_read(&ktls->surplus)) {
		ktls->sweep.tries = 0;
		ktls->swept = 0;
	} else {
		down_write(&ktls->life);
		if (ktls->up)
			vktls_ktls_audit_locked(ktls);
		up_write(&ktls->life);
	}
	vktls_ktls_audit_restore(ktls);
}
