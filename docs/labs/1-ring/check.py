#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Lab 1: does the answer send 300 frames through a ring of 64?"""
import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(HERE, part) for part in
                ("..", "../../../tests/device", "../../../tests/abi")]
# pylint: disable=wrong-import-position
import answer
from nic import TxQueue, case
from packets import ethernet

WHERE = "host"
FRAMES, LOG2, SECONDS = 300, 6, 60


def frame(number):
    """Frame NUMBER; the experimental type of Ethernet, and its number inside."""
    return ethernet(0x88b5, b"frame %04d " % number * 8)


def give_up(*_):
    """The answer waits for something that does not come."""
    raise answer.Wrong("send() does not come back: does it wait for a completion that it "
                       "never asked for, or that it does not recognise?")


@case()
def check(nic):
    """The frames leave, each once, in order."""
    nic.boot().up()
    queue = TxQueue(nic, log2=LOG2)
    sender = answer.load(sys.argv[1]).Sender(
        nic.m, queue.ring.addr, queue.cq.addr, LOG2,
        lambda tail: nic.write(queue.tail_reg, tail),
        lambda head: nic.write(queue.cq_reg, head))
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    for number in range(FRAMES):
        data = frame(number)
        address = nic.m.alloc(len(data), 1)
        nic.m.write(address, data)
        sender.send(address, len(data))
    for number in range(FRAMES):
        got = nic.wire.receive(2)
        if got is None:
            raise answer.Wrong(f"{number} of {FRAMES} frames arrived")
        if got != frame(number):
            raise answer.Wrong(f"instead of frame {number} came {got[14:24]}")
    if nic.wire.receive(0.2):
        raise answer.Wrong("a frame came twice")


answer.verdict(check)
