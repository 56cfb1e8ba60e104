#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS receive through real firmware: records that another library encrypted, in right and
wrong frames, and the information that the host gets about each frame."""

import hashlib
import sys

from nic import ABI, MAC, PEER, RxQueue, TxQueue, case, main, pack, unpack
from packets import (HOP_BY_HOP, TCP, V4, V6, ethernet, ip, payload, tcp, tcp_frame)
from records import GCM128, IV, SUITES, TLS13, Records
from tls_test import SECRET, key_in_memory, wipe_commands

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
                 rec_no=0, sizes=(), key=None):
        self.nic, self.rx, self.version, self.ports = nic, rx, version, ports
        self.records, self.seq = Records(*suite, rec_no, key), seq
        self.wire, self.clear = b"", b""     # the stream as sent and as delivered, from SEQ on
        self.starts = []
        self.ctx = unpack("tls_ref", self.add())["ctx"]
        for size in sizes:
            self.record(size)

    def add(self, status="OK"):
        return self.nic.command("TLS_ADD_RX", self.records.add(ABI.DIR_RX, self.seq) +
                                flow_of(self.version, self.ports), status)

    def ref(self):
        return pack("tls_ref", ctx=self.ctx)

    def record(self, size, kind=23, plain=None):
        """Append a record to the stream."""
        number = self.records.first + len(self.starts)
        plain = payload(size, number & 0xff) if plain is None else plain
        self.starts.append(len(self.wire))
        self.wire += self.records.wire(number, plain, kind)
        self.clear += self.records.plain(number, plain, kind)
        return self

    def spoil(self, at):
        """Change this byte of the stream, from now on."""
        self.wire = self.wire[:at] + bytes([self.wire[at] ^ 4]) + self.wire[at + 1:]

    def frame(self, begin, end, tags=b"", options=b"", fragment=0, **members):
        segment = tcp(self.version, self.wire[begin:end], ports=self.ports,
                      seq=self.seq + begin & 0xffffffff, **members)
        packet = ip(self.version, TCP, segment, options, **(
            {"fragment": fragment} if fragment else {}))
        return ethernet(0x0800 if self.version == 4 else 0x86dd, packet, MAC, PEER, tags)

    def packet(self, begin, end, flags=DECRYPTED, pad=b"", stripped=b"", **more):
        """Bytes BEGIN to END arrive; the completion has exactly these flags, and the frame
        is decrypted if they say so. Returns the completion."""
        frame = self.frame(begin, end, **more) + pad
        self.nic.wire.send(frame)
        got, cpl = self.rx.receive()
        self.rx.fill()
        assert cpl["flags"] == flags, f"flags {cpl['flags']:#x}, expected {flags:#x}"
        if flags & ABI.RXC_TLS_DECRYPTED:
            at = len(frame) - len(pad) - (end - begin)
            frame = frame[:at] + self.clear[begin:end] + pad
        if stripped:
            frame = frame[:12] + frame[12 + len(stripped):]
        assert got == frame, "not the bytes that were expected"
        return cpl

    def rec(self, first, last=None, flags=DECRYPTED):
        """Whole records, FIRST to LAST, arrive in one packet."""
        ends = self.starts[1:] + [len(self.wire)]
        return self.packet(self.starts[first],
                           ends[first if last is None else last], flags)

    def state(self):
        return unpack("tls_state", self.nic.command("TLS_QUERY", self.ref()))

    def in_sync(self):
        return self.state()["state"] == ABI.TLS_IN_SYNC

    def where(self, n, **members):
        """struct vktls_tls_resync: record N of the stream is at its place."""
        number = self.records.first + n
        return pack("tls_resync", **(
            dict(ctx=self.ctx, tcp_seq=self.seq + self.starts[n] & 0xffffffff,
                 rec_no=number.to_bytes(8, "big")) | members))

    def resync(self, n, status="OK", **members):
        self.nic.command("TLS_RESYNC", self.where(n, **members), status)

    def lost(self, why):
        event = self.nic.event("TLS_LOST")
        assert (event["id"], event["status"]) == (self.ctx, getattr(ABI, "ST_TLS_" + why))

    def asked(self, n):
        event = self.nic.event("TLS_RESYNC")
        assert (event["id"], event["arg"]) == \
            (self.ctx, self.seq + self.starts[n] & 0xffffffff)


def start(nic, *flags, bufs=32, size=2048, **more):
    nic.boot().up(*flags, **more)
    return RxQueue(nic, bufs=bufs, size=size)


def flow_for_each(nic, rx, **more):
    """A flow for each cipher suite, alternately IPv4 and IPv6."""
    for n, suite in enumerate(SUITES):
        yield Flow(nic, rx, (4, 6)[n % 2], suite, ports=(443, 1000 + n), **more)


@case()
def every_suite(nic):
    """Each version with each cipher, over IPv4 and IPv6, with a record in a packet: all are
    decrypted."""
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
    """Packets end anywhere in headers, nonces, payloads and tags, and hold parts of a
    record or several records: all are decrypted."""
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
def many_records_in_one_packet(nic):
    rx = start(nic, mtu=9000, size=9100)
    for flow in flow_for_each(nic, rx, sizes=[50 * n for n in range(18)]):
        flow.packet(0, len(flow.wire))
    assert nic.stats()["TLS_RX_RECORDS"] == 18 * len(SUITES)


@case()
def frame_over_many_buffers(nic):
    """A frame fills many buffers: their completions have the same flags."""
    rx = start(nic, mtu=9000, size=256, bufs=63)
    flow = Flow(nic, rx, sizes=[8000])
    frame = flow.frame(0, len(flow.wire))
    nic.wire.send(frame)
    got, flags = b"", set()
    while not any(f & EOP for f in flags):
        cpl = rx.completion()
        got += nic.m.read(rx.bufs.pop(cpl["index"]), cpl["len"])
        flags.add(cpl["flags"])
    assert flags == {DECRYPTED, DECRYPTED & ~EOP}
    assert got == frame[:-len(flow.wire)] + flow.clear


@case()
def headers_with_options_and_padding(nic):
    """The stream begins behind the TCP options and ends where the IP header says, so
    padding is not part of it."""
    rx = start(nic)
    flow = Flow(nic, rx, sizes=[0, 500])
    flow.packet(0, 4, options=bytes([1]) * 40)
    flow.packet(4, 9, pad=b"\x55\xaa" * 7)
    flow.packet(9, len(flow.wire), pad=b"\x17\3\3\0\x40", options=bytes([1]) * 4)
    flow = Flow(nic, rx, 6, sizes=[500])
    flow.packet(0, len(flow.wire), options=HOP_BY_HOP)


@case()
def under_vlan_tags(nic):
    """Frames with one or two VLAN tags, stripped or not, are decrypted."""
    rx = start(nic)
    flow = Flow(nic, rx, 6, sizes=[100] * 4)
    flow.packet(0, flow.starts[1], tags=VLAN)
    flow.packet(flow.starts[1], flow.starts[2], tags=b"\x88\xa8\0\7" + VLAN)
    nic.up("VLAN_STRIP")
    more = DECRYPTED | ABI.RXC_VLAN
    cpl = flow.packet(flow.starts[2], flow.starts[3], more, tags=VLAN, stripped=VLAN)
    assert cpl["vlan_tci"] == 5
    flow.packet(flow.starts[3], len(flow.wire), more, tags=VLAN + VLAN, stripped=VLAN)


@case()
def other_packets_do_not_touch_the_stream(nic):
    """Frames with a wrong checksum, fragments, frames without payload and those of other
    flows do not touch the stream, with RX_CSUM and without."""
    rx = start(nic)
    for mode in ((), ("RX_CSUM",)):
        nic.up(*mode)
        flow = Flow(nic, rx, sizes=[100, 100])
        flow.packet(0, 50)
        frame = bytearray(flow.frame(50, 100))
        frame[-1] ^= 1
        nic.wire.send(bytes(frame))
        got, cpl = rx.receive()
        assert (got, cpl["flags"]) == (frame, EOP | ABI.RXC_CSUM_BAD)
        fragment = flow.frame(50, 100, fragment=0x2000)
        nic.wire.send(fragment)
        got, cpl = rx.receive()
        assert got == fragment and not cpl["flags"] & ABI.RXC_TLS
        flow.packet(50, 50, EOP | (ABI.RXC_L4_OK if mode else 0))
        flow.ports = (443, 50001)
        flow.packet(50, 100, EOP | (ABI.RXC_L4_OK if mode else 0))
        flow.ports = PORTS
        assert flow.state()["tcp_seq"] == flow.seq + 50
        flow.packet(50, len(flow.wire))
        nic.command("TLS_DEL", flow.ref())
        flow.packet(0, 50, EOP | (ABI.RXC_L4_OK if mode else 0))


def lose_inside_a_record(flow, after, late):
    """The middle of record 0 arrives behind record 1; packets have the flags AFTER behind
    the gap, and LATE for the late bytes."""
    flow.packet(0, 100)
    flow.packet(200, 300, after)
    flow.packet(300, flow.starts[1], after)
    flow.rec(1)
    flow.packet(100, 200, late)
    flow.packet(100, 200, TLS)
    flow.rec(2)


@case()
def loss_inside_a_record(nic):
    """The middle of a record comes late: the bytes behind it and the late bytes are
    decrypted, and there is no resync request."""
    rx = start(nic)
    for flow in flow_for_each(nic, rx, sizes=[400] * 3):
        lose_inside_a_record(flow, DECRYPTED, DECRYPTED)
    stats = nic.stats()
    assert (stats["TLS_RX_LOST"], stats["TLS_RX_ASKED"]) == (0, 0)
    assert stats["TLS_RX_BYPASSED"] == stats["TLS_RX_LATE"] == len(SUITES)
    assert stats["TLS_RX_RECORDS"] == 3 * len(SUITES)


@case(fault_rx_forgetful=1)
def loss_inside_a_record_leaves_no_memory(nic):
    """The middle of a record comes late, and the device does not remember gaps: the rest of
    the record comes undecrypted, the next record is decrypted, and there is no resync
    request."""
    rx = start(nic)
    for flow in flow_for_each(nic, rx, sizes=[400] * 3):
        lose_inside_a_record(flow, TLS, TLS)
    stats = nic.stats()
    assert (stats["TLS_RX_LOST"], stats["TLS_RX_ASKED"]) == (0, 0)
    assert stats["TLS_RX_BYPASSED"] == 4 * len(SUITES)
    assert (stats["TLS_RX_LATE"], stats["TLS_RX_RECORDS"]) == (0, 2 * len(SUITES))


@case()
def wrong_byte_in_what_is_late(nic):
    """Late bytes of a record have a wrong byte: the packet that completes the record is
    reported as not authentic and comes undecrypted, and the context stays in sync."""
    rx = start(nic)
    for flow in flow_for_each(nic, rx, sizes=[400] * 3):
        flow.packet(0, 100)
        flow.packet(150, flow.starts[1])
        flow.spoil(140)
        flow.packet(100, 130)
        flow.rec(1)
        flow.packet(130, 150, TLS | ABI.RXC_TLS_AUTH)
        flow.rec(2)
    stats = nic.stats()
    assert (stats["TLS_RX_AUTH_ERRORS"], stats["TLS_RX_LOST"]) == (len(SUITES), 0)
    assert stats["TLS_RX_RECORDS"] == 2 * len(SUITES)


@case()
def late_header(nic):
    """A late header brings the context back into sync, with the record in progress or with
    a later one that it has followed."""
    rx = start(nic)
    for flow in flow_for_each(nic, rx, sizes=[300] * 6):
        one, two = flow.starts[1], flow.starts[2]
        flow.packet(0, one)
        flow.packet(one + 20, two - 20, TLS)
        flow.lost("GAP")
        flow.packet(one, one + 20, TLS)
        assert flow.in_sync()
        flow.packet(two - 20, two, TLS)
        flow.rec(2)
        flow.packet(flow.starts[3] + 9, flow.starts[4] + 30, TLS | ABI.RXC_TLS_ASK)
        flow.lost("GAP")
        flow.asked(4)
        flow.packet(flow.starts[3], flow.starts[3] + 9, TLS)
        flow.resync(4, "STATE")
        flow.packet(flow.starts[4] + 30, flow.starts[5], TLS)
        flow.rec(5)
    assert nic.stats()["TLS_RX_FOUND"] == 2 * len(SUITES)


@case()
def header_that_never_comes(nic):
    """A header never comes: the device guesses the number of the next record, and the
    record's tag proves it. If two records of other lengths are lost, the distance does not
    tell their number, and the context stays lost."""
    rx = start(nic)
    sizes = [300] * 6 + [250, 330] + [300] * 3
    for flow in flow_for_each(nic, rx, sizes=sizes):
        flow.rec(0)
        flow.rec(2, flags=TLS)
        flow.lost("GAP")
        assert flow.in_sync()
        flow.rec(3)
        flow.rec(5, flags=TLS)
        flow.lost("GAP")
        assert flow.in_sync()
        flow.rec(8, flags=TLS | ABI.RXC_TLS_ASK)
        flow.lost("GAP")
        assert not flow.in_sync()
        flow.asked(8)
        flow.rec(9, flags=TLS)
        assert flow.in_sync()
        flow.rec(10)
    stats = nic.stats()
    assert (stats["TLS_RX_FOUND"], stats["TLS_RESYNCS"]) == (3 * len(SUITES), 0)


@case()
def again_and_overlapping(nic):
    """Bytes that were received before come undecrypted; new bytes behind them in the same
    packet count."""
    rx = start(nic)
    for flow in flow_for_each(nic, rx, sizes=[300] * 4):
        flow.rec(0)
        flow.rec(0, flags=TLS)
        flow.packet(50, flow.starts[1] + 60, TLS)
        flow.packet(flow.starts[1] + 60, flow.starts[2])
        flow.packet(20, 30, TLS)
        flow.rec(2, 3)


@case(fault_rx_forgetful=1)
def loss_over_a_header(nic):
    """A gap hides a record header: the next header is found wherever packets cut it, and
    the answer to the resync request brings the context back."""
    rx = start(nic)
    for n, flow in enumerate(flow_for_each(nic, rx, sizes=[300] * 5)):
        flow.packet(0, flow.starts[1])
        at = flow.starts[2] + n
        flow.packet(flow.starts[2] - 40, at, TLS | (ABI.RXC_TLS_ASK if n == 5 else 0))
        flow.lost("GAP")
        assert not flow.in_sync()
        flow.packet(at, flow.starts[3], TLS | (0 if n == 5 else ABI.RXC_TLS_ASK))
        flow.asked(2)
        flow.resync(2)
        flow.rec(3)
        flow.rec(1, flags=TLS)
        flow.rec(4)
    stats = nic.stats()
    assert stats["TLS_RX_LOST"] == stats["TLS_RX_ASKED"] == len(SUITES)
    assert stats["TLS_RESYNCS"] == len(SUITES)


@case(fault_rx_forgetful=1)
def asks_again_at_growing_distances(nic):
    """Resync requests come at headers 1, 2, 3, 5, 9, 17 and then at each 16th. An answer
    may name the first 8 of these headers and the last 8, and no other."""
    rx = start(nic)
    flow = Flow(nic, rx, sizes=[20] * 300)
    asked = []
    questions = (1, 2, 3, 5, 9, *range(17, 300, 16))
    for n in range(1, 290):
        cpl_flags = TLS | (ABI.RXC_TLS_ASK if n in questions else 0)
        flow.rec(n, flags=cpl_flags)
        if cpl_flags & ABI.RXC_TLS_ASK:
            flow.asked(n)
            asked.append(n)
    flow.resync(47, "TLS_SEQ")
    flow.resync(161, "TLS_SEQ")
    flow.resync(289, "TLS_SEQ", tcp_seq=flow.seq + flow.starts[289] + 1)
    for n in (1, 49, 177, 289):
        flow.resync(n, "PARAM", rec_no=b"\xff" * 8)
    assert not flow.in_sync()
    flow.resync(17)
    flow.rec(290)
    assert nic.stats()["TLS_RX_ASKED"] == len(asked)


@case(fault_rx_forgetful=1)
def what_looks_like_a_header_and_is_none(nic):
    """Bytes look like a header, and no header is at the place to which they point: the
    search goes on behind them."""
    rx = start(nic)
    flow = Flow(nic, rx, sizes=[100])
    bait = bytes.fromhex("1703030040") + bytes(200)
    flow.starts.append(len(flow.wire))
    flow.wire += bait
    flow.clear += bait
    flow.packet(flow.starts[1], flow.starts[1] + 60, TLS | ABI.RXC_TLS_ASK)
    flow.asked(1)
    flow.packet(flow.starts[1] + 60, len(flow.wire), TLS)
    flow.resync(1, "TLS_SEQ")
    flow.record(100).record(100)
    flow.rec(2, flags=TLS | ABI.RXC_TLS_ASK)
    flow.asked(2)
    flow.resync(2)
    flow.rec(3)


@case(fault_rx_forgetful=1)
def hint_about_a_record_to_come(nic):
    rx = start(nic)
    for flow in flow_for_each(nic, rx, sizes=[100] * 6):
        flow.rec(2, flags=TLS | ABI.RXC_TLS_ASK)
        flow.resync(4)
        flow.rec(3, flags=TLS)
        flow.rec(4)
        flow.resync(5, "STATE")
        flow.rec(5)


@case()
def wrong_tag(nic):
    """One byte of a record is wrong, in each of its parts: the packet is not reported as
    decrypted, and comes as it was sent."""
    rx = start(nic)
    for flow in flow_for_each(nic, rx, sizes=[100] * 4):
        head = 5 + flow.records.explicit
        flow.spoil(flow.starts[1] + head + 50)
        flow.rec(0)
        flow.packet(flow.starts[1], flow.starts[1] + head)
        flow.packet(flow.starts[1] + head, flow.starts[2], TLS | ABI.RXC_TLS_AUTH)
        flow.lost("AUTH")
        flow.rec(2, flags=TLS | ABI.RXC_TLS_ASK)
        flow.asked(2)
        flow.resync(2)
        flow.spoil(len(flow.wire) - 1)
        flow.packet(flow.starts[3], len(flow.wire) - 3)
        flow.packet(len(flow.wire) - 3, len(flow.wire), TLS | ABI.RXC_TLS_AUTH)
        flow.lost("AUTH")
    stats = nic.stats()
    assert stats["TLS_RX_AUTH_ERRORS"] == stats["TLS_RX_LOST"] == 2 * len(SUITES)
    assert stats["TLS_RX_BYPASSED"] == 3 * len(SUITES)


@case()
def a_good_record_before_a_wrong_one(nic):
    """A packet holds a good record and a wrong one: nothing of it is decrypted."""
    rx = start(nic)
    flow = Flow(nic, rx, sizes=[100, 100])
    flow.spoil(len(flow.wire) - 20)
    flow.rec(0, 1, flags=TLS | ABI.RXC_TLS_AUTH)
    assert nic.stats()["TLS_RX_RECORDS"] == 0


@case()
def impossible_header(nic):
    rx = start(nic)
    for n, flow in enumerate(flow_for_each(nic, rx, sizes=[100] * 4)):
        at = flow.starts[1]
        bad = (b"\x13\3\3\0\x40", b"\x17\2\3\0\x40", b"\x17\3\4\0\x40",
               b"\x17\3\3\0\x0f", b"\x17\3\3\x41\x40", b"\x19\3\3\0\x40")[n]
        flow.wire = flow.wire[:at] + bad + flow.wire[at + 5:]
        flow.rec(0)
        flow.rec(1, flags=TLS)
        flow.lost("HEADER")
        flow.rec(2, flags=TLS | ABI.RXC_TLS_ASK)
        flow.asked(2)
        flow.resync(2)
        flow.rec(3)


@case()
def frame_without_buffers_did_not_happen(nic):
    """A frame is dropped for lack of buffers: its context does not move, and the frame is
    decrypted when the peer sends it again."""
    rx = start(nic, bufs=3, size=256)
    flow = Flow(nic, rx, sizes=[1000, 100])
    before = nic.stats()
    nic.wire.send(flow.frame(0, flow.starts[1]))
    nic.m.wait(lambda: nic.stats()["RX_NO_BUFFER"] == 1, "a drop")
    assert flow.state()["tcp_seq"] == flow.seq
    assert nic.stats()["TLS_RX_PACKETS"] == before["TLS_RX_PACKETS"] == 0
    rx.fill(8)
    flow.rec(0)
    rx.fill(8)
    flow.rec(1)


@case()
def numbers_that_run_out(nic):
    """After the last record number of a key, all packets come undecrypted."""
    rx = start(nic)
    for flow in flow_for_each(nic, rx, rec_no=(1 << 64) - 2, sizes=[100, 100]):
        flow.rec(0, 1)
        flow.wire, flow.clear = flow.wire + bytes(100), flow.clear + bytes(100)
        flow.packet(len(flow.wire) - 100, len(flow.wire), TLS)


@case()
def flows_do_not_mix(nic):
    """Flows with equal ports and sequence numbers and different addresses, or different
    ports, do not mix."""
    rx = start(nic)
    flows = [Flow(nic, rx, version, SUITES[n % 6], ports=(443 + n % 3, 1000 + n))
             for n in range(60) for version in (4, 6)]
    for size in (10, 700):
        for flow in flows:
            flow.record(size)
            flow.packet(flow.starts[-1], flow.starts[-1] + 17)
        for flow in flows:
            flow.packet(flow.starts[-1] + 17, len(flow.wire))
    for flow in flows[::2]:
        nic.command("TLS_DEL", flow.ref())
    for flow in flows[1::2]:
        flow.record(40)
        flow.packet(flow.starts[-1], len(flow.wire))
    for flow in flows[::2]:
        flow.packet(0, 10, EOP)


@case(tls_contexts=3)
def one_context_for_a_flow(nic):
    rx = start(nic)
    flow = Flow(nic, rx, sizes=[100])
    flow.add("EXIST")
    other = Flow(nic, rx, 6, sizes=[100])
    assert other.ctx != flow.ctx
    flow.rec(0)
    other.rec(0)
    nic.command("TLS_DEL", flow.ref())
    again = Flow(nic, rx, sizes=[100])
    again.rec(0)
    Flow(nic, rx, ports=(1, 2))
    again.ports = (1, 3)
    again.add("FULL")
    assert nic.stats()["TLS_CTX_LIVE"] == 3


@case()
def contexts_keep_to_their_direction(nic):
    """A receiving context does not encrypt, and a sending context does not decrypt."""
    rx, tx = start(nic), TxQueue(nic)
    flow = Flow(nic, rx, sizes=[100])
    frame, l4, hdr_len = tcp_frame(4, flow.clear, seq=flow.seq, whole=False)
    tx.refused("NOENT", frame, flags=ABI.TXO_TLS | ABI.TXO_CSUM, tls_ctx=flow.ctx,
               hdr_len=hdr_len, csum_start=l4, csum_offset=16)
    flow.rec(0)
    payload_tx = flow.records.add(ABI.DIR_RX, 1)
    nic.command("TLS_ADD", payload_tx, "UNSUPPORTED")
    nic.command("TLS_ADD_RX", flow.records.add(ABI.DIR_TX, 1) + flow_of(4, (5, 6)),
                "UNSUPPORTED")


@case()
def spread_over_queues(nic):
    """The RSS hash covers addresses and ports, and is the same for decrypted frames."""
    nic.boot().up("RSS")
    queues = [RxQueue(nic, n) for n in range(2)]
    addr = nic.m.alloc(176)
    nic.m.write(addr, pack("rss", key=bytes(range(40)), types=ABI.RSS_TCP4,
                           table=bytes([1]) * 128))
    nic.command("RSS_SET", pack("buf", addr=addr, len=176))
    flow = Flow(nic, queues[1], sizes=[100])
    flow.packet(0, len(flow.wire), DECRYPTED | ABI.RXC_HASH_L4)


@case(tls_rx="off", tls_replay="off")
def device_without_receive(nic):
    rx = start(nic)
    features = unpack("caps", nic.command("CAPS"))["features"]
    assert features & ABI.CAP_TLS_TX
    assert not features & (ABI.CAP_TLS_RX | ABI.CAP_TLS_REPLAY)
    nic.command("TLS_ADD_RX", Records().add(ABI.DIR_RX, 1) + flow_of(4), "UNSUPPORTED")
    del rx


UPDATE = bytes([24, 0, 0, 1, 0])
HANDSHAKE = 22


class KeyedFlow(Flow):
    """A TLS 1.3 flow of which the peer sends KeyUpdates."""

    def __init__(self, nic, rx, **more):
        self.number, self.given = 0, 0
        super().__init__(nic, rx, suite=(TLS13, GCM128), **more)

    def key_of(self, number):
        return bytes([0x40 + number % 64] * 16)

    def update(self):
        """Append a KeyUpdate; the records behind it have the next key."""
        self.record(0, kind=HANDSHAKE, plain=UPDATE)
        self.number += 1
        self.records = Records(TLS13, GCM128, -len(self.starts), self.key_of(self.number))

    def next_key(self, number, key=None):
        return pack("tls_next", ctx=self.ctx, key_no=number, iv=IV,
                    key=key or self.key_of(number))

    def give(self, status="OK"):
        """Give the device one more next key."""
        self.nic.command("TLS_NEXT", self.next_key(self.given + 1), status)
        self.given += 1

    def told(self, number):
        """An event names the key that the device now uses."""
        event = self.nic.event("TLS_KEY")
        assert (event["id"], event["arg"]) == (self.ctx, number)


@case()
def next_key_after_a_key_update(nic):
    """The device has the next keys: records behind a KeyUpdate are decrypted with them, and
    none comes undecrypted."""
    flow = KeyedFlow(nic, start(nic), sizes=[100])
    for size in (200, 300, 400):
        flow.update()
        flow.record(size)
    flow.give()
    flow.give()
    flow.packet(0, flow.starts[2] + 20)
    flow.told(1)
    flow.packet(flow.starts[2] + 20, flow.starts[4])
    flow.told(2)
    flow.give()
    flow.rec(4, 6)
    flow.told(3)
    assert nic.stats()["TLS_RX_REKEYS"] == 3 and flow.in_sync()


@case()
def key_update_without_a_next_key(nic):
    flow = KeyedFlow(nic, start(nic), sizes=[100])
    flow.update()
    flow.record(100)
    flow.update()
    for _ in range(4):
        flow.record(100)
    flow.give()
    flow.rec(0, 3)
    flow.told(2)
    flow.lost("KEY")
    flow.rec(4, flags=TLS | ABI.RXC_TLS_ASK)
    assert not flow.in_sync()
    flow.give()
    flow.rec(5, flags=TLS)
    assert flow.in_sync()
    flow.rec(6, 7)


@case()
def forged_key_update_changes_nothing(nic):
    flow = KeyedFlow(nic, start(nic), sizes=[100, 5, 100, 100, 100])
    flow.give()
    flow.spoil(flow.starts[1] + 5)
    flow.rec(0)
    flow.rec(1, flags=TLS | ABI.RXC_TLS_AUTH)
    flow.lost("AUTH")
    flow.rec(2, flags=TLS | ABI.RXC_TLS_ASK)
    flow.rec(3, flags=TLS)
    flow.rec(4)
    assert nic.stats()["TLS_RX_REKEYS"] == 0


@case()
def next_keys_that_are_refused(nic):
    rx = start(nic)
    flow = KeyedFlow(nic, rx)
    other = Flow(nic, rx, suite=SUITES[0], ports=(443, 50001))
    for number, status in ((0, "PARAM"), (2, "PARAM"), (1 << 31, "PARAM")):
        nic.command("TLS_NEXT", flow.next_key(number), status)
    nic.command("TLS_NEXT", flow.next_key(1, bytes([1] * 17)), "RESERVED")
    nic.command("TLS_NEXT", pack("tls_next", ctx=other.ctx, key_no=1), "UNSUPPORTED")
    nic.command("TLS_NEXT", pack("tls_next", ctx=99, key_no=1), "NOENT")
    for _ in range(ABI.TLS_NEXT_KEYS):
        flow.give()
    flow.give("FULL")
    flow.record(10)
    for key, status in ((0, "STATE"), (9, "STATE")):
        nic.command("TLS_RESYNC_KEY", flow.where(0) + key.to_bytes(8, "little"), status)
    sender = unpack("tls_ref", nic.command("TLS_ADD", Records(TLS13, GCM128).add(
        ABI.DIR_TX, 1)))["ctx"]
    nic.command("TLS_NEXT", pack("tls_next", ctx=sender, key_no=1), "UNSUPPORTED")
    nic.command("TLS_NEXT_TX", flow.next_key(1) + bytes(4), "UNSUPPORTED")
    nic.command("TLS_KEY_DONE", pack("tls_key_ref", ctx=flow.ctx, key_no=1), "UNSUPPORTED")


@case()
def resync_to_a_later_key(nic):
    """A context loses its place before several KeyUpdates: the host's answer to the resync
    request names the record's key, and the context is in sync."""
    flow = KeyedFlow(nic, start(nic), sizes=[300] * 3)
    for _ in range(3):
        flow.update()
        for _ in range(8):
            flow.record(300)
        flow.give()
    flow.rec(0)
    at = 3 + 9 + 9 + 3
    flow.rec(at, flags=TLS | ABI.RXC_TLS_ASK)
    flow.lost("GAP")
    flow.asked(at)
    nic.command("TLS_RESYNC_KEY", flow.where(at) + (3).to_bytes(8, "little"))
    assert flow.in_sync()
    flow.rec(at + 1, at + 3)


@case()
def capabilities(nic):
    nic.boot()
    caps = unpack("caps", nic.command("CAPS"))
    assert caps["features"] & ABI.CAP_TLS_RX and caps["features"] & ABI.CAP_TLS_REPLAY
    assert caps["features"] & ABI.CAP_TLS_RX_NEXT
    assert (caps["tls_ciphers"], caps["tls_versions"]) == (7, 3)


@case()
def reset_forgets_flows(nic):
    rx = start(nic)
    flow = Flow(nic, rx, sizes=[100])
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    flow.rx = start(nic)
    flow.rec(0, flags=EOP)
    flow.ctx = unpack("tls_ref", flow.add())["ctx"]
    flow.rec(0)


@case()
def counters(nic):
    rx = start(nic)
    flow = Flow(nic, rx, sizes=[100, 100])
    flow.packet(0, flow.starts[1] + 20)
    flow.packet(0, 30, TLS)
    stats = nic.stats()
    want = {"PACKETS": 1, "BYTES": flow.starts[1] + 20, "RECORDS": 1, "BYPASSED": 1,
            "AUTH_ERRORS": 0, "LOST": 0, "ASKED": 0}
    assert want == {name: stats["TLS_RX_" + name] for name in want}
    state = flow.state()
    assert (state["packets"], state["bytes"]) == (1, flow.starts[1] + 20)


@case()
def traces_hold_no_secrets(nic):
    key = bytes.fromhex("a3d95b17c04e6f82911e2dbb70f4c865")
    nic.m.qmp("trace-event-set-state", name="vkdev_*", enable=True)
    rx = start(nic)
    flow = Flow(nic, rx, key=key).record(0, plain=SECRET)
    flow.rec(0)
    nic.command("TLS_DEL", flow.ref())
    said = nic.m.logged()
    for event in ("ctx_add", "ctx_decrypt", "ctx_del"):
        assert "vkdev_" + event in said, f"no trace of {event}"
    for secret in (key, SECRET):
        assert secret[:4].hex() not in said and repr(secret[:4])[2:-1] not in said


@case()
def keys_are_gone(nic):
    """A context is deleted, or the device reset: its key is nowhere in the memory of the
    QEMU process."""
    rx = start(nic)
    nic.m.write = nic.m.write_words
    for suite in SUITES:
        size = 16 if suite[1] == GCM128 else 32
        key = payload(size, 0xa1 + suite[0] * 3 + suite[1])
        for end in ("delete", "reset") if suite[0] == TLS13 else ("delete",):
            flow = Flow(nic, rx, suite=suite, key=key, sizes=[100])
            flow.packet(0, 50)
            wipe_commands(nic)
            assert key_in_memory(nic, key), "the search finds nothing at all"
            if end == "delete":
                nic.command("TLS_DEL", flow.ref())
            else:
                nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
            area = key_in_memory(nic, key)
            assert not area, f"key is left after {end}: {area}"
        if suite[0] == TLS13:
            rx = start(nic)


@case()
def keys_in_advance_are_gone(nic):
    """A context with keys in advance is deleted, or the device reset: the key in use, the
    one before and the waiting ones are nowhere in the memory of the QEMU process."""
    rx = start(nic)
    nic.m.write = nic.m.write_words
    keys = [hashlib.sha256(bytes([number])).digest()[:16] for number in range(4)]
    for end in "delete", "reset":
        flow = KeyedFlow(nic, rx, key=keys[0], sizes=[100])
        flow.key_of = lambda number: keys[number]
        flow.update()
        flow.record(100)
        for _ in range(3):
            flow.give()
        flow.rec(0, 1)
        flow.packet(flow.starts[2], flow.starts[2] + 50)
        wipe_commands(nic)
        assert all(key_in_memory(nic, key) for key in keys), "the search finds too little"
        if end == "delete":
            nic.command("TLS_DEL", flow.ref())
        else:
            nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
        for number, key in enumerate(keys):
            area = key_in_memory(nic, key)
            assert not area, f"key {number} is left after {end}: {area}"


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
