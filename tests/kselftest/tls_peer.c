// SPDX-License-Identifier: GPL-2.0
/*
 * The remote end of a connection under test. It needs no NIC with TLS offload and no
 * interpreter: the test copies the program to the remote machine and sends it commands,
 * which are lines of text over a separate TCP connection. The answer to each command is
 * a line, too: "ok NAME=VALUE..." or "error ERRNO".
 *
 *   listen                         listen on a new port: port=
 *   md5 ADDRESS                    require TCP-MD5 (RFC 2385) from ADDRESS on the port
 *   accept                         accept the next connection on the port: id=
 *   key ID rx|tx VERSION CIPHER GEN SEQ   set a key of the connection
 *   read ID TOTAL                  read and compare data, TOTAL bytes in all
 *   send ID BYTES SIZE             send the next BYTES of the pattern, SIZE in each call
 *   control ID TYPE HEX            send a record of another type than data
 *   stat ID                        rx= bad= tx= left= eof= err= handshakes= types=
 *   shut ID, close ID, reset ID    end the connection
 *   capture IFNAME                 capture frames to the port; then "captured", and "open
 *                                  VERSION CIPHER GEN SEQ CLEAR" to open their records
 *   quit
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_peer.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif
#ifndef TCP_ULP
#define TCP_ULP		31
#endif
#ifndef EKEYEXPIRED
#define EKEYEXPIRED	127
#endif

#define CONNS		65536
#define CHUNK		0x20000	/* largest number of bytes in a call */
#define TYPES		128
#define WAIT_MS		60000

struct conn {
	int fd;
	bool ulp, eof;
	int err;
	__u64 rx, rx_end, bad;	/* data bytes received, to receive; calls with wrong data */
	__u64 tx, tx_end;
	unsigned int size;	/* bytes of each send */
	unsigned int handshakes;	/* records with handshake messages */
	char types[TYPES];	/* records of other types, each "TYPE:LENGTH:FIRST," */
};

static const struct cipher ciphers[] = {
	{ "aes-gcm-128", TLS_CIPHER_AES_GCM_128, 16, 4, 8 },
	{ "aes-gcm-256", TLS_CIPHER_AES_GCM_256, 32, 4, 8 },
	{ "aes-ccm-128", TLS_CIPHER_AES_CCM_128, 16, 4, 8 },
	{ "chacha20-poly1305", TLS_CIPHER_CHACHA20_POLY1305, 32, 0, 12 },
};

static struct conn *conns[CONNS];
static unsigned int conn_count;
static int listener = -1;
static unsigned short port;

const struct cipher *cipher_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(ciphers) / sizeof(*ciphers); i++)
		if (!strcmp(ciphers[i].name, name))
			return &ciphers[i];
	return NULL;
}

/* Fill in the structure for TLS_TX or TLS_RX. Returns its size. */
size_t key_derive(const struct traffic_key *key, struct key_bytes *out)
{
	size_t len = key->cipher->iv + key->cipher->key + key->cipher->salt;
	__u32 x;
	size_t i;

	out->info.version = key->version;
	out->info.cipher_type = key->cipher->number;
	for (i = 0; i < len; i++) {
		x = 0x9e3779b9u * (2 * key->gen + key->up + 1) + 0x85ebca6bu * i;
		x = (x ^ (x >> 13)) * 0xc2b2ae35u;
		out->rest[i] = x >> 16;
	}
	for (i = 0; i < 8; i++)
		out->rest[len + i] = key->seq >> (56 - 8 * i);
	return sizeof(out->info) + len + 8;
}

/*
 * Write data bytes from position @pos on: repeated units of PLAIN_MARK and the unit's
 * number.
 */
void pattern_fill(unsigned char *out, __u64 pos, size_t len)
{
	char unit[PLAIN_UNIT + 1];
	size_t at, n;

	while (len) {
		at = pos % PLAIN_UNIT;
		n = len < PLAIN_UNIT - at ? len : PLAIN_UNIT - at;
		snprintf(unit, sizeof(unit), "%s%08x", PLAIN_MARK,
			 (unsigned int)(pos / PLAIN_UNIT));
		memcpy(out, unit + at, n);
		out += n;
		pos += n;
		len -= n;
	}
}

bool pattern_is(const unsigned char *data, __u64 pos, size_t len)
{
	static unsigned char want[CHUNK];

	pattern_fill(want, pos, len);
	return !memcmp(want, data, len);
}

/* Append a record of another type than data to the list. */
static void conn_note(struct conn *c, int type, const unsigned char *data, size_t len)
{
	size_t used = strlen(c->types);

	c->handshakes += type == TYPE_HANDSHAKE;
	snprintf(c->types + used, sizeof(c->types) - used, "%d:%zu:%d,", type, len,
		 len ? data[0] : -1);
}

/* Read once; the bytes are from records of one type. */
static void conn_read(struct conn *c)
{
	static unsigned char data[CHUNK];
	__u64 want = c->rx_end - c->rx;
	struct iovec iov = { data, want < CHUNK ? want : CHUNK };
	char control[CMSG_SPACE(1)] = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	int type = TYPE_DATA;
	socklen_t size = sizeof(c->err);
	ssize_t n;

	if (!want) {	/* no data is wanted: the event is an error */
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &c->err, &size);
		c->err = c->err ?: EPIPE;
		return;
	}
	n = recvmsg(c->fd, &msg, MSG_DONTWAIT);
	if (n < 0) {
		c->err = errno == EAGAIN || errno == EINTR ? 0 : errno;
		return;
	}
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_TLS && cmsg->cmsg_type == TLS_GET_RECORD_TYPE)
		type = *(unsigned char *)CMSG_DATA(cmsg);
	if (type != TYPE_DATA) {
		conn_note(c, type, data, n);
	} else if (!n) {
		c->eof = true;
	} else {
		c->bad += !pattern_is(data, c->rx, n);
		c->rx += n;
	}
}

static void conn_write(struct conn *c)
{
	static unsigned char data[CHUNK];
	__u64 left = c->tx_end - c->tx;
	size_t len = left < c->size ? left : c->size;
	ssize_t n;

	pattern_fill(data, c->tx, len);
	n = send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0)
		c->tx += n;
	else if (errno != EAGAIN && errno != EINTR)
		c->err = errno;
}

static short conn_events(const struct conn *c)
{
	if (!c || c->fd < 0 || c->err)
		return 0;
	return (c->rx < c->rx_end && !c->eof ? POLLIN : 0) |
	       (c->tx < c->tx_end ? POLLOUT : 0);
}

static void conn_close(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static struct conn *conn_of(const char *word)
{
	unsigned int id = word ? strtoul(word, NULL, 10) : CONNS;

	return id < conn_count ? conns[id] : NULL;
}

static int listen_on(unsigned short at)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(at) };
	int one = 1, no = 0, fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 1024)) {
		close(fd);
		return -errno;
	}
	return fd;
}

static int accept_from(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	int one = 1, got;

	if (poll(&wait, 1, WAIT_MS) <= 0)
		return -ETIMEDOUT;
	got = accept(fd, NULL, NULL);
	if (got < 0)
		return -errno;
	setsockopt(got, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return got;
}

static int do_listen(char *out, size_t len)
{
	struct sockaddr_in6 at;
	socklen_t size = sizeof(at);

	if (listener >= 0)
		close(listener);
	listener = listen_on(0);
	if (listener < 0)
		return listener;
	if (getsockname(listener, (struct sockaddr *)&at, &size))
		return -errno;
	port = ntohs(at.sin6_port);
	snprintf(out, len, "port=%u", port);
	return 0;
}

/* Require TCP-MD5 from an address; IPv4 addresses are mapped to IPv6. */
static int do_md5(const char *address)
{
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 };
	struct tcp_md5sig md5 = { .tcpm_keylen = strlen(MD5_KEY) };

	if (inet_pton(AF_INET6, address, &from.sin6_addr) != 1)
		return -EINVAL;
	memcpy(&md5.tcpm_addr, &from, sizeof(from));
	memcpy(md5.tcpm_key, MD5_KEY, strlen(MD5_KEY));
	return setsockopt(listener, IPPROTO_TCP, TCP_MD5SIG, &md5, sizeof(md5)) ? -errno : 0;
}

static int do_accept(char *out, size_t len)
{
	struct conn *c;
	int fd;

	if (conn_count == CONNS)
		return -ENOSPC;
	fd = accept_from(listener);
	if (fd < 0)
		return fd;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->fd = fd;
	snprintf(out, len, "id=%u", conn_count);
	conns[conn_count++] = c;
	return 0;
}

/* Parse the words VERSION CIPHER GEN SEQ at @word. */
static int key_parse(char **word, struct traffic_key *key)
{
	key->version = !strcmp(word[0], "1.3") ? TLS_1_3_VERSION : TLS_1_2_VERSION;
	key->cipher = cipher_find(word[1]);
	key->gen = strtoul(word[2], NULL, 10);
	key->seq = strtoull(word[3], NULL, 10);
	return key->cipher ? 0 : -ENOENT;
}

static int do_key(struct conn *c, char **word)
{
	bool rx = !strcmp(word[2], "rx");
	struct traffic_key key = { .up = rx };
	struct key_bytes bytes;
	size_t len;
	int err;

	err = key_parse(word + 3, &key);
	if (err)
		return err;
	len = key_derive(&key, &bytes);
	if (!c->ulp && setsockopt(c->fd, IPPROTO_TCP, TCP_ULP, "tls", 3))
		return -errno;
	c->ulp = true;
	if (setsockopt(c->fd, SOL_TLS, rx ? TLS_RX : TLS_TX, &bytes, len))
		return -errno;
	if (rx && c->err == EKEYEXPIRED)
		c->err = 0;
	return 0;
}

static int do_control(struct conn *c, int type, const char *hex)
{
	char control[CMSG_SPACE(1)] = { 0 };
	unsigned char data[64];
	struct iovec iov = { data, 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	while (iov.iov_len < sizeof(data) && sscanf(hex, "%2hhx", &data[iov.iov_len]) == 1) {
		iov.iov_len++;
		hex += 2;
	}
	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(cmsg) = type;
	return sendmsg(c->fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int do_stat(const struct conn *c, char *out, size_t len)
{
	snprintf(out, len,
		 "rx=%llu bad=%llu tx=%llu left=%llu eof=%d err=%d handshakes=%u types=%s",
		 c->rx, c->bad, c->tx, c->tx_end - c->tx, c->eof, c->err, c->handshakes,
		 c->types);
	return 0;
}

static int do_reset(struct conn *c)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	conn_close(c);
	return 0;
}

static int do_send(struct conn *c, char **word)
{
	c->tx_end += strtoull(word[2], NULL, 10);
	c->size = strtoul(word[3], NULL, 10);
	return c->size && c->size <= CHUNK ? 0 : -EINVAL;
}

/* Execute a command about one connection, which the second word names. */
static int conn_command(struct conn *c, char **word, int words, char *out, size_t len)
{
	if (!c)
		return -EBADF;
	if (!strcmp(word[0], "key") && words == 7)
		return do_key(c, word);
	if (!strcmp(word[0], "read") && words == 3)
		c->rx_end = strtoull(word[2], NULL, 10);
	else if (!strcmp(word[0], "send") && words == 4)
		return do_send(c, word);
	else if (!strcmp(word[0], "control") && words == 4)
		return do_control(c, atoi(word[2]), word[3]);
	else if (!strcmp(word[0], "stat"))
		return do_stat(c, out, len);
	else if (!strcmp(word[0], "shut"))
		return shutdown(c->fd, SHUT_WR) ? -errno : 0;
	else if (!strcmp(word[0], "reset"))
		return do_reset(c);
	else if (!strcmp(word[0], "close"))
		conn_close(c);
	else
		return -EINVAL;
	return 0;
}

static int command(char *line, char *out, size_t len)
{
	struct traffic_key key = { .up = true };
	char *word[8] = { 0 }, *at = line;
	int words = 0, err;

	while (words < 8 && (word[words] = strtok(at, " \r\n"))) {
		at = NULL;
		words++;
	}
	*out = '\0';
	if (!words)
		return -EINVAL;
	if (!strcmp(word[0], "listen"))
		return do_listen(out, len);
	if (!strcmp(word[0], "accept"))
		return do_accept(out, len);
	if (!strcmp(word[0], "md5") && words == 2)
		return do_md5(word[1]);
	if (!strcmp(word[0], "capture") && words == 2)
		return wire_start(word[1], port);
	if (!strcmp(word[0], "captured"))
		return wire_report(out, len);
	if (!strcmp(word[0], "open") && words == 6) {
		err = key_parse(word + 1, &key);
		return err ? err : wire_open(&key, strtoull(word[5], NULL, 10), out, len);
	}
	return conn_command(conn_of(word[1]), word, words, out, len);
}

/*
 * Wait for events once and handle them. Returns -1 when the control connection has ended.
 */
static int step(FILE *control, int fd)
{
	static struct pollfd waits[CONNS + 2];
	char line[512], out[512];
	unsigned int i;
	int err;

	waits[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	waits[1] = (struct pollfd){ .fd = wire_fd(), .events = POLLIN };
	for (i = 0; i < conn_count; i++) {
		waits[i + 2].events = conn_events(conns[i]);
		waits[i + 2].fd = waits[i + 2].events ? conns[i]->fd : -1;
	}
	if (poll(waits, conn_count + 2, -1) < 0)
		return 0;
	if (waits[1].revents)
		wire_take();
	for (i = 0; i < conn_count; i++) {
		if (waits[i + 2].revents & POLLOUT)
			conn_write(conns[i]);
		if (waits[i + 2].revents & ~POLLOUT)
			conn_read(conns[i]);
	}
	if (!waits[0].revents)
		return 0;
	if (!fgets(line, sizeof(line), control) || !strncmp(line, "quit", 4))
		return -1;
	err = command(line, out, sizeof(out));
	if (err)
		return dprintf(fd, "error %d\n", -err) < 0 ? -1 : 0;
	return dprintf(fd, "ok %s\n", out) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct rlimit files = { CONNS, CONNS };
	FILE *control;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: %s PORT\n", argv[0]);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &files);
	fd = listen_on(atoi(argv[1]));
	if (fd >= 0)
		fd = accept_from(fd);
	if (fd < 0) {
		fprintf(stderr, "port %s: %s\n", argv[1], strerror(-fd));
		return 1;
	}
	control = fdopen(fd, "r");
	if (!control)
		return 1;
	/* a second command must not wait in a buffer that poll() does not know of */
	setvbuf(control, NULL, _IONBF, 0);
	while (!step(control, fd))
		;
	return 0;
}
