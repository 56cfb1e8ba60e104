#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every ethtool option of the driver: the values it shows, changes, and refusals."""
import json
import re

from nic import (IF, at_least, counted, fails, features, pci, ping, qmp, read, registers, run,
                 setup_link, stats, transfer, wait)
import ktap

MIB = 1 << 20
MAGIC = 0x4c544b56
QUEUES = 4      # of the device by default
KEY = ":".join(f"{n:02x}" for n in range(40))


def show(option, *more):
    return run("ethtool", option, IF, *more)


def shown(option):
    """The JSON output of an ethtool option."""
    return json.loads(run("ethtool", "--json", option, IF))[0]


def queues():
    """[most queues, queues in use], from ethtool -l."""
    return [int(n) for n in re.findall(r"Combined:\s+(\d+)", show("-l"))]


def driver_info():
    text = show("-i")
    for line in ("driver: vktls", f"bus-info: {pci()}", "supports-statistics: yes",
                 "supports-test: yes", "supports-register-dump: yes"):
        if line not in text:
            raise AssertionError(f"{line} is not in {text}")
    if not re.search(r"^firmware-version: \d+\.\d+\.\d+$", text, re.M):
        raise AssertionError(text)


def link_state():
    text = run("ethtool", IF)
    for line in ("Speed: 10000Mb/s", "Duplex: Full", "Link detected: yes"):
        if line not in text:
            raise AssertionError(f"{line} is not in {text}")


def link_follows_qemu():
    """QEMU takes the link away and gives it back: the carrier follows, by event."""
    def carrier():
        return read(f"/sys/class/net/{IF}/carrier")
    ktap.defer(lambda: qmp("set_link", name="dut0", up=True))
    qmp("set_link", name="dut0", up=False)
    wait("the carrier to go", lambda: carrier() == "0")
    text = run("ethtool", IF)
    if "Link detected: no" not in text or "Unknown" not in text:
        raise AssertionError(text)
    qmp("set_link", name="dut0", up=True)
    wait("the carrier to come", lambda: carrier() == "1")
    ping()


def default_features():
    found = features()
    for name in ("rx-checksumming", "tx-checksumming", "scatter-gather",
                 "tcp-segmentation-offload", "generic-receive-offload", "rx-vlan-offload",
                 "tx-vlan-offload", "receive-hashing"):
        ktap.equal(found[name], True, name)
    ktap.equal(found["tls-hw-tx-offload"], False, "tls-hw-tx-offload")
    if "tls-hw-tx-offload: off [fixed]" in show("-k"):
        raise AssertionError("TLS offload cannot be switched on")


def toggle_every_feature():
    """Each feature is switched off and on: a ping works in each state."""
    for name in ("rx", "tx", "sg", "tso", "gro", "rxvlan", "txvlan", "rxhash",
                 "tls-hw-tx-offload"):
        ktap.defer(run, "ethtool", "-K", IF, name, "off" if "tls" in name else "on")
        for state in ("off", "on"):
            run("ethtool", "-K", IF, name, state)
            ping(count=1)


def tls_needs_checksum():
    """TLS offload needs checksum offload: it is switched off together with it."""
    ktap.defer(run, "ethtool", "-K", IF, "tls-hw-tx-offload", "off")
    ktap.defer(run, "ethtool", "-K", IF, "tx", "on", "sg", "on", "tso", "on")
    run("ethtool", "-K", IF, "tls-hw-tx-offload", "on")
    ktap.equal(features()["tls-hw-tx-offload"], True, "TLS with checksum")
    run("ethtool", "-K", IF, "tx", "off")
    ktap.equal(features()["tls-hw-tx-offload"], False, "TLS without checksum")


def counters():
    """Per-queue counters add up to the totals, and the NIC agrees with both."""
    with counted() as grown:
        transfer(2 * MIB)
        transfer(2 * MIB, receive=True)
    for way in ("tx", "rx"):
        for what in ("packets", "bytes"):
            total = sum(grown[f"{way}{i}_{what}"] for i in range(2))
            ktap.equal(total, grown[f"{way}_{what}"], f"{way} {what} over queues")
        ktap.equal(grown[f"{way}_packets"], grown[f"dev_{way}_frames"], f"{way} packets")
        ktap.equal(grown[f"{way}_bytes"], grown[f"dev_{way}_bytes"], f"{way} bytes")
    for name in ("dev_dma_read_bytes", "dev_dma_write_bytes"):
        at_least(grown, name, 2 * MIB)
    for name in ("irq", "dev_interrupts", "tx_doorbells", "dev_doorbells",
                 "dev_tx_descs", "dev_rx_descs"):
        at_least(grown, name, 10)
    for name in ("dev_dma_errors", "tx_errors", "rx_dropped", "dev_events_lost"):
        ktap.equal(grown[name], 0, name)


def tls_counters_exist():
    """The driver has the transmit counters that the kernel's tls-offload document lists."""
    found = stats()
    for name in ("encrypted_packets", "encrypted_bytes", "ctx", "ooo", "skip_no_sync_data",
                 "drop_no_sync_data", "drop_bypass_req"):
        if f"tx_tls_{name}" not in found:
            raise AssertionError(f"no counter tx_tls_{name}")


def rings():
    ktap.defer(run, "ethtool", "-G", IF, "rx", 512, "tx", 512)
    for rx, tx in ((64, 64), (4096, 64), (64, 4096), (1024, 256)):
        run("ethtool", "-G", IF, "rx", rx, "tx", tx)
        ktap.equal((shown("-g")["rx"], shown("-g")["tx"]), (rx, tx), "sizes")
        transfer(MIB)
        transfer(MIB, receive=True)
    ktap.equal((shown("-g")["rx-max"], shown("-g")["tx-max"]), (4096, 4096), "limits")


def rings_refused():
    for size in (0, 32, 100, 8192):
        fails("ethtool", "-G", IF, "rx", size)
        fails("ethtool", "-G", IF, "tx", size)
    ktap.equal((shown("-g")["rx"], shown("-g")["tx"]), (512, 512), "sizes")
    ping()


def channels():
    """Every number of queues works, is known to the kernel, and moves packets."""
    ktap.defer(run, "ethtool", "-L", IF, "combined", 2)
    for number in (1, 3, QUEUES, 2):
        run("ethtool", "-L", IF, "combined", number)
        ktap.equal(queues(), [QUEUES, number], "queues")
        listed = run("ls", f"/sys/class/net/{IF}/queues").split()
        ktap.equal(len(listed), 2 * number, "queues in sysfs")
        names = [name for name in stats() if re.match(r"rx\d+_packets$", name)]
        ktap.equal(len(names), number, "queues that count")
        transfer(MIB)


def channels_refused():
    for number in (0, QUEUES + 1):
        fails("ethtool", "-L", IF, "combined", number)
    fails("ethtool", "-L", IF, "rx", 1)
    ktap.equal(queues(), [QUEUES, 2], "queues")
    ping()


def coalesce():
    """Values set by ethtool -C are shown again, and are in the NIC's registers."""
    settings = {"rx-usecs": 77, "rx-frames": 33, "tx-usecs": 99, "tx-frames": 44}
    flat = [item for pair in settings.items() for item in pair]
    ktap.defer(run, "ethtool", "-C", IF, "adaptive-rx", "on", "adaptive-tx", "on")
    run("ethtool", "-C", IF, "adaptive-rx", "off", "adaptive-tx", "off", *flat)
    got = shown("-c")
    for name, value in settings.items():
        ktap.equal(got[name], value, name)
    ktap.equal((got["adaptive-rx"], got["adaptive-tx"]), (False, False), "adaptive")
    ktap.equal(registers()[0x1010], 44 << 16 | 99, "TX_MOD of queue 0")
    ktap.equal(registers()[0x1054], 33 << 16 | 77, "RX_MOD of queue 1")


def coalesce_refused():
    for setting in (("rx-usecs", 10001), ("tx-usecs", 65536), ("rx-frames", 256),
                    ("tx-frames", 1000), ("rx-usecs-high", 1)):
        fails("ethtool", "-C", IF, *setting)


def register_dump():
    found = registers()
    ktap.equal(found[0], MAGIC, "magic")
    ktap.equal(found[4] >> 16, 1, "ABI major")
    ktap.equal(found[8] & 0x1f, 0x13, "firmware ready, link up")
    ktap.equal(found[0x10], QUEUES, "queues")
    wait("the heartbeat", lambda: registers()[0x14] != found[0x14], 5)


def self_test():
    """Both self-tests pass: the online one, and the offline one, after which the link is up
    again."""
    for mode in ("online", "offline"):
        text = run("ethtool", "-t", IF, mode)
        if "The test result is PASS" not in text:
            raise AssertionError(text)
        results = re.findall(r"^(\S.*\((?:on|off)line\))\s+(\d+)", text, re.M)
        ktap.equal([value for _, value in results], ["0"] * 5, f"results of {results}")
        wait("the link", lambda: read(f"/sys/class/net/{IF}/carrier") == "1")
        ping()


def self_test_notices_no_link():
    ktap.defer(setup_link)
    ktap.defer(lambda: qmp("set_link", name="dut0", up=True))
    qmp("set_link", name="dut0", up=False)
    wait("the carrier to go", lambda: read(f"/sys/class/net/{IF}/carrier") == "0")
    text = fails("ethtool", "-t", IF, "online")
    if not re.search(r"FAIL.*link \(online\)\s+1", text, re.S):
        raise AssertionError(text)


def rss_key():
    old = re.search(r"hash key:\n(\S+)", show("-x"))[1]
    ktap.defer(run, "ethtool", "-X", IF, "hkey", old)
    run("ethtool", "-X", IF, "hkey", KEY)
    if KEY not in show("-x") or "toeplitz: on" not in show("-x"):
        raise AssertionError(show("-x"))
    fails("ethtool", "-X", IF, "hkey", "00:11:22")
    fails("ethtool", "-X", IF, "hfunc", "xor")
    if KEY not in show("-x"):
        raise AssertionError(show("-x"))


def rss_table():
    ktap.defer(run, "ethtool", "-X", IF, "default")
    run("ethtool", "-X", IF, "weight", 3, 1)
    entries = [int(n) for row in re.findall(r"^ +\d+:((?: +\d+)+)$", show("-x"), re.M)
               for n in row.split()]
    ktap.equal((len(entries), entries.count(0), entries.count(1)), (128, 96, 32), "table")
    fails("ethtool", "-X", IF, "equal", 3)
    fails("ethtool", "-L", IF, "combined", 1)


def ring_count():
    """ethtool -x shows the RSS table with the number of rings in use."""
    if "with 2 RX ring(s)" not in show("-x"):
        raise AssertionError(show("-x"))
    ktap.defer(run, "ethtool", "-L", IF, "combined", 2)
    run("ethtool", "-L", IF, "combined", 1)
    if "with 1 RX ring(s)" not in show("-x"):
        raise AssertionError(show("-x"))


def rss_survives():
    """RSS settings stay over a change of rings and an offline test."""
    ktap.defer(run, "ethtool", "-G", IF, "rx", 512)
    ktap.defer(run, "ethtool", "-X", IF, "default")
    run("ethtool", "-X", IF, "weight", 3, 1)
    before = show("-x")
    run("ethtool", "-G", IF, "rx", 256)
    ktap.equal(show("-x"), before, "RSS after a change of rings")
    run("ethtool", "-t", IF, "offline")
    ktap.equal(show("-x"), before, "RSS after an offline test")


def flow_hash():
    for flow in ("tcp4", "udp4", "tcp6", "udp6"):
        ktap.defer(run, "ethtool", "-N", IF, "rx-flow-hash", flow, "sdfn")
        run("ethtool", "-N", IF, "rx-flow-hash", flow, "sd")
        text = show("-n", "rx-flow-hash", flow)
        if "L4" in text or "IP SA" not in text:
            raise AssertionError(text)
        run("ethtool", "-N", IF, "rx-flow-hash", flow, "sdfn")
        text = show("-n", "rx-flow-hash", flow)
        if "L4 bytes 0 & 1" not in text:
            raise AssertionError(text)
        run("ethtool", "-N", IF, "rx-flow-hash", flow, "s")
        text = show("-n", "rx-flow-hash", flow)
        if "L4" in text or "IP SA" not in text or "IP DA" in text:
            raise AssertionError(text)
        fails("ethtool", "-N", IF, "rx-flow-hash", flow, "v")
    fails("ethtool", "-N", IF, "rx-flow-hash", "ether", "sd")


def standard_statistics():
    """The packet counters of rtnetlink agree with ethtool -S."""
    transfer(MIB)
    link = json.loads(run("ip", "-j", "-s", "-s", "link", "show", IF))[0]["stats64"]
    now = stats()
    for way in ("tx", "rx"):
        if not 0 <= now[f"{way}_packets"] - link[way]["packets"] < 50:
            raise AssertionError(f"{way}: {link[way]}, {now[f'{way}_packets']}")


CASES = (driver_info, link_state, link_follows_qemu, default_features, tls_needs_checksum,
         counters, tls_counters_exist, rings_refused, channels_refused, coalesce,
         coalesce_refused, register_dump, self_test, self_test_notices_no_link, rss_key, rss_table,
         ring_count, rss_survives, flow_hash, standard_statistics)


def main():
    pci()
    setup_link()
    for fn in CASES:
        ktap.add(fn.__name__.replace("_", " "), fn, timeout=90)
    ktap.add("every feature off and on", toggle_every_feature, timeout=90)
    ktap.add("rings", rings, timeout=90)
    ktap.add("channels", channels, timeout=90)
    ktap.main()


if __name__ == "__main__":
    main()
