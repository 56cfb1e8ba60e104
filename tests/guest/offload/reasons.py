#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Our tls.ko has one counter for each reason not to offload a connection, to take it from
the NIC, or to encrypt a packet itself; each case moves the one counter that it is about."""
import errno
import socket
import threading
import time

import nicfault
import ktap
import ktls
import rig

ADD = {"Tx": (9, "tls-add"), "Rx": (15, "tls-add-rx")}     # VKTLS_CMD_*
FULL = 7            # VKTLS_ST_FULL
ALL_CAPS = 3        # TLS_OFFLOAD_CAP_*
WHY = ("NoDevice", "FeatureOff", "DeviceDown", "NotThisVersion", "NotThisCipher",
       "RouteWraps", "TcpSigns", "DeviceFull", "DeviceNoMemory", "DeviceRefused")
CHUNK = 20000


def ask(direction, cipher="aes-128-gcm", version=ktls.TLS12, pair=None):
    """Make a connection with a key in one direction. Return the counters of reasons that
    increased."""
    watch = rig.Watch()
    near, far = pair or rig.connect()
    key = ktls.Key(cipher, version)
    ktls.attach(near, **{direction.lower(): key})
    near.close()
    far.close()
    moved = watch.moved()
    return {why: moved[f"Tls{direction}{why}"] for why in WHY
            if moved[f"Tls{direction}{why}"]}


def both(reason, before=lambda direction: None, **about):
    """Check that only this reason is counted, in both directions."""
    for direction in ADD:
        before(direction)
        ktap.equal(ask(direction, **about), {reason: 1}, direction)


def no_device():
    """A connection over the loopback interface is counted as NoDevice."""
    for direction in ADD:
        ktap.equal(ask(direction, pair=ktls.tcp_pair()), {"NoDevice": 1}, direction)


def feature_off():
    """With the TLS features off, a connection is counted as FeatureOff."""
    ktap.defer(rig.offload, True)
    ktap.defer(rig.receive_offload, True)
    rig.offload(False)
    rig.receive_offload(False)
    both("FeatureOff")


def not_this_version():
    """A driver that does not declare that it checks the version gets no TLS 1.3:
    NotThisVersion."""
    ktap.defer(lambda: rig.fault(caps=ALL_CAPS))
    rig.fault(caps=0)
    both("NotThisVersion", version=ktls.TLS13)


def not_this_cipher():
    """A cipher that no NIC takes, and a cipher that the driver did not declare, are counted
    as NotThisCipher."""
    both("NotThisCipher", cipher="aes-128-ccm")
    ktap.defer(lambda: rig.fault(caps=ALL_CAPS))
    rig.fault(caps=0)
    both("NotThisCipher", cipher="chacha20-poly1305")


def device_full():
    """With the NIC's table full, a connection is counted as DeviceFull."""
    ktap.defer(nicfault.end)
    both("DeviceFull", lambda d: nicfault.command("fail", ADD[d][1], 1, FULL))


def device_no_memory():
    """A connection for which the driver finds no memory is counted as DeviceNoMemory."""
    both("DeviceNoMemory", lambda d: rig.fault(cmd_opcode=ADD[d][0],
                                           cmd_result=-errno.ENOMEM, cmd_times=1))


def device_refused():
    """A connection that the NIC refuses for any other reason is counted as DeviceRefused."""
    ktap.defer(nicfault.end)
    both("DeviceRefused",
         lambda d: nicfault.command("fail", ADD[d][1], 1, nicfault.FAILS))


def link(word):
    """Set the interface up or down."""
    rig.run("ip", "link", "set", rig.IFACE, word)


def left_device():
    """The NIC goes down under flows that send and receive: both are counted as LeftDevice."""
    flow, inflow = rig.Flow(), rig.Inflow()
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    inflow.push(inflow.stream(CHUNK))
    watch = rig.Watch()
    ktap.defer(link, "up")
    link("down")
    watch.expect(TlsTxLeftDevice=1, TlsRxLeftDevice=1, TlsCurrTxDevice=-1,
                 TlsCurrRxDevice=-1)
    link("up")
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    inflow.push(inflow.stream(CHUNK))
    inflow.finish()


def fallback_lost():
    """Packets built for the NIC are sent again after the NIC lost its contexts: software
    encrypts them, counted as FallbackLost."""
    rig.patient_tcp(ktap.defer)
    flow = rig.Flow()
    undo = rig.send_lost(flow)
    watch = rig.Watch()
    ktap.defer(link, "up")
    link("down")
    link("up")
    undo()
    flow.finish()
    watch.some("TlsTxFallbackLost")
    watch.expect(TlsTxFallback=watch["TlsTxFallbackLost"], TlsTxFallbackRoute=0,
                 TlsTxFallbackDriver=0)


def other_way():
    """Move the route to a macvlan on top of the NIC. At the end of the case the far end
    must forget the macvlan's address."""
    far = rig.FAR[4]
    ktap.defer(rig.far_run, "ip", "neigh", "flush", "dev", "eth0")
    rig.run("ip", "link", "add", "mv0", "link", rig.IFACE, "type", "macvlan",
            "mode", "bridge")
    ktap.defer(rig.run, "ip", "link", "del", "mv0")
    rig.run("ip", "link", "set", "mv0", "up")
    rig.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
    rig.run("ip", "route", "replace", f"{far}/32", "dev", "mv0", "src", rig.NEAR[4])


def left_route():
    """The route of a flow moves to another interface: both directions are counted as
    LeftRoute; packets that were built for the NIC are sent again over the new route,
    encrypted by software."""
    rig.patient_tcp(ktap.defer)
    flow, inflow = rig.Flow(), rig.Inflow()
    inflow.push(inflow.stream(CHUNK))
    undo = rig.far_loss("loss", "100%")
    ktap.defer(undo)
    flow.send(rig.pattern(700))
    watch = rig.Watch()
    other_way()
    undo()
    flow.drain()
    watch.some("TlsTxFallbackRoute")
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    inflow.push(inflow.stream(CHUNK))
    inflow.push(inflow.stream(CHUNK))
    watch.expect(TlsTxLeftRoute=1, TlsRxLeftRoute=1)
    inflow.finish()


def fallback_driver():
    """The driver asks software to encrypt, after a gap and for retransmissions: counted as
    FallbackDriver; the NIC is resynced later."""
    ktap.defer(rig.private_flag, "tls-tx-fallback-only", False)
    rig.private_flag("tls-tx-fallback-only", True)
    rig.patient_tcp(ktap.defer)
    flow = rig.Flow()
    watch = rig.Watch()
    rig.gap(flow)
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    flow.finish()
    watch.some("TlsTxFallbackDriver")
    watch.expect(TlsTxDeviceResync=1, TlsTxFallbackLost=0, TlsTxFallbackRoute=0,
                 TlsTxFallback=watch["TlsTxFallbackDriver"])


def fallback_error():
    """Software finds no memory to encrypt a packet: it is dropped, counted as
    FallbackError, and TCP sends it again."""
    ktap.defer(rig.private_flag, "tls-tx-fallback-only", False)
    rig.private_flag("tls-tx-fallback-only", True)
    flow = rig.Flow()
    watch = rig.Watch()
    undo = rig.far_loss("loss", "100%")
    ktap.defer(undo)
    rig.fault(fallback_times=1)
    flow.send(rig.pattern(700))
    rig.wait_for(lambda: watch["TlsTxFallbackError"], 20,
                 lambda: "no retransmission came")
    undo()
    flow.finish()
    watch.expect(TlsTxFallbackError=1, tx_tls_fallback_failed=1)


def fallback_acknowledged():
    """A segment with a sequence number that is already acknowledged has no record any more:
    it is dropped, counted as FallbackAcked."""
    flow = rig.Flow()
    flow.send(rig.pattern(5000))
    flow.drain()
    watch = rig.Watch()
    other_way()
    rig.rewrite_sequence("mv0", flow.near.getpeername()[1],
                         (rig.send_sequence(flow.near) - 2000) & 0xffffffff)
    ktap.defer(rig.rewrite_end, "mv0")
    flow.send(rig.pattern(700))
    rig.wait_for(lambda: watch["TlsTxFallbackAcked"], 10,
                 lambda: f"not dropped; {watch.moved()}")
    rig.rewrite_end("mv0")
    flow.finish()


def send_short(flow, piece):
    """Send a record in two calls, while the allocation of its Nth piece fails the first
    time."""
    before = flow.receiver.count
    rig.fault(piece_skip=piece, piece_times=1)
    flow.send(b"that goes ", socket.MSG_MORE)
    flow.send(b"all the same", socket.MSG_MORE)
    flow.near.send(b"")
    rig.wait_for(lambda: flow.receiver.count > before, 10,
                 lambda: f"nothing was sent for want of piece {piece}")
    ktap.equal(rig.fault_left("piece_times"), 0, "pieces that are still to fail")


def device_again_without_io():
    """A socket through which memory is written out (as a network block device does) returns
    to the NIC within a send: no allocation on that path may wait for IO."""
    ktap.defer(lambda: rig.fault(noio=0))
    flow = rig.Flow()
    ktap.defer(link, "up")
    link("down")
    link("up")
    watch = rig.Watch()
    rig.fault(noio=1, noio_kept=0, noio_broken=0)
    for _ in range(4):      # the first send finds the route
        flow.send(rig.pattern(1000))
        flow.drain()
    flow.finish()
    watch.expect(TlsTxDeviceAgain=1)
    ktap.equal((rig.fault_left("noio_kept"), rig.fault_left("noio_broken")), (1, 0),
               "contexts added without waiting for IO, and others")


def seal_later(by_nic):
    """No memory for a piece of a record. For its content or header, the program's call
    waits. For its end, the record stays open and is sent later without another call:
    counted as SealLater."""
    ktap.defer(rig.offload, True)
    rig.offload(by_nic)
    ktap.defer(lambda: rig.fault(piece_times=0, piece_skip=0))
    flow = rig.Flow()
    watch = rig.Watch()
    *content, end = range(3)
    for piece in content:
        send_short(flow, piece)
    watch.expect(TlsTxSealLater=0)
    send_short(flow, end)
    watch.expect(TlsTxSealLater=1)
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=flow.wire if by_nic else 0)


def cipher_without_memory():
    """The cipher has no memory for a record. If the payload is in the sender's own pages,
    the record is encrypted later. A record encrypted in place may be half encrypted, so it
    ends the stream: the calls fail with EIO at once."""
    rig.offload(False)
    ktap.defer(rig.offload, True)
    ktap.defer(lambda: rig.fault(seal_times=0))
    flow = rig.Flow()
    rig.fault(seal_times=1)
    flow.send(rig.pattern(8192))
    ktap.equal(rig.fault_left("seal_times"), 0, "failures to come")
    flow.finish()
    for flags in (0, socket.MSG_MORE):
        flow = rig.Flow()
        flow.send(b"before")
        rig.fault(seal_times=1)
        if flags:
            flow.near.send(b"in two ", flags)
        ktap.fails(errno.EIO, flow.near.send, b"calls")
        ktap.equal(rig.fault_left("seal_times"), 0, "failures to come")
        ktap.fails(errno.EIO, flow.near.send, b"after it")
        flow.finish()


def time_of_failures(times, step):
    """Call step() until it returns True. Returns the least time that the failures of
    allocations took, or None."""
    begin, end = time.monotonic(), None
    done = False
    while not done:
        now, left = time.monotonic(), rig.fault_left("fallback_times")
        if left == times:
            begin = now
        elif not left:
            end = end or time.monotonic()
        done = step()
    return end and end - begin


def gather_without_memory():
    """No memory for the copy of a record that is larger than TCP's window: the work that
    gathers the record tries again after a pause, without another call of the program."""
    times, pause, count = 50, 0.01, 10
    ktap.defer(lambda: rig.fault(fallback_times=0))
    key = ktls.Key()
    raw, tls = ktls.tcp_pair()
    ktap.defer(raw.close)
    ktap.defer(tls.close)
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    ktls.attach(tls, rx=key.clone())
    data = rig.pattern(ktls.MAX_PLAIN)
    got = []

    def one_record():
        if rig.readable(tls, 0.01):
            got.append(tls.recv(len(data), socket.MSG_WAITALL))
        return len(got) == count

    rig.fault(fallback_times=times)
    wire = b"".join(key.seal(data) for _ in range(count))
    thread = threading.Thread(target=raw.sendall, args=(wire,))
    thread.start()
    took = time_of_failures(times, one_record)
    thread.join()
    ktap.equal(rig.fault_left("fallback_times"), 0, "failures to come")
    ktap.equal(got, [data] * count, "payload")
    ktap.equal(took > times * pause, True, f"{times} failures took {took:.3f} s")


def main():
    """Register and run."""
    rig.offload()
    rig.receive_offload()
    rig.control()
    rig.far_receive_frames()
    rig.run("modprobe", "tlsfault")
    for fn in (no_device, feature_off, not_this_version, not_this_cipher,
               device_full, device_no_memory, device_refused, left_device,
               fallback_lost, left_route, fallback_driver, fallback_error,
               fallback_acknowledged):
        ktap.add(fn.__name__, fn, timeout=60)
    ktap.add("device_again_without_io", device_again_without_io, timeout=60)
    ktap.add("seal_later_on_the_card", seal_later, True)
    ktap.add("seal_later_in_software", seal_later, False)
    ktap.add("gather_without_memory", gather_without_memory, timeout=60)
    ktap.add("cipher_without_memory", cipher_without_memory, timeout=60)
    ktap.main()


main()
