#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Many connections at once. All content is right, the counters tell which side
encrypted it, and nothing is left in the end.

    many.py             a thousand, on a card with room for a quarter of them
    many.py crowd       as many as the card has room for, and one more
"""
import resource
import socket
import sys

import ktap
import ktls
import rig
import slab

CROWD = sys.argv[1:] == ["crowd"]
ROOM = 20000 if CROWD else 256      # as said in many-crowd.vm and many.vm
COUNT = ROOM + 1 if CROWD else 1000
AT_ONCE = 500       # connections, one record each, that a queue has place for
SIZES = (1, 700, 5000)      # records of one round; TCP's buffers hold them all
DATA = {size: rig.pattern(size) for size in SIZES}
CURRENT = ("TlsCurrTxSw", "TlsCurrRxSw", "TlsCurrTxDevice", "TlsCurrRxDevice")


class Many:
    """A number of connections that send by kernel TLS at the near end."""

    def __init__(self, count):
        self.flows = []
        with rig.far_side():
            server = socket.create_server((rig.FAR[4], 0), backlog=64)
        with server:
            print(f"# {count} connections", flush=True)
            for number in range(count):
                near = socket.create_connection(server.getsockname())
                far, _ = server.accept()
                far.settimeout(60)
                cipher = ("aes-128-gcm", "aes-256-gcm")[number % 2]
                self.flows.append(rig.Flow(cipher, pair=(near, far),
                                           reading=False))

    def __iter__(self):
        return iter(self.flows)

    def round(self, flows=None):
        """Some records on each, all of them under way before one is read."""
        flows = self.flows if flows is None else flows
        for size in SIZES:
            for flow in flows:
                flow.send(DATA[size])
        for flow in flows:
            self.read(flow)

    @staticmethod
    def read(flow):
        """Read a record of each size, open it, and compare it with the data that was
        sent."""
        stream = b""
        for size in SIZES:
            while len(stream) < size + 29:
                chunk = flow.far.recv(1 << 18)
                if not chunk:
                    raise AssertionError("the stream ended")
                stream += chunk
            record, stream = stream[:size + 29], stream[size + 29:]
            ktap.equal(flow.opener.open(record), (ktls.DATA, DATA[size]),
                       "record")
            flow.wire += len(record)
        ktap.equal(stream, b"", "after the last record")

    def rounds(self):
        """round(), some of them at a time."""
        for first in range(0, len(self.flows), AT_ONCE):
            self.round(self.flows[first:first + AT_ONCE])

    def close(self, flows=None):
        """Both ends."""
        for flow in list(self.flows if flows is None else flows):
            flow.near.close()
            flow.far.close()
        self.flows = [flow for flow in self.flows if flow.near.fileno() >= 0]


def on_the_nic(watch, flows):
    """Contexts that these got; no reason but the full table keeps one out."""
    watch.expect(tx_tls_ctx=ROOM, TlsTxDevice=ROOM, TlsTxSw=COUNT - ROOM,
                 TlsCurrTxDevice=ROOM, TlsCurrTxSw=COUNT - ROOM,
                 tx_tls_add_failed=0)
    if not rig.STOCK:
        watch.expect(TlsTxDeviceFull=COUNT - ROOM)
    if watch["tx_tls_no_space"] < COUNT - ROOM:
        raise AssertionError(watch.report())
    ktap.equal(len(flows.flows), COUNT, "connections")


def by_the_nic(watch, flows):
    """The NIC has encrypted the data of these connections, except for packets that a
    full queue before it dropped."""
    sent, done = sum(flow.wire for flow in flows), watch["tx_tls_encrypted_bytes"]
    print(f"# figure: {len(flows)} connections on the NIC: {done} of {sent} bytes")
    if not 0.8 * sent <= done <= sent:
        raise AssertionError(f"{done} of {sent} bytes; {watch.report()}")


def all_gone(watch):
    """The numbers of contexts and sockets are as before."""
    def is_gone():
        moved = watch.moved()
        return (moved["tx_tls_ctx"] == moved["tx_tls_del"] and
                not any(moved[name] for name in CURRENT))

    rig.wait_for(is_gone, 60, lambda: f"something is left; {watch.report()}")


def memory_used():
    """Memory in use in the guest, in bytes, without memory that the kernel can
    reclaim."""
    with open("/proc/meminfo", encoding="ascii") as file:
        kib = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return 1024 * (kib["MemTotal"] - kib["MemAvailable"])


def kmalloc():
    """Objects in use in the kernel's general caches."""
    slab.shrink()
    return {name: used for name, used in slab.in_use().items() if name.startswith("kmalloc")}


def memory_is_back(before):
    """Of the memory that the kernel used for records of each connection, nothing is
    left."""
    def grown():
        return {name: used - before[name] for name, used in kmalloc().items()
                if used - before[name] >= 2 * ROOM}

    rig.wait_for(lambda: not grown(), 60, lambda: f"caches grew: {grown()}")


def crowd():
    """All connections except the last are on the NIC."""
    watch, before = rig.Watch(), memory_used()
    many = Many(COUNT)
    ktap.defer(many.close)
    grown = memory_used() - before
    print(f"# figure: {COUNT} connections, {ROOM} on the NIC: {grown // COUNT} bytes "
          "of the guest's memory for each, with its peer and this program")
    on_the_nic(watch, many)
    many.rounds()
    by_the_nic(watch, many.flows[:ROOM])
    many.close()
    all_gone(watch)


def thousand():
    """The first connections are on the NIC, and it encrypts all of their bytes."""
    watch = rig.Watch()
    many = Many(COUNT)
    ktap.defer(many.close)
    on_the_nic(watch, many)
    many.round()
    by_the_nic(watch, many.flows[:ROOM])
    if not rig.STOCK:
        others_follow(many)
    many.close()
    all_gone(watch)


def others_follow(many):
    """The places of those that end go to others, which lose nothing by it."""
    watch = rig.Watch()
    many.close(many.flows[:ROOM])
    before = sum(flow.wire for flow in many)

    def all_taken():
        many.round()
        return watch["TlsCurrTxDevice"] == 0    # as many as before

    rig.wait_for(all_taken, 200, lambda: f"places are free; "
                 f"{watch['TlsCurrTxDevice']}; {watch.report()}")
    watch.expect(TlsTxDeviceAgain=ROOM, tx_tls_del=ROOM, tx_tls_ctx=ROOM)
    sent = sum(flow.wire for flow in many) - before
    print(f"# figure: places freed and taken: {ROOM}; meanwhile by the NIC "
          f"{watch['tx_tls_encrypted_bytes']} of {sent} bytes")


def again():
    """Nothing of the thousand is in the way of the next, and nothing of those is left."""
    before = kmalloc()
    for _ in range(4):
        watch = rig.Watch()
        many = Many(ROOM)
        ktap.defer(many.close)
        many.round()
        watch.expect(tx_tls_ctx=ROOM, tx_tls_no_space=0, TlsTxSw=0)
        by_the_nic(watch, many.flows)
        many.close()
        all_gone(watch)
    memory_is_back(before)


resource.setrlimit(resource.RLIMIT_NOFILE, (4 * COUNT, 4 * COUNT))
rig.offload()
rig.control()
if CROWD:
    sys.argv.pop()
    ktap.add("crowd", crowd, timeout=1500)
else:
    ktap.add("thousand", thousand, timeout=500)
    ktap.add("again", again, timeout=200)
ktap.main()
