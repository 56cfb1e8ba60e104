#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Our tls.ko in place of the distribution's: the same exports with the same versions, the
same aliases, and the distribution's modules work on top of it. It is loaded when needed,
stays while it is used, and leaves nothing behind."""
import errno
import os
import pathlib
import socket
import subprocess
import sys
import time

import btf
import ktap
import ktls

TREE = pathlib.Path("/lib/modules") / os.uname().release
OURS = TREE / "updates/tls.ko"
USERS = ("bonding", "nfp", "cxgb4")
ROUNDS, SOCKETS = 15, 40
NAMESPACES = 500
# structures that drivers look into, through <net/tls.h>
SHARED = ("tls_context", "tls_offload_context_tx", "tls_offload_context_rx",
          "tls_record_info", "tls_prot_info", "cipher_context", "tls_crypto_info",
          "tls12_crypto_info_aes_gcm_128", "tlsdev_ops")
CLONE_NEWNET = 0x40000000
NOBODY = 65534


def run(*argv, check=True):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.stderr}")
    return done


def stock():
    """The file of the distribution's module."""
    return next((TREE / "kernel/net/tls").glob("tls.ko*"))


def loaded(name="tls"):
    return pathlib.Path("/sys/module", name).exists()


def unload(name="tls", patience=10):
    """Unload a module. A closed connection may hold tls.ko until its last packet is gone."""
    end = time.monotonic() + patience
    while run("rmmod", name, check=False).returncode:
        if time.monotonic() > end:
            raise AssertionError(f"{name} is still in use")
        time.sleep(0.1)


def fresh():
    """Unload tls and the modules that need it."""
    for name in (*USERS, "vktls", "tls"):
        if loaded(name):
            unload(name)


def tls_socket(keys=True):
    """(TLS socket, its peer), closed with the case."""
    near, far = ktls.tcp_pair()
    ktap.defer(near.close)
    ktap.defer(far.close)
    near.setsockopt(socket.IPPROTO_TCP, ktls.TCP_ULP, b"tls")
    if keys:
        key = ktls.Key()
        near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, key.crypto_info())
        near.setsockopt(ktls.SOL_TLS, ktls.TLS_RX, key.crypto_info())
    return near, far


def exports(path):
    """{symbol: version} of a module's file."""
    lines = run("modprobe", "--show-exports", str(path)).stdout.splitlines()
    return {symbol: version for version, symbol in map(str.split, lines)
            if symbol.startswith("tls_")}


@ktap.case()
def same_exports():
    """Our module exports each symbol of the distribution's module, with the same version."""
    theirs, ours = exports(stock()), exports(OURS)
    ktap.equal(len(theirs), 5, "exports of the distribution's module")
    ktap.equal({symbol: ours.get(symbol) for symbol in theirs}, theirs,
               "versions")


def layouts(symbols, kernel):
    """{name: layout or prototype} of the loaded module, for structures and symbols that
    other modules rely on."""
    types = btf.Btf("tls", kernel)
    return {**{name: types.layout(name) for name in SHARED},
            **{name: types.prototype(name) for name in symbols}}


@ktap.case(timeout=120)
def same_layouts():
    """Structures and prototypes of both modules are equal in BTF. (A kernel without
    MODVERSIONS does not compare them when it loads a module.)"""
    symbols = exports(stock())
    if not btf.available():
        versions = {version for version in symbols.values() if int(version, 16)}
        ktap.equal(bool(versions), True, "without BTF: versions")
        return
    kernel = btf.Btf("vmlinux")
    fresh()
    run("insmod", str(stock()))
    theirs = layouts(symbols, kernel)
    unload()
    run("modprobe", "tls")
    ours = layouts(symbols, kernel)
    ktap.equal(len(theirs), len(SHARED) + 5, "what is compared")
    for name, layout in theirs.items():
        ktap.equal(ours[name], layout, name)


@ktap.case()
def same_aliases():
    def aliases(path):
        return sorted(run("modinfo", "-F", "alias", str(path)).stdout.split())

    ktap.equal(aliases(OURS), aliases(stock()), "aliases")


@ktap.case()
def replaces_stock():
    """"modprobe tls" loads our module."""
    fresh()
    run("modprobe", "tls")
    taint = pathlib.Path("/sys/module/tls/taint").read_text("ascii")
    ktap.equal("O" in taint, True, f"out of the tree ({taint.strip()})")


def trace_events():
    """{name: declarations of its fields} of the loaded module's trace events."""
    folder = pathlib.Path("/sys/kernel/tracing/events/tls")
    return {path.parent.name: [line.split(";")[0].strip()
                               for line in path.read_text("ascii").splitlines()
                               if line.startswith("\tfield:")]
            for path in folder.glob("*/format")}


@ktap.case(timeout=60)
def same_trace_events():
    """Our module has each trace event of the distribution's module, with its fields in the
    same order; it may have further fields."""
    fresh()
    run("insmod", str(stock()))
    theirs = trace_events()
    unload()
    run("modprobe", "tls")
    ours = trace_events()
    ktap.equal(len(theirs), 7, "events of the distribution's module")
    ktap.equal({name: [field for field in ours.get(name, []) if field in theirs[name]]
                for name in theirs}, theirs, "events")


def carries(user):
    """A module of the distribution loads on top of ours, holds it, and is unloaded again."""
    fresh()
    run("modprobe", user)
    holders = os.listdir("/sys/module/tls/holders")
    if user not in holders:
        raise AssertionError(f"{user} does not hold tls: {holders}")
    if not run("rmmod", "tls", check=False).returncode:
        raise AssertionError(f"tls went from under {user}")
    unload(user)


@ktap.case()
def loads_itself():
    """A socket that asks for the ULP makes the kernel load our module; without privileges
    it gets ENOENT."""
    fresh()
    near, far = ktls.tcp_pair()
    ktap.defer(near.close)
    ktap.defer(far.close)
    done = subprocess.run(
        [sys.executable, "-c", "import socket, sys\n"
         "sock = socket.socket(fileno=int(sys.argv[1]))\n"
         "try:\n"
         f"    sock.setsockopt(socket.IPPROTO_TCP, {ktls.TCP_ULP}, b'tls')\n"
         "except OSError as err:\n"
         "    sys.exit(err.errno)", str(near.fileno())],
        pass_fds=[near.fileno()], user=NOBODY, group=NOBODY, check=False)
    ktap.equal((done.returncode, loaded()), (errno.ENOENT, False),
               "without privileges")
    near.setsockopt(socket.IPPROTO_TCP, ktls.TCP_ULP, b"tls")
    ktap.equal(loaded(), True, "loaded")


@ktap.case()
def alias_by_name():
    """The kernel's alias tcp-ulp-tls loads our module."""
    fresh()
    run("modprobe", "tcp-ulp-tls")
    ktap.equal(loaded(), True, "loaded")


@ktap.case()
def stays_while_used():
    """rmmod is refused while a socket lives, with keys or without, and data still flows;
    when the socket is closed, the module can be unloaded."""
    fresh()
    for keys in (False, True):
        near, far = tls_socket(keys)
        if not run("rmmod", "tls", check=False).returncode:
            raise AssertionError("gone under a socket")
        near.sendall(b"alive")
        if not far.recv(99):
            raise AssertionError("no data")
        near.close()
        far.close()
        unload()


@ktap.case()
def data_outlives_socket():
    """A closed socket still has unsent data, and rmmod is tried: all data arrives in order,
    and afterwards the module can be unloaded."""
    fresh()
    near, far = ktls.tcp_pair()
    ktap.defer(far.close)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    key = ktls.Key()
    ktls.attach(near, tx=key)
    near.setblocking(False)
    sent = b""
    try:
        while True:
            part = os.urandom(16000)
            sent += part[:near.send(part)]
    except BlockingIOError:
        near.close()
    run("rmmod", "tls", check=False)
    stream, opener = b"", key.clone()
    while chunk := far.recv(1 << 16):
        stream += chunk
    records, rest = ktls.split(stream)
    ktap.equal(b"".join(opener.open(record)[1] for record in records) == sent, True,
               "data")
    ktap.equal(rest, b"", "half a record")
    if loaded():
        unload()


def slab():
    """Objects in use, by cache."""
    lines = pathlib.Path("/proc/slabinfo").read_text("ascii").splitlines()[2:]
    return {line.split()[0]: int(line.split()[1]) for line in lines}


def percpu():
    """KiB of per-CPU memory."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file
                    if line.startswith("Percpu:"))


def life():
    """The module is loaded, used by SOCKETS connections, and unloaded."""
    for _ in range(SOCKETS):
        ends = ktls.tcp_pair()
        key = ktls.Key()
        ktls.attach(ends[0], key.clone(), key.clone())
        ktls.attach(ends[1], key.clone(), key.clone())
        ends[0].sendall(b"x" * 3000)
        ends[1].send(b"unread", socket.MSG_MORE)
        ktap.equal(len(ends[1].recv(1000)), 1000, "a part")
        for end in ends:
            end.close()
    unload()


def settle():
    """Wait for deferred frees."""
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3", "ascii")
    time.sleep(1)


@ktap.case(timeout=120)
def leaves_nothing():
    """The module is loaded, used and unloaded many times: no cache grows by an object for
    every second socket."""
    fresh()
    life()
    settle()
    before = slab()
    for _ in range(ROUNDS):
        life()
    settle()
    grown = {name: count - before.get(name, 0) for name, count in slab().items()
             if count - before.get(name, 0) >= ROUNDS * SOCKETS // 2}
    ktap.equal(grown, {}, "caches that grew")


def namespaces(count):
    """Make COUNT network namespaces, and leave them."""
    child = os.fork()
    if not child:
        for _ in range(count):
            os.unshare(CLONE_NEWNET)
        os._exit(0)
    ktap.equal(os.waitpid(child, 0)[1], 0, "status")


def growth_of_namespaces():
    """KiB by which per-CPU memory has grown after namespaces were made and left."""
    before = percpu()
    namespaces(NAMESPACES)
    settle()
    return percpu() - before


@ktap.case(timeout=240)
def namespaces_leave_nothing():
    """The counters of a namespace are freed with it: if half of the 26 numbers per CPU were
    left, every round would show it. The kernel cleans namespaces up later and keeps pages
    that are partly used, so one round without growth is enough."""
    run("modprobe", "tls")
    limit = NAMESPACES * 26 * 8 * os.cpu_count() // 1024 // 2
    grown = []
    while len(grown) < 6:
        grown.append(growth_of_namespaces())
        if grown[-1] <= limit:
            return
    raise AssertionError(f"KiB in each round: {grown}; limit {limit}")


def main():
    for user in USERS:
        ktap.add(f"carries {user}", carries, user, timeout=60)
    ktap.main()


main()
