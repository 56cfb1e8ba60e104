# SPDX-License-Identifier: GPL-2.0-only
"""Accept every packet of one netfilter queue, unchanged."""
import socket
import struct
import threading

NETLINK_NETFILTER, NLM_F_REQUEST = 12, 1
SUBSYSTEM = 3 << 8
PACKET, VERDICT, CONFIG = 0, 1, 2
CFG_CMD, CFG_PARAMS = 1, 2
BIND, COPY_PACKET = 1, 2
PACKET_HDR, VERDICT_HDR, PAYLOAD = 1, 2, 10
NF_ACCEPT = 1


def _attr(kind, data):
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def _attrs(data):
    at, out = 0, {}
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        out[kind & 0x3fff] = data[at + 4:at + length]
        at += (length + 3) & ~3
    return out


class Queue(threading.Thread):
    """A thread that serves queue 0 until stop()."""

    def __init__(self, rewrite):
        super().__init__(daemon=True)
        self.rewrite, self.seen, self.ending = rewrite, 0, False
        self.nl = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                NETLINK_NETFILTER)
        self.nl.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        self.nl.settimeout(0.2)
        self._send(CONFIG, _attr(CFG_CMD, struct.pack(">BxH", BIND, 0)))
        self._send(CONFIG, _attr(CFG_PARAMS, struct.pack(">IB", 0xffff, COPY_PACKET)))
        self.start()

    def _send(self, kind, attrs):
        body = struct.pack(">BBH", socket.AF_UNSPEC, 0, 0) + attrs
        self.nl.send(struct.pack("=IHHII", 16 + len(body), SUBSYSTEM | kind,
                                 NLM_F_REQUEST, 0, 0) + body)

    def run(self):
        while not self.ending:
            try:
                data = self.nl.recv(1 << 17)
            except TimeoutError:
                continue
            kind = struct.unpack_from("=H", data, 4)[0]
            if kind != SUBSYSTEM | PACKET:
                continue
            attrs = _attrs(data[20:])
            self.seen += 1
            verdict = _attr(VERDICT_HDR,
                            struct.pack(">I", NF_ACCEPT) + attrs[PACKET_HDR][:4])
            if self.rewrite:
                verdict += _attr(PAYLOAD, attrs[PAYLOAD])
            self._send(VERDICT, verdict)

    def stop(self):
        """Leave the queue; packets that still wait in it are dropped."""
        self.ending = True
        self.join()
        self.nl.close()
