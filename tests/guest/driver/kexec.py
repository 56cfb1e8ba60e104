#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Three boots: the first kernel starts the second one (kexec), and a panic of the second
one starts the third (kdump), both times while TLS flows. The NIC works in each boot."""
import ctypes
import os
import pathlib
import sys
import time

sys.path.append("/opt/vktls/guest/offload")
import recover  # noqa: E402  pylint: disable=wrong-import-position
import ktap     # noqa: E402  pylint: disable=wrong-import-position
import rig      # noqa: E402  pylint: disable=wrong-import-position

NEXT = "/run/vktls/next/"
WORD = "vktls.boot="
KEXEC_FILE_LOAD = 320       # number of the system call on x86-64
ON_CRASH = 2                # KEXEC_FILE_ON_CRASH
REBOOT = (0xfee1dead, 0x28121969, 0x45584543)   # LINUX_REBOOT_MAGIC*, _CMD_KEXEC
LIBC = ctypes.CDLL(None, use_errno=True)


def boot():
    """Number of this boot, 1 to 3."""
    words = [word for word in command_line() if word.startswith(WORD)]
    return int(words[0][len(WORD):]) if words else 1


def command_line():
    """Words of the kernel's command line."""
    return pathlib.Path("/proc/cmdline").read_text("ascii").split()


def results(number):
    """The file in which a boot leaves its result."""
    return pathlib.Path(f"/root/boot{number}")


def load_next(number, *more, flags=0):
    """Load the kernel of the next boot, with these further words on its command line."""
    words = [word for word in command_line() if not word.startswith(WORD)]
    line = " ".join([*words, *more, f"{WORD}{number}"]).encode()
    kernel, initrd = (os.open(NEXT + name, os.O_RDONLY) for name in ("vmlinuz", "initrd"))
    if LIBC.syscall(KEXEC_FILE_LOAD, kernel, initrd, len(line) + 1, line, flags):
        raise OSError(ctypes.get_errno(), "kexec_file_load")
    os.close(kernel)
    os.close(initrd)


def works():
    """The NIC encrypts TLS flows of both families, and the driver logs no error."""
    rig.offload()
    watch = rig.Watch()
    for family in (4, 6):
        flow = rig.Flow(family=family)
        flow.send(rig.pattern(200000))
        flow.finish()
    watch.some("tx_tls_encrypted_bytes")
    said = [line for line in rig.run("dmesg").splitlines()
            if "vktls 0000" in line and ("error" in line or "no answer" in line)]
    ktap.equal(said, [], "the kernel says")


def begin(number):
    """Check this boot, save the result, and let TLS flow while the kernel ends."""
    try:
        works()
        results(number).write_text("works", "ascii")
    except Exception as err:        # reported in the third boot
        results(number).write_text(repr(err), "utf-8")
    load = recover.Load()
    load.goes_on()
    os.sync()
    time.sleep(0.1)
    if number == 1:
        LIBC.syscall(169, *REBOOT, None)    # reboot()
    else:
        pathlib.Path("/proc/sysrq-trigger").write_text("c", "ascii")
    time.sleep(60)


def worked(number):
    """The saved result of a boot is good."""
    ktap.equal(results(number).read_text("utf-8"), "works", f"boot {number}")


def main():
    """Run this boot's part. Boots 1 and 2 end within begin()."""
    number = boot()
    if number == 1:
        load_next(2)
        begin(number)
    elif number == 2:
        load_next(3, "nr_cpus=1", flags=ON_CRASH)
        begin(number)
    ktap.add("first kernel", worked, 1)
    ktap.add("kexec with traffic", worked, 2)
    ktap.add("kdump with traffic", works, timeout=120)
    ktap.main()


if __name__ == "__main__":
    main()
