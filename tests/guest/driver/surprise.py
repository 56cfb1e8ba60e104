#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A NIC that vanishes without notice, so that every read returns all ones: the driver
notices it in one place, ends all calls that wait, and can be removed at once."""
import os
import struct
import time

import plug
from nic import config, dmesg_mark, dmesg_since, peer, ping, read, run, setup_link, wait, write
import ktap

MEMORY = 2      # bit of a port's command register: forward accesses to memory behind it
BUSES = 0x18    # config space of a port: its primary, secondary and subordinate bus


def address_of(name):
    return os.path.basename(os.path.realpath(f"/sys/class/net/{name}/device"))


def port_above(device):
    return os.path.basename(os.path.dirname(os.path.realpath(f"/sys/bus/pci/devices/{device}")))


def vanish(name):
    """Take the NIC of an interface away. Returns its PCI device."""
    device = address_of(name)
    port = port_above(device)
    ktap.defer(config, port, MEMORY, MEMORY)
    buses_of[device] = buses(port, 0)
    ktap.defer(buses, port, buses_of[device])
    config(port, MEMORY, 0)
    return device


def buses(port, numbers):
    """Set the bus numbers of a port; with 0 nothing is behind it. Returns the numbers
    before."""
    with open(f"/sys/bus/pci/devices/{port}/config", "r+b", buffering=0) as file:
        file.seek(BUSES)
        before, = struct.unpack("<I", file.read(4))
        file.seek(BUSES)
        file.write(struct.pack("<I", before & 0xff0000ff | numbers & 0xffff00))
    return before


def come_back(device):
    """Make the slot work again; the kernel finds the NIC by a rescan."""
    buses(port_above_of[device], buses_of[device])
    config(port_above_of[device], MEMORY, MEMORY)
    write("/sys/bus/pci/rescan", "1")
    wait("the interface", plug.hot_interface, 30)


port_above_of, buses_of = {}, {}


def gone_under_traffic():
    mark, name = dmesg_mark(), plug.plug()
    port_above_of[address_of(name)] = port_above(address_of(name))
    plug.streams(2)
    wait("traffic", lambda: plug.received(name) > 1 << 20, 60)
    device = vanish(name)
    wait("the driver to notice", lambda: "device is gone" in dmesg_since(mark), 20)
    wait("the carrier to go", lambda: read(f"/sys/class/net/{name}/carrier") == "0")
    started = time.monotonic()
    for command in (("ethtool", "-S"), ("ethtool", "-d"), ("ethtool", "-i")):
        run(*command, name)
    run("ip", "link", "set", name, "down")
    write(f"/sys/bus/pci/devices/{device}/remove", "1")
    if time.monotonic() - started > 8:
        raise AssertionError(f"{time.monotonic() - started:.0f} s spent waiting for a dead NIC")
    ktap.equal(plug.hot_interface(), None, "interface")
    plug.no_complaints(mark)
    come_back(device)
    name = plug.hot_interface()
    run("ip", "addr", "add", f"{plug.HERE}/24", "dev", name)
    run("ip", "link", "set", name, "up")
    wait("carrier", lambda: read(f"/sys/class/net/{name}/carrier") == "1")
    ping(plug.THERE)
    plug.unplug()


def main():
    setup_link()
    peer("ip", "addr", "add", f"{plug.THERE}/24", "dev", "eth0")
    ktap.add("gone under traffic", gone_under_traffic, timeout=150)
    ktap.main()


if __name__ == "__main__":
    main()
