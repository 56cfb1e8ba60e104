#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A NIC in a process of its own, which QEMU reaches by vfio-user: interrupts, resets, a
client that comes and goes, and the end of the process under TLS flows."""
import json
import os
import subprocess
import threading
import time

from nic import (IF, dmesg_mark, dmesg_since, namespace, pci, peer, ping, qmp, read, run,
                 setup_link, transfer, wait, write)
import ktap
import plug
import rig

CHUNK = 20000
PATIENCE = 120      # seconds, for a slow host
CAPTURE = "/tmp/killed.pcap"


def wait_for_carrier(value):
    wait(f"carrier {value}", lambda: read(f"/sys/class/net/{IF}/carrier") == value, PATIENCE)


def interrupts():
    """Numbers of interrupts so far, one for each vector of the NIC."""
    lines = [line.split() for line in read("/proc/interrupts").splitlines() if pci() in line]
    return [sum(int(word) for word in line[1:1 + os.cpu_count()]) for line in lines]


@ktap.case(timeout=400)
def every_vector_arrives():
    run("ethtool", "-t", IF)
    wait_for_carrier("1")
    before = interrupts()
    for number in range(12):        # each with other ports, and so other queues
        transfer(100_000 + number, v6=number % 2 == 1)
        transfer(100_000 + number, receive=True)
    after = interrupts()
    moved = [now > then for now, then in zip(after[1:], before[1:])]
    ktap.equal(moved, [True] * len(moved), f"{before} to {after}: queues that interrupted")
    qmp("set_link", name="dut0", up=False)
    wait_for_carrier("0")
    qmp("set_link", name="dut0", up=True)
    wait_for_carrier("1")
    ktap.equal(interrupts()[0] > before[0], True, "events interrupted")


@ktap.case(timeout=400)
def function_level_reset():
    """The kernel resets the function, which reaches the NIC's process: the driver sets the
    NIC up again, and traffic goes on."""
    mark = dmesg_mark()
    methods = read(f"/sys/bus/pci/devices/{pci()}/reset_method").split()
    ktap.equal(methods[0], "flr", "first way of reset")
    for _ in range(3):
        write(f"/sys/bus/pci/devices/{pci()}/reset", "1")
        wait_for_carrier("1")
        ping()
        transfer(1 << 20)
    plug.no_complaints(mark)


def insert(port="rp"):
    with open("/run/vktls/env", encoding="ascii") as env:
        path, = (line[6:].strip() for line in env if line.startswith("SPARE="))
    answer = qmp("device_add", driver="vfio-user-pci", id=f"hot-{port}", bus=port,
                 **{"x-msg-timeout": 300000}, socket={"type": "unix", "path": path})
    if "error" in answer:
        raise AssertionError(f"device_add: {answer}")


plug.insert = insert


@ktap.case(timeout=400)
def hot_plug():
    mark = dmesg_mark()
    plug.plug()
    ping(plug.THERE)
    plug.no_complaints(mark)


class Sender(threading.Thread):
    """A thread that sends on a flow until finish()."""

    def __init__(self, flow):
        super().__init__(daemon=True)
        self.flow, self.ended, self.error = flow, False, None
        self.data = rig.pattern(CHUNK)
        self.start()

    def run(self):
        try:
            while not self.ended:
                self.flow.send(self.data)
                time.sleep(0.05)
        except OSError as err:
            self.error = err

    def finish(self):
        """Stop; the far end got every byte, each record under its own key."""
        self.ended = True
        self.join(2 * PATIENCE)
        if self.is_alive() or self.error:
            raise AssertionError(f"a flow broke or stands still: {self.error}")
        self.flow.finish()


class Wire:
    """Everything that reaches the peer, captured by tcpdump there."""

    def __init__(self):
        with namespace("peer"):
            self.process = subprocess.Popen(
                ["tcpdump", "-i", "eth0", "-U", "-w", CAPTURE, "-B", "65536"],
                stderr=subprocess.DEVNULL)
        ktap.defer(self.process.kill)
        wait("tcpdump", lambda: os.path.exists(CAPTURE), PATIENCE)

    @staticmethod
    def seen(word):
        with open(CAPTURE, "rb") as file:
            return word in file.read()

    def judge(self):
        rig.control()
        wait("the control message", lambda: self.seen(rig.CONTROL), PATIENCE)
        self.process.terminate()
        self.process.wait()
        ktap.equal(self.seen(rig.MARK), False, "plaintext on the wire")


def use_for_tls(name):
    rig.IFACE = name
    rig.offload()


def remove(name):
    """Remove the dead NIC from the kernel. (QEMU 11.1's client aborts on device_del.)"""
    device = os.path.realpath(f"/sys/class/net/{name}/device")
    write(f"{device}/remove", "1")
    wait("the interface to go", lambda: not plug.hot_interface(), PATIENCE)


@ktap.case(timeout=800)
def killed_under_tls_flows():
    """The process of the NIC ends under TLS flows: the flows wait, continue through a new
    NIC's process, and no plaintext is on the wire."""
    ktap.defer(setattr, rig, "IFACE", rig.IFACE)
    ktap.defer(setattr, rig, "FAR", rig.FAR)
    rig.FAR = {4: plug.THERE}
    use_for_tls(plug.hot_interface() or plug.plug())
    wire, watch, mark = Wire(), rig.Watch(), dmesg_mark()
    senders = [Sender(rig.Flow()) for _ in range(3)]
    wait("encryption by the NIC", lambda: watch["tx_tls_encrypted_bytes"] > 10 * CHUNK, PATIENCE)
    run("qmp", "@spare", json.dumps({"execute": "quit"}))
    wait("the driver to notice", lambda: "device is gone" in dmesg_since(mark), PATIENCE)
    remove(rig.IFACE)
    use_for_tls(plug.plug(port="rp2"))
    for sender in senders:
        sender.finish()
    watch, flow = rig.Watch(), rig.Flow()
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    if watch["tx_tls_encrypted_bytes"] < CHUNK:
        raise AssertionError(f"the next life does not encrypt: {watch.report()}")
    wire.judge()


def main():
    setup_link()
    peer("ip", "addr", "add", f"{plug.THERE}/24", "dev", "eth0")
    ktap.main()


if __name__ == "__main__":
    main()
