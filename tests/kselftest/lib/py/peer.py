# SPDX-License-Identifier: GPL-2.0
"""The far end: tls_peer.c on the remote machine, which takes commands as lines of text.
Both ends compute keys and data in the same way; see tls_peer.h."""

import os
import socket
import struct
import time
from pathlib import Path

from . import KsftFailEx, bkg, rand_port

MARK = b"TLSPLAIN"
SOL_TLS, TLS_TX, TLS_RX = 282, 1, 2
VERSIONS = {"1.2": 0x0303, "1.3": 0x0304}
# number, key, salt, IV; see struct cipher
CIPHERS = {"aes-gcm-128": (51, 16, 4, 8), "aes-gcm-256": (52, 32, 4, 8),
           "aes-ccm-128": (53, 16, 4, 8), "chacha20-poly1305": (54, 32, 0, 12)}
FOREVER = 1 << 60
ANSWER_TIME = 90
_M32 = 0xffffffff
_units = bytearray()


def pattern(pos, size):
    """SIZE bytes of data from position POS, as pattern_fill() of tls_peer.c makes them."""
    end = pos + size
    if len(_units) < end:
        first = len(_units) // 16
        count = max(end // 16 + 1 - first, 4096)
        _units.extend(b"".join(MARK + b"%08x" % i for i in range(first, first + count)))
    return bytes(_units[pos:end])


def crypto_info(version, cipher, up, gen=0, seq=0):
    """struct tls12_crypto_info_*: as key_derive() fills it in."""
    number, key, salt, iv = CIPHERS[cipher]
    rest = bytearray()
    for i in range(iv + key + salt):
        x = (0x9e3779b9 * (2 * gen + up + 1) + 0x85ebca6b * i) & _M32
        x = ((x ^ (x >> 13)) * 0xc2b2ae35) & _M32
        rest.append((x >> 16) & 0xff)
    return struct.pack("=HH", VERSIONS[version], number) + rest + struct.pack(">Q", seq)


class Peer:
    """One running tls_peer."""

    def __init__(self, cfg):
        program = Path(__file__).resolve().parents[2] / "tls_peer"
        if not program.exists():
            raise KsftFailEx(f"{program} is not built")
        port = rand_port()
        self.process = bkg(f"{cfg.remote.deploy(program.as_posix())} {port}",
                           host=cfg.remote)
        self.control = self._connect(cfg.remote_at(), port)
        self.control.settimeout(ANSWER_TIME)
        self.lines = self.control.makefile("r")
        self.port = 0

    @staticmethod
    def _connect(addr, port):
        end = time.monotonic() + 30
        while True:
            try:
                return socket.create_connection((addr, port), 5)
            except OSError as err:
                if time.monotonic() > end:
                    raise KsftFailEx(f"no tls_peer at {addr}: {err}") from err
                time.sleep(0.1)

    def ask(self, *words):
        """Send one command. Returns the answer as a dictionary, or raises OSError."""
        self.control.sendall((" ".join(map(str, words)) + "\n").encode())
        verdict, *pairs = self.lines.readline().split() or ["gone"]
        if verdict == "gone":
            raise KsftFailEx("tls_peer has ended")
        if verdict == "error":
            raise OSError(int(pairs[0]), f"peer: {words[0]}: {os.strerror(int(pairs[0]))}")
        answer = dict(pair.split("=", 1) for pair in pairs)
        return {name: int(value) if value.isdigit() else value
                for name, value in answer.items()}

    def listen(self):
        """A new port on which the peer accepts a connection under test."""
        self.port = self.ask("listen")["port"]
        return self.port

    def close(self):
        """End tls_peer."""
        try:
            self.control.sendall(b"quit\n")
        except OSError:
            pass
        self.control.close()
        self.process.process(terminate=True, fail=False)
