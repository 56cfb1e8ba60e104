# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own description of types, /sys/kernel/btf, as text that can be
compared: layouts of structures, prototypes of functions."""
import array
import pathlib
import struct

FOLDER = pathlib.Path("/sys/kernel/btf")
MAGIC = 0xeb9f
INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, \
    FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(1, 20)
WORDS = {STRUCT: "struct", UNION: "union", ENUM: "enum", ENUM64: "enum"}
QUALIFIERS = (VOLATILE, CONST, RESTRICT, TYPE_TAG)
# bytes behind a type's record; MEMBER has the bytes for each of its vlen members
TAIL = {INT: 4, ARRAY: 12, VAR: 4, DECL_TAG: 4}
MEMBER = {STRUCT: 12, UNION: 12, ENUM: 8, FUNC_PROTO: 8, DATASEC: 12, ENUM64: 12}


class Btf:
    """The types of NAME: "vmlinux", or a loaded module, whose types continue those of BASE."""

    def __init__(self, name, base=None):
        data = (FOLDER / name).read_bytes()
        magic, _, _, hdr_len, type_off, type_len, str_off, str_len = \
            struct.unpack_from("<HBBIIIII", data)
        if magic != MAGIC:
            raise ValueError(f"{name}: magic {magic:#x}")
        self.base = base
        self.first = base.end if base else 1
        self.strings_at = base.strings_end if base else 0
        self.strings = data[hdr_len + str_off:][:str_len]
        self.strings_end = self.strings_at + str_len
        self.types = data[hdr_len + type_off:][:type_len]
        self.offsets, self.named = array.array("I"), {}
        self.scan()
        self.end = self.first + len(self.offsets)

    def scan(self):
        """Find the offset of each type; a kernel has 150 000 types, and the guest is slow."""
        at, end, types = 0, len(self.types), self.types
        unpack, offsets = struct.Struct("<II").unpack_from, self.offsets
        while at < end:
            name, info = unpack(types, at)
            kind = info >> 24 & 0x1f
            if kind in (STRUCT, FUNC):
                self.named[kind, name] = self.first + len(offsets)
            offsets.append(at)
            at += 12 + TAIL.get(kind, 0)
            if kind in MEMBER:
                at += MEMBER[kind] * (info & 0xffff)

    def string(self, offset):
        if offset < self.strings_at:
            return self.base.string(offset)
        offset -= self.strings_at
        return self.strings[offset:self.strings.index(0, offset)].decode("ascii")

    def get(self, number):
        if number < self.first:
            return self.base.get(number)
        at = self.offsets[number - self.first]
        name, info, size = struct.unpack_from("<III", self.types, at)
        kind = info >> 24 & 0x1f
        more = TAIL.get(kind, 0) + MEMBER.get(kind, 0) * (info & 0xffff)
        return name, kind, size, info >> 31, self.types[at + 12:at + 12 + more]

    def offset_of(self, name):
        """Offset of a name in the string section, or -1."""
        # a module's section begins with its first string, the kernel's with an empty one
        at = (b"\0" + self.strings).find(f"\0{name}\0".encode())
        if at >= 0:
            return self.strings_at + at
        return self.base.offset_of(name) if self.base else -1

    def find(self, kind, name):
        """Number of the structure or function, in this BTF or its base; None if there is
        none."""
        number = self.named.get((kind, self.offset_of(name)))
        if number is None and self.base:
            return self.base.find(kind, name)
        return number

    def text(self, number, name=""):
        """A declaration of NAME with that type, as in C. Named types are not expanded."""
        if not number:
            return f"void {name}".strip()
        label, kind, size, _, more = self.get(number)
        if kind in QUALIFIERS:
            return self.text(size, name)
        if kind == PTR:
            return self.text(size, f"*{name}")
        if kind == ARRAY:
            item, _, length = struct.unpack("<III", more)
            return self.text(item, f"{name}[{length}]")
        if kind == FUNC_PROTO:
            args = ", ".join(self.text(struct.unpack_from("<II", more, at)[1])
                             for at in range(0, len(more), 8))
            return self.text(size, f"({name})({args})")
        label = self.string(label)
        if not label and kind in (STRUCT, UNION):
            return f"{WORDS[kind]} {{{'; '.join(self.members(number))}}} {name}".strip()
        return f"{WORDS.get(kind, '')} {label} {name}".strip()

    def members(self, number):
        """Offset in bits and declaration of each member."""
        _, _, _, flag, more = self.get(number)
        for at in range(0, len(more), 12):
            name, kind, offset = struct.unpack_from("<III", more, at)
            bits = f":{offset >> 24}" if flag and offset >> 24 else ""
            offset = offset & 0xffffff if flag else offset
            yield f"{offset} {self.text(kind, self.string(name))}{bits}"

    def layout(self, name):
        """[size, members...] of a structure."""
        number = self.find(STRUCT, name)
        if number is None:
            raise KeyError(f"struct {name}")
        return [self.get(number)[2], *self.members(number)]

    def prototype(self, name):
        """A function's type."""
        number = self.find(FUNC, name)
        if number is None:
            raise KeyError(f"{name}()")
        return self.text(self.get(number)[2], name)


def available():
    """Does the kernel describe its types and those of its modules?"""
    return (FOLDER / "vmlinux").exists()
