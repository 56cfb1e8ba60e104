#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The software path over an engine that answers later, from another CPU.

pcrypt is put in front of the AES-GCM that the kernel prefers; every case fails
unless it is what new sockets use.
"""
import errno
import hashlib
import os
import pathlib
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import ktls  # noqa: E402

VERSIONS = {"1.2": ktls.TLS12, "1.3": ktls.TLS13}


def gcm():
    """Drivers of gcm(aes): {name: (priority, users)}."""
    found = {}
    text = pathlib.Path("/proc/crypto").read_text(encoding="ascii")
    for entry in text.split("\n\n"):
        field = {k.strip(): v.strip() for k, v in
                 (line.split(":", 1) for line in entry.splitlines()
                  if ":" in line)}
        if field.get("name") == "gcm(aes)" and field.get("type") == "aead":
            found[field["driver"]] = (int(field["priority"]),
                                      int(field["refcnt"]))
    return found


def best():
    """The driver that a new socket gets."""
    return max(gcm().items(), key=lambda item: item[1][0])[0]


def tls_pair(version):
    """Two kernel TLS sockets, both directions."""
    near, far = ktls.tcp_pair()
    one, two = (ktls.Key("aes-128-gcm", version) for _ in range(2))
    for end in (near, far):
        ktap.defer(end.close)
    ktls.attach(near, tx=one, rx=two)
    ktls.attach(far, tx=two.clone(), rx=one.clone())
    return near, far


def use_pcrypt():
    """New sockets get an asynchronous engine."""
    ktls.attach(ktls.tcp_pair()[0], tx=ktls.Key())
    if not best().startswith("pcrypt("):
        subprocess.run(["modprobe", "-q", "tcrypt", f"alg=pcrypt({best()})",
                        "type=3"], check=False)
    if not best().startswith("pcrypt("):
        raise AssertionError(f"the best gcm(aes) is still {best()}")


def bulk(version):
    """Data of odd lengths, both ways at once."""
    use_pcrypt()
    users = gcm()[best()][1]
    ends = tls_pair(version)
    ktap.equal(gcm()[best()][1] > users, True, "the engine is used")
    data = os.urandom(3_000_001)
    got = [hashlib.sha256(), hashlib.sha256()]

    def read(sock, digest):
        left = len(data)
        while left:
            part = sock.recv(min(left, 70001))
            digest.update(part)
            left -= len(part)

    def write(sock):
        for i in range(0, len(data), 33333):
            sock.sendall(data[i:i + 33333])

    threads = [threading.Thread(target=write, args=(end,)) for end in ends]
    threads += [threading.Thread(target=read, args=pair)
                for pair in zip(ends, got)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    want = hashlib.sha256(data).hexdigest()
    ktap.equal([d.hexdigest() for d in got], [want, want], "digests")


def bad_tag(version):
    """An error that comes late is not lost."""
    use_pcrypt()
    raw, tls = ktls.tcp_pair()
    ktap.defer(raw.close)
    ktap.defer(tls.close)
    key = ktls.Key("aes-128-gcm", version)
    ktls.attach(tls, rx=key.clone())
    broken = bytearray(key.seal(b"second"))
    key.seq = 0
    raw.sendall(key.seal(b"first!") + bytes(broken[:-1]) +
                bytes([broken[-1] ^ 1]))
    ktap.equal(tls.recv(6), b"first!", "before the fault")
    for _ in range(2):
        try:
            raise AssertionError(f"recv returned {tls.recv(6)!r}")
        except OSError as err:
            ktap.equal(err.errno, errno.EBADMSG, "errno")


def close_early(version):
    """Sockets closed while their data is under way."""
    use_pcrypt()
    for _ in range(50):
        near, far = tls_pair(version)
        near.send(os.urandom(100_000), socket.MSG_DONTWAIT)
        near.close()
        far.recv(1)
        far.close()


for text, number in VERSIONS.items():
    for fn in (bulk, bad_tag, close_early):
        ktap.add(f"{fn.__name__} {text}", fn, number, timeout=60)

if __name__ == "__main__":
    ktap.main()
