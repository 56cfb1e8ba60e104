// SPDX-License-Identifier: GPL-2.0-only
/*
 * A TLS client or server with GnuTLS that uses kernel TLS, which gnutls-cli and
 * gnutls-serv cannot. It makes or accepts one connection, and executes the actions of
 * the command line on it, in order; usage() below lists them.
 *
 * GnuTLS reads a configuration file before main(), which enables kernel TLS. So the
 * program writes such a file and starts itself again.
 *
 * Needs build/gnutls and -lgnutls -lhogweed -lnettle -lgmp
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/socket.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define CONFIG_NAME	"GNUTLS_SYSTEM_PRIORITY_FILE"
#define CHUNK		(1 << 16)

static const char usage_text[] =
	"usage: gtls --listen ADDRESS:PORT --cert FILE --key FILE [OPTION]... ACTION...\n"
	"       gtls --connect ADDRESS:PORT [OPTION]... ACTION...\n"
	"\n"
	"One TLS connection by GnuTLS with kernel TLS; an IPv6 address is in brackets.\n"
	"\n"
	"  --tls 1.2|1.3      version of the protocol (1.3)\n"
	"  --cipher NAME      as GnuTLS names it (AES-128-GCM)\n"
	"  --plain            without kernel TLS: GnuTLS encrypts by itself\n"
	"  --timeout SECONDS  for all of it (60)\n"
	"\n"
	"Actions, in the order given; FILE is a path, N a number of bytes:\n"
	"\n"
	"  send:FILE          gnutls_record_send()\n"
	"  sendfile:FILE      gnutls_record_send_file()\n"
	"  receive:N          gnutls_record_recv() until there are N bytes\n"
	"  update             a new key for what is sent; TLS 1.3\n"
	"  update-both        the same, and the peer is asked for one\n"
	"  bye                gnutls_bye(), both directions\n"
	"  bye-send           gnutls_bye(), without waiting for the peer's\n"
	"\n"
	"Prints a line for each: \"listening PORT\"; \"ktls send|receive|both|none\" and\n"
	"\"session DESCRIPTION\" after the handshake; \"sent N\"; \"received N SHA256\".\n"
	"The status is 0 when all went well and, but for --plain, the kernel does both\n"
	"directions; otherwise 1, with the reason on stderr.\n";

struct options {
	const char *address;
	const char *cert;
	const char *key;
	const char *tls;
	const char *cipher;
	bool server;
	bool plain;
	int timeout;
};

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "gtls: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	exit(1);
}

/* Check the result of a GnuTLS call that must not fail; returns it. */
static ssize_t check(const char *what, ssize_t ret)
{
	if (ret < 0)
		die("%s: %s", what, gnutls_strerror(ret));
	return ret;
}

static void check_errno(const char *what, int ret)
{
	if (ret < 0)
		die("%s: %s", what, strerror(errno));
}

static bool again(ssize_t ret)
{
	return ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED;
}

static void restart_with_config(const struct options *opt, char **argv)
{
	char path[40];
	int fd;

	if (getenv(CONFIG_NAME))
		return;
	fd = memfd_create("gnutls", 0);
	check_errno("memfd_create", fd);
	dprintf(fd, "[global]\nktls = %s\n", opt->plain ? "false" : "true");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	setenv(CONFIG_NAME, path, 1);
	execv("/proc/self/exe", argv);
	die("cannot start again: %s", strerror(errno));
}

struct address {
	struct sockaddr_storage at;
	socklen_t size;
};

static void set_address(struct address *address, const char *host, int port)
{
	struct sockaddr_in6 *v6 = (void *)&address->at;
	struct sockaddr_in *v4 = (void *)&address->at;

	*address = (struct address){ .size = sizeof(*v4) };
	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1)
		return;
	address->size = sizeof(*v6);
	v6->sin6_family = AF_INET6;
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		die("%s is no address", host);
}

/* Parse ADDRESS:PORT or [ADDRESS]:PORT. */
static void parse_address(struct address *address, const char *text)
{
	char host[100];
	char *port;

	snprintf(host, sizeof(host), "%s", text + (*text == '['));
	port = strrchr(host, ':');
	if (!port || port == host)
		die("%s is not ADDRESS:PORT", text);
	*port++ = '\0';
	if (*text == '[')
		host[strcspn(host, "]")] = '\0';
	set_address(address, host, atoi(port));
}

static void tell_port(int fd)
{
	struct sockaddr_in6 name;
	socklen_t size = sizeof(name);

	/* the port has the same offset for both families */
	check_errno("getsockname", getsockname(fd, (void *)&name, &size));
	printf("listening %u\n", ntohs(name.sin6_port));
	fflush(stdout);
}

static int accept_one(const struct address *address)
{
	int fd, server, one = 1;

	server = socket(address->at.ss_family, SOCK_STREAM, 0);
	check_errno("socket", server);
	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	check_errno("bind", bind(server, (const void *)&address->at, address->size));
	check_errno("listen", listen(server, 1));
	tell_port(server);
	fd = accept(server, NULL, NULL);
	check_errno("accept", fd);
	close(server);
	return fd;
}

static int connect_one(const struct address *address)
{
	int fd = socket(address->at.ss_family, SOCK_STREAM, 0);

	check_errno("socket", fd);
	check_errno("connect", connect(fd, (const void *)&address->at, address->size));
	return fd;
}

static gnutls_certificate_credentials_t credentials(const struct options *opt)
{
	gnutls_certificate_credentials_t cred;
	int ret;

	check("credentials", gnutls_certificate_allocate_credentials(&cred));
	if (opt->server) {
		ret = gnutls_certificate_set_x509_key_file(cred, opt->cert, opt->key,
							   GNUTLS_X509_FMT_PEM);
		check("certificate", ret);
	}
	return cred;
}

static void set_priority(gnutls_session_t session, const struct options *opt)
{
	char text[200];

	snprintf(text, sizeof(text), "NORMAL:-VERS-ALL:+VERS-TLS%s:-CIPHER-ALL:+%s",
		 opt->tls, opt->cipher);
	check("priority", gnutls_priority_set_direct(session, text, NULL));
}

/*
 * Report the session after the handshake, and if the kernel encrypts each
 * direction.
 */
static void tell_session(gnutls_session_t session, const struct options *opt)
{
	static const char *const names[] = { "none", "receive", "send", "both" };
	int kernel = gnutls_transport_is_ktls_enabled(session);
	char *text = gnutls_session_get_desc(session);

	check("gnutls_transport_is_ktls_enabled", kernel);
	printf("ktls %s\nsession %s\n", names[kernel & 3], text);
	fflush(stdout);
	gnutls_free(text);
	if (kernel != (opt->plain ? 0 : GNUTLS_KTLS_DUPLEX))
		die("kernel TLS: %s", names[kernel & 3]);
}

static gnutls_session_t handshake(int fd, const struct options *opt)
{
	gnutls_session_t session;
	ssize_t ret;

	check("gnutls_init", gnutls_init(&session,
					 opt->server ? GNUTLS_SERVER : GNUTLS_CLIENT));
	set_priority(session, opt);
	check("credentials", gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
						    credentials(opt)));
	gnutls_transport_set_int(session, fd);
	do {
		ret = gnutls_handshake(session);
	} while (ret < 0 && !gnutls_error_is_fatal(ret));
	check("handshake", ret);
	tell_session(session, opt);
	return session;
}

static int open_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		die("%s: %s", path, strerror(errno));
	*size = st.st_size;
	return fd;
}

static void send_all(gnutls_session_t session, const char *data, size_t size)
{
	ssize_t ret;

	while (size) {
		ret = gnutls_record_send(session, data, size);
		if (again(ret))
			continue;
		check("gnutls_record_send", ret);
		data += ret;
		size -= ret;
	}
}

static void do_send(gnutls_session_t session, const char *path)
{
	static char data[CHUNK];
	size_t size, sent = 0;
	int fd = open_file(path, &size);
	ssize_t got;

	while ((got = read(fd, data, sizeof(data))) > 0) {
		send_all(session, data, got);
		sent += got;
	}
	check_errno(path, got);
	close(fd);
	printf("sent %zu\n", sent);
}

static void do_sendfile(gnutls_session_t session, const char *path)
{
	size_t size, sent = 0;
	int fd = open_file(path, &size);
	ssize_t ret;

	while (sent < size) {
		ret = gnutls_record_send_file(session, fd, NULL, size - sent);
		if (again(ret))
			continue;
		if (!check("gnutls_record_send_file", ret))
			die("%s ended early", path);
		sent += ret;
	}
	close(fd);
	printf("sent %zu\n", sent);
}

static void tell_received(size_t size, gnutls_hash_hd_t hash)
{
	unsigned char digest[32];
	unsigned int i;

	gnutls_hash_deinit(hash, digest);
	printf("received %zu ", size);
	for (i = 0; i < sizeof(digest); i++)
		printf("%02x", digest[i]);
	printf("\n");
}

/*
 * Receive a number of bytes. An error that is not fatal (ticket, KeyUpdate, no
 * data yet) is ignored.
 */
static void do_receive(gnutls_session_t session, const char *words)
{
	size_t want = strtoul(words, NULL, 10), got = 0;
	static char data[CHUNK];
	gnutls_hash_hd_t hash;
	ssize_t ret;

	check("sha256", gnutls_hash_init(&hash, GNUTLS_DIG_SHA256));
	while (got < want) {
		ret = gnutls_record_recv(session, data,
					 want - got < CHUNK ? want - got : CHUNK);
		if (ret < 0 && !gnutls_error_is_fatal(ret))
			continue;
		if (!check("gnutls_record_recv", ret))
			break;
		gnutls_hash(hash, data, ret);
		got += ret;
	}
	tell_received(got, hash);
	if (got < want)
		die("the peer ended after %zu bytes", got);
}

static void update(gnutls_session_t session, unsigned int flags)
{
	ssize_t ret;

	do {
		ret = gnutls_session_key_update(session, flags);
	} while (again(ret));
	check("gnutls_session_key_update", ret);
	printf("updated\n");
}

static void do_update(gnutls_session_t session, const char *unused)
{
	(void)unused;
	update(session, 0);
}

static void do_update_both(gnutls_session_t session, const char *unused)
{
	(void)unused;
	update(session, GNUTLS_KU_PEER);
}

static void say_bye(gnutls_session_t session, gnutls_close_request_t how)
{
	ssize_t ret;

	do {
		ret = gnutls_bye(session, how);
	} while (again(ret));
	check("gnutls_bye", ret);
	printf("bye\n");
}

static void do_bye(gnutls_session_t session, const char *unused)
{
	(void)unused;
	say_bye(session, GNUTLS_SHUT_RDWR);
}

static void do_bye_send(gnutls_session_t session, const char *unused)
{
	(void)unused;
	say_bye(session, GNUTLS_SHUT_WR);
}

static const struct action {
	const char *name;
	void (*run)(gnutls_session_t session, const char *value);
} actions[] = {
	{ "send:", do_send },
	{ "sendfile:", do_sendfile },
	{ "receive:", do_receive },
	{ "update", do_update },
	{ "update-both", do_update_both },
	{ "bye", do_bye },
	{ "bye-send", do_bye_send },
};

/*
 * Compare a word of the command line with an action: the whole word, or only
 * its beginning if the name ends with a colon.
 */
static bool matches(const struct action *action, const char *word)
{
	size_t size = strlen(action->name);

	if (action->name[size - 1] == ':')
		return !strncmp(word, action->name, size);
	return !strcmp(word, action->name);
}

static const struct action *find_action(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (matches(&actions[i], word))
			return &actions[i];
	die("no action \"%s\"; see --help", word);
}

static void act(gnutls_session_t session, const char *word)
{
	const struct action *action = find_action(word);

	action->run(session, word + strlen(action->name));
	fflush(stdout);
}

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, 'l' },
	{ "connect", required_argument, NULL, 'c' },
	{ "cert", required_argument, NULL, 'C' },
	{ "key", required_argument, NULL, 'K' },
	{ "tls", required_argument, NULL, 'v' },
	{ "cipher", required_argument, NULL, 'e' },
	{ "plain", no_argument, NULL, 'p' },
	{ "timeout", required_argument, NULL, 't' },
	{ "help", no_argument, NULL, 'h' },
	{ },
};

static void take_option(struct options *opt, int name)
{
	switch (name) {
	case 'l':
	case 'c':
		opt->server = name == 'l';
		opt->address = optarg;
		break;
	case 'C':
		opt->cert = optarg;
		break;
	case 'K':
		opt->key = optarg;
		break;
	case 'v':
		opt->tls = optarg;
		break;
	case 'e':
		opt->cipher = optarg;
		break;
	case 'p':
		opt->plain = true;
		break;
	case 't':
		opt->timeout = atoi(optarg);
		break;
	case 'h':
		fputs(usage_text, stdout);
		exit(0);
	default:
		fputs(usage_text, stderr);
		exit(1);
	}
}

static void parse(struct options *opt, int argc, char **argv)
{
	int i, name;

	while ((name = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		take_option(opt, name);
	if (!opt->address)
		die("--listen or --connect is missing; see --help");
	if (opt->server && (!opt->cert || !opt->key))
		die("a server needs --cert and --key");
	for (i = optind; i < argc; i++)
		find_action(argv[i]);
}

int main(int argc, char **argv)
{
	struct options opt = { .tls = "1.3", .cipher = "AES-128-GCM", .timeout = 60 };
	gnutls_session_t session;
	struct address address;
	int i, fd;

	parse(&opt, argc, argv);
	restart_with_config(&opt, argv);
	alarm(opt.timeout);
	parse_address(&address, opt.address);
	fd = opt.server ? accept_one(&address) : connect_one(&address);
	session = handshake(fd, &opt);
	for (i = optind; i < argc; i++)
		act(session, argv[i]);
	gnutls_deinit(session);
	close(fd);
	return 0;
}
