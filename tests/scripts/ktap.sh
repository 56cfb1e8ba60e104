# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by tests that are shell scripts: cases in KTAP, as tests/check reads them.
# $work is a folder for the time of the test; what a command leaves in $work/out and
# $work/err is shown when its case fails.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0

# check NAME COMMAND...: a case passes when the command does
check()
{
	local name=$1 ok=ok file

	shift
	number=$((number + 1))
	if ! "$@"; then
		ok="not ok"
		failed=1
		for file in "$work/out" "$work/err"; do
			[ ! -f "$file" ] || tail -n 100 "$file" | sed 's/^/# /'
		done
	fi
	echo "$ok $number $name"
}

# The last command of a test
end_of_cases()
{
	echo "1..$number"
	exit $failed
}
