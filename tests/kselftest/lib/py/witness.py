# SPDX-License-Identifier: GPL-2.0
"""
The kernel's witness to the work of a NIC, beside the driver's counters: trace events, in an
instance of tracefs of their own.
"""

import os
import re
from pathlib import Path

from . import KsftSkipEx, cmd, defer

TRACEFS = Path("/sys/kernel/tracing")
INSTANCE = TRACEFS / "instances/tls_offload"
# how a driver has a packet encrypted in software; and a record that was received
SOFTWARE = "tls_encrypt_skb"
PROBE = "tls_offload/software"
RECEIVED = "tls/tls_device_decrypted"


def _write(path, text):
    """In one call, and without a seek, which not all files there can."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)
    except OSError as err:
        raise KsftSkipEx(f"no trace events: {path}: {err.strerror}") from err


class Witness:
    """Counts events from now on, until the end of the case."""

    def __init__(self):
        if not INSTANCE.parent.exists():
            cmd(f"mount -t tracefs none {TRACEFS}", fail=False)
        # of a run that was killed
        cmd(f"rmdir {INSTANCE}; echo -:{PROBE} >>{TRACEFS}/kprobe_events", shell=True, fail=False)
        try:
            INSTANCE.mkdir()
        except OSError as err:
            raise KsftSkipEx(f"no trace events: {err}") from err
        defer(INSTANCE.rmdir)

    def _enable(self, event):
        switch = INSTANCE / "events" / event / "enable"
        _write(switch, "1")
        defer(_write, switch, "0")

    def software(self):
        """Look at the packets that the driver has encrypted by software."""
        _write(TRACEFS / "kprobe_events", f"p:{PROBE} {SOFTWARE}\n")
        defer(_write, TRACEFS / "kprobe_events", f"-:{PROBE}\n")
        self._enable(PROBE)

    def received(self):
        """Look at the records that are received."""
        self._enable(RECEIVED)

    @staticmethod
    def _lines(pattern):
        text = (INSTANCE / "trace").read_text(encoding="ascii", errors="replace")
        return sum(bool(re.search(pattern, line)) for line in text.splitlines())

    def packets_by_software(self):
        """Number of packets that the driver gave to software."""
        return self._lines(r" software: ")

    def records_by_nic(self):
        """Number of records that the NIC decrypted completely."""
        return self._lines(r" tls_device_decrypted: .*encrypted=0 decrypted=1")
