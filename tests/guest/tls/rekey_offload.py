#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS 1.3 KeyUpdate on connections that the NIC encrypts or decrypts: each record has the
right key, whether the NIC or software encrypts it, and also when it is sent again. For
sending, the NIC continues with the next key. If it cannot, and for receiving, the NIC gets
the connection again after each KeyUpdate. The argument is the number of KeyUpdates."""
import re
import sys
import threading
import time

import ktap
import ktls
import nicfault
import rig

CHUNK = 30000
ROUNDS = int(sys.argv.pop(1)) if sys.argv[1:] and sys.argv[1].isdigit() else 20


class Sender(rig.Flow):
    """A connection of which the near end sends, with one key after another."""

    def __init__(self, cipher):
        super().__init__(cipher, version=ktls.TLS13)
        self.cipher = cipher
        self.keys = [self.opener]

    def rekey(self):
        """Send a KeyUpdate, and set the next key for later data."""
        ktls.send_record(self.near, ktls.KEY_UPDATE, ktls.HANDSHAKE)
        self.key = ktls.Key(self.cipher, ktls.TLS13)
        self.keys.append(self.key.clone())
        self.near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, self.key.crypto_info())

    def check(self, stream):
        """Like Flow.check(), with the next key behind each KeyUpdate."""
        if rig.MARK in stream:
            raise AssertionError("plaintext on the wire")
        keys, data = iter(self.keys), b""
        key = next(keys)
        for record in rig.split(stream):
            kind, content = key.open(record)
            if kind == ktls.HANDSHAKE:
                ktap.equal(content, ktls.KEY_UPDATE, "handshake message")
                key = next(keys)
            else:
                data += content
        got = rig.hashlib.sha256(data).digest()
        if (len(data), got) != (self.length, self.sent.digest()):
            raise AssertionError(f"sent {self.length}, got {len(data)} or others")


def sender(cipher, loss):
    """A Watch, and a Sender on the NIC of whose packets LOSS % are lost."""
    if loss:
        ktap.defer(rig.far_loss("loss", f"{loss}%"))
    watch = rig.Watch()
    flow = Sender(cipher)
    watch.expect(TlsTxDevice=1)
    return watch, flow


def send_on(cipher, rounds, loss):
    """The near end changes its key ROUNDS times while bytes of old keys are on their way:
    the NIC continues with each next key, and without loss software encrypts nothing."""
    watch, flow = sender(cipher, loss)
    for _ in range(rounds):
        flow.send(rig.pattern(CHUNK))
        flow.rekey()
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    watch.expect(TlsTxRekeyOk=rounds, TlsTxDeviceKeyUpdate=rounds, TlsTxLeftRekey=0,
                 TlsTxDeviceAgain=0, TlsTxFallbackError=0, tx_tls_ctx=1,
                 tx_tls_keys_given=rounds, tx_tls_keys_refused=0, tx_tls_keys_kept=0,
                 tx_tls_lost_device=0, tx_tls_replay_no_old=0)
    if not loss:
        watch.expect(TlsTxFallback=0)
    if watch["tx_tls_encrypted_bytes"] < flow.length:
        raise AssertionError(f"not all by the NIC; {watch.report()}")
    watch.settle("TlsCurrTxDevice", 0)
    ktap.figure(f"{rounds} keys for sending, {loss} % lost: {flow.length} bytes, "
                f"{watch['tx_tls_encrypted_bytes']} by the NIC, "
                f"{watch['tx_tls_replay_packets']} packets replayed, "
                f"{watch['TlsTxFallback']} in software")


def old_key_stays():
    """The NIC fails to give up an old key: the flow stays on the NIC, and the old keys go
    with the next KeyUpdate."""
    ktap.defer(nicfault.end)
    nicfault.command("fail", "tls-key-done", 1, nicfault.FAILS)
    watch = rig.Watch()
    flow = Sender("aes-128-gcm")
    for _ in range(3):
        flow.rekey()
        flow.send(rig.pattern(CHUNK))
        flow.drain()
        flow.send(rig.pattern(1000))    # a record after the acknowledgment
        watch.settle("tx_tls_keys_kept", 1)
    flow.finish()
    ktap.equal(nicfault.left("cmd-fail"), "", "faults left")
    watch.expect(TlsTxDeviceKeyUpdate=3, tx_tls_keys_given=3, tx_tls_keys_kept=1,
                 TlsTxFallback=0, TlsTxLeftRekey=0, tx_tls_ctx=1)


def forgotten():
    """The NIC forgets the context between two keys, and does not know it when it is to get
    the next one: the NIC gets the context again, with the newest key."""
    watch = rig.Watch()
    flow = Sender("aes-128-gcm")
    for number in range(4):
        flow.rekey()
        flow.send(rig.pattern(CHUNK))
        nicfault.ask("ctx-forget-all", 1)
        if number % 2:
            flow.rekey()
        end = time.monotonic() + 60
        while watch["tx_tls_readd"] <= number:
            flow.send(rig.pattern(1000))
            time.sleep(0.005)
            if time.monotonic() > end:
                raise AssertionError(f"software for good; {watch.report()}")
    flow.rekey()
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    watch.expect(TlsTxDeviceKeyUpdate=7, TlsTxLeftRekey=0, TlsTxLeftDevice=0,
                 TlsTxDeviceAgain=0, TlsTxFallbackError=0, tx_tls_ctx=1, tx_tls_readd=4)


def send(cipher, rounds, loss):
    """A NIC that takes no next key: the near end changes its key ROUNDS times while bytes
    of the old key are on their way, and the NIC encrypts again after each KeyUpdate."""
    nicfault.one_key(ktap.defer)
    watch, flow = sender(cipher, loss)
    for number in range(rounds):
        flow.send(rig.pattern(CHUNK))
        flow.rekey()
        end = time.monotonic() + 30
        while watch["TlsTxDeviceAgain"] == number:
            flow.send(rig.pattern(1000))
            time.sleep(0.005)
            if time.monotonic() > end:
                raise AssertionError(f"software for good; {watch.report()}")
    before = watch["tx_tls_encrypted_bytes"]
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    if watch["tx_tls_encrypted_bytes"] - before < CHUNK:
        raise AssertionError(f"not by the card at the end; {watch.report()}")
    watch.expect(TlsTxRekeyOk=rounds, TlsTxLeftRekey=rounds, TlsTxLeftDevice=0,
                 TlsTxFallbackError=0, TlsTxFallbackRoute=0)
    watch.settle("TlsCurrTxDevice", 0)
    print(f"# {flow.length} bytes, {watch['tx_tls_encrypted_bytes']} by the card")


class Reader(threading.Thread):
    """A thread that reads at the near end and sets the next key behind each KeyUpdate."""

    def __init__(self, flow, keys):
        super().__init__(daemon=True)
        self.flow, self.keys, self.error = flow, iter(keys), None
        self.start()

    def run(self):
        try:
            while self.step():
                pass
        except Exception as err:  # pylint: disable=broad-exception-caught
            self.error = err

    def step(self):
        kind, data = ktls.recv_record(self.flow.near, 1 << 16)
        if kind == ktls.DATA:
            self.flow.got.update(data)
            self.flow.got_bytes += len(data)
            return True
        if kind is None:
            return False
        ktap.equal(data, ktls.KEY_UPDATE, "handshake message")
        self.flow.near.setsockopt(ktls.SOL_TLS, ktls.TLS_RX,
                                  next(self.keys).crypto_info())
        return True


class Rekeyed(rig.Inflow):
    """A connection of which the far end sends, with one key after another."""

    def __init__(self, cipher, count):
        super().__init__(cipher, version=ktls.TLS13)
        self.keys = [ktls.Key(cipher, ktls.TLS13) for _ in range(count)]
        self.reader = Reader(self, [key.clone() for key in self.keys])

    def update(self):
        """A KeyUpdate record; records sealed from now on have the next key."""
        record = self.seal(ktls.KEY_UPDATE, ktls.HANDSHAKE)
        self.key = self.keys.pop(0)
        return record

    def end(self):
        self.far.close()
        self.reader.join(60)
        if self.reader.error:
            raise self.reader.error
        if (self.got_bytes, self.got.digest()) != (self.sent_bytes,
                                                   self.sent.digest()):
            raise AssertionError(
                f"sent {self.sent_bytes}, got {self.got_bytes} or others")


def receive(cipher, rounds, loss):
    """The far end changes its key ROUNDS times. Data behind a KeyUpdate arrives before the
    NIC has the new key, so the NIC decrypts it with the old one: software mends it, all
    data is right, and the NIC decrypts again after each KeyUpdate."""
    if loss:
        ktap.defer(rig.far_netem_end)
        rig.far_netem("loss", f"{loss}%")
    watch = rig.Watch()
    flow = Rekeyed(cipher, rounds)
    watch.expect(TlsRxDevice=1)
    for number in range(rounds):
        flow.far.sendall(flow.stream(CHUNK) + flow.update() +
                         flow.stream(CHUNK))
        end = time.monotonic() + 30
        while watch["TlsRxDeviceAgain"] == number:
            flow.far.sendall(flow.stream(CHUNK))
            time.sleep(0.01)
            if flow.reader.error or time.monotonic() > end:
                raise flow.reader.error or AssertionError(
                    f"software for good; {watch.report()}")
    before, end = watch["rx_tls_decrypted_bytes"], time.monotonic() + 30
    while watch["rx_tls_decrypted_bytes"] == before:
        flow.far.sendall(flow.stream(5000))
        time.sleep(0.02)
        if time.monotonic() > end:
            raise AssertionError(f"not by the card; {watch.report()}")
    flow.end()
    watch.expect(TlsRxRekeyOk=rounds, TlsRxRekeyReceived=rounds,
                 TlsRxLeftRekey=rounds, TlsDecryptError=0)
    print(f"# {flow.wire} bytes, {watch['rx_tls_decrypted_bytes']} by the card, "
          f"{watch['TlsRxDeviceMended']} records mended")


def many_at_once(cipher, size):
    """Nine stretches of records with eight KeyUpdates between them arrive at once, so that
    the NIC's key is up to eight keys too old: all data is right."""
    watch = rig.Watch()
    flow = Rekeyed(cipher, 8)
    data = flow.stream(size, 3000)
    for _ in range(8):
        data += flow.update() + flow.stream(size, 3000)
    flow.far.sendall(data)
    flow.end()
    watch.expect(TlsRxRekeyOk=8, TlsDecryptError=0)
    print(f"# {watch['TlsRxDeviceMended']} records mended")


def one_old_key():
    """KeyUpdates of the peer follow one another faster than a receive window passes. Only
    one old key is kept, so the NIC gets no new key until all its bytes have passed."""
    watch = rig.Watch()
    flow = Rekeyed("aes-128-gcm", 6)
    for number in range(6):
        flow.far.sendall(flow.stream(500) + flow.update() + flow.stream(500))
        rig.wait_for(lambda sent=flow.sent_bytes: flow.got_bytes == sent, 20,
                     lambda: f"{flow.got_bytes} of {flow.sent_bytes} bytes")
        watch.expect(TlsRxRekeyOk=number + 1, TlsRxLeftRekey=1, TlsRxDeviceAgain=0,
                     TlsCurrRxRekey=1)
    end = time.monotonic() + 20
    while not watch["TlsRxDeviceAgain"] and time.monotonic() < end:
        flow.far.sendall(flow.stream(CHUNK))
        time.sleep(0.02)
    watch.expect(TlsRxDeviceAgain=1, TlsCurrRxRekey=0, TlsDecryptError=0)
    flow.end()


def aborted_sending():
    """A NIC that takes no next key, and a socket that is closed while bytes of the old key
    are not acknowledged: the new key is counted as aborted, the earlier one, which the NIC
    had, is not."""
    nicfault.one_key(ktap.defer)
    watch = rig.Watch()
    flow = Sender("aes-128-gcm")
    flow.rekey()
    while not watch["TlsTxDeviceAgain"]:
        flow.send(rig.pattern(1000))
    undo = rig.far_loss("loss", "100%")
    ktap.defer(undo)
    flow.send(rig.pattern(1000))
    flow.rekey()
    watch.expect(TlsTxRekeyOk=2, TlsTxRekeyAborted=0, TlsCurrTxRekey=1)
    flow.near.close()
    watch.expect(TlsTxRekeyOk=1, TlsTxRekeyAborted=1, TlsTxRekeyFallback=0,
                 TlsTxRekeyError=0, TlsCurrTxRekey=0)


def aborted_receiving():
    """A socket is closed before a receive window of the old key has passed: the new key is
    counted as aborted."""
    watch = rig.Watch()
    flow = Rekeyed("aes-128-gcm", 1)
    flow.far.sendall(flow.stream(500) + flow.update() + flow.stream(500))
    flow.end()
    watch.expect(TlsRxRekeyOk=1, TlsRxRekeyAborted=0, TlsCurrRxRekey=1)
    flow.near.close()
    watch.expect(TlsRxRekeyOk=0, TlsRxRekeyAborted=1, TlsRxRekeyFallback=0,
                 TlsRxRekeyError=0, TlsCurrRxRekey=0)


def socket_info(flow):
    """[sending, receiving]: "sw" or "hw", as ss shows it for the near end."""
    line = rig.run("ss", "-Htieno", f"sport = :{flow.near.getsockname()[1]}")
    return [re.search(f"{way}conf: ?(\\S+)", line)[1] for way in ("tx", "rx")]


def ss_sending():
    """A NIC that takes no next key: ss shows software for sending while bytes of the old
    key are not acknowledged, and the NIC afterwards."""
    nicfault.one_key(ktap.defer)
    watch = rig.Watch()
    flow = Sender("aes-128-gcm")
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    ktap.equal(socket_info(flow)[0], "hw", "before")
    undo = rig.far_loss("loss", "100%")
    ktap.defer(undo)
    flow.send(rig.pattern(1000))
    flow.rekey()
    flow.send(rig.pattern(1000))
    ktap.equal(socket_info(flow)[0], "sw", "new key, old one not acknowledged")
    watch.expect(TlsCurrTxSw=1, TlsCurrTxDevice=0)
    undo()
    flow.drain()
    while not watch["TlsTxDeviceAgain"]:
        flow.send(rig.pattern(1000))
    ktap.equal(socket_info(flow)[0], "hw", "on the card again")
    watch.expect(TlsCurrTxSw=0, TlsCurrTxDevice=1)
    flow.finish()


def ss_receiving():
    """ss shows software for receiving from the KeyUpdate on, and the NIC again when it has
    the new key."""
    watch = rig.Watch()
    flow = Rekeyed("aes-128-gcm", 0)
    flow.far.sendall(flow.stream(CHUNK))
    rig.wait_for(lambda: flow.got_bytes == CHUNK, 20, lambda: f"{flow.got_bytes} bytes")
    ktap.equal(socket_info(flow)[1], "hw", "before")
    key = ktls.Key("aes-128-gcm", ktls.TLS13)
    flow.keys.append(key)
    told, go_on = threading.Event(), threading.Event()

    def keys():
        told.set()
        go_on.wait(20)
        yield key.clone()
    flow.reader.keys = keys()
    flow.far.sendall(flow.update())
    ktap.equal(told.wait(20), True, "KeyUpdate read")
    ktap.equal(socket_info(flow)[1], "sw", "KeyUpdate, no key yet")
    watch.expect(TlsCurrRxSw=1, TlsCurrRxDevice=0)
    go_on.set()
    end = time.monotonic() + 20
    while not watch["TlsRxDeviceAgain"] and time.monotonic() < end:
        flow.far.sendall(flow.stream(CHUNK))
        time.sleep(0.02)
    ktap.equal(socket_info(flow)[1], "hw", "on the card again")
    watch.expect(TlsCurrRxSw=0, TlsCurrRxDevice=1)
    flow.end()


def main():
    rig.offload()
    rig.receive_offload()
    rig.control()
    for cipher in ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"):
        few = ROUNDS if cipher == "aes-128-gcm" else 5
        ktap.add(f"send on {cipher}", send_on, cipher, few, 0, timeout=200)
        ktap.add(f"send {cipher}", send, cipher, few if ROUNDS > 20 else 5, 0, timeout=200)
        ktap.add(f"receive {cipher}", receive, cipher, few, 0, timeout=200)
        ktap.add(f"many at once {cipher}", many_at_once, cipher, 10000,
                 timeout=60)
    ktap.add("one old key", one_old_key, timeout=60)
    ktap.add("closed before the card had the key, sending", aborted_sending, timeout=60)
    ktap.add("closed before the card had the key, receiving", aborted_receiving)
    ktap.add("ss tells the truth, sending", ss_sending, timeout=60)
    ktap.add("ss tells the truth, receiving", ss_receiving, timeout=60)
    ktap.add("old key stays", old_key_stays, timeout=120)
    ktap.add("context forgotten between keys", forgotten, timeout=300)
    ktap.add("small ones, many at once", many_at_once, "aes-128-gcm", 500)
    ktap.add("send on, 1 % lost", send_on, "aes-128-gcm", ROUNDS, 1, timeout=300)
    ktap.add("send, 1 % lost", send, "aes-128-gcm", ROUNDS, 1, timeout=300)
    ktap.add("receive, 1 % lost", receive, "aes-128-gcm", ROUNDS, 1, timeout=300)
    ktap.main()


main()
