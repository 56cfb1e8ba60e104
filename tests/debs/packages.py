#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The Debian packages, in a root in which they were installed (tests/debs/run boots it):
the records suite passes with the tls.ko of a package; that package is removed, and the
suite passes with the kernel's own tls.ko; when the others are removed too, nothing of them
is left."""
import glob
import os
import subprocess

import ktap
import rig

KVER = os.uname().release
ENV = "/run/vktls/env"
UPDATES = f"/lib/modules/{KVER}/updates/dkms"
MAC = "52:54:00:00:02:01"


def remove(*packages):
    """Remove packages by apt, without a network."""
    rig.run("apt-get", "-q", "purge", "-y", *packages)


def path_of(module):
    """The file that modprobe would load; empty if there is none."""
    return subprocess.run(["modinfo", "-n", module], check=False, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def nic():
    """The present name of the NIC's interface."""
    for path in glob.glob("/sys/class/net/*/address"):
        with open(path, encoding="ascii") as file:
            if file.read().strip() == MAC:
                return path.split("/")[4]
    return None


def carrier():
    """Has eth0 a link?"""
    with open("/sys/class/net/eth0/carrier", encoding="ascii") as file:
        return file.read().strip() == "1"


def loaded_is_ours():
    """Was the loaded tls.ko built outside of the kernel's tree?"""
    with open("/sys/module/tls/taint", encoding="ascii") as file:
        return "O" in file.read()


def unloaded(module):
    """Is a module unloaded? Closed sockets may hold tls.ko for a moment."""
    rig.run("modprobe", "-r", module, check=False)
    return not os.path.exists(f"/sys/module/{module}")


def load_again(tls):
    """Load both modules from their files; the NIC gets its name and addresses back."""
    for module in ("vktls", "tls"):
        rig.wait_for(lambda module=module: unloaded(module), 60,
                     lambda module=module: f"{module} is still in use")
    rig.run("modprobe", "vktls")
    rig.run("modprobe", "tls")
    rig.wait_for(nic, 60, lambda: "the NIC did not come back")
    if nic() != "eth0":
        rig.run("ip", "link", "set", nic(), "name", "eth0")
    for address in ("192.0.2.1/24", "2001:db8::1/64"):
        rig.run("ip", "addr", "add", address, "dev", "eth0", *["nodad"] * (":" in address))
    rig.run("ip", "link", "set", "eth0", "up")
    rig.wait_for(carrier, 60, lambda: "the link did not come back")
    with open(ENV, encoding="ascii") as file:
        text = file.read()
    with open(ENV, "w", encoding="ascii") as file:
        file.write(text.replace("TLS=ours", f"TLS={tls}"))


def records(least):
    """offload/records.py passes, with at least LEAST cases."""
    done = subprocess.run(["./records.py"], cwd="/opt/vktls/guest/offload", text=True,
                          stdout=subprocess.PIPE, check=False)
    print("".join(f"# {line}\n" for line in done.stdout.splitlines()), flush=True)
    ktap.equal(done.returncode, 0, "status of records.py")
    if done.stdout.count("\nok ") < least:
        raise AssertionError("too few cases ran")


@ktap.case()
def modules_are_the_packages():
    """DKMS has put both modules where modprobe looks first, compressed like the kernel's
    own."""
    for module in ("vktls", "tls"):
        ktap.equal(path_of(module), f"{UPDATES}/{module}.ko.xz", module)


@ktap.case(timeout=900)
def records_with_ours():
    """The records suite passes with tls.ko of vktls-tls-dkms, vktls.ko of vktls-dkms, and
    the packaged firmware."""
    records(45)
    ktap.equal(loaded_is_ours(), True, "tls.ko is ours")


@ktap.case(timeout=900)
def stock_is_back():
    """When vktls-tls-dkms is removed, the kernel's own tls.ko is used, and the driver
    stays."""
    remove("vktls-tls-dkms")
    ktap.equal(path_of("tls"), f"/lib/modules/{KVER}/kernel/net/tls/tls.ko.xz", "tls")
    ktap.equal(path_of("vktls"), f"{UPDATES}/vktls.ko.xz", "vktls")
    load_again("stock")
    ktap.equal(loaded_is_ours(), False, "tls.ko is ours")


@ktap.case(timeout=900)
def records_with_stock():
    """The records suite passes with the kernel's tls.ko and vktls.ko of vktls-dkms."""
    records(28)


@ktap.case(timeout=900)
def card_in_a_process_of_its_own():
    """vktls-card of vktls-qemu finds its QEMU and waits for a client; its manual page is there."""
    with subprocess.Popen(["vktls-card", "--socket", "/run/card"], text=True,
                          stderr=subprocess.PIPE) as process:
        said = process.stderr.readline()
        process.terminate()
    ktap.equal(said, "vktls-card: waiting for a client on /run/card\n", "its words")
    ktap.equal(os.path.exists("/usr/share/man/man1/vktls-card.1.gz"), True, "manual page")


@ktap.case(timeout=900)
def nothing_is_left():
    """When all three packages are removed, nothing of them is left, nor of the files that
    DKMS made."""
    remove("vktls-dkms", "firmware-vktls", "vktls-qemu")
    left = [path for pattern in ("/usr/src/vktls*", "/var/lib/dkms/vktls*", f"{UPDATES}/*",
                                 "/usr/lib/firmware/vktls/*", "/usr/lib/vktls",
                                 "/usr/bin/vktls*")
            for path in glob.glob(pattern)]
    ktap.equal(left, [], "files")
    ktap.equal(path_of("vktls"), "", "vktls")


ktap.main()
