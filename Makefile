# SPDX-License-Identifier: GPL-2.0-only
# Every target is a thin name for a script or for Kbuild; "make help" lists them.

# found once, when first needed: "make deps all" installs the headers before that
asked := KERNEL="$(KERNEL)" KVER="$(KVER)" KDIR="$(KDIR)"
kernel = $(eval kernel := $$(shell $$(asked) bash -c \
	'. scripts/common.sh; . scripts/kernel.sh; echo $$$$BUILD $$$$KDIR $$$$KVER'))$(or \
	$(kernel),$(error there is no kernel to build for))
build := $(or $(VKTLS_BUILD),$(if $(filter-out 6.12,$(KERNEL)),,$(CURDIR)/build))
override KDIR = $(word 2,$(kernel))
override KVER = $(word 3,$(kernel))
BUILD = $(or $(build),$(word 1,$(kernel)))
ifneq ($(filter-out 6.12,$(KERNEL)),)
export VKTLS_BUILD = $(BUILD)
endif
ARGS ?=

.DEFAULT_GOAL := all
.PHONY: all deps modules firmware firmware-sign tlskeys qemu image selftests guest debian-qemu gnutls demo \
	check check-full check-debs check-in-tree check-hosts check-debug fuzz selftest-table \
	selftests-nic kselftest-ssh recipes mutants bench bench-quick vm modules_install \
	debs lab lint clean help

all: modules firmware qemu tlskeys image ## build everything: modules, firmware, QEMU, guest
	@echo "built; next: make check, make demo or make vm"

deps: ## install the Debian packages that are missing (as root)
	@scripts/deps

modules: ## build vktls.ko and tls.ko into build/modules (KERNEL=newest, KDIR=)
	@echo "[modules] for $(KDIR)"
	@$(asked) scripts/build-modules

firmware: ## build the NIC's firmware into build/firmware
	@echo "[firmware]"
	@$(MAKE) --no-print-directory -s -C firmware O=$(BUILD)/firmware
	@$(MAKE) --no-print-directory -s -C firmware O=$(BUILD)/firmware/1.5 ABI_MINOR=5

firmware-sign: firmware ## sign the firmware with KEY=FILE, into build/firmware/signed
	@mkdir -p $(BUILD)/firmware/signed
	@firmware/signfw "$(KEY)" $(BUILD)/firmware/vktls.fw $(BUILD)/firmware/signed/vktls.fw

tlskeys: ## build build/libtlskeys.so, which hands programs' secrets to the kernel
	@mkdir -p $(BUILD)
	@$(CC) -shared -fPIC -O2 -Wall -Wextra -fvisibility=hidden \
		-o $(BUILD)/libtlskeys.so tools/libtlskeys.c net/tls/secret.c

qemu: ## build QEMU with the NIC in it (QEMU_SOURCE=DIR); SANITIZE=1: with ASan, beside it
	@echo "[qemu]"
	@QEMU_SOURCE="$(QEMU_SOURCE)" scripts/build-qemu $(if $(SANITIZE),--asan)

selftests: ## build the kernel's own selftests for the guest
	@echo "[selftests]"
	@$(asked) scripts/build-selftests

image: selftests ## build what the guest boots
	@echo "[image]"
	@$(asked) scripts/build-image

guest: firmware ## build modules and image of a guest with ARCH=arm64 or s390x
	@$(if $(ARCH),,echo "make guest ARCH=arm64, or ARCH=s390x"; exit 1)
	@echo "[guest] $(ARCH)"
	@VKTLS_ARCH=$(ARCH) scripts/build-modules
	@VKTLS_ARCH=$(ARCH) scripts/build-image
	@$(if $(filter s390x,$(ARCH)),scripts/build-qemu --s390x)

debian-qemu: ## fetch Debian's newest QEMU, unpatched, for tests of vktls-card
	@echo "[debian-qemu]"
	@scripts/debian-qemu --fetch x86_64

gnutls: ## build GnuTLS with kernel TLS, for some long tests (about 2 minutes)
	@echo "[gnutls]"
	@scripts/build-gnutls

demo: deps all ## show nginx's TLS records encrypted by the NIC
	@tests/demo

check: all ## run all tests (ARGS= words that choose suites)
	@-$(MAKE) --no-print-directory -s debian-qemu
	@tests/check $(ARGS)

check-full: all gnutls ## run all tests, the long ones too
	@-$(MAKE) --no-print-directory -s debian-qemu
	@-$(MAKE) --no-print-directory guest ARCH=arm64
	@-$(MAKE) --no-print-directory guest ARCH=s390x
	@tests/check --full $(ARGS)

check-debs: ## install the packages in a fresh Debian 13, boot it, remove them (make debs)
	@tests/debs/run

check-in-tree: ## compile driver and net/tls within the newest kernel's tree, for four processors
	@tests/in-tree $(ARGS)

check-hosts: ## README.md's commands on a fresh Debian 12 and 13, as root (about an hour)
	@tests/hosts $(ARGS)

check-debug: ## run the TLS tests in a kernel with KASAN, lockdep and kmemleak
	@$(asked) tests/check-debug $(ARGS)

selftest-table: all ## run the kernel's TLS selftest on our tls.ko and the distribution's
	@tests/selftest $(ARGS)

selftests-nic: all ## run the kernel's NIC selftests on vktls, virtio-net and igb
	@$(asked) tests/selftests-nic $(ARGS)

recipes: ## write what Avocado needs to run the suites into build/recipes (ARGS=--full)
	@tests/recipes $(ARGS)

kselftest-ssh: all ## run the suite for any NIC between two VMs, over ssh
	@tests/kselftest-ssh $(ARGS)

mutants: all ## seed faults one by one, and see which tests find them (ARGS=--no-vm)
	@tests/mutants/run $(ARGS)

bench: all ## measure, and compare with the goals, as root (FIGURE=tx)
	@tests/bench/run $(ARGS) $(FIGURE)

bench-quick: all ## fail when the guest executes more than in the baseline, as root
	@tests/bench/run --guard $(ARGS)

vm: all ## open a shell in the VM (ARGS= options of tests/vm/run)
	@tests/vm/run --interactive $(ARGS)

lab: all ## check your answer to a lab (N=1 to 6, see docs/labs.rst; SOLUTION=1)
	@docs/labs/lab $(N) $(if $(SOLUTION),solution)

modules_install: modules firmware ## install modules and firmware (DESTDIR=, INSTALL_MOD_PATH=)
	@$(asked) DESTDIR="$(DESTDIR)" INSTALL_MOD_PATH="$(INSTALL_MOD_PATH)" \
		INSTALL_FW_PATH="$(INSTALL_FW_PATH)" MODULE_SIG_KEY="$(MODULE_SIG_KEY)" \
		MODULE_SIG_CERT="$(MODULE_SIG_CERT)" scripts/install-modules

debs: ## build Debian packages in a root of Debian 13, into build/debs
	@echo "[debs]"
	@scripts/build-debs

fuzz: firmware ## fuzz the device for SECONDS=3600, from SEED=1 (see make qemu SANITIZE=1)
	@scripts/build-qemu --asan
	@tests/fuzz $(or $(SECONDS),3600) $(or $(SEED),1)

lint: ## run shellcheck, checkpatch, sparse and W=1
	@tests/lint

clean: ## remove what was built here (the cache outside stays, see below)
	@rm -rf $(BUILD)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "On a fresh Debian 12 or 13, as root: make demo. Without root: sudo make deps, then make."
	@echo "Slow products are kept in $${XDG_CACHE_HOME:-~/.cache}/vktls; delete it to start anew."
