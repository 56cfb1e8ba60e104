#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The driver's life under traffic: rings and channels that change, resets, hangs,
removal. A stream that is open meanwhile arrives whole; nothing is leaked."""
import os
import re
import socket
import time

from nic import (IF, V4, Noise, Transfer, at_least, config, counted, dmesg_mark, dmesg_since,
                 fresh_socket, pci, ping, qmp, read, run, setup_link, stats, transfer, wait, write)
import ktap
import nicfault

MIB = 1 << 20
LOSS_MAX = 8 * MIB
DRIVER = "/sys/bus/pci/drivers/vktls"
LEAST, MOST = 4, 20     # rounds of a change while a stream runs


def during_a_stream(fn, size=24 * MIB):
    """Call fn(round) again and again while a stream runs each way; both arrive whole.
    On a fast machine more streams follow until there were enough rounds; after MOST of
    them nothing more is changed, so that no stream ends by a time-out of TCP."""
    rounds = 0
    while rounds < LEAST:
        streams = [Transfer(size), Transfer(size, receive=True)]
        while rounds < MOST and any(thread.is_alive() for stream in streams
                                    for thread in stream.threads):
            fn(rounds)
            rounds += 1
            time.sleep(0.2)
        for stream in streams:
            stream.finish(60)


def rings():
    sizes = ((64, 64), (4096, 128), (128, 4096), (512, 512))
    # which fails when they are so already
    ktap.defer(lambda: run("ethtool", "-G", IF, "rx", 512, "tx", 512, check=False))
    during_a_stream(lambda n: run("ethtool", "-G", IF, "rx", sizes[n % 4][0],
                                  "tx", sizes[n % 4][1]))


def channels():
    ktap.defer(run, "ethtool", "-L", IF, "combined", 2)
    during_a_stream(lambda n: run("ethtool", "-L", IF, "combined", n * 3 % 4 + 1))


def mtu():
    ktap.defer(run, "ip", "link", "set", IF, "mtu", 1500)
    during_a_stream(lambda n: run("ip", "link", "set", IF, "mtu", (1500, 9000, 1400, 4000)[n % 4]))


def toggled_features():
    def toggle(n):
        name = ("tso", "tx", "rx", "gro", "sg", "rxhash", "rxvlan")[n // 2 % 7]
        run("ethtool", "-K", IF, name, ("off", "on")[n % 2])
    ktap.defer(run, "ethtool", "-K", IF, "tx", "on", "sg", "on", "tso", "on", "rx", "on",
               "gro", "on", "rxhash", "on", "rxvlan", "on")
    during_a_stream(toggle)


def offline_tests():
    """A reset of the function in mid-stream costs retransmissions, nothing else."""
    before = stats()["resets"]
    during_a_stream(lambda n: run("ethtool", "-t", IF, "offline") and time.sleep(1))
    if stats()["resets"] - before < 4:
        raise AssertionError("the function was not reset")


def reload():
    during_a_stream(lambda n: run("devlink", "dev", "reload", f"pci/{pci()}", "action",
                                  ("driver_reinit", "fw_activate")[n % 2]) or time.sleep(1))


def down_and_up():
    for _ in range(10):
        run("ip", "link", "set", IF, "down")
        run("ip", "link", "set", IF, "up")
    setup_link()
    with Noise() as noise:
        for _ in range(5):
            run("ip", "link", "set", IF, "down")
            setup_link()
            noise.moves()


def set_bus_master(on):
    """The NIC's right to reach memory."""
    config(pci(), 4, 4 if on else 0)


def hang():
    """A NIC that cannot reach memory any more, with a stream that waits for it, and more
    packets than its ring takes; returns the stream and a mark in the log."""
    mark = dmesg_mark()
    ktap.defer(run, "ethtool", "-G", IF, "tx", 512)
    run("ethtool", "-G", IF, "tx", 64)
    stream = Transfer(16 * MIB)
    wait("the stream", lambda: stream.count > MIB)
    ktap.defer(set_bus_master, True)
    set_bus_master(False)
    with fresh_socket(kind=socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        for _ in range(100):
            sock.sendto(b"fill", (V4[1], 9))
    return stream, mark


def health(word):
    """A number of devlink's health reporters, summed."""
    text = run("devlink", "health", "show", f"pci/{pci()}")
    return sum(int(n) for n in re.findall(rf"\b{word} (\d+)", text))


def tx_timeout():
    """A NIC that cannot reach memory hangs; the watchdog resets it; the stream goes on."""
    resets, recovered = stats()["resets"], health("recover")
    stream, mark = hang()
    wait("the watchdog", lambda: "NETDEV WATCHDOG" in dmesg_since(mark), 30)
    wait("the driver to recover", lambda: "recovered" in dmesg_since(mark), 30)
    stream.finish(90)
    at_least(stats(), "resets", resets + 1)
    at_least({"recoveries": health("recover")}, "recoveries", recovered + 1)


def recover_by_hand():
    """With automatic recovery off, the error stays until the user asks for recovery."""
    for reporter in ("fw", "tx"):
        ktap.defer(run, "devlink", "health", "set", f"pci/{pci()}", "reporter", reporter,
                   "auto_recover", "true")
        run("devlink", "health", "set", f"pci/{pci()}", "reporter", reporter, "auto_recover",
            "false")
    resets = stats()["resets"]
    stream, mark = hang()
    wait("the error", lambda: "state error" in run("devlink", "health", "show", f"pci/{pci()}"),
         40)
    time.sleep(2)
    ktap.equal("recovered" in dmesg_since(mark), False, "recovery before it was asked for")
    for reporter in ("fw", "tx"):
        run("devlink", "health", "recover", f"pci/{pci()}", "reporter", reporter)
    stream.finish(90)
    at_least(stats(), "resets", resets + 1)
    # a reporter left so would never recover by itself again
    wait("both reporters", lambda: "state error" not in
         run("devlink", "health", "show", f"pci/{pci()}"))


def health_reports():
    text = run("devlink", "health", "diagnose", f"pci/{pci()}", "reporter", "fw")
    for line in ("status: running", "running: true"):
        if line not in text:
            raise AssertionError(f"{line} is not in {text}")
    text = run("devlink", "health", "diagnose", f"pci/{pci()}", "reporter", "tx")
    ktap.equal(len(re.findall(r"queue: \d+", text)), 2, "queues in the tx report")
    text = run("devlink", "health", "dump", "show", f"pci/{pci()}", "reporter", "fw")
    if "log" not in text or len(text) < 40:
        raise AssertionError(f"no firmware log: {text}")


def lost_interrupts():
    """Messages of the NIC that get lost delay a stream, and stop none."""
    ktap.defer(nicfault.end)
    resets, lost = stats()["resets"], nicfault.count("irq-lose")
    during_a_stream(lambda n: nicfault.ask("irq-lose", f"{n % 3}:1-3"), 8 * MIB)
    ktap.equal(stats()["resets"], resets, "resets")
    if nicfault.count("irq-lose") < lost + 4:
        raise AssertionError("no interrupt was lost")


def firmware_crash():
    """Noticed within seconds, whatever runs."""
    resets = stats()["resets"]

    def crash(_):
        mark = dmesg_mark()
        nicfault.ask("fw-crash", 1)
        wait("the driver to recover", lambda: "recovered" in dmesg_since(mark), 20)
    during_a_stream(crash, 8 * MIB)
    at_least(stats(), "resets", resets + LEAST)


def bring_back():
    """Whatever state it is in: driver loaded and bound, link up."""
    if not os.path.exists(DRIVER):
        run("modprobe", "vktls")
    if not os.path.exists(f"{DRIVER}/{pci()}"):
        write(f"{DRIVER}/bind", pci())
    wait("the interface", lambda: os.path.exists(f"/sys/class/net/{IF}"))
    setup_link()


def unbind():
    ktap.defer(bring_back)
    for _ in range(3):
        with Noise():
            write(f"{DRIVER}/unbind", pci())
        if os.path.exists(f"/sys/class/net/{IF}"):
            raise AssertionError("the interface is still there")
        write(f"{DRIVER}/bind", pci())
        setup_link()
        transfer(MIB)


def remove_module():
    ktap.defer(bring_back)
    for _ in range(3):
        with Noise():
            run("rmmod", "vktls")
        run("modprobe", "vktls")
        wait("the interface", lambda: os.path.exists(f"/sys/class/net/{IF}"))
        setup_link()
        transfer(MIB)


def memory():
    """Bytes of memory that are free or could be."""
    write("/proc/sys/vm/drop_caches", "3")
    found = dict(re.findall(r"^(\w+):\s+(\d+)", read("/proc/meminfo"), re.M))
    return int(found["MemAvailable"]) * 1024


def given_back(before, patience=20):
    """Bytes that are missing; freed memory comes back late, after grace periods and works."""
    end = time.monotonic() + patience
    while (lost := before - memory()) > LOSS_MAX and time.monotonic() < end:
        time.sleep(1)
    return lost


def no_leak():
    """One ring of buffers lost in each round would be 40 MiB in ten. The kernel's own use of
    memory may grow once, a leak grows each time."""
    ktap.defer(bring_back)

    def cycle(rounds):
        for _ in range(rounds):
            write(f"{DRIVER}/unbind", pci())
            write(f"{DRIVER}/bind", pci())
            setup_link()
            ping(count=20)
            run("ethtool", "-L", IF, "combined", 4)
            run("ethtool", "-G", IF, "rx", 1024)
            run("ip", "link", "set", IF, "mtu", 4000)
            transfer(MIB // 4, receive=True)
            run("devlink", "dev", "reload", f"pci/{pci()}")
    mark = dmesg_mark()
    cycle(4)
    lost = []
    while not lost or lost[-1] > LOSS_MAX and len(lost) < 3:
        time.sleep(1)
        before = memory()
        cycle(10)
        lost.append(given_back(before))
    if lost[-1] > LOSS_MAX:
        raise AssertionError(f"bytes less after ten more rounds, and ten more: {lost}")
    if "stalled pool" in dmesg_since(mark):
        raise AssertionError("pages of a receive ring never came back")


def counters_outlive_rings():
    """rtnetlink never counts backwards, whatever happens to queues and NIC."""
    ktap.defer(run, "ethtool", "-L", IF, "combined", 2)
    last = stats()
    for step in (("ethtool", "-L", IF, "combined", 4), ("ethtool", "-G", IF, "tx", 256),
                 ("ip", "link", "set", IF, "mtu", 2000), ("ethtool", "-t", IF, "offline"),
                 ("ethtool", "-G", IF, "tx", 512), ("ip", "link", "set", IF, "mtu", 1500)):
        transfer(MIB)
        run(*step)
        now = stats()
        for name in ("tx_packets", "rx_packets", "irq", "dev_tx_frames", "dev_rx_bytes"):
            if now[name] <= last[name]:
                raise AssertionError(f"{step}: {name} went from {last[name]} to {now[name]}")
        last = now
        wait("the link", lambda: read(f"/sys/class/net/{IF}/carrier") == "1")


def link_flaps():
    ktap.defer(lambda: qmp("set_link", name="dut0", up=True))

    def flap(_):
        qmp("set_link", name="dut0", up=False)
        time.sleep(0.2)
        qmp("set_link", name="dut0", up=True)
        time.sleep(0.5)
    during_a_stream(flap, 8 * MIB)


def sent_while_down():
    """Packets that the NIC refuses for want of a link are counted, not lost track of."""
    ktap.defer(setup_link)
    ktap.defer(lambda: qmp("set_link", name="dut0", up=True))
    with counted() as grown:
        qmp("set_link", name="dut0", up=False)
        run("ping", "-c", 1, "-W", 1, V4[1], check=False)
        qmp("set_link", name="dut0", up=True)
        wait("the link", lambda: read(f"/sys/class/net/{IF}/carrier") == "1")
        transfer(MIB)
    ktap.equal(grown["resets"], 0, "resets")


CASES = (rings, channels, mtu, toggled_features, offline_tests, reload, down_and_up, link_flaps,
         sent_while_down, counters_outlive_rings, health_reports, tx_timeout,
         recover_by_hand, lost_interrupts, firmware_crash, unbind, remove_module, no_leak)


def main():
    pci()
    setup_link()
    for fn in CASES:
        ktap.add(fn.__name__.replace("_", " "), fn, timeout=300)
    ktap.main()


if __name__ == "__main__":
    main()
