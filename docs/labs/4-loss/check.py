#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Lab 4, in the guest: do the counters move as the answer says?"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
# pylint: disable=wrong-import-position
import answer
import ktap
import nicfault
import rig

WHERE = "guest"
SIZE = 1000


def retransmitted():
    """TCP's counter, of the near end."""
    with open("/proc/net/snmp", encoding="ascii") as file:
        names, values = [line.split() for line in file if line.startswith("Tcp:")]
    return int(values[names.index("RetransSegs")])


def one_lost():
    """The events of the task. Returns by how much everything moved."""
    rig.patient_tcp(ktap.defer)
    rig.offload()
    watch, before = rig.Watch(), retransmitted()
    flow = rig.Flow()
    flow.send(rig.pattern(SIZE))
    flow.drain()
    nicfault.ask("tx-drop-nth", 1)
    for _ in range(3):
        flow.send(rig.pattern(SIZE))
    flow.drain()
    flow.finish()
    return watch.moved() | {"TcpRetransSegs": retransmitted() - before}


def check(path):
    """Each line of the answer."""
    said, moved = answer.table(path), one_lost()
    wrong = [name for name in answer.table(os.path.join(HERE, "start.txt"))
             if said.get(name) != str(moved[name])]
    if wrong:
        raise answer.Wrong(f"{len(wrong)} of the numbers differ, among them that of "
                           f"{wrong[0]}: you say {said.get(wrong[0]) or 'nothing'}")


answer.verdict(check, sys.argv[1])
