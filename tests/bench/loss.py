# SPDX-License-Identifier: GPL-2.0-only
"""The cost of loss on an offloaded connection. Both ends are in one guest, in which time is
the number of instructions executed, and the NIC drops frames by a seeded random number. If
a loss makes TCP wait for a timer, that outweighs everything else, and it depends on the
place of the loss. So a rate is the median over several seeds, everything else their sum.
Runs still differ a little, because the NIC works in a thread of its own."""
import itertools
import os
import shutil
import statistics
import subprocess
import sys

import vm

PEER = "192.0.2.2"
LOSS_PPM = [0, 1000, 10000, 30000, 50000]
# the driver's handling of retransmissions, by its private flags
POLICIES = {
    "automatic": ("off", "off"),
    "replay": ("on", "off"),
    "fallback": ("off", "on"),
}
SIZE, COUNT, BATCHES = 16384, 64, 3
SEEDS = [4711, *range(1, 9)]
RECORD = SIZE + 29      # bytes on the wire


def setting(policy, ppm, seed):
    """Lines of shell that choose a policy, a rate of loss, and the seed; they print "no" if
    the driver does not have the policy."""
    replay, fallback = POLICIES[policy]
    ask = "import nicfault as f; "
    return [f"ethtool --set-priv-flags eth0 tls-tx-replay-only off "
            f"tls-tx-fallback-only off 2>/dev/null || true",
            f"ethtool --set-priv-flags eth0 tls-tx-replay-only {replay} "
            f"tls-tx-fallback-only {fallback} 2>/dev/null || echo snap nochoice",
            # QEMU's answer takes no time of the guest, so the guest may stop waiting before
            # it comes
            f'until python3 -c "{ask}f.ask(\'seed\', {seed}); '
            f"f.ask('tx-drop-ppm', {ppm})\" 2>/dev/null; do :; done"]


def script(cases):
    lines = ["set -e", "modprobe aesni_intel", "modprobe tls",
             "ethtool -K eth0 tls-hw-tx-offload on",
             # keeps a connection from starting with the metrics of an earlier one
             "sysctl -qw net.ipv4.tcp_no_metrics_save=1",
             "ip netns exec peer python3 /opt/vktls/peer.py &",
             "until ip netns exec peer ss -tln | grep -q :5001; do sleep 0.1; done",
             "echo snap kernel $(uname -r)"]
    for number, case in enumerate(cases):
        lines += setting(*case)
        lines += [f"echo snap case {number}",
                  f"load 0 send 1.2 {SIZE} {COUNT} {BATCHES} {PEER}"]
    lines.append("kill %1")
    return "\n".join(lines)


def overlay():
    """The overlay for the guest, with the peer's program."""
    place = vm.OUT / "overlay/opt/vktls"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(vm.HERE / "peer.py", place)


def rate(stats):
    """Mbit/s of content, by the guest's clock."""
    return SIZE * COUNT * BATCHES * 8e3 / stats["ns"]


def figures(policy, ppm, runs, about):
    """One row from all runs of a policy, each with its seed."""
    def total(*names):
        return sum(run.get(name, 0) for run in runs for name in names)

    card = total("dev_tls_tx_bytes", "dev_tls_tx_replay_bytes")
    software = total("tx_tls_fallback_bytes")
    wire, again = total("dev_tx_bytes"), total("dev_tls_tx_replay_read")
    rates = [rate(run) for run in runs]
    return {
        "policy": policy, "loss": ppm / 1e6,
        "frames_lost": total("dev_faults_injected"),
        "share": round(card / (card + software), 5),
        "software_bytes": software,
        "reread": round((wire + again) / wire, 4),
        # for each lost frame one record is read once more, and nothing else is sent again
        "reread_floor": round(1 + total("dev_faults_injected") * RECORD / wire, 4),
        "replays": total("tx_tls_replay_packets"),
        "mbit_virtual": round(statistics.median(rates), 1),
        "mbit_least": round(min(rates), 1), "mbit_most": round(max(rates), 1), **about,
    }


def measure():
    vm.build()
    overlay()
    # policies alternate, so that other load on the host affects all of them alike
    cases = [case[::-1] for case in itertools.product(SEEDS, LOSS_PPM, POLICIES)]
    argv = [str(vm.TOP / "tests/vm/run"), "--nic", "vktls", "--tls", "stock",
            "--smp", "1", "--timeout", "3600", "--overlay",
            str(vm.OUT / "overlay"), "--", script(cases)]
    done = subprocess.run(argv, text=True, capture_output=True, check=False,
                          env={**os.environ, "VKTLS_ACCEL": "icount"})
    if done.returncode:
        sys.exit(f"loss: status {done.returncode}\n{done.stdout}{done.stderr}")
    stats, about, number = {}, vm.versions(), 0
    for line in done.stdout.splitlines():
        words = line.split()
        if words[:1] == ["stat"]:
            stats.setdefault(number, {})[words[2].rstrip(":")] = int(words[3])
        elif words[:2] == ["snap", "case"]:
            number = int(words[2])
        elif words[:2] == ["snap", "kernel"]:
            about["kernel"] = words[2]
    if "snap nochoice" in done.stdout:
        print("this driver has one policy: software encrypts what is sent again")
        cases = [case for case in cases if case[0] == "automatic"]
    rows = {(policy, ppm): [] for policy in POLICIES for ppm in LOSS_PPM}
    for number, case in enumerate(cases):
        if number not in stats:
            sys.exit(f"loss: no figures of {case}\n{done.stdout}{done.stderr}")
        rows[case[:2]].append(stats[number])
    return [figures(*row, runs, about) for row, runs in rows.items() if runs]
