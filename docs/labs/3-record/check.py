#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Lab 3: do the answer's nonce and additional data open the captured record?"""
import os
import subprocess
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import answer       # pylint: disable=wrong-import-position

WHERE = "capture"
KEY = b"\x10" * 16      # key_fill() of tools/examples/example.h


def records(capture):
    """The records that were sent to port 4434, whole; tshark finds their bytes."""
    done = subprocess.run(["tshark", "-r", capture, "-Y",
                           "tcp.dstport == 4434 && tcp.len > 0", "-T", "fields",
                           "-e", "tcp.seq", "-e", "tcp.payload"],
                          capture_output=True, text=True, check=True)
    stream = bytearray()
    for line in done.stdout.splitlines():
        seq, payload = line.split()
        payload = bytes.fromhex(payload.replace(":", ""))
        stream[int(seq) - 1:int(seq) - 1 + len(payload)] = payload
    out = []
    while stream:
        end = 5 + int.from_bytes(stream[3:5], "big")
        out.append(bytes(stream[:end]))
        del stream[:end]
    return out


def hexadecimal(table, name, length):
    """An answer of so many bytes."""
    try:
        value = bytes.fromhex(table.get(name, ""))
    except ValueError:
        raise answer.Wrong(f"{name} is not hexadecimal") from None
    if len(value) != length:
        raise answer.Wrong(f"{name} has {length} bytes, not {len(value)}")
    return value


def check(path, capture):
    """Each answer, against the capture."""
    table, (_, record, *_) = answer.table(path), records(capture)
    if hexadecimal(table, "header", 5) != record[:5]:
        raise answer.Wrong("the second record begins with another header")
    nonce = hexadecimal(table, "nonce", 12)
    more = hexadecimal(table, "additional data", 13)
    if hexadecimal(table, "tag", 16) != record[-16:]:
        raise answer.Wrong("the record ends with another tag")
    try:
        plain = AESGCM(KEY).decrypt(nonce, record[13:], more)
    except InvalidTag:
        raise answer.Wrong("with this nonce and these additional data the tag is "
                           "wrong") from None
    if table.get("line") != f"size {len(plain)}":
        raise answer.Wrong("the first record says something else")


answer.verdict(check, sys.argv[1], sys.argv[2])
