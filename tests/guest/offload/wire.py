#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run on the host after a guest: check its bytes on the wire.

wire.py CAPTURE                      no plaintext, retransmissions equal
wire.py CAPTURE KEYS DIGESTS         tshark decrypts it with the sessions' keys,
                                     and the files in it have these digests

The capture also holds one message that was sent in the clear on purpose. If the search
does not find it, the search itself is broken.
"""
import array
import hashlib
import mmap
import os
import struct
import subprocess
import sys
import tempfile

MARK = b"VKTLSPLAIN"
CONTROL = b"VKTLSCONTROL"
ETH_IPV4, ETH_IPV6, ETH_VLAN, TCP = 0x0800, 0x86dd, 0x8100, 6
SYN = 2


def frames(data):
    """The frames of a little-endian pcap file."""
    at = 24
    while at + 16 <= len(data):
        _, _, length, _ = struct.unpack_from("<IIII", data, at)
        yield data[at + 16:at + 16 + length]
        at += 16 + length


def network(frame):
    """(offset of the TCP header, end of the packet, addresses), or None if the frame holds
    no whole TCP segment; no_plaintext() checks fragments."""
    kind, at = struct.unpack_from(">H", frame, 12)[0], 14
    if kind == ETH_VLAN:
        kind, at = struct.unpack_from(">H", frame, 16)[0], 18
    if kind == ETH_IPV4 and frame[at + 9] == TCP:
        if struct.unpack_from(">H", frame, at + 6)[0] & 0x3fff:
            return None
        end = at + struct.unpack_from(">H", frame, at + 2)[0]
        return at + (frame[at] & 15) * 4, end, frame[at + 12:at + 20]
    if kind == ETH_IPV6 and frame[at + 6] == TCP:
        end = at + 40 + struct.unpack_from(">H", frame, at + 4)[0]
        return at + 40, end, frame[at + 8:at + 40]
    return None


class Stream:
    """One direction of one connection: the first copy of each byte."""

    def __init__(self, first):
        self.first, self.data, self.have = first, bytearray(), bytearray()

    def add(self, seq, payload):
        """Add a segment. Returns the number of its bytes that were seen before; raises if
        one of them differs."""
        at = (seq - self.first) & 0xffffffff
        if at > 1 << 31:
            return 0
        end = at + len(payload)
        if end > len(self.data):
            self.have.extend(bytes(end - len(self.data)))
            self.data.extend(bytes(end - len(self.data)))
        again = 0
        if any(self.have[at:end]):
            for i, byte in enumerate(payload, at):
                if self.have[i]:
                    again += 1
                    if self.data[i] != byte:
                        raise AssertionError(
                            f"byte {i} was sent as {self.data[i]:#x} and "
                            f"again as {byte:#x}")
        self.data[at:end] = payload
        self.have[at:end] = b"\1" * len(payload)
        return again


def intact(frame, tcp, end, addresses):
    """Is the TCP checksum right? A bad wire changes bits."""
    segment = frame[tcp:end]
    words = array.array("H", segment + bytes(len(segment) & 1) + addresses +
                        struct.pack(">HH", TCP, len(segment)))
    return sum(words) % 0xffff == 0


def walk(data):
    """Follow all TCP streams of a capture: (bytes, bytes sent again, frames left out)."""
    streams, total, again, out = {}, 0, 0, 0
    for frame in frames(data):
        place = network(frame)
        if not place:
            continue
        tcp, end, addresses = place
        if not intact(frame, tcp, end, addresses):
            out += 1
            continue
        ports, seq, flags = struct.unpack_from(">4sI5xB", frame, tcp)
        key = addresses + ports
        if flags & SYN:
            streams[key] = Stream((seq + 1) & 0xffffffff)
            continue
        payload = frame[tcp + (frame[tcp + 12] >> 4) * 4:end]
        if payload and key in streams:
            total += len(payload)
            again += streams[key].add(seq, payload)
    return total, again, out


def no_plaintext(data):
    """The capture has the control message, and nowhere the marker of the test data."""
    if data.find(CONTROL) < 0:
        raise AssertionError("the control message is not in the capture")
    at = data.find(MARK)
    if at >= 0:
        raise AssertionError(f"plaintext at offset {at} of the capture")


def retransmissions_equal(data):
    """All copies of a byte are equal, no matter if the NIC or software encrypted them."""
    total, again, out = walk(data)
    print(f"# {total} bytes of TCP payload, {again} of them sent again; "
          f"{out} frames have a wrong checksum")
    if not total:
        raise AssertionError("no TCP payload in the capture")
    if out * 100 > total / 1000:
        raise AssertionError("too many wrong checksums for a bad wire")


def decrypts(capture, keys, digests):
    """With the sessions' keys, tshark decrypts the capture to exactly our files."""
    with open(digests, encoding="ascii") as file:
        wanted = set(file.read().split())
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(["tshark", "-r", capture, "-q", "-o",
                        f"tls.keylog_file:{keys}", "-d", "tcp.port==443,tls",
                        "-d", "tcp.port==4433,tls", "--export-objects",
                        f"http,{out}"], check=True, capture_output=True)
        got = []
        for name in os.listdir(out):
            with open(os.path.join(out, name), "rb") as file:
                content = file.read()
            got.append(hashlib.sha256(content).hexdigest())
    print(f"# tshark opened {len(got)} files")
    if not got:
        raise AssertionError("tshark opened no file")
    strange = [digest for digest in got if digest not in wanted]
    missing = wanted - set(got)
    if strange or missing:
        raise AssertionError(f"{len(strange)} of {len(got)} files differ, "
                             f"{len(missing)} are missing")


def main():
    """Print one KTAP line per check."""
    with open(sys.argv[1], "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    checks = [("no_plaintext", no_plaintext, (data,)),
              ("retransmissions_equal", retransmissions_equal, (data,))]
    if len(sys.argv) > 2:
        checks.append(("decrypted_by_tshark", decrypts, sys.argv[1:4]))
    print(f"TAP version 14\n1..{len(checks)}")
    failed = 0
    for number, (name, check, args) in enumerate(checks, 1):
        try:
            check(*args)
            print(f"ok {number} {name}", flush=True)
        except (AssertionError, subprocess.CalledProcessError) as err:
            failed += 1
            print(f"# {err}\nnot ok {number} {name}", flush=True)
    sys.exit(1 if failed else 0)


main()
