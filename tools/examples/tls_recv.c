// SPDX-License-Identifier: GPL-2.0-only
/*
 * A receiver: tls_recv PORT FILE [1.3]. Takes one connection of tls_send and writes
 * the file that it sends.
 */
#include "example.h"

/* Make @sock a TLS socket and give it the key that it receives with. */
static void start_receiving(int sock, uint16_t version)
{
	struct tls12_crypto_info_aes_gcm_128 key;

	if (setsockopt(sock, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
		err(1, "TCP_ULP");
	key_fill(&key, version, 0);
	if (setsockopt(sock, SOL_TLS, TLS_RX, &key, sizeof(key)))
		err(1, "TLS_RX");
	explicit_bzero(&key, sizeof(key));
}

/*
 * Receive content of one type, and the type. Return: bytes; 0 at the end of the TCP
 * stream or for an empty record that is not data; -1 with errno.
 */
static ssize_t receive(int sock, void *buf, size_t len, uint8_t *type)
{
	char control[CMSG_SPACE(sizeof(*type))];
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(sock, &msg, 0);
	struct cmsghdr *cmsg;

	*type = RECORD_DATA;
	if (n < 0)
		return n;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_level == SOL_TLS &&
		    cmsg->cmsg_type == TLS_GET_RECORD_TYPE)
			*type = *CMSG_DATA(cmsg);
	return n;
}

/* The reason why receive() failed, in words for a user. */
static const char *reason(int error)
{
	switch (error) {
	case EBADMSG:
		return "a record is forged, damaged or cut, or the keys differ";
	case EMSGSIZE:
		return "a record header gives a length that TLS does not allow";
	case EINVAL:
		return "a record header gives another TLS version";
	case EKEYEXPIRED:
		return "the peer has sent a KeyUpdate: set the next key";
	default:
		return strerror(error);
	}
}

/* Read the line before the file, which may come in several pieces. */
static long long receive_size(int sock)
{
	char line[64];
	size_t at = 0;
	uint8_t type;

	do {
		if (at == sizeof(line) ||
		    receive(sock, line + at, 1, &type) != 1 || type != RECORD_DATA)
			errx(1, "no line with the size");
	} while (line[at++] != '\n');
	line[at - 1] = 0;
	if (strncmp(line, "size ", 5))
		errx(1, "not a size: %s", line);
	return atoll(line + 5);
}

int main(int argc, char **argv)
{
	static char buf[1 << 16];
	long long size, done = 0;
	uint8_t type;
	ssize_t n;
	int sock, file;

	if (argc < 3)
		errx(2, "usage: tls_recv PORT FILE [1.3]");
	file = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (file < 0)
		err(1, "%s", argv[2]);
	sock = accept_on(argv[1]);
	start_receiving(sock, argc > 3 ? TLS_1_3_VERSION : TLS_1_2_VERSION);

	size = receive_size(sock);
	for (;;) {
		n = receive(sock, buf, sizeof(buf), &type);
		if (n < 0)
			errx(1, "receive: %s", reason(errno));
		if (type != RECORD_DATA || !n)
			break;
		if (write(file, buf, n) != n)
			err(1, "%s", argv[2]);
		done += n;
	}
	/* An attacker can end a TCP stream; only the alert is the end of the TLS stream. */
	if (type != RECORD_ALERT || n != 2 || buf[1] != 0)
		errx(1, "the stream was cut: no close_notify");
	if (done != size)
		errx(1, "%lld of %lld bytes", done, size);
	printf("%lld bytes\n", done);
	return 0;
}
