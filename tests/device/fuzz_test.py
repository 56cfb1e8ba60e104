#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A guest that does anything, from a seed: two NICs on one hub, one of them behind a root
port; registers, rings, commands, firmware, configuration space, interrupt messages to every
kind of address, frames, faults, links, the slot's power. QEMU lives, and each NIC works
like a new one after a reset.

fuzz_test.py                                         the short form, as KTAP
fuzz_test.py --seconds N [--seed N] [--inputs N] [--flip]
                                                     one machine after another
fuzz_test.py --seed N --inputs N --once [--flip]     a machine that failed, again

With --flip a second process changes the guest's memory at the same time. Its pace depends
on the host, so a failure that it finds may not happen again. With
QEMU=build/qemu-system-x86_64-asan (make qemu SANITIZE=1) QEMU checks itself, and the
coverage is shown at the end.
"""

import argparse
import glob
import itertools
import mmap
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

from nic import ABI, FIRMWARE, NUMBERS, QUIET, Nic, RxQueue, TxQueue, Wire
from nic import main, pack
from packets import ethernet, payload, tcp_frame
from plug_test import INDICATOR_ON, PORT, WINDOW
from receive_test import set_rss
from qtest import QEMU, RAM_END, RAM_START, Function, Machine, QmpError
from reentry_test import ECAM, config_place, open_ecam
from tls_test import SECRET, Flow
import replay_test as replay
import tlsrx_test as tlsrx

MEMORY = 64 << 20
PLAIN = ethernet(0x88b5, payload(200))
FAULTS = [f"fault-{side}-{kind}-nth" for side in ("tx", "rx")
          for kind in ("drop", "delay", "corrupt", "reorder", "duplicate")]
ACTS = ["fault-ctx-forget", "fault-ctx-forget-all", "fault-fw-hang", "fault-fw-crash",
        "fault-irq-spurious"]


class Far:
    """A NIC of the machine, with the guest's state for it."""

    def __init__(self, world, name, bus, dev):
        self.world, self.m, self.name, self.bus, self.dev = world, world.m, name, bus, dev
        self.nic = None
        self.rings = []

    def present(self):
        return self.m.config_read(self.bus, self.dev, 0) & 0xffff == 0x1af4

    def find(self):
        """Set the function up, with firmware and queues."""
        if self.bus:
            self.m.next_mmio = WINDOW
        nic = Nic()
        nic.m, nic.wire = self.m, self.world.wire
        pci = Function(self.m, self.dev, self.bus)
        pci.set_config(pci.capability(1) + 4, 0, 2)
        nic.attach(pci)
        nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
        nic.boot().up("PROMISC", "RX_CSUM", "RX_GRO", "VLAN_STRIP", "RSS", mtu=9000)
        self.nic, self.msix = nic, pci.capability(0x11)
        self.express = pci.capability(0x10)
        queues = [kind(nic, n) for n in range(2) for kind in (TxQueue, RxQueue)]
        self.tx = queues[0]
        self.rings = [q.ring for q in queues] + [nic.cmdq, nic.cplq, nic.evtq]
        return nic

    def check_as_new(self):
        """Reset the NIC; it sends like a new one."""
        self.nic.pci.set_config(self.express + 8, 1 << 15, 2)
        nic = self.find()
        self.m.qmp("set_link", name=self.name, up=True)
        while nic.wire.receive(QUIET):
            pass
        self.tx.send_ok(PLAIN)
        assert nic.wire.receive() == PLAIN
        assert nic.stats()["TLS_CTX_LIVE"] == 0


class World:
    """The machine with its NICs, and the inputs that it gets."""

    def __init__(self, seed, tempdir, flip):
        self.any = random.Random(seed)
        self.memory = os.path.join(tempdir, "memory")
        self.wire, self.m, self.flipper = Wire(tempdir, "w"), None, None
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        if flip:
            self.flipper = self.start_flipper(seed)

    def open(self):
        ports = [arg for port in ("n2,netdev=w", "n0", "n1") for arg in
                 ("-netdev", f"hubport,hubid=0,id={port}")]
        self.m = Machine(
            "-object", f"memory-backend-file,id=mem,size=64M,mem-path={self.memory},share=on",
            "-machine", "memory-backend=mem", "-netdev", self.wire.netdev, *ports,
            "-device", f"pcie-root-port,id=rp,chassis=1,addr={PORT:02x}.0",
            "-device", "vktls,id=nic0,bus=rp,netdev=n0,queues=2",
            "-device", "vktls,id=nic1,addr=06.0,netdev=n1,queues=2")
        self.express = self.port_express()
        self.open_port()
        open_ecam(self.m)
        self.nics = [Far(self, "nic0", 1, 0), Far(self, "nic1", 0, 6)]
        for far in self.nics:
            far.find()
        self.streams()
        self.ways = [(weight, way) for weight, way in (
            (10, self.register), (8, self.ring), (8, self.doorbell), (8, self.command),
            (4, self.frame), (4, self.packet), (4, self.again), (3, self.message),
            (2, self.config),
            (2, self.pass_time), (1, self.fault), (1, self.link), (1, self.firmware),
            (1, self.slot), (1, self.repair))]

    def port_express(self):
        at = self.m.config_read(0, PORT, 0x34) & 0xff
        while self.m.config_read(0, PORT, at) & 0xff != 0x10:
            at = self.m.config_read(0, PORT, at + 1) & 0xff
        return at

    def open_port(self):
        self.m.config_write(0, PORT, 0x18, 0x00010100)
        self.m.config_write(0, PORT, 0x20, WINDOW >> 16 | WINDOW + 0x100000 & 0xfff00000)
        self.m.config_write(0, PORT, 4, 6, 2)
        self.m.config_write(0, PORT, self.express + 0x18, INDICATOR_ON, 2)

    def streams(self):
        """Make a sending and a receiving flow on each NIC."""
        self.flows, self.peers, self.sent = [[None] * len(self.nics) for _ in "123"]
        for at in range(len(self.nics)):
            self.stream(at)
        for at in range(RAM_END - 0x200000, RAM_END - 0x2000, 0x4000):
            self.m.write(at, self.any.choice((PLAIN, tcp_frame(4, SECRET * 30)[0],
                                              tcp_frame(6, SECRET * 30)[0])))

    def stream(self, at):
        """The sending and receiving flows of one NIC, and a flow that has sent everything,
        to be replayed."""
        far = self.nics[at]
        set_rss(far.nic, 0x3f)
        self.flows[at] = Flow(far.nic)
        self.peers[at] = tlsrx.Flow(far.nic, None, sizes=[1000] * 10)
        flow = self.sent[at] = replay.Flow(far.nic, far.tx, version=self.any.choice((4, 6)))
        for size in (300, 1, 900, 2000):
            flow.record(size)
        self.give(far, flow, 0, len(flow.wire), 1400)

    def give(self, far, flow, begin, end, mss, desc=None):
        """Give a NIC a packet with bytes BEGIN to END of a flow; with DESC, as a replay."""
        before, after = (desc["before"], desc["after"]) if desc else (0, 0)
        headers, offload = flow.packet(begin, end, mss)
        data = headers + flow.host[max(begin - before, 0):end + after]
        addr = RAM_END - 0x500000 + self.any.randrange(0, 0x80000, 64)
        self.m.write(addr, data)
        far.tx.offload(offload.pop("flags") | (ABI.TXO_REPLAY if desc else 0), **offload)
        if desc:
            far.tx.ring.put(pack("tx_replay", flags=ABI.TXD_REPLAY, **desc))
        far.tx.descriptor(addr=addr, len=len(data), flags=ABI.TXD_EOP | ABI.TXD_CPL)
        far.tx.ring_doorbell()

    def start_flipper(self, seed):
        """Start a process that changes memory which the NICs may use."""
        child = os.fork()
        if child:
            return child
        rng, end = random.Random(seed), self.m.next_ram
        with open(self.memory, "r+b") as file:
            memory = mmap.mmap(file.fileno(), MEMORY)
        while os.getppid() != 1:
            for _ in range(64):
                at = rng.choice((rng.randrange(RAM_START, end),
                                 rng.randrange(RAM_END - 0x200000, RAM_END)))
                memory[at] = rng.choice((0, 1, 3, 0xff, rng.randrange(256)))
            time.sleep(0.0002)
        os._exit(0)

    def close(self):
        if self.flipper:
            os.kill(self.flipper, signal.SIGKILL)
            os.waitpid(self.flipper, 0)
        try:
            if self.m:
                self.m.close()
        finally:
            self.wire.close()

    # Values

    def number(self):
        return self.any.choice((0, 1, 2, 3, 15, 63, 64, 65, 255, 256, 4095, 0x7fff, 0xffff,
                                0x10000, 0x80000001, 0xffffffff, self.any.getrandbits(32)))

    def place(self):
        """An address for DMA: memory in use, the end of memory, or registers."""
        bar = self.any.choice(self.nics).nic.pci.bars
        if self.any.random() < 0.8:
            return self.any.randrange(RAM_START, RAM_END, 8)
        return self.any.choice((RAM_END, RAM_END - 8, bar[0], bar[1], 0, 0xfee00000, ECAM,
                                (1 << 64) - 64, 1 << 40)) + self.any.choice((0, 4, 56))

    def target(self):
        return self.any.choice(self.nics)

    # Inputs

    def register(self):
        far = self.target()
        known = [value for name, value in NUMBERS.items() if name.startswith("VKTLS_REG_")
                 and isinstance(value, int)]
        at = far.nic.pci.bars[0] + self.any.choice((
            self.any.choice(known), self.any.randrange(0x1000, 0x1080, 4),
            self.any.randrange(0, 0x2000)))
        size = self.any.choice(("l", "l", "l", "l", "b", "w", "q"))
        if at - far.nic.pci.bars[0] == ABI.REG_CTRL and self.any.random() < 0.9:
            return
        if self.any.random() < 0.3:
            self.m.do("read" + size, at)
        else:
            self.m.do("write" + size, at, self.number())

    def ring(self):
        ring = self.any.choice(self.target().rings)
        entry = self.any.choice((self.tx_entry, self.offload_entry, self.rx_entry,
                                 lambda: self.any.randbytes(16)))()
        self.m.write(ring.addr + self.any.randrange(ring.count) * ring.size, entry)

    def tx_entry(self):
        return struct.pack("<QIHH", self.place(), self.any.choice(
            (1, 14, 60, 200, 1500, 9000, 65792, self.number())), 0,
            self.any.choice((0, 1, 3, 3, 3)))

    def rx_entry(self):
        return struct.pack("<QIHH", self.place(), self.any.choice((256, 2048, 9216)), 0, 0)

    def offload_entry(self):
        flags = ABI.TXD_OFFLOAD
        for bit in (ABI.TXO_TLS, ABI.TXO_TSO, ABI.TXO_CSUM, ABI.TXO_VLAN, ABI.TXO_REPLAY):
            flags |= bit * self.any.getrandbits(1)
        return struct.pack("<IHHHHBBH", self.any.choice((0, 1, self.number())),
                           self.any.choice((0, 1, 100, 1400)), 5,
                           self.any.choice((34, self.number() & 0xffff)),
                           self.any.choice((54, 74, self.number() & 0xffff)),
                           self.any.choice((16, self.number() & 0xff)),
                           self.any.choice((0, 0, 34, 64, self.number() & 0xff)), flags)

    def doorbell(self):
        reg = 0x1000 + self.any.choice((0, 0x40)) + self.any.choice((0, 4, 8, 12, 16, 20))
        value = self.any.randrange(64) | self.any.choice((0, ABI.CQ_ARM))
        self.target().nic.write(reg, value)

    def steering(self):
        """A flow filter or an RSS context, right or nearly right: (opcode, payload)."""
        if self.any.random() < 0.3:
            return self.any.choice((ABI.CMD_RSS_CTX_DEL, ABI.CMD_FLOW_DEL)), \
                struct.pack("<I", self.any.choice((0, 1, 63, 255, 256)))
        if self.any.random() < 0.3:
            at = RAM_END - 0x300000
            self.m.write(at, pack("rss_ctx", key=self.any.randbytes(40),
                                  fields=self.any.choice((b"\3\x0f\3\x0f\x0f\x0f",
                                                          self.any.randbytes(6))),
                                  input=self.any.randrange(4),
                                  table=bytes(self.any.choices(range(3), k=128))))
            return ABI.CMD_RSS_CTX_SET, pack("buf", addr=at, len=176,
                                             arg=self.any.choice((0, 1, 63, 64)))
        return ABI.CMD_FLOW_SET, pack(
            "flow_filter", place=self.any.choice((0, 1, 255, 256)), proto=self.any.choice((0, 6)),
            action=self.any.randrange(4), rss_ctx=self.any.choice((0, 0, 1, 63)),
            queue=self.any.randrange(3), ip_version=self.any.choice((4, 6, 5)))

    def keys(self):
        """A key of a flow that sends, or the end of one, correct or nearly so."""
        flow = self.any.choice(self.sent + self.flows)
        number = self.any.choice((0, 1, 1, 2, 3))
        seq = flow.seq + self.any.choice((0, 0, 1, len(flow.wire))) & 0xffffffff
        return self.any.choice((
            (ABI.CMD_TLS_NEXT_TX, pack(
                "tls_next", ctx=flow.ctx, key_no=number, iv=self.any.randbytes(12),
                key=self.any.randbytes(16)) + seq.to_bytes(4, "little")),
            (ABI.CMD_TLS_KEY_DONE, pack("tls_key_ref", ctx=flow.ctx, key_no=number)),
            (ABI.CMD_TLS_RESYNC_KEY, pack(
                "tls_resync", ctx=flow.ctx, tcp_seq=seq,
                rec_no=bytes([0] * 7 + [number])) + number.to_bytes(8, "little"))))

    def command(self):
        nic = self.target().nic
        opcode = self.any.randrange(ABI.CMD_NUM + 1)
        length = self.any.choice((0, 4, 8, 16, 24, 60, 100, 120))
        body = self.any.choice((self.any.randbytes(length), bytes(length),
                                struct.pack("<QQ", self.place(), self.any.randrange(4096))))
        what = self.any.random()
        if what < 0.2:
            opcode, body = self.steering()
        elif what < 0.4:
            opcode, body = self.keys()
        self.m.write(nic.cmdq.addr + self.any.randrange(16) * 128, pack(
            "cmd", opcode=opcode, len=len(body), payload=body))
        nic.write(ABI.REG_CMDQ_TAIL, self.any.randrange(16))

    def frame(self):
        peer = self.any.choice(self.peers)
        begin = self.any.randrange(len(peer.wire) - 1400)
        self.wire.send(self.any.choice((
            PLAIN, self.any.randbytes(self.any.choice((1, 14, 60, 1500, 9000))),
            tcp_frame(6, payload(900))[0],
            peer.frame(begin, begin + self.any.randrange(1, 1400)))))

    def packet(self):
        """A packet of the sending flow, right or nearly right."""
        far = self.target()
        flow = self.flows[self.nics.index(far)]
        frame, offload = flow.packet(flow.record(SECRET * self.any.randrange(1, 60)),
                                     self.any.choice((0, 100, 1400)))
        if self.any.random() < 0.2:
            offload[self.any.choice(("mss", "hdr_len", "csum_start"))] = \
                self.number() & 0xffff
        addr = RAM_END - 0x400000 + self.any.randrange(0, 0x100000, 64)
        self.m.write(addr, frame)
        flags = offload.pop("flags")
        far.tx.offload(flags, **offload)
        far.tx.descriptor(addr=addr, len=len(frame), flags=ABI.TXD_EOP | ABI.TXD_CPL)
        far.tx.ring_doorbell()

    def again(self):
        """A replay of records that the NIC has encrypted, right or nearly right."""
        far = self.target()
        flow = self.sent[self.nics.index(far)]
        begin = self.any.randrange(len(flow.wire))
        end = min(begin + self.any.choice((1, 5, 100, 2000)), len(flow.wire))
        first, before, after = flow.around(begin, end)
        desc = dict(rec_no=flow.numbers[first].to_bytes(8, "big"), before=before, after=after)
        if self.any.random() < 0.3:
            desc[self.any.choice(("before", "after"))] = self.any.randrange(4000)
        self.give(far, flow, begin, end, self.any.choice((0, 50, 1400)), desc)

    def message(self):
        """Give a vector's message a target: memory, registers, tables, configuration space
        of either NIC, the slot's power, the interrupt controller, or nothing."""
        far, other = self.target(), self.target()
        bar = other.nic.pci.bars
        addr, data = self.any.choice((
            (self.place() & ~3, self.number()),
            (bar[0] + ABI.REG_CTRL, ABI.CTRL_RESET),
            (bar[0] + 0x1000, self.any.randrange(64)),
            (bar[1] + self.any.randrange(0, 48, 4), self.number()),
            (config_place(other.bus, other.dev, other.express + 8), 1 << 15),
            (config_place(other.bus, other.dev, 0x44), self.any.choice((0, 3))),
            (config_place(other.bus, other.dev, 4), self.any.choice((0, 2, 4, 6))),
            (config_place(0, PORT, self.express + 0x18), 0x700),
            (config_place(0, PORT, 0x3c), 0x400000),
            (0xfee00000, 0x40), (1 << 40, 1)))
        table = far.nic.pci.bars[1] + self.any.randrange(3) * 16
        for at, word in enumerate((addr & 0xffffffff, addr >> 32 & 0xffffffff, data, 0)):
            self.m.write32(table + at * 4, word)

    def config(self):
        far = self.target()
        offset, value, size = self.any.choice((
            (4, self.any.choice((0, 2, 6, 6, 6)), 2), (0x44, self.any.choice((0, 3)), 2),
            (far.express + 8, 1 << 15, 2), (0x10, self.number(), 4), (0x14, self.number(), 4),
            (far.msix, self.number(), 4),
            (self.any.randrange(0x40, 0x100), self.number() & 0xff, 1),
            (self.any.randrange(0x100, 0x1000, 4), self.number(), 4)))
        if offset >= 0x100:
            self.m.write32(config_place(far.bus, far.dev, offset), value)
        else:
            self.m.config_write(far.bus, far.dev, offset, value, size)

    def pass_time(self):
        self.m.step(self.any.choice((0.00001, 0.001, 0.02, 0.5)))

    def qmp(self, command, **arguments):
        try:
            self.m.qmp(command, **arguments)
        except QmpError:
            pass

    def fault(self):
        name = self.any.choice(FAULTS + ACTS)
        self.qmp("qom-set", path=f"/machine/peripheral/{self.target().name}",
                 property=name, value=self.any.randrange(1, 4))

    def link(self):
        self.qmp("set_link", name=self.target().name, up=self.any.random() < 0.7)

    def firmware(self):
        """Load another image: right, spoilt, or any program."""
        nic = self.target().nic
        with open(FIRMWARE, "rb") as file:
            image = bytearray(file.read())
        if self.any.random() < 0.5:
            image[self.any.randrange(len(image))] ^= 1 << self.any.randrange(8)
        addr = RAM_END - 0x300000
        self.m.write(addr, bytes(image))
        if self.any.random() < 0.3:
            self.update(nic, addr, len(image))
            return
        nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
        nic.write(ABI.REG_FW_ADDR_LO, addr)
        nic.write(ABI.REG_FW_LEN, len(image))
        nic.write(ABI.REG_CTRL, ABI.CTRL_FW_LOAD)

    def update(self, nic, addr, length):
        """Write an image into the store, now and then not to its end, and start it."""
        nic.write(ABI.REG_STORE_OP, ABI.STORE_ERASE)
        nic.write(ABI.REG_FW_ADDR_HI, 0)
        for at in range(0, length, ABI.STORE_PIECE):
            nic.write(ABI.REG_FW_ADDR_LO, addr + at)
            nic.write(ABI.REG_FW_LEN, min(length - at, ABI.STORE_PIECE))
            nic.write(ABI.REG_STORE_OP, ABI.STORE_WRITE)
            if self.any.random() < 0.05:
                nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
        nic.write(ABI.REG_STORE_OP, ABI.STORE_COMMIT)
        nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
        nic.write(ABI.REG_CTRL, ABI.CTRL_FW_BOOT)

    def slot(self):
        """Switch the slot's power off, as an operating system does, or on."""
        if self.nics[0].present():
            self.qmp("device_del", id="nic0")
            if self.any.random() < 0.5:
                self.m.config_write(0, PORT, self.express + 0x18, 0x700, 2)
        else:
            self.plug()

    def plug(self):
        self.qmp("device_add", driver="vktls", id="nic0", bus="rp", netdev="n0", queues=2)
        self.open_port()

    def repair(self):
        """Let a NIC work again; without this, most inputs would find a dead NIC."""
        try:
            self.find(self.target())
        except (AssertionError, TypeError) as why:
            if "QEMU" in str(why):
                raise

    def find(self, far):
        if self.m.next_ram > RAM_END - 0x800000:
            self.m.next_ram = RAM_START
        if not far.present():
            self.plug()
        far.find()
        self.stream(self.nics.index(far))

    def run(self, inputs):
        weights, ways = zip(*self.ways)
        for _ in range(inputs):
            self.any.choices(ways, weights)[0]()

    def check(self):
        """After a reset each NIC works like a new one, if it was unplugged after a plug."""
        if self.flipper:
            os.kill(self.flipper, signal.SIGSTOP)
        self.m.next_ram = RAM_START
        for far in self.nics:
            for name in FAULTS:
                self.qmp("qom-set", path=f"/machine/peripheral/{far.name}",
                         property=name, value=0)
            self.m.config_write(0, PORT, 0x3c, 0)
            if not far.present():
                self.plug()
                self.m.step(0.1)
            if not far.present():   # its unplug was under way, and is complete now
                self.plug()
            far.find()
        for far in self.nics:
            far.check_as_new()


def machine(seed, inputs, flip):
    """Run one machine with this many inputs."""
    with tempfile.TemporaryDirectory(prefix="vktls-") as tempdir:
        world = World(seed, tempdir, flip)
        try:
            world.run(inputs)
            world.check()
        finally:
            world.close()


def short(seed, inputs, flip):
    def run():
        machine(seed, inputs, flip)
    run.case_of = __name__
    return run


for each in range(1, 4):
    globals()[f"anything_from_seed_{each}"] = short(each, 700, False)
anything_while_memory_changes = short(4, 700, True)
for name_of, case_of in list(globals().items()):
    if getattr(case_of, "case_of", None):
        case_of.__name__ = name_of
del name_of, case_of, each


def coverage(profiles):
    """If QEMU was built for it, the code regions that were reached, by file."""
    raw = glob.glob(os.path.join(profiles, "*.profraw"))
    if not raw:
        return
    merged = os.path.join(profiles, "merged")
    subprocess.run(["llvm-profdata", "merge", "-o", merged, *raw], check=True)
    report = subprocess.run(["llvm-cov", "report", QEMU, f"-instr-profile={merged}"],
                            check=True, capture_output=True, text=True).stdout
    print("regions reached, of each file:")
    for row in map(str.split, report.splitlines()):
        name = re.search(r"(?:hw/net/vktls|qemu-device)/(.*\.c)$", row[0] if row else "")
        if name:
            print(f"  {name[1]:28} {row[1]:>5} {row[3]:>8}")


def long(args):
    began, done = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="vktls-") as profiles:
        os.environ["LLVM_PROFILE_FILE"] = f"{profiles}/%p.profraw"
        for seed in itertools.count(args.seed):
            try:
                machine(seed, args.inputs, args.flip)
            except BaseException:
                print(f"to repeat: fuzz_test.py --once --seed {seed} --inputs {args.inputs}"
                      + " --flip" * args.flip, flush=True)
                raise
            done += args.inputs
            if args.once or time.monotonic() - began > args.seconds:
                break
        spent = time.monotonic() - began
        print(f"{done} inputs on {seed - args.seed + 1} machines in {spent:.0f} s: "
              f"{done / spent:.0f} inputs/s")
        coverage(profiles)


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--flip", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(main(sys.modules[__name__]))
    long(parse())
