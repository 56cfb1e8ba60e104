#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# full
# timeout 7200
# A hundred live migrations under TLS flows
ROUNDS=100 exec "$(dirname "$(readlink -f "$0")")/migrate_test.py"
