# SPDX-License-Identifier: GPL-2.0-only
"""The other end of a TCP connection, segment by segment: a peer behind a TUN device that
sends the segments that a test gives it, in any order and any number of times.

The peer has no retransmission and ignores windows: a test must not send more than fits.
"""
import fcntl
import os
import select
import socket
import struct
import subprocess
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
NEAR, FAR = "198.51.100.1", "198.51.100.2"
MASK = 0xffffffff
WINDOW = 65000


def checksum(data):
    """The Internet checksum of any number of bytes."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Tun:
    """The TUN device, one for all connections of a test."""

    def __init__(self, name="raw0"):
        subprocess.run(["modprobe", "tun"], check=True)
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.fd, TUNSETIFF,
                    struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        for words in (f"addr add {NEAR} peer {FAR} dev {name}",
                      f"link set {name} up"):
            subprocess.run(["ip", *words.split()], check=True)
        self.number = 0

    def connect(self, rcvbuf=0):
        """(the kernel's socket, its peer)."""
        self.number += 1
        near = socket.socket()
        if rcvbuf:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        near.bind((NEAR, 0))
        near.setblocking(False)
        near.connect_ex((FAR, 1000 + self.number))
        peer = Peer(self.fd, near.getsockname()[1], 1000 + self.number)
        peer.accept()
        near.setblocking(True)
        return near, peer


class Peer:
    """One connection. Offsets count the bytes of the stream that the peer sends, from 0."""

    def __init__(self, fd, near, far):
        self.fd, self.ports = fd, (far, near)
        self.first = int.from_bytes(os.urandom(4), "big")
        self.seen = 0       # next sequence number of the kernel's side
        self.acked = 0      # bytes of the peer's stream that the kernel has acknowledged
        self.reset = False  # the kernel's side has reset the connection

    def packet(self, offset, data, flags):
        """IPv4 and TCP headers for a segment that begins at offset."""
        src, dst = (socket.inet_aton(name) for name in (FAR, NEAR))
        tcp = struct.pack(">HHIIBBHHH", *self.ports, (self.first + 1 + offset) & MASK,
                          self.seen, 5 << 4, flags, WINDOW, 0, 0)
        pseudo = src + dst + struct.pack(">HH", 6, len(tcp) + len(data))
        tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp + data)) + tcp[18:]
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp) + len(data), 0, 0,
                           64, 6, 0, src, dst)
        head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
        return head + tcp + data

    def send(self, offset, data=b"", flags=ACK):
        os.write(self.fd, self.packet(offset, data, flags))

    def accept(self):
        """Answer the kernel's SYN."""
        while not self.look(5) & SYN:
            pass
        self.send(-1, flags=SYN | ACK)
        while not self.look(5) & ACK:
            pass

    def look(self, timeout=0):
        """Take one packet of this connection. Returns its TCP flags, 0 if there is none."""
        end = time.monotonic() + timeout
        while select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
            packet = os.read(self.fd, 1 << 16)
            at = (packet[0] & 15) * 4
            if packet[0] >> 4 == 4 and packet[9] == 6 and struct.unpack_from(
                    ">HH", packet, at) == self.ports[::-1]:
                return self.note(packet, at)
        if timeout:
            raise AssertionError("the kernel sent nothing")
        return 0

    def note(self, packet, at):
        seq, ack, size, flags = struct.unpack_from(">IIBB", packet, at + 4)
        length = len(packet) - at - (size >> 4) * 4 + bool(flags & (SYN | FIN))
        if length:
            self.seen = (seq + length) & MASK
        if flags & ACK:
            self.acked = (ack - self.first - 1) & MASK
        self.reset = self.reset or bool(flags & RST)
        return flags

    def wait_for_ack(self, offset):
        """Wait until the kernel acknowledges OFFSET bytes; it may delay that for further
        segments."""
        while self.acked < offset:
            self.look(5)

    def drain(self):
        """Take all packets that are there."""
        while self.look():
            pass
