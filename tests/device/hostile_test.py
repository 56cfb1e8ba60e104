#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A host that does anything, from a seed: QEMU lives, no marked plaintext leaves, and after
a reset the device works like a new one. SEED=n repeats a run."""

import os
import random
import struct
import sys

from nic import ABI, QUIET, Ring, RxQueue, TxQueue, case, main, pack
from packets import ethernet, payload, tcp_frame
from qtest import RAM_END, RAM_START
from records import SUITES
from tls_test import SECRET, Flow
import replay_test as replay
import tlsrx_test as tlsrx

STEPS = 3000
SEED = int(os.environ.get("SEED", "1"))
REPLAY = ABI.TXO_TLS | ABI.TXO_REPLAY | ABI.TXO_CSUM
PLAIN = ethernet(0x88b5, payload(200))


class Host:
    """Random values that are often nearly right."""

    def __init__(self, nic, seed):
        self.nic, self.m, self.any = nic, nic.m, random.Random(seed)
        bars = nic.pci.bars
        self.places = [RAM_START, RAM_END, RAM_END - 8, bars[0], bars[0] + ABI.REG_CTRL,
                       bars[1], 0, 0xfee00000, (1 << 64) - 8, 1 << 40]

    def number(self):
        return self.any.choice((0, 1, 2, 63, 64, 65, 255, 256, 4095, 0x7fff, 0xffff,
                                0x10000, 0xffffffff, self.any.getrandbits(32)))

    def place(self):
        if self.any.random() < 0.7:
            return self.any.randrange(RAM_START, RAM_END, 8)
        return self.any.choice(self.places) + self.any.choice((0, 0, 4, 64))

    def scribble_registers(self):
        regs = [ABI.REG_TEST_OP, ABI.REG_TEST_LEN, ABI.REG_TEST_ADDR_LO,
                ABI.REG_FW_ADDR_LO, ABI.REG_FW_LEN, ABI.REG_CMDQ_TAIL,
                ABI.REG_EVTQ_HEAD, ABI.REG_CMDQ_ADDR_LO, ABI.REG_EVTQ_LOG2]
        regs += [0x1000 + n for n in range(0, 0x80, 4)] * 2
        self.nic.write(self.any.choice(regs), self.number())

    def scribble_ring(self, ring):
        entry = self.any.randbytes(16)
        if self.any.random() < 0.9:
            flags = self.any.choice((0, 1, 3, 3, 3, ABI.TXD_OFFLOAD | ABI.TXO_TLS,
                                     ABI.TXD_OFFLOAD | ABI.TXO_TLS | ABI.TXO_TSO,
                                     ABI.TXD_OFFLOAD | ABI.TXO_TLS | ABI.TXO_CSUM,
                                     ABI.TXD_OFFLOAD | REPLAY, ABI.TXD_OFFLOAD | REPLAY,
                                     ABI.TXD_REPLAY, ABI.TXD_REPLAY, ABI.TXD_REPLAY,
                                     ABI.TXD_OFFLOAD | ABI.TXO_TSO, 1 << 5))
            entry = struct.pack("<QIHH", self.place() & (1 << 64) - 1,
                                self.any.choice((1, 14, 60, 200, 1500, 9000, 65792,
                                                 self.number())), 0, flags)
            if flags & ABI.TXD_OFFLOAD:
                entry = struct.pack("<IHHHHBBH", self.any.choice((0, 1, self.number())),
                                    self.any.choice((0, 1, 100, 1400)), 5,
                                    self.any.choice((34, self.number() & 0xffff)),
                                    self.any.choice((54, self.number() & 0xffff)),
                                    16, 0, flags)
            elif flags & ABI.TXD_REPLAY:
                entry = struct.pack(">Q", self.any.choice((0, 1, self.number()))) + \
                    struct.pack("<HHHH", self.number() & 0xffff, self.number() & 0xffff, 0,
                                flags)
        at = self.any.randrange(ring.count)
        self.m.write(ring.addr + at * 16, entry)

    def command(self):
        payload_len = self.any.choice((0, 4, 8, 16, 24, 60, 100, 120))
        self.m.write(self.nic.cmdq.addr + self.any.randrange(16) * 128, pack(
            "cmd", opcode=self.any.randrange(ABI.CMD_NUM + 1), len=payload_len,
            payload=self.any.randbytes(payload_len)))
        self.nic.write(ABI.REG_CMDQ_TAIL, self.any.randrange(16))


@case()
def anything_from_a_seed(nic):
    nic.boot().up("PROMISC", "RX_CSUM", "VLAN_STRIP", "RSS", mtu=9000)
    host = Host(nic, SEED)
    rings = [TxQueue(nic, 0).ring, RxQueue(nic, 0).ring, TxQueue(nic, 1).ring,
             RxQueue(nic, 1).ring]
    flow = Flow(nic)
    peer = tlsrx.Flow(nic, None, sizes=[1000] * 30)
    for at in range(RAM_END - 0x200000, RAM_END - 0x2000, 0x4000):
        nic.m.write(at, host.any.choice((PLAIN, tcp_frame(4, SECRET * 30)[0],
                                         tcp_frame(6, SECRET * 30)[0])))
    assert flow.ctx == 0
    for step in range(STEPS):
        host.any.choice((host.scribble_registers,
                         lambda: host.scribble_ring(host.any.choice(rings)),
                         lambda: host.scribble_ring(host.any.choice(rings)),
                         lambda: nic.write(0x1000 + host.any.choice((0, 4, 0x40, 0x44)),
                                           host.any.randrange(64)),
                         host.command))()
        if step % 50 == 0:
            nic.wire.send(host.any.choice((PLAIN, host.any.randbytes(1500),
                                           tcp_frame(6, payload(900))[0])))
            begin = host.any.randrange(len(peer.wire) - 1400)
            nic.wire.send(peer.frame(begin, begin + host.any.randrange(1, 1400)))
            nic.m.step(0.001)
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    as_new(nic)


def as_new(nic):
    assert nic.fw_state() == ABI.FW_NONE
    while nic.wire.receive(QUIET):
        pass
    nic.boot().up()
    TxQueue(nic).send_ok(PLAIN)
    assert nic.wire.receive() == PLAIN
    assert nic.stats()["TLS_CTX_LIVE"] == 0


@case()
def marked_packets_from_a_seed(nic):
    """Packets with a TLS mark and random headers, lengths and offloads: each leaves
    encrypted or not at all."""
    nic.boot().up(mtu=9000)
    tx, host = TxQueue(nic, log2=8), Host(nic, SEED + 1)
    left = 0
    for _ in range(400):
        flow = Flow(nic, seq=1000)
        frame, offload = flow.packet(flow.record(SECRET * host.any.randrange(1, 60)),
                                     host.any.choice((0, 0, 100, 1400)))
        frame = bytearray(frame)
        for _ in range(host.any.choice((0, 1, 1, 2, 8))):
            frame[host.any.randrange(12, 60)] = host.any.getrandbits(8)
        for name in host.any.sample(("mss", "hdr_len", "csum_start", "csum_offset"),
                                    host.any.choice((0, 0, 1))):
            offload[name] = host.number() & (0xff if name == "csum_offset" else 0xffff)
        offload["flags"] ^= host.any.choice((0, 0, ABI.TXO_CSUM, ABI.TXO_TSO, ABI.TXO_VLAN))
        cpl = tx.send(bytes(frame), **offload)
        left += cpl["status"] == ABI.ST_OK
        nic.command("TLS_DEL", flow.ref())
    while sent := nic.wire.receive(QUIET):
        assert SECRET[:12] not in sent, f"plaintext left: {sent.hex()}"
    assert 20 < left < 380, f"{left} of 400 left: the test tests little"


@case()
def replays_from_a_seed(nic):
    """Replays with random headers, lengths and numbers: the bytes that leave are always a
    part of those that left before."""
    nic.boot().up(mtu=9000)
    tx, host = TxQueue(nic, log2=8), Host(nic, SEED + 2)
    left = 0
    for n in range(300):
        flow = replay.Flow(nic, tx, SUITES[n % 6], host.any.choice((4, 6)), seq=1000)
        for _ in range(3):
            flow.record(0, SECRET * host.any.randrange(1, 30))
        flow.send(0, len(flow.wire), 1400)
        begin = host.any.randrange(len(flow.wire) - 1)
        end = host.any.randrange(begin + 1, len(flow.wire))
        mss = host.any.choice((0, 0, 100, 1400))
        headers, offload = flow.packet(begin, end, mss)
        headers = bytearray(headers)
        for _ in range(host.any.choice((0, 0, 1, 2))):
            headers[host.any.randrange(12, len(headers))] = host.any.getrandbits(8)
        more = {name: host.number() & (0xff if name == "csum_offset" else 0xffff)
                for name in host.any.sample(("hdr_len", "csum_start", "csum_offset"),
                                            host.any.choice((0, 0, 0, 1)))}
        desc = {name: host.number() & 0xffff for name in host.any.sample(
            ("before", "after"), host.any.choice((0, 0, 0, 1, 2)))}
        if host.any.random() < 0.2:
            desc["rec_no"] = host.any.choice((bytes(8), bytes(7) + b"\1", b"\xff" * 8))
        before = nic.stats()["TX_FRAMES"]
        cpl = flow.replay(begin, end, mss, host.any.randrange(1, 58), desc,
                          headers=bytes(headers), **more)
        left += cpl["status"] == ABI.ST_OK
        for _ in range(nic.stats()["TX_FRAMES"] - before):
            sent = nic.wire.receive()
            assert SECRET[:12] not in sent, f"plaintext left: {sent.hex()}"
            assert offload["hdr_len"] > len(sent) - 20 or \
                sent[offload["hdr_len"]:offload["hdr_len"] + 20] in flow.wire
        nic.command("TLS_DEL", pack("tls_ref", ctx=flow.ctx))
    assert 20 < left < 280, f"{left} of 300 left: the test tests little"


def shuffled(host, flow):
    """Packets of a stream with losses, repetitions, overlaps and wrong order: [(begin,
    end)]."""
    at, packets = 0, []
    while at < len(flow.wire):
        end = min(at + host.any.choice((1, 7, 100, 500, 1300)), len(flow.wire))
        what = host.any.random()
        if what > 0.04:
            packets.append((at, end))
        if what > 0.97:
            packets.append((max(0, at - 50), end))
        at = end
    for n in range(0, len(packets) - 1, 23):
        packets[n], packets[n + 1] = packets[n + 1], packets[n]
    return packets


@case()
def received_streams_from_a_seed(nic):
    """Segments are lost, repeated, overlapping or late, and the host answers resync
    requests or not: packets reported as decrypted hold plaintext, all others hold the bytes
    that were sent."""
    nic.boot().up()
    rx, host = RxQueue(nic), Host(nic, SEED + 3)
    for n, suite in enumerate(SUITES):
        flow = tlsrx.Flow(nic, rx, 4 + n % 2 * 2, suite, seq=(1 << 32) - 9000,
                          ports=(443, 2000 + n))
        for size in range(60):
            flow.record(host.any.choice((0, 1, size, 300, 3000)))
        decrypted = 0
        for begin, end in shuffled(host, flow):
            frame = flow.frame(begin, end)
            nic.wire.send(frame)
            got, cpl = rx.receive()
            rx.fill()
            assert cpl["flags"] & ABI.RXC_TLS
            at = len(frame) - (end - begin)
            if cpl["flags"] & ABI.RXC_TLS_DECRYPTED:
                decrypted += 1
                frame = frame[:at] + flow.clear[begin:end]
            assert got == frame, f"bytes {begin} to {end}, flags {cpl['flags']:#x}"
            if cpl["flags"] & ABI.RXC_TLS_ASK:
                asked = nic.event("TLS_RESYNC")["arg"] - flow.seq & 0xffffffff
                if asked in flow.starts and host.any.random() < 0.8:
                    flow.resync(flow.starts.index(asked))
        assert decrypted > 20, f"{decrypted}: the test tests little"
    assert nic.stats()["TLS_RX_AUTH_ERRORS"] == 0


@case()
def rings_that_overlap(nic):
    """All rings and buffers lie in one page: the device works after a reset."""
    nic.boot().up("PROMISC")
    page = nic.m.alloc(4096)
    for kind in (TxQueue, RxQueue):
        queue = kind(nic, ring=page, cq=page)
        for at in range(0, 4096, 16):
            nic.m.write(page + at, struct.pack("<QIHH", page, 2048, 0, 3))
        for tail in (63, 10, 0, 63):
            nic.write(queue.tail_reg, tail)
            nic.write(queue.cq_reg, tail)
            nic.wire.send(PLAIN)
        nic.m.step(0.01)
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    as_new(nic)


@case()
def command_rings_that_overlap(nic):
    nic.boot()
    ring = Ring(nic.m, 8)
    for reg in (ABI.REG_CMDQ_ADDR_LO, ABI.REG_CPLQ_ADDR_LO, ABI.REG_EVTQ_ADDR_LO):
        nic.write(reg, ring.addr)
    nic.write(ABI.REG_CMDQ_LOG2, 5)
    nic.write(ABI.REG_EVTQ_LOG2, 8)
    for tail in (31, 5, 4, 31):
        nic.write(ABI.REG_CMDQ_TAIL, tail)
        nic.m.step(0.01)
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    as_new(nic)


@case()
def image_is_the_registers(nic):
    """The firmware image and the command and event queues point at the device's own
    registers: the image is refused, and the device works after a reset."""
    for base in nic.pci.bars:
        nic.write(ABI.REG_FW_ADDR_LO, base)
        nic.write(ABI.REG_FW_LEN, 4096)
        nic.write(ABI.REG_CTRL, ABI.CTRL_FW_LOAD)
        assert nic.read(ABI.REG_STATUS) & ABI.STATUS_FW_STATE == ABI.FW_REFUSED
        nic.boot()
        for reg in (ABI.REG_CMDQ_ADDR_LO, ABI.REG_CPLQ_ADDR_LO, ABI.REG_EVTQ_ADDR_LO):
            nic.write(reg, base)
        nic.write(ABI.REG_CMDQ_LOG2, 4)
        nic.write(ABI.REG_EVTQ_LOG2, 4)
        nic.write(ABI.REG_CMDQ_TAIL, 3)
        nic.m.step(0.01)
        nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
        as_new(nic)
        nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
