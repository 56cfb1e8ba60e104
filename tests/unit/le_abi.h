/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ABI structures as a mock host writes them: little-endian, also if the test runs on a
 * big-endian processor. To be included before all headers of the device.
 */
#ifndef LE_ABI_H
#define LE_ABI_H

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#pragma GCC diagnostic ignored "-Wscalar-storage-order"
_Pragma("scalar_storage_order little-endian")
#include "vktls_abi.h"
_Pragma("scalar_storage_order default")
#else
#include "vktls_abi.h"
#endif

#endif
