// SPDX-License-Identifier: GPL-2.0-only
/*
 * devlink's resources: the places for TLS contexts, by direction. The NIC has one table
 * for both directions. A size is the most places that one direction may take of it; by
 * default that is the whole table.
 */
#include "devlink.h"
#include "ktls.h"
#include "vktls.h"

enum vktls_resource {
	RESOURCE_TLS_TX = 1,	/* 0 is devlink's */
	RESOURCE_TLS_RX,
};

static const struct vktls_resource_kind {
	const char *name;
	u32 cap;		/* VKTLS_CAP_* that the NIC must have */
	enum vktls_resource id;
	bool rx;
} vktls_resources[] = {
	{ "tls_tx_contexts", VKTLS_CAP_TLS_TX, RESOURCE_TLS_TX, false },
	{ "tls_rx_contexts", VKTLS_CAP_TLS_RX, RESOURCE_TLS_RX, true },
};

static u64 vktls_resource_tx_occ(void *priv)
{
	return vktls_ktls_held(priv, false);
}

static u64 vktls_resource_rx_occ(void *priv)
{
	return vktls_ktls_held(priv, true);
}

static int vktls_resource_add_one(struct vktls_dev *vd,
				  const struct vktls_resource_kind *kind)
{
	u32 places = le32_to_cpu(vd->caps.tls_contexts);
	struct devlink_resource_size_params params;
	int err;

	if (!(le32_to_cpu(vd->caps.features) & kind->cap))
		return 0;
	devlink_resource_size_params_init(&params, 0, places, 1,
					  DEVLINK_RESOURCE_UNIT_ENTRY);
	err = devl_resource_register(vd->devlink, kind->name, places, kind->id,
				     DEVLINK_RESOURCE_ID_PARENT_TOP, &params);
	if (!err)
		devl_resource_occ_get_register(vd->devlink, kind->id,
					       kind->rx ? vktls_resource_rx_occ :
							  vktls_resource_tx_occ,
					       vd);
	return err;
}

/**
 * vktls_resource_add() - register the resources, once the NIC's capabilities are known
 * @vd: device
 *
 * Does nothing before firmware ran for the first time, and after the first success.
 *
 * Context: process, devlink lock held.
 */
void vktls_resource_add(struct vktls_dev *vd)
{
	unsigned int i;
	int err = 0;

	if (vd->resources || !le32_to_cpu(vd->caps.tls_contexts))
		return;
	for (i = 0; !err && i < ARRAY_SIZE(vktls_resources); i++)
		err = vktls_resource_add_one(vd, &vktls_resources[i]);
	if (err) {
		dev_warn(&vd->pdev->dev, "no devlink resources: error %d\n", err);
		devl_resources_unregister(vd->devlink);
		return;
	}
	vd->resources = true;
}

/**
 * vktls_resource_del() - undo vktls_resource_add()
 * @vd: device
 *
 * Context: process, devlink lock held.
 */
void vktls_resource_del(struct vktls_dev *vd)
{
	if (vd->resources)
		devl_resources_unregister(vd->devlink);
	vd->resources = false;
}

/**
 * vktls_resource_apply() - let the sizes that the user set take effect
 * @vd: device that has no TLS context
 *
 * Context: process, devlink lock held.
 */
void vktls_resource_apply(struct vktls_dev *vd)
{
	unsigned int i;
	u64 size;

	for (i = 0; vd->resources && i < ARRAY_SIZE(vktls_resources); i++) {
		if (!devl_resource_size_get(vd->devlink, vktls_resources[i].id,
					    &size))
			vktls_ktls_limit(vd, vktls_resources[i].rx, size);
	}
}
