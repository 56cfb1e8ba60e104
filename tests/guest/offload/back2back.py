#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Two vktls NICs, one at each end of a connection: each NIC decrypts the records that the
other one encrypts, in both directions at once."""
import json
import socket

import nicfault
import ktap
import matrix_rig
import matrix_tls
import rig

NEAR = {4: "198.51.100.1/24", 6: "2001:db8:1::1/64"}
FAR = {4: "198.51.100.2", 6: "2001:db8:1::2"}
VERSIONS = ("1.2", "1.3")
CIPHERS = ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305")
BULK = 1 << 20
FEATURES = ("tls-hw-tx-offload", "on", "tls-hw-rx-offload", "on")


def far_counters():
    """Counters of the far NIC (ethtool -S) and of the far side's kernel TLS."""
    out = {}
    for line in (rig.far_run("ethtool", "-S", "eth1").splitlines()[1:] +
                 rig.far_run("cat", "/proc/net/tls_stat").splitlines()):
        words = line.replace(":", " ").split()
        if len(words) == 2 and words[1].isdigit():
            out[words[0]] = int(words[1])
    return out


class Both:
    """Increases of the counters of both ends since this object was made."""

    def __init__(self):
        self.near, self.far = rig.Watch(), far_counters()

    def moved(self):
        """(increases at the near end, increases at the far end)."""
        now = far_counters()
        return (self.near.moved(),
                {name: now[name] - old for name, old in self.far.items()})


def prepare():
    """Move the second NIC to the peer's namespace, with addresses that only these two NICs
    use. The peer's first NIC is on the same wire, and by default would answer ARP for those
    addresses too; IPv4 packets would then go to the wrong NIC."""
    rig.run("ip", "link", "set", "eth1", "netns", "peer")
    rig.far_run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")
    for family in (4, 6):
        nodad = ["nodad"] if family == 6 else []
        rig.run("ip", "addr", "add", NEAR[family], "dev", "eth0", *nodad)
        length = NEAR[family].split("/")[1]
        rig.far_run("ip", "addr", "add", f"{FAR[family]}/{length}", "dev",
                    "eth1", *nodad)
    rig.far_run("ip", "link", "set", "eth1", "up")
    rig.run("ethtool", "-K", "eth0", *FEATURES)
    rig.far_run("ethtool", "-K", "eth1", *FEATURES)
    rig.wait_for(lambda: "state UP" in rig.far_run("ip", "link", "show", "eth1"),
                 20, lambda: "eth1 has no link")
    rig.run("ethtool", "-G", "eth0", "rx", "4096")
    rig.far_run("ethtool", "-G", "eth1", "rx", "4096")
    matrix_tls.certificate()


def ask_for_far():
    """Send a datagram to the far NIC, so that the kernel resolves its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"who has this?", (FAR[4], 9))


def far_neighbour():
    """Entries of the neighbour table for the far NIC: [(state, MAC or None)]."""
    entries = json.loads(rig.run("ip", "-j", "neigh", "show", FAR[4], "dev", "eth0"))
    return [(entry["state"][0], entry.get("lladdr")) for entry in entries]


def arp_answered_by_the_other_nic():
    """While the NIC that owns the address cannot answer ARP requests, no NIC answers them:
    the neighbour entry is FAILED. As soon as it can answer, the neighbour entry has its
    MAC."""
    mac = json.loads(rig.far_run("ip", "-j", "link", "show", "eth1"))[0]["address"]
    rig.run("ip", "neigh", "flush", "dev", "eth0")
    ktap.defer(rig.far_run, "tc", "qdisc", "del", "dev", "eth1", "clsact")
    rig.far_run("tc", "qdisc", "add", "dev", "eth1", "clsact")
    rig.far_run("tc", "filter", "add", "dev", "eth1", "egress", "protocol", "arp",
                "matchall", "action", "drop")
    for answer in (("FAILED", None), ("REACHABLE", mac)):
        ask_for_far()
        rig.wait_for(lambda answer=answer: far_neighbour() == [answer], 20,
                     lambda answer=answer: f"{far_neighbour()}, not {answer}")
        rig.far_run("tc", "filter", "del", "dev", "eth1", "egress")


def warm_up(session):
    """Send until both NICs decrypt, see matrix_rig.warm_up()."""
    for _ in range(40):
        watch = Both()
        session.exchange(rig.pattern(5000), rig.pattern(5000))
        if all(end["rx_tls_decrypted_bytes"] >= 5000 for end in watch.moved()):
            return
    raise AssertionError("a NIC decrypts nothing")


def transfer(version, cipher, family):
    """Send bulk data in both directions at once. Returns the increases of each end's
    counters, and the number of bytes each way."""
    watch = Both()
    session = matrix_rig.Session(version, cipher, FAR[family], family == 4,
                                 "ktls")
    for end in (session.near, session.far):
        ktap.equal(end.ktls(), (True, True), "kernel TLS sends, receives")
    for end in watch.moved():
        ktap.equal((end["TlsTxDevice"], end["TlsRxDevice"], end["TlsTxSw"],
                    end["TlsRxSw"]), (1, 1, 0, 0), "on NICs, in software")
    warm_up(session)
    watch = Both()
    data = rig.pattern(BULK)
    session.exchange(data, data[::-1])
    session.exchange(rig.pattern(100), rig.pattern(50))
    moved = watch.moved()
    session.close()
    for end in moved:
        ktap.equal(end["TlsDecryptError"], 0, "records that are not authentic")
    return moved, (BULK + 100, BULK + 50)


def told(end):
    """Text about the counters that changed."""
    return ", ".join(f"{name}={value}" for name, value in end.items()
                     if value and ("tls" in name.lower() or "no_buf" in name))


def clean(version, cipher, family):
    """Without loss, each byte is encrypted by one NIC and decrypted by the other."""
    (near, far), sizes = transfer(version, cipher, family)
    for end, sent, received in ((near, *sizes), (far, *sizes[::-1])):
        if (end["tx_tls_encrypted_bytes"] < sent or
                end["rx_tls_decrypted_bytes"] < received):
            raise AssertionError(f"sent {sent}, received {received}; {told(end)}")


def lossy(version, cipher, family):
    """With 1 % of the frames lost in the receiver of each NIC, all bytes arrive, the NICs
    encrypt all of them, and decrypt at least a tenth."""
    for nic in ("dut0", "dut1"):
        nicfault.ask("seed", matrix_rig.SEED, nic)
        nicfault.ask("rx-drop-ppm", 10000, nic)
        ktap.defer(nicfault.ask, "rx-drop-ppm", 0, nic)
    (near, far), sizes = transfer(version, cipher, family)
    for end, name, sent, received in ((near, "near", *sizes),
                                      (far, "far", *sizes[::-1])):
        if end["tx_tls_encrypted_bytes"] < sent:
            raise AssertionError(f"sent {sent}; {told(end)}")
        share = 100 * end["rx_tls_decrypted_bytes"] / received
        print(f"# figure: back to back, 1 % loss, {version} {cipher}: {name} NIC "
              f"decrypted {share:.1f} % of {received}")
        if share < 10:
            raise AssertionError(f"received {received}; {told(end)}")


def main():
    """Register and run."""
    rig.control()
    prepare()
    versions = VERSIONS[:1] if rig.STOCK else VERSIONS
    ciphers = CIPHERS[:2] if rig.STOCK else CIPHERS
    ktap.add(arp_answered_by_the_other_nic.__name__, arp_answered_by_the_other_nic)
    for version in versions:
        for number, cipher in enumerate(ciphers):
            name = f"{version}_{cipher}".replace("-", "_")
            for family in (4, 6):
                ktap.add(f"clean_{name}_v{family}", clean, version, cipher,
                         family, timeout=60)
            ktap.add(f"loss_1_{name}", lossy, version, cipher,
                     (4, 6)[number % 2], timeout=120)
    ktap.main()


main()
