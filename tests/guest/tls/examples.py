#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The example programs of tools/examples, which docs/ktls.rst quotes: one end of each
connection is on the NIC, the other end in software."""
import os
import subprocess

import ktap
import ktls
import rig

PORT = "4433"
SIZE = 300000
PEER = ["ip", "netns", "exec", "peer"]


def both_ways():
    """Switch both features on until the case ends."""
    for name in ("tls-hw-tx-offload", "tls-hw-rx-offload"):
        rig.feature(name, True)
        ktap.defer(rig.feature, name, False)


def listening(prefix):
    """Does a program listen on PORT?"""
    return PORT in rig.run(*prefix, "ss", "-Hltn", f"sport = {PORT}")


def talk(server, client, to_peer):
    """Run a server, and a client at the other end. Returns the server's output."""
    near, far = ([], PEER) if to_peer else (PEER, [])
    with subprocess.Popen([*far, *server], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as process:
        ktap.defer(process.kill)
        rig.wait_for(lambda: listening(far), 10, lambda: "nobody listens")
        rig.run(*near, *client)
        out, _ = process.communicate(timeout=30 * ktap.SLOW)
    if process.returncode:
        raise AssertionError(out)
    return out


def transfer(version, to_peer):
    """tls_send sends a file to tls_recv, which gets it unchanged. Returns a Watch on the
    near end."""
    both_ways()
    with open("/tmp/file", "wb") as file:
        file.write(rig.pattern(SIZE))
    more = ["1.3"] if version == ktls.TLS13 else []
    watch = rig.Watch()
    address = rig.FAR[4] if to_peer else rig.NEAR[4]
    out = talk(["tls_recv", PORT, "/tmp/got", *more],
               ["tls_send", address, PORT, "/tmp/file", *more], to_peer)
    ktap.equal(out, f"{SIZE} bytes\n", "output")
    with open("/tmp/got", "rb") as file:
        ktap.equal(file.read() == rig.pattern(SIZE), True, "the same file")
    return watch


def sender_on_the_card(version):
    """The NIC encrypts all data that tls_send sends."""
    watch = transfer(version, True)
    watch.settle("tx_tls_del", 1)
    watch.expect(TlsTxDevice=1, TlsTxSw=0, tx_tls_ctx=1, tx_tls_fallback_bytes=0)
    watch.some("tx_tls_encrypted_bytes", "dev_tls_tx_records")
    if watch["tx_tls_encrypted_bytes"] <= SIZE:
        raise AssertionError(watch.report())


def receiver_on_the_card(version):
    """The NIC decrypts data that tls_recv reads. (Data that came before the key was set is
    decrypted by software.)"""
    watch = transfer(version, False)
    watch.expect(TlsRxDevice=1, TlsRxSw=0, rx_tls_ctx=1, TlsDecryptError=0)
    watch.some("rx_tls_decrypted_bytes")


def control_records(to_peer):
    """tls_control sends data and control records: they arrive with their types, and data is
    told apart."""
    both_ways()
    address = rig.FAR[4] if to_peer else rig.NEAR[4]
    out = talk(["tls_control", "listen", PORT], ["tls_control", address, PORT], to_peer)
    ktap.equal(out.splitlines(), ["data: 3 bytes", "type 22: 19 bytes", "data: 3 bytes",
                                  "type 21: 2 bytes"], "output")


def rekey(to_peer):
    """tls_rekey sends three KeyUpdates: the kernel counts three, and data with each key
    arrives."""
    both_ways()
    watch = rig.Watch()
    address = rig.FAR[4] if to_peer else rig.NEAR[4]
    out = talk(["tls_rekey", "listen", PORT], ["tls_rekey", address, PORT], to_peer)
    ktap.equal(out.splitlines(), [f"with key {n}" for n in range(4)], "output")
    if to_peer:
        watch.expect(TlsTxRekeyError=0, TlsTxDevice=1)
        keys = watch["TlsTxRekeyOk"] + watch["TlsTxRekeyAborted"]
    else:
        watch.expect(TlsRxRekeyError=0, TlsRxRekeyReceived=3, TlsRxDevice=1)
        keys = watch["TlsRxRekeyOk"] + watch["TlsRxRekeyAborted"]
    # a key whose program ended before the NIC got it counts as aborted
    ktap.equal(keys, 3, "new keys")


def a_stream_that_is_cut_is_an_error():
    """A TCP connection is closed without close_notify: tls_recv reports an error."""
    both_ways()
    with subprocess.Popen([*PEER, "tls_recv", PORT, "/tmp/got"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as process:
        ktap.defer(process.kill)
        rig.wait_for(lambda: listening(PEER), 10, lambda: "nobody listens")
        with ktls.socket.create_connection((rig.FAR[4], int(PORT))) as sock:
            key = ktls.Key()
            key.key, key.salt, key.iv = b"\x10" * 16, b"Z" * 4, bytes(8)
            ktls.attach(sock, tx=key)
            sock.sendall(b"size 10\n0123456789")
        out, _ = process.communicate(timeout=30 * ktap.SLOW)
    ktap.equal((process.returncode, "no close_notify" in out), (1, True), out)


for tls in (ktls.TLS12, ktls.TLS13):
    ktap.add(f"sender_on_the_card_{tls:#x}", sender_on_the_card, tls, timeout=60)
    ktap.add(f"receiver_on_the_card_{tls:#x}", receiver_on_the_card, tls, timeout=60)
for there in (True, False):
    side = "to" if there else "from"
    ktap.add(f"control_records_{side}_the_peer", control_records, there)
    ktap.add(f"rekey_{side}_the_peer", rekey, there)
ktap.case()(a_stream_that_is_cut_is_an_error)
ktap.case()(rig.control)
ktap.main()
