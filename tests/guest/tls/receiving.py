#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Reads of a TLS socket: result, time and form. The records were sealed without kernel TLS,
come in segments of any shape, and are read into buffers of any shape."""
import ctypes
import errno
import os
import select
import socket
import struct
import threading
import time

import ktap
import ktls

LIBC = ctypes.CDLL(None, use_errno=True)
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
    """Read SIZE bytes, or fewer at the end of the stream."""
    data = b""
    while len(data) < size:
        more = tls.recv(min(size - len(data), 1 << 16))
        if not more:
            break
        data += more
    return data


def byte_by_byte(version):
    """A record comes in segments of one byte: poll reports the socket readable only when
    the record is whole."""
    raw, tls, key = reader(version)
    record = key.seal(b"slowly")
    for i, byte in enumerate(record):
        ktap.equal(select.select([tls], [], [], 0)[0], [], f"readable at {i}")
        raw.send(bytes([byte]))
    ktap.equal(bool(select.select([tls], [], [], 10)[0]), True, "readable")
    ktap.equal(tls.recv(100), b"slowly", "payload")


def small_buffer(version):
    """A receive buffer that is smaller than a record: records become whole by copying, and
    all data is read."""
    before = ktls.tls_stat()["TlsRxCopy"]
    raw, tls, key = reader(version, rcvbuf=2304)
    data = os.urandom(10 * ktls.MAX_PLAIN)
    wire = b"".join(key.seal(data[i:i + ktls.MAX_PLAIN])
                    for i in range(0, len(data), ktls.MAX_PLAIN))
    thread = threading.Thread(target=raw.sendall, args=(wire,))
    thread.start()
    # without a read, the record must become whole all the same
    ktap.equal(bool(select.select([tls], [], [], 20)[0]), True, "readable")
    ktap.equal(recv_all(tls, len(data)), data, "payload")
    thread.join()
    ktap.equal(ktls.tls_stat()["TlsRxCopy"] > before, True, "copied records")


def odd_reads(version):
    """Reads that end within a record, at its end and behind it: all data in order."""
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
    """One read into buffers from one byte to more than a page: the record is in them."""
    raw, tls, key = reader(version)
    data = os.urandom(ktls.MAX_PLAIN)
    raw.sendall(key.seal(data))
    buffers = [bytearray(n) for n in (1, 2, 4095, 4096, 4097, 100, 8000)]
    count = tls.recvmsg_into(buffers, 0, socket.MSG_WAITALL)[0]
    ktap.equal(b"".join(bytes(b) for b in buffers)[:count], data, "payload")
    ktap.equal(count, ktls.MAX_PLAIN, "length")


def many_small_buffers(version):
    """One read into 500 buffers, more than the scatterlist kept ready has entries."""
    raw, tls, key = reader(version)
    data = os.urandom(8000)
    raw.sendall(key.seal(data))
    buffers = [bytearray(16) for _ in range(500)]
    ktap.equal(tls.recvmsg_into(buffers)[0], 8000, "length")
    ktap.equal(b"".join(bytes(b) for b in buffers), data, "payload")


def empty_records(version):
    """Empty records give neither data nor the end of the stream."""
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
    """MSG_EOR is set for a read that ended where a record ended, and not for one that ended
    within."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(b"12345"))
    ktap.equal(tls.recvmsg(3)[2] & socket.MSG_EOR, 0, "in the middle")
    ktap.equal(bool(tls.recvmsg(3)[2] & socket.MSG_EOR), True, "at the end")


def types_apart(version):
    """One read returns content of one type; a read without room for the type of a control
    record fails with EIO."""
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
    """Padded records of TLS 1.3, up to 5000 bytes of padding: the padding is removed, with
    TLS_RX_EXPECT_NO_PAD and without."""
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
    """Three threads read one stream: each record is read once."""
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
    """A nonblocking read does not wait for a read that blocks."""
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


def raw_recv(tls, size, flags=0):
    """One system call: (its result, errno or data)."""
    buffer = ctypes.create_string_buffer(size)
    done = LIBC.recv(tls.fileno(), buffer, size, flags)
    return done, ctypes.get_errno() if done < 0 else buffer.raw[:done]


def interrupted(version):
    """A signal interrupts a blocking read: it returns the bytes so far, or EINTR, and the
    next read continues behind them."""
    raw, tls, key = reader(version)
    tls.settimeout(None)
    stop = ktap.interrupt_waits()
    ktap.equal(raw_recv(tls, 100), (-1, errno.EINTR), "nothing to read")
    raw.sendall(key.seal(b"not all"))
    ktap.equal(raw_recv(tls, 100, socket.MSG_WAITALL), (7, b"not all"), "a part")
    stop()
    raw.sendall(key.seal(b"the rest"))
    ktap.equal(tls.recv(100), b"the rest", "afterwards")


def spliced(version):
    """splice to a pipe in pieces of any size: data in order. A control record is left for a
    read that can return its type."""
    raw, tls, key = reader(version)
    tls.settimeout(None)
    read, write = os.pipe()
    ktap.defer(os.close, read)
    ktap.defer(os.close, write)
    parts = [os.urandom(size) for size in (1, 5000, ktls.MAX_PLAIN, 0, 3000)]
    raw.sendall(b"".join(map(key.seal, parts)) + key.seal(b"\1\0", ktls.ALERT))
    wanted, got, size = b"".join(parts), b"", 1
    while len(got) < len(wanted):
        done = os.splice(tls.fileno(), write, size)
        got += os.read(read, done)
        size = size * 5 % 9001
    ktap.equal(got == wanted, True, "data")
    ktap.fails(errno.EINVAL, os.splice, tls.fileno(), write, 100)
    ktap.equal(ktls.recv_record(tls), (ktls.ALERT, b"\1\0"), "the other type")


def low_water(version):
    """SO_RCVLOWAT: a read waits for that many bytes, across records."""
    raw, tls, key = reader(version)
    tls.settimeout(None)
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 30)
    raw.sendall(key.seal(b"a" * 20))
    later = threading.Timer(0.5, raw.sendall, (key.seal(b"b" * 20),))
    later.start()
    ktap.equal(tls.recv(100), b"a" * 20 + b"b" * 20, "read")
    later.join()
    raw.sendall(key.seal(b"c"))
    raw.shutdown(socket.SHUT_WR)
    ktap.equal(tls.recv(100), b"c", "less, at the end")


def wait_for_all(version):
    """MSG_WAITALL: a read waits for all bytes that it asked for, across records, and takes
    no more."""
    raw, tls, key = reader(version)
    tls.settimeout(None)
    raw.sendall(key.seal(b"a" * 20))
    later = threading.Timer(0.5, raw.sendall, (key.seal(b"b" * 20),))
    later.start()
    ktap.equal(tls.recv(30, socket.MSG_WAITALL), b"a" * 20 + b"b" * 10, "read")
    later.join()
    ktap.equal(tls.recv(100), b"b" * 10, "the rest")


def peeked(version):
    """MSG_PEEK shows the bytes that the next read returns, across records."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(b"one") + key.seal(b"two"))
    first = tls.recv(2, socket.MSG_PEEK)
    more = tls.recv(100, socket.MSG_PEEK)
    ktap.equal((first, more), (b"on", b"onetwo"), "peeked")
    ktap.equal(recv_all(tls, 6), b"onetwo", "read")


def one_buffer_again(version):
    """One buffer is given four times in a read, for records that came in many segments.
    Decrypted in that buffer a record would not be authentic, so it is decrypted elsewhere:
    the read succeeds, without an error counted."""
    raw, tls, key = reader(version)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if version == ktls.TLS13:
        tls.setsockopt(ktls.SOL_TLS, ktls.TLS_RX_EXPECT_NO_PAD, 1)
    before = ktls.tls_stat()
    data = os.urandom(2 * ktls.MAX_PLAIN)
    wire = key.seal(data[:ktls.MAX_PLAIN]) + key.seal(data[ktls.MAX_PLAIN:])
    for i in range(0, len(wire), 400):
        raw.sendall(wire[i:i + 400])
    time.sleep(0.5)
    buffer = bytearray(4096)
    count = tls.recvmsg_into([buffer] * 4)[0]
    ktap.equal((count, bytes(buffer)),
               (ktls.MAX_PLAIN, data[12288:ktls.MAX_PLAIN]), "the last quarter")
    ktap.equal(recv_all(tls, ktls.MAX_PLAIN), data[ktls.MAX_PLAIN:], "the next")
    ktap.equal(ktls.tls_stat()["TlsDecryptError"], before["TlsDecryptError"],
               "errors")


def written_meanwhile(version):
    """Another thread writes to the buffer while records are decrypted: all reads succeed,
    because records are authenticated elsewhere."""
    raw, tls, key = reader(version)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if version == ktls.TLS13:
        tls.setsockopt(ktls.SOL_TLS, ktls.TLS_RX_EXPECT_NO_PAD, 1)
    buffer, stop = bytearray(ktls.MAX_PLAIN), threading.Event()
    noise = bytes(ktls.MAX_PLAIN)

    def scribble():
        where = (ctypes.c_char * len(buffer)).from_buffer(buffer)
        while not stop.is_set():
            # ctypes releases the interpreter's lock during the call
            LIBC.memcpy(where, noise, ctypes.c_size_t(len(buffer)))

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        for _ in range(60):
            wire = key.seal(bytes(ktls.MAX_PLAIN))
            for i in range(0, len(wire), 400):
                raw.sendall(wire[i:i + 400])
            left = ktls.MAX_PLAIN
            while left:
                left -= tls.recv_into(buffer, left)
    finally:
        stop.set()
        thread.join()


def reset(raw):
    """Close the socket so that the peer gets a reset."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
    raw.close()


def reset_after_part(version):
    """A reset comes while a read waits for more: the read returns the bytes so far, the
    next fails with ECONNRESET, then the stream has ended."""
    for option in (socket.MSG_WAITALL, 0):
        raw, tls, key = reader(version)
        if not option:
            tls.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 100)
        tls.settimeout(None)
        raw.sendall(key.seal(b"part"))
        threading.Timer(0.5, reset, (raw,)).start()
        ktap.equal(raw_recv(tls, 100, option), (4, b"part"), "part")
        ktap.fails(errno.ECONNRESET, tls.recv, 100)
        ktap.equal(tls.recv(100), b"", "then")


def reset_told_to_both(version):
    """A reset makes sends fail; the error is left for the reader, too."""
    key = ktls.Key(version=version)
    raw, tls = ktls.tcp_pair()
    ktap.defer(tls.close)
    ktls.attach(tls, key, key.clone())
    reset(raw)
    time.sleep(0.3)
    for _ in range(2):
        ktap.fails(errno.ECONNRESET, tls.send, b"x")
    ktap.fails(errno.ECONNRESET, tls.recv, 100)
    ktap.equal(tls.recv(100), b"", "then")


def buffers():
    """Socket buffers in use in the kernel."""
    with open("/proc/slabinfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file
                    if line.startswith("skbuff_head_cache"))


def peek_at_crumbs(version):
    """MSG_PEEK over 3000 empty or one-byte records takes no more memory than SO_RCVBUF
    allows."""
    for content in (b"", b"x"):
        raw, tls, key = reader(version, rcvbuf=1 << 16)
        wire = b"".join(key.seal(content) for _ in range(3000)) + key.seal(b"end")
        before = buffers()
        thread = threading.Thread(target=raw.sendall, args=(wire,), daemon=True)
        thread.start()
        for _ in range(10):
            got = tls.recv(4000, socket.MSG_PEEK | socket.MSG_WAITALL)
        taken = buffers() - before
        ktap.equal(taken < 1000, True, f"{taken} buffers were taken")
        ktap.equal(got.endswith(b"end"), not content, "peeked up to the end")
        ktap.equal(recv_all(tls, 3000 * len(content) + 3),
                   3000 * content + b"end", "read")
        thread.join()


def empty_then_control(version):
    """Empty data records in front of a control record: the read of data returns 0."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(b"") + key.seal(b"") + key.seal(b"\1\0", ktls.ALERT))
    ktap.equal(ktls.recv_record(tls), (ktls.DATA, b""), "empty data")
    ktap.equal(ktls.recv_record(tls), (ktls.ALERT, b"\1\0"), "alert")


def live_state(version):
    """getsockopt returns the number of the next record to receive."""
    raw, tls, key = reader(version)
    for i in range(3):
        raw.sendall(key.seal(b"x"))
        ktap.equal(tls.recv(1), b"x", "payload")
        state = tls.getsockopt(ktls.SOL_TLS, ktls.TLS_RX, 40)
        ktap.equal(state[-8:], (i + 1).to_bytes(8, "big"), "number")


CASES = [byte_by_byte, small_buffer, odd_reads, scattered, many_small_buffers,
         empty_records, end_of_record, types_apart, padded, two_readers,
         nonblocking_beside_blocked, interrupted, spliced, low_water,
         wait_for_all, peeked, one_buffer_again, written_meanwhile,
         reset_after_part, reset_told_to_both, peek_at_crumbs,
         empty_then_control, live_state]

for text, number in VERSIONS.items():
    for fn in CASES:
        ktap.add(f"{fn.__name__} {text}", fn, number)

if __name__ == "__main__":
    ktap.main()
