# SPDX-License-Identifier: GPL-2.0-only
"""The machine of qtest.py with the device in a process of its own: a vfio-user client, its
memory, and the vector table that a client keeps."""

import array
import json
import mmap
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

from qtest import MMIO_START, PATIENCE, RAM_END, RAM_START
from qtest import ConfigSpace, Guest, Link, Qmp

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CARD = os.path.join(TOP, "tools/vktls-card")
VERSION, DMA_MAP, DMA_UNMAP, GET_REGION_INFO, SET_IRQS = 1, 2, 3, 5, 8
REGION_READ, REGION_WRITE, DEVICE_RESET = 9, 10, 13
REPLY, ERROR = 1, 1 << 5
HEADER = struct.Struct("<HHIII")    # id, command, size, flags, error
CONFIG = 7                          # index of the region with the configuration space
MSIX_IRQS, BY_EVENTFD = 2, 1 << 2 | 1 << 5
TABLE_BAR = 1
ENTRY = struct.Struct("<QII")       # address, data, control (bit 0 masks)


class Refused(Exception):
    """The server answers with an error."""


class Client:
    """One vfio-user connection."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(path)
        self.number = 0
        self.ask(VERSION, struct.pack("<HH", 0, 1) + json.dumps(
            {"capabilities": {"max_msg_fds": 8, "max_data_xfer_size": 1 << 20}}).encode() +
            b"\0")

    def take(self, size):
        data = b""
        while len(data) < size:
            piece = self.sock.recv(size - len(data))
            if not piece:
                raise ConnectionError("the card has gone")
            data += piece
        return data

    def ask(self, command, payload, fds=()):
        """Send one request. Returns the answer's payload."""
        self.number = (self.number + 1) & 0xffff
        message = HEADER.pack(self.number, command, HEADER.size + len(payload), 0, 0)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([message + payload], rights)
        number, _, size, flags, error = HEADER.unpack(self.take(HEADER.size))
        data = self.take(size - HEADER.size)
        assert (number, flags & 15) == (self.number, REPLY), "an answer to nothing"
        if flags & ERROR:
            raise Refused(os.strerror(error))
        return data

    def share(self, addr, size, fd=None):
        """Share memory with the device, or announce memory that it cannot reach (no FD)."""
        self.ask(DMA_MAP, struct.pack("<IIQQQ", 32, 3, 0, addr, size),
                 [] if fd is None else [fd])

    def read(self, region, offset, size):
        head = struct.pack("<QII", offset, region, size)
        return self.ask(REGION_READ, head)[len(head):]

    def write(self, region, offset, data):
        self.ask(REGION_WRITE, struct.pack("<QII", offset, region, len(data)) + data)

    def region_size(self, region):
        info = self.ask(GET_REGION_INFO, struct.pack("<IIIIQQ", 32, 0, region, 0, 0, 0))
        return struct.unpack_from("<Q", info, 16)[0]

    def deliver(self, vector, fd):
        """Have the messages of a vector signalled by an eventfd."""
        self.ask(SET_IRQS, struct.pack("<IIIII", 20, BY_EVENTFD, MSIX_IRQS, vector, 1), [fd])

    def reset(self):
        self.ask(DEVICE_RESET, b"")

    def close(self):
        self.sock.close()


class Process(Qmp):
    """tools/vktls-card as a process, with its output."""

    def __init__(self, *args):
        self.dir = tempfile.mkdtemp(prefix="vktls-")
        self.path = os.path.join(self.dir, "card")
        self.log = open(os.path.join(self.dir, "log"), "w+b")
        more = ["--", "-d", "guest_errors"]
        self.process = subprocess.Popen(
            [CARD, "--socket", self.path, "--qemu", os.environ["QEMU"],
             "--qmp", self.path + ".qmp", *args, *more], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=subprocess.STDOUT)
        try:
            self.until(lambda: "waiting for a client" in self.logged(), "card")
            self.qmp_link = Link(self.path + ".qmp", self.process)
        except AssertionError as why:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{why}: {self.logged()}") from None
        self.qmp_link.line()
        self.events = []
        self.qmp("qmp_capabilities")

    def until(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, f"{what}: the process has ended"
            assert time.monotonic() < end, f"{what} does not happen"
            time.sleep(0.02)

    def qemu_pid(self):
        """Process id of the QEMU that is the device."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as children:
            return int(children.read().split()[0])

    def logged(self):
        with open(self.log.name, "rb") as log:
            return log.read().decode(errors="replace")

    def end(self):
        """Tell the process to end; its status must be 0."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(PATIENCE)
        said = self.logged()
        self.qmp_link.close()
        self.log.close()
        shutil.rmtree(self.dir)
        assert status == 0, f"vktls-card ended with status {status}: {said[-2000:]}"


class Machine(Process, Guest):
    """A client with 64 MiB of memory. ARGS are those of qtest.Machine."""

    def __init__(self, *args):
        self.next_ram, self.next_mmio = RAM_START, MMIO_START
        _, netdev, _, device = args
        netdev = ",".join(word for word in netdev.split(",") if not word.startswith("id="))
        device = [word for word in device.split(",")[1:]
                  if not word.startswith(("id=", "addr=", "netdev="))]
        super().__init__("--id", "nic", "--netdev", netdev, "--device", ",".join(device))
        self.memory = os.memfd_create("ram")
        os.truncate(self.memory, RAM_END)
        self.ram = mmap.mmap(self.memory, RAM_END)
        self.bars, self.table, self.fds, self.pending = {}, {}, {}, set()
        self.attach()

    def attach(self):
        """Connect as a new client."""
        self.client = Client(self.path)
        self.client.share(0, RAM_END, self.memory)
        self.client.reset()

    def detach(self):
        """Disconnect, and wait until the device has noticed."""
        count = self.logged().count("the client has gone")
        self.client.close()
        self.until(lambda: self.logged().count("the client has gone") > count, "hang-up")
        while self.fds:
            os.close(self.fds.popitem()[1])

    def close(self):
        self.client.close()
        for fd in self.fds.values():
            os.close(fd)
        self.ram.close()
        os.close(self.memory)
        self.end()

    def logged(self):
        """QEMU's output, which passes through vktls-card: wait until nothing more comes."""
        before, said = None, super().logged()
        while said != before:
            time.sleep(0.2)
            before, said = said, super().logged()
        return said

    # access to memory and registers by address

    def place(self, addr):
        """(region, offset) of an address, or None for memory."""
        for number, (base, size) in self.bars.items():
            if base <= addr < base + size:
                return number, addr - base
        assert addr < RAM_END, f"nothing is at {addr:#x}"
        return None

    def read(self, addr, size):
        if place := self.place(addr):
            if place[0] == TABLE_BAR and place[1] < ENTRY.size * len(self.table):
                return self.table_bytes()[place[1]:place[1] + size]
            return self.client.read(*place, size)
        self.take_messages()
        return self.ram[addr:addr + size]

    def write(self, addr, data):
        place = self.place(addr) if data else None
        if not place:
            self.ram[addr:addr + len(data)] = data
        elif place[0] == TABLE_BAR and place[1] < ENTRY.size * len(self.table):
            self.set_table(place[1], data)
        else:
            self.client.write(*place, data)

    def read32(self, addr):
        if not self.place(addr):
            self.client.read(CONFIG, 0, 4)      # lets the device's main loop run
        return int.from_bytes(self.read(addr, 4), "little")

    def write32(self, addr, value):
        self.write(addr, value.to_bytes(4, "little"))

    write_words = write

    # interrupt messages

    def table_bytes(self):
        return b"".join(ENTRY.pack(*self.table[n]) for n in sorted(self.table))

    def set_table(self, offset, data):
        table = bytearray(self.table_bytes())
        table[offset:offset + len(data)] = data
        for n in self.table:
            self.table[n] = ENTRY.unpack_from(table, n * ENTRY.size)

    def start_messages(self):
        for vector in self.table:
            if vector not in self.fds:
                self.fds[vector] = os.eventfd(0, os.EFD_NONBLOCK)
                self.client.deliver(vector, self.fds[vector])

    def take_messages(self):
        """Write each message that has arrived to the address in its entry; a masked one
        waits."""
        ready = select.select(list(self.fds.values()), [], [], 0)[0] if self.fds else []
        for vector, fd in self.fds.items():
            if fd in ready:
                os.eventfd_read(fd)
                self.pending.add(vector)
            addr, data, control = self.table[vector]
            if vector in self.pending and not control & 1:
                self.pending.discard(vector)
                self.ram[addr:addr + 4] = data.to_bytes(4, "little")

    # the host's clock is the time

    def step(self, seconds):
        time.sleep(seconds)


class Function(ConfigSpace):
    """The device's PCI function; its BARs are where the client puts them."""

    def __init__(self, machine, _dev=0):
        self.m, self.bars = machine, []
        for number in range(2):
            size = machine.client.region_size(number)
            base = -(-machine.next_mmio // size) * size
            machine.next_mmio = base + size
            machine.bars[number] = base, size
            self.bars.append(base)
        self.msix = self.capability(0x11)
        vectors = (self.config(self.msix + 2, 2) & 0x7ff) + 1
        machine.table = {n: (0, 0, 1) for n in range(vectors)}
        self.place()

    def place(self):
        """Tell the device where its BARs are, and enable it; a reset forgets that."""
        for number, base in enumerate(self.bars):
            self.set_config(0x10 + number * 4, base)
        self.enable()

    def config(self, offset, size=4):
        return int.from_bytes(self.m.client.read(CONFIG, offset, size), "little")

    def set_config(self, offset, value, size=4):
        self.m.client.write(CONFIG, offset, value.to_bytes(size, "little"))
        if offset <= self.msix + 3 < offset + size and self.config(self.msix + 2, 2) & 0x8000:
            self.m.start_messages()
