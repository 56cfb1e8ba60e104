// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives the traffic secrets of TLS 1.3 to this repository's tls.ko, for programs that have no
 * support for it:
 *
 *	LD_PRELOAD=libtlskeys.so nginx
 *
 * OpenSSL and GnuTLS pass their secrets to a callback for key logs. When a library then sets a key
 * (TLS_TX, TLS_RX), the secret from which that key is derived belongs to the socket. A secret is
 * wiped when the kernel has it, when SECRETS newer ones have come, and at the end of the program.
 *
 * Environment: TLSKEYS_RECORDS and TLSKEYS_AGE_MS are the limits of keys for sending; with
 * TLSKEYS_VERBOSE a message on stderr tells of each secret given. With another tls.ko than this
 * repository's, the library has no effect.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/tls.h>

#include "../include/uapi/linux/tls_ext.h"
#include "../net/tls/secret.h"

#ifndef SOL_TLS
#define SOL_TLS	282
#endif

#define SECRETS		64
#define PUBLIC		__attribute__((visibility("default")))

/* Types of OpenSSL; only pointers to them are used here. */
struct ssl_st;
struct ssl_ctx_st;

static void openssl_line(const struct ssl_st *ssl, const char *line);

/* A secret of one direction of a connection. */
struct entry {
	unsigned char len;	/* bytes of the secret; 0: the entry is free */
	int fd;			/* socket that waits for its secret to send first, or -1 */
	unsigned char secret[TLS_SECRET_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry entries[SECRETS];	/* guarded by lock */
static unsigned int newest;		/* guarded by lock */

/* The environment at the program's start; nginx, for one, clears it later. */
static struct tls_ext_key_limits limits;
static bool limited, verbose;

__attribute__((constructor)) static void read_environment(void)
{
	const char *records = getenv("TLSKEYS_RECORDS");
	const char *age = getenv("TLSKEYS_AGE_MS");

	limits.records = records ? strtoull(records, NULL, 10) : 0;
	limits.age_ms = age ? strtoul(age, NULL, 10) : 0;
	limited = records || age;
	verbose = getenv("TLSKEYS_VERBOSE");
}

/*
 * The function that this library's function of the same name hides. A TLS library that belongs to a
 * plugin is not among the program's libraries, and is opened by its name.
 */
static void *behind(const char *name)
{
	static const char *const libraries[] = {
		"libssl.so.3", "libssl.so.1.1", "libcrypto.so.3",
		"libcrypto.so.1.1", "libgnutls.so.30",
	};
	void *found = dlsym(RTLD_NEXT, name), *handle;
	unsigned int i;

	for (i = 0; !found && i < sizeof(libraries) / sizeof(*libraries); i++) {
		handle = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
		if (!handle)
			continue;
		found = dlsym(handle, name);
		dlclose(handle);
	}
	return found;
}

#define REAL(type, name)						\
	({								\
		static type real;					\
									\
		if (!real)						\
			real = (type)behind(name);			\
		real;							\
	})

static void say(int fd, const char *what, int err)
{
	if (verbose)
		dprintf(STDERR_FILENO, "tlskeys: socket %d, %s: %s\n", fd, what,
			err ? strerror(err) : "given");
}

static void wipe(struct entry *entry)
{
	explicit_bzero(entry, sizeof(*entry));
}

__attribute__((destructor)) static void wipe_all(void)
{
	pthread_mutex_lock(&lock);
	explicit_bzero(entries, sizeof(entries));
	pthread_mutex_unlock(&lock);
}

/* True if a label of the key log names a secret of application data. */
static bool wanted(const char *label)
{
	static const char server[] = "SERVER_TRAFFIC_SECRET_0";
	static const char client[] = "CLIENT_TRAFFIC_SECRET_0";

	return !strncmp(label, server, sizeof(server) - 1) ||
	       !strncmp(label, client, sizeof(client) - 1);
}

static void remember(const unsigned char *secret, size_t len)
{
	struct entry *entry;

	if (len != 32 && len != 48)
		return;
	pthread_mutex_lock(&lock);
	entry = &entries[newest++ % SECRETS];
	wipe(entry);
	entry->len = len;
	entry->fd = -1;
	memcpy(entry->secret, secret, len);
	pthread_mutex_unlock(&lock);
}

/* HMAC of the TLS library that the program has. */
static int hmac(void *arg, const __u8 *key, __u32 key_len, const __u8 *data,
		__u32 len, __u8 *out)
{
	bool sha384 = *(unsigned char *)arg == 48;
	__typeof__(gnutls_hmac_fast) *gnutls;
	const void *(*evp)(void);
	unsigned char *(*openssl)(const void *md, const void *key, int key_len,
				  const unsigned char *data, size_t len,
				  unsigned char *out, unsigned int *out_len);

	gnutls = REAL(__typeof__(gnutls), "gnutls_hmac_fast");
	if (gnutls)
		return gnutls(sha384 ? GNUTLS_MAC_SHA384 : GNUTLS_MAC_SHA256,
			      key, key_len, data, len, out);
	openssl = REAL(__typeof__(openssl), "HMAC");
	evp = (__typeof__(evp))behind(sha384 ? "EVP_sha384" : "EVP_sha256");
	if (!openssl || !evp)
		return -ENOENT;
	return openssl(evp(), key, key_len, data, len, out, NULL) ? 0 : -EIO;
}

/* A key as the program set it, by its place in the structure of its cipher. */
struct key {
	const unsigned char *at;
	unsigned char len;
};

static bool find_key(struct key *key, const void *info, socklen_t len)
{
	const struct tls_crypto_info *head = info;
	unsigned int iv_len = TLS_CIPHER_AES_GCM_128_IV_SIZE;

	if (len < sizeof(*head) || head->version != TLS_1_3_VERSION)
		return false;
	switch (head->cipher_type) {
	case TLS_CIPHER_AES_GCM_128:
	case TLS_CIPHER_AES_CCM_128:
		key->len = TLS_CIPHER_AES_GCM_128_KEY_SIZE;
		break;
	case TLS_CIPHER_AES_GCM_256:
		key->len = TLS_CIPHER_AES_GCM_256_KEY_SIZE;
		break;
	case TLS_CIPHER_CHACHA20_POLY1305:
		key->len = TLS_CIPHER_CHACHA20_POLY1305_KEY_SIZE;
		iv_len = TLS_CIPHER_CHACHA20_POLY1305_IV_SIZE;
		break;
	default:
		return false;
	}
	key->at = (const unsigned char *)info + sizeof(*head) + iv_len;
	return len >= sizeof(*head) + iv_len + key->len;
}

static bool derives(struct entry *entry, const struct key *key)
{
	struct tls_hkdf hkdf = {
		.len = entry->len,
		.hmac = hmac,
		.arg = &entry->len,
	};
	unsigned char derived[TLS_SECRET_MAX], iv[TLS_SECRET_IV];
	bool same;

	same = entry->len &&
	       !tls_secret_key(&hkdf, entry->secret, derived, key->len, iv) &&
	       !memcmp(derived, key->at, key->len);
	explicit_bzero(derived, sizeof(derived));
	explicit_bzero(iv, sizeof(iv));
	return same;
}

static int real_setsockopt(int fd, int level, int name, const void *value,
			   socklen_t len)
{
	__typeof__(setsockopt) *real;

	real = REAL(__typeof__(real), "setsockopt");
	return real(fd, level, name, value, len);
}

/* Give a secret to a socket. Return 0 or an errno. */
static int give(int fd, bool tx, const struct entry *entry)
{
	struct tls_ext_secret secret = {
		.hash = entry->len == 48 ? TLS_EXT_HASH_SHA384 :
					   TLS_EXT_HASH_SHA256,
	};
	int err = 0;

	memcpy(secret.secret, entry->secret, entry->len);
	if (real_setsockopt(fd, SOL_TLS,
			    tx ? TLS_EXT_TX_SECRET : TLS_EXT_RX_SECRET, &secret,
			    sizeof(secret)))
		err = errno;
	explicit_bzero(&secret, sizeof(secret));
	say(fd, tx ? "secret to send" : "secret to receive", err);
	return err;
}

static void set_limits(int fd)
{
	if (limited &&
	    real_setsockopt(fd, SOL_TLS, TLS_EXT_TX_LIMITS, &limits,
			    sizeof(limits)))
		say(fd, "limits", errno);
}

/*
 * When a socket has its secret for sending, it can answer KeyUpdates: now give it the secret for
 * receiving that waited.
 */
static void give_waiting(int fd)
{
	unsigned int i;

	for (i = 0; i < SECRETS; i++)
		if (entries[i].len && entries[i].fd == fd) {
			give(fd, false, &entries[i]);
			wipe(&entries[i]);
		}
}

static void key_was_set(int fd, bool tx, const struct key *key)
{
	struct entry *entry;
	unsigned int i;
	int err;

	pthread_mutex_lock(&lock);
	for (i = 0; i < SECRETS; i++) {
		entry = &entries[(newest - 1 - i) % SECRETS];
		if (!derives(entry, key))
			continue;
		err = give(fd, tx, entry);
		if (err == ENOKEY && !tx)
			entry->fd = fd;
		else
			wipe(entry);
		if (!err && tx) {
			set_limits(fd);
			give_waiting(fd);
		}
		break;
	}
	pthread_mutex_unlock(&lock);
}

PUBLIC int setsockopt(int fd, int level, int name, const void *value,
		      socklen_t len)
{
	int ret = real_setsockopt(fd, level, name, value, len), saved = errno;
	struct key key;

	if (level != SOL_TLS || (name != TLS_TX && name != TLS_RX))
		return ret;
	/* The library does not know how often the kernel has renewed the key. */
	if (ret && saved == EKEYREJECTED)
		return 0;
	if (ret || !find_key(&key, value, len))
		return ret;
	key_was_set(fd, name == TLS_TX, &key);
	errno = saved;
	return 0;
}

static int nibble(char c)
{
	return isdigit((unsigned char)c) ? c - '0' :
					   tolower((unsigned char)c) - 'a' + 10;
}

/* Parse a line of the key log: label, the client's random, the secret, both in hexadecimal. */
static void remember_line(const char *line)
{
	unsigned char secret[TLS_SECRET_MAX];
	const char *hex = strrchr(line, ' ');
	size_t len = hex ? strlen(++hex) / 2 : 0, i;

	if (!wanted(line) || len > sizeof(secret))
		return;
	for (i = 0; i < len; i++)
		secret[i] = nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]);
	remember(secret, len);
	explicit_bzero(secret, sizeof(secret));
}

/* The program's own callback for key logs, used for all of its contexts. */
static __typeof__(openssl_line) *program_keylog;

static void openssl_line(const struct ssl_st *ssl, const char *line)
{
	remember_line(line);
	if (program_keylog)
		program_keylog(ssl, line);
}

static void openssl_listen(struct ssl_ctx_st *ctx)
{
	void (*set)(struct ssl_ctx_st *ctx, __typeof__(openssl_line) *keylog);

	set = REAL(__typeof__(set), "SSL_CTX_set_keylog_callback");
	if (ctx && set)
		set(ctx, openssl_line);
}

PUBLIC void SSL_CTX_set_keylog_callback(struct ssl_ctx_st *ctx, __typeof__(openssl_line) *keylog)
{
	program_keylog = keylog;
	openssl_listen(ctx);
}

PUBLIC struct ssl_ctx_st *SSL_CTX_new(const void *method)
{
	struct ssl_ctx_st *(*make)(const void *method), *ctx;

	make = REAL(__typeof__(make), "SSL_CTX_new");
	ctx = make ? make(method) : NULL;
	openssl_listen(ctx);
	return ctx;
}

PUBLIC struct ssl_ctx_st *SSL_CTX_new_ex(void *libctx, const char *propq,
					 const void *method)
{
	struct ssl_ctx_st *(*make)(void *libctx, const char *propq,
				   const void *method);
	struct ssl_ctx_st *ctx;

	make = REAL(__typeof__(make), "SSL_CTX_new_ex");
	ctx = make ? make(libctx, propq, method) : NULL;
	openssl_listen(ctx);
	return ctx;
}

static int gnutls_line(gnutls_session_t session, const char *label,
		       const gnutls_datum_t *secret)
{
	(void)session;
	if (wanted(label))
		remember(secret->data, secret->size);
	return 0;
}

PUBLIC int gnutls_init(gnutls_session_t *session, unsigned int flags)
{
	__typeof__(gnutls_session_set_keylog_function) *set;
	__typeof__(gnutls_init) *make;
	int ret;

	make = REAL(__typeof__(make), "gnutls_init");
	set = REAL(__typeof__(set), "gnutls_session_set_keylog_function");
	ret = make ? make(session, flags) : GNUTLS_E_INTERNAL_ERROR;
	if (!ret && set)
		set(*session, gnutls_line);
	return ret;
}
