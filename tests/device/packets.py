# SPDX-License-Identifier: GPL-2.0-only
"""Packets are made and taken apart here, without the device's code."""

import ipaddress
import struct

from nic import MAC, PEER

TCP, UDP = 6, 17
FIN, PSH, ACK, CWR = 1, 8, 16, 128
V4 = ipaddress.ip_address("192.0.2.1").packed, ipaddress.ip_address("192.0.2.2").packed
V6 = (ipaddress.ip_address("2001:db8::1").packed,
      ipaddress.ip_address("2001:db8::2").packed)
HOP_BY_HOP = bytes([0, 0, 1, 4, 0, 0, 0, 0])


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def payload(size, seed=1):
    """SIZE bytes in which no part repeats."""
    return bytes((seed + i * 7 + (i >> 8) * 13) & 0xff for i in range(size))


def ethernet(kind, data, dst=PEER, src=MAC, tags=b""):
    return dst + src + tags + struct.pack(">H", kind) + data


def pseudo(version, proto, length):
    src, dst = V4 if version == 4 else V6
    if version == 4:
        return src + dst + struct.pack(">HH", proto, length)
    return src + dst + struct.pack(">II", length, proto)


def ip(version, proto, data, options=b"", fragment=0, ident=7):
    """An IP packet. OPTIONS are IPv4 options, or a chain of IPv6 extension headers that
    begins with a hop-by-hop header."""
    if version == 6:
        first = 0 if options else proto
        options = options[:0] + bytes([proto]) + options[1:] if options else b""
        return struct.pack(">IHBB", 6 << 28, len(options) + len(data), first,
                           64) + b"".join(V6) + options + data
    head = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, 0,
                       20 + len(options) + len(data), ident, fragment, 64, proto,
                       0) + b"".join(V4) + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + data


def tcp(version, data, seq=1000, flags=ACK, options=b"", ports=(443, 50000),
        whole=True):
    """A TCP segment. With WHOLE its checksum is right; otherwise it is the sum of the
    pseudo header, as a stack leaves it for the NIC."""
    head = struct.pack(">HHIIBBHHH", *ports, seq, 2000, (5 + len(options) // 4) << 4,
                       flags, 512, 0, 0) + options
    fake = pseudo(version, TCP, len(head) + len(data))
    total = checksum(fake + head + data) if whole else checksum(fake) ^ 0xffff
    return head[:16] + struct.pack(">H", total) + head[18:] + data


def udp(version, data, ports=(53, 50000)):
    head = struct.pack(">HHHH", *ports, 8 + len(data), 0)
    total = checksum(pseudo(version, UDP, len(head + data)) + head + data)
    return head[:6] + struct.pack(">H", total or 0xffff) + data


def tcp_frame(version, data, ip_options=b"", **members):
    """(whole frame, end of the IP header, end of the TCP header)."""
    segment = tcp(version, data, **members)
    frame = ethernet(0x0800 if version == 4 else 0x86dd,
                     ip(version, TCP, segment, ip_options))
    l4 = len(frame) - len(segment)
    return frame, l4, len(frame) - len(data)


class Segment:
    """A TCP frame from the wire, in which everything has been verified."""

    def __init__(self, frame):
        self.frame, at = frame, 12
        self.tci = None
        if frame[at:at + 2] == b"\x81\0":
            self.tci, = struct.unpack_from(">H", frame, at + 2)
            at += 4
        kind, = struct.unpack_from(">H", frame, at)
        self.ip = frame[at + 2:]
        if kind == 0x0800:
            self.segment = self.open_ipv4()
        else:
            assert kind == 0x86dd, hex(kind)
            self.segment = self.open_ipv6()
        tcp_len = (self.segment[12] >> 4) * 4
        self.seq, = struct.unpack_from(">I", self.segment, 4)
        self.flags = self.segment[13]
        self.options = self.segment[20:tcp_len]
        self.data = self.segment[tcp_len:]

    def open_ipv4(self):
        size = (self.ip[0] & 15) * 4
        total, self.ident = struct.unpack_from(">HH", self.ip, 2)
        assert checksum(self.ip[:size]) == 0, "IPv4 checksum"
        self.padded(total)
        self.verify(4, self.ip[size:total])
        return self.ip[size:total]

    def open_ipv6(self):
        total = 40 + struct.unpack_from(">H", self.ip, 4)[0]
        size, kind = 40, self.ip[6]
        while kind != TCP:
            kind, size = self.ip[size], size + 8 * (self.ip[size + 1] + 1)
        self.padded(total)
        self.verify(6, self.ip[size:total])
        return self.ip[size:total]

    def padded(self, total):
        assert total <= len(self.ip), "IP packet is longer than its frame"
        assert len(self.frame) == 60 or total == len(self.ip), "bytes after the packet"

    def verify(self, version, segment):
        assert checksum(pseudo(version, TCP, len(segment)) + segment) == 0, \
            "TCP checksum"


def receive_tcp(nic, count=1):
    """Receive exactly COUNT TCP frames from the wire."""
    segments = []
    for _ in range(count):
        frame = nic.wire.receive()
        assert frame, f"{len(segments)} frames came, expected {count}"
        segments.append(Segment(frame))
    return segments
