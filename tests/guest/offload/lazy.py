#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Connections that are on the card when they, or the administrator, want it: the wish
of a program, lazy offload, and a card that is drained."""
import errno
import struct
import time

import ktap
import ktls
import rig

DEFAULT, NEVER, PREFER, REQUIRE = range(4)
FEATURE, NOT_WANTED, NOT_YET, NO_DEVICE, REFUSED = 2, 8, 9, 1, 12
TX, RX = ktls.TLS_EXT_TX_OFFLOAD, ktls.TLS_EXT_RX_OFFLOAD
SIZE = 100000


def wish(sock, option, want, lazy=0):
    sock.setsockopt(ktls.SOL_TLS, option, struct.pack("=II", want, lazy))


def state(sock, option):
    """want, lazy_bytes, on_nic, why."""
    return struct.unpack("=IIII", sock.getsockopt(ktls.SOL_TLS, option, 16))


def fails(code, sock, option, want, lazy=0):
    ktap.fails(code, wish, sock, option, want, lazy)


def lazy(**values):
    """Settings of net.tls, until the case ends."""
    for name, value in values.items():
        rig.run("sysctl", "-qw", f"net.tls.lazy_{name}_bytes={value}")
        ktap.defer(rig.run, "sysctl", "-qw", f"net.tls.lazy_{name}_bytes=0")


def unattached(want, option):
    """A flow for which the option was set before the key."""
    near, far = rig.connect(4)
    near.setsockopt(rig.socket.IPPROTO_TCP, ktls.TCP_ULP, b"tls")
    wish(near, option, want)
    return near, far


class Flow(rig.Flow):
    """A flow with a wish from before its key."""

    def __init__(self, want):
        pair = rig.connect(4)
        pair[0].setsockopt(rig.socket.IPPROTO_TCP, ktls.TCP_ULP, b"tls")
        wish(pair[0], TX, want)
        attach, ktls.attach = ktls.attach, self.key_only
        try:
            super().__init__(pair=pair)
        finally:
            ktls.attach = attach

    @staticmethod
    def key_only(sock, tx):
        sock.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, tx.crypto_info())


@ktap.case(timeout=90)
def never():
    """Software, and the reason."""
    watch = rig.Watch()
    flow = Flow(NEVER)
    flow.send(rig.pattern(SIZE))
    ktap.equal(state(flow.near, TX), (NEVER, 0, 0, NOT_WANTED), "state")
    flow.finish()
    watch.expect(TlsTxNotWanted=1, TlsTxSw=1, tx_tls_ctx=0)


@ktap.case(timeout=120)
def leaves_and_comes_back():
    """A wish that changes while data flows, in both directions."""
    watch = rig.Watch()
    flow, inflow = rig.Flow(), rig.Inflow()
    for number in range(3):
        for want, place in ((NEVER, 0), (PREFER, 1)):
            wish(flow.near, TX, want)
            wish(inflow.near, RX, want)
            end = time.monotonic() + 60
            while (state(flow.near, TX)[2], state(inflow.near, RX)[2]) != (place, place):
                flow.send(rig.pattern(3000))
                inflow.push(inflow.stream(3000))
                if time.monotonic() > end:
                    raise AssertionError(f"{number} {want}: {watch.report()}")
            flow.send(rig.pattern(SIZE))
            inflow.push(inflow.stream(SIZE))
    flow.finish()
    inflow.finish()
    watch.expect(TlsTxLeftProgram=3, TlsRxLeftProgram=3, TlsTxFallbackError=0,
                 TlsDecryptError=0)


@ktap.case(timeout=90)
def require():
    """The card now, or an error that says why, with which nothing has changed."""
    flow = rig.Flow()
    wish(flow.near, TX, REQUIRE)
    ktap.equal(state(flow.near, TX), (REQUIRE, 0, 1, 0), "on the card")
    flow.finish()
    rig.offload(False)
    ktap.defer(rig.offload)
    flow = rig.Flow()
    fails(errno.EOPNOTSUPP, flow.near, TX, REQUIRE)
    ktap.equal(state(flow.near, TX), (DEFAULT, 0, 0, FEATURE), "feature off")
    rig.offload()
    flow.send(rig.pattern(SIZE))
    wish(flow.near, TX, REQUIRE)
    ktap.equal(state(flow.near, TX)[2], 1, "feature on")
    flow.finish()
    raw, near = ktls.tcp_pair()
    ktap.defer(raw.close)
    ktap.defer(near.close)
    ktls.attach(near, tx=ktls.Key(), rx=ktls.Key())
    for option in (TX, RX):
        fails(errno.ENODEV, near, option, REQUIRE)
        ktap.equal(state(near, option), (DEFAULT, 0, 0, NO_DEVICE), "loopback")


@ktap.case(timeout=90)
def errors():
    """Values that are none, and a wish that needs a key."""
    near, far = unattached(PREFER, TX)
    ktap.defer(near.close)
    ktap.defer(far.close)
    fails(errno.ENOKEY, near, TX, REQUIRE)
    fails(errno.EINVAL, near, TX, 4)
    fails(errno.EINVAL, near, RX, NEVER, 5)
    fails(errno.EINVAL, near, RX, DEFAULT, (1 << 30) + 1)
    ktap.fails(errno.EINVAL, near.setsockopt, ktls.SOL_TLS, TX, b"\0" * 4)
    ktap.equal(state(near, TX), (PREFER, 0, 0, 0), "state")


@ktap.case(timeout=90)
def lazy_sending():
    """Short connections never meet the card; long ones do when they are long."""
    lazy(tx=SIZE)
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(SIZE // 2))
    ktap.equal(state(flow.near, TX), (DEFAULT, 0, 0, NOT_YET), "short")
    flow.finish()
    watch.expect(tx_tls_ctx=0, TlsTxNotYet=1, TlsTxSw=1)
    flow = rig.Flow()
    for _ in range(10):
        flow.send(rig.pattern(SIZE))
    ktap.equal(state(flow.near, TX)[2:], (1, 0), "long")
    flow.finish()
    watch.expect(tx_tls_ctx=1, TlsTxNotYet=2, TlsTxDeviceAgain=1)
    if watch["tx_tls_encrypted_bytes"] < 8 * SIZE:
        raise AssertionError(watch.report())


@ktap.case(timeout=90)
def lazy_receiving():
    """The same for receiving."""
    lazy(rx=SIZE)
    watch = rig.Watch()
    flow = rig.Inflow()
    flow.push(flow.stream(SIZE // 2))
    ktap.equal(state(flow.near, RX), (DEFAULT, 0, 0, NOT_YET), "short")
    flow.finish()
    watch.expect(rx_tls_ctx=0, TlsRxNotYet=1)
    flow = rig.Inflow()
    for _ in range(10):
        flow.push(flow.stream(SIZE))
    ktap.equal(state(flow.near, RX)[2:], (1, 0), "long")
    flow.finish()
    watch.expect(rx_tls_ctx=1, TlsRxDeviceAgain=1, TlsDecryptError=0)
    watch.some("rx_tls_decrypted_bytes")


@ktap.case(timeout=90)
def lazy_by_connection():
    """A connection's own number, and one that does not want to wait."""
    lazy(tx=1 << 30)
    watch = rig.Watch()
    flow = Flow(PREFER)
    watch.expect(tx_tls_ctx=1)
    flow.send(rig.pattern(SIZE))
    flow.finish()
    flow = rig.Flow()
    wish(flow.near, TX, DEFAULT, SIZE)
    flow.send(rig.pattern(SIZE // 2))
    ktap.equal(state(flow.near, TX), (DEFAULT, SIZE, 0, NOT_YET), "short")
    flow.send(rig.pattern(SIZE))
    flow.send(rig.pattern(SIZE))
    ktap.equal(state(flow.near, TX)[2:], (1, 0), "long")
    flow.finish()


@ktap.case(timeout=90)
def tlswhy_knows():
    """The reasons in tlswhy's words."""
    rig.run("tlswhy", "--watch")
    ktap.defer(rig.run, "tlswhy", "--forget")
    lazy(tx=SIZE)
    for flow, words in ((Flow(NEVER), "the program wants software"),
                        (rig.Flow(), "fewer bytes than net.tls.lazy")):
        said = rig.run("tlswhy")
        ktap.equal(words in said, True, said)
        flow.finish()


@ktap.case(timeout=180)
def drain():
    """All flows leave the card, none comes until it is resumed; then all are back."""
    watch = rig.Watch()
    flows, inflows = [rig.Flow() for _ in range(8)], [rig.Inflow() for _ in range(8)]

    def go(size):
        for flow in flows:
            flow.send(rig.pattern(size))
        for flow in inflows:
            flow.push(flow.stream(size))

    go(SIZE)
    watch.expect(TlsCurrTxDevice=8, TlsCurrRxDevice=8)
    rig.private_flag("tls-drain", True)
    ktap.defer(rig.private_flag, "tls-drain", False)
    watch.expect(TlsCurrTxDevice=0, TlsCurrRxDevice=0, TlsTxLeftDevice=8,
                 TlsRxLeftDevice=8)
    done = watch["tx_tls_ctx"]
    flows.append(rig.Flow())
    fails(errno.EIO, flows[-1].near, TX, REQUIRE)
    ktap.equal(state(flows[-1].near, TX)[2:], (0, REFUSED), "while it is drained")
    go(SIZE)
    watch.expect(tx_tls_ctx=done, TlsCurrTxDevice=0, TlsCurrRxDevice=0)
    rig.private_flag("tls-drain", False)
    begin = time.monotonic()
    while (watch["TlsCurrTxDevice"], watch["TlsCurrRxDevice"]) != (9, 8):
        go(1000)
        if time.monotonic() > begin + 60:
            raise AssertionError(watch.report())
    ktap.figure(f"drain: 17 flows are back {time.monotonic() - begin:.2f} s after it ends")
    go(SIZE)
    for flow in flows + inflows:
        flow.finish()
    watch.expect(TlsTxFallbackError=0, TlsDecryptError=0)


if __name__ == "__main__":
    rig.offload()
    rig.receive_offload()
    rig.control()
    ktap.main()
