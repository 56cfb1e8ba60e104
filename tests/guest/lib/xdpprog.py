# SPDX-License-Identifier: GPL-2.0-only
"""XDP programs, put together from pieces: a filter, actions on the frames that match it, a
verdict. Frames that do not match pass."""
import socket
import struct
import subprocess

import bpf
import btf

ABORTED, DROP, PASS, TX, REDIRECT = range(5)
ADJUST_HEAD, ADJUST_META, ADJUST_TAIL, GET_BUFF_LEN = 44, 54, 65, 188   # helper functions
HAS_FRAGS, DEV_BOUND = 1 << 5, 1 << 6       # flags of programs
BYTE, HALF, WORD = 0x10, 0x08, 0x00         # sizes of loads and stores
ETH, V4, V6, UDP, TCP = 14, 20, 40, 8, 20   # lengths of headers
_KERNEL = []


class Program:
    """Instructions. Jumps lead to the end, to "pass" or "abort". Register r6 is the
    context, r2 the first byte of the frame, of which room() makes some bytes accessible."""

    def __init__(self):
        self.code = [("op", 0xbf, 6, 1, 0)]

    def op(self, code, dst=0, src=0, imm=0, off=0):
        self.code.append(("op", code, dst, src, imm, off))
        return self

    def room(self, length, where="pass"):
        """Make the first LENGTH bytes of the frame accessible through r2; shorter frames
        jump to WHERE."""
        self.op(0x61, 2, 6, off=0).op(0x61, 3, 6, off=4).op(0xbf, 4, 2).op(0x07, 4, imm=length)
        self.code.append((where, 0x2d, 4, 3, 0))
        return self

    def only(self, size, offset, value, where="pass"):
        """Continue only for frames with that value at OFFSET."""
        self.op(0x61 | size, 5, 2, off=offset)
        self.code.append((where, 0x55, 5, 0, value))
        return self

    def swap(self, size, one, other):
        """Exchange two fields of the frame."""
        self.op(0x61 | size, 4, 2, off=one).op(0x61 | size, 5, 2, off=other)
        return self.op(0x63 | size, 2, 5, off=one).op(0x63 | size, 2, 4, off=other)

    def move(self, size, to, source):
        self.op(0x61 | size, 5, 2, off=source)
        return self.op(0x63 | size, 2, 5, off=to)

    def store(self, size, offset, value):
        return self.op(0x62 | size, 2, imm=value, off=offset)

    def adjust(self, helper, by, where="abort"):
        """Move an end of the frame by BY bytes with a helper; r2 is invalid afterwards."""
        self.op(0xbf, 1, 6).op(0xb7, 2, imm=by).op(0x85, imm=helper)
        self.code.append((where, 0x55, 0, 0, 0))
        return self

    def bounce(self, v6=False, ports=True):
        """Exchange source and destination in the headers of Ethernet, IP, and UDP or TCP."""
        self.swap(WORD, 0, 6).swap(HALF, 4, 10)
        for at in range(0, 16 if v6 else 4, 4):
            first = ETH + (8 if v6 else 12)
            self.swap(WORD, first + at, first + at + (16 if v6 else 4))
        if ports:
            l4 = ETH + (V6 if v6 else V4)
            self.swap(HALF, l4, l4 + 2)
        return self

    def hint(self, kfunc, sizes, at):
        """Call a metadata kfunc; store its values and its result in the frame at AT."""
        for n in range(len(sizes) + 1):
            self.op(0x7a, 10, imm=0, off=-8 * n - 8)
        self.op(0xbf, 1, 6)
        for n in range(len(sizes)):
            self.op(0xbf, 2 + n, 10).op(0x07, 2 + n, imm=-8 * n - 8)
        self.op(0x85, src=2, imm=_kfunc(kfunc)).op(0xbf, 7, 0).room(at + 12)
        for n, size in enumerate(sizes):
            self.op(0x61 | size, 5, 10, off=-8 * n - 8).op(0x63, 2, 5, off=at + 4 * n)
        return self.op(0x63, 2, 7, off=at + 8)

    def redirect(self, ifindex):
        """End with a redirect to that interface."""
        self.op(0xb7, 1, imm=ifindex).op(0xb7, 2, imm=0).op(0x85, imm=bpf.REDIRECT)
        return self.op(0x95)

    def end(self, verdict):
        """End with a verdict."""
        return self.op(0xb7, 0, imm=verdict).op(0x95)

    def bytes(self):
        # the verifier refuses an end that no jump leads to
        used = [end for end in ("pass", "abort") if any(end == row[0] for row in self.code)]
        ends = {end: len(self.code) + 2 * n for n, end in enumerate(used)}
        out = []
        for at, (where, code, dst, src, imm, *off) in enumerate(self.code):
            jump = ends[where] - at - 1 if where != "op" else (off or [0])[0]
            out.append(bpf.insn(code, dst, src, imm, jump))
        for end in used:
            out += [bpf.insn(0xb7, 0, imm={"pass": PASS, "abort": ABORTED}[end]),
                    bpf.insn(0x95)]
        return b"".join(out)


def _kfunc(name):
    if not _KERNEL:
        _KERNEL.append(btf.Btf("vmlinux"))
    return _KERNEL[0].find(btf.FUNC, name)


def to_port(port, v6=False, proto=socket.IPPROTO_UDP):
    """A program, begun: it continues for packets to a port."""
    l4 = ETH + (V6 if v6 else V4)
    program = Program().room(l4 + (UDP if proto == socket.IPPROTO_UDP else TCP))
    program.only(HALF, 12, socket.htons(0x86dd if v6 else 0x0800))
    program.only(BYTE, ETH + (6 if v6 else 9), proto)
    return program.only(HALF, l4 + 2, socket.htons(port))


def of_type(ethertype, room=ETH):
    """A program, begun: it continues for frames of an Ethernet type, with ROOM bytes
    accessible."""
    return Program().room(room).only(HALF, 12, socket.htons(ethertype))


def attach(dev, program, flags=HAS_FRAGS, mode="xdpdrv", name="test"):
    """Load the program and attach it, in place of an earlier one."""
    ifindex = socket.if_nametoindex(dev) if flags & DEV_BOUND else 0
    path = bpf.pin(name, program.bytes(), bpf.XDP, flags, ifindex)
    done = subprocess.run(["ip", "-force", "link", "set", "dev", dev, mode, "pinned", path],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr)


def detach(dev, mode="xdpdrv"):
    subprocess.run(["ip", "link", "set", "dev", dev, mode, "off"], check=True)


def be16(value):
    return struct.pack("!H", value)
