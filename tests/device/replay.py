#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS replay through real firmware: what leaves a second time is what left
before, or nothing leaves."""

import sys

from nic import ABI, NUMBERS, QUIET, TxQueue, case, main, pack, unpack
from packets import payload, receive_tcp, tcp_frame
from records import CHACHA, GCM128, SUITES, TLS12, TLS13, Records

SECRET = b"this must never be seen on the wire "


class Flow:
    """A stream that the device encrypts, and that another library did, too."""

    def __init__(self, nic, tx, suite=SUITES[0], version=4, rec_no=0, seq=5000):
        self.nic, self.tx, self.version, self.seq = nic, tx, version, seq
        self.records = Records(*suite, rec_no)
        answer = nic.command("TLS_ADD", self.records.add(ABI.DIR_TX, seq))
        self.ctx = unpack("tls_ref", answer)["ctx"]
        self.host, self.wire, self.starts = b"", b"", []

    def record(self, size, data=None):
        plain = data or payload(size, len(self.starts) & 0xff)
        number = self.records.first + len(self.starts)
        self.starts.append(len(self.wire))
        self.host += self.records.host(number, plain)
        self.wire += self.records.wire(number, plain)
        return self

    def packet(self, begin, end, mss=0, **offload):
        frame, l4, hdr_len = tcp_frame(self.version, self.host[begin:end], whole=False,
                                       seq=self.seq + begin & 0xffffffff)
        flags = ABI.TXO_TLS | (ABI.TXO_TSO if mss else ABI.TXO_CSUM)
        return frame, dict(flags=flags, tls_ctx=self.ctx, hdr_len=hdr_len, mss=mss,
                           csum_start=l4, csum_offset=16) | offload

    def send(self, begin, end, mss=0):
        frame, offload = self.packet(begin, end, mss)
        self.tx.send_ok(frame, pieces=3, **offload)
        self.left(begin, end, mss)

    def left(self, begin, end, mss=0):
        """These bytes of the stream are on the wire, encrypted, and no others."""
        count = -(-(end - begin) // mss) if mss else 1
        segments = receive_tcp(self.nic, count)
        assert segments[0].seq == self.seq + begin & 0xffffffff
        assert b"".join(s.data for s in segments) == self.wire[begin:end]

    def around(self, begin, end):
        """First record and the bytes around the payload."""
        ends = self.starts[1:] + [len(self.wire)]
        first = max(n for n, at in enumerate(self.starts) if at <= begin)
        return first, begin - self.starts[first], min(e for e in ends if e >= end) - end

    def replay(self, begin, end, mss=0, pieces=1, replay=None, host=None, around=None,
               **offload):
        """Give bytes BEGIN to END of the stream again. Return: the completion."""
        first, before, after = around or self.around(begin, end)
        frame, offload = self.packet(begin, end, mss, **offload)
        hdr_len = len(frame) - (end - begin)
        host = host or self.host
        data = frame[:hdr_len] + host[begin - before:end + after]
        offload["flags"] |= ABI.TXO_REPLAY
        number = self.records.first + first
        self.tx.offload(**offload)
        self.tx.ring.put(pack("tx_replay", **dict(
            rec_no=number.to_bytes(8, "big"), before=before, after=after,
            flags=ABI.TXD_REPLAY) | (replay or {})))
        self.tx.data(data, pieces)
        self.tx.ring_doorbell()
        return self.tx.completion()

    def replay_ok(self, begin, end, mss=0, **more):
        cpl = self.replay(begin, end, mss, **more)
        assert cpl["status"] == ABI.ST_OK, cpl
        self.left(begin, end, mss)

    def state(self):
        return self.nic.command("TLS_QUERY", pack("tls_ref", ctx=self.ctx))


def start(nic, mtu=1500):
    nic.boot().up(mtu=mtu)
    return TxQueue(nic)


@case()
def every_suite(nic):
    """Cuts in header, nonce, payload and tag, in one record and over several."""
    tx = start(nic)
    for version in (4, 6):
        for suite in SUITES:
            flow = Flow(nic, tx, suite, version, (1 << 40) - 2)
            for size in (100, 1, 500, 40):
                flow.record(size)
            flow.send(0, len(flow.wire), 200)
            state = flow.state()
            one, two, three = flow.starts[1:]
            for begin, end in ((0, one), (0, 3), (2, 7), (6, 40), (20, one - 3),
                               (one - 10, one - 2), (one - 1, one), (one - 5, one + 3),
                               (50, two + 100), (two + 3, three + 5), (0, len(flow.wire)),
                               (three + 4, len(flow.wire))):
                flow.replay_ok(begin, end)
                flow.replay_ok(begin, end, 50)
            assert flow.state() == state


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
