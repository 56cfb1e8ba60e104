#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a reader gets, when, and how: records that were sealed without the
kernel's TLS, in segments of any shape, into buffers of any shape.
"""
import errno
import os
import pathlib
import select
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import ktls  # noqa: E402

VERSIONS = {"1.2": ktls.TLS12, "1.3": ktls.TLS13}


def reader(version, cipher="aes-128-gcm", rcvbuf=0):
    """(raw peer, kernel TLS reader, the peer's key)."""
    key = ktls.Key(cipher, version)
    raw, tls = ktls.tcp_pair()
    ktap.defer(raw.close)
    ktap.defer(tls.close)
    if rcvbuf:
        tls.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    ktls.attach(tls, rx=key.clone())
    tls.settimeout(20)
    return raw, tls, key


def recv_all(tls, size):
    """Exactly that many bytes, or fewer at the end."""
    data = b""
    while len(data) < size:
        more = tls.recv(min(size - len(data), 1 << 16))
        if not more:
            break
        data += more
    return data


def byte_by_byte(version):
    """Segments of one byte each; poll tells of whole records alone."""
    raw, tls, key = reader(version)
    record = key.seal(b"slowly")
    for i, byte in enumerate(record):
        ktap.equal(select.select([tls], [], [], 0)[0], [], f"readable at {i}")
        raw.send(bytes([byte]))
    ktap.equal(bool(select.select([tls], [], [], 10)[0]), True, "readable")
    ktap.equal(tls.recv(100), b"slowly", "payload")


def small_buffer(version):
    """A receive buffer that cannot hold one record."""
    before = ktls.tls_stat()["TlsRxCopy"]
    raw, tls, key = reader(version, rcvbuf=2304)
    data = os.urandom(10 * ktls.MAX_PLAIN)
    wire = b"".join(key.seal(data[i:i + ktls.MAX_PLAIN])
                    for i in range(0, len(data), ktls.MAX_PLAIN))
    thread = threading.Thread(target=raw.sendall, args=(wire,))
    thread.start()
    # nobody reads: the record has to become whole all the same
    ktap.equal(bool(select.select([tls], [], [], 20)[0]), True, "readable")
    ktap.equal(recv_all(tls, len(data)), data, "payload")
    thread.join()
    ktap.equal(ktls.tls_stat()["TlsRxCopy"] > before, True, "copied records")


def odd_reads(version):
    """Reads that end in, at and behind the ends of records."""
    raw, tls, key = reader(version)
    data = os.urandom(40000)
    raw.sendall(b"".join(key.seal(data[i:i + 997])
                         for i in range(0, len(data), 997)))
    got, size = b"", 1
    while len(got) < len(data):
        got += tls.recv(size)
        size = size * 3 % 5003
    ktap.equal(got, data, "payload")


def scattered(version):
    """Buffers of one byte up to more than a page, in one call."""
    raw, tls, key = reader(version)
    data = os.urandom(ktls.MAX_PLAIN)
    raw.sendall(key.seal(data))
    buffers = [bytearray(n) for n in (1, 2, 4095, 4096, 4097, 100, 8000)]
    count = tls.recvmsg_into(buffers, 0, socket.MSG_WAITALL)[0]
    ktap.equal(b"".join(bytes(b) for b in buffers)[:count], data, "payload")
    ktap.equal(count, ktls.MAX_PLAIN, "length")


def many_small_buffers(version):
    """More buffers than fit a scatterlist kept ready."""
    raw, tls, key = reader(version)
    data = os.urandom(8000)
    raw.sendall(key.seal(data))
    buffers = [bytearray(16) for _ in range(500)]
    ktap.equal(tls.recvmsg_into(buffers)[0], 8000, "length")
    ktap.equal(b"".join(bytes(b) for b in buffers), data, "payload")


def empty_records(version):
    """They are not the end of the stream, nor data."""
    raw, tls, key = reader(version)
    raw.sendall(b"".join(key.seal(b"") for _ in range(50)) + key.seal(b"x"))
    ktap.equal(tls.recv(10), b"x", "payload")
    raw.sendall(key.seal(b""))
    tls.settimeout(0.2)
    try:
        raise AssertionError(f"recv returned {tls.recv(10)!r}")
    except TimeoutError:
        pass


def end_of_record(version):
    """MSG_EOR says that a read ended where a record did."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(b"12345"))
    ktap.equal(tls.recvmsg(3)[2] & socket.MSG_EOR, 0, "in the middle")
    ktap.equal(bool(tls.recvmsg(3)[2] & socket.MSG_EOR), True, "at the end")


def types_apart(version):
    """One call returns content of one type."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(b"data") + key.seal(b"\1\0", ktls.ALERT) +
                key.seal(b"more"))
    ktap.equal(ktls.recv_record(tls), (ktls.DATA, b"data"), "first")
    ktap.fails(errno.EIO, tls.recv, 10)
    ktap.equal(ktls.recv_record(tls, 10, socket.MSG_PEEK),
               (ktls.ALERT, b"\1\0"), "peeked")
    ktap.equal(ktls.recv_record(tls), (ktls.ALERT, b"\1\0"), "second")
    ktap.equal(ktls.recv_record(tls), (ktls.DATA, b"more"), "third")


def padded(version):
    """Padding of TLS 1.3, up to a whole record of it."""
    if version != ktls.TLS13:
        return
    for no_pad in (0, 1):
        raw, tls, key = reader(version)
        tls.setsockopt(ktls.SOL_TLS, ktls.TLS_RX_EXPECT_NO_PAD, no_pad)
        for pad in (1, 15, 127, 128, 129, 5000):
            raw.sendall(key.seal(b"abc", pad=pad))
            ktap.equal(tls.recv(ktls.MAX_PLAIN), b"abc", f"padded by {pad}")
        raw.sendall(key.seal(os.urandom(10) + b"\0" * 10, pad=3))
        ktap.equal(tls.recv(99)[10:], b"\0" * 10, "zeroes of the payload")


def two_readers(version):
    """Readers share a stream without loss and without duplicates."""
    raw, tls, key = reader(version)
    total, got = 3000, []

    def read():
        while True:
            data = tls.recv(4)
            if not data:
                return
            got.append(data)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    raw.sendall(b"".join(key.seal(i.to_bytes(4, "big"))
                         for i in range(total)))
    raw.shutdown(socket.SHUT_WR)
    for thread in threads:
        thread.join()
    ktap.equal(sorted(got), [i.to_bytes(4, "big") for i in range(total)],
               "records")


def nonblocking_beside_blocked(version):
    """A reader that will not wait is not held up by one that does."""
    raw, tls, key = reader(version)
    tls.settimeout(None)
    thread = threading.Thread(target=tls.recv, args=(1,))
    thread.start()
    time.sleep(0.2)
    start = time.monotonic()
    ktap.fails(errno.EAGAIN, tls.recv, 1, socket.MSG_DONTWAIT)
    ktap.equal(time.monotonic() - start < 5, True, "did not wait")
    raw.sendall(key.seal(b"x"))
    thread.join()


def live_state(version):
    """getsockopt tells the number of the next record."""
    raw, tls, key = reader(version)
    for i in range(3):
        raw.sendall(key.seal(b"x"))
        ktap.equal(tls.recv(1), b"x", "payload")
        state = tls.getsockopt(ktls.SOL_TLS, ktls.TLS_RX, 40)
        ktap.equal(state[-8:], (i + 1).to_bytes(8, "big"), "number")


CASES = [byte_by_byte, small_buffer, odd_reads, scattered, many_small_buffers,
         empty_records, end_of_record, types_apart, padded, two_readers,
         nonblocking_beside_blocked, live_state]

for text, number in VERSIONS.items():
    for fn in CASES:
        ktap.add(f"{fn.__name__} {text}", fn, number)

if __name__ == "__main__":
    ktap.main()
