#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Many connections are opened, used and closed (tests/guest/tools/soak.c): afterwards the
kernel uses no more memory and sockets than after the first thousand.

soak.py [COUNT]
"""
import os
import pathlib
import subprocess
import sys
import time

import ktap
import ktls
import slab

# soak.c has 16 ways to use a connection: one object left behind by one way each time
# is COUNT / 16 objects. The kernel's own caches move by some tens, and those of the
# smallest objects by a page of them, in which one is used.
WARM_UP = 1024
COUNT = int(sys.argv.pop(1)) if sys.argv[1:] else 2048
MOST_OBJECTS, LEAK = COUNT // 32, COUNT // 16
# One counter per CPU for one of the sixteen ways; the kernel returns only whole pages of
# per-CPU memory, so a part may stay
MOST_PERCPU_KIB = max(16, COUNT // 16 * 8 * os.cpu_count() // 1024)
# One page per connection of one of the sixteen ways, and a margin for other users of memory
# in this VM
MOST_FREE_KIB = 4096 + COUNT // 16 * 4


def read(path):
    return pathlib.Path(path).read_text("ascii")


def settle():
    """Wait until TIME_WAIT and deferred frees have passed, and empty the CPUs' stocks of
    free objects, which /proc/slabinfo counts as used."""
    time.sleep(2)
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3", "ascii")
    slab.shrink()
    time.sleep(1)


def most():
    """Largest number of objects by which a cache may grow."""
    return {name: max(MOST_OBJECTS, min(objects, LEAK * 9 // 10))
            for name, objects in slab.per_page().items()}


def growth(before, after):
    """{cache: increase of the objects in use}."""
    return {name: count - before.slab.get(name, 0) for name, count in after.slab.items()}


def too_many(before, after, allowed):
    """{cache: increase}, for the caches that grew by more than is allowed."""
    return {name: more for name, more in growth(before, after).items()
            if more > allowed.get(name, MOST_OBJECTS)}


def memory(name):
    """KiB, one line of /proc/meminfo."""
    return next(int(line.split()[1]) for line in read("/proc/meminfo").splitlines()
                if line.startswith(name + ":"))


def sockets():
    """Numbers of all sockets and of TCP sockets, from /proc/net/sockstat."""
    words = [line.split() for line in read("/proc/net/sockstat").splitlines()]
    return {f"{line[0]} {name}": int(value) for line in words
            if line[0] in ("sockets:", "TCP:")
            for name, value in zip(line[1::2], line[2::2])}


def connections(first, count):
    done = subprocess.run(["soak", str(first), str(count)], capture_output=True,
                          text=True, check=False)
    ktap.equal(done.returncode, 0, done.stderr)


class State:
    """Memory and sockets in use when nothing happens."""

    def __init__(self):
        settle()
        self.slab, self.sockets = slab.in_use(), sockets()
        self.percpu, self.free = memory("Percpu"), memory("MemFree")


@ktap.case(timeout=1500)
def stable():
    """After COUNT connections, caches, per-CPU memory, pages and sockets have not grown, no
    TLS socket is counted, and the module can be unloaded."""
    stat = ktls.tls_stat()
    connections(0, WARM_UP)
    before, start = State(), time.monotonic()
    connections(WARM_UP, COUNT)
    took = time.monotonic() - start
    after, allowed = State(), most()
    # A leak stays; memory that the kernel frees late, or keeps for a CPU, does not.
    for _ in range(5):
        if not too_many(before, after, allowed):
            break
        after = State()
    grown = growth(before, after)
    print(f"# {COUNT} connections in {took:.0f} s; most grown caches: "
          f"{sorted(grown.items(), key=lambda item: -item[1])[:4]}; "
          f"per CPU {after.percpu - before.percpu} KiB, "
          f"free memory {after.free - before.free} KiB")
    now = ktls.tls_stat()
    ktap.equal({name: count for name, count in now.items()
                if name.startswith("TlsCurr") and count}, {}, "sockets alive")
    if now["TlsTxSw"] - stat["TlsTxSw"] < COUNT * 3 // 2:
        raise AssertionError(f"{now['TlsTxSw']} sockets sent by kernel TLS")
    ktap.equal(after.sockets, before.sockets, "sockets")
    ktap.equal(too_many(before, after, allowed), {}, "caches that grew")
    for what, more, limit in (
            ("per-CPU memory", after.percpu - before.percpu, MOST_PERCPU_KIB),
            ("memory in use", before.free - after.free, MOST_FREE_KIB)):
        if more > limit:
            raise AssertionError(f"{what} grew by {more} KiB, allowed {limit}")
    subprocess.run(["rmmod", "tls"], check=True)


def main():
    subprocess.run(["modprobe", "tls"], check=True)
    # a connection that waits in TIME_WAIT is not a leak
    subprocess.run(["sysctl", "-qw", "net.ipv4.tcp_max_tw_buckets=16"], check=True)
    ktap.main()


main()
