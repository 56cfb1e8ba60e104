#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Hot plug and unplug of a second NIC, also under traffic: the first NIC is not disturbed,
and the kernel logs no complaint."""
import os
import shutil
import subprocess
import time

from nic import dmesg_mark, dmesg_since, peer, ping, qmp, read, run, setup_link, wait
import ktap

MAC = "52:54:00:00:02:77"
FILE, OLDER = "/lib/firmware/vktls/vktls.fw", "/lib/firmware/vktls/vktls-1.5.fw"
HERE, THERE = "198.51.100.1", "198.51.100.2"
COMPLAINTS = ("WARNING", "BUG", "Oops", "Call Trace", "refused", "timeout")


def hot_interface():
    """Name of the plugged interface; None if it is missing or being removed."""
    for name in os.listdir("/sys/class/net"):
        try:
            if read(f"/sys/class/net/{name}/address") == MAC:
                return name
        except OSError:
            continue
    return None


def insert(**properties):
    answer = qmp("device_add", driver="vktls", id="hot", bus="rp", netdev="spare", mac=MAC,
                 **properties)
    ktap.equal("error" in answer, False, f"device_add: {answer}")


def plug(**properties):
    """Plug the NIC in. Returns its interface, which is up and has an address."""
    insert(**properties)
    wait("the interface", hot_interface, 30)
    name = hot_interface()
    run("ip", "addr", "add", f"{HERE}/24", "dev", name)
    run("ip", "link", "set", name, "up")
    wait("carrier", lambda: read(f"/sys/class/net/{name}/carrier") == "1")
    return name


def in_qemu():
    devices = qmp("qom-list", path="/machine/peripheral")["return"]
    return any(device["name"] == "hot" for device in devices)


def unplug():
    answer = qmp("device_del", id="hot")
    ktap.equal("error" in answer, False, f"device_del: {answer}")
    wait("the interface to go", lambda: not hot_interface(), 30)
    wait("QEMU to let it go", lambda: not in_qemu(), 30)


def no_complaints(mark):
    said = [line for line in dmesg_since(mark).splitlines()
            if any(word in line for word in COMPLAINTS)]
    ktap.equal(said, [], "kernel log")


def comes_and_goes_idle():
    mark = dmesg_mark()
    for _ in range(3):
        plug()
        ping(THERE)
        unplug()
    no_complaints(mark)


def streams(count):
    """Start traffic both ways over the plugged NIC; it runs until the case ends."""
    server = subprocess.Popen(["ip", "netns", "exec", "peer", "iperf3", "-s"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ktap.defer(server.kill)
    time.sleep(1)
    client = subprocess.Popen(["iperf3", "-c", THERE, "--bidir", "-P", str(count), "-t", "600"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ktap.defer(client.kill)


def received(name):
    return int(read(f"/sys/class/net/{name}/statistics/rx_bytes"))


def goes_under_traffic():
    mark = dmesg_mark()
    name = plug()
    streams(4)
    wait("traffic", lambda: received(name) > 4 << 20, 60)
    unplug()
    ping()
    no_complaints(mark)
    plug()
    ping(THERE)
    unplug()


def goes_with_the_link_down():
    mark = dmesg_mark()
    run("ip", "link", "set", plug(), "down")
    unplug()
    no_complaints(mark)


def older_card():
    """A NIC of ABI 1.5, which takes no newer firmware, gets firmware of ABI 1.5: it works."""
    os.rename(FILE, FILE + ".newest")
    ktap.defer(os.rename, FILE + ".newest", FILE)
    shutil.copy(OLDER, FILE)
    mark = dmesg_mark()
    name = plug(**{"abi-minor": 5})
    bus = os.path.basename(os.path.realpath(f"/sys/class/net/{name}/device"))
    info = run("devlink", "dev", "info", f"pci/{bus}")
    for said in ("abi 1.5", "fw.status running"):
        ktap.equal(said in info, True, f"{said} in {info}")
    ping(THERE)
    unplug()
    no_complaints(mark)


def too_old_card():
    mark = dmesg_mark()
    insert(**{"abi-minor": 4})
    wait("the driver's word", lambda: "NIC has ABI 1.4, this driver needs 1.5" in
         dmesg_since(mark))
    ktap.equal(hot_interface(), None, "interface")
    unplug()


def main():
    setup_link()
    peer("ip", "addr", "add", f"{THERE}/24", "dev", "eth0")
    for fn in (comes_and_goes_idle, goes_under_traffic, goes_with_the_link_down,
               older_card, too_old_card):
        ktap.add(fn.__name__.replace("_", " "), fn, timeout=150)
    ktap.main()


if __name__ == "__main__":
    main()
