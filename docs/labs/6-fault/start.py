# SPDX-License-Identifier: GPL-2.0-only
"""Lab 6: a crash of the firmware, and how a test sees that the driver survives it."""


class Test:
    """
    rig: tests/guest/lib/rig.py; rig.run(...) runs a command, rig.counters() is
        "ethtool -S" as a dictionary
    nicfault: tests/guest/lib/nicfault.py
    """

    def __init__(self, rig, nicfault):
        self.rig, self.nicfault = rig, nicfault

    def strike(self):
        """Make firmware crash."""

    def noticed(self):
        """Has the driver noticed?"""
        return True

    def recovered(self):
        """Does the NIC encrypt, since the last time that this was asked?"""
        return True
