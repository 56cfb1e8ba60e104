#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Ten thousand TLS connections, opened, used and closed in one boot, most over the
wire in software, a part on the NIC: memory is stable and all counters of living
things end at zero."""
import os
import pathlib
import socket
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / folder)
                for folder in ("lib", "offload")]
import ktap  # noqa: E402
import ktls  # noqa: E402
import rig  # noqa: E402

CONNECTIONS = 10000
WARM = 1000
ON_CARD = 10            # one in so many
ALIVE = ("TlsCurrTxSw", "TlsCurrRxSw", "TlsCurrTxDevice", "TlsCurrRxDevice")
NOISE = 1000            # objects; a leak of one by connection is nine thousand
DATA = os.urandom(2000)


def slab():
    """Objects in use by cache."""
    lines = pathlib.Path("/proc/slabinfo").read_text("ascii").splitlines()[2:]
    return {line.split()[0]: int(line.split()[1]) for line in lines}


def meminfo(*names):
    """KiB of these lines of /proc/meminfo."""
    with open("/proc/meminfo", encoding="ascii") as file:
        table = dict(line.split(":") for line in file)
    return {name: int(table[name].split()[0]) for name in names}


def settle():
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3", "ascii")
    time.sleep(3)


def sockets():
    """TCP sockets that exist, waiting ones apart."""
    words = pathlib.Path("/proc/net/sockstat").read_text("ascii").splitlines()
    return next(int(line.split()[2]) for line in words
                if line.startswith("TCP:"))


def abort(sock):
    """close() sends a reset: no connection is left waiting."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def over_loopback(number):
    """Both ends are the kernel's: data both ways, in a kind that changes."""
    version = (ktls.TLS12, ktls.TLS13)[number % 2]
    cipher = list(ktls.CIPHERS)[number // 2 % len(ktls.CIPHERS)]
    ends = ktls.tcp_pair()
    there, back = (ktls.Key(cipher, version) for _ in range(2))
    ktls.attach(ends[0], there.clone(), back.clone())
    ktls.attach(ends[1], back.clone(), there.clone())
    for near, far in (ends, ends[::-1]):
        near.sendall(DATA)
        ktap.equal(far.recv(len(DATA), socket.MSG_WAITALL), DATA, "data")
    if number % 3 == 0:         # leave something unread, or held open
        ends[0].send(DATA, socket.MSG_MORE)
        ends[1].sendall(DATA)
    abort(ends[number % 2])
    ends[1 - number % 2].close()


def over_card(_number):
    """The NIC encrypts."""
    near, far = rig.connect()
    key = ktls.Key()
    ktls.attach(near, key.clone())
    near.sendall(DATA)
    record = far.recv(len(DATA) + 29, socket.MSG_WAITALL)
    ktap.equal(key.clone().open(record), (ktls.DATA, DATA), "record")
    abort(near)
    far.close()


def many(count):
    for number in range(count):
        if number % ON_CARD:
            over_loopback(number)
        else:
            over_card(number)


@ktap.case(timeout=1450)
def ten_thousand():
    """Nothing is left of any of them."""
    rig.offload()
    many(WARM)
    settle()
    watch = rig.Watch()
    before, memory, open_before = slab(), meminfo("Percpu", "SUnreclaim"), \
        sockets()
    many(CONNECTIONS - WARM)
    settle()
    rig.wait_for(lambda: not any(ktls.tls_stat()[name] for name in ALIVE), 60,
                 lambda: f"alive: {ktls.tls_stat()}")
    ktap.equal(watch["TlsTxDevice"], (CONNECTIONS - WARM) // ON_CARD, "on card")
    watch.settle("tx_tls_del", (CONNECTIONS - WARM) // ON_CARD)
    grown = {name: count - before.get(name, 0) for name, count in slab().items()
             if count - before.get(name, 0) >= NOISE}
    now = meminfo("Percpu", "SUnreclaim")
    print(f"# {memory} KiB before, {now} after; "
          f"{open_before} TCP sockets before, {sockets()} after")
    ktap.equal(grown, {}, "caches that grew")
    ktap.equal(now["Percpu"] - memory["Percpu"] < 512, True, "Percpu")
    ktap.equal(now["SUnreclaim"] - memory["SUnreclaim"] < 8192, True,
               "SUnreclaim")
    ktap.equal(sockets() <= open_before + 10, True, "sockets")


ktap.main()
