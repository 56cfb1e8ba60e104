#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Flow filters and RSS contexts through real firmware: the queues of frames, the state
after resets and deletions, and hosts that use things that do not exist."""

import sys

from nic import ABI, MAC, PEER, RxQueue, case, main, pack
from packets import TCP, UDP, V4, V6, ethernet, ip, payload, tcp, udp
import tlsrx_test as tlsrx

QUEUES = 4
ALL = ABI.RSS_SRC | ABI.RSS_DST | ABI.RSS_SRC_PORT | ABI.RSS_DST_PORT
ADDRS = ABI.RSS_SRC | ABI.RSS_DST
FIELDS = (ADDRS, ALL, ADDRS, ALL, ALL, ALL)
KEY = bytes(range(1, 41))


def start(nic, *flags):
    nic.boot().up("RSS", *flags)
    return [RxQueue(nic, n) for n in range(QUEUES)]


def rss_ctx(nic, number, table, fields=FIELDS, key=KEY, status="OK", plain=0):
    data = pack("rss_ctx", key=key, fields=bytes(fields), input=plain,
                table=bytes(table) * (ABI.RSS_ENTRIES // len(table)))
    addr = nic.m.alloc(len(data))
    nic.m.write(addr, data)
    nic.command("RSS_CTX_SET", pack("buf", addr=addr, len=len(data), arg=number), status)


def key(src_port=None, dst_port=None, src=None, dst=None):
    """Value and mask of a filter that compares the given fields."""
    sides = []
    for whole in (True, False):
        sides.append(pack("flow_key", **{
            name: given if whole else b"\xff" * len(given)
            for name, given in (("src_port", src_port), ("dst_port", dst_port),
                                ("src", src), ("dst", dst)) if given}))
    return dict(value=sides[0], mask=sides[1])


def flow(nic, place, action, version=4, proto=TCP, status="OK", queue=0, ctx=0, **match):
    nic.command("FLOW_SET", pack("flow_filter", place=place, action=action, queue=queue,
                                 rss_ctx=ctx, ip_version=version, proto=proto,
                                 **key(**match)), status)


def frame(version=4, proto=TCP, ports=(443, 50000), data=b"abc"):
    build = tcp if proto == TCP else udp
    return ethernet(0x0800 if version == 4 else 0x86dd,
                    ip(version, proto, build(version, data, ports=ports)), MAC, PEER)


def arrives(nic, queues, data, number):
    """Send a frame, which arrives in that queue. Returns its completion."""
    nic.wire.send(data)
    got, cpl = queues[number].receive()
    assert got == data
    queues[number].fill()
    return cpl


def counts(nic, *names):
    stats = nic.stats()
    return [stats[name] for name in names]


@case(queues=QUEUES)
def to_a_queue(nic):
    """A filter on each field alone, and on all of them, for both protocols and IP versions,
    sends its frames to its queue, and no other frames."""
    queues = start(nic)
    rss_ctx(nic, 0, (0,))
    for version, (src, dst) in ((4, V4), (6, V6)):
        for proto in (TCP, UDP):
            fields = dict(src_port=(443).to_bytes(2, "big"),
                          dst_port=(50000).to_bytes(2, "big"), src=src, dst=dst)
            for match in [{n: v} for n, v in fields.items()] + [fields, {}]:
                flow(nic, 9, ABI.FLOW_QUEUE, version, proto, queue=3, **match)
                cpl = arrives(nic, queues, frame(version, proto), 3)
                assert cpl["flags"] & ABI.RXC_HASH_L4, "no hash beside the filter"
                other = UDP if proto == TCP else TCP
                arrives(nic, queues, frame(version, other), 0)
            if proto == TCP:
                arrives(nic, queues, frame(10 - version, proto), 0)
    assert counts(nic, "RX_FLOW_HITS") == [24]


@case(queues=QUEUES)
def one_bit_off(nic):
    queues = start(nic)
    rss_ctx(nic, 0, (1,))
    flow(nic, 0, ABI.FLOW_QUEUE, queue=2, src_port=(443).to_bytes(2, "big"), dst=V4[1])
    arrives(nic, queues, frame(), 2)
    arrives(nic, queues, frame(ports=(442, 50000)), 1)
    arrives(nic, queues, frame(ports=(443, 50001)), 2)


@case(queues=QUEUES)
def dropped(nic):
    """A filter drops a frame: it is counted and in no queue, and other frames arrive."""
    queues = start(nic)
    flow(nic, 255, ABI.FLOW_DROP, proto=UDP, dst_port=b"\x00\x35")
    nic.wire.send(frame(proto=UDP, ports=(9, 53)))
    nic.m.wait(lambda: counts(nic, "RX_FLOW_DROPS") == [1], "drop")
    arrives(nic, queues, ethernet(0x88b5, payload(100), MAC, PEER), 0)
    assert counts(nic, "RX_FRAMES", "RX_FLOW_HITS", "RX_FLOW_DROPS") == [1, 1, 1]


@case(queues=QUEUES)
def lowest_place_wins(nic):
    queues = start(nic)
    flow(nic, 7, ABI.FLOW_QUEUE, queue=1)
    flow(nic, 3, ABI.FLOW_QUEUE, queue=2)
    flow(nic, 200, ABI.FLOW_QUEUE, queue=3)
    arrives(nic, queues, frame(), 2)
    nic.command("FLOW_DEL", pack("flow_ref", place=3))
    arrives(nic, queues, frame(), 1)
    nic.command("FLOW_DEL", pack("flow_ref", place=3), "NOENT")
    nic.command("FLOW_DEL", pack("flow_ref", place=7))
    arrives(nic, queues, frame(), 3)


@case(queues=QUEUES)
def by_rss_context(nic):
    """A filter with an RSS context: the hash has the context's key and fields, the queue
    comes from its table, and the filter's offset is added."""
    queues = start(nic)
    rss_ctx(nic, 0, (0,))
    rss_ctx(nic, 5, (1,), key=bytes(40))
    rss_ctx(nic, 6, (1,), fields=(ADDRS,) * 6)
    flow(nic, 0, ABI.FLOW_RSS, ctx=5)
    cpl = arrives(nic, queues, frame(), 1)
    assert (cpl["hash"], cpl["flags"] & ABI.RXC_HASH_L4) == (0, ABI.RXC_HASH_L4)
    flow(nic, 0, ABI.FLOW_RSS, ctx=6, queue=2)
    cpl = arrives(nic, queues, frame(), 3)
    assert cpl["hash"] and cpl["flags"] & ABI.RXC_HASH_L3
    assert arrives(nic, queues, frame(6), 0)["hash"]


@case(queues=QUEUES)
def contexts_in_use_stay(nic):
    start(nic)
    rss_ctx(nic, 5, (1,))
    flow(nic, 0, ABI.FLOW_RSS, ctx=5)
    nic.command("RSS_CTX_DEL", pack("rss_ref", ctx=5), "STATE")
    flow(nic, 0, ABI.FLOW_QUEUE)
    nic.command("RSS_CTX_DEL", pack("rss_ref", ctx=5))
    nic.command("RSS_CTX_DEL", pack("rss_ref", ctx=5), "NOENT")
    flow(nic, 0, ABI.FLOW_RSS, ctx=5, status="NOENT")
    flow(nic, 1, ABI.FLOW_RSS, ctx=63, status="NOENT")


@case(queues=QUEUES)
def beyond_the_last_queue(nic):
    """A filter's offset leads to a queue that does not exist: that frame is lost, and other
    frames arrive."""
    queues = start(nic)
    rss_ctx(nic, 1, (2,))
    flow(nic, 0, ABI.FLOW_RSS, ctx=1, queue=3)
    nic.wire.send(frame())
    nic.m.wait(lambda: counts(nic, "RX_NO_BUFFER") == [1], "no buffer")
    arrives(nic, queues, ethernet(0x88b5, payload(100), MAC, PEER), 0)


@case(queues=QUEUES)
def symmetric(nic):
    """With a symmetric hash, both directions of a connection have the same hash; without
    it, they have different ones."""
    queues = start(nic)
    src, dst = V4
    there = frame()
    packet = there[14:26] + dst + src + there[34:]
    back = ethernet(0x0800, packet[:20] + packet[22:24] + packet[20:22] + packet[24:],
                    MAC, PEER)
    for plain, same in ((ABI.RSS_PLAIN, False), (ABI.RSS_XOR, True),
                        (ABI.RSS_OR_XOR, True)):
        rss_ctx(nic, 0, (0,), plain=plain)
        hashes = [arrives(nic, queues, f, 0)["hash"] for f in (there, back)]
        assert all(hashes) and (hashes[0] == hashes[1]) == same, hashes
    rss_ctx(nic, 0, (0,), plain=ABI.RSS_XOR, fields=(ABI.RSS_SRC,) * 6, status="PARAM")


@case(queues=QUEUES)
def reset_forgets(nic):
    start(nic)
    rss_ctx(nic, 5, (1,))
    flow(nic, 0, ABI.FLOW_RSS, ctx=5)
    nic.write(ABI.REG_CTRL, ABI.CTRL_RESET)
    queues = start(nic)
    nic.command("RSS_CTX_DEL", pack("rss_ref", ctx=5), "NOENT")
    nic.command("FLOW_DEL", pack("flow_ref", place=0), "NOENT")
    assert not arrives(nic, queues, frame(), 0)["flags"] & ABI.RXC_HASH_L4


@case(queues=QUEUES)
def tls_flow_steered_and_dropped(nic):
    """A filter steers a flow whose records the NIC decrypts. A packet that a filter drops
    does not touch its context: sent again, it is decrypted."""
    queues = start(nic, "RX_CSUM")
    peer = tlsrx.Flow(nic, queues[2], sizes=(100, 200))
    flags = tlsrx.DECRYPTED | ABI.RXC_HASH_L4
    rss_ctx(nic, 0, (0,))
    flow(nic, 4, ABI.FLOW_QUEUE, queue=2, src_port=(443).to_bytes(2, "big"))
    peer.rec(0, flags=flags)
    flow(nic, 3, ABI.FLOW_DROP, dst_port=(50000).to_bytes(2, "big"))
    nic.wire.send(peer.frame(peer.starts[1], len(peer.wire)))
    nic.m.wait(lambda: counts(nic, "RX_FLOW_DROPS") == [1], "drop")
    nic.command("FLOW_DEL", pack("flow_ref", place=3))
    peer.rec(1, flags=flags)
    assert counts(nic, "TLS_RX_LOST", "TLS_RX_LATE") == [0, 0]


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
