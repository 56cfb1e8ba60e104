# SPDX-License-Identifier: GPL-2.0-only
"""The order in which the kernel calls some of its functions, found by kprobe events."""
import contextlib
import os
import pathlib
import re

TRACING = pathlib.Path("/sys/kernel/tracing")
GROUP = "vktlstest"


def _probe(line):
    """Write one command to kprobe_events; an error contains the kernel's message."""
    events = os.open(TRACING / "kprobe_events", os.O_WRONLY | os.O_APPEND)
    try:
        os.write(events, line.encode() + b"\n")
    except OSError as err:
        raise AssertionError((TRACING / "error_log").read_text("ascii")) from err
    finally:
        os.close(events)


@contextlib.contextmanager
def calls(*functions):
    """A list that is filled in at the end of the block: the names of these functions
    ("module:name" for functions of modules) in the order in which they were called."""
    names = [function.rpartition(":")[2] for function in functions]
    out = []
    for name, function in zip(names, functions):
        _probe(f"p:{GROUP}/{name} {function}")
    enable = TRACING / "events" / GROUP / "enable"
    try:
        (TRACING / "trace").write_text("", "ascii")
        enable.write_text("1", "ascii")
        yield out
    finally:
        enable.write_text("0", "ascii")
        out += re.findall(rf": ({'|'.join(names)}): \(", (TRACING / "trace").read_text("utf-8"))
        for name in names:
            _probe(f"-:{GROUP}/{name}")
