#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The bytes that a TLS socket puts on the wire, opened by the raw TCP peer without kernel
TLS: records, their types, their content, and the time at which they are sent."""
import ctypes
import errno
import mmap
import os
import pathlib
import socket
import struct
import threading
import time

import ktap
import ktls

LIBC = ctypes.CDLL(None, use_errno=True)
TCP_MEM = pathlib.Path("/proc/sys/net/ipv4/tcp_mem")
VERSIONS = {"1.2": ktls.TLS12, "1.3": ktls.TLS13}


def sender(version, cipher="aes-128-gcm"):
    """(raw peer, kernel TLS sender, the peer's key)."""
    key = ktls.Key(cipher, version)
    raw, tls = ktls.tcp_pair()
    ktap.defer(raw.close)
    ktap.defer(tls.close)
    ktls.attach(tls, tx=key)
    raw.settimeout(20)
    return raw, tls, key.clone()


def quiet(raw, seconds=0.2):
    """Nothing arrives at the raw socket for a while."""
    raw.settimeout(seconds)
    try:
        ktap.equal(raw.recv(1), b"", "unexpected byte")
        raise AssertionError("the connection was closed")
    except TimeoutError:
        raw.settimeout(20)


def more_then_close(version):
    raw, tls, key = sender(version)
    tls.send(b"held", socket.MSG_MORE)
    quiet(raw)
    tls.close()
    ktap.equal(ktls.drain(raw, key, 99), [(ktls.DATA, b"held")], "records")


def more_then_shutdown(version):
    raw, tls, key = sender(version)
    tls.send(b"held", socket.MSG_MORE)
    tls.shutdown(socket.SHUT_WR)
    ktap.equal(ktls.drain(raw, key, 99), [(ktls.DATA, b"held")], "records")


def more_then_control(version):
    """A record of another type ends the open record, and the order stays."""
    raw, tls, key = sender(version)
    tls.send(b"held", socket.MSG_MORE)
    ktls.send_record(tls, b"\1\0", ktls.ALERT)
    ktap.equal(ktls.drain(raw, key, 6),
               [(ktls.DATA, b"held"), (ktls.ALERT, b"\1\0")], "records")


def more_then_nothing(version):
    """A send without payload and without MSG_MORE ends the open record."""
    raw, tls, key = sender(version)
    tls.send(b"held", socket.MSG_MORE)
    tls.send(b"")
    ktap.equal(ktls.drain(raw, key, 4), [(ktls.DATA, b"held")], "records")


def more_until_full(version):
    raw, tls, key = sender(version)
    data = os.urandom(ktls.MAX_PLAIN + 100)
    for i in range(0, len(data), 1000):
        tls.send(data[i:i + 1000], socket.MSG_MORE)
    got = ktls.drain(raw, key, ktls.MAX_PLAIN)
    ktap.equal([len(d) for _, d in got], [ktls.MAX_PLAIN], "record lengths")
    tls.send(b"!")
    got += ktls.drain(raw, key, 101)
    ktap.equal(b"".join(d for _, d in got), data + b"!", "payload")


def eor_with_more(version):
    _, tls, _ = sender(version)
    ktap.fails(errno.EINVAL, tls.send, b"x", socket.MSG_EOR | socket.MSG_MORE)


def type_with_more(version):
    _, tls, _ = sender(version)
    control = [(ktls.SOL_TLS, ktls.TLS_SET_RECORD_TYPE, b"\x15")]
    ktap.fails(errno.EINVAL, tls.sendmsg, [b"x"], control, socket.MSG_MORE)


def many_fragments(version):
    """A call with 200 iovecs, and 30 spliced pieces, more than a record has segments: all
    data arrives."""
    raw, tls, key = sender(version)
    pieces = [os.urandom(37) for _ in range(200)]
    tls.sendmsg(pieces)
    read, write = os.pipe()
    ktap.defer(os.close, read)
    ktap.defer(os.close, write)
    spliced = b""
    for _ in range(30):
        part = os.urandom(61)
        os.write(write, part)
        os.splice(read, tls.fileno(), 61, flags=os.SPLICE_F_MORE)
        spliced += part
    tls.send(b"end")
    want = b"".join(pieces) + spliced + b"end"
    got = ktls.drain(raw, key, len(want))
    ktap.equal(b"".join(d for _, d in got), want, "payload")


def nonblocking(version):
    """Nonblocking sends: exactly the bytes that send() counted arrive."""
    raw, tls, key = sender(version)
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    tls.setblocking(False)
    sent, seen_full = b"", False
    for _ in range(200):
        part = os.urandom(9000)
        try:
            sent += part[:tls.send(part)]
        except BlockingIOError:
            seen_full = True
            break
    ktap.equal(seen_full, True, "the buffer was full once")
    got = ktls.drain(raw, key, len(sent))
    ktap.equal(b"".join(d for _, d in got), sent, "payload")


def full_buffer_then_close(version):
    """TCP has no room for a record when the socket is closed: the record arrives all the
    same."""
    raw, tls, key = sender(version)
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    tls.setblocking(False)
    sent = b""
    try:
        while True:
            part = os.urandom(16000)
            sent += part[:tls.send(part)]
    except BlockingIOError:
        pass
    tls.close()
    got = ktls.drain(raw, key, len(sent))
    ktap.equal(b"".join(d for _, d in got), sent, "payload")


def two_senders(version):
    """Two senders that block: no record mixes bytes of both."""
    raw, tls, key = sender(version)
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    size = 20 * ktls.MAX_PLAIN
    threads = [threading.Thread(target=tls.sendall, args=(bytes([c]) * size,))
               for c in b"ab"]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    got = ktls.drain(raw, key, 2 * size)
    for thread in threads:
        thread.join()
    ktap.equal({len(set(d)) for _, d in got}, {1}, "kinds of byte in a record")
    ktap.equal(sum(d.count(b"a") for _, d in got), size, "bytes of one sender")


def interrupted(version):
    """A signal interrupts a blocking send: the bytes that the call counted arrive once, and
    the stream goes on."""
    raw, tls, key = sender(version)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    data, sent, partial = os.urandom(8 << 20), 0, 0
    stop = ktap.interrupt_waits()
    for _ in range(4):
        part = data[sent:]
        done = LIBC.send(tls.fileno(), part, len(part), 0)
        if done < 0:
            ktap.equal(ctypes.get_errno(), errno.EINTR, "errno")
            continue
        sent += done
        partial += done < len(part)
    stop()
    ktap.equal(partial > 0, True, "a send was cut short")
    thread = threading.Thread(target=tls.sendall, args=(data[sent:sent + 50000],))
    thread.start()
    got = ktls.drain(raw, key, sent + 50000)
    thread.join()
    ktap.equal(b"".join(d for _, d in got) == data[:sent + 50000], True, "payload")


def send_until_full(tls, size):
    """Nonblocking sends with MSG_MORE until there is no room. Returns the bytes that were
    counted."""
    sent = b""
    for _ in range(2000):
        part = os.urandom(size)
        try:
            sent += part[:tls.send(part, socket.MSG_MORE | socket.MSG_DONTWAIT)]
        except OSError as err:
            ktap.equal(err.errno in (errno.EAGAIN, errno.ENOMEM), True, str(err))
            return sent
    raise AssertionError("there was always room")


def arrives(raw, tls, key, sent):
    """The bytes that were counted arrive once and in order, and so do bytes sent
    afterwards."""
    tls.settimeout(20)
    thread = threading.Thread(target=tls.sendall, args=(b"end",))
    thread.start()
    got = ktls.drain(raw, key, len(sent) + 3)
    thread.join()
    ktap.equal(b"".join(d for _, d in got) == sent + b"end", True, "payload")


def more_without_room(version):
    """The send buffer is full while a record is held open: the bytes that were counted are
    kept, and no others are sent."""
    raw, tls, key = sender(version)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    before = ktls.tls_stat()["TlsTxPushLater"]
    sent = send_until_full(tls, 700)
    ktap.fails(errno.EAGAIN, tls.send, b"x" * 20000,
               socket.MSG_DONTWAIT | socket.MSG_MORE)
    ktap.equal(ktls.tls_stat()["TlsTxPushLater"] > before, True, "TlsTxPushLater moved")
    arrives(raw, tls, key, sent)


def shortages():
    """How often TCP came under memory pressure."""
    lines = pathlib.Path("/proc/net/netstat").read_text("ascii").splitlines()
    names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
    return int(dict(zip(names, values))["TCPMemoryPressures"])


def more_without_memory(version):
    """TCP has no memory while a record is held open: sends fail, and bytes counted before
    are sent when there is memory again."""
    raw, tls, key = sender(version)
    tls.send(b"held", socket.MSG_MORE)
    old, before = TCP_MEM.read_text("ascii"), shortages()
    ktap.defer(TCP_MEM.write_text, old)
    TCP_MEM.write_text("1 1 1", "ascii")
    sent = b"held" + send_until_full(tls, 3000)
    TCP_MEM.write_text(old, "ascii")
    ktap.equal(shortages() > before, True, "TCP was short of memory")
    arrives(raw, tls, key, sent)


def file_past_its_end(version):
    """sendfile asks for more bytes than the file has: the last bytes are sent without
    waiting for more, also with TLS_TX_ZEROCOPY_RO."""
    data = os.urandom(2 * ktls.MAX_PLAIN + 777)
    pathlib.Path("/tmp/tail").write_bytes(data)
    for zero_copy in (0, 1):
        raw, tls, key = sender(version)
        tls.setsockopt(ktls.SOL_TLS, ktls.TLS_TX_ZEROCOPY_RO, zero_copy)
        with open("/tmp/tail", "rb") as file:
            ktap.equal(os.sendfile(tls.fileno(), file.fileno(), 0, 1 << 20),
                       len(data), "sent")
        got = ktls.drain(raw, key, len(data))
        ktap.equal(b"".join(d for _, d in got) == data, True, "payload")


def pipe_end(version):
    """splice asks for more bytes than the pipe has: the pipe's bytes are sent without
    waiting for more."""
    raw, tls, key = sender(version)
    read, write = os.pipe()
    ktap.defer(os.close, read)
    os.write(write, b"all there is")
    os.close(write)
    ktap.equal(os.splice(read, tls.fileno(), 1 << 16), 12, "spliced")
    ktap.equal(ktls.drain(raw, key, 12), [(ktls.DATA, b"all there is")], "records")


def fault_behind_whole_records(version, room=None):
    """A call's memory faults in its fourth record: all bytes before the fault are counted
    and arrive."""
    raw, tls, key = sender(version)
    if room:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        tls.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
    good = 3 * ktls.MAX_PLAIN + mmap.PAGESIZE
    area = mmap.mmap(-1, good + mmap.PAGESIZE)
    area.write(os.urandom(good))
    at = ctypes.addressof(ctypes.c_char.from_buffer(area))
    ktap.equal(LIBC.mprotect(ctypes.c_void_p(at + good), mmap.PAGESIZE, 0), 0,
               "mprotect")
    sent = LIBC.send(tls.fileno(), ctypes.c_void_p(at), 5 * ktls.MAX_PLAIN, 0)
    ktap.equal(sent, good, "sent")
    got = ktls.drain(raw, key, good)
    ktap.equal(b"".join(d for _, d in got) == area[:good], True, "payload")


def fault_without_room(version):
    """A call's memory faults while the send buffer is full: all bytes before the fault
    arrive, without a further call."""
    fault_behind_whole_records(version, 4096)


def fault_at_once(version):
    """A call fails with EFAULT before any byte is read: it leaves no record behind, neither
    for the next send nor for the close."""
    for size in (5, 3 * ktls.MAX_PLAIN):
        raw, tls, key = sender(version)
        name = struct.pack("=QiiB7x", 17, ktls.SOL_TLS, ktls.TLS_SET_RECORD_TYPE,
                           ktls.ALERT)
        bad = struct.pack("=QQ", mmap.PAGESIZE // 2, size)
        held = [ctypes.create_string_buffer(text) for text in (name, bad)]
        at = [ctypes.addressof(one) for one in held]
        header = struct.pack("=QQQQQQQ", 0, 0, at[1], 1, at[0], 24, 0)
        for _ in range(2):
            ktap.equal(LIBC.sendmsg(tls.fileno(), header, 0), -1, "sendmsg")
            ktap.equal(ctypes.get_errno(), errno.EFAULT, "errno")
            tls.send(b"data")
            ktap.equal(ktls.drain(raw, key, 4), [(ktls.DATA, b"data")], "records")
        ktap.equal(LIBC.sendmsg(tls.fileno(), header, 0), -1, "sendmsg")
        tls.close()
        ktap.equal(ktls.drain(raw, key, 1), [], "records")


def large_call_without_room(version):
    """The send buffer becomes full in the middle of a large call: the bytes that the call
    counted arrive once and in order."""
    raw, tls, key = sender(version)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100000)
    sent = send_until_full(tls, 5 * ktls.MAX_PLAIN + 9)
    arrives(raw, tls, key, sent)


def end_of_record(version):
    """MSG_EOR ends a record that MSG_MORE held open."""
    raw, tls, key = sender(version)
    tls.send(b"one ", socket.MSG_MORE)
    tls.send(b"record", socket.MSG_EOR)
    tls.send(b"another")
    ktap.equal(ktls.drain(raw, key, 17), [(ktls.DATA, b"one record"),
                                     (ktls.DATA, b"another")], "records")


def largest_payload(version):
    """TLS_TX_MAX_PAYLOAD_LEN (RFC 8449): records are no longer than the limit, values out
    of range are refused, and so is a change while a record is open."""
    raw, tls, key = sender(version)
    name = ktls.TLS_TX_MAX_PAYLOAD_LEN
    low = 64 if version == ktls.TLS12 else 63
    for bad in (0, low - 1, ktls.MAX_PLAIN + 1):
        ktap.fails(errno.EINVAL, tls.setsockopt, ktls.SOL_TLS, name,
              struct.pack("=H", bad))
    ktap.equal(tls.getsockopt(ktls.SOL_TLS, name, 2),
               struct.pack("=H", ktls.MAX_PLAIN), "default")
    tls.setsockopt(ktls.SOL_TLS, name, struct.pack("=H", 1000))
    tls.send(os.urandom(2500))
    lengths = [len(d) for _, d in ktls.drain(raw, key, 2500)]
    ktap.equal(lengths, [1000, 1000, 500], "record lengths")
    tls.send(b"x", socket.MSG_MORE)
    ktap.fails(errno.EBUSY, tls.setsockopt, ktls.SOL_TLS, name,
          struct.pack("=H", 2000))


def last_number(version):
    """The record number 2^64 - 1 is not used, because no other could follow it: the send
    fails with EBADMSG."""
    key = ktls.Key("aes-128-gcm", version, (1 << 64) - 2)
    raw, tls = ktls.tcp_pair()
    ktap.defer(raw.close)
    ktap.defer(tls.close)
    ktls.attach(tls, tx=key)
    tls.send(b"one before")
    for _ in range(2):
        ktap.fails(errno.EBADMSG, tls.send, b"last")
    tls.close()
    raw.settimeout(20)
    ktap.equal(ktls.drain(raw, key.clone(), 10), [(ktls.DATA, b"one before")],
               "records")
    ktap.equal(raw.recv(99), b"", "the end")


CASES = [more_then_close, more_then_shutdown, more_then_control,
         more_then_nothing, more_until_full, eor_with_more, type_with_more,
         many_fragments, nonblocking, full_buffer_then_close, two_senders,
         interrupted, more_without_room, more_without_memory, file_past_its_end,
         pipe_end, fault_behind_whole_records, fault_without_room, fault_at_once,
         large_call_without_room, end_of_record, largest_payload, last_number]

for text, number in VERSIONS.items():
    for fn in CASES:
        ktap.add(f"{fn.__name__} {text}", fn, number)

if __name__ == "__main__":
    ktap.main()
