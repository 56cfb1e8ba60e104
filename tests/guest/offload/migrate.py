#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS flows in a virtual machine that migrates, as often as ROUNDS in the environment says:
the card at each target has lost all contexts, and the flows are its own again, without a
byte lost. Tells the host by lines on stdout when it may migrate the machine. Started by
tests/vm/migrate_test.py."""
import os
import time

import ktap
import recover
import rig

ROUNDS = int(os.environ["ROUNDS"])


def tell(line):
    """A line for the host, which reads it before the next migration."""
    print(line, flush=True)


@ktap.case(timeout=60 + 60 * ROUNDS)
def flows_survive_migration():
    """Each time the contexts stay behind, and come back."""
    load = recover.Load()
    if not load.offloaded():
        raise AssertionError(f"no offload to begin with; {load.watch.report()}")
    for number in range(1, ROUNDS + 1):
        watch = rig.Watch()
        tell(f"flowing {number}")
        rig.wait_for(lambda watch=watch: load.errors or watch["tx_tls_lost_forgotten"], 300,
                     lambda: "the machine does not migrate")
        load.back(f"migration {number}", time.monotonic())
        ktap.equal(watch["resets"], 0, "resets of the card")
    load.finish()
    tell("ended")


if __name__ == "__main__":
    ktap.main()
