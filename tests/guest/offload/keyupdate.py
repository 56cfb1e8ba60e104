#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""New keys while a connection is on the NIC: TLS 1.3 KeyUpdates by either end, under
load and with 1 % of the frames lost. Lost segments of the old key are sent again with
the old key. For sending the NIC goes on with the next key; what is received later is on
the NIC again.

    keyupdate.py NUMBER     of new keys, in each direction
"""
import sys

import ktap
import ktls
import matrix_rig
import matrix_tls
import rig

LOAD = 96 << 10     # bytes around each new key, in each direction
CIPHERS = ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305")
NIC = ("tx_tls_encrypted_bytes", "rx_tls_decrypted_bytes")
KERNEL = ("TlsCurrTxDevice", "TlsCurrRxDevice")


class Updating(matrix_tls.Job):
    """Data of one end of a connection; with `update` set, the end takes a new key when half
    of its data is written."""

    update = False

    def write(self):
        if self.update and 2 * self.at >= len(self.data) and not self.piece:
            self.end.key_update()
            self.update = False
            return True
        return super().write()


def round_of(session, updating, number):
    """Send LOAD bytes in both directions; one end, or both, take a new key half-way."""
    out, back = (rig.pattern(LOAD + number), rig.pattern(LOAD)[::-1])
    near = Updating(session.near, out, len(back))
    far = Updating(session.far, back, len(out))
    near.update, far.update = ("near" in updating), ("far" in updating)
    matrix_tls.pump(near, far, timeout=100)
    session.arrived(near, far)


def on_the_nic(session, what):
    """Exchange data until the NIC handles both directions again; it may miss a few records.
    The NIC gets a new receive key when a window of the old key's data has passed."""
    for _ in range(60):
        before = rig.counters()
        session.exchange(rig.pattern(20000), rig.pattern(60000))
        after, now = rig.counters(), ktls.tls_stat()
        if (all(after[name] - before[name] >= 10000 for name in NIC) and
                all(now[name] == 1 for name in KERNEL)):
            return
    raise AssertionError(
        f"{what}: not on the NIC again: " + ", ".join(
            f"{name} {after[name] - before[name]}" for name in NIC) + ", " +
        ", ".join(f"{name} {now[name]}" for name in KERNEL))


def updates(count, cipher, peer, near_serves):
    """Each end in turn takes a new key, COUNT times, with 1 % of the frames lost: both
    directions return to the NIC after each new key."""
    matrix_rig.Wire.set("loss_1")
    matrix_rig.features("both")
    watch = rig.Watch()
    session = matrix_rig.Session("1.3", cipher, rig.FAR[4], near_serves, peer)
    ktap.equal(session.near.ktls(), (True, True), "kernel TLS sends, receives")
    on_the_nic(session, "before")
    for number in range(count):
        for who in ("near", "far"):
            round_of(session, who, number)
            on_the_nic(session, f"update {number} by {who}")
    moved, sizes = watch.moved(), session.sizes
    ktap.equal((moved["TlsTxRekeyOk"], moved["TlsRxRekeyOk"],
                moved["TlsRxRekeyReceived"]), (count,) * 3, "new keys")
    watch.expect(TlsTxRekeyError=0, TlsRxRekeyError=0, TlsDecryptError=0)
    watch.expect(TlsTxDeviceKeyUpdate=count, TlsTxLeftRekey=0, TlsTxDeviceAgain=0)
    if moved["TlsRxDeviceAgain"] < count:
        raise AssertionError(f"back on the NIC {moved['TlsRxDeviceAgain']} times, not {count}")
    for name, size in zip(NIC, sizes):
        print(f"# figure: {2 * count} new keys, {peer}, 1 % loss: {name} "
              f"{100 * moved[name] / size:.1f} % of {size}")
    session.close()
    matrix_rig.gone(watch, (False, False))


def both_at_once(cipher, peer):
    """Both ends take a new key at the same time: both directions return to the NIC."""
    matrix_rig.Wire.set("loss_1")
    matrix_rig.features("both")
    session = matrix_rig.Session("1.3", cipher, rig.FAR[6], True, peer)
    for number in range(3):
        round_of(session, ("near", "far"), number)
        on_the_nic(session, f"update {number}")
    session.close()


def main():
    """Register and run."""
    count = int(sys.argv.pop(1))
    rig.control()
    matrix_rig.prepare()
    for number, cipher in enumerate(CIPHERS):
        for serves, peer in enumerate(("openssl", "gnutls")):
            name = f"{peer}_{cipher}".replace("-", "_")
            ktap.add(f"updates_{name}", updates, count, cipher, peer,
                     bool((serves + number) % 2), timeout=30 + 10 * count)
            ktap.add(f"both_at_once_{name}", both_at_once, cipher, peer,
                     timeout=60)
    ktap.main()


main()
