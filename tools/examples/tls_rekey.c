// SPDX-License-Identifier: GPL-2.0-only
/*
 * KeyUpdate of TLS 1.3: "tls_rekey HOST PORT" changes its key after each of three
 * messages, "tls_rekey listen PORT" follows.
 */
#include "example.h"

#define UPDATES 3

/* The first key, or the next one: the call is the same. */
static void set_key(int sock, int direction, uint8_t number)
{
	struct tls12_crypto_info_aes_gcm_128 key;

	key_fill(&key, TLS_1_3_VERSION, number);
	if (setsockopt(sock, SOL_TLS, direction, &key, sizeof(key)))
		err(1, "key %d", number);	/* EBUSY: this kernel has no rekey */
	explicit_bzero(&key, sizeof(key));
}

static void start(int sock, int direction)
{
	if (setsockopt(sock, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
		err(1, "TCP_ULP");
	set_key(sock, direction, 0);
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
	/* RFC 8446 section 4.6.3; last byte 0: the peer need not change its own key */
	static const uint8_t key_update[] = { 24, 0, 0, 1, 0 };
	char text[32];
	int number;

	start(sock, TLS_TX);
	for (number = 0; number <= UPDATES; number++) {
		if (number) {
			/* the last record with the old key announces the new one */
			send_record(sock, RECORD_HANDSHAKE, key_update,
				    sizeof(key_update));
			set_key(sock, TLS_TX, number);
		}
		snprintf(text, sizeof(text), "with key %d", number);
		if (send(sock, text, strlen(text), MSG_NOSIGNAL) < 0)
			err(1, "send");
	}
	send_record(sock, RECORD_ALERT, close_notify, sizeof(close_notify));
	hang_up(sock);
}

/* Read a record that is not data. Return: its type. */
static uint8_t receive_control(int sock)
{
	char control[CMSG_SPACE(1)], buf[100];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	if (recvmsg(sock, &msg, 0) < 0 || !CMSG_FIRSTHDR(&msg))
		err(1, "recvmsg");
	return *CMSG_DATA(CMSG_FIRSTHDR(&msg));
}

static void receive_all(int sock)
{
	uint8_t type = RECORD_DATA, number = 0;
	char buf[100];
	ssize_t n;

	start(sock, TLS_RX);
	while (type != RECORD_ALERT) {
		n = recv(sock, buf, sizeof(buf), 0);
		if (n > 0)
			printf("%.*s\n", (int)n, buf);
		else if (n < 0 && errno == EIO)		/* not data */
			type = receive_control(sock);
		else if (n < 0 && errno == EKEYEXPIRED)	/* it was a KeyUpdate */
			set_key(sock, TLS_RX, ++number);
		else
			err(1, "recv");
	}
	if (number != UPDATES)
		errx(1, "%d of %d KeyUpdates", number, UPDATES);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: tls_rekey listen PORT, or tls_rekey HOST PORT");
	if (!strcmp(argv[1], "listen"))
		receive_all(accept_on(argv[2]));
	else
		send_some(connect_to(argv[1], argv[2]));
	return 0;
}
