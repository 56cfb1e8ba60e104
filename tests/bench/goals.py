# SPDX-License-Identifier: GPL-2.0-only
"""The goals and their figures: (figure, text, value, goal, met). The value is None, and the
goal is not met, if nothing was measured or if the sockets were elsewhere than the row says."""
from guest import MSS

WORKS = [("send", 16384, "send 16 KiB"), ("send", 1024, "send 1 KiB"),
         ("sendfile", 16384, "sendfile"), ("sendfile_zc", 16384,
         "sendfile, no copy"), ("recv", 16384, "recv 16 KiB")]
MOST_REST = {"send 16 KiB": 0.03, "sendfile": 0.03, "sendfile, no copy": 0.03,
             "send 1 KiB": 0.10, "recv 16 KiB": 0.10}
PLACES = {True: "card", False: "software"}


def find(table, machine, work, tls, size=None, key="instructions"):
    """The figure of one row; None if there is no such row or its sockets were elsewhere."""
    for row in table:
        if (row["machine"], row["work"], row["tls"]) == (machine, work, tls) and \
           size in (None, row["size"]):
            offload = machine.endswith("offloaded")
            if tls != "plain" and row["where"] != PLACES[offload]:
                return None
            return row[key] if row[key] != "" else None
    return None


def below(figure, what, value, most, form="{:.3f}"):
    met = None if value is None else value <= most
    return (figure, what, "-" if value is None else form.format(value),
            f"<= {most}", met)


def above(figure, what, value, least):
    return (figure, what, "-" if value is None else f"{value:.3f}", f">= {least}",
            None if value is None else value >= least)


def ratio(a, b):
    return None if a is None or not b else a / b


def rest_of_cost(table):
    """B1: the share of software TLS's additional cost (compared with plain TCP) that
    remains."""
    for tls in ("stock", "ours"):
        for work, size, name in WORKS:
            for version in ("1.2", "1.3") if tls == "ours" else ("1.2",):
                plain_work = "sendfile" if work == "sendfile_zc" else work
                plain = find(table, "vktls stock", plain_work, "plain", size)
                soft = find(table, "vktls stock", plain_work, version, size)
                card = find(table, f"vktls {tls}, offloaded", work, version, size)
                if work == "sendfile_zc" and version == "1.3":
                    continue
                value = None if None in (plain, soft, card) else \
                    (card - plain) / (soft - plain)
                yield below("B1", f"{name}, {version}, tls.ko {tls}: rest of the "
                            "software's cost", value, MOST_REST[name])


def software(table):
    """B2: the cost of TLS in software, with our tls.ko compared with stock."""
    for version in ("1.2", "1.3"):
        for work, size, name in WORKS:
            if work != "sendfile_zc":
                both = [find(table, f"vktls {tls}", work, version, size)
                        for tls in ("ours", "stock")]
                yield below("B2", f"{name}, {version}: ours to stock",
                            ratio(*both), 0.95)


def best_peer(table, work, key):
    found = [find(table, f"{nic} stock", work, "plain", key=key)
             for nic in ("virtio-net", "igb", "e1000e")]
    found = [value for value in found if value is not None]
    return min(found) if found else None


def driver(table):
    """B3: instructions in the driver, compared with the best driver of other NICs."""
    for work, name in (("send", "send 16 KiB, a frame"),
                       ("recv", "recv 16 KiB, a frame"),
                       ("rr", "one byte there and back")):
        for key, what in (("driver", "driver alone"), ("instructions", "all")):
            ours = find(table, "vktls stock", work, "plain", key=key)
            yield below("B3", f"{name}, {what}: vktls to the best peer",
                        ratio(ours, best_peer(table, work, key)), 0.9)


def setup_extra(table, tls, work):
    card = find(table, f"vktls {tls}, offloaded", work, "1.2")
    soft = find(table, f"vktls {tls}", work, "1.2")
    return None if None in (card, soft) else card - soft


def setup(table):
    """B4: bytes after which the offload has saved as much as its set-up costs."""
    for tls in ("stock", "ours"):
        for work, move in (("setup", "send"), ("setup_rx", "recv")):
            extra = setup_extra(table, tls, work)
            soft = find(table, f"vktls {tls}", move, "1.2", 16384)
            card = find(table, f"vktls {tls}, offloaded", move, "1.2", 16384)
            value = None
            if None not in (extra, soft, card) and soft > card:
                value = max(extra, 0) / (soft - card)
            yield below("B4", f"{move}, tls.ko {tls}: bytes to break even", value,
                        8192, "{:.0f}")


def bus(table):
    """B8: bytes and doorbells on the bus, compared with the wire."""
    for machine, work, way in (("vktls stock", "send", "tx"),
                               ("vktls stock, offloaded", "send", "tx"),
                               ("vktls stock", "recv", "rx"),
                               ("vktls ours, offloaded", "recv", "rx")):
        tls = "1.2" if machine.endswith("offloaded") else "plain"
        dma = find(table, machine, work, tls, 16384,
                   "dma_read" if way == "tx" else "dma_write")
        wire = find(table, machine, work, tls, 16384, f"wire_{way}")
        yield below("B8", f"{machine}: {work} {tls}: DMA to wire bytes",
                    ratio(dma, wire), 1.02)
    bells = find(table, "vktls stock", "send", "plain", 16384, "tx_doorbells")
    packets = find(table, "vktls stock", "send", "plain", 16384, "tx_packets")
    yield below("B8", "send 16 KiB, plain: doorbells to packets",
                ratio(bells, packets), 1.0)


LEAST_SHARE = {0.001: 0.999, 0.01: 0.99}
MOST_REREAD = {0.001: 1.01, 0.01: 1.1}


def loss(rows):
    """B5: the share of the NIC, bytes read again and goodput under loss."""
    cells = {(r["policy"], r["loss"]): r for r in rows}
    for rate, least in LEAST_SHARE.items():
        row = cells["automatic", rate]
        yield above("B5", f"loss {rate:.1%}: share of bytes that the NIC encrypts",
                    row["share"], least)
        yield below("B5", f"loss {rate:.1%}: bytes read again, to the wire's",
                    row["reread"], MOST_REREAD[rate])
    for policy, rate in cells:
        if policy == "automatic":
            others = [cells[p, rate]["mbit_virtual"]
                      for p in ("replay", "fallback") if (p, rate) in cells]
            yield above("B5", f"loss {rate:.1%}: goodput to the better policy's",
                        ratio(cells[policy, rate]["mbit_virtual"],
                              max(others, default=None)), 0.95)


def device(rows):
    """B6: the speed of the device model, compared with its crypto library alone."""
    for row in rows:
        if row["what"] in ("engine", "path"):
            yield above("B6", f"{row['library']}, {row['direction']}, "
                        f"{row['bytes']} bytes: {row['what']}, rate to the raw library's",
                        row["of_raw"], 0.75 if row["bytes"] == MSS else 0.9)


def contexts(rows):
    """B7: memory of a context, and the time of a packet with many contexts."""
    for row in rows:
        if row["library"] == "driver":
            yield below("B7", "driver: bytes of a context", row["bytes"], 256,
                        "{:.0f}")
        elif row["contexts"] == 1000:
            yield below("B7", f"device, {row['library']}: bytes of a context",
                        row["bytes"], 512, "{:.0f}")
        if row["contexts"] and row["contexts"] > 1:
            yield below("B7", f"device, {row['library']}: packet at "
                        f"{row['contexts']} contexts to one", row["of_one"], 1.5)


def firmware(rows):
    """B9: instructions of firmware for adding a context."""
    for row in rows:
        if row["command"] in ("tls_add", "tls_add_rx"):
            yield below("B9", f"{row['command']}: embedded instructions",
                        row["instructions"], 2000, "{:.0f}")


def lazy(rows):
    """B10: the cost of a connection that goes to the NIC late, compared with the better of
    always and never."""
    for row in rows:
        if row["policy"] == "lazy":
            short_or_long = row["bytes"] <= 2048 or row["bytes"] >= 1 << 20
            yield below("B10", f"lazy, {row['bytes']} bytes: to the better of always and never",
                        row["to_better"], 1.1 if short_or_long else 2.0)


# goals by the figure whose table they need
GOALS = {
    "tx": [rest_of_cost, software], "rx": [rest_of_cost, software],
    "driver": [driver], "setup": [setup], "bus": [bus],
    "lazy": [lazy], "loss": [loss], "device": [device], "contexts": [contexts], "firmware": [firmware],
}


def show(goals):
    verdicts = {True: "met", False: "NOT MET", None: "not measured"}
    print(f"\n{'':3} {'figure':64} {'value':>10} {'goal':>10}")
    for figure, what, value, goal, met in goals:
        print(f"{figure:3} {what:64} {value:>10} {goal:>10}  {verdicts[met]}")
    counts = [sum(1 for g in goals if g[4] is v) for v in (True, False, None)]
    print(f"{counts[0]} met, {counts[1]} not met, {counts[2]} not measured")
