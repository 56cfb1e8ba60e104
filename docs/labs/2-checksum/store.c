// SPDX-License-Identifier: GPL-2.0-only
/* Sums as they are stored: those of two UDP packets, one of which comes to zero. */
#include "ktap.h"
#include "sum.h"

static void stored(const void *bytes, size_t len, const char *wanted)
{
	uint8_t field[2] = {};

	vkdev_sum_store(field, vkdev_sum_add(0, bytes, len));
	ktap_expect_mem(field, (const uint8_t *)wanted, sizeof(field));
}

static void a_sum_is_stored_complemented(void)
{
	/* the example of RFC 1071, section 3: the sum is 0xddf2 */
	stored("\x00\x01\xf2\x03\xf4\xf5\xf6\xf7", 8, "\x22\x0d");
}

static void no_sum_is_stored_as_zero(void)
{
	stored("\xff\xff", 2, "\xff\xff");
}

static void sums_of_two_calls_add_up(void)
{
	static const uint8_t ones[] = { 0xff, 0xff, 0xff, 0xff };
	uint64_t acc = vkdev_sum_add(vkdev_sum_add(0, ones, 4), ones, 4);

	ktap_expect_eq(vkdev_sum_fold(acc), 0xffff);
}

int main(void)
{
	ktap_start();
	KTAP_RUN(a_sum_is_stored_complemented);
	KTAP_RUN(no_sum_is_stored_as_zero);
	KTAP_RUN(sums_of_two_calls_add_up);
	return ktap_finish();
}
