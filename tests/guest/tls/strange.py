#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Programs that make arbitrary calls: two threads at each end of a connection, keys renewed
by the kernel, and options, flags, lengths and system calls chosen at random. No call may
harm the kernel, and a closed connection leaves nothing behind. The argument is the number
of connections; SEED in the environment changes the random choices."""
import ctypes
import mmap
import os
import random
import socket
import struct
import sys
import threading
import time

import ktap
import ktls

ROUNDS = int(sys.argv.pop(1)) if sys.argv[1:] and sys.argv[1].isdigit() else 12
SEED = int(os.environ.get("SEED", "1"))
CALLS = 120             # of one thread, on one connection
TCP_ZEROCOPY_RECEIVE, TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 35, 19, 20, 21
TCP_MD5SIG, MSG_OOB, MSG_ERRQUEUE, MSG_ZEROCOPY = 14, 1, 0x2000, 0x4000000
SENDS = (0, 0, socket.MSG_MORE, socket.MSG_DONTWAIT, socket.MSG_EOR, MSG_OOB, MSG_ZEROCOPY)
READS = (0, 0, socket.MSG_PEEK, socket.MSG_WAITALL, socket.MSG_TRUNC, MSG_OOB, MSG_ERRQUEUE)
SIZES = (0, 1, 5, 100, 4095, 16384, 16385, 70000)
LIBC = ctypes.CDLL(None)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                      ctypes.c_int, ctypes.c_long)
FAILED = ctypes.c_void_p(-1).value


class End:
    """One end of a connection, with all calls that a thread may make on it."""

    def __init__(self, sock, tx, rx):
        self.sock, self.tx, self.rx = sock, tx, rx

    def send(self, lot):
        self.sock.send(os.urandom(lot.choice(SIZES)), lot.choice(SENDS) | lot.choice(SENDS))

    def record(self, lot):
        kind = lot.choice((ktls.DATA, ktls.ALERT, ktls.HANDSHAKE, 0, 255))
        ktls.send_record(self.sock, lot.choice((b"", b"x", ktls.KEY_UPDATE, bytes(17000),
                                                ktls.KEY_UPDATE_ASKS, b"\x18\0\0\1\2")), kind)

    def scattered(self, lot):
        page = mmap.mmap(-1, 1 << 16)
        views = [memoryview(page)[n:n + lot.choice((1, 63, 5000))] for n in (0, 1, 4090, 7, 0)]
        flags = lot.choice(READS)
        if lot.random() < 0.5:
            self.sock.recvmsg_into(views, lot.choice((0, 8, 64)), flags)
        else:
            self.sock.sendmsg(views, [], lot.choice(SENDS))

    def receive(self, lot):
        self.sock.recvmsg(lot.choice(SIZES), lot.choice((0, 20, 64)),
                          lot.choice(READS) | lot.choice(READS))

    def splice(self, lot):
        reading, writing = os.pipe()
        try:
            if lot.random() < 0.5:
                os.splice(self.sock.fileno(), writing, lot.choice(SIZES), flags=2)
            else:
                os.write(writing, bytes(lot.choice((1, 4096, 60000))))
                os.splice(reading, self.sock.fileno(), lot.choice(SIZES),
                          flags=lot.choice((2, 2 | 4)))     # NONBLOCK, MORE
        finally:
            os.close(reading)
            os.close(writing)

    def sendfile(self, lot):
        with open("/proc/self/exe", "rb") as file:
            os.sendfile(self.sock.fileno(), file.fileno(), lot.choice((0, 1, 4097)),
                        lot.choice(SIZES))

    def keys(self, lot):
        name, value = lot.choice((
            (ktls.TLS_TX, self.tx.crypto_info()), (ktls.TLS_RX, self.rx.crypto_info()),
            (ktls.TLS_EXT_TX_SECRET, self.tx.ext_secret()),
            (ktls.TLS_EXT_RX_SECRET, self.rx.ext_secret()),
            (ktls.TLS_EXT_TX_SECRET, struct.pack("=I48s", 0, b"")),
            (ktls.TLS_EXT_RX_SECRET, struct.pack("=I48s", 0, b"")),
            (ktls.TLS_EXT_KEY_UPDATE, struct.pack("=I", lot.randrange(3))),
            (ktls.TLS_EXT_TX_LIMITS, ktls.ext_limits(64, lot.choice((0, 1)), lot.randrange(3))),
            (ktls.TLS_EXT_RX_LIMITS, ktls.ext_limits(64, 0, lot.randrange(3), 2, 9)),
            (ktls.TLS_EXT_TX_OFFLOAD, struct.pack("=II", lot.randrange(5), 0)),
            (ktls.TLS_EXT_RX_OFFLOAD, struct.pack("=II", lot.randrange(5), 0)),
            (ktls.TLS_TX_MAX_PAYLOAD_LEN, struct.pack("=H", lot.choice((64, 1000, 16384)))),
            (ktls.TLS_RX_EXPECT_NO_PAD, struct.pack("=I", lot.randrange(2))),
            (ktls.TLS_TX_ZEROCOPY_RO, struct.pack("=I", lot.randrange(2)))))
        cut = lot.choice((len(value), len(value), lot.randrange(len(value) + 1)))
        self.sock.setsockopt(ktls.SOL_TLS, name, (value + bytes(lot.choice((0, 0, 3))))[:cut])

    def read_option(self, lot):
        self.sock.getsockopt(ktls.SOL_TLS, lot.choice((1, 2, 3, 4, 5, 99, 0x5601, 0x5602, 0x5603,
                                                       0x5605, 0x5611, 0x5612)),
                             lot.choice((0, 1, 3, 4, 32, 40, 56, 1000)))

    def tcp_option(self, lot):
        name, value = lot.choice((
            (socket.TCP_NODELAY, 1), (socket.TCP_CORK, lot.randrange(2)),
            (socket.TCP_MAXSEG, lot.choice((88, 536, 1400))), (socket.TCP_WINDOW_CLAMP, 3000),
            (socket.TCP_NOTSENT_LOWAT, 1), (socket.TCP_USER_TIMEOUT, 1000),
            (TCP_REPAIR, lot.choice((0, 0, 1))), (TCP_REPAIR_QUEUE, lot.randrange(4)),
            (TCP_QUEUE_SEQ, 1), (ktls.TCP_ULP, b"tls"), (TCP_MD5SIG, bytes(216)),
            (socket.TCP_CONGESTION, b"reno")))
        self.sock.setsockopt(socket.IPPROTO_TCP, name, value)

    def option(self, lot):
        name, value = lot.choice((
            (socket.SO_SNDBUF, lot.choice((1, 1 << 20))),
            (socket.SO_RCVBUF, lot.choice((1, 1 << 20))),
            (socket.SO_RCVLOWAT, lot.choice((1, 20000))), (60, 1),      # SO_ZEROCOPY
            (socket.SO_OOBINLINE, 1), (socket.SO_LINGER, struct.pack("ii", 1, 0))))
        self.sock.setsockopt(socket.SOL_SOCKET, name, value)

    def zerocopy(self, lot):
        """Take bytes out of TCP's queue by TCP_ZEROCOPY_RECEIVE, without TLS."""
        size, number = 1 << 16, self.sock.fileno()
        copy = ctypes.create_string_buffer(1 << 14)
        area = LIBC.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, number, 0)
        if area == FAILED:
            raise OSError("mmap")
        ask = ctypes.create_string_buffer(      # struct tcp_zerocopy_receive
            struct.pack("=QIIIiQiIQQII", area, lot.choice((0, 5, size)), 0, 0, 0,
                        ctypes.addressof(copy), len(copy), 0, 0, 0, 0, 0), 64)
        LIBC.getsockopt(number, socket.IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, ask,
                        ctypes.byref(ctypes.c_uint(64)))
        LIBC.munmap(ctypes.c_void_p(area), size)

    def again(self, lot):
        """Connect again, listen, shut down, or send through a second descriptor."""
        act = lot.randrange(8)
        if act == 0:
            LIBC.connect(self.sock.fileno(), bytes(16), 16)
        elif act == 1:
            LIBC.listen(self.sock.fileno(), 1)
        elif act == 2:
            self.sock.shutdown(lot.choice((socket.SHUT_RD, socket.SHUT_WR)))
        else:
            with self.sock.dup() as other:
                other.send(b"by another", socket.MSG_MORE)


ACTS = (End.send, End.send, End.send, End.record, End.scattered, End.receive, End.receive,
        End.receive, End.splice, End.sendfile, End.keys, End.keys, End.keys, End.read_option,
        End.tcp_option, End.option, End.zerocopy)


def at_will(end, lot, done):
    """The calls of one thread; most of them fail with an error."""
    for _ in range(CALLS):
        try:
            lot.choice(ACTS + (End.again,) * (lot.random() < 0.1))(end, lot)
            done.append(1)
        except (OSError, ValueError):
            pass


def left():
    """Numbers of TLS and TCP sockets. (Leaked memory would cause warnings of the kernel,
    which end the test.)"""
    stat = ktls.tls_stat()
    with open("/proc/net/sockstat", encoding="ascii") as file:
        words = next(line for line in file if line.startswith("TCP:")).split()
    return ([stat[name] for name in ("TlsCurrTxSw", "TlsCurrRxSw", "TlsCurrTxDevice",
                                     "TlsCurrRxDevice")] +
            [int(words[words.index(name) + 1]) for name in ("inuse", "orphan")])


def connection(lot):
    """Make and close one connection. Returns the number of calls that succeeded."""
    ends = ktls.tcp_pair(lot.choice(("127.0.0.1", "::1")))
    cipher = lot.choice(("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305", "aes-128-ccm"))
    keys = ktls.Traffic(cipher), ktls.Traffic(cipher)
    done, threads = [], []
    for number, sock in enumerate(ends):
        end = End(sock, keys[number], keys[1 - number])
        for name in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, name, struct.pack("ll", 0, 5000))
        ktls.attach(sock, tx=end.tx, rx=end.rx)
        sock.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_TX_SECRET, end.tx.ext_secret())
        sock.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_RX_SECRET, end.rx.ext_secret())
        threads += [threading.Thread(target=at_will, args=(end, random.Random(lot.random()), done))
                    for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for sock in ends:
        # A socket in repair mode sends no reset.
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    return len(done)


@ktap.case(timeout=300)
def nothing_stays():
    """After ROUNDS connections with arbitrary calls, no socket is left."""
    lot = random.Random(SEED)
    connection(lot)     # loads the module
    before = left()
    done = sum(connection(lot) for _ in range(ROUNDS))
    print(f"# {done} of {ROUNDS * 4 * CALLS} calls succeeded, seed {SEED}")
    ktap.equal(done > ROUNDS * CALLS, True, "calls that succeed")
    end = time.monotonic() + 60
    while left() != before and time.monotonic() < end:
        time.sleep(0.1)
    ktap.equal(left(), before, "sockets")


if __name__ == "__main__":
    ktap.main()
