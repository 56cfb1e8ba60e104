# SPDX-License-Identifier: GPL-2.0-only
# What each tests/unit/NAME_test.c needs:
#	NAME_test-src		more sources, from the top of the tree
#	NAME_test-libs		libraries
#	NAME_test-cflags	defines and the like, for all its sources
#	NAME_test-sanitize	instead of address and undefined behaviour

rv32-src = qemu-device/soc/rv32.c qemu-device/soc/rv32_csr.c
rv32_test-src = $(rv32-src)
rv32_priv_test-src = $(rv32-src)

# the firmware image is $(BUILD)/firmware/vktls.fw
core-src = $(addprefix qemu-device/soc/,core.c core_blocks.c core_load.c core_save.c \
			core_steer.c core_store.c sha256.c sign.c) $(rv32-src)
core-libs = -lhogweed -lnettle
fw-src = tests/unit/fw_rig.c $(core-src)
fw_cmd_test-src = $(fw-src)
fw_refuse_test-src = $(fw-src)
fw_mbox_test-src = $(fw-src)
fw_load_test-src = $(fw-src)
fw_save_test-src = $(fw-src)
fw_store_test-src = $(fw-src)
fw_cmd_test-libs = $(core-libs)
fw_refuse_test-libs = $(core-libs)
fw_mbox_test-libs = $(core-libs)
fw_load_test-libs = $(core-libs)
fw_save_test-libs = $(core-libs)
fw_store_test-libs = $(core-libs)
sign_test-src = qemu-device/soc/sign.c
sign_test-libs = $(core-libs)

aead-any-src = qemu-device/tls/aead.c qemu-device/tls/poly.c
ifeq ($(MACHINE),x86_64)
aead-src = qemu-device/tls/aead_ipsec_mb.c $(aead-any-src)
aead-libs = -lIPSec_MB $(GNUTLS)
aead-cflags = -DVKDEV_AEAD_IPSEC_MB
else
aead-src = qemu-device/tls/aead_nettle.c $(aead-any-src)
aead-libs = -lnettle $(GNUTLS)
aead-cflags = -DVKDEV_AEAD_NETTLE
endif
aead_test-src = $(aead-src)
aead_test-libs = $(aead-libs)
aead_test-cflags = $(aead-cflags)
aead_nettle_test-src = qemu-device/tls/aead_nettle.c $(aead-any-src)
aead_nettle_test-libs = -lnettle $(GNUTLS)
aead_nettle_test-cflags = -DVKDEV_AEAD_NETTLE

engine-src = tests/unit/engine_model.c $(aead-src) \
	     $(addprefix qemu-device/tls/,ctx.c decrypt.c encrypt.c engine.c holes.c \
	       keys.c late.c record.c replay.c replay_cache.c resync.c tx_keys.c)
engine_test-src = tests/unit/engine_drive.c $(engine-src)
engine_test-libs = $(aead-libs)
engine_test-cflags = $(aead-cflags)
engine_replay_test-src = $(engine-src)
engine_replay_test-libs = $(aead-libs)
engine_replay_test-cflags = $(aead-cflags)
engine_rx_test-src = $(engine-src)
engine_rx_test-libs = $(aead-libs)
engine_rx_test-cflags = $(aead-cflags)
engine_gap_test-src = $(engine-src)
engine_gap_test-libs = $(aead-libs)
engine_gap_test-cflags = $(aead-cflags)
engine_key_test-src = $(engine-src)
engine_key_test-libs = $(aead-libs)
engine_key_test-cflags = $(aead-cflags)
engine_tx_key_test-src = $(engine-src)
engine_tx_key_test-libs = $(aead-libs)
engine_tx_key_test-cflags = $(aead-cflags)

# looks through the whole process for keys, which shadow memory does not allow
engine_wipe_test-src = $(engine-src)
engine_wipe_test-libs = $(aead-libs)
engine_wipe_test-cflags = $(aead-cflags)
engine_wipe_test-sanitize = -fsanitize=undefined

poly_test-src = qemu-device/tls/poly.c

fault_plan_test-src = $(addprefix qemu-device/fault/,cmds.c late.c line.c rule.c)

sum-cflags = $(if $(filter x86_64,$(MACHINE)),-DVKDEV_AVX2)
sum_test-src = qemu-device/frame/sum.c
sum_test-cflags = $(sum-cflags)
sum_any_test-src = qemu-device/frame/sum.c

wire-src = qemu-device/frame/wire.c qemu-device/frame/rss.c qemu-device/frame/sum.c

wire-cflags = $(sum-cflags)

filter_test-src = qemu-device/frame/filter.c $(wire-src)
filter_test-cflags = $(wire-cflags)

flow_test-src = qemu-device/frame/flow.c $(wire-src)
flow_test-cflags = $(wire-cflags)

gro_test-src = qemu-device/frame/gro.c qemu-device/frame/tso.c $(wire-src)
gro_test-cflags = $(wire-cflags)

wire_test-src = qemu-device/frame/tso.c $(wire-src)
wire_test-cflags = $(wire-cflags)

tls_record_test-src = net/tls/record.c
tls_record_test-libs = -lnettle
tls_secret_test-src = net/tls/secret.c net/tls/key_update.c
tls_secret_test-libs = -lnettle -lgnutls
