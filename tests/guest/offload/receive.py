#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Receiving through the NIC's TLS engine: the NIC decrypts records of all shapes; where
segments are lost, late or wrong, software helps, and the NIC is resynced in each of the
kernel's three ways. The far end seals its records without kernel TLS, and the data read at
the near end is compared with them."""
import errno
import os
import random
import socket
import threading
import time

import ktap
import ktls
import nicfault
import rig

SIZES = [1, 15, 16, 17, 1399, 1448, 1449, 16383, 16384, 16385, 65536]
CIPHERS = ["aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"]
KINDS = [(ktls.TLS12, "aes-128-gcm"), (ktls.TLS12, "aes-256-gcm")]
if not rig.STOCK:
    KINDS = [(v, c) for v in (ktls.TLS12, ktls.TLS13) for c in CIPHERS]
MODES = {"async": None, "direct": "tls-rx-resync-direct",
         "hint": "tls-rx-resync-hint"}
CHUNK = 60000


def all_by_nic(watch, *flows):
    """The NIC decrypted all bytes of these flows, and nothing else."""
    watch.settle("rx_tls_del", len(flows))
    watch.expect(rx_tls_ctx=len(flows), TlsRxDevice=len(flows), TlsRxSw=0,
                 rx_tls_decrypted_bytes=sum(f.wire for f in flows),
                 dev_tls_rx_records=sum(f.records for f in flows),
                 rx_tls_lost_gap=0, rx_tls_err=0, TlsDecryptError=0)
    watch.some("rx_tls_decrypted_packets")


def sizes(version, cipher, family):
    """Streams of many sizes, each on a connection of its own: the NIC decrypts all of them."""
    for size in SIZES:
        watch = rig.Watch()
        flow = rig.Inflow(cipher, family, version)
        flow.push(flow.stream(size))
        flow.finish()
        all_by_nic(watch, flow)


def record_sizes(version, cipher):
    """Records of 1 to 2000 bytes, so that a packet holds several records and a record spans
    packets: the NIC decrypts all of them."""
    dice = random.Random(1)
    watch = rig.Watch()
    flow = rig.Inflow(cipher, 4, version)
    flow.push(flow.stream(1 << 19, lambda: dice.randint(1, 2000)))
    flow.finish()
    all_by_nic(watch, flow)


def record_types():
    """Alerts and handshake messages between data: each record is read with its type."""
    watch = rig.Watch()
    flow = rig.Inflow()
    sent = [(ktls.DATA, b"one"), (ktls.ALERT, b"\1\0"), (ktls.DATA, b"two"),
            (ktls.HANDSHAKE, b"hello")]
    flow.far.sendall(b"".join(flow.seal(data, kind) for kind, data in sent))
    got = [ktls.recv_record(flow.near) for _ in sent]
    ktap.equal(got, sent, "records")
    flow.got_bytes = flow.sent_bytes
    flow.finish()
    all_by_nic(watch, flow)


def merged_by_gro():
    """GRO joins decrypted packets: less than half as many reach IP as the NIC decrypted."""
    def delivered():
        with open("/proc/net/snmp", encoding="ascii") as file:
            names, values = [line.split() for line in file
                             if line.startswith("Ip:")]
        return int(values[names.index("InReceives")])

    watch, packets = rig.Watch(), delivered()
    flow = rig.Inflow()
    flow.push(flow.stream(1 << 20))
    flow.finish()
    packets = delivered() - packets
    all_by_nic(watch, flow)
    if packets > watch["rx_tls_decrypted_packets"] / 2:
        raise AssertionError(f"{packets} packets after GRO; {watch.report()}")


def hundred_connections():
    """A hundred connections at once, half of them IPv6: the NIC decrypts all of them."""
    watch = rig.Watch()
    flows = [rig.Inflow("aes-128-gcm", 4 if i % 2 else 6) for i in range(100)]
    ktap.equal(watch["TlsCurrRxDevice"], 100, "TlsCurrRxDevice")
    for _ in range(2):
        for flow in flows:
            flow.push(flow.stream(20000))
    for flow in flows:
        flow.finish()
    all_by_nic(watch, *flows)


def over_vlan():
    """A connection over a VLAN: with our tls.ko the NIC decrypts it; the distribution's
    tls.ko does not look below a VLAN, and software decrypts."""
    rig.vlan(7)
    ktap.defer(rig.vlan_end, 7)
    watch = rig.Watch()
    with rig.far_side():
        server = socket.create_server((rig.VLAN_FAR, 0))
    with server:
        near = socket.create_connection(server.getsockname()[:2])
        far, _ = server.accept()
    flow = rig.Inflow(pair=(near, far))
    flow.push(flow.stream(CHUNK))
    flow.finish()
    if rig.STOCK:
        watch.expect(rx_tls_ctx=0, rx_tls_decrypted_bytes=0, TlsRxSw=1)
    else:
        all_by_nic(watch, flow)


def off_means_off():
    """With the feature off, software decrypts the connection."""
    rig.receive_offload(False)
    ktap.defer(rig.receive_offload, True)
    watch = rig.Watch()
    flow = rig.Inflow()
    flow.push(flow.stream(CHUNK))
    flow.finish()
    watch.expect(rx_tls_ctx=0, rx_tls_decrypted_bytes=0, TlsRxSw=1,
                 TlsRxDevice=0)


def checksums_off():
    """rx-checksumming is switched off under a flow on the NIC: the NIC decrypts all of it."""
    watch = rig.Watch()
    flow = rig.Inflow()
    flow.push(flow.stream(CHUNK))
    ktap.defer(rig.receive_offload, True)
    ktap.defer(rig.feature, "rx", True)
    rig.feature("rx", False)
    flow.push(flow.stream(CHUNK))
    flow.finish()
    all_by_nic(watch, flow)


def choose(mode):
    """Choose the way of resync for new connections, by its private flag."""
    flag = MODES[mode]
    if flag:
        rig.private_flag(flag, True)
        ktap.defer(rig.private_flag, flag, False)


def single_frames():
    """The far end hands netem single frames, not packets that are segmented later."""
    rig.far_run("ip", "link", "set", "eth0", "gso_max_segs", "1")
    ktap.defer(rig.far_run, "ip", "link", "set", "eth0", "gso_max_segs", "65535")


def bad_wire(mode, size, floor, *netem):
    """Streams over a bad wire: every byte arrives, and the NIC decrypts at least FLOOR per
    cent of all streams together. (A single stream may do worse: if it is lost early, it has
    to wait for the kernel.)"""
    choose(mode)
    single_frames()
    rig.far_netem(*netem)
    ktap.defer(rig.far_netem_end)
    wire = decrypted = 0
    for version, cipher in (KINDS[0], KINDS[-1]):
        dice = random.Random(2)
        watch = rig.Watch()
        flow = rig.Inflow(cipher, 6, version)
        flow.push(flow.stream(size, lambda d=dice: d.randint(1, 16384)))
        flow.finish()
        watch.expect(TlsDecryptError=0, rx_tls_err=0)
        wire += flow.wire
        decrypted += watch["rx_tls_decrypted_bytes"]
        print(f"# figure: {cipher}: {100 * watch['rx_tls_decrypted_bytes'] / flow.wire:.1f} "
              f"% of {flow.wire} bytes by the NIC; {watch.report()}")
    if 100 * decrypted < floor * wire:
        raise AssertionError(f"{100 * decrypted / wire:.1f} %, less than {floor}")


def drop_next():
    """Lose everything that the far end sends from now on."""
    rig.far_netem("loss", "100%")


def lose(flow, data, lost, then):
    """Send DATA, of which the bytes LOST = (first, last) are lost and arrive later by
    retransmission; then send THEN."""
    first, last = lost
    flow.far.sendall(data[:first])
    time.sleep(0.2)
    drop_next()
    flow.far.sendall(data[first:last])
    time.sleep(0.05)
    rig.far_netem_end()
    flow.far.sendall(data[last:])
    flow.take()
    if then:
        flow.push(then)


def partly_decrypted(version, cipher):
    """The middle of a record comes late, and the NIC does not remember gaps: the kernel
    turns the part that the NIC decrypted into ciphertext again and decrypts the record, and
    the NIC continues at the next record."""
    nicfault.forgetful(ktap.defer)
    rig.patient_tcp(ktap.defer, rig.far_run)
    ktap.defer(rig.far_netem_end)
    watch = rig.Watch()
    flow = rig.Inflow(cipher, 4, version)
    flow.push(flow.stream(1000))
    data = flow.stream(6000)
    lose(flow, data, (1200, 2400), None)
    bypassed = watch["rx_tls_bypassed"]
    flow.push(flow.stream(CHUNK))
    flow.finish()
    watch.expect(rx_tls_lost_gap=0, rx_tls_resync_res_ok=0, TlsDecryptError=0)
    ktap.equal(watch["rx_tls_bypassed"], bypassed, "rx_tls_bypassed")
    watch.some("rx_tls_bypassed", "rx_tls_decrypted_bytes")
    if not rig.STOCK:
        watch.expect(TlsRxDeviceMended=1)


def late_piece(version, cipher):
    """The middle of a record comes late: the NIC decrypts it when it comes."""
    rig.patient_tcp(ktap.defer, rig.far_run)
    ktap.defer(rig.far_netem_end)
    watch = rig.Watch()
    flow = rig.Inflow(cipher, 4, version)
    flow.push(flow.stream(1000))
    lose(flow, flow.stream(6000), (1200, 2400), None)
    flow.push(flow.stream(CHUNK))
    flow.finish()
    all_by_nic(watch, flow)
    watch.expect(dev_tls_rx_late=1, rx_tls_bypassed=0, dev_tls_rx_asked=0)


def late_header():
    """A record header comes late: the NIC gets in sync by itself, without the kernel."""
    rig.patient_tcp(ktap.defer, rig.far_run)
    ktap.defer(rig.far_netem_end)
    watch = rig.Watch()
    flow = rig.Inflow()
    flow.push(flow.stream(1000))
    lose(flow, flow.stream(4000, 1000), (900, 1800), None)
    watch.expect(rx_tls_lost_gap=1, dev_tls_rx_found=1)
    bypassed = watch["rx_tls_bypassed"]
    flow.push(flow.stream(CHUNK))
    flow.finish()
    watch.expect(TlsDecryptError=0, rx_tls_err=0, rx_tls_resync_res_ok=0)
    ktap.equal(watch["rx_tls_bypassed"], bypassed, "rx_tls_bypassed")


def lost_header(mode):
    """A record header comes late, and the NIC does not remember gaps: it asks the kernel,
    and is in sync after the answer."""
    nicfault.forgetful(ktap.defer)
    choose(mode)
    rig.patient_tcp(ktap.defer, rig.far_run)
    ktap.defer(rig.far_netem_end)
    watch = rig.Watch()
    flow = rig.Inflow()
    flow.push(flow.stream(1000))
    # four records; the lost part holds the header of the second
    data = flow.stream(4000, 1000)
    lose(flow, data, (900, 1800), None)
    watch.expect(rx_tls_lost_gap=1)
    in_sync_again(watch, flow)
    flow.finish()
    watch.expect(TlsDecryptError=0)
    watch.some("rx_tls_resync_res_ok", "TlsRxDeviceResync")
    # the distribution's tls.ko names the record before the right one in its hint
    if mode != "hint" or not rig.STOCK:
        watch.expect(rx_tls_err=0)
    return watch


def in_sync_again(watch, flow):
    """Push one to three records at a time, until the NIC decrypts all of a step."""
    for step in range(60):
        before = watch["rx_tls_decrypted_bytes"]
        flow.push(flow.stream(3000 if step % 3 else 9000, 3000))
        if watch["rx_tls_decrypted_bytes"] - before > 3000:
            return
    raise AssertionError(f"not in sync again; {watch.report()}")


def resync_async():
    """Asynchronous resync, the default: kernel TLS logs record headers while the NIC's
    request is under way."""
    watch = lost_header("async")
    watch.some("rx_tls_resync_req_pkt", "rx_tls_resync_req_start",
               "rx_tls_resync_req_end")
    watch.expect(rx_tls_resync_req_direct=0)


def resync_direct():
    """Direct resync: the driver passes the NIC's request to kernel TLS unchanged."""
    watch = lost_header("direct")
    watch.some("rx_tls_resync_req_pkt", "rx_tls_resync_req_direct")
    watch.expect(rx_tls_resync_req_start=0)


def resync_hint():
    """Resync by hint: kernel TLS sees ciphertext, and tells the NIC where the next record
    is."""
    watch = lost_header("hint")
    watch.expect(rx_tls_resync_req_start=0, rx_tls_resync_req_direct=0)


def late_start(records, size):
    """RECORDS records and a part of the next arrive before the key is set. Our tls.ko has
    the NIC begin behind them. With the distribution's tls.ko the NIC misses all of their
    headers; the first whole record tells it by the tag how many records there were."""
    near, far = rig.connect()
    watch = rig.Watch()
    flow = rig.Inflow(pair=(near, far), attach=False)
    before = flow.stream(records * size, size)
    rest = flow.stream(size)
    far.sendall(before + rest[:size // 3])
    rig.wait_for(lambda: rig.readable(near, 0), 10, lambda: "nothing arrived")
    time.sleep(0.2)
    flow.attach()
    far.sendall(rest[size // 3:])
    flow.take()
    if rig.STOCK:
        flow.push(flow.stream(size))
        watch.expect(dev_tls_rx_found=1, rx_tls_resync_res_ok=0)
    behind = flow.wire
    flow.push(flow.stream(CHUNK))
    flow.finish()
    watch.expect(rx_tls_ctx=1, TlsDecryptError=0, rx_tls_lost_gap=int(rig.STOCK),
                 rx_tls_decrypted_bytes=flow.wire - behind)


def flipped(data, at):
    """Data with one bit changed."""
    data = bytearray(data)
    data[at] ^= 1
    return bytes(data)


def wrong_tag():
    """A record with a wrong tag: the NIC passes it on as it came, the kernel refuses it
    with EBADMSG, and counters of both tell."""
    watch = rig.Watch()
    flow = rig.Inflow()
    flow.push(flow.stream(CHUNK))
    flow.far.sendall(flipped(flow.seal(b"forged" * 100), -1))
    ktap.fails(errno.EBADMSG, flow.near.recv, 1000)
    # the result for a context that is already deleted is not always reported
    watch.settle("rx_tls_lost_auth", 1)
    flow.far.close()
    flow.near.close()
    watch.some("rx_tls_err", "dev_tls_rx_auth_errors", "rx_tls_decrypted_bytes")
    watch.expect(TlsDecryptError=1)


def impossible_header():
    """A record header with an impossible version ends the stream, for the NIC and for the
    kernel."""
    watch = rig.Watch()
    flow = rig.Inflow()
    flow.push(flow.stream(CHUNK))
    flow.far.sendall(b"\x17\x02\x02\x00\x40" + bytes(64))
    ktap.fails(errno.EINVAL, flow.near.recv, 1000)
    watch.settle("rx_tls_lost_header", 1)
    flow.far.close()
    flow.near.close()


def reset_under_flow():
    """The function is reset under a receiving flow: the NIC loses its context, and decrypts
    the flow again soon after."""
    device = os.path.basename(os.readlink(f"/sys/class/net/{rig.IFACE}/device"))
    watch = rig.Watch()
    flow = rig.Inflow()
    flow.push(flow.stream(CHUNK))
    rig.run("devlink", "dev", "reload", f"pci/{device}")
    in_sync_again(watch, flow)
    flow.push(flow.stream(CHUNK))
    flow.finish()
    watch.expect(rx_tls_lost_reset=1, TlsDecryptError=0)
    watch.some(*(["rx_tls_readd"] if rig.STOCK else ["TlsRxDeviceAgain"]))


def both_directions():
    """One connection is busy in both directions: the NIC encrypts and decrypts all of it."""
    watch = rig.Watch()
    flow = rig.Inflow()
    key = ktls.Key()
    opener = key.clone()
    flow.near.setsockopt(ktls.SOL_TLS, ktls.TLS_TX, key.crypto_info())
    data, back = rig.pattern(1 << 19), []

    def collect():
        while sum(map(len, back)) < len(data):
            back.append(flow.far.recv(1 << 18))

    def send():
        flow.near.sendall(data)
    threads = [threading.Thread(target=fn, daemon=True)
               for fn in (collect, send)]
    for thread in threads:
        thread.start()
    flow.push(flow.stream(1 << 19))
    threads[1].join()
    want = (len(data) + 16383) // 16384 * 29 + len(data)
    rig.wait_for(lambda: sum(map(len, back)) >= want or
                 not threads[0].is_alive(), 60, lambda: "the way back ended")
    rest = want - sum(map(len, back))
    while rest:
        back.append(flow.far.recv(rest))
        rest -= len(back[-1])
    got = b"".join(opener.open(r)[1] for r in rig.split(b"".join(back)))
    ktap.equal(got == data, True, "the way back is what was sent")
    flow.finish()
    all_by_nic(watch, flow)
    watch.expect(tx_tls_encrypted_bytes=want)


def main():
    """Register and run."""
    rig.offload()
    rig.receive_offload()
    rig.control()
    rig.far_receive_frames()
    for version, cipher in KINDS:
        name = f"{'1.3' if version == ktls.TLS13 else '1.2'}_{cipher}"
        for family in (4, 6):
            ktap.add(f"sizes_{name}_v{family}", sizes, version, cipher, family)
        ktap.add(f"record_sizes_{name}", record_sizes, version, cipher)
        ktap.add(f"partly_decrypted_{name}", partly_decrypted, version, cipher)
        ktap.add(f"late_piece_{name}", late_piece, version, cipher)
    for fn in (record_types, merged_by_gro, over_vlan, off_means_off,
               checksums_off, resync_async, resync_direct, resync_hint,
               late_header, wrong_tag, impossible_header, reset_under_flow,
               both_directions):
        ktap.add(fn.__name__, fn, timeout=60)
    ktap.add("late_start", late_start, 5, 2000)
    ktap.add("late_start_by_a_hundred_records", late_start, 100, 300)
    ktap.add("hundred_connections", hundred_connections, timeout=120)
    for mode in MODES:
        ktap.add(f"loss_1_percent_{mode}", bad_wire, mode, 1 << 20, 85, "loss",
                 "1%", timeout=120)
    for name, floor, netem in (
            ("loss_5_percent", 50, ("loss", "5%")),
            ("reorder", 35, ("delay", "10ms", "reorder", "90%")),
            ("duplicate", 95, ("duplicate", "5%")),
            ("corrupt", 80, ("corrupt", "2%"))):
        ktap.add(name, bad_wire, "async", 1 << 19, floor, *netem, timeout=120)
    ktap.main()


main()
