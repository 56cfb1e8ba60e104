// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load for measurements in the guest under the counting plugin: transfers a known
 * number of bytes to or from the peer, or sets up TLS and closes it, with a marker
 * instruction before and after each measured batch. Buffers are touched before the
 * first marker, and the peer confirms a batch before the second one, so that all
 * work for the batch, and no other, is measured.
 *
 *	load FIGURE MODE TLS SIZE COUNT BATCHES PEER
 *
 * FIGURE	number in the markers, 0..255
 * MODE		send, sendfile, sendfile_zc (without the copy), recv; rr: one byte
 *		there and one back; setup, setup_rx: TLS_TX or TLS_RX and close;
 *		life: TLS_TX, SIZE bytes in records of up to 16 KiB, and close
 * TLS		plain, 1.2, 1.3 (AES-128-GCM)
 * SIZE		bytes in one call, and so in one record; life: in one connection
 * COUNT	calls in one batch; setup, life: connections
 * BATCHES	measured batches; two more go before, to warm up
 * PEER		address of tests/bench/peer.py
 *
 * Prints the increase of the card's counters over the measured batches, and the time
 * in nanoseconds, a line each:
 *	stat FIGURE NAME GAIN
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "marker.h"
#include "stats.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif
#ifndef TCP_ULP
#define TCP_ULP		31
#endif

#define PORT		5001
#define WARM_UP		2
#define MAX_SIZE	(1 << 20)
#define MAX_LIFE	(64 << 20)
#define RECORD		16384
#define CONFIRMED	(4 << 20)	/* bytes of a life that the peer confirms together */

struct job {
	unsigned int figure;
	const char *mode;
	const char *tls;
	unsigned long size;
	unsigned long count;
	unsigned int batches;
	const char *peer;
	int file;
	char *buf;
};

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/*
 * The marker's operand is part of the instruction, so there is a copy for each
 * figure.
 */
#define MARK_CASE(op, n)	case n: MARKER(op, n); break
#define MARK_8(op, n)							\
	MARK_CASE(op, (n)); MARK_CASE(op, (n) + 1);			\
	MARK_CASE(op, (n) + 2); MARK_CASE(op, (n) + 3);			\
	MARK_CASE(op, (n) + 4); MARK_CASE(op, (n) + 5);			\
	MARK_CASE(op, (n) + 6); MARK_CASE(op, (n) + 7)
#define MARK_32(op, n)							\
	MARK_8(op, n); MARK_8(op, (n) + 8);				\
	MARK_8(op, (n) + 16); MARK_8(op, (n) + 24)

static void mark_start(unsigned int figure)
{
	switch (figure) {
	MARK_32(MARKER_START, 0);
	MARK_32(MARKER_START, 32);
	}
}

static void mark_stop(unsigned int figure)
{
	switch (figure) {
	MARK_32(MARKER_STOP, 0);
	MARK_32(MARKER_STOP, 32);
	}
}

static bool is(const char *word, const char *other)
{
	return !strcmp(word, other);
}

static unsigned int overhead(const struct job *job)
{
	if (is(job->tls, "plain"))
		return 0;
	return is(job->tls, "1.2") ? 5 + 8 + 16 : 5 + 1 + 16;
}

static void put(int fd, const void *data, size_t len)
{
	if (write(fd, data, len) != (ssize_t)len)
		die("write");
}

/* Return the bytes on the wire that the peer confirms. */
static unsigned long confirmed(const struct job *job)
{
	unsigned long part;

	if (!is(job->mode, "life"))
		return job->count * (job->size + overhead(job));
	part = job->size < CONFIRMED ? job->size : CONFIRMED;
	return part + (part + RECORD - 1) / RECORD * overhead(job);
}

/* Connect to the peer, and tell it the job before TLS is set up. */
static int dial(const struct job *job)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
	};
	unsigned long batch = confirmed(job);
	char line[128];
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	int len;

	inet_pton(AF_INET, job->peer, &to.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	len = snprintf(line, sizeof(line), "%s %s %lu %lu %lu\n",
		       is(job->mode, "recv") ? "source" :
		       is(job->mode, "rr") ? "echo" : "sink", job->tls,
		       batch, job->size, job->count);
	put(fd, line, len);
	return fd;
}

static void tls_start(int fd, const char *version, int direction)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = is(version, "1.2") ? TLS_1_2_VERSION :
						     TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
		/* the peer has the same key, see peer.py */
		.key = "0123456789abcde",
		.salt = "vkt",
		.iv = "bench-i",
	};

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
		die("TCP_ULP");
	if (setsockopt(fd, SOL_TLS, direction, &info, sizeof(info)))
		die("SOL_TLS");
}

static void send_batch(const struct job *job, int fd)
{
	unsigned long i;
	ssize_t n;
	char ack;

	for (i = 0; i < job->count; i++) {
		n = send(fd, job->buf, job->size, 0);
		if (n != (ssize_t)job->size)
			die("send");
	}
	if (recv(fd, &ack, 1, 0) != 1)
		die("no confirmation");
}

static void sendfile_batch(const struct job *job, int fd)
{
	size_t left = job->size * job->count;
	off_t at = 0;
	ssize_t n;
	char ack;

	for (; left; left -= n) {
		n = sendfile(fd, job->file, &at, left);
		if (n <= 0)
			die("sendfile");
	}
	if (recv(fd, &ack, 1, 0) != 1)
		die("no confirmation");
}

static void recv_batch(const struct job *job, int fd)
{
	size_t left = job->size * job->count;
	ssize_t n;

	put(fd, "g", 1);
	for (; left; left -= n) {
		n = recv(fd, job->buf, job->size, 0);
		if (n <= 0)
			die("recv");
	}
}

static void rr_batch(const struct job *job, int fd)
{
	unsigned long i;
	char byte = 'r';

	for (i = 0; i < job->count; i++) {
		put(fd, &byte, 1);
		if (recv(fd, &byte, 1, 0) != 1)
			die("recv");
	}
}

static void (*batch_of(const struct job *job))(const struct job *job, int fd)
{
	if (is(job->mode, "sendfile") || is(job->mode, "sendfile_zc"))
		return sendfile_batch;
	if (is(job->mode, "recv"))
		return recv_batch;
	return is(job->mode, "rr") ? rr_batch : send_batch;
}

static void move_start(const struct job *job, int fd)
{
	int one = 1;

	if (is(job->tls, "plain"))
		return;
	tls_start(fd, job->tls, is(job->mode, "recv") ? TLS_RX : TLS_TX);
	if (is(job->mode, "sendfile_zc") &&
	    setsockopt(fd, SOL_TLS, TLS_TX_ZEROCOPY_RO, &one, sizeof(one)))
		die("TLS_TX_ZEROCOPY_RO");
}

static void move(const struct job *job)
{
	void (*batch)(const struct job *job, int fd) = batch_of(job);
	struct timespec start, end;
	int fd = dial(job);
	unsigned int i;

	move_start(job, fd);
	for (i = 0; i < WARM_UP; i++)
		batch(job, fd);
	stats_start();
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 0; i < job->batches; i++) {
		mark_start(job->figure);
		batch(job, fd);
		mark_stop(job->figure);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	stats_print(job->figure);
	printf("stat %u ns %lld\n", job->figure, (end.tv_sec - start.tv_sec) * 1000000000ll +
	       end.tv_nsec - start.tv_nsec);
	close(fd);
}

static void setup_batch(const struct job *job, const int *fds)
{
	unsigned long i;

	for (i = 0; i < job->count; i++)
		if (!is(job->tls, "plain"))
			tls_start(fds[i], job->tls,
				  is(job->mode, "setup_rx") ? TLS_RX : TLS_TX);
	for (i = 0; i < job->count; i++)
		close(fds[i]);
	usleep(100000);		/* deferred work of the kernel counts, too */
}

static void life_send(const struct job *job, int fd)
{
	size_t done = 0, n;
	char ack;

	while (done < job->size) {
		n = job->size - done < RECORD ? job->size - done : RECORD;
		if (send(fd, job->buf, n, 0) != (ssize_t)n)
			die("send");
		done += n;
		if ((done % CONFIRMED == 0 || done == job->size) && recv(fd, &ack, 1, 0) != 1)
			die("no confirmation");
	}
}

static void life_batch(const struct job *job, const int *fds)
{
	unsigned long i;

	for (i = 0; i < job->count; i++) {
		if (!is(job->tls, "plain"))
			tls_start(fds[i], job->tls, TLS_TX);
		life_send(job, fds[i]);
		close(fds[i]);
	}
	usleep(100000);
}

/*
 * Measure set-up of TLS and close, and with "life" the use in between. The connections
 * are made before the marker.
 */
static void setup(const struct job *job)
{
	void (*batch)(const struct job *job, const int *fds) =
		is(job->mode, "life") ? life_batch : setup_batch;
	int *fds = calloc(job->count, sizeof(*fds));
	unsigned long n;
	unsigned int i;

	if (!fds)
		die("memory");
	for (i = 0; i < job->batches + WARM_UP; i++) {
		for (n = 0; n < job->count; n++)
			fds[n] = dial(job);
		usleep(100000);
		if (i >= WARM_UP)
			mark_start(job->figure);
		batch(job, fds);
		if (i >= WARM_UP)
			mark_stop(job->figure);
	}
	free(fds);
}

static void prepare(struct job *job)
{
	size_t len = job->size * job->count, done;

	job->buf = aligned_alloc(4096, MAX_SIZE);
	if (!job->buf)
		die("memory");
	memset(job->buf, 0x5a, MAX_SIZE);
	if (batch_of(job) != sendfile_batch)
		return;
	job->file = memfd_create("load", 0);
	for (done = 0; done < len; done += job->size)
		put(job->file, job->buf, job->size);
}

int main(int argc, char **argv)
{
	unsigned long most;
	struct job job;

	if (argc != 8) {
		fprintf(stderr, "usage: load FIGURE MODE TLS SIZE COUNT BATCHES PEER\n");
		return 2;
	}
	job = (struct job) {
		.figure = atoi(argv[1]), .mode = argv[2], .tls = argv[3],
		.size = atol(argv[4]), .count = atol(argv[5]),
		.batches = atoi(argv[6]), .peer = argv[7],
	};
	most = is(job.mode, "life") ? MAX_LIFE : MAX_SIZE;
	if (!job.size || job.size > most || job.figure > 63) {
		fprintf(stderr, "load: SIZE is 1..%lu, FIGURE 0..63\n", most);
		return 2;
	}
	prepare(&job);
	if (!strncmp(job.mode, "setup", 5) || is(job.mode, "life"))
		setup(&job);
	else
		move(&job);
	return 0;
}
