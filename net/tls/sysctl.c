// SPDX-License-Identifier: GPL-2.0-only
/*
 * net.tls: the administrator's settings of a network namespace.
 */

#include <linux/sysctl.h>
#include <net/netns/generic.h>
#include <uapi/linux/tls_ext.h>

#include "lazy.h"
#include "sysctl.h"

#define TLS_SYSCTL_AUTO	2	/* index in tls_table */

/* Settings of one namespace, read without a lock. */
struct tls_net {
	unsigned int lazy_bytes[2];	/* by direction */
	u8 lazy_auto;			/* a zero there means tls_lazy_measured() */
	struct ctl_table *table;
	struct ctl_table_header *header;
};

static unsigned int tls_net_id;
static unsigned int tls_lazy_max = TLS_EXT_LAZY_MAX;

/* Shows tls_lazy_measured(); extra1 is not NULL for sending. */
static int tls_sysctl_measured(const struct ctl_table *ctl, int write,
			       void *buffer, size_t *len, loff_t *pos)
{
	unsigned int bytes = tls_lazy_measured(ctl->extra1 ?
					       TLS_OFFLOAD_CTX_DIR_TX :
					       TLS_OFFLOAD_CTX_DIR_RX);
	const struct ctl_table shown = {
		.data = &bytes,
		.maxlen = sizeof(bytes),
	};

	return proc_douintvec(&shown, write, buffer, len, pos);
}

/* The first two are by direction, and have their data in tls_net.lazy_bytes. */
static const struct ctl_table tls_table[] = {
	[TLS_OFFLOAD_CTX_DIR_RX] = {
		.procname	= "lazy_rx_bytes",
		.maxlen		= sizeof(unsigned int),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= &tls_lazy_max,
	},
	[TLS_OFFLOAD_CTX_DIR_TX] = {
		.procname	= "lazy_tx_bytes",
		.maxlen		= sizeof(unsigned int),
		.mode		= 0644,
		.proc_handler	= proc_douintvec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= &tls_lazy_max,
	},
	[TLS_SYSCTL_AUTO] = {
		.procname	= "lazy_auto",
		.maxlen		= sizeof(u8),
		.mode		= 0644,
		.proc_handler	= proc_dou8vec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_ONE,
	},
	{
		.procname	= "lazy_rx_measured",
		.mode		= 0444,
		.proc_handler	= tls_sysctl_measured,
	},
	{
		.procname	= "lazy_tx_measured",
		.mode		= 0444,
		.proc_handler	= tls_sysctl_measured,
		.extra1		= SYSCTL_ONE,
	},
};

/**
 * tls_lazy_bytes() - bytes that a direction stays in software at its beginning
 * @net:	namespace of the socket
 * @dir:	direction
 * @own:	the socket's own setting, see struct tls_ext_offload
 *
 * Return: the number; 0: a device is asked at once.
 */
u32 tls_lazy_bytes(struct net *net, enum tls_offload_ctx_dir dir, u32 own)
{
	const struct tls_net *tn = net_generic(net, tls_net_id);
	u32 bytes = own ?: READ_ONCE(tn->lazy_bytes[dir]);

	if (own == TLS_EXT_LAZY_AUTO || (!bytes && READ_ONCE(tn->lazy_auto)))
		return tls_lazy_measured(dir);
	return bytes;
}

static int __net_init tls_sysctl_net_init(struct net *net)
{
	struct tls_net *tn = net_generic(net, tls_net_id);
	int i;

	tn->table = kmemdup(tls_table, sizeof(tls_table), GFP_KERNEL);
	if (!tn->table)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(tn->lazy_bytes); i++)
		tn->table[i].data = &tn->lazy_bytes[i];
	tn->table[TLS_SYSCTL_AUTO].data = &tn->lazy_auto;
	tn->header = register_net_sysctl_sz(net, "net/tls", tn->table,
					    ARRAY_SIZE(tls_table));
	if (tn->header)
		return 0;
	kfree(tn->table);
	return -ENOMEM;
}

static void __net_exit tls_sysctl_net_exit(struct net *net)
{
	struct tls_net *tn = net_generic(net, tls_net_id);

	unregister_net_sysctl_table(tn->header);
	kfree(tn->table);
}

static struct pernet_operations tls_sysctl_ops = {
	.init	= tls_sysctl_net_init,
	.exit	= tls_sysctl_net_exit,
	.id	= &tls_net_id,
	.size	= sizeof(struct tls_net),
};

/**
 * tls_sysctl_init() - make the settings of all namespaces
 *
 * Return: 0 or an error.
 */
int tls_sysctl_init(void)
{
	return register_pernet_subsys(&tls_sysctl_ops);
}

/**
 * tls_sysctl_fini() - undo tls_sysctl_init(); no socket is left
 */
void tls_sysctl_fini(void)
{
	unregister_pernet_subsys(&tls_sysctl_ops);
}
