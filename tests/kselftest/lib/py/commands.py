# SPDX-License-Identifier: GPL-2.0
"""Commands here and at the peer. The library's own functions give up after some seconds,
which a slow machine may need."""

import json as _json

from . import library_cmd

PATIENCE = 120


def cmd(comm, **kwargs):
    """The library's cmd(), with a longer timeout."""
    kwargs.setdefault("timeout", PATIENCE)
    return library_cmd(comm, **kwargs)


def _tool(name, args, json, host):
    done = cmd(f"{name} {'--json ' if json else ''}{args}", host=host)
    return _json.loads(done.stdout) if json else done


def ip(args, json=False, host=None):
    """One command of iproute2's ip."""
    return _tool("ip", args, json, host)


def ethtool(args, json=False, host=None):
    """One command of ethtool."""
    return _tool("ethtool", args, json, host)
