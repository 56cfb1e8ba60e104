// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ciphers that closed sockets leave for the next ones: to give one another key
 * takes the crypto API an eighth of what it takes to make one. They wait with a key
 * of zeros. What was not needed for a second is let go, and so is everything when
 * the kernel gets a new algorithm, for a new socket is to have the best there is.
 */

#include <crypto/algapi.h>
#include <linux/notifier.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/tls.h>

#include "idle.h"
#include "tls_main.h"

#define TLS_IDLE_MAX	64	/* of each cipher */
#define TLS_IDLE_PERIOD	HZ

/**
 * struct tls_idle - a stack of ciphers of one kind
 * @num:	how many there are
 * @old:	how many at the bottom are from before the last new algorithm
 * @low:	the fewest that there were since the last look
 * @tfm:	the ciphers
 */
struct tls_idle {
	unsigned int num, old, low;
	struct crypto_aead *tfm[TLS_IDLE_MAX];
};

static DEFINE_SPINLOCK(tls_idle_lock);		/* all of these */
static struct tls_idle tls_idles[TLS_CIPHERS];
static u32 tls_idle_gen = 1;			/* of algorithms */
static bool tls_idle_watched;			/* the work is queued */

static const u8 tls_zero_key[TLS_CIPHER_AES_GCM_256_KEY_SIZE] __aligned(16);

static struct tls_idle *tls_idle_of(const struct tls_cipher *cipher)
{
	return &tls_idles[cipher->type - TLS_CIPHER_AES_GCM_128];
}

/**
 * tls_idle_generation() - what a cipher is to remember that is made now
 *
 * Return: a number, never 0.
 */
u32 tls_idle_generation(void)
{
	return READ_ONCE(tls_idle_gen);
}

/**
 * tls_idle_get() - take a cipher that waits
 * @cipher:	which kind
 *
 * Return: one with the size of its tag set, to be given a key; or NULL.
 */
struct crypto_aead *tls_idle_get(const struct tls_cipher *cipher)
{
	struct tls_idle *idle = tls_idle_of(cipher);
	struct crypto_aead *tfm = NULL;

	spin_lock(&tls_idle_lock);
	if (idle->num > idle->old) {
		tfm = idle->tfm[--idle->num];
		idle->low = min(idle->low, idle->num);
	}
	spin_unlock(&tls_idle_lock);
	return tfm;
}

static void tls_idle_watch(struct work_struct *work);
static DECLARE_DELAYED_WORK(tls_idle_work, tls_idle_watch);

static void tls_idle_watch_locked(unsigned long delay)
{
	if (!tls_idle_watched)
		tls_work_queue(&tls_idle_work, delay);
	tls_idle_watched = true;
}

/* A driver's own may go with its device, which must not find it in use. */
static bool tls_idle_fits(struct crypto_aead *tfm)
{
	return !(crypto_aead_alg(tfm)->base.cra_flags &
		 CRYPTO_ALG_KERN_DRIVER_ONLY);
}

/* A socket that memory is written out through must not wait for memory. */
static bool tls_idle_wipe(const struct tls_cipher *cipher,
			  struct crypto_aead *tfm)
{
	unsigned int flags = memalloc_noio_save();
	int err = crypto_aead_setkey(tfm, tls_zero_key, cipher->key_len);

	memalloc_noio_restore(flags);
	return !err;
}

static bool tls_idle_push(struct tls_idle *idle, struct crypto_aead *tfm,
			  u32 generation)
{
	bool fits;

	spin_lock(&tls_idle_lock);
	fits = generation == tls_idle_gen && idle->num < TLS_IDLE_MAX;
	if (fits) {
		idle->tfm[idle->num++] = tfm;
		tls_idle_watch_locked(TLS_IDLE_PERIOD);
	}
	spin_unlock(&tls_idle_lock);
	return fits;
}

/**
 * tls_idle_put() - leave a cipher for the next socket
 * @cipher:	which kind
 * @tfm:	the cipher; its key is wiped, and it may be freed
 * @generation:	from when it was made
 *
 * Context: process.
 */
void tls_idle_put(const struct tls_cipher *cipher, struct crypto_aead *tfm,
		  u32 generation)
{
	if (!tls_idle_fits(tfm) || !tls_idle_wipe(cipher, tfm) ||
	    !tls_idle_push(tls_idle_of(cipher), tfm, generation))
		crypto_free_aead(tfm);
}

/* Takes from the bottom what is to be freed; returns how many. */
static unsigned int tls_idle_drain(struct tls_idle *idle,
				   struct crypto_aead **tfm)
{
	unsigned int n;

	spin_lock(&tls_idle_lock);
	n = max(idle->old, idle->low);
	memcpy(tfm, idle->tfm, n * sizeof(*tfm));
	idle->num -= n;
	memmove(idle->tfm, idle->tfm + n, idle->num * sizeof(*tfm));
	idle->old = 0;
	idle->low = idle->num;
	if (idle->num)
		tls_idle_watch_locked(TLS_IDLE_PERIOD);
	spin_unlock(&tls_idle_lock);
	return n;
}

static void tls_idle_watch(struct work_struct *work)
{
	struct crypto_aead *tfm[TLS_IDLE_MAX];
	unsigned int i, n;

	spin_lock(&tls_idle_lock);
	tls_idle_watched = false;
	spin_unlock(&tls_idle_lock);
	for (i = 0; i < TLS_CIPHERS; i++) {
		n = tls_idle_drain(&tls_idles[i], tfm);
		while (n)
			crypto_free_aead(tfm[--n]);
	}
}

static void tls_idle_expire(void)
{
	unsigned int i;

	spin_lock(&tls_idle_lock);
	WRITE_ONCE(tls_idle_gen, tls_idle_gen + 1 ?: 1);
	for (i = 0; i < TLS_CIPHERS; i++)
		tls_idles[i].old = tls_idles[i].num;
	spin_unlock(&tls_idle_lock);
}

/* The crypto API holds a lock here that freeing may want. */
static int tls_idle_event(struct notifier_block *nb, unsigned long event,
			  void *unused)
{
	if (event != CRYPTO_MSG_ALG_LOADED)
		return NOTIFY_DONE;
	tls_idle_expire();
	return NOTIFY_OK;
}

static struct notifier_block tls_idle_notifier = {
	.notifier_call = tls_idle_event,
};

/**
 * tls_idle_init() - begin to keep ciphers
 *
 * Return: 0 or an error.
 */
int tls_idle_init(void)
{
	return crypto_register_notifier(&tls_idle_notifier);
}

/**
 * tls_idle_fini() - undo tls_idle_init(); no socket is left
 */
void tls_idle_fini(void)
{
	crypto_unregister_notifier(&tls_idle_notifier);
	disable_delayed_work_sync(&tls_idle_work);
	tls_idle_expire();
	tls_idle_watch(NULL);
}
