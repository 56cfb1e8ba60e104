#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Receive through real firmware: filters, buffers, checksums, VLAN, RSS, interrupts; and
hosts whose descriptors are wrong."""

import ipaddress
import sys

from nic import ABI, MAC, PEER, QUIET, RxQueue, TxQueue, case, main, pack
from packets import HOP_BY_HOP, TCP, UDP, ethernet, ip, payload, tcp, tcp_frame, udp
from qtest import RAM_END

BROADCAST = b"\xff" * 6
GROUP = bytes.fromhex("33330000002a")
OTHER = bytes.fromhex("525400999999")

# The verification suite of Microsoft's RSS description: its key, and hashes
# of (source, port, destination, port) with ports and without.
RSS_KEY = bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b4"
                        "77cb2da38030f20c6a42b73bbeac01fa")
RSS_VECTORS = (
    (4, "66.9.149.187", 2794, "161.142.100.80", 1766, 0x51ccc178, 0x323e8fc2),
    (4, "199.92.111.2", 14230, "65.69.140.83", 4739, 0xc626b0ea, 0xd718262a),
    (6, "3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766,
     0x40207d3d, 0x2cc18cd5),
    (6, "3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739,
     0xdde51bbf, 0x0f0c461c),
)


def start(nic, *flags, mtu=1500, **cfg):
    nic.boot().up(*flags, mtu=mtu)
    return RxQueue(nic, **cfg)


def to_nic(kind, data, dst=MAC, **more):
    return ethernet(kind, data, dst, PEER, **more)


def plain(size=200, dst=MAC):
    return to_nic(0x88b5, payload(size), dst)


def ip_frame(version, proto, data, **more):
    return to_nic(0x0800 if version == 4 else 0x86dd, ip(version, proto, data, **more))


def dropped(nic, frame, counter):
    """A frame is counted by COUNTER and delivered nowhere."""
    before = nic.stats()
    nic.wire.send(frame)
    nic.m.wait(lambda: nic.stats()[counter] == before[counter] + 1, counter)
    assert nic.stats()["RX_FRAMES"] == before["RX_FRAMES"]


def delivered(nic, rx, frame, flags=ABI.RXC_EOP):
    nic.wire.send(frame)
    got, cpl = rx.receive()
    assert got == frame, "frame is not what was sent"
    assert cpl["flags"] == flags, f"flags {cpl['flags']:#x}, expected {flags:#x}"
    return cpl


@case()
def plain_frame(nic):
    rx = start(nic)
    delivered(nic, rx, plain())
    stats = nic.stats()
    assert (stats["RX_FRAMES"], stats["RX_BYTES"]) == (1, 214)


@case()
def rings_wrap(nic):
    rx = start(nic, bufs=63)
    for n in range(200):
        delivered(nic, rx, plain(60 + n))
        rx.fill()


@case()
def port_down_takes_and_loses(nic):
    nic.boot()
    rx = RxQueue(nic)
    nic.wire.send(plain())
    nic.m.step(0.01)
    nic.up()
    nic.command("NOP")
    delivered(nic, rx, plain(99))
    assert nic.stats()["RX_FRAMES"] == 1


@case()
def unicast_filter(nic):
    rx = start(nic)
    dropped(nic, plain(dst=OTHER), "RX_FILTERED")
    nic.command("MAC_SET", pack("mac", addr=OTHER))
    dropped(nic, plain(), "RX_FILTERED")
    delivered(nic, rx, plain(dst=OTHER))


def set_filters(nic, *addresses):
    table = b"".join(pack("mac", addr=a) for a in addresses)
    addr = nic.m.alloc(len(table) or 8)
    nic.m.write(addr, table)
    nic.command("FILTER_SET", pack("buf", addr=addr, len=len(table)))


@case()
def exact_filters(nic):
    rx = start(nic)
    many = [bytes([2, 0, 0, 0, 1, n]) for n in range(ABI.MAC_FILTERS - 1)]
    set_filters(nic, *many, GROUP)
    for address in (many[0], many[-1], GROUP):
        delivered(nic, rx, plain(dst=address))
    dropped(nic, plain(dst=OTHER), "RX_FILTERED")
    set_filters(nic)
    dropped(nic, plain(dst=GROUP), "RX_FILTERED")
    assert nic.stats()["RX_MULTICAST"] == 1


@case()
def modes(nic):
    rx = start(nic)
    delivered(nic, rx, plain(dst=BROADCAST))
    dropped(nic, plain(dst=GROUP), "RX_FILTERED")
    nic.up("ALLMULTI")
    delivered(nic, rx, plain(dst=GROUP))
    dropped(nic, plain(dst=OTHER), "RX_FILTERED")
    nic.up("PROMISC")
    delivered(nic, rx, plain(dst=OTHER))
    nic.command("PORT_SET", pack("port_cfg", flags=ABI.PORT_UP, mtu=1500))
    dropped(nic, plain(dst=BROADCAST), "RX_FILTERED")


@case()
def lengths(nic):
    rx = start(nic)
    delivered(nic, rx, plain(1508))
    dropped(nic, plain(1509), "RX_LENGTH_ERRORS")
    dropped(nic, plain(20000), "RX_LENGTH_ERRORS")


@case()
def jumbo_over_several_buffers(nic):
    rx = start(nic, mtu=9000, bufs=63, size=256)
    for size in (242, 243, 9000):
        frame = plain(size)
        nic.wire.send(frame)
        got, cpl = rx.receive()
        assert got == frame and cpl["flags"] == ABI.RXC_EOP
        rx.fill(-(-len(frame) // 256))


@case()
def short_of_buffers_for_one_frame(nic):
    """A frame that does not fit into the remaining buffers takes none of them; a smaller
    frame then uses them."""
    rx = start(nic, mtu=9000, bufs=3, size=1024)
    dropped(nic, plain(4000), "RX_NO_BUFFER")
    assert nic.stats()["RX_DESCS"] == 0
    delivered(nic, rx, plain(1000))
    nic.wire.send(plain(2000))
    assert len(rx.receive()[0]) == 2014
    assert nic.stats()["RX_DESCS"] == 3


@case()
def frames_wait_for_buffers(nic):
    """No queue has a buffer: frames wait on the wire, and none is lost."""
    rx = start(nic, bufs=2)
    for n in range(8):
        nic.wire.send(plain(100 + n))
    nic.m.step(0.01)
    for n in range(8):
        assert len(rx.receive()[0]) == 114 + n
        rx.fill()
    assert nic.stats()["RX_NO_BUFFER"] == 0


@case()
def host_that_takes_no_completions(nic):
    rx = start(nic, bufs=63)
    for n in range(5):
        nic.wire.send(plain(100 + n))
    nic.m.wait(lambda: nic.stats()["RX_FRAMES"] == 5, "five frames")
    for _ in range(3):
        rx.ring.at = 4      # the same buffers once more
        rx.ring_doorbell()
    assert nic.stats()["RX_NO_BUFFER"] == 0
    for n in range(5):
        assert rx.receive()[1]["len"] == 114 + n


@case()
def interrupt_when_armed(nic):
    rx = start(nic)
    delivered(nic, rx, plain())
    assert not nic.interrupted(1)
    rx.give_back(arm=True)
    delivered(nic, rx, plain())
    assert nic.interrupted(1)


@case()
def moderation_counts_frames_not_buffers(nic):
    rx = start(nic, mtu=9000, bufs=63, size=256)
    nic.write(rx.mod_reg, 10000 | 2 << ABI.MOD_FRAMES_SHIFT)
    rx.give_back(arm=True)
    for expected in (False, True):
        nic.wire.send(plain(2000))
        assert len(rx.receive()[0]) == 2014
        assert nic.interrupted(1) == expected


@case()
def checksum_reports(nic):
    rx = start(nic, "RX_CSUM")
    ok, bad, none = ABI.RXC_EOP | ABI.RXC_L4_OK, ABI.RXC_EOP | ABI.RXC_CSUM_BAD, ABI.RXC_EOP
    for version in (4, 6):
        for size in (0, 1, 700):
            for proto, data in ((TCP, tcp(version, payload(size))),
                                (UDP, udp(version, payload(size)))):
                delivered(nic, rx, ip_frame(version, proto, data), ok)
                rx.fill()
                broken = data[:2] + bytes([data[2] ^ 1]) + data[3:]
                delivered(nic, rx, ip_frame(version, proto, broken), bad)
                rx.fill()
    delivered(nic, rx, plain(), none)
    assert nic.stats()["RX_CSUM_ERRORS"] == 12


@case()
def checksum_of_padded_and_odd_packets(nic):
    rx = start(nic, "RX_CSUM")
    ok = ABI.RXC_EOP | ABI.RXC_L4_OK
    delivered(nic, rx, ip_frame(4, UDP, udp(4, b"x")) + bytes(20), ok)
    delivered(nic, rx, ip_frame(4, TCP, tcp(4, b"abc"), options=bytes([1]) * 40), ok)
    delivered(nic, rx, ip_frame(6, TCP, tcp(6, b"abc"), options=HOP_BY_HOP), ok)


@case()
def checksum_says_nothing(nic):
    """Where the device cannot know if a checksum is right, it reports nothing: fragments,
    UDP without a checksum, wrong lengths, truncated headers, routed packets."""
    rx = start(nic, "RX_CSUM")
    data = udp(4, payload(100))
    for frame in (ip_frame(4, UDP, data, fragment=0x2000),
                  ip_frame(4, UDP, data, fragment=7),
                  ip_frame(4, UDP, data[:6] + b"\0\0" + data[8:]),
                  ip_frame(4, UDP, data)[:-1], ip_frame(4, UDP, data[:7]),
                  ip_frame(6, TCP, tcp(6, b"abc"))[:-2],
                  ip_frame(4, 132, data)):
        delivered(nic, rx, frame, ABI.RXC_EOP)
    header = ip_frame(4, UDP, data)
    delivered(nic, rx, header[:24] + b"\x55\x55" + header[26:],
              ABI.RXC_EOP | ABI.RXC_CSUM_BAD)


@case()
def checksum_off(nic):
    rx = start(nic)
    delivered(nic, rx, ip_frame(4, TCP, tcp(4, b"abc")))


@case()
def vlan_is_stripped(nic):
    rx = start(nic, "VLAN_STRIP", "RX_CSUM")
    inner = ip(4, TCP, tcp(4, b"abc"))
    nic.wire.send(to_nic(0x0800, inner, tags=b"\x81\0\xe1\x23"))
    frame, cpl = rx.receive()
    assert frame == to_nic(0x0800, inner) and cpl["vlan_tci"] == 0xe123
    assert cpl["flags"] == ABI.RXC_EOP | ABI.RXC_VLAN | ABI.RXC_L4_OK
    delivered(nic, rx, plain())
    delivered(nic, rx, to_nic(0x88b5, b"", tags=b"\x88\xa8\0\1"))
    nic.up()
    delivered(nic, rx, to_nic(0x0800, inner, tags=b"\x81\0\0\1"))


def set_rss(nic, types, table=(0, 1), key=RSS_KEY, status="OK"):
    data = pack("rss", key=key, types=types,
                table=bytes(table) * (ABI.RSS_ENTRIES // len(table)))
    addr = nic.m.alloc(len(data))
    nic.m.write(addr, data)
    nic.command("RSS_SET", pack("buf", addr=addr, len=len(data)), status)


def rss_frame(version, src, src_port, dst, dst_port, proto):
    data = (tcp if proto == TCP else udp)(version, b"abc", ports=(src_port, dst_port))
    packet = bytearray(ip(version, proto, data))
    at = 12 if version == 4 else 8
    for address in (src, dst):
        raw = ipaddress.ip_address(address).packed
        packet[at:at + len(raw)] = raw
        at += len(raw)
    return to_nic(0x0800 if version == 4 else 0x86dd, bytes(packet))


@case(queues=4)
def rss_verification_suite(nic):
    nic.boot().up("RSS")
    queues = [RxQueue(nic, n) for n in range(4)]
    both = {4: (ABI.RSS_IPV4, ABI.RSS_TCP4, ABI.RSS_UDP4),
            6: (ABI.RSS_IPV6, ABI.RSS_TCP6, ABI.RSS_UDP6)}
    for version, src, src_port, dst, dst_port, l4_hash, l3_hash in RSS_VECTORS:
        l3_type, tcp_type, udp_type = both[version]
        for types, proto, value, flag in (
                (l3_type | tcp_type, TCP, l4_hash, ABI.RXC_HASH_L4),
                (l3_type | udp_type, UDP, l4_hash, ABI.RXC_HASH_L4),
                (l3_type, TCP, l3_hash, ABI.RXC_HASH_L3),
                (l3_type | tcp_type, UDP, l3_hash, ABI.RXC_HASH_L3),
                (tcp_type, UDP, 0, 0)):
            set_rss(nic, types, range(4))
            nic.wire.send(rss_frame(version, src, src_port, dst, dst_port, proto))
            rx = queues[value % ABI.RSS_ENTRIES % 4]
            _, cpl = rx.receive()
            assert cpl["hash"] == value, f"{cpl['hash']:#x}, expected {value:#x}"
            assert cpl["flags"] == ABI.RXC_EOP | flag
            rx.fill()


@case()
def rss_fragments_by_address_alone(nic):
    rx = start(nic, "RSS")
    set_rss(nic, 0x3f, (0,))
    data = udp(4, payload(100))
    hashes = set()
    for fragment, body in ((0x2000, data), (13, data[50:])):
        nic.wire.send(ip_frame(4, UDP, body, fragment=fragment))
        _, cpl = rx.receive()
        assert cpl["flags"] == ABI.RXC_EOP | ABI.RXC_HASH_L3
        hashes.add(cpl["hash"])
    assert len(hashes) == 1


@case()
def rss_to_a_queue_without_buffers(nic):
    """RSS selects a queue without buffers: the frame is lost, and frames of other queues
    arrive."""
    rx = start(nic, "RSS")
    RxQueue(nic, 1, bufs=0)
    set_rss(nic, ABI.RSS_UDP4, (1,))
    dropped(nic, ip_frame(4, UDP, udp(4, b"abc")), "RX_NO_BUFFER")
    delivered(nic, rx, plain())


@case()
def rss_to_no_queue(nic):
    rx = start(nic, "RSS")
    set_rss(nic, ABI.RSS_UDP4, (2,), status="PARAM")
    set_rss(nic, ABI.RSS_UDP4, (1,))
    dropped(nic, ip_frame(4, UDP, udp(4, b"abc")), "RX_NO_BUFFER")
    delivered(nic, rx, plain())


SIZES = (64, 127, 255, 511, 1023, 1518, "MAX")
PAUSE = bytes.fromhex("0180c2000001") + PEER + b"\x88\x08\0\1\0\1"


def grown(nic, before):
    """Receive and transmit counters that moved."""
    return {name: value - before[name] for name, value in nic.stats().items()
            if value != before[name] and name[:3] in ("RX_", "TX_")}


@case()
def counts_by_size(nic):
    """Each received frame is counted in exactly one range of lengths, with padding and FCS
    included."""
    rx = start(nic, mtu=9000, size=16384)
    for place, name in enumerate(SIZES):
        low = SIZES[place - 1] + 1 if place else 18
        for wire in (low, name if name != "MAX" else 9000):
            before = nic.stats()
            delivered(nic, rx, plain(wire - 4 - 14))
            assert grown(nic, before)[f"RX_SIZE_{name}"] == 1, (wire, grown(nic, before))
            assert sum("SIZE" in key for key in grown(nic, before)) == 1


@case()
def counts_of_mac_control(nic):
    """Pause frames and other MAC control frames are counted, although no filter accepts
    them; a broadcast frame is counted when it is delivered."""
    rx = start(nic)
    for frame, names in ((PAUSE, {"RX_CONTROL", "RX_PAUSE"}),
                         (PAUSE[:14] + b"\0\2" + PAUSE[16:], {"RX_CONTROL"}),
                         (PAUSE[:14], {"RX_CONTROL"})):
        before = nic.stats()
        dropped(nic, frame, "RX_FILTERED")
        assert set(grown(nic, before)) == names | {"RX_FILTERED", "RX_SIZE_64"}
    before = nic.stats()
    delivered(nic, rx, plain(dst=BROADCAST))
    assert grown(nic, before)["RX_BROADCAST"] == 1
    assert "RX_MULTICAST" not in grown(nic, before)


@case()
def counts_of_sent_frames(nic):
    """Sent frames are counted by kind and by size; the frames that TSO makes are counted
    one by one."""
    nic.boot().up()
    tx = TxQueue(nic)
    for dst, name in ((BROADCAST, "TX_BROADCAST"), (GROUP, "TX_MULTICAST")):
        before = nic.stats()
        tx.send_ok(dst + MAC + b"\x88\xb5" + payload(100))
        assert {name, "TX_SIZE_127", "TX_FRAMES"} <= set(grown(nic, before))
    before = nic.stats()
    tx.send_ok(PAUSE)
    assert {"TX_CONTROL", "TX_PAUSE", "TX_MULTICAST", "TX_SIZE_64"} <= set(grown(nic, before))
    before = nic.stats()
    frame, _, head = tcp_frame(4, payload(2500), whole=False)
    tx.send_ok(frame, ABI.TXO_TSO, mss=1000, hdr_len=head)
    assert (grown(nic, before)["TX_SIZE_1518"], grown(nic, before)["TX_SIZE_1023"]) == (2, 1)


def stopped(nic, rx, status):
    """A frame stops the queue, an event names the queue and STATUS, and a new queue in its
    place works."""
    nic.wire.send(plain())
    event = nic.event("QUEUE_ERROR")
    assert (event["id"], event["status"]) == (rx.type << 8 | rx.number, status)
    rx.destroy()
    delivered(nic, RxQueue(nic), plain())


@case()
def bad_descriptors_stop_the_queue(nic):
    nic.boot().up()
    addr = nic.m.alloc(4096)
    for members, status in ((dict(addr=addr, len=255), ABI.ST_LENGTH),
                            (dict(addr=addr, len=2048, reserved=1), ABI.ST_RESERVED),
                            (dict(addr=RAM_END, len=2048), ABI.ST_DMA),
                            (dict(addr=nic.pci.bars[0], len=2048), ABI.ST_DMA),
                            (dict(addr=nic.pci.bars[1], len=2048), ABI.ST_DMA)):
        rx = RxQueue(nic, bufs=0)
        rx.ring.put(pack("rx_desc", **members))
        rx.ring_doorbell()
        stopped(nic, rx, status)
        nic.command("QUEUE_DESTROY", rx.ref())


@case()
def rings_outside_memory_stop_the_queue(nic):
    nic.boot().up()
    for where in ({"ring": RAM_END}, {"ring": nic.pci.bars[0]},
                  {"cq": RAM_END}, {"cq": nic.pci.bars[0]}):
        rx = RxQueue(nic, **where)
        stopped(nic, rx, ABI.ST_DMA)
        nic.command("QUEUE_DESTROY", rx.ref())


@case()
def huge_buffer_length(nic):
    """A buffer is said to be 4 GiB long: only the bytes that the frame needs are written."""
    rx = start(nic, bufs=0)
    addr = nic.m.alloc(4096)
    rx.bufs[0] = addr
    rx.ring.put(pack("rx_desc", addr=addr, len=0xffffffff))
    rx.ring_doorbell()
    delivered(nic, rx, plain())


@case()
def queue_create_refusals(nic):
    nic.boot()
    good = dict(ref=pack("queue_ref", type=ABI.QUEUE_RX, queue=0), log2=6, vector=1,
                ring=nic.m.alloc(4096), cq=nic.m.alloc(4096))
    for change, status in (
            (dict(ref=pack("queue_ref", type=2, queue=0)), "PARAM"),
            (dict(ref=pack("queue_ref", type=1, queue=2)), "PARAM"),
            (dict(log2=5), "PARAM"), (dict(log2=13), "PARAM"),
            (dict(log2=0xffff), "PARAM"), (dict(vector=3), "PARAM"),
            (dict(ring=good["ring"] + 32), "PARAM"), (dict(cq=good["cq"] + 1), "PARAM")):
        nic.command("QUEUE_CREATE", pack("queue_cfg", **good | change), status)
    nic.command("QUEUE_CREATE", pack("queue_cfg", **good))
    nic.command("QUEUE_CREATE", pack("queue_cfg", **good), "EXIST")
    nic.command("QUEUE_DESTROY", good["ref"])
    nic.command("QUEUE_DESTROY", good["ref"], "NOENT")


def lost(nic, rx, seed, count=150):
    """The numbers of the COUNT frames that the device loses."""
    nic.m.qmp("qom-set", path="/machine/peripheral/nic", property="fault-seed",
              value=seed)
    missing = set()
    for n in range(count):
        before = nic.stats()["FAULTS_INJECTED"]
        nic.wire.send(plain(100 + n))
        if nic.m.wait(lambda b=before: came(nic, rx, b), "a frame or its loss") == 1:
            assert len(rx.receive()[0]) == 114 + n
            rx.fill()
        else:
            missing.add(n)
    return missing


def came(nic, rx, before):
    """1 if there is a completion, 2 if a frame was lost, 0 if neither has happened yet."""
    at, size = rx.cq.at, rx.cq.size
    if nic.m.read(rx.cq.addr + at * size, size)[-1] == rx.cq.gen:
        return 1
    return 2 * (nic.stats()["FAULTS_INJECTED"] > before)


@case(fault_rx_drop_ppm=100000)
def faults_are_seeded(nic):
    rx = start(nic, bufs=63)
    first, again, other = (lost(nic, rx, seed) for seed in (1, 1, 2))
    assert first == again and first != other
    assert 3 < len(first) < 40, f"{len(first)} of 150 at 10 %"
    assert nic.stats()["FAULTS_INJECTED"] == 2 * len(first) + len(other)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
