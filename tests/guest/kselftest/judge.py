#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run programs of tests/kselftest in the guest, and compare each result with the one that
this NIC and this tls.ko must give: a skip or an expected failure that is not listed here is
a failure.

judge.py PROGRAM...         on vktls
judge.py --none PROGRAM...  on a NIC without TLS: everything skips

The output of each program is left for the host, for docs/kselftest-verdict.*.
"""
import os
import re
import subprocess
import sys

FOLDER = "/opt/selftests/drivers/net/hw/tls"
POINT = re.compile(r"(not ok|ok) \d+ (\S+?)(?: # (SKIP|XFAIL) (.*))?$")
PLAN = re.compile(r"1\.\.(\d+)$")
NEVER = r"not permitted: set TLS_SUSPEND=1"
# by tls.ko: reasons for which a case may skip
SKIPS = {
    "ours": re.compile(NEVER),
    "stock": re.compile(rf"{NEVER}|does not take TLS (1\.3|1\.2 chacha)|without KeyUpdate"),
}
# by tls.ko: cases in which the distribution's tls.ko fails and our driver cannot help it
XFAILS = {
    "ours": set(),
    "stock": {"tls_known.counted_after_link_down", "tls_known.never_again_after_link_down",
              "tls_known.never_again_without_room", "tls_known.sender_of_32_bits"},
}


def tls_module():
    """The guest's tls.ko: "stock" or "ours"."""
    with open("/run/vktls/env", encoding="ascii") as env:
        return "stock" if "TLS=stock" in env.read().split() else "ours"


def wrong(name, status, directive, why, none):
    """None if the result is the expected one, otherwise a text about it."""
    module = tls_module()
    if status != "ok":
        return "failed"
    if none:
        return None if directive == "SKIP" else "runs on a NIC without TLS"
    if directive == "SKIP" and not SKIPS[module].search(why):
        return f"skipped: {why}"
    if directive == "XFAIL" and name not in XFAILS[module]:
        return f"fails as expected, but not of this tls.ko: {why}"
    return None


def run(program):
    """Run one program. Yields its output line by line, and copies it to the host; the
    program is killed when the caller stops reading."""
    with open(f"/mnt/host/{program}.log", "w", encoding="utf-8") as log, subprocess.Popen(
            [f"{FOLDER}/{program}.py"], cwd=FOLDER, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        try:
            for line in process.stdout:
                log.write(line)
                yield line.rstrip("\n")
        finally:
            process.kill()


def points(program, none):
    """(is it right?, name, text) of each case of a program, and one more if the program
    ended early."""
    plan, count = None, 0
    for line in run(program):
        if (match := POINT.match(line)):
            status, name, directive, why = match.groups()
            problem = wrong(name, status, directive, why or "", none)
            count += 1
            yield not problem, name, problem
        elif (match := PLAN.match(line)):
            plan = int(match[1])
        else:
            print(f"# {line}", flush=True)
    if plan != count or not count:
        yield False, program, f"planned {plan} cases, ran {count}"


def main():
    """Run all programs as one KTAP stream."""
    args = sys.argv[1:]
    none = args[0] == "--none"
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1")
    print("TAP version 14")
    number, failed = 0, 0
    for program in args[none:]:
        for good, name, problem in points(program, none):
            number += 1
            failed += not good
            if problem:
                print(f"# {name}: {problem}")
            print(f"{'ok' if good else 'not ok'} {number} {name}", flush=True)
            if failed and os.environ.get("FIRST"):
                return 1
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
