# SPDX-License-Identifier: GPL-2.0-only
"""BPF programs of a few instructions, loaded and pinned without a compiler: the ones for tc
are here, the ones for XDP in xdpprog.py."""
import contextlib
import ctypes
import os
import struct

BPF_SYSCALL = 321   # number of the system call on x86-64
PROG_LOAD, OBJ_PIN = 5, 6
SCHED_CLS, XDP = 3, 6   # types of programs
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


def insn(code, dst=0, src=0, imm=0, off=0):
    """One instruction, encoded."""
    return struct.pack("<BBhi", code, dst | src << 4, off, imm)


def _move(dst, imm):
    return insn(0xb7, dst, imm=imm)


def _call(helper):
    return insn(0x85, imm=helper)


def redirect(ifindex):
    """A program that sends each packet out of that interface instead."""
    return (_move(1, ifindex) + _move(2, 0) + _call(REDIRECT) + insn(0x95))


def clone_redirect(ifindex):
    """A program that also sends a copy of each packet out of that interface."""
    return (_move(2, ifindex) + _move(3, 0) + _call(CLONE_REDIRECT) +
            _move(0, 0) + insn(0x95))


def pin(name, code, kind=SCHED_CLS, flags=0, ifindex=0):
    """Load a program and pin it. Returns its path."""
    if not os.path.ismount(FOLDER):
        os.system(f"mount -t bpf bpf {FOLDER}")
    insns = ctypes.create_string_buffer(code, len(code))
    gpl = ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(1 << 16)
    attr = struct.pack("<IIQQIIQII16sI", kind, len(code) // 8, ctypes.addressof(insns),
                       ctypes.addressof(gpl), 1, len(log), ctypes.addressof(log), 0, flags,
                       name.encode(), ifindex)
    path = f"{FOLDER}/{name}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    try:
        fd = _bpf(PROG_LOAD, attr)
    except OSError as err:
        raise AssertionError(f"{name}: {err}\n{log.value.decode()}") from err
    where = ctypes.create_string_buffer(path.encode())
    _bpf(OBJ_PIN, struct.pack("<QII", ctypes.addressof(where), fd, 0))
    os.close(fd)
    return path
