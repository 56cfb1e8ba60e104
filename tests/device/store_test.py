#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The store of firmware images on a drive and in memory, with QEMU killed in the middle of
an update; signed images; the properties flash and fw-key; migration of the store."""

import os
import shutil
import signal
import subprocess
import sys

import migrate_test as migrate
import promises_test as promises
from nic import ABI, Nic, Wire, abi, case, in_qemu_only, main, status_name
from qtest import QEMU, Function, Machine

ONE_QEMU = in_qemu_only("the test starts QEMU again")
OLD, NEW = 0x010000, 0x010203
DRIVE_BYTES = 512 << 10
VERSION = {1: ABI.REG_STORE_VERSION_1, 2: ABI.REG_STORE_VERSION_2}
SIGNFW = os.path.join(abi.TOP, "firmware/signfw")


class FlashNic(Nic):
    """A NIC whose store is on a drive, and QEMU that may be killed and started again."""

    def open(self, tempdir):
        self.drive = os.path.join(tempdir, "flash")
        with open(self.drive, "wb") as drive:
            drive.truncate(DRIVE_BYTES)
        self.props["flash"] = "flash"
        self.wire = Wire(tempdir, "n0")
        self.start()
        return self

    def kill(self):
        """Power is lost; then QEMU starts again with the same drive."""
        self.m.process.send_signal(signal.SIGKILL)
        self.m.process.wait()
        for thing in (self.m.qtest, self.m.qmp_link, self.m.log):
            thing.close()
        shutil.rmtree(self.m.dir)
        self.m = None
        self.start()

    def start(self):
        self.m = Machine("-netdev", self.wire.netdev, "-blockdev",
                         f"driver=file,filename={self.drive},node-name=flash",
                         "-device", self.device_line())
        self.attach(Function(self.m, 4))


def image(version):
    data = bytearray(promises.firmware())
    data[20:24] = version.to_bytes(4, "little")
    return promises.relabelled(data, ABI.ABI_MINOR)


def info(nic, field):
    mask = {"NEXT": ABI.STORE_NEXT, "RUNNING": ABI.STORE_RUNNING}[field]
    shift = {"NEXT": ABI.STORE_NEXT_SHIFT, "RUNNING": ABI.STORE_RUNNING_SHIFT}[field]
    return (nic.read(ABI.REG_STORE) & mask) >> shift


def operate(nic, op, piece=b""):
    """Run an operation. Return: its status."""
    if piece:
        nic.m.write(nic.piece, piece)
        nic.write(ABI.REG_FW_ADDR_LO, nic.piece)
        nic.write(ABI.REG_FW_ADDR_HI, 0)
        nic.write(ABI.REG_FW_LEN, len(piece))
    nic.write(ABI.REG_STORE_OP, op)
    result = nic.read(ABI.REG_STORE_RESULT)
    assert not result & ABI.STORE_BUSY
    return result & ABI.STORE_CODE


def expect(status, want="OK"):
    assert status_name(status) == "ST_" + want, f"{status_name(status)}, expected {want}"


def begin(nic, data, pieces=None):
    """Erase, and write the first PIECES pieces of an image, or all."""
    nic.piece = nic.m.alloc(ABI.STORE_PIECE)
    expect(operate(nic, ABI.STORE_ERASE))
    for at in list(range(0, len(data), ABI.STORE_PIECE))[:pieces]:
        expect(operate(nic, ABI.STORE_WRITE, data[at:at + ABI.STORE_PIECE]))


def flash(nic, data):
    """Write an image into the store. Return: the status of its checks."""
    begin(nic, data)
    return operate(nic, ABI.STORE_COMMIT)


def boot(nic):
    """Reset, and start what is stored. Return: the version that runs, 0 if none."""
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    nic.write(ABI.REG_CTRL, ABI.CTRL_FW_BOOT)
    if nic.fw_state() == ABI.FW_REFUSED:
        return 0
    nic.m.wait(lambda: nic.fw_state() == ABI.FW_READY, "firmware ready")
    return nic.read(ABI.REG_FW_VERSION)


def last_code(nic):
    status = nic.read(ABI.REG_STATUS)
    return status_name((status & ABI.STATUS_FW_CODE) >> ABI.STATUS_FW_CODE_SHIFT)


@case()
def store_in_memory(nic):
    """It outlives resets, and the running firmware goes on during an update."""
    assert nic.read(ABI.REG_STORE) == ABI.STORE_PRESENT
    nic.boot()
    expect(flash(nic, image(NEW)))
    nic.command("NOP")
    assert (info(nic, "NEXT"), info(nic, "RUNNING")) == (1, 0)
    assert nic.read(VERSION[1]) == NEW and nic.read(VERSION[2]) == 0
    assert boot(nic) == NEW
    assert info(nic, "RUNNING") == 1


@case()
def empty_store(nic):
    assert boot(nic) == 0 and last_code(nic) == "ST_NOENT"
    nic.boot()
    nic.command("NOP")


@case()
def reset_ends_an_update(nic):
    expect(flash(nic, image(OLD)))
    begin(nic, image(NEW), 1)
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    expect(operate(nic, ABI.STORE_WRITE, bytes(16)), "STATE")
    expect(operate(nic, ABI.STORE_COMMIT), "STATE")
    assert boot(nic) == OLD


@case()
def image_that_is_refused(nic):
    expect(flash(nic, image(OLD)))
    damaged = bytearray(image(NEW))
    damaged[300] ^= 1
    expect(flash(nic, bytes(damaged)), "FW_DIGEST")
    expect(flash(nic, promises.relabelled(image(NEW), ABI.ABI_MINOR + 1)), "FW_ABI")
    assert nic.read(VERSION[2]) == 0
    assert boot(nic) == OLD


@case()
def pieces_out_of_place(nic):
    nic.piece = nic.m.alloc(ABI.STORE_PIECE)
    expect(operate(nic, ABI.STORE_WRITE, bytes(16)), "STATE")
    expect(operate(nic, ABI.STORE_ERASE))
    expect(operate(nic, ABI.STORE_WRITE, bytes(ABI.STORE_PIECE + 1)), "LENGTH")
    nic.write(ABI.REG_FW_LEN, 0)
    expect(operate(nic, ABI.STORE_WRITE), "LENGTH")
    nic.write(ABI.REG_FW_LEN, 16)
    nic.write(ABI.REG_FW_ADDR_HI, 0xffffffff)
    expect(operate(nic, ABI.STORE_WRITE), "DMA")
    for op in (0, 4, 0xffffffff):
        expect(operate(nic, op), "OPCODE")


@case()
def crash_is_told(nic):
    nic.boot()
    assert nic.read(ABI.REG_CRASH_CAUSE) == 0
    nic.m.qmp("qom-set", path="/machine/peripheral/nic", property="fault-fw-crash", value=1)
    nic.m.wait(lambda: nic.fw_state() == ABI.FW_CRASHED, "crash")
    assert nic.read(ABI.REG_CRASH_CAUSE) == 1 and nic.read(ABI.REG_CRASH_PC) == 0


@case(abi_minor=8)
def card_of_an_older_version(nic):
    for reg in range(0x4c, 0x80, 4):
        assert nic.read(reg) == 0, hex(reg)
    nic.write(ABI.REG_STORE_OP, ABI.STORE_ERASE)
    nic.write(ABI.REG_CTRL, ABI.CTRL_FW_BOOT)
    assert nic.fw_state() == ABI.FW_NONE and nic.read(ABI.REG_STORE_RESULT) == 0


@case(FlashNic)
@ONE_QEMU
def drive_keeps_the_image(nic):
    expect(flash(nic, image(NEW)))
    nic.kill()
    assert nic.read(VERSION[1]) == NEW
    assert boot(nic) == NEW


@case(FlashNic)
@ONE_QEMU
def killed_in_an_update(nic):
    """After each piece, and before the commit: the old image is the next to start."""
    expect(flash(nic, image(OLD)))
    pieces = -(-len(image(NEW)) // ABI.STORE_PIECE)
    for done in range(pieces + 1):
        assert boot(nic) == OLD
        begin(nic, image(NEW), done)
        nic.kill()
        assert (info(nic, "NEXT"), nic.read(VERSION[2])) == (1, 0)
    assert boot(nic) == OLD
    expect(flash(nic, image(NEW)))
    nic.kill()
    assert boot(nic) == NEW


@case(FlashNic)
@ONE_QEMU
def drive_with_other_contents(nic):
    with open(nic.drive, "r+b") as drive:
        drive.write(os.urandom(DRIVE_BYTES))
    nic.kill()
    assert boot(nic) == 0
    expect(flash(nic, image(NEW)))
    assert boot(nic) == NEW


def new_key(folder, name):
    """The paths of a private and a public key."""
    private, public = f"{folder}/{name}", f"{folder}/{name}.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    return private, public


def sign(private, data):
    for name, content in (("plain", data), ("signed", b"")):
        with open(f"{private}.{name}", "wb") as file:
            file.write(content)
    subprocess.run([SIGNFW, private, f"{private}.plain", f"{private}.signed"], check=True)
    with open(f"{private}.signed", "rb") as file:
        return file.read()


class KeyNic(FlashNic):
    """A NIC that has the owner's key."""

    def open(self, tempdir):
        self.owner, self.props["fw_key"] = new_key(tempdir, "owner")
        self.stranger, _ = new_key(tempdir, "stranger")
        return super().open(tempdir)


@case(KeyNic)
@ONE_QEMU
def signed_image(nic):
    assert nic.read(ABI.REG_STORE) == ABI.STORE_PRESENT | ABI.STORE_SIGNED
    data = sign(nic.owner, image(NEW))
    nic.firmware = data
    nic.boot()
    nic.command("NOP")
    expect(flash(nic, data))
    assert boot(nic) == NEW


@case(KeyNic)
@ONE_QEMU
def image_with_a_wrong_signature_or_none(nic):
    changed = bytearray(sign(nic.owner, image(OLD)))
    changed[:-72] = image(NEW)
    expect(flash(nic, sign(nic.owner, image(OLD))))
    for data, want in ((image(NEW), "FW_UNSIGNED"), (bytes(changed), "FW_SIGNATURE"),
                       (sign(nic.stranger, image(NEW)), "FW_SIGNATURE")):
        expect(nic.load(data), want)
        assert nic.fw_state() == ABI.FW_REFUSED
        expect(flash(nic, data), want)
    assert boot(nic) == OLD


@case()
@ONE_QEMU
def image_that_was_stored_without_a_signature(nic):
    """A card that got a key since does not start it."""
    folder = os.path.dirname(nic.wire.near)
    expect(flash(nic, image(NEW)))
    path = migrate.save(nic)
    _, public = new_key(folder, "owner")
    migrate.restore(nic, path, fw_key=public)
    assert info(nic, "NEXT") == 1
    assert boot(nic) == 0 and last_code(nic) == "ST_FW_UNSIGNED"


@case()
@ONE_QEMU
def store_in_memory_migrates(nic):
    expect(flash(nic, image(OLD)))
    assert boot(nic) == OLD
    begin(nic, image(NEW), 1)
    rest = image(NEW)[ABI.STORE_PIECE:]
    migrate.move(nic)
    assert (info(nic, "NEXT"), info(nic, "RUNNING")) == (1, 1)
    for at in range(0, len(rest), ABI.STORE_PIECE):
        expect(operate(nic, ABI.STORE_WRITE, rest[at:at + ABI.STORE_PIECE]))
    expect(operate(nic, ABI.STORE_COMMIT))
    assert boot(nic) == NEW


@case(FlashNic)
@ONE_QEMU
def drive_at_one_end_only_is_refused(nic):
    path = migrate.save(nic)
    del nic.props["flash"]
    migrate.refused(nic, path, "store_len")


def ends_with(nic, why, *args):
    """QEMU with these properties of the card ends, and says WHY."""
    done = subprocess.run([QEMU, "-nodefaults", "-display", "none", "-machine", "q35", "-accel",
                           "qtest", "-bios", f"{nic.m.dir}/bios", *args], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == 1 and why in done.stderr, done.stderr


@case()
@ONE_QEMU
def wrong_properties_are_said(nic):
    folder = os.path.dirname(nic.wire.near)
    drive = f"driver=file,filename={folder}/small,node-name=small"
    with open(f"{folder}/small", "wb") as file:
        file.truncate(DRIVE_BYTES - 512)
    ends_with(nic, "truncate", "-blockdev", drive, "-device", "vktls,flash=small")
    ends_with(nic, "cannot be written", "-blockdev", drive + ",read-only=on", "-device",
              "vktls,flash=small")
    ends_with(nic, "No such file", "-device", f"vktls,fw-key={folder}/none")
    private, public = new_key(folder, "owner")
    ends_with(nic, "no Ed25519 public key", "-device", f"vktls,fw-key={private}")
    ends_with(nic, "abi-minor=9", "-device", f"vktls,fw-key={public},abi-minor=8")


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
