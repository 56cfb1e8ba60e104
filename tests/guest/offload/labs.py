#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The labs of docs/labs that are checked in a guest: the check of each lab fails on its
start and passes on its solution."""
import glob
import os
import subprocess

import ktap

LABS = "/opt/vktls/labs"


def check(lab, answer, status, word):
    """The lab's check gives this answer file this exit status and this last line."""
    path, = glob.glob(f"{lab}/{answer}.*")
    done = subprocess.run([f"{lab}/check.py", path], capture_output=True, text=True,
                          check=False)
    if (done.returncode, done.stdout.rpartition("\n")[0].rpartition("\n")[2][:len(word)]) \
            != (status, word):
        raise AssertionError(f"status {done.returncode}: {done.stdout}{done.stderr}")


def capture():
    """Make the connection of the lab on records, for the capture; labs_wire.py checks the
    lab with it."""
    subprocess.run([f"{LABS}/3-record/send"], check=True)


ktap.add("capture", capture)
for number in ("4-loss", "6-fault"):
    ktap.add(f"{number}_start", check, f"{LABS}/{number}", "start", 1, "not yet",
             timeout=120)
    ktap.add(f"{number}_solution", check, f"{LABS}/{number}", "solution", 0, "solved",
             timeout=120)
ktap.main()
