#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Traffic through the NIC, with each offload on and off: the received data is compared
by digest, the NIC's work by its counters and the driver's trace."""
import random
import re
import socket
import struct
import subprocess
import time

from nic import (IF, V4, V6, Transfer, at_least, counted, fails, features, fresh_socket,
                 link_stats, mac, mac_bytes, peer, ping, raw_peer, registers, run, setup_link,
                 stats, traced, transfer, wait)
import ktap
import rig

MIB = 1 << 20
DEFAULTS = ("tso", "on", "tx", "on", "sg", "on", "rx", "on", "gso", "on", "gro", "on",
            "rxvlan", "on", "txvlan", "on", "rxhash", "on")


def switch(*what):
    """Switch features (ethtool -K) for this case; the defaults are restored."""
    ktap.defer(run, "ethtool", "-K", IF, *DEFAULTS)
    run("ethtool", "-K", IF, *what)


def ping_both():
    ping(V4[1])
    ping(V6[1])
    ping(V4[0], ns="peer")
    ping(V6[0], ns="peer")
    for size in (0, 1, 17, 18, 19, 1471, 1472, 4000, 65000):
        ping(V4[1], size=size, count=1)


def iperf(*options):
    server = subprocess.Popen(["ip", "netns", "exec", "peer", "iperf3", "-s", "-1"],
                              stdout=subprocess.DEVNULL)
    ktap.defer(server.wait)
    ktap.defer(server.kill)
    wait("iperf3 to listen", lambda: "5201" in peer("ss", "-Hltn"))
    before = link_stats()
    run("iperf3", "-t", "2", *options)
    after = link_stats()
    if min(after[way] - before[way] for way in after) < 50:
        raise AssertionError(f"hardly any packets: {before} to {after}")


def tso(v6):
    switch("tso", "on")
    with counted() as grown:
        transfer(4 * MIB, v6=v6)
        time.sleep(0.5)     # the last acknowledgement may be on its way
    at_least(grown, "dev_tx_tso_packets", 50)
    at_least(grown, "dev_tx_frames", 4 * MIB // 1460)
    ktap.equal(grown["tx_packets"], grown["dev_tx_frames"], "frames that driver and NIC count")
    ktap.equal(grown["tx_bytes"], grown["dev_tx_bytes"], "bytes that driver and NIC count")


def no_tso(v6):
    switch("tso", "off")
    ktap.equal(features()["tcp-segmentation-offload"], False, "TSO")
    with counted() as grown:
        transfer(2 * MIB, v6=v6)
    ktap.equal(grown["dev_tx_tso_packets"], 0, "packets that the NIC cut")
    at_least(grown, "tx_csum_partial", 2 * MIB // 1460)


def no_tx_checksum(v6):
    switch("tx", "off")
    with counted() as grown:
        transfer(2 * MIB, v6=v6)
    ktap.equal(grown["tx_csum_partial"], 0, "packets that the NIC summed")
    at_least(grown, "tx_packets", 2 * MIB // 1460)


def behind_headers(option, value):
    """TCP behind IPv6 extension headers with which the NIC cannot cut a packet: the stack
    cuts, and the NIC gets no packet that it would refuse."""
    with counted() as grown:
        Transfer(MIB, v6=True, options=[(socket.IPPROTO_IPV6, option, value)]).finish()
    ktap.equal(grown["dev_tx_errors"], 0, "refused packets")
    ktap.equal(grown["dev_tx_tso_packets"], 0, "packets that the NIC cut")


def behind_routing_header():
    peer("sysctl", "-qw", "net.ipv6.conf.all.seg6_enabled=1")
    peer("sysctl", "-qw", "net.ipv6.conf.eth0.seg6_enabled=1")
    behind_headers(socket.IPV6_RTHDR, rig.segment_routing(V6[1]))


def behind_source_route():
    """TCP with an IPv4 source route: the checksum covers the route's last address, and is
    right."""
    hop = "192.0.2.3"
    ktap.defer(peer, "ip", "addr", "del", f"{hop}/24", "dev", "eth0")
    peer("ip", "addr", "add", f"{hop}/24", "dev", "eth0")
    peer("sysctl", "-qw", "net.ipv4.ip_forward=1")
    for name in "all", "eth0", "lo":
        for ns in None, "peer":
            run("sysctl", "-qw", f"net.ipv4.conf.{name}.accept_source_route=1", ns=ns)
    route = bytes((131, 7, 4)) + socket.inet_aton(hop) + bytes(1)
    before = wrong_checksums()
    Transfer(MIB, options=[(socket.IPPROTO_IP, socket.IP_OPTIONS, route)]).finish()
    ktap.equal(wrong_checksums() - before, 0, "segments with a wrong checksum")


def wrong_checksums():
    """Number of TCP segments that the peer dropped for a wrong checksum."""
    names, values = (line.split() for line in peer("cat", "/proc/net/snmp").splitlines()
                     if line.startswith("Tcp:"))
    return int(values[names.index("InCsumErrors")])


def no_scatter_gather():
    switch("sg", "off")
    with traced("vktls/vktls_tx_post") as lines:
        transfer(MIB)
    descs = [int(re.search(r"descs=(\d+)", line)[1]) for line in lines]
    if not descs or max(descs) > 2:
        raise AssertionError(f"{len(descs)} packets of up to {max(descs, default=0)} descriptors")


def scatter_gather():
    with traced("vktls/vktls_tx_post") as lines:
        transfer(MIB)
    descs = [int(re.search(r"descs=(\d+)", line)[1]) for line in lines]
    if max(descs, default=0) < 3:
        raise AssertionError("no packet had fragments")


def batched_doorbells():
    """Segments that software cuts come in batches: one doorbell serves several of them."""
    switch("tso", "off")
    with counted() as grown:
        transfer(4 * MIB)
    if grown["tx_doorbells"] * 2 > grown["tx_packets"]:
        raise AssertionError(f"{grown['tx_doorbells']} doorbells, {grown['tx_packets']} packets")


def rx_checksum():
    with counted() as grown:
        transfer(2 * MIB, receive=True)
    at_least(grown, "rx_csum_unnecessary", 2 * MIB // 1460)
    switch("rx", "off")
    with counted() as grown:
        transfer(MIB, receive=True)
    ktap.equal(grown["rx_csum_unnecessary"], 0, "frames that the NIC checked")


def udp_frame(payload, checksum=None, dst=None):
    """A UDP packet from the peer to port 9 here, with a right or a given checksum."""
    dst = dst or mac_bytes(mac())
    addresses = socket.inet_aton(V4[1]) + socket.inet_aton(V4[0])
    udp = struct.pack("!HHHH", 1000, 9, 8 + len(payload), 0) + payload
    if checksum is None:
        checksum = ones_sum(addresses + struct.pack("!HH", 17, len(udp)) + udp)
    udp = udp[:6] + struct.pack("!H", checksum) + udp[8:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses
    ip = ip[:10] + struct.pack("!H", ones_sum(ip)) + ip[12:]
    return dst + mac_bytes(mac(ns="peer")) + b"\x08\x00" + ip + udp


def ones_sum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff or 0xffff


def send_frames(frames, expect=None, seconds=10):
    """Send frames from the peer. Returns increases of ethtool -S counters, after the
    counter `expect[0]` has increased by `expect[1]`."""
    before = stats()
    with raw_peer() as sock:
        for frame in frames:
            sock.send(frame)
    if expect:
        name, least = expect
        wait(name, lambda: stats()[name] - before[name] >= least, seconds)
    after = stats()
    return {name: after[name] - before[name] for name in after}


def wrong_checksum():
    good, bad = udp_frame(b"x" * 100), udp_frame(b"x" * 100, 0x1234)
    grown = send_frames([good] * 5 + [bad] * 7, ("rx_csum_bad", 7))
    ktap.equal(grown["rx_csum_bad"], 7, "frames with a wrong checksum")
    ktap.equal(grown["dev_rx_csum_errors"], 7, "as the NIC counts them")
    at_least(grown, "rx_csum_unnecessary", 5)


def mtu(size):
    def restore():
        for interface in ({}, {"ns": "peer"}):
            run("ip", "link", "set", IF, "mtu", 1500, **interface)
        setup_link()
    ktap.defer(restore)
    run("ip", "link", "set", IF, "mtu", size)
    peer("ip", "link", "set", IF, "mtu", size)
    for ns, there in ((None, V4[1]), ("peer", V4[0])):
        ping(there, size=size - 28, ns=ns, more=("-M", "do"))
    ping(V4[1], size=20000)
    try:
        ping(V4[1], size=size - 27, more=("-M", "do"))
    except AssertionError:
        pass
    else:
        raise AssertionError(f"a packet of {size + 1} bytes went out")
    transfer(MIB)
    transfer(MIB, receive=True)
    if size >= 1280:
        setup_link()
        transfer(MIB, v6=True)


def mtu_limits():
    for size in (67, 9001):
        done = fails("ip", "link", "set", IF, "mtu", size)
        if "mtu" not in done.lower():
            raise AssertionError(done)


def vlan(offload):
    switch("txvlan", offload, "rxvlan", offload)
    for ns in (None, "peer"):
        own = ("198.51.100.1/24", "198.51.100.2/24")[ns == "peer"]
        run("ip", "link", "add", "link", IF, "name", "vlan5", "type", "vlan", "id", 5, ns=ns)
        ktap.defer(lambda ns=ns: run("ip", "link", "del", "vlan5", ns=ns))
        run("ip", "addr", "add", own, "dev", "vlan5", ns=ns)
        run("ip", "link", "set", "vlan5", "up", ns=ns)
    events = ("vktls/vktls_tx_post", "vktls/vktls_rx")
    with traced(*events) as lines:
        ping("198.51.100.2", count=5)
        ping("198.51.100.2", size=1472, more=("-M", "do"))
    flags = {word: [int(re.search(r"flags=(\w+)", line)[1], 16)
                    for line in lines if word in line] for word in ("tx_post", "rx:")}
    inserted = sum(f >> 6 & 1 for f in flags["tx_post"])
    stripped = sum(f >> 3 & 1 for f in flags["rx:"])
    if offload == "on" and min(inserted, stripped) < 7:
        raise AssertionError(f"{inserted} tags inserted, {stripped} removed by the NIC")
    if offload == "off" and inserted + stripped:
        raise AssertionError(f"{inserted} tags inserted, {stripped} removed by the NIC")
    ktap.equal(len(lines) >= 14, True, "packets were traced")


def vlan_stream(offload):
    """A TCP stream over a VLAN arrives; the NIC cuts its packets if VLAN offload is on."""
    vlan(offload)
    with counted() as grown:
        Transfer(2 * MIB, pair=("198.51.100.1", "198.51.100.2")).finish()
    at_least(grown, "dev_tx_frames", 2 * MIB // 1460)
    at_least(grown, "dev_tx_tso_packets", 20 if offload == "on" else 0)


def toeplitz(key, data):
    bits = int.from_bytes(key, "big")
    width, result = len(key) * 8, 0
    for i in range(len(data) * 8):
        if data[i // 8] >> (7 - i % 8) & 1:
            result ^= bits >> (width - 32 - i) & 0xffffffff
    return result


def rss_settings():
    """Key and table from ethtool -x."""
    text = run("ethtool", "-x", IF)
    key = bytes.fromhex(re.search(r"hash key:\n(\S+)", text)[1].replace(":", ""))
    table = [int(n) for row in re.findall(r"^ +\d+:((?: +\d+)+)$", text, re.M)
             for n in row.split()]
    return key, table


def channels(number):
    ktap.defer(setup_link)
    ktap.defer(run, "ethtool", "-L", IF, "combined", 2)
    run("ethtool", "-L", IF, "combined", number)
    setup_link()


def ports(count):
    """Source ports that differ in many bits. (The hash is linear: if the ports differ in
    only eight bits, one key in a hundred spreads them over just two queues.)"""
    return range(20000, 20000 + 211 * count, 211)


def flows(count, v6=False):
    """Send one UDP packet from each of COUNT ports of the peer to port 9."""
    for port in ports(count):
        with fresh_socket(v6, "peer", socket.SOCK_DGRAM) as sock:
            sock.bind((V6[1] if v6 else V4[1], port))
            sock.sendto(b"flow", (V6[0] if v6 else V4[0], 9))


def rss_spread(v6):
    channels(4)
    with counted() as grown:
        flows(200, v6)
        time.sleep(0.5)
    spread = [grown[f"rx{i}_packets"] for i in range(4)]
    if min(spread) < 20:
        raise AssertionError(f"200 flows went to queues as {spread}")


def rss_table():
    """If the whole RSS table names queue 2, all packets go to queue 2."""
    channels(4)
    ktap.defer(run, "ethtool", "-X", IF, "default")
    run("ethtool", "-X", IF, "weight", "0", "0", "1", "0")
    with counted() as grown:
        flows(100)
        time.sleep(0.5)
    at_least(grown, "rx2_packets", 100)
    if max(grown[f"rx{i}_packets"] for i in (0, 1, 3)) > 10:
        raise AssertionError({i: grown[f"rx{i}_packets"] for i in range(4)})


def rx_hash(v6):
    """The hash that the stack gets is the Toeplitz hash with our key, and it selected the
    queue."""
    channels(4)
    key, table = rss_settings()
    family = socket.AF_INET6 if v6 else socket.AF_INET
    pair = V6 if v6 else V4
    with traced("net/napi_gro_receive_entry") as lines:
        flows(20, v6)
        time.sleep(0.5)
    seen = {}
    for line in lines:
        value = int(re.search(r" hash=(\w+)", line)[1], 16)
        seen[value] = int(re.search(r"queue_mapping=(\d+)", line)[1]) - 1
    for port in ports(20):
        data = (socket.inet_pton(family, pair[1]) + socket.inet_pton(family, pair[0]) +
                struct.pack("!HH", port, 9))
        value = toeplitz(key, data)
        if value not in seen:
            raise AssertionError(f"port {port}: no packet with hash {value:#x}")
        ktap.equal(seen[value], table[value % len(table)], f"queue of port {port}")


def no_rx_hash():
    switch("rxhash", "off")
    with traced("net/napi_gro_receive_entry") as lines:
        flows(20)
        time.sleep(0.5)
    udp = [line for line in lines if "protocol=0x0800" in line]
    ktap.equal(len(udp) >= 20, True, "packets were traced")
    ktap.equal([line for line in udp if " hash=0x00000000" not in line], [], "with a hash")


def interrupts(rx_usecs, rx_frames=0):
    """Number of interrupts for 300 packets that arrive 0.5 ms apart."""
    run("ethtool", "-C", IF, "adaptive-rx", "off", "adaptive-tx", "off", "rx-usecs", rx_usecs,
        "rx-frames", rx_frames)
    frame = udp_frame(b"tick")
    with counted() as grown, raw_peer() as sock:
        for _ in range(300):
            sock.send(frame)
            time.sleep(0.0005)
        time.sleep(0.2)
    at_least(grown, "rx_packets", 300)
    return grown["irq"]


def moderation():
    ktap.defer(run, "ethtool", "-C", IF, "adaptive-rx", "on", "adaptive-tx", "on", "rx-usecs",
               16, "rx-frames", 32)
    prompt, slow = interrupts(0), interrupts(10000)
    counted_out = interrupts(10000, 2)
    if slow * 3 > prompt or counted_out < slow * 2:
        raise AssertionError(f"interrupts: {prompt} at once, {slow} after 10 ms, "
                             f"{counted_out} after 2 frames")


def moderation_registers():
    """The registers RX_MOD and TX_MOD of the queues in use."""
    now = registers()
    return [now[0x1000 + 0x40 * queue + reg] for queue in (0, 1) for reg in (0x10, 0x14)]


def adaptive():
    """net_dim changes the NIC's moderation under load, if adaptive moderation is on, and
    only then."""
    settings = ("rx-usecs", 100, "rx-frames", 10, "tx-usecs", 200, "tx-frames", 20)
    ktap.defer(run, "ethtool", "-C", IF, "adaptive-rx", "on", "adaptive-tx", "on", *settings)
    run("ethtool", "-C", IF, "adaptive-rx", "off", "adaptive-tx", "off", *settings)
    fixed = [20 << 16 | 200, 10 << 16 | 100] * 2
    ktap.equal(moderation_registers(), fixed, "moderation that was set")
    transfer(4 * MIB, receive=True)
    ktap.equal(moderation_registers(), fixed, "moderation after load")
    run("ethtool", "-C", IF, "adaptive-rx", "on", "adaptive-tx", "on", *settings)
    stream = Transfer(1 << 40, receive=True)
    ktap.defer(stream.close)
    wait("net_dim to act", lambda: moderation_registers() != fixed, 60)


def filters():
    """Frames to another address are dropped by the NIC, except in promiscuous mode."""
    other = udp_frame(b"other", dst=mac_bytes("02:00:00:00:00:99"))
    grown = send_frames([other] * 5, ("dev_rx_filtered", 5))
    ktap.equal(grown["rx_packets"], 0, "frames for another address")
    ktap.defer(run, "ip", "link", "set", IF, "promisc", "off")
    run("ip", "link", "set", IF, "promisc", "on")
    time.sleep(0.5)
    grown = send_frames([other] * 5, ("rx_packets", 5))
    ktap.equal(grown["dev_rx_filtered"], 0, "frames filtered in promiscuous mode")


def multicast():
    group = "01:00:5e:00:00:%02x"
    frames = [udp_frame(b"group", dst=mac_bytes(group % n)) for n in range(1, 41)]
    grown = send_frames(frames[4:5] * 5, ("dev_rx_filtered", 5))
    ktap.equal(grown["rx_packets"], 0, "frames for a group we are not in")
    for n in range(5, 8):
        ktap.defer(run, "ip", "maddr", "del", group % n, "dev", IF)
        run("ip", "maddr", "add", group % n, "dev", IF)
    time.sleep(0.5)
    send_frames(frames[4:7] * 2, ("rx_packets", 6))
    grown = send_frames(frames[9:10] * 5, ("dev_rx_filtered", 5))
    ktap.equal(grown["rx_packets"], 0, "frames for a group we are still not in")


def more_groups_than_places():
    """More multicast groups are joined than the NIC's 32 entries: the packets of all of
    them arrive."""
    group = "01:00:5e:00:01:%02x"
    for n in range(40):
        ktap.defer(run, "ip", "maddr", "del", group % n, "dev", IF)
        run("ip", "maddr", "add", group % n, "dev", IF)
    time.sleep(0.5)
    frames = [udp_frame(b"group", dst=mac_bytes(group % n)) for n in range(40)]
    send_frames(frames, ("rx_packets", 40))


def change_mac():
    old, new = mac(), f"02:00:00:00:00:{random.randrange(1, 255):02x}"
    ktap.defer(run, "ip", "link", "set", IF, "address", old)
    run("ip", "link", "set", IF, "address", new)
    ktap.equal(mac(), new, "address")
    peer("ip", "neigh", "flush", "all")
    ping()
    send_frames([udp_frame(b"old", dst=mac_bytes(old))] * 5, ("dev_rx_filtered", 5))
    grown = send_frames([udp_frame(b"new", dst=mac_bytes(new))] * 5, ("rx_packets", 5))
    ktap.equal(grown["dev_rx_filtered"], 0, "frames for the new address filtered")


def main():
    setup_link()
    ktap.add("ping of every shape, v4 and v6, both ways", ping_both)
    for name, v6 in (("v4", False), ("v6", True)):
        ktap.add(f"{name}: 8 MiB out", transfer, 8 * MIB, False, v6, timeout=60)
        ktap.add(f"{name}: 8 MiB in", transfer, 8 * MIB, True, v6, timeout=60)
        ktap.add(f"{name}: TSO: the NIC cuts", tso, v6)
        ktap.add(f"{name}: TSO off: the NIC sums", no_tso, v6)
        ktap.add(f"{name}: checksum off: the NIC only sends", no_tx_checksum, v6)
        ktap.add(f"{name}: RSS spreads flows", rss_spread, v6)
        ktap.add(f"{name}: receive hash is Toeplitz", rx_hash, v6)
    ktap.add("long IPv6 headers before TCP", behind_headers, socket.IPV6_DSTOPTS,
             rig.long_options(600), timeout=60)
    ktap.add("IPv6 routing header before TCP", behind_routing_header, timeout=60)
    ktap.add("IPv4 source route before TCP", behind_source_route, timeout=60)
    ktap.add("iperf3 out", iperf, "-c", V4[1])
    ktap.add("iperf3 in", iperf, "-c", V4[1], "-R")
    ktap.add("iperf3 v6, both ways at once", iperf, "-6", "-c", V6[1], "--bidir")
    ktap.add("scatter-gather on", scatter_gather)
    ktap.add("scatter-gather off", no_scatter_gather)
    ktap.add("doorbells are batched", batched_doorbells)
    ktap.add("receive checksum on and off", rx_checksum)
    ktap.add("wrong checksum on the wire", wrong_checksum)
    for size in (576, 1280, 1500, 1700, 4000, 9000):
        ktap.add(f"MTU {size}", mtu, size, timeout=60)
    ktap.add("MTU out of range", mtu_limits)
    for offload in ("on", "off"):
        ktap.add(f"VLAN offload {offload}", vlan, offload)
        ktap.add(f"VLAN offload {offload}: a stream", vlan_stream, offload)
    ktap.add("RSS table is obeyed", rss_table)
    ktap.add("receive hash off", no_rx_hash)
    ktap.add("moderation changes interrupts", moderation)
    ktap.add("adaptive moderation under load", adaptive, timeout=90)
    ktap.add("address filters and promiscuous mode", filters)
    ktap.add("multicast filters", multicast)
    ktap.add("more groups than places", more_groups_than_places)
    ktap.add("change of address", change_mac)
    ktap.main()


if __name__ == "__main__":
    main()
