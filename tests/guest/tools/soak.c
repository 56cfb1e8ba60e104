// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens, uses and closes many kernel TLS connections, one after another, each in
 * one of the ways of a table: content read, unread, held back, damaged, spliced,
 * with a change of key. This program checks the content that arrives. After it has
 * ended, the caller checks that the kernel has freed all memory.
 *
 *	soak FIRST COUNT	connections number FIRST to FIRST + COUNT - 1
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TCP_ULP
#define TCP_ULP		31
#endif
#ifndef SOL_TLS
#define SOL_TLS		282
#endif

#define DATA		23
#define HANDSHAKE	22
#define ALERT		21
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MOST		40000

/* Each kind of key begins with the same header. */
union key {
	struct tls_crypto_info info;
	unsigned char bytes[64];
};

static const struct {
	unsigned short number;
	size_t size;
} ciphers[] = {
	{ TLS_CIPHER_AES_GCM_128, sizeof(struct tls12_crypto_info_aes_gcm_128) },
	{ TLS_CIPHER_AES_GCM_256, sizeof(struct tls12_crypto_info_aes_gcm_256) },
	{ TLS_CIPHER_AES_CCM_128, sizeof(struct tls12_crypto_info_aes_ccm_128) },
	{ TLS_CIPHER_CHACHA20_POLY1305,
	  sizeof(struct tls12_crypto_info_chacha20_poly1305) },
};

struct flow {
	unsigned int number;
	int near;
	int far;
	bool tls13;
	unsigned int cipher;
};

static unsigned char sent[MOST], got[MOST];
static unsigned int current;
static int file;	/* file with the content of sent[] */

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "soak: connection %u: ", current);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (%s)\n", strerror(errno));
	exit(1);
}

static void must(const char *what, bool good)
{
	if (!good)
		die("%s", what);
}

/* ---- Connections and keys ---- */

static int server_socket(struct sockaddr_in *at)
{
	socklen_t size = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	must("bind", !bind(fd, (void *)at, size) && !listen(fd, 8));
	must("getsockname", !getsockname(fd, (void *)at, &size));
	return fd;
}

/*
 * Set a time limit, so that a lost record makes the test fail instead of wait
 * for ever.
 */
static void limit_waiting(int fd)
{
	struct timeval limit = { .tv_sec = 20 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static void tcp_pair(struct flow *flow)
{
	static struct sockaddr_in at;
	static int server;

	if (!server)
		server = server_socket(&at);
	flow->near = socket(AF_INET, SOCK_STREAM, 0);
	must("connect", !connect(flow->near, (void *)&at, sizeof(at)));
	flow->far = accept(server, NULL, NULL);
	must("accept", flow->far >= 0);
	limit_waiting(flow->near);
	limit_waiting(flow->far);
}

static void ulp(int fd)
{
	must("TCP_ULP", !setsockopt(fd, SOL_TCP, TCP_ULP, "tls", 4));
}

static void new_key(const struct flow *flow, union key *key)
{
	must("getrandom", getrandom(key, sizeof(*key), 0) == sizeof(*key));
	key->info.version = flow->tls13 ? TLS_1_3_VERSION : TLS_1_2_VERSION;
	key->info.cipher_type = ciphers[flow->cipher].number;
}

static int set_key(const struct flow *flow, int fd, int way, const union key *key)
{
	return setsockopt(fd, SOL_TLS, way, key, ciphers[flow->cipher].size);
}

/* Give both ends the key for one direction. */
static void share_key(const struct flow *flow, int from, int to)
{
	union key key;

	new_key(flow, &key);
	must("TLS_TX", !set_key(flow, from, TLS_TX, &key));
	must("TLS_RX", !set_key(flow, to, TLS_RX, &key));
}

static void both_tls(struct flow *flow)
{
	ulp(flow->near);
	ulp(flow->far);
	share_key(flow, flow->near, flow->far);
	share_key(flow, flow->far, flow->near);
}

/* ---- Content ---- */

static size_t some(const struct flow *flow)
{
	return 1 + flow->number * 7919u % 9000;
}

static void put(int fd, size_t size, int flags)
{
	must("send", send(fd, sent, size, flags) == (ssize_t)size);
}

static void expect(int fd, size_t size)
{
	size_t have = 0;
	ssize_t ret;

	while (have < size) {
		ret = recv(fd, got + have, size - have, 0);
		must("recv", ret > 0);
		have += ret;
	}
	must("content", !memcmp(got, sent, size));
}

static void send_type(int fd, unsigned char type, const void *data, size_t size)
{
	char room[CMSG_SPACE(1)] = { 0 };
	struct iovec part = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1,
			      .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_TLS;
	head->cmsg_type = TLS_SET_RECORD_TYPE;
	head->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(head) = type;
	must("sendmsg", sendmsg(fd, &msg, 0) == (ssize_t)size);
}

static void expect_type(int fd, unsigned char type, size_t size)
{
	char room[CMSG_SPACE(1)] = { 0 };
	struct iovec part = { .iov_base = got, .iov_len = sizeof(got) };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1,
			      .msg_control = room, .msg_controllen = sizeof(room) };

	must("recvmsg", recvmsg(fd, &msg, 0) == (ssize_t)size);
	must("type", CMSG_FIRSTHDR(&msg) && *CMSG_DATA(CMSG_FIRSTHDR(&msg)) == type);
}

static void expect_error(int fd, int wanted)
{
	must("error", recv(fd, got, sizeof(got), 0) < 0 && errno == wanted);
}

/* ---- Ways to use a connection ---- */

static void use_both_ways(struct flow *flow)
{
	both_tls(flow);
	put(flow->near, some(flow), 0);
	expect(flow->far, some(flow));
	put(flow->far, some(flow), 0);
	expect(flow->near, some(flow));
}

static void use_large(struct flow *flow)
{
	both_tls(flow);
	put(flow->near, MOST, 0);
	expect(flow->far, MOST);
}

static void use_held(struct flow *flow)
{
	both_tls(flow);
	put(flow->near, some(flow), MSG_MORE);
}

static void use_unread(struct flow *flow)
{
	both_tls(flow);
	put(flow->near, some(flow), 0);
	put(flow->near, some(flow), 0);
	put(flow->far, some(flow), 0);
}

static void use_half_read(struct flow *flow)
{
	both_tls(flow);
	put(flow->near, some(flow), 0);
	expect(flow->far, (some(flow) + 1) / 2);
}

static void use_peeked(struct flow *flow)
{
	both_tls(flow);
	put(flow->near, some(flow), 0);
	must("peek", recv(flow->far, got, 1, MSG_PEEK) == 1 && got[0] == sent[0]);
}

static void use_control(struct flow *flow)
{
	both_tls(flow);
	put(flow->near, some(flow), MSG_MORE);
	send_type(flow->near, ALERT, "\1\0", 2);
	expect(flow->far, some(flow));
	expect_type(flow->far, ALERT, 2);
}

static void use_sendfile(struct flow *flow)
{
	off_t at = 0;

	both_tls(flow);
	must("sendfile", sendfile(flow->near, file, &at, some(flow)) ==
			 (ssize_t)some(flow));
	expect(flow->far, some(flow));
}

static void use_splice(struct flow *flow)
{
	ssize_t size;
	int ends[2];

	both_tls(flow);
	must("pipe", !pipe(ends));
	put(flow->near, some(flow), 0);
	size = splice(flow->far, NULL, ends[1], NULL, some(flow), 0);
	must("splice", size > 0);
	must("read", read(ends[0], got, (size + 1) / 2) == (size + 1) / 2);
	must("content", !memcmp(got, sent, (size + 1) / 2));
	close(ends[0]);
	close(ends[1]);
}

static void use_new_key(struct flow *flow)
{
	static const unsigned char update[] = { 24, 0, 0, 1, 0 };

	flow->tls13 = true;
	both_tls(flow);
	put(flow->near, some(flow), 0);
	send_type(flow->near, HANDSHAKE, update, sizeof(update));
	expect(flow->far, some(flow));
	expect_type(flow->far, HANDSHAKE, sizeof(update));
	expect_error(flow->far, EKEYEXPIRED);
	share_key(flow, flow->near, flow->far);
	put(flow->near, some(flow), 0);
	expect(flow->far, some(flow));
}

static void use_garbage(struct flow *flow)
{
	union key key;

	new_key(flow, &key);
	ulp(flow->near);
	must("TLS_RX", !set_key(flow, flow->near, TLS_RX, &key));
	memset(got, 0xff, 64);
	must("send", send(flow->far, got, 64, 0) == 64);
	must("error", recv(flow->near, got, 64, 0) < 0);
}

static void use_other_keys(struct flow *flow)
{
	union key key;

	ulp(flow->near);
	ulp(flow->far);
	new_key(flow, &key);
	must("TLS_TX", !set_key(flow, flow->near, TLS_TX, &key));
	new_key(flow, &key);
	must("TLS_RX", !set_key(flow, flow->far, TLS_RX, &key));
	put(flow->near, some(flow), 0);
	expect_error(flow->far, EBADMSG);
}

static void use_half_set_up(struct flow *flow)
{
	union key key;

	ulp(flow->near);
	ulp(flow->far);
	new_key(flow, &key);
	must("TLS_TX", !set_key(flow, flow->near, TLS_TX, &key));
	key.info.cipher_type = 99;
	must("refused", set_key(flow, flow->near, TLS_RX, &key) < 0);
	put(flow->near, some(flow), 0);
}

/* Send until TCP takes no more, so that close comes with records not sent. */
static void use_full(struct flow *flow)
{
	int small = 4096;

	setsockopt(flow->near, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(flow->far, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	both_tls(flow);
	while (send(flow->near, sent, MOST, MSG_DONTWAIT) > 0)
		;
	must("full", errno == EAGAIN);
}

static void use_shut_down(struct flow *flow)
{
	both_tls(flow);
	put(flow->near, some(flow), MSG_MORE);
	shutdown(flow->near, SHUT_WR);
	expect(flow->far, some(flow));
	must("end", !recv(flow->far, got, sizeof(got), 0));
}

static void use_nothing(struct flow *flow)
{
	both_tls(flow);
}

static void (*const uses[])(struct flow *flow) = {
	use_both_ways, use_held, use_unread, use_half_read, use_control,
	use_sendfile, use_splice, use_new_key, use_garbage, use_peeked,
	use_half_set_up, use_full, use_other_keys, use_shut_down, use_large,
	use_nothing,
};

/* Close one end: one in four with a reset, the others in order. */
static void close_end(const struct flow *flow, int fd, unsigned int reset)
{
	struct linger now = { .l_onoff = 1 };

	if (flow->number / ARRAY_SIZE(uses) / 2 % 4 == reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/*
 * Use one connection. In the course of numbers each use is combined with each
 * cipher, each version and each way to close.
 */
static void one(unsigned int number)
{
	unsigned int turn = number / ARRAY_SIZE(uses);
	struct flow flow = { .number = number, .tls13 = turn & 1,
			     .cipher = turn / 8 % ARRAY_SIZE(ciphers) };

	current = number;
	tcp_pair(&flow);
	uses[number % ARRAY_SIZE(uses)](&flow);
	close_end(&flow, flow.near, 2);
	close_end(&flow, flow.far, 3);
}

static void make_content(void)
{
	size_t i;

	for (i = 0; i < MOST; i++)
		sent[i] = i * 2654435761u >> 13;
	file = memfd_create("content", 0);
	must("file", write(file, sent, MOST) == MOST);
}

int main(int argc, char **argv)
{
	unsigned int i, first, count;

	if (argc != 3) {
		fprintf(stderr, "usage: soak FIRST COUNT\n");
		return 1;
	}
	first = atoi(argv[1]);
	count = atoi(argv[2]);
	make_content();
	for (i = 0; i < count; i++)
		one(first + i);
	return 0;
}
