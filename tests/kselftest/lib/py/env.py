# SPDX-License-Identifier: GPL-2.0
"""The environment of a TLS test: NetDrvEpEnv, the peer, and the abilities of the NIC. A
case begins with need(), which names the kind of connection that the case needs. If the NIC
does not take such a connection, the case skips; if the driver documents it and the kernel
offers it, the case fails instead."""

import contextlib
import os
import shutil
import socket
import sys
import time

from . import (
    CmdExitFailure,
    KsftFailEx,
    KsftSkipEx,
    KsftXfailEx,
    NetDrvEpEnv,
    cmd,
    defer,
    ethtool,
    ip,
    ksft_pr,
)
from .flow import Flow
from .nic import Watch, driver_of, tls_counters
from .peer import Peer

FEATURE = {"tx": "tls-hw-tx-offload", "rx": "tls-hw-rx-offload"}
PROGRAMS = ("ethtool", "ip", "ss", "tc")
# the NIC may need some records until it is in sync
SETTLE_TRIES, SETTLED = 20, 0.9
# a counter of every kernel that offers TLS 1.3 to drivers
OFFERS_13 = "TlsCurrTxRekey"


class TlsEnv(NetDrvEpEnv):
    """NetDrvEpEnv with the peer and the NIC's abilities."""

    def __init__(self, src_path):
        super().__init__(src_path)
        missing = [name for name in PROGRAMS if not shutil.which(name)]
        if missing:
            ksft_pr(f"not installed, or not in PATH: {', '.join(missing)}")
            sys.exit(4)
        # the library of 6.12 has separate attributes instead
        self.here = getattr(self, "addr_v", None) or {
            version: getattr(self, f"v{version}") for version in "46"}
        self.there = getattr(self, "remote_addr_v", None) or {
            version: getattr(self, f"remote_v{version}") for version in "46"}
        self.peer = None
        self._can = {}
        self._peer_rekeys = None
        self._undo = []
        cmd("modprobe tls", fail=False)
        self.driver_name, self.driver = driver_of(self.ifname)
        ksft_pr(f"interface: {self.ifname}, driver: {self.driver_name}, "
                f"kernel: {os.uname().release}")
        self.features = {way: self._feature(name) for way, name in FEATURE.items()}
        for way, state in self.features.items():
            if state == "off":
                self.feature(FEATURE[way], True)
                self.features[way] = "on"
                self._undo.append((self.feature, FEATURE[way], False))
        if "on" in self.features.values():
            self._plain_remote()

    def _feature(self, name):
        said = ethtool(f"-k {self.ifname}").stdout
        lines = [line for line in said.splitlines() if line.strip().startswith(name + ":")]
        return lines[0].split(":", 1)[1].strip() if lines else "unknown to ethtool"

    def _plain_remote(self):
        """Check that the remote NIC does not decrypt, since the capture there is taken for
        the wire."""
        for name in FEATURE.values():
            cmd(f"ethtool -K {self.remote_if()} {name} off", host=self.remote, fail=False)

    def __exit__(self, ex_type, ex_value, ex_tb):
        self.drop_peer()
        while self._undo:
            func, *args = self._undo.pop()
            func(*args)
        super().__exit__(ex_type, ex_value, ex_tb)

    def remote_at(self, ipver=None):
        """The peer's address of this family."""
        return self.there[ipver] if ipver else self.there["4"] or self.there["6"]

    def remote_if(self):
        """The name of the peer's interface."""
        rows = ip(f"addr show to {self.remote_at()}", json=True, host=self.remote)
        return next(row["ifname"] for row in rows if row)

    def get_peer(self):
        """The peer; the first call starts it."""
        if not self.peer:
            self.peer = Peer(self)
        return self.peer

    def drop_peer(self):
        """End the peer and all its connections."""
        if self.peer:
            self.peer.close()
            self.peer = None

    def feature(self, name, value):
        """Switch a feature (ethtool -K)."""
        ethtool(f"-K {self.ifname} {name} {'on' if value else 'off'}")

    def need_ipver(self, ipver):
        """Skip without addresses of this family."""
        if not self.here[ipver] or not self.there[ipver]:
            raise KsftSkipEx(f"no IPv{ipver} addresses")

    def need(self, direction="tx", version="1.2", cipher="aes-gcm-128", ipver=None):
        """Skip unless the NIC takes connections of this kind."""
        for way in ("tx", "rx") if direction == "both" else (direction,):
            if self.features[way] != "on":
                raise KsftSkipEx(f"{self.driver_name}: {FEATURE[way]} is {self.features[way]}")
        if ipver or not self.here["4"]:
            self.need_ipver(ipver or "6")
        for way in ("tx", "rx") if direction == "both" else (direction,):
            self._need_way(way, version, cipher)

    def _need_way(self, way, version, cipher):
        key = (way, version, cipher)
        if key not in self._can:
            self._can[key] = self._try(*key)
        if not self._can[key]:
            self.judge_missing(*key)

    def judge_missing(self, way, version, cipher):
        """Decide between skip and failure when the driver does not offload this kind of
        connection."""
        promised = (version, cipher) in getattr(self.driver, way)
        offered = cipher.startswith("aes-gcm") and (version == "1.2" or
                                                    OFFERS_13 in tls_counters())
        text = (f"{self.driver_name} does not take TLS {version} {cipher} ({way}) "
                f"of kernel {os.uname().release}")
        if promised and offered or (version, cipher) == ("1.2", "aes-gcm-128"):
            raise KsftFailEx(text)
        raise KsftSkipEx(text)

    def _try(self, way, version, cipher):
        """Is a connection of this kind offloaded?"""
        watch = Watch(self)
        try:
            flow = Flow(self, way, version, cipher)
        except OSError as err:
            raise KsftSkipEx(f"the kernel has no TLS {version} {cipher}: {err}") from err
        took = watch.mib("TlsTxDevice" if way == "tx" else "TlsRxDevice")
        flow.close()
        return took == 1

    def need_rekey(self):
        """Skip unless the kernels at both ends take a second key of TLS 1.3."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            sock = socket.create_connection(server.getsockname())
            with server.accept()[0], sock:
                sock.setsockopt(socket.IPPROTO_TCP, 31, b"tls")
                try:
                    for gen in range(2):
                        Flow.key_of(sock, "1.3", "aes-gcm-128", gen)
                except OSError as err:
                    raise KsftSkipEx("kernel without KeyUpdate of TLS 1.3 "
                                     f"({os.uname().release}, 6.14 has it): {err}") from err

        if self._peer_rekeys is None:
            self._peer_rekeys = self._try_peer_rekey()
        if not self._peer_rekeys:
            raise KsftSkipEx("the remote's kernel is without KeyUpdate of TLS 1.3")

    def _try_peer_rekey(self):
        flow = Flow(self, "rx", "1.3")
        flow.gen["rx"] += 1
        try:
            flow.peer_key("rx")
        except OSError:
            return False
        finally:
            flow.close()
        return True

    def need_remote(self, *commands):
        """Skip unless these commands succeed at the peer."""
        for command in commands:
            try:
                cmd(command, host=self.remote)
            except CmdExitFailure as err:
                raise KsftSkipEx(f"the remote cannot: {command}") from err

    def evidence(self, text):
        """Print a line that tls_report.py adds to the case's verdict."""
        ksft_pr(f"evidence: {text}")

    def check_offloaded(self, watch, flow, size):
        """By all counters, the NIC processed SIZE bytes in each direction of the flow."""
        said = []
        for way in flow.directions:
            name = way.capitalize()
            device, software = watch.mib(f"Tls{name}Device"), watch.mib(f"Tls{name}Sw")
            if (device, software) != (1, 0):
                raise KsftFailEx(f"Tls{name}Device moved by {device}, Tls{name}Sw by {software}")
            for unit in ("bytes", "packets"):
                moved = watch.role(f"{way}_{unit}")
                if moved is not None:
                    self._check_moved(flow, way, unit, size, moved)
                    said.append(f"{way} {moved} {unit}")
        if watch.mib("TlsDecryptError"):
            raise KsftFailEx("TlsDecryptError moved")
        if "rx" in flow.directions and (watch.role("rx_bytes") or 0) < SETTLED * size:
            self.settled(flow, "rx")
        ways = " each way" if len(flow.directions) > 1 else ""
        self.evidence(f"{size} bytes{ways}; by the NIC: {', '.join(said) or 'no counter'}")

    def _check_moved(self, flow, way, unit, size, moved):
        """A counter of the driver moved by as much as the connection's TCP counted."""
        least = size if (way, unit) == ("tx", "bytes") else 1
        if way == "rx":
            # data that the peer sent again may count twice
            most = 1.5 * flow.tcp("bytes_received")
        else:
            most = flow.tcp("bytes_sent" if unit == "bytes" else "data_segs_out")
        if not least <= moved <= most:
            raise KsftFailEx(f"{self.driver.counters[f'{way}_{unit}']} moved by {moved}: less "
                             f"than {least} or more than {most}")

    def settled(self, flow, way, size=50000, tries=SETTLE_TRIES):
        """Exchange data until the NIC does as much of a round as a NIC that is in sync.
        Return the NIC's bytes of that round, or None if the driver does not count them."""
        for _ in range(tries):
            watch = Watch(self)
            flow.exchange(size)
            done = watch.role(f"{way}_bytes")
            if done is None or done >= SETTLED * size:
                return done
        raise KsftFailEx(f"{way}: only {done} of {size} bytes by the NIC, after {tries} times "
                         "as many")

    def by_nic(self, watch, way):
        """Bytes (packets, if there is no counter of bytes) that the NIC has processed;
        None: unknown."""
        moved = watch.role(f"{way}_bytes")
        return moved if moved is not None else watch.role(f"{way}_packets")

    # --- trouble on the way ---------------------------------------------------------

    def netem_in(self, rule):
        """netem on frames of the last flow that reach the peer."""
        dev = self.remote_if()
        self.need_remote("modprobe ifb numifbs=0; ip link add tlsifb type ifb && "
                         "ip link set tlsifb up")
        defer(cmd, "ip link del tlsifb", host=self.remote)
        self.need_remote(f"tc qdisc add dev tlsifb root netem {rule}",
                         f"tc qdisc add dev {dev} clsact")
        undo = defer(cmd, f"tc qdisc del dev {dev} clsact", host=self.remote)
        for proto in ("ip", "ipv6"):
            cmd(f"tc filter add dev {dev} ingress protocol {proto} flower ip_proto tcp "
                f"dst_port {self.peer.port} action mirred egress redirect dev tlsifb",
                host=self.remote)
        return undo

    def netem_out(self, rule):
        """netem on frames of the last flow that leave the peer."""
        dev = self.remote_if()
        self.need_remote(f"tc qdisc replace dev {dev} root handle 1: prio bands 4 "
                         "priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0")
        undo = defer(cmd, f"tc qdisc del dev {dev} root", host=self.remote)
        self.need_remote(f"tc qdisc add dev {dev} parent 1:4 netem {rule}")
        for proto in ("ip", "ipv6"):
            cmd(f"tc filter add dev {dev} parent 1: protocol {proto} flower ip_proto tcp "
                f"src_port {self.peer.port} classid 1:4", host=self.remote)
        return undo

    def netem_here(self, rule):
        """netem between TCP and the NIC under test, on frames to the peer's port."""
        dev = self.ifname
        prio = "prio bands 4 priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
        for command in (f"tc qdisc replace dev {dev} root handle 1: {prio}",
                        f"tc qdisc add dev {dev} parent 1:4 netem {rule}"):
            try:
                cmd(command)
            except CmdExitFailure as err:
                raise KsftSkipEx(f"cannot: {command}") from err
        undo = defer(cmd, f"tc qdisc del dev {dev} root", fail=False)
        for proto in ("ip", "ipv6"):
            cmd(f"tc filter add dev {dev} parent 1: protocol {proto} flower ip_proto tcp "
                f"dst_port {self.peer.port} classid 1:4")
        return undo

    def drop_segment(self, seq):
        """The peer drops IPv4 segments that begin at this sequence number, until the
        returned function is called; that function returns how many were dropped."""
        dev = self.remote_if()
        self.need_remote(f"ethtool -K {dev} gro off", f"tc qdisc add dev {dev} clsact")
        defer(cmd, f"ethtool -K {dev} gro on", host=self.remote)
        undo = defer(cmd, f"tc qdisc del dev {dev} clsact", host=self.remote)
        cmd(f"tc filter add dev {dev} ingress protocol ip u32 match ip protocol 6 0xff "
            f"match u32 {seq:#010x} 0xffffffff at 24 action drop", host=self.remote)

        def dropped():
            said = cmd(f"tc -s filter show dev {dev} ingress", host=self.remote).stdout
            return sum(int(word) for line in said.splitlines() if "dropped" in line
                       for word in line.split("dropped")[1].split(",")[0].split()[:1])

        def end():
            deadline = time.monotonic() + 60
            while not (count := dropped()) and time.monotonic() < deadline:
                time.sleep(0.02)
            undo.exec()
            return count
        return end


@contextlib.contextmanager
def known(mended):
    """A fault of kernels before version MENDED ("7.2"; None: of all so far). There the case
    is an expected failure; a kernel without the fault passes."""
    try:
        yield
    except (KsftFailEx, OSError) as why:
        here = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))
        if mended and here >= tuple(map(int, mended.split("."))):
            raise
        raise KsftXfailEx(f"{why}; mended in {mended or 'no kernel yet'}") from why
