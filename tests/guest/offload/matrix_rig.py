# SPDX-License-Identifier: GPL-2.0-only
"""Sessions between real TLS libraries over the NIC, with trouble on the wire: parts that
matrix.py, keyupdate.py and others share."""
import os
import socket

import ktap
import matrix_tls
import rig

SEED = 20240611
PORT = 4433     # fixed, so that the host can find the sessions in the capture
DIGESTS = "/mnt/host/digests"

# netem's words for trouble on the far side of the NIC, in both directions
TROUBLE = {
    "clean": (),
    "loss_0.1": ("loss", "0.1%"),
    "loss_1": ("loss", "1%"),
    "loss_5": ("loss", "5%"),
    "reorder": ("delay", "10ms", "reorder", "75%", "50%"),
    "duplicate": ("duplicate", "5%"),
    "corrupt": ("corrupt", "1%"),
}


class Wire:
    """Trouble that netem makes on the far side, in each direction."""

    now = None

    @classmethod
    def set(cls, trouble):
        """Set the trouble, unless it is already in force."""
        if cls.now == trouble:
            return
        words = TROUBLE[trouble]
        for number, dev in enumerate(("ifb0", "eth0")):
            # not "replace": netem keeps settings that a command does not name
            rig.far_run("tc", "qdisc", "del", "dev", dev, "root", check=False)
            if words:
                rig.far_run("tc", "qdisc", "add", "dev", dev, "root", "netem",
                            *words, "seed", str(SEED + number))
        cls.now = trouble


def prepare():
    """Once per run: make a certificate, set up netem so that it loses single frames, and
    give the NIC enough buffers that a slow guest loses no frames by itself."""
    print(f"# seed {SEED}")
    matrix_tls.certificate()
    rig.far_loss("loss", "0%")
    rig.far_run("ip", "link", "set", "eth0", "gso_max_segs", "1")
    rig.run("ethtool", "-G", rig.IFACE, "rx", "4096")


def connect(address):
    """Like rig.connect(), to PORT."""
    with rig.far_side():
        server = socket.create_server(
            (address, PORT),
            family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    with server:
        near = socket.create_connection(server.getsockname()[:2])
        far, _ = server.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


class Session:
    """A connection after its handshake, and the data sent over it."""

    def __init__(self, version, cipher, address, near_serves, far="openssl"):
        plain = connect(address)
        self.near = matrix_tls.Openssl(plain[0], near_serves, version, cipher,
                                       ktls=True)
        self.far = self._far_end(far, plain[1], not near_serves, version,
                                 cipher)
        self.out, self.back = [], []
        ktap.defer(self.drop)
        matrix_tls.handshake(self.near, self.far)

    @staticmethod
    def _far_end(far, *words):
        """Make the far end: OpenSSL, OpenSSL with kernel TLS, or GnuTLS."""
        if far == "gnutls":
            return matrix_tls.Gnutls(*words)
        return matrix_tls.Openssl(*words, ktls=far == "ktls")

    def jobs(self, out, back):
        """The jobs of both ends, for pump()."""
        return (matrix_tls.Job(self.near, out, len(back)),
                matrix_tls.Job(self.far, back, len(out)))

    def arrived(self, near, far):
        """The jobs are done: check that each end got the data that the other sent."""
        for job, sent, log in ((far, near.data, self.out),
                               (near, far.data, self.back)):
            ktap.equal(job.digest.hexdigest(), matrix_tls.digest(sent),
                       "digest")
            log.append(sent)

    def exchange(self, out, back):
        """Send OUT and BACK at the same time; each arrives unchanged."""
        jobs = self.jobs(out, back)
        matrix_tls.pump(*jobs, timeout=100)
        self.arrived(*jobs)

    def close(self):
        """Close the near end first, and leave the digests of the data for the host."""
        self.near.bye()
        self.drop()
        if os.path.isdir(os.path.dirname(DIGESTS)):
            with open(DIGESTS, "a", encoding="ascii") as file:
                print(*(matrix_tls.digest(b"".join(sent))
                        for sent in (self.out, self.back)), file=file)

    def drop(self):
        """Close both ends at once, without close_notify."""
        self.near.close()
        self.far.close()

    @property
    def sizes(self):
        """Bytes of content so far: (out, back)."""
        return tuple(sum(map(len, sent)) for sent in (self.out, self.back))


def warm_up(session):
    """Exchange data until the NIC decrypts. The first record of TLS 1.2 shares a segment
    with the message that starts encryption, so it arrives before the NIC has a key, and the
    NIC is told a later record. Returns the number of bytes received before that."""
    before = session.sizes[1]
    for _ in range(40):
        watch = rig.Watch()
        session.exchange(b"", rig.pattern(5000))
        if watch["rx_tls_decrypted_bytes"] >= 5000:
            return session.sizes[1] - before - 5000
    raise AssertionError(f"the NIC decrypts nothing; {watch.report()}")


def features(direction):
    """Directions that the NIC offloads for new connections: tx, rx, both."""
    rig.feature("tls-hw-tx-offload", direction != "rx")
    rig.feature("tls-hw-rx-offload", direction != "tx")


def able(version, cipher):
    """Does kernel TLS offer this version and cipher to a driver?"""
    return not rig.STOCK or (version, cipher[:3]) == ("1.2", "aes")


def gone(watch, want):
    """Wait until nothing is left of a connection that was on the NIC in the directions
    WANT, (tx, rx)."""
    left = {f"TlsCurr{name}": 0 for name in ("TxSw", "RxSw", "TxDevice",
                                             "RxDevice")}
    for direction, wanted in zip(("tx", "rx"), want):
        if wanted:
            left[f"{direction}_tls_del"] = 1

    def is_gone():
        moved = watch.moved()
        return all(moved[name] == value for name, value in left.items())

    rig.wait_for(is_gone, 20, lambda: f"something is left; {watch.report()}")
