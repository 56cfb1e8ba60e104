# SPDX-License-Identifier: GPL-2.0-only
"""Shared by the tests of the ABI: headers are read, a probe of a header is compiled in any
context and its numbers are read back from the object file, results are printed as KTAP."""

import os
import re
import struct
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# tests/check gives each suite a folder of its own, because suites run at the same time
BUILD = os.environ.get("O") or os.path.join(
    os.environ.get("VKTLS_BUILD", os.path.join(TOP, "build")), "abi")
ABI_H = os.path.join(TOP, "drivers/net/ethernet/vktls/vktls_abi.h")
SOC_H = os.path.join(TOP, "firmware/soc.h")

# Macros with arguments, and the arguments for which they are compared.
CALLS = {
    "VKTLS_VEC_QUEUE": "(3)",
    "VKTLS_REG_QP": "(3)",
    "VKTLS_TEST_WORD": "(0x12345678u, 5u)",
    "SOC_BLOCK": "(9)",
}
# Macros that are not numbers.
NOT_NUMBERS = {"VKTLS_ABI_H", "VKTLS_ABI_SIZE", "SOC_H"}


class Header:
    """Names and structures of a header, found by reading it."""

    def __init__(self, path, text=None):
        self.path = path
        if text is None:
            with open(path) as f:
                text = f.read()
        self.text = text
        self.macros = re.findall(r"^#define\s+([A-Z]+_\w+)", text, re.M)
        plain = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        self.numbers = [m for m in self.macros if m not in NOT_NUMBERS]
        self.structs = {
            name: re.findall(r"^\s*(?:struct )?\w+ (\w+)(?:\[\w+\])?;", body, re.M)
            for name, body in re.findall(r"^struct (\w+) \{\n(.*?)\n\};", plain, re.M | re.S)
        }

    def expr(self, macro):
        return macro + CALLS.get(macro, "")

    def keys(self):
        """The names of the probe's array elements, in order."""
        keys = list(self.numbers)
        for name, members in self.structs.items():
            keys.append(f"struct {name}")
            for m in members:
                keys += [f"{name}.{m} offset", f"{name}.{m} size"]
        return keys

    def probe(self):
        """C initializers for these keys."""
        out = [self.expr(m) for m in self.numbers]
        for name, members in self.structs.items():
            out.append(f"sizeof(struct {name})")
            for m in members:
                out.append(f"__builtin_offsetof(struct {name}, {m})")
                out.append(f"sizeof(((struct {name} *)0)->{m})")
        return ",\n\t".join(out)


def probe_source(header, before=""):
    return (f"{before}\n#include \"{os.path.basename(header.path)}\"\n"
            "extern const unsigned long long abi_probe[];\n"
            "const unsigned long long abi_probe[]\n"
            "__attribute__((used, section(\".abi_probe\"))) = {\n"
            f"\t{header.probe()}\n}};\n")


def section(path, wanted):
    """The bytes of a section of a little-endian ELF file, 32 or 64 bits."""
    with open(path, "rb") as f:
        elf = f.read()
    wide = elf[4] == 2
    shoff, = struct.unpack_from("<Q" if wide else "<I", elf, 0x28 if wide else 0x20)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3a if wide else 0x2e)

    def entry(i):
        at = shoff + i * size
        name, = struct.unpack_from("<I", elf, at)
        where = struct.unpack_from("<QQ" if wide else "<II", elf, at + (24 if wide else 16))
        return name, where

    strings = entry(names)[1][0]
    for i in range(count):
        name, (offset, length) = entry(i)
        if elf[strings + name:].split(b"\0", 1)[0] == wanted.encode():
            return elf[offset:offset + length]
    raise AssertionError(f"{path} has no section {wanted}")


def run(*cmd, cwd=None):
    """Run a tool; a failure shows its output."""
    done = subprocess.run(cmd, cwd=cwd, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise AssertionError(" ".join(cmd) + f": status {done.returncode}\n" + done.stdout)
    return done.stdout


def write(name, text):
    path = os.path.join(BUILD, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    return path


def numbers_of(header, obj):
    data = section(obj, ".abi_probe")
    values = struct.unpack(f"<{len(data) // 8}Q", data)
    keys = header.keys()
    assert len(values) == len(keys), f"{len(values)} numbers for {len(keys)} names"
    return dict(zip(keys, values))


def host_numbers(header):
    """The numbers of a header in a program of the host; all other contexts and the document
    are compared with them."""
    name = os.path.basename(header.path).replace(".", "_")
    src = write(f"ref/{name}.c", probe_source(header))
    obj = src[:-1] + "o"
    run("cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I", os.path.dirname(header.path),
        "-c", src, "-o", obj)
    return numbers_of(header, obj)


def same(got, wanted):
    diff = [f"{k}: {got.get(k)}, expected {v}" for k, v in wanted.items() if got.get(k) != v]
    assert not diff, "\n".join(diff)


class Skip(Exception):
    """Raised by a case that cannot run here; the message names the missing thing."""


def chosen(cases):
    """The cases to run: all, or the one that the environment names."""
    one = os.environ.get("CASE")
    return [case for case in cases if not one or case.__name__ == one]


def main(cases):
    """Run functions as KTAP cases; a case has the name of its function."""
    cases = chosen(cases)
    print("KTAP version 1")
    print(f"1..{len(cases)}")
    failed = 0
    for i, case in enumerate(cases, 1):
        name = case.__name__
        try:
            case()
            print(f"ok {i} {name}")
        except Skip as why:
            print(f"ok {i} {name} # SKIP {why}")
        except AssertionError as error:
            for line in str(error).splitlines()[:40]:
                print(f"# {line}")
            print(f"not ok {i} {name}")
            failed += 1
        sys.stdout.flush()
    return 1 if failed or not cases else 0
