#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Loss, reordering, duplication and corruption, made by netem at the peer or above the NIC.
All data arrives; bytes that are sent again are the same ciphertext; and the NIC is in sync
again afterwards."""

import socket
import time

from lib.py import (
    Flow,
    KsftFailEx,
    KsftNamedVariant,
    TlsEnv,
    Watch,
    ksft_eq,
    ksft_exit,
    ksft_ge,
    ksft_run,
    ksft_variants,
)

SIZE = 600000
TROUBLES = {"loss": "loss 3%", "reorder": "delay 5ms reorder 70% 50%",
            "duplicate": "duplicate 5%", "corrupt": "corrupt 2%"}
VERSIONS = [KsftNamedVariant("1_2", "1.2"), KsftNamedVariant("1_3", "1.3")]
PARTS = [KsftNamedVariant(f"{part}_{version.replace('.', '_')}", part, version)
         for version in ("1.2", "1.3") for part in ("header", "middle", "tag")]
RECORD = 16384
FRAME_OVERHEAD = 22     # bytes of the longest record header with tag (5, 8, 16), with a margin


def _troubles():
    for direction in ("tx", "rx"):
        for name, rule in TROUBLES.items():
            yield KsftNamedVariant(f"{direction}_{name}_1_2", direction, rule, "1.2")
        yield KsftNamedVariant(f"{direction}_loss_1_3", direction, TROUBLES["loss"], "1.3")


@ksft_variants(_troubles())
def trouble(cfg, direction, rule, version):
    """Trouble between the NIC and the peer for a while: all data arrives, and then the NIC
    goes on."""
    cfg.need(direction, version)
    watch = Watch(cfg)
    flow = Flow(cfg, direction, version, capture=direction == "tx")
    undo = cfg.netem_in(rule) if direction == "tx" else cfg.netem_out(rule)
    flow.exchange(SIZE, 10000)
    said = f"{SIZE} bytes with {rule}; by the NIC {cfg.by_nic(watch, direction)}"
    undo.exec()
    done = cfg.settled(flow, direction, tries=60)
    said += f", and then {done} of 50000"
    ksft_eq(watch.mib("TlsDecryptError"), 0)
    if direction == "tx":
        frames, records = flow.captured()
        ksft_eq(records["data"], flow.sent)
        said += f"; {frames['repeated']} of {frames['segments']} segments came again, all alike"
    cfg.evidence(said)
    flow.close()


@ksft_variants(PARTS)
def retransmit(cfg, part, version):
    """One segment is lost, that with a record's header, one from its middle, or that with
    its tag: it is sent again with the same bytes."""
    cfg.need("tx", version, ipver="4")
    watch = Watch(cfg)
    flow = Flow(cfg, "tx", version, capture=True)
    flow.exchange(RECORD)
    flow.drain()
    mss = flow.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    count = -(-(RECORD + FRAME_OVERHEAD) // mss)
    at = {"header": 0, "middle": count // 2, "tag": count - 1}[part]
    end = cfg.drop_segment((flow.sequence() + at * mss) & 0xffffffff)
    flow.send(RECORD)
    lost = end()
    if not lost:
        raise KsftFailEx("no segment began where one was to be lost")
    flow.exchange(3 * RECORD)
    frames, _ = flow.captured()
    ksft_ge(frames["repeated"], 1)
    cfg.evidence(f"lost {lost} times, sent again alike; out of order to the driver: "
                 f"{watch.role('tx_ooo')}")
    flow.close()


@ksft_variants(VERSIONS)
def retransmit_after_keyupdate(cfg, version):
    """Records under the old key are lost, and sent again while the new key (TLS 1.3) or
    later records (TLS 1.2) are in use: the bytes are the same."""
    cfg.need("tx", version)
    if version == "1.3":
        cfg.need_rekey()
    flow = Flow(cfg, "tx", version, capture=True)
    flow.exchange(RECORD)
    undo = cfg.netem_in("loss 100%")
    flow.send(2 * RECORD)
    if version == "1.3":
        flow.control(22, bytes([24, 0, 0, 1, 0]))
        flow.gen["tx"] += 1
        flow.key("tx")
    flow.send(2 * RECORD)
    time.sleep(0.3)
    undo.exec()
    if version == "1.3":
        _peer_follows(flow)
    flow.wait_sent()
    flow.captured()
    flow.close()


def _peer_follows(flow):
    end = time.monotonic() + 30
    while not flow.stat()["handshakes"] and time.monotonic() < end:
        time.sleep(0.05)
    flow.peer_key("tx")


def gap_before_nic(cfg):
    """Packets are lost between TCP and the NIC: the NIC goes on at a later record."""
    cfg.need("tx")
    watch = Watch(cfg)
    flow = Flow(cfg, "tx", capture=True)
    undo = cfg.netem_here("loss 10%")
    flow.exchange(SIZE, 10000)
    undo.exec()
    before = cfg.by_nic(watch, "tx")
    done = cfg.settled(flow, "tx", 100000)
    flow.captured()
    cfg.evidence(f"by the NIC with gaps {before}, and {done} of 100000 bytes behind them")
    flow.close()


@ksft_variants(VERSIONS)
def resync_received(cfg, version):
    """Record headers are lost on the way to the NIC: the NIC is in sync again after some
    records."""
    cfg.need("rx", version)
    watch = Watch(cfg)
    flow = Flow(cfg, "rx", version)
    undo = cfg.netem_out("loss 10%")
    flow.exchange(SIZE, 3000)
    undo.exec()
    # resync requests and answers take some records
    done = cfg.settled(flow, "rx", tries=60)
    ksft_eq(watch.mib("TlsDecryptError"), 0)
    cfg.evidence(f"by the NIC behind the losses: {done} of 50000 bytes; resyncs answered: "
                 f"{watch.role('rx_resync')}")
    flow.close()


def main():
    """Run all cases."""
    with TlsEnv(__file__) as cfg:
        ksft_run([trouble, retransmit, retransmit_after_keyupdate, gap_before_nic,
                  resync_received], args=(cfg, ))
    ksft_exit()


if __name__ == "__main__":
    main()
