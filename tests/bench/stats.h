/* SPDX-License-Identifier: GPL-2.0-only */
/* The counters of eth0: what ethtool -S shows, and its interrupts. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

void stats_start(void);

/* "stat FIGURE NAME GAIN" for each counter that moved since stats_start(). */
void stats_print(unsigned int figure);

#endif /* BENCH_STATS_H */
