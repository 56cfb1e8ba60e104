# SPDX-License-Identifier: GPL-2.0-only
"""The functions in which the guest executed its instructions, from the files that a boot
left in its folder: blocks, kallsyms, rows."""
import bisect
import re

# Functions that count as the driver, besides those of its modules: mapping, copying,
# buffers
MODULES = {"virtio-net": ["virtio_net", "virtio_ring", "virtio_pci", "virtio"]}
HELPERS = re.compile(
    r"(page_pool_|__page_pool|dma_(un)?map|dma_sync|dma_direct|virtqueue_|vring_"
    r"|vp_notify|detach_buf|net_dim|dim_|napi_(build|alloc)_skb|__napi_(build|alloc)"
    r"|(__)?build_skb|__netdev_alloc|netdev_alloc|page_frag_alloc|__page_frag"
    r"|eth_type_trans|eth_get_headlen|skb_add_rx_frag|skb_copy_bits|iowrite|ioread"
    r"|net_prefetch)")


def symbols(folder):
    """(sorted addresses of the guest's functions, their names)."""
    found = {}
    for line in (folder / "kallsyms").read_text().splitlines():
        addr, kind, name, *module = line.split()
        if kind in "tTwW":
            found[int(addr, 16)] = " ".join([name, *module])
    addrs = sorted(found)
    return addrs, [found[addr] for addr in addrs]


def profiles(folder):
    """{row number: {function: instructions in all batches}}"""
    addrs, names = symbols(folder)
    out = {}
    for line in (folder / "blocks").read_text().splitlines():
        row, addr, insns = line.split()
        addr = int(addr, 16)
        at = bisect.bisect(addrs, addr) - 1
        where = names[at] if addr >> 47 else "user space"
        of_row = out.setdefault(int(row), {})
        of_row[where] = of_row.get(where, 0) + int(insns)
    return out


def driver_part(nic, profile):
    """Instructions of the driver, and of the functions that it calls to map and allocate."""
    modules = {f"[{name}]" for name in MODULES.get(nic, [nic])}
    total = 0
    for name, insns in profile.items():
        words = name.split()
        if words[-1] in modules or HELPERS.match(words[0]):
            total += insns
    return total
