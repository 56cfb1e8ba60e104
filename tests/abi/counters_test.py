#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A counter has a member in an enum, a name in a table and a row in a document: none of the
three exists without the others, and no two counters have one name. (A member without a name
would be shown with an empty one.)"""

import os
import re
import sys

from abi import TOP, main

DRIVER = "drivers/net/ethernet/vktls/"
# counted by the list in the kernel's include/uapi/linux/snmp.h
KERNEL_MIBS = "LINUX_MIB_TLS"


def read(path):
    """A file of the tree."""
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def plain(text):
    """C without comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def documents():
    """All of docs/ in one text."""
    folder = os.path.join(TOP, "docs")
    return "\n".join(read(os.path.join("docs", name)) for name in sorted(os.listdir(folder))
                     if name.endswith(".rst"))


def members(path, pattern):
    """The names in a header that match a pattern, each once, in order."""
    return list(dict.fromkeys(re.findall(rf"^\s+({pattern})\b(?=\s*[,=]|\s*$)",
                                         plain(read(path)), re.M)))


def table(path, pattern):
    """{member: name} of a table with designated initializers."""
    return dict(re.findall(rf"\[({pattern})\] = \"([^\"]*)\"", read(path)))


def agree(places, names, shown=lambda name: name):
    """Members and names are in one-to-one relation, and each name is explained in docs/."""
    texts = documents()
    problems = [f"{place} has no name" for place in places if not names.get(place)]
    problems += [f"{place} has a name and no place" for place in names if place not in places]
    problems += [f"{name} is the name of two" for name in set(names.values())
                 if list(names.values()).count(name) > 1]
    problems += [f"{shown(name)} is in no document" for name in names.values()
                 if not re.search(rf"``{re.escape(shown(name))}\b", texts)]
    assert places and not problems, "\n".join(problems) or "nothing was found"


def counters_of_tls():
    """ethtool -S, the counters rx_tls_* and tx_tls_* of the driver."""
    pattern = r"KTLS_(?!STATS_NUM)\w+"
    header = plain(read(DRIVER + "ktls_stats.h"))
    body = re.search(r"enum vktls_ktls_stat \{(.*?)\}", header, re.S)[1]
    agree(re.findall(pattern, body), table(DRIVER + "ktls_stats.c", pattern))


def counters_of_sending_queues():
    """ethtool -S, the counters tx_* of a queue."""
    pattern = r"TXS_(?!NUM)\w+"
    agree(members(DRIVER + "tx_ring.h", pattern), table(DRIVER + "stats.c", pattern),
          lambda name: "tx_" + name)


def counters_of_receiving_queues():
    """ethtool -S, the counters rx_* of a queue."""
    pattern = r"RXS_(?!NUM)\w+"
    agree(members(DRIVER + "rx_ring.h", pattern), table(DRIVER + "stats.c", pattern),
          lambda name: "rx_" + name)


def counters_of_the_nic():
    """ethtool -S, the counters dev_*: their names are those of vktls_abi.h, and
    docs/abi.rst explains them."""
    places = re.findall(r"^#define (VKTLS_STAT_(?!NUM)\w+)", read(DRIVER + "vktls_abi.h"), re.M)
    names = table(DRIVER + "stats.c", r"VKTLS_STAT_(?!NUM)\w+")
    assert places, "nothing was found"
    wrong = [f"{place} is {names.get(place)!r}" for place in places
             if names.get(place) != place[len("VKTLS_STAT_"):].lower()]
    assert not wrong, "\n".join(wrong)


def counters_of_a_namespace():
    """/proc/net/tls_stat of our tls.ko."""
    stats = plain(read("net/tls/stats.c"))
    names = {place: name for name, place in
             re.findall(r'SNMP_MIB_ITEM\("(\w+)",\s*(\w+)\)', stats)}
    ours = {place: name for place, name in names.items() if not place.startswith(KERNEL_MIBS)}
    places = re.findall(r"^\s+(TLS_MIB_\w+)(?=,| = LINUX)", plain(read("net/tls/stats.h")), re.M)
    agree([place for place in places if not place.endswith("_WHY")], ours)


def reasons_of_a_namespace():
    """The counters Tls{Tx,Rx}REASON in /proc/net/tls_stat: each reason has a name and is
    explained."""
    policy = plain(read("net/tls/offload_policy.h"))
    reasons = [name for which in ("why", "left") for name in
               re.findall(r"\bTLS_\w+", re.search(rf"enum tls_{which} \{{(.*?)\}}",
                                                   policy, re.S)[1])]
    stats = plain(read("net/tls/stats.c"))
    names = re.findall(r'"(\w+)"', re.search(r"tls_reasons\[\] = \{(.*?)\}", stats, re.S)[1])
    assert len(reasons) == len(names), f"{reasons}, but {names}"
    texts = documents()
    silent = [name for name in names if name not in texts]
    assert not silent, f"{silent}: in no document"


if __name__ == "__main__":
    sys.exit(main([counters_of_tls, counters_of_sending_queues, counters_of_receiving_queues,
                   counters_of_the_nic, counters_of_a_namespace, reasons_of_a_namespace]))
