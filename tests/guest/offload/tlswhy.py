#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""tools/tlswhy, run on a socket in each state that docs/tlswhy.rst names."""
import re
import socket

import ktap
import ktls
import nicfault
import rig

FULL = 7        # VKTLS_ST_FULL
SINCE = r", since \d+\.\d s"


def begin(watch=True):
    """Switch both features on, and have tlswhy record changes from now on."""
    for name in ("tls-hw-tx-offload", "tls-hw-rx-offload"):
        rig.feature(name, True)
    if watch and not rig.STOCK:
        rig.run("tlswhy", "--watch")
        ktap.defer(rig.run, "tlswhy", "--forget")


def says(pattern, run=rig.run, timeout=10):
    """Wait until tlswhy prints this pattern."""
    def said():
        return re.search(pattern, run("tlswhy"))
    rig.wait_for(said, timeout, lambda: f"no {pattern!r} in:\n{run('tlswhy')}")


def close(flow):
    """Close both ends of a flow, in any state."""
    flow.near.close()
    flow.far.close()


def flow_on(pair=None, **more):
    """A connection that is closed at the end of the case."""
    flow = rig.Flow(pair=pair, **more)
    ktap.defer(close, flow)
    return flow


def no_socket():
    """Without a TLS socket, tlswhy says so."""
    ktap.equal("no TLS socket here" in rig.run("tlswhy"), True, "output")


def no_key():
    """A socket has the ULP and no key: tlswhy says that no key is set."""
    begin()
    near, far = rig.connect()
    ktap.defer(near.close)
    ktap.defer(far.close)
    near.setsockopt(socket.IPPROTO_TCP, ktls.TCP_ULP, b"tls")
    says(r"192\.0\.2\.1:\d+ -> 192\.0\.2\.2:\d+  no key is set")


def sends_on_the_nic():
    """tlswhy prints the NIC's name, version, cipher and program of a socket on the NIC."""
    begin()
    flow_on()
    since = "" if rig.STOCK else SINCE
    says(rf"TLS 1\.2 aes-gcm-128  python3 \(\d+\)\n  send: +in the NIC eth0{since}\n")


def receives_on_the_nic():
    """A socket that receives over IPv6: tlswhy says that it is in the NIC."""
    begin()
    flow = rig.Inflow(family=6)
    ktap.defer(close, flow)
    says(r"\[2001:db8::1\]:\d+ -> .*\n  receive: in the NIC eth0")


def not_watched():
    """Without recorded changes, tlswhy takes the reason from the settings."""
    begin(watch=False)
    flow_on()
    says(r"send: +in the NIC eth0\n")
    rig.offload(False)
    flow_on()
    says(r"in software: tls-hw-tx-offload is off: ethtool -K eth0 tls-hw-tx-offload on")


def feature_off():
    """tlswhy prints how to switch the feature on; then the socket moves to the NIC."""
    begin()
    rig.offload(False)
    flow = flow_on()
    says(rf"in software{SINCE}: the feature was off; tls-hw-tx-offload is off: ethtool -K")
    rig.offload(True)
    says(rf"in software{SINCE}: the feature was off\n")
    flow.send(b"x")
    says(rf"in the NIC eth0{SINCE}\n")


def receive_feature_off():
    """tls-hw-rx-offload is off: tlswhy prints its own reason for the receive direction."""
    begin()
    rig.receive_offload(False)
    flow = rig.Inflow()
    ktap.defer(close, flow)
    says(rf"receive: in software{SINCE}: the feature was off; tls-hw-rx-offload is off")


def no_nic():
    """Sockets over the loopback device and over the peer's virtio-net: tlswhy says that the
    driver does no TLS."""
    begin()
    flow_on(ktls.tcp_pair())
    says(rf"in software{SINCE}: the route led to no NIC that does TLS; the route leads to "
         "lo, whose driver does no TLS")
    near, far = rig.connect()
    flow_on((far, near))
    says("the route leads to eth0, whose driver does no TLS", rig.far_run)


def interface_down_and_up():
    """The socket leaves a NIC that goes down, and returns to it with the next record."""
    begin()
    flow = flow_on()
    says("in the NIC eth0")
    ktap.defer(rig.run, "ip", "link", "set", "eth0", "up")
    rig.run("ip", "link", "set", "eth0", "down")
    says(rf"in software{SINCE}: the NIC went down, or lost its contexts; "
         "(eth0 is down|there is no route)")
    rig.run("ip", "link", "set", "eth0", "up")
    says(rf"in software{SINCE}: the NIC went down, or lost its contexts\n")
    # the first record finds the route; at its end the next one is on the NIC
    for _ in range(2):
        flow.send(b"x")
        flow.drain()
    says(rf"in the NIC eth0{SINCE}\n")


def full():
    """The NIC has no room for another context: tlswhy says so."""
    begin()
    ktap.defer(nicfault.end)
    nicfault.command("fail", "tls-add", "1-9", FULL)
    flow_on()
    says(rf"in software{SINCE}: the NIC had no room for another context\n")


def refused():
    """The NIC fails the command that adds a context: tlswhy says that the driver refused."""
    begin()
    ktap.defer(nicfault.end)
    nicfault.command("fail", "tls-add", "1-9", nicfault.FAILS)
    flow_on()
    says(rf"in software{SINCE}: the driver refused; ethtool -S")


def refused_unwatched():
    """Without recorded changes, tlswhy can only point at the counters of a refusal."""
    begin(watch=False)
    ktap.defer(nicfault.end)
    nicfault.command("fail", "tls-add", "1-9", nicfault.FAILS)
    flow_on()
    says("nothing speaks against the NIC now, but something did .*TlsTxDeviceRefused [1-9]"
         ".*tx_tls_add_failed [1-9]")


def other_cipher():
    """A socket with AES-CCM: tlswhy says that the driver does not take this cipher."""
    begin()
    flow_on(cipher="aes-128-ccm")
    says(rf"in software{SINCE}: the driver does not take this cipher")


def over_a_vlan():
    """A socket over a VLAN: tlswhy names the NIC below the VLAN."""
    begin()
    ktap.defer(rig.vlan_end, 7)
    rig.vlan(7)
    with rig.far_side():
        server = socket.create_server((rig.VLAN_FAR, 0))
    with server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    flow_on((near, far))
    says(r"198\.51\.100\.1:\d+ -> .*\n  send: +in the NIC eth0")


def key_changes():
    """The NIC does not take the key after a KeyUpdate: tlswhy names the KeyUpdate until all
    bytes of the old key are acknowledged."""
    begin()
    nicfault.one_key(ktap.defer)
    rig.patient_tcp(ktap.defer)
    flow = flow_on(version=ktls.TLS13)
    undo = rig.send_lost(flow)
    ktls.send_record(flow.near, ktls.KEY_UPDATE, ktls.HANDSHAKE)
    flow.near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX,
                         ktls.Key(version=ktls.TLS13).crypto_info())
    says(rf"in software{SINCE}: the key has changed, and what used the old one is still")
    undo()
    flow.drain()

    def back():
        flow.near.send(b"x")        # a call finds that the old context is gone
        return re.search(rf"in the NIC eth0{SINCE}\n", rig.run("tlswhy"))

    rig.wait_for(back, 10, lambda: f"not in the NIC:\n{rig.run('tlswhy')}")


def stock_offers_tls12_only():
    """With the distribution's tls.ko, tlswhy says that it offers only TLS 1.2 with AES-GCM."""
    begin()
    flow_on(version=ktls.TLS13)
    says("in software: the distribution's tls.ko offers TLS 1.2 with AES-GCM only")


def stock_does_not_look_below_a_vlan():
    """With the distribution's tls.ko, tlswhy says that it does not look below a VLAN."""
    begin()
    ktap.defer(rig.vlan_end, 7)
    rig.vlan(7)
    with rig.far_side():
        server = socket.create_server((rig.VLAN_FAR, 0))
    with server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    flow_on((near, far))
    says("in software: the distribution's tls.ko does not look below a vlan")


def stock_never_comes_back():
    """With the distribution's tls.ko, tlswhy says that it will not ask the NIC again."""
    begin()
    ktap.defer(nicfault.end)
    nicfault.command("fail", "tls-add", "1", FULL)
    flow_on()
    says("It will not ask again. Counted so far: .*tx_tls_no_space")


BOTH = [no_socket, no_key, sends_on_the_nic, receives_on_the_nic, not_watched]
OURS = [feature_off, receive_feature_off, no_nic, interface_down_and_up, full, refused,
        refused_unwatched, other_cipher, over_a_vlan, key_changes]
STOCK = [stock_offers_tls12_only, stock_does_not_look_below_a_vlan, stock_never_comes_back]
for case in BOTH + (STOCK if rig.STOCK else OURS):
    ktap.case(timeout=60)(case)
ktap.case()(rig.control)
ktap.main()
