// SPDX-License-Identifier: GPL-2.0-only
/* Defines the trace points that ktls_trace.h declares. */
#include <net/tls.h>

#define CREATE_TRACE_POINTS
#include "ktls_trace.h"
