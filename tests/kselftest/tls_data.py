#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Records of all kinds through the NIC, without trouble on the wire."""

import errno
import os
import socket
import time

from lib.py import (
    Flow,
    KsftFailEx,
    KsftNamedVariant,
    KsftSkipEx,
    TlsEnv,
    Watch,
    Witness,
    defer,
    ksft_eq,
    ksft_exit,
    ksft_ge,
    ksft_run,
    ksft_true,
    ksft_variants,
)

SIZE = 150000
SIZES = (1, 15, 16, 17, 255, 1023, 1399, 1448, 8191, 16383, 16384)
TLS_TX_ZEROCOPY_RO, TLS_RX_EXPECT_NO_PAD, SOL_TLS = 3, 4, 282
TCP_CORK = socket.TCP_CORK
BOTH_WAYS = [KsftNamedVariant("tx", "tx"), KsftNamedVariant("rx", "rx")]
VERSIONS = [KsftNamedVariant("1_2", "1.2"), KsftNamedVariant("1_3", "1.3")]


def _matrix():
    for version in ("1.2", "1.3"):
        for cipher in ("aes-gcm-128", "aes-gcm-256", "chacha20-poly1305"):
            for direction in ("tx", "rx", "both"):
                for ipver in ("4", "6"):
                    name = f"{direction}_{version}_{cipher}_v{ipver}"
                    yield KsftNamedVariant(name.replace(".", "_").replace("-", "_"),
                                           direction, version, cipher, ipver)


@ksft_variants(_matrix())
def transfer(cfg, direction, version, cipher, ipver):
    """Data of several records in the given direction: all arrives, and counters of driver
    and kernel show that the NIC did it."""
    cfg.need(direction, version, cipher, ipver)
    watch = Watch(cfg)
    flow = Flow(cfg, direction, version, cipher, ipver)
    flow.exchange(SIZE)
    cfg.check_offloaded(watch, flow, SIZE)
    flow.close()


@ksft_variants(VERSIONS)
def not_software_sent(cfg, version):
    """The driver has no packet encrypted in software, except packets that TCP sends again.
    The kernel's witness tells, not the driver."""
    cfg.need("tx", version)
    witness = Witness()
    witness.software()
    flow = Flow(cfg, "tx", version)
    flow.exchange(SIZE)
    count = witness.packets_by_software()
    ksft_ge(flow.tcp("total_retrans"), count, "packets encrypted in software")
    cfg.evidence(f"{flow.tcp('data_segs_out')} segments, {count} by software")
    flow.close()


@ksft_variants(VERSIONS)
def not_software_received(cfg, version):
    """The kernel finds received records already decrypted, once the NIC is in sync."""
    cfg.need("rx", version)
    witness = Witness()
    witness.received()
    flow = Flow(cfg, "rx", version)
    for _ in range(20):
        before = witness.records_by_nic()
        flow.exchange(SIZE, 15000)
        count = witness.records_by_nic() - before
        if count >= 9:
            break
    ksft_ge(count, 9, "records decrypted by the NIC")
    cfg.evidence(f"{count} of 10 records came decrypted to the kernel")
    flow.close()


@ksft_variants(VERSIONS)
def forged(cfg, version):
    """Records under a wrong key: nothing of them is read."""
    cfg.need("rx", version)
    watch = Watch(cfg)
    flow = Flow(cfg, "rx", version, forged=True)
    flow.peer_sends(10000, 1000)
    try:
        raise KsftFailEx(f"{len(flow.sock.recv(1000))} bytes of forged records")
    except OSError as err:
        ksft_eq(errno.errorcode[err.errno], "EBADMSG")
    ksft_ge(watch.mib("TlsDecryptError"), 1)
    cfg.evidence("EBADMSG, and TlsDecryptError counts")
    flow.close()


@ksft_variants(BOTH_WAYS)
def record_sizes(cfg, direction):
    """Records from 1 byte to the largest, with sizes around a segment's, arrive."""
    cfg.need(direction)
    watch = Watch(cfg)
    flow = Flow(cfg, direction)
    for size in SIZES:
        flow.exchange(3 * size, size)
    cfg.check_offloaded(watch, flow, 3 * sum(SIZES))
    flow.close()


@ksft_variants(VERSIONS)
def wire(cfg, version):
    """A capture at the peer: it has no plaintext, and every record in it opens to the data
    sent."""
    cfg.need("tx", version)
    flow = Flow(cfg, "tx", version, capture=True)
    flow.exchange(SIZE)
    frames, records = flow.captured()
    ksft_eq(records["data"], SIZE)
    cfg.evidence(f"{frames['segments']} segments without plaintext, "
                 f"{records['records']} records opened by another implementation")
    flow.close()


def tiny_records(cfg):
    """Many small records share packets: all arrive."""
    cfg.need("tx")
    watch = Watch(cfg)
    flow = Flow(cfg, "tx", capture=True)
    flow.sock.setsockopt(socket.IPPROTO_TCP, TCP_CORK, 1)
    for i in range(400):
        flow.send(1 + i % 64)
    flow.sock.setsockopt(socket.IPPROTO_TCP, TCP_CORK, 0)
    flow.wait_sent()
    frames, records = flow.captured()
    ksft_eq(records["records"], 400)
    ksft_ge(200, frames["segments"], "records were not joined in packets")
    cfg.check_offloaded(watch, flow, 400)
    flow.close()


def more(cfg):
    """MSG_MORE keeps a record open: many calls make one record."""
    cfg.need("tx")
    flow = Flow(cfg, "tx", capture=True)
    for i in range(100):
        flow.send(100, flags=socket.MSG_MORE if i < 99 else 0)
    flow.wait_sent()
    ksft_eq(flow.captured()[1]["records"], 1)
    flow.close()


@ksft_variants([KsftNamedVariant("copied", 0), KsftNamedVariant("zerocopy", 1)])
def sendfile(cfg, zerocopy):
    """A file by sendfile(), with and without the copy that protects a record from changes
    of the file, arrives."""
    cfg.need("tx")
    watch = Watch(cfg)
    flow = Flow(cfg, "tx", capture=True)
    try:
        flow.sock.setsockopt(SOL_TLS, TLS_TX_ZEROCOPY_RO, zerocopy)
    except OSError as err:
        raise KsftSkipEx(f"TLS_TX_ZEROCOPY_RO: {err}") from err
    flow.sendfile("/tmp/tls_offload_file", 4 * SIZE)
    flow.wait_sent()
    flow.captured()
    cfg.check_offloaded(watch, flow, 4 * SIZE)
    flow.close()


def no_padding(cfg):
    """With TLS_RX_EXPECT_NO_PAD, TLS 1.3 is decrypted directly into the reader's memory,
    and is right."""
    cfg.need("rx", "1.3")
    watch = Watch(cfg)
    flow = Flow(cfg, "rx", "1.3")
    flow.sock.setsockopt(SOL_TLS, TLS_RX_EXPECT_NO_PAD, 1)
    flow.exchange(4 * SIZE)
    cfg.check_offloaded(watch, flow, 4 * SIZE)
    flow.close()


def small_reads(cfg):
    """Reads smaller than a record, with peeks in between, return the right data."""
    cfg.need("rx")
    flow = Flow(cfg, "rx")
    flow.peer_sends(20000)
    for step in (1, 7, 100, 1000) * 10:
        seen = flow.sock.recv(step, socket.MSG_PEEK)
        ksft_ge(step, len(seen))
        flow.receive(len(seen))
    flow.receive(20000 - flow.got)
    flow.close()


def control_sent(cfg):
    """Alerts and handshake messages are sent between data, and arrive with their types."""
    cfg.need("tx")
    flow = Flow(cfg, "tx", capture=True)
    flow.send(1000)
    flow.control(21, b"\1\0")
    flow.send(1000)
    flow.control(22, b"\4hello")
    flow.send(1000)
    flow.wait_sent()
    ksft_eq(flow.types(), [(21, 2, 1), (22, 6, 4)])
    ksft_eq(flow.captured()[1]["control"], 2)
    flow.close()


def control_received(cfg):
    """Alerts between data are received with their types, and no read mixes them with data."""
    cfg.need("rx")
    flow = Flow(cfg, "rx")
    for _ in range(3):
        flow.exchange(500)
        flow.peer.ask("control", flow.id, 21, "0100")
        ksft_eq(flow.record(), (21, b"\1\0"))
    flow.close()


def clear_before(cfg):
    """Bytes that were sent before the keys arrive in the clear."""
    cfg.need("tx")
    flow = Flow(cfg, "tx", clear=3001, capture=True)
    flow.exchange(SIZE)
    ksft_eq(flow.captured()[1]["data"], SIZE + 3001)
    flow.close()


@ksft_variants(BOTH_WAYS)
def record_number(cfg, direction):
    """A stream whose first record number is close to a carry: all records arrive."""
    cfg.need(direction)
    watch = Watch(cfg)
    flow = Flow(cfg, direction, seq=(1 << 32) - 2)
    flow.exchange(SIZE)
    cfg.check_offloaded(watch, flow, SIZE)
    flow.close()


@ksft_variants(BOTH_WAYS)
def many_connections(cfg, direction):
    """Forty connections at once, used in turn: all data arrives."""
    cfg.need(direction)
    watch = Watch(cfg)
    flows = [Flow(cfg, direction, ipver="6" if i % 2 and cfg.here["6"] else "4")
             for i in range(40)]
    ksft_eq(watch.mib(f"TlsCurr{direction.capitalize()}Device"), 40)
    for _ in range(2):
        for flow in flows:
            flow.exchange(3000, 1000)
    for flow in flows:
        flow.close()
    cfg.evidence("40 connections at once, all by the NIC")


def _fill(cfg):
    """Open connections until one finds no room in the NIC. Returns (those on the NIC, that
    one)."""
    limit = int(os.environ.get("TLS_TABLE_LIMIT", "300"))
    watch, flows = Watch(cfg), []
    while len(flows) < limit:
        flows.append(Flow(cfg, "tx"))
        if watch.mib("TlsTxDevice") < len(flows):
            return flows[:-1], flows[-1]
    for flow in flows:
        flow.close()
    raise KsftSkipEx(f"the table has room for {limit} connections: set TLS_TABLE_LIMIT")


def table_full(cfg):
    """More connections than the NIC has room for: software does the last, none breaks, and
    room that becomes free is used."""
    cfg.need("tx")
    flows, left_out = _fill(cfg)
    ksft_eq(left_out.ss().get("txconf"), "sw")
    left_out.exchange(10000)
    flows[0].exchange(10000)
    flows[-1].exchange(10000)
    watch = Watch(cfg)
    flows.pop(0).close()

    def room():
        time.sleep(0.2)
        again = Flow(cfg, "tx")
        again.exchange(1000)
        flows.append(again)
        return watch.mib("TlsTxDevice") > 0
    ksft_true(any(room() for _ in range(50)), "a place that became free was not used")
    for flow in flows:
        flow.close()
    left_out.close()
    cfg.evidence(f"room for {len(flows)} connections; the next is software's")


def other_cipher(cfg):
    """A cipher that no NIC offloads: counters and ss show that software does it."""
    cfg.need("tx")
    watch = Watch(cfg)
    flow = Flow(cfg, "tx", cipher="aes-ccm-128", capture=True)
    flow.exchange(SIZE)
    nic = watch.mib("TlsTxDevice")
    ksft_eq(nic + watch.mib("TlsTxSw"), 1)
    ksft_eq(flow.ss().get("txconf"), "hw" if nic else "sw")
    ksft_eq(flow.peer.ask("captured")["plain"], 0)
    cfg.evidence(f"AES-CCM-128: by {'the NIC' if nic else 'software'}, no plaintext")
    flow.close()


def loopback(cfg):
    """A connection to this host's own address is not offloaded."""
    cfg.need("tx", ipver="4")
    watch = Watch(cfg)
    with socket.create_server((cfg.here["4"], 0)) as server:
        sock = socket.create_connection(server.getsockname())
        far = server.accept()[0]
    sock.setsockopt(socket.IPPROTO_TCP, 31, b"tls")
    defer(far.close)
    defer(sock.close)
    Flow.key_of(sock, "1.2", "aes-gcm-128")
    sock.sendall(b"over lo")
    if b"over lo" in far.recv(100):
        raise KsftFailEx("plaintext on lo")
    ksft_eq(watch.mib("TlsTxDevice"), 0)
    ksft_eq(watch.mib("TlsTxSw"), 1)


def main():
    """Run all cases."""
    with TlsEnv(__file__) as cfg:
        ksft_run([transfer, not_software_sent, not_software_received, forged, record_sizes,
                  wire, tiny_records, more, sendfile, no_padding,
                  small_reads, control_sent, control_received, clear_before, record_number,
                  many_connections, table_full, other_cipher, loopback], args=(cfg, ))
    ksft_exit()


if __name__ == "__main__":
    main()
