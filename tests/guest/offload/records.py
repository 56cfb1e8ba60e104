#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Record shapes through the NIC's TLS engine, without loss: the NIC encrypts every byte,
and the far end opens the records without kernel TLS."""
import errno
import os
import re
import socket
import time

import ktap
import ktls
import rig

SIZES = [1, 15, 16, 17, 1399, 1448, 1449, 16383, 16384, 16385, 65536, 300000]
BOTH = [("aes-128-gcm", 4), ("aes-256-gcm", 4),
        ("aes-128-gcm", 6), ("aes-256-gcm", 6)]
# our tls.ko alone offers these to a driver
OURS = [] if rig.STOCK else [
    (ktls.TLS12, "chacha20-poly1305"), (ktls.TLS13, "aes-128-gcm"),
    (ktls.TLS13, "aes-256-gcm"), (ktls.TLS13, "chacha20-poly1305")]
TRACING = "/sys/kernel/tracing"
# none of these may move; a slow guest may retransmit without a loss, which is acknowledged
# by the time it reaches the driver
CLEAN = {"tx_tls_fallback_gap": 0, "tx_tls_resync_req": 0,
         "tx_tls_drop_bypass_req": 0, "tx_tls_lost_device": 0}


def all_by_nic(watch, *flows):
    """The NIC encrypted all bytes of these flows, and nothing else."""
    count = len(flows)
    wire = sum(flow.wire for flow in flows)
    watch.settle("tx_tls_del", count)
    watch.expect(tx_tls_ctx=count, TlsTxDevice=count, TlsTxSw=0,
                 tx_tls_encrypted_bytes=wire, **CLEAN)


def sizes(cipher, family, version=ktls.TLS12):
    """One send of each size, each on a connection of its own: the NIC encrypts all of them."""
    for size in SIZES:
        watch = rig.Watch()
        flow = rig.Flow(cipher, family, version=version)
        flow.send(rig.pattern(size))
        flow.finish()
        all_by_nic(watch, flow)


def sendfile(cipher, family, size, version=ktls.TLS12):
    """A file sent by sendfile: the NIC encrypts all of it."""
    path = "/tmp/file"
    with open(path, "wb") as file:
        file.write(rig.pattern(size))
    ktap.defer(os.unlink, path)
    watch = rig.Watch()
    flow = rig.Flow(cipher, family, version=version)
    flow.sendfile(path, size)
    flow.finish(300)
    all_by_nic(watch, flow)


def zerocopy():
    """A file sent by sendfile with TLS_TX_ZEROCOPY_RO, which omits the copy that protects a
    record from changes of the file: the NIC encrypts all of it."""
    path = "/tmp/file"
    with open(path, "wb") as file:
        file.write(rig.pattern(1 << 20))
    ktap.defer(os.unlink, path)
    watch = rig.Watch()
    flow = rig.Flow()
    flow.near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX_ZEROCOPY_RO, 1)
    flow.sendfile(path, 1 << 20)
    flow.finish()
    all_by_nic(watch, flow)


def small_records(cipher, family, version=ktls.TLS12):
    """1000 corked sends of 1 to 64 bytes: packets hold several records, and the NIC
    encrypts all of them."""
    watch = rig.Watch()
    flow = rig.Flow(cipher, family, version=version)
    flow.near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    data = rig.pattern(64 * 1000)
    for i in range(1000):
        flow.send(data[64 * i:64 * i + 1 + i % 64])
    flow.near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    flow.finish()
    all_by_nic(watch, flow)
    if watch["tx_tls_encrypted_packets"] > 500:
        raise AssertionError("records were not joined in packets")


def one_record_of_many_sends():
    """160 sends with MSG_MORE make a single record."""
    watch = rig.Watch()
    flow = rig.Flow()
    data = rig.pattern(16000)
    for at in range(0, 16000, 100):
        flow.send(data[at:at + 100], socket.MSG_MORE if at < 15900 else 0)
    flow.near.close()
    records = flow.check(flow.receiver.finish())
    ktap.equal(records, [(ktls.DATA, 16000)], "records")
    all_by_nic(watch, flow)


def record_types():
    """Alerts and handshake messages between data: each record arrives with its type."""
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(b"one")
    ktls.send_record(flow.near, b"\1\0", ktls.ALERT)
    flow.send(b"two")
    ktls.send_record(flow.near, b"hello", ktls.HANDSHAKE)
    flow.near.close()
    records = flow.check(flow.receiver.finish())
    ktap.equal(records, [(ktls.DATA, 3), (ktls.ALERT, 2), (ktls.DATA, 3),
                         (ktls.HANDSHAKE, 5)], "records")
    all_by_nic(watch, flow)


def record_number():
    """A stream whose first record number is just below 2^32: the NIC carries into the upper
    half."""
    watch = rig.Watch()
    flow = rig.Flow(seq=(1 << 32) - 2)
    for _ in range(5):
        flow.send(rig.pattern(20000))
    flow.finish()
    all_by_nic(watch, flow)


def last_number():
    """The record number 2^64 - 1 is not used: the send fails with EBADMSG. The record with
    the number before it is sent, and its call succeeds."""
    watch = rig.Watch()
    flow = rig.Flow(seq=(1 << 64) - 2)
    flow.send(b"last")
    ktap.fails(errno.EBADMSG, flow.near.send, b"one more")
    flow.finish()
    all_by_nic(watch, flow)


def last_numbers_of_a_call():
    """A call needs more record numbers than the key has left: records that have a number
    are sent, the rest is not, and no number is used twice."""
    watch = rig.Watch()
    flow = rig.Flow(seq=(1 << 64) - 3)
    data = rig.pattern(3 * ktls.MAX_PLAIN)
    ktap.fails(errno.EBADMSG, flow.near.send, data)
    flow.note(data[:2 * ktls.MAX_PLAIN])
    flow.finish()
    all_by_nic(watch, flow)


def open_record_lost():
    """One call sends the record that MSG_MORE held open and the whole records behind it,
    and all are lost on the wire: TCP sends them again, and each is found at its right place
    in the stream."""
    rig.patient_tcp(ktap.defer)
    for size in (1, 9000):
        flow = rig.Flow()
        flow.send(rig.pattern(2 << 20))     # so that the window has room for all of it
        flow.drain()
        watch = rig.Watch()
        flow.send(rig.pattern(size), socket.MSG_MORE)
        undo = rig.far_loss("loss", "100%")
        ktap.defer(undo)
        flow.send(rig.pattern(3 * ktls.MAX_PLAIN))
        undo()
        flow.drain()
        watch.some("tx_tls_ooo")
        flow.finish()


def data_before():
    """Bytes that were sent before the key was set arrive in the clear; later bytes are
    encrypted by the NIC."""
    watch = rig.Watch()
    flow = rig.Flow(before=b"in the clear, on purpose" * 100)
    flow.send(rig.pattern(50000))
    flow.finish()
    all_by_nic(watch, flow)


def hundred_connections():
    """A hundred connections at once, half of them IPv6, with both ciphers: the NIC encrypts
    all of them."""
    watch = rig.Watch()
    flows = [rig.Flow(*BOTH[i % 4]) for i in range(100)]
    ktap.equal(watch["TlsCurrTxDevice"], 100, "TlsCurrTxDevice")
    data = rig.pattern(20000)
    for i in range(3):
        for flow in flows:
            flow.send(data[i * 100:])
    for flow in flows:
        flow.finish()
    all_by_nic(watch, *flows)


def both_directions():
    """A connection that also receives plaintext data while it sends: the NIC encrypts all
    that it sends."""
    watch = rig.Watch()
    flow = rig.Flow()
    for i in range(20):
        flow.send(rig.pattern(5000))
        flow.far.sendall(b"back %d" % i)
        flow.near.recv(100)
    flow.finish()
    all_by_nic(watch, flow)


def frame_size(size):
    """A megabyte with this MTU, with and without segmentation by the NIC: the NIC encrypts
    all of it."""
    rig.mtu(size)
    ktap.defer(rig.mtu, 1500)
    ktap.defer(rig.feature, "tso", True)
    for tso in (True, False):
        rig.feature("tso", tso)
        watch = rig.Watch()
        flow = rig.Flow(family=4 if size < 1280 else 6)
        flow.send(rig.pattern(1 << 20))
        flow.finish()
        all_by_nic(watch, flow)


def off_means_off():
    """With the feature off, software encrypts the connection."""
    rig.offload(False)
    ktap.defer(rig.offload, True)
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(100000))
    flow.finish()
    watch.expect(tx_tls_ctx=0, tx_tls_encrypted_bytes=0, TlsTxSw=1,
                 TlsTxDevice=0)


def reset_flows(count):
    """COUNT connections with contexts, reset by the far end, so that closing them sends no
    packet."""
    flows = [rig.Flow(reading=False) for _ in range(count)]
    for flow in flows:
        flow.send(rig.pattern(100))
    for flow in flows:
        flow.drain()
        rig.reset_by_far(flow)
    return flows


def deleted_together():
    """40 connections are closed at once: their contexts are deleted with at most ten
    doorbells and interrupts."""
    flows = reset_flows(40)
    watch = rig.Watch()
    for flow in flows:
        flow.near.close()
    # reading the counters is a command, and would take waiting commands along
    time.sleep(0.5)
    moved = watch.moved()
    ktap.equal((moved["tx_tls_del"], moved["dev_tls_ctx_live"]), (40, -40), "deleted")
    # the comparison of both tables did not delete them either; it would hide a forgotten
    # delete
    ktap.equal(moved["tls_del_later"], 0, "tls_del_later")
    for name in ("dev_doorbells", "dev_interrupts"):
        ktap.equal(moved[name] <= 10, True, f"{name}: {moved[name]} for 40 contexts")


def deleted_in_time():
    """Three contexts, too few for a batch, wait to be deleted, and no later command takes
    them along: they are deleted when the driver looks after its queues."""
    flows = reset_flows(3)
    event = f"{TRACING}/events/vktls/vktls_tls_del/enable"
    ktap.defer(put, event, "0")
    put(event, "1")
    put(f"{TRACING}/trace", "")
    for flow in flows:
        flow.near.close()

    def deleted():
        with open(f"{TRACING}/trace", encoding="ascii") as file:
            return file.read().count("vktls_tls_del:")

    rig.wait_for(lambda: deleted() == 3, 3, lambda: f"{deleted()} deleted")


def put(path, text):
    """Write a file."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def leave_names():
    """Leave the names of the TLS counters for documented.py on the host."""
    names = [name for name in rig.counters()
             if name.startswith(("tx_tls_", "rx_tls_"))]
    with open("/mnt/host/counters", "w", encoding="ascii") as file:
        file.write("\n".join(names))


def records_share_packets():
    """The records of one call share packets, although TCP had room to send each at once: 64
    KiB make two packets, or three at the end of the window."""
    # makes packets as large as they can be, however slow the guest is
    rig.sysctl(ktap.defer, "net.ipv4.tcp_tso_rtt_log", "31")
    flow = rig.Flow()
    flow.send(rig.pattern(2 << 20))     # so that the window has room for all of it
    for _ in range(5):
        flow.drain()
        watch = rig.Watch()
        flow.send(rig.pattern(4 * ktls.MAX_PLAIN))
        flow.drain()
        packets = watch.moved()["tx_gso_packets"]
        if packets < 4:
            break
    ktap.equal(packets < 4, True, f"fewer packets ({packets}) than records")
    flow.finish()


def stacks(function, call):
    """The callers of a kernel function while call() runs, one list for each time that it is
    called."""
    for path, value, later in (("set_ftrace_filter", function, ""),
                               ("current_tracer", "function", "nop"),
                               ("options/func_stack_trace", "1", "0")):
        ktap.defer(put, f"{TRACING}/{path}", later)
        put(f"{TRACING}/{path}", value)
    put(f"{TRACING}/trace", "")
    call()
    with open(f"{TRACING}/trace", encoding="ascii") as file:
        return [re.findall(r"^ => (\w+)", part, re.M)
                for part in file.read().split("<stack trace>")[1:]]


def frames_to_tcp():
    """At most six functions of our tls.ko lie between the system call and TCP, for each
    kind of send."""
    flow = rig.Flow()
    flow.near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX_ZEROCOPY_RO, 1)
    path = "/tmp/file"
    with open(path, "wb") as file:
        file.write(rig.pattern(70000))
    ktap.defer(os.unlink, path)

    def send():
        flow.send(b"small")
        flow.send(b"held ", socket.MSG_MORE)
        flow.send(rig.pattern(70000))
        flow.sendfile(path, 70000)

    ours = [[name for name in stack if name.startswith("tls_")]
            for stack in stacks("tcp_sendmsg_locked", send)]
    ours = [names for names in ours if names]
    for names in ours:
        ktap.figure(" <- ".join(names))
        ktap.equal(len(names) <= 6, True, f"functions of ours: {names}")
    ktap.equal(len(ours) >= 4, True, f"calls of TCP: {ours}")
    flow.finish()


def main():
    """Register and run."""
    rig.offload()
    rig.control()
    leave_names()
    for cipher, family in BOTH:
        name = f"{cipher}_v{family}".replace("-", "_")
        ktap.add(f"sizes_{name}", sizes, cipher, family, timeout=60)
        ktap.add(f"sendfile_1M_{name}", sendfile, cipher, family, 1 << 20)
        ktap.add(f"small_records_{name}", small_records, cipher, family)
    for version, cipher in OURS:
        name = f"{'1.3' if version == ktls.TLS13 else '1.2'}_{cipher}"
        ktap.add(f"sizes_{name}", sizes, cipher, 4, version, timeout=60)
        ktap.add(f"sendfile_{name}", sendfile, cipher, 6, 1 << 20, version)
        ktap.add(f"small_records_{name}", small_records, cipher, 6, version)
    ktap.add("sendfile_64M", sendfile, "aes-128-gcm", 4, 64 << 20, timeout=300)
    for fn in (zerocopy, one_record_of_many_sends, record_types, record_number,
               data_before, both_directions, off_means_off):
        ktap.add(fn.__name__, fn)
    if not rig.STOCK:
        ktap.add("records_share_packets", records_share_packets)
        for fn in (last_number, last_numbers_of_a_call, frames_to_tcp):
            ktap.add(fn.__name__, fn)
        # TCP's timer starts at 5 s, and doubles if "tc" is slow to end the loss
        ktap.add("open_record_lost", open_record_lost, timeout=200)
    for fn in (deleted_together, deleted_in_time):
        ktap.add(fn.__name__, fn)
    ktap.add("hundred_connections", hundred_connections, timeout=120)
    for size in (576, 1280, 1500, 4000, 9000):
        ktap.add(f"mtu_{size}", frame_size, size, timeout=60)
    ktap.main()


main()
