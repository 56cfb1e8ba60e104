#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""docs/abi.rst agrees with vktls_abi.h: both have the same names, numbers and layouts, and
the examples have the right bytes."""

import ctypes
import os
import re
import sys

from abi import ABI_H, Header, NOT_NUMBERS, TOP, host_numbers, main

ABI = Header(ABI_H)
NUMBERS = host_numbers(ABI)
with open(os.path.join(TOP, "docs/abi.rst")) as rst:
    DOC = rst.read()
WORDS = re.sub(r"\s+", " ", DOC)


def tables():
    """Each simple table as (line before it, heading, rows)."""
    lines, found = DOC.splitlines(), []
    border = re.compile(r"=+( +=+)+$")
    edges = [i for i, l in enumerate(lines) if border.match(l)]
    assert len(edges) % 3 == 0, "a table needs three borders"
    for top, under, bottom in zip(edges[::3], edges[1::3], edges[2::3]):
        starts = [m.start() for m in re.finditer("=+", lines[top])]
        ends = starts[1:] + [None]
        cells = [[l[a:b].strip() for a, b in zip(starts, ends)]
                 for l in lines[top + 1:bottom] if not border.match(l)]
        assert under == top + 2, f"line {top + 1}: the heading is one line"
        before = next((l for l in reversed(lines[:top]) if l.strip()), "")
        found.append((before, cells[0], cells[1:]))
    return found


def number(text):
    return int(text, 0) if re.fullmatch(r"0x[0-9a-f]+|\d+", text) else None


def numbers_given():
    """Each (name, number) for which the document gives a number to a name."""
    given = []
    for _, heading, rows in tables():
        if heading[0] == "Name":
            given += [(r[0].strip("`"), number(r[1])) for r in rows if r[0]]
    given += [(n, number(v)) for n, v in
              re.findall(r"``(VKTLS_\w+)`` (?:=|is) (0x[0-9a-f]+|\d+)", WORDS)]
    return given


def header_names_are_in_the_document():
    for name in ABI.macros:
        if name not in ("VKTLS_ABI_H", "VKTLS_ABI_SIZE"):
            assert re.search(rf"\b{name}\b", DOC), name


def document_names_are_in_the_header():
    for name, star in re.findall(r"\b(VKTLS_\w*?)(\*|\b)", DOC):
        if name.endswith("_"):
            known = any(m.startswith(name) for m in ABI.macros)
        else:
            known = name in ABI.macros
        assert known, name + star


def numbers_are_the_headers():
    for name, value in numbers_given():
        assert NUMBERS.get(name) == value, f"{name} is {NUMBERS.get(name)}, document: {value}"


def every_number_is_given():
    given = {n for n, _ in numbers_given()}
    calls = {n for n in ABI.numbers if re.search(rf"^#define\s+{n}\(", ABI.text, re.M)}
    missing = [n for n in ABI.numbers if n not in given | calls | NOT_NUMBERS]
    assert not missing, "no number given for " + ", ".join(missing)


def no_number_is_given_twice():
    names = [n for n, _ in numbers_given()]
    twice = {n for n in names if names.count(n) > 1}
    assert not twice, ", ".join(sorted(twice))


def layouts_are_the_headers():
    documented = []
    for before, heading, rows in tables():
        if heading[0] != "Offset":
            continue
        m = re.fullmatch(r"``struct (\w+)``, (\d+) bytes:", before)
        assert m, f"what structure is this? {before}"
        name = m[1]
        documented.append(name)
        assert int(m[2]) == NUMBERS.get(f"struct {name}"), f"struct {name}: {m[2]} bytes"
        rows = [r for r in rows if r[0]]
        assert [r[2].strip("`") for r in rows] == ABI.structs[name], f"{name}: members differ"
        for offset, size, member, *_ in rows:
            key = name + "." + member.strip("`")
            assert int(offset) == NUMBERS[f"{key} offset"], f"{key}: offset {offset}"
            assert int(size) == NUMBERS[f"{key} size"], f"{key}: size {size}"
    assert sorted(documented) == sorted(ABI.structs), \
        "structures differ: " + ", ".join(set(ABI.structs) ^ set(documented))


def functions_are_the_headers():
    """The formulas of VKTLS_REG_QP(n) and VKTLS_VEC_QUEUE(n) in the text are those of the
    header."""
    base, step = re.search(r"``VKTLS_REG_QP\(n\)`` = (0x\w+) \+ \*n\* \* (0x\w+)", WORDS).groups()
    assert NUMBERS["VKTLS_REG_QP"] == int(base, 0) + 3 * int(step, 0)
    first, = re.search(r"``VKTLS_VEC_QUEUE\(n\)`` = (\d+) \+ \*n\*", WORDS).groups()
    assert NUMBERS["VKTLS_VEC_QUEUE"] == int(first) + 3
    factor, = re.search(r"``VKTLS_TEST_WORD\(seed, n\)`` = \*seed\* \+ \*n\* \* (0x\w+)",
                        WORDS).groups()
    assert NUMBERS["VKTLS_TEST_WORD"] == (0x12345678 + 5 * int(factor, 0)) % 2 ** 32


def block(name):
    """The lines of a named literal block, without its indentation."""
    m = re.search(rf":name: {name}\n\n((?:   .*\n|\n)+)", DOC)
    assert m, f"no block {name}"
    return m[1]


def block_bytes(name):
    return bytes.fromhex(block(name))


def value(text):
    total = 0
    for part in text.split("|"):
        total |= int(part, 0) if part[0].isdigit() else NUMBERS[part]
    return total


def encoded(name, fields):
    data = bytearray(NUMBERS[f"struct {name}"])
    for member, text in fields:
        at, size = NUMBERS[f"{name}.{member} offset"], NUMBERS[f"{name}.{member} size"]
        data[at:at + size] = value(text).to_bytes(size, "little")
    return bytes(data)


def entries(name):
    """(structure, bytes, fields) of each entry in a block. The bytes may take several
    lines, and end early if only zeros follow."""
    form = re.compile(r"^   (vktls_\w+)((?: +[0-9a-f]{2}(?= |$))+(?:\n +(?:[0-9a-f]{2} ?)+$)*)",
                      re.M)
    parts = form.split(block(name))
    assert len(parts) > 1, f"{name}: no entries"
    return [(kind, bytes.fromhex(raw), re.findall(r"(\w+)=(\S+)", text))
            for kind, raw, text in zip(parts[1::3], parts[2::3], parts[3::3])]


def example_entries_encode():
    for where in ("example-descriptors", "example-completion", "example-refusal",
                  "example-receive", "example-joined"):
        for kind, raw, fields in entries(where):
            assert encoded(kind, fields) == raw, f"{where}: {kind} {fields}"


def example_commands_encode():
    for where in ("example-command", "example-command-completion"):
        for kind, raw, fields in entries(where):
            assert fields, f"{where}: no fields"
            for member, text in fields:
                at, size = (NUMBERS[f"{kind}.{member} {what}"] for what in ("offset", "size"))
                assert int.from_bytes(raw[at:at + size], "little") == value(text), \
                    f"{where}: {kind}.{member}"
    add = entries("example-command")[1][1]
    assert len(add) == NUMBERS["struct vktls_tls_add"], "the payload is cut"
    assert add[28:] == bytes(range(16)) + bytes(16), "key"
    assert add[8:28] == (1).to_bytes(8, "big") + bytes.fromhex("a0a1a2a3") + \
        block_bytes("example-prefix")[5:], "record number and IV"


def crypto():
    """libcrypto, an implementation that is independent of this project."""
    for name in ("libcrypto.so.3", "libcrypto.so"):
        try:
            lib = ctypes.CDLL(name)
        except OSError:
            continue
        for function in (lib.EVP_aes_128_gcm, lib.EVP_CIPHER_CTX_new):
            function.restype = ctypes.c_void_p
        return lib
    raise AssertionError("no libcrypto: make deps")


def seal(key, nonce, aad, text):
    lib, out, n = crypto(), ctypes.create_string_buffer(len(text)), ctypes.c_int()
    tag = ctypes.create_string_buffer(16)
    ctx = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new())
    get_tag = 0x10
    ok = (lib.EVP_EncryptInit_ex(ctx, ctypes.c_void_p(lib.EVP_aes_128_gcm()), None, key, nonce)
          and lib.EVP_EncryptUpdate(ctx, None, ctypes.byref(n), aad, len(aad))
          and lib.EVP_EncryptUpdate(ctx, out, ctypes.byref(n), text, len(text))
          and lib.EVP_EncryptFinal_ex(ctx, None, ctypes.byref(n))
          and lib.EVP_CIPHER_CTX_ctrl(ctx, get_tag, 16, tag))
    lib.EVP_CIPHER_CTX_free(ctx)
    assert ok, "libcrypto failed"
    return out.raw + tag.raw


def example_is_encrypted():
    prefix, text = block_bytes("example-prefix"), block_bytes("example-plaintext")
    frames = [block_bytes(f"example-frame-{i}") for i in (1, 2)]
    aad = (1).to_bytes(8, "big") + prefix[:3] + len(text).to_bytes(2, "big")
    sealed = seal(bytes(range(16)), bytes.fromhex("a0a1a2a3") + prefix[5:], aad, text)
    assert b"".join(f[54:] for f in frames) == prefix + sealed, "payload of the two frames"


def ones_sum(data):
    total = sum(int.from_bytes((data + b"\0")[i:i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def example_frames_are_valid():
    headers = block_bytes("example-headers")
    for i, sent in ((1, 0), (2, 40)):
        frame = block_bytes(f"example-frame-{i}")
        ip, tcp = frame[14:34], frame[34:]
        assert int.from_bytes(ip[2:4], "big") == len(frame) - 14, f"frame {i}: IP length"
        assert ones_sum(ip) == 0xffff, f"frame {i}: IP checksum"
        pseudo = ip[12:20] + bytes([0, 6]) + len(tcp).to_bytes(2, "big")
        assert ones_sum(pseudo + tcp) == 0xffff, f"frame {i}: TCP checksum"
        first = int.from_bytes(headers[38:42], "big")
        assert int.from_bytes(tcp[4:8], "big") == first + sent, f"frame {i}: sequence"


sys.exit(main([
    header_names_are_in_the_document, document_names_are_in_the_header,
    numbers_are_the_headers, every_number_is_given, no_number_is_given_twice,
    layouts_are_the_headers, functions_are_the_headers, example_entries_encode,
    example_commands_encode, example_is_encrypted, example_frames_are_valid,
]))
