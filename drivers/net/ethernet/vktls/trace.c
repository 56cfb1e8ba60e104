// SPDX-License-Identifier: GPL-2.0-only
/* Gives the trace points of this driver their bodies, once. */
#define CREATE_TRACE_POINTS
#include "trace.h"
