#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A NIC that gives false answers: it forgets contexts, keeps contexts that it should have
deleted, and asks for resyncs of records that do not exist. The driver notices, and living
connections return to the NIC."""
import re
import time

import nicfault
import ktap
import rig

EVENTS = "/sys/kernel/tracing/events/vktls/vktls_event/enable"
TRACE = "/sys/kernel/tracing/trace"
BEHIND_THE_TABLE = (1024, 0xffffffff)
NO_SUCH = 900       # index of a context that does not exist
CHUNK = 30000


def held():
    """Number of contexts in the NIC, by its own counter."""
    return rig.counters()["dev_tls_ctx_live"]


def back_to(number, timeout=40):
    """Wait until the NIC holds NUMBER contexts."""
    rig.wait_for(lambda: held() == number, timeout,
                 lambda: f"{held()} contexts in the NIC, not {number}")


def one_flow():
    """Open a connection, send data, close it."""
    flow = rig.Flow()
    flow.send(rig.pattern(CHUNK))
    flow.finish()


def deletion(fault, expected, *arguments):
    """A connection ends, and its context stays in the NIC, with its key. The driver finds
    the context and deletes it; another connection is not disturbed."""
    ktap.defer(nicfault.end)
    before = held()
    bystander = rig.Flow()
    watch = rig.Watch()
    nicfault.command(fault, "tls-del", *arguments)
    start = time.monotonic()
    one_flow()
    watch.settle("tx_tls_del", 1)
    watch.settle("tls_del_later", 1, 40)
    took = time.monotonic() - start
    back_to(before + 1)
    ktap.figure(f"tls-del {fault} {arguments}: context deleted after {took:.1f} s")
    ktap.equal(nicfault.left("cmd-fail"), "", "faults left")
    bystander.send(rig.pattern(CHUNK))
    bystander.finish()
    watch.expect(resets=0, tls_del_reset=0, **expected)
    watch.expect(tx_tls_lost_forgotten=0, tx_tls_lost_device=0,
                 tx_tls_encrypted_bytes=bystander.wire * 2)
    back_to(before)


def deleting_fails():
    """Deleting fails three times: the driver tries again until it succeeds, with growing
    pauses."""
    deletion("fail", {"tx_tls_del_failed": 1}, "1-3", nicfault.FAILS)


def deleting_seems_to_work():
    """The NIC reports a context as deleted and keeps it: the driver finds and deletes it."""
    deletion("fail", {"tx_tls_del_failed": 0}, 1, 0)


def added_where_no_place_is():
    """The NIC adds a context, and reports an index behind the end of its table. The driver
    takes that for a failure; the audit finds the context and deletes it."""
    ktap.defer(nicfault.end)
    before = held()
    watch = rig.Watch()
    for count, place in enumerate(BEHIND_THE_TABLE, 1):
        nicfault.command("lie", "tls-add", 1, place)
        one_flow()
        watch.settle("tx_tls_add_failed", count)
        watch.settle("tls_del_later", count, 40)
    nicfault.command("lie", "tls-add-rx", 1, BEHIND_THE_TABLE[0])
    flow = rig.Inflow()
    flow.push(flow.stream(CHUNK))
    flow.finish()
    watch.settle("rx_tls_add_failed", 1)
    watch.settle("tls_del_later", count + 1, 40)
    watch.some("rx_tls_drop_stray")
    ktap.equal(nicfault.count("cmd-lie"), count + 1, "lies")
    watch.expect(resets=0)
    back_to(before)


def receive_deleting_fails():
    """Deleting a receiving context fails: the driver tries again, and succeeds."""
    ktap.defer(nicfault.end)
    before = held()
    watch = rig.Watch()
    flow = rig.Inflow()
    flow.push(flow.stream(CHUNK))
    nicfault.command("fail", "tls-del", 1, nicfault.FAILS)
    flow.finish()
    watch.settle("tls_del_later", 1, 20)
    watch.expect(rx_tls_del_failed=1, rx_tls_del=1, resets=0)
    back_to(before)


def deleting_never_works():
    """Deleting fails again and again: the driver resets the function in the end, and living
    connections return to the NIC."""
    ktap.defer(nicfault.end)
    bystander = rig.Flow()
    watch = rig.Watch()
    nicfault.command("fail", "tls-del", "1-1000", nicfault.FAILS)
    start = time.monotonic()
    one_flow()
    rig.wait_for(lambda: watch["resets"], 60,
                 lambda: f"no reset; {watch.report()}")
    took = time.monotonic() - start
    nicfault.end()
    ktap.figure(f"tls-del always fails: reset after {took:.1f} s")
    in_force(bystander, watch)
    bystander.finish()
    watch.expect(tls_del_reset=1, resets=1, tx_tls_del_failed=1, tls_del_later=0)
    back_to(0)


def deleting_what_is_not_there():
    """Deleting a context that the NIC has already forgotten is no failure: nothing is
    counted."""
    ktap.defer(nicfault.end)
    watch = rig.Watch()
    flow = rig.Flow()
    flow.send(rig.pattern(CHUNK))
    flow.drain()
    nicfault.ask("ctx-forget-all", 1)
    flow.finish()
    watch.settle("tx_tls_del", 1)
    time.sleep(2.5)
    watch.expect(tx_tls_del_failed=0, rx_tls_del_failed=0, tls_del_later=0,
                 resets=0)


def in_force(flow, watch):
    """Send until the NIC encrypts a whole chunk of the flow."""
    for _ in range(100):
        before = watch["tx_tls_encrypted_bytes"]
        flow.send(rig.pattern(CHUNK))
        flow.drain()
        if watch["tx_tls_encrypted_bytes"] - before >= CHUNK:
            return
        time.sleep(0.1)
    raise AssertionError(f"not on the NIC again; {watch.report()}")


def decrypts(flow, watch):
    """Receive until the NIC decrypts a whole chunk of the flow."""
    for _ in range(100):
        before = watch["rx_tls_decrypted_bytes"]
        flow.push(flow.stream(CHUNK, 3000))
        if watch["rx_tls_decrypted_bytes"] - before >= CHUNK:
            return
        time.sleep(0.1)
    raise AssertionError(f"not on the NIC again; {watch.report()}")


def receiver_forgotten(flag):
    """The NIC forgets a receiving context that is in sync, so no resync request will come.
    The driver notices by the number of contexts, and adds it again; the other flow is not
    disturbed."""
    if flag:
        rig.private_flag(flag, True)
        ktap.defer(rig.private_flag, flag, False)
    other, flow = rig.Inflow(), rig.Inflow()
    for each in (other, flow):
        each.push(each.stream(CHUNK))
    watch = rig.Watch()
    nicfault.forget_one(reversed(range(200)))
    start = time.monotonic()
    watch.settle("rx_tls_readd", 1, 10)
    decrypts(flow, watch)
    took = time.monotonic() - start
    ktap.figure(f"a receiving context forgotten: decrypting again after {took:.1f} s")
    before = watch["rx_tls_decrypted_bytes"]
    for each in (other, flow):
        each.push(each.stream(CHUNK))
        each.finish()
    if watch["rx_tls_decrypted_bytes"] - before < 2 * CHUNK:
        raise AssertionError(f"not all by the NIC; {watch.report()}")
    watch.expect(rx_tls_lost_forgotten=1, rx_tls_readd=1, rx_tls_lost_reset=0,
                 TlsDecryptError=0, resets=0, tls_del_later=0)
    back_to(0)


def all_forgotten():
    """The NIC forgets all contexts, of sending, receiving and idle flows: all flows return
    to the NIC, without a reset."""
    inflows = [rig.Inflow(family=4 + i % 2 * 2) for i in range(4)]
    flows = [rig.Flow(family=4 + i % 2 * 2) for i in range(4)]
    for flow in inflows:
        flow.push(flow.stream(CHUNK))
    for flow in flows:
        flow.send(rig.pattern(CHUNK))
        flow.drain()
    watch = rig.Watch()
    start = time.monotonic()
    nicfault.ask("ctx-forget-all", 1)
    watch.settle("rx_tls_readd", 4, 10)
    watch.expect(tx_tls_lost_forgotten=4, rx_tls_lost_forgotten=4)
    for flow in inflows:
        decrypts(flow, watch)
    for flow in flows:
        in_force(flow, watch)
    took = time.monotonic() - start
    ktap.figure(f"eight contexts forgotten: all on the NIC again after {took:.1f} s")
    for flow in inflows + flows:
        flow.finish()
    watch.expect(tx_tls_readd=4, rx_tls_readd=4, resets=0, tls_del_later=0,
                 tx_tls_lost_forgotten=4, rx_tls_lost_forgotten=4,
                 TlsDecryptError=0)
    back_to(0)


def restoring_fails():
    """The NIC forgets a receiving context, and adding it again fails three times: the
    driver repeats it until it succeeds."""
    ktap.defer(nicfault.end)
    flow = rig.Inflow()
    flow.push(flow.stream(CHUNK))
    watch = rig.Watch()
    nicfault.command("fail", "tls-add-rx", "1-3", nicfault.FAILS)
    nicfault.forget_one(reversed(range(200)))
    watch.settle("rx_tls_readd", 1, 30)
    watch.expect(rx_tls_add_failed=3, rx_tls_lost_forgotten=1)
    decrypts(flow, watch)
    flow.finish()
    watch.expect(resets=0, TlsDecryptError=0)
    back_to(0)


def a_flow_that_loses(flag):
    """A receiving flow in sync, with the given way of resync."""
    if flag:
        rig.private_flag(flag, True)
        ktap.defer(rig.private_flag, flag, False)
    ktap.defer(nicfault.end)
    nicfault.forgetful(ktap.defer)
    ktap.defer(rig.far_netem_end)
    rig.patient_tcp(ktap.defer, rig.far_run)
    flow = rig.Inflow()
    flow.push(flow.stream(CHUNK))
    return flow, rig.Watch()


def survives(flow, watch, *moved):
    """The NIC decrypts the flow again, without an error on the way, and these counters
    moved."""
    nicfault.end()
    decrypts(flow, watch)
    flow.finish()
    watch.expect(TlsDecryptError=0, rx_tls_err=0, resets=0)
    watch.some("rx_tls_lost_gap", "rx_tls_resync_res_ok", "TlsRxDeviceResync",
               *moved)


def question_about_nothing(flag):
    """The NIC's resync request names a sequence number at which no record begins: the flow
    is in sync again in the end."""
    flow, watch = a_flow_that_loses(flag)
    before = nicfault.count("event-alter")
    nicfault.event("alter", "tls-resync", "1-2", 0x12345678)
    rig.lose_header(flow)
    hit = nicfault.count("event-alter") - before
    if not hit:
        raise AssertionError("no question was altered")
    survives(flow, watch)


def question_late(flag):
    """The NIC's resync request arrives a second late, when the stream has continued: the
    flow is in sync again in the end."""
    flow, watch = a_flow_that_loses(flag)
    before = nicfault.count("event-delay")
    nicfault.event("delay", "tls-resync", "1-2", 1000)
    rig.lose_header(flow)
    for _ in range(4):
        flow.push(flow.stream(CHUNK, 3000))
        time.sleep(0.5)
    if nicfault.count("event-delay") == before:
        raise AssertionError("no question was late")
    survives(flow, watch)


def questions():
    """(context, sequence number) of each resync request that the driver got."""
    with open(TRACE, encoding="ascii") as file:
        return [(int(i, 16), int(arg, 16)) for i, arg in
                re.findall(r"vktls_event: .* type=6 .*id=(\S+) arg=(\S+)", file.read())]


def trace_events():
    """Trace the driver's events until the case ends."""
    for name, value in ((TRACE, ""), (EVENTS, "1")):
        with open(name, "w", encoding="ascii") as file:
            file.write(value)
    ktap.defer(lambda: open(EVENTS, "w", encoding="ascii").write("0"))


def question_again(flag):
    """The NIC repeats a resync request, before and after the answer: the flow is in sync
    again in the end."""
    flow, watch = a_flow_that_loses(flag)
    trace_events()
    rig.lose_header(flow)
    asked = questions()
    if not asked:
        raise AssertionError("the NIC did not ask")
    for _ in range(3):
        for context, place in asked:
            nicfault.event("send", "tls-resync", context, place)
        flow.push(flow.stream(CHUNK, 3000))
    survives(flow, watch)


def questions_unasked(flag):
    """Resync requests arrive for contexts that are in sync, that send, and that do not
    exist, with any sequence numbers: flows stay in sync."""
    flow, watch = a_flow_that_loses(flag)
    sender = rig.Flow()
    trace_events()
    for context in [*range(40), NO_SUCH, 0xffffffff]:
        for place in (0, 0x7fffffff, 0xffffffff):
            nicfault.event("send", "tls-resync", context, place)
    rig.wait_for(lambda: len(questions()) >= 120, 10, lambda: "events are lost")
    before = watch["rx_tls_decrypted_bytes"]
    flow.push(flow.stream(CHUNK))
    if watch["rx_tls_decrypted_bytes"] - before < CHUNK:
        raise AssertionError(f"out of sync; {watch.report()}")
    sender.send(rig.pattern(CHUNK))
    sender.finish()
    watch.expect(tx_tls_encrypted_bytes=sender.wire)
    rig.lose_header(flow)
    survives(flow, watch)


def main():
    """Register and run."""
    rig.offload()
    rig.receive_offload()
    rig.control()
    rig.far_receive_frames()
    for fn in (deleting_fails, deleting_seems_to_work, receive_deleting_fails,
               deleting_what_is_not_there, added_where_no_place_is, all_forgotten, restoring_fails,
               deleting_never_works):
        ktap.add(fn.__name__, fn, timeout=90)
    for mode, flag in (("async", None), ("direct", "tls-rx-resync-direct"),
                       ("hint", "tls-rx-resync-hint")):
        ktap.add(f"receiver_forgotten_{mode}", receiver_forgotten, flag, timeout=60)
        if mode == "hint":      # in this mode the NIC sends no resync requests
            continue
        for fn in (question_about_nothing, question_late, question_again,
                   questions_unasked):
            ktap.add(f"{fn.__name__}_{mode}", fn, flag, timeout=60)
    ktap.main()


main()
