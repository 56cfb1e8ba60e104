# SPDX-License-Identifier: GPL-2.0-only
"""Shared parts of the cases on TLS in the NIC: sockets on both ends of the wire, data that
can be recognised on it, counters before and after, and a receiver that opens records
without kernel TLS.

Names follow the wire: "near" is the NIC under test, "far" its peer.
"""
import contextlib
import fcntl
import hashlib
import os
import select
import socket
import struct
import subprocess
import threading
import time

import ktap
import ktls

IFACE = "eth0"
NEAR = {4: "192.0.2.1", 6: "2001:db8::1"}
FAR = {4: "192.0.2.2", 6: "2001:db8::2"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
CLONE_NEWNET = 0x40000000
MARK = b"VKTLSPLAIN"    # must never be seen on the wire
CONTROL = b"VKTLSCONTROL"   # must be seen on the wire: proof that the search works
BLOCK = 1 << 16
STUCK = 8192    # bytes that fit any send buffer: a stuck flow takes them without blocking
_BASE = b"".join(MARK + b"%06x" % i for i in range(BLOCK // 16))
with open("/run/vktls/env", encoding="ascii") as _env:
    STOCK = "TLS=stock" in _env.read().split()  # True for stock, False for ours
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
SEND_QUEUE, REPAIR_OFF_NO_PROBE = 2, -1
TCP_CLOSE = 7
SIOCOUTQ, SIOCOUTQNSD = 0x5411, 0x894b


def run(*argv, check=True):
    """Run a command and return its output."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.stderr or done.stdout}")
    return done.stdout


def far_run(*argv, check=True):
    """Run a command in the peer's namespace."""
    return run("ip", "netns", "exec", "peer", *argv, check=check)


@contextlib.contextmanager
def inside(netns):
    """Sockets made in the block belong to that namespace, also later."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    try:
        os.setns(there, CLONE_NEWNET)
        yield
    finally:
        os.setns(home, CLONE_NEWNET)
        os.close(there)
        os.close(home)


def far_side():
    """The namespace of the peer."""
    return inside("peer")


def connect(family=4):
    """A TCP connection over the wire: (near socket, far socket)."""
    with far_side():
        server = socket.create_server((FAR[family], 0), family=FAMILY[family])
    with server:
        near = socket.create_connection(server.getsockname()[:2])
        far, _ = server.accept()
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def long_options(size):
    """The value of IPV6_DSTOPTS with SIZE bytes, a multiple of 8, of unknown options to
    skip."""
    body, left = b"", size - 2
    while left:
        part = min(left, 252)
        body += bytes((0x1e, part - 2)) + bytes(part - 2)
        left -= part
    return bytes((0, size // 8 - 1)) + body


def segment_routing(address):
    """The value of IPV6_RTHDR with one stop before the destination, at the same host."""
    return (bytes((0, 4, 4, 1, 1, 0, 0, 0)) + bytes(16) +
            socket.inet_pton(socket.AF_INET6, address))


def control():
    """Send a message in the clear, which the check of the wire must find."""
    near, far = connect()
    with near, far:
        near.sendall(CONTROL)
        near.shutdown(socket.SHUT_WR)
        while far.recv(100):
            pass


def pattern(size):
    """SIZE bytes in which MARK occurs in every 16 bytes, and no two blocks are alike."""
    blocks = []
    for number in range((size + BLOCK - 1) // BLOCK):
        block = bytearray(_BASE)
        block[10:16] = b"%06x" % (number & 0xffffff)
        block[26:32] = b"block:"
        blocks.append(bytes(block))
    return b"".join(blocks)[:size]


def counters():
    """ethtool -S as a dictionary."""
    out = {}
    for line in run("ethtool", "-S", IFACE).splitlines()[1:]:
        name, _, value = line.rpartition(":")
        if value.strip().isdigit():
            out[name.strip()] = int(value)
    return out


class Watch:
    """Increases of the counters of the driver and of kernel TLS since the object was made."""

    def __init__(self):
        self.nic, self.tls = counters(), ktls.tls_stat()

    def __getitem__(self, name):
        if name.startswith("Tls"):
            return ktls.tls_stat()[name] - self.tls[name]
        return counters()[name] - self.nic[name]

    def moved(self):
        """All increases, read at one time."""
        nic, tls = counters(), ktls.tls_stat()
        return ({name: nic[name] - self.nic[name] for name in nic} |
                {name: tls[name] - self.tls[name] for name in tls})

    def expect(self, **exact):
        """Fail unless every named counter increased by exactly that much."""
        moved = self.moved()
        for name, value in exact.items():
            if moved[name] != value:
                raise AssertionError(
                    f"{name} moved by {moved[name]}, expected {value}; "
                    f"{self.report()}")

    def some(self, *names):
        """Fail if one of the counters did not increase."""
        moved = self.moved()
        for name in names:
            if not moved[name] > 0:
                raise AssertionError(f"{name} stood still; {self.report()}")

    def settle(self, name, value, timeout=10):
        """Wait until a counter, which may still move, has increased by VALUE."""
        wait_for(lambda: self[name] == value, timeout,
                 lambda: f"{name} is {self[name]}, not {value}")

    def report(self):
        """Text with all TLS counters of the driver that increased."""
        now = counters()
        return ", ".join(f"{n}={now[n] - self.nic[n]}" for n in now
                         if "tls" in n and now[n] != self.nic[n])


def figures(what, watch):
    """Print the NIC's share of the work on a flow that has arrived whole."""
    moved = watch.moved()
    nic = moved["tx_tls_encrypted_bytes"] + moved["tx_tls_replay_bytes"]
    everything = nic + moved["tx_tls_fallback_bytes"]
    read = 1 + moved["dev_tls_tx_replay_read"] / moved["dev_tx_bytes"]
    ktap.figure(f"{what}: {100 * nic / everything:.3f} % of {everything} bytes by the "
                f"NIC, {read:.3f} bytes read by it per byte on the wire, 0 connections "
                "broken")


def wait_for(condition, timeout, what):
    """Poll until condition() is true; what() is the text of the failure."""
    end = time.monotonic() + timeout * ktap.SLOW
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(what())
        time.sleep(0.05)


class Receiver(threading.Thread):
    """A thread that stores all bytes that arrive at the far end, as they were on the wire."""

    def __init__(self, far):
        super().__init__(daemon=True)
        self.far, self.chunks, self.error = far, [], None
        self.start()

    def run(self):
        try:
            while chunk := self.far.recv(1 << 18):
                self.chunks.append(chunk)
        except OSError as err:
            self.error = err

    @property
    def count(self):
        """Number of bytes so far."""
        return sum(map(len, self.chunks))

    def finish(self, timeout=120):
        """Wait for the end of the stream. Returns the whole stream."""
        self.join(timeout)
        if self.is_alive():
            raise AssertionError(f"stream did not end; {self.count} bytes")
        if self.error:
            raise self.error
        return b"".join(self.chunks)


class Flow:
    """A connection with kernel TLS for sending at the near end. The test has the key, so it
    can open the records."""

    def __init__(self, cipher="aes-128-gcm", family=4, seq=0, before=b"",
                 pair=None, reading=True, version=ktls.TLS12):
        self.near, self.far = pair or connect(family)
        if before:
            self.near.sendall(before)
        self.before = before
        self.key = ktls.Key(cipher, version, seq=seq)
        self.opener = self.key.clone()
        self.sent = hashlib.sha256()
        self.length = 0
        self.wire = 0
        ktls.attach(self.near, tx=self.key)
        self.receiver = None
        if reading:
            self.receive()

    def receive(self):
        """Begin to read at the far end."""
        self.receiver = Receiver(self.far)

    def note(self, data):
        """Note data that the kernel took from the program."""
        self.sent.update(data)
        self.length += len(data)

    def send(self, data, flags=0):
        """Send all of data."""
        view = memoryview(data)
        while view:
            view = view[self.near.send(view, flags):]
        self.note(data)

    def sendfile(self, path, size):
        """Send SIZE bytes of the file at PATH, from its start, by sendfile."""
        with open(path, "rb") as file:
            done = 0
            while done < size:
                done += os.sendfile(self.near.fileno(), file.fileno(), done,
                                    size - done)
            self.note(file.read(size))

    def unsent(self):
        """Bytes that the far end has not acknowledged."""
        answer = fcntl.ioctl(self.near, SIOCOUTQ, struct.pack("i", 0))
        return struct.unpack("i", answer)[0]

    def unsent_never(self):
        """Bytes that TCP has not sent even once."""
        answer = fcntl.ioctl(self.near, SIOCOUTQNSD, struct.pack("i", 0))
        return struct.unpack("i", answer)[0]

    def drain(self, timeout=60):
        """Wait until all bytes are acknowledged."""
        wait_for(lambda: not self.unsent(), timeout,
                 lambda: f"{self.unsent()} bytes are not acknowledged")

    def finish(self, timeout=120):
        """Close the near end and check the bytes that the far end got."""
        self.near.close()
        self.check(self.receiver.finish(timeout))
        self.far.close()

    def check(self, stream):
        """Open the records of a stream, and compare the data with the data sent. Returns
        [(type, length)]."""
        if stream[:len(self.before)] != self.before:
            raise AssertionError("bytes from before the offload differ")
        stream = stream[len(self.before):]
        self.wire = len(stream)
        if MARK in stream:
            raise AssertionError("plaintext on the wire")
        got, length, records = hashlib.sha256(), 0, []
        for record in split(stream):
            kind, data = self.opener.open(record)
            records.append((kind, len(data)))
            if kind == ktls.DATA:
                got.update(data)
                length += len(data)
        if (length, got.digest()) != (self.length, self.sent.digest()):
            raise AssertionError(
                f"sent {self.length} bytes, got {length} or others")
        return records


def split(stream):
    """Whole records one after another; anything else is an error."""
    at, view = 0, memoryview(stream)
    while at < len(view):
        end = at + 5 + int.from_bytes(view[at + 3:at + 5], "big")
        if end > len(view):
            raise AssertionError("the stream ends within a record")
        yield bytes(view[at:end])
        at = end


def feature(name, value):
    """Switch a feature (ethtool -K)."""
    run("ethtool", "-K", IFACE, name, "on" if value else "off")


def offload(value=True):
    """Switch TLS transmit offload."""
    feature("tls-hw-tx-offload", value)


class Inflow:
    """A connection with kernel TLS for receiving at the near end. The far end sends records
    that the test seals."""

    def __init__(self, cipher="aes-128-gcm", family=4, version=ktls.TLS12,
                 seq=0, pair=None, attach=True):
        self.near, self.far = pair or connect(family)
        self.key = ktls.Key(cipher, version, seq=seq)
        self.wire = 0
        self.records = 0
        self.sent, self.got = hashlib.sha256(), hashlib.sha256()
        self.sent_bytes = self.got_bytes = 0
        if attach:
            self.attach()

    def attach(self):
        """Set the key at the near end."""
        ktls.attach(self.near, rx=self.key.clone())

    def seal(self, data, kind=ktls.DATA):
        """Seal the next record, and count it as sent."""
        record = self.key.seal(data, kind)
        self.wire += len(record)
        self.records += 1
        if kind == ktls.DATA:
            self.sent.update(data)
            self.sent_bytes += len(data)
        return record

    def stream(self, size, step=ktls.MAX_PLAIN):
        """Seal records with SIZE bytes of data, each with STEP bytes, or with step() bytes."""
        data, at, out = pattern(size), 0, []
        while at < size:
            length = step() if callable(step) else step
            out.append(self.seal(data[at:at + length]))
            at += length
        return b"".join(out)

    def push(self, data):
        """Send these bytes from the far end while the near end reads."""
        pusher = threading.Thread(target=self.far.sendall, args=(data,),
                                  daemon=True)
        pusher.start()
        self.take()
        pusher.join()

    def take(self, timeout=60):
        """Read at the near end until all data that was sent has come."""
        self.near.settimeout(timeout)
        while self.got_bytes < self.sent_bytes:
            data = self.near.recv(1 << 18)
            if not data:
                raise AssertionError("the stream ended early")
            self.got.update(data)
            self.got_bytes += len(data)
        if (self.got_bytes, self.got.digest()) != (self.sent_bytes,
                                                   self.sent.digest()):
            raise AssertionError(
                f"sent {self.sent_bytes} bytes, got {self.got_bytes} or others")

    def finish(self):
        """Close both ends, and compare the data."""
        self.far.close()
        if self.near.recv(1):
            raise AssertionError("more than was sent")
        self.near.close()


TLSFAULT = "/sys/module/tlsfault/parameters/"


def fault(**settings):
    """Set parameters of tlsfault.ko, which makes kernel functions fail."""
    for name, value in settings.items():
        file = os.open(TLSFAULT + name, os.O_WRONLY)
        try:
            os.write(file, str(value).encode())
        finally:
            os.close(file)


def fault_left(name):
    """The present value of a parameter of tlsfault.ko: failures that are still to come."""
    with open(TLSFAULT + name, encoding="ascii") as file:
        return int(file.read())


VLAN_FAR = "198.51.100.2"


def vlan(number):
    """Make a VLAN between both ends; the far address is VLAN_FAR."""
    name = f"vlan{number}"
    for add, addr in ((run, "198.51.100.1"), (far_run, VLAN_FAR)):
        add("ip", "link", "add", "link", "eth0", "name", name, "type", "vlan",
            "id", str(number))
        add("ip", "addr", "add", f"{addr}/24", "dev", name)
        add("ip", "link", "set", name, "up")


def vlan_end(number):
    """Undo vlan()."""
    run("ip", "link", "del", f"vlan{number}")
    far_run("ip", "link", "del", f"vlan{number}")


def receive_offload(value=True):
    """Switch TLS receive offload."""
    feature("tls-hw-rx-offload", value)


def private_flag(name, value):
    """Switch a private flag of the driver."""
    run("ethtool", "--set-priv-flags", IFACE, name, "on" if value else "off")


def far_receive_frames():
    """Switch GRO at the peer off, so that it sees frames as they were sent."""
    far_run("ethtool", "-K", "eth0", "gro", "off")


def far_loss(*netem):
    """netem on frames that arrive at the peer. Returns the function that undoes it."""
    far_receive_frames()
    run("modprobe", "ifb", "numifbs=0")
    far_run("ip", "link", "add", "ifb0", "type", "ifb")
    far_run("ip", "link", "set", "ifb0", "up")
    far_run("tc", "qdisc", "add", "dev", "ifb0", "root", "netem", *netem)
    far_run("tc", "qdisc", "add", "dev", "eth0", "clsact")
    far_run("tc", "filter", "add", "dev", "eth0", "ingress", "matchall",
            "action", "mirred", "egress", "redirect", "dev", "ifb0")
    return far_loss_end


def far_loss_end():
    """Undo far_loss()."""
    far_run("tc", "qdisc", "del", "dev", "eth0", "clsact", check=False)
    far_run("ip", "link", "del", "ifb0", check=False)


def far_netem(*netem):
    """netem on frames that leave the peer, which then sends single segments."""
    far_run("tc", "qdisc", "replace", "dev", "eth0", "root", "netem", *netem)


def far_netem_end():
    """Undo far_netem()."""
    far_run("tc", "qdisc", "del", "dev", "eth0", "root", check=False)


def far_drop_length(length):
    """Lose IPv4 packets of LENGTH bytes at the peer. Returns the function that undoes it."""
    far_receive_frames()
    far_run("tc", "qdisc", "add", "dev", "eth0", "clsact")
    far_run("tc", "filter", "add", "dev", "eth0", "ingress", "protocol", "ip",
            "u32", "match", "u16", str(length), "0xffff", "at", "2", "action",
            "drop")
    return far_loss_end


def near_qdisc(*netem):
    """netem between the near stack and the driver. Returns the function that undoes it."""
    run("tc", "qdisc", "replace", "dev", IFACE, "root", "netem", *netem)
    return lambda: run("tc", "qdisc", "del", "dev", IFACE, "root", check=False)


def gap(flow, size=700):
    """Lose a segment between the stack and the driver, so that the context is lost."""
    undo = near_qdisc("loss", "100%")
    try:
        flow.send(pattern(size))
    finally:
        undo()
    flow.send(pattern(size))
    flow.drain()


def send_lost(flow, size=700):
    """Send a segment that is lost on the wire, like all later ones, on a context in use.
    Returns the function that ends the loss."""
    flow.send(pattern(100))
    flow.drain()
    undo = far_loss("loss", "100%")
    ktap.defer(undo)
    flow.send(pattern(size))
    return undo


def lose_header(flow, records=30):
    """An Inflow receives records of 1000 bytes; the header of the second one comes late."""
    data = flow.stream(1000 * records, 1000)
    flow.far.sendall(data[:900])
    time.sleep(0.2)
    far_netem("loss", "100%")
    flow.far.sendall(data[900:1800])
    time.sleep(0.05)
    far_netem_end()
    for at in range(1800, len(data), 3000):
        flow.far.sendall(data[at:at + 3000])
        time.sleep(0.05)
    flow.take()


def near_reorder():
    """Some segments, chosen by a bit of their sequence number, wait in a slow class of the
    near qdisc and are overtaken. Returns the function that undoes it. (netem cannot do
    that: it takes a packet that it delays from its socket, and the kernel drops packets
    that are to be encrypted and have no socket.)"""
    run("tc", "qdisc", "replace", "dev", IFACE, "root", "handle", "1:", "prio",
        "bands", "2", "priomap", *["0"] * 16)
    run("tc", "qdisc", "add", "dev", IFACE, "parent", "1:2", "tbf", "rate",
        "10mbit", "burst", "16k", "limit", "1m")
    run("tc", "filter", "add", "dev", IFACE, "parent", "1:", "protocol", "ip",
        "u32", "match", "ip", "protocol", "6", "0xff", "match", "u32",
        "0x2000", "0x2000", "at", "24", "flowid", "1:2")
    return lambda: run("tc", "qdisc", "del", "dev", IFACE, "root", check=False)


def reset_by_far(flow):
    """The far end resets the connection. From then on the near end sends no packet of it."""
    flow.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    flow.far.close()
    wait_for(lambda: flow.near.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO,
                                          1)[0] == TCP_CLOSE, 10,
             lambda: "no reset came")


def send_sequence(sock):
    """TCP sequence number of the next byte to send."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, SEND_QUEUE)
    seq = sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_OFF_NO_PROBE)
    return seq & 0xffffffff


def rewrite_sequence(dev, port, seq):
    """Give every segment to that port this sequence number, before the driver sees it."""
    run("tc", "qdisc", "add", "dev", dev, "clsact")
    run("tc", "filter", "add", "dev", dev, "egress", "protocol", "ip", "flower",
        "ip_proto", "tcp", "dst_port", str(port), "action", "pedit", "munge",
        "offset", "24", "u32", "set", hex(seq))


def rewrite_end(dev):
    """Undo rewrite_sequence()."""
    run("tc", "qdisc", "del", "dev", dev, "clsact", check=False)


def sysctl(test_over, name, value, on=run):
    """Set a sysctl. TEST_OVER gets the function that restores it. With on=far_run, the
    peer's."""
    old = on("sysctl", "-n", name).strip()
    on("sysctl", "-qw", f"{name}={value}")
    test_over(on, "sysctl", "-qw", f"{name}={old}")


def patient_tcp(test_over, on=run):
    """New sockets do not retransmit on a timer for a while, so that no timer disturbs the
    test, and do not join data while a slow NIC still has an earlier packet. TEST_OVER gets
    the functions that restore that. With on=far_run, the peer's sockets."""
    for name, value in (("net.ipv4.tcp_rto_min_us", "5000000"),
                        ("net.ipv4.tcp_autocorking", "0"),
                        ("net.ipv4.tcp_early_retrans", "0")):
        sysctl(test_over, name, value, on)


def segments_at_once(count):
    """Limit the segments that TCP puts into one packet for the driver."""
    run("ip", "link", "set", IFACE, "gso_max_segs", str(count))


def mtu(value):
    """Set the MTU on both ends. (Below 1280 the kernel removes IPv6.)"""
    run("ip", "link", "set", IFACE, "mtu", str(value))
    far_run("ip", "link", "set", "eth0", "mtu", str(value))
    if value >= 1280:
        run("ip", "addr", "replace", NEAR[6] + "/64", "dev", IFACE, "nodad")
        far_run("ip", "addr", "replace", FAR[6] + "/64", "dev", "eth0", "nodad")


def readable(sock, timeout):
    """Does the socket become readable within TIMEOUT seconds?"""
    return bool(select.select([sock], [], [], timeout)[0])
