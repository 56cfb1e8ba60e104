#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""tools/tlswhy on a socket in each state that docs/tlswhy.rst names."""
import re
import socket

import ktap
import ktls
import nicfault
import rig

FULL = 7        # VKTLS_ST_FULL
SINCE = r", since \d+\.\d s"


def begin(watch=True):
    """Both features on, and changes noted from now on."""
    for name in ("tls-hw-tx-offload", "tls-hw-rx-offload"):
        rig.feature(name, True)
    if watch and not rig.STOCK:
        rig.run("tlswhy", "--watch")
        ktap.defer(rig.run, "tlswhy", "--forget")


def says(pattern, run=rig.run, timeout=10):
    """Wait until tlswhy says so."""
    def said():
        return re.search(pattern, run("tlswhy"))
    rig.wait_for(said, timeout, lambda: f"no {pattern!r} in:\n{run('tlswhy')}")


def close(flow):
    """The end of a flow whatever became of it."""
    flow.near.close()
    flow.far.close()


def flow_on(pair=None, **more):
    """A connection that is closed at the end of the case."""
    flow = rig.Flow(pair=pair, **more)
    ktap.defer(close, flow)
    return flow


def no_socket():
    """Nothing to tell of."""
    ktap.equal("no TLS socket here" in rig.run("tlswhy"), True, "output")


def no_key():
    """The ULP is set, and no key."""
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
    """Over IPv6."""
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
    """Each direction has its own."""
    begin()
    rig.receive_offload(False)
    flow = rig.Inflow()
    ktap.defer(close, flow)
    says(rf"receive: in software{SINCE}: the feature was off; tls-hw-rx-offload is off")


def no_nic():
    """The loopback device, and the peer's virtio-net."""
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
    # the first record finds the route, the next one the NIC at its end
    for _ in range(2):
        flow.send(b"x")
        flow.drain()
    says(rf"in the NIC eth0{SINCE}\n")


def full():
    """The NIC has no room."""
    begin()
    ktap.defer(nicfault.end)
    nicfault.command("fail", "tls-add", "1-9", FULL)
    flow_on()
    says(rf"in software{SINCE}: the NIC had no room for another context\n")


def refused():
    """The NIC fails the command."""
    begin()
    ktap.defer(nicfault.end)
    nicfault.command("fail", "tls-add", "1-9", nicfault.FAILS)
    flow_on()
    says(rf"in software{SINCE}: the driver refused; ethtool -S")


def refused_unwatched():
    """Only counters can tell."""
    begin(watch=False)
    ktap.defer(nicfault.end)
    nicfault.command("fail", "tls-add", "1-9", nicfault.FAILS)
    flow_on()
    says("nothing speaks against the NIC now, but something did .*TlsTxDeviceRefused [1-9]"
         ".*tx_tls_add_failed [1-9]")


def other_cipher():
    """AES-CCM is offered to no NIC."""
    begin()
    flow_on(cipher="aes-128-ccm")
    says(rf"in software{SINCE}: the driver does not take this cipher")


def over_a_vlan():
    """The NIC below is named."""
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
    """tlswhy names the KeyUpdate until all bytes of the old key are acknowledged."""
    begin()
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
    """The distribution's tls.ko."""
    begin()
    flow_on(version=ktls.TLS13)
    says("in software: the distribution's tls.ko offers TLS 1.2 with AES-GCM only")


def stock_does_not_look_below_a_vlan():
    """The distribution's tls.ko."""
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
    """The distribution's tls.ko."""
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
