#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS 1.3 KeyUpdate in both directions, beyond the kernel's own selftest: KeyUpdates that
share a record or span two, errors, and counters."""
import errno
import os
import select
import socket

import ktap
import ktls

TICKET = bytes([4, 0, 0, 5, 24, 0, 0, 1, 0])    # its content looks like a KeyUpdate


def pair(direction):
    """(raw peer, kernel TLS socket, the peer's key)."""
    key = ktls.Key("aes-128-gcm", ktls.TLS13)
    raw, tls = ktls.tcp_pair()
    ktap.defer(raw.close)
    ktap.defer(tls.close)
    ktls.attach(tls, **{direction: key.clone()})
    raw.settimeout(20)
    tls.settimeout(20)
    return raw, tls, key


def moved(before, **expected):
    """Check that these counters moved by so much."""
    now = ktls.tls_stat()
    ktap.equal({n: now[n] - before[n] for n in expected}, expected, "counters")


def change(tls, name):
    """Give tls a new key for a direction; returns the peer's."""
    key = ktls.Key("aes-128-gcm", ktls.TLS13)
    tls.setsockopt(ktls.SOL_TLS, name, key.crypto_info())
    return key


def expired(tls):
    """The socket waits for its next key: it is not readable, and a read fails with
    EKEYEXPIRED."""
    ktap.equal(select.select([tls], [], [], 0)[0], [], "readable")
    tls.settimeout(None)
    ktap.fails(errno.EKEYEXPIRED, tls.recv, 1)


@ktap.case()
def behind_another_message():
    """A KeyUpdate that shares its record with a ticket is recognised."""
    raw, tls, key = pair("rx")
    before = ktls.tls_stat()
    raw.sendall(key.seal(TICKET + ktls.KEY_UPDATE, ktls.HANDSHAKE))
    ktap.equal(ktls.recv_record(tls), (ktls.HANDSHAKE,
                                       TICKET + ktls.KEY_UPDATE), "record")
    expired(tls)
    moved(before, TlsRxRekeyReceived=1)
    new = change(tls, ktls.TLS_RX)
    raw.sendall(new.seal(b"new key"))
    ktap.equal(tls.recv(99), b"new key", "payload")
    moved(before, TlsRxRekeyReceived=1, TlsRxRekeyOk=1, TlsRxRekeyError=0)


@ktap.case()
def no_false_alarm():
    """A ticket that contains the bytes of a KeyUpdate is not taken for one."""
    raw, tls, key = pair("rx")
    raw.sendall(key.seal(TICKET, ktls.HANDSHAKE) + key.seal(b"on"))
    ktap.equal(ktls.recv_record(tls), (ktls.HANDSHAKE, TICKET), "record")
    ktap.equal(tls.recv(99), b"on", "payload")


@ktap.case()
def cut_by_records():
    """A ticket spans two records, and a KeyUpdate is behind it in the second: it is
    recognised."""
    raw, tls, key = pair("rx")
    raw.sendall(key.seal(TICKET[:3], ktls.HANDSHAKE) +
                key.seal(TICKET[3:] + ktls.KEY_UPDATE, ktls.HANDSHAKE))
    ktls.recv_record(tls)
    ktls.recv_record(tls)
    expired(tls)


@ktap.case()
def old_key_survives():
    """A new key of another version or cipher is refused, and the old key stays."""
    raw, tls, key = pair("tx")
    before = ktls.tls_stat()
    info = bytearray(ktls.Key("aes-128-gcm", ktls.TLS12).crypto_info())
    ktap.fails(errno.EINVAL, tls.setsockopt, ktls.SOL_TLS, ktls.TLS_TX, bytes(info))
    other = ktls.Key("aes-256-gcm", ktls.TLS13)
    ktap.fails(errno.EINVAL, tls.setsockopt, ktls.SOL_TLS, ktls.TLS_TX,
          other.crypto_info())
    tls.send(b"old key")
    ktap.equal(key.open(raw.recv(99)), (ktls.DATA, b"old key"), "record")
    moved(before, TlsTxRekeyError=2, TlsTxRekeyOk=0)


@ktap.case()
def open_record_keeps_its_key():
    """Data that MSG_MORE holds has the key that was in force when it was written."""
    raw, tls, key = pair("tx")
    tls.send(b"before", socket.MSG_MORE)
    new = change(tls, ktls.TLS_TX)
    tls.send(b"after")
    stream = b""
    while len(ktls.split(stream)[0]) < 2:
        stream += raw.recv(999)
    first, second = ktls.split(stream)[0]
    ktap.equal(key.open(first), (ktls.DATA, b"before"), "first")
    ktap.equal(new.open(second), (ktls.DATA, b"after"), "second")


@ktap.case(timeout=120)
def hundred_updates():
    """A hundred new keys for receiving, while data flows: all data is right."""
    raw, tls, key = pair("rx")
    for i in range(100):
        data = os.urandom(5000 + i)
        raw.sendall(key.seal(data) + key.seal(ktls.KEY_UPDATE, ktls.HANDSHAKE))
        got = b""
        while len(got) < len(data):
            got += tls.recv(len(data))
        ktap.equal(got, data, f"payload {i}")
        ktap.equal(ktls.recv_record(tls)[0], ktls.HANDSHAKE, "type")
        key = change(tls, ktls.TLS_RX)


if __name__ == "__main__":
    ktap.main()
