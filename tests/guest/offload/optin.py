#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS 1.3 and ChaCha20-Poly1305 are offered to a driver that declares that it checks
version and cipher, also after the driver or both modules have been reloaded."""
import os
import time

import ktap
import ktls
import rig


def nic_up():
    """Bring the interface up again with its addresses."""
    rig.run("ip", "link", "set", rig.IFACE, "up")
    rig.run("ip", "addr", "replace", rig.NEAR[4] + "/24", "dev", rig.IFACE)
    rig.run("ip", "addr", "replace", rig.NEAR[6] + "/64", "dev", rig.IFACE,
            "nodad")
    rig.offload()
    rig.receive_offload()


def unload_tls():
    """Unload tls.ko; the last socket may hold it for a moment."""
    for _ in range(100):
        rig.run("modprobe", "-r", "tls", check=False)
        if not os.path.exists("/sys/module/tls"):
            return
        time.sleep(0.1)
    raise AssertionError("tls.ko does not go: " +
                         rig.run("sh", "-c", "lsmod | grep tls"))


def offloaded():
    """Connections of all versions and ciphers, in both directions, are on the NIC."""
    for version in (ktls.TLS12, ktls.TLS13):
        for cipher in ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"):
            watch = rig.Watch()
            out = rig.Flow(cipher, version=version)
            out.send(rig.pattern(40000))
            out.finish()
            into = rig.Inflow(cipher, version=version)
            into.push(into.stream(40000))
            into.finish()
            watch.expect(tx_tls_encrypted_bytes=out.wire,
                         rx_tls_decrypted_bytes=into.wire)


def driver_back():
    """Load the driver and wait for its interface."""
    rig.run("modprobe", "vktls")
    rig.wait_for(lambda: os.path.exists(f"/sys/class/net/{rig.IFACE}"), 10,
                 lambda: "no interface")
    nic_up()


def driver_exchanged():
    """The driver is unloaded and loaded again while tls.ko stays: everything is offloaded."""
    rig.run("modprobe", "-r", "vktls")
    rig.run("modprobe", "tls")
    driver_back()
    offloaded()


def both_exchanged():
    """tls.ko is unloaded after the driver, and loaded before it: everything is offloaded."""
    rig.run("modprobe", "-r", "vktls")
    unload_tls()
    rig.run("modprobe", "tls")
    driver_back()
    offloaded()


def driver_brings_tls():
    """Loading the driver loads tls.ko too, because the driver depends on it."""
    rig.run("modprobe", "-r", "vktls")
    unload_tls()
    driver_back()
    offloaded()


def main():
    """Register and run."""
    nic_up()
    rig.control()
    for fn in (offloaded, driver_exchanged, both_exchanged, driver_brings_tls):
        ktap.add(fn.__name__, fn, timeout=90)
    ktap.main()


main()
