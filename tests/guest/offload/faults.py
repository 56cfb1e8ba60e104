#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Faults under the offload, one at a time: refused contexts, failing commands, wrong
sequence numbers, missing memory. Each moves the counter that names it; no byte is lost, and
none leaves in the clear."""
import errno
import time

import ktap
import nicfault
import rig

TLS_ADD, TLS_RESYNC, TLS_ADD_RX = 9, 11, 15     # VKTLS_CMD_*


def refused(what, counter):
    """tlsfault.ko asks the driver for an offload that no kernel asks for today: the driver
    refuses, and counts it."""
    watch = rig.Watch()
    try:
        rig.fault(ask=what)
    except OSError as err:
        ktap.equal(err.errno, errno.EOPNOTSUPP, "errno")
    else:
        raise AssertionError(f"{what} was not refused")
    watch.expect(**{counter: 1}, tx_tls_ctx=0, rx_tls_ctx=0)


def add_failed():
    """The command that adds a context fails: software encrypts the connection."""
    watch = rig.Watch()
    rig.fault(cmd_opcode=TLS_ADD, cmd_result=-errno.EIO, cmd_times=1)
    flow = rig.Flow()
    flow.send(rig.pattern(50000))
    flow.finish()
    watch.expect(tx_tls_add_failed=1, tx_tls_ctx=0, TlsTxSw=1,
                 tx_tls_encrypted_bytes=0)


def resync_failed():
    """Two resyncs fail and the third succeeds: the driver pauses before each new attempt,
    and the NIC then encrypts everything."""
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    flow = rig.Flow()
    rig.fault(cmd_opcode=TLS_RESYNC, cmd_result=-errno.EIO, cmd_times=2)
    began = time.monotonic()
    rig.gap(flow)
    while not watch["tx_tls_resync_ok"]:
        flow.send(rig.pattern(3000))
        flow.drain()
    took = time.monotonic() - began
    watch.expect(tx_tls_resync_failed=2, tx_tls_resync_ok=1,
                 tx_tls_resync_req=1)
    ktap.equal(rig.fault_left("cmd_times"), 0, "faults left")
    if took < 0.25:     # the pauses are 0.1 s and 0.2 s
        raise AssertionError(f"failed resyncs were not spaced out: {took:.2f} s")
    before = watch["tx_tls_encrypted_bytes"]
    flow.send(rig.pattern(100000))
    flow.finish()
    if watch["tx_tls_encrypted_bytes"] - before < 100000:
        raise AssertionError("the flow did not come back to the NIC")


def context_gone():
    """A resync fails because the NIC has no such context: the driver adds the context
    again, and resyncs."""
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    flow = rig.Flow()
    rig.fault(cmd_opcode=TLS_RESYNC, cmd_result=-errno.ENOENT, cmd_times=1)
    rig.gap(flow)
    flow.send(rig.pattern(100000))
    flow.drain()
    flow.send(rig.pattern(100000))
    flow.finish()
    watch.expect(tx_tls_readd=1, tx_tls_resync_ok=1, tx_tls_resync_failed=0)


def device_refuses():
    """A resync is reported as done and is not done: the NIC refuses the next packet, sends
    none of it, and the flow recovers by itself."""
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    flow = rig.Flow()
    rig.fault(cmd_opcode=TLS_RESYNC, cmd_result=0, cmd_times=1)
    rig.gap(flow)
    for _ in range(4):
        flow.send(rig.pattern(30000))
        flow.drain()
    flow.finish()
    watch.some("tx_tls_lost_device", "dev_tls_tx_drop_seq")
    watch.expect(tx_tls_resync_ok=2, tx_tls_resync_req=2)


def map_failed():
    """A packet cannot be mapped for DMA, so the NIC never gets it: the driver notices the
    gap and resyncs."""
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(700))
    flow.drain()
    rig.fault(map_times=1)
    flow.send(rig.pattern(700))
    for _ in range(3):
        flow.send(rig.pattern(30000))
        flow.drain()
    flow.finish()
    ktap.equal(rig.fault_left("map_times"), 0, "faults left")
    watch.expect(tx_tls_lost_unsent=1, tx_tls_resync_ok=1,
                 tx_tls_lost_device=0)


def fallback_failed():
    """Software fails to encrypt a retransmission: the packet is dropped, and a later
    retransmission takes its place."""
    rig.far_loss("loss", "100%")
    ktap.defer(rig.far_loss_end)
    watch = rig.Watch()
    # the connection itself has to come about before the loss
    rig.far_loss_end()
    rig.private_flag("tls-tx-fallback-only", True)
    ktap.defer(rig.private_flag, "tls-tx-fallback-only", False)
    flow = rig.Flow()
    rig.far_loss("loss", "100%")
    rig.fault(encrypt_times=1)
    flow.send(rig.pattern(700))
    rig.wait_for(lambda: not rig.fault_left("encrypt_times"), 20,
                 lambda: "no retransmission came")
    rig.far_loss_end()
    flow.finish()
    watch.expect(tx_tls_fallback_failed=1, tx_tls_resync_req=0)
    watch.some("tx_tls_fallback_retransmit")


def replay_unmapped():
    """A retransmission for the NIC to replay cannot be mapped: only that packet is lost,
    and the context stays in sync."""
    ktap.defer(rig.far_loss_end)
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(700))
    flow.drain()
    rig.far_loss("loss", "100%")
    flow.send(rig.pattern(700))
    def met():
        """The retransmission has met the fault. If another packet met it, set the fault
        again."""
        if watch["tx_tls_replay_unsent"]:
            return True
        rig.fault(map_times=1)
        return False

    rig.wait_for(met, 20, lambda: "no retransmission came")
    rig.fault(map_times=0)
    rig.far_loss_end()
    flow.finish()
    watch.some("tx_tls_replay_unsent")
    watch.expect(tx_tls_lost_unsent=0, tx_tls_resync_req=0,
                 tx_tls_encrypted_bytes=flow.wire)


def not_answered(failure, expected):
    """The NIC's resync request, or the answer to it, is lost: the NIC asks again at a later
    header, and gets in sync."""
    ktap.defer(rig.far_netem_end)
    rig.patient_tcp(ktap.defer, rig.far_run)
    rig.receive_offload()
    watch = rig.Watch()
    flow = rig.Inflow()
    flow.push(flow.stream(1000))
    rig.fault(**failure)
    nicfault.forgetful(ktap.defer)
    rig.lose_header(flow, 60)
    flow.push(flow.stream(100000, 1000))
    before = watch["rx_tls_bypassed"]
    flow.push(flow.stream(100000))
    flow.finish()
    ktap.equal(watch["rx_tls_bypassed"], before, "rx_tls_bypassed")
    watch.expect(rx_tls_resync_res_ok=1, **expected)


def receive_add_failed():
    """The command that adds a receiving context fails: the kernel decrypts the connection."""
    rig.receive_offload()
    for result, counter in ((-errno.EIO, "rx_tls_add_failed"),
                            (-errno.ENOSPC, "rx_tls_no_space")):
        watch = rig.Watch()
        rig.fault(cmd_opcode=TLS_ADD_RX, cmd_result=result, cmd_times=1)
        flow = rig.Inflow()
        flow.push(flow.stream(50000))
        flow.finish()
        watch.expect(**{counter: 1}, rx_tls_ctx=0, TlsRxSw=1,
                     rx_tls_decrypted_bytes=0)


def no_receive_buffers_at_start():
    """No memory for receive buffers is to be had while the rings start: as soon as there is
    some, each queue receives, even if it sends nothing."""
    # the interface keeps its addresses over a change of its rings
    ktap.defer(rig.run, "ethtool", "-G", rig.IFACE, "rx", "512")
    ktap.defer(rig.run, "ethtool", "-X", rig.IFACE, "default")
    ktap.defer(lambda: rig.fault(pool_empty=0))
    ping = "ping", "-q", "-c", "1", "-W", "1", rig.NEAR[4]
    for queue in range(int(rig.run("nproc"))):
        rig.run("ethtool", "-X", rig.IFACE, "start", str(queue), "equal", "1")
        watch = rig.Watch()
        rig.fault(pool_empty=1)
        rig.run("ethtool", "-G", rig.IFACE, "rx", str(256 << queue % 2))
        watch.some("rx_alloc_fail")
        rig.fault(pool_empty=0)
        rig.wait_for(lambda: " 1 received" in rig.far_run(*ping, check=False), 20,
                     lambda: f"queue {queue} does not receive")


def wrong_sequence(distance, counter, warm_up):
    """A segment with a sequence number that lies DISTANCE before the offload's first byte
    (negative: behind it). Its payload is plaintext and has no record, so the driver drops
    it."""
    near, far = rig.connect()
    start = rig.send_sequence(near)
    watch = rig.Watch()
    flow = rig.Flow(pair=(near, far))
    if warm_up:
        flow.send(rig.pattern(5000))
        flow.drain()
    port = near.getpeername()[1]
    rig.rewrite_sequence(rig.IFACE, port, (start - distance) & 0xffffffff)
    ktap.defer(rig.rewrite_end, rig.IFACE)
    flow.send(rig.pattern(700))
    # our tls.ko may have forgotten where the offload began; the segment is dropped all the
    # same
    names = [counter] if rig.STOCK else [counter, "tx_tls_drop_no_sync_data"]
    rig.wait_for(lambda: any(watch[name] for name in names), 10,
                 lambda: f"{names} stand still")
    rig.rewrite_end(rig.IFACE)
    flow.send(rig.pattern(30000))
    flow.finish()
    watch.some("tx_tls_replay_no_record")
    watch.expect(tx_tls_fallback_failed=0, tx_tls_lost_device=0)


def main():
    """Register and run."""
    rig.offload()
    rig.control()
    rig.far_receive_frames()
    rig.run("modprobe", "tlsfault")
    for what, counter in (("receive-version", "rx_tls_refused_version"),
                          ("receive-cipher", "rx_tls_refused_cipher")):
        ktap.add(what.replace("-", "_") + "_refused", refused, what, counter)
    ktap.add("version_refused", refused, "version", "tx_tls_refused_version")
    ktap.add("cipher_refused", refused, "cipher", "tx_tls_refused_cipher")
    for fn in (add_failed, resync_failed, context_gone, device_refuses,
               map_failed, fallback_failed, replay_unmapped,
               receive_add_failed, no_receive_buffers_at_start):
        ktap.add(fn.__name__, fn, timeout=60)
    for name, failure, counter in (
            ("question_unheard", {"asked_times": 1}, "rx_tls_resync_req_skip"),
            ("answer_fails", {"cmd_opcode": TLS_RESYNC, "cmd_result": -errno.EIO,
                              "cmd_times": 1}, "rx_tls_resync_res_skip")):
        ktap.add(name, not_answered, failure, {counter: 1}, timeout=60)
    ktap.add("sequence_before_the_offload", wrong_sequence, 100,
             "tx_tls_drop_bypass_req", False)
    ktap.add("sequence_acknowledged", wrong_sequence, -1000,
             "tx_tls_drop_no_sync_data", True)
    ktap.main()


main()
