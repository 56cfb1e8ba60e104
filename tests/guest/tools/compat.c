// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls on an inherited TLS socket in the way of a 32-bit program:
 *
 *   compat FD set OPTION           setsockopt(SOL_TLS) with the value from stdin
 *   compat FD get OPTION SIZE      getsockopt(SOL_TLS), the value to stdout
 *   compat FD send TYPE            stdin as one record of that type
 *   compat FD recv                 one record to stdout, a byte of type first
 *
 * No 32-bit libraries are needed: any program may enter the kernel by "int $0x80",
 * the entry of 32-bit programs. Its pointers must be below 4 GiB, so all data is
 * static.
 */
#include <stddef.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* System call numbers of i386, and the structures that the calls take. */
#define NR_GETSOCKOPT	365
#define NR_SETSOCKOPT	366
#define NR_SENDMSG	370
#define NR_RECVMSG	372

#define SOL_TLS		282
#define TLS_SET_RECORD_TYPE	1
#define TLS_GET_RECORD_TYPE	2

struct iovec32 {
	uint32_t base;
	uint32_t len;
};

struct msghdr32 {
	uint32_t name;
	int32_t namelen;
	uint32_t iov;
	uint32_t iovlen;
	uint32_t control;
	uint32_t controllen;
	uint32_t flags;
};

struct cmsg32 {
	uint32_t len;		/* length without the padding at the end */
	int32_t level;
	int32_t type;
	uint8_t data[4];
};

static struct msghdr32 msg;
static struct iovec32 iov;
static struct cmsg32 cmsg;
static uint32_t length;
static uint8_t buf[1 << 16];

static uint32_t addr(const void *p)
{
	uintptr_t at = (uintptr_t)p;

	if (at != (uint32_t)at) {
		fprintf(stderr, "compat: linked above 4 GiB\n");
		exit(2);
	}
	return at;
}

static int32_t call(uint32_t nr, uint32_t a, uint32_t b, uint32_t c, uint32_t d,
		    uint32_t e)
{
	int32_t ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "r8", "r9", "r10", "r11");
	if (ret < 0) {
		fprintf(stderr, "compat: %s\n", strerror(-ret));
		exit(1);
	}
	return ret;
}

static uint32_t read_all(void)
{
	uint32_t len = 0;
	ssize_t n;

	while ((n = read(0, buf + len, sizeof(buf) - len)) > 0)
		len += n;
	return len;
}

static void prepare(uint32_t len)
{
	iov.base = addr(buf);
	iov.len = len;
	msg.iov = addr(&iov);
	msg.iovlen = 1;
	msg.control = addr(&cmsg);
	msg.controllen = sizeof(cmsg);
}

static void send_record(int fd, uint8_t type)
{
	uint32_t len = read_all();

	prepare(len);
	cmsg.len = offsetof(struct cmsg32, data) + 1;
	cmsg.level = SOL_TLS;
	cmsg.type = TLS_SET_RECORD_TYPE;
	cmsg.data[0] = type;
	if (call(NR_SENDMSG, fd, addr(&msg), 0, 0, 0) != (int32_t)len) {
		fprintf(stderr, "compat: sent a part only\n");
		exit(1);
	}
}

static void recv_record(int fd)
{
	int32_t len;

	prepare(sizeof(buf));
	len = call(NR_RECVMSG, fd, addr(&msg), 0, 0, 0);
	if (cmsg.len != offsetof(struct cmsg32, data) + 1 ||
	    cmsg.level != SOL_TLS || cmsg.type != TLS_GET_RECORD_TYPE) {
		fprintf(stderr, "compat: no type came with the record\n");
		exit(1);
	}
	fwrite(cmsg.data, 1, 1, stdout);
	fwrite(buf, 1, len, stdout);
}

int main(int argc, char **argv)
{
	int fd = argc > 2 ? atoi(argv[1]) : -1;

	if (argc == 4 && !strcmp(argv[2], "set")) {
		call(NR_SETSOCKOPT, fd, SOL_TLS, atoi(argv[3]), addr(buf),
		     read_all());
	} else if (argc == 5 && !strcmp(argv[2], "get")) {
		length = atoi(argv[4]);
		call(NR_GETSOCKOPT, fd, SOL_TLS, atoi(argv[3]), addr(buf),
		     addr(&length));
		fwrite(buf, 1, length, stdout);
	} else if (argc == 4 && !strcmp(argv[2], "send")) {
		send_record(fd, atoi(argv[3]));
	} else if (argc == 3 && !strcmp(argv[2], "recv")) {
		recv_record(fd);
	} else {
		fprintf(stderr, "compat: see the head of its source\n");
		return 2;
	}
	return 0;
}
