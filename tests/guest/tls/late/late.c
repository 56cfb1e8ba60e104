// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests only: "late(AEAD)" is the same cipher as an asynchronous engine. It answers
 * from a work, and its queue has room for one request; for kernels that are built
 * without cryptd. The parameter "make" has the kernel make any AEAD from its templates,
 * as AF_ALG of 7.3 does not make asynchronous ones.
 */
#include <crypto/internal/aead.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#define LATE_QUEUE	1	/* requests */
#define LATE_BETTER	50	/* priority above that of the cipher inside */

/**
 * struct late_request - state of one request
 * @op:		crypto_aead_encrypt() or crypto_aead_decrypt()
 * @inner:	request for the cipher inside; last, as that cipher's state follows it
 */
struct late_request {
	int (*op)(struct aead_request *req);
	struct aead_request inner;
};

static DEFINE_SPINLOCK(late_lock);	/* guards late_queue */
static struct crypto_queue late_queue;
static struct workqueue_struct *late_wq;

static struct crypto_aead *late_inner(struct crypto_aead *tfm)
{
	return *(struct crypto_aead **)crypto_aead_ctx(tfm);
}

static void late_answer(struct crypto_async_request *request, int err)
{
	local_bh_disable();
	crypto_request_complete(request, err);
	local_bh_enable();
}

static int late_compute(struct aead_request *req)
{
	struct late_request *late = aead_request_ctx(req);
	struct aead_request *inner = &late->inner;

	aead_request_set_tfm(inner, late_inner(crypto_aead_reqtfm(req)));
	aead_request_set_callback(inner, 0, NULL, NULL);
	aead_request_set_crypt(inner, req->src, req->dst, req->cryptlen, req->iv);
	aead_request_set_ad(inner, req->assoclen);
	return late->op(inner);
}

static void late_run(struct work_struct *work)
{
	struct crypto_async_request *next, *waiting;

	spin_lock_bh(&late_lock);
	waiting = crypto_get_backlog(&late_queue);
	next = crypto_dequeue_request(&late_queue);
	spin_unlock_bh(&late_lock);
	if (!next)
		return;
	/* The queue has room now for the request that was told -EBUSY. */
	if (waiting)
		late_answer(waiting, -EINPROGRESS);
	late_answer(next, late_compute(container_of(next, struct aead_request, base)));
	queue_work(late_wq, work);
}

static DECLARE_WORK(late_work, late_run);

static int late_enqueue(struct aead_request *req, int (*op)(struct aead_request *req))
{
	struct late_request *late = aead_request_ctx(req);
	int err;

	late->op = op;
	spin_lock_bh(&late_lock);
	err = crypto_enqueue_request(&late_queue, &req->base);
	spin_unlock_bh(&late_lock);
	queue_work(late_wq, &late_work);
	return err;
}

static int late_encrypt(struct aead_request *req)
{
	return late_enqueue(req, crypto_aead_encrypt);
}

static int late_decrypt(struct aead_request *req)
{
	return late_enqueue(req, crypto_aead_decrypt);
}

static int late_setkey(struct crypto_aead *tfm, const u8 *key, unsigned int len)
{
	return crypto_aead_setkey(late_inner(tfm), key, len);
}

static int late_setauthsize(struct crypto_aead *tfm, unsigned int size)
{
	return crypto_aead_setauthsize(late_inner(tfm), size);
}

static int late_init_tfm(struct crypto_aead *tfm)
{
	struct crypto_aead_spawn *spawn = aead_instance_ctx(aead_alg_instance(tfm));
	struct crypto_aead *inner = crypto_spawn_aead(spawn);

	if (IS_ERR(inner))
		return PTR_ERR(inner);
	*(struct crypto_aead **)crypto_aead_ctx(tfm) = inner;
	crypto_aead_set_reqsize(tfm, sizeof(struct late_request) + crypto_aead_reqsize(inner));
	return 0;
}

static void late_exit_tfm(struct crypto_aead *tfm)
{
	crypto_free_aead(late_inner(tfm));
}

static void late_free(struct aead_instance *inst)
{
	crypto_drop_aead(aead_instance_ctx(inst));
	kfree(inst);
}

/* The name of the cipher inside, and a higher priority */
static int late_describe(struct aead_alg *alg, const struct crypto_alg *inner)
{
	int len = snprintf(alg->base.cra_driver_name, CRYPTO_MAX_ALG_NAME, "late(%s)",
			   inner->cra_driver_name);

	if (len >= CRYPTO_MAX_ALG_NAME)
		return -ENAMETOOLONG;
	strscpy(alg->base.cra_name, inner->cra_name);
	alg->base.cra_flags = CRYPTO_ALG_ASYNC;
	alg->base.cra_priority = inner->cra_priority + LATE_BETTER;
	alg->base.cra_blocksize = inner->cra_blocksize;
	alg->base.cra_alignmask = inner->cra_alignmask;
	alg->base.cra_ctxsize = sizeof(struct crypto_aead *);
	return 0;
}

static int late_make(struct aead_instance *inst, struct rtattr **tb, u32 mask)
{
	struct crypto_aead_spawn *spawn = aead_instance_ctx(inst);
	struct aead_alg *inner;
	int err;

	err = crypto_grab_aead(spawn, aead_crypto_instance(inst), crypto_attr_alg_name(tb[1]),
			       0, mask | CRYPTO_ALG_ASYNC);
	if (err)
		return err;
	inner = crypto_spawn_aead_alg(spawn);
	inst->free = late_free;
	inst->alg.ivsize = crypto_aead_alg_ivsize(inner);
	inst->alg.maxauthsize = crypto_aead_alg_maxauthsize(inner);
	inst->alg.init = late_init_tfm;
	inst->alg.exit = late_exit_tfm;
	inst->alg.setkey = late_setkey;
	inst->alg.setauthsize = late_setauthsize;
	inst->alg.encrypt = late_encrypt;
	inst->alg.decrypt = late_decrypt;
	return late_describe(&inst->alg, &inner->base);
}

static int late_create(struct crypto_template *tmpl, struct rtattr **tb)
{
	struct aead_instance *inst;
	u32 mask;
	int err;

	err = crypto_check_attr_type(tb, CRYPTO_ALG_TYPE_AEAD, &mask);
	if (err)
		return err;
	inst = kzalloc(sizeof(*inst) + sizeof(struct crypto_aead_spawn), GFP_KERNEL);
	if (!inst)
		return -ENOMEM;
	err = late_make(inst, tb, mask) ?: aead_register_instance(tmpl, inst);
	if (err)
		late_free(inst);
	return err;
}

static struct crypto_template late_template = {
	.name = "late",
	.create = late_create,
	.module = THIS_MODULE,
};

static int late_set_make(const char *val, const struct kernel_param *param)
{
	char name[CRYPTO_MAX_ALG_NAME];
	struct crypto_aead *tfm;

	if (strscpy(name, val) < 0)
		return -ENAMETOOLONG;
	tfm = crypto_alloc_aead(strim(name), 0, 0);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	crypto_free_aead(tfm);
	return 0;
}

static const struct kernel_param_ops late_make_ops = {
	.set = late_set_make,
};

module_param_cb(make, &late_make_ops, NULL, 0200);
MODULE_PARM_DESC(make, "AEAD for the kernel to make");

static int __init late_init(void)
{
	int err;

	crypto_init_queue(&late_queue, LATE_QUEUE);
	late_wq = alloc_workqueue("late", WQ_UNBOUND | WQ_MEM_RECLAIM, 1);
	if (!late_wq)
		return -ENOMEM;
	err = crypto_register_template(&late_template);
	if (err)
		destroy_workqueue(late_wq);
	return err;
}

static void __exit late_exit(void)
{
	crypto_unregister_template(&late_template);
	destroy_workqueue(late_wq);
}

module_init(late_init);
module_exit(late_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("AEAD ciphers that answer later");
