#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The distribution's bonding over two NICs: TLS flows are offloaded to the one that
carries them, and go on when it fails."""
import pathlib
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / folder)
                for folder in ("lib", "offload")]
import ktap  # noqa: E402
import ktls  # noqa: E402
import rig  # noqa: E402

SLAVES = ("eth0", "eth1")
FLOWS = 12
SIZE = 300000


def build():
    """Both NICs under bond0, which takes over eth0's addresses."""
    rig.run("ip", "link", "add", "bond0", "type", "bond", "mode", "balance-xor",
            "xmit_hash_policy", "layer3+4", "miimon", "50")
    for slave in SLAVES:
        rig.run("ip", "link", "set", slave, "down")
        rig.run("ip", "addr", "flush", "dev", slave)
        rig.run("ip", "link", "set", slave, "master", "bond0")
        rig.run("ethtool", "-K", slave, "tls-hw-tx-offload", "on")
    # one hub: each frame reaches both, and one copy is enough
    rig.run("tc", "qdisc", "add", "dev", "eth1", "clsact")
    rig.run("tc", "filter", "add", "dev", "eth1", "ingress", "matchall",
            "action", "drop")
    rig.run("ip", "addr", "add", rig.NEAR[4] + "/24", "dev", "bond0")
    rig.run("ip", "link", "set", "bond0", "up")
    rig.wait_for(lambda: "state UP" in rig.run("ip", "link", "show", "bond0"), 20,
                 lambda: rig.run("ip", "link", "show", "bond0"))


def counter(slave, name):
    """One line of ethtool -S."""
    for line in rig.run("ethtool", "-S", slave).splitlines():
        word, _, value = line.strip().partition(": ")
        if word == name:
            return int(value)
    raise AssertionError(f"{slave} does not count {name}")


def encrypted():
    return [counter(slave, "tx_tls_encrypted_bytes") for slave in SLAVES]


@ktap.case(timeout=120)
def flows_over_both():
    """Every flow is on a card, both cards have some, all content is right."""
    before, stat = encrypted(), ktls.tls_stat()
    flows = [rig.Flow() for _ in range(FLOWS)]
    now = ktls.tls_stat()
    ktap.equal((now["TlsTxDevice"] - stat["TlsTxDevice"],
                now["TlsTxSw"] - stat["TlsTxSw"]), (FLOWS, 0), "device, software")
    for flow in flows:
        flow.send(rig.pattern(SIZE))
    for flow in flows:
        flow.finish()
    grown = [after - old for after, old in zip(encrypted(), before)]
    if min(grown) < SIZE or sum(grown) < FLOWS * SIZE:
        raise AssertionError(f"encrypted by the cards: {grown}")


@ktap.case(timeout=60)
def card_goes_down():
    """A flow whose card is taken down goes on over the other one, and nothing of
    it is in the clear."""
    before = encrypted()
    flow = rig.Flow()
    flow.send(rig.pattern(SIZE))
    flow.drain()
    used = 0 if encrypted()[0] > before[0] else 1
    if used == 0:       # the other one must hear now
        rig.run("tc", "qdisc", "del", "dev", "eth1", "clsact")
    rig.run("ip", "link", "set", SLAVES[used], "down")
    ktap.defer(rig.run, "ip", "link", "set", SLAVES[used], "up")
    flow.send(rig.pattern(SIZE))
    flow.finish(40)


def main():
    rig.run("modprobe", "bonding", "max_bonds=0")
    build()
    ktap.main()


main()
