#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The other end of tests/bench/load.c, outside of the VM: a real TCP stack that reads
batches and confirms each, or sends records that were sealed before."""
import select
import socket
import threading

import ktls

PORT = 5001
SO_RCVBUFFORCE = 33
ROOM = 64 << 20     # for a batch in small segments, each with its overhead


def bench_key(version):
    """The key that load.c sets."""
    key = ktls.Key("aes-128-gcm", version)
    key.key, key.salt, key.iv = b"0123456789abcde\0", b"vkt\0", b"bench-i\0"
    key.aead = key.cipher.aead(key.key)
    return key


def sink(conn, batch):
    """Read a batch only when all of it is there: TCP then acknowledges each packet when it
    arrives, however late this program runs."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, batch)
    buf = bytearray(batch)
    ready = select.poll()
    ready.register(conn, select.POLLIN)
    while True:
        # a blocking read would take the available bytes, and then wait for as many again
        ready.poll()
        if conn.recv_into(buf, batch) < batch:
            return
        conn.sendall(b"k")


def echo(conn):
    while byte := conn.recv(1):
        conn.sendall(byte)


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
        # read byte by byte, because the stream follows the line
        line = b""
        while not line.endswith(b"\n"):
            line += conn.recv(1)
        what, tls, batch, size, count = line.decode().split()
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # a fixed algorithm: the host's default may pace, which makes bursts
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        try:
            if what == "sink":
                sink(conn, int(batch))
            elif what == "echo":
                echo(conn)
            else:
                source(conn, tls, int(size), int(count))
        except ConnectionError:
            pass    # the figure "setup" closes with unread data


def main():
    with socket.create_server(("", PORT), backlog=64) as server:
        server.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        while True:
            conn, _ = server.accept()
            threading.Thread(target=serve, args=(conn,), daemon=True).start()


if __name__ == "__main__":
    main()
