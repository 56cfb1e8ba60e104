// SPDX-License-Identifier: GPL-2.0-only
/*
 * net.tls: the administrator's settings of a network namespace.
 */

#include <linux/sysctl.h>
#include <net/netns/generic.h>
#include <uapi/linux/tls_ext.h>

#include "sysctl.h"

/* Settings of one namespace, read without a lock. */
struct tls_net {
	unsigned int lazy_bytes[2];	/* by direction */
	struct ctl_table *table;
	struct ctl_table_header *header;
};

static unsigned int tls_net_id;
static unsigned int tls_lazy_max = TLS_EXT_LAZY_MAX;

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
};

/**
 * tls_lazy_bytes() - bytes that a direction stays in software at its beginning
 * @net:	namespace of the socket
 * @dir:	direction
 *
 * Return: the number; 0: a device is asked at once.
 */
u32 tls_lazy_bytes(struct net *net, enum tls_offload_ctx_dir dir)
{
	const struct tls_net *tn = net_generic(net, tls_net_id);

	return READ_ONCE(tn->lazy_bytes[dir]);
}

static int __net_init tls_sysctl_net_init(struct net *net)
{
	struct tls_net *tn = net_generic(net, tls_net_id);
	int i;

	tn->table = kmemdup(tls_table, sizeof(tls_table), GFP_KERNEL);
	if (!tn->table)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(tls_table); i++)
		tn->table[i].data = &tn->lazy_bytes[i];
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
