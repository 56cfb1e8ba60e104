#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Promises of docs/abi.rst that no other suite tests: versions, order of checks, contents
of completions, headers, and memory that cannot be reached for a while."""

import hashlib
import os
import subprocess
import sys

from nic import ABI, BUILD, MAC, QUIET, RxQueue, TxQueue, abi, case, main, pack, unpack
from packets import TCP, UDP, V6, checksum, ethernet, ip, payload, receive_tcp, tcp, tcp_frame, udp
from tls_test import SECRET, Flow
import tlsrx_test as tlsrx

PLAIN = ethernet(0x88b5, payload(100))
BEAT = ABI.TIME_BEAT_MS / 1000
LINK = "/machine/peripheral/nic"


def firmware(minor=None):
    """Build firmware: today's, or for hardware of an older minor version. Returns the
    image."""
    out = os.path.join(BUILD, "firmware", f"1.{minor}" if minor else "")
    subprocess.run(["make", "-s", "-C", os.path.join(abi.TOP, "firmware"), f"O={out}",
                    f"ABI_MINOR={minor or ''}"], check=True)
    with open(os.path.join(out, "vktls.fw"), "rb") as f:
        return f.read()


def relabelled(image, minor):
    """The image with another minor version in its header, and a right digest."""
    image = bytearray(image)
    image[6:8] = minor.to_bytes(2, "little")
    image[64:96] = bytes(32)
    image[64:96] = hashlib.sha256(image).digest()
    return bytes(image)


def version(nic):
    value = nic.read(ABI.REG_ABI)
    assert value >> 16 == ABI.ABI_MAJOR
    return value & 0xffff


def stats_num(nic, room=ABI.STAT_NUM + 5):
    """(number of counters that the answer to STATS names, counters written to the buffer)."""
    addr = nic.m.alloc(8 * room, 8)
    nic.m.write(addr, b"\xee" * 8 * room)
    answer = nic.command("STATS", pack("buf", addr=addr, len=8 * room))
    data = nic.m.read(addr, 8 * room)
    written = sum(data[n * 8:n * 8 + 8] != b"\xee" * 8 for n in range(room))
    return answer and unpack("stats", answer)["num"], written


@case()
def newest_version(nic):
    assert version(nic) == ABI.ABI_MINOR
    nic.boot()
    assert version(nic) == ABI.ABI_MINOR
    assert unpack("caps", nic.command("CAPS"))["abi_minor"] == ABI.ABI_MINOR
    assert stats_num(nic) == (ABI.STAT_NUM, ABI.STAT_NUM)
    assert stats_num(nic, 3) == (3, 3)


@case()
def older_firmware_on_newer_hardware(nic):
    """Older firmware runs on newer hardware: the version in force is the firmware's, from
    the load to the reset."""
    assert nic.load(firmware(5)) == ABI.ST_OK
    assert version(nic) == 5
    nic.m.wait(lambda: nic.fw_state() == ABI.FW_READY, "firmware ready")
    assert version(nic) == 5
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    assert version(nic) == ABI.ABI_MINOR
    assert nic.load(relabelled(firmware(), ABI.ABI_MINOR + 1)) == ABI.ST_FW_ABI
    assert version(nic) == ABI.ABI_MINOR


@case(abi_minor=5)
def older_hardware(nic):
    """Older hardware refuses newer firmware, works with its own, and answers as its version
    did."""
    assert version(nic) == 5
    assert nic.load(firmware()) == ABI.ST_FW_ABI
    nic.firmware = firmware(5)
    nic.boot().up()
    assert version(nic) == 5
    assert unpack("caps", nic.command("CAPS"))["abi_minor"] == 0
    assert stats_num(nic) == (b"", 47)
    TxQueue(nic).send_ok(PLAIN)
    assert nic.wire.receive() == PLAIN


def set_link(nic, up):
    nic.m.qmp("set_link", name="nic", up=up)


def next_event(nic):
    entry = nic.evtq.take()
    if entry is None:
        return None
    nic.write(ABI.REG_EVTQ_HEAD, nic.evtq.at)
    return unpack("event", entry)


@case()
def event_waits_for_the_bus_master(nic):
    """Events happen while the device is no bus master: none is lost or skipped, and the
    host finds them in order later."""
    nic.boot()
    nic.pci.enable(master=False)
    set_link(nic, False)
    set_link(nic, True)
    nic.m.step(3 * BEAT)
    assert next_event(nic) is None
    nic.pci.enable()
    nic.m.step(BEAT)
    for up in (0, 1):
        event = next_event(nic)
        assert event and (event["type"], event["arg"]) == (ABI.EVT_LINK, up), event
    assert nic.stats()["EVENTS_LOST"] == 0


@case()
def completion_waits_for_the_bus_master(nic):
    nic.boot()
    nic.interrupted(0)
    nic.pci.enable(master=False)
    nic.write(ABI.REG_CMDQ_TAIL, nic.cmdq.put(pack("cmd", opcode=ABI.CMD_NOP, tag=77)))
    nic.m.step(3 * BEAT)
    assert nic.cplq.take() is None
    nic.pci.enable()
    nic.m.step(BEAT)
    cpl = unpack("cmd_cpl", nic.cplq.take())
    assert (cpl["status"], cpl["opcode"], cpl["tag"]) == (ABI.ST_DMA, 0, 0), cpl
    assert cpl["head"] == nic.cmdq.at and nic.interrupted(0)
    nic.command("NOP")


@case()
def completion_ring_that_is_no_memory(nic):
    """The completion ring lies outside of memory: no command is executed ahead of its
    completion, and a new ring begins at its start."""
    nic.boot()
    nic.write(ABI.REG_CPLQ_ADDR_HI, 0x100)
    nic.write(ABI.REG_CMDQ_LOG2, 4)
    nic.cmdq.at = 0
    nic.m.write(nic.cplq.addr, bytes(64 * 16))
    nic.cmdq.put(pack("cmd", opcode=ABI.CMD_NOP))
    mac = pack("mac", addr=bytes.fromhex("020000000001"))
    nic.write(ABI.REG_CMDQ_TAIL, nic.cmdq.put(pack("cmd", opcode=ABI.CMD_MAC_SET,
                                                   len=len(mac), payload=mac)))
    nic.m.step(2 * BEAT)
    nic.write(ABI.REG_CPLQ_ADDR_HI, 0)
    nic.write(ABI.REG_CMDQ_LOG2, 4)
    nic.cmdq.at = nic.cplq.at = 0
    nic.cplq.gen = 1
    nic.up("RX_CSUM")
    rx = RxQueue(nic)
    nic.wire.send(ethernet(0x88b5, payload(100), dst=MAC))
    rx.receive()


@case()
def queue_without_bus_master_stays_stopped(nic):
    nic.boot().up()
    tx = TxQueue(nic)
    nic.pci.enable(master=False)
    tx.data(PLAIN)
    tx.ring_doorbell()
    nic.m.step(0.1)
    nic.pci.enable()
    event = nic.event("QUEUE_ERROR")
    assert (event["id"], event["status"]) == (ABI.QUEUE_TX << 8, ABI.ST_DMA)
    tx.ring_doorbell()
    tx.no_completion()
    tx.destroy()
    TxQueue(nic).send_ok(PLAIN)
    assert nic.wire.receive() == PLAIN


@case()
def order_of_checks(nic):
    """Of several faults in one packet, the status names the first in this order:
    descriptors, length, memory, port, carrier, offload, MTU."""
    nic.boot()
    tx = TxQueue(nic)
    set_link(nic, False)

    def refused(why, length, addr, flags=0, **offload):
        if flags:
            tx.offload(flags, **offload)
        tx.descriptor(addr=addr, len=length, flags=ABI.TXD_EOP | ABI.TXD_CPL)
        tx.ring_doorbell()
        cpl = tx.completion()
        assert cpl["status"] == getattr(ABI, "ST_" + why), f"{cpl} for {why}"
        assert (cpl["tls_ctx"], cpl["tcp_seq"]) == (0, 0)

    good, bad = nic.m.alloc(9200), 1 << 40
    nic.m.write(good, PLAIN)
    tso = dict(flags=ABI.TXO_TSO, mss=0)
    refused("TX_DESC", 0, bad, **tso)
    refused("TX_LENGTH", 13, bad, **tso)
    refused("DMA", 100, bad, **tso)
    refused("STATE", 100, good, **tso)
    nic.up()
    refused("TX_LINK", 100, good, **tso)
    set_link(nic, True)
    refused("TX_OFFLOAD", 9100, good, **tso)
    refused("TX_OFFLOAD", 9100, good, ABI.TXO_CSUM, csum_start=9100)
    refused("TX_LENGTH", 9100, good)
    frame, l4, hdr_len = tcp_frame(4, payload(100), whole=False)
    nic.m.write(good, frame)
    refused("NOENT", len(frame), good, ABI.TXO_TLS | ABI.TXO_CSUM, tls_ctx=5,
            hdr_len=hdr_len, csum_start=l4, csum_offset=16)


@case()
def status_carries_the_context(nic):
    """A completion has tls_ctx only with the TLS_* statuses, and tcp_seq only with those
    about a context's place."""
    nic.boot().up()
    tx = TxQueue(nic)
    flow = Flow(nic)
    frame, offload = flow.packet(flow.record(SECRET))
    cpl = tx.send(frame, **offload | {"tls_ctx": flow.ctx + 7})
    assert (cpl["status"], cpl["tls_ctx"], cpl["tcp_seq"]) == (ABI.ST_NOENT, 0, 0)
    cpl = tx.send(PLAIN, ABI.TXO_TLS | ABI.TXO_CSUM, tls_ctx=flow.ctx)
    assert (cpl["status"], cpl["tls_ctx"], cpl["tcp_seq"]) == (ABI.ST_TLS_NOT_TCP,
                                                               flow.ctx, 0)
    flow.seq = 6000
    frame, offload = flow.packet(flow.record(SECRET))
    cpl = tx.send(frame, **offload)
    assert (cpl["status"], cpl["tls_ctx"], cpl["tcp_seq"]) == (ABI.ST_TLS_SEQ, flow.ctx,
                                                               5000)
    assert nic.wire.receive(QUIET) is None


@case()
def context_is_not_tied_to_addresses(nic):
    """Packets of a context may change addresses, ports, IP version and queue: only the
    sequence number counts."""
    nic.boot().up()
    queues = TxQueue(nic, 0), TxQueue(nic, 1)
    flow = Flow(nic)
    plains = [payload(50, n) for n in range(4)]
    for n, plain in enumerate(plains):
        flow.version, flow.tcp_more = (4, 6)[n // 2], {"ports": (443, 1000 + n)}
        flow.send(queues[n % 2], flow.record(plain))
    assert [flow.read()[1] for _ in plains] == plains


@case()
def port_down_counts_no_frames(nic):
    nic.boot()
    rx = RxQueue(nic)
    nic.wire.send(ethernet(0x88b5, payload(100), dst=MAC))
    nic.wire.send(b"short")
    nic.m.step(0.1)
    rx.no_completion()
    stats = nic.stats()
    assert not any(stats[n] for n in stats if n.startswith("RX_")), stats


@case()
def length_comes_before_the_filter(nic):
    nic.boot().up()
    rx = RxQueue(nic)
    nic.wire.send(ethernet(0x88b5, payload(1600)))      # too long, and for another address
    nic.wire.send(PLAIN)                                # for another address
    nic.wire.send(ethernet(0x88b5, payload(100), dst=MAC))
    rx.receive()
    stats = nic.stats()
    assert (stats["RX_LENGTH_ERRORS"], stats["RX_FILTERED"]) == (1, 1)


@case()
def queue_create_does_not_try_memory(nic):
    nic.boot().up()
    tx = TxQueue(nic, ring=1 << 40)
    tx.ring.at = 1
    tx.ring_doorbell()
    event = nic.event("QUEUE_ERROR")
    assert (event["id"], event["status"]) == (ABI.QUEUE_TX << 8, ABI.ST_DMA)


@case()
def heads_out_of_range(nic):
    """A head of a completion ring that is past its tail is ignored, together with its
    arming."""
    nic.boot().up()
    tx = TxQueue(nic)
    tx.send_ok(PLAIN)
    head = nic.read(tx.cq_reg)
    for value in (head + 1, head - 1, 64, 0xffff):
        nic.write(tx.cq_reg, value | ABI.CQ_ARM)
        assert nic.read(tx.cq_reg) == head
    nic.write(tx.cq_reg, head | ABI.CQ_ARM | 0x7fff0000)
    assert nic.read(tx.cq_reg) == head | ABI.CQ_ARM
    nic.write(ABI.REG_EVTQ_HEAD, 255)
    nic.command("NOP")


@case()
def ignored_index_is_read_back(nic):
    """A doorbell or a head with an impossible index is ignored: the register still reads as
    before."""
    nic.boot().up()
    tx, rx = TxQueue(nic), RxQueue(nic)
    nic.command("NOP")
    for reg in (ABI.REG_CMDQ_TAIL, ABI.REG_EVTQ_HEAD, tx.tail_reg, rx.tail_reg):
        before = nic.read(reg)
        for value in (1 << ABI.RING_MAX_LOG2, 0xffffffff):
            nic.write(reg, value)
            assert nic.read(reg) == before, f"register {reg:#x} reads {nic.read(reg):#x}"
    nic.command("NOP")
    tx.send_ok(PLAIN)


@case()
def test_vector_without_msix(nic):
    nic.pci.set_config(nic.pci.capability(0x11) + 2, 0, 2)
    nic.write(ABI.REG_TEST_OP, ABI.TEST_IRQ | 1 << ABI.TEST_VECTOR_SHIFT)
    assert nic.read(ABI.REG_TEST_RESULT) == ABI.ST_OK
    nic.pci.set_config(nic.pci.capability(0x11) + 2, 0x8000, 2)
    assert not nic.interrupted(1), "remembered while MSI-X was off"


@case()
def load_in_another_state_is_ignored(nic):
    nic.boot()
    before = nic.read(ABI.REG_STATUS)
    nic.load(relabelled(firmware(), ABI.ABI_MINOR + 1))
    assert nic.read(ABI.REG_STATUS) == before
    nic.command("NOP")


# Headers

def tso_length(nic, tx, version, length):
    """Send a packet for TSO with LENGTH in its IP header. Returns the status."""
    frame, _, hdr_len = tcp_frame(version, payload(300), whole=False)
    at = 16 if version == 4 else 18
    frame = frame[:at] + length.to_bytes(2, "big") + frame[at + 2:]
    status = tx.send(frame, ABI.TXO_TSO, mss=200, hdr_len=hdr_len)["status"]
    if status == ABI.ST_OK:
        first, second = receive_tcp(nic, 2)
        assert first.data + second.data == payload(300)
    return status


@case()
def tso_ignores_the_length(nic):
    """With TSO, the length in the IP header is ignored if it is zero or covers the headers;
    a smaller one gives TX_OFFLOAD."""
    nic.boot().up()
    tx = TxQueue(nic)
    for version, headers in ((4, 40), (6, 20)):
        for length in (0, headers, headers + 1, 0xffff):
            assert tso_length(nic, tx, version, length) == ABI.ST_OK, length
        for length in (1, headers - 1):
            assert tso_length(nic, tx, version, length) == ABI.ST_TX_OFFLOAD, length


@case()
def tso_ignores_checksums_and_payload(nic):
    nic.boot().up()
    tx = TxQueue(nic)
    frame, l4, hdr_len = tcp_frame(4, payload(300))
    frame = frame[:24] + b"\xab\xcd" + frame[26:l4 + 16] + b"\x12\x34" + frame[l4 + 18:]
    tx.send_ok(frame, ABI.TXO_TSO, mss=100, hdr_len=hdr_len)
    assert b"".join(s.data for s in receive_tcp(nic, 3)) == payload(300)
    frame, _, hdr_len = tcp_frame(4, b"")
    tx.send_ok(frame, ABI.TXO_TSO, mss=100, hdr_len=hdr_len)
    segment, = receive_tcp(nic, 1)
    assert segment.data == b""


@case()
def tls_needs_a_length(nic):
    """A packet with TLS and without TSO must end where its IP header says: otherwise, and
    with length zero, it gives TX_LENGTH."""
    nic.boot().up()
    tx = TxQueue(nic)
    flow = Flow(nic)
    frame, offload = flow.packet(flow.record(SECRET))
    for length in (0, len(frame) - 15, len(frame) - 13):
        changed = frame[:16] + length.to_bytes(2, "big") + frame[18:]
        assert tx.send(changed, **offload)["status"] == ABI.ST_TX_LENGTH
    assert nic.wire.receive(QUIET) is None


@case()
def tags_and_extension_headers(nic):
    """Two VLAN tags of either type and 8 IPv6 extension headers are understood; one more is
    not."""
    nic.boot().up(mtu=2000)
    tx = TxQueue(nic)
    segment = tcp(6, payload(100), whole=False)
    tag, outer = b"\x81\0\0\x05", b"\x88\xa8\0\x06"
    for tags, known in ((tag, True), (outer + tag, True), (tag + outer, True),
                        (outer + tag + tag, False)):
        frame = ethernet(0x86dd, ip(6, TCP, segment), tags=tags)
        status = tx.send(frame, ABI.TXO_TSO, mss=1000, hdr_len=54 + 20 + len(tags))["status"]
        assert status == (ABI.ST_OK if known else ABI.ST_TX_OFFLOAD), tags.hex()
    for kind, known in ((0, True), (60, True), (43, True), (44, True), (135, False)):
        for count in (1, 8, 9):
            chain = b"".join(bytes([kind if n + 1 < count else TCP, 0]) + bytes(6)
                             for n in range(count))
            head = b"\x60\0\0\0" + (len(chain) + len(segment)).to_bytes(2, "big") + \
                bytes([kind, 64]) + b"".join(V6)
            frame = ethernet(0x86dd, head + chain + segment)
            status = tx.send(frame, ABI.TXO_TSO, mss=1000,
                             hdr_len=54 + 20 + len(chain))["status"]
            assert status == (ABI.ST_OK if known and count <= 8 else ABI.ST_TX_OFFLOAD), \
                (kind, count, status)


@case()
def routing_and_fragments_are_not_tcp(nic):
    """A packet is not TCP for the device if its routing header has segments left, or if it
    is a true fragment; an atomic fragment is TCP."""
    nic.boot().up()
    tx = TxQueue(nic)
    segment = tcp(6, payload(100), whole=False)
    for kind, body, known in ((43, b"\0\0\1\0\0\0\0", False), (43, b"\0\0\0\0\0\0\0", True),
                              (44, b"\0\0\0\0\0\0\1", True), (44, b"\0\0\1\0\0\0\1", False),
                              (44, b"\0\0\x08\0\0\0\1", False)):
        chain = bytes([TCP]) + body
        head = b"\x60\0\0\0" + (8 + len(segment)).to_bytes(2, "big") + bytes([kind, 64]) + \
            b"".join(V6)
        status = tx.send(ethernet(0x86dd, head + chain + segment), ABI.TXO_TSO, mss=1000,
                         hdr_len=82)["status"]
        assert status == (ABI.ST_OK if known else ABI.ST_TX_OFFLOAD), (kind, body.hex())


def arrives(nic, rx, frame):
    """The checksum flags of a frame that the device receives."""
    nic.wire.send(frame)
    got, cpl = rx.receive()
    rx.fill()
    assert got == frame
    return cpl["flags"] & (ABI.RXC_L4_OK | ABI.RXC_CSUM_BAD)


def to_nic(kind, packet):
    return ethernet(kind, packet, dst=MAC)


def longer(packet):
    """An IPv4 packet whose header is right, but claims more bytes than its frame has."""
    head = packet[:2] + (len(packet) + 8).to_bytes(2, "big") + packet[4:10] + b"\0\0" + \
        packet[12:20]
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + packet[20:]


def routed(left):
    """TCP over IPv6 behind a routing header with LEFT segments left."""
    segment = tcp(6, payload(100))
    return b"\x60\0\0\0" + (8 + len(segment)).to_bytes(2, "big") + b"\x2b\x40" + \
        b"".join(V6) + bytes([TCP, 0, 0, left, 0, 0, 0, 0]) + segment


@case()
def broadcast_is_no_exact_address(nic):
    """A filter entry for the broadcast address does not replace the port flag for
    broadcast: the frame is filtered."""
    nic.boot()
    rx = RxQueue(nic)
    addr = nic.m.alloc(8)
    nic.m.write(addr, pack("mac", addr=b"\xff" * 6))
    nic.command("FILTER_SET", pack("buf", addr=addr, len=8))
    nic.command("PORT_SET", pack("port_cfg", flags=ABI.PORT_UP, mtu=1500))
    nic.wire.send(ethernet(0x88b5, payload(100), dst=b"\xff" * 6))
    nic.wire.send(ethernet(0x88b5, payload(100), dst=MAC))
    rx.receive()
    assert nic.stats()["RX_FILTERED"] == 1


@case()
def hash_has_ports_behind_a_routing_header(nic):
    """The hash covers the ports of TCP behind a routing header, also if its checksum cannot
    be known; it does not for fragments."""
    nic.boot().up("RX_CSUM", "RSS")
    rx = RxQueue(nic)
    addr = nic.m.alloc(ABI.RSS_ENTRIES + 48)
    nic.m.write(addr, pack("rss", key=bytes(range(40)), types=ABI.RSS_TCP6 | ABI.RSS_IPV6))
    nic.command("RSS_SET", pack("buf", addr=addr, len=176))
    fragment = routed(0)
    fragment = fragment[:6] + b"\x2c" + fragment[7:43] + b"\1" + fragment[44:]
    for packet, flag in ((routed(0), ABI.RXC_HASH_L4), (routed(1), ABI.RXC_HASH_L4),
                         (fragment, ABI.RXC_HASH_L3)):
        nic.wire.send(to_nic(0x86dd, packet))
        flags = rx.receive()[1]["flags"]
        assert flags & (ABI.RXC_HASH_L3 | ABI.RXC_HASH_L4) == flag, hex(flags)


@case()
def frames_without_a_checksum_to_look_at(nic):
    nic.boot().up("RX_CSUM")
    rx = RxQueue(nic)
    datagram = udp(4, payload(100))
    for frame, flags in (
            (to_nic(0x0800, ip(4, UDP, datagram)), ABI.RXC_L4_OK),
            (to_nic(0x0800, ip(4, UDP, datagram) + b"pad"), ABI.RXC_L4_OK),
            (to_nic(0x0800, ip(4, UDP, datagram[:6] + b"\0\0" + datagram[8:])), 0),
            (to_nic(0x86dd, ip(6, UDP, datagram[:6] + b"\0\0" + datagram[8:])), 0),
            (to_nic(0x0800, ip(4, 1, payload(100))), 0),
            (to_nic(0x0800, ip(4, UDP, datagram, fragment=0x2000)), 0),
            (to_nic(0x0800, ip(4, UDP, datagram[:4] + b"\0\7" + datagram[6:])), 0),
            (to_nic(0x86dd, ip(6, TCP, tcp(6, payload(100)))[:4] + b"\0\0" +
             ip(6, TCP, tcp(6, payload(100)))[6:]), 0),
            (to_nic(0x0800, ip(4, 1, payload(100))[:10] + b"\1\2" +
             ip(4, 1, payload(100))[12:]), ABI.RXC_CSUM_BAD),
            (to_nic(0x0800, longer(ip(4, UDP, datagram))), 0),
            (to_nic(0x86dd, routed(0)), ABI.RXC_L4_OK), (to_nic(0x86dd, routed(1)), 0),
            (to_nic(0x88b5, payload(100)), 0)):
        assert arrives(nic, rx, frame) == flags, frame[:60].hex()


@case()
def sum_of_zero_is_sent_as_ones(nic):
    """A computed checksum is never zero, which would mean "no checksum" in UDP: it leaves
    as 0xffff."""
    nic.boot().up()
    tx = TxQueue(nic)
    frame = bytearray(ethernet(0x88b5, bytes(100)))
    frame[40:42] = b"\xff\xff"
    tx.send_ok(bytes(frame), ABI.TXO_CSUM, csum_start=14, csum_offset=4)
    assert nic.wire.receive()[18:20] == b"\xff\xff"


# Contexts that receive

@case()
def query_of_a_lost_context(nic):
    """TLS_QUERY of a lost receiving context: rec_no is the number of records since the
    first header that it follows."""
    rx = tlsrx.start(nic)
    flow = tlsrx.Flow(nic, rx, sizes=[1000] * 8)
    nic.m.qmp("qom-set", path=LINK, property="fault-rx-forgetful", value=1)
    flow.rec(0)
    flow.rec(2, flags=tlsrx.TLS | ABI.RXC_TLS_ASK)
    flow.lost("GAP")
    state = flow.state()
    assert state["state"] == ABI.TLS_LOST
    assert int.from_bytes(state["rec_no"], "big") == 1
    assert state["tcp_seq"] == flow.seq + flow.starts[3]
    flow.resync(2)
    assert int.from_bytes(flow.state()["rec_no"], "big") == 3 and flow.in_sync()


@case()
def answer_after_the_place_was_found(nic):
    """The host's answer to a resync request comes after the context has got in sync by
    itself: it gives STATE."""
    rx = tlsrx.start(nic)
    flow = tlsrx.Flow(nic, rx, sizes=[1000] * 8)
    flow.rec(0)
    flow.rec(2, flags=tlsrx.TLS)
    flow.lost("GAP")
    assert flow.in_sync(), "a tag has proved the guess"
    flow.resync(2, "STATE")
    flow.rec(3)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
