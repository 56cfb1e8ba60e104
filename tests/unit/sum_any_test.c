// SPDX-License-Identifier: GPL-2.0-only
/* The cases of sum_test, without the code for large vectors. */
#include "sum_test.c"
