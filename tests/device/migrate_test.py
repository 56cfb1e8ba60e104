#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Migration: the device in a second QEMU continues where the device in the first one
stopped, but without TLS contexts. No key is in the stream, and a device that lacks
something refuses the stream."""

import os
import shutil
import struct
import sys

import block_test as block
import filter_test as filters
import gro_test as gro
import promises_test as promises
import tls_test as tls
from nic import ABI, MAC, PEER, RxQueue, TxQueue, case, in_qemu_only, main, pack
from packets import payload
from qtest import Function, Machine, QmpError

ONE_QEMU = in_qemu_only("a card in a process of its own does not migrate")
INSTANT = 1e-9   # of the guest's time, so that no timer of the device ends in between
FRAME = PEER + MAC + b"\x88\xb5" + payload(400)


def save(nic):
    """Stop the machine and write its state. Returns the stream's path."""
    path = os.path.join(os.path.dirname(nic.wire.near), "stream")
    nic.m.qmp("migrate", uri=f"exec:cat >{path}")

    def ended():
        status = nic.m.qmp("query-migrate").get("status")
        assert status != "failed", nic.m.logged()
        return status == "completed"
    nic.m.wait(ended, "end of the migration", step=INSTANT)
    return path


def skip_announcements(wire):
    """Make the wire skip the RARP requests that QEMU sends for a NIC that has migrated."""
    receive = wire.receive

    def others(timeout=5.0):
        while (frame := receive(timeout)) and frame[12:14] == b"\x80\x35":
            pass
        return frame
    wire.receive = others


def restore(nic, path, *queues, **properties):
    """Continue from the stream in a new QEMU; NIC and QUEUES belong to it from then on."""
    old = nic.m
    old.close()
    nic.m = None
    nic.props |= properties
    nic.m = Machine("-netdev", nic.wire.netdev, "-device", nic.device_line(),
                    "-incoming", f"exec:cat {path}")
    nic.m.next_ram = old.next_ram
    nic.m.wait(lambda: nic.m.qmp("query-status")["status"] == "running",
               "end of the migration", step=INSTANT)
    pci = Function.__new__(Function)
    pci.__dict__ |= nic.pci.__dict__
    pci.m = nic.m
    nic.pci = pci
    for ring in filter(None, (nic.cmdq, nic.cplq, nic.evtq)):
        ring.m = nic.m
    skip_announcements(nic.wire)
    for queue in queues:
        queue.m = queue.ring.m = queue.cq.m = nic.m


def move(nic, *queues):
    restore(nic, save(nic), *queues)


@case(queues=4)
@ONE_QEMU
def goes_on_at_the_target(nic):
    nic.boot().up("PROMISC", mtu=3000)
    tx, rx = TxQueue(nic, 1), RxQueue(nic, 0)
    for _ in range(3):
        tx.send_ok(FRAME)
        assert nic.wire.receive() == FRAME
        nic.wire.send(FRAME)
        assert rx.receive()[0] == FRAME
    before = nic.stats()
    move(nic, tx, rx)
    assert nic.fw_state() == ABI.FW_READY
    nic.event("LINK")
    nic.command("NOP")
    after = nic.stats()
    same = [name for name in before if name.startswith(("TX_F", "RX_F", "TX_B", "RX_B"))]
    assert {n: before[n] for n in same} == {n: after[n] for n in same}
    for _ in range(tx.ring.count + 3):
        tx.send_ok(FRAME)
        assert nic.wire.receive() == FRAME
        nic.wire.send(FRAME)
        assert rx.receive()[0] == FRAME
        rx.fill()


@case(queues=4)
@ONE_QEMU
def steering_goes_along(nic):
    queues = filters.start(nic)
    filters.rss_ctx(nic, 0, [1])
    filters.rss_ctx(nic, 7, [2])
    filters.flow(nic, 3, ABI.FLOW_RSS, ctx=7, dst_port=struct.pack(">H", 443))
    filters.flow(nic, 200, ABI.FLOW_QUEUE, queue=3, src_port=struct.pack(">H", 80))
    move(nic, *queues)
    for ports, queue in (((5, 443), 2), ((80, 6), 3), ((5, 6), 1)):
        filters.arrives(nic, queues, filters.frame(ports=ports), queue)


@case()
@ONE_QEMU
def frames_that_wait_come_before_the_move(nic):
    nic.boot().up(*gro.ALL)
    rx = RxQueue(nic)
    for frame in gro.Stream().frames(3):
        gro.send_patiently(nic.wire, frame)
    assert rx.cq.take() is None, "they did not wait"
    move(nic, rx)
    assert rx.receive()[1]["segs"] == 3
    nic.wire.send(gro.Stream().frame(flags=gro.ACK | gro.PSH))
    assert rx.receive()[1]["segs"] == 0


@case()
@ONE_QEMU
def an_interrupt_that_is_due_comes(nic):
    nic.boot().up("PROMISC")
    rx = RxQueue(nic)
    nic.write(rx.mod_reg, ABI.MOD_USECS_MAX)
    rx.give_back(arm=True)
    nic.wire.send(FRAME)
    nic.m.wait(rx.cq.take, "the frame", step=INSTANT)
    rx.cq.at -= 1
    move(nic, rx)
    assert not nic.interrupted(1)
    nic.m.step(2e-6 * ABI.MOD_USECS_MAX)
    assert nic.interrupted(1)
    assert rx.receive()[0] == FRAME


@case()
@ONE_QEMU
def no_key_is_in_the_stream(nic):
    tx = tls.start(nic)
    flow = tls.Flow(nic)
    flow.send(tx, flow.record(tls.SECRET))
    key = flow.records.key
    path = save(nic)
    with open(path, "rb") as f:
        stream = f.read()
    assert MAC in stream, "the stream has no state of the card"
    ram = nic.m.read(0x100000, nic.m.next_ram - 0x100000)
    assert stream.count(key) <= ram.count(key), "the card saves a key"


@case()
@ONE_QEMU
def contexts_stay_behind(nic):
    tx = tls.start(nic)
    flow = tls.Flow(nic)
    flow.send(tx, flow.record(tls.SECRET))
    move(nic, tx)
    frame, offload = flow.packet(flow.record(tls.SECRET))
    tx.refused("NOENT", frame, **offload)
    tls.no_secret(nic)
    assert nic.stats()["TLS_CTX_LIVE"] == 0
    nic.command("TLS_QUERY", flow.ref(), "NOENT")
    again = tls.Flow(nic)
    again.send(tx, again.record(tls.SECRET))
    assert again.read()[1] == tls.SECRET


@case()
@ONE_QEMU
def firmware_in_the_middle_of_work_crashes(nic):
    """Firmware is in the middle of work when the machine migrates: its memory may hold a
    key, so it is not saved; the device reports a crash, and the host resets it."""
    body = struct.pack("<I", 0x0000006f).ljust(64, b"\0")    # an endless loop
    assert nic.load(block.sealed(block.good_header(body), body)) == ABI.ST_OK
    assert nic.fw_state() == ABI.FW_BOOTING
    move(nic)
    assert nic.fw_state() == ABI.FW_CRASHED
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    nic.boot()
    nic.command("NOP")


def refused(nic, path, why, **properties):
    """A QEMU that is to continue from the stream ends with an error that has WHY in it."""
    try:
        restore(nic, path, **properties)
    except (AssertionError, OSError) as error:
        said = str(error)       # QEMU may have ended before the test could ask it
        if nic.m:
            said, status = nic.m.logged(), nic.m.process.wait()
            for thing in (nic.m.qtest, nic.m.qmp_link, nic.m.log):
                thing.close()
            shutil.rmtree(nic.m.dir)
            nic.m = None
            assert status == 1, f"status {status}: {said}"
        assert why in said, said
        return
    raise AssertionError(f"a card with {properties} takes the state")


@case(abi_minor=ABI.ABI_MINOR)
@ONE_QEMU
def an_older_card_is_refused(nic):
    nic.boot()
    refused(nic, save(nic), "abi-minor", abi_minor=ABI.ABI_MINOR - 1)


@case(abi_minor=5)
@ONE_QEMU
def a_newer_card_takes_an_older_ones_state(nic):
    nic.firmware = promises.firmware(5)
    nic.boot().up()
    restore(nic, save(nic), abi_minor=ABI.ABI_MINOR)
    nic.command("NOP")


@case(queues=4)
@ONE_QEMU
def a_card_with_other_queues_is_refused(nic):
    nic.boot()
    refused(nic, save(nic), "queues", queues=2)


@case()
@ONE_QEMU
def a_card_without_tls_receive_is_refused(nic):
    nic.boot()
    refused(nic, save(nic), "tls-rx", tls_rx="off")


def damage(path, place, value):
    """Overwrite the stream with VALUE at the last occurrence of PLACE."""
    with open(path, "r+b") as f:
        f.seek(f.read().rindex(place))
        f.write(value)


@case()
@ONE_QEMU
def a_damaged_state_is_refused(nic):
    nic.boot()
    path, version = save(nic), nic.read(ABI.REG_FW_VERSION)
    damage(path, struct.pack("<III", ABI.FW_READY, ABI.ST_OK, version),
           struct.pack("<I", 77))
    refused(nic, path, "damaged")


@case()
@ONE_QEMU
def a_register_out_of_range_is_refused(nic):
    nic.boot()
    path = save(nic)
    damage(path, struct.pack(">III", nic.cplq.addr, 0, 4),
           struct.pack(">III", nic.cplq.addr, 0, 99))
    refused(nic, path, "damaged")


@case()
@ONE_QEMU
def a_stopped_machine_goes_on(nic):
    """A machine is stopped and continued: nothing moves in the meantime, and nothing is
    lost."""
    nic.boot().up("PROMISC")
    tx, rx = TxQueue(nic), RxQueue(nic)
    nic.m.qmp("stop")
    tx.data(FRAME)
    tx.ring_doorbell()
    assert nic.wire.receive(0.2) is None
    assert tx.cq.take() is None
    nic.m.qmp("cont")
    assert tx.completion()["status"] == ABI.ST_OK
    assert nic.wire.receive() == FRAME
    nic.wire.send(FRAME)
    assert rx.receive()[0] == FRAME


def job(nic, command, **arguments):
    """Run a job of QEMU to its end."""
    nic.m.qmp(command, **{"job-id": "job"} | arguments)

    def ended():
        info, = nic.m.qmp("query-jobs")
        assert "error" not in info, info["error"]
        return info["status"] == "concluded"
    nic.m.wait(ended, command, step=0.02)
    nic.m.qmp("job-dismiss", id="job")


@case()
@ONE_QEMU
def a_snapshot_holds_no_context(nic):
    """The machine goes back to a snapshot: the device continues from there without
    contexts, those of the snapshot and later ones."""
    folder = os.path.dirname(nic.wire.near)
    job(nic, "blockdev-create",
        options={"driver": "file", "filename": f"{folder}/disk", "size": 0})
    nic.m.qmp("blockdev-add", **{"driver": "file", "node-name": "file",
                                 "filename": f"{folder}/disk"})
    job(nic, "blockdev-create", options={"driver": "qcow2", "file": "file", "size": 1 << 26})
    nic.m.qmp("blockdev-add", **{"driver": "qcow2", "node-name": "disk", "file": "file"})
    tx = tls.start(nic)
    flow = tls.Flow(nic)
    at = (tx.ring.at, tx.cq.at, nic.cmdq.at, nic.cplq.at)
    where = dict(tag="then", vmstate="disk", devices=["disk"])
    job(nic, "snapshot-save", **where)
    flow.send(tx, flow.record(tls.SECRET))
    job(nic, "snapshot-load", **where)
    tx.ring.at, tx.cq.at, nic.cmdq.at, nic.cplq.at = at
    nic.m.qmp("cont")
    frame, offload = flow.packet(flow.record(tls.SECRET))
    tx.refused("NOENT", frame, **offload)
    assert nic.stats()["TLS_CTX_LIVE"] == 0


@case(vfio_user="on")
@ONE_QEMU
def half_a_card_is_refused(nic):
    """The device of a vfio-user server refuses to migrate, because the client has a part of
    its state."""
    try:
        save(nic)
    except QmpError as why:
        assert "vfio-user" in str(why), why
        return
    raise AssertionError("the card of a vfio-user client migrates")


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
