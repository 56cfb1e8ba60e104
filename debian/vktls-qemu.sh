#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The QEMU with the vktls NIC, with the firmware of the distribution's QEMU
exec /usr/lib/vktls/qemu-system-x86_64 -L /usr/share/seabios -L /usr/share/qemu "$@"
