#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Retransmissions that the NIC encrypts again (replays): wherever a segment cuts records,
where a replay is impossible, and on flows with many losses. A check of the wire compares
each retransmission with the first copy, byte by byte."""
import os
import socket

import nicfault
import ktap
import ktls
import rig

MTU = 576
SEGMENT = MTU - 52      # TCP payload with timestamps, IPv4
KINDS = [(ktls.TLS12, "aes-128-gcm")]
if not rig.STOCK:
    KINDS += [(ktls.TLS13, "aes-256-gcm"), (ktls.TLS12, "chacha20-poly1305"),
              (ktls.TLS13, "chacha20-poly1305")]
CLEAN = {"tx_tls_replay_refused": 0, "tx_tls_replay_unsent": 0,
         "dev_tls_tx_drop_replay": 0, "tx_tls_lost_device": 0,
         "tx_tls_resync_req": 0, "tx_tls_drop_bypass_req": 0}


def small_mtu():
    """Set a small MTU, so that a few hundred bytes make several segments."""
    rig.mtu(MTU)
    ktap.defer(rig.mtu, 1500)


def overhead(flow):
    """Bytes that a record adds to its data."""
    if flow.key.version == ktls.TLS13:
        return 22
    return 29 if flow.key.explicit else 21


def cork(flow, value):
    """Set TCP_CORK; while it is set, records are sent in full segments."""
    flow.near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, value)


def lost_once(flow, *wire_lengths):
    """Send records of these lengths on the wire, in full segments. All segments are lost
    once, and TCP sends them again."""
    undo = rig.far_loss("loss", "100%")
    ktap.defer(undo)
    cork(flow, 1)
    for length in wire_lengths:
        flow.send(rig.pattern(length - overhead(flow)))
    cork(flow, 0)
    rig.wait_for(lambda: not flow.unsent_never(), 10, lambda: "not sent")
    undo()
    flow.drain()


def cut(version, cipher, places):
    """A segment boundary lies PLACE bytes behind the beginning of a record. Both segments
    are lost, and the NIC encrypts both again."""
    small_mtu()
    rig.private_flag("tls-tx-replay-only", True)
    ktap.defer(rig.private_flag, "tls-tx-replay-only", False)
    for place in places:
        watch = rig.Watch()
        flow = rig.Flow(cipher, version=version)
        flow.send(rig.pattern(100))
        flow.drain()
        lost_once(flow, SEGMENT - place, 300)
        flow.finish()
        watch.expect(tx_tls_encrypted_bytes=flow.wire,
                     tx_tls_fallback_retransmit=0, **CLEAN)
        watch.some("tx_tls_replay_packets", "dev_tls_tx_replays")
        if watch["tx_tls_replay_bytes"] < SEGMENT - place + 300:
            raise AssertionError(f"cut at {place}: {watch.report()}")


def middle(version, cipher):
    """All segments of a long record are lost: the first replay reads the whole record from
    memory, and the NIC keeps it for the replays of the other segments."""
    small_mtu()
    watch = rig.Watch()
    flow = rig.Flow(cipher, version=version)
    lost_once(flow, SEGMENT * 7 + 5)
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=flow.wire, **CLEAN)
    watch.some("tx_tls_replay_bytes", "dev_tls_tx_replay_read", "dev_tls_tx_replay_kept")


def many_records():
    """A segment with about twenty records is lost: the NIC encrypts all of them again."""
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(100))
    flow.drain()
    lost_once(flow, *[60] * 20)
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=flow.wire, **CLEAN)
    if watch["tx_tls_replay_bytes"] < 60 * 20:
        raise AssertionError(watch.report())


def half_acknowledged(tail):
    """Only the last TAIL bytes of a record are lost. Its beginning is acknowledged, but
    still in memory, so the NIC can replay the rest."""
    small_mtu()
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(100))
    flow.drain()
    undo = rig.far_drop_length(52 + tail)
    ktap.defer(undo)
    flow.send(rig.pattern(3 * SEGMENT + tail - overhead(flow)))
    rig.wait_for(lambda: flow.unsent() == tail, 10,
                 lambda: f"{flow.unsent()} bytes are not acknowledged")
    undo()
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=flow.wire, **CLEAN)
    watch.some("tx_tls_replay_packets")


def by_sendfile():
    """A file is sent by sendfile with 3 % loss, so that its records lie in many pages: the
    NIC replays them."""
    path = "/tmp/file"
    with open(path, "wb") as file:
        file.write(rig.pattern(1 << 20))
    ktap.defer(os.unlink, path)
    ktap.defer(rig.far_loss("loss", "3%"))
    watch = rig.Watch()
    flow = rig.Flow()
    flow.sendfile(path, 1 << 20)
    flow.finish(300)
    watch.expect(tx_tls_encrypted_bytes=flow.wire, **CLEAN)
    watch.some("tx_tls_replay_packets")


def open_record():
    """A record that the NIC has not finished yet is lost in part: the NIC cannot replay it,
    and software encrypts it."""
    small_mtu()
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    flow = rig.Flow(reading=False)
    flow.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    undo = rig.far_loss("loss", "100%")
    ktap.defer(undo)
    # more than the peer's first window
    sent = flow.near.send(rig.pattern(16000))
    flow.note(rig.pattern(sent))
    rig.wait_for(lambda: watch["tx_tls_encrypted_bytes"] > SEGMENT, 10,
                 lambda: "nothing was sent")
    undo()
    flow.receive()
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=flow.wire, **CLEAN)
    watch.some("tx_tls_replay_no_open", "tx_tls_fallback_retransmit")


def before_resync():
    """A segment is lost before the NIC. When it is sent again, the NIC cannot replay it,
    because it never encrypted it."""
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    flow = rig.Flow()
    rig.gap(flow)
    watch.some("tx_tls_fallback_gap", "tx_tls_replay_no_open")
    flow.send(rig.pattern(30000))
    flow.finish()
    watch.expect(tx_tls_replay_refused=0, tx_tls_resync_ok=1)


def older_than_resync():
    """Data that the NIC has never encrypted, from before its last resync, is sent again:
    software encrypts it."""
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(100))
    flow.drain()
    undo = rig.far_loss("loss", "100%")
    ktap.defer(undo)
    undo_near = rig.near_qdisc("loss", "100%")
    ktap.defer(undo_near)
    flow.send(rig.pattern(700))
    undo_near()
    flow.send(rig.pattern(700))     # a gap: software encrypts it
    flow.send(rig.pattern(700))     # the NIC is in sync from here on
    watch.settle("tx_tls_resync_ok", 1)
    undo()
    flow.finish()
    watch.some("tx_tls_replay_no_old")
    watch.expect(tx_tls_fallback_gap=1, tx_tls_replay_refused=0)


def no_context():
    """The NIC has forgotten the context since it encrypted the data: software encrypts the
    retransmission."""
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    flow = rig.Flow()
    undo = rig.send_lost(flow)
    nicfault.ask("ctx-forget-all", 1)
    watch.settle("tx_tls_lost_forgotten", 1)
    undo()
    flow.finish()
    watch.some("tx_tls_replay_no_ctx", "tx_tls_fallback_lost")
    watch.expect(tx_tls_replay_refused=0)


def no_room():
    """A segment holds so many records that a packet has too few descriptors for them:
    software encrypts the retransmission."""
    rig.mtu(4000)
    ktap.defer(rig.mtu, 1500)
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(100))
    flow.drain()
    lost_once(flow, *[30] * 120)
    flow.finish()
    watch.some("tx_tls_replay_no_room", "tx_tls_fallback_retransmit")
    watch.expect(tx_tls_encrypted_bytes=flow.wire, **CLEAN)


def forced_fallback():
    """With the private flag tls-tx-fallback-only, software encrypts all retransmissions."""
    rig.private_flag("tls-tx-fallback-only", True)
    ktap.defer(rig.private_flag, "tls-tx-fallback-only", False)
    ktap.defer(rig.far_loss("loss", "3%"))
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(1 << 20))
    flow.finish(300)
    watch.expect(tx_tls_encrypted_bytes=flow.wire, tx_tls_replay_packets=0,
                 **CLEAN)
    watch.some("tx_tls_replay_no_mode", "tx_tls_fallback_retransmit")
    ktap.equal(watch["tx_tls_replay_no_mode"],
               watch["tx_tls_fallback_retransmit"], "tx_tls_replay_no_mode")


def flags_exclude():
    """Two private flags that exclude each other cannot be on at the same time."""
    for pair in (("tls-tx-replay-only", "tls-tx-fallback-only"),
                 ("tls-rx-resync-direct", "tls-rx-resync-hint")):
        rig.private_flag(pair[0], True)
        ktap.defer(rig.private_flag, pair[0], False)
        try:
            rig.private_flag(pair[1], True)
        except AssertionError:
            continue
        raise AssertionError(f"{pair} are both set")


def share(percent, at_least, size):
    """On a stream with PERCENT loss, the NIC encrypts at least AT_LEAST per cent of all
    bytes, retransmissions included."""
    ktap.defer(rig.far_loss("loss", f"{percent}%"))
    for version, cipher in (KINDS[0], KINDS[-1]):
        watch = rig.Watch()
        flow = rig.Flow(cipher, 6, version=version)
        flow.send(rig.pattern(size))
        flow.finish(300)
        watch.expect(tx_tls_encrypted_bytes=flow.wire, **CLEAN)
        nic = flow.wire + watch["tx_tls_replay_bytes"]
        everything = nic + watch["tx_tls_fallback_bytes"]
        rig.figures(f"{percent} % lost, {cipher}", watch)
        if 100 * nic / everything < at_least:
            raise AssertionError(f"only {100 * nic / everything:.3f} %")


def policy():
    """A flow with much loss gets its retransmissions from software, and from the NIC again
    when the loss has ended."""
    ktap.defer(rig.far_loss("loss", "25%"))
    watch = rig.Watch()
    flow = rig.Flow()
    for _ in range(40):
        flow.send(rig.pattern(32768))
        if watch["tx_tls_policy_software"]:
            break
    flow.send(rig.pattern(65536))
    flow.drain(120)
    watch.expect(tx_tls_policy_software=1, **CLEAN)
    watch.some("tx_tls_replay_no_rate", "tx_tls_fallback_retransmit")
    rig.far_loss_end()
    flow.send(rig.pattern(1 << 20))
    flow.drain()
    watch.expect(tx_tls_policy_replay=1)
    before = watch["tx_tls_replay_packets"]
    lost_once(flow, 5000)
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=flow.wire, **CLEAN)
    if watch["tx_tls_replay_packets"] == before:
        raise AssertionError("no replay after recovery")


def lost_file(size):
    """A flow has sent a file by zero-copy sendfile as one record, and all of it is lost so
    far. Returns (flow, its file open for writing, a function that ends the loss)."""
    path = "/tmp/file"
    with open(path, "wb") as file:
        file.write(rig.pattern(size))
    ktap.defer(os.unlink, path)
    flow = rig.Flow()
    flow.near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX_ZEROCOPY_RO, 1)
    undo = rig.far_loss("loss", "100%")
    ktap.defer(undo)
    file = open(path, "r+b", buffering=0)    # pylint: disable=consider-using-with
    ktap.defer(file.close)
    flow.sendfile(path, size)
    return flow, file, undo


def refused():
    """A file changes after a record of it was sent by zero-copy sendfile, so the record's
    tag would differ: the NIC refuses the replay and sends nothing of it, and for a while
    software encrypts the flow's retransmissions. The test changes the file back in time,
    since software would encrypt the changed record. The change comes before the first
    replay; after one the NIC has kept the record."""
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    flow, file, undo = lost_file(8192)
    watch.settle("dev_tls_tx_records", 1)
    file.write(b"different")
    rig.wait_for(lambda: watch["tx_tls_replay_refused"], 20,
                 lambda: f"not refused; {watch.report()}")
    file.seek(0)
    file.write(rig.pattern(8192)[:9])
    undo()
    rig.wait_for(lambda: not flow.unsent(), 60,
                 lambda: f"not acknowledged; {watch.report()} ")
    flow.finish()
    watch.some("tx_tls_replay_no_pause", "dev_tls_tx_drop_replay")
    watch.expect(tx_tls_resync_req=0, tx_tls_lost_device=0)


def changed_after_a_replay():
    """The NIC has replayed a record, and then its file changes: later retransmissions still
    have the first bytes."""
    watch = rig.Watch()
    flow, file, undo = lost_file(8192)
    rig.wait_for(lambda: watch["dev_tls_tx_replays"], 20, watch.report)
    file.write(b"different")
    kept = watch["dev_tls_tx_replay_kept"]
    rig.wait_for(lambda: watch["dev_tls_tx_replay_kept"] > kept, 20, watch.report)
    undo()
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=flow.wire, tx_tls_fallback_retransmit=0, **CLEAN)


def main():
    """Register and run."""
    rig.offload()
    rig.control()
    rig.far_receive_frames()
    for version, cipher in KINDS:
        name = f"{'1.3' if version == ktls.TLS13 else '1.2'}_{cipher}"
        for part, places in (("boundary", [0]), ("header", [1, 4, 5]),
                             ("nonce", [6, 12, 13]), ("payload", [14, 150]),
                             ("tag", [283, 284, 285, 299])):
            ktap.add(f"cut_in_{part}_{name}", cut, version, cipher, places,
                     timeout=90)
        ktap.add(f"middle_{name}", middle, version, cipher)
    ktap.add("half_acknowledged", half_acknowledged, 200)
    ktap.add("last_byte", half_acknowledged, 1)
    for fn in (many_records, open_record, before_resync, older_than_resync,
               no_context, no_room, flags_exclude):
        ktap.add(fn.__name__, fn, timeout=60)
    for fn in (by_sendfile, forced_fallback, policy, refused,
               changed_after_a_replay):
        ktap.add(fn.__name__, fn, timeout=200)
    ktap.add("share_0.1_percent", share, 0.1, 99.9, 8 << 20, timeout=120)
    ktap.add("share_1_percent", share, 1, 99, 4 << 20, timeout=120)
    ktap.add("share_5_percent", share, 5, 90, 1 << 20, timeout=120)
    ktap.main()


main()
