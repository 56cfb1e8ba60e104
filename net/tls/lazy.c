// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measured costs of both ways: the time in which a NIC takes a context, and the time
 * of a byte in software. A direction that asks for a NIC after as many bytes as one
 * set-up is worth costs at most twice as much as the better of both ways. The averages
 * are those of all sockets and devices. They are written without a lock: a lost value
 * does no harm.
 */

#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <uapi/linux/tls_ext.h>

#include "lazy.h"

#define TLS_LAZY_GUESS	8192U	/* bytes, before both costs are known */
#define TLS_LAZY_WEIGHT	8	/* a new value counts 1 / TLS_LAZY_WEIGHT */
#define TLS_LAZY_PEAK	4	/* values above so many averages count as so many */
#define TLS_LAZY_MIN_NS	8U	/* least average, so that it can still grow */

/* Averages of one direction; 0: not known yet. */
struct tls_lazy {
	u64 setup_ns;	/* of tls_dev_add() */
	u64 kib_ns;	/* of 1024 bytes in software */
};

static struct tls_lazy tls_lazy[2];	/* by direction */

static void tls_lazy_average(u64 *average, u64 value)
{
	u64 old = READ_ONCE(*average);

	value = min_t(u64, value, NSEC_PER_SEC);
	if (old)
		value = (old * (TLS_LAZY_WEIGHT - 1) +
			 min(value, old * TLS_LAZY_PEAK)) / TLS_LAZY_WEIGHT;
	WRITE_ONCE(*average, max(value, TLS_LAZY_MIN_NS));
}

/**
 * tls_lazy_count_record() - note the cost of a record in software
 * @dir:	direction
 * @len:	bytes encrypted or decrypted
 * @ns:		time that it took
 *
 * Short records say little about the cost of a byte, and are left out.
 */
void tls_lazy_count_record(enum tls_offload_ctx_dir dir, u32 len, u64 ns)
{
	if (len >= 1024)
		tls_lazy_average(&tls_lazy[dir].kib_ns, div_u64(ns * 1024, len));
}

/**
 * tls_lazy_count_setup() - note the cost of giving a direction to a NIC
 * @dir:	direction
 * @ns:		time that tls_dev_add() took
 */
void tls_lazy_count_setup(enum tls_offload_ctx_dir dir, u64 ns)
{
	tls_lazy_average(&tls_lazy[dir].setup_ns, ns);
}

/**
 * tls_lazy_measured() - bytes in software that cost as much as a set-up
 * @dir:	direction
 *
 * Return: the number, at most TLS_EXT_LAZY_MAX.
 */
u32 tls_lazy_measured(enum tls_offload_ctx_dir dir)
{
	u64 setup = READ_ONCE(tls_lazy[dir].setup_ns);
	u64 kib = READ_ONCE(tls_lazy[dir].kib_ns);

	if (!setup || !kib)
		return TLS_LAZY_GUESS;
	return min(div64_u64(setup * 1024, kib), TLS_EXT_LAZY_MAX);
}
