#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The distribution's bonding over two NICs: TLS flows are offloaded to the NIC that carries
them, go on when it fails, and are offloaded again."""
import json
import socket
import struct
import threading
import time

import ktap
import ktls
import rig

SLAVES = ("eth0", "eth1")
VLAN_NEAR = "198.51.100.1"
FLOWS = 12
SIZE = 300000


def build(*mode):
    """Both NICs under bond0, which takes over eth0's addresses."""
    rig.run("ip", "link", "del", "bond0", check=False)
    rig.run("ip", "link", "add", "bond0", "type", "bond", "mode", *mode,
            "miimon", "50")
    for slave in SLAVES:
        rig.run("ip", "link", "set", slave, "down")
        rig.run("ip", "addr", "flush", "dev", slave)
        rig.run("ip", "link", "set", slave, "master", "bond0")
        rig.run("ethtool", "-K", slave, "tls-hw-tx-offload", "on",
                "tls-hw-rx-offload", "on")
    rig.run("ip", "addr", "add", rig.NEAR[4] + "/24", "dev", "bond0")
    rig.run("ip", "link", "set", "bond0", "up")
    rig.wait_for(lambda: "state UP" in rig.run("ip", "link", "show", "bond0"), 20,
                 lambda: rig.run("ip", "link", "show", "bond0"))


def deaf(slave, yes=True):
    """Drop all frames that one NIC receives. Both NICs are on one hub, so each frame
    reaches both, and one copy is enough."""
    if yes:
        rig.run("tc", "qdisc", "add", "dev", slave, "clsact")
        rig.run("tc", "filter", "add", "dev", slave, "ingress", "matchall",
                "action", "drop")
    else:
        rig.run("tc", "qdisc", "del", "dev", slave, "clsact", check=False)


def carrier(slave, on):
    """Plug the NIC's cable in, or pull it out."""
    rig.run("qmp", json.dumps({"execute": "set_link", "arguments": {
        "name": "dut" + slave[-1], "up": on}}))


def counter(slave, name):
    """One counter of ethtool -S."""
    for line in rig.run("ethtool", "-S", slave).splitlines():
        word, _, value = line.strip().partition(": ")
        if word == name:
            return int(value)
    raise AssertionError(f"{slave} does not count {name}")


def encrypted():
    return [counter(slave, "tx_tls_encrypted_bytes") for slave in SLAVES]


@ktap.case(timeout=120)
def flows_over_both():
    """Flows over a bond that spreads them: every flow is offloaded, both NICs have some,
    and all content is right."""
    before, stat = encrypted(), ktls.tls_stat()
    flows = [rig.Flow() for _ in range(FLOWS)]
    now = ktls.tls_stat()
    ktap.equal((now["TlsTxDevice"] - stat["TlsTxDevice"],
                now["TlsTxSw"] - stat["TlsTxSw"]), (FLOWS, 0), "device, software")
    for flow in flows:
        flow.send(rig.pattern(SIZE))
    for flow in flows:
        flow.finish()
    grown = [after - old for after, old in zip(encrypted(), before)]
    if min(grown) < SIZE or sum(grown) < FLOWS * SIZE:
        raise AssertionError(f"encrypted by the cards: {grown}")


@ktap.case(timeout=60)
def card_goes_down():
    """The NIC of a flow is taken down: the flow continues over the other NIC, and nothing
    leaves in the clear."""
    before = encrypted()
    flow = rig.Flow()
    flow.send(rig.pattern(SIZE))
    flow.drain()
    used = 0 if encrypted()[0] > before[0] else 1
    if used == 0:       # the other NIC has to receive now
        deaf("eth1", False)
    rig.run("ip", "link", "set", SLAVES[used], "down")
    ktap.defer(rig.run, "ip", "link", "set", SLAVES[used], "up")
    flow.send(rig.pattern(SIZE))
    flow.finish(40)


def on_cards():
    """Sockets that send by a device now, as the kernel counts them."""
    return ktls.tls_stat()["TlsCurrTxDevice"]


def busy(flow, stop):
    """Send until told to stop."""
    while not stop.is_set():
        flow.send(rig.pattern(SIZE))


def other_encrypts(old, before, what):
    """Wait until the NIC that did not have the flow encrypts it."""
    new = 1 - old
    rig.wait_for(lambda: encrypted()[new] > before[new] + SIZE, 40,
                 lambda: f"{what}: {before} {encrypted()} {on_cards()} on cards")


def vlan():
    """Make a VLAN on top of the bond, and one at the far end, until the case ends."""
    for add, link, addr in ((rig.run, "bond0", VLAN_NEAR),
                            (rig.far_run, "eth0", rig.VLAN_FAR)):
        add("ip", "link", "add", "link", link, "name", "vlan9", "type", "vlan", "id",
            "9")
        ktap.defer(lambda add=add: add("ip", "link", "del", "vlan9", check=False))
        add("ip", "addr", "add", addr + "/24", "dev", "vlan9")
        add("ip", "link", "set", "vlan9", "up")


def connect_vlan():
    """A connection over vlan()."""
    with rig.far_side():
        server = socket.create_server((rig.VLAN_FAR, 0))
    with server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def carrier_lost(over_vlan, *mode):
    """A flow sends all the time while its NIC loses the carrier: it is soon on the other
    NIC, and returns when that NIC loses its carrier."""
    build(*mode)
    deaf("eth1", False)
    if over_vlan:
        vlan()
    stat, before = ktls.tls_stat(), encrypted()
    flow = rig.Flow(pair=connect_vlan() if over_vlan else None)
    stop = threading.Event()
    sender = threading.Thread(target=busy, args=(flow, stop), daemon=True)
    sender.start()
    ktap.defer(stop.set)
    rig.wait_for(lambda: max(now - old for now, old in
                             zip(encrypted(), before)) > SIZE, 40,
                 lambda: f"no card encrypts: {ktls.tls_stat()}")
    used = 0 if encrypted()[0] > before[0] else 1
    for number in (used, 1 - used):
        before, start = encrypted(), time.monotonic()
        ktap.defer(carrier, SLAVES[number], True)
        carrier(SLAVES[number], False)
        other_encrypts(number, before, f"{SLAVES[number]} has no carrier")
        ktap.figure(f"{mode[0]}{', VLAN' * over_vlan}, carrier lost: offload in force "
                    f"again after {time.monotonic() - start:.1f} s, 0 connections broken")
        ktap.equal(on_cards(), 1, "sockets on cards")
        carrier(SLAVES[number], True)
        rig.wait_for(lambda: "state UP" in
                     rig.run("ip", "link", "show", SLAVES[number]), 20,
                     lambda: rig.run("ip", "link", "show", SLAVES[number]))
    stop.set()
    sender.join(60)
    flow.finish(60)
    now = ktls.tls_stat()
    if now["TlsTxLeftRoute"] - stat["TlsTxLeftRoute"] < 2:
        raise AssertionError(f"never left a card: {now}")
    ktap.equal(now["TlsTxLeftDevice"] - stat["TlsTxLeftDevice"], 0, "lost cards")


def chosen():
    """An active-backup bond is told to use the other NIC, and then the first one again,
    with both alive: the flow follows."""
    build("active-backup")
    deaf("eth1", False)
    flow = rig.Flow()
    flow.send(rig.pattern(SIZE))
    flow.drain()
    for slave in ("eth1", "eth0"):
        before = encrypted()
        rig.run("ip", "link", "set", "bond0", "type", "bond", "active_slave",
                slave)
        flow.send(rig.pattern(SIZE))
        flow.send(rig.pattern(SIZE))
        flow.drain()
        other_encrypts(1 - int(slave[-1]), before, f"{slave} was chosen")
    flow.finish(40)


def slaves_without_carrier():
    """Both slaves lose their carriers, and the bond has not noticed yet when the keys are
    set: neither direction is offloaded, counted as DeviceDown."""
    build("active-backup")
    deaf("eth1", False)
    near, far = rig.connect()
    for end in (near, far):     # their last packets would find no way out
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    rig.run("ip", "link", "set", "bond0", "type", "bond", "miimon", "20000")
    time.sleep(2)   # the bond checks its links once more, at once
    stat = ktls.tls_stat()
    for slave in SLAVES:
        ktap.defer(carrier, slave, True)
        carrier(slave, False)
    rig.wait_for(lambda: all("NO-CARRIER" in rig.run("ip", "link", "show", slave)
                             for slave in SLAVES), 10, lambda: "carriers stay")
    ktls.attach(near, tx=ktls.Key(), rx=ktls.Key())
    now = ktls.tls_stat()
    near.close()
    far.close()
    moved = {name: now[name] - stat[name] for name in now if now[name] != stat[name]}
    ktap.equal({name: moved.get(name) for name in ("TlsTxDeviceDown", "TlsRxDeviceDown")},
               {"TlsTxDeviceDown": 1, "TlsRxDeviceDown": 1}, f"of {moved}")
    ktap.equal([name for name in ("TlsTxDevice", "TlsRxDevice") if name in moved], [],
               "on a device")


def main():
    rig.run("modprobe", "bonding", "max_bonds=0")
    build("balance-xor", "xmit_hash_policy", "layer3+4")
    deaf("eth1")
    ktap.add("active-backup, carrier lost", carrier_lost, False,
             "active-backup", timeout=150)
    ktap.add("VLAN over active-backup, carrier lost", carrier_lost, True,
             "active-backup", timeout=150)
    ktap.add("active-backup, another chosen", chosen, timeout=60)
    ktap.add("802.3ad, carrier lost", carrier_lost, False, "802.3ad",
             "xmit_hash_policy", "layer3+4", timeout=150)
    ktap.add("slaves without carrier", slaves_without_carrier, timeout=60)
    ktap.main()


main()
