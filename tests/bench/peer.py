#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The other end of tests/bench/load.c, outside the VM: a real TCP stack that
swallows batches and confirms each, or sends records sealed beforehand."""
import pathlib
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "guest/lib"))
import ktls  # noqa: E402

PORT = 5001


def bench_key(version):
    """The key that load.c sets."""
    key = ktls.Key("aes-128-gcm", version)
    key.key, key.salt, key.iv = b"0123456789abcde\0", b"vkt\0", b"bench-i\0"
    key.aead = key.cipher.aead(key.key)
    return key


def sink(conn, batch):
    buf = bytearray(1 << 20)
    left = batch
    while True:
        got = conn.recv_into(buf, min(left, len(buf)))
        if not got:
            return
        left -= got
        if not left:
            conn.sendall(b"k")
            left = batch


def source(conn, tls, size, count):
    plain = b"\xa5" * size
    key = None
    if tls != "plain":
        key = bench_key({"1.2": ktls.TLS12, "1.3": ktls.TLS13}[tls])
    while True:
        data = b"".join(key.seal(plain) if key else plain for _ in range(count))
        if not conn.recv(1):
            return
        conn.sendall(data)


def serve(conn):
    with conn:
        # one byte at a time: what follows the line is the stream
        line = b""
        while not line.endswith(b"\n"):
            line += conn.recv(1)
        what, tls, batch, size, count = line.decode().split()
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if what == "sink":
                sink(conn, int(batch))
            else:
                source(conn, tls, int(size), int(count))
        except ConnectionError:
            pass    # the figure "setup" closes with data unread


def main():
    with socket.create_server(("", PORT), backlog=64) as server:
        while True:
            conn, _ = server.accept()
            threading.Thread(target=serve, args=(conn,), daemon=True).start()


if __name__ == "__main__":
    main()
