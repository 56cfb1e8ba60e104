#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS transmit through real firmware: another library decrypts the frames that leave;
packets that must not leave do not."""

import os
import sys

from nic import ABI, QUIET, Ring, TxQueue, case, main, pack, status_name, unpack
from packets import HOP_BY_HOP, payload, receive_tcp, tcp_frame, ethernet, ip, UDP, udp
from records import IV, SUITES, TLS13, Records

NONCE = int.from_bytes(IV[4:], "big")
OVERHEAD = 5 + 8 + 16
SECRET = b"this must never be seen on the wire "
TLS12_GCM256 = SUITES[1]


class Flow:
    """The host's and the reader's side of one offloaded connection."""

    def __init__(self, nic, suite=SUITES[0], version=4, rec_no=0, seq=5000, key=None,
                 **tcp_more):
        self.nic, self.version, self.tcp_more = nic, version, tcp_more
        self.records = Records(*suite, rec_no, key)
        self.seq, self.rec_no = seq, rec_no
        answer = nic.command("TLS_ADD", self.records.add(ABI.DIR_TX, seq))
        self.ctx = unpack("tls_ref", answer)["ctx"]
        self.wire = b""
        self.read_no = rec_no

    def ref(self):
        return pack("tls_ref", ctx=self.ctx)

    def record(self, plain, kind=23, number=None):
        """A record as the host passes it: plaintext, and room for the tag."""
        number = self.rec_no if number is None else number
        self.rec_no += 1
        return self.records.host(number, plain, kind)

    def packet(self, data, mss=0, **offload):
        """(frame, offload descriptor) of the next bytes of the stream."""
        frame, l4, hdr_len = tcp_frame(self.version, data, seq=self.seq, whole=False,
                                       **self.tcp_more)
        self.seq = (self.seq + len(data)) & 0xffffffff
        flags = ABI.TXO_TLS | (ABI.TXO_TSO if mss else ABI.TXO_CSUM)
        return frame, dict(flags=flags, tls_ctx=self.ctx, hdr_len=hdr_len, mss=mss,
                           csum_start=l4, csum_offset=16) | offload

    def send(self, tx, data, mss=0):
        """Send bytes of the stream as one packet, and collect the frames that leave."""
        frame, offload = self.packet(data, mss)
        tx.send_ok(frame, pieces=3, **offload)
        segments = receive_tcp(self.nic, -(-len(data) // mss) if mss else 1)
        self.wire += b"".join(s.data for s in segments)
        return segments

    def read(self):
        """Decrypt the next whole record from the wire: (type, plaintext)."""
        kind, plain, self.wire = self.records.open(self.read_no, self.wire)
        self.read_no += 1
        return kind, plain

    def state(self):
        return unpack("tls_state", self.nic.command("TLS_QUERY", self.ref()))

    def resync(self, status="OK", **members):
        members = dict(ctx=self.ctx, tcp_seq=self.seq,
                       rec_no=self.rec_no.to_bytes(8, "big")) | members
        self.nic.command("TLS_RESYNC", pack("tls_resync", **members), status)


def start(nic, mtu=1500):
    nic.boot().up(mtu=mtu)
    return TxQueue(nic)


def no_secret(nic):
    """No further frame leaves."""
    assert nic.wire.receive(QUIET) is None


@case()
def one_record_in_one_packet(nic):
    tx = start(nic)
    for suite in SUITES:
        for version in (4, 6):
            flow = Flow(nic, suite, version)
            for size in (0, 1, 1000):
                flow.send(tx, flow.record(payload(size)))
                assert SECRET not in flow.wire
                assert flow.read() == (23, payload(size))
            assert flow.wire == b""


@case()
def record_over_many_frames(nic):
    """The largest record in one packet with TSO, over IPv4 and IPv6: the frames hold the
    encrypted record."""
    tx = start(nic)
    for version in (4, 6):
        flow = Flow(nic, TLS12_GCM256, version)
        plain = (SECRET * 500)[:16384]
        for segment in flow.send(tx, flow.record(plain), mss=1400):
            assert SECRET[:8] not in segment.data
        assert flow.read() == (23, plain)


@case()
def many_records_in_one_packet(nic):
    tx = start(nic)
    flow = Flow(nic)
    plains = [payload(size, size) for size in (1, 0, 500, 16000, 3, 16384)]
    flow.send(tx, b"".join(flow.record(p) for p in plains), mss=1000)
    assert [flow.read()[1] for _ in plains] == plains


@case()
def stream_cut_anywhere(nic):
    """The stream is cut into packets at any place in headers, nonces, payloads and tags:
    all records are right."""
    tx = start(nic)
    for suite in SUITES:
        flow = Flow(nic, suite)
        plains = [payload(n * 11, n) for n in range(20)]
        stream = b"".join(flow.record(p) for p in plains)
        total, size = len(stream), 1
        while stream:
            flow.send(tx, stream[:size])
            stream, size = stream[size:], size % 37 + 1
        assert [flow.read()[1] for _ in plains] == plains
        state = flow.state()
        assert state["state"] == ABI.TLS_IN_SYNC and state["tcp_seq"] == flow.seq
        assert int.from_bytes(state["rec_no"], "big") == 20
        assert state["bytes"] == total


@case()
def record_types_and_numbers(nic):
    tx = start(nic)
    for suite in SUITES:
        flow = Flow(nic, suite, rec_no=(1 << 40) - 1, seq=0xfffffff0)
        for kind in (21, 22, 23):
            flow.send(tx, flow.record(b"x" * kind, kind))
            assert flow.read() == (kind, b"x" * kind)


@case()
def headers_with_options(nic):
    tx = start(nic)
    for version, more in ((4, {"ip_options": bytes([1]) * 40, "options": bytes([1]) * 12}),
                          (6, {"ip_options": HOP_BY_HOP})):
        flow = Flow(nic, version=version, **more)
        flow.send(tx, flow.record(payload(3000)), mss=900)
        assert flow.read() == (23, payload(3000))


@case()
def vlan_and_tls(nic):
    tx = start(nic)
    flow = Flow(nic)
    frame, offload = flow.packet(flow.record(payload(3000)), mss=1000)
    offload["flags"] |= ABI.TXO_VLAN
    tx.send_ok(frame, vlan_tci=0x123, **offload)
    segments = receive_tcp(nic, 4)
    assert {s.tci for s in segments} == {0x123}
    flow.wire = b"".join(s.data for s in segments)
    assert flow.read() == (23, payload(3000))


@case()
def flows_do_not_mix(nic):
    tx = start(nic)
    flows = [Flow(nic, SUITES[n % 6], seq=n * 1000) for n in range(20)]
    for size in (10, 700):
        halves = []
        for flow in flows:
            record = flow.record(payload(size, flow.ctx))
            flow.send(tx, record[:size])
            halves.append(record[size:])
        for flow, half in zip(flows, halves):
            flow.send(tx, half)
            assert flow.read() == (23, payload(size, flow.ctx))


def refuse(tx, flow, why, frame, **offload):
    """A marked packet is refused with status WHY, and nothing of it leaves."""
    cpl = tx.refused(why, frame, **offload)
    no_secret(flow.nic)
    return cpl


@case()
def out_of_sequence(nic):
    """A packet before or behind the expected sequence number is refused; the expected one
    is then encrypted."""
    tx = start(nic)
    flow = Flow(nic)
    flow.send(tx, flow.record(SECRET))
    expected = flow.seq
    for seq in (expected - 1, expected - 65, expected + 1, expected + (1 << 31)):
        flow.seq = seq & 0xffffffff
        frame, offload = flow.packet(flow.record(SECRET, number=0))
        cpl = refuse(tx, flow, "TLS_SEQ", frame, **offload)
        assert (cpl["tls_ctx"], cpl["tcp_seq"]) == (flow.ctx, expected)
    assert nic.stats()["TLS_TX_DROP_SEQ"] == 4
    flow.seq, flow.rec_no = expected, 1
    flow.send(tx, flow.record(b"after"))
    assert [flow.read()[1] for _ in range(2)] == [SECRET, b"after"]


@case()
def resync_at_the_next_record(nic):
    tx = start(nic)
    flow = Flow(nic)
    flow.send(tx, flow.record(SECRET))
    assert flow.read()[1] == SECRET
    flow.seq += 1000        # software has sent two records
    flow.rec_no += 2
    flow.resync()
    flow.read_no += 2
    flow.send(tx, flow.record(b"back"))
    assert flow.read() == (23, b"back")
    assert nic.stats()["TLS_RESYNCS"] == 1


@case()
def resync_never_goes_back(nic):
    """A resync to a record number that was begun already is refused."""
    tx = start(nic)
    flow = Flow(nic, rec_no=10)
    flow.send(tx, flow.record(SECRET)[:20])
    for number in (10, 9, 0):
        flow.resync("TLS_REUSE", rec_no=number.to_bytes(8, "big"))
    flow.resync(rec_no=(11).to_bytes(8, "big"))
    for number in (10, 0):
        flow.resync("TLS_REUSE", rec_no=number.to_bytes(8, "big"))


@case()
def tls13_is_always_application_data(nic):
    """A TLS 1.3 record with another type than application data in its header is refused."""
    tx = start(nic)
    flow = Flow(nic, next(s for s in SUITES if s[0] == TLS13))
    frame, offload = flow.packet(b"\x16" + flow.record(SECRET)[1:])
    cpl = tx.send(frame, **offload)
    assert cpl["status"] == ABI.ST_TLS_HEADER
    no_secret(nic)


@case()
def bad_record_loses_the_context(nic):
    """A record with an impossible header, or with a nonce that is not the next: it is
    refused, an event tells so, and the context is lost."""
    tx = start(nic)
    for why, counter, spoil in (
            ("TLS_HEADER", "TLS_TX_DROP_HEADER", lambda r: b"\x63" + r[1:]),
            ("TLS_HEADER", "TLS_TX_DROP_HEADER", lambda r: r[:1] + b"\x02" + r[2:]),
            ("TLS_HEADER", "TLS_TX_DROP_HEADER", lambda r: r[:3] + b"\xff\xff" + r[5:]),
            ("TLS_HEADER", "TLS_TX_DROP_HEADER", lambda r: r[:3] + b"\0\x17" + r[5:]),
            ("TLS_NONCE", "TLS_TX_DROP_NONCE", lambda r: r[:12] + b"\0" + r[13:])):
        flow = Flow(nic)
        before = nic.stats()[counter]
        frame, offload = flow.packet(spoil(flow.record(SECRET)))
        cpl = tx.send(frame, **offload)
        assert cpl["status"] == getattr(ABI, "ST_" + why)
        event = nic.event("TLS_LOST")
        assert (event["id"], event["status"]) == (flow.ctx, cpl["status"])
        nic.event("TX_ERROR")
        assert nic.stats()[counter] == before + 1
        assert flow.state()["state"] == ABI.TLS_LOST
        frame, offload = flow.packet(flow.record(SECRET))
        refuse(tx, flow, "TLS_LOST", frame, **offload)
        flow.resync()
        flow.read_no = flow.rec_no
        flow.send(tx, flow.record(b"again"))
        assert flow.read() == (23, b"again")


@case()
def marked_packets_that_are_not_right(nic):
    """Marked packets are refused: not TCP, no such context, no checksum offload, a header
    length that would leave plaintext, bytes behind the IP packet, fragments, truncated
    headers."""
    tx = start(nic)
    flow = Flow(nic)
    frame, offload = flow.packet(flow.record(SECRET))
    datagram = ethernet(0x0800, ip(4, UDP, udp(4, SECRET)))
    fragment = frame[:20] + b"\x20\0" + frame[22:]
    for why, packet, change in (
            ("TLS_NOT_TCP", datagram, {}), ("TLS_NOT_TCP", fragment, {}),
            ("TLS_NOT_TCP", ethernet(0x88b5, SECRET), {}),
            ("TLS_NOT_TCP", frame[:50], {}),
            ("NOENT", frame, {"tls_ctx": flow.ctx + 1}),
            ("NOENT", frame, {"tls_ctx": 0xffffffff}),
            ("TX_OFFLOAD", frame, {"flags": ABI.TXO_TLS}),
            ("TX_OFFLOAD", frame, {"csum_start": offload["csum_start"] + 40}),
            ("TX_OFFLOAD", frame, {"csum_offset": 60}),
            ("TX_OFFLOAD", frame, {"hdr_len": offload["hdr_len"] + 20}),
            ("TX_OFFLOAD", frame, {"hdr_len": 0}),
            ("TX_OFFLOAD", frame, {"flags": ABI.TXO_TLS | ABI.TXO_TSO}),
            ("TX_LENGTH", frame + SECRET, {}),
            ("TX_LENGTH", frame[:-1], {})):
        refuse(tx, flow, why, packet, **offload | change)
    tx.send_ok(frame, **offload)
    flow.wire = receive_tcp(nic)[0].data
    assert flow.read() == (23, SECRET)


@case()
def bytes_behind_a_segmented_packet_are_encrypted(nic):
    """With TSO the device writes the IP length itself: all bytes of the frame are
    encrypted."""
    tx = start(nic)
    flow = Flow(nic)
    frame, offload = flow.packet(flow.record(SECRET * 10), mss=100)
    frame = frame[:16] + b"\0\x28" + frame[18:]
    tx.send_ok(frame, **offload)
    flow.wire = b"".join(s.data for s in receive_tcp(nic, -(-389 // 100)))
    assert SECRET not in flow.wire
    assert flow.read() == (23, SECRET * 10)


@case()
def refused_before_encryption_changes_nothing(nic):
    """A packet is refused for its length: its context does not move, and the same record
    can be sent again."""
    tx = start(nic)
    flow = Flow(nic)
    frame, offload = flow.packet(flow.record(payload(2000)))
    refuse(tx, flow, "TX_LENGTH", frame, **offload)
    assert flow.state()["tcp_seq"] == 5000
    flow.seq, flow.rec_no = 5000, 0
    flow.send(tx, flow.record(b"first"))
    assert flow.read() == (23, b"first")


@case(tls_contexts=4)
def table_is_bounded(nic):
    tx = start(nic)
    flows = [Flow(nic, seq=n) for n in range(4)]
    try:
        Flow(nic)
        raise RuntimeError("a fifth of four contexts")
    except AssertionError as why:
        assert "ST_FULL" in str(why), why
    stats = nic.stats()
    assert (stats["TLS_CTX_LIVE"], stats["TLS_CTX_ADDS"]) == (4, 4)
    nic.command("TLS_DEL", flows[1].ref())
    nic.command("TLS_DEL", flows[1].ref(), "NOENT")
    frame, offload = flows[1].packet(flows[1].record(SECRET))
    refuse(tx, flows[1], "NOENT", frame, **offload)
    again = Flow(nic, TLS12_GCM256)
    again.send(tx, again.record(b"new"))
    assert again.read() == (23, b"new")
    assert nic.stats()["TLS_CTX_LIVE"] == 4


@case(tls_contexts=1 << 20)
def largest_table(nic):
    tx = start(nic)
    assert unpack("caps", nic.command("CAPS"))["tls_contexts"] == 1 << 20
    flow = Flow(nic)
    flow.send(tx, flow.record(SECRET))
    assert flow.read() == (23, SECRET)


def add_contexts(nic, rounds):
    """Add 128 contexts in each round. All have one key and place; the command ring holds
    the same command 256 times."""
    command = pack("cmd", opcode=ABI.CMD_TLS_ADD, payload=(
        payload := Records(*SUITES[0]).add(ABI.DIR_TX, 1)), len=len(payload))
    nic.cmdq, nic.cplq = Ring(nic.m, 8, 128), Ring(nic.m, 8, 64)
    nic.write(ABI.REG_CMDQ_ADDR_LO, nic.cmdq.addr)
    nic.write(ABI.REG_CPLQ_ADDR_LO, nic.cplq.addr)
    nic.write(ABI.REG_CMDQ_LOG2, 8)
    nic.m.write(nic.cmdq.addr, command * 256)
    for _ in range(rounds):
        nic.cplq.at = nic.cmdq.at + 127
        nic.cmdq.at = (nic.cmdq.at + 128) % 256
        nic.write(ABI.REG_CMDQ_TAIL, nic.cmdq.at)
        cpl = unpack("cmd_cpl", nic.m.wait(nic.cplq.take, "128 contexts"))
        assert cpl["status"] == ABI.ST_OK, status_name(cpl["status"])


@case(tls_contexts=1 << 20)
def numbers_beyond_16_bits(nic):
    """Seventy thousand contexts exist at the same time: the newest ones have numbers of
    more than 16 bits, and encrypt. A deleted one is refused, and after a reset none exists."""
    tx = start(nic)
    add_contexts(nic, 548)
    flows = [Flow(nic), Flow(nic)]
    assert [flow.ctx for flow in flows] == [548 * 128, 548 * 128 + 1]
    assert nic.stats()["TLS_CTX_LIVE"] == 548 * 128 + 2
    for flow in flows:
        flow.send(tx, flow.record(SECRET))
        assert flow.read() == (23, SECRET)
    nic.command("TLS_DEL", flows[0].ref())
    frame, offload = flows[0].packet(flows[0].record(SECRET))
    refuse(tx, flows[0], "NOENT", frame, **offload)
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    start(nic)
    assert nic.stats()["TLS_CTX_LIVE"] == 0
    assert Flow(nic).ctx == 0


@case(tls_contexts=0)
def device_without_tls(nic):
    nic.boot().up()
    caps = unpack("caps", nic.command("CAPS"))
    assert not caps["features"] & ABI.CAP_TLS_TX
    assert (caps["tls_contexts"], caps["tls_ciphers"], caps["tls_versions"]) == (0, 0, 0)
    nic.command("TLS_ADD", pack("tls_add"), "UNSUPPORTED")
    cpl = TxQueue(nic).send(tcp_frame(4, SECRET)[0], ABI.TXO_TLS | ABI.TXO_CSUM,
                            hdr_len=54, csum_start=34, csum_offset=16)
    assert cpl["status"] == ABI.ST_NOENT
    no_secret(nic)


@case()
def reset_forgets_contexts(nic):
    tx = start(nic)
    flow = Flow(nic)
    flow.send(tx, flow.record(SECRET))
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    tx = start(nic)
    assert nic.stats()["TLS_CTX_LIVE"] == 0
    frame, offload = flow.packet(flow.record(SECRET))
    refuse(tx, flow, "NOENT", frame, **offload)


@case()
def lost_frames_do_not_disturb(nic):
    """Frames are lost on the wire behind the device: the context goes on as if nothing had
    happened."""
    tx = start(nic)
    flow = Flow(nic)
    path = "/machine/peripheral/nic"
    nic.m.qmp("qom-set", path=path, property="fault-tx-drop-ppm", value=1000000)
    frame, offload = flow.packet(flow.record(SECRET))
    tx.send_ok(frame, **offload)
    no_secret(nic)
    nic.m.qmp("qom-set", path=path, property="fault-tx-drop-ppm", value=0)
    flow.send(tx, flow.record(b"second"))
    flow.read_no = 1
    assert flow.read() == (23, b"second")


@case()
def counters(nic):
    tx = start(nic)
    flow = Flow(nic)
    flow.send(tx, flow.record(payload(100)) + flow.record(payload(200))[:50])
    stats = nic.stats()
    assert stats["TLS_TX_PACKETS"] == 1
    assert stats["TLS_TX_BYTES"] == 100 + OVERHEAD + 50
    assert stats["TLS_TX_RECORDS"] == 1


@case()
def traces_hold_no_secrets(nic):
    """With every trace event on, no key and no plaintext is in the log, from the command
    with the key to the end of its context."""
    key = bytes.fromhex("a3d95b17c04e6f82911e2dbb70f4c865")
    nic.m.qmp("trace-event-set-state", name="vkdev_*", enable=True)
    tx = start(nic)
    flow = Flow(nic, key=key)
    flow.send(tx, flow.record(SECRET))
    frame, offload = flow.packet(flow.record(SECRET))
    refuse(tx, flow, "TX_OFFLOAD", frame, **offload | {"hdr_len": 1})
    nic.command("TLS_DEL", flow.ref())
    said = nic.m.logged()
    for event in ("ctx_add", "ctx_encrypt", "tx_refuse", "ctx_del"):
        assert "vkdev_" + event in said, f"no trace of {event}"
    for secret in (key, SECRET):
        for at in range(0, 16, 4):
            piece = secret[at:at + 4]
            for text in (piece.hex(), piece[::-1].hex(), repr(piece)[2:-1],
                         str(int.from_bytes(piece, "little"))):
                assert text not in said.lower(), f"{text} is in the log"


def areas(pid):
    """The memory that a process can write, as (address, size), in pieces that overlap a
    little."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        for line in maps:
            where, mode = line.split()[:2]
            begin, end = (int(x, 16) for x in where.split("-"))
            for at in range(begin, end if "w" in mode else begin, 1 << 20):
                yield at, min(end - at, (1 << 20) + 64)


def key_in_memory(nic, key):
    """The address of the key in the memory of the QEMU process, or None."""
    pid = nic.m.qemu_pid()
    fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        for at, size in areas(pid):
            try:
                if key in os.pread(fd, size, at):
                    return hex(at)
            except OSError:     # mapped, but without pages
                continue
        return None
    finally:
        os.close(fd)


def wipe_commands(nic):
    """Wipe the command ring, which held the key; that is the host's duty."""
    nic.m.write(nic.cmdq.addr, bytes(nic.cmdq.count * nic.cmdq.size))


@case()
def keys_are_gone(nic):
    """A context is deleted, or the device reset: its key is nowhere in the memory of the
    QEMU process."""
    key = bytes.fromhex("d06ff1a5c9e27b3344a1f0de6b9c1725")
    tx = start(nic)
    nic.m.write = nic.m.write_words
    for end in ("delete", "reset"):
        flow = Flow(nic, key=key)
        flow.send(tx, flow.record(SECRET))
        wipe_commands(nic)
        assert key_in_memory(nic, key), "the search finds nothing at all"
        if end == "delete":
            nic.command("TLS_DEL", flow.ref())
        else:
            nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
        area = key_in_memory(nic, key)
        assert not area, f"key is left after {end}: {area}"


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
