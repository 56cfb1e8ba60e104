#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each fuzzer of fuzz/run from nothing, with the same inputs each time; KTAP.
set -u

runs=(engine:1500 rx:1500 gro:1500 core:1500 cmd:1500)
number=0
failed=0

echo "KTAP version 1"
echo "1..${#runs[@]}"
for each in "${runs[@]}"; do
	number=$((number + 1))
	ok=ok
	if ! FUZZ_OUT=$O FUZZ_COVER=no tests/unit/fuzz/run 60 "${each%:*}" \
		-seed=1 -runs="${each#*:}" >"$O/out" 2>&1; then
		ok="not ok"
		failed=1
		sed 's/^/# /' "$O/out" | tail -n 40
	fi
	echo "$ok $number ${each%:*}"
done
exit $failed
