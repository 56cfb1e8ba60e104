#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The route of a flow that the NIC encrypts moves to another interface on top of the NIC.
Kernel TLS then encrypts in software. The distribution's tls.ko leaves the mark on such a
packet; a NIC that encrypted it again would put plaintext on the wire. Our tls.ko clears the
mark, goes through VLANs, and returns to the NIC with a new context."""

import ktap
import rig

CHUNK = 100000
NEAR, FAR = rig.NEAR[4], rig.FAR[4]


def shell(commands):
    """Run each line as a shell command."""
    for line in commands.strip().splitlines():
        rig.run("sh", "-c", line.strip())


def while_moved(watch, by_nic, vlan):
    """Check the counters for the time when the flow was on the other interface."""
    if not rig.STOCK and vlan:
        watch.settle("tx_tls_encrypted_bytes", 2 * by_nic)
        return
    watch.expect(tx_tls_encrypted_bytes=by_nic)
    if rig.STOCK:
        watch.some("tx_tls_skip_encrypted")
    else:
        watch.expect(tx_tls_skip_encrypted=0)


def moved(there, back, vlan):
    """A flow sends before the move, after it, and when it has moved back: software encrypts
    in between (with our tls.ko and a VLAN, the NIC does), and the NIC encrypts again
    afterwards."""
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    watch.some("tx_tls_encrypted_bytes")
    by_nic = watch["tx_tls_encrypted_bytes"]
    ktap.defer(shell, back)
    shell(there)
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    while_moved(watch, by_nic, vlan)
    before = watch["tx_tls_encrypted_bytes"]
    shell(back)

    def again():
        """The NIC encrypts a record again, some time after the route is back."""
        flow.send(rig.pattern(CHUNK))
        flow.drain()
        return watch["tx_tls_encrypted_bytes"] > before
    rig.wait_for(again, 60, lambda: f"not by the NIC again; {watch.report()}")
    flow.finish()


BRIDGE = """
    ip link add br0 type bridge
    ip link set br0 up
    ip link set eth0 master br0
    ip -4 address flush dev eth0 scope global
    ip address add 192.0.2.1/24 dev br0
"""
BRIDGE_BACK = """
    ip link del br0 || true
    ip address replace 192.0.2.1/24 dev eth0
"""
MACVLAN = f"""
    ip link add mv0 link eth0 type macvlan mode bridge
    ip link set mv0 up
    ip route replace {FAR}/32 dev mv0 src {NEAR}
"""
MACVLAN_BACK = "ip link del mv0 || true"
VLAN = f"""
    ip link add link eth0 name eth0.5 type vlan id 5
    ip link set eth0.5 up
    ip -n peer link add link eth0 name eth0.5 type vlan id 5
    ip -n peer link set eth0.5 up
    ip -n peer route replace {NEAR}/32 dev eth0.5 src {FAR}
    ip route replace {FAR}/32 dev eth0.5 src {NEAR}
"""
VLAN_BACK = """
    ip link del eth0.5 || true
    ip -n peer link del eth0.5 || true
"""
TUNNEL = f"""
    ip link add tun5 type ipip local {NEAR} remote {FAR}
    ip link set tun5 up
    ip -n peer link add tun5 type ipip local {FAR} remote {NEAR}
    ip -n peer link set tun5 up
    ip route replace {FAR}/32 dev eth0 src {NEAR} table 5
    ip rule add ipproto ipencap table 5 pref 5
    ip route replace {FAR}/32 dev tun5 src {NEAR}
"""
TUNNEL_BACK = f"""
    ip route del {FAR}/32 dev tun5 || true
    ip rule del pref 5 || true
    ip link del tun5 || true
    ip -n peer link del tun5 || true
"""


def main():
    """Register and run."""
    rig.offload()
    rig.control()
    rig.run("sysctl", "-w", "net.ipv4.conf.all.rp_filter=0")
    rig.far_run("sysctl", "-w", "net.ipv4.conf.all.rp_filter=0")
    for name, there, back in (("bridge", BRIDGE, BRIDGE_BACK),
                              ("macvlan", MACVLAN, MACVLAN_BACK),
                              ("vlan", VLAN, VLAN_BACK),
                              ("tunnel", TUNNEL, TUNNEL_BACK)):
        ktap.add(name, moved, there, back, name == "vlan",
                 timeout=120)
    ktap.main()


main()
