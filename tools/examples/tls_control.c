// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending and receiving records that are not data: "tls_control listen PORT" prints the type and
 * length of each record that "tls_control HOST PORT" sends.
 */
#include "example.h"

static void start(int sock, int direction)
{
	struct tls12_crypto_info_aes_gcm_128 key;

	key_fill(&key, TLS_1_2_VERSION, 0);
	if (setsockopt(sock, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) ||
	    setsockopt(sock, SOL_TLS, direction, &key, sizeof(key)))
		err(1, "TLS");
}

static void send_record(int sock, uint8_t type, const void *data, size_t len)
{
	char control[CMSG_SPACE(sizeof(type))] = {};
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(sizeof(type));
	*CMSG_DATA(cmsg) = type;
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		err(1, "sendmsg");
}

static void send_some(int sock)
{
	static const uint8_t close_notify[] = { 1, 0 };

	start(sock, TLS_TX);
	if (send(sock, "one", 3, MSG_NOSIGNAL) != 3)
		err(1, "send");
	send_record(sock, RECORD_HANDSHAKE, "a handshake message", 19);
	if (send(sock, "two", 3, MSG_NOSIGNAL) != 3)
		err(1, "send");
	send_record(sock, RECORD_ALERT, close_notify, sizeof(close_notify));
	hang_up(sock);
}

/*
 * A call that has no room for the type gets data only. At another record it fails
 * with EIO, and the record waits for a call that has room.
 */
static ssize_t receive_data(int sock, void *buf, size_t len)
{
	return recv(sock, buf, len, 0);
}

static ssize_t receive_any(int sock, void *buf, size_t len, uint8_t *type)
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
	struct cmsghdr *cmsg = n < 0 ? NULL : CMSG_FIRSTHDR(&msg);

	*type = cmsg ? *CMSG_DATA(cmsg) : 0;
	return n;
}

static void receive_all(int sock)
{
	uint8_t type = RECORD_DATA;
	char buf[100];
	ssize_t n;

	start(sock, TLS_RX);
	while (type != RECORD_ALERT) {
		n = receive_data(sock, buf, sizeof(buf));
		if (n < 0 && errno == EIO) {
			n = receive_any(sock, buf, sizeof(buf), &type);
			if (n >= 0)
				printf("type %d: %zd bytes\n", type, n);
		} else if (n > 0) {
			printf("data: %zd bytes\n", n);
		}
		if (n <= 0)
			err(1, "receive");
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: tls_control listen PORT, or tls_control HOST PORT");
	if (!strcmp(argv[1], "listen"))
		receive_all(accept_on(argv[2]));
	else
		send_some(connect_to(argv[1], argv[2]));
	return 0;
}
