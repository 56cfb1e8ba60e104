#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Loss and reordering, on the wire and before the driver: the far end gets every
byte, retransmissions do not disturb the stream that the NIC encrypts, and a
stream with a gap comes back to the NIC."""
import time

import ktap
import rig

# tx_tls_drop_no_sync_data is not among these: a segment may be acknowledged, by
# an earlier copy of it, while it waits
NO_DROPS = {"tx_tls_drop_bypass_req": 0, "tx_tls_fallback_failed": 0,
            "tx_tls_lost_device": 0}


def transfer(size, family=4, cipher="aes-128-gcm"):
    """Send so many bytes in records of many sizes and check them."""
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
    """
    Segments lost after the NIC sent them. Each byte is encrypted by the NIC, each
    retransmission by the NIC again or by software, and nobody asks for a resync.
    """
    ktap.defer(rig.far_loss("loss", f"{percent}%"))
    for cipher, family in (("aes-128-gcm", 4), ("aes-256-gcm", 6)):
        watch, wire = rig.Watch(), 0
        # with few losses there are now and then none at all
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
    """Segments that overtake others on the wire; some are sent twice for it."""
    ktap.defer(rig.far_loss("delay", "20ms", "reorder", "75%", "50%"))
    watch = rig.Watch()
    flow = transfer(1 << 20)
    watch.expect(tx_tls_encrypted_bytes=flow.wire, tx_tls_fallback_gap=0,
                 tx_tls_resync_req=0, **NO_DROPS)
    rig.figures("reordered on the wire", watch)


def near_loss(percent, size):
    """
    Segments lost before the driver. The NIC cannot go on at the next one, so
    software does up to the record at which the NIC is put in sync.
    """
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
    # the last one may still have been under way at the end
    if not 0 <= watch["tx_tls_resync_req"] - watch["tx_tls_resync_ok"] <= 1:
        raise AssertionError(f"requests unanswered; {watch.report()}")
    ktap.equal(watch["tx_tls_resync_failed"], 0, "tx_tls_resync_failed")
    rig.figures(f"{percent} % lost before the NIC", watch)


def near_reorder():
    """Segments that reach the driver in another order than they were made."""
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
    """After one gap and a resync the NIC encrypts everything again."""
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
    """The last segment lost before the driver comes again, and is in order."""
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
    """Bytes sent before the keys, lost and sent again: the NIC does not encrypt
    them."""
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
