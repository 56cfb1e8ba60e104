#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Loss and reordering, on the wire and between TCP and the driver: the far end gets every
byte, retransmissions do not disturb the stream that the NIC encrypts, and a stream with a
gap returns to the NIC."""
import time

import ktap
import rig

# tx_tls_drop_no_sync_data is left out: a segment may wait in the queue until an earlier
# copy of it is acknowledged
NO_DROPS = {"tx_tls_drop_bypass_req": 0, "tx_tls_fallback_failed": 0,
            "tx_tls_lost_device": 0}


def transfer(size, family=4, cipher="aes-128-gcm"):
    """Send SIZE bytes in records of many sizes; the far end checks them."""
    data = rig.pattern(size)
    flow = rig.Flow(cipher, family)
    at, step = 0, 1
    while at < size:
        flow.send(data[at:at + step])
        at += step
        step = step * 3 % 65521
    flow.finish(300)
    return flow


def wire_loss(percent, size):
    """Segments are lost after the NIC sent them: the NIC encrypts each byte once, and each
    retransmission is encrypted by the NIC or by software, without a resync."""
    ktap.defer(rig.far_loss("loss", f"{percent}%"))
    for cipher, family in (("aes-128-gcm", 4), ("aes-256-gcm", 6)):
        watch, wire = rig.Watch(), 0
        # at a low rate, one transfer may lose no segment at all
        for _ in range(5):
            wire += transfer(size, family, cipher).wire
            if watch["tx_tls_ooo"]:
                break
        watch.expect(tx_tls_encrypted_bytes=wire, tx_tls_fallback_gap=0,
                     tx_tls_resync_req=0, **NO_DROPS)
        watch.some("tx_tls_ooo")
        ktap.equal(watch["tx_tls_replay_packets"] +
                   watch["tx_tls_fallback_retransmit"], watch["tx_tls_ooo"],
                   "tx_tls_ooo")
        rig.figures(f"{percent} % lost on the wire, {cipher}", watch)


def wire_reorder():
    """Segments overtake others on the wire, so that TCP sends some of them twice: the NIC
    encrypts the whole stream, without a resync."""
    ktap.defer(rig.far_loss("delay", "20ms", "reorder", "75%", "50%"))
    watch = rig.Watch()
    flow = transfer(1 << 20)
    watch.expect(tx_tls_encrypted_bytes=flow.wire, tx_tls_fallback_gap=0,
                 tx_tls_resync_req=0, **NO_DROPS)
    rig.figures("reordered on the wire", watch)


def near_loss(percent, size):
    """Segments are lost before the driver. The NIC cannot continue behind such a gap, so
    software encrypts up to the record at which the NIC is resynced."""
    rig.segments_at_once(1)
    ktap.defer(rig.segments_at_once, 65535)
    ktap.defer(rig.near_qdisc("loss", f"{percent}%"))
    watch = rig.Watch()
    flow = transfer(size)
    watch.expect(**NO_DROPS)
    watch.some("tx_tls_fallback_gap", "tx_tls_resync_req", "tx_tls_resync_ok",
               "tx_tls_fallback_lost", "tx_tls_encrypted_bytes")
    if watch["tx_tls_encrypted_bytes"] >= flow.wire:
        raise AssertionError(f"no byte in software; {watch.report()}")
    # the last resync may still be under way at the end
    if not 0 <= watch["tx_tls_resync_req"] - watch["tx_tls_resync_ok"] <= 1:
        raise AssertionError(f"requests unanswered; {watch.report()}")
    ktap.equal(watch["tx_tls_resync_failed"], 0, "tx_tls_resync_failed")
    rig.figures(f"{percent} % lost before the NIC", watch)


def near_reorder():
    """Segments reach the driver in another order than TCP sent them: software encrypts some
    of them, and the NIC is resynced."""
    rig.feature("tso", False)
    ktap.defer(rig.feature, "tso", True)
    ktap.defer(rig.near_reorder())
    watch = rig.Watch()
    transfer(1 << 20)
    watch.expect(**NO_DROPS)
    watch.some("tx_tls_fallback_gap", "tx_tls_fallback_lost",
               "tx_tls_resync_ok", "tx_tls_encrypted_bytes")
    rig.figures("reordered before the NIC", watch)


def recovery():
    """After one gap and one resync, the NIC encrypts everything again."""
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    flow = rig.Flow()
    start = time.monotonic()
    rig.gap(flow)
    flow.send(rig.pattern(100000))
    watch.settle("tx_tls_resync_ok", 1)
    took = time.monotonic() - start
    ktap.figure(f"a segment lost before the NIC: offload in force again after {took:.1f} "
                f"s, 0 connections broken")
    for _ in range(2):
        flow.drain()
        flow.send(rig.pattern(100000))
    flow.drain()
    watch.expect(tx_tls_fallback_gap=1, tx_tls_resync_req=1,
                 tx_tls_resync_ok=1)
    before = watch["tx_tls_encrypted_bytes"]
    flow.send(rig.pattern(1 << 20))
    flow.finish()
    gained = watch["tx_tls_encrypted_bytes"] - before
    if gained < 1 << 20:
        raise AssertionError(f"only {gained} bytes by the NIC after recovery")


def tail_loss():
    """The last segment is lost before the driver, and TCP sends it again: it is in order
    for the NIC, which encrypts it without a resync."""
    watch = rig.Watch()
    flow = rig.Flow()
    undo = rig.near_qdisc("loss", "100%")
    ktap.defer(undo)
    flow.send(rig.pattern(500))
    undo()
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=flow.wire, tx_tls_resync_req=0,
                 **NO_DROPS)


def handshake_lost():
    """Bytes sent before the keys were set are lost and sent again: the NIC sends them as
    they are, and encrypts only later bytes."""
    rig.far_loss("loss", "0%")
    ktap.defer(rig.far_loss_end)
    watch = rig.Watch()
    near, far = rig.connect()
    rig.far_run("tc", "qdisc", "change", "dev", "ifb0", "root", "netem",
                "loss", "100%")
    flow = rig.Flow(pair=(near, far), before=b"finished, in the clear" * 10)
    flow.send(rig.pattern(rig.STUCK))
    rig.far_loss_end()
    flow.send(rig.pattern(100000))
    flow.finish()
    watch.some("tx_tls_skip_no_sync_data", "tx_tls_encrypted_bytes")
    watch.expect(tx_tls_encrypted_bytes=flow.wire, tx_tls_resync_req=0,
                 **NO_DROPS)


def main():
    """Register and run."""
    rig.offload()
    rig.control()
    rig.far_receive_frames()
    ktap.add("wire_loss_0.1_percent", wire_loss, 0.1, 8 << 20, timeout=120)
    ktap.add("wire_loss_1_percent", wire_loss, 1, 4 << 20, timeout=120)
    ktap.add("wire_loss_5_percent", wire_loss, 5, 1 << 20, timeout=120)
    ktap.add("near_loss_0.1_percent", near_loss, 0.1, 12 << 20, timeout=120)
    ktap.add("near_loss_1_percent", near_loss, 1, 4 << 20, timeout=120)
    ktap.add("near_loss_5_percent", near_loss, 5, 1 << 20, timeout=120)
    for fn in (wire_reorder, near_reorder, recovery, tail_loss,
               handshake_lost):
        ktap.add(fn.__name__, fn, timeout=60)
    ktap.main()


main()
