#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Faults on request, one at a time: each hits its target and nothing else, is counted, and
after a reset the NIC works as before."""

import os
import re
import sys

import nicfault
from nic import ABI, NUMBERS, QUIET, Nic, Ring, RxQueue, TxQueue, abi, case, main, pack, unpack
from packets import ethernet, payload
from qtest import Machine, QmpError
from tls_test import Flow
from tlsrx_test import Flow as ReceiveFlow, start as start_receiving

PATH = "/machine/peripheral/nic"
ALL = 1000000
MAC_FRAME = 0x88b5


def fault(nic, name, value):
    """Set the property fault-NAME."""
    nic.m.qmp("qom-set", path=PATH, property="fault-" + name, value=value)


def value(nic, name):
    return nic.m.qmp("qom-get", path=PATH, property="fault-" + name)


def count(nic, kind):
    return value(nic, "count-" + kind)


def refused(nic, name, wrong, *words):
    """This value of the property is refused, with an error that has these words."""
    try:
        fault(nic, name, wrong)
    except QmpError as why:
        for word in words:
            assert word in str(why), f"{word} is not in: {why}"
        return
    raise AssertionError(f"{name}={wrong} is accepted")


def command_fault(name, *more):
    return ":".join(str(n) for n in (NUMBERS["VKTLS_CMD_" + name], *more))


def event_fault(name, *more):
    return ":".join(str(n) for n in (NUMBERS["VKTLS_EVT_" + name], *more))


def frame(number):
    return ethernet(MAC_FRAME, payload(100, number))


class Bench:
    """A NIC through which numbered frames are sent in one direction."""

    def __init__(self, nic, tx):
        self.nic, self.tx = nic, tx
        nic.boot().up("PROMISC")
        self.queue = TxQueue(nic) if tx else RxQueue(nic, bufs=60)
        self.dir = "tx" if tx else "rx"

    def fault(self, name, number):
        fault(self.nic, f"{self.dir}-{name}", number)

    def count(self, kind):
        return count(self.nic, f"{self.dir}-{kind}")

    def go(self, first, last):
        for number in range(first, last + 1):
            if self.tx:
                self.queue.send_ok(frame(number))
            else:
                self.nic.wire.send(frame(number))
                self.nic.m.step(0.0001)

    def take(self, timeout):
        if self.tx:
            return self.nic.wire.receive(timeout)
        entry = self.queue.cq.take()
        if entry is None:
            return None
        self.queue.give_back()
        cpl = unpack("rx_cpl", entry)
        return self.nic.m.read(self.queue.bufs.pop(cpl["index"]), cpl["len"])

    def come(self, *numbers):
        """Exactly the frames with these numbers come out, in this order."""
        got = []
        if not self.tx:
            for _ in range(50):     # the main loop reads the socket, and runs at each query
                self.nic.m.qmp("query-status")
        while (data := self.take(QUIET)) is not None:
            got.append(data)
        assert got == [frame(n) for n in numbers], \
            f"{[[n for n in range(20) if frame(n) == g] for g in got]}, not {numbers}"


def both(check):
    """Register a check as two cases, one for each direction."""
    def one(tx):
        @case()
        def run(nic):
            check(Bench(nic, tx))
        run.__name__ = f"{check.__name__}_{'tx' if tx else 'rx'}"
        run.case_of = check.__module__
        return run
    for tx in (True, False):
        globals()[f"{check.__name__}_{tx}"] = one(tx)
    return check


@both
def nth_frame_is_lost(bench):
    bench.fault("drop-nth", 3)
    bench.go(0, 4)
    bench.come(0, 1, 3, 4)
    assert bench.count("drop") == 1
    assert bench.nic.stats()["FAULTS_INJECTED"] == 1


@both
def nth_frame_comes_twice(bench):
    bench.fault("duplicate-nth", 2)
    bench.go(0, 2)
    bench.come(0, 1, 1, 2)
    assert bench.nic.stats()[bench.dir.upper() + "_FRAMES"] == 4


@both
def nth_frame_is_overtaken(bench):
    bench.fault("reorder-by", 2)
    bench.fault("reorder-nth", 1)
    bench.go(0, 3)
    bench.come(1, 2, 0, 3)


@both
def nth_frame_is_late(bench):
    bench.fault("delay-us", 5000)
    bench.fault("delay-nth", 1)
    bench.go(0, 1)
    bench.come(1)
    bench.nic.m.step(0.006)
    bench.come(0)


@both
def last_frame_is_overtaken_by_time(bench):
    bench.fault("reorder-nth", 1)
    bench.go(0, 0)
    bench.come()
    bench.nic.m.step(0.2)
    bench.come(0)


@both
def nth_frame_is_changed(bench):
    bench.fault("corrupt-nth", 2)
    bench.go(0, 1)
    for _ in range(50):
        bench.nic.m.qmp("query-status")
    assert bench.take(5.0) == frame(0)
    got = bench.take(5.0)
    wrong = [at for at in range(len(got)) if got[at] != frame(1)[at]]
    assert len(wrong) == 1 and wrong[0] >= 12, wrong


@both
def rates_are_seeded(bench):
    def run(seed):
        fault(bench.nic, "seed", seed)
        bench.go(0, 39)
        got = []
        for _ in range(50):
            bench.nic.m.qmp("query-status")
        while (data := bench.take(0.05)) is not None:
            got.append(data)
        if not bench.tx:
            bench.queue.fill(60 - len(bench.queue.bufs) - 1)
        return got
    bench.fault("drop-ppm", 200000)
    bench.fault("duplicate-ppm", 200000)
    first = run(7)
    assert run(7) == first
    assert run(8) != first
    assert bench.count("drop") and bench.count("duplicate")


@case()
def held_frames_end_with_a_reset(nic):
    bench = Bench(nic, True)
    fault(nic, "tx-delay-ppm", ALL)
    bench.go(0, 5)
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    nic.m.step(1)
    bench.come()
    assert value(nic, "tx-delay-ppm") == ALL
    assert count(nic, "tx-delay") == 6


@case()
def held_frames_end_with_the_device(nic):
    bench = Bench(nic, True)
    fault(nic, "tx-reorder-ppm", ALL)
    bench.go(0, 5)


@case()
def more_held_frames_than_places(nic):
    bench = Bench(nic, True)
    fault(nic, "tx-delay-ppm", ALL)
    bench.go(0, 70)
    assert count(nic, "tx-delay") == 64
    bench.come(*range(64, 71))
    nic.m.step(0.1)
    bench.come(*range(64))


# Faults of commands

@case()
def command_fails(nic):
    nic.boot()
    fault(nic, "cmd-fail", command_fault("TLS_ADD", "2-3", ABI.ST_TLS_CRYPTO))
    flow = Flow(nic)
    for _ in range(2):
        assert nic.submit(ABI.CMD_TLS_ADD, bytes(60))["status"] == ABI.ST_TLS_CRYPTO
        nic.command("NOP")
    assert nic.stats()["TLS_CTX_LIVE"] == 1, "a command that failed was done"
    assert Flow(nic, seq=1).ctx == flow.ctx + 1
    assert count(nic, "cmd-fail") == 2
    assert value(nic, "cmd-fail") == ""


@case()
def command_only_seems_to_succeed(nic):
    nic.boot()
    flow = Flow(nic)
    fault(nic, "cmd-fail", command_fault("TLS_DEL", 1, 0))
    nic.command("TLS_DEL", flow.ref())
    assert nic.stats()["TLS_CTX_LIVE"] == 1
    nic.command("TLS_DEL", flow.ref())


@case()
def command_is_late(nic):
    """cmd-delay: the device executes the command at once and answers it late; later
    commands are answered before it."""
    nic.boot()
    nic.interrupted(0)
    fault(nic, "cmd-delay", command_fault("NOP", 1, 300))
    nic.write(ABI.REG_CMDQ_TAIL, nic.cmdq.put(pack("cmd", opcode=ABI.CMD_NOP, tag=9)))
    nic.m.step(0.25)
    assert nic.cplq.take() is None
    nic.interrupted(0)
    nic.m.step(0.1)
    assert unpack("cmd_cpl", nic.m.wait(nic.cplq.take, "the answer"))["tag"] == 9
    assert nic.interrupted(0)
    assert count(nic, "cmd-delay") == 1
    nic.command("NOP")


@case()
def command_is_never_answered(nic):
    nic.boot()
    fault(nic, "cmd-lose", command_fault("NOP", 1))
    nic.write(ABI.REG_CMDQ_TAIL, nic.cmdq.put(pack("cmd", opcode=ABI.CMD_NOP, tag=9)))
    nic.m.step(20)
    assert nic.cplq.take() is None
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    nic.boot().command("NOP")


@case()
def command_answered_twice(nic):
    """cmd-twice: the second answer takes the place of the next command's answer."""
    nic.boot()
    fault(nic, "cmd-twice", command_fault("NOP", 1))
    nic.write(ABI.REG_CMDQ_TAIL, nic.cmdq.put(pack("cmd", opcode=ABI.CMD_NOP, tag=9)))
    answers = [unpack("cmd_cpl", nic.m.wait(nic.cplq.take, "an answer")) for _ in range(2)]
    assert [answer["tag"] for answer in answers] == [9, 9]
    assert nic.cplq.take() is None
    assert count(nic, "cmd-twice") == 1


@case()
def answer_that_is_not_true(nic):
    nic.boot()
    fault(nic, "cmd-lie", command_fault("CAPS", 2, 0x12345678))
    truth = nic.command("CAPS")
    lie = nic.command("CAPS")
    assert lie == (0x12345678).to_bytes(4, "little") + truth[4:]
    assert nic.command("CAPS") == truth
    assert count(nic, "cmd-lie") == 1


@case()
def late_answers_end_with_a_reset(nic):
    nic.boot()
    old = nic.cplq
    fault(nic, "cmd-delay", command_fault("NOP", "1-20", 300))
    for tag in range(5):
        nic.write(ABI.REG_CMDQ_TAIL, nic.cmdq.put(pack("cmd", opcode=ABI.CMD_NOP, tag=tag)))
        nic.m.step(0.01)
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    nic.m.step(1)
    assert old.take() is None
    fault(nic, "cmd-delay", "")
    nic.boot().command("NOP")


# Faults of interrupts and events

@case()
def interrupt_gets_lost(nic):
    nic.boot()
    nic.command("NOP")
    nic.interrupted(0)
    before = nic.stats()["INTERRUPTS"]
    nic.interrupted(0)
    fault(nic, "irq-lose", "0:2")
    came = []
    for _ in range(3):
        nic.command("NOP")
        nic.m.step(0.01)
        came.append(nic.interrupted(0))
    assert came == [True, False, True], came
    assert count(nic, "irq-lose") == 1
    assert nic.stats()["INTERRUPTS"] - before == 3  # 2, and one of the STATS command before


@case()
def interrupt_for_no_reason(nic):
    nic.boot()
    for vector in range(3):
        fault(nic, "irq-spurious", vector)
        assert nic.interrupted(vector)
    refused(nic, "irq-spurious", 3, "no such vector")
    assert count(nic, "irq-spurious") == 3


@case()
def event_gets_lost_or_lies(nic):
    nic.boot()
    fault(nic, "event-lose", event_fault("LINK", 1))
    fault(nic, "event-alter", event_fault("LINK", 1, 77))
    for up in (False, True, False):
        nic.m.qmp("set_link", name="nic", up=up)
    assert [nic.event("LINK")["arg"] for _ in range(2)] == [77, 0]
    assert count(nic, "event-lose") == count(nic, "event-alter") == 1


@case()
def event_after_each_event(nic):
    nic.boot()
    fault(nic, "event-flood", event_fault("TX_ERROR", "1-3"))
    nic.m.qmp("set_link", name="nic", up=False)
    nic.event("LINK")
    for _ in range(3):
        assert nic.event("TX_ERROR")["id"] == 0
    nic.m.step(0.01)
    assert nic.evtq.take() is None
    assert count(nic, "event-flood") == 3


# Faults of completions

@case()
def transmit_completion_that_is_not_true(nic):
    nic.boot().up("PROMISC")
    queue = TxQueue(nic)
    fault(nic, "tx-cpl-lie", "0:2:0xffff")
    queue.send_ok(frame(0))
    assert queue.send(frame(1))["head"] == 1
    queue.send_ok(frame(2))
    assert count(nic, "tx-cpl-lie") == 1


@case()
def receive_completions_that_are_not_true(nic):
    nic.boot().up("PROMISC")
    queue = RxQueue(nic)
    fault(nic, "rx-cpl-lie", "0:2:5")
    fault(nic, "rx-cpl-long", "0:3:9000")
    for number in range(4):
        nic.wire.send(frame(number))
    cpls = [queue.completion() for _ in range(4)]
    assert [cpl["index"] for cpl in cpls] == [0, 6, 2, 3]
    assert [cpl["len"] for cpl in cpls] == [len(frame(0))] * 2 + [9000, len(frame(0))]
    assert count(nic, "rx-cpl-lie") == count(nic, "rx-cpl-long") == 1


@case()
def completions_that_come_twice(nic):
    nic.boot().up("PROMISC")
    tx, rx = TxQueue(nic), RxQueue(nic)
    fault(nic, "cpl-twice", "1:1-2")
    assert tx.send(frame(0))["head"] == tx.completion()["head"] == 1
    tx.no_completion()
    nic.wire.send(frame(1))
    assert rx.completion()["index"] == rx.completion()["index"] == 0
    rx.no_completion()
    assert count(nic, "cpl-twice") == 2


@case()
def event_is_late(nic):
    nic.boot()
    fault(nic, "event-delay", event_fault("LINK", 1, 200))
    nic.m.qmp("set_link", name="nic", up=False)
    nic.m.step(0.15)
    assert nic.evtq.take() is None
    nic.m.qmp("set_link", name="nic", up=True)
    assert [nic.event("LINK")["arg"] for _ in range(2)] == [1, 0]


@case()
def event_is_made_up(nic):
    nic.boot()
    fault(nic, "event-send", event_fault("TLS_RESYNC", "0x10", 0xfffffff0))
    event = nic.event("TLS_RESYNC")
    assert (event["id"], event["arg"], event["status"]) == (16, 0xfffffff0, 0)
    assert count(nic, "event-send") == 1


def lose_place(nic, rx):
    """Make a receiving context lose its place and send a resync request for record 2.
    Returns its flow."""
    flow = ReceiveFlow(nic, rx, sizes=[300] * 5)
    flow.packet(0, flow.starts[1])
    flow.packet(flow.starts[2] - 40, flow.starts[3],
                ABI.RXC_EOP | ABI.RXC_TLS | ABI.RXC_L4_OK | ABI.RXC_TLS_ASK)
    flow.lost("GAP")
    return flow


@case(fault_rx_forgetful=1)
def resync_event_is_wrong(nic):
    """event-alter: the resync request names a wrong sequence number, and the host's answer
    to it is refused; the context goes on asking, and the right answer brings it into sync."""
    rx = start_receiving(nic)
    fault(nic, "event-alter", event_fault("TLS_RESYNC", 1, 7001))
    flow = lose_place(nic, rx)
    assert nic.event("TLS_RESYNC")["arg"] == 7001
    flow.resync(2, "TLS_SEQ", tcp_seq=7001)
    assert not flow.in_sync()
    flow.resync(2)
    flow.rec(3)
    assert count(nic, "event-alter") == 1


@case(fault_rx_forgetful=1)
def resync_event_is_late(nic):
    rx = start_receiving(nic)
    fault(nic, "event-delay", event_fault("TLS_RESYNC", 1, 100))
    flow = lose_place(nic, rx)
    flow.rec(3, flags=ABI.RXC_EOP | ABI.RXC_TLS | ABI.RXC_L4_OK | ABI.RXC_TLS_ASK)
    flow.asked(3)
    nic.m.step(0.2)
    flow.asked(2)
    flow.resync(2)
    flow.rec(4)


# Faults of contexts

@case()
def receiving_context_is_forgotten(nic):
    """ctx-forget on a receiving context: its packets arrive undecrypted, commands for it
    give NOENT, and the flow can be added again."""
    rx = start_receiving(nic)
    flow = ReceiveFlow(nic, rx, sizes=[300] * 3)
    flow.rec(0)
    fault(nic, "ctx-forget", flow.ctx)
    flow.rec(1, flags=ABI.RXC_EOP)
    flow.resync(1, "NOENT")
    again = unpack("tls_ref", flow.add())["ctx"]
    assert again != flow.ctx
    assert nic.stats()["TLS_CTX_LIVE"] == 1


@case()
def context_is_forgotten(nic):
    """ctx-forget on a sending context: packets and commands with it give NOENT, and other
    contexts are not disturbed."""
    nic.boot().up()
    tx = TxQueue(nic)
    lost, kept = Flow(nic), Flow(nic, seq=9000)
    fault(nic, "ctx-forget", lost.ctx)
    data, offload = lost.packet(lost.record(b"x" * 50))
    tx.refused("NOENT", data, **offload)
    kept.send(tx, kept.record(b"y" * 50))
    assert kept.read()[1] == b"y" * 50
    lost.resync("NOENT")
    nic.command("TLS_QUERY", lost.ref(), "NOENT")
    nic.command("TLS_DEL", lost.ref(), "NOENT")
    assert nic.stats()["TLS_CTX_LIVE"] == 1
    refused(nic, "ctx-forget", lost.ctx, "no such context")
    refused(nic, "ctx-forget", 1 << 20, "no such context")


@case(tls_contexts=3)
def forgotten_places_are_free_again(nic):
    """ctx-forget-all: whichever command first meets a forgotten context, its table entry
    becomes free exactly once."""
    nic.boot()
    for name in ("TLS_DEL", "TLS_QUERY", "TLS_RESYNC"):
        flows = [Flow(nic, seq=n) for n in range(3)]
        fault(nic, "ctx-forget-all", 1)
        for flow in flows:
            if name == "TLS_RESYNC":
                flow.resync("NOENT")
            else:
                nic.command(name, flow.ref(), "NOENT")
            nic.command("TLS_DEL", flow.ref(), "NOENT")
        for flow in [Flow(nic, seq=n) for n in range(3)]:
            nic.command("TLS_DEL", flow.ref())
    assert count(nic, "ctx-forget") == 9
    assert nic.stats()["TLS_CTX_LIVE"] == 0


# Faults of firmware and of the whole device

def beats(nic):
    before = nic.read(ABI.REG_HEARTBEAT)
    nic.m.step(1)
    nic.m.step(1)
    return nic.read(ABI.REG_HEARTBEAT) != before


@case()
def firmware_hangs(nic):
    refused(nic, "fw-hang", 1, "no firmware runs")
    nic.boot()
    assert beats(nic)
    fault(nic, "fw-hang", 1)
    assert not beats(nic)
    assert nic.fw_state() == ABI.FW_READY
    nic.write(ABI.REG_CMDQ_TAIL, nic.cmdq.put(pack("cmd", opcode=ABI.CMD_NOP)))
    nic.m.step(5)
    assert nic.cplq.take() is None
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    nic.boot().command("NOP")
    assert beats(nic)
    assert count(nic, "fw-hang") == 1


@case()
def firmware_crashes(nic):
    refused(nic, "fw-crash", 1, "no firmware runs")
    nic.boot()
    nic.interrupted(0)
    fault(nic, "fw-crash", 1)
    nic.m.wait(lambda: nic.fw_state() == ABI.FW_CRASHED, "the crash")
    assert nic.interrupted(0), "a crash is told"
    refused(nic, "fw-hang", 1, "no firmware runs")
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    nic.boot().command("NOP")


@case()
def all_of_it_is_gone(nic):
    nic.boot().up()
    tx, flow = TxQueue(nic), Flow(nic)
    tx.send_ok(frame(1))
    assert nic.wire.receive() == frame(1)
    fault(nic, "gone", 1)
    for reg in (ABI.REG_MAGIC, ABI.REG_STATUS, ABI.REG_QP - 3 * 0x40, 0xfffc):
        assert nic.read(reg) == 0xffffffff
    tx.data(frame(2))
    tx.ring_doorbell()
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    nic.wire.send(frame(3))
    nic.m.step(1)
    assert nic.wire.receive(QUIET) is None and tx.cq.take() is None
    fault(nic, "gone", 0)
    assert nic.read(ABI.REG_MAGIC) == ABI.MAGIC
    assert nic.fw_state() == ABI.FW_NONE
    nic.boot().up()
    assert nic.stats()["TLS_CTX_LIVE"] == 0
    nic.command("TLS_DEL", flow.ref(), "NOENT")
    TxQueue(nic).send_ok(frame(4))
    assert nic.wire.receive() == frame(4)
    assert count(nic, "gone") == 1


# Values of the properties

@case()
def nonsense_is_refused(nic):
    nic.boot()
    for name, wrong, word in (
            ("tx-drop-ppm", ALL + 1, "at most 1000000"), ("rx-delay-us", 10000001, "at most"),
            ("tx-reorder-by", 65, "at most 64"), ("fw-hang", 2, "at most 1"),
            ("cmd-fail", "tls-add:1:3", "number"), ("cmd-fail", "9:1", "VALUE"),
            ("cmd-fail", "9:0:3", "FIRST"), ("cmd-fail", "9:3-2:3", "LAST"),
            ("cmd-fail", "9:1:65536", "too large"), ("cmd-delay", "9:1:60001", "too large"),
            ("cmd-lose", "9:1:3", "no VALUE"), ("irq-lose", "17:1", "vector"),
            ("irq-lose", "1:1x", "behind"), ("event-send", "6:1", "too few"),
            ("event-send", "6:1:2:3", "too many"), ("event-send", "0x10000:1:2", "type")):
        refused(nic, name, wrong, "fault-" + name, word)
    for wrong in (-1, "x", True):
        refused(nic, "tx-drop-nth", wrong)
    nic.command("NOP")
    assert nic.stats()["FAULTS_INJECTED"] == 0


@case()
def every_property_says_what_it_is(nic):
    listed = [p for p in nic.m.qmp("qom-list-properties", typename="vktls")
              if p["name"].startswith("fault-")]
    assert len(listed) > 50, len(listed)
    for prop in listed:
        assert len(prop.get("description", "")) > 15, prop
    for prop in listed:
        if prop["name"].startswith("fault-count-"):
            assert value(nic, prop["name"][6:]) == 0


@case(fault_cmd_fail="7:1:3", fault_tx_drop_nth=1)
def plans_outlive_a_reset(nic):
    """A fault set before there is a driver acts on the driver's later commands, also after
    a reset."""
    assert value(nic, "cmd-fail") == "7:1:3"
    nic.boot().up()
    nic.command("QUEUE_CREATE", pack("queue_cfg", log2=6, vector=1), "PARAM")
    tx = TxQueue(nic)
    tx.send_ok(frame(1))
    tx.send_ok(frame(2))
    assert nic.wire.receive() == frame(2)


@case(Nic)
def only_plans_before_there_is_a_device(_):
    for line, word in (("fault-fw-hang=1", "exists"), ("fault-ctx-forget=0", "exists"),
                       ("fault-cmd-fail=9", "FIRST")):
        try:
            Machine("-device", f"vktls,{line}").close()
        except AssertionError as why:
            assert word in str(why), why
            continue
        raise AssertionError(f"{line} is accepted")


@case()
def hostile_rings_under_faults(nic):
    """Command, completion and event rings overlap each other while commands fail, are late
    or get lost: the device stays within its memory, and works after a reset."""
    nic.boot()
    for name, more in (("cmd-fail", (3,)), ("cmd-delay", (1,)), ("cmd-lose", ())):
        fault(nic, name, command_fault("NOP", "1-1000", *more))
    ring = Ring(nic.m, 8)
    for reg in (ABI.REG_CMDQ_ADDR_LO, ABI.REG_CPLQ_ADDR_LO, ABI.REG_EVTQ_ADDR_LO):
        nic.write(reg, ring.addr)
    nic.write(ABI.REG_CMDQ_LOG2, 5)
    for tail in (31, 5, 4, 31):
        nic.write(ABI.REG_CMDQ_TAIL, tail)
        nic.write(ABI.REG_CPLQ_ADDR_LO, ring.addr + tail * 64)
        nic.write(ABI.REG_CMDQ_ADDR_LO, 0xfffffff0)
        nic.m.step(0.01)
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    for name in ("cmd-fail", "cmd-delay", "cmd-lose"):
        fault(nic, name, "")
    nic.boot().command("NOP")


# ---- The document, the device and the guest's tests have the same faults ----

# faults that recover.py does not inject at random, with the reason
NOT_THROWN = {
    "fault-seed": "no fault", "fault-rx-forgetful": "no fault",
    "fault-tx-delay-us": "says how", "fault-rx-delay-us": "says how",
    "fault-tx-reorder-by": "says how", "fault-rx-reorder-by": "says how",
    "fault-gone": "takes a driver bound anew: a case of its own",
    "fault-cmd-lie": "an untrue word", "fault-cmd-twice": "an untrue word",
    "fault-event-flood": "an untrue word", "fault-tx-cpl-lie": "an untrue word",
    "fault-rx-cpl-lie": "an untrue word", "fault-rx-cpl-long": "an untrue word",
    "fault-cpl-twice": "an untrue word",
}


def properties(nic):
    """(names of the fault properties without counts, names of the count properties)."""
    names = [prop["name"] for prop in nic.m.qmp("device-list-properties", typename="vktls")
             if prop["name"].startswith("fault-")]
    counts = {name for name in names if name.startswith("fault-count-")}
    return set(names) - counts, counts


def directions(name):
    """The names of a property that a document gives: fault-tx-* stands for fault-rx-* too."""
    return {name, name.replace("fault-tx-", "fault-rx-")} if "-cpl-" not in name else {name}


def documented():
    """The fault properties that docs/device.rst names."""
    with open(os.path.join(abi.TOP, "docs/device.rst"), encoding="utf-8") as f:
        text = f.read()
    named = set(re.findall(r"^``(fault-[a-z-]+[a-z])``", text, re.M))
    named |= set(re.findall(r"``(fault-(?:tx|rx)-[a-z-]+[a-z])`` \(", text))
    named |= {name[:-len("nth")] + "ppm" for name in named if name.endswith("-nth")}
    return {both for name in named for both in directions(name)}


def differ(what, one, other):
    """Fail unless both sets are equal; the message has the difference."""
    assert one and one == other, f"{what}: {sorted(one ^ other)}"


@case()
def each_fault_has_a_row_in_the_document(nic):
    """docs/device.rst names exactly the fault properties that exist."""
    differ("docs/device.rst", properties(nic)[0], documented())


@case()
def each_fault_is_counted(nic):
    """Each kind of fault has a property fault-count-KIND."""
    props, counts = properties(nic)
    kinds = {re.sub(r"-(nth|ppm)$", "", name) for name in props if name not in
             ("fault-seed", "fault-rx-forgetful", "fault-ctx-forget-all") and
             not name.endswith(("-us", "-by"))}
    differ("fault-count-*", {name.replace("count-", "") for name in counts}, kinds)


def lasting(nic):
    """{property: value} of the faults that stay until they are removed."""
    found = {}
    for name in properties(nic)[0]:
        try:
            found[name] = nic.m.qmp("qom-get", path=PATH, property=name)
        except QmpError:
            continue    # a fault that happens at once, without a value
    return found


@case()
def all_that_lasts_ends_with_nicfault_end(nic):
    """nicfault.end() of tests/guest/lib removes each fault that stays."""
    keeps = ("fault-seed", "fault-tx-delay-us", "fault-rx-delay-us", "fault-tx-reorder-by",
             "fault-rx-reorder-by", "fault-rx-forgetful")    # nicfault.forgetful() ends this one
    born = {name: was for name, was in lasting(nic).items() if name not in keeps}
    for name, was in born.items():
        for wanted in ("1:5:1", "1:5") if isinstance(was, str) else (1,):
            try:
                nic.m.qmp("qom-set", path=PATH, property=name, value=wanted)
                break
            except QmpError:
                continue
        assert nic.m.qmp("qom-get", path=PATH, property=name) != was, f"{name} does not stay"
    nicfault.ask = lambda name, wanted, _nic="dut0": fault(nic, name, wanted)
    nicfault.end()
    left = {name: now for name, now in lasting(nic).items() if now != born.get(name, now)}
    assert not left, f"nicfault.end() leaves {left}"


@case()
def numbers_of_nicfault(_nic):
    """The opcodes, event types and the status in nicfault.py are those of the ABI."""
    for table, prefix in ((nicfault.CMD, "VKTLS_CMD_"), (nicfault.EVENT, "VKTLS_EVT_")):
        for name, number in table.items():
            whole = prefix + name.upper().replace("-", "_")
            assert NUMBERS[whole] == number, f"{whole} is {NUMBERS[whole]}, not {number}"
    assert nicfault.FAILS == ABI.ST_TLS_CRYPTO, nicfault.FAILS


@case()
def recover_throws_each_fault(nic):
    """The dice of tests/guest/offload/recover.py can throw each fault that can be survived."""
    with open(os.path.join(abi.TOP, "tests/guest/offload/recover.py"), encoding="utf-8") as f:
        text = f.read()
    dice = text[text.index("def hit(dice)"):text.index("print(f\"# {name} {value}\"")]
    thrown = {"fault-" + name for name in re.findall(r"\(\"([a-z-]+)\",", dice)}
    wire = re.search(r"^WIRE = \((.*)\)", text, re.M)[1]
    thrown |= {f"fault-{way}-{kind}-{how}" for kind in re.findall(r"\"(\w+)\"", wire)
               for way in ("tx", "rx") for how in ("nth", "ppm")}
    differ("recover.py", thrown, properties(nic)[0] - set(NOT_THROWN))


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
