/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the example programs: connections and keys. Real keys come from a TLS
 * handshake, which a library does. The keys here are public, so that both ends have
 * them without a handshake. Never use them for anything else.
 */
#ifndef TLS_EXAMPLE_H
#define TLS_EXAMPLE_H

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD_ALERT		21
#define RECORD_HANDSHAKE	22
#define RECORD_DATA		23

/*
 * Fill in the key that the caller of connect_to() sends with; @number is 0 for the
 * first key and one more after each KeyUpdate.
 */
static inline void key_fill(struct tls12_crypto_info_aes_gcm_128 *info,
			    uint16_t version, uint8_t number)
{
	memset(info, 0, sizeof(*info));
	info->info.version = version;
	info->info.cipher_type = TLS_CIPHER_AES_GCM_128;
	memset(info->key, 0x10 + number, sizeof(info->key));
	memset(info->salt, 0x5a, sizeof(info->salt));
	memset(info->iv, version == TLS_1_3_VERSION ? 0xa5 : 0, sizeof(info->iv));
	/* rec_seq stays 0: each key numbers its records from 0 on */
}

/* Connect to an IPv4 address by TCP. */
static inline int connect_to(const char *host, const char *port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(atoi(port)),
	};
	int sock = socket(AF_INET, SOCK_STREAM, 0);

	if (sock < 0 || inet_pton(AF_INET, host, &to.sin_addr) != 1 ||
	    connect(sock, (struct sockaddr *)&to, sizeof(to)))
		err(1, "connect to %s port %s", host, port);
	return sock;
}

/* Accept one connection on a port. */
static inline int accept_on(const char *port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(atoi(port)),
	};
	int listener = socket(AF_INET, SOCK_STREAM, 0), sock, on = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(listener, 1))
		err(1, "listen on port %s", port);
	sock = accept(listener, NULL, NULL);
	if (sock < 0)
		err(1, "accept");
	close(listener);
	return sock;
}

/*
 * End a connection whose peer may not have set its key yet: TCP_ULP fails with
 * ENOTCONN once the other end has closed. The peer closes when it has seen the alert
 * that ends the TLS stream.
 */
static inline void hang_up(int sock)
{
	char byte;

	if (read(sock, &byte, 1) != 0)
		errx(1, "the peer did not close");
	close(sock);
}

#endif /* TLS_EXAMPLE_H */
