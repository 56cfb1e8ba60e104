#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Faults of the NIC under live TLS flows: each is noticed and repaired, and the NIC
encrypts the flows again, without a byte lost. The program prints for each fault the guest's
seconds from the fault to that moment. With the word "long" as an argument: the cases that
take longest."""
import os
import random
import socket
import struct
import sys
import threading
import time

import nicfault
import ktap
import rig

CHUNK = 40000
DRIVER = "/sys/bus/pci/drivers/vktls"
PATIENCE = 60


class Log:
    """The kernel's log from the creation of this object on."""

    def __init__(self):
        self.file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.file, 0, os.SEEK_END)
        self.text = ""
        ktap.defer(os.close, self.file)

    def has(self, words):
        """Has the kernel logged these words?"""
        try:
            while True:
                self.text += os.read(self.file, 8192).decode(errors="replace")
        except BlockingIOError:
            pass
        return words in self.text

    def expect(self, words, timeout=PATIENCE):
        """Wait until the kernel has logged these words."""
        rig.wait_for(lambda: self.has(words), timeout,
                     lambda: f"the kernel does not say: {words}")


class Load:
    """Flows that send one chunk after another, alternately IPv4 and IPv6, each in a thread."""

    def __init__(self, flows=4):
        self.watch, self.ended, self.errors = rig.Watch(), False, []
        self.flows = [rig.Flow(family=4 + i % 2 * 2) for i in range(flows)]
        self.rounds, self.idle, self.paused = [0] * flows, [False] * flows, False
        self.data = rig.pattern(CHUNK)
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True)
                        for i in range(flows)]
        for thread in self.threads:
            thread.start()
        ktap.defer(self.stop)
        self.goes_on()

    def run(self, number):
        """Send on one flow until stop()."""
        try:
            while not self.ended:
                self.idle[number] = self.paused
                if self.paused:
                    time.sleep(0.02)
                    continue
                self.flows[number].send(self.data)
                self.flows[number].drain(PATIENCE)
                self.rounds[number] += 1
                time.sleep(0.05)
        except (OSError, AssertionError) as err:
            self.errors.append(f"flow {number}: {err!r}")

    def goes_on(self, rounds=2):
        """Wait until every flow has sent ROUNDS more chunks."""
        goal = [n + rounds for n in self.rounds]
        rig.wait_for(lambda: self.errors or
                     all(n >= g for n, g in zip(self.rounds, goal)),
                     PATIENCE, lambda: f"flows stand still at {self.rounds}")
        ktap.equal(self.errors, [], "broken connections")

    def encrypted(self):
        """Bytes that the NIC has encrypted so far."""
        return self.watch["tx_tls_encrypted_bytes"]

    def pause(self):
        """Pause until all sent data has arrived. Returns the number of rounds."""
        self.paused = True
        rig.wait_for(lambda: self.errors or all(self.idle), PATIENCE,
                     lambda: "flows do not come to an end")
        ktap.equal(self.errors, [], "broken connections")
        return sum(self.rounds)

    def go_on(self):
        """Continue after pause()."""
        self.paused = False
        rig.wait_for(lambda: not any(self.idle), PATIENCE, lambda: "a thread is gone")

    def offloaded(self):
        """If the NIC encrypts everything that the flows send for two rounds: the time
        before those rounds. Otherwise None."""
        start = self.pause()
        since = time.monotonic()
        before = self.encrypted()
        self.go_on()
        self.goes_on()
        sent = (self.pause() - start) * CHUNK
        got = self.encrypted() - before
        self.go_on()
        return since if got >= sent else None

    def back(self, fault, start):
        """Wait until the NIC encrypts all flows again; print how long that took."""
        while not (since := self.offloaded()):
            if time.monotonic() - start > PATIENCE:
                raise AssertionError(f"offload does not come back; {self.watch.report()}")
        ktap.figure(f"{fault}: offload in force again after {since - start:.1f} s, "
                    f"{len(self.errors)} connections broken")

    def stop(self):
        """Stop sending data."""
        self.ended = True
        for thread in self.threads:
            thread.join(PATIENCE)

    def finish(self):
        """Stop; the far end has got every byte of every flow."""
        self.stop()
        ktap.equal(self.errors, [], "broken connections")
        for flow in self.flows:
            flow.finish()


def begin():
    """Start flows that the NIC encrypts, and watch the kernel's log."""
    ktap.defer(nicfault.end)
    load, log = Load(), Log()
    if not load.offloaded():
        raise AssertionError(f"no offload to begin with; {load.watch.report()}")
    return load, log


def through_a_reset(name, fault, *before):
    """A fault makes the driver reset the function: the log says so, each context is added
    again, and the flows are back on the NIC."""
    load, log = begin()
    for prepare in before:
        prepare()
    start = time.monotonic()
    fault()
    log.expect("recovered")
    load.back(name, start)
    load.watch.some("resets")
    if not load.watch["tx_tls_lost_reset"] + load.watch["tx_tls_lost_forgotten"]:
        raise AssertionError(f"no context was lost; {load.watch.report()}")
    given = load.watch["tx_tls_ctx"] + load.watch["tx_tls_readd"]
    if given < 2 * len(load.flows):
        raise AssertionError(f"contexts given {given} times; {load.watch.report()}")
    load.finish()


def firmware_hangs():
    """Firmware hangs, so that heartbeat and answers stop: the driver resets the function."""
    through_a_reset("firmware hangs", lambda: nicfault.ask("fw-hang", 1))


def firmware_crashes():
    """Firmware crashes, which its state in the status register shows: the driver resets the
    function."""
    through_a_reset("firmware crashes", lambda: nicfault.ask("fw-crash", 1))


def firmware_crashes_and_queues_fail():
    """Firmware crashes, and the first attempt to start the NIC again fails: the next one
    succeeds."""
    through_a_reset("firmware crashes, a queue fails to come back",
                    lambda: nicfault.ask("fw-crash", 1),
                    lambda: nicfault.command("fail", "queue-create", 2, nicfault.FAILS))
    ktap.equal(nicfault.left("cmd-fail"), "", "faults left")


def firmware_hangs_as_it_comes_back():
    """Firmware crashes, and a command of the recovery is never answered: the recovery is
    repeated, and succeeds."""
    through_a_reset("firmware crashes, then is silent at start",
                    lambda: nicfault.ask("fw-crash", 1),
                    lambda: nicfault.command("lose", "queue-create", 1))


def users_of_tls():
    """Number of users of tls.ko. Our tls.ko is held by a socket until its last packet is
    freed."""
    with open("/sys/module/tls/refcnt", encoding="ascii") as file:
        return int(file.read())


def send_on(flow):
    """Send until the socket accepts nothing for a second."""
    try:
        while True:
            flow.near.send(bytes(CHUNK))
    except OSError:
        pass


def recovery_fails():
    """Every attempt to start the NIC again fails: the interface is closed, and no packet
    stays in a ring, so that sockets closed afterwards are freed."""
    ktap.defer(come_back, pci_address())
    ktap.defer(nicfault.end)
    before, log = users_of_tls(), Log()
    flows = [rig.Flow() for _ in range(8)]
    threads = [threading.Thread(target=send_on, args=(flow,)) for flow in flows]
    for flow, thread in zip(flows, threads):
        flow.near.settimeout(1)
        thread.start()
    nicfault.command("fail", "queue-create", "1-99", nicfault.FAILS)
    nicfault.ask("fw-crash", 1)
    log.expect("does not start")
    rig.wait_for(lambda: "UP" not in rig.run("ip", "-br", "link", "show", rig.IFACE), PATIENCE,
                 lambda: "the interface stays open")
    for flow, thread in zip(flows, threads):
        thread.join()
        flow.near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        flow.near.close()
    if not rig.STOCK:
        rig.wait_for(lambda: users_of_tls() <= before, 20,
                     lambda: f"{users_of_tls() - before} sockets still hold tls.ko")


def one_context_forgotten():
    """The NIC forgets one context: the driver adds it again, without a reset, and the other
    flows stay on the NIC."""
    load, _ = begin()
    start = time.monotonic()
    nicfault.forget_one(range(1024))
    load.watch.settle("tx_tls_readd", 1, PATIENCE)
    load.back("one context forgotten", start)
    load.watch.expect(resets=0, tx_tls_readd=1)
    load.finish()
    all_places_free()


def all_places_free():
    """Wait until no context is left in the NIC."""
    rig.wait_for(lambda: not rig.counters()["dev_tls_ctx_live"], 10,
                 lambda: "contexts stay in the NIC")


def all_contexts_forgotten():
    """The NIC forgets all contexts: the driver adds all of them again, without a reset."""
    load, _ = begin()
    start = time.monotonic()
    nicfault.ask("ctx-forget-all", 1)
    load.watch.settle("tx_tls_readd", len(load.flows), PATIENCE)
    load.back("all contexts forgotten", start)
    load.watch.expect(resets=0)
    load.finish()
    all_places_free()


def queues(count):
    """Use this many queue pairs until the case ends."""
    ktap.defer(rig.run, "ethtool", "-L", rig.IFACE, "combined", "2")
    rig.run("ethtool", "-L", rig.IFACE, "combined", str(count))


def queue_interrupts_lost():
    """Interrupts of the only queue pair are lost: the watch finds the waiting completions,
    and the flows continue without a reset."""
    queues(1)
    load, _ = begin()
    for _ in range(2):
        start = time.monotonic()
        nicfault.ask("irq-lose", f"{nicfault.queue(0)}:1-2")
        rig.wait_for(lambda: not nicfault.left("irq-lose"), PATIENCE,
                     lambda: "no interrupt was lost")
        load.back("interrupts of a queue lost", start)
    load.watch.some("irq_lost")
    load.watch.expect(resets=0)
    load.finish()


def interrupt_lost_before_silence():
    """An interrupt is lost, and no later packet would cause another: the driver still finds
    the packet, and an answer gets through."""
    queues(1)
    near, far = rig.connect()
    with near, far:
        near.settimeout(20)
        far.sendall(b"warm")
        near.recv(4)
        time.sleep(0.5)
        ktap.defer(nicfault.end)
        watch, lost = rig.Watch(), nicfault.count("irq-lose")
        nicfault.ask("irq-lose", f"{nicfault.queue(0)}:1-2")
        start = time.monotonic()
        far.sendall(b"x")
        near.recv(1)
        near.sendall(b"y")
        far.settimeout(20)
        far.recv(1)
        took = time.monotonic() - start
    if nicfault.count("irq-lose") == lost:
        raise AssertionError("no interrupt was lost")
    ktap.figure(f"interrupt lost, then silence: answered after {took:.1f} s")
    watch.expect(resets=0)


def command_interrupts_lost():
    """Interrupts of commands and events are lost: a caller that waits for an answer polls
    by itself, and the driver finds a link event without its interrupt."""
    ktap.defer(nicfault.end)
    ktap.defer(nicfault.link, True)
    watch = rig.Watch()
    nicfault.ask("irq-lose", f"{nicfault.ASYNC}:1-3")
    start = time.monotonic()
    flow = rig.Flow()
    if time.monotonic() - start > 5:
        raise AssertionError("an answer that was there was not looked for")
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    rig.wait_for(lambda: not nicfault.left("irq-lose"), PATIENCE,
                 lambda: "no interrupt was lost")
    nicfault.ask("irq-lose", f"{nicfault.ASYNC}:1")
    nicfault.link(False)
    rig.wait_for(lambda: carrier() == "0", 10, lambda: "a lost event stays lost")
    nicfault.link(True)
    rig.wait_for(lambda: carrier() == "1", 10, lambda: "no carrier")
    watch.expect(resets=0, tx_tls_encrypted_bytes=flow.wire)
    watch.some("irq_lost")


def carrier():
    """State of the carrier in sysfs."""
    with open(f"/sys/class/net/{rig.IFACE}/carrier", encoding="ascii") as file:
        return file.read().strip()


def spurious_interrupts():
    """Every vector gets spurious interrupts: the flows stay on the NIC."""
    load, _ = begin()
    for _ in range(20):
        for vector in range(3):
            nicfault.ask("irq-spurious", vector)
    load.goes_on()
    if not load.offloaded():
        raise AssertionError(f"offload ended; {load.watch.report()}")
    load.watch.expect(resets=0, tx_tls_lost_device=0)
    load.finish()


def failing(command, what):
    """A kind of command fails three times while what() needs it: the flows return to the
    NIC without a reset, and new connections work."""
    watch = rig.Watch()
    load, _ = begin()
    nicfault.command("fail", command, "1-3", nicfault.FAILS)
    start = time.monotonic()
    what()
    rig.wait_for(lambda: not nicfault.left("cmd-fail"), PATIENCE,
                 lambda: f"{command} did not fail")
    load.back(f"{command} fails three times", start)
    watch.expect(resets=0)
    load.finish()
    flow = rig.Flow()
    flow.send(rig.pattern(CHUNK))
    flow.finish()


def new_flows(count=3, end=True):
    """Open COUNT connections and send on them, on the NIC or not; close them if END is set.
    Returns them."""
    flows = []
    for _ in range(count):
        flow = rig.Flow()
        flow.send(rig.pattern(CHUNK))
        if end:
            flow.finish()
        flows.append(flow)
    return flows


def lose_contexts():
    """Make the NIC forget all contexts, so that the driver adds them again."""
    nicfault.ask("ctx-forget-all", 1)


def lose_places():
    """Drop segments before the NIC, so that a flow needs a resync."""
    watch = rig.Watch()
    rig.segments_at_once(1)
    undo = rig.near_qdisc("loss", "20%")
    try:
        rig.wait_for(lambda: watch["tx_tls_fallback_gap"], PATIENCE,
                     lambda: f"no gaps; {watch.report()}")
    finally:
        undo()
        rig.segments_at_once(65535)


def stats_fail():
    """Reading the NIC's counters fails: the flows are not disturbed."""
    failing("stats", lambda: None)


def add_fails():
    """Adding contexts fails: new connections send by software; with our tls.ko they get a
    context later."""
    watch, kept = rig.Watch(), []
    failing("tls-add", lambda: kept.extend(new_flows(3, False)))
    watch.expect(tx_tls_add_failed=3)
    if not rig.STOCK:
        rig.wait_for(lambda: all(on_the_nic(flow) for flow in kept), PATIENCE,
                     lambda: f"not offered again; {watch.report()}")
        watch.expect(TlsTxDeviceRefused=3, TlsTxDeviceAgain=3)
    for flow in kept:
        flow.finish()
    all_places_free()


def on_the_nic(flow):
    """Does the NIC encrypt this flow's data, when no other flow sends?"""
    before = rig.counters()["tx_tls_encrypted_bytes"]
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    return rig.counters()["tx_tls_encrypted_bytes"] - before > CHUNK


def add_fails_again():
    """The NIC forgets all contexts, and adding them again fails three times: the flows
    return to the NIC in the end."""
    failing("tls-add", lose_contexts)


def resync_fails():
    """Resyncs fail three times: the driver asks again later, and the flow returns to the
    NIC."""
    failing("tls-resync", lose_places)


def del_fails():
    """Deleting contexts fails three times: they are deleted later, and no flow is
    disturbed."""
    failing("tls-del", new_flows)
    all_places_free()


def queue_create_fails():
    """Creating a queue fails three times during a change of rings: the NIC goes on with the
    old rings or after a reset, and the flows return to it."""
    load, _ = begin()
    nicfault.command("fail", "queue-create", "1-3", nicfault.FAILS)
    start = time.monotonic()
    rig.run("ethtool", "-G", rig.IFACE, "tx", "256", check=False)
    rig.wait_for(lambda: not nicfault.left("cmd-fail"), PATIENCE,
                 lambda: "queue-create did not fail")
    load.back("a change of rings fails three times", start)
    load.finish()


def command_times_out(command, what):
    """A command is not answered for ten seconds: the driver resets the function."""
    through_a_reset(f"{command} is not answered", what,
                    lambda: nicfault.command("lose", command, 1))


def resync_is_slow():
    """The answer to a resync takes two seconds: the driver waits for it, without a reset."""
    load, _ = begin()
    nicfault.command("delay", "tls-resync", "1-4", 2000)
    start = time.monotonic()
    lose_places()
    load.back("tls-resync takes 2 s", start)
    load.watch.expect(resets=0)
    load.finish()


def frames(direction, kind, ppm):
    """Frames of one direction suffer this fault at this rate, until one is hit: all data
    arrives, without a reset."""
    load, _ = begin()
    nicfault.ask("seed", 1)
    nicfault.ask(f"{direction}-{kind}-ppm", ppm)
    before = nicfault.count(f"{direction}-{kind}")
    for _ in range(10):
        load.goes_on(20)
        if nicfault.count(f"{direction}-{kind}") > before:
            break
    else:
        raise AssertionError("no frame was hit")
    nicfault.end()
    load.finish()
    load.watch.expect(resets=0, tx_tls_fallback_failed=0)


def pci_address():
    """PCI address in sysfs's form."""
    return os.path.basename(os.readlink(f"/sys/class/net/{rig.IFACE}/device"))


def driver(what, address):
    """Write to the driver's file "bind" or "unbind"."""
    with open(f"{DRIVER}/{what}", "w", encoding="ascii") as file:
        file.write(address)


def come_back(address):
    """Bring the NIC back, bind the driver, and set up the interface as it was."""
    nicfault.ask("gone", 0)
    if not os.path.exists(f"{DRIVER}/{address}"):
        driver("bind", address)
    rig.wait_for(lambda: os.path.exists(f"/sys/class/net/{rig.IFACE}"), 20,
                 lambda: "no interface")
    rig.run("ethtool", "-L", rig.IFACE, "combined", "2")
    rig.run("ip", "addr", "replace", "192.0.2.1/24", "dev", rig.IFACE)
    rig.run("ip", "addr", "replace", "2001:db8::1/64", "dev", rig.IFACE, "nodad")
    rig.run("ip", "link", "set", rig.IFACE, "up")
    rig.offload()


def gone():
    """All registers read all ones under flows: the driver notices, an unbind does not wait
    for the NIC, and when the NIC is back, all data arrives."""
    load, log = begin()
    address = pci_address()
    ktap.defer(come_back, address)
    start = time.monotonic()
    nicfault.ask("gone", 1)
    log.expect("device is gone", 20)
    rig.wait_for(lambda: carrier() == "0", 10, lambda: "the carrier stays")
    noticed = time.monotonic()
    driver("unbind", address)
    took = time.monotonic() - noticed
    if took > 20:
        raise AssertionError(f"{took:.0f} s to unbind a dead NIC")
    come_back(address)
    load.goes_on()
    ktap.figure(f"NIC gone: noticed after {noticed - start:.1f} s, unbound in "
                f"{took:.1f} s, {len(load.errors)} connections broken")
    if not rig.STOCK:
        load.back("NIC gone and back", start)
    load.finish()
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(CHUNK))
    flow.finish()
    watch.expect(tx_tls_encrypted_bytes=flow.wire)


def hit(dice):
    """Inject one fault, chosen by the dice. The NIC may refuse it, when it has just been
    reset."""
    opcode = dice.choice([n for n in nicfault.CMD if n != "caps"])
    vector = dice.randrange(3)
    name, value = dice.choice((
        ("fw-crash", 1), ("fw-hang", 1), ("ctx-forget-all", 1),
        ("ctx-forget", dice.randrange(8)), ("irq-spurious", vector),
        ("irq-lose", f"{vector}:1-{dice.randrange(1, 5)}"),
        ("cmd-fail", f"{nicfault.CMD[opcode]}:1:{dice.randrange(1, 60)}"),
        ("cmd-delay", f"{nicfault.CMD[opcode]}:1-3:{dice.randrange(1, 3000)}"),
        ("cmd-lose", f"{nicfault.CMD[opcode]}:1"),
        ("event-lose", f"{dice.randrange(1, 7)}:1-5"),
        ("event-delay", f"{dice.randrange(1, 7)}:1-5:{dice.randrange(1, 2000)}"),
        ("event-alter", f"{dice.randrange(1, 7)}:1-5:{dice.getrandbits(32)}"),
        ("event-send", f"{dice.randrange(9)}:{dice.randrange(9)}:{dice.getrandbits(32)}"),
        (f"{dice.choice(('tx', 'rx'))}-{dice.choice(WIRE)}-nth", dice.randrange(1, 50))))
    print(f"# {name} {value}", flush=True)
    try:
        nicfault.ask(name, value)
    except AssertionError as why:
        if "no firmware runs" not in str(why) and "no such context" not in str(why):
            raise


def anything_from_a_seed():
    """For a minute, faults of all kinds hit the NIC one after another: the flows return to
    the NIC in the end. SEED=n repeats a run."""
    dice = random.Random(int(os.environ.get("SEED", "1")))
    load, _ = begin()
    end = time.monotonic() + 60
    while time.monotonic() < end and not load.errors:
        hit(dice)
        time.sleep(dice.random() * 2)
    nicfault.end()
    start = time.monotonic()
    load.back("faults of all kinds for a minute", start)
    load.finish()
    all_places_free()


SHORT = (all_contexts_forgotten, one_context_forgotten, firmware_crashes,
         firmware_crashes_and_queues_fail, recovery_fails, interrupt_lost_before_silence,
         queue_interrupts_lost, spurious_interrupts, stats_fail, resync_fails,
         add_fails_again, gone)
LONG = (firmware_hangs, firmware_hangs_as_it_comes_back, command_interrupts_lost,
        add_fails, del_fails, queue_create_fails, resync_is_slow,
        anything_from_a_seed)
WIRE = ("drop", "delay", "reorder", "corrupt", "duplicate")


def main():
    """Register and run."""
    long = "long" in sys.argv
    sys.argv = [word for word in sys.argv if word != "long"]
    rig.offload()
    rig.control()
    rig.far_receive_frames()
    rig.run("ethtool", "-L", rig.IFACE, "combined", "2")
    for fn in LONG if long else SHORT:
        ktap.add(fn.__name__, fn, timeout=180)
    if long:
        for command, what in (("tls-resync", lose_places), ("tls-add", lose_contexts),
                              ("tls-del", new_flows), ("stats", lambda: None)):
            ktap.add(f"{command.replace('-', '_')}_times_out", command_times_out,
                     command, what, timeout=120)
        for direction in ("tx", "rx"):
            for kind in WIRE:
                ktap.add(f"{direction}_{kind}", frames, direction, kind, 10000,
                         timeout=120)
    ktap.main()


if __name__ == "__main__":
    main()
