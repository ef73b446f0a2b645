"""Packets of one host come late: a fault that no filter can make. ::

    python -m bench.late_packets 80 40     # each packet 80 ms late, or up to 40 ms more or less; until it is ended

The kernel hands over the numbers of the packets that arrive (nfnetlink_queue(7) without their content), and lets each
go on when it is told to. Those of one connection may overtake each other, as they may in a network. While nobody
listens, packets pass as if there were no rule.
"""

from __future__ import annotations

import heapq
import random
import select
import socket
import struct
import sys
import time

QUEUE = 7
_NETLINK_NETFILTER = 12
_SUBSYSTEM = 3 << 8  # NFNL_SUBSYS_QUEUE
_PACKET, _VERDICT, _CONFIG = 0, 1, 2
_BIND, _COPY_META, _ACCEPT = 1, 1, 1
_LONGEST_QUEUE = 100_000
_HEADER = struct.Struct("=IHHII")


def _message(kind: int, attributes: bytes) -> bytes:
    body = struct.pack(">BBH", 0, 0, QUEUE) + attributes
    return _HEADER.pack(_HEADER.size + len(body), _SUBSYSTEM | kind, 1, 0, 0) + body  # 1: NLM_F_REQUEST


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def _numbers(data: bytes) -> list[int]:
    """Of the packets that these messages tell of."""
    found = []
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        at = _HEADER.size + 4
        if kind == _SUBSYSTEM | _PACKET:
            while at + 4 <= length:
                size, name = struct.unpack_from("=HH", data, at)
                if name == 1:  # NFQA_PACKET_HDR
                    found.append(struct.unpack_from(">I", data, at + 4)[0])
                at += (size + 3) & ~3
        data = data[(length + 3) & ~3 :]
    return found


def hold(late_s: float, spread_s: float) -> None:
    """Never returns."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        link.setsockopt(270, 5, 1)  # SOL_NETLINK, NETLINK_NO_ENOBUFS: rather lose a packet than end
        link.bind((0, 0))
        link.send(_message(_CONFIG, _attribute(1, struct.pack(">BxH", _BIND, 0))))
        link.send(_message(_CONFIG, _attribute(2, struct.pack(">IB", 0, _COPY_META))))
        link.send(_message(_CONFIG, _attribute(3, struct.pack(">I", _LONGEST_QUEUE))))
        print("holding", flush=True)
        waiting: list[tuple[float, int]] = []
        while True:
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                verdict = struct.pack(">II", _ACCEPT, heapq.heappop(waiting)[1])
                link.send(_message(_VERDICT, _attribute(2, verdict)))
            readable, _, _ = select.select([link], [], [], waiting[0][0] - now if waiting else None)
            if readable:
                now = time.monotonic()
                for number in _numbers(link.recv(1 << 16)):
                    due = now + max(0.0, late_s + random.uniform(-spread_s, spread_s))
                    heapq.heappush(waiting, (due, number))


if __name__ == "__main__":
    hold(float(sys.argv[1]) / 1000, float(sys.argv[2]) / 1000)
