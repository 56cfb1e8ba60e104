# SPDX-License-Identifier: GPL-2.0-only
"""The NIC under test, eth0, and its peer at the other end of the wire, eth0 in the
namespace "peer": commands, counters, and traffic with content that is checked."""
import contextlib
import hashlib
import json
import os
import random
import socket
import struct
import subprocess
import threading
import time

import ktap

IF = "eth0"
V4 = ("192.0.2.1", "192.0.2.2")
V6 = ("2001:db8::1", "2001:db8::2")


def run(*argv, check=True, ns=None):
    """Run a command and return its output. A failure shows the output."""
    argv = [str(a) for a in argv]
    if ns:
        argv = ["ip", "netns", "exec", ns] + argv
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: status {done.returncode}: "
                             f"{done.stdout}{done.stderr}")
    return done.stdout


def fails(*argv):
    """Run a command that has to fail, and return its output."""
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if not done.returncode:
        raise AssertionError(f"{' '.join(map(str, argv))} succeeded: {done.stdout}")
    return done.stdout + done.stderr


def peer(*argv, check=True):
    return run(*argv, check=check, ns="peer")


def wait(what, test, seconds=15):
    """Wait until test() is true; a failure names the condition."""
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.05)


def qmp(command, **arguments):
    """Send a QMP command to the QEMU that runs this guest. Returns the answer."""
    return json.loads(run("qmp", json.dumps({"execute": command, "arguments": arguments})))


def pci():
    """PCI address of the NIC, remembered for times without a driver."""
    if not pci.address:
        pci.address = os.path.basename(os.path.realpath(f"/sys/class/net/{IF}/device"))
    return pci.address


pci.address = None


def config(device, mask, value):
    """Set the bits MASK of a PCI device's command register to VALUE."""
    with open(f"/sys/bus/pci/devices/{device}/config", "r+b", buffering=0) as file:
        file.seek(4)
        command, = struct.unpack("<H", file.read(2))
        file.seek(4)
        file.write(struct.pack("<H", command & ~mask | value))


def dmesg_mark():
    """Write a line into the kernel's log; dmesg_since() shows the lines after it."""
    mark = f"vktls-test {random.getrandbits(64):x}"
    with open("/dev/kmsg", "w", encoding="ascii") as kmsg:
        kmsg.write(mark + "\n")
    return mark


def dmesg_since(mark):
    return run("dmesg").split(mark, 1)[1]


def stats():
    """ethtool -S as a dictionary."""
    found = {}
    for line in run("ethtool", "-S", IF).splitlines():
        name, _, value = line.strip().rpartition(": ")
        if name:
            found[name] = int(value)
    return found


@contextlib.contextmanager
def counted():
    """Increases of ethtool -S counters while the block runs; filled in at its end."""
    grown, before = {}, stats()
    yield grown
    after = stats()
    grown.update({name: after[name] - before.get(name, 0) for name in after})


def at_least(grown, name, least):
    if grown[name] < least:
        raise AssertionError(f"{name} grew by {grown[name]}, less than {least}")


def features():
    """ethtool -k as a dictionary of booleans."""
    found = {}
    for line in run("ethtool", "-k", IF).splitlines()[1:]:
        name, _, value = line.strip().partition(": ")
        found[name] = value.split()[0] == "on"
    return found


def ping(address=V4[1], size=56, count=2, ns=None, more=()):
    """Ping until COUNT answers came; a lost answer is a failure."""
    run("ping", "-q", "-c", count, "-i", "0.05", "-W", "3", "-s", size, *more, address, ns=ns)


@contextlib.contextmanager
def namespace(name):
    """In the block, this thread opens sockets and files in that network namespace."""
    if not name:
        yield
        return
    with open("/proc/thread-self/ns/net", encoding="ascii") as own, \
            open(f"/run/netns/{name}", encoding="ascii") as other:
        os.setns(other.fileno(), os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(own.fileno(), os.CLONE_NEWNET)


def fresh_socket(v6=False, ns=None, kind=socket.SOCK_STREAM):
    with namespace(ns):
        return socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, kind)


def raw_peer():
    """A packet socket of the peer, which sends whole frames."""
    with namespace("peer"):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind((IF, 0))
        return sock


class Transfer:
    """SIZE bytes from one end to the other, in threads, with their digest compared. OPTIONS
    are set on the sender's socket, each as for setsockopt()."""

    def __init__(self, size, receive=False, v6=False, pair=None, options=()):
        server_ns, client_ns = (None, "peer") if receive else ("peer", None)
        address = (pair or (V6 if v6 else V4))[0 if receive else 1]
        self.size, self.sent, self.got, self.count = size, None, None, 0
        self.error = None
        self.listener = fresh_socket(v6, server_ns)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, 0))
        self.listener.listen(1)
        self.client = fresh_socket(v6, client_ns)
        self.client.settimeout(60)
        for option in options:
            self.client.setsockopt(*option)
        self.client.connect(self.listener.getsockname())
        self.server, _ = self.listener.accept()
        self.server.settimeout(60)
        self.threads = [threading.Thread(target=self._guard, args=(fn,), daemon=True)
                        for fn in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()

    def _guard(self, fn):
        try:
            fn()
        except OSError as err:
            self.error = err

    def _send(self):
        digest, left, source = hashlib.sha256(), self.size, random.Random(1)
        while left:
            chunk = source.randbytes(min(left, 65536))
            self.client.sendall(chunk)
            digest.update(chunk)
            left -= len(chunk)
        self.client.shutdown(socket.SHUT_WR)
        self.sent = digest.hexdigest()

    def _receive(self):
        digest = hashlib.sha256()
        while (chunk := self.server.recv(65536)):
            digest.update(chunk)
            self.count += len(chunk)
        self.got = digest.hexdigest()

    def finish(self, seconds=25):
        """Wait for the end: every byte came, once and in order."""
        seconds *= ktap.SLOW
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0, end - time.monotonic()))
        if self.threads[1].is_alive():
            raise AssertionError(f"{self.count} of {self.size} bytes after {seconds} s\n" +
                                 snapshot())
        self.close()
        if self.error:
            raise AssertionError(f"transfer: {self.error} after {self.count} bytes")
        if self.got is None or (self.count, self.got) != (self.size, self.sent):
            raise AssertionError(f"{self.count} of {self.size} bytes came, "
                                 f"digest {self.got}, not {self.sent}")

    def close(self):
        for sock in (self.client, self.server, self.listener):
            sock.close()


def snapshot():
    """Everything that helps to explain a connection that stalls, as text."""
    busy = {name: value for name, value in stats().items() if value}
    regs = {hex(reg): hex(value) for reg, value in registers().items()}
    return "\n".join((run("ss", "-tinom"), peer("ss", "-tinom"), str(busy), str(regs),
                      run("devlink", "health", "diagnose", f"pci/{pci()}", "reporter", "tx"),
                      run("grep", IF, "/proc/interrupts"), run("dmesg")[-2000:]))


def transfer(size, receive=False, v6=False):
    Transfer(size, receive, v6).finish()


class Noise:
    """Traffic both ways for as long as the block runs; its content is not judged."""

    def __enter__(self):
        self.server = subprocess.Popen(["ip", "netns", "exec", "peer", "iperf3", "-s", "-p",
                                        "5299"], stdout=subprocess.DEVNULL)
        wait("iperf3 to listen", lambda: "5299" in peer("ss", "-Hltn"))
        self.client = subprocess.Popen(["iperf3", "-c", V4[1], "-p", "5299", "-t", "600",
                                        "--bidir", "-P", "2"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        self.moves()
        return self

    def moves(self):
        """Wait until the NIC sends and receives."""
        before = link_stats()
        wait("traffic", lambda: all(link_stats()[way] - before[way] > 200
                                    for way in ("tx", "rx")), 30)

    def __exit__(self, *_):
        for process in (self.client, self.server):
            process.kill()
            process.wait()


def registers():
    """ethtool -d as a dictionary {offset: value}."""
    done = subprocess.run(["ethtool", "-d", IF, "raw", "on"], stdout=subprocess.PIPE, check=True)
    words = [word for word, in struct.iter_unpack("<I", done.stdout)]
    return dict(zip(words[::2], words[1::2]))


def link_stats():
    """{"tx": packets, "rx": packets}, as rtnetlink counts them."""
    found = json.loads(run("ip", "-j", "-s", "link", "show", IF))[0]["stats64"]
    return {way: found[way]["packets"] for way in ("tx", "rx")}


def setup_link():
    """Set up addresses and link on both sides, as at the start of a VM."""
    for i, ns in enumerate((None, "peer")):
        run("ip", "link", "set", IF, "up", ns=ns)
        run("ip", "addr", "replace", V4[i] + "/24", "dev", IF, ns=ns)
        run("ip", "-6", "addr", "replace", V6[i] + "/64", "dev", IF, "nodad", ns=ns)
    wait("the link", lambda: read(f"/sys/class/net/{IF}/carrier") == "1")


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


TRACING = "/sys/kernel/tracing"


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


@contextlib.contextmanager
def traced(*events):
    """Lines of these trace events from the time of the block; filled in at its end."""
    lines = []
    if not os.path.exists(f"{TRACING}/events"):
        run("mount", "-t", "tracefs", "none", TRACING)
    write(f"{TRACING}/trace", "")
    for event in events:
        write(f"{TRACING}/events/{event}/enable", "1")
    try:
        yield lines
    finally:
        for event in events:
            write(f"{TRACING}/events/{event}/enable", "0")
    lines += [line for line in read(f"{TRACING}/trace").splitlines() if line[0] != "#"]


def mac(interface=IF, ns=None):
    return json.loads(run("ip", "-j", "link", "show", interface, ns=ns))[0]["address"]


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))
