#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS 1.3 KeyUpdate with every cipher: the key of each record, the results of read and poll
between the KeyUpdate and the new key, and the counters."""
import errno
import select
import socket
import struct
import threading
import time

import ktap
import ktls

COUNTERS = """
TlsRxRekeyOk TlsRxRekeyError TlsTxRekeyOk TlsTxRekeyError
TlsRxRekeyReceived""".split()
TICKET = bytes([4, 0, 0, 40]) + bytes(40)
UPDATE = (ktls.HANDSHAKE, ktls.KEY_UPDATE)


class Link:
    """A raw TCP socket and a TLS 1.3 socket, and the counters since the object was made."""

    def __init__(self, cipher="aes-128-gcm", tx=True, rx=True):
        self.cipher = cipher
        self.before = ktls.tls_stat()
        self.raw, self.tls = ktls.tcp_pair()
        for end in (self.raw, self.tls):
            ktap.defer(end.close)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                           struct.pack("ll", 10, 0))
        self.tx = self.new_key() if tx else None
        self.rx = self.new_key() if rx else None
        ktls.attach(self.tls, tx and self.tx.clone(), rx and self.rx.clone())

    def new_key(self):
        return ktls.Key(self.cipher, ktls.TLS13)

    def set(self, option, key):
        self.tls.setsockopt(ktls.SOL_TLS, option, key.crypto_info())

    def rekey_rx(self):
        self.rx = self.new_key()
        self.set(ktls.TLS_RX, self.rx)

    def rekey_tx(self):
        self.tx = self.new_key()
        self.set(ktls.TLS_TX, self.tx)

    def send(self, *records):
        """Send these sealed records in one segment."""
        self.raw.sendall(b"".join(records))

    def expired(self, flags=0):
        """A read fails with EKEYEXPIRED."""
        try:
            got = self.tls.recv(1 << 15, flags)
        except OSError as err:
            ktap.equal(err.errno, errno.EKEYEXPIRED, "error")
        else:
            raise AssertionError(f"read {got!r} without a key")

    def events(self, timeout=0):
        poll = select.poll()
        poll.register(self.tls, select.POLLIN)
        return [event for _, event in poll.poll(timeout)]

    def received(self, *wanted):
        """The TLS socket's next records are these (type, data)."""
        for one in wanted:
            ktap.equal(ktls.recv_record(self.tls), one, "record")

    def arrived(self, *keys):
        """[(type, data)] of the next records at the raw end, opened with these keys in
        turn."""
        stream, got = b"", []
        while len(got) < len(keys):
            chunk = self.raw.recv(1 << 16)
            if not chunk:
                raise AssertionError("the stream ended")
            whole, stream = ktls.split(stream + chunk)
            for record in whole:
                got.append(keys[len(got)].open(record))
        return got

    def counted(self, **wanted):
        """Check that exactly these of the five counters changed."""
        now = ktls.tls_stat()
        got = {name: now[name] - self.before[name] for name in COUNTERS}
        ktap.equal(got, dict.fromkeys(COUNTERS, 0) | wanted, "counters")


def receive(cipher):
    """Data, a KeyUpdate, and data with the new key: all is read in order, and reads between
    the KeyUpdate and the new key fail with EKEYEXPIRED."""
    link = Link(cipher, tx=False)
    link.send(link.rx.seal(b"old"), link.rx.seal(*UPDATE[::-1]))
    link.received((ktls.DATA, b"old"), UPDATE)
    for _ in range(2):
        link.expired()
        link.expired(socket.MSG_DONTWAIT)
        link.expired(socket.MSG_PEEK)
    link.counted(TlsRxRekeyReceived=1)
    link.rekey_rx()
    link.send(link.rx.seal(b"new"))
    link.received((ktls.DATA, b"new"))
    link.counted(TlsRxRekeyReceived=1, TlsRxRekeyOk=1)


def send(cipher):
    """A record has the key that was in force when it was written, also a record that
    MSG_MORE held open."""
    link = Link(cipher, rx=False)
    old = link.tx
    link.tls.sendall(b"one")
    link.tls.send(b"held", socket.MSG_MORE)
    ktls.send_record(link.tls, ktls.KEY_UPDATE, ktls.HANDSHAKE)
    link.tls.send(b"left open", socket.MSG_MORE)
    link.rekey_tx()
    link.tls.sendall(b"two")
    ktap.equal(link.arrived(old, old, old, old, link.tx),
               [(ktls.DATA, b"one"), (ktls.DATA, b"held"), UPDATE,
                (ktls.DATA, b"left open"), (ktls.DATA, b"two")], "records")
    link.counted(TlsTxRekeyOk=1)


@ktap.case()
def open_record_and_no_room():
    """A new key is set while MSG_MORE holds a record open and TCP's buffer is full: the key
    is taken, and the open record is sent with the old key."""
    link = Link(rx=False)
    link.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.tls.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    old, sent = link.tx, 0
    while sent < 1 << 20:
        try:
            sent += link.tls.send(bytes(20000), socket.MSG_MORE | socket.MSG_DONTWAIT)
        except BlockingIOError:
            break
    link.rekey_tx()
    ktap.equal(sum(len(data) for _, data in ktls.drain(link.raw, old, sent)), sent,
               "bytes with the old key")
    link.tls.sendall(b"new")
    ktap.equal(ktls.drain(link.raw, link.tx, 3), [(ktls.DATA, b"new")], "then")


@ktap.case()
def queued_behind_the_update():
    """Records of the new key are in the queue before the key is set: poll reports nothing
    until then, and nothing is lost."""
    link = Link()
    after = link.new_key()
    link.send(link.rx.seal(b"old"), link.rx.seal(*UPDATE[::-1]),
              after.seal(b"new"))
    link.received((ktls.DATA, b"old"), UPDATE)
    ktap.equal(link.events(), [], "events without a key")
    link.expired()
    link.set(ktls.TLS_RX, after.clone())
    ktap.equal(link.events(1000), [select.POLLIN], "events with it")
    link.received((ktls.DATA, b"new"))


@ktap.case()
def poll_wakes_up():
    """A thread that sleeps in poll wakes up when the key is set."""
    link = Link()
    after = link.new_key()
    link.send(link.rx.seal(*UPDATE[::-1]), after.seal(b"new"))
    link.received(UPDATE)
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(link.events(20000)))
    thread.start()
    time.sleep(0.3)
    ktap.equal(seen, [], "events without a key")
    begin = time.monotonic()
    link.set(ktls.TLS_RX, after.clone())
    thread.join()
    ktap.equal(seen, [select.POLLIN], "events")
    if time.monotonic() - begin > 10:
        raise AssertionError("the poller slept on")


@ktap.case()
def both_directions():
    """Fifty new keys in each direction: all data is right."""
    link = Link()
    for number in range(50):
        data = b"%d" % number * 500
        link.send(link.rx.seal(data), link.rx.seal(*UPDATE[::-1]))
        link.received((ktls.DATA, data), UPDATE)
        link.rekey_rx()
        link.tls.sendall(data)
        ktap.equal(link.arrived(link.tx), [(ktls.DATA, data)], "record")
        link.rekey_tx()
    link.counted(TlsRxRekeyReceived=50, TlsRxRekeyOk=50, TlsTxRekeyOk=50)


@ktap.case()
def failures_change_nothing():
    """A new key of another version or cipher is refused and counted, and the old key stays."""
    link = Link()
    for option in (ktls.TLS_TX, ktls.TLS_RX):
        for other in (ktls.Key("aes-256-gcm", ktls.TLS13),
                      ktls.Key("aes-128-gcm", ktls.TLS12)):
            try:
                link.set(option, other)
            except OSError as err:
                ktap.equal(err.errno, errno.EINVAL, "error")
            else:
                raise AssertionError("a key of another kind was taken")
    link.counted(TlsTxRekeyError=2, TlsRxRekeyError=2)
    link.send(link.rx.seal(b"in"))
    link.received((ktls.DATA, b"in"))
    link.tls.sendall(b"out")
    ktap.equal(link.arrived(link.tx), [(ktls.DATA, b"out")], "record")


@ktap.case()
def wrong_new_key():
    """Data that is sealed with a key other than the new one ends the stream with EBADMSG."""
    link = Link()
    link.send(link.rx.seal(*UPDATE[::-1]))
    link.received(UPDATE)
    link.rekey_rx()
    link.send(link.new_key().seal(b"not for us"))
    for _ in range(2):
        try:
            got = link.tls.recv(99)
        except OSError as err:
            ktap.equal(err.errno, errno.EBADMSG, "error")
        else:
            raise AssertionError(f"read {got!r}")


def cut(first, second):
    """A KeyUpdate that shares its record with another message, or that spans two records,
    is recognised: reads need a new key from there on."""
    link = Link()
    after = link.new_key()
    link.send(*(link.rx.seal(part, ktls.HANDSHAKE) for part in (first, second)
                if part), after.seal(b"new"))
    for part in (first, second):
        if part:
            link.received((ktls.HANDSHAKE, part))
    link.expired()
    link.counted(TlsRxRekeyReceived=1)
    link.set(ktls.TLS_RX, after.clone())
    link.received((ktls.DATA, b"new"))


def begun(part):
    """A record ends in the middle of a KeyUpdate: reads need a new key, and the message's
    missing rest is not looked for in the records of the new key."""
    link = Link()
    for _ in range(2):
        link.send(link.rx.seal(part, ktls.HANDSHAKE))
        link.received((ktls.HANDSHAKE, part))
        link.expired()
        link.rekey_rx()
        link.send(link.rx.seal(TICKET, ktls.HANDSHAKE), link.rx.seal(b"new"))
        link.received((ktls.HANDSHAKE, TICKET), (ktls.DATA, b"new"))
    link.counted(TlsRxRekeyReceived=2, TlsRxRekeyOk=2)


@ktap.case()
def looks_like_one():
    """The bytes of a KeyUpdate inside a ticket, as data or in an alert are no KeyUpdate."""
    link = Link()
    fake = bytes([4, 0, 0, 40]) + (ktls.KEY_UPDATE * 8)
    records = [(ktls.HANDSHAKE, fake), (ktls.DATA, ktls.KEY_UPDATE),
               (ktls.ALERT, ktls.KEY_UPDATE), (ktls.DATA, b"go on")]
    for kind, data in records:
        link.send(link.rx.seal(data, kind))
    link.received(*records)
    link.counted()


@ktap.case()
def none_in_12():
    """TLS 1.2 has no KeyUpdate: a handshake record with those bytes is read like any other."""
    key = ktls.Key()
    raw, tls = ktls.tcp_pair()
    ktap.defer(raw.close)
    ktap.defer(tls.close)
    ktls.attach(tls, rx=key.clone())
    raw.sendall(key.seal(*UPDATE[::-1]) + key.seal(b"go on"))
    ktap.equal(ktls.recv_record(tls), UPDATE, "record")
    ktap.equal(tls.recv(99), b"go on", "data")


@ktap.case()
def peeked():
    """MSG_PEEK shows a KeyUpdate again and again, and leaves it; records behind it cannot
    be read without a new key."""
    link = Link()
    after = link.new_key()
    link.send(link.rx.seal(*UPDATE[::-1]), after.seal(b"new"))
    for flags in (socket.MSG_PEEK, socket.MSG_PEEK, 0):
        ktap.equal(ktls.recv_record(link.tls, flags=flags), UPDATE, "record")
    link.expired()
    link.counted(TlsRxRekeyReceived=1)
    link.set(ktls.TLS_RX, after.clone())
    link.received((ktls.DATA, b"new"))


def main():
    for cipher in ktls.CIPHERS:
        ktap.add(f"receive {cipher}", receive, cipher)
        ktap.add(f"send {cipher}", send, cipher)
    message = ktls.KEY_UPDATE
    ktap.add("ticket before it", cut, TICKET + message, b"")
    ktap.add("ticket ends before it", cut, TICKET[:9], TICKET[9:] + message)
    for size in range(1, len(message)):
        ktap.add(f"{size} bytes of one", begun, message[:size])
    ktap.main()


main()
