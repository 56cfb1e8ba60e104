#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""On the host: docs/tls.rst explains every TLS counter that the driver has, and
no other.

    documented.py COUNTERS      a file with their names
"""
import pathlib
import re
import sys

DOCUMENT = pathlib.Path(__file__).resolve().parents[3] / "docs" / "tls.rst"
NAME = re.compile(r"^``([rt]x_tls_\w+)`` ", re.MULTILINE)
# per queue and in sum, how many packets went to the engine: docs/driver.rst
OTHERS = {"tx_tls_packets"}


def main():
    """Both sets are equal."""
    explained = set(NAME.findall(DOCUMENT.read_text(encoding="utf-8")))
    names = set(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").split())
    print("TAP version 14\n1..1")
    for name in sorted(names - explained - OTHERS):
        print(f"# {name} is not explained")
    for name in sorted(explained - names):
        print(f"# {name} is explained and does not exist")
    good = names - OTHERS == explained
    print(f"{'ok' if good else 'not ok'} 1 counters_documented")
    return 0 if good else 1


sys.exit(main())
