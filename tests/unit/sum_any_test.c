// SPDX-License-Identifier: GPL-2.0-only
/* The same cases as sum_test, as on a machine without large vectors. */
#include "sum_test.c"
