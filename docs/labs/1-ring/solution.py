# SPDX-License-Identifier: GPL-2.0-only
"""Lab 1: a transmit ring. The check calls Sender.send() for each frame."""
import struct

TXD_EOP, TXD_CPL = 0x0001, 0x0002


class Sender:
    """One transmit queue; see the start for the arguments."""

    def __init__(self, memory, ring, completions, log2, doorbell, consumed):
        self.memory, self.ring, self.completions = memory, ring, completions
        self.entries = 1 << log2
        self.doorbell, self.consumed = doorbell, consumed
        self.tail = 0           # where the next descriptor goes
        self.head = 0           # the oldest that the NIC may still read
        self.next = 0           # completion that is read next
        self.gen = 1            # its last byte, once the NIC has written it

    def after(self, index):
        """The index after one; it never carries the lap."""
        return (index + 1) % self.entries

    def complete(self):
        """Take one completion. Return: was there one?"""
        entry = self.memory.read(self.completions + 16 * self.next, 16)
        if entry[15] != self.gen:
            return False
        self.head, = struct.unpack_from("<H", entry)
        self.next = self.after(self.next)
        if not self.next:
            self.gen ^= 1       # the next lap
        self.consumed(self.next)
        return True

    def send(self, address, length):
        """Have the NIC send the frame at that address."""
        # a ring is full when its next tail would be its head
        while self.after(self.tail) == self.head:
            self.complete()
        descriptor = struct.pack("<QIHH", address, length, 0, TXD_EOP | TXD_CPL)
        self.memory.write(self.ring + 16 * self.tail, descriptor)
        self.tail = self.after(self.tail)
        self.doorbell(self.tail)
