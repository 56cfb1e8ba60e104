#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS records in TCP segments that overlap, repeat, come in any order, or end the
connection in the middle of a record. A later copy of a byte that TCP already has is
different: code that reads the later copy gets a record that is not authentic. A plain TCP
socket gets the same segments first, to prove that they make the stream."""
import errno
import os
import random
import socket
import struct
import subprocess

import ktap
import ktls
import rawtcp

VERSIONS = {"1.2": ktls.TLS12, "1.3": ktls.TLS13}
SIZES = (1, 100, 1400, 16384, 0, 5000, 17, 3000)
SEGMENT = 1400
MODES = ("read at the end", "read at once", "small buffer")


def cut(stream, step=SEGMENT):
    """The segments in order: [(offset, bytes)]."""
    return [(at, stream[at:at + step]) for at in range(0, len(stream), step)]


def noise(size):
    return os.urandom(size)


def in_order(stream, _dice):
    return cut(stream)


def backwards(stream, _dice):
    return cut(stream)[::-1]


def shuffled(stream, dice):
    segments = cut(stream, 700)
    dice.shuffle(segments)
    return segments


def repeated(stream, _dice):
    """Each segment comes a second time with other bytes, which TCP must ignore."""
    return [segment for at, data in cut(stream)
            for segment in ((at, data), (at, noise(len(data))))]


def overlapping_what_came(stream, dice):
    """Each segment begins within an earlier one, and is noise up to the bytes that are new."""
    out = []
    for at, data in cut(stream, 900):
        back = dice.choice((1, 4, 5, 13, 300, 899, 901, 2500))
        back = min(at, back)
        out.append((at - back, noise(back) + data))
    return out


def overlapping_what_waits(stream, dice):
    """Every second segment comes first, and its beginning is noise. The segments that fill
    the gaps come later and reach into those beginnings, so that TCP's stream has the right
    bytes where the noise lies."""
    segments = cut(stream, 600)
    early, late = [], []
    for number, (at, data) in enumerate(segments):
        if number % 2 and number + 1 < len(segments):
            head = dice.choice((1, 5, 16, 200))
            early.append((at, noise(head) + data[head:]))
            late[-1] = (late[-1][0], late[-1][1] + data[:head])
        else:
            late.append((at, data))
    dice.shuffle(early)
    return early + late


def covering(stream, dice):
    """Large segments cover smaller ones that arrived before and wait behind a gap."""
    segments = cut(stream, 500)
    holes = [segment for number, segment in enumerate(segments) if number % 3]
    dice.shuffle(holes)
    return holes + cut(stream, 1450)


def in_crumbs(stream, dice):
    """Segments of one to seven bytes, some bytes of them twice."""
    out, at = [], 0
    for _ in range(400):
        size = dice.randint(1, 7)
        back = min(at, dice.randint(0, 3))
        out.append((at - back, noise(back) + stream[at:at + size]))
        at += size
    return out + [(at + more, data) for more, data in cut(stream[at:])]


PATTERNS = [in_order, backwards, shuffled, repeated, overlapping_what_came,
            overlapping_what_waits, covering, in_crumbs]
tun = rawtcp.Tun()


def connect(rcvbuf=0):
    near, peer = tun.connect(rcvbuf)
    ktap.defer(near.close)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10, 0))
    return near, peer


def read_some(near, out):
    """Read the data that is there now, without waiting."""
    try:
        while data := near.recv(1 << 16, socket.MSG_DONTWAIT):
            out += data
    except BlockingIOError:
        pass


def send_rest(near, peer, stream, out):
    """Send the data that did not fit into the window, again until it is acknowledged."""
    while peer.acked < len(stream):
        before = peer.acked
        peer.send(before, stream[before:before + SEGMENT])
        while peer.acked == before and peer.look(0.2):
            pass
        read_some(near, out)


def deliver(near, peer, segments, mode, size, stream):
    """Send the segments. Returns the data that NEAR reads, either all along or at the end."""
    got = bytearray()
    for at, data in segments:
        peer.send(at, data)
        peer.drain()
        if mode != "read at the end":
            read_some(near, got)
    if mode == "small buffer":
        send_rest(near, peer, stream, got)
    while len(got) < size and (data := near.recv(1 << 16)):
        got += data
    peer.wait_for_ack(len(stream))
    return bytes(got)


def pattern(version, make, mode):
    """One pattern of segments, with three seeds: the data is right. In the mode "small
    buffer", the receive buffer is smaller than a large record."""
    rcvbuf = 4096 if mode == "small buffer" else 0
    copied = ktls.tls_stat()["TlsRxCopy"]
    for seed in range(3):
        key = ktls.Key(version=version)
        parts = [os.urandom(size) for size in SIZES]
        stream, want = b"".join(map(key.seal, parts)), b"".join(parts)
        segments = make(stream, random.Random(seed))
        near, peer = connect(rcvbuf)
        ktap.equal(deliver(near, peer, segments, mode, len(stream), stream), stream,
                   f"plain TCP, seed {seed}")
        near, peer = connect(rcvbuf)
        ktls.attach(near, rx=key.clone())
        ktap.equal(deliver(near, peer, segments, mode, len(want), stream), want,
                   f"seed {seed}")
    if rcvbuf and ktls.tls_stat()["TlsRxCopy"] == copied:
        raise AssertionError("no record was copied out of TCP's queue")


def two_records(version):
    """(TLS socket, its peer, length of the first record, both records)."""
    key = ktls.Key(version=version)
    near, peer = connect()
    ktls.attach(near, rx=key.clone())
    first = key.seal(b"whole")
    return near, peer, len(first), first + key.seal(b"cut" * 300)


def end_comes_first(version):
    """The FIN arrives before the data: all data is read before the end of the stream."""
    near, peer, _, stream = two_records(version)
    peer.send(len(stream), flags=rawtcp.FIN | rawtcp.ACK)
    for at, data in cut(stream, 100)[::-1]:
        peer.send(at, data)
    ktap.equal(near.recv(5), b"whole", "first record")
    ktap.equal(near.recv(1 << 16), b"cut" * 300, "second record")
    ktap.equal(near.recv(1 << 16), b"", "end")


def end_in_record(version):
    """The FIN comes within a record, at different places, in order or before the record's
    data: nothing of that record is read, then the stream ends."""
    for cut_at in (1, 4, 5, 6, 13, 20, 500):
        for overtakes in (False, True):
            near, peer, first, stream = two_records(version)
            end = first + cut_at
            steps = [(0, stream[:end - 1], rawtcp.ACK),
                     (end - 1, stream[end - 1:end], rawtcp.FIN | rawtcp.ACK)]
            for step in steps[::-1] if overtakes else steps:
                peer.send(*step)
            ktap.equal(near.recv(1 << 16), b"whole", f"cut at {cut_at}")
            ktap.equal(near.recv(1 << 16), b"", f"end at {cut_at}")


def reset_in_record(version):
    """A RST comes in the middle of a record: nothing of the record is read, then
    ECONNRESET."""
    for cut_at in (1, 5, 20, 500):
        near, peer, first, stream = two_records(version)
        peer.send(0, stream[:first + cut_at])
        ktap.equal(near.recv(1 << 16), b"whole", f"cut at {cut_at}")
        peer.send(first + cut_at, flags=rawtcp.RST | rawtcp.ACK)
        ktap.fails(errno.ECONNRESET, near.recv, 1 << 16)
        ktap.equal(near.recv(1 << 16), b"", f"after the error, {cut_at}")


def reset_while_blocked(version):
    """A whole record is unread when a RST comes: as with plain TCP, the read returns the
    record or fails with ECONNRESET, and does not hang."""
    near, peer, first, stream = two_records(version)
    peer.send(0, stream[:first])
    peer.send(first, flags=rawtcp.RST | rawtcp.ACK)
    try:
        ktap.equal(near.recv(1 << 16), b"whole", "what came before")
    except ConnectionResetError:
        pass


def garbage_in_the_gap(version):
    """A gap before a record is filled with bytes that are no header: only then the reads
    fail, and the data behind the gap is never read."""
    near, peer, first, stream = two_records(version)
    peer.send(first + 5, stream[first + 5:])
    peer.send(0, stream[:first])
    ktap.equal(near.recv(1 << 16), b"whole", "first record")
    ktap.fails(errno.EAGAIN, near.recv, 9, socket.MSG_DONTWAIT)
    peer.send(first, b"\xff" * 5)
    for _ in range(2):
        ktap.fails(errno.EMSGSIZE, near.recv, 1 << 16)


def into_scattered_memory(version):
    """A record in many segments is read by one call into buffers of odd lengths at odd
    places: the data is right, and memory beside the buffers stays. With a wrong tag, the
    read fails with EBADMSG."""
    key = ktls.Key(version=version)
    data = os.urandom(ktls.MAX_PLAIN)
    wrong = bytearray(key.clone().seal(data))
    wrong[-1] ^= 1
    for stream in (key.clone().seal(data), bytes(wrong)):
        near, peer = connect()
        ktls.attach(near, rx=key.clone())
        if version == ktls.TLS13:
            near.setsockopt(ktls.SOL_TLS, ktls.TLS_RX_EXPECT_NO_PAD, 1)
        for at, part in cut(stream, 601):
            peer.send(at, part)
            peer.drain()
        memory = memoryview(bytearray(40000))
        buffers, at = [], 13
        for size in (1, 15, 1000, 4097, 3, 8191, 20000):
            buffers.append(memory[at:at + size])
            at += size + 7
        if stream[-1] == wrong[-1]:
            ktap.fails(errno.EBADMSG, near.recvmsg_into, buffers)
            ktap.fails(errno.EBADMSG, near.recv, 9)
            continue
        ktap.equal(near.recvmsg_into(buffers)[0], ktls.MAX_PLAIN, "length")
        ktap.equal(b"".join(map(bytes, buffers))[:ktls.MAX_PLAIN], data, "payload")
        ktap.equal(bytes(memory[:13]) + bytes(memory[14:21]), bytes(20),
                   "what lies beside the buffers")


def main():
    subprocess.run(["modprobe", "tls"], check=True)
    for name, version in VERSIONS.items():
        for make in PATTERNS:
            for mode in MODES:
                ktap.add(f"{make.__name__}, {mode} {name}", pattern, version, make,
                         mode, timeout=90)
        for case in (end_comes_first, end_in_record, reset_in_record,
                     reset_while_blocked, garbage_in_the_gap,
                     into_scattered_memory):
            ktap.add(f"{case.__name__} {name}", case, version, timeout=60)
    ktap.main()


main()
