// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other exports with the distribution's versions; see export_dev.c. These
 * need other types to be visible.
 */

#include <crypto/aead.h>
#include <crypto/scatterwalk.h>
#include <linux/module.h>
#include <linux/skbuff_ref.h>
#include <linux/skmsg.h>
#include <net/ip6_checksum.h>
#include <net/tls.h>

EXPORT_SYMBOL_GPL(tls_encrypt_skb);
EXPORT_SYMBOL_GPL(tls_validate_xmit_skb);
