#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS flows in a virtual machine that migrates ROUNDS times (environment). The NIC at each
target starts without contexts; all flows return to the NIC, and no byte is lost, although
one segment of a hundred is. The program tells the host by lines on stdout when it may
migrate the machine. tests/vm/migrate_test.py starts it."""
import os
import threading
import time

import ktap
import ktls
import recover
import rig

ROUNDS = int(os.environ["ROUNDS"])
CHUNK = 40000
PATIENCE = 60


class Incoming:
    """Flows that receive one chunk after the other."""

    def __init__(self):
        self.flows = [rig.Inflow(version=version) for version in (ktls.TLS12, ktls.TLS13)]
        self.ended, self.errors, self.rounds = False, [], 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        ktap.defer(self.stop)

    def run(self):
        """Send and read on all flows in turn, until stop()."""
        try:
            while not self.ended:
                for flow in self.flows:
                    flow.push(flow.stream(CHUNK))
                self.rounds += 1
                time.sleep(0.05)
        except (OSError, AssertionError) as err:
            self.errors.append(repr(err))

    def decrypted(self):
        """Does the NIC decrypt most of a round of all flows?"""
        watch, start = rig.Watch(), self.rounds
        rig.wait_for(lambda: self.errors or self.rounds >= start + 2, PATIENCE,
                     lambda: f"flows stand still at {self.rounds}")
        ktap.equal(self.errors, [], "broken connections")
        return watch["rx_tls_decrypted_bytes"] >= len(self.flows) * CHUNK

    def back(self, what, start):
        """Wait until the NIC decrypts the flows again; print how long that took."""
        rig.wait_for(self.decrypted, PATIENCE, lambda: "the NIC decrypts too little")
        ktap.figure(f"{what}: decrypted again after {time.monotonic() - start:.1f} s")

    def stop(self):
        """End the thread."""
        self.ended = True
        self.thread.join(PATIENCE)

    def finish(self):
        """Every byte has been read."""
        self.stop()
        ktap.equal(self.errors, [], "broken connections")
        for flow in self.flows:
            flow.finish()


def tell(line):
    """Print a line for the host, which waits for it before the next migration."""
    print(line, flush=True)


@ktap.case(timeout=120 + 120 * ROUNDS)
def flows_survive_migration():
    """The machine migrates ROUNDS times under flows in both directions: each time the
    contexts are lost, and all flows return to the NIC without a reset."""
    rig.offload()
    rig.receive_offload()
    outgoing, incoming = recover.Load(), Incoming()
    if not outgoing.offloaded() or not incoming.decrypted():
        raise AssertionError(f"no offload to begin with; {outgoing.watch.report()}")
    for number in range(1, ROUNDS + 1):
        watch, without_loss = rig.Watch(), rig.far_loss("loss", "1%")
        tell(f"flowing {number}")
        rig.wait_for(lambda watch=watch: outgoing.errors or watch["tx_tls_lost_forgotten"],
                     300, lambda: "the machine does not migrate")
        start = time.monotonic()
        without_loss()
        outgoing.back(f"migration {number}", start)
        incoming.back(f"migration {number}", start)
        ktap.equal(watch["resets"], 0, "resets of the card")
    outgoing.finish()
    incoming.finish()
    tell("ended")


if __name__ == "__main__":
    ktap.main()
