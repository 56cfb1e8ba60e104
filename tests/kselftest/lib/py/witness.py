# SPDX-License-Identifier: GPL-2.0
"""The kernel as a witness of the NIC's work, beside the driver's counters: trace events, in
a tracefs instance of their own."""

import os
import re
from pathlib import Path

from . import KsftSkipEx, cmd, defer

TRACEFS = Path("/sys/kernel/tracing")
INSTANCE = TRACEFS / "instances/tls_offload"
# the function by which a driver has a packet encrypted in software, and the event of a
# received record
SOFTWARE = "tls_encrypt_skb"
PROBE = "tls_offload/software"
RECEIVED = "tls/tls_device_decrypted"


def _write(path, text):
    """Write in one call and without a seek, which some files of tracefs do not have."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)
    except OSError as err:
        raise KsftSkipEx(f"no trace events: {path}: {err.strerror}") from err


class Witness:
    """Counts events from now until the end of the case."""

    def __init__(self):
        if not INSTANCE.parent.exists():
            cmd(f"mount -t tracefs none {TRACEFS}", fail=False)
        # left by a run that was killed
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
        """Count packets that the driver has encrypted in software."""
        _write(TRACEFS / "kprobe_events", f"p:{PROBE} {SOFTWARE}\n")
        defer(_write, TRACEFS / "kprobe_events", f"-:{PROBE}\n")
        self._enable(PROBE)

    def received(self):
        """Count received records."""
        self._enable(RECEIVED)

    @staticmethod
    def _lines(pattern):
        text = (INSTANCE / "trace").read_text(encoding="ascii", errors="replace")
        return sum(bool(re.search(pattern, line)) for line in text.splitlines())

    def packets_by_software(self):
        """Number of packets that the driver had encrypted in software."""
        return self._lines(r" software: ")

    def records_by_nic(self):
        """Number of records that the NIC decrypted completely."""
        return self._lines(r" tls_device_decrypted: .*encrypted=0 decrypted=1")
