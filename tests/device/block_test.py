#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The device without firmware: identity, registers, test block, loader, resets, properties."""

import hashlib
import struct
import sys

from nic import ABI, FIRMWARE, MAC, NUMBERS, case, main, pack, status_name
from qtest import RAM_END, Machine, QmpError


@case()
def identity(nic):
    assert nic.pci.config(0) == ABI.PCI_DEVICE << 16 | ABI.PCI_VENDOR
    assert nic.pci.config(8) >> 8 == 0x020000, "class is not Ethernet"
    assert nic.read(ABI.REG_MAGIC) == ABI.MAGIC
    assert nic.read(ABI.REG_ABI) == ABI.ABI_MAJOR << 16 | ABI.ABI_MINOR
    assert nic.read(ABI.REG_QUEUES) == 2


@case()
def capabilities(nic):
    for cap in (0x01, 0x10, 0x11):
        assert nic.pci.capability(cap), f"no PCI capability {cap:#x}"
    msix = nic.pci.capability(0x11)
    assert (nic.pci.config(msix + 2, 2) & 0x7ff) + 1 == 3, "vectors"
    assert nic.pci.config(msix + 4) & 7 == ABI.BAR_MSIX


@case()
def scratch_register(nic):
    for value in (0, 0xffffffff, 0x12345678):
        nic.write(ABI.REG_TEST_SCRATCH, value)
        assert nic.read(ABI.REG_TEST_SCRATCH) == value


@case()
def read_only_registers(nic):
    for reg in ("MAGIC", "ABI", "STATUS", "QUEUES", "HEARTBEAT", "FW_VERSION",
                "TEST_RESULT", "TEST_WHERE"):
        reg = NUMBERS["VKTLS_REG_" + reg]
        before = nic.read(reg)
        nic.write(reg, ~before & 0xffffffff)
        assert nic.read(reg) == before, f"{reg:#x} changed"


@case()
def no_such_register(nic):
    for reg in (0x0ffc, 0x1018, 0x1080, 0xfffc):
        nic.write(reg, 0xffffffff)
        assert nic.read(reg) == 0
    assert "no register" in nic.m.logged()


@case()
def narrow_accesses(nic):
    base = nic.pci.bars[0] + ABI.REG_TEST_SCRATCH
    nic.write(ABI.REG_TEST_SCRATCH, 0x11223344)
    nic.m.do("writeb", base, 0xff)
    nic.m.do("writew", base + 2, 0xffff)
    nic.m.do("writeq", base, 0xffffffffffffffff)
    nic.m.do("readq", base)
    nic.m.do("writel", base + 2, 0)
    assert nic.read(ABI.REG_MAGIC) == ABI.MAGIC


def run_test(nic, op, addr=0, length=0, seed=0):
    nic.write(ABI.REG_TEST_ADDR_LO, addr & 0xffffffff)
    nic.write(ABI.REG_TEST_ADDR_HI, addr >> 32)
    nic.write(ABI.REG_TEST_LEN, length)
    nic.write(ABI.REG_TEST_SEED, seed)
    nic.write(ABI.REG_TEST_OP, op)
    return status_name(nic.read(ABI.REG_TEST_RESULT))


def pattern(seed, length):
    return b"".join(struct.pack("<I", (seed + n * 0x9e3779b9) & 0xffffffff)
                    for n in range(length // 4))


@case()
def test_fill(nic):
    addr = nic.m.alloc(ABI.TEST_MAX_LEN + 8)
    for length in (4, 4096, ABI.TEST_MAX_LEN):
        assert run_test(nic, ABI.TEST_FILL, addr + 4, length, length) == "ST_OK"
        assert nic.m.read(addr + 4, length) == pattern(length, length)
    assert not any(nic.m.read(addr, 4)), "wrote before the buffer"
    assert not any(nic.m.read(addr + 4 + ABI.TEST_MAX_LEN, 4)), "wrote past it"


@case()
def test_check(nic):
    addr, length = nic.m.alloc(8192), 8192
    nic.m.write(addr, pattern(7, length))
    assert run_test(nic, ABI.TEST_CHECK, addr, length, 7) == "ST_OK"
    for where in (length - 4, 4, 0):
        nic.m.write(addr + where, b"\x55\xaa\x55\xaa")
        assert run_test(nic, ABI.TEST_CHECK, addr, length, 7) == "ST_PARAM"
        assert nic.read(ABI.REG_TEST_WHERE) == where


@case()
def test_refusals(nic):
    addr = nic.m.alloc(4096)
    table = ((ABI.TEST_FILL, addr, 3, "ST_LENGTH"),
             (ABI.TEST_FILL, addr, ABI.TEST_MAX_LEN + 4, "ST_LENGTH"),
             (ABI.TEST_CHECK, addr, 0xfffffffc, "ST_LENGTH"),
             (0, addr, 4, "ST_OPCODE"), (0xff, addr, 4, "ST_OPCODE"),
             (ABI.TEST_FILL | 1 << 16, addr, 4, "ST_RESERVED"))
    for op, where, length, status in table:
        assert run_test(nic, op, where, length) == status


@case()
def test_interrupt(nic):
    for vector in range(3):
        assert run_test(nic, ABI.TEST_IRQ | vector << 8) == "ST_OK"
        assert nic.interrupted(vector)
    for vector in (3, 255):
        assert run_test(nic, ABI.TEST_IRQ | vector << 8) == "ST_PARAM"


@case()
def dma_reaches_memory_only(nic):
    """The test block's DMA reaches guest memory only. An address behind the end of memory,
    in the device's own registers or MSI-X table, in the interrupt controller, or around the
    end of all addresses gives ST_DMA."""
    bar = nic.pci.bars
    for addr in (RAM_END, RAM_END - 16, bar[0] + ABI.REG_TEST_SCRATCH & ~31,
                 bar[0], bar[1], 0xfee00000, 1 << 40, (1 << 64) - 16):
        for op in (ABI.TEST_FILL, ABI.TEST_CHECK):
            assert run_test(nic, op, addr, 32, 1) == "ST_DMA", hex(addr)
    assert nic.read(ABI.REG_MAGIC) == ABI.MAGIC


@case()
def dma_needs_bus_mastering(nic):
    addr = nic.m.alloc(64)
    nic.pci.enable(master=False)
    assert run_test(nic, ABI.TEST_FILL, addr, 64) == "ST_DMA"
    nic.pci.enable()
    assert run_test(nic, ABI.TEST_FILL, addr, 64) == "ST_OK"


@case()
def interrupt_message_to_own_registers(nic):
    """An interrupt message is addressed to the device's own reset register: nothing is
    reset."""
    entry = nic.pci.bars[1]
    nic.m.write32(entry, nic.pci.bars[0] + ABI.REG_CTRL)
    nic.m.write32(entry + 8, ABI.CTRL_RESET)
    nic.write(ABI.REG_TEST_SCRATCH, 42)
    assert run_test(nic, ABI.TEST_IRQ) == "ST_OK"
    assert nic.read(ABI.REG_TEST_SCRATCH) == 42


@case()
def function_reset(nic):
    nic.write(ABI.REG_TEST_SCRATCH, 42)
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    assert nic.read(ABI.REG_TEST_SCRATCH) == 0
    assert nic.fw_state() == ABI.FW_NONE


@case()
def function_level_reset(nic):
    nic.write(ABI.REG_TEST_SCRATCH, 42)
    express = nic.pci.capability(0x10)
    assert nic.pci.config(express + 4) & 1 << 28, "no FLR capability"
    nic.pci.set_config(express + 8, 1 << 15, 2)
    nic.attach(type(nic.pci)(nic.m, 4))
    assert nic.read(ABI.REG_TEST_SCRATCH) == 0


@case()
def power_states(nic):
    """In D3 the registers cannot be read; in D0 they have their earlier values."""
    control = nic.pci.capability(1) + 4
    nic.write(ABI.REG_TEST_SCRATCH, 42)
    nic.pci.set_config(control, 3, 2)
    assert nic.read(ABI.REG_MAGIC) != ABI.MAGIC
    nic.pci.set_config(control, 0, 2)
    assert nic.read(ABI.REG_TEST_SCRATCH) == 42


def image():
    with open(FIRMWARE, "rb") as f:
        return f.read()


def sealed(header, body):
    """An image with this header and body, and the digest that matches them."""
    head = pack("fw_header", **header)
    digest = hashlib.sha256(head + body).digest()
    return pack("fw_header", **header, digest=digest) + body


def good_header(body):
    return {"magic": ABI.FW_MAGIC, "abi_major": ABI.ABI_MAJOR,
            "abi_minor": ABI.ABI_MINOR, "header_len": NUMBERS["struct vktls_fw_header"],
            "body_len": len(body), "entry": 0}


@case()
def loader_refusals(nic):
    """The loader refuses each kind of wrong header with its own status; a right image can
    then be loaded."""
    body = bytes(64)
    good = good_header(body)
    table = (
        ({"magic": 1}, "FW_MAGIC"),
        ({"abi_major": ABI.ABI_MAJOR + 1}, "FW_ABI"),
        ({"abi_minor": ABI.ABI_MINOR + 1}, "FW_ABI"),
        ({"header_len": 95}, "FW_LENGTH"),
        ({"header_len": 0xffffffff}, "FW_LENGTH"),
        ({"body_len": len(body) + 1}, "FW_LENGTH"),
        ({"body_len": 0xffffffa0}, "FW_LENGTH"),
        ({"body_len": 0}, "FW_LENGTH"),
        ({"entry": len(body)}, "FW_ENTRY"),
        ({"entry": 2}, "FW_ENTRY"),
    )
    for change, status in table:
        code = nic.load(sealed(good | change, body))
        assert code == NUMBERS["VKTLS_ST_" + status], \
            f"{change}: {status_name(code)}, expected {status}"
        assert nic.fw_state() == ABI.FW_REFUSED
    nic.boot()


@case()
def loader_digest(nic):
    """One changed bit anywhere in the header or body of an image is noticed."""
    whole = image()
    for bit in (8 * 16 + 1, 8 * 40, 8 * 70, 8 * 97, 8 * len(whole) - 1):
        bad = bytearray(whole)
        bad[bit // 8] ^= 1 << bit % 8
        assert nic.load(bytes(bad)) in (ABI.ST_FW_DIGEST, ABI.ST_RESERVED), bit
        assert nic.fw_state() == ABI.FW_REFUSED


@case()
def loader_lengths(nic):
    whole = image()
    for length in (0, 1, 95, 96, len(whole) - 1, ABI.FW_MAX_BYTES + 1, 0xffffffff):
        code = nic.load(whole, length)
        assert code == ABI.ST_FW_LENGTH, f"{length}: {status_name(code)}"
    nic.write(ABI.REG_FW_ADDR_HI, 0x100)
    nic.write(ABI.REG_FW_LEN, len(whole))
    nic.write(ABI.REG_CTRL, ABI.CTRL_FW_LOAD)
    code = (nic.read(ABI.REG_STATUS) & ABI.STATUS_FW_CODE) >> 16
    assert code == ABI.ST_DMA, status_name(code)


@case()
def firmware_boots(nic):
    nic.boot()
    assert nic.read(ABI.REG_FW_VERSION)
    nic.command("NOP")
    before = nic.read(ABI.REG_HEARTBEAT)
    nic.m.wait(lambda: nic.read(ABI.REG_HEARTBEAT) != before, "heartbeat", 0.1)


@case()
def firmware_crash(nic):
    """The first instruction of an image is illegal: the device reports the crash and raises
    an interrupt, and another image can be loaded after a reset."""
    body = bytes(64)
    assert nic.load(sealed(good_header(body), body)) == ABI.ST_OK
    nic.m.wait(lambda: nic.fw_state() == ABI.FW_CRASHED, "crash")
    assert nic.interrupted(0)
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    nic.boot().command("NOP")


@case()
def firmware_that_never_rests(nic):
    """Firmware loops endlessly: it gets its time slices, and register accesses are still
    answered."""
    body = struct.pack("<I", 0x0000006f).ljust(64, b"\0")
    assert nic.load(sealed(good_header(body), body)) == ABI.ST_OK
    for value in range(100):
        nic.write(ABI.REG_TEST_SCRATCH, value)
        assert nic.read(ABI.REG_TEST_SCRATCH) == value
    assert nic.fw_state() == ABI.FW_BOOTING


@case()
def queue_registers_without_queues(nic):
    for reg in range(ABI.REG_QP - 3 * 0x40, ABI.REG_QP - 3 * 0x40 + 0x80, 4):
        for value in (0, 1, 0xffff, 0xffffffff):
            nic.write(reg, value)
    for value in (0, 1, 9, 0xffffffff):
        nic.write(ABI.REG_CMDQ_LOG2, value)
        nic.write(ABI.REG_CMDQ_TAIL, value)
        nic.write(ABI.REG_EVTQ_LOG2, value)
        nic.write(ABI.REG_EVTQ_HEAD, value)
    assert nic.read(ABI.REG_MAGIC) == ABI.MAGIC


@case()
def properties_out_of_range(_):
    for name, value in (("queues", 0), ("queues", 17), ("tls-contexts", (1 << 20) + 1),
                        ("fault-tx-drop-ppm", 1000001)):
        try:
            Machine("-device", f"vktls,{name}={value}").close()
        except AssertionError as why:
            assert name in str(why), why
            continue
        raise AssertionError(f"{name}={value} is accepted")


@case(fault_tx_drop_ppm=5)
def faults_settable_at_run_time(nic):
    path = "/machine/peripheral/nic"
    assert nic.m.qmp("qom-get", path=path, property="fault-tx-drop-ppm") == 5
    for name in ("fault-tx-drop-ppm", "fault-rx-drop-ppm", "fault-seed"):
        nic.m.qmp("qom-set", path=path, property=name, value=77)
        assert nic.m.qmp("qom-get", path=path, property=name) == 77
    try:
        nic.m.qmp("qom-set", path=path, property="fault-rx-drop-ppm", value=1000001)
    except QmpError:
        return
    raise AssertionError("more than all")


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
