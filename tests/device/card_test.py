#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""tools/vktls-card: the card in a process of its own, as a vfio-user client sees it."""

import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import packets
import vfio_user
from nic import ABI, Nic, RxQueue, TxQueue, case, main, status_name
from vfio_user import CARD, CONFIG, DMA_UNMAP, Client, Process, Refused


FRAME = packets.ethernet(0x88b5, packets.payload(100))


class CardNic(Nic):
    """A NIC behind a vfio-user socket."""

    host = vfio_user


def fill(write):
    """Have the test block write memory at 1 MiB."""
    for reg, value in ((ABI.REG_TEST_ADDR_LO, 1 << 20), (ABI.REG_TEST_ADDR_HI, 0),
                       (ABI.REG_TEST_LEN, 64), (ABI.REG_TEST_OP, ABI.TEST_FILL)):
        write(reg, value)


def said(*args):
    """The words of a vktls-card that must fail."""
    done = subprocess.run([CARD, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=20, check=False)
    assert done.returncode == 1, f"status {done.returncode}: {done.stderr}"
    assert done.stderr.count("\n") == 1, f"not one line: {done.stderr}"
    return done.stderr


def plain(function):
    """A case without a card to begin with; it gets a folder."""
    def run():
        with tempfile.TemporaryDirectory(prefix="vktls-") as folder:
            function(folder)
    run.__name__, run.case_of = function.__name__, function.__module__
    return run


@plain
def wrong_arguments_are_said(folder):
    path, qemu = f"{folder}/card", ("--qemu", os.environ["QEMU"])
    assert "mend: make qemu" in said("--socket", path, "--qemu", f"{folder}/none")
    assert "there is no folder" in said("--socket", f"{folder}/none/card", *qemu)
    pathlib.Path(path).write_text("mine", encoding="ascii")
    assert "is no socket" in said("--socket", path, *qemu)
    assert pathlib.Path(path).read_text(encoding="ascii") == "mine"
    done = subprocess.run([CARD, "--socket", f"{folder}/s", *qemu, "--device", "colour=red"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and "colour" in done.stderr, done.stderr
    assert not os.path.exists(f"{folder}/s"), "a socket is left"


@plain
def help_names_each_option(_folder):
    text = subprocess.run([CARD, "--help"], capture_output=True, text=True, check=True).stdout
    manual = pathlib.Path(CARD).parents[1] / "docs/vktls-card.rst"
    for word in manual.read_text(encoding="utf-8").split("OPTIONS")[1].split("EXIT")[0].split():
        assert not word.startswith("--") or word == "--" or word in text, f"no {word}"


@plain
def socket_in_use_is_said(_folder):
    card = Process()
    try:
        assert "is in use" in said("--socket", card.path, "--qemu", os.environ["QEMU"])
        client = Client(card.path)      # it still serves
        client.close()
    finally:
        card.end()


@plain
def monitor_of_another_card_is_left_to_it(folder):
    card = Process()
    try:
        said_so = said("--socket", f"{folder}/card", "--qmp", card.path + ".qmp",
                       "--qemu", os.environ["QEMU"])
        assert "is in use" in said_so and "another --qmp" in said_so, said_so
        card.qmp("query-status")
    finally:
        card.end()
    assert os.listdir(folder) == [], "a socket is left"


@plain
def socket_of_a_dead_process_is_replaced(folder):
    left = socket.socket(socket.AF_UNIX)
    left.bind(f"{folder}/card")
    left.close()
    with subprocess.Popen([CARD, "--socket", f"{folder}/card", "--qemu", os.environ["QEMU"]],
                          stderr=subprocess.PIPE, text=True) as process:
        line = process.stderr.readline()
        process.terminate()
    assert "waiting for a client" in line, line


def children(pid):
    """The processes that a process has started."""
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()


def ended(pid):
    """It is gone, or waits for its parent to look."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


@plain
def qemu_is_left_by_a_killed_supervisor(folder):
    with subprocess.Popen([CARD, "--socket", f"{folder}/card", "--qemu", os.environ["QEMU"]],
                          stderr=subprocess.PIPE, text=True) as process:
        while "waiting for a client" not in process.stderr.readline():
            pass
        qemu, = children(process.pid)
        process.kill()
        end = time.monotonic() + 60
        while not ended(qemu):
            assert time.monotonic() < end, "QEMU goes on without vktls-card"
            time.sleep(0.05)


@plain
def memory_that_is_not_shared_is_said(_folder):
    card = Process()
    try:
        client = Client(card.path)
        client.share(0, 1 << 26)
        client.write(CONFIG, 0x10, b"\0\0\0\xd0")
        client.write(CONFIG, 4, b"\6\0")      # memory and master
        fill(lambda reg, value: client.write(0, reg, value.to_bytes(4, "little")))
        card.until(lambda: "memory-backend-memfd" in card.logged(), "message")
        client.close()
    finally:
        card.end()


@plain
def client_that_goes_in_its_first_words(_folder):
    card = Process()
    try:
        for words in (b"", b"\0" * 5, b"nonsense" * 100):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(card.path)
                sock.sendall(words)
            count = card.logged().count("waiting for another")
            card.until(lambda c=count: card.logged().count("waiting for another") > c or
                       c >= 3, "mend")
        Client(card.path).close()
    finally:
        card.end()


@case(CardNic)
def vectors_arrive(nic):
    nic.boot().up()
    tx = TxQueue(nic)
    assert nic.interrupted(0), "no message of the commands"
    tx.give_back(arm=True)
    assert not nic.interrupted(1), "a message without a completion"
    tx.send_ok(FRAME)
    nic.m.wait(lambda: nic.interrupted(1), "the queue's message")


@case(CardNic)
def masked_vector_waits(nic):
    nic.boot().up()
    entry = nic.pci.bars[1] + 16 + 12
    nic.m.write32(entry, 1)
    tx = TxQueue(nic)
    tx.give_back(arm=True)
    tx.send_ok(FRAME)
    nic.m.step(0.05)
    assert not nic.interrupted(1), "a message in spite of the mask"
    nic.m.write32(entry, 0)
    nic.m.wait(lambda: nic.interrupted(1), "the message that waited")


@case(CardNic)
def traffic_both_ways(nic):
    nic.boot().up("PROMISC")
    tx, rx = TxQueue(nic), RxQueue(nic)
    frame = FRAME
    tx.send_ok(frame)
    assert nic.wire.receive() == frame
    nic.wire.send(frame)
    assert rx.receive()[0] == frame


@case(CardNic)
def function_level_reset(nic):
    """All of it is reset but the BARs, which the guest does not write again."""
    nic.boot().up()
    express = nic.pci.capability(0x10)
    nic.pci.set_config(express + 8, 1 << 15, 2)
    assert nic.pci.config(4, 2) & 6 == 0, "enabled"
    nic.pci.enable()
    assert nic.fw_state() == ABI.FW_NONE, "firmware lives on"
    assert not nic.pci.config(nic.pci.msix + 2, 2) & 0x8000, "MSI-X is enabled"


@case(CardNic)
def interrupts_after_the_card_was_gone(nic):
    """A driver that unbinds a card that is gone reads all ones, and writes them back
    without the bit of MSI-X. The client then takes its vectors down; so must the card."""
    nic.boot().up()
    control = nic.pci.msix + 2
    nic.m.qmp("qom-set", path="/machine/peripheral/nic", property="fault-gone", value=1)
    assert nic.pci.config(control, 2) == 0xffff
    nic.pci.set_config(control, 0x7fff, 2)
    nic.m.qmp("qom-set", path="/machine/peripheral/nic", property="fault-gone", value=0)
    assert not nic.pci.config(control, 2) & 0x8000, "MSI-X is enabled"


@case(CardNic)
def reset_by_the_client(nic):
    nic.boot().up()
    nic.m.client.reset()
    nic.pci.place()
    assert nic.fw_state() == ABI.FW_NONE, "firmware lives on"


@case(CardNic)
def nothing_stays_of_a_client_that_has_gone(nic):
    nic.boot().up()
    nic.m.detach()
    nic.m.attach()
    nic.pci.place()
    assert nic.fw_state() == ABI.FW_NONE, "firmware lives on"
    again = CardNic()
    again.m, again.wire = nic.m, nic.wire
    again.attach(vfio_user.Function(nic.m))
    again.boot().up()
    TxQueue(again).send_ok(FRAME)


@case(CardNic)
def unmapped_memory_is_out_of_reach(nic):
    nic.boot()
    fill(nic.write)
    assert nic.read(ABI.REG_TEST_RESULT) == ABI.ST_OK
    nic.m.client.ask(DMA_UNMAP, struct.pack("<IIQQ", 24, 0, 0, 1 << 26))
    fill(nic.write)
    assert status_name(nic.read(ABI.REG_TEST_RESULT)) == "ST_DMA"


@plain
def process_that_is_killed_comes_again(_folder):
    card = Process("--respawn")
    try:
        client = Client(card.path)
        os.kill(card.qemu_pid(), signal.SIGKILL)
        card.until(lambda: "starting again" in card.logged() and
                   card.logged().count("waiting for a client") == 2, "next life")
        try:
            client.reset()
            raise AssertionError("an answer of a dead card")
        except (ConnectionError, Refused):
            pass
        Client(card.path).close()
    finally:
        card.end()


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
