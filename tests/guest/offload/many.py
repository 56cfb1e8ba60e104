#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Many connections at once: all content is right, the counters tell which side encrypted
it, and in the end no context, socket or memory is left.

many.py             a thousand, on a NIC with room for a quarter of them
many.py crowd       as many as the NIC has room for, and one more
"""
import resource
import socket
import sys

import ktap
import ktls
import rig
import slab

CROWD = sys.argv[1:] == ["crowd"]
ROOM = 20000 if CROWD else 256      # contexts of the NIC, as set in many-crowd.vm and many.vm
COUNT = ROOM + 1 if CROWD else 1000
AT_ONCE = 500       # connections whose records, one each, fit into a transmit queue
SIZES = (1, 700, 5000)      # bytes of a round's records; TCP's buffers hold all of them
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
        """Send three records on each connection, all before the first is read."""
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
        """A round() on all connections, AT_ONCE of them at a time."""
        for first in range(0, len(self.flows), AT_ONCE):
            self.round(self.flows[first:first + AT_ONCE])

    def close(self, flows=None):
        """Close both ends of these connections."""
        for flow in list(self.flows if flows is None else flows):
            flow.near.close()
            flow.far.close()
        self.flows = [flow for flow in self.flows if flow.near.fileno() >= 0]


def on_the_nic(watch, flows):
    """ROOM connections got a context; the full table is the only reason for the rest."""
    watch.expect(tx_tls_ctx=ROOM, TlsTxDevice=ROOM, TlsTxSw=COUNT - ROOM,
                 TlsCurrTxDevice=ROOM, TlsCurrTxSw=COUNT - ROOM,
                 tx_tls_add_failed=0)
    if not rig.STOCK:
        watch.expect(TlsTxDeviceFull=COUNT - ROOM)
    if watch["tx_tls_no_space"] < COUNT - ROOM:
        raise AssertionError(watch.report())
    ktap.equal(len(flows.flows), COUNT, "connections")


def by_the_nic(watch, flows):
    """The NIC encrypted the data of these connections, except for packets that were dropped
    at the full queue before it."""
    sent, done = sum(flow.wire for flow in flows), watch["tx_tls_encrypted_bytes"]
    print(f"# figure: {len(flows)} connections on the NIC: {done} of {sent} bytes")
    if not 0.8 * sent <= done <= sent:
        raise AssertionError(f"{done} of {sent} bytes; {watch.report()}")


def all_gone(watch):
    """Wait until the numbers of contexts and sockets are as they were at the start of
    WATCH."""
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
    """Wait until the kernel has freed the memory that it used for each connection's
    records."""
    def grown():
        return {name: used - before[name] for name, used in kmalloc().items()
                if used - before[name] >= 2 * ROOM}

    rig.wait_for(lambda: not grown(), 60, lambda: f"caches grew: {grown()}")


def crowd():
    """On a NIC with 20000 contexts, all connections except the last are on the NIC."""
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
    """Of a thousand connections, the first 256 fill the NIC's table, and the NIC encrypts
    their bytes; when they end, others take their entries."""
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
    """The connections with contexts end: other connections get the table entries, and lose
    no data."""
    watch = rig.Watch()
    many.close(many.flows[:ROOM])
    before = sum(flow.wire for flow in many)

    def all_taken():
        many.round()
        return watch["TlsCurrTxDevice"] == 0    # as many as when WATCH began

    rig.wait_for(all_taken, 200, lambda: f"places are free; "
                 f"{watch['TlsCurrTxDevice']}; {watch.report()}")
    watch.expect(TlsTxDeviceAgain=ROOM, tx_tls_del=ROOM, tx_tls_ctx=ROOM)
    sent = sum(flow.wire for flow in many) - before
    print(f"# figure: places freed and taken: {ROOM}; meanwhile by the NIC "
          f"{watch['tx_tls_encrypted_bytes']} of {sent} bytes")


def again():
    """Connections fill the table and end, four times: each time all get contexts, and in
    the end nothing of them is left in the NIC or in memory."""
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
