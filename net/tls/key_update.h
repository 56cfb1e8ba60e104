/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_KEY_UPDATE_H
#define _TLS_KEY_UPDATE_H

#include <linux/types.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif

#define TLS_KEY_UPDATE_LEN	5

/* Alerts, RFC 8446 section 6 */
#define TLS_ALERT_UNEXPECTED_MESSAGE	10
#define TLS_ALERT_ILLEGAL_PARAMETER	47
#define TLS_ALERT_DECODE_ERROR		50

/* A key ends so many records before its limit: room for KeyUpdate and alerts. */
#define TLS_KEY_RESERVE		16
#define TLS_KEY_LIMIT_MIN	64

/**
 * struct tls_ku_scan - position in a stream of handshake messages
 * @skip:	bytes left of the message that is being passed over
 * @hdr_len:	bytes collected in @hdr
 * @hdr:	a message header that records may cut
 * @tail:	bytes at the end of this record that belong to a KeyUpdate
 * @found:	a KeyUpdate ended in this record
 * @request:	it asks for a KeyUpdate in return
 */
struct tls_ku_scan {
	__u32 skip;
	__u8 hdr_len;
	__u8 hdr[4];
	__u8 tail;
	bool found;
	bool request;
};

/**
 * struct tls_ku_rate - how often the peer may change its key
 * @row:	KeyUpdates in a row that are taken
 * @per_second:	KeyUpdates in one second that are taken
 * @in_row:	KeyUpdates since the last record of another kind
 * @in_second:	KeyUpdates since @since
 * @since:	begin of a second, milliseconds
 */
struct tls_ku_rate {
	__u32 row, per_second;
	__u32 in_row, in_second;
	__u64 since;
};

void tls_ku_scan_begin(struct tls_ku_scan *scan);
int tls_ku_scan(struct tls_ku_scan *scan, const __u8 *buf, __u32 len);
void tls_ku_build(__u8 *out, bool request);
bool tls_ku_rate_take(struct tls_ku_rate *rate, bool in_row, __u64 now_ms);
__u64 tls_key_warn_at(__u64 limit);
__u64 tls_key_end_at(__u64 limit);

#endif /* _TLS_KEY_UPDATE_H */
