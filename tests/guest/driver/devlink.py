#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""devlink: an image flashed into the NIC's store, refused, interrupted, under traffic; the
policy that chooses between store and file; TLS contexts as resources; a snapshot of the
registers when firmware has crashed."""
import hashlib
import json
import os
import struct
import threading

import ktap
import nicfault
import rig
from nic import (IF, dmesg_mark, dmesg_since, fails, pci, ping, registers, run, setup_link, wait,
                 write)

DEV = f"pci/{pci()}"
FOLDER = "/lib/firmware/vktls"
FILE = f"{FOLDER}/vktls.fw"
DRIVER = "/sys/bus/pci/drivers/vktls"
HEADER = 96
STATUS, CRASH_CAUSE = 0x0008, 0x006c
FW_CRASHED = 4
PLACES = 1024   # the card's default


def sealed(data):
    """The image with a digest that matches its content."""
    data = bytearray(data)
    data[64:96] = bytes(32)
    data[64:96] = hashlib.sha256(data).digest()
    return bytes(data)


with open(FILE, "rb") as _file:
    TODAY = _file.read()


def image(version):
    data = bytearray(TODAY)
    major, minor, patch = map(int, version.split("."))
    struct.pack_into("<I", data, 20, major << 16 | minor << 8 | patch)
    return sealed(data)


def put(name, data):
    with open(f"{FOLDER}/{name}", "wb") as file:
        file.write(data)


def versions(kind):
    """The versions of one kind that devlink dev info shows, as a dictionary."""
    info = json.loads(run("devlink", "-j", "dev", "info", DEV))["info"][DEV]
    return info["versions"].get(kind, {})


def flash(data):
    put("new.fw", data)
    run("devlink", "dev", "flash", DEV, "file", "vktls/new.fw")


def reload():
    run("devlink", "dev", "reload", DEV)
    setup_link()
    ping()


def runs(version, source):
    ktap.equal((versions("running").get("fw"), versions("running").get("fw.source")),
               (version, source), "running firmware and its source")


def contains(text, *words):
    for word in words:
        if word not in text:
            raise AssertionError(f"{word} is not in {text}")


def policy(value):
    return ("devlink", "dev", "param", "set", DEV, "name", "fw_load_policy", "value", value,
            "cmode", "driverinit")


@ktap.case(60)
def empty_store():
    """The file is loaded, as on a NIC without a store."""
    runs("1.0.0", "file")
    ktap.equal(versions("stored"), {}, "stored")
    ktap.equal(versions("fixed")["fw.signature"], "not required", "signature")
    contains(fails(*policy("flash")), "empty", "devlink dev flash")


@ktap.case(60)
def flashed_image_runs_after_reload():
    flash(image("1.2.3"))
    ktap.equal(versions("stored")["fw"], "1.2.3", "stored")
    runs("1.0.0", "file")
    ping()
    reload()
    runs("1.2.3", "slot 1")
    contains(run("ethtool", "-i", IF), "firmware-version: 1.2.3")
    flash(image("1.2.4"))
    runs("1.2.3", "slot 1")
    reload()
    runs("1.2.4", "slot 2")


def changed(offset, value, layout="<I"):
    data = bytearray(image("9.9.9"))
    struct.pack_into(layout, data, offset, value)
    return sealed(data)


def flipped_bit():
    data = bytearray(image("9.9.9"))
    data[200] ^= 1
    return bytes(data)


def random_bytes():
    return os.urandom(20000)


def no_bytes():
    return b"\n"


def too_large():
    return image("9.9.9") + bytes(0x30000)


def newer_abi():
    return changed(6, 99, "<H")


def wrong_entry():
    return changed(16, 2)


def refused(make, words):
    before = versions("stored"), versions("running")
    put("new.fw", make())
    contains(fails("devlink", "dev", "flash", DEV, "file", "vktls/new.fw"), words,
             "the old image stays")
    ktap.equal((versions("stored"), versions("running")), before, "versions")
    ping()


for _make, _words in ((flipped_bit, "wrong digest"), (random_bytes, "wrong magic"),
                      (no_bytes, "wrong length"), (too_large, "too many bytes"),
                      (newer_abi, "wrong ABI version"), (wrong_entry, "wrong entry point")):
    ktap.add(f"refused: {_make.__name__.replace('_', ' ')}", refused, _make, _words, timeout=60)


@ktap.case(60)
def old_image_starts_after_refusals():
    reload()
    runs("1.2.4", "slot 2")


def back():
    """The file is there, and the NIC has its driver and runs."""
    put("vktls.fw", TODAY)
    if not os.path.exists(f"{DRIVER}/{pci()}"):
        write(f"{DRIVER}/bind", pci())
    run(*policy("driver"))
    reload()


@ktap.case(60)
def no_file_is_needed():
    ktap.defer(back)
    os.remove(FILE)
    mark = dmesg_mark()
    reload()
    runs("1.2.4", "slot 2")
    write(f"{DRIVER}/unbind", pci())
    write(f"{DRIVER}/bind", pci())
    wait("the interface", lambda: os.path.exists(f"/sys/class/net/{IF}"))
    setup_link()
    ping()
    runs("1.2.4", "slot 2")
    if "no file" in dmesg_since(mark):
        raise AssertionError(dmesg_since(mark))


@ktap.case(60)
def policy_chooses_the_source():
    ktap.defer(back)
    run(*policy("disk"))
    runs("1.2.4", "slot 2")
    reload()
    runs("1.0.0", "file")
    ktap.equal(versions("stored")["fw"], "1.2.4", "stored")
    run(*policy("flash"))
    reload()
    runs("1.2.4", "slot 2")
    contains(fails(*policy("unknown")), "driver, flash or disk")


@ktap.case(120)
def reset_in_an_update():
    """A reset by the PCI core ends an update; what is stored stays whole."""
    ktap.defer(back)
    over, outcomes = threading.Event(), []

    def flash_again():
        while not over.is_set():
            try:
                flash(image("1.3.0"))
                outcomes.append(True)
            except AssertionError as why:
                contains(str(why), "the old image stays")
                outcomes.append(False)

    thread = threading.Thread(target=flash_again)
    thread.start()
    for _ in range(5):
        count = len(outcomes)
        wait("an update", lambda n=count: len(outcomes) > n, 60)
        write(f"/sys/bus/pci/devices/{pci()}/reset", "1")
    over.set()
    thread.join()
    if versions("stored")["fw"] not in ("1.2.4", "1.3.0"):
        raise AssertionError(versions("stored"))
    flash(image("1.3.1"))
    reload()
    ktap.equal(versions("running")["fw"], "1.3.1", "running")


@ktap.case(120)
def flash_under_tls_traffic():
    """The NIC encrypts on while an image is written."""
    rig.offload()
    watch = rig.Watch()
    flow, over = rig.Flow(), threading.Event()

    def send():
        while not over.is_set():
            flow.send(rig.pattern(1 << 16))

    thread = threading.Thread(target=send)
    thread.start()
    for version in ("1.4.0", "1.4.1", "1.4.2"):
        flash(image(version))
        ktap.equal(versions("stored")["fw"], version, "stored")
    over.set()
    thread.join()
    flow.finish()
    watch.expect(tx_tls_ctx=1, tx_tls_lost_reset=0, tx_tls_encrypted_bytes=flow.wire)


def firmware_that_crashes():
    body = struct.pack("<I", 0).ljust(64, b"\0")
    header = bytearray(TODAY[:HEADER])
    struct.pack_into("<II", header, 12, len(body), 0)
    struct.pack_into("<I", header, 20, 0x010500)
    return sealed(bytes(header) + body)


@ktap.case(120)
def stored_image_that_crashes():
    """The file takes its place; without a file, the next flash mends the NIC."""
    ktap.defer(back)
    flash(firmware_that_crashes())
    mark = dmesg_mark()
    reload()
    runs("1.0.0", "file")
    contains(dmesg_since(mark), "crashed at start", "devlink dev flash")
    os.remove(FILE)
    run(*policy("flash"))
    contains(fails("devlink", "dev", "reload", DEV), "crashed at start")
    contains(run("devlink", "dev", "info", DEV), "crashed at start")
    flash(image("1.6.0"))
    reload()
    ktap.equal(versions("running")["fw"], "1.6.0", "running")


@ktap.case(120)
def recovery_without_a_file():
    """A NIC has started from its store twice, and the file is gone. After a reset, the image of
    the store crashes: the file's image that the driver read at first takes its place."""
    ktap.defer(back)
    flash(image("1.7.0"))
    write(f"{DRIVER}/unbind", pci())
    write(f"{DRIVER}/bind", pci())
    wait("the interface", lambda: os.path.exists(f"/sys/class/net/{IF}"))
    setup_link()
    write(f"/sys/bus/pci/devices/{pci()}/reset", "1")
    ktap.equal(versions("running")["fw"], "1.7.0", "running")
    flash(firmware_that_crashes())
    os.remove(FILE)
    write(f"/sys/bus/pci/devices/{pci()}/reset", "1")
    runs("1.0.0", "file")
    setup_link()
    ping()
    put("vktls.fw", TODAY)
    flash(image("1.7.1"))


@ktap.case(60)
def reload_from_a_file_that_is_gone():
    """With the policy "disk", a reload without a file is refused, whatever is in the store."""
    ktap.defer(back)
    run(*policy("disk"))
    reload()
    runs("1.0.0", "file")
    os.remove(FILE)
    contains(fails("devlink", "dev", "reload", DEV), "no file", "nothing changed")
    ping()


def resources():
    """Size and places in use by name."""
    shown = json.loads(run("devlink", "-j", "resource", "show", DEV))["resources"][DEV]
    return {r["name"]: (r["size"], r["occ"]) for r in shown}


def resize(name, size):
    return ("devlink", "resource", "set", DEV, "path", f"/{name}", "size", size)


def resized_back():
    for name in ("tls_tx_contexts", "tls_rx_contexts"):
        run(*resize(name, PLACES))
    reload()
    ktap.equal(resources(), {"tls_tx_contexts": (PLACES, 0), "tls_rx_contexts": (PLACES, 0)})


@ktap.case(120)
def contexts_are_a_resource():
    ktap.defer(resized_back)
    ktap.equal(resources()["tls_tx_contexts"], (PLACES, 0), "before")
    run(*resize("tls_tx_contexts", 2))
    fails(*resize("tls_rx_contexts", PLACES + 1))
    reload()
    rig.offload()
    watch = rig.Watch()
    flows = [rig.Flow() for _ in range(3)]
    ktap.equal(resources()["tls_tx_contexts"], (2, 2), "with three connections")
    ktap.equal(resources()["tls_rx_contexts"], (PLACES, 0), "other direction")
    watch.expect(tx_tls_ctx=2, tx_tls_no_space=1)
    for flow in flows:
        flow.send(rig.pattern(50000))
        flow.finish()
    wait("the contexts' end", lambda: resources()["tls_tx_contexts"] == (2, 0))


def region(*words):
    return run("devlink", "region", *words)


def snapshots():
    shown = json.loads(
        run("devlink", "-j", "region", "show", f"{DEV}/registers"))
    return shown["regions"][f"{DEV}/registers"]["snapshot"]


def register(snapshot, offset):
    """A register in a snapshot: the line is the address and then the bytes."""
    line = region("read", f"{DEV}/registers", "snapshot", snapshot, "address", offset,
                  "length", 4)
    return int.from_bytes(bytes.fromhex("".join(line.split()[1:])), "little")


@ktap.case(120)
def crash_leaves_a_snapshot():
    ktap.equal(snapshots(), [], "before")
    mark = dmesg_mark()
    nicfault.ask("fw-crash", 1)
    wait("the driver to recover", lambda: "recovered" in dmesg_since(mark), 60)
    number, = snapshots()
    ktap.equal(register(number, STATUS) & 0xf, FW_CRASHED, "state in the snapshot")
    ktap.equal(register(number, CRASH_CAUSE), 1, "cause in the snapshot")
    ktap.equal(registers()[CRASH_CAUSE], 0, "cause after the recovery")
    contains(run("devlink", "health", "dump", "show", DEV, "reporter", "fw"), "cause: 1")
    region("del", f"{DEV}/registers", "snapshot", number)
    region("new", f"{DEV}/registers", "snapshot", 7)
    ktap.equal(snapshots(), [7], "snapshots")
    ktap.equal(register(7, STATUS) & 0xf, 3, "state in a snapshot that was asked for")
    region("del", f"{DEV}/registers", "snapshot", 7)
    ping()


def full_of_snapshots():
    """With no room for a snapshot the NIC recovers all the same."""
    for number in range(8):
        region("new", f"{DEV}/registers", "snapshot", number)
        ktap.defer(region, "del", f"{DEV}/registers", "snapshot", number)
    mark = dmesg_mark()
    run("devlink", "health", "dump", "clear", DEV, "reporter", "fw")
    nicfault.ask("fw-crash", 1)
    wait("the driver to recover", lambda: "recovered" in dmesg_since(mark), 60)
    contains(dmesg_since(mark), "devlink region del")
    ping()


ktap.add("full of snapshots", full_of_snapshots, timeout=120)
setup_link()
ktap.main()
