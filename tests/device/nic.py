# SPDX-License-Identifier: GPL-2.0-only
"""The NIC as a test drives it: registers and structures by their names in vktls_abi.h,
firmware, commands, queues, and the far end of its wire."""

import functools
import os
import queue
import re
import socket
import struct
import tempfile
import threading
import traceback

import abi
import qtest
import vfio_user

HEADER = abi.Header(abi.ABI_H)
NUMBERS = abi.host_numbers(HEADER)
BUILD = os.environ.get("BUILD", os.path.join(abi.TOP, "build"))
FIRMWARE = os.path.join(BUILD, "firmware/vktls.fw")
MAC = bytes.fromhex("5254000a0b0c")
PEER = bytes.fromhex("525400010203")
QUIET = 0.2


class Names:
    """Numbers of the ABI without their prefix: ABI.REG_MAGIC is VKTLS_REG_MAGIC."""

    def __getattr__(self, name):
        try:
            return NUMBERS["VKTLS_" + name]
        except KeyError as why:
            raise AttributeError(f"no VKTLS_{name}") from why


ABI = Names()


def status_name(value):
    names = [n for n, v in NUMBERS.items() if n.startswith("VKTLS_ST_") and v == value]
    return names[0][6:] if names else f"status {value}"


def pack(kind, **members):
    """The bytes of a struct vktls_KIND; members that are not given are zero."""
    kind = "vktls_" + kind
    data = bytearray(NUMBERS[f"struct {kind}"])
    for name, value in members.items():
        at = NUMBERS[f"{kind}.{name} offset"]
        size = NUMBERS[f"{kind}.{name} size"]
        if isinstance(value, int):
            value = value.to_bytes(size, "little")
        assert len(value) <= size, f"{kind}.{name}"
        data[at:at + len(value)] = value
    return bytes(data)


def unpack(kind, data):
    """The members of a struct vktls_KIND: little-endian numbers, or bytes."""
    kind, members = "vktls_" + kind, {}
    for name in HEADER.structs[kind]:
        at = NUMBERS[f"{kind}.{name} offset"]
        size = NUMBERS[f"{kind}.{name} size"]
        value = data[at:at + size]
        if size in (1, 2, 4, 8) and name != "rec_no":
            value = int.from_bytes(value, "little")
        members[name] = value
    return members


class Wire:
    """The far end of the NIC's cable: whole frames, with nothing before them. A thread
    reads the frames, because the socket holds only a few."""

    def __init__(self, directory, name):
        far = os.path.join(directory, name + ".far")
        self.near = os.path.join(directory, name + ".near")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(far)
        self.sock.settimeout(0.05)
        self.frames, self.ended = queue.Queue(), False
        self.taking = threading.Event()
        self.taking.set()
        self.taker = threading.Thread(target=self.take)
        self.taker.start()
        self.netdev = ("dgram,local.type=unix,remote.type=unix,"
                       f"id={name},local.path={self.near},remote.path={far}")

    def take(self):
        while not self.ended:
            self.taking.wait()
            try:
                self.frames.put(self.sock.recv(65536))
            except socket.timeout:
                pass

    def send(self, frame):
        self.sock.sendto(frame, self.near)

    def receive(self, timeout=5.0):
        """The next frame, or None if there is none in time."""
        try:
            return self.frames.get(timeout=timeout)
        except queue.Empty:
            return None

    def close(self):
        self.ended = True
        self.taking.set()
        self.taker.join()
        self.sock.close()


class Ring:
    """A ring in guest memory: entries of one size, and an index that wraps."""

    def __init__(self, machine, log2, size=16):
        self.m, self.count, self.size, self.at = machine, 1 << log2, size, 0
        self.addr = machine.alloc(self.count * size)
        self.gen = 1

    def put(self, entry):
        """Write the next entry. Returns the index after it, for the doorbell."""
        self.m.write(self.addr + self.at * self.size, entry)
        self.at = (self.at + 1) % self.count
        return self.at

    def there(self):
        """Whether the next completion is there."""
        return self.m.read(self.addr + self.at * self.size, self.size)[-1] == self.gen

    def take(self):
        """The next completion, or None if it is not there yet."""
        entry = self.m.read(self.addr + self.at * self.size, self.size)
        if entry[-1] != self.gen:
            return None
        self.at = (self.at + 1) % self.count
        self.gen ^= not self.at
        return entry


class Queue:
    """A ring and its completion ring, created by firmware."""

    def __init__(self, nic, kind, number, log2=6, **cfg):
        self.nic, self.m, self.number = nic, nic.m, number
        self.ring, self.cq = Ring(nic.m, log2), Ring(nic.m, log2)
        self.type = {"tx": ABI.QUEUE_TX, "rx": ABI.QUEUE_RX}[kind]
        self.tail_reg = ABI.REG_QP + (number - 3) * 0x40 + \
            (ABI.QP_TX_TAIL if kind == "tx" else ABI.QP_RX_TAIL)
        self.cq_reg = self.tail_reg + ABI.QP_TX_CQ - ABI.QP_TX_TAIL
        self.mod_reg = self.tail_reg + ABI.QP_TX_MOD - ABI.QP_TX_TAIL
        self.cpl = kind + "_cpl"
        cfg = dict(ref=self.ref(), log2=log2, vector=1 + number,
                   ring=self.ring.addr, cq=self.cq.addr) | cfg
        nic.command("QUEUE_CREATE", pack("queue_cfg", **cfg))

    def ref(self):
        return pack("queue_ref", type=self.type, queue=self.number)

    def destroy(self):
        self.nic.command("QUEUE_DESTROY", self.ref())

    def ring_doorbell(self):
        self.nic.write(self.tail_reg, self.ring.at)

    def give_back(self, arm=False):
        self.nic.write(self.cq_reg, self.cq.at | (ABI.CQ_ARM if arm else 0))

    def completion(self):
        """Wait for the next completion. Returns its members."""
        entry = self.m.wait(self.cq.take, f"completion of {self.cpl}")
        self.give_back()
        return unpack(self.cpl, entry)

    def no_completion(self):
        self.m.step(0.01)
        assert self.cq.take() is None, "there is a completion"


class TxQueue(Queue):
    """A transmit queue, used packet by packet."""

    def __init__(self, nic, number=0, **cfg):
        super().__init__(nic, "tx", number, **cfg)

    def descriptor(self, **members):
        self.ring.put(pack("tx_desc", **members))

    def offload(self, flags, **members):
        self.ring.put(pack("tx_offload", flags=ABI.TXD_OFFLOAD | flags, **members))

    def data(self, data, pieces=1):
        """Put DATA into the ring in PIECES descriptors; the last one ends the packet."""
        size = -(-len(data) // pieces)
        for at in range(0, len(data), size):
            piece = data[at:at + size]
            addr = self.m.alloc(len(piece), 1)
            self.m.write(addr, piece)
            last = at + size >= len(data)
            self.descriptor(addr=addr, len=len(piece), flags=
                            ABI.TXD_EOP | ABI.TXD_CPL if last else 0)

    def send(self, frame, flags=0, pieces=1, **members):
        """Send one packet. Returns its completion."""
        if flags:
            self.offload(flags, **members)
        self.data(frame, pieces)
        self.ring_doorbell()
        return self.completion()

    def send_ok(self, frame, *args, **members):
        cpl = self.send(frame, *args, **members)
        assert cpl["status"] == ABI.ST_OK, status_name(cpl["status"])
        assert cpl["head"] == self.ring.at, "head is not after the packet"

    def refused(self, why, frame, *args, **members):
        """A packet completes with status WHY, is counted and reported by an event, and
        nothing of it leaves."""
        before = self.nic.stats()["TX_ERRORS"]
        cpl = self.send(frame, *args, **members)
        self.check_refused(cpl, why, before)
        return cpl

    def check_refused(self, cpl, why, errors_before):
        assert cpl["status"] == NUMBERS["VKTLS_ST_" + why], \
            f"{status_name(cpl['status'])}, expected {why}"
        assert cpl["head"] == self.ring.at, "head is not after the packet"
        frame = self.nic.wire.receive(QUIET)
        assert frame is None, f"{len(frame)} bytes left"
        assert self.nic.stats()["TX_ERRORS"] == errors_before + 1
        event = self.nic.event("TX_ERROR")
        assert (event["id"], event["status"]) == (self.number, cpl["status"])


class RxQueue(Queue):
    """A receive queue with buffers of one size."""

    def __init__(self, nic, number=0, bufs=32, size=2048, **cfg):
        super().__init__(nic, "rx", number, **cfg)
        self.size, self.bufs = size, {}
        self.fill(bufs)

    def fill(self, count=1):
        for _ in range(count):
            addr = self.m.alloc(self.size, 64)
            self.bufs[self.ring.at] = addr
            self.ring.put(pack("rx_desc", addr=addr, len=self.size))
        self.ring_doorbell()

    def receive(self):
        """The next frame, and the completion of its last buffer."""
        frame = b""
        while True:
            cpl = self.completion()
            frame += self.m.read(self.bufs.pop(cpl["index"]), cpl["len"])
            if cpl["flags"] & ABI.RXC_EOP:
                return frame, cpl


class Nic:
    """A machine with one NIC, and the state that a driver would keep. CARD=vfio-user in the
    environment puts the NIC into a process of its own, see vfio_user.py."""

    host = vfio_user if os.environ.get("CARD") == "vfio-user" else qtest

    def __init__(self, **properties):
        self.props = {"queues": 2, "mac": MAC.hex(":")} | properties
        self.m, self.wire, self.pci = None, None, None
        self.cmdq = self.cplq = self.evtq = None
        self.tag, self.events = 0, []
        self.firmware = None    # an image to load instead of today's

    def device_line(self):
        props = "".join(f",{k.replace('_', '-')}={v}" for k, v in self.props.items())
        return f"vktls,id=nic,addr=04.0,netdev=n0{props}"

    def open(self, tempdir):
        self.wire = Wire(tempdir, "n0")
        self.m = self.host.Machine("-netdev", self.wire.netdev,
                                   "-device", self.device_line())
        self.attach(self.host.Function(self.m, 4))
        return self

    def attach(self, pci):
        self.pci = pci
        count = 1 + self.read(ABI.REG_QUEUES)
        self.messages = self.m.alloc(4 * count)
        for n in range(count):
            entry = struct.pack("<QII", self.messages + n * 4, n + 1, 0)
            for i in range(4):
                self.m.write32(pci.bars[1] + n * 16 + i * 4,
                               int.from_bytes(entry[i * 4:i * 4 + 4], "little"))
        cap = pci.capability(0x11)
        pci.set_config(cap + 2, 0x8000, 2)

    def close(self):
        try:
            if self.m:
                self.m.close()
        finally:
            if self.wire:
                self.wire.close()

    def read(self, reg):
        return self.m.read32(self.pci.bars[0] + reg)

    def write(self, reg, value):
        self.m.write32(self.pci.bars[0] + reg, value)

    def interrupted(self, vector):
        """Has the vector sent a message since the last call? QEMU's main loop sends
        messages, and runs between two reads."""
        came = self.m.read32(self.messages + vector * 4) or \
            self.m.read32(self.messages + vector * 4)
        self.m.write32(self.messages + vector * 4, 0)
        assert came in (0, vector + 1), f"message {came:#x} in place {vector}"
        return bool(came)

    # Firmware

    def fw_state(self):
        return self.read(ABI.REG_STATUS) & ABI.STATUS_FW_STATE

    def load(self, image, length=None):
        """Load an image. Returns the status that the loader shows."""
        addr = self.m.alloc(len(image))
        self.m.write(addr, image)
        self.write(ABI.REG_FW_ADDR_LO, addr)
        self.write(ABI.REG_FW_ADDR_HI, 0)
        self.write(ABI.REG_FW_LEN, len(image) if length is None else length)
        self.write(ABI.REG_CTRL, ABI.CTRL_FW_LOAD)
        status = self.read(ABI.REG_STATUS)
        return (status & ABI.STATUS_FW_CODE) >> ABI.STATUS_FW_CODE_SHIFT

    def boot(self):
        """Load firmware and set up the command and event queues."""
        if not self.firmware:
            with open(FIRMWARE, "rb") as f:
                self.firmware = f.read()
        code = self.load(self.firmware)
        assert code == ABI.ST_OK, status_name(code)
        self.m.wait(lambda: self.fw_state() == ABI.FW_READY, "firmware ready")
        self.cmdq, self.cplq = Ring(self.m, 4, 128), Ring(self.m, 4, 64)
        self.evtq = Ring(self.m, 8)
        for reg, ring in (("CMDQ", self.cmdq), ("CPLQ", self.cplq),
                          ("EVTQ", self.evtq)):
            self.write(NUMBERS[f"VKTLS_REG_{reg}_ADDR_LO"], ring.addr)
            self.write(NUMBERS[f"VKTLS_REG_{reg}_ADDR_HI"], 0)
        self.write(ABI.REG_CMDQ_LOG2, 4)
        self.write(ABI.REG_EVTQ_LOG2, 8)
        return self

    def up(self, *flags, mtu=1500):
        """Set the port up, with the flags of these names."""
        value = ABI.PORT_UP | ABI.PORT_BROADCAST
        for flag in flags:
            value |= NUMBERS["VKTLS_PORT_" + flag]
        self.command("PORT_SET", pack("port_cfg", flags=value, mtu=mtu))
        return self

    def sleep(self, asleep):
        """D3hot and back."""
        self.pci.set_config(self.pci.capability(1) + 4, 3 if asleep else 0, 2)

    def submit(self, opcode, payload=b"", length=None):
        """Run a command. Returns its completion."""
        self.tag += 1
        self.write(ABI.REG_CMDQ_TAIL, self.cmdq.put(pack(
            "cmd", opcode=opcode, tag=self.tag, payload=payload,
            len=len(payload) if length is None else length)))
        cpl = unpack("cmd_cpl", self.m.wait(self.cplq.take, f"command {opcode}"))
        assert (cpl["tag"], cpl["opcode"]) == (self.tag, opcode), cpl
        return cpl

    def command(self, name, payload=b"", status="OK"):
        """Run a command by name; it ends with STATUS. Returns the completion's payload."""
        cpl = self.submit(NUMBERS["VKTLS_CMD_" + name], payload)
        assert cpl["status"] == NUMBERS["VKTLS_ST_" + status], \
            f"{name}: {status_name(cpl['status'])}, expected {status}"
        return cpl["payload"][:cpl["len"]]

    def event(self, name):
        """Wait for the next event of that type; earlier events of other types are dropped."""
        def found():
            entry = self.evtq.take()
            if entry is None:
                return None
            self.write(ABI.REG_EVTQ_HEAD, self.evtq.at)
            event = unpack("event", entry)
            return event if event["type"] == NUMBERS["VKTLS_EVT_" + name] else None
        return self.m.wait(found, f"event {name}")

    def stats(self):
        """All counters by name."""
        addr = self.m.alloc(8 * ABI.STAT_NUM, 8)
        self.command("STATS", pack("buf", addr=addr, len=8 * ABI.STAT_NUM))
        words = struct.unpack(f"<{ABI.STAT_NUM}Q", self.m.read(addr, 8 * ABI.STAT_NUM))
        names = [n[11:] for n in NUMBERS if re.match("VKTLS_STAT_(?!NUM)", n)]
        return dict(zip(names, words))


def case(kind=Nic, **properties):
    """A decorator for a test case: a function that gets a NIC of its own with these
    properties. QEMU has to outlive the case."""
    def decorate(function):
        @functools.wraps(function)
        def run():
            with tempfile.TemporaryDirectory(prefix="vktls-") as tempdir:
                nic = kind(**properties)
                try:
                    nic.open(tempdir)
                    function(nic)
                finally:
                    nic.close()
        run.case_of = function.__module__
        return run
    return decorate


def in_qemu_only(why):
    """A decorator for a case that is impossible with the NIC in a process of its own."""
    def decorate(function):
        function.in_qemu_only = why
        return function
    return decorate


def main(module):
    """Run the cases of a module in their order, as KTAP."""
    cases = abi.chosen([f for f in vars(module).values()
                        if getattr(f, "case_of", None) == module.__name__ and
                        (Nic.host is qtest or not hasattr(f, "in_qemu_only"))])
    failed = 0
    print(f"KTAP version 1\n1..{len(cases)}")
    for number, function in enumerate(cases, 1):
        try:
            function()
            print(f"ok {number} {function.__name__}", flush=True)
        except Exception as why:    # pylint: disable=broad-exception-caught
            failed += 1
            for line in traceback.format_exception(why):
                print("# " + line.rstrip().replace("\n", "\n# "))
            print(f"not ok {number} {function.__name__}", flush=True)
    return 1 if failed or not cases else 0
