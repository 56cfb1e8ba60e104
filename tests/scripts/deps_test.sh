#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# make deps on hosts that it does not support: another distribution, another processor, a
# user without root rights. make deps prints the command that helps, and changes nothing.
set -uo pipefail

# shellcheck source=tests/scripts/ktap.sh
. tests/scripts/ktap.sh

# A simulated host with these programs and a few common ones
host()
{
	local name

	rm -rf "${work:?}/bin"
	mkdir "$work/bin"
	for name in bash dirname readlink tr sed grep cat; do
		ln -s "$(command -v $name)" "$work/bin/"
	done
	for name; do
		printf '#!%s\n%s\n' "$(command -v bash)" "${name#*=}" >"$work/bin/${name%%=*}"
		chmod +x "$work/bin/${name%%=*}"
	done
}

# refused WORDS MEND
refused()
{
	! PATH=$work/bin XDG_CACHE_HOME=$work/cache VKTLS_BUILD=$work/build \
		scripts/deps >"$work/out" 2>"$work/err" &&
		grep -q "^error: .*$1" "$work/err" && grep -q "^  mend: .*$2" "$work/err" &&
		[ ! -e "$work/installed" ]
}

as_written()
{
	grep -qF "podman run --rm -v \"\$PWD\":/vktls" Containerfile
}

apt="apt-get=touch $work/installed"
amd64="dpkg=echo amd64"
echo "KTAP version 1"
host
check "no apt: the container" refused "no apt here" "podman build -t vktls ."
check "its command is that of the Containerfile" as_written
host "$apt" "dpkg=echo arm64" "dpkg-query=exit 1"
check "another processor" refused "x86-64" "such a processor"
host "$apt" "$amd64" "dpkg-query=exit 1" "id=echo 1000"
check "not root, and packages are missing" refused "you are not root: .*build-essential" \
	"sudo make deps"
end_of_cases
