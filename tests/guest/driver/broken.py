#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A NIC that is silent or gives wrong answers: completions of packets that were not sent or
of buffers that it does not have, answers that come twice, events without end. The driver
logs the fault once and stops using the queue, and a reset makes the NIC work again."""
import os
import time

from nic import (IF, Transfer, at_least, config, dmesg_mark, dmesg_since, fails, pci, ping, run,
                 setup_link, stats, wait, write)
import ktap
import nicfault

MIB = 1 << 20
DRIVER = "/sys/bus/pci/drivers/vktls"
MEMORY = 2      # bit of the command register: the NIC's registers answer
FOREVER = 0xffffffff
EVENTS = 2560   # per second: the driver takes a ring of 256 in 100 ms


def reporters(setting):
    for reporter in ("fw", "tx"):
        run("devlink", "health", "set", f"pci/{pci()}", "reporter", reporter, "auto_recover",
            setting)


def recover():
    for reporter in ("fw", "tx"):
        run("devlink", "health", "recover", f"pci/{pci()}", "reporter", reporter)


def silent_at_probe():
    """The NIC does not answer the first commands of the probe: it is bound all the same,
    recovers, and works."""
    ktap.defer(nicfault.end)
    write(f"{DRIVER}/unbind", pci())
    nicfault.command("lose", "caps", "1-2")
    mark = dmesg_mark()
    write(f"{DRIVER}/bind", pci())
    wait("the interface", lambda: os.path.exists(f"/sys/class/net/{IF}"))
    wait("the driver to recover", lambda: "recovered" in dmesg_since(mark), 60)
    setup_link()
    ping()


def one_queue():
    ktap.defer(run, "ethtool", "-L", IF, "combined", 2)
    run("ethtool", "-L", IF, "combined", 1)


def believed(fault, text, says):
    """The NIC lies once while streams run both ways: the driver logs one message and resets
    the NIC once, and both streams arrive whole."""
    ktap.defer(nicfault.end)
    one_queue()
    mark, resets = dmesg_mark(), stats()["resets"]
    streams = [Transfer(8 * MIB), Transfer(8 * MIB, receive=True)]
    wait("the streams", lambda: all(stream.count > MIB for stream in streams), 30)
    nicfault.ask(fault, text)
    wait("the driver to recover", lambda: "recovered" in dmesg_since(mark), 30)
    for stream in streams:
        stream.finish(90)
    ktap.equal(nicfault.left(fault), "", "faults left")
    ktap.equal(dmesg_since(mark).count(says), 1, f"times that it says: {says}")
    ktap.equal(stats()["resets"] - resets, 1, "resets")


def interrupts_without_end():
    """A queue is broken and recovery is switched off: the driver neither polls nor arms the
    queue, so interrupts stop."""
    ktap.defer(nicfault.end)
    one_queue()
    ktap.defer(recover)
    ktap.defer(reporters, "true")
    reporters("false")
    mark = dmesg_mark()
    nicfault.ask("rx-cpl-lie", "0:1:7")
    run("ping", "-q", "-c", "3", "-i", "0.2", "-W", "1", "192.0.2.2", check=False)
    wait("the message", lambda: "is due" in dmesg_since(mark))
    before = stats()["irq0"]
    time.sleep(3)
    if stats()["irq0"] - before > 3:
        raise AssertionError(f"{stats()['irq0'] - before} interrupts of a broken queue in 3 s")
    ktap.equal(dmesg_since(mark).count("is due"), 1, "messages")
    recover()
    wait("the link", lambda: open(f"/sys/class/net/{IF}/carrier").read().strip() == "1")
    ping()


def events_without_end():
    """The NIC sends events without end: the driver takes no more than one ring of them in
    100 ms, and everything else works."""
    ktap.defer(nicfault.end)
    mark, resets = dmesg_mark(), stats()["resets"]
    nicfault.event("flood", "link", f"1-{FOREVER}")
    nicfault.event("send", "link", 0, 1)
    time.sleep(1)
    before, start = nicfault.count("event-flood"), time.monotonic()
    Transfer(4 * MIB).finish(60)
    ping()
    taken, took = nicfault.count("event-flood") - before, time.monotonic() - start
    ktap.figure(f"events without end: {taken / took:.0f}/s are taken")
    at_least({"events": taken}, "events", 100)
    if taken > EVENTS * (took + 1):
        raise AssertionError(f"{taken} events in {took:.1f} s")
    ktap.equal(stats()["resets"], resets, "resets")
    ktap.equal(IF in dmesg_since(mark), False, "messages")


def registers_that_do_not_answer():
    """The NIC's registers do not answer for some seconds, while its config space does: the
    driver resets the NIC, and does not take it for removed."""
    mark, resets = dmesg_mark(), stats()["resets"]
    stream = Transfer(16 * MIB)
    wait("the stream", lambda: stream.count > MIB)
    ktap.defer(config, pci(), MEMORY, MEMORY)
    config(pci(), MEMORY, 0)
    wait("the driver to notice", lambda: "do not answer" in dmesg_since(mark))
    time.sleep(2)
    config(pci(), MEMORY, MEMORY)
    wait("the driver to recover", lambda: "recovered" in dmesg_since(mark), 30)
    stream.finish(90)
    ktap.equal("device is gone" in dmesg_since(mark), False, "taken for removed")
    at_least(stats(), "resets", resets + 1)


def channels_between_failure_and_reset():
    """Neither new rings nor the old ones start, and the reset has not come yet: further
    changes are refused, and after the reset both queues work."""
    ktap.defer(nicfault.end)
    ktap.defer(recover)
    ktap.defer(reporters, "true")
    reporters("false")
    nicfault.command("fail", "queue-create", "1-2", nicfault.FAILS)
    fails("ethtool", "-L", IF, "combined", 1)
    ktap.equal(nicfault.left("cmd-fail"), "", "faults left")
    for change in (("-L", IF, "combined", 4), ("-G", IF, "rx", 128)):
        fails("ethtool", *change)
    recover()
    setup_link()
    ping()
    ktap.equal(len([name for name in stats() if name.startswith("irq") and name[3:].isdigit()]),
               2, "queues")
    stream = Transfer(4 * MIB, receive=True)
    stream.finish()


LIES = (("completion of more than was sent", "tx-cpl-lie", "0:1:40", "what was not sent"),
        ("completion of a part of a packet", "tx-cpl-lie", "0:1:0xffff", "what was not sent"),
        ("receive completion of another buffer", "rx-cpl-lie", "0:1:3", "is due"),
        ("receive completion that is too long", "rx-cpl-long", "0:1:20000", "is due"),
        ("completions that come twice", "cpl-twice", f"{nicfault.queue(0)}:1", "queue 0: "),
        ("command answered twice", "cmd-twice", f"{nicfault.CMD['stats']}:1",
         "answer to no command"))


def main():
    setup_link()
    ktap.add("silent at probe", silent_at_probe, timeout=150)
    for name, fault, text, says in LIES:
        ktap.add(name, believed, fault, text, says, timeout=150)
    for fn in (interrupts_without_end, events_without_end, registers_that_do_not_answer,
               channels_between_failure_and_reset):
        ktap.add(fn.__name__.replace("_", " "), fn, timeout=150)
    ktap.main()


if __name__ == "__main__":
    main()
