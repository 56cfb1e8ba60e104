// SPDX-License-Identifier: GPL-2.0-only
/*
 * Comparison, once a second, of the number of contexts in the NIC with the driver's.
 * Forgotten contexts are given to the NIC again. Surplus contexts, whose deletion
 * failed or only seemed to work, still hold keys: the driver sweeps the NIC's table
 * and deletes them, and resets the function if that fails. The driver keeps no list
 * of suspects.
 */
#include <linux/jiffies.h>

#include "cmd.h"
#include "ktls_rx.h"
#include "ktls_trace.h"
#include "vktls.h"

/*
 * Places of the NIC's table that one sweep visits; other TLS commands wait
 * meanwhile.
 */
#define SWEEP_PLACES	256
#define BACKOFF_LOG2	6
/* Failed sweeps before the function is reset, once. */
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

/* Returns the number of contexts in the NIC at the last VKTLS_CMD_STATS. */
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
	       vktls_ktls_live(ktls) + surplus;
}

/*
 * Queries one context. Caller holds ktls->life for writing, so that no context is
 * added or deleted.
 */
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
 * Queries each context of the driver, and drops those that the NIC has forgotten; a NIC
 * without a context, as after a migration, need not be asked. The rest of the NIC's count
 * is the new surplus.
 */
static int vktls_ktls_audit_ours(struct vktls_ktls *ktls)
{
	u32 held = vktls_ktls_audit_held(ktls->vd), live;
	struct vktls_ktls_ctx *ctx;
	unsigned long id;
	int err;

	xa_for_each(&ktls->ids, id, ctx) {
		if (!held) {
			vktls_ktls_gone(ktls, ctx, false);
			continue;
		}
		err = vktls_ktls_audit_one(ktls, ctx);
		if (err)
			return err;
	}
	live = vktls_ktls_live(ktls);
	atomic_set(&ktls->surplus, held > live ? held - live : 0);
	return 0;
}

/* Deletes the context in one place of the NIC's table, unless the driver has it. */
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
		vktls_ktls_count(ktls, KTLS_DEL_LATER, 1);
	}
	return err;
}

/*
 * Sweeps up to SWEEP_PLACES places of the NIC's table, beginning where the last call
 * ended. Returns -EBUSY if the whole table was swept without finding all surplus.
 */
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
	vktls_ktls_count(ktls, KTLS_DEL_RESET, 1);
	vktls_reset_request(vd, RESET_TLS);
}

/* The second, exact comparison. Caller holds ktls->life for writing; ktls->up is true. */
static void vktls_ktls_audit_locked(struct vktls_ktls *ktls)
{
	int err = vktls_port_stats_sync(ktls->vd);

	if (!err && !vktls_ktls_audit_agrees(ktls))
		err = vktls_ktls_audit_ours(ktls);
	if (err)
		return;
	if (!atomic_read(&ktls->surplus)) {
		WRITE_ONCE(ktls->rx_stray, false);
		return;
	}
	if (vktls_ktls_backoff_waits(&ktls->sweep))
		return;
	err = vktls_ktls_sweep(ktls);
	if (err)
		vktls_ktls_sweep_failed(ktls, err);
}

/* Restores receiving contexts; sending ones return at their next record. */
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
 * vktls_ktls_audit() - compare the NIC's contexts with the driver's, and repair
 * @vd: device, with fresh counters of the NIC
 *
 * The first comparison is without lock and may mix two moments; a difference is
 * checked again under ktls->life.
 *
 * Context: process, once a second; sleeps.
 */
void vktls_ktls_audit(struct vktls_dev *vd)
{
	struct vktls_ktls *ktls = vd->ktls;

	if (vktls_ktls_audit_agrees(ktls) && !atomic_read(&ktls->surplus) &&
	    !READ_ONCE(ktls->rx_stray)) {
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
