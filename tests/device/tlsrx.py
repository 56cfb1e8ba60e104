#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS receive through real firmware: records that another library encrypted,
in frames right and wrong, and what the host is told of each."""

import struct
import sys

from nic import ABI, MAC, PEER, RxQueue, case, main, pack, unpack
from packets import V4, V6, ethernet, ip, payload, tcp, TCP, HOP_BY_HOP
from records import CHACHA, GCM256, SUITES, TLS13, Records

EOP = ABI.RXC_EOP
TLS = EOP | ABI.RXC_TLS | ABI.RXC_L4_OK
DECRYPTED = TLS | ABI.RXC_TLS_DECRYPTED
PORTS = (443, 50000)
VLAN = b"\x81\0\0\x05"


def flow_of(version, ports=PORTS):
    src, dst = V4 if version == 4 else V6
    return pack("tls_flow", ip_version=version, src=src, dst=dst,
                src_port=ports[0].to_bytes(2, "big"), dst_port=ports[1].to_bytes(2, "big"))


class Flow:
    """The peer's stream of one connection, and the context that receives it."""

    def __init__(self, nic, rx, version=4, suite=SUITES[0], seq=7000, ports=PORTS,
                 rec_no=0):
        self.nic, self.rx, self.version, self.ports = nic, rx, version, ports
        self.records, self.seq = Records(*suite, rec_no), seq
        answer = nic.command("TLS_ADD_RX", self.records.add(ABI.DIR_RX, seq) +
                             flow_of(version, ports))
        self.ctx = unpack("tls_ref", answer)["ctx"]
        self.wire, self.clear = b"", b""     # the stream, from SEQ on
        self.starts = []

    def record(self, size, kind=23):
        """The next record of the stream."""
        number = self.records.first + len(self.starts)
        plain = payload(size, number & 0xff)
        self.starts.append(len(self.wire))
        self.wire += self.records.wire(number, plain, kind)
        self.clear += self.records.plain(number, plain, kind)
        return self

    def frame(self, begin, end, data=None, tags=b"", options=b"", **members):
        data = self.wire[begin:end] if data is None else data
        segment = tcp(self.version, data, seq=self.seq + begin & 0xffffffff,
                      ports=self.ports, **members)
        kind = 0x0800 if self.version == 4 else 0x86dd
        return ethernet(kind, ip(self.version, TCP, segment, options), MAC, PEER, tags)

    def packet(self, begin, end, flags=DECRYPTED, clear=None, **more):
        """Bytes BEGIN to END arrive, and come up with these flags, decrypted if
        they say so. Return: the completion."""
        frame = self.frame(begin, end, **more)
        self.nic.wire.send(frame)
        got, cpl = self.rx.receive()
        self.rx.fill()
        assert cpl["flags"] == flags, f"flags {cpl['flags']:#x}, expected {flags:#x}"
        if flags & ABI.RXC_TLS_DECRYPTED:
            at = len(frame) - (end - begin)
            frame = frame[:at] + self.clear[begin:end]
        assert got == frame, "not the bytes that were expected"
        return cpl

    def state(self):
        ref = pack("tls_ref", ctx=self.ctx)
        return unpack("tls_state", self.nic.command("TLS_QUERY", ref))

    def in_sync(self):
        return self.state()["state"] == ABI.TLS_IN_SYNC

    def resync(self, n, status="OK", **members):
        """Tell that record N of the stream is where it is."""
        number = self.records.first + n
        members = dict(ctx=self.ctx, tcp_seq=self.seq + self.starts[n] & 0xffffffff,
                       rec_no=number.to_bytes(8, "big")) | members
        self.nic.command("TLS_RESYNC", pack("tls_resync", **members), status)

    def lost(self, why):
        event = self.nic.event("TLS_LOST")
        assert (event["id"], event["status"]) == (self.ctx, getattr(ABI, "ST_TLS_" + why))

    def asked(self, n):
        event = self.nic.event("TLS_RESYNC")
        assert (event["id"], event["arg"]) == \
            (self.ctx, self.seq + self.starts[n] & 0xffffffff)


def start(nic, *flags, bufs=32, **more):
    nic.boot().up(*flags, **more)
    return RxQueue(nic, bufs=bufs)


@case()
def every_suite(nic):
    """Each version with each cipher, over IPv4 and IPv6, a record in a packet."""
    rx = start(nic)
    for version in (4, 6):
        for n, suite in enumerate(SUITES):
            flow = Flow(nic, rx, version, suite, ports=(443, 1000 + n))
            for size in (0, 1, 1000):
                flow.record(size)
                flow.packet(flow.starts[-1], len(flow.wire))
    stats = nic.stats()
    assert stats["TLS_RX_PACKETS"] == stats["TLS_RX_RECORDS"] == 6 * len(SUITES)


@case()
def stream_cut_anywhere(nic):
    """Packet borders in headers, nonces, payloads and tags; records of several
    packets and packets of several records."""
    rx = start(nic)
    for n, suite in enumerate(SUITES):
        flow = Flow(nic, rx, 4, suite, 0xfffffff0, (443, 1000 + n), (1 << 40) - 1)
        for size in (0, 5, 100, 3000, 1, 2, 40):
            flow.record(size)
        at, size = 0, 1
        while at < len(flow.wire):
            end = min(at + size, len(flow.wire))
            flow.packet(at, end)
            at, size = end, size * 3 % 1400 + 1
        state = flow.state()
        assert state["state"] == ABI.TLS_IN_SYNC
        assert state["tcp_seq"] == flow.seq + len(flow.wire) & 0xffffffff
        assert int.from_bytes(state["rec_no"], "big") == (1 << 40) + 6
        assert state["bytes"] == len(flow.wire)


@case()
def loss_over_a_header(nic):
    rx = start(nic)
    for n, suite in enumerate(SUITES):
        flow = Flow(nic, rx, 6, suite, ports=(443, 1000 + n))
        for _ in range(8):
            flow.record(300)
        flow.packet(0, flow.starts[1])
        flow.packet(flow.starts[2] - 40, flow.starts[2] + 3, TLS)
        flow.lost("GAP")
        assert not flow.in_sync()
        flow.packet(flow.starts[2] + 3, flow.starts[3], TLS | ABI.RXC_TLS_ASK)
        flow.asked(2)
        flow.resync(2)
        flow.packet(flow.starts[3], flow.starts[4])
        flow.packet(flow.starts[1], flow.starts[2], TLS)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
