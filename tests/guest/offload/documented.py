#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""On the host: docs/tls.rst explains every TLS counter that the driver has, and
no other, and those that the kernel's document lists are there by that name; and the
tests have moved all that it explains.

    documented.py COUNTERS          a file with their names
    documented.py --moved FILE...   what they were after each test, as "name value"
"""
import collections
import pathlib
import re
import sys

DOCUMENT = pathlib.Path(__file__).resolve().parents[3] / "docs" / "tls.rst"
NAME = re.compile(r"^``([rt]x_tls_\w+)``(?: |$)", re.MULTILINE)
ANY_NAME = re.compile(r"^``((?:[rt]x_|dev_)?tls_\w+|Tls\w+)``(?: |$)", re.MULTILINE)
# per queue and in sum, how many packets went to the engine: docs/driver.rst
OTHERS = {"tx_tls_packets"}
# Documentation/networking/tls-offload.rst, "Statistics"
KERNEL = {
    "rx_tls_decrypted_packets", "rx_tls_decrypted_bytes", "rx_tls_ctx",
    "rx_tls_del", "rx_tls_resync_req_pkt", "rx_tls_resync_req_start",
    "rx_tls_resync_req_end", "rx_tls_resync_req_skip", "rx_tls_resync_res_ok",
    "rx_tls_resync_res_skip", "rx_tls_err", "tx_tls_encrypted_packets",
    "tx_tls_encrypted_bytes", "tx_tls_ctx", "tx_tls_ooo",
    "tx_tls_skip_no_sync_data", "tx_tls_drop_no_sync_data",
    "tx_tls_drop_bypass_req",
}


def documented(path):
    """What is explained exists, and the other way round."""
    explained = set(NAME.findall(DOCUMENT.read_text(encoding="utf-8")))
    names = set(pathlib.Path(path).read_text(encoding="utf-8").split())
    print("TAP version 14\n1..2")
    for name in sorted(names - explained - OTHERS):
        print(f"# {name} is not explained")
    for name in sorted(explained - names):
        print(f"# {name} is explained and does not exist")
    good = names - OTHERS == explained
    print(f"{'ok' if good else 'not ok'} 1 counters_documented")
    for name in sorted(KERNEL - names):
        print(f"# {name} is missing")
    print(f"{'not ok' if KERNEL - names else 'ok'} 2 names_of_the_kernel")
    return 0 if good and KERNEL <= names else 1


def moved(paths):
    """What is explained was more than 0 after some test; a name with Tx stands for the
    one with Rx as well."""
    most = collections.Counter()
    for path in paths:
        for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
            name, value = line.split()
            most[name] = max(most[name], int(value))
    explained = set(ANY_NAME.findall(DOCUMENT.read_text(encoding="utf-8")))
    explained |= {name.replace("TlsTx", "TlsRx") for name in explained} & set(most)
    still = sorted(name for name in explained if not most[name])
    print("TAP version 14\n1..1")
    for name in still:
        print(f"# no test has moved {name}")
    print(f"{'not ok' if still else 'ok'} 1 counters_moved")
    return 1 if still else 0


sys.exit(moved(sys.argv[2:]) if sys.argv[1] == "--moved" else documented(sys.argv[1]))
