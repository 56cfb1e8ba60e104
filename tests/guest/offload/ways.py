#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every way in which the stack copies, cuts, wraps or redirects a packet between TCP and
the NIC, under a flow that the NIC encrypts. The host checks the wire (wire.py): no
plaintext may be on it, even where the flow itself stops. The table in docs/tls.rst has a
line for each case."""
import errno
import socket
import struct
import time

import bpf
import ktap
import ktls
import nfqueue
import rig

OURS = not rig.STOCK
CHUNK, SHORT = 50000, 8000
NEAR, FAR = rig.NEAR[4], rig.FAR[4]
NEAR6, FAR6 = rig.NEAR[6], rig.FAR[6]
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER = 10, 23
TCP_MD5SIG, TCP_AO_ADD_KEY = 14, 38
MARKED_DATA = b"VKTLSPLAIN" * 100
KINDS = [(ktls.TLS12, "aes-128-gcm")] + ([(ktls.TLS13, "aes-256-gcm")] if OURS else [])


def shell(commands):
    """Run each line as a shell command."""
    for line in commands.strip().splitlines():
        rig.run("sh", "-c", line.strip())


def begun(pair=None, version=ktls.TLS12, cipher="aes-128-gcm", family=4):
    """A flow of which the NIC has encrypted something, and a Watch from then on."""
    before = rig.Watch()
    flow = rig.Flow(cipher, family, pair=pair, version=version)
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    before.some("tx_tls_encrypted_bytes")
    return flow, rig.Watch()


def goes_on(there, back, **pair):
    """Send before, during and after a change (commands THERE and BACK); the far end gets
    all data. Returns a Watch from the change on."""
    flow, watch = begun(**pair)
    ktap.defer(shell, back)
    shell(there)
    flow.send(rig.pattern(SHORT))
    flow.drain()
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    shell(back)
    for _ in range(2):
        flow.send(rig.pattern(CHUNK))
        flow.drain()
    flow.finish()
    return watch


def stops(there, back, counter):
    """During a change (commands THERE and BACK) nothing gets through, and COUNTER moves;
    afterwards the flow continues."""
    flow, watch = begun()
    ktap.defer(shell, back)
    shell(there)
    flow.send(rig.pattern(SHORT))
    rig.wait_for(lambda: watch[counter], 10,
                 lambda: f"{counter} stands still; {watch.report()}")
    shell(back)
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    return watch


def waits(there, back):
    """During a change (commands THERE and BACK) the core drops all packets of the flow, as
    it does with a marked packet without a socket; afterwards the flow continues."""
    flow, watch = begun()
    ktap.defer(shell, back)
    shell(there)
    flow.send(rig.pattern(SHORT))
    time.sleep(1)
    ktap.equal(flow.unsent() >= SHORT, True, "nothing is acknowledged")
    watch.expect(tx_tls_encrypted_bytes=0)
    shell(back)
    flow.send(rig.pattern(CHUNK))
    flow.finish()


# Packets are cut

def route_mtu(value, *lock):
    """Give the route to the far end this MTU."""
    rig.run("ip", "route", "replace", f"{FAR}/32", "dev", rig.IFACE, "src", NEAR,
            "mtu", *lock, str(value))


def route_end():
    """Restore the route to the far end."""
    rig.run("ip", "route", "del", f"{FAR}/32", check=False)
    rig.run("ip", "route", "flush", "cache", check=False)


def sends_on(flow, watch):
    """Send with the smaller MSS. Our tls.ko cuts the packets into smaller segments, which
    the NIC encrypts; with the distribution's tls.ko the driver drops the fragments, and TCP
    sends the data again."""
    flow.send(rig.pattern(SHORT))
    flow.drain()
    if OURS:
        watch.some("TlsTxSegmented")
        watch.expect(tx_tls_drop_fragment=0, TlsTxDropFragment=0, TlsTxFallback=0)
    else:
        watch.some("tx_tls_drop_fragment")
    watch = rig.Watch()
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    watch.some("tx_tls_encrypted_bytes")


def cut_by_locked_route(version, cipher):
    """The route's MTU shrinks and is locked: the flow continues, see sends_on()."""
    flow, watch = begun(version=version, cipher=cipher)
    ktap.defer(route_end)
    route_mtu(600, "lock")
    sends_on(flow, watch)


def cut_without_discovery():
    """The route's MTU shrinks under a socket without path MTU discovery: the flow
    continues, see sends_on()."""
    near, far = rig.connect()
    near.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 0)
    flow, watch = begun(pair=(near, far))
    ktap.defer(route_end)
    route_mtu(600)
    sends_on(flow, watch)


def cut_mapped():
    """The route's MTU shrinks under an IPv6 socket that speaks IPv4 (mapped address): the
    flow continues, see sends_on()."""
    with rig.far_side():
        server = socket.create_server((FAR, 0))
    with server:
        near = socket.socket(socket.AF_INET6)
        near.connect((f"::ffff:{FAR}", server.getsockname()[1]))
        far, _ = server.accept()
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    flow, watch = begun(pair=(near, far))
    ktap.defer(route_end)
    route_mtu(600, "lock")
    sends_on(flow, watch)


def icmp_sum(data):
    """The Internet checksum."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def too_big(mtu):
    """The far end sends an ICMP message that an answer to a ping was too big."""
    inner = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 1500, 1, 0x4000, 64, 1, 0,
                        socket.inet_aton(NEAR), socket.inet_aton(FAR))
    inner += struct.pack(">BBHHH", 0, 0, 0, 1, 1)
    body = struct.pack(">HH", 0, mtu) + inner
    head = struct.pack(">BB", 3, 4)
    with rig.far_side():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with raw:
        raw.sendto(head + struct.pack(">H", icmp_sum(head + b"\0\0" + body)) + body,
                   (NEAR, 0))


def cut_by_icmp():
    """An ICMP message about another program's packet locks the route's MTU: the flow
    continues, see sends_on()."""
    flow, watch = begun()
    ktap.defer(route_end)
    too_big(500)
    rig.wait_for(lambda: "mtu lock 552" in rig.run("ip", "route", "get", FAR), 5,
                 lambda: rig.run("ip", "route", "get", FAR))
    sends_on(flow, watch)


def cut_retransmission():
    """The route's MTU shrinks while all data is lost so far: all data arrives by
    retransmissions, with the same bytes on the wire."""
    rig.sysctl(ktap.defer, "net.ipv4.tcp_early_retrans", 0)
    flow, _ = begun()
    undo = rig.far_loss("loss", "100%")
    ktap.defer(undo)
    flow.send(rig.pattern(SHORT))
    ktap.defer(route_end)
    route_mtu(600, "lock")
    undo()
    flow.drain()
    flow.send(rig.pattern(CHUNK))
    flow.finish()


def cut_never_ipv6(discover):
    """With any setting of IPV6_MTU_DISCOVER, IPv6 makes no fragments of TCP's packets when
    the MTU shrinks."""
    near, far = rig.connect(6)
    near.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, discover)
    flow, watch = begun(pair=(near, far), family=6)
    before = snmp6("Ip6FragCreates")
    back = ("ip", "-6", "route", "del", f"{FAR6}/128")
    ktap.defer(lambda: rig.run(*back, check=False))
    rig.run("ip", "-6", "route", "replace", f"{FAR6}/128", "dev", rig.IFACE, "mtu",
            "lock", "1280")
    flow.send(rig.pattern(SHORT))
    flow.drain()
    rig.run(*back)
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    ktap.equal(snmp6("Ip6FragCreates"), before, "Ip6FragCreates")
    watch.expect(tx_tls_drop_fragment=0)


def snmp6(name):
    """One counter of IPv6."""
    with open("/proc/net/snmp6", encoding="ascii") as file:
        return int(dict(line.split() for line in file)[name])


# Packets are wrapped

ESP = "proto esp spi 0x%x mode %s enc 'cbc(aes)' 0x%s auth 'hmac(sha256)' 0x%s"
AH = "proto ah spi 0x%x mode %s auth 'hmac(sha256)' 0x%s%s"


def policies(kind, mode):
    """Commands that set up IPsec between both ends, and commands that end it."""
    there, keys = [], ("11" * 16, "22" * 32)
    if kind == "ah":
        keys = ("33" * 32, "")
    text = {"esp": ESP, "ah": AH}[kind]
    for where in "ip", "ip -n peer":
        for spi, (src, dst) in enumerate(((NEAR, FAR), (FAR, NEAR)), 1):
            state = text % (spi, mode, *keys)
            there.append(f"{where} xfrm state add src {src} dst {dst} {state}")
            out = (src == NEAR) == (where == "ip")
            there.append(f"{where} xfrm policy add src {src}/32 dst {dst}/32 proto tcp "
                         f"dir {'out' if out else 'in'} tmpl src {src} dst {dst} "
                         f"proto {kind} mode {mode}")
    return "\n".join(there), "\n".join(
        f"{where} xfrm {what} flush" for where in ("ip", "ip -n peer")
        for what in ("policy", "state"))


def refused(reason, driver):
    """The counter that must move when a flow gets no NIC at its start."""
    return {reason: 1} if OURS else {driver: 1}


def ipsec_before(kind, mode):
    """An IPsec policy exists when the key is set: the NIC encrypts nothing, and data
    arrives."""
    there, back = policies(kind, mode)
    ktap.defer(shell, back)
    shell(there)
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=0,
                 **refused("TlsTxRouteWraps", "tx_tls_refused_route"))


def ipsec_later(kind, mode):
    """An IPsec policy comes while the NIC encrypts: with our tls.ko software takes over,
    and the NIC returns when the policy has gone; with the distribution's tls.ko the driver
    drops the packets in the meantime."""
    there, back = policies(kind, mode)
    if OURS:
        watch = goes_on(there, back)
        watch.some("TlsTxFallbackWrapped", "TlsTxLeftRoute", "TlsTxDeviceAgain")
        watch.expect(tx_tls_drop_tunnel=0, tx_tls_drop_bypass_req=0)
    else:
        stops(there, back, "tx_tls_drop_tunnel").expect(tx_tls_drop_bypass_req=0)


def ipsec_meanwhile():
    """An IPsec policy comes while data is on its way and lost: it is sent again in ESP, and
    arrives."""
    rig.patient_tcp(ktap.defer)
    there, back = policies("esp", "transport")
    flow = rig.Flow()
    undo = rig.send_lost(flow)
    ktap.defer(shell, back)
    shell(there)
    undo()
    if OURS:
        flow.drain()
    shell(back)
    flow.send(rig.pattern(CHUNK))
    flow.finish()


SEG6 = """
    ip netns exec peer sysctl -qw net.ipv6.conf.all.seg6_enabled=1
    ip netns exec peer sysctl -qw net.ipv6.conf.eth0.seg6_enabled=1
""" + f"ip route replace {FAR}/32 encap seg6 mode encap segs {FAR6} dev eth0"
MPLS = """
    modprobe mpls_router
    modprobe mpls_iptunnel
    ip netns exec peer sysctl -qw net.mpls.platform_labels=200
    ip netns exec peer sysctl -qw net.mpls.conf.eth0.input=1
    ip -n peer -f mpls route replace 100 dev lo
""" + f"ip route replace {FAR}/32 encap mpls 100 via inet {FAR} dev eth0 src {NEAR}"
ROUTE_BACK = f"ip route del {FAR}/32 || true"


def wrapped_by_route(there):
    """The route wraps the flow's packets: with our tls.ko software takes over; with the
    distribution's tls.ko the driver drops the packets in the meantime."""
    if OURS:
        goes_on(there, ROUTE_BACK).some("TlsTxFallbackWrapped", "TlsTxLeftRoute")
    else:
        stops(there, ROUTE_BACK, "tx_tls_drop_tunnel")


def behind_headers(option, value, lost):
    """The socket puts IPv6 extension headers before the TCP header. The NIC finds no TCP
    header behind a routing header: it refuses such packets, and software encrypts from
    there on. Behind other headers the NIC encrypts, and the stack cuts the packets."""
    rig.far_run("sysctl", "-qw", "net.ipv6.conf.all.seg6_enabled=1")
    rig.far_run("sysctl", "-qw", "net.ipv6.conf.eth0.seg6_enabled=1")
    rig.patient_tcp(ktap.defer)
    watch = rig.Watch()
    near, far = rig.connect(6)
    near.setsockopt(socket.IPPROTO_IPV6, option, value)
    # setting the option makes the socket forget its route; bytes before the offload find it
    # again
    flow = rig.Flow(family=6, pair=(near, far), before=b"route")
    for _ in range(5):
        flow.send(rig.pattern(CHUNK))
        flow.drain()
    flow.finish()
    watch.expect(tx_tls_lost_device=lost, tx_tls_resync_req=0, dev_tx_tso_packets=0)
    if not lost:
        watch.expect(tx_tls_encrypted_bytes=flow.wire, dev_tx_errors=0)


def md5(address):
    """The argument of TCP_MD5SIG for a peer."""
    return address + struct.pack("=BBHi80s", 0, 0, 6, 0, b"secret")


def authenticated(address):
    """The argument of TCP_AO_ADD_KEY for a peer, any port."""
    address = address[:2] + b"\0\0" + address[4:]
    return address + struct.pack("=64siIHBBBBBB80s", b"hmac(sha256)", 0, 0, 0, 32, 100, 100,
                                 0, 0, 6, b"secret")


def knows_ao():
    """Does this kernel have TCP-AO?"""
    with socket.socket() as sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_AO_ADD_KEY, bytes(4))
        except OSError as err:
            return err.errno != errno.ENOPROTOOPT
    return True


def signed(option, make):
    """A connection with TCP-MD5 or TCP-AO, whose signatures cover the bytes that leave the
    stack, is not offloaded in either direction."""
    with rig.far_side():
        server = socket.create_server((FAR, 0))
    near = socket.socket()
    for sock, port, peer in ((server, 0, NEAR), (near, server.getsockname()[1], FAR)):
        address = struct.pack(">2sH4s", struct.pack("=H", socket.AF_INET), port,
                              socket.inet_aton(peer)).ljust(128, b"\0")
        sock.setsockopt(socket.IPPROTO_TCP, option, make(address))
    near.settimeout(10)
    near.connect(server.getsockname())
    far, _ = server.accept()
    server.close()
    watch = rig.Watch()
    flow = rig.Flow(pair=(near, far))
    near.setsockopt(ktls.SOL_TLS, ktls.TLS_RX, ktls.Key().crypto_info())
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=0,
                 **refused("TlsTxTcpSigns", "tx_tls_refused_signed"),
                 **refused("TlsRxTcpSigns", "rx_tls_refused_signed"))


# Packets are copied or redirected

MV = """
    ip link add mv0 link eth0 type macvlan mode bridge
    ip link set mv0 up
"""
MV_BACK = "ip link del mv0 || true"
# set up at eth0; packets that come back through eth0 pass
EGRESS = """
    tc qdisc add dev eth0 clsact
    tc filter add dev eth0 egress prio 1 protocol ip handle 9 fw action pass
    tc filter add dev eth0 egress prio 2 protocol ip matchall action skbedit mark 9 pipe action """
EGRESS_BPF = """
    tc qdisc add dev eth0 clsact
    tc filter add dev eth0 egress prio 1 protocol ip handle 9 fw action pass
    tc filter add dev eth0 egress prio 2 protocol ip matchall action skbedit mark 9 continue
    tc filter add dev eth0 egress prio 3 protocol ip bpf da object-pinned """
EGRESS_BACK = "tc qdisc del dev eth0 clsact || true"


def mirrored():
    """tc mirrors each packet to a macvlan over the NIC: the flow continues."""
    goes_on(MV + EGRESS + "mirred egress mirror dev mv0", EGRESS_BACK + "\n" + MV_BACK)


def redirected():
    """tc redirects each packet to a macvlan over the NIC: the core drops it there, and the
    flow waits until the filter is removed."""
    waits(MV + EGRESS + "mirred egress redirect dev mv0", EGRESS_BACK + "\n" + MV_BACK)


def redirected_through_ifb():
    """tc redirects each packet to ifb, which returns it to the NIC: the core drops it, and
    the flow waits until the filter is removed."""
    shell("modprobe ifb numifbs=0")
    waits("""
        ip link add ifb1 type ifb
        ip link set ifb1 up
    """ + EGRESS + "mirred egress redirect dev ifb1",
            EGRESS_BACK + "\nip link del ifb1 || true")


def by_bpf(program):
    """A BPF program redirects each packet, or a copy of it, to a macvlan over the NIC: the
    flow continues."""
    ktap.defer(shell, EGRESS_BACK + "\n" + MV_BACK)
    shell(MV)
    path = bpf.pin("way", program(socket.if_nametoindex("mv0")))
    goes_on(EGRESS_BPF + path, EGRESS_BACK)


NFT = """
    nft add table ip ways
    nft add chain ip ways out { type filter hook output priority 0 \\; }
"""
NFT_BACK = "nft delete table ip ways || true"


def teed():
    """netfilter copies each packet to a macvlan over the NIC: the flow continues."""
    goes_on(MV + NFT + f"nft add rule ip ways out tcp dport != 22 dup to {FAR} "
            "device mv0", NFT_BACK + "\n" + MV_BACK)


def queued(rewrite):
    """A program gets each packet by nfqueue and accepts it, or returns it with the same
    bytes: the flow continues."""
    flow, watch = begun()
    queue = nfqueue.Queue(rewrite)
    ktap.defer(queue.stop)
    ktap.defer(shell, NFT_BACK)
    shell(NFT + "nft add rule ip ways out tcp dport != 22 queue num 0")
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    ktap.equal(queue.seen > 0, True, "packets in the queue")
    shell(NFT_BACK)
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    watch.some("tx_tls_encrypted_bytes")


def rerouted_by_mark():
    """netfilter marks each packet, and the mark selects a route over a macvlan: the flow
    continues."""
    goes_on(MV + f"ip route add {FAR}/32 dev mv0 src {NEAR} table 7\n"
            "ip rule add fwmark 7 table 7\n"
            + MARKED,
            NFT_BACK + "\nip rule del fwmark 7 || true\n" + MV_BACK)


# Packets are cut or wrapped without TCP's knowledge: netfilter selects another route later

MARKED = """
    nft add table ip ways
    nft add chain ip ways out { type route hook output priority 0 \\; }
    nft add rule ip ways out meta l4proto tcp meta mark set 7
"""


def cut_by_netfilter():
    """netfilter selects a route with a smaller MTU, and the socket allows fragments: they
    are dropped and counted, and the flow continues when the rule has gone."""
    near, far = rig.connect()
    near.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 0)
    flow, watch = begun(pair=(near, far))
    back = NFT_BACK + "\nip rule del fwmark 7 || true\nip route flush table 7"
    ktap.defer(shell, back)
    shell(f"ip route add {FAR}/32 dev eth0 src {NEAR} mtu lock 600 table 7\n"
          "ip rule add fwmark 7 table 7" + MARKED)
    flow.send(rig.pattern(SHORT))
    dropped = "TlsTxDropFragment" if OURS else "tx_tls_drop_fragment"
    rig.wait_for(lambda: watch[dropped], 10, lambda: f"{dropped}; {watch.report()}")
    shell(back)
    flow.send(rig.pattern(CHUNK))
    flow.finish()


MPLS_PUSH = """
    modprobe act_mpls
    tc qdisc add dev {0} clsact
    tc filter add dev {0} egress protocol ip matchall action mpls push protocol mpls_uc label 123
"""


def wrapped_by_tc():
    """tc puts an MPLS label before the IP header: the driver drops and counts the packets,
    and the flow continues when the filter has gone."""
    stops(MPLS_PUSH.format("eth0"), EGRESS_BACK, "tx_tls_drop_tunnel")


def wrapped_elsewhere():
    """tc puts an MPLS label before the IP header at a macvlan, where kernel TLS would have
    to encrypt: our tls.ko drops and counts the packets."""
    stops(MV + f"ip route replace {FAR}/32 dev mv0 src {NEAR}" + MPLS_PUSH.format("mv0"),
          MV_BACK, "TlsTxDropWrapped")


def put_together():
    """tc reassembles fragments, which lost the mark when they were cut: the driver finds that
    the payload is plaintext, counts tx_tls_plain_unmarked, and has it encrypted."""
    near, far = rig.connect()
    near.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 0)
    flow, watch = begun(pair=(near, far))
    back = "\n".join((EGRESS_BACK, NFT_BACK, "ip rule del fwmark 7 || true",
                      "ip route flush table 7"))
    ktap.defer(shell, back)
    shell(f"ip route add {FAR}/32 dev eth0 src {NEAR} mtu lock 600 table 7\n"
          "ip rule add fwmark 7 table 7" + MARKED + """
        modprobe act_ct
        tc qdisc add dev eth0 clsact
        tc filter add dev eth0 egress protocol ip matchall action ct zone 3
    """)
    flow.send(rig.pattern(SHORT))
    flow.drain()
    watch.some("tx_tls_plain_unmarked")
    shell(back)
    flow.send(rig.pattern(CHUNK))
    flow.finish()


# The checksum is complete before the encryption

def checksum_made(retransmitted):
    """tc computes the checksum over the plaintext, and the NIC or software encrypts after
    that: the far end gets right checksums, and all data."""
    ktap.defer(rig.private_flag, "tls-tx-fallback-only", False)
    rig.private_flag("tls-tx-fallback-only", True)
    rig.run("ethtool", "-K", rig.IFACE, "tso", "off", "gso", "off")
    ktap.defer(rig.run, "ethtool", "-K", rig.IFACE, "tso", "on", "gso", "on")
    flow, watch = begun()
    ktap.defer(shell, "tc qdisc del dev eth0 clsact || true")
    shell("""
        tc qdisc add dev eth0 clsact
        tc filter add dev eth0 egress protocol ip matchall action csum tcp pipe
    """)
    if retransmitted:
        undo = rig.far_loss("loss", "100%")
        ktap.defer(undo)
        flow.send(rig.pattern(SHORT))
        undo()
    else:
        flow.send(rig.pattern(SHORT))
    flow.drain()
    flow.finish()
    if retransmitted:
        watch.some("tx_tls_fallback_retransmit")


def checksum_made_elsewhere():
    """The route moves to a macvlan without checksum offload, and tc computes the checksum
    there: all data arrives."""
    goes_on(MV + f"""
        ethtool -K mv0 tx off
        tc qdisc add dev mv0 clsact
        tc filter add dev mv0 egress protocol ip matchall action csum tcp pipe
        ip route replace {FAR}/32 dev mv0 src {NEAR}
    """, MV_BACK)


# Other interfaces on top of the NIC, see also moved.py

IPVLAN = f"""
    ip link add ipvl0 link eth0 type ipvlan mode l2
    ip link set ipvl0 up
    ip neigh add {FAR} dev ipvl0 lladdr $(ip netns exec peer cat /sys/class/net/eth0/address)
    ip route replace {FAR}/32 dev ipvl0 src {NEAR}
"""
VRF = f"""
    sysctl -qw net.ipv4.tcp_l3mdev_accept=1
    ip link add vrf0 type vrf table 10
    ip link set vrf0 up
    ip link set eth0 master vrf0
    ip route replace {FAR}/32 dev vrf0
"""
VRF_BACK = f"""
    ip route del {FAR}/32 dev vrf0 || true
    ip link del vrf0 || true
"""


def netns_moved():
    """The NIC moves to another namespace under a flow, and back: all data arrives."""
    flow, watch = begun()
    rig.run("ip", "netns", "add", "other")
    ktap.defer(rig.run, "ip", "netns", "del", "other")
    rig.run("ip", "link", "set", rig.IFACE, "netns", "other")
    flow.send(rig.pattern(SHORT))
    rig.run("ip", "-n", "other", "link", "set", rig.IFACE, "netns", "1")
    address_back()
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    if OURS:
        watch.some("TlsTxLeftDevice")


def cut_by_software(feature):
    """An offload is switched off, so that software cuts TCP's packets: each segment that
    the NIC gets has the mark, and the NIC encrypts."""
    watch = goes_on(f"ethtool -K eth0 {feature} off", f"ethtool -K eth0 {feature} on")
    watch.expect(tx_tls_skip_encrypted=0, tx_tls_plain_unmarked=0)
    watch.some("tx_tls_encrypted_bytes")


# The bytes that packet sockets see

def tag_room():
    """A packet socket sees a record that the NIC has yet to encrypt: the room for its tag
    is zero."""
    flow, _ = begun()
    spy = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    spy.bind((rig.IFACE, 3))
    spy.settimeout(5)
    with spy:
        for part in range(2):
            flow.send(b"VKTLSPLAIN" * 100, socket.MSG_MORE if not part else 0)
        while True:
            packet, address = spy.recvfrom(1 << 16)
            if address[2] == socket.PACKET_OUTGOING and MARKED_DATA in packet:
                break
    ktap.equal(packet[-16:], bytes(16), "room for the tag")
    flow.finish()


# A bond on top of the NIC

def bond_of(*slaves):
    """Make a bond of other interfaces that lie on top of the NIC."""
    for slave in slaves:
        rig.run("ip", "link", "set", slave, "down")
    rig.run("ip", "link", "add", "bond9", "type", "bond", "mode", "active-backup",
            "miimon", "50")
    for slave in slaves:
        rig.run("ip", "link", "set", slave, "master", "bond9")
    rig.run("ip", "link", "set", "bond9", "up")


def bond_of_vlans():
    """A bond over a VLAN over the NIC. A bond gives TLS packets only to a direct slave,
    which the NIC is not: no offload, and data arrives."""
    rig.vlan(6)
    ktap.defer(rig.vlan_end, 6)
    rig.run("ip", "addr", "flush", "dev", "vlan6")
    bond_of("vlan6")
    ktap.defer(rig.run, "ip", "link", "del", "bond9")
    rig.run("ip", "addr", "add", "198.51.100.1/24", "dev", "bond9")
    in_software(rig.VLAN_FAR)


def bond_in_bond():
    """A bond that is a slave of another bond: no offload, and data arrives."""
    rig.run("ip", "link", "add", "bond8", "type", "bond", "mode", "active-backup",
            "miimon", "50")
    ktap.defer(address_back)
    ktap.defer(rig.run, "ip", "link", "del", "bond8")
    rig.run("ip", "link", "set", "eth0", "down")
    rig.run("ip", "addr", "flush", "dev", "eth0")
    rig.run("ip", "link", "set", "eth0", "master", "bond8")
    rig.run("ip", "link", "set", "bond8", "up")
    bond_of("bond8")
    ktap.defer(rig.run, "ip", "link", "del", "bond9")
    rig.run("ip", "link", "set", "bond8", "up")
    rig.run("ip", "addr", "add", f"{NEAR}/24", "dev", "bond9")
    in_software(FAR)


def address_back():
    """Restore eth0: up, with its addresses and features."""
    rig.run("ip", "link", "set", "eth0", "up")
    rig.run("ip", "addr", "replace", f"{NEAR}/24", "dev", "eth0")
    rig.run("ip", "addr", "replace", f"{NEAR6}/64", "dev", "eth0", "nodad")
    rig.offload()
    rig.receive_offload()


def in_software(address):
    """A flow to that address is not offloaded, and its data arrives."""
    rig.run("ping", "-c", "1", "-W", "10", address)
    watch = rig.Watch()
    with rig.far_side():
        server = socket.create_server((address, 0))
    with server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    flow = rig.Flow(pair=(near, far))
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=0, TlsTxDevice=0)
    if OURS:
        watch.expect(TlsTxNoDevice=1)


def main():
    """Register and run."""
    rig.offload()
    rig.receive_offload()
    rig.control()
    for name in "all", "eth0", "default":
        for on in rig.run, rig.far_run:
            on("sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0")
    for version, cipher in KINDS:
        ktap.add(f"cut_by_locked_route_{version & 15}", cut_by_locked_route, version, cipher,
                 timeout=60)
    for fn in cut_without_discovery, cut_mapped, cut_by_icmp, cut_retransmission:
        ktap.add(fn.__name__, fn, timeout=60)
    for value in range(6):
        ktap.add(f"cut_never_ipv6_{value}", cut_never_ipv6, value)
    for kind, mode in (("esp", "transport"), ("esp", "tunnel"), ("ah", "transport")):
        ktap.add(f"ipsec_before_{kind}_{mode}", ipsec_before, kind, mode, timeout=60)
        ktap.add(f"ipsec_later_{kind}_{mode}", ipsec_later, kind, mode, timeout=60)
    ktap.add("ipsec_meanwhile", ipsec_meanwhile, timeout=60)
    ktap.add("wrapped_by_segment_routing", wrapped_by_route, SEG6, timeout=60)
    ktap.add("wrapped_by_mpls", wrapped_by_route, MPLS, timeout=60)
    ktap.add("behind_long_headers", behind_headers, socket.IPV6_DSTOPTS, rig.long_options(600),
             0, timeout=60)
    ktap.add("behind_routing_header", behind_headers, socket.IPV6_RTHDR,
             rig.segment_routing(FAR6), 1, timeout=60)
    ktap.add("signed", signed, TCP_MD5SIG, md5)
    if knows_ao():  # the distribution's 6.12 does not
        ktap.add("authenticated", signed, TCP_AO_ADD_KEY, authenticated)
    for fn in cut_by_netfilter, put_together, wrapped_by_tc:
        ktap.add(fn.__name__, fn, timeout=60)
    for fn in mirrored, redirected, redirected_through_ifb:
        ktap.add(fn.__name__, fn, timeout=60)
    ktap.add("bpf_redirect", by_bpf, bpf.redirect, timeout=60)
    ktap.add("bpf_clone_redirect", by_bpf, bpf.clone_redirect, timeout=60)
    ktap.add("teed", teed, timeout=60)
    ktap.add("queued", queued, False, timeout=60)
    ktap.add("queued_rewritten", queued, True, timeout=60)
    ktap.add("rerouted_by_mark", rerouted_by_mark, timeout=60)
    ktap.add("checksum_made", checksum_made, False, timeout=60)
    ktap.add("checksum_made_retransmitted", checksum_made, True, timeout=60)
    ktap.add("ipvlan", goes_on, IPVLAN, "ip link del ipvl0 || true", timeout=60)
    ktap.add("vrf", goes_on, VRF, VRF_BACK, timeout=60)
    for feature in "tso", "sg", "tx":
        ktap.add(f"cut_by_software_{feature}", cut_by_software, feature, timeout=60)
    for fn in bond_of_vlans, bond_in_bond, netns_moved:
        ktap.add(fn.__name__, fn, timeout=60)
    if OURS:    # with the distribution's tls.ko these fail, and the driver cannot help it
        for fn in wrapped_elsewhere, checksum_made_elsewhere, tag_room:
            ktap.add(fn.__name__, fn, timeout=60)
    ktap.main()


main()
