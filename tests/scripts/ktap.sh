# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by tests that are shell scripts: cases in KTAP, as tests/check reads them.
# $work is a folder that exists until the test ends; when a case fails, the files $work/out
# and $work/err, written by its command, are shown.

# Status of a command that cannot run here. The last line of $work/out has the reason.
export SKIP=4

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0

# check NAME COMMAND...: a case, which passes when the command succeeds
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

# quietly COMMAND...: write the command's output to $work/out
quietly()
{
	"$@" >"$work/out" 2>&1
}

# check_steps NAME COMMAND...: the same for a function of many commands: the first that
# fails ends it. All output goes to $work/out. The caller runs without "set -e".
check_steps()
{
	local name=$1 rc

	shift
	(
		set -e
		"$@"
	) >"$work/out" 2>&1
	rc=$?
	check "$name" [ "$rc" = 0 ]
}

# Called as the last command of a test
end_of_cases()
{
	echo "1..$number"
	exit $failed
}
