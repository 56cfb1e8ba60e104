#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# full
# timeout 1800
# The suite for any NIC between two VMs with a kernel each, the far one reached by ssh.

exec "$(dirname "$(readlink -f "$0")")/../kselftest-ssh"
