# SPDX-License-Identifier: GPL-2.0-only
"""Lab 1: a transmit ring. The check calls Sender.send() for each frame."""
import struct

TXD_EOP, TXD_CPL = 0x0001, 0x0002


class Sender:
    """One transmit queue that firmware has created; both rings are zeros.

    memory.write(address, bytes), memory.read(address, length): memory of the host
    ring, completions: addresses of two rings of 2 ** log2 entries, 16 bytes each
    doorbell(tail): write the register VKTLS_QP_TX_TAIL
    consumed(head): write the register VKTLS_QP_TX_CQ
    """

    def __init__(self, memory, ring, completions, log2, doorbell, consumed):
        self.memory, self.ring, self.completions = memory, ring, completions
        self.entries = 1 << log2
        self.doorbell, self.consumed = doorbell, consumed

    def send(self, address, length):
        """Have the NIC send the frame at that address."""
        descriptor = struct.pack("<QIHH", address, length, 0, TXD_EOP | TXD_CPL)
        self.memory.write(self.ring, descriptor)
        self.doorbell(1)
