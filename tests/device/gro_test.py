#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Joined frames through real firmware: the frames that are joined and those that are not, a
joined packet cut into its original frames by the device, TLS, limits, and random hosts and
wires. SEED=n repeats a run."""

import fcntl
import os
import random
import socket
import struct
import sys
import termios
import time

from nic import (ABI, MAC, PEER, Nic, RxQueue, TxQueue, Wire, case, in_qemu_only, main,
                 pack, unpack)
from packets import ACK, CWR, FIN, PSH, TCP, checksum, ethernet, ip, payload, pseudo, tcp
from qtest import PATIENCE, RAM_END, Function, Machine
from promises_test import firmware
from records import SUITES
import tlsrx_test as tlsrx

SEED = int(os.environ.get("SEED", "1"))
OK = ABI.RXC_EOP | ABI.RXC_L4_OK
GRO = OK | ABI.RXC_GRO
ALL = ("RX_CSUM", "RX_GRO", "RX_GRO_HOLD")
IPS = ALL + ("RX_GRO_IP",)
IPV4, IPV6 = 4, 41      # IP in IP
REAL_TIME = in_qemu_only("a card in a process of its own has the host's time")
STAMP = b"\1\1\x08\x0a" + b"\1\2\3\4\5\6\7\x08"
SIZE = 1428     # payload of IPv6 with these options at an MTU of 1500


class Batching(Nic):
    """A NIC on a wire that delivers many frames at once."""

    def open(self, tempdir):
        self.wire = Wire(tempdir, "n0")
        self.m = Machine("-netdev", self.wire.netdev, "-device", self.device_line(),
                         "-object", "filter-buffer,id=hold,netdev=n0,queue=tx,"
                         "interval=4000000000,status=on")
        self.attach(Function(self.m, 4))
        return self

    def hold(self, on):
        self.m.qmp("qom-set", path="/objects/hold", property="status",
                   value="on" if on else "off")

    def batch(self, *frames):
        for frame in frames:
            send_patiently(self.wire, frame)
        self.hold(False)
        self.hold(True)


def send_patiently(wire, frame):
    """Send a frame, and wait until QEMU has read it from the socket."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            wire.send(frame)
            break
        except socket.timeout:
            assert time.monotonic() < end, "QEMU takes no frames"
    while struct.unpack("i", fcntl.ioctl(wire.sock, termios.TIOCOUTQ, b"\0" * 4))[0]:
        assert time.monotonic() < end, "QEMU does not read a frame"


class Rx(RxQueue):
    """A queue that can have twice as many buffers as at first."""

    def __init__(self, nic, number=0, bufs=60, **more):
        self.posted = bufs
        super().__init__(nic, number, bufs, **more)

    def refill(self):
        self.fill(self.posted - len(self.bufs))


def start(nic, *flags, **cfg):
    nic.boot().up(*(flags or ALL))
    return Rx(nic, **cfg)


class Stream:
    """One direction of a TCP connection, cut into frames for the NIC."""

    def __init__(self, version=4, port=50000, seq=1000, tags=b""):
        self.version, self.port, self.seq, self.tags = version, port, seq, tags
        self.ident = 0xfffe

    def frame(self, size=SIZE, flags=ACK, options=STAMP, step=1):
        data = payload(size, self.seq & 0xff)
        segment = tcp(self.version, data, seq=self.seq, flags=flags, options=options,
                      ports=(443, self.port))
        packet = ip(self.version, TCP, segment, **(
            {"ident": self.ident, "fragment": 0x4000} if self.version == 4 else {}))
        self.seq = self.seq + size & 0xffffffff
        self.ident = self.ident + step & 0xffff
        return ethernet(0x0800 if self.version == 4 else 0x86dd, packet, MAC, PEER,
                        self.tags)

    def frames(self, count, **more):
        return [self.frame(**more) for _ in range(count)]


def headers(packet):
    """(end of the IP header, end of the TCP header) of a packet."""
    l4 = 14 + (20 if packet[14] >> 4 == 4 else 40)
    return l4, l4 + (packet[l4 + 12] >> 4) * 4


def check_headers(packet):
    """A joined packet has right lengths and checksums, as a stack needs to forward it."""
    l4, _ = headers(packet)
    version = packet[14] >> 4
    if version == 4:
        assert checksum(packet[14:34]) == 0, "IPv4 checksum"
        assert struct.unpack_from(">H", packet, 16)[0] == len(packet) - 14, "IPv4 length"
    else:
        assert struct.unpack_from(">H", packet, 18)[0] == len(packet) - 54, "IPv6 length"
    total = checksum(pseudo(version, TCP, len(packet) - l4)) ^ 0xffff
    assert struct.unpack_from(">H", packet, l4 + 16)[0] == total, "pseudo header's sum"


def cut(packet, cpl):
    """The frames of which a packet consists, by its completion."""
    if not cpl["flags"] & ABI.RXC_GRO:
        assert (cpl["segs"], cpl["seg_len"]) == (0, 0)
        return [packet]
    check_headers(packet)
    l4, at = headers(packet)
    head, frames = packet[:at], []
    last = at + (cpl["segs"] - 1) * cpl["seg_len"]
    assert cpl["segs"] > 1 and at < last < len(packet) <= last + cpl["seg_len"]
    for n in range(cpl["segs"]):
        data = packet[at + n * cpl["seg_len"]:at + (n + 1) * cpl["seg_len"]]
        one = bytearray(head + data)
        seq, = struct.unpack_from(">I", head, l4 + 4)
        struct.pack_into(">I", one, l4 + 4, seq + n * cpl["seg_len"] & 0xffffffff)
        if n + 1 < cpl["segs"]:
            one[l4 + 13] &= ~PSH
        if head[14] >> 4 == 4:
            ident = struct.unpack_from(">H", head, 18)[0]
            ident += 0 if cpl["flags"] & ABI.RXC_GRO_ID else n
            struct.pack_into(">HH", one, 16, len(one) - 14, ident & 0xffff)
            one[24:26] = b"\0\0"
            struct.pack_into(">H", one, 24, checksum(bytes(one[14:34])))
        else:
            struct.pack_into(">H", one, 18, len(one) - 54)
        one[l4 + 16:l4 + 18] = b"\0\0"
        fake = pseudo(head[14] >> 4, TCP, len(one) - l4)
        struct.pack_into(">H", one, l4 + 16, checksum(fake + bytes(one[l4:])))
        frames.append(bytes(one))
    return frames


def receive(nic, rx, count):
    """Receive COUNT frames, in as many packets as they come: (frames, [(packet,
    completion)])."""
    got, packets = [], []
    while len(got) < count:
        packet, cpl = rx.receive()
        got += cut(packet, cpl)
        packets.append((packet, cpl))
        rx.refill()
    nic.m.step(0.001)
    assert rx.cq.take() is None, "more than was sent"
    return got, packets


def delivered(nic, rx, frames):
    """Send these frames at once; they arrive unchanged, in order for each flow. Returns the
    packets with their completions."""
    nic.batch(*frames)
    got, packets = receive(nic, rx, len(frames))
    assert by_flow(got) == by_flow(frames), "not the frames that were sent"
    return packets


def by_flow(frames):
    """Frames by their addresses and ports, each flow in its order."""
    flows = {}
    for frame in frames:
        v6 = frame[12:14] == b"\x86\xdd"
        key = frame[12:14], frame[22:58] if v6 else frame[26:38]
        flows.setdefault(key, []).append(frame)
    return flows


def flags_of(packets):
    return [cpl["flags"] for _, cpl in packets]


@case(Batching)
def frames_are_joined(nic):
    rx = start(nic)
    for version in (4, 6):
        before = nic.stats()
        frames = Stream(version, seq=0xfffff000).frames(20)
        packets = delivered(nic, rx, frames)
        assert flags_of(packets) == [GRO]
        cpl = packets[0][1]
        assert (cpl["segs"], cpl["seg_len"]) == (20, SIZE)
        after = nic.stats()
        grown = {name: after[name] - before[name] for name in after}
        assert (grown["RX_FRAMES"], grown["RX_GRO_PACKETS"], grown["RX_GRO_FRAMES"]) == \
            (20, 1, 20)
        assert grown["RX_BYTES"] == sum(map(len, frames))
        assert grown["RX_DESCS"] == -(-len(packets[0][0]) // 2048)
        assert grown["DMA_WRITE_BYTES"] < grown["RX_BYTES"]


@case(Batching)
def device_cuts_what_it_joined(nic):
    """A joined packet is sent with TSO: the original frames leave."""
    rx, tx = start(nic), TxQueue(nic)
    for version in (4, 6):
        stream = Stream(version)
        frames = stream.frames(7) + [stream.frame(99, ACK | PSH)]
        (packet, cpl), = delivered(nic, rx, frames)
        _, hdr_len = headers(packet)
        tx.send_ok(packet, ABI.TXO_TSO, mss=cpl["seg_len"], hdr_len=hdr_len)
        assert [nic.wire.receive() for _ in frames] == frames


@case(Batching)
def only_when_it_is_asked_for(nic):
    rx = start(nic, "RX_CSUM")
    stream = Stream()
    assert flags_of(delivered(nic, rx, stream.frames(5))) == [OK] * 5
    nic.up("RX_GRO")        # without RX_CSUM, no checksum is known to be right
    assert flags_of(delivered(nic, rx, stream.frames(5))) == [ABI.RXC_EOP] * 5
    nic.up(*ALL)
    assert flags_of(delivered(nic, rx, stream.frames(5))) == [GRO]
    assert nic.stats()["RX_GRO_FRAMES"] == 5


@case(Batching, rx_gro="off")
def device_without_it(nic):
    rx = start(nic, "RX_CSUM")
    assert not unpack("caps", nic.command("CAPS"))["features"] & ABI.CAP_RX_GRO
    for flag in (ABI.PORT_RX_GRO, ABI.PORT_RX_GRO_HOLD, ABI.PORT_RX_GRO_IP):
        nic.command("PORT_SET", pack("port_cfg", flags=ABI.PORT_UP | flag, mtu=1500),
                    "UNSUPPORTED")
    assert flags_of(delivered(nic, rx, Stream().frames(3))) == [OK] * 3


@case(Batching)
def frames_that_come_alone_are_as_they_came(nic):
    rx = start(nic)
    stream = Stream()
    for _ in range(3):
        assert flags_of(delivered(nic, rx, stream.frames(1))) == [OK]
    assert nic.stats()["RX_GRO_PACKETS"] == 0


@case(Batching)
def ends_of_a_packet(nic):
    rx = start(nic)
    stream = Stream()
    frames = stream.frames(3) + [stream.frame(10)]                  # a shorter one ends a packet
    frames += stream.frames(2) + [stream.frame(flags=ACK | PSH)]
    frames += [stream.frame(100), stream.frame(101)]                # a longer one begins a packet
    frames += [stream.frame(101), stream.frame(101, FIN | ACK)]
    packets = delivered(nic, rx, frames)
    assert [cpl["segs"] for _, cpl in packets] == [4, 3, 0, 2, 0], packets


@case(Batching)
def steady_identification(nic):
    rx = start(nic)
    packets = delivered(nic, rx, Stream().frames(4, step=0))
    assert flags_of(packets) == [GRO | ABI.RXC_GRO_ID]


@case(Batching)
def flows_by_turns_are_joined(nic):
    """Frames of 64 connections by turns; one more ends the oldest packet."""
    rx = start(nic, bufs=250, log2=8)
    streams = [Stream(4 + n % 2 * 2, port=1 + n) for n in range(65)]
    frames = [s.frame() for _ in range(3) for s in streams[:64]]
    packets = delivered(nic, rx, frames)
    assert [(cpl["flags"], cpl["segs"]) for _, cpl in packets] == [(GRO, 3)] * 64
    frames = [s.frame() for _ in range(2) for s in streams]
    packets = delivered(nic, rx, frames)
    assert sorted(cpl["segs"] for _, cpl in packets) == [0] * 130


@REAL_TIME
@case(Batching)
def frames_one_by_one_are_joined(nic):
    """Frames wait for others, no longer than promised, and longer than a period only
    while others come."""
    rx, stream = start(nic), Stream()
    period = ABI.RX_GRO_HOLD_USECS / 4e6
    before = nic.stats()["RX_FRAMES"]
    for _ in range(5):
        nic.batch(stream.frame())
        nic.m.step(period * 0.4)
        assert rx.cq.take() is None, "it did not wait"
    nic.m.step(period * 2.1)
    packet, cpl = rx.receive()
    assert (cpl["segs"], len(cut(packet, cpl))) == (5, 5)
    for _ in range(100):
        nic.batch(stream.frame(100))
        nic.m.step(period * 0.4)
        if rx.cq.there():
            break
    packet, cpl = rx.receive()
    assert 2 < cpl["segs"] * 0.4 <= 4.5, f"{cpl['segs']} frames"
    nic.m.step(period * 3)
    while rx.cq.there():
        rx.receive()
    assert nic.stats()["RX_FRAMES"] > before + 10


@case(Batching)
def nothing_is_held_back_if_nobody_asks(nic):
    """Without the mode a packet is complete when the wire is silent."""
    rx, stream = start(nic, "RX_CSUM", "RX_GRO"), Stream()
    nic.batch(*stream.frames(3))
    assert rx.cq.take() is not None


@case(Batching)
def older_firmware_has_no_modes(nic):
    nic.firmware = firmware(8)
    rx = start(nic, "RX_CSUM", "RX_GRO")
    assert not unpack("caps", nic.command("CAPS"))["features"] & ABI.CAP_RX_GRO_MORE
    for flag in (ABI.PORT_RX_GRO_HOLD, ABI.PORT_RX_GRO_IP, ABI.PORT_RX_GRO_CWR):
        nic.command("PORT_SET", pack("port_cfg", flags=ABI.PORT_UP | flag, mtu=1500), "PARAM")
    assert flags_of(delivered(nic, rx, Stream().frames(3))) == [GRO]


@case(Batching)
def push_ends_the_wait(nic):
    """A frame with PSH never waits, and takes those that wait along."""
    rx, stream = start(nic), Stream()
    nic.batch(stream.frame(), stream.frame(flags=ACK | PSH), stream.frame(flags=ACK | PSH))
    for segs in (2, 0):
        entry = rx.cq.there()
        assert entry, "it waits"
        packet, cpl = rx.receive()
        assert cpl["segs"] == segs


@case(Batching)
def no_packet_for_others_buffers(nic):
    """Packets that wait have their buffers for sure; a frame without one is lost."""
    rx = start(nic, bufs=8)
    streams = [Stream(port=1 + n) for n in range(10)]
    nic.batch(*(s.frame() for s in streams))
    got = [rx.receive()[0] for _ in range(8)]
    assert len(got) == 8
    nic.m.step(0.01)
    assert rx.cq.take() is None
    stats = nic.stats()
    assert (stats["RX_FRAMES"], stats["RX_NO_BUFFER"]) in ((8, 2), (8, 0)), stats


@case(Batching)
def nothing_with_a_wrong_checksum(nic):
    rx = start(nic)
    stream = Stream()
    frames = stream.frames(4)
    frames[2] = frames[2][:-1] + bytes([frames[2][-1] ^ 1])
    bad = ABI.RXC_EOP | ABI.RXC_CSUM_BAD
    assert flags_of(delivered(nic, rx, frames)) == [GRO, bad, OK]


@case(Batching)
def tags(nic):
    rx = start(nic, *ALL, "VLAN_STRIP")
    frames, untagged = [], []
    stream = Stream()
    for tci in (5, 5, 6, 6, 6):
        stream.tags = struct.pack(">HH", 0x8100, tci)
        frames.append(stream.frame())
        untagged.append(frames[-1][:12] + frames[-1][16:])
    stream.tags = b""
    frames.append(stream.frame())
    nic.batch(*frames)
    got, packets = receive(nic, rx, 6)
    assert got == untagged + frames[5:]
    vlan = GRO | ABI.RXC_VLAN
    assert [(c["flags"], c["segs"], c["vlan_tci"]) for _, c in packets] == \
        [(vlan, 2, 5), (vlan, 3, 6), (OK, 0, 0)]
    nic.up(*ALL)
    stream.tags = b"\x81\0\0\5"
    assert flags_of(delivered(nic, rx, stream.frames(3))) == [OK] * 3


@case(Batching)
def hash_and_queue_stay(nic):
    nic.boot().up(*ALL, "RSS")
    queues = [Rx(nic, n) for n in range(2)]
    table = pack("rss", key=bytes(range(40)), types=ABI.RSS_TCP4,
                 table=bytes((0, 1)) * (ABI.RSS_ENTRIES // 2))
    addr = nic.m.alloc(len(table))
    nic.m.write(addr, table)
    nic.command("RSS_SET", pack("buf", addr=addr, len=len(table)))
    streams = [Stream(port=1000 + n) for n in range(16)]
    nic.batch(*(f for s in streams for f in s.frames(3)))
    nic.m.wait(lambda: nic.stats()["RX_FRAMES"] == 48, "48 frames")
    packets = []
    for rx in queues:
        while (entry := rx.cq.take()):
            cpl = unpack("rx_cpl", entry)
            if cpl["flags"] & ABI.RXC_EOP:
                packets.append(cpl)
                assert cpl["hash"] % 2 == rx.number
    assert len(packets) == 16 and all(c["segs"] == 3 for c in packets)
    assert {c["hash"] % 2 for c in packets} == {0, 1}, "one queue only"


@case(Batching)
def most_of_everything(nic):
    """A joined packet has no more buffers, bytes and frames than the ABI promises, and
    reaches each limit."""
    rx = start(nic, size=256)
    packets = delivered(nic, rx, Stream().frames(10))
    for packet, _ in packets:
        assert len(packet) <= ABI.RX_GRO_BUFS * 256
    assert max(cpl["segs"] for _, cpl in packets) == 3
    rx.destroy()
    rx = Rx(nic, size=4096)
    packets = delivered(nic, rx, Stream().frames(100))
    assert max(len(p) for p, _ in packets) > ABI.RX_GRO_BYTES - SIZE - 100
    assert max(len(p) for p, _ in packets) <= ABI.RX_GRO_BYTES
    packets = delivered(nic, rx, Stream().frames(300, size=1))
    assert [cpl["segs"] for _, cpl in packets] == [ABI.RX_GRO_SEGS, 45]


@case(Batching)
def frames_of_more_buffers_than_a_packet_may_have(nic):
    """A frame that needs more buffers than a joined packet may have is not joined."""
    nic.boot().up(*ALL, mtu=9000)
    rx = Rx(nic, bufs=250, size=256, log2=8)
    assert flags_of(delivered(nic, rx, Stream().frames(5, size=8900))) == [OK] * 5
    sizes = (8900, 100, 100, 50)    # the first one leaves room in its last buffer
    stream = Stream()
    packets = delivered(nic, rx, [stream.frame(size) for size in sizes])
    assert [cpl["segs"] for _, cpl in packets] == [0, 3]


@case(Batching)
def packet_ends_where_buffers_do(nic):
    """Three frames can be joined, and there are two buffers: two frames arrive, and the
    third is lost as a whole."""
    rx = start(nic, bufs=2)
    frames = Stream().frames(3)
    nic.batch(*frames[:2])
    packet, cpl = rx.receive()
    assert cut(packet, cpl) == frames[:2]
    assert nic.stats()["RX_DESCS"] == 2


@case(Batching)
def one_interrupt_for_a_packet(nic):
    rx = start(nic)
    nic.write(rx.mod_reg, 10000 | 2 << ABI.MOD_FRAMES_SHIFT)
    stream = Stream()
    rx.give_back(arm=True)
    for expected in (False, True):
        nic.batch(*stream.frames(5))
        assert rx.receive()[1]["segs"] == 5
        assert nic.interrupted(1) == expected


def wrapped(frame, version=4, ident=7):
    """The frame's packet in another IP packet."""
    inner = IPV4 if frame[14] >> 4 == 4 else IPV6
    packet = ip(version, inner, frame[14:], **(
        {"ident": ident & 0xffff, "fragment": 0x4000} if version == 4 else {}))
    return ethernet(0x0800 if version == 4 else 0x86dd, packet, MAC, PEER)


def unwrapped(packet):
    """The inner packet as a frame; the outer header is right."""
    at = 34 if packet[14] >> 4 == 4 else 54
    if at == 34:
        assert checksum(packet[14:34]) == 0, "IPv4 checksum"
        assert struct.unpack_from(">H", packet, 16)[0] == len(packet) - 14, "IPv4 length"
    else:
        assert struct.unpack_from(">H", packet, 18)[0] == len(packet) - 54, "IPv6 length"
    kind = b"\x08\0" if packet[at] >> 4 == 4 else b"\x86\xdd"
    return packet[:12] + kind + packet[at:]


@case(Batching)
def ip_in_ip_is_joined(nic):
    nic.boot().up(*IPS, mtu=2000)
    rx = Rx(nic)
    for version in (4, 6):
        for outer in (4, 6):
            for step in (0, 1):
                frames = Stream(version).frames(6)
                nic.batch(*(wrapped(f, outer, 0xfffd + n * step)
                            for n, f in enumerate(frames)))
                packet, cpl = rx.receive()
                rx.refill()
                same = ABI.RXC_GRO_OUTER_ID if outer == 4 and not step else 0
                assert (cpl["flags"], cpl["segs"]) == (GRO | same, 6), cpl
                assert cut(unwrapped(packet), cpl) == frames


@case(Batching)
def ip_in_ip_that_is_not_joined(nic):
    """Not asked for; by outer fragments, wrong sums, other outer headers; never with
    frames that are not in a tunnel."""
    rx = start(nic)
    frames = [wrapped(f) for f in Stream().frames(3)]
    assert flags_of(delivered(nic, rx, frames)) == [ABI.RXC_EOP] * 3
    nic.up(*IPS)
    stream = Stream()
    plain, inside = stream.frame(), wrapped(stream.frame())
    assert flags_of(delivered(nic, rx, [plain, inside, stream.frame()])) == [OK] * 3
    one, two = (wrapped(f) for f in Stream().frames(2))
    ttl = bytearray(two)
    ttl[22] -= 1
    ttl[24:26] = b"\0\0"
    ttl[24:26] = struct.pack(">H", checksum(bytes(ttl[14:34])))
    assert flags_of(delivered(nic, rx, [one, bytes(ttl)])) == [OK] * 2
    bad = bytearray(two)
    bad[-1] ^= 1
    assert flags_of(delivered(nic, rx, [one, bytes(bad)])) == \
        [OK, ABI.RXC_EOP | ABI.RXC_CSUM_BAD]
    bad = bytearray(two)
    bad[25] ^= 1                # the outer header's sum
    nic.batch(one, bytes(bad))
    got = sorted(cpl["flags"] for _, cpl in receive(nic, rx, 2)[1])
    assert got == [OK, ABI.RXC_EOP | ABI.RXC_CSUM_BAD]
    piece = bytearray(two)
    piece[20] |= 0x20           # more fragments
    piece[24:26] = b"\0\0"
    piece[24:26] = struct.pack(">H", checksum(bytes(piece[14:34])))
    nic.batch(one, bytes(piece))
    assert sorted(cpl["flags"] for _, cpl in receive(nic, rx, 2)[1]) == [ABI.RXC_EOP, OK]


@case(Batching)
def padding_is_no_payload(nic):
    """A byte in a frame that was filled up joins, and only that byte."""
    rx, stream = start(nic, *IPS), Stream()
    first, last = stream.frame(100, options=b""), stream.frame(1, options=b"")
    nic.batch(first, last.ljust(60, b"\0"))
    packet, cpl = rx.receive()
    assert (cpl["flags"], cpl["segs"]) == (GRO, 2)
    assert cut(packet, cpl) == [first, last]
    assert nic.stats()["RX_BYTES"] == len(first) + len(last)
    rx.refill()
    nic.up(*ALL)
    stream = Stream()
    first, last = stream.frame(100, options=b""), stream.frame(1, options=b"")
    assert flags_of(delivered(nic, rx, [first, last.ljust(60, b"\0")])) == [OK] * 2


@case(Batching)
def congestion_window_reduced(nic):
    rx, stream = start(nic, *ALL, "RX_GRO_CWR"), Stream()
    nic.batch(*stream.frames(2), *stream.frames(3, flags=ACK | CWR), *stream.frames(2))
    segs = []
    while sum(segs) < 7:
        packet, cpl = rx.receive()
        segs.append(cpl["segs"])
        check_headers(packet)
    assert segs == [2, 3, 2]
    nic.up(*ALL)
    stream = Stream()
    assert flags_of(delivered(nic, rx, stream.frames(3, flags=ACK | CWR))) == [OK] * 3


@case(Batching)
def longest_packet(nic):
    """65535 bytes of IP; one buffer takes no more than a completion can say."""
    nic.boot().up(*IPS, mtu=9000)
    for size in (4096, 1 << 20):
        rx, stream = Rx(nic, bufs=20, size=size), Stream()
        rest = 65535 - 52 - 16 * 4000
        nic.batch(*stream.frames(16, size=4000), stream.frame(rest), stream.frame(100))
        packet, cpl = rx.receive()
        assert (cpl["segs"], len(packet)) == (17, ABI.RX_GRO_IP_BYTES)
        check_headers(packet)
        nic.m.step(0.01)
        assert len(rx.receive()[0]) == 66 + 100
        rx.destroy()


@REAL_TIME
@case(Batching)
def queue_that_goes_delivers_what_waits(nic):
    """Frames that wait come before the queue's end, and not to the queue after it."""
    rx, stream = start(nic), Stream()
    nic.batch(*stream.frames(3))
    assert rx.cq.take() is None, "they did not wait"
    rx.destroy()
    assert rx.receive()[1]["segs"] == 3
    again = Rx(nic)
    nic.m.step(0.02)
    again.no_completion()


@REAL_TIME
@case(Batching)
def sleep_with_frames_that_wait(nic):
    """In D3hot nothing moves; what waits comes afterwards."""
    rx, stream = start(nic), Stream()
    nic.batch(*stream.frames(3))
    nic.sleep(True)
    nic.m.step(0.02)
    rx.no_completion()
    nic.sleep(False)
    assert rx.receive()[1]["segs"] == 3


@case(Batching)
def bad_buffer_while_one_more_begins_to_wait(nic):
    """The oldest of 64 packets meets a wrong buffer: the queue stops, and nothing waits."""
    rx = start(nic, bufs=0, log2=8)
    for n in range(100):
        rx.ring.put(pack("rx_desc", addr=nic.m.alloc(2048) if n else RAM_END, len=2048))
    rx.ring_doorbell()
    nic.batch(*(Stream(port=1 + n).frame() for n in range(70)))
    assert nic.event("QUEUE_ERROR")["status"] == ABI.ST_DMA
    nic.m.step(0.02)
    rx.no_completion()
    rx.destroy()
    rx = Rx(nic)
    nic.m.step(0.02)
    rx.no_completion()
    assert flags_of(delivered(nic, rx, Stream().frames(3))) == [GRO]


@case(Batching)
def bad_buffer_in_a_packet_stops_the_queue(nic):
    rx = start(nic, bufs=1)
    rx.ring.put(pack("rx_desc", addr=RAM_END, len=2048))
    rx.ring_doorbell()
    nic.batch(*Stream().frames(2))
    event = nic.event("QUEUE_ERROR")
    assert (event["id"], event["status"]) == (ABI.QUEUE_RX << 8, ABI.ST_DMA)
    rx.no_completion()
    rx.destroy()
    rx = Rx(nic)
    assert flags_of(delivered(nic, rx, Stream().frames(3))) == [GRO]


@case(Batching)
def reset_forgets_what_was_joined(nic):
    start(nic)
    nic.batch(*Stream().frames(3))
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    rx = start(nic)
    assert flags_of(delivered(nic, rx, Stream().frames(3))) == [GRO]
    assert nic.stats()["RX_FRAMES"] == 3


# Joined frames with TLS

def tls_cut(packet, cpl):
    """(sequence number, payload, was it decrypted?) of a packet."""
    if cpl["flags"] & ABI.RXC_GRO:
        check_headers(packet)
    l4, at = headers(packet)
    seq, = struct.unpack_from(">I", packet, l4 + 4)
    return seq, packet[at:], bool(cpl["flags"] & ABI.RXC_TLS_DECRYPTED)


@case(Batching)
def decrypted_frames_are_joined(nic):
    rx = start(nic)
    for n, suite in enumerate(SUITES):
        flow = tlsrx.Flow(nic, rx, (4, 6)[n % 2], suite, ports=(443, 1000 + n),
                          sizes=(3000, 0, 500, 9000))
        ends = list(range(0, len(flow.wire), SIZE)) + [len(flow.wire)]
        nic.batch(*(flow.frame(a, b, fragment=0x4000) for a, b in zip(ends, ends[1:])))
        packet, cpl = rx.receive()
        rx.refill()
        assert cpl["flags"] & ~ABI.RXC_GRO_ID == \
            GRO | ABI.RXC_TLS | ABI.RXC_TLS_DECRYPTED
        assert cpl["segs"] == len(ends) - 1
        assert tls_cut(packet, cpl) == (flow.seq, flow.clear, True)


@case(Batching)
def each_byte_is_what_it_is_said_to_be(nic):
    """Streams arrive in batches with losses, repetitions and a spoilt record: packets
    reported as decrypted hold plaintext, all others hold the bytes that were sent, and a
    packet with a resync request is not joined."""
    rx, any_ = start(nic), random.Random(SEED)
    joined = asked = 0
    for n, suite in enumerate(SUITES):
        flow = tlsrx.Flow(nic, rx, (4, 6)[n % 2], suite, seq=(1 << 32) - 9000,
                          ports=(443, 2000 + n))
        for size in range(40):
            flow.record(3000 if size == 20 else any_.choice((0, size, 300, 3000)))
        spoil(flow, flow.starts[20] + 1000)
        spans = spans_of(len(flow.wire), any_)
        while spans:
            some = [spans.pop(0) for _ in range(min(len(spans), any_.randrange(1, 9)))]
            nic.batch(*(flow.frame(a, b, fragment=0x4000) for a, b in some))
            frames = 0
            while frames < len(some):
                packet, cpl = rx.receive()
                rx.refill()
                frames += cpl["segs"] or 1
                joined += cpl["segs"]
                seq, data, decrypted = tls_cut(packet, cpl)
                at = seq - flow.seq & 0xffffffff
                want = flow.clear if decrypted else flow.wire
                assert data == want[at:at + len(data)], f"byte {at}"
                if cpl["flags"] & (ABI.RXC_TLS_ASK | ABI.RXC_TLS_AUTH):
                    assert not cpl["segs"]
                if cpl["flags"] & ABI.RXC_TLS_ASK:
                    place = nic.event("TLS_RESYNC")["arg"] - flow.seq & 0xffffffff
                    asked += 1
                    if place in flow.starts:
                        nic.submit(ABI.CMD_TLS_RESYNC, flow.where(flow.starts.index(place)))
    assert joined > 50 and asked > 3, f"{joined}, {asked}: the test tests little"


def spoil(flow, at):
    """Change a byte of the content, in the expected plaintext too."""
    flow.spoil(at)
    flow.clear = flow.clear[:at] + bytes([flow.clear[at] ^ 4]) + flow.clear[at + 1:]


def spans_of(length, any_):
    """Packets of a stream as [(begin, end)], some of them lost, repeated or late."""
    at, spans = 0, []
    while at < length:
        end = min(at + any_.choice((SIZE, SIZE, SIZE, 700)), length)
        what = any_.random()
        if what > 0.03:
            spans.append((at, end))
        if what > 0.97:
            spans.append((at, end))
        at = end
    for n in range(0, len(spans) - 1, 29):
        spans[n], spans[n + 1] = spans[n + 1], spans[n]
    return spans


# Random inputs from a seed

def any_frame(stream, any_):
    size = any_.choice([SIZE] * 8 + [1, 700, any_.randrange(1, SIZE)])
    flags = any_.choice([ACK] * 12 + [ACK | PSH, ACK | FIN, FIN, ACK | 0x20])
    frame = stream.frame(size, flags, any_.choice([STAMP] * 6 + [b""]),
                         any_.choice([1] * 20 + [0, 2]))
    if any_.random() < 0.05:
        at = any_.randrange(12, len(frame))
        frame = frame[:at] + bytes([frame[at] ^ 1 << any_.randrange(8)]) + frame[at + 1:]
    return frame


@case(Batching)
def whatever_the_wire_brings(nic):
    """Random frames of several streams: all arrive once, in order and unchanged."""
    rx, any_ = start(nic, *ALL, "PROMISC"), random.Random(SEED)
    streams = [Stream(4 + n % 2 * 2, 1000 + n) for n in range(4)]
    for _ in range(60):
        delivered(nic, rx, [any_frame(stream, any_) for stream in any_.sample(streams, 3)
                            for _ in range(any_.randrange(1, 11))])
        if any_.random() < 0.2:
            rx.destroy()
            bufs, size = any_.choice(((250, 256), (60, 1600), (60, 4096), (31, 70000)))
            rx = Rx(nic, bufs=bufs, size=size, log2=8 if bufs > 60 else 6)
    stats = nic.stats()
    assert stats["RX_GRO_FRAMES"] > 300, "the test tests little"
    assert stats["RX_NO_BUFFER"] == 0


@case(Batching)
def whatever_the_host_posts(nic):
    """A host posts buffers of any length at any address, writes any index, and creates and
    destroys queues: QEMU survives, and a later host can use the NIC."""
    nic.boot().up(*ALL)
    any_ = random.Random(SEED + 1)
    stream = Stream()
    rx = Rx(nic, bufs=0)
    addr = nic.m.alloc(1 << 20)
    for _ in range(150):
        for _ in range(any_.randrange(12)):
            rx.ring.put(pack("rx_desc", addr=any_.choice(
                [addr + any_.randrange(1 << 19)] * 30 + [RAM_END - 100, nic.pci.bars[0], (1 << 64) - 300]),
                len=any_.choice([256, 300, 2048, 4096, 65536] * 8 + [0, 255, 0xffffffff]),
                reserved=any_.choice([0] * 60 + [1])))
        nic.write(rx.tail_reg, any_.choice([rx.ring.at] * 5 + [any_.getrandbits(6)]))
        nic.batch(*stream.frames(any_.randrange(1, 12)))
        nic.write(rx.cq_reg, any_.getrandbits(6) | any_.choice((0, ABI.CQ_ARM)))
        if any_.random() < 0.3:
            rx.destroy()
            rx = Rx(nic, bufs=0, cq=any_.choice((rx.cq.addr, rx.ring.addr, addr)))
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    rx = start(nic)
    assert flags_of(delivered(nic, rx, Stream().frames(3))) == [GRO]


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
