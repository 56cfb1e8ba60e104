#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The interface of a TLS socket for programs: socket options, control messages, ss and
/proc/net/tls_stat."""
import contextlib
import errno
import os
import socket
import struct
import subprocess
import sys

import ktap
import ktls

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
INET_DIAG_INFO, INET_DIAG_ULP_INFO = 2, 19
INET_ULP_INFO_TLS, TLS_INFO_TX_MAX_PAYLOAD_LEN = 2, 7
HEADER = 4      # bytes of struct tls_crypto_info
VERSIONS = {"1.2": ktls.TLS12, "1.3": ktls.TLS13}
# cipher of linux/tls.h: (its number, bytes of its structure, the kernel's algorithm)
OTHERS = {"sm4-gcm": (55, 40, "gcm(sm4)"), "sm4-ccm": (56, 40, "ccm(sm4)"),
          "aria-128-gcm": (57, 40, "gcm(aria)"),
          "aria-256-gcm": (58, 56, "gcm(aria)")}
STOCK_NAMES = """
TlsCurrTxSw TlsCurrRxSw TlsCurrTxDevice TlsCurrRxDevice TlsTxSw TlsRxSw
TlsTxDevice TlsRxDevice TlsDecryptError TlsRxDeviceResync TlsDecryptRetry
TlsRxNoPadViolation""".split()
NEWER_NAMES = """
TlsRxRekeyOk TlsRxRekeyError TlsTxRekeyOk TlsTxRekeyError
TlsRxRekeyReceived TlsCurrTxRekey TlsCurrRxRekey TlsTxRekeyFallback
TlsRxRekeyFallback TlsTxRekeyAborted TlsRxRekeyAborted""".split()
CLONE_NEWNET = 0x40000000


def pair():
    """Two connected sockets, closed when the case ends."""
    near, far = ktls.tcp_pair()
    for end in (near, far):
        ktap.defer(end.close)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                       struct.pack("ll", 10, 0))
    return near, far


def tls_pair(version=ktls.TLS12, cipher="aes-128-gcm"):
    """(raw socket, TLS socket, the key that it sends with, the key that it reads with)."""
    raw, tls = pair()
    tx, rx = ktls.Key(cipher, version), ktls.Key(cipher, version)
    ktls.attach(tls, tx.clone(), rx.clone())
    return raw, tls, tx, rx


@contextlib.contextmanager
def refused(*wanted):
    """The body of the "with" fails with one of these errors."""
    try:
        yield
    except OSError as err:
        if err.errno not in wanted:
            raise AssertionError(f"error {err}") from err
    else:
        raise AssertionError("not refused")


def ulp(sock):
    sock.setsockopt(socket.IPPROTO_TCP, ktls.TCP_ULP, b"tls")


def take(raw, count):
    """Read this many whole records from a raw socket."""
    stream = b""
    while len(ktls.split(stream)[0]) < count:
        chunk = raw.recv(1 << 16)
        if not chunk:
            raise AssertionError("the stream ended")
        stream += chunk
    records, rest = ktls.split(stream)
    ktap.equal((len(records), rest), (count, b""), "records")
    return records


@ktap.case()
def ulp_needs_a_connection():
    """A socket that is fresh, or that listens, cannot get the ULP: ENOTCONN."""
    with socket.socket() as fresh, refused(errno.ENOTCONN):
        ulp(fresh)
    with socket.create_server(("127.0.0.1", 0)) as server, \
            refused(errno.ENOTCONN):
        ulp(server)


@ktap.case()
def ulp_is_set_once():
    near, _ = pair()
    with refused(errno.ENOPROTOOPT):
        near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, bytes(40))
    ulp(near)
    with refused(errno.EEXIST):
        ulp(near)


@ktap.case()
def ulp_alone_is_tcp():
    """Without a key, a TLS socket still carries TCP's bytes both ways."""
    near, far = pair()
    ulp(near)
    near.sendall(b"out")
    far.sendall(b"in")
    ktap.equal((far.recv(9), near.recv(9)), (b"out", b"in"), "plain bytes")


@ktap.case()
def no_disconnect():
    """A TLS socket cannot be disconnected for another connection: EOPNOTSUPP."""
    _, tls, _, _ = tls_pair()
    done = subprocess.run(
        [sys.executable, "-c", "import ctypes, sys\n"
         "libc = ctypes.CDLL(None, use_errno=True)\n"
         "libc.connect(int(sys.argv[1]), bytes(16), 16)\n"
         "sys.exit(ctypes.get_errno())", str(tls.fileno())],
        pass_fds=[tls.fileno()], check=False)
    ktap.equal(done.returncode, errno.EOPNOTSUPP, "error")


@ktap.case()
def key_sizes():
    """A key of any wrong size is refused with EINVAL; then one of the right size is taken."""
    for option in (ktls.TLS_TX, ktls.TLS_RX):
        near, _ = pair()
        ulp(near)
        info = ktls.Key().crypto_info()
        for size in range(len(info) + 9):
            if size != len(info):
                with refused(errno.EINVAL):
                    near.setsockopt(ktls.SOL_TLS, option,
                                    (info + bytes(8))[:size])
        near.setsockopt(ktls.SOL_TLS, option, info)


@ktap.case()
def key_kinds():
    """Versions and ciphers that do not exist are refused, and so is a key of another
    version or cipher than that of the other direction: EINVAL."""
    near, _ = pair()
    ulp(near)
    for version, cipher in ((0x0302, 51), (0x0305, 51), (0, 51), (0x0303, 0),
                            (0x0303, 50), (0x0303, 59), (0x0304, 0xffff)):
        with refused(errno.EINVAL):
            near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX,
                            struct.pack("=HH", version, cipher) + bytes(36))
    ktls_tx = ktls.Key("aes-128-gcm", ktls.TLS13)
    near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, ktls_tx.crypto_info())
    for other in (ktls.Key("aes-128-gcm", ktls.TLS12),
                  ktls.Key("aes-256-gcm", ktls.TLS13)):
        with refused(errno.EINVAL):
            near.setsockopt(ktls.SOL_TLS, ktls.TLS_RX, other.crypto_info())


def known_to_kernel(algorithm):
    """Can the kernel compute this AEAD?"""
    with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as probe:
        try:
            probe.bind(("aead", algorithm))
        except FileNotFoundError:
            return False
    return True


def other_cipher(version, name):
    """A cipher that the kernel does not have is refused with ENOENT, and the socket can
    still get another key; a cipher that the kernel has is taken. TLS 1.3 has no ARIA:
    EINVAL."""
    number, size, algorithm = OTHERS[name]
    near, _ = pair()
    ulp(near)
    info = struct.pack("=HH", version, number) + bytes(size - HEADER)
    error = 0 if known_to_kernel(algorithm) else errno.ENOENT
    if version == ktls.TLS13 and name.startswith("aria"):
        error = errno.EINVAL
    for option in (ktls.TLS_TX, ktls.TLS_RX):
        if not error:
            near.setsockopt(ktls.SOL_TLS, option, info)
            continue
        with refused(error):
            near.setsockopt(ktls.SOL_TLS, option, info)
    if error:
        near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, ktls.Key().crypto_info())


@ktap.case()
def second_key_of_12():
    """TLS 1.2 has no KeyUpdate: a second key is refused with EBUSY, and the first still
    works."""
    raw, tls, tx, rx = tls_pair()
    for option in (ktls.TLS_TX, ktls.TLS_RX):
        with refused(errno.EBUSY):
            tls.setsockopt(ktls.SOL_TLS, option, ktls.Key().crypto_info())
    tls.sendall(b"still")
    ktap.equal(tx.open(take(raw, 1)[0]), (ktls.DATA, b"still"), "record")
    raw.sendall(rx.seal(b"works"))
    ktap.equal(tls.recv(99), b"works", "data")


def live_sequence(version, cipher):
    """getsockopt returns the header alone, or the key with the number of the next record."""
    raw, tls, tx, rx = tls_pair(version, cipher)
    for count in range(3):
        for option, key in ((ktls.TLS_TX, tx), (ktls.TLS_RX, rx)):
            info = key.crypto_info()
            ktap.equal(tls.getsockopt(ktls.SOL_TLS, option, HEADER),
                       info[:HEADER], "header")
            got = tls.getsockopt(ktls.SOL_TLS, option, len(info))
            ktap.equal(got[-8:], struct.pack(">Q", count), "sequence")
            ktap.equal(got[HEADER + len(key.iv):-8],
                       info[HEADER + len(key.iv):-8], "key and salt")
            with refused(errno.EINVAL):
                tls.getsockopt(ktls.SOL_TLS, option, len(info) - 1)
            with refused(errno.EINVAL):
                tls.getsockopt(ktls.SOL_TLS, option, HEADER - 1)
        tls.sendall(b"x")
        tx.open(take(raw, 1)[0])
        raw.sendall(rx.seal(b"y"))
        ktap.equal(tls.recv(9), b"y", "data")


@ktap.case()
def key_not_set():
    near, _ = pair()
    ulp(near)
    for option in (ktls.TLS_TX, ktls.TLS_RX):
        with refused(errno.EBUSY):
            near.getsockopt(ktls.SOL_TLS, option, HEADER)


@ktap.case()
def switches():
    """TLS_TX_ZEROCOPY_RO and TLS_RX_EXPECT_NO_PAD take only 0 and 1; the latter needs TLS
    1.3 and a key for receiving."""
    _, tls, _, _ = tls_pair(ktls.TLS13)
    for option in (ktls.TLS_TX_ZEROCOPY_RO, ktls.TLS_RX_EXPECT_NO_PAD):
        for value in (1, 0, 1):
            tls.setsockopt(ktls.SOL_TLS, option, value)
            ktap.equal(tls.getsockopt(ktls.SOL_TLS, option), value, "value")
        with refused(errno.EINVAL):
            tls.setsockopt(ktls.SOL_TLS, option, 2)
        with refused(errno.EINVAL):
            tls.setsockopt(ktls.SOL_TLS, option, b"\1")
        ktap.equal(tls.getsockopt(ktls.SOL_TLS, option), 1, "after refusals")
    _, old, _, _ = tls_pair(ktls.TLS12)
    with refused(errno.EINVAL):
        old.setsockopt(ktls.SOL_TLS, ktls.TLS_RX_EXPECT_NO_PAD, 1)
    half, _ = pair()
    ktls.attach(half, tx=ktls.Key(version=ktls.TLS13))
    with refused(errno.EINVAL):
        half.setsockopt(ktls.SOL_TLS, ktls.TLS_RX_EXPECT_NO_PAD, 1)


@ktap.case()
def no_such_option():
    _, tls, _, _ = tls_pair()
    for option in (0, 6, 99):
        with refused(errno.ENOPROTOOPT):
            tls.setsockopt(ktls.SOL_TLS, option, 1)
        with refused(errno.ENOPROTOOPT):
            tls.getsockopt(ktls.SOL_TLS, option, 4)


def largest_payload(version, lowest):
    """TLS_TX_MAX_PAYLOAD_LEN (RFC 8449): the limit holds for send and sendfile, values out
    of range are refused, and so is a change while a record is open."""
    raw, tls, tx, _ = tls_pair(version)

    def limit(value):
        tls.setsockopt(ktls.SOL_TLS, ktls.TLS_TX_MAX_PAYLOAD_LEN,
                       struct.pack("=H", value))

    def current():
        return struct.unpack("=H", tls.getsockopt(
            ktls.SOL_TLS, ktls.TLS_TX_MAX_PAYLOAD_LEN, 2))[0]

    ktap.equal(current(), ktls.MAX_PLAIN, "at first")
    for bad in (0, lowest - 1, ktls.MAX_PLAIN + 1):
        with refused(errno.EINVAL):
            limit(bad)
    for value in (lowest, 1000, ktls.MAX_PLAIN):
        limit(value)
        ktap.equal(current(), value, "limit")
        data = os.urandom(5 * value + 1)
        tls.sendall(data)
        got = [tx.open(record)[1] for record in take(raw, 6)]
        ktap.equal([len(part) for part in got], [value] * 5 + [1], "lengths")
        ktap.equal(b"".join(got), data, "data")
    limit(700)
    with open("/tmp/payload", "wb") as file:
        file.write(data[:2100])
    with open("/tmp/payload", "rb") as file:
        os.sendfile(tls.fileno(), file.fileno(), 0, 2100)
    got = [tx.open(record)[1] for record in take(raw, 3)]
    ktap.equal(b"".join(got), data[:2100], "file")
    tls.send(b"open", socket.MSG_MORE)
    with refused(errno.EBUSY):
        limit(800)


@ktap.case()
def payload_before_key():
    """As in Linux 7.3, TLS_TX_MAX_PAYLOAD_LEN may be set before the key, and then holds for
    that key."""
    near, far = pair()
    ulp(near)
    near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX_MAX_PAYLOAD_LEN, struct.pack("=H", 1000))
    with refused(errno.EINVAL):
        near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX_MAX_PAYLOAD_LEN,
                        struct.pack("=H", 63))
    key = ktls.Key()
    near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, key.crypto_info())
    near.sendall(bytes(2500))
    lengths = [len(key.open(record)[1]) for record in take(far, 3)]
    ktap.equal(lengths, [1000, 1000, 500], "lengths")


def attributes(data):
    """{type: content} of netlink attributes."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3fff] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


def diag(sock):
    """The attributes of INET_ULP_INFO_TLS, as ss gets them."""
    (here, port), (there, peer_port) = sock.getsockname(), sock.getpeername()
    ident = struct.pack("=2s2s16s16sIQ", struct.pack("!H", port),
                        struct.pack("!H", peer_port), socket.inet_aton(here),
                        socket.inet_aton(there), 0, (1 << 64) - 1)
    request = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP,
                          1 << INET_DIAG_INFO - 1, 0, 0xffffffff) + ident
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as link:
        link.send(struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, 1,
                              0, 0) + request)
        answer = link.recv(65536)
    ktap.equal(struct.unpack_from("=H", answer, 4)[0], SOCK_DIAG_BY_FAMILY, "answer")
    info = attributes(answer[16 + 72:])[INET_DIAG_ULP_INFO]
    return attributes(attributes(info)[INET_ULP_INFO_TLS])


@ktap.case()
def payload_in_diag():
    """ss shows TLS_TX_MAX_PAYLOAD_LEN, also before there is a key."""
    near, _ = pair()
    ulp(near)
    for value in (ktls.MAX_PLAIN, 1000):
        near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX_MAX_PAYLOAD_LEN,
                        struct.pack("=H", value))
        ktap.equal(diag(near).get(TLS_INFO_TX_MAX_PAYLOAD_LEN),
                   struct.pack("=H", value), "limit")


def record_types(version):
    """Records of every type are sent and received with their type, as a control message; an
    open data record goes out first."""
    raw, tls, tx, rx = tls_pair(version)
    tls.send(b"held", socket.MSG_MORE)
    for kind in (ktls.ALERT, ktls.HANDSHAKE, 24, 255):
        ktls.send_record(tls, b"out", kind)
    got = [tx.open(record) for record in take(raw, 5)]
    ktap.equal(got, [(ktls.DATA, b"held")] + [
        (kind, b"out") for kind in (ktls.ALERT, ktls.HANDSHAKE, 24, 255)],
        "sent")
    for kind in (ktls.DATA, ktls.ALERT, 24, 255):
        raw.sendall(rx.seal(b"in", kind))
        ktap.equal(ktls.recv_record(tls), (kind, b"in"), "received")


@ktap.case()
def bad_control_messages():
    """A record type together with MSG_MORE, of no size, or as an unknown control message is
    refused with EINVAL, and nothing is sent."""
    raw, tls, tx, _ = tls_pair()
    alert = (ktls.SOL_TLS, ktls.TLS_SET_RECORD_TYPE, bytes([ktls.ALERT]))
    with refused(errno.EINVAL):
        tls.sendmsg([b"x"], [alert], socket.MSG_MORE)
    with refused(errno.EINVAL):
        tls.sendmsg([b"x"], [alert[:2] + (b"",)])
    with refused(errno.EINVAL):
        tls.sendmsg([b"x"], [(ktls.SOL_TLS, 99, b"\x15")])
    tls.sendall(b"next")
    ktap.equal(tx.open(take(raw, 1)[0]), (ktls.DATA, b"next"), "record")


@ktap.case()
def padding_and_no_pad():
    """With TLS_RX_EXPECT_NO_PAD, padded records are still read right, and are counted."""
    raw, tls, _, rx = tls_pair(ktls.TLS13)
    tls.setsockopt(ktls.SOL_TLS, ktls.TLS_RX_EXPECT_NO_PAD, 1)
    before = ktls.tls_stat()
    for pad in (0, 1, 300):
        raw.sendall(rx.seal(b"padded" * 50, pad=pad))
        ktap.equal(tls.recv(1 << 15), b"padded" * 50, "data")
    after = ktls.tls_stat()
    for name in ("TlsRxNoPadViolation", "TlsDecryptRetry"):
        ktap.equal(after[name] - before[name], 2, name)


def ss(sock, user=None):
    """The output of ss for one socket."""
    port = sock.getsockname()[1]
    done = subprocess.run(["ss", "-Htieno", f"sport = :{port}"], check=True,
                          capture_output=True, text=True, user=user)
    return done.stdout


@ktap.case()
def socket_diagnostics():
    """For the administrator, ss -tie shows version, cipher, both directions and the
    options. To other users, kernels before 6.15 show nothing of them."""
    raw, tls, _, _ = tls_pair(ktls.TLS13, "aes-256-gcm")
    tls.setsockopt(ktls.SOL_TLS, ktls.TLS_RX_EXPECT_NO_PAD, 1)
    said = ss(tls)
    for word in ("tcp-ulp-tls", "version: 1.3", "cipher: aes-gcm-256",
                 "rxconf: sw", "txconf: sw", "no_pad_rx"):
        if word not in said:
            raise AssertionError(f"no '{word}' in: {said}")
    if "tcp-ulp-tls" in ss(raw):
        raise AssertionError(f"a plain socket: {ss(raw)}")
    private = tuple(map(int, os.uname().release.split(".")[:2])) < (6, 15)
    ktap.equal("tcp-ulp-tls" in ss(tls, user=65534), not private, "told to everybody")


@ktap.case()
def half_diagnostics():
    """ss on a socket with a key for one direction only."""
    near, _ = pair()
    ktls.attach(near, rx=ktls.Key("aes-128-gcm", ktls.TLS12))
    said = ss(near)
    for word in ("version: 1.2", "cipher: aes-gcm-128", "rxconf: sw",
                 "txconf: none"):
        if word not in said:
            raise AssertionError(f"no '{word}' in: {said}")


@ktap.case()
def statistic_names():
    """/proc/net/tls_stat has the names of stock first and in its order, then the names of
    later kernels; no name twice."""
    with open("/proc/net/tls_stat", encoding="ascii") as stat:
        names = [line.split()[0] for line in stat]
    ktap.equal(names[:12], STOCK_NAMES, "names of stock")
    ktap.equal(names[12:12 + len(NEWER_NAMES)], NEWER_NAMES, "newer names")
    ktap.equal(len(set(names)), len(names), "distinct names")


@ktap.case()
def statistics():
    """A socket is counted once per direction: in TlsCurr* while it lives, in the other
    counters for ever."""
    names = ("TlsCurrTxSw", "TlsCurrRxSw", "TlsTxSw", "TlsRxSw")

    def read():
        stat = ktls.tls_stat()
        return [stat[name] - before[name] for name in names]

    before = ktls.tls_stat()
    _, tls, _, _ = tls_pair()
    ktap.equal(read(), [1, 1, 1, 1], "alive")
    tls.close()
    ktap.equal(read(), [0, 0, 1, 1], "closed")


@ktap.case()
def statistics_of_a_namespace():
    """A socket is counted in the network namespace in which it was made."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    ktap.defer(os.close, home)
    before = ktls.tls_stat()
    os.unshare(CLONE_NEWNET)
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        tls_pair()
        there = ktls.tls_stat()
    finally:
        os.setns(home, CLONE_NEWNET)
    ktap.equal([there[name] for name in STOCK_NAMES],
               [1, 1, 0, 0, 1, 1] + [0] * 6, "there")
    ktap.equal(ktls.tls_stat(), before, "here")


def main():
    for name, version in VERSIONS.items():
        ktap.add(f"record_types {name}", record_types, version)
        for cipher in ktls.CIPHERS:
            ktap.add(f"live_sequence {name} {cipher}", live_sequence, version,
                     cipher)
        for cipher in OTHERS:
            ktap.add(f"other_cipher {name} {cipher}", other_cipher, version, cipher)
    ktap.add("largest_payload 1.2", largest_payload, ktls.TLS12, 64)
    ktap.add("largest_payload 1.3", largest_payload, ktls.TLS13, 63)
    ktap.main()


main()
