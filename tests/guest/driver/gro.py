#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Hardware GRO: programs read the right data with it and without it, counters tell which
frames were joined, and forwarded packets leave as the original frames."""
import contextlib
import socket
import struct
import threading
import time

from nic import (IF, V4, V6, Transfer, at_least, counted, features, mac, mac_bytes,
                 namespace, peer, raw_peer, run, setup_link, transfer)
import ktap
import nicfault

MIB = 1 << 20
OUT = "eth1"            # the interface to which eth0 routes
FAR = ("198.51.100.1", "198.51.100.2")
FAR6 = ("2001:db8:1::1", "2001:db8:1::2")
VLAN = ("203.0.113.1", "203.0.113.2")
TUNNEL4 = ("192.168.99.1", "192.168.99.2")
TUNNEL6 = ("2001:db8:9::1", "2001:db8:9::2")
PSH, ACK = 8, 16
SIZE = 1400


def gro(on):
    """Switch rx-gro-hw for this case; the default is restored."""
    ktap.defer(run, "ethtool", "-K", IF, "rx-gro-hw", "on")
    run("ethtool", "-K", IF, "rx-gro-hw", "on" if on else "off")


def settled(grown):
    """The driver and the NIC counted the same frames and packets."""
    ktap.equal(grown["rx_packets"], grown["dev_rx_frames"], "frames that driver and NIC count")
    ktap.equal(grown["rx_bytes"], grown["dev_rx_bytes"], "bytes that driver and NIC count")
    ktap.equal(grown["rx_gro_packets"], grown["dev_rx_gro_packets"], "packets")
    ktap.equal(grown["rx_gro_wire_packets"], grown["dev_rx_gro_frames"], "frames in packets")


def received(on, size, v6):
    """Increases of counters during a bulk transfer, with hardware GRO on or off."""
    gro(on)
    with counted() as grown:
        transfer(size, receive=True, v6=v6)
        time.sleep(0.5)
    settled(grown)
    return grown


def joins(v6):
    grown = received(True, 8 * MIB, v6)
    at_least(grown, "rx_gro_wire_packets", 4 * MIB // 1448)
    at_least(grown, "rx_gro_wire_bytes", grown["rx_gro_bytes"] + 1)
    if grown["rx_gro_packets"] * 4 > grown["rx_gro_wire_packets"]:
        raise AssertionError(f"{grown['rx_gro_wire_packets']} frames in "
                             f"{grown['rx_gro_packets']} packets")


def off(v6):
    grown = received(False, 4 * MIB, v6)
    ktap.equal(grown["rx_gro_packets"], 0, "packets that were joined")


def needs_checksums():
    """Hardware GRO is off while receive checksums are off, and on again with them."""
    gro(True)
    ktap.defer(run, "ethtool", "-K", IF, "rx", "on")
    run("ethtool", "-K", IF, "rx", "off")
    ktap.equal(features()["rx-gro-hw"], False, "rx-gro-hw without rx")
    with counted() as grown:
        transfer(MIB, receive=True)
    ktap.equal(grown["dev_rx_gro_packets"], 0, "packets that were joined")
    run("ethtool", "-K", IF, "rx", "on")
    ktap.equal(features()["rx-gro-hw"], True, "rx-gro-hw with rx again")


def switched_under_traffic():
    stream = Transfer(24 * MIB, receive=True)
    ktap.defer(stream.close)
    with counted() as grown:
        for n in range(8):
            gro(n % 2)
            time.sleep(0.3)
        stream.finish(60)
    at_least(grown, "rx_gro_packets", 1)


def with_faults(*rates):
    """Frames are lost, late, changed or doubled: each byte is read once, and is right."""
    gro(True)
    ktap.defer(nicfault.end)
    nicfault.ask("seed", 5)
    for kind, ppm in rates:
        nicfault.ask(f"rx-{kind}-ppm", ppm)
    with counted() as grown:
        Transfer(6 * MIB, receive=True).finish(60)
    at_least(grown, "dev_faults_injected", 5)
    at_least(grown, "rx_gro_packets", 20)


def jumbo():
    for ns in (None, "peer"):
        ktap.defer(lambda ns=ns: run("ip", "link", "set", IF, "mtu", 1500, ns=ns))
        run("ip", "link", "set", IF, "mtu", 9000, ns=ns)
    gro(True)
    with counted() as grown:
        transfer(8 * MIB, receive=True)
    at_least(grown, "rx_gro_packets", 20)


def vlan():
    """Frames of a VLAN are joined if the NIC removes the tag, and not joined if it does
    not."""
    gro(True)
    ktap.defer(run, "ethtool", "-K", IF, "rxvlan", "on")
    for ns in (None, "peer"):
        run("ip", "link", "add", "link", IF, "name", "vlan5", "type", "vlan", "id", 5, ns=ns)
        ktap.defer(lambda ns=ns: run("ip", "link", "del", "vlan5", ns=ns))
        run("ip", "addr", "add", VLAN[ns == "peer"] + "/24", "dev", "vlan5", ns=ns)
        run("ip", "link", "set", "vlan5", "up", ns=ns)
    for strip in (True, False):
        run("ethtool", "-K", IF, "rxvlan", "on" if strip else "off")
        with counted() as grown:
            Transfer(4 * MIB, receive=True, pair=VLAN).finish()
        if strip:
            at_least(grown, "rx_gro_packets", 20)
        else:
            ktap.equal(grown["rx_gro_packets"], 0, "packets joined with a tag in them")


def tunnelled(v6):
    """Frames of a stream in a tunnel are joined before the tunnel's header is removed."""
    gro(True)
    kind = "sit" if v6 else "ipip"
    pair = TUNNEL6 if v6 else TUNNEL4
    for ns, (own, other) in ((None, V4), ("peer", V4[::-1])):
        run("ip", "link", "add", "tun9", "type", kind, "local", own, "remote", other, ns=ns)
        ktap.defer(lambda ns=ns: run("ip", "link", "del", "tun9", ns=ns))
        run("ip", "link", "set", "tun9", "up", ns=ns)
        run("ip", "addr", "add", pair[ns == "peer"] + ("/64" if v6 else "/24"), "dev", "tun9",
            *(("nodad",) if v6 else ()), ns=ns)
    with counted() as grown:
        Transfer(4 * MIB, receive=True, v6=v6, pair=pair).finish()
        time.sleep(0.5)
    ktap.equal(grown["rx_gro_wire_packets"], grown["dev_rx_gro_frames"], "frames in packets")
    at_least(grown, "rx_gro_wire_packets", 2 * MIB // 1440)


# Forwarded packets

def ones_sum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame(dst, src, v6, n, size, flags, hops, step):
    """The nth frame of a stream from the peer to the far address."""
    family, far = (socket.AF_INET6, FAR6) if v6 else (socket.AF_INET, FAR)
    near = (V6 if v6 else V4)[1]
    pair = socket.inet_pton(family, near) + socket.inet_pton(family, far[1])
    tcp = struct.pack("!HHIIBBHHH", 4000, 9, 77 + n * SIZE, 5, 0x80, flags, 500, 0, 0)
    tcp += b"\1\1\x08\x0a\0\0\0\1\0\0\0\2" + bytes((n + i) & 255 for i in range(size))
    fake = pair + struct.pack("!II", len(tcp), 6)
    tcp = tcp[:16] + struct.pack("!H", ones_sum(fake + tcp)) + tcp[18:]
    if v6:
        head = struct.pack("!IHBB", 6 << 28, len(tcp), 6, hops) + pair
    else:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 9 + n * step & 0xffff, 0x4000,
                           hops, 6, 0) + pair
        head = head[:10] + struct.pack("!H", ones_sum(head)) + head[12:]
    return dst + src + (b"\x86\xdd" if v6 else b"\x08\x00") + head + tcp


def stream_of(dst, src, v6, hops, step, count=40):
    return [frame(dst, src, v6, n, SIZE, ACK, hops, step) for n in range(count - 1)] + \
        [frame(dst, src, v6, count - 1, 100, ACK | PSH, hops, step)]


def wrapped(data, n, hops):
    """The nth frame's packet in a packet of IPv4 to the far address."""
    inner = 4 if data[14] >> 4 == 4 else 41
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data) - 14, 65500 + n & 0xffff, 0x4000,
                       hops, inner, 0) + socket.inet_aton(V4[1]) + socket.inet_aton(FAR[1])
    head = head[:10] + struct.pack("!H", ones_sum(head)) + head[12:]
    return data[:12] + b"\x08\x00" + head + data[14:]


@contextlib.contextmanager
def burst():
    """netem at the peer delays the packets that it sends during the block, so that they
    leave at once."""
    peer("tc", "qdisc", "replace", "dev", IF, "root", "netem", "delay", "200ms")
    try:
        yield
    finally:
        time.sleep(0.6)
        peer("tc", "qdisc", "del", "dev", IF, "root")


class Sniffer:
    """Frames of TCP and of IP in IP with one source address, as they arrive at the peer."""

    def __init__(self, source):
        ktap.defer(peer, "ethtool", "-K", IF, "gro", "on")
        peer("ethtool", "-K", IF, "gro", "off")
        with namespace("peer"):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.sock.bind((IF, 0))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * MIB)
        self.sock.settimeout(0.1)
        self.source, self.frames, self.ended = source, [], False
        self.thread = threading.Thread(target=self.take)
        self.thread.start()

    def take(self):
        while not self.ended:
            with contextlib.suppress(socket.timeout):
                data = self.sock.recv(70000)
                proto = data[14 + (6 if data[14] >> 4 == 6 else 9)]
                if data[6:12] == self.source and proto in (4, 6, 41):
                    self.frames.append(data)

    def end(self):
        self.ended = True
        self.thread.join()
        self.sock.close()
        return self.frames


def route(tso):
    """Make eth0 forward to the far addresses through eth1, which is on the peer's wire too."""
    run("ip", "link", "set", OUT, "up")
    for sysctl in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
        run("sysctl", "-qw", f"net.{sysctl}=1")
        ktap.defer(run, "sysctl", "-qw", f"net.{sysctl}=0")
    for where in ("all", IF, OUT):
        run("sysctl", "-qw", f"net.ipv4.conf.{where}.rp_filter=0")
    for own, other, bits in ((FAR[0], FAR[1], 24), (FAR6[0], FAR6[1], 64)):
        run("ip", "addr", "replace", f"{own}/{bits}", "dev", OUT,
            *(("nodad",) if bits == 64 else ()))
        run("ip", "neigh", "replace", other, "lladdr", mac(ns="peer"), "dev", OUT)
    # not "tso", which would also allow mangled IP identifications
    for feature in ("tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-ipxip4-segmentation"):
        ktap.defer(run, "ethtool", "-K", OUT, feature, "on")
        run("ethtool", "-K", OUT, feature, "on" if tso else "off")


def routed(v6, tso, step=1, tunnel=False):
    """A packet of joined frames is forwarded: it leaves as the original frames, with their
    checksums and identifications, cut by the other NIC or by the kernel."""
    gro(True)
    route(tso)
    here, there, via = mac_bytes(mac()), mac_bytes(mac(ns="peer")), mac_bytes(mac(OUT))
    sniffer = Sniffer(via)
    sent = stream_of(here, there, v6, 64, step)
    want = stream_of(there, via, v6, 64 if tunnel else 63, step)
    if tunnel:
        sent = [wrapped(data, n, 64) for n, data in enumerate(sent)]
        want = [wrapped(data, n, 63) for n, data in enumerate(want)]
    with counted() as grown, burst(), raw_peer() as sock:
        for data in sent:
            sock.send(data)
    got = sniffer.end()
    if got != want:
        bad = [n for n, (a, b) in enumerate(zip(got, want)) if a != b]
        raise AssertionError(f"{len(got)} frames came, {len(want)} were sent, "
                             f"not the same: {bad}")
    at_least(grown, "rx_gro_wire_packets", 20)


def main():
    setup_link()
    ktap.equal(features()["rx-gro-hw"], True, "rx-gro-hw at first")
    for name, v6 in (("v4", False), ("v6", True)):
        ktap.add(f"{name}: frames are joined", joins, v6, timeout=60)
        ktap.add(f"{name}: off: none is", off, v6, timeout=60)
        ktap.add(f"{name}: routed, cut by the NIC", routed, v6, True)
        ktap.add(f"{name}: routed, cut by the kernel", routed, v6, False)
        for how, tso in (("NIC", True), ("kernel", False)):
            ktap.add(f"{name} in IPv4: routed, cut by the {how}", routed, v6, tso, 1, True)
        ktap.add(f"{name} in IPv4: joined for the tunnel", tunnelled, v6, timeout=60)
    ktap.add("routed, with one identification", routed, False, True, 0)
    ktap.add("only with receive checksums", needs_checksums, timeout=60)
    ktap.add("switched on and off under traffic", switched_under_traffic, timeout=90)
    ktap.add("frames lost", with_faults, ("drop", 5000), timeout=90)
    ktap.add("frames reordered", with_faults, ("reorder", 10000), timeout=90)
    ktap.add("frames damaged and doubled", with_faults, ("corrupt", 3000),
             ("duplicate", 10000), timeout=90)
    ktap.add("MTU 9000", jumbo, timeout=60)
    ktap.add("in a VLAN", vlan, timeout=60)
    ktap.main()


if __name__ == "__main__":
    main()
