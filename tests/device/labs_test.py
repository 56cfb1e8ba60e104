#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The labs of docs/labs that need no guest: each check fails on the start and passes on the
solution, and "make lab" begins with the start."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
LABS = os.path.join(TOP, "docs/labs")
NUMBERS = (1, 2, 5)


def lab(number, *words, top=TOP):
    """(status, output) of the script behind "make lab"."""
    done = subprocess.run([f"{top}/docs/labs/lab", str(number), *words],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return done.returncode, done.stdout


def start_fails(number):
    status, said = lab(number, "start")
    assert status == 1 and "not yet" in said, said


def solution_passes(number):
    status, said = lab(number, "solution")
    assert status == 0 and said.endswith("solved\n"), said


def one_own_answer_is_made_from_the_start():
    """"make lab" makes the learner's answer from the start, not from the solution. (It runs
    in a copy of the tree, because it writes there.)"""
    with tempfile.TemporaryDirectory() as top:
        shutil.copytree(LABS, f"{top}/docs/labs")
        for part in ("qemu-device", "tests", "drivers"):
            os.symlink(os.path.realpath(f"{TOP}/{part}"), f"{top}/{part}")
        status, said = lab(2, top=top)
        assert status == 1 and "Lab 2" in said and "make lab N=2" in said, said
        assert "fold at the end" not in said
        shutil.copy(f"{LABS}/2-checksum/solution.c", f"{top}/lab/2-checksum.c")
        status, said = lab(2, top=top)
        assert (status, said) == (0, "solved\n"), said


def no_such_lab():
    status, said = lab(7)
    assert status == 2 and "usage" in said, said


def every_lab_is_tested():
    """Each lab is tested here, or by tests/guest/offload/labs.py and labs_wire.py."""
    with open(f"{TOP}/tests/guest/offload/labs.py", encoding="utf-8") as file:
        guest = file.read()
    for path in glob.glob(f"{LABS}/[0-9]*"):
        name = os.path.basename(path)
        assert int(name[0]) in NUMBERS or name in guest, name


def main():
    cases = [(f"{number}_{test.__name__}", test, (number,)) for number in NUMBERS
             for test in (start_fails, solution_passes)]
    cases += [(test.__name__, test, ()) for test in
              (one_own_answer_is_made_from_the_start, no_such_lab, every_lab_is_tested)]
    failed = 0
    print(f"KTAP version 1\n1..{len(cases)}")
    for number, (name, test, args) in enumerate(cases, 1):
        try:
            test(*args)
            print(f"ok {number} {name}", flush=True)
        except AssertionError as why:
            failed += 1
            print(f"# {why}\nnot ok {number} {name}", flush=True)
    return failed


sys.exit(main())
