# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced after common.sh: where the debug kernel is built.

# shellcheck disable=SC2034 # used by those who source this
DEBUG_KERNEL=$CACHE/debug-kernel/$(key_of "$SCRIPTS/debug.config" \
	"$(stat -c %s /usr/src/linux-source-6.12.tar.xz 2>/dev/null)" 1)
