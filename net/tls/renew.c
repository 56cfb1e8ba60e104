// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys that the kernel renews: the secret of a direction, the life of its key, and
 * the next key derived from them. A secret is wiped when the next one is in force,
 * so that no old key can be had from a socket. It sends and receives nothing;
 * tx_control.c and rx_control.c do.
 */

#include <crypto/hash.h>
#include <net/tls.h>

#include "aead.h"
#include "offload.h"
#include "renew.h"
#include "work.h"

#define TLS_RENEW_ROW		32	/* KeyUpdates in a row */
#define TLS_RENEW_PER_SECOND	10000

static const struct {
	const char *hmac;
	u8 len;
} tls_hashes[] = {
	[TLS_EXT_HASH_SHA256] = { "hmac(sha256)", 32 },
	[TLS_EXT_HASH_SHA384] = { "hmac(sha384)", 48 },
};

static int tls_renew_hmac(void *arg, const u8 *key, u32 key_len, const u8 *data,
			  u32 len, u8 *out)
{
	struct crypto_shash *hmac = arg;

	return crypto_shash_setkey(hmac, key, key_len) ?:
	       crypto_shash_tfm_digest(hmac, data, len, out);
}

static struct tls_hkdf tls_renew_hkdf(struct crypto_shash *hmac, u32 hash)
{
	return (struct tls_hkdf) {
		.len = tls_hashes[hash].len,
		.hmac = tls_renew_hmac,
		.arg = hmac,
	};
}

static void tls_renew_age(struct work_struct *work)
{
	struct tls_renew *renew = container_of(to_delayed_work(work),
					       struct tls_renew, age);

	tls_tx_ask(renew->tx, TLS_TX_AGED);
}

/**
 * tls_renew_age_start() - start the timer for the age of a new key
 * @renew:	state of the direction
 */
void tls_renew_age_start(struct tls_renew *renew)
{
	cancel_delayed_work(&renew->age);
	if (renew->tx && renew->hmac && renew->max_age)
		tls_work_queue(&renew->age, msecs_to_jiffies(renew->max_age));
}

/**
 * tls_renew_alloc() - allocate the state for renewing keys of a direction
 * @tx:		the sending side, or NULL for the receiving direction
 *
 * Return: the state, without a secret and with the cipher's limits, or NULL.
 */
struct tls_renew *tls_renew_alloc(struct tls_tx *tx)
{
	struct tls_renew *renew = kzalloc(sizeof(*renew), GFP_KERNEL_ACCOUNT);

	if (!renew)
		return NULL;
	renew->tx = tx;
	renew->born = jiffies;
	renew->rate.row = TLS_RENEW_ROW;
	renew->rate.per_second = TLS_RENEW_PER_SECOND;
	INIT_DELAYED_WORK(&renew->age, tls_renew_age);
	return renew;
}

/**
 * tls_renew_stop() - stop the timer for the age of keys for good
 * @renew:	may be NULL
 *
 * Context: process, without the socket lock.
 */
void tls_renew_stop(struct tls_renew *renew)
{
	if (renew)
		disable_delayed_work_sync(&renew->age);
}

/**
 * tls_renew_free() - wipe the secret, and free
 * @renew:	stopped; may be NULL
 */
void tls_renew_free(struct tls_renew *renew)
{
	if (!renew)
		return;
	tls_renew_forget(renew);
	kfree_sensitive(renew);
}

/**
 * tls_renew_forget() - wipe the secret; the program renews the key
 * @renew:	may be NULL; the limits stay
 */
void tls_renew_forget(struct tls_renew *renew)
{
	if (!tls_renew_owns(renew))
		return;
	crypto_free_shash(renew->hmac);
	renew->hmac = NULL;
	renew->hash = TLS_EXT_HASH_NONE;
	memzero_explicit(renew->secret, sizeof(renew->secret));
	cancel_delayed_work(&renew->age);
}

/* Writes key, IV and number 0 of @secret into @key, which has version and cipher. */
static int tls_renew_fill(struct tls_newkey *key, const struct tls_hkdf *hkdf,
			  const u8 *secret)
{
	const struct tls_cipher *cipher = key->cipher;
	u8 *info = (u8 *)&key->info;
	u8 iv[TLS_SECRET_IV];
	int err;

	err = tls_secret_key(hkdf, secret, info + cipher->key_off,
			     cipher->key_len, iv);
	memcpy(info + cipher->salt_off, iv, cipher->salt_len);
	memcpy(info + cipher->iv_off, iv + cipher->salt_len, cipher->iv_len);
	memset(info + cipher->seq_off, 0, TLS_REC_SEQ_LEN);
	memzero_explicit(iv, sizeof(iv));
	return err;
}

/* Returns 0 if @secret gives the key @now, -EKEYREJECTED if not, or an error. */
static int tls_renew_verify(const struct tls_newkey *now,
			    const struct tls_hkdf *hkdf, const u8 *secret)
{
	struct tls_newkey key = { .cipher = now->cipher };
	int err = tls_renew_fill(&key, hkdf, secret);

	if (!err && !tls_newkey_same(&now->info, &key))
		err = -EKEYREJECTED;
	memzero_explicit(&key, sizeof(key));
	return err;
}

/**
 * tls_renew_secret() - take the secret of the key in force
 * @renew:	the direction's
 * @now:	the key in force, of TLS 1.3
 * @secret:	the program's
 *
 * Return: 0; -EINVAL for a hash that is not the cipher's, -EKEYREJECTED for a secret
 * that is not the key's, -ENOENT without that hash, -ENOMEM. After an error nothing
 * has changed.
 */
int tls_renew_secret(struct tls_renew *renew, const struct tls_newkey *now,
		     const struct tls_ext_secret *secret)
{
	struct crypto_shash *hmac;
	struct tls_hkdf hkdf;
	int err;

	if (!secret->hash || secret->hash != now->cipher->hash)
		return -EINVAL;
	hmac = crypto_alloc_shash(tls_hashes[secret->hash].hmac, 0, 0);
	if (IS_ERR(hmac))
		return PTR_ERR(hmac);
	hkdf = tls_renew_hkdf(hmac, secret->hash);
	err = tls_renew_verify(now, &hkdf, secret->secret);
	if (err) {
		crypto_free_shash(hmac);
		return err;
	}
	tls_renew_forget(renew);
	renew->hmac = hmac;
	renew->hash = secret->hash;
	memcpy(renew->secret, secret->secret, hkdf.len);
	tls_renew_age_start(renew);
	return 0;
}

/**
 * tls_renew_limits() - set the limits of keys
 * @renew:	state of the direction
 * @limits:	limits from the program
 *
 * Return: 0 or -EINVAL.
 */
int tls_renew_limits(struct tls_renew *renew,
		     const struct tls_ext_key_limits *limits)
{
	if (limits->flags & ~TLS_EXT_LIMIT_STRICT ||
	    (limits->records && limits->records < TLS_KEY_LIMIT_MIN))
		return -EINVAL;
	renew->limit = limits->records;
	renew->strict = limits->flags & TLS_EXT_LIMIT_STRICT;
	renew->max_age = limits->age_ms;
	renew->rate.row = limits->row ?: TLS_RENEW_ROW;
	renew->rate.per_second = limits->per_second ?: TLS_RENEW_PER_SECOND;
	tls_renew_age_start(renew);
	return 0;
}

/**
 * tls_renew_derive() - derive the next key and allocate its cipher
 * @renew:	state of the direction, with a secret
 * @next:	filled in; ends with tls_renew_done() or tls_successor_drop()
 * @now:	the key in force
 * @cipher:	its cipher
 *
 * Return: 0, or the crypto API's error, with nothing to drop.
 */
int tls_renew_derive(const struct tls_renew *renew, struct tls_successor *next,
		     const union tls_crypto_context *now,
		     const struct tls_cipher *cipher)
{
	struct tls_hkdf hkdf = tls_renew_hkdf(renew->hmac, renew->hash);
	int err;

	memset(next, 0, sizeof(*next));
	next->key.info.info = now->info;
	next->key.cipher = cipher;
	err = tls_secret_next(&hkdf, renew->secret, next->secret) ?:
	      tls_renew_fill(&next->key, &hkdf, next->secret) ?:
	      tls_newkey_prepare(&next->aead, &next->key);
	if (err)
		tls_successor_drop(next);
	return err;
}

/**
 * tls_renew_hash() - allocate the HMAC of a secret
 * @hash:	TLS_EXT_HASH_*, of a secret that a direction has
 *
 * Return: the HMAC, to be freed by crypto_free_shash(), or NULL.
 */
struct crypto_shash *tls_renew_hash(u32 hash)
{
	struct crypto_shash *hmac;

	hmac = crypto_alloc_shash(tls_hashes[hash].hmac, 0, 0);
	return IS_ERR(hmac) ? NULL : hmac;
}

/**
 * tls_renew_ahead() - derive the secret and key that follow a secret
 * @hmac:	from tls_renew_hash(); used by one caller at a time
 * @hash:	its hash
 * @secret:	the secret
 * @next:	TLS_SECRET_MAX bytes, to be wiped by the caller; not @secret
 * @key:	has version and cipher; to be wiped by the caller
 *
 * Return: 0, or the crypto API's error.
 */
int tls_renew_ahead(struct crypto_shash *hmac, u32 hash, const u8 *secret,
		    u8 *next, struct tls_newkey *key)
{
	struct tls_hkdf hkdf = tls_renew_hkdf(hmac, hash);

	return tls_secret_next(&hkdf, secret, next) ?:
	       tls_renew_fill(key, &hkdf, next);
}

/**
 * tls_successor_drop() - wipe a key that was not put in force
 * @next:	the key
 */
void tls_successor_drop(struct tls_successor *next)
{
	tls_aead_fini(&next->aead);
	memzero_explicit(next, sizeof(*next));
}

/**
 * tls_renew_done() - note that a derived key is in force
 * @renew:	the direction's
 * @next:	the key; wiped
 */
void tls_renew_done(struct tls_renew *renew, struct tls_successor *next)
{
	memcpy(renew->secret, next->secret, sizeof(renew->secret));
	tls_successor_drop(next);
	renew->updates++;
	renew->born = jiffies;
	tls_renew_age_start(renew);
}

/**
 * tls_renew_limit() - get the number of records that a key may protect
 * @renew:	the direction's, or NULL
 * @cipher:	the key's
 *
 * Return: the number; U64_MAX where record numbers end first.
 */
u64 tls_renew_limit(const struct tls_renew *renew,
		    const struct tls_cipher *cipher)
{
	u64 limit = renew ? renew->limit : 0;

	return limit ?: cipher->limit ?: U64_MAX;
}

/**
 * tls_renew_due() - get the record number at which a key has to be renewed or reported
 * @renew:	the direction's, or NULL
 * @cipher:	the key's
 *
 * Return: the number at which the kernel renews the key, or reports that it comes near
 * its limit.
 */
u64 tls_renew_due(const struct tls_renew *renew,
		  const struct tls_cipher *cipher)
{
	u64 limit = tls_renew_limit(renew, cipher);

	if (limit == U64_MAX)
		return limit;
	return tls_renew_owns(renew) && renew->tx ? tls_key_end_at(limit) :
						    tls_key_warn_at(limit);
}

/**
 * tls_tx_ask() - have the sending side send a message by itself
 * @tx:		the sending side
 * @bit:	TLS_TX_*
 *
 * Context: any.
 */
void tls_tx_ask(struct tls_tx *tx, int bit)
{
	set_bit(bit, &tx->control);
	tls_work_queue(&tx->work, 0);
}

/**
 * tls_tx_unask_updates() - end all requests for a KeyUpdate
 * @tx:		the sending side: it has sent one, or has no secret for it any more
 */
void tls_tx_unask_updates(struct tls_tx *tx)
{
	set_mask_bits(&tx->control, TLS_TX_UPDATES, 0UL);
}
