#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run on the host after labs.py: the check of the lab on records, with the guest's capture."""
import os
import subprocess
import sys

LAB = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                   "../../../docs/labs/3-record")


def main():
    """The check fails on the start and passes on the solution."""
    failed = 0
    print("TAP version 14\n1..2")
    for number, (answer, status) in enumerate((("start", 1), ("solution", 0)), 1):
        done = subprocess.run(["/usr/bin/python3", f"{LAB}/check.py",
                               f"{LAB}/{answer}.txt", sys.argv[1]],
                              capture_output=True, text=True, check=False)
        word = "ok" if done.returncode == status else "not ok"
        failed += word != "ok"
        print(f"# {(done.stdout + done.stderr).strip()}\n{word} {number} 3-record_{answer}")
    return failed


sys.exit(main())
