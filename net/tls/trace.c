// SPDX-License-Identifier: GPL-2.0-only
/* The tracepoints' bodies; nothing else. */

#include "offload.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
