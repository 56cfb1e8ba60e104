# SPDX-License-Identifier: GPL-2.0-only
"""Lab 6: a crash of the firmware, and how a test sees that the driver survives it."""
import json


class Test:
    """See the start."""

    def __init__(self, rig, nicfault):
        self.rig, self.nicfault = rig, nicfault
        self.errors_before = self.errors()
        self.seen = self.encrypted()

    def errors(self):
        """Errors counted by the reporter "fw" of the only devlink device."""
        health = json.loads(self.rig.run("devlink", "health", "show", "-j"))["health"]
        return sum(reporter["error"] for device in health.values()
                   for reporter in device if reporter["reporter"] == "fw")

    def encrypted(self):
        """The NIC's own counter, not the driver's."""
        return self.rig.counters()["dev_tls_tx_bytes"]

    def strike(self):
        """Make firmware crash."""
        self.nicfault.ask("fw-crash", 1)

    def noticed(self):
        """Has the driver noticed?"""
        return self.errors() > self.errors_before

    def recovered(self):
        """Does the NIC encrypt, since the last time that this was asked?"""
        before, self.seen = self.seen, self.encrypted()
        return self.seen > before
