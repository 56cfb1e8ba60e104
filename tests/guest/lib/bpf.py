# SPDX-License-Identifier: GPL-2.0-only
"""A tc program of five instructions, loaded and pinned without a compiler."""
import contextlib
import ctypes
import os
import struct

BPF_SYSCALL = 321   # x86-64
PROG_LOAD, OBJ_PIN = 5, 6
SCHED_CLS = 3
FOLDER = "/sys/fs/bpf"
CLONE_REDIRECT, REDIRECT = 13, 23   # numbers of helper functions
_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command, attr):
    buffer = ctypes.create_string_buffer(attr, len(attr))
    got = _libc.syscall(BPF_SYSCALL, command, buffer, len(attr))
    if got < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return got


def _insn(code, dst=0, src=0, imm=0):
    return struct.pack("<BBhi", code, dst | src << 4, 0, imm)


def _move(dst, imm):
    return _insn(0xb7, dst, imm=imm)


def _call(helper):
    return _insn(0x85, imm=helper)


def redirect(ifindex):
    """All packets leave through that interface instead."""
    return (_move(1, ifindex) + _move(2, 0) + _call(REDIRECT) + _insn(0x95))


def clone_redirect(ifindex):
    """A copy of each packet leaves through that interface too."""
    return (_move(2, ifindex) + _move(3, 0) + _call(CLONE_REDIRECT) +
            _move(0, 0) + _insn(0x95))


def pin(name, code):
    """Load a program; returns the path under which tc finds it."""
    if not os.path.ismount(FOLDER):
        os.system(f"mount -t bpf bpf {FOLDER}")
    insns = ctypes.create_string_buffer(code, len(code))
    gpl = ctypes.create_string_buffer(b"GPL")
    attr = struct.pack("<IIQQIIQII16s", SCHED_CLS, len(code) // 8,
                       ctypes.addressof(insns), ctypes.addressof(gpl), 0, 0, 0, 0, 0,
                       name.encode())
    path = f"{FOLDER}/{name}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    fd = _bpf(PROG_LOAD, attr)
    where = ctypes.create_string_buffer(path.encode())
    _bpf(OBJ_PIN, struct.pack("<QII", ctypes.addressof(where), fd, 0))
    os.close(fd)
    return path
