#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""vktls_abi.h and soc.h mean the same for every compiler that reads them: the kernel's, the
host's, QEMU's and the firmware's, and for assembler and linker script. Every number, and
the place and size of every member, is compared."""

import glob
import os
import re
import sys

from abi import (ABI_H, BUILD, Header, SOC_H, Skip, host_numbers, main, numbers_of, probe_source,
                 run, same, write)

ABI = Header(ABI_H)
SOC = Header(SOC_H)
ABI_DIR = os.path.dirname(ABI_H)
SOC_DIR = os.path.dirname(SOC_H)
RISCV = ["clang", "--target=riscv32-unknown-elf", "-march=rv32im", "-mabi=ilp32"]
FIRMWARE = RISCV + ["-std=gnu11", "-ffreestanding", "-nostdlib", "-Wall", "-Wextra", "-Werror"]
# QEMU 10.0's options for the compiler, those that matter for a header
QEMU = ["cc", "-std=gnu11", "-O2", "-fno-strict-aliasing", "-fwrapv", "-Werror", "-Wall",
        "-Wextra", "-Wundef", "-Wredundant-decls", "-Wstrict-prototypes", "-Wshadow=local",
        "-Wold-style-definition", "-Wmissing-prototypes", "-Wno-missing-include-dirs"]
QEMU_BEFORE = ("#include <stdint.h>\n#include <stdbool.h>\n#include <stddef.h>\n"
               "#include <stdio.h>\n#include <string.h>\n#include <linux/types.h>\n")


def compiled(header, where, cmd, before=""):
    name = os.path.basename(header.path).replace(".", "_")
    src = write(f"{where}/{name}.c", probe_source(header, before))
    obj = src[:-1] + "o"
    run(*cmd, "-I", os.path.dirname(header.path), "-c", src, "-o", obj)
    return numbers_of(header, obj)


def reader_misses_nothing():
    asserted = re.findall(r"^VKTLS_ABI_SIZE\((\w+), (\d+)\);", ABI.text, re.M)
    assert [n for n, _ in asserted] == list(ABI.structs), \
        "each structure must be followed by its VKTLS_ABI_SIZE"
    assert len(set(ABI.macros)) == len(ABI.macros), "a name is defined twice"
    numbers = host_numbers(ABI)
    same({n: numbers[f"struct {n}"] for n, _ in asserted}, {n: int(s) for n, s in asserted})


def no_padding():
    numbers = host_numbers(ABI)
    for name, members in ABI.structs.items():
        at = 0
        for m in members:
            assert numbers[f"{name}.{m} offset"] == at, f"{name}: hole before {m}"
            at += numbers[f"{name}.{m} size"]
        assert numbers[f"struct {name}"] == at, f"{name}: hole at the end"


def generation_is_last():
    numbers = host_numbers(ABI)
    for name in ("vktls_tx_cpl", "vktls_rx_cpl", "vktls_cmd_cpl", "vktls_event"):
        assert ABI.structs[name][-1] == "gen" and numbers[f"{name}.gen size"] == 1, name


def payloads_fit():
    numbers = host_numbers(ABI)
    commands, answers = numbers["vktls_cmd.payload size"], numbers["vktls_cmd_cpl.payload size"]
    for line in re.findall(r"^#define VKTLS_CMD_\w+[ \t]+\d+[ \t]+/\* (.*) \*/", ABI.text, re.M):
        request, _, answer = line.partition("cpl: ")
        for text, room in ((request, commands), (answer, answers)):
            for name in re.findall(r"\b(?:vktls_)?([a-z_]+)\b", text):
                size = numbers.get(f"struct vktls_{name}", 0)
                # a larger payload does not fit into a command and goes through a buffer
                assert size <= room or "vktls_buf" in text, f"{name}: {size} bytes, room for {room}"


def same_in_host_gcc():
    same(compiled(ABI, "gcc", ["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]),
         host_numbers(ABI))


def same_in_host_clang():
    same(compiled(ABI, "clang", ["clang", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]),
         host_numbers(ABI))


def same_in_qemu():
    same(compiled(ABI, "qemu", QEMU, QEMU_BEFORE), host_numbers(ABI))
    same(compiled(SOC, "qemu", QEMU, QEMU_BEFORE), host_numbers(SOC))


def same_in_firmware():
    same(compiled(ABI, "firmware", FIRMWARE), host_numbers(ABI))
    same(compiled(SOC, "firmware", FIRMWARE), host_numbers(SOC))


def same_together():
    """One source file may include both headers, in either order."""
    for first, second in ((ABI_H, SOC_H), (SOC_H, ABI_H)):
        src = write("both.c", f"#include \"{first}\"\n#include \"{second}\"\n")
        run(*FIRMWARE, "-c", src, "-o", os.path.join(BUILD, "both.o"))
        run("cc", "-Wall", "-Werror", "-c", src, "-o", os.path.join(BUILD, "both.o"))


def kernel_dir():
    found = os.environ.get("KDIR")
    if not found:
        dirs = [d for d in glob.glob("/usr/src/linux-headers-6.12*-amd64")
                if not re.search(r"-(rt|cloud)-amd64$", d)]
        found = max(dirs, key=lambda d: [int(n) for n in re.findall(r"\d+", d)], default=None)
    if not found or not os.path.exists(os.path.join(found, "Makefile")):
        raise Skip("no kernel headers: make deps")
    return found


def same_in_kernel():
    kdir = kernel_dir()
    write("kernel/Makefile", f"obj-m := probe.o\nccflags-y := -I{ABI_DIR} -Werror\n")
    write("kernel/probe.c", probe_source(ABI, "#include <linux/types.h>\n"))
    where = os.path.join(BUILD, "kernel")
    run("make", "-s", "-C", kdir, f"M={where}", "W=1", "KBUILD_EXTRA_SYMBOLS=", "probe.o")
    same(numbers_of(ABI, os.path.join(where, "probe.o")), host_numbers(ABI))


def sparse_accepts():
    """sparse accepts the headers with their endian types, as in a kernel build with C=1."""
    src = write("sparse.c", f"#include \"{ABI_H}\"\n")
    out = run("sparse", "-D__CHECK_ENDIAN__", "-Wbitwise", "-Wsparse-error", src)
    assert not out.strip(), out


def preprocessed(header, cmd):
    """The header, preprocessed for assembly, consists of definitions only, and the
    preprocessor computes the same numbers."""
    wanted = host_numbers(Header(header.path))
    checks = "".join(f"#if {header.expr(n)} != {wanted[n]:#x}\n#error {n}\n#endif\n"
                     for n in header.numbers if not header.expr(n).startswith("VKTLS_TEST_WORD"))
    src = write("cpp.S", f"#include \"{os.path.basename(header.path)}\"\n{checks}")
    out = run(*cmd, "-x", "assembler-with-cpp", "-E", "-I", os.path.dirname(header.path), src)
    left = [l for l in out.splitlines() if l.strip() and not l.startswith("#")]
    assert not left, "left over: " + left[0]


def assembler_preprocesses():
    for cmd in (["gcc"], RISCV):
        preprocessed(ABI, cmd)
        preprocessed(SOC, cmd)


def assembled(header, names):
    """The numbers as the firmware's assembler computes them."""
    lines = "".join(f"\t.quad {header.expr(n)}\n" for n in names)
    src = write("asm.S", f"#include \"{os.path.basename(header.path)}\"\n"
                f"\t.section .abi_probe,\"a\"\n{lines}")
    obj = src[:-1] + "o"
    run(*RISCV, "-I", os.path.dirname(header.path), "-c", src, "-o", obj)
    wanted = host_numbers(header)
    # signed, because the assembler has no unsigned literals
    part = Header(header.path, "")
    part.numbers = names
    same(numbers_of(part, obj), {n: wanted[n] for n in names})


def assembler_takes_soc():
    assembled(SOC, SOC.numbers)


def assembler_takes_plain_numbers():
    """The assembler accepts each number that has no suffix "u", which is for C only."""
    suffixed = re.findall(r"^#define\s+(VKTLS_\w+)\(?.*\b(?:0x)?[0-9a-f]+u\b", ABI.text, re.M)
    names = [n for n in ABI.numbers if n not in suffixed]
    assert len(names) > 100, "hardly a name is left"
    assembled(ABI, names)


def linker_script_takes_soc():
    lines = "".join(f"abi_{n} = {SOC.expr(n)};\n" for n in SOC.numbers)
    src = write("script.ld.S", f"#include \"soc.h\"\n{lines}"
                "SECTIONS { . = SOC_SRAM_BASE; .text : { *(.text) } }\n")
    script = os.path.join(BUILD, "script.ld")
    run(*RISCV, "-x", "assembler-with-cpp", "-E", "-P", "-I", SOC_DIR, src, "-o", script)
    obj, elf = os.path.join(BUILD, "empty.o"), os.path.join(BUILD, "script.elf")
    run(*RISCV, "-c", write("empty.S", "\t.globl _start\n_start:\tret\n"), "-o", obj)
    run("ld.lld", "-T", script, obj, "-o", elf)
    got = {m[1]: int(m[0], 16)
           for m in re.findall(r"^(\w+) \w abi_(\w+)$", run("llvm-nm", elf), re.M)}
    same(got, {n: host_numbers(SOC)[n] for n in SOC.numbers})


def no_types_means_none():
    src = write("notypes.c", f"#define VKTLS_ABI_NO_TYPES\n#include \"{ABI_H}\"\n")
    left = [l for l in run("cc", "-E", "-P", src).splitlines() if l.strip()]
    assert not left, left[0]


def refuses(text, cmd, where):
    """A header whose structure has been changed by TEXT must not compile."""
    changed = Header(ABI_H, text)
    assert changed.text != ABI.text, "the change did not apply"
    header = write(f"bad/{where}/vktls_abi.h", text)
    src = write(f"bad/{where}/bad.c", f"#include \"{header}\"\n")
    try:
        run(*cmd, "-c", src, "-o", src[:-1] + "o")
    except AssertionError as error:
        assert "has changed size" in str(error), error
        return
    raise AssertionError("it compiled")


def grown_structure_is_refused():
    text = ABI.text.replace("\t__le32 tls_contexts;", "\t__le64 tls_contexts;")
    refuses(text, ["gcc"], "gcc")
    refuses(text, FIRMWARE, "firmware")


def moved_member_is_noticed():
    first, second = "\t__le32 tcp_seq;		/* expected next */", "\t__le32 state;"
    assert first in ABI.text
    text = ABI.text.replace(first, "@").replace(second, first).replace("@", second)
    path = write("moved/vktls_abi.h", text)
    got = host_numbers(Header(path))
    try:
        same(got, host_numbers(ABI))
    except AssertionError:
        return
    raise AssertionError("two members changed places and nobody saw it")


def names_apart(text, path):
    """The VKTLS_ names in a file's code that are neither of the ABI nor its include guard."""
    plain = re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\])*\"", "", text, flags=re.S)
    stem = os.path.basename(path).upper().replace(".", "_")
    guard = {stem if stem.startswith("VKTLS_") else f"VKTLS_{stem}"}
    names = re.compile(r"\bVKTLS_\w+")
    return sorted(set(names.findall(plain)) - set(names.findall(ABI.text)) - guard)


def driver_has_no_name_of_the_abi():
    """Names with VKTLS_ in capitals belong to the ABI: the driver defines none of its own."""
    files = sorted(glob.glob(f"{ABI_DIR}/*.[ch]"))
    assert len(files) > 10, files
    found = []
    for path in files:
        with open(path, encoding="utf-8") as f:
            found += [f"{os.path.basename(path)}: {n}" for n in names_apart(f.read(), path)]
    assert not found, "not in vktls_abi.h:\n" + "\n".join(found)


def name_of_the_abi_elsewhere_is_noticed():
    for text, name in (("#define VKTLS_OWN 1", "VKTLS_OWN"),
                       ("enum own {\n\tVKTLS_FIRST,\n};", "VKTLS_FIRST"),
                       ("#ifndef VKTLS_RING_H", "VKTLS_RING_H")):
        assert names_apart(text, "own.h") == [name], name
    assert names_apart("#ifndef VKTLS_OWN_H\n/* VKTLS_X_* */ VKTLS_ABI_MAJOR", "own.h") == []


sys.exit(main([
    reader_misses_nothing, no_padding, generation_is_last, payloads_fit,
    same_in_host_gcc, same_in_host_clang, same_in_qemu, same_in_firmware, same_together,
    same_in_kernel, sparse_accepts, assembler_preprocesses, assembler_takes_soc,
    assembler_takes_plain_numbers, linker_script_takes_soc, no_types_means_none,
    grown_structure_is_refused, moved_member_is_noticed,
    driver_has_no_name_of_the_abi, name_of_the_abi_elsewhere_is_noticed,
]))
