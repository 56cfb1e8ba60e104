# SPDX-License-Identifier: GPL-2.0
"""ksft_variants() for kernels before 7.0, whose library has none."""

import functools

from . import ksft_run as _ksft_run


class KsftNamedVariant:
    """A name, and the arguments for which it stands."""

    def __init__(self, name, *params):
        self.name = name
        self.params = params


class _Case:
    """A function that runs once for each variant."""

    def __init__(self, func, variants):
        self.func = func
        self.variants = variants

    def functions(self):
        """One function for each variant, with its name."""
        for variant in self.variants:
            func = functools.partial(_call, self.func, variant.params)
            func.__name__ = f"{self.func.__name__}.{variant.name}"
            yield func


def _call(func, params, *args):
    return func(*args, *params)


def ksft_variants(variants):
    """Decorator: run the case once for each KsftNamedVariant of a list."""
    return lambda func: _Case(func, list(variants))


def ksft_run(cases, args=()):
    """The library's ksft_run(), for cases with and without variants."""
    funcs = []
    for case in cases:
        funcs += case.functions() if isinstance(case, _Case) else [case]
    _ksft_run(funcs, args=args)
