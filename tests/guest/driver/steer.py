#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Flow filters (ethtool -N) and RSS contexts (ethtool -X ... context): packets go to the
queues that they name, they are kept over everything that happens to a NIC, and a filter
that the NIC cannot take is refused and leaves nothing behind."""
import os
import re
import shutil
import socket

from nic import (IF, V4, V6, counted, fails, features, namespace, peer, pci, ping, run,
                 setup_link, stats, transfer, wait)
import ktap
import nicfault
import rig

FIRMWARE = "/lib/firmware/vktls/vktls.fw"
OLDER = "/lib/firmware/vktls/vktls-1.5.fw"
PORT = 5300
PLACES = 256
PACKETS = 20


def add(*spec):
    """Add a filter by ethtool -N; it is deleted with the case. Returns its place (ID)."""
    told = re.search(r"ID (\d+)", run("ethtool", "-N", IF, *spec))
    place = int(told[1]) if told else spec[spec.index("loc") + 1]
    ktap.defer(lambda: run("ethtool", "-N", IF, "delete", place, check=False))
    return place


def context(*spec):
    """Make an RSS context. Returns its number."""
    number = int(re.search(r"context is (\d+)", run("ethtool", "-X", IF, "context", "new",
                                                    *spec))[1])
    ktap.defer(lambda: run("ethtool", "-X", IF, "context", number, "delete", check=False))
    return number


def rules():
    """The places of all filters."""
    return sorted(int(n) for n in re.findall(r"^Filter: (\d+)", run("ethtool", "-n", IF), re.M))


def queues(number):
    run("ethtool", "-L", IF, "combined", number)


def reload():
    run("devlink", "dev", "reload", f"pci/{pci()}", "action", "fw_activate")


def apart(number=4):
    """Use this many queues, and send all packets without a filter to queue 0."""
    ktap.defer(queues, 2)
    queues(number)
    ktap.defer(run, "ethtool", "-X", IF, "default")
    run("ethtool", "-X", IF, "equal", 1)


def datagrams(port=PORT, v6=False, source=0, count=PACKETS):
    """Send UDP packets from the peer; no program reads them."""
    family, pair = (socket.AF_INET6, V6) if v6 else (socket.AF_INET, V4)
    with namespace("peer"):
        sock = socket.socket(family, socket.SOCK_DGRAM)
    with sock:
        sock.bind((pair[1], source))
        for _ in range(count):
            sock.sendto(b"steer", (pair[0], port))


def came(number, **which):
    """datagrams(**which) arrive in queue NUMBER. Returns increases of
    counters."""
    with counted() as grown:
        before = stats()[f"rx{number}_packets"]
        datagrams(**which)
        wait(f"packets in queue {number}",
             lambda: stats()[f"rx{number}_packets"] - before >= PACKETS)
    return grown


def udp(v6=False, port=PORT, *more):
    """The words of a filter that matches datagrams()."""
    return ("flow-type", "udp6" if v6 else "udp4", "dst-port", port, *more)


def fields(v6):
    """Ports, addresses and prefixes, each alone and all together, choose the queue."""
    apart()
    near, far = (V6 if v6 else V4)
    net = ("2001:db8::", "ffff:ffff::") if v6 else ("192.0.2.0", "255.255.255.0")
    kind = "udp6" if v6 else "udp4"
    word = "src-ip", "dst-ip"
    for spec in (("src-ip", far), ("dst-ip", near), ("dst-port", PORT), ("src-port", 5301),
                 (word[0], far, word[1], near, "src-port", 5301, "dst-port", PORT),
                 (word[0], net[0], "m", inverse(net[1]))):
        place = add("flow-type", kind, *spec, "action", 3)
        grown = came(3, v6=v6, source=5301)
        ktap.equal(grown["rx1_packets"] + grown["rx2_packets"], 0, "packets elsewhere")
        run("ethtool", "-N", IF, "delete", place)
    came(0, v6=v6, source=5301)


def inverse(mask):
    """ethtool's form of a mask: a set bit is not compared."""
    family = socket.AF_INET6 if ":" in mask else socket.AF_INET
    return socket.inet_ntop(family, bytes(255 - b for b in socket.inet_pton(family, mask)))


def tcp_steered():
    """A TCP connection arrives in the queue of its filter, and its content is right."""
    apart()
    add("flow-type", "tcp4", "src-ip", V4[1], "action", 2)
    with counted() as grown:
        transfer(2 << 20, receive=True)
        transfer(2 << 20)
    if grown["rx2_packets"] < 1000 or grown["rx1_packets"] + grown["rx3_packets"]:
        raise AssertionError(str({n: grown[f"rx{n}_packets"] for n in range(4)}))


def dropped():
    """A filter with the action -1 drops its packets, and the NIC counts them."""
    add(*udp(), "action", -1)
    with counted() as grown:
        datagrams()
        ping()
    ktap.equal(grown["dev_rx_flow_drops"], PACKETS, "drops")
    transfer(1 << 20, receive=True)


def order():
    """Of two filters that match, the one at the lower place acts; a filter for the same
    packets replaces an older one."""
    apart()
    first = add(*udp(), "action", 1)
    again = add(*udp(), "action", 2)
    ktap.equal(again, first, "place of a filter for the same packets")
    came(2)
    add("flow-type", "udp4", "action", 3, "loc", 0)
    came(3)
    ktap.equal(rules(), [0, first], "places")


def by_context():
    """Packets of a filter with an RSS context go to the context's queues, with an offset to
    later queues, and to no other queue."""
    apart(6)
    number = context("start", 2, "equal", 2)
    add("flow-type", "udp4", "dst-port", PORT, "context", number)
    with counted() as grown:
        for source in range(6000, 6040):
            datagrams(source=source, count=1)
        ping()
    if not grown["rx2_packets"] or not grown["rx3_packets"] or grown["rx4_packets"]:
        raise AssertionError(str({n: grown[f"rx{n}_packets"] for n in range(6)}))
    add("flow-type", "udp4", "dst-port", PORT, "context", number, "action", 2)
    with counted() as grown:
        for source in range(6000, 6040):
            datagrams(source=source, count=1)
        ping()
    ktap.equal(grown["rx4_packets"] + grown["rx5_packets"], 40, "packets with the offset")


def kept():
    """Filters and contexts are kept over new rings, down and up, a change of queues, a
    reset and a reload."""
    apart()
    number = context("equal", 1, "start", 3)
    add(*udp(), "context", number)
    add("flow-type", "udp6", "action", 2)
    for what, act in (("new rings", lambda: run("ethtool", "-G", IF, "rx", 256)),
                      ("down and up", lambda: [run("ip", "link", "set", IF, way)
                                               for way in ("down", "up")]),
                      ("more queues", lambda: queues(5)),
                      ("an offline test", lambda: run("ethtool", "-t", IF, "offline")),
                      ("a reload", lambda: run("devlink", "dev", "reload", f"pci/{pci()}"))):
        ktap.defer(setup_link)
        act()
        setup_link()
        try:
            came(3)
            came(2, v6=True)
        except AssertionError as why:
            raise AssertionError(f"after {what}: {why}") from why
    run("ethtool", "-G", IF, "rx", 512)


def set_while_down():
    """Filters are set while the interface is down: they act when it is up."""
    apart()
    ktap.defer(setup_link)
    run("ip", "link", "set", IF, "down")
    number = context("start", 1, "equal", 1)
    add(*udp(), "context", number)
    add("flow-type", "udp6", "action", 3)
    setup_link()
    came(1)
    came(3, v6=True)


def filters_outlive_older_firmware():
    """Firmware of ABI 1.5 has no filters and no contexts: the interface works with it
    without them and without a further reset, and newer firmware gets all of them again."""
    apart()
    number = context("start", 1, "equal", 1)
    add(*udp(), "context", number)
    add("flow-type", "udp6", "action", 3)
    ktap.defer(setup_link)
    ktap.defer(reload)
    os.rename(FIRMWARE, FIRMWARE + ".newest")
    ktap.defer(os.rename, FIRMWARE + ".newest", FIRMWARE)
    shutil.copy(OLDER, FIRMWARE)
    resets = stats()["resets"]
    reload()
    ktap.equal(features()["ntuple-filters"], False, "ntuple-filters with older firmware")
    setup_link()
    came(0)
    came(0, v6=True)
    os.rename(FIRMWARE + ".newest", FIRMWARE)
    shutil.copy(FIRMWARE, FIRMWARE + ".newest")
    reload()
    ktap.equal(features()["ntuple-filters"], True, "ntuple-filters with newer firmware")
    setup_link()
    came(1)
    came(3, v6=True)
    ktap.equal(stats()["resets"] - resets, 2, "resets: the two reloads")


def filter_stays_after_reload_while_down():
    """The NIC is reloaded, and filters are switched off and on, while the interface is
    down: the filters and contexts are in the NIC again, can be deleted, and a new filter
    can use a context."""
    apart()
    number = context("start", 1, "equal", 1)
    places = [add(*udp(port=1 + n), "action", 1) for n in range(2)]
    ktap.defer(setup_link)
    run("ip", "link", "set", IF, "down")
    run("devlink", "dev", "reload", f"pci/{pci()}")
    resets = stats()["resets"]
    run("ethtool", "-N", IF, "delete", places[0])
    leads = add(*udp(), "context", number)
    setup_link()
    came(1)
    run("ip", "link", "set", IF, "down")
    run("ethtool", "-N", IF, "delete", leads)
    for switch in ("off", "on"):
        run("ethtool", "-K", IF, "ntuple", switch)
    run("ethtool", "-N", IF, "delete", places[1])
    run("devlink", "dev", "reload", f"pci/{pci()}")
    run("ethtool", "-X", IF, "context", number, "delete")
    setup_link()
    ktap.equal(stats()["resets"] - resets, 1, "resets: the reload, and none for a context")
    ktap.equal(rules(), [], "filters")
    came(0)


def switched_off():
    """With ntuple-filters off no filter acts, and the driver keeps the filters for later."""
    apart()
    add(*udp(), "action", 3)
    ktap.defer(run, "ethtool", "-K", IF, "ntuple", "on")
    run("ethtool", "-K", IF, "ntuple", "off")
    came(0)
    fails("ethtool", "-N", IF, *udp(port=1), "action", 1)
    run("ethtool", "-K", IF, "ntuple", "on")
    ktap.equal(features()["ntuple-filters"], True, "ntuple-filters")
    came(3)


def refused():
    """Filters and contexts that the NIC cannot do are refused, and leave nothing behind."""
    apart()
    number = context("start", 2, "equal", 2)
    for spec in (udp() + ("action", 4), udp() + ("action", 100), udp() + ("context", 60),
                 udp() + ("context", number, "action", 1), udp() + ("action", 1, "loc", PLACES),
                 udp() + ("action", 1, "vlan", 5), udp() + ("action", 1, "user-def", "0x1"),
                 udp() + ("action", 1, "tos", 4), ("flow-type", "sctp4", "action", 1),
                 ("flow-type", "ether", "proto", "0x800", "action", 1),
                 ("flow-type", "ip4", "l4proto", 17, "action", 1)):
        fails("ethtool", "-N", IF, *spec)
    ktap.equal(rules(), [], "filters")
    fails("ethtool", "-X", IF, "context", number, "equal", 5)
    fails("ethtool", "-X", IF, "context", number, "hfunc", "crc32")
    fails("ethtool", "-N", IF, "delete", 3)
    came(0)


def used_queues_stay():
    """A queue that a filter or a context uses cannot be taken away, and the error tells the
    reason."""
    apart()
    add(*udp(), "action", 3)
    text = fails("ethtool", "-L", IF, "combined", 3)
    if "ntuple" not in text:
        raise AssertionError(text)
    add(*udp(), "action", 1)
    number = context("start", 3, "equal", 1)
    text = fails("ethtool", "-L", IF, "combined", 3)
    if "indirection" not in text:
        raise AssertionError(text)
    run("ethtool", "-X", IF, "context", number, "delete")
    queues(2)
    came(1)


def offset_keeps_the_table():
    """An RSS table that a filter's offset would take past the last queue is refused."""
    apart()
    number = context("equal", 2)
    add(*udp(), "context", number, "action", 2)
    text = fails("ethtool", "-X", IF, "context", number, "equal", 3)
    if "Invalid argument" not in text:      # by ioctl, which has no error text
        raise AssertionError(text)
    fails("ethtool", "-X", IF, "context", number, "delete")


def table_full():
    """256 filters fit and are all shown; the next one is refused."""
    ktap.defer(run, "ethtool", "-K", IF, "ntuple", "on")
    places = [add(*udp(port=1000 + n), "action", n % 2) for n in range(PLACES)]
    ktap.equal(rules(), sorted(places), "places")
    if "No space left" not in fails("ethtool", "-N", IF, *udp(port=999), "action", 1):
        raise AssertionError("not for want of a place")
    came(1, port=1000 + PLACES - 1)
    for place in places:
        run("ethtool", "-N", IF, "delete", place)
    ktap.equal(rules(), [], "filters left")


def refused_by_the_nic():
    """A command for a filter or a context fails: nothing of it is left in the NIC or in the
    driver, and a changed context keeps its old queues."""
    apart()
    ktap.defer(nicfault.end)
    for command, act in (("flow-set", lambda: fails("ethtool", "-N", IF, *udp(), "action", 1)),
                         ("rss-ctx-set", lambda: fails("ethtool", "-X", IF, "context", "new"))):
        nicfault.command("fail", command, 1, nicfault.FAILS)
        act()
    ktap.equal(rules(), [], "filters")
    came(0)
    number = context("start", 1, "equal", 1)
    add(*udp(), "context", number)
    nicfault.command("fail", "rss-ctx-set", 1, nicfault.FAILS)
    fails("ethtool", "-X", IF, "context", number, "equal", 1, "start", 2)
    came(1)


def not_given_back():
    """Deleting a filter or a context fails in the NIC: the driver resets the NIC, and it is
    gone."""
    apart()
    ktap.defer(nicfault.end)
    ktap.defer(run, "ethtool", "-K", IF, "ntuple", "on")
    number = context("start", 2, "equal", 1)
    add(*udp(), "action", 1)
    for command, act in (("flow-del", lambda: run("ethtool", "-K", IF, "ntuple", "off")),
                         ("rss-ctx-del", lambda: run("ethtool", "-X", IF, "context", number,
                                                     "delete"))):
        resets = stats()["resets"]
        nicfault.command("fail", command, 1, nicfault.FAILS)
        act()
        wait(f"a reset after {command}", lambda: stats()["resets"] > resets)
        setup_link()
        came(0)


def filters_of_a_change_that_fails():
    """Switching the filters on fails at the second one: none acts; at the next try all act."""
    apart()
    ktap.defer(run, "ethtool", "-K", IF, "ntuple", "on")
    ktap.defer(nicfault.end)
    add(*udp(), "action", 1, "loc", 0)
    add(*udp(port=1), "action", 1, "loc", 1)
    run("ethtool", "-K", IF, "ntuple", "off")
    nicfault.command("fail", "flow-set", 2, nicfault.FAILS)
    fails("ethtool", "-K", IF, "ntuple", "on")
    ktap.equal(features()["ntuple-filters"], False, "ntuple-filters")
    came(0)
    # The kernel remembers the wish that failed, and ignores it when it is repeated.
    run("ethtool", "-K", IF, "ntuple", "off")
    run("ethtool", "-K", IF, "ntuple", "on")
    came(1)


def flow_hash_of_context():
    """The hash fields of a context are set without a change of the port's own; a field that
    does not exist is refused."""
    number = context()
    run("ethtool", "-N", IF, "rx-flow-hash", "udp4", "s", "context", number)
    text = run("ethtool", "-n", IF, "rx-flow-hash", "udp4", "context", number)
    if "IP SA" not in text or "IP DA" in text or "L4" in text:
        raise AssertionError(text)
    if "L4 bytes 2 & 3" not in run("ethtool", "-n", IF, "rx-flow-hash", "udp4"):
        raise AssertionError("the port's own fields are others now")
    fails("ethtool", "-N", IF, "rx-flow-hash", "udp4", "v", "context", number)


def symmetric():
    """A symmetric hash refuses one field of a pair without the other, and is kept over a
    reset."""
    ktap.defer(run, "ethtool", "-X", IF, "xfrm", "none")
    run("ethtool", "-X", IF, "xfrm", "symmetric-xor")
    fails("ethtool", "-N", IF, "rx-flow-hash", "tcp4", "s")
    run("ethtool", "-t", IF, "offline")
    setup_link()
    if "symmetric-xor: on" not in run("ethtool", "-x", IF):
        raise AssertionError(run("ethtool", "-x", IF))
    transfer(1 << 20, receive=True)


def tls_flow():
    """A flow with TLS receive offload is steered to a queue: the NIC decrypts all of it
    there."""
    apart()
    ktap.defer(run, "ethtool", "-K", IF, "tls-hw-rx-offload", "off")
    run("ethtool", "-K", IF, "tls-hw-rx-offload", "on")
    add("flow-type", "tcp4", "src-ip", V4[1], "action", 3)
    before = stats()
    watch = rig.Watch()
    flow = rig.Inflow()
    flow.push(flow.stream(1 << 19))
    flow.finish()
    watch.settle("rx_tls_del", 1)
    watch.expect(rx_tls_ctx=1, rx_tls_decrypted_bytes=flow.wire, rx_tls_err=0)
    after = stats()
    if after["rx3_packets"] - before["rx3_packets"] < 300:
        raise AssertionError("the packets came elsewhere")


CASES = (tcp_steered, dropped, order, by_context, kept, set_while_down,
         filters_outlive_older_firmware, filter_stays_after_reload_while_down, switched_off,
         refused,
         used_queues_stay, offset_keeps_the_table, table_full, refused_by_the_nic,
         not_given_back, filters_of_a_change_that_fails, flow_hash_of_context, symmetric, tls_flow)


def main():
    pci()
    setup_link()
    peer("ping", "-q", "-c", 1, V4[0])
    for v6 in (False, True):
        ktap.add(f"fields of IPv{6 if v6 else 4}", fields, v6, timeout=90)
    for fn in CASES:
        ktap.add(fn.__name__.replace("_", " "), fn, timeout=90)
    ktap.main()


if __name__ == "__main__":
    main()
