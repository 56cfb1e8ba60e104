#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Interrupt messages that reset or unplug the function that sends them, or a function that
is sending a frame at that moment, and a function that sleeps (D3hot): QEMU lives, nothing
from before a reset continues, and the device works like a new one."""

import struct
import sys

from nic import ABI, QUIET, Nic, RxQueue, TxQueue, Wire, case, main, pack
from packets import ethernet, payload, tcp_frame
from plug_test import INDICATOR_OFF, PORT, POWER_OFF, SLOT_CONTROL, Slot
from qtest import Function, Machine

ECAM = 0xb0000000
PLAIN = ethernet(0x88b5, payload(200))
COMING = PLAIN[6:12] + PLAIN[:6] + PLAIN[12:]
FLR = 1 << 15


def open_ecam(m):
    """Map the configuration space as memory, where a message can reach it."""
    m.config_write(0, 0, 0x60, ECAM | 1)


def config_place(bus, dev, offset):
    return ECAM | bus << 20 | dev << 15 | offset


def aim(nic, vector, addr, data):
    """Give a vector's message this target: 4 bytes, at an aligned address."""
    entry = struct.pack("<QII", addr, data, 0)
    for i in range(4):
        nic.m.write32(nic.pci.bars[1] + vector * 16 + i * 4,
                      int.from_bytes(entry[i * 4:i * 4 + 4], "little"))


def aim_at_reset(nic, vector, target=None):
    """Aim a vector's message at the function-level reset of TARGET, by default of the NIC
    itself."""
    target = target or nic
    pci = target.pci
    open_ecam(nic.m)
    express = pci.capability(0x10)
    control = pci.config(express + 8) & 0xffff
    aim(nic, vector, config_place(pci.bus, pci.dev, express + 8), control | FLR)


def aim_at_power(nic, vector):
    """Aim a vector's message at the power of the NIC's slot."""
    open_ecam(nic.m)
    nic.m.qmp("device_del", id="nic")
    aim(nic, vector, config_place(0, PORT, nic.express + SLOT_CONTROL),
        POWER_OFF | INDICATOR_OFF)


def by_command(nic):
    """Raise vector 0 by a command, which firmware answers."""
    nic.write(ABI.REG_CMDQ_TAIL, nic.cmdq.put(pack("cmd", opcode=ABI.CMD_NOP)))


def by_crash(nic):
    """Raise vector 0 by a crash of firmware."""
    nic.m.qmp("qom-set", path="/machine/peripheral/nic", property="fault-fw-crash",
              value=1)


def by_test(nic):
    """Raise vector 0 by a register of the test block."""
    nic.write(ABI.REG_TEST_OP, ABI.TEST_IRQ)


def by_frame(nic):
    """Raise vector 1 by a received frame."""
    nic.rx.give_back(arm=True)
    nic.wire.send(COMING)


def by_arming(nic):
    """Raise vector 1 by the register that arms it, when a completion is there."""
    nic.wire.send(COMING)
    nic.m.wait(lambda: nic.rx.cq.take() is not None, "completion")
    nic.write(nic.rx.cq_reg, ABI.CQ_ARM)


def by_moderation(nic):
    """Raise vector 1 by the moderation timer."""
    nic.write(nic.rx.mod_reg, 100)
    by_frame(nic)


def by_packet(nic):
    """Raise vector 1 by the first of several packets that are sent."""
    nic.tx.give_back(arm=True)
    frame, _, hdr_len = tcp_frame(4, payload(60000))
    for _ in range(3):
        nic.tx.data(PLAIN)
        nic.tx.offload(ABI.TXO_TSO, mss=100, hdr_len=hdr_len)
        nic.tx.data(frame)
    nic.tx.ring_doorbell()


WAYS = ((by_command, 0), (by_crash, 0), (by_test, 0), (by_frame, 1), (by_arming, 1),
        (by_moderation, 1), (by_packet, 1))


def used(nic, *flags):
    """Set up the NIC with both queues of pair 0."""
    nic.boot().up("PROMISC", *flags)
    nic.rx, nic.tx = RxQueue(nic), TxQueue(nic)
    return nic


def as_new(nic):
    pci = nic.pci
    nic.attach(Function(nic.m, pci.dev, pci.bus))
    state = nic.read(ABI.REG_STATUS) & (ABI.STATUS_FW_STATE | ABI.STATUS_FW_CODE)
    assert state == ABI.FW_NONE, f"state {state:#x} after a reset"
    while nic.wire.receive(QUIET):
        pass
    used(nic).tx.send_ok(PLAIN)
    assert nic.wire.receive() == PLAIN


def reset_by(way, vector):
    def run(nic):
        aim_at_reset(used(nic, "RX_GRO"), vector)
        way(nic)
        nic.m.wait(lambda: not nic.pci.config(0x10) & ~15, "reset")
        nic.m.next_mmio = nic.pci.bars[0]
        as_new(nic)
    run.__name__, run.__module__ = f"reset_{way.__name__}", __name__
    return case()(run)


def unplug_by(way, vector):
    def run(nic):
        aim_at_power(used(nic), vector)
        way(nic)
        nic.m.wait_event("DEVICE_DELETED")
        nic.m.events.clear()
        nic.gone()
        nic.plug()
        used(nic).tx.send_ok(PLAIN)
    run.__name__, run.__module__ = f"unplug_{way.__name__}", __name__
    return case(kind=Slot)(run)


for each in WAYS:
    for kind_of in (reset_by, unplug_by):
        made = kind_of(*each)
        globals()[made.__name__] = made
del made


class Hub(Nic):
    """Two NICs and a wire on one hub."""

    def open(self, tempdir):
        self.wire = Wire(tempdir, "w")
        # the hub serves its ports in reverse order: the wire has to come after the other
        # NIC
        ports = [arg for port in ("n2,netdev=w", "n0", "n1") for arg in
                 ("-netdev", f"hubport,hubid=0,id={port}")]
        self.m = Machine("-netdev", self.wire.netdev, *ports,
                         "-device", self.device_line(), "-device", self.other_line())
        self.attach(Function(self.m, 4))
        self.open_other()
        return self

    @staticmethod
    def other_line():
        return "vktls,addr=05.0,netdev=n1,queues=2,mac=52:54:00:0a:0b:0d"

    def open_other(self):
        self.other = Nic()
        self.other.m, self.other.wire = self.m, self.wire
        self.other.attach(Function(self.m, 5))


class HubE1000e(Hub):
    """A hub with a NIC whose model sends interrupt messages at once."""

    @staticmethod
    def other_line():
        return "e1000e,addr=05.0,netdev=n1,romfile="

    def open_other(self):
        m, pci = self.m, object.__new__(Function)
        pci.m, pci.bus, pci.dev = m, 0, 5
        pci.bars = [pci.map_bar(0), None, None, pci.map_bar(3)]
        pci.enable()
        self.other = pci

    def other_receives(self, addr, data):
        """Set up receiving in the other NIC: one ring of buffers, and a message to ADDR for
        each frame."""
        m, regs, table = self.m, self.other.bars[0], self.other.bars[3]
        ring, buf = m.alloc(4096), m.alloc(4096)
        for n in range(256):
            m.write(ring + n * 16, struct.pack("<QQ", buf, 0))
        for n in range(5):
            for i, word in enumerate(struct.pack("<QII", addr, data, 0)[at:at + 4]
                                     for at in range(0, 16, 4)):
                m.write32(table + n * 16 + i * 4, int.from_bytes(word, "little"))
        self.other.set_config(self.other.capability(0x11) + 2, 0x8000, 2)
        for reg, value in ((0x2800, ring), (0x2804, 0), (0x2808, 4096), (0x2810, 0),
                           (0x2818, 255), (0xe4, 8), (0xd0, 1 << 20),
                           (0x100, 1 << 1 | 1 << 3 | 1 << 15)):
            m.write32(regs + reg, value)


@case(kind=Hub)
def receiver_resets_the_sender(nic):
    """The receiver of a frame resets the sender while it sends: the frame leaves unchanged,
    and nothing is completed afterwards."""
    check_reset_by_receiver(nic, lambda: other_vktls_receives(nic))


def other_vktls_receives(nic):
    other = used(nic.other)
    aim_at_reset(other, 1, nic)
    other.rx.give_back(arm=True)


@case(kind=HubE1000e)
def receiver_of_another_model_resets_the_sender(nic):
    def receive():
        open_ecam(nic.m)
        express = nic.pci.capability(0x10)
        control = nic.pci.config(express + 8) & 0xffff
        nic.other_receives(config_place(0, nic.pci.dev, express + 8), control | FLR)
    check_reset_by_receiver(nic, receive)


def check_reset_by_receiver(nic, receive):
    used(nic)
    low = bytes(range(64))
    nic.m.write(0, low)
    receive()
    frame = ethernet(0x88b5, payload(1400))
    for _ in range(3):
        nic.tx.data(frame)
    nic.tx.ring_doorbell()
    nic.m.wait(lambda: not nic.pci.config(0x10) & ~15, "reset")
    left = 0
    while sent := nic.wire.receive(QUIET):
        assert sent == frame, "bytes that nobody sent"
        left += 1
    assert left, "nothing left: the test tests nothing"
    nic.m.step(0.01)
    assert nic.m.read(0, 64) == low, "a completion of the time before the reset"
    nic.m.next_mmio = nic.pci.bars[0]
    as_new(nic)


@case()
def sleeping_device_receives_nothing(nic):
    """Frames that arrive in D3hot are lost, and nothing is written to memory."""
    rx = used(nic).rx
    rx.give_back(arm=True)
    nic.interrupted(1)
    buf = nic.m.read(rx.bufs[0], 256)
    nic.sleep(True)
    for _ in range(3):
        nic.wire.send(COMING)
    nic.m.step(0.1)
    assert rx.cq.take() is None, "a completion was written in D3hot"
    assert nic.m.read(rx.bufs[0], 256) == buf, "a frame was written in D3hot"
    assert not nic.interrupted(1)
    nic.sleep(False)
    nic.m.step(0.1)
    assert rx.cq.take() is None, "a frame of the time in D3hot came"
    nic.wire.send(COMING)
    assert rx.receive()[0] == COMING


@case()
def sleeping_device_holds_what_it_has(nic):
    """Packets, completions, interrupts and commands that wait when D3hot begins continue in
    D0."""
    used(nic)
    nic.wire.taking.clear()
    nic.write(nic.rx.mod_reg, 10000)
    nic.rx.give_back(arm=True)
    nic.wire.send(COMING)
    nic.m.wait(nic.rx.cq.take, "completion")
    frame, _, hdr_len = tcp_frame(4, payload(60000))
    nic.tx.offload(ABI.TXO_TSO, mss=100, hdr_len=hdr_len)
    nic.tx.data(frame)
    nic.tx.ring_doorbell()
    nic.interrupted(1)
    nic.sleep(True)
    nic.wire.taking.set()
    nic.m.step(0.1)
    assert nic.tx.cq.take() is None, "a completion was written in D3hot"
    assert not nic.interrupted(1), "a message was sent in D3hot"
    nic.sleep(False)
    assert nic.tx.completion()["status"] == ABI.ST_OK
    nic.m.wait(lambda: nic.interrupted(1), "the interrupt that was due")
    assert nic.fw_state() == ABI.FW_READY
    nic.command("NOP")


@case()
def sleeping_firmware_writes_nothing(nic):
    """A command that was given and a timer that runs out wait for D0."""
    nic.boot()
    before = nic.read(ABI.REG_HEARTBEAT)
    nic.m.do("outl", 0xcf8, 0)      # lets the next access follow the doorbell at once
    nic.write(ABI.REG_CMDQ_TAIL, nic.cmdq.put(pack("cmd", opcode=ABI.CMD_NOP, tag=7)))
    nic.sleep(True)
    early = nic.cplq.take()
    nic.m.step(5)
    assert early or nic.cplq.take() is None, "an answer was written in D3hot"
    nic.sleep(False)
    assert early or nic.m.wait(nic.cplq.take, "answer")
    nic.tag = 7
    nic.m.wait(lambda: nic.read(ABI.REG_HEARTBEAT) != before, "heartbeat", 0.1)


@case()
def reset_in_sleep(nic):
    """FLR ends D3hot, and everything that waited for D0 is dropped."""
    used(nic)
    nic.sleep(True)
    nic.wire.send(COMING)
    express = nic.pci.capability(0x10)
    nic.pci.set_config(express + 8, FLR, 2)
    nic.m.next_mmio = nic.pci.bars[0]
    as_new(nic)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
