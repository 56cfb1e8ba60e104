#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""One socket used by several processes at once, and by 32-bit programs: each record is
whole, in one place, and is read once."""
import os
import socket
import struct
import subprocess

import ktap
import ktls

WRITERS, MESSAGES = 4, 60
READERS, RECORDS = 4, 200


def tls_pair(version):
    """(raw socket, TLS socket, the key that it sends with, the key that it reads with)."""
    raw, tls = ktls.tcp_pair()
    for end in (raw, tls):
        ktap.defer(end.close)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                       struct.pack("ll", 30, 0))
    tx, rx = ktls.Key(version=version), ktls.Key(version=version)
    ktls.attach(tls, tx.clone(), rx.clone())
    return raw, tls, tx, rx


def fork(work, *args):
    """Run work(*args) in a child process. Returns its process id."""
    child = os.fork()
    if not child:
        status = 1
        try:
            work(*args)
            status = 0
        finally:
            os._exit(status)
    return child


def join(children):
    for child in children:
        ktap.equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0,
                   "a process's status")


def message(writer, number):
    """A message that can be recognised, with a length of its own."""
    size = 200 + (writer * 1009 + number * 733) % 9000
    return (b"%d.%d;" % (writer, number) * size)[:size]


def write_all(sock, writer):
    for number in range(MESSAGES):
        sock.sendall(message(writer, number))


def writers(version):
    """Several processes send at once: no record mixes two messages, each process's messages
    keep their order, and nothing is lost or doubled."""
    raw, tls, tx, _ = tls_pair(version)
    children = [fork(write_all, tls, number) for number in range(WRITERS)]
    wanted = WRITERS * MESSAGES
    stream, got = b"", []
    while len(got) < wanted:
        chunk = raw.recv(1 << 16)
        if not chunk:
            raise AssertionError("the stream ended")
        whole, stream = ktls.split(stream + chunk)
        got += [tx.open(record)[1] for record in whole]
    join(children)
    for writer in range(WRITERS):
        mine = [data for data in got if data.startswith(b"%d." % writer)]
        ktap.equal(mine, [message(writer, n) for n in range(MESSAGES)],
                   f"messages of writer {writer}")


def read_all(sock, path):
    """Read to the end of the stream; write the result of each call to a file."""
    with open(path, "wb") as out:
        while data := sock.recv(6 * 5000):
            out.write(struct.pack("=I", len(data)) + data)


def pieces(path):
    with open(path, "rb") as file:
        while head := file.read(4):
            yield file.read(struct.unpack("=I", head)[0])


def readers(version):
    """Several processes read at once: each byte is read by one of them, and each gets whole
    records in order."""
    raw, tls, _, rx = tls_pair(version)
    paths = [f"/tmp/reader{number}" for number in range(READERS)]
    children = [fork(read_all, tls, path) for path in paths]
    records = [b"%06d" % number * (20 + number) for number in range(RECORDS)]
    for data in records:
        raw.sendall(rx.seal(data))
    raw.shutdown(socket.SHUT_WR)
    join(children)
    got = []
    for path in paths:
        mine = [int(data[at:at + 6]) for data in pieces(path)
                for at in range(0, len(data), 6)]
        ktap.equal(mine, sorted(mine), "order")
        got += mine
    wanted = [number for number in range(RECORDS) for _ in range(20 + number)]
    ktap.equal(sorted(got), wanted, "all that was read")


def both_ways(version):
    """One process writes while another one reads: all data is right in both directions."""
    raw, tls, tx, rx = tls_pair(version)
    reader = fork(read_all, tls, "/tmp/reader")
    writer = fork(write_all, tls, 0)
    stream, sent, got = b"", 0, []
    while len(got) < MESSAGES:
        if sent < MESSAGES:
            raw.sendall(rx.seal(message(7, sent)))
            sent += 1
        whole, stream = ktls.split(stream + raw.recv(1 << 16))
        got += [tx.open(record)[1] for record in whole]
    while sent < MESSAGES:
        raw.sendall(rx.seal(message(7, sent)))
        sent += 1
    raw.shutdown(socket.SHUT_WR)
    join([reader, writer])
    ktap.equal(got, [message(0, n) for n in range(MESSAGES)], "written")
    ktap.equal(b"".join(pieces("/tmp/reader")),
               b"".join(message(7, n) for n in range(MESSAGES)), "read")


def compat(sock, *words, data=b""):
    """Make one system call on this socket from a 32-bit program. Returns its output."""
    done = subprocess.run(["compat", str(sock.fileno()), *map(str, words)],
                          input=data, capture_output=True, check=False,
                          pass_fds=[sock.fileno()])
    ktap.equal(done.returncode, 0, done.stderr.decode())
    return done.stdout


def compat_program(version):
    """A 32-bit program sets keys, and sends and receives records with their types."""
    raw, tls = ktls.tcp_pair()
    ktap.defer(raw.close)
    ktap.defer(tls.close)
    tx, rx = ktls.Key(version=version), ktls.Key(version=version)
    tls.setsockopt(socket.IPPROTO_TCP, ktls.TCP_ULP, b"tls")
    compat(tls, "set", ktls.TLS_TX, data=tx.crypto_info())
    compat(tls, "set", ktls.TLS_RX, data=rx.crypto_info())
    got = compat(tls, "get", ktls.TLS_TX, len(tx.crypto_info()))
    ktap.equal(got, tx.crypto_info(), "key")
    for kind in (ktls.DATA, ktls.ALERT, ktls.HANDSHAKE):
        compat(tls, "send", kind, data=b"from 32 bits")
        record = raw.recv(1 << 16)
        ktap.equal(tx.open(record), (kind, b"from 32 bits"), "sent")
        raw.sendall(rx.seal(b"to 32 bits", kind))
        ktap.equal(compat(tls, "recv"), bytes([kind]) + b"to 32 bits",
                   "received")


def main():
    for name, version in (("1.2", ktls.TLS12), ("1.3", ktls.TLS13)):
        for case in (writers, readers, both_ways):
            ktap.add(f"{case.__name__} {name}", case, version, timeout=90)
        ktap.add(f"compat_program {name}", compat_program, version)
    ktap.main()


main()
