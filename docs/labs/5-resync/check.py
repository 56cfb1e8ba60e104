#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Lab 5: does the NIC go on where the answer says, and is the stream right?"""
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(HERE, part) for part in
                ("..", "../../../tests/device", "../../../tests/abi")]
# pylint: disable=wrong-import-position
import answer
from nic import ABI, TxQueue, case, pack, status_name
from packets import payload, receive_tcp
from tls_test import Flow

WHERE = "host"
STREAMS, RECORDS = 10, 12


class Stream:
    """Records of random lengths: as the host hands them over, and as they must leave."""

    def __init__(self, nic, chance):
        self.flow = Flow(nic, seq=chance.choice((5000, 0xffffff00)))
        self.start = self.flow.seq
        plain = [payload(chance.randint(1, 900), n) for n in range(RECORDS)]
        records = self.flow.records
        self.host = b"".join(records.host(n, p) for n, p in enumerate(plain))
        self.wire = b"".join(records.wire(n, p) for n, p in enumerate(plain))
        self.places, at = [], 0
        for text in plain:
            self.places.append(((self.start + at) & 0xffffffff,
                                len(text) + records.overhead))
            at += len(text) + records.overhead

    def best(self, at):
        """The offset of the first record that begins at an offset or after it."""
        starts = [(first - self.start) & 0xffffffff for first, _ in self.places]
        return min((s for s in starts if s >= at), default=len(self.wire))


def resync(nic, stream, seq, number):
    """Tell the NIC; it may refuse."""
    cpl = nic.submit(ABI.CMD_TLS_RESYNC, pack(
        "tls_resync", ctx=stream.flow.ctx, tcp_seq=seq, rec_no=number.to_bytes(8, "big")))
    if cpl["status"] != ABI.ST_OK:
        raise answer.Wrong(f"the NIC refuses the resync: {status_name(cpl['status'])}")


def one(nic, tx, plan, chance):
    """A stream with a packet that is lost before the NIC."""
    stream = Stream(nic, chance)
    flow, size = stream.flow, len(stream.wire)
    sent = chance.randint(1, size // 3)
    lost = chance.randint(sent + 1, size * 2 // 3)
    flow.send(tx, stream.host[:sent], mss=1400)
    flow.seq = (stream.start + lost) & 0xffffffff
    frame, offload = flow.packet(stream.host[lost:lost + 50])
    tx.refused("TLS_SEQ", frame, **offload)
    seq, number = plan(list(stream.places), (stream.start + lost) & 0xffffffff)
    at = (seq - stream.start) & 0xffffffff
    if not lost <= at <= size:
        raise answer.Wrong("that place is not among the bytes that are still to be sent")
    resync(nic, stream, seq, number)
    flow.seq = seq
    while at < size:
        frame, offload = flow.packet(stream.host[at:at + 500])
        cpl = tx.send(frame, **offload)
        if cpl["status"] != ABI.ST_OK:
            raise answer.Wrong("the NIC refuses what follows: " +
                               status_name(cpl["status"]))
        if receive_tcp(nic)[0].data != stream.wire[at:at + 500]:
            raise answer.Wrong("the NIC encrypts something else than the peer can open")
        at += 500
    if (seq - stream.start) & 0xffffffff != stream.best(lost):
        raise answer.Wrong("there is a nearer place")


@case()
def check(nic):
    """Ten streams, the same each time."""
    plan, chance = answer.load(sys.argv[1]).plan, random.Random(5)
    nic.boot().up()
    tx = TxQueue(nic)
    for _ in range(STREAMS):
        one(nic, tx, plan, chance)


answer.verdict(check)
