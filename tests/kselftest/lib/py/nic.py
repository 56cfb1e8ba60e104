# SPDX-License-Identifier: GPL-2.0
"""The ciphers that drivers offload, by their public sources and documents, and the names of
their counters. If a name is missing here, or in ethtool -S, no case skips: the kernel's own
counters, ss and the wire are checked all the same."""

from dataclasses import dataclass, field

from . import CmdExitFailure, cmd, ethtool

GCM128 = {("1.2", "aes-gcm-128")}
GCM = GCM128 | {("1.2", "aes-gcm-256")}
GCM13 = GCM | {("1.3", "aes-gcm-128"), ("1.3", "aes-gcm-256")}
CHACHA = {("1.2", "chacha20-poly1305"), ("1.3", "chacha20-poly1305")}


@dataclass
class Driver:
    """
    tx, rx: (version, cipher) that the driver takes on each of its cards, whether the kernel
    offers it or not; a card may do more. counters: role -> name in ethtool -S. Roles:

      tx_packets, tx_bytes     handed to the NIC to encrypt
      rx_packets, rx_bytes     decrypted by the NIC
      tx_ctx, tx_del, rx_ctx, rx_del    contexts added to the NIC and taken from it
      tx_ooo                   packets that did not come in the stream's order
      rx_resync                answers to the NIC's questions for a record's number
    """
    tx: set = field(default_factory=set)
    rx: set = field(default_factory=set)
    counters: dict = field(default_factory=dict)


# Documentation/networking/tls-offload.rst, "Statistics"
DOCUMENTED = {"tx_packets": "tx_tls_encrypted_packets", "tx_bytes": "tx_tls_encrypted_bytes",
              "rx_packets": "rx_tls_decrypted_packets", "rx_bytes": "rx_tls_decrypted_bytes",
              "tx_ctx": "tx_tls_ctx", "rx_ctx": "rx_tls_ctx", "rx_del": "rx_tls_del",
              "tx_ooo": "tx_tls_ooo", "rx_resync": "rx_tls_resync_res_ok"}

DRIVERS = {
    # packets are segments; bytes are TCP payload, with the records' headers and tags. More
    # ciphers, and TLS 1.3, depend on the card's capabilities
    "mlx5_core": Driver(GCM128, GCM128, DOCUMENTED),
    # no counter of bytes; hw_tls_no_space counts connections that found a full table
    "nfp": Driver(GCM128, GCM128, {"tx_packets": "tx_tls_encrypted_packets",
                                   "rx_packets": "rx_tls_decrypted_packets",
                                   "tx_ooo": "tx_tls_ooo",
                                   "rx_resync": "rx_tls_resync_sent"}),
    # transmit only; a context is counted when the adapter has answered
    "cxgb4": Driver(GCM128, set(), {"tx_packets": "tx_tls_encrypted_packets",
                                    "tx_bytes": "tx_tls_encrypted_bytes",
                                    "tx_ctx": "tx_tls_ctx", "tx_ooo": "tx_tls_ooo"}),
    # transmit only; packets and bytes are per queue, their sum has the plain name
    "funeth": Driver(GCM128, set(), {"tx_packets": "tx_tls_encrypted_packets",
                                     "tx_bytes": "tx_tls_encrypted_bytes",
                                     "tx_ctx": "tx_tls_ctx", "tx_del": "tx_tls_del",
                                     "tx_ooo": "tx_tls_ooo"}),
    # transmit only; more ciphers depend on the card's capabilities
    "bnxt_en": Driver(GCM128, set(), {"tx_packets": "tx_tls_encrypted_packets",
                                      "tx_bytes": "tx_tls_encrypted_bytes",
                                      "tx_ooo": "tx_tls_ooo"}),
    # no TLS: every case skips
    "netdevsim": Driver(),
    # packets as passed between TCP and the NIC; bytes as mlx5_core
    "vktls": Driver(GCM13 | CHACHA, GCM13 | CHACHA, DOCUMENTED | {"tx_del": "tx_tls_del"}),
}


def driver_of(ifname):
    """(name, row) of an interface's driver; an unknown driver has the documented counters."""
    said = ethtool(f"-i {ifname}").stdout
    name = next((line.split(":", 1)[1].strip() for line in said.splitlines()
                 if line.startswith("driver:")), "unknown")
    return name, DRIVERS.get(name, Driver(counters=DOCUMENTED))


def nic_counters(ifname):
    """ethtool -S as a dictionary; empty if the driver has no counters."""
    try:
        said = ethtool(f"-S {ifname}").stdout
    except CmdExitFailure:
        return {}
    pairs = (line.rpartition(":") for line in said.splitlines())
    return {name.strip(): int(value) for name, _, value in pairs if value.strip().isdigit()}


def tls_counters():
    """/proc/net/tls_stat as a dictionary."""
    try:
        with open("/proc/net/tls_stat", encoding="ascii") as stat:
            return {name: int(value) for name, value in map(str.split, stat)}
    except FileNotFoundError:
        cmd("modprobe tls", fail=False)
        return {}


class Watch:
    """Increases of counters since the object was made."""

    def __init__(self, cfg):
        self.cfg = cfg
        self.nic = nic_counters(cfg.ifname)
        self.tls = tls_counters()

    def mib(self, name):
        """A counter of /proc/net/tls_stat; 0 if the kernel has no such counter."""
        return tls_counters().get(name, 0) - self.tls.get(name, 0)

    def role(self, role):
        """The increase of a driver's counter by its role; None if the driver has no such
        counter."""
        name = self.cfg.driver.counters.get(role)
        if name not in self.nic:
            return None
        return nic_counters(self.cfg.ifname).get(name, 0) - self.nic[name]
