// SPDX-License-Identifier: GPL-2.0
/*
 * Send the standard input in one call on the descriptor that the argument names, like a
 * 32-bit program: by sendmsg() through the 32-bit system call entry, which 64-bit programs
 * may use, too. Exit status 4 if the kernel has no such entry.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/types.h>

#define SKIP	4

#ifdef __x86_64__
#define SENDMSG	370
#define ROOM	0x10000

/* The arguments in the layout of a 32-bit program, and the data. */
struct call {
	struct {
		__u32 name, name_len, iov, iov_count, control, control_len, flags;
	} msg;
	struct {
		__u32 base, len;
	} iov;
	unsigned char data[ROOM];
};

static void no_entry(int sig)
{
	(void)sig;
	_exit(SKIP);
}

static long sendmsg32(int fd, const struct call *call)
{
	long ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (SENDMSG), "b" (fd), "c" (&call->msg), "d" (0)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

static int send_all(int fd)
{
	struct call *call = mmap(NULL, sizeof(*call), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	size_t len = 0;
	long n;

	if (call == MAP_FAILED)
		return errno;
	signal(SIGSEGV, no_entry);
	while ((n = read(0, call->data + len, ROOM - len)) > 0)
		len += n;
	call->msg.iov = (unsigned long)&call->iov;
	call->msg.iov_count = 1;
	call->iov.base = (unsigned long)call->data;
	call->iov.len = len;
	n = sendmsg32(fd, call);
	if (n == -ENOSYS)
		exit(SKIP);
	return n < 0 ? -n : n == (long)len ? 0 : EIO;
}
#else
static int send_all(int fd)
{
	(void)fd;
	exit(SKIP);
}
#endif

int main(int argc, char **argv)
{
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DESCRIPTOR <DATA\n", argv[0]);
		return 1;
	}
	err = send_all(atoi(argv[1]));
	if (err)
		fprintf(stderr, "sendmsg: %s\n", strerror(err));
	return err != 0;
}
