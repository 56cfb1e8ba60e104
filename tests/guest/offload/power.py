#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS flows while the PCI core resets the NIC, recovers from an error of the link (AER),
and while the host sleeps: the NIC encrypts them again within a second of the end, and no
byte is lost."""
import os
import subprocess
import time

import recover
import ktap
import nicfault
import rig

SOON = 1.0      # seconds from the end to offload in force
POWER = "/sys/power/"


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def nic():
    return os.path.realpath(f"/sys/class/net/{rig.IFACE}/device")


def through(name, outage, times=1):
    """Offload is in force again soon after outage() has returned."""
    load, log = recover.begin()
    late = []
    for _ in range(times):
        outage()
        start = time.monotonic()
        while not (since := load.offloaded()):
            if time.monotonic() - start > recover.PATIENCE:
                raise AssertionError(f"offload does not come back; {load.watch.report()}")
        late.append(since - start)
    ktap.figure(f"{name}: offload in force again after {max(late):.1f} s at most, {times} times")
    load.watch.some("resets", "tx_tls_lost_reset")
    for words in ("device is gone", "do not answer", "no answer", "NETDEV WATCHDOG"):
        ktap.equal(log.has(words), False, f"the kernel says: {words}")
    load.finish()
    if max(late) > SOON * ktap.SLOW:
        raise AssertionError(f"offload came back after {late} s")


def pci_reset():
    """echo 1 > reset"""
    through("PCI reset", lambda: write(nic() + "/reset", "1"), 6)


def reset_of_a_closed_interface():
    """Nothing runs then; it can be opened afterwards."""
    ktap.defer(rig.run, "ip", "link", "set", rig.IFACE, "up")
    rig.run("ip", "link", "set", rig.IFACE, "down")
    write(nic() + "/reset", "1")
    rig.run("ip", "link", "set", rig.IFACE, "up")
    rig.run("ip", "addr", "replace", "2001:db8::1/64", "dev", rig.IFACE, "nodad")
    rig.wait_for(lambda: subprocess.run(["ping", "-q", "-c", "1", "-W", "1", "192.0.2.2"],
                                        capture_output=True, check=False).returncode == 0,
                 20, lambda: "nobody answers")


def link_error(error):
    """The root port above the NIC reports that error; the kernel recovers all below it."""
    log = recover.Log()
    nicfault.monitor(f"pcie_aer_inject_error rp {error}")
    log.expect("AER: device recovery")
    ktap.equal(log.has("device recovery successful"), True, "the kernel says: successful")


def devices_test(state):
    """
    All devices are put to sleep and woken, up to the point where firmware would switch
    the host off: the VM boots without the firmware that would wake it from S3.
    """
    if state not in open(POWER + "state", encoding="ascii").read().split():
        raise ktap.Skip(f"this kernel does not know {state}")
    ktap.defer(write, POWER + "pm_test", "none")
    write(POWER + "pm_test", "platform")
    write(POWER + "state", state)


def main():
    rig.offload()
    rig.control()
    rig.far_receive_frames()
    rig.run("ethtool", "-L", rig.IFACE, "combined", "2")
    ktap.add("PCI reset", pci_reset, timeout=150)
    ktap.add("PCI reset of a closed interface", reset_of_a_closed_interface, timeout=60)
    # the uncorrectable errors of the PCI Express specification: fatal ones reset the link
    for kind, error in (("fatal", "DLP"), ("not fatal", "COMP_TIME")):
        ktap.add(f"AER, {kind}", through, f"AER, {kind}",
                 lambda error=error: link_error(error), 3, timeout=150)
    for state in ("freeze", "mem", "disk"):
        ktap.add(f"devices sleep: {state}", through, f"devices sleep ({state})",
                 lambda state=state: devices_test(state), timeout=150)
    ktap.main()


if __name__ == "__main__":
    main()
