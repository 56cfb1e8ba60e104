# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by tests that are shell scripts: cases in KTAP, as tests/check reads them.
# $work is a folder for the time of the test; what a command leaves in $work/out and
# $work/err is shown when its case fails.

# Status of a command that cannot run here. The last line of $work/out says why.
export SKIP=4

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0

# check NAME COMMAND...: a case passes when the command does
check()
{
	local name=$1 rc=0 file

	shift
	number=$((number + 1))
	"$@" || rc=$?
	case $rc in
	0) echo "ok $number $name" ;;
	"$SKIP") echo "ok $number $name # SKIP $(tail -n 1 "$work/out")" ;;
	*)
		failed=1
		for file in "$work/out" "$work/err"; do
			[ ! -f "$file" ] || tail -n 100 "$file" | sed 's/^/# /'
		done
		echo "not ok $number $name" ;;
	esac
}

# quietly COMMAND...: its output is kept in $work/out
quietly()
{
	"$@" >"$work/out" 2>&1
}

# The last command of a test
end_of_cases()
{
	echo "1..$number"
	exit $failed
}
