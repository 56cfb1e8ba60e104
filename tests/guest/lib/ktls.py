# SPDX-License-Identifier: GPL-2.0-only
"""TLS records and the kernel's TLS socket interface, for tests that decide exactly which
bytes are on the wire.

Records are sealed and opened by the 'cryptography' package, never by the kernel
under test (RFC 5246, 5288, 7905, 8446).
"""
import hashlib
import hmac
import os
import socket
import struct

from cryptography.hazmat.primitives.ciphers.aead import (
    AESCCM, AESGCM, ChaCha20Poly1305)

SOL_TLS = 282
TCP_ULP = 31
TLS_TX, TLS_RX = 1, 2
TLS_TX_ZEROCOPY_RO, TLS_RX_EXPECT_NO_PAD, TLS_TX_MAX_PAYLOAD_LEN = 3, 4, 5
TLS_SET_RECORD_TYPE, TLS_GET_RECORD_TYPE = 1, 2

# include/uapi/linux/tls_ext.h
TLS_EXT_TX_SECRET, TLS_EXT_RX_SECRET = 0x5601, 0x5602
TLS_EXT_TX_LIMITS, TLS_EXT_RX_LIMITS = 0x5603, 0x5604
TLS_EXT_KEY_UPDATE = 0x5605
TLS_EXT_TX_OFFLOAD, TLS_EXT_RX_OFFLOAD = 0x5611, 0x5612
HASHES = {"sha256": 1, "sha384": 2}
STRICT = 1

TLS12, TLS13 = 0x0303, 0x0304
CHANGE_CIPHER, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
MAX_PLAIN = 1 << 14
KEY_UPDATE = bytes([24, 0, 0, 1, 0])
KEY_UPDATE_ASKS = bytes([24, 0, 0, 1, 1])


class Cipher:
    """One row of linux/tls.h: number, sizes of the fields, and the class that computes the
    AEAD."""

    def __init__(self, number, key, salt, iv, aead):
        self.number, self.key, self.salt, self.iv = number, key, salt, iv
        self.aead = aead


def _ccm(key):
    return AESCCM(key, tag_length=16)


CIPHERS = {
    "aes-128-gcm": Cipher(51, 16, 4, 8, AESGCM),
    "aes-256-gcm": Cipher(52, 32, 4, 8, AESGCM),
    "aes-128-ccm": Cipher(53, 16, 4, 8, _ccm),
    "chacha20-poly1305": Cipher(54, 32, 0, 12, ChaCha20Poly1305),
}


class Key:
    """A traffic key of one direction: seals and opens records, one after another."""

    def __init__(self, cipher="aes-128-gcm", version=TLS12, seq=0):
        self.cipher, self.version, self.seq = CIPHERS[cipher], version, seq
        self.key = os.urandom(self.cipher.key)
        self.salt = os.urandom(self.cipher.salt)
        self.iv = os.urandom(self.cipher.iv)
        self.first = seq
        self.aead = self.cipher.aead(self.key)

    def clone(self):
        """A copy of the key with the first record number, for the other side."""
        other = object.__new__(Key)
        other.__dict__.update(self.__dict__)
        other.seq = self.first
        return other

    def crypto_info(self):
        """struct tls12_crypto_info_*, as TLS_TX and TLS_RX take it."""
        return (struct.pack("=HH", self.version, self.cipher.number) + self.iv +
                self.key + self.salt + struct.pack(">Q", self.seq))

    @property
    def explicit(self):
        """Does each record carry an explicit nonce?"""
        return self.version == TLS12 and self.cipher.salt != 0

    def _nonce(self, explicit):
        if self.explicit:
            return self.salt + explicit
        fixed = self.salt + self.iv
        pad = bytes(len(fixed) - 8) + struct.pack(">Q", self.seq)
        return bytes(a ^ b for a, b in zip(fixed, pad))

    def _aad(self, kind, length):
        if self.version == TLS13:
            return struct.pack(">BHH", kind, TLS12, length)
        return struct.pack(">QBHH", self.seq, kind, TLS12, length)

    def _next_explicit(self):
        start = int.from_bytes(self.iv, "big")
        step = (start + self.seq - self.first) % (1 << 64)
        return step.to_bytes(8, "big")

    def seal(self, data, kind=DATA, pad=0):
        """Seal the next record; PAD is the number of zero bytes that pad it (TLS 1.3)."""
        if self.version == TLS13:
            inner = data + bytes([kind]) + bytes(pad)
            aad = self._aad(DATA, len(inner) + 16)
            body = self.aead.encrypt(self._nonce(b""), inner, aad)
            kind = DATA
        else:
            explicit = self._next_explicit() if self.explicit else b""
            aad = self._aad(kind, len(data))
            body = explicit + self.aead.encrypt(self._nonce(explicit), data, aad)
        self.seq += 1
        return struct.pack(">BHH", kind, TLS12, len(body)) + body

    def open(self, record):
        """(type, data) of one whole record; raises InvalidTag."""
        kind, _, _ = struct.unpack(">BHH", record[:5])
        body = record[5:]
        if self.version == TLS13:
            aad = self._aad(kind, len(body))
            inner = self.aead.decrypt(self._nonce(b""), body, aad).rstrip(b"\0")
            self.seq += 1
            return inner[-1], inner[:-1]
        explicit, body = (body[:8], body[8:]) if self.explicit else (b"", body)
        aad = self._aad(kind, len(body) - 16)
        data = self.aead.decrypt(self._nonce(explicit), body, aad)
        self.seq += 1
        return kind, data


class Traffic(Key):
    """A key of TLS 1.3 with its traffic secret (RFC 8446 section 7.2)."""

    def __init__(self, cipher="aes-128-gcm", seq=0):
        super().__init__(cipher, TLS13, seq)
        self.hash = "sha384" if cipher == "aes-256-gcm" else "sha256"
        self.secret = os.urandom(hashlib.new(self.hash).digest_size)
        self.updates = 0
        self._derive()

    def _expand(self, label, length):
        info = struct.pack(">HB", length, 6 + len(label)) + b"tls13 " + label
        return hmac.digest(self.secret, info + b"\0\1", self.hash)[:length]

    def _derive(self):
        self.key = self._expand(b"key", self.cipher.key)
        nonce = self._expand(b"iv", 12)
        self.salt, self.iv = nonce[:self.cipher.salt], nonce[self.cipher.salt:]
        self.aead = self.cipher.aead(self.key)

    def update(self):
        """Become the next key, with record number 0."""
        self.secret = self._expand(b"traffic upd", len(self.secret))
        self._derive()
        self.seq = self.first = 0
        self.updates += 1

    def ext_secret(self):
        """struct tls_ext_secret."""
        return struct.pack("=I48s", HASHES[self.hash], self.secret)


def ext_limits(records=0, age_ms=0, flags=0, row=0, per_second=0):
    """struct tls_ext_key_limits."""
    return struct.pack("=QIIII", records, age_ms, flags, row, per_second)


def key_state(sock, name=TLS_EXT_TX_SECRET):
    """struct tls_ext_key_state as a dictionary."""
    names = ("records", "limit", "hash", "updates", "age_ms", "reserved")
    raw = sock.getsockopt(SOL_TLS, name, 32)
    return dict(zip(names, struct.unpack("=QQIIII", raw)))


def split(stream):
    """(whole records at the start of stream, the bytes after them)."""
    records = []
    while len(stream) >= 5:
        end = 5 + int.from_bytes(stream[3:5], "big")
        if len(stream) < end:
            break
        records.append(stream[:end])
        stream = stream[end:]
    return records, stream


def drain(raw, key, until):
    """Open records until UNTIL bytes of content came: [(type, data)]."""
    stream, got, total = b"", [], 0
    while total < until:
        more = raw.recv(1 << 16)
        if not more:
            break
        records, stream = split(stream + more)
        for record in records:
            got.append(key.open(record))
            total += len(got[-1][1])
    if stream:
        raise AssertionError(f"{len(stream)} bytes of half a record at the end")
    return got


def tcp_pair(host="127.0.0.1"):
    """Two connected TCP sockets."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        near = socket.create_connection(server.getsockname()[:2])
        far, _ = server.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def attach(sock, tx=None, rx=None):
    """Set the ULP on a socket, and the given keys."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
    if tx:
        sock.setsockopt(SOL_TLS, TLS_TX, tx.crypto_info())
    if rx:
        sock.setsockopt(SOL_TLS, TLS_RX, rx.crypto_info())


def send_record(sock, data, kind):
    """Send data as one record of this type."""
    control = [(SOL_TLS, TLS_SET_RECORD_TYPE, bytes([kind]))]
    return sock.sendmsg([data], control)


def recv_record(sock, size=MAX_PLAIN, flags=0):
    """(type, data) of one recvmsg; the type is None if the kernel reported none."""
    data, control, _, _ = sock.recvmsg(size, socket.CMSG_SPACE(1), flags)
    for level, name, value in control:
        if (level, name) == (SOL_TLS, TLS_GET_RECORD_TYPE):
            return value[0], data
    return None, data


def tls_stat():
    """/proc/net/tls_stat as a dictionary."""
    with open("/proc/net/tls_stat", encoding="ascii") as stat:
        return {name: int(value) for name, value in map(str.split, stat)}
