#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Changes of the NIC, or of the socket, in the middle of a connection. No byte is lost, and
none is sent in the clear; counters and ss show at each moment whether the NIC does the
work."""

import contextlib
import os
import re
import signal
import socket
import struct
import threading
import time

from lib.py import (
    CmdExitFailure,
    Flow,
    KsftFailEx,
    KsftNamedVariant,
    KsftSkipEx,
    TlsEnv,
    Watch,
    cmd,
    defer,
    ethtool,
    ip,
    ksft_disruptive,
    ksft_eq,
    ksft_exit,
    ksft_ge,
    ksft_run,
    ksft_true,
    ksft_variants,
)
from lib.py.flow import wait_for

SIZE = 100000
SIGNALS = 5
BOTH_WAYS = [KsftNamedVariant("tx", "tx"), KsftNamedVariant("rx", "rx")]
FEATURE = {"tx": "tls-hw-tx-offload", "rx": "tls-hw-rx-offload"}


def _moves_on(cfg, flow, what):
    """All data still arrives; print as evidence whether the NIC or software did it."""
    watch = Watch(cfg)
    way = flow.directions[0]
    for _ in range(4):
        flow.exchange(SIZE // 4)
    done = cfg.by_nic(watch, way)
    who = "the NIC" if done else "software" if done == 0 else flow.ss().get(f"{way}conf")
    cfg.evidence(f"{what}: no byte lost; then by {who}")


@ksft_variants(BOTH_WAYS)
def counters(cfg, direction):
    """The kernel's counters and ss are right before, during and after a connection."""
    cfg.need(direction)
    name = direction.capitalize()
    watch = Watch(cfg)
    flow = Flow(cfg, direction)
    ksft_eq(watch.mib(f"TlsCurr{name}Device"), 1)
    ksft_eq(watch.mib(f"TlsCurr{name}Sw"), 0)
    said = flow.ss()
    ksft_eq(said.get(f"{direction}conf"), "hw")
    ksft_eq(said.get("version"), "1.2")
    ksft_eq(said.get("cipher"), "aes-gcm-128")
    flow.exchange(SIZE)
    flow.close()
    wait_for(lambda: not watch.mib(f"TlsCurr{name}Device"), "a connection is left over")
    for role in (f"{direction}_ctx", f"{direction}_del"):
        moved = watch.role(role)
        if moved is not None:
            wait_for(lambda role=role: watch.role(role) == 1, f"{role}: not one context")
    cfg.evidence("TlsCurr*, Tls*Device, ss and the driver's contexts agree")


@ksft_variants(BOTH_WAYS)
def feature_toggled(cfg, direction):
    """The feature is switched off and on: existing connections keep their offload, a new
    connection follows the setting at its start."""
    cfg.need(direction)
    old = Flow(cfg, direction)
    old.exchange(SIZE)
    name = direction.capitalize()
    undo = defer(cfg.feature, FEATURE[direction], True)
    cfg.feature(FEATURE[direction], False)
    watch = Watch(cfg)
    new = Flow(cfg, direction)
    new.exchange(SIZE)
    ksft_eq((watch.mib(f"Tls{name}Device"), watch.mib(f"Tls{name}Sw")), (0, 1))
    old.peer.port = old.sock.getpeername()[1]
    old.exchange(SIZE)
    undo.exec()
    third = Flow(cfg, direction)
    third.exchange(SIZE)
    ksft_eq(watch.mib(f"Tls{name}Device"), 1)
    for flow in (old, new, third):
        flow.close()


def _link(cfg, state):
    ip(f"link set dev {cfg.ifname} {state}")
    if state == "down":
        return
    if cfg.here["6"]:
        cmd(f"ip -6 addr replace {cfg.here['6']}/64 dev {cfg.ifname} nodad", fail=False)
    wait_for(lambda: cmd(f"cat /sys/class/net/{cfg.ifname}/carrier", fail=False)
             .stdout.strip() == "1", "no carrier after link up")


@ksft_variants(BOTH_WAYS)
@ksft_disruptive
def link_down_up(cfg, direction):
    """The link goes down and up while no data is on its way: the connection continues."""
    cfg.need(direction, ipver="4")
    flow = Flow(cfg, direction, capture=direction == "tx")
    flow.exchange(SIZE)
    defer(_link, cfg, "up")
    _link(cfg, "down")
    time.sleep(0.1)
    _link(cfg, "up")
    _moves_on(cfg, flow, "link down and up")
    if direction == "tx":
        flow.captured()
    flow.close()
    watch = Watch(cfg)
    new = Flow(cfg, direction)
    new.exchange(SIZE)
    cfg.check_offloaded(watch, new, SIZE)
    new.close()


@ksft_disruptive
def down_with_data(cfg):
    """The link goes down while data is on its way: all data arrives when it is up again."""
    cfg.need("tx", ipver="4")
    flow = Flow(cfg, "tx", capture=True)
    flow.exchange(SIZE)
    cfg.netem_in("delay 100ms")
    flow.send(SIZE, 16384)
    defer(_link, cfg, "up")
    _link(cfg, "down")
    _link(cfg, "up")
    flow.send(SIZE, 16384)
    flow.wait_sent()
    flow.captured()
    flow.close()


@ksft_disruptive
def mtu_shrunk(cfg):
    """The interface's MTU is lowered under a connection, and raised again: the connection
    continues."""
    cfg.need("tx", ipver="4")
    flow = Flow(cfg, "tx", capture=True)
    flow.exchange(SIZE)
    old = cfg.dev["mtu"]
    undo = defer(ip, f"link set dev {cfg.ifname} mtu {old}")
    try:
        ip(f"link set dev {cfg.ifname} mtu 1300")
    except CmdExitFailure as err:
        raise KsftSkipEx("the NIC has no MTU of 1300") from err
    flow.exchange(SIZE)
    undo.exec()
    _moves_on(cfg, flow, "MTU 1300 and back")
    flow.captured()
    flow.close()


@ksft_variants([KsftNamedVariant("lowered", ""), KsftNamedVariant("locked", "lock ")])
@ksft_disruptive
def route_mtu_shrunk(cfg, lock):
    """The route's MTU is lowered under a connection (a locked MTU allows fragments): the
    connection continues."""
    cfg.need("tx", ipver="4")
    flow = Flow(cfg, "tx", ipver="4", capture=True)
    flow.exchange(SIZE)
    defer(cmd, f"ip route del {cfg.there['4']}/32 dev {cfg.ifname}", fail=False)
    ip(f"route replace {cfg.there['4']}/32 dev {cfg.ifname} mtu {lock}1000")
    flow.exchange(SIZE)
    frames, _ = flow.captured()
    cfg.evidence(f"no plaintext in {frames['segments']} segments and {frames['fragments']} "
                 "fragments")
    flow.close()


def _try_ethtool(command):
    try:
        ethtool(command)
    except CmdExitFailure as err:
        raise KsftSkipEx(f"the NIC cannot: ethtool {command}") from err


@ksft_disruptive
def queues_changed(cfg):
    """The number of queues changes under a connection, which continues."""
    cfg.need("tx")
    said = ethtool(f"-l {cfg.ifname}").stdout if cmd(
        f"ethtool -l {cfg.ifname}", fail=False).ret == 0 else ""
    now = re.findall(r"Combined:\s+(\d+)", said)
    if len(now) != 2:
        raise KsftSkipEx("the NIC has no combined channels")
    flow = Flow(cfg, "tx", capture=True)
    flow.exchange(SIZE)
    defer(ethtool, f"-L {cfg.ifname} combined {now[1]}")
    _try_ethtool(f"-L {cfg.ifname} combined {2 if now[1] == '1' else 1}")
    _moves_on(cfg, flow, "number of queues changed")
    flow.captured()
    flow.close()


@ksft_disruptive
def rings_changed(cfg):
    """The size of the rings changes under a connection, which continues."""
    cfg.need("tx")
    said = cmd(f"ethtool -g {cfg.ifname}", fail=False).stdout
    now = re.findall(r"^TX:\s+(\d+)", said, re.MULTILINE)
    if len(now) != 2:
        raise KsftSkipEx("the NIC's rings cannot be changed")
    flow = Flow(cfg, "both" if cfg.features["rx"] == "on" else "tx", capture=True)
    flow.exchange(SIZE)
    defer(ethtool, f"-G {cfg.ifname} tx {now[1]}")
    _try_ethtool(f"-G {cfg.ifname} tx {int(now[1]) // 2}")
    _moves_on(cfg, flow, "size of the rings changed")
    flow.captured()
    flow.close()


@ksft_variants([KsftNamedVariant("checksum", "tx", True), KsftNamedVariant("tso", "tso", False),
                KsftNamedVariant("sg", "sg", True)])
@ksft_disruptive
def other_offload_off(cfg, name, tls_again):
    """An offload that TLS offload depends on is switched off under a connection, which
    continues."""
    cfg.need("tx")
    flow = Flow(cfg, "tx", capture=True)
    flow.exchange(SIZE)
    if tls_again:
        defer(cfg.feature, FEATURE["tx"], True)
    defer(cmd, f"ethtool -K {cfg.ifname} tso on", fail=False)
    defer(cfg.feature, name, True)
    _try_ethtool(f"-K {cfg.ifname} {name} off")
    _moves_on(cfg, flow, f"{name} off")
    flow.captured()
    flow.close()


@ksft_variants(BOTH_WAYS)
@ksft_disruptive
def reset(cfg, direction):
    """devlink resets the device under a connection, which continues."""
    cfg.need(direction, ipver="4")
    bus = os.path.realpath(f"/sys/class/net/{cfg.ifname}/device")
    handle = f"{os.path.basename(os.readlink(bus + '/subsystem'))}/{os.path.basename(bus)}"
    flow = Flow(cfg, direction, capture=direction == "tx")
    flow.exchange(SIZE)
    done = cmd(f"devlink dev reload {handle}", fail=False)
    if done.ret:
        raise KsftSkipEx(f"no devlink reload: {done.stderr.strip()}")
    if not os.path.exists(f"/sys/class/net/{cfg.ifname}"):
        raise KsftSkipEx("devlink reload makes a new interface")
    _link(cfg, "up")
    _moves_on(cfg, flow, "reset by devlink")
    if direction == "tx":
        flow.captured()
    flow.close()


@ksft_disruptive
def suspend(cfg):
    """The system sleeps under a connection, which continues. Only if TLS_SUSPEND=1 permits
    it."""
    cfg.need("tx")
    if os.environ.get("TLS_SUSPEND") != "1":
        raise KsftSkipEx("not permitted: set TLS_SUSPEND=1")
    flow = Flow(cfg, "tx")
    flow.exchange(SIZE)
    cmd("rtcwake -m mem -s 3", timeout=60)
    _moves_on(cfg, flow, "suspend and resume")
    flow.close()


def close_unacked(cfg):
    """A connection is closed while nothing is acknowledged: all data arrives, and then its
    context is deleted."""
    cfg.need("tx")
    watch = Watch(cfg)
    flow = Flow(cfg, "tx", capture=True)
    flow.exchange(1000)
    undo = cfg.netem_in("loss 100%")
    flow.send(10000)
    flow.sock.close()
    ksft_eq(watch.role("tx_del") or 0, 0, "the context went before the data")
    undo.exec()
    flow.wait_sent()
    wait_for(lambda: flow.stat()["eof"], "no end of the stream at the peer")
    wait_for(lambda: not watch.mib("TlsCurrTxDevice"), "a connection is left over")
    wait_for(lambda: watch.role("tx_del") in (1, None), "a context is left over")
    flow.captured()


def _read_after(flow, count):
    """Make the peer read after SIGNALS signals, or later if they do not come."""
    with contextlib.suppress(KsftFailEx):
        wait_for(lambda: len(count) >= SIGNALS, "no signals")
    flow.peer_reads()


def signals(cfg):
    """Signals interrupt a send that waits for room: each byte is sent once."""
    cfg.need("tx")
    flow = Flow(cfg, "tx", capture=True)
    flow.exchange(SIZE)
    flow.peer_reads(flow.sent)
    flow.fill()
    flow.sock.settimeout(None)
    count = []
    defer(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, lambda *_: count.append(1)))
    defer(signal.setitimer, signal.ITIMER_REAL, 0)
    later = threading.Thread(target=_read_after, args=(flow, count))
    later.start()
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.05)
    flow.send(2 << 20)
    signal.setitimer(signal.ITIMER_REAL, 0)
    during = len(count)
    later.join()
    flow.wait_sent()
    ksft_ge(during, SIGNALS, "the send did not wait")
    flow.captured()
    flow.close()


def half_close(cfg):
    """One direction ends: the other one goes on."""
    cfg.need("both")
    flow = Flow(cfg, "both")
    flow.exchange(SIZE)
    flow.sock.shutdown(socket.SHUT_WR)
    wait_for(lambda: flow.stat()["eof"], "no end of the stream at the peer")
    flow.peer_sends(SIZE)
    flow.receive(SIZE)
    flow.peer.ask("shut", flow.id)
    flow.eof()
    flow.close()


@ksft_variants([KsftNamedVariant("by_peer", True), KsftNamedVariant("by_program", False)])
def aborted(cfg, by_peer):
    """A connection with much data on its way is reset: its contexts are deleted."""
    cfg.need("both")
    watch = Watch(cfg)
    flow = Flow(cfg, "both")
    flow.peer_reads(0)
    flow.peer_sends(SIZE)
    flow.send(50000, 10000)
    if by_peer:
        flow.peer.ask("reset", flow.id)
    else:
        flow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    flow.sock.close()
    for name in ("TlsCurrTxDevice", "TlsCurrRxDevice"):
        wait_for(lambda name=name: not watch.mib(name), f"{name}: a context is left over")
    ksft_ge(watch.mib("TlsTxDevice"), 1)
    ksft_true(not watch.mib("TlsDecryptError"))
    flow.peer.ask("close", flow.id)


def main():
    """Run all cases."""
    with TlsEnv(__file__) as cfg:
        ksft_run([counters, feature_toggled, close_unacked, signals, half_close, aborted,
                  other_offload_off, mtu_shrunk, route_mtu_shrunk, queues_changed,
                  rings_changed, link_down_up, down_with_data, reset, suspend], args=(cfg, ))
    ksft_exit()


if __name__ == "__main__":
    main()
