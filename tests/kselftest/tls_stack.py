#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The parts of the stack between TCP and the NIC: VLAN, bond, IPsec, traffic control and
routes. If the NIC can serve a connection there, the connection may be offloaded; if not,
software must do it. In both cases all data arrives, and none is in the clear."""

import json
import socket
import struct

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
)

SIZE = 100000
SOON = 30               # seconds after which data that has not arrived counts as lost
NET = "198.51.100"
TUNNEL_NET = "203.0.113"
TCP_MD5SIG = 14
MD5_KEY = b"secret"     # as in tls_peer.h


def _who(cfg, watch, flow, what):
    """Print as evidence whether the NIC or software encrypted; the kernel's counters for both
    add up to this one connection."""
    device, software = watch.mib("TlsTxDevice"), watch.mib("TlsTxSw")
    ksft_eq(device + software, 1)
    done = cfg.by_nic(watch, "tx")
    if device and done is not None and not done:
        raise KsftFailEx(f"{what}: TlsTxDevice counts a connection of which the NIC did nothing")
    conf = flow.ss().get("txconf")
    ksft_eq(conf, "hw" if device else "sw")
    cfg.evidence(f"{what}: by {'the NIC' if device else 'software'}, no plaintext on the wire")


def vlan(cfg):
    """A connection over a VLAN on the NIC."""
    cfg.need("tx", ipver="4")
    dev = cfg.remote_if()
    for host, link, addr in ((None, cfg.ifname, 1), (cfg.remote, dev, 2)):
        made = cmd(f"ip link add link {link} name tlsvlan type vlan id 77", host=host,
                   fail=False)
        if made.ret:
            raise KsftSkipEx(f"no VLAN: {made.stderr.strip()}")
        defer(cmd, "ip link del tlsvlan", host=host)
        cmd(f"ip addr add {NET}.{addr}/24 dev tlsvlan", host=host)
        cmd("ip link set tlsvlan up", host=host)
    watch = Watch(cfg)
    flow = Flow(cfg, "tx", addr=f"{NET}.2", capture="tlsvlan")
    flow.exchange(SIZE)
    flow.captured()
    _who(cfg, watch, flow, "VLAN")
    flow.close()


@ksft_disruptive
def bond(cfg):
    """A connection over a bond that has the NIC as its only port."""
    cfg.need("tx", ipver="4")
    made = cmd("ip link add tlsbond type bond mode active-backup miimon 100", fail=False)
    if made.ret:
        raise KsftSkipEx(f"no bond: {made.stderr.strip()}")
    rows = ip(f"addr show to {cfg.here['4']}", json=True)
    prefix = next(info["prefixlen"] for row in rows for info in row.get("addr_info", []))
    defer(_bond_end, cfg, prefix)
    cmd("ip link set tlsbond up")
    cmd(f"ip link set {cfg.ifname} down")
    cmd(f"ip link set {cfg.ifname} master tlsbond")
    cmd(f"ip addr flush dev {cfg.ifname}")
    cmd(f"ip addr add {cfg.here['4']}/24 dev tlsbond")
    _carrier(cfg, "tlsbond")
    watch = Watch(cfg)
    flow = Flow(cfg, "tx", capture=True)
    flow.exchange(SIZE)
    flow.captured()
    _who(cfg, watch, flow, "bond")
    flow.close()


def _carrier(cfg, dev):
    cmd(f"for i in $(seq 600); do [ $(cat /sys/class/net/{dev}/carrier) = 1 ] && break; "
        f"sleep 0.1; done; ping -c 1 -W 10 {cfg.there['4']}", shell=True)


def _bond_end(cfg, prefix):
    cmd("ip link del tlsbond")
    cmd(f"ip addr add {cfg.here['4']}/{prefix} dev {cfg.ifname}", fail=False)
    cmd(f"ip link set {cfg.ifname} up")
    if cfg.here["6"]:
        cmd(f"ip addr replace {cfg.here['6']}/64 dev {cfg.ifname} nodad", fail=False)
    _carrier(cfg, cfg.ifname)


def _address(host, dev, addr):
    """Add an address until the end of the case."""
    cmd(f"ip addr add {addr}/24 dev {dev}", host=host)
    defer(cmd, f"ip addr del {addr}/24 dev {dev}", host=host)


def _esp(host, src, dst, direction):
    """Set up one direction of IPsec at one end."""
    spec = f"src {src} dst {dst} proto esp spi {int(src[-1]) + 0x1000:#x}"
    made = cmd(f"ip xfrm state add {spec} mode transport aead 'rfc4106(gcm(aes))' "
               f"0x{'11' * 20} 128", host=host, fail=False, shell=True)
    if made.ret:
        raise KsftSkipEx(f"no IPsec: {made.stderr.strip()}")
    defer(cmd, f"ip xfrm state delete {spec}", host=host)
    policy = f"dir {direction} src {src} dst {dst}"
    cmd(f"ip xfrm policy add {policy} tmpl src {src} dst {dst} proto esp mode transport",
        host=host)
    defer(cmd, f"ip xfrm policy delete {policy}", host=host)


def xfrm(cfg):
    """An IPsec policy for the peer's address is set before the connection: all data
    arrives, in ESP."""
    cfg.need("tx", ipver="4")
    here, there = f"{NET}.1", f"{NET}.2"
    for host, dev, own, other in ((None, cfg.ifname, here, there),
                                  (cfg.remote, cfg.remote_if(), there, here)):
        _address(host, dev, own)
        _esp(host, own, other, "out")
        _esp(host, other, own, "in")
    with known(None):
        watch = Watch(cfg)
        flow = Flow(cfg, "tx", addr=there)
        defer(flow.close)
        flow.send(SIZE)
        flow.wait_sent(SOON)
        if cfg.by_nic(watch, "tx"):
            raise KsftFailEx("the NIC encrypted packets that IPsec had to wrap")
    cfg.evidence("IPsec: by software, within ESP")


def traffic_control(cfg):
    """Classifiers of traffic control look at packets, and copy them, on their way to the
    NIC: all data arrives."""
    cfg.need("tx", ipver="4")
    flow = Flow(cfg, "tx", capture=True)
    made = cmd(f"tc qdisc add dev {cfg.ifname} clsact", fail=False)
    if made.ret:
        raise KsftSkipEx(f"no clsact: {made.stderr.strip()}")
    defer(cmd, f"tc qdisc del dev {cfg.ifname} clsact")
    cmd(f"tc filter add dev {cfg.ifname} egress protocol ip prio 1 flower ip_proto tcp "
        f"dst_port {flow.peer.port} action mirred egress mirror dev lo pipe action ok")
    watch = Watch(cfg)
    flow.exchange(SIZE)
    flow.captured()
    done = cfg.by_nic(watch, "tx")
    cfg.evidence(f"mirrored by tc: by the NIC {done} bytes, no plaintext on the wire")
    flow.close()


def shaped(cfg):
    """A shaper holds packets back above the NIC: all data arrives."""
    cfg.need("tx")
    made = cmd(f"tc qdisc replace dev {cfg.ifname} root tbf rate 40mbit burst 32k limit 1m",
               fail=False)
    if made.ret:
        raise KsftSkipEx(f"no tbf: {made.stderr.strip()}")
    defer(cmd, f"tc qdisc del dev {cfg.ifname} root")
    watch = Watch(cfg)
    flow = Flow(cfg, "tx", capture=True)
    flow.exchange(3 * SIZE)
    flow.captured()
    cfg.check_offloaded(watch, flow, 3 * SIZE)
    flow.close()


def route_away(cfg):
    """The route to the peer leads elsewhere for a while: packets there are encrypted, and
    all data arrives later."""
    cfg.need("tx", ipver="4")
    made = cmd("ip link add tlsdummy type dummy", fail=False)
    if made.ret:
        raise KsftSkipEx(f"no dummy interface: {made.stderr.strip()}")
    defer(cmd, "ip link del tlsdummy")
    cmd("ip link set tlsdummy up")
    flow = Flow(cfg, "tx", ipver="4", capture=True)
    flow.exchange(SIZE)
    ip(f"route replace {cfg.there['4']}/32 dev tlsdummy")
    undo = defer(cmd, f"ip route del {cfg.there['4']}/32 dev tlsdummy", fail=False)
    before = cmd("ip -s -j link show tlsdummy").stdout
    flow.send(20000)
    after = _dummy_packets(flow)
    undo.exec()
    flow.wait_sent()
    watch = Watch(cfg)
    for _ in range(4):
        flow.exchange(SIZE // 4)
    flow.captured()
    done = cfg.by_nic(watch, "tx")
    cfg.evidence(f"route away ({after - _packets(before)} packets left there) and back: no "
                 f"byte lost; then by the NIC: {done} bytes")
    flow.close()


def _packets(said):
    return json.loads(said)[0]["stats64"]["tx"]["packets"]


def _dummy_packets(flow):
    """Packets on the dummy interface, after TCP has sent there."""
    for _ in range(300):
        count = _packets(cmd("ip -s -j link show tlsdummy").stdout)
        if count:
            return count
        cmd("sleep 0.1")
    raise KsftFailEx(f"nothing took the other route: {flow.unacked()} bytes wait")


def bound(cfg):
    """A connection that is bound to the NIC's interface by name is offloaded."""
    cfg.need("tx", ipver="4")
    watch = Watch(cfg)
    flow = Flow(cfg, "tx", capture=True, prepare=lambda flow: flow.sock.setsockopt(
        socket.SOL_SOCKET, socket.SO_BINDTODEVICE, cfg.ifname.encode()))
    flow.exchange(SIZE)
    flow.captured()
    cfg.check_offloaded(watch, flow, SIZE)
    flow.close()


def _loose(host):
    """Set the reverse path filter to loose, since packets may arrive by another interface
    than answers leave by."""
    name = "net.ipv4.conf.all.rp_filter"
    old = cmd(f"sysctl -n {name}", host=host).stdout.strip()
    defer(cmd, f"sysctl -w {name}={old}", host=host)
    cmd(f"sysctl -w {name}=2", host=host)


def _detour(cfg, dev, name, capture):
    """Send data before, during and after a route over another interface. Returns the bytes
    that the NIC did during that time."""
    flow = Flow(cfg, "tx", ipver="4", capture=capture)
    flow.exchange(SIZE)
    watch = Watch(cfg)
    ip(f"route replace {cfg.there['4']}/32 dev {dev} src {cfg.here['4']}")
    undo = defer(cmd, f"ip route del {cfg.there['4']}/32 dev {dev}", fail=False)
    flow.exchange(2 * SIZE)
    done = cfg.by_nic(watch, "tx")
    undo.exec()
    flow.exchange(SIZE)
    flow.captured()
    cfg.evidence(f"{name} by the NIC {done} of {2 * SIZE} bytes; no byte lost, no plaintext "
                 "on the wire")
    flow.close()


def macvlan(cfg):
    """The route to the peer moves to a macvlan above the NIC, and back: a packet that was
    encrypted for the macvlan is not encrypted again."""
    cfg.need("tx", ipver="4")
    made = cmd(f"ip link add tlsmv link {cfg.ifname} type macvlan mode bridge", fail=False)
    if made.ret:
        raise KsftSkipEx(f"no macvlan: {made.stderr.strip()}")
    # the peer has learned the address of the macvlan
    defer(cmd, f"ip -4 neigh flush dev {cfg.remote_if()}", host=cfg.remote)
    defer(cmd, "ip link del tlsmv")
    # see tunnel()
    cmd(f"ip addr add {TUNNEL_NET}.1/32 dev tlsmv")
    cmd("ip link set tlsmv up")
    _loose(None)
    _detour(cfg, "tlsmv", "over the macvlan", True)


def tunnel(cfg):
    """The route to the peer moves into a tunnel that leaves by the same NIC, and back: all
    data arrives, and none is in the clear."""
    cfg.need("tx", ipver="4")
    for host, dev, own, other in ((None, cfg.ifname, 1, 2),
                                  (cfg.remote, cfg.remote_if(), 2, 1)):
        _loose(host)
        _address(host, dev, f"{NET}.{own}")
        made = cmd(f"ip link add tlstun type ipip local {NET}.{own} remote {NET}.{other}",
                   host=host, fail=False)
        if made.ret:
            raise KsftSkipEx(f"no tunnel: {made.stderr.strip()}")
        defer(cmd, "ip link del tlstun", host=host)
        # without an address, the reverse path filter accepts nothing there
        cmd(f"ip addr add {TUNNEL_NET}.{own}/24 dev tlstun", host=host)
        cmd("ip link set tlstun up", host=host)
    _detour(cfg, "tlstun", "in the tunnel", "any")


def signed(cfg):
    """TCP-MD5 (RFC 2385) signs packets as they leave the stack, so the NIC must not change
    them: software does the connection."""
    cfg.need("tx", ipver="4")

    def sign(flow):
        address = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(cfg.there["4"]))
        try:
            flow.sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, struct.pack(
                "=128sBBHi80s", address, 0, 0, len(MD5_KEY), 0, MD5_KEY))
            flow.peer.ask("md5", f"::ffff:{cfg.here['4']}")
        except OSError as err:
            raise KsftSkipEx(f"no TCP-MD5: {err}") from err
    watch = Watch(cfg)
    flow = Flow(cfg, "tx", ipver="4", prepare=sign, capture=True)
    defer(flow.close)
    with known(None):
        flow.send(SIZE)
        flow.wait_sent(SOON)
        if cfg.by_nic(watch, "tx"):
            raise KsftFailEx("the NIC encrypted packets that TCP had signed")
    flow.captured()
    cfg.evidence("TCP-MD5: by software")


def main():
    """Run all cases."""
    with TlsEnv(__file__) as cfg:
        ksft_run([vlan, xfrm, traffic_control, shaped, route_away, macvlan, tunnel, signed, bound,
                  bond], args=(cfg, ))
    ksft_exit()


if __name__ == "__main__":
    main()
