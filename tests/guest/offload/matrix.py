#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every combination of direction, version, cipher, address family, peer and trouble on the
wire: OpenSSL over kernel TLS and the NIC at the near end, and a TLS library that uses
neither at the far end.

matrix.py pairs     any two values of two columns meet in at least one case
matrix.py all       all combinations

Each case makes a handshake, sends bulk data in the offloaded direction (in both at
once if both are offloaded), then a few requests and answers, and checks digests and
counters. The host checks the wire after the run.
"""
import itertools
import random
import sys

import ktap
import matrix_rig
import rig

BULK = 384 << 10
ROUNDS = 4      # requests with answers, after the bulk data

DIRECTIONS = ("tx", "rx", "both")
VERSIONS = ("1.2", "1.3")
CIPHERS = ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305")
FAMILIES = (4, 6)
PEERS = ("openssl", "gnutls")
COLUMNS = (tuple(matrix_rig.TROUBLE), DIRECTIONS, CIPHERS, VERSIONS, FAMILIES,
           PEERS)

figures = {}    # trouble: [bytes sent, encrypted by the NIC, received, decrypted by it]


def pairs(columns, seed):
    """A small set of rows in which any two values of two columns meet."""
    rng = random.Random(seed)
    rows = list(itertools.product(*columns))
    rng.shuffle(rows)

    def meetings(row):
        return set(itertools.combinations(enumerate(row), 2))

    left = set().union(*map(meetings, rows))
    chosen = []
    while left:
        best = max(rows, key=lambda row: len(meetings(row) & left))
        chosen.append(best)
        left -= meetings(best)
    # sorted by trouble, because changing the trouble takes longest
    return sorted(chosen, key=lambda row: columns[0].index(row[0]))


def sockets(watch, session, want):
    """The kernel does the records of both directions; those in WANT are on the NIC."""
    ktap.equal(session.near.ktls(), (True, True), "kernel TLS sends, receives")
    watch.expect(TlsTxDevice=int(want[0]), TlsTxSw=int(not want[0]),
                 TlsRxDevice=int(want[1]), TlsRxSw=int(not want[1]))


def begin(session, want, version):
    """Bring the receive direction of TLS 1.2 into sync. Returns the number of bytes that
    were received before that."""
    if not want[1] or version != "1.2":
        return 0
    return matrix_rig.warm_up(session)


def judge(watch, session, want, trouble, late):
    """The NIC handled enough bytes: all that it sends, all that it receives without
    trouble, and at least one byte with trouble."""
    moved, sizes = watch.moved(), session.sizes
    nic = [moved.get(name, 0) for name in ("tx_tls_encrypted_bytes",
                                           "rx_tls_decrypted_bytes")]
    # trouble is behind the NIC, and so cannot disturb the stream that the NIC sends
    least = (sizes[0], sizes[1] - late if trouble == "clean" else 1)
    note = figures.setdefault(trouble, [0] * 4)
    for way in (0, 1):
        if want[way] and nic[way] < least[way]:
            raise AssertionError(f"by the NIC: {nic[way]} of {sizes[way]} bytes; "
                                 f"{watch.report()}")
        if want[way]:
            note[2 * way] += sizes[way]
            note[2 * way + 1] += min(nic[way], sizes[way])
    watch.expect(tx_tls_fallback_gap=0, tx_tls_lost_device=0, TlsDecryptError=0)


def combination(row, near_serves):
    """One row of the matrix: all data arrives, in the places that the row asks for."""
    trouble, direction, cipher, version, family, peer = row
    matrix_rig.Wire.set(trouble)
    matrix_rig.features(direction)
    able = matrix_rig.able(version, cipher)
    want = (able and direction != "rx", able and direction != "tx")
    watch = rig.Watch()
    session = matrix_rig.Session(version, cipher, rig.FAR[family], near_serves,
                                 peer)
    sockets(watch, session, want)
    late = begin(session, want, version)
    data = rig.pattern(BULK)
    session.exchange(data if direction != "rx" else b"",
                     data[::-1] if direction != "tx" else b"")
    for number in range(ROUNDS):
        session.exchange(rig.pattern(100 + number), b"")
        session.exchange(b"", rig.pattern(3000 * number + 1))
    judge(watch, session, want, trouble, late)
    session.close()
    matrix_rig.gone(watch, want)


def both_bulk(version, cipher):
    """Four megabytes in both directions at once: the NIC handles all of them."""
    matrix_rig.Wire.set("clean")
    matrix_rig.features("both")
    able = matrix_rig.able(version, cipher)
    watch = rig.Watch()
    session = matrix_rig.Session(version, cipher, rig.FAR[4], True)
    sockets(watch, session, (able, able))
    late = begin(session, (able, able), version)
    session.exchange(rig.pattern(4 << 20), rig.pattern(4 << 20)[::-1])
    judge(watch, session, (able, able), "clean", late)
    session.close()
    matrix_rig.gone(watch, (able, able))


def share(part, whole):
    """PART of WHOLE as text."""
    return f"{100 * part / whole:.1f} % of {whole}" if whole else "none"


def report():
    """Print the NIC's share of the content, for each kind of trouble."""
    for trouble, (out, encrypted, back, decrypted) in figures.items():
        print(f"# figure: {trouble}: by the NIC: {share(encrypted, out)} bytes "
              f"encrypted, {share(decrypted, back)} decrypted", flush=True)


def main():
    """Register and run."""
    rows = (pairs(COLUMNS, matrix_rig.SEED) if sys.argv.pop(1) == "pairs" else
            list(itertools.product(*COLUMNS)))
    rig.control()
    matrix_rig.prepare()
    for number, row in enumerate(rows):
        name = "_".join(str(word).replace("-", "_") for word in row)
        ktap.add(name, combination, row, number % 2 == 0, timeout=120)
    for version in VERSIONS:
        ktap.add(f"both_bulk_{version}", both_bulk, version, "aes-128-gcm",
                 timeout=120)
    ktap.add("figures", report)
    ktap.main()


main()
