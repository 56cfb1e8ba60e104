/* SPDX-License-Identifier: GPL-2.0-only */
/* The costs that decide after how many bytes a NIC is worth its set-up. */
#ifndef TLS_LAZY_H
#define TLS_LAZY_H

#include <linux/types.h>
#include <net/tls.h>

#define TLS_LAZY_EVERY	16U	/* one record in so many is timed; a power of two */

/**
 * tls_lazy_due() - tell whether the time of a record in software is to be taken
 * @rec_seq:	the record's number, big endian
 */
static inline bool tls_lazy_due(const u8 *rec_seq)
{
	return !(rec_seq[TLS_MAX_REC_SEQ_SIZE - 1] & (TLS_LAZY_EVERY - 1));
}

void tls_lazy_count_record(enum tls_offload_ctx_dir dir, u32 len, u64 ns);
void tls_lazy_count_setup(enum tls_offload_ctx_dir dir, u64 ns);
u32 tls_lazy_measured(enum tls_offload_ctx_dir dir);

#endif
