# SPDX-License-Identifier: GPL-2.0-only
"""The figures that need no guest: programs in host/, built around the parts of the device
model without QEMU, and around firmware. Times are those of this host, and can be compared
only with the crypto library's time in the same run."""
import platform
import subprocess

from vm import BUILD, OUT, TOP, sh

HOST = "tests/bench/host"
FIGURES = ["device", "contexts", "firmware"]
LIBRARIES = {"ipsec-mb": ("VKDEV_AEAD_IPSEC_MB", "aead_ipsec_mb", "-lIPSec_MB"),
             "nettle": ("VKDEV_AEAD_NETTLE", "aead_nettle", "-lnettle")}
ENGINE = [f"qemu-device/tls/{name}.c" for name in
          ("ctx", "engine", "encrypt", "replay", "replay_cache", "decrypt", "holes",
           "resync", "keys", "late", "record", "aead", "poly")]
WIRE = [f"qemu-device/frame/{name}.c" for name in ("wire", "tso", "rss", "sum")]
STREAM = [f"{HOST}/stream.c", f"{HOST}/raw.c"]
CONTEXTS = ["1", "1000", "20000", "100000", "1000000"]
BYTES_EACH = 1024   # least size of a context, to estimate how many fit


def compile_to(name, sources, *flags):
    program = OUT / name
    sh("gcc", "-O2", "-std=gnu11", "-Wall", "-Wextra",
       "-Wno-missing-field-initializers", "-Idrivers/net/ethernet/vktls",
       "-Ifirmware", "-Iqemu-device",
       *(["-DVKDEV_AVX2"] if platform.machine() == "x86_64" else []),
       *flags, "-o", str(program), *sources, cwd=TOP)
    return program


def run_lines(program, *args):
    out = sh(str(program), *args, capture_output=True, cwd=TOP,
             env={"BUILD": str(BUILD)}).stdout
    return [line.split() for line in out.splitlines()]


def each_library(name, sources):
    """Build a program once for each crypto library of the device that is installed."""
    for library, (define, source, link) in LIBRARIES.items():
        try:
            yield library, compile_to(
                f"{name}-{library}",
                [*sources, f"qemu-device/tls/{source}.c", link], f"-D{define}")
        except subprocess.CalledProcessError:
            print(f"{library}: not built here")


def device():
    rows = []
    for _, program in each_library("device", [f"{HOST}/device.c", *STREAM, *ENGINE,
                                              "qemu-device/frame/flow.c",
                                              *WIRE]):
        lines = run_lines(program)
        raw = {(d, size): float(ns) for _, what, d, size, ns, _ in lines
               if what == "raw"}
        rows += [{"library": library, "what": what, "direction": direction,
                  "bytes": int(size), "ns_per_byte": float(ns),
                  "ns_per_packet": float(packet),
                  "of_raw": round(raw[direction, size] / float(ns), 3)}
                 for library, what, direction, size, ns, packet in lines]
    return rows


def fits():
    """The number of contexts to try with the memory that is free."""
    with open("/proc/meminfo", encoding="ascii") as file:
        free = next(int(line.split()[1]) * 1024 for line in file
                    if line.startswith("MemAvailable"))
    return [n for n in CONTEXTS if int(n) * BYTES_EACH < free * 0.7]


def contexts():
    rows = []
    for _, program in each_library("contexts", [f"{HOST}/contexts.c", *STREAM,
                                                *ENGINE]):
        lines = run_lines(program, *fits())
        base = float(lines[0][3])
        rows += [{"library": library, "contexts": int(n), "bytes": float(size),
                  "ns_per_packet": float(ns), "ns_per_look": float(look),
                  "of_one": round(float(ns) / base, 2)}
                 for library, n, size, ns, look in lines]
    return rows


def firmware():
    sources = [f"{HOST}/firmware.c", "tests/unit/fw_rig.c"]
    sources += [str(path) for path in sorted((TOP / "qemu-device/soc").glob("*.c"))]
    # ktap.h, which the rig uses, needs a file that is made for the unit tests
    sh("make", "-s", "-f", "tests/unit/Makefile", f"O={OUT}", f"{OUT}/status_names.h", cwd=TOP)
    return [{"command": command, "instructions": int(insns),
             "commands_per_second": int(rate)}
            for command, insns, rate in run_lines(compile_to("firmware", sources, f"-I{OUT}"))]


def driver_bytes():
    """sizeof of the driver's structure for a context, from its debug info."""
    done = subprocess.run(["pahole", "-s", str(BUILD / "modules/vktls.ko")],
                          text=True, capture_output=True, check=False)
    for line in done.stdout.splitlines():
        name, size, _ = line.split()[:3]
        if name == "vktls_ktls_ctx":
            return int(size)
    return None


def measure(figure):
    rows = {"device": device, "contexts": contexts, "firmware": firmware}[figure]()
    if figure == "contexts":
        rows.append({"library": "driver", "contexts": "", "ns_per_packet": "",
                     "ns_per_look": "", "of_one": "", "bytes": driver_bytes()})
    return rows
