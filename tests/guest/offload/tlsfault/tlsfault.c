// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests only: makes functions fail that the TLS offload calls, by running
 * a stand-in in their place (kprobes), and asks the driver for offloads that
 * the kernel never asks for. Knows the driver by its symbols, not by its
 * headers, so the driver must be loaded first.
 */
#include <linux/dma-mapping.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <net/tls.h>

int tls_offload_caps_set(const struct tlsdev_ops *ops, u32 caps);

static int encrypt_times;
module_param(encrypt_times, int, 0644);
MODULE_PARM_DESC(encrypt_times, "calls of tls_encrypt_skb() that fail");

static int fallback_times;
module_param(fallback_times, int, 0644);
MODULE_PARM_DESC(fallback_times, "packets for which tls.ko has no memory to encrypt");

static int piece_times;
module_param(piece_times, int, 0644);
MODULE_PARM_DESC(piece_times, "pieces of a record for which tls.ko has no memory");

static int piece_skip;
module_param(piece_skip, int, 0644);
MODULE_PARM_DESC(piece_skip, "pieces for which it has some, before these");

static int seal_times;
module_param(seal_times, int, 0644);
MODULE_PARM_DESC(seal_times, "records for which the cipher has no memory");

static int map_times;
module_param(map_times, int, 0644);
MODULE_PARM_DESC(map_times, "mappings for transmission that fail");

static bool pool_empty;
module_param(pool_empty, bool, 0644);
MODULE_PARM_DESC(pool_empty, "the driver gets no page for received frames");

static int cmd_times;
module_param(cmd_times, int, 0644);
MODULE_PARM_DESC(cmd_times, "device commands that never reach the device");

static int cmd_opcode;
module_param(cmd_opcode, int, 0644);
MODULE_PARM_DESC(cmd_opcode, "which commands");

static int cmd_result;
module_param(cmd_result, int, 0644);
MODULE_PARM_DESC(cmd_result, "what they return");

static int asked_times;
module_param(asked_times, int, 0644);
MODULE_PARM_DESC(asked_times, "questions about a header that are not heard");

static bool noio;
module_param(noio, bool, 0644);
MODULE_PARM_DESC(noio, "sockets that send must not wait for IO from now on");

static int noio_kept;
module_param(noio_kept, int, 0644);
MODULE_PARM_DESC(noio_kept, "contexts added by such a sender, all of its allocations bound");

static int noio_broken;
module_param(noio_broken, int, 0644);
MODULE_PARM_DESC(noio_broken, "those that could wait for IO");

static char *iface = "eth0";
module_param(iface, charp, 0444);
MODULE_PARM_DESC(iface, "interface to ask");

static struct sk_buff *encrypt_stand_in(struct sk_buff *skb)
{
	kfree_skb(skb);
	return NULL;
}

static struct sk_buff *alloc_stand_in(void)
{
	return NULL;
}

static bool piece_stand_in(void)
{
	return false;
}

static int seal_stand_in(void)
{
	return -ENOMEM;
}

static int cmd_stand_in(void)
{
	return cmd_result;
}

static void asked_stand_in(void)
{
}

static dma_addr_t map_stand_in(void)
{
	return DMA_MAPPING_ERROR;
}

/*
 * Run @to instead of the probed function, *@times times. The probe is at its
 * first instruction.
 */
static int divert(struct pt_regs *regs, int *times, void *to)
{
	if (*times <= 0)
		return 0;
	(*times)--;
	instruction_pointer_set(regs, (unsigned long)to);
	return 1;
}

static int on_encrypt(struct kprobe *p, struct pt_regs *regs)
{
	return divert(regs, &encrypt_times, encrypt_stand_in);
}

/* True if the probed function was called from this module, by its return address. */
static bool called_by(struct pt_regs *regs, const char *module)
{
	char caller[KSYM_SYMBOL_LEN];

	sprint_symbol(caller, regs_get_kernel_stack_nth(regs, 0));
	return strstr(caller, module);
}

static bool called_by_tls(struct pt_regs *regs)
{
	return called_by(regs, "[tls]");
}

static int on_alloc(struct kprobe *p, struct pt_regs *regs)
{
	if (fallback_times <= 0 || !called_by_tls(regs))
		return 0;
	return divert(regs, &fallback_times, alloc_stand_in);
}

static int on_piece(struct kprobe *p, struct pt_regs *regs)
{
	if (piece_times <= 0 || !called_by_tls(regs))
		return 0;
	if (piece_skip > 0) {
		piece_skip--;
		return 0;
	}
	return divert(regs, &piece_times, piece_stand_in);
}

static int on_seal(struct kprobe *p, struct pt_regs *regs)
{
	if (seal_times <= 0 || !called_by_tls(regs))
		return 0;
	return divert(regs, &seal_times, seal_stand_in);
}

/* The driver tries again and again, so its caller is looked up once only. */
static int on_pool(struct kprobe *p, struct pt_regs *regs)
{
	unsigned long caller = regs_get_kernel_stack_nth(regs, 0);
	static unsigned long driver;
	int always = 1;

	if (!pool_empty || (caller != driver && !called_by(regs, "[vktls]")))
		return 0;
	driver = caller;
	return divert(regs, &always, alloc_stand_in);
}

static int on_map(struct kprobe *p, struct pt_regs *regs)
{
	const struct device *dev = (void *)regs_get_kernel_argument(regs, 0);

	if (!dev->driver || strcmp(dev->driver->name, "vktls") ||
	    (int)regs_get_kernel_argument(regs, 4) != DMA_TO_DEVICE)
		return 0;
	return divert(regs, &map_times, map_stand_in);
}

static int on_cmd(struct kprobe *p, struct pt_regs *regs)
{
	if ((u16)regs_get_kernel_argument(regs, 1) != cmd_opcode)
		return 0;
	return divert(regs, &cmd_times, cmd_stand_in);
}

static int on_send(struct kprobe *p, struct pt_regs *regs)
{
	struct sock *sk = (void *)regs_get_kernel_argument(regs, 0);

	if (noio)
		sk->sk_allocation = GFP_NOIO;
	return 0;
}

/* tls_dev_add of a driver, and what the driver calls. */
static int on_add(struct kprobe *p, struct pt_regs *regs)
{
	if (!noio)
		return 0;
	if (current->flags & PF_MEMALLOC_NOIO)
		noio_kept++;
	else
		noio_broken++;
	return 0;
}

static int on_asked(struct kprobe *p, struct pt_regs *regs)
{
	return divert(regs, &asked_times, asked_stand_in);
}

static struct kprobe probes[] = {
	{ .symbol_name = "tls_encrypt_skb", .pre_handler = on_encrypt },
	{ .symbol_name = "alloc_skb_with_frags", .pre_handler = on_alloc },
	{ .symbol_name = "sk_page_frag_refill", .pre_handler = on_piece },
	{ .symbol_name = "crypto_aead_encrypt", .pre_handler = on_seal },
	{ .symbol_name = "dma_map_page_attrs", .pre_handler = on_map },
	{ .symbol_name = "page_pool_alloc_pages", .pre_handler = on_pool },
	{ .symbol_name = "vktls_cmd_exec", .pre_handler = on_cmd },
	{ .symbol_name = "vktls_cmd_post", .pre_handler = on_cmd },
	{ .symbol_name = "tls_tx_sendmsg", .pre_handler = on_send },
	{ .symbol_name = "vktls_ktls_nic_add", .pre_handler = on_add },
	{ .symbol_name = "vktls_ktls_asked", .pre_handler = on_asked },
};

/*
 * Call tls_dev_add with a version or cipher that the kernel never passes. The
 * driver refuses it before it looks at the socket, which is NULL.
 */
static int ask(enum tls_offload_ctx_dir direction, u16 version, u16 cipher)
{
	struct tls12_crypto_info_aes_gcm_256 info = {
		.info = { .version = version, .cipher_type = cipher },
	};
	struct net_device *netdev;
	int err = -ENODEV;

	rtnl_lock();
	netdev = __dev_get_by_name(&init_net, iface);
	if (netdev && netdev->tlsdev_ops)
		err = netdev->tlsdev_ops->tls_dev_add(netdev, NULL, direction,
						      &info.info, 0);
	rtnl_unlock();
	return err;
}

static int ask_set(const char *value, const struct kernel_param *param)
{
	if (sysfs_streq(value, "version"))
		return ask(TLS_OFFLOAD_CTX_DIR_TX, 0x0302,
			   TLS_CIPHER_AES_GCM_128);
	if (sysfs_streq(value, "cipher"))
		return ask(TLS_OFFLOAD_CTX_DIR_TX, TLS_1_2_VERSION,
			   TLS_CIPHER_SM4_GCM);
	if (sysfs_streq(value, "receive-version"))
		return ask(TLS_OFFLOAD_CTX_DIR_RX, 0x0302,
			   TLS_CIPHER_AES_GCM_128);
	if (sysfs_streq(value, "receive-cipher"))
		return ask(TLS_OFFLOAD_CTX_DIR_RX, TLS_1_2_VERSION,
			   TLS_CIPHER_SM4_GCM);
	return -EINVAL;
}

static const struct kernel_param_ops ask_ops = { .set = ask_set };
module_param_cb(ask, &ask_ops, NULL, 0200);
MODULE_PARM_DESC(ask, "[receive-]version or [receive-]cipher: the write fails as the offload does");

/* Set the capabilities of the driver that our tls.ko knows to @value. */
static int caps_set(const char *value, const struct kernel_param *param)
{
	int (*set)(const struct tlsdev_ops *ops, u32 caps);
	struct net_device *netdev;
	int err = -ENODEV;
	u32 caps;

	if (kstrtou32(value, 0, &caps))
		return -EINVAL;
	set = symbol_get(tls_offload_caps_set);
	if (!set)
		return -EOPNOTSUPP;
	rtnl_lock();
	netdev = __dev_get_by_name(&init_net, iface);
	if (netdev && netdev->tlsdev_ops)
		err = set(netdev->tlsdev_ops, caps);
	rtnl_unlock();
	symbol_put(tls_offload_caps_set);
	return err;
}

static const struct kernel_param_ops caps_ops = { .set = caps_set };
module_param_cb(caps, &caps_ops, NULL, 0200);
MODULE_PARM_DESC(caps, "TLS_OFFLOAD_CAP_* that the driver is to have");

/*
 * A probe without such a function may become a jump, which returns to the probed
 * function: a kernel without the function tracer (scripts/debug.config) does that.
 */
static void on_done(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}

static int __init tlsfault_init(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		probes[i].post_handler = on_done;
		err = register_kprobe(&probes[i]);
		/* The distribution's tls.ko has another function there. */
		if (err && probes[i].pre_handler != on_send) {
			pr_err("no probe on %s: %d\n", probes[i].symbol_name,
			       err);
			goto unregister;
		}
	}
	return 0;

unregister:
	while (i--)
		unregister_kprobe(&probes[i]);
	return err;
}
module_init(tlsfault_init);

static void __exit tlsfault_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		unregister_kprobe(&probes[i]);
}
module_exit(tlsfault_exit);

MODULE_DESCRIPTION("Faults under the TLS offload, for tests");
MODULE_LICENSE("GPL");
