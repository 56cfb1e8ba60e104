#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A peer that speaks broken TLS over raw TCP.

Whatever it sends, the reader gets the plaintext of the records that were whole
and authentic before the fault, then a clear error that stays, never a byte more.
"""
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
    # a reader that waits; Python's own timeouts would make it one that does not
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10, 0))
    return raw, tls, key


def expect_error(tls, *wanted):
    """Reading fails with one of these errors, twice: it stays broken."""
    for turn in ("first", "second"):
        try:
            got = tls.recv(1 << 16)
        except OSError as err:
            if err.errno not in wanted:
                raise AssertionError(f"{turn} read: {err}") from err
        else:
            raise AssertionError(f"{turn} read gave {len(got)} bytes, no error")


def after_good(version, damage, *wanted):
    """One good record, then the result of damage(key): the good one arrives."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(GOOD))
    raw.sendall(damage(key))
    ktap.equal(tls.recv(1 << 16), GOOD, "record before the fault")
    expect_error(tls, *wanted)


def told_once(version):
    """A header that makes no sense, and a reader that does not wait: as ever, it
    gets the error once and then sleeps in poll, while one that waits gets it
    again, not a hang."""
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
    """The same sealed record twice: the second is out of sequence."""
    key.seq -= 1
    return key.seal(GOOD)


def only_padding(key):
    """TLS 1.3: no content type in the whole record."""
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
    """FIN after each byte of a record: nothing of it comes out, then the end."""
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
    """Two records, one byte in each segment: both come out whole."""
    raw, tls, key = reader(version)
    for byte in key.seal(GOOD) + key.seal(GOOD[::-1]):
        raw.send(bytes([byte]))
    raw.shutdown(socket.SHUT_WR)
    got = b""
    while chunk := tls.recv(1 << 16):
        got += chunk
    ktap.equal(got, GOOD + GOOD[::-1], "stream")


def reset_in_record(version):
    """RST in mid-record: the reader gets ECONNRESET and no plaintext."""
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
    """A record with no data in it is legal and does not look like the end."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(b"") + key.seal(GOOD))
    ktap.equal(tls.recv(1 << 16), GOOD, "after an empty record")


def held_by_empty_records(version):
    """A peer that sends records without content, one after another, does not keep a
    program that does not wait in its call: it gets EAGAIN, and is told to come again."""
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
    """2^14 bytes of plaintext is the most a record may hold, and it may."""
    raw, tls, key = reader(version)
    data = os.urandom(ktls.MAX_PLAIN)
    raw.sendall(key.seal(data))
    got = b""
    while len(got) < len(data):
        got += tls.recv(1 << 16)
    ktap.equal(got, data, "largest record")


def sequence_wrap(version):
    """The record number after 2^64 - 1 does not exist."""
    raw, tls, key = reader(version, seq=(1 << 64) - 1)
    last = key.seal(GOOD)
    raw.sendall(last + last)
    try:
        ktap.equal(tls.recv(1 << 16), GOOD, "last record number")
    except OSError as err:
        ktap.equal(err.errno, errno.EBADMSG, "last record number")
    expect_error(tls, errno.EBADMSG)


def control_without_room(version):
    """A control record and a reader that gave no room for its type: EIO."""
    raw, tls, key = reader(version)
    raw.sendall(key.seal(b"\x01\x00", ktls.ALERT))
    try:
        got = tls.recv(64)
    except OSError as err:
        ktap.equal(err.errno, errno.EIO, "error")
    else:
        raise AssertionError(f"read {got!r} without its type")


def types_never_mixed(version):
    """data, alert, data in one segment: three reads, types told apart."""
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
