// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys that a device gets in advance. If the kernel renews the keys of a receiving side, it can
 * derive the next ones, and a device that holds them continues by itself after a KeyUpdate. The
 * reader of the socket follows later. The device must never lack a key that the reader has;
 * otherwise the link is dropped.
 */

#include <crypto/hash.h>
#include <linux/module.h>
#include <linux/unaligned.h>
#include <net/tls.h>
#include <net/tls_ext.h>

#include "aead.h"
#include "offload_link.h"
#include "offload_next.h"
#include "renew.h"
#include "rx_side.h"
#include "work.h"

#define TLS_NEXT_FIRST	2	/* keys in advance at the start */
#define TLS_NEXT_MAX	8	/* keys in advance, for a peer that renews often */

/**
 * struct tls_rx_next - the keys that a device holds for a receiving side
 * @link:	the link; the socket's direction holds a reference of it
 * @lock:	guards @hmac, @secret and @given
 * @hmac:	hash for deriving secrets; NULL after tls_offload_next_stop(). It changes
 *		under the socket lock, too, so either lock is enough to read it
 * @secret:	secret of the key @given
 * @hash:	TLS_EXT_HASH_*
 * @key:	version and cipher of the keys; the key itself only while it is given
 * @given:	number of the newest key that the device has; 0 is the key of tls_dev_add
 * @used:	number of the key that the device uses, by its last report
 * @now:	number of the key in force for the reader; under the socket lock
 * @ahead:	number of keys that the device should have beside the key in use
 * @forgotten:	the device has lost the context
 * @work:	gives keys to the device
 *
 * Keys are numbered from tls_dev_add on.
 */
struct tls_rx_next {
	struct tls_link *link;
	struct mutex lock;	/* guards hmac, secret and given */
	struct crypto_shash *hmac;
	u8 secret[TLS_SECRET_MAX];
	u32 hash;
	struct tls_newkey key;
	u32 given;
	u32 used;
	u32 now;
	u32 ahead;
	bool forgotten;
	struct delayed_work work;
};

/* Wipes the key, but not its version and cipher. */
static void tls_next_wipe_key(struct tls_rx_next *next)
{
	const size_t head = sizeof(struct tls_crypto_info);

	memzero_explicit((u8 *)&next->key.info + head,
			 sizeof(next->key.info) - head);
}

static int tls_next_to_device(struct tls_rx_next *next)
{
	struct tls_link *link = next->link;
	const struct tls_offload_next *ops;
	int err = -ENODEV;

	down_read(&tls_dev_sem);
	if (!READ_ONCE(link->lost)) {
		ops = tls_dev_next(link->dev);
		err = ops ? ops->key(link->dev, link->ctx, &next->key.info.info,
				     next->given + 1) : -EOPNOTSUPP;
	}
	up_read(&tls_dev_sem);
	return err;
}

/* Derives the next key and gives it to the device. After an error nothing has changed. */
static int tls_next_give(struct tls_rx_next *next)
{
	u8 secret[TLS_SECRET_MAX];
	int err;

	err = tls_renew_ahead(next->hmac, next->hash, next->secret, secret,
			      &next->key) ?: tls_next_to_device(next);
	if (!err) {
		memcpy(next->secret, secret, sizeof(secret));
		WRITE_ONCE(next->given, next->given + 1);
	}
	tls_next_wipe_key(next);
	memzero_explicit(secret, sizeof(secret));
	return err;
}

static bool tls_next_wants(const struct tls_rx_next *next)
{
	u32 at = max(READ_ONCE(next->used), READ_ONCE(next->now));

	return next->hmac && next->given < at + READ_ONCE(next->ahead);
}

/*
 * Gives keys until the device has enough. If it has no room, the next KeyUpdate or report tries
 * again.
 */
static void tls_next_fill(struct tls_rx_next *next)
{
	int err = 0;

	mutex_lock(&next->lock);
	while (!err && tls_next_wants(next))
		err = tls_next_give(next);
	mutex_unlock(&next->lock);
}

static void tls_next_work(struct work_struct *work)
{
	tls_next_fill(container_of(to_delayed_work(work), struct tls_rx_next,
				   work));
}

static void tls_next_end(struct tls_rx_next *next)
{
	mutex_lock(&next->lock);
	crypto_free_shash(next->hmac);
	next->hmac = NULL;
	memzero_explicit(next->secret, sizeof(next->secret));
	mutex_unlock(&next->lock);
}

/**
 * tls_offload_next_start() - give a device the next keys of a receiving side
 * @rx:		the receiving side; the socket is locked
 *
 * Called when a device takes the side, and when the kernel gets its secret. Nothing
 * changes if the device or its driver takes no keys in advance, or if memory is
 * missing: the link then ends at the next KeyUpdate.
 */
void tls_offload_next_start(struct tls_rx *rx)
{
	struct tls_renew *renew = rx->renew;
	struct tls_rx_next *next;

	if (rx->next || !tls_renew_owns(renew) || !rx->link ||
	    READ_ONCE(rx->link->lost) || rx->key_pending ||
	    !tls_dev_next(rx->link->dev))
		return;
	next = kzalloc(sizeof(*next), GFP_KERNEL_ACCOUNT);
	if (!next)
		return;
	next->hmac = tls_renew_hash(renew->hash);
	if (!next->hmac) {
		kfree(next);
		return;
	}
	next->link = rx->link;
	next->hash = renew->hash;
	memcpy(next->secret, renew->secret, sizeof(next->secret));
	next->key.info.info = rx->ctx->ctx.crypto_recv.info;
	next->key.cipher = rx->aead.cipher;
	next->ahead = TLS_NEXT_FIRST;
	mutex_init(&next->lock);
	INIT_DELAYED_WORK(&next->work, tls_next_work);
	/* Pairs with tls_offload_key_used(). */
	smp_store_release(&rx->next, next);
	/* Given at once, because the next record may be the peer's KeyUpdate. */
	tls_next_fill(next);
}

/**
 * tls_offload_next_stop() - give the device no further keys, and wipe the secret
 * @rx:		the receiving side; the socket is locked
 *
 * The device keeps the keys that it has. The link ends at the next KeyUpdate.
 */
void tls_offload_next_stop(struct tls_rx *rx)
{
	if (rx->next) {
		disable_delayed_work_sync(&rx->next->work);
		tls_next_end(rx->next);
	}
}

/**
 * tls_offload_next_free() - undo tls_offload_next_start()
 * @rx:		the receiving side; the socket is locked, tls_dev_del has returned
 */
void tls_offload_next_free(struct tls_rx *rx)
{
	tls_offload_next_stop(rx);
	kfree_sensitive(rx->next);
	rx->next = NULL;
}

/**
 * tls_offload_next_follows() - tell whether the device has the key after the one in force
 * @rx:		the receiving side, which received a KeyUpdate; the socket is locked
 *
 * If the device does not have the next key yet, this function gives it.
 *
 * Return: true if the device continues with the next key.
 */
bool tls_offload_next_follows(struct tls_rx *rx)
{
	struct tls_rx_next *next = rx->next;

	if (!next || !next->hmac || READ_ONCE(next->link->lost))
		return false;
	if (READ_ONCE(next->given) == next->now)
		tls_next_fill(next);
	return READ_ONCE(next->given) > next->now;
}

/**
 * tls_offload_next_step() - note that the next key is in force for the reader
 * @rx:		the receiving side, after tls_offload_next_follows()
 */
void tls_offload_next_step(struct tls_rx *rx)
{
	WRITE_ONCE(rx->next->now, rx->next->now + 1);
	tls_work_queue(&rx->next->work, 0);
}

/**
 * tls_offload_next_forgotten() - tell whether the device has lost the context
 * @rx:		the receiving side, with a link
 *
 * Return: true if it has; the caller has to drop the link.
 */
bool tls_offload_next_forgotten(const struct tls_rx *rx)
{
	return rx->next && READ_ONCE(rx->next->forgotten);
}

/**
 * tls_offload_next_resync() - tell the device where a record of one of its keys begins
 * @rx:		the receiving side, with a link that is not lost
 * @sk:		its socket, locked
 * @seq:	TCP sequence number, as for tls_dev_resync
 * @sn:		record number, 8 bytes big-endian
 * @pending:	the record has the key after the one in force
 *
 * Context: RCU.
 * Return: false without keys in advance: tls_dev_resync has to be called.
 */
bool tls_offload_next_resync(struct tls_rx *rx, struct sock *sk, u32 seq,
			     const u8 *sn, bool pending)
{
	const struct tls_offload_next *ops;
	struct net_device *dev;

	if (!rx->next || !READ_ONCE(rx->next->given))
		return false;
	dev = rx->link->dev;
	ops = tls_dev_next(dev);
	if (ops)
		ops->resync(dev, sk, seq, get_unaligned_be64(sn),
			    rx->next->now + pending);
	return true;
}

static struct tls_rx_next *tls_next_of(const struct sock *sk)
{
	struct tls_rx *rx = tls_rx(sk);

	/* Pairs with tls_offload_next_start(). */
	return rx ? smp_load_acquire(&rx->next) : NULL;
}

/**
 * tls_offload_key_used() - report that a NIC continues with one of the keys in advance
 * @sk:		the socket
 * @key_no:	number of the key
 *
 * Context: any; between tls_dev_add and tls_dev_del of the receiving side.
 */
void tls_offload_key_used(struct sock *sk, u32 key_no)
{
	struct tls_rx_next *next = tls_next_of(sk);

	if (!next || key_no <= READ_ONCE(next->used))
		return;
	WRITE_ONCE(next->used, key_no);
	WRITE_ONCE(next->ahead, min(2 * READ_ONCE(next->ahead), TLS_NEXT_MAX));
	tls_work_queue(&next->work, 0);
}
EXPORT_SYMBOL_GPL(tls_offload_key_used);

/**
 * tls_offload_key_lost() - report that a NIC has lost a context with keys in advance
 * @sk:		the socket
 *
 * The connection leaves the NIC at its next record, and may get a NIC again later.
 *
 * Context: as tls_offload_key_used().
 */
void tls_offload_key_lost(struct sock *sk)
{
	struct tls_rx_next *next = tls_next_of(sk);

	if (next)
		WRITE_ONCE(next->forgotten, true);
}
EXPORT_SYMBOL_GPL(tls_offload_key_lost);
