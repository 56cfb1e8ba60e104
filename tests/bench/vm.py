# SPDX-License-Identifier: GPL-2.0-only
"""One boot under the counting plugin, with a peer outside of the VM: runs rows of load.c on
one machine and returns the counts."""
import contextlib
import fcntl
import os
import pathlib
import struct
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
OUT = BUILD / "bench"
PEER = "192.0.2.2"
HERE = TOP / "tests/bench"

TUNSETIFF = 0x400454ca
TAP_FLAGS = 0x0002 | 0x0010 | 0x1000 | 0x4000   # TAP, NAPI, NO_PI, VNET_HDR
GRO_FLUSH_NS = 200000

# Settings that keep a sender's packets the same, however fast the peer and the NIC are: see
# "Method" in docs/performance.rst
ACK_HOLD_US = 100000        # acknowledgements arrive together, this often
CWND = 40000                # segments, so many that the window never limits
SYSCTLS = {
    "net.ipv4.tcp_slow_start_after_idle": "0",
    "net.ipv4.tcp_tso_rtt_log": "31",
    "net.ipv4.tcp_autocorking": "0",
    "net.ipv4.tcp_early_retrans": "0",
    "net.ipv4.tcp_pacing_ca_ratio": "1000",
    "net.ipv4.tcp_pacing_ss_ratio": "1000",
    "net.ipv4.tcp_limit_output_bytes": "67108864",
    "net.ipv4.tcp_wmem": "4096 33554432 67108864",
    "vm.dirty_writeback_centisecs": "0",
}

# The clock's interrupt, which is not counted: its entry, and the end of all interrupts
TICK = {"tick": "asm_sysvec_apic_timer_interrupt", "tick_end": "irq_exit_rcu"}


def sh(*argv, **more):
    return subprocess.run(argv, check=True, text=True, **more)


def build():
    """Build the plugin for this QEMU, and the static program for the guest."""
    OUT.mkdir(parents=True, exist_ok=True)
    glib = sh("pkg-config", "--cflags", "glib-2.0",
              capture_output=True).stdout.split()
    sh("gcc", "-O2", "-Wall", "-fPIC", "-shared", *glib, f"-I{BUILD}",
       f"-I{HERE}", "-o", str(OUT / "icount.so"), str(HERE / "icount.c"))
    overlay = OUT / "overlay/usr/local/bin"
    overlay.mkdir(parents=True, exist_ok=True)
    sh("gcc", "-O2", "-Wall", "-Wextra", "-static", "-o", str(overlay / "load"),
       str(HERE / "load.c"), str(HERE / "stats.c"))


def tap_open(name):
    """Open a tap device that this process holds. With NAPI it has GRO: the peer then
    acknowledges each packet of the sender, as a peer with a NIC would, and not every second
    frame."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), TAP_FLAGS))
    return tap


@contextlib.contextmanager
def peer():
    """Make a network namespace with a tap device and the peer in it. Returns (name, tap)."""
    name = f"vktls-bench-{os.getpid()}"
    link = f"vkb{os.getpid() % 100000}"
    tap = tap_open(link)
    sh("ip", "netns", "add", name)
    inside = ["ip", "-n", name]
    enter = ["ip", "netns", "exec", name]
    server = None
    try:
        sh("ip", "link", "set", link, "netns", name)
        sh(*inside, "addr", "add", f"{PEER}/24", "dev", link)
        sh(*inside, "link", "set", "lo", "up")
        sh(*inside, "link", "set", link, "up")
        for knob, value in (("gro_flush_timeout", GRO_FLUSH_NS),
                            ("napi_defer_hard_irqs", 1)):
            sh(*enter, "sh", "-c",
               f"echo {value} > /sys/class/net/{link}/{knob}")
        server = subprocess.Popen([*enter, "/usr/bin/python3", str(HERE / "peer.py")],
                                  env=dict(os.environ, PYTHONPATH=str(TOP / "tests/guest/lib")))
        yield name, tap
    finally:
        if server:
            server.kill()
            server.wait()
        os.close(tap)
        sh("ip", "netns", "del", name)


# A new gcm(aes) gets the driver with the highest priority
GCM = r"""
awk '/^name/ { gcm = $3 == "gcm(aes)" } /^driver/ { driver = $3 }
     /^priority/ && gcm && $3 >= best { best = $3; chosen = driver }
     END { print "snap crypto", chosen }' /proc/crypto
"""


def hold_acks(on):
    """The guest's command that has acknowledgements held back, or not."""
    value = "on" if on else "off"
    return ("qmp '{\"execute\": \"qom-set\", \"arguments\": {\"path\": \"/objects/acks\","
            f" \"property\": \"status\", \"value\": \"{value}\"}}}}' >/dev/null")


# Makes queues so long that packets never wait in the guest, and so grow, if the NIC lags
ROOM = """
ethtool -G eth0 tx 4096 2>/dev/null || true
for limit in /sys/class/net/eth0/queues/tx-*/byte_queue_limits/limit_min; do
    echo 1000000000 > $limit
done
"""


# The guest is many times slower than hardware, and its NIC is not: in the time between two
# interrupts of hardware, each packet would have an interrupt or not, depending on the
# host's load.
SLOW_USECS = 500
MODERATION = {
    True: [f"adaptive-rx off adaptive-tx off rx-usecs {SLOW_USECS} "
           f"tx-usecs {SLOW_USECS}", f"rx-usecs {SLOW_USECS}"],
    False: ["adaptive-rx on adaptive-tx on", "rx-usecs 3"],
}


def moderate(bulk):
    """The guest's command before a row, for moderation; virtio-net has none."""
    return " || ".join(f"ethtool -C eth0 {how} 2>/dev/null"
                       for how in MODERATION[bulk]) + " || true"


def script(rows, offload, extra):
    """The guest's script, with one line per row."""
    lines = ["set -e", "modprobe aesni_intel", "modprobe tls",
             "sysctl -qw " + " ".join(f"'{k}={v}'" for k, v in SYSCTLS.items()),
             f"ip route change 192.0.2.0/24 dev eth0 initcwnd {CWND}",
             "sync",     # so that no data of the boot is written back during a batch
             ROOM, GCM, "echo snap kernel $(uname -r)"]
    for direction in ("tx", "rx"):
        lines.append(f"ethtool -K eth0 tls-hw-{direction}-offload "
                     f"{'on' if offload else 'off'} 2>/dev/null || true")
    lines += extra
    for number, row in enumerate(rows):
        lines.append(hold_acks(row.mode[:4] == "send"))
        lines.append(moderate(row.mode[:4] in ("send", "recv", "life")))
        lines.append(row.before)
        lines.append(f"load {number} {row.mode} {row.tls} {row.size} {row.count} "
                     f"{row.batches} {PEER}")
        lines.append(f"echo snap row{number} $(grep -E '^Tls(Tx|Rx)(Sw|Device) '"
                     " /proc/net/tls_stat | awk '{ print $2 }')")
    lines.append("cp /proc/kallsyms /mnt/host/")
    return "\n".join(lines)


def where(rows, snaps):
    """The place of each row's sockets: plain, software or NIC."""
    before = [0, 0, 0, 0]
    places = []
    for number, _ in enumerate(rows):
        now = [int(word) for word in snaps[f"row{number}"].split()]
        software, card = (sum(now[i] - before[i] for i in pair)
                          for pair in ((0, 1), (2, 3)))
        before = now
        places.append("mixed" if software and card else
                      "software" if software else "card" if card else "plain")
    return places


def kallsyms():
    """The guest kernel's symbols; one boot per kernel prints them."""
    path = OUT / f"kallsyms-{(BUILD / 'guest/kver').read_text().strip()}"
    if not path.exists():
        share = OUT / "symbols"
        share.mkdir(exist_ok=True)
        sh(str(TOP / "tests/vm/run"), "--nic", "virtio-net", "--share", str(share),
           "--", "cp /proc/kallsyms /mnt/host/")
        (share / "kallsyms").replace(path)
    return path


def tick():
    """Options of the plugin with the addresses of the clock's interrupt handler, begin and
    end."""
    found = {}
    for line in kallsyms().read_text().splitlines():
        words = line.split()
        if len(words) == 3:
            found[words[2]] = words[0]
    return "".join(f",{arg}={found[name]}" for arg, name in TICK.items())


class Result:
    """The results of one boot: for each row (instructions, copied) of each batch, the place
    of its sockets, counters; and the guest's information about itself."""

    def __init__(self, rows):
        self.rows = rows
        self.counts = [[] for _ in rows]
        self.stats = [{} for _ in rows]
        self.snaps = {}
        self.places = []

    def take_output(self, text):
        for line in text.splitlines():
            words = line.split()
            if words[:1] == ["snap"]:
                self.snaps[words[1]] = " ".join(words[2:])
            elif words[:1] == ["stat"]:
                stats = self.stats[int(words[1])]
                stats[words[2].rstrip(":")] = int(words[3])
        self.places = where(self.rows, self.snaps)

    def take_counts(self, text):
        for line in text.splitlines():
            number, insns, copied = map(int, line.split())
            self.counts[number].append((insns, copied))


def boot(wire, machine, rows, folder, extra=()):
    """Run the rows on one machine. The histogram goes to @folder."""
    netns, tap = wire
    folder.mkdir(parents=True, exist_ok=True)
    counts = folder / "counts"
    plugin = f"{OUT / 'icount.so'},out={counts},hist={folder / 'blocks'}{tick()}"
    share = folder / "share"
    share.mkdir(exist_ok=True)
    argv = ["ip", "netns", "exec", netns, str(TOP / "tests/vm/run"),
            "--nic", machine.nic, "--tls", machine.tls, "--smp", "1",
            "--tap", f"fd={tap}", "--timeout", "1500",
            "--overlay", str(OUT / "overlay"), "--share", str(share),
            "--qemu-arg", "-plugin", "--qemu-arg", plugin,
            "--qemu-arg", "-object", "--qemu-arg",
            f"filter-buffer,id=acks,netdev=nic0,queue=tx,interval={ACK_HOLD_US},"
            "status=off",
            "--", script(rows, machine.offload, list(extra))]
    done = subprocess.run(argv, text=True, capture_output=True, check=False,
                          pass_fds=(tap,),
                          env={**os.environ, "VKTLS_ACCEL": "tcg"})
    if done.returncode:
        sys.exit(f"{machine.name}: status {done.returncode}\n"
                 f"{done.stdout}{done.stderr}")
    (share / "kallsyms").replace(folder / "kallsyms")
    (folder / "rows").write_text("".join(
        f"{number} {row.name} {row.units} {row.batches}\n"
        for number, row in enumerate(rows)))
    result = Result(rows)
    result.take_output(done.stdout)
    result.take_counts(counts.read_text())
    return result


def versions():
    """Versions of everything that is measured, except the ones that the guest reports."""
    qemu = sh(str(BUILD / "qemu-system-x86_64"), "--version",
              capture_output=True).stdout.split()[3]
    commit = sh("git", "-C", str(TOP), "describe", "--always", "--dirty",
                capture_output=True).stdout.strip()
    return {"qemu": qemu, "cpu": "max", "commit": commit}
