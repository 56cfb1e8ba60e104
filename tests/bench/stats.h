/* SPDX-License-Identifier: GPL-2.0-only */
/* The counters of eth0: those of ethtool -S, and the number of interrupts. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

void stats_start(void);

/*
 * Print "stat FIGURE NAME GAIN" for each counter that has changed since
 * stats_start().
 */
void stats_print(unsigned int figure);

#endif /* BENCH_STATS_H */
