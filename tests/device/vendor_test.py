#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A host program by a vendor who has docs/abi.rst and nothing else: numbers, layouts and
the bytes of the examples are read from that text; the header, and the helpers of other
suites that know the NIC, are not used. Bring-up, the examples byte for byte, receive with
joined frames, TLS 1.3 over IPv6, lengths of commands, a full event ring, removal, bus
master off."""

import ipaddress
import os
import re
import struct
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from gro_test import send_patiently
from nic import FIRMWARE, Wire, abi, case, main
from packets import TCP, V6, checksum, ip, payload, pseudo, tcp, tcp_frame
from qtest import RAM_START, Function, Machine

with open(os.path.join(abi.TOP, "docs/abi.rst")) as rst:
    TEXT = rst.read()


def read_numbers():
    """{name: number}, from the tables and from "NAME is N" and "NAME = N" in the text."""
    rows = re.findall(r"^``(VKTLS_\w+)``\s+(0x[0-9a-f]+|\d+)\b", TEXT, re.M)
    rows += re.findall(r"``(VKTLS_\w+)``\s(?:=|is)\s(0x[0-9a-f]+|\d+)", TEXT)
    return {name[6:]: int(value, 0) for name, value in rows}


def read_layouts():
    """{structure: (size, {member: (offset, size)})}."""
    layouts = {}
    for name, size, table in re.findall(
            r"``struct vktls_(\w+)``, (\d+) bytes:\n\n=.*\nOffset.*\n=.*\n((?:.+\n)+?)=", TEXT):
        layouts[name] = int(size), {
            member: (int(at), int(bytes_)) for at, bytes_, member in
            re.findall(r"^(\d+)\s+(\d+)\s+``(\w+)``", table, re.M)}
    return layouts


N, LAYOUTS = read_numbers(), read_layouts()


def block(name):
    found = re.search(rf":name: {name}\n\n((?:   .*\n|\n)+)", TEXT)
    return found[1]


def example(name):
    """The bytes of an example, as a list of entries; as one string if it has none."""
    if "vktls_" not in block(name):
        return bytes.fromhex(block(name))
    return [bytes.fromhex(raw) for raw in re.findall(
        r"^   vktls_\w+((?: +[0-9a-f]{2}(?= |$))+(?:\n +(?:[0-9a-f]{2} ?)+$)*)", block(name),
        re.M)]


def build(kind, **members):
    size, layout = LAYOUTS[kind]
    data = bytearray(size)
    for name, value in members.items():
        at, room = layout[name]
        value = value.to_bytes(room, "little") if isinstance(value, int) else value
        data[at:at + len(value)] = value
    return bytes(data)


def take_apart(kind, data):
    """The members of a structure: integers, or byte strings (record numbers, addresses,
    payloads)."""
    members = {name: data[at:at + size] for name, (at, size) in LAYOUTS[kind][1].items()}
    return {name: int.from_bytes(value, "little") if len(value) in (1, 2, 4, 8) and
            name != "rec_no" else value for name, value in members.items()}


class Host:
    """The host's memory and registers, and its ends of the rings."""

    def __init__(self, **_):
        self.m = self.wire = self.pci = None

    def open(self, tempdir):
        self.wire = Wire(tempdir, "n0")
        self.m = Machine("-m", "2700M", "-netdev", self.wire.netdev,
                         "-device", "vktls,id=card,addr=04.0,netdev=n0,mac=52:54:00:00:00:02",
                         "-object", "filter-buffer,id=hold,netdev=n0,queue=tx,"
                         "interval=4000000000,status=off")
        return self

    def close(self):
        try:
            if self.m:
                self.m.close()
        finally:
            self.wire.close()

    def read(self, name, qp=0):
        return self.m.read32(self.register(name, qp))

    def write(self, name, value, qp=0):
        self.m.write32(self.register(name, qp), value)

    def register(self, name, qp):
        base = self.pci.bars[N["BAR_REGS"]]
        return base + (0x1000 + qp * 0x40 + N[name] if name.startswith("QP_") else N[name])

    def status(self):
        value = self.read("REG_STATUS")
        return value & N["STATUS_FW_STATE"], \
            (value & N["STATUS_FW_CODE"]) >> N["STATUS_FW_CODE_SHIFT"]

    # Bring-up, by the section "Bring-up"

    def probe(self):
        self.pci = Function(self.m, 4)      # maps the BARs, enables memory space and bus master
        assert self.pci.config(0) == N["PCI_DEVICE"] << 16 | N["PCI_VENDOR"]
        self.msix()
        assert self.read("REG_MAGIC") == N["MAGIC"]
        self.version()
        self.write("REG_CTRL", N["CTRL_RESET"])
        assert self.status() == (N["FW_NONE"], N["ST_OK"])

    def version(self):
        value = self.read("REG_ABI")
        assert (value >> 16, value & 0xffff) == (N["ABI_MAJOR"], N["ABI_MINOR"]), hex(value)

    def msix(self):
        """Set up MSI-X: vector n writes n + 1 to a word of memory."""
        self.vectors = 1 + self.m.read32(self.pci.bars[N["BAR_REGS"]] + N["REG_QUEUES"])
        self.messages = self.m.alloc(4 * self.vectors)
        for n in range(self.vectors):
            for at, word in enumerate((self.messages + 4 * n, 0, n + 1, 0)):
                self.m.write32(self.pci.bars[N["BAR_MSIX"]] + 16 * n + 4 * at, word)
        self.pci.set_config(self.pci.capability(0x11) + 2, 0x8000, 2)

    def interrupted(self, vector):
        self.m.step(0.001)
        came = self.m.read32(self.messages + 4 * vector)
        self.m.write32(self.messages + 4 * vector, 0)
        return came == vector + 1

    def load(self):
        with open(FIRMWARE, "rb") as f:
            image = f.read()
        addr = self.m.alloc(len(image), 1)
        self.m.write(addr, image)
        self.write("REG_FW_ADDR_LO", addr & 0xffffffff)
        self.write("REG_FW_ADDR_HI", addr >> 32)
        self.write("REG_FW_LEN", len(image))
        self.write("REG_CTRL", N["CTRL_FW_LOAD"])
        state, code = self.status()
        assert state in (N["FW_BOOTING"], N["FW_READY"]) and code == N["ST_OK"], (state, code)
        self.m.wait(lambda: self.status()[0] == N["FW_READY"], "firmware")
        self.version()

    def rings(self):
        """Set up the command and completion ring of 16 entries each, and the event ring of
        16."""
        if not hasattr(self, "cmdq"):
            self.cmdq, self.cplq, self.evtq = (self.m.alloc(16 * size) for size in
                                               (128, 64, 16))
        self.m.write(self.cplq, bytes(16 * 64))
        self.m.write(self.evtq, bytes(16 * 16))
        for name in ("cmdq", "cplq", "evtq"):
            self.write(f"REG_{name.upper()}_ADDR_LO", getattr(self, name) & 0xffffffff)
            self.write(f"REG_{name.upper()}_ADDR_HI", getattr(self, name) >> 32)
        self.write("REG_CMDQ_LOG2", 4)
        self.write("REG_EVTQ_LOG2", 4)
        self.issued = self.seen = 0

    def command_bytes(self, entry):
        """Run one command. Returns the 64 bytes of its completion."""
        index, lap = self.issued % 16, self.issued // 16
        self.m.write(self.cmdq + 128 * index, entry.ljust(128, b"\0"))
        self.issued += 1
        self.write("REG_CMDQ_TAIL", self.issued % 16)
        at = self.cplq + 64 * index
        self.m.wait(lambda: self.m.read(at + 63, 1)[0] & 1 == 1 - lap % 2, "completion")
        return self.m.read(at, 64)

    def command(self, name, payload_=b"", status="OK"):
        cpl = take_apart("cmd_cpl", self.command_bytes(build(
            "cmd", opcode=N["CMD_" + name], len=len(payload_), tag=self.issued,
            payload=payload_)))
        assert cpl["status"] == N["ST_" + status], f"{name}: status {cpl['status']}"
        assert cpl["tag"] == self.issued - 1 and cpl["head"] == self.issued % 16
        return cpl["payload"][:cpl["len"]]

    def counters(self):
        buf = self.m.alloc(4096)
        num = take_apart("stats", self.command("STATS", build("buf", addr=buf,
                                                              len=4096)))["num"]
        assert num == N["STAT_NUM"]
        return struct.unpack(f"<{num}Q", self.m.read(buf, 8 * num))

    def event(self):
        """Wait for the next event."""
        at, lap = self.evtq + 16 * (self.seen % 16), self.seen // 16
        self.m.wait(lambda: self.m.read(at + 15, 1)[0] & 1 == 1 - lap % 2, "event")
        self.seen += 1
        self.write("REG_EVTQ_HEAD", self.seen % 16)
        return take_apart("event", self.m.read(at, 16))

    def up(self, *modes, queues=True):
        """All ten steps of the bring-up, with a pair of queues of 64 entries."""
        self.probe()
        self.load()
        self.rings()
        self.caps = take_apart("caps", self.command("CAPS"))
        assert self.caps["mac"] == bytes.fromhex("525400000002")
        assert take_apart("link", self.command("LINK_GET"))["up"] == 1
        if queues:
            self.tx, self.rx = Queue(self, "TX"), Queue(self, "RX")
        self.port("UP", "BROADCAST", *modes)
        return self

    def port(self, *modes, mtu=1500):
        flags = sum(N["PORT_" + mode] for mode in modes)
        self.command("PORT_SET", build("port_cfg", flags=flags, mtu=mtu))


class Queue:
    """One queue of a pair."""

    def __init__(self, host, kind, pair=0):
        self.h, self.kind, self.type, self.pair = host, kind, N["QUEUE_" + kind], pair
        self.ring, self.cq = host.m.alloc(64 * 16), host.m.alloc(64 * 16)
        self.create()

    def ref(self):
        return build("queue_ref", type=self.type, queue=self.pair)

    def create(self):
        self.h.m.write(self.cq, bytes(64 * 16))
        self.tail = self.head = 0
        self.h.command("QUEUE_CREATE", build("queue_cfg", ref=self.ref(), log2=6,
                                             vector=1 + self.pair, ring=self.ring, cq=self.cq))

    def post(self, *descriptors):
        for desc in descriptors:
            self.h.m.write(self.ring + 16 * (self.tail % 64), desc)
            self.tail += 1
        self.h.write(f"QP_{self.kind}_TAIL", self.tail % 64, self.pair)

    def ready(self):
        at = self.cq + 16 * (self.head % 64)
        return self.h.m.read(at + 15, 1)[0] & N["GEN"] == 1 - self.head // 64 % 2

    def raw(self):
        """Wait for the next completion. Returns its 16 bytes."""
        self.h.m.wait(self.ready, "completion")
        entry = self.h.m.read(self.cq + 16 * (self.head % 64), 16)
        self.head += 1
        self.h.write(f"QP_{self.kind}_CQ", self.head % 64, self.pair)
        return entry

    def arm(self):
        self.h.write(f"QP_{self.kind}_CQ", self.head % 64 | N["CQ_ARM"], self.pair)


def send(host, frame, *offload):
    addr = host.m.alloc(len(frame), 1)
    host.m.write(addr, frame)
    host.tx.post(*offload, build("tx_desc", addr=addr, len=len(frame),
                                 flags=N["TXD_EOP"] | N["TXD_CPL"]))
    return take_apart("tx_cpl", host.tx.raw())


def buffers(host, count, size=2048):
    addrs = [host.m.alloc(size, 1) for _ in range(count)]
    host.rx.post(*(build("rx_desc", addr=addr, len=size) for addr in addrs))
    return addrs


FRAME = bytes.fromhex("525400000009525400000002") + b"\x88\xb5" + payload(80)


@case(Host)
def bring_up(host):
    host.up()
    assert host.caps["abi_minor"] == N["ABI_MINOR"]
    host.tx.arm()
    assert send(host, FRAME)["status"] == N["ST_OK"]
    assert host.wire.receive() == FRAME and host.interrupted(1)
    counters = host.counters()
    assert counters[N["STAT_TX_FRAMES"]] == 1 and counters[N["STAT_TX_BYTES"]] == len(FRAME)


@case(Host)
def test_block(host):
    host.probe()
    host.write("REG_TEST_SCRATCH", 0xdeadbeef)
    assert host.read("REG_TEST_SCRATCH") == 0xdeadbeef
    buf = host.m.alloc(4096)
    host.write("REG_TEST_ADDR_LO", buf)
    host.write("REG_TEST_ADDR_HI", 0)
    host.write("REG_TEST_LEN", 4096)
    host.write("REG_TEST_SEED", 99)
    host.write("REG_TEST_OP", N["TEST_FILL"])
    assert host.read("REG_TEST_RESULT") == N["ST_OK"]
    words = struct.unpack("<1024I", host.m.read(buf, 4096))
    assert words == tuple((99 + n * 0x9e3779b9) & 0xffffffff for n in range(1024))
    host.write("REG_TEST_OP", N["TEST_CHECK"])
    assert host.read("REG_TEST_RESULT") == N["ST_OK"]
    for n in range(host.vectors):
        host.write("REG_TEST_OP", N["TEST_IRQ"] | n << N["TEST_VECTOR_SHIFT"])
        assert host.read("REG_TEST_RESULT") == N["ST_OK"] and host.interrupted(n)


@case(Host)
def worked_example(host):
    """The worked example of the text: command, descriptors, frames and completions have
    exactly its bytes."""
    host.up()
    key, add = example("example-command")
    host.rings()
    for _ in range(7):
        host.command("TLS_ADD", add)
    host.command("NOP")
    answer = host.command_bytes(key + add)
    head, ref = example("example-command-completion")
    assert answer == (head + ref).ljust(63, b"\0") + b"\1"

    host.m.write(0x12340000, example("example-headers"))
    host.m.write(0x5678a000, example("example-prefix"))
    host.m.write(0x9abc0800, example("example-plaintext"))
    host.tx.post(*example("example-descriptors"))
    assert host.wire.receive() == example("example-frame-1")
    assert host.wire.receive() == example("example-frame-2")
    assert host.tx.raw() == example("example-completion")[0]
    host.tx.post(*example("example-descriptors"))
    assert host.tx.raw() == example("example-refusal")[0]
    event = host.event()
    assert (event["type"], event["id"]) == (N["EVT_TX_ERROR"], 0)
    assert event["status"] == N["ST_TLS_SEQ"]
    assert host.wire.receive(0.2) is None


@case(Host)
def received_example(host):
    host.up("RX_CSUM")
    desc, cpl = example("example-receive")
    host.rx.post(desc, build("rx_desc", addr=host.m.alloc(2048), len=2048))
    frame = example("example-frame-1")
    host.wire.send(frame)
    assert host.rx.raw() == cpl
    assert host.m.read(0x0fc00000, len(frame)) == frame


def at_once(host, *frames):
    """Send frames that the device finds together when it looks."""
    host.m.qmp("qom-set", path="/objects/hold", property="status", value="on")
    for frame in frames:
        send_patiently(host.wire, frame)
    host.m.qmp("qom-set", path="/objects/hold", property="status", value="off")


@case(Host)
def joined_example(host):
    """The example of joined frames: both frames come at once, and packet and completion
    have exactly the bytes of the text."""
    host.up("RX_CSUM", "RX_GRO")
    host.rx.post(example("example-receive")[0],
                 build("rx_desc", addr=host.m.alloc(2048), len=2048))
    frames = example("example-frame-1"), example("example-frame-2")
    at_once(host, *frames)
    assert host.rx.raw() == example("example-joined")[0]
    whole = example("example-headers") + frames[0][54:] + frames[1][54:]
    assert host.m.read(0x0fc00000, len(whole)) == whole


class Peer:
    """The sender of a TLS 1.3 stream with AES-256-GCM over IPv6."""

    def __init__(self, host, seq=0xfffffe00):
        self.h, self.seq, self.number = host, seq, 0
        self.key, self.iv = bytes(range(64, 96)), bytes(range(12))
        add = build("tls_add", version=N["VERSION_TLS13"], cipher=N["CIPHER_AES_256_GCM"],
                    direction=N["DIR_RX"], tcp_seq=seq, iv=self.iv, key=self.key)
        src, dst = V6
        flow = build("tls_flow", ip_version=6, src=src, dst=dst,
                     src_port=(443).to_bytes(2, "big"), dst_port=(50000).to_bytes(2, "big"))
        answer = host.command("TLS_ADD_RX", build("tls_add_rx", add=add, flow=flow))
        self.ctx = take_apart("tls_ref", answer)["ctx"]

    def record(self, plain):
        """(record as sent, record as the device delivers it)."""
        head = b"\x17\3\3" + (len(plain) + 1 + 16).to_bytes(2, "big")
        nonce = self.iv[:4] + (int.from_bytes(self.iv[4:], "big") ^
                               self.number).to_bytes(8, "big")
        self.number += 1
        sealed = AESGCM(self.key).encrypt(nonce, plain + b"\x17", head)
        return head + sealed, head + plain + b"\x17" + sealed[-16:]

    def packet(self, data, at=None):
        seq = self.seq if at is None else at
        if at is None:
            self.seq = (self.seq + len(data)) & 0xffffffff
        return bytes.fromhex("52540000000252540000000186dd") + \
            ip(6, TCP, tcp(6, data, seq=seq))

    def state(self):
        state = take_apart("tls_state", self.h.command("TLS_QUERY", build("tls_ref",
                                                                          ctx=self.ctx)))
        return state["state"], int.from_bytes(state["rec_no"], "big")


def receive(host, frame, addr):
    """(flags of the frame, its payload as delivered)."""
    host.wire.send(frame)
    cpl = take_apart("rx_cpl", host.rx.raw())
    assert cpl["len"] == len(frame) and cpl["flags"] & N["RXC_EOP"]
    got = host.m.read(addr, len(frame))
    assert got[:74] == frame[:74]
    return cpl["flags"] & ~N["RXC_EOP"], got[74:]


@case(Host)
def tls_over_ipv6(host):
    """A TLS stream over IPv6, cut anywhere, around the wrap of the sequence number; a lost
    header with the resync request and its answer; a wrong tag."""
    host.up("RX_CSUM")
    peer, addrs = Peer(host), iter(buffers(host, 20))
    fine = N["RXC_L4_OK"] | N["RXC_TLS"] | N["RXC_TLS_DECRYPTED"]
    for size in (0, 1, 700):
        sent, clear = peer.record(payload(size))
        for begin, end in ((0, 3), (3, len(sent))):
            got = receive(host, peer.packet(sent[begin:end]), next(addrs))
            assert got == (fine, clear[begin:end]), (size, hex(got[0]))
    assert peer.state() == (N["TLS_IN_SYNC"], 3)

    lost, _ = peer.record(payload(300))
    peer.seq = (peer.seq + len(lost)) & 0xffffffff
    sent, _ = peer.record(payload(200))
    where, number = peer.seq, peer.number - 1
    flags, got = receive(host, peer.packet(sent[:100]), next(addrs))
    assert got == sent[:100] and flags == N["RXC_L4_OK"] | N["RXC_TLS"] | N["RXC_TLS_ASK"]
    events = [host.event(), host.event()]
    assert [e["type"] for e in events] == [N["EVT_TLS_LOST"], N["EVT_TLS_RESYNC"]]
    assert events[0]["status"] == N["ST_TLS_GAP"] and events[1]["arg"] == where
    assert peer.state()[0] == N["TLS_LOST"]
    host.command("TLS_RESYNC", build("tls_resync", ctx=peer.ctx, tcp_seq=where,
                                     rec_no=number.to_bytes(8, "big")))
    assert peer.state() == (N["TLS_IN_SYNC"], number)
    flags, got = receive(host, peer.packet(sent[100:]), next(addrs))
    assert got == sent[100:] and flags == N["RXC_L4_OK"] | N["RXC_TLS"]
    sent, clear = peer.record(payload(50))
    assert receive(host, peer.packet(sent), next(addrs)) == (fine, clear)

    sent, _ = peer.record(payload(60))
    forged = sent[:-1] + bytes([sent[-1] ^ 1])
    flags, got = receive(host, peer.packet(forged), next(addrs))
    assert got == forged and flags == N["RXC_L4_OK"] | N["RXC_TLS"] | N["RXC_TLS_AUTH"]
    assert host.event()["status"] == N["ST_TLS_AUTH"]
    host.command("TLS_DEL", build("tls_ref", ctx=peer.ctx))
    host.command("TLS_QUERY", build("tls_ref", ctx=peer.ctx), "NOENT")


def packet_of_many_buffers(host, addrs):
    """(completions of one frame or joined packet, its bytes)."""
    cpls, data = [], b""
    while not cpls or not cpls[-1]["flags"] & N["RXC_EOP"]:
        cpls.append(take_apart("rx_cpl", host.rx.raw()))
        data += host.m.read(next(addrs), cpls[-1]["len"])
    return cpls, data


@case(Host)
def joined_tls_over_ipv6(host):
    """Three frames of a record are decrypted and joined over several buffers; the next
    frame has a wrong tag and is not joined."""
    host.up("RX_CSUM", "RX_GRO")
    peer, addrs = Peer(host), iter(buffers(host, 10, 512))
    begin = peer.seq
    sent, clear = peer.record(payload(1200))
    frames = [peer.packet(sent[at:at + 500]) for at in range(0, len(sent), 500)]
    forged = peer.record(payload(300))[0][:-1] + b"x"
    at_once(host, *frames, alone := peer.packet(forged))

    cpls, packet = packet_of_many_buffers(host, addrs)
    assert packet == frames[0][:14] + ip(6, TCP, tcp(6, clear, seq=begin, whole=False))
    flags = N["RXC_L4_OK"] | N["RXC_TLS"] | N["RXC_TLS_DECRYPTED"] | N["RXC_GRO"]
    assert [cpl["flags"] & ~N["RXC_EOP"] for cpl in cpls] == [flags] * 3
    assert {(cpl["segs"], cpl["seg_len"]) for cpl in cpls} == {(3, 500)}
    cpls, packet = packet_of_many_buffers(host, addrs)
    assert packet == alone and cpls[0]["segs"] == cpls[0]["seg_len"] == 0
    assert cpls[0]["flags"] == N["RXC_EOP"] | N["RXC_L4_OK"] | N["RXC_TLS"] | \
        N["RXC_TLS_AUTH"]
    counters = host.counters()
    assert (counters[N["STAT_RX_GRO_PACKETS"]], counters[N["STAT_RX_GRO_FRAMES"]]) == (1, 3)


@case(Host)
def commands_of_another_length(host):
    """Each command is refused with one byte more or less than the payload that its row
    names, and with a byte set behind it."""
    host.up(queues=False)
    rows = re.findall(r"^``VKTLS_(CMD_\w+)``\s+\d+\s+(?:nothing|``struct vktls_(\w+)``)",
                      TEXT, re.M)
    assert len(rows) == N["CMD_NUM"]

    def refused(name, length, status, **more):
        cpl = take_apart("cmd_cpl", host.command_bytes(build("cmd", opcode=N[name],
                                                             len=length, **more)))
        assert (cpl["status"], cpl["len"]) == (N["ST_" + status], 0), (name, length)
    for name, kind in rows:
        size = LAYOUTS[kind][0] if kind else 0
        for length in {max(size - 1, 1), size + 1, 120, 121, 0xffff}:
            refused(name, length, "LENGTH")
        refused(name, size, "RESERVED", payload=bytes(119) + b"\1")


@case(Host)
def events_without_room(host):
    """An event ring of 16 entries holds 15 events; some more wait, further ones are lost,
    and an event tells how many."""
    host.up()
    for _ in range(300):
        assert send(host, FRAME[:5])["status"] == N["ST_TX_LENGTH"]
    full = b"\1" * 15 + b"\0"
    host.m.wait(lambda: host.m.read(host.evtq, 16 * 16)[15::16] == full, "a full ring")
    seen = [host.event() for _ in range(15)]
    send(host, FRAME[:5])
    while seen[-1]["type"] != N["EVT_OVERFLOW"]:
        seen.append(host.event())
    assert {event["type"] for event in seen[:-1]} == {N["EVT_TX_ERROR"]}
    lost = seen[-1]["arg"]
    assert lost and len(seen) - 1 + lost == 300
    assert host.event()["type"] == N["EVT_TX_ERROR"]
    assert host.counters()[N["STAT_EVENTS_LOST"]] == lost


def ip_address(text):
    return ipaddress.ip_address(text).packed


@case(Host)
def spread_over_queues(host):
    """A frame with the published RSS hash goes to the second queue by the table, and its
    VLAN tag is stripped."""
    host.up("RX_CSUM", "RSS", "VLAN_STRIP")
    second = Queue(host, "RX", 1)
    addrs = [host.m.alloc(2048, 1) for _ in range(2)]
    for queue, addr in zip((host.rx, second), addrs):
        queue.post(build("rx_desc", addr=addr, len=2048))
    table = bytearray(N["RSS_ENTRIES"])
    table[0x51ccc178 & 127] = 1
    rss = host.m.alloc(4096)
    host.m.write(rss, build("rss", key=example("example-rss-key"), table=bytes(table),
                            types=N["RSS_TCP4"]))
    host.command("RSS_SET", build("buf", addr=rss, len=LAYOUTS["rss"][0]))
    head = struct.pack(">BBHHHBBH", 0x45, 0, 40, 1, 0, 64, TCP, 0) + \
        ip_address("66.9.149.187") + ip_address("161.142.100.80")
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    segment = struct.pack(">HHIIBBHHH", 2794, 1766, 1, 2, 0x50, 16, 512, 0, 0)
    fake = head[12:] + struct.pack(">HH", TCP, len(segment))
    segment = segment[:16] + struct.pack(">H", checksum(fake + segment)) + segment[18:]
    host.wire.send(bytes.fromhex("525400000002525400000001810000370800") + head + segment)
    cpl = take_apart("rx_cpl", second.raw())
    assert cpl["hash"] == 0x51ccc178 and cpl["vlan_tci"] == 0x37 and cpl["len"] == 54
    assert cpl["flags"] == N["RXC_EOP"] | N["RXC_L4_OK"] | N["RXC_VLAN"] | N["RXC_HASH_L4"]
    assert host.m.read(addrs[1], 54)[12:] == b"\x08\0" + head + segment


@case(Host)
def moderation_and_arming(host):
    """Each arming gives one interrupt, after the moderation time or number of packets."""
    host.up()
    host.write("QP_TX_MOD", 2 << N["MOD_FRAMES_SHIFT"] | 5000)
    host.tx.arm()
    send(host, FRAME)
    assert not host.interrupted(1), "before the time"
    host.m.step(0.006)
    assert host.interrupted(1)
    send(host, FRAME)
    host.m.step(0.006)
    assert not host.interrupted(1), "not armed"
    host.tx.arm()
    send(host, FRAME)
    send(host, FRAME)
    assert host.interrupted(1), "after the number"


class Sender:
    """The host's half of a TLS 1.3 connection with ChaCha20-Poly1305."""

    def __init__(self, host):
        self.h, self.seq, self.number = host, 77, 0
        self.key, self.iv = bytes(range(1, 33)), bytes(range(100, 112))
        answer = host.command("TLS_ADD", build(
            "tls_add", version=N["VERSION_TLS13"], cipher=N["CIPHER_CHACHA20_POLY1305"],
            direction=N["DIR_TX"], tcp_seq=77, iv=self.iv, key=self.key))
        self.ctx = take_apart("tls_ref", answer)["ctx"]

    def record(self, plain):
        """(record as the host passes it to the NIC, record as it must be on the wire)."""
        inner = plain + b"\x17"
        head = b"\x17\3\3" + (len(inner) + 16).to_bytes(2, "big")
        nonce = self.iv[:4] + (int.from_bytes(self.iv[4:], "big") ^
                               self.number).to_bytes(8, "big")
        self.number += 1
        return head + inner + bytes(16), head + ChaCha20Poly1305(self.key).encrypt(
            nonce, inner, head)

    def send(self, data, seq, *more, around=(b"", b"")):
        """Send one packet marked for TLS. Returns its completion, and the payload that
        left."""
        frame, l4, hdr_len = tcp_frame(4, data, seq=seq, whole=False)
        frame = frame[:hdr_len] + around[0] + frame[hdr_len:] + around[1]
        flags = N["TXD_OFFLOAD"] | N["TXO_TLS"] | N["TXO_CSUM"]
        flags |= N["TXO_REPLAY"] if more else 0
        cpl = send(self.h, frame, build("tx_offload", tls_ctx=self.ctx, csum_start=l4,
                                        csum_offset=16, hdr_len=hdr_len, flags=flags), *more)
        left = self.h.wire.receive(0.5)
        if left:
            assert checksum(pseudo(4, TCP, len(left) - l4) + left[l4:]) == 0
        return cpl, left and left[hdr_len:]


@case(Host)
def replay_and_resync(host):
    """The middle of a record is replayed with the record around it; a gap and a resync
    follow; a resync to a used number is refused."""
    host.up()
    sender = Sender(host)
    given, wire = sender.record(payload(500))
    cpl, left = sender.send(given, 77)
    assert cpl["status"] == N["ST_OK"] and left == wire

    again = build("tx_replay", rec_no=bytes(8), before=100, after=len(given) - 300,
                  flags=N["TXD_REPLAY"])
    cpl, left = sender.send(given[100:300], 177, again, around=(given[:100], given[300:]))
    assert cpl["status"] == N["ST_OK"] and left == wire[100:300]
    other = bytes([given[50] ^ 1])
    cpl, left = sender.send(given[100:301], 177, again[:10] +
                            (len(given) - 301).to_bytes(2, "little") + again[12:],
                            around=(given[:50] + other + given[51:100], given[301:]))
    assert left is None or left == wire[100:301], "another plaintext under one nonce"

    given, _ = sender.record(payload(40))
    cpl, left = sender.send(given, 5000)
    assert cpl["status"] == N["ST_TLS_SEQ"] and left is None
    assert (cpl["tls_ctx"], cpl["tcp_seq"]) == (sender.ctx, 77 + len(wire))

    def resync(number, status):
        host.command("TLS_RESYNC", build("tls_resync", ctx=sender.ctx, tcp_seq=5000,
                                         rec_no=number.to_bytes(8, "big")), status)
    resync(0, "TLS_REUSE")
    resync(9, "OK")
    sender.number = 9
    given, wire = sender.record(payload(40))
    cpl, left = sender.send(given, 5000)
    assert cpl["status"] == N["ST_OK"] and left == wire


@case(Host)
def bus_master_cleared(host):
    """The bus master bit is cleared: queues stop, commands and events wait; the host
    destroys and creates the queues, and they work."""
    host.up()
    host.pci.enable(master=False)
    addr = host.m.alloc(len(FRAME))
    host.m.write(addr, FRAME)
    host.tx.post(build("tx_desc", addr=addr, len=len(FRAME), flags=N["TXD_EOP"]))
    host.m.step(1)
    host.pci.enable()
    event = host.event()
    assert (event["type"], event["id"]) == (N["EVT_QUEUE_ERROR"], N["QUEUE_TX"] << 8)
    assert event["status"] == N["ST_DMA"]
    host.command("QUEUE_DESTROY", host.tx.ref())
    host.tx.create()
    assert send(host, FRAME)["status"] == N["ST_OK"] and host.wire.receive() == FRAME


@case(Host)
def surprise_removal(host):
    """The NIC is removed by surprise: every register reads all ones, commands, packets and
    frames have no effect, and memory is unchanged."""
    host.up()
    buffers(host, 8)
    host.m.qmp("qom-set", path="/machine/peripheral/card", property="fault-gone", value=1)
    for name in N:
        if re.fullmatch("(REG|QP)_(?!NUM).*", name):
            assert host.read(name) == 0xffffffff, name
    addr = host.m.alloc(len(FRAME), 1)
    host.m.write(addr, FRAME)
    host.m.write(host.cmdq + 128 * (host.issued % 16), build("cmd", opcode=N["CMD_NOP"]))
    host.tx.post(build("tx_desc", addr=addr, len=len(FRAME),
                       flags=N["TXD_EOP"] | N["TXD_CPL"]))
    before = host.m.read(RAM_START, host.m.next_ram - RAM_START)
    host.write("REG_CMDQ_TAIL", (host.issued + 1) % 16)
    host.wire.send(b"\xff" * 6 + FRAME[6:])
    host.m.step(2)
    assert host.m.read(RAM_START, len(before)) == before
    assert host.wire.receive(0.2) is None
    assert host.read("REG_MAGIC") != N["MAGIC"]


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
