#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The VM runner: it passes the command's output and status on, and takes no failure of the
# VM for a pass. The guests have NICs of QEMU's own, so the results do not depend on our
# driver.
set -uo pipefail

run=$(dirname "$(readlink -f "$0")")/run
# shellcheck source=tests/scripts/ktap.sh
. tests/scripts/ktap.sh

# vm STATUS OPTION...: run the VM and expect that exit status
vm()
{
	local expected=$1

	shift
	"$run" --nic virtio-net "$@" >"$work/out" 2>"$work/err"
	status=$?
	[ "$status" = "$expected" ]
}

panicked()
{
	grep -q 'sysrq triggered crash' "$work/err"
}

captured()
{
	tshark -r "$work/pcap" 2>/dev/null | grep -q 'ICMP.*request'
}

# the usual limit times three would be 120
soon()
{
	SECONDS=0
	vm "$@" && [ "$SECONDS" -lt 60 ]
}

mkdir "$work/share"
echo in >"$work/share/in"
# shellcheck disable=SC2016 # for the guest's shell
script='cat /mnt/host/in; echo wrong >&2; echo back >/mnt/host/out
ping -q -c 1 192.0.2.2 >/dev/null || exit 1
ip netns exec peer ping -q -c 1 2001:db8::1 >/dev/null || exit 1
echo last >/dev/stdout; exit 7'

echo "KTAP version 1"
check "the exit status is the command's" \
	vm 7 --share "$work/share" --pcap "$work/pcap" -- "$script"
check "standard output is the command's alone" \
	diff <(printf 'in\nlast\n') "$work/out"
check "standard error is kept apart" diff <(echo wrong) "$work/err"
check "what the guest leaves in the share comes back" \
	diff <(echo back) "$work/share/out"
check "the capture has the wire's packets" captured
check "a panic is a failure, whatever was printed" \
	vm 125 -- 'echo ok; echo c >/proc/sysrq-trigger'
check "the console shows the panic" panicked
check "no end in time is a failure" vm 124 --timeout 15 -- 'sleep 100'
check "a kernel warning is a failure" \
	vm 125 --smp 1 -- 'echo "WARNING: CPU: 0 PID: 1 at test" >/dev/kmsg'
# shellcheck disable=SC2016 # for the false QEMU
printf '#!/bin/sh\necho "assertion failed" >&2\nkill -ABRT $$\n' >"$work/crashes"
chmod +x "$work/crashes"
check "a crash of QEMU is a failure" vm 125 --qemu "$work/crashes" -- true
check "it shows what QEMU said" grep -q 'assertion failed' "$work/err"
# shellcheck disable=SC2016 # for the false QEMU
printf '#!/bin/sh\necho "iotlb_to_section: Assertion failed" >&2\nkill -ABRT $$\n' \
	>"$work/remaps"
chmod +x "$work/remaps"
check "a boot in which QEMU's memory core aborts is begun again, and fails at last" \
	vm 125 --qemu "$work/remaps" -- true
check "it says so after each boot but the last" \
	[ "$(grep -c 'lost the memory map' "$work/err")" = 2 ]
# shellcheck disable=SC2016 # for the false QEMU
printf '#!/bin/sh\nfor word; do case $word in file:*/console)\n%s\nesac; done\nexec sleep 50\n' \
	'echo "rcu: Possible timer handling issue on cpu=0" >"${word#file:}" ;;' \
	>"$work/idles"
chmod +x "$work/idles"
check "a boot whose timer is lost is ended and begun again, three times" \
	soon 123 --timeout 40 --qemu "$work/idles" -- true
check "it says so each time" \
	[ "$(grep -c "lost a processor's timer" "$work/err")" = 3 ]
check "a command that does not exist has its own status" vm 127 -- no-such command
# more than 64 KiB
long=$(printf 'true %010000d\n' 0 0 0 0 0 0 0 0 0 0; echo 'echo its end')
check "a long command does not lose its end" vm 0 -- "$long"
check "all of it ran" diff <(echo its end) "$work/out"
# shellcheck disable=SC2046 # a list of words
check "a command of too many words is refused" vm 125 -- echo $(seq 300)
check "a wrong option is refused" vm 125 --tls theirs -- true
end_of_cases
