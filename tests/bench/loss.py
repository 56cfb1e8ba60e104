# SPDX-License-Identifier: GPL-2.0-only
"""What loss costs an offloaded connection. Both ends are in one guest whose time is
the instructions that it executes, and the card drops frames by a seeded number. Runs
still differ a little: the card works in a thread of its own."""
import os
import subprocess
import sys

import vm

PEER = "192.0.2.2"
LOSS_PPM = [0, 1000, 10000, 30000, 50000]
# what the driver does with a retransmission, by its private flags
POLICIES = {
    "automatic": ("off", "off"),
    "replay": ("on", "off"),
    "fallback": ("off", "on"),
}
SIZE, COUNT, BATCHES = 16384, 64, 6
FAULTS = "/opt/vktls/guest/lib"


def setting(policy, ppm):
    """Lines that choose a policy and a loss; they print "no" when the driver has
    no such choice."""
    replay, fallback = POLICIES[policy]
    ask = f"import sys; sys.path.insert(0, '{FAULTS}'); import nicfault as f; "
    return [f"ethtool --set-priv-flags eth0 tls-tx-replay-only off "
            f"tls-tx-fallback-only off 2>/dev/null || true",
            f"ethtool --set-priv-flags eth0 tls-tx-replay-only {replay} "
            f"tls-tx-fallback-only {fallback} 2>/dev/null || echo snap nochoice",
            # the answer takes no time of the guest, which may give up waiting for it
            f'until python3 -c "{ask}f.ask(\'seed\', 4711); '
            f"f.ask('tx-drop-ppm', {ppm})\" 2>/dev/null; do :; done"]


def script(cases):
    lines = ["set -e", "modprobe aesni_intel", "modprobe tls",
             "ethtool -K eth0 tls-hw-tx-offload on",
             "ip netns exec peer python3 /opt/vktls/peer.py &",
             "until ip netns exec peer ss -tln | grep -q :5001; do sleep 0.1; done",
             "echo snap kernel $(uname -r)"]
    for number, (policy, ppm) in enumerate(cases):
        lines += setting(policy, ppm)
        lines.append(f"load {number} send 1.2 {SIZE} {COUNT} {BATCHES} {PEER}")
    lines.append("kill %1")
    return "\n".join(lines)


def overlay():
    """The peer, and what it imports from where it lies in the tree."""
    place = vm.OUT / "overlay/opt/vktls"
    place.mkdir(parents=True, exist_ok=True)
    text = (vm.HERE / "peer.py").read_text()
    (place / "peer.py").write_text(
        text.replace('parents[1] / "guest/lib"', 'parent / "guest/lib"'))


def figures(policy, ppm, stats, about):
    sent = SIZE * COUNT * BATCHES
    card = stats.get("dev_tls_tx_bytes", 0) + stats.get("dev_tls_tx_replay_bytes", 0)
    software = stats.get("tx_tls_fallback_bytes", 0)
    wire = stats["dev_tx_bytes"]
    again = stats.get("dev_tls_tx_replay_read", 0)
    return {
        "policy": policy, "loss": ppm / 1e6, "frames_lost":
        stats.get("dev_faults_injected", 0),
        "share": round(card / (card + software), 5),
        "software_bytes": software,
        "reread": round((wire + again) / wire, 4),
        "mbit_virtual": round(sent * 8e3 / stats["ns"], 1), **about,
    }


def measure():
    vm.build()
    overlay()
    cases = [(policy, ppm) for policy in POLICIES for ppm in LOSS_PPM]
    argv = [str(vm.TOP / "tests/vm/run"), "--nic", "vktls", "--tls", "stock",
            "--smp", "1", "--timeout", "1500", "--overlay",
            str(vm.OUT / "overlay"), "--", script(cases)]
    done = subprocess.run(argv, text=True, capture_output=True, check=False,
                          env={**os.environ, "VKTLS_ACCEL": "icount"})
    if done.returncode:
        sys.exit(f"loss: status {done.returncode}\n{done.stdout}{done.stderr}")
    stats, about = {}, vm.versions()
    for line in done.stdout.splitlines():
        words = line.split()
        if words[:1] == ["stat"]:
            stats.setdefault(int(words[1]), {})[words[2].rstrip(":")] = int(words[3])
        elif words[:2] == ["snap", "kernel"]:
            about["kernel"] = words[2]
    if "snap nochoice" in done.stdout:
        print("this driver has one policy: software encrypts what is sent again")
        cases = [case for case in cases if case[0] == "automatic"]
    return [figures(policy, ppm, stats[number], about)
            for number, (policy, ppm) in enumerate(cases)]
