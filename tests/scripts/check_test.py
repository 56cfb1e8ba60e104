#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""tests/check itself: a test that ends badly is a failure with a reason, and no case of a
program that runs in a guest is forgotten."""

import contextlib
import glob
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import ktap
from abi import TOP, main


def load():
    """tests/check as a module."""
    loader = importlib.machinery.SourceFileLoader("check", os.path.join(TOP, "tests/check"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
    loader.exec_module(module)
    return module


check = load()


def judged(script, limit=20):
    """Run a shell script as a test. Returns (its Result, the size of its log)."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "log"
        lines, status = check.run(["sh", "-c", script], log, dict(os.environ), limit)
        return check.judge("it", lines, status, limit), log.stat().st_size


def fails_with(script, text, **more):
    """The script gives one failure, with this text."""
    result, _ = judged(script, **more)
    assert any(text in line for line in result.failed), (result.failed, text)


def output_without_end_is_cut_off():
    """A test prints without end, as yes(1): its output is cut off, before it fills the
    disk."""
    result, size = judged("echo 1..1; yes ok 1 it")
    assert any("more than 16 MiB" in line for line in result.failed), result.failed[-1:]
    assert size < check.MAX_OUTPUT + 1000, size


def no_end_is_a_failure():
    """A test that waits for ever is a failure."""
    fails_with("echo ok 1 it; sleep 100", "no end after 2 seconds", limit=2)


def signals_have_names():
    """A signal in the report has the shell's name."""
    fails_with("echo ok 1 it; kill -SEGV $$", "killed by SIGSEGV")
    fails_with("echo ok 1 it; exit 134", "killed by SIGABRT")


def last_words_are_shown():
    """The last words of a sanitizer or of assert() are in the report."""
    fails_with("echo not ok 1 it; echo 'a.c:1:2: runtime error: division by zero' >&2; exit 1",
               "runtime error: division by zero")
    fails_with("echo \"a.c:3: f: Assertion \\`0' failed.\" >&2; exit 134", "Assertion")


def program_that_is_not_there():
    """tests/check reports a program that does not exist."""
    fails_with("exec /no/such/program", "no such program")


def plan_counts():
    """Cases that were planned and did not run are a failure."""
    fails_with("echo 1..2; echo ok 1 it", "planned 2 cases, ran 1")


def in_a_vm(script):
    """The results of a suite of two tests, with a shell script in place of tests/vm/run."""
    before = check.TOP, check.BUILD
    with tempfile.TemporaryDirectory() as folder:
        check.TOP, check.BUILD = pathlib.Path(folder), pathlib.Path(folder) / "build"
        suite, vm = check.TOP / "tests/guest/it/two.vm", check.TOP / "tests/vm/run"
        for path in suite, vm:
            path.parent.mkdir(parents=True)
        suite.write_text("test a.py\ntest b.py\n", encoding="utf-8")
        vm.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        vm.chmod(0o755)
        try:
            results = check.Guest(suite, "stock").run()
        finally:
            check.TOP, check.BUILD = before
    return ([line for result in results for line in result.passed],
            [line for result in results for line in result.failed])


def vm_that_does_not_start_passes_nothing():
    """A VM does not start: both tests and the VM are failures, and the name of its log is
    printed."""
    for script in ("exit 125", "exit 0", "echo 'QEMU is not built' >&2; exit 125"):
        passed, failed = in_a_vm(script)
        assert not passed and len(failed) == 3, (script, passed, failed)
        assert "vm.log" in failed[-1], failed


def vm_that_ends_early():
    """A VM ends early: the test that ran to its end counts, the one that was cut off fails."""
    passed, failed = in_a_vm("echo @@ begin 0; echo @@ end 0 0; echo @@ begin 1; exit 125")
    assert passed == ["a.py"], passed
    assert failed[0] == "b.py: ended with the VM" and len(failed) == 2, failed


def reported_again(*runs):
    """(status, output) of tests/check --again over suites with given results: for each
    suite those of its first and second run, as (passed, failed, broken) cases."""
    suites = []
    for number, outcomes in enumerate(runs):
        suite = check.Suite(check.TOP, f"guest/it{number}")
        left = list(outcomes)

        def run(left=left):
            passed, failed, broken = left.pop(0)
            result = check.Result("it")
            result.passed += ["fine"] * passed
            result.failed += ["it: this case"] * failed
            if broken:
                result.fail("kernel error")
            return [result]
        suite.run, suite.keep_log = run, lambda: None
        suites.append(suite)
    report, out = check.Report(suites), io.StringIO()
    with contextlib.redirect_stdout(out):
        for suite in suites:
            report.add(suite)
        report.run_again()
        return report.verdict(), out.getvalue()


def unsteady_suites_are_told():
    """A suite that passes at its second run is named, with the case that failed at first. A
    suite that fails twice, a kernel error, and more than MAX_AGAIN suites are failures."""
    good, bad, broken = (5, 0, 0), (4, 1, 0), (4, 0, 1)
    for runs, status, last in (
            ([[bad, good], [good]], 0, "10 passed, 0 failed, 0 skipped"),
            ([[bad, bad]], 1, "4 passed, 2 failed, 0 skipped"),
            ([[broken, good]], 1, "4 passed, 1 failed, 0 skipped"),
            ([[bad, broken]], 1, "4 passed, 2 failed, 0 skipped"),
            ([[bad, good]] * (check.MAX_AGAIN + 1), 1, "12 passed, 3 failed, 0 skipped")):
        got, out = reported_again(*runs)
        assert got == status and out.splitlines()[-1] == last, (runs, got, out)
        assert ("UNSTEADY guest/it0" in out) == (not status), out


def suites_are_named_by_tls():
    """A file with --tls stock,ours is two suites; a word chooses the suites that it names."""
    names = [suite.name for suite in check.discover()]
    assert "guest/offload/loss-stock" in names and "guest/offload/loss-ours" in names
    assert len(names) == len(set(names)), "two suites of one name"
    chosen = [suite.name for suite in check.discover()
              if check.named(suite, ["offload/*-stock"])]
    assert chosen and all(re.fullmatch(r"guest/.*offload/.*-stock", name) for name in chosen)


def whole_name_chooses_one():
    """A whole name does not choose suites of other kernels and processors with longer names."""
    name = "guest/offload/records-stock"
    for words, lines in (([name], [name]), ([name + "-vfio"], [name + "-vfio-user"])):
        said = subprocess.run([os.path.join(TOP, "tests/check"), "--full", "--list", *words],
                              check=True, capture_output=True, text=True).stdout
        assert said.split() == lines, said


def without_a_newest_kernel():
    """The mirror has none of the listed kernels: a skip with the reason, which is allowed.
    Any other failure of fetch-kernel is no skip."""
    before = check.TOP
    with tempfile.TemporaryDirectory() as folder:
        check.TOP = pathlib.Path(folder)
        fetch = check.TOP / "scripts/fetch-kernel"
        fetch.parent.mkdir()
        try:
            for status in (0, check.NOT_ON_MIRROR, 1):
                fetch.write_text(f"#!/bin/sh\necho it is gone >&2\nexit {status}\n",
                                 encoding="utf-8")
                fetch.chmod(0o755)
                if status == 1:
                    break
                assert check.no_newest() == ("it is gone" if status else ""), status
            suite = check.NoKernel("it is gone")
            try:
                check.no_newest()
                raise AssertionError("no failure")
            except SystemExit as err:
                assert err.code == "it is gone", err
        finally:
            check.TOP = before
    result, = suite.results()
    assert result.skipped == ["guest/newest: it is gone"] and not result.passed
    assert check.Report([suite]).may_skip == check.most_skips() + 1


def programs():
    """The programs with cases that run in a guest."""
    return [path for path in glob.glob(os.path.join(TOP, "tests/guest/*/*.py"))
            if re.search(r"^\s*ktap\.main\(", pathlib.Path(path).read_text(encoding="utf-8"),
                         re.M)]


def documented_cases_are_registered():
    """A function that nothing registers and nothing calls would be a case that never runs:
    there is none."""
    forgotten = {os.path.basename(path): ktap.unregistered(path) for path in programs()}
    forgotten = {name: cases for name, cases in forgotten.items() if cases}
    assert programs() and not forgotten, forgotten


def programs_are_in_a_suite():
    """Each program is named by a .vm file, or by a program of the host that starts a VM."""
    named = " ".join(pathlib.Path(path).read_text(encoding="utf-8")
                     for kind in ("tests/guest/*/*.vm", "tests/vm/*_test.py")
                     for path in glob.glob(os.path.join(TOP, kind)))
    left = [path for path in programs() if os.path.relpath(
        path, os.path.join(TOP, "tests/guest")) not in named]
    assert not left, f"no .vm file names {left}"


if __name__ == "__main__":
    sys.exit(main([output_without_end_is_cut_off, no_end_is_a_failure, signals_have_names,
                   last_words_are_shown, program_that_is_not_there, plan_counts,
                   vm_that_does_not_start_passes_nothing, vm_that_ends_early, unsteady_suites_are_told,
                   suites_are_named_by_tls, whole_name_chooses_one, without_a_newest_kernel,
                   documented_cases_are_registered, programs_are_in_a_suite]))
