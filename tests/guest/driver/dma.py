#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The NIC reaches memory in the way that this boot asks for: "dma.py bounce" or "dma.py
iommu". The programs that ran before in the same boot made the traffic; dma.py only checks."""
import os
import sys

from nic import IF, read, transfer
import ktap

HOW = sys.argv.pop(1)
DEVICE = f"/sys/class/net/{IF}/device"


def bounce():
    """All that the NIC reads and writes goes through the kernel's bounce buffers."""
    used = "/sys/kernel/debug/swiotlb/io_tlb_used"
    if int(read(used)) < 256:
        raise AssertionError(f"{read(used)} slots in use, fewer than a receive ring has buffers")


def iommu():
    """An IOMMU translates DMA, and the NIC cannot access a page after it is unmapped."""
    ktap.equal(read(f"{DEVICE}/iommu_group/type"), "DMA", "kind of translation")
    transfer(1 << 20)
    ktap.equal(os.path.exists("/sys/class/iommu/dmar0"), True, "the IOMMU")


def faults():
    """The kernel logged no refused access, no full bounce buffer and no misuse of the DMA
    API."""
    log = os.popen("dmesg").read()
    for words in ("DMAR: [DMA", "DMAR:[DMA", "swiotlb buffer is full", "DMA-API:"):
        ktap.equal(words in log, False, f"the kernel says: {words}")


def main():
    fn = {"bounce": bounce, "iommu": iommu}[HOW]
    ktap.add(fn.__name__, fn, timeout=60)
    ktap.add("no faults", faults)
    ktap.main()


if __name__ == "__main__":
    main()
