#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS flows while the PCI core resets the NIC, while it recovers from a link error (AER),
and while the host sleeps: the NIC encrypts them again within a second of the end, and no
byte is lost."""
import os
import struct
import subprocess
import time

import recover
import calls
import ktap
import nicfault
import rig

SOON = 1.0      # seconds from the end of the outage until offload must be in force
POWER = "/sys/power/"
COMPLAINTS = ("device is gone", "do not answer", "no answer", "NETDEV WATCHDOG")
MEMORY = 2      # bit of a port's command register: forward accesses to memory behind it


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def nic():
    return os.path.realpath(f"/sys/class/net/{rig.IFACE}/device")


def through(name, outage, times=1, silent=COMPLAINTS):
    """Flows run through an outage: offload is in force again within a second after outage()
    has returned, and the kernel does not complain."""
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
    for words in silent:
        ktap.equal(log.has(words), False, f"the kernel says: {words}")
    load.finish()
    if max(late) > SOON * ktap.SLOW:
        raise AssertionError(f"offload came back after {late} s")


def pci_reset():
    """The user resets the NIC through sysfs."""
    through("PCI reset", lambda: write(nic() + "/reset", "1"), 6)


def reset_of_a_closed_interface():
    """The NIC is reset while its interface is down: the interface can be opened afterwards,
    and works."""
    ktap.defer(rig.run, "ip", "link", "set", rig.IFACE, "up")
    rig.run("ip", "link", "set", rig.IFACE, "down")
    write(nic() + "/reset", "1")
    rig.run("ip", "link", "set", rig.IFACE, "up")
    rig.run("ip", "addr", "replace", "2001:db8::1/64", "dev", rig.IFACE, "nodad")
    rig.wait_for(lambda: subprocess.run(["ping", "-q", "-c", "1", "-W", "1", "192.0.2.2"],
                                        capture_output=True, check=False).returncode == 0,
                 20, lambda: "nobody answers")


def link_error(error):
    """The root port above the NIC reports that error; the kernel recovers all devices below
    it."""
    log = recover.Log()
    nicfault.monitor(f"pcie_aer_inject_error rp {error}")
    log.expect("AER: device recovery")
    ktap.equal(log.has("device recovery successful"), True, "the kernel says: successful")


def before(order, first, second):
    """The kernel called FIRST, and later SECOND for the first time."""
    ktap.equal([name in order for name in (first, second)], [True, True],
               f"{first} and {second} were called")
    ktap.equal(order.index(first) < order.index(second), True,
               f"{first} comes before {second}")


def buffers_of_a_nic_in_error():
    """After an error the NIC may still write to memory: the driver clears bus mastering
    before it frees the buffers."""
    load, _ = recover.begin()
    with calls.calls("pci_clear_master", "vktls:vktls_rx_reset") as order:
        link_error("COMP_TIME")
    before(order, "pci_clear_master", "vktls_rx_reset")
    load.goes_on()
    load.finish()


def probe_of_a_nic_at_work():
    """The kernel before this one may have crashed and left the NIC running: the probe
    resets the NIC before it enables bus mastering."""
    address = recover.pci_address()
    ktap.defer(recover.come_back, address)
    recover.driver("unbind", address)
    with calls.calls("pci_set_master", "vktls:vktls_dev_reset") as order:
        recover.driver("bind", address)
    before(order, "vktls_dev_reset", "pci_set_master")


def port_memory(answers):
    """Set whether the root port forwards accesses to the registers behind it."""
    with open(os.path.dirname(nic()) + "/config", "r+b", buffering=0) as file:
        file.seek(4)
        command, = struct.unpack("<H", file.read(2))
        file.seek(4)
        file.write(struct.pack("<H", command & ~MEMORY | (MEMORY if answers else 0)))


def not_recovered():
    """An error comes while the NIC does not answer: the kernel fails to recover it."""
    log = recover.Log()
    ktap.defer(port_memory, True)
    port_memory(False)
    nicfault.monitor("pcie_aer_inject_error rp COMP_TIME")
    log.expect("AER: device recovery failed")
    port_memory(True)


def error_after_one_not_recovered():
    """An error was not recovered; the next error is recovered as if it were the first."""
    not_recovered()
    link_error("COMP_TIME")


def reset_after_error_not_recovered():
    """An error was not recovered; the user resets the NIC."""
    not_recovered()
    write(nic() + "/reset", "1")


def devices_test(state):
    """All devices are put to sleep and woken, up to the point where firmware would switch
    the host off (the VM has no firmware that could wake it from S3)."""
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
    # uncorrectable errors of the PCI Express specification; a fatal error resets the link
    for kind, error in (("fatal", "DLP"), ("not fatal", "COMP_TIME")):
        ktap.add(f"AER, {kind}", through, f"AER, {kind}",
                 lambda error=error: link_error(error), 3, timeout=150)
    for fn in (error_after_one_not_recovered, reset_after_error_not_recovered):
        ktap.add(fn.__name__, through, fn.__name__.replace("_", " "), fn, 2,
                 COMPLAINTS[2:], timeout=150)
    ktap.add("buffers of a NIC in error", buffers_of_a_nic_in_error, timeout=90)
    ktap.add("probe of a NIC at work", probe_of_a_nic_at_work, timeout=60)
    for state in ("freeze", "mem", "disk"):
        ktap.add(f"devices sleep: {state}", through, f"devices sleep ({state})",
                 lambda state=state: devices_test(state), timeout=150)
    ktap.main()


if __name__ == "__main__":
    main()
