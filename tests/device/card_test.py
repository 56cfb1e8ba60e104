#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""tools/vktls-card: the device in a process of its own, as a vfio-user client sees it."""

import contextlib
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import packets
import vfio_user
from nic import ABI, Nic, RxQueue, TxQueue, case, main, status_name
from vfio_user import CARD, CONFIG, DMA_UNMAP, Client, Process, Refused


FRAME = packets.ethernet(0x88b5, packets.payload(100))
# more frames than fit into the cable
BIG, MANY = packets.ethernet(0x88b5, packets.payload(1500)), 500


class CardNic(Nic):
    """A NIC behind a vfio-user socket."""

    host = vfio_user


class Stream:
    """The far end of a cable that is a stream socket. It reads only in next()."""

    def __init__(self, directory):
        self.path, self.sock = f"{directory}/wire", socket.socket(socket.AF_UNIX)
        self.stream = self.sock.makefile("rb")
        self.netdev = f"stream,id=n0,server=on,addr.type=unix,addr.path={self.path}"

    def next(self):
        """The next frame; the stream has its length before it."""
        return self.stream.read(int.from_bytes(self.stream.read(4), "big"))

    def close(self):
        self.stream.close()
        self.sock.close()


class StreamNic(CardNic):
    """A NIC with a cable as docs/vktls-card.rst describes it for another QEMU."""

    def open(self, tempdir):
        self.wire = Stream(tempdir)
        self.m = self.host.Machine("-netdev", self.wire.netdev, "-device", self.device_line())
        self.wire.sock.settimeout(60)
        self.wire.sock.connect(self.wire.path)
        self.attach(self.host.Function(self.m, 4))
        return self


def fill(write):
    """Have the test block fill 64 bytes of memory at 1 MiB; write(register, value) sets a
    register."""
    for reg, value in ((ABI.REG_TEST_ADDR_LO, 1 << 20), (ABI.REG_TEST_ADDR_HI, 0),
                       (ABI.REG_TEST_LEN, 64), (ABI.REG_TEST_OP, ABI.TEST_FILL)):
        write(reg, value)


def said(*args):
    """Run a vktls-card that must fail. Returns its one line of output."""
    done = subprocess.run([CARD, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=20, check=False)
    assert done.returncode == 1, f"status {done.returncode}: {done.stderr}"
    assert done.stderr.count("\n") == 1, f"not one line: {done.stderr}"
    return done.stderr


def plain(function):
    """Make a case without a device at its start; the case gets a folder."""
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
def wrong_netdev_is_said_once_with_respawn(folder):
    done = subprocess.run([CARD, "--socket", f"{folder}/s", "--netdev", "colour", "--respawn",
                           "--qemu", os.environ["QEMU"]], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1 and done.stderr.count("not accept value") == 1, done.stderr


@plain
def folder_that_may_not_be_written_is_said(folder):
    """The socket's folder may not be written: vktls-card says so in one line, status 1. (It
    runs without root's capabilities, which would allow writing.)"""
    limits = ["setpriv", "--bounding-set=-all"] if os.geteuid() == 0 else []
    for mode in (0, 0o500):
        closed = f"{folder}/{mode}"
        os.mkdir(closed)
        left = socket.socket(socket.AF_UNIX)
        left.bind(f"{closed}/card")
        left.close()
        os.chmod(closed, mode)
        for name in ("card", "other"):
            done = subprocess.run([*limits, CARD, "--socket", f"{closed}/{name}", "--qemu",
                                   os.environ["QEMU"]], capture_output=True, text=True,
                                  timeout=60, check=False)
            assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
            assert "Permission denied" in done.stderr, done.stderr
        os.chmod(closed, 0o700)


@plain
def paths_with_commas(folder):
    path, capture = f"{folder}/a,b", f"{folder}/c,d.pcap"
    with running("--socket", path, "--qmp", path + ",q", "--pcap", capture,
                 stderr=subprocess.PIPE, text=True) as process:
        line = process.stderr.readline()
        there = sorted(os.listdir(folder))
    assert "waiting for a client" in line, line
    assert there == ["a,b", "a,b,q", "c,d.pcap"], there


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
        client = Client(card.path)      # the server still serves
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


@contextlib.contextmanager
def running(*args, **more):
    """A vktls-card that runs during the block and is then told to end."""
    with subprocess.Popen([CARD, *args, "--qemu", os.environ["QEMU"], "--", "-d",
                           "guest_errors"], stdin=subprocess.DEVNULL, **more) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def wait_for_file(path, process):
    end = time.monotonic() + 60
    while not os.path.exists(path):
        assert process.poll() is None and time.monotonic() < end, f"no {path}"
        time.sleep(0.05)


def next_client(path):
    """Connect a client as soon as the server takes one."""
    end = time.monotonic() + 60
    while True:
        try:
            return Client(path)
        except (ConnectionError, FileNotFoundError):
            assert time.monotonic() < end, "no client is served"
            time.sleep(0.1)


def much_talk(path):
    """Write to a register that does not exist, 2000 times: each write is a line in the log."""
    client = next_client(path)
    client.write(CONFIG, 0x10, b"\0\0\0\xd0")
    client.write(CONFIG, 4, b"\2\0")
    for _ in range(2000):
        client.write(0, 0x3000, b"word")
    client.close()


@plain
def words_that_nobody_reads(folder):
    """The reader of the log goes away, the disk of the log is full, or the log is closed
    from the start: the device goes on, and vktls-card ends with status 0."""
    with open("/dev/full", "wb") as full:
        for name, words in (("gone", subprocess.PIPE), ("full", full), ("closed", None)):
            path = f"{folder}/{name}"
            with running("--socket", path, "--pcap", "/dev/full", "--trace", "vkdev_*",
                         "--trace-log", "/dev/full", stderr=words,
                         preexec_fn=None if words else lambda: os.close(2)) as process:
                if process.stderr:
                    process.stderr.readline()
                    process.stderr.close()
                wait_for_file(path, process)
                for _ in range(2):
                    much_talk(path)
            assert process.returncode == 0, f"{name}: status {process.returncode}"


@plain
def signals_leave_no_socket(folder):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with running("--socket", f"{folder}/card", stderr=subprocess.PIPE, text=True) as process:
            assert "waiting for a client" in process.stderr.readline()
            process.send_signal(number)
            process.send_signal(number)
            said_so = process.stderr.read()
        assert process.returncode == 0, f"{number}: status {process.returncode}: {said_so}"
        assert not said_so and os.listdir(folder) == [], f"{number}: {said_so}"


def children(pid):
    """Process ids of a process's children."""
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()


def ended(pid):
    """The process has ended, or is a zombie."""
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
        client.write(CONFIG, 4, b"\6\0")      # memory space, bus master
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


@plain
def client_that_dies_in_a_message(_folder):
    """A client dies in the middle of a message, or before it has read an answer: the next
    client is served."""
    config = struct.pack("<QII", 0, CONFIG, 4)
    head = vfio_user.HEADER
    words = [head.pack(7, vfio_user.REGION_WRITE, head.size + 100, 0, 0) + bytes(8),
             head.pack(7, vfio_user.DEVICE_RESET, head.size, 0, 0)[:5],
             head.pack(7, 99, head.size, 0, 0), os.urandom(40)]
    words += [head.pack(7, vfio_user.REGION_READ, head.size + len(config), 0, 0) + config] * 20
    card = Process()
    try:
        for number, word in enumerate(words, 1):
            client = Client(card.path)
            client.sock.sendall(word)
            client.close()
            card.until(lambda n=number: card.logged().count("waiting for another") == n,
                       f"hang-up after {word}")
        Client(card.path).close()
    finally:
        card.end()


@plain
def second_client_is_sent_away(_folder):
    """A second client connects while the first is served: it gets no answer, and its
    connection is closed."""
    card = Process()
    try:
        first = Client(card.path)
        second = socket.socket(socket.AF_UNIX)
        second.settimeout(0.5)
        second.connect(card.path)
        vendor = first.read(CONFIG, 0, 2)
        try:
            raise AssertionError(f"an answer: {second.recv(1)}")
        except TimeoutError:
            pass
        assert vendor == first.read(CONFIG, 0, 2) == b"\xf4\x1a", vendor
        first.close()
        second.settimeout(60)
        try:
            assert second.recv(1) == b""
        except ConnectionError:
            pass
        next_client(card.path).close()
    finally:
        card.end()


@plain
def silent_client_does_not_keep_the_card_alive(folder):
    """A client that has connected and says nothing does not keep vktls-card from ending."""
    with socket.socket(socket.AF_UNIX) as silent, \
         running("--socket", f"{folder}/card", stderr=subprocess.PIPE, text=True) as process:
        assert "waiting for a client" in process.stderr.readline()
        silent.connect(f"{folder}/card")
        time.sleep(0.5)
    assert process.returncode == 0 and os.listdir(folder) == [], process.returncode


@plain
def memory_that_is_cut_off(_folder):
    """A client shrinks memory that it shared, so the device's access ends QEMU by SIGBUS:
    with --respawn a new device serves the next client."""
    card = Process("--respawn")
    memory = os.memfd_create("ram")
    try:
        os.truncate(memory, 1 << 26)
        client = Client(card.path)
        client.share(0, 1 << 26, memory)
        os.truncate(memory, 0)
        client.write(CONFIG, 0x10, b"\0\0\0\xd0")
        client.write(CONFIG, 4, b"\6\0")
        try:
            fill(lambda reg, value: client.write(0, reg, value.to_bytes(4, "little")))
        except ConnectionError:
            pass
        card.until(lambda: "QEMU was killed by SIGBUS: starting again" in card.logged(), "its end")
        next_client(card.path).close()
    finally:
        os.close(memory)
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


def send_big_frames(nic):
    tx = TxQueue(nic, log2=9)
    for _ in range(MANY):
        tx.data(BIG)
    tx.ring_doorbell()


@case(StreamNic)
def cable_that_nobody_reads(nic):
    """Frames wait in the device for a far end that does not read: register reads are
    answered, and all frames arrive in the end."""
    nic.boot().up()
    send_big_frames(nic)
    for _ in range(20):
        assert nic.read(ABI.REG_MAGIC) == ABI.MAGIC
        nic.m.step(0.05)
    for _ in range(MANY):
        assert nic.wire.next() == BIG


@case(StreamNic)
def client_that_dies_in_the_middle_of_dma(nic):
    """A client ends while frames wait for the cable: the device is reset, and the next
    client's frame follows the frames that had already left."""
    nic.boot().up()
    send_big_frames(nic)
    assert nic.read(ABI.REG_MAGIC) == ABI.MAGIC
    nic.m.detach()
    nic.m.attach()
    nic.pci.place()
    assert nic.fw_state() == ABI.FW_NONE, "firmware lives on"
    again = StreamNic()
    again.m, again.wire = nic.m, nic.wire
    again.attach(vfio_user.Function(nic.m))
    again.boot().up()
    tx = TxQueue(again)
    tx.data(FRAME)
    tx.ring_doorbell()
    frames = 0
    while (frame := nic.wire.next()) != FRAME:
        assert frame == BIG, f"a frame of {len(frame)} bytes"
        frames += 1
    assert 0 < frames < MANY, f"{frames} frames of the first client"


@case(CardNic)
def function_level_reset(nic):
    """A function-level reset clears the device, except for its BARs, which the guest does
    not write again."""
    nic.boot().up()
    express = nic.pci.capability(0x10)
    nic.pci.set_config(express + 8, 1 << 15, 2)
    assert nic.pci.config(4, 2) & 6 == 0, "enabled"
    nic.pci.enable()
    assert nic.fw_state() == ABI.FW_NONE, "firmware lives on"
    assert not nic.pci.config(nic.pci.msix + 2, 2) & 0x8000, "MSI-X is enabled"


@case(CardNic)
def interrupts_after_the_card_was_gone(nic):
    """A driver unbinds a NIC that is gone: it reads all ones and writes them back without
    the bit that enables MSI-X. The client then removes its vectors, and MSI-X must be off
    in the device too."""
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
