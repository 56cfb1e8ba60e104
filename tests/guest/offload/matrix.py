#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every combination of direction, version, cipher, address family, peer and
trouble on the wire: OpenSSL over kernel TLS and the NIC at the near end, a real
library without either at the far end.

    matrix.py pairs     each two values of two columns meet in some case
    matrix.py all       all of them

In each case there is a handshake, bulk in the direction that is offloaded (in
both at once where both are), a few requests and answers, and a look at digests
and counters. The wire is looked at afterwards, on the host.
"""
import itertools
import random
import sys

import ktap
import matrix_rig
import rig

BULK = 384 << 10
ROUNDS = 4      # requests and answers

DIRECTIONS = ("tx", "rx", "both")
VERSIONS = ("1.2", "1.3")
CIPHERS = ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305")
FAMILIES = (4, 6)
PEERS = ("openssl", "gnutls")
COLUMNS = (tuple(matrix_rig.TROUBLE), DIRECTIONS, CIPHERS, VERSIONS, FAMILIES,
           PEERS)

figures = {}    # by trouble: [bytes sent, by the NIC, received, by the NIC]


def pairs(columns, seed):
    """Few rows in which every two values of two columns meet."""
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
    # by trouble: to change that takes longer than anything else
    return sorted(chosen, key=lambda row: columns[0].index(row[0]))


def sockets(watch, session, want):
    """The kernel does records of both directions; these on the NIC."""
    ktap.equal(session.near.ktls(), (True, True), "kernel TLS sends, receives")
    watch.expect(TlsTxDevice=int(want[0]), TlsTxSw=int(not want[0]),
                 TlsRxDevice=int(want[1]), TlsRxSw=int(not want[1]))


def begin(session, want, version):
    """
    Once it returns, all is the NIC's that nothing happens to. Returns the bytes
    that were received before.
    """
    if not want[1] or version != "1.2":
        return 0
    return matrix_rig.warm_up(session)


def judge(watch, session, want, trouble, late):
    """Counters after the transfer."""
    moved, sizes = watch.moved(), session.sizes
    nic = [moved.get(name, 0) for name in ("tx_tls_encrypted_bytes",
                                           "rx_tls_decrypted_bytes")]
    # behind the NIC nothing disturbs its place in the stream that it sends
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
    """One case."""
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
    """A connection that is busy in both directions for longer."""
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
    """The share as text."""
    return f"{100 * part / whole:.1f} % of {whole}" if whole else "none"


def report():
    """Figures: the NIC's share of the content, by trouble."""
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
