#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""XDP together with TLS in the NIC. A program sees decrypted frames, and may pass or drop
them; XDP_TX and XDP_REDIRECT of a decrypted frame drop it, and the connection continues
when the program has gone."""
import socket
import time

import ktap
import ktls
import rig
import xdpprog
from xdpprog import DROP, PASS, TX, Program

NIC, OTHER = rig.IFACE, "eth1"
SIZE = 1 << 18


def attach(program, **more):
    ktap.defer(xdpprog.detach, NIC, more.get("mode", "xdpdrv"))
    xdpprog.attach(NIC, program, **more)


def to_flow(flow, family):
    """A program that acts on frames of 200 bytes or more of this connection."""
    port = flow.near.getsockname()[1]
    program = xdpprog.to_port(port, family == 6, socket.IPPROTO_TCP)
    return program.room(200)


def inflow(family, version):
    """A connection that the NIC decrypts."""
    flow = rig.Inflow(family=family, version=version)
    flow.push(flow.stream(SIZE))
    return flow


def passes(family, version):
    """A program passes all frames: they keep their mark, the socket gets all data, and the
    NIC goes on decrypting."""
    attach(Program().end(PASS))
    watch = rig.Watch()
    flow = inflow(family, version)
    flow.push(flow.stream(SIZE))
    flow.finish()
    moved = watch.moved()
    if moved["rx_tls_decrypted_bytes"] < SIZE:
        raise AssertionError(f"{moved['rx_tls_decrypted_bytes']} bytes decrypted")
    ktap.equal(moved["rx_xdp_tls_drop"], 0, "frames dropped")


def held_back(flow, program, counter, **more):
    """Send data with the program attached until COUNTER shows dropped frames; then detach
    the program and send the rest."""
    watch = rig.Watch()
    attach(program, **more)
    data = flow.stream(SIZE)
    flow.far.setblocking(False)
    sent = flow.far.send(data)
    flow.far.setblocking(True)
    rig.wait_for(lambda: watch.moved()[counter] >= 3, 30, lambda: f"{counter} does not move")
    time.sleep(0.3)
    xdpprog.detach(NIC, more.get("mode", "xdpdrv"))
    flow.push(data[sent:])


def sees_plaintext(family, version):
    """A program finds the plaintext of a record in a frame, and drops the frame."""
    flow = inflow(family, version)
    l4 = xdpprog.ETH + (xdpprog.V6 if family == 6 else xdpprog.V4) + 32
    mark = int.from_bytes(rig.MARK[:4], "little")
    program = to_flow(flow, family)
    # the record's header and, in TLS 1.2, the explicit nonce
    program.only(xdpprog.WORD, l4 + (13 if version == ktls.TLS12 else 5), mark)
    data = rig.MARK * 90
    flow_data = flow.seal(data)
    attach(program.end(DROP))
    watch = rig.Watch()
    flow.far.sendall(flow_data)
    rig.wait_for(lambda: watch.moved()["rx_xdp_drop"] >= 1, 30, lambda: "nothing is dropped")
    xdpprog.detach(NIC)
    flow.take()
    flow.finish()


def not_sent(family, version):
    """A program answers XDP_TX: frames that the NIC decrypted are dropped and counted.
    (Retransmitted frames are not decrypted, and may be sent.)"""
    flow = inflow(family, version)
    held_back(flow, to_flow(flow, family).bounce(family == 6).end(TX),
              "rx_xdp_tls_drop")
    flow.finish()


def not_redirected(family, version):
    """A program redirects frames: frames that the NIC decrypted are dropped and counted."""
    flow = inflow(family, version)
    index = socket.if_nametoindex(OTHER)
    held_back(flow, to_flow(flow, family).bounce(family == 6).redirect(index),
              "rx_xdp_tls_drop")
    flow.finish()


def generic_not_sent(family, version):
    """With the kernel's generic XDP, a program sends decrypted skbs: the driver drops and
    counts them."""
    flow = inflow(family, version)
    held_back(flow, to_flow(flow, family).bounce(family == 6).end(TX), "tx_tls_drop_bypass_req",
              mode="xdpgeneric", flags=0)
    flow.finish()


def sends():
    """With a program attached, the NIC encrypts a sending connection as usual."""
    attach(Program().end(PASS))
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(SIZE))
    flow.finish()
    if watch.moved()["tx_tls_encrypted_bytes"] < SIZE:
        raise AssertionError("not encrypted by the NIC")


def main():
    rig.offload()
    rig.receive_offload()
    # the other NIC is on the same wire, and must not answer for this NIC
    rig.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")
    rig.run("ip", "link", "set", OTHER, "up")
    versions = [("1.2", ktls.TLS12)]
    for text, version in versions:
        for family in (4, 6):
            for case in (passes, sees_plaintext, not_sent, not_redirected, generic_not_sent):
                name = case.__name__.replace("_", " ")
                ktap.add(f"{text} v{family}: {name}", case, family, version, timeout=90)
    ktap.add("sends", sends, timeout=60)
    ktap.add("control", rig.control)
    ktap.main()


if __name__ == "__main__":
    main()
