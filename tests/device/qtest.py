# SPDX-License-Identifier: GPL-2.0-only
"""A machine without processors: QEMU's qtest and QMP protocols over sockets, guest memory
handed out piece by piece, and PCI functions found and set up."""

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

QEMU = os.environ.get("QEMU", "build/qemu-system-x86_64")
RAM_START, RAM_END = 0x100000, 0x4000000
MMIO_START = 0xd0000000
PATIENCE = 20


class Link:
    """A line-based socket to QEMU."""

    def __init__(self, path, process):
        self.sock = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.sock.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                assert process.poll() is None, "QEMU has gone"
                assert time.monotonic() < end, f"QEMU does not open {path}"
                time.sleep(0.01)
        self.sock.settimeout(PATIENCE)
        self.file = self.sock.makefile("rb")

    def send(self, line):
        self.sock.sendall(line.encode() + b"\n")

    def line(self):
        try:
            line = self.file.readline()
        except ConnectionResetError:
            line = b""
        assert line, "QEMU has gone"
        return line.decode().rstrip("\n")

    def close(self):
        self.file.close()
        self.sock.close()


class Qmp:
    """QEMU's monitor, over qmp_link; events that arrive in the meantime are kept."""

    def qmp(self, command, **arguments):
        self.qmp_link.send(json.dumps({"execute": command,
                                       "arguments": arguments}))
        while True:
            answer = json.loads(self.qmp_link.line())
            if "event" in answer:
                self.events.append(answer)
                continue
            if "error" in answer:
                raise QmpError(answer["error"]["desc"])
            return answer["return"]


class Guest:
    """A guest's memory from next_ram on, and its time, which step() lets pass."""

    def wait(self, condition, what, step=0.001):
        """Let the guest's clock run until CONDITION() is true. Returns its value."""
        end = time.monotonic() + PATIENCE
        while not (value := condition()):
            assert time.monotonic() < end, f"{what} does not happen"
            self.step(step)
        return value

    def alloc(self, size, align=4096):
        """The address of a piece of zeroed memory that nothing else uses."""
        addr = -(-self.next_ram // align) * align
        self.next_ram = addr + size
        assert self.next_ram <= RAM_END, "guest memory is used up"
        return addr


class ConfigSpace:
    """Configuration space of a PCI function, by config() and set_config()."""

    def enable(self, master=True):
        self.set_config(4, 2 | master << 2, 2)

    def capability(self, wanted):
        at = self.config(0x34, 1)
        while at not in (0, 0xff):
            if self.config(at, 1) == wanted:
                return at
            at = self.config(at + 1, 1)
        return None


class Machine(Qmp, Guest):
    """QEMU with a q35 board, 64 MiB of memory, and the devices that ARGS add."""

    def __init__(self, *args):
        self.dir = tempfile.mkdtemp(prefix="vktls-")
        self.next_ram, self.next_mmio = RAM_START, MMIO_START
        self.log = open(os.path.join(self.dir, "log"), "w+b")
        with open(os.path.join(self.dir, "bios"), "wb") as bios:
            bios.write(bytes(0x10000))      # the board needs one; nothing runs it
        self.process = subprocess.Popen(
            [QEMU, "-nodefaults", "-display", "none", "-machine", "q35",
             "-accel", "qtest", "-m", "64M", "-qtest-log", "/dev/null",
             "-bios", f"{self.dir}/bios",
             "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
             "-qtest", f"unix:{self.dir}/qtest,server=on,wait=off",
             "-qmp", f"unix:{self.dir}/qmp,server=on,wait=off",
             "-d", "guest_errors", *args], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=subprocess.STDOUT)
        try:
            self.qtest = Link(f"{self.dir}/qtest", self.process)
            self.qmp_link = Link(f"{self.dir}/qmp", self.process)
            self.events = []
            self.qmp_link.line()
            self.qmp("qmp_capabilities")
        except AssertionError as why:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{why}: {self.logged()}") from None

    def qemu_pid(self):
        return self.process.pid

    def logged(self):
        """QEMU's output so far, with guest errors and its last words."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def close(self):
        """End QEMU; it must still run, and end when it is told to."""
        if self.process.poll() is None:
            try:
                self.qmp_link.send(json.dumps({"execute": "quit"}))
            except BrokenPipeError:
                pass
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = f"{self.process.wait()} (killed)"
        said = self.logged()
        for thing in (self.qtest, self.qmp_link, self.log):
            thing.close()
        shutil.rmtree(self.dir)
        assert status == 0, f"QEMU ended with status {status}: {said[-2000:]}"

    # qtest

    def do(self, *words):
        self.qtest.send(" ".join(f"{w:#x}" if isinstance(w, int) else w
                                 for w in words))
        while True:
            answer = self.qtest.line().split(" ", 1)
            if answer[0] == "OK":
                return answer[1] if len(answer) > 1 else ""
            assert answer[0] == "IRQ", f"{words}: {answer}"

    def read32(self, addr):
        return int(self.do("readl", addr), 0)

    def write32(self, addr, value):
        self.do("writel", addr, value)

    def read(self, addr, size):
        return base64.b64decode(self.do("b64read", addr, size))

    def write(self, addr, data):
        if data:
            self.do("b64write", addr, len(data), base64.b64encode(data).decode())

    def write_words(self, addr, data):
        """Write memory in words, so that QEMU's side of qtest never holds DATA in one
        piece."""
        for at in range(0, len(data), 4):
            self.write32(addr + at, int.from_bytes(data[at:at + 4], "little"))

    def step(self, seconds):
        """Let the guest's time pass."""
        self.do("clock_step", str(int(seconds * 1e9)))

    # QMP

    def wait_event(self, name):
        """Wait until QEMU has sent an event of that name."""
        def seen():
            self.qmp("query-status")
            return [e for e in self.events if e["event"] == name]
        return self.wait(seen, f"event {name}")[0]

    # PCI

    def config_addr(self, bus, dev, offset):
        self.do("outl", 0xcf8, 1 << 31 | bus << 16 | dev << 11 | offset & ~3)

    def config_read(self, bus, dev, offset):
        self.config_addr(bus, dev, offset)
        return int(self.do("inl", 0xcfc), 0) >> (offset & 3) * 8

    def config_write(self, bus, dev, offset, value, size=4):
        self.config_addr(bus, dev, offset)
        self.do({1: "outb", 2: "outw", 4: "outl"}[size], 0xcfc + (offset & 3),
                value)


class QmpError(Exception):
    """QEMU refused a command."""


class Function(ConfigSpace):
    """A PCI function on a bus, with its BARs mapped."""

    def __init__(self, machine, dev, bus=0):
        self.m, self.bus, self.dev = machine, bus, dev
        self.bars = [self.map_bar(n) for n in range(2)]
        self.enable()

    def config(self, offset, size=4):
        value = self.m.config_read(self.bus, self.dev, offset)
        return value & (1 << size * 8) - 1

    def set_config(self, offset, value, size=4):
        self.m.config_write(self.bus, self.dev, offset, value, size)

    def map_bar(self, n):
        self.set_config(0x10 + n * 4, 0xffffffff)
        size = (1 << 32) - (self.config(0x10 + n * 4) & ~15)
        base = -(-self.m.next_mmio // size) * size
        self.m.next_mmio = base + size
        self.set_config(0x10 + n * 4, base)
        return base
