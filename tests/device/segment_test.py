#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Segmentation beyond plain TCP, through real firmware: UDP, and TCP in a tunnel; and packets
that are refused. Each frame is taken apart by other code than the device's."""

import struct
import sys

from nic import ABI, MAC, PEER, TxQueue, case, main, unpack
from packets import (ACK, CWR, FIN, PSH, TCP, UDP, V4, V6, Segment, checksum, ethernet, ip,
                     payload, pseudo, tcp, tcp_frame, udp)
from promises_test import firmware

KIND = {4: 0x0800, 6: 0x86dd}
IPV4, IPV6, GRE = 4, 41, 47
VXLAN = struct.pack(">II", 0x08000000, 100 << 8)
SEQ = 0xfffff000


def start(nic, mtu=1500):
    nic.boot().up(mtu=mtu)
    return TxQueue(nic)


def received(nic, count):
    frames = []
    for _ in range(count):
        frames.append(nic.wire.receive())
        assert frames[-1], f"{len(frames) - 1} frames came, expected {count}"
    return frames


def open_ip(packet, ident=None):
    """(protocol, content) of an IP packet that fills its frame, but for padding."""
    total = struct.unpack_from(">H", packet, 2)[0] if packet[0] >> 4 == 4 else \
        40 + struct.unpack_from(">H", packet, 4)[0]
    assert total == len(packet) or total < len(packet) == 46, "IP length"
    packet = packet[:total]
    if packet[0] >> 4 == 6:
        size, proto = 40, packet[6]
        while proto == 60:
            proto, size = packet[size], size + 8 * (packet[size + 1] + 1)
        return proto, packet[size:]
    assert checksum(packet[:20]) == 0, "IPv4 checksum"
    if ident is not None:
        assert struct.unpack_from(">H", packet, 4)[0] == ident & 0xffff, "identification"
    return packet[9], packet[20:]


def open_udp(version, datagram, summed=True):
    length, total = struct.unpack_from(">HH", datagram, 4)
    assert length == len(datagram), "UDP length"
    if summed:
        assert total, "no checksum"
        assert checksum(pseudo(version, UDP, length) + datagram) == 0, "UDP checksum"
    else:
        assert total == 0, "a checksum"
    return datagram[8:]


# UDP

def datagram(version, size):
    return ethernet(KIND[version], ip(version, UDP, udp(version, payload(size))))


def cut_udp(nic, tx, version, size, mss, **more):
    hdr_len = 14 + (20 if version == 4 else 40) + 8
    flags = ABI.TXO_TSO | (ABI.TXO_VLAN if more else 0)
    tx.send_ok(datagram(version, size), flags, pieces=3, mss=mss, hdr_len=hdr_len, **more)
    data = b""
    for n, frame in enumerate(received(nic, -(-size // mss))):
        if more:
            assert frame[12:16] == struct.pack(">HH", 0x8100, more["vlan_tci"])
            frame = frame[:12] + frame[16:]
        proto, content = open_ip(frame[14:], 7 + n)
        assert proto == UDP
        part = open_udp(version, content)
        assert len(part) == min(mss, size - len(data))
        data += part
    assert data == payload(size)


@case()
def datagrams(nic):
    tx = start(nic)
    for version in (4, 6):
        for size, mss in ((1400, 1400), (1401, 1400), (14500, 1400), (60000, 1001), (90, 40)):
            cut_udp(nic, tx, version, size, mss)
    cut_udp(nic, tx, 4, 5000, 1000, vlan_tci=0x123)
    assert nic.stats()["TX_TSO_PACKETS"] == 11


@case()
def datagrams_that_are_refused(nic):
    tx = start(nic)
    frame = datagram(4, 3000)
    good = {"flags": ABI.TXO_TSO, "hdr_len": 42, "mss": 1000}
    piece = frame[:20] + b"\x20\0" + frame[22:]
    other = frame[:23] + b"\x84" + frame[24:]
    for packet, members in ((frame, good | {"mss": 0}), (frame, good | {"hdr_len": 54}),
                            (piece, good), (other, good)):
        tx.refused("TX_OFFLOAD", packet, **members)
    tx.refused("TX_LENGTH", frame, **good | {"mss": 1481})
    tx.refused("TLS_NOT_TCP", frame, **good | {"flags": ABI.TXO_TSO | ABI.TXO_TLS})
    cut_udp(nic, tx, 4, 3000, 1000)


# Tunnels

def inner_packet(version, size, **members):
    return ip(version, TCP, tcp(version, payload(size), seq=SEQ, whole=False, **members))


def outer_udp(version, content, summed):
    """A UDP header as a stack leaves it: the pseudo header's sum, or zero."""
    total = checksum(pseudo(version, UDP, 8 + len(content))) ^ 0xffff if summed else 0
    return struct.pack(">HHHH", 40000, 4789, 8 + len(content), total) + content


def tunnel(kind, outer, packet):
    """A frame of that tunnel, and where the packet is in it."""
    version = packet[0] >> 4
    if kind == "ip":
        proto, content = IPV4 if version == 4 else IPV6, packet
    elif kind == "gre":
        proto, content = GRE, struct.pack(">HHI", 0x2000, KIND[version], 77) + packet
    elif kind == "gretap":
        proto, content = GRE, struct.pack(">HH", 0, 0x6558) + ethernet(KIND[version], packet)
    else:
        content = VXLAN + ethernet(KIND[version], packet)
        proto, content = UDP, outer_udp(outer, content, kind == "vxlan-csum")
    frame = ethernet(KIND[outer], ip(outer, proto, content))
    return frame, len(frame) - len(packet)


def open_tunnel(kind, outer, frame, n):
    """The frame's inner packet, as a frame; everything around it is right."""
    proto, content = open_ip(frame[14:], 7 + n)
    if kind == "ip":
        assert proto in (IPV4, IPV6)
    elif kind.startswith("gre"):
        assert proto == GRE
        content = content[8:] if kind == "gre" else content[4 + 14:]
    else:
        assert proto == UDP
        content = open_udp(outer, content, kind == "vxlan-csum")
        assert content[:8] == VXLAN
        content = content[8 + 14:]
    return ethernet(KIND[content[0] >> 4], content)


KINDS = ("ip", "gre", "gretap", "vxlan", "vxlan-csum")


def cut(nic, tx, kind, outer, version, size=5000, mss=1000, vlan=None, **members):
    frame, inner = tunnel(kind, outer, inner_packet(version, size, **members))
    flags, more = ABI.TXO_TSO, {}
    if vlan is not None:
        flags, more = flags | ABI.TXO_VLAN, {"vlan_tci": vlan}
    tx.send_ok(frame, flags, pieces=3, mss=mss, hdr_len=len(frame) - size, inner=inner, **more)
    segments = []
    for n, got in enumerate(received(nic, -(-size // mss))):
        if vlan is not None:
            assert got[12:16] == struct.pack(">HH", 0x8100, vlan)
            got = got[:12] + got[16:]
        segments.append(Segment(open_tunnel(kind, outer, got, n)))
        assert segments[-1].seq == SEQ + n * mss & 0xffffffff
        assert version == 6 or segments[-1].ident == 7 + n
    assert b"".join(s.data for s in segments) == payload(size)
    return segments


@case()
def tunnels(nic):
    tx = start(nic)
    for kind in KINDS:
        for outer in (4, 6):
            for version in (4, 6):
                cut(nic, tx, kind, outer, version)
    for size in (1, 999, 1000, 1001, 60001):
        cut(nic, tx, "vxlan-csum", 4, 6, size, mss=999)
    cut(nic, tx, "vxlan-csum", 6, 4, vlan=77)
    flags = [s.flags for s in cut(nic, tx, "gre", 4, 4, 3000, flags=ACK | FIN | PSH | CWR)]
    assert flags == [ACK | CWR, ACK, ACK | FIN | PSH]


@case()
def tunnels_behind_options(nic):
    """Options and extension headers of the outer header are repeated."""
    tx = start(nic)
    packet = inner_packet(4, 3000)
    limit = bytes([IPV4, 0, 4, 1, 4, 1, 0, 0])
    frame = ethernet(KIND[6], struct.pack(">IHBB", 6 << 28, 8 + len(packet), 60, 64) +
                     b"".join(V6) + limit + packet)
    inner = len(frame) - len(packet)
    tx.send_ok(frame, ABI.TXO_TSO, mss=1000, hdr_len=len(frame) - 3000, inner=inner)
    for got in received(nic, 3):
        proto, content = open_ip(got[14:])
        assert (proto, got[54:62]) == (IPV4, limit)
        Segment(ethernet(KIND[4], content))


@case()
def tunnels_that_are_refused(nic):
    tx = start(nic)

    def refused(frame, inner, why="TX_OFFLOAD", hdr_len=None, flags=0, mss=1000):
        tx.refused(why, frame, ABI.TXO_TSO | flags, mss=mss, inner=inner,
                   hdr_len=hdr_len or len(frame) - 3000)

    packet = inner_packet(4, 3000)
    for kind in KINDS:
        frame, inner = tunnel(kind, 4, packet)
        for wrong in (1, 14, inner - 1, inner + 1, inner + 20, 255):
            refused(frame, wrong)
        refused(frame, 0)
        refused(frame, inner, hdr_len=len(frame) - 2999)
        refused(frame, inner, mss=0)
        refused(frame[:20] + b"\x20\0" + frame[22:], inner)       # a fragment
        refused(frame[:23] + b"\x32" + frame[24:], inner)          # ESP
        refused(frame, inner, "TX_LENGTH", mss=1481)
        refused(frame, inner, "TX_DESC", flags=ABI.TXO_TLS)
    frame, inner = tunnel("gre", 4, packet)
    for bit in (0x80, 0x10):        # checksum, sequence number
        refused(frame[:34] + bytes([frame[34] | bit]) + frame[35:], inner)
    udp_inside = ip(4, UDP, udp(4, payload(3000)))
    frame, inner = tunnel("ip", 4, udp_inside)
    refused(frame, inner)
    cut(nic, tx, "vxlan", 4, 4)


@case()
def any_place_of_the_inner_header(nic):
    """Whatever the host says: a packet leaves whole, or is refused."""
    tx = start(nic)
    for kind in KINDS:
        frame, right = tunnel(kind, 4, inner_packet(6, 100))
        for inner in range(1, 256):
            cpl = tx.send(frame, ABI.TXO_TSO, mss=50, hdr_len=len(frame) - 100, inner=inner)
            assert (cpl["status"] == ABI.ST_OK) == (inner == right), inner
        received(nic, 2)


@case()
def a_plain_packet_is_no_tunnel(nic):
    """Neither TLS nor TCP at the outer header is taken for a tunnel."""
    tx = start(nic)
    frame, _, hdr_len = tcp_frame(4, payload(2000))
    for inner in (14, 34, 54):
        tx.refused("TX_OFFLOAD", frame, ABI.TXO_TSO, mss=500, hdr_len=hdr_len, inner=inner)
    tx.refused("TX_DESC", frame, ABI.TXO_TSO | ABI.TXO_TLS, mss=500, hdr_len=hdr_len, inner=14)
    tx.refused("TX_DESC", frame, ABI.TXO_CSUM | ABI.TXO_TLS, csum_start=34, csum_offset=16,
               hdr_len=hdr_len, inner=14)
    tx.send_ok(frame[:1000], ABI.TXO_VLAN, vlan_tci=1, inner=9)      # no TSO: ignored
    assert len(nic.wire.receive()) == 1004


@case()
def older_firmware_cuts_neither(nic):
    nic.firmware = firmware(8)
    tx = start(nic)
    features = unpack("caps", nic.command("CAPS"))["features"]
    assert not features & (ABI.CAP_USO | ABI.CAP_TSO_TUNNEL)
    tx.refused("TX_OFFLOAD", datagram(4, 3000), ABI.TXO_TSO, hdr_len=42, mss=1000)
    frame, inner = tunnel("ip", 4, inner_packet(4, 3000))
    tx.refused("TX_DESC", frame, ABI.TXO_TSO, mss=1000, hdr_len=len(frame) - 3000, inner=inner)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
