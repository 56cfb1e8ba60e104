#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The kernel renews the keys of connections that the card encrypts or decrypts, also
for programs without support for it, when libtlskeys.so gives their secrets to the
kernel."""
import os
import struct
import subprocess
import threading
import time

import ktap
import ktls
import rig
import servers

LIBRARY = "/usr/local/lib/libtlskeys.so"
CHUNK = 30000
KEY_BYTES, ROUNDS = 100000, 20
PORT = 4434


class Both(rig.Inflow):
    """A connection with kernel TLS in both directions at the near end."""

    def __init__(self, cipher):
        super().__init__(cipher, attach=False)
        self.key, self.back = ktls.Traffic(cipher), ktls.Traffic(cipher)
        ktls.attach(self.near, tx=self.back, rx=self.key)
        for name, traffic in ((ktls.TLS_EXT_TX_SECRET, self.back),
                              (ktls.TLS_EXT_RX_SECRET, self.key)):
            self.near.setsockopt(ktls.SOL_TLS, name, traffic.ext_secret())
        self.receiver = rig.Receiver(self.far)
        self.out, self.out_bytes = rig.hashlib.sha256(), 0

    def update(self, asks):
        """A KeyUpdate record of the peer; `self.key` becomes the next key."""
        record = self.seal(ktls.KEY_UPDATE_ASKS if asks else ktls.KEY_UPDATE,
                           ktls.HANDSHAKE)
        self.key.update()
        return record

    def send(self, data):
        """Send data from the near end."""
        self.near.sendall(data)
        self.out.update(data)
        self.out_bytes += len(data)

    def opened(self):
        """Close the near end, and open the records that the far end got. Returns the number
        of KeyUpdates."""
        self.near.close()
        data, got = b"", 0
        for record in rig.split(self.receiver.finish(120)):
            kind, content = self.back.open(record)
            if kind == ktls.HANDSHAKE:
                self.back.update()
                got += 1
            else:
                data += content
        if (len(data), rig.hashlib.sha256(data).digest()) != (self.out_bytes,
                                                             self.out.digest()):
            raise AssertionError(f"sent {self.out_bytes}, got {len(data)} or others")
        return got


def share(what, part, whole):
    ktap.figure(f"secret: {what}: the card did {100 * part // whole} % of {whole} bytes")


def renewed(cipher, rounds, loss):
    """The peer sends KeyUpdates while both ends send data, and every second one requests an
    answer: all data is right, the kernel follows each KeyUpdate and answers the requests,
    and without loss the NIC takes each next key by itself."""
    if loss:
        ktap.defer(rig.far_netem_end)
        ktap.defer(rig.far_loss("loss", f"{loss}%"))
        rig.far_netem("loss", f"{loss}%")
    watch = rig.Watch()
    flow = Both(cipher)
    watch.expect(TlsTxDevice=1, TlsRxDevice=1)
    sender = threading.Thread(
        target=lambda: [flow.send(rig.pattern(CHUNK)) for _ in range(rounds)], daemon=True)
    sender.start()
    for number in range(rounds):
        flow.push(flow.stream(CHUNK) + flow.update(number % 2) + flow.stream(CHUNK))
    sender.join(120)
    got = flow.opened()
    watch.expect(TlsRxKeyUpdate=rounds, TlsRxRekeyReceived=rounds, TlsDecryptError=0,
                 TlsRxKeyUpdateRefused=0, TlsTxKeyUpdate=got, TlsTxFallbackError=0)
    watch.expect(TlsTxDeviceKeyUpdate=got, TlsTxLeftRekey=0, TlsTxDeviceAgain=0,
                 tx_tls_keys_refused=0)
    if not loss:
        watch.expect(TlsTxFallback=0, TlsRxDeviceKeyUpdate=rounds, TlsRxLeftRekey=0, dev_tls_rx_rekeys=rounds,
                     rx_tls_ctx=1, rx_tls_lost_key=0)
    ktap.equal(1 <= got <= (rounds + 1) // 2, True, f"{got} answers to {rounds // 2}")
    share(f"{cipher}, a KeyUpdate each {2 * CHUNK}, {loss} % lost", min(
        watch["rx_tls_decrypted_bytes"], flow.sent_bytes), flow.sent_bytes)


def each_key_on_the_nic():
    """After a KeyUpdate of either end, the NIC continues with the next key."""
    watch = rig.Watch()
    flow = Both("aes-128-gcm")
    for number in range(5):
        flow.send(rig.pattern(CHUNK))
        flow.near.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_KEY_UPDATE, 0)
        flow.push(flow.update(False) + flow.stream(CHUNK))
        end = time.monotonic() + 60
        while watch["TlsRxDeviceKeyUpdate"] <= number:
            flow.push(flow.stream(1000))
            if time.monotonic() > end:
                raise AssertionError(f"software for good; {watch.report()}")
    flow.send(rig.pattern(CHUNK))
    ktap.equal(flow.opened(), 5, "KeyUpdates sent")
    watch.expect(rx_tls_ctx=1, TlsRxLeftRekey=0, tx_tls_ctx=1, TlsTxLeftRekey=0,
                 TlsTxDeviceKeyUpdate=5, TlsTxFallback=0)
    ktap.equal(watch["tx_tls_encrypted_bytes"] >= 6 * CHUNK, True, "all by the NIC")


def keys_in_advance(loss):
    """The peer changes its key 20 times: the NIC decrypts 95 % of all bytes (80 % with
    loss), because it has the next keys in advance."""
    if loss:
        ktap.defer(rig.far_netem_end)
        rig.far_netem("loss", f"{loss}%")   # on the way to the NIC
    watch = rig.Watch()
    flow = Both("aes-128-gcm")
    for _ in range(ROUNDS):
        flow.push(flow.stream(KEY_BYTES) + flow.update(False))
    flow.push(flow.stream(CHUNK))
    flow.opened()
    watch.expect(TlsRxKeyUpdate=ROUNDS, TlsDecryptError=0)
    done, whole = watch["rx_tls_decrypted_bytes"], flow.sent_bytes
    ktap.figure(f"secret: a KeyUpdate each {KEY_BYTES} bytes, {loss} % lost: the card "
                f"decrypted {1000 * done // whole / 10} % of {whole}; "
                f"{watch['TlsRxDeviceKeyUpdate']} keys by itself")
    if 100 * done < whole * (80 if loss else 95):
        raise AssertionError(watch.report())


def reset_between_keys():
    """The function is reset between KeyUpdates, and the NIC loses its contexts with the
    next keys: it gets the connection again, and all data is right."""
    watch = rig.Watch()
    flow = Both("aes-128-gcm")
    for number in range(6):
        flow.push(flow.stream(CHUNK) + flow.update(False) + flow.stream(CHUNK))
        if number % 2:
            rig.run("devlink", "dev", "reload", "pci/" + os.path.basename(
                os.readlink(f"/sys/class/net/{rig.IFACE}/device")))

    def again():
        flow.push(flow.stream(CHUNK))
        return watch["rx_tls_ctx"] >= 2
    rig.wait_for(again, 40, lambda: "the card did not get the connection again; "
                 f"{watch.report()}")
    flow.opened()
    watch.expect(TlsRxKeyUpdate=6, TlsDecryptError=0)


def secret_taken_back():
    """The program takes the secret back, to renew the keys itself: the NIC uses no further
    key by itself."""
    watch = rig.Watch()
    flow = Both("aes-128-gcm")
    flow.push(flow.stream(CHUNK) + flow.update(False) + flow.stream(CHUNK))
    rig.wait_for(lambda: watch["TlsRxDeviceKeyUpdate"] == 1, 60, watch.report)
    flow.near.setsockopt(ktls.SOL_TLS, ktls.TLS_EXT_RX_SECRET,
                         struct.pack("=I48x", 0))
    flow.push(flow.stream(CHUNK))
    flow.opened()
    watch.expect(TlsRxDeviceKeyUpdate=1, TlsDecryptError=0)


def library(records=None):
    """The environment of a program whose secrets libtlskeys.so gives to the kernel."""
    env = dict(os.environ, LD_PRELOAD=LIBRARY, TLSKEYS_VERBOSE="1")
    if records:
        env["TLSKEYS_RECORDS"] = str(records)
    return env


def start(argv, port, env):
    """Start a server that listens on PORT, and ends with the case."""
    with open("/tmp/server.log", "wb") as log:
        # pylint: disable-next=consider-using-with
        server = subprocess.Popen(argv, cwd=servers.ROOT, env=env, stdout=log, stderr=log,
                                  stdin=subprocess.DEVNULL)

    def stop():
        server.terminate()
        server.wait(20)

    ktap.defer(stop)
    rig.wait_for(lambda: f":{port} " in rig.run("ss", "-Hltn"), 20,
                 lambda: f"{argv[0]} does not listen")


def nginx(loss, count):
    """nginx, unchanged: the kernel renews its keys every 64 records, and curl reads all
    files."""
    if loss:
        ktap.defer(rig.far_loss("loss", f"{loss}%"))
    conf = servers.NGINX.format(sendfile="on", root=servers.ROOT, cert=servers.CERT,
                                key=servers.KEY, suite="DEFAULT")
    conf = conf.replace("TLSv1.2", "TLSv1.3").replace(
        "sendfile on;", "sendfile on; ssl_buffer_size 4k;")
    with open("/tmp/nginx3.conf", "w", encoding="ascii") as file:
        file.write(conf)
    start(["nginx", "-c", "/tmp/nginx3.conf"], 443, library(64))
    watch = rig.Watch()
    for _ in range(count):
        for name in ("odd", "large"):
            words = servers.fetch("nginx", 4, name)
            if "TLSv1.3" not in words:
                raise AssertionError(words)
    watch.expect(TlsTxDevice=2 * count, TlsTxKeyLimit=0, TlsTxFallbackError=0)
    if watch["TlsTxKeyUpdate"] < count * 2:
        raise AssertionError(f"keys were not renewed; {watch.report()}")
    ktap.figure(f"secret: nginx, {loss} % lost: {watch['TlsTxKeyUpdate']} KeyUpdates, "
                f"{watch['tx_tls_encrypted_bytes']} bytes by the card")


def server_log():
    with open("/tmp/server.log", encoding="utf-8", errors="replace") as file:
        return file.read()


def ask(client, word):
    """Send a line; the server answers with the line backwards."""
    client.stdin.write(word + b" olleh\n")
    client.stdin.flush()
    wanted = (word + b" olleh")[::-1]
    while (line := client.stdout.readline()).strip() != wanted:
        if not line:
            raise AssertionError("the client ended; " + server_log())


def s_server(rounds):
    """OpenSSL's s_server, unchanged: the kernel answers a client that requests KeyUpdates."""
    start(["openssl", "s_server", "-ktls", "-tls1_3", "-cert", servers.CERT, "-key",
           servers.KEY, "-rev", "-accept", str(PORT)], PORT, library())
    watch = rig.Watch()
    # pylint: disable-next=consider-using-with
    client = subprocess.Popen(
        ["ip", "netns", "exec", "peer", "openssl", "s_client", "-tls1_3", "-connect",
         f"{rig.NEAR[4]}:{PORT}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    ktap.defer(client.wait, 20)
    ktap.defer(client.kill)
    ask(client, b"first")
    for number in range(rounds):
        client.stdin.write(b"K\n")
        client.stdin.flush()
        rig.wait_for(lambda updates=number + 1: watch["TlsTxKeyUpdate"] >= updates, 60,
                     lambda: "no answer to a KeyUpdate: " + server_log())
        ask(client, b"%d" % number)
    watch.expect(TlsTxDevice=1, TlsTxKeyUpdate=rounds)


def main():
    rig.offload()
    rig.receive_offload()
    rig.control()
    servers.prepare()
    ktap.add("on the NIC with each key", each_key_on_the_nic, timeout=400)
    for cipher, rounds in (("aes-128-gcm", 30), ("aes-256-gcm", 10),
                           ("chacha20-poly1305", 10)):
        ktap.add(f"renewed {cipher}", renewed, cipher, rounds, 0, timeout=240)
    ktap.add("renewed, 1 % lost", renewed, "aes-128-gcm", 20, 1, timeout=300)
    for loss in 0, 1:
        ktap.add(f"keys in advance, {loss} % lost", keys_in_advance, loss, timeout=300)
    ktap.add("reset between keys", reset_between_keys, timeout=240)
    ktap.add("secret taken back", secret_taken_back, timeout=240)
    ktap.add("nginx, unchanged", nginx, 0, 2, timeout=240)
    ktap.add("nginx, unchanged, 1 % lost", nginx, 1, 1, timeout=240)
    ktap.add("s_server, unchanged", s_server, 5, timeout=400)
    ktap.main()


main()
