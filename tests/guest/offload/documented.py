#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run on the host: docs/tls.rst explains exactly the TLS counters that the driver has, and
the counters that the kernel's document lists exist under the same names.

documented.py COUNTERS      a file with their names
"""
import pathlib
import re
import sys

DOCUMENT = pathlib.Path(__file__).resolve().parents[3] / "docs" / "tls.rst"
NAME = re.compile(r"^``([rt]x_tls_\w+)``(?: |$)", re.MULTILINE)
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


def main():
    """Both sets are equal."""
    explained = set(NAME.findall(DOCUMENT.read_text(encoding="utf-8")))
    names = set(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").split())
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


sys.exit(main())
