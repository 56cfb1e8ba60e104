#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Many connections in one boot: opened, used, changed, closed in every state,
with nothing left of them.
"""
import os
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import ktls  # noqa: E402

CONNECTIONS = 10_000
WARM = 2_000
SLACK_KIB = 6_000       # caches that come and go


def memory():
    """KiB of kernel memory that sockets could leak into."""
    fields = {}
    for line in pathlib.Path("/proc/meminfo").read_text("ascii").splitlines():
        name, value = line.split(":")
        fields[name] = int(value.split()[0])
    return fields["SUnreclaim"] + fields["Percpu"] + fields["VmallocUsed"]


def settle():
    """Memory once what RCU and works still hold is gone."""
    time.sleep(3)
    return memory()


def one(i):
    """A connection; what it does, and how it ends, depends on its number."""
    version = (ktls.TLS12, ktls.TLS13)[i & 1]
    cipher = ("aes-128-gcm", "chacha20-poly1305")[i >> 1 & 1]
    key = ktls.Key(cipher, version)
    near, far = ktls.tcp_pair()
    ktls.attach(near, tx=key)
    ktls.attach(far, rx=key.clone())
    near.send(b"x" * 100)
    ktap.equal(far.recv(100), b"x" * 100, "payload")
    if version == ktls.TLS13 and i % 7 == 0:
        near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX,
                        ktls.Key(cipher, version).crypto_info())
    if i % 3 == 0:
        near.send(b"never read" * 500)
    if i % 5 == 0:
        near.send(b"held", socket.MSG_MORE)
    if i % 11 == 0:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        b"\1\0\0\0\0\0\0\0")
    for end in (near, far) if i & 4 else (far, near):
        end.close()


@ktap.case(timeout=1200)
def ten_thousand():
    """Memory is as after the first ones, and nothing is counted as open."""
    for i in range(WARM):
        one(i)
    before = settle()
    for i in range(WARM, CONNECTIONS):
        one(i)
    grown = settle() - before
    print(f"# {CONNECTIONS} connections, {grown} KiB more", flush=True)
    ktap.equal(grown < SLACK_KIB, True, f"{grown} KiB more")
    stat = ktls.tls_stat()
    for name in ("TlsCurrTxSw", "TlsCurrRxSw", "TlsCurrTxDevice",
                 "TlsCurrRxDevice"):
        ktap.equal(stat[name], 0, name)


@ktap.case(timeout=60)
def unload():
    """The module goes when the last socket has, and not before."""
    near, far = ktls.tcp_pair()
    ktls.attach(near, tx=ktls.Key())
    ktap.equal(os.system("rmmod tls 2>/dev/null") != 0, True, "refused")
    near.close()
    far.close()
    for _ in range(100):
        if os.system("rmmod tls 2>/dev/null") == 0:
            return
        time.sleep(0.2)
    raise AssertionError("the module cannot be unloaded")


if __name__ == "__main__":
    ktap.main()
