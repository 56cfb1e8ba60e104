# SPDX-License-Identifier: GPL-2.0
"""A TCP connection from the system under test to the peer, with kernel TLS on it."""

import contextlib
import fcntl
import os
import re
import select
import socket
import struct
import time

from . import KsftFailEx, cmd
from .peer import CIPHERS, FOREVER, SOL_TLS, TLS_RX, TLS_TX, crypto_info, pattern

TCP_ULP = 31
TLS_SET_RECORD_TYPE, TLS_GET_RECORD_TYPE = 1, 2
DATA, HANDSHAKE = 23, 22
KEY_UPDATE = bytes([24, 0, 0, 1, 0])
SIOCOUTQ = 0x5411
PATIENCE = 60
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_SEND_QUEUE = 19, 20, 21, 2
TCP_REPAIR_OFF_NO_WP = -1
# struct tcp_info: name -> (offset, format)
TCP_INFO = {"total_retrans": (100, "I"), "bytes_received": (128, "Q"),
            "data_segs_out": (156, "I"), "bytes_sent": (200, "Q")}


def wait_for(condition, what, timeout=PATIENCE):
    """Poll a condition; what() is the text of the failure."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise KsftFailEx(what() if callable(what) else what)
        time.sleep(0.02)


class Flow:
    """A connection with kernel TLS at this end in the directions of DIRECTION, "tx", "rx"
    or "both". The peer does its half in software. clear: bytes sent in the clear before the
    keys. prepare: a function of the flow, called before its socket connects. forged: the
    peer has another key."""

    def __init__(self, cfg, direction="tx", version="1.2", cipher="aes-gcm-128", ipver="4",
                 seq=0, clear=0, addr=None, prepare=None, capture=False, forged=False):
        self.peer = cfg.get_peer()
        self.version, self.cipher, self.seq, self.clear = version, cipher, seq, clear
        self.directions = ("tx", "rx") if direction == "both" else (direction,)
        self.gen = {"tx": int(forged), "rx": int(forged)}
        self.sent, self.got = 0, 0
        port = self.peer.listen()
        if capture:
            self.peer.ask("capture", capture if isinstance(capture, str) else cfg.remote_if())
        addr = addr or cfg.remote_at(ipver)
        self.sock = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET)
        if prepare:
            prepare(self)
        self.sock.settimeout(PATIENCE)
        self.sock.connect((addr, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.id = self.peer.ask("accept")["id"]
        if clear:
            self._send_clear(clear)
        self.sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        for way in self.directions:
            self.peer_key(way)
            self.gen[way] = 0
            self.key(way)
        if "tx" in self.directions:
            self.peer_reads()

    def _send_clear(self, size):
        self.peer.ask("read", self.id, size)
        self.sock.sendall(pattern(0, size))
        self.sent = size
        self.wait_sent()

    @staticmethod
    def key_of(sock, version, cipher, gen=0):
        """A key to send with, for a socket without a Flow."""
        sock.setsockopt(SOL_TLS, TLS_TX, crypto_info(version, cipher, True, gen))

    def key(self, way):
        """This end's key for "tx" or "rx"."""
        info = crypto_info(self.version, self.cipher, way == "tx", self.gen[way],
                           0 if self.gen[way] else self.seq)
        self.sock.setsockopt(SOL_TLS, TLS_TX if way == "tx" else TLS_RX, info)

    def peer_key(self, way):
        """The peer's key for the same direction of the wire."""
        self.peer.ask("key", self.id, "rx" if way == "tx" else "tx", self.version,
                      self.cipher, self.gen[way], 0 if self.gen[way] else self.seq)

    def peer_reads(self, total=FOREVER):
        """The peer reads and compares data, up to TOTAL bytes in all."""
        self.peer.ask("read", self.id, total)

    def stat(self):
        """The state of the connection at the peer, as a dictionary."""
        return self.peer.ask("stat", self.id)

    def send(self, size, step=None, flags=0):
        """Send SIZE bytes, STEP bytes in each call."""
        data, at = pattern(self.sent, size), 0
        while at < size:
            at += self.sock.send(data[at:at + (step or size)], flags)
        self.sent += size

    def fill(self):
        """Send until the buffers of both ends are full. SO_SNDBUF keeps this end's buffer
        from growing; the peer's does not grow while the peer does not read."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        while self.writable(0.5):
            with contextlib.suppress(BlockingIOError):
                self.sent += self.sock.send(pattern(self.sent, 1 << 14), socket.MSG_DONTWAIT)

    def sendfile(self, path, size, count=None):
        """Send the next SIZE bytes of the pattern by sendfile(), at most COUNT bytes in
        each call."""
        with open(path, "wb") as file:
            file.write(pattern(self.sent, size))
        with open(path, "rb") as file:
            while n := self._sendfile_some(file, count or size):
                self.sent += n
        os.unlink(path)

    def _sendfile_some(self, file, count):
        while True:
            select.select([], [self.sock], [], PATIENCE)
            with contextlib.suppress(BlockingIOError):
                return os.sendfile(self.sock.fileno(), file.fileno(), None, count)

    def wait_sent(self, timeout=PATIENCE):
        """Wait until the peer has read and compared all data."""
        def done():
            stat = self.stat()
            if stat["err"] or stat["bad"]:
                raise KsftFailEx(f"at the peer: {stat}")
            return stat["rx"] >= self.sent
        wait_for(done, lambda: f"sent {self.sent}, at the peer: {self.stat()}", timeout)
        if self.stat()["rx"] != self.sent:
            raise KsftFailEx(f"sent {self.sent}, at the peer: {self.stat()}")

    def unacked(self):
        """Bytes that the peer's TCP has not acknowledged."""
        return struct.unpack("i", fcntl.ioctl(self.sock, SIOCOUTQ, bytes(4)))[0]

    def drain(self, timeout=PATIENCE):
        """Wait until the peer's TCP has acknowledged everything."""
        wait_for(lambda: not self.unacked(), lambda: f"{self.unacked()} bytes not acked",
                 timeout)

    def peer_sends(self, size, step=16384):
        """The peer sends SIZE bytes."""
        self.peer.ask("send", self.id, size, step)

    def receive(self, size, step=1 << 17, flags=0):
        """Read SIZE bytes; each must be the right one."""
        end = self.got + size
        while self.got < end:
            data = self.sock.recv(min(step, end - self.got), flags)
            if not data:
                raise KsftFailEx(f"the stream ended after {self.got} of {end} bytes")
            if data != pattern(self.got, len(data)):
                raise KsftFailEx(f"wrong data in bytes {self.got} to {self.got + len(data)}")
            self.got += len(data)

    def exchange(self, size, step=16384):
        """Send this many bytes in each direction with TLS."""
        if "rx" in self.directions:
            self.peer_sends(size, step)
            self.receive(size)
        if "tx" in self.directions:
            self.send(size, step)
            self.wait_sent()

    def control(self, kind, data):
        """Send a record of another type."""
        self.sock.sendmsg([data], [(SOL_TLS, TLS_SET_RECORD_TYPE, bytes([kind]))])

    def record(self, size=1 << 14):
        """(type, data) of one recvmsg()."""
        data, control, _, _ = self.sock.recvmsg(size, socket.CMSG_SPACE(1))
        kinds = [value[0] for level, name, value in control
                 if (level, name) == (SOL_TLS, TLS_GET_RECORD_TYPE)]
        return (kinds[0] if kinds else None), data

    def types(self):
        """The records that the peer got, except data: [(type, length, first byte)]."""
        return [tuple(map(int, item.split(":")))
                for item in str(self.stat()["types"]).split(",") if item]

    def rekey_tx(self):
        """Send a KeyUpdate, and set the next key for sending."""
        before = self.stat()["handshakes"]
        self.control(HANDSHAKE, KEY_UPDATE)
        self.gen["tx"] += 1
        self.key("tx")
        wait_for(lambda: self.stat()["handshakes"] > before, "the peer saw no KeyUpdate")
        self.peer_key("tx")

    def rekey_rx(self):
        """The peer sends a KeyUpdate; read it, and set the next key for receiving. All data
        before it must have been read."""
        self.peer.ask("control", self.id, HANDSHAKE, KEY_UPDATE.hex())
        self.gen["rx"] += 1
        self.peer_key("rx")
        kind, data = self.record()
        if (kind, data) != (HANDSHAKE, KEY_UPDATE):
            raise KsftFailEx(f"no KeyUpdate: type {kind}, {data.hex()}")
        self.key("rx")

    def tcp(self, name):
        """One value of TCP_INFO. Values in bytes count records as they are on the wire."""
        offset, kind = TCP_INFO[name]
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return struct.unpack_from("=" + kind, info, offset)[0]

    def sequence(self):
        """TCP sequence number of the next byte to send; all data must be acknowledged."""
        sock = self.sock
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE)
        seq = sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP)
        return seq & 0xffffffff

    def captured(self):
        """(frames, records) of the wire so far; raises for a fault in either."""
        frames = self.peer.ask("captured")
        records = self.peer.ask("open", self.version, self.cipher, 0, self.seq, self.clear)
        bad = {name: value for name, value in (frames | records).items() if value and
               name in ("plain", "differing", "lost", "failed", "wrong", "rest")}
        if self.clear:
            bad.pop("plain", None)
        if bad or not records["records"]:
            raise KsftFailEx(f"on the wire: {frames} {records}")
        return frames, records

    def ss(self):
        """(dictionary such as {"txconf": "hw"}, other words) of ss -tie."""
        port = self.sock.getsockname()[1]
        said = cmd(f"ss -Htien sport = :{port}").stdout
        return dict(re.findall(r"(\w+): ([\w.-]+)", said))

    def eof(self):
        """The peer's stream ends: a read returns the end now."""
        if self.sock.recv(1):
            raise KsftFailEx("data behind the end")

    def readable(self, timeout=0):
        """Would a read return without waiting?"""
        return bool(select.select([self.sock], [], [], timeout)[0])

    def writable(self, timeout=0):
        """Would a send of one byte return without waiting?"""
        return bool(select.select([], [self.sock], [], timeout)[1])

    def close(self):
        """Close both ends; data that is on its way is still delivered."""
        self.sock.close()
        self.peer.ask("close", self.id)


__all__ = ["CIPHERS", "Flow", "wait_for"]
