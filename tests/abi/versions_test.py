#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The minor version grows with each addition to the ABI, and nothing that exists moves:
versions.txt has every number and every member of vktls_abi.h with the minor version that
added it, and docs/abi.rst lists the additions.

versions_test.py --record adds names of the header that the record lacks, under the
header's minor version. It refuses a version that is closed: bump VKTLS_ABI_MINOR first.
"""

import hashlib
import os
import re
import sys

from abi import ABI_H, Header, TOP, host_numbers, main, write

RECORD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "versions.txt")
# Numbers of things, which grow with each addition.
COUNTS = {"VKTLS_ABI_MAJOR", "VKTLS_ABI_MINOR", "VKTLS_CMD_NUM", "VKTLS_STAT_NUM"}
HOW = "bump VKTLS_ABI_MINOR, then run tests/abi/versions_test.py --record"


def header_rows(header):
    """{name: place} of the header: numbers by value, members as OFFSET+SIZE."""
    numbers = host_numbers(header)
    rows = {n: hex(numbers[n]) for n in header.numbers if n not in COUNTS}
    for struct, members in header.structs.items():
        rows[f"struct {struct}"] = str(numbers[f"struct {struct}"])
        for member in members:
            if member == "reserved":        # may be used by additions
                continue
            key = f"{struct}.{member}"
            rows[key] = f"{numbers[key + ' offset']}+{numbers[key + ' size']}"
    return rows, numbers["VKTLS_ABI_MINOR"]


ROWS, MINOR = header_rows(Header(ABI_H))


def record_read():
    """({name: (minor, place)}, {minor: digest}) of the record."""
    since, closed = {}, {}
    with open(RECORD) as f:
        for line in f:
            if line.startswith("closed "):
                _, minor, digest = line.split()
                closed[int(minor)] = digest
            elif not line.startswith("#"):
                minor, name, place = re.fullmatch(r"(\d+) (.+) (\S+)\n", line).groups()
                since[name] = int(minor), place
    return since, closed


def digest_of(since, minor):
    text = "".join(f"{name} {place}\n" for name, (m, place) in sorted(since.items())
                   if m == minor)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def record():
    """Add to the record the header's names that it lacks."""
    since, closed = record_read()
    new = {n: (MINOR, p) for n, p in ROWS.items() if n not in since}
    if new and MINOR in closed:
        sys.exit(f"1.{MINOR} is closed: bump VKTLS_ABI_MINOR first, for " + ", ".join(new))
    since |= new
    closed[MINOR] = digest_of(since, MINOR)
    with open(RECORD) as f:
        head = [line for line in f if line.startswith("#")]
    with open(RECORD, "w") as f:
        f.writelines(head)
        for minor in sorted(closed):
            f.writelines(f"{minor} {n} {p}\n" for n, (m, p) in since.items() if m == minor)
            f.write(f"closed {minor} {closed[minor]}\n")


def additions(rows):
    since, _ = record_read()
    return [n for n in rows if n not in since]


def additions_bump_the_minor():
    new = additions(ROWS)
    assert not new, f"{', '.join(new)}: not in 1.{MINOR}; {HOW}"


def new_opcode_is_noticed():
    with open(ABI_H) as f:
        text = f.read()
    last = re.search(r"#define VKTLS_CMD_NUM\s+(\d+)\n", text)
    text = text.replace(last[0], f"#define VKTLS_CMD_OF_THIS_TEST {last[1]}\n"
                        f"#define VKTLS_CMD_NUM {int(last[1]) + 1}\n")
    rows, _ = header_rows(Header(write("new/vktls_abi.h", text)))
    assert "VKTLS_CMD_OF_THIS_TEST" in additions(rows)


def closed_versions_stay():
    """The digest of a closed version shows that no row was added to it later."""
    since, closed = record_read()
    assert max(closed) == MINOR, f"1.{MINOR} has no additions, or is not recorded; {HOW}"
    for minor, digest in closed.items():
        assert digest_of(since, minor) == digest, f"1.{minor} is closed; {HOW}"


def nothing_moves():
    since, _ = record_read()
    for name, (_, place) in since.items():
        assert name in ROWS, f"{name} is gone: that is a new major version"
        assert ROWS[name] == place, f"{name} was {place}: that is a new major version"


def document_lists_additions():
    with open(os.path.join(TOP, "docs/abi.rst")) as f:
        table = f.read().split("\nAdditions since 1.0:\n")[1].split("\n\nFirmware before")[0]
    listed, minor = {}, None
    for line in table.splitlines():
        if re.match(r"\d", line):
            minor = int(line.split()[0])
        if minor is not None:
            listed[minor] = listed.get(minor, "") + line[7:54] + " "
    for name, (minor, place) in record_read()[0].items():
        if minor == 0 or not name.startswith("VKTLS_"):
            continue
        text = listed.get(minor, "")
        if name.startswith("VKTLS_STAT_"):
            spans = re.findall(r"counters? (\d+)(?: (?:to|and) (\d+))?", text)
            here = any(int(a) <= int(place, 0) <= int(b or a) for a, b in spans)
        elif name.startswith("VKTLS_CAP_"):
            here = f"``{name}``" in table
        else:
            here = f"``{name}``" in text
        assert here, f"docs/abi.rst does not list {name} as an addition of 1.{minor}"


if sys.argv[1:] == ["--record"]:
    record()
else:
    sys.exit(main([additions_bump_the_minor, new_opcode_is_noticed, closed_versions_stay,
                   nothing_moves, document_lists_additions]))
