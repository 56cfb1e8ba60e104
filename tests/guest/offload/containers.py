#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Sockets of a container (a network namespace) whose route ends at the NIC. A socket is
offloaded if every packet is sure to reach the NIC unchanged; otherwise software does the
records, and the socket gives the reason."""
import socket
import struct

import ktap
import ktls
import rig

BOX = "box"
ADDRESS, NEIGHBOUR = "192.0.2.11", "192.0.2.12"
CHUNK = 100000
NO_DEVICE = 1       # TLS_EXT_WHY_NO_DEVICE
TX, RX = ktls.TLS_EXT_TX_OFFLOAD, ktls.TLS_EXT_RX_OFFLOAD


def box_run(*argv):
    """Run a command in the container."""
    return rig.run("ip", "netns", "exec", BOX, *argv)


def box(name):
    """Make a container with this interface and an address, until the case ends."""
    rig.run("ip", "netns", "add", BOX)
    ktap.defer(rig.run, "ip", "netns", "del", BOX)
    rig.run("ip", "link", "set", name, "netns", BOX)
    box_run("ip", "link", "set", "lo", "up")
    box_run("ip", "link", "set", name, "up")
    box_run("ip", "address", "add", f"{ADDRESS}/24", "dev", name)


def macvlan(mode, name="mv0"):
    """Make a macvlan on top of the NIC."""
    rig.run("ip", "link", "add", name, "link", rig.IFACE, "type", "macvlan", "mode", mode)


def connect(server, through=None):
    """A socket of the container that is connected to @server, and the other end."""
    with server, rig.inside(BOX):
        near = socket.socket()
        if through:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, through.encode())
        near.connect(server.getsockname()[:2])
        far, _ = server.accept()
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def pair(through=None):
    """A connection from the container to the peer on the wire."""
    with rig.far_side():
        server = socket.create_server((rig.FAR[4], 0))
    return connect(server, through)


def place(sock, option):
    """(on_nic, why) of struct tls_ext_offload_state."""
    return struct.unpack("=IIII", sock.getsockopt(ktls.SOL_TLS, option, 16))[2:]


def on_card(through=None):
    """Both directions are offloaded, and data is encrypted and decrypted by the NIC."""
    watch = rig.Watch()
    flow, inflow = rig.Flow(pair=pair(through)), rig.Inflow(pair=pair(through))
    ktap.equal((place(flow.near, TX), place(inflow.near, RX)), ((1, 0), (1, 0)), "places")
    flow.send(rig.pattern(CHUNK))
    inflow.push(inflow.stream(CHUNK))
    flow.finish()
    inflow.finish()
    if watch["tx_tls_encrypted_bytes"] < CHUNK or watch["rx_tls_decrypted_bytes"] < CHUNK // 2:
        raise AssertionError(watch.report())


def in_software(ends=pair):
    """Neither direction is offloaded, the reason is NO_DEVICE, and data arrives all the
    same."""
    watch = rig.Watch()
    flow, inflow = rig.Flow(pair=ends()), rig.Inflow(pair=ends())
    none = (0, NO_DEVICE)
    ktap.equal((place(flow.near, TX), place(inflow.near, RX)), (none, none), "places")
    flow.send(rig.pattern(CHUNK))
    inflow.push(inflow.stream(CHUNK))
    flow.finish()
    inflow.finish()
    watch.expect(tx_tls_ctx=0, rx_tls_ctx=0, tx_tls_encrypted_bytes=0)


def says(words):
    """tlswhy, run in the container, prints these words."""
    flow = rig.Flow(pair=pair())
    said = box_run("tlswhy")
    ktap.equal(words in said, True, said)
    flow.finish()


def straight(mode):
    """A macvlan of a mode that sends every packet to the NIC: both directions are
    offloaded."""
    macvlan(mode)
    box("mv0")
    on_card()
    says("in the NIC below mv0")


@ktap.case()
def macvlan_of_a_bridge():
    """A macvlan in bridge mode may hand a packet to a neighbouring macvlan: no offload."""
    macvlan("bridge")
    box("mv0")
    in_software()
    says("mv0 (macvlan), which may give packets to others than a NIC")


@ktap.case()
def neighbours():
    """Two containers talk over macvlans of one NIC, and no packet reaches the NIC: no
    offload."""
    macvlan("bridge")
    macvlan("bridge", "mv1")
    ktap.defer(rig.run, "ip", "link", "del", "mv1")
    rig.run("ip", "link", "set", "mv1", "up")
    rig.run("ip", "address", "add", f"{NEIGHBOUR}/32", "dev", "mv1")
    rig.run("ip", "route", "add", f"{ADDRESS}/32", "dev", "mv1", "src", NEIGHBOUR)
    box("mv0")
    in_software(lambda: connect(socket.create_server((NEIGHBOUR, 0))))


@ktap.case()
def becomes_a_bridge():
    """A macvlan changes its mode to bridge under an offloaded connection, and back: the
    connection leaves the NIC, and returns to it."""
    macvlan("private")
    box("mv0")
    watch = rig.Watch()
    flow = rig.Flow(pair=pair())
    for mode, on_nic in (("bridge", 0), ("private", 1)):
        flow.send(rig.pattern(CHUNK))
        box_run("ip", "link", "set", "mv0", "type", "macvlan", "mode", mode)
        flow.send(rig.pattern(CHUNK))
        flow.drain()
        flow.send(rig.pattern(CHUNK))
        ktap.equal(place(flow.near, TX)[0], on_nic, mode)
    flow.finish()
    watch.expect(tx_tls_ctx=2)


@ktap.case()
def ipvlan():
    """An ipvlan hands packets to its neighbours: no offload."""
    rig.run("ip", "link", "add", "ipvl0", "link", rig.IFACE, "type", "ipvlan", "mode", "l2")
    box("ipvl0")
    in_software()
    says("ipvl0 (ipvlan), which may give packets to others than a NIC")


@ktap.case()
def veth_and_bridge():
    """A veth pair and a bridge lead to the NIC, and a packet loses its socket in the veth
    pair: no offload."""
    rig.run("ip", "link", "add", "br0", "type", "bridge")
    ktap.defer(rig.run, "ip", "link", "del", "br0")
    rig.run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
    for name in (rig.IFACE, "veth1"):
        rig.run("ip", "link", "set", name, "master", "br0")
    for name in ("br0", "veth1"):
        rig.run("ip", "link", "set", name, "up")
    box("veth0")
    in_software()
    says("veth0 (veth), which may give packets to others than a NIC")


@ktap.case()
def vrf():
    """A VRF in the container over a macvlan: both directions are offloaded."""
    macvlan("vepa")
    box("mv0")
    box_run("ip", "link", "add", "vrf0", "type", "vrf", "table", "10")
    box_run("ip", "link", "set", "vrf0", "up")
    box_run("ip", "link", "set", "mv0", "master", "vrf0")
    on_card("vrf0")


def main():
    rig.offload()
    rig.receive_offload()
    rig.control()
    for mode in "private", "vepa", "passthru":
        ktap.add(f"macvlan {mode}", straight, mode, timeout=180)
    ktap.main()


main()
