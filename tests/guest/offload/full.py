#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A NIC with a full context table: further connections are encrypted by software, and an
entry that becomes free is used again."""

import ktap
import rig

ROOM = 4    # the table's entries, as full.vm sets them


@ktap.case()
def table_full():
    """Two more connections are opened than the NIC's table has entries: the last two are
    encrypted by software."""
    watch = rig.Watch()
    flows = [rig.Flow() for _ in range(ROOM + 2)]
    watch.expect(tx_tls_ctx=ROOM, tx_tls_no_space=2, TlsTxDevice=ROOM,
                 TlsTxSw=2)
    for flow in flows:
        flow.send(rig.pattern(50000))
    for flow in flows:
        flow.finish()
    watch.settle("tx_tls_del", ROOM)
    watch.expect(tx_tls_add_failed=0, tx_tls_encrypted_bytes=sum(
        flow.wire for flow in flows[:ROOM]))


@ktap.case()
def place_freed():
    """A connection ends, and the next one gets its table entry, ten times in a row."""
    watch = rig.Watch()
    flows = [rig.Flow() for _ in range(ROOM)]
    for number in range(10):
        flows.pop(0).finish()
        watch.settle("tx_tls_del", number + 1)
        flows.append(rig.Flow())
    for flow in flows:
        flow.send(rig.pattern(1000))
        flow.finish()
    watch.expect(tx_tls_ctx=ROOM + 10, tx_tls_no_space=0)


def place_taken_later():
    """A table entry becomes free: one of the connections that found the table full gets it,
    at its next record."""
    watch = rig.Watch()
    flows = [rig.Flow() for _ in range(ROOM + 2)]
    watch.expect(TlsTxDevice=ROOM, TlsTxDeviceFull=2, tx_tls_no_space=2)
    flows.pop(0).finish()
    watch.settle("tx_tls_del", 1)
    for _ in range(3):
        for flow in flows[-2:]:
            flow.send(rig.pattern(1000))
    watch.expect(TlsTxDeviceAgain=1, tx_tls_ctx=ROOM + 1, TlsCurrTxDevice=ROOM)
    for flow in flows:
        flow.finish()
    watch.settle("tx_tls_del", ROOM + 1)


rig.offload()
if not rig.STOCK:
    ktap.add("place_taken_later", place_taken_later)
ktap.main()
