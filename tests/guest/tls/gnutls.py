#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""GnuTLS with kernel TLS (tests/guest/tools/gtls.c) as client and server: with itself, with
OpenSSL's kernel TLS, and with peers that do TLS in user space. TLS 1.2 and 1.3, and new
keys in between. Digests are compared at both ends, and the counters of both namespaces show
which side used kernel TLS. With the word "offload", the near end's TLS is on the NIC."""
import hashlib
import os
import pathlib
import subprocess
import sys
import threading

import ktap
import ktls
import rig

ROOT = "/tmp/gnutls"
CERT, KEY, FILE = f"{ROOT}/cert.pem", f"{ROOT}/key.pem", f"{ROOT}/file"
SIZE = 300007
PORT = 4433
VERSIONS = ("1.2", "1.3")
CIPHERS = ("AES-128-GCM", "AES-256-GCM", "AES-128-CCM", "CHACHA20-POLY1305")
OPENSSL = {"1.2": ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
           "1.3": ("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256")}
OFFLOAD = "offload" in sys.argv
NIC_CIPHERS = tuple(name for name in CIPHERS if "CCM" not in name)
FAR = ("ip", "netns", "exec", "peer")
NEAR_AT, FAR_AT = f"{rig.NEAR[4]}:{PORT}", f"{rig.FAR[4]}:{PORT}"
SEND = (f"send:{FILE}", f"sendfile:{FILE}")
RECEIVE = (f"receive:{SIZE}",) * 2


def prepare():
    os.makedirs(ROOT)
    rig.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=vktls",
            "-keyout", KEY, "-out", CERT)
    pathlib.Path(FILE).write_bytes(rig.pattern(SIZE))
    rig.run("modprobe", "tls")
    if OFFLOAD:
        rig.offload()
        rig.receive_offload()
        rig.control()


def file_digest(times=1):
    return hashlib.sha256(pathlib.Path(FILE).read_bytes() * times).hexdigest()


def stats():
    """/proc/net/tls_stat of both namespaces: (near, far)."""
    words = rig.far_run("cat", "/proc/net/tls_stat").split()
    far = {name: int(value) for name, value in zip(words[::2], words[1::2])}
    return ktls.tls_stat(), far


class Expect:
    """Increases of the counters of both ends during a case."""

    def __init__(self):
        self.before = stats()
        self.nic = rig.Watch() if OFFLOAD else None

    def sockets(self, near, far, least=(2 * SIZE, SIZE)):
        """NEAR and FAR sockets used kernel TLS in both directions at each end, without an
        error. With "offload", the NIC encrypted and decrypted at least LEAST bytes for the
        near end."""
        now = stats()
        for end, name, count in zip((0, 1), ("near", "far"), (near, far)):
            moved = {key: value - self.before[end][key]
                     for key, value in now[end].items()}
            ktap.equal((moved["TlsTxSw"] + moved["TlsTxDevice"],
                        moved["TlsRxSw"] + moved["TlsRxDevice"],
                        moved["TlsDecryptError"]), (count, count, 0),
                       f"{name}: sending, receiving, errors")
            if OFFLOAD and end == 0:
                self.by_the_card(moved, count, least)

    def by_the_card(self, moved, count, least):
        """The near end's sockets were on the NIC, which encrypted and decrypted at least
        LEAST bytes."""
        ktap.equal((moved["TlsTxDevice"], moved["TlsRxDevice"]), (count, count),
                   "on the card: sending, receiving")
        sent = self.nic["tx_tls_encrypted_bytes"]
        got = self.nic["rx_tls_decrypted_bytes"]
        ktap.figure(f"GnuTLS: the card encrypted {sent} and decrypted {got} bytes of "
                    f"{2 * SIZE} each way")
        if sent < least[0] or got < least[1]:
            raise AssertionError(f"not by the card; {self.nic.report()}")

    def again(self):
        """The NIC got both directions again after new keys."""
        if OFFLOAD:
            self.nic.some("TlsTxDeviceKeyUpdate", "TlsRxLeftRekey", "TlsRxDeviceAgain")
            self.nic.expect(TlsTxLeftRekey=0)

    def new_keys(self, end, sent, received):
        """This end sent and received this many KeyUpdates."""
        now = stats()[end]
        ktap.equal([now[name] - self.before[end][name] for name in
                    ("TlsTxRekeyOk", "TlsRxRekeyOk", "TlsTxRekeyError",
                     "TlsRxRekeyError")], [sent, received, 0, 0], "new keys")


def start(argv, where=()):
    """Start a program with pipes, which ends with the case."""
    # pylint: disable-next=consider-using-with
    program = subprocess.Popen([*where, *argv], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               bufsize=0)
    ktap.defer(program.wait)
    ktap.defer(program.kill)
    return program


def serve(argv, where=()):
    """Start a program, and wait until it listens."""
    program = start(argv, where)
    rig.wait_for(lambda: f":{PORT} " in rig.run(*where, "ss", "-Hltn"), 30,
                 lambda: f"{argv[0]} does not listen: {program.poll()}")
    return program


def gtls(where, version, *words):
    """The command line of gtls: a server if WORDS has "listen", otherwise a client."""
    at = ("--listen", NEAR_AT if where == "near" else FAR_AT, "--cert", CERT,
          "--key", KEY) if "listen" in words else (
              "--connect", FAR_AT if where == "near" else NEAR_AT)
    return ["gtls", *at, "--tls", version, *(w for w in words if w != "listen")]


def done(program, received):
    """The program ended with status 0, and received the file RECEIVED times."""
    out, err = program.communicate(timeout=60)
    ktap.equal((program.returncode, err.decode()), (0, ""), "status")
    got = [line.split()[1:] for line in out.decode().splitlines()
           if line.startswith("received")]
    ktap.equal(got, [[str(SIZE), file_digest()]] * received, "received")


def itself(version, cipher):
    """Both ends use kernel TLS, and send the file by send and sendfile in both directions."""
    expect = Expect()
    far = serve(gtls("far", version, "listen", "--cipher", cipher, *RECEIVE, *SEND,
                     "bye"), FAR)
    near = start(gtls("near", version, "--cipher", cipher, *SEND, *RECEIVE, "bye"))
    done(near, 2)
    done(far, 2)
    expect.sockets(1, 1)


def alone(version, role):
    """The near end uses kernel TLS, and the peer's GnuTLS does TLS in user space."""
    expect = Expect()
    near, far = (RECEIVE + SEND, SEND + RECEIVE)
    if role == "server":
        first = serve(gtls("near", version, "listen", *near, "bye"))
        second = start(gtls("far", version, "--plain", *far, "bye"), FAR)
    else:
        first = serve(gtls("far", version, "listen", "--plain", *far, "bye"), FAR)
        second = start(gtls("near", version, *near, "bye"))
    done(first, 2)
    done(second, 2)
    expect.sockets(1, 0)


def openssl(version, role, kernel):
    """The near end is GnuTLS with kernel TLS in this role, the far end OpenSSL, with kernel
    TLS or without."""
    expect = Expect()
    options = [*OPENSSL[version], "-quiet", *(["-ktls"] if kernel else [])]
    words = [*RECEIVE, *SEND, "bye-send"]
    if role == "server":
        gnutls = serve(gtls("near", version, "listen", *words))
        other = start(["openssl", "s_client", *options, "-connect", NEAR_AT], FAR)
    else:
        other = serve(["openssl", "s_server", *options, "-naccept", "1", "-cert",
                       CERT, "-key", KEY, "-accept", FAR_AT], FAR)
        gnutls = start(gtls("near", version, *words))
    while not gnutls.stdout.readline().startswith(b"session"):
        pass    # before the handshake is complete, s_server would send in the clear
    content = pathlib.Path(FILE).read_bytes() * 2
    threading.Thread(target=feed, args=(other, content), daemon=True).start()
    got = read_all(other, len(content))
    done(gnutls, 2)
    ktap.equal(hashlib.sha256(got).hexdigest(), file_digest(2), "OpenSSL received")
    expect.sockets(1, 1 if kernel else 0)


def feed(program, data):
    while data:
        data = data[program.stdin.write(data):]


def read_all(program, size):
    out = b""
    while len(out) < size and (data := program.stdout.read(1 << 16)):
        out += data
    return out


def new_keys():
    """Both ends change their keys, unasked and on request, while files flow: all data
    arrives. gtls answers a request by "update" and sendfile, because GnuTLS 3.8.9 with
    kernel TLS does not leave the state in which its own send() answers, and sends the first
    piece for ever."""
    expect = Expect()
    file, ends = f"send:{FILE}", f"receive:{SIZE}"
    far = serve(gtls("far", "1.3", "listen", ends, ends, "update", file, ends,
                     "update", f"sendfile:{FILE}", "bye"), FAR)
    near = start(gtls("near", "1.3", file, "update", f"sendfile:{FILE}", ends,
                      "update-both", file, ends, "bye"))
    done(near, 2)
    done(far, 3)
    expect.sockets(1, 1, (SIZE // 2, SIZE // 4))
    expect.again()
    # one of the far end's own, and one on request
    expect.new_keys(0, 2, 2)
    expect.new_keys(1, 2, 2)


def new_keys_alone():
    """The peer does TLS in user space, and both ends change their keys: all data arrives."""
    expect = Expect()
    file, ends = f"send:{FILE}", f"receive:{SIZE}"
    far = serve(gtls("far", "1.3", "listen", "--plain", ends, "update", file, ends,
                     "bye"), FAR)
    near = start(gtls("near", "1.3", file, ends, "update-both", file, "bye"))
    done(near, 1)
    done(far, 2)
    expect.new_keys(0, 1, 1)


def main():
    prepare()
    for version in VERSIONS:
        for cipher in NIC_CIPHERS if OFFLOAD else CIPHERS:
            ktap.add(f"itself {version} {cipher}", itself, version, cipher)
        for role in ("client", "server"):
            ktap.add(f"{role} with a plain GnuTLS {version}", alone, version, role)
            for kernel in (True, False):
                how = "with kernel TLS" if kernel else "without"
                ktap.add(f"{role} with OpenSSL {how} {version}", openssl, version,
                         role, kernel, timeout=60)
    ktap.add("new_keys 1.3", new_keys, timeout=60)
    ktap.add("new_keys with a plain GnuTLS 1.3", new_keys_alone, timeout=60)
    sys.argv = [word for word in sys.argv if word != "offload"]
    ktap.main()


main()
