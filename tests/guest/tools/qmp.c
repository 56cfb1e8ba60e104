// SPDX-License-Identifier: GPL-2.0-only
/*
 * Send one QMP command from inside the guest to its own QEMU and print the
 * answer: qmp '{"execute": "set_link", "arguments": {"name": "dut0", "up": false}}'
 * Exit status 1 when QEMU answers with an error. Events are passed over. It
 * knows only as much JSON as it takes to tell an answer from an event.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PORTS		"/sys/class/virtio-ports"
#define ANSWER_MS	30000

static char line[1 << 16];

static void __attribute__((noreturn)) fail(const char *what)
{
	fprintf(stderr, "qmp: ");
	perror(what);
	exit(2);
}

static int is_ours(const char *port)
{
	char path[512], name[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), PORTS "/%s/name", port);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (!fgets(name, sizeof(name), f))
		name[0] = '\0';
	fclose(f);
	return !strcmp(name, "vktls.qmp\n");
}

static int open_port(void)
{
	char node[512] = "";
	struct dirent *entry;
	DIR *dir = opendir(PORTS);
	int fd;

	while (dir && (entry = readdir(dir)))
		if (is_ours(entry->d_name))
			snprintf(node, sizeof(node), "/dev/%s", entry->d_name);
	if (dir)
		closedir(dir);
	fd = open(node, O_RDWR);
	if (fd < 0)
		fail("opening the port vktls.qmp");
	return fd;
}

/* One answer per line is QMP's way without pretty-printing. */
static void read_line(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	while (len < sizeof(line) - 1) {
		if (poll(&pfd, 1, ANSWER_MS) != 1) {
			fprintf(stderr, "qmp: no answer\n");
			exit(2);
		}
		if (read(fd, line + len, 1) != 1)
			fail("reading");
		if (line[len++] == '\n')
			break;
	}
	line[len] = '\0';
}

static int starts(const char *key)
{
	return !strncmp(line, key, strlen(key));
}

/* The answer to the command that carries our id. */
static int ask(int fd, const char *command)
{
	dprintf(fd, "%s\n", command);
	do {
		read_line(fd);
	} while (!starts("{\"return\"") && !starts("{\"error\""));
	return starts("{\"error\"");
}

int main(int argc, char **argv)
{
	int fd, lock, failed;

	if (argc != 2) {
		fprintf(stderr, "usage: qmp JSON\n");
		return 2;
	}
	/* one user at a time: a port can be opened once only */
	lock = open("/run/qmp.lock", O_RDWR | O_CREAT, 0600);
	if (lock < 0 || flock(lock, LOCK_EX))
		fail("/run/qmp.lock");
	fd = open_port();
	ask(fd, "{\"execute\": \"qmp_capabilities\"}");
	failed = ask(fd, argv[1]);
	fputs(line, stdout);
	return failed;
}
