#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Segmentation of UDP and of TCP in a tunnel by the NIC: the received data is compared, the
NIC's work by its counters. Of nested tunnels the stack cuts the packets."""
import socket
import time

from nic import (IF, V4, V6, Transfer, at_least, counted, features, fresh_socket, peer, run,
                 setup_link)
import ktap

MIB = 1 << 20
UDP_SEGMENT = 103
TUNNEL = "tun9"
INNER4 = ("203.0.113.1", "203.0.113.2")
INNER6 = ("2001:db8:9::1", "2001:db8:9::2")
# kind: (feature, family of the outer addresses, type and options)
TUNNELS = {
    "ipip": ("tx-ipxip4-segmentation", V4, "ipip"),
    "sit": ("tx-ipxip4-segmentation", V4, "sit"),
    "ip6tnl": ("tx-ipxip6-segmentation", V6, "ip6tnl mode any"),
    "gre": ("tx-gre-segmentation", V4, "gre key 7"),
    "gretap": ("tx-gre-segmentation", V4, "gretap"),
    "ip6gre": ("tx-gre-segmentation", V6, "ip6gre"),
    "vxlan": ("tx-udp_tnl-segmentation", V4, "vxlan id 5 dstport 4789 noudpcsum"),
    "vxlan, checksum": ("tx-udp_tnl-csum-segmentation", V4,
                        "vxlan id 5 dstport 4789 udpcsum"),
    "vxlan over IPv6": ("tx-udp_tnl-csum-segmentation", V6, "vxlan id 5 dstport 4789"),
    "geneve": ("tx-udp_tnl-csum-segmentation", V4, "geneve id 5 dstport 6081 udpcsum"),
}
FAMILIES = {"ipip": (4,), "sit": (6,)}


def same(grown):
    """Driver and NIC count alike, but for a few frames between the one's reading and the
    other's."""
    for mine, its, most in (("tx_packets", "dev_tx_frames", 10),
                            ("tx_bytes", "dev_tx_bytes", 2000)):
        if abs(grown[mine] - grown[its]) > most:
            raise AssertionError(f"{mine} grew by {grown[mine]}, {its} by {grown[its]}")


def datagrams(v6, size, mss):
    """One send of many datagrams; each comes, whole and in order."""
    own, other = V6 if v6 else V4
    sink = fresh_socket(v6, "peer", socket.SOCK_DGRAM)
    ktap.defer(sink.close)
    sink.bind((other, 0))
    sink.settimeout(20)
    source = fresh_socket(v6, None, socket.SOCK_DGRAM)
    ktap.defer(source.close)
    source.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, mss)
    data = bytes((n * 7 + (n >> 8)) & 255 for n in range(size))
    source.bind((own, 0))
    source.sendto(data[:10], sink.getsockname())        # resolves the address
    sink.recv(100)
    with counted() as grown:
        source.sendto(data, sink.getsockname())
        got = [sink.recv(65536) for _ in range(-(-size // mss))]
        time.sleep(0.3)
    ktap.equal(b"".join(got), data, "data")
    ktap.equal({len(one) for one in got[:-1]}, {mss}, "sizes")
    at_least(grown, "dev_tx_tso_packets", 1)
    at_least(grown, "dev_tx_frames", len(got))
    same(grown)


def datagrams_off():
    ktap.defer(run, "ethtool", "-K", IF, "tx-udp-segmentation", "on")
    run("ethtool", "-K", IF, "tx-udp-segmentation", "off")
    sink = fresh_socket(False, "peer", socket.SOCK_DGRAM)
    ktap.defer(sink.close)
    sink.bind((V4[1], 0))
    sink.settimeout(20)
    source = fresh_socket(False, None, socket.SOCK_DGRAM)
    ktap.defer(source.close)
    source.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
    with counted() as grown:
        source.sendto(bytes(5500), sink.getsockname())
        ktap.equal([len(sink.recv(2000)) for _ in range(6)], [1000] * 5 + [500], "sizes")
    ktap.equal(grown["dev_tx_tso_packets"], 0, "packets that the NIC cut")


INNER = tuple(zip(zip(INNER4, (24, 24)), zip(INNER6, (64, 64))))


def build(name, options, ends, addresses=INNER, over=None):
    """A tunnel between both ends, with addresses at each."""
    for ns, local, remote in ((None, *ends), ("peer", *reversed(ends))):
        where = ("remote", remote)
        if not options.startswith("geneve"):
            where += ("local", local, "dev", over or IF)
        run("ip", "link", "add", name, "type", *options.split(), *where, ns=ns)
        ktap.defer(lambda ns=ns: run("ip", "link", "del", name, ns=ns))
        run("ip", "link", "set", name, "up", ns=ns)
        for address, bits in addresses[ns is not None]:
            run("ip", "addr", "add", f"{address}/{bits}", "dev", name,
                *(("nodad",) if bits == 64 else ()), ns=ns)


def stream(version, size):
    Transfer(size, v6=version == 6, pair=INNER6 if version == 6 else INNER4).finish(60)


def tunnel(kind, version):
    feature, ends, options = TUNNELS[kind]
    build(TUNNEL, options, ends)
    ktap.equal(features()[feature], True, feature)
    stream(version, 1000)
    with counted() as grown:
        stream(version, 2 * MIB)
        time.sleep(0.5)
    at_least(grown, "dev_tx_tso_packets", 20)
    same(grown)
    ktap.equal(grown["tx_errors"], 0, "packets that the NIC refused")
    ktap.defer(run, "ethtool", "-K", IF, feature, "on")
    run("ethtool", "-K", IF, feature, "off")
    with counted() as grown:
        stream(version, MIB)
    ktap.equal(grown["dev_tx_tso_packets"], 0, "packets that the NIC cut without the feature")


def nested(outer, inner):
    """A tunnel in a tunnel: the data is right, and the NIC refuses nothing."""
    ends = ("192.168.77.1", "192.168.77.2")
    build("out9", TUNNELS[outer][2].replace("id 5", "id 6"), TUNNELS[outer][1],
          [[(address, 24)] for address in ends])
    build(TUNNEL, TUNNELS[inner][2], ends, over="out9")
    with counted() as grown:
        stream(4, 2 * MIB)
    ktap.equal(grown["tx_errors"], 0, "packets that the NIC refused")


def main():
    setup_link()
    for module in ("vxlan", "geneve", "ip_gre", "ip6_gre", "ipip", "sit", "ip6_tunnel"):
        run("modprobe", module)
    for name, v6 in (("v4", False), ("v6", True)):
        ktap.add(f"{name}: datagrams, the last one shorter", datagrams, v6, 14500, 1400)
        ktap.add(f"{name}: datagrams of one size", datagrams, v6, 60000, 1000)
    ktap.add("datagrams: off", datagrams_off)
    for kind in TUNNELS:
        for version in FAMILIES.get(kind, (4, 6)):
            ktap.add(f"{kind}: v{version}", tunnel, kind, version, timeout=90)
    ktap.add("vxlan in gre", nested, "gre", "vxlan", timeout=90)
    ktap.add("vxlan in vxlan", nested, "vxlan", "vxlan", timeout=90)
    ktap.add("ipip in ipip", nested, "ipip", "ipip", timeout=90)
    ktap.add("gre in gre", nested, "gre", "gre", timeout=90)
    ktap.main()


if __name__ == "__main__":
    main()
