# SPDX-License-Identifier: GPL-2.0-only
"""The cost of a connection by its length: on the NIC from its first byte, never on the NIC,
or on it after its first bytes (net.tls.lazy_tx_bytes)."""
import statistics

import guest
import vm

LAZY = 8192     # bytes after which the NIC has saved about as much as its set-up costs
POLICIES = {"always": 0, "never": 1 << 30, "lazy": LAZY}
LENGTHS = [1 << shift for shift in (10, 11, 12, 13, 14, 16, 18, 20, 22, 24, 26)]
BATCH = 64 << 10    # bytes in a batch, which is one connection, or up to 16
MACHINE = guest.Machine("vktls", "ours", True)


def rows():
    """{(length, policy): row}."""
    return {(length, policy): guest.Row(
        "life", "1.3", length, min(max(BATCH // length, 1), 16), 5 if length <= 1 << 20 else 2,
        f"sysctl -qw net.tls.lazy_tx_bytes={lazy}")
        for length in LENGTHS for policy, lazy in POLICIES.items()}


def measure():
    """The table of guest instructions for a whole connection, from TLS_TX to close()."""
    vm.build()
    wanted = rows()
    with vm.peer() as wire:
        result = vm.boot(wire, MACHINE, list(wanted.values()), vm.OUT / "hist/lazy")
    cost = {case: statistics.median(insns for insns, _ in counts) / row.units
            for (case, row), counts in zip(wanted.items(), result.counts)}
    about = {**vm.versions(), "kernel": result.snaps["kernel"]}
    table = []
    for length, policy in wanted:
        better = min(cost[length, "always"], cost[length, "never"])
        table.append({"bytes": length, "policy": policy,
                      "instructions": round(cost[length, policy]),
                      "to_better": round(cost[length, policy] / better, 3), **about})
    return table
