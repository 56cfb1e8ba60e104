# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2015,SC2034,SC2100,SC2154
# Sourced by run: the emulator and the machine without its network, for each processor.
# Uses the variables of run's options.

emulator_name=qemu-system-x86_64
# On s390x all devices except the NIC are on the channel bus, and the NIC is on PCI
virtio=pci

use_arch()
{
	case $arch in
	arm64) emulator_name=qemu-system-aarch64 ;;
	s390x) emulator_name=qemu-system-s390x virtio=ccw ;;
	esac
}

# card_product NAME: path of a product that does not depend on the guest's processor
card_product()
{
	[ "$arch" = amd64 ] && echo "$BUILD/$1" || echo "$TOP/build/$1"
}

# Our own QEMU is not built for arm64: a card in a process of its own does not need it
usual_card()
{
	[ "$arch" = arm64 ] && echo vfio-user || echo in-qemu
}

# The command line of the emulator: a file, or Debian's newest QEMU from the cache
choose_qemu()
{
	use_arch
	[ "$card" = in-qemu ] || : "${qemu:=system}"
	: "${qemu:=$(card_product "$emulator_name")}"
	emulator=("$qemu")
	[ "$qemu" != system ] || emulator=("$SCRIPTS/debian-qemu"
		"${emulator_name#qemu-system-}")
	[ "$card$nic$qemu" != in-qemuvktlssystem ] ||
		die "Debian's QEMU has no vktls in it" "add --card vfio-user"
}

# Only a guest that boots proves that KVM works; to open /dev/kvm is not enough. The
# result is stored until the host reboots.
accelerator()
{
	local stamp

	if [ -n "${VKTLS_ACCEL:-}" ]; then
		echo "$VKTLS_ACCEL"
		return
	fi
	stamp=$GUEST/kvm-$(cut -c1-8 /proc/sys/kernel/random/boot_id)
	if [ ! -w /dev/kvm ]; then
		echo tcg
		return
	fi
	if [ ! -f "$stamp" ]; then
		if VKTLS_ACCEL=kvm VKTLS_BUILD=$BUILD "$0" --nic virtio-net --timeout 60 true \
			>/dev/null 2>&1; then
			echo kvm >"$stamp"
		else
			echo tcg >"$stamp"
		fi
	fi
	cat "$stamp"
}

kernel_words()
{
	echo "console=$1" loglevel=5 nokaslr mitigations=off panic=-1
	echo oops=panic softlockup_panic=1 hung_task_panic=1 watchdog_thresh=60
	echo nowatchdog=0 random.trust_cpu=on audit=0 lsm= net.ifnames=0
	echo "$append"
}

# The IOMMU comes before the devices behind it
add_dma()
{
	case $dma in
	bounce) append+=" swiotlb=force" ;;
	iommu)
		append+=" intel_iommu=on iommu.strict=1 iommu.passthrough=0"
		add -device intel-iommu
		[ "$1" != kvm ] || add -machine kernel-irqchip=split ;;
	esac
}

add_amd64()
{
	local accel

	accel=$(accelerator)
	add_dma "$accel"
	append+=" no_timer_check tsc=reliable"
	if [ "$accel" = kvm ]; then
		add -accel kvm -cpu host
	elif [ "$accel" = icount ]; then
		# the clock counts instructions: one instruction takes one nanosecond
		add -accel tcg,thread=single -icount shift=0,sleep=off -cpu max
		append+=" tsc_early_khz=1000000"
	else
		add -accel tcg,thread=multi -cpu max
		append+=" tsc_early_khz=$("$GUEST/tsc_khz")"
	fi
	add -machine q35,vmport=off,smbus=off,i8042=off,graphics=off
	add -append "$(kernel_words ttyS0 | tr '\n' ' ')"
}

add_arm64()
{
	# the architecture's algorithm for signing pointers is slow to emulate
	add -accel tcg,thread=multi -cpu max,pauth-impdef=on -machine virt,gic-version=3
	add -append "$(kernel_words ttyAMA0 | tr '\n' ' ')"
}

# the kernel translates addresses of DMA, which vfio-user does not support
add_s390x()
{
	add -accel tcg,thread=multi -cpu max -machine s390-ccw-virtio
	add -append "$(kernel_words ttysclp0 | tr '\n' ' ')"
}

add_console()
{
	if [ "$arch" = s390x ]; then
		add -chardev "file,id=console,path=$tmp/console"
		add -device sclpconsole,chardev=console
	else
		add -serial "file:$tmp/console"
	fi
}

add_machine()
{
	add -nodefaults -no-user-config -display none -no-reboot
	add -L /usr/share/seabios -L /usr/share/qemu
	"add_$arch"
	add -smp "$smp" -m "$mem"
	# memory that another process than QEMU can map
	[ "$card" = in-qemu ] ||
		add -object "memory-backend-memfd,id=ram,size=$mem,share=on" \
		    -machine memory-backend=ram
	add -kernel "$GUEST/vmlinux" -initrd "$tmp/initrd"
	add -drive "file=$GUEST/image,format=raw,if=none,id=root,snapshot=on"
	add -device "virtio-blk-$virtio,drive=root"
}
