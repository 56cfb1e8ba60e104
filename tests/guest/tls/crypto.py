#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Crypto engines that answer later. cryptd, with a queue of one request, and pcrypt are
laid around the kernel's own ciphers, one around the other. Their priority is higher, so TLS
sockets get them without asking for them. late.ko (in this folder) makes the kernel create
them; for a kernel without cryptd, as Debian's 7.3.4, late.ko is itself such an engine."""
import errno
import hashlib
import os
import socket
import struct
import subprocess
import threading
import time

import ktap
import ktls

VERSIONS = {"1.2": ktls.TLS12, "1.3": ktls.TLS13}
ALGORITHMS = {"aes-128-gcm": "gcm(aes)", "aes-128-ccm": "ccm(aes)",
              "chacha20-poly1305": "rfc7539(chacha20,poly1305)"}
SIZE = 1 << 20
FLOWS = 6
REST = {}   # algorithm: references to its engine without any socket


def probe(name):
    """Make the kernel find or create an AEAD of that name."""
    with open("/sys/module/late/parameters/make", "w", encoding="ascii") as file:
        file.write(name)


def best(algorithm):
    """The implementation of an algorithm that a user gets, from /proc/crypto."""
    with open("/proc/crypto", encoding="ascii") as file:
        blocks = file.read().strip().split("\n\n")
    found = []
    for block in blocks:
        one = dict((word.strip() for word in line.split(":", 1))
                   for line in block.splitlines())
        if (one["name"], one["type"], one["internal"]) == (algorithm, "aead",
                                                           "no"):
            found.append(one)
    return max(found, key=lambda one: int(one["priority"]))


def has_module(name):
    """Tell whether this kernel has a module of that name."""
    return not subprocess.run(["modinfo", name], check=False, capture_output=True).returncode


def only_generic():
    """Unload the accelerated GHASH, since cryptd does not take it as its inner algorithm.
    7.x has no module of it."""
    with open("/etc/modprobe.d/vktls.conf", "w", encoding="ascii") as file:
        file.write("blacklist ghash_clmulni_intel\n")
    if has_module("ghash_clmulni_intel"):
        subprocess.run(["modprobe", "-r", "ghash_clmulni_intel"], check=True)


def wrap(template):
    """Lay an asynchronous engine around the best implementation of each cipher. Sockets
    that are closed here leave their ciphers behind for reuse; a later socket must not get
    such a cipher."""
    subprocess.run(["modprobe", template], check=True)
    for cipher, algorithm in ALGORITHMS.items():
        for end in tls_pair(cipher, ktls.TLS13):
            end.close()
        probe(algorithm)
        inner = best(algorithm)["driver"]
        probe(f"{template}({inner})")
        now = best(algorithm)
        ktap.equal((now["driver"], now["async"]),
                   (f"{template}({inner})", "yes"), algorithm)
        REST[algorithm] = int(now["refcnt"])


def tls_pair(cipher, version):
    """Two TLS sockets with keys in both directions."""
    ends = ktls.tcp_pair()
    there, back = (ktls.Key(cipher, version) for _ in range(2))
    for end, tx, rx in ((ends[0], there, back), (ends[1], back, there)):
        ktap.defer(end.close)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                       struct.pack("ll", 60, 0))
        ktls.attach(end, tx.clone(), rx.clone())
    return ends


def in_use(cipher, version):
    """Two sockets with both directions hold four references to the engine."""
    algorithm = ALGORITHMS[cipher]
    tls_pair(cipher, version)
    ktap.equal(int(best(algorithm)["refcnt"]) - REST[algorithm], 4,
               "references to the engine")


def receive(sock, digest):
    while chunk := sock.recv(1 << 17):
        digest.update(chunk)


def transfer(cipher, version, size=SIZE):
    """Data goes in both directions at once through the engine, and arrives unchanged."""
    ends = tls_pair(cipher, version)
    data = os.urandom(size)
    digests = [hashlib.sha256() for _ in ends]
    threads = [threading.Thread(target=receive, args=pair)
               for pair in zip(ends, digests)]
    def push(sock):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    threads += [threading.Thread(target=push, args=(end,)) for end in ends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = hashlib.sha256(data).hexdigest()
    ktap.equal([digest.hexdigest() for digest in digests], [wanted] * 2,
               "digests")


def crowd(cipher, version):
    """Several connections at once make more requests than the engine's queue holds: all
    data arrives."""
    def guarded():
        try:
            transfer(cipher, version, SIZE // 4)
        except Exception as err:    # pylint: disable=broad-except
            problems.append(err)

    problems = []
    threads = [threading.Thread(target=guarded) for _ in range(FLOWS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def bad_tag(cipher, version):
    """A record with a wrong tag: the reader gets EBADMSG from the engine's late verdict,
    and none of the content."""
    key = ktls.Key(cipher, version)
    raw, tls = ktls.tcp_pair()
    ktap.defer(raw.close)
    ktap.defer(tls.close)
    ktls.attach(tls, rx=key.clone())
    record = key.seal(b"good")
    raw.sendall(record + record[:-1] + bytes([record[-1] ^ 1]))
    ktap.equal(tls.recv(4), b"good", "record before it")
    for _ in range(2):
        try:
            got = tls.recv(99)
        except OSError as err:
            ktap.equal(err.errno, errno.EBADMSG, "error")
        else:
            raise AssertionError(f"read {got!r}")


def close_while_sending(cipher, version):
    """Both ends close while the engine still has requests: the kernel survives."""
    for _ in range(10):
        near, far = tls_pair(cipher, version)
        near.setblocking(False)
        for _ in range(8):
            near.send(bytes(1 << 15))
        far.close()
        near.close()


def let_go():
    """Memory of closed sockets is kept for later ones, and freed after a short time."""
    end = time.monotonic() + 10
    while any(int(best(name)["refcnt"]) != rest for name, rest in REST.items()):
        if time.monotonic() > end:
            raise AssertionError("engines are still in use")
        time.sleep(0.1)


def register(engine):
    def engaged():
        wrap(engine)
    ktap.add(f"{engine} engaged", engaged)
    for cipher in ALGORITHMS:
        for name, version in VERSIONS.items():
            words = f"{engine} {cipher} {name}"
            ktap.add(f"in_use {words}", in_use, cipher, version)
            ktap.add(f"transfer {words}", transfer, cipher, version)
            ktap.add(f"bad_tag {words}", bad_tag, cipher, version)
    ktap.add(f"crowd {engine}", crowd, "aes-128-gcm", ktls.TLS12, timeout=60)
    ktap.add(f"close_while_sending {engine}", close_while_sending,
             "aes-128-gcm", ktls.TLS13)
    ktap.add(f"let_go {engine}", let_go)


def queue_of_one(engine):
    """Load the engine with a queue of one request."""
    subprocess.run(["modprobe", "-a", "late", engine], check=True)
    if engine == "late":    # always has a queue of one request
        return
    with open("/proc/cmdline", encoding="ascii") as file:
        if "cryptd.cryptd_max_cpu_qlen=1" not in file.read().split():
            raise AssertionError("no cryptd.cryptd_max_cpu_qlen=1")


if __name__ == "__main__":
    queued = "cryptd" if has_module("cryptd") else "late"
    ktap.add("queue_of_one", queue_of_one, queued)
    ktap.add("only_generic", only_generic)
    register(queued)
    register("pcrypt")
    ktap.main()
