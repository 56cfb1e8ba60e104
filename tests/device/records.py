# SPDX-License-Identifier: GPL-2.0-only
"""TLS records as a peer makes and opens them, with another library than the device's, and
as a host passes them to the device."""

import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from nic import ABI, pack

TLS12, TLS13 = ABI.VERSION_TLS12, ABI.VERSION_TLS13
GCM128, GCM256 = ABI.CIPHER_AES_128_GCM, ABI.CIPHER_AES_256_GCM
CHACHA = ABI.CIPHER_CHACHA20_POLY1305
SUITES = [(version, cipher) for version in (TLS12, TLS13)
          for cipher in (GCM128, GCM256, CHACHA)]
KEYS = {GCM128: bytes(range(16)), GCM256: bytes(range(100, 132)),
        CHACHA: bytes(range(200, 232))}
IV = b"salt" + bytes.fromhex("1122334455667788")
TAG = 16


class Records:
    """One direction of one connection: cipher, key, number of the first record."""

    def __init__(self, version=TLS12, cipher=GCM128, rec_no=0, key=None):
        self.version, self.cipher, self.first = version, cipher, rec_no
        self.key = key or KEYS[cipher]
        self.explicit = 8 if version == TLS12 and cipher != CHACHA else 0
        self.overhead = 5 + self.explicit + TAG
        self.aead = (ChaCha20Poly1305 if cipher == CHACHA else AESGCM)(self.key)

    def add(self, direction, seq):
        """struct vktls_tls_add of a context that starts at the first record."""
        return pack("tls_add", version=self.version, cipher=self.cipher,
                    direction=direction, tcp_seq=seq & 0xffffffff, key=self.key, iv=IV,
                    rec_no=self.first.to_bytes(8, "big"))

    def nonce_bytes(self, number):
        """The explicit nonce of record NUMBER."""
        base = int.from_bytes(IV[4:], "big") - self.first
        return (base + number & (1 << 64) - 1).to_bytes(8, "big") if self.explicit else b""

    def nonce(self, number):
        if self.explicit:
            return IV[:4] + self.nonce_bytes(number)
        return (int.from_bytes(IV, "big") ^ number).to_bytes(12, "big")

    def aad(self, number, kind, length):
        if self.version == TLS13:
            return struct.pack(">BHH", kind, 0x303, length + TAG)
        return struct.pack(">QBHH", number, kind, 0x303, length)

    def head(self, number, kind, length):
        return struct.pack(">BHH", kind, 0x303, self.explicit + length + TAG) + \
            self.nonce_bytes(number)

    def inner(self, plain, kind):
        return plain + bytes([kind]) if self.version == TLS13 else plain

    def host(self, number, plain, kind=23):
        """Record NUMBER as the host passes it: plaintext, and room for the tag."""
        inner = self.inner(plain, kind)
        outer = 23 if self.version == TLS13 else kind
        return self.head(number, outer, len(inner)) + inner + b"\xee" * TAG

    def open(self, number, data):
        """Decrypt record NUMBER at the beginning of DATA: (type, plaintext, the bytes
        behind it)."""
        kind, version, size = struct.unpack_from(">BHH", data)
        body, rest = data[5:5 + size], data[5 + size:]
        assert version == 0x303 and len(body) == size, "record is torn"
        assert body[:self.explicit] == self.nonce_bytes(number), "another nonce"
        sealed = body[self.explicit:]
        plain = self.aead.decrypt(self.nonce(number), sealed,
                                  self.aad(number, kind, len(sealed) - TAG))
        if self.version == TLS13:
            assert kind == 23, "type is in the clear"
            kind, plain = plain[-1], plain[:-1]
        return kind, plain, rest

    def wire(self, number, plain, kind=23):
        """Record NUMBER as it is on the wire."""
        inner = self.inner(plain, kind)
        outer = 23 if self.version == TLS13 else kind
        return self.head(number, outer, len(inner)) + self.aead.encrypt(
            self.nonce(number), inner, self.aad(number, outer, len(inner)))

    def plain(self, number, plain, kind=23):
        """Record NUMBER as the device delivers it: decrypted, with its tag."""
        host, wire = self.host(number, plain, kind), self.wire(number, plain, kind)
        return host[:-TAG] + wire[-TAG:]
