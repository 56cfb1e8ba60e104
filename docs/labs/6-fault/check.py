#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Lab 6, in the guest: does the answer tell a NIC that works from one that does not?"""
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
# pylint: disable=wrong-import-position
import answer
import ktap
import nicfault
import rig

WHERE = "guest"
FLOWS, PATIENCE = 4, 60 * ktap.SLOW


class Senders:
    """Connections that send until they are told to end."""

    def __init__(self):
        self.flows = [rig.Flow() for _ in range(FLOWS)]
        self.go, self.ended, self.errors = threading.Event(), False, []
        self.go.set()
        self.threads = [threading.Thread(target=self.run, args=(flow,), daemon=True)
                        for flow in self.flows]
        for thread in self.threads:
            thread.start()

    def run(self, flow):
        """One connection."""
        try:
            while not self.ended:
                self.go.wait()
                flow.send(rig.pattern(5000))
                time.sleep(0.05)
        except OSError as err:
            self.errors.append(err)

    def finish(self):
        """Every byte has arrived."""
        self.ended = True
        self.go.set()
        for thread in self.threads:
            thread.join()
        if self.errors:
            raise answer.Wrong(f"a connection broke: {self.errors[0]}")
        for flow in self.flows:
            flow.finish()


def until(ask, what):
    """Poll the answer."""
    end = time.monotonic() + PATIENCE
    while not ask():
        if time.monotonic() > end:
            raise answer.Wrong(what)
        time.sleep(0.2)


def no_traffic(test, senders):
    """Nothing is sent: nothing can be encrypted."""
    senders.go.clear()
    time.sleep(1)
    for flow in senders.flows:
        flow.drain()
    rig.counters()
    test.recovered()
    if test.recovered():
        raise answer.Wrong("recovered() is true while nothing is sent at all")
    senders.go.set()


def check(path):
    """Before, during, after."""
    rig.offload()
    crashes = nicfault.count("fw-crash")
    test, senders = answer.load(path).Test(rig, nicfault), Senders()
    until(test.recovered, "recovered() is false while the NIC works")
    no_traffic(test, senders)
    until(test.recovered, "recovered() is false while the NIC works")
    if test.noticed():
        raise answer.Wrong("noticed() is true before anything has happened")
    test.strike()
    until(test.noticed, "noticed() stays false")
    if nicfault.count("fw-crash") == crashes:
        raise answer.Wrong("firmware has not crashed")
    watch = rig.Watch()
    until(test.recovered, "recovered() stays false")
    rig.wait_for(lambda: watch["dev_tls_tx_bytes"] > 0, PATIENCE,
                 lambda: "the NIC does not encrypt")
    senders.finish()


answer.verdict(check, sys.argv[1])
