#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A peer that speaks broken TLS over raw TCP. Whatever the peer sends, the reader gets the
plaintext of the whole and authentic records before the fault, then a clear error that
stays, and never a byte more."""
import array
import errno
import fcntl
import os
import select
import socket
import struct
import termios
import time

import ktap
import ktls

VERSIONS = {"1.2": ktls.TLS12, "1.3": ktls.TLS13}
GOOD = b"the record before the fault"


def reader(version, cipher="aes-128-gcm", seq=0):
    """(raw peer, kernel TLS reader, the peer's key)."""
    key = ktls.Key(cipher, version, seq)
    raw, tls = ktls.tcp_pair()
    ktap.defer(raw.close)
    ktap.defer(tls.close)
    ktls.attach(tls, rx=key.clone())
    # makes the read wait in the kernel; Python's own timeout would set the socket
    # nonblocking
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10, 0))
    return raw, tls, key


def expect_error(tls, *wanted):
    """Two reads fail with one of these errors: the stream stays broken."""
    for turn in ("first", "second"):
        try:
            got = tls.recv(1 << 16)
        except OSError as err:
            if err.errno not in wanted:
                raise AssertionError(f"{turn} read: {err}") from err
        else:
            raise AssertionError(f"{turn} read gave {len(got)} bytes, no error")


def after_good(version, damage, *wanted):
    """One good record arrives, then the bytes of damage(key): the good record is read, then
    the error."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(GOOD))
    raw.sendall(damage(key))
    ktap.equal(tls.recv(1 << 16), GOOD, "record before the fault")
    expect_error(tls, *wanted)


def told_once(version):
    """A header without a meaning, and a reader that does not wait: it gets the error once
    and then sleeps in poll, as with stock. A reader that waits gets the error again, and
    does not hang."""
    raw, tls, _ = reader(version)
    raw.sendall(b"\xff" * 64)
    poll = select.poll()
    poll.register(tls, select.POLLIN)
    ktap.equal(len(poll.poll(5000)), 1, "events before the error")
    with_errno = []
    for flags in (socket.MSG_DONTWAIT, socket.MSG_DONTWAIT, 0):
        try:
            tls.recv(64, flags)
        except OSError as err:
            with_errno.append(err.errno)
    ktap.equal(with_errno, [errno.EMSGSIZE, errno.EAGAIN, errno.EMSGSIZE], "errors")
    ktap.equal(poll.poll(0), [], "events after the error")


def header(kind, version, length):
    return struct.pack(">BHH", kind, version, length)


def wrong_version(key):
    record = key.seal(b"x" * 64)
    return record[:1] + b"\x02\x00" + record[3:]


def oversize(_key):
    return header(ktls.DATA, ktls.TLS12, ktls.MAX_PLAIN + 2049) + bytes(64)


def short(_key):
    return header(ktls.DATA, ktls.TLS12, 3) + bytes(64)


def corrupt_tag(key):
    record = key.seal(b"x" * 64)
    return record[:-1] + bytes([record[-1] ^ 1])


def corrupt_body(key):
    record = bytearray(key.seal(b"x" * 64))
    record[20] ^= 0x80
    return bytes(record)


def zero_length(_key):
    return header(ktls.DATA, ktls.TLS12, 0) + bytes(64)


def garbage(_key):
    return b"\xff" * 512


def replayed(key):
    """The same sealed record twice: the second one has the wrong record number."""
    key.seq -= 1
    return key.seal(GOOD)


def only_padding(key):
    """A TLS 1.3 record of padding only, without a content type."""
    inner = bytes(32)
    aad = header(ktls.DATA, ktls.TLS12, len(inner) + 16)
    return aad + key.aead.encrypt(key._nonce(b""), inner, aad)


FAULTS = [
    (wrong_version, ("1.2", "1.3"), (errno.EINVAL,)),
    (oversize, ("1.2", "1.3"), (errno.EMSGSIZE,)),
    (short, ("1.2", "1.3"), (errno.EBADMSG,)),
    (zero_length, ("1.2", "1.3"), (errno.EBADMSG,)),
    (corrupt_tag, ("1.2", "1.3"), (errno.EBADMSG,)),
    (corrupt_body, ("1.2", "1.3"), (errno.EBADMSG,)),
    (garbage, ("1.2", "1.3"), (errno.EINVAL, errno.EMSGSIZE, errno.EBADMSG)),
    (replayed, ("1.2", "1.3"), (errno.EBADMSG,)),
    (only_padding, ("1.3",), (errno.EBADMSG,)),
]


def truncate_each_byte(version):
    """FIN comes behind each byte of a record: nothing of the record is read, then the
    stream ends."""
    size = len(ktls.Key(version=version).seal(b"y" * 32))
    for cut in range(1, size):
        raw, tls, key = reader(version)
        raw.sendall(key.seal(GOOD) + key.seal(b"y" * 32)[:cut])
        raw.shutdown(socket.SHUT_WR)
        ktap.equal(tls.recv(1 << 16), GOOD, f"cut at {cut}")
        ktap.equal(tls.recv(1 << 16), b"", f"end, cut at {cut}")
        raw.close()
        tls.close()


def byte_by_byte(version):
    """Two records, one byte in each segment: both are read whole."""
    raw, tls, key = reader(version)
    for byte in key.seal(GOOD) + key.seal(GOOD[::-1]):
        raw.send(bytes([byte]))
    raw.shutdown(socket.SHUT_WR)
    got = b""
    while chunk := tls.recv(1 << 16):
        got += chunk
    ktap.equal(got, GOOD + GOOD[::-1], "stream")


def reset_in_record(version):
    """RST comes in the middle of a record: the reader gets ECONNRESET and no plaintext."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(b"z" * 1000)[:500])
    linger = struct.pack("ii", 1, 0)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    raw.close()
    try:
        got = tls.recv(1 << 16)
    except ConnectionResetError:
        return
    raise AssertionError(f"no reset, {len(got)} bytes")


def empty_record(version):
    """A record without data is legal, and does not look like the end of the stream."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(b"") + key.seal(GOOD))
    ktap.equal(tls.recv(1 << 16), GOOD, "after an empty record")


def held_by_empty_records(version):
    """A peer sends a thousand empty records in a row: a nonblocking read does not stay in
    its call, but gets EAGAIN, and poll tells it to come again. A blocking read gets the
    data behind them."""
    raw, tls, key = reader(version)
    stream = b"".join(key.seal(b"") for _ in range(1000)) + key.seal(GOOD)
    raw.sendall(stream)
    here = array.array("i", [0])
    while here[0] < len(stream):
        fcntl.ioctl(tls, termios.FIONREAD, here)
        time.sleep(0.01)
    poll, left = select.epoll(), 0
    ktap.defer(poll.close)
    poll.register(tls, select.EPOLLIN | select.EPOLLET)
    while len(poll.poll(20)) == 1:
        try:
            ktap.equal(tls.recv(1 << 16, socket.MSG_DONTWAIT), GOOD, "behind empty records")
            break
        except BlockingIOError:
            left += 1
    ktap.equal(4 <= left < 1000, True, f"{left} of many calls ended with EAGAIN")
    raw.sendall(b"".join(key.seal(b"") for _ in range(1000)) + key.seal(GOOD))
    ktap.equal(tls.recv(1 << 16), GOOD, "a reader that waits")


def largest_record(version):
    """A record may hold 2^14 bytes of plaintext, and such a record is read."""
    raw, tls, key = reader(version)
    data = os.urandom(ktls.MAX_PLAIN)
    raw.sendall(key.seal(data))
    got = b""
    while len(got) < len(data):
        got += tls.recv(1 << 16)
    ktap.equal(got, data, "largest record")


def sequence_wrap(version):
    """A record whose number would be behind 2^64 - 1 is refused with EBADMSG."""
    raw, tls, key = reader(version, seq=(1 << 64) - 1)
    last = key.seal(GOOD)
    raw.sendall(last + last)
    try:
        ktap.equal(tls.recv(1 << 16), GOOD, "last record number")
    except OSError as err:
        ktap.equal(err.errno, errno.EBADMSG, "last record number")
    expect_error(tls, errno.EBADMSG)


def control_without_room(version):
    """A control record meets a reader without a buffer for its type: EIO."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(b"\x01\x00", ktls.ALERT))
    try:
        got = tls.recv(64)
    except OSError as err:
        ktap.equal(err.errno, errno.EIO, "error")
    else:
        raise AssertionError(f"read {got!r} without its type")


def types_never_mixed(version):
    """Data, an alert and data in one segment: three reads, each of one type."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(b"one") + key.seal(b"\x01\x00", ktls.ALERT) +
                key.seal(b"two"))
    got = [ktls.recv_record(tls) for _ in range(3)]
    ktap.equal([data for _, data in got], [b"one", b"\x01\x00", b"two"], "data")
    ktap.equal(got[1][0], ktls.ALERT, "type of the control record")


def register():
    for name, version in VERSIONS.items():
        for damage, applies, errors in FAULTS:
            if name in applies:
                ktap.add(f"{damage.__name__} {name}", after_good, version,
                         damage, *errors)
        for shape in (truncate_each_byte, byte_by_byte, reset_in_record,
                      empty_record, held_by_empty_records, largest_record, sequence_wrap,
                      control_without_room, types_never_mixed, told_once):
            ktap.add(f"{shape.__name__} {name}", shape, version, timeout=120)


if __name__ == "__main__":
    register()
    ktap.main()
