#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Firmware that is absent or wrong: the driver names the file and the fault, the interface
exists but stays down, and devlink mends it without a reboot."""
import hashlib
import os
import re
import struct

from nic import (IF, dmesg_mark, dmesg_since, fails, pci, ping, read, run, setup_link, stats,
                 wait, write)
import ktap
import nicfault

FILE = "/lib/firmware/vktls/vktls.fw"
OLDER = "/lib/firmware/vktls/vktls-1.5.fw"
DRIVER = "/sys/bus/pci/drivers/vktls"
DIGEST = slice(64, 96)


def image():
    with open(FILE + ".good", "rb") as file:
        return bytearray(file.read())


def signed(data):
    """The image with a digest that matches its changed content."""
    data[DIGEST] = bytes(32)
    data[DIGEST] = hashlib.sha256(data).digest()
    return data


def changed(offset, value, layout="<I"):
    data = image()
    struct.pack_into(layout, data, offset, value)
    return signed(data)


def wrong_magic():
    return changed(0, 0x12345678)


def other_major():
    return changed(4, 2, "<H")


def newer_minor():
    return changed(6, 99, "<H")


def wrong_header_length():
    return changed(8, 100)


def body_too_long():
    return changed(12, len(image()) - 96 + 4)


def truncated():
    return image()[:-5]


def empty_body():
    return signed(image()[:96])


def flipped_bit():
    data = image()
    data[200] ^= 1
    return data


def wrong_digest():
    data = image()
    data[70] ^= 0x80
    return data


def entry_outside():
    return changed(16, 0x7ffffffc)


def entry_unaligned():
    return changed(16, 2)


def too_old():
    return changed(6, 4, "<H")


def too_large():
    return image() + bytes(0x30000)


REFUSED = ((wrong_magic, "wrong magic (16)"), (other_major, "wrong ABI version (17)"),
           (newer_minor, "wrong ABI version (17)"),
           (too_old, "ABI 1.4, the driver needs 1.5"), (wrong_header_length, "wrong length (18)"),
           (body_too_long, "wrong length (18)"), (truncated, "wrong length (18)"),
           (empty_body, "(18)|(20)"), (flipped_bit, "wrong digest (19)"),
           (wrong_digest, "wrong digest (19)"), (entry_outside, "wrong entry point (20)"),
           (entry_unaligned, "wrong entry point (20)"), (too_large, "bytes are too many"))


def put(data):
    with open(FILE, "wb") as file:
        file.write(data)


def devlink_info():
    return run("devlink", "dev", "info", f"pci/{pci()}")


def mend():
    put(image())
    if not os.path.exists(f"{DRIVER}/{pci()}"):
        write(f"{DRIVER}/bind", pci())
    run("devlink", "dev", "reload", f"pci/{pci()}", "action", "fw_activate")
    if "fw.status running" not in devlink_info():
        raise AssertionError(devlink_info())
    setup_link()
    ping()


def contains(text, words):
    if not any(word in text for word in words.split("|")):
        raise AssertionError(f"{words} is not in {text}")


def is_down_and_there(words):
    """The NIC has no running firmware: its interface exists and cannot be set up, and
    devlink and the log name the fault."""
    contains(devlink_info(), words)
    contains(fails("ip", "link", "set", IF, "up"), "down")
    contains(run("ethtool", "-i", IF), "firmware-version: none")
    run("ethtool", "-S", IF)
    run("ethtool", "-k", IF)
    run("ethtool", "-d", IF)
    contains(run("devlink", "health", "diagnose", f"pci/{pci()}", "reporter", "fw"),
             "running: false")


def refused_at_reload(make, words):
    ktap.defer(mend)
    put(make())
    mark = dmesg_mark()
    contains(fails("devlink", "dev", "reload", f"pci/{pci()}"), words)
    is_down_and_there(words)
    for said in (words, "vktls/vktls.fw", f"devlink dev reload pci/{pci()}"):
        contains(dmesg_since(mark), said)
    fails("devlink", "dev", "reload", f"pci/{pci()}")


def probe_without(words, remove):
    ktap.defer(mend)
    write(f"{DRIVER}/unbind", pci())
    remove()
    mark = dmesg_mark()
    write(f"{DRIVER}/bind", pci())
    wait("the interface", lambda: os.path.exists(f"/sys/class/net/{IF}"))
    contains(dmesg_since(mark), words)
    is_down_and_there(words)


def absent_at_probe():
    address = read(f"/sys/class/net/{IF}/address")
    probe_without("no file /lib/firmware/vktls/vktls.fw", lambda: os.remove(FILE))
    mend()
    ktap.equal(read(f"/sys/class/net/{IF}/address"), address, "address once firmware runs")
    contains(run("ethtool", "-k", IF), "tcp-segmentation-offload: on")
    contains(run("ethtool", "-k", IF), "tls-hw-tx-offload: off\n")


def refused_at_probe():
    probe_without("wrong digest (19)", lambda: put(flipped_bit()))


def absent_at_reload():
    """A reload without a firmware file fails, and the running firmware goes on."""
    ktap.defer(mend)
    setup_link()
    os.remove(FILE)
    contains(fails("devlink", "dev", "reload", f"pci/{pci()}"), "no file")
    contains(devlink_info(), "fw.status running")
    ping()


def recovery_reads_no_file():
    """Firmware crashes and its file is gone (the root file system may be behind the NIC):
    the driver starts the image that ran before."""
    ktap.defer(mend)
    setup_link()
    os.remove(FILE)
    mark = dmesg_mark()
    nicfault.ask("fw-crash", 1)
    wait("the driver to recover", lambda: "recovered" in dmesg_since(mark), 20)
    contains(devlink_info(), "fw.status running")
    ping()


def abi():
    return re.search(r"abi (\S+)", devlink_info())[1]


def older_firmware():
    """An image of ABI 1.5 on newer hardware: the version in force is 1.5, and the driver
    works with it, without the parts of answers that this firmware does not give."""
    ktap.defer(mend)
    newest = abi()
    with open(OLDER, "rb") as file:
        put(file.read())
    run("devlink", "dev", "reload", f"pci/{pci()}", "action", "fw_activate")
    contains(devlink_info(), "fw.status running")
    ktap.equal(abi(), "1.5", "version in force")
    setup_link()
    before = stats()["dev_tx_frames"]
    ping()
    if stats()["dev_tx_frames"] <= before:
        raise AssertionError("counters stand still")
    mend()
    ktap.equal(abi(), newest, "version with today's firmware")


def interface_up_at_reload():
    """A reload with a wrong image while the interface is up: the reload fails, the
    interface is closed, and nothing hangs."""
    ktap.defer(mend)
    setup_link()
    put(wrong_magic())
    fails("devlink", "dev", "reload", f"pci/{pci()}")
    ktap.equal("UP" in run("ip", "link", "show", IF).split(">")[0].split(","), False, "up")
    is_down_and_there("wrong magic (16)")


def main():
    pci()
    os.rename(FILE, FILE + ".good")
    put(image())
    setup_link()
    for make, words in REFUSED:
        ktap.add(f"refused: {make.__name__.replace('_', ' ')}", refused_at_reload, make, words,
                 timeout=60)
    for fn in (absent_at_probe, refused_at_probe, absent_at_reload, recovery_reads_no_file,
               older_firmware, interface_up_at_reload):
        ktap.add(fn.__name__.replace("_", " "), fn, timeout=60)
    ktap.main()


if __name__ == "__main__":
    main()
