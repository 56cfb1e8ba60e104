#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The kernel owns KeyUpdate: from the traffic secrets of a connection it derives the next
keys, answers requests, and renews its own keys before their limit. The test itself plays
the peer, byte by byte. The argument is the number of KeyUpdates in the long cases."""
import errno
import os
import select
import socket
import struct
import sys
import threading
import time

import ktap
import ktls

TICKET = bytes([4, 0, 0, 5, 24, 0, 0, 1, 0])    # its content looks like a KeyUpdate
ROUNDS = int(sys.argv.pop(1)) if sys.argv[1:] and sys.argv[1].isdigit() else 100
UNEXPECTED, ILLEGAL, DECODE = 10, 47, 50        # alerts
TCPI_UNACKED, TCPI_SND_WND = 24, 228            # offsets in struct tcp_info
WARN, LIMIT = 17794925, 23726566                # records of AES-GCM: 3/4 of the limit, the limit


class Peer:
    """The far end, which has both secrets. `near` is the kernel's socket."""

    def __init__(self, cipher="aes-128-gcm", secrets=True, seq=0):
        self.out, self.back = ktls.Traffic(cipher, seq), ktls.Traffic(cipher, seq)
        self.raw, self.near = ktls.tcp_pair()
        ktap.defer(self.raw.close)
        ktap.defer(self.near.close)
        for end in (self.raw, self.near):
            end.settimeout(60)
        ktls.attach(self.near, tx=self.back, rx=self.out)
        if secrets:
            give(self.near, ktls.TLS_EXT_TX_SECRET, self.back)
            give(self.near, ktls.TLS_EXT_RX_SECRET, self.out)
        self.stream = b""
        self.most = seq     # most records under one key so far

    def send(self, data, kind=ktls.DATA):
        self.raw.sendall(self.out.seal(data, kind))

    def update(self, message=ktls.KEY_UPDATE):
        """Send a KeyUpdate; later records have the next key."""
        self.send(message, ktls.HANDSHAKE)
        self.out.update()

    def fill(self):
        """Make the kernel's socket send until TCP is full, and stays full while the peer
        does not read: the peer's window is closed, and all bytes on the wire are
        acknowledged. Returns the number of bytes of data."""
        self.near.setblocking(False)
        sent, more = 0, 1
        while more or not self.closed():
            more = 0
            try:
                while True:
                    more += self.near.send(bytes(16000))
            except BlockingIOError:
                sent += more
            time.sleep(0.01)
        self.near.settimeout(60)
        return sent

    def closed(self):
        """The peer's window is closed, and no byte is on its way to the peer."""
        info = self.near.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        unacked, = struct.unpack_from("=I", info, TCPI_UNACKED)
        window, = struct.unpack_from("=I", info, TCPI_SND_WND)
        return not unacked and not window

    def drain(self, size):
        """Read this many bytes of data."""
        while size > 0:
            kind, data = self.receive()
            ktap.equal(kind, ktls.DATA, "type")
            size -= len(data)
        ktap.equal(size, 0, "bytes too few")

    def receive(self):
        """(type, data) of the next record; a KeyUpdate changes the key."""
        while not ktls.split(self.stream)[0]:
            more = self.raw.recv(1 << 16)
            if not more:
                raise AssertionError("the stream ended")
            self.stream += more
        end = 5 + int.from_bytes(self.stream[3:5], "big")
        record, self.stream = self.stream[:end], self.stream[end:]
        kind, data = self.back.open(record)
        self.most = max(self.most, self.back.seq)
        if kind == ktls.HANDSHAKE and data[:1] == ktls.KEY_UPDATE[:1]:
            self.back.update()
        return kind, data

    def expect(self, *records):
        """The next records are these."""
        for record in records:
            ktap.equal(self.receive(), record, "record of the kernel")


def give(sock, name, traffic):
    sock.setsockopt(ktls.SOL_TLS, name, traffic.ext_secret())


def limits(sock, name=ktls.TLS_EXT_TX_LIMITS, **values):
    sock.setsockopt(ktls.SOL_TLS, name, ktls.ext_limits(**values))


def moved(before, **expected):
    """Check that these counters moved by so much."""
    now = ktls.tls_stat()
    ktap.equal({n: now[n] - before[n] for n in expected}, expected, "counters")


def hears(sock, data):
    """Check that these bytes arrive."""
    got = b""
    while len(got) < len(data):
        more = sock.recv(len(data) - len(got))
        if not more:
            break
        got += more
    ktap.equal(got, data, "payload")


def refused(option, error, value, sock):
    ktap.fails(error, sock.setsockopt, ktls.SOL_TLS, option, value)


@ktap.case(timeout=90)
def state_and_errors():
    """A secret is accepted only if it belongs to the key in force, wrong values give
    errors, and a secret cannot be read back."""
    peer = Peer(secrets=False)
    before, near = ktls.tls_stat(), peer.near
    ktap.equal((ktls.key_state(near)["hash"], ktls.key_state(near)["limit"]), (0, LIMIT),
               "state without a secret")
    refused(ktls.TLS_EXT_RX_SECRET, errno.ENOKEY, peer.out.ext_secret(), near)
    refused(ktls.TLS_EXT_TX_SECRET, errno.EKEYREJECTED, peer.out.ext_secret(), near)
    refused(ktls.TLS_EXT_TX_SECRET, errno.EINVAL, peer.back.ext_secret()[:-1], near)
    refused(ktls.TLS_EXT_TX_SECRET, errno.EINVAL,
            struct.pack("=I48s", 2, peer.back.secret), near)
    refused(ktls.TLS_EXT_TX_SECRET, errno.EINVAL,
            struct.pack("=I48s", 9, peer.back.secret), near)
    refused(ktls.TLS_EXT_KEY_UPDATE, errno.ENOKEY, struct.pack("=I", 0), near)
    refused(ktls.TLS_EXT_TX_LIMITS, errno.EINVAL, ktls.ext_limits(records=63), near)
    refused(ktls.TLS_EXT_TX_LIMITS, errno.EINVAL, ktls.ext_limits(flags=2), near)
    give(near, ktls.TLS_EXT_TX_SECRET, peer.back)
    give(near, ktls.TLS_EXT_RX_SECRET, peer.out)
    refused(ktls.TLS_EXT_KEY_UPDATE, errno.EINVAL, struct.pack("=I", 2), near)
    for name, traffic in ((ktls.TLS_EXT_TX_SECRET, peer.back),
                          (ktls.TLS_EXT_RX_SECRET, peer.out)):
        ktap.equal(ktls.key_state(near, name)["hash"], 1, "hash")
        raw = near.getsockopt(ktls.SOL_TLS, name, 56)
        ktap.equal((len(raw), traffic.secret[:8] in raw), (32, False), "read back")
    near.send(b"x")
    peer.expect((ktls.DATA, b"x"))
    ktap.equal(ktls.key_state(near)["records"], 1, "records")
    moved(before, TlsTxKeyUpdate=0, TlsRxKeyUpdate=0)


@ktap.case(timeout=90)
def wrong_sockets():
    """A secret for a socket without a key gives ENOKEY, one for TLS 1.2 gives EINVAL."""
    secret = ktls.Traffic()
    raw, near = ktls.tcp_pair()
    ktap.defer(raw.close)
    ktap.defer(near.close)
    near.setsockopt(socket.IPPROTO_TCP, ktls.TCP_ULP, b"tls")
    for option in (ktls.TLS_EXT_TX_SECRET, ktls.TLS_EXT_RX_SECRET):
        refused(option, errno.ENOKEY, secret.ext_secret(), near)
        ktap.fails(errno.ENOKEY, ktls.key_state, near, option)
    near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX,
                    ktls.Key("aes-128-gcm", ktls.TLS12).crypto_info())
    refused(ktls.TLS_EXT_TX_SECRET, errno.EINVAL, secret.ext_secret(), near)


def receive_many(cipher, rounds):
    """The peer sends ROUNDS KeyUpdates: the program reads data only, and meets neither a
    KeyUpdate nor EKEYEXPIRED."""
    peer, before = Peer(cipher), ktls.tls_stat()
    for number in range(rounds):
        data = os.urandom(100 + number * 37 % 17000)
        for at in range(0, len(data), ktls.MAX_PLAIN):
            peer.send(data[at:at + ktls.MAX_PLAIN])
        peer.update()
        hears(peer.near, data)
    peer.send(b"end")
    hears(peer.near, b"end")
    moved(before, TlsRxKeyUpdate=rounds, TlsRxRekeyReceived=rounds, TlsRxRekeyOk=rounds,
          TlsDecryptError=0, TlsTxKeyUpdate=0)
    ktap.equal(ktls.key_state(peer.near, ktls.TLS_EXT_RX_SECRET)["updates"], rounds,
               "updates")


def answer_many(cipher, rounds):
    """Each of ROUNDS KeyUpdates of the peer requests one: the kernel answers each, and both
    directions go on."""
    peer, before = Peer(cipher), ktls.tls_stat()
    for number in range(rounds):
        peer.update(ktls.KEY_UPDATE_ASKS)
        peer.send(b"question %d" % number)
        hears(peer.near, b"question %d" % number)
        peer.expect((ktls.HANDSHAKE, ktls.KEY_UPDATE))
        peer.near.send(b"answer %d" % number)
        peer.expect((ktls.DATA, b"answer %d" % number))
    moved(before, TlsRxKeyUpdate=rounds, TlsTxKeyUpdate=rounds, TlsTxRekeyOk=rounds,
          TlsDecryptError=0)


@ktap.case(timeout=90)
def requests_are_joined():
    """A peer that does not read sends twenty KeyUpdates with requests: they get one answer,
    or two if the first was already under way."""
    peer, before = Peer(), ktls.tls_stat()
    sent = peer.fill()
    for _ in range(20):
        peer.update(ktls.KEY_UPDATE_ASKS)
    peer.send(b"end")
    hears(peer.near, b"end")
    moved(before, TlsRxKeyUpdate=20)
    got = answers = 0
    while got < sent or not answers:
        kind, data = peer.receive()
        got += len(data) if kind == ktls.DATA else 0
        answers += kind == ktls.HANDSHAKE
    peer.near.send(b"behind")
    while (record := peer.receive()) != (ktls.DATA, b"behind"):
        ktap.equal(record, (ktls.HANDSHAKE, ktls.KEY_UPDATE), "record")
        answers += 1
    ktap.equal(answers in (1, 2), True, f"{answers} answers to 20 requests")
    moved(before, TlsTxKeyUpdate=answers)


@ktap.case(timeout=90)
def on_request():
    """TLS_EXT_KEY_UPDATE renews the key, with and without a request to the peer."""
    peer, before = Peer(), ktls.tls_stat()
    for value, message in ((0, ktls.KEY_UPDATE), (1, ktls.KEY_UPDATE_ASKS)):
        peer.near.send(b"before")
        peer.near.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_KEY_UPDATE, value)
        peer.near.send(b"after")
        peer.expect((ktls.DATA, b"before"), (ktls.HANDSHAKE, message),
                    (ktls.DATA, b"after"))
    peer.update()
    peer.send(b"renewed")
    hears(peer.near, b"renewed")
    moved(before, TlsTxKeyUpdate=2, TlsRxKeyUpdate=1)


@ktap.case(timeout=90)
def open_record_keeps_its_key():
    """Data that MSG_MORE holds has the key that was in force when it was written."""
    peer = Peer()
    peer.near.send(b"held", socket.MSG_MORE)
    peer.update(ktls.KEY_UPDATE_ASKS)
    peer.send(b"x")
    hears(peer.near, b"x")
    peer.expect((ktls.DATA, b"held"), (ktls.HANDSHAKE, ktls.KEY_UPDATE))
    peer.near.send(b"after")
    peer.expect((ktls.DATA, b"after"))


@ktap.case(timeout=90)
def by_age():
    """A key that is used is renewed when it reaches its age limit; an unused key is not."""
    peer, before = Peer(), ktls.tls_stat()
    limits(peer.near, age_ms=300)
    time.sleep(0.7)
    moved(before, TlsTxKeyUpdate=0)
    peer.near.send(b"used")
    peer.expect((ktls.DATA, b"used"), (ktls.HANDSHAKE, ktls.KEY_UPDATE))
    moved(before, TlsTxKeyUpdate=1)
    time.sleep(0.7)
    moved(before, TlsTxKeyUpdate=1)
    peer.near.send(b"again")
    peer.expect((ktls.DATA, b"again"), (ktls.HANDSHAKE, ktls.KEY_UPDATE))


def before_limit(cipher):
    """With a limit of 64 records, no key protects more than 64 records, and at least 48."""
    peer, before = Peer(cipher), ktls.tls_stat()
    limits(peer.near, records=64)
    data = os.urandom(1000)
    peer.near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX_MAX_PAYLOAD_LEN, struct.pack("=H", 64))
    reader = []

    def read():
        while sum(map(len, reader)) < 20 * len(data):
            kind, got = peer.receive()
            if kind == ktls.DATA:
                reader.append(got)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    for _ in range(20):
        peer.near.sendall(data)
    thread.join(60)
    ktap.equal(b"".join(reader) == data * 20, True, "payload arrived whole")
    updates = ktls.tls_stat()["TlsTxKeyUpdate"] - before["TlsTxKeyUpdate"]
    print(f"# {updates} KeyUpdates, at most {peer.most} records with one key")
    ktap.equal((48 <= peer.most <= 64, updates > 4), (True, True), "records with one key")
    moved(before, TlsTxKeyNearLimit=0, TlsTxKeyLimit=0)


@ktap.case(timeout=90)
def limit_without_secret():
    """Without a secret, the limit is only counted. With the option STRICT, sends fail with
    EKEYEXPIRED at the limit, until the program has sent its own KeyUpdate and set a key."""
    peer, before = Peer(secrets=False, seq=WARN - 1), ktls.tls_stat()
    for _ in range(3):
        peer.near.send(b"data")
    moved(before, TlsTxKeyNearLimit=1, TlsTxKeyLimit=0)
    peer, before = Peer(secrets=False), ktls.tls_stat()
    limits(peer.near, records=128, flags=ktls.STRICT)
    number = 0
    try:
        while number < 129:
            peer.near.send(b"%d" % number)
            number += 1
    except OSError as err:
        ktap.equal(err.errno, errno.EKEYEXPIRED, "error at the limit")
    print(f"# error after {number} records")
    ktap.equal(96 < number <= 128, True, "records before the error")
    ktap.fails(errno.EKEYEXPIRED, peer.near.send, b"more")
    moved(before, TlsTxKeyNearLimit=1)
    ktls.send_record(peer.near, ktls.KEY_UPDATE, ktls.HANDSHAKE)
    key = ktls.Key("aes-128-gcm", ktls.TLS13)
    peer.near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, key.crypto_info())
    peer.expect(*[(ktls.DATA, b"%d" % i) for i in range(number)],
                (ktls.HANDSHAKE, ktls.KEY_UPDATE))
    peer.back = key
    peer.near.send(b"new key")
    peer.expect((ktls.DATA, b"new key"))


@ktap.case(timeout=90)
def limit_of_received_records():
    """Near the limit of the peer's key, the kernel requests a KeyUpdate. Without a secret
    and with STRICT, reads fail with EKEYEXPIRED at the limit."""
    peer, before = Peer(), ktls.tls_stat()
    limits(peer.near, ktls.TLS_EXT_RX_LIMITS, records=64)
    for number in range(60):
        peer.send(b"%02d" % number)
        hears(peer.near, b"%02d" % number)
    peer.expect((ktls.HANDSHAKE, ktls.KEY_UPDATE_ASKS))
    moved(before, TlsRxKeyNearLimit=1, TlsTxKeyUpdate=1)
    peer.update()
    peer.send(b"new key")
    hears(peer.near, b"new key")
    peer, before = Peer(secrets=False), ktls.tls_stat()
    limits(peer.near, ktls.TLS_EXT_RX_LIMITS, records=64, flags=ktls.STRICT)
    for number in range(65):
        peer.send(b"%02d" % number)
    for number in range(64):
        hears(peer.near, b"%02d" % number)
    peer.near.settimeout(None)
    ktap.fails(errno.EKEYEXPIRED, peer.near.recv, 9)
    moved(before, TlsRxKeyNearLimit=1, TlsRxKeyLimit=1)


def ends(peer, alert):
    """Reads and sends fail with EPROTO for good, and the peer gets this alert."""
    for _ in range(2):
        ktap.fails(errno.EPROTO, peer.near.recv, 99)
    while (record := peer.receive())[0] == ktls.HANDSHAKE:
        pass
    ktap.equal(record, (ktls.ALERT, bytes([2, alert])), "alert")
    ktap.fails(errno.EPROTO, peer.near.send, b"more")


@ktap.case(timeout=90)
def flood_in_a_row():
    """The peer sends 33 KeyUpdates with no other record in between, more than allowed:
    EPROTO, and an alert."""
    peer, before = Peer(), ktls.tls_stat()
    for _ in range(33):
        peer.update()
    ends(peer, UNEXPECTED)
    moved(before, TlsRxKeyUpdate=32, TlsRxKeyUpdateRefused=1)


@ktap.case(timeout=90)
def flood_per_second():
    """The peer sends more KeyUpdates per second than the program allows, with data in
    between: EPROTO, and an alert."""
    peer, before = Peer(), ktls.tls_stat()
    limits(peer.near, ktls.TLS_EXT_RX_LIMITS, per_second=2)
    for _ in range(18):
        peer.update()
        peer.send(b"")
    ends(peer, UNEXPECTED)
    moved(before, TlsRxKeyUpdateRefused=1)


def refuse(content, alert):
    """The peer sends a record with handshake messages that are not allowed: EPROTO, and
    this alert."""
    peer, before = Peer(), ktls.tls_stat()
    peer.send(b"before")
    hears(peer.near, b"before")
    peer.send(content, ktls.HANDSHAKE)
    ends(peer, alert)
    moved(before, TlsRxKeyUpdateRefused=1, TlsRxKeyUpdate=0, TlsDecryptError=0)


@ktap.case(timeout=90)
def behind_a_ticket():
    """A record holds a ticket and a KeyUpdate: the program reads the ticket, and the kernel
    follows the KeyUpdate."""
    peer = Peer()
    peer.send(TICKET + ktls.KEY_UPDATE, ktls.HANDSHAKE)
    peer.out.update()
    peer.send(b"data")
    ktap.equal(ktls.recv_record(peer.near), (ktls.HANDSHAKE, TICKET), "record")
    hears(peer.near, b"data")


@ktap.case(timeout=90)
def cut_by_records():
    """A KeyUpdate spans two records, both with the old key: the kernel uses the next key
    behind them."""
    peer, before = Peer(), ktls.tls_stat()
    for cut in range(1, 5):
        peer.send(TICKET + ktls.KEY_UPDATE_ASKS[:cut], ktls.HANDSHAKE)
        peer.send(ktls.KEY_UPDATE_ASKS[cut:], ktls.HANDSHAKE)
        peer.out.update()
        peer.send(b"%d" % cut)
        ktap.equal(ktls.recv_record(peer.near), (ktls.HANDSHAKE, TICKET), "record")
        hears(peer.near, b"%d" % cut)
        peer.expect((ktls.HANDSHAKE, ktls.KEY_UPDATE))
    moved(before, TlsRxKeyUpdate=4, TlsTxKeyUpdate=4)


@ktap.case(timeout=90)
def readers_wake():
    """poll, MSG_PEEK and splice find data behind a KeyUpdate without an error."""
    peer = Peer()
    for number in range(20):
        peer.update()
        peer.send(b"polled")
        ktap.equal(select.select([peer.near], [], [], 20)[0], [peer.near], "readable")
        hears(peer.near, b"polled")
    peer.update()
    peer.send(b"peeked")
    ktap.equal(peer.near.recv(99, socket.MSG_PEEK), b"peeked", "peek")
    hears(peer.near, b"peeked")
    reading, writing = os.pipe()
    ktap.defer(os.close, reading)
    ktap.defer(os.close, writing)
    peer.near.setblocking(True)
    peer.update()
    peer.send(b"spliced")
    ktap.equal(os.splice(peer.near.fileno(), writing, 99), 7, "splice")
    ktap.equal(os.read(reading, 99), b"spliced", "splice")


@ktap.case(timeout=90)
def silent_reader():
    """A program waits in recv() for data: requests of the peer are answered all the same."""
    peer = Peer()
    thread = threading.Thread(target=hears, args=(peer.near, b"end"), daemon=True)
    thread.start()
    for _ in range(5):
        peer.update(ktls.KEY_UPDATE_ASKS)
        peer.expect((ktls.HANDSHAKE, ktls.KEY_UPDATE))
    peer.send(b"end")
    thread.join(60)
    ktap.equal(thread.is_alive(), False, "reader waits")


@ktap.case(timeout=90)
def library_that_renews():
    """A program sends a KeyUpdate itself, and then sets the next key or does not: the
    kernel has switched to the same key in both cases, and keeps the secret."""
    peer, before = Peer(), ktls.tls_stat()
    for number in range(4):
        ktls.send_record(peer.near, ktls.KEY_UPDATE, ktls.HANDSHAKE)
        peer.near.send(b"%d" % number)
        peer.expect((ktls.HANDSHAKE, ktls.KEY_UPDATE))
        if number % 2:
            peer.near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, peer.back.crypto_info())
        peer.expect((ktls.DATA, b"%d" % number))
    ktls.send_record(peer.near, TICKET, ktls.HANDSHAKE)
    peer.expect((ktls.HANDSHAKE, TICKET))
    ktap.equal(ktls.key_state(peer.near)["updates"], 4, "updates")
    moved(before, TlsTxKeyUpdate=4)


@ktap.case(timeout=90)
def taken_back():
    """A program sets a key that is not the kernel's next: the kernel forgets the secrets,
    and the program renews the keys from then on. A secret of hash 0 does the same for one
    direction."""
    peer = Peer()
    key = ktls.Key("aes-128-gcm", ktls.TLS13)
    peer.near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, key.crypto_info())
    for name in (ktls.TLS_EXT_TX_SECRET, ktls.TLS_EXT_RX_SECRET):
        ktap.equal(ktls.key_state(peer.near, name)["hash"], 0, "hash")
    peer.update()
    ktap.equal(ktls.recv_record(peer.near)[0], ktls.HANDSHAKE, "type")
    peer.near.settimeout(None)
    ktap.fails(errno.EKEYEXPIRED, peer.near.recv, 9)
    second = Peer()
    none = struct.pack("=I48s", 0, b"")
    second.near.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_RX_SECRET, none)
    states = [ktls.key_state(second.near, name)["hash"] for name in
              (ktls.TLS_EXT_TX_SECRET, ktls.TLS_EXT_RX_SECRET)]
    ktap.equal(states, [1, 0], "hashes")


def records_wait(peer, before):
    """Fill TCP, then ask for KeyUpdates until one has to wait. (TCP takes a few more small
    records when it is full.) Returns (bytes of data, KeyUpdates behind them)."""
    sent, now = peer.fill(), ktls.tls_stat()
    while True:
        last = now
        peer.near.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_KEY_UPDATE, 0)
        now = ktls.tls_stat()
        if (now["TlsTxKeyUpdate"] == last["TlsTxKeyUpdate"] or
                now["TlsTxPushLater"] > last["TlsTxPushLater"]):
            return sent, now["TlsTxKeyUpdate"] - before["TlsTxKeyUpdate"]


@ktap.case(timeout=90)
def records_cut_after_secret_is_taken_back():
    """A KeyUpdate that was asked for and is not sent yet is forgotten with the secret:
    calls with MSG_MORE make one record, as before."""
    peer, before = Peer(), ktls.tls_stat()
    sent, sealed = records_wait(peer, before)
    peer.near.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_KEY_UPDATE, 0)
    none = struct.pack("=I48s", 0, b"")
    peer.near.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_TX_SECRET, none)
    peer.drain(sent)
    peer.expect(*sealed * [(ktls.HANDSHAKE, ktls.KEY_UPDATE)])
    peer.near.send(b"a", socket.MSG_MORE)
    peer.near.send(b"b", socket.MSG_MORE)
    peer.near.send(b"c")
    peer.expect((ktls.DATA, b"abc"))
    give(peer.near, ktls.TLS_EXT_TX_SECRET, peer.back)
    peer.near.send(b"d")
    peer.expect((ktls.DATA, b"d"))
    moved(before, TlsTxKeyUpdate=sealed)


@ktap.case(timeout=90)
def long_message_ends_like_key_update():
    """A handshake message takes two records, and the second looks like a KeyUpdate: both
    are sent as they are, and the key stays."""
    peer, before = Peer(), ktls.tls_stat()
    size = ktls.MAX_PLAIN + len(ktls.KEY_UPDATE)
    message = (b"\x04" + (size - 4).to_bytes(3, "big") +
               bytes(ktls.MAX_PLAIN - 4) + ktls.KEY_UPDATE)
    ktap.equal(ktls.send_record(peer.near, message, ktls.HANDSHAKE), size, "bytes sent")
    same = peer.back.clone()
    peer.expect((ktls.HANDSHAKE, message[:ktls.MAX_PLAIN]),
                (ktls.HANDSHAKE, ktls.KEY_UPDATE))
    same.seq = 2
    peer.back = same
    peer.near.send(b"same key")
    peer.expect((ktls.DATA, b"same key"))
    moved(before, TlsTxKeyUpdate=0)


@ktap.case(timeout=90)
def update_among_other_messages():
    """The program sends a KeyUpdate in one call with other messages, or a message that is
    not quite a KeyUpdate. The peer would change its key and the kernel would not, so the
    call fails with EINVAL and sends nothing."""
    peer, before = Peer(), ktls.tls_stat()
    peer.near.settimeout(None)
    for messages in (TICKET + ktls.KEY_UPDATE, ktls.KEY_UPDATE + TICKET, 2 * ktls.KEY_UPDATE,
                     bytes([24, 0, 0, 1, 2])):
        ktap.fails(errno.EINVAL, ktls.send_record, peer.near, messages, ktls.HANDSHAKE)
    ktls.send_record(peer.near, 2 * TICKET, ktls.HANDSHAKE)
    peer.near.send(b"same key")
    peer.expect((ktls.HANDSHAKE, 2 * TICKET), (ktls.DATA, b"same key"))
    moved(before, TlsTxKeyUpdate=0)


@ktap.case(timeout=90)
def alert_is_lost_at_close():
    """The program reads EPROTO with TCP full, and closes at once: the peer gets all data,
    and then the alert."""
    for leave in (lambda sock: sock.close(),
                  lambda sock: sock.shutdown(socket.SHUT_WR)):
        peer = Peer()
        sent = peer.fill()
        peer.send(bytes([24, 0, 0, 1, 2]), ktls.HANDSHAKE)
        ktap.fails(errno.EPROTO, peer.near.recv, 99)
        leave(peer.near)
        peer.drain(sent)
        peer.expect((ktls.ALERT, bytes([2, ILLEGAL])))
        ktap.equal(peer.raw.recv(1), b"", "the end")


@ktap.case(timeout=90)
def limit_is_passed_by_alerts():
    """With STRICT, data stops at the limit with a few record numbers left for a KeyUpdate
    of the program; alerts may use them, but do not pass the limit either."""
    peer = Peer(secrets=False)
    limits(peer.near, records=64, flags=ktls.STRICT)

    def until_refused(send, *args):
        """The number of records that are sent until the limit refuses one."""
        for count in range(65):
            try:
                send(peer.near, *args)
            except OSError as err:
                ktap.equal(err.errno, errno.EKEYEXPIRED, "error at the limit")
                return count
        return 65

    data = until_refused(socket.socket.send, b"data")
    alerts = until_refused(ktls.send_record, b"\1\0", ktls.ALERT)
    print(f"# {data} records of data and {alerts} alerts with a limit of 64")
    ktap.equal((48 <= data <= 49, 8 <= alerts <= 64 - data), (True, True), "records")
    lower = Peer(secrets=False, seq=1000)
    limits(lower.near, records=64, flags=ktls.STRICT)
    ktap.equal(until_refused(lambda near: lower.near.send(b"data")), 0,
               "records with a key that is past its limit")


@ktap.case(timeout=90)
def earlier_key_comes_back():
    """A library that does not know of the kernel's KeyUpdates sets a key whose record
    numbers were used before: EKEYREJECTED, and the keys in force stay."""
    peer, before = Peer(), ktls.tls_stat()
    first = peer.back.crypto_info()
    for number in range(2):
        peer.near.send(b"%d" % number)
        peer.near.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_KEY_UPDATE, 0)
        refused(ktls.TLS_TX, errno.EKEYREJECTED, first, peer.near)
        peer.near.send(b"new")
        peer.expect((ktls.DATA, b"%d" % number), (ktls.HANDSHAKE, ktls.KEY_UPDATE),
                    (ktls.DATA, b"new"))
    moved(before, TlsTxKeyUpdate=2, TlsTxRekeyError=2)
    none = struct.pack("=I48s", 0, b"")
    peer.near.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_TX_SECRET, none)
    peer.back = ktls.Key("aes-128-gcm", ktls.TLS13)
    peer.near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, peer.back.crypto_info())
    peer.near.send(b"the program's")
    peer.expect((ktls.DATA, b"the program's"))


@ktap.case(timeout=180)
def both_at_once():
    """Both ends send and renew their keys at the same time: all data arrives, and no key
    protects more than 64 records."""
    peer = Peer()
    limits(peer.near, records=64)
    data = os.urandom(3000)

    def far():
        for number in range(100):
            peer.update(ktls.KEY_UPDATE_ASKS if number % 3 else ktls.KEY_UPDATE)
            for _ in range(3):
                peer.send(data)

    def near():
        for _ in range(300):
            peer.near.sendall(data)

    def far_reads():
        got = 0
        while got < 300 * len(data):
            kind, content = peer.receive()
            got += len(content) if kind == ktls.DATA else 0

    threads = [threading.Thread(target=work, daemon=True)
               for work in (far, near, far_reads)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        hears(peer.near, data)
    for thread in threads:
        thread.join(60)
        ktap.equal(thread.is_alive(), False, "a thread waits")
    ktap.equal(peer.most <= 64, True, f"{peer.most} records with one key")


def main():
    for cipher in ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305", "aes-128-ccm"):
        few = ROUNDS if cipher == "aes-128-gcm" else 20
        ktap.add(f"receive {few} {cipher}", receive_many, cipher, few, timeout=240)
        ktap.add(f"answer {few} {cipher}", answer_many, cipher, few, timeout=240)
        ktap.add(f"before the limit {cipher}", before_limit, cipher, timeout=180)
    for name, content, alert in (
            ("two KeyUpdates in a record", ktls.KEY_UPDATE * 2, UNEXPECTED),
            ("a ticket behind it", ktls.KEY_UPDATE + TICKET, UNEXPECTED),
            ("another value", ktls.KEY_UPDATE[:4] + b"\2", ILLEGAL),
            ("a length of two", bytes([24, 0, 0, 2, 0, 0]), DECODE)):
        ktap.add(f"refused: {name}", refuse, content, alert, timeout=90)
    ktap.main()


main()
