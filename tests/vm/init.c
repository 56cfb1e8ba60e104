// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the test guest: loads the modules that the disk needs, changes root to the
 * disk, copies the files of this run (/overlay), runs one command, and reports on its
 * own virtio-serial ports. Its last output is "done" on the status port, so a guest
 * that panics or hangs cannot look like a pass. It knows nothing of the NIC:
 * /run/vktls/setup sets up the network.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PORT_DIR	"/sys/class/virtio-ports"
#define KMEMLEAK "/sys/kernel/debug/kmemleak"
#define JOB_DIR		"/run/vktls"
#define SHARE_DIR	"/mnt/host"
#define MAX_ARGS	256
/* time to read on from a pipe that a background process keeps open */
#define LINGER_MS	500
/*
 * Expected taint: out-of-tree and unsigned modules (bits 12 and 13), which are under test.
 */
#define TAINT_EXPECTED	0x3000ul

static int status_port = -1;

static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vdprintf(status_port < 0 ? STDERR_FILENO : status_port, fmt, ap);
	va_end(ap);
}

static void __attribute__((noreturn)) power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void __attribute__((noreturn)) fail(const char *what)
{
	say("fail %s: %s\n", what, strerror(errno));
	power_off();
}

static void mount_or_fail(const char *type, const char *dir, const char *data)
{
	mkdir(dir, 0755);
	if (mount(type, dir, type, 0, data) && errno != EBUSY)
		fail(dir);
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
		fail(path);
	close(fd);
}

static void load_boot_modules(void)
{
	char line[256];
	FILE *order = fopen("/boot/order", "re");

	if (!order)
		fail("/boot/order");
	while (fgets(line, sizeof(line), order)) {
		line[strcspn(line, "\n")] = '\0';
		load_module(line);
	}
	fclose(order);
}

static void mount_disk(void)
{
	int tries = 1000;

	while (mount("/dev/vda", "/root", "ext4", MS_NOATIME, "")) {
		if (!--tries)
			fail("mounting /dev/vda");
		usleep(10000);
	}
}

static int copy_file(const char *from, const char *to, mode_t mode)
{
	char buf[65536];
	ssize_t n = -1;
	int in = open(from, O_RDONLY | O_CLOEXEC), out;

	unlink(to);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode & 07777);
	while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			return -1;
	close(in);
	return close(out) || n ? -1 : 0;
}

/* Copy one file of /overlay to the disk; /lib on the disk is a symbolic link. */
static int overlay_one(const char *path, const struct stat *st, int type,
		       struct FTW *ftw)
{
	char to[4096], target[4096];
	ssize_t n;

	(void)ftw;
	snprintf(to, sizeof(to), "/root%s", path + strlen("/overlay"));
	if (type == FTW_D)
		return mkdir(to, 0755) && errno != EEXIST;
	if (type == FTW_F)
		return copy_file(path, to, st->st_mode);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -1;
	target[n] = '\0';
	unlink(to);
	return symlink(target, to);
}

static void enter_disk(void)
{
	static const char * const moved[] = { "/dev", "/proc", "/sys" };
	char to[64];
	size_t i;

	if (nftw("/overlay", overlay_one, 16, FTW_PHYS))
		fail("laying /overlay over the disk");
	for (i = 0; i < ARRAY_SIZE(moved); i++) {
		snprintf(to, sizeof(to), "/root%s", moved[i]);
		if (mount(moved[i], to, NULL, MS_MOVE, NULL))
			fail(to);
	}
	if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		fail("moving to the disk");
}

static void mount_rest(void)
{
	mount_or_fail("devpts", "/dev/pts", "ptmxmode=0666");
	mount_or_fail("tmpfs", "/dev/shm", "mode=1777");
	mount_or_fail("tmpfs", "/tmp", "mode=1777");
	mount_or_fail("cgroup2", "/sys/fs/cgroup", "");
	if (!access("/sys/fs/bpf", F_OK))
		mount_or_fail("bpf", "/sys/fs/bpf", "");
	mount_or_fail("debugfs", "/sys/kernel/debug", "");
	mount_or_fail("tracefs", "/sys/kernel/tracing", "");
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

static bool port_is(const char *port, const char *name)
{
	char path[512], found[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), PORT_DIR "/%s/name", port);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(found, sizeof(found), f))
		found[0] = '\0';
	fclose(f);
	found[strcspn(found, "\n")] = '\0';
	return !strcmp(found, name);
}

/* Find the device node of the virtio-serial port @name. False if there is none. */
static bool find_port(const char *name, char *node, size_t len)
{
	struct dirent *entry;
	DIR *dir = opendir(PORT_DIR);
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		found = port_is(entry->d_name, name);
		if (found)
			snprintf(node, len, "/dev/%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Open a port. The ports appear some time after the virtio device. */
static int open_port(const char *name)
{
	char node[300];
	int tries = 500;

	while (!find_port(name, node, sizeof(node))) {
		if (!--tries)
			return -1;
		usleep(10000);
	}
	return open(node, O_WRONLY | O_CLOEXEC);
}

static pid_t spawn(char *const argv[], int in, int out, int err)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setsid();
	if (isatty(in))
		ioctl(in, TIOCSCTTY, 1);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int exit_status(int wstatus)
{
	return WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) :
				    128 + WTERMSIG(wstatus);
}

/* Reap all processes that have ended. True if @awaited is among them. */
static bool reap(pid_t awaited, int *wstatus)
{
	bool found = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == awaited) {
			*wstatus = status;
			found = true;
		}
	return found;
}

/* Copy the available bytes of a pipe to its port. False at the end of the pipe. */
static bool forward(int from, int to)
{
	char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf)), done = 0, w;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	while (done < n) {
		w = write(to, buf + done, n - done);
		if (w < 0)
			return false;
		done += w;
	}
	return n > 0;
}

/*
 * Run a command with pipes for its output: a port can be opened by one process only, and
 * programs may open /dev/stdout. Returns the exit status.
 */
static int run_piped(char *const argv[], int out_port, int err_port)
{
	int out[2], err[2], in = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool ended = false;
	struct pollfd fds[2];
	int wstatus = 0, ready, i;
	pid_t pid;

	if (in < 0 || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		fail("pipes");
	pid = spawn(argv, in, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	fds[0] = (struct pollfd){ .fd = out[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = err[0], .events = POLLIN };
	for (;;) {
		ready = poll(fds, 2, ended ? LINGER_MS : 100);
		for (i = 0; i < 2; i++)
			if (ready > 0 && fds[i].revents &&
			    !forward(fds[i].fd, i ? err_port : out_port))
				fds[i].fd = -1;
		if (ended && (!ready || (fds[0].fd < 0 && fds[1].fd < 0)))
			return exit_status(wstatus);
		ended |= reap(pid, &wstatus);
	}
}

/* Run a command until it ends, with the given files as its input and output. */
static int run(char *const argv[], int in, int out, int err)
{
	pid_t pid = spawn(argv, in, out, err);
	int wstatus = 0;

	while (!reap(pid, &wstatus))
		usleep(2000);
	return exit_status(wstatus);
}

/* Read a file of NUL-separated words as argv. Words beyond MAX_ARGS are an error. */
static char **read_args(const char *path)
{
	static char *argv[MAX_ARGS + 1];
	FILE *f = fopen(path, "re");
	size_t argc = 0, room = 0;

	if (!f)
		return NULL;
	while (getdelim(&argv[argc], &room, '\0', f) > 0) {
		if (argc++ == MAX_ARGS) {
			errno = E2BIG;
			fail(path);
		}
		room = 0;
	}
	argv[argc] = NULL;
	fclose(f);
	return argc ? argv : NULL;
}

static int run_command(int out_port, int err_port)
{
	char *shell[] = { "bash", "-l", NULL };
	char **argv = read_args(JOB_DIR "/command");
	int tty = -1;

	if (access(JOB_DIR "/interactive", F_OK))
		return run_piped(argv ? argv : shell, out_port, err_port);
	tty = open("/dev/hvc0", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0)
		fail("/dev/hvc0");
	return run(argv ? argv : shell, tty, tty, tty);
}

static bool line_is_bad(const char *line)
{
	static const char * const bad[] = {
		"BUG:", "WARNING:", "Oops", "KASAN", "UBSAN", "new suspected memory leak",
		"refcount_t:", "general protection fault", "possible circular",
		"possible recursive locking", "suspicious RCU usage",
		"unregister_netdevice: waiting", "blocked for more than",
		"page dumped because", "Out of memory: Killed",
		"rcu_sched detected", "self-detected stall",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (strstr(line, bad[i]))
			return true;
	return false;
}

/*
 * Look through the kernel log, and report lines that mean a problem. True if there is none.
 */
static bool check_log(void)
{
	char record[8192], *text, *end;
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool clean = true;
	ssize_t n;

	while ((n = read(fd, record, sizeof(record) - 1)) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		record[n > 0 ? n : 0] = '\0';
		text = strchr(record, ';');
		if (!text++ || !line_is_bad(text))
			continue;
		end = strchrnul(text, '\n');
		*end = '\0';
		say("log %s\n", text);
		clean = false;
	}
	close(fd);
	return clean;
}

static void write_word(const char *path, const char *word)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, word, strlen(word)) < 0)
		say("log cannot write %s\n", path);
	close(fd);
}

/*
 * Print the leaks that kmemleak finds on the log port. The kernel's log has only their
 * number. Objects younger than five seconds are ignored.
 */
static void find_leaks(void)
{
	char *argv[] = { "cat", KMEMLEAK, NULL };
	int port;

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, "");
	if (access(KMEMLEAK, F_OK))
		return;
	sleep(6);
	write_word(KMEMLEAK, "scan");
	sleep(6);
	write_word(KMEMLEAK, "scan");
	port = open_port("vktls.log");
	if (port >= 0) {
		run(argv, STDIN_FILENO, port, port);
		close(port);
	}
}

static bool check_taint(void)
{
	unsigned long taint = 0;
	FILE *f = fopen("/proc/sys/kernel/tainted", "re");

	if (!f || fscanf(f, "%lu", &taint) != 1)
		fail("reading the taint");
	fclose(f);
	if (taint & ~TAINT_EXPECTED)
		say("taint %lu\n", taint);
	return !(taint & ~TAINT_EXPECTED);
}

/* After a problem, write the whole kernel log to the log port. */
static void dump_log(void)
{
	char *argv[] = { "dmesg", NULL };
	int port = open_port("vktls.log");

	if (port >= 0)
		run(argv, STDIN_FILENO, port, port);
}

static void unpack_share(void)
{
	char *argv[] = { "tar", "-C", SHARE_DIR, "-xf", "/dev/vdb", NULL };

	mkdir(SHARE_DIR, 0755);
	if (!access("/dev/vdb", F_OK) && run(argv, 0, 2, 2))
		fail("unpacking " SHARE_DIR);
}

static void pack_share(void)
{
	char *argv[] = { "tar", "-C", SHARE_DIR, "-cf", "-", ".", NULL };
	int port;

	if (access("/dev/vdb", F_OK))
		return;
	port = open_port("vktls.share");
	if (port < 0 || run(argv, 0, port, 2))
		fail("packing " SHARE_DIR);
	close(port);
}

static void boot(void)
{
	mount_or_fail("devtmpfs", "/dev", "");
	mount_or_fail("proc", "/proc", "");
	mount_or_fail("sysfs", "/sys", "");
	load_boot_modules();
	mount_disk();
	enter_disk();
	mount_rest();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("LANG", "C.UTF-8", 1);
	sethostname("vktls", 5);
}

int main(void)
{
	char *setup[] = { JOB_DIR "/setup", NULL };
	int out_port, err_port, status;
	struct timespec up;

	boot();
	status_port = open_port("vktls.status");
	out_port = open_port("vktls.out");
	err_port = open_port("vktls.err");
	if (status_port < 0 || out_port < 0 || err_port < 0)
		fail("virtio-serial ports");
	say("booted\n");
	unpack_share();
	status = run_piped(setup, err_port, err_port);
	if (status) {
		say("setup %d\n", status);
	} else {
		say("ready\n");
		status = run_command(out_port, err_port);
		say("exit %d\n", status);
		pack_share();
	}
	kill(-1, SIGKILL);
	find_leaks();
	clock_gettime(CLOCK_BOOTTIME, &up);
	say("uptime %lld\n", (long long)up.tv_sec);
	if (!(check_log() & check_taint()) || status)
		dump_log();
	say("done\n");
	power_off();
}
