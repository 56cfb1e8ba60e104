# SPDX-License-Identifier: GPL-2.0-only
"""Shared by the checks of the labs: loading an answer, and the verdict on it."""
import importlib.util
import sys
import traceback


class Wrong(Exception):
    """The answer does not solve the task; the text is a hint."""


def load(path):
    """An answer that is a Python module."""
    spec = importlib.util.spec_from_file_location("answer", path)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module


def table(path):
    """An answer that is lines of 'name: value'; '#' begins a comment."""
    out = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, colon, value = line.partition("#")[0].partition(":")
            if colon:
                out[name.strip()] = value.strip()
    return out


def verdict(check, *args):
    """Run a check and end with its status."""
    try:
        check(*args)
    except Wrong as hint:
        print(f"not yet: {hint}")
        sys.exit(1)
    except Exception:   # an answer may fail in any way
        traceback.print_exc(file=sys.stdout)
        print("not yet: the answer failed, see above")
        sys.exit(1)
    print("solved")
