// SPDX-License-Identifier: GPL-2.0-only
/* Counters of eth0 before and after a measurement; see stats.h. */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stats.h"

#define NIC	"eth0"

static struct ethtool_gstrings *names;
static struct ethtool_stats *before;
static unsigned long irqs_before;

static int ethtool(void *command)
{
	struct ifreq req = { .ifr_name = NIC, .ifr_data = command };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int ret = ioctl(fd, SIOCETHTOOL, &req);

	close(fd);
	return ret;
}

static unsigned int stats_num(void)
{
	struct {
		struct ethtool_sset_info info;
		__u32 len;
	} set = { .info = { .cmd = ETHTOOL_GSSET_INFO,
			    .sset_mask = 1 << ETH_SS_STATS } };

	return ethtool(&set) || !set.info.sset_mask ? 0 : set.len;
}

static struct ethtool_stats *stats_get(unsigned int n)
{
	struct ethtool_stats *stats = calloc(1, sizeof(*stats) + n * sizeof(__u64));

	stats->cmd = ETHTOOL_GSTATS;
	stats->n_stats = n;
	ethtool(stats);
	return stats;
}

/*
 * Name of the NIC's interrupts in /proc/interrupts: virtioN-, or the
 * interface.
 */
static void irq_name(char *name, size_t size)
{
	char link[256];
	ssize_t n = readlink("/sys/class/net/" NIC "/device", link, sizeof(link) - 1);
	const char *last;

	link[n > 0 ? n : 0] = 0;
	last = strrchr(link, '/');
	if (last && !strncmp(last + 1, "virtio", 6))
		snprintf(name, size, "%s-", last + 1);
	else
		snprintf(name, size, "%s", NIC);
}

static unsigned long irqs(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[512], name[64];
	unsigned long sum = 0;

	irq_name(name, sizeof(name));
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, name) && strchr(line, ':'))
			sum += strtoul(strchr(line, ':') + 1, NULL, 10);
	if (f)
		fclose(f);
	return sum;
}

void stats_start(void)
{
	unsigned int n = stats_num();

	names = calloc(1, sizeof(*names) + n * ETH_GSTRING_LEN);
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_STATS;
	names->len = n;
	ethtool(names);
	before = stats_get(n);
	irqs_before = irqs();
}

void stats_print(unsigned int figure)
{
	unsigned long now = irqs();
	struct ethtool_stats *after = stats_get(names->len);
	unsigned int i;

	printf("stat %u irqs %lu\n", figure, now - irqs_before);
	for (i = 0; i < names->len; i++)
		if (after->data[i] != before->data[i])
			printf("stat %u %.*s %lld\n", figure, ETH_GSTRING_LEN,
			       (char *)names->data + i * ETH_GSTRING_LEN,
			       (long long)(after->data[i] - before->data[i]));
	free(after);
	free(before);
	free(names);
}
