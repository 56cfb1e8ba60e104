#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""XDP: each verdict of a program is carried out and counted, frames are right however a
program changed them, and a program stays through everything that happens to the NIC."""
import contextlib
import functools
import json
import re
import socket
import struct
import time

from nic import (IF, V4, V6, Transfer, at_least, counted, features, mac, mac_bytes, namespace,
                 peer, pci, ping, raw_peer, run, setup_link, stats, traced, transfer, wait)
import ktap
import nicfault
import xdpprog
from xdpprog import (ABORTED, ADJUST_HEAD, ADJUST_META, ADJUST_TAIL, DROP, ETH, HALF, PASS, TX, WORD,
                 Program, of_type, to_port)

OUT = "eth1"            # the other NIC, on the same wire
PORT, PORT2 = 5400, 5401
COUNT = 50
OWN = 0x88b5            # an Ethernet type for experiments
MTU_MAX = 3498          # largest MTU for a program without fragments
ROOM = 4096 - 256 - 320  # bytes of a frame that fit into one buffer


_ATTACHED = set()


def attach(program, dev=IF, **more):
    """Attach the program until the case ends, in place of an earlier one."""
    if dev not in _ATTACHED:
        _ATTACHED.add(dev)
        ktap.defer(release, dev, more.get("mode", "xdpdrv"))
    xdpprog.attach(dev, program, **more)


def release(dev, mode):
    _ATTACHED.discard(dev)
    xdpprog.detach(dev, mode)


def everything(verdict):
    return Program().end(verdict)


def mtu(value, *devices):
    """Set the MTU on both sides until the case ends, and on these other NICs."""
    for dev, ns in [(IF, None), (IF, "peer")] + [(dev, None) for dev in devices]:
        ktap.defer(lambda d=dev, n=ns: run("ip", "link", "set", d, "mtu", 1500, ns=n))
        run("ip", "link", "set", dev, "mtu", value, ns=ns)


def carriers():
    with open(f"/sys/class/net/{IF}/carrier_changes", encoding="ascii") as file:
        return int(file.read())


def of(dev):
    """ethtool -S of another NIC, as a dictionary."""
    return {name: int(value) for name, value in
            re.findall(r"^ +(\w+): (\d+)$", run("ethtool", "-S", dev), re.M)}


class Sniffer:
    """Frames that the peer gets with this NIC's address as their source, from whichever
    NIC."""

    def __init__(self, ethertype):
        ktap.defer(peer, "ethtool", "-K", IF, "gro", "on")
        peer("ethtool", "-K", IF, "gro", "off")
        with namespace("peer"):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
            self.sock.bind((IF, ethertype))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.sock.settimeout(15)
        self.source = mac_bytes(mac())

    def take(self, count):
        """The next COUNT such frames."""
        frames = []
        while len(frames) < count:
            frame = self.sock.recv(70000)
            if frame[6:12] == self.source:
                frames.append(frame)
        return frames


def ends(v6=False, port=PORT):
    """A datagram socket of the peer, connected to this side's port."""
    family, pair = (socket.AF_INET6, V6) if v6 else (socket.AF_INET, V4)
    with namespace("peer"):
        sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((pair[1], port + 100))
    sock.connect((pair[0], port))
    sock.settimeout(15)
    return sock


def here(v6=False, port=PORT):
    """A datagram socket on this side."""
    sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(((V6 if v6 else V4)[0], port))
    sock.settimeout(15)
    return sock


def content(n, size):
    return bytes((n * 7 + i) & 255 for i in range(size))


def settled(grown, **more):
    """The driver and the NIC counted the same frames, and the counters in MORE grew by
    exactly that much."""
    ktap.equal(grown["rx_packets"], grown["dev_rx_frames"], "frames that driver and NIC count")
    ktap.equal(grown["rx_bytes"], grown["dev_rx_bytes"], "bytes that driver and NIC count")
    ktap.equal({name: grown[name] for name in more}, more, "counters")


# Verdicts

def passes(v6):
    """With a program that passes all frames, TCP arrives in both directions, and pings
    work."""
    attach(everything(PASS))
    with counted() as grown:
        transfer(4 << 20, receive=True, v6=v6)
        transfer(2 << 20, v6=v6)
        ping((V6 if v6 else V4)[1])
        time.sleep(0.3)
    settled(grown, rx_xdp_drop=0, rx_xdp_errors=0, rx_gro_packets=0)
    ktap.equal(grown["rx_xdp_pass"], grown["rx_packets"], "frames that the program saw")


def drops(v6, size):
    """A program drops the datagrams of one port: each is counted, and those of the next
    port arrive."""
    attach(to_port(PORT, v6).end(DROP))
    with here(v6) as deaf, here(v6, PORT2) as hears, ends(v6) as sock, \
            ends(v6, PORT2) as other, counted() as grown:
        for n in range(COUNT):
            sock.send(content(n, size))
            other.send(content(n, size))
        for n in range(COUNT):
            ktap.equal(hears.recv(10000), content(n, size), "datagram of the other port")
        deaf.setblocking(False)
        ktap.fails(11, deaf.recv, 10000)
    settled(grown, rx_xdp_drop=COUNT)


def bounced(v6, size):
    """A program answers each datagram with XDP_TX: it comes back whole, and is counted as
    received and as sent."""
    attach(to_port(PORT, v6).bounce(v6).end(TX))
    with ends(v6) as sock, counted() as grown:
        for n in range(COUNT):
            sock.send(content(n, size))
            ktap.equal(sock.recv(10000), content(n, size), "datagram that came back")
    settled(grown, rx_xdp_tx=COUNT, tx_xdp_packets=COUNT, rx_xdp_errors=0)
    at_least(grown, "tx_packets", COUNT)


def redirected(v6, size):
    """A program redirects each datagram to the other NIC, which sends it whole."""
    program = to_port(PORT, v6).bounce(v6).redirect(socket.if_nametoindex(OUT))
    attach(program)
    before = of(OUT)
    with ends(v6) as sock, counted() as grown:
        for n in range(COUNT):
            sock.send(content(n, size))
            ktap.equal(sock.recv(10000), content(n, size), "datagram of the other NIC")
    settled(grown, rx_xdp_redirect=COUNT, tx_xdp_packets=0)
    after = of(OUT)
    ktap.equal(after["tx_xdp_packets"] - before["tx_xdp_packets"], COUNT, "frames redirected here")
    # IPv6 sends some frames of its own.
    sent = after["dev_tx_frames"] - before["dev_tx_frames"]
    if sent < COUNT:
        raise AssertionError(f"the other NIC sent {sent} frames, not {COUNT}")


def both_ways():
    """Two NICs redirect frames to each other while a stream passes through the stack: all
    frames and the stream arrive."""
    out, back = socket.if_nametoindex(OUT), socket.if_nametoindex(IF)
    attach(to_port(PORT).bounce().redirect(out))
    attach(of_type(OWN, 60).swap(WORD, 0, 6).swap(HALF, 4, 10).redirect(back), dev=OUT,
           name="back")
    before = of(OUT)
    stream = Transfer(6 << 20, receive=True)
    ktap.defer(stream.close)
    frame = mac_bytes(mac(OUT)) + mac_bytes(mac()) + struct.pack("!H", OWN)
    with ends() as sock, raw_peer() as raw, counted() as grown:
        for n in range(COUNT):
            sock.send(content(n, 900))
            raw.send(frame + content(n, 200))
            ktap.equal(sock.recv(10000), content(n, 900), "datagram of the other NIC")
        stream.finish(60)
    ktap.equal(grown["rx_xdp_redirect"], COUNT, "frames redirected out")
    ktap.equal(grown["tx_xdp_packets"], COUNT, "frames redirected in")
    ktap.equal(of(OUT)["rx_xdp_redirect"] - before["rx_xdp_redirect"], COUNT, "frames of eth1")


def redirected_nowhere():
    """Frames are redirected to a NIC that is down, or that does not exist: they are lost
    and counted, and other frames are not disturbed."""
    ktap.defer(run, "ip", "link", "set", OUT, "up")
    run("ip", "link", "set", OUT, "down")
    for index in (socket.if_nametoindex(OUT), 9999):
        attach(to_port(PORT).redirect(index))
        with ends() as sock, counted() as grown:
            lost = stats()["rx_xdp_errors"] + COUNT
            for n in range(COUNT):
                sock.send(content(n, 100))
            wait("the errors", lambda least=lost: stats()["rx_xdp_errors"] >= least)
            ping()
        ktap.equal((grown["rx_xdp_errors"], grown["rx_xdp_redirect"]), (COUNT, 0), "frames")


def aborted(verdict):
    """XDP_ABORTED, or a verdict that does not exist, drops the frame and makes a trace
    event."""
    attach(to_port(PORT).end(verdict))
    least = stats()["rx_xdp_aborted"] + COUNT
    with traced("xdp/xdp_exception") as lines, ends() as sock, counted() as grown:
        for n in range(COUNT):
            sock.send(content(n, 100))
        wait("the frames", lambda: stats()["rx_xdp_aborted"] >= least)
    ktap.equal(grown["rx_xdp_aborted"], COUNT, "frames")
    word = "ABORTED" if verdict == ABORTED else hex(verdict)
    ktap.equal(len([line for line in lines if f"action={word} " in line]), COUNT, "events")


# Frames that a program changes

@functools.cache
def own_header():
    """Ethernet header from the peer to this NIC; cached, because asking for the addresses
    takes time."""
    return mac_bytes(mac()) + mac_bytes(mac(ns="peer")) + struct.pack("!H", OWN)


def own_frame(length, n=0):
    """A frame of LENGTH bytes to this NIC."""
    return own_header() + content(n, length - ETH)


def echo(program, frames):
    """Send frames; return those that the program sends back."""
    sniffer = Sniffer(OWN)
    attach(program)
    with raw_peer() as sock:
        for frame in frames:
            sock.send(frame)
    return sniffer.take(len(frames))


def swapped(frame, keep=12):
    return frame[6:12] + frame[:6] + frame[keep:]


def turn():
    return of_type(OWN, 60).swap(WORD, 0, 6).swap(HALF, 4, 10)


def sizes():
    """Frames of lengths around each limit of one and of several buffers come back
    unchanged."""
    mtu(9000, OUT)
    lengths = [60, 61, 255, 256, 257, 1514, ROOM - 1, ROOM, ROOM + 1, ROOM + 2, 2 * ROOM - 1,
               2 * ROOM, 2 * ROOM + 1, 9014]
    frames = [own_frame(length, n) for n, length in enumerate(lengths)]
    for got, sent in zip(echo(turn().end(TX), frames), frames):
        ktap.equal(got, swapped(sent), f"frame of {len(sent)} bytes")


def head_grows():
    """A program adds bytes at the front of a frame, up to all of the headroom: the frame is
    sent whole."""
    for more in (8, 64, 200):
        program = turn().adjust(ADJUST_HEAD, -more).room(more + ETH)
        for at in (0, 4, 8):
            program.move(WORD, at, more + at)
        program.store(HALF, 12, socket.htons(OWN)).end(TX)
        for size in (60, 700, 1514 - more):
            sent = own_frame(size)
            got, = echo(program, [sent])
            want = swapped(sent)
            ktap.equal((got[:ETH], got[more + ETH:]), (want[:ETH], want[ETH:]),
                       f"{size} bytes and {more}")


def head_shrinks():
    """A program removes bytes at the front of a frame: the stack gets the datagram behind
    them."""
    program = of_type(OWN, ETH + 8)
    for at in (8, 4, 0):
        program.move(WORD, at + 4, at)
    program.store(HALF, 16, socket.htons(0x0800)).adjust(ADJUST_HEAD, 4)
    attach(program.end(PASS))
    with here() as sock, raw_peer() as raw:
        for n in range(COUNT):
            data = content(n, 300 + n)
            pair = socket.inet_aton(V4[1]) + socket.inet_aton(V4[0])
            head = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(data), n, 0, 64, 17, 0) + pair
            total = sum(struct.unpack("!10H", head))
            total = (total & 0xffff) + (total >> 16)
            head = head[:10] + struct.pack("!H", ~total & 0xffff) + head[12:]
            raw.send(own_frame(ETH) + b"\0\0\0\0" + head +
                     struct.pack("!HHHH", 9, PORT, 8 + len(data), 0) + data)
            ktap.equal(sock.recv(10000), data, "datagram")


def tail_changes():
    """A program adds bytes at the end of a frame, which are zero, or removes some, also in
    the last fragment: the frame is sent so."""
    mtu(9000, OUT)
    for by in (-40, -1, 1, 100):
        for length in (100, 1514, ROOM - 100, ROOM + 300, 2 * ROOM + 400):
            sent = own_frame(length)
            got, = echo(turn().adjust(ADJUST_TAIL, by).end(TX), [sent])
            want = swapped(sent)
            want = want + bytes(by) if by > 0 else want[:by]
            ktap.equal(got, want, f"{length} bytes, changed by {by}")


def fragment_goes():
    """A program removes the whole second buffer of a frame, and more: the frame is sent so."""
    mtu(9000, OUT)
    for by in (300, 301, 1000):
        sent = own_frame(ROOM + 300)
        got, = echo(turn().adjust(ADJUST_TAIL, -by).end(TX), [sent])
        ktap.equal(got, swapped(sent)[:-by], f"less {by}")


def limits():
    """A frame can grow up to the last byte of its buffer, and not beyond."""
    mtu(9000, OUT)
    for length, room in ((100, ROOM - 100), (ROOM, 0), (ROOM + 1000, 4096 - 256 - 1000)):
        if room:
            got, = echo(turn().adjust(ADJUST_TAIL, room).end(TX), [own_frame(length)])
            ktap.equal(len(got), length + room, "bytes")
        attach(turn().adjust(ADJUST_TAIL, room + 1).end(TX))
        refused_before = stats()["rx_xdp_aborted"]
        with raw_peer() as sock:
            sock.send(own_frame(length))
        wait(f"the abort of {length} bytes and {room + 1}",
             lambda least=refused_before: stats()["rx_xdp_aborted"] > least)


def too_long_to_send():
    """A program makes frames longer than the MTU allows: the NIC refuses to send them, and
    the queue goes on."""
    attach(turn().adjust(ADJUST_TAIL, 1000).end(TX))
    with raw_peer() as sock, counted() as grown:
        for n in range(COUNT):
            sock.send(own_frame(1514, n))
        wait("the errors", lambda: stats()["tx_errors"])
        ping()
        transfer(1 << 20)
    at_least(grown, "tx_errors", 1)
    ktap.equal(grown["rx_xdp_tx"], COUNT, "frames")


def metadata():
    """Metadata that a program puts in front of a frame does not disturb the stack."""
    attach(Program().adjust(ADJUST_META, -16).end(PASS))
    transfer(2 << 20, receive=True)
    ping()


# Hints

def hash_hint():
    """A program gets the NIC's hash and its type: one hash for each pair of ports."""
    seen = set()
    with contextlib.ExitStack() as stack:
        program = to_port(PORT).bounce().hint("bpf_xdp_metadata_rx_hash", (WORD, WORD), 42)
        attach(program.end(TX), flags=xdpprog.DEV_BOUND)
        sniffer = Sniffer(0x0800)
        for source in range(5):
            with namespace("peer"):
                sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind((V4[1], 6000 + source))
            for _ in range(2):
                sock.sendto(bytes(64), (V4[0], PORT))
            values = {struct.unpack("<III", frame[42:54]) for frame in sniffer.take(2)}
            (value, kind, result), = values
            ktap.equal((kind & 9, result), (9, 0), "IPv4 and ports, and no error")
            seen.add(value)
    ktap.equal(len(seen), 5, "hashes")


def vlan_hint():
    """A program gets the VLAN tag that the NIC removed, and an error for a frame without a
    tag."""
    program = of_type(OWN, 60).swap(WORD, 0, 6).swap(HALF, 4, 10)
    program.hint("bpf_xdp_metadata_rx_vlan_tag", (HALF, HALF), 20).end(TX)
    sniffer = Sniffer(OWN)
    attach(program, flags=xdpprog.DEV_BOUND)
    plain = own_frame(100)
    tagged = plain[:12] + struct.pack("!HH", 0x8100, 0x6005) + plain[12:]
    with raw_peer() as sock:
        sock.send(tagged)
        sock.send(plain)
    one, other = (struct.unpack("<IIi", frame[20:32]) for frame in sniffer.take(2))
    ktap.equal(one, (socket.htons(0x8100), 0x6005, 0), "protocol, tag, result")
    ktap.equal(other[2], -61, "result without a tag")    # ENODATA


# The life of the NIC with a program

def announced():
    """Netlink tells user space which XDP features and hints the driver has."""
    info = json.loads(run("python3", "-c", FEATURES))
    ktap.equal(sorted(info["xdp-features"]), ["basic", "ndo-xmit", "ndo-xmit-sg", "redirect",
                                              "rx-sg"], "features")
    ktap.equal(sorted(info["xdp-rx-metadata-features"]), ["hash", "vlan-tag"], "hints")


FEATURES = """
import json, socket, sys
sys.path.insert(0, "/opt/selftests/drivers/net")
import os
os.chdir("/opt/selftests/drivers/net")
from lib.py import NetdevFamily
got = NetdevFamily().dev_get({"ifindex": socket.if_nametoindex("eth0")})
print(json.dumps({key: sorted(got[key]) for key in got if key.startswith("xdp") and
                  isinstance(got[key], (set, list))}))
"""


def replaced_under_traffic():
    """Programs are attached and detached under TCP: the carrier stays. While one program
    replaces another, no frame is lost."""
    stream, before = Transfer(24 << 20, receive=True), carriers()
    ktap.defer(stream.close)
    for _ in range(4):
        xdpprog.attach(IF, everything(PASS))
        time.sleep(0.2)
        xdpprog.detach(IF)
    attach(everything(PASS))
    with counted() as grown, here() as sock, ends() as other:
        for n in range(40):
            xdpprog.attach(IF, everything(PASS), name=f"test{n % 2}")
            other.send(content(n, 100))
        for n in range(40):
            ktap.equal(sock.recv(1000), content(n, 100), "datagram")
        stream.finish(60)
    ktap.equal(carriers(), before, "changes of the carrier")
    ktap.equal(grown["rx_dropped"] + grown["rx_xdp_errors"], 0, "frames lost")


def refused():
    """A program without fragments is refused at a large MTU, with a message, and a large
    MTU is refused with such a program. Hardware GRO is off as long as a program is
    attached."""
    mtu(9000)
    for value, flags in ((9000, 0), (MTU_MAX + 1, 0)):
        run("ip", "link", "set", IF, "mtu", value)
        try:
            xdpprog.attach(IF, everything(PASS), flags=flags)
        except AssertionError as err:
            if f"MTU of {MTU_MAX}" not in str(err):
                raise
        else:
            raise AssertionError(f"not refused at {value}")
    run("ip", "link", "set", IF, "mtu", MTU_MAX)
    attach(everything(PASS), flags=0)
    ping(size=MTU_MAX - 28)
    try:
        run("ip", "link", "set", IF, "mtu", MTU_MAX + 1)
    except AssertionError:
        pass
    else:
        raise AssertionError("MTU above the program's")
    ktap.equal(features()["rx-gro-hw"], False, "rx-gro-hw with a program")
    run("ethtool", "-K", IF, "rx-gro-hw", "on", check=False)
    ktap.equal(features()["rx-gro-hw"], False, "rx-gro-hw with a program, asked for")
    transfer(1 << 20, receive=True)
    xdpprog.detach(IF)
    ktap.equal(features()["rx-gro-hw"], True, "rx-gro-hw without it")


def no_memory_for_rings():
    """New rings do not start: the program is refused, and the old rings go on."""
    ktap.defer(nicfault.end)
    nicfault.command("fail", "queue-create", 1, nicfault.FAILS)
    try:
        xdpprog.attach(IF, everything(PASS))
    except AssertionError as err:
        if "no new rings" not in str(err):
            raise
    else:
        raise AssertionError("not refused")
    ktap.equal(features()["rx-gro-hw"], True, "rx-gro-hw")
    transfer(1 << 20, receive=True)
    bounced(False, 100)


def kept(change):
    """A program goes on working after a change that happens under traffic."""
    attach(to_port(PORT).bounce().end(TX))
    stream = Transfer(8 << 20, receive=True)
    ktap.defer(stream.close)
    change()
    wait("the link", lambda: "LOWER_UP" in run("ip", "link", "show", IF), 60)
    with ends() as sock, counted() as grown:
        for n in range(COUNT):
            sock.send(content(n, 500))
            ktap.equal(sock.recv(1000), content(n, 500), "datagram that came back")
    ktap.equal(grown["rx_xdp_tx"], COUNT, "frames sent back")
    stream.finish(90)


def rings():
    ktap.defer(run, "ethtool", "-G", IF, "rx", 512, "tx", 512)
    for size in (64, 4096, 128):
        run("ethtool", "-G", IF, "rx", size, "tx", size)


def channels():
    ktap.defer(run, "ethtool", "-L", IF, "combined", 2)
    for number in (1, 4, 2, 3):
        run("ethtool", "-L", IF, "combined", number)


def mtus():
    mtu(9000)
    for value in (9000, 1280, 3498, 1500):
        run("ip", "link", "set", IF, "mtu", value)


def down_and_up():
    for _ in range(3):
        run("ip", "link", "set", IF, "down")
        setup_link()


def reload():
    run("devlink", "dev", "reload", f"pci/{pci()}")


def crash():
    resets = stats()["resets"]
    nicfault.ask("fw-crash", 1)
    wait("the reset", lambda: stats()["resets"] > resets, 60)


def function_reset():
    with open(f"/sys/bus/pci/devices/{pci()}/reset", "w", encoding="ascii") as file:
        file.write("1")


def set_while_down():
    """A program is attached while the interface is down: it sees frames when it is up."""
    run("ip", "link", "set", IF, "down")
    ktap.defer(setup_link)
    attach(to_port(PORT).bounce().end(TX))
    setup_link()
    bounced(False, 100)
    xdpprog.detach(IF)
    run("ip", "link", "set", IF, "down")
    setup_link()
    transfer(1 << 20, receive=True)


def slow_sender():
    """More frames to send back than the ring has room for: some are lost and counted, and
    TCP in the same ring goes on."""
    ktap.defer(run, "ethtool", "-G", IF, "rx", 512, "tx", 512)
    ktap.defer(run, "ethtool", "-L", IF, "combined", 2)
    run("ethtool", "-L", IF, "combined", 1)
    run("ethtool", "-G", IF, "rx", 4096, "tx", 64)
    attach(turn().end(TX))
    stream = Transfer(4 << 20)
    ktap.defer(stream.close)
    rounds = 0
    with raw_peer() as sock, counted() as grown:
        while stream.threads[1].is_alive() or rounds < 10:
            for n in range(200):
                sock.send(own_frame(400, n))
            rounds += 1
        stream.finish(60)
    at_least(grown, "rx_xdp_tx", 64)    # the ring's size; others may be lost
    ktap.equal(grown["tx_xdp_packets"], grown["rx_xdp_tx"], "frames sent back")


def generic():
    """The kernel's generic XDP still works."""
    attach(to_port(PORT).end(DROP), mode="xdpgeneric")
    with ends() as sock:
        for n in range(COUNT):
            sock.send(content(n, 100))
    transfer(1 << 20, receive=True)


def unbound():
    """The driver is unbound with a program attached under traffic: the NIC comes back
    without a program, and works."""
    address = pci()
    attach(to_port(PORT).bounce().end(TX))
    attach(everything(PASS), dev=OUT, name="out")
    with raw_peer() as sock:
        for n in range(500):
            sock.send(own_frame(400, n))
        run("sh", "-c", f"echo {address} >/sys/bus/pci/drivers/vktls/unbind")
    run("sh", "-c", f"echo {address} >/sys/bus/pci/drivers/vktls/bind")
    wait("the NIC", lambda: IF in run("ip", "-br", "link"))
    setup_link()
    ktap.equal("xdp" in run("ip", "link", "show", IF), False, "a program")
    transfer(1 << 20, receive=True)
    bounced(False, 100)


def main():
    # the other NIC is on the same wire, and must not answer for this NIC
    run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")
    setup_link()
    run("ip", "link", "set", OUT, "up")
    ktap.add("announced", announced, timeout=60)
    for name, v6 in (("v4", False), ("v6", True)):
        ktap.add(f"{name}: pass", passes, v6, timeout=60)
        ktap.add(f"{name}: drop", drops, v6, 200)
        ktap.add(f"{name}: sent back", bounced, v6, 1000)
        ktap.add(f"{name}: redirected", redirected, v6, 1000)
    for case in (both_ways, redirected_nowhere, sizes, head_grows, head_shrinks, tail_changes,
                 fragment_goes, limits, too_long_to_send, metadata, hash_hint, vlan_hint,
                 replaced_under_traffic, refused, no_memory_for_rings, set_while_down,
                 slow_sender, generic):
        ktap.add(case.__name__.replace("_", " "), case, timeout=90)
    ktap.add("aborted", aborted, ABORTED)
    ktap.add("no such verdict", aborted, 77)
    for case in (rings, channels, mtus, down_and_up, reload, crash, function_reset):
        ktap.add(f"kept: {case.__name__.replace('_', ' ')}", kept, case, timeout=120)
    ktap.add("unbound", unbound, timeout=90)
    ktap.main()


if __name__ == "__main__":
    main()
