# SPDX-License-Identifier: GPL-2.0-only
"""Faults of the NIC under test, requested from inside the guest; docs/device.rst lists
them. A NIC is named by its id in QEMU: dut0 is eth0."""
import json
import subprocess

# VKTLS_CMD_*, _EVT_*, _VEC_*, _ST_* that tests name
CMD = {"nop": 0, "caps": 1, "port-set": 2, "queue-create": 7, "queue-destroy": 8, "tls-add": 9,
       "tls-del": 10, "tls-resync": 11, "tls-query": 12, "stats": 13, "tls-add-rx": 15,
       "rss-ctx-set": 16, "rss-ctx-del": 17, "flow-set": 18, "flow-del": 19,
       "tls-next-tx": 22, "tls-key-done": 23}
EVENT = {"link": 1, "queue-error": 2, "tx-error": 3, "tls-lost": 4, "overflow": 5,
         "tls-resync": 6}
ASYNC = 0       # the vector of commands and events
FAILS = 55      # VKTLS_ST_TLS_CRYPTO, a status that tells no reason


def queue(number):
    """The vector of a queue pair's interrupts."""
    return 1 + number


def _send(command, **arguments):
    text = json.dumps({"execute": command, "arguments": arguments})
    done = subprocess.run(["qmp", text], capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{text}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)["return"]


def _qmp(command, name, nic, **more):
    return _send(command, path=f"/machine/peripheral/{nic}", property="fault-" + name, **more)


def monitor(line):
    """Run a line in QEMU's human monitor, which has commands that QMP lacks."""
    said = _send("human-monitor-command", **{"command-line": line})
    if "rror:" in said or "unknown command" in said:
        raise AssertionError(f"{line}: {said}")


def link(up, nic="dut0"):
    """Switch the carrier."""
    _send("set_link", name=nic, up=up)


def ask(name, value, nic="dut0"):
    """Set the property fault-NAME to a number or a text."""
    _qmp("qom-set", name, nic, value=value)


def left(name, nic="dut0"):
    """The present value of the property fault-NAME."""
    return _qmp("qom-get", name, nic)


def count(kind, nic="dut0"):
    """Number of faults of this kind so far."""
    return left("count-" + kind, nic)


def command(fault, opcode, which=1, *value):
    """Make commands of one kind go wrong: command("fail", "tls-add", "1-3", FAILS) fails
    the first to the third."""
    ask("cmd-" + fault, ":".join(map(str, (CMD[opcode], which, *value))))


def event(fault, kind, *numbers):
    """Make events of one kind go wrong, or send one: event("delay", "tls-resync", "1-9",
    200), event("send", "link", 0, 1)."""
    ask("event-" + fault, ":".join(map(str, (EVENT[kind], *numbers))))


def forgetful(test_over, nic="dut0"):
    """Make the NIC forget gaps in TLS streams, so that it needs the kernel's help.
    TEST_OVER gets the function that undoes that."""
    test_over(ask, "rx-forgetful", 0, nic)
    ask("rx-forgetful", 1, nic)


def one_key(test_over, nic="dut0"):
    """The NIC takes no further key for sending; test_over gets the function that undoes
    that."""
    test_over(ask, "cmd-fail", "", nic)
    ask("cmd-fail", f"{CMD['tls-next-tx']}:1-1000000:{FAILS}", nic)


def forget_one(numbers):
    """Make the NIC forget one context: the first of these numbers that exists."""
    for number in numbers:
        try:
            ask("ctx-forget", number)
            return
        except AssertionError:
            continue
    raise AssertionError("no context in the NIC")


def end():
    """Remove all faults that would stay."""
    for direction in ("tx", "rx"):
        for kind in ("drop", "delay", "corrupt", "reorder", "duplicate"):
            ask(f"{direction}-{kind}-nth", 0)
            ask(f"{direction}-{kind}-ppm", 0)
    for name in ("cmd-fail", "cmd-delay", "cmd-lose", "cmd-lie", "cmd-twice", "event-lose",
                 "event-delay", "event-alter", "event-flood", "irq-lose", "tx-cpl-lie",
                 "rx-cpl-lie", "rx-cpl-long", "cpl-twice"):
        ask(name, "")
