// SPDX-License-Identifier: GPL-2.0-only
/* The same cases as aead_test, over the device's other library. */
#include "aead_test.c"
