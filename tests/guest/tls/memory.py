#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The kernel has no memory: the first allocation of a system call fails, in the next turn
the second one, and so on until a call has no allocation left to fail. Each call reports the
failure or does its work all the same, and the stream goes on with every byte in its place.

Needs a kernel with fault injection (Documentation/fault-injection): "make
check-debug" builds it.
"""
import contextlib
import errno
import os
import pathlib
import socket
import threading

import ktap
import ktls
import rig

DEBUG = pathlib.Path("/sys/kernel/debug")
VERSIONS = {"1.2": ktls.TLS12, "1.3": ktls.TLS13}
FILE = "/tmp/memory"
SIZE = 40000
MOST = 400          # allocations that one call may do
OFTEN = b"2"        # per cent, where any allocation may fail
EXCUSES = (errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN)


def prepare():
    """Let fault injection also hit allocations that may sleep, and single pages."""
    for where, settings in (("failslab", {"ignore-gfp-wait": "N"}),
                            ("fail_page_alloc", {"ignore-gfp-wait": "N",
                                                 "ignore-gfp-highmem": "N",
                                                 "min-order": "0"})):
        for name, value in (settings | {"verbose": "0"}).items():
            (DEBUG / where / name).write_text(value, "ascii")
    pathlib.Path(FILE).write_bytes(os.urandom(SIZE))


class Nth:
    """Makes the Nth allocation of a call fail."""

    def __init__(self):
        self.file = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
        ktap.defer(os.close, self.file)
        self.refused = 0    # calls that returned an error for a failed allocation

    def call(self, number, function, *args):
        """Call function(*args) with its allocation NUMBER failing. Returns (True if one
        failed, the result of the call, or None after an error)."""
        os.pwrite(self.file, b"%d" % number, 0)
        try:
            result = function(*args)
        except OSError as err:
            result = err
        left = int(os.pread(self.file, 20, 0))
        os.pwrite(self.file, b"0", 0)
        if isinstance(result, OSError):
            ktap.equal(result.errno in EXCUSES and not left, True,
                       f"allocation {number}: {result}")
            self.refused += 1
            result = None
        return not left, result

    def each(self, step):
        """Call step(1), step(2), ... until it reports that no allocation failed. Returns
        how often one failed; 0 is right for data that the NIC has decrypted."""
        for number in range(1, MOST):
            if not step(number):
                print(f"# figure: {number - 1} allocations failed, "
                      f"{self.refused} calls with them")
                return number - 1
        raise AssertionError(f"more than {MOST} allocations")


@contextlib.contextmanager
def scarce():
    """Some allocations fail, in any process, except in the one that ends the faults."""
    for name, value in (("interval", "1"), ("times", "-1")):
        (DEBUG / "failslab" / name).write_text(value, "ascii")
    with open(DEBUG / "failslab" / "probability", "wb", buffering=0) as often:
        try:
            often.write(OFTEN)
            yield
        finally:
            often.write(b"0")


def loopback():
    """(near, far) over loopback, where no NIC does TLS."""
    near, far = ktls.tcp_pair()
    return patient(near, far)


def wire():
    """(near, far) over the NIC."""
    return patient(*rig.connect())


def patient(near, far):
    """The sockets with a timeout, closed when the case ends."""
    for sock in (near, far):
        ktap.defer(sock.close)
        sock.settimeout(20)
    return near, far


def take(far, key, size):
    """Content of the records that bring so many bytes."""
    return b"".join(data for _, data in ktls.drain(far, key, size))


def some(count):
    """At least one allocation failed; otherwise the case would have tested nothing."""
    ktap.equal(count > 0, True, "an allocation failed")


def sending(version, path, act):
    """act(near) returns (call, its data, data that was held open before). With each
    allocation of the call failing in turn: bytes that the call counted are sent, without a
    further call unless they are held open, and the stream goes on."""
    near, far = path()
    key, nth = ktls.Key("aes-128-gcm", version), Nth()
    ktls.attach(near, tx=key)
    key = key.clone()

    def step(number):
        call, data, held = act(near)
        failed, count = nth.call(number, call)
        sent = held + data[:count or 0]
        if count and act is not holding:
            ktap.equal(take(far, key, len(sent)) == sent, True,
                       f"allocation {number}: what arrives by itself")
            sent = b""
        near.send(b"!")
        ktap.equal(take(far, key, len(sent) + 1) == sent + b"!", True,
                   f"allocation {number}: what arrives")
        return failed

    some(nth.each(step))


def plainly(near):
    data = os.urandom(SIZE)
    return lambda: near.send(data), data, b""


def by_small_pieces(near):
    data = [os.urandom(37) for _ in range(64)]
    return lambda: near.sendmsg(data), b"".join(data), b""


def holding(near):
    """A call fails while MSG_MORE holds earlier data open."""
    near.send(b"held", socket.MSG_MORE)
    data = os.urandom(SIZE)
    return lambda: near.send(data, socket.MSG_MORE), data, b"held"


def ending(near):
    """A call that ends a record which was held open."""
    near.send(b"held", socket.MSG_MORE)
    data = os.urandom(900)
    return lambda: near.send(data), data, b"held"


def from_file(near):
    file = os.open(FILE, os.O_RDONLY)
    ktap.defer(os.close, file)
    data = pathlib.Path(FILE).read_bytes()
    return lambda: os.sendfile(near.fileno(), file, 0, SIZE), data, b""


def control(near):
    return (lambda: ktls.send_record(near, b"\1\0", ktls.ALERT)), b"\1\0", b""


def receiving(version, path, size, flags=0):
    """recv() with each of its allocations failing in turn: nothing is lost, and nothing is
    read twice."""
    near, far = path()
    key, nth = ktls.Key("aes-128-gcm", version), Nth()
    ktls.attach(near, rx=key)
    key = key.clone()

    def step(number):
        data = os.urandom(SIZE)
        far.sendall(b"".join(key.seal(data[at:at + ktls.MAX_PLAIN])
                             for at in range(0, SIZE, ktls.MAX_PLAIN)))
        rig.readable(near, 5)
        failed, got = nth.call(number, near.recv, size, flags)
        got = b"" if got is None or flags & socket.MSG_PEEK else got
        while len(got) < SIZE:
            got += near.recv(SIZE - len(got))
        ktap.equal(got == data, True, f"allocation {number}: what arrives")
        return failed

    count = nth.each(step)
    if path is loopback:
        some(count)


class KeyedEnd:
    """A socket that gets keys for one direction, and its raw peer."""

    def __init__(self, version, path, direction):
        self.near, self.far = path()
        self.version, self.direction = version, direction
        self.option = ktls.TLS_TX if direction == "tx" else ktls.TLS_RX
        self.key = None

    def draw(self):
        """Make the next key, for give()."""
        self.key = ktls.Key("aes-128-gcm", self.version)

    def give(self):
        """Give the key to the kernel. Returns True, to be told apart from a failure."""
        ulp = self.near.getsockopt(socket.IPPROTO_TCP, ktls.TCP_ULP, 16)
        if not ulp.startswith(b"tls"):
            self.near.setsockopt(socket.IPPROTO_TCP, ktls.TCP_ULP, b"tls")
        self.near.setsockopt(ktls.SOL_TLS, self.option, self.key.crypto_info())
        return True

    def check(self, kind=ktls.DATA, data=b"with this key"):
        """A record with this key arrives."""
        if self.direction == "tx":
            ktls.send_record(self.near, data, kind)
            ktap.equal(take(self.far, self.key, len(data)), data, "what arrives")
        else:
            self.far.sendall(self.key.seal(data, kind))
            ktap.equal(ktls.recv_record(self.near)[1], data, "what arrives")


def key_given(version, path, direction):
    """Setting the first key fails with each of its allocations in turn: the key can be set
    again, and works."""
    nth = Nth()

    def step(number):
        end = KeyedEnd(version, path, direction)
        end.draw()
        failed, given = nth.call(number, end.give)
        if not given:
            end.give()
        end.key = end.key.clone()
        end.check()
        end.near.close()
        end.far.close()
        return failed

    some(nth.each(step))


def new_key(version, path, direction):
    """Setting the next key of TLS 1.3 fails with each of its allocations in turn: the key
    can be set again, and works."""
    end, nth = KeyedEnd(version, path, direction), Nth()
    end.draw()
    end.give()

    def step(number):
        end.check(ktls.HANDSHAKE, ktls.KEY_UPDATE)
        end.draw()
        failed, given = nth.call(number, end.give)
        if not given:
            end.give()
        end.check()
        return failed

    some(nth.each(step))


class OwnKeys:
    """A socket whose keys the kernel renews, and its raw peer."""

    def __init__(self, path):
        self.near, self.far = path()
        self.out, self.back = ktls.Traffic(), ktls.Traffic()
        self.stream = b""
        ktls.attach(self.near, tx=self.back, rx=self.out)
        for name, traffic in ((ktls.TLS_EXT_TX_SECRET, self.back),
                              (ktls.TLS_EXT_RX_SECRET, self.out)):
            self.near.setsockopt(ktls.SOL_TLS, name, traffic.ext_secret())

    def record(self):
        """(type, data) of the kernel's next record."""
        while not ktls.split(self.stream)[0]:
            self.stream += self.far.recv(1 << 16)
        end = 5 + int.from_bytes(self.stream[3:5], "big")
        record, self.stream = self.stream[:end], self.stream[end:]
        kind, data = self.back.open(record)
        if kind == ktls.HANDSHAKE:
            self.back.update()
        return kind, data


def own_update(path):
    """TLS_EXT_KEY_UPDATE with each of its allocations failing in turn: exactly one
    KeyUpdate is sent, at once or later."""
    end, nth = OwnKeys(path), Nth()

    def ask():
        end.near.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_KEY_UPDATE, 0)
        return True

    def step(number):
        failed, _ = nth.call(number, ask)
        end.near.send(b"!")
        records = [end.record(), end.record()]
        ktap.equal(sorted(records), [(ktls.HANDSHAKE, ktls.KEY_UPDATE), (ktls.DATA, b"!")],
                   f"allocation {number}: records")
        return failed

    some(nth.each(step))


def peers_update(path):
    """A KeyUpdate of the peer arrives, with each allocation of the read failing in turn:
    the kernel follows it, and data behind it is read."""
    end, nth = OwnKeys(path), Nth()

    def step(number):
        end.far.sendall(end.out.seal(ktls.KEY_UPDATE_ASKS, ktls.HANDSHAKE))
        end.out.update()
        end.far.sendall(end.out.seal(b"behind"))
        rig.readable(end.near, 5)
        failed, got = nth.call(number, end.near.recv, 99)
        ktap.equal(got or end.near.recv(99), b"behind", f"allocation {number}: what arrives")
        ktap.equal(end.record(), (ktls.HANDSHAKE, ktls.KEY_UPDATE), "answer")
        return failed

    count = nth.each(step)
    if path is loopback:
        some(count)


def limit_passed_for_want_of_memory(path):
    """The program's own KeyUpdate fails for lack of memory shortly before the limit of a
    key: the kernel sends its own before the limit."""
    nth = Nth()

    def step(number):
        end = OwnKeys(path)
        end.near.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_TX_LIMITS, ktls.ext_limits(64))
        for _ in range(48):
            end.near.send(b"!")
        end.near.send(b"held", socket.MSG_MORE)
        failed, _ = nth.call(number, ktls.send_record, end.near, ktls.KEY_UPDATE,
                             ktls.HANDSHAKE)
        for _ in range(20):
            end.near.send(b"!")
        kinds = [end.record()[0] for _ in range(64)]
        ktap.equal(ktls.HANDSHAKE in kinds, True,
                   f"allocation {number}: a KeyUpdate among 64 records")
        end.near.close()
        end.far.close()
        return failed

    some(nth.each(step))


def anywhere(version):
    """Memory is scarce for TCP, TLS and the driver while data goes both ways over the NIC
    and frames are lost: all data arrives."""
    near, far = wire()
    out, back = (ktls.Key("aes-128-gcm", version) for _ in "12")
    ktls.attach(near, tx=out, rx=back)
    out, back = out.clone(), back.clone()
    data, got = os.urandom(3 << 20), {}

    def insist(call, *args):
        """Repeat a call that fails for lack of memory."""
        while True:
            try:
                return call(*args)
            except OSError as err:
                if err.errno not in EXCUSES:
                    raise

    def send(sock, stream):
        at = 0
        while at < len(stream):
            at += insist(sock.send, stream[at:at + 50000])

    def receive(sock, size):
        stream = b""
        while len(stream) < size:
            stream += insist(sock.recv, 1 << 16)
        got[sock] = stream

    sealed = b"".join(back.seal(data[at:at + 10000])
                      for at in range(0, len(data), 10000))
    for sock in (near, far):
        sock.settimeout(100)
    rig.far_loss("loss", "0.5%")
    ktap.defer(rig.far_loss_end)
    jobs = [threading.Thread(target=send, args=(near, data)),
            threading.Thread(target=send, args=(far, sealed)),
            threading.Thread(target=receive, args=(near, len(data)))]
    for job in jobs:
        job.start()
    with scarce():
        stream, plain = b"", b""
        while len(plain) < len(data):
            records, stream = ktls.split(stream + insist(far.recv, 1 << 16))
            plain += b"".join(out.open(record)[1] for record in records)
        for job in jobs:
            job.join()
    ktap.equal((plain == data, got[near] == data), (True, True), "what arrives")


def main():
    """Register and run."""
    prepare()
    rig.offload()
    rig.receive_offload()
    for text, version in VERSIONS.items():
        for name, path in (("software", loopback), ("nic", wire)):
            def add(what, fn, *args, name=name, text=text, version=version,
                    path=path):
                ktap.add(f"{what} {name} {text}", fn, version, path, *args,
                         timeout=60)

            for act in (plainly, by_small_pieces, holding, ending, from_file,
                        control):
                add(f"send {act.__name__}", sending, act)
            add("recv at once", receiving, SIZE)
            add("recv in pieces", receiving, 1000)
            add("recv peek", receiving, SIZE, socket.MSG_PEEK)
            for direction in ("tx", "rx"):
                add(f"key {direction}", key_given, direction)
                if text == "1.3":
                    add(f"new key {direction}", new_key, direction)
        ktap.add(f"anywhere {text}", anywhere, version, timeout=120)
    for name, path in (("software", loopback), ("nic", wire)):
        for fn in (own_update, peers_update):
            ktap.add(f"{fn.__name__} {name}", fn, path, timeout=60)
    ktap.add("limit_passed_for_want_of_memory", limit_passed_for_want_of_memory, loopback,
             timeout=60)
    ktap.main()


main()
