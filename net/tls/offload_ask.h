/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _TLS_OFFLOAD_ASK_H
#define _TLS_OFFLOAD_ASK_H

#include <net/tls.h>

/**
 * struct tls_ask - last search of one direction of a socket for a device
 * @generation:	count of device events at that time
 * @route:	device that the socket sent through then
 * @retry:	time of the next search in jiffies, or 0
 * @backoff:	jiffies from one refusal to the next
 * @full:	refusal by a device without room
 * @lazy:	no search before @lazy_end
 * @warm:	enough bytes were sent or received; @lazy is not set again
 * @why:	enum tls_why of the last search, or 0
 * @lazy_end:	sequence number of the first search
 */
struct tls_ask {
	u32 generation;
	bool full;
	bool lazy;
	bool warm;
	u8 why;
	u32 lazy_end;
	const void *route;
	unsigned long retry;
	unsigned long backoff;
};

void tls_ask_done(struct tls_ask *ask);
void tls_ask_all(void);
void tls_ask_again(struct tls_ask *ask);
void tls_ask_failed(struct sock *sk, struct tls_ask *ask,
		    enum tls_offload_ctx_dir dir, int err);
void tls_ask_room(void);
bool tls_ask_due(struct sock *sk, const struct tls_ask *ask,
		 enum tls_offload_ctx_dir dir);

#endif /* _TLS_OFFLOAD_ASK_H */
