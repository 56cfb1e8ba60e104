#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Connections that are on the NIC only when the program or the administrator wants it: the
TLS_EXT_*_OFFLOAD options, lazy offload (only after some bytes), and a drained NIC."""
import errno
import struct
import time

import ktap
import ktls
import rig

DEFAULT, NEVER, PREFER, REQUIRE = range(4)
AUTO = 0xffffffff   # TLS_EXT_LAZY_AUTO
FEATURE, NOT_WANTED, NOT_YET, NO_DEVICE, REFUSED = 2, 8, 9, 1, 12
TX, RX = ktls.TLS_EXT_TX_OFFLOAD, ktls.TLS_EXT_RX_OFFLOAD
SIZE = 100000


def wish(sock, option, want, lazy=0):
    sock.setsockopt(ktls.SOL_TLS, option, struct.pack("=II", want, lazy))


def state(sock, option):
    """(want, lazy_bytes, on_nic, why) of struct tls_ext_offload_state."""
    return struct.unpack("=IIII", sock.getsockopt(ktls.SOL_TLS, option, 16))


def fails(code, sock, option, want, lazy=0):
    ktap.fails(code, wish, sock, option, want, lazy)


def lazy(**values):
    """Set the sysctls net.tls.lazy_*_bytes until the case ends."""
    for name, value in values.items():
        rig.run("sysctl", "-qw", f"net.tls.lazy_{name}_bytes={value}")
        ktap.defer(rig.run, "sysctl", "-qw", f"net.tls.lazy_{name}_bytes=0")


def unattached(want, option):
    """A connection with the ULP, without a key, and with the option set."""
    near, far = rig.connect(4)
    near.setsockopt(rig.socket.IPPROTO_TCP, ktls.TCP_ULP, b"tls")
    wish(near, option, want)
    return near, far


class Flow(rig.Flow):
    """A flow with the offload option set before its key."""

    def __init__(self, want, lazy_bytes=0):
        pair = rig.connect(4)
        pair[0].setsockopt(rig.socket.IPPROTO_TCP, ktls.TCP_ULP, b"tls")
        wish(pair[0], TX, want, lazy_bytes)
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
    """With NEVER, software encrypts, and the reason is NOT_WANTED."""
    watch = rig.Watch()
    flow = Flow(NEVER)
    flow.send(rig.pattern(SIZE))
    ktap.equal(state(flow.near, TX), (NEVER, 0, 0, NOT_WANTED), "state")
    flow.finish()
    watch.expect(TlsTxNotWanted=1, TlsTxSw=1, tx_tls_ctx=0)


@ktap.case(timeout=120)
def leaves_and_comes_back():
    """The option changes to NEVER and back to PREFER while data flows: both directions
    leave the NIC, and return to it, three times."""
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
    """With REQUIRE, a connection is on the NIC when the call returns. If that is
    impossible, the call fails with an errno that tells why, and changes nothing."""
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
    """Values that do not exist give EINVAL; REQUIRE before a key is set gives ENOKEY."""
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
    """With lazy_tx_bytes, a connection that sends fewer bytes never gets a context; a
    longer one gets it after that many bytes."""
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
    """With lazy_rx_bytes, a connection that receives fewer bytes never gets a context; a
    longer one gets it after that many bytes."""
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
    """A connection's own option overrides lazy_tx_bytes: with PREFER it is on the NIC at
    once, with a number of its own after that many bytes."""
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


def measured():
    """Bytes that are worth a set-up, after both costs were measured."""
    flow = Flow(NEVER)
    for _ in range(4):
        flow.send(rig.pattern(SIZE))
    flow.finish()
    rig.Flow().finish()
    return int(rig.run("sysctl", "-n", "net.tls.lazy_tx_measured"))


def goes_on_nic_late(flow, worth):
    """The flow is in software after a quarter of @worth, and on the NIC after the fourfold."""
    flow.send(rig.pattern(max(worth // 4, 1)))
    ktap.equal(state(flow.near, TX)[2:], (0, NOT_YET), f"a quarter of {worth}")
    for _ in range(0, 4 * worth + SIZE, SIZE):
        flow.send(rig.pattern(SIZE))
    ktap.equal(state(flow.near, TX)[2:], (1, 0), f"four times {worth}")
    flow.finish()


@ktap.case(timeout=120)
def automatic():
    """With lazy_auto, a connection comes to the NIC after as many bytes as the measured
    set-up is worth; a number in lazy_tx_bytes has precedence."""
    worth = measured()
    ktap.figure(f"automatic: a set-up is worth {worth} bytes")
    rig.run("sysctl", "-qw", "net.tls.lazy_auto=1")
    ktap.defer(rig.run, "sysctl", "-qw", "net.tls.lazy_auto=0")
    goes_on_nic_late(rig.Flow(), worth)
    lazy(tx=1 << 30)
    flow = rig.Flow()
    flow.send(rig.pattern(SIZE))
    ktap.equal(state(flow.near, TX)[2:], (0, NOT_YET), "lazy_tx_bytes")
    flow.finish()


@ktap.case(timeout=120)
def automatic_by_connection():
    """A connection with TLS_EXT_LAZY_AUTO does so without the sysctl; others are on the NIC
    at once."""
    worth = measured()
    flow = rig.Flow()
    ktap.equal(state(flow.near, TX), (DEFAULT, 0, 1, 0), "another")
    flow.finish()
    flow = Flow(DEFAULT, AUTO)
    ktap.equal(state(flow.near, TX)[:2], (DEFAULT, AUTO), "as set")
    goes_on_nic_late(flow, worth)


@ktap.case(timeout=90)
def tlswhy_knows():
    """tlswhy prints the reasons NOT_WANTED and NOT_YET in words."""
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
    """With the private flag tls-drain, all flows leave the NIC and no new one comes; when
    the flag is cleared, all flows are back."""
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
