#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run on the host after a guest: tshark decrypts every session of a capture with the log of
its keys, and finds in each direction the data that the guest sent.

matrix_wire.py CAPTURE KEYS DIGESTS

DIGESTS has one line per session: digests of the data that the two ends sent. tshark
itself follows KeyUpdates.
"""
import hashlib
import subprocess
import sys

PORT = 4433
OPTIONS = ("-o", "tcp.check_checksum:TRUE", "-o",
           "tcp.reassemble_out_of_order:TRUE", "-d", f"tcp.port=={PORT},tls")


def tshark(capture, keys, *words):
    """Run tshark; the lines of its output."""
    done = subprocess.run(["tshark", "-r", capture, "-n", *OPTIONS, "-o",
                           f"tls.keylog_file:{keys}", *words], check=True,
                          capture_output=True, text=True)
    return done.stdout.splitlines()


def sessions(capture, keys):
    """The numbers by which tshark calls the connections to PORT."""
    lines = tshark(capture, keys, "-T", "fields", "-e", "tcp.stream", "-Y",
                   f"tcp.dstport=={PORT} && tcp.flags.syn==1")
    return sorted(set(map(int, lines)))


def content(lines):
    """(digest, digest) of the data that client and server sent, for each session."""
    both = None
    for line in lines:
        if line.startswith("Follow: tls"):
            both = [hashlib.sha256(), hashlib.sha256()]
        elif line.startswith("====") and both and line.strip("=") == "":
            yield tuple(one.hexdigest() for one in both)
            both = None
        elif both and not line.startswith(("Filter:", "Node ")):
            both[line.startswith("\t")].update(bytes.fromhex(line.strip()))


def opened(capture, keys, digests):
    """Every session of the guest is in the capture, and has the right content."""
    with open(digests, encoding="ascii") as file:
        wanted = [tuple(line.split()) for line in file]
    follow = []
    for number in sessions(capture, keys):
        follow += ["-z", f"follow,tls,raw,{number}"]
    got = list(content(tshark(capture, keys, "-q", *follow)))
    print(f"# tshark opened {len(got)} sessions, {len(wanted)} were held")
    if not wanted:
        raise AssertionError("the guest left no digests")
    missing = [one for one in wanted
               if one not in got and one[::-1] not in got]
    if missing:
        raise AssertionError(f"{len(missing)} of {len(wanted)} sessions are "
                             f"not in the capture as they were sent")


def main():
    """One KTAP line."""
    print("TAP version 14\n1..1")
    try:
        opened(*sys.argv[1:4])
        print("ok 1 opened_by_tshark")
    except (AssertionError, subprocess.CalledProcessError) as err:
        print(f"# {err}\nnot ok 1 opened_by_tshark")
        sys.exit(1)


main()
