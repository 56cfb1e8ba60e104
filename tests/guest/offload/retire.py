#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Connections leave, one by one after a KeyUpdate, a NIC that takes no next key: the send
that takes its connection from the NIC waits neither for a grace period nor for other
connections.

retire.py [CONNECTIONS [ROUNDS]]        (200, 2)
"""
import resource
import sys
import time

import ktap
import ktls
import nicfault
import rig

COUNT, ROUNDS = (int(arg) for arg in (sys.argv[1:] + ["200", "2"][len(sys.argv) - 1:]))
del sys.argv[1:]


class Flow(rig.Flow):
    """A connection of which the content is not checked."""

    def rekey(self):
        """Send a KeyUpdate and set the next key. All bytes of the old key are acknowledged
        soon afterwards."""
        ktls.send_record(self.near, ktls.KEY_UPDATE, ktls.HANDSHAKE)
        key = ktls.Key(version=ktls.TLS13)
        self.near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, key.crypto_info())

    def take(self):
        """Read all that the far end has received."""
        self.far.setblocking(False)
        try:
            while self.far.recv(1 << 16):
                pass
        except BlockingIOError:
            pass


def back(watch, flows, wanted):
    """Send on each flow until the flows have returned to the NIC WANTED times in all."""
    end = time.monotonic() + 120
    while watch["TlsTxDeviceAgain"] < wanted:
        for flow in flows:
            flow.near.send(b"y")
            flow.take()
        if time.monotonic() > end:
            raise AssertionError(f"not back on the NIC; {watch.report()}")


@ktap.case(timeout=850)
def one_by_one():
    """COUNT connections leave the NIC after a KeyUpdate each, and all return: prints the
    time of the sends that do it, and the longest of them."""
    nicfault.one_key(ktap.defer)
    watch = rig.Watch()
    flows = [Flow(version=ktls.TLS13, reading=False) for _ in range(COUNT)]
    watch.expect(TlsTxDevice=COUNT)
    spent = longest = 0
    for number in range(ROUNDS):
        for flow in flows:
            flow.rekey()
        time.sleep(1)
        for flow in flows:
            flow.take()
            begin = time.monotonic()
            flow.near.send(b"x")
            took = time.monotonic() - begin
            spent, longest = spent + took, max(longest, took)
        watch.expect(TlsTxLeftRekey=COUNT * (number + 1))
        back(watch, flows, COUNT * (number + 1))
    ktap.figure(f"{COUNT * ROUNDS} retirements among {COUNT} connections: {spent:.2f} s, "
                f"the longest {longest * 1000:.1f} ms")
    for flow in flows:
        flow.near.close()
        flow.far.close()
    watch.settle("TlsCurrTxDevice", 0)


resource.setrlimit(resource.RLIMIT_NOFILE, (4 * COUNT + 100, 4 * COUNT + 100))
rig.offload()
ktap.main()
