// SPDX-License-Identifier: GPL-2.0-only
/*
 * Send one QMP command from inside the guest to its own QEMU and print the
 * answer: qmp '{"execute": "set_link", "arguments": {"name": "dut0", "up": false}}'
 * Exit status 1 when QEMU answers with an error. Events are ignored. The program
 * does not parse JSON, except to tell an answer from an event.
 *
 * A card in a process of its own (tests/vm/run --card vfio-user) has a port of its
 * own, vktls.card.NAME. A command with the card as its object is sent to this port;
 * with "qmp @NAME JSON" any command is.
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
#define CARD		"vktls.card."
#define ANSWER_MS	30000

static char line[1 << 16];

static void __attribute__((noreturn)) fail(const char *what)
{
	fprintf(stderr, "qmp: ");
	perror(what);
	exit(2);
}

/* Read the name of a virtio-serial port, without its end of line. */
static void port_name(const char *port, char *name, size_t len)
{
	char path[512];
	FILE *f;

	name[0] = '\0';
	snprintf(path, sizeof(path), PORTS "/%s/name", port);
	f = fopen(path, "r");
	if (!f)
		return;
	if (!fgets(name, len, f))
		name[0] = '\0';
	fclose(f);
	name[strcspn(name, "\n")] = '\0';
}

/* Return whether the command's object is the card with that name. */
static int is_object(const char *command, const char *card)
{
	char path[128], name[128];

	snprintf(path, sizeof(path), "/machine/peripheral/%s\"", card);
	snprintf(name, sizeof(name), "\"name\": \"%s\"", card);
	return strstr(command, path) || strstr(command, name);
}

static int is_wanted(const char *port, const char *card, const char *command)
{
	if (strncmp(port, CARD, strlen(CARD)))
		return 0;
	port += strlen(CARD);
	return card ? !strcmp(port, card) : is_object(command, port);
}

/* Open the port of the card that the command is for, or QEMU's own. */
static int open_port(const char *card, const char *command)
{
	char node[512] = "", name[64];
	struct dirent *entry;
	DIR *dir = opendir(PORTS);
	int fd, found = 0;

	while (dir && !found && (entry = readdir(dir))) {
		port_name(entry->d_name, name, sizeof(name));
		found = is_wanted(name, card, command);
		if (found || (!card && !strcmp(name, "vktls.qmp")))
			snprintf(node, sizeof(node), "/dev/%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	fd = open(node, O_RDWR);
	if (fd < 0)
		fail("opening the port");
	return fd;
}

/* Read one answer. QMP writes each on one line. */
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

/* Send the command, and wait for the answer with its id. */
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
	const char *card = argc == 3 && argv[1][0] == '@' ? argv[1] + 1 : NULL;
	int fd, lock, failed;

	if (argc != (card ? 3 : 2)) {
		fprintf(stderr, "usage: qmp [@CARD] JSON\n");
		return 2;
	}
	/*
	 * held while the port is in use: it can be opened by one program only
	 */
	lock = open("/run/qmp.lock", O_RDWR | O_CREAT, 0600);
	if (lock < 0 || flock(lock, LOCK_EX))
		fail("/run/qmp.lock");
	fd = open_port(card, argv[argc - 1]);
	ask(fd, "{\"execute\": \"qmp_capabilities\"}");
	failed = ask(fd, argv[argc - 1]);
	fputs(line, stdout);
	return failed;
}
