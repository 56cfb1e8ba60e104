#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# timeout 900
"""Live migration under TLS flows, from one QEMU to the next: three times, or ROUNDS times
(environment). The guest's side is tests/guest/offload/migrate.py."""

import json
import os
import pathlib
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get("ROUNDS", "3"))
PATIENCE = 240      # seconds; a busy host is slow


class Qmp:
    """One connection to a monitor of QEMU."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(path))
        self.lines = self.sock.makefile()
        self.lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        """Run a command. Returns its answer."""
        self.sock.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = json.loads(self.lines.readline())
            assert "error" not in answer, answer["error"]["desc"]
            if "return" in answer:
                return answer["return"]


class Vm:
    """One run of the machine; its output comes line by line."""

    def __init__(self, tempdir, number):
        self.uri = f"unix:{tempdir}/migrate{number}"
        self.qmp_path = tempdir / f"qmp{number}"
        self.log = open(tempdir / f"log{number}", "w+", encoding="utf-8")
        incoming = ["--incoming", self.uri] if number else []
        self.process = subprocess.Popen(
            [TOP / "tests/vm/run", "--nic", "vktls", "--tls", "ours", "--qmp", self.qmp_path,
             "--timeout", str(PATIENCE * (ROUNDS + 1)), *incoming, "--", "env",
             f"ROUNDS={ROUNDS}", "/opt/vktls/guest/offload/migrate.py"],
            stdout=subprocess.PIPE, stderr=self.log, text=True, cwd=TOP)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            print("# " + line, end="", flush=True)
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def said(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()[-3000:]

    def wait_line(self, wanted):
        """Wait until the guest has printed this line."""
        while True:
            line = self.lines.get(timeout=PATIENCE)
            assert line is not None, f"the run ended before \"{wanted}\": {self.said()}"
            assert not line.startswith("not ok"), line
            if line == wanted:
                return

    def qmp(self):
        """Connect to the monitor, as soon as QEMU offers it."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return Qmp(self.qmp_path)
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, self.said()
                time.sleep(0.1)

    def end(self):
        """End all processes of the run."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        self.log.close()


def migrate(source, target):
    """Migrate the machine. Returns the milliseconds for which it stood still."""
    monitor = source.qmp()
    target.qmp()
    monitor.ask("migrate", uri=target.uri)
    while (info := monitor.ask("query-migrate")).get("status") != "completed":
        assert info.get("status") not in ("failed", "cancelled"), \
            f"{info}: {source.said()}\n{target.said()}"
        time.sleep(0.1)
    monitor.ask("quit")
    return info["downtime"]


def flows_survive_migration(tempdir, vms):
    vms.append(Vm(tempdir, 0))
    for number in range(1, ROUNDS + 1):
        vms[-1].wait_line(f"flowing {number}")
        vms.append(Vm(tempdir, number))
        print(f"# migration {number}: the machine stood still for "
              f"{migrate(*vms[-2:])} ms", flush=True)
        vms[-2].end()
    vms[-1].wait_line("ended")
    status = vms[-1].process.wait(PATIENCE)
    assert status == 0, f"status {status}: {vms[-1].said()}"


def main():
    print("KTAP version 1\n1..1", flush=True)
    with tempfile.TemporaryDirectory(prefix="vktls-") as tempdir:
        vms = []
        try:
            flows_survive_migration(pathlib.Path(tempdir), vms)
        except (AssertionError, OSError, queue.Empty, subprocess.TimeoutExpired) as why:
            print("# " + str(why).replace("\n", "\n# "))
            print("not ok 1 flows_survive_migration")
            return 1
        finally:
            for vm in vms:
                vm.end()
    print("ok 1 flows_survive_migration")
    return 0


if __name__ == "__main__":
    sys.exit(main())
