#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The configuration of the NIC, or the state of the socket, changes in the middle of a
flow: no byte is lost, none leaves in the clear, and connections return to the NIC if they
can."""
import os
import socket
import struct
import threading

import ktap
import rig

CHUNK = 200000


def link(state):
    """Set the interface up or down."""
    rig.run("ip", "link", "set", rig.IFACE, state)


def pci_address():
    """PCI address in devlink's form."""
    return os.path.basename(os.readlink(f"/sys/class/net/{rig.IFACE}/device"))


def sends_by_nic(watch, flow):
    """The NIC encrypts this flow completely, after at most three sends."""
    for _ in range(3):
        flow.send(rig.pattern(20000))
        flow.drain()
    before = watch["tx_tls_encrypted_bytes"]
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    gained = watch["tx_tls_encrypted_bytes"] - before
    if gained < CHUNK:
        raise AssertionError(f"{gained} of {CHUNK} bytes; {watch.report()}")


def feature_toggled():
    """The TLS feature is switched off and on: existing connections keep their offload, a
    new connection follows the setting at its start."""
    watch = rig.Watch()
    old = rig.Flow()
    old.send(rig.pattern(CHUNK))
    rig.offload(False)
    ktap.defer(rig.offload, True)
    new = rig.Flow()
    new.send(rig.pattern(CHUNK))
    sends_by_nic(watch, old)
    new.finish()
    watch.expect(tx_tls_ctx=1, TlsTxSw=1)
    rig.offload(True)
    third = rig.Flow()
    third.send(rig.pattern(CHUNK))
    third.finish()
    old.finish()
    watch.expect(tx_tls_ctx=2, tx_tls_encrypted_bytes=old.wire + third.wire)


def other_offloads(*names):
    """Offloads that TLS offload depends on are switched off in the middle of a flow: the
    NIC encrypts its records all the same."""
    for name in names:
        ktap.defer(rig.offload, True)
        ktap.defer(rig.feature, name, True)
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(CHUNK))
    for name in names:
        rig.feature(name, False)
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    for name in reversed(names):
        rig.feature(name, True)
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=flow.wire)


def down_up():
    """The device goes down in the middle of a flow, and up again: software takes the flow
    over. Our tls.ko then gives it back to the NIC, the distribution's does not; a new
    connection is on the NIC with both."""
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(CHUNK))
    sender = threading.Thread(target=flow.send, args=(rig.pattern(4 << 20),))
    sender.start()
    rig.wait_for(lambda: flow.receiver.count > 2 * CHUNK, 30,
                 lambda: "the flow does not flow")
    link("down")
    watch.expect(tx_tls_del=1)
    link("up")
    sender.join()
    flow.drain()
    if not rig.STOCK:
        sends_by_nic(watch, flow)
    before = watch["tx_tls_encrypted_bytes"]
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    if rig.STOCK:
        watch.expect(tx_tls_ctx=1, tx_tls_del=1,
                     tx_tls_encrypted_bytes=before)
    watch = rig.Watch()
    new = rig.Flow()
    new.send(rig.pattern(CHUNK))
    new.finish()
    watch.expect(tx_tls_ctx=1, tx_tls_encrypted_bytes=new.wire)


def down_up_many():
    """The device goes down and up three times under twenty flows of both families: all data
    arrives, and each context is deleted."""
    watch = rig.Watch()
    flows = [rig.Flow(family=4 + i % 2 * 2) for i in range(20)]
    data = rig.pattern(1 << 18)
    senders = [threading.Thread(target=flow.send, args=(data,))
               for flow in flows]
    for sender in senders:
        sender.start()
    for _ in range(3):
        link("down")
        link("up")
    for sender, flow in zip(senders, flows):
        sender.join()
        flow.finish()
    watch.settle("tx_tls_del", watch["tx_tls_ctx"])
    if rig.STOCK:
        watch.expect(tx_tls_ctx=20, tx_tls_drop_no_sync_data=0)


def in_mid_flow(change, undo, contexts=1):
    """A change that stops the rings is made, and undone, each time in the middle of a flow:
    nothing is dropped, and the flow is on the NIC in the end. It has had CONTEXTS contexts."""
    watch = rig.Watch()
    flow = rig.Flow()
    for step in (change, undo):
        sender = threading.Thread(target=flow.send,
                                  args=(rig.pattern(2 << 20),))
        start = flow.receiver.count
        sender.start()
        # pylint: disable-next=cell-var-from-loop
        rig.wait_for(lambda: flow.receiver.count > start + CHUNK, 30,
                     lambda: "the flow does not flow")
        step()
        sender.join()
        flow.drain()
    sends_by_nic(watch, flow)
    flow.finish()
    watch.expect(tx_tls_drop_no_sync_data=0, tx_tls_drop_bypass_req=0,
                 tx_tls_fallback_failed=0, tx_tls_ctx=contexts,
                 tx_tls_del=contexts)


def channels(count):
    """A function that sets the number of channels (ethtool -L)."""
    return lambda: rig.run("ethtool", "-L", rig.IFACE, "combined", str(count))


def rings(count):
    """A function that sets the size of the transmit rings (ethtool -G)."""
    return lambda: rig.run("ethtool", "-G", rig.IFACE, "tx", str(count))


def reload():
    """Reset the function by a devlink reload; the NIC loses all contexts."""
    rig.run("devlink", "dev", "reload", f"pci/{pci_address()}")


def function_reset():
    """The function is reset twice under a flow: each time the NIC gets the lost context
    anew, from the driver with the distribution's tls.ko, and from our tls.ko, which the
    driver tells."""
    watch = rig.Watch()
    in_mid_flow(reload, reload, 1 if rig.STOCK else 3)
    watch.some("tx_tls_lost_reset",
               "tx_tls_readd" if rig.STOCK else "TlsTxDeviceAgain")
    watch.expect(tx_tls_resync_failed=0)


def close_unacknowledged():
    """The program closes a connection of which no byte is acknowledged: its context is
    deleted only after all data has arrived."""
    watch = rig.Watch()
    flow = rig.Flow()
    ktap.defer(rig.far_loss("loss", "100%"))
    flow.send(rig.pattern(50000))
    flow.near.close()
    watch.expect(tx_tls_ctx=1, tx_tls_del=0)
    rig.far_loss_end()
    flow.check(flow.receiver.finish())
    flow.far.close()
    watch.settle("tx_tls_del", 1)


def reset_by_program():
    """The program aborts a connection with much data on its way: the context is deleted."""
    watch = rig.Watch()
    flow = rig.Flow(reading=False)
    flow.send(rig.pattern(30000))
    flow.near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
    flow.near.close()
    watch.settle("tx_tls_del", 1)
    flow.far.close()


def reset_by_peer():
    """The peer aborts a connection with much data on its way: the context is deleted."""
    watch = rig.Watch()
    flow = rig.Flow(reading=False)
    flow.send(rig.pattern(30000))
    flow.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
    flow.far.close()
    flow.near.close()
    watch.settle("tx_tls_del", 1)


def driver_removed():
    """The driver is unloaded under open flows: they end in order when it is loaded again."""
    flows = [rig.Flow() for _ in range(5)]
    for flow in flows:
        flow.send(rig.pattern(CHUNK))
    rig.run("modprobe", "-r", "vktls")
    for flow in flows:
        flow.send(rig.pattern(1000))
    rig.run("modprobe", "vktls")
    rig.wait_for(lambda: os.path.exists(f"/sys/class/net/{rig.IFACE}"), 10,
                 lambda: "no interface after modprobe")
    rig.run("ip", "addr", "add", "192.0.2.1/24", "dev", rig.IFACE)
    rig.run("ip", "addr", "add", "2001:db8::1/64", "dev", rig.IFACE, "nodad")
    link("up")
    rig.offload()
    for flow in flows:
        flow.finish()
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=flow.wire)


def main():
    """Register and run."""
    rig.offload()
    rig.control()
    rig.run("ethtool", "-L", rig.IFACE, "combined", "2")
    rig.run("sysctl", "-qw", f"net.ipv6.conf.{rig.IFACE}.keep_addr_on_down=1")
    ktap.add("feature_toggled", feature_toggled)
    ktap.add("checksum_off", other_offloads, "tx")
    ktap.add("segmentation_off", other_offloads, "tso", "gso")
    ktap.add("scatter_gather_off", other_offloads, "sg")
    ktap.add("down_up", down_up, timeout=60)
    ktap.add("down_up_many", down_up_many, timeout=120)
    ktap.add("channels", in_mid_flow, channels(1), channels(2), timeout=60)
    ktap.add("ring_size", in_mid_flow, rings(128), rings(512), timeout=60)
    ktap.add("mtu", in_mid_flow, lambda: rig.mtu(4000), lambda: rig.mtu(1500),
             timeout=60)
    ktap.add("function_reset", function_reset, timeout=120)
    for fn in (close_unacknowledged, reset_by_program, reset_by_peer):
        ktap.add(fn.__name__, fn)
    ktap.add("driver_removed", driver_removed, timeout=60)
    ktap.main()


main()
