# SPDX-License-Identifier: GPL-2.0
"""The kernel's test library, with its newest parts added where it is older, and the parts
that the TLS tests share on top of it."""

import sys
from pathlib import Path

KSFT_DIR = (Path(__file__).parent / "../../../../../..").resolve()

try:
    sys.path.append(KSFT_DIR.as_posix())
    # drivers.net.lib.py takes names from here; the names differ by version
    import net.lib.py as _kernel
    globals().update({name: getattr(_kernel, name) for name in dir(_kernel)
                      if not name.startswith("_")})
    from drivers.net.lib.py import NetDrvEpEnv
    from net.lib.py import (
        CmdExitFailure,
        KsftFailEx,
        KsftSkipEx,
        KsftXfailEx,
        bkg,
        defer,
        ksft_disruptive,
        ksft_eq,
        ksft_exit,
        ksft_ge,
        ksft_in,
        ksft_pr,
        ksft_run,
        ksft_true,
        rand_port,
    )

    try:
        from net.lib.py import KsftNamedVariant, ksft_variants
    except ImportError:
        from .older import KsftNamedVariant, ksft_run, ksft_variants

    library_cmd = _kernel.cmd
    from .commands import cmd, ethtool, ip
    from .env import TlsEnv, known
    from .flow import Flow
    from .nic import Watch, driver_of
    from .peer import CIPHERS, Peer, pattern
    from .witness import Witness
except ModuleNotFoundError as e:
    print("Failed importing `net` library from kernel sources")
    print(str(e))
    sys.exit(4)

__all__ = [
    "CIPHERS",
    "CmdExitFailure",
    "Flow",
    "KsftFailEx",
    "KsftNamedVariant",
    "KsftSkipEx",
    "KsftXfailEx",
    "NetDrvEpEnv",
    "Peer",
    "TlsEnv",
    "Watch",
    "Witness",
    "bkg",
    "cmd",
    "defer",
    "driver_of",
    "ethtool",
    "ip",
    "known",
    "ksft_disruptive",
    "ksft_eq",
    "ksft_exit",
    "ksft_ge",
    "ksft_in",
    "ksft_pr",
    "ksft_run",
    "ksft_true",
    "ksft_variants",
    "pattern",
    "rand_port",
]
