#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Hot plug and unplug behind a root port, also in the middle of work."""

import sys

from gro_test import ALL, Stream, send_patiently
from nic import ABI, Nic, RxQueue, TxQueue, Wire, case, main
from packets import ethernet, payload, tcp_frame
from qtest import Function, Machine
from tls_test import Flow, key_in_memory, wipe_commands

PORT = 5                # of the root port on bus 0
WINDOW = 0xd8000000
SLOT_CONTROL = 0x18
POWER_OFF, INDICATOR_OFF, INDICATOR_ON = 1 << 10, 3 << 8, 1 << 8
PLAIN = ethernet(0x88b5, payload(200))


class Slot(Nic):
    """A NIC that can be plugged and unplugged."""

    def open(self, tempdir):
        self.wire = Wire(tempdir, "n0")
        self.m = Machine("-netdev", self.wire.netdev, "-device",
                         f"pcie-root-port,id=rp,chassis=1,addr={PORT:02x}.0")
        self.m.config_write(0, PORT, 0x18, 0x00010100)
        self.m.config_write(0, PORT, 0x20, WINDOW >> 16 | WINDOW + 0x100000 & 0xfff00000)
        self.m.config_write(0, PORT, 4, 6, 2)
        self.express = self.find_express()
        self.plug()
        return self

    def find_express(self):
        at = self.m.config_read(0, PORT, 0x34) & 0xff
        while self.m.config_read(0, PORT, at) & 0xff != 0x10:
            at = self.m.config_read(0, PORT, at + 1) & 0xff
        return at

    def slot_control(self, value):
        self.m.config_write(0, PORT, self.express + SLOT_CONTROL, value, 2)

    def plug(self):
        props = {k.replace("_", "-"): v for k, v in self.props.items()}
        self.m.qmp("device_add", driver="vktls", id="nic", bus="rp", netdev="n0",
                   **props)
        self.slot_control(INDICATOR_ON)
        self.m.next_mmio = WINDOW
        self.attach(Function(self.m, 0, bus=1))

    def unplug(self):
        """Unplug the NIC, as an operating system does after its button was pressed."""
        self.m.qmp("device_del", id="nic")
        self.slot_control(POWER_OFF | INDICATOR_OFF)
        self.m.wait_event("DEVICE_DELETED")
        self.m.events.clear()

    def gone(self):
        assert self.read(ABI.REG_MAGIC) != ABI.MAGIC, "registers are still there"


def slot_case(function):
    return case(kind=Slot)(function)


@slot_case
def plug_and_use(nic):
    nic.boot().up()
    TxQueue(nic).send_ok(PLAIN)
    assert nic.wire.receive() == PLAIN


@slot_case
def unplug_idle(nic):
    nic.unplug()
    nic.gone()


@slot_case
def unplug_in_use_and_plug_again(nic):
    for _ in range(3):
        nic.boot().up()
        rx, tx = RxQueue(nic), TxQueue(nic)
        tx.send_ok(PLAIN)
        nic.wire.receive()
        nic.wire.send(PLAIN[6:12] + PLAIN[:6] + PLAIN[12:])
        rx.receive()
        nic.unplug()
        nic.gone()
        nic.plug()
    assert nic.fw_state() == ABI.FW_NONE


@slot_case
def unplug_with_frames_that_wait(nic):
    for way in ("unplug", "reset"):
        nic.boot().up(*ALL)
        rx = RxQueue(nic)
        for frame in Stream().frames(3):
            send_patiently(nic.wire, frame)
        assert rx.cq.take() is None, "they did not wait"
        if way == "reset":
            nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
            nic.m.step(0.02)
        nic.unplug()
        nic.m.step(0.02)
        assert rx.cq.take() is None, "a completion after the end"
        nic.gone()
        nic.plug()


@slot_case
def unplug_while_the_wire_is_held(nic):
    """The NIC is unplugged while a packet is half sent, a frame waits outside, and
    moderation timers run."""
    nic.boot().up()
    tx = TxQueue(nic)
    RxQueue(nic, bufs=1)
    nic.wire.taking.clear()
    nic.write(tx.mod_reg, 10000)
    tx.give_back(arm=True)
    frame, _, hdr_len = tcp_frame(4, payload(60000))
    for _ in range(3):
        tx.data(PLAIN)
        tx.offload(ABI.TXO_TSO, mss=100, hdr_len=hdr_len)
        tx.data(frame)
    tx.ring_doorbell()
    for _ in range(5):
        nic.wire.send(PLAIN[6:12] + PLAIN[:6] + PLAIN[12:])
    nic.m.step(0.001)
    nic.unplug()
    nic.wire.taking.set()
    nic.m.step(0.1)
    nic.gone()
    nic.plug()
    nic.boot().up()
    TxQueue(nic).send_ok(PLAIN)


@slot_case
def keys_are_gone_after_unplug(nic):
    key = bytes.fromhex("8f1c22d95be0473aa6d17e0c94b35f68")
    nic.boot().up()
    tx = TxQueue(nic)
    nic.m.write = nic.m.write_words
    flow = Flow(nic, key=key)
    flow.send(tx, flow.record(b"something"))
    wipe_commands(nic)
    assert key_in_memory(nic, key), "the search finds nothing at all"
    nic.unplug()
    area = key_in_memory(nic, key)
    assert not area, f"key is left: {area}"


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
