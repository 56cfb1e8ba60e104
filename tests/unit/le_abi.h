/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ABI as a mock host writes it: its structures are little-endian on a big-endian
 * processor too. Comes before every header of the device.
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
