// SPDX-License-Identifier: GPL-2.0-only
/* The cases of aead_test, with nettle as the device's crypto library. */
#include "aead_test.c"
