// SPDX-License-Identifier: GPL-2.0-only
/* Gives the trace points of the TLS part their bodies, once. */
#include <net/tls.h>

#define CREATE_TRACE_POINTS
#include "ktls_trace.h"
