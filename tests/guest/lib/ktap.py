# SPDX-License-Identifier: GPL-2.0-only
"""Cases as plain functions, results as KTAP.

A case is registered by @case(), or by add() when a table makes it. It fails by an
exception, skips by raising Skip, and is ended after its timeout. Deferred calls run in
reverse order, however the case ended.
"""
import ast
import errno
import os
import signal
import sys
import threading
import traceback


class Skip(Exception):
    """Raised by a case that cannot run here; the text tells the reason."""


class Timeout(Exception):
    """Raised in a case that ran past its limit."""


# exit status of a program that has no case to run, see tests/check
SKIPPED = 4
# factor by which this guest is slower than usual, see tests/check
SLOW = int(os.environ.get("SLOW", "1"))
# end at the first failure
FIRST = bool(os.environ.get("FIRST"))
_cases = []
_deferred = []
_figures = []


def case(timeout=30):
    """Register a function as a case; its name is the title."""
    def register(fn):
        _cases.append((fn, timeout))
        return fn
    return register


def add(name, fn, *args, timeout=30):
    """Register fn(*args) as a case called name: for tables of cases."""
    def run():
        fn(*args)
    run.__name__ = name
    _cases.append((run, timeout))


def defer(fn, *args):
    """Call fn(*args) when the running case ends."""
    _deferred.append((fn, args))


def figure(text):
    """Note a line with a measured figure; all such lines are printed at the end."""
    _figures.append(f"# figure: {text}")


def equal(got, expected, what="value"):
    """Fail unless got is expected, and show both."""
    if got != expected:
        raise AssertionError(f"{what}: got {got!r}, expected {expected!r}")


def fails(code, fn, *args):
    """Check that fn(*args) fails with this errno."""
    try:
        fn(*args)
    except OSError as err:
        equal(errno.errorcode[err.errno], errno.errorcode[code], "errno")
    else:
        raise AssertionError(f"no {errno.errorcode[code]}")


def interrupt_waits(every=0.5):
    """Send signals to this thread again and again, so that one of them interrupts a system
    call that waits. They end with the case, or when the returned function is called."""
    me, stop = threading.get_ident(), threading.Event()

    def work():
        while not stop.wait(every):
            signal.pthread_kill(me, signal.SIGUSR1)

    defer(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, lambda *_: None))
    thread = threading.Thread(target=work)
    thread.start()
    defer(thread.join)
    defer(stop.set)
    return stop.set


def unregistered(path):
    """Functions of a program that have a docstring and that the program neither calls nor
    registers: most likely cases that never run."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return [node.name for node in tree.body
            if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) and
            not node.decorator_list and node.name not in used]


def _cleanup():
    problems = []
    while _deferred:
        fn, args = _deferred.pop()
        try:
            fn(*args)
        except Exception as err:    # must not hide the other problems
            problems.append(f"cleanup {fn.__name__}: {err}")
    return problems


def _expire(_signo, _frame):
    raise Timeout("timed out")


def _outcome(fn, timeout):
    """Run one case. Returns (word, directive, diagnostics)."""
    signal.signal(signal.SIGALRM, _expire)
    signal.alarm(timeout * SLOW)
    try:
        fn()
        result = ("ok", "", [])
    except Skip as why:
        result = ("ok", f" # SKIP {why}", [])
    except Exception:
        result = ("not ok", "", traceback.format_exc().splitlines())
    finally:
        signal.alarm(0)
    problems = _cleanup()
    if problems and result[0] == "ok":
        result = ("not ok", "", problems)
    return result


def main():
    """Run every registered case, or the cases that the arguments name; never returns."""
    forgotten = unregistered(sys.argv[0])
    if forgotten:
        sys.exit(f"no case of {', '.join(forgotten)}(): @ktap.case() or ktap.add() is missing")
    one = os.environ.get("CASE")
    wanted = [one] if one else sys.argv[1:]
    names = [fn.__name__ for fn, _ in _cases]
    unknown = [name for name in wanted if name not in names]
    if unknown:
        print(f"no case {', '.join(unknown)}; there are {' '.join(names)}")
        sys.exit(SKIPPED if one else 1)     # another program of the suite may have it
    cases = [c for c in _cases if not wanted or c[0].__name__ in wanted]
    print(f"TAP version 14\n1..{len(cases)}", flush=True)
    failed = 0
    for number, (fn, timeout) in enumerate(cases, 1):
        word, directive, notes = _outcome(fn, timeout)
        for note in notes:
            print(f"# {note}")
        print(f"{word} {number} {fn.__name__}{directive}", flush=True)
        failed += word != "ok"
        if failed and FIRST:
            break
    for line in _figures:
        print(line, flush=True)
    sys.exit(1 if failed or not cases else 0)
