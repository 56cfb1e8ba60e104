# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced after common.sh: where the debug kernel is built, and its configuration, where
# the last line about an option counts. With KCSAN=1 it is the one that finds data races.
# KERNEL names a version, see fetch-kernel; 6.12 is the host's source package.

DEBUG_SOURCE=/usr/src/linux-source-6.12.tar.xz
if [ "${KERNEL:-6.12}" != 6.12 ]; then
	found=$("$SCRIPTS/fetch-kernel" "$KERNEL") || exit
	DEBUG_SOURCE=$CACHE/kernel/${found% *}/source.tar.xz
fi

DEBUG_CONFIGS=("$SCRIPTS/debug.config")
[ -z "${KCSAN:-}" ] || DEBUG_CONFIGS+=("$SCRIPTS/kcsan.config")

# shellcheck disable=SC2034 # used by those who source this
DEBUG_KERNEL=$CACHE/debug-kernel/$(key_of "${DEBUG_CONFIGS[@]}" \
	"$(stat -c %s "$DEBUG_SOURCE" 2>/dev/null)" 1)
