#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The driver's life under traffic: changes of rings and channels, resets, hangs, removal. A
stream that runs in the meantime arrives whole, and nothing is leaked."""
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
LEAST, MOST = 4, 20     # rounds of a change while streams run


def during_a_stream(fn, size=24 * MIB):
    """Call fn(round) again and again while a stream runs each way; both arrive whole. On a
    fast machine further streams follow until there were LEAST rounds. After MOST rounds
    there are no further changes, so that no stream runs into a TCP time-out."""
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
    # fails if the sizes are the same already
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
    """Offline self-tests reset the function in the middle of streams: both arrive whole."""
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
    """Allow the NIC to access memory, or forbid it."""
    config(pci(), 4, 4 if on else 0)


def hang():
    """Make the NIC hang: it cannot access memory while a stream runs and more packets wait
    than its ring takes. Returns the stream and a mark in the kernel's log."""
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
    """The sum of one number ("error", "recover") over devlink's health reporters."""
    text = run("devlink", "health", "show", f"pci/{pci()}")
    return sum(int(n) for n in re.findall(rf"\b{word} (\d+)", text))


def tx_timeout():
    """The NIC cannot access memory and hangs: the watchdog of the core fires, the driver
    resets the NIC, and the stream arrives whole."""
    resets, recovered = stats()["resets"], health("recover")
    stream, mark = hang()
    wait("the watchdog", lambda: "NETDEV WATCHDOG" in dmesg_since(mark), 30)
    wait("the driver to recover", lambda: "recovered" in dmesg_since(mark), 30)
    stream.finish(90)
    at_least(stats(), "resets", resets + 1)
    at_least({"recoveries": health("recover")}, "recoveries", recovered + 1)


def recover_by_hand():
    """The NIC hangs with automatic recovery off: the error stays until the user asks for
    recovery; then the stream arrives whole."""
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
    # a reporter that stayed in error would never recover by itself again
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
    """Interrupts of each vector are lost: streams arrive whole, without a reset."""
    ktap.defer(nicfault.end)
    resets, lost = stats()["resets"], nicfault.count("irq-lose")
    during_a_stream(lambda n: nicfault.ask("irq-lose", f"{n % 3}:1-3"), 8 * MIB)
    ktap.equal(stats()["resets"], resets, "resets")
    if nicfault.count("irq-lose") < lost + 4:
        raise AssertionError("no interrupt was lost")


def firmware_crash():
    """Firmware crashes again and again under streams: each time the driver recovers within
    20 s, and the streams arrive whole."""
    resets = stats()["resets"]

    def crash(_):
        mark = dmesg_mark()
        nicfault.ask("fw-crash", 1)
        wait("the driver to recover", lambda: "recovered" in dmesg_since(mark), 20)
    during_a_stream(crash, 8 * MIB)
    at_least(stats(), "resets", resets + LEAST)


def bring_back():
    """Load and bind the driver if needed, and set the link up."""
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
    """Bytes of available memory, after the caches have been dropped."""
    write("/proc/sys/vm/drop_caches", "3")
    found = dict(re.findall(r"^(\w+):\s+(\d+)", read("/proc/meminfo"), re.M))
    return int(found["MemAvailable"]) * 1024


def given_back(before, patience=20):
    """Bytes of memory that are missing. Freed memory comes back late, after grace periods
    and work items."""
    end = time.monotonic() + patience
    while (lost := before - memory()) > LOSS_MAX and time.monotonic() < end:
        time.sleep(1)
    return lost


def no_leak():
    """Ten rounds of a whole life of the driver cost no memory. (Losing one ring of buffers
    per round would cost 40 MiB. The kernel's own use of memory may grow once; a leak grows
    each time.)"""
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
    """Counters never go backwards over changes of rings, channels and MTU, and over resets."""
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
    """Packets are sent while the link is down: the NIC refuses them, and the driver needs
    no reset."""
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
