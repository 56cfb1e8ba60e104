# SPDX-License-Identifier: GPL-2.0-only
"""The figures that are counted in a guest: the rows that run on each machine, and the
computation of results from them."""
import dataclasses
import statistics
import sys

import functions
import vm

MSS = 1448
MEGA = 1e6


@dataclasses.dataclass(frozen=True)
class Machine:
    nic: str
    tls: str
    offload: bool = False

    @property
    def name(self):
        return f"{self.nic} {self.tls}" + (", offloaded" if self.offload else "")


@dataclasses.dataclass(frozen=True)
class Row:
    """One run of load.c."""
    mode: str
    tls: str
    size: int
    count: int
    batches: int = 9
    before: str = "true"    # command that the guest runs first

    @property
    def name(self):
        return f"{self.mode}-{self.tls}-{self.size}"

    @property
    def units(self):
        """The number by which the result of a batch is divided: bytes, connections or round
        trips."""
        return self.count if self.mode[:5] in ("setup", "rr", "life") else \
            self.size * self.count


PEERS = [Machine("virtio-net", "stock"), Machine("igb", "stock"),
         Machine("e1000e", "stock")]
OURS = [Machine("vktls", "stock"), Machine("vktls", "ours"),
        Machine("vktls", "stock", True), Machine("vktls", "ours", True)]

# figure: [(mode, bytes in a call, calls in a batch)]
WORK = {
    "tx": [("send", 16384, 256), ("send", 1024, 2048), ("sendfile", 16384, 256)],
    "rx": [("recv", 16384, 256)],
    "setup": [("setup", 1, 64), ("setup_rx", 1, 64)],
    "driver": [("rr", 1, 1000)],
}
NEEDS = {"driver": ["driver", "tx", "rx"], "bus": ["tx", "rx"]}
FIGURES = [*WORK, "bus"]


def works(figures):
    names = []
    for figure in figures:
        names += [n for n in NEEDS.get(figure, [figure]) if n not in names]
    return [work for name in names for work in WORK[name]]


def tls_of(machine, mode):
    """The kinds of TLS for one kind of work: none, and the versions."""
    if mode == "rr":
        return ["plain"]
    if machine.offload:
        return ["1.2", "1.3"] if machine.tls == "ours" else ["1.2"]
    if machine in PEERS:
        return [] if mode[:5] == "setup" else ["plain", "1.2"]
    return ["plain", "1.2", "1.3"]


def rows_of(machine, figures, batches):
    rows = []
    for mode, size, count in works(figures):
        if machine.nic != "vktls" and mode[:5] == "setup":
            continue
        rows += [Row(mode, tls, size, count, batches)
                 for tls in tls_of(machine, mode)]
        if machine.offload and mode == "sendfile":
            rows.append(Row("sendfile_zc", "1.2", size, count, batches))
    return rows


def summarize(machine, result, about, folder):
    """One dictionary per row, with results per unit."""
    out = []
    profiles = functions.profiles(folder)
    about = {**about, "kernel": result.snaps["kernel"],
             "crypto": result.snaps["crypto"]}
    for number, row in enumerate(result.rows):
        insns = [i / row.units for i, _ in result.counts[number]]
        copied = [c / row.units for _, c in result.counts[number]]
        middle = statistics.median(insns)
        out.append({
            "machine": machine.name, "work": row.mode, "tls": row.tls,
            "size": row.size, "where": result.places[number],
            "instructions": round(middle, 4), "low": round(sorted(insns)[min(1, len(insns) - 1)], 4),
            "copied": round(statistics.median(copied), 4),
            "spread": round((max(insns) - min(insns)) / middle, 4),
            "driver": round(functions.driver_part(machine.nic, profiles[number]) /
                            row.units / row.batches, 4),
            **bus_of(row, result.stats[number]), **about,
        })
    return out


# {driver: {our name of a counter: its name in that driver}}
BUS = {
    "doorbells": ["dev_doorbells", "tx0_kicks"],
    "tx_doorbells": ["tx_doorbells", "tx0_kicks"],
    "interrupts": ["irqs"],
    "tx_descs": ["dev_tx_descs"],
    "rx_descs": ["dev_rx_descs"],
    "tx_packets": ["tx_csum_partial"],
    "dma_read": ["dev_dma_read_bytes"],
    "dma_write": ["dev_dma_write_bytes"],
    "wire_tx": ["dev_tx_bytes", "tx_bytes", "tx0_bytes"],
    "wire_rx": ["dev_rx_bytes", "rx_bytes", "rx0_bytes"],
}


def bus_of(row, stats):
    """Bytes on the bus per megabyte of payload; '' if the driver does not count them."""
    megas = row.units * row.batches / MEGA
    out = {}
    for name, keys in BUS.items():
        found = [stats[key] for key in keys if key in stats]
        out[name] = round(found[0] / megas, 3) if found and megas > 1 else ""
    return out


def hist_folder(machine):
    return vm.OUT / "hist" / machine.name.replace(",", "").replace(" ", "-")


def measure(figures, machines, batches):
    """Measure all rows of these figures, with one boot per machine."""
    table = []
    about = vm.versions()
    with vm.peer() as wire:
        for number, machine in enumerate(machines, 1):
            rows = rows_of(machine, figures, batches)
            if not rows:
                continue
            print(f"[{number}/{len(machines)}] {machine.name}", file=sys.stderr)
            folder = hist_folder(machine)
            result = vm.boot(wire, machine, rows, folder)
            table += summarize(machine, result, about, folder)
    return table
