#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Transmit through real firmware: gathering, checksums, segmentation, VLAN, completions,
interrupts; and packets that are refused."""

import struct
import sys
import time

from nic import ABI, PEER, QUIET, TxQueue, case, in_qemu_only, main, pack
from packets import (ACK, CWR, FIN, HOP_BY_HOP, PSH, ethernet, payload,
                     receive_tcp, tcp_frame)
from qtest import RAM_END

PLAIN = ethernet(0x88b5, payload(200))
SUM = {"csum_offset": 16}


def start(nic, mtu=1500, **cfg):
    nic.boot().up(mtu=mtu)
    return TxQueue(nic, **cfg)


def sum_flags(l4):
    return {"flags": ABI.TXO_CSUM, "csum_start": l4, "csum_offset": 16}


@case()
def plain_frame(nic):
    tx = start(nic)
    tx.send_ok(PLAIN)
    assert nic.wire.receive() == PLAIN
    stats = nic.stats()
    assert (stats["TX_FRAMES"], stats["TX_BYTES"]) == (1, len(PLAIN))


@case()
def descriptors_are_counted(nic):
    """TX_DESCS counts all descriptors that the ring gives back, also offload descriptors
    and those of refused packets."""
    tx = start(nic)
    tx.send_ok(PLAIN, pieces=3)
    assert nic.wire.receive() and nic.stats()["TX_DESCS"] == 3
    tx.refused("TX_OFFLOAD", PLAIN, ABI.TXO_CSUM, csum_start=len(PLAIN))
    assert nic.stats()["TX_DESCS"] == 3 + 2


@case()
def gathered_from_pieces(nic):
    tx = start(nic)
    for pieces in (2, 7, ABI.TX_MAX_DESCS):
        tx.send_ok(PLAIN, pieces=pieces)
        assert nic.wire.receive() == PLAIN


@case()
def many_packets_behind_one_doorbell(nic):
    """One doorbell announces more packets than the device reads at a time, around the end
    of the ring: all leave in order."""
    tx = start(nic, log2=7)
    for count in (1, 2, 40, 60, 33):
        frames = [PLAIN + bytes([n]) for n in range(count)]
        for n, frame in enumerate(frames):
            tx.data(frame, pieces=1 + n % 3)
        tx.ring_doorbell()
        assert [nic.wire.receive() for _ in frames] == frames
        for _ in frames:
            assert tx.completion()["status"] == ABI.ST_OK


@case()
def short_frame_is_padded(nic):
    tx = start(nic)
    tx.send_ok(PLAIN[:14])
    assert nic.wire.receive() == PLAIN[:14] + bytes(46)


@case()
def rings_wrap(nic):
    tx = start(nic)
    for n in range(3 * 64):
        frame = PLAIN[:60] + struct.pack(">I", n)
        tx.send_ok(frame, pieces=1 + n % 3)
        assert nic.wire.receive() == frame


@case()
def many_at_one_doorbell(nic):
    """One doorbell for 100 packets, of which the last asks for a completion: one completion
    comes, and all packets leave."""
    tx = start(nic, log2=8)
    for n in range(100):
        addr = nic.m.alloc(64, 1)
        nic.m.write(addr, PLAIN[:60] + struct.pack(">I", n))
        tx.descriptor(addr=addr, len=64, flags=ABI.TXD_EOP |
                      (ABI.TXD_CPL if n == 99 else 0))
    tx.ring_doorbell()
    cpl = tx.completion()
    assert (cpl["head"], cpl["status"]) == (100, ABI.ST_OK)
    tx.no_completion()
    for n in range(100):
        assert nic.wire.receive()[60:] == struct.pack(">I", n)


@case()
def packet_without_end_waits(nic):
    tx = start(nic)
    addr = nic.m.alloc(64)
    nic.m.write(addr, PLAIN[:64])
    tx.descriptor(addr=addr, len=32)
    tx.ring_doorbell()
    tx.no_completion()
    tx.descriptor(addr=addr + 32, len=32, flags=ABI.TXD_EOP | ABI.TXD_CPL)
    tx.ring_doorbell()
    assert tx.completion()["head"] == 2
    assert nic.wire.receive() == PLAIN[:64]


@case(queues=4)
def queues_are_independent(nic):
    nic.boot().up()
    queues = [TxQueue(nic, n) for n in range(4)]
    for tx in queues:
        tx.send_ok(PLAIN[:60] + bytes([tx.number]))
        assert nic.wire.receive()[60] == tx.number


@case()
def interrupt_when_armed(nic):
    tx = start(nic)
    tx.send_ok(PLAIN)
    assert not nic.interrupted(1), "interrupt although not armed"
    tx.give_back(arm=True)
    assert not nic.interrupted(1), "interrupt without a completion"
    tx.send_ok(PLAIN)
    assert nic.interrupted(1)
    tx.send_ok(PLAIN)
    assert not nic.interrupted(1), "two interrupts for one arming"


@case()
def arming_behind_a_completion(nic):
    """A queue is armed behind a completion that is there already: the interrupt comes at
    once."""
    tx = start(nic)
    tx.data(PLAIN)
    tx.ring_doorbell()
    assert nic.wire.receive() and not nic.interrupted(1)
    tx.give_back(arm=True)
    assert nic.interrupted(1)


@in_qemu_only("time goes on by itself")
@case()
def moderation_waits(nic):
    tx = start(nic)
    nic.write(tx.mod_reg, 1000)
    tx.give_back(arm=True)
    tx.data(PLAIN)
    tx.ring_doorbell()
    assert nic.wire.receive()
    nic.m.step(0.0005)
    assert not nic.interrupted(1), "too early"
    nic.m.step(0.0006)
    assert nic.interrupted(1)


@in_qemu_only("time goes on by itself")
@case()
def no_interrupt_for_what_was_consumed(nic):
    """A completion is consumed and the queue armed again before its moderation time has
    passed: no interrupt comes for it, and the next completion gets the whole time."""
    tx = start(nic)
    nic.write(tx.mod_reg, 1000)

    def send():
        tx.data(PLAIN)
        tx.ring_doorbell()
        nic.m.wait(tx.cq.take, "completion", step=0)
    tx.give_back(arm=True)
    send()
    nic.m.step(0.0005)
    tx.give_back(arm=True)
    nic.m.step(0.0006)
    assert not nic.interrupted(1), "for a completion that was consumed"
    assert nic.read(tx.cq_reg) & ABI.CQ_ARM
    send()
    nic.m.step(0.0009)
    assert not nic.interrupted(1), "before the time"
    nic.m.step(0.0002)
    assert nic.interrupted(1)


@case()
def moderation_counts(nic):
    tx = start(nic)
    nic.write(tx.mod_reg, 10000 | 3 << ABI.MOD_FRAMES_SHIFT)
    tx.give_back(arm=True)
    for expected in (False, False, True):
        tx.data(PLAIN)
        tx.ring_doorbell()
        assert nic.wire.receive()
        nic.m.step(1e-6)
        assert nic.interrupted(1) == expected


@in_qemu_only("a message goes to the client")
@case()
def interrupt_message_to_own_registers(nic):
    """A vector's message is aimed at the device's own reset register, and sent from the
    data path and from a timer: nothing is reset."""
    tx = start(nic)
    entry = nic.pci.bars[1] + 16
    nic.m.write32(entry, nic.pci.bars[0] + ABI.REG_CTRL)
    nic.m.write32(entry + 8, ABI.CTRL_RESET)
    for usecs in (0, 100):
        nic.write(tx.mod_reg, usecs)
        tx.give_back(arm=True)
        tx.data(PLAIN)
        tx.ring_doorbell()
        assert nic.wire.receive()
        nic.m.step(0.001)
        assert nic.fw_state() == ABI.FW_READY
        assert not nic.read(tx.cq_reg) & ABI.CQ_ARM, "no interrupt was sent"
        tx.completion()


@case()
def moderation_out_of_range(nic):
    tx = start(nic)
    nic.write(tx.mod_reg, 7)
    for value in (10001, 1 << 24, 0xffffffff):
        nic.write(tx.mod_reg, value)
        assert nic.read(tx.mod_reg) == 7


@case()
def checksum_ipv4_and_ipv6(nic):
    tx = start(nic)
    for version in (4, 6):
        for size in (0, 1, 2, 999, 1400):
            frame, l4, _ = tcp_frame(version, payload(size), whole=False)
            tx.send_ok(frame, **sum_flags(l4))
            assert receive_tcp(nic)[0].data == payload(size)


@case()
def checksum_zero_is_sent_as_ffff(nic):
    """A UDP checksum that is zero leaves as 0xffff, because zero means "no checksum"."""
    tx = start(nic)
    frame = ethernet(0x88b5, b"\xff\xff" + bytes(44))
    tx.send_ok(frame, ABI.TXO_CSUM, csum_start=14, csum_offset=20)
    assert nic.wire.receive()[34:36] == b"\xff\xff"


def cut(nic, tx, version, size, mss, vlan=None, **members):
    data = payload(size)
    frame, _, hdr_len = tcp_frame(version, data, seq=0xfffff000, whole=False,
                                  **members)
    flags, more = ABI.TXO_TSO, {}
    if vlan is not None:
        flags, more = flags | ABI.TXO_VLAN, {"vlan_tci": vlan}
    tx.send_ok(frame, flags, pieces=3, mss=mss, hdr_len=hdr_len, **more)
    count = max(1, -(-size // mss))
    segments = receive_tcp(nic, count)
    assert b"".join(s.data for s in segments) == data
    assert all(len(s.data) == mss for s in segments[:-1])
    for n, segment in enumerate(segments):
        assert segment.seq == (0xfffff000 + n * mss) & 0xffffffff
        assert segment.tci == vlan
    return segments


@case()
def segmentation(nic):
    tx = start(nic)
    for version in (4, 6):
        for size, mss in ((1400, 1400), (1401, 1400), (60000, 1400), (5, 1400), (600, 8)):
            cut(nic, tx, version, size, mss)
    assert nic.stats()["TX_TSO_PACKETS"] == 10


@case()
def segmentation_of_64k(nic):
    tx = start(nic, mtu=9000)
    cut(nic, tx, 4, 65535 - 40, 8960)
    cut(nic, tx, 6, 65535 - 20, 8900)


@case()
def segmentation_of_long_headers(nic):
    """With TSO, each frame has the IPv4 options, IPv6 extension headers and TCP options."""
    tx = start(nic)
    options = bytes([1]) * 40
    for segment in cut(nic, tx, 4, 5000, 1000, ip_options=options, options=options):
        assert segment.ip[20:60] == options and segment.options == options
    for segment in cut(nic, tx, 6, 5000, 1000, ip_options=HOP_BY_HOP):
        assert segment.ip[41:48] == HOP_BY_HOP[1:]


@case()
def segmentation_of_too_long_headers(nic):
    """TSO with 508 bytes of headers and a tag to insert works; longer headers are refused."""
    tx = start(nic)
    extension = bytes([0, 53]) + bytes(430)
    cut(nic, tx, 6, 5000, 900, vlan=5, ip_options=extension)
    for options in (bytes([1]) * 4, bytes([1]) * 8):
        frame, _, hdr_len = tcp_frame(6, payload(5000), ip_options=extension, options=options)
        tx.refused("TX_OFFLOAD", frame, ABI.TXO_TSO | ABI.TXO_VLAN, hdr_len=hdr_len, mss=900,
                   vlan_tci=5)


@case()
def segmentation_flags_and_ids(nic):
    tx = start(nic)
    flags = ACK | FIN | PSH | CWR
    segments = cut(nic, tx, 4, 3000, 1000, flags=flags)
    assert [s.flags for s in segments] == [ACK | CWR, ACK, ACK | FIN | PSH]
    assert [s.ident for s in segments] == [7, 8, 9]
    assert [s.flags for s in cut(nic, tx, 4, 10, 1000, flags=flags)] == [flags]


@case()
def vlan_is_inserted(nic):
    tx = start(nic)
    tx.send_ok(PLAIN, ABI.TXO_VLAN, vlan_tci=0x6abc)
    assert nic.wire.receive() == PLAIN[:12] + b"\x81\0\x6a\xbc" + PLAIN[12:]
    cut(nic, tx, 4, 4000, 1000, vlan=0x0123)
    frame, l4, _ = tcp_frame(4, payload(100), whole=False)
    tx.send_ok(frame, ABI.TXO_VLAN | ABI.TXO_CSUM, vlan_tci=5, csum_start=l4,
               csum_offset=16)
    assert receive_tcp(nic)[0].tci == 5


@case()
def refused_descriptors(nic):
    tx = start(nic)
    addr = nic.m.alloc(4096)
    last = ABI.TXD_EOP
    bad = (dict(addr=addr, len=0, flags=last), dict(addr=addr, len=1 << 31, flags=last),
           dict(addr=addr, len=64, flags=last | 4),
           dict(addr=addr, len=64, flags=last, reserved=1),
           dict(addr=addr, len=ABI.TX_MAX_BYTES + 1, flags=last),
           dict(flags=ABI.TXD_OFFLOAD | last))
    for members in bad:
        before = nic.stats()["TX_ERRORS"]
        tx.descriptor(**members)
        tx.ring_doorbell()
        tx.check_refused(tx.completion(), "TX_DESC", before)
    for members in (dict(flags=1 << 14), dict(flags=ABI.TXO_TLS, inner=34)):
        tx.offload(**members)
        tx.data(PLAIN)
        before = nic.stats()["TX_ERRORS"]
        tx.ring_doorbell()
        tx.check_refused(tx.completion(), "TX_DESC", before)
    tx.send_ok(PLAIN)


@case()
def refused_second_offload(nic):
    tx = start(nic)
    tx.offload(0)
    tx.refused("TX_DESC", PLAIN, ABI.TXO_VLAN)
    tx.offload(0)
    before = nic.stats()["TX_ERRORS"]
    tx.ring.put(pack("tx_desc", flags=ABI.TXD_OFFLOAD | ABI.TXD_EOP))
    tx.ring_doorbell()
    tx.check_refused(tx.completion(), "TX_DESC", before)


@case()
def refused_too_many_descriptors(nic):
    tx = start(nic)
    tx.refused("TX_DESC", PLAIN, pieces=40)
    tx.send_ok(PLAIN)


@case()
def refused_lengths(nic):
    tx = start(nic)
    tx.refused("TX_LENGTH", PLAIN[:13])
    tx.refused("TX_LENGTH", ethernet(0x88b5, payload(1509)))
    tx.refused("TX_LENGTH", payload(ABI.TX_MAX_BYTES), pieces=2, flags=ABI.TXO_VLAN)
    addr = nic.m.alloc(ABI.TX_MAX_BYTES)
    before = nic.stats()["TX_ERRORS"]
    for n in range(4):
        tx.descriptor(addr=addr, len=ABI.TX_MAX_BYTES, flags=ABI.TXD_EOP * (n == 3))
    tx.ring_doorbell()
    tx.check_refused(tx.completion(), "TX_LENGTH", before)


@case()
def refused_offloads(nic):
    tx = start(nic)
    frame, l4, hdr_len = tcp_frame(4, payload(1000))
    tso = {"flags": ABI.TXO_TSO, "hdr_len": hdr_len, "mss": 500}
    bad_ip = frame[:14] + b"\x4f" + frame[15:]
    bad_tcp = frame[:l4 + 12] + b"\x40" + frame[l4 + 13:]
    fragment = frame[:20] + b"\x20\0" + frame[22:]
    datagram = frame[:23] + b"\x11" + frame[24:]
    for packet, members in (
            (frame, tso | {"mss": 0}), (frame, tso | {"hdr_len": hdr_len + 4}),
            (frame, tso | {"hdr_len": 0}), (PLAIN, tso), (frame[:40], tso),
            (bad_ip[:60], tso), (bad_tcp, tso), (fragment, tso), (datagram, tso),
            (frame, {"flags": ABI.TXO_CSUM, "csum_start": len(frame)} | SUM),
            (frame, {"flags": ABI.TXO_CSUM, "csum_start": len(frame) - 17} | SUM),
            (frame, {"flags": ABI.TXO_CSUM, "csum_start": 0xffff, "csum_offset": 0xff})):
        tx.refused("TX_OFFLOAD", packet, **members)
    tx.refused("TX_LENGTH", *[tcp_frame(4, payload(3000))[0]], **tso | {"mss": 1501})
    tx.send_ok(frame)


@case()
def refused_routed_segmentation(nic):
    """TSO behind an IPv6 routing header is refused, because the checksum needs an address
    that the IPv6 header does not have."""
    tx = start(nic)
    routing = bytes([0, 0, 4, 1, 0, 0, 0, 0])
    frame, _, hdr_len = tcp_frame(6, payload(1000), ip_options=routing)
    frame = frame[:20] + b"\x2b" + frame[21:]
    tx.refused("TX_OFFLOAD", frame, ABI.TXO_TSO, hdr_len=hdr_len, mss=500)


@case()
def refused_memory(nic):
    """Data outside of memory, also in the device's own registers, is refused with status
    DMA; the next packet leaves."""
    tx = start(nic)
    for addr in (RAM_END - 8, nic.pci.bars[0], nic.pci.bars[1], 0xffffffffffffffc0):
        before = nic.stats()["TX_ERRORS"]
        tx.descriptor(addr=addr, len=64, flags=ABI.TXD_EOP)
        tx.ring_doorbell()
        tx.check_refused(tx.completion(), "DMA", before)
    tx.send_ok(PLAIN)


@case()
def refused_when_port_is_down(nic):
    nic.boot()
    TxQueue(nic).refused("STATE", PLAIN)


@case()
def refused_without_link(nic):
    tx = start(nic)
    nic.m.qmp("set_link", name="nic", up=False)
    event = nic.event("LINK")
    assert event["arg"] == 0 and not nic.read(ABI.REG_STATUS) & ABI.STATUS_LINK
    tx.refused("TX_LINK", PLAIN)
    nic.m.qmp("set_link", name="nic", up=True)
    assert nic.event("LINK")["arg"] == 1
    assert nic.read(ABI.REG_STATUS) & ABI.STATUS_LINK
    tx.send_ok(PLAIN)


def stopped(nic, tx, status):
    event = nic.event("QUEUE_ERROR")
    assert event["id"] == tx.type << 8 | tx.number
    assert event["status"] == status
    tx.ring_doorbell()
    tx.no_completion()
    tx.destroy()
    TxQueue(nic).send_ok(PLAIN)


@case()
def ring_outside_memory_stops_the_queue(nic):
    for where in (RAM_END, nic.pci.bars[0]):
        if not nic.cmdq:
            nic.boot().up()
        tx = TxQueue(nic, ring=where)
        tx.data(PLAIN)
        tx.ring_doorbell()
        stopped(nic, tx, ABI.ST_DMA)
        nic.command("QUEUE_DESTROY", tx.ref())


@case()
def completions_outside_memory_stop_the_queue(nic):
    tx = start(nic, cq=nic.pci.bars[0])
    tx.data(PLAIN)
    tx.ring_doorbell()
    stopped(nic, tx, ABI.ST_DMA)


@case()
def full_ring_without_end_stops_the_queue(nic):
    tx = start(nic)
    addr = nic.m.alloc(64)
    for _ in range(63):
        tx.descriptor(addr=addr, len=64)
    tx.ring_doorbell()
    stopped(nic, tx, ABI.ST_TX_DESC)


@case()
def doorbell_out_of_range(nic):
    tx = start(nic)
    for value in (64, 0xffff, 0xffffffff):
        nic.write(tx.tail_reg, value)
        nic.write(tx.cq_reg, value)
    nic.write(tx.cq_reg, 5)
    assert nic.read(tx.cq_reg) == 0, "a head past the device's tail is taken"
    tx.send_ok(PLAIN)
    assert "TX_TAIL" in nic.m.logged() and "TX_CQ" in nic.m.logged()


@case()
def host_that_takes_no_completions(nic):
    """The host consumes no completions: the queue stops when the completion ring is full,
    and loses nothing."""
    tx = start(nic)
    addr = nic.m.alloc(64)
    nic.m.write(addr, PLAIN[:64])
    for arrive in (40, 23):
        for _ in range(40):
            tx.descriptor(addr=addr, len=64, flags=ABI.TXD_EOP | ABI.TXD_CPL)
        tx.ring_doorbell()
        for n in range(arrive):
            assert nic.wire.receive(), f"only {n} frames"
    assert nic.wire.receive(QUIET) is None, "more completions than room"
    for _ in range(80):
        tx.completion()
    for _ in range(17):
        assert nic.wire.receive()


@case()
def far_end_that_takes_nothing(nic):
    """The wire takes no frames: the queue waits, also in the middle of a packet, answers
    commands, and goes on by itself."""
    tx = start(nic)
    nic.wire.taking.clear()
    data = payload(60000)
    frame, _, hdr_len = tcp_frame(4, data, whole=False)
    tx.offload(ABI.TXO_TSO, mss=500, hdr_len=hdr_len)
    tx.data(frame)
    tx.data(PLAIN)
    tx.ring_doorbell()
    nic.m.step(0.1)
    assert nic.stats()["TX_FRAMES"] < 100, "the wire takes everything"
    nic.command("NOP")
    nic.wire.taking.set()
    assert b"".join(s.data for s in receive_tcp(nic, 120)) == data
    assert nic.wire.receive() == PLAIN


@case(fault_tx_drop_ppm=1000000)
def long_work_does_not_hold_the_device(nic):
    """Millions of tiny frames are to be sent on a fast wire: register accesses are answered
    all the time, and a reset ends the work."""
    tx = start(nic, log2=12)
    frame, _, hdr_len = tcp_frame(4, payload(60000))
    tx.data(frame)
    data = nic.m.read(tx.ring.addr, 16)
    for _ in range(2000):
        tx.offload(ABI.TXO_TSO, mss=4, hdr_len=hdr_len)
        tx.ring.put(data)
    tx.ring_doorbell()
    for _ in range(20):
        begin = time.monotonic()
        assert nic.read(ABI.REG_MAGIC) == ABI.MAGIC
        assert time.monotonic() - begin < 1, "a register access waits for the ring"
    assert nic.m.read(tx.cq.addr + 1000 * 16, 16) == bytes(16), "all is done"
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    assert nic.fw_state() == ABI.FW_NONE


@case()
def destroy_in_the_middle(nic):
    tx = start(nic, log2=10)
    data = payload(60000)
    frame, _, hdr_len = tcp_frame(4, data)
    for _ in range(20):
        tx.offload(ABI.TXO_TSO, mss=100, hdr_len=hdr_len)
        tx.data(frame)
    tx.ring_doorbell()
    tx.destroy()
    nic.write(tx.tail_reg, 0)
    TxQueue(nic)
    nic.command("NOP")


@case()
def reset_in_the_middle(nic):
    tx = start(nic, log2=10)
    frame, _, hdr_len = tcp_frame(4, payload(60000))
    for _ in range(20):
        tx.offload(ABI.TXO_TSO, mss=100, hdr_len=hdr_len)
        tx.data(frame)
    tx.ring_doorbell()
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    assert nic.fw_state() == ABI.FW_NONE
    while nic.wire.receive(QUIET):
        pass
    start(nic).send_ok(PLAIN)
    assert nic.wire.receive() == PLAIN


def lost(nic, tx, seed, count=400):
    """The numbers of the COUNT frames that do not arrive."""
    nic.m.qmp("qom-set", path="/machine/peripheral/nic", property="fault-seed",
              value=seed)
    for n in range(count):
        tx.send_ok(PLAIN[:60] + struct.pack(">I", n))
    arrived = set()
    while frame := nic.wire.receive(QUIET):
        arrived.add(struct.unpack(">I", frame[60:])[0])
    return set(range(count)) - arrived


@case(fault_tx_drop_ppm=100000)
def faults_are_seeded(nic):
    tx = start(nic)
    first, again, other = (lost(nic, tx, seed) for seed in (1, 1, 2))
    assert first == again and first != other
    assert 10 < len(first) < 90, f"{len(first)} of 400 at 10 %"
    assert nic.stats()["FAULTS_INJECTED"] == 2 * len(first) + len(other)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
