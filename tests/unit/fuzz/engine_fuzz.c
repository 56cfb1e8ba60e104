// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer's entrance to the TLS engine: each input is one life of a context,
 * followed by the model. Stops at the first difference.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../engine_drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct drive d;
	const char *bad = drive_run(&d, data, len);

	if (bad) {
		fprintf(stderr, "engine_fuzz: %s\n", bad);
		abort();
	}
	return 0;
}
