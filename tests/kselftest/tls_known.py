#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Faults of the kernel's own TLS offload, not of a NIC. Each is an expected failure up to
the kernel version that mends it; "None" marks faults that no kernel has mended so far."""

import subprocess
import time
from pathlib import Path

from lib.py import (
    Flow,
    KsftFailEx,
    KsftSkipEx,
    TlsEnv,
    Watch,
    cmd,
    defer,
    ip,
    known,
    ksft_disruptive,
    ksft_eq,
    ksft_exit,
    ksft_run,
    pattern,
)
from lib.py.flow import PATIENCE, wait_for

SIZE = 50000
SOON = 30       # seconds after which data that has not arrived counts as lost
RETURNS = 30    # records sent on a connection while it may return to its NIC


def file_shorter_than_said(cfg):
    """sendfile() asks for more bytes than the file has: the last record is sent all the
    same."""
    cfg.need("tx")
    flow = Flow(cfg, "tx")
    flow.exchange(1000)
    flow.sendfile("/tmp/tls_offload_short", SIZE, count=SIZE + 5000)
    with known("7.2"):
        flow.wait_sent(SOON)
    flow.close()


@ksft_disruptive
def counted_after_link_down(cfg):
    """A connection that lost its NIC is not counted as offloaded any more."""
    cfg.need("tx", ipver="4")
    watch = Watch(cfg)
    flow = Flow(cfg, "tx")
    flow.exchange(SIZE)
    defer(cmd, f"ip -6 addr replace {cfg.here['6']}/64 dev {cfg.ifname} nodad", fail=False)
    defer(ip, f"link set dev {cfg.ifname} up")
    ip(f"link set dev {cfg.ifname} down")
    with known(None):
        if watch.mib("TlsCurrTxDevice") or flow.ss().get("txconf") == "hw":
            raise KsftFailEx("with its NIC down the connection is counted as the NIC's")
    ksft_eq(watch.mib("TlsCurrTxSw"), 1)


@ksft_disruptive
def never_again_after_link_down(cfg):
    """A connection that lost its NIC returns to it."""
    cfg.need("tx", ipver="4")
    flow = Flow(cfg, "tx")
    flow.exchange(SIZE)
    defer(cmd, f"ip -6 addr replace {cfg.here['6']}/64 dev {cfg.ifname} nodad", fail=False)
    ip(f"link set dev {cfg.ifname} down")
    ip(f"link set dev {cfg.ifname} up")
    flow.exchange(SIZE)
    _returns(cfg, flow)
    flow.close()


def _returns(cfg, flow):
    """Does the connection return to the NIC within RETURNS sends?"""
    watch = Watch(cfg)
    for _ in range(RETURNS):
        flow.exchange(SIZE)
        if cfg.by_nic(watch, "tx") != 0:
            return
        time.sleep(0.2)
    with known(None):
        raise KsftFailEx("software for the rest of the connection's life")


def never_again_without_room(cfg):
    """A connection that found no room in the NIC gets room that becomes free."""
    cfg.need("tx")
    watch, flows = Watch(cfg), []
    while watch.mib("TlsTxSw") == 0:
        if len(flows) == 300:
            raise KsftSkipEx("the table has room for 300 connections")
        flows.append(Flow(cfg, "tx"))
    last = flows.pop()
    for flow in flows:
        flow.close()
    _returns(cfg, last)
    last.close()


@ksft_disruptive
def context_left_over(cfg):
    """A connection loses its NIC, and then gets a key for receiving: when it ends, no
    context is left in the NIC."""
    cfg.need("both", ipver="4")
    flow = Flow(cfg, "tx")
    flow.exchange(SIZE)
    defer(cmd, f"ip -6 addr replace {cfg.here['6']}/64 dev {cfg.ifname} nodad", fail=False)
    ip(f"link set dev {cfg.ifname} down")
    ip(f"link set dev {cfg.ifname} up")
    watch = Watch(cfg)
    if None in (watch.role("rx_ctx"), watch.role("rx_del")):
        raise KsftSkipEx(f"{cfg.driver_name} does not count its contexts")
    flow.directions = ("tx", "rx")
    flow.peer_key("rx")
    flow.key("rx")
    flow.exchange(SIZE)
    flow.close()
    with known(None):
        wait_for(lambda: watch.role("rx_ctx") == watch.role("rx_del"),
                 lambda: f"{watch.role('rx_ctx')} contexts added, {watch.role('rx_del')} "
                 "taken away", SOON)


def checksum_by_tc(cfg):
    """tc computes the checksum of a packet above the NIC: the peer accepts the packet."""
    cfg.need("tx", ipver="4")
    flow = Flow(cfg, "tx")
    flow.exchange(1000)
    made = cmd(f"tc qdisc add dev {cfg.ifname} clsact", fail=False)
    if made.ret:
        raise KsftSkipEx(f"no clsact: {made.stderr.strip()}")
    undo = defer(cmd, f"tc qdisc del dev {cfg.ifname} clsact")
    made = cmd(f"tc filter add dev {cfg.ifname} egress protocol ip flower ip_proto tcp "
               f"dst_port {flow.peer.port} action csum ip4h tcp", fail=False)
    if made.ret:
        raise KsftSkipEx(f"no csum action: {made.stderr.strip()}")
    flow.send(SIZE)
    with known(None):
        flow.wait_sent(SOON)
    undo.exec()
    flow.close()


def sender_of_32_bits(cfg):
    """A 32-bit program sends on an offloaded connection as it can on others."""
    cfg.need("tx")
    flow = Flow(cfg, "tx")
    flow.exchange(1000)
    fd = flow.sock.fileno()
    flow.sock.setblocking(True)
    done = subprocess.run([Path(__file__).resolve().parent / "tls_compat", str(fd)], pass_fds=[fd],
                          input=pattern(flow.sent, SIZE), stderr=subprocess.PIPE, check=False,
                          timeout=PATIENCE)
    if done.returncode == 4:
        raise KsftSkipEx("no 32-bit programs on this machine")
    with known(None):
        if done.returncode:
            raise KsftFailEx(done.stderr.decode().strip())
        flow.sent += SIZE
        flow.wait_sent()
    flow.close()


def main():
    """Run all cases."""
    with TlsEnv(__file__) as cfg:
        ksft_run([file_shorter_than_said, counted_after_link_down,
                  never_again_after_link_down, never_again_without_room,
                  context_left_over, checksum_by_tc, sender_of_32_bits], args=(cfg, ))
    ksft_exit()


if __name__ == "__main__":
    main()
