# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2015,SC2034,SC2154
# Sourced by run: the wire, and the NICs under test, which are in the emulator or, with
# --card vfio-user, in processes of tools/vktls-card. Uses the variables of run's options.

card_pids=() card_failed=''

mac_of()
{
	printf '52:54:00:00:02:%02x' "$1"
}

# add_plug I: the end of the wire that NIC I is plugged into
add_plug()
{
	local id=nic$1

	if [ -n "$tap" ] && [ "$1" = 0 ]; then
		add -netdev "$(tap_of),id=$id"
	else
		add -netdev "hubport,id=$id,hubid=0"
	fi
}

tap_of()
{
	case $tap in
	fd=*) echo "tap,$tap" ;;
	*) echo "tap,ifname=$tap,script=no,downscript=no" ;;
	esac
}

# add_card_wire NAME: connect the emulator's hub to the card's process; reconnect when
# that process is started again
add_card_wire()
{
	add -netdev "stream,id=wire-$1,server=off,reconnect-ms=200,addr.type=unix,addr.path=$tmp/wire-$1"
	add -netdev "hubport,id=hub-$1,hubid=0,netdev=wire-$1"
}

# add_card_monitor NAME: connect the guest to the monitor of a card's process
add_card_monitor()
{
	add -chardev "socket,id=card-$1,path=$tmp/card-qmp-$1,reconnect-ms=200"
	add -device "virtserialport,chardev=card-$1,name=vktls.card.$1"
}

# add_card I: QEMU treats a card as removed if it does not answer for x-msg-timeout; the
# default of 5 seconds is too short on a busy host
add_card()
{
	local id=dut$1

	[ -n "$tap" ] && [ "$1" = 0 ] || add_card_wire "$id"
	add_card_monitor "$id"
	add -device "{\"driver\": \"vfio-user-pci\", \"id\": \"$id\", \"x-msg-timeout\": 300000,
		\"socket\": {\"type\": \"unix\", \"path\": \"$tmp/card-$id\"}}"
}

# Hot plug by PCIe, not ACPI: only then QEMU reports the link state, which AER needs
add_root_port()
{
	[ "$arch" != amd64 ] || add -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
	add -device pcie-root-port,id=rp,chassis=9
	[ -z "$spare" ] || add -device pcie-root-port,id=rp2,chassis=10
}

# One hub is the wire: the NICs under test, the peer and perhaps the host
add_network()
{
	local i device=$nic rule rules='' rom=,romfile=

	[ "$nic" != virtio-net ] || device=virtio-net-pci
	[ "$virtio" = pci ] || rom=
	[ "$nic" = vktls ] || nic_opt=,romfile=$nic_opt
	[ -z "$root_port$spare" ] || add_root_port
	for ((i = 0; i < nics; i++)); do
		if [ "$card" = vfio-user ]; then
			add_card "$i"
			continue
		fi
		add_plug "$i"
		add -device "$device,id=dut$i,netdev=nic$i,mac=$(mac_of $((i + 1)))${root_port:+,bus=rp}$nic_opt"
		root_port=''
	done
	if [ -n "$spare" ]; then
		add_card_wire spare
		add_card_monitor spare
	fi
	add -netdev hubport,id=peer,hubid=0
	add -device "virtio-net-$virtio,netdev=peer,mac=52:54:00:00:02:ff$rom"
	if [ ${#hostfwd[@]} != 0 ]; then
		for rule in "${hostfwd[@]}"; do
			rules+=,hostfwd=$rule
		done
		add -netdev "user,id=host,net=192.0.2.0/24,host=192.0.2.254,dns=192.0.2.253,dhcpstart=192.0.2.1,ipv6=off,restrict=on$rules"
		add -netdev hubport,id=hosthub,hubid=0,netdev=host
	fi
	[ -z "$pcap" ] || [ "$card" = vfio-user ] ||
		add -object "filter-dump,id=pcap,netdev=nic0,file=$pcap"
}

# start_card NAME MAC [ARGUMENT]...
start_card()
{
	local name=$1 mac=$2 wire

	shift 2
	wire=stream,server=on,addr.type=unix,addr.path=$tmp/wire-$name
	[ -z "$tap" ] || [ "$name" != dut0 ] || wire=$(tap_of)
	"$TOP/tools/vktls-card" --qemu "$(card_product qemu-system-x86_64)" \
		--socket "$tmp/card-$name" --qmp "$tmp/card-qmp-$name" --id "$name" \
		--netdev "$wire" --device "mac=$mac$nic_opt" "$@" \
		</dev/null >"$tmp/card-log-$name" 2>&1 &
	card_pids+=($!)
	wait_for_card "$name" $!
}

wait_for_card()
{
	local tries

	for ((tries = 0; tries < 600; tries++)); do
		[ ! -S "$tmp/card-$1" ] || return 0
		kill -0 "$2" 2>/dev/null || break
		sleep 0.1
	done
	show_cards
	die "the card $1 does not start"
}

start_cards()
{
	local i args pattern

	card_pids=() card_failed=''
	[ "$card" = vfio-user ] || return 0
	for ((i = 0; i < nics; i++)); do
		args=(--once)
		for pattern in "${trace[@]}"; do
			args+=(--trace "$pattern" --trace-log "$trace_log${i#0}")
		done
		[ -z "$pcap" ] || [ "$i" != 0 ] || args+=(--pcap "$pcap")
		start_card "dut$i" "$(mac_of $((i + 1)))" "${args[@]}"
	done
	[ -z "$spare" ] || start_card spare 52:54:00:00:02:77 --respawn
}

# A card ends when its client does; the spare card, number $nics, waits for the next client
end_cards()
{
	local pid i=0 tries

	for pid in "${card_pids[@]}"; do
		for ((tries = 0; tries < 300; tries++)); do
			[ "$i" != "$nics" ] && kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill "$pid" 2>/dev/null || true
		wait "$pid" || card_failed="the process of card $i ended with status $?"
		i=$((i + 1))
	done
	card_pids=()
}

show_cards()
{
	local log

	for log in "$tmp"/card-log-*; do
		[ -s "$log" ] || continue
		say "--- the words of the card ${log##*card-log-} ---"
		tail -n 20 "$log" >&2
	done
}
