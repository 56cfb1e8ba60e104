// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sender: tls_send HOST PORT FILE [1.3]. Sends a line with the file's size in one
 * record, then the file by sendfile, then the alert that ends a TLS stream.
 */
#include <sys/stat.h>

#include "example.h"

/* Make @sock a TLS socket and give it the key that it sends with. */
static void start_sending(int sock, uint16_t version)
{
	struct tls12_crypto_info_aes_gcm_128 key;

	if (setsockopt(sock, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
		err(1, "TCP_ULP");	/* ENOENT: no tls.ko */
	key_fill(&key, version, 0);
	if (setsockopt(sock, SOL_TLS, TLS_TX, &key, sizeof(key)))
		err(1, "TLS_TX");
	explicit_bzero(&key, sizeof(key));
}

/* Send all of @data; with MSG_MORE the record stays open for the next call. */
static void send_all(int sock, const char *data, size_t len, int flags)
{
	ssize_t n;

	for (; len; data += n, len -= n) {
		n = send(sock, data, len, flags | MSG_NOSIGNAL);
		if (n < 0)
			err(1, "send");
	}
}

/* Send pages of the page cache as records; no byte passes through this program. */
static void send_file(int sock, int file, off_t size)
{
	off_t at = 0;

	while (at < size)
		if (sendfile(sock, file, &at, size - at) <= 0)
			err(1, "sendfile");
}

/* Send one record that is not data; its type goes in a control message. */
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
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) != (ssize_t)len)
		err(1, "sendmsg");
}

int main(int argc, char **argv)
{
	static const uint8_t close_notify[] = { 1, 0 };	/* RFC 8446 section 6.1 */
	char line[32];
	struct stat st;
	int sock, file;

	if (argc < 4)
		errx(2, "usage: tls_send HOST PORT FILE [1.3]");
	file = open(argv[3], O_RDONLY);
	if (file < 0 || fstat(file, &st))
		err(1, "%s", argv[3]);
	sock = connect_to(argv[1], argv[2]);
	start_sending(sock, argc > 4 ? TLS_1_3_VERSION : TLS_1_2_VERSION);

	snprintf(line, sizeof(line), "%lld", (long long)st.st_size);
	send_all(sock, "size ", 5, MSG_MORE);
	send_all(sock, line, strlen(line), MSG_MORE);
	send_all(sock, "\n", 1, 0);		/* closes the record */
	send_file(sock, file, st.st_size);
	send_record(sock, RECORD_ALERT, close_notify, sizeof(close_notify));
	hang_up(sock);
	return 0;
}
