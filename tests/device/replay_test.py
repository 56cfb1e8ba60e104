#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS replay through real firmware: bytes that leave a second time equal those that left
before, or nothing leaves."""

import random
import sys

from nic import ABI, QUIET, TxQueue, case, main, pack, unpack
from packets import payload, receive_tcp, tcp_frame
from records import IV, SUITES, Records
from tlsrx_test import flow_of

SECRET = b"this must never be seen on the wire "


class Flow:
    """A stream that the device encrypts, and that another library has encrypted too."""

    def __init__(self, nic, tx, suite=SUITES[0], version=4, rec_no=0, seq=5000):
        self.nic, self.tx, self.version, self.seq = nic, tx, version, seq
        self.records = Records(*suite, rec_no)
        answer = nic.command("TLS_ADD", self.records.add(ABI.DIR_TX, seq))
        self.ctx = unpack("tls_ref", answer)["ctx"]
        self.host, self.wire, self.starts, self.numbers = b"", b"", [], []

    def record(self, size, data=None):
        plain = data or payload(size, len(self.starts) & 0xff)
        number = self.records.first + len(self.starts)
        self.starts.append(len(self.wire))
        self.numbers.append(number)
        self.host += self.records.host(number, plain)
        self.wire += self.records.wire(number, plain)
        return self

    def take(self, other):
        """Let this context have the stream of another."""
        self.host, self.wire = other.host, other.wire
        self.starts, self.numbers = other.starts, other.numbers

    def packet(self, begin, end, mss=0, **offload):
        """(headers, offload descriptor) of a packet with bytes BEGIN to END of the stream."""
        frame, l4, hdr_len = tcp_frame(self.version, self.host[begin:end], whole=False,
                                       seq=self.seq + begin & 0xffffffff)
        flags = ABI.TXO_TLS | (ABI.TXO_TSO if mss else ABI.TXO_CSUM)
        return frame[:hdr_len], dict(flags=flags, tls_ctx=self.ctx, hdr_len=hdr_len,
                                     mss=mss, csum_start=l4, csum_offset=16) | offload

    def send(self, begin, end, mss=0):
        headers, offload = self.packet(begin, end, mss)
        self.tx.send_ok(headers + self.host[begin:end], pieces=3, **offload)
        self.left(begin, end, mss)

    def left(self, begin, end, mss=0, tci=None):
        """Exactly these bytes of the stream have left, encrypted."""
        count = -(-(end - begin) // mss) if mss else 1
        segments = receive_tcp(self.nic, count)
        assert segments[0].seq == self.seq + begin & 0xffffffff
        assert {s.tci for s in segments} == {tci}
        assert b"".join(s.data for s in segments) == self.wire[begin:end]

    def around(self, begin, end):
        """(number of the first record of these bytes, bytes before them in it, bytes behind
        them in the last record)."""
        ends = self.starts[1:] + [len(self.wire)]
        first = max(n for n, at in enumerate(self.starts) if at <= begin)
        return first, begin - self.starts[first], min(e for e in ends if e >= end) - end

    def replay(self, begin, end, mss=0, pieces=1, desc=None, host=None, headers=None,
               flags=0, **offload):
        """Give the device bytes BEGIN to END of the stream once more. DESC replaces members
        of the replay descriptor, HOST the plaintext stream. Returns the completion."""
        first, before, after = self.around(begin, end)
        made, offload = self.packet(begin, end, mss, **offload)
        data = (headers or made) + (host or self.host)[begin - before:end + after]
        offload["flags"] |= ABI.TXO_REPLAY | flags
        number = self.numbers[first]
        desc = dict(rec_no=number.to_bytes(8, "big"), before=before, after=after,
                    flags=ABI.TXD_REPLAY) | (desc or {})
        self.tx.offload(**offload)
        self.tx.ring.put(pack("tx_replay", **desc))
        self.tx.data(data, pieces)
        self.tx.ring_doorbell()
        return self.tx.completion()

    def replay_ok(self, begin, end, mss=0, tci=None, **more):
        cpl = self.replay(begin, end, mss, **more)
        assert cpl["status"] == ABI.ST_OK, cpl
        self.left(begin, end, mss, tci)

    def refused(self, why, begin, end, **more):
        """A replay is refused with status WHY: nothing leaves, and the context is
        unchanged."""
        before, state = self.nic.stats(), self.state()
        cpl = self.replay(begin, end, **more)
        self.tx.check_refused(cpl, why, before["TX_ERRORS"])
        stats = self.nic.stats()
        assert stats["TLS_TX_DROP_REPLAY"] == before["TLS_TX_DROP_REPLAY"] + 1
        for name in ("PACKETS", "RECORDS", "REPLAYS", "DROP_SEQ", "DROP_HEADER",
                     "DROP_NONCE", "DROP_OTHER"):
            assert stats["TLS_TX_" + name] == before["TLS_TX_" + name], name
        assert self.state() == state
        return cpl

    def state(self):
        return self.nic.command("TLS_QUERY", pack("tls_ref", ctx=self.ctx))


def start(nic, mtu=1500):
    nic.boot().up(mtu=mtu)
    return TxQueue(nic)


@case()
def every_suite(nic):
    """Replays that begin and end in header, nonce, payload and tag, in one record and over
    several, for each cipher suite and IP version."""
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


def sent(nic, suite=SUITES[0], sizes=(300, 300, 300), **more):
    """A flow of which records of these sizes have left."""
    flow = Flow(nic, start(nic), suite, **more)
    for size in sizes:
        flow.record(size)
    flow.send(0, len(flow.wire), 1000)
    return flow


@case()
def while_the_stream_goes_on(nic):
    """Replays between the packets of one record, and while the context is lost."""
    flow = sent(nic)
    flow.record(1000)
    last = flow.starts[3]
    flow.send(last, last + 200)
    flow.replay_ok(flow.starts[1] + 3, flow.starts[2] - 3)
    flow.send(last + 200, len(flow.wire))
    headers, offload = flow.packet(0, 40)
    frame = headers[:38] + (flow.seq + len(flow.wire)).to_bytes(4, "big") + \
        headers[42:] + b"\x63" * 40
    flow.tx.refused("TLS_HEADER", frame, **offload)
    flow.replay_ok(last + 7, last + 900)


@case()
def whole_super_packet(nic):
    """A replay with the largest payload and the largest number of descriptors leaves; one
    more descriptor is refused."""
    flow = Flow(nic, start(nic))
    for _ in range(6):
        flow.record(16384)
    for at in range(0, len(flow.wire), 60000):
        flow.send(at, min(at + 60000, len(flow.wire)), 1448)
    begin = flow.starts[1] - 1
    flow.replay_ok(begin, begin + 65400, 1448, pieces=58)
    begin = flow.starts[1] + 1
    flow.replay_ok(begin, begin + 65400, 1448, pieces=58)
    flow.refused("TX_DESC", begin, begin + 65400, mss=1448, pieces=59)
    flow.replay_ok(flow.starts[2] - 16, flow.starts[2] + 1, pieces=58)


@case()
def under_a_vlan_tag(nic):
    """A replay of a packet with a VLAN tag to insert, with and without TSO."""
    flow = sent(nic)
    for begin in (0, 1, 3, 100):
        for mss in (0, 70):
            flow.replay_ok(begin, 200, mss, tci=9, flags=ABI.TXO_VLAN, vlan_tci=9)


@case()
def another_plaintext_does_not_leave(nic):
    """One bit of the plaintext has changed, in the bytes to send or around them in their
    records: nothing leaves."""
    for suite in SUITES[::2]:
        flow = sent(nic, suite)
        head = 5 + flow.records.explicit
        begin, end = flow.starts[1] + 20, flow.starts[2] + 40
        for at in (flow.starts[1] + head, begin + 50, flow.starts[2] - 17,
                   flow.starts[2] + head, end - 1, end + 1, len(flow.wire) - 17):
            host = bytearray(flow.host)
            host[at] ^= 0x10
            cpl = flow.refused("TLS_REUSE", begin, end, host=bytes(host))
            assert (cpl["tls_ctx"], cpl["tcp_seq"]) == (flow.ctx, flow.seq + len(flow.wire))
        flow.replay_ok(begin, end)
        nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)


@case()
def only_records_that_were_sent(nic):
    """A replay of a future record, of one that has not completely left, or with a wrong
    number is refused."""
    flow = sent(nic, sizes=[100])
    flow.record(200).record(300)
    one, two = flow.starts[1:]
    flow.send(one, two - 1)
    flow.refused("TLS_REUSE", two, two + 50)
    flow.refused("TLS_REUSE", one, one + 50)
    flow.refused("TLS_REUSE", one - 10, one + 10)
    flow.refused("TLS_NONCE", 0, 50, desc={"rec_no": (1).to_bytes(8, "big")})
    flow.refused("TLS_NONCE", 0, 50, desc={"rec_no": b"\xff" * 8})
    flow.send(two - 1, len(flow.wire))
    flow.replay_ok(one - 10, one + 10)


@case()
def record_numbers_of_tls13(nic):
    """TLS 1.3, which has no explicit nonce: a replay with a wrong record number is refused."""
    flow = sent(nic, SUITES[3])
    for number in (1, 3, 1 << 63, (1 << 64) - 1):
        flow.refused("TLS_REUSE", 5, 50, desc={"rec_no": number.to_bytes(8, "big")})


@case()
def last_record_of_all(nic):
    flow = sent(nic, rec_no=(1 << 64) - 3)
    flow.replay_ok(flow.starts[2] + 4, len(flow.wire))
    flow.replay_ok(flow.starts[1] + 4, len(flow.wire) - 1)
    flow.host += flow.host[:flow.starts[1]]
    flow.wire += flow.wire[:flow.starts[1]]
    flow.starts.append(flow.starts[2] + flow.starts[1])
    flow.refused("TLS_REUSE", flow.starts[2] + 4, len(flow.wire))


@case()
def not_a_whole_number_of_records(nic):
    flow = sent(nic)
    begin, end = flow.starts[1] + 20, flow.starts[2] - 20
    for desc, host in (({"after": 19}, flow.host[:flow.starts[2] - 1]),
                       ({"after": 21}, flow.host[:flow.starts[2]] + flow.host[
                           flow.starts[2]:]),
                       ({"before": 21}, None), ({"before": 19}, None)):
        first, before, after = flow.around(begin, end)
        desc = {"before": before, "after": after} | desc
        around = desc["before"] + desc["after"]
        data = (host or flow.host)[begin - desc["before"]:end + desc["after"]]
        headers, offload = flow.packet(begin, end)
        offload["flags"] |= ABI.TXO_REPLAY
        flow.tx.offload(**offload)
        flow.tx.ring.put(pack("tx_replay", rec_no=first.to_bytes(8, "big"),
                              flags=ABI.TXD_REPLAY, **desc))
        flow.tx.data(headers + data)
        errors = nic.stats()["TX_ERRORS"]
        flow.tx.ring_doorbell()
        assert len(data) == end - begin + around
        flow.tx.check_refused(flow.tx.completion(), "TLS_HEADER", errors)
    flow.replay_ok(begin, end)


@case()
def many_records_back(nic):
    """Any of the last 400 small records, as many as a window may hold, can be replayed."""
    flow = Flow(nic, start(nic))
    for _ in range(400):
        flow.record(8)
    ends = flow.starts[1:] + [len(flow.wire)]
    for n in range(0, 400, 40):
        flow.send(flow.starts[n], ends[n + 39], 1400)
    for n in list(range(0, 400, 50)) + [399]:
        flow.replay_ok(flow.starts[n], ends[n])


@case()
def malformed_descriptors(nic):
    """Each rule about the offload and replay descriptors and their lengths is enforced."""
    flow = sent(nic)
    tx = flow.tx
    for desc in ({"reserved": 1}, {"flags": 0}, {"flags": ABI.TXD_REPLAY | 4},
                 {"flags": ABI.TXD_REPLAY | ABI.TXD_CPL},
                 {"flags": ABI.TXD_REPLAY | ABI.TXD_OFFLOAD}):
        flow.refused("TX_DESC", 20, 50, desc=desc)
    maximum = ABI.TX_REPLAY_MAX
    for desc in ({"before": maximum + 1}, {"after": maximum + 1}, {"before": 0xffff},
                 {"before": 400}, {"after": 400}, {"before": 300, "after": 300}):
        flow.refused("TX_LENGTH", 20, 50, desc=desc)
    for change in ({"hdr_len": 0}, {"hdr_len": 53}, {"hdr_len": 55}, {"hdr_len": 0xffff},
                   {"csum_start": 0xffff}, {"csum_offset": 200}):
        flow.refused("TX_OFFLOAD", 20, 50, **change)
    for change in ({"hdr_len": 55}, {"mss": 0}):
        flow.refused("TX_OFFLOAD", 20, 250, flags=ABI.TXO_TSO, **change)
    flow.refused("NOENT", 20, 50, tls_ctx=flow.ctx + 1)
    flow.refused("NOENT", 20, 50, tls_ctx=0xffffffff)
    errors = nic.stats()["TX_ERRORS"]
    for flags in (ABI.TXO_REPLAY, ABI.TXO_REPLAY | ABI.TXO_CSUM,
                  ABI.TXO_REPLAY | ABI.TXO_TLS | ABI.TXO_CSUM):
        headers, offload = flow.packet(0, 60)
        tx.offload(**offload | {"flags": flags})
        tx.data(headers + flow.host[:60])
        tx.ring_doorbell()
        tx.check_refused(tx.completion(), "TX_DESC", errors)
        errors += 1
    flow.replay_ok(20, 50)


@case()
def replay_descriptor_in_other_places(nic):
    """A replay descriptor without an offload descriptor, behind one that does not announce
    it, twice, or behind data is refused."""
    flow = sent(nic)
    tx, errors = flow.tx, nic.stats()["TX_ERRORS"]
    headers, offload = flow.packet(0, 60)
    mark = {"flags": offload["flags"] | ABI.TXO_REPLAY}
    replay = pack("tx_replay", flags=ABI.TXD_REPLAY)
    data = pack("tx_desc", addr=nic.m.alloc(64), len=64)
    for entries in ([replay], [pack("tx_offload", **offload | {
            "flags": offload["flags"] | ABI.TXD_OFFLOAD}), replay],
                    [pack("tx_offload", **offload | {
                        "flags": mark["flags"] | ABI.TXD_OFFLOAD}), replay, replay],
                    [pack("tx_offload", **offload | {
                        "flags": mark["flags"] | ABI.TXD_OFFLOAD}), data, replay]):
        for entry in entries:
            tx.ring.put(entry)
        tx.data(headers + flow.host[:60])
        tx.ring_doorbell()
        tx.check_refused(tx.completion(), "TX_DESC", errors)
        errors += 1


@case()
def packet_ends_with_its_replay_descriptor(nic):
    flow = sent(nic)
    errors = nic.stats()["TX_ERRORS"]
    _, offload = flow.packet(0, 60)
    flow.tx.offload(**offload | {"flags": offload["flags"] | ABI.TXO_REPLAY})
    flow.tx.ring.put(pack("tx_replay", flags=ABI.TXD_REPLAY | ABI.TXD_EOP))
    flow.tx.ring_doorbell()
    flow.tx.check_refused(flow.tx.completion(), "TX_DESC", errors)
    flow.replay_ok(20, 50)


@case()
def headers_that_reach_into_the_record(nic):
    """TCP options or an IPv6 extension header reach into the record bytes before the
    payload, against hdr_len: the replay is refused."""
    flow = sent(nic, version=6)
    headers, offload = flow.packet(30, 60)
    long_tcp = headers[:66] + b"\xf0" + headers[67:]
    chained = headers[:20] + b"\0" + headers[21:54] + b"\x06\4" + headers[56:]
    for spoilt in (long_tcp, chained):
        cpl = flow.replay(30, 60, headers=spoilt)
        assert cpl["status"] in (ABI.ST_TX_OFFLOAD, ABI.ST_TLS_NOT_TCP), cpl
        assert nic.wire.receive(QUIET) is None
    assert offload["hdr_len"] == len(headers) == 74
    flow.replay_ok(30, 60)


@case()
def payload_of_nothing(nic):
    """A replay without payload sends its headers only, as any marked packet may."""
    flow = sent(nic)
    flow.replay_ok(30, 30)


@case()
def memory_that_is_not_there(nic):
    flow = sent(nic)
    headers, offload = flow.packet(30, 60)
    offload["flags"] |= ABI.TXO_REPLAY
    flow.tx.offload(**offload)
    flow.tx.ring.put(pack("tx_replay", before=30, after=200, flags=ABI.TXD_REPLAY,
                          rec_no=bytes(8)))
    flow.tx.descriptor(addr=1 << 50, len=len(headers) + 260,
                       flags=ABI.TXD_EOP | ABI.TXD_CPL)
    errors = nic.stats()["TX_ERRORS"]
    flow.tx.ring_doorbell()
    flow.tx.check_refused(flow.tx.completion(), "DMA", errors)
    flow.replay_ok(30, 60)


@case()
def port_rules_hold_for_replays(nic):
    """The MTU limits the bytes that leave, not the record bytes around them; with the port
    down, nothing leaves."""
    flow = sent(nic, sizes=[9000, 200])
    flow.replay_ok(100, 1500)
    flow.refused("TX_LENGTH", 100, 1700)
    nic.command("PORT_SET", pack("port_cfg", flags=0, mtu=1500))
    flow.refused("STATE", 100, 1500)


@case()
def context_that_receives(nic):
    flow = sent(nic)
    answer = nic.command("TLS_ADD_RX", flow.records.add(ABI.DIR_RX, 1) + flow_of(4))
    flow.refused("NOENT", 30, 60, tls_ctx=unpack("tls_ref", answer)["ctx"])


@case()
def contexts_do_not_share_tags(nic):
    """Two contexts have equal keys and numbers: a record that one of them sent cannot be
    replayed by the other."""
    flow = sent(nic)
    other = Flow(nic, flow.tx)
    other.take(flow)
    other.refused("TLS_REUSE", 30, 60)
    nic.command("TLS_DEL", pack("tls_ref", ctx=flow.ctx))
    flow.ctx, kept = other.ctx, flow.ctx
    for _ in range(1024):
        again = Flow(nic, flow.tx)
        if again.ctx == kept:
            break
        nic.command("TLS_DEL", pack("tls_ref", ctx=again.ctx))
    again.take(flow)
    again.refused("TLS_REUSE", 30, 60)


def replay_without_its_records(flow, begin, end):
    """Give the device a replay whose bytes behind the packet's headers are not in memory.
    Returns the completion."""
    first, before, after = flow.around(begin, end)
    headers, offload = flow.packet(begin, end)
    data = headers + flow.host[begin - before:end + after]
    addr = flow.nic.m.alloc(128, 1)
    flow.nic.m.write(addr, data[:128])
    flow.tx.offload(**offload | {"flags": offload["flags"] | ABI.TXO_REPLAY})
    flow.tx.ring.put(pack("tx_replay", before=before, after=after, flags=ABI.TXD_REPLAY,
                          rec_no=first.to_bytes(8, "big")))
    flow.tx.descriptor(addr=addr, len=128, flags=0)
    flow.tx.descriptor(addr=1 << 50, len=len(data) - 128,
                       flags=ABI.TXD_EOP | ABI.TXD_CPL)
    flow.tx.ring_doorbell()
    return flow.tx.completion()


@case()
def second_segment_of_a_record_is_not_read(nic):
    """A record that was replayed once is kept: later replays of it, or of two such records,
    read nothing from memory; those of other records read."""
    flow = sent(nic)
    one, two = flow.starts[1:]
    flow.replay_ok(one + 20, one + 60)
    flow.replay_ok(two + 20, two + 60)
    read = nic.stats()["TLS_TX_REPLAY_READ"]
    for begin, end in ((one + 100, one + 200), (two - 50, two + 50), (one, two)):
        assert replay_without_its_records(flow, begin, end)["status"] == ABI.ST_OK
        flow.left(begin, end)
    stats = nic.stats()
    assert (stats["TLS_TX_REPLAY_KEPT"], stats["TLS_TX_REPLAYS"]) == (3, 5)
    assert stats["TLS_TX_REPLAY_READ"] == read and not stats["DMA_ERRORS"]
    errors = stats["TX_ERRORS"]
    flow.tx.check_refused(replay_without_its_records(flow, 100, 200), "DMA", errors)
    flow.tx.check_refused(replay_without_its_records(flow, one - 50, one + 50), "DMA",
                          errors + 1)


@case()
def kept_records_go_with_their_context(nic):
    """Kept records are dropped with their context: a new context with the same key and
    numbers reads memory again, and so does one after a reset."""
    flow = sent(nic)
    flow.replay_ok(20, 60)
    nic.command("TLS_DEL", pack("tls_ref", ctx=flow.ctx))
    errors = nic.stats()["TX_ERRORS"]
    flow.tx.check_refused(replay_without_its_records(flow, 100, 200), "DMA", errors)
    again = Flow(nic, flow.tx)
    again.take(flow)
    again.send(0, len(flow.wire), 1000)
    again.tx.check_refused(replay_without_its_records(again, 100, 200), "DMA", errors + 1)
    again.replay_ok(20, 60)
    assert replay_without_its_records(again, 100, 200)["status"] == ABI.ST_OK
    again.left(100, 200)
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    last = sent(nic)
    last.tx.check_refused(replay_without_its_records(last, 100, 200), "DMA", 0)


@case()
def lost_by_a_seed(nic):
    """Segments of all sizes are lost here and there and replayed, some several times, while
    the stream goes on: the bytes are right."""
    rng = random.Random(4711)
    tx = start(nic)
    for suite in SUITES:
        flow, lost, at = Flow(nic, tx, suite), [], 0
        for _ in range(40):
            flow.record(rng.choice((1, 40, 300, 2000)))
        while at < len(flow.wire):
            begin, at = at, min(at + rng.choice((3, 13, 100, 500, 1400)), len(flow.wire))
            flow.send(begin, at)
            if rng.random() < 0.3:
                lost.append((begin, at))
            for segment in list(lost):
                if segment[1] + flow.around(*segment)[2] <= at and rng.random() < 0.3:
                    flow.replay_ok(*segment, pieces=rng.choice((1, 2, 5)))
                    if rng.random() < 0.6:
                        lost.remove(segment)
    stats = nic.stats()
    assert 0 < stats["TLS_TX_REPLAY_KEPT"] < stats["TLS_TX_REPLAYS"]
    assert not stats["TX_ERRORS"] and not stats["TLS_TX_DROP_REPLAY"]


@case(tls_replay="off")
def device_without_replay(nic):
    flow = sent(nic)
    assert not unpack("caps", nic.command("CAPS"))["features"] & ABI.CAP_TLS_REPLAY
    flow.refused("TX_DESC", 30, 60)


@case()
def counters(nic):
    flow = sent(nic)
    flow.replay_ok(20, flow.starts[1] + 30)
    flow.replay_ok(flow.starts[2], flow.starts[2] + 10)
    flow.replay_ok(0, 10)   # still kept
    stats = nic.stats()
    assert (stats["TLS_TX_REPLAYS"], stats["TLS_TX_REPLAY_KEPT"]) == (3, 1)
    assert stats["TLS_TX_REPLAY_BYTES"] == flow.starts[1] + 30 - 20 + 10 + 10
    assert stats["TLS_TX_REPLAY_READ"] == 20 + flow.starts[2] - flow.starts[1] - 30 + \
        len(flow.wire) - flow.starts[2] - 10
    assert (stats["TLS_TX_PACKETS"], stats["TLS_TX_RECORDS"]) == (1, 3)



class KeyedFlow(Flow):
    """A stream of TLS 1.3 with one key after the other."""

    def __init__(self, nic, tx, suite=SUITES[3], **more):
        super().__init__(nic, tx, suite, **more)
        self.suite, self.key_no = suite, 0

    def key_of(self, number):
        return bytes([number] * len(self.records.key))

    def next_key(self, **members):
        """struct vktls_tls_next_tx of the next key, from the end of the stream on."""
        seq = members.pop("tcp_seq", self.seq + len(self.wire))
        members = dict(ctx=self.ctx, key_no=self.key_no + 1, iv=IV,
                       key=self.key_of(self.key_no + 1)) | members
        return pack("tls_next", **members) + (seq & 0xffffffff).to_bytes(4, "little")

    def rekey(self):
        self.nic.command("TLS_NEXT_TX", self.next_key())
        self.key_no += 1
        self.records = Records(*self.suite, -len(self.starts), self.key_of(self.key_no))
        return self

    def resync(self, number, key_no, status="OK"):
        """To a record of the stream."""
        self.nic.command("TLS_RESYNC_KEY", pack(
            "tls_resync", ctx=self.ctx, tcp_seq=self.seq + self.starts[number] & 0xffffffff,
            rec_no=self.numbers[number].to_bytes(8, "big")) + key_no.to_bytes(8, "little"),
            status)

    def done(self, key_no, status="OK"):
        self.nic.command("TLS_KEY_DONE", pack("tls_key_ref", ctx=self.ctx, key_no=key_no),
                         status)


@case()
def keys_follow_each_other(nic):
    """One packet has records of three keys. Each is replayed with its own key, also
    together with the others', and from the cache."""
    tx = start(nic)
    for suite in SUITES[3:]:
        flow = KeyedFlow(nic, tx, suite, seq=0xfffffe00)
        flow.record(300).rekey().record(40).record(500).rekey().record(700)
        before = nic.stats()
        flow.send(0, len(flow.wire), mss=1000)
        stats = nic.stats()
        assert stats["TLS_TX_REKEYS"] - before["TLS_TX_REKEYS"] == 2
        assert stats["TLS_TX_RECORDS"] - before["TLS_TX_RECORDS"] == 4
        for _ in range(2):
            flow.replay_ok(10, 200)
            flow.replay_ok(flow.starts[1] - 20, flow.starts[3] + 20)
            flow.replay_ok(flow.starts[2] + 30, flow.starts[2] + 60)
            flow.replay_ok(flow.starts[3] + 30, len(flow.wire))


@case()
def keys_that_are_done(nic):
    """An old key encrypts nothing any more. If the context is still at it, it is lost until
    a resync."""
    tx = start(nic)
    flow = KeyedFlow(nic, tx)
    flow.record(300).rekey().record(300).rekey().record(300).record(300)
    flow.send(0, flow.starts[1] + 30)
    flow.done(3, "TLS_KEY")
    flow.done(1)
    flow.done(0, "TLS_KEY")
    flow.refused("TLS_REUSE", 0, flow.starts[1])
    flow.send(flow.starts[1] + 30, flow.starts[2] - 5)
    flow.done(2)
    assert unpack("tls_state", flow.state())["state"] == ABI.TLS_LOST
    flow.resync(2, 1, "TLS_KEY")
    flow.resync(2, 2)
    flow.send(flow.starts[2], len(flow.wire))
    flow.resync(3, 2, "TLS_REUSE")


@case()
def next_keys_that_are_refused(nic):
    tx = start(nic)
    flow = KeyedFlow(nic, tx).record(100)
    flow.send(0, len(flow.wire))
    other = Flow(nic, tx)
    for members, status in (
            ({"key_no": 0}, "PARAM"), ({"key_no": 2}, "PARAM"), ({"ctx": 99}, "NOENT"),
            ({"ctx": other.ctx}, "UNSUPPORTED"), ({"key": bytes([1] * 17)}, "RESERVED"),
            ({"key": flow.records.key}, "TLS_REUSE"), ({"tcp_seq": flow.seq}, "TLS_SEQ")):
        nic.command("TLS_NEXT_TX", flow.next_key(**members), status)
    nic.command("TLS_NEXT", flow.next_key()[:-4], "UNSUPPORTED")
    for _ in range(ABI.TLS_TX_KEYS - 1):
        flow.rekey()
    nic.command("TLS_NEXT_TX", flow.next_key(), "FULL")
    flow.record(100)
    flow.send(flow.starts[1], len(flow.wire))
    flow.done(flow.key_no)
    flow.rekey().record(100)
    flow.send(flow.starts[2], len(flow.wire))


@case()
def capability_of_next_keys(nic):
    nic.boot()
    assert unpack("caps", nic.command("CAPS"))["features"] & ABI.CAP_TLS_TX_NEXT


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
