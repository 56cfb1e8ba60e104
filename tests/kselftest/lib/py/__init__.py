# SPDX-License-Identifier: GPL-2.0
"""
The kernel's test library, made up to its newest form where it is older, and the parts
that the TLS tests share on top of it.
"""

import sys
from pathlib import Path

KSFT_DIR = (Path(__file__).parent / "../../../../../..").resolve()

try:
    sys.path.append(KSFT_DIR.as_posix())
    # drivers.net.lib.py takes names from here; which ones differs by version
    import net.lib.py as _kernel
    globals().update({name: getattr(_kernel, name) for name in dir(_kernel)
                      if not name.startswith("_")})
    from net.lib.py import CmdExitFailure, KsftSkipEx, KsftFailEx, KsftXfailEx, \
        bkg, cmd, defer, ethtool, ip, ksft_disruptive, ksft_eq, ksft_exit, ksft_ge, \
        ksft_in, ksft_pr, ksft_run, ksft_true, rand_port
    from drivers.net.lib.py import NetDrvEpEnv

    try:
        from net.lib.py import ksft_variants, KsftNamedVariant
    except ImportError:
        from .older import ksft_variants, KsftNamedVariant, ksft_run

    from .nic import Watch, driver_of
    from .peer import Peer, pattern, CIPHERS
    from .flow import Flow
    from .env import TlsEnv, known
except ModuleNotFoundError as e:
    print("Failed importing `net` library from kernel sources")
    print(str(e))
    sys.exit(4)

__all__ = ["CmdExitFailure", "KsftSkipEx", "KsftFailEx", "KsftXfailEx", "KsftNamedVariant",
           "NetDrvEpEnv", "bkg", "cmd", "defer", "ethtool", "ip", "ksft_disruptive",
           "ksft_eq", "ksft_exit", "ksft_ge", "ksft_in", "ksft_pr", "ksft_run", "ksft_true",
           "ksft_variants", "rand_port",
           "CIPHERS", "Flow", "Peer", "TlsEnv", "Watch", "driver_of", "known", "pattern"]
