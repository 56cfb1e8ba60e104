#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""NVMe over TCP with TLS 1.3, host and target of the distribution's kernel. The host reads
by read_sock(), the target by recvmsg() with the record's type. tlshd does the handshakes,
with a key that both ends have. With the word "offload", the host's TLS is on the NIC. With
"secrets N", tlshd gives the connections' secrets to the kernel by libtlskeys.so, and the
kernels of both ends renew their keys at least N times."""
import hashlib
import mmap
import os
import pathlib
import subprocess
import sys
import time

import ktap
import ktls
import rig

SUBSYSTEM = "nqn.2024-01.test:vktls"
HOST = "nqn.2014-08.org.nvmexpress:uuid:8d9f57b8-3f6f-4d7d-9a57-0d6f2a2f3c11"
HOST_ID = "8d9f57b8-3f6f-4d7d-9a57-0d6f2a2f3c11"
IDENTITY = f"NVMe0R01 {HOST} {SUBSYSTEM}"
PORT = "4420"
CONFIGFS = pathlib.Path("/tmp/configfs/nvmet")
TARGET = CONFIGFS / "subsystems" / SUBSYSTEM
DISK = "/dev/ram0"      # the disk that the target serves
QUEUES = 2              # of the host: one for commands, one for data
SIZE = 6 << 20
OFFLOAD = "offload" in sys.argv
SECRETS = int(sys.argv[sys.argv.index("secrets") + 1]) if "secrets" in sys.argv else 0
CURRENT = ("TlsCurrTxSw", "TlsCurrRxSw", "TlsCurrTxDevice", "TlsCurrRxDevice")


def write(path, value):
    pathlib.Path(path).write_text(value, "ascii")


def far_stat():
    """/proc/net/tls_stat of the peer."""
    words = rig.far_run("cat", "/proc/net/tls_stat").split()
    return {name: int(value) for name, value in zip(words[::2], words[1::2])}


def tlshd():
    """Start the handshake daemon, here and in the peer's namespace."""
    pathlib.Path("/tmp/tlshd.conf").write_text(
        "[authenticate]\nkeyrings=.nvme\n", "ascii")
    argv = ["tlshd", "-s", "-c", "/tmp/tlshd.conf"]
    env = dict(os.environ)
    if SECRETS:
        env.update(LD_PRELOAD="/usr/local/lib/libtlskeys.so", TLSKEYS_RECORDS="64",
                   TLSKEYS_AGE_MS="20", TLSKEYS_VERBOSE="1")
    for prefix in ([], ["ip", "netns", "exec", "peer"]):
        with open("/tmp/tlshd.log", "ab") as log:
            # pylint: disable-next=consider-using-with
            subprocess.Popen(prefix + argv, stdout=log, stderr=log, env=env)


def add_key(data, keyring="%:.nvme"):
    """Add a key to the kernel's keyring for NVMe, which both ends use; return its number."""
    done = subprocess.run(["keyctl", "padd", "psk", IDENTITY, keyring], input=data,
                          check=True, capture_output=True)
    return done.stdout.decode().strip()


def make_target():
    """Serve one disk on the peer's address, over TLS only."""
    os.makedirs("/tmp/configfs")
    rig.run("mount", "-t", "configfs", "none", "/tmp/configfs")
    TARGET.mkdir()
    write(TARGET / "attr_allow_any_host", "1")
    (TARGET / "namespaces/1").mkdir()
    write(TARGET / "namespaces/1/device_path", DISK)
    write(TARGET / "namespaces/1/enable", "1")
    port = CONFIGFS / "ports/1"
    port.mkdir()
    for name, value in (("addr_adrfam", "ipv4"), ("addr_trtype", "tcp"),
                        ("addr_traddr", rig.FAR[4]), ("addr_trsvcid", PORT),
                        ("addr_tsas", "tls1.3"), ("addr_treq", "required")):
        write(port / name, value)
    with rig.far_side():        # the target listens in the namespace in which the link is made
        (port / "subsystems" / SUBSYSTEM).symlink_to(TARGET)


def prepare():
    rig.run("modprobe", "brd", "rd_nr=1", "rd_size=16384")
    for module in ("tls", "nvmet-tcp", "nvme-tcp"):
        rig.run("modprobe", module)
    if SECRETS:
        at = sys.argv.index("secrets")
        del sys.argv[at:at + 2]
    if OFFLOAD:
        sys.argv.remove("offload")
        rig.offload()
        rig.receive_offload()
    tlshd()
    add_key(os.urandom(32))
    make_target()


def attach(more=""):
    """Connect a host; returns the controller's folder in sysfs."""
    known = set(os.listdir("/sys/class/nvme"))
    words = (f"transport=tcp,traddr={rig.FAR[4]},trsvcid={PORT},nqn={SUBSYSTEM},"
             f"hostnqn={HOST},hostid={HOST_ID},nr_io_queues={QUEUES - 1},tls{more}")
    with open("/dev/nvme-fabrics", "r+b", buffering=0) as control:
        control.write(words.encode())
    name, = set(os.listdir("/sys/class/nvme")) - known
    return pathlib.Path("/sys/class/nvme", name)


def detach(controller):
    write(controller / "delete_controller", "1")


def block_device(controller):
    """The controller's disk."""
    disks = []

    def there():
        disks[:] = [path for path in pathlib.Path("/dev").glob("nvme*n1")
                    if path.is_block_device()]
        return bool(disks)

    rig.wait_for(there, 20, lambda: f"{controller.name} has no disk")
    return disks[0]


def copy(*words):
    rig.run("dd", "bs=1M", "status=none", *words)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read(SIZE)).hexdigest()


def nothing_left():
    """Wait until both ends have no TLS socket left."""
    def total():
        return sum(stat[name] for stat in (ktls.tls_stat(), far_stat())
                   for name in CURRENT)

    rig.wait_for(lambda: not total(), 20, lambda: f"{total()} directions are left")


def by_the_card(watch):
    """The host's sockets are on the NIC, which encrypted all writes and decrypted at least
    nine tenths of the reads."""
    watch.expect(TlsTxDevice=QUEUES, TlsRxDevice=QUEUES, TlsTxSw=0, TlsRxSw=0)
    sent, got = watch["tx_tls_encrypted_bytes"], watch["rx_tls_decrypted_bytes"]
    ktap.figure(f"NVMe: the card encrypted {sent} and decrypted {got} bytes of {SIZE} "
                "each way")
    if sent < SIZE or got < SIZE * 9 // 10:
        raise AssertionError(f"not by the card; {watch.report()}")


@ktap.case(timeout=120)
def disk_over_tls():
    """Data written by the host is on the target's disk, and is read back unchanged; both
    ends use kernel TLS."""
    data = "/tmp/data"
    pathlib.Path(data).write_bytes(rig.pattern(SIZE))
    before, there = ktls.tls_stat(), far_stat()
    watch = rig.Watch() if OFFLOAD else None
    rig.control()
    controller = attach()
    ktap.defer(nothing_left)
    ktap.defer(detach, controller)
    for was, now in ((before, ktls.tls_stat()), (there, far_stat())):
        ktap.equal([sum(now[name] - was[name] for name in ways)
                    for ways in (("TlsTxSw", "TlsTxDevice"),
                                  ("TlsRxSw", "TlsRxDevice"))],
                   [QUEUES, QUEUES], "sockets sending, receiving")
    disk = block_device(controller)
    copy(f"if={data}", f"of={disk}", "oflag=direct", "conv=notrunc")
    copy(f"if={DISK}", "of=/tmp/there", "iflag=direct", f"count={SIZE >> 20}")
    ktap.equal(digest("/tmp/there"), digest(data), "on the target's disk")
    copy(f"if={disk}", "of=/tmp/back", "iflag=direct", f"count={SIZE >> 20}")
    ktap.equal(digest("/tmp/back"), digest(data), "read back")
    ktap.equal(ktls.tls_stat()["TlsDecryptError"], before["TlsDecryptError"],
               "errors")
    if watch:
        by_the_card(watch)


@ktap.case(timeout=120)
def small_reads():
    """Reads of many sizes, so that records are shorter and longer than a read: all data is
    right."""
    controller = attach()
    ktap.defer(nothing_left)
    ktap.defer(detach, controller)
    disk = block_device(controller)
    with open(DISK, "rb") as there, open(disk, "rb", buffering=0) as here:
        os.posix_fadvise(here.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for number in range(200):
            at = number * 7919 % (SIZE // 512) * 512
            size = 512 * (1 + number % 70)
            got = os.pread(here.fileno(), size, at)
            there.seek(at)
            ktap.equal(got, there.read(size), f"{size} bytes at {at}")


@ktap.case(timeout=120)
def another_key():
    """A host with another key than the target's gets no connection and leaves nothing;
    afterwards a host with the right key connects."""
    before = ktls.tls_stat()
    serial = add_key(os.urandom(32), "@u")
    rig.run("keyctl", "setperm", serial, "0x3f3f0000")  # lets tlshd read the key
    try:
        detach(attach(f",tls_key={serial}"))
    except OSError:
        pass
    else:
        raise AssertionError("connected with another key")
    nothing_left()
    ktap.equal(ktls.tls_stat(), before, "counters")
    detach(attach())
    nothing_left()


def key_updates():
    """Numbers of KeyUpdates that the kernels of both ends have sent and received: [sent,
    received]."""
    stats = (ktls.tls_stat(), far_stat())
    return [sum(stat[name] for stat in stats) for name in ("TlsTxKeyUpdate", "TlsRxKeyUpdate")]


def slowest_read(disk, count):
    """Seconds that the slowest of COUNT direct reads takes."""
    page, slowest = mmap.mmap(-1, 4096), 0
    here = os.open(disk, os.O_RDONLY | os.O_DIRECT)
    try:
        for number in range(count):
            begin = time.monotonic()
            os.preadv(here, [page], number * 4096 % SIZE)
            slowest = max(slowest, time.monotonic() - begin)
    finally:
        os.close(here)
    return slowest


def keys_change():
    """Both kernels renew their keys again and again while the disk is read and written: no
    error, and all data is right."""
    before, errors = key_updates(), ktls.tls_stat()["TlsDecryptError"]
    data = rig.pattern(SIZE)
    pathlib.Path("/tmp/data").write_bytes(data)
    controller = attach()
    ktap.defer(nothing_left)
    ktap.defer(detach, controller)
    disk, longest = block_device(controller), 0
    while key_updates()[0] - before[0] < SECRETS:
        copy("if=/tmp/data", f"of={disk}", "oflag=direct", "conv=notrunc")
        copy(f"if={disk}", "of=/tmp/back", "iflag=direct", f"count={SIZE >> 20}")
        ktap.equal(digest("/tmp/back"), digest("/tmp/data"), "read back")
        longest = max(longest, slowest_read(disk, 500))
    sent, got = (now - was for now, was in zip(key_updates(), before))
    ktap.figure(f"NVMe: {sent} KeyUpdates sent, {got} received; the slowest read of 4096 "
                f"bytes took {longest * 1000:.0f} ms")
    ktap.equal(ktls.tls_stat()["TlsDecryptError"], errors, "errors")
    if got < sent * 9 // 10:
        raise AssertionError("KeyUpdates were sent and not received")


if SECRETS:
    ktap.add("keys change", keys_change, timeout=1500)

if __name__ == "__main__":
    prepare()
    ktap.main()
