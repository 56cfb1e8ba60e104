# SPDX-License-Identifier: GPL-2.0-only
# What each tests/unit/NAME_test.c needs:
#	NAME_test-src		more sources, from the top of the tree
#	NAME_test-libs		libraries
#	NAME_test-cflags	defines and the like, for all its sources
#	NAME_test-sanitize	instead of address and undefined behaviour

rv32-src = qemu-device/rv32.c qemu-device/rv32_csr.c
rv32_test-src = $(rv32-src)
rv32_priv_test-src = $(rv32-src)

aead-src = qemu-device/aead.c
aead-libs = -lIPSec_MB -lgnutls
aead-cflags = -DVKDEV_AEAD_IPSEC_MB
aead_test-src = $(aead-src)
aead_test-libs = $(aead-libs)
aead_test-cflags = $(aead-cflags)

engine-src = tests/unit/engine_model.c qemu-device/tls.c qemu-device/record.c \
	     $(aead-src)
engine_test-src = tests/unit/engine_drive.c $(engine-src)
engine_test-libs = $(aead-libs)
engine_test-cflags = $(aead-cflags)

# looks through the whole process for keys, which shadow memory does not allow
engine_wipe_test-src = $(engine-src)
engine_wipe_test-libs = $(aead-libs)
engine_wipe_test-cflags = $(aead-cflags)
engine_wipe_test-sanitize = -fsanitize=undefined
