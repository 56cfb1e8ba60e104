#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""TLS 1.3 KeyUpdates on offloaded connections, by either side, idle and under load."""

import errno

from lib.py import (
    Flow,
    KsftFailEx,
    KsftNamedVariant,
    TlsEnv,
    Watch,
    ksft_eq,
    ksft_exit,
    ksft_run,
    ksft_true,
    ksft_variants,
)

SIZE = 100000
HANDSHAKE, KEY_UPDATE = 22, "1800000100"


def _kinds():
    for cipher in ("aes-gcm-128", "aes-gcm-256"):
        for who in ("tx", "rx", "both"):
            yield KsftNamedVariant(f"{who}_{cipher.replace('-', '_')}", who, cipher)


def _back_on_nic(cfg, flow):
    """The NIC continues with the new key within some receive windows."""
    for way in flow.directions:
        for _ in range(10):
            flow.exchange(20000)
        cfg.settled(flow, way, 20000, 500)


def _check_outcome(cfg, watch, flow, count):
    for way in flow.directions:
        name = way.capitalize()
        ksft_eq(watch.mib(f"Tls{name}RekeyOk"), count, f"Tls{name}RekeyOk")
        ksft_eq(watch.mib(f"Tls{name}RekeyError"), 0)
    ksft_eq(watch.mib("TlsDecryptError"), 0)
    fallbacks = watch.mib("TlsTxRekeyFallback") + watch.mib("TlsRxRekeyFallback")
    cfg.evidence(f"{count} KeyUpdates each way, {fallbacks} of them to software; then by the "
                 f"NIC: tx {cfg.by_nic(watch, 'tx')}, rx {cfg.by_nic(watch, 'rx')} bytes")


@ksft_variants(_kinds())
def idle(cfg, who, cipher):
    """A KeyUpdate while no data is on its way: the NIC continues with the new key."""
    cfg.need(who, "1.3", cipher)
    cfg.need_rekey()
    watch = Watch(cfg)
    flow = Flow(cfg, who, "1.3", cipher)
    flow.exchange(SIZE)
    _update(flow)
    _back_on_nic(cfg, flow)
    _check_outcome(cfg, watch, flow, 1)
    flow.close()


def _update(flow):
    for way in flow.directions:
        if way == "tx":
            flow.rekey_tx()
        else:
            flow.rekey_rx()


@ksft_variants([KsftNamedVariant("tx", "tx"), KsftNamedVariant("rx", "rx")])
def chain(cfg, who):
    """Twenty KeyUpdates, one after another: all data is right, and the NIC continues."""
    cfg.need(who, "1.3")
    cfg.need_rekey()
    watch = Watch(cfg)
    flow = Flow(cfg, who, "1.3", capture=who == "tx")
    for size in range(0, 20000, 1000):
        flow.exchange(1 + size)
        _update(flow)
    flow.exchange(SIZE)
    if who == "tx":
        ksft_eq(flow.captured()[1]["gens"], 20)
    _check_outcome(cfg, watch, flow, 20)
    flow.close()


def load_sent(cfg):
    """This end sends KeyUpdates while much data of the old key is not acknowledged: all
    data is right, and the NIC continues."""
    cfg.need("tx", "1.3")
    cfg.need_rekey()
    watch = Watch(cfg)
    flow = Flow(cfg, "tx", "1.3", capture=True)
    undo = cfg.netem_in("delay 20ms")
    for _ in range(5):
        flow.send(SIZE, 16384)
        flow.rekey_tx()
    flow.wait_sent()
    undo.exec()
    ksft_eq(flow.captured()[1]["gens"], 5)
    _back_on_nic(cfg, flow)
    _check_outcome(cfg, watch, flow, 5)
    flow.close()


def load_received(cfg):
    """Data, a KeyUpdate and data of the new key arrive before anything is read: all data is
    right, and the NIC continues."""
    cfg.need("rx", "1.3")
    cfg.need_rekey()
    watch = Watch(cfg)
    flow = Flow(cfg, "rx", "1.3")
    for gen in range(1, 6):
        flow.peer_sends(SIZE // 2)
        while flow.stat()["left"]:
            flow.receive(1000)
        flow.peer.ask("control", flow.id, HANDSHAKE, KEY_UPDATE)
        flow.gen["rx"] = gen
        flow.peer_key("rx")
        flow.peer_sends(SIZE // 2)
        flow.receive(gen * SIZE - SIZE // 2 - flow.got)
        ksft_eq(flow.record()[0], HANDSHAKE)
        flow.key("rx")
        flow.receive(SIZE // 2)
    _back_on_nic(cfg, flow)
    _check_outcome(cfg, watch, flow, 5)
    flow.close()


def expired(cfg):
    """Between a KeyUpdate and the new key, a read fails with EKEYEXPIRED, and poll()
    reports nothing."""
    cfg.need("rx", "1.3")
    cfg.need_rekey()
    flow = Flow(cfg, "rx", "1.3")
    flow.exchange(SIZE)
    flow.peer.ask("control", flow.id, HANDSHAKE, KEY_UPDATE)
    flow.gen["rx"] = 1
    flow.peer_key("rx")
    flow.peer_sends(1000)
    ksft_eq(flow.record()[0], HANDSHAKE)
    ksft_true(not flow.readable(0.5), "poll() says that there is something to read")
    flow.sock.setblocking(False)
    for _ in range(3):
        try:
            raise KsftFailEx(f"{len(flow.sock.recv(100))} bytes read without their key")
        except OSError as err:
            ksft_eq(errno.errorcode[err.errno], "EKEYEXPIRED")
    flow.key("rx")
    flow.sock.settimeout(60)
    flow.receive(1000)
    flow.close()


def both_at_once(cfg):
    """Both sides send a KeyUpdate at the same time, with data in both directions: all data
    is right, and the NIC continues."""
    cfg.need("both", "1.3")
    cfg.need_rekey()
    watch = Watch(cfg)
    flow = Flow(cfg, "both", "1.3")
    for _ in range(3):
        flow.peer_sends(SIZE)
        flow.send(SIZE, 5000)
        flow.receive(SIZE)
        _update(flow)
        flow.wait_sent()
    _back_on_nic(cfg, flow)
    _check_outcome(cfg, watch, flow, 3)
    flow.close()


def main():
    """Run all cases."""
    with TlsEnv(__file__) as cfg:
        ksft_run([idle, chain, load_sent, load_received, expired, both_at_once], args=(cfg, ))
    ksft_exit()


if __name__ == "__main__":
    main()
