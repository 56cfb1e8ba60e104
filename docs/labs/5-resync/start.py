# SPDX-License-Identifier: GPL-2.0-only
"""Lab 5: where does the NIC go on?"""


def plan(records, next_seq):
    """
    records: (sequence number of the first byte, bytes on the wire) of each record, in
        order; the first one is number 0
    next_seq: sequence number of the next byte to be sent
    Return: (sequence number, record number) for VKTLS_CMD_TLS_RESYNC
    """
    for number, (first, length) in enumerate(records):
        if first <= next_seq < first + length:
            return next_seq, number
    return next_seq, len(records)
