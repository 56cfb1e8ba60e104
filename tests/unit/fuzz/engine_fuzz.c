// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target for the TLS engine: each input is the life of a context, which is
 * compared with the model. It stops at the first difference.
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
